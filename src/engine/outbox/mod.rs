//! Delivers what was decided: at least once, in order per alert and receiver, always under the same
//! key.
//!
//! Each receiver has its own queue, so one that hangs delays nobody else. A delivery is recorded
//! before the next message of that alert leaves. What cannot be recorded because the database fails
//! is delivered all the same and recorded when it works again. Never invents, merges or drops a
//! message: one that is given up says so in an event.

mod attempt;
mod metrics;
mod pace;
mod queue;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::notification::{Notification, NotifiedAlert};
use crate::base::time::Timestamp;
use crate::config::model::{RateLimit, Receiver};
use crate::engine::evaluator::{BoardInput, EvalInput};
use crate::engine::outbox::attempt::{Delivery, Ended};
pub use crate::engine::outbox::metrics::DeliveryMetrics;
use crate::engine::outbox::pace::Pace;
use crate::engine::outbox::queue::{Item, Next, Queue};
use crate::state::{After, Attempt, NewEvent, Owed, PastDelivery, Recorded, StateDb};
use crate::task::backoff::Backoff;
use crate::task::supervisor::Supervisor;
use crate::task::timer::at;
use crate::wire::alerting::NotifierHealth;
use crate::wire::board::{DeliveryRow, DeliveryState, EventKind};

/// What the outbox is told.
#[derive(Debug)]
pub enum OutboxInput {
    /// Messages to deliver, already in the database, or only in memory while that fails.
    Owed(Vec<Owed>),
    /// The receivers that now exist.
    Receivers {
        /// All of them.
        receivers: Vec<Arc<Receiver>>,
        /// Whether every file could be read; until then messages to unknown receivers wait.
        complete: bool,
    },
    /// How each notifier does.
    Health(oneshot::Sender<Vec<LaneHealth>>),
}

/// How one notifier does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneHealth {
    /// Its name.
    pub name: String,
    /// Messages that wait.
    pub owed: usize,
    /// How it does.
    pub health: NotifierHealth,
}

/// How deliveries are tried.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// One attempt may take this long.
    pub timeout: Duration,
    /// Pauses between attempts.
    pub backoff: Backoff,
    /// How long a notifier that failed again and again is left alone, longer with each further failure.
    /// Within that nothing is tried; then one message is.
    pub rest: Backoff,
    /// What a receiver may ask for with `Retry-After`.
    pub retry_after_cap: Duration,
    /// Age at which a failure becomes the last one.
    pub ttl: Duration,
    /// Messages under way to one receiver. A crash can repeat that many: see `docs/adr/0004`.
    pub width: usize,
    /// What deliveries under way get when stopping.
    pub grace: Duration,
    /// How long recording may hold up the next message, and the pause before recording again.
    pub record: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(300)),
            rest: Backoff::new(Duration::from_secs(5), Duration::from_secs(60)),
            retry_after_cap: Duration::from_secs(15 * 60),
            ttl: Duration::from_secs(24 * 3_600),
            width: 1,
            grace: Duration::from_secs(5),
            record: Duration::from_secs(5),
        }
    }
}

/// Pause before the evaluator is told again of what was given up.
const REPORT_AGAIN: Duration = Duration::from_millis(200);
/// Results of deliveries that wait to be noted. When full, a delivery that ended waits: it has already
/// been recorded.
const ENDED: usize = 64;

/// The actor.
#[derive(Debug)]
pub struct Outbox {
    db: StateDb,
    clock: Clock,
    board: mpsc::Sender<BoardInput>,
    evaluator: mpsc::Sender<EvalInput>,
    /// Given up, and not yet told to the evaluator, which is busy or has no configuration yet.
    given_up: VecDeque<Arc<Notification>>,
    configured: bool,
    metrics: DeliveryMetrics,
    policy: Policy,
    lanes: BTreeMap<String, Lane>,
    /// Ends of messages that are not in the database yet.
    unrecorded: Vec<Attempt>,
    record_at: Instant,
    recording: bool,
    past: Vec<PastDelivery>,
    shown_owed: Option<usize>,
}

#[derive(Debug)]
struct Lane {
    /// `None` until a configuration has it, and after one no longer has.
    receiver: Option<Arc<Receiver>>,
    /// It was in an earlier configuration, or none can have it any more.
    gone: bool,
    queue: Queue,
    pace: Pace,
}

impl Lane {
    /// When the next message may be tried.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        self.receiver.as_ref()?;
        let due = self.queue.next_due()?;
        Some(self.pace.not_before(now).map_or(due, |at| due.max(at)))
    }

    fn new(width: usize) -> Self {
        Self { receiver: None, gone: false, queue: Queue::new(width), pace: Pace::default() }
    }
}

#[derive(Debug)]
enum Report {
    Delivery(Box<Ended>),
    Recorded { attempts: Vec<Attempt>, outcome: Option<Recorded> },
}

impl Outbox {
    /// An outbox that continues with what was loaded. It sends nothing until it was told of receivers.
    pub fn new(
        db: StateDb,
        clock: Clock,
        owed: Vec<Owed>,
        past: Vec<PastDelivery>,
        board: mpsc::Sender<BoardInput>,
        evaluator: mpsc::Sender<EvalInput>,
        metrics: DeliveryMetrics,
    ) -> Self {
        let mut outbox = Self {
            db,
            clock,
            board,
            evaluator,
            given_up: VecDeque::new(),
            configured: false,
            metrics,
            policy: Policy::default(),
            lanes: BTreeMap::new(),
            unrecorded: Vec::new(),
            record_at: Instant::now(),
            recording: false,
            past,
            shown_owed: None,
        };
        for owed in owed {
            // Nothing loaded is refused: only a firing given up in this process makes an end pointless.
            outbox.queue(owed);
        }
        outbox
    }

    /// The same with what was given up before the start and nobody has dealt with yet.
    #[must_use]
    pub fn with_unsettled(self, given_up: Vec<Arc<Notification>>) -> Self {
        Self { given_up: given_up.into(), ..self }
    }

    /// The same with another policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Works until `stop`; then finishes what is under way or due, within the policy's grace. The rest
    /// stays owed in the database.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<OutboxInput>, stop: CancellationToken) {
        let mut tasks = Supervisor::new(&CancellationToken::new());
        let (report, mut reports) = mpsc::channel(ENDED);
        self.show_past().await;
        let mut deadline = None;
        let mut open = true;
        loop {
            self.start_due(&mut tasks, &report);
            self.show_owed().await;
            self.report_given_up();
            if deadline.is_some() && !open && self.idle() {
                break;
            }
            let due = self.next_due();
            // Every arm is cancel-safe: `recv`, cancellation and timers by nature.
            tokio::select! {
                () = stop.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + self.policy.grace);
                    self.record_at = Instant::now();
                    inbox.close();
                }
                () = at(deadline) => break,
                Some(report) = reports.recv() => {
                    self.note(report).await;
                    tasks.reap();
                }
                input = inbox.recv(), if open => match input {
                    Some(input) => self.accept(input).await,
                    None => open = false,
                },
                () = at(due) => {}
            }
        }
        let stuck = tasks.stop(Duration::ZERO).await;
        let owed = self.owed();
        if stuck > 0 || owed > 0 {
            tracing::info!(owed, interrupted = stuck, "notifications stay owed");
        }
    }

    async fn accept(&mut self, input: OutboxInput) {
        match input {
            OutboxInput::Owed(all) => {
                for owed in all {
                    self.tell_all(delivery_rows(&owed, DeliveryState::Owed, owed.created, owed.attempts, None)).await;
                    let rows = self.queue(owed);
                    self.tell_all(rows).await;
                }
            }
            OutboxInput::Receivers { receivers, complete } => self.replace(&receivers, complete).await,
            OutboxInput::Health(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.health());
            }
        }
    }

    /// Puts a message into its receiver's queue; returns what to show when it must not be sent.
    fn queue(&mut self, owed: Owed) -> Vec<BoardInput> {
        let (now, wall) = (Instant::now(), self.clock.now());
        // Wall-clock stamps become monotonic ones here and nowhere else: a clock that jumps later
        // neither holds a message back nor ages it.
        let wait = match owed.attempts {
            0 => Duration::ZERO,
            _ => owed.next_attempt.since(wall).min(self.policy.retry_after_cap),
        };
        let left = self.policy.ttl.saturating_sub(wall.since(owed.created));
        let width = self.policy.width;
        let receiver = owed.notification.notifier.clone();
        let lane = self.lanes.entry(receiver).or_insert_with(|| Lane::new(width));
        let refused = lane.queue.push(Item { owed, due: now + wait, expires: now + left });
        self.bury(refused, "the receiver never took the message that it fires", None)
    }

    /// Takes over the receivers of a configuration.
    async fn replace(&mut self, receivers: &[Arc<Receiver>], complete: bool) {
        self.configured = true;
        for receiver in receivers {
            let width = self.policy.width;
            let lane = self.lanes.entry(receiver.name.clone()).or_insert_with(|| Lane::new(width));
            if lane.receiver.as_ref().is_none_or(|old| old.hash != receiver.hash) {
                lane.queue.hurry(Instant::now());
                lane.pace.renewed();
            }
            let usual = || receiver.notifier.default_rate().map(|r| RateLimit { messages: r.messages, per: r.per });
            lane.pace.limit(receiver.limits.rate.or_else(usual));
            lane.receiver = Some(receiver.clone());
            lane.gone = false;
        }
        let gone =
            |name: &str, lane: &Lane| receivers.iter().all(|r| r.name != name) && (complete || lane.receiver.is_some());
        let names: Vec<_> = self.lanes.iter().filter(|(n, l)| gone(n, l)).map(|(n, _)| n.clone()).collect();
        for name in names {
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            lane.receiver = None;
            lane.gone = true;
            let lost = lane.queue.clear();
            self.metrics.forget(&name);
            if lost.is_empty() {
                continue;
            }
            let detail = format!("the receiver is no longer configured: {} owed messages are not sent", lost.len());
            tracing::warn!(receiver = name, messages = lost.len(), "messages to a removed receiver are given up");
            let event = NewEvent::new(self.clock.now(), EventKind::Delivery, name, "dead", detail);
            let rows = self.bury(lost, "the receiver is no longer configured", Some(event));
            self.tell_all(rows).await;
        }
        self.lanes.retain(|_, l| !l.gone || l.queue.len() > 0);
    }

    /// Gives up messages without trying them. The event, if any, goes with the first.
    fn bury(
        &mut self,
        items: impl IntoIterator<Item = Item>,
        error: &str,
        mut event: Option<NewEvent>,
    ) -> Vec<BoardInput> {
        let now = self.clock.now();
        let mut rows = Vec::new();
        for Item { owed, .. } in items {
            self.unrecorded.push(Attempt {
                key: owed.notification.key.clone(),
                attempts: owed.attempts,
                at: now,
                took: None,
                receipt: None,
                after: After::Dead,
                error: Some(error.to_owned()),
                event: event.take(),
            });
            rows.extend(delivery_rows(&owed, DeliveryState::Dead, now, owed.attempts, Some(error)));
            self.given_up.push_back(owed.notification);
            self.record_at = Instant::now();
        }
        rows
    }

    fn start_due(&mut self, tasks: &mut Supervisor, report: &mpsc::Sender<Report>) {
        let now = Instant::now();
        for lane in self.lanes.values_mut() {
            let Some(receiver) = &lane.receiver else { continue };
            // The next message leaves when its own time and the notifier's have come.
            while lane.pace.not_before(now).is_none()
                && let Some(item) = lane.queue.take(now)
            {
                lane.pace.starts(now);
                let delivery = Delivery {
                    receiver: receiver.clone(),
                    item,
                    policy: self.policy,
                    clock: self.clock,
                    db: self.db.clone(),
                    metrics: self.metrics.clone(),
                };
                let report = report.clone();
                tasks.add("delivery", |_| async move {
                    let ended = delivery.run().await;
                    // An outbox that no longer listens has stopped; the end is recorded already.
                    let _ = report.send(Report::Delivery(Box::new(ended))).await;
                });
            }
        }
        if !self.recording && !self.unrecorded.is_empty() && self.record_at <= now {
            self.recording = true;
            let attempts = std::mem::take(&mut self.unrecorded);
            let (db, patience, report) = (self.db.clone(), self.policy.record, report.clone());
            tasks.add("delivery record", move |_| async move {
                let outcome = time::timeout(patience, db.record(attempts.clone().into())).await;
                let outcome = outcome.ok().and_then(Result::ok);
                let _ = report.send(Report::Recorded { attempts, outcome }).await;
            });
        }
    }

    async fn note(&mut self, report: Report) {
        match report {
            Report::Recorded { attempts, outcome } => {
                self.recording = false;
                self.record_at = Instant::now() + self.policy.record;
                self.keep_unrecorded(attempts, outcome).await;
            }
            Report::Delivery(ended) => {
                let Ended { owed, attempt, next, recorded } = *ended;
                let receiver = owed.notification.notifier.clone();
                let state = match attempt.after {
                    After::Delivered => DeliveryState::Delivered,
                    After::Retry(_) => DeliveryState::Owed,
                    After::Dead => DeliveryState::Dead,
                };
                let rows = delivery_rows(&owed, state, attempt.at, attempt.attempts, attempt.error.as_deref());
                self.tell_all(rows).await;
                let refused = attempt.after == After::Dead;
                if recorded.is_none() && self.unrecorded.is_empty() && !self.recording {
                    self.record_at = Instant::now() + self.policy.record;
                }
                let attempts = attempt.attempts;
                self.keep_unrecorded(vec![attempt], recorded).await;
                let Some(lane) = self.lanes.get_mut(&receiver) else { return };
                let gone = lane.gone;
                match next {
                    Next::Retry(_) => lane.pace.failed(Instant::now(), self.policy.rest),
                    Next::Done | Next::Dead => lane.pace.answered(),
                }
                let mut lost = lane.queue.finish(owed.notification.line(), attempts, next);
                if refused {
                    self.given_up.push_back(owed.notification);
                }
                if gone && matches!(next, Next::Retry(_)) {
                    lost.extend(lane.queue.clear());
                }
                let why = if gone {
                    "the receiver is no longer configured"
                } else {
                    "the receiver never took the message that it fires"
                };
                let rows = self.bury(lost, why, None);
                self.tell_all(rows).await;
                self.lanes.retain(|_, l| !l.gone || l.queue.len() > 0);
            }
        }
    }

    /// Publishes what was recorded and keeps those ends that were not. A failed attempt that is to be
    /// repeated is not kept: the next one tells more.
    async fn keep_unrecorded(&mut self, attempts: Vec<Attempt>, outcome: Option<Recorded>) {
        let Recorded { events, unknown } = match outcome {
            Some(recorded) => recorded,
            None => {
                let unknown = attempts.iter().map(|a| a.key.clone()).collect();
                Recorded { events: Vec::new(), unknown }
            }
        };
        for event in events {
            self.tell(BoardInput::Event(Arc::new(event))).await;
        }
        let (ttl, now) = (self.policy.ttl, self.clock.now());
        self.unrecorded.extend(attempts.into_iter().filter(|a| {
            let is_end = matches!(a.after, After::Delivered | After::Dead);
            is_end && unknown.contains(&a.key) && now.since(a.at) < ttl
        }));
    }

    fn idle(&self) -> bool {
        let now = Instant::now();
        let busy = |l: &Lane| l.queue.under_way() > 0 || l.next_due(now).is_some_and(|at| at <= now);
        !self.recording && !self.lanes.values().any(busy)
    }

    fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        let lanes = self.lanes.values().filter_map(|l| l.next_due(now));
        let record = (!self.recording && !self.unrecorded.is_empty()).then_some(self.record_at);
        let report = (self.configured && !self.given_up.is_empty()).then(|| now + REPORT_AGAIN);
        lanes.chain(record).chain(report).min()
    }

    fn owed(&self) -> usize {
        self.lanes.values().map(|l| l.queue.len()).sum()
    }

    async fn show_owed(&mut self) {
        let owed = self.owed();
        if self.shown_owed.replace(owed) != Some(owed) {
            self.tell(BoardInput::Owed(owed)).await;
        }
    }

    async fn show_past(&mut self) {
        for PastDelivery { alert, starts_at, row } in std::mem::take(&mut self.past) {
            self.tell(BoardInput::Delivery { fingerprint: alert.to_string(), starts_at, row }).await;
        }
    }

    fn health(&self) -> Vec<LaneHealth> {
        let now = Instant::now();
        let of = |(name, lane): (&String, &Lane)| {
            let health = match () {
                () if lane.pace.open(now) => NotifierHealth::Open,
                () if lane.pace.failing() => NotifierHealth::Failing,
                () => NotifierHealth::Ok,
            };
            LaneHealth { name: name.clone(), owed: lane.queue.len(), health }
        };
        self.lanes.iter().filter(|(_, l)| !l.gone).map(of).collect()
    }

    /// Passes on what was given up, so that a fallback takes over. The evaluator may be waiting for a place
    /// in our inbox, so this never waits for one in its.
    fn report_given_up(&mut self) {
        while self.configured
            && let Some(notification) = self.given_up.pop_front()
        {
            if let Err(mpsc::error::TrySendError::Full(_)) =
                self.evaluator.try_send(EvalInput::GivenUp(Arc::clone(&notification)))
            {
                self.given_up.push_front(notification);
                return;
            }
        }
    }

    async fn tell_all(&self, rows: Vec<BoardInput>) {
        for row in rows {
            self.tell(row).await;
        }
    }

    async fn tell(&self, input: BoardInput) {
        // A closed board means that the engine is stopping; there is nobody left to show it to.
        let _ = self.board.send(input).await;
    }
}

/// What a message means for each alert that it tells of.
fn delivery_rows(
    owed: &Owed,
    state: DeliveryState,
    at: Timestamp,
    attempts: u32,
    error: Option<&str>,
) -> Vec<BoardInput> {
    let row = |alert: &NotifiedAlert| BoardInput::Delivery {
        fingerprint: alert.fingerprint.clone(),
        starts_at: alert.starts_at,
        row: DeliveryRow {
            receiver: owed.notification.notifier.clone(),
            status: alert.status,
            state,
            at,
            attempts,
            error: error.map(str::to_owned),
        },
    };
    owed.notification.alerts.iter().map(row).collect()
}

#[cfg(test)]
mod tests;
