//! The values that go into the database and come out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::dispatch;
use crate::alert::instance::Instance;
use crate::alert::monitor::MonitorStatus;
use crate::alert::rule::Fingerprint;
use crate::base::heard::Heard;
use crate::base::name::MonitorName;
use crate::base::notification::{Notification, Receipt};
use crate::base::probe::Beat;
use crate::base::time::Timestamp;
use crate::wire::board::{DeliveryRow, DeliveryState, Event, EventKind};

/// One part of a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A monitor's new status.
    Monitor(MonitorName, MonitorStatus),
    /// The monitor starts afresh: it is paused. Its beats stay.
    MonitorReset(MonitorName),
    /// The monitor is gone, with its beats.
    MonitorGone(MonitorName),
    /// An alert's new form. An inactive one is forgotten.
    Alert(Instance),
    /// Something to remember and show.
    Event(NewEvent),
    /// A message to deliver.
    Owe(Owed),
    /// A row of the dispatcher's.
    Alerting(dispatch::Change),
    /// That this message was given up has been dealt with.
    Settled(String),
}

/// An event that has no id yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// When.
    pub at: Timestamp,
    /// What sort.
    pub kind: EventKind,
    /// The monitor, receiver or file it is about.
    pub subject: String,
    /// What changed, one word.
    pub what: &'static str,
    /// One sentence. Untrusted.
    pub detail: String,
    /// The alerts it belongs to.
    pub alerts: Vec<Fingerprint>,
}

impl NewEvent {
    /// An event that belongs to no alert.
    pub fn new(at: Timestamp, kind: EventKind, subject: impl Into<String>, what: &'static str, detail: String) -> Self {
        Self { at, kind, subject: subject.into(), what, detail, alerts: Vec::new() }
    }

    /// The same, as part of the story of these alerts.
    #[must_use]
    pub fn about(self, alerts: impl IntoIterator<Item = Fingerprint>) -> Self {
        Self { alerts: alerts.into_iter().collect(), ..self }
    }

    /// The event under its id.
    pub fn numbered(&self, id: i64) -> Event {
        Event {
            id,
            at: self.at,
            kind: self.kind,
            subject: self.subject.clone(),
            what: self.what.to_owned(),
            detail: self.detail.clone(),
        }
    }
}

/// A message on its way to a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed {
    /// What to say.
    pub notification: Arc<Notification>,
    /// When it was decided.
    pub created: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// Not to be tried before.
    pub next_attempt: Timestamp,
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Committed {
    /// The events with their ids, in order.
    pub events: Vec<Event>,
    /// Keys of messages that must not be sent: delivered before, or the end of an alert whose firing
    /// the receiver refused for good.
    pub withheld: Vec<String>,
}

/// How an attempt to deliver ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The notification's key.
    pub key: String,
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took; `None` when nothing was tried.
    pub took: Option<Duration>,
    /// What the receiver answered, when it took the message.
    pub receipt: Option<Receipt>,
    /// What is to become of the message.
    pub after: After,
    /// What went wrong. Untrusted.
    pub error: Option<String>,
    /// What to tell.
    pub event: Option<NewEvent>,
}

/// What becomes of a message after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The receiver took it.
    Delivered,
    /// Another attempt, not before this time.
    Retry(Timestamp),
    /// No further attempt.
    Dead,
}

/// What recording attempts did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// The events with their ids, in order.
    pub events: Vec<Event>,
    /// Keys that the outbox does not hold (their commit failed so far): record them again later.
    pub unknown: Vec<String>,
}

/// What may be a second old when the process is killed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flush {
    /// Counters between transitions.
    pub monitors: Vec<(MonitorName, MonitorStatus)>,
    /// The last report of each heartbeat monitor.
    pub beats: Vec<(MonitorName, Beat)>,
    /// When each heartbeat monitor has listened.
    pub heard: Vec<(MonitorName, Heard)>,
    /// One opaque piece of history; empty for none.
    pub journal: Vec<u8>,
}

/// Which events to return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only events older than this id.
    pub before: Option<i64>,
    /// At most this many.
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

/// Which deliveries to return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only those with a lower id.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: usize,
    /// Only to this notifier.
    pub notifier: Option<String>,
    /// Only those that got this far.
    pub state: Option<DeliveryState>,
    /// Only those that tell of this alert.
    pub alert: Option<Fingerprint>,
}

/// What one notifier did of late.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifierStats {
    /// Delivered since the asked-for time.
    pub delivered: u64,
    /// Given up since then.
    pub dead: u64,
    /// The last success, and how long it took.
    pub last_ok: Option<(Timestamp, Duration)>,
    /// The last failure.
    pub last_error: Option<(Timestamp, String)>,
}

/// The last thing said to one receiver about one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct PastDelivery {
    /// The alert.
    pub alert: Fingerprint,
    /// Its episode.
    pub starts_at: Timestamp,
    /// How far it got.
    pub row: DeliveryRow,
}

/// A saved history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Whose.
    pub monitor: MonitorName,
    /// The engine's blob.
    pub data: Vec<u8>,
    /// All pieces of the journal up to this one are in it.
    pub covers: i64,
}

/// Everything that was in the database when it was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Where each monitor stood.
    pub monitors: Vec<(MonitorName, MonitorStatus)>,
    /// Alerts that are pending, firing or resolved.
    pub alerts: Vec<Instance>,
    /// The dispatcher's rows.
    pub alerting: Vec<dispatch::Record>,
    /// Messages owed, oldest first.
    pub owed: Vec<Owed>,
    /// Messages that were given up, which nobody has dealt with yet.
    pub unsettled: Vec<Arc<Notification>>,
    /// What was last said about those alerts, per receiver.
    pub deliveries: Vec<PastDelivery>,
    /// The last report of each heartbeat monitor.
    pub beats: Vec<(MonitorName, Beat)>,
    /// When each heartbeat monitor has listened.
    pub heard: Vec<(MonitorName, Heard)>,
    /// The newest 50 events, newest first.
    pub events: Vec<Event>,
    /// The history rings as last replaced.
    pub rings: Vec<Ring>,
    /// What was appended since, oldest first.
    pub journal: Vec<(i64, Vec<u8>)>,
    /// Rows that could not be understood and were left alone.
    pub skipped: usize,
}
