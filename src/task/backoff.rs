//! Exponential back-off with full jitter ("Exponential Backoff And Jitter", M. Brooker, AWS 2015).

use std::time::Duration;

/// Delays that double from `base` to `cap`; each is drawn uniformly from the upper half of its range.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
}

impl Backoff {
    /// A schedule whose first delay is at most `base` and whose last ones are at most `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// The delay before attempt `attempt + 1`, `attempt` counting from 1.
    ///
    /// Full jitter from zero would allow an immediate second try against a struggling receiver, so
    /// half of the range is kept ("equal jitter" in the same source).
    pub fn delay(&self, attempt: u32) -> Duration {
        let ceiling = self.base.saturating_mul(1 << attempt.saturating_sub(1).min(30)).min(self.cap);
        ceiling.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_never_vanish() {
        let b = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
        for attempt in 1..200 {
            let ceiling = Duration::from_secs(1u64 << (attempt - 1).min(9)).min(Duration::from_secs(300));
            let d = b.delay(attempt);
            assert!(d <= ceiling && d >= ceiling / 2, "attempt {attempt}: {d:?}");
        }
    }
}
