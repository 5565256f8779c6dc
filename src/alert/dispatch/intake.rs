//! Alerts in: episodes begin and end here, and alerts find their groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::alert::ack::Ack;
use crate::alert::dispatch::event::{AlertUpdate, Decision, Effects, Hold, MuteKind, Origin, Outcome};
use crate::alert::dispatch::record::{GroupRecord, RecordKey, RecordKind};
use crate::alert::dispatch::state::{Alert, Group};
use crate::alert::dispatch::timers::{GroupId, Timer};
use crate::alert::dispatch::{Dispatcher, Setup, SilenceEnd};
use crate::alert::inhibit::Inhibitor;
use crate::alert::route::Route;
use crate::alert::rule::{Fingerprint, MONITOR_DOWN};
use crate::base::labels::Labels;
use crate::base::time::Timestamp;

/// An alert that is over and that everybody heard of stays on the board this long.
const SHOWN_AFTER: Duration = Duration::from_secs(15 * 60);

impl Dispatcher {
    /// Takes note of how an alert stands.
    pub(super) fn update(&mut self, update: &AlertUpdate, fx: &mut Effects) {
        let now = self.now;
        let active = update.ends_at.is_none_or(|end| end > now);
        let fingerprint = update.fingerprint;
        let known = self.alerts.contains_key(&fingerprint);
        if !known && !active {
            return;
        }
        // Whether an alert of our own fires is known here: another server with the same rules, or whoever
        // posts these labels, does not end it.
        let own = |a: &Alert| a.origin != Origin::Foreign && a.fires();
        if update.origin == Origin::Foreign && self.alerts.get(&fingerprint).is_some_and(own) {
            return;
        }
        if !known {
            self.alerts.insert(fingerprint, Alert::new(update, now));
            self.match_silences(fingerprint);
        }
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        let fired = alert.fires();
        let relabelled = alert.labels != update.labels;
        let words = (&alert.annotations, alert.value, &alert.generator_url);
        let reworded = words != (&update.annotations, update.value, &update.generator_url);
        let old = relabelled.then(|| std::mem::replace(&mut alert.labels, update.labels.clone()));
        if alert.active != active {
            alert.active = active;
            // The first episode of an alert is no change of mind.
            if known {
                alert.flap.changed(&self.setup.policy.flap, now);
            }
            self.changed.alerts.insert(fingerprint);
        }
        if active {
            // What an alert says at its end is what it said while it fired, unless its source has more to say.
            alert.annotations = update.annotations.clone();
            alert.value = update.value;
            alert.generator_url.clone_from(&update.generator_url);
            if alert.ends_at != update.ends_at || reworded || relabelled {
                alert.ends_at = update.ends_at;
                self.changed.alerts.insert(fingerprint);
            }
            self.timers.put(Timer::Expiry(fingerprint), update.ends_at);
        } else {
            self.timers.clear(&Timer::Expiry(fingerprint));
            if !update.annotations.is_empty() && alert.annotations != update.annotations && !alert.told.is_empty() {
                alert.annotations = update.annotations.clone();
                self.changed.alerts.insert(fingerprint);
            }
        }
        let (fires, origin) = (alert.fires(), update.origin);
        alert.origin = origin;
        if let Some(old) = old {
            if fired {
                self.inhibitor.ends(&fingerprint, &old);
                self.unbreak(fingerprint, &old, origin);
            }
            self.match_silences(fingerprint);
            if fired && fires {
                self.take_effect(fingerprint);
                self.regroup(fingerprint);
            }
        }
        match (fired, fires) {
            (false, true) => self.begin(fingerprint, update.starts_at, update.fired_at, fx),
            (true, false) => self.end(fingerprint, update.ends_at.unwrap_or(now).min(now), fx),
            (true, true) => self.note_flapping(fingerprint, fx),
            (false, false) => {}
        }
    }

    /// An episode begins.
    fn begin(&mut self, fingerprint: Fingerprint, starts_at: Timestamp, fired_at: Timestamp, fx: &mut Effects) {
        self.counter.episodes += 1;
        self.changed.counter = true;
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        alert.episode = self.counter.episodes;
        (alert.starts_at, alert.fired_at, alert.changed_at) = (starts_at, fired_at, self.now);
        alert.ack = None;
        alert.escalations.clear();
        alert.counted = None;
        let believed = !alert.told.is_empty();
        alert.heard = believed;
        self.changed.alerts.insert(fingerprint);
        self.timers.clear(&Timer::Forget(fingerprint));
        fx.history.push(Decision::new(self.now, &[fingerprint], Outcome::Fired));
        if believed {
            fx.history.push(Decision::new(self.now, &[fingerprint], Outcome::Held(Hold::StillBelieved)));
        }
        self.storms.fires(fingerprint, &self.alerts);
        self.take_effect(fingerprint);
        self.regroup(fingerprint);
        self.refresh_soon();
    }

    /// An episode ends.
    pub(super) fn end(&mut self, fingerprint: Fingerprint, at: Timestamp, fx: &mut Effects) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        alert.ends_at = Some(at);
        alert.changed_at = self.now;
        alert.ack = None;
        alert.escalations.clear();
        let (labels, origin, silences) = (alert.labels.clone(), alert.origin, alert.silences.clone());
        let muted = alert.muted.as_ref().is_some_and(|m| m.kind != MuteKind::Silence);
        self.changed.alerts.insert(fingerprint);
        self.timers.clear(&Timer::Ack(fingerprint));
        fx.history.push(Decision::new(self.now, &[fingerprint], Outcome::Resolved));
        self.storms.ends(fingerprint);
        self.inhibitor.ends(&fingerprint, &labels);
        self.unbreak(fingerprint, &labels, origin);
        for id in silences {
            self.end_if_resolved(&id, fx);
        }
        if muted {
            self.refresh_soon();
        }
        self.leave_if_done(fingerprint);
    }

    fn note_flapping(&mut self, fingerprint: Fingerprint, fx: &mut Effects) {
        let Some(alert) = self.alerts.get(&fingerprint) else { return };
        let at = alert.flap.quiet_at(&self.setup.policy.flap);
        if at.is_some() && alert.flap.since() == Some(self.now) {
            fx.history.push(Decision::new(self.now, &[fingerprint], Outcome::Flapping));
        }
        self.timers.put(Timer::Quiet(fingerprint), at);
    }

    /// A flapping alert has been quiet: it is what its source says.
    pub(super) fn quiet(&mut self, fingerprint: Fingerprint, fx: &mut Effects) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        if !alert.flap.settle(&self.setup.policy.flap, self.now) {
            self.timers.put(Timer::Quiet(fingerprint), alert.flap.quiet_at(&self.setup.policy.flap));
            return;
        }
        alert.told.values_mut().for_each(|t| t.flapping = false);
        let active = alert.active;
        self.changed.alerts.insert(fingerprint);
        fx.history.push(Decision::new(self.now, &[fingerprint], Outcome::Quiet));
        if !active {
            self.end(fingerprint, self.now, fx);
        }
    }

    /// The source of an alert has been silent for too long.
    pub(super) fn expire(&mut self, fingerprint: Fingerprint, fx: &mut Effects) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        if !alert.active {
            return;
        }
        let fired = alert.fires();
        alert.active = false;
        alert.flap.changed(&self.setup.policy.flap, self.now);
        self.changed.alerts.insert(fingerprint);
        if fired && !alert.fires() {
            let at = alert.ends_at.unwrap_or(self.now);
            self.end(fingerprint, at, fx);
        } else {
            self.note_flapping(fingerprint, fx);
        }
    }

    /// A firing alert inhibits. That a monitor is down breaks what depends on it; that it cannot be judged does not.
    pub(super) fn take_effect(&mut self, fingerprint: Fingerprint) {
        let Some(alert) = self.alerts.get(&fingerprint) else { return };
        self.inhibitor.fires(&fingerprint, &alert.labels);
        let is_down = alert.origin == Origin::Monitor && alert.labels.get("alertname") == Some(MONITOR_DOWN);
        if let Some(monitor) = alert.monitor().filter(|_| is_down) {
            self.broken.entry(monitor.to_owned()).or_default().insert(fingerprint);
        }
    }

    fn unbreak(&mut self, fingerprint: Fingerprint, labels: &Labels, origin: Origin) {
        if origin != Origin::Monitor {
            return;
        }
        let Some(monitor) = labels.get("monitor") else { return };
        if let Some(of_monitor) = self.broken.get_mut(monitor) {
            of_monitor.remove(&fingerprint);
            if of_monitor.is_empty() {
                self.broken.remove(monitor);
            }
        }
    }

    /// Monitors broke or work again.
    pub(super) fn monitors(&mut self, states: Vec<(String, bool)>) {
        for (monitor, down) in states {
            if down {
                self.down.insert(monitor)
            } else {
                self.down.remove(&monitor)
            };
        }
        self.refresh_soon();
    }

    /// Puts an alert into the groups that the routes give it, and takes it out of all others.
    pub(super) fn regroup(&mut self, fingerprint: Fingerprint) {
        let setup = Arc::clone(&self.setup);
        let Some(alert) = self.alerts.get(&fingerprint) else { return };
        let (labels, fired_at, before) = (alert.labels.clone(), alert.fired_at, alert.groups.clone());
        let mut after = BTreeSet::new();
        for route in setup.policy.route.matching(&labels) {
            let group_labels = route.group_labels(&labels);
            let place = (route.id.clone(), group_labels);
            // An alert that has fired for longer than the wait has waited enough.
            let waited = fired_at.plus(route.group_wait) < self.now;
            let id = match self.by_key.get(&place) {
                Some(&id) => id,
                None => {
                    let due = self.now.plus(route.group_wait);
                    match self.routes.get(&route.id) {
                        Some(route) => self.open(Arc::clone(route), place.1, due),
                        None => continue,
                    }
                }
            };
            if let Some(group) = self.groups.get_mut(&id) {
                group.alerts.insert(fingerprint);
                if waited && !group.flushed {
                    group.due = self.now;
                    self.timers.set(Timer::Flush(id), self.now);
                }
            }
            after.insert(id);
        }
        for id in before.difference(&after) {
            self.leave(*id, fingerprint);
        }
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            alert.groups = after;
        }
    }

    /// Opens a group.
    pub(super) fn open(&mut self, route: Arc<Route>, labels: Labels, due: Timestamp) -> GroupId {
        let id = self.next_group;
        self.next_group += 1;
        self.by_key.insert((route.id.clone(), labels.clone()), id);
        let group =
            Group { route, labels, alerts: BTreeSet::new(), flushed: false, due, told: BTreeMap::new(), stored: false };
        self.groups.insert(id, group);
        self.timers.set(Timer::Flush(id), due);
        self.changed.groups.insert(id);
        id
    }

    /// Takes an alert out of a group; an empty group closes.
    pub(super) fn leave(&mut self, id: GroupId, fingerprint: Fingerprint) {
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            alert.groups.remove(&id);
        }
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.alerts.remove(&fingerprint);
        if group.alerts.is_empty() {
            self.close(id);
        }
    }

    fn close(&mut self, id: GroupId) {
        let Some(group) = self.groups.remove(&id) else { return };
        self.timers.clear(&Timer::Flush(id));
        self.timers.clear(&Timer::Escalate(id));
        self.storms.closed(id);
        self.changed.groups.remove(&id);
        if group.stored {
            self.changed.gone.push(GroupRecord::key(&group.route.id, &group.labels));
        }
        self.by_key.remove(&(group.route.id.clone(), group.labels));
    }

    /// An alert that is over and of whose end nobody is to hear leaves its groups.
    pub(super) fn leave_if_done(&mut self, fingerprint: Fingerprint) {
        let Some(alert) = self.alerts.get(&fingerprint) else { return };
        if alert.fires() || !alert.told.is_empty() {
            return;
        }
        let flushed = |id: &GroupId| self.groups.get(id).is_some_and(|g| g.flushed);
        // Before its first flush a group waits for the alert to come back, as long as it would have.
        let leaving: Vec<GroupId> = alert.groups.iter().copied().filter(flushed).collect();
        for id in leaving {
            self.leave(id, fingerprint);
        }
        self.forget_later(fingerprint);
    }

    pub(super) fn forget_later(&mut self, fingerprint: Fingerprint) {
        let Some(alert) = self.alerts.get(&fingerprint) else { return };
        if alert.groups.is_empty() && !alert.fires() {
            self.timers.set(Timer::Forget(fingerprint), alert.changed_at.plus(SHOWN_AFTER).max(self.now));
        }
    }

    /// An alert that is long over leaves the board.
    pub(super) fn forget(&mut self, fingerprint: Fingerprint) {
        let gone = |a: &Alert| !a.fires() && a.groups.is_empty();
        if !self.alerts.get(&fingerprint).is_some_and(gone) {
            return;
        }
        let Some(alert) = self.alerts.remove(&fingerprint) else { return };
        for id in &alert.silences {
            if let Some(silence) = self.silences.get_mut(id) {
                silence.matches.remove(&fingerprint);
            }
        }
        self.changed.alerts.remove(&fingerprint);
        self.changed.touched.insert(fingerprint);
        self.changed.gone.push(RecordKey { kind: RecordKind::Alert, id: fingerprint.to_string() });
    }

    /// Somebody has it.
    pub(super) fn acknowledge(&mut self, fingerprint: Fingerprint, ack: Ack, fx: &mut Effects) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        if !alert.fires() || !ack.stands(self.now) {
            return;
        }
        self.timers.put(Timer::Ack(fingerprint), ack.until);
        alert.ack = Some(ack.clone());
        self.changed.alerts.insert(fingerprint);
        fx.history.push(Decision::new(self.now, &[fingerprint], Outcome::Acknowledged(ack)));
        self.plan_escalations(fingerprint);
    }

    /// Nobody has it any more.
    pub(super) fn unacknowledge(&mut self, fingerprint: Fingerprint, lapsed: bool, fx: &mut Effects) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        if lapsed && alert.acknowledged(self.now) || alert.ack.take().is_none() {
            return;
        }
        self.timers.clear(&Timer::Ack(fingerprint));
        self.changed.alerts.insert(fingerprint);
        fx.history.push(Decision::new(self.now, &[fingerprint], Outcome::Unacknowledged { lapsed }));
        self.plan_escalations(fingerprint);
    }

    /// Puts another policy in force. Groups that it also makes keep their timers; alerts that it moves
    /// keep who was told.
    pub(super) fn reload(&mut self, setup: Arc<Setup>, fx: &mut Effects) {
        self.setup = setup;
        self.routes = nodes(&self.setup.policy.route);
        let now = self.now;
        for (id, group) in &mut self.groups {
            let Some(route) = self.routes.get(&group.route.id) else { continue };
            // A shorter interval counts at once.
            let latest = if group.flushed { route.group_interval } else { route.group_wait };
            if group.due > now.plus(latest) {
                group.due = now.plus(latest);
                self.timers.set(Timer::Flush(*id), group.due);
                self.changed.groups.insert(*id);
            }
            group.route = Arc::clone(route);
        }
        self.inhibitor = Inhibitor::new(self.setup.policy.inhibit.iter().cloned());
        self.broken.clear();
        self.replace_file_silences(fx);
        self.windows_changed();
        let all: Vec<Fingerprint> = self.alerts.keys().copied().collect();
        for fingerprint in all {
            let Some(alert) = self.alerts.get_mut(&fingerprint) else { continue };
            if alert.flap.holds() && self.setup.policy.flap.changes.is_none() {
                self.timers.set(Timer::Quiet(fingerprint), now);
            }
            if alert.fires() {
                self.take_effect(fingerprint);
            }
            if alert_fires_or_owes(self.alerts.get(&fingerprint)) {
                self.regroup(fingerprint);
            }
        }
        let groups: Vec<GroupId> = self.groups.keys().copied().collect();
        groups.into_iter().for_each(|id| self.plan_escalation(id));
        self.storms.keep(&self.setup, &mut self.timers);
        self.refresh_soon();
    }

    pub(super) fn end_if_resolved(&mut self, id: &str, fx: &mut Effects) {
        let Some(silencing) = self.silences.get(id) else { return };
        let fires = |f: &Fingerprint| self.alerts.get(f).is_some_and(Alert::fires);
        if silencing.silence.until_resolved
            && silencing.silence.starts_at <= self.now
            && self.now < silencing.silence.ends_at
            && !silencing.matches.iter().any(fires)
        {
            self.end_silence(id, SilenceEnd::Resolved, fx);
        }
    }
}

fn alert_fires_or_owes(alert: Option<&Alert>) -> bool {
    alert.is_some_and(|a| a.fires() || !a.told.is_empty())
}

/// The nodes of a tree by id, without their children.
pub(super) fn nodes(root: &Route) -> HashMap<String, Arc<Route>> {
    let bare = |r: &Route| Route {
        id: r.id.clone(),
        key: r.key.clone(),
        receiver: r.receiver.clone(),
        matchers: r.matchers.clone(),
        group_by: r.group_by.clone(),
        mute: r.mute.clone(),
        active: r.active.clone(),
        escalation: r.escalation.clone(),
        routes: Vec::new(),
        source: r.source.clone(),
        ..*r
    };
    root.walk().map(|r| (r.id.clone(), Arc::new(bare(r)))).collect()
}
