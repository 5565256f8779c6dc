//! The time series database: takes samples in, keeps them on disk, and gives them to queries.
//!
//! One process owns a store. All calls block; callers on the async side use a blocking task.

mod append;
pub mod batch;
pub mod block;
mod catalog;
pub mod chunk;
pub mod compact;
pub mod db;
mod frame;
pub mod fs;
mod head;
pub mod maintain;
pub mod nodes;
mod open;
pub mod options;
mod series_log;
mod source;
pub mod wal;
pub mod rollup;

pub use crate::tsdb::batch::{Ack, AppendError, Appended, Batch};
pub use crate::tsdb::db::Tsdb;
pub use crate::tsdb::options::Options;

#[cfg(test)]
mod tests;
