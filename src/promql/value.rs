//! What a query is asked with and what it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::base::labels::Labels;
use crate::promql::ast::Expr;
use crate::promql::source::{Resolution, SourceError};

/// A question: an expression and the times at which it is evaluated.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The checked tree.
    pub expr: &'a Expr,
    /// The text it came from, to which annotations point.
    pub text: &'a str,
    /// When.
    pub at: Times,
    /// How far an instant selector looks back, in milliseconds. Prometheus: 5 minutes.
    pub lookback: i64,
    /// Distance of the steps of a subquery that names none, in milliseconds. Prometheus: 1 minute.
    pub default_step: i64,
    /// The resolution to read, or the store's choice.
    pub resolution: Option<Resolution>,
    /// Keeps metric names until the end of the evaluation (Prometheus' `promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
}

/// The times of an evaluation, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Once.
    Instant(i64),
    /// At `start`, `start + step` … up to and including `end`. `step` is positive.
    Range {
        /// First step.
        start: i64,
        /// No step is later.
        end: i64,
        /// Distance.
        step: i64,
    },
}

/// What one query may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most samples held at one time, input and results together.
    pub max_samples: usize,
    /// Most series that one selector may return.
    pub max_series: usize,
    /// Most threads that evaluate.
    pub threads: usize,
    /// Set from outside when nobody waits for the answer any more, or time is up.
    pub cancel: Cancel,
}

/// Ends a query from outside. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends the query; it returns [`EvalError::Cancelled`] within a millisecond or so.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended.
    pub fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// What a person should know about it.
    pub notes: Notes,
    /// What it cost.
    pub stats: Stats,
}

/// The value of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number at a time.
    Scalar(i64, f64),
    /// A text at a time.
    String(i64, String),
    /// One sample per series, all of the query's time.
    Vector(Vec<VectorSample>),
    /// Samples per series.
    Matrix(Vec<Series>),
}

/// A series of an instant answer.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSample {
    /// Its labels.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub t: i64,
    /// The value.
    pub v: f64,
}

/// A series of a range answer; never without points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Times in milliseconds, and values.
    pub points: Vec<(i64, f64)>,
}

/// Prometheus' annotations: each text once, in order of appearance, with the place in the query as
/// `(line:column)` where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// The answer may be wrong: `PromQL warning: …`.
    pub warnings: Vec<String>,
    /// The query may not be what was meant: `PromQL info: …`.
    pub infos: Vec<String>,
}

/// What a query cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Samples that all steps looked at together (Prometheus' `totalQueryableSamples`).
    pub samples: u64,
    /// Most samples held at one time.
    pub peak_samples: u64,
    /// Series selected.
    pub series: u64,
    /// The coarsest resolution that was read.
    pub resolution: Option<Resolution>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// More samples than the limit.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// Nobody waits for it any more, or time was up.
    #[error("the query was cancelled")]
    Cancelled,
    /// The query cannot be evaluated on this data; Prometheus' words.
    #[error("{0}")]
    Execution(String),
    /// The store failed.
    #[error("the samples could not be read")]
    Source(#[source] SourceError),
}

impl From<SourceError> for EvalError {
    fn from(e: SourceError) -> Self {
        match e {
            SourceError::Cancelled => Self::Cancelled,
            SourceError::TooManySeries { .. } | SourceError::Store(_) => Self::Source(e),
        }
    }
}
