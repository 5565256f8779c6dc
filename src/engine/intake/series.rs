//! Which series are let in: the rules on labels, times and numbers that hold however samples come.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::base::labels::{LabelsBuf, METRIC_NAME};
use crate::base::time::Timestamp;
use crate::engine::intake::MAX_DECODED;
use crate::engine::intake::write::Decoded;
use crate::tsdb::Batch;

/// Longest encoded label set, in bytes.
pub(super) const MAX_LABELS: usize = 64 << 10;
/// Samples may be this far ahead of our clock. Generous on purpose: when it is our clock that is
/// wrong, refusing everybody's samples would make a second fault of the first.
const AHEAD_MS: i64 = 7 * 86_400_000;
/// A series counts against its job for one to two of these.
const GENERATION_MS: i64 = 3_600_000;
/// Jobs that are counted by themselves; further ones count as one, without a name.
const MOST_JOBS: usize = 10_000;

/// Why samples were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// No `__name__`.
    NoMetricName,
    /// A label without a name.
    EmptyLabelName,
    /// The same label twice.
    DuplicateLabel,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// A symbol that is not in the table, or a name without a value (remote write 2.0).
    BadSymbol,
    /// More label text than 64 KiB.
    TooLong,
    /// More than seven days ahead of our clock.
    InTheFuture,
    /// The job has as many series as it may have.
    JobLimit,
    /// The store has another value for that time.
    Duplicate,
    /// Older than the retention.
    TooOld,
    /// The store has as many series as it may have.
    SeriesLimit,
    /// The request has more samples than it may have.
    RequestLimit,
}

impl Refusal {
    /// A stable word, for metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoMetricName => "no_metric_name",
            Self::EmptyLabelName => "empty_label_name",
            Self::DuplicateLabel => "duplicate_label",
            Self::NotUtf8 => "not_utf8",
            Self::BadSymbol => "bad_symbol",
            Self::TooLong => "labels_too_long",
            Self::InTheFuture => "in_the_future",
            Self::JobLimit => "job_series_limit",
            Self::Duplicate => "duplicate_sample",
            Self::TooOld => "too_old",
            Self::SeriesLimit => "series_limit",
            Self::RequestLimit => "request_sample_limit",
        }
    }

    /// A sentence's end, for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoMetricName => "have no metric name",
            Self::EmptyLabelName => "have a label without a name",
            Self::DuplicateLabel => "have the same label twice",
            Self::NotUtf8 => "have labels that are not UTF-8",
            Self::BadSymbol => "refer to symbols that are not there",
            Self::TooLong => "have more than 64 KiB of labels",
            Self::InTheFuture => "are more than 7 days ahead of this server's clock",
            Self::JobLimit => "are of new series beyond their job's limit (`intake.max_series_per_job`)",
            Self::Duplicate => "have another value for a time that has one (duplicate sample for timestamp)",
            Self::TooOld => "are older than the retention (out of bounds)",
            Self::SeriesLimit => "are of new series beyond the limit (`storage.max_series`)",
            Self::RequestLimit => "are more than one request may have (`intake.max_samples_per_request`)",
        }
    }
}

/// The gate for one request.
#[derive(Debug)]
pub struct Admission<'a> {
    /// Latest time that is accepted, in milliseconds.
    latest: i64,
    /// Samples that are left of the request's share.
    left: usize,
    /// Locked for a moment per series: appends, and waits for the disk, lie between them.
    jobs: Option<&'a Mutex<Jobs>>,
}

impl<'a> Admission<'a> {
    /// A gate for a request that comes `now` and may have `samples`.
    pub fn new(now: Timestamp, samples: usize, jobs: Option<&'a Mutex<Jobs>>) -> Self {
        Self { latest: now.millis().saturating_add(AHEAD_MS), left: samples, jobs }
    }

    /// How many samples the request may still have.
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Adds the samples of a series, or counts why not. `labels` is as good as `done` says.
    pub fn add(
        &mut self,
        done: Result<(), Refusal>,
        labels: &LabelsBuf,
        samples: &[(i64, f64)],
        batch: &mut Batch,
        decoded: &mut Decoded,
    ) {
        // A few bytes that refer to a long text make a long label set.
        let room = MAX_DECODED.saturating_sub(batch.key_bytes());
        let fits = if labels.as_key().len() <= room { Ok(()) } else { Err(Refusal::RequestLimit) };
        if let Err(why) = done.and(fits).and_then(|()| self.series(labels, samples.len())) {
            decoded.refuse(why, samples.len());
            return;
        }
        let mut begun = false;
        for (t, v) in samples {
            if *t > self.latest {
                decoded.refuse(Refusal::InTheFuture, 1);
                continue;
            }
            if !std::mem::replace(&mut begun, true) {
                batch.series(labels);
            }
            batch.push(*t, *v);
        }
    }

    /// Whether a series may add `samples`.
    ///
    /// # Errors
    /// Why not.
    pub fn series(&mut self, labels: &LabelsBuf, samples: usize) -> Result<(), Refusal> {
        let key = labels.as_key();
        if key.len() > MAX_LABELS {
            return Err(Refusal::TooLong);
        }
        // Sorted: whatever follows the metric's name is not it.
        if labels.iter().map(|(name, _)| name).find(|name| *name >= METRIC_NAME) != Some(METRIC_NAME) {
            return Err(Refusal::NoMetricName);
        }
        self.left = self.left.checked_sub(samples).ok_or(Refusal::RequestLimit)?;
        match self.jobs {
            Some(jobs) => {
                let job = labels.iter().find(|(name, _)| *name == "job").map_or("", |(_, job)| job);
                let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
                jobs.admit(job, key).then_some(()).ok_or(Refusal::JobLimit)
            }
            None => Ok(()),
        }
    }
}

/// Counts the series of each job, by hash: eight bytes per series and generation.
#[derive(Debug)]
pub struct Jobs {
    limit: usize,
    hasher: ahash::RandomState,
    began: i64,
    by_job: HashMap<Box<str>, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    now: HashSet<u64>,
    before: HashSet<u64>,
}

impl Jobs {
    /// At most `limit` series per job.
    pub fn new(limit: usize) -> Self {
        Self { limit, hasher: ahash::RandomState::new(), began: 0, by_job: HashMap::new() }
    }

    /// Sets another limit and forgets what was not seen for an hour.
    pub fn prepare(&mut self, limit: usize, now: Timestamp) {
        self.limit = limit;
        let age = now.millis().saturating_sub(self.began);
        if !(0..GENERATION_MS).contains(&age) {
            self.began = now.millis();
            self.by_job.retain(|_, seen| {
                seen.before = std::mem::take(&mut seen.now);
                !seen.before.is_empty()
            });
        }
    }

    fn admit(&mut self, job: &str, key: &str) -> bool {
        let hash = self.hasher.hash_one(key);
        let full = self.by_job.len() >= MOST_JOBS && !self.by_job.contains_key(job);
        let job = if full { "" } else { job };
        let seen = match self.by_job.get_mut(job) {
            Some(seen) => seen,
            None => self.by_job.entry(job.into()).or_default(),
        };
        if seen.now.contains(&hash) {
            return true;
        }
        if seen.before.remove(&hash) || seen.now.len() + seen.before.len() < self.limit {
            seen.now.insert(hash);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_its_limit_and_others_have_theirs() {
        let mut jobs = Jobs::new(2);
        jobs.prepare(2, Timestamp::from_millis(GENERATION_MS * 10));
        assert!(jobs.admit("a", "1") && jobs.admit("a", "2") && jobs.admit("a", "1"));
        assert!(!jobs.admit("a", "3"));
        assert!(jobs.admit("b", "3"));
        jobs.prepare(2, Timestamp::from_millis(GENERATION_MS * 11));
        assert!(jobs.admit("a", "2"), "known since the hour before");
        assert!(!jobs.admit("a", "3"), "1 counts still");
        jobs.prepare(2, Timestamp::from_millis(GENERATION_MS * 12));
        assert!(jobs.admit("a", "3"), "1 was not seen for an hour");
        assert!(!jobs.admit("a", "4"));
    }

    #[test]
    fn jobs_without_end_count_as_one() {
        let mut jobs = Jobs::new(2);
        for n in 0..MOST_JOBS {
            assert!(jobs.admit(&n.to_string(), &n.to_string()));
        }
        assert!(jobs.admit("x", "1") && jobs.admit("y", "2") && !jobs.admit("z", "3"));
        assert!(jobs.admit("0", "another"));
        assert_eq!(jobs.by_job.len(), MOST_JOBS + 1);
    }
}
