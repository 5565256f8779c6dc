//! When a report is due, and whether it is late. Pure.

use std::fmt;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::base::units::Exact;

/// When reports are due.
#[derive(Clone)]
pub enum Due {
    /// No longer than this after the one before.
    Every(Duration),
    /// By these times.
    At {
        /// The expression as written.
        text: String,
        /// The expression.
        cron: Box<croner::Cron>,
        /// By which clock.
        zone: jiff::tz::TimeZone,
    },
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "every {}", Exact(*interval)),
            Self::At { text, zone, .. } => write!(f, "by {text} {}", zone.iana_name().unwrap_or("local time")),
        }
    }
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a report is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lateness {
    /// None is.
    Punctual,
    /// One has been due since then, and the grace is over.
    Late(Timestamp),
    /// The same, but the grace was over before the monitor began: it was paused, or Watchdog was not there, and
    /// whoever reported was not heard.
    Unheard(Timestamp),
}

impl Due {
    /// The distance, where it is fixed.
    pub fn interval(&self) -> Option<Duration> {
        match self {
            Self::Every(interval) => Some(*interval),
            Self::At { .. } => None,
        }
    }

    /// Whether a report is late by more than `grace`, for a monitor that runs since `since`.
    ///
    /// A report serves the time that it was due by, or, when it comes too late for that one and nothing served
    /// that one, the one it missed: a backup that reports at noon instead of 3:30 says nothing about the next
    /// night.
    pub fn late(
        &self,
        now: Timestamp,
        since: Timestamp,
        last: Option<Timestamp>,
        previous: Option<Timestamp>,
        grace: Duration,
    ) -> Lateness {
        let Some(due) = self.unserved(now, since, last, previous, grace) else { return Lateness::Punctual };
        // A short absence, within whose end the grace was not over, changes nothing.
        if due.plus(grace) >= since {
            return Lateness::Late(due);
        }
        match self {
            // Reports are due again from the beginning on.
            Self::Every(interval) if now.since(since) > *interval + grace => Lateness::Late(since.plus(*interval)),
            Self::Every(_) | Self::At { .. } => Lateness::Unheard(due),
        }
    }

    /// The time that no report serves, and whose grace is over.
    fn unserved(
        &self,
        now: Timestamp,
        since: Timestamp,
        last: Option<Timestamp>,
        previous: Option<Timestamp>,
        grace: Duration,
    ) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => {
                let from = last.unwrap_or(since);
                (now.since(from) > *interval + grace).then(|| from.plus(*interval))
            }
            Self::At { .. } => {
                // Strictly: at the very end of the grace it is not late yet.
                let due = self.before(now.minus(grace))?;
                let served = match last {
                    Some(last) => due <= self.served(last, previous, grace)?,
                    None => due <= since,
                };
                (!served).then_some(due)
            }
        }
    }

    /// By when the first report must come.
    pub fn deadline(&self, now: Timestamp, since: Timestamp, grace: Duration) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => Some(since.plus(*interval + grace)),
            Self::At { .. } => Some(self.after(now.minus(grace).max(since))?.plus(grace)),
        }
    }

    /// The latest time that this report serves.
    fn served(&self, report: Timestamp, previous: Option<Timestamp>, grace: Duration) -> Option<Timestamp> {
        let Some(missed) = self.before(report.minus(grace)) else { return self.after(report) };
        let earlier = self.before(missed);
        let was_served = previous.is_some_and(|p| earlier.is_none_or(|earlier| p > earlier.plus(grace)));
        let next = self.after(missed)?;
        // One that is nearer to the next is early, not a day late.
        let is_early = next.since(report) < report.since(missed);
        Some(if was_served || is_early { next } else { missed })
    }

    /// The last time before `at`.
    fn before(&self, at: Timestamp) -> Option<Timestamp> {
        let Self::At { cron, zone, .. } = self else { return None };
        stamp(&cron.find_previous_occurrence(&zoned(at, zone)?, false).ok()?)
    }

    /// The first time after `at`.
    fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let Self::At { cron, zone, .. } = self else { return None };
        stamp(&cron.find_next_occurrence(&zoned(at, zone)?, false).ok()?)
    }
}

fn zoned(at: Timestamp, zone: &jiff::tz::TimeZone) -> Option<jiff::Zoned> {
    Some(jiff::Timestamp::from_millisecond(at.millis()).ok()?.to_zoned(zone.clone()))
}

fn stamp(at: &jiff::Zoned) -> Option<Timestamp> {
    Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(&format!("{text}:00Z")).unwrap()
    }

    fn nightly(zone: &str) -> Due {
        let cron = Box::new(croner::Cron::from_str("30 3 * * *").unwrap());
        Due::At { text: "30 3 * * *".into(), cron, zone: jiff::tz::TimeZone::get(zone).unwrap() }
    }

    /// Whether the nightly backup is late, given its last two reports.
    #[track_caller]
    fn check(zone: &str, now: &str, last: Option<&str>, previous: Option<&str>, late: Option<&str>) {
        let since = time("2026-01-01T00:00");
        let got = nightly(zone).late(time(now), since, last.map(time), previous.map(time), Duration::from_secs(1_800));
        assert_eq!(
            got,
            late.map_or(Lateness::Punctual, |at| Lateness::Late(time(at))),
            "{now}: {last:?}, {previous:?}"
        );
    }

    /// The same for a monitor that has run only since `since`.
    #[track_caller]
    fn check_since(due: &Due, since: &str, now: &str, last: &str, want: Lateness) {
        let got = due.late(time(now), time(since), Some(time(last)), None, Duration::from_secs(1_800));
        assert_eq!(got, want, "{since} {now}");
    }

    #[test]
    fn what_was_due_while_nobody_listened_is_not_late_until_it_is_due_again() {
        let every = Due::Every(Duration::from_secs(3_600));
        let (last, late) = ("2026-05-10T12:00", |at| Lateness::Late(time(at)));
        let unheard = |at| Lateness::Unheard(time(at));
        // Resumed, or started again, after a day.
        check_since(&every, "2026-05-11T12:00", "2026-05-11T12:01", last, unheard("2026-05-10T13:00"));
        check_since(&every, "2026-05-11T12:00", "2026-05-11T13:30", last, unheard("2026-05-10T13:00"));
        check_since(&every, "2026-05-11T12:00", "2026-05-11T13:31", last, late("2026-05-11T13:00"));
        // A restart before the grace was over forgives nothing.
        check_since(&every, "2026-05-10T13:29", "2026-05-10T13:31", last, late("2026-05-10T13:00"));
        let night = nightly("UTC");
        let last = "2026-05-10T02:50";
        check_since(&night, "2026-05-11T03:59", "2026-05-11T04:01", last, late("2026-05-11T03:30"));
        check_since(&night, "2026-05-11T12:00", "2026-05-11T12:01", last, unheard("2026-05-11T03:30"));
        check_since(&night, "2026-05-11T12:00", "2026-05-12T04:01", last, late("2026-05-12T03:30"));
    }

    #[test]
    fn a_nightly_backup_must_report_by_half_past_three() {
        let evening = Some("2026-05-10T02:50");
        // Due on the 11th at 3:30; late from 4:00 on.
        check("UTC", "2026-05-11T03:59", evening, Some("2026-05-09T02:50"), None);
        check("UTC", "2026-05-11T04:00", evening, Some("2026-05-09T02:50"), None);
        check("UTC", "2026-05-11T04:01", evening, Some("2026-05-09T02:50"), Some("2026-05-11T03:30"));
        check("UTC", "2026-05-11T04:01", Some("2026-05-11T01:00"), evening, None);
        // Within the grace it serves its own night, and not the next.
        check("UTC", "2026-05-11T12:00", Some("2026-05-11T03:45"), evening, None);
        check("UTC", "2026-05-12T04:01", Some("2026-05-11T03:45"), evening, Some("2026-05-12T03:30"));
    }

    #[test]
    fn a_report_that_comes_too_late_is_not_the_next_nights() {
        let (noon, before) = (Some("2026-05-11T12:00"), Some("2026-05-10T02:50"));
        check("UTC", "2026-05-11T12:01", noon, before, None);
        check("UTC", "2026-05-12T04:01", noon, before, Some("2026-05-12T03:30"));
        // A second run on the same day, after one in time, is the next night's: it may have been moved.
        check("UTC", "2026-05-12T04:01", noon, Some("2026-05-11T03:00"), None);
    }

    #[test]
    fn nothing_is_late_that_was_due_before_the_monitor_began() {
        check("UTC", "2026-01-01T03:59", None, None, None);
        check("UTC", "2026-01-01T04:01", None, None, Some("2026-01-01T03:30"));
    }

    #[test]
    fn the_clock_is_the_zones_in_summer_and_winter() {
        // 3:30 in Berlin is 1:30 in summer and 2:30 in winter.
        check("Europe/Berlin", "2026-07-02T02:01", Some("2026-07-01T01:00"), None, Some("2026-07-02T01:30"));
        check("Europe/Berlin", "2026-12-02T02:01", Some("2026-12-01T02:00"), None, None);
        check("Europe/Berlin", "2026-12-02T03:01", Some("2026-12-01T02:00"), None, Some("2026-12-02T02:30"));
    }
}
