//! The interface of a collector. Declared here because configuration builds one, the kinds
//! implement it and the engine runs it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::base::BoxFuture;
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

    /// The push side, for kinds that are reported to instead of probing.
    fn push(&self) -> Option<&dyn PushTarget> {
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
    /// Since when the monitor has been running in this form.
    pub since: Timestamp,
    /// The last report pushed for this monitor, if any.
    pub last_beat: Option<Beat>,
    /// What the probe may do.
    pub policy: Arc<Policy>,
}

impl ProbeCx {
    /// A probe outside any schedule, to which everything is allowed.
    pub fn new(deadline: Instant, now: Timestamp) -> Self {
        Self { deadline, now, since: Timestamp::EPOCH, last_beat: None, policy: Arc::default() }
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
}

/// One report pushed to a heartbeat monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// When it arrived.
    pub at: Timestamp,
    /// Whether the job said it succeeded.
    pub ok: bool,
    /// What it said; untrusted, at most 1 KiB.
    #[serde(default)]
    pub message: String,
}
