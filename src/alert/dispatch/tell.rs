//! Carries out a decision: the notification, its key, and who now believes what.

use std::collections::BTreeSet;

use crate::alert::dispatch::Dispatcher;
use crate::alert::dispatch::event::{Decision, Effects, Outcome};
use crate::alert::dispatch::flush::{Job, Plan};
use crate::alert::dispatch::record::{GroupTold, Told};
use crate::alert::dispatch::state::Alert;
use crate::alert::rule::Fingerprint;
use crate::base::labels::Labels;
use crate::base::notification::{Notification, NotifiedAlert, Reason};

/// Alerts that one notification has room for.
pub(super) const ROOM: usize = 1_000;

/// The alerts of one message and what happens to them.
pub(super) struct Message<'a> {
    pub(super) notifier: &'a str,
    pub(super) receiver: &'a str,
    pub(super) reason: Reason,
    pub(super) thread: String,
    pub(super) key: String,
    pub(super) firing: &'a [Fingerprint],
    pub(super) resolved: &'a [Fingerprint],
}

impl Dispatcher {
    /// A key that was never used before: the notifier, what it is about, when this dispatcher began, and the number of
    /// the decision. The number alone could be given twice: while nothing can be stored, pages leave all the same, and
    /// a process that ends then leaves no trace of them. A receiver would take another page for one it had.
    pub(super) fn next_key(&mut self, notifier: &str, about: &str) -> String {
        self.counter.sequence += 1;
        self.changed.counter = true;
        let hash = |text: &str| Labels::new([("n", text)]).fingerprint();
        format!("{:016x}-{:016x}-{:x}-{}", hash(notifier), hash(about), self.began.millis(), self.counter.sequence)
    }

    /// Tells a notifier what a plan says of a group.
    pub(super) fn tell(&mut self, job: Job, notifier: &str, plan: &Plan, fx: &mut Effects) {
        self.note_left_out(notifier, plan, fx);
        let Some(group) = self.groups.get(&job.group) else { return };
        let (group_key, group_labels) = (group.key(), group.labels.clone());
        for (thread, resolved) in &plan.elsewhere {
            let key = self.next_key(notifier, &group_key);
            let message = Message {
                notifier,
                receiver: &plan.receiver,
                reason: Reason::Resolved,
                thread: thread.clone(),
                key,
                firing: &[],
                resolved,
            };
            self.say(&message, (group_key.clone(), group_labels.clone()), ROOM, fx);
        }
        let Some(reason) = plan.reason else { return };
        let key = self.next_key(notifier, &group_key);
        // The first message of a thread gives it its name.
        let thread = plan.thread.clone().unwrap_or_else(|| key.clone());
        let message = Message {
            notifier,
            receiver: &plan.receiver,
            reason,
            thread: thread.clone(),
            key,
            firing: &plan.firing,
            resolved: &plan.resolved,
        };
        self.say(&message, (group_key, group_labels), ROOM, fx);
        if plan.firing.is_empty() {
            self.shut(notifier, &plan.hidden);
        }
        let open = !plan.firing.is_empty();
        self.heard(job, notifier, open.then_some(thread), plan);
    }

    /// The thread is closed while alerts told in it are muted and fire on: when the mute ends they are
    /// told anew.
    pub(super) fn shut(&mut self, notifier: &str, hidden: &[Fingerprint]) {
        for fingerprint in hidden {
            if let Some(told) = self.alerts.get_mut(fingerprint).and_then(|a| a.told.get_mut(notifier)) {
                told.shut = true;
                self.changed.alerts.insert(*fingerprint);
            }
        }
    }

    /// Notes when a group was last told of, and what that sets going.
    pub(super) fn heard(&mut self, job: Job, notifier: &str, thread: Option<String>, plan: &Plan) {
        let now = self.now;
        let Some(group) = self.groups.get_mut(&job.group) else { return };
        self.changed.groups.insert(job.group);
        match group.told.get_mut(notifier) {
            // What escalates repeats nothing: the interval runs on.
            Some(told) if job.escalation => told.thread = thread,
            _ => {
                group.told.insert(notifier.to_owned(), GroupTold { at: now, thread });
            }
        }
        if job.escalation {
            for fingerprint in &plan.fresh {
                if let Some(alert) = self.alerts.get_mut(fingerprint) {
                    alert.escalations.values_mut().for_each(|e| e.owed.retain(|(_, _, to)| to != notifier));
                    self.changed.alerts.insert(*fingerprint);
                }
            }
        } else {
            self.begin_escalation(job.group, &plan.fresh);
        }
    }

    /// Owes one message, and notes who believes what from now on.
    pub(super) fn say(&mut self, m: &Message<'_>, group: (String, Labels), room: usize, fx: &mut Effects) {
        let (alerts, omitted) = self.shown(m.firing, m.resolved, room);
        let mut told: Vec<Fingerprint> = m.firing.to_vec();
        told.extend(m.resolved);
        let outcome = Outcome::Told { reason: m.reason, key: m.key.clone() };
        fx.history.push(Decision::new(self.now, &told, outcome).for_notifier(m.notifier));
        fx.notifications.push(Notification {
            key: m.key.clone(),
            thread: m.thread.clone(),
            receiver: m.receiver.to_owned(),
            notifier: m.notifier.to_owned(),
            group_key: group.0,
            group_labels: group.1,
            reason: m.reason,
            alerts,
            omitted,
        });
        for fingerprint in m.firing {
            let Some(alert) = self.alerts.get_mut(fingerprint) else { continue };
            alert.heard = true;
            let flapping = alert.flap.holds();
            let told = Told {
                receiver: m.receiver.to_owned(),
                at: self.now,
                // An alert stays in the thread in which it was told first.
                thread: alert.told.get(m.notifier).filter(|t| !t.shut).map_or(&m.thread, |t| &t.thread).clone(),
                key: m.key.clone(),
                flapping,
                shut: false,
                refused: false,
            };
            alert.told.insert(m.notifier.to_owned(), told);
            self.changed.alerts.insert(*fingerprint);
        }
        for fingerprint in m.resolved {
            let Some(alert) = self.alerts.get_mut(fingerprint) else { continue };
            alert.told.remove(m.notifier);
            self.changed.alerts.insert(*fingerprint);
        }
    }

    /// The alerts that a message shows, and how many it has no room for. Both firing and over are
    /// shown where there are both.
    fn shown(&self, firing: &[Fingerprint], resolved: &[Fingerprint], room: usize) -> (Vec<NotifiedAlert>, usize) {
        let sorted = |all: &[Fingerprint]| {
            let mut all: Vec<&Alert> = all.iter().filter_map(|f| self.alerts.get(f)).collect();
            all.sort_by(|a, b| (b.severity(), a.starts_at, &a.labels).cmp(&(a.severity(), b.starts_at, &b.labels)));
            all
        };
        let (firing, resolved) = (sorted(firing), sorted(resolved));
        let total = firing.len() + resolved.len();
        let for_resolved = resolved.len().min(room.saturating_sub(firing.len()).max(room / 4));
        let for_firing = firing.len().min(room - for_resolved);
        let shown: Vec<NotifiedAlert> =
            firing.iter().take(for_firing).chain(resolved.iter().take(for_resolved)).map(|a| a.notified()).collect();
        let omitted = total - shown.len();
        (shown, omitted)
    }

    /// A notifier gave a notification up: its fallback is told what it does not know.
    pub(super) fn given_up(&mut self, refused: &Notification, fx: &mut Effects) {
        let notifier = refused.notifier.as_str();
        let listed = refused.alerts.iter().filter_map(|a| Fingerprint::parse(&a.fingerprint));
        let mut about: BTreeSet<Fingerprint> = listed.collect();
        // In a storm thousands may be given up: all alerts are gone through only for what left some out.
        if refused.omitted > 0 {
            let by_key = |a: &&Alert| a.told.get(notifier).is_some_and(|t| t.key == refused.key);
            about.extend(self.alerts.values().filter(by_key).map(|a| a.fingerprint));
        }
        for fingerprint in &about {
            let told = self.alerts.get_mut(fingerprint).and_then(|a| a.told.get_mut(notifier));
            if let Some(told) = told.filter(|t| t.key == refused.key) {
                told.refused = true;
                self.changed.alerts.insert(*fingerprint);
            }
        }
        let setup = std::sync::Arc::clone(&self.setup);
        let Some(fallback) = setup.notifier(notifier).and_then(|n| n.fallback.as_deref()) else { return };
        if setup.notifier(fallback).is_none() || fallback == notifier {
            return;
        }
        let told = |a: &Alert| a.told.contains_key(fallback);
        let muted = |a: &Alert| self.mute_to(a, notifier).is_some();
        let ended: Vec<Fingerprint> = refused.resolved().filter_map(|a| Fingerprint::parse(&a.fingerprint)).collect();
        let known = |f: &Fingerprint| self.alerts.get(f);
        let firing: Vec<Fingerprint> =
            about.iter().copied().filter(|f| known(f).is_some_and(|a| a.fires() && !told(a) && !muted(a))).collect();
        // Its own belief ends with its own flush; here only what it would otherwise never hear.
        let over = |a: &Alert| !a.fires() && told(a) && !muted(a);
        let resolved: Vec<Fingerprint> = ended.into_iter().filter(|f| known(f).is_some_and(over)).collect();
        if firing.is_empty() && resolved.is_empty() {
            return;
        }
        let key = self.next_key(fallback, &refused.group_key);
        let mut told: Vec<Fingerprint> = firing.clone();
        told.extend(&resolved);
        let from = Outcome::TakenOver { from: notifier.to_owned() };
        fx.history.push(Decision::new(self.now, &told, from).for_notifier(fallback));
        let message = Message {
            notifier: fallback,
            receiver: fallback,
            reason: if firing.is_empty() { Reason::Resolved } else { refused.reason },
            thread: key.clone(),
            key,
            firing: &firing,
            resolved: &resolved,
        };
        self.say(&message, (refused.group_key.clone(), refused.group_labels.clone()), ROOM, fx);
    }
}
