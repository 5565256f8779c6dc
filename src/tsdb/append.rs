//! Taking samples in: find the series, write the log, then change memory.
//!
//! The log comes first: what readers see is in the operating system's hands. An append that fails
//! leaves neither half a record nor half a batch. Lock order: writer, then head.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

use ahash::RandomState;

use crate::base::batch::Batch;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;
use crate::tsdb::batch::{Ack, AppendError, Appended};
use crate::tsdb::db::Shared;
use crate::tsdb::head::series::Stored;
use crate::tsdb::series_log::{LONGEST_KEY, SeriesLog};
use crate::tsdb::wal::Wal;

/// The one writer of logs and head.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) wal: Wal,
    pub(crate) log: SeriesLog,
    /// The number of the next new series.
    pub(crate) next_id: u64,
    /// When the oldest sample that is in no block was taken in.
    pub(crate) since: Option<Timestamp>,
    pub(crate) closed: bool,
    /// Definitions were written that nobody was asked to sync.
    defined: bool,
    /// Slot and number of each series of the batch; reused.
    places: Vec<Option<(u32, u64)>>,
}

impl Writer {
    pub(crate) const fn new(wal: Wal, log: SeriesLog, next_id: u64, since: Option<Timestamp>) -> Self {
        Self { wal, log, next_id, since, closed: false, defined: false, places: Vec::new() }
    }

    /// Writes what was given to the write-ahead log since it [began](Wal::begin). Definitions are synced with
    /// it, also those of an append before that failed after them. Returns the position to wait for.
    pub(crate) fn commit(&mut self) -> io::Result<u64> {
        let position = self.wal.commit(self.defined.then(|| self.log.file()))?;
        self.defined = false;
        Ok(position)
    }
}

/// Tells a full disk from a broken one.
pub(crate) fn append_error(err: io::Error) -> AppendError {
    match err.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::DiskFull,
        _ => AppendError::Wal(err),
    }
}

impl Shared {
    /// See [`Tsdb::append`](crate::tsdb::Tsdb::append).
    pub(crate) fn append(&self, batch: &Batch, ack: Ack, now: Timestamp) -> Result<Appended, AppendError> {
        let horizon = self.horizon(now);
        let mut writer = self.writer();
        if writer.closed {
            return Err(AppendError::Closed);
        }
        let result = self.write(&mut writer, batch, now, horizon);
        drop(writer);
        let (done, position) = result.inspect_err(|err| {
            let counter =
                if matches!(err, AppendError::DiskFull) { &self.counters.disk_full } else { &self.counters.failed };
            counter.fetch_add(1, Relaxed);
        })?;
        self.counters.count(&done);
        if ack == Ack::Synced {
            self.syncer.wait(position).map_err(AppendError::Wal)?;
        }
        Ok(done)
    }

    fn write(
        &self,
        writer: &mut Writer,
        batch: &Batch,
        now: Timestamp,
        horizon: i64,
    ) -> Result<(Appended, u64), AppendError> {
        // What is in the log must still find room in a block; only then is the log's room freed.
        if self.fs.space(&self.dir).is_ok_and(|s| s.above_floor() <= writer.wal.bytes()) {
            return Err(AppendError::DiskFull);
        }
        if self.syncer.take_rotate() {
            self.leave_dead_files(writer)?;
        }
        writer.wal.begin().map_err(append_error)?;
        let unknown = self.look_up(writer, batch);
        if unknown > 0 {
            self.define(writer, batch)?;
        }
        let mut done = Appended::default();
        for ((_, samples), place) in batch.iter().zip(&writer.places) {
            let Some((_, id)) = place else {
                done.over_limit += samples.len() as u64;
                continue;
            };
            if samples.iter().all(|s| s.0 >= horizon) {
                writer.wal.samples(*id, samples);
            } else {
                let young: Vec<_> = samples.iter().copied().filter(|s| s.0 >= horizon).collect();
                done.too_old += (samples.len() - young.len()) as u64;
                writer.wal.samples(*id, &young);
            }
        }
        let position = writer.commit().map_err(append_error)?;
        writer.since.get_or_insert(now);
        let mut head = self.head_mut();
        for ((_, samples), place) in batch.iter().zip(&writer.places) {
            let Some((slot, _)) = *place else { continue };
            for &(t, v) in samples.iter().filter(|s| s.0 >= horizon) {
                match head.push(slot, t, v) {
                    Stored::InOrder | Stored::Same => done.stored += 1,
                    Stored::Late => {
                        done.stored += 1;
                        done.out_of_order += 1;
                    }
                    Stored::Conflict => done.duplicates += 1,
                }
            }
        }
        Ok((done, position))
    }

    /// Fills `places`; returns how many series are not known.
    fn look_up(&self, writer: &mut Writer, batch: &Batch) -> usize {
        let head = self.head();
        writer.places.clear();
        let (mut unknown, mut next) = (0, 0);
        for (key, _) in batch.iter() {
            // A scrape names its series in the order in which it named them first, which is that of their slots. That
            // saves a third of the time per sample at a million series, where each look into the table misses caches.
            let place = head.check(next, key).or_else(|| head.find(head.hash(key), key));
            next = place.map_or(next, |(slot, _)| slot + 1);
            unknown += usize::from(place.is_none());
            writer.places.push(place);
        }
        unknown
    }

    /// Defines the series of a batch that are not known, as far as the limit allows.
    fn define(&self, writer: &mut Writer, batch: &Batch) -> Result<(), AppendError> {
        let head = self.head();
        let room = self.options().max_series.saturating_sub(head.len());
        drop(head);
        let mut new: Vec<(u64, &str)> = Vec::new();
        let mut seen: HashMap<&str, usize, RandomState> = HashMap::default();
        let mut which = Vec::new();
        for (at, (key, _)) in batch.iter().enumerate().filter(|(at, _)| writer.places[*at].is_none()) {
            let next = new.len();
            if let Some(known) = seen.get(key) {
                which.push((at, *known));
            } else if next < room && key.len() <= LONGEST_KEY {
                seen.insert(key, next);
                new.push((writer.next_id + next as u64, key));
                which.push((at, next));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        writer.log.add(new.iter().copied()).map_err(append_error)?;
        writer.defined = true;
        writer.next_id += new.len() as u64;
        // Labels are built before readers are kept waiting.
        let labels: Vec<Labels> = new.iter().map(|(_, key)| Labels::from_key(key)).collect();
        let mut head = self.head_mut();
        let slots: Vec<u32> = labels.into_iter().zip(&new).map(|(l, (id, _))| head.add(l, *id)).collect();
        drop(head);
        for (at, n) in which {
            writer.places[at] = Some((slots[n], new[n].0));
        }
        Ok(())
    }

    /// After a failed fsync: new files, and soon a flush that makes durable what the old ones held.
    fn leave_dead_files(&self, writer: &mut Writer) -> Result<(), AppendError> {
        writer.wal.rotate();
        self.flush_due.store(true, Relaxed);
        let result = self.rewrite_series_log(writer);
        result.inspect_err(|err| self.syncer.cannot_move(err)).map_err(append_error)
    }

    /// Writes the log of definitions anew, with the series in memory only.
    pub(crate) fn rewrite_series_log(&self, writer: &mut Writer) -> io::Result<()> {
        let head = self.head();
        let mut live: Vec<(u64, Labels)> =
            head.slots().filter_map(|slot| head.get(slot)).map(|s| (s.id, s.labels.clone())).collect();
        drop(head);
        live.sort_unstable_by_key(|(id, _)| *id);
        writer.log.rewrite(live.iter().map(|(id, labels)| (*id, labels.as_key())))
    }
}
