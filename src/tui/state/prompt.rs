//! What is asked of the person in a line or a small menu.

use std::time::Duration;

use crate::tui::state::explore::editor::Editor;

/// When an acknowledgement lapses: never before the alert, or after a time, and then escalation goes on.
pub(crate) const LAPSES: [(&str, Option<Duration>); 4] = [
    ("until it is over", None),
    ("for 1h", Some(Duration::from_secs(3_600))),
    ("for 4h", Some(Duration::from_secs(14_400))),
    ("for 24h", Some(Duration::from_secs(86_400))),
];

/// The line that acknowledges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AckPrompt {
    /// Fingerprints of the alerts.
    pub(crate) targets: Vec<String>,
    /// What is said with it.
    pub(crate) comment: Editor,
    /// Place in [`LAPSES`].
    pub(crate) lapse: usize,
}

/// What a menu is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choose {
    /// The order of alerts.
    Sort,
    /// The label that alerts are grouped by.
    Group,
}

/// What is to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Confirm {
    /// Leave the silence dialog without creating anything.
    Discard,
    /// End a silence of somebody else.
    Expire(String),
    /// Send again what was delivered.
    Resend(i64),
}
