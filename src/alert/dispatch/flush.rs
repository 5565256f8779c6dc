//! A group's flush: what each notifier does not know yet.
//!
//! Deciding reads the state as it is and changes nothing; [`super::tell`] carries it out. So a decision
//! that has to wait, for a digest, is simply taken again later, and one that was lost in a crash too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::alert::dispatch::Dispatcher;
use crate::alert::dispatch::event::{Decision, Effects, Hold, MuteKind, MutedBy, Outcome};
use crate::alert::dispatch::state::{Alert, Group};
use crate::alert::dispatch::storm::is_digest;
use crate::alert::dispatch::timers::{GroupId, Timer};
use crate::alert::rule::Fingerprint;
use crate::base::notification::Reason;
use crate::base::time::Timestamp;

/// A group never flushes more often, whatever its interval.
const SHORTEST: Duration = Duration::from_millis(100);

/// Something of a group that its notifiers may have to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Job {
    pub(super) group: GroupId,
    pub(super) escalation: bool,
}

/// What one notifier is to hear of one group; empty when there is nothing new to it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) reason: Option<Reason>,
    pub(super) receiver: String,
    /// Firing alerts that the message tells of.
    pub(super) firing: Vec<Fingerprint>,
    /// Those among them that are new to the notifier.
    pub(super) fresh: Vec<Fingerprint>,
    /// Alerts that it heard of and that are over.
    pub(super) resolved: Vec<Fingerprint>,
    /// The same, told in a digest: they are told in one again.
    pub(super) of_digest: Vec<Fingerprint>,
    /// The same, told in other threads, which only they can close.
    pub(super) elsewhere: BTreeMap<String, Vec<Fingerprint>>,
    /// The thread of the message; `None` begins one.
    pub(super) thread: Option<String>,
    /// Alerts over, of whose end it is not to hear.
    pub(super) drop: Vec<(Fingerprint, Hold)>,
    /// Alerts that it would have heard of.
    pub(super) held: Vec<(Fingerprint, MutedBy)>,
    /// Alerts that it was told fire, muted now.
    pub(super) hidden: Vec<Fingerprint>,
}

impl Dispatcher {
    /// The group's timer went off; `at` is when it was due.
    pub(super) fn flush(&mut self, id: GroupId, at: Timestamp) {
        let now = self.now;
        let Some(group) = self.groups.get_mut(&id) else { return };
        if !group.flushed {
            group.flushed = true;
            self.changed.groups.insert(id);
        }
        let every = group.route.group_interval.max(SHORTEST);
        group.due = next_after(at, every, now);
        self.timers.set(Timer::Flush(id), group.due);
        self.jobs.push(Job { group: id, escalation: false });
        // A step that could not be told when it was due, for a mute or a crash, is still owed.
        let owes = |a: &Alert| a.escalations.values().any(|e| !e.owed.is_empty());
        if group.alerts.iter().filter_map(|f| self.alerts.get(f)).any(owes) {
            self.jobs.push(Job { group: id, escalation: true });
        }
    }

    /// Decides and carries out what has come up in this step, notifier by notifier.
    pub(super) fn settle(&mut self, fx: &mut Effects) {
        let jobs: BTreeSet<Job> = std::mem::take(&mut self.jobs).into_iter().collect();
        let mut by_notifier: BTreeMap<String, Vec<Job>> = BTreeMap::new();
        for job in &jobs {
            for notifier in self.concerned(*job, fx) {
                by_notifier.entry(notifier).or_default().push(*job);
            }
        }
        for (notifier, jobs) in by_notifier {
            self.tell_or_collect(&notifier, &jobs, fx);
        }
        for job in jobs {
            self.clean_up(job.group, fx);
        }
    }

    /// The notifiers that a job may concern: those of the route first, then whoever else was told.
    fn concerned(&self, job: Job, fx: &mut Effects) -> Vec<String> {
        let Some(group) = self.groups.get(&job.group) else { return Vec::new() };
        let members = || group.alerts.iter().filter_map(|f| self.alerts.get(f));
        if job.escalation {
            let owed = members().flat_map(|a| a.escalations.values()).flat_map(|e| &e.owed);
            let notifiers: BTreeSet<&String> = owed.map(|(_, _, notifier)| notifier).collect();
            return notifiers.into_iter().cloned().collect();
        }
        let mut found: Vec<String> =
            self.setup.notifiers_of(&group.route.receiver).into_iter().map(str::to_owned).collect();
        if found.is_empty() && group.told.is_empty() {
            let alerts: Vec<Fingerprint> = members().filter(|a| a.fires()).map(|a| a.fingerprint).collect();
            let fresh = members().any(|a| a.fires() && a.changed_at.plus(group.route.group_interval) > self.now);
            if fresh {
                let held = Outcome::Held(Hold::NoNotifier(group.route.receiver.clone()));
                fx.history.push(Decision::new(self.now, &alerts, held));
            }
        }
        let others: BTreeSet<&String> = members().flat_map(|a| a.told.keys()).collect();
        found.extend(others.into_iter().filter(|n| !self.is_of_route(group, n)).cloned());
        found
    }

    pub(super) fn is_of_route(&self, group: &Group, notifier: &str) -> bool {
        self.setup.notifiers_of(&group.route.receiver).contains(&notifier)
    }

    /// Whether another group of the alert leads to the notifier: that one tells it.
    fn heard_elsewhere(&self, alert: &Alert, notifier: &str) -> bool {
        alert.groups.iter().filter_map(|id| self.groups.get(id)).any(|g| self.is_of_route(g, notifier))
    }

    /// What a notifier is to hear of a job's group now.
    pub(super) fn decide(&self, job: Job, notifier: &str) -> Plan {
        let Some(group) = self.groups.get(&job.group) else { return Plan::default() };
        let mut plan = Plan { receiver: group.route.receiver.clone(), ..Plan::default() };
        let by_time = self.route_mute(&group.route);
        let members = group.alerts.iter().filter_map(|f| self.alerts.get(f));
        if job.escalation {
            self.decide_escalation(members, notifier, by_time.as_ref(), &mut plan);
        } else {
            self.decide_flush(group, members, notifier, by_time.as_ref(), &mut plan);
        }
        plan.thread = group.told.get(notifier).and_then(|t| t.thread.clone());
        self.sort_threads(notifier, &mut plan);
        plan
    }

    fn decide_flush<'a>(
        &self,
        group: &Group,
        members: impl Iterator<Item = &'a Alert>,
        notifier: &str,
        by_time: Option<&MutedBy>,
        plan: &mut Plan,
    ) {
        let routed = self.is_of_route(group, notifier);
        let settings = self.setup.notifier(notifier);
        let wants_end = settings.is_some_and(|n| n.send_resolved);
        let (mut believed, mut unacknowledged, mut last) = (false, false, None);
        for alert in members {
            let told = alert.told.get(notifier);
            if !routed && told.is_some() && self.heard_elsewhere(alert, notifier) {
                continue;
            }
            let knows = told.is_some_and(|t| !t.shut);
            let mute = || self.mute_in(alert, by_time);
            if alert.fires() {
                believed |= knows;
                last = last.max(told.map(|t| t.at));
                let new = routed && (!knows || alert.flap.holds() && told.is_some_and(|t| !t.flapping));
                if !new && !knows {
                    continue;
                }
                match mute() {
                    Some(by) if new && !knows => plan.held.push((alert.fingerprint, by)),
                    Some(_) => plan.hidden.push(alert.fingerprint),
                    None => {
                        plan.firing.push(alert.fingerprint);
                        unacknowledged |= !alert.acknowledged(self.now);
                        if new {
                            plan.fresh.push(alert.fingerprint);
                        }
                    }
                }
            } else if let Some(told) = told {
                believed = true;
                match (settings, told.refused) {
                    (None, _) if self.setup.partial => {}
                    (None, _) => plan.drop.push((alert.fingerprint, Hold::Gone)),
                    (_, true) => plan.drop.push((alert.fingerprint, Hold::Refused)),
                    (Some(_), false) => match mute() {
                        Some(by) if wants_end => plan.held.push((alert.fingerprint, by)),
                        Some(_) | None if !wants_end => plan.drop.push((alert.fingerprint, Hold::ResolvedNotWanted)),
                        Some(_) | None => plan.resolved.push(alert.fingerprint),
                    },
                }
            }
        }
        let last = group.told.get(notifier).map(|t| t.at).or(last);
        let repeat_due = || last.is_some_and(|at| at.plus(group.route.repeat_interval) < self.now);
        plan.reason = if settings.is_none() {
            None
        } else if !plan.fresh.is_empty() {
            Some(if believed { Reason::GroupChanged } else { Reason::FirstTime })
        } else if !plan.resolved.is_empty() {
            Some(if plan.firing.is_empty() { Reason::Resolved } else { Reason::GroupChanged })
        } else if routed && unacknowledged && repeat_due() {
            Some(Reason::RepeatDue)
        } else {
            None
        };
    }

    fn decide_escalation<'a>(
        &self,
        members: impl Iterator<Item = &'a Alert>,
        notifier: &str,
        by_time: Option<&MutedBy>,
        plan: &mut Plan,
    ) {
        let mut highest = None;
        for alert in members.filter(|a| a.fires() && !a.acknowledged(self.now)) {
            let owed = alert.escalations.values().flat_map(|e| &e.owed).filter(|(_, _, to)| to == notifier);
            let Some((step, receiver, _)) = owed.max_by_key(|(step, _, _)| *step) else { continue };
            if self.mute_in(alert, by_time).is_some() {
                continue;
            }
            if highest.is_none_or(|h| *step > h) {
                highest = Some(*step);
                plan.receiver.clone_from(receiver);
            }
            plan.firing.push(alert.fingerprint);
            plan.fresh.push(alert.fingerprint);
        }
        plan.reason = highest.filter(|_| self.setup.notifier(notifier).is_some()).map(Reason::Escalated);
    }

    /// A message says the end of alerts in the thread that began with them.
    fn sort_threads(&self, notifier: &str, plan: &mut Plan) {
        let thread_of = |f: &Fingerprint| Some(self.alerts.get(f)?.told.get(notifier)?.thread.as_str());
        if plan.thread.is_none() {
            let open = plan.firing.iter().chain(&plan.resolved).filter_map(thread_of).find(|t| !is_digest(t));
            plan.thread = open.map(str::to_owned);
        }
        let resolved = std::mem::take(&mut plan.resolved);
        for fingerprint in resolved {
            match thread_of(&fingerprint) {
                Some(thread) if is_digest(thread) => plan.of_digest.push(fingerprint),
                Some(thread) if plan.thread.as_deref().is_some_and(|own| own != thread) => {
                    plan.elsewhere.entry(thread.to_owned()).or_default().push(fingerprint);
                }
                Some(_) | None => plan.resolved.push(fingerprint),
            }
        }
        // Without what goes another way there may be nothing left to say.
        let only_ends = matches!(plan.reason, Some(Reason::Resolved | Reason::GroupChanged)) && plan.fresh.is_empty();
        if only_ends && plan.resolved.is_empty() {
            plan.reason = None;
        }
    }

    /// After a flush: what is over and told leaves the group, what is held back is counted, the next
    /// steps of the escalation are set.
    fn clean_up(&mut self, id: GroupId, fx: &mut Effects) {
        let Some(group) = self.groups.get(&id) else { return };
        let over = |f: &&Fingerprint| self.alerts.get(f).is_some_and(|a| !a.fires() && a.told.is_empty());
        let leaving: Vec<Fingerprint> = group.alerts.iter().filter(over).copied().collect();
        let untold: Vec<Fingerprint> =
            leaving.iter().copied().filter(|f| self.alerts.get(f).is_some_and(|a| !a.heard)).collect();
        if !untold.is_empty() {
            fx.history.push(Decision::new(self.now, &untold, Outcome::Held(Hold::OverBeforeTold)));
        }
        for fingerprint in leaving {
            if let Some(alert) = self.alerts.get_mut(&fingerprint) {
                alert.heard = true;
            }
            self.leave(id, fingerprint);
            self.forget_later(fingerprint);
        }
        self.plan_escalation(id);
    }

    /// Writes down what a plan leaves out, and why.
    pub(super) fn note_left_out(&mut self, notifier: &str, plan: &Plan, fx: &mut Effects) {
        for (fingerprint, hold) in &plan.drop {
            if let Some(alert) = self.alerts.get_mut(fingerprint) {
                alert.told.remove(notifier);
                self.changed.alerts.insert(*fingerprint);
            }
            let held = Decision::new(self.now, &[*fingerprint], Outcome::Held(hold.clone()));
            fx.history.push(held.for_notifier(notifier));
        }
        for (fingerprint, by) in &plan.held {
            if by.kind == MuteKind::Silence {
                self.count_muted(*fingerprint, &by.id);
            }
        }
    }
}

/// The first of the times `at`, `at + every`, … after `now`, `at` itself left out.
pub(super) fn next_after(at: Timestamp, every: Duration, now: Timestamp) -> Timestamp {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let passed = now.millis().saturating_sub(at.millis()).max(0) / every;
    Timestamp::from_millis(at.millis().saturating_add(every.saturating_mul(passed.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flushes_keep_their_grid_however_late_one_is() {
        let at = Timestamp::from_millis;
        let every = Duration::from_millis(10);
        let next = |now| next_after(at(100), every, at(now)).millis();
        assert_eq!([next(0), next(100), next(109), next(110), next(155)], [110, 110, 110, 120, 160]);
        assert_eq!(next_after(at(i64::MAX - 1), Duration::MAX, at(i64::MAX)).millis(), i64::MAX);
    }
}
