//! What `/metrics` says about the series store: `watchdog_tsdb_*`, Prometheus' names where it has them.
//!
//! The store is asked once a second by a task of its own, because asking may wait for a slow disk;
//! whoever reads metrics sees the last answer.

use std::fmt::Error;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::engine::storage::Store;
use crate::tsdb::stats::{BlockStats, Stats};

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Asks the store for its numbers until `stop`.
pub async fn observe(store: Arc<Store>, stop: CancellationToken) {
    let mut tick = time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let Ok(tsdb) = store.open() else { continue };
        let asked = tokio::task::spawn_blocking(move || tsdb.stats());
        if let Some(Ok(stats)) = stop.run_until_cancelled(asked).await {
            store.observed(stats);
        }
    }
}

/// Adds `watchdog_tsdb_*` to a registry whose prefix is `watchdog`.
pub fn register(registry: &mut Registry, store: Arc<Store>) {
    registry.sub_registry_with_prefix("tsdb").register_collector(Box::new(StoreMetrics(store)));
}

#[derive(Debug)]
struct StoreMetrics(Arc<Store>);

impl Collector for StoreMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        match self.0.stats() {
            Some(stats) => Writer(encoder).all(&stats),
            None => Ok(()),
        }
    }
}

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn all(&mut self, s: &Stats) -> Result<(), Error> {
        self.gauge("head_series", "Series in memory", s.series)?;
        self.gauge("head_fresh_samples", "Samples in memory since the last flush began", s.fresh_samples)?;
        let newest = s.newest.map_or(0.0, |t| t as f64 / 1e3);
        self.float("head_max_time", "Time of the newest sample", Some(&Unit::Seconds), newest)?;
        self.counter("samples_appended", "Samples that were stored", s.appended.stored)?;
        let help = "Samples that were stored and older than the newest of their series";
        self.counter("out_of_order_samples_appended", help, s.appended.out_of_order)?;
        let refused = [
            ("duplicate", s.appended.duplicates),
            ("too_old", s.appended.too_old),
            ("series_limit", s.appended.over_limit),
        ];
        self.counters("samples_refused", "Samples that were not stored", "reason", &refused)?;
        let failed = [("disk_full", s.disk_full), ("io", s.failed)];
        self.counters("appends_failed", "Appends of which nothing was stored", "reason", &failed)?;
        self.size("wal_size", "Segments of the write-ahead log", s.wal_bytes)?;
        self.gauge("wal_segments", "Segments of the write-ahead log", s.wal_segments)?;
        self.counter("wal_written_bytes", "Bytes ever written to the write-ahead log", s.wal_written)?;
        self.counter("wal_fsyncs", "Syncs of the write-ahead log that succeeded", s.fsyncs.done)?;
        self.counter("wal_fsyncs_failed", "Syncs of the write-ahead log that failed", s.fsyncs.failed)?;
        let seconds = ConstCounter::new(s.fsyncs.seconds);
        let help = "Time spent in them";
        let encoder =
            self.0.encode_descriptor("wal_fsync_duration", help, Some(&Unit::Seconds), seconds.metric_type())?;
        seconds.encode(encoder)?;
        self.size("series_log_size", "The log of series", s.series_log_bytes)?;
        let help = "Definitions in the log of series, removed series included until it is rewritten";
        self.gauge("series_log_definitions", help, s.series_log_definitions)?;
        self.counter("flushes", "Flushes of memory into blocks", s.flushes)?;
        self.counter("compactions", "Merges of blocks", s.merges)?;
        self.counter("rollups", "Roll-ups computed", s.rollups)?;
        self.counter("blocks_retired", "Blocks removed because of age or size", s.retired)?;
        self.gauge("tombstones", "Deletions that blocks still hold samples of", s.tombstones)?;
        self.size("index_cache_size", "Decoded indexes of blocks in memory", s.index_cache_bytes)?;
        let of = |value: fn(&BlockStats) -> u64| s.blocks.map(|(resolution, b)| (resolution.text(), value(&b)));
        self.gauges("blocks_loaded", "Blocks", "resolution", None, &of(|b| b.blocks))?;
        self.gauges("blocks_size", "Files of blocks", "resolution", Some(&Unit::Bytes), &of(|b| b.bytes))?;
        let help = "Indexes within blocks";
        self.gauges("blocks_index_size", help, "resolution", Some(&Unit::Bytes), &of(|b| b.index_bytes))?;
        self.gauges("blocks_samples", "Samples in blocks", "resolution", None, &of(|b| b.samples))?;
        self.counter("damaged_parts", "Parts of blocks that were found damaged", s.damaged)?;
        self.gauge("blocks_lost", "Blocks that could not be opened", s.lost_blocks.len() as u64)?;
        let help = "Places in the logs that were found damaged at the start";
        self.gauge("wal_corruptions", help, s.recovered.ranges + s.recovered.garbled)?;
        if let Some(space) = s.space {
            self.size("disk_free", "Room on the disk", space.free)?;
            self.size("disk_usable", "Room on the disk before samples are refused", space.above_floor())?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, n: u64) -> Result<(), Error> {
        let counter = ConstCounter::new(n);
        counter.encode(self.0.encode_descriptor(name, help, None, counter.metric_type())?)
    }

    fn gauge(&mut self, name: &str, help: &str, n: u64) -> Result<(), Error> {
        let gauge = ConstGauge::new(signed(n));
        gauge.encode(self.0.encode_descriptor(name, help, None, gauge.metric_type())?)
    }

    fn float(&mut self, name: &str, help: &str, unit: Option<&Unit>, v: f64) -> Result<(), Error> {
        let gauge = ConstGauge::new(v);
        gauge.encode(self.0.encode_descriptor(name, help, unit, gauge.metric_type())?)
    }

    fn size(&mut self, name: &str, help: &str, bytes: u64) -> Result<(), Error> {
        let gauge = ConstGauge::new(signed(bytes));
        gauge.encode(self.0.encode_descriptor(name, help, Some(&Unit::Bytes), gauge.metric_type())?)
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, rows: &[(&str, u64)]) -> Result<(), Error> {
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (value, n) in rows {
            ConstCounter::new(*n).encode(family.encode_family(&[(label, *value)])?)?;
        }
        Ok(())
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        unit: Option<&Unit>,
        rows: &[(&str, u64)],
    ) -> Result<(), Error> {
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut family = self.0.encode_descriptor(name, help, unit, kind)?;
        for (value, n) in rows {
            ConstGauge::new(signed(*n)).encode(family.encode_family(&[(label, *value)])?)?;
        }
        Ok(())
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::tsdb::{Options, Tsdb};

    #[test]
    fn the_store_shows_its_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let tsdb = Tsdb::open(dir.path(), Options::default(), Timestamp::from_millis(1_763_900_000_000)).unwrap();
        let store = Arc::<Store>::default();
        let mut registry = Registry::with_prefix("watchdog");
        register(&mut registry, Arc::clone(&store));
        let text = |registry: &Registry| {
            let mut out = String::new();
            prometheus_client::encoding::text::encode(&mut out, registry).unwrap();
            out
        };
        assert_eq!(text(&registry), "# EOF\n", "nothing is known before the store was asked");
        store.observed(tsdb.stats());
        let shown = text(&registry);
        for line in [
            "watchdog_tsdb_head_series 0",
            "watchdog_tsdb_samples_refused_total{reason=\"too_old\"} 0",
            "watchdog_tsdb_blocks_size_bytes{resolution=\"5m\"} 0",
            "watchdog_tsdb_wal_fsync_duration_seconds_total 0.0",
        ] {
            assert!(shown.contains(line), "{line} not in\n{shown}");
        }
    }
}
