//! What changed between two configurations. Pure; reload acts on it.

use crate::base::name::MonitorName;
use crate::config::model::Config;
use crate::config::rules::same;

/// The difference, names in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Monitors that are new.
    pub added: Vec<MonitorName>,
    /// Monitors that are defined otherwise than before.
    pub changed: Vec<MonitorName>,
    /// Monitors that are gone.
    pub removed: Vec<MonitorName>,
    /// How many monitors keep everything.
    pub unchanged: usize,
    /// Whether receivers differ, their order aside.
    pub receivers: bool,
    /// Whether anything differs of who is told and when.
    pub alerting: bool,
    /// Whether `server:` differs.
    pub server: bool,
    /// Whether groups of rules differ.
    pub rules: bool,
    /// Whether `storage:`, `query:` or `intake:` differ.
    pub storage: bool,
    /// Whether `heartbeat:` differs.
    pub heartbeat: bool,
    /// Whether `policy:` differs.
    pub policy: bool,
    /// Whether `probing:` differs.
    pub probing: bool,
    /// Whether `self:` differs.
    pub itself: bool,
}

impl Diff {
    /// Whether nothing at all is different.
    pub fn is_empty(&self) -> bool {
        *self == Self { unchanged: self.unchanged, ..Self::default() }
    }
}

/// Compares by the monitors' hashes: where a definition stands does not matter.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let mut diff = Diff::default();
    for (name, monitor) in &new.monitors {
        match old.monitors.get(name) {
            None => diff.added.push(name.clone()),
            Some(before) if before.hash == monitor.hash => diff.unchanged += 1,
            Some(_) => diff.changed.push(name.clone()),
        }
    }
    diff.removed = old.monitors.keys().filter(|name| !new.monitors.contains_key(*name)).cloned().collect();
    let receivers = |config: &Config| {
        let mut list: Vec<_> = config.receivers.iter().map(|r| (r.name.clone(), r.kind.clone(), r.hash)).collect();
        list.sort();
        list
    };
    diff.receivers = receivers(old) != receivers(new);
    diff.alerting = old.alerting.hash != new.alerting.hash;
    diff.rules = !same(&old.rules, &new.rules);
    diff.server = old.server != new.server;
    diff.storage = (old.storage, old.query, old.intake) != (new.storage, new.query, new.intake);
    diff.policy = old.policy != new.policy;
    diff.probing = old.probing != new.probing;
    diff.itself = old.itself.hash != new.itself.hash;
    diff.heartbeat = old.heartbeat != new.heartbeat;
    diff
}
