//! How many probes of one host are under way at once, and how fast they begin.
//!
//! Ten thousand monitors of one host are a denial of service if all come at once. Who waits here has not begun: its
//! deadline runs from when it is let in. A host that answers nobody lets few in, and those wait out their timeouts: what
//! they find goes for the others, too. Monitors that had no answer when they were last asked never hold all places: what
//! works beside them is asked.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
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
    places: Semaphore,
    /// Of these, those that monitors may hold which had no answer last.
    places_of_silent: Semaphore,
    /// Time between two probes, and when the next may begin. Held while it is moved on.
    pace: Option<(Duration, Mutex<Instant>)>,
    /// How probes ended. Held while it is looked at.
    ends: Mutex<Ends>,
}

/// A place at a host, until it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    _one: SemaphorePermit<'a>,
    _of_silent: Option<SemaphorePermit<'a>>,
}

/// How the probes of one host ended lately.
#[derive(Debug)]
struct Ends {
    /// When the last one had an answer, be it an error.
    answered: Option<Instant>,
    /// When the last one of a monitor had an answer that had none before.
    recovered: Option<Instant>,
    /// When the last ones had none, the oldest first.
    unanswered: VecDeque<Instant>,
    /// The monitors that had none when they were last asked.
    silent: HashSet<MonitorName>,
    /// So many without an answer speak for the host.
    enough: usize,
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
            if let Ok(mut ends) = gate.ends.lock() {
                ends.silent.retain(|name| config.monitors.contains_key(name));
            }
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
        let pace = limits.per_host_rate.map(|rate| (rate.per / rate.messages.max(1), Mutex::new(Instant::now())));
        let enough = limits.per_host.clamp(2, 8);
        let unanswered = VecDeque::with_capacity(enough);
        let ends = Ends { answered: None, recovered: None, unanswered, silent: HashSet::new(), enough };
        // A quarter is kept for what answers, where there is more than one.
        let of_silent = limits.per_host - (limits.per_host / 4).max(1).min(limits.per_host - 1);
        Self {
            places: Semaphore::new(limits.per_host),
            places_of_silent: Semaphore::new(of_silent),
            pace,
            ends: Mutex::new(ends),
        }
    }

    /// A probe of this monitor ended, with an answer or without.
    pub fn ended(&self, name: &MonitorName, answered: bool) {
        let Ok(mut ends) = self.ends.lock() else { return };
        let now = Instant::now();
        if answered {
            ends.answered = Some(now);
            if ends.silent.remove(name) {
                ends.recovered = Some(now);
            }
            return;
        }
        ends.silent.insert(name.clone());
        if ends.unanswered.len() == ends.enough {
            ends.unanswered.pop_front();
        }
        ends.unanswered.push_back(now);
    }

    /// Whether the host hangs for this monitor: all probes that ended since then had no answer, and they are enough to
    /// say so. For one that had none itself, those count that had none before: what always answered does not speak for
    /// it.
    pub fn hangs_since(&self, name: &MonitorName, since: Instant) -> bool {
        let Ok(ends) = self.ends.lock() else { return false };
        let full = ends.unanswered.len() == ends.enough;
        let enough = full && ends.unanswered.front().is_some_and(|first| *first >= since);
        let answered = if ends.silent.contains(name) { ends.recovered } else { ends.answered };
        enough && answered.is_none_or(|at| at < since)
    }

    /// Waits to be let in; `None` when that is not before `bound`. What comes back is the place, to be given up at
    /// the end of the probe.
    pub async fn enter(&self, name: &MonitorName, bound: Instant) -> Option<Place<'_>> {
        let is_silent = self.ends.lock().is_ok_and(|ends| ends.silent.contains(name));
        // First what is scarcer: who waits for it must not stand in the way of others.
        let of_silent = match is_silent {
            true => Some(one_of(&self.places_of_silent, bound).await?),
            false => None,
        };
        let place = Place { _one: one_of(&self.places, bound).await?, _of_silent: of_silent };
        let Some((step, next)) = &self.pace else { return Some(place) };
        let at = {
            let mut next = next.lock().ok()?;
            let at = (*next).max(Instant::now());
            if at > bound {
                return None;
            }
            *next = at + *step;
            at
        };
        time::sleep_until(at).await;
        Some(place)
    }
}

async fn one_of(places: &Semaphore, bound: Instant) -> Option<SemaphorePermit<'_>> {
    match places.try_acquire() {
        Ok(place) => Some(place),
        Err(_) => time::timeout_at(bound, places.acquire()).await.ok()?.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MonitorName {
        MonitorName::new(text).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_gate_lets_in_as_places_come_free_and_not_after_the_bound() {
        let gate = Gate::new(Probing { per_host: 2, per_host_rate: None });
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
    async fn what_answers_is_asked_however_much_hangs_beside_it() {
        for (per_host, of_silent) in [(1, 1), (2, 1), (4, 3), (16, 12)] {
            let gate = Gate::new(Probing { per_host, per_host_rate: None });
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
        let gate = Gate::new(Probing { per_host: 2, per_host_rate: None });
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
        let gate = Gate::new(Probing { per_host: 2, per_host_rate: None });
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
        let gate = Gate::new(Probing { per_host: 4, per_host_rate: Some(rate) });
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
