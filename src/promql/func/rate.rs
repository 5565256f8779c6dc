//! Growth of a series within windows: `rate`, `increase`, `delta`, `irate`, `idelta`, `changes`, `resets`.
//!
//! A counter that falls was reset to zero just before; what it had counted until then is added again. The
//! places where a series falls are found once, so that a window costs its resets and not its samples.

use crate::promql::ast::Extension;
use crate::promql::func::window::{ABSENT, Window, Windows};

/// Samples belong together when they are no further apart than this times their mean distance; a window's
/// edge that is further from its outermost sample than that is taken to lie beyond the series' life.
const TOLERANCE: f64 = 1.1;

/// Growth per second of a counter.
pub fn rate(w: &Windows<'_>, extension: Option<Extension>, out: &mut [f64]) {
    growth::<true>(w, extension, seconds(w.range), out);
}

/// Growth of a counter.
pub fn increase(w: &Windows<'_>, extension: Option<Extension>, out: &mut [f64]) {
    // Dividing by one changes nothing.
    growth::<true>(w, extension, 1.0, out);
}

/// Difference of a gauge.
pub fn delta(w: &Windows<'_>, extension: Option<Extension>, out: &mut [f64]) {
    growth::<false>(w, extension, 1.0, out);
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

fn growth<const COUNTER: bool>(w: &Windows<'_>, extension: Option<Extension>, per: f64, out: &mut [f64]) {
    match extension {
        None => extrapolated::<COUNTER>(w, per, out),
        Some(Extension::Anchored) => anchored::<COUNTER>(w, per, out),
        Some(Extension::Smoothed) => smoothed::<COUNTER>(w, per, out),
    }
}

/// Indices of the samples that are less than the one before them.
fn falls(values: &[f64]) -> Vec<usize> {
    // Most counters never fall: so many pairs at a time are compared without looking which of them did.
    const PAIRS: usize = 16;
    let mut falls = Vec::new();
    let (before, after) = (values.get(..values.len().saturating_sub(1)).unwrap_or_default(), values.get(1..));
    let chunks = before.chunks(PAIRS).zip(after.unwrap_or_default().chunks(PAIRS)).enumerate();
    for (c, (before, after)) in chunks {
        let pairs = || before.iter().zip(after);
        if pairs().fold(false, |any, (a, b)| any | (b < a)) {
            falls.extend(pairs().enumerate().filter(|(_, (a, b))| b < a).map(|(i, _)| c * PAIRS + i + 1));
        }
    }
    falls
}

/// What the stretching of a window's growth to its edges depends on, but for the counter's zero: milliseconds
/// from the window's start to its first sample, from its last to its end, and between them; samples after the
/// first.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    to_start: i64,
    to_end: i64,
    sampled: i64,
    distances: usize,
}

impl Shape {
    /// The same samples and edges in seconds: between the outermost samples, then to be added at the start and at
    /// the end.
    #[inline]
    fn reach(to_start: f64, to_end: f64, sampled: f64, distances: f64) -> (f64, f64, f64) {
        let sampled = sampled / 1000.0;
        let mean_distance = sampled / distances;
        let (threshold, half) = (mean_distance * TOLERANCE, mean_distance / 2.0);
        let (to_start, to_end) = (to_start / 1000.0, to_end / 1000.0);
        let to_start = if to_start >= threshold { half } else { to_start };
        let to_end = if to_end >= threshold { half } else { to_end };
        (sampled, to_start, to_end)
    }
}

/// By what the growth of a window is multiplied, unless the counter's zero is nearer than the window's start.
#[inline]
fn factor((sampled, to_start, to_end): (f64, f64, f64), per: f64) -> f64 {
    (sampled + to_start + to_end) / sampled / per
}

/// The factor of a shape that came twice in a row: samples and steps are mostly regular, so that most windows
/// have the same one, and cost no division.
#[derive(Clone, Copy)]
struct Usual {
    shape: Shape,
    factor: f64,
    /// A counter that had at least its growth before was at zero before the window's start, too.
    reaches_far: bool,
}

impl Usual {
    fn new(shape: Shape, per: f64) -> Self {
        let Shape { to_start, to_end, sampled, distances } = shape;
        let reach = Shape::reach(to_start as f64, to_end as f64, sampled as f64, distances as f64);
        Self { shape, factor: factor(reach, per), reaches_far: reach.1 <= reach.0 }
    }

    /// Whether the counter's zero does not matter.
    #[inline]
    fn holds<const COUNTER: bool>(&self, first: f64, growth: f64) -> bool {
        !COUNTER || growth <= 0.0 || self.reaches_far && first >= growth
    }
}

/// Prometheus' extrapolation: the difference of the outermost samples, stretched to the edges of the window
/// when these are near, else by half the mean distance of samples; a counter not below its zero.
fn extrapolated<const COUNTER: bool>(w: &Windows<'_>, per: f64, out: &mut [f64]) {
    let (t, v) = (&w.samples.t[..], &w.samples.v[..]);
    let falls = if COUNTER { falls(v) } else { Vec::new() };
    let mut next_fall = 0;
    let mut usual: Option<Usual> = None;
    let mut last_shape = None;
    let mut batch = Batch::default();
    for (k, Window { lo, hi, start, end }) in w.iter().enumerate().take(out.len()) {
        if hi - lo < 2 {
            out[k] = ABSENT;
            continue;
        }
        let (first, last) = (lo, hi - 1);
        let mut growth = v[last] - v[first];
        if COUNTER && next_fall < falls.len() {
            while falls.get(next_fall).is_some_and(|f| *f <= first) {
                next_fall += 1;
            }
            for fall in falls[next_fall..].iter().take_while(|f| **f <= last) {
                growth += v[fall - 1];
            }
        }
        let (from, to) = (t[first], t[last]);
        let shape = Shape { to_start: from - start, to_end: end - to, sampled: to - from, distances: last - first };
        if usual.is_none_or(|u| u.shape != shape) && last_shape.replace(shape) == Some(shape) {
            usual = Some(Usual::new(shape, per));
        }
        match usual {
            Some(u) if u.shape == shape && u.holds::<COUNTER>(v[first], growth) => out[k] = growth * u.factor,
            _ => batch.push::<COUNTER>(k, shape, v[first], growth, per, out),
        }
    }
    batch.finish::<COUNTER>(per, out);
}

/// Steps whose arithmetic is done together: it is mostly divisions, which a processor does two at a time, and in
/// half of the time, if no branch lies between them.
const BATCH: usize = 16;

/// What the growth of some windows is computed from, one place per window.
#[derive(Default)]
struct Batch {
    len: usize,
    steps: [usize; BATCH],
    first: [f64; BATCH],
    growth: [f64; BATCH],
    /// As in [`Shape`].
    to_start: [f64; BATCH],
    to_end: [f64; BATCH],
    sampled: [f64; BATCH],
    distances: [f64; BATCH],
}

impl Batch {
    fn push<const COUNTER: bool>(
        &mut self,
        step: usize,
        shape: Shape,
        first: f64,
        growth: f64,
        per: f64,
        out: &mut [f64],
    ) {
        let k = self.len;
        (self.steps[k], self.first[k], self.growth[k]) = (step, first, growth);
        (self.to_start[k], self.to_end[k]) = (shape.to_start as f64, shape.to_end as f64);
        (self.sampled[k], self.distances[k]) = (shape.sampled as f64, shape.distances as f64);
        self.len += 1;
        if self.len == BATCH {
            self.finish::<COUNTER>(per, out);
        }
    }

    fn finish<const COUNTER: bool>(&mut self, per: f64, out: &mut [f64]) {
        let len = std::mem::take(&mut self.len);
        if len == 0 {
            return;
        }
        let mut values = [0.0; BATCH];
        for (k, value) in values.iter_mut().enumerate() {
            let (first, growth) = (self.first[k], self.growth[k]);
            let reach = Shape::reach(self.to_start[k], self.to_end[k], self.sampled[k], self.distances[k]);
            let (sampled, mut to_start, to_end) = reach;
            if COUNTER {
                let to_zero = sampled * (first / growth);
                let sooner = (growth > 0.0) & (first >= 0.0) & (to_zero < to_start);
                to_start = if sooner { to_zero } else { to_start };
            }
            *value = growth * factor((sampled, to_start, to_end), per);
        }
        for (step, value) in self.steps.iter().zip(values).take(len) {
            out[*step] = value;
        }
    }
}

/// From the last sample at or before the window, or else the first in it, to the last in it.
fn anchored<const COUNTER: bool>(w: &Windows<'_>, per: f64, out: &mut [f64]) {
    let v = &w.samples.v[..];
    for (window, out) in from_anchor(w).zip(out) {
        *out = match window {
            None => ABSENT,
            Some((first, last)) => {
                let mut result = v[last] - v[first];
                if COUNTER {
                    result += lost(v[first], v[first + 1..=last].iter().copied());
                }
                result / per
            }
        };
    }
}

/// For each step the anchor of the window and its last sample; nothing when the window has none.
fn from_anchor<'a>(w: &Windows<'a>) -> impl Iterator<Item = Option<(usize, usize)>> + use<'a> {
    w.widened(w.lookback, 0).zip(w.iter()).map(|(wide, window)| {
        let anchor = if window.lo > wide.lo { window.lo - 1 } else { window.lo };
        (!window.is_empty()).then(|| (anchor, window.hi - 1))
    })
}

/// What a counter had counted before each of its resets.
fn lost(mut prev: f64, values: impl Iterator<Item = f64>) -> f64 {
    let mut lost = 0.0;
    for v in values {
        if v < prev {
            lost += prev;
        }
        prev = v;
    }
    lost
}

/// From the value at the window's start to that at its end, both interpolated.
fn smoothed<const COUNTER: bool>(w: &Windows<'_>, per: f64, out: &mut [f64]) {
    let (t, v) = (&w.samples.t[..], &w.samples.v[..]);
    let point = |i: usize| (t[i], v[i]);
    for ((wide, window), out) in w.widened(w.lookback, w.lookback).zip(w.iter()).zip(out) {
        *out = ABSENT;
        if wide.is_empty() {
            continue;
        }
        let Window { start, end, .. } = window;
        let newest = wide.hi - 1;
        // The last sample at or before the start, or else the oldest.
        let mut first = window.lo.min(newest).saturating_sub(1).max(wide.lo);
        // The first sample at or after the end, or else the newest.
        let mut last = wide.lo + t[wide.lo..newest].partition_point(|t| *t < end);
        if t[last] <= start || t[first] > end {
            continue;
        }
        let left =
            if t[first] < start { interpolate(point(first), point(first + 1), start, COUNTER) } else { v[first] };
        let right = if last > wide.lo && t[last] > end {
            interpolate(point(last - 1), point(last), end, COUNTER)
        } else {
            v[last]
        };
        let mut result = right - left;
        if COUNTER {
            if t[first] <= start {
                first += 1;
            }
            // One past the last sample between the edges.
            if t[last] < end {
                last += 1;
            }
            let between = v.get(first..last).unwrap_or_default();
            result += lost(left, between.iter().copied().chain([right]));
        }
        *out = result / per;
    }
}

/// The value at `t` on the line through two samples. A counter that falls between them starts from zero.
pub fn interpolate(a: (i64, f64), b: (i64, f64), t: i64, counter: bool) -> f64 {
    let from = if counter && b.1 < a.1 { 0.0 } else { a.1 };
    from + (b.1 - from) * (t - a.0) as f64 / (b.0 - a.0) as f64
}

/// Growth per second of a counter between the last two samples.
pub fn irate(w: &Windows<'_>, out: &mut [f64]) {
    let (t, v) = (&w.samples.t[..], &w.samples.v[..]);
    for (window, out) in w.iter().zip(out) {
        *out = match window.len() {
            0 | 1 => ABSENT,
            _ => {
                let (a, b) = (window.hi - 2, window.hi - 1);
                let growth = if v[b] < v[a] { v[b] } else { v[b] - v[a] };
                growth / seconds(t[b] - t[a])
            }
        };
    }
}

/// Difference of the last two samples.
pub fn idelta(w: &Windows<'_>, out: &mut [f64]) {
    let v = &w.samples.v[..];
    for (window, out) in w.iter().zip(out) {
        *out = if window.len() < 2 { ABSENT } else { v[window.hi - 1] - v[window.hi - 2] };
    }
}

/// How often the value changed.
pub fn changes(w: &Windows<'_>, extension: Option<Extension>, out: &mut [f64]) {
    count_pairs(w, extension, |a, b| b != a && !(a.is_nan() && b.is_nan()), out);
}

/// How often the value fell.
pub fn resets(w: &Windows<'_>, extension: Option<Extension>, out: &mut [f64]) {
    count_pairs(w, extension, |a, b| b < a, out);
}

/// Counts neighbours within each window of which `counts` is true, by the difference of two running totals.
fn count_pairs(w: &Windows<'_>, extension: Option<Extension>, counts: impl Fn(f64, f64) -> bool, out: &mut [f64]) {
    let mut total = 0_u32;
    let mut totals = Vec::with_capacity(w.samples.len());
    totals.push(0);
    for pair in w.samples.v.windows(2) {
        total += u32::from(counts(pair[0], pair[1]));
        totals.push(total);
    }
    let between = |first: usize, last: usize| f64::from(totals[last] - totals[first]);
    if extension == Some(Extension::Anchored) {
        for (window, out) in from_anchor(w).zip(out) {
            *out = window.map_or(ABSENT, |(first, last)| between(first, last));
        }
    } else {
        for (window, out) in w.iter().zip(out) {
            *out = if window.is_empty() { ABSENT } else { between(window.lo, window.hi - 1) };
        }
    }
}
