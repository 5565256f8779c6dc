//! The checked configuration: immutable, without "maybe", shared.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::policy::Policy;
#[cfg(test)]
use crate::base::BoxFuture;
use crate::base::labels::Labels;
use crate::base::name::MonitorName;
use crate::base::notification::Notifier;
#[cfg(test)]
use crate::base::outcome::Outcome;
use crate::base::policy::Policy as Allowed;
#[cfg(test)]
use crate::base::probe::{Collector, ProbeCx};
use crate::config::catalog::Probe;
use crate::config::deadman::Deadman;
use crate::config::itself::SelfChecks;
use crate::config::messages::Messages;
use crate::config::probing::Probing;
use crate::config::rules::RuleGroup;
use crate::config::slo::Objective;
use crate::config::storage::{IntakeLimits, QueryLimits, Storage};
use crate::render::words::Language;
use crate::wire::api::AlertPolicy;

/// Everything that the files say.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `server:`.
    pub server: Server,
    /// `storage:`; takes effect at once, but for `fsync`, which does at the next start.
    pub storage: Storage,
    /// `query:`.
    pub query: QueryLimits,
    /// `intake:`.
    pub intake: IntakeLimits,
    /// `heartbeat:`; whom we tell that we live.
    pub heartbeat: Option<Deadman>,
    /// `policy:`; what probes may do.
    pub policy: Arc<Allowed>,
    /// `probing:`; how hard one host may be probed.
    pub probing: Probing,
    /// `self:`; how we tell whether it is us who do not work.
    pub itself: Arc<SelfChecks>,
    /// `notifiers:`, in the order written.
    pub receivers: Vec<Arc<Receiver>>,
    /// Who is told of what, and when not: `route`, `receivers`, `inhibit`, `silences` and so on.
    pub alerting: Arc<Policy>,
    /// Every monitor, paused ones included.
    pub monitors: BTreeMap<MonitorName, Arc<Monitor>>,
    /// Objectives of monitors; their rules are among `rules`.
    pub objectives: BTreeMap<MonitorName, Arc<Objective>>,
    /// Groups of rules: those of objectives, then those of files in order.
    pub rules: Vec<Arc<RuleGroup>>,
}

/// `server:` of `watchdog.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// TCP address to listen on; the command line wins.
    pub listen: Option<SocketAddr>,
    /// Where people reach this server; notifications name it.
    pub external_url: Option<String>,
    /// Of notifications, unless a notifier says otherwise.
    pub language: Language,
    /// In which notifications show times, unless a notifier says otherwise: a name of the IANA database.
    pub time_zone: Option<String>,
    /// `messages:` of `templates.d`.
    pub messages: Messages,
}

/// One entry of `notifiers:`.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Unique name.
    pub name: String,
    /// `webhook`, `telegram` ….
    pub kind: String,
    /// Whether it hears that an alert is over.
    pub send_resolved: bool,
    /// How much it takes, and what becomes of the rest.
    pub limits: Limits,
    /// The notifier itself.
    pub notifier: Arc<dyn Notifier>,
    /// Equal for equal definitions, secrets included.
    pub hash: u64,
}

/// What a notifier takes, whatever its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    /// `rate_limit:`; more messages than this wait.
    pub rate: Option<RateLimit>,
    /// `fallback:`; the notifier that gets what this one refuses for good. Following them never comes back.
    pub fallback: Option<String>,
    /// `digest_above:`; more groups than this at once become one summary.
    pub digest_above: Option<usize>,
}

/// `20/1m`: so many messages in any such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// At least 1.
    pub messages: u32,
    /// At least a second.
    pub per: Duration,
}

/// One monitor.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// Unique name.
    pub name: MonitorName,
    /// What it probes and how.
    pub probe: Probe,
    /// When.
    pub schedule: Schedule,
    /// Total deadline of one probe.
    pub timeout: Duration,
    /// Probes after a failed one within the same slot, before the failure counts.
    pub retries: u32,
    /// Pause before such a probe.
    pub retry_interval: Duration,
    /// The monitor's own labels.
    pub labels: Labels,
    /// Not probed at all.
    pub paused: bool,
    /// Monitors without which this one cannot be up: while one of them is down, this one's alert is not told.
    /// Each exists, and following them never comes back here.
    pub depends_on: Vec<MonitorName>,
    /// When its own alert fires; `None` for `alert: false`.
    pub alert: Option<AlertPolicy>,
    /// `monitors.d/web.yaml:12:5`.
    pub source: String,
    /// Equal for equal definitions, wherever they stand: what reload compares.
    pub hash: u64,
}

#[cfg(test)]
impl Monitor {
    /// One with this name for tests, which change what matters to them. Its probe never ends.
    pub fn sample(name: &str) -> Self {
        #[derive(Debug)]
        struct Never;

        impl Collector for Never {
            fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
                Box::pin(std::future::pending())
            }
        }

        Self {
            name: MonitorName::new(name).unwrap(),
            probe: Probe::new("test", name, Never),
            schedule: Schedule::Every(Duration::from_secs(10)),
            timeout: Duration::from_secs(1),
            retries: 0,
            retry_interval: Duration::from_secs(1),
            labels: Labels::default(),
            paused: false,
            depends_on: Vec::new(),
            alert: None,
            source: String::new(),
            hash: 0,
        }
    }
}

/// When a monitor runs.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// At a fixed distance; the phase comes from the monitor's name.
    Every(Duration),
    /// By a cron expression in a time zone.
    Cron {
        /// As written.
        text: String,
        /// The parsed expression.
        cron: Box<croner::Cron>,
        /// Its time zone.
        zone: jiff::tz::TimeZone,
    },
}
