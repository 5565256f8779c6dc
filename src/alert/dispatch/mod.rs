//! From alerts to notifications: grouping, muting, repeats, escalation, digests, and who was told.
//!
//! [`Dispatcher::step`] takes an event and says what must be stored, owed and written down, all of it
//! in one transaction of the caller's. It does no I/O and reads no clock; [`Dispatcher::next_due`] says
//! when it wants to hear [`Event::Tick`]. Timing is Alertmanager's (`group_wait`, `group_interval`,
//! `repeat_interval`, to the second); three things differ on purpose:
//!
//! * Who was told is kept per notifier and alert, not per group: a group that changes its shape with a
//!   reload pages nobody twice, and whoever heard of a firing hears of its end.
//! * A notifier hears of the end of muted alerts when the mute ends, not never.
//! * Nothing is said of alerts that were over before anybody was told.
//!
//! Invariants: a notifier hears "resolved" of an alert only after "firing"; a muted alert is in no
//! notification; a key is never used for two decisions; no event costs work in proportion to all
//! alerts, save a new policy, a new silence and the once-a-second refresh of mutes on the board.

mod escalation;
mod event;
mod explain;
mod flush;
mod intake;
mod mute;
mod record;
mod restore;
mod setup;
mod silences;
mod state;
mod storm;
mod tell;
mod timers;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::alert::inhibit::Inhibitor;
use crate::alert::route::Route;
use crate::alert::rule::Fingerprint;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;

pub use event::{
    AlertUpdate, Decision, Effects, Event, Hold, MuteKind, MutedBy, Origin, Outcome, SilenceEnd, reason_text,
};
pub use explain::{Explained, Explanation, Verdict};
pub use record::{
    AlertRecord, Change, CounterRecord, Escalating, GroupRecord, GroupTold, Record, RecordKey, RecordKind,
    SilenceRecord, Told,
};
pub use setup::{DIGEST_ABOVE, Digest, NotifierPolicy, Reminders, Setup};
pub use state::{Alert, Group, Silencing};
pub use timers::GroupId;

use flush::Job;
use mute::Windows;
use storm::Storms;
use timers::{Timer, Timers};

/// A clock that goes back by less than this was corrected, not set.
const SLEW: Duration = Duration::from_secs(1);

/// Decides who hears what, and when.
#[derive(Debug)]
pub struct Dispatcher {
    setup: Arc<Setup>,
    /// The tree's nodes by id, children left out.
    routes: HashMap<String, Arc<Route>>,
    alerts: BTreeMap<Fingerprint, Alert>,
    groups: BTreeMap<GroupId, Group>,
    by_key: HashMap<(String, Labels), GroupId>,
    silences: BTreeMap<String, Silencing>,
    inhibitor: Inhibitor<Fingerprint>,
    windows: Windows,
    /// Monitors that are broken by what the evaluator says.
    down: HashSet<String>,
    /// Firing alerts of monitors' own, by monitor.
    broken: HashMap<String, BTreeSet<Fingerprint>>,
    timers: Timers,
    storms: Storms,
    counter: CounterRecord,
    next_group: GroupId,
    /// When it was made, by the wall clock: part of every key.
    began: Timestamp,
    now: Timestamp,
    /// Flushes of this step that are not yet decided.
    jobs: Vec<Job>,
    changed: Changed,
}

/// What this step changed; becomes [`Effects`].
#[derive(Debug, Default)]
struct Changed {
    alerts: BTreeSet<Fingerprint>,
    groups: BTreeSet<GroupId>,
    silences: BTreeSet<String>,
    gone: Vec<RecordKey>,
    touched: BTreeSet<Fingerprint>,
    counter: bool,
}

impl Dispatcher {
    /// A dispatcher that has never heard of an alert.
    pub fn new(setup: Arc<Setup>, now: Timestamp) -> Self {
        Self::restore(Vec::new(), setup, now)
    }

    /// Applies an event, then everything that is due by `now`.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Effects {
        let mut fx = Effects::default();
        self.follow_clock(now, &event);
        match event {
            Event::Alerts(updates) => updates.iter().for_each(|u| self.update(u, &mut fx)),
            Event::Reloaded(setup) => self.reload(setup, &mut fx),
            Event::Monitors(states) => self.monitors(states),
            Event::SilenceSet(silence) => self.set_silence(silence, &mut fx),
            Event::SilenceExpired(id) => self.end_silence(&id, SilenceEnd::Expired, &mut fx),
            Event::Acknowledged(fingerprint, ack) => self.acknowledge(fingerprint, ack, &mut fx),
            Event::Unacknowledged(fingerprint) => self.unacknowledge(fingerprint, false, &mut fx),
            Event::GivenUp(notification) => self.given_up(&notification, &mut fx),
            Event::ClockJumped(by) => self.shift(by),
            Event::Tick => {}
        }
        self.run_due(&mut fx);
        self.emit(&mut fx);
        fx
    }

    /// When the next [`Event::Tick`] is needed; `None` while nothing is to come.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// What the files say.
    pub const fn setup(&self) -> &Arc<Setup> {
        &self.setup
    }

    /// An alert that fires, or was over lately.
    pub fn alert(&self, fingerprint: Fingerprint) -> Option<&Alert> {
        self.alerts.get(&fingerprint)
    }

    /// All alerts that fire or were over lately, in order of fingerprint.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    /// The groups there are.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The silences, also those that were over lately, in order of id.
    pub fn silences(&self) -> impl Iterator<Item = &Silencing> {
        self.silences.values()
    }

    /// One silence.
    pub fn silence(&self, id: &str) -> Option<&Silencing> {
        self.silences.get(id)
    }

    fn run_due(&mut self, fx: &mut Effects) {
        loop {
            while let Some((at, timer)) = self.timers.pop(self.now) {
                match timer {
                    Timer::Windows => self.windows_changed(),
                    Timer::Mutes => self.refresh_mutes(fx),
                    Timer::Silence(id) => self.silence_due(&id, fx),
                    Timer::Expiry(fingerprint) => self.expire(fingerprint, fx),
                    Timer::Quiet(fingerprint) => self.quiet(fingerprint, fx),
                    Timer::Ack(fingerprint) => self.unacknowledge(fingerprint, true, fx),
                    Timer::Flush(group) => self.flush(group, at),
                    Timer::Escalate(group) => self.escalate(group, fx),
                    Timer::Digest(notifier) => self.digest_due(&notifier, fx),
                    Timer::Reminder(id) => self.remind(&id, fx),
                    Timer::Forget(fingerprint) => self.forget(fingerprint),
                }
            }
            if self.jobs.is_empty() {
                break;
            }
            // What is decided may free groups and set timers, some of them due at once.
            self.settle(fx);
        }
    }

    fn emit(&mut self, fx: &mut Effects) {
        let changed = std::mem::take(&mut self.changed);
        for key in changed.gone {
            fx.changes.push(Change::Delete(key));
        }
        for fingerprint in &changed.alerts {
            if let Some(alert) = self.alerts.get(fingerprint) {
                fx.changes.push(Change::Put(Record::Alert(Box::new(alert.record()))));
            }
        }
        for id in &changed.groups {
            if let Some(group) = self.groups.get_mut(id) {
                group.stored = true;
                fx.changes.push(Change::Put(Record::Group(group.record())));
            }
        }
        for id in &changed.silences {
            if let Some(silence) = self.silences.get(id) {
                fx.changes.push(Change::Put(Record::Silence(silence.record())));
            }
        }
        if changed.counter {
            fx.changes.push(Change::Put(Record::Counter(self.counter)));
        }
        fx.touched = changed.touched.into_iter().chain(changed.alerts).collect::<BTreeSet<_>>().into_iter().collect();
    }

    /// A wall clock that was set back must not delay pages by as much: timers move with it. Steps of
    /// less than [`SLEW`] are the usual correction of a clock; time stands still until it has caught up.
    fn follow_clock(&mut self, now: Timestamp, event: &Event) {
        if matches!(event, Event::ClockJumped(_)) || now >= self.now {
            self.now = now;
        } else if self.now.since(now) >= SLEW {
            let back = now.millis().saturating_sub(self.now.millis());
            self.now = now;
            self.shift(back);
        }
    }

    /// Moves every timer and stored time that an interval is measured from.
    fn shift(&mut self, by: i64) {
        let moved = |t: Timestamp| Timestamp::from_millis(t.millis().saturating_add(by));
        // Silences, windows, expiries and the ends of acks are points of the calendar and stay.
        let interval = |t: &Timer| {
            matches!(
                t,
                Timer::Flush(_)
                    | Timer::Escalate(_)
                    | Timer::Digest(_)
                    | Timer::Quiet(_)
                    | Timer::Forget(_)
                    | Timer::Mutes
            )
        };
        self.timers.shift(interval, moved);
        for (id, group) in &mut self.groups {
            group.due = moved(group.due);
            group.told.values_mut().for_each(|t| t.at = moved(t.at));
            self.changed.groups.insert(*id);
        }
        for (fingerprint, alert) in &mut self.alerts {
            alert.changed_at = moved(alert.changed_at);
            alert.told.values_mut().for_each(|t| t.at = moved(t.at));
            alert.escalations.values_mut().for_each(|e| e.since = moved(e.since));
            alert.flap.shift(moved);
            self.changed.alerts.insert(*fingerprint);
        }
        self.storms.shift(moved);
        self.timers.set(Timer::Windows, self.now);
    }
}

#[cfg(test)]
mod tests;
