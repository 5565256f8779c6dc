//! What configuration asks of the kinds it does not know.

use std::sync::Arc;
use std::time::Duration;

use crate::base::notification::Notifier;
use crate::base::policy::Launch;
use crate::base::probe::Collector;
use crate::config::fields::Fields;
use crate::config::model::Server;

/// The kinds of monitors and notifiers that exist. Implemented where the kinds are registered.
pub trait Catalog: Send + Sync {
    /// Names of all monitor kinds.
    fn monitor_kinds(&self) -> Vec<&'static str>;

    /// Names of all notifier kinds.
    fn notifier_kinds(&self) -> Vec<&'static str>;

    /// Reads the options of one kind; problems go to `fields`. `None` when the kind does not exist or
    /// its options do not stand. Opens nothing.
    fn monitor(&self, kind: &str, fields: &mut Fields<'_>) -> Option<Probe>;

    /// The same for a notifier, which may name this `server` in what it sends.
    fn notifier(&self, kind: &str, server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>>;
}

/// A checked probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The kind's own name.
    pub kind: &'static str,
    /// What is probed, for people and the `instance` label; holds no resolved secret.
    pub target: String,
    /// The machine that is probed, without a port, where there is one: what limits per machine count by, and
    /// whose path is looked at when it fails.
    pub host: Option<Box<str>>,
    /// What it starts on this machine, where it does: what `policy` is asked for.
    pub launch: Option<Launch>,
    /// For kinds that are told rather than probing: how often what they were told is judged by the clock,
    /// whatever `interval` or `schedule` say about when it is due.
    pub judged: Option<Duration>,
    /// For kinds of many requests, each with the whole of `timeout`: a probe may take until the next slot.
    pub rounds: bool,
    /// Whether the kernel notes the times that it measures: they are right however busy this program is. A probe that
    /// worked then took as long as its phases.
    pub stamped: bool,
    /// The probe itself.
    pub collector: Arc<dyn Collector>,
}

impl Probe {
    /// A probe of something that is no other machine.
    pub fn new(kind: &'static str, target: impl Into<String>, collector: impl Collector + 'static) -> Self {
        let collector = Arc::new(collector);
        let (host, launch, judged) = (None, None, None);
        Self { kind, target: target.into(), host, launch, judged, rounds: false, stamped: false, collector }
    }

    /// The same, of something on this machine of the network.
    #[must_use]
    pub fn at(mut self, host: &str) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The same, by running a program.
    #[must_use]
    pub fn runs(mut self, launch: Launch) -> Self {
        self.launch = Some(launch);
        self
    }

    /// The same, of many requests.
    #[must_use]
    pub fn in_rounds(mut self) -> Self {
        self.rounds = true;
        self
    }

    /// The same, whose times the kernel notes.
    #[must_use]
    pub fn stamped(mut self) -> Self {
        self.stamped = true;
        self
    }

    /// The same, judged this often.
    #[must_use]
    pub fn judged(mut self, every: Duration) -> Self {
        self.judged = Some(every);
        self
    }
}
