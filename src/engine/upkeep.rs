//! Saves what may be a second old, watches the engine's own health, and tells the service manager.
//!
//! The only place that waits for the disk on behalf of results; a disk that stalls makes this actor
//! late and nobody else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{self, Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::base::failure::Chain;
use crate::engine::board::Report;
use crate::engine::ingest::{Rings, Save};
use crate::engine::metrics::Metrics;
use crate::engine::reload::{Applied, Faults};
use crate::engine::systemd::Systemd;
use crate::state::{Flush, StateDb, StateError};

const SECOND: Duration = Duration::from_secs(1);

/// The actor.
pub struct Upkeep {
    /// Where things are saved.
    pub db: StateDb,
    /// Told when saving fails or works again.
    pub board: mpsc::Sender<Report>,
    /// Process figures go here.
    pub metrics: Arc<Metrics>,
    /// Told that we live.
    pub systemd: Systemd,
    /// Start of the process.
    pub started: Instant,
    /// What runs, for complaints about its files.
    pub config: watch::Receiver<Applied>,
    /// The newest piece of the journal when the round of histories began that is under way, if all of it was saved so far.
    pub covered: Option<i64>,
}

impl Upkeep {
    /// Works until `stop`; then saves what is still to be saved.
    pub async fn run(mut self, mut saves: mpsc::Receiver<Save>, stop: CancellationToken) {
        let mut second = time::interval(SECOND);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = self.systemd.ping_every().map(time::interval);
        let mut failing = false;
        self.complain_about_files().await;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = next(ping.as_mut()) => self.systemd.alive(),
                _ = second.tick() => self.metrics.observe_process(self.started.elapsed()),
                Some(save) = saves.recv() => {
                    let saved = self.save_and_ping(save, ping.as_mut()).await;
                    self.report(saved, &mut failing).await;
                }
                Ok(()) = self.config.changed() => self.complain_about_files().await,
            }
        }
        while let Ok(save) = saves.try_recv() {
            let saved = self.save(save).await;
            self.report(saved, &mut failing).await;
        }
    }

    async fn save(&mut self, save: Save) -> Result<(), StateError> {
        match save {
            Save::Journal(journal) => self.db.flush(Flush { journal, ..Flush::default() }).await,
            Save::Heard(heard) => self.db.flush(Flush { heard, ..Flush::default() }).await,
            Save::Rings(rings) => self.save_rings(rings).await,
        }
    }

    /// A round one of whose portions was not saved leaves the journal as it is.
    async fn save_rings(&mut self, Rings { rings, gone, first, last }: Rings) -> Result<(), StateError> {
        if first {
            self.covered = None;
            self.covered = self.db.newest_of_journal().await?;
        }
        let covered = self.covered.take();
        self.db.save_history(rings, gone, covered.filter(|_| last)).await?;
        self.covered = covered;
        Ok(())
    }

    /// Saves, and goes on telling the service manager that we live: probing and paging do not depend on
    /// a disk that stalls.
    async fn save_and_ping(&mut self, save: Save, mut ping: Option<&mut Interval>) -> Result<(), StateError> {
        let systemd = self.systemd.clone();
        let mut saved = std::pin::pin!(self.save(save));
        loop {
            tokio::select! {
                saved = &mut saved => return saved,
                () = next(ping.as_deref_mut()) => systemd.alive(),
            }
        }
    }

    /// Says once that saving fails, and once that it works again.
    async fn report(&self, saved: Result<(), StateError>, failing: &mut bool) {
        let what = match &saved {
            Ok(()) if !*failing => return,
            Ok(()) => None,
            Err(_) if *failing => return,
            Err(e) => {
                tracing::error!(error = %Chain(e), "results cannot be saved");
                Some(format!("results cannot be saved: {}", Chain(e)))
            }
        };
        *failing = what.is_some();
        // The board outlives upkeep; a closed inbox cannot happen before the end.
        let _ = self.board.send(Report::Complaint { part: "state", what }).await;
    }

    async fn complain_about_files(&mut self) {
        let status = Arc::clone(&self.config.borrow_and_update().status);
        let what = Faults::of(&status).map(|f| match f.errors {
            1 => "1 error in the configuration files".to_owned(),
            n => format!("{n} errors in the configuration files"),
        });
        let _ = self.board.send(Report::Complaint { part: "config", what }).await;
    }
}

/// The next tick, never if there is no clock.
async fn next(clock: Option<&mut Interval>) {
    match clock {
        Some(clock) => drop(clock.tick().await),
        None => std::future::pending().await,
    }
}
