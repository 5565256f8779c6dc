//! A wall clock that does not believe in jumps, for decisions that delete.
//!
//! It follows the system's clock as long as that agrees with the time that has passed. When the system's clock
//! is ahead, as after a jump or after this program did not run, it catches up at no more than an hour per
//! hour. A clock that goes back is believed at once: that deletes nothing.

use std::time::Duration;

use crate::base::time::Timestamp;

/// How much a clock may be ahead of what is expected and still be believed.
const TOLERANCE: Duration = Duration::from_secs(600);

/// The time that is believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    believed: Timestamp,
    /// Reading of the monotonic clock at that time.
    at: Duration,
}

impl Guard {
    pub(crate) const fn new(believed: Timestamp, at: Duration) -> Self {
        Self { believed, at }
    }

    /// Takes a look at both clocks; returns the time to go by.
    pub(crate) fn observe(&mut self, wall: Timestamp, monotonic: Duration) -> Timestamp {
        let passed = monotonic.saturating_sub(self.at);
        let expected = self.believed.plus(passed);
        self.believed = if wall <= expected.plus(TOLERANCE) { wall } else { expected.plus(passed).min(wall) };
        self.at = monotonic;
        self.believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_jump_is_believed_an_hour_per_hour_and_forgotten_at_once() {
        let start = Timestamp::from_millis(1_763_900_000_000);
        let mut guard = Guard::new(start, Duration::ZERO);
        let mut mono = Duration::ZERO;
        // Slow observation is not a jump.
        mono += HOUR * 5;
        assert_eq!(guard.observe(start.plus(HOUR * 5), mono), start.plus(HOUR * 5));
        // A day ahead: believed time goes at most twice as fast.
        for step in 1..=10 {
            mono += HOUR / 10;
            let believed = guard.observe(start.plus(mono + HOUR * 24), mono);
            assert_eq!(believed, start.plus(mono + HOUR / 10 * step));
        }
        // And back.
        mono += HOUR / 10;
        assert_eq!(guard.observe(start.plus(mono), mono), start.plus(mono));
        // A day back.
        let back = start.plus(mono).minus(HOUR * 24);
        assert_eq!(guard.observe(back, mono), back);
    }

    #[test]
    fn what_is_far_ahead_is_reached_in_the_end() {
        let start = Timestamp::from_millis(0);
        let mut guard = Guard::new(start, Duration::ZERO);
        let mut mono = Duration::ZERO;
        for _ in 0..24 {
            mono += HOUR;
            guard.observe(start.plus(mono + HOUR * 24), mono);
        }
        assert_eq!(guard.observe(start.plus(mono + HOUR * 24), mono), start.plus(mono + HOUR * 24));
    }
}
