//! Reads segments back, and contains their damage.

use std::io;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use crate::tsdb::frame::{self, Frames, Header, Step};
use crate::tsdb::fs::Fs;
use crate::tsdb::wal::MAGIC;
use crate::tsdb::wal::record::{self, Record};

/// What was found wrong in files that are replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Unfinished records at the end, cut off: the trace of a crash, not of a fault.
    pub torn_bytes: u64,
    /// Ranges that are no records.
    pub ranges: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that stand but cannot be read.
    pub garbled: u64,
    /// Samples whose series is not known.
    pub orphans: u64,
}

impl Damage {
    /// Whether data were lost that had been written.
    pub fn is_loss(&self) -> bool {
        self.ranges + self.garbled + self.orphans > 0
    }

    /// Adds another finding.
    pub fn add(&mut self, other: &Self) {
        self.torn_bytes += other.torn_bytes;
        self.ranges += other.ranges;
        self.bytes += other.bytes;
        self.garbled += other.garbled;
        self.orphans += other.orphans;
    }
}

/// The numbered segments in a directory, in order.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".wal"));
        if let Some(number) = name.and_then(|n| n.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads the records of a segment in order.
///
/// # Errors
/// It is of a newer version.
pub(crate) fn read(bytes: &[u8], number: u64, mut each: impl FnMut(Record<'_>)) -> io::Result<(Damage, Vec<Step>)> {
    let (mut damage, mut bad) = (Damage::default(), Vec::new());
    match frame::read_header(bytes, MAGIC) {
        Header::Good(_) => {}
        Header::Version(v) => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, format!("a write-ahead log of version {v}")));
        }
        // The number is also the file's name, so that the records can be read nevertheless.
        Header::Bad if bytes.len() > frame::HEADER => {
            damage.ranges += 1;
            damage.bytes += frame::HEADER as u64;
        }
        Header::Bad => damage.torn_bytes += bytes.len() as u64,
    }
    for step in Frames::new(bytes, number) {
        match step {
            Step::Record(range) => match record::decode(&bytes[range]) {
                Some(record) => each(record),
                None => damage.garbled += 1,
            },
            Step::Damaged(ref range) => {
                damage.ranges += 1;
                damage.bytes += range.len() as u64;
                bad.push(step);
            }
            Step::Torn(ref range) => {
                damage.torn_bytes += range.len() as u64;
                bad.push(step);
            }
        }
    }
    Ok((damage, bad))
}

/// Copies damaged ranges to the quarantine and cuts an unfinished record off, so that it is not found again.
pub(crate) fn contain(fs: &dyn Fs, path: &Path, bytes: &[u8], bad: &[Step], quarantine: &Path) {
    for step in bad {
        match step {
            Step::Record(_) => {}
            Step::Damaged(range) => {
                let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file");
                let copy = quarantine.join(format!("{name}.{}", range.start));
                warn!(file = %path.display(), from = range.start, to = range.end, copy = %copy.display(),
                    "damage was skipped");
                let kept = fs.create_dir(quarantine).and_then(|()| {
                    let file = fs.create(&copy)?;
                    file.write_at(&bytes[range.clone()], 0)
                });
                if let Err(err) = kept {
                    warn!(copy = %copy.display(), error = %err, "cannot keep a copy of the damage");
                }
            }
            Step::Torn(range) => {
                info!(file = %path.display(), bytes = range.len(), "an unfinished record was cut off");
                if let Err(err) = fs.open(path).and_then(|f| f.truncate(range.start as u64)) {
                    warn!(file = %path.display(), error = %err, "cannot cut an unfinished record off");
                }
            }
        }
    }
}
