//! One thing that a screen asks the server for: the newest answer, why there is none, and when to ask again.

use std::time::Duration;

/// Pause between requests while the cursor runs through a list.
const SETTLE: Duration = Duration::from_millis(100);
/// Not more than one request for the same thing in this time.
const EVERY: Duration = Duration::from_secs(1);
/// What is on the screen is asked for anew after this, though nothing is known to have changed.
const REFRESH: Duration = Duration::from_secs(30);
/// Pause before a failed request is repeated.
const RETRY: Duration = Duration::from_secs(3);
/// A request that takes longer than this is spoken of.
const SLOW: Duration = Duration::from_millis(150);

/// Whether to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Now; it counts as asked.
    Now,
    /// Not before this, on the steady clock.
    At(Duration),
    /// There is a request under way.
    Asked,
}

/// What is asked for under a key.
#[derive(Clone, Debug)]
pub(crate) struct Fetch<K, T> {
    data: Option<(K, T)>,
    error: Option<(K, String)>,
    asked: Option<K>,
    asked_at: Option<Duration>,
    stamp: Option<u64>,
}

impl<K, T> Default for Fetch<K, T> {
    fn default() -> Self {
        Self { data: None, error: None, asked: None, asked_at: None, stamp: None }
    }
}

impl<K: Clone + PartialEq, T> Fetch<K, T> {
    /// The answer for `key`.
    pub(crate) fn get(&self, key: &K) -> Option<&T> {
        self.data.as_ref().filter(|(k, _)| k == key).map(|(_, data)| data)
    }

    /// Why there is no newer answer for `key`. Untrusted.
    pub(crate) fn error(&self, key: &K) -> Option<&str> {
        self.error.as_ref().filter(|(k, _)| k == key).map(|(_, error)| error.as_str())
    }

    /// Whether a request has been under way for so long that it should be spoken of.
    pub(crate) fn is_slow(&self, now: Duration) -> bool {
        self.asked.is_some() && self.asked_at.is_some_and(|at| now.saturating_sub(at) >= SLOW)
    }

    /// Whether to ask for `key`; `stamp` changes when the answer may have.
    pub(crate) fn due(&mut self, key: &K, stamp: u64, now: Duration) -> Due {
        if self.asked.is_some() {
            return Due::Asked;
        }
        let other = self.data.as_ref().is_none_or(|(k, _)| k != key);
        let pause = match (self.error(key).is_some(), other, self.stamp == Some(stamp)) {
            (true, ..) => RETRY,
            (false, true, _) => SETTLE,
            (false, false, false) => EVERY,
            (false, false, true) => REFRESH,
        };
        if let Some(at) = self.asked_at.map(|at| at + pause).filter(|at| *at > now) {
            return Due::At(at);
        }
        (self.asked, self.asked_at, self.stamp) = (Some(key.clone()), Some(now), Some(stamp));
        Due::Now
    }

    /// Takes in an answer.
    pub(crate) fn answer(&mut self, key: K, answer: Result<T, String>) {
        if self.asked.as_ref() == Some(&key) {
            self.asked = None;
        }
        match answer {
            Ok(data) => (self.data, self.error) = (Some((key, data)), None),
            Err(error) => self.error = Some((key, error)),
        }
    }

    /// Gives up what is under way; it is asked for again at once.
    pub(crate) fn renew(&mut self) {
        (self.asked, self.asked_at, self.stamp, self.error) = (None, None, None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_changed_thing_is_asked_for_once_a_second_and_an_unchanged_one_rarely() {
        let mut fetch = Fetch::<u8, u8>::default();
        assert_eq!(fetch.due(&1, 7, ms(0)), Due::Now);
        assert_eq!(fetch.due(&1, 8, ms(5)), Due::Asked);
        fetch.answer(1, Ok(10));
        assert_eq!(fetch.due(&1, 8, ms(10)), Due::At(EVERY));
        assert_eq!(fetch.due(&1, 8, ms(1_000)), Due::Now);
        fetch.answer(1, Ok(11));
        assert_eq!(fetch.due(&1, 8, ms(2_500)), Due::At(EVERY + REFRESH));
        assert_eq!(fetch.get(&1), Some(&11));
        assert_eq!(fetch.get(&2), None);
    }

    #[test]
    fn another_key_settles_first_and_an_error_waits() {
        let mut fetch = Fetch::<u8, u8>::default();
        assert_eq!(fetch.due(&1, 1, ms(0)), Due::Now);
        fetch.answer(1, Ok(10));
        assert_eq!(fetch.due(&2, 1, ms(10)), Due::At(SETTLE));
        assert_eq!(fetch.due(&2, 1, ms(100)), Due::Now);
        fetch.answer(2, Err("no".into()));
        assert_eq!(fetch.due(&2, 1, ms(200)), Due::At(ms(100) + RETRY));
        assert_eq!((fetch.error(&2), fetch.error(&1)), (Some("no"), None));
        fetch.renew();
        assert_eq!(fetch.due(&2, 1, ms(200)), Due::Now);
    }
}
