//! The alert of a monitor whose own check cannot judge: a plugin that says UNKNOWN, a registry that does not answer. No
//! I/O, no clock.
//!
//! It counts results as the monitor's own alert does: those that could not be judged for such a reason are its failures,
//! those that could are its successes. What this machine is to blame for is neither, and a monitor above that is down
//! begins both anew. Where one of those may be the cause it waits for them, as the other alert does.

use std::sync::Arc;

use crate::alert::instance::{self, Instance, Phase, Transition};
use crate::alert::monitor::{self, MonitorStatus};
use crate::alert::rule::{MONITOR_UNKNOWN, Over, Rule};
use crate::base::name::MonitorName;
use crate::base::outcome::{Reason, Verdict};
use crate::base::time::Timestamp;
use crate::engine::evaluator::SlotResult;
use crate::engine::evaluator::book::{Book, Standing, Stepped, capped};
use crate::engine::evaluator::decisions::Decisions;

/// Why a result is `unknown`, as far as it matters for the monitor's alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A monitor above is down.
    Parent,
    /// A reason of its own that nobody else speaks of.
    Own {
        /// A monitor above may be the cause all the same.
        may_be_parents: bool,
    },
}

impl Doubt {
    /// That of a reason; `None` where others speak of it.
    pub fn of(reason: &Reason) -> Option<Self> {
        if reason.blames_parent() {
            return Some(Self::Parent);
        }
        reason.speaks_for_itself().then(|| Self::Own { may_be_parents: reason.may_be_parents() })
    }
}

/// What is counted of one monitor, and its alert. Most monitors have none of it.
#[derive(Debug, Default)]
pub(crate) struct Unknown(Option<Box<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    counted: MonitorStatus,
    /// A monitor above may be the cause of the last that was counted.
    may_be_parents: bool,
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
        let verdict = match (result.verdict, result.doubt) {
            (Verdict::Unknown, Some(Doubt::Own { may_be_parents })) => {
                self.0.get_or_insert_default().may_be_parents = may_be_parents;
                Verdict::Down
            }
            // Nothing is learned of the check, but it is judged anew once the one above is back.
            (Verdict::Unknown, Some(Doubt::Parent)) => {
                if let Some(kept) = &mut self.0 {
                    (kept.counted, _) = monitor::excused(kept.counted, result.at);
                }
                return false;
            }
            (Verdict::Unknown, None) => return false,
            (Verdict::Up | Verdict::Degraded | Verdict::Down, _) => Verdict::Up,
        };
        let Some(kept) = &mut self.0 else { return false };
        (kept.counted, _) = monitor::step(kept.counted, verdict, result.at);
        true
    }

    /// Where its alert stands, and what is counted for it.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let stands =
            |kept: &Kept| Standing { phase: kept.phase(), counted: kept.counted, may_be_parents: kept.may_be_parents };
        self.0.as_deref().map(stands)
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
            let reason = capped(reason);
            let words = Some(Arc::new(rule.words_unknown(reason)));
            self.transit(rule.monitor(), Stepped { phase, transition, now, reason, words }, out);
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
            self.transit(name, Stepped { phase, transition, now, reason: "", words: None }, out);
        }
    }

    /// The alert of a monitor that is gone for good: what is left of it is past.
    pub(crate) fn forget(&mut self, out: &mut Decisions) {
        if let Some(alert) = self.0.take().and_then(|kept| kept.alert) {
            out.changes.push(crate::state::Change::Alert(Instance { phase: Phase::Inactive, ..alert }));
        }
    }

    fn transit(&mut self, name: &MonitorName, step: Stepped<'_>, out: &mut Decisions) {
        if let Some(kept) = &mut self.0 {
            kept.alert = Book::carry_on(kept.alert.take(), MONITOR_UNKNOWN, name, step, out);
        }
    }
}
