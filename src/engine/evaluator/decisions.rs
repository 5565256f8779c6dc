//! What one drain of the inbox decided, until it is committed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::alert::dispatch::{self, AlertUpdate, Decision, Dispatcher, Effects, Outcome, RecordKey};
use crate::alert::rule::Fingerprint;
use crate::base::time::Timestamp;
use crate::engine::evaluator::BoardInput;
use crate::state::{Change, NewEvent, Owed};
use crate::wire::board::{AlertRow, EventKind};

/// What one drain of the inbox decided.
#[derive(Default)]
pub(crate) struct Decisions {
    /// To be committed.
    pub(crate) changes: Vec<Change>,
    /// The dispatcher's rows to be committed: of each the last form only.
    rows_of_dispatch: HashMap<RecordKey, dispatch::Change>,
    /// To be shown after the commit.
    pub(crate) board: Vec<BoardInput>,
    /// To be sent after the commit.
    pub(crate) owed: Vec<Owed>,
    /// For the dispatcher, in order.
    pub(crate) updates: Vec<AlertUpdate>,
    /// Monitors that broke or work again, for the dispatcher.
    pub(crate) monitors: Vec<(String, bool)>,
    /// Alert rows as they now are, but for what the dispatcher knows.
    pub(crate) rows: Vec<AlertRow>,
    /// Alerts that are shown no more.
    pub(crate) gone: Vec<Fingerprint>,
    /// Alerts of which the dispatcher knows something new.
    pub(crate) touched: BTreeSet<Fingerprint>,
    /// Answers that wait for the commit.
    pub(crate) answers: Vec<Box<dyn FnOnce() + Send>>,
}

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decisions").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

impl Decisions {
    pub(crate) fn event(&mut self, event: NewEvent) {
        self.changes.push(Change::Event(event));
    }

    /// Takes over what a step of the dispatcher asks for.
    pub(crate) fn take(&mut self, effects: Effects, now: Timestamp, dispatcher: &Dispatcher) {
        for change in effects.changes {
            self.rows_of_dispatch.insert(change.key(), change);
        }
        for decision in effects.history {
            self.changes.extend(decision_event(&decision, dispatcher).map(Change::Event));
        }
        for notification in effects.notifications {
            let owed = Owed { notification: Arc::new(notification), created: now, attempts: 0, next_attempt: now };
            self.owe(owed);
        }
    }

    /// Owes a message.
    pub(crate) fn owe(&mut self, owed: Owed) {
        self.changes.push(Change::Owe(owed.clone()));
        self.owed.push(owed);
    }

    /// All that is to be committed in one transaction.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        let mut changes = std::mem::take(&mut self.changes);
        changes.extend(self.rows_of_dispatch.drain().map(|(_, change)| Change::Alerting(change)));
        changes
    }
}

/// A decision as a line of history. That an episode began or ended is told by whoever found it.
fn decision_event(decision: &Decision, dispatcher: &Dispatcher) -> Option<NewEvent> {
    let (kind, what) = match &decision.outcome {
        Outcome::Fired | Outcome::Resolved => return None,
        Outcome::Told { .. } => (EventKind::Alert, "told"),
        Outcome::Held(_) => (EventKind::Alert, "held"),
        Outcome::Flapping => (EventKind::Alert, "flapping"),
        Outcome::Quiet => (EventKind::Alert, "quiet"),
        Outcome::Acknowledged(_) => (EventKind::Alert, "acked"),
        Outcome::Unacknowledged { .. } => (EventKind::Alert, "unacked"),
        Outcome::Silenced(_) => (EventKind::Alert, "silenced"),
        Outcome::SilenceOver(..) => (EventKind::Alert, "unsilenced"),
        Outcome::TakenOver { .. } => (EventKind::Delivery, "taken_over"),
    };
    let mut detail = decision.outcome.to_string();
    if decision.count > 1 {
        detail = format!("{} alerts: {detail}", decision.count);
    }
    let named = || match decision.alerts.as_slice() {
        [one] => dispatcher.alert(*one).map(|a| a.monitor().or_else(|| a.labels().get("alertname")).unwrap_or("alert")),
        _ => None,
    };
    let subject = decision.notifier.as_deref().or_else(named).unwrap_or("alerts").to_owned();
    let mut event = NewEvent::new(decision.at, kind, subject, what, detail);
    event.alerts.clone_from(&decision.alerts);
    Some(event)
}
