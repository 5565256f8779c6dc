//! The alert that Watchdog raises when it is itself the one that does not work: its uplink, its resolver, its limits.
//!
//! While it stands, monitors are `unknown` for our own reasons and raise nothing: this one alert speaks for all.

use std::time::Duration;

use crate::alert::own;
use crate::alert::rule::{Fingerprint, Over, Words};
use crate::base::labels::Labels;
use crate::base::message::Severity;

/// Name of the built-in rule.
pub const SELF_IMPAIRED: &str = "WatchdogSelfImpaired";
/// How long we may be impaired before somebody is told: a router that restarts its session is back by then.
pub const HOLD: Duration = Duration::from_secs(30);

/// The alert's identity. There is one per server.
pub fn fingerprint() -> Fingerprint {
    Fingerprint::of(SELF_IMPAIRED, &own::subject())
}

/// What the alert says; `what` is the trouble, in one sentence. Untrusted.
pub fn words(what: &str) -> Words {
    let severity = Severity::Critical;
    let description =
        format!("{what}; monitors that fail for this reason are `unknown` and raise no alert of their own");
    Words {
        severity,
        labels: Labels::new([("alertname", SELF_IMPAIRED), ("monitor", own::SUBJECT), ("severity", severity.as_str())]),
        annotations: Labels::new([
            ("summary", "Watchdog cannot judge its monitors, for a reason on its own machine"),
            ("description", description.as_str()),
        ]),
    }
}

/// What is said when it is over.
#[must_use]
pub fn over(words: &Words) -> Words {
    let told = [
        ("summary", "Watchdog can judge its monitors again"),
        ("description", "nothing on its own machine stands in the way any more"),
        ("reason", Over::Recovered.as_str()),
    ];
    Words { annotations: Labels::new(told), ..words.clone() }
}
