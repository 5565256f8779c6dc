//! What `/metrics` says about queries.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::query::QueryError;
use crate::promql::value::EvalError;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// PromQL at one time.
    Instant,
    /// PromQL over a range.
    Range,
    /// Series, label names, label values.
    Names,
    /// Remote read, federation.
    Read,
    /// Cardinality and deletion.
    Admin,
    /// Formatting and parsing, and selectors.
    Text,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Range => "range",
            Self::Names => "names",
            Self::Read => "read",
            Self::Admin => "admin",
            Self::Text => "text",
        }
    }
}

/// In seconds: from one series to a query that nobody should write.
const BUCKETS: [f64; 15] =
    [0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Measurements about queries; clones share them.
#[derive(Clone, Debug)]
pub struct QueryMetrics {
    took: Family<KindLabels, Histogram, fn() -> Histogram>,
    queue: Histogram,
    samples: Counter,
    active: Family<KindLabels, Gauge>,
    waiting: Gauge,
    failed: Family<ReasonLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// Counts one while it lives.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for QueryMetrics {
    fn default() -> Self {
        let took: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            took: Family::new_with_constructor(took),
            queue: took(),
            samples: Counter::default(),
            active: Family::default(),
            waiting: Gauge::default(),
            failed: Family::default(),
        }
    }
}

impl QueryMetrics {
    /// Adds `watchdog_query_*` to a registry whose prefix is `watchdog`.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry.sub_registry_with_prefix("query");
        let s = Unit::Seconds;
        r.register_with_unit("duration", "Queries, waiting included", s.clone(), self.took.clone());
        r.register_with_unit("queue_duration", "Waiting for a turn", s, self.queue.clone());
        r.register("samples", "Samples that queries looked at, over all steps", self.samples.clone());
        r.register("active", "Queries that are being evaluated", self.active.clone());
        r.register("waiting", "Queries that wait for a turn", self.waiting.clone());
        let help = "Queries without an answer: text, store, timeout, cancelled, too_much, execution, crashed";
        r.register("failed", help, self.failed.clone());
    }

    pub(super) fn samples(&self, n: u64) {
        self.samples.inc_by(n);
    }

    pub(super) fn queued(&self, took: Duration) {
        self.queue.observe(took.as_secs_f64());
    }

    pub(super) fn waiting(&self) -> Counted {
        self.waiting.inc();
        Counted(self.waiting.clone())
    }

    pub(super) fn running(&self, kind: Kind) -> Counted {
        let gauge = self.active.get_or_create(&KindLabels { kind: kind.word() }).clone();
        gauge.inc();
        Counted(gauge)
    }

    /// Queries of this kind that are being evaluated.
    pub fn active(&self, kind: Kind) -> i64 {
        self.active.get_or_create(&KindLabels { kind: kind.word() }).get()
    }

    /// Queries without an answer for this reason.
    pub fn failed(&self, reason: &'static str) -> u64 {
        self.failed.get_or_create(&ReasonLabels { reason }).get()
    }

    pub(super) fn abandoned(&self) {
        self.failed.get_or_create(&ReasonLabels { reason: "cancelled" }).inc();
    }

    pub(super) fn ended(&self, kind: Kind, took: Duration, error: Option<&QueryError>) {
        self.took.get_or_create(&KindLabels { kind: kind.word() }).observe(took.as_secs_f64());
        let reason = match error {
            None => return,
            Some(QueryError::Text(_) | QueryError::TooLong(_) | QueryError::NoRange(_)) => "text",
            Some(QueryError::Store(_) | QueryError::Evaluation(EvalError::Source(_))) => "store",
            Some(QueryError::Timeout(_)) => "timeout",
            Some(QueryError::Evaluation(EvalError::Cancelled)) => "cancelled",
            Some(QueryError::Evaluation(EvalError::TooManySamples)) => "too_much",
            Some(QueryError::Evaluation(EvalError::Execution(_))) => "execution",
            Some(QueryError::Crashed) => "crashed",
        };
        self.failed.get_or_create(&ReasonLabels { reason }).inc();
    }
}
