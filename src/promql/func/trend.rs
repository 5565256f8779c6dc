//! Trends within windows: `deriv`, `predict_linear`, `double_exponential_smoothing`.

use crate::promql::func::kahan::Sum;
use crate::promql::func::range::Param;
use crate::promql::func::window::{ABSENT, Windows};
use crate::promql::value::EvalError;

/// Slope per second of the line of least squares.
pub fn deriv(w: &Windows<'_>, out: &mut [f64]) {
    let (t, v) = (&w.samples.t[..], &w.samples.v[..]);
    for (window, out) in w.iter().zip(out) {
        let samples = window.lo..window.hi;
        *out = match window.len() {
            0 | 1 => ABSENT,
            // Times near those of the samples keep the products small.
            _ => line(&t[samples.clone()], &v[samples], t[window.lo]).slope,
        };
    }
}

/// The value of the line of least squares so many seconds after the step.
pub fn predict_linear(w: &Windows<'_>, after: Param<'_>, out: &mut [f64]) {
    let (t, v) = (&w.samples.t[..], &w.samples.v[..]);
    for (k, (window, out)) in w.iter().zip(out).enumerate() {
        *out = ABSENT;
        if window.len() >= 2 {
            let samples = window.lo..window.hi;
            let line = line(&t[samples.clone()], &v[samples], w.times.at(k));
            *out = line.slope * after.at(k) + line.intercept;
        }
    }
}

struct Line {
    slope: f64,
    intercept: f64,
}

/// Least squares over at least one sample; the intercept is at `origin`.
fn line(t: &[i64], v: &[f64], origin: i64) -> Line {
    let first = v[0];
    if v.iter().all(|v| *v == first) {
        let bad = first.is_infinite();
        return Line { slope: if bad { f64::NAN } else { 0.0 }, intercept: if bad { f64::NAN } else { first } };
    }
    let [mut sum_x, mut sum_y, mut sum_xy, mut sum_xx] = [Sum::default(); 4];
    for (t, y) in t.iter().zip(v) {
        let x = t.wrapping_sub(origin) as f64 / 1000.0;
        sum_x.add(x);
        sum_y.add(*y);
        sum_xy.add(x * y);
        sum_xx.add(x * x);
    }
    let n = v.len() as f64;
    let [x, y, xy, xx] = [sum_x, sum_y, sum_xy, sum_xx].map(|s| s.sum + s.lost);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Line { slope, intercept: y / n - slope * x / n }
}

/// Holt's linear smoothing.
pub fn double_exponential_smoothing(
    w: &Windows<'_>,
    smoothing: Param<'_>,
    trend: Param<'_>,
    out: &mut [f64],
) -> Result<(), EvalError> {
    let v = &w.samples.v[..];
    for (k, (window, out)) in w.iter().zip(out).enumerate() {
        *out = ABSENT;
        // A step without samples does not look at its arguments.
        if window.is_empty() {
            continue;
        }
        let factors = [("smoothing", "sf", smoothing.at(k)), ("trend", "tf", trend.at(k))];
        // Written so that NaN is let through, as by Prometheus.
        if let Some((what, name, v)) = factors.into_iter().find(|(_, _, v)| *v <= 0.0 || *v >= 1.0) {
            let text = format!("invalid {what} factor. Expected: 0 < {name} < 1, got: {v:.6}");
            return Err(EvalError::Execution(text));
        }
        if window.len() >= 2 {
            *out = smooth(&v[window.lo..window.hi], smoothing.at(k), trend.at(k));
        }
    }
    Ok(())
}

fn smooth(v: &[f64], smoothing: f64, trend: f64) -> f64 {
    let (mut before, mut level) = (0.0, v[0]);
    let mut slope = v[1] - v[0];
    for (i, v) in v.iter().enumerate().skip(1) {
        if i > 1 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * v + (1.0 - smoothing) * (level + slope);
        (before, level) = (level, next);
    }
    level
}
