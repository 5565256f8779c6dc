//! What `/metrics` says about deliveries.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Counters about deliveries; clones share them.
#[derive(Clone, Debug)]
pub struct DeliveryMetrics {
    attempts: Family<Outcome, Counter>,
    took: Family<To, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    receiver: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct To {
    receiver: String,
}

impl Default for DeliveryMetrics {
    fn default() -> Self {
        // From a local webhook to the attempt's deadline.
        let took = || Histogram::new([0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        Self { attempts: Family::default(), took: Family::new_with_constructor(took) }
    }
}

impl DeliveryMetrics {
    /// Adds `watchdog_notifications_total` and `watchdog_notification_duration_seconds` to a registry
    /// whose prefix is `watchdog`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "notifications",
            "Attempts to deliver a notification: sent, failed (to be tried again), dead (given up)",
            self.attempts.clone(),
        );
        registry.register_with_unit(
            "notification_duration",
            "Duration of an attempt to deliver a notification",
            Unit::Seconds,
            self.took.clone(),
        );
    }

    /// Attempts to `receiver` that ended so: `sent`, `failed` or `dead`.
    pub fn attempts(&self, receiver: &str, outcome: &'static str) -> u64 {
        self.attempts.get_or_create(&Outcome { receiver: receiver.to_owned(), outcome }).get()
    }

    pub(crate) fn count(&self, receiver: &str, outcome: &'static str, took: Option<Duration>) {
        self.attempts.get_or_create(&Outcome { receiver: receiver.to_owned(), outcome }).inc();
        if let Some(took) = took {
            self.took.get_or_create(&To { receiver: receiver.to_owned() }).observe(took.as_secs_f64());
        }
    }

    /// Forgets a receiver that no longer exists, so that its series end.
    pub(crate) fn forget(&self, receiver: &str) {
        for outcome in ["sent", "failed", "dead"] {
            self.attempts.remove(&Outcome { receiver: receiver.to_owned(), outcome });
        }
        self.took.remove(&To { receiver: receiver.to_owned() });
    }
}
