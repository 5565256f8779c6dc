//! Windows of samples, one per step, over the samples of one series.
//!
//! A window holds the samples with `end - range < t <= end`. Its bounds move only forward from step to
//! step, so that all windows of a series cost one pass over its times.

use std::cell::Cell;

use crate::base::sample::{Column, STALE_NAN};

/// What stands in a column of results where a step has no value. No computation yields these bits: they
/// are a signalling NaN, and arithmetic only makes quiet ones.
pub const ABSENT: f64 = STALE_NAN;

/// Times at equal distances, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first.
    pub start: i64,
    /// Distance; zero when all are the same time.
    pub step: i64,
    /// How many.
    pub count: usize,
}

impl Grid {
    /// The `k`-th time.
    pub fn at(&self, k: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(i64::try_from(k).unwrap_or(i64::MAX)))
    }
}

/// The windows of one series at all steps of a query.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    /// The samples, without staleness markers. `anchored` needs those up to
    /// [`lookback`](Self::lookback) before the first window too, `smoothed` also those after the last.
    pub samples: &'a Column,
    /// Length of a window in milliseconds.
    pub range: i64,
    /// Where the windows end: shifted by `offset`, or all at the time of `@` (then `step` is zero).
    pub ends: Grid,
    /// When the steps are evaluated, neither shifted nor fixed; as many as `ends`.
    pub times: Grid,
    /// How far beyond a window `anchored` and `smoothed` look for a sample, in milliseconds.
    pub lookback: i64,
    /// Where the samples of all windows are counted as [`iter`](Self::iter) goes over them. A pass of its own
    /// would cost a tenth of what a rate costs.
    pub looked: Option<&'a Cell<u64>>,
}

/// One window: the samples `lo..hi`, of those between `start` (exclusive) and `end` (inclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Index of the first sample.
    pub lo: usize,
    /// Index after the last sample.
    pub hi: usize,
    /// Where the window begins, exclusive.
    pub start: i64,
    /// Where it ends, inclusive.
    pub end: i64,
}

impl Window {
    /// How many samples.
    pub const fn len(&self) -> usize {
        self.hi - self.lo
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.hi == self.lo
    }
}

impl<'a> Windows<'a> {
    /// The windows in order, one per step.
    pub fn iter(&self) -> Iter<'a> {
        Iter { looked: self.looked, ..self.widened(0, 0) }
    }

    /// Windows that begin `before` milliseconds earlier and end `after` later.
    pub fn widened(&self, before: i64, after: i64) -> Iter<'a> {
        Iter {
            times: &self.samples.t,
            ends: Grid { start: self.ends.start.saturating_add(after), ..self.ends },
            range: self.range.saturating_add(before).saturating_add(after),
            k: 0,
            lo: Edge::default(),
            hi: Edge::default(),
            looked: None,
        }
    }

    /// Whether every step has the same window.
    pub const fn fixed(&self) -> bool {
        self.ends.step == 0
    }
}

/// One bound of the windows: the index of the first sample that is later than a time which only grows.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    at: usize,
    /// How far it moved last time. Samples and steps are mostly regular, so the same move again is
    /// nearly always right, and two comparisons per step replace one per sample.
    stride: usize,
}

impl Edge {
    #[inline]
    fn advance(&mut self, times: &[i64], limit: i64) -> usize {
        let from = self.at;
        let mut i = (from + self.stride).min(times.len());
        while i > from && times[i - 1] > limit {
            i -= 1;
        }
        while i < times.len() && times[i] <= limit {
            i += 1;
        }
        *self = Self { at: i, stride: i - from };
        i
    }
}

/// Iterates over windows; see [`Windows::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    times: &'a [i64],
    ends: Grid,
    range: i64,
    k: usize,
    lo: Edge,
    hi: Edge,
    looked: Option<&'a Cell<u64>>,
}

impl Iterator for Iter<'_> {
    type Item = Window;

    #[inline]
    fn next(&mut self) -> Option<Window> {
        if self.k == self.ends.count {
            return None;
        }
        let end = self.ends.at(self.k);
        let start = end.saturating_sub(self.range);
        self.k += 1;
        let hi = self.hi.advance(self.times, end);
        let lo = self.lo.advance(self.times, start).min(hi);
        if let Some(looked) = self.looked {
            looked.set(looked.get() + (hi - lo) as u64);
        }
        Some(Window { lo, hi, start, end })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.ends.count - self.k;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(times: &[i64]) -> Column {
        Column { t: times.to_vec(), v: vec![0.0; times.len()] }
    }

    #[test]
    fn windows_are_open_on_the_left_and_closed_on_the_right() {
        let samples = column(&[0, 10, 20, 30]);
        let ends = Grid { start: 20, step: 5, count: 3 };
        let w = Windows { samples: &samples, range: 10, ends, times: ends, lookback: 0, looked: None };
        let got: Vec<_> = w.iter().map(|w| (w.lo, w.hi)).collect();
        assert_eq!(got, [(2, 3), (2, 3), (3, 4)]);
    }

    proptest! {
        #[test]
        fn bounds_are_those_of_a_search(
            mut times in prop::collection::btree_set(-500_i64..500, 0..60),
            start in -600_i64..600, step in 0_i64..80, count in 0_usize..40, range in 1_i64..300,
        ) {
            times.remove(&7);
            let samples = column(&times.into_iter().collect::<Vec<_>>());
            let ends = Grid { start, step, count };
            let w = Windows { samples: &samples, range, ends, times: ends, lookback: 0, looked: None };
            prop_assert_eq!(w.iter().len(), count);
            for (k, got) in w.iter().enumerate() {
                let end = start + step * k as i64;
                let lo = samples.t.partition_point(|t| *t <= end - range);
                let hi = samples.t.partition_point(|t| *t <= end);
                prop_assert_eq!(got, Window { lo, hi, start: end - range, end });
            }
        }
    }
}
