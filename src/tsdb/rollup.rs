//! Roll-ups: per series and bucket of time the smallest, largest, sum, count and last value, and what a
//! counter lost by starting again.
//!
//! Bucket k of width w holds the samples with k·w < t ≤ (k+1)·w, as a range selector at the bucket's end
//! would, and is written at the time of its last sample. Growth is told by the last values and the losses:
//! the counter that never falls is the last value plus all losses so far, so that a counter without a
//! restart costs nothing more than its last values, and growth between buckets, and between blocks, is
//! counted like any other. Staleness markers go into no bucket; a value that is not finite is no growth.
//!
//! A roll-up block [covers](Meta::covers) a time. Where several do, the newest stands: after late samples
//! came in, the touched time is computed anew from the raw blocks and needs no merging.

use std::io;
use std::sync::Arc;

use crate::base::sample::{Column, is_stale};
use crate::promql::source::Resolution;
use crate::tsdb::block::{Block, BlockWriter, Damage, Meta};
use crate::tsdb::compact::{Found, Merger, Target, Tombstone, replaced, sequences};

/// A restart is seen when the sample before the first bucket is at most this much older, in milliseconds.
/// Further back it shows in the values alone, as it does to a reader of several blocks.
pub const REACH: i64 = 3_600_000;

const COLUMNS: usize = 6;

/// Buckets of one series, as columns.
#[derive(Debug, Default)]
struct Buckets {
    t: Vec<i64>,
    columns: [Vec<f64>; COLUMNS],
}

impl Buckets {
    fn clear(&mut self) {
        self.t.clear();
        self.columns.iter_mut().for_each(Vec::clear);
    }

    fn push(&mut self, t: i64, values: [f64; COLUMNS]) {
        self.t.push(t);
        self.columns.iter_mut().zip(values).for_each(|(column, v)| column.push(v));
    }

    /// Buckets of the samples after `after`; earlier ones only say what the counter was.
    fn fill(&mut self, samples: &Column, after: i64, width: i64) {
        self.clear();
        let mut before: Option<f64> = None;
        let mut open: Option<(i64, i64, [f64; COLUMNS])> = None;
        for (t, v) in samples.iter().filter(|(_, v)| !is_stale(*v)) {
            let restarted = before.filter(|b| v.is_finite() && v < *b);
            if v.is_finite() {
                before = Some(v);
            }
            if t <= after {
                continue;
            }
            let bucket = t.saturating_sub(1).div_euclid(width);
            let lost = restarted.unwrap_or(0.0);
            match &mut open {
                Some((of, last, [min, max, sum, count, newest, all_lost])) if *of == bucket => {
                    *last = t;
                    // A NaN gives way to any number, as in Prometheus' min_over_time.
                    *min = if v < *min || min.is_nan() { v } else { *min };
                    *max = if v > *max || max.is_nan() { v } else { *max };
                    *sum += v;
                    *count += 1.0;
                    *newest = v;
                    *all_lost += lost;
                }
                _ => {
                    if let Some((_, t, values)) = open.take() {
                        self.push(t, values);
                    }
                    open = Some((bucket, t, [v, v, v, 1.0, v, lost]));
                }
            }
        }
        if let Some((_, t, values)) = open {
            self.push(t, values);
        }
    }

    fn write(&self, series: &Found, writer: &mut BlockWriter) -> io::Result<()> {
        if self.t.is_empty() {
            return Ok(());
        }
        writer.series(&series.labels)?;
        writer.chunk(&self.t, &self.columns.each_ref().map(Vec::as_slice))
    }
}

/// Computes the roll-up of a time, first excluded, last included, both borders of buckets.
///
/// `sources` are all raw blocks that overlap the time, and [`REACH`] before it. Always gives a block, which
/// covers the time also when there are no samples.
///
/// # Errors
/// The block cannot be written, the time does not begin and end with a bucket, or `stop`, asked between series,
/// said so: [`Interrupted`](io::ErrorKind::Interrupted).
pub fn build(
    sources: &[Arc<Block>],
    tombstones: &[Tombstone],
    (after, until): (i64, i64),
    resolution: Resolution,
    target: Target<'_>,
    damage: &mut Damage,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<Block>> {
    let width = resolution.millis();
    let fits = |t: i64| width > 0 && t.rem_euclid(width) == 0;
    if !fits(after) || !fits(until) || after >= until {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a roll-up begins and ends with a bucket"));
    }
    let meta = Meta {
        id: target.id,
        resolution,
        sequence: sequences(sources),
        replaces: replaced(&[], target),
        sources: Vec::new(),
        covers: Some((after, until)),
    };
    let mut writer = BlockWriter::create(target.dir, meta, target.cache)?;
    let mut merger = Merger::new(sources, tombstones);
    let (mut samples, mut buckets) = (Column::default(), Buckets::default());
    while let Some(series) = merger.next(damage) {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        merger.samples(&series, (after.saturating_sub(REACH), until), &mut samples, damage);
        buckets.fill(&samples, after, width);
        buckets.write(&series, &mut writer)?;
    }
    writer.finish()
}

/// A stretch of time for which one roll-up stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The block, as its place in the list.
    pub block: usize,
    /// First time, inclusive.
    pub from: i64,
    /// Last time, inclusive.
    pub to: i64,
}

/// Divides time among roll-ups of one resolution: of those that cover a time the newest stands. In order of
/// time, without overlaps; reading one after the other gives each series' buckets in order.
pub fn segments<'a>(blocks: impl IntoIterator<Item = &'a Meta>) -> Vec<Segment> {
    let spans: Vec<_> = blocks.into_iter().map(|m| (m.covers.unwrap_or((0, 0)), m.id)).collect();
    let mut borders: Vec<i64> = spans.iter().flat_map(|((after, until), _)| [*after, *until]).collect();
    borders.sort_unstable();
    borders.dedup();
    let mut segments: Vec<Segment> = Vec::new();
    for border in borders.windows(2) {
        let (after, until) = (border[0], border[1]);
        let covering = spans.iter().enumerate().filter(|(_, ((a, u), _))| *a <= after && *u >= until);
        let Some((block, _)) = covering.max_by_key(|(_, (_, id))| *id) else { continue };
        match segments.last_mut() {
            Some(last) if last.block == block && last.to == after => last.to = until,
            _ => segments.push(Segment { block, from: after.saturating_add(1), to: until }),
        }
    }
    segments
}

/// Merges roll-ups: of each only the time for which it stands.
pub(super) fn merge(
    inputs: &[Arc<Block>],
    tombstones: &[Tombstone],
    keep_from: i64,
    target: Target<'_>,
    damage: &mut Damage,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<Block>> {
    let segments = segments(inputs.iter().map(|b| b.meta()));
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Ok(None) };
    if segments.windows(2).any(|w| w[0].to.checked_add(1) != Some(w[1].from)) {
        // It would cover time of which it knows nothing, and hide who does.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "roll-ups that are merged join"));
    }
    let meta = Meta {
        id: target.id,
        resolution: inputs[first.block].meta().resolution,
        sequence: sequences(inputs),
        replaces: replaced(inputs, target),
        sources: Vec::new(),
        covers: Some((first.from.saturating_sub(1), last.to)),
    };
    let mut writer = BlockWriter::create(target.dir, meta, target.cache)?;
    let mut merger = Merger::new(inputs, tombstones);
    let (mut column, mut buckets) = (Column::default(), Buckets::default());
    while let Some(series) = merger.next(damage) {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        buckets.clear();
        for segment in segments.iter().filter(|s| s.to >= keep_from) {
            let time = (segment.from.max(keep_from), segment.to);
            let (start, mut whole) = (buckets.t.len(), true);
            for c in 0..COLUMNS {
                merger.column(&series, segment.block, time, c, &mut column, damage);
                if c == 0 {
                    buckets.t.extend_from_slice(&column.t);
                }
                // A column of which a chunk is damaged does not fit the others: then none of the segment is kept.
                whole &= buckets.t[start..] == column.t;
                buckets.columns[c].extend_from_slice(&column.v);
            }
            if !whole {
                buckets.t.truncate(start);
                buckets.columns.iter_mut().for_each(|c| c.truncate(start));
            }
        }
        buckets.write(&series, &mut writer)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::labels::Labels;
    use crate::base::sample::STALE_NAN;
    use crate::promql::source::Want;
    use crate::tsdb::block::{Cache, Growth};

    struct Store {
        dir: tempfile::TempDir,
        cache: Arc<Cache>,
        next: u64,
    }

    impl Store {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap(), cache: Cache::new(1 << 20), next: 1 }
        }

        fn target(&mut self) -> Target<'_> {
            self.next += 1;
            Target { dir: self.dir.path(), id: self.next - 1, cache: &self.cache, superfluous: &[] }
        }

        fn raw(&mut self, samples: &[(i64, f64)]) -> Arc<Block> {
            let target = self.target();
            let meta = Meta::raw(target.id, (target.id, target.id));
            let mut writer = BlockWriter::create(target.dir, meta, target.cache).unwrap();
            writer.series(&Labels::new([("a", "1")])).unwrap();
            let (t, v): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
            writer.chunk(&t, &[&v]).unwrap();
            Arc::new(writer.finish().unwrap().unwrap())
        }

        fn roll(&mut self, sources: &[Arc<Block>], span: (i64, i64), resolution: Resolution) -> Arc<Block> {
            let mut damage = Damage::default();
            let block = build(sources, &[], span, resolution, self.target(), &mut damage, &|| false).unwrap().unwrap();
            assert!(damage.is_none());
            Arc::new(block)
        }
    }

    /// What a reader of several roll-ups gets for the one series.
    fn read(blocks: &[Arc<Block>], want: Want) -> Vec<(i64, f64)> {
        let (mut out, mut damage, mut growth) = (Column::default(), Damage::default(), Growth::default());
        for s in segments(blocks.iter().map(|b| b.meta())) {
            let mut reader = blocks[s.block].reader();
            if blocks[s.block].is_empty() {
                continue;
            }
            match want {
                Want::Increase => reader.read_growth(0, s.from, s.to, &mut growth, &mut out, &mut damage),
                _ => reader.read(0, s.from, s.to, want, &mut out, &mut damage),
            }
        }
        assert!(damage.is_none());
        out.iter().collect()
    }

    /// Buckets computed the plain way.
    fn plain(samples: &[(i64, f64)], width: i64, of: impl Fn(&[f64]) -> f64) -> Vec<(i64, f64)> {
        let fresh: Vec<_> = samples.iter().filter(|(_, v)| !is_stale(*v)).collect();
        fresh
            .chunk_by(|a, b| (a.0 - 1).div_euclid(width) == (b.0 - 1).div_euclid(width))
            .map(|b| (b[b.len() - 1].0, of(&b.iter().map(|(_, v)| *v).collect::<Vec<_>>())))
            .collect()
    }

    /// A counter that restarts, with gaps and staleness markers.
    fn counter(seed: u64, n: usize) -> Vec<(i64, f64)> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut t, mut v) = (rng.i64(0..300_000), f64::from(rng.u32(0..1_000)));
        (0..n)
            .map(|_| {
                t += if rng.u8(..) == 0 { rng.i64(60_000..1_200_000) } else { 15_000 };
                v = if rng.u8(..) < 4 { f64::from(rng.u32(0..50)) } else { v + f64::from(rng.u32(0..100)) };
                (t, if rng.u8(..) < 3 { STALE_NAN } else { v })
            })
            .collect()
    }

    #[test]
    fn buckets_are_what_direct_computation_gives() {
        for seed in 0..20 {
            let samples = counter(seed, 3_000);
            let mut store = Store::new();
            // Split in blocks that interleave.
            let (even, odd): (Vec<_>, Vec<_>) = samples.iter().partition(|(t, _)| t / 600_000 % 3 == 0);
            let sources = [store.raw(&even), store.raw(&odd)];
            let end = (samples[samples.len() - 1].0 / 3_600_000 + 1) * 3_600_000;
            for resolution in [Resolution::FiveMinutes, Resolution::Hour] {
                // In two parts, so that a border lies inside.
                let middle = end / 7_200_000 * 3_600_000;
                let parts =
                    [store.roll(&sources, (0, middle), resolution), store.roll(&sources, (middle, end), resolution)];
                let merged = Arc::new(
                    crate::tsdb::compact::merge(&parts, &[], i64::MIN, store.target(), &mut Damage::default())
                        .unwrap()
                        .unwrap(),
                );
                assert_eq!(merged.meta().covers, Some((0, end)));
                let width = resolution.millis();
                for blocks in [&parts[..], &[merged]] {
                    let check = |want, of: &dyn Fn(&[f64]) -> f64| {
                        assert_eq!(read(blocks, want), plain(&samples, width, of), "{want:?}");
                    };
                    check(Want::Min, &|b| b.iter().copied().fold(f64::INFINITY, f64::min));
                    check(Want::Max, &|b| b.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                    check(Want::Sum, &|b| b.iter().sum());
                    check(Want::Count, &|b| b.len() as f64);
                    check(Want::Last, &|b| b[b.len() - 1]);
                    // Growth from bucket to bucket is the growth of the samples, restarts accounted for.
                    let (mut before, mut grown, mut all) = (f64::NAN, 0.0, Vec::new());
                    for (t, v) in samples.iter().filter(|(_, v)| !is_stale(*v)) {
                        grown += if before.is_nan() || *v < before { *v } else { v - before };
                        before = *v;
                        all.push((*t, grown));
                    }
                    let expected = plain(&all, width, |b| b[b.len() - 1]);
                    assert_eq!(read(blocks, Want::Increase), expected);
                }
            }
        }
    }

    #[test]
    fn late_samples_are_rolled_up_anew_where_they_fall() {
        let mut store = Store::new();
        let first = store.raw(&(1..=60).map(|i| (i * 60_000, i as f64)).collect::<Vec<_>>());
        let old = store.roll(&[Arc::clone(&first)], (0, 3_600_000), Resolution::FiveMinutes);
        assert_eq!(old.stats().samples, 12);
        let late = store.raw(&[(930_000, 1_000.0)]);
        let new = store.roll(&[first, late], (900_000, 1_200_000), Resolution::FiveMinutes);
        let max = read(&[Arc::clone(&old), Arc::clone(&new)], Want::Max);
        assert_eq!(max.len(), 12);
        assert_eq!(max[3], (1_200_000, 1_000.0));
        assert_eq!(max[4], (1_500_000, 25.0));
        let target = store.target();
        let merged = merge(&[old, new], &[], i64::MIN, target, &mut Damage::default(), &|| false).unwrap().unwrap();
        assert_eq!(read(&[Arc::new(merged)], Want::Max), max);
    }

    #[test]
    fn deleted_time_is_covered_by_nothing() {
        let mut store = Store::new();
        let raw = store.raw(&[(10_000, 1.0), (700_000, 2.0)]);
        let old = store.roll(&[Arc::clone(&raw)], (0, 3_600_000), Resolution::FiveMinutes);
        let all = Tombstone { matchers: Vec::new(), from: 0, to: 3_600_000, block: 1 };
        let (target, mut damage) = (store.target(), Damage::default());
        let none = build(&[raw], &[all], (0, 3_600_000), Resolution::FiveMinutes, target, &mut damage, &|| false);
        let none = Arc::new(none.unwrap().unwrap());
        assert!(none.is_empty());
        assert_eq!(read(&[old, none], Want::Last), []);
    }

    #[test]
    fn a_restart_out_of_reach_is_growth_all_the_same() {
        let mut store = Store::new();
        let raw = [store.raw(&[(10_000, 50.0), (20_000, 5.0)]), store.raw(&[(90_000_000, 3.0)])];
        let parts = [
            store.roll(&raw[..1], (0, 3_600_000), Resolution::Hour),
            store.roll(&raw[1..], (86_400_000, 90_000_000), Resolution::Hour),
        ];
        assert_eq!(read(&parts, Want::Increase), [(20_000, 55.0), (90_000_000, 58.0)]);
    }

    #[test]
    fn the_newest_roll_up_stands_where_it_covers() {
        #[track_caller]
        fn check(spans: &[(i64, i64)], expected: &[(usize, i64, i64)]) {
            let metas: Vec<_> =
                (0..).zip(spans).map(|(id, span)| Meta { covers: Some(*span), ..Meta::raw(id, (0, 0)) }).collect();
            let got: Vec<_> = segments(&metas).iter().map(|s| (s.block, s.from, s.to)).collect();
            assert_eq!(got, expected);
        }
        check(&[], &[]);
        check(&[(0, 10), (10, 20)], &[(0, 1, 10), (1, 11, 20)]);
        check(&[(0, 30), (10, 20)], &[(0, 1, 10), (1, 11, 20), (0, 21, 30)]);
        check(&[(10, 20), (0, 30)], &[(1, 1, 30)]);
        check(&[(0, 5), (10, 20)], &[(0, 1, 5), (1, 11, 20)]);
    }
}
