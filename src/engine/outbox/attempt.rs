//! One attempt: send, judge, record. Runs in a task of its own, so a notifier that blocks or panics
//! takes nobody with it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::{self, Instant};

use crate::alert::rule::Fingerprint;
use crate::base::clock::Clock;
use crate::base::failure::Chain;
use crate::base::message::DeliveryError;
use crate::base::notification::{self, Notification, Receipt};
use crate::base::term_safe::term_safe;
use crate::base::units::Exact;
use crate::config::model::Receiver;
use crate::engine::outbox::queue::{Item, Next};
use crate::engine::outbox::{DeliveryMetrics, Policy};
use crate::state::{After, Attempt, NewEvent, Owed, Recorded, StateDb};
use crate::wire::board::EventKind;

/// Alerts that the event of a delivery is filed under.
const EVENT_ALERTS: usize = 100;

/// Everything one attempt needs.
pub(crate) struct Delivery {
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) item: Item,
    pub(crate) policy: Policy,
    pub(crate) clock: Clock,
    pub(crate) db: StateDb,
    pub(crate) metrics: DeliveryMetrics,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) owed: Owed,
    pub(crate) attempt: Attempt,
    pub(crate) next: Next,
    /// `None` when it could not be recorded.
    pub(crate) recorded: Option<Recorded>,
}

impl Delivery {
    pub(crate) async fn run(self) -> Ended {
        let Self { receiver, item, policy, clock, db, metrics } = self;
        let Item { owed, expires, .. } = item;
        let said = &*owed.notification;
        // Without an answer the message is new rather than late.
        let previous = time::timeout(policy.record, db.remote(said.notifier.clone(), said.thread.clone())).await;
        let previous = previous.ok().and_then(Result::ok).flatten();
        let (at, start) = (clock.now(), Instant::now());
        let attempts = owed.attempts.saturating_add(1);
        let asked = notification::Delivery { notification: said, previous: previous.as_deref() };
        // Called inside the guarded future: a notifier may panic before it returns one.
        let send = AssertUnwindSafe(async { receiver.notifier.deliver(asked).await }).catch_unwind();
        let outcome = match time::timeout(policy.timeout, send).await {
            Ok(Ok(Ok(receipt))) => Ok(receipt),
            Ok(Ok(Err(e))) => Err(Failed::from_error(&e)),
            Ok(Err(_)) => Err(Failed::again("the notifier panicked".to_owned())),
            Err(_) => Err(Failed::again(format!("no answer within {}", Exact(policy.timeout)))),
        };
        let took = start.elapsed();
        let (after, next) = match &outcome {
            Ok(_) => (After::Delivered, Next::Done),
            Err(failed) if failed.permanent || Instant::now() >= expires => (After::Dead, Next::Dead),
            Err(failed) => {
                let wait = policy.backoff.delay(attempts).max(failed.after.unwrap_or_default());
                let wait = wait.min(policy.retry_after_cap);
                (After::Retry(clock.now().plus(wait)), Next::Retry(Instant::now() + wait))
            }
        };
        let (receipt, error) = match outcome {
            Ok(receipt) => (Some(receipt).filter(|r| *r != Receipt::default()), None),
            Err(failed) => (None, Some(failed.text)),
        };
        let word = match after {
            After::Delivered => "sent",
            After::Retry(_) => "failed",
            After::Dead => "dead",
        };
        metrics.count(&receiver.name, word, Some(took));
        if let Some(error) = &error {
            let error = term_safe(error);
            tracing::warn!(receiver = receiver.name, attempts, %error, given_up = word == "dead", "delivery failed");
        }
        let event = event(said, after, attempts, clock, error.as_deref());
        let attempt = Attempt { key: said.key.clone(), attempts, at, took: Some(took), receipt, after, error, event };
        let record = db.record(Arc::new([attempt.clone()]));
        let recorded = time::timeout(policy.record, record).await.ok().and_then(Result::ok);
        Ended { owed, attempt, next, recorded }
    }
}

struct Failed {
    permanent: bool,
    after: Option<std::time::Duration>,
    text: String,
}

impl Failed {
    fn again(text: String) -> Self {
        Self { permanent: false, after: None, text }
    }

    fn from_error(e: &DeliveryError) -> Self {
        let (permanent, after, cause) = match e {
            DeliveryError::Retry { after, err } => (false, *after, err),
            DeliveryError::Permanent(err) => (true, None, err),
        };
        Self { permanent, after, text: Chain(&**cause).to_string() }
    }
}

/// What a person is told: that it was delivered, or given up.
fn event(said: &Notification, after: After, attempts: u32, clock: Clock, error: Option<&str>) -> Option<NewEvent> {
    let common = said.common_labels();
    let name = common.get("alertname").unwrap_or("alert");
    let about = common.get("monitor").map(|m| format!(" of {m}")).unwrap_or_default();
    let mut detail = format!("{name}{about} {}", said.status().as_str());
    let what = match after {
        After::Retry(_) => return None,
        After::Delivered => "delivered",
        After::Dead => "dead",
    };
    if attempts > 1 {
        detail.push_str(&format!(", attempt {attempts}"));
    }
    if let Some(error) = error {
        detail.push_str(&format!(": {error}"));
    }
    let alerts = said.alerts.iter().take(EVENT_ALERTS).filter_map(|a| Fingerprint::parse(&a.fingerprint));
    Some(NewEvent::new(clock.now(), EventKind::Delivery, &said.notifier, what, detail).about(alerts))
}
