//! Killing the alert path at random moments while targets flap and receivers fail: nothing is lost,
//! nothing is told out of order, and what is told twice was cut off by a kill.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;
use watchdog::base::BoxFuture;
use watchdog::base::clock::Clock;
use watchdog::base::labels::Labels;
use watchdog::base::message::{DeliveryError, Message, Notifier, Severity, Status};
use watchdog::base::name::MonitorName;
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::base::probe::{Collector, ProbeCx};
use watchdog::base::time::Timestamp;
use watchdog::config::catalog::Probe;
use watchdog::config::model::{Config, Monitor, Receiver, Schedule};
use watchdog::engine::evaluator::{BoardInput, EvalInput, Evaluator, SlotResult};
use watchdog::engine::outbox::{DeliveryMetrics, Outbox, OutboxInput, Policy};
use watchdog::state::StateDb;
use watchdog::task::backoff::Backoff;
use watchdog::task::supervisor::Supervisor;
use watchdog::wire::api::AlertPolicy;
use watchdog::wire::board::AlertState;

const MONITORS: usize = 8;
const RECEIVERS: [&str; 2] = ["ops", "hook"];
const CLEAR_AFTER: usize = 2;

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

    /// What receivers took, in order, and the episodes that screens showed as firing.
    fn read(dir: &Path) -> (Vec<Taken>, BTreeSet<(String, Timestamp)>) {
        let time = |ms: &str| Timestamp::from_millis(ms.parse().unwrap());
        let (mut taken, mut fired) = (Vec::new(), BTreeSet::new());
        // No life may have got that far yet.
        let text = std::fs::read_to_string(dir.join("world")).unwrap_or_default();
        // What follows the last line break is being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            match fields[..] {
                [_, monitor, starts_at] => {
                    fired.insert((monitor.to_owned(), time(starts_at)));
                }
                [life, receiver, monitor, status, starts_at, key] => taken.push(Taken {
                    life: life.parse().unwrap(),
                    receiver: receiver.to_owned(),
                    monitor: monitor.to_owned(),
                    status: if status == "firing" { Status::Firing } else { Status::Resolved },
                    starts_at: time(starts_at),
                    key: key.to_owned(),
                }),
                _ => panic!("a torn line: {line}"),
            }
        }
        (taken, fired)
    }
}

#[derive(Debug)]
struct Sink(Arc<World>);

impl Notifier for Sink {
    fn deliver<'a>(&'a self, m: &'a Message) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            if fastrand::u8(..4) == 0 {
                return Err(DeliveryError::Retry { after: None, err: "status 500".into() });
            }
            let starts_at = m.starts_at.millis().to_string();
            let monitor = m.labels.get("monitor").unwrap();
            self.0.note(&[&m.receiver, monitor, m.status.as_str(), &starts_at, &m.idempotency_key]);
            // The answer is under way: a kill here is what makes a duplicate.
            time::sleep(Duration::from_micros(fastrand::u64(..1_500))).await;
            Ok(())
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
        probe: Probe { kind: "tcp", target: "127.0.0.1:1".to_owned(), collector: Arc::new(Idle) },
        schedule: Schedule::Every(Duration::from_secs(1)),
        timeout: Duration::from_secs(1),
        retries: 0,
        retry_interval: Duration::from_secs(1),
        labels: Labels::default(),
        paused: false,
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
            notifier: Arc::new(Sink(world.clone())),
            hash: 1,
        })
    };
    Arc::new(Config {
        receivers: RECEIVERS.into_iter().map(receiver).collect(),
        monitors: monitors.iter().map(|m| (m.name.clone(), m.clone())).collect(),
        ..Config::default()
    })
}

/// The alert path between two kills.
struct Life {
    inbox: mpsc::Sender<EvalInput>,
    outbox: mpsc::Sender<OutboxInput>,
    board: mpsc::Receiver<BoardInput>,
    tasks: Supervisor,
    db: StateDb,
}

impl Life {
    async fn start(dir: &Path, config: Arc<Config>) -> Self {
        let opened = StateDb::open(dir, Clock::system()).expect("a database");
        assert_eq!(opened.degraded, None);
        let (db, loaded) = (opened.db, opened.loaded);
        let (inbox, results) = mpsc::channel(1_000);
        let (outbox, messages) = mpsc::channel(1_000);
        let (show, board) = mpsc::channel(100_000);
        let clock = Clock::system();
        let evaluator = Evaluator::new(db.clone(), clock, loaded.monitors, loaded.alerts, show.clone(), outbox.clone());
        let policy = Policy {
            backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(4)),
            record: Duration::from_secs(60),
            ..Policy::default()
        };
        let sender = Outbox::new(db.clone(), clock, loaded.owed, loaded.deliveries, show, DeliveryMetrics::default())
            .with_policy(policy);
        let mut tasks = Supervisor::new(&CancellationToken::new());
        tasks.add("evaluator", |stop| evaluator.run(results, stop));
        tasks.add("outbox", |stop| sender.run(messages, stop));
        inbox.send(EvalInput::Config { config, complete: true, faults: None }).await.unwrap();
        Self { inbox, outbox, board, tasks, db }
    }

    /// Sends results at random for as long as `more` says.
    async fn flap(&mut self, world: &World, monitors: &[Arc<Monitor>], clock: &mut i64, more: impl Fn(usize) -> bool) {
        for n in 0.. {
            if !more(n) {
                return;
            }
            // Runs of one verdict are likely, so that alerts both fire and clear.
            let verdict = match fastrand::u8(..20) {
                0..9 => Verdict::Down,
                9..17 => Verdict::Up,
                17..19 => Verdict::Degraded,
                _ => Verdict::Unknown,
            };
            self.inbox.send(result(&monitors[fastrand::usize(..MONITORS)], clock, verdict)).await.unwrap();
            match fastrand::u8(..8) {
                0 => tokio::task::yield_now().await,
                1 => time::sleep(Duration::from_micros(fastrand::u64(..800))).await,
                _ => {}
            }
            self.watch(world);
        }
    }

    /// Notes the episodes that a screen would show as firing.
    fn watch(&mut self, world: &World) {
        while let Ok(input) = self.board.try_recv() {
            note_firing(&input, world);
        }
    }

    /// Ends every task where it stands.
    async fn kill(mut self, world: &World) {
        drop(self.tasks);
        self.inbox.closed().await;
        self.outbox.closed().await;
        self.db.close().await;
        while let Ok(input) = self.board.try_recv() {
            note_firing(&input, world);
        }
    }

    /// Lets everything recover, waits until everything owed is told, and stops in order.
    async fn end_well(mut self, world: &World, monitors: &[Arc<Monitor>], clock: &mut i64) {
        for m in monitors {
            for _ in 0..CLEAR_AFTER {
                self.inbox.send(result(m, clock, Verdict::Up)).await.unwrap();
            }
        }
        let (mut quiet, mut owed) = (false, usize::MAX);
        while !(quiet && owed == 0) {
            let input = time::timeout(Duration::from_secs(60), self.board.recv()).await.expect("a quiet end").unwrap();
            note_firing(&input, world);
            match input {
                BoardInput::Alerts(rows) => quiet = rows.iter().all(|r| r.state == AlertState::Resolved),
                BoardInput::Owed(count) => owed = count,
                _ => {}
            }
            if quiet && owed == 0 {
                // What was decided last may be on its way to the outbox: the database knows it already.
                owed = self.db.owed().await.unwrap().len();
            }
        }
        assert_eq!(self.tasks.stop(Duration::from_secs(30)).await, 0);
        self.db.close().await;
    }
}

fn result(monitor: &Arc<Monitor>, clock: &mut i64, verdict: Verdict) -> EvalInput {
    // Slots advance by a millisecond, so that no two episodes begin at the same time.
    *clock += 1;
    let at = Timestamp::from_millis(*clock);
    EvalInput::Result(SlotResult { monitor: monitor.clone(), at, verdict, headline: "flapping".to_owned() })
}

fn note_firing(input: &BoardInput, world: &World) {
    if let BoardInput::Alerts(rows) = input {
        for row in rows.iter().filter(|r| r.state == AlertState::Firing) {
            world.note(&[row.subject(), &row.starts_at.millis().to_string()]);
        }
    }
}

/// Slots of one life begin after those of the life before, however fast that one counted.
fn first_slot(life: usize) -> i64 {
    Clock::system().now().millis() + life as i64 * 100_000
}

fn judge(dir: &Path, kills: usize) {
    let (taken, fired) = World::read(dir);
    check(&taken, &fired);
    let repeated = taken.len() - taken.iter().map(|t| &t.key).collect::<BTreeSet<_>>().len();
    assert!(fired.len() > kills / 10, "only {} episodes", fired.len());
    // At most the messages under way at a kill: 4 for each receiver.
    assert!(repeated <= kills * 4 * RECEIVERS.len(), "{repeated} repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_ended_at_random_moments_lose_nothing_and_repeat_only_what_was_cut_off() {
    const KILLS: usize = 50;
    let dir = tempfile::tempdir().unwrap();
    let monitors: Vec<_> = (0..MONITORS).map(monitor).collect();
    for life in 0..KILLS {
        let world = World::open(dir.path(), life);
        let mut running = Life::start(dir.path(), config(&monitors, &world)).await;
        let results = fastrand::usize(..200);
        running.flap(&world, &monitors, &mut first_slot(life), |n| n < results).await;
        time::sleep(Duration::from_micros(fastrand::u64(..10_000))).await;
        running.kill(&world).await;
    }
    let world = World::open(dir.path(), KILLS);
    let last = Life::start(dir.path(), config(&monitors, &world)).await;
    last.end_well(&world, &monitors, &mut first_slot(KILLS)).await;
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
    let mut running = Life::start(dir, config(&monitors, &world)).await;
    running.flap(&world, &monitors, &mut first_slot(life), |_| true).await;
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
            while !World::read(dir.path()).0.iter().any(|t| t.life == life) {
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
    last.end_well(&world, &monitors, &mut first_slot(KILLS)).await;
    judge(dir.path(), KILLS);
}

/// Judges the history that the receivers saw against the episodes that screens showed.
fn check(taken: &[Taken], fired: &BTreeSet<(String, Timestamp)>) {
    for (monitor, starts_at) in fired {
        for receiver in RECEIVERS {
            for status in [Status::Firing, Status::Resolved] {
                let told = taken.iter().any(|t| {
                    t.receiver == receiver && t.monitor == *monitor && t.starts_at == *starts_at && t.status == status
                });
                assert!(told, "lost: {receiver} was not told that {monitor} {starts_at} is {status:?}");
            }
        }
    }
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
    let mut last: BTreeMap<(&str, &str), (Timestamp, Status)> = BTreeMap::new();
    for t in taken {
        let before = last.insert((&t.receiver, &t.monitor), (t.starts_at, t.status));
        let in_order = match (before, t.status) {
            (None, Status::Firing) => true,
            (None, Status::Resolved) => false,
            (Some((episode, Status::Firing)), Status::Firing | Status::Resolved) => episode == t.starts_at,
            (Some((episode, Status::Resolved)), Status::Firing) => episode < t.starts_at,
            (Some((episode, Status::Resolved)), Status::Resolved) => episode == t.starts_at,
        };
        assert!(in_order, "{t:?} after {before:?}");
    }
}
