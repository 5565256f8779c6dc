//! Nobody acknowledged: the next step of an escalation.
//!
//! Times count from when an alert was first told on its route. A step is begun once; whom it owes is
//! stored with it, so that a crash or a digest neither loses nor repeats it.

use std::sync::Arc;

use crate::alert::dispatch::Dispatcher;
use crate::alert::dispatch::event::{Decision, Effects, Hold, Outcome};
use crate::alert::dispatch::flush::Job;
use crate::alert::dispatch::record::Escalating;
use crate::alert::dispatch::state::Alert;
use crate::alert::dispatch::timers::{GroupId, Timer};
use crate::alert::rule::Fingerprint;
use crate::base::time::Timestamp;

impl Dispatcher {
    /// Alerts of a group were told for the first time.
    pub(super) fn begin_escalation(&mut self, id: GroupId, fresh: &[Fingerprint]) {
        let Some(name) = self.groups.get(&id).and_then(|g| g.route.escalation.clone()) else { return };
        for fingerprint in fresh {
            let Some(alert) = self.alerts.get_mut(fingerprint) else { continue };
            if !alert.escalations.contains_key(&name) {
                let begun = Escalating { since: self.now, steps: 0, owed: Vec::new() };
                alert.escalations.insert(name.clone(), begun);
                self.changed.alerts.insert(*fingerprint);
            }
        }
    }

    /// When the next step of an alert's escalation on a route is due.
    fn step_due(&self, alert: &Alert, name: &str) -> Option<Timestamp> {
        let begun = alert.escalations.get(name)?;
        let policy = self.setup.policy.escalations.get(name)?;
        Some(begun.since.plus(policy.due(begun.steps as usize)?.0))
    }

    /// The next step of an alert's escalation: when, which, and whom it tells if it is due then.
    pub fn next_step(&self, alert: &Alert) -> Option<(Timestamp, u32, String)> {
        let of = |id: &GroupId| {
            let name = self.groups.get(id)?.route.escalation.as_deref()?;
            let at = self.step_due(alert, name)?;
            let steps = alert.escalations.get(name)?.steps;
            let (_, step) = self.setup.policy.escalations.get(name)?.due(steps as usize)?;
            Some((at, steps + 1, self.setup.receiver_of(&step.to, at)?.to_owned()))
        };
        if alert.acknowledged(self.now) { None } else { alert.groups.iter().filter_map(of).min() }
    }

    /// Sets a group's escalation timer.
    pub(super) fn plan_escalation(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(&id) else { return };
        let Some(name) = group.route.escalation.clone() else {
            self.timers.clear(&Timer::Escalate(id));
            return;
        };
        let waiting = group.alerts.iter().filter_map(|f| self.alerts.get(f));
        let waiting = waiting.filter(|a| a.fires() && !a.acknowledged(self.now));
        // What is muted now escalates when the mute is over, which the next flush finds out.
        let due = waiting.filter_map(|a| Some((self.step_due(a, &name)?, a)));
        let by_time = self.route_mute(&group.route);
        let speaks = |a: &Alert| self.mute_in(a, by_time.as_ref()).is_none();
        let next = due.filter(|(at, a)| *at > self.now || speaks(a)).map(|(at, _)| at).min();
        self.timers.put(Timer::Escalate(id), next);
    }

    /// As [`Dispatcher::plan_escalation`], for all groups of an alert.
    pub(super) fn plan_escalations(&mut self, fingerprint: Fingerprint) {
        let now = self.now;
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        if alert.acknowledged(now) {
            alert.escalations.values_mut().for_each(|e| e.owed.clear());
        }
        for id in alert.groups.clone() {
            self.plan_escalation(id);
        }
    }

    /// Steps of a group's escalation are due.
    pub(super) fn escalate(&mut self, id: GroupId, fx: &mut Effects) {
        let Some(group) = self.groups.get(&id) else { return };
        let Some(name) = group.route.escalation.clone() else { return };
        let setup = Arc::clone(&self.setup);
        let Some(policy) = setup.policy.escalations.get(&name) else { return };
        let by_time = self.route_mute(&group.route);
        let due = |a: &Alert| {
            a.fires()
                && !a.acknowledged(self.now)
                && self.step_due(a, &name).is_some_and(|at| at <= self.now)
                && self.mute_in(a, by_time.as_ref()).is_none()
        };
        let alerts: Vec<Fingerprint> =
            group.alerts.iter().filter_map(|f| self.alerts.get(f)).filter(|a| due(a)).map(|a| a.fingerprint).collect();
        for fingerprint in alerts {
            let Some(begun) = self.alerts.get_mut(&fingerprint).and_then(|a| a.escalations.get_mut(&name)) else {
                continue;
            };
            // After a long sleep each step of the policy is told once at most, not once per round missed.
            for _ in 0..policy.steps.len() {
                let Some((after, step)) = policy.due(begun.steps as usize) else { break };
                if begun.since.plus(after) > self.now {
                    break;
                }
                begun.steps += 1;
                let receiver = setup.receiver_of(&step.to, self.now).unwrap_or_default();
                let notifiers = setup.notifiers_of(receiver);
                if notifiers.is_empty() {
                    let held = Outcome::Held(Hold::NoNotifier(receiver.to_owned()));
                    fx.history.push(Decision::new(self.now, &[fingerprint], held));
                }
                for notifier in notifiers {
                    begun.owed.retain(|(_, _, to)| to != notifier);
                    begun.owed.push((begun.steps, receiver.to_owned(), notifier.to_owned()));
                }
            }
            while policy.due(begun.steps as usize).is_some_and(|(after, _)| begun.since.plus(after) <= self.now) {
                begun.steps += 1;
            }
            self.changed.alerts.insert(fingerprint);
        }
        self.jobs.push(Job { group: id, escalation: true });
    }
}
