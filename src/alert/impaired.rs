//! The alert that Watchdog raises when monitors cannot be judged: its uplink, its resolver or its limits are in the way,
//! or a check itself does not work.
//!
//! While it stands, monitors are `unknown` and raise nothing: this one alert speaks for all.

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
            ("summary", "Watchdog cannot judge all of its monitors"),
            ("description", description.as_str()),
        ]),
    }
}

/// What is said when it is over.
#[must_use]
pub fn over(words: &Words) -> Words {
    let told = [
        ("summary", "Watchdog can judge all of its monitors again"),
        ("description", "nothing stands in the way any more"),
        ("reason", Over::Recovered.as_str()),
    ];
    Words { annotations: Labels::new(told), ..words.clone() }
}
