//! Which alerts wait for the monitors above, because those were not probed since the failure began.
//!
//! A router and what stands behind it fail together, but are not probed together: without this wait the
//! one that happens to be probed first would page. The wait ends with the first result of everything above that
//! is newer than the failure, and at the latest when such a result is overdue.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::config::model::Config;
use crate::engine::lineage::overdue;

/// How a monitor above stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent {
    /// When its newest probe began.
    pub(crate) last: Option<Timestamp>,
    /// It is down, or was when it was last judged.
    pub(crate) broken: bool,
    /// Since when it could not be judged.
    pub(crate) unsure: Option<Timestamp>,
}

/// Who depends on whom, and whose alerts wait.
#[derive(Debug, Default)]
pub(crate) struct Above {
    /// Each monitor that depends on another, or on which another depends.
    nodes: HashMap<MonitorName, Node>,
    /// Alerts that wait, with the reason of the failure.
    held: HashMap<MonitorName, String>,
}

/// A monitor and its direct relations: the whole way of each would be a square of the longest chain.
#[derive(Debug, Default)]
struct Node {
    above: Vec<MonitorName>,
    below: Vec<MonitorName>,
    /// How long after any time it is sure to have a newer result.
    overdue: Duration,
}

impl Above {
    /// Who depends on whom in this configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let mut above = Self::default();
        for (name, monitor) in config.monitors.iter().filter(|(_, m)| !m.depends_on.is_empty()) {
            for parent in &monitor.depends_on {
                let Some(found) = config.monitors.get(parent) else { continue };
                let node = above.nodes.entry(parent.clone()).or_default();
                node.below.push(name.clone());
                node.overdue = overdue(found);
            }
            let node = above.nodes.entry(name.clone()).or_default();
            node.above.clone_from(&monitor.depends_on);
            node.overdue = overdue(monitor);
        }
        above
    }

    /// How long after any time a monitor on which others depend is sure to have a newer result.
    pub(crate) fn overdue(&self, name: &MonitorName) -> Option<Duration> {
        self.nodes.get(name).map(|node| node.overdue)
    }

    /// The monitor for whose result the alert of `name`, failing since `began`, is to wait.
    pub(crate) fn holder(
        &self,
        name: &MonitorName,
        began: Timestamp,
        now: Timestamp,
        standing: impl Fn(&MonitorName) -> Option<Parent>,
    ) -> Option<&MonitorName> {
        let node = self.nodes.get(name)?;
        let (mut open, mut seen): (VecDeque<_>, _) = (node.above.iter().collect(), HashSet::new());
        while let Some(parent) = open.pop_front() {
            let Some(node) = self.nodes.get(parent).filter(|_| seen.insert(parent)) else { continue };
            open.extend(&node.above);
            let Some(found) = standing(parent) else { continue };
            let newer = found.last.is_some_and(|last| last >= began);
            // What was found before nothing could be found any more is not believed for ever.
            let broken = found.broken && found.unsure.is_none_or(|since| now < since.plus(node.overdue));
            if broken || (!newer && now < began.plus(node.overdue)) {
                return Some(parent);
            }
        }
        None
    }

    /// The alert waits.
    pub(crate) fn hold(&mut self, name: &MonitorName, reason: &str) {
        self.held.insert(name.clone(), reason.to_owned());
    }

    /// It waits no longer.
    pub(crate) fn release(&mut self, name: &MonitorName) {
        if !self.held.is_empty() {
            self.held.remove(name);
        }
    }

    /// What waits below a monitor that has a new result.
    pub(crate) fn held_below(&mut self, parent: &MonitorName) -> Vec<(MonitorName, String)> {
        let (mut open, mut seen, mut found) = (VecDeque::from([parent]), HashSet::new(), Vec::new());
        while let Some(node) = open.pop_front().filter(|_| !self.held.is_empty()) {
            for name in self.nodes.get(node).into_iter().flat_map(|n| &n.below).filter(|n| seen.insert(*n)) {
                found.extend(self.held.remove_entry(name));
                open.push_back(name);
            }
        }
        found
    }
}
