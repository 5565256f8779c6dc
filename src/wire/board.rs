//! The board: everything a screen shows, as one immutable value.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::labels::Labels;
use crate::base::message::{Severity, Status};
use crate::base::name::MonitorName;
use crate::base::outcome::{Verdict, seconds};
use crate::base::time::Timestamp;
use crate::wire::alerting::{Ack, MutedBy};

/// Cells in a monitor's status strip.
pub const STRIP_CELLS: usize = 60;
/// Time that one strip cell covers. A cell shows the worst state in its time.
pub const STRIP_BUCKET: Duration = Duration::from_secs(120);

/// The state of a monitor, after retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Broken.
    Down,
    /// Works, but worse than wanted.
    Degraded,
    /// Cannot be judged, for a reason on our side.
    Unknown,
    /// No result yet.
    Pending,
    /// Fine.
    Up,
    /// Switched off in its file.
    Paused,
}

impl State {
    /// All states, worst first.
    pub const ALL: [Self; 6] = [Self::Down, Self::Degraded, Self::Unknown, Self::Pending, Self::Up, Self::Paused];

    /// The word used in JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Up => "up",
            Self::Paused => "paused",
        }
    }

    /// The value of `watchdog_monitor_state`.
    pub const fn series_value(self) -> f64 {
        match self {
            Self::Down => 0.0,
            Self::Up => 1.0,
            Self::Degraded => 2.0,
            Self::Unknown | Self::Pending => 3.0,
            Self::Paused => 4.0,
        }
    }
}

impl From<Verdict> for State {
    fn from(v: Verdict) -> Self {
        match v {
            Verdict::Up => Self::Up,
            Verdict::Degraded => Self::Degraded,
            Verdict::Down => Self::Down,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

/// Everything a screen shows. Rows are shared, so a new board costs one pointer per unchanged row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Board {
    /// Grows by one with every change, from 1 at each start of the server.
    pub rev: u64,
    /// When this board was made, by the server's clock.
    pub at: Timestamp,
    /// Who is speaking.
    pub server: Arc<ServerInfo>,
    /// Sorted by name.
    pub monitors: Vec<Arc<MonitorRow>>,
    /// Pending, firing and recently resolved alerts, most urgent first.
    pub alerts: Vec<Arc<AlertRow>>,
    /// The newest events, newest first, at most 50.
    pub events: Vec<Arc<Event>>,
    /// How the engine itself does.
    pub engine: Arc<EngineHealth>,
    /// The state in one sentence, computed here so that every face says the same.
    pub verdict: Arc<Headline>,
}

/// Who is speaking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Host name.
    pub instance: String,
    /// Version of the binary.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Start of the process.
    pub started: Timestamp,
    /// The configuration directory.
    pub config_dir: String,
    /// The TCP address, when there is one.
    pub http: Option<String>,
}

/// The overview's first lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// The worst state that a person should know of; `None` while there is nothing to judge.
    pub worst: Option<State>,
    /// `SHOP IS DOWN. 1 critical alert.` The duration is left to the reader's clock, see `since`.
    pub sentence: String,
    /// Since when the worst state holds.
    pub since: Option<Timestamp>,
    /// `First to break: db at 03:02:10 (connection refused)`.
    pub first_to_break: Option<String>,
}

/// One line of a monitor list. Its texts are shared: one board differs little from the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorRow {
    /// Unique name.
    pub name: MonitorName,
    /// `http`, `tcp`, `script`, `host`, `heartbeat` ….
    pub r#type: Arc<str>,
    /// What is probed: URL, address, program.
    pub target: Arc<str>,
    /// State after retries.
    pub state: State,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The last result's time.
    pub last: Option<Timestamp>,
    /// How long the last probe took.
    #[serde(with = "optional_seconds", default)]
    pub took: Option<Duration>,
    /// Reason of the last result, or its summary. Untrusted.
    pub headline: Arc<str>,
    /// Consecutive results that were not ok, retries not counted; 0 when the last one was ok.
    pub failures: u32,
    /// Labels of the monitor's own.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Time between two slots; `None` for cron schedules.
    #[serde(with = "optional_seconds", default)]
    pub interval: Option<Duration>,
    /// [`STRIP_CELLS`] characters, oldest first, see [`strip_cell`].
    pub strip: Arc<str>,
    /// Part of the judged results in the kept history that were not down, 0..=1.
    pub uptime: Option<f64>,
    /// 95th percentile of the duration in the kept history.
    #[serde(with = "optional_seconds", default)]
    pub p95: Option<Duration>,
    /// Where the definition on disk no longer stands: the row runs on its last good form.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale_config: bool,
}

impl MonitorRow {
    /// The row of a monitor of which nothing is known.
    pub fn new(name: MonitorName) -> Self {
        Self {
            name,
            r#type: Arc::default(),
            target: Arc::default(),
            state: State::Pending,
            since: None,
            last: None,
            took: None,
            headline: Arc::default(),
            failures: 0,
            labels: Labels::default(),
            interval: None,
            strip: ".".repeat(STRIP_CELLS).into(),
            uptime: None,
            p95: None,
            stale_config: false,
        }
    }
}

/// One character of a strip: `u`p, `d`own, de`g`raded, un`k`nown, `p`aused, `.` no data.
pub const fn strip_cell(state: Option<State>) -> char {
    match state {
        Some(State::Up) => 'u',
        Some(State::Down) => 'd',
        Some(State::Degraded) => 'g',
        Some(State::Unknown) => 'k',
        Some(State::Paused) => 'p',
        Some(State::Pending) | None => '.',
    }
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition holds, not yet long enough.
    Pending,
    /// It fires.
    Firing,
    /// It is over, and still shown.
    Resolved,
}

/// One line of an alert list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertRow {
    /// Fingerprint of the labels, 16 hex digits.
    pub fingerprint: String,
    /// Name of the rule.
    pub name: String,
    /// The monitor it is about, when it is about one.
    #[serde(default)]
    pub monitor: Option<MonitorName>,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: AlertState,
    /// Since when it has been in this state.
    pub since: Timestamp,
    /// Start of the episode: when it became pending or fired.
    pub starts_at: Timestamp,
    /// Identity.
    pub labels: Labels,
    /// Texts for people. Untrusted.
    pub annotations: Labels,
    /// What the rule's expression gave last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Ack>,
    /// What keeps it from being told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<MutedBy>,
    /// What has been sent about it, per receiver.
    pub deliveries: Vec<DeliveryRow>,
}

impl AlertRow {
    /// What it is about, in one word: its monitor, else the `instance`, `service`, `job` or `host` label.
    pub fn subject(&self) -> &str {
        let named = self.monitor.as_ref().map(MonitorName::as_str);
        let label = || ["instance", "service", "job", "host"].iter().find_map(|name| self.labels.get(name));
        named.or_else(label).unwrap_or("")
    }
}

/// The last thing sent, or owed, to one receiver about one alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Name of the receiver.
    pub receiver: String,
    /// What was to be said.
    pub status: Status,
    /// How far it got.
    pub state: DeliveryState,
    /// Time of the last attempt, or of the decision.
    pub at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// The last error. Untrusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far a delivery got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Owed: not yet tried, or to be tried again.
    Owed,
    /// The receiver took it.
    Delivered,
    /// Given up: refused for good, or older than a day.
    Dead,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A monitor changed its state.
    State,
    /// An alert became pending, fired or was resolved.
    Alert,
    /// A notification was delivered, or given up.
    Delivery,
    /// The configuration was loaded, or refused.
    Config,
    /// The server started or stopped.
    Server,
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Grows with time; the cursor for paging.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What sort.
    pub kind: EventKind,
    /// The monitor, receiver or file it is about.
    pub subject: String,
    /// What changed, one word: `down`, `firing`, `delivered`, `reloaded` ….
    pub what: String,
    /// One sentence. Untrusted.
    pub detail: String,
}

/// How the engine itself does. Numbers are quantised so that a quiet engine gives an unchanged value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineHealth {
    /// Enabled monitors.
    pub monitors: usize,
    /// 99th percentile of start lag over the last minute, rounded up to 1, 2, 5, 10 … ms.
    #[serde(with = "seconds")]
    pub lag_p99: Duration,
    /// Slots that were skipped because the one before still ran or no permit was free.
    pub missed_slots: u64,
    /// Messages owed to receivers.
    pub outbox: usize,
    /// Receivers configured.
    pub receivers: usize,
    /// Configuration problems of severity error.
    pub problems: usize,
    /// Time of the last successful load.
    pub config_loaded: Option<Timestamp>,
    /// What is wrong with the engine, worst first; empty when it is fine.
    pub complaints: Vec<String>,
}

/// Optional durations as fractional seconds.
pub mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes seconds or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => crate::base::outcome::seconds::serialize(d, s),
            None => s.serialize_none(),
        }
    }

    /// Reads seconds or null.
    ///
    /// # Errors
    /// Not a number, or negative, or too large.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(d)?
            .map(|s| Duration::try_from_secs_f64(s).map_err(serde::de::Error::custom))
            .transpose()
    }
}
