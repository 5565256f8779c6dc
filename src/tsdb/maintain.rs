//! Upkeep: what is due is done step by step, by whoever calls [`Tsdb::maintain`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::base::time::Timestamp;
use crate::promql::source::Resolution;
use crate::tsdb::block::{Block, Damage, Meta};
use crate::tsdb::catalog;
use crate::tsdb::compact::{self, Descriptor, Target};
use crate::tsdb::db::{Shared, Tsdb};
use crate::tsdb::fs::Space;
use crate::tsdb::guard::Guard;
use crate::tsdb::leftover::{Fate, Leftovers};
use crate::tsdb::rollup;

/// A write-ahead log larger than this is flushed. It bounds the time of a restart.
const LARGE: u64 = 64 << 20;
/// A log whose oldest sample is older than this is flushed, if it is worth a block.
const AGE: Duration = Duration::from_secs(5 * 60);
/// With more series than this it is flushed sooner, in proportion but not before [`YOUNG`]: the newest samples of each
/// are what memory grows by.
const MANY: usize = 100_000;
const YOUNG: Duration = Duration::from_secs(2 * 60);
/// A log of fewer bytes is not worth a block, until it is [`OLD`]: many small blocks make queries slow, and
/// short chunks large.
const WORTH: u64 = 8 << 20;
/// The same, when the disk is nearly full.
const WORTH_WHEN_SCARCE: u64 = 1 << 20;
/// No sample waits longer for its block.
const OLD: Duration = Duration::from_secs(30 * 60);
/// A day is rolled up this long after its end: by then its samples are in blocks.
const SETTLED: i64 = 5_400_000;
const DAY: i64 = 86_400_000;
/// Raw samples of so many last days are not removed for size: alerts and dashboards need them more than the
/// files need to be small.
const SPARED: i64 = 2 * DAY;
/// How far the saved time may lag.
const SAVE_CLOCK: Duration = Duration::from_secs(600);

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
    /// Whether there is more to do at once: a flush became due meanwhile. Never after `stop` said so.
    pub more: bool,
}

/// The time, as told and as believed: what is only put in another form goes by the one, what is removed by
/// the other.
#[derive(Clone, Copy, Debug)]
struct Times {
    wall: Timestamp,
    believed: Timestamp,
}

/// What upkeep remembers between its calls. Whoever holds it is the only one that changes blocks.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// The next block's number.
    pub(crate) next_id: u64,
    /// A flush that was begun: samples are set aside, segments up to this are to be removed.
    pub(crate) begun: Option<u64>,
    /// The first segment that the begun flush makes superfluous.
    pub(crate) first_segment: u64,
    /// The time to go by when something is removed.
    guard: Guard,
    /// Where the monotonic clock began.
    began: Instant,
    /// The believed time that the file has.
    saved: Timestamp,
    /// Whether a lack of space was told.
    told: bool,
    /// The newest block and the last day that roll-ups were last thought about.
    rolled: Option<(u64, i64)>,
    /// The number of the next new series when memory was last put in order.
    ordered: u64,
    /// Files that are still to be removed.
    pub(crate) leftovers: Leftovers,
}

impl Upkeep {
    pub(crate) fn new(next_id: u64, believed: Timestamp, leftovers: Leftovers) -> Self {
        Self {
            next_id,
            begun: None,
            first_segment: 1,
            guard: Guard::new(believed, Duration::ZERO),
            began: Instant::now(),
            saved: believed,
            told: false,
            rolled: None,
            ordered: 0,
            leftovers,
        }
    }

    /// A number for a block.
    pub(crate) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Whether a flush was begun and not ended.
    pub(crate) const fn is_flushing(&self) -> bool {
        self.begun.is_some()
    }
}

/// How old a log may become that is worth a block, with so many series in memory.
fn oldest(series: usize) -> Duration {
    AGE.mul_f64(MANY as f64 / series.max(MANY) as f64).max(YOUNG)
}

impl Tsdb {
    /// Does what is due: flush, merge, roll up, retire. Returns early when `stop` says so, which is asked
    /// between steps.
    ///
    /// # Errors
    /// The disk refused. Nothing is lost by that; the next call tries again.
    pub fn maintain(&self, now: Timestamp, stop: &dyn Fn() -> bool) -> io::Result<Work> {
        let shared = self.shared();
        let mut upkeep = shared.upkeep();
        let passed = upkeep.began.elapsed();
        shared.maintain(&mut upkeep, now, passed, stop)
    }

    /// Writes everything in memory into blocks.
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
    /// As [`Tsdb::maintain`], with the reading of a monotonic clock.
    pub(crate) fn maintain(
        &self,
        upkeep: &mut Upkeep,
        now: Timestamp,
        monotonic: Duration,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<Work> {
        if self.fs.is_read_only() {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let believed = upkeep.guard.observe(now, monotonic);
        self.believe(believed);
        let times = Times { wall: now, believed };
        let mut work = Work::default();
        // A step that fails keeps none from being done but merging: above all not retirement, which makes room.
        let mut failed: Option<io::Error> = None;
        let mut note = |result: io::Result<()>| {
            if let Err(err) = result {
                failed.get_or_insert(err);
            }
        };
        if self.is_flush_due(now) || upkeep.is_flushing() {
            note(self.flush(upkeep, &mut work, stop));
        }
        let next_id = self.writer().next_id;
        if (next_id - upkeep.ordered.min(next_id)).saturating_mul(8) > self.head().len() as u64 {
            // Queries sort by this order; without it they compare labels.
            self.frozen(upkeep);
            upkeep.ordered = next_id;
        }
        // Late samples show in blocks that come from a flush: roll-ups see them before they are merged.
        match self.roll_up_due(upkeep, times, &mut work, stop) {
            Ok(true) => note(self.merge_due(upkeep, times, &mut work, stop)),
            result => note(result.map(|_| ())),
        }
        note(self.retire(upkeep, believed, &mut work));
        note(self.remove_leftovers(upkeep));
        note(self.drop_tombstones(upkeep));
        note(self.save_metadata());
        if believed.since(upkeep.saved) > SAVE_CLOCK || upkeep.saved > believed {
            let saved = self.save_clock();
            if saved.is_ok() {
                upkeep.saved = believed;
            }
            note(saved);
        }
        failed.map_or(Ok(work), Err)
    }

    fn is_flush_due(&self, now: Timestamp) -> bool {
        let mut writer = self.writer();
        // After a clock went back, age counts from there.
        writer.since = writer.since.map(|since| since.min(now));
        let (bytes, since) = (writer.wal.bytes(), writer.since);
        drop(writer);
        // Segments that could not be removed are no reason: all in them is in blocks.
        if since.is_none() && !self.flush_due.load(Relaxed) {
            return false;
        }
        let age = since.map_or(Duration::ZERO, |since| now.since(since));
        let old = oldest(self.head().len());
        let asked = self.flush_due.load(Relaxed) || self.syncer.is_broken();
        let due = asked || bytes > LARGE || (bytes > WORTH && age >= old) || age >= OLD;
        // A block is smaller than its log: a flush makes room.
        due || (bytes > WORTH_WHEN_SCARCE && self.fs.space(&self.dir).is_ok_and(|s| s.above_floor() / 2 <= bytes))
    }

    /// Whether long work must give way: to the end, or to a flush, after which there is more to do.
    fn must_pause(&self, now: Timestamp, work: &mut Work, stop: &dyn Fn() -> bool) -> bool {
        work.more = !stop() && self.is_flush_due(now);
        stop() || work.more
    }

    /// Whether so many bytes may be written without filling the disk.
    fn has_room(&self, bytes: u64, upkeep: &mut Upkeep) -> bool {
        let room = self.fs.space(&self.dir).map_or(u64::MAX, Space::above_floor);
        let enough = bytes.saturating_add(bytes / 8) <= room;
        if !enough && !upkeep.told {
            warn!(needed = bytes, free = room, "too little space to merge blocks");
        }
        upkeep.told = !enough;
        enough
    }

    fn merge_due(&self, upkeep: &mut Upkeep, times: Times, work: &mut Work, stop: &dyn Fn() -> bool) -> io::Result<()> {
        loop {
            let catalog = self.catalog();
            let all: Vec<Descriptor> = catalog.blocks.iter().map(|b| Descriptor::of(b)).collect();
            let retention = i64::try_from(self.options().retention.as_millis()).unwrap_or(i64::MAX);
            let jobs = compact::plan(&all, times.wall.millis(), retention);
            let Some(job) = jobs.first().filter(|_| !upkeep.leftovers.are_many()) else { return Ok(()) };
            let inputs: Vec<Arc<Block>> =
                catalog.blocks.iter().filter(|b| job.contains(&b.meta().id)).map(Arc::clone).collect();
            if !self.has_room(inputs.iter().map(|b| b.stats().bytes).sum(), upkeep) {
                return Ok(());
            }
            if self.must_pause(times.wall, work, stop) {
                return Ok(());
            }
            // Roll-ups are kept longer than raw samples, each for its time.
            let keep_from =
                self.kept_from(inputs.first().map_or(Resolution::Raw, |b| b.meta().resolution), times.believed);
            let cuts = |b: &Arc<Block>| b.meta().resolution == Resolution::Raw && b.stats().min_time < keep_from;
            if inputs.iter().any(cuts) {
                self.cut_raw(upkeep, keep_from)?;
            }
            let id = upkeep.take_id();
            if let Err(err) = self.merge(upkeep, id, &inputs, keep_from, work, stop) {
                return if err.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(err) };
            }
        }
    }

    /// Replaces blocks by one of this number; interrupted when `stop` says so.
    pub(crate) fn merge(
        &self,
        upkeep: &mut Upkeep,
        id: u64,
        inputs: &[Arc<Block>],
        keep_from: i64,
        work: &mut Work,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let dir = catalog::dir(&self.dir);
        let superfluous = upkeep.leftovers.ids();
        let target = Target { dir: &dir, id, cache: &self.cache, superfluous: &superfluous };
        let mut damage = Damage::default();
        let merged = compact::merge_until(inputs, &self.tombstones(), keep_from, target, &mut damage, stop)?;
        let ids: Vec<u64> = inputs.iter().map(|b| b.meta().id).collect();
        match merged {
            Some(block) => self.add_block(block),
            None => self.set_catalog(self.catalog().without(&ids)),
        }
        work.merged += inputs.len();
        self.counters.merges.fetch_add(1, Relaxed);
        // The new block lacks what could not be read; what is left of the old ones stays for a person.
        let fate = if damage.is_none() { Fate::Removed } else { Fate::SetAside };
        self.counters.damaged.fetch_add(damage.count, Relaxed);
        damage.notes.iter().for_each(|note| warn!(note, "damage was found when blocks were merged"));
        self.discard(upkeep, inputs.iter().cloned(), fate);
        Ok(())
    }

    /// The first time for which samples of a resolution are kept.
    fn kept_from(&self, resolution: Resolution, now: Timestamp) -> i64 {
        let kept = match resolution {
            Resolution::Raw => self.options().retention,
            Resolution::FiveMinutes => self.options().rollup_5m,
            Resolution::Hour => self.options().rollup_1h,
        };
        now.minus(kept).millis()
    }

    /// Computes roll-ups of days that are over, and again of those into which late samples came. Whether it
    /// is through.
    fn roll_up_due(
        &self,
        upkeep: &mut Upkeep,
        times: Times,
        work: &mut Work,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<bool> {
        let last = times.wall.millis().saturating_sub(SETTLED).div_euclid(DAY);
        // Nothing changes but by a new block or a new day.
        if upkeep.rolled == Some((upkeep.next_id, last)) {
            return Ok(true);
        }
        for resolution in [Resolution::FiveMinutes, Resolution::Hour] {
            let catalog = self.catalog();
            let kept = catalog.of(Resolution::Raw).map(|b| b.stats().min_time).min();
            let first = kept.map_or(i64::MAX, |t| t.max(self.kept_from(resolution, times.believed)));
            for day in first.saturating_sub(1).div_euclid(DAY)..last {
                let (after, until) = (day * DAY, (day + 1) * DAY);
                if !self.is_roll_up_due(resolution, after, until) {
                    continue;
                }
                if self.must_pause(times.wall, work, stop) {
                    return Ok(false);
                }
                let catalog = self.catalog();
                let reach = after.saturating_sub(rollup::REACH);
                let sources: Vec<Arc<Block>> =
                    catalog.of(Resolution::Raw).filter(|b| b.overlaps(reach, until)).map(Arc::clone).collect();
                if !self.has_room(sources.iter().map(|b| b.stats().bytes / 4).sum(), upkeep) {
                    return Ok(false);
                }
                if let Err(err) = self.roll_up(upkeep, &sources, (after, until), resolution, work, stop) {
                    return if err.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(err) };
                }
            }
        }
        upkeep.rolled = Some((upkeep.next_id, last));
        Ok(true)
    }

    /// Whether raw blocks know of a time what no roll-up does.
    fn is_roll_up_due(&self, resolution: Resolution, after: i64, until: i64) -> bool {
        let catalog = self.catalog();
        let covers = |b: &&Arc<Block>| b.meta().covers.is_some_and(|(a, u)| a <= after && u >= until);
        // Of raw samples that are partly gone a worse roll-up would come, and it would replace the one that there is.
        let raw_from = self.raw_from();
        if until < raw_from || (after.saturating_add(1) < raw_from && catalog.of(resolution).any(|b| covers(&b))) {
            return false;
        }
        let known = catalog.of(resolution).filter(covers).max_by_key(|b| b.meta().id).map(|b| b.meta().sequence.1);
        // A merged block is made of what was looked at when it was flushed.
        let fresh = |meta: &Meta, known| meta.sequence.0 == meta.sequence.1 && meta.sequence.1 > known;
        let mut newer = catalog
            .of(Resolution::Raw)
            .filter(|b| b.overlaps(after + 1, until) && known.is_none_or(|known| fresh(b.meta(), known)));
        newer.any(|b| b.has_samples(after + 1, until, &mut Damage::default()))
    }

    fn roll_up(
        &self,
        upkeep: &mut Upkeep,
        sources: &[Arc<Block>],
        span: (i64, i64),
        resolution: Resolution,
        work: &mut Work,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let dir = catalog::dir(&self.dir);
        let superfluous = upkeep.leftovers.ids();
        let target = Target { dir: &dir, id: upkeep.take_id(), cache: &self.cache, superfluous: &superfluous };
        let mut damage = Damage::default();
        let block = rollup::build(sources, &self.tombstones(), span, resolution, target, &mut damage, stop)?;
        self.counters.damaged.fetch_add(damage.count, Relaxed);
        damage.notes.iter().for_each(|note| warn!(note, "damage was found when samples were rolled up"));
        if let Some(block) = block {
            // One that stood for the same time only is of no use any more.
            let old: Vec<Arc<Block>> = self
                .catalog()
                .of(resolution)
                .filter(|b| b.meta().covers.is_some_and(|(a, u)| a >= span.0 && u <= span.1))
                .map(Arc::clone)
                .collect();
            let ids: Vec<u64> = old.iter().map(|b| b.meta().id).collect();
            self.set_catalog(self.catalog().without(&ids).with(block));
            self.discard(upkeep, old, Fate::Removed);
            work.rolled_up += 1;
            self.counters.rollups.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Notes, before it happens, that raw samples before a time are no longer all there.
    fn cut_raw(&self, upkeep: &mut Upkeep, from: i64) -> io::Result<()> {
        if from <= self.raw_from() {
            return Ok(());
        }
        self.set_raw_from(from);
        self.save_clock().inspect_err(|_| {
            // Upkeep saves it soon.
            upkeep.saved = Timestamp::from_millis(0);
        })
    }

    /// Removes blocks that are too old, and while all together are too large those that are most of the way
    /// to it: roll-ups, which are kept longer, do not push out the newest samples.
    fn retire(&self, upkeep: &mut Upkeep, now: Timestamp, work: &mut Work) -> io::Result<()> {
        let catalog = self.catalog();
        let end = |b: &Block| b.meta().covers.map_or(b.stats().max_time, |(_, until)| until);
        let (mut gone, mut kept): (Vec<Arc<Block>>, Vec<Arc<Block>>) =
            catalog.blocks.iter().map(Arc::clone).partition(|b| end(b) < self.kept_from(b.meta().resolution, now));
        if let Some(most) = self.options().max_size {
            let logs = {
                let writer = self.writer();
                writer.wal.bytes() + writer.log.bytes()
            };
            let mut total = logs + kept.iter().map(|b| b.stats().bytes).sum::<u64>();
            let spared = now.millis().saturating_sub(SPARED);
            kept.retain(|b| b.meta().resolution != Resolution::Raw || end(b) < spared);
            // The part that is left of the time for which it is kept.
            let left = |b: &Block| {
                let from = self.kept_from(b.meta().resolution, now);
                let kept = now.millis().saturating_sub(from).max(1);
                end(b).saturating_sub(from) as f64 / kept as f64
            };
            kept.sort_by(|a, b| left(a).total_cmp(&left(b)));
            for block in kept {
                if total <= most {
                    break;
                }
                total -= block.stats().bytes;
                gone.push(block);
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        info!(blocks = gone.len(), "blocks were removed because of age or size");
        let raw = gone.iter().filter(|b| b.meta().resolution == Resolution::Raw);
        let last = raw.map(|b| b.stats().max_time.saturating_add(1)).max();
        // A disk that is too full for saving it needs the removal most.
        let marked = last.map_or(Ok(()), |from| self.cut_raw(upkeep, from));
        let ids: Vec<u64> = gone.iter().map(|b| b.meta().id).collect();
        self.set_catalog(self.catalog().without(&ids));
        work.removed += gone.len();
        self.counters.retired.fetch_add(gone.len() as u64, Relaxed);
        self.discard(upkeep, gone, Fate::Removed);
        marked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_series_the_sooner_memory_is_flushed() {
        let minutes = |series| oldest(series).as_secs_f64() / 60.0;
        assert_eq!([0, 10_000, 100_000, 200_000, 250_000, 10_000_000].map(minutes), [5.0, 5.0, 5.0, 2.5, 2.0, 2.0]);
    }
}
