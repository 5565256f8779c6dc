//! `storage:`, `query:` and `intake:` of `watchdog.yaml`: how samples are kept, asked for and taken in.

use std::time::Duration;

use crate::config::fields::Fields;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Longest time that anything is kept.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// `storage:`: how samples are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Raw samples older than this are removed.
    pub retention: Duration,
    /// The oldest raw samples are removed when all files together are larger, in bytes.
    pub max_size: u64,
    /// How long five-minute roll-ups are kept; zero makes none.
    pub rollup_5m: Duration,
    /// How long hourly roll-ups are kept; zero makes none.
    pub rollup_1h: Duration,
    /// Longest time between a write and its fsync.
    pub fsync: Duration,
    /// Most series in memory.
    pub max_series: usize,
}

/// `query:`: what one query may use, and how it is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// Longest evaluation, waiting for its turn included.
    pub timeout: Duration,
    /// Most samples that one query holds in memory.
    pub max_samples: usize,
    /// Most series that one selector may return.
    pub max_series: usize,
    /// Most queries at one time; further ones wait.
    pub concurrency: usize,
    /// How far an instant selector looks back.
    pub lookback: Duration,
    /// Distance of a subquery's steps that names none.
    pub default_step: Duration,
    /// Whether what Prometheus has behind feature flags is on: experimental functions and syntax, and
    /// names that stay until the end of a query.
    pub experimental: bool,
}

/// `intake:`: what others may push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeLimits {
    /// Most samples of one request.
    pub max_samples_per_request: usize,
    /// Most series of one `job` within an hour or two; `None` for no limit but the store's own.
    pub max_series_per_job: Option<usize>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            retention: DAY * 90,
            max_size: 10_000_000_000,
            rollup_5m: DAY * 365,
            rollup_1h: DAY * 365 * 5,
            fsync: Duration::from_millis(200),
            max_series: 5_000_000,
        }
    }
}

impl Default for QueryLimits {
    /// Prometheus' defaults where it has one.
    fn default() -> Self {
        Self {
            timeout: SECOND * 120,
            max_samples: 50_000_000,
            max_series: 1_000_000,
            concurrency: 20,
            lookback: SECOND * 300,
            default_step: SECOND * 60,
            experimental: false,
        }
    }
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self { max_samples_per_request: 1_000_000, max_series_per_job: None }
    }
}

impl Storage {
    /// Reads the mapping under `storage`, defaults for what is absent or does not stand.
    pub fn read(parent: &mut Fields<'_>) -> Self {
        let mut storage = Self::default();
        let Some(mut fields) = parent.nested("storage") else { return storage };
        set(&mut storage.retention, fields.duration("retention", HOUR..=CENTURY));
        set(&mut storage.max_size, fields.size("max_size", 64_000_000..=1_000_000_000_000_000));
        if let Some(mut rollups) = fields.nested("rollups") {
            set(&mut storage.rollup_5m, rollups.duration("5m", Duration::ZERO..=CENTURY));
            set(&mut storage.rollup_1h, rollups.duration("1h", Duration::ZERO..=CENTURY));
            rollups.finish();
        }
        set(&mut storage.fsync, fields.duration("fsync", Duration::from_millis(1)..=SECOND * 60));
        set(&mut storage.max_series, count(&mut fields, "max_series", 1_000..=100_000_000));
        fields.finish();
        storage
    }
}

impl QueryLimits {
    /// Reads the mapping under `query`, defaults for what is absent or does not stand.
    pub fn read(parent: &mut Fields<'_>) -> Self {
        let mut limits = Self::default();
        let Some(mut fields) = parent.nested("query") else { return limits };
        set(&mut limits.timeout, fields.duration("timeout", Duration::from_millis(100)..=HOUR));
        set(&mut limits.max_samples, count(&mut fields, "max_samples", 1_000..=10_000_000_000));
        set(&mut limits.max_series, count(&mut fields, "max_series", 1..=100_000_000));
        set(&mut limits.concurrency, count(&mut fields, "concurrency", 1..=1_000));
        set(&mut limits.lookback, fields.duration("lookback", SECOND..=DAY));
        set(&mut limits.default_step, fields.duration("default_step", SECOND..=DAY));
        set(&mut limits.experimental, fields.bool("experimental"));
        fields.finish();
        limits
    }
}

impl IntakeLimits {
    /// Reads the mapping under `intake`, defaults for what is absent or does not stand.
    pub fn read(parent: &mut Fields<'_>) -> Self {
        let mut limits = Self::default();
        let Some(mut fields) = parent.nested("intake") else { return limits };
        set(&mut limits.max_samples_per_request, count(&mut fields, "max_samples_per_request", 1..=100_000_000));
        limits.max_series_per_job = count(&mut fields, "max_series_per_job", 1..=100_000_000);
        fields.finish();
        limits
    }
}

fn set<T>(place: &mut T, read: Option<T>) {
    if let Some(value) = read {
        *place = value;
    }
}

fn count(fields: &mut Fields<'_>, key: &'static str, limits: std::ops::RangeInclusive<i64>) -> Option<usize> {
    fields.integer(key, limits).and_then(|n| usize::try_from(n).ok())
}
