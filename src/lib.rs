//! Watchdog as a library: the engine, its stores and its faces. `docs/ARCHITECTURE.md` is the map.

pub mod alert;
pub mod api;
pub mod base;
pub mod cli;
pub mod client;
pub mod collect;
pub mod config;
pub mod engine;
pub mod notify;
pub mod promql;
pub mod render;
pub mod state;
pub mod task;
pub mod tsdb;
pub mod tui;
pub mod wire;
