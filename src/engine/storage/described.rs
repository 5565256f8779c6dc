//! What the series of monitors are, as their kinds say.
//!
//! Looked up where a monitor has series that it did not have with its last result, and told to the store once for each
//! metric: a result like the one before costs nothing. What a kind says of a metric, no program and no target says
//! otherwise.

use std::collections::HashSet;

use crate::base::metadata::Meta;
use crate::collect::kinds;
use crate::wire::api::ProbeResult;

/// Bytes that are kept for a store that does not open.
const MOST: usize = 16 << 20;

/// Descriptions that the store has, and those that it is still to be told.
#[derive(Debug, Default)]
pub(super) struct Described {
    hasher: ahash::RandomState,
    /// Hashes of the metrics that kinds have described. A row with a `*` is as many as have been seen.
    known: HashSet<u64>,
    /// What the store was not told yet.
    news: Vec<(String, Meta)>,
    /// How many bytes that is.
    held: usize,
}

impl Described {
    /// Notes what the series of a result are that nothing was said of yet.
    pub(super) fn look(&mut self, kind: &str, result: &ProbeResult) {
        for sample in &result.samples {
            let hash = self.hasher.hash_one(&*sample.name);
            if !self.known.contains(&hash)
                && let Some(metric) = kinds::metric(kind, &sample.name)
            {
                self.known.insert(hash);
                self.push(sample.name.to_string(), metric.meta());
            }
        }
    }

    /// Whether more can be added. What is not taken stays with whoever has it.
    pub(super) fn has_room(&self) -> bool {
        self.held < MOST
    }

    /// Adds what others say of theirs.
    pub(super) fn add(&mut self, told: Vec<(String, Meta)>) {
        for (name, meta) in told {
            if self.has_room() && !self.known.contains(&self.hasher.hash_one(&*name)) {
                self.push(name, meta);
            }
        }
    }

    fn push(&mut self, name: String, meta: Meta) {
        self.held += name.len() + meta.help.len() + meta.unit.len() + size_of::<(String, Meta)>();
        self.news.push((name, meta));
    }

    /// Takes out what the store was not told yet.
    pub(super) fn take(&mut self) -> Vec<(String, Meta)> {
        self.held = 0;
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_store_is_bounded_in_bytes() {
        let mut described = Described::default();
        let one = |i: usize| (format!("m{i}"), Meta { help: "x".repeat(1 << 20), ..Meta::default() });
        described.add((0..20).map(one).collect());
        assert!(!described.has_room());
        assert_eq!(described.take().len(), 16);
        assert!(described.has_room());
    }
}
