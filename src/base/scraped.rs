//! What a probe brings home besides its outcome's own samples: series of other programs, and who they are of.
//!
//! A scrape of a thousand targets is a million samples, so they travel as batches that go into the store as they
//! are. Nobody between the collector and the store looks at them; nothing keeps them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::batch::Batch;
use crate::base::labels::Labels;
use crate::base::metadata::Meta;
use crate::base::time::Timestamp;

/// The series of one probe.
#[derive(Clone)]
pub struct Scraped {
    /// Samples as they are stored: labels complete, markers of series that ended included.
    pub batches: Vec<Batch>,
    /// Descriptions of metrics that are new or other than before.
    pub described: Vec<(String, Meta)>,
    /// The job that scrapes.
    pub job: Arc<dyn ScrapeJob>,
}

/// By what it is of and how much: a log must not grow by a million samples.
impl fmt::Debug for Scraped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraped").field("job", &self.job).field("samples", &self.len()).finish_non_exhaustive()
    }
}

/// Compared by its samples.
impl PartialEq for Scraped {
    fn eq(&self, other: &Self) -> bool {
        self.batches == other.batches
    }
}

impl Scraped {
    /// How many samples.
    pub fn len(&self) -> usize {
        self.batches.iter().map(Batch::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.batches.iter().all(Batch::is_empty)
    }
}

/// Whatever scrapes, between two probes.
pub trait ScrapeJob: Send + Sync + fmt::Debug {
    /// The encoded labels of every series that has not ended: whoever takes the job away ends them.
    fn live(&self, each: &mut dyn FnMut(&str));

    /// Its targets as they are now.
    fn targets(&self) -> Targets;
}

/// The targets of a job.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// The job's name.
    pub pool: String,
    /// Those that are scraped.
    pub active: Vec<Target>,
    /// Those that were found and dropped, by the labels they were found with; the first thousand or so.
    pub dropped: Vec<Labels>,
    /// How many were dropped.
    pub dropped_count: usize,
}

/// One target.
#[derive(Clone, Debug)]
pub struct Target {
    /// The labels it was found with.
    pub discovered: Labels,
    /// The labels of its series.
    pub labels: Labels,
    /// Where it is scraped; without credentials.
    pub url: String,
    /// Whether the last scrape worked; `None` before the first.
    pub healthy: Option<bool>,
    /// Why it did not.
    pub error: String,
    /// Start of the last scrape.
    pub last: Option<Timestamp>,
    /// How long that took.
    pub took: Duration,
    /// How often it is scraped; zero when at given times of day.
    pub interval: Duration,
    /// The limit of one scrape.
    pub timeout: Duration,
}
