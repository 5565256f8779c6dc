//! The time series database: takes samples in, keeps them on disk, and gives them to queries.
//!
//! One process owns a store. All calls block; callers on the async side use a blocking task.

pub mod chunk;
pub mod db;
mod frame;
pub mod fs;
mod head;
pub mod nodes;
mod series_log;
pub mod wal;

pub use crate::tsdb::db::{Ack, AppendError, Appended, Batch, Options, Tsdb};
