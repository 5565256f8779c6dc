//! How many probes of the last minute began late.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A probe that starts later than this tells that we are overloaded.
const LATE: Duration = Duration::from_secs(1);
/// What is looked back on.
const SECONDS: usize = 60;
/// One probe in so many is "many" …
pub(crate) const SHARE: u64 = 4;
/// … if there are at least so many.
pub(crate) const LEAST: u64 = 3;

/// Counts of the present second. Probes count without waiting for each other.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    started: AtomicU64,
    late: AtomicU64,
}

/// One second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Second {
    started: u64,
    late: u64,
}

impl Tally {
    pub(crate) fn started(&self, late: Duration) {
        self.started.fetch_add(1, Ordering::Relaxed);
        if late > LATE {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts so far, which begin anew.
    pub(crate) fn take(&self) -> Second {
        Second { started: self.started.swap(0, Ordering::Relaxed), late: self.late.swap(0, Ordering::Relaxed) }
    }
}

/// The last minute.
#[derive(Debug, Default)]
pub(crate) struct Minute(VecDeque<Second>);

impl Minute {
    /// Adds a second.
    pub(crate) fn push(&mut self, second: Second) {
        if self.0.len() == SECONDS {
            self.0.pop_front();
        }
        self.0.push_back(second);
    }

    /// That many probes begin late, in words.
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        let started: u64 = self.0.iter().map(|s| s.started).sum();
        let late: u64 = self.0.iter().map(|s| s.late).sum();
        (late >= LEAST && late * SHARE >= started).then_some("many probes begin more than a second late")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_late_probes_are_none_and_many_are_for_a_minute() {
        let (tally, mut minute) = (Tally::default(), Minute::default());
        (0..20).for_each(|_| tally.started(Duration::ZERO));
        (0..3).for_each(|_| tally.started(Duration::from_secs(2)));
        minute.push(tally.take());
        assert_eq!(minute.trouble(), None);
        (0..4).for_each(|_| tally.started(Duration::from_secs(2)));
        minute.push(tally.take());
        assert!(minute.trouble().is_some());
        (0..SECONDS).for_each(|_| minute.push(tally.take()));
        assert_eq!(minute.trouble(), None);
    }
}
