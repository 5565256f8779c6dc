//! The header `Retry-After`: when somebody who is asked too often wants to be asked again.

use std::time::Duration;

use crate::base::time::Timestamp;

/// Reads its value (RFC 9110, section 10.2.3), seconds or a date, as a span from `now`. A date that has passed is no
/// span at all, but zero.
pub fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(value).ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_or_a_date() {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        for (value, want) in [
            (" 42 ", Some(42)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("Wed, 31 Dec 2025 00:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(parse(value, now), want.map(Duration::from_secs), "{value}");
        }
    }
}
