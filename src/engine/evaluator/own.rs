//! The alerts about ourselves: that the files are broken, and that monitors cannot be judged.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::instance::{Instance, Phase};
use crate::alert::rule::{Fingerprint, Words};
use crate::alert::{files, impaired, own};
use crate::base::time::Timestamp;
use crate::engine::evaluator::book::{Book, Stepped, capped};
use crate::engine::evaluator::decisions::Decisions;

/// A built-in rule.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    hold: Duration,
    over: fn(&Words) -> Words,
}

const FILES: Kind = Kind { name: files::CONFIG_INVALID, hold: files::HOLD, over: files::over };
const IMPAIRED: Kind = Kind { name: impaired::SELF_IMPAIRED, hold: impaired::HOLD, over: impaired::over };

/// Whether an alert of this rule is about ourselves.
pub(crate) fn is_own(rule: &str) -> bool {
    [FILES.name, IMPAIRED.name].contains(&rule)
}

/// What is wrong, as the alert says it and in one line.
#[derive(Debug)]
pub(crate) struct Trouble {
    words: Arc<Words>,
    reason: String,
}

impl Trouble {
    /// Errors in the configuration files.
    pub(crate) fn files(errors: usize, first: &str) -> Self {
        let first = capped(first);
        Self { words: Arc::new(files::words(errors, first)), reason: first.to_owned() }
    }

    /// What is in the way of the monitors.
    pub(crate) fn impaired(class: &str, what: &str) -> Self {
        let what = capped(what);
        Self { words: Arc::new(impaired::words(class, what)), reason: what.to_owned() }
    }
}

/// One alert about ourselves, and what is wrong now.
#[derive(Debug)]
pub(crate) struct Own {
    kind: &'static Kind,
    fingerprint: Fingerprint,
    trouble: Option<Trouble>,
    alert: Option<Instance>,
    /// It fired before the start, and what it is about has not been looked at in full since: it does not end.
    unsettled: bool,
}

impl Own {
    /// About the files.
    pub(crate) fn files() -> Self {
        Self { kind: &FILES, fingerprint: files::fingerprint(), trouble: None, alert: None, unsettled: false }
    }

    /// About a class of what is in the way of the monitors.
    pub(crate) fn impaired(class: &str) -> Self {
        let fingerprint = impaired::fingerprint(class);
        Self { kind: &IMPAIRED, fingerprint, trouble: None, alert: None, unsettled: false }
    }

    /// The one that an alert from before the start is of, whatever it is about.
    pub(crate) fn remembered(mut alert: Instance, now: Timestamp) -> Self {
        let kind = if alert.rule == FILES.name { &FILES } else { &IMPAIRED };
        // Files stay as they are while nothing runs. Whether anything else lasted nobody has seen.
        if let Phase::Pending { since } = &mut alert.phase
            && alert.rule == IMPAIRED.name
        {
            *since = now;
        }
        let unsettled = matches!(alert.phase, Phase::Firing { .. });
        Self { kind, fingerprint: alert.fingerprint, trouble: None, alert: Some(alert), unsettled }
    }

    /// The identity of its alert.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Its alert, while there is one.
    pub(crate) fn alert(&self) -> Option<&Instance> {
        self.alert.as_ref()
    }

    /// Nothing is wrong and nothing was.
    pub(crate) fn is_idle(&self) -> bool {
        self.trouble.is_none() && self.alert.is_none()
    }

    /// Takes over what is wrong now. `settled`: everything has been looked at.
    pub(crate) fn now(&mut self, trouble: Option<Trouble>, settled: bool) {
        self.trouble = trouble;
        self.unsettled &= !settled;
    }

    /// Time until the trouble has lasted long enough for an alert.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Duration> {
        match self.alert.as_ref().map(|a| a.phase) {
            Some(Phase::Pending { since }) if self.trouble.is_some() => Some(since.plus(self.kind.hold).since(now)),
            _ => None,
        }
    }

    /// The wall clock was set by so many milliseconds: what is held is held no longer and no shorter.
    pub(crate) fn shift(&mut self, by: i64) {
        if let Some(Instance { phase: Phase::Pending { since }, .. }) = &mut self.alert {
            *since = Timestamp::from_millis(since.millis().saturating_add(by));
        }
    }

    /// Steps the alert. A receiver that the same configuration brought is told.
    pub(crate) fn judge(&mut self, now: Timestamp, out: &mut Decisions) {
        if self.unsettled && self.trouble.is_none() {
            return;
        }
        let kind = self.kind;
        let phase = self.alert.as_ref().map_or(Phase::Inactive, |a| a.phase);
        let (phase, Some(transition)) = own::step(phase, self.trouble.is_some(), kind.hold, now) else {
            self.reword(out);
            return;
        };
        let words = self.trouble.as_ref().map(|t| Arc::clone(&t.words));
        let Some(alert) = self.alert.take().or_else(|| {
            Some(Instance {
                fingerprint: self.fingerprint,
                rule: kind.name.to_owned(),
                monitor: own::subject(),
                phase: Phase::Inactive,
                words: words.clone()?,
            })
        }) else {
            return;
        };
        let words = words.unwrap_or_else(|| Arc::new((kind.over)(&alert.words)));
        let reason = self.trouble.as_ref().map(|t| t.reason.as_str()).unwrap_or_default();
        let step = Stepped { phase, transition, now, reason, words: Some(words) };
        self.alert = Book::carry_out(alert, step, out);
    }

    /// Trouble that goes on, but for another reason, is shown as what it is, and so in the next message.
    fn reword(&mut self, out: &mut Decisions) {
        let (Some(alert), Some(trouble)) = (&mut self.alert, &self.trouble) else { return };
        if matches!(alert.phase, Phase::Pending { .. } | Phase::Firing { .. }) && alert.words != trouble.words {
            alert.words = Arc::clone(&trouble.words);
            Book::reworded(alert, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_about_to_fire_before_the_start_has_not_lasted_meanwhile() {
        let at = |s: i64| Timestamp::from_millis(s * 1_000);
        let alert = |since| Instance {
            fingerprint: impaired::fingerprint("late"),
            rule: impaired::SELF_IMPAIRED.to_owned(),
            monitor: own::subject(),
            phase: Phase::Pending { since },
            words: Arc::new(impaired::words("late", "")),
        };
        let (mut own, mut out) = (Own::remembered(alert(at(0)), at(600)), Decisions::default());
        own.now(Some(Trouble::impaired("late", "many probes begin late")), false);
        own.judge(at(601), &mut out);
        assert!(out.updates.is_empty());
        own.judge(at(630), &mut out);
        assert_eq!(out.updates.len(), 1);
        // Nor is it an alert because it was remembered.
        let (mut own, mut out) = (Own::remembered(alert(at(0)), at(600)), Decisions::default());
        own.now(None, false);
        own.judge(at(601), &mut out);
        assert!(own.is_idle() && out.updates.is_empty());
    }
}
