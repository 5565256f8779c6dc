//! Maintenance windows: planned work during which nobody is told.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::alert::matchers::Matchers;
use crate::alert::window::TimeWindow;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;

/// Occurrences that overlap or touch are one; no more than so many are joined.
const MAX_JOINED: usize = 400;

/// A window.
#[derive(Clone, Debug)]
pub struct MaintenanceWindow {
    /// Unique name.
    pub name: String,
    /// Which alerts it mutes: all of these hold.
    pub matchers: Matchers,
    /// And only those of these monitors, unless empty.
    pub monitors: Vec<String>,
    /// When.
    pub schedule: Schedule,
    /// What is done then.
    pub comment: String,
    /// `watchdog.yaml:12:5`.
    pub source: String,
}

/// When a window is open.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// Once.
    Once(Occurrence),
    /// By a cron expression, for so long each time. The length is elapsed time, whatever the clock does meanwhile.
    Cron {
        /// As written.
        text: String,
        /// The parsed expression.
        cron: Box<croner::Cron>,
        /// How long.
        duration: Duration,
        /// Whose clock.
        zone: TimeZone,
    },
    /// While a time window is open.
    Calendar(TimeWindow),
}

/// From the first moment up to but without the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// First moment.
    pub starts_at: Timestamp,
    /// First moment after it.
    pub ends_at: Timestamp,
}

impl Occurrence {
    /// Whether the moment is within.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.starts_at <= at && at < self.ends_at
    }
}

impl MaintenanceWindow {
    /// Whether alerts with these labels are muted while it is open.
    pub fn covers(&self, labels: &Labels) -> bool {
        let monitor = || labels.get("monitor").unwrap_or_default();
        (self.monitors.is_empty() || self.monitors.iter().any(|m| m == monitor())) && self.matchers.matches(labels)
    }

    /// The occurrence that is on at that moment, occurrences that overlap or touch joined to one.
    pub fn active(&self, at: Timestamp) -> Option<Occurrence> {
        let mut found = match &self.schedule {
            Schedule::Once(once) => return Some(*once).filter(|o| o.contains(at)),
            Schedule::Calendar(window) => {
                let starts_at = window.open_since(at)?;
                return Some(Occurrence { starts_at, ends_at: window.next_change(at).unwrap_or(FOREVER) });
            }
            Schedule::Cron { .. } => self.cron(at, Direction::Back).filter(|o| o.contains(at))?,
        };
        for _ in 0..MAX_JOINED {
            // An occurrence that touches the end counts as the same.
            match self.cron(found.ends_at, Direction::Back) {
                Some(later) if later.ends_at > found.ends_at => found.ends_at = later.ends_at,
                _ => break,
            }
        }
        for _ in 0..MAX_JOINED {
            match self.cron(before(found.starts_at), Direction::Back) {
                Some(earlier) if earlier.ends_at >= found.starts_at => found.starts_at = earlier.starts_at,
                _ => break,
            }
        }
        Some(found)
    }

    /// The first occurrence that begins after that moment, and after the one that is on then.
    pub fn next(&self, after: Timestamp) -> Option<Occurrence> {
        let after = self.active(after).map_or(after, |on| on.ends_at);
        match &self.schedule {
            Schedule::Once(once) => Some(*once).filter(|o| o.starts_at > after),
            Schedule::Calendar(window) => {
                // Closed at `after`, or open for good.
                let starts_at = window.next_change(after).filter(|t| window.contains(*t))?;
                Some(Occurrence { starts_at, ends_at: window.next_change(starts_at).unwrap_or(FOREVER) })
            }
            Schedule::Cron { .. } => {
                let first = self.cron(after, Direction::Forth)?;
                self.active(first.starts_at)
            }
        }
    }

    /// The occurrence that is on and those that follow, in order.
    pub fn occurrences(&self, from: Timestamp) -> impl Iterator<Item = Occurrence> {
        let first = self.active(from).or_else(|| self.next(from));
        std::iter::successors(first, |o| self.next(o.starts_at))
    }

    /// When it next opens or closes.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let of = |o: Occurrence| if o.starts_at > after { o.starts_at } else { o.ends_at };
        self.active(after).or_else(|| self.next(after)).map(of).filter(|t| *t < FOREVER)
    }

    /// The nearest occurrence by the cron expression alone: begun at `at` or before, or begun after it.
    fn cron(&self, at: Timestamp, direction: Direction) -> Option<Occurrence> {
        let Schedule::Cron { cron, duration, zone, .. } = &self.schedule else { return None };
        let clock = jiff::Timestamp::from_millisecond(at.millis()).ok()?.to_zoned(zone.clone());
        let start = match direction {
            Direction::Back => cron.find_previous_occurrence(&clock, true),
            Direction::Forth => cron.find_next_occurrence(&clock, false),
        };
        let starts_at = Timestamp::from_millis(start.ok()?.timestamp().as_millisecond());
        Some(Occurrence { starts_at, ends_at: starts_at.plus(*duration) })
    }
}

/// The end of what has none.
pub const FOREVER: Timestamp = Timestamp::from_millis(i64::MAX);

#[derive(Clone, Copy)]
enum Direction {
    Back,
    Forth,
}

const fn before(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;
    use crate::alert::window::TimeInterval;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn window(schedule: Schedule) -> MaintenanceWindow {
        MaintenanceWindow {
            name: "w".to_owned(),
            matchers: Matchers::default(),
            monitors: Vec::new(),
            schedule,
            comment: String::new(),
            source: String::new(),
        }
    }

    fn cron(text: &str, duration: Duration) -> MaintenanceWindow {
        let cron = Box::new(croner::Cron::from_str(text).unwrap());
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        window(Schedule::Cron { text: text.to_owned(), cron, duration, zone })
    }

    fn said(o: Option<Occurrence>) -> Option<(String, String)> {
        o.map(|o| (o.starts_at.to_string()[..16].to_owned(), o.ends_at.to_string()[..16].to_owned()))
    }

    #[track_caller]
    fn check(window: &MaintenanceWindow, text: &str, active: Option<(&str, &str)>, next: Option<(&str, &str)>) {
        let own = |pair: Option<(&str, &str)>| pair.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!((said(window.active(at(text))), said(window.next(at(text)))), (own(active), own(next)), "{text}");
    }

    #[test]
    fn one_off_work_is_on_from_its_start_up_to_its_end() {
        let once = window(Schedule::Once(Occurrence {
            starts_at: at("2026-12-01T22:00:00Z"),
            ends_at: at("2026-12-02T02:00:00Z"),
        }));
        let its = Some(("2026-12-01T22:00", "2026-12-02T02:00"));
        check(&once, "2026-12-01T21:59:59Z", None, its);
        check(&once, "2026-12-01T22:00:00Z", its, None);
        check(&once, "2026-12-02T02:00:00Z", None, None);
        assert_eq!(once.next_change(at("2026-12-01T20:00:00Z")), Some(at("2026-12-01T22:00:00Z")));
        assert_eq!(once.next_change(at("2026-12-01T23:00:00Z")), Some(at("2026-12-02T02:00:00Z")));
    }

    #[test]
    fn recurring_work_follows_the_clock_of_its_zone() {
        let sundays = cron("0 4 * * SUN", HOUR * 2);
        // Summer time until 25 October 2026, 03:00.
        check(
            &sundays,
            "2026-10-18T02:00:00Z",
            Some(("2026-10-18T02:00", "2026-10-18T04:00")),
            Some(("2026-10-25T03:00", "2026-10-25T05:00")),
        );
        check(&sundays, "2026-10-18T04:00:00Z", None, Some(("2026-10-25T03:00", "2026-10-25T05:00")));
        let starts: Vec<String> = sundays
            .occurrences(at("2026-10-19T00:00:00Z"))
            .take(3)
            .map(|o| o.starts_at.to_string()[..16].to_owned())
            .collect();
        assert_eq!(starts, ["2026-10-25T03:00", "2026-11-01T03:00", "2026-11-08T03:00"]);
    }

    #[test]
    fn work_that_begins_in_the_hour_that_is_skipped_begins_after_it() {
        let daily = cron("30 2 * * *", HOUR);
        check(&daily, "2026-03-29T00:59:59Z", None, Some(("2026-03-29T01:00", "2026-03-29T02:00")));
        // In the hour that comes twice, once.
        let starts: Vec<String> = daily
            .occurrences(at("2026-10-24T12:00:00Z"))
            .take(2)
            .map(|o| o.starts_at.to_string()[..16].to_owned())
            .collect();
        assert_eq!(starts, ["2026-10-25T00:30", "2026-10-26T01:30"]);
    }

    #[test]
    fn occurrences_that_overlap_are_one() {
        let often = cron("0 1,2,3 * * *", HOUR + HOUR / 2);
        let night = Some(("2026-12-01T00:00", "2026-12-01T03:30"));
        let next = Some(("2026-12-02T00:00", "2026-12-02T03:30"));
        check(&often, "2026-12-01T00:00:00Z", night, next);
        check(&often, "2026-12-01T01:45:00Z", night, next);
        check(&often, "2026-12-01T03:29:00Z", night, next);
        check(&often, "2026-12-01T03:30:00Z", None, next);
        let always = cron("* * * * *", HOUR);
        assert!(always.active(at("2026-12-01T00:00:00Z")).is_some());
    }

    #[test]
    fn a_calendar_is_open_while_its_window_is() {
        let times = TimeInterval { times: vec![(60, 120)], weekdays: vec![(0, 0)], ..TimeInterval::default() };
        let calendar = window(Schedule::Calendar(TimeWindow { intervals: vec![times], ..TimeWindow::default() }));
        check(
            &calendar,
            "2026-11-29T01:30:00Z",
            Some(("2026-11-29T01:00", "2026-11-29T02:00")),
            Some(("2026-12-06T01:00", "2026-12-06T02:00")),
        );
        check(&calendar, "2026-11-29T02:00:00Z", None, Some(("2026-12-06T01:00", "2026-12-06T02:00")));
        let always = window(Schedule::Calendar(TimeWindow {
            intervals: vec![TimeInterval::default()],
            ..TimeWindow::default()
        }));
        assert!(always.active(at("2026-11-29T01:30:00Z")).is_some());
        assert_eq!(
            (always.next(at("2026-11-29T01:30:00Z")), always.next_change(at("2026-11-29T01:30:00Z"))),
            (None, None)
        );
    }

    #[test]
    fn only_what_it_names_is_muted() {
        let labels = |text: &str| Labels::new(text.split(' ').filter_map(|pair| pair.split_once('=')));
        let mut window = cron("0 4 * * SUN", HOUR);
        assert!(window.covers(&labels("monitor=shop")));
        window.monitors = vec!["shop".to_owned(), "db".to_owned()];
        window.matchers = Matchers::parse("team=web").unwrap();
        assert!(window.covers(&labels("monitor=shop team=web")));
        assert!(!window.covers(&labels("monitor=shop team=db")));
        assert!(!window.covers(&labels("monitor=other team=web")));
    }
}
