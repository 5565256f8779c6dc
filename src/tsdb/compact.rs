//! Merges blocks into larger ones, and decides which.
//!
//! Merging goes series by series: memory is needed for the samples of one series and the index. Of samples
//! with equal times the one of the lower flush stands, deleted ones are left out, and what remains is
//! encoded anew, as small as it gets.
//!
//! Blocks grow in tiers, each some ten times the one below: two hours, a day, a tenth of the retention. So
//! a sample is written once when flushed and about once per tier: with the WAL, four to five times in its
//! life, at one to two bytes each.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::base::sample::Column;
use crate::promql::source::{Resolution, Want};
use crate::tsdb::block::{Block, BlockReader, BlockWriter, Cache, Damage, Meta, SeriesId};
use crate::tsdb::rollup;

/// Samples that were deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Of which series.
    pub matchers: Vec<Matcher>,
    /// The first time, inclusive.
    pub from: i64,
    /// The last time, inclusive.
    pub to: i64,
    /// The newest block at the time of the deletion. What is written later stands, whatever its time, and
    /// what was merged later has lost its deleted samples in that.
    pub block: u64,
}

impl Tombstone {
    /// Whether it hides samples of such a block.
    pub const fn applies(&self, meta: &Meta) -> bool {
        meta.id <= self.block
    }

    /// Whether it hides samples of a series.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|m| m.matches(labels.get(m.name()).unwrap_or_default()))
    }

    /// Removes what it hides from the samples of a series that it matches.
    pub fn hide(&self, samples: &mut Column) {
        let range = samples.t.partition_point(|t| *t < self.from)..samples.t.partition_point(|t| *t <= self.to);
        samples.t.drain(range.clone());
        samples.v.drain(range);
    }
}

/// Where the result of a merge goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The directory of blocks.
    pub dir: &'a Path,
    /// The number of the new block.
    pub id: u64,
    /// The cache that it will use.
    pub cache: &'a Arc<Cache>,
    /// Superfluous blocks whose files may still be there: the new one replaces them, too.
    pub superfluous: &'a [u64],
}

/// Merges blocks of one resolution. Samples before `keep_from` are left out. Nothing if no samples are left.
///
/// When `damage` says that something could not be read, the result lacks that: keep the inputs aside.
///
/// # Errors
/// The result cannot be written.
pub fn merge(
    inputs: &[Arc<Block>],
    tombstones: &[Tombstone],
    keep_from: i64,
    target: Target<'_>,
    damage: &mut Damage,
) -> io::Result<Option<Block>> {
    merge_until(inputs, tombstones, keep_from, target, damage, &|| false)
}

/// As [`merge`], given up when `stop`, asked between series, says so.
///
/// # Errors
/// The result cannot be written, or [`Interrupted`](io::ErrorKind::Interrupted): then nothing has changed.
pub fn merge_until(
    inputs: &[Arc<Block>],
    tombstones: &[Tombstone],
    keep_from: i64,
    target: Target<'_>,
    damage: &mut Damage,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<Block>> {
    let Some(first) = inputs.first() else { return Ok(None) };
    let resolution = first.meta().resolution;
    if inputs.iter().any(|b| b.meta().resolution != resolution) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "blocks that are merged have one resolution"));
    }
    if resolution != Resolution::Raw {
        return rollup::merge(inputs, tombstones, keep_from, target, damage, stop);
    }
    let mut merger = Merger::new(inputs, tombstones);
    let mut meta = Meta::raw(target.id, sequences(inputs));
    meta.replaces = replaced(inputs, target);
    let mut writer = BlockWriter::create(target.dir, meta, target.cache)?;
    let mut samples = Column::default();
    while let Some(series) = merger.next(damage) {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        merger.samples(&series, (keep_from, i64::MAX), &mut samples, damage);
        if !samples.is_empty() {
            writer.series(&series.labels)?;
            writer.chunk(&samples.t, &[&samples.v])?;
        }
    }
    writer.finish()
}

/// What a block made of others replaces.
pub(super) fn replaced(inputs: &[Arc<Block>], target: Target<'_>) -> Vec<u64> {
    inputs.iter().map(|b| b.meta().id).chain(target.superfluous.iter().copied()).collect()
}

/// The flushes in all of some blocks.
pub(super) fn sequences(blocks: &[Arc<Block>]) -> (u64, u64) {
    let (first, last) = (blocks.iter().map(|b| b.meta().sequence.0), blocks.iter().map(|b| b.meta().sequence.1));
    (first.min().unwrap_or_default(), last.max().unwrap_or_default())
}

/// A series of some blocks.
pub(super) struct Found {
    pub(super) labels: Labels,
    /// Blocks, as places in the list given to [`Merger::new`], and its number in each.
    pub(super) at: Vec<(usize, SeriesId)>,
}

/// Goes through the series of several blocks in order of labels.
pub(super) struct Merger<'a> {
    inputs: Vec<Input<'a>>,
    part: Column,
    pairs: Vec<(i64, f64)>,
}

struct Input<'a> {
    block: &'a Block,
    reader: BlockReader<'a>,
    tombstones: Vec<&'a Tombstone>,
    next: SeriesId,
    head: Option<Labels>,
    /// Its place in the list that was given.
    place: usize,
}

impl Input<'_> {
    /// Goes to the next series whose labels can be read.
    fn advance(&mut self, damage: &mut Damage) {
        self.head = None;
        while self.head.is_none() && self.next < self.block.len() {
            self.head = self.block.labels(self.next, damage);
            self.next += 1;
        }
    }
}

impl<'a> Merger<'a> {
    pub(super) fn new(blocks: &'a [Arc<Block>], tombstones: &'a [Tombstone]) -> Self {
        let mut inputs: Vec<_> = blocks
            .iter()
            .enumerate()
            .map(|(place, block)| Input {
                block,
                reader: block.reader(),
                tombstones: tombstones.iter().filter(|t| t.applies(block.meta())).collect(),
                next: 0,
                head: None,
                place,
            })
            .collect();
        // Who wrote a sample first comes first.
        inputs.sort_by_key(|i| (i.block.meta().sequence, i.block.meta().id));
        Self { inputs, part: Column::default(), pairs: Vec::new() }
    }

    /// The next series.
    pub(super) fn next(&mut self, damage: &mut Damage) -> Option<Found> {
        for input in &mut self.inputs {
            if input.head.is_none() {
                input.advance(damage);
            }
        }
        let labels = self.inputs.iter().filter_map(|i| i.head.as_ref()).min()?.clone();
        let mut at = Vec::new();
        for input in &mut self.inputs {
            if input.head.as_ref() == Some(&labels) {
                at.push((input.place, input.next - 1));
                input.head = None;
            }
        }
        Some(Found { labels, at })
    }

    /// Reads one column of one block, without what is deleted.
    pub(super) fn column(
        &mut self,
        series: &Found,
        place: usize,
        (from, to): (i64, i64),
        column: usize,
        out: &mut Column,
        damage: &mut Damage,
    ) {
        out.clear();
        let Some((_, id)) = series.at.iter().find(|(p, _)| *p == place) else { return };
        let Some(input) = self.inputs.iter_mut().find(|i| i.place == place) else { return };
        input.reader.read_column(*id, from, to, column, out, damage);
        input.tombstones.iter().filter(|t| t.matches(&series.labels)).for_each(|t| t.hide(out));
    }

    /// Reads the raw samples of a series from all blocks.
    pub(super) fn samples(&mut self, series: &Found, (from, to): (i64, i64), out: &mut Column, damage: &mut Damage) {
        out.clear();
        let mut ordered = true;
        // Blocks by age: what is written first comes first, and a stable order keeps it there.
        for input in &mut self.inputs {
            let Some((_, id)) = series.at.iter().find(|(p, _)| *p == input.place) else { continue };
            self.part.clear();
            input.reader.read(*id, from, to, Want::Last, &mut self.part, damage);
            input.tombstones.iter().filter(|t| t.matches(&series.labels)).for_each(|t| t.hide(&mut self.part));
            ordered &= out.t.last().is_none_or(|last| self.part.t.first().is_none_or(|t| last < t));
            out.t.extend_from_slice(&self.part.t);
            out.v.extend_from_slice(&self.part.v);
        }
        if !ordered {
            self.pairs.clear();
            self.pairs.extend(out.iter());
            self.pairs.sort_by_key(|(t, _)| *t);
            self.pairs.dedup_by_key(|(t, _)| *t);
            out.clear();
            self.pairs.iter().for_each(|(t, v)| out.push(*t, *v));
        }
    }
}

/// What the plan knows of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub id: u64,
    /// Its resolution.
    pub resolution: Resolution,
    /// The flushes in it.
    pub sequence: (u64, u64),
    /// Time of its first sample.
    pub min_time: i64,
    /// Time of its last sample.
    pub max_time: i64,
    /// Roll-ups: the time that it speaks for.
    pub covers: Option<(i64, i64)>,
    /// Size of its file.
    pub bytes: u64,
}

impl Descriptor {
    /// Of a block.
    pub fn of(block: &Block) -> Self {
        let (meta, stats) = (block.meta(), block.stats());
        Self {
            id: meta.id,
            resolution: meta.resolution,
            sequence: meta.sequence,
            min_time: stats.min_time,
            max_time: stats.max_time,
            covers: meta.covers,
            bytes: stats.bytes,
        }
    }
}

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Blocks of a finished window that are this many are merged, however small the new ones are beside an old one.
const MANY: usize = 8;

/// The longest tier of raw blocks. Retention in milliseconds.
pub fn longest(retention: i64) -> i64 {
    (retention / 10).clamp(DAY, 31 * DAY)
}

/// Sets of blocks that should be merged now, each into one, the most urgent first. Retention in milliseconds.
///
/// A window of a tier is merged once it lies in the past and its blocks double the largest of them, or are
/// many: a few late samples do not rewrite a large block.
pub fn plan(blocks: &[Descriptor], now: i64, retention: i64) -> Vec<Vec<u64>> {
    let mut jobs: Vec<Vec<u64>> = Vec::new();
    for resolution in [Resolution::Raw, Resolution::FiveMinutes, Resolution::Hour] {
        let longest = longest(retention);
        let tiers = match resolution {
            Resolution::Raw => [2 * HOUR, DAY, longest],
            // Roll-ups come by the day.
            Resolution::FiveMinutes => [DAY, longest, longest],
            Resolution::Hour => [longest, longest, 12 * longest],
        };
        for tier in tiers {
            let mut of_window: std::collections::BTreeMap<i64, Vec<&Descriptor>> = std::collections::BTreeMap::new();
            for block in blocks.iter().filter(|b| b.resolution == resolution) {
                // The start of a time does not belong to it, its end does.
                let (first, last) = match block.covers {
                    Some((after, until)) => (after, until.saturating_sub(1)),
                    None => (block.min_time.saturating_sub(1), block.max_time.saturating_sub(1)),
                };
                let window = last.div_euclid(tier);
                let inside = first.div_euclid(tier) == window;
                if inside && (window + 1).saturating_mul(tier).saturating_add(tier / 8) <= now {
                    of_window.entry(window).or_default().push(block);
                }
            }
            for window in of_window.into_values().flat_map(joined) {
                let total: u64 = window.iter().map(|b| b.bytes).sum();
                let largest = window.iter().map(|b| b.bytes).max().unwrap_or_default();
                let ids: Vec<u64> = window.iter().map(|b| b.id).collect();
                let worth = window.len() >= MANY || (window.len() > 1 && largest * 2 <= total);
                let taken = jobs.iter().flatten().any(|id| ids.contains(id));
                if worth && !taken && in_sequence(&window, blocks) {
                    jobs.push(ids);
                }
            }
        }
    }
    jobs
}

/// Divides roll-ups of a window where time is left out: merged, they would hide who speaks for that. Raw
/// blocks stay together.
fn joined(mut window: Vec<&Descriptor>) -> Vec<Vec<&Descriptor>> {
    window.sort_by_key(|b| (b.covers, b.id));
    let mut parts: Vec<Vec<&Descriptor>> = Vec::new();
    let mut end = i64::MIN;
    for block in window {
        match (parts.last_mut(), block.covers) {
            (Some(part), Some((after, _))) if after <= end => part.push(block),
            (Some(part), None) => part.push(block),
            _ => parts.push(vec![block]),
        }
        end = end.max(block.covers.map_or(i64::MIN, |(_, until)| until));
    }
    parts
}

/// Whether no other block of the same time was written between the blocks: the merged block has one place in
/// the order of writing.
fn in_sequence(window: &[&Descriptor], all: &[Descriptor]) -> bool {
    let first = window.iter().map(|b| b.sequence.0).min().unwrap_or_default();
    let last = window.iter().map(|b| b.sequence.1).max().unwrap_or_default();
    let from = window.iter().map(|b| b.min_time).min().unwrap_or_default();
    let to = window.iter().map(|b| b.max_time).max().unwrap_or_default();
    let others = all.iter().filter(|b| window.iter().all(|w| w.resolution == b.resolution && w.id != b.id));
    let mut same_time = others.filter(|b| b.min_time <= to && b.max_time >= from);
    // Of roll-ups the newest stands, which the merged one would be: nothing of its time may stay behind.
    same_time.all(|b| b.resolution == Resolution::Raw && (b.sequence.1 < first || b.sequence.0 > last))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Model = BTreeMap<(u8, i64), f64>;

    fn labels(series: u8) -> Labels {
        Labels::new([("__name__", "m"), ("series", &format!("{series:03}"))])
    }

    fn write(dir: &Path, cache: &Arc<Cache>, id: u64, samples: &Model) -> Arc<Block> {
        let mut writer = BlockWriter::create(dir, Meta::raw(id, (id, id)), cache).unwrap();
        for series in 0..=u8::MAX {
            let of = || samples.range((series, i64::MIN)..=(series, i64::MAX));
            let t: Vec<i64> = of().map(|((_, t), _)| *t).collect();
            let v: Vec<f64> = of().map(|(_, v)| *v).collect();
            writer.series(&labels(series)).unwrap();
            writer.chunk(&t, &[&v]).unwrap();
        }
        Arc::new(writer.finish().unwrap().unwrap())
    }

    fn content(block: &Block) -> Model {
        let (mut model, mut damage, mut reader) = (Model::new(), Damage::default(), block.reader());
        for id in 0..block.len() {
            let mut out = Column::default();
            reader.read(id, i64::MIN, i64::MAX, Want::Last, &mut out, &mut damage);
            let labels = block.labels(id, &mut damage).unwrap();
            let series = labels.get("series").unwrap().parse().unwrap();
            model.extend(out.iter().map(|(t, v)| ((series, t), v)));
        }
        assert!(damage.is_none());
        model
    }

    #[test]
    fn merging_in_any_steps_is_writing_in_order_into_a_map() {
        let mut rng = fastrand::Rng::with_seed(5);
        for round in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let cache = Cache::new(1 << 20);
            let (mut blocks, mut tombstones, mut model) = (Vec::new(), Vec::new(), Model::new());
            for id in 1..=6_u64 {
                let mut samples = Model::new();
                let from = rng.i64(0..1_000);
                for _ in 0..rng.usize(1..600) {
                    samples.insert((rng.u8(0..70), from + rng.i64(0..500)), f64::from(rng.u32(0..1_000)));
                }
                blocks.push(write(dir.path(), &cache, id, &samples));
                for (key, v) in samples {
                    model.entry(key).or_insert(v);
                }
                if rng.bool() {
                    let (series, from) = (rng.u8(0..70), rng.i64(0..1_500));
                    let to = from + rng.i64(0..700);
                    let matchers = vec![Matcher::equal("series", format!("{series:03}"))];
                    tombstones.push(Tombstone { matchers, from, to, block: id });
                    model.retain(|(s, t), _| *s != series || !(from..=to).contains(t));
                }
            }
            let keep_from = if rng.bool() { i64::MIN } else { 300 };
            model.retain(|(_, t), _| *t >= keep_from);
            let mut damage = Damage::default();
            let mut next = 100;
            // Neighbours in the order of writing, until one is left.
            while blocks.len() > 1 {
                let from = rng.usize(0..blocks.len() - 1);
                let to = rng.usize(from + 2..=blocks.len());
                let mut inputs: Vec<_> = blocks.drain(from..to).collect();
                rng.shuffle(&mut inputs);
                let target = Target { dir: dir.path(), id: next, cache: &cache, superfluous: &[] };
                next += 1;
                if let Some(merged) = merge(&inputs, &tombstones, keep_from, target, &mut damage).unwrap() {
                    assert_eq!(merged.meta().replaces.len(), inputs.len());
                    blocks.insert(from, Arc::new(merged));
                }
            }
            // What one block keeps without a merge, the reader would hide: merge it alone.
            let target = Target { dir: dir.path(), id: next, cache: &cache, superfluous: &[] };
            let last = merge(&blocks, &tombstones, keep_from, target, &mut damage).unwrap();
            assert_eq!(last.map(|b| content(&b)).unwrap_or_default(), model, "round {round}");
            assert!(damage.is_none());
        }
    }

    #[test]
    fn what_is_written_after_a_deletion_stands() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(1 << 20);
        let before = write(dir.path(), &cache, 1, &Model::from([((1, 10), 1.0), ((1, 20), 2.0)]));
        let tombstone = Tombstone { matchers: Vec::new(), from: 0, to: 15, block: 1 };
        let after = write(dir.path(), &cache, 2, &Model::from([((1, 10), 3.0)]));
        let target = Target { dir: dir.path(), id: 3, cache: &cache, superfluous: &[] };
        let merged = merge(&[after, before], &[tombstone], i64::MIN, target, &mut Damage::default()).unwrap().unwrap();
        assert_eq!(content(&merged), Model::from([((1, 10), 3.0), ((1, 20), 2.0)]));
        assert_eq!(merged.meta().sequence, (1, 2));
    }

    fn block(id: u64, from_hours: i64, to_hours: i64, bytes: u64) -> Descriptor {
        Descriptor {
            id,
            resolution: Resolution::Raw,
            sequence: (id, id),
            min_time: from_hours * HOUR + 1,
            max_time: to_hours * HOUR,
            covers: None,
            bytes,
        }
    }

    #[test]
    fn plans_grow_blocks_by_tiers() {
        #[track_caller]
        fn check(blocks: &[Descriptor], now_hours: i64, jobs: &[&[u64]]) {
            assert_eq!(plan(blocks, now_hours * HOUR, 90 * DAY), jobs);
        }
        let two_hours: Vec<_> = (0..12).map(|i| block(i as u64, 2 * i, 2 * i + 2, 100)).collect();
        check(&two_hours, 25, &[]);
        check(&two_hours, 28, &[&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]]);
        // A late one beside a large one waits for company.
        check(&[block(1, 0, 24, 1_000), block(2, 3, 4, 10)], 48, &[]);
        let mut late: Vec<_> = (2..10).map(|i| block(i, 3, 4, 10)).collect();
        late.push(block(1, 0, 24, 1_000));
        check(&late, 48, &[&[2, 3, 4, 5, 6, 7, 8, 9]]);
        // Flushes of one window.
        check(&[block(1, 0, 1, 10), block(2, 1, 2, 10), block(3, 2, 3, 10)], 3, &[&[1, 2]]);
        // Roll-ups of a part of the time that stay behind would be hidden.
        let roll_up = |b: Descriptor| Descriptor { resolution: Resolution::FiveMinutes, ..b };
        let days = [roll_up(block(1, 0, 24, 100)), roll_up(block(2, 24, 48, 100))];
        check(&days, 24 * 11, &[&[1, 2]]);
        check(&[days[0], days[1], roll_up(block(3, 47, 240, 10))], 24 * 11, &[]);
        // Between these in writing, and of the same time, is one that is not in the window.
        check(&[block(1, 0, 1, 10), block(2, -30, 5, 10), block(3, 1, 2, 10)], 3, &[]);
    }

    #[test]
    fn a_life_of_flushes_ends_in_few_blocks_and_little_writing() {
        let (mut blocks, mut next, mut written) = (Vec::new(), 0, 0);
        let retention = 90 * DAY;
        for hour in (0..90 * 24).step_by(2) {
            next += 1;
            blocks.push(block(next, hour, hour + 2, 1_000));
            let now = (hour + 2) * HOUR;
            loop {
                let jobs = plan(&blocks, now, retention);
                if jobs.is_empty() {
                    break;
                }
                for job in jobs {
                    next += 1;
                    let (inputs, rest): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|b| job.contains(&b.id));
                    let bytes = inputs.iter().map(|b| b.bytes).sum();
                    written += bytes;
                    blocks = rest;
                    blocks.push(Descriptor {
                        covers: None,
                        id: next,
                        resolution: Resolution::Raw,
                        sequence: (
                            inputs.iter().map(|b| b.sequence.0).min().unwrap(),
                            inputs.iter().map(|b| b.sequence.1).max().unwrap(),
                        ),
                        min_time: inputs.iter().map(|b| b.min_time).min().unwrap(),
                        max_time: inputs.iter().map(|b| b.max_time).max().unwrap(),
                        bytes,
                    });
                }
            }
            assert!(blocks.len() < 40, "{} blocks", blocks.len());
        }
        let flushed = 90 * 12 * 1_000;
        assert!(written < flushed * 5 / 2, "written {written} beside {flushed} flushed");
    }
}
