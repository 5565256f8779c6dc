//! Silences in the dispatcher: what each matches, holds back, and when a person is reminded of it.

use std::time::Duration;

use crate::alert::dispatch::Dispatcher;
use crate::alert::dispatch::event::{Decision, Effects, Outcome, SilenceEnd};
use crate::alert::dispatch::record::{RecordKey, RecordKind};
use crate::alert::dispatch::state::{Alert, Silencing};
use crate::alert::dispatch::timers::Timer;
use crate::alert::matchers::Matchers;
use crate::alert::rule::Fingerprint;
use crate::alert::silence::{Silence, SilenceState};
use crate::base::labels::Labels;
use crate::base::message::Status;
use crate::base::notification::{Notification, NotifiedAlert, Reason};
use crate::base::time::Timestamp;

/// A silence that is over stays listed this long, as in Alertmanager.
const LISTED_AFTER: Duration = Duration::from_secs(120 * 3_600);

impl Dispatcher {
    /// The alerts that matchers match now, firing ones only.
    pub fn preview(&self, matchers: &Matchers) -> Vec<Fingerprint> {
        let all = self.alerts.values().filter(|a| a.fires() && matchers.matches(&a.labels));
        all.map(|a| a.fingerprint).collect()
    }

    /// Firing alerts that a silence matches, whether or not it is active.
    pub fn silence_matches(&self, id: &str) -> usize {
        let fires = |f: &&Fingerprint| self.alerts.get(f).is_some_and(Alert::fires);
        self.silences.get(id).map_or(0, |s| s.matches.iter().filter(fires).count())
    }

    /// A silence was made or changed.
    pub(super) fn set_silence(&mut self, silence: Silence, fx: &mut Effects) {
        let id = silence.id.clone();
        let known = self.silences.contains_key(&id);
        self.put_silence(silence);
        if let (true, Some(silencing)) = (known, self.silences.get_mut(&id)) {
            silencing.reminded = false;
        }
        let matches = self.silences.get(&id).map(|s| s.matches.iter().copied().collect::<Vec<_>>());
        let about = Decision::new(self.now, &matches.unwrap_or_default(), Outcome::Silenced(id));
        fx.history.push(about);
        self.refresh_soon();
    }

    fn put_silence(&mut self, silence: Silence) {
        let id = silence.id.clone();
        let mut silencing = match self.silences.remove(&id) {
            Some(old) => {
                self.unmatch(&id, &old);
                Silencing { silence, matches: std::collections::BTreeSet::new(), ..old }
            }
            None => Silencing::new(silence),
        };
        for alert in self.alerts.values_mut() {
            if silencing.silence.matchers.matches(&alert.labels) {
                silencing.matches.insert(alert.fingerprint);
                alert.silences.insert(id.clone());
            }
        }
        self.silences.insert(id.clone(), silencing);
        self.changed.silences.insert(id.clone());
        self.plan_silence(&id);
    }

    fn unmatch(&mut self, id: &str, silencing: &Silencing) {
        for fingerprint in &silencing.matches {
            if let Some(alert) = self.alerts.get_mut(fingerprint) {
                alert.silences.remove(id);
            }
        }
    }

    /// Looks up which silences an alert's labels match.
    pub(super) fn match_silences(&mut self, fingerprint: Fingerprint) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        alert.silences.clear();
        for (id, silencing) in &mut self.silences {
            if silencing.silence.matchers.matches(&alert.labels) {
                alert.silences.insert(id.clone());
                silencing.matches.insert(fingerprint);
            } else {
                silencing.matches.remove(&fingerprint);
            }
        }
    }

    /// Sets the timers of a silence.
    pub(super) fn plan_silence(&mut self, id: &str) {
        let Some(silencing) = self.silences.get(id) else { return };
        let (s, now) = (&silencing.silence, self.now);
        let next = match s.state(now) {
            SilenceState::Pending => s.starts_at,
            SilenceState::Active => s.ends_at,
            SilenceState::Expired => s.ends_at.plus(LISTED_AFTER),
        };
        let over = s.state(now) == SilenceState::Expired;
        let reminder = if over || silencing.reminded { None } else { self.reminder_at(silencing) };
        self.timers.set(Timer::Silence(id.to_owned()), next);
        self.timers.put(Timer::Reminder(id.to_owned()), reminder);
    }

    fn reminder_at(&self, silencing: &Silencing) -> Option<Timestamp> {
        let s = &silencing.silence;
        let begun = s.starts_at.max(self.now);
        // The end of one that is short is in its author's mind.
        let long = |before: &Duration| s.ends_at.since(s.starts_at) >= before.saturating_mul(4);
        let ending = self.setup.reminders.ending.filter(long).map(|before| s.ends_at.minus(before));
        let ending = ending.filter(|at| *at > begun);
        let forgotten = self.setup.reminders.forgotten.map(|idle| {
            let since = silencing.last_muted.map_or(s.starts_at, |last| last.max(s.starts_at));
            since.plus(idle).max(self.now)
        });
        // A silence in a file is looked after where it stands.
        let forgotten = forgotten.filter(|at| s.source.is_none() && *at < s.ends_at && s.starts_at <= *at);
        ending.into_iter().chain(forgotten).min()
    }

    /// A silence began, ended, or leaves the list.
    pub(super) fn silence_due(&mut self, id: &str, fx: &mut Effects) {
        let Some(silencing) = self.silences.get(id) else { return };
        let s = &silencing.silence;
        if self.now >= s.ends_at.plus(LISTED_AFTER) {
            self.drop_silence(id);
            return;
        }
        if s.state(self.now) == SilenceState::Expired {
            let about: Vec<Fingerprint> = silencing.matches.iter().copied().collect();
            let over = Outcome::SilenceOver(id.to_owned(), SilenceEnd::Elapsed);
            fx.history.push(Decision::new(self.now, &about, over));
        }
        self.plan_silence(id);
        self.refresh_soon();
    }

    /// Ends a silence now.
    pub(super) fn end_silence(&mut self, id: &str, why: SilenceEnd, fx: &mut Effects) {
        let now = self.now;
        let Some(silencing) = self.silences.get_mut(id) else { return };
        if silencing.silence.ends_at <= now {
            return;
        }
        // As Alertmanager: one that has not begun begins and ends at once.
        silencing.silence.starts_at = silencing.silence.starts_at.min(now);
        silencing.silence.ends_at = now;
        silencing.silence.updated_at = now;
        let about: Vec<Fingerprint> = silencing.matches.iter().copied().collect();
        fx.history.push(Decision::new(now, &about, Outcome::SilenceOver(id.to_owned(), why)));
        self.changed.silences.insert(id.to_owned());
        self.plan_silence(id);
        self.refresh_soon();
    }

    fn drop_silence(&mut self, id: &str) {
        let Some(silencing) = self.silences.remove(id) else { return };
        self.unmatch(id, &silencing);
        self.timers.clear(&Timer::Silence(id.to_owned()));
        self.timers.clear(&Timer::Reminder(id.to_owned()));
        self.changed.silences.remove(id);
        self.changed.gone.push(RecordKey { kind: RecordKind::Silence, id: id.to_owned() });
    }

    /// Puts the files' silences in the place of those that files said before.
    pub(super) fn replace_file_silences(&mut self, fx: &mut Effects) {
        let setup = std::sync::Arc::clone(&self.setup);
        let wanted = |id: &str| setup.policy.silences.iter().any(|s| s.id == id);
        let from_files = self.silences.values().filter(|s| s.silence.source.is_some() && !wanted(&s.silence.id));
        let gone: Vec<String> = from_files.map(|s| s.silence.id.clone()).collect();
        for id in gone {
            self.end_silence(&id, SilenceEnd::Removed, fx);
            self.drop_silence(&id);
        }
        for silence in &setup.policy.silences {
            if self.silences.get(&silence.id).is_none_or(|s| s.silence != *silence) {
                self.put_silence(silence.clone());
            }
        }
        let all: Vec<String> = self.silences.keys().cloned().collect();
        all.iter().for_each(|id| self.plan_silence(id));
    }

    /// A notification was held back by a silence.
    pub(super) fn count_muted(&mut self, fingerprint: Fingerprint, id: &str) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else { return };
        let now = (alert.episode, id.to_owned());
        if alert.counted.as_ref() == Some(&now) {
            return;
        }
        alert.counted = Some(now);
        if let Some(silencing) = self.silences.get_mut(id) {
            silencing.muted += 1;
            silencing.last_muted = Some(self.now);
            self.changed.silences.insert(id.to_owned());
        }
    }

    /// Reminds of a silence, once: those who would hear of its alerts, or the root's receiver of one
    /// that holds nothing back.
    pub(super) fn remind(&mut self, id: &str, fx: &mut Effects) {
        let Some(silencing) = self.silences.get(id) else { return };
        if silencing.reminded || silencing.silence.state(self.now) != SilenceState::Active {
            return;
        }
        let left = silencing.silence.ends_at.since(self.now);
        let firing: Vec<&Alert> =
            silencing.matches.iter().filter_map(|f| self.alerts.get(f)).filter(|a| a.fires()).collect();
        let near = self.setup.reminders.ending.is_some_and(|before| left <= before);
        let idle = self.setup.reminders.forgotten.is_some_and(|idle| {
            let since = silencing.last_muted.unwrap_or(silencing.silence.starts_at).max(silencing.silence.starts_at);
            self.now.since(since) >= idle && firing.is_empty()
        });
        let ends_with_alerts = near && !firing.is_empty();
        if !ends_with_alerts && !idle {
            // Not now; perhaps later.
            let at = self.reminder_at(silencing).filter(|at| *at > self.now);
            let near = self.setup.reminders.ending.map(|before| silencing.silence.ends_at.minus(before));
            let next = at.into_iter().chain(near.filter(|at| *at > self.now)).min();
            self.timers.put(Timer::Reminder(id.to_owned()), next);
            return;
        }
        let mut to: Vec<String> = Vec::new();
        if idle {
            to.push(self.setup.policy.route.receiver.clone());
        }
        for alert in firing.iter().take(100) {
            for group in alert.groups.iter().filter_map(|g| self.groups.get(g)) {
                let receiver = &group.route.receiver;
                if !to.contains(receiver) {
                    to.push(receiver.clone());
                }
            }
        }
        let s = &silencing.silence;
        let (summary, name) = if idle {
            ("a silence holds nothing back: is it forgotten?".to_owned(), "SilenceForgotten")
        } else {
            let n = firing.len();
            let alerts = if n == 1 { "alert that it mutes still fires" } else { "alerts that it mutes still fire" };
            (format!("a silence is about to end and {n} {alerts}"), "SilenceEnding")
        };
        let description = format!("{} by {}: {}; until {}", s.matchers, s.created_by, s.comment, s.ends_at);
        let labels = Labels::new([("alertname", name), ("severity", "info"), ("silence", id)]);
        let alert = NotifiedAlert {
            status: Status::Firing,
            fingerprint: format!("{:016x}", labels.fingerprint()),
            annotations: Labels::new([("summary", summary), ("description", description)]),
            starts_at: self.now,
            ends_at: None,
            value: None,
            generator_url: None,
            labels,
        };
        if let Some(silencing) = self.silences.get_mut(id) {
            silencing.reminded = true;
        }
        self.changed.silences.insert(id.to_owned());
        let mut reminded = std::collections::BTreeSet::new();
        for receiver in to {
            let setup = std::sync::Arc::clone(&self.setup);
            for notifier in setup.notifiers_of(&receiver) {
                if !reminded.insert(notifier.to_owned()) {
                    continue;
                }
                let key = self.next_key(notifier, id);
                fx.notifications.push(Notification {
                    thread: key.clone(),
                    key,
                    receiver: receiver.clone(),
                    notifier: notifier.to_owned(),
                    group_key: format!("{{}}:{}", alert.labels),
                    group_labels: alert.labels.clone(),
                    reason: Reason::Reminder,
                    alerts: vec![alert.clone()],
                    omitted: 0,
                });
            }
        }
    }
}
