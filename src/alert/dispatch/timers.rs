//! What is due when: one entry per timer, the next one found without looking at the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::rule::Fingerprint;
use crate::base::time::Timestamp;

/// Index of a group while it lives; never reused within a process.
pub type GroupId = u64;

/// One thing that may become due. Those due at one instant run in this order: what changes the state
/// of things comes before what tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A time interval or maintenance window begins or ends.
    Windows,
    /// What mutes alerts changed: the board is brought up to date.
    Mutes,
    /// A silence begins, ends, or is forgotten for good.
    Silence(String),
    /// An alert is over unless its source says otherwise.
    Expiry(Fingerprint),
    /// A flapping alert has been quiet.
    Quiet(Fingerprint),
    /// An acknowledgement lapses.
    Ack(Fingerprint),
    /// A group is flushed.
    Flush(GroupId),
    /// A step of a group's escalation.
    Escalate(GroupId),
    /// A digest to a notifier.
    Digest(String),
    /// A silence's reminder.
    Reminder(String),
    /// An alert that is over leaves the board.
    Forget(Fingerprint),
}

/// All timers.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    order: BTreeSet<(Timestamp, Timer)>,
    due: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    /// Sets a timer, or moves it.
    pub fn set(&mut self, timer: Timer, at: Timestamp) {
        self.clear(&timer);
        self.due.insert(timer.clone(), at);
        self.order.insert((at, timer));
    }

    /// Stops a timer.
    pub fn clear(&mut self, timer: &Timer) {
        if let Some(at) = self.due.remove(timer) {
            self.order.remove(&(at, timer.clone()));
        }
    }

    /// Sets a timer, or stops it.
    pub fn put(&mut self, timer: Timer, at: Option<Timestamp>) {
        match at {
            Some(at) => self.set(timer, at),
            None => self.clear(&timer),
        }
    }

    /// When a timer is due.
    pub fn at(&self, timer: &Timer) -> Option<Timestamp> {
        self.due.get(timer).copied()
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the next timer that is due, with the time at which it was.
    pub fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        if self.next()? > now {
            return None;
        }
        let (at, timer) = self.order.pop_first()?;
        self.due.remove(&timer);
        Some((at, timer))
    }

    /// Moves all timers that `which` picks by a jump of the clock.
    pub fn shift(&mut self, which: impl Fn(&Timer) -> bool, moved: impl Fn(Timestamp) -> Timestamp) {
        let picked: Vec<_> = self.due.iter().filter(|(t, _)| which(t)).map(|(t, at)| (t.clone(), moved(*at))).collect();
        picked.into_iter().for_each(|(timer, at)| self.set(timer, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_order_of_time_then_of_kind_and_only_once() {
        let at = Timestamp::from_millis;
        let mut timers = Timers::default();
        timers.set(Timer::Flush(1), at(5));
        timers.set(Timer::Flush(2), at(9));
        timers.set(Timer::Windows, at(5));
        timers.set(Timer::Flush(2), at(3));
        timers.set(Timer::Flush(3), at(4));
        timers.clear(&Timer::Flush(3));
        assert_eq!(timers.next(), Some(at(3)));
        let mut seen = Vec::new();
        while let Some((_, timer)) = timers.pop(at(5)) {
            seen.push(timer);
        }
        assert_eq!(seen, [Timer::Flush(2), Timer::Windows, Timer::Flush(1)]);
        assert_eq!(timers.next(), None);
    }
}
