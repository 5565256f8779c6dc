//! The alert that Watchdog raises about its own configuration files.
//!
//! What is broken runs on in its last good form, so nothing fails at once; somebody must hear of it
//! all the same. Errors that are gone before [`HOLD`] is over are an edit under way.

use std::time::Duration;

use crate::alert::instance::{Phase, Transition};
use crate::alert::rule::{Fingerprint, Over, Words};
use crate::base::labels::Labels;
use crate::base::message::Severity;
use crate::base::name::MonitorName;
use crate::base::time::Timestamp;

/// Name of the built-in rule.
pub const CONFIG_INVALID: &str = "WatchdogConfigInvalid";
/// What it is about, in the place of a monitor.
const SUBJECT: &str = "watchdog";
/// How long files may be wrong before somebody is told.
pub const HOLD: Duration = Duration::from_secs(60);

/// The name that stands where other alerts name their monitor.
#[expect(clippy::expect_used, reason = "the constant is a valid name")]
pub fn subject() -> MonitorName {
    MonitorName::new(SUBJECT).expect("a valid name")
}

/// The alert's identity. There is one per server.
pub fn fingerprint() -> Fingerprint {
    Fingerprint::of(CONFIG_INVALID, &subject())
}

/// Applies what the files look like now.
#[must_use]
pub fn step(phase: Phase, invalid: bool, now: Timestamp) -> (Phase, Option<Transition>) {
    match (phase, invalid) {
        (Phase::Inactive | Phase::Resolved { .. }, true) => (Phase::Pending { since: now }, Some(Transition::Pending)),
        (Phase::Pending { since }, true) if now.since(since) >= HOLD => {
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

/// What the alert says: `errors` is their number, `first` the first of them. Untrusted.
pub fn words(errors: usize, first: &str) -> Words {
    let severity = Severity::Warning;
    let plural = if errors == 1 { "error" } else { "errors" };
    let summary = format!("{errors} {plural} in the configuration files");
    let description = format!("{first}; what is broken runs on in its last good form");
    Words {
        severity,
        labels: Labels::new([("alertname", CONFIG_INVALID), ("monitor", SUBJECT), ("severity", severity.as_str())]),
        annotations: Labels::new([("summary", summary.as_str()), ("description", description.as_str())]),
    }
}

/// What is said when the files are in order again.
#[must_use]
pub fn over(words: &Words) -> Words {
    let told = [
        ("summary", "the configuration files are in order again"),
        ("description", "everything in them runs"),
        ("reason", Over::Recovered.as_str()),
    ];
    Words { annotations: Labels::new(told), ..words.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_under_way_is_no_alert_and_a_broken_file_is_one() {
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
            let (next, transition) = step(phase, invalid, at(second));
            phase = next;
            seen.extend(transition.map(|t| (second, t)));
        }
        use Transition::{Cancelled, Fired, Pending, Resolved};
        let want = [(0, Pending), (59, Cancelled), (100, Pending), (160, Fired), (501, Resolved(Over::Recovered))];
        assert_eq!(seen, want);
        assert_eq!(phase, Phase::Resolved { starts_at: at(100), ends_at: at(501) });
    }
}
