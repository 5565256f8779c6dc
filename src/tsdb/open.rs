//! Bringing a store back: definitions, then what the write-ahead log holds that no block does.

use std::io;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::SystemTime;

use tracing::warn;

use crate::base::labels::Labels;
use crate::base::time::Timestamp;
use crate::tsdb::fs::Fs;
use crate::tsdb::head::Head;
use crate::tsdb::head::postings::Postings;
use crate::tsdb::series_log::{self, Loaded};
use crate::tsdb::wal;
use crate::tsdb::wal::record::Record;
use crate::tsdb::wal::replay::{self, Damage};

/// What the files said.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) head: Head,
    pub(crate) definitions: Loaded,
    /// Segments that hold samples of no block: number and length.
    pub(crate) segments: Vec<(u64, u64)>,
    pub(crate) next_id: u64,
    /// When the oldest of these segments was begun, as far as the file system tells.
    pub(crate) since: Option<Timestamp>,
    pub(crate) damage: Damage,
}

/// Series to be indexed, in portions.
const PORTION: usize = 4_096;
/// Portions that may wait; the reader of the log then waits for the indexer.
const WAITING: usize = 16;

/// Reads logs. Segments up to `flushed` are in blocks already, and are removed.
///
/// # Errors
/// A file cannot be read, or is of a newer version.
pub(crate) fn recover(fs: &dyn Fs, dir: &Path, flushed: u64) -> io::Result<Recovered> {
    let quarantine = dir.join("quarantine");
    let series_path = series_log::path(dir);
    let mut known: Vec<Known> = Vec::new();
    let mut next_id = 1;
    let definitions = match std::fs::read(&series_path) {
        Ok(bytes) => {
            let loaded = series_log::load(&bytes, |id, labels| {
                known.push(Known { id, labels, slot: None });
                next_id = next_id.max(id.saturating_add(1));
            })?;
            replay::contain(fs, &series_path, &bytes, &loaded.bad, &quarantine);
            loaded
        }
        Err(err) if err.kind() == io::ErrorKind::NotFound => Loaded::default(),
        Err(err) => return Err(err),
    };
    let mut damage = definitions.damage.clone();
    // They nearly always are.
    known.sort_by_key(|k| k.id);
    let (mut segments, mut since) = (Vec::new(), None);
    let wal = dir.join("wal");
    let mut replayed = Replayed {
        head: Head::default(),
        known,
        hint: 0,
        portion: Vec::new(),
        next_id,
        orphans: 0,
        garbled: 0,
        samples: Vec::new(),
    };
    let postings = std::thread::scope(|scope| -> io::Result<Postings> {
        let (send, receive) = sync_channel::<Vec<(u32, Labels)>>(WAITING);
        let indexer = scope.spawn(move || {
            let mut postings = Postings::default();
            for (slot, labels) in receive.into_iter().flatten() {
                postings.add(slot, &labels);
            }
            postings
        });
        for (number, path) in replay::segments(&wal)? {
            if number <= flushed {
                fs.remove(&path)?;
                continue;
            }
            // Before anything is cut off: that changes it.
            since = since.into_iter().chain(begun(&path)).min();
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                // Who looks at the store of a running server may find a segment flushed meanwhile.
                Err(err) if err.kind() == io::ErrorKind::NotFound && fs.is_read_only() => continue,
                Err(err) => return Err(err),
            };
            let (found, bad) = replay::read(&bytes, number, |record| {
                replayed.apply(record);
                if replayed.portion.len() >= PORTION {
                    // The indexer outlives this loop, so sending does not fail.
                    let _ = send.send(std::mem::take(&mut replayed.portion));
                }
            })?;
            replay::contain(fs, &path, &bytes, &bad, &quarantine);
            segments.push((number, bytes.len() as u64 - found.torn_bytes));
            damage.add(&found);
        }
        let _ = send.send(std::mem::take(&mut replayed.portion));
        drop(send);
        indexer.join().map_err(|_| io::Error::other("the index could not be built"))
    })?;
    replayed.head.index(postings);
    damage.orphans += replayed.orphans;
    damage.garbled += replayed.garbled;
    if damage.is_loss() {
        warn!(
            ranges = damage.ranges,
            bytes = damage.bytes,
            records = damage.garbled,
            orphans = damage.orphans,
            "the write-ahead log is damaged: what could be read is kept"
        );
    }
    Ok(Recovered { head: replayed.head, definitions, segments, next_id: replayed.next_id, since, damage })
}

/// When a file was begun, or the earliest time after that which is known: that of its last change. A copy has only that.
fn begun(path: &Path) -> Option<Timestamp> {
    let meta = std::fs::metadata(path).ok()?;
    let times = [meta.created(), meta.modified()].into_iter().flatten();
    let millis = times.filter_map(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis().try_into().ok());
    millis.min().map(Timestamp::from_millis)
}

/// Makes durable what was read: a process that died may have left it to the kernel's memory only, and what is
/// served from now on must not be gone after the machine dies.
///
/// # Errors
/// The disk does not confirm it.
pub(crate) fn sync(fs: &dyn Fs, dir: &Path, segments: &[(u64, u64)]) -> io::Result<()> {
    fs.open(&series_log::path(dir))?.sync()?;
    let wal = dir.join("wal");
    for (number, _) in segments {
        fs.open(&wal::path(&wal, *number))?.sync()?;
    }
    fs.sync_dir(&wal)
}

/// Removes what a process that died while it replaced a file left of that.
pub(crate) fn remove_unfinished(fs: &dyn Fs, dir: &Path) -> io::Result<()> {
    for name in ["series", "tombstones", "metadata", "clock"] {
        match fs.remove(&dir.join(name).with_extension("tmp")) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
            _ => {}
        }
    }
    Ok(())
}

struct Known {
    id: u64,
    labels: Labels,
    slot: Option<u32>,
}

struct Replayed {
    head: Head,
    /// By number.
    known: Vec<Known>,
    /// Where the next series is likely to be: a scrape names its series in the order of their numbers.
    hint: usize,
    /// Series not yet given to the indexer.
    portion: Vec<(u32, Labels)>,
    next_id: u64,
    orphans: u64,
    garbled: u64,
    samples: Vec<(i64, f64)>,
}

impl Replayed {
    fn apply(&mut self, record: Record<'_>) {
        match record {
            Record::Samples(mut decoder) => {
                let mut samples = std::mem::take(&mut self.samples);
                loop {
                    match decoder.next(&mut samples) {
                        Ok(Some(id)) => match self.slot(id) {
                            Some(slot) => samples.iter().for_each(|(t, v)| {
                                self.head.push(slot, *t, *v);
                            }),
                            None => self.orphans += samples.len() as u64,
                        },
                        Ok(None) => break,
                        Err(_) => {
                            self.garbled += 1;
                            break;
                        }
                    }
                }
                self.samples = samples;
            }
            Record::Deletion { ids, from, to } => {
                for id in ids {
                    if let Some(slot) = self.known(id).and_then(|at| self.known[at].slot) {
                        self.head.delete(slot, from, to);
                    }
                }
            }
        }
    }

    /// The place of a definition.
    fn known(&mut self, id: u64) -> Option<usize> {
        if self.known.get(self.hint).is_none_or(|k| k.id != id) {
            self.hint = self.known.binary_search_by_key(&id, |k| k.id).ok()?;
        }
        self.hint += 1;
        Some(self.hint - 1)
    }

    /// The slot of a series; one that its definition allows is made at its first sample.
    fn slot(&mut self, id: u64) -> Option<u32> {
        let Some(at) = self.known(id) else {
            // A number without a definition is not given to another series either.
            self.next_id = self.next_id.max(id.saturating_add(1));
            return None;
        };
        if let Some(slot) = self.known[at].slot {
            return Some(slot);
        }
        let labels = self.known[at].labels.clone();
        // A series that left memory and came back has two numbers.
        let slot = match self.head.find(self.head.hash(labels.as_key()), labels.as_key()) {
            Some((slot, _)) => slot,
            None => {
                let slot = self.head.add_unindexed(labels.clone(), id);
                self.portion.push((slot, labels));
                slot
            }
        };
        self.known[at].slot = Some(slot);
        Some(slot)
    }
}
