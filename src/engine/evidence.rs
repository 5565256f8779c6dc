//! Evidence of how a target failed first, beside how it was when it last worked.
//!
//! When a monitor of another machine goes down, the way there is looked at once: outside of the probe's deadline,
//! bounded in time, few at a time. Ten thousand that fail at once are not all looked at: what does not find a
//! place is left out, and the probe's own evidence is kept all the same. A monitor that works is looked at when
//! nothing else is to do, so that there is something to compare with. All of it is lost with the process: what was down
//! before the start has no first failure until it has worked once.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{self, Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::name::{ByMonitor, MonitorName};
use crate::base::outcome::{Evidence, Verdict};
use crate::base::policy::Policy;
use crate::base::probe::{ProbeCx, Way};
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::collect::capture;
use crate::config::model::{Config, Monitor};
use crate::wire::api::{Capture, ProbeResult};

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(10);
/// Looks at a time.
const AT_ONCE: usize = 4;
/// Failures that wait for a look; more are left out.
const WAITING: usize = 64;
/// The least time between looks at what works.
const IDLE_PACE: Duration = Duration::from_secs(1);
/// A look at what works is repeated after this time: paths change.
const REFRESH: Duration = Duration::from_secs(6 * 3_600);
/// Failures kept with their evidence. The oldest goes first.
const MAX_KEPT: usize = 1_000;
/// Bytes kept of how monitors were while they worked. The oldest goes first.
const MAX_WORKED: usize = 4 << 20;
/// Longest text of one piece of evidence: the first KiB says what a body is.
const MAX_TEXT: usize = 1_024;

/// What is known of one monitor.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How it failed first, since it last worked.
    pub failed: Option<Arc<Capture>>,
    /// How it was when it last was looked at while it worked.
    pub worked: Option<Arc<Capture>>,
}

#[derive(Debug, Default)]
struct Kept {
    seen: Seen,
    /// A look at it while it works is waited for.
    asked: bool,
    /// When it was last looked at while it worked.
    looked: Option<Instant>,
}

/// What is kept of all monitors, and in which order it goes.
#[derive(Debug, Default)]
struct Shelf {
    monitors: ByMonitor<Kept>,
    /// Those that were down last: most results look only here, and find that it is small.
    down: HashSet<MonitorName>,
    /// Of each monitor with a failure, its time.
    failures: BTreeSet<(Timestamp, MonitorName)>,
    /// The same of each with a success.
    successes: BTreeSet<(Timestamp, MonitorName)>,
    /// Bytes of all successes.
    bytes: usize,
}

/// A monitor whose way is to be looked at.
#[derive(Debug)]
struct Job {
    monitor: Arc<Monitor>,
    policy: Arc<Policy>,
    /// By the monitor's own way, which may lead elsewhere than the system's resolver.
    dialled: Vec<IpAddr>,
    failed: bool,
    capture: Capture,
}

/// The evidence of all monitors.
#[derive(Debug)]
pub struct Captures {
    clock: Clock,
    /// Leaf data, locked for a few lines.
    kept: Mutex<Shelf>,
    /// Full: the look is left out.
    failures: mpsc::Sender<Job>,
    /// Full: the monitor is asked again at its next success.
    successes: mpsc::Sender<Job>,
}

/// Where looks are taken; for [`run`].
#[derive(Debug)]
pub struct Inbox {
    failures: mpsc::Receiver<Job>,
    successes: mpsc::Receiver<Job>,
}

impl Captures {
    /// No evidence yet.
    pub fn new(clock: Clock) -> (Arc<Self>, Inbox) {
        // Full means that looks are left out: see the fields.
        let (failures, waiting) = mpsc::channel(WAITING);
        let (successes, idle) = mpsc::channel(1);
        let captures = Self { clock, kept: Mutex::default(), failures, successes };
        (Arc::new(captures), Inbox { failures: waiting, successes: idle })
    }

    /// These monitors are down from before the start: their next failure is not the first one.
    pub fn remember<'a>(&self, down: impl Iterator<Item = &'a MonitorName>) {
        self.kept().down.extend(down.cloned());
    }

    /// What is known of a monitor.
    pub fn seen(&self, name: &MonitorName) -> Seen {
        self.kept().monitors.get(name).map(|k| k.seen.clone()).unwrap_or_default()
    }

    /// Forgets monitors that are no more.
    pub fn retain(&self, config: &Config) {
        let mut all = self.kept();
        let gone = |(name, _): (&MonitorName, &Kept)| (!config.monitors.contains_key(name)).then(|| name.clone());
        for name in all.monitors.iter().filter_map(gone).collect::<Vec<_>>() {
            all.failed(&name, None);
            all.worked(&name, None);
            all.monitors.remove(&name);
        }
        all.down.retain(|name| config.monitors.contains_key(name));
    }

    /// Whether the next success of this monitor should say what it saw.
    pub fn wants(&self, monitor: &Monitor) -> bool {
        monitor.probe.host.is_some()
            && self.successes.capacity() > 0
            && self.kept().monitors.get(&monitor.name).is_none_or(Kept::is_due)
    }

    /// Takes note of a result that stands. What a success saw goes into its capture, not into the result; one that was
    /// not asked to say it is none to compare with.
    pub fn note(
        &self,
        monitor: &Arc<Monitor>,
        policy: &Arc<Policy>,
        way: &Way,
        asked_to_show: bool,
        result: &mut ProbeResult,
    ) {
        if monitor.probe.host.is_none() {
            return;
        }
        let failed = match result.verdict {
            Verdict::Up => false,
            Verdict::Down => true,
            // Ends an outage, and is not how it works.
            Verdict::Degraded => {
                self.kept().down.remove(&monitor.name);
                return;
            }
            // Does not say that the target changed.
            Verdict::Unknown => return,
        };
        let saw = if failed { result.evidence.clone() } else { result.evidence.take() };
        let mut all = self.kept();
        let wanted = match failed {
            true => !all.down.contains(&monitor.name) && all.down.insert(monitor.name.clone()),
            false => {
                all.down.remove(&monitor.name);
                asked_to_show && all.monitors.get(&monitor.name).is_none_or(Kept::is_due)
            }
        };
        if !wanted {
            return;
        }
        all.monitors.entry(monitor.name.clone()).or_default();
        let capture = Capture { at: result.at, evidence: start(result, saw) };
        if failed {
            all.failed(&monitor.name, Some(Arc::new(capture.clone())));
        }
        let policy = Arc::clone(policy);
        let job = Job { monitor: Arc::clone(monitor), policy, dialled: way.dialled(), failed, capture };
        match failed {
            true => drop(self.failures.try_send(job)),
            false => {
                let sent = self.successes.try_send(job).is_ok();
                if let Some(kept) = all.monitors.get_mut(&monitor.name) {
                    kept.asked = sent;
                }
            }
        }
    }

    /// Looks at what is asked for, until `stop`.
    pub async fn run(self: Arc<Self>, mut inbox: Inbox, stop: CancellationToken) {
        let mut looks = FuturesUnordered::new();
        let mut idle = Instant::now();
        loop {
            let room = looks.len() < AT_ONCE;
            let pace = time::sleep_until(idle);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                // Dropping `next()` or `recv()` loses nothing: looks and jobs stay where they are.
                Some((job, evidence)) = looks.next() => self.done(job, evidence),
                Some(job) = inbox.failures.recv(), if room => looks.push(self.look(job)),
                Some(job) = async { pace.await; inbox.successes.recv().await }, if looks.is_empty() => {
                    idle = Instant::now() + IDLE_PACE;
                    looks.push(self.look(job));
                }
            }
        }
    }

    async fn look(&self, job: Job) -> (Job, Evidence) {
        let cx = ProbeCx { policy: Arc::clone(&job.policy), ..ProbeCx::new(Instant::now() + LOOK, self.clock.now()) };
        let Some(host) = job.monitor.probe.host.clone() else { return (job, Evidence::default()) };
        let look = timeout_at(cx.deadline, Box::pin(capture::look_at(&host, &job.dialled, &cx))).await;
        (job, look.unwrap_or_default())
    }

    fn done(&self, job: Job, evidence: Evidence) {
        let Job { monitor, failed, mut capture, .. } = job;
        capture.evidence.items.extend(evidence.items.into_iter().map(safe));
        let mut all = self.kept();
        // A monitor that was removed meanwhile stays so.
        let Some(kept) = all.monitors.get_mut(&monitor.name) else { return };
        match failed {
            // Only if it is still the failure that was looked at.
            true if kept.seen.failed.as_ref().is_some_and(|c| c.at == capture.at) => {
                all.failed(&monitor.name, Some(Arc::new(capture)));
            }
            true => {}
            false => {
                kept.asked = false;
                kept.looked = Some(Instant::now());
                all.worked(&monitor.name, Some(Arc::new(capture)));
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Shelf> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is_due(&self) -> bool {
        !self.asked && self.looked.is_none_or(|at| at.elapsed() >= REFRESH)
    }
}

impl Shelf {
    /// Puts a failure in the place of the one before, and drops the oldest when there are too many.
    fn failed(&mut self, name: &MonitorName, capture: Option<Arc<Capture>>) {
        let Some(kept) = self.monitors.get_mut(name) else { return };
        if let Some(capture) = &capture {
            self.failures.insert((capture.at, name.clone()));
        }
        let new = capture.as_ref().map(|c| c.at);
        if let Some(old) = std::mem::replace(&mut kept.seen.failed, capture).filter(|old| Some(old.at) != new) {
            self.failures.remove(&(old.at, name.clone()));
        }
        if self.failures.len() > MAX_KEPT
            && let Some((_, oldest)) = self.failures.pop_first()
            && let Some(kept) = self.monitors.get_mut(&oldest)
        {
            kept.seen.failed = None;
        }
    }

    /// The same with a success, by bytes.
    fn worked(&mut self, name: &MonitorName, capture: Option<Arc<Capture>>) {
        let Some(kept) = self.monitors.get_mut(name) else { return };
        if let Some(old) = kept.seen.worked.take() {
            self.bytes -= size(&old);
            self.successes.remove(&(old.at, name.clone()));
        }
        let Some(capture) = capture else { return };
        self.bytes += size(&capture);
        self.successes.insert((capture.at, name.clone()));
        kept.seen.worked = Some(capture);
        while self.bytes > MAX_WORKED {
            let Some((_, oldest)) = self.successes.pop_first() else { return };
            let old = self.monitors.get_mut(&oldest).and_then(|kept| kept.seen.worked.take());
            self.bytes -= old.map_or(0, |old| size(&old));
        }
    }
}

/// About how many bytes it occupies.
fn size(capture: &Capture) -> usize {
    let item = |(title, text): &(Cow<'static, str>, String)| {
        size_of::<(Cow<'static, str>, String)>() + title.len() + text.len()
    };
    size_of::<Capture>() + capture.evidence.items.iter().map(item).sum::<usize>()
}

/// What the probe itself tells: how long its parts took, and what it saw.
fn start(result: &ProbeResult, saw: Option<Evidence>) -> Evidence {
    let mut items: Vec<(Cow<'static, str>, String)> = Vec::new();
    if !result.phases.is_empty() {
        let parts = result.phases.iter().map(|p| {
            let end = if p.failed { " (failed)" } else { "" };
            format!("{} {}{end}", p.name, Short(p.took))
        });
        items.push(("phases".into(), parts.collect::<Vec<_>>().join(", ")));
    }
    items.extend(saw.into_iter().flat_map(|e| e.items).map(safe));
    Evidence { items }
}

/// A text of at most a KiB without anything that a terminal would obey.
fn safe((title, mut text): (Cow<'static, str>, String)) -> (Cow<'static, str>, String) {
    if let Cow::Owned(plain) = crate::base::term_safe::block(&text) {
        text = plain;
    }
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
    (title, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(name: &str, host: &str) -> Arc<Monitor> {
        let mut monitor = Monitor::sample(name);
        monitor.probe.host = Some(host.into());
        Arc::new(monitor)
    }

    fn result(at: i64, verdict: Verdict, saw: &str) -> ProbeResult {
        ProbeResult {
            at: Timestamp::from_millis(at),
            verdict,
            reason: None,
            summary: String::new(),
            took: Duration::ZERO,
            attempt: 1,
            phases: Vec::new(),
            checks: Vec::new(),
            samples: Vec::new(),
            evidence: Some(Evidence { items: vec![("seen".into(), saw.to_owned())] }),
        }
    }

    fn texts(capture: Option<&Arc<Capture>>) -> Vec<String> {
        capture.map(|c| c.evidence.items.iter().map(|(_, text)| text.clone()).collect()).unwrap_or_default()
    }

    #[tokio::test]
    async fn the_first_failure_is_kept_until_the_next_first_one() {
        let (captures, mut inbox) = Captures::new(Clock::system());
        let (m, policy) = (monitor("m", "127.0.0.1"), Arc::default());
        let note = |at, verdict, saw: &str| {
            let mut result = result(at, verdict, saw);
            captures.note(&m, &policy, &Way::default(), true, &mut result);
            (texts(captures.seen(&m.name).failed.as_ref()), result.evidence.is_some())
        };
        assert_eq!(note(1, Verdict::Down, "first"), (vec!["first".to_owned()], true));
        assert_eq!(note(2, Verdict::Down, "second"), (vec!["first".to_owned()], true));
        assert_eq!(note(3, Verdict::Unknown, "ours"), (vec!["first".to_owned()], true));
        // A success brings its evidence for the capture alone.
        assert_eq!(note(4, Verdict::Up, "good"), (vec!["first".to_owned()], false));
        assert_eq!(note(5, Verdict::Down, "again"), (vec!["again".to_owned()], true));
        // What works, be it badly, has ended the outage before.
        assert_eq!(note(6, Verdict::Degraded, "slow"), (vec!["again".to_owned()], true));
        assert_eq!(note(7, Verdict::Down, "anew"), (vec!["anew".to_owned()], true));
        assert!((0..3).all(|_| inbox.failures.try_recv().is_ok()));
        assert!(inbox.failures.try_recv().is_err());
        assert_eq!(inbox.successes.try_recv().unwrap().capture.at, Timestamp::from_millis(4));
        captures.retain(&Config::default());
        assert!(captures.seen(&m.name).failed.is_none());
    }

    #[tokio::test]
    async fn the_first_success_that_was_asked_what_it_saw_is_compared_with() {
        let (captures, mut inbox) = Captures::new(Clock::system());
        let m = monitor("m", "127.0.0.1");
        let note = |at, verdict| {
            let asked = captures.wants(&m);
            captures.note(&m, &Arc::default(), &Way::default(), asked, &mut result(at, verdict, "seen"));
            asked
        };
        // The place is taken by another monitor: nobody asks, and nothing stands in the way of the next success.
        let (other, mut good) = (monitor("other", "127.0.0.1"), result(1, Verdict::Up, "other"));
        captures.note(&other, &Arc::default(), &Way::default(), captures.wants(&other), &mut good);
        assert!(!note(2, Verdict::Up));
        assert_eq!(inbox.successes.try_recv().unwrap().monitor.name, other.name);
        // The one that ends an outage is asked as well.
        assert!(note(3, Verdict::Down) && note(4, Verdict::Up));
        let job = inbox.successes.try_recv().unwrap();
        assert_eq!((job.capture.at, job.capture.evidence.items.len()), (Timestamp::from_millis(4), 1));
        captures.done(job, Evidence::default());
        assert!(!captures.wants(&m));
    }

    #[tokio::test]
    async fn many_failures_at_once_neither_wait_nor_are_all_looked_at_nor_all_kept() {
        let (captures, mut inbox) = Captures::new(Clock::system());
        for i in 0..MAX_KEPT + 10 {
            let m = monitor(&format!("m{i}"), "127.0.0.1");
            captures.note(
                &m,
                &Arc::default(),
                &Way::default(),
                false,
                &mut result(i as i64, Verdict::Down, &"x".repeat(9_000)),
            );
        }
        let mut jobs = 0;
        while inbox.failures.try_recv().is_ok() {
            jobs += 1;
        }
        assert_eq!(jobs, WAITING);
        let all = captures.kept();
        let failed = |name: &str| all.monitors[&MonitorName::new(name).unwrap()].seen.failed.clone();
        assert_eq!(all.monitors.values().filter(|k| k.seen.failed.is_some()).count(), MAX_KEPT);
        assert_eq!(all.failures.len(), MAX_KEPT);
        assert!(texts(failed("m500").as_ref())[0].len() <= MAX_TEXT + 3);
        assert!(failed("m0").is_none() && failed("m9").is_none() && failed("m10").is_some());
    }

    #[tokio::test]
    async fn how_things_were_is_kept_within_bounds_and_the_newest_stays() {
        let (captures, _inbox) = Captures::new(Clock::system());
        let mut all = captures.kept();
        let capture = |at: i64| {
            let items = (0..8).map(|_| (Cow::Borrowed("seen"), "x".repeat(MAX_TEXT))).collect();
            Some(Arc::new(Capture { at: Timestamp::from_millis(at), evidence: Evidence { items } }))
        };
        let name = |i: i64| MonitorName::new(&format!("m{i}")).unwrap();
        for i in 0..10_000 {
            all.monitors.insert(name(i), Kept::default());
            all.worked(&name(i), capture(i));
        }
        let held = |all: &Shelf| all.monitors.values().filter_map(|k| k.seen.worked.as_ref().map(|c| size(c))).sum();
        let bytes: usize = held(&all);
        assert_eq!(bytes, all.bytes);
        assert!((MAX_WORKED - 16_384..=MAX_WORKED).contains(&bytes), "{bytes}");
        assert!(all.monitors[&name(9_999)].seen.worked.is_some() && all.monitors[&name(0)].seen.worked.is_none());
        // One that is seen again is not counted twice, and is the newest then.
        for at in 10_000..20_000 {
            all.worked(&name(9_000), capture(at));
        }
        assert_eq!(held(&all), all.bytes);
        drop(all);
        captures.retain(&Config::default());
        let all = captures.kept();
        assert_eq!((all.bytes, all.successes.len(), all.monitors.len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn what_was_down_before_the_start_has_no_first_failure() {
        let (captures, _inbox) = Captures::new(Clock::system());
        let m = monitor("m", "127.0.0.1");
        captures.remember([&m.name].into_iter());
        let failed = |at, verdict| {
            captures.note(&m, &Arc::default(), &Way::default(), false, &mut result(at, verdict, "seen"));
            captures.seen(&m.name).failed.map(|c| c.at.millis())
        };
        assert_eq!(failed(1, Verdict::Down), None);
        assert_eq!(failed(2, Verdict::Up), None);
        assert_eq!(failed(3, Verdict::Down), Some(3));
    }

    #[tokio::test]
    async fn the_way_to_what_failed_is_looked_at() {
        let (captures, inbox) = Captures::new(Clock::system());
        let (m, policy) = (monitor("m", "127.0.0.1"), Arc::default());
        captures.note(&m, &policy, &Way::default(), false, &mut result(1, Verdict::Down, "first"));
        let stop = CancellationToken::new();
        let work = Arc::clone(&captures).run(inbox, stop.clone());
        let seen = async {
            while texts(captures.seen(&m.name).failed.as_ref()).len() < 2 {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        };
        time::timeout(Duration::from_secs(60), async { tokio::join!(work, seen) }).await.expect("a look is bounded");
        let seen = captures.seen(&m.name).failed.unwrap();
        assert!(seen.evidence.items.iter().any(|(title, _)| title == "path to 127.0.0.1"), "{seen:?}");
    }
}
