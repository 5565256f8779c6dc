//! What node_exporter-like hosts expose, scrape after scrape: the same for the same seed.
//!
//! Every host has [`PER_HOST`] series: counters in integers, hundredths and thousandths of seconds,
//! many of them idle; memory in pages; durations in nanoseconds; 0/1 states; a histogram; constants.
//! A host is scraped at its own offset within the interval, now and then some milliseconds late, and
//! starts again from zero once in a while.

use std::f64::consts::TAU;

/// Series of one host. Of these, 2 × 8 are processor times and 20 are received bytes.
pub const PER_HOST: usize = 100;
/// Part of the scrapes that are late.
const LATE: f64 = 0.02;
/// Scrapes between two restarts of a host, on average.
const UPTIME: f64 = 20_000.0;
const BUCKETS: [&str; 6] = ["0.005", "0.025", "0.1", "0.5", "2.5", "+Inf"];

/// How a series goes on.
#[derive(Clone, Copy)]
enum Kind {
    Constant(f64),
    /// Integers, by at most twice this much.
    Counter(f64),
    /// A counter that keeps this many decimals, by at most twice this many units.
    Decimals(u32, f64),
    /// Bytes in pages, between zero and this many pages.
    Pages(f64),
    /// Two decimals, about this value.
    Load(f64),
    /// Seconds with nine decimals, about this value.
    Duration(f64),
    /// 0 or 1.
    State,
    /// The time of the scrape in seconds.
    Clock,
    /// Part of the host's histogram: a bucket, then its sum, then its count.
    Histogram(usize),
}

struct Series {
    kind: Kind,
    /// In the kind's own unit.
    now: f64,
}

struct Host {
    series: Vec<Series>,
    buckets: [f64; BUCKETS.len()],
    sum: f64,
    random: fastrand::Rng,
}

/// A running stream.
pub struct Stream {
    hosts: Vec<Host>,
    /// Label sets in the order of the samples.
    labels: Vec<Vec<(String, String)>>,
    start: i64,
    interval: i64,
    scrape: i64,
}

impl Stream {
    /// `series` series whose first scrape begins at `start`; times in milliseconds.
    pub fn new(series: usize, start: i64, interval: i64, seed: u64) -> Self {
        let mut labels = Vec::with_capacity(series);
        let hosts = (0..series.div_ceil(PER_HOST)).map(|h| Host::new(h, seed, &mut labels)).collect();
        labels.truncate(series);
        Self { hosts, labels, start, interval, scrape: 0 }
    }

    /// Label sets in the order in which [`scrape`](Self::scrape) gives the samples, each sorted by name.
    pub fn labels(&self) -> &[Vec<(String, String)>] {
        &self.labels
    }

    /// The next scrape of all series: their times and values.
    pub fn scrape(&mut self, mut sample: impl FnMut(usize, i64, f64)) {
        let begin = self.start + self.scrape * self.interval;
        let hosts = self.hosts.len() as i64;
        let mut next = 0;
        for (h, host) in self.hosts.iter_mut().enumerate() {
            let mut t = begin + h as i64 * self.interval / hosts;
            if host.random.f64() < LATE {
                t += host.random.i64(1..30);
            }
            host.advance();
            for i in 0..PER_HOST.min(self.labels.len() - next) {
                sample(next + i, t, host.value(i, t));
            }
            next += PER_HOST;
        }
        self.scrape += 1;
    }
}

impl Host {
    fn new(number: usize, seed: u64, labels: &mut Vec<Vec<(String, String)>>) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let instance = format!("host-{number:03}.example.com:9100");
        let mut series = Vec::with_capacity(PER_HOST);
        let mut add = |name: &str, own: &[(&str, &str)], kind: Kind, now: f64| {
            let mut set: Vec<(String, String)> = own.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            set.extend(
                [("__name__", name), ("instance", &instance), ("job", "node")].map(|(n, v)| (n.into(), v.into())),
            );
            set.sort();
            labels.push(set);
            series.push(Series { kind, now });
        };
        cpu(&mut add, &mut random);
        network(&mut add, &mut random);
        disk(&mut add, &mut random);
        for (mount, device, size) in [("/", "/dev/sda1", 5e6), ("/var", "/dev/sdb1", 5e7), ("/run", "tmpfs", 2e5)] {
            let own = [
                ("device", device),
                ("fstype", if device == "tmpfs" { device } else { "ext4" }),
                ("mountpoint", mount),
            ];
            let used = if device == "tmpfs" { Kind::Constant(size * 4096.0 - 1_146_880.0) } else { Kind::Pages(size) };
            add("node_filesystem_avail_bytes", &own, used, size / 2.0);
            add("node_filesystem_size_bytes", &own, Kind::Constant(size * 4096.0), 0.0);
        }
        for (what, pages) in [("MemFree", 4e5), ("MemAvailable", 2e6), ("Cached", 1e6), ("Dirty", 500.0)] {
            add(&format!("node_memory_{what}_bytes"), &[], Kind::Pages(pages), pages / 2.0);
        }
        add("node_memory_MemTotal_bytes", &[], Kind::Constant(16_777_216_000.0), 0.0);
        add("node_memory_SwapTotal_bytes", &[], Kind::Constant(0.0), 0.0);
        for (what, load) in [("node_load1", 1.2), ("node_load5", 1.1), ("node_load15", 1.0)] {
            add(what, &[], Kind::Load(load), load);
        }
        for (i, le) in BUCKETS.iter().enumerate() {
            let own = [("handler", "/metrics"), ("le", le)];
            add("http_request_duration_seconds_bucket", &own, Kind::Histogram(i), 0.0);
        }
        add("http_request_duration_seconds_sum", &[("handler", "/metrics")], Kind::Histogram(BUCKETS.len()), 0.0);
        add("http_request_duration_seconds_count", &[("handler", "/metrics")], Kind::Histogram(BUCKETS.len() + 1), 0.0);
        add("up", &[], Kind::Constant(1.0), 0.0);
        add("scrape_duration_seconds", &[], Kind::Duration(0.018), 0.018);
        add("node_time_seconds", &[], Kind::Clock, 0.0);
        add(
            "node_uname_info",
            &[("machine", "x86_64"), ("nodename", &instance), ("release", "6.1.0-28-amd64"), ("sysname", "Linux")],
            Kind::Constant(1.0),
            0.0,
        );
        add(
            "node_systemd_unit_state",
            &[("name", "backup.service"), ("state", "active"), ("type", "oneshot")],
            Kind::State,
            0.0,
        );
        assert_eq!(series.len(), PER_HOST);
        Self { series, buckets: [0.0; BUCKETS.len()], sum: 0.0, random }
    }

    /// What happens to the host between two scrapes.
    fn advance(&mut self) {
        if self.random.f64() < 1.0 / UPTIME {
            (self.buckets, self.sum) = ([0.0; BUCKETS.len()], 0.0);
            for s in &mut self.series {
                if matches!(s.kind, Kind::Counter(_) | Kind::Decimals(..)) {
                    s.now = 0.0;
                }
            }
        }
        for _ in 0..self.random.u32(0..12) {
            let took = bell(&mut self.random, 0.02, 0.03).abs();
            let took = (took * 1e9).round() / 1e9;
            self.sum += took;
            for (le, count) in BUCKETS.iter().zip(&mut self.buckets) {
                if le.parse().is_ok_and(|le: f64| took <= le) {
                    *count += 1.0;
                }
            }
        }
    }

    fn value(&mut self, i: usize, t: i64) -> f64 {
        let (s, random) = (&mut self.series[i], &mut self.random);
        match s.kind {
            Kind::Constant(v) => v,
            Kind::Counter(mean) => {
                s.now += (random.f64() * 2.0 * mean).floor();
                s.now
            }
            Kind::Decimals(decimals, mean) => {
                s.now += (random.f64() * 2.0 * mean).floor();
                s.now / f64::from(10_u32.pow(decimals))
            }
            Kind::Pages(most) => {
                s.now = (s.now + bell(random, 0.0, most / 500.0)).round().clamp(0.0, most);
                s.now * 4096.0
            }
            Kind::Load(about) => {
                s.now = (s.now + 0.1 * (about - s.now) + bell(random, 0.0, about / 10.0)).max(0.0);
                (s.now * 100.0).round() / 100.0
            }
            Kind::Duration(about) => (bell(random, about, about / 8.0).abs() * 1e9).round() / 1e9,
            Kind::State => {
                if random.f64() < 0.01 {
                    s.now = 1.0 - s.now;
                }
                s.now
            }
            Kind::Clock => (t as f64 + random.f64()) / 1e3,
            Kind::Histogram(i) if i < BUCKETS.len() => self.buckets[i],
            Kind::Histogram(i) if i == BUCKETS.len() => self.sum,
            Kind::Histogram(_) => self.buckets[BUCKETS.len() - 1],
        }
    }
}

/// Processor time: idle takes most, several modes nothing.
fn cpu(add: &mut impl FnMut(&str, &[(&str, &str)], Kind, f64), random: &mut fastrand::Rng) {
    let busy = random.f64();
    for cpu in ["0", "1"] {
        for (mode, share) in [
            ("idle", 1500.0 * (1.0 - busy)),
            ("iowait", 3.0 * busy),
            ("irq", 0.0),
            ("nice", 0.0),
            ("softirq", 6.0 * busy),
            ("steal", 0.0),
            ("system", 300.0 * busy),
            ("user", 1200.0 * busy),
        ] {
            let kind = if share == 0.0 { Kind::Constant(0.0) } else { Kind::Decimals(2, share) };
            add("node_cpu_seconds_total", &[("cpu", cpu), ("mode", mode)], kind, random.f64() * share * 1e5);
        }
    }
}

/// Interfaces: two of the machine, eighteen of its containers, most of which say nothing.
fn network(add: &mut impl FnMut(&str, &[(&str, &str)], Kind, f64), random: &mut fastrand::Rng) {
    for i in 0..20 {
        let device = if i < 2 { format!("eth{i}") } else { format!("veth{i:02x}") };
        let idle = i >= 2 && random.f64() < 0.8;
        let traffic = if i == 0 { 4e6 } else { 2e5 * random.f64() };
        for direction in ["receive", "transmit"] {
            let start = (random.f64() * traffic * 1e4).floor();
            let kind = if idle { Kind::Constant(start) } else { Kind::Counter(traffic) };
            add(&format!("node_network_{direction}_bytes_total"), &[("device", &device)], kind, start);
        }
    }
}

/// Disks: the second one is mostly idle.
fn disk(add: &mut impl FnMut(&str, &[(&str, &str)], Kind, f64), random: &mut fastrand::Rng) {
    for device in ["sda", "sdb"] {
        let idle = device == "sdb" && random.f64() < 0.8;
        for (what, kind) in [
            ("reads_completed_total", Kind::Counter(3.0)),
            ("writes_completed_total", Kind::Counter(60.0)),
            ("read_bytes_total", Kind::Counter(50_000.0)),
            ("written_bytes_total", Kind::Counter(900_000.0)),
            ("read_time_seconds_total", Kind::Decimals(3, 5.0)),
            ("write_time_seconds_total", Kind::Decimals(3, 80.0)),
            ("io_time_seconds_total", Kind::Decimals(3, 90.0)),
            ("io_now", Kind::Constant(0.0)),
        ] {
            let start = (random.f64() * 1e6).floor();
            let kind = if idle { Kind::Constant(0.0) } else { kind };
            add(&format!("node_disk_{what}"), &[("device", device)], kind, start);
        }
    }
}

/// Normally distributed.
fn bell(random: &mut fastrand::Rng, mean: f64, deviation: f64) -> f64 {
    let (a, b) = (random.f64().max(f64::MIN_POSITIVE), random.f64());
    mean + deviation * (-2.0 * a.ln()).sqrt() * (TAU * b).cos()
}
