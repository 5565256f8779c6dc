//! Aggregations over windows: `sum_over_time`, `max_over_time` and their kin.

use crate::promql::func::kahan::Sum;
use crate::promql::func::notes::{NoteSink, invalid_quantile, is_quantile};
use crate::promql::func::quantile as q;
use crate::promql::func::range::Param;
use crate::promql::func::window::{ABSENT, Window, Windows};

/// Fills `out` with the value of each window that has samples.
fn each(w: &Windows<'_>, out: &mut [f64], mut value: impl FnMut(Window) -> f64) {
    for (window, out) in w.iter().zip(out) {
        *out = if window.is_empty() { ABSENT } else { value(window) };
    }
}

/// Fills `out` with what each window's values give.
fn each_values(w: &Windows<'_>, out: &mut [f64], mut value: impl FnMut(&[f64]) -> f64) {
    each(w, out, |window| value(&w.samples.v[window.lo..window.hi]));
}

/// How many samples.
pub fn count(w: &Windows<'_>, out: &mut [f64]) {
    each(w, out, |window| window.len() as f64);
}

/// One, where there are samples.
pub fn present(w: &Windows<'_>, out: &mut [f64]) {
    each(w, out, |_| 1.0);
}

/// The oldest value.
pub fn first(w: &Windows<'_>, out: &mut [f64]) {
    each(w, out, |window| w.samples.v[window.lo]);
}

/// The newest value.
pub fn last(w: &Windows<'_>, out: &mut [f64]) {
    each(w, out, |window| w.samples.v[window.hi - 1]);
}

/// Time of the oldest sample, in seconds.
pub fn ts_of_first(w: &Windows<'_>, out: &mut [f64]) {
    each(w, out, |window| seconds(w.samples.t[window.lo]));
}

/// Time of the newest sample, in seconds.
pub fn ts_of_last(w: &Windows<'_>, out: &mut [f64]) {
    each(w, out, |window| seconds(w.samples.t[window.hi - 1]));
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// The largest value; NaN only if there is no number. Of equal ones (zeros of either sign) the first.
pub fn max(w: &Windows<'_>, out: &mut [f64]) {
    let mut two = TwoStacks::new(&w.samples.v, |a, b| if b > a || a.is_nan() { b } else { a });
    each(w, out, |window| two.slide(window));
}

/// The smallest value; NaN only if there is no number. Of equal ones (zeros of either sign) the first.
pub fn min(w: &Windows<'_>, out: &mut [f64]) {
    let mut two = TwoStacks::new(&w.samples.v, |a, b| if b < a || a.is_nan() { b } else { a });
    each(w, out, |window| two.slide(window));
}

/// Time of the last sample that has the largest value, in seconds.
pub fn ts_of_max(w: &Windows<'_>, out: &mut [f64]) {
    ts_of(w, out, |a, b| b >= a);
}

/// Time of the last sample that has the smallest value, in seconds.
pub fn ts_of_min(w: &Windows<'_>, out: &mut [f64]) {
    ts_of(w, out, |a, b| b <= a);
}

fn ts_of(w: &Windows<'_>, out: &mut [f64], at_least: impl Fn(f64, f64) -> bool) {
    let samples: Vec<(f64, i64)> = w.samples.v.iter().copied().zip(w.samples.t.iter().copied()).collect();
    let mut two = TwoStacks::new(&samples, |a, b| if at_least(a.0, b.0) || a.0.is_nan() { b } else { a });
    each(w, out, |window| seconds(two.slide(window).1));
}

/// Folds sliding windows with an associative `join` at two calls per sample and one per window, whatever
/// the windows' length: a window is what remains of an older stretch, whose tails were folded from its end
/// backwards, and a newer stretch, folded forwards as it grows. (A deque of candidates costs the same number
/// of comparisons, but the processor cannot predict them.)
struct TwoStacks<'a, T, F> {
    items: &'a [T],
    join: F,
    /// `tails[i - base]` folds `i..mid`.
    tails: Vec<T>,
    base: usize,
    mid: usize,
    /// Folds `mid..end`.
    newer: Option<T>,
    end: usize,
}

impl<'a, T: Copy, F: Fn(T, T) -> T> TwoStacks<'a, T, F> {
    fn new(items: &'a [T], join: F) -> Self {
        Self { items, join, tails: Vec::new(), base: 0, mid: 0, newer: None, end: 0 }
    }

    /// The fold of a window that is not empty and whose bounds are not before those of the last.
    fn slide(&mut self, window: Window) -> T {
        let Window { lo, hi, .. } = window;
        if lo >= self.mid {
            self.turn(lo, hi);
        }
        for item in &self.items[self.end..hi] {
            self.newer = Some(self.newer.map_or(*item, |n| (self.join)(n, *item)));
        }
        self.end = hi;
        let tail = self.tails[lo - self.base];
        self.newer.map_or(tail, |newer| (self.join)(tail, newer))
    }

    /// Makes the whole window the older stretch.
    fn turn(&mut self, lo: usize, hi: usize) {
        self.tails.clear();
        self.tails.extend_from_slice(&self.items[lo..hi]);
        for i in (1..self.tails.len()).rev() {
            self.tails[i - 1] = (self.join)(self.tails[i - 1], self.tails[i]);
        }
        (self.base, self.mid, self.end, self.newer) = (lo, hi, hi, None);
    }
}

/// The sum.
pub fn sum(w: &Windows<'_>, out: &mut [f64]) {
    if sums_can_slide(w) {
        sliding_sums(w, out, |sum, _| sum.value());
        return;
    }
    each_values(w, out, |values| {
        let mut sum = Sum::default();
        values.iter().for_each(|v| sum.add(*v));
        sum.value()
    });
}

/// The mean.
pub fn avg(w: &Windows<'_>, out: &mut [f64]) {
    if sums_can_slide(w) {
        sliding_sums(w, out, |sum, n| sum.sum / n + sum.lost / n);
        return;
    }
    each_values(w, out, mean);
}

/// From how many windows that share a sample on it pays to slide (measured: 8).
const OVERLAP: i64 = 8;

/// Whether windows overlap so much that adding every window anew costs more than sliding, and no sum can
/// overflow. Values added in another order, with what is lost kept beside the sum, give the same result but
/// for a last bit now and then.
fn sums_can_slide(w: &Windows<'_>) -> bool {
    let limit = f64::MAX / (w.samples.len() + 1) as f64;
    w.ends.count > 1 && w.range / w.ends.step.max(1) >= OVERLAP && w.samples.v.iter().all(|v| v.abs() < limit)
}

fn sliding_sums(w: &Windows<'_>, out: &mut [f64], value: impl Fn(Sum, f64) -> f64) {
    let items: Vec<Sum> = w.samples.v.iter().map(|v| Sum { sum: *v, lost: 0.0 }).collect();
    let mut two = TwoStacks::new(&items, Sum::join);
    each(w, out, |window| value(two.slide(window), window.len() as f64));
}

/// The sum divided by the count; once the sum would overflow, a mean that is updated value by value.
pub fn mean(values: &[f64]) -> f64 {
    let mut sum = Sum::default();
    for (i, v) in values.iter().enumerate() {
        let before = sum;
        sum.add(*v);
        // The first value is taken as it is, even if it is infinite.
        if sum.sum.is_infinite() && i > 0 {
            return updated_mean(before, i, &values[i..]);
        }
    }
    let n = values.len() as f64;
    sum.sum / n + sum.lost / n
}

/// The mean of `count` values that add up to `sum`, and more.
fn updated_mean(sum: Sum, count: usize, more: &[f64]) -> f64 {
    let mut n = count as f64;
    let mut mean = Sum { sum: sum.sum / n, lost: sum.lost / n };
    for v in more {
        let kept = n / (n + 1.0);
        n += 1.0;
        mean = Sum { sum: kept * mean.sum, lost: kept * mean.lost };
        mean.add(v / n);
    }
    mean.sum + mean.lost
}

/// The standard deviation of the population.
pub fn stddev(w: &Windows<'_>, out: &mut [f64]) {
    each_values(w, out, |values| variance(values).sqrt());
}

/// The variance of the population.
pub fn stdvar(w: &Windows<'_>, out: &mut [f64]) {
    each_values(w, out, variance);
}

/// Welford's updates, compensated.
fn variance(values: &[f64]) -> f64 {
    let (mut n, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for v in values {
        n += 1.0;
        let delta = v - (mean.sum + mean.lost);
        mean.add(delta / n);
        squares.add(delta * (v - (mean.sum + mean.lost)));
    }
    (squares.sum + squares.lost) / n
}

/// The φ-quantile.
pub fn quantile(w: &Windows<'_>, phi: Param<'_>, notes: &mut dyn NoteSink, out: &mut [f64]) {
    let mut values = Vec::new();
    let mut noted = None;
    for (k, (window, out)) in w.iter().zip(out).enumerate() {
        *out = ABSENT;
        if window.is_empty() {
            continue;
        }
        let phi = phi.at(k);
        if !is_quantile(phi) && noted != Some(phi.to_bits()) {
            noted = Some(phi.to_bits());
            notes.note(invalid_quantile(phi));
        }
        values.clear();
        values.extend_from_slice(&w.samples.v[window.lo..window.hi]);
        *out = q::quantile(phi, &mut values);
    }
}

/// The median of the distances from the median.
pub fn mad(w: &Windows<'_>, out: &mut [f64]) {
    let mut values = Vec::new();
    each_values(w, out, |window| {
        if window.iter().any(|v| v.is_nan()) {
            return f64::NAN;
        }
        values.clear();
        values.extend_from_slice(window);
        let median = q::quantile(0.5, &mut values);
        values.iter_mut().for_each(|v| *v = (*v - median).abs());
        q::quantile(0.5, &mut values)
    });
}
