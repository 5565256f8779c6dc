//! What the files say about alerting, as the dispatcher needs it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::alert::escalate::Target;
use crate::alert::policy::Policy;
use crate::base::time::Timestamp;

/// More groups than this within [`Digest::span`] make a digest.
pub const DIGEST_ABOVE: usize = 20;

/// The policy, and how those whom it names are told. Immutable; a reload brings another one.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Who is told, and when not.
    pub policy: Policy,
    /// Everything that can be told, by name.
    pub notifiers: BTreeMap<String, NotifierPolicy>,
    /// Monitor → the monitors that it depends on.
    pub depends_on: BTreeMap<String, Vec<String>>,
    /// Reminders of silences.
    pub reminders: Reminders,
    /// Notifiers that are missing may come back: what they still have to hear waits for them.
    pub partial: bool,
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
    /// A silence that has held back nothing for so long is mentioned; `None`: none is.
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

impl Setup {
    /// The existing notifiers of a receiver, each once, in order.
    pub fn notifiers_of<'s>(&'s self, receiver: &str) -> Vec<&'s str> {
        let mut found: Vec<&str> = Vec::new();
        for name in self.policy.notifiers(receiver) {
            if self.notifiers.contains_key(name) && !found.contains(&name.as_str()) {
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
    pub fn receiver_of<'s>(&'s self, target: &'s Target, at: Timestamp) -> Option<&'s str> {
        match target {
            Target::Receiver(name) => Some(name),
            Target::OnCall(rota) => self.policy.oncall.get(rota).map(|r| r.on_call(at)),
        }
    }
}
