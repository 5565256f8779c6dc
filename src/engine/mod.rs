//! The engine: schedules probes, keeps their results, decides alerts, delivers notifications.

pub mod handle;
pub mod kinds;
