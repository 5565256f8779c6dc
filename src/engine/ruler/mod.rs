//! Evaluates rules at their slots.
//!
//! One task keeps time; a few blocking threads take groups that are due from one queue, as many as there are, so that a
//! wake-up serves all rules of a moment and a slow group holds up nobody but itself. Slots belong to the wall clock and
//! to the group: a slot that cannot be evaluated in time is counted, and the newest is evaluated instead. Groups that a
//! reload leaves as they are notice nothing of it; in those it changes, rules that are still there keep their alerts.

mod group;
pub mod metrics;
pub mod report;
mod rows;
mod rule;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;
use crate::config::model::Config;
use crate::config::rules::RuleGroup;
use crate::engine::reload::Applied;
use crate::engine::ruler::group::{Bench, Running};
use crate::engine::ruler::metrics::RuleMetrics;
use crate::engine::ruler::report::RuleAlert;
use crate::engine::storage::Store;
use crate::promql::parser::Features;
use crate::promql::value::Cancel;
use crate::tsdb::{Ack, Batch};

pub use crate::engine::ruler::group::GroupView;

/// Groups that fall due within so long of each other are served by one wake-up.
const TICK: Duration = Duration::from_millis(20);
/// Without any group due, the clock is looked at this often: it may have been set.
const LOOK: Duration = Duration::from_secs(1);
/// How often the store is looked for while it is being opened.
const STORE_LOOK: Duration = Duration::from_millis(100);
/// A clock that is set back by less than this changes nothing.
const BACKWARDS: Duration = Duration::from_secs(1);
/// So many groups are worth a thread more.
const PER_WORKER: usize = 16;
/// Most threads that evaluate. At least two, so that a slow group is alone in its slowness.
const MAX_WORKERS: usize = 4;
/// Finished groups that wait to be taken back; a worker waits for room.
const FINISHED: usize = 1_024;

/// What the ruler works with.
pub struct Sources {
    /// The wall clock: slots are its.
    pub clock: Clock,
    /// Where samples are read and written.
    pub store: Arc<Store>,
    /// The rules.
    pub config: watch::Receiver<Applied>,
    /// Told of alerts. Full: told again with the next evaluation.
    pub alerts: mpsc::Sender<Vec<RuleAlert>>,
    /// Counts.
    pub metrics: RuleMetrics,
    /// What others may see.
    pub book: Arc<RuleBook>,
}

/// All groups, for readers.
#[derive(Debug, Default)]
pub struct RuleBook(ArcSwap<Vec<Arc<GroupView>>>);

impl RuleBook {
    /// The groups, in order of file and name.
    pub fn groups(&self) -> Arc<Vec<Arc<GroupView>>> {
        self.0.load_full()
    }
}

/// File and name.
type Key = (String, String);

/// The actor.
pub struct Ruler {
    from: Sources,
    inbox: mpsc::Receiver<Box<Running>>,
    wanted: HashMap<Key, Arc<RuleGroup>>,
    /// Groups that wait for their slot.
    idle: HashMap<Key, Box<Running>>,
    /// Groups that are with a worker.
    busy: HashSet<Key>,
    due: BinaryHeap<Reverse<(Timestamp, Key)>>,
    shop: Arc<Shop>,
    workers: JoinSet<()>,
    /// Groups loaded from now on are new, not known from before a restart.
    started: bool,
    /// The time of the last look.
    seen: Timestamp,
}

/// What the workers share.
struct Shop {
    clock: Clock,
    store: Arc<Store>,
    metrics: RuleMetrics,
    alerts: mpsc::Sender<Vec<RuleAlert>>,
    /// Groups to evaluate, each with its slot. Held for a push or a pop.
    queue: Mutex<VecDeque<(Timestamp, Box<Running>)>>,
    /// Queries under way, by worker. Held for a look.
    running: Mutex<HashMap<std::thread::ThreadId, (Instant, Cancel)>>,
    /// Set before the queries under way are ended.
    stopping: AtomicBool,
    config: ArcSwap<Config>,
    finished: mpsc::Sender<Box<Running>>,
}

impl Ruler {
    /// A ruler that does nothing before it runs.
    pub fn new(from: Sources) -> Self {
        // Full: a worker waits with what it finished; the loop takes it in at once.
        let (finished, inbox) = mpsc::channel(FINISHED);
        let shop = Shop {
            clock: from.clock,
            store: Arc::clone(&from.store),
            metrics: from.metrics.clone(),
            alerts: from.alerts.clone(),
            queue: Mutex::default(),
            running: Mutex::default(),
            stopping: AtomicBool::new(false),
            config: ArcSwap::default(),
            finished,
        };
        Self {
            from,
            inbox,
            wanted: HashMap::new(),
            idle: HashMap::new(),
            busy: HashSet::new(),
            due: BinaryHeap::new(),
            shop: Arc::new(shop),
            workers: JoinSet::new(),
            started: false,
            seen: Timestamp::EPOCH,
        }
    }

    /// Works until `stop`; then waits for evaluations under way, which it ends.
    pub async fn run(mut self, stop: CancellationToken) {
        // Nothing can be evaluated before there are samples, and nothing restored. Rules are shown as waiting.
        self.announce();
        while self.from.store.open().is_err() {
            if self.from.config.has_changed().unwrap_or(false) {
                self.announce();
            }
            if stop.run_until_cancelled(time::sleep(STORE_LOOK)).await.is_none() {
                return;
            }
        }
        self.configured();
        loop {
            let wake = self.wake();
            // Receiving and waiting are cancel-safe.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.from.config.changed() => self.configured(),
                Some(group) = self.inbox.recv() => {
                    self.back(group);
                    while let Ok(more) = self.inbox.try_recv() {
                        self.back(more);
                    }
                }
                // One that ended may have left behind what was queued while it did.
                Some(end) = self.workers.join_next() => {
                    if let Err(e) = end {
                        tracing::error!(error = %e, "evaluating rules crashed");
                    }
                    self.hire();
                }
                () = time::sleep_until(wake) => self.dispatch(),
            }
        }
        self.shop.stopping.store(true, Ordering::Relaxed);
        self.shop.queue().clear();
        self.shop.running().values().for_each(|(_, cancel)| cancel.cancel());
        self.inbox.close();
        while self.workers.join_next().await.is_some() {}
    }

    /// Shows what is loaded, before any of it works.
    fn announce(&mut self) {
        let config = Arc::clone(&self.from.config.borrow_and_update().config);
        let now = self.from.clock.now();
        let views = config.rules.iter().map(|group| Running::new(Arc::clone(group), now, true).view);
        self.from.book.0.store(Arc::new(views.collect()));
    }

    /// When to look next.
    fn wake(&self) -> Instant {
        let now = Instant::now();
        let next = self.due.peek().map(|Reverse((slot, _))| slot.since(self.from.clock.now()));
        now + next.map_or(LOOK, |wait| wait.clamp(TICK, LOOK))
    }

    /// Takes over another configuration.
    fn configured(&mut self) {
        let config = Arc::clone(&self.from.config.borrow_and_update().config);
        self.shop.config.store(Arc::clone(&config));
        let key = |g: &Arc<RuleGroup>| ((g.file.clone(), g.name.clone()), Arc::clone(g));
        self.wanted = config.rules.iter().map(key).collect();
        let now = self.from.clock.now();
        // Every group that waits is put on it anew: what stood there would pile up with every reload.
        self.due.clear();
        let idle: Vec<Key> = self.idle.keys().cloned().collect();
        for key in idle {
            if let Some(group) = self.idle.remove(&key) {
                self.settle(key, group, now);
            }
        }
        for (key, group) in &self.wanted {
            if !self.idle.contains_key(key) && !self.busy.contains(key) {
                let running = Running::new(Arc::clone(group), now, !self.started);
                self.due.push(Reverse((running.next, key.clone())));
                self.idle.insert(key.clone(), Box::new(running));
            }
        }
        self.started = true;
        self.from.metrics.groups.set(i64::try_from(self.wanted.len()).unwrap_or(i64::MAX));
        let rules: usize = self.wanted.values().map(|g| g.rules.len()).sum();
        self.from.metrics.rules.set(i64::try_from(rules).unwrap_or(i64::MAX));
        self.publish();
    }

    /// Puts a group that is not being evaluated where the configuration wants it: back, otherwise defined, or away.
    fn settle(&mut self, key: Key, group: Box<Running>, now: Timestamp) {
        let Some(wanted) = self.wanted.get(&key) else {
            return self.close(*group, now);
        };
        let mut group = if group.view.group.hash == wanted.hash && group.view.group.source == wanted.source {
            group
        } else {
            Box::new(group.redefined(Arc::clone(wanted), now))
        };
        if group.is_ahead(now, BACKWARDS) {
            // It was with a worker while the clock was set back.
            group.rewind(now);
        }
        self.due.push(Reverse((group.next, key.clone())));
        self.idle.insert(key, group);
    }

    fn close(&mut self, group: Running, now: Timestamp) {
        let mut batch = Batch::default();
        let over = group.close(now, &mut batch);
        if !over.is_empty() && self.from.alerts.try_send(over).is_err() {
            self.from.metrics.untold.inc();
        }
        if let Ok(tsdb) = self.from.store.open().map_err(drop)
            && !batch.is_empty()
        {
            self.workers.spawn_blocking(move || {
                if let Err(e) = tsdb.append(&batch, Ack::Written, now) {
                    tracing::warn!(error = %crate::base::failure::Chain(&e), "series of rules that are gone could not be ended");
                }
            });
        }
    }

    /// Takes a group back from a worker.
    fn back(&mut self, group: Box<Running>) {
        let key = (group.view.group.file.clone(), group.view.group.name.clone());
        self.busy.remove(&key);
        let before = Arc::clone(&group.view);
        self.settle(key.clone(), group, self.from.clock.now());
        if self.idle.get(&key).is_none_or(|g| !Arc::ptr_eq(&g.view, &before)) {
            self.publish();
        }
    }

    /// Hands all groups that are due to the workers, and ends queries that take too long.
    fn dispatch(&mut self) {
        let (now, at) = (self.from.clock.now(), Instant::now());
        let patience = self.shop.config.load().query.timeout;
        for (began, cancel) in self.shop.running().values() {
            if at.duration_since(*began) > patience {
                cancel.cancel();
            }
        }
        if now.plus(BACKWARDS) < self.seen {
            // The clock was set back: every group finds its slot anew.
            self.idle.values_mut().for_each(|g| g.rewind(now));
            self.due = self.idle.iter().map(|(key, g)| Reverse((g.next, key.clone()))).collect();
        }
        self.seen = now;
        while let Some(Reverse((slot, _))) = self.due.peek()
            && *slot <= now
            && let Some(Reverse((slot, key))) = self.due.pop()
        {
            // Entries of groups that moved on or went away are passed over.
            if self.idle.get(&key).is_none_or(|g| g.next != slot) {
                continue;
            }
            if let Some(mut group) = self.idle.remove(&key) {
                let slot = group.due(now, &self.from.metrics);
                self.busy.insert(key);
                self.shop.queue().push_back((slot, group));
            }
        }
        self.hire();
    }

    /// Starts as many workers as the queue is worth.
    fn hire(&mut self) {
        let queued = self.shop.queue().len();
        let most = std::thread::available_parallelism().map_or(2, NonZeroUsize::get).clamp(2, MAX_WORKERS);
        let room = most.saturating_sub(self.workers.len());
        for _ in 0..queued.div_ceil(PER_WORKER).min(room) {
            let shop = Arc::clone(&self.shop);
            self.workers.spawn_blocking(move || shop.work());
        }
    }

    fn publish(&self) {
        let mut views: Vec<Arc<GroupView>> = self.idle.values().map(|g| Arc::clone(&g.view)).collect();
        let old = self.from.book.groups();
        let busy = old.iter().filter(|v| self.busy.contains(&(v.group.file.clone(), v.group.name.clone())));
        views.extend(busy.cloned());
        views.sort_by(|a, b| (&a.group.file, &a.group.name).cmp(&(&b.group.file, &b.group.name)));
        self.from.book.0.store(Arc::new(views));
    }
}

impl Shop {
    fn queue(&self) -> MutexGuard<'_, VecDeque<(Timestamp, Box<Running>)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<std::thread::ThreadId, (Instant, Cancel)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that this thread begins a query.
    fn begin(&self) -> Cancel {
        let cancel = Cancel::default();
        let mut running = self.running();
        running.insert(std::thread::current().id(), (Instant::now(), cancel.clone()));
        if self.stopping.load(Ordering::Relaxed) {
            cancel.cancel();
        }
        cancel
    }

    /// Evaluates groups until none is left.
    fn work(&self) {
        let begin = || self.begin();
        let mut batch = Batch::default();
        let external_labels = Labels::default();
        loop {
            let Some((slot, mut group)) = self.queue().pop_front() else { break };
            if let Ok(tsdb) = self.store.open() {
                let config = self.config.load();
                let features = if config.query.experimental { Features::all() } else { Features::stable() };
                let bench = Bench {
                    tsdb: &tsdb,
                    limits: config.query,
                    features,
                    begin: &begin,
                    stopping: &self.stopping,
                    external_url: config.server.external_url.as_deref().unwrap_or_default(),
                    external_labels: &external_labels,
                };
                self.metrics.lag.observe(self.clock.now().since(slot).as_secs_f64());
                let work = || group.evaluate(slot, &bench, &self.metrics, &self.alerts, &mut batch);
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    // The panic was logged. The group has its next slot as ever.
                    self.metrics.failures.inc();
                }
            } else {
                self.metrics.missed.inc();
            }
            if self.finished.blocking_send(group).is_err() {
                break;
            }
        }
        self.running().remove(&std::thread::current().id());
    }
}
