//! How many probes of one host are under way at once, and how fast they begin.
//!
//! Ten thousand monitors of one host are a denial of service if all come at once. Who waits here has not begun: its
//! deadline runs from when it is let in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{self, Instant};

use crate::config::model::{Config, Monitor};
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
        Self { places: Semaphore::new(limits.per_host), pace }
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
