//! Durable state in SQLite: what must not be lost by a crash or a power cut.
//!
//! One writer on its own thread, so a slow disk never holds an async worker; queries run on another
//! thread with a read-only connection. What waits in the queue at once is committed together. A
//! corrupt database is set aside, never deleted, and never stops the engine: [`StateDb::open`] then
//! returns an empty one and says so. The format is described in `docs/formats/state.md`.

mod alerting;
mod lane;
mod open;
mod record;
mod rows;
mod schema;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prometheus_client::metrics::histogram::Histogram;
use rusqlite::Connection;
use tokio::time::Instant;

use crate::base::clock::Clock;
use crate::base::name::MonitorName;
use crate::base::notification::Notification;
use crate::base::time::Timestamp;
use crate::state::lane::Lane;
pub use crate::state::record::{
    After, Attempt, Change, Committed, DeliveryFilter, EventFilter, Flush, Loaded, NewEvent, NotifierStats, Owed,
    PastDelivery, Recorded, Ring,
};
use crate::wire::alerting::Deliveries;
use crate::wire::board::Event;

/// Why the state database did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StateError {
    /// A newer Watchdog wrote this database.
    #[error(
        "`{path}` has schema version {found}, this binary knows up to {known}; use the newer binary, or put the copy that it made, `watchdog.db.v{known}`, in its place"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version this binary knows.
        known: i64,
    },
    /// The writer's thread did not start.
    #[error("cannot start a thread for the state database")]
    Thread(#[source] Arc<std::io::Error>),
    /// SQLite refused.
    #[error("the state database failed")]
    Sql(#[source] Arc<rusqlite::Error>),
    /// The database has been closed.
    #[error("the state database is closed")]
    Closed,
}

impl From<rusqlite::Error> for StateError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sql(Arc::new(e))
    }
}

/// An opened database.
#[derive(Debug)]
pub struct Opened {
    /// The handle.
    pub db: StateDb,
    /// Everything that was in it.
    pub loaded: Loaded,
    /// What is wrong when it does not hold what it should: it was corrupt and set aside, or nothing
    /// can be written and it lives in memory only. For the log and the engine's complaints.
    pub degraded: Option<String>,
}

/// Handle to the state database. Clones share the writer.
#[derive(Clone, Debug)]
pub struct StateDb {
    writer: Lane,
    /// `None` for a database in memory, whose queries the writer answers.
    reader: Option<Lane>,
    /// How long commits take, the wait for the writer included.
    commits: Option<Histogram>,
}

impl StateDb {
    /// Opens, checks, migrates and loads `<dir>/db/watchdog.db`. Blocks; takes about a second per GB
    /// of database for the integrity check.
    ///
    /// # Errors
    /// A newer binary wrote the database, or no thread can be started. Corruption and a disk that
    /// cannot be written are not errors, see [`Opened::degraded`].
    pub fn open(dir: &Path, clock: Clock) -> Result<Opened, StateError> {
        let disk = open::open(&dir.join("db"), clock.now())?;
        let reader = disk.reader.map(|c| Lane::start("state-reader", c, None)).transpose()?;
        let writer = Lane::start("state-writer", disk.writer, disk.path)?;
        Ok(Opened { db: Self { writer, reader, commits: None }, loaded: disk.loaded, degraded: disk.degraded })
    }

    /// The same, measuring commits.
    #[must_use]
    pub fn measured(self, commits: Histogram) -> Self {
        Self { commits: Some(commits), ..self }
    }

    /// Commits decisions in one transaction. When it returns, they survive a power cut.
    ///
    /// # Errors
    /// Nothing was stored. The caller keeps the changes and may commit them again: all are idempotent
    /// but events.
    pub async fn commit(&self, changes: Arc<[Change]>) -> Result<Committed, StateError> {
        let began = Instant::now();
        let committed = self.writer.run(move |db| rows::commit(db, &changes)).await;
        if let Some(commits) = &self.commits {
            commits.observe(began.elapsed().as_secs_f64());
        }
        committed
    }

    /// Stores what may be a second old: counters, beats, history.
    ///
    /// # Errors
    /// Nothing was stored.
    pub async fn flush(&self, flush: Flush) -> Result<(), StateError> {
        self.writer.run(move |db| rows::flush(db, &flush)).await
    }

    /// Appends one opaque piece to the history journal.
    ///
    /// # Errors
    /// Nothing was stored.
    pub async fn flush_history(&self, journal: Vec<u8>) -> Result<(), StateError> {
        self.flush(Flush { journal, ..Flush::default() }).await
    }

    /// The newest piece of the journal that there ever was; zero before the first.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn newest_of_journal(&self) -> Result<Option<i64>, StateError> {
        self.writer.run(rows::newest_of_journal).await.map(Some)
    }

    /// Replaces the history rings of some monitors, which have all that the journal has, removes those of others, and removes the pieces of the journal up to
    /// the one that is `covered`, in one transaction.
    ///
    /// # Errors
    /// Rings and journal are as before.
    pub async fn save_history(
        &self,
        rings: Vec<(MonitorName, Vec<u8>)>,
        gone: Vec<MonitorName>,
        covered: Option<i64>,
    ) -> Result<(), StateError> {
        self.writer.run(move |db| rows::save_history(db, &rings, &gone, covered)).await
    }

    /// Records how attempts to deliver ended, and the events that tell of it, in one transaction.
    ///
    /// # Errors
    /// Nothing was stored.
    pub async fn record(&self, attempts: Arc<[Attempt]>) -> Result<Recorded, StateError> {
        self.writer.run(move |db| rows::record(db, &attempts)).await
    }

    /// What is owed to receivers, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn owed(&self) -> Result<Vec<Owed>, StateError> {
        self.query(rows::owed).await
    }

    /// What `receiver` called the message of `thread` that it took last.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn remote(&self, receiver: String, thread: String) -> Result<Option<String>, StateError> {
        self.query(move |db| rows::remote(db, &receiver, &thread)).await
    }

    /// A page of what was said to whom, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn deliveries(&self, filter: DeliveryFilter) -> Result<Deliveries, StateError> {
        self.query(move |db| alerting::deliveries(db, &filter)).await
    }

    /// The message of a delivery, by its id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn delivered(&self, id: i64) -> Result<Option<Notification>, StateError> {
        self.query(move |db| alerting::delivered(db, id)).await
    }

    /// What was said since then, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn said_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Notification>, StateError> {
        self.query(move |db| alerting::said_since(db, since, limit)).await
    }

    /// What a notifier did since `since`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn notifier_stats(&self, notifier: String, since: Timestamp) -> Result<NotifierStats, StateError> {
        self.query(move |db| alerting::stats(db, &notifier, since)).await
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<Event>, StateError> {
        self.query(move |db| rows::events(db, &filter)).await
    }

    /// How often each rule's alerts fired since `since`, by the name of the rule.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn firings(&self, since: Timestamp) -> Result<HashMap<String, u64>, StateError> {
        self.query(move |db| rows::firings(db, since)).await
    }

    /// Finishes what is queued, checkpoints and closes. Handles that are left get [`StateError::Closed`].
    pub async fn close(&self) {
        // The reader goes first: the last connection to close folds the log into the database.
        if let Some(reader) = &self.reader {
            reader.close().await;
        }
        self.writer.close().await;
    }

    async fn query<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        self.reader.as_ref().unwrap_or(&self.writer).run(work).await
    }
}

#[cfg(test)]
mod tests;
