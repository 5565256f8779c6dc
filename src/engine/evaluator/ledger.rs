//! Committing decisions, and carrying on when that does not work.
//!
//! What could not be committed is kept in order and committed before, or together with, what comes
//! next. A commit that takes longer than [`PATIENCE`] stays under way while evaluation goes on.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{self, Instant};

use crate::base::failure::Chain;
use crate::state::{Change, Committed, Flush, StateDb, StateError};
use crate::wire::board::Event;

/// How long a page may wait for the disk before it leaves uncommitted.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between commits while the database fails.
const RETRY_EVERY: Duration = Duration::from_secs(5);
/// Events kept in memory while the database fails; decisions and messages are all kept.
const EVENTS_KEPT: usize = 10_000;
/// Changes in the backlog before superseded ones are removed from it.
const COALESCE_ABOVE: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Ledger {
    db: StateDb,
    backlog: Vec<Change>,
    /// Changes of the backlog that are events.
    backlog_events: usize,
    dropped_events: u64,
    coalesce_above: usize,
    in_flight: Option<InFlight>,
    retry_at: Option<Instant>,
    /// Highest event id seen: events that have none yet continue from it.
    last_id: i64,
    complaint: Option<String>,
    complaint_changed: bool,
}

type Landed = (Arc<[Change]>, Result<Committed, StateError>);

struct InFlight(Pin<Box<dyn Future<Output = Landed> + Send>>);

impl std::fmt::Debug for InFlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InFlight")
    }
}

impl Ledger {
    pub(crate) fn new(db: StateDb) -> Self {
        Self {
            db,
            backlog: Vec::new(),
            backlog_events: 0,
            dropped_events: 0,
            coalesce_above: COALESCE_ABOVE,
            in_flight: None,
            retry_at: None,
            last_id: 0,
            complaint: None,
            complaint_changed: false,
        }
    }

    /// Commits `changes` after what is still owed to the disk. Returns what to publish, in any case.
    pub(crate) async fn commit(&mut self, changes: Vec<Change>) -> Committed {
        if changes.is_empty() && self.backlog.is_empty() {
            return Committed::default();
        }
        let waiting = self.in_flight.is_some() || self.retry_at.is_some_and(|at| at > Instant::now());
        if waiting {
            return self.defer(changes);
        }
        let old_events = self.backlog_events;
        let new_events = events(&changes).count();
        let mut batch = std::mem::take(&mut self.backlog);
        self.backlog_events = 0;
        batch.extend(changes);
        let batch: Arc<[Change]> = batch.into();
        let mut flight = self.start(batch.clone());
        match time::timeout(PATIENCE, &mut flight.0).await {
            Ok((_, Ok(committed))) => {
                self.landed_well(&committed);
                // Events of the backlog were published when they happened.
                let events = committed.events.into_iter().skip(old_events).collect();
                Committed { events, withheld: committed.withheld }
            }
            Ok((batch, Err(e))) => {
                self.failed(&batch, &e);
                self.unnumbered(&batch, new_events)
            }
            Err(_) => {
                self.complain(format!(
                    "the state database stalls (a commit takes longer than {} s)",
                    PATIENCE.as_secs()
                ));
                self.in_flight = Some(flight);
                self.unnumbered(&batch, new_events)
            }
        }
    }

    /// Waits for the commit that is under way; for ever when there is none. Cancel-safe.
    pub(crate) async fn landed(&mut self) -> Landed {
        match &mut self.in_flight {
            Some(flight) => {
                let landed = (&mut flight.0).await;
                self.in_flight = None;
                landed
            }
            None => std::future::pending().await,
        }
    }

    /// Takes note of how a commit ended that was waited for elsewhere.
    pub(crate) fn note(&mut self, (batch, outcome): Landed) {
        match outcome {
            Ok(committed) => {
                self.landed_well(&committed);
                // What was decided meanwhile is due at once.
                self.retry_at = (!self.backlog.is_empty()).then(Instant::now);
            }
            Err(e) => self.failed(&batch, &e),
        }
    }

    /// When to commit the backlog again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| self.in_flight.is_none() && !self.backlog.is_empty())
    }

    /// Whether a commit has been under way for too long.
    pub(crate) fn stalled(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Stores counters. A failure is the next commit's complaint: counters alone are not worth one.
    pub(crate) async fn flush(&mut self, flush: Flush) {
        match time::timeout(PATIENCE, self.db.flush(flush)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::debug!(error = %Chain(&e), "counters not stored"),
            Err(_) => tracing::debug!("counters not stored in time"),
        }
    }

    /// Commits what is left, once.
    pub(crate) async fn finish(&mut self) {
        if self.in_flight.is_some() {
            let landed = self.landed().await;
            self.note(landed);
        }
        self.retry_at = None;
        self.commit(Vec::new()).await;
    }

    /// The complaint, when it is not the one last returned.
    pub(crate) fn complaint_if_changed(&mut self) -> Option<Option<String>> {
        std::mem::take(&mut self.complaint_changed).then(|| self.complaint.clone())
    }

    fn start(&self, batch: Arc<[Change]>) -> InFlight {
        let db = self.db.clone();
        InFlight(Box::pin(async move {
            let outcome = db.commit(batch.clone()).await;
            (batch, outcome)
        }))
    }

    fn landed_well(&mut self, committed: &Committed) {
        self.last_id = committed.events.last().map_or(self.last_id, |e| e.id.max(self.last_id));
        self.retry_at = None;
        if self.complaint.take().is_some() {
            self.complaint_changed = true;
            tracing::info!(dropped_events = self.dropped_events, "the state database works again");
            self.dropped_events = 0;
        }
    }

    fn failed(&mut self, batch: &[Change], error: &StateError) {
        let later = std::mem::take(&mut self.backlog);
        self.backlog = batch.iter().cloned().chain(later).collect();
        self.backlog_events = events(&self.backlog).count();
        self.bound_backlog();
        self.retry_at = Some(Instant::now() + RETRY_EVERY);
        self.complain(format!("{}; alerts go on from memory", Chain(error)));
    }

    fn complain(&mut self, text: String) {
        if self.complaint.is_none() {
            tracing::error!(reason = text, "decisions cannot be stored");
        }
        if self.complaint.as_ref() != Some(&text) {
            self.complaint = Some(text);
            self.complaint_changed = true;
        }
    }

    fn defer(&mut self, changes: Vec<Change>) -> Committed {
        let count = events(&changes).count();
        let out = self.unnumbered(&changes, count);
        self.backlog.extend(changes);
        self.backlog_events += count;
        self.bound_backlog();
        out
    }

    /// Keeps the backlog from growing with every flap: of states only the last form counts, of events
    /// the newest are kept.
    fn bound_backlog(&mut self) {
        if self.backlog.len() > self.coalesce_above {
            self.backlog = coalesced(std::mem::take(&mut self.backlog));
            self.coalesce_above = (self.backlog.len() * 2).max(COALESCE_ABOVE);
        }
        let mut excess = self.backlog_events.saturating_sub(EVENTS_KEPT);
        if excess == 0 {
            return;
        }
        self.dropped_events = self.dropped_events.saturating_add(excess as u64);
        self.backlog_events -= excess;
        self.backlog.retain(|c| {
            let drop = excess > 0 && matches!(c, Change::Event(_));
            excess -= usize::from(drop);
            !drop
        });
    }

    /// The last `count` events under provisional ids, so that screens show them in order.
    fn unnumbered(&mut self, changes: &[Change], count: usize) -> Committed {
        let skip = events(changes).count() - count;
        let events: Vec<Event> =
            events(changes).skip(skip).zip(self.last_id + 1..).map(|(event, id)| event.numbered(id)).collect();
        self.last_id += i64::try_from(events.len()).unwrap_or(0);
        Committed { events, withheld: Vec::new() }
    }
}

/// `changes` without those states that a later one replaces.
fn coalesced(changes: Vec<Change>) -> Vec<Change> {
    let (mut monitors, mut alerts, mut rows) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut out = Vec::with_capacity(changes.len());
    for change in changes.into_iter().rev() {
        let last = match &change {
            // After `MonitorGone` alone the beat is deleted too, so that one is never superseded.
            Change::Monitor(name, _) | Change::MonitorReset(name) => monitors.insert(name.clone()),
            Change::MonitorGone(name) => {
                monitors.insert(name.clone());
                true
            }
            Change::Alert(alert) => alerts.insert(alert.fingerprint),
            Change::Alerting(change) => rows.insert(change.key()),
            Change::Event(_) | Change::Owe(_) | Change::Settled(_) => true,
        };
        if last {
            out.push(change);
        }
    }
    out.reverse();
    out
}

fn events(changes: &[Change]) -> impl Iterator<Item = &crate::state::NewEvent> {
    changes.iter().filter_map(|c| match c {
        Change::Event(e) => Some(e),
        Change::Monitor(..)
        | Change::MonitorReset(_)
        | Change::MonitorGone(_)
        | Change::Alert(_)
        | Change::Owe(_)
        | Change::Alerting(_)
        | Change::Settled(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::instance::{Instance, Phase};
    use crate::alert::rule::{Fingerprint, Words};
    use crate::base::clock::Clock;
    use crate::base::labels::Labels;
    use crate::base::message::Severity;
    use crate::base::name::MonitorName;
    use crate::base::time::Timestamp;
    use crate::state::{NewEvent, Opened};
    use crate::wire::board::EventKind;

    #[tokio::test]
    async fn what_a_failing_database_missed_is_stored_when_it_works_again() {
        let dir = tempfile::tempdir().unwrap();
        let Opened { db, .. } = StateDb::open(dir.path(), Clock::system()).unwrap();
        let path = dir.path().join("db/watchdog.db");
        let raw = rusqlite::Connection::open(&path).unwrap();
        raw.execute_batch("ALTER TABLE alert RENAME TO elsewhere").unwrap();
        let mut ledger = Ledger::new(db.clone());
        let event = |n: i64| {
            let kind = EventKind::Alert;
            NewEvent::new(Timestamp::from_millis(n), kind, "shop", "firing", String::new())
        };
        let alert = Instance {
            fingerprint: Fingerprint(1),
            rule: "MonitorDown".to_owned(),
            monitor: MonitorName::new("shop").unwrap(),
            phase: Phase::Pending { since: Timestamp::EPOCH },
            words: Arc::new(Words {
                severity: Severity::Info,
                labels: Labels::default(),
                annotations: Labels::default(),
            }),
        };
        let first = vec![Change::Alert(alert), Change::Event(event(1))];
        assert_eq!(ledger.commit(first).await.events, [event(1).numbered(1)]);
        assert!(matches!(ledger.complaint_if_changed(), Some(Some(_))));
        assert_eq!(ledger.commit(vec![Change::Event(event(2))]).await.events, [event(2).numbered(2)]);
        assert_eq!(ledger.complaint_if_changed(), None);
        raw.execute_batch("ALTER TABLE elsewhere RENAME TO alert").unwrap();
        ledger.finish().await;
        assert_eq!(ledger.complaint_if_changed(), Some(None));
        // Already published: not again.
        assert_eq!(ledger.commit(vec![Change::Event(event(3))]).await.events, [event(3).numbered(3)]);
        db.close().await;
        drop(raw);
        let loaded = StateDb::open(dir.path(), Clock::system()).unwrap().loaded;
        assert_eq!((loaded.alerts.len(), loaded.events.len()), (1, 3));
    }

    // The paused clock jumps over the ledger's patience while the locked database makes it wait.
    #[tokio::test(start_paused = true)]
    async fn a_disk_that_stalls_holds_up_neither_pages_nor_later_decisions() {
        let dir = tempfile::tempdir().unwrap();
        let Opened { db, .. } = StateDb::open(dir.path(), Clock::system()).unwrap();
        let raw = rusqlite::Connection::open(dir.path().join("db/watchdog.db")).unwrap();
        raw.execute_batch("BEGIN IMMEDIATE").unwrap();
        let event = |n: i64| {
            let kind = EventKind::Alert;
            NewEvent::new(Timestamp::from_millis(n), kind, "shop", "firing", String::new())
        };
        let mut ledger = Ledger::new(db.clone());
        assert_eq!(ledger.commit(vec![Change::Event(event(1))]).await.events, [event(1).numbered(1)]);
        assert!(ledger.stalled());
        assert!(matches!(ledger.complaint_if_changed(), Some(Some(why)) if why.contains("stalls")));
        assert_eq!(ledger.commit(vec![Change::Event(event(2))]).await.events, [event(2).numbered(2)]);
        raw.execute_batch("COMMIT").unwrap();
        let landed = ledger.landed().await;
        ledger.note(landed);
        assert_eq!(ledger.complaint_if_changed(), Some(None));
        assert!(ledger.retry_at().is_some_and(|at| at <= Instant::now()));
        ledger.finish().await;
        db.close().await;
        let stored: Vec<_> = StateDb::open(dir.path(), Clock::system())
            .unwrap()
            .loaded
            .events
            .into_iter()
            .map(|e| e.at.millis())
            .collect();
        assert_eq!(stored, [2, 1]);
    }
}
