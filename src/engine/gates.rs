//! How many probes of one host are under way at once, and how fast they begin.
//!
//! Ten thousand monitors of one host are a denial of service if all come at once. Who waits here has not begun: its
//! deadline runs from when it is let in. A host that answers nobody lets few in, and those wait out their timeouts: what
//! they find goes for the others, too.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{self, Instant};

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
    /// Time between two probes, and when the next may begin. Held while it is moved on.
    pace: Option<(Duration, Mutex<Instant>)>,
    /// How probes ended. Held while it is looked at.
    ends: Mutex<Ends>,
}

/// How the probes of one host ended lately.
#[derive(Debug)]
struct Ends {
    /// When the last one had an answer, be it an error.
    answered: Option<Instant>,
    /// When the last ones had none, the oldest first.
    silent: VecDeque<Instant>,
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
        let ends = Ends { answered: None, silent: VecDeque::with_capacity(enough), enough };
        Self { places: Semaphore::new(limits.per_host), pace, ends: Mutex::new(ends) }
    }

    /// A probe of this host ended, with an answer or without.
    pub fn ended(&self, answered: bool) {
        let Ok(mut ends) = self.ends.lock() else { return };
        let now = Instant::now();
        if answered {
            ends.answered = Some(now);
            return;
        }
        if ends.silent.len() == ends.enough {
            ends.silent.pop_front();
        }
        ends.silent.push_back(now);
    }

    /// Whether the host hangs: all probes of it that ended since then had no answer, and they are enough to say so.
    pub fn hangs_since(&self, since: Instant) -> bool {
        let Ok(ends) = self.ends.lock() else { return false };
        let enough = ends.silent.len() == ends.enough && ends.silent.front().is_some_and(|first| *first >= since);
        enough && ends.answered.is_none_or(|at| at < since)
    }

    /// Waits to be let in; `None` when that is not before `bound`. What comes back is the place, to be given up at
    /// the end of the probe.
    pub async fn enter(&self, bound: Instant) -> Option<SemaphorePermit<'_>> {
        let place = match self.places.try_acquire() {
            Ok(place) => place,
            Err(_) => time::timeout_at(bound, self.places.acquire()).await.ok()?.ok()?,
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_gate_lets_in_as_places_come_free_and_not_after_the_bound() {
        let gate = Gate::new(Probing { per_host: 2, per_host_rate: None });
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let held = (gate.enter(start).await.unwrap(), gate.enter(start).await.unwrap());
        assert!(gate.enter(start + second).await.is_none());
        assert_eq!(start.elapsed(), second);
        drop(held.0);
        assert!(gate.enter(start).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_hangs_when_enough_probes_had_no_answer_and_none_had_one() {
        let gate = Gate::new(Probing { per_host: 2, per_host_rate: None });
        let start = Instant::now();
        gate.ended(false);
        assert!(!gate.hangs_since(start));
        gate.ended(false);
        assert!(gate.hangs_since(start));
        time::advance(Duration::from_secs(1)).await;
        // Who began to wait now has heard of none.
        assert!(!gate.hangs_since(Instant::now()));
        gate.ended(true);
        gate.ended(false);
        gate.ended(false);
        assert!(!gate.hangs_since(start));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_spreads_the_beginnings_evenly() {
        use crate::config::model::RateLimit;
        let rate = RateLimit { messages: 10, per: Duration::from_secs(1) };
        let gate = Gate::new(Probing { per_host: 4, per_host_rate: Some(rate) });
        let start = Instant::now();
        for i in 0..5u32 {
            assert!(gate.enter(start + Duration::from_secs(1)).await.is_some());
            // The timer counts whole milliseconds.
            let late = start.elapsed().saturating_sub(Duration::from_millis(100) * i);
            assert!(late < Duration::from_millis(10), "{late:?}");
        }
        // Who cannot begin in time leaves the turn to others.
        assert!(gate.enter(start + Duration::from_millis(450)).await.is_none());
        assert!(gate.enter(start + Duration::from_millis(510)).await.is_some());
    }
}
