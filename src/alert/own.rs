//! The life of an alert that Watchdog raises about itself: no monitor and no rule stands behind it.

use std::time::Duration;

use crate::alert::instance::{Phase, Transition};
use crate::alert::rule::Over;
use crate::base::name::MonitorName;
use crate::base::time::Timestamp;

/// What such an alert is about, in the place of a monitor.
pub const SUBJECT: &str = "watchdog";

/// The name that stands where other alerts name their monitor.
#[expect(clippy::expect_used, reason = "the constant is a valid name")]
pub fn subject() -> MonitorName {
    MonitorName::new(SUBJECT).expect("a valid name")
}

/// Applies how we stand now: trouble that lasts for `hold` is told.
#[must_use]
pub fn step(phase: Phase, trouble: bool, hold: Duration, now: Timestamp) -> (Phase, Option<Transition>) {
    match (phase, trouble) {
        (Phase::Inactive | Phase::Resolved { .. }, true) => (Phase::Pending { since: now }, Some(Transition::Pending)),
        (Phase::Pending { since }, true) if now.since(since) >= hold => {
            (Phase::Firing { starts_at: since, since: now }, Some(Transition::Fired))
        }
        (Phase::Pending { .. }, false) => (Phase::Inactive, Some(Transition::Cancelled)),
        (Phase::Firing { starts_at, .. }, false) => {
            (Phase::Resolved { starts_at, ends_at: now }, Some(Transition::Resolved(Over::Recovered)))
        }
        (Phase::Pending { .. } | Phase::Firing { .. }, true) | (Phase::Inactive | Phase::Resolved { .. }, false) => {
            (phase, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_that_passes_is_no_alert_and_trouble_that_lasts_is_one() {
        let at = |s: i64| Timestamp::from_millis(s * 1_000);
        let mut phase = Phase::Inactive;
        let mut seen = Vec::new();
        for (second, invalid) in [
            (0, true),
            (59, true),
            (59, false),
            (100, true),
            (159, true),
            (160, true),
            (500, true),
            (501, false),
            (502, false),
        ] {
            let (next, transition) = step(phase, invalid, Duration::from_secs(60), at(second));
            phase = next;
            seen.extend(transition.map(|t| (second, t)));
        }
        use Transition::{Cancelled, Fired, Pending, Resolved};
        let want = [(0, Pending), (59, Cancelled), (100, Pending), (160, Fired), (501, Resolved(Over::Recovered))];
        assert_eq!(seen, want);
        assert_eq!(phase, Phase::Resolved { starts_at: at(100), ends_at: at(501) });
    }
}
