//! Folds what the other actors report into one immutable board, at most ten times a second.
//!
//! Readers hold an `Arc` of the newest board over a `watch`; a slow reader skips boards and slows
//! nobody. Publishing costs what `rows` says, and a new row for each that changed.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::config::model::{Config, Monitor, Schedule};
use crate::engine::evaluator::BoardInput;
use crate::engine::headline;
use crate::engine::metrics::{Metrics, StateLabels};
use crate::engine::rows::Rows;
use crate::wire::api::ConfigStatus;
use crate::wire::board::{
    AlertRow, AlertState, Board, DeliveryRow, EngineHealth, Event, MonitorRow, ServerInfo, State,
};

/// Shortest time between two boards.
const FOLD: Duration = Duration::from_millis(100);
/// Events on the board.
const EVENTS: usize = 50;

/// What ingest, reload and upkeep tell the board.
#[derive(Debug)]
pub enum Report {
    /// A new configuration: its monitors, and what is wrong with its files.
    Config(Arc<Config>, Arc<ConfigStatus>),
    /// Monitors that have new results, or whose strip moved on.
    Facts(Vec<(MonitorName, Facts)>),
    /// Start lag, 99th percentile of the last minute.
    Lag(Duration),
    /// Something is wrong with the engine (`Some`), or no longer (`None`).
    Complaint {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        what: Option<String>,
    },
}

/// The board's two inboxes.
#[derive(Debug)]
pub struct Inlets {
    /// What was measured and loaded.
    pub reports: mpsc::Receiver<Report>,
    /// What was decided and delivered.
    pub decided: mpsc::Receiver<BoardInput>,
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

impl Facts {
    fn write(self, row: &mut MonitorRow) {
        row.last = self.last;
        row.took = self.took;
        set(&mut row.headline, &self.headline);
        set(&mut row.strip, &self.strip);
        row.uptime = self.uptime;
        row.p95 = self.p95;
    }
}

fn set(text: &mut Arc<str>, to: &str) {
    if **text != *to {
        *text = to.into();
    }
}

/// The actor.
pub struct BoardKeeper {
    clock: Clock,
    metrics: Arc<Metrics>,
    rows: Rows,
    /// States of monitors that have no row yet: the two inboxes know no order between them.
    early: HashMap<MonitorName, Standing>,
    complaints: BTreeMap<&'static str, String>,
    events: VecDeque<Arc<Event>>,
    alerts: Vec<Arc<AlertRow>>,
    /// By alert and receiver: the episode and the last thing said in it.
    deliveries: BTreeMap<(String, String), (Timestamp, DeliveryRow)>,
    alerts_dirty: bool,
    /// What was published last, without its monitors: counting them twice costs as much as a board.
    board: Board,
    dirty: bool,
    out: watch::Sender<Arc<Board>>,
    /// The board before the newest.
    spare: Option<Arc<Board>>,
}

/// What the evaluator says of one monitor.
#[derive(Clone, Copy)]
struct Standing {
    state: State,
    since: Option<Timestamp>,
    failures: u32,
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
            rows: Rows::default(),
            early: HashMap::new(),
            complaints: BTreeMap::new(),
            events: events.into(),
            alerts: Vec::new(),
            deliveries: BTreeMap::new(),
            alerts_dirty: false,
            board,
            dirty: false,
            out,
            spare: None,
        };
        (keeper, receiver)
    }

    /// Works until `stop`, then publishes what it was told until then.
    pub async fn run(mut self, mut from: Inlets, stop: CancellationToken) {
        // What is remembered arrives in many parts at once; the first board shows them together.
        let mut next = Instant::now() + FOLD;
        loop {
            let fold = async { if self.dirty { time::sleep_until(next).await } else { std::future::pending().await } };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = fold => {
                    self.publish();
                    next = Instant::now() + FOLD;
                }
                Some(decided) = from.decided.recv() => self.decided(decided),
                Some(report) = from.reports.recv() => self.report(report),
            }
        }
        while let Ok(decided) = from.decided.try_recv() {
            self.decided(decided);
        }
        while let Ok(report) = from.reports.try_recv() {
            self.report(report);
        }
        self.publish();
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Config(config, status) => self.config(&config, &status),
            Report::Facts(news) => {
                for (name, facts) in news {
                    self.change(&name, |row| facts.write(row));
                }
            }
            Report::Lag(lag) => self.health(|h| h.lag_p99 = lag),
            Report::Complaint { part, what } => self.complaint(part, what),
        }
    }

    fn decided(&mut self, input: BoardInput) {
        match input {
            BoardInput::Status { name, state, since, failures } => {
                let standing = Standing { state, since, failures };
                if !self.change(&name, |row| standing.show(row)) {
                    self.early.insert(name, standing);
                }
            }
            BoardInput::Alerts(alerts) => {
                let firing = alerts.iter().filter(|a| a.state == AlertState::Firing).count();
                self.metrics.alerts_firing.set(i64::try_from(firing).unwrap_or(i64::MAX));
                let shown: HashSet<&str> = alerts.iter().map(|a| a.fingerprint.as_str()).collect();
                self.deliveries.retain(|(alert, _), _| shown.contains(alert.as_str()));
                self.alerts = alerts;
                self.join_alerts();
            }
            BoardInput::Delivery { fingerprint, starts_at, row } => {
                self.deliveries.insert((fingerprint, row.receiver.clone()), (starts_at, row));
                self.join_alerts();
            }
            BoardInput::Event(event) => {
                self.events.push_front(event);
                self.events.truncate(EVENTS);
                self.dirty = true;
            }
            BoardInput::Owed(n) => {
                self.metrics.outbox.set(i64::try_from(n).unwrap_or(i64::MAX));
                self.health(|h| h.outbox = n);
            }
            BoardInput::Complaint { part, text } => self.complaint(part, text),
        }
    }

    /// Marks that alerts and deliveries are to be joined when the next board is made.
    fn join_alerts(&mut self) {
        self.alerts_dirty = true;
        self.dirty = true;
    }

    fn complaint(&mut self, part: &'static str, what: Option<String>) {
        match what {
            Some(what) => drop(self.complaints.insert(part, what)),
            None => drop(self.complaints.remove(part)),
        }
        let complaints = self.complaints.values().cloned().collect();
        self.health(|h| h.complaints = complaints);
    }

    fn config(&mut self, config: &Config, status: &ConfigStatus) {
        let early = std::mem::take(&mut self.early);
        let stale: HashSet<&str> = status.stale.iter().map(String::as_str).collect();
        let rows = config.monitors.iter().map(|(name, monitor)| {
            let old = self.rows.get(name);
            let mut row = describe(monitor, stale.contains(name.as_str()), old.map(Arc::as_ref));
            if let Some(standing) = early.get(name) {
                standing.show(&mut row);
            }
            match old {
                Some(same) if **same == row => Arc::clone(same),
                Some(_) | None => Arc::new(row),
            }
        });
        self.rows.replace(rows.collect());
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

    /// Whether there is a row: a result of a monitor that was removed meanwhile has none.
    fn change(&mut self, name: &MonitorName, change: impl FnOnce(&mut MonitorRow)) -> bool {
        let changed = self.rows.change(name, change);
        self.dirty |= changed;
        changed
    }

    fn health(&mut self, change: impl FnOnce(&mut EngineHealth)) {
        let mut health = EngineHealth::clone(&self.board.engine);
        change(&mut health);
        health.missed_slots =
            self.metrics.missed_running.get() + self.metrics.missed_late.get() + self.metrics.starved.get();
        if health != *self.board.engine {
            self.board.engine = Arc::new(health);
            self.dirty = true;
        }
    }

    fn publish(&mut self) {
        self.dirty = false;
        self.board.rev += 1;
        self.board.at = self.clock.now();
        self.board.events = self.events.iter().cloned().collect();
        if std::mem::take(&mut self.alerts_dirty) {
            self.board.alerts = self.alerts.iter().map(|a| with_deliveries(a, &self.deliveries)).collect();
        }
        let spare = self.spare.take().and_then(Arc::into_inner).map(|board| board.monitors);
        let monitors = self.rows.list(spare);
        let tallies = self.rows.tallies();
        let headline = headline::headline(tallies, &monitors, &self.board.alerts, &self.board.engine);
        if headline != *self.board.verdict {
            self.board.verdict = Arc::new(headline);
        }
        for state in State::ALL {
            let labels = StateLabels { state: state.as_str() };
            self.metrics.monitors.get_or_create(&labels).set(i64::try_from(tallies.count(state)).unwrap_or(i64::MAX));
        }
        self.spare = Some(self.out.send_replace(Arc::new(Board { monitors, ..self.board.clone() })));
    }
}

impl Standing {
    fn show(self, row: &mut MonitorRow) {
        row.state = self.state;
        row.since = self.since;
        row.failures = self.failures;
    }
}

/// The alert with what was last said about this episode, by receiver.
fn with_deliveries(
    alert: &Arc<AlertRow>,
    deliveries: &BTreeMap<(String, String), (Timestamp, DeliveryRow)>,
) -> Arc<AlertRow> {
    let from = (alert.fingerprint.clone(), String::new());
    let rows: Vec<DeliveryRow> = deliveries
        .range(from..)
        .take_while(|((fingerprint, _), _)| *fingerprint == alert.fingerprint)
        .filter(|(_, (starts_at, _))| *starts_at == alert.starts_at)
        .map(|(_, (_, row))| row.clone())
        .collect();
    if rows.is_empty() { Arc::clone(alert) } else { Arc::new(AlertRow { deliveries: rows, ..AlertRow::clone(alert) }) }
}

/// The row of `monitor`, with what `old` knows of its results.
fn describe(monitor: &Monitor, stale: bool, old: Option<&MonitorRow>) -> MonitorRow {
    let interval = match &monitor.schedule {
        Schedule::Every(interval) => Some(*interval),
        Schedule::Cron { .. } => None,
    };
    let mut row = old.cloned().unwrap_or_else(|| MonitorRow::new(monitor.name.clone()));
    set(&mut row.r#type, monitor.probe.kind);
    set(&mut row.target, &monitor.probe.target);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::labels::Labels;
    use crate::base::message::{Severity, Status};
    use crate::wire::board::DeliveryState;

    fn keeper() -> BoardKeeper {
        let clock = Clock::starting_at(Timestamp::from_millis(1_000_000));
        let server = ServerInfo {
            instance: String::new(),
            version: String::new(),
            pid: 1,
            started: clock.now(),
            config_dir: String::new(),
            http: None,
        };
        BoardKeeper::new(clock, Arc::new(Metrics::default()), server, Vec::new()).0
    }

    fn name(i: usize) -> MonitorName {
        MonitorName::new(&format!("m{i:05}")).unwrap()
    }

    fn config(monitors: usize, paused: bool) -> Arc<Config> {
        let monitor = |i| Monitor { paused, ..Monitor::sample(name(i).as_str()) };
        let monitors = (0..monitors).map(|i| (name(i), Arc::new(monitor(i)))).collect();
        Arc::new(Config { monitors, ..Config::default() })
    }

    fn status(stale: usize) -> Arc<ConfigStatus> {
        Arc::new(ConfigStatus {
            dir: String::new(),
            loaded: Timestamp::EPOCH,
            files: 1,
            monitors: 0,
            stale: (0..stale).map(|i| name(i).to_string()).collect(),
            problems: Vec::new(),
        })
    }

    fn standing(i: usize, state: State) -> BoardInput {
        BoardInput::Status { name: name(i), state, since: Some(Timestamp::EPOCH), failures: 0 }
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_that_arrives_before_its_monitor_is_shown_with_it() {
        let mut keeper = keeper();
        keeper.decided(standing(0, State::Up));
        keeper.report(Report::Config(config(1, false), status(0)));
        assert_eq!(keeper.rows.get(&name(0)).unwrap().state, State::Up);
        // The same at a pause and at its end.
        keeper.decided(standing(0, State::Paused));
        keeper.report(Report::Config(config(1, true), status(0)));
        assert_eq!(keeper.rows.get(&name(0)).unwrap().state, State::Paused);
        keeper.decided(standing(0, State::Down));
        keeper.report(Report::Config(config(1, false), status(0)));
        assert_eq!(keeper.rows.get(&name(0)).unwrap().state, State::Down);
        keeper.report(Report::Config(config(0, false), status(0)));
        assert!(keeper.rows.get(&name(0)).is_none() && keeper.early.is_empty());
    }

    #[tokio::test]
    async fn ten_thousand_alerts_all_carry_their_deliveries() {
        const MANY: usize = 10_000;
        let mut keeper = keeper();
        keeper.report(Report::Config(config(MANY, false), status(MANY)));
        for i in 0..MANY {
            keeper.decided(BoardInput::Delivery {
                fingerprint: format!("{i:016x}"),
                starts_at: Timestamp::EPOCH,
                row: DeliveryRow {
                    receiver: "ops".to_owned(),
                    status: Status::Firing,
                    state: DeliveryState::Owed,
                    at: Timestamp::EPOCH,
                    attempts: 0,
                    error: None,
                },
            });
        }
        let alert = |i| AlertRow {
            fingerprint: format!("{i:016x}"),
            name: "MonitorDown".to_owned(),
            monitor: Some(name(i)),
            severity: Severity::Critical,
            state: AlertState::Firing,
            since: Timestamp::EPOCH,
            starts_at: Timestamp::EPOCH,
            labels: Labels::default(),
            annotations: Labels::default(),
            value: None,
            ack: None,
            muted: None,
            deliveries: Vec::new(),
        };
        keeper.decided(BoardInput::Alerts((0..MANY).map(|i| Arc::new(alert(i))).collect()));
        keeper.publish();
        assert!(keeper.board.alerts.iter().all(|a| a.deliveries.len() == 1));
    }
}
