//! Killing the alert path at random moments while targets flap and receivers fail: nothing that was decided
//! is lost, an alert that lasts is told to everybody and so is its end, nothing is told out of order, and
//! what is told twice was cut off by a kill.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;
use watchdog::alert::policy::Policy as Alerting;
use watchdog::alert::route::GroupBy;
use watchdog::base::BoxFuture;
use watchdog::base::clock::Clock;
use watchdog::base::labels::Labels;
use watchdog::base::message::{DeliveryError, Severity, Status};
use watchdog::base::name::MonitorName;
use watchdog::base::notification::{Delivery, Notifier, Receipt};
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::base::probe::{Collector, ProbeCx};
use watchdog::base::time::Timestamp;
use watchdog::config::catalog::Probe;
use watchdog::config::model::{Config, Limits, Monitor, Receiver, Schedule};
use watchdog::engine::evaluator::{EvalInput, Evaluator, Saved, SlotResult};
use watchdog::engine::outbox::{DeliveryMetrics, Outbox, OutboxInput, Policy};
use watchdog::state::StateDb;
use watchdog::task::backoff::Backoff;
use watchdog::task::supervisor::Supervisor;
use watchdog::wire::api::AlertPolicy;

const MONITORS: usize = 8;
const RECEIVERS: [&str; 2] = ["ops", "hook"];
const CLEAR_AFTER: usize = 2;
/// More results of one verdict than any monitor needs to fire.
const FIRE_AFTER: usize = 3;
/// One in so many results begins an alert that lasts until everybody was told, and ends so.
const LASTING: usize = 120;
/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// One message that a receiver took.
#[derive(Clone, Debug)]
struct Taken {
    life: usize,
    receiver: String,
    monitor: String,
    status: Status,
    starts_at: Timestamp,
    key: String,
}

/// What the world outside saw, which no kill touches: a file that every life appends to.
#[derive(Debug)]
struct World {
    life: usize,
    log: File,
}

impl World {
    fn open(dir: &Path, life: usize) -> Arc<Self> {
        let log = File::options().create(true).append(true).open(dir.join("world")).unwrap();
        Arc::new(Self { life, log })
    }

    /// One `write` in append mode: whole or not at all, whoever else writes.
    fn note(&self, fields: &[&str]) {
        let line = format!("{}\t{}\n", self.life, fields.join("\t"));
        assert_eq!((&self.log).write(line.as_bytes()).unwrap(), line.len());
    }

    /// What receivers took, in order.
    fn read(dir: &Path) -> Vec<Taken> {
        // No life may have got that far yet.
        let text = std::fs::read_to_string(dir.join("world")).unwrap_or_default();
        // What follows the last line break is being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let taken = |line: &str| {
            let fields: Vec<_> = line.split('\t').collect();
            let [life, receiver, monitor, status, starts_at, key] = fields[..] else { panic!("a torn line: {line}") };
            Taken {
                life: life.parse().unwrap(),
                receiver: receiver.to_owned(),
                monitor: monitor.to_owned(),
                status: if status == "firing" { Status::Firing } else { Status::Resolved },
                starts_at: Timestamp::from_millis(starts_at.parse().unwrap()),
                key: key.to_owned(),
            }
        };
        whole.lines().map(taken).collect()
    }
}

/// Whether every receiver believes of this monitor what `status` says.
fn all_believe(dir: &Path, monitor: &Monitor, status: Status) -> bool {
    let taken = World::read(dir);
    RECEIVERS.into_iter().all(|r| {
        let last = taken.iter().rev().find(|t| t.receiver == r && t.monitor == monitor.name.as_str());
        last.map_or(Status::Resolved, |t| t.status) == status
    })
}

#[derive(Debug)]
struct Sink(Arc<World>);

impl Notifier for Sink {
    fn deliver<'a>(&'a self, d: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        let n = d.notification;
        Box::pin(async move {
            if fastrand::u8(..4) == 0 {
                return Err(DeliveryError::Retry { after: None, err: "status 500".into() });
            }
            let starts_at = n.starts_at().millis().to_string();
            let monitor = n.alerts[0].labels.get("monitor").unwrap();
            self.0.note(&[&n.notifier, monitor, n.status().as_str(), &starts_at, &n.key]);
            // The answer is under way: a kill here is what makes a duplicate.
            time::sleep(Duration::from_micros(fastrand::u64(..1_500))).await;
            Ok(Receipt::default())
        })
    }
}

#[derive(Debug)]
struct Idle;

impl Collector for Idle {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::pending())
    }
}

fn monitor(n: usize) -> Arc<Monitor> {
    let policy = AlertPolicy { after: 1 + n as u32 % 3, clear_after: CLEAR_AFTER as u32, severity: Severity::Critical };
    Arc::new(Monitor {
        name: MonitorName::new(&format!("m{n}")).unwrap(),
        probe: Probe::new("tcp", "127.0.0.1:1".to_owned(), Idle),
        schedule: Schedule::Every(Duration::from_secs(1)),
        timeout: Duration::from_secs(1),
        retries: 0,
        retry_interval: Duration::from_secs(1),
        labels: Labels::default(),
        paused: false,
        depends_on: Vec::new(),
        alert: Some(policy),
        source: String::new(),
        hash: 0,
    })
}

fn config(monitors: &[Arc<Monitor>], world: &Arc<World>) -> Arc<Config> {
    let receiver = |name: &str| {
        Arc::new(Receiver {
            name: name.to_owned(),
            kind: "sink".to_owned(),
            send_resolved: true,
            // Each alert in messages of its own.
            limits: Limits { digest_above: Some(1_000_000), ..Limits::default() },
            notifier: Arc::new(Sink(world.clone())),
            hash: 1,
        })
    };
    let mut policy = Alerting::of_notifiers(RECEIVERS);
    policy.route.group_by = GroupBy::All;
    policy.route.group_wait = Duration::ZERO;
    // The shortest that there is.
    policy.route.group_interval = Duration::from_millis(100);
    policy.flap.changes = None;
    Arc::new(Config {
        alerting: Arc::new(policy),
        receivers: RECEIVERS.into_iter().map(receiver).collect(),
        monitors: monitors.iter().map(|m| (m.name.clone(), m.clone())).collect(),
        ..Config::default()
    })
}

/// The alert path between two kills.
struct Life {
    inbox: mpsc::Sender<EvalInput>,
    outbox: mpsc::Sender<OutboxInput>,
    tasks: Supervisor,
    db: StateDb,
    dir: PathBuf,
}

impl Life {
    async fn start(dir: &Path, config: Arc<Config>) -> Self {
        let opened = StateDb::open(dir, Clock::system()).expect("a database");
        assert_eq!(opened.degraded, None);
        let (db, loaded) = (opened.db, opened.loaded);
        let (inbox, results) = mpsc::channel(1_000);
        let (outbox, messages) = mpsc::channel(1_000);
        let (show, mut board) = mpsc::channel(1_000);
        let clock = Clock::system();
        let saved = Saved { monitors: loaded.monitors, alerts: loaded.alerts, alerting: loaded.alerting };
        let evaluator = Evaluator::new(db.clone(), clock, saved, show.clone(), outbox.clone());
        let policy = Policy {
            backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(4)),
            // A fourth of all attempts fails: five in a row are not seldom.
            rest: Backoff::new(Duration::from_millis(1), Duration::from_millis(4)),
            record: Duration::from_secs(60),
            ..Policy::default()
        };
        let metrics = DeliveryMetrics::default();
        let sender = Outbox::new(db.clone(), clock, loaded.owed, loaded.deliveries, show, inbox.clone(), metrics)
            .with_policy(policy);
        let mut tasks = Supervisor::new(&CancellationToken::new());
        tasks.add("evaluator", |stop| evaluator.run(results, stop));
        tasks.add("outbox", |stop| sender.run(messages, stop));
        tasks.add("board", |_| async move { while board.recv().await.is_some() {} });
        inbox.send(EvalInput::Config { config, complete: true, faults: None }).await.unwrap();
        Self { inbox, outbox, tasks, db, dir: dir.to_owned() }
    }

    /// Sends results at random for as long as `more` says.
    async fn flap(&self, monitors: &[Arc<Monitor>], clock: &mut i64, more: impl Fn(usize) -> bool) {
        for n in 0.. {
            if !more(n) {
                return;
            }
            let monitor = &monitors[fastrand::usize(..MONITORS)];
            if fastrand::usize(..LASTING) == 0 {
                self.last(monitor, clock).await;
            }
            // Runs of one verdict are likely, so that alerts both fire and clear.
            let verdict = match fastrand::u8(..20) {
                0..9 => Verdict::Down,
                9..17 => Verdict::Up,
                17..19 => Verdict::Degraded,
                _ => Verdict::Unknown,
            };
            self.inbox.send(result(monitor, clock, verdict)).await.unwrap();
            match fastrand::u8(..8) {
                0 => tokio::task::yield_now().await,
                1 => time::sleep(Duration::from_micros(fastrand::u64(..800))).await,
                _ => {}
            }
        }
    }

    /// An alert that stands until everybody was told, and whose end does.
    async fn last(&self, monitor: &Arc<Monitor>, clock: &mut i64) {
        for (verdict, status) in [(Verdict::Down, Status::Firing), (Verdict::Up, Status::Resolved)] {
            for _ in 0..FIRE_AFTER {
                self.inbox.send(result(monitor, clock, verdict)).await.unwrap();
            }
            self.until_told(monitor, status).await;
        }
    }

    async fn until_told(&self, monitor: &Monitor, status: Status) {
        let end = time::Instant::now() + PATIENCE;
        while !all_believe(&self.dir, monitor, status) {
            assert!(time::Instant::now() < end, "lost: not everybody was told that {} is {status:?}", monitor.name);
            time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends every task where it stands.
    async fn kill(self) {
        drop(self.tasks);
        self.inbox.closed().await;
        self.outbox.closed().await;
        self.db.close().await;
    }

    /// Every alert fires and ends once more; waits until that is told, and stops in order.
    async fn end_well(self, monitors: &[Arc<Monitor>], clock: &mut i64) {
        for (verdict, status) in [(Verdict::Down, Status::Firing), (Verdict::Up, Status::Resolved)] {
            for m in monitors {
                for _ in 0..FIRE_AFTER {
                    self.inbox.send(result(m, clock, verdict)).await.unwrap();
                }
            }
            for m in monitors {
                self.until_told(m, status).await;
            }
        }
        // What a receiver took may not be recorded yet.
        while !self.db.owed().await.unwrap().is_empty() {
            time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(self.tasks.stop(Duration::from_secs(30)).await, 0);
        self.db.close().await;
    }
}

fn result(monitor: &Arc<Monitor>, clock: &mut i64, verdict: Verdict) -> EvalInput {
    // Slots advance by a millisecond, so that no two episodes begin at the same time.
    *clock += 1;
    let at = Timestamp::from_millis(*clock);
    EvalInput::Result(SlotResult {
        monitor: monitor.clone(),
        at,
        verdict,
        doubt: None,
        headline: "flapping".to_owned(),
    })
}

/// Slots of one life begin after those of the life before, however fast that one counted.
fn first_slot(life: usize) -> i64 {
    Clock::system().now().millis() + life as i64 * 100_000
}

/// The keys of everything that was ever decided, and of what was given up.
fn decided(dir: &Path) -> (BTreeSet<String>, usize) {
    let db = rusqlite::Connection::open(dir.join("db/watchdog.db")).unwrap();
    let mut keys = db.prepare("SELECT key FROM outbox").unwrap();
    let keys = keys.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    let lost = db.query_row("SELECT count(*) FROM outbox WHERE state <> 'delivered'", [], |r| r.get(0)).unwrap();
    (keys, lost)
}

fn judge(dir: &Path, kills: usize) {
    let taken = World::read(dir);
    let told: BTreeSet<String> = taken.iter().map(|t| t.key.clone()).collect();
    let (decided, lost) = decided(dir);
    assert_eq!(lost, 0, "given up or still owed");
    assert_eq!(decided.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "decided and never told");
    assert_eq!(told.difference(&decided).collect::<Vec<_>>(), Vec::<&String>::new(), "told and never decided");
    check(&taken);
    let repeated = taken.len() - told.len();
    assert!(told.len() > kills, "only {} messages: the test proves too little", told.len());
    assert!(repeated <= kills * RECEIVERS.len(), "{repeated} repeated in {kills} kills");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_ended_at_random_moments_lose_nothing_and_repeat_only_what_was_cut_off() {
    const KILLS: usize = 50;
    let dir = tempfile::tempdir().unwrap();
    let monitors: Vec<_> = (0..MONITORS).map(monitor).collect();
    for life in 0..KILLS {
        let world = World::open(dir.path(), life);
        let running = Life::start(dir.path(), config(&monitors, &world)).await;
        let results = fastrand::usize(..200);
        running.flap(&monitors, &mut first_slot(life), |n| n < results).await;
        time::sleep(Duration::from_micros(fastrand::u64(..10_000))).await;
        running.kill().await;
    }
    let world = World::open(dir.path(), KILLS);
    let last = Life::start(dir.path(), config(&monitors, &world)).await;
    last.end_well(&monitors, &mut first_slot(KILLS)).await;
    judge(dir.path(), KILLS);
}

/// Where the process that is killed finds its directory and its number.
const CHILD: &str = "WATCHDOG_TEST_ALERTS_CHILD";

/// The process that the next test kills; by itself it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_flaps_until_it_is_killed() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let (life, dir) = told.split_once(' ').unwrap();
    let (life, dir) = (life.parse().unwrap(), Path::new(dir));
    let monitors: Vec<_> = (0..MONITORS).map(monitor).collect();
    let world = World::open(dir, life);
    let running = Life::start(dir, config(&monitors, &world)).await;
    running.flap(&monitors, &mut first_slot(life), |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_random_moments_loses_nothing_and_repeats_only_what_was_cut_off() {
    const KILLS: usize = 25;
    let dir = tempfile::tempdir().unwrap();
    for life in 0..KILLS {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "alerts::a_process_that_flaps_until_it_is_killed", "--nocapture"])
            .env(CHILD, format!("{life} {}", dir.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if life % 5 == 0 {
            // However slow the machine, some of them get far enough to tell somebody.
            while !World::read(dir.path()).iter().any(|t| t.life == life) {
                assert_eq!(child.try_wait().unwrap(), None, "the process ended by itself");
                time::sleep(Duration::from_millis(5)).await;
            }
        }
        // From the middle of opening the database to a hundred alerts later.
        time::sleep(Duration::from_millis(fastrand::u64(5..250))).await;
        assert_eq!(child.try_wait().unwrap(), None, "the process ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let monitors: Vec<_> = (0..MONITORS).map(monitor).collect();
    let world = World::open(dir.path(), KILLS);
    let last = Life::start(dir.path(), config(&monitors, &world)).await;
    last.end_well(&monitors, &mut first_slot(KILLS)).await;
    judge(dir.path(), KILLS);
}

/// Judges what the receivers saw. A message between firing and the end of an alert may be about a later
/// episode than the one that was told: it came back before anybody heard that it was over.
fn check(taken: &[Taken]) {
    // One life never sends one key twice, whatever fails.
    let mut lives = BTreeSet::new();
    let mut keys: HashMap<&str, (&str, &str, Timestamp, Status)> = HashMap::new();
    for t in taken {
        assert!(lives.insert((t.life, &t.key)), "sent twice without a kill: {t:?}");
        let what = (t.receiver.as_str(), t.monitor.as_str(), t.starts_at, t.status);
        assert_eq!(*keys.entry(&t.key).or_insert(what), what, "one key for two things: {t:?}");
    }
    let distinct: BTreeSet<_> = keys.values().map(|(r, m, s, st)| (r, m, s, st.as_str())).collect();
    assert_eq!(distinct.len(), keys.len(), "two keys for one thing");
    let mut last: BTreeMap<(&str, &str), &Taken> = BTreeMap::new();
    for t in taken {
        let before = last.insert((&t.receiver, &t.monitor), t);
        let in_order = match (before, t.status) {
            (Some(b), _) if b.key == t.key => true,
            (None, status) => status == Status::Firing,
            (Some(b), Status::Resolved) => b.status == Status::Firing && b.starts_at <= t.starts_at,
            (Some(b), Status::Firing) => b.status == Status::Resolved && b.starts_at < t.starts_at,
        };
        assert!(in_order, "{t:?} after {before:?}");
    }
    for (what, t) in last {
        assert_eq!(t.status, Status::Resolved, "{what:?} still believes that it fires");
    }
}
