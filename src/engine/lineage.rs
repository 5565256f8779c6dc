//! Whose fault a failure is when one monitor depends on another: what is found below one that is down says
//! nothing, and becomes `unknown`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::name::MonitorName;
use crate::base::outcome::{Outcome, PARENT_DOWN, Reason, Verdict};
use crate::config::depends;
use crate::config::model::{Config, Monitor};

/// What is known of the monitors on which others depend. One value, shared by all probes.
#[derive(Debug, Default)]
pub struct Lineage {
    /// Whether any monitor depends on another; without it nobody takes the lock.
    any: AtomicBool,
    /// Held for a few look-ups.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Monitor → everything above it, nearest first.
    above: HashMap<MonitorName, Vec<MonitorName>>,
    /// Each monitor on which another depends.
    standing: HashMap<MonitorName, Standing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Fine,
    Down,
    /// Unknown, since another above it is down.
    Excused,
}

impl Lineage {
    /// Takes over who depends on whom. What is known of monitors that stay is kept.
    pub fn configure(&self, config: &Config) {
        let Ok(mut known) = self.known.lock() else { return };
        known.above.clear();
        let mut standing = HashMap::new();
        for monitor in config.monitors.values().filter(|m| !m.depends_on.is_empty()) {
            let above: Vec<MonitorName> =
                depends::above(&config.monitors, monitor).iter().filter(|m| !m.paused).map(|m| m.name.clone()).collect();
            for name in &above {
                let before = known.standing.get(name).copied().unwrap_or(Standing::Fine);
                standing.insert(name.clone(), before);
            }
            known.above.insert(monitor.name.clone(), above);
        }
        self.any.store(!standing.is_empty(), Ordering::Relaxed);
        known.standing = standing;
    }

    /// The outcome as it is to be judged: a failure below a monitor that is down is `unknown`.
    pub fn judge(&self, monitor: &Monitor, outcome: Outcome) -> Outcome {
        if outcome.verdict != Verdict::Down || monitor.depends_on.is_empty() {
            return outcome;
        }
        let Some(parent) = self.culprit(&monitor.name) else { return outcome };
        let message = format!("`{parent}` is down, and this depends on it; found: {}", outcome.headline());
        outcome.with_verdict(Verdict::Unknown, PARENT_DOWN, message)
    }

    fn culprit(&self, name: &MonitorName) -> Option<MonitorName> {
        let known = self.known.lock().ok()?;
        let above = known.above.get(name)?;
        let standing = |name: &MonitorName| known.standing.get(name).copied().unwrap_or(Standing::Fine);
        // The one that is down itself explains more than one that is excused.
        let down = above.iter().find(|name| standing(name) == Standing::Down);
        down.or_else(|| above.iter().find(|name| standing(name) == Standing::Excused)).cloned()
    }

    /// Remembers the verdict of a slot. One that is unknown for our own reasons changes nothing.
    pub fn note(&self, name: &MonitorName, verdict: Verdict, reason: Option<&Reason>) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let now = match verdict {
            Verdict::Up | Verdict::Degraded => Standing::Fine,
            Verdict::Down => Standing::Down,
            Verdict::Unknown if reason.is_some_and(Reason::blames_parent) => Standing::Excused,
            Verdict::Unknown => return,
        };
        if let Ok(mut known) = self.known.lock()
            && let Some(standing) = known.standing.get_mut(name)
        {
            *standing = now;
        }
    }
}
