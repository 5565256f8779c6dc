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
mod delete;
mod flush;
mod frame;
pub mod fs;
mod guard;
mod head;
pub mod inspect;
mod join;
pub mod labels;
mod leftover;
pub mod maintain;
mod merge;
pub mod metadata;
#[cfg(test)]
mod nodes;
mod open;
pub mod options;
mod resolution;
pub mod rollup;
mod series_log;
mod small_file;
mod source;
pub mod stats;
pub mod wal;

pub use crate::base::batch::Batch;
pub use crate::tsdb::batch::{Ack, AppendError, Appended};
pub use crate::tsdb::db::Tsdb;
pub use crate::tsdb::options::Options;

#[cfg(test)]
mod tests;
