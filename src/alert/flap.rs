//! Flap detection: an alert that keeps changing its mind is told once, then held until it is quiet.
//!
//! Entered after more than `changes` changes within `window`; left after `quiet` without any change.
//! The two differ on purpose (hysteresis), so that the detection itself does not flap. While it holds,
//! the alert counts as firing: whoever was told keeps believing what is mostly true.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// When an alert counts as flapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlapPolicy {
    /// More changes than this within `window` are flapping; `None` switches the detection off.
    pub changes: Option<u32>,
    /// The time in which changes are counted.
    pub window: Duration,
    /// The time without a change after which it is over.
    pub quiet: Duration,
}

impl Default for FlapPolicy {
    /// Three whole episodes in half an hour are told one by one; at the fourth it is flapping. With
    /// these, an hour of changes every second costs two messages (RELIABILITY F35 allows four).
    fn default() -> Self {
        Self { changes: Some(6), window: Duration::from_secs(30 * 60), quiet: Duration::from_secs(15 * 60) }
    }
}

/// What the detection remembers of one alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flap {
    /// Times of the newest changes, oldest first; never more than the policy counts.
    changes: VecDeque<Timestamp>,
    /// Since when it holds.
    since: Option<Timestamp>,
}

impl Flap {
    /// Whether the alert is held as flapping.
    pub const fn holds(&self) -> bool {
        self.since.is_some()
    }

    /// Since when.
    pub const fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Changes in memory, as many as count.
    pub fn count(&self) -> usize {
        self.changes.len()
    }

    /// Takes note of a change.
    pub fn changed(&mut self, policy: &FlapPolicy, now: Timestamp) {
        let Some(limit) = policy.changes else {
            *self = Self::default();
            return;
        };
        let limit = limit.max(1) as usize;
        self.changes.push_back(now);
        while self.changes.len() > limit + 1 {
            self.changes.pop_front();
        }
        let oldest = self.changes.front().copied().unwrap_or(now);
        if self.changes.len() > limit && now.since(oldest) <= policy.window && self.since.is_none() {
            self.since = Some(now);
        }
    }

    /// Leaves the hold when it has been quiet long enough; says whether it did.
    pub fn settle(&mut self, policy: &FlapPolicy, now: Timestamp) -> bool {
        let over =
            self.since.is_some() && (policy.changes.is_none() || self.quiet_at(policy).is_none_or(|at| at <= now));
        if over {
            *self = Self::default();
        }
        over
    }

    /// When the hold ends unless something changes; `None` while nothing is held.
    pub fn quiet_at(&self, policy: &FlapPolicy) -> Option<Timestamp> {
        self.since.map(|since| self.changes.back().copied().unwrap_or(since).plus(policy.quiet))
    }

    /// Moves all times by a jump of the clock.
    pub fn shift(&mut self, moved: impl Fn(Timestamp) -> Timestamp) {
        self.changes.iter_mut().for_each(|t| *t = moved(*t));
        self.since = self.since.map(moved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: FlapPolicy =
        FlapPolicy { changes: Some(3), window: Duration::from_secs(60), quiet: Duration::from_secs(30) };

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1_000)
    }

    #[test]
    fn more_changes_than_allowed_in_the_window_are_flapping_until_it_is_quiet() {
        let mut flap = Flap::default();
        for (second, holds) in [(0, false), (20, false), (40, false), (60, true), (80, true)] {
            flap.changed(&POLICY, at(second));
            assert_eq!(flap.holds(), holds, "{second}s");
        }
        assert_eq!(flap.quiet_at(&POLICY), Some(at(110)));
        assert!(!flap.settle(&POLICY, at(109)));
        assert!(flap.settle(&POLICY, at(110)));
        assert_eq!(flap, Flap::default());
    }

    #[test]
    fn changes_far_apart_are_not_flapping() {
        let mut flap = Flap::default();
        for i in 0..100 {
            flap.changed(&POLICY, at(i * 21));
            assert!(!flap.holds());
        }
        assert!(flap.count() <= 4);
    }

    #[test]
    fn switched_off_it_never_holds_and_ends_what_it_held() {
        let off = FlapPolicy { changes: None, ..POLICY };
        let mut flap = Flap::default();
        (0..10).for_each(|i| flap.changed(&POLICY, at(i)));
        assert!(flap.holds() && flap.settle(&off, at(11)));
        (0..10).for_each(|i| flap.changed(&off, at(i)));
        assert!(!flap.holds());
    }
}
