//! What leaves for a notifier: one group of alerts, as decided; and the interface of a notifier.
//!
//! A notification is stored in the outbox in this form before anything is sent. Texts inside are
//! untrusted: they come from targets, labels and people.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::BoxFuture;
use crate::base::labels::Labels;
use crate::base::message::{DeliveryError, Severity, Status};
use crate::base::time::Timestamp;

/// One decision to tell one notifier about one group of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The same for every attempt to deliver this decision, another one for the next decision.
    /// Letters, digits and `-` only, at most 100 bytes: safe in headers and paths.
    pub key: String,
    /// The same for everything said to this notifier about one incident of the group, from the first
    /// message to its resolve: a `dedup_key`, a thread, a message to update in place. Same alphabet.
    pub thread: String,
    /// The receiver that the route names.
    pub receiver: String,
    /// The entry of `notifiers:` that sends it: one of the receiver's.
    pub notifier: String,
    /// Alertmanager's group key: `{}/{team="web"}:{alertname="X"}`.
    pub group_key: String,
    /// The labels that the group was formed by.
    pub group_labels: Labels,
    /// Why now.
    pub reason: Reason,
    /// Firing ones first; within that the more severe, then the older.
    pub alerts: Vec<NotifiedAlert>,
    /// Alerts of the group that are left out, since a notification has room for some of them only.
    #[serde(default)]
    pub omitted: usize,
}

/// One alert within a notification, as it stood when that was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotifiedAlert {
    /// Firing or over.
    pub status: Status,
    /// Identity across restarts, 16 hex digits.
    pub fingerprint: String,
    /// Labels, `alertname` included.
    pub labels: Labels,
    /// Texts for people: `summary`, `description`, `runbook_url`.
    pub annotations: Labels,
    /// Start of the episode.
    pub starts_at: Timestamp,
    /// Its end, when over.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    /// What the rule's expression gave last.
    #[serde(default)]
    pub value: Option<f64>,
    /// Where it comes from: the page of the rule or of the sending server.
    #[serde(default)]
    pub generator_url: Option<String>,
}

/// Why a notification leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The group fires and this notifier has not heard of it.
    FirstTime,
    /// Alerts joined, or some of them are over.
    GroupChanged,
    /// All are over, and this notifier heard that they fire.
    Resolved,
    /// Nothing changed for a whole `repeat_interval`.
    RepeatDue,
    /// Nobody acknowledged in time: step of the escalation, from 1.
    Escalated(u32),
    /// Many groups at once, or more messages than the notifier may send: one summary of this many groups.
    Digest(usize),
    /// A person asked for it: `notify test`.
    Test,
    /// A marked alert on its whole way: `drill`.
    Drill,
    /// A silence is about to end, or was forgotten.
    Reminder,
}

impl Notification {
    /// About one alert only, which is a group of its own: the group's labels are the alert's.
    pub fn single(key: String, thread: String, notifier: &str, alert: NotifiedAlert) -> Self {
        let reason = match alert.status {
            Status::Firing => Reason::FirstTime,
            Status::Resolved => Reason::Resolved,
        };
        Self {
            key,
            thread,
            receiver: notifier.to_owned(),
            notifier: notifier.to_owned(),
            group_key: format!("{{}}:{}", alert.labels),
            group_labels: alert.labels.clone(),
            reason,
            alerts: vec![alert],
            omitted: 0,
        }
    }

    /// When the first of its alerts began.
    pub fn starts_at(&self) -> Timestamp {
        self.alerts.iter().map(|a| a.starts_at).min().unwrap_or(Timestamp::EPOCH)
    }

    /// What messages to one notifier must not overtake each other by: a hash of the group's key.
    pub fn line(&self) -> u64 {
        Labels::new([("group", self.group_key.as_str())]).fingerprint()
    }

    /// Firing while any alert is.
    pub fn status(&self) -> Status {
        if self.firing().next().is_some() { Status::Firing } else { Status::Resolved }
    }

    /// The alerts that fire.
    pub fn firing(&self) -> impl Iterator<Item = &NotifiedAlert> {
        self.alerts.iter().filter(|a| a.status == Status::Firing)
    }

    /// The alerts that are over.
    pub fn resolved(&self) -> impl Iterator<Item = &NotifiedAlert> {
        self.alerts.iter().filter(|a| a.status == Status::Resolved)
    }

    /// The worst severity among the firing alerts, or among all when none fires. An alert without a
    /// known `severity` counts as a warning.
    pub fn severity(&self) -> Severity {
        let of = |a: &NotifiedAlert| a.severity();
        let firing = self.firing().map(of).max();
        firing.or_else(|| self.alerts.iter().map(of).max()).unwrap_or(Severity::Warning)
    }

    /// Labels that all its alerts share.
    pub fn common_labels(&self) -> Labels {
        common(self.alerts.iter().map(|a| &a.labels))
    }

    /// Annotations that all its alerts share.
    pub fn common_annotations(&self) -> Labels {
        common(self.alerts.iter().map(|a| &a.annotations))
    }
}

impl NotifiedAlert {
    /// Its `severity` label: `critical`, `warning`, `info`; anything else counts as a warning.
    pub fn severity(&self) -> Severity {
        Severity::of(&self.labels)
    }
}

fn common<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = all.next() else { return Labels::default() };
    let mut pairs: Vec<_> = first.iter().collect();
    for labels in all {
        pairs.retain(|(name, value)| labels.get(name) == Some(value));
    }
    Labels::new(pairs)
}

/// One attempt to deliver.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// What to say.
    pub notification: &'a Notification,
    /// What [`Receipt::remote`] said when this thread was last delivered by this notifier: the message
    /// to update, to reply to, to close.
    pub previous: Option<&'a str>,
}

/// The receiver took it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The receiver's name for the message, kept for the thread's next one. At most 1 KiB.
    pub remote: Option<String>,
    /// What the receiver said, one short line: `250 queued as 4F1A`. Untrusted.
    pub detail: Option<String>,
}

/// Sends one notification once. Retry, rate and order belong to the caller.
///
/// Contract: returns within 10 s or may be dropped at any await point; a message is sent with the
/// notification's `key` or `thread` wherever the channel has a place for it; no secret appears in an
/// error or in `Debug`.
pub trait Notifier: Send + Sync + std::fmt::Debug {
    /// Delivers the notification.
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>>;

    /// What the service takes at most, unless configuration says otherwise; `None` for no known limit.
    fn default_rate(&self) -> Option<Rate> {
        None
    }
}

/// So many messages in such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub messages: u32,
    /// In which time.
    pub per: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(status: Status, labels: &[(&str, &str)]) -> NotifiedAlert {
        NotifiedAlert {
            status,
            fingerprint: "0000000000000001".to_owned(),
            labels: Labels::new(labels.iter().copied()),
            annotations: Labels::default(),
            starts_at: Timestamp::EPOCH,
            ends_at: None,
            value: None,
            generator_url: None,
        }
    }

    fn notification(alerts: Vec<NotifiedAlert>) -> Notification {
        Notification {
            key: "k".to_owned(),
            thread: "t".to_owned(),
            receiver: "ops".to_owned(),
            notifier: "ops".to_owned(),
            group_key: "{}:{}".to_owned(),
            group_labels: Labels::default(),
            reason: Reason::FirstTime,
            alerts,
            omitted: 0,
        }
    }

    #[test]
    fn only_what_all_alerts_share_is_common() {
        let a = alert(Status::Firing, &[("alertname", "X"), ("host", "a"), ("team", "web")]);
        let b = alert(Status::Resolved, &[("alertname", "X"), ("host", "b"), ("team", "web")]);
        let both = notification(vec![a, b]);
        assert_eq!(both.common_labels().to_string(), r#"{alertname="X", team="web"}"#);
        assert_eq!(both.status(), Status::Firing);
    }

    #[test]
    fn severity_is_that_of_what_still_fires() {
        let over = alert(Status::Resolved, &[("severity", "critical")]);
        let firing = alert(Status::Firing, &[("severity", "info")]);
        assert_eq!(notification(vec![over.clone(), firing]).severity(), Severity::Info);
        assert_eq!(notification(vec![over]).severity(), Severity::Critical);
        assert_eq!(notification(Vec::new()).severity(), Severity::Warning);
    }

    #[test]
    fn survives_the_outbox() {
        let n = notification(vec![alert(Status::Firing, &[("alertname", "X")])]);
        let text = serde_json::to_string(&n).unwrap();
        assert_eq!(serde_json::from_str::<Notification>(&text).unwrap(), n);
    }
}
