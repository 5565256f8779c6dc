//! The engine: schedules probes, keeps their results, decides alerts, delivers notifications.

pub mod handle;
