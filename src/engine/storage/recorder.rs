//! Writes what the engine itself knows into the store: results of probes, alerts, and its own metrics.
//!
//! A series that a monitor had with its last result and lacks now gets a staleness marker, and so do all
//! series of a monitor that was paused or removed: they end at once instead of five minutes later.
//! Nobody waits for this actor. While the disk is slow its inbox fills, and what ingest cannot hand over
//! is dropped there and counted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::failure::Chain;
use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::base::name::MonitorName;
use crate::base::sample::STALE_NAN;
use crate::config::model::{Config, Monitor};
use crate::engine::board::Report;
use crate::engine::intake::Intake;
use crate::engine::intake::exposition::{Format, Line, Parser};
use crate::engine::intake::metadata::{Kind, Meta};
use crate::engine::intake::metrics::IntakeMetrics;
use crate::engine::metrics::Metrics;
use crate::engine::reload::Applied;
use crate::engine::storage::outcome::{self, PAUSED, STATE};
use crate::engine::storage::{Store, StoreError};
use crate::tsdb::{Ack, Appended, Batch};
use crate::wire::api::ProbeResult;
use crate::wire::board::{AlertState, Board};

/// How often alerts, paused monitors and the engine's own metrics are written.
const OWN_EVERY: Duration = Duration::from_secs(15);
/// What is held while the store is being opened, in samples.
const PENDING: usize = 500_000;

/// A result to be stored.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The monitor.
    pub monitor: Arc<Monitor>,
    /// What was found.
    pub result: Arc<ProbeResult>,
}

/// What the recorder is given.
pub struct Sources {
    /// The wall clock.
    pub clock: Clock,
    /// Where samples go.
    pub store: Arc<Store>,
    /// Told of descriptions.
    pub intake: Arc<Intake>,
    /// Counts what is stored and lost.
    pub counts: IntakeMetrics,
    /// The engine's own metrics, written as series.
    pub metrics: Arc<Metrics>,
    /// The name of this machine, for `instance`.
    pub host: String,
    /// Alerts are read here.
    pub board: watch::Receiver<Arc<Board>>,
    /// Told when samples cannot be stored, and when they can again.
    pub complaints: mpsc::Sender<Report>,
    /// Which monitors exist and run.
    pub config: watch::Receiver<Applied>,
}

/// The actor.
pub struct Recorder {
    from: Sources,
    batch: Batch,
    monitors: HashMap<MonitorName, Known>,
    /// Series of alerts as last written.
    alerts: HashSet<Labels>,
    failing: bool,
}

/// The series of one monitor.
#[derive(Default)]
struct Known {
    base: Labels,
    /// Hash of the definition that `base` is of.
    hash: u64,
    /// Each series with the number of the result that had it last.
    series: HashMap<Labels, u64, ahash::RandomState>,
    results: u64,
    paused: bool,
}

impl Recorder {
    /// Starts with nothing written.
    pub fn new(from: Sources) -> Self {
        Self { from, batch: Batch::default(), monitors: HashMap::new(), alerts: HashSet::new(), failing: false }
    }

    /// Works until `stop`; then writes what is in the inbox.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Vec<Recorded>>, stop: CancellationToken) {
        let mut own = time::interval(OWN_EVERY);
        own.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.configured();
        loop {
            // Receiving and waiting for a change are cancel-safe.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = own.tick() => self.own(),
                Ok(()) = self.from.config.changed() => self.configured(),
                Ok(()) = self.from.board.changed() => {
                    self.from.board.mark_unchanged();
                    self.write_alerts(false);
                }
                Some(results) = inbox.recv() => {
                    results.iter().for_each(|r| self.result(r));
                    while let Ok(more) = inbox.try_recv() {
                        more.iter().for_each(|r| self.result(r));
                    }
                }
            }
            self.flush().await;
        }
        while let Ok(results) = inbox.try_recv() {
            results.iter().for_each(|r| self.result(r));
        }
        self.flush().await;
    }

    fn result(&mut self, Recorded { monitor, result }: &Recorded) {
        let known = self.monitors.entry(monitor.name.clone()).or_default();
        if known.paused {
            // It was paused while this probe ran; its series have ended.
            return;
        }
        if known.hash != monitor.hash || known.base.is_empty() {
            (known.base, known.hash) = (outcome::labels_of(monitor), monitor.hash);
        }
        known.results += 1;
        let (t, this) = (result.at.millis(), known.results);
        let (series, batch) = (&mut known.series, &mut self.batch);
        outcome::samples(&known.base, result, |labels, value| {
            match series.get_mut(labels.as_key()) {
                Some(last) => *last = this,
                None => drop(series.insert(labels.labels(), this)),
            }
            batch.series(labels);
            batch.push(t, value);
        });
        series.retain(|labels, last| {
            let there = *last == this;
            if !there {
                end(batch, labels, t);
            }
            there
        });
    }

    /// Ends the series of monitors that are gone or paused.
    fn configured(&mut self) {
        let config: Arc<Config> = Arc::clone(&self.from.config.borrow_and_update().config);
        let t = self.from.clock.now().millis();
        let batch = &mut self.batch;
        self.monitors.retain(|name, known| {
            let there = config.monitors.contains_key(name);
            if !there {
                known.series.keys().for_each(|labels| end(batch, labels, t));
            }
            there
        });
        for (name, monitor) in &config.monitors {
            match self.monitors.get_mut(name) {
                None if !monitor.paused => {}
                None => {
                    let base = outcome::labels_of(monitor);
                    let known = Known { base, hash: monitor.hash, paused: true, ..Known::default() };
                    self.monitors.insert(name.clone(), known);
                }
                Some(known) => {
                    if monitor.paused && !known.paused {
                        for labels in known.series.drain().map(|(labels, _)| labels) {
                            if labels.metric_name() != STATE {
                                end(batch, &labels, t);
                            }
                        }
                    }
                    known.paused = monitor.paused;
                    if known.hash != monitor.hash {
                        (known.base, known.hash) = (outcome::labels_of(monitor), monitor.hash);
                    }
                }
            }
        }
        self.write_paused();
    }

    fn write_paused(&mut self) {
        let t = self.from.clock.now().millis();
        for known in self.monitors.values_mut().filter(|k| k.paused) {
            let labels = outcome::series(&known.base, STATE);
            self.batch.series(&labels);
            self.batch.push(t, PAUSED);
            known.series.insert(labels.labels(), known.results);
        }
    }

    /// Everything that is written at intervals.
    fn own(&mut self) {
        self.write_paused();
        self.write_alerts(true);
        let now = self.from.clock.now();
        let text = self.from.metrics.text();
        let mut described: HashMap<&str, Meta> = HashMap::new();
        let mut parser = Parser::new(Format::OpenMetrics);
        let mut labels = LabelsBuf::default();
        for line in text.lines() {
            match parser.line(line, &mut labels) {
                Ok(Line::Sample(value, _)) => {
                    labels.set("instance", &self.from.host);
                    labels.set("job", "watchdog");
                    self.batch.series(&labels);
                    self.batch.push(now.millis(), value);
                }
                Ok(Line::Type(name, kind)) => described.entry(name).or_default().kind = kind,
                Ok(Line::Help(name, help)) => described.entry(name).or_default().help = help.into_owned(),
                Ok(Line::Unit(name, unit)) => unit.clone_into(&mut described.entry(name).or_default().unit),
                Ok(Line::End | Line::Nothing) => {}
                Err(e) => tracing::error!(error = %e, line, "our own metrics were not understood"),
            }
        }
        let described = described.into_iter().map(|(name, meta)| (name.to_owned(), meta));
        self.from.intake.describe(described.chain(own_descriptions()));
    }

    /// `ALERTS` and `ALERTS_FOR_STATE`; those unchanged only when `all`.
    fn write_alerts(&mut self, all: bool) {
        let board = Arc::clone(&self.from.board.borrow());
        let t = self.from.clock.now().millis();
        let mut now = HashSet::with_capacity(self.alerts.len());
        for alert in &board.alerts {
            let state = match alert.state {
                AlertState::Pending => "pending",
                AlertState::Firing => "firing",
                AlertState::Resolved => continue,
            };
            let mut labels = alert.labels.to_buf();
            labels.set(METRIC_NAME, "ALERTS_FOR_STATE");
            self.alert(labels.labels(), alert.starts_at.millis() as f64 / 1e3, t, all, &mut now);
            labels.set(METRIC_NAME, "ALERTS");
            labels.set("alertstate", state);
            self.alert(labels.labels(), 1.0, t, all, &mut now);
        }
        for gone in self.alerts.difference(&now) {
            end(&mut self.batch, gone, t);
        }
        self.alerts = now;
    }

    fn alert(&mut self, labels: Labels, value: f64, t: i64, all: bool, now: &mut HashSet<Labels>) {
        if all || !self.alerts.contains(&labels) {
            self.batch.series(&labels.to_buf());
            self.batch.push(t, value);
        }
        now.insert(labels);
    }

    /// Hands everything to the store. Waits for the disk.
    async fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let tsdb = match self.from.store.open() {
            Ok(tsdb) => tsdb,
            // It will be there soon, or a later call finds out that it will not.
            Err(StoreError::Opening) if self.batch.len() < PENDING => return,
            // The keeper complains about a broken store, and a closed one means the end.
            Err(_) => return self.lose(),
        };
        let (batch, now) = (std::mem::take(&mut self.batch), self.from.clock.now());
        let work = move || {
            let done = tsdb.append(&batch, Ack::Written, now);
            (batch, done)
        };
        let problem = match tokio::task::spawn_blocking(work).await {
            Ok((batch, Ok(appended))) => {
                self.batch = batch;
                self.batch.clear();
                self.count(&appended);
                None
            }
            Ok((batch, Err(e))) => {
                self.batch = batch;
                self.lose();
                Some(Chain(&e).to_string())
            }
            Err(e) => {
                tracing::error!(error = %e, "storing samples crashed");
                Some("storing samples crashed".to_owned())
            }
        };
        if problem.is_some() != self.failing {
            self.failing = problem.is_some();
            if let Some(problem) = &problem {
                tracing::error!(error = problem, "samples cannot be stored");
            }
            let what = problem.map(|p| format!("samples cannot be stored: {p}"));
            // The board outlives this actor.
            let _ = self.from.complaints.send(Report::Complaint { part: "samples", what }).await;
        }
    }

    fn count(&self, appended: &Appended) {
        self.from.counts.recorded(appended.stored);
        let refused = appended.duplicates + appended.too_old + appended.over_limit;
        if refused > 0 {
            self.from.counts.lost(refused);
            tracing::debug!(?appended, "the store refused samples of our own");
        }
    }

    fn lose(&mut self) {
        self.from.counts.lost(self.batch.len() as u64);
        self.batch.clear();
    }
}

/// Marks the end of a series.
fn end(batch: &mut Batch, labels: &Labels, t: i64) {
    batch.series(&labels.to_buf());
    batch.push(t, STALE_NAN);
}

fn own_descriptions() -> impl Iterator<Item = (String, Meta)> {
    [
        ("probe_success", "1 when the target is up or degraded"),
        ("probe_duration_seconds", "How long the whole probe took"),
        (STATE, "0 down, 1 up, 2 degraded, 3 unknown, 4 paused"),
        ("ALERTS", "1 for every alert that is pending or fires"),
        ("ALERTS_FOR_STATE", "When the alert began, in seconds since 1970"),
    ]
    .into_iter()
    .map(|(name, help)| (name.to_owned(), Meta { kind: Kind::Gauge, help: help.to_owned(), unit: String::new() }))
}
