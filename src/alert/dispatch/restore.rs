//! A dispatcher from stored rows: as if it had never stopped, save that nothing happened meanwhile.
//!
//! A flush that fell into the time away and had something to tell is made up for at once; all others
//! keep their grid. Rows that no longer fit the files are deleted with the first step.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::alert::dispatch::flush::next_after;
use crate::alert::dispatch::intake::nodes;
use crate::alert::dispatch::mute::Windows;
use crate::alert::dispatch::record::{CounterRecord, GroupRecord, Record};
use crate::alert::dispatch::setup::Setup;
use crate::alert::dispatch::state::{Alert, Silencing};
use crate::alert::dispatch::storm::Storms;
use crate::alert::dispatch::timers::{GroupId, Timer, Timers};
use crate::alert::dispatch::{Changed, Dispatcher, Effects};
use crate::alert::inhibit::Inhibitor;
use crate::alert::rule::Fingerprint;
use crate::base::time::Timestamp;

impl Dispatcher {
    /// Continues from what [`Effects::changes`] stored. The first step stores what no longer holds.
    pub fn restore(records: Vec<Record>, setup: Arc<Setup>, now: Timestamp) -> Self {
        let mut new = Self {
            routes: nodes(&setup.policy.route),
            inhibitor: Inhibitor::new(setup.policy.inhibit.iter().cloned()),
            setup,
            alerts: BTreeMap::new(),
            groups: BTreeMap::new(),
            by_key: HashMap::new(),
            silences: BTreeMap::new(),
            windows: Windows::default(),
            down: HashSet::new(),
            broken: HashMap::new(),
            timers: Timers::default(),
            storms: Storms::default(),
            counter: CounterRecord::default(),
            next_group: 0,
            began: now,
            now,
            jobs: Vec::new(),
            changed: Changed::default(),
        };
        let mut groups = Vec::new();
        for record in records {
            match record {
                Record::Alert(record) => {
                    if let Some(alert) = Alert::restored(*record) {
                        new.alerts.insert(alert.fingerprint, alert);
                    }
                }
                Record::Silence(record) => {
                    if let Some(silencing) = Silencing::restored(record) {
                        new.silences.insert(silencing.silence.id.clone(), silencing);
                    }
                }
                Record::Group(record) => groups.push(record),
                Record::Counter(counter) => new.counter = counter,
            }
        }
        // History of silences that left the files meanwhile was lost with the process; their rows go.
        new.replace_file_silences(&mut Effects::default());
        new.restore_alerts();
        groups.into_iter().for_each(|g| new.restore_group(g));
        new.restore_members();
        new.restore_storms();
        new.windows_changed();
        new
    }

    fn restore_alerts(&mut self) {
        let all: Vec<Fingerprint> = self.alerts.keys().copied().collect();
        for fingerprint in all {
            self.match_silences(fingerprint);
            let Some(alert) = self.alerts.get(&fingerprint) else { continue };
            let (fires, expiry) = (alert.fires(), alert.ends_at.filter(|_| alert.active));
            let quiet = alert.flap.quiet_at(&self.setup.policy.flap);
            let ack = alert.ack.as_ref().and_then(|a| a.until);
            self.timers.put(Timer::Expiry(fingerprint), expiry);
            self.timers.put(Timer::Quiet(fingerprint), quiet);
            self.timers.put(Timer::Ack(fingerprint), ack);
            if fires {
                self.take_effect(fingerprint);
            }
        }
    }

    fn restore_group(&mut self, record: GroupRecord) {
        let Some(route) = self.routes.get(&record.route) else {
            self.changed.gone.push(GroupRecord::key(&record.route, &record.labels));
            return;
        };
        let id = self.open(Arc::clone(route), record.labels, record.due);
        self.changed.groups.remove(&id);
        if let Some(group) = self.groups.get_mut(&id) {
            (group.flushed, group.told, group.stored) = (record.flushed, record.told, true);
        }
    }

    fn restore_members(&mut self) {
        let all: Vec<Fingerprint> = self.alerts.keys().copied().collect();
        for fingerprint in all {
            if self.alerts.get(&fingerprint).is_some_and(|a| a.fires() || !a.told.is_empty()) {
                self.regroup(fingerprint);
            } else {
                self.forget_later(fingerprint);
            }
        }
        let groups: Vec<GroupId> = self.groups.keys().copied().collect();
        for id in groups {
            self.restore_timers(id);
        }
    }

    fn restore_timers(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(&id) else { return };
        if group.alerts.is_empty() {
            let key = GroupRecord::key(&group.route.id, &group.labels);
            self.by_key.remove(&(group.route.id.clone(), group.labels.clone()));
            self.groups.remove(&id);
            self.timers.clear(&Timer::Flush(id));
            self.changed.groups.remove(&id);
            self.changed.gone.push(key);
            return;
        }
        let every = group.route.group_interval;
        let due = if !group.flushed {
            group.due.min(self.now.plus(group.route.group_wait))
        } else if group.due > self.now {
            group.due.min(self.now.plus(every))
        } else if self.missed(id) {
            self.now
        } else {
            next_after(group.due, every, self.now)
        };
        self.timers.set(Timer::Flush(id), due);
        if let Some(group) = self.groups.get_mut(&id) {
            group.due = due;
        }
        self.plan_escalation(id);
    }

    /// Whether a flush fell into the time away that had something to tell.
    fn missed(&self, id: GroupId) -> bool {
        let Some(group) = self.groups.get(&id) else { return false };
        let next = next_after(group.due, group.route.group_interval, self.now);
        let last = next.minus(group.route.group_interval);
        let routed: BTreeSet<&str> = self.setup.notifiers_of(&group.route.receiver).into_iter().collect();
        group.alerts.iter().filter_map(|f| self.alerts.get(f)).filter(|a| a.changed_at <= last).any(|a| {
            let untold = a.fires() && routed.iter().any(|n| !a.told.contains_key(*n));
            let owes = a.escalations.values().any(|e| !e.owed.is_empty());
            untold || owes || !a.fires() && !a.told.is_empty()
        })
    }

    /// The rows that [`Dispatcher::restore`] would continue from: what the changes so far amount to.
    pub fn records(&self) -> Vec<Record> {
        let alerts = self.alerts.values().map(|a| Record::Alert(Box::new(a.record())));
        let groups = self.groups.values().map(|g| Record::Group(g.record()));
        let silences = self.silences.values().map(|s| Record::Silence(s.record()));
        alerts.chain(groups).chain(silences).chain([Record::Counter(self.counter)]).collect()
    }
}
