//! Durations (`300ms`, `1h30m`, `7d`) and sizes (`64KiB`, `10MB`) as people write and read them.

use std::fmt;
use std::time::Duration;

/// Why a duration or size was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No text at all.
    #[error("is empty")]
    Empty,
    /// A number without its unit.
    #[error("`{0}` has no unit")]
    NoUnit(String),
    /// A unit that does not exist.
    #[error("`{0}` is not a unit")]
    BadUnit(String),
    /// Something that is not a number where one belongs.
    #[error("`{0}` is not a number")]
    BadNumber(String),
    /// Too large to represent.
    #[error("is too large")]
    TooLarge,
}

/// Units of a duration, largest first, in milliseconds. A year is 365 days, as in Prometheus.
const DURATION_UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Parses `300ms`, `30s`, `1.5s`, `1h30m`, `7d`, `2w`, `1y`. A bare `0` is zero.
///
/// # Errors
/// The text is empty, lacks a unit, or names an unknown one.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(UnitError::Empty);
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let unit_len = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(UnitError::NoUnit(rest.to_owned()));
        }
        let (_, scale) =
            DURATION_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| UnitError::BadUnit(unit.to_owned()))?;
        total = total.checked_add(scaled(number, *scale)?).ok_or(UnitError::TooLarge)?;
        rest = next;
    }
    Ok(Duration::from_millis(total))
}

/// Parses `512`, `512B`, `64KiB`, `10MB`, `1GiB` into bytes; decimal units are powers of 1,000.
///
/// # Errors
/// The text is empty, not a number, or names an unknown unit.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    let (number, unit) = split_number(text)?;
    let scale = match unit.trim() {
        "" | "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        other => return Err(UnitError::BadUnit(other.to_owned())),
    };
    scaled(number, scale)
}

fn split_number(text: &str) -> Result<(&str, &str), UnitError> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    if end == 0 {
        return Err(UnitError::BadNumber(text.to_owned()));
    }
    Ok(text.split_at(end))
}

fn scaled(number: &str, scale: u64) -> Result<u64, UnitError> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(scale).ok_or(UnitError::TooLarge);
    }
    let value: f64 = number.parse().map_err(|_| UnitError::BadNumber(number.to_owned()))?;
    let scaled = value * scale as f64;
    if scaled.is_finite() && scaled <= u64::MAX as f64 { Ok(scaled.round() as u64) } else { Err(UnitError::TooLarge) }
}

/// A duration written so that [`parse_duration`] reads it back: `1h30m`, `300ms`, `0`.
#[derive(Clone, Copy, Debug)]
pub struct Exact(pub Duration);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if ms == 0 {
            return f.write_str("0");
        }
        // Weeks and years are skipped: `8d` reads better than `1w1d`.
        for (unit, scale) in DURATION_UNITS.iter().skip(2) {
            let n = ms / scale;
            if n > 0 {
                write!(f, "{n}{unit}")?;
                ms -= n * scale;
            }
        }
        Ok(())
    }
}

/// A duration for a narrow column, at most six characters: `0.4ms`, `61ms`, `1.9s`, `13m`, `2h05m`, `3d4h`.
#[derive(Clone, Copy, Debug)]
pub struct Short(pub Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        let ms = self.0.as_secs_f64() * 1e3;
        let text = match secs {
            0 if ms < 0.95 => format!("{ms:.1}ms"),
            0 => format!("{ms:.0}ms"),
            1..=9 => format!("{:.1}s", self.0.as_secs_f64()),
            10..=99 => format!("{secs}s"),
            100..=3_599 => format!("{}m", secs / 60),
            3_600..=86_399 => format!("{}h{:02}m", secs / 3_600, secs / 60 % 60),
            86_400..=863_999 => format!("{}d{}h", secs / 86_400, secs / 3_600 % 24),
            _ => format!("{}d", secs / 86_400),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_that_are_understood() {
        #[track_caller]
        fn check(text: &str, ms: u64) {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        check("300ms", 300);
        check("30s", 30_000);
        check("1.5s", 1_500);
        check("1h30m", 5_400_000);
        check("7d", 604_800_000);
        check("2w", 1_209_600_000);
        check("1y", 31_536_000_000);
        check("0", 0);
    }

    #[test]
    fn durations_that_are_refused() {
        for text in ["", "5", "5 s", "s", "-1s", "1x", "1h30", "99999999999y"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exact_reads_back() {
        for ms in [0, 1, 300, 1_500, 90_000, 5_400_000, 691_200_000] {
            let d = Duration::from_millis(ms);
            assert_eq!(parse_duration(&Exact(d).to_string()), Ok(d));
        }
    }

    #[test]
    fn short_fits_a_column() {
        #[track_caller]
        fn check(ms: u64, text: &str) {
            assert_eq!(Short(Duration::from_millis(ms)).to_string(), text);
        }
        check(0, "0.0ms");
        check(61, "61ms");
        check(1_900, "1.9s");
        check(10_000, "10s");
        check(827_000, "13m");
        check(7_500_000, "2h05m");
        check(273_600_000, "3d4h");
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        assert_eq!(parse_size("10MB"), Ok(10_000_000));
        assert_eq!(parse_size("1.5 MiB"), Ok(1_572_864));
        assert_eq!(parse_size("12"), Ok(12));
        assert!(parse_size("12XB").is_err());
    }
}
