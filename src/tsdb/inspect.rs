//! Looks into the files of a store without changing them, damaged or not, running or not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::base::sample::Column;
use crate::base::time::Timestamp;
use crate::promql::source::{Resolution, Select, SeriesSet, Source, SourceError, Want};
use crate::tsdb::block::{Block, Cache, Meta, Stats, Tally};
use crate::tsdb::compact::Tombstone;
use crate::tsdb::db::{CLOCK, Tsdb};
use crate::tsdb::delete;
use crate::tsdb::fs::Peek;
use crate::tsdb::metadata;
use crate::tsdb::options::Options;
use crate::tsdb::series_log;
use crate::tsdb::small_file;
use crate::tsdb::wal::record::Record;
use crate::tsdb::wal::replay::{self, Damage};

/// What the files of a store are.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Segments of the write-ahead log, in order.
    pub segments: Vec<Segment>,
    /// The log of series definitions, if there is one.
    pub series_log: Option<SeriesLog>,
    /// Blocks, by name.
    pub blocks: Vec<BlockFile>,
    /// Deletions.
    pub tombstones: Vec<Tombstone>,
    /// The time that retention goes by, when it was last saved.
    pub clock: Option<i64>,
    /// Files in the quarantine with their sizes.
    pub quarantine: Vec<(PathBuf, u64)>,
}

/// A segment of the write-ahead log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Records that can be read.
    pub records: u64,
    /// Samples in them.
    pub samples: u64,
    /// Times of the first and the last of the samples.
    pub times: Option<(i64, i64)>,
    /// What cannot be read.
    pub damage: Damage,
}

/// The log of series definitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesLog {
    /// Its size.
    pub bytes: u64,
    /// Definitions that can be read.
    pub definitions: u64,
    /// What cannot.
    pub damage: Damage,
}

/// The file of a block.
#[derive(Debug)]
pub struct BlockFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is, or why that cannot be told.
    pub content: Result<(Meta, Stats), String>,
}

impl BlockFile {
    /// Reads all chunks and tells in which encodings they are; nothing of a block that cannot be opened.
    pub fn encodings(&self) -> Tally {
        Block::open(&self.path, &Cache::new(1 << 20)).map(|block| block.encodings()).unwrap_or_default()
    }
}

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
}

/// What was read, and what of it is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Files that were read.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Looks at all files.
///
/// # Errors
/// The directory is not a store, or cannot be read.
pub fn inspect(dir: &Path) -> io::Result<Inspection> {
    let mut found = Inspection::default();
    for (number, path) in replay::segments(&dir.join("wal"))? {
        let bytes = fs::read(&path)?;
        let mut segment = Segment { number, bytes: bytes.len() as u64, path, ..Segment::default() };
        let mut garbled = 0;
        let (damage, _) = replay::read(&bytes, number, |record| {
            segment.records += 1;
            let Record::Samples(mut decoder) = record else { return };
            let mut samples = Vec::new();
            loop {
                match decoder.next(&mut samples) {
                    Ok(Some(_)) => {
                        segment.samples += samples.len() as u64;
                        for (t, _) in &samples {
                            let (from, to) = segment.times.unwrap_or((*t, *t));
                            segment.times = Some((from.min(*t), to.max(*t)));
                        }
                    }
                    Ok(None) => break,
                    Err(_) => {
                        garbled += 1;
                        break;
                    }
                }
            }
        })?;
        segment.damage = damage;
        segment.damage.garbled += garbled;
        found.segments.push(segment);
    }
    if let Some(bytes) = optional(&series_log::path(dir))? {
        let loaded = series_log::load(&bytes, |_, _| {})?;
        let (definitions, damage) = (loaded.definitions, loaded.damage);
        found.series_log = Some(SeriesLog { bytes: bytes.len() as u64, definitions, damage });
    }
    let cache = Cache::new(0);
    for path in files(&dir.join("blocks"))? {
        let content = Block::open(&path, &cache).map(|b| (b.meta().clone(), *b.stats())).map_err(|e| e.to_string());
        found.blocks.push(BlockFile { path, content });
    }
    let tombstones = optional(&delete::path(dir))?.map(|b| small_file::decode(delete::MAGIC, &b)).transpose()?;
    found.tombstones = tombstones.flatten().and_then(|p| delete::decode(&p)).unwrap_or_default();
    let clock = optional(&dir.join("clock"))?.map(|b| small_file::decode(CLOCK, &b)).transpose()?;
    found.clock = clock.flatten().and_then(|p| p.try_into().ok()).map(i64::from_le_bytes);
    for path in files(&dir.join("quarantine"))? {
        let bytes = fs::metadata(&path)?.len();
        found.quarantine.push((path, bytes));
    }
    Ok(found)
}

/// Reads everything and checks all checksums.
///
/// # Errors
/// The directory is not a store, or cannot be read.
pub fn verify(dir: &Path) -> io::Result<Verdict> {
    let found = inspect(dir)?;
    let mut verdict = Verdict::default();
    let logs = found.segments.iter().map(|s| (s.path.clone(), s.bytes, &s.damage));
    let series = found.series_log.iter().map(|s| (series_log::path(dir), s.bytes, &s.damage));
    for (path, bytes, damage) in logs.chain(series) {
        verdict.files += 1;
        verdict.bytes += bytes;
        if damage.is_loss() {
            let what = format!("{} bytes in {} places are damaged", damage.bytes, damage.ranges + damage.garbled);
            verdict.problems.push(Problem { path, what });
        } else if damage.torn_bytes > 0 {
            let what = format!("it ends in an unfinished record of {} bytes, as after a crash", damage.torn_bytes);
            verdict.problems.push(Problem { path, what });
        }
    }
    let cache = Cache::new(1 << 20);
    for block in found.blocks {
        verdict.files += 1;
        let problems = match block.content {
            Err(what) => vec![what],
            Ok((_, stats)) => {
                verdict.bytes += stats.bytes;
                match Block::open(&block.path, &cache) {
                    Ok(open) => open.verify().notes,
                    Err(e) => vec![e.to_string()],
                }
            }
        };
        verdict.problems.extend(problems.into_iter().map(|what| Problem { path: block.path.clone(), what }));
    }
    for (path, magic) in
        [(delete::path(dir), delete::MAGIC), (metadata::path(dir), metadata::MAGIC), (dir.join("clock"), CLOCK)]
    {
        let Some(bytes) = optional(&path)? else { continue };
        verdict.files += 1;
        verdict.bytes += bytes.len() as u64;
        if small_file::decode(magic, &bytes)?.is_none() {
            verdict.problems.push(Problem { path, what: "it is damaged".to_owned() });
        }
    }
    Ok(verdict)
}

/// Gives all samples of the series that fulfil all matchers, from one time to another, both inclusive, series by
/// series in order of labels. Returns what was skipped because it is damaged.
///
/// # Errors
/// The directory is not a store, or cannot be read; or `each` failed.
pub fn dump(
    dir: &Path,
    matchers: &[Matcher],
    (start, end): (i64, i64),
    resolution: Resolution,
    mut each: impl FnMut(&Labels, &Column) -> io::Result<()>,
) -> io::Result<Vec<String>> {
    let db = peek(dir)?;
    let broken = |e: SourceError| io::Error::other(e);
    let select = Select {
        matchers,
        start,
        end,
        step: 0,
        window: 0,
        want: Want::Last,
        resolution: Some(resolution),
        max_series: usize::MAX,
        cancel: None,
    };
    let set: Box<dyn SeriesSet> = db.select(&select).map_err(broken)?;
    let (mut reader, mut column) = (set.reader(), Column::default());
    for i in 0..set.len() {
        reader.read(i, &mut column).map_err(broken)?;
        if !column.is_empty() {
            each(&set.labels(i), &column)?;
        }
    }
    let mut notes = set.warnings();
    if db.damage().is_loss() {
        notes.push(format!("the write-ahead log is damaged in {} places", db.damage().ranges + db.damage().garbled));
    }
    Ok(notes)
}

/// Opens a store for reading only: nothing on disk changes, nothing can be appended.
///
/// # Errors
/// The directory is not a store, or cannot be read.
pub fn peek(dir: &Path) -> io::Result<Tsdb> {
    fs::read_dir(dir.join("wal"))?;
    Tsdb::open_on(Arc::new(Peek), dir, Options::default(), Timestamp::EPOCH)
}

fn optional(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

/// The files in a directory, by name; none if there is no directory.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(err),
    };
    let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths)
}
