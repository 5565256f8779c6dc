//! Opens the store, keeps it in order while the engine runs, and closes it at the end.
//!
//! A store that cannot be opened is complained about, loudly, and tried again; probing and paging go on
//! without it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::failure::Chain;
use crate::config::storage::Storage;
use crate::engine::board::Report;
use crate::engine::intake::Intake;
use crate::engine::query::Queries;
use crate::engine::reload::Applied;
use crate::engine::storage::{Store, StoreError};
use crate::tsdb::{Options, Tsdb};

/// How long after a failure the store is opened, or put in order, again.
const AGAIN: Duration = Duration::from_secs(30);
/// Longest time that anybody waits for the store to be opened; one of a million series and a log of 64 MiB takes
/// two seconds. Later it is complained about, and the server is ready without it.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the store is asked whether something is due, which costs it microseconds.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

/// The actor.
pub struct Keeper {
    /// The wall clock.
    pub clock: Clock,
    /// The directory of the store.
    pub dir: PathBuf,
    /// Where the open store is put.
    pub store: Arc<Store>,
    /// Told when the store is broken.
    pub board: mpsc::Sender<Report>,
    /// What runs: options of the store, limits of queries and intake.
    pub config: watch::Receiver<Applied>,
    /// Gets its limits from the configuration.
    pub queries: Arc<Queries>,
    /// Gets its limits from the configuration.
    pub intake: Arc<Intake>,
    /// The last upkeep failed.
    pub failing: bool,
}

impl Keeper {
    /// Works until `stop`, then closes the store. `opened` hears when the first attempt to open is over, or takes too
    /// long to be waited for.
    pub async fn run(mut self, opened: oneshot::Sender<()>, stop: CancellationToken) {
        self.configure();
        let mut first = Some(opened);
        loop {
            self.open_store(&mut first).await;
            told(&mut first);
            if self.store.open().is_ok() {
                break;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
        let mut upkeep = time::interval(UPKEEP_EVERY);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.config.changed() => self.configure(),
                _ = upkeep.tick() => {
                    let failed = self.maintain(&stop).await;
                    if failed {
                        upkeep.reset_after(AGAIN);
                    }
                }
            }
        }
        if let Ok(tsdb) = self.store.set(Err(StoreError::Closed)) {
            match tokio::task::spawn_blocking(move || tsdb.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => tracing::error!(error = %Chain(&e), "the series store did not close cleanly"),
                Err(e) => tracing::error!(error = %e, "closing the series store crashed"),
            }
        }
    }

    fn configure(&mut self) {
        let config = Arc::clone(&self.config.borrow_and_update().config);
        self.queries.configure(config.query);
        self.intake.configure(config.intake);
        if let Ok(tsdb) = self.store.open() {
            tsdb.configure(options(&config.storage));
        }
    }

    /// Does what is due: flush, merge, roll up, retire. Says whether that failed; it is complained about
    /// once per spell.
    async fn maintain(&mut self, stop: &CancellationToken) -> bool {
        let Ok(tsdb) = self.store.open() else { return false };
        loop {
            let (now, tsdb, stop) = (self.clock.now(), Arc::clone(&tsdb), stop.clone());
            let work = tokio::task::spawn_blocking(move || tsdb.maintain(now, &|| stop.is_cancelled()));
            let problem = match work.await {
                Ok(Ok(work)) if work.more => continue,
                Ok(Ok(_)) => None,
                Ok(Err(e)) => Some(Chain(&e).to_string()),
                Err(e) => Some(format!("it crashed: {e}")),
            };
            let failed = problem.is_some();
            if failed != self.failing {
                self.failing = failed;
                if let Some(problem) = &problem {
                    tracing::error!(error = problem, "upkeep of the series store failed");
                }
                let what = problem.map(|p| format!("upkeep of the series store failed: {p}"));
                let _ = self.board.send(Report::Complaint { part: "storage upkeep", what }).await;
            }
            return failed;
        }
    }

    async fn open_store(&self, first: &mut Option<oneshot::Sender<()>>) {
        let options = options(&self.config.borrow().config.storage);
        let (dir, now) = (self.dir.clone(), self.clock.now());
        let mut open = tokio::task::spawn_blocking(move || Tsdb::open(&dir, options, now));
        let opened = match time::timeout(PATIENCE, &mut open).await {
            Ok(opened) => opened,
            Err(_) => {
                tracing::error!(seconds = PATIENCE.as_secs(), "the series store takes very long to be opened");
                let what = Some("the series store takes very long to be opened; nothing measured is kept".to_owned());
                let _ = self.board.send(Report::Complaint { part: "storage", what }).await;
                told(first);
                open.await
            }
        };
        let why = match opened {
            Ok(Ok(tsdb)) => {
                drop(self.store.set(Ok(Arc::new(tsdb))));
                None
            }
            Ok(Err(e)) => Some(Chain(&e).to_string()),
            Err(e) => Some(format!("opening it crashed: {e}")),
        };
        if let Some(why) = &why {
            tracing::error!(error = why, "the series store could not be opened; nothing measured is kept");
            drop(self.store.set(Err(StoreError::Broken(why.as_str().into()))));
        }
        let what = why.map(|why| format!("the series store could not be opened, nothing measured is kept: {why}"));
        // The board outlives the keeper's loop.
        let _ = self.board.send(Report::Complaint { part: "storage", what }).await;
    }
}

/// Tells whoever waits for the first attempt to open, and may have given up.
fn told(first: &mut Option<oneshot::Sender<()>>) {
    if let Some(first) = first.take() {
        let _ = first.send(());
    }
}

/// The store's options from the configuration.
fn options(storage: &Storage) -> Options {
    Options {
        retention: storage.retention,
        max_size: Some(storage.max_size),
        rollup_5m: storage.rollup_5m,
        rollup_1h: storage.rollup_1h,
        fsync: storage.fsync,
        max_series: storage.max_series,
    }
}
