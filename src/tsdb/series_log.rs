//! The log of series definitions: which number stands for which labels.
//!
//! The write-ahead log names series by number. The numbers are defined here, in a file of their own, so that
//! the write-ahead log can be cut without writing them again. Numbers are never used twice within a store.
//! When most definitions are of series that have left memory, the file is written anew.
//! Format: `docs/formats/series-log.md`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::labels::Labels;
use crate::tsdb::frame::{self, Frames, HEADER, Header, Input, Step, put_bytes, put_varint};
use crate::tsdb::fs::{Fs, Log};
use crate::tsdb::wal::replay::Damage;

/// Kind and version.
const MAGIC: [u8; 8] = *b"WDserie\x01";
/// The number of the file, for checksums. There is one; a new one replaces it whole.
const NUMBER: u64 = 1;
/// Definitions that go into one record, in bytes before compression.
const PIECE: usize = 256 << 10;
/// Longest text of one label set.
pub(crate) const LONGEST_KEY: usize = 1 << 20;
/// Shorter records are not compressed.
const WORTH: usize = 200;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// The writing end.
#[derive(Debug)]
pub(crate) struct SeriesLog {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    file: Arc<dyn Log>,
    len: u64,
    /// How many definitions the file holds.
    definitions: u64,
    pieces: Pieces,
}

/// Collects definitions into records.
#[derive(Debug, Default)]
struct Pieces {
    plain: Vec<u8>,
    out: Vec<u8>,
    last_id: u64,
    last_key: String,
    count: u64,
}

impl Pieces {
    fn add(&mut self, id: u64, key: &str, base: u64) {
        let shared = self.last_key.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count();
        put_varint(&mut self.plain, id.wrapping_sub(self.last_id));
        put_varint(&mut self.plain, shared as u64);
        put_bytes(&mut self.plain, &key.as_bytes()[shared..]);
        self.last_id = id;
        self.last_key.clear();
        self.last_key.push_str(key);
        self.count += 1;
        if self.plain.len() > PIECE {
            self.close(base);
        }
    }

    fn close(&mut self, base: u64) {
        if self.plain.is_empty() {
            return;
        }
        let begun = frame::begin(&mut self.out);
        let packed = if self.plain.len() < WORTH { None } else { zstd::bulk::compress(&self.plain, 1).ok() };
        match packed {
            Some(packed) if packed.len() < self.plain.len() => {
                self.out.push(ZSTD);
                self.out.extend_from_slice(&packed);
            }
            _ => {
                self.out.push(PLAIN);
                self.out.extend_from_slice(&self.plain);
            }
        }
        frame::end(&mut self.out, begun, NUMBER, base);
        self.plain.clear();
        self.last_id = 0;
        self.last_key.clear();
    }

    fn clear(&mut self) {
        self.plain = Vec::new();
        self.out = Vec::new();
        self.last_id = 0;
        self.last_key.clear();
        self.count = 0;
    }
}

/// What a file of definitions held.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Length up to the end of the last good record.
    pub(crate) len: u64,
    pub(crate) definitions: u64,
    pub(crate) damage: Damage,
    pub(crate) bad: Vec<Step>,
}

/// Reads the definitions of a file's bytes.
///
/// # Errors
/// It is of a newer version.
pub(crate) fn load(bytes: &[u8], mut each: impl FnMut(u64, Labels)) -> io::Result<Loaded> {
    let mut loaded = Loaded::default();
    match frame::read_header(bytes, MAGIC) {
        Header::Good(_) => {}
        Header::Version(v) => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, format!("a series log of version {v}")));
        }
        // Records prove themselves without it; the writing end makes a new one.
        Header::Bad => {
            loaded.damage.ranges += 1;
            loaded.damage.bytes += HEADER.min(bytes.len()) as u64;
        }
    }
    loaded.len = HEADER as u64;
    let mut plain = Vec::new();
    for step in Frames::new(bytes, NUMBER) {
        match step {
            Step::Record(range) => {
                loaded.len = range.end as u64;
                match definitions(&bytes[range], &mut plain, &mut each) {
                    Some(n) => loaded.definitions += n,
                    None => loaded.damage.garbled += 1,
                }
            }
            Step::Damaged(ref range) => {
                loaded.damage.ranges += 1;
                loaded.damage.bytes += range.len() as u64;
                loaded.bad.push(step);
            }
            Step::Torn(ref range) => {
                loaded.damage.torn_bytes += range.len() as u64;
                loaded.bad.push(step);
            }
        }
    }
    Ok(loaded)
}

fn definitions(payload: &[u8], plain: &mut Vec<u8>, each: &mut impl FnMut(u64, Labels)) -> Option<u64> {
    let (&kind, body) = payload.split_first()?;
    plain.clear();
    let bytes = match kind {
        PLAIN => body,
        ZSTD => {
            plain.reserve(PIECE + LONGEST_KEY + 32);
            zstd::bulk::Decompressor::new().ok()?.decompress_to_buffer(body, plain).ok()?;
            plain
        }
        _ => return None,
    };
    let mut input = Input(bytes);
    let (mut id, mut key, mut n) = (0_u64, Vec::new(), 0);
    while !input.is_empty() {
        id = id.wrapping_add(input.varint()?);
        let shared = usize::try_from(input.varint()?).ok()?;
        if shared > key.len() {
            return None;
        }
        key.truncate(shared);
        key.extend_from_slice(input.bytes()?);
        each(id, Labels::checked_key(std::str::from_utf8(&key).ok()?)?);
        n += 1;
    }
    Some(n)
}

impl SeriesLog {
    /// Continues a file that was read, or begins one.
    ///
    /// # Errors
    /// The file cannot be opened or made.
    pub(crate) fn open(fs: Arc<dyn Fs>, path: PathBuf, loaded: &Loaded) -> io::Result<Self> {
        let (file, len) = if loaded.len > 0 {
            let file = fs.open(&path)?;
            if loaded.damage.ranges > 0 {
                file.write_at(&frame::header(MAGIC, NUMBER), 0)?;
            }
            (file, loaded.len)
        } else {
            fs.replace(&path, &frame::header(MAGIC, NUMBER))?;
            (fs.open(&path)?, HEADER as u64)
        };
        Ok(Self { fs, path, file, len, definitions: loaded.definitions, pieces: Pieces::default() })
    }

    /// The file, to be synced.
    pub(crate) const fn file(&self) -> &Arc<dyn Log> {
        &self.file
    }

    /// How many definitions the file holds.
    pub(crate) const fn definitions(&self) -> u64 {
        self.definitions
    }

    /// Bytes of the file.
    pub(crate) const fn bytes(&self) -> u64 {
        self.len
    }

    /// Writes definitions.
    ///
    /// # Errors
    /// None of them is written.
    pub(crate) fn add<'a>(&mut self, all: impl Iterator<Item = (u64, &'a str)>) -> io::Result<()> {
        self.pieces.clear();
        for (id, key) in all {
            self.pieces.add(id, key, self.len);
        }
        self.pieces.close(self.len);
        if let Err(err) = self.file.write_at(&self.pieces.out, self.len) {
            let _ = self.file.truncate(self.len);
            return Err(err);
        }
        self.len += self.pieces.out.len() as u64;
        self.definitions += self.pieces.count;
        self.pieces.clear();
        Ok(())
    }

    /// Writes the file anew, durable, with these definitions only. It replaces the old one atomically.
    ///
    /// # Errors
    /// The old file stands and is used further.
    pub(crate) fn rewrite<'a>(&mut self, live: impl Iterator<Item = (u64, &'a str)>) -> io::Result<()> {
        let temp = self.path.with_extension("tmp");
        let mut new = Self {
            fs: Arc::clone(&self.fs),
            file: self.fs.create(&temp)?,
            path: self.path.clone(),
            len: HEADER as u64,
            definitions: 0,
            pieces: Pieces::default(),
        };
        new.file.write_at(&frame::header(MAGIC, NUMBER), 0)?;
        for (id, key) in live {
            new.pieces.add(id, key, new.len);
            if !new.pieces.out.is_empty() {
                new.file.write_at(&new.pieces.out, new.len)?;
                new.len += new.pieces.out.len() as u64;
                new.pieces.out.clear();
            }
        }
        new.definitions = new.pieces.count;
        new.pieces.close(new.len);
        new.file.write_at(&new.pieces.out, new.len)?;
        new.len += new.pieces.out.len() as u64;
        new.pieces.clear();
        new.file.sync()?;
        self.fs.rename(&temp, &self.path)?;
        if let Some(dir) = self.path.parent() {
            self.fs.sync_dir(dir)?;
        }
        *self = new;
        Ok(())
    }
}

/// Where the file is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("series")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::fs::Disk;

    fn labels(n: u64) -> Labels {
        Labels::new([("__name__", "up".to_owned()), ("instance", format!("host-{n}")), ("job", "node".repeat(20))])
    }

    fn read(path: &Path) -> (Vec<(u64, Labels)>, Loaded) {
        let mut all = Vec::new();
        let loaded = load(&std::fs::read(path).unwrap(), |id, labels| all.push((id, labels))).unwrap();
        (all, loaded)
    }

    fn open(path: &Path, loaded: &Loaded) -> SeriesLog {
        SeriesLog::open(Arc::new(Disk), path.to_owned(), loaded).unwrap()
    }

    #[test]
    fn definitions_come_back_and_are_small() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        let mut log = open(&path, &Loaded::default());
        let all: Vec<(u64, Labels)> = (1..5_000).map(|n| (n, labels(n))).collect();
        log.add(all[..1].iter().map(|(id, l)| (*id, l.as_key()))).unwrap();
        log.add(all[1..].iter().map(|(id, l)| (*id, l.as_key()))).unwrap();
        let (back, loaded) = read(&path);
        assert_eq!(back, all);
        assert_eq!((loaded.definitions, loaded.len, log.bytes()), (4_999, log.bytes(), loaded.len));
        assert!(log.bytes() < 20 * 5_000, "{}", log.bytes());
        let mut log = open(&path, &loaded);
        log.rewrite(all.iter().filter(|(id, _)| id % 2 == 0).map(|(id, l)| (*id, l.as_key()))).unwrap();
        log.add([(9_999, labels(7).as_key())].into_iter()).unwrap();
        let (back, _) = read(&path);
        assert_eq!(back.len(), 2_500);
        assert_eq!(back.last(), Some(&(9_999, labels(7))));
    }

    #[test]
    fn damage_costs_a_record_and_is_never_another_series() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        let mut log = open(&path, &Loaded::default());
        for n in 1..5 {
            log.add([(n, labels(n).as_key())].into_iter()).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (mut back, mut version) = (Vec::new(), false);
            match load(&bytes, |id, l| back.push((id, l))) {
                Ok(loaded) => {
                    let told = loaded.damage.is_loss() || loaded.damage.torn_bytes > 0;
                    // Four bytes of the header are free.
                    assert!(told || (20..24).contains(&(bit / 8)), "bit {bit}");
                }
                Err(_) => version = true,
            }
            assert!(back.len() >= 3 || version, "bit {bit}");
            assert!(back.iter().all(|(id, l)| *l == labels(*id)));
        }
    }
}
