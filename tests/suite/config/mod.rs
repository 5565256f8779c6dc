//! The configuration directory as its users meet it.

mod alerting;
mod deadman;
mod engine;
pub(crate) mod fake;
mod guide;
mod joining;
mod keys;
mod last_good;
mod links;
mod mistakes;
mod model;
mod references;
mod scale;
mod starter;
mod storage;
mod yaml;
