//! What goes into the dispatcher, and what comes out.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::ack::Ack;

use crate::alert::dispatch::record::Change;
use crate::alert::dispatch::setup::Setup;
use crate::alert::rule::Fingerprint;
use crate::alert::silence::Silence;
use crate::base::labels::Labels;
use crate::base::notification::{Notification, Reason};
use crate::base::time::Timestamp;

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Sources said how their alerts stand: fired, changed, over. Saying the same again changes nothing.
    Alerts(Vec<AlertUpdate>),
    /// The files changed.
    Reloaded(Arc<Setup>),
    /// Monitors broke (`true`) or work again, by name. Sent at the first bad result, before the monitor's
    /// own alert fires, so that what depends on it is muted in time.
    Monitors(Vec<(String, bool)>),
    /// A silence was made or changed.
    SilenceSet(Silence),
    /// A silence was ended by a person.
    SilenceExpired(String),
    /// Somebody has an alert.
    Acknowledged(Fingerprint, Ack),
    /// Nobody has it any more.
    Unacknowledged(Fingerprint),
    /// A notification was given up: refused for good, or too old. Its fallback takes over.
    GivenUp(Arc<Notification>),
    /// The wall clock was set: it is ahead of what it would have shown by so many milliseconds.
    ClockJumped(i64),
    /// Time has passed.
    Tick,
}

/// Where an alert comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A monitor's `alert:` block; while it fires the monitor counts as broken.
    Monitor,
    /// A rule.
    Rule,
    /// Watchdog itself, about itself. It depends on nothing, whatever there is of its name.
    Own,
    /// Another server.
    Foreign,
}

/// An alert as its source sees it now. Pending ones are not sent.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertUpdate {
    /// Identity.
    pub fingerprint: Fingerprint,
    /// Where it comes from.
    pub origin: Origin,
    /// Labels, `alertname` included.
    pub labels: Labels,
    /// Texts for people. Untrusted.
    pub annotations: Labels,
    /// Start of the episode: the first failure.
    pub starts_at: Timestamp,
    /// When it fired. An alert that has fired for longer than `group_wait` does not wait again.
    pub fired_at: Timestamp,
    /// Its end. In the future: when it ends unless it is sent again.
    pub ends_at: Option<Timestamp>,
    /// What the rule's expression gave last.
    pub value: Option<f64>,
    /// The page of the rule or of the sending server.
    pub generator_url: Option<String>,
}

/// What a step asks of its caller: one transaction of `changes`, `notifications` and `history`.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// To be owed: rows of the outbox, in order.
    pub notifications: Vec<Notification>,
    /// What must be stored so that a restart continues exactly; at most one per key.
    pub changes: Vec<Change>,
    /// What was decided and why, in order.
    pub history: Vec<Decision>,
    /// Alerts whose row on the board changed, or that left it, sorted.
    pub touched: Vec<Fingerprint>,
}

/// One decision with its reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// The alerts it is about, at most [`Decision::LISTED`].
    pub alerts: Vec<Fingerprint>,
    /// How many they are.
    pub count: usize,
    /// The notifier it is about, when it is about one.
    pub notifier: Option<String>,
    /// What was decided.
    pub outcome: Outcome,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The notifier is told.
    Told {
        /// Why.
        reason: Reason,
        /// [`Notification::key`].
        key: String,
    },
    /// Nobody, or this notifier, is not told.
    Held(Hold),
    /// An episode began.
    Fired,
    /// An episode ended.
    Resolved,
    /// It changes all the time and is held as firing.
    Flapping,
    /// It has been quiet.
    Quiet,
    /// Somebody has it.
    Acknowledged(Ack),
    /// Nobody has it any more; whether its time was over.
    Unacknowledged {
        /// It lapsed by itself.
        lapsed: bool,
    },
    /// A silence began or was changed.
    Silenced(String),
    /// A silence is over, and why.
    SilenceOver(String, SilenceEnd),
    /// The notifier gave up, the fallback takes over.
    TakenOver {
        /// The notifier that refused.
        from: String,
    },
}

/// Why a silence is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SilenceEnd {
    /// A person ended it.
    Expired,
    /// Its time is over.
    Elapsed,
    /// Nothing that it matches fires any more.
    Resolved,
    /// It is no longer in the files.
    Removed,
}

/// Why nobody, or one notifier, is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Something mutes it.
    Muted(MutedBy),
    /// The route's receiver has no notifier that exists.
    NoNotifier(String),
    /// It was over before it was told.
    OverBeforeTold,
    /// It has `send_resolved: false`.
    ResolvedNotWanted,
    /// It was told, and is no longer configured.
    Gone,
    /// It was told of the episode before and has not heard its end: nothing is new to it.
    StillBelieved,
    /// It refused the message that it fires.
    Refused,
}

/// What keeps an alert from being told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutedBy {
    /// What sort.
    pub kind: MuteKind,
    /// Id of the silence, name of the window, the monitor it depends on, or the alert that inhibits.
    pub id: String,
    /// For people. Untrusted.
    pub detail: String,
    /// When it ends, where that is known.
    pub until: Option<Timestamp>,
    /// Where it is written, for what stands in a file.
    pub source: Option<String>,
}

/// Sorts of muting, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MuteKind {
    /// A monitor that this one depends on is down.
    Dependency,
    /// An inhibition rule.
    Inhibition,
    /// The route's time intervals.
    Time,
    /// A maintenance window.
    Maintenance,
    /// A silence.
    Silence,
}

impl Decision {
    /// Alerts that a decision lists; the count says how many there are.
    pub const LISTED: usize = 100;

    pub(super) fn new(at: Timestamp, alerts: &[Fingerprint], outcome: Outcome) -> Self {
        let listed = alerts.iter().copied().take(Self::LISTED).collect();
        Self { at, alerts: listed, count: alerts.len(), notifier: None, outcome }
    }

    pub(super) fn for_notifier(self, notifier: &str) -> Self {
        Self { notifier: Some(notifier.to_owned()), ..self }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told { reason, .. } => f.write_str(&reason_text(*reason)),
            Self::Held(hold) => write!(f, "not told: {hold}"),
            Self::Fired => f.write_str("it fires"),
            Self::Resolved => f.write_str("it is over"),
            Self::Flapping => f.write_str("it changes all the time: told once, then held until it is quiet"),
            Self::Quiet => f.write_str("it has been quiet and is no longer held as flapping"),
            Self::Acknowledged(ack) if ack.comment.is_empty() => write!(f, "acknowledged by {}", ack.by),
            Self::Acknowledged(ack) => write!(f, "acknowledged by {}: {}", ack.by, ack.comment),
            Self::Unacknowledged { lapsed: true } => f.write_str("the acknowledgement lapsed"),
            Self::Unacknowledged { lapsed: false } => f.write_str("no longer acknowledged"),
            Self::Silenced(id) => write!(f, "silence {id} was set"),
            Self::SilenceOver(id, end) => write!(f, "silence {id} is over: {end}"),
            Self::TakenOver { from } => write!(f, "{from} gave up, this one takes over"),
        }
    }
}

/// A reason in words.
pub fn reason_text(reason: Reason) -> String {
    match reason {
        Reason::FirstTime => "it fires for the first time".to_owned(),
        Reason::GroupChanged => "the group changed".to_owned(),
        Reason::Resolved => "it was told that it fires".to_owned(),
        Reason::RepeatDue => "nothing changed for a whole repeat interval".to_owned(),
        Reason::Escalated(step) => format!("nobody acknowledged: step {step} of the escalation"),
        Reason::Digest(groups) => format!("many at once: one message for {groups} groups"),
        Reason::Test => "a test".to_owned(),
        Reason::Drill => "a drill".to_owned(),
        Reason::Reminder => "a reminder".to_owned(),
    }
}

impl fmt::Display for SilenceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "ended by a person",
            Self::Elapsed => "its time is over",
            Self::Resolved => "nothing that it matches fires any more",
            Self::Removed => "it is no longer in the files",
        })
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Muted(by) => write!(f, "muted by {by}"),
            Self::NoNotifier(receiver) => write!(f, "the receiver {receiver} has no notifier"),
            Self::OverBeforeTold => f.write_str("it was over before it was told"),
            Self::ResolvedNotWanted => f.write_str("it does not want to hear of an end"),
            Self::Gone => f.write_str("it is no longer configured"),
            Self::StillBelieved => f.write_str("it was told before and has not heard of an end since"),
            Self::Refused => f.write_str("it refused the message that it fires"),
        }
    }
}

impl fmt::Display for MutedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            MuteKind::Dependency => "the dependency",
            MuteKind::Inhibition => "the alert",
            MuteKind::Time => "the time interval",
            MuteKind::Maintenance => "the maintenance window",
            MuteKind::Silence => "the silence",
        };
        write!(f, "{what} {}", self.id)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}
