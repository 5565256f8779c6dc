//! The life of one alert: inactive → pending → firing → resolved, and round again.
//!
//! An episode begins with the first failure and keeps that time as `starts_at`; it is what makes two
//! outages of one monitor two alerts to a receiver. A policy that changes in the middle of an episode
//! applies to the next result and never restarts it.

use std::sync::Arc;

use crate::alert::monitor::MonitorStatus;
use crate::alert::rule::{Fingerprint, Over, Thresholds, Words};
use crate::base::name::MonitorName;
use crate::base::outcome::Verdict;
use crate::base::time::Timestamp;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is wrong.
    #[default]
    Inactive,
    /// Failing, not yet long enough.
    Pending {
        /// The first failure.
        since: Timestamp,
    },
    /// It fires.
    Firing {
        /// The first failure of the episode.
        starts_at: Timestamp,
        /// When it fired.
        since: Timestamp,
    },
    /// It is over.
    Resolved {
        /// The first failure of the episode.
        starts_at: Timestamp,
        /// When it was over.
        ends_at: Timestamp,
    },
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The first failure.
    Pending,
    /// It recovered before it fired.
    Cancelled,
    /// It fires.
    Fired,
    /// It is over.
    Resolved(Over),
}

/// Applies one result to a phase. `status` is the monitor's status after that result.
#[must_use]
pub fn step(
    phase: Phase,
    status: &MonitorStatus,
    thresholds: Thresholds,
    now: Timestamp,
) -> (Phase, Option<Transition>) {
    // A result that could not judge neither starts, carries nor ends an episode.
    if matches!(status.verdict, None | Some(Verdict::Unknown)) {
        return (phase, None);
    }
    let failing = status.failures > 0;
    let enough = status.failures >= thresholds.after;
    match phase {
        Phase::Inactive | Phase::Resolved { .. } if failing && enough => {
            (Phase::Firing { starts_at: now, since: now }, Some(Transition::Fired))
        }
        Phase::Inactive | Phase::Resolved { .. } if failing => {
            (Phase::Pending { since: now }, Some(Transition::Pending))
        }
        Phase::Pending { since } if failing && enough => {
            (Phase::Firing { starts_at: since, since: now }, Some(Transition::Fired))
        }
        Phase::Pending { .. } if !failing => (Phase::Inactive, Some(Transition::Cancelled)),
        Phase::Firing { starts_at, .. } if status.successes >= thresholds.clear_after => {
            (Phase::Resolved { starts_at, ends_at: now }, Some(Transition::Resolved(Over::Recovered)))
        }
        Phase::Inactive | Phase::Pending { .. } | Phase::Firing { .. } | Phase::Resolved { .. } => (phase, None),
    }
}

/// Ends whatever is going on, because nobody asks for it any more.
#[must_use]
pub fn end(phase: Phase, why: Over, now: Timestamp) -> (Phase, Option<Transition>) {
    match phase {
        Phase::Inactive | Phase::Resolved { .. } => (phase, None),
        Phase::Pending { .. } => (Phase::Inactive, Some(Transition::Cancelled)),
        Phase::Firing { starts_at, .. } => {
            (Phase::Resolved { starts_at, ends_at: now }, Some(Transition::Resolved(why)))
        }
    }
}

/// One alert with everything that must survive a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Identity.
    pub fingerprint: Fingerprint,
    /// Name of the rule.
    pub rule: String,
    /// The monitor it is about.
    pub monitor: MonitorName,
    /// Where it stands.
    pub phase: Phase,
    /// What it says. While firing and after, what it said when it fired.
    pub words: Arc<Words>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::alert::monitor;
    use crate::base::message::Severity;

    fn thresholds(after: u32, clear_after: u32) -> Thresholds {
        Thresholds { after, clear_after, severity: Severity::Critical }
    }

    fn verdict(c: char) -> Verdict {
        match c {
            'u' => Verdict::Up,
            'd' => Verdict::Down,
            'g' => Verdict::Degraded,
            _ => Verdict::Unknown,
        }
    }

    /// `i`nactive, `p`ending, `F`iring, `r`esolved after each result.
    fn run(script: &str, t: Thresholds) -> (String, Vec<Phase>) {
        let (mut status, mut phase) = (MonitorStatus::default(), Phase::Inactive);
        let mut phases = Vec::new();
        for (i, c) in script.chars().enumerate() {
            let now = Timestamp::from_millis(i as i64);
            status = monitor::step(status, verdict(c), now).0;
            phase = step(phase, &status, t, now).0;
            phases.push(phase);
        }
        let text = phases
            .iter()
            .map(|p| match p {
                Phase::Inactive => 'i',
                Phase::Pending { .. } => 'p',
                Phase::Firing { .. } => 'F',
                Phase::Resolved { .. } => 'r',
            })
            .collect();
        (text, phases)
    }

    #[test]
    fn lives_of_an_alert() {
        #[track_caller]
        fn check(after: u32, clear_after: u32, script: &str, want: &str) {
            assert_eq!(run(script, thresholds(after, clear_after)).0, want, "{script}");
        }
        check(3, 2, "uuu", "iii");
        check(3, 2, "dddd", "ppFF");
        check(1, 1, "dud", "FrF");
        check(3, 2, "ddudd", "ppipp");
        check(3, 2, "ddduu", "ppFFr");
        check(2, 2, "ddududuu", "pFFFFFFr");
        check(2, 2, "dkd", "ppF");
        check(2, 2, "dduku", "pFFFr");
        check(2, 2, "ddgg", "pFFr");
        check(2, 1, "kkk", "iii");
        check(2, 1, "ddudd", "pFrpF");
        check(2, 1, "ddukk", "pFrrr");
    }

    #[test]
    fn an_episode_starts_with_its_first_failure() {
        let at = Timestamp::from_millis;
        let phases = run("udduudd", thresholds(2, 2)).1;
        assert_eq!(phases[2], Phase::Firing { starts_at: at(1), since: at(2) });
        assert_eq!(phases[4], Phase::Resolved { starts_at: at(1), ends_at: at(4) });
        assert_eq!(phases[6], Phase::Firing { starts_at: at(5), since: at(6) });
    }

    #[test]
    fn a_policy_change_while_firing_keeps_the_episode() {
        let firing = Phase::Firing { starts_at: Timestamp::EPOCH, since: Timestamp::EPOCH };
        let status = MonitorStatus { verdict: Some(Verdict::Down), failures: 3, ..MonitorStatus::default() };
        assert_eq!(step(firing, &status, thresholds(9, 9), Timestamp::from_millis(5)), (firing, None));
    }

    #[test]
    fn an_end_is_told_only_where_something_fired() {
        let at = Timestamp::from_millis;
        assert_eq!(end(Phase::Pending { since: at(1) }, Over::Removed, at(2)).1, Some(Transition::Cancelled));
        let (phase, what) = end(Phase::Firing { starts_at: at(1), since: at(1) }, Over::Removed, at(2));
        assert_eq!(what, Some(Transition::Resolved(Over::Removed)));
        assert_eq!(end(phase, Over::Removed, at(3)), (phase, None));
    }

    proptest! {
        #[test]
        fn never_from_inactive_to_firing_when_more_than_one_failure_is_asked_for(
            script in "[udgk]{0,60}", after in 2u32..6, clear_after in 1u32..4,
        ) {
            let mut before = 'i';
            for now in run(&script, thresholds(after, clear_after)).0.chars() {
                prop_assert!(now != 'F' || before == 'p' || before == 'F', "{before} → {now}");
                prop_assert!(now != 'r' || before == 'F' || before == 'r', "{before} → {now}");
                before = now;
            }
        }

        #[test]
        fn firing_means_enough_failures_and_no_clearing_run_since(
            script in "[udgk]{0,60}", after in 1u32..5, clear_after in 1u32..4,
        ) {
            // The reference: count over the judged results only.
            let (mut downs, mut ups, mut firing) = (0, 0, false);
            let got = run(&script, thresholds(after, clear_after)).0;
            for (c, phase) in script.chars().zip(got.chars()) {
                match c {
                    'd' => { downs += 1; ups = 0; firing |= downs >= after; }
                    'u' | 'g' => { ups += 1; downs = 0; firing &= ups < clear_after; }
                    _ => {}
                }
                prop_assert_eq!(phase == 'F', firing);
            }
        }
    }
}
