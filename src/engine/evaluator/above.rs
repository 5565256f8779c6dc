//! Which alerts wait for the monitors above, because those were not probed since the failure began.
//!
//! A router and what stands behind it fail together, but are not probed together: without this wait the
//! one that happens to be probed first would page. The wait ends with the first result of everything above that
//! is newer than the failure, and at the latest when such a result is overdue.

use std::collections::HashMap;
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::config::depends;
use crate::config::model::{Config, Monitor, Schedule};

/// What a result may be late by, beside the time its probes take.
const LATE: Duration = Duration::from_secs(2);

/// How a monitor above stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent {
    /// When its newest probe began.
    pub(crate) last: Option<Timestamp>,
    /// It is down, or was when it was last judged.
    pub(crate) broken: bool,
}

/// Who depends on whom, and whose alerts wait.
#[derive(Debug, Default)]
pub(crate) struct Above {
    /// Monitor → everything above it, and how long after any time each is sure to have a newer result.
    of: HashMap<MonitorName, Vec<(MonitorName, Duration)>>,
    /// Monitor → everything below it.
    below: HashMap<MonitorName, Vec<MonitorName>>,
    /// Alerts that wait, with the reason of the failure.
    held: HashMap<MonitorName, String>,
}

impl Above {
    /// Follows `depends_on` to its ends.
    pub(crate) fn of(config: &Config) -> Self {
        let mut above = Self::default();
        for monitor in config.monitors.values().filter(|m| !m.depends_on.is_empty()) {
            let parents = depends::above(&config.monitors, monitor);
            let found: Vec<_> = parents.iter().filter(|p| !p.paused).map(|p| (p.name.clone(), overdue(p))).collect();
            for (parent, _) in &found {
                above.below.entry(parent.clone()).or_default().push(monitor.name.clone());
            }
            above.of.insert(monitor.name.clone(), found);
        }
        above
    }

    /// Whether the alert of `name`, failing since `began`, is to wait.
    pub(crate) fn holds(
        &self,
        name: &MonitorName,
        began: Timestamp,
        now: Timestamp,
        standing: impl Fn(&MonitorName) -> Option<Parent>,
    ) -> bool {
        let parents = self.of.get(name).map_or(&[] as &[_], Vec::as_slice);
        parents.iter().any(|(parent, overdue)| {
            let Some(found) = standing(parent) else { return false };
            let newer = found.last.is_some_and(|last| last >= began);
            found.broken || (!newer && now < began.plus(*overdue))
        })
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
        if self.held.is_empty() {
            return Vec::new();
        }
        let below = self.below.get(parent).into_iter().flatten();
        below.filter_map(|name| self.held.remove_entry(name)).collect()
    }
}

/// A result of this monitor is never further away than this.
fn overdue(monitor: &Monitor) -> Duration {
    match &monitor.schedule {
        Schedule::Every(interval) => {
            *interval + monitor.timeout + (monitor.retry_interval + monitor.timeout) * monitor.retries + LATE
        }
        // The next time that a cron expression names may be days away: nobody waits for that.
        Schedule::Cron { .. } => Duration::ZERO,
    }
}
