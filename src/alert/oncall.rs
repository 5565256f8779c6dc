//! Who is on call: rotations by day or week, with overrides.
//!
//! A turn begins at the hand-over time of the rota's zone. Where the clock skips that time, at the moment it does;
//! where the time comes twice, the first time.

use jiff::ToSpan as _;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::alert::maintenance::Occurrence;
use crate::alert::window::TimeWindow;
use crate::base::time::Timestamp;

/// Changes that put the same person on call again are passed over, at most so many.
const MAX_CHANGES: usize = 1_000;

/// A rota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rota {
    /// Unique name.
    pub name: String,
    /// The first whose time it is decides; the last one has no `during`, so that there always is one.
    pub layers: Vec<Layer>,
    /// Outweigh the layers; of those that overlap the last written counts.
    pub overrides: Vec<Override>,
    /// `watchdog.yaml:12:5`.
    pub source: String,
}

/// People that take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Receivers, in order; at least one.
    pub members: Vec<String>,
    /// Days of one turn, at least 1.
    pub days: u16,
    /// The day on which the first member's first turn begins.
    pub start: Date,
    /// When turns begin.
    pub handover: Time,
    /// Whose clock.
    pub zone: TimeZone,
    /// The layer counts only while this is open.
    pub during: Option<TimeWindow>,
}

/// Somebody else, for once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// When.
    pub when: Occurrence,
    /// The receiver.
    pub member: String,
}

impl Rota {
    /// The receiver that is on call at that moment; empty only for a rota without layers.
    pub fn on_call(&self, at: Timestamp) -> &str {
        if let Some(instead) = self.overrides.iter().rev().find(|o| o.when.contains(at)) {
            return &instead.member;
        }
        let open = |layer: &&Layer| layer.during.as_ref().is_none_or(|window| window.contains(at));
        self.layers.iter().find(open).map_or("", |layer| layer.on_call(at))
    }

    /// When somebody else is on call next; `None` if nobody ever is.
    pub fn next_handover(&self, after: Timestamp) -> Option<Timestamp> {
        let now = self.on_call(after);
        let mut at = after;
        for _ in 0..MAX_CHANGES {
            let overrides = self.overrides.iter().flat_map(|o| [o.when.starts_at, o.when.ends_at]).filter(|t| *t > at);
            let turns = self.layers.iter().filter_map(|l| l.next_turn(at));
            let windows = self.layers.iter().filter_map(|l| l.during.as_ref()?.next_change(at));
            at = overrides.chain(turns).chain(windows).min()?;
            if self.on_call(at) != now {
                return Some(at);
            }
        }
        None
    }
}

impl Layer {
    fn on_call(&self, at: Timestamp) -> &str {
        let turns = i64::try_from(self.members.len()).unwrap_or(i64::MAX).max(1);
        let index = usize::try_from(self.turn(at).rem_euclid(turns)).unwrap_or(0);
        self.members.get(index).map_or("", String::as_str)
    }

    /// The moment after which the next turn begins; nothing with one member only.
    fn next_turn(&self, after: Timestamp) -> Option<Timestamp> {
        if self.members.len() < 2 { None } else { self.begins(self.turn(after).checked_add(1)?) }
    }

    /// The number of the turn, which may be negative.
    fn turn(&self, at: Timestamp) -> i64 {
        let clock = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default().to_zoned(self.zone.clone());
        let days = self.start.until(clock.date()).map_or(0, |span| i64::from(span.get_days()));
        let about = days.div_euclid(i64::from(self.days.max(1)));
        // The date alone is off by at most one: the hand-over of that day may be to come, or zones may turn dates.
        let begun = |turn: &i64| self.begins(*turn).is_some_and(|start| start <= at);
        [about + 1, about].into_iter().find(begun).unwrap_or(about - 1)
    }

    /// When a turn begins; nothing beyond what calendars hold.
    fn begins(&self, turn: i64) -> Option<Timestamp> {
        let days = turn.checked_mul(i64::from(self.days.max(1)))?;
        let day = self.start.checked_add(i32::try_from(days).ok()?.days()).ok()?;
        let at = self.zone.to_timestamp(day.to_datetime(self.handover)).ok()?;
        Some(Timestamp::from_millis(at.as_millisecond()))
    }
}
