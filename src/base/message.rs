//! What leaves for a receiver, and the interface of a notifier.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::BoxFuture;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;

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
}

/// One notification as decided: stored in the outbox in this form, before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same for every attempt to deliver this decision to this receiver.
    pub idempotency_key: String,
    /// Name of the receiver.
    pub receiver: String,
    /// Firing or over.
    pub status: Status,
    /// Identity of the alert, `alertname` included.
    pub labels: Labels,
    /// Texts for people: `summary`, `description`. Untrusted.
    pub annotations: Labels,
    /// Start of the episode.
    pub starts_at: Timestamp,
    /// Its end, when over.
    pub ends_at: Option<Timestamp>,
}

/// Sends one message once. Retry, rate and order belong to the caller.
///
/// Contract: returns within 10 s or may be dropped at any await point; a message is sent with its
/// `idempotency_key` wherever the channel has a place for it.
pub trait Notifier: Send + Sync + fmt::Debug {
    /// Delivers the message.
    fn deliver<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), DeliveryError>>;
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
