//! Upkeep: what is due is done step by step, by whoever calls [`Tsdb::maintain`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::{info, warn};

use crate::base::labels::Labels;
use crate::base::sample::Column;
use crate::base::time::Timestamp;
use crate::promql::source::Resolution;
use crate::tsdb::block::{Block, BlockWriter, Meta};
use crate::tsdb::catalog;
use crate::tsdb::db::{Shared, Tsdb};
use crate::tsdb::head::series::Data;
use crate::tsdb::source::{Merge, read_data};

/// A write-ahead log larger than this is flushed. It bounds the time of a restart.
const LARGE: u64 = 64 << 20;
/// A log whose oldest sample is older than this is flushed, if it is worth a block.
const AGE: Duration = Duration::from_secs(5 * 60);
/// A log of fewer bytes is not worth a block, until it is [`OLD`].
const WORTH: u64 = 1 << 20;
/// No sample waits longer for its block.
const OLD: Duration = Duration::from_secs(3_600);
/// Slots that are handled under one lock.
const PORTION: usize = 2_048;

/// What upkeep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Samples that went from memory into a block.
    pub flushed: u64,
    /// Blocks merged into others.
    pub merged: usize,
    /// Roll-ups written.
    pub rolled_up: usize,
    /// Blocks removed, because of age or size.
    pub removed: usize,
    /// Series that left memory.
    pub series_gone: usize,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// What upkeep remembers between its calls. Whoever holds it is the only one that changes blocks.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// The next block's number.
    pub(crate) next_id: u64,
    /// A flush that was begun: samples are set aside, segments up to this are to be removed.
    begun: Option<u64>,
}

impl Upkeep {
    pub(crate) const fn new(next_id: u64) -> Self {
        Self { next_id, begun: None }
    }

    /// A number for a block.
    pub(crate) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }
}

impl Tsdb {
    /// Does what is due: flush, merge, roll up, retire. Returns early when `stop` says so.
    ///
    /// # Errors
    /// The disk refused. Nothing is lost by that; the next call tries again.
    pub fn maintain(&self, now: Timestamp, stop: &dyn Fn() -> bool) -> io::Result<Work> {
        let shared = self.shared();
        let mut upkeep = shared.upkeep();
        let mut work = Work::default();
        if shared.is_flush_due(now) {
            shared.flush(&mut upkeep, &mut work, stop)?;
        }
        Ok(work)
    }

    /// Writes everything in memory into a block.
    ///
    /// # Errors
    /// The disk refused. Nothing is lost by that.
    pub fn flush(&self) -> io::Result<Work> {
        let shared = self.shared();
        let mut work = Work::default();
        shared.flush(&mut shared.upkeep(), &mut work, &|| false)?;
        Ok(work)
    }
}

impl Shared {
    fn is_flush_due(&self, now: Timestamp) -> bool {
        let writer = self.writer();
        let (bytes, since) = (writer.wal.bytes(), writer.since);
        drop(writer);
        let age = since.map_or(Duration::ZERO, |since| now.since(since));
        self.flush_due.load(Relaxed) || bytes > LARGE || (bytes > WORTH && age >= AGE) || age >= OLD
    }

    /// Moves what is in memory into a block: block durable and visible, then memory and log forget it.
    pub(crate) fn flush(&self, upkeep: &mut Upkeep, work: &mut Work, stop: &dyn Fn() -> bool) -> io::Result<()> {
        let through = match upkeep.begun {
            // The last try failed; what it set aside still is.
            Some(through) => through,
            None => {
                let mut writer = self.writer();
                if writer.since.is_none() && !self.flush_due.load(Relaxed) {
                    return Ok(());
                }
                self.head_mut().raise_generation();
                let through = writer.wal.rotate();
                writer.since = None;
                upkeep.begun = Some(through);
                through
            }
        };
        let slots = self.head().capacity();
        for from in (0..slots).step_by(PORTION) {
            self.head_mut().freeze(from..from + PORTION);
        }
        let order = self.order();
        if stop() {
            work.more = true;
            return Ok(());
        }
        let id = upkeep.take_id();
        let block = self.write_block(id, through, &order, work)?;
        if let Some(block) = block {
            info!(block = id, samples = block.stats().samples, bytes = block.stats().bytes, "flushed");
            self.add_block(block);
        }
        let mut gone = Vec::new();
        for from in (0..slots).step_by(PORTION) {
            gone.extend(self.head_mut().forget_frozen(from..from + PORTION));
            gone.clear();
        }
        upkeep.begun = None;
        self.flush_due.store(false, Relaxed);
        self.counters.flushes.fetch_add(1, Relaxed);
        let mut writer = self.writer();
        writer.wal.cut(through);
        work.series_gone += self.head_mut().remove_idle();
        // Half dead, and large enough to be worth it.
        if writer.log.definitions() > 2 * self.head().len() as u64 + 20_000
            && let Err(err) = self.rewrite_series_log(&mut writer)
        {
            warn!(error = %err, "cannot write the log of series anew");
        }
        Ok(())
    }

    /// Slots with what is being flushed, sorted by labels. Also tells the head the order.
    fn order(&self) -> Vec<u32> {
        let (mut ranked, mut new) = (Vec::new(), Vec::new());
        let slots = self.head().capacity();
        for from in (0..slots).step_by(PORTION) {
            let head = self.head();
            for slot in from..(from + PORTION).min(slots) {
                let Some(series) = head.get(slot as u32) else { continue };
                let entry = (slot as u32, series.id, series.labels.clone());
                match head.rank(slot as u32) {
                    Some(rank) => ranked.push((rank, entry)),
                    None => new.push(entry),
                }
            }
        }
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        let changed = !new.is_empty();
        new.sort_unstable_by(|a, b| a.2.cmp(&b.2));
        let mut all: Vec<(u32, u64, Labels)> = Vec::with_capacity(ranked.len() + new.len());
        let mut new = new.into_iter().peekable();
        for (_, entry) in ranked {
            while let Some(before) = new.next_if(|n| n.2 < entry.2) {
                all.push(before);
            }
            all.push(entry);
        }
        all.extend(new);
        if changed {
            let sorted: Vec<(u32, u64)> = all.iter().map(|(slot, id, _)| (*slot, *id)).collect();
            self.head_mut().set_order(&sorted);
        }
        all.into_iter().map(|(slot, _, _)| slot).collect()
    }

    fn write_block(&self, id: u64, sequence: u64, order: &[u32], work: &mut Work) -> io::Result<Option<Block>> {
        let meta = Meta {
            id,
            resolution: Resolution::Raw,
            sequence: (sequence, sequence),
            replaces: Vec::new(),
            sources: Vec::new(),
        };
        let mut block = BlockWriter::create(&catalog::dir(&self.dir), meta, &self.cache)?;
        let (mut merge, mut column) = (Merge::default(), Column::default());
        let mut portion: Vec<(Labels, Arc<Data>)> = Vec::new();
        for slots in order.chunks(256) {
            portion.clear();
            let head = self.head();
            portion.extend(slots.iter().filter_map(|slot| {
                let series = head.get(*slot)?;
                Some((series.labels.clone(), Arc::clone(series.frozen.as_ref()?)))
            }));
            drop(head);
            for (labels, data) in &portion {
                column.clear();
                merge.begin();
                read_data(data, i64::MIN, i64::MAX, &mut merge, &mut column).map_err(io::Error::other)?;
                merge.finish(&mut column, i64::MIN, i64::MAX);
                work.flushed += column.len() as u64;
                if !column.is_empty() {
                    block.series(labels)?;
                    block.chunk(&column.t, &[&column.v])?;
                }
            }
        }
        block.finish()
    }
}
