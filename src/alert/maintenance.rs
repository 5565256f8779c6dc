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
const FOREVER: Timestamp = Timestamp::from_millis(i64::MAX);

#[derive(Clone, Copy)]
enum Direction {
    Back,
    Forth,
}

const fn before(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_sub(1))
}
