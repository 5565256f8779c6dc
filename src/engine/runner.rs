//! Runs the probe of one slot: permit, total deadline, panic isolation, retries.
//!
//! Whatever a collector does, a slot ends: its permit comes back, its result reaches ingest, and a
//! cause on our side is `unknown`, never `down`.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{self, Instant};

use crate::base::clock::Clock;
use crate::base::outcome::{BLOCKED_PROGRAM, HOST_BUSY, Outcome, TIMEOUT, Verdict};
use crate::base::policy::Policy;
use crate::base::probe::{ProbeCx, Told, Way};
use crate::base::scraped::Scraped;
use crate::base::time::Timestamp;
use crate::config::model::Monitor;
use crate::config::policy::refuses;
use crate::engine::evidence::Captures;
use crate::engine::gates::{Gate, patience};
use crate::engine::ingest::Measured;
use crate::engine::itself::Itself;
use crate::engine::lineage::Lineage;
use crate::engine::metrics::{KindLabels, Metrics, ProbeLabels};
use crate::wire::api::ProbeResult;

/// A collector that returns this long after its deadline has broken its contract and is dropped.
const GRACE: Duration = Duration::from_millis(250);
/// A probe that ends this long after its timeout was held up by this machine, not by its target.
const STARVED: Duration = Duration::from_secs(1);
/// So long before the next slot a round must have ended: one that is under way then costs that slot.
const ROUND_ENDS: Duration = Duration::from_millis(500);

/// What every slot needs; shared by all.
#[derive(Debug)]
pub struct Runner {
    /// The wall clock.
    pub clock: Clock,
    /// One for each probe under way.
    pub permits: Arc<Semaphore>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What was seen of targets.
    pub captures: Arc<Captures>,
    /// Whether it is us who do not work.
    pub itself: Arc<Itself>,
    /// Whether it is a monitor above.
    pub lineage: Lineage,
    /// Where results go. When it is full, probes wait: results are not dropped.
    pub ingest: mpsc::Sender<Measured>,
}

/// One slot of one monitor.
#[derive(Debug)]
pub struct Slot {
    /// The monitor.
    pub monitor: Arc<Monitor>,
    /// When it was due.
    pub due: Instant,
    /// No retry may end after this: the next slot begins.
    pub until: Option<Instant>,
    /// What others have told it, if they report to it.
    pub told: Option<Arc<Told>>,
    /// Where probes of its host wait for each other.
    pub gate: Option<Arc<Gate>>,
    /// What the probe may do.
    pub policy: Arc<Policy>,
}

impl Slot {
    /// Whether another attempt ends before the next slot, if it waits for its host as long as the last one.
    fn fits_another(&self, waited: Duration) -> bool {
        let end = Instant::now() + self.monitor.retry_interval + waited + self.monitor.timeout;
        self.until.is_none_or(|until| end <= until)
    }

    /// How long a probe that begins now may take.
    fn limit(&self, now: Instant) -> Duration {
        let timeout = self.monitor.timeout;
        match self.until.and_then(|until| until.checked_sub(ROUND_ENDS)) {
            Some(end) if self.monitor.probe.rounds => timeout.max(end.saturating_duration_since(now)),
            Some(_) | None => timeout,
        }
    }
}

/// One probe of a slot, or none that could begin.
struct Attempt {
    result: ProbeResult,
    series: Option<Scraped>,
    /// How late it began, for reasons of ours.
    lag: Duration,
    /// How long it waited for others of its host.
    waited: Duration,
    /// What it learned of the way.
    way: Arc<Way>,
    /// It was to say what it saw, be it a success.
    show: bool,
}

impl Runner {
    /// Probes until the verdict stands, and returns the last result.
    pub async fn run(&self, slot: Slot) -> Arc<ProbeResult> {
        let monitor = &slot.monitor;
        let mut attempt = 1;
        loop {
            let Attempt { mut result, series, lag, waited, way, show } = self.attempt(&slot, attempt).await;
            let retry = result.verdict == Verdict::Down && attempt <= monitor.retries && slot.fits_another(waited);
            if !retry {
                self.lineage.note(&monitor.name, result.verdict, result.reason.as_ref());
                self.itself.note(monitor, result.verdict, result.reason.as_ref());
                self.captures.note(monitor, &slot.policy, &way, show, &mut result);
            }
            let result = Arc::new(result);
            let measured = Measured {
                monitor: Arc::clone(monitor),
                result: Arc::clone(&result),
                series,
                lag: (attempt == 1).then_some(lag),
                last: !retry,
            };
            // A closed inbox means shutdown; the slot is over either way.
            let _ = self.ingest.send(measured).await;
            if !retry {
                return result;
            }
            attempt += 1;
            time::sleep(monitor.retry_interval).await;
        }
    }

    async fn attempt(&self, slot: &Slot, attempt: u32) -> Attempt {
        let monitor = &slot.monitor;
        let asked = if attempt == 1 { slot.due } else { Instant::now() };
        let begun = Instant::now();
        let place = match &slot.gate {
            Some(gate) => match gate.enter(&monitor.name, begun + patience(monitor)).await {
                Some(place) => Some(place),
                None => {
                    let outcome = Box::pin(self.left_out(monitor, gate, begun)).await;
                    let result = self.finish(monitor, outcome, self.clock.now(), Duration::ZERO, attempt);
                    let lag = begun.saturating_duration_since(asked);
                    let waited = begun.elapsed();
                    return Attempt { result, series: None, lag, waited, way: Arc::default(), show: false };
                }
            },
            None => None,
        };
        // Waiting for one's own host says nothing about us.
        let waited = begun.elapsed();
        let permit = match self.permits.try_acquire() {
            Ok(permit) => Some(permit),
            Err(_) => {
                let bound = asked + waited + monitor.timeout;
                time::timeout_at(bound, self.permits.acquire()).await.ok().and_then(Result::ok)
            }
        };
        let started = Instant::now();
        let at = self.clock.now();
        let lag = started.saturating_duration_since(asked).saturating_sub(waited);
        if permit.is_none() {
            let why = "no probe could start before the deadline: the engine is overloaded";
            let result = self.starved(monitor, why, attempt);
            return Attempt { result, series: None, lag, waited, way: Arc::default(), show: false };
        }
        self.metrics.lag.observe(lag.as_secs_f64());
        self.itself.started(lag);
        if slot.gate.is_some() {
            self.metrics.host_wait.observe(waited.as_secs_f64());
        }
        let under_way = InFlight::begin(&self.metrics);
        let limit = slot.limit(started);
        let cx = ProbeCx {
            deadline: started + limit,
            now: at,
            told: slot.told.clone(),
            policy: Arc::clone(&slot.policy),
            show: self.captures.wants(monitor),
            way: Arc::default(),
        };
        let mut outcome = self.probe(monitor, &cx).await;
        let series = outcome.series.take();
        drop(under_way);
        let took = started.elapsed();
        // What failed for a reason of ours tells nothing about the host.
        if let Some(gate) = slot.gate.as_ref().filter(|_| outcome.verdict != Verdict::Unknown) {
            gate.ended(&monitor.name, !is_timeout(&outcome));
        }
        // Looking into a failure may take a while, and is no probe.
        drop((permit, place));
        // The only door for what targets say: behind it every text is plain.
        let outcome = outcome.made_safe();
        let outcome = self.lineage.judge(monitor, judge_delay(outcome, took, limit));
        let outcome = match outcome.verdict {
            // On the heap, as all that most probes do not come to: each that is under way holds room for it.
            Verdict::Down => Box::pin(self.itself.judge(monitor, outcome, &cx.way, started)).await,
            Verdict::Up | Verdict::Degraded | Verdict::Unknown => outcome,
        };
        let took = match outcome.verdict {
            Verdict::Up | Verdict::Degraded if monitor.probe.stamped => outcome.phases.iter().map(|p| p.took).sum(),
            _ => took,
        };
        let result = self.finish(monitor, outcome, at, took, attempt);
        Attempt { result, series, lag, waited, way: cx.way, show: cx.show }
    }

    /// What is said of a target whose host had no place left. Where everything that was let in meanwhile hung, that is
    /// the host, and what waited behind it is down as well: `unknown` would hide it for as long as it lasts.
    async fn left_out(&self, monitor: &Monitor, gate: &Gate, since: Instant) -> Outcome {
        if !gate.hangs_since(&monitor.name, since) {
            let why = "other probes of the same host were under way all the time: see `probing.per_host`";
            return Outcome::unknown(HOST_BUSY, why);
        }
        let why =
            "not asked: all probes of the same host that ended meanwhile had no answer, and others hold its places";
        let outcome = self.lineage.judge(monitor, Outcome::down(TIMEOUT, why));
        self.itself.judge(monitor, outcome, &Way::default(), since).await
    }

    fn starved(&self, monitor: &Monitor, why: &'static str, attempt: u32) -> ProbeResult {
        self.metrics.starved.inc();
        let outcome = Outcome::unknown("local_starved", why);
        self.finish(monitor, outcome, self.clock.now(), Duration::ZERO, attempt)
    }

    async fn probe(&self, monitor: &Monitor, cx: &ProbeCx) -> Outcome {
        if let Some((why, _)) = monitor.probe.launch.as_ref().and_then(|launch| refuses(&cx.policy, launch)) {
            return Outcome::unknown(BLOCKED_PROGRAM, why);
        }
        // Calling `probe` may panic before it returns a future, so the call stands inside the guard.
        let guarded = AssertUnwindSafe(async { monitor.probe.collector.probe(cx).await }).catch_unwind();
        match time::timeout_at(cx.deadline + GRACE, guarded).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => {
                self.metrics.panics.inc();
                let what = panic_text(panic.as_ref());
                tracing::error!(monitor = %monitor.name, panic = what, "a collector panicked");
                Outcome::unknown("local_panic", format!("the probe crashed: {what}"))
            }
            // It would have to say which of its requests that was.
            Err(_) if monitor.probe.rounds => Outcome::unknown("local_busy", "the round did not end in time"),
            Err(_) => Outcome::down(TIMEOUT, format!("no answer within {:?}", monitor.timeout)),
        }
    }

    fn finish(&self, monitor: &Monitor, outcome: Outcome, at: Timestamp, took: Duration, attempt: u32) -> ProbeResult {
        let labels = ProbeLabels { r#type: monitor.probe.kind, verdict: outcome.verdict.as_str() };
        self.metrics.probes.get_or_create(&labels).inc();
        let kind = KindLabels { r#type: monitor.probe.kind };
        self.metrics.probe_seconds.get_or_create(&kind).observe(took.as_secs_f64());
        ProbeResult {
            at,
            verdict: outcome.verdict,
            reason: outcome.reason,
            summary: outcome.summary,
            took,
            attempt,
            phases: outcome.phases,
            checks: exact(outcome.checks),
            samples: exact(outcome.samples),
            evidence: outcome.evidence,
        }
    }
}

/// Counts a probe under way until it is dropped: a run that is aborted is over, too.
struct InFlight<'a>(&'a Metrics);

impl<'a> InFlight<'a> {
    fn begin(metrics: &'a Metrics) -> Self {
        metrics.in_flight.inc();
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

/// Without room for more: the newest results of all monitors are kept. Allocators that give back what is cut off are few.
fn exact<T>(mut list: Vec<T>) -> Vec<T> {
    if list.capacity() == list.len() {
        return list;
    }
    let mut exact = Vec::with_capacity(list.len());
    exact.append(&mut list);
    exact
}

fn is_timeout(outcome: &Outcome) -> bool {
    outcome.verdict == Verdict::Down && outcome.reason.as_ref().is_some_and(|r| r.class == TIMEOUT)
}

/// A failure that took much longer than the timeout allows says nothing about the target.
fn judge_delay(outcome: Outcome, took: Duration, limit: Duration) -> Outcome {
    if outcome.verdict == Verdict::Down && took > limit + STARVED {
        let message = format!("the probe was held up on this machine: {took:.1?} for a timeout of {limit:?}");
        return outcome.with_verdict(Verdict::Unknown, "local_starved", message);
    }
    outcome
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::base::BoxFuture;
    use crate::base::name::MonitorName;
    use crate::base::outcome::Phase;
    use crate::base::probe::Collector;
    use crate::config::catalog::Probe;
    use crate::config::model::Config;
    use crate::engine::gates::Gates;

    /// How much time it is given.
    #[derive(Debug, Default)]
    struct Asks(Arc<Mutex<Duration>>);

    impl Collector for Asks {
        fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
            *self.0.lock().unwrap() = cx.remaining();
            Box::pin(async { Outcome::up("") })
        }
    }

    fn runner() -> (Runner, mpsc::Receiver<Measured>) {
        let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
        let (ingest, results) = mpsc::channel(100);
        let runner = Runner {
            clock,
            permits: Arc::new(Semaphore::new(10)),
            metrics: Arc::default(),
            captures: Captures::new(clock).0,
            itself: Arc::new(Itself::new(clock)),
            lineage: Lineage::default(),
            ingest,
        };
        (runner, results)
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_has_until_shortly_before_the_next_slot_and_never_less_than_its_timeout() {
        let (runner, _results) = runner();
        for (rounds, until, want) in
            [(false, Some(10), 5_000), (true, Some(10), 9_500), (true, Some(5), 5_000), (true, None, 5_000)]
        {
            let asks = Asks::default();
            let given = Arc::clone(&asks.0);
            let probe = Probe::new("test", "shop", asks);
            let mut monitor = Monitor::sample("shop");
            monitor.probe = if rounds { probe.in_rounds() } else { probe };
            monitor.timeout = Duration::from_secs(5);
            let slot = Slot {
                monitor: Arc::new(monitor),
                due: Instant::now(),
                until: until.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
                told: None,
                gate: None,
                policy: Arc::default(),
            };
            runner.run(slot).await;
            assert_eq!(given.lock().unwrap().as_millis(), want, "{rounds} {until:?}");
        }
    }

    /// Something else keeps this program from reading the answer for a second.
    #[derive(Debug)]
    struct ReadsLate(Verdict);

    impl Collector for ReadsLate {
        fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
            let rtt = Phase { name: "rtt".into(), took: Duration::from_millis(2), failed: false };
            let outcome = Outcome { verdict: self.0, phases: vec![rtt], ..Outcome::up("") };
            Box::pin(async move {
                time::sleep(Duration::from_secs(1)).await;
                outcome
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_kernel_timed_took_as_long_as_that_and_a_failure_as_long_as_was_waited() {
        let (runner, _results) = runner();
        for (stamped, verdict, want) in
            [(true, Verdict::Up, 2), (true, Verdict::Down, 1_000), (false, Verdict::Up, 1_000)]
        {
            let probe = Probe::new("test", "shop", ReadsLate(verdict));
            let mut monitor = Monitor::sample("shop");
            monitor.probe = if stamped { probe.stamped() } else { probe };
            let (due, policy) = (Instant::now(), Arc::default());
            let slot = Slot { monitor: Arc::new(monitor), due, until: None, told: None, gate: None, policy };
            assert_eq!(runner.run(slot).await.took.as_millis(), want, "{stamped} {verdict:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_left_out_is_down_only_while_everything_that_is_let_in_hangs() {
        let (runner, _results) = runner();
        let mut monitor = Monitor::sample("shop");
        monitor.probe.host = Some("one.example".into());
        monitor.timeout = Duration::from_secs(5);
        let monitor = Arc::new(monitor);
        let mut gates = Gates::default();
        gates.configure(&Config {
            monitors: [(monitor.name.clone(), Arc::clone(&monitor))].into(),
            ..Config::default()
        });
        let gate = gates.of(&monitor).unwrap();
        let mut places = Vec::new();
        while let Some(place) = gate.enter(&monitor.name, Instant::now()).await {
            places.push(place);
        }
        assert_eq!(places.len(), 4);
        let other = MonitorName::new("other").unwrap();
        let left_out = async |ends: &[bool]| {
            let slot = Slot {
                monitor: Arc::clone(&monitor),
                due: Instant::now(),
                until: None,
                told: None,
                gate: Some(Arc::clone(&gate)),
                policy: Arc::default(),
            };
            let others = async {
                time::sleep(Duration::from_secs(1)).await;
                ends.iter().for_each(|answered| gate.ended(&other, *answered));
            };
            let (result, ()) = tokio::join!(runner.run(slot), others);
            (result.verdict, result.reason.as_ref().map(|r| r.class.to_string()).unwrap_or_default())
        };
        let busy = (Verdict::Unknown, HOST_BUSY.to_owned());
        assert_eq!(left_out(&[]).await, busy);
        assert_eq!(left_out(&[false, false, false]).await, busy);
        assert_eq!(left_out(&[false; 5]).await, (Verdict::Down, TIMEOUT.to_owned()));
        assert_eq!(left_out(&[false, false, true, false, false, false]).await, busy);
        assert_eq!(runner.metrics.starved.get(), 0);
    }
}
