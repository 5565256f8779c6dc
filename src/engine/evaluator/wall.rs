//! Whether the wall clock was set. Pure; the caller reads the clocks.
//!
//! Waits and intervals follow the monotonic clock: a wall clock that is set must neither hold pages back
//! nor make every timer go off at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::time::Timestamp;

/// Differences below this are the usual correction of a clock.
const SLEW: Duration = Duration::from_secs(1);
/// Clocks that were read further apart than this, on a machine that was busy, say nothing.
const APART: Duration = Duration::from_millis(200);

/// Both clocks, as last read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall {
    wall: Timestamp,
    at: Instant,
}

impl Wall {
    pub(crate) const fn new(wall: Timestamp, at: Instant) -> Self {
        Self { wall, at }
    }

    /// By how many milliseconds the wall clock is ahead of what it would show had nobody set it, when that
    /// is news. `before` and `after` are the monotonic clock around the reading of `wall`.
    pub(crate) fn jumped(&mut self, before: Instant, wall: Timestamp, after: Instant) -> Option<i64> {
        if after.saturating_duration_since(before) > APART {
            return None;
        }
        let expected = self.wall.plus(before.saturating_duration_since(self.at));
        *self = Self { wall, at: before };
        let by = wall.millis().saturating_sub(expected.millis());
        (u128::from(by.unsigned_abs()) >= SLEW.as_millis()).then_some(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_noticed_once_and_one_that_is_corrected_is_not() {
        let (start, s) = (Instant::now(), Duration::from_secs(1));
        let at = |secs: i64| Timestamp::from_millis(secs * 1_000);
        let mut wall = Wall::new(at(1_000), start);
        let mut read = |mono: u32, shown: i64| wall.jumped(start + s * mono, at(shown), start + s * mono);
        assert_eq!(read(10, 1_010), None);
        assert_eq!(read(20, 4_620), Some(3_600_000));
        assert_eq!(read(30, 4_630), None);
        assert_eq!(read(40, 1_040), Some(-3_600_000));
        let late = start + s * 50;
        let corrected = at(1_050).plus(Duration::from_millis(900));
        assert_eq!(wall.jumped(late, corrected, late), None);
        // The process was stopped between the readings: the next ones tell.
        let much_later = start + s * 90;
        assert_eq!(wall.jumped(late, at(1_090), much_later), None);
        assert_eq!(wall.jumped(much_later, at(1_090), much_later), None);
    }
}
