//! What Watchdog measures about itself, and its text form on `/metrics`.
//!
//! One value shared by reference; every field is an atomic, so counting never waits.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::intake::metrics::IntakeMetrics;
use crate::engine::outbox::DeliveryMetrics;
use crate::engine::query::metrics::QueryMetrics;
use crate::engine::ruler::metrics::RuleMetrics;
use crate::engine::storage::{self, Store};

/// A gauge of seconds, bytes and other fractions.
pub type FloatGauge = Gauge<f64, AtomicU64>;

/// Upper bounds of the start-lag histogram, in seconds. Also the steps to which lag is rounded on screens.
pub const LAG_BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// Probes by kind of monitor and verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProbeLabels {
    /// Kind of monitor.
    pub r#type: &'static str,
    /// `up`, `degraded`, `down`, `unknown`.
    pub verdict: &'static str,
}

/// The binary that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// Monitors by state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabels {
    /// See `wire::board::State`.
    pub state: &'static str,
}

/// The metrics of one engine.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// How late probes start, after waiting for a permit.
    pub lag: Histogram,
    /// Slots skipped because the run before still went on.
    pub missed_running: Counter,
    /// Slots that passed while the process did not run (suspend, stop, overload).
    pub missed_late: Counter,
    /// Probes that never got a permit before their deadline.
    pub starved: Counter,
    /// Probes done.
    pub probes: Family<ProbeLabels, Counter>,
    /// How long probes take.
    pub probe_seconds: Family<KindLabels, Histogram, fn() -> Histogram>,
    /// Probes under way.
    pub in_flight: Gauge,
    /// Collectors, and slots around them, that panicked.
    pub panics: Counter,
    /// Values taken in.
    pub samples: Counter,
    /// Enabled monitors by state.
    pub monitors: Family<StateLabels, Gauge>,
    /// Loads of the configuration that were applied.
    pub reloads: Counter,
    /// 1 when the files on disk stand without errors.
    pub config_ok: Gauge,
    /// Time of the last applied load.
    pub config_loaded: FloatGauge,
    /// Errors in the files.
    pub config_problems: Gauge,
    /// Alerts that fire.
    pub alerts_firing: Gauge,
    /// Delivery attempts, counted by the outbox.
    pub deliveries: DeliveryMetrics,
    /// Queries, counted by the service that answers them.
    pub queries: QueryMetrics,
    /// Samples from elsewhere and of our own, counted where they are taken in.
    pub intake: IntakeMetrics,
    /// Rules, counted by the ruler.
    pub rules: RuleMetrics,
    /// The series store, whose own numbers are shown, too.
    pub store: Arc<Store>,
    /// 1 while this machine is in the way of its monitors.
    pub impaired: Gauge,
    /// How long probes wait for others of the same host.
    pub host_wait: Histogram,
    /// Messages owed.
    pub outbox: Gauge,
    /// Commits of the state database.
    pub commit_seconds: Histogram,
    /// Since the start.
    pub uptime: FloatGauge,
    /// Resident memory of the process.
    pub memory: FloatGauge,
    /// Processor time of the process.
    pub cpu: FloatGauge,
    /// Open file descriptors.
    pub open_fds: Gauge,
}

/// Things measured per kind of monitor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// Kind of monitor.
    pub r#type: &'static str,
}

fn probe_histogram() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut m = Self {
            registry: Registry::with_prefix("watchdog"),
            lag: Histogram::new(LAG_BUCKETS),
            missed_running: Counter::default(),
            missed_late: Counter::default(),
            starved: Counter::default(),
            probes: Family::default(),
            probe_seconds: Family::new_with_constructor(probe_histogram),
            in_flight: Gauge::default(),
            panics: Counter::default(),
            samples: Counter::default(),
            monitors: Family::default(),
            reloads: Counter::default(),
            config_ok: Gauge::default(),
            config_loaded: FloatGauge::default(),
            config_problems: Gauge::default(),
            alerts_firing: Gauge::default(),
            deliveries: DeliveryMetrics::default(),
            queries: QueryMetrics::default(),
            intake: IntakeMetrics::default(),
            rules: RuleMetrics::default(),
            store: Arc::default(),
            impaired: Gauge::default(),
            host_wait: Histogram::new(LAG_BUCKETS),
            outbox: Gauge::default(),
            commit_seconds: Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0]),
            uptime: FloatGauge::default(),
            memory: FloatGauge::default(),
            cpu: FloatGauge::default(),
            open_fds: Gauge::default(),
        };
        m.register();
        m
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        r.register("build_info", "1, labelled with the version of the binary", build);
        let s = Unit::Seconds;
        r.register_with_unit("scheduler_lag", "How late probes start", s.clone(), self.lag.clone());
        let missed = "Slots skipped because the run before still went on";
        r.register("scheduler_missed_running_slots", missed, self.missed_running.clone());
        r.register(
            "scheduler_missed_late_slots",
            "Slots that passed while the process did not run",
            self.missed_late.clone(),
        );
        r.register("probes_starved", "Probes that got no permit before their deadline", self.starved.clone());
        r.register("probes", "Probes done", self.probes.clone());
        r.register_with_unit("collection_duration", "How long probes take", s.clone(), self.probe_seconds.clone());
        r.register("probes_in_flight", "Probes under way", self.in_flight.clone());
        r.register("collector_panics", "Collectors that panicked", self.panics.clone());
        r.register("metrics_ingested", "Values taken in", self.samples.clone());
        r.register("monitors", "Monitors by state", self.monitors.clone());
        r.register("config_reloads", "Loads of the configuration that were applied", self.reloads.clone());
        r.register("config_last_reload_successful", "1 when the files stand without errors", self.config_ok.clone());
        let loaded = "Time of the last applied load";
        r.register("config_last_reload_timestamp_seconds", loaded, self.config_loaded.clone());
        r.register("config_problems", "Errors in the configuration files", self.config_problems.clone());
        r.register("alerts_firing", "Alerts that fire", self.alerts_firing.clone());
        self.deliveries.register(r);
        self.queries.register(r);
        self.intake.register(r);
        self.rules.register(r);
        storage::metrics::register(r, Arc::clone(&self.store));
        r.register("self_impaired", "1 while this machine is in the way of its monitors", self.impaired.clone());
        let wait = "How long probes wait because enough others of the same host are under way";
        r.register_with_unit("host_wait", wait, s.clone(), self.host_wait.clone());
        r.register("outbox_messages", "Messages owed to receivers", self.outbox.clone());
        r.register_with_unit(
            "db_commit_duration",
            "Commits of the state database",
            s.clone(),
            self.commit_seconds.clone(),
        );
        r.register_with_unit("uptime", "Time since the start", s, self.uptime.clone());
        let p = r.sub_registry_with_prefix("process");
        p.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, self.memory.clone());
        p.register_with_unit("cpu", "Processor time, user and system", Unit::Seconds, self.cpu.clone());
        p.register("open_fds", "Open file descriptors", self.open_fds.clone());
    }

    /// OpenMetrics text.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(8 * 1024);
        if let Err(e) = encode(&mut out, &self.registry) {
            // Formatting into a String fails only if an encoder of ours does.
            tracing::error!(error = %e, "metrics could not be encoded");
        }
        out
    }

    /// Reads what the operating system knows about this process.
    pub fn observe_process(&self, uptime: Duration) {
        self.uptime.set(uptime.as_secs_f64());
        let Ok(me) = procfs::process::Process::myself() else { return };
        if let Ok(stat) = me.stat() {
            self.memory.set((stat.rss * procfs::page_size()) as f64);
            self.cpu.set((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64);
        }
        if let Ok(n) = me.fd_count() {
            self.open_fds.set(i64::try_from(n).unwrap_or(i64::MAX));
        }
    }
}

/// The 99th percentile of start lag over a sliding minute, rounded up to a step of [`LAG_BUCKETS`].
#[derive(Debug)]
pub struct LagWindow {
    /// Counts per bucket for each of the last seconds; the last bucket is "longer".
    seconds: std::collections::VecDeque<[u32; LAG_BUCKETS.len() + 1]>,
}

impl Default for LagWindow {
    fn default() -> Self {
        Self { seconds: std::collections::VecDeque::from([[0; LAG_BUCKETS.len() + 1]]) }
    }
}

impl LagWindow {
    const SECONDS: usize = 60;

    /// Counts one probe's start lag.
    pub fn record(&mut self, lag: Duration) {
        let i = LAG_BUCKETS.partition_point(|b| *b < lag.as_secs_f64());
        if let Some(now) = self.seconds.back_mut() {
            now[i] += 1;
        }
    }

    /// Call once a second.
    pub fn tick(&mut self) {
        if self.seconds.len() == Self::SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back([0; LAG_BUCKETS.len() + 1]);
    }

    /// The percentile; zero when nothing ran.
    pub fn p99(&self) -> Duration {
        let mut sum = [0u64; LAG_BUCKETS.len() + 1];
        for s in &self.seconds {
            for (total, n) in sum.iter_mut().zip(s) {
                *total += u64::from(*n);
            }
        }
        let all: u64 = sum.iter().sum();
        let mut below = 0;
        for (i, n) in sum.iter().enumerate() {
            below += n;
            if all > 0 && below * 100 >= all * 99 {
                return Duration::from_secs_f64(LAG_BUCKETS.get(i).copied().unwrap_or(10.0));
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_wire_are_prometheus_names() {
        let m = Metrics::default();
        m.probes.get_or_create(&ProbeLabels { r#type: "http", verdict: "up" }).inc();
        m.lag.observe(0.003);
        let text = m.text();
        for line in [
            "watchdog_probes_total{type=\"http\",verdict=\"up\"} 1",
            "watchdog_scheduler_lag_seconds_count 1",
            "watchdog_scheduler_missed_running_slots_total 0",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }

    #[test]
    fn the_percentile_is_over_the_last_minute() {
        let mut w = LagWindow::default();
        assert_eq!(w.p99(), Duration::ZERO);
        (0..99).for_each(|_| w.record(Duration::from_micros(300)));
        w.record(Duration::from_millis(300));
        assert_eq!(w.p99(), Duration::from_millis(1));
        w.record(Duration::from_millis(300));
        assert_eq!(w.p99(), Duration::from_millis(500));
        (0..60).for_each(|_| w.tick());
        assert_eq!(w.p99(), Duration::ZERO);
    }
}
