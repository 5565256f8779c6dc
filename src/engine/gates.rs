//! How many probes of one host are under way at once, and how fast they begin.
//!
//! Ten thousand monitors of one host are a denial of service if all come at once. Who waits here has not begun: its
//! deadline runs from when it is let in. A host that answers nobody lets few in, and those wait out their timeouts: what
//! they find goes for the others, too. Monitors that had no answer when they were last asked never hold all places: what
//! works beside them is asked. Who waited in vain keeps its turn for the next time, so that each is asked before any that
//! came after it is asked twice.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{self, Instant};

use crate::base::name::MonitorName;
use crate::config::model::{Config, Monitor, Schedule};
use crate::config::probing::Probing;

/// The gates of all hosts that are probed.
#[derive(Debug, Default)]
pub struct Gates {
    limits: Probing,
    hosts: HashMap<Box<str>, Arc<Gate>>,
}

/// The gate of one host.
#[derive(Debug)]
pub struct Gate {
    /// Time between two probes.
    pace: Option<Duration>,
    /// So many probes without an answer speak for the host.
    enough: usize,
    /// Held for a few look-ups.
    inner: Mutex<Inner>,
}

/// A place at a host, until it is dropped.
#[derive(Debug)]
pub struct Place {
    gate: Arc<Gate>,
    of_silent: bool,
}

#[derive(Debug)]
struct Inner {
    /// Places that nobody holds. While there is one, nobody waits who may have it.
    free: usize,
    /// How many of all more monitors may hold that had no answer last.
    free_of_silent: usize,
    /// Who waits, by turn: those that had an answer last, and the silent. Who has gone is passed over when it is its turn.
    waiting: [BTreeMap<u64, oneshot::Sender<Place>>; 2],
    /// The next turn that is given out.
    turn: u64,
    /// Monitors that waited in vain, and their turns.
    left_out: HashMap<MonitorName, u64>,
    /// When the next probe may begin, where there is a pace.
    next: Instant,
    /// How probes ended.
    ends: Ends,
}

/// How the probes of one host ended lately.
#[derive(Debug, Default)]
struct Ends {
    /// When the last one had an answer, be it an error.
    answered: Option<Instant>,
    /// When the last one of a monitor had an answer that had none before.
    recovered: Option<Instant>,
    /// When the last ones had none, the oldest first.
    unanswered: VecDeque<Instant>,
    /// The monitors that had none when they were last asked.
    silent: HashSet<MonitorName>,
}

/// How long a probe of this monitor may wait for others of the same host.
pub(crate) fn patience(monitor: &Monitor) -> Duration {
    match &monitor.schedule {
        Schedule::Every(interval) => *interval + monitor.timeout,
        Schedule::Cron { .. } => monitor.timeout * 4,
    }
}

impl Gates {
    /// Takes over which hosts are probed, and how hard. Gates of hosts that stay are kept while the limits are the
    /// same.
    pub fn configure(&mut self, config: &Config) {
        let hosts = config.monitors.values().filter_map(|m| m.probe.host.as_deref());
        let old = std::mem::take(&mut self.hosts);
        let same = self.limits == config.probing;
        self.limits = config.probing;
        for gate in old.values() {
            let mut inner = gate.inner();
            inner.ends.silent.retain(|name| config.monitors.contains_key(name));
            inner.left_out.retain(|name, _| config.monitors.contains_key(name));
        }
        for host in hosts {
            if !self.hosts.contains_key(host) {
                let gate = old.get(host).filter(|_| same).cloned();
                self.hosts.insert(host.into(), gate.unwrap_or_else(|| Arc::new(Gate::new(self.limits))));
            }
        }
    }

    /// The gate that the monitor's probes pass.
    pub fn of(&self, monitor: &Monitor) -> Option<Arc<Gate>> {
        self.hosts.get(monitor.probe.host.as_deref()?).cloned()
    }
}

impl Gate {
    fn new(limits: Probing) -> Self {
        // A quarter is kept for what answers, where there is more than one.
        let of_silent = limits.per_host - (limits.per_host / 4).max(1).min(limits.per_host - 1);
        Self {
            pace: limits.per_host_rate.map(|rate| rate.per / rate.messages.max(1)),
            enough: limits.per_host.clamp(2, 8),
            inner: Mutex::new(Inner {
                free: limits.per_host,
                free_of_silent: of_silent,
                waiting: Default::default(),
                turn: 0,
                left_out: HashMap::new(),
                next: Instant::now(),
                ends: Ends::default(),
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A probe of this monitor ended, with an answer or without.
    pub fn ended(&self, name: &MonitorName, answered: bool) {
        let ends = &mut self.inner().ends;
        let now = Instant::now();
        if answered {
            ends.answered = Some(now);
            if ends.silent.remove(name) {
                ends.recovered = Some(now);
            }
            return;
        }
        ends.silent.insert(name.clone());
        if ends.unanswered.len() == self.enough {
            ends.unanswered.pop_front();
        }
        ends.unanswered.push_back(now);
    }

    /// Whether the host hangs for this monitor: all probes that ended since then had no answer, and they are enough to
    /// say so. For one that had none itself, those count that had none before: what always answered does not speak for
    /// it.
    pub fn hangs_since(&self, name: &MonitorName, since: Instant) -> bool {
        let ends = &self.inner().ends;
        let full = ends.unanswered.len() == self.enough;
        let enough = full && ends.unanswered.front().is_some_and(|first| *first >= since);
        let answered = if ends.silent.contains(name) { ends.recovered } else { ends.answered };
        enough && answered.is_none_or(|at| at < since)
    }

    /// Waits to be let in; `None` when that is not before `bound`. What comes back is the place, to be given up at
    /// the end of the probe.
    pub async fn enter(self: &Arc<Self>, name: &MonitorName, bound: Instant) -> Option<Place> {
        let (turn, place) = match self.come(name) {
            Ok(entered) => entered,
            // A place that comes at the very end goes back by being dropped.
            Err((turn, told)) => (turn, time::timeout_at(bound, told).await.ok().and_then(Result::ok)),
        };
        let begin = place.as_ref().and_then(|_| self.begin(bound));
        let (Some(place), Some(begin)) = (place, begin) else {
            self.inner().left_out.insert(name.clone(), turn);
            return None;
        };
        if self.pace.is_some() {
            time::sleep_until(begin).await;
        }
        Some(place)
    }

    /// Takes a place, or a turn in the queue.
    fn come(self: &Arc<Self>, name: &MonitorName) -> Result<(u64, Option<Place>), (u64, oneshot::Receiver<Place>)> {
        let mut inner = self.inner();
        let of_silent = inner.ends.silent.contains(name);
        let turn = inner.left_out.remove(name).unwrap_or(inner.turn);
        inner.turn += 1;
        if inner.has_room(of_silent) {
            inner.take(of_silent);
            return Ok((turn, Some(Place { gate: Arc::clone(self), of_silent })));
        }
        let (tell, told) = oneshot::channel();
        inner.waiting[usize::from(of_silent)].insert(turn, tell);
        Err((turn, told))
    }

    /// When a probe that has a place may begin; `None` when that is not before `bound`: the turn is left to others.
    fn begin(&self, bound: Instant) -> Option<Instant> {
        let Some(step) = self.pace else { return Some(bound) };
        let mut inner = self.inner();
        let at = inner.next.max(Instant::now());
        if at > bound {
            return None;
        }
        inner.next = at + step;
        Some(at)
    }

    /// Takes a place back and gives what is free to those that have waited longest.
    fn leave(self: &Arc<Self>, of_silent: bool) {
        let mut inner = self.inner();
        inner.free += 1;
        inner.free_of_silent += usize::from(of_silent);
        let mut missed = None;
        while missed.is_none()
            && let Some((of_silent, tell)) = inner.next_waiter()
        {
            inner.take(of_silent);
            // Whoever is gone by now is not there to drop it: that is done below, without the lock.
            missed = tell.send(Place { gate: Arc::clone(self), of_silent }).err();
        }
        drop(inner);
        drop(missed);
    }
}

impl Inner {
    fn has_room(&self, of_silent: bool) -> bool {
        self.free > 0 && (!of_silent || self.free_of_silent > 0)
    }

    fn take(&mut self, of_silent: bool) {
        self.free -= 1;
        self.free_of_silent -= usize::from(of_silent);
    }

    /// Who is next of those that still wait and may have a place: whether it is silent, and how it is told.
    fn next_waiter(&mut self) -> Option<(bool, oneshot::Sender<Place>)> {
        loop {
            let first = |of_silent: bool| {
                let turn = self.waiting[usize::from(of_silent)].first_key_value().map(|(turn, _)| *turn);
                turn.filter(|_| self.has_room(of_silent)).map(|turn| (turn, of_silent))
            };
            let (_, of_silent) = [first(false), first(true)].into_iter().flatten().min()?;
            let (_, tell) = self.waiting[usize::from(of_silent)].pop_first()?;
            if !tell.is_closed() {
                return Some((of_silent, tell));
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.leave(self.of_silent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MonitorName {
        MonitorName::new(text).unwrap()
    }

    fn gate(limits: Probing) -> Arc<Gate> {
        Arc::new(Gate::new(limits))
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_gate_lets_in_as_places_come_free_and_not_after_the_bound() {
        let gate = gate(Probing { per_host: 2, per_host_rate: None });
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let a = name("a");
        let held = (gate.enter(&a, start).await.unwrap(), gate.enter(&a, start).await.unwrap());
        assert!(gate.enter(&a, start + second).await.is_none());
        assert_eq!(start.elapsed(), second);
        drop(held.0);
        assert!(gate.enter(&a, start).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_in_vain_is_let_in_before_all_that_came_later() {
        let gate = gate(Probing { per_host: 1, per_host_rate: None });
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let [a, b, c, d] = ["a", "b", "c", "d"].map(name);
        let held = gate.enter(&a, start).await.unwrap();
        assert!(gate.enter(&b, start + second).await.is_none());
        let far = start + second * 100;
        let mut waits = [&c, &b, &d].map(|name| Box::pin(gate.enter(name, far)));
        for wait in &mut waits {
            assert!(futures_util::poll!(wait.as_mut()).is_pending());
        }
        drop(held);
        let mut order = Vec::new();
        while order.len() < waits.len() {
            for (i, wait) in waits.iter_mut().enumerate() {
                if !order.contains(&i)
                    && let std::task::Poll::Ready(place) = futures_util::poll!(wait.as_mut())
                {
                    assert!(place.is_some());
                    order.push(i);
                }
            }
        }
        assert_eq!(order, [1, 0, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_while_it_waits_takes_no_place_with_it() {
        let gate = gate(Probing { per_host: 2, per_host_rate: None });
        let far = Instant::now() + Duration::from_secs(100);
        let a = name("a");
        for polled_again in [false, true] {
            let held = (gate.enter(&a, far).await.unwrap(), gate.enter(&a, far).await.unwrap());
            let mut waits: Vec<_> = (0..10_000).map(|_| Box::pin(gate.enter(&a, far))).collect();
            for wait in &mut waits {
                assert!(futures_util::poll!(wait.as_mut()).is_pending());
            }
            // Gone before a place comes free, or with a place that was just given to it.
            if polled_again {
                drop(held);
                drop(waits);
            } else {
                drop(waits);
                drop(held);
            }
            let inner = gate.inner();
            assert_eq!((inner.free, inner.waiting[0].len()), (2, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_answers_is_asked_however_much_hangs_beside_it() {
        for (per_host, of_silent) in [(1, 1), (2, 1), (4, 3), (16, 12)] {
            let gate = gate(Probing { per_host, per_host_rate: None });
            let now = Instant::now();
            let (bad, good) = (name("bad"), name("good"));
            gate.ended(&bad, false);
            let mut held = Vec::new();
            while let Some(place) = gate.enter(&bad, now).await {
                held.push(place);
            }
            assert_eq!(held.len(), of_silent);
            assert_eq!(gate.enter(&good, now).await.is_some(), of_silent < per_host);
            drop(held);
            // An answer, and it may have all of them.
            gate.ended(&bad, true);
            let mut held = Vec::new();
            while let Some(place) = gate.enter(&bad, now).await {
                held.push(place);
            }
            assert_eq!(held.len(), per_host);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_always_answers_does_not_speak_for_what_hangs() {
        let gate = gate(Probing { per_host: 2, per_host_rate: None });
        let (bad, worse, good) = (name("bad"), name("worse"), name("good"));
        let since = Instant::now();
        for hanging in [&bad, &worse] {
            gate.ended(hanging, false);
            gate.ended(&good, true);
        }
        assert!(gate.hangs_since(&bad, since) && !gate.hangs_since(&good, since));
        gate.ended(&worse, true);
        assert!(!gate.hangs_since(&bad, since));
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_hangs_when_enough_probes_had_no_answer_and_none_had_one() {
        let gate = gate(Probing { per_host: 2, per_host_rate: None });
        let (start, a, b) = (Instant::now(), name("a"), name("b"));
        gate.ended(&a, false);
        assert!(!gate.hangs_since(&b, start));
        gate.ended(&a, false);
        assert!(gate.hangs_since(&b, start));
        time::advance(Duration::from_secs(1)).await;
        // Who began to wait now has heard of none.
        assert!(!gate.hangs_since(&b, Instant::now()));
        gate.ended(&a, true);
        gate.ended(&a, false);
        gate.ended(&a, false);
        assert!(!gate.hangs_since(&b, start));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_spreads_the_beginnings_evenly() {
        use crate::config::model::RateLimit;
        let rate = RateLimit { messages: 10, per: Duration::from_secs(1) };
        let gate = gate(Probing { per_host: 4, per_host_rate: Some(rate) });
        let (start, a) = (Instant::now(), name("a"));
        for i in 0..5u32 {
            assert!(gate.enter(&a, start + Duration::from_secs(1)).await.is_some());
            // The timer counts whole milliseconds.
            let late = start.elapsed().saturating_sub(Duration::from_millis(100) * i);
            assert!(late < Duration::from_millis(10), "{late:?}");
        }
        // Who cannot begin in time leaves the turn to others.
        assert!(gate.enter(&a, start + Duration::from_millis(450)).await.is_none());
        assert!(gate.enter(&a, start + Duration::from_millis(510)).await.is_some());
    }
}
