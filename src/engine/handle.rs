//! The engine as its faces see it: a board to read and commands to send.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::alert::rule::Fingerprint;
use crate::base::name::MonitorName;
use crate::base::probe::Call;
use crate::base::scraped::Targets;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::engine::alerting::Alerting;
use crate::engine::intake::Intake;
use crate::engine::query::Queries;
use crate::engine::ruler::RuleBook;
use crate::engine::sla::Ask;
use crate::wire::api::{ConfigStatus, Events, HistoryPoint, MonitorDetail, ProbeResult, Push, Reloaded};
use crate::wire::board::{Board, EventKind};
use crate::wire::sla::SlaReport;

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No monitor of this name.
    #[error("no monitor is named `{name}`")]
    NoSuchMonitor {
        /// As asked for.
        name: String,
        /// A name that is close.
        nearest: Option<String>,
    },
    /// The monitor exists but is switched off in its file.
    #[error("monitor `{0}` is paused")]
    Paused(String),
    /// A probe of this monitor is running; two never overlap.
    #[error("monitor `{0}` is being probed")]
    AlreadyRunning(String),
    /// The monitor is not one that others report to.
    #[error("monitor `{0}` does not take reports")]
    NotPush(String),
    /// A push with a wrong token, or for a monitor that does not exist: the sender cannot tell which.
    #[error("the token is not valid for this monitor")]
    WrongToken,
    /// Whoever reports does it too often; there is room again after this time.
    #[error("too many reports; the next is taken in {}", Short(*.0))]
    TooOften(Duration),
    /// No alert that fires, or was over lately, is meant.
    #[error("no alert is called `{id}`")]
    NoSuchAlert {
        /// As asked for.
        id: String,
    },
    /// Several are meant.
    #[error("`{id}` may mean several")]
    Ambiguous {
        /// As asked for.
        id: String,
        /// Some of them.
        which: Vec<String>,
    },
    /// No silence has this id.
    #[error("no silence has the id `{0}`")]
    NoSuchSilence(String),
    /// No delivery has this number.
    #[error("there is no notification {0}")]
    NoSuchDelivery(i64),
    /// No notifier of this name.
    #[error("no notifier is named `{name}`")]
    NoSuchNotifier {
        /// As asked for.
        name: String,
        /// A name that is close.
        nearest: Option<String>,
    },
    /// Neither a monitor nor an alert nor a rule.
    #[error("nothing is called `{about}`: no monitor, no alert, no rule")]
    NothingToExplain {
        /// As asked for.
        about: String,
        /// A name that is close.
        nearest: Option<String>,
    },
    /// What is asked for cannot be done, and why.
    #[error("{0}")]
    Refused(String),
    /// There is none of that state: it has ended, or never was.
    #[error("{0}")]
    NotSo(String),
    /// There are as many as may be.
    #[error("{0}")]
    TooMany(String),
    /// Every queue has its limit.
    #[error("the engine is too busy")]
    Busy,
    /// The engine is shutting down.
    #[error("the engine is stopping")]
    Stopping,
    /// The state database failed.
    #[error("the state database failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Which events to return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only events older than this id.
    pub before: Option<i64>,
    /// At most this many; the engine caps it at 1,000.
    pub limit: usize,
    /// Only of this kind.
    pub kind: Option<EventKind>,
    /// Only about this monitor, receiver or file.
    pub subject: Option<String>,
    /// Only those that belong to this alert.
    pub alert: Option<Fingerprint>,
    /// Only events since then.
    pub since: Option<Timestamp>,
}

/// What the faces may ask of a running engine. Cheap to clone through its `Arc`.
pub trait Engine: Send + Sync {
    /// The current board and its successors.
    fn board(&self) -> watch::Receiver<Arc<Board>>;
    /// Everything about one monitor.
    fn monitor<'a>(&'a self, name: &'a str) -> Reply<'a, MonitorDetail>;
    /// A monitor's kept history, oldest first.
    fn history<'a>(&'a self, name: &'a str, limit: usize) -> Reply<'a, Vec<HistoryPoint>>;
    /// Probes a monitor now, outside its schedule, and waits for the result.
    fn run_now<'a>(&'a self, name: &'a str) -> Reply<'a, ProbeResult>;
    /// Takes a report for a heartbeat monitor; returns once it is recorded.
    fn push<'a>(&'a self, name: &'a str, token: &'a str, push: Push) -> Reply<'a, ()>;
    /// Takes another system's call; returns how many events it held, once they are recorded.
    fn webhook<'a>(&'a self, name: &'a str, call: Call<'a>) -> Reply<'a, usize>;
    /// Pages through the event history.
    fn events(&self, query: EventQuery) -> Reply<'_, Events>;
    /// What is loaded and what is wrong with it.
    fn config(&self) -> Reply<'_, ConfigStatus>;
    /// Loads the configuration directory now.
    fn reload(&self) -> Reply<'_, Reloaded>;
    /// How available monitors were.
    fn sla(&self, ask: Ask) -> Reply<'_, SlaReport>;
    /// Questions about series.
    fn queries(&self) -> &Queries;
    /// Alerts, silences, notifications.
    fn alerting(&self) -> &Alerting;
    /// Samples that others push.
    fn intake(&self) -> &Arc<Intake>;
    /// Rules and how they do.
    fn rules(&self) -> &RuleBook;
    /// What is scraped, by monitor.
    fn targets(&self) -> Vec<(MonitorName, Targets)>;
    /// Storage, query and intake settings in force, by `section.key`, in order of section.
    fn settings(&self) -> Vec<(&'static str, String)>;
    /// The engine's own metrics as OpenMetrics text.
    fn metrics(&self) -> String;
}

/// What every call of [`Engine`] returns.
pub type Reply<'a, T> = crate::base::BoxFuture<'a, Result<T, EngineError>>;
