//! How numbers and times are written for people: `1.5k`, `97.2%`, `3 GiB`, `2h05m`.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::time::Timestamp;
use crate::base::units::Short;

/// A span of so many seconds, for a person.
pub fn duration(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds.abs()) {
        Ok(span) if seconds < 0.0 => format!("-{}", Short(span)),
        Ok(span) => Short(span).to_string(),
        Err(_) => number(seconds),
    }
}

/// A number with a prefix of thousands: `1.5k`, `20m` for 0.02.
pub fn humanize(value: f64) -> String {
    const LARGE: [&str; 9] = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
    const SMALL: [&str; 9] = ["", "m", "u", "n", "p", "f", "a", "z", "y"];
    if value == 0.0 || !value.is_finite() {
        return number(value);
    }
    let (mut scaled, mut step) = (value, 0);
    if value.abs() >= 1.0 {
        while scaled.abs() >= 1000.0 && step + 1 < LARGE.len() {
            scaled /= 1000.0;
            step += 1;
        }
        return format!("{}{}", digits(scaled), LARGE[step]);
    }
    while scaled.abs() < 1.0 && step + 1 < SMALL.len() {
        scaled *= 1000.0;
        step += 1;
    }
    format!("{}{}", digits(scaled), SMALL[step])
}

/// A ratio as a percentage: `97.2%` for 0.972.
pub fn percent(value: f64) -> String {
    format!("{}%", digits(value * 100.0))
}

/// A number of bytes: `1.5 GiB`.
pub fn bytes(value: f64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut scaled, mut step) = (value, 0);
    while scaled.abs() >= 1024.0 && scaled.is_finite() && step + 1 < UNITS.len() {
        scaled /= 1024.0;
        step += 1;
    }
    format!("{} {}", digits(scaled), UNITS[step])
}

/// A number as a person reads it: without noise after the fourth significant digit.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else if (1e-4..1e15).contains(&value.abs()) {
        digits(value)
    } else {
        format!("{value:e}")
    }
}

/// Four significant digits, trailing zeros gone.
fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return number_word(value);
    }
    let whole = value.abs().log10().floor().clamp(-12.0, 12.0) as i32 + 1;
    let decimals = usize::try_from(4 - whole).unwrap_or(0).min(12);
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn number_word(value: f64) -> String {
    match value {
        v if v.is_nan() => "NaN",
        v if v.is_infinite() && v > 0.0 => "+Inf",
        v if v.is_infinite() => "-Inf",
        _ => "0",
    }
    .to_owned()
}

/// A moment in a time zone: `2025-11-23 12:13:20 UTC`.
pub fn datetime(at: Timestamp, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.millis()) {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            ["1500", "0.02", "-12345678", "0", "1"].map(|t| humanize(t.parse().unwrap())),
            ["1.5k", "20m", "-12.35M", "0", "1"]
        );
        assert_eq!([0.972, 1.0, 0.000_01].map(percent), ["97.2%", "100%", "0.001%"]);
        assert_eq!([0.0, 1023.0, 1536.0, 3e9].map(bytes), ["0 B", "1023 B", "1.5 KiB", "2.794 GiB"]);
        assert_eq!([59.0, 7_500.0, -90.0].map(duration), ["59s", "2h05m", "-90s"]);
        assert_eq!([1e300, f64::NAN, f64::INFINITY, 0.1 + 0.2, 5.0].map(number), ["1e300", "NaN", "+Inf", "0.3", "5"]);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE] {
            for write in [humanize, percent, bytes, duration, number] {
                assert!(write(odd).len() < 400);
            }
        }
    }

    #[test]
    fn a_moment_is_shown_where_people_live() {
        let at = Timestamp::from_millis(1_763_900_000_120);
        assert_eq!(datetime(at, &TimeZone::UTC), "2025-11-23 12:13:20 UTC");
        let shanghai = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(datetime(at, &shanghai), "2025-11-23 20:13:20 +08");
        assert!(!datetime(Timestamp::from_millis(i64::MAX), &TimeZone::UTC).is_empty());
    }
}
