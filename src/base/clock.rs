//! The only reader of the wall clock.
//!
//! Timers use tokio's monotonic clock; this one answers "what time is it" for stamps that people
//! and other programs read. A virtual clock follows tokio's time, so paused tests move it.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::time::Timestamp;

/// Where "now" comes from. Cheap to copy; hand it to whatever needs the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Source);

#[derive(Clone, Copy, Debug)]
enum Source {
    System,
    Virtual { origin: Instant, at: Timestamp },
}

impl Clock {
    /// The operating system's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that reads `at` now and advances with tokio's (possibly paused) time.
    pub fn starting_at(at: Timestamp) -> Self {
        Self(Source::Virtual { origin: Instant::now(), at })
    }

    /// The current time as finely as the system tells it, for protocols that compare clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn since_epoch(&self) -> Duration {
        match self.0 {
            Source::System => {
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO)
            }
            Source::Virtual { origin, at } => {
                Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0)) + origin.elapsed()
            }
        }
    }

    /// The current time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                Timestamp::EPOCH.plus(since.unwrap_or(Duration::ZERO))
            }
            Source::Virtual { origin, at } => at.plus(origin.elapsed()),
        }
    }
}
