//! What is stored so that a restart continues exactly: self-contained rows, written whole.
//!
//! A row is written in the transaction of the decision that changed it. Each is found by its
//! [`RecordKey`]; nothing refers to a row that is written later. Groups' memberships, mutes and timers
//! are not stored: they follow from these rows, the files and the time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alert::ack::Ack;
use crate::alert::dispatch::event::Origin;
use crate::alert::flap::Flap;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;

/// A row to write, or to delete.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Write over what stands there.
    Put(Record),
    /// It is gone.
    Delete(RecordKey),
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// Its kind: the table.
    pub kind: RecordKind,
    /// Unique within the kind.
    pub id: String,
}

/// Kinds of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// [`AlertRecord`]
    Alert,
    /// [`GroupRecord`]
    Group,
    /// [`SilenceRecord`]
    Silence,
    /// [`CounterRecord`], one row
    Counter,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// An alert that fires or was told of.
    Alert(Box<AlertRecord>),
    /// A group and what its notifiers heard.
    Group(GroupRecord),
    /// A silence and what it did.
    Silence(SilenceRecord),
    /// What keys are made of.
    Counter(CounterRecord),
}

/// One alert with who was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertRecord {
    /// Identity, 16 hex digits.
    pub fingerprint: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Labels.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: Labels,
    /// Its source says that it fires.
    pub active: bool,
    /// Number of the episode; grows over all alerts.
    pub episode: u64,
    /// Start of the episode.
    pub starts_at: Timestamp,
    /// When it fired.
    pub fired_at: Timestamp,
    /// Its end: in the past for one that is over, in the future for one that ends unless sent again.
    pub ends_at: Option<Timestamp>,
    /// When the episode began or ended, by the dispatcher's clock.
    pub changed_at: Timestamp,
    /// What the rule's expression gave last.
    pub value: Option<f64>,
    /// Its page.
    pub generator_url: Option<String>,
    /// Who was told, by notifier.
    pub told: BTreeMap<String, Told>,
    /// Who has it.
    pub ack: Option<Ack>,
    /// Escalations under way, by the name of their policy.
    pub escalations: BTreeMap<String, Escalating>,
    /// Its changes of late.
    pub flap: Flap,
}

/// One notifier believes that the alert fires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The receiver through which it was told.
    pub receiver: String,
    /// When it last was.
    pub at: Timestamp,
    /// The thread in which it was, see [`crate::base::notification::Notification::thread`].
    pub thread: String,
    /// Key of the last notification.
    pub key: String,
    /// It heard that the alert is flapping.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flapping: bool,
    /// Its thread was closed while this alert was muted: it may think that all is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shut: bool,
    /// It refused to hear.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// How far an escalation got for one alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escalating {
    /// When the alert was first told on the route that escalates.
    pub since: Timestamp,
    /// Steps begun.
    pub steps: u32,
    /// Notifiers that are still to be told, with the step and the receiver.
    #[serde(default)]
    pub owed: Vec<(u32, String, String)>,
}

/// One group of alerts and what was said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// [`crate::alert::route::Route::id`]
    pub route: String,
    /// The labels it was formed by.
    pub labels: Labels,
    /// Its first flush is over.
    pub flushed: bool,
    /// A time at which it is, or was, flushed: the others follow at multiples of `group_interval`.
    pub due: Timestamp,
    /// What was said, by notifier.
    pub told: BTreeMap<String, GroupTold>,
}

/// What one notifier heard of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupTold {
    /// The last message, from which `repeat_interval` counts.
    pub at: Timestamp,
    /// The open thread.
    pub thread: Option<String>,
}

/// One silence and what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceRecord {
    /// Its id.
    pub id: String,
    /// `{a="b"}`
    pub matchers: String,
    /// Its start.
    pub starts_at: Timestamp,
    /// Its end.
    pub ends_at: Timestamp,
    /// Its last change.
    pub updated_at: Timestamp,
    /// Who.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// It ends with what it matches.
    pub until_resolved: bool,
    /// Where it stands in a file; such a row keeps the counters only.
    pub source: Option<String>,
    /// Notifications that it held back.
    pub muted: u64,
    /// The last of them.
    pub last_muted: Option<Timestamp>,
    /// Its end, or that it is forgotten, was mentioned.
    pub reminded: bool,
}

/// What keys are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterRecord {
    /// Notifications decided so far.
    pub sequence: u64,
    /// Episodes so far.
    pub episodes: u64,
}

impl RecordKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Group => "group",
            Self::Silence => "silence",
            Self::Counter => "counter",
        }
    }
}

impl Record {
    /// Where it stands.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Alert(a) => RecordKey { kind: RecordKind::Alert, id: a.fingerprint.clone() },
            Self::Group(g) => GroupRecord::key(&g.route, &g.labels),
            Self::Silence(s) => RecordKey { kind: RecordKind::Silence, id: s.id.clone() },
            Self::Counter(_) => RecordKey { kind: RecordKind::Counter, id: String::new() },
        }
    }
}

impl GroupRecord {
    /// Where the group of a route with these labels stands.
    pub fn key(route: &str, labels: &Labels) -> RecordKey {
        RecordKey { kind: RecordKind::Group, id: format!("{route}:{labels}") }
    }
}

impl Change {
    /// Where the row stands.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Put(record) => record.key(),
            Self::Delete(key) => key.clone(),
        }
    }
}
