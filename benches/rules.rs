//! What rules cost: 10,000 rules every 10 s over 100,000 series, evaluated by the real ruler at its slots.
//!
//! `cargo bench --bench rules -- [--rules N] [--series N] [--seconds N] [--per-group N] [--peer HOST:PORT] [--print]`
//!
//! Prints processor time per evaluation, slots missed, and how late groups began. `--print` writes the rules in Prometheus' form
//! and ends, for a peer that has the same series; `--peer` then measures that one over the same time, from its `/metrics`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the terminal that may fail loudly")]

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use watchdog::base::clock::Clock;
use watchdog::base::labels::LabelsBuf;
use watchdog::config::model::Config;
use watchdog::config::report::Source;
use watchdog::config::resolve::FromSystem;
use watchdog::config::rules;
use watchdog::engine::reload::Applied;
use watchdog::engine::ruler::metrics::RuleMetrics;
use watchdog::engine::ruler::{RuleBook, Ruler, Sources};
use watchdog::engine::storage::Store;
use watchdog::tsdb::{Ack, Batch, Options, Tsdb};
use watchdog::wire::api::ConfigStatus;

const HOSTS: usize = 20;
/// Distance and number of samples before the start.
const STEP: i64 = 15_000;
const BEFORE: i64 = 40;
/// Bytes of the peer's metrics that are read.
const LONGEST: u64 = 16 << 20;

struct Plan {
    rules: usize,
    series: usize,
    seconds: u64,
    per_group: usize,
    peer: Option<String>,
    print: bool,
}

fn plan() -> Plan {
    let mut plan = Plan { rules: 10_000, series: 100_000, seconds: 60, per_group: 100, peer: None, print: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|v| v.parse().ok()).unwrap();
        match arg.as_str() {
            "--rules" => plan.rules = number(),
            "--series" => plan.series = number(),
            "--seconds" => plan.seconds = number() as u64,
            "--per-group" => plan.per_group = number(),
            "--peer" => plan.peer = args.next(),
            "--print" => plan.print = true,
            _ => {}
        }
    }
    plan
}

/// Metrics of one host beside `y`.
fn metrics(plan: &Plan) -> usize {
    (plan.series / HOSTS).saturating_sub(1).max(1)
}

fn text(plan: &Plan) -> String {
    let mut out = String::from("groups:\n");
    for i in 0..plan.rules {
        if i % plan.per_group == 0 {
            out.push_str(&format!("- name: g{}\n  interval: 10s\n  rules:\n", i / plan.per_group));
        }
        let n = i % metrics(plan);
        out.push_str(&format!("  - {{alert: A{i}, expr: 'rate(x{{n=\"{n}\"}}[5m]) > 1e9 and on(instance) y > 3'}}\n"));
    }
    out
}

fn all_series(plan: &Plan) -> Vec<LabelsBuf> {
    let mut all = Vec::with_capacity(plan.series);
    for host in 0..HOSTS {
        for n in 0..=metrics(plan) {
            let mut labels = LabelsBuf::default();
            labels.set("__name__", if n == metrics(plan) { "y" } else { "x" });
            labels.set("instance", &format!("host-{host}:9100"));
            labels.set("job", "node");
            if n < metrics(plan) {
                labels.set("n", &n.to_string());
            }
            all.push(labels);
        }
    }
    all
}

/// Writes one sample of every series.
fn write(tsdb: &Tsdb, series: &[LabelsBuf], t: i64, clock: Clock, batch: &mut Batch) {
    batch.clear();
    for (i, labels) in series.iter().enumerate() {
        batch.series(labels);
        batch.push(t, (t / STEP) as f64 + i as f64);
    }
    tsdb.append(batch, Ack::Written, clock.now()).unwrap();
}

/// Processor seconds of this process.
fn used() -> f64 {
    let stat = procfs::process::Process::myself().unwrap().stat().unwrap();
    (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64
}

/// Processor seconds and evaluations of the peer at `host:port`.
async fn peer(address: &str) -> (f64, f64) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let ask = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.take(LONGEST).read_to_string(&mut text).await.unwrap();
    let sum = |name: &str| -> f64 {
        let value = |l: &str| l.rsplit(' ').next().and_then(|v| v.parse::<f64>().ok());
        text.lines().filter(|l| l.starts_with(name)).filter_map(value).sum()
    };
    (sum("process_cpu_seconds_total"), sum("prometheus_rule_evaluations_total"))
}

#[tokio::main]
async fn main() {
    let plan = plan();
    if plan.print {
        return println!("{}", text(&plan));
    }
    let clock = Clock::system();
    let dir = tempfile::tempdir().unwrap();
    let tsdb = Arc::new(Tsdb::open(dir.path(), Options::default(), clock.now()).unwrap());
    let series = all_series(&plan);
    let (now, mut batch) = (clock.now().millis(), Batch::default());
    // Ahead, too: no sample need be written while it is measured.
    for k in -BEFORE..(plan.seconds as i64 + 30) * 1_000 / STEP + 1 {
        write(&tsdb, &series, now + k * STEP, clock, &mut batch);
    }
    let sheet = rules::read(&Source::new("rules.d/bench.yaml", text(&plan)), &FromSystem::new(dir.path()));
    assert!(sheet.problems.is_empty(), "{:?}", sheet.problems.first());
    let config = Arc::new(Config { rules: sheet.groups, ..Config::default() });
    let status = ConfigStatus {
        dir: String::new(),
        loaded: clock.now(),
        files: 1,
        monitors: 0,
        stale: Vec::new(),
        problems: Vec::new(),
    };
    let (_keep, config) = watch::channel(Applied { config, status: Arc::new(status) });
    let store = Arc::<Store>::default();
    drop(store.set(Ok(tsdb)));
    let (alerts, _told) = mpsc::channel(16);
    let (metrics, book) = (RuleMetrics::default(), Arc::<RuleBook>::default());
    let from = Sources { clock, store, config, alerts, metrics: metrics.clone(), book: Arc::clone(&book) };
    let stop = CancellationToken::new();
    let work = Ruler::new(from).run(stop.clone());
    let measure = async {
        // The first round compiles nothing any more, but fills caches.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let (before, first) = (used(), metrics.evaluations.get());
        let theirs = match &plan.peer {
            Some(address) => Some(peer(address).await),
            None => None,
        };
        tokio::time::sleep(Duration::from_secs(plan.seconds)).await;
        let evaluations = (metrics.evaluations.get() - first) as f64;
        let ours = (used() - before) * 1e6 / evaluations;
        println!(
            "watchdog   {ours:7.1} µs of processor per evaluation, {:.0} evaluations in {} s, {} slots missed, {} failed",
            evaluations,
            plan.seconds,
            metrics.missed.get(),
            metrics.failures.get()
        );
        if let (Some(address), Some((cpu, count))) = (&plan.peer, theirs) {
            let (cpu_after, count_after) = peer(address).await;
            let theirs = (cpu_after - cpu) * 1e6 / (count_after - count);
            println!("prometheus {theirs:7.1} µs of processor per evaluation; ours are {:.2} of that", ours / theirs);
        }
        stop.cancel();
    };
    tokio::join!(work, measure);
}
