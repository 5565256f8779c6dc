//! The series store as the engine's parts share it: there once it is open, and not after it is closed.
//!
//! Probing and paging never wait for it. While it is being opened, and when it cannot be, whoever asks
//! is told why.

mod described;
pub mod disk;
pub mod jobs;
pub mod keeper;
pub mod metrics;
pub mod outcome;
mod own;
pub mod recorder;
mod shape;

use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwapOption;

use crate::tsdb::Tsdb;
use crate::tsdb::stats::Stats;

/// Why the store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A large one takes some seconds.
    #[error("the series store is being opened")]
    Opening,
    /// It is tried again every half a minute.
    #[error("the series store could not be opened: {0}")]
    Broken(Arc<str>),
    /// The server goes down.
    #[error("the series store is closed")]
    Closed,
}

/// The store, or why there is none.
#[derive(Debug)]
pub struct Store {
    /// Held for a clone.
    state: RwLock<Result<Arc<Tsdb>, StoreError>>,
    /// What the store last said of itself.
    stats: ArcSwapOption<Stats>,
}

impl Default for Store {
    fn default() -> Self {
        Self { state: RwLock::new(Err(StoreError::Opening)), stats: ArcSwapOption::empty() }
    }
}

impl Store {
    /// The open store.
    ///
    /// # Errors
    /// It is not open.
    pub fn open(&self) -> Result<Arc<Tsdb>, StoreError> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its numbers as of a second ago or so.
    pub fn stats(&self) -> Option<Arc<Stats>> {
        self.stats.load_full()
    }

    /// Notes its numbers.
    pub fn observed(&self, stats: Stats) {
        self.stats.store(Some(Arc::new(stats)));
    }

    /// Puts up another state and gives the one before.
    pub fn set(&self, state: Result<Arc<Tsdb>, StoreError>) -> Result<Arc<Tsdb>, StoreError> {
        std::mem::replace(&mut *self.state.write().unwrap_or_else(PoisonError::into_inner), state)
    }
}
