//! The alert of a monitor whose own check cannot judge: a plugin that says UNKNOWN, a registry that does not answer. No
//! I/O, no clock.
//!
//! It counts results as the monitor's own alert does: those that could not be judged for such a reason are its failures,
//! those that could are its successes. What this machine or a monitor above is to blame for is neither.

use std::sync::Arc;

use crate::alert::instance::{self, Instance, Phase, Transition};
use crate::alert::monitor::{self, MonitorStatus};
use crate::alert::rule::{Fingerprint, MONITOR_UNKNOWN, Over, Rule};
use crate::base::name::MonitorName;
use crate::base::outcome::Verdict;
use crate::base::time::Timestamp;
use crate::engine::evaluator::SlotResult;
use crate::engine::evaluator::book::{Book, Stepped, capped};
use crate::engine::evaluator::decisions::Decisions;

/// What is counted of one monitor, and its alert. Most monitors have none of it.
#[derive(Debug, Default)]
pub(crate) struct Unknown(Option<Box<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    counted: MonitorStatus,
    alert: Option<Instance>,
}

impl Unknown {
    /// Continues from before the start.
    pub(crate) fn remember(&mut self, alert: Instance) {
        self.0.get_or_insert_default().alert = Some(alert);
    }

    /// The alert while it fires.
    pub(crate) fn firing(&self) -> Option<&Instance> {
        let alert = self.0.as_ref()?.alert.as_ref()?;
        matches!(alert.phase, Phase::Firing { .. }).then_some(alert)
    }

    /// Counts a result. `rule` is what the monitor is judged by otherwise.
    pub(crate) fn result(&mut self, rule: &Rule, result: &SlotResult, out: &mut Decisions) {
        let verdict = match result.verdict {
            Verdict::Unknown if result.cannot_judge => Verdict::Down,
            // Nothing is learned of the check.
            Verdict::Unknown => return,
            Verdict::Up | Verdict::Degraded | Verdict::Down => Verdict::Up,
        };
        if self.0.is_none() && verdict == Verdict::Up {
            return;
        }
        let kept = self.0.get_or_insert_default();
        (kept.counted, _) = monitor::step(kept.counted, verdict, result.at);
        let phase = kept.alert.as_ref().map_or(Phase::Inactive, |a| a.phase);
        let (phase, transition) = instance::step(phase, &kept.counted, rule.thresholds(), result.at);
        if let Some(transition) = transition {
            let step = Stepped { phase, transition, now: result.at, reason: capped(&result.headline), words: None };
            self.transit(rule.monitor(), Some(rule), step, out);
        }
        // Nothing is left to count while all is well.
        if verdict == Verdict::Up && self.0.as_ref().is_some_and(|kept| kept.alert.is_none()) {
            self.0 = None;
        }
    }

    /// Nobody asks for it any more.
    pub(crate) fn end(&mut self, name: &MonitorName, why: Over, now: Timestamp, out: &mut Decisions) {
        let Some(kept) = &mut self.0 else { return };
        kept.counted = MonitorStatus::default();
        let phase = kept.alert.as_ref().map_or(Phase::Inactive, |a| a.phase);
        if let (phase, Some(transition)) = instance::end(phase, why, now) {
            self.transit(name, None, Stepped { phase, transition, now, reason: "", words: None }, out);
        }
    }

    /// The alert of a monitor that is gone for good: what is left of it is past.
    pub(crate) fn forget(&mut self, out: &mut Decisions) {
        if let Some(alert) = self.0.take().and_then(|kept| kept.alert) {
            out.changes.push(crate::state::Change::Alert(Instance { phase: Phase::Inactive, ..alert }));
        }
    }

    fn transit(&mut self, name: &MonitorName, rule: Option<&Rule>, mut step: Stepped<'_>, out: &mut Decisions) {
        let Some(kept) = &mut self.0 else { return };
        let words = rule.map(|rule| Arc::new(rule.words_unknown(step.reason)));
        let Some(alert) = kept.alert.take().or_else(|| {
            Some(Instance {
                fingerprint: Fingerprint::of(MONITOR_UNKNOWN, name),
                rule: MONITOR_UNKNOWN.to_owned(),
                monitor: name.clone(),
                phase: Phase::Inactive,
                words: words.clone()?,
            })
        }) else {
            return;
        };
        step.words = match step.transition {
            Transition::Resolved(why) => Some(Arc::new(alert.words.over(name, why, step.reason))),
            Transition::Pending | Transition::Fired | Transition::Cancelled => words,
        };
        kept.alert = Book::carry_out(alert, step, out);
    }
}
