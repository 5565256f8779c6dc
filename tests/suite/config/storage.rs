//! `storage:`, `query:` and `intake:` of the main file.

use std::time::Duration;

use watchdog::config::storage::{IntakeLimits, QueryLimits, Storage};

use crate::config::fake::Site;

#[test]
fn everything_that_is_said_counts() {
    let site = Site::new();
    site.write(
        "watchdog.yaml",
        "storage: {retention: 30d, max_size: 2GB, rollups: {5m: 1y, 1h: 0}, fsync: 1s, max_series: 10000}\n\
         query: {timeout: 10s, max_samples: 2000, max_series: 50, concurrency: 2, lookback: 2m, default_step: 30s, \
         experimental: true}\n\
         intake: {max_samples_per_request: 7, max_series_per_job: 8}\n",
    );
    let loaded = site.load();
    assert_eq!(loaded.problems, []);
    let day = Duration::from_secs(86_400);
    let storage = Storage {
        retention: day * 30,
        max_size: 2_000_000_000,
        rollup_5m: day * 365,
        rollup_1h: Duration::ZERO,
        fsync: Duration::from_secs(1),
        max_series: 10_000,
    };
    let query = QueryLimits {
        timeout: Duration::from_secs(10),
        max_samples: 2_000,
        max_series: 50,
        concurrency: 2,
        lookback: Duration::from_secs(120),
        default_step: Duration::from_secs(30),
        experimental: true,
    };
    let intake = IntakeLimits { max_samples_per_request: 7, max_series_per_job: Some(8) };
    assert_eq!((loaded.config.storage, loaded.config.query, loaded.config.intake), (storage, query, intake));
}

#[test]
fn nothing_said_means_the_defaults() {
    let site = Site::new();
    site.write("watchdog.yaml", "storage: {}\n");
    let config = site.load().config;
    let defaults = (Storage::default(), QueryLimits::default(), IntakeLimits::default());
    assert_eq!((config.storage, config.query, config.intake), defaults);
}

#[test]
fn mistakes_are_found_where_they_stand() {
    #[track_caller]
    fn check(line: &str, column: usize, message: &str) {
        let site = Site::new();
        site.write("watchdog.yaml", format!("{line}\n"));
        let loaded = site.load();
        let found: Vec<_> = loaded.problems.iter().map(|p| (p.column, p.message.as_str())).collect();
        assert_eq!(found, [(column, message)], "{line}");
    }
    check("storage: {retention: 90}", 22, "`retention` is `90`, which has no unit");
    check("storage: {retention: 5m}", 22, "`retention` is 5m, allowed are 1h to 36500d");
    check("storage: {max_size: 1MB}", 21, "`max_size` is 1000000 bytes, allowed are 64000000 to 1000000000000000");
    check("storage: {rollups: {5min: 1y}}", 21, "`5min` is not a key here");
    check("storage: 90d", 10, "`key: value` lines belong here, not a single value");
    check("query: {concurrency: 0}", 22, "`concurrency` is 0, allowed are 1 to 1000");
    check("query: {timeot: 5s}", 9, "`timeot` is not a key here");
    check("query: {experimental: perhaps}", 23, "`experimental` is `perhaps`, which is neither true nor false");
    check("intake: {max_series_per_job: many}", 30, "`max_series_per_job` is `many`, which is not a whole number");
}

#[test]
fn a_change_is_seen_as_one() {
    let site = Site::new();
    site.write("watchdog.yaml", "query: {timeout: 5s}\n");
    let first = site.load();
    site.write("watchdog.yaml", "query: {timeout: 6s}\n");
    let second = site.reload(&first);
    assert!(watchdog::config::diff(&first.config, &second.config).storage);
    site.write("watchdog.yaml", "query: {timeout: x}\n");
    let third = site.reload(&second);
    assert_eq!(third.config.query.timeout, Duration::from_secs(6), "the last good one stays");
}
