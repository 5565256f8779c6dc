//! The only owner of monitor and alert states.
//!
//! Final results, rules' alerts and people's wishes come in, decisions go out: everything that one drain
//! of the inbox decided is committed in one transaction, and only then shown, answered and handed to the
//! outbox. When the database
//! fails or stalls, evaluation and paging go on from memory, the commit is repeated until it works,
//! and one complaint says so.

mod above;
mod book;
mod decisions;
mod ledger;
mod own;
mod rules;
mod shown;
mod unknown;
mod wall;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::alert::dispatch::{self, Dispatcher, Event as AlertEvent, Origin};
use crate::alert::impaired;
use crate::alert::instance::{Instance, Phase};
use crate::alert::monitor::MonitorStatus;
use crate::base::clock::Clock;
use crate::base::name::MonitorName;
use crate::base::notification::Notification;
use crate::base::outcome::Verdict;
use crate::base::time::Timestamp;
use crate::config::model::{Config, Monitor};
use crate::engine::alerting::setup;
use crate::engine::evaluator::book::Book;
pub(crate) use crate::engine::evaluator::book::Progress;
pub(crate) use crate::engine::evaluator::decisions::Decisions;
use crate::engine::evaluator::ledger::Ledger;
use crate::engine::evaluator::rules::RuleAlerts;
use crate::engine::evaluator::shown::Shown;
pub use crate::engine::evaluator::unknown::Doubt;
use crate::engine::evaluator::wall::Wall;
use crate::engine::outbox::OutboxInput;
use crate::engine::reload::Faults;
use crate::engine::ruler::report::RuleAlert;
use crate::state::{Change, Flush, NewEvent, Owed, StateDb};
use crate::task::timer::at;
use crate::wire::board::{AlertRow, DeliveryRow, Event, State};

/// What the evaluator is told.
#[derive(Debug)]
pub enum EvalInput {
    /// The final result of a slot.
    Result(SlotResult),
    /// The configuration that now holds; sent first at start, then after each reload.
    Config {
        /// The whole of it.
        config: Arc<Config>,
        /// Whether every file could be read. At a start with broken files a monitor that is missing
        /// may be in one of them: what is remembered of it, a firing alert above all, is then kept
        /// until a complete configuration says that it is gone.
        complete: bool,
        /// What is wrong with the files; `None` when nothing is.
        faults: Option<Faults>,
    },
    /// What is in the way of the monitors now.
    Impaired(Impaired),
    /// Something else to remember and show.
    Event(NewEvent),
    /// Alerts of rules, as they now stand.
    Rules(Vec<RuleAlert>),
    /// A notification was given up.
    GivenUp(Arc<Notification>),
    /// A question or a wish of a person or another program.
    Job(Job),
}

/// What this machine has that keeps it from judging monitors, or from judging them in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impaired {
    /// Classes of reasons, each in words.
    pub classes: BTreeMap<String, String>,
    /// Everything has been looked at: other reasons there are none.
    pub settled: bool,
}

/// Work on the alerts, done between two inputs: nothing changes while it looks.
pub struct Job(Box<dyn FnOnce(&mut Turn<'_>) + Send>);

impl Job {
    /// Wraps the work.
    pub fn new(work: impl FnOnce(&mut Turn<'_>) + Send + 'static) -> Self {
        Self(Box::new(work))
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// What a [`Job`] sees and may do.
#[derive(Debug)]
pub struct Turn<'a> {
    book: &'a Book,
    dispatcher: &'a mut Dispatcher,
    decisions: &'a mut Decisions,
    crowded: &'a mut bool,
    now: Timestamp,
}

impl Turn<'_> {
    /// The present time.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The alerts, groups and silences.
    pub const fn dispatcher(&self) -> &Dispatcher {
        self.dispatcher
    }

    /// How far the alert `rule` of a monitor is, as of its last result.
    pub(crate) fn progress(&self, name: &MonitorName, rule: &str) -> Progress {
        self.book.progress(name, rule)
    }

    /// Makes something happen; it is committed before anybody hears of it.
    pub fn step(&mut self, event: AlertEvent) {
        let effects = self.dispatcher.step(self.now, event);
        self.decisions.touched.extend(effects.touched.iter().copied());
        self.decisions.take(effects, self.now, self.dispatcher);
    }

    /// Owes a message that was not decided by the dispatcher.
    pub fn owe(&mut self, owed: Owed) {
        self.decisions.owe(owed);
    }

    /// Whether it was complained that other servers sent too many alerts.
    pub const fn crowded(&self) -> bool {
        *self.crowded
    }

    /// Complains that other servers sent too many alerts, or no longer.
    pub fn crowd(&mut self, text: Option<String>) {
        if text.is_some() != *self.crowded {
            *self.crowded = text.is_some();
            self.decisions.board.push(BoardInput::Complaint { part: "alerts of other servers", text });
        }
    }

    /// Answers once everything that this turn did is committed.
    pub fn answer(&mut self, answer: impl FnOnce() + Send + 'static) {
        self.decisions.answers.push(Box::new(answer));
    }
}

/// The final result of a slot: retries are over.
#[derive(Clone, Debug)]
pub struct SlotResult {
    /// The monitor as it was probed.
    pub monitor: Arc<Monitor>,
    /// The slot's time.
    pub at: Timestamp,
    /// The judgement.
    pub verdict: Verdict,
    /// Why it is unknown, where that matters.
    pub doubt: Option<Doubt>,
    /// Its reason, or the summary of a success. Untrusted.
    pub headline: String,
}

/// What the board is told by the evaluator and the outbox.
#[derive(Clone, Debug, PartialEq)]
pub enum BoardInput {
    /// A monitor's state or its count of failures changed.
    Status {
        /// Which.
        name: MonitorName,
        /// Its state.
        state: State,
        /// Since when.
        since: Option<Timestamp>,
        /// Consecutive failures.
        failures: u32,
    },
    /// All alerts that are shown, most urgent first. Their `deliveries` are empty: the board adds
    /// what [`BoardInput::Delivery`] told it.
    Alerts(Vec<Arc<AlertRow>>),
    /// Something happened.
    Event(Arc<Event>),
    /// The last thing said, or owed, to one receiver about one alert.
    Delivery {
        /// The alert, see [`AlertRow::fingerprint`].
        fingerprint: String,
        /// The episode: shown with an alert row of the same `starts_at` only.
        starts_at: Timestamp,
        /// How far it got; replaces an earlier row of the same receiver.
        row: DeliveryRow,
    },
    /// How many messages are owed to receivers.
    Owed(usize),
    /// What is wrong with one part of the engine; `None` when it is fine again.
    Complaint {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        text: Option<String>,
    },
}

/// Counters between transitions reach the disk this often: a kill loses no more than that of counting.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Inputs folded into one transaction. At this size a commit takes some 20 ms, and an input waits no
/// longer than that for those before it.
const DRAIN: usize = 4_096;
/// Alert rows are shown at most this often: sorting 10,000 of them takes some milliseconds, and no
/// screen is drawn more often.
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// The clocks are compared at least this often while something is to come, so that one that was set
/// neither ends a silence late nor makes a wait shorter.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(10);
/// What the last commit may take when stopping; a disk that stalls must not keep the process alive.
const LAST_COMMIT: Duration = Duration::from_secs(3);

/// What was remembered from before the start.
#[derive(Debug, Default)]
pub struct Saved {
    /// Where each monitor stood.
    pub monitors: Vec<(MonitorName, MonitorStatus)>,
    /// Alerts of monitors and of the files.
    pub alerts: Vec<Instance>,
    /// The dispatcher's rows.
    pub alerting: Vec<dispatch::Record>,
}

impl Saved {
    /// Whether something was in the way of the monitors.
    pub fn is_impaired(&self) -> bool {
        let begun = |a: &&Instance| matches!(a.phase, Phase::Pending { .. } | Phase::Firing { .. });
        self.alerts.iter().filter(begun).any(|a| a.rule == impaired::SELF_IMPAIRED)
    }
}

/// The actor.
#[derive(Debug)]
pub struct Evaluator {
    book: Book,
    dispatcher: Dispatcher,
    rules: RuleAlerts,
    shown: Shown,
    ledger: Ledger,
    clock: Clock,
    board: mpsc::Sender<BoardInput>,
    outbox: mpsc::Sender<OutboxInput>,
    /// Alert rows are not shown again before.
    show_at: Instant,
    wall: Wall,
    /// The dispatcher's rows until the first configuration says how to read them.
    remembered: Vec<dispatch::Record>,
    configured: bool,
    /// See [`Turn::crowded`].
    crowded: bool,
}

impl Evaluator {
    /// An evaluator that continues from what was loaded. It knows no monitor until its first
    /// [`EvalInput::Config`].
    pub fn new(
        db: StateDb,
        clock: Clock,
        saved: Saved,
        board: mpsc::Sender<BoardInput>,
        outbox: mpsc::Sender<OutboxInput>,
    ) -> Self {
        let now = clock.now();
        let mut shown = Shown::default();
        let book = Book::new(saved.monitors, saved.alerts, &mut shown, now);
        // Only to show what fires: without a policy nothing can be decided, see `begin`.
        let dispatcher = Dispatcher::restore(saved.alerting.clone(), Arc::default(), now);
        for alert in dispatcher.alerts() {
            shown.touch(alert.fingerprint(), Some(alert), now);
        }
        Self {
            book,
            dispatcher,
            rules: RuleAlerts::default(),
            shown,
            ledger: Ledger::new(db),
            clock,
            board,
            outbox,
            show_at: Instant::now(),
            wall: Wall::new(now, Instant::now()),
            remembered: saved.alerting,
            configured: false,
            crowded: false,
        }
    }

    /// Works until `stop`, then folds what is left in the inbox, commits and returns.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<EvalInput>, stop: CancellationToken) {
        let mut decisions = Decisions::default();
        let mut flush_at = Instant::now() + FLUSH_EVERY;
        let mut stopping = false;
        self.show_alerts(&mut decisions);
        self.settle(&mut decisions).await;
        self.begin(&mut inbox, &stop, &mut decisions).await;
        loop {
            let flush = self.book.has_dirty();
            let show = self.shown.next_show(self.clock.now()).map(|d| (Instant::now() + d).max(self.show_at));
            let retry = self.ledger.retry_at();
            let files = self.book.own_due(self.clock.now()).map(|d| Instant::now() + d);
            let due = self.dispatcher.next_due().into_iter().chain(self.rules.next()).min();
            let due = due.map(|d| Instant::now() + d.since(self.clock.now()).min(LOOK_AT_CLOCK));
            // Every arm is cancel-safe: `recv` and the timers by nature, `landed` because the commit
            // it waits for is kept in the ledger.
            tokio::select! {
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    inbox.close();
                }
                input = inbox.recv() => {
                    let Some(first) = input else { break };
                    self.follow_clock(&mut decisions);
                    self.fold(first, &mut decisions).await;
                    for _ in 1..DRAIN {
                        let Ok(next) = inbox.try_recv() else { break };
                        self.fold(next, &mut decisions).await;
                    }
                    self.show_alerts(&mut decisions);
                    self.settle(&mut decisions).await;
                }
                landed = self.ledger.landed() => {
                    self.ledger.note(landed);
                    self.complain().await;
                }
                () = at(due), if !stopping => {
                    self.follow_clock(&mut decisions);
                    self.rules.lapse(&self.dispatcher, self.clock.now(), &mut decisions);
                    self.dispatch(&mut decisions);
                    self.step(AlertEvent::Tick, &mut decisions);
                    self.show_alerts(&mut decisions);
                    self.settle(&mut decisions).await;
                }
                () = at(files) => {
                    self.follow_clock(&mut decisions);
                    self.book.judge_own(self.clock.now(), &mut decisions);
                    self.dispatch(&mut decisions);
                    self.show_alerts(&mut decisions);
                    self.settle(&mut decisions).await;
                }
                () = at(retry) => self.settle(&mut decisions).await,
                () = time::sleep_until(flush_at), if flush => {
                    flush_at = Instant::now() + FLUSH_EVERY;
                    self.flush().await;
                }
                () = at(show) => {
                    self.show_alerts(&mut decisions);
                    self.settle(&mut decisions).await;
                }
            }
        }
        self.show_at = Instant::now();
        self.show_alerts(&mut decisions);
        self.settle(&mut decisions).await;
        self.flush().await;
        if time::timeout(LAST_COMMIT, self.ledger.finish()).await.is_err() {
            tracing::error!("the state database stalls: the last decisions are not stored");
        }
    }

    /// Waits for the first configuration and continues from what was remembered, as that routes it. Without
    /// it a message could be dropped because its notifier seems to be gone, and who is to hear of an alert
    /// is unknown: everything else waits behind it.
    async fn begin(
        &mut self,
        inbox: &mut mpsc::Receiver<EvalInput>,
        stop: &CancellationToken,
        decisions: &mut Decisions,
    ) {
        let mut early = Vec::new();
        let first = loop {
            match stop.run_until_cancelled(inbox.recv()).await.flatten() {
                Some(input @ EvalInput::Config { .. }) => break Some(input),
                Some(EvalInput::Event(event)) => decisions.event(event),
                Some(other) => early.push(other),
                None => break None,
            }
            self.settle(decisions).await;
        };
        let Some(first) = first else { return };
        self.fold(first, decisions).await;
        for input in early {
            self.fold(input, decisions).await;
        }
        // What was due while nothing ran, and what no longer fits the files.
        self.step(AlertEvent::Tick, decisions);
        self.show_alerts(decisions);
        self.settle(decisions).await;
    }

    fn follow_clock(&mut self, decisions: &mut Decisions) {
        let before = Instant::now();
        let now = self.clock.now();
        if let Some(by) = self.wall.jumped(before, now, Instant::now()) {
            tracing::warn!(milliseconds = by, "the wall clock was set");
            self.book.shift(by);
            self.rules.shift(by);
            self.step(AlertEvent::ClockJumped(by), decisions);
        }
    }

    async fn fold(&mut self, input: EvalInput, decisions: &mut Decisions) {
        let needs_none = matches!(input, EvalInput::Config { .. } | EvalInput::Event(_));
        if !self.configured && !needs_none {
            // Stopped before there was a configuration: nothing is decided, and who asked is told so.
            return;
        }
        match input {
            EvalInput::Result(result) => {
                self.book.result(&result, decisions);
                self.dispatch(decisions);
            }
            EvalInput::Config { config, complete, faults } => {
                // The policy first: what fired before the start is routed by it, and what ends with this
                // configuration is told to those whom it names.
                let policy = Arc::new(setup::of(&config, complete));
                if self.configured {
                    self.step(AlertEvent::Reloaded(policy), decisions);
                } else {
                    self.configured = true;
                    let remembered = std::mem::take(&mut self.remembered);
                    self.dispatcher = Dispatcher::restore(remembered, policy, self.clock.now());
                }
                let longest = config.rules.iter().map(|g| g.interval).max().unwrap_or_default();
                self.rules.expect(&self.dispatcher, longest, self.clock.now());
                self.book.configure(&config, complete, self.clock.now(), decisions);
                self.book.files(faults, self.clock.now(), decisions);
                self.dispatch(decisions);
                // Settling takes all decisions, also what is to be shown of them.
                self.show_alerts(decisions);
                // The ends of removed alerts are owed before the receivers change.
                self.settle(decisions).await;
                let receivers = OutboxInput::Receivers { receivers: config.receivers.clone(), complete };
                self.tell_outbox(receivers).await;
            }
            EvalInput::Impaired(what) => {
                self.book.impaired(&what, self.clock.now(), decisions);
                self.dispatch(decisions);
            }
            EvalInput::Event(event) => decisions.event(event),
            EvalInput::Rules(alerts) => {
                self.rules.take(alerts, &self.dispatcher, self.clock.now(), decisions);
                self.dispatch(decisions);
            }
            EvalInput::GivenUp(notification) => {
                decisions.changes.push(Change::Settled(notification.key.clone()));
                self.step(AlertEvent::GivenUp(notification), decisions);
            }
            EvalInput::Job(job) => {
                let now = self.clock.now();
                let crowded = &mut self.crowded;
                let (book, dispatcher) = (&self.book, &mut self.dispatcher);
                (job.0)(&mut Turn { book, dispatcher, decisions, crowded, now });
            }
        }
    }

    /// Passes on to the dispatcher what the book found.
    fn dispatch(&mut self, decisions: &mut Decisions) {
        let monitors = std::mem::take(&mut decisions.monitors);
        if !monitors.is_empty() {
            self.step(AlertEvent::Monitors(monitors), decisions);
        }
        let mut updates = std::mem::take(&mut decisions.updates);
        if !updates.is_empty() {
            // A monitor's slot may lie ahead of a clock that was set back; its alert is over all the same.
            let now = self.clock.now();
            let of_monitors = updates.iter_mut().filter(|u| u.origin == Origin::Monitor);
            of_monitors.for_each(|u| u.ends_at = u.ends_at.map(|end| end.min(now)));
            self.step(AlertEvent::Alerts(updates), decisions);
        }
    }

    fn step(&mut self, event: AlertEvent, decisions: &mut Decisions) {
        let now = self.clock.now();
        let effects = self.dispatcher.step(now, event);
        decisions.touched.extend(effects.touched.iter().copied());
        decisions.take(effects, now, &self.dispatcher);
    }

    fn show_alerts(&mut self, decisions: &mut Decisions) {
        let now = self.clock.now();
        for row in decisions.rows.drain(..) {
            self.shown.put(row);
        }
        for fingerprint in decisions.gone.drain(..) {
            self.shown.remove(fingerprint);
        }
        for fingerprint in std::mem::take(&mut decisions.touched) {
            self.shown.touch(fingerprint, self.dispatcher.alert(fingerprint), now);
        }
        if Instant::now() < self.show_at {
            return;
        }
        if let Some(rows) = self.shown.if_changed(now) {
            decisions.board.push(BoardInput::Alerts(rows));
            self.show_at = Instant::now() + SHOW_EVERY;
        }
    }

    /// Commits what was decided, then publishes it.
    async fn settle(&mut self, decisions: &mut Decisions) {
        let changes = decisions.take_changes();
        let Decisions { board, owed, answers, .. } = std::mem::take(decisions);
        let settled = self.ledger.commit(changes).await;
        for input in board {
            self.tell_board(input).await;
        }
        for event in settled.events {
            self.tell_board(BoardInput::Event(Arc::new(event))).await;
        }
        let owed: Vec<_> = owed.into_iter().filter(|o| !settled.withheld.contains(&o.notification.key)).collect();
        if !owed.is_empty() {
            self.tell_outbox(OutboxInput::Owed(owed)).await;
        }
        for answer in answers {
            answer();
        }
        self.complain().await;
    }

    async fn complain(&mut self) {
        if let Some(text) = self.ledger.complaint_if_changed() {
            self.tell_board(BoardInput::Complaint { part: "state database", text }).await;
        }
    }

    async fn flush(&mut self) {
        // A stalled disk already has a commit waiting; counters may wait for the next round.
        if self.ledger.stalled() {
            return;
        }
        let monitors = self.book.take_dirty();
        if monitors.is_empty() {
            return;
        }
        self.ledger.flush(Flush { monitors, ..Flush::default() }).await;
    }

    async fn tell_board(&mut self, input: BoardInput) {
        // A closed board means that the engine is stopping; there is nobody left to show it to.
        let _ = self.board.send(input).await;
    }

    async fn tell_outbox(&mut self, input: OutboxInput) {
        if self.outbox.send(input).await.is_err() {
            tracing::debug!("the outbox is closed; what is owed stays in the database");
        }
    }
}

#[cfg(test)]
mod tests;
