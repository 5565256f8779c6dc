//! What `GET /api/v1/sla?month=&from=&to=&timezone=&filter=` returns: how available monitors were.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::outcome::seconds;
use crate::base::time::Timestamp;
use crate::wire::board::optional_seconds;

/// The report over one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlaReport {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it; never later than `at`.
    pub to: Timestamp,
    /// The asked time is not over: `to` is when the report was made.
    pub partial: bool,
    /// When it was made.
    pub at: Timestamp,
    /// The time zone of the month.
    pub timezone: String,
    /// How time was counted, in sentences.
    pub method: Vec<String>,
    /// By name.
    pub monitors: Vec<SlaRow>,
}

/// One monitor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SlaRow {
    /// Its name.
    pub monitor: String,
    /// The objective, as a ratio.
    pub objective: Option<f64>,
    /// Part of the counted time in which it was up or degraded; `None` when nothing counts.
    pub availability: Option<f64>,
    /// Whether the objective is met so far.
    pub met: Option<bool>,
    /// Up or degraded.
    #[serde(with = "seconds")]
    pub up: Duration,
    /// Degraded alone.
    #[serde(with = "seconds")]
    pub degraded: Duration,
    /// Down.
    #[serde(with = "seconds")]
    pub down: Duration,
    /// What does not count.
    pub excluded: Excluded,
    /// The error budget, where there is an objective.
    pub budget: Option<Budget>,
    /// How many times it was down.
    pub outages: usize,
    /// Mean time to recovery, over those that are over.
    #[serde(default, with = "optional_seconds")]
    pub mttr: Option<Duration>,
    /// The times it was down, oldest first; a long list is cut, see `outages`.
    pub downtimes: Vec<Downtime>,
}

/// Time that counts neither as up nor as down, by cause. A moment is counted once: maintenance comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// Planned work: `maintenance:`.
    #[serde(with = "seconds")]
    pub maintenance: Duration,
    /// Unknown for a reason on our side.
    #[serde(with = "seconds")]
    pub own: Duration,
    /// Unknown because a monitor above was down.
    #[serde(with = "seconds")]
    pub parent: Duration,
    /// Switched off.
    #[serde(with = "seconds")]
    pub paused: Duration,
    /// Nothing was stored: the monitor was new, or this server did not run.
    #[serde(with = "seconds")]
    pub no_data: Duration,
}

impl Excluded {
    /// All of it.
    pub fn total(&self) -> Duration {
        self.maintenance + self.own + self.parent + self.paused + self.no_data
    }
}

/// How much may fail.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Time that the monitor may be down, of the counted time.
    #[serde(with = "seconds")]
    pub allowed: Duration,
    /// Seconds that are left; less than zero when it is overdrawn.
    pub left: f64,
    /// The part that is left; less than zero when it is overdrawn.
    pub left_ratio: f64,
}

/// One time that it was down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downtime {
    /// The first result that was down.
    pub starts_at: Timestamp,
    /// The first that was not; `None` while it lasts.
    pub ends_at: Option<Timestamp>,
    /// How much of it counts.
    #[serde(with = "seconds")]
    pub counted: Duration,
}
