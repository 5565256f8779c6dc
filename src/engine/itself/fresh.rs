//! A look at something of ours that many failures ask for at once: one looks, the others wait for what it sees.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{self, Instant};

/// Trouble that was seen this long before a probe failed explains it. That all was well then explains nothing.
const FRESH: Duration = Duration::from_secs(2);
/// Looks begin at least this far apart, however many probes fail.
pub(crate) const PACE: Duration = Duration::from_millis(500);

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// Held while somebody looks.
    seen: Mutex<Option<Seen>>,
    /// What the newest look found that has ended. Held while it is copied.
    known: std::sync::Mutex<Option<String>>,
}

#[derive(Debug)]
struct Seen {
    began: Instant,
    ended: Instant,
    trouble: Option<String>,
    /// The newest trouble, which may be over.
    last: Option<(Instant, String)>,
}

impl Look {
    /// The trouble, if a look that begins from now on finds some, or one shortly before has, or if some was found
    /// since `since`. Dropping the future leaves the next caller to look.
    pub(crate) async fn trouble<F: Future<Output = Option<String>>>(
        &self,
        since: Instant,
        look: impl FnOnce() -> F,
    ) -> Option<String> {
        let called = Instant::now();
        let mut seen = self.seen.lock().await;
        let tells = |s: &Seen| s.began >= called || (s.trouble.is_some() && s.ended + FRESH >= called);
        if !seen.as_ref().is_some_and(tells) {
            if let Some(before) = &*seen {
                time::sleep_until(before.began + PACE).await;
            }
            let began = Instant::now();
            let trouble = look().await;
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = trouble.clone();
            let ended = Instant::now();
            let before = seen.take().and_then(|s| s.last);
            let last = trouble.clone().map(|t| (ended, t)).or(before);
            *seen = Some(Seen { began, ended, trouble, last });
        }
        let seen = seen.as_ref()?;
        seen.trouble.clone().or_else(|| {
            let (_, text) = seen.last.as_ref().filter(|(at, _)| *at >= since)?;
            Some(text.clone())
        })
    }

    /// What the newest look found that has ended; one that goes on has found nothing yet.
    pub(crate) fn known(&self) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_failures_look_once_and_trouble_counts_for_those_that_ran_through_it() {
        let look = Look::default();
        let start = Instant::now();
        let looks = std::cell::Cell::new(0);
        let bad = || {
            looks.set(looks.get() + 1);
            async {
                time::sleep(Duration::from_secs(1)).await;
                Some("cut off".to_owned())
            }
        };
        let all = futures_util::future::join_all((0..100).map(|_| look.trouble(start, bad))).await;
        assert!(all.iter().all(|t| t.as_deref() == Some("cut off")));
        assert_eq!(looks.get(), 1);
        time::advance(Duration::from_secs(9)).await;
        let now = Instant::now();
        // It is over. A probe that began before the end of the trouble is excused; one that began after is not.
        assert!(look.trouble(start, || async { None }).await.is_some());
        assert!(look.trouble(now, || async { None }).await.is_none());
        assert_eq!(look.known(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn that_all_was_well_before_a_failure_says_nothing_about_it_and_looks_keep_their_distance() {
        let look = Look::default();
        let start = Instant::now();
        assert_eq!(look.trouble(start, || async { None }).await, None);
        time::advance(Duration::from_millis(1)).await;
        let found = look.trouble(Instant::now(), || async { Some("cut off".to_owned()) }).await;
        assert_eq!((found.as_deref(), start.elapsed()), (Some("cut off"), PACE));
        // That it was bad just now does.
        time::advance(FRESH).await;
        let since = Instant::now();
        assert!(look.trouble(since, || async { panic!("nobody need look") }).await.is_some());
        time::advance(Duration::from_millis(1)).await;
        assert_eq!(look.trouble(Instant::now(), || async { None }).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_is_known_while_the_next_look_goes_on() {
        let look = Look::default();
        look.trouble(Instant::now(), || async { Some("cut off".to_owned()) }).await;
        time::advance(FRESH * 2).await;
        let next = look.trouble(Instant::now(), std::future::pending);
        assert!(time::timeout(Duration::from_secs(60), next).await.is_err());
        let mut next = std::pin::pin!(look.trouble(Instant::now(), std::future::pending));
        assert!(futures_util::poll!(&mut next).is_pending());
        assert_eq!(look.known().as_deref(), Some("cut off"));
    }
}
