//! The time series database: takes samples in, keeps them on disk, and gives them to queries.
//!
//! One process owns a store. All calls block; callers on the async side use a blocking task.

pub mod block;
pub mod chunk;
pub mod compact;
pub mod db;
#[cfg(test)]
mod nodes;
pub mod rollup;

pub use crate::tsdb::db::{Ack, AppendError, Appended, Batch, Options, Tsdb};
