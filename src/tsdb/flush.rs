//! From memory into blocks.
//!
//! The steps: set aside what is in memory and close the log's segment, write blocks, show them to readers, let
//! memory and log forget. A flush is numbered by the last segment that it makes superfluous. Samples are
//! divided among blocks by day, old ones by the longest tier of merging, so that late ones do not stretch the block
//! of the newest and can be merged with their like; that one is
//! finished last and carries the flush's number, the others an earlier one that no segment has. So a crash
//! in between replays all segments, and what then is in blocks twice is read once.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tracing::{info, warn};

use crate::base::labels::Labels;
use crate::base::sample::Column;
use crate::tsdb::block::{Block, BlockWriter, Meta};
use crate::tsdb::catalog;
use crate::tsdb::compact::longest;
use crate::tsdb::db::Shared;
use crate::tsdb::head::series::Data;
use crate::tsdb::leftover::Fate;
use crate::tsdb::maintain::{Upkeep, Work};
use crate::tsdb::merge::{Merge, read_data};

/// Slots that are handled under one lock.
const PORTION: usize = 2_048;
/// Series that are written between two looks into memory.
const SERIES: usize = 256;
const DAY: i64 = 86_400_000;
/// So many days before the newest sample have a block of their own.
const DAYS: i64 = 16;
/// Older samples have one for each window of the longest tier, so many of them; what is older still goes into the
/// oldest. Retention has ten windows, or one for each month: six years are divided.
const WINDOWS: i64 = 72;

/// What is being flushed.
pub(crate) struct Frozen {
    /// Slots, sorted by labels.
    order: Vec<u32>,
    /// Time of the newest sample.
    newest: Option<i64>,
}

/// The blocks of one flush, by time.
struct Days<'a> {
    shared: &'a Shared,
    upkeep: &'a mut Upkeep,
    /// The flush.
    through: u64,
    /// The day of the newest sample.
    last: i64,
    /// Length of the longest tier's windows.
    window: i64,
    /// By the time after which the samples come.
    open: BTreeMap<i64, BlockWriter>,
    samples: u64,
}

/// A range of a day begins behind its start and holds its end, as buckets of roll-ups do.
fn day(t: i64) -> i64 {
    t.saturating_sub(1).div_euclid(DAY)
}

impl Days<'_> {
    /// The time of the block that a sample belongs to: after the first, until the second, inclusive.
    fn span(&self, t: i64) -> (i64, i64) {
        let days = self.last.saturating_sub(DAYS);
        let day = day(t);
        if day >= days {
            return (day.saturating_mul(DAY), day.saturating_add(1).saturating_mul(DAY));
        }
        let first_day = days.saturating_mul(DAY);
        let window = |t: i64| t.saturating_sub(1).div_euclid(self.window);
        let at = window(t).max(window(first_day).saturating_sub(WINDOWS));
        (at.saturating_mul(self.window), at.saturating_add(1).saturating_mul(self.window).min(first_day))
    }

    fn write(&mut self, labels: &Labels, samples: &Column) -> io::Result<()> {
        let mut from = 0;
        while from < samples.len() {
            let (after, until) = self.span(samples.t[from]);
            let to = from + samples.t[from..].partition_point(|t| *t <= until).max(1);
            let block = match self.open.get_mut(&after) {
                Some(block) => block,
                None => {
                    // Numbers of segments are given so that the one before those of a flush is free.
                    let newest = after == self.last.saturating_mul(DAY);
                    let sequence = if newest { self.through } else { self.upkeep.first_segment - 1 };
                    let mut meta = Meta::raw(self.upkeep.take_id(), (sequence, sequence));
                    meta.replaces = self.upkeep.leftovers.ids();
                    let block = BlockWriter::create(&catalog::dir(&self.shared.dir), meta, &self.shared.cache)?;
                    self.open.entry(after).or_insert(block)
                }
            };
            block.series(labels)?;
            block.chunk(&samples.t[from..to], &[&samples.v[from..to]])?;
            self.samples += (to - from) as u64;
            from = to;
        }
        Ok(())
    }
}

impl Shared {
    /// Moves what is in memory into a block: block durable and visible, then memory and log forget it.
    pub(crate) fn flush(&self, upkeep: &mut Upkeep, work: &mut Work, stop: &dyn Fn() -> bool) -> io::Result<()> {
        if self.fs.is_read_only() {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let through = match upkeep.begun {
            // The last try failed; what it set aside still is.
            Some(through) => through,
            None => {
                let mut writer = self.writer();
                if writer.since.is_none() && !self.flush_due.load(Relaxed) {
                    return Ok(());
                }
                self.head_mut().raise_generation();
                let (first, through) = writer.wal.rotate_for_flush();
                writer.since = None;
                upkeep.first_segment = first;
                upkeep.begun = Some(through);
                through
            }
        };
        let slots = self.head().len();
        for from in (0..slots).step_by(PORTION) {
            self.head_mut().freeze(from..from + PORTION);
        }
        let frozen = self.frozen(upkeep);
        let blocks = match self.write_blocks(upkeep, through, &frozen, work, stop) {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        };
        if !blocks.is_empty() {
            let bytes: u64 = blocks.iter().map(|b| b.stats().bytes).sum();
            info!(blocks = blocks.len(), bytes, "samples went from memory into blocks");
        }
        blocks.into_iter().for_each(|block| self.add_block(block));
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

    /// What is set aside. Also tells the head the order of labels. While the upkeep is held, no slot goes to another series.
    pub(crate) fn frozen(&self, _: &Upkeep) -> Frozen {
        // Eight bytes for each that has a place, and the labels only of those that have none.
        let (mut ranked, mut new) = (Vec::new(), Vec::new());
        let mut newest = None;
        let slots = self.head().len();
        for from in (0..slots).step_by(PORTION) {
            let head = self.head();
            for slot in from..(from + PORTION).min(slots) {
                let Some(series) = head.get(slot as u32) else { continue };
                newest = newest.max(series.newest_frozen());
                match head.rank(slot as u32) {
                    Some(rank) => ranked.push((rank, slot as u32)),
                    None => new.push((series.labels.clone(), slot as u32)),
                }
            }
        }
        ranked.sort_unstable();
        new.sort_unstable();
        let changed = !new.is_empty();
        let mut order = Vec::with_capacity(ranked.len() + new.len());
        let mut new = new.into_iter().peekable();
        let mut labels: Vec<Option<Labels>> = Vec::new();
        for portion in ranked.chunks(PORTION) {
            if new.peek().is_none() {
                order.extend(portion.iter().map(|(_, slot)| *slot));
                continue;
            }
            // New ones may be many: they are not compared under the lock.
            labels.clear();
            let head = self.head();
            labels.extend(portion.iter().map(|(_, slot)| head.get(*slot).map(|s| s.labels.clone())));
            drop(head);
            for (known, (_, slot)) in labels.iter().zip(portion) {
                while let Some((_, before)) = new.next_if(|(labels, _)| known.as_ref().is_some_and(|k| labels < k)) {
                    order.push(before);
                }
                order.push(*slot);
            }
        }
        order.extend(new.map(|(_, slot)| slot));
        if changed {
            self.head_mut().set_order(&order);
        }
        Frozen { order, newest }
    }

    fn write_blocks(
        &self,
        upkeep: &mut Upkeep,
        through: u64,
        frozen: &Frozen,
        work: &mut Work,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<Vec<Block>> {
        let Some(newest) = frozen.newest else { return Ok(Vec::new()) };
        let retention = i64::try_from(self.options().retention.as_millis()).unwrap_or(i64::MAX);
        let (last, window) = (day(newest), longest(retention));
        let mut days = Days { shared: self, upkeep, through, last, window, open: BTreeMap::new(), samples: 0 };
        let (mut merge, mut column) = (Merge::default(), Column::default());
        let mut portion: Vec<(Labels, Arc<Data>)> = Vec::new();
        for slots in frozen.order.chunks(SERIES) {
            if stop() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            portion.clear();
            let head = self.head();
            portion.extend(slots.iter().filter_map(|slot| {
                let series = head.get(*slot)?;
                Some((series.labels.clone(), series.frozen_data()?))
            }));
            drop(head);
            for (labels, data) in &portion {
                column.clear();
                merge.begin();
                read_data(data, i64::MIN, i64::MAX, &mut merge, &mut column).map_err(io::Error::other)?;
                merge.finish(&mut column, i64::MIN, i64::MAX);
                days.write(labels, &column)?;
            }
        }
        let samples = days.samples;
        let mut blocks: Vec<Block> = Vec::new();
        // The newest day last: its block says that the flush is complete.
        for (_, block) in days.open {
            match block.finish() {
                Ok(block) => blocks.extend(block),
                Err(err) => {
                    // The next try writes all of them again.
                    self.discard(days.upkeep, blocks.into_iter().map(Arc::new), Fate::Removed);
                    return Err(err);
                }
            }
        }
        work.flushed += samples;
        Ok(blocks)
    }
}
