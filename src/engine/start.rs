//! Brings the actors up and down. The order of both stands here, with its reasons, and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::failure::Chain;
use crate::config::load::Loaded;
use crate::engine::alerting::Alerting;
use crate::engine::board::{BoardKeeper, Inlets, Report};
use crate::engine::core::{Core, server_event};
use crate::engine::deadman::Deadman;
use crate::engine::evaluator::{EvalInput, Evaluator, Saved};
use crate::engine::evidence::Captures;
use crate::engine::ingest::{self, Ingest, IngestInput, Measured, Outlets};
use crate::engine::intake::Intake;
use crate::engine::itself::{self, Itself, Pulse};
use crate::engine::lineage::Lineage;
use crate::engine::lock::DataDir;
use crate::engine::metrics::Metrics;
use crate::engine::outbox::Outbox;
use crate::engine::query::Queries;
use crate::engine::reload::{Applied, Faults, Reloader, Sources};
use crate::engine::reports::{Pace, Reports};
use crate::engine::ruler::report::RuleAlert;
use crate::engine::ruler::{self, RuleBook, Ruler};
use crate::engine::runner::Runner;
use crate::engine::scheduler::{Command, Known, Scheduler};
use crate::engine::storage;
use crate::engine::storage::disk::DiskWatch;
use crate::engine::storage::jobs::ScrapeJobs;
use crate::engine::storage::keeper::Keeper;
use crate::engine::storage::recorder::{self, Recorder};
use crate::engine::systemd::Systemd;
use crate::engine::upkeep::Upkeep;
use crate::state::{StateDb, StateError};
use crate::task::supervisor::Supervisor;
use crate::wire::board::ServerInfo;

/// Most probes under way at once; each holds a socket, so the limit on open files may lower it.
const MAX_PROBES: usize = 8_192;
/// Descriptors kept for the database, the API and logs.
const RESERVED_FDS: usize = 128;
/// How long the start waits for the first board.
const FIRST_BOARD: Duration = Duration::from_secs(2);
/// How long the start waits for the series store; probing begins without it after that, and readiness goes on
/// waiting.
const STORE_OPENS: Duration = Duration::from_secs(5);
/// How often the service manager is told that we still wait, and half of what it is asked to allow.
const STILL_OPENING: Duration = Duration::from_secs(15);
/// The series store's place in the data directory.
pub const METRICS_DIR: &str = "metrics";
/// How long the series store may take to write its last samples out.
const STORE_CLOSES: Duration = Duration::from_secs(30);
/// How long each actor may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// What an engine is started with.
pub struct Setup {
    /// The wall clock.
    pub clock: Clock,
    /// The data directory, locked for this process.
    pub data: DataDir,
    /// Where the configuration comes from.
    pub sources: Sources,
    /// The first load.
    pub loaded: Loaded,
    /// The TCP address in use, for screens.
    pub http: Option<String>,
    /// The service manager, if there is one.
    pub systemd: Systemd,
}

/// A running engine.
pub struct Running {
    /// For the API.
    pub core: Arc<Core>,
    clock: Clock,
    db: StateDb,
    systemd: Systemd,
    stopping: CancellationToken,
    reload: Supervisor,
    scheduler: Supervisor,
    ingest: Supervisor,
    recorder: Supervisor,
    ruler: Supervisor,
    keeper: Supervisor,
    evaluator: Supervisor,
    outbox: Supervisor,
    board: Supervisor,
    upkeep: Supervisor,
    /// Cancelled when the disk is not to be trusted any more.
    disk_lost: CancellationToken,
    events: mpsc::Sender<EvalInput>,
    /// Ends when the store is open, or nobody should wait for it any more; taken by whoever waits.
    opening: Option<oneshot::Receiver<()>>,
    _data: DataDir,
}

/// Why an engine cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// A part of it ended.
    Part(&'static str),
    /// The disk did not confirm what was written, again and again.
    Disk,
}

/// An engine that no longer probes, judges or sends, but still answers readers.
pub struct Quiet {
    db: StateDb,
    upkeep: Supervisor,
    keeper: Supervisor,
    _data: DataDir,
}

/// Starts every actor. Probes begin at once.
///
/// # Errors
/// The state database was written by a newer version, or cannot be opened at all.
pub async fn start(setup: Setup) -> Result<Running, StateError> {
    let Setup { clock, data, sources, loaded, http, systemd } = setup;
    let started = Instant::now();
    let metrics = Arc::new(Metrics::default());
    let permits = Arc::new(Semaphore::new(probe_permits()));
    let dir = data.path().to_owned();
    let store = Arc::clone(&metrics.store);
    let queries = Arc::new(Queries::new(clock, Arc::clone(&store), metrics.queries.clone()));
    let intake = Arc::new(Intake::new(clock, Arc::clone(&store), metrics.intake.clone()));
    let open = tokio::task::spawn_blocking(move || StateDb::open(&dir, clock)).await;
    let opened = open.unwrap_or(Err(StateError::Closed))?;
    let (db, saved) = (opened.db.measured(metrics.commit_seconds.clone()), opened.loaded);

    // Bounded everywhere. Results wait for a place (nothing is lost); the board and the outbox are fast
    // and only wait for memory; saves are retried by ingest when their inbox is full.
    let (to_scheduler, scheduler_inbox) = mpsc::channel::<Command>(256);
    let (to_results, results) = mpsc::channel::<Measured>(8_192);
    let (to_ingest, inputs) = mpsc::channel::<IngestInput>(64);
    let (to_evaluator, evaluator_inbox) = mpsc::channel::<EvalInput>(4_096);
    let (to_outbox, outbox_inbox) = mpsc::channel(256);
    let (to_board, reports) = mpsc::channel::<Report>(4_096);
    let (decide_board, decided) = mpsc::channel(4_096);
    let (to_saves, saves) = mpsc::channel(4);
    // Full: ingest holds results itself and drops the oldest in the end; see there.
    let (to_recorder, recorder_inbox) = mpsc::channel(64);
    let (to_reload, reload_inbox) = mpsc::channel(16);
    // Full: the ruler tells again with its next evaluation.
    let (to_alerts, rule_alerts) = mpsc::channel::<Vec<RuleAlert>>(1_024);

    let server = ServerInfo {
        instance: nix::unistd::gethostname()
            .map_or_else(|_| "localhost".to_owned(), |n| n.to_string_lossy().into_owned()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started: clock.now(),
        config_dir: sources.dir.display().to_string(),
        http,
    };
    let host = server.instance.clone();
    let events = saved.events.into_iter().map(Arc::new).collect();
    let (keeper, board) = BoardKeeper::new(clock, Arc::clone(&metrics), server, events);
    let (reloader, config) = Reloader::new(clock, Arc::clone(&metrics), sources, loaded);
    let itself = Arc::new(Itself::new(clock));
    let (captures, to_look_at) = Captures::new(clock);
    captures.remember(saved.monitors.iter().filter(|(_, status)| status.failures > 0).map(|(name, _)| name));
    let runner = Runner {
        clock,
        captures: Arc::clone(&captures),
        permits,
        metrics: Arc::clone(&metrics),
        itself: Arc::clone(&itself),
        lineage: Lineage::default(),
        ingest: to_results,
    };
    let known = Known {
        beats: saved.beats.into_iter().collect(),
        heard: saved.heard.into_iter().collect(),
        saves: to_saves.clone(),
    };
    let scheduler = Scheduler::new(clock, Arc::new(runner), known);
    let outlets =
        Outlets { board: to_board.clone(), evaluator: to_evaluator.clone(), saves: to_saves, recorder: to_recorder };
    let ingest = Ingest::new(clock, Arc::clone(&metrics), outlets, &saved.rings, &saved.journal);
    let book = Arc::<RuleBook>::default();
    let alerting = Alerting {
        clock,
        evaluator: to_evaluator.clone(),
        outbox: to_outbox.clone(),
        db: db.clone(),
        config: config.clone(),
        board: board.clone(),
        rules: Arc::clone(&book),
    };
    let remembered = Saved { monitors: saved.monitors, alerts: saved.alerts, alerting: saved.alerting };
    let was_impaired = remembered.is_impaired();
    let deadman = Deadman {
        config: config.clone(),
        evaluator: to_evaluator.clone(),
        outbox: to_outbox.clone(),
        board: to_board.clone(),
    };
    let evaluator = Evaluator::new(db.clone(), clock, remembered, decide_board.clone(), to_outbox);
    let outbox = Outbox::new(
        db.clone(),
        clock,
        saved.owed,
        saved.deliveries,
        decide_board,
        to_evaluator.clone(),
        metrics.deliveries.clone(),
    )
    .with_unsettled(saved.unsettled);
    let upkeep = Upkeep {
        db: db.clone(),
        board: to_board.clone(),
        metrics: Arc::clone(&metrics),
        systemd: systemd.clone(),
        started,
        config: config.clone(),
        covered: None,
    };

    let store_keeper = Keeper {
        clock,
        dir: data.path().join(METRICS_DIR),
        store: Arc::clone(&store),
        board: to_board.clone(),
        config: config.clone(),
        queries: Arc::clone(&queries),
        intake: Arc::clone(&intake),
        failing: false,
    };
    let disk_lost = CancellationToken::new();
    let disk = DiskWatch { store: Arc::clone(&store), board: to_board.clone(), lost: disk_lost.clone() };
    let ruler = Ruler::new(ruler::Sources {
        clock,
        store: Arc::clone(&store),
        config: config.clone(),
        alerts: to_alerts,
        metrics: metrics.rules.clone(),
        book: Arc::clone(&book),
    });
    let jobs = Arc::new(ScrapeJobs::default());
    let recorder = Recorder::new(recorder::Sources {
        clock,
        store,
        intake: Arc::clone(&intake),
        jobs: Arc::clone(&jobs),
        counts: metrics.intake.clone(),
        metrics: Arc::clone(&metrics),
        host,
        board: board.clone(),
        complaints: to_board.clone(),
        config: config.clone(),
    });

    if let Some(what) = opened.degraded {
        tracing::error!(what, "the state database is not what it should be");
        let _ = to_board.send(Report::Complaint { part: "database", what: Some(what) }).await;
    }
    let pulse = Pulse {
        itself: Arc::clone(&itself),
        evaluator: to_evaluator.clone(),
        board: to_board.clone(),
        metrics: Arc::clone(&metrics),
        remembered: was_impaired,
    };
    let hand_out = HandOut {
        scheduler: to_scheduler.clone(),
        ingest: to_ingest.clone(),
        evaluator: to_evaluator.clone(),
        board: to_board,
        complete: false,
    };
    let stopping = CancellationToken::new();
    let group = |name, start: Box<dyn FnOnce(CancellationToken) -> Work>| {
        // Not a child of `stopping`: each actor ends in its turn, see `Running::quiesce`.
        let mut group = Supervisor::new(&CancellationToken::new());
        group.add(name, start);
        group
    };
    let (store_opened, mut opened) = oneshot::channel();
    let mut storage = group("keeper", Box::new(|stop| Box::pin(store_keeper.run(store_opened, stop))));
    let observed = Arc::clone(&metrics.store);
    storage.add("disk", |stop| disk.run(stop));
    storage.add("store metrics", |stop| storage::metrics::observe(observed, stop));
    // A store that takes longer is waited for by those who need it alone.
    let waited = tokio::time::timeout(STORE_OPENS, &mut opened).await;
    let opening = waited.is_err().then_some(opened);
    let (applied, watch, mut first_board) = (config.clone(), config.clone(), board.clone());
    let judge = to_evaluator.clone();
    let told = Reports { clock, scheduler: to_scheduler.clone(), db: db.clone(), pace: Pace::default() };
    let running = Running {
        core: Arc::new(Core {
            clock,
            metrics,
            board,
            scheduler: to_scheduler,
            ingest: to_ingest,
            reload: to_reload,
            config,
            db: db.clone(),
            queries,
            alerting,
            intake,
            reports: told,
            rules: book,
            jobs,
            captures: Arc::clone(&captures),
            stopping: stopping.clone(),
        }),
        clock,
        db,
        systemd,
        stopping,
        board: group("board", Box::new(|stop| Box::pin(keeper.run(Inlets { reports, decided }, stop)))),
        upkeep: group("upkeep", Box::new(|stop| Box::pin(upkeep.run(saves, stop)))),
        outbox: group("outbox", Box::new(|stop| Box::pin(outbox.run(outbox_inbox, stop)))),
        evaluator: group("evaluator", Box::new(|stop| Box::pin(evaluator.run(evaluator_inbox, stop)))),
        ingest: group("ingest", Box::new(|stop| Box::pin(ingest.run(ingest::Inlets { results, inputs }, stop)))),
        recorder: group("recorder", Box::new(|stop| Box::pin(recorder.run(recorder_inbox, stop)))),
        ruler: {
            let mut group = group("ruler", Box::new(|stop| Box::pin(ruler.run(stop))));
            group.add("rule alerts", |stop| ruler::report::pass_on(rule_alerts, judge, stop));
            group
        },
        keeper: storage,
        scheduler: {
            let mut group = group("scheduler", Box::new(|stop| Box::pin(scheduler.run(scheduler_inbox, stop))));
            group.add("evidence", |stop| captures.run(to_look_at, stop));
            group
        },
        reload: {
            let mut group = group("reload", Box::new(|stop| Box::pin(reloader.run(reload_inbox, stop))));
            group.add("hand out", |stop| hand_out.run(watch, stop));
            group.add("deadman", |stop| deadman.run(stop));
            group.add("pulse", |stop| pulse.run(stop));
            group.add("references", |stop| itself::rounds(itself, stop));
            group
        },
        disk_lost,
        events: to_evaluator,
        opening,
        _data: data,
    };
    let monitors = applied.borrow().config.monitors.len();
    running.event("started", format!("version {}, {monitors} monitors", env!("CARGO_PKG_VERSION"))).await;
    // Whoever asks first must not see an empty board; without one in time they see it fill.
    let _ = tokio::time::timeout(FIRST_BOARD, first_board.changed()).await;
    Ok(running)
}

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Running {
    /// Waits until questions can be answered, then tells the service manager that the engine works. Asks it for
    /// patience until then. To be called once.
    pub fn ready(&mut self, status: String) -> impl Future<Output = ()> + use<> {
        let (opening, systemd) = (self.opening.take(), self.systemd.clone());
        async move {
            if let Some(opening) = opening {
                wait_for_store(opening, &systemd).await;
            }
            systemd.ready(&status);
        }
    }

    async fn event(&self, what: &'static str, detail: String) {
        // The evaluator lives as long as this value.
        let _ = self.events.send(EvalInput::Event(server_event(&self.clock, what, detail))).await;
    }

    /// Waits until a part of the engine ends, which none does before it is stopped: it crashed. The rest
    /// goes on, but without it nobody may be told of what is found. Or until the disk fails for good.
    /// Cancel-safe.
    pub async fn crashed(&mut self) -> Crash {
        let parts = [
            ("reload", &mut self.reload),
            ("scheduler", &mut self.scheduler),
            ("ingest", &mut self.ingest),
            ("recorder", &mut self.recorder),
            ("ruler", &mut self.ruler),
            ("keeper", &mut self.keeper),
            ("evaluator", &mut self.evaluator),
            ("outbox", &mut self.outbox),
            ("board", &mut self.board),
            ("upkeep", &mut self.upkeep),
        ];
        tokio::select! {
            biased;
            () = self.disk_lost.cancelled() => Crash::Disk,
            part = first_ended(parts) => Crash::Part(part),
        }
    }

    /// Stops everything that acts, in the order in which work flows, so that nothing measured goes
    /// unjudged and nothing judged goes unrecorded. Readers are still answered.
    pub async fn quiesce(self, reason: &str) -> Quiet {
        self.systemd.stopping();
        // 1. No new commands; the files no longer matter.
        self.stopping.cancel();
        self.event("stopping", reason.to_owned()).await;
        let mut stuck = self.reload.stop(GRACE).await;
        // 2. No new probes; those under way get a few seconds (in the scheduler's own code).
        stuck += self.scheduler.stop(GRACE).await;
        // 3. Results drain into the evaluator, which judges them after ingest has ended: `absent` must
        //    not be judged because we stopped probing. Rules end before the series they read do.
        stuck += self.ingest.stop(GRACE).await;
        stuck += self.ruler.stop(GRACE).await;
        stuck += self.recorder.stop(GRACE).await;
        stuck += self.evaluator.stop(GRACE).await;
        // 4. What is in flight to receivers may arrive; the rest stays owed.
        stuck += self.outbox.stop(GRACE * 2).await;
        // 5. The last board shows all of that.
        stuck += self.board.stop(GRACE).await;
        if stuck > 0 {
            tracing::warn!(stuck, "parts of the engine did not end in time");
        }
        Quiet { db: self.db, upkeep: self.upkeep, keeper: self.keeper, _data: self._data }
    }
}

impl Quiet {
    /// Saves the rest and closes the database; then the data directory is free.
    pub async fn close(self) {
        self.upkeep.stop(GRACE).await;
        // Nobody asks or writes any more. What was acknowledged is in the log, should this not end in time.
        if self.keeper.stop(STORE_CLOSES).await > 0 {
            tracing::warn!("the series store did not close in time");
        }
        // SQLite's log keeps what was committed: a disk that stalls costs the checkpoint, nothing else.
        if tokio::time::timeout(GRACE, self.db.close()).await.is_err() {
            tracing::warn!("the state database did not close in time");
        }
    }
}

/// Gives each new configuration to the actors, in an order that lets none hear of a monitor too early.
struct HandOut {
    scheduler: mpsc::Sender<Command>,
    ingest: mpsc::Sender<IngestInput>,
    evaluator: mpsc::Sender<EvalInput>,
    board: mpsc::Sender<Report>,
    /// Some configuration since the start had every file readable, so monitors it lacks are gone for good.
    complete: bool,
}

impl HandOut {
    async fn run(mut self, mut config: tokio::sync::watch::Receiver<Applied>, stop: CancellationToken) {
        loop {
            let Applied { config: now, status } = config.borrow_and_update().clone();
            let faults = Faults::of(&status);
            self.complete |= faults.is_none();
            // Closed inboxes mean shutdown.
            let _ = self.board.send(Report::Config(Arc::clone(&now), status)).await;
            let _ = self.ingest.send(IngestInput::Config { config: Arc::clone(&now), complete: self.complete }).await;
            let judged = EvalInput::Config { config: Arc::clone(&now), complete: self.complete, faults };
            let _ = self.evaluator.send(judged).await;
            let _ = self.scheduler.send(Command::Apply { config: now, complete: self.complete }).await;
            if stop.run_until_cancelled(config.changed()).await.is_none_or(|changed| changed.is_err()) {
                return;
            }
        }
    }
}

async fn wait_for_store(mut opening: oneshot::Receiver<()>, systemd: &Systemd) {
    loop {
        systemd.starting(STILL_OPENING * 2);
        if tokio::time::timeout(STILL_OPENING, &mut opening).await.is_ok() {
            return;
        }
    }
}

async fn first_ended<const N: usize>(parts: [(&'static str, &mut Supervisor); N]) -> &'static str {
    let ends = parts.map(|(name, group)| {
        Box::pin(async move {
            if let Some(Err(e)) = group.ended().await {
                tracing::error!(part = name, error = %e, "a part of the engine crashed");
            }
            name
        })
    });
    futures_util::future::select_all(ends).await.0
}

/// Raises the soft limit on open files to the hard one and derives how many probes may run at once.
fn probe_permits() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return MAX_PROBES / 8 };
    if let Err(e) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        tracing::debug!(error = %Chain(&e), "the limit on open files stays as it is");
    }
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(soft, |(soft, _)| soft);
    let fds = usize::try_from(limit).unwrap_or(usize::MAX);
    (fds.saturating_sub(RESERVED_FDS) / 2).clamp(16, MAX_PROBES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_service_manager_is_patient_while_a_large_store_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let systemd = Systemd::new(Some(path.into_os_string()), None);
        let (opened, opening) = oneshot::channel();
        let open = async {
            tokio::time::sleep(Duration::from_secs(40)).await;
            opened.send(()).unwrap();
        };
        tokio::join!(wait_for_store(opening, &systemd), open);
        manager.set_nonblocking(true).unwrap();
        let mut buf = [0; 100];
        for _ in 0..3 {
            let n = manager.recv(&mut buf).unwrap();
            assert_eq!(&buf[..n], b"EXTEND_TIMEOUT_USEC=30000000");
        }
        manager.recv(&mut buf).unwrap_err();
    }

    #[tokio::test]
    async fn a_part_that_crashes_is_named() {
        let (mut sound, mut broken) =
            (Supervisor::new(&CancellationToken::new()), Supervisor::new(&CancellationToken::new()));
        sound.add("sound", |stop| async move { stop.cancelled().await });
        broken.add("broken", |_| async { panic!("a bug in an actor") });
        assert_eq!(first_ended([("sound", &mut sound), ("broken", &mut broken)]).await, "broken");
    }
}
