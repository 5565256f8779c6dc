//! Whether the scheduler was there all the time: a machine that is suspended, a process that is stopped and a wall clock
//! that is set all look to those who wait for a report as if it had not come. Pure; the caller reads the clocks.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::time::Timestamp;

/// A wake that is late by this much means that nothing ran meanwhile. Also, differences of the clocks below this are the
/// usual correction.
const NOTICED: Duration = Duration::from_secs(2);

/// Both clocks, as last read, and when they were to be read again.
#[derive(Debug)]
pub(super) struct Attention {
    at: Instant,
    wall: Timestamp,
    awaited: Option<Instant>,
}

impl Attention {
    pub(super) const fn new(at: Instant, wall: Timestamp) -> Self {
        Self { at, wall, awaited: None }
    }

    /// It sleeps until then.
    pub(super) const fn awaits(&mut self, wake: Option<Instant>) {
        self.awaited = wake;
    }

    /// The time since the last look, if it was not there during it, or if the clock was set: it ends before it begins when
    /// that was backwards.
    pub(super) fn absence(&mut self, now: Instant, wall: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let expected = self.wall.plus(now.saturating_duration_since(self.at));
        let set = wall.since(expected).max(expected.since(wall)) >= NOTICED;
        let late = self.awaited.take().is_some_and(|at| now.saturating_duration_since(at) >= NOTICED);
        let before = std::mem::replace(&mut self.wall, wall);
        self.at = now;
        (set || late).then_some((before, wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stall_and_a_clock_that_is_set_are_absences_and_a_long_sleep_is_none() {
        let (start, s) = (Instant::now(), Duration::from_secs(1));
        let at = |secs: i64| Timestamp::from_millis(secs * 1_000);
        let mut attention = Attention::new(start, at(1_000));
        attention.awaits(Some(start + s * 300));
        assert_eq!(attention.absence(start + s * 300, at(1_300)), None);
        // Woken in between, and a little late.
        attention.awaits(Some(start + s * 400));
        assert_eq!(attention.absence(start + s * 350, at(1_350)), None);
        assert_eq!(attention.absence(start + s * 401, at(1_401)), None);
        attention.awaits(Some(start + s * 410));
        assert_eq!(attention.absence(start + s * 470, at(1_470)), Some((at(1_401), at(1_470))));
        // Suspended: the monotonic clock stands still.
        assert_eq!(attention.absence(start + s * 471, at(5_000)), Some((at(1_470), at(5_000))));
        assert_eq!(attention.absence(start + s * 472, at(2_000)), Some((at(5_000), at(2_000))));
        assert_eq!(attention.absence(start + s * 473, at(2_001)), None);
    }
}
