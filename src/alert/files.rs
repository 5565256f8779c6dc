//! The alert that Watchdog raises about its own configuration files.
//!
//! What is broken runs on in its last good form, so nothing fails at once; somebody must hear of it
//! all the same. Errors that are gone before [`HOLD`] is over are an edit under way.

use std::time::Duration;

use crate::alert::own;
use crate::alert::rule::{Fingerprint, Over, Words};
use crate::base::labels::Labels;
use crate::base::message::Severity;

/// Name of the built-in rule.
pub const CONFIG_INVALID: &str = "WatchdogConfigInvalid";
/// How long files may be wrong before somebody is told.
pub const HOLD: Duration = Duration::from_secs(60);

/// The alert's identity. There is one per server.
pub fn fingerprint() -> Fingerprint {
    Fingerprint::of(CONFIG_INVALID, &own::subject())
}

/// What the alert says: `errors` is their number, `first` the first of them. Untrusted.
pub fn words(errors: usize, first: &str) -> Words {
    let severity = Severity::Warning;
    let plural = if errors == 1 { "error" } else { "errors" };
    let summary = format!("{errors} {plural} in the configuration files");
    let description = format!("{first}; what is broken runs on in its last good form");
    Words {
        severity,
        labels: Labels::new([
            ("alertname", CONFIG_INVALID),
            ("monitor", own::SUBJECT),
            ("severity", severity.as_str()),
        ]),
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
