//! Immutable files of compressed samples with their index. Format: `docs/formats/block.md`.
//!
//! A block is one file, written once and never changed. Nothing read is used before its checksum was
//! verified; what fails is skipped and told as [`Damage`]: a damaged chunk loses that chunk, damaged labels
//! lose their group of 64 series, damaged postings cost a scan. Only the directory loses the whole block,
//! and that is written twice.
//!
//! Opening reads the last bytes of the file. Parts of the index are read when first asked for and kept in
//! a [`Cache`] that all blocks share.

mod cache;
mod damage;
mod format;
mod groups;
mod postings;
mod read;
mod select;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::labels::Labels;
pub use crate::tsdb::block::cache::Cache;
use crate::tsdb::block::cache::{Kind, Part};
pub use crate::tsdb::block::damage::Damage;
use crate::tsdb::block::format::{CRC, Directory, GROUP, MAGIC, Place, TAIL_REACH, TIMES_PAGE, Tail};
pub use crate::tsdb::block::format::{Meta, Stats};
use crate::tsdb::block::groups::{Chunks, Payload, Times};
pub use crate::tsdb::block::read::{BlockReader, Growth, Tally, Used};
pub use crate::tsdb::block::writer::BlockWriter;
use crate::tsdb::chunk::Corrupt;

/// A series of one block: its position in order of labels.
pub type SeriesId = u32;

/// An open block.
pub struct Block {
    path: PathBuf,
    bytes: Bytes,
    tail: Tail,
    cache: Arc<Cache>,
    /// This block's number in the cache.
    number: u64,
}

/// Why a block cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be read.
    #[error("cannot read the block `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// It is not a block, was cut off, or both copies of its end are damaged.
    #[error("`{path}` is no block, or damaged beyond use")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Another version of this program wrote it.
    #[error("the block `{path}` has format {version}, which this version cannot read")]
    Version {
        /// The file.
        path: PathBuf,
        /// The format it says it has.
        version: u8,
    },
}

/// Where a block is.
enum Bytes {
    File(File),
    Memory(Vec<u8>),
}

impl Bytes {
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(out, offset),
            Self::Memory(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = from.checked_add(out.len()).and_then(|to| bytes.get(from..to));
                out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

impl Block {
    /// Opens a block.
    ///
    /// # Errors
    /// It cannot be used at all; damage inside shows when it is read.
    pub fn open(path: &Path, cache: &Arc<Cache>) -> Result<Self, OpenError> {
        let read = |err| OpenError::Read { path: path.to_owned(), err };
        let file = File::open(path).map_err(read)?;
        let len = file.metadata().map_err(read)?.len();
        Self::new(path, Bytes::File(file), len, cache)
    }

    /// Opens a block held in memory.
    ///
    /// # Errors
    /// It cannot be used at all.
    pub fn from_bytes(bytes: Vec<u8>, cache: &Arc<Cache>) -> Result<Self, OpenError> {
        let len = bytes.len() as u64;
        Self::new(Path::new("memory"), Bytes::Memory(bytes), len, cache)
    }

    fn new(path: &Path, bytes: Bytes, len: u64, cache: &Arc<Cache>) -> Result<Self, OpenError> {
        let read = |err| OpenError::Read { path: path.to_owned(), err };
        let damaged = || OpenError::Damaged { path: path.to_owned() };
        if len < MAGIC.len() as u64 {
            return Err(damaged());
        }
        let mut magic = [0; MAGIC.len()];
        bytes.read_exact_at(&mut magic, 0).map_err(read)?;
        let mut end = vec![0; TAIL_REACH.min(usize::try_from(len).unwrap_or(usize::MAX))];
        let from = len - end.len() as u64;
        bytes.read_exact_at(&mut end, from).map_err(read)?;
        let Some(tail) = Tail::find(&end, len) else {
            let version = magic[MAGIC.len() - 1];
            let other = magic[..MAGIC.len() - 1] == MAGIC[..MAGIC.len() - 1] && version != MAGIC[MAGIC.len() - 1];
            return Err(if other { OpenError::Version { path: path.to_owned(), version } } else { damaged() });
        };
        Ok(Self { path: path.to_owned(), bytes, tail, cache: Arc::clone(cache), number: cache.number() })
    }

    /// What its writer said of it.
    pub const fn meta(&self) -> &Meta {
        &self.tail.meta
    }

    /// What is in it.
    pub const fn stats(&self) -> &Stats {
        &self.tail.stats
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many series.
    pub const fn len(&self) -> u32 {
        self.tail.stats.series as u32
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.tail.stats.series == 0
    }

    /// Whether it may have samples between two times, both inclusive.
    pub const fn overlaps(&self, from: i64, to: i64) -> bool {
        self.tail.stats.min_time <= to && self.tail.stats.max_time >= from
    }

    /// The labels of a series.
    pub fn labels(&self, id: SeriesId, damage: &mut Damage) -> Option<Labels> {
        let group = self.group_labels(id as usize / GROUP, damage)?;
        group.get(id as usize % GROUP).cloned()
    }

    /// Something that reads samples; one per thread. Fastest when series are read in rising order.
    pub fn reader(&self) -> BlockReader<'_> {
        BlockReader::new(self)
    }

    /// Reads all of the file and says what is damaged.
    pub fn verify(&self) -> Damage {
        let mut damage = Damage::default();
        if let Some(directory) = self.directory(&mut damage) {
            for copy in self.tail.directory {
                if self.part(copy).is_err() {
                    damage.add(|| self.note("a copy of the directory"));
                }
            }
            for copy in directory.times.iter().flatten() {
                if self.part(*copy).is_err() {
                    damage.add(|| self.note("a copy of a page of the table of times"));
                }
            }
            for page in 0..directory.times.len() {
                let Some(page) = self.times_page(page, &mut damage) else { continue };
                for place in page.entries.iter().flat_map(|e| [Some(e.place), e.copy]).flatten() {
                    if let Payload::File { offset, len } = place
                        && self.payload(offset, len).is_err()
                    {
                        damage.add(|| self.note("a copy of a column of times"));
                    }
                }
            }
            self.verify_values(&directory, &mut damage);
        }
        let mut reader = self.reader();
        for id in 0..self.len() {
            self.labels(id, &mut damage);
            reader.verify(id, &mut damage);
        }
        damage
    }

    /// Tells how the values are written; leaves out what is damaged.
    pub fn encodings(&self) -> Tally {
        let (mut tally, mut damage) = (Tally::new(), Damage::default());
        let mut reader = self.reader();
        (0..self.len()).for_each(|id| reader.tally(id, &mut tally, &mut damage));
        tally
    }

    /// What a person reads of a part that is lost.
    fn note(&self, what: &str) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("block {name}: {what} is damaged and was skipped")
    }

    /// Reads a part and verifies it.
    fn part(&self, place: Place) -> Result<Vec<u8>, Corrupt> {
        if place.end() > self.tail.stats.bytes {
            return Err(Corrupt);
        }
        let mut bytes = vec![0; place.len as usize];
        self.bytes.read_exact_at(&mut bytes, place.offset).map_err(|_| Corrupt)?;
        if crc32fast::hash(&bytes) == place.crc { Ok(bytes) } else { Err(Corrupt) }
    }

    /// Reads bytes whose checksum stands behind them.
    fn payload(&self, offset: u64, len: u32) -> Result<Vec<u8>, Corrupt> {
        let end = offset.checked_add(u64::from(len) + CRC as u64).ok_or(Corrupt)?;
        if end > self.tail.stats.bytes {
            return Err(Corrupt);
        }
        let mut bytes = vec![0; len as usize + CRC];
        self.bytes.read_exact_at(&mut bytes, offset).map_err(|_| Corrupt)?;
        unsealed(&bytes)?;
        bytes.truncate(len as usize);
        Ok(bytes)
    }

    fn directory(&self, damage: &mut Damage) -> Option<Arc<Directory>> {
        let key = (self.number, Kind::Directory, 0);
        if let Some(Part::Directory(found)) = self.cache.get(key) {
            return Some(found);
        }
        let decode = |place| Directory::decode(&self.part(place)?, self.tail.stats.bytes);
        let found = self.tail.directory.iter().find_map(|place| decode(*place).ok());
        let fits = |d: &Directory| d.groups.len() == (self.len() as usize).div_ceil(GROUP);
        let Some(found) = found.filter(fits) else {
            damage.add(|| self.note("the directory"));
            return None;
        };
        let found = Arc::new(found);
        self.cache.put(key, Part::Directory(Arc::clone(&found)));
        Some(found)
    }

    /// How many series a group has.
    const fn group_len(&self, group: usize) -> usize {
        let left = (self.len() as usize).saturating_sub(group * GROUP);
        if left < GROUP { left } else { GROUP }
    }

    fn group_labels(&self, group: usize, damage: &mut Damage) -> Option<Arc<[Labels]>> {
        let key = (self.number, Kind::Labels, group as u64);
        if let Some(Part::Labels(found)) = self.cache.get(key) {
            return Some(found);
        }
        let place = self.directory(damage)?.groups.get(group)?.0;
        match self.part(place).and_then(|bytes| groups::labels(&bytes, self.group_len(group))) {
            Ok(found) => {
                self.cache.put(key, Part::Labels(Arc::clone(&found)));
                Some(found)
            }
            Err(Corrupt) => {
                damage.add(|| self.note(&format!("group {group} of series")));
                None
            }
        }
    }

    fn group_chunks(&self, group: usize, damage: &mut Damage) -> Option<Arc<Chunks>> {
        let key = (self.number, Kind::Chunks, group as u64);
        if let Some(Part::Chunks(found)) = self.cache.get(key) {
            return Some(found);
        }
        let place = self.directory(damage)?.groups.get(group)?.1;
        let (n, columns) = (self.group_len(group), self.meta().columns());
        match self.part(place).and_then(|bytes| Chunks::decode(&bytes, n, columns, self.tail.data_end)) {
            Ok(found) => {
                let found = Arc::new(found);
                self.cache.put(key, Part::Chunks(Arc::clone(&found)));
                Some(found)
            }
            Err(Corrupt) => {
                damage.add(|| self.note(&format!("the chunk table of group {group}")));
                None
            }
        }
    }

    fn times_page(&self, page: usize, damage: &mut Damage) -> Option<Arc<Times>> {
        let key = (self.number, Kind::Times, page as u64);
        if let Some(Part::Times(found)) = self.cache.get(key) {
            return Some(found);
        }
        let copies = self.directory(damage)?.times.get(page).copied().unwrap_or_default();
        let decode = |place: &Place| Times::decode(&self.part(*place)?, self.tail.data_end);
        let Some(found) = copies.iter().find_map(|place| decode(place).ok()) else {
            damage.add(|| self.note(&format!("page {page} of the table of times")));
            return None;
        };
        let found = Arc::new(found);
        self.cache.put(key, Part::Times(Arc::clone(&found)));
        Some(found)
    }
}

/// Splits a column of times' number into page and place.
const fn times_place(number: u32) -> (usize, usize) {
    (number as usize / TIMES_PAGE, number as usize % TIMES_PAGE)
}

/// The bytes before the checksum that stands behind them, if it is theirs.
fn unsealed(bytes: &[u8]) -> Result<&[u8], Corrupt> {
    let (content, crc) = bytes.split_last_chunk::<CRC>().ok_or(Corrupt)?;
    if crc32fast::hash(content) == u32::from_le_bytes(*crc) { Ok(content) } else { Err(Corrupt) }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.cache.forget(self.number);
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, tail, .. } = self;
        f.debug_struct("Block")
            .field("path", path)
            .field("meta", &tail.meta)
            .field("stats", &tail.stats)
            .finish_non_exhaustive()
    }
}
