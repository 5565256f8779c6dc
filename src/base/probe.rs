//! The interface of a collector. Declared here because configuration builds one, the kinds
//! implement it and the engine runs it.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::BoxFuture;
pub use crate::base::beat::Beat;
use crate::base::beat::Report;
use crate::base::heard::Heard;
use crate::base::metadata::Meta;
use crate::base::outcome::Outcome;
use crate::base::policy::Policy;
use crate::base::time::Timestamp;

/// One check of one target, built from checked options; building it opens nothing.
///
/// Contract: [`probe`](Self::probe) returns before `cx.deadline` and may be dropped at any await
/// point. A broken target is `Verdict::Down`; a broken probe is `Verdict::Unknown`. Secrets appear
/// in no part of the outcome.
pub trait Collector: Send + Sync + fmt::Debug {
    /// Probes the target once.
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome>;

    /// Takes out what its target says of metrics of its own and has not been taken yet. Asked after each result; what is
    /// the same for all probes of a kind stands in the kind's table.
    fn take_described(&self) -> Vec<(String, Meta)> {
        Vec::new()
    }

    /// The push side, for kinds that are reported to instead of probing.
    fn push(&self) -> Option<&dyn PushTarget> {
        None
    }

    /// The same for kinds that take other systems' events.
    fn webhook(&self) -> Option<&dyn WebhookTarget> {
        None
    }
}

/// What a probe is given.
#[derive(Clone, Debug)]
pub struct ProbeCx {
    /// When the probe must have returned: covers resolve, connect, TLS, headers, 1xx and body.
    pub deadline: Instant,
    /// Wall-clock time of the slot, for certificate validity and the like.
    pub now: Timestamp,
    /// What others have told this monitor, if its kind is one that is told.
    pub told: Option<Arc<Told>>,
    /// What the probe may do.
    pub policy: Arc<Policy>,
    /// A success is to bring its evidence, too: somebody may want to compare a failure with it.
    pub show: bool,
    /// What it learns of the way.
    pub way: Arc<Way>,
}

/// What a monitor that others report to is judged by.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// When they could tell it something.
    pub heard: Heard,
    /// What they told it, if anything.
    pub beat: Option<Beat>,
}

/// What a probe learns of the way to its target: whoever judges its failure asks whether that was ours.
#[derive(Debug, Default)]
pub struct Way {
    /// Held while it is copied.
    dialled: Mutex<Vec<IpAddr>>,
    doubt: AtomicBool,
}

impl Way {
    /// A name was resolved to these addresses, or one of them was given: they are dialled, and not those before.
    pub fn dials(&self, addresses: impl Iterator<Item = IpAddr>) {
        if let Ok(mut dialled) = self.dialled.lock() {
            dialled.clear();
            dialled.extend(addresses);
        }
    }

    /// The addresses that were dialled last.
    pub fn dialled(&self) -> Vec<IpAddr> {
        self.dialled.lock().map(|dialled| dialled.clone()).unwrap_or_default()
    }

    /// This machine's own name servers failed at the name, which says nothing about it for sure: stub resolvers that
    /// reach nobody say the same.
    pub fn doubt_lookup(&self) {
        self.doubt.store(true, Ordering::Relaxed);
    }

    /// Whether they did.
    pub fn is_lookup_in_doubt(&self) -> bool {
        self.doubt.load(Ordering::Relaxed)
    }
}

impl ProbeCx {
    /// A probe outside any schedule, to which everything is allowed.
    pub fn new(deadline: Instant, now: Timestamp) -> Self {
        Self { deadline, now, told: None, policy: Arc::default(), show: false, way: Arc::default() }
    }

    /// Time left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// A monitor that others report to (`/api/v1/push/{monitor}`).
pub trait PushTarget: Send + Sync {
    /// Whether `token` is the monitor's, compared in constant time.
    fn accepts(&self, token: &str) -> bool;

    /// Reports per minute beyond which the sender is told to slow down.
    fn per_minute(&self) -> u32;

    /// Takes secrets out of a text that is to be kept.
    fn mask(&self, text: &mut String);

    /// A number for who reports and when that is due: what was missed before it became another one is of no account.
    fn form(&self) -> u64;
}

/// A monitor that takes other systems' events (`/api/v1/webhook/{name}`).
pub trait WebhookTarget: Send + Sync {
    /// Events per minute beyond which the sender is told to slow down.
    fn per_minute(&self) -> u32;

    /// Reads one call: proves that it comes from whom it must, and takes the events out of its body.
    ///
    /// # Errors
    /// It does not come from there, or is not understood.
    fn take(&self, call: &Call<'_>, now: Timestamp) -> Result<Vec<Report>, Refusal>;
}

/// A call as it arrived. All of it is untrusted.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Names in lower case, with values that are text.
    pub headers: &'a [(&'a str, &'a str)],
    /// What the query string gives as `token`.
    pub token: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Call<'_> {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// Why a call was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not prove who sent it. Says no more: the sender may be anybody.
    #[error("the signature or token is not valid for this webhook")]
    Unproven,
    /// The sender has proved who it is, but its body is not what was expected.
    #[error("{0}")]
    NotUnderstood(String),
}
