//! Requests and replies of our own API, beside the board.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::message::Severity;
use crate::base::outcome::{Check, Evidence, Phase, Reason, Sample, Verdict, seconds};
use crate::base::time::Timestamp;
use crate::wire::board::{AlertRow, Event, MonitorRow};

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Always `error`.
    pub status: String,
    /// A stable word, Prometheus' where it has one.
    pub error_type: String,
    /// What went wrong.
    pub error: String,
    /// What can be done about it.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// One probe's result, in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Start of the probe.
    pub at: Timestamp,
    /// The judgement.
    pub verdict: Verdict,
    /// Why not `up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// One short line about a success. Untrusted.
    #[serde(default)]
    pub summary: String,
    /// The whole probe.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// 1 for the slot's first probe, 2 and up for its retries.
    pub attempt: u32,
    /// Timed parts.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// Expectations and how each fared.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Measured values.
    #[serde(default)]
    pub samples: Vec<Sample>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What was seen of a target at one moment, beyond what each result says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Start of the probe that it belongs to.
    pub at: Timestamp,
    /// The probe's phases and evidence, then the resolver's answers, a burst of pings and the path.
    pub evidence: Evidence,
}

/// One entry of a monitor's bounded history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// Start of the probe.
    pub at: Timestamp,
    /// The judgement.
    pub verdict: Verdict,
    /// The whole probe.
    #[serde(with = "seconds")]
    pub took: Duration,
}

/// `GET /api/v1/monitors/{name}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorDetail {
    /// The board's line.
    pub row: MonitorRow,
    /// How it is scheduled, as written: `every 30s`, `0 3 * * * Europe/Berlin`.
    pub schedule: String,
    /// Total deadline of one probe.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// Next slot.
    pub next: Option<Timestamp>,
    /// Its alert, when it has one.
    pub alert: Option<AlertPolicy>,
    /// File, line and column of the definition: `monitors.d/web.yaml:12:5`.
    pub source: String,
    /// The last result.
    pub last: Option<ProbeResult>,
    /// The last result that was ok, when that is not `last`.
    pub last_ok: Option<ProbeResult>,
    /// The last result that was not ok, when that is not `last`.
    pub last_bad: Option<ProbeResult>,
    /// How it failed first, since it last worked: what was seen then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<Capture>,
    /// What was seen when it was last looked at while it worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<Capture>,
    /// The kept history, oldest first.
    pub history: Vec<HistoryPoint>,
    /// Alerts of this monitor.
    pub alerts: Vec<AlertRow>,
    /// Its newest events, newest first.
    pub events: Vec<Event>,
}

/// When a monitor's own alert fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertPolicy {
    /// Consecutive failures until it fires.
    pub after: u32,
    /// Consecutive successes until it is resolved.
    pub clear_after: u32,
    /// How bad.
    pub severity: Severity,
}

/// `GET /api/v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Newest first.
    pub events: Vec<Event>,
    /// Pass as `before` to get older ones; `None` at the end.
    pub next: Option<i64>,
}

/// How serious a configuration problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Part of the configuration is not used.
    Error,
    /// It is used; look at it.
    Warning,
}

/// One problem found in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How serious.
    pub level: Level,
    /// A stable code such as `W012`; `watchdog check --json` and the documentation use it.
    pub code: String,
    /// File relative to the configuration directory.
    pub file: String,
    /// 1-based; 0 when the problem concerns the whole file.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// Length of the marked text in characters, at least 1.
    pub length: usize,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What fixes it.
    pub hint: String,
    /// The text of the line, at most [`MAX_SNIPPET`] characters of it; see [`caret`](Self::caret). Untrusted.
    pub snippet: String,
}

/// Longest snippet of a problem, in characters: a line of 4 MiB helps nobody.
pub const MAX_SNIPPET: usize = 200;

impl Problem {
    /// Where in the snippet the marked text begins, counted in characters from 0.
    ///
    /// A snippet is the line from its start, unless the column is far to the right: then it begins
    /// 80 characters before it.
    pub const fn caret(&self) -> usize {
        Self::caret_of(self.column)
    }

    /// The same for a column.
    pub const fn caret_of(column: usize) -> usize {
        if column > 160 { 80 } else { column.saturating_sub(1) }
    }
}

/// `GET /api/v1/config`: what is loaded and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// The configuration directory.
    pub dir: String,
    /// Time of the last load that was applied.
    pub loaded: Timestamp,
    /// Files read.
    pub files: usize,
    /// Monitors that run.
    pub monitors: usize,
    /// Monitors that run on their last good form because the file no longer yields them.
    pub stale: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Reply of `POST /api/v1/reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Monitors that are new.
    pub added: Vec<String>,
    /// Monitors that changed.
    pub changed: Vec<String>,
    /// Monitors that are gone.
    pub removed: Vec<String>,
    /// Monitors that kept everything.
    pub unchanged: usize,
    /// What is wrong with the files.
    pub problems: Vec<Problem>,
}

/// Body of `POST /api/v1/push/{monitor}`; every field may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Push {
    /// `up`, `down` or `start`.
    pub status: PushStatus,
    /// Shown with the monitor; at most 1 KiB.
    pub message: String,
    /// The job's exit code; anything but zero is `down`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the job printed; the last 8 KiB are kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// How long the job took, in seconds; without it, the time since `start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// What the job measured, by the names of metrics.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

/// What a job says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushStatus {
    /// It succeeded.
    #[default]
    Up,
    /// It failed.
    Down,
    /// It begins.
    Start,
}
