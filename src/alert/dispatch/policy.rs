//! What the files say about alerting, as the dispatcher needs it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::alert::escalate::{Escalation, Target};
use crate::alert::flap::FlapPolicy;
use crate::alert::inhibit::InhibitRule;
use crate::alert::maintenance::MaintenanceWindow;
use crate::alert::oncall::Rota;
use crate::alert::route::{EVERY_NOTIFIER, Route};
use crate::alert::silence::Silence;
use crate::alert::window::TimeWindow;
use crate::base::time::Timestamp;

/// More groups than this within [`Digest::span`] make a digest.
pub const DIGEST_ABOVE: usize = 20;

/// The checked configuration of alerting. Immutable; a reload brings another one.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The root of the tree.
    pub route: Route,
    /// Receiver → its notifiers. A notifier's name is a receiver of its own too.
    pub receivers: BTreeMap<String, Vec<String>>,
    /// Everything that can be told, by name.
    pub notifiers: BTreeMap<String, NotifierPolicy>,
    /// In order.
    pub inhibit: Vec<InhibitRule>,
    /// Named by the routes.
    pub windows: Vec<TimeWindow>,
    /// Each mutes what it matches.
    pub maintenance: Vec<MaintenanceWindow>,
    /// Monitor → the monitors that it depends on.
    pub depends_on: BTreeMap<String, Vec<String>>,
    /// Named by the routes.
    pub escalations: Vec<Escalation>,
    /// Named by the escalations.
    pub rotas: Vec<Rota>,
    /// Silences that stand in files.
    pub silences: Vec<Silence>,
    /// When an alert counts as flapping.
    pub flap: FlapPolicy,
    /// Reminders of silences.
    pub reminders: Reminders,
}

/// How one notifier is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifierPolicy {
    /// Whether it hears that alerts are over.
    pub send_resolved: bool,
    /// Who takes over what it refuses for good.
    pub fallback: Option<String>,
    /// When many groups become one message; `None`: never, for receivers that keep an incident per group.
    pub digest: Option<Digest>,
}

/// When many groups become one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// More groups than this …
    pub above: usize,
    /// … within this time. Also the wait of the first digest when groups come one by one.
    pub span: Duration,
}

/// Reminders of silences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminders {
    /// So long before the end of a silence whose alerts still fire; `None`: no such reminder.
    pub ending: Option<Duration>,
    /// A silence that has matched nothing for so long is mentioned; `None`: none is.
    pub forgotten: Option<Duration>,
}

impl Default for NotifierPolicy {
    fn default() -> Self {
        Self { send_resolved: true, fallback: None, digest: Some(Digest::default()) }
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self { above: DIGEST_ABOVE, span: Duration::from_secs(5) }
    }
}

impl Default for Reminders {
    fn default() -> Self {
        Self { ending: Some(Duration::from_secs(15 * 60)), forgotten: Some(Duration::from_secs(7 * 86_400)) }
    }
}

impl Policy {
    /// The existing notifiers that a receiver's name stands for, each once, in order.
    pub fn notifiers_of<'p>(&'p self, receiver: &'p str) -> Vec<&'p str> {
        if receiver == EVERY_NOTIFIER {
            return self.notifiers.keys().map(String::as_str).collect();
        }
        let mut found: Vec<&str> = Vec::new();
        let listed = self.receivers.get(receiver);
        let names: &mut dyn Iterator<Item = &str> = match listed {
            Some(names) => &mut names.iter().map(String::as_str),
            None => &mut std::iter::once(receiver),
        };
        for name in names {
            if self.notifiers.contains_key(name) && !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }

    /// How a notifier is told; `None` when there is none of that name.
    pub fn notifier(&self, name: &str) -> Option<&NotifierPolicy> {
        self.notifiers.get(name)
    }

    /// The receiver that an escalation step leads to at `at`.
    pub fn receiver_of<'p>(&'p self, target: &'p Target, at: Timestamp) -> Option<&'p str> {
        match target {
            Target::Receiver(name) => Some(name),
            Target::OnCall(rota) => self.rotas.iter().find(|r| r.name == *rota).map(|r| r.on_call(at)),
        }
    }

    /// An escalation policy by its name.
    pub fn escalation(&self, name: &str) -> Option<&Escalation> {
        self.escalations.iter().find(|e| e.name == name)
    }
}
