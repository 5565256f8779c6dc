//! An engine without probes: a board to read, canned replies, real alerting, and a server around it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use watchdog::alert::policy::Policy;
use watchdog::api::{Listen, Server, bind};
use watchdog::base::BoxFuture;
use watchdog::base::clock::Clock;
use watchdog::base::labels::Labels;
use watchdog::base::message::{DeliveryError, Severity, Status};
use watchdog::base::name::MonitorName;
use watchdog::base::notification::{Delivery, Notifier, Receipt};
use watchdog::base::outcome::{Check, Evidence, Phase, Reason, Sample, Verdict};
use watchdog::base::probe::Call;
use watchdog::base::scraped::Targets;
use watchdog::base::time::Timestamp;
use watchdog::client::{Client, Endpoint};
use watchdog::config::model::{Config, Limits, Receiver};
use watchdog::engine::alerting::Alerting;
use watchdog::engine::evaluator::{EvalInput, Evaluator, Saved};
use watchdog::engine::handle::{Engine, EngineError, EventQuery, Reply};
use watchdog::engine::intake::Intake;
use watchdog::engine::outbox::{DeliveryMetrics, Outbox};
use watchdog::engine::query::Queries;
use watchdog::engine::query::metrics::QueryMetrics;
use watchdog::engine::reload::Applied;
use watchdog::engine::ruler::RuleBook;
use watchdog::engine::storage::Store;
use watchdog::state::StateDb;
use watchdog::task::supervisor::Supervisor;
use watchdog::tsdb::{Options, Tsdb};
use watchdog::wire::api::{
    AlertPolicy, Capture, ConfigStatus, Events, HistoryPoint, Level, MonitorDetail, ProbeResult, Problem, Push,
    PushStatus, Reloaded,
};
use watchdog::wire::board::{
    AlertRow, AlertState, Board, DeliveryRow, DeliveryState, EngineHealth, Event, EventKind, Headline, MonitorRow,
    ServerInfo, State,
};

/// 2025-11-23T12:13:20Z, the board's time.
pub const NOW: Timestamp = Timestamp::from_millis(1_763_900_000_000);

pub fn ago(secs: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(secs))
}

pub fn name(text: &str) -> MonitorName {
    MonitorName::new(text).unwrap()
}

pub fn row(monitor: &str, state: State) -> MonitorRow {
    let failing = matches!(state, State::Down | State::Degraded | State::Unknown);
    MonitorRow {
        name: name(monitor),
        r#type: if monitor == "nightly" { "heartbeat" } else { "http" }.into(),
        target: format!("http://{}.example/health", monitor.replace(['/', ' '], "-")).into(),
        state,
        since: Some(ago(320)),
        last: (state != State::Paused).then(|| ago(4)),
        took: (state != State::Paused).then(|| Duration::from_millis(61)),
        headline: if failing { "connection refused" } else { "200 OK, 1.2 KiB" }.into(),
        failures: if failing { 11 } else { 0 },
        labels: Labels::new([("team", if monitor == "nightly" { "ops" } else { "web" })]),
        interval: Some(Duration::from_secs(30)),
        strip: ("u".repeat(55) + if failing { "ddddd" } else { "uuuuu" }).into(),
        uptime: Some(if failing { 0.9731 } else { 1.0 }),
        p95: Some(Duration::from_millis(84)),
        stale_config: monitor == "shop / 店 (eu)",
    }
}

pub fn alert(monitor: &str) -> AlertRow {
    AlertRow {
        fingerprint: "00c0ffee00c0ffee".to_owned(),
        name: "MonitorDown".to_owned(),
        monitor: Some(name(monitor)),
        severity: Severity::Critical,
        state: AlertState::Firing,
        since: ago(260),
        starts_at: ago(260),
        labels: Labels::new([("alertname", "MonitorDown"), ("monitor", monitor)]),
        annotations: Labels::new([("summary", "db is down: connection refused")]),
        value: None,
        ack: None,
        muted: None,
        deliveries: vec![DeliveryRow {
            receiver: "ops".to_owned(),
            status: Status::Firing,
            state: DeliveryState::Delivered,
            at: ago(259),
            attempts: 1,
            error: None,
        }],
    }
}

/// A board with one of everything, hostile text included.
pub fn board(rev: u64) -> Board {
    let mut evil = row("evil", State::Degraded);
    evil.headline = "slow \u{1b}[2J\u{1b}]52;c;aGk=\u{7} 1.2 s".into();
    Board {
        rev,
        at: NOW,
        server: Arc::new(ServerInfo {
            instance: "box".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 4_711,
            started: ago(7_200),
            config_dir: "/etc/watchdog".to_owned(),
            http: None,
        }),
        monitors: vec![
            Arc::new(row("db", State::Down)),
            Arc::new(evil),
            Arc::new(row("nightly", State::Paused)),
            Arc::new(row("shop / 店 (eu)", State::Up)),
        ],
        alerts: vec![Arc::new(alert("db"))],
        events: vec![Arc::new(event())],
        engine: Arc::new(EngineHealth {
            monitors: 3,
            lag_p99: Duration::from_millis(2),
            missed_slots: 0,
            outbox: 0,
            receivers: 1,
            problems: 1,
            config_loaded: Some(ago(3_600)),
            complaints: vec!["1 configuration problem".to_owned()],
        }),
        verdict: Arc::new(Headline {
            worst: Some(State::Down),
            sentence: "DB IS DOWN. 1 critical alert.".to_owned(),
            since: Some(ago(320)),
            first_to_break: Some("First to break: db at 12:08:00 (connection refused)".to_owned()),
        }),
    }
}

fn event() -> Event {
    Event {
        id: 7,
        at: ago(320),
        kind: EventKind::State,
        subject: "db".to_owned(),
        what: "down".to_owned(),
        detail: "connection refused".to_owned(),
    }
}

pub fn result(verdict: Verdict) -> ProbeResult {
    let failed = verdict == Verdict::Down;
    ProbeResult {
        at: ago(4),
        verdict,
        reason: failed.then(|| Reason { class: "connection_refused".into(), message: "connection refused".to_owned() }),
        summary: if failed { "" } else { "200 OK, 1.2 KiB" }.into(),
        took: Duration::from_micros(61_300),
        attempt: 2,
        phases: vec![
            Phase { name: "resolve".into(), took: Duration::from_micros(1_200), failed: false },
            Phase { name: "connect".into(), took: Duration::from_micros(60_100), failed },
        ],
        checks: vec![Check {
            name: "status is 200-299".to_owned(),
            ok: if failed { None } else { Some(true) },
            found: if failed { "" } else { "200" }.to_owned(),
        }],
        samples: vec![Sample::new("probe_http_status_code", 200.0)],
        evidence: failed.then(|| Evidence {
            items: vec![("request".into(), "GET /health HTTP/1.1\nhost: db.example\n\u{1b}[31mred".to_owned())],
        }),
    }
}

/// What was seen of the target so many seconds ago.
fn capture(secs: u64, phases: &str, resolver: &str, path: &str) -> Capture {
    let items = [("phases", phases), ("resolver", resolver), ("path to 198.51.100.7", path)];
    let items = items.map(|(title, text)| (title.into(), text.to_owned())).into();
    Capture { at: ago(secs), evidence: Evidence { items } }
}

pub fn history() -> Vec<HistoryPoint> {
    (0..20_u64)
        .map(|i| HistoryPoint {
            at: ago(600 - i * 30),
            verdict: if i < 9 { Verdict::Up } else { Verdict::Down },
            took: Duration::from_millis(40 + i),
        })
        .collect()
}

pub fn problem() -> Problem {
    Problem {
        level: Level::Error,
        code: "W012".to_owned(),
        file: "monitors.d/web.yaml".to_owned(),
        line: 12,
        column: 5,
        length: 8,
        message: "unknown key `intervall`".to_owned(),
        hint: "did you mean `interval`?".to_owned(),
        snippet: "    intervall: 30s".to_owned(),
    }
}

/// A notifier that takes everything.
#[derive(Debug)]
struct Taker;

impl Notifier for Taker {
    fn deliver<'a>(&'a self, _: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(std::future::ready(Ok(Receipt { detail: Some("thanks".to_owned()), ..Receipt::default() })))
    }
}

/// Alerting over real actors: one notifier, `ops`, that is told of everything at once.
fn alerting(dir: &Path, clock: Clock, board: watch::Receiver<Arc<Board>>) -> (Alerting, Supervisor) {
    let ops = Receiver {
        name: "ops".to_owned(),
        kind: "test".to_owned(),
        send_resolved: true,
        limits: Limits::default(),
        notifier: Arc::new(Taker),
        hash: 0,
    };
    let mut policy = Policy::of_notifiers(["ops"]);
    policy.route.group_wait = Duration::ZERO;
    policy.route.group_interval = Duration::from_millis(100);
    let config = Config { receivers: vec![Arc::new(ops)], alerting: Arc::new(policy), ..Config::default() };
    let config = Arc::new(config);
    let status = ConfigStatus {
        dir: String::new(),
        loaded: NOW,
        files: 0,
        monitors: 0,
        stale: Vec::new(),
        problems: Vec::new(),
    };
    let db = StateDb::open(dir, clock).unwrap().db;
    let (evaluator, inbox) = mpsc::channel(64);
    let (outbox, owed) = mpsc::channel(64);
    let (show, mut shown) = mpsc::channel(64);
    let decider = Evaluator::new(db.clone(), clock, Saved::default(), show.clone(), outbox.clone());
    let (no_past, metrics) = (Vec::new(), DeliveryMetrics::default());
    let sender = Outbox::new(db.clone(), clock, Vec::new(), no_past, show, evaluator.clone(), metrics);
    let mut tasks = Supervisor::new(&CancellationToken::new());
    tasks.add("evaluator", |stop| decider.run(inbox, stop));
    tasks.add("outbox", |stop| sender.run(owed, stop));
    // The board is a canned one.
    tasks.add("board", |_| async move { while shown.recv().await.is_some() {} });
    let first = EvalInput::Config { config: Arc::clone(&config), complete: true, faults: None };
    evaluator.try_send(first).unwrap();
    let config = watch::channel(Applied { config, status: Arc::new(status) }).1;
    let rules = Arc::<RuleBook>::default();
    (Alerting { clock, evaluator, outbox, db, config, board, rules }, tasks)
}

/// The engine.
pub struct Fake {
    clock: Clock,
    pub boards: watch::Sender<Arc<Board>>,
    alerting: Alerting,
    _alerting: Supervisor,
    pub pushed: std::sync::Mutex<Vec<(String, Push)>>,
    pub store: Arc<Store>,
    pub queries: Queries,
    pub query_metrics: QueryMetrics,
    pub intake: Arc<Intake>,
    pub rules: RuleBook,
    _metrics: TempDir,
}

impl Fake {
    pub fn new(first: Board) -> Arc<Self> {
        Self::storing(first, Options::default())
    }

    pub fn storing(first: Board, options: Options) -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::<Store>::default();
        let tsdb = Tsdb::open(dir.path(), options, NOW).unwrap();
        drop(store.set(Ok(Arc::new(tsdb))));
        let (clock, query_metrics) = (Clock::starting_at(NOW), QueryMetrics::default());
        let boards = watch::channel(Arc::new(first)).0;
        let (alerting, tasks) = alerting(dir.path(), clock, boards.subscribe());
        Arc::new(Self {
            clock,
            boards,
            alerting,
            _alerting: tasks,
            pushed: std::sync::Mutex::default(),
            queries: Queries::new(clock, Arc::clone(&store), query_metrics.clone()),
            query_metrics,
            rules: RuleBook::default(),
            intake: Arc::new(Intake::new(clock, Arc::clone(&store), Default::default())),
            store,
            _metrics: dir,
        })
    }

    fn find(&self, name: &str) -> Result<Arc<MonitorRow>, EngineError> {
        let board = self.boards.borrow();
        let row = board.monitors.iter().find(|m| m.name.as_str() == name).cloned();
        row.ok_or_else(|| EngineError::NoSuchMonitor { name: name.to_owned(), nearest: Some("db".to_owned()) })
    }
}

impl Engine for Fake {
    fn board(&self) -> watch::Receiver<Arc<Board>> {
        self.boards.subscribe()
    }

    fn monitor<'a>(&'a self, name: &'a str) -> Reply<'a, MonitorDetail> {
        Box::pin(async move {
            let row = self.find(name)?;
            let down = row.state == State::Down;
            Ok(MonitorDetail {
                row: MonitorRow::clone(&row),
                schedule: "every 30s".to_owned(),
                timeout: Duration::from_secs(5),
                next: Some(NOW.plus(Duration::from_secs(26))),
                alert: Some(AlertPolicy { after: 3, clear_after: 2, severity: Severity::Critical }),
                source: "monitors.d/web.yaml:12:5".to_owned(),
                last: Some(result(if down { Verdict::Down } else { Verdict::Up })),
                last_ok: down.then(|| result(Verdict::Up)),
                last_bad: None,
                first_failure: down.then(|| {
                    capture(95, "connect 4ms, failed", "198.51.100.7\nin 2ms", "1  192.0.2.1  0.4ms\n2  no answer")
                }),
                last_good: down.then(|| {
                    let path = "1  192.0.2.1  0.4ms\n2  192.0.2.254  1.1ms\n3  198.51.100.7  3ms";
                    capture(9_000, "connect 3ms, processing 9ms", "198.51.100.7\nin 1ms", path)
                }),
                history: history(),
                alerts: if down { vec![alert(name)] } else { Vec::new() },
                events: vec![event()],
            })
        })
    }

    fn history<'a>(&'a self, name: &'a str, limit: usize) -> Reply<'a, Vec<HistoryPoint>> {
        Box::pin(async move {
            self.find(name)?;
            let all = history();
            Ok(all[all.len().saturating_sub(limit)..].to_vec())
        })
    }

    fn run_now<'a>(&'a self, name: &'a str) -> Reply<'a, ProbeResult> {
        Box::pin(async move {
            match self.find(name)?.state {
                State::Paused => Err(EngineError::Paused(name.to_owned())),
                State::Down => Ok(result(Verdict::Down)),
                State::Degraded | State::Unknown | State::Pending | State::Up => Ok(result(Verdict::Up)),
            }
        })
    }

    fn push<'a>(&'a self, name: &'a str, token: &'a str, push: Push) -> Reply<'a, ()> {
        Box::pin(async move {
            match token {
                "right" => {
                    self.pushed.lock().unwrap().push((name.to_owned(), push));
                    Ok(())
                }
                "broken" => Err(EngineError::Store("disk /var/secret is full".into())),
                "panic" => panic!("a mistake of ours"),
                _ => Err(EngineError::WrongToken),
            }
        })
    }

    fn webhook<'a>(&'a self, _: &'a str, call: Call<'a>) -> Reply<'a, usize> {
        let known = call.token == Some("right");
        Box::pin(async move { if known { Ok(call.body.len()) } else { Err(EngineError::WrongToken) } })
    }

    fn events(&self, query: EventQuery) -> Reply<'_, Events> {
        Box::pin(async move { Ok(Events { events: vec![event(); query.limit.min(2)], next: query.before }) })
    }

    fn config(&self) -> Reply<'_, ConfigStatus> {
        Box::pin(async move {
            Ok(ConfigStatus {
                dir: "/etc/watchdog".to_owned(),
                loaded: ago(3_600),
                files: 4,
                monitors: 3,
                stale: vec!["shop / 店 (eu)".to_owned()],
                problems: vec![problem()],
            })
        })
    }

    fn reload(&self) -> Reply<'_, Reloaded> {
        Box::pin(async move {
            Ok(Reloaded {
                added: vec!["new".to_owned()],
                changed: Vec::new(),
                removed: vec!["old".to_owned()],
                unchanged: 3,
                problems: vec![problem()],
            })
        })
    }

    fn rules(&self) -> &RuleBook {
        &self.rules
    }

    fn sla(&self, _: watchdog::engine::sla::Ask) -> Reply<'_, watchdog::wire::sla::SlaReport> {
        Box::pin(std::future::ready(Err(EngineError::Stopping)))
    }

    fn queries(&self) -> &Queries {
        &self.queries
    }

    fn alerting(&self) -> &Alerting {
        &self.alerting
    }

    fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    fn targets(&self) -> Vec<(MonitorName, Targets)> {
        Vec::new()
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("storage.retention", "90d".to_owned()), ("query.timeout", "2m".to_owned())]
    }

    fn metrics(&self) -> String {
        "# TYPE watchdog_up gauge\nwatchdog_up 1\n# EOF\n".to_owned()
    }
}

/// A server with a fake engine on a Unix socket and on loopback TCP.
pub struct House {
    pub engine: Arc<Fake>,
    pub server: Server,
    pub tcp: std::net::SocketAddr,
    pub dir: TempDir,
}

impl House {
    pub async fn start() -> Self {
        Self::with(board(1)).await
    }

    pub async fn with(first: Board) -> Self {
        Self::of(Fake::new(first)).await
    }

    pub async fn of(engine: Arc<Fake>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen = Listen {
            socket: Some(dir.path().join("w.sock")),
            tcp: Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0))),
        };
        let bound = bind(&listen).await.unwrap();
        let tcp = bound.http().unwrap();
        // One clock for those who store and those who ask: a sample must not lie ahead of the question.
        let clock = engine.clock;
        let server = bound.serve(Arc::clone(&engine) as Arc<dyn Engine>, clock);
        Self { engine, server, tcp, dir }
    }

    pub fn socket(&self) -> PathBuf {
        Path::join(self.dir.path(), "w.sock")
    }

    pub fn client(&self) -> Client {
        Client::new(Endpoint::Unix(self.socket()))
    }

    /// Puts up the next board, changed by `change`.
    pub fn change(&self, change: impl FnOnce(&mut Board)) {
        let mut next = Board::clone(&self.engine.boards.borrow());
        next.rev += 1;
        change(&mut next);
        self.engine.boards.send_replace(Arc::new(next));
    }

    pub async fn stop(self) {
        assert_eq!(self.server.stop("test is over").await, 0, "tasks had to be aborted");
    }
}

/// What a job says that is down.
pub fn down(message: &str) -> Push {
    Push { status: PushStatus::Down, message: message.to_owned(), ..Push::default() }
}
