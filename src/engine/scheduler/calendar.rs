//! When to wake for which slots: those that come due shortly after each other begin together.
//!
//! A map of the times of waking, each with its slots, and not a heap of slots: that is ten times smaller where it
//! matters, and to put a slot off touches the two ends of it instead of a path through all. Cost: O(log times) per slot.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::scheduler::entries::Place;

/// With this many slots a second …
const MANY: f64 = 200.0;
/// … those that come due within this time begin together. Waking for each alone, and for each answer, costs more than
/// the probe itself. They wait for each other when they are read: those that measure by that are kept apart.
const TOGETHER: Duration = Duration::from_millis(10);
/// The same of those whose times the kernel notes.
const TOGETHER_STAMPED: Duration = Duration::from_millis(25);

/// A slot to wake for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) place: Place,
    /// See [`Probe::stamped`](crate::config::catalog::Probe::stamped).
    pub(super) stamped: bool,
}

/// The slots to come.
#[derive(Debug)]
pub(super) struct Calendar {
    wakes: BTreeMap<Instant, Vec<Due>>,
    slots: usize,
    /// There are enough for some to begin together, …
    many: bool,
    /// … by a grid that begins here.
    began: Instant,
}

impl Calendar {
    /// Without any.
    pub(super) const fn new(now: Instant) -> Self {
        Self { wakes: BTreeMap::new(), slots: 0, many: false, began: now }
    }

    /// So many slots a second are to come from now on. Those that are there already keep their time.
    pub(super) fn set_rate(&mut self, per_second: f64) {
        self.many = per_second >= MANY;
    }

    pub(super) fn add(&mut self, due: Due) {
        self.wakes.entry(self.wake_for(due)).or_default().push(due);
        self.slots += 1;
    }

    /// When to wake next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.wakes.first_key_value().map(|(at, _)| *at)
    }

    /// Takes slots for which it is time to have woken, the earliest ones; nothing when there are none.
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<Due>> {
        let first = self.wakes.first_entry().filter(|first| *first.key() <= now)?;
        let due = first.remove();
        self.slots -= due.len();
        Some(due)
    }

    pub(super) const fn len(&self) -> usize {
        self.slots
    }

    /// Puts these in the place of all.
    pub(super) fn replace(&mut self, slots: impl Iterator<Item = Due>) {
        self.wakes.clear();
        self.slots = 0;
        slots.for_each(|due| self.add(due));
    }

    /// When to wake for a slot: when it is due, or with others shortly after.
    fn wake_for(&self, Due { at, stamped, .. }: Due) -> Instant {
        if !self.many {
            return at;
        }
        let step = if stamped { TOGETHER_STAMPED } else { TOGETHER }.as_nanos();
        let over = at.saturating_duration_since(self.began).as_nanos() % step;
        let wait = if over == 0 { 0 } else { step - over };
        at + Duration::from_nanos(u64::try_from(wait).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slots_begin_together_by_how_they_are_timed_and_only_where_they_are_many() {
        let began = Instant::now();
        let ms = Duration::from_millis;
        for (per_second, stamped, wakes) in [(199.0, true, 101), (200.0, false, 11), (200.0, true, 5)] {
            let mut calendar = Calendar::new(began);
            calendar.set_rate(per_second);
            for at in 0..=100 {
                calendar.add(Due { at: began + ms(at), place: Place::default(), stamped });
            }
            let mut seen = Vec::new();
            while let Some(wake) = calendar.next() {
                assert!(calendar.take(wake - ms(1)).is_none(), "too early");
                let due = calendar.take(wake).unwrap();
                assert!(due.iter().all(|due| due.at <= wake && wake - due.at < TOGETHER_STAMPED));
                seen.extend(due.iter().map(|due| due.at));
                assert_eq!(calendar.len(), 101 - seen.len());
            }
            assert!(seen.into_iter().eq((0..=100).map(|at| began + ms(at))));
            let mut calendar = Calendar::new(began);
            calendar.set_rate(per_second);
            calendar.replace((0..=100).map(|at| Due { at: began + ms(at), place: Place::default(), stamped }));
            assert_eq!((calendar.wakes.len(), calendar.len()), (wakes, 101), "{per_second} {stamped}");
        }
    }
}
