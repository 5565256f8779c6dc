//! The alert of a monitor whose own check cannot judge: a plugin that says UNKNOWN, a registry that does not answer. No
//! I/O, no clock.
//!
//! It counts results as the monitor's own alert does: those that could not be judged for such a reason are its failures,
//! those that could are its successes. What this machine is to blame for is neither, and a monitor above that is down
//! begins both anew. It waits for the monitors above as the other alert does, too.

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

impl Kept {
    fn phase(&self) -> Phase {
        self.alert.as_ref().map_or(Phase::Inactive, |a| a.phase)
    }
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

    /// Counts a result; `false` where that can change nothing.
    pub(crate) fn count(&mut self, result: &SlotResult) -> bool {
        let verdict = match result.verdict {
            Verdict::Unknown if result.cannot_judge => Verdict::Down,
            // Nothing is learned of the check, but it is judged anew once the one above is back.
            Verdict::Unknown if result.parent_down => {
                if let Some(kept) = &mut self.0 {
                    (kept.counted, _) = monitor::excused(kept.counted, result.at);
                }
                return false;
            }
            Verdict::Unknown => return false,
            Verdict::Up | Verdict::Degraded | Verdict::Down => Verdict::Up,
        };
        if self.0.is_none() && verdict == Verdict::Up {
            return false;
        }
        let kept = self.0.get_or_insert_default();
        (kept.counted, _) = monitor::step(kept.counted, verdict, result.at);
        true
    }

    /// Where its alert stands, and what is counted for it.
    pub(crate) fn standing(&self) -> Option<(Phase, MonitorStatus)> {
        self.0.as_ref().map(|kept| (kept.phase(), kept.counted))
    }

    /// Carries out a step of its alert. `rule` is what the monitor is judged by otherwise.
    pub(crate) fn step(
        &mut self,
        rule: &Rule,
        (phase, transition): (Phase, Option<Transition>),
        now: Timestamp,
        reason: &str,
        out: &mut Decisions,
    ) {
        if let Some(transition) = transition {
            let step = Stepped { phase, transition, now, reason: capped(reason), words: None };
            self.transit(rule.monitor(), Some(rule), step, out);
        }
        // Nothing is left to count while all is well.
        let well = |kept: &Kept| kept.alert.is_none() && kept.counted.failures == 0;
        if self.0.as_deref().is_some_and(well) {
            self.0 = None;
        }
    }

    /// Nobody asks for it any more.
    pub(crate) fn end(&mut self, name: &MonitorName, why: Over, now: Timestamp, out: &mut Decisions) {
        let Some(kept) = &mut self.0 else { return };
        kept.counted = MonitorStatus::default();
        if let (phase, Some(transition)) = instance::end(kept.phase(), why, now) {
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
