//! Words of what leaves for a receiver: firing or resolved, how bad, and why it was not taken.

use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::labels::Labels;

/// Whether an alert fires or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The condition holds.
    Firing,
    /// It no longer does.
    Resolved,
}

impl Status {
    /// Alertmanager's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it today.
    Warning,
    /// Wake somebody.
    Critical,
}

impl Severity {
    /// The word used in files, labels and on screens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Reads what [`as_str`](Self::as_str) wrote.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Critical].into_iter().find(|s| s.as_str() == word)
    }

    /// What the label `severity` says; anything but our words counts as a warning.
    pub fn of(labels: &Labels) -> Self {
        labels.get("severity").and_then(Self::parse).unwrap_or(Self::Warning)
    }
}

/// Why a delivery failed. The error's text holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Worth another try, not before `after` when the receiver said so.
    #[error("delivery failed")]
    Retry {
        /// `Retry-After`.
        after: Option<Duration>,
        /// What happened.
        #[source]
        err: Box<dyn Error + Send + Sync>,
    },
    /// Will never work: a wrong token, an unknown chat, a malformed request.
    #[error("delivery refused")]
    Permanent(#[source] Box<dyn Error + Send + Sync>),
}
