//! What becomes an alert, when, and who is told: pure steps over values.
//!
//! Results fold into a [`monitor::MonitorStatus`]; a [`rule::Rule`] turns its counters into the phase
//! of an [`instance::Instance`]; [`decide`] says who hears of it and why. Nothing here does I/O or
//! reads a clock: the caller owns time and storage.

pub mod decide;
pub mod evaluation;
pub mod files;
pub mod instance;
pub mod monitor;
pub mod rule;
