//! The owner of a group of tasks. `tokio::spawn` is banned elsewhere, so no task is ever detached.

use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time;
use tokio_util::sync::CancellationToken;

/// A group of tasks that are stopped together. Dropping it aborts them.
#[derive(Debug)]
pub struct Supervisor {
    cancel: CancellationToken,
    tasks: JoinSet<&'static str>,
}

impl Supervisor {
    /// A group that stops when `parent` does.
    pub fn new(parent: &CancellationToken) -> Self {
        Self { cancel: parent.child_token(), tasks: JoinSet::new() }
    }

    /// Starts a task. `name` is for logs; `start` gets the token to watch.
    pub fn add<F>(&mut self, name: &'static str, start: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work = start(self.cancel.child_token());
        self.tasks.spawn(async move {
            work.await;
            name
        });
    }

    /// How many tasks have not been reaped.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether the group has no tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits for the next task to end; `None` when there are none. Cancel-safe.
    pub async fn ended(&mut self) -> Option<Result<&'static str, JoinError>> {
        self.tasks.join_next().await
    }

    /// Drops the records of tasks that have ended, logging panics; call it from the loop that adds tasks.
    pub fn reap(&mut self) {
        while let Some(end) = self.tasks.try_join_next() {
            if let Err(e) = end
                && e.is_panic()
            {
                tracing::error!(error = %e, "a task panicked");
            }
        }
    }

    /// Cancels the group and waits up to `grace`; returns how many tasks had to be aborted.
    pub async fn stop(mut self, grace: Duration) -> usize {
        self.cancel.cancel();
        let drain = async { while self.tasks.join_next().await.is_some() {} };
        // Running out of grace is what the count below reports.
        let _ = time::timeout(grace, drain).await;
        let stuck = self.tasks.len();
        self.tasks.shutdown().await;
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_kills_only_what_ignores_cancel() {
        let mut group = Supervisor::new(&CancellationToken::new());
        group.add("polite", |stop| async move { stop.cancelled().await });
        group.add("stuck", |_| std::future::pending());
        assert_eq!(group.stop(Duration::from_secs(5)).await, 1);
    }
}
