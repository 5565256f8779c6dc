//! The engine: schedules probes, keeps their results, decides alerts, delivers notifications.

pub mod alerting;
pub mod board;
pub mod core;
pub mod deadman;
pub mod evaluator;
pub mod handle;
pub mod headline;
pub mod history;
pub mod ingest;
pub mod intake;
pub mod kinds;
pub mod lock;
pub mod metrics;
pub mod outbox;
pub mod query;
pub mod reload;
pub mod reports;
pub mod ruler;
pub mod runner;
pub mod scheduler;
pub mod start;
pub mod storage;
pub mod systemd;
pub mod upkeep;
pub mod watcher;
