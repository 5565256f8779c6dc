//! Numbers for people: Prometheus' `humanize…` functions.

use crate::render::gotemplate::float::general;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
/// Significant digits of all of them.
const DIGITS: Option<usize> = Some(4);

fn special(v: f64) -> bool {
    v.is_nan() || v.is_infinite()
}

/// Divides by `step` while the value is that large.
fn scaled(mut v: f64, step: f64, prefixes: &[&'static str]) -> (f64, &'static str) {
    let mut prefix = "";
    for p in prefixes {
        if v.abs() < step {
            break;
        }
        (prefix, v) = (p, v / step);
    }
    (v, prefix)
}

/// Multiplies by a thousand while the value is below one.
fn magnified(mut v: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for p in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        (prefix, v) = (p, v * 1_000.0);
    }
    (v, prefix)
}

pub(super) fn decimal(v: f64) -> String {
    if v == 0.0 || special(v) {
        return general(v, DIGITS);
    }
    let (v, prefix) = if v.abs() >= 1.0 { scaled(v, 1_000.0, &LARGE) } else { magnified(v) };
    format!("{}{prefix}", general(v, DIGITS))
}

pub(super) fn binary(v: f64) -> String {
    if v.abs() <= 1.0 || special(v) {
        return general(v, DIGITS);
    }
    let (v, prefix) = scaled(v, 1_024.0, &BINARY);
    format!("{}{prefix}", general(v, DIGITS))
}

pub(super) fn duration(v: f64) -> String {
    if special(v) {
        return general(v, DIGITS);
    }
    if v == 0.0 {
        return format!("{}s", general(v, DIGITS));
    }
    if v.abs() < 1.0 {
        let (v, prefix) = magnified(v);
        return format!("{}{prefix}s", general(v, DIGITS));
    }
    let (sign, v) = if v < 0.0 { ("-", -v) } else { ("", v) };
    // Go's conversion of what does not fit is the smallest number there.
    let whole = if v < 9.2e18 { v as i64 } else { i64::MIN };
    let (seconds, minutes, hours, days) = (whole % 60, whole / 60 % 60, whole / 3_600 % 24, whole / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", general(v, DIGITS)),
        (0, 0, m) => format!("{sign}{m}m {seconds}s"),
        (0, h, m) => format!("{sign}{h}h {m}m {seconds}s"),
        (d, h, m) => format!("{sign}{d}d {h}h {m}m {seconds}s"),
    }
}

pub(super) fn percentage(v: f64) -> String {
    format!("{}%", general(v * 100.0, DIGITS))
}

/// Nanoseconds of a time in seconds, cut to milliseconds. `Ok(None)` for what is no number.
pub(super) fn nanos(v: f64) -> Result<Option<i64>, String> {
    if special(v) {
        return Ok(None);
    }
    let nanos = v * 1e9;
    if !(-9.223_372_036_854_775e18..=9.223_372_036_854_775e18).contains(&nanos) {
        let v = general(v, None);
        return Err(format!("{v} cannot be represented as a nanoseconds timestamp since it overflows int64"));
    }
    Ok(Some(nanos as i64 / 1_000_000 * 1_000_000))
}
