//! Times and durations on the command line.

use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::base::time::Timestamp;
use crate::base::units::{Short, UnitError, parse_duration};

/// A time as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// A point in time.
    At(Timestamp),
    /// Before now.
    Ago(Duration),
    /// After now.
    In(Duration),
}

impl Time {
    /// The point in time that it means.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(d) => now.minus(d),
            Self::In(d) => now.plus(d),
        }
    }
}

/// Reads RFC 3339 (`2026-11-23T03:00:00Z`), Unix seconds (`1763900000.5`), `now`, `now-1h30m`, `-1h`.
///
/// # Errors
/// The text is none of these.
pub fn time(text: &str) -> Result<Time, String> {
    let text = text.trim();
    let late = || format!("`{text}` is no time: write RFC 3339, Unix seconds, `now`, `now-1h` or `-1h`");
    let rest = text.strip_prefix("now").unwrap_or(text);
    if rest.is_empty() && !text.is_empty() {
        return Ok(Time::Ago(Duration::ZERO));
    }
    if let Ok(secs) = text.parse::<f64>() {
        // A year has this many; a bare small number is a duration that lacks its unit.
        let far = secs.is_finite() && secs.abs() >= 31_536_000.0 && secs.abs() < 1e12;
        return if far { Ok(Time::At(Timestamp::from_millis((secs * 1e3).round() as i64))) } else { Err(late()) };
    }
    if let Some(ago) = rest.strip_prefix('-') {
        return parse_duration(ago).map(Time::Ago).map_err(|e| format!("{}: {e}", late()));
    }
    if let Some(ahead) = rest.strip_prefix('+') {
        return parse_duration(ahead).map(Time::In).map_err(|e| format!("{}: {e}", late()));
    }
    Timestamp::parse(text).map(Time::At).map_err(|_| late())
}

/// Reads a duration that is not zero: `30s`, `5m`, or a number of seconds, as Prometheus' API takes.
///
/// # Errors
/// The text is no duration.
pub fn length(text: &str) -> Result<Duration, String> {
    let read = match text.trim().parse::<f64>() {
        Ok(secs) => Duration::try_from_secs_f64(secs).map_err(|_| "is no number of seconds".to_owned()),
        Err(_) => parse_duration(text).map_err(|e: UnitError| e.to_string()),
    };
    match read {
        Ok(d) if d.as_millis() == 0 => Err("is shorter than a millisecond".to_owned()),
        other => other,
    }
}

/// Reads what has passed: a duration (`2h`: that long ago), or a [`time()`].
///
/// # Errors
/// The text is neither.
pub fn past(text: &str) -> Result<Time, String> {
    parse_duration(text.trim()).map(Time::Ago).or_else(|_| time(text))
}

/// A time to come, as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// Any form of [`time()`].
    Time(Time),
    /// The next time that the clock here shows this.
    Clock(civil::Time),
    /// By the calendar and clock here.
    Local(civil::DateTime),
}

impl Ahead {
    /// The point in time that it means, by the clock of `zone`.
    pub fn resolve(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let at = |local: civil::DateTime| {
            let zoned = zone.to_ambiguous_zoned(local).compatible();
            zoned.map_or(now, |z| Timestamp::from_millis(z.timestamp().as_millisecond()))
        };
        match self {
            Self::Time(time) => time.resolve(now),
            Self::Local(local) => at(local),
            Self::Clock(clock) => {
                let here = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or_default();
                let today = zone.to_datetime(here).date();
                match at(today.to_datetime(clock)) {
                    later if later > now => later,
                    _ => at(today.tomorrow().unwrap_or(today).to_datetime(clock)),
                }
            }
        }
    }
}

/// Reads `18:30`, `2026-12-24 18:30`, or a [`time()`] such as `now+2h`.
///
/// # Errors
/// The text is none of these.
pub fn ahead(text: &str) -> Result<Ahead, String> {
    let text = text.trim();
    if let Ok(time) = time(text) {
        return Ok(Ahead::Time(time));
    }
    if text.len() <= 8
        && text.contains(':')
        && let Ok(clock) = text.parse::<civil::Time>()
    {
        return Ok(Ahead::Clock(clock));
    }
    let local = text.parse::<civil::DateTime>().map(Ahead::Local);
    local.map_err(|_| format!("`{text}` is no time: write `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`"))
}

/// A point in time for people: the time of day, with the date unless it is today's, and how far off it is.
pub fn when(at: Timestamp, now: Timestamp) -> String {
    let same_day = at.local("%F") == now.local("%F");
    let clock = at.local(if same_day { "%H:%M" } else { "%F %H:%M" });
    match at > now {
        true => format!("{clock}, in {}", Short(at.since(now))),
        false => format!("{clock}, {} ago", Short(now.since(at))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_763_900_000_000);

    #[test]
    fn times_that_are_understood() {
        #[track_caller]
        fn check(text: &str, ms: i64) {
            assert_eq!(time(text).map(|t| t.resolve(NOW).millis()), Ok(ms), "{text}");
        }
        check("now", 1_763_900_000_000);
        check("now-1h", 1_763_896_400_000);
        check("-1h", 1_763_896_400_000);
        check("-1h30m", 1_763_894_600_000);
        check("now+5m", 1_763_900_300_000);
        check("1763900000.25", 1_763_900_000_250);
        check("2025-11-23T12:13:20Z", 1_763_900_000_000);
        check("2025-11-23T13:13:20+01:00", 1_763_900_000_000);
    }

    #[test]
    fn times_that_are_refused() {
        for text in ["", "5", "yesterday", "now-", "now-1", "-1x", "nowhere", "2025-11-23", "1e300", "NaN"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_to_come() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let check = |text: &str, expected: &str| {
            // 2025-11-23T12:13:20Z: 13:13:20 by that clock.
            let at = ahead(text).unwrap().resolve(NOW, &zone);
            assert_eq!(at.to_string(), expected, "{text}");
        };
        check("18:30", "2025-11-23T17:30:00.000Z");
        check("13:13", "2025-11-24T12:13:00.000Z");
        check("2025-12-24 18:30", "2025-12-24T17:30:00.000Z");
        check("2025-12-24T18:30:15", "2025-12-24T17:30:15.000Z");
        check("2025-12-24T18:30:15Z", "2025-12-24T18:30:15.000Z");
        check("2025-12-24", "2025-12-23T23:00:00.000Z");
        check("now+90m", "2025-11-23T13:43:20.000Z");
        for text in ["", "soon", "25:00", "2h", "5"] {
            assert!(ahead(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_that_has_passed_may_be_an_age() {
        assert_eq!(past("2h"), Ok(Time::Ago(Duration::from_secs(7_200))));
        assert_eq!(past("-2h"), past("2h"));
        assert!(past("two").is_err());
    }

    #[test]
    fn lengths() {
        assert_eq!(length("15"), Ok(Duration::from_secs(15)));
        assert_eq!(length("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(length("1m30s"), Ok(Duration::from_secs(90)));
        for text in ["", "0", "-5", "x", "NaN", "0.0001"] {
            assert!(length(text).is_err(), "{text}");
        }
    }
}
