//! Writes what the engine itself knows into the store: results of probes, alerts, and its own metrics.
//!
//! A series that a monitor had with its last result and lacks now gets a staleness marker, and so do all
//! series of a monitor that was paused or removed: they end at once instead of five minutes later.
//! Nobody waits for this actor. While the disk is slow its inbox fills, and what ingest cannot hand over
//! is dropped there and counted.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::failure::Chain;
use crate::base::labels::Labels;
use crate::base::name::{ByMonitor, MonitorName};
use crate::base::outcome::Verdict;
use crate::base::sample::STALE_NAN;
use crate::base::scraped::{ScrapeJob, Scraped};
use crate::config::model::{Config, Monitor};
use crate::engine::board::Report;
use crate::engine::intake::Intake;
use crate::engine::intake::metrics::IntakeMetrics;
use crate::engine::metrics::Metrics;
use crate::engine::reload::Applied;
use crate::engine::storage::described::Described;
use crate::engine::storage::jobs::ScrapeJobs;
use crate::engine::storage::outcome::{self, PAUSED, STATE};
use crate::engine::storage::own::{self, AlertSeries};
use crate::engine::storage::shape::Shape;
use crate::engine::storage::{Store, StoreError};
use crate::tsdb::{Ack, Appended, Batch};
use crate::wire::api::ProbeResult;
use crate::wire::board::{AlertRow, Board};

/// How often alerts, paused monitors and the engine's own metrics are written.
pub(crate) const OWN_EVERY: Duration = Duration::from_secs(15);
/// What is held while the store is being opened, in samples.
const PENDING: usize = 500_000;

/// A result to be stored.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The monitor.
    pub monitor: Arc<Monitor>,
    /// What was found; nothing for an attempt that is repeated.
    pub result: Option<Arc<ProbeResult>>,
    /// Series that are stored as they are.
    pub series: Option<Scraped>,
}

impl Recorded {
    /// How many samples of scraped series it holds.
    pub fn scraped(&self) -> usize {
        self.series.as_ref().map_or(0, Scraped::len)
    }

    /// How many samples it makes.
    pub fn samples(&self) -> u64 {
        // `probe_success`, `probe_duration_seconds` and the state come on top of the kind's own.
        let own = self.result.as_ref().map_or(0, |r| r.samples.len() + 3);
        (own + self.scraped()) as u64
    }
}

/// What the recorder is given.
pub struct Sources {
    /// The wall clock.
    pub clock: Clock,
    /// Where samples go.
    pub store: Arc<Store>,
    /// Told of descriptions.
    pub intake: Arc<Intake>,
    /// Told which jobs scrape.
    pub jobs: Arc<ScrapeJobs>,
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
    /// Scraped series, which are stored as they came.
    scraped: Vec<Batch>,
    monitors: ByMonitor<Known>,
    described: Described,
    alerts: AlertSeries,
    /// The rows that they are of: most boards have the same ones.
    shown: Vec<Arc<AlertRow>>,
    failing: bool,
}

/// The series of one monitor.
#[derive(Default)]
struct Known {
    base: Labels,
    /// Hash of the definition that `base` is of.
    hash: u64,
    /// The series that have not ended.
    shape: Shape,
    paused: bool,
    /// What scrapes, for kinds that do.
    job: Option<Arc<dyn ScrapeJob>>,
}

impl Known {
    /// Ends all series that were scraped.
    fn end_scraped(&mut self, batch: &mut Batch, t: i64) {
        if let Some(job) = self.job.take() {
            job.live(&mut |key| end_key(batch, key, t));
        }
    }
}

impl Recorder {
    /// Starts with nothing written.
    pub fn new(from: Sources) -> Self {
        Self {
            from,
            batch: Batch::default(),
            scraped: Vec::new(),
            monitors: ByMonitor::default(),
            described: Described::default(),
            alerts: AlertSeries::default(),
            shown: Vec::new(),
            failing: false,
        }
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
                    results.into_iter().for_each(|r| self.take(r));
                    // Scraped series may be many: what the store has not taken stays where it is bounded.
                    while self.held() < PENDING && let Ok(more) = inbox.try_recv() {
                        more.into_iter().for_each(|r| self.take(r));
                    }
                }
            }
            self.flush().await;
        }
        while let Ok(results) = inbox.try_recv() {
            results.into_iter().for_each(|r| self.take(r));
        }
        self.flush().await;
    }

    fn take(&mut self, Recorded { monitor, result, series }: Recorded) {
        let known = self.monitors.entry(monitor.name.clone()).or_default();
        if known.paused {
            // It was paused while this probe ran; its series have ended.
            return;
        }
        if let Some(series) = series {
            self.series(&monitor.name, series);
        }
        if let Some(result) = result {
            self.result(&monitor, &result);
        }
    }

    /// Samples that the store has not taken yet.
    fn held(&self) -> usize {
        self.batch.len() + self.scraped.iter().map(Batch::len).sum::<usize>()
    }

    /// Takes scraped series. When another object scrapes for the monitor than before, because its definition
    /// changed, those series end that the new one does not go on with.
    fn series(&mut self, name: &MonitorName, Scraped { batches, described, job }: Scraped) {
        let known = self.monitors.entry(name.clone()).or_default();
        match &known.job {
            Some(old) if Arc::ptr_eq(old, &job) => {}
            old => {
                if let Some(old) = old {
                    let go_on: HashSet<&str> = batches.iter().flat_map(Batch::iter).map(|(key, _)| key).collect();
                    let (t, batch) = (self.from.clock.now().millis(), &mut self.batch);
                    old.live(&mut |key| {
                        if !go_on.contains(key) {
                            end_key(batch, key, t);
                        }
                    });
                }
                self.from.jobs.set(name, &job);
                known.job = Some(job);
            }
        }
        self.scraped.extend(batches.into_iter().filter(|batch| !batch.is_empty()));
        self.described.add(described);
    }

    fn result(&mut self, monitor: &Monitor, result: &ProbeResult) {
        let known = self.monitors.entry(monitor.name.clone()).or_default();
        if known.hash != monitor.hash || known.base.is_empty() {
            (known.base, known.hash) = (outcome::labels_of(monitor), monitor.hash);
            known.shape.renew();
        }
        let (t, batch) = (result.at.millis(), &mut self.batch);
        let again = known.shape.resolve(&known.base, result, |labels, value| {
            batch.series_of(labels.as_key());
            batch.push(t, value);
        });
        if !again {
            self.described.look(monitor.probe.kind, result);
        }
        if self.described.has_room() {
            self.described.add(monitor.probe.collector.take_described());
        }
        if again
            && let Ok(tsdb) = self.from.store.open()
            && let Some(labels) = known.shape.unshared()
        {
            tsdb.share(labels);
        }
        // One that is unknown measured nothing: what was measured before is not over.
        if result.verdict != Verdict::Unknown {
            known.shape.take_others().iter().for_each(|labels| end(batch, labels, t));
        }
    }

    /// Ends the series of monitors that are gone or paused.
    fn configured(&mut self) {
        let config: Arc<Config> = Arc::clone(&self.from.config.borrow_and_update().config);
        let t = self.from.clock.now().millis();
        let batch = &mut self.batch;
        self.monitors.retain(|name, known| {
            let there = config.monitors.contains_key(name);
            if !there {
                known.shape.take_all().iter().for_each(|labels| end(batch, labels, t));
                known.end_scraped(batch, t);
                self.from.jobs.remove(name);
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
                        for labels in known.shape.take_all() {
                            if labels.metric_name() != STATE {
                                end(batch, &labels, t);
                            }
                        }
                        known.end_scraped(batch, t);
                        self.from.jobs.remove(name);
                    }
                    known.paused = monitor.paused;
                    if known.hash != monitor.hash {
                        (known.base, known.hash) = (outcome::labels_of(monitor), monitor.hash);
                        known.shape.renew();
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
            known.shape.add_other(labels.labels());
        }
    }

    /// Everything that is written at intervals.
    fn own(&mut self) {
        self.write_paused();
        self.write_alerts(true);
        let described = own::metrics(&self.from.metrics, &self.from.host, self.from.clock.now(), &mut self.batch);
        self.from.intake.describe(described);
    }

    fn write_alerts(&mut self, all: bool) {
        let board = Arc::clone(&self.from.board.borrow());
        let same = |(a, b): (&Arc<AlertRow>, &Arc<AlertRow>)| Arc::ptr_eq(a, b);
        let unchanged = board.alerts.len() == self.shown.len() && board.alerts.iter().zip(&self.shown).all(same);
        if all || !unchanged {
            self.shown.clone_from(&board.alerts);
            self.alerts.write(&board, all, self.from.clock.now(), &mut self.batch);
        }
    }

    /// Hands everything to the store. Waits for the disk.
    async fn flush(&mut self) {
        if self.batch.is_empty() && self.scraped.is_empty() {
            return;
        }
        let tsdb = match self.from.store.open() {
            Ok(tsdb) => tsdb,
            // It will be there soon, or a later call finds out that it will not.
            Err(StoreError::Opening) if self.held() < PENDING => return,
            // The keeper complains about a broken store, and a closed one means the end.
            Err(_) => return self.lose(),
        };
        let (intake, described) = (Arc::clone(&self.from.intake), self.described.take());
        let (batch, now) = (std::mem::take(&mut self.batch), self.from.clock.now());
        let scraped = std::mem::take(&mut self.scraped);
        let work = move || {
            intake.describe(described);
            let mut done = Vec::with_capacity(scraped.len() + 1);
            if !batch.is_empty() {
                done.push((false, batch.len(), tsdb.append(&batch, Ack::Written, now)));
            }
            done.extend(scraped.iter().map(|batch| (true, batch.len(), tsdb.append(batch, Ack::Written, now))));
            (batch, done)
        };
        let problem = match tokio::task::spawn_blocking(work).await {
            Ok((batch, done)) => {
                self.batch = batch;
                self.batch.clear();
                let mut problem = None;
                for (scraped, samples, appended) in done {
                    match appended {
                        Ok(appended) => self.count(&appended, scraped),
                        Err(e) => {
                            self.from.counts.lost(samples as u64);
                            problem = Some(Chain(&e).to_string());
                        }
                    }
                }
                problem
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

    fn count(&self, appended: &Appended, scraped: bool) {
        match scraped {
            true => self.from.counts.scraped(appended.stored),
            false => self.from.counts.recorded(appended.stored),
        }
        let refused = appended.duplicates + appended.too_old + appended.over_limit;
        if refused > 0 {
            self.from.counts.lost(refused);
            tracing::debug!(?appended, "the store refused samples of our own");
        }
    }

    /// What their metrics are is kept: nobody says it again.
    fn lose(&mut self) {
        self.from.counts.lost(self.held() as u64);
        self.batch.clear();
        self.scraped.clear();
    }
}

/// Marks the end of a series.
pub(super) fn end(batch: &mut Batch, labels: &Labels, t: i64) {
    end_key(batch, labels.as_key(), t);
}

/// The same by its encoded labels.
fn end_key(batch: &mut Batch, key: &str, t: i64) {
    batch.series_of(key);
    batch.push(t, STALE_NAN);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::BoxFuture;
    use crate::base::labels::METRIC_NAME;
    use crate::base::matcher::Matcher;
    use crate::base::metadata::{Kind, Meta};
    use crate::base::outcome::{Outcome, Sample};
    use crate::base::probe::{Collector, ProbeCx};
    use crate::base::sample::{Column, is_stale};
    use crate::base::time::Timestamp;
    use crate::engine::query::Queries;
    use crate::engine::query::metrics::QueryMetrics;
    use crate::promql::source::{Resolution, Select, Source, Want};
    use crate::tsdb::{Options, Tsdb};
    use crate::wire::api::ConfigStatus;

    const T: Timestamp = Timestamp::from_millis(1_763_900_000_000);

    fn monitor(name: &str, paused: bool) -> Arc<Monitor> {
        Arc::new(Monitor {
            labels: Labels::new([("team", "web")]),
            paused,
            hash: u64::from(paused),
            ..Monitor::sample(name)
        })
    }

    fn applied(monitors: &[Arc<Monitor>]) -> Applied {
        let monitors = monitors.iter().map(|m| (m.name.clone(), Arc::clone(m))).collect();
        let status = ConfigStatus {
            dir: String::new(),
            loaded: T,
            files: 1,
            monitors: 1,
            stale: Vec::new(),
            problems: Vec::new(),
        };
        Applied { config: Arc::new(Config { monitors, ..Config::default() }), status: Arc::new(status) }
    }

    fn result(seconds: u64, samples: Vec<Sample>) -> Arc<ProbeResult> {
        Arc::new(ProbeResult {
            at: T.plus(Duration::from_secs(seconds)),
            verdict: Verdict::Up,
            reason: None,
            summary: String::new(),
            took: Duration::from_millis(5),
            attempt: 1,
            phases: Vec::new(),
            checks: Vec::new(),
            samples,
            evidence: None,
        })
    }

    /// A recorder over a store of its own, and what holds it up.
    struct Bench {
        recorder: Recorder,
        tsdb: Arc<Tsdb>,
        config: watch::Sender<Applied>,
        _board: watch::Sender<Arc<Board>>,
        complaints: mpsc::Receiver<Report>,
        _dir: tempfile::TempDir,
    }

    fn bench(monitors: &[Arc<Monitor>]) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let (clock, metrics) = (Clock::starting_at(T), Arc::new(Metrics::default()));
        let tsdb = Arc::new(Tsdb::open(dir.path(), Options::default(), T).unwrap());
        let store = Arc::clone(&metrics.store);
        drop(store.set(Ok(Arc::clone(&tsdb))));
        let text = r#"{"rev":1,"at":"2025-11-23T12:13:20.120Z","server":{"instance":"","version":"","pid":1,
            "started":"2025-11-23T12:13:20.120Z","config_dir":"","http":null},"monitors":[],"alerts":[],"events":[],
            "engine":{"monitors":0,"lag_p99":0,"missed_slots":0,"outbox":0,"receivers":0,"problems":0,
            "config_loaded":null,"complaints":[]},"verdict":{"worst":null,"sentence":"","since":null,
            "first_to_break":null}}"#;
        let (board, boards) = watch::channel(Arc::new(serde_json::from_str(text).unwrap()));
        let (config, configs) = watch::channel(applied(monitors));
        let (complain, complaints) = mpsc::channel(8);
        let recorder = Recorder::new(Sources {
            clock,
            store: Arc::clone(&store),
            intake: Arc::new(Intake::new(clock, store, metrics.intake.clone())),
            jobs: Arc::default(),
            counts: metrics.intake.clone(),
            metrics,
            host: "box".to_owned(),
            board: boards,
            complaints: complain,
            config: configs,
        });
        Bench { recorder, tsdb, config, _board: board, complaints, _dir: dir }
    }

    impl Bench {
        /// Values of each series of a metric, `end` for a staleness marker.
        fn values(&self, metric: &str) -> Vec<(Labels, Vec<String>)> {
            let select = Select {
                matchers: &[Matcher::equal(METRIC_NAME, metric)],
                start: 0,
                end: T.millis() * 2,
                step: 0,
                window: 0,
                want: Want::Last,
                resolution: Some(Resolution::Raw),
                max_series: 100,
                cancel: None,
            };
            let set = self.tsdb.select(&select).unwrap();
            let mut column = Column::default();
            let mut read = |i| {
                set.reader().read(i, &mut column).unwrap();
                column.v.iter().map(|v| if is_stale(*v) { "end".to_owned() } else { v.to_string() }).collect()
            };
            (0..set.len()).map(|i| (set.labels(i), read(i))).collect()
        }

        fn only(&self, metric: &str) -> Vec<String> {
            let mut all = self.values(metric);
            assert_eq!(all.len(), 1, "{metric}: {all:?}");
            all.remove(0).1
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_series_that_a_result_lacks_ends_with_it() {
        let shop = monitor("shop", false);
        let mut bench = bench(&[Arc::clone(&shop)]);
        for (t, samples) in [(1, vec![Sample::new("a", 1.0)]), (2, vec![]), (3, vec![Sample::new("a", 3.0)])] {
            bench.recorder.result(&shop, &result(t, samples));
        }
        bench.recorder.flush().await;
        assert_eq!(bench.only("a"), ["1", "end", "3"]);
        assert_eq!(bench.only("probe_success"), ["1", "1", "1"]);
        let labels = &bench.values("probe_success")[0].0;
        let want = r#"{__name__="probe_success", instance="shop", monitor="shop", team="web", type="test"}"#;
        assert_eq!(labels.to_string(), want);
    }

    #[tokio::test(start_paused = true)]
    async fn series_of_a_monitor_that_is_paused_or_removed_end() {
        let (shop, gone) = (monitor("shop", false), monitor("gone", false));
        let mut bench = bench(&[Arc::clone(&shop), Arc::clone(&gone)]);
        for monitor in [&shop, &gone] {
            bench.recorder.result(monitor, &result(0, Vec::new()));
        }
        bench.recorder.flush().await;
        time::advance(Duration::from_secs(1)).await;
        bench.config.send_replace(applied(&[monitor("shop", true)]));
        bench.recorder.configured();
        bench.recorder.flush().await;
        let ended: Vec<_> = bench.values("probe_success").into_iter().map(|(_, values)| values).collect();
        assert_eq!(ended, [["1", "end"], ["1", "end"]]);
        let states: Vec<_> = bench.values(STATE).into_iter().map(|(_, values)| values).collect();
        assert_eq!(states, [["1", "end"], ["1", "4"]], "in order of name: gone, shop");
        // A probe that was under way when its monitor was paused is not recorded.
        bench.recorder.take(Recorded { monitor: shop, result: Some(result(2, Vec::new())), series: None });
        bench.recorder.flush().await;
        assert_eq!(bench.values("probe_success")[1].1.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_monitor_and_the_store_share_the_label_sets_of_its_series() {
        let shop = monitor("shop", false);
        let mut bench = bench(&[Arc::clone(&shop)]);
        for second in 0..2 {
            bench.recorder.result(&shop, &result(second, Vec::new()));
            bench.recorder.flush().await;
        }
        let tsdb = bench.recorder.from.store.open().unwrap();
        let ours = bench.recorder.monitors.get_mut(&shop.name).unwrap().shape.take_all();
        assert_eq!(ours.len(), 3);
        for labels in ours {
            let mut copy = Labels::from_key(labels.as_key());
            assert_ne!(copy.as_key().as_ptr(), labels.as_key().as_ptr());
            tsdb.share([&mut copy].into_iter());
            assert_eq!(copy.as_key().as_ptr(), labels.as_key().as_ptr(), "{labels}");
        }
    }

    /// A job with one series.
    #[derive(Debug)]
    struct Job(&'static str);

    impl Job {
        fn labels(&self) -> Labels {
            Labels::new([(METRIC_NAME, self.0), ("job", "j")])
        }

        fn scraped(self: &Arc<Self>, seconds: u64) -> Option<Scraped> {
            let mut batch = Batch::default();
            batch.series_of(self.labels().as_key());
            batch.push(T.plus(Duration::from_secs(seconds)).millis(), 7.0);
            let described = vec![(self.0.to_owned(), Meta { kind: Kind::Counter, ..Meta::default() })];
            Some(Scraped { batches: vec![batch], described, job: Arc::clone(self) as Arc<dyn ScrapeJob> })
        }
    }

    impl ScrapeJob for Job {
        fn live(&self, each: &mut dyn FnMut(&str)) {
            each(self.labels().as_key());
        }

        fn targets(&self) -> crate::base::scraped::Targets {
            crate::base::scraped::Targets::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn scraped_series_are_stored_as_they_are_and_end_with_their_job() {
        let shop = monitor("shop", false);
        let mut bench = bench(&[Arc::clone(&shop)]);
        let take = |bench: &mut Bench, series| {
            bench.recorder.take(Recorded { monitor: Arc::clone(&shop), result: None, series });
        };
        let (old, new) = (Arc::new(Job("a")), Arc::new(Job("b")));
        take(&mut bench, old.scraped(0));
        take(&mut bench, old.scraped(1));
        bench.recorder.flush().await;
        assert_eq!(bench.values("a"), [(old.labels(), vec!["7".to_owned(), "7".to_owned()])]);
        assert_eq!(bench.recorder.from.intake.metadata(Some("a"), 1)[0].1.kind, Kind::Counter);
        assert_eq!(bench.recorder.from.jobs.targets().len(), 1);
        // Another definition: what it does not go on with ends.
        time::advance(Duration::from_secs(2)).await;
        take(&mut bench, new.scraped(2));
        bench.recorder.flush().await;
        assert_eq!((bench.only("a").last().unwrap().as_str(), bench.only("b")), ("end", vec!["7".to_owned()]));
        // The same series by another object goes on.
        take(&mut bench, Arc::new(Job("b")).scraped(3));
        bench.recorder.flush().await;
        assert_eq!(bench.only("b"), ["7", "7"]);
        time::advance(Duration::from_secs(2)).await;
        bench.config.send_replace(applied(&[]));
        bench.recorder.configured();
        bench.recorder.flush().await;
        assert_eq!(bench.only("b"), ["7", "7", "end"]);
        assert!(bench.recorder.from.jobs.targets().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_series_is_is_told_with_the_first_of_its_kind() {
        let mut web = Monitor::sample("shop");
        web.probe.kind = "http";
        let shop = Arc::new(web);
        let mut bench = bench(&[Arc::clone(&shop)]);
        let samples = || vec![Sample::new("probe_http_status_code", 200.0), Sample::new("of_the_target", 1.0)];
        bench.recorder.result(&shop, &result(0, samples()));
        assert_eq!(bench.recorder.described.take().len(), 1, "of the other one nobody knows what it is");
        bench.recorder.result(&shop, &result(1, [samples(), vec![Sample::new("b", 1.0)]].concat()));
        assert!(bench.recorder.described.take().is_empty(), "it was told");
        let more = vec![Sample::new("probe_http_redirects", 0.0)];
        bench.recorder.result(&shop, &result(2, [more, samples()].concat()));
        bench.recorder.flush().await;
        let described = bench.recorder.from.intake.metadata(None, 9);
        let names: Vec<_> = described.iter().map(|(name, meta)| (name.as_str(), meta.kind)).collect();
        assert_eq!(names, [("probe_http_redirects", Kind::Gauge)]);
    }

    /// Says of its target's metrics what it is given to say.
    #[derive(Debug, Default)]
    struct Says(std::sync::Mutex<Vec<(String, Meta)>>);

    impl Collector for Says {
        fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
            Box::pin(std::future::pending())
        }

        fn take_described(&self) -> Vec<(String, Meta)> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_target_says_is_told_whenever_it_does_but_not_of_a_kinds_own_metrics() {
        const OWN: &str = "probe_http_redirects";
        let says = Arc::new(Says::default());
        let (mut web, mut script) = (Monitor::sample("shop"), Monitor::sample("script"));
        web.probe.kind = "http";
        script.probe.collector = Arc::clone(&says) as Arc<dyn Collector>;
        let (web, script) = (Arc::new(web), Arc::new(script));
        let mut bench = bench(&[Arc::clone(&web), Arc::clone(&script)]);
        // Before the kind has said a word, and after; the series are always the same.
        for (second, help) in [(0, "One."), (1, "Two."), (2, "Three.")] {
            let said = |name: &str| (name.to_owned(), Meta { kind: Kind::Counter, help: help.into(), unit: "".into() });
            *says.0.lock().unwrap() = vec![said("its"), said(OWN)];
            bench.recorder.result(&script, &result(second, vec![Sample::new("its", 1.0)]));
            bench.recorder.result(&web, &result(second, vec![Sample::new(OWN, 0.0)]));
            bench.recorder.flush().await;
            let of = |name| bench.recorder.from.intake.metadata(Some(name), 1).remove(0).1;
            assert_eq!(of("its").help, help);
            assert_eq!((of(OWN).kind, of(OWN).help.as_str()), (Kind::Gauge, "Redirects that were followed"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_metrics_are_series() {
        let mut bench = bench(&[]);
        bench.recorder.own();
        bench.recorder.flush().await;
        let found = bench.values("watchdog_config_reloads_total");
        let want = r#"{__name__="watchdog_config_reloads_total", instance="box", job="watchdog"}"#;
        assert_eq!((found[0].0.to_string().as_str(), found[0].1.as_slice()), (want, &["0".to_owned()][..]));
        let described = bench.recorder.from.intake.metadata(Some("watchdog_config_reloads"), 1);
        assert_eq!(described[0].1.kind, Kind::Counter);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_takes_nothing_is_complained_about_once() {
        let shop = monitor("shop", false);
        let mut bench = bench(&[Arc::clone(&shop)]);
        bench.tsdb.close().unwrap();
        for t in 0..2 {
            bench.recorder.result(&shop, &result(t, Vec::new()));
            bench.recorder.flush().await;
        }
        let Ok(Report::Complaint { part: "samples", what: Some(what) }) = bench.complaints.try_recv() else {
            panic!("no complaint")
        };
        assert_eq!(what, "samples cannot be stored: the store is closed");
        assert!(bench.complaints.try_recv().is_err(), "once is enough");
    }

    #[tokio::test]
    async fn what_is_recorded_can_be_asked_for() {
        let shop = monitor("shop", false);
        let mut bench = bench(&[Arc::clone(&shop)]);
        bench.recorder.result(&shop, &result(0, Vec::new()));
        bench.recorder.flush().await;
        let store = Arc::clone(&bench.recorder.from.store);
        let queries = Queries::new(bench.recorder.from.clock, store, QueryMetrics::default());
        let ask = crate::engine::query::Ask {
            text: "sum(probe_success)".to_owned(),
            at: crate::promql::value::Times::Instant(T.millis()),
            lookback: None,
            timeout: None,
            resolution: None,
        };
        let crate::promql::value::Value::Vector(all) = queries.ask(ask).await.unwrap().answer.value else {
            panic!("not a vector")
        };
        assert_eq!((all.len(), all[0].v.to_bits()), (1, 1.0_f64.to_bits()));
    }
}
