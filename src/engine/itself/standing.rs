//! Which monitors cannot be judged now because of this machine, and whether that is to be told.
//!
//! A monitor that is `unknown` raises no alert of its own. So one that stays so for as many slots as its alert would
//! wait for is told of here, in the one alert about ourselves; many at once are told of without that wait.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::name::MonitorName;
use crate::base::outcome::{Reason, Verdict};
use crate::config::model::{Config, Monitor};
use crate::engine::itself::is_elsewhere;
use crate::engine::itself::tally::{LEAST, SHARE};

/// So many slots are waited for by a monitor that has no alert of its own.
const SLOTS: u32 = 3;
/// Names that are told; the others are counted.
const NAMED: usize = 3;

/// The class of a target that our own policy does not let be asked.
const BLOCKED: &str = "blocked_address";

/// The monitors that cannot be judged.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Whether there are any; without them nobody takes the lock to say that all is well.
    any: AtomicBool,
    /// Leaf data, locked for a few look-ups; once a second for a walk over those that are stuck.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Monitors that run.
    known: HashSet<MonitorName>,
    /// How many of them ask other machines.
    elsewhere: u64,
    stuck: HashMap<MonitorName, Stuck>,
}

/// A monitor that stands in `unknown`, and why.
#[derive(Debug)]
struct Stuck {
    class: Cow<'static, str>,
    message: String,
    /// Results in a row.
    slots: u32,
    /// So many are told of.
    after: u32,
    elsewhere: bool,
}

impl Stuck {
    fn is_ripe(&self) -> bool {
        self.slots >= self.after
    }
}

impl Standing {
    /// Takes over which monitors there are. What is known of those that stay is kept.
    pub(crate) fn configure(&self, config: &Config) {
        let Ok(mut inner) = self.inner.lock() else { return };
        let running = || config.monitors.values().filter(|m| !m.paused);
        inner.known = running().map(|m| m.name.clone()).collect();
        inner.elsewhere = running().filter(|m| asks_elsewhere(m)).map(|_| 1).sum();
        let Inner { known, stuck, .. } = &mut *inner;
        stuck.retain(|name, _| known.contains(name));
        self.any.store(!stuck.is_empty(), Ordering::Relaxed);
    }

    /// Takes note of the result of a slot.
    pub(crate) fn note(&self, monitor: &Monitor, verdict: Verdict, reason: Option<&Reason>) {
        let ours = reason.filter(|r| verdict == Verdict::Unknown && (r.blames_us() || r.class == BLOCKED));
        if ours.is_none() && !self.any.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut inner) = self.inner.lock() else { return };
        match ours {
            // A run of one that is gone may end late.
            Some(_) if !inner.known.contains(&monitor.name) => {}
            Some(reason) => match inner.stuck.get_mut(&monitor.name) {
                Some(stuck) => {
                    stuck.slots = stuck.slots.saturating_add(1);
                    (stuck.class, stuck.message) = (reason.class.clone(), reason.message.clone());
                    stuck.after = monitor.alert.map_or(SLOTS, |policy| policy.after);
                }
                None => {
                    let stuck = Stuck {
                        class: reason.class.clone(),
                        message: reason.message.clone(),
                        slots: 1,
                        after: monitor.alert.map_or(SLOTS, |policy| policy.after),
                        elsewhere: asks_elsewhere(monitor),
                    };
                    inner.stuck.insert(monitor.name.clone(), stuck);
                }
            },
            None => drop(inner.stuck.remove(&monitor.name)),
        }
        self.any.store(!inner.stuck.is_empty(), Ordering::Relaxed);
    }

    /// Every monitor that cannot be judged now is told of until it can: an alert from before the start said so.
    pub(crate) fn believe(&self) {
        if let Ok(mut inner) = self.inner.lock() {
            inner.stuck.values_mut().for_each(|stuck| stuck.slots = stuck.slots.max(stuck.after));
        }
    }

    /// What keeps monitors from being judged: its class, and which.
    pub(crate) fn trouble(&self) -> Option<(String, String)> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let inner = self.inner.lock().ok()?;
        let elsewhere: u64 = inner.stuck.values().filter(|s| s.elsewhere).map(|_| 1).sum();
        let many = elsewhere >= LEAST && elsewhere * SHARE >= inner.elsewhere;
        let told = || inner.stuck.iter().filter(|(_, stuck)| many || stuck.is_ripe());
        // By class: how many, and the first by name, so that the same trouble is told in the same words.
        let mut classes: BTreeMap<&str, (usize, &MonitorName, &str)> = BTreeMap::new();
        let mut first: Vec<&MonitorName> = Vec::with_capacity(NAMED + 1);
        for (name, stuck) in told() {
            let sum = classes.entry(&stuck.class).or_insert((0, name, &stuck.message));
            sum.0 += 1;
            if name < sum.1 {
                (sum.1, sum.2) = (name, &stuck.message);
            }
            let place = first.partition_point(|other| *other < name);
            if place < NAMED {
                first.insert(place, name);
                first.truncate(NAMED);
            }
        }
        let count: usize = classes.values().map(|(n, ..)| n).sum();
        let (class, (_, _, example)) = classes.into_iter().max_by_key(|(_, (n, ..))| *n)?;
        let names: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
        let more = match count - names.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        Some((class.to_owned(), format!("{}{more}: {example}", names.join(", "))))
    }
}

fn asks_elsewhere(monitor: &Monitor) -> bool {
    monitor.probe.host.as_deref().is_some_and(is_elsewhere)
}
