//! How a store is kept.

use std::time::Duration;

/// How a store is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Raw samples older than this are removed.
    pub retention: Duration,
    /// When all files together are larger, in bytes, what has used most of the time for which it is kept is
    /// removed; raw samples of the last two days are not.
    pub max_size: Option<u64>,
    /// How long five-minute roll-ups are kept.
    pub rollup_5m: Duration,
    /// How long hourly roll-ups are kept.
    pub rollup_1h: Duration,
    /// Longest time between a write and its fsync.
    pub fsync: Duration,
    /// Most series in memory; samples of further ones are refused.
    pub max_series: usize,
}

impl Default for Options {
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        Self {
            retention: days(90),
            max_size: Some(10_000_000_000),
            rollup_5m: days(365),
            rollup_1h: days(5 * 365),
            fsync: Duration::from_millis(200),
            max_series: 5_000_000,
        }
    }
}
