//! Decides when each monitor runs, and starts it.
//!
//! One heap of due times, one task. Starting a probe costs a spawn; nothing here waits for a target,
//! so a slow or hanging one delays nobody. A monitor never overlaps itself: a slot that comes due
//! while the run before still goes on is skipped and counted, never replayed. Which moments the slots
//! are is `slots`' part. Cost: O(log monitors) per slot.

mod attention;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::base::beat::{Beat, Report};
use crate::base::clock::Clock;
use crate::base::heard::Heard;
use crate::base::name::{ByMonitor, MonitorName};
use crate::base::policy::Policy;
use crate::base::time::Timestamp;
use crate::config::model::{Config, Monitor, Schedule};
use crate::engine::gates::{Gate, Gates};
use crate::engine::handle::EngineError;
use crate::engine::ingest::Save;
use crate::engine::metrics::Metrics;
use crate::engine::runner::{Runner, Slot};
use crate::engine::scheduler::attention::Attention;
use crate::engine::slots::{self, rate};
use crate::wire::api::ProbeResult;

/// With this many slots a second …
const MANY: f64 = 200.0;
/// … those that come due within this time begin together. Waking for each alone, and for each answer, costs more than
/// the probe itself.
const TOGETHER: Duration = Duration::from_millis(10);
/// How often it is saved when monitors have listened: each save is a transaction.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// How long probes under way may finish at shutdown. With the outbox's grace it stays below the 10 s
/// that container runtimes give a process.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// What the scheduler can be told.
#[derive(Debug)]
pub enum Command {
    /// Run this configuration. Monitors whose definition is equal keep their phase and their run.
    Apply(Arc<Config>),
    /// Probe now, outside the schedule.
    RunNow {
        /// Which.
        name: MonitorName,
        /// Gets the last attempt's result.
        reply: oneshot::Sender<Result<Arc<ProbeResult>, EngineError>>,
    },
    /// Reports arrived: remember them and judge at once.
    Beat {
        /// For which monitor.
        name: MonitorName,
        /// What arrived, in order.
        reports: Vec<Report>,
        /// When.
        at: Timestamp,
        /// Gets all that is remembered now.
        reply: oneshot::Sender<Beat>,
    },
    /// When the monitor's next slot is.
    Next {
        /// Which.
        name: MonitorName,
        /// Gets the time.
        reply: oneshot::Sender<Option<Timestamp>>,
    },
}

/// The actor.
pub struct Scheduler {
    clock: Clock,
    runner: Arc<Runner>,
    metrics: Arc<Metrics>,
    monitors: ByMonitor<Entry>,
    due: BinaryHeap<Reverse<Due>>,
    runs: JoinSet<Ended>,
    known: Known,
    /// What is to be saved of when monitors have listened.
    unsaved: HashSet<MonitorName>,
    /// It is not saved again before.
    save_at: Instant,
    attention: Attention,
    /// Monitors that are to be judged again when their run ends.
    again: usize,
    generation: u64,
    gates: Gates,
    policy: Arc<Policy>,
    /// Slots within so much time begin together; zero where each begins alone. Counted from `began`.
    together: Duration,
    began: Instant,
}

/// What is known from before of monitors that others report to.
#[derive(Debug)]
pub struct Known {
    /// What they were told.
    pub beats: HashMap<MonitorName, Beat>,
    /// When they have listened.
    pub heard: HashMap<MonitorName, Heard>,
    /// Where the latter is saved. Full: it is tried again with the next slot; at the end it is waited for.
    pub saves: mpsc::Sender<Save>,
}

struct Entry {
    monitor: Arc<Monitor>,
    /// Distinguishes this form of the monitor from earlier ones in the heap and among runs.
    generation: u64,
    next: Instant,
    /// For cron schedules: the wall-clock time that `next` stands for.
    cron_at: Option<Timestamp>,
    run: Option<AbortHandle>,
    /// Something came up while a run was going on (a report, a failure below): run again when it ends.
    again: bool,
    gate: Option<Arc<Gate>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    generation: u64,
    name: MonitorName,
}

struct Ended {
    name: MonitorName,
    generation: u64,
}

impl Scheduler {
    /// A scheduler without monitors.
    pub fn new(clock: Clock, runner: Arc<Runner>, known: Known) -> Self {
        let metrics = Arc::clone(&runner.metrics);
        Self {
            clock,
            runner,
            metrics,
            monitors: ByMonitor::default(),
            due: BinaryHeap::new(),
            runs: JoinSet::new(),
            known,
            unsaved: HashSet::new(),
            save_at: Instant::now(),
            attention: Attention::new(Instant::now(), clock.now()),
            again: 0,
            generation: 0,
            gates: Gates::default(),
            policy: Arc::default(),
            together: Duration::ZERO,
            began: Instant::now(),
        }
    }

    /// Works until `stop`, then gives probes under way a few seconds.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Command>, stop: CancellationToken) {
        let runner = Arc::clone(&self.runner);
        loop {
            let next = self.due.peek().map(|Reverse(d)| self.wake_for(d.at));
            self.attention.awaits(next);
            let wake = async {
                match next {
                    Some(at) => time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // Every arm is cancel-safe: channel receive, join_next, `wanted`, sleep, token.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(command) = inbox.recv() => {
                    self.look_at_clocks();
                    self.reap();
                    self.command(command);
                }
                // Waking for every run that ends would cost as much as the slot itself; who needs the
                // end at once is counted, everybody else learns of it at the next slot or command.
                Some(ended) = self.runs.join_next(), if self.again > 0 => {
                    self.look_at_clocks();
                    self.ended(ended);
                }
                name = runner.lineage.wanted() => {
                    self.look_at_clocks();
                    self.reap();
                    self.at_once(&name);
                }
                () = wake => {
                    self.look_at_clocks();
                    self.reap();
                    self.start_due();
                    self.save();
                }
            }
        }
        self.look_at_clocks();
        let now = self.clock.now();
        for (name, _) in self.monitors.iter().filter(|(_, e)| !e.monitor.paused) {
            if let Some(heard) = self.known.heard.get_mut(name) {
                heard.listens(now);
                self.unsaved.insert(name.clone());
            }
        }
        // The saver outlives this actor, so waiting for a place in its inbox ends, unless the disk stalls.
        let (heard, saves) = (self.unsaved(), self.known.saves.clone());
        let save = async {
            if !heard.is_empty() {
                let _ = saves.send(Save::Heard(heard)).await;
            }
        };
        let drain = async { while self.runs.join_next().await.is_some() {} };
        let (saved, drained) = tokio::join!(time::timeout(STOP_GRACE, save), time::timeout(STOP_GRACE, drain));
        if saved.is_err() {
            tracing::warn!("when monitors have listened was not saved: reports may seem to be missed");
        }
        if drained.is_err() {
            tracing::info!(probes = self.runs.len(), "probes under way were dropped");
        }
        self.runs.shutdown().await;
    }

    /// Passes on when monitors have listened, now and then.
    fn save(&mut self) {
        let now = Instant::now();
        if now >= self.save_at
            && !self.unsaved.is_empty()
            && let Ok(place) = self.known.saves.clone().try_reserve_owned()
        {
            self.save_at = now + SAVE_EVERY;
            place.send(Save::Heard(self.unsaved()));
        }
    }

    fn unsaved(&mut self) -> Vec<(MonitorName, Heard)> {
        let heard = self.unsaved.drain().filter_map(|name| self.known.heard.get_key_value(&name));
        heard.map(|(name, heard)| (name.clone(), heard.clone())).collect()
    }

    /// While this machine stood still, nobody could report; nor is a time over that the clock leapt over.
    fn look_at_clocks(&mut self) {
        let Some((from, to)) = self.attention.absence(Instant::now(), self.clock.now()) else { return };
        let told = self.monitors.iter().filter(|(_, e)| is_told(&e.monitor) && !e.monitor.paused);
        for (name, _) in told {
            if let Some(heard) = self.known.heard.get_mut(name) {
                heard.absent(from, to);
                self.unsaved.insert(name.clone());
            }
        }
        if to < from {
            self.known.beats.values_mut().for_each(|beat| beat.not_after(to));
        }
    }

    /// When to wake for a slot that is due at `at`: then, or with others shortly after.
    fn wake_for(&self, at: Instant) -> Instant {
        if self.together.is_zero() {
            return at;
        }
        let step = self.together.as_nanos();
        let over = at.saturating_duration_since(self.began).as_nanos() % step;
        let wait = if over == 0 { 0 } else { step - over };
        at + Duration::from_nanos(u64::try_from(wait).unwrap_or(0))
    }

    fn reap(&mut self) {
        while let Some(ended) = self.runs.try_join_next() {
            self.ended(ended);
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Apply(config) => self.apply(&config),
            Command::RunNow { name, reply } => self.run_now(&name, reply),
            Command::Beat { name, reports, at, reply } => {
                let mut beat = self.known.beats.remove(&name).unwrap_or_default();
                for report in reports {
                    beat.take(report, at);
                }
                // The asker may have gone.
                let _ = reply.send(beat.clone());
                self.known.beats.insert(name.clone(), beat);
                self.at_once(&name);
            }
            Command::Next { name, reply } => {
                let now = (Instant::now(), self.clock.now());
                let next = self
                    .monitors
                    .get(&name)
                    .filter(|e| !e.monitor.paused)
                    .map(|e| e.cron_at.unwrap_or_else(|| now.1.plus(e.next.saturating_duration_since(now.0))));
                // The asker may have gone.
                let _ = reply.send(next);
            }
        }
    }

    fn apply(&mut self, config: &Config) {
        let (now, wall) = (Instant::now(), self.clock.now());
        self.policy = Arc::clone(&config.policy);
        self.runner.itself.configure(config);
        self.runner.lineage.configure(config);
        self.runner.captures.retain(config);
        self.gates.configure(config);
        for entry in self.monitors.values_mut() {
            entry.gate = self.gates.of(&entry.monitor);
        }
        self.monitors.retain(|name, entry| {
            let stays = config.monitors.contains_key(name);
            if !stays && let Some(run) = entry.run.take() {
                run.abort();
            }
            stays
        });
        self.again = self.monitors.values().filter(|e| e.again).count();
        self.known.beats.retain(|name, _| config.monitors.contains_key(name));
        self.known.heard.retain(|name, _| config.monitors.contains_key(name));
        let is_fresh = |m: &&Arc<Monitor>| self.monitors.get(&m.name).is_none_or(|e| e.monitor.hash != m.hash);
        let fresh: Vec<&Arc<Monitor>> = config.monitors.values().filter(is_fresh).collect();
        for (monitor, wait) in slots::at_start(&fresh) {
            if let Some(old) = self.monitors.remove(&monitor.name) {
                if let Some(heard) = self.known.heard.get_mut(&monitor.name).filter(|_| !old.monitor.paused) {
                    heard.listens(wall);
                    self.unsaved.insert(monitor.name.clone());
                }
                self.again -= usize::from(old.again);
                if let Some(run) = old.run {
                    run.abort();
                }
            }
            if let Some(target) = monitor.probe.collector.push().filter(|_| !monitor.paused) {
                self.known.heard.entry(monitor.name.clone()).or_default().begin(target.form(), wall);
                if let Some(beat) = self.known.beats.get_mut(&monitor.name) {
                    beat.not_after(wall);
                }
            }
            self.generation += 1;
            let mut entry = Entry {
                monitor: Arc::clone(monitor),
                generation: self.generation,
                next: now + wait,
                cron_at: None,
                run: None,
                again: false,
                gate: self.gates.of(monitor),
            };
            if let Schedule::Cron { .. } = &monitor.schedule {
                entry.advance(now, wall);
            }
            if !monitor.paused {
                self.due.push(Reverse(entry.due()));
            }
            self.monitors.insert(monitor.name.clone(), entry);
        }
        let rate: f64 = self.monitors.values().filter(|e| !e.monitor.paused).map(|e| rate(&e.monitor)).sum();
        self.together = if rate >= MANY { TOGETHER } else { Duration::ZERO };
        // Slots of forms that are gone stay in the heap until they come due; rebuild when they are many.
        if self.due.len() > 2 * self.monitors.len() + 1_000 {
            self.due = self.monitors.values().filter(|e| !e.monitor.paused).map(|e| Reverse(e.due())).collect();
        }
    }

    fn start_due(&mut self) {
        let (now, wall) = (Instant::now(), self.clock.now());
        while self.due.peek().is_some_and(|Reverse(d)| d.at <= now) {
            let Some(Reverse(due)) = self.due.pop() else { break };
            let Some(entry) = self.monitors.get_mut(&due.name).filter(|e| e.generation == due.generation) else {
                continue;
            };
            let cron = matches!(entry.monitor.schedule, Schedule::Cron { .. });
            if cron && entry.cron_at.is_none_or(|at| at > wall) {
                // Woken to look at the clock again. The slot is computed anew: a clock that was set back
                // has an earlier one.
                entry.advance(now, wall);
                self.due.push(Reverse(entry.due()));
                continue;
            }
            let missed = entry.advance(now, wall);
            self.metrics.missed_late.inc_by(missed);
            let until = entry.next;
            self.due.push(Reverse(entry.due()));
            if entry.run.is_some() {
                self.metrics.missed_running.inc();
            } else {
                self.start(&due.name, due.at, Some(until));
            }
        }
    }

    fn start(&mut self, name: &MonitorName, due: Instant, until: Option<Instant>) {
        let Some(entry) = self.monitors.get_mut(name) else { return };
        if is_told(&entry.monitor)
            && let Some(heard) = self.known.heard.get_mut(name)
        {
            heard.listens(self.clock.now());
            self.unsaved.insert(name.clone());
        }
        let slot = entry.slot(due, until, &self.known, &self.policy);
        let (runner, generation, name) = (Arc::clone(&self.runner), entry.generation, name.clone());
        entry.run = Some(self.runs.spawn(async move {
            runner.run(slot).await;
            Ended { name, generation }
        }));
    }

    /// Runs it out of its turn: now, or when the run under way ends.
    fn at_once(&mut self, name: &MonitorName) {
        let Some(entry) = self.monitors.get_mut(name) else { return };
        if entry.run.is_none() {
            self.start(name, Instant::now(), None);
        } else if !entry.again {
            entry.again = true;
            self.again += 1;
        }
    }

    fn run_now(&mut self, name: &MonitorName, reply: oneshot::Sender<Result<Arc<ProbeResult>, EngineError>>) {
        let entry = match self.monitors.get_mut(name) {
            None => Err(EngineError::NoSuchMonitor { name: name.to_string(), nearest: None }),
            Some(e) if e.monitor.paused => Err(EngineError::Paused(name.to_string())),
            Some(e) if e.run.is_some() => Err(EngineError::AlreadyRunning(name.to_string())),
            Some(e) => Ok(e),
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                // The asker may have gone.
                let _ = reply.send(Err(error));
                return;
            }
        };
        let slot = entry.slot(Instant::now(), None, &self.known, &self.policy);
        let (runner, generation, name) = (Arc::clone(&self.runner), entry.generation, name.clone());
        entry.run = Some(self.runs.spawn(async move {
            let result = runner.run(slot).await;
            let _ = reply.send(Ok(result));
            Ended { name, generation }
        }));
    }

    fn ended(&mut self, ended: Result<Ended, JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_panic() => match self.crashed(&error) {
                Some(ended) => ended,
                None => return,
            },
            // Aborted because its monitor changed or is gone.
            Err(_) => return,
        };
        let Some(entry) = self.monitors.get_mut(&ended.name).filter(|e| e.generation == ended.generation) else {
            return;
        };
        entry.run = None;
        if std::mem::take(&mut entry.again) {
            self.again -= 1;
            self.start(&ended.name, Instant::now(), None);
        }
    }

    /// Whose run panicked outside of its collector: the next slot runs all the same.
    fn crashed(&self, error: &JoinError) -> Option<Ended> {
        self.metrics.panics.inc();
        let mut all = self.monitors.iter();
        let found = all.find(|(_, e)| e.run.as_ref().is_some_and(|run| run.id() == error.id()));
        let monitor = found.map(|(name, _)| name.as_str());
        tracing::error!(monitor, %error, "a slot panicked; its monitor has no result of it");
        found.map(|(name, entry)| Ended { name: name.clone(), generation: entry.generation })
    }
}

/// Whether others report to it.
fn is_told(monitor: &Monitor) -> bool {
    monitor.probe.collector.push().is_some()
}

impl Entry {
    fn due(&self) -> Due {
        Due { at: self.next, generation: self.generation, name: self.monitor.name.clone() }
    }

    /// Moves `next` to the first slot after `now` and returns how many slots were passed over.
    fn advance(&mut self, now: Instant, wall: Timestamp) -> u64 {
        let next = slots::after(&self.monitor, self.next, now, wall);
        (self.next, self.cron_at) = (next.at, next.cron_at);
        next.missed
    }

    fn slot(&self, due: Instant, until: Option<Instant>, known: &Known, policy: &Arc<Policy>) -> Slot {
        Slot {
            monitor: Arc::clone(&self.monitor),
            due,
            until,
            heard: known.heard.get(&self.monitor.name).cloned().unwrap_or_default(),
            beat: known.beats.get(&self.monitor.name).cloned(),
            gate: self.gate.clone(),
            policy: Arc::clone(policy),
        }
    }
}

#[cfg(test)]
mod tests;
