//! The series store as the engine's parts share it: there once it is open, and not after it is closed.
//!
//! Probing and paging never wait for it. While it is being opened, and when it cannot be, whoever asks
//! is told why.

pub mod keeper;
pub mod outcome;
pub mod recorder;

use std::sync::{Arc, PoisonError, RwLock};

use crate::tsdb::Tsdb;

/// Why the store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A large one takes some seconds.
    #[error("the series store is being opened")]
    Opening,
    /// It stays so until the next start.
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
}

impl Default for Store {
    fn default() -> Self {
        Self { state: RwLock::new(Err(StoreError::Opening)) }
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

    /// Puts up another state and gives the one before.
    pub fn set(&self, state: Result<Arc<Tsdb>, StoreError>) -> Result<Arc<Tsdb>, StoreError> {
        std::mem::replace(&mut *self.state.write().unwrap_or_else(PoisonError::into_inner), state)
    }
}
