//! Where samples come from: the interface that evaluation needs and the store implements.

use std::error::Error;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::base::sample::Column;
use crate::promql::value::Cancel;

/// A store of series, seen at one moment.
pub trait Source: Send + Sync {
    /// The series that fulfil all matchers and may have samples in the asked time.
    ///
    /// # Errors
    /// The store could not be read, or a limit of the request was reached.
    fn select<'a>(&'a self, select: &Select<'_>) -> Result<Box<dyn SeriesSet + 'a>, SourceError>;
}

/// What is asked of a [`Source`].
#[derive(Clone, Debug)]
pub struct Select<'a> {
    /// Conditions on labels; all must hold.
    pub matchers: &'a [Matcher],
    /// First time asked for, in milliseconds, inclusive.
    pub start: i64,
    /// Last time asked for, inclusive.
    pub end: i64,
    /// Distance of the evaluation's steps in milliseconds; zero for a single step.
    pub step: i64,
    /// Length of the range function's window in milliseconds; zero for an instant selector.
    pub window: i64,
    /// What will be made of the samples, so that a roll-up can stand in for them.
    pub want: Want,
    /// The resolution to read, or the store's choice.
    pub resolution: Option<Resolution>,
    /// Most series to return; more is an error.
    pub max_series: usize,
    /// Ends the selection early, with an error, when nobody waits for it any more.
    pub cancel: Option<&'a Cancel>,
}

impl Select<'_> {
    /// Whether nobody waits for it any more. A source asks this at least once per few thousand series.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(Cancel::cancelled)
    }
}

/// What a range function makes of samples, and so which column of a roll-up stands in for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// The newest value; the default for whatever has no better column.
    Last,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The sum.
    Sum,
    /// How many.
    Count,
    /// Growth of a counter, resets accounted for: values form a counter that never falls.
    Increase,
}

/// Distance of the samples that a selection returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resolution {
    /// As written.
    Raw,
    /// One value per five minutes.
    FiveMinutes,
    /// One value per hour.
    Hour,
}

impl Resolution {
    /// Milliseconds between samples; zero for raw ones.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Raw => 0,
            Self::FiveMinutes => 300_000,
            Self::Hour => 3_600_000,
        }
    }

    /// `raw`, `5m`, `1h`
    pub const fn text(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
        }
    }
}

/// Selected series, sorted by labels, each once.
pub trait SeriesSet: Send + Sync {
    /// How many series.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Labels of a series.
    fn labels(&self, series: usize) -> Labels;

    /// The resolution of what [`Reader::read`] returns.
    fn resolution(&self) -> Resolution;

    /// What a person should know about the data: a damaged block that was skipped, for example.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Something that reads samples; one per thread. Fastest when series are read in rising order.
    fn reader<'a>(&'a self) -> Box<dyn Reader + 'a>;
}

/// Reads the samples of selected series.
pub trait Reader: Send {
    /// Replaces `out` with all samples of a series within the asked time, staleness markers included.
    ///
    /// With a resolution other than raw, the values are those of the asked [`Want`], each at the time of
    /// the last sample that went into it.
    ///
    /// # Errors
    /// The store could not be read.
    fn read(&mut self, series: usize, out: &mut Column) -> Result<(), SourceError>;
}

/// Why a selection or a read failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// More series than the request's limit.
    #[error("the query selects more than {limit} series")]
    TooManySeries {
        /// The limit.
        limit: usize,
    },
    /// Nobody waits for it any more, or time was up.
    #[error("the query was cancelled")]
    Cancelled,
    /// The store failed.
    #[error("the store could not be read")]
    Store(#[source] Box<dyn Error + Send + Sync>),
}
