//! Timers that may not be set.

use tokio::time::{Instant, sleep_until};

/// Waits until `when`, for ever if there is no such time: one arm of a `select!`. Cancel-safe.
pub async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}
