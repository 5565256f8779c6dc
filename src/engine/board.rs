//! Folds what the other actors report into one immutable board, at most ten times a second.
//!
//! Readers hold an `Arc` of the newest board over a `watch`; a slow reader skips boards and slows
//! nobody. Publishing costs one pointer per monitor and a new row for each that changed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::config::model::{Config, Monitor, Schedule};
use crate::engine::headline;
use crate::engine::metrics::{Metrics, StateLabels};
use crate::wire::api::ConfigStatus;
use crate::wire::board::{AlertRow, AlertState, Board, EngineHealth, Event, MonitorRow, STRIP_CELLS, ServerInfo, State};

/// Shortest time between two boards.
const FOLD: Duration = Duration::from_millis(100);
/// Events on the board.
const EVENTS: usize = 50;

/// What the board is made from.
#[derive(Debug)]
pub enum BoardInput {
    /// A new configuration: its monitors, and what is wrong with its files.
    Config(Arc<Config>, Arc<ConfigStatus>),
    /// A monitor has a new result, or its strip moved on.
    Facts {
        /// Which.
        name: MonitorName,
        /// What is new.
        facts: Facts,
    },
    /// A monitor's state after retries, or its count of failures, changed.
    Status {
        /// Which.
        name: MonitorName,
        /// The state.
        state: State,
        /// Since when.
        since: Timestamp,
        /// Consecutive failures.
        failures: u32,
    },
    /// The whole list of alerts.
    Alerts(Vec<Arc<AlertRow>>),
    /// Something happened.
    Event(Arc<Event>),
    /// Start lag, 99th percentile of the last minute.
    Lag(Duration),
    /// Messages owed to receivers.
    Outbox(usize),
    /// Something is wrong with the engine (`Some`), or no longer (`None`).
    Complaint {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        what: Option<String>,
    },
}

/// What results say about a monitor.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The newest result's time.
    pub last: Option<Timestamp>,
    /// How long it took.
    pub took: Option<Duration>,
    /// Its reason or summary.
    pub headline: String,
    /// See `MonitorRow::strip`.
    pub strip: String,
    /// See `MonitorRow::uptime`.
    pub uptime: Option<f64>,
    /// See `MonitorRow::p95`.
    pub p95: Option<Duration>,
}

/// The actor.
pub struct BoardKeeper {
    clock: Clock,
    metrics: Arc<Metrics>,
    rows: BTreeMap<MonitorName, Arc<MonitorRow>>,
    complaints: BTreeMap<&'static str, String>,
    events: VecDeque<Arc<Event>>,
    board: Board,
    dirty: bool,
    out: watch::Sender<Arc<Board>>,
}

impl BoardKeeper {
    /// An empty board. `events` are the newest known ones, newest first.
    pub fn new(
        clock: Clock,
        metrics: Arc<Metrics>,
        server: ServerInfo,
        events: Vec<Arc<Event>>,
    ) -> (Self, watch::Receiver<Arc<Board>>) {
        let board = Board {
            rev: 0,
            at: clock.now(),
            server: Arc::new(server),
            monitors: Vec::new(),
            alerts: Vec::new(),
            events: events.clone(),
            engine: Arc::new(EngineHealth::default()),
            verdict: Arc::default(),
        };
        let (out, receiver) = watch::channel(Arc::new(board.clone()));
        let keeper = Self {
            clock,
            metrics,
            rows: BTreeMap::new(),
            complaints: BTreeMap::new(),
            events: events.into(),
            board,
            dirty: false,
            out,
        };
        (keeper, receiver)
    }

    /// Works until `stop`, then publishes what it was told until then.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<BoardInput>, stop: CancellationToken) {
        let mut next = Instant::now();
        loop {
            let fold = async {
                if self.dirty { time::sleep_until(next).await } else { std::future::pending().await }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = fold => {
                    self.publish();
                    next = Instant::now() + FOLD;
                }
                Some(input) = inbox.recv() => self.take(input),
            }
        }
        while let Ok(input) = inbox.try_recv() {
            self.take(input);
        }
        self.publish();
    }

    fn take(&mut self, input: BoardInput) {
        match input {
            BoardInput::Config(config, status) => self.config(&config, &status),
            BoardInput::Facts { name, facts } => self.change(&name, |row| {
                row.last = facts.last;
                row.took = facts.took;
                row.headline = facts.headline;
                row.strip = facts.strip;
                row.uptime = facts.uptime;
                row.p95 = facts.p95;
            }),
            BoardInput::Status { name, state, since, failures } => self.change(&name, |row| {
                if row.state != State::Paused {
                    row.state = state;
                    row.since = Some(since);
                    row.failures = failures;
                }
            }),
            BoardInput::Alerts(alerts) => {
                let firing = alerts.iter().filter(|a| a.state == AlertState::Firing).count();
                self.metrics.alerts_firing.set(i64::try_from(firing).unwrap_or(i64::MAX));
                self.board.alerts = alerts;
                self.dirty = true;
            }
            BoardInput::Event(event) => {
                self.events.push_front(event);
                self.events.truncate(EVENTS);
                self.dirty = true;
            }
            BoardInput::Lag(lag) => self.health(|h| h.lag_p99 = lag),
            BoardInput::Outbox(n) => {
                self.metrics.outbox.set(i64::try_from(n).unwrap_or(i64::MAX));
                self.health(|h| h.outbox = n);
            }
            BoardInput::Complaint { part, what } => {
                match what {
                    Some(what) => drop(self.complaints.insert(part, what)),
                    None => drop(self.complaints.remove(part)),
                }
                let complaints = self.complaints.values().cloned().collect();
                self.health(|h| h.complaints = complaints);
            }
        }
    }

    fn config(&mut self, config: &Config, status: &ConfigStatus) {
        let old = std::mem::take(&mut self.rows);
        for (name, monitor) in &config.monitors {
            let stale = status.stale.iter().any(|s| s == name.as_str());
            let row = describe(monitor, stale, old.get(name).map(Arc::as_ref));
            let row = match old.get(name) {
                Some(same) if **same == row => Arc::clone(same),
                Some(_) | None => Arc::new(row),
            };
            self.rows.insert(name.clone(), row);
        }
        self.dirty = true;
        let errors = status.problems.iter().filter(|p| p.level == crate::wire::api::Level::Error).count();
        let receivers = config.receivers.len();
        let monitors = config.monitors.values().filter(|m| !m.paused).count();
        let loaded = status.loaded;
        self.health(|h| {
            h.problems = errors;
            h.receivers = receivers;
            h.monitors = monitors;
            h.config_loaded = Some(loaded);
        });
    }

    fn change(&mut self, name: &MonitorName, change: impl FnOnce(&mut MonitorRow)) {
        // A result of a monitor that was removed meanwhile has no row.
        if let Some(row) = self.rows.get_mut(name) {
            change(Arc::make_mut(row));
            self.dirty = true;
        }
    }

    fn health(&mut self, change: impl FnOnce(&mut EngineHealth)) {
        let mut health = EngineHealth::clone(&self.board.engine);
        change(&mut health);
        health.missed_slots = self.metrics.missed_running.get() + self.metrics.missed_late.get() + self.metrics.starved.get();
        if health != *self.board.engine {
            self.board.engine = Arc::new(health);
            self.dirty = true;
        }
    }

    fn publish(&mut self) {
        self.dirty = false;
        self.board.rev += 1;
        self.board.at = self.clock.now();
        self.board.monitors = self.rows.values().cloned().collect();
        self.board.events = self.events.iter().cloned().collect();
        let headline = headline::headline(&self.board.monitors, &self.board.alerts, &self.board.engine);
        if headline != *self.board.verdict {
            self.board.verdict = Arc::new(headline);
        }
        for state in State::ALL {
            let n = self.board.monitors.iter().filter(|m| m.state == state).count();
            let labels = StateLabels { state: state.as_str() };
            self.metrics.monitors.get_or_create(&labels).set(i64::try_from(n).unwrap_or(i64::MAX));
        }
        self.out.send_replace(Arc::new(self.board.clone()));
    }
}

/// The row of `monitor`, with what `old` knows of its results.
fn describe(monitor: &Monitor, stale: bool, old: Option<&MonitorRow>) -> MonitorRow {
    let interval = match &monitor.schedule {
        Schedule::Every(interval) => Some(*interval),
        Schedule::Cron { .. } => None,
    };
    let mut row = old.cloned().unwrap_or_else(|| MonitorRow {
        name: monitor.name.clone(),
        r#type: String::new(),
        target: String::new(),
        state: State::Pending,
        since: None,
        last: None,
        took: None,
        headline: String::new(),
        failures: 0,
        labels: monitor.labels.clone(),
        interval,
        strip: ".".repeat(STRIP_CELLS),
        uptime: None,
        p95: None,
        stale_config: stale,
    });
    monitor.probe.kind.clone_into(&mut row.r#type);
    row.target.clone_from(&monitor.probe.target);
    row.labels = monitor.labels.clone();
    row.interval = interval;
    row.stale_config = stale;
    row.state = match (monitor.paused, row.state) {
        (true, _) => State::Paused,
        (false, State::Paused) => State::Pending,
        (false, state) => state,
    };
    row
}
