//! What the series of monitors are, as their kinds say.
//!
//! Asked where a monitor has series that it did not have with its last result, and told to the store once for each
//! metric: a result like the one before costs nothing.

use std::collections::HashSet;

use crate::base::metadata::Meta;
use crate::collect::kinds;
use crate::wire::api::ProbeResult;

/// What is kept for a store that does not open: as many as it takes.
const MOST: usize = 100_000;

/// Descriptions that the store has, and those that it is still to be told.
#[derive(Debug, Default)]
pub(super) struct Described {
    hasher: ahash::RandomState,
    /// Hashes of the kinds and metrics that were looked up and found: as many as kinds describe.
    known: HashSet<u64>,
    /// What the store was not told yet.
    news: Vec<(String, Meta)>,
}

impl Described {
    /// Notes what the series of a result are that nothing was said of yet.
    pub(super) fn look(&mut self, kind: &str, result: &ProbeResult) {
        for sample in &result.samples {
            let hash = self.hasher.hash_one((kind, &*sample.name));
            if !self.known.contains(&hash)
                && let Some(metric) = kinds::metric(kind, &sample.name)
            {
                self.known.insert(hash);
                self.news.push((sample.name.to_string(), metric.meta()));
            }
        }
    }

    /// Adds what others say of theirs.
    pub(super) fn add(&mut self, told: Vec<(String, Meta)>) {
        let room = MOST.saturating_sub(self.news.len());
        self.news.extend(told.into_iter().take(room));
    }

    /// Takes out what the store was not told yet.
    pub(super) fn take(&mut self) -> Vec<(String, Meta)> {
        std::mem::take(&mut self.news)
    }
}
