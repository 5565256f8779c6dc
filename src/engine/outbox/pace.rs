//! How fast one notifier may be sent to: its rate limit, and a circuit breaker. Pure; the caller owns the
//! clock.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::config::model::RateLimit;
use crate::task::backoff::Backoff;

/// Failures in a row, of whatever messages, after which the notifier is left alone for a while.
const BREAKS_AFTER: u32 = 5;

/// Limit and breaker of one notifier.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    rate: Option<RateLimit>,
    /// Starts of the attempts within the last `rate.per`, oldest first; at most `rate.messages`.
    started: VecDeque<Instant>,
    failures: u32,
    /// Nothing before.
    rests_until: Option<Instant>,
}

impl Pace {
    /// Takes over a limit; what was sent under the old one counts.
    pub(crate) fn limit(&mut self, rate: Option<RateLimit>) {
        self.rate = rate;
    }

    /// The earliest time for the next attempt, if that is not now.
    pub(crate) fn not_before(&self, now: Instant) -> Option<Instant> {
        let full = self.rate.and_then(|rate| {
            let held = self.started.len().checked_sub(rate.messages as usize)?;
            Some(*self.started.get(held)? + rate.per)
        });
        full.into_iter().chain(self.rests_until).max().filter(|at| *at > now)
    }

    /// An attempt begins.
    pub(crate) fn starts(&mut self, now: Instant) {
        let Some(rate) = self.rate else {
            self.started.clear();
            return;
        };
        while self.started.front().is_some_and(|at| *at + rate.per <= now) || self.started.len() > 10_000 {
            self.started.pop_front();
        }
        self.started.push_back(now);
    }

    /// The notifier answered, whether yes or no: it works.
    pub(crate) fn answered(&mut self) {
        self.failures = 0;
        self.rests_until = None;
    }

    /// It did not take a message that it may take later; `rest` as in [`Policy`](super::Policy).
    pub(crate) fn failed(&mut self, now: Instant, rest: Backoff) {
        self.failures = self.failures.saturating_add(1);
        if let Some(over) = self.failures.checked_sub(BREAKS_AFTER) {
            self.rests_until = Some(now + rest.delay(over + 1));
        }
    }

    /// It is replaced by one that may work.
    pub(crate) fn renewed(&mut self) {
        self.answered();
    }

    /// Whether it is left alone.
    pub(crate) fn open(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|at| at > now)
    }

    /// Whether its last attempts failed.
    pub(crate) const fn failing(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn no_span_of_the_limit_sees_more_messages_than_it_says() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.limit(Some(RateLimit { messages: 3, per: 60 * S }));
        let (mut at, mut sent) = (now, Vec::new());
        while sent.len() < 10 {
            at = pace.not_before(at).unwrap_or(at);
            pace.starts(at);
            sent.push(at);
            at += S;
        }
        for window in sent.windows(4) {
            assert!(window[3] - window[0] >= 60 * S, "{window:?}");
        }
        assert_eq!(sent[2] - now, 2 * S);
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_the_breaker_and_one_answer_closes_it() {
        let now = Instant::now();
        let rest = Backoff::new(5 * S, 60 * S);
        let mut pace = Pace::default();
        for _ in 0..4 {
            pace.failed(now, rest);
        }
        assert!(!pace.open(now) && pace.failing());
        pace.failed(now, rest);
        assert!(pace.open(now));
        let until = pace.not_before(now).unwrap();
        assert!(until <= now + 60 * S && !pace.open(until));
        pace.answered();
        assert_eq!(pace.not_before(now), None);
        assert!(!pace.failing());
    }
}
