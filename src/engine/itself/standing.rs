//! Which monitors this machine keeps from being judged now, and whether that is to be told.
//!
//! A monitor that is `unknown` for such a reason raises no alert of its own. So one that stays so for as many slots as its
//! alert would wait for is told of here, by the class of its reason; many at once are told of without that wait.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
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

/// A monitor that cannot be judged, and why.
#[derive(Debug)]
struct Stuck {
    /// Of the last results; of two reasons that take turns, the first.
    class: Cow<'static, str>,
    /// Of the last result.
    newest: Cow<'static, str>,
    message: String,
    /// Results in a row.
    slots: u32,
    /// So many are told of.
    after: u32,
    /// It asks another machine.
    cut_off: bool,
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
        let unjudged = reason.filter(|r| verdict == Verdict::Unknown && r.blames_us());
        if unjudged.is_none() && !self.any.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut inner) = self.inner.lock() else { return };
        match unjudged {
            // A run of one that is gone may end late.
            Some(_) if !inner.known.contains(&monitor.name) => {}
            Some(reason) => {
                let before = inner.stuck.remove(&monitor.name);
                let stays = before.as_ref().is_some_and(|before| before.newest != reason.class);
                let slots = before.as_ref().map_or(0, |before| before.slots);
                let stuck = Stuck {
                    class: before.filter(|_| stays).map_or_else(|| reason.class.clone(), |before| before.class),
                    newest: reason.class.clone(),
                    message: reason.message.clone(),
                    slots: slots.saturating_add(1),
                    after: monitor.alert.map_or(SLOTS, |policy| policy.after),
                    cut_off: asks_elsewhere(monitor),
                };
                inner.stuck.insert(monitor.name.clone(), stuck);
            }
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

    /// What keeps monitors from being judged: its classes, and which monitors.
    pub(crate) fn trouble(&self) -> BTreeMap<String, String> {
        if !self.any.load(Ordering::Relaxed) {
            return BTreeMap::new();
        }
        let Ok(inner) = self.inner.lock() else { return BTreeMap::new() };
        let cut_off: u64 = inner.stuck.values().filter(|s| s.cut_off).map(|_| 1).sum();
        let many = cut_off >= LEAST && cut_off * SHARE >= inner.elsewhere;
        let mut classes: BTreeMap<&str, Alike<'_>> = BTreeMap::new();
        for (name, stuck) in inner.stuck.iter().filter(|(_, stuck)| stuck.is_ripe() || (many && stuck.cut_off)) {
            classes.entry(&stuck.class).or_default().add(name, &stuck.message);
        }
        classes.into_iter().map(|(class, alike)| (class.to_owned(), alike.to_string())).collect()
    }
}

/// Monitors with the same class of reason.
#[derive(Default)]
struct Alike<'a> {
    count: usize,
    /// The first by name with their messages, so that the same trouble is told in the same words.
    first: Vec<(&'a MonitorName, &'a str)>,
}

impl<'a> Alike<'a> {
    fn add(&mut self, name: &'a MonitorName, message: &'a str) {
        self.count += 1;
        let place = self.first.partition_point(|(other, _)| *other < name);
        if place < NAMED {
            self.first.insert(place, (name, message));
            self.first.truncate(NAMED);
        }
    }
}

impl fmt::Display for Alike<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.first.iter().map(|(name, _)| format!("`{name}`")).collect();
        f.write_str(&names.join(", "))?;
        if self.count > names.len() {
            write!(f, " and {} more", self.count - names.len())?;
        }
        write!(f, ": {}", self.first.first().map_or("", |(_, message)| message))
    }
}

fn asks_elsewhere(monitor: &Monitor) -> bool {
    monitor.probe.host.as_deref().is_some_and(is_elsewhere)
}
