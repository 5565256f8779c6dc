//! Storms: many groups at once become one message, and one more when it is over.
//!
//! Per notifier. While groups come faster than [`super::Digest`] allows, they are collected and told
//! together, at growing intervals. Their alerts share the digest's thread, and the end of those is
//! collected too: until none of them fires, or [`PATIENCE`] is over. What is collected is only the
//! *groups* to look at again; who believes what is noted when it is said. So a crash loses nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::alert::dispatch::Dispatcher;
use crate::alert::dispatch::event::Effects;
use crate::alert::dispatch::flush::{Job, Plan};
use crate::alert::dispatch::setup::{Digest, Setup};
use crate::alert::dispatch::state::Alert;
use crate::alert::dispatch::tell::Message;
use crate::alert::dispatch::timers::{GroupId, Timer, Timers};
use crate::alert::rule::Fingerprint;
use crate::base::labels::Labels;
use crate::base::notification::Reason;
use crate::base::time::Timestamp;

/// Alerts that a digest shows; the rest is a number.
const SHOWN: usize = 20;
/// The longest pause between two digests of one storm.
const SLOWEST: Duration = Duration::from_secs(5 * 60);
/// How long the first end waits for the others.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// What digests' threads begin with; no other does.
const MARK: &str = "digest-";

/// Whether a thread is that of digests.
pub(super) fn is_digest(thread: &str) -> bool {
    thread.starts_with(MARK)
}

/// All storms, by notifier.
#[derive(Debug, Default)]
pub(super) struct Storms {
    by_notifier: BTreeMap<String, Storm>,
}

/// What came to one notifier of late.
#[derive(Debug, Default)]
struct Storm {
    /// Times of the newest messages, oldest first, as many as count.
    recent: VecDeque<Timestamp>,
    /// The thread of digests while any of their alerts is believed to fire.
    thread: Option<String>,
    /// Groups are collected; the pause until the next digest.
    collecting: Option<Duration>,
    /// When the next digest is due.
    digest_at: Option<Timestamp>,
    /// What the next digest tells of.
    pending: BTreeSet<Job>,
    /// Alerts told in digests that fire.
    firing: BTreeSet<Fingerprint>,
    /// Alerts told in digests that are over, and whose groups have not been flushed since.
    over: BTreeSet<Fingerprint>,
    /// Alerts told in digests that are over, and due to be told so.
    ended: BTreeSet<Fingerprint>,
    /// When their end is told at the latest.
    end_by: Option<Timestamp>,
}

impl Storms {
    /// An episode begins of an alert that may have been told in a digest before.
    pub(super) fn fires(&mut self, fingerprint: Fingerprint, alerts: &BTreeMap<Fingerprint, Alert>) {
        let Some(alert) = alerts.get(&fingerprint) else { return };
        for (notifier, told) in &alert.told {
            if is_digest(&told.thread) {
                let storm = self.by_notifier.entry(notifier.clone()).or_default();
                storm.thread.get_or_insert_with(|| told.thread.clone());
                storm.ended.remove(&fingerprint);
                storm.over.remove(&fingerprint);
                storm.firing.insert(fingerprint);
            }
        }
    }

    /// An episode ends.
    pub(super) fn ends(&mut self, fingerprint: Fingerprint) {
        for storm in self.by_notifier.values_mut() {
            if storm.firing.remove(&fingerprint) {
                storm.over.insert(fingerprint);
            }
        }
    }

    /// A group is gone.
    pub(super) fn closed(&mut self, group: GroupId) {
        for storm in self.by_notifier.values_mut() {
            storm.pending.remove(&Job { group, escalation: false });
            storm.pending.remove(&Job { group, escalation: true });
        }
    }

    /// Notifiers that are gone have no storms.
    pub(super) fn keep(&mut self, setup: &Setup, timers: &mut Timers) {
        self.by_notifier.retain(|notifier, _| {
            let there = setup.notifier(notifier).is_some();
            if !there {
                timers.clear(&Timer::Digest(notifier.clone()));
            }
            there
        });
    }

    /// Moves all times by a jump of the clock.
    pub(super) fn shift(&mut self, moved: impl Fn(Timestamp) -> Timestamp) {
        for storm in self.by_notifier.values_mut() {
            storm.recent.iter_mut().for_each(|t| *t = moved(*t));
            storm.digest_at = storm.digest_at.map(&moved);
            storm.end_by = storm.end_by.map(&moved);
        }
    }
}

impl Storm {
    fn next(&self) -> Option<Timestamp> {
        self.digest_at.into_iter().chain(self.end_by).min()
    }

    /// Messages within the span before `now`.
    fn count(&mut self, digest: Digest, now: Timestamp) -> usize {
        while self.recent.front().is_some_and(|at| at.plus(digest.span) <= now) {
            self.recent.pop_front();
        }
        self.recent.len()
    }
}

impl Dispatcher {
    /// Tells a notifier of the groups that came up in this step, one by one or as a digest.
    pub(super) fn tell_or_collect(&mut self, notifier: &str, jobs: &[Job], fx: &mut Effects) {
        let digest = self.setup.notifier(notifier).and_then(|n| n.digest);
        let mut tells = Vec::new();
        for job in jobs {
            let plan = self.decide(*job, notifier);
            self.collect_ends(notifier, &plan);
            if plan.reason.is_some() || !plan.elsewhere.is_empty() {
                tells.push((*job, plan));
            } else {
                self.note_left_out(notifier, &plan, fx);
            }
        }
        let now = self.now;
        match digest {
            Some(digest) if !tells.is_empty() => {
                let storm = self.storms.by_notifier.entry(notifier.to_owned()).or_default();
                let many = storm.count(digest, now) + tells.len() > digest.above;
                if storm.collecting.is_some() || many {
                    storm.pending.extend(tells.iter().map(|(job, _)| *job));
                    if storm.collecting.is_none() {
                        storm.collecting = Some(digest.span);
                        // All in one instant: nothing more is to be waited for.
                        let at_once = tells.len() > digest.above;
                        storm.digest_at = Some(if at_once { now } else { now.plus(digest.span) });
                    }
                } else {
                    storm.recent.extend(tells.iter().map(|_| now));
                    self.tell_each(notifier, tells, fx);
                }
            }
            Some(_) | None => self.tell_each(notifier, tells, fx),
        }
        self.plan_digest(notifier, fx);
    }

    fn tell_each(&mut self, notifier: &str, tells: Vec<(Job, Plan)>, fx: &mut Effects) {
        let alone = tells.len() == 1;
        for (job, plan) in tells {
            // One group's message may be news that the next one has too: it is decided again.
            let plan = if alone { plan } else { self.decide(job, notifier) };
            self.tell(job, notifier, &plan, fx);
        }
    }

    fn collect_ends(&mut self, notifier: &str, plan: &Plan) {
        if plan.of_digest.is_empty() {
            return;
        }
        let thread = |f: &Fingerprint| Some(self.alerts.get(f)?.told.get(notifier)?.thread.clone());
        let thread = plan.of_digest.first().and_then(thread);
        let storm = self.storms.by_notifier.entry(notifier.to_owned()).or_default();
        storm.thread = storm.thread.take().or(thread);
        for fingerprint in &plan.of_digest {
            storm.over.remove(fingerprint);
        }
        storm.ended.extend(&plan.of_digest);
        storm.end_by.get_or_insert(self.now.plus(PATIENCE));
    }

    fn plan_digest(&mut self, notifier: &str, fx: &mut Effects) {
        let now = self.now;
        let Some(storm) = self.storms.by_notifier.get(notifier) else { return };
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if due(storm.digest_at) {
            self.send_digest(notifier, fx);
        }
        let Some(storm) = self.storms.by_notifier.get(notifier) else { return };
        if due(storm.end_by) || !storm.ended.is_empty() && storm.firing.is_empty() && storm.pending.is_empty() {
            self.send_ends(notifier, fx);
        }
        let next = self.storms.by_notifier.get(notifier).and_then(Storm::next);
        self.timers.put(Timer::Digest(notifier.to_owned()), next);
    }

    /// A digest's timer went off.
    pub(super) fn digest_due(&mut self, notifier: &str, fx: &mut Effects) {
        self.plan_digest(notifier, fx);
    }

    /// One message for all groups collected.
    fn send_digest(&mut self, notifier: &str, fx: &mut Effects) {
        let now = self.now;
        let Some(storm) = self.storms.by_notifier.get_mut(notifier) else { return };
        let pending = std::mem::take(&mut storm.pending);
        if pending.is_empty() {
            (storm.collecting, storm.digest_at) = (None, None);
            return;
        }
        let pause = storm.collecting.unwrap_or(SLOWEST);
        storm.collecting = Some(pause.saturating_mul(2).min(SLOWEST));
        storm.digest_at = Some(now.plus(pause));
        let mut plans: Vec<(Job, Plan)> = Vec::new();
        for job in pending {
            let mut plan = self.decide(job, notifier);
            for (_, ends) in std::mem::take(&mut plan.elsewhere) {
                plan.resolved.extend(ends);
                plan.reason.get_or_insert(Reason::Resolved);
            }
            self.note_left_out(notifier, &plan, fx);
            if plan.reason.is_some() {
                plans.push((job, plan));
            }
        }
        match plans.len() {
            0 => return,
            1 => {
                for (job, plan) in plans {
                    self.tell(job, notifier, &plan, fx);
                }
                return;
            }
            _ => {}
        }
        let set = |of: fn(&Plan) -> &Vec<Fingerprint>| -> Vec<Fingerprint> {
            plans.iter().flat_map(|(_, p)| of(p)).copied().collect::<BTreeSet<_>>().into_iter().collect()
        };
        let (firing, resolved) = (set(|p| &p.firing), set(|p| &p.resolved));
        let key = self.next_key(notifier, MARK);
        let Some(storm) = self.storms.by_notifier.get_mut(notifier) else { return };
        let thread = match &storm.thread {
            Some(thread) => thread.clone(),
            None => format!("{MARK}{key}"),
        };
        if !firing.is_empty() {
            storm.thread = Some(thread.clone());
        }
        let receiver = plans.first().map(|(_, p)| p.receiver.clone()).unwrap_or_default();
        let reason = Reason::Digest(plans.len());
        let message =
            Message { notifier, receiver: &receiver, reason, thread, key, firing: &firing, resolved: &resolved };
        self.say(&message, (MARK.trim_end_matches('-').to_owned(), Labels::default()), SHOWN, fx);
        for (job, plan) in &plans {
            self.heard(*job, notifier, plan.thread.clone().filter(|_| !plan.firing.is_empty()), plan);
        }
        let in_digest = |f: &&Fingerprint| {
            let told = self.alerts.get(f).and_then(|a| a.told.get(notifier));
            told.is_some_and(|t| is_digest(&t.thread))
        };
        let of_digest: Vec<Fingerprint> = firing.iter().filter(in_digest).copied().collect();
        if let Some(storm) = self.storms.by_notifier.get_mut(notifier) {
            storm.firing.extend(of_digest);
        }
        self.after_saying(&resolved);
    }

    /// One message for the ends collected.
    fn send_ends(&mut self, notifier: &str, fx: &mut Effects) {
        let Some(storm) = self.storms.by_notifier.get_mut(notifier) else { return };
        storm.end_by = None;
        let mut ended = std::mem::take(&mut storm.ended);
        if storm.firing.is_empty() {
            // The first group that is flushed after the last end speaks for all: groups that began within
            // seconds of each other are flushed as far apart, and each would be a message.
            ended.append(&mut storm.over);
        }
        let firing = storm.firing.clone();
        let known = |f: &Fingerprint| self.alerts.get(f).filter(|a| a.told.contains_key(notifier));
        let speaks = |a: &Alert| self.mute_to(a, notifier).is_none();
        let resolved: Vec<Fingerprint> =
            ended.iter().copied().filter(|f| known(f).is_some_and(|a| !a.fires() && speaks(a))).collect();
        let (visible, hidden): (Vec<Fingerprint>, Vec<Fingerprint>) =
            firing.iter().copied().filter(|f| known(f).is_some()).partition(|f| known(f).is_some_and(speaks));
        let Some(thread) = self.storms.by_notifier.get(notifier).and_then(|s| s.thread.clone()) else { return };
        if !resolved.is_empty() {
            let groups: BTreeSet<GroupId> =
                resolved.iter().filter_map(|f| self.alerts.get(f)).flat_map(|a| &a.groups).copied().collect();
            let receiver = resolved.first().and_then(known).and_then(|a| a.told.get(notifier));
            let receiver = receiver.map(|t| t.receiver.clone()).unwrap_or_default();
            let key = self.next_key(notifier, MARK);
            let reason = Reason::Digest(groups.len().max(1));
            let message =
                Message { notifier, receiver: &receiver, reason, thread, key, firing: &visible, resolved: &resolved };
            self.say(&message, (MARK.trim_end_matches('-').to_owned(), Labels::default()), SHOWN, fx);
        }
        if visible.is_empty() {
            self.shut(notifier, &hidden);
            if let Some(storm) = self.storms.by_notifier.get_mut(notifier) {
                storm.thread = None;
                storm.firing.clear();
            }
        }
        self.after_saying(&resolved);
    }

    /// Alerts whose end was said outside their groups' flush leave these.
    fn after_saying(&mut self, resolved: &[Fingerprint]) {
        resolved.iter().for_each(|f| self.leave_if_done(*f));
    }

    /// Finds the storms again that were under way.
    pub(super) fn restore_storms(&mut self) {
        for alert in self.alerts.values() {
            for (notifier, told) in alert.told.iter().filter(|(_, t)| is_digest(&t.thread)) {
                let storm = self.storms.by_notifier.entry(notifier.clone()).or_default();
                storm.thread.get_or_insert_with(|| told.thread.clone());
                if alert.fires() {
                    storm.firing.insert(alert.fingerprint);
                } else {
                    // However often the server restarts, an end waits no longer than it would have.
                    let by = alert.changed_at.plus(PATIENCE);
                    storm.ended.insert(alert.fingerprint);
                    storm.end_by = Some(storm.end_by.map_or(by, |at| at.min(by)));
                }
            }
        }
        for (notifier, storm) in &self.storms.by_notifier {
            self.timers.put(Timer::Digest(notifier.clone()), storm.next());
        }
    }
}
