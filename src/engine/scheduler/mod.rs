//! Decides when each monitor runs, and starts it.
//!
//! One calendar of due times, one task. Starting a probe costs a spawn; nothing here waits for a target,
//! so a slow or hanging one delays nobody. A monitor never overlaps itself: a slot that comes due
//! while the run before still goes on is skipped and counted, never replayed. Which moments the slots
//! are is `slots`' part. Cost: O(log monitors) per slot.

mod attention;
mod calendar;
mod entries;
mod runs;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::base::beat::{Beat, Report};
use crate::base::clock::Clock;
use crate::base::heard::{self, Heard};
use crate::base::name::MonitorName;
use crate::base::policy::Policy;
use crate::base::probe::Told;
use crate::base::time::Timestamp;
use crate::config::model::{Config, Monitor, Schedule};
use crate::engine::gates::{Gate, Gates};
use crate::engine::handle::EngineError;
use crate::engine::ingest::Save;
use crate::engine::metrics::Metrics;
use crate::engine::runner::{Runner, Slot};
use crate::engine::scheduler::attention::Attention;
use crate::engine::scheduler::calendar::{Calendar, Due};
use crate::engine::scheduler::entries::{Entries, Place};
use crate::engine::scheduler::runs::{Ended, Run, Runs};
use crate::engine::slots::{self, rate};
use crate::wire::api::ProbeResult;

/// How often it is saved when monitors have listened: each save is a transaction.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// How long probes under way may finish at shutdown. With the outbox's grace it stays below the 10 s
/// that container runtimes give a process.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// What the scheduler can be told.
#[derive(Debug)]
pub enum Command {
    /// Run this configuration. Monitors whose definition is equal keep their phase and their run.
    Apply {
        /// All of it.
        config: Arc<Config>,
        /// Nothing is missing in it because of a broken file: what was told to monitors that it does not know is forgotten.
        complete: bool,
    },
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
    monitors: Entries,
    due: Calendar,
    runs: Runs,
    /// Empty; lends its memory.
    ended: Vec<Ended>,
    known: Known,
    /// What is to be saved of when monitors have listened.
    unsaved: HashSet<MonitorName>,
    /// It is not saved again before.
    save_at: Instant,
    attention: Attention,
    /// Monitors that are to be judged again when their run ends.
    again: usize,
    gates: Gates,
    policy: Arc<Policy>,
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
    next: Instant,
    /// For cron schedules: the wall-clock time that `next` stands for.
    cron_at: Option<Timestamp>,
    run: Option<Run>,
    /// Something came up while a run was going on (a report, a failure below): run again when it ends.
    again: bool,
    gate: Option<Arc<Gate>>,
    /// Whether others report to it.
    told: bool,
}

impl Scheduler {
    /// A scheduler without monitors.
    pub fn new(clock: Clock, runner: Arc<Runner>, known: Known) -> Self {
        let metrics = Arc::clone(&runner.metrics);
        Self {
            clock,
            runner,
            metrics,
            monitors: Entries::default(),
            due: Calendar::new(Instant::now()),
            runs: Runs::default(),
            ended: Vec::new(),
            known,
            unsaved: HashSet::new(),
            save_at: Instant::now(),
            attention: Attention::new(Instant::now(), clock.now()),
            again: 0,
            gates: Gates::default(),
            policy: Arc::default(),
        }
    }

    /// Works until `stop`, then gives probes under way a few seconds.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Command>, stop: CancellationToken) {
        let runner = Arc::clone(&self.runner);
        loop {
            let next = self.soon_enough(self.due.next());
            self.attention.awaits(next);
            let wake = async {
                match next {
                    Some(at) => time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // Every arm is cancel-safe: channel receive, `ended`, `wanted`, sleep, token.
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
                () = self.runs.ended(), if self.again > 0 => {
                    self.look_at_clocks();
                    self.reap();
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
        for entry in self.monitors.iter().filter(|e| e.told && !e.monitor.paused) {
            let name = &entry.monitor.name;
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
        let drain = self.runs.drain();
        let (saved, drained) = tokio::join!(time::timeout(STOP_GRACE, save), time::timeout(STOP_GRACE, drain));
        if saved.is_err() {
            tracing::warn!("when monitors have listened was not saved: reports may seem to be missed");
        }
        if drained.is_err() {
            tracing::info!(probes = self.runs.len(), "probes under way were dropped");
        }
        self.monitors = Entries::default();
        self.runs.drain().await;
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

    /// When to wake for what is due then. While others report, also to look at the clocks: how long it stood still is known
    /// to within the time since the last look.
    fn soon_enough(&self, next: Option<Instant>) -> Option<Instant> {
        if self.known.heard.is_empty() {
            return next;
        }
        let look = Instant::now() + heard::PATIENCE / 2;
        Some(next.map_or(look, |next| next.min(look)))
    }

    /// While this machine stood still, nobody could report; nor is a time over that the clock leapt over.
    fn look_at_clocks(&mut self) {
        let Some((from, to)) = self.attention.absence(Instant::now(), self.clock.now()) else { return };
        for entry in self.monitors.iter().filter(|e| e.told && !e.monitor.paused) {
            let name = &entry.monitor.name;
            if let Some(heard) = self.known.heard.get_mut(name) {
                heard.absent(from, to);
                self.unsaved.insert(name.clone());
            }
        }
        if to < from {
            self.known.beats.values_mut().for_each(|beat| beat.not_after(to));
        }
    }

    fn reap(&mut self) {
        let mut ended = std::mem::take(&mut self.ended);
        self.runs.take(&mut ended, self.again > 0);
        for one in ended.drain(..) {
            self.over(one);
        }
        self.ended = ended;
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Apply { config, complete } => self.apply(&config, complete),
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

    fn apply(&mut self, config: &Config, complete: bool) {
        let (now, wall) = (Instant::now(), self.clock.now());
        self.policy = Arc::clone(&config.policy);
        self.runner.itself.configure(config);
        self.runner.lineage.configure(config);
        self.gates.configure(config);
        let is_gone = |e: &&Entry| !config.monitors.contains_key(&e.monitor.name);
        let gone: Vec<MonitorName> = self.monitors.iter().filter(is_gone).map(|e| e.monitor.name.clone()).collect();
        for name in gone {
            self.monitors.remove(&name);
        }
        for entry in self.monitors.iter_mut() {
            entry.gate = self.gates.of(&entry.monitor);
        }
        self.again = self.monitors.iter().filter(|e| e.again).count();
        if complete {
            self.runner.captures.retain(config);
            self.known.beats.retain(|name, _| config.monitors.contains_key(name));
            self.known.heard.retain(|name, _| config.monitors.contains_key(name));
        }
        let is_fresh = |m: &&Arc<Monitor>| self.monitors.get(&m.name).is_none_or(|e| e.monitor.hash != m.hash);
        let fresh: Vec<&Arc<Monitor>> = config.monitors.values().filter(is_fresh).collect();
        let running = config.monitors.values().filter(|m| !m.paused);
        self.due.set_rate(running.map(|m| rate(m)).sum());
        for (monitor, wait) in slots::at_start(&fresh) {
            if let Some(old) = self.monitors.remove(&monitor.name) {
                if let Some(heard) = self.known.heard.get_mut(&monitor.name).filter(|_| !old.monitor.paused) {
                    heard.listens(wall);
                    self.unsaved.insert(monitor.name.clone());
                }
                self.again -= usize::from(old.again);
            }
            let target = monitor.probe.collector.push();
            let told = target.is_some() || monitor.probe.collector.webhook().is_some();
            if let Some(target) = target.filter(|_| !monitor.paused) {
                self.known.heard.entry(monitor.name.clone()).or_default().begin(target.form(), wall);
                if let Some(beat) = self.known.beats.get_mut(&monitor.name) {
                    beat.not_after(wall);
                }
            }
            let mut entry = Entry {
                monitor: Arc::clone(monitor),
                next: now + wait,
                cron_at: None,
                run: None,
                again: false,
                gate: self.gates.of(monitor),
                told,
            };
            if let Schedule::Cron { .. } = &monitor.schedule {
                entry.advance(now, wall);
            }
            let place = self.monitors.insert(entry);
            if let Some(entry) = self.monitors.at(place).filter(|e| !e.monitor.paused) {
                self.due.add(entry.due(place));
            }
        }
        // Slots of forms that are gone stay in the calendar until they come due; it is made anew when they are many.
        if self.due.len() > 2 * self.monitors.len() + 1_000 {
            self.due.replace(self.monitors.due());
        }
    }

    fn start_due(&mut self) {
        let (now, wall) = (Instant::now(), self.clock.now());
        while let Some(slots) = self.due.take(now) {
            slots.into_iter().for_each(|due| self.begin(due, now, wall));
        }
    }

    /// It is time for a slot of a monitor that may have another form by now.
    fn begin(&mut self, Due { at, place, .. }: Due, now: Instant, wall: Timestamp) {
        let Some(entry) = self.monitors.at(place) else { return };
        let cron = matches!(entry.monitor.schedule, Schedule::Cron { .. });
        // Woken to look at the clock again: the slot is computed anew, since a clock that was set back has an
        // earlier one.
        let early = cron && entry.cron_at.is_none_or(|at| at > wall);
        let missed = entry.advance(now, wall);
        let until = entry.next;
        self.due.add(entry.due(place));
        if early {
            return;
        }
        self.metrics.missed_late.inc_by(missed);
        if entry.run.is_some() {
            self.metrics.missed_running.inc();
        } else {
            self.start(place, at, Some(until));
        }
    }

    fn start(&mut self, place: Place, due: Instant, until: Option<Instant>) {
        let Some(entry) = self.monitors.at(place) else { return };
        if entry.told
            && let Some(heard) = self.known.heard.get_mut(&entry.monitor.name)
        {
            heard.listens(self.clock.now());
            self.unsaved.insert(entry.monitor.name.clone());
        }
        let slot = entry.slot(due, until, &self.known, &self.policy);
        let runner = Arc::clone(&self.runner);
        entry.run = Some(self.runs.start(place, |note| async move {
            let _note = note;
            runner.run(slot).await;
        }));
    }

    /// Runs it out of its turn: now, or when the run under way ends.
    fn at_once(&mut self, name: &MonitorName) {
        let Some(place) = self.monitors.place(name) else { return };
        let Some(entry) = self.monitors.at(place) else { return };
        if entry.run.is_none() {
            self.start(place, Instant::now(), None);
        } else if !entry.again {
            entry.again = true;
            self.again += 1;
            self.runs.wait();
        }
    }

    fn run_now(&mut self, name: &MonitorName, reply: oneshot::Sender<Result<Arc<ProbeResult>, EngineError>>) {
        let place = self.monitors.place(name);
        let error = match place.and_then(|place| Some((place, self.monitors.at(place)?))) {
            None => EngineError::NoSuchMonitor { name: name.to_string(), nearest: None },
            Some((_, e)) if e.monitor.paused => EngineError::Paused(name.to_string()),
            Some((_, e)) if e.run.is_some() => EngineError::AlreadyRunning(name.to_string()),
            Some((place, entry)) => {
                let slot = entry.slot(Instant::now(), None, &self.known, &self.policy);
                let runner = Arc::clone(&self.runner);
                entry.run = Some(self.runs.start(place, |note| async move {
                    let _note = note;
                    let result = runner.run(slot).await;
                    // The asker may have gone.
                    let _ = reply.send(Ok(result));
                }));
                return;
            }
        };
        // The asker may have gone.
        let _ = reply.send(Err(error));
    }

    /// A run is over. One that was aborted finds its monitor gone or changed.
    fn over(&mut self, Ended { place, panicked }: Ended) {
        let Some(entry) = self.monitors.at(place) else { return };
        entry.run = None;
        if panicked {
            self.metrics.panics.inc();
            tracing::error!(monitor = %entry.monitor.name, "a slot panicked; its monitor has no result of it");
        }
        if std::mem::take(&mut entry.again) {
            self.again -= 1;
            self.start(place, Instant::now(), None);
        }
    }
}

impl Entry {
    /// Moves `next` to the first slot after `now` and returns how many slots were passed over.
    fn advance(&mut self, now: Instant, wall: Timestamp) -> u64 {
        let next = slots::after(&self.monitor, self.next, now, wall);
        (self.next, self.cron_at) = (next.at, next.cron_at);
        next.missed
    }

    /// The next slot, of the entry at this place.
    fn due(&self, place: Place) -> Due {
        Due { at: self.next, place, stamped: self.monitor.probe.stamped }
    }

    fn slot(&self, due: Instant, until: Option<Instant>, known: &Known, policy: &Arc<Policy>) -> Slot {
        let name = &self.monitor.name;
        let told =
            || Told { heard: known.heard.get(name).cloned().unwrap_or_default(), beat: known.beats.get(name).cloned() };
        Slot {
            monitor: Arc::clone(&self.monitor),
            due,
            until,
            told: self.told.then(told).map(Arc::new),
            gate: self.gate.clone(),
            policy: Arc::clone(policy),
        }
    }
}

#[cfg(test)]
mod tests;
