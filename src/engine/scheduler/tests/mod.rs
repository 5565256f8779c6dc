//! When slots run, on a clock that stands still until it is moved.

mod heard;

use tokio::sync::Semaphore;

use super::*;
use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::config::catalog::Probe;
use crate::config::model::RateLimit;
use crate::config::probing::Probing;
use crate::engine::ingest::Measured;
use crate::engine::itself::Itself;
use crate::engine::lineage::Lineage;

/// Takes this long, then is up; or panics; or fails.
#[derive(Debug)]
enum Script {
    Takes(Duration),
    Panics,
    Fails,
}

impl Collector for Script {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self {
                Self::Takes(d) => time::sleep(*d).await,
                Self::Panics => panic!("a bug in a collector"),
                Self::Fails => return Outcome::down("refused", "no"),
            }
            Outcome::up("fine")
        })
    }
}

fn monitor(name: &str, interval: u64, hash: u64, script: Script) -> Arc<Monitor> {
    Arc::new(Monitor {
        probe: Probe::new("test", name.to_owned(), script),
        schedule: Schedule::Every(Duration::from_secs(interval)),
        timeout: Duration::from_secs(interval.min(5)),
        hash,
        ..Monitor::sample(name)
    })
}

struct Rig {
    commands: mpsc::Sender<Command>,
    results: mpsc::Receiver<Measured>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    group: crate::task::supervisor::Supervisor,
    began: Instant,
}

fn runner(clock: Clock) -> (Runner, mpsc::Receiver<Measured>) {
    let (ingest, results) = mpsc::channel(100_000);
    let permits = Arc::new(Semaphore::new(1_000));
    let runner = Runner {
        clock,
        permits,
        metrics: Arc::new(Metrics::default()),
        itself: Arc::new(Itself::new(clock)),
        lineage: Lineage::default(),
        captures: crate::engine::evidence::Captures::new(clock).0,
        ingest,
    };
    (runner, results)
}

fn unknown() -> Known {
    Known { beats: HashMap::new(), heard: HashMap::new(), saves: mpsc::channel(1).0 }
}

fn rig(permits: usize) -> Rig {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let (mut runner, results) = runner(clock);
    runner.permits = Arc::new(Semaphore::new(permits));
    let metrics = Arc::clone(&runner.metrics);
    let (commands, inbox) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let mut group = crate::task::supervisor::Supervisor::new(&stop);
    let scheduler = Scheduler::new(clock, Arc::new(runner), unknown());
    group.add("scheduler", |stop| scheduler.run(inbox, stop));
    Rig { commands, results, metrics, stop, group, began: Instant::now() }
}

impl Rig {
    async fn apply(&self, monitors: Vec<Arc<Monitor>>) {
        let monitors = monitors.into_iter().map(|m| (m.name.clone(), m)).collect();
        let config = Config { monitors, ..Config::default() };
        self.commands.send(Command::Apply { config: Arc::new(config), complete: true }).await.unwrap();
    }

    /// Results until `secs` after the start: seconds, name, verdict, last attempt.
    async fn until(&mut self, secs: u64) -> Vec<(f64, String, Verdict, bool)> {
        let mut seen = Vec::new();
        let end = self.began + Duration::from_secs(secs);
        while let Ok(Some(input)) = time::timeout_at(end, self.results.recv()).await {
            let Measured { monitor, result, last, .. } = input;
            seen.push((self.began.elapsed().as_secs_f64(), monitor.name.to_string(), result.verdict, last));
        }
        seen
    }

    async fn end(self) {
        self.stop.cancel();
        assert_eq!(self.group.stop(Duration::from_secs(60)).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_target_delays_nobody_and_never_overlaps_itself() {
    let mut rig = rig(100);
    let mut all = vec![monitor("hangs", 10, 1, Script::Takes(Duration::from_secs(3_600)))];
    all.extend((0..20).map(|i| monitor(&format!("m{i}"), 10, 1, Script::Takes(Duration::from_millis(5)))));
    rig.apply(all).await;
    let seen = rig.until(100).await;
    for i in 0..20 {
        let times: Vec<f64> = seen.iter().filter(|s| s.1 == format!("m{i}")).map(|s| s.0).collect();
        assert!(times.len() >= 10, "m{i}: {times:?}");
        assert!(times.windows(2).skip(1).all(|w| (w[1] - w[0] - 10.0).abs() < 0.01), "m{i}: {times:?}");
    }
    let hung: Vec<_> = seen.iter().filter(|s| s.1 == "hangs").collect();
    assert!(hung.iter().all(|s| s.2 == Verdict::Down) && hung.len() >= 9, "{hung:?}");
    rig.end().await;
}

/// Down while it is told to be.
#[derive(Debug)]
struct Switch(Arc<std::sync::atomic::AtomicBool>);

impl Collector for Switch {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            match self.0.load(std::sync::atomic::Ordering::Relaxed) {
                true => Outcome::down("refused", "no"),
                false => Outcome::up("fine"),
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_below_a_monitor_that_is_probed_once_a_year_has_it_asked_now() {
    let mut rig = rig(100);
    let down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let cron = |text: &str| Schedule::Cron {
        text: text.to_owned(),
        cron: Box::new(text.parse().unwrap()),
        zone: jiff::tz::TimeZone::UTC,
    };
    let yearly = monitor("yearly", 10, 1, Script::Panics);
    let yearly = Arc::new(Monitor {
        probe: Probe::new("test", "yearly", Switch(Arc::clone(&down))),
        schedule: cron("0 3 1 1 *"),
        ..Monitor::clone(&yearly)
    });
    let child = monitor("child", 1, 1, Script::Fails);
    let child = Arc::new(Monitor { depends_on: vec![yearly.name.clone()], ..Monitor::clone(&child) });
    rig.apply(vec![yearly, child]).await;
    let of = |seen: &[(f64, String, Verdict, bool)], name: &str| -> Vec<Verdict> {
        seen.iter().filter(|s| s.1 == name).map(|s| s.2).collect()
    };
    // The first failure has it asked; from the second on it is blamed.
    let seen = rig.until(100).await;
    assert_eq!(of(&seen, "yearly"), [Verdict::Down; 2]);
    let child = of(&seen, "child");
    assert!(child.len() >= 99 && child[1..].iter().all(|v| *v == Verdict::Unknown), "{child:?}");
    // When it is back, that is seen within a minute, and its child is judged.
    down.store(false, std::sync::atomic::Ordering::Relaxed);
    let seen = rig.until(200).await;
    assert_eq!(of(&seen, "yearly"), [Verdict::Up; 2]);
    assert!(of(&seen, "child")[25..].iter().all(|v| *v == Verdict::Down), "{seen:?}");
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn many_slots_begin_together_and_none_early_or_late() {
    let mut rig = rig(10_000);
    rig.apply((0..5_000).map(|i| monitor(&format!("m{i}"), 10, 1, Script::Takes(Duration::ZERO))).collect()).await;
    let seen = rig.until(40).await;
    let wakes: std::collections::BTreeSet<u64> = seen.iter().map(|s| (s.0 * 1e3).round() as u64).collect();
    // 500 slots a second, in at most 100 wakings, and a start-up of 1,000 a second.
    assert!(wakes.len() <= 4_100, "{}", wakes.len());
    for i in 0..20 {
        let times: Vec<f64> = seen.iter().filter(|s| s.1 == format!("m{i}")).map(|s| s.0).collect();
        assert!(times.windows(2).skip(1).all(|w| (w[1] - w[0] - 10.0).abs() < 0.012), "m{i}: {times:?}");
    }
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn slots_are_spread_by_name() {
    let mut rig = rig(1_000);
    rig.apply((0..1_000).map(|i| monitor(&format!("m{i}"), 100, 1, Script::Takes(Duration::ZERO))).collect()).await;
    rig.until(100).await;
    let mut per_second = [0; 100];
    for (at, ..) in rig.until(200).await {
        per_second[(at as usize - 100).min(99)] += 1;
    }
    assert!(per_second.iter().all(|n| *n < 30), "{per_second:?}");
    rig.end().await;
}

/// A host that counts who comes: when, and how many at once.
#[derive(Clone, Debug)]
struct Sink(Arc<std::sync::Mutex<(u32, u32, Vec<u32>)>>, Instant);

impl Collector for Sink {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            {
                let mut seen = self.0.lock().unwrap();
                seen.0 += 1;
                seen.1 = seen.1.max(seen.0);
                let second = usize::try_from(self.1.elapsed().as_secs()).unwrap();
                let length = seen.2.len().max(second + 1);
                seen.2.resize(length, 0);
                seen.2[second] += 1;
            }
            time::sleep(Duration::from_millis(2)).await;
            self.0.lock().unwrap().0 -= 1;
            Outcome::up("fine")
        })
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_monitors_of_one_host_come_four_at_a_time_and_evenly() {
    let mut rig = rig(1_000);
    let sink = Sink(Arc::default(), Instant::now());
    let of_host = |i| {
        let probe = Probe::new("test", format!("m{i}"), sink.clone()).at("one.example");
        let plain = monitor(&format!("m{i}"), 60, 1, Script::Fails);
        Arc::new(Monitor { probe, ..Arc::unwrap_or_clone(plain) })
    };
    rig.apply((0..10_000).map(of_host).collect()).await;
    let results = rig.until(240).await;
    assert!(results.iter().all(|r| r.2 == Verdict::Up));
    let (_, most, per_second) = sink.0.lock().unwrap().clone();
    assert_eq!(most, 4);
    // Each of them is new at first: a thousand a second.
    assert!(per_second[..60].iter().all(|n| *n <= 1_010), "{per_second:?}");
    let per_second = &per_second[60..240];
    let mean = f64::from(per_second.iter().sum::<u32>()) / 180.0;
    assert!((150.0..180.0).contains(&mean), "{mean}");
    assert!(per_second.iter().all(|n| f64::from(*n) <= 3.0 * mean), "{per_second:?}");
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_with_a_rate_gets_no_more_than_that_from_the_first_second_on() {
    let mut rig = rig(1_000);
    let sink = Sink(Arc::default(), Instant::now());
    let of_host = |i| {
        let probe = Probe::new("test", format!("m{i}"), sink.clone()).at("one.example");
        let plain = monitor(&format!("m{i}"), 60, 1, Script::Fails);
        Arc::new(Monitor { probe, timeout: Duration::from_secs(55), ..Arc::unwrap_or_clone(plain) })
    };
    let monitors = (0..5_000).map(of_host).map(|m| (m.name.clone(), m)).collect();
    let rate = RateLimit { messages: 100, per: Duration::from_secs(1) };
    let probing = Probing { per_host: 4, per_host_rate: Some(rate) };
    let config = Config { monitors, probing, ..Config::default() };
    rig.commands.send(Command::Apply { config: Arc::new(config), complete: true }).await.unwrap();
    let results = rig.until(240).await;
    let (_, most, per_second) = sink.0.lock().unwrap().clone();
    assert!(most <= 4, "{most}");
    assert!(per_second.iter().all(|n| *n <= 101), "{per_second:?}");
    // Five thousand a minute fit into the rate: nobody is left out for good.
    let up = results.iter().filter(|r| r.2 == Verdict::Up).count();
    assert!(up >= 15_000, "{up} of {}", results.len());
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_an_interval_would_not_hold_is_spread_over_it() {
    let mut rig = rig(100_000);
    rig.apply((0..20_000).map(|i| monitor(&format!("m{i}"), 5, 1, Script::Takes(Duration::ZERO))).collect()).await;
    let seen = rig.until(5).await;
    let mut per_window = [0; 501];
    for (at, ..) in &seen {
        per_window[(at * 100.0) as usize] += 1;
    }
    // 4,000 a second are 40 in each hundredth, and two hundredths may be counted as one. In the second half the
    // second slots of the first monitors come on top, half as many at its end.
    assert!(seen.len() >= 19_900, "{}", seen.len());
    assert!(per_window[..250].iter().all(|n| *n <= 81), "{per_window:?}");
    assert!(per_window[250..].iter().all(|n| *n <= 140), "{per_window:?}");
    rig.end().await;
}

/// A server that says nothing until it is well, and remembers when each of its ports was asked.
#[derive(Clone, Debug)]
struct Mute {
    name: &'static str,
    asked: Arc<std::sync::Mutex<Vec<(&'static str, f64)>>>,
    began: Instant,
    well_at: f64,
}

impl Collector for Mute {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            let at = self.began.elapsed().as_secs_f64();
            self.asked.lock().unwrap().push((self.name, at));
            if at < self.well_at {
                std::future::pending::<()>().await;
            }
            Outcome::up("fine")
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_takes_four_places_and_leaves_the_others_alone() {
    let mut rig = rig(1_000);
    let asked = Arc::default();
    let at = |name: &str, host: &str, probe: Probe| {
        Arc::new(Monitor { probe: probe.at(host), ..Arc::unwrap_or_clone(monitor(name, 10, 1, Script::Fails)) })
    };
    let names: Vec<&'static str> = (0..40).map(|i| &*format!("h{i}").leak()).collect();
    // Five are well again after a while, as any of them might be.
    let well = ["h2", "h3", "h5", "h30", "h38"];
    let mut all = Vec::new();
    for name in &names {
        let well_at = if well.contains(name) { 90.0 } else { f64::INFINITY };
        let mute = Mute { name, asked: Arc::clone(&asked), began: rig.began, well_at };
        all.push(at(name, "hangs.example", Probe::new("test", *name, mute)));
    }
    all.extend((0..20).map(|i| {
        let name = format!("g{i}");
        let probe = Probe::new("test", name.clone(), Script::Takes(Duration::from_millis(5)));
        at(&name, "good.example", probe)
    }));
    rig.apply(all).await;
    let seen = rig.until(600).await;
    let of = |name: &str| seen.iter().filter(|s| s.1 == name).collect::<Vec<_>>();
    for i in 0..20 {
        let seen = of(&format!("g{i}"));
        assert!(seen.len() >= 20 && seen.iter().all(|s| s.2 == Verdict::Up), "g{i}");
    }
    let asked = asked.lock().unwrap().clone();
    for name in &names {
        // Whoever waits in vain for an interval and a timeout is down like those that were asked, so that all are
        // judged at least every other slot; none of it is a fault of ours.
        let of_it = of(name);
        assert!(of_it.len() >= 25, "{name}");
        // A place comes free every 5 s for each of three: each is asked within 14 such times, and what it had to wait
        // for its next slot.
        let times: Vec<f64> = asked.iter().filter(|(n, _)| n == name).map(|(_, at)| *at).collect();
        let gaps = times.windows(2).map(|w| w[1] - w[0]);
        let longest = gaps.fold(times[0], f64::max).max(600.0 - times[times.len() - 1]);
        assert!(longest <= 14.0 * 5.0 + 20.0, "{name}: {longest}: {times:?}");
        assert!(of_it.iter().filter(|s| s.0 <= 90.0).all(|s| s.2 == Verdict::Down), "{name}");
        let want = if well.contains(name) { Verdict::Up } else { Verdict::Down };
        assert!(of_it.iter().filter(|s| s.0 > 180.0).all(|s| s.2 == want), "{name}: {of_it:?}");
    }
    assert_eq!(rig.metrics.starved.get(), 0);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_monitor_keeps_its_phase_over_reloads() {
    let mut rig = rig(10);
    let changed =
        |hash| vec![monitor("same", 10, 1, Script::Takes(Duration::ZERO)), monitor("other", 10, hash, Script::Fails)];
    rig.apply(changed(1)).await;
    rig.until(25).await;
    for hash in 2..30 {
        rig.apply(changed(hash)).await;
    }
    let seen = rig.until(60).await;
    let same: Vec<f64> = seen.iter().filter(|s| s.1 == "same").map(|s| s.0).collect();
    assert!(same.windows(2).all(|w| (w[1] - w[0] - 10.0).abs() < 0.01), "{same:?}");
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_collector_is_unknown_and_harms_nobody() {
    let mut rig = rig(1);
    rig.apply(vec![monitor("bad", 10, 1, Script::Panics), monitor("good", 10, 1, Script::Takes(Duration::ZERO))]).await;
    let seen = rig.until(30).await;
    assert!(seen.iter().filter(|s| s.1 == "bad").all(|s| s.2 == Verdict::Unknown));
    assert!(seen.iter().filter(|s| s.1 == "good" && s.2 == Verdict::Up).count() >= 3);
    assert!(rig.metrics.panics.get() >= 3);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_panics_outside_of_its_collector_does_not_stop_its_monitor() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let mut scheduler = Scheduler::new(clock, Arc::new(runner(clock).0), unknown());
    let m = monitor("m", 10, 1, Script::Takes(Duration::ZERO));
    scheduler.apply(&Config { monitors: [(m.name.clone(), Arc::clone(&m))].into(), ..Config::default() }, true);
    let place = scheduler.monitors.place(&m.name).unwrap();
    let run = scheduler.runs.start(place, |note| async move {
        let _note = note;
        panic!("a bug in the runner")
    });
    scheduler.monitors.at(place).unwrap().run = Some(run);
    scheduler.runs.wait();
    scheduler.runs.ended().await;
    scheduler.reap();
    assert!(scheduler.monitors.get(&m.name).unwrap().run.is_none());
    assert_eq!(scheduler.metrics.panics.get(), 1);
    scheduler.start_due();
    assert!(scheduler.monitors.get(&m.name).unwrap().run.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_whether_it_came_before_it_was_awaited_or_after() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let mut scheduler = Scheduler::new(clock, Arc::new(runner(clock).0), unknown());
    let m = monitor("m", 10, 1, Script::Takes(Duration::ZERO));
    scheduler.apply(&Config { monitors: [(m.name.clone(), Arc::clone(&m))].into(), ..Config::default() }, true);
    let place = scheduler.monitors.place(&m.name).unwrap();
    let (runs, mut ended) = (Runs::default(), Vec::new());
    let over = [Ended { place, panicked: false }];
    let first = runs.start(place, |note| async move { drop(note) });
    while runs.len() > 0 {
        tokio::task::yield_now().await;
    }
    runs.wait();
    runs.ended().await;
    runs.take(&mut ended, false);
    assert_eq!(std::mem::take(&mut ended), over);
    runs.wait();
    let second = runs.start(place, |note| async move {
        let _note = note;
        time::sleep(Duration::from_secs(1)).await;
    });
    runs.ended().await;
    runs.take(&mut ended, false);
    assert_eq!(ended, over);
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_form_that_is_gone_is_aborted_and_does_not_count_for_the_next() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let mut scheduler = Scheduler::new(clock, Arc::new(runner(clock).0), unknown());
    let apply = |scheduler: &mut Scheduler, hash| {
        let m = monitor("m", 10, hash, Script::Takes(Duration::from_secs(60)));
        scheduler.apply(&Config { monitors: [(m.name.clone(), m)].into(), ..Config::default() }, true);
        scheduler.start_due();
        scheduler.monitors.place(&MonitorName::new("m").unwrap()).unwrap()
    };
    let old = apply(&mut scheduler, 1);
    let new = apply(&mut scheduler, 2);
    assert!(old != new && scheduler.monitors.at(old).is_none());
    scheduler.runs.wait();
    scheduler.runs.ended().await;
    scheduler.reap();
    assert!(scheduler.monitors.at(new).unwrap().run.is_some());
    assert_eq!(scheduler.runs.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_a_permit_is_unknown_not_down() {
    let mut rig = rig(1);
    let hog = monitor("hog", 60, 1, Script::Takes(Duration::from_secs(4)));
    let rest = (0..3).map(|i| monitor(&format!("m{i}"), 2, 1, Script::Takes(Duration::ZERO)));
    rig.apply(std::iter::once(hog).chain(rest).collect()).await;
    let seen = rig.until(30).await;
    assert!(seen.iter().any(|s| s.2 == Verdict::Unknown), "{seen:?}");
    assert!(seen.iter().all(|s| s.2 != Verdict::Down), "{seen:?}");
    assert!(rig.metrics.starved.get() > 0);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn retries_come_before_the_verdict_and_end_before_the_next_slot() {
    let mut rig = rig(10);
    let mut m = Arc::unwrap_or_clone(monitor("m", 10, 1, Script::Fails));
    m.retries = 2;
    m.timeout = Duration::from_secs(1);
    rig.apply(vec![Arc::new(m)]).await;
    let seen = rig.until(9).await;
    let last: Vec<bool> = seen.iter().map(|s| s.3).take(3).collect();
    assert_eq!(last, [false, false, true], "{seen:?}");
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn time_that_the_process_slept_through_is_counted_not_replayed() {
    let mut rig = rig(10);
    rig.apply(vec![monitor("m", 1, 1, Script::Takes(Duration::ZERO))]).await;
    rig.until(5).await;
    // Nothing is polled while the clock jumps: what a suspended machine looks like.
    time::advance(Duration::from_secs(600)).await;
    let seen = rig.until(608).await;
    assert!(seen.len() <= 5, "{seen:?}");
    assert!(rig.metrics.missed_late.get() >= 595, "{}", rig.metrics.missed_late.get());
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_monitor_stops_in_the_middle_of_its_probe() {
    let mut rig = rig(10);
    rig.apply(vec![monitor("m", 10, 1, Script::Takes(Duration::from_secs(3)))]).await;
    rig.until(1).await;
    rig.apply(Vec::new()).await;
    assert!(rig.until(60).await.is_empty());
    assert_eq!(rig.metrics.in_flight.get(), 0);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn run_now_answers_and_refuses_to_overlap() {
    let rig = rig(10);
    rig.apply(vec![monitor("m", 3_600, 1, Script::Takes(Duration::from_secs(3)))]).await;
    let ask = async |name: &str| {
        let (reply, answer) = oneshot::channel();
        let name = MonitorName::new(name).unwrap();
        rig.commands.send(Command::RunNow { name, reply }).await.unwrap();
        answer.await.unwrap()
    };
    time::sleep(Duration::from_secs(1)).await;
    // The first probe of a new monitor is under way.
    assert!(matches!(ask("m").await, Err(EngineError::AlreadyRunning(_))));
    time::sleep(Duration::from_secs(4)).await;
    assert_eq!(ask("m").await.unwrap().verdict, Verdict::Up);
    assert!(matches!(ask("nope").await, Err(EngineError::NoSuchMonitor { .. })));
    rig.end().await;
}

fn cron_monitor(name: &str, text: &str) -> Arc<Monitor> {
    let cron = Box::new(text.parse().unwrap());
    let schedule = Schedule::Cron { text: text.to_owned(), cron, zone: jiff::tz::TimeZone::UTC };
    Arc::new(Monitor { schedule, ..Arc::unwrap_or_clone(monitor(name, 10, 1, Script::Takes(Duration::ZERO))) })
}

#[tokio::test(start_paused = true)]
async fn a_cron_slot_comes_once_and_one_that_never_comes_never_runs() {
    // The rig's clock begins at 22:13:20.
    let mut rig = rig(10);
    rig.apply(vec![cron_monitor("hourly", "0 * * * *"), cron_monitor("never", "0 0 30 2 *")]).await;
    let seen = rig.until(2 * 3_600).await;
    let times: Vec<_> = seen.iter().map(|s| (s.0 as u64, s.1.as_str())).collect();
    assert_eq!(times, [(2_800, "hourly"), (6_400, "hourly")]);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_brings_a_cron_slot_nearer() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let mut scheduler = Scheduler::new(clock, Arc::new(runner(clock).0), unknown());
    let config = Config {
        monitors: [cron_monitor("hourly", "0 * * * *")].into_iter().map(|m| (m.name.clone(), m)).collect(),
        ..Config::default()
    };
    scheduler.apply(&config, true);
    let name = MonitorName::new("hourly").unwrap();
    scheduler.clock = Clock::starting_at(Timestamp::from_millis(1_600_000_000_000));
    time::advance(slots::CRON_RECHECK).await;
    scheduler.start_due();
    let (next, now) = (scheduler.monitors.get(&name).unwrap().cron_at.unwrap(), scheduler.clock.now());
    assert!(next.since(now) <= Duration::from_secs(3_600) && next > now, "{next:?}");
}
