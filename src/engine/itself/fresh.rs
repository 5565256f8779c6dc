//! A look at something of ours that many failures ask for at once: one looks, the others wait for what it sees.

use tokio::sync::Mutex;
use tokio::time::Instant;

/// What was seen last. The lock is held while somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Look(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    began: Instant,
    trouble: Option<String>,
    /// The newest trouble, which may be over.
    last: Option<(Instant, String)>,
}

impl Look {
    /// The trouble, if a look that began at `not_before` or later finds some, or if some was found since `since`.
    /// Dropping the future leaves the next caller to look.
    pub(crate) async fn trouble<F: Future<Output = Option<String>>>(
        &self,
        since: Instant,
        not_before: Instant,
        look: impl FnOnce() -> F,
    ) -> Option<String> {
        let mut seen = self.0.lock().await;
        if seen.as_ref().is_none_or(|s| s.began < not_before) {
            let began = Instant::now();
            let trouble = look().await;
            let before = seen.take().and_then(|s| s.last);
            let last = trouble.clone().map(|t| (Instant::now(), t)).or(before);
            *seen = Some(Seen { began, trouble, last });
        }
        let seen = seen.as_ref()?;
        seen.trouble.clone().or_else(|| {
            let (_, text) = seen.last.as_ref().filter(|(at, _)| *at >= since)?;
            Some(text.clone())
        })
    }

    /// What the newest look found. `None` also while somebody looks.
    pub(crate) fn known(&self) -> Option<String> {
        self.0.try_lock().ok()?.as_ref()?.trouble.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time;

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
        let all = futures_util::future::join_all((0..100).map(|_| look.trouble(start, start, bad))).await;
        assert!(all.iter().all(|t| t.as_deref() == Some("cut off")));
        assert_eq!(looks.get(), 1);
        time::advance(Duration::from_secs(9)).await;
        let now = Instant::now();
        // It is over. A probe that began before the end of the trouble is excused; one that began after is not.
        assert!(look.trouble(start, now, || async { None }).await.is_some());
        assert!(look.trouble(now, now, || async { None }).await.is_none());
        assert_eq!(look.known(), None);
    }
}
