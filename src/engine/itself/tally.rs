//! How many probes of the last minute could not be judged because of this machine, or began late.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::base::outcome::{Outcome, Reason};

/// A probe that starts later than this tells that we are overloaded.
const LATE: Duration = Duration::from_secs(1);
/// What is looked back on.
const SECONDS: usize = 60;
/// One probe in so many is "many" …
const SHARE: u64 = 4;
/// … if there are at least so many.
const LEAST: u64 = 3;
/// Causes that concern the machine. Others, like a program that one monitor may not run, concern the monitor.
const MACHINE: [&str; 8] = [
    "local_files",
    "local_memory",
    "local_network",
    "local_ports",
    "local_resolver",
    "local_route",
    "local_starved",
    "local_uplink",
];

/// Counts of the present second. Probes count without waiting for each other, but where they cannot be judged.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    ended: AtomicU64,
    late: AtomicU64,
    /// By class: how many, and what one of them said. Held for a look-up.
    ours: Mutex<BTreeMap<Cow<'static, str>, (u64, String)>>,
}

/// One second.
#[derive(Debug, Default)]
pub(crate) struct Second {
    ended: u64,
    late: u64,
    ours: BTreeMap<Cow<'static, str>, (u64, String)>,
}

impl Tally {
    pub(crate) fn started(&self, late: Duration) {
        if late > LATE {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn ended(&self, outcome: &Outcome) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        let Some(reason) = outcome.reason.as_ref().filter(|r| Reason::blames_us(r)) else { return };
        if !MACHINE.contains(&reason.class.as_ref()) {
            return;
        }
        if let Ok(mut ours) = self.ours.lock() {
            let (n, example) = ours.entry(reason.class.clone()).or_default();
            if example.is_empty() {
                example.clone_from(&reason.message);
            }
            *n += 1;
        }
    }

    /// The counts so far, which begin anew.
    pub(crate) fn take(&self) -> Second {
        Second {
            ended: self.ended.swap(0, Ordering::Relaxed),
            late: self.late.swap(0, Ordering::Relaxed),
            ours: self.ours.lock().map(|mut ours| std::mem::take(&mut *ours)).unwrap_or_default(),
        }
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

    /// What keeps many probes from being judged: its class, and one of them.
    pub(crate) fn trouble(&self) -> Option<(String, String)> {
        let ended: u64 = self.0.iter().map(|s| s.ended).sum();
        let many = |n: u64| n >= LEAST && n * SHARE >= ended;
        let ours: u64 = self.0.iter().flat_map(|s| s.ours.values()).map(|(n, _)| n).sum();
        if many(ours) {
            let mut by_class: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
            for (class, (n, example)) in self.0.iter().flat_map(|s| &s.ours) {
                let sum = by_class.entry(class).or_insert((0, example));
                sum.0 += n;
            }
            let (class, (_, example)) = by_class.into_iter().max_by_key(|(_, (n, _))| *n)?;
            return Some((class.to_owned(), format!("many probes could not be judged, for example: {example}")));
        }
        let late: u64 = self.0.iter().map(|s| s.late).sum();
        many(late)
            .then(|| ("late".to_owned(), "many probes begin more than a second late: it is overloaded".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_local_faults_are_none_and_many_are() {
        let (tally, mut minute) = (Tally::default(), Minute::default());
        let files = Outcome::unknown("local_files", "connecting to a: too many open files");
        let denied = Outcome::unknown("local_denied", "no");
        for _ in 0..20 {
            tally.ended(&Outcome::up(""));
            tally.ended(&denied);
        }
        (0..2).for_each(|_| tally.ended(&files));
        minute.push(tally.take());
        assert_eq!(minute.trouble(), None);
        (0..20).for_each(|_| tally.ended(&files));
        minute.push(tally.take());
        assert_eq!(minute.trouble().unwrap().0, "local_files");
        (0..SECONDS).for_each(|_| minute.push(tally.take()));
        assert_eq!(minute.trouble(), None);
        (0..4).for_each(|_| tally.started(Duration::from_secs(2)));
        minute.push(tally.take());
        assert_eq!(minute.trouble().unwrap().0, "late");
    }
}
