//! The alerts that Watchdog raises when this machine is in the way of its monitors: one for each class of reason, so that
//! none hides another.
//!
//! Monitors that are `unknown` for such a reason raise nothing: these alerts speak for all.

use std::time::Duration;

use crate::alert::own;
use crate::alert::rule::{Fingerprint, Over, Words};
use crate::base::labels::Labels;
use crate::base::message::Severity;

/// Name of the built-in rule.
pub const SELF_IMPAIRED: &str = "WatchdogSelfImpaired";
/// The label that tells one from another: the class of the reason.
pub const CLASS: &str = "class";
/// The class of probes that begin late. They are judged all the same.
pub const LATE: &str = "late";
/// How long we may be impaired before somebody is told: a router that restarts its session is back by then.
pub const HOLD: Duration = Duration::from_secs(30);

/// The identity of the alert of a class. There is one per server.
pub fn fingerprint(class: &str) -> Fingerprint {
    Fingerprint(Labels::new([("alertname", SELF_IMPAIRED), (CLASS, class), ("monitor", own::SUBJECT)]).fingerprint())
}

/// What the alert says; `what` is the trouble, in one sentence. Untrusted.
pub fn words(class: &str, what: &str) -> Words {
    let severity = Severity::Critical;
    let (summary, description) = match class {
        LATE => ("Watchdog is overloaded", what.to_owned()),
        _ => (
            "Watchdog cannot judge all of its monitors",
            format!("{what}; monitors that fail for this reason are `unknown` and raise no alert of their own"),
        ),
    };
    Words {
        severity,
        labels: Labels::new([
            ("alertname", SELF_IMPAIRED),
            (CLASS, class),
            ("monitor", own::SUBJECT),
            ("severity", severity.as_str()),
        ]),
        annotations: Labels::new([("summary", summary), ("description", description.as_str())]),
    }
}

/// What is said when it is over.
#[must_use]
pub fn over(words: &Words) -> Words {
    let (summary, description) = match words.labels.get(CLASS) {
        Some(LATE) => ("Watchdog is no longer overloaded", "probes begin in time again"),
        Some(_) | None => ("Watchdog can judge its monitors again", "this reason is gone"),
    };
    let told = [("summary", summary), ("description", description), ("reason", Over::Recovered.as_str())];
    Words { annotations: Labels::new(told), ..words.clone() }
}
