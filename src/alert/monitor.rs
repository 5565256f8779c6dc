//! A monitor's state as a fold over the final results of its slots.
//!
//! Invariants: at most one of the two counters is above zero; `unknown` changes neither, because a
//! failure on our side says nothing about the target. A monitor above that is down clears both: see [`excused`].

use crate::base::outcome::Verdict;
use crate::base::time::Timestamp;

/// Where a monitor stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonitorStatus {
    /// The last result; `None` before the first.
    pub verdict: Option<Verdict>,
    /// Since when that verdict has held.
    pub since: Option<Timestamp>,
    /// Consecutive results that were down; `unknown` in between does not interrupt them.
    pub failures: u32,
    /// Consecutive results that were up or degraded.
    pub successes: u32,
    /// Time of the last result.
    pub last: Option<Timestamp>,
}

/// A monitor's verdict became another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Before; `None` for the first result.
    pub from: Option<Verdict>,
    /// Now.
    pub to: Verdict,
    /// When `from` began, where there was one.
    pub from_since: Option<Timestamp>,
}

/// Folds one result.
#[must_use]
pub fn step(status: MonitorStatus, verdict: Verdict, now: Timestamp) -> (MonitorStatus, Option<StateChange>) {
    let (failures, successes) = match verdict {
        Verdict::Down => (status.failures.saturating_add(1), 0),
        // Degraded is a state of its own, but a target that answers is not one to wake somebody for.
        Verdict::Up | Verdict::Degraded => (0, status.successes.saturating_add(1)),
        Verdict::Unknown => (status.failures, status.successes),
    };
    let changed = status.verdict != Some(verdict);
    let since = if changed { Some(now) } else { status.since };
    let next = MonitorStatus { verdict: Some(verdict), since, failures, successes, last: Some(now) };
    let change = changed.then_some(StateChange { from: status.verdict, to: verdict, from_since: status.since });
    (next, change)
}

/// Folds a result that says nothing because a monitor above is down. What was counted before is of no account any
/// more: it was the fault of the one above, and the target is judged anew once that one is back.
#[must_use]
pub fn excused(status: MonitorStatus, now: Timestamp) -> (MonitorStatus, Option<StateChange>) {
    step(MonitorStatus { failures: 0, successes: 0, ..status }, Verdict::Unknown, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `u`p, `d`own, de`g`raded, un`k`nown.
    fn fold(script: &str) -> (MonitorStatus, usize) {
        let mut status = MonitorStatus::default();
        let mut changes = 0;
        for (i, c) in script.chars().enumerate() {
            let verdict = match c {
                'u' => Verdict::Up,
                'd' => Verdict::Down,
                'g' => Verdict::Degraded,
                _ => Verdict::Unknown,
            };
            let (next, change) = step(status, verdict, Timestamp::from_millis(i as i64));
            status = next;
            changes += usize::from(change.is_some());
        }
        (status, changes)
    }

    #[test]
    fn counters_and_changes() {
        #[track_caller]
        fn check(script: &str, failures: u32, successes: u32, changes: usize, since: i64) {
            let (s, n) = fold(script);
            let want = (failures, successes, changes, Some(Timestamp::from_millis(since)));
            assert_eq!((s.failures, s.successes, n, s.since), want, "{script}");
            assert_eq!(s.last, Some(Timestamp::from_millis(script.len() as i64 - 1)), "{script}");
        }
        check("u", 0, 1, 1, 0);
        check("uuu", 0, 3, 1, 0);
        check("ddd", 3, 0, 1, 0);
        check("ddu", 0, 1, 2, 2);
        check("uugd", 1, 0, 3, 3);
        check("gg", 0, 2, 1, 0);
        check("ug", 0, 2, 2, 1);
        check("dkd", 2, 0, 3, 2);
        check("dkkk", 1, 0, 2, 1);
        check("kku", 0, 1, 2, 2);
    }
}
