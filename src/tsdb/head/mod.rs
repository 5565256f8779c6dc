//! What is in memory: series with their newest samples, and the index over their labels.
//!
//! One writer changes it, readers take a [`Snapshot`] of what they select: chunks shared, open buffers
//! copied. A flush raises the generation; each series then freezes what it has when it is next touched, so that
//! nothing stops the world.

pub(crate) mod open;
pub(crate) mod postings;
pub(crate) mod series;
pub(crate) mod table;

use std::sync::Arc;

use ahash::RandomState;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::promql::source::{Select, SourceError};
use crate::tsdb::head::postings::Postings;
use crate::tsdb::head::series::{Data, Series, Stored};
use crate::tsdb::head::table::Table;

/// A series whose place in the order of labels is not known yet.
const UNRANKED: u32 = u32::MAX;
/// The new slot of a series that leaves.
const GONE: u32 = u32::MAX;
/// So many series are looked at between two looks at whether anybody still waits.
const ASK: usize = 4_096;

/// Series by slot. Slots are given in rising order; when series leave, the others move up.
#[derive(Debug, Default)]
pub(crate) struct Head {
    hasher: RandomState,
    table: Table,
    series: Vec<Series>,
    postings: Postings,
    /// Place of each slot in the order of labels, as of the last sorting.
    rank: Vec<u32>,
    generation: u32,
    /// Samples taken in since the last flush began.
    pub(crate) fresh: u64,
    /// Newest time of a sample.
    pub(crate) newest: Option<i64>,
}

/// One selected series.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) labels: Labels,
    rank: u32,
    /// Written first.
    pub(crate) frozen: Option<Arc<Data>>,
    /// Written after.
    pub(crate) live: Data,
}

impl Head {
    /// The hash of an encoded label set.
    pub(crate) fn hash(&self, key: &str) -> u32 {
        // The upper half: the table takes the lower bits of this as the place.
        (self.hasher.hash_one(key) >> 32) as u32
    }

    /// Slot and number of a series.
    pub(crate) fn find(&self, hash: u32, key: &str) -> Option<(u32, u64)> {
        let mut id = 0;
        let slot = self.table.find(hash, |slot| {
            let series = &self.series[slot as usize];
            id = series.id;
            series.labels.as_key() == key
        });
        slot.map(|slot| (slot, id))
    }

    /// Slot and number of a series, if it is in this slot.
    pub(crate) fn check(&self, slot: u32, key: &str) -> Option<(u32, u64)> {
        self.get(slot).filter(|s| s.labels.as_key() == key).map(|s| (slot, s.id))
    }

    /// Adds a series that is not there.
    pub(crate) fn add(&mut self, labels: Labels, id: u64) -> u32 {
        let slot = self.add_unindexed(labels, id);
        self.postings.add(slot, &self.series[slot as usize].labels);
        slot
    }

    /// Adds a series that selections will not find until [`index`](Self::index).
    pub(crate) fn add_unindexed(&mut self, labels: Labels, id: u64) -> u32 {
        let hash = self.hash(labels.as_key());
        let slot = self.series.len() as u32;
        if self.series.len() == self.series.capacity() {
            // By an eighth, not by as much again: half of a large head would stand empty.
            self.series.reserve_exact((self.series.len() / 8).max(1_024));
        }
        self.series.push(Series::new(labels, id, self.generation));
        self.table.insert(hash, slot);
        slot
    }

    /// Replaces the index.
    pub(crate) fn index(&mut self, postings: Postings) {
        self.postings = postings;
    }

    /// How many series.
    pub(crate) const fn len(&self) -> usize {
        self.series.len()
    }

    /// Takes a sample in.
    pub(crate) fn push(&mut self, slot: u32, t: i64, v: f64) -> Stored {
        let Some(series) = self.series.get_mut(slot as usize) else {
            return Stored::Conflict;
        };
        self.fresh += 1;
        self.newest = self.newest.max(Some(t));
        series.push(t, v, self.generation)
    }

    /// Removes samples that are not being flushed from one time to another.
    pub(crate) fn delete(&mut self, slot: u32, from: i64, to: i64) {
        if let Some(series) = self.series.get_mut(slot as usize) {
            // Chunks in memory were made here and decode.
            let _ = series.delete(from, to);
        }
    }

    /// Slots of the series that fulfil all matchers.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        self.postings.select(matchers, || self.slots().collect(), |slot| self.get(slot).map(|s| &s.labels))
    }

    /// All slots, rising.
    pub(crate) const fn slots(&self) -> std::ops::Range<u32> {
        0..self.series.len() as u32
    }

    /// A series.
    pub(crate) fn get(&self, slot: u32) -> Option<&Series> {
        self.series.get(slot as usize)
    }

    /// The index.
    pub(crate) const fn postings(&self) -> &Postings {
        &self.postings
    }

    /// Label sets of the series of a [`snapshot`](Self::snapshot), with their places in the order of labels, without
    /// copying samples and without a limit: eight bytes, and a share of the labels, for each.
    ///
    /// # Errors
    /// It was cancelled.
    pub(crate) fn names(&self, select: &Select<'_>) -> Result<Vec<(u32, Labels)>, SourceError> {
        let mut found = Vec::new();
        for (n, slot) in self.select(select.matchers).into_iter().enumerate() {
            if n.is_multiple_of(ASK) && select.is_cancelled() {
                return Err(SourceError::Cancelled);
            }
            let Some(series) = self.get(slot) else { continue };
            let overlaps = |data: &Data| data.overlaps(select.start, select.end);
            if overlaps(&series.live) || series.frozen.as_deref().is_some_and(overlaps) {
                found.push((self.rank.get(slot as usize).copied().unwrap_or(UNRANKED), series.labels.clone()));
            }
        }
        Ok(found)
    }

    /// The series that fulfil all matchers and may have samples in the time.
    ///
    /// # Errors
    /// They are too many, or it was cancelled.
    pub(crate) fn snapshot(&self, select: &Select<'_>) -> Result<Vec<Seen>, SourceError> {
        let (start, end, limit) = (select.start, select.end, select.max_series);
        let mut seen = Vec::new();
        for (n, slot) in self.select(select.matchers).into_iter().enumerate() {
            if n.is_multiple_of(ASK) && select.is_cancelled() {
                return Err(SourceError::Cancelled);
            }
            let Some(series) = self.get(slot) else { continue };
            let frozen = series.frozen.as_ref().filter(|f| f.overlaps(start, end));
            if frozen.is_none() && !series.live.overlaps(start, end) {
                continue;
            }
            if seen.len() >= limit {
                return Err(SourceError::TooManySeries { limit });
            }
            seen.push(Seen {
                labels: series.labels.clone(),
                rank: self.rank.get(slot as usize).copied().unwrap_or(UNRANKED),
                frozen: frozen.map(Arc::clone),
                live: series.live.clone(),
            });
        }
        Ok(seen)
    }

    /// The place of a slot in the order of labels, if it is known.
    pub(crate) fn rank(&self, slot: u32) -> Option<u32> {
        self.rank.get(slot as usize).copied().filter(|r| *r != UNRANKED)
    }

    /// Takes the order of labels: all slots, sorted since series [left](Self::remove_idle) last.
    pub(crate) fn set_order(&mut self, sorted: &[u32]) {
        let mut rank = vec![UNRANKED; self.series.len()];
        for (place, slot) in sorted.iter().enumerate() {
            if let Some(rank) = rank.get_mut(*slot as usize) {
                *rank = place as u32;
            }
        }
        self.rank = rank;
    }

    /// Begins a flush: what is there now belongs to it.
    pub(crate) fn raise_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.fresh = 0;
    }

    /// Sets aside the samples of some slots that no append has touched since.
    pub(crate) fn freeze(&mut self, slots: std::ops::Range<usize>) {
        let generation = self.generation;
        let end = slots.end.min(self.series.len());
        for series in &mut self.series[slots.start.min(end)..end] {
            series.freeze(generation);
        }
    }

    /// Forgets what was set aside: it is in a block. The caller drops it outside of the lock.
    pub(crate) fn forget_frozen(&mut self, slots: std::ops::Range<usize>) -> Vec<Arc<Data>> {
        let end = slots.end.min(self.series.len());
        self.series[slots.start.min(end)..end].iter_mut().filter_map(Series::forget_frozen).collect()
    }

    /// Removes series that got no samples since the flush before the last, and gives the others the slots from zero on,
    /// in the same order: whoever keeps slots over this finds other series there. Returns how many are gone.
    pub(crate) fn remove_idle(&mut self) -> usize {
        let before = self.len();
        let gone = self.series.iter().filter(|s| s.may_leave()).count();
        // The index is walked once; a few series are not worth that.
        if gone == 0 || gone < 64 && gone * 4 < before {
            return 0;
        }
        let mut next = 0;
        let numbers: Vec<u32> = self
            .series
            .iter()
            .map(|series| {
                if series.may_leave() {
                    return GONE;
                }
                next += 1;
                next - 1
            })
            .collect();
        self.series.retain(|series| !series.may_leave());
        if self.series.capacity() > 2 * self.series.len() {
            self.series.shrink_to_fit();
        }
        // Series that came after the last sorting have no place.
        let mut slot = 0;
        self.rank.retain(|_| {
            slot += 1;
            numbers[slot - 1] != GONE
        });
        let number = |slot: u32| Some(numbers[slot as usize]).filter(|n| *n != GONE);
        self.table.renumber(self.series.len(), number);
        self.postings.renumber(number);
        gone
    }
}

/// Sorts a snapshot by labels.
pub(crate) fn sort(seen: &mut [Seen]) {
    sort_by(seen, |s| (s.rank, &s.labels));
}

/// Sorts names by labels.
pub(crate) fn sort_names(names: &mut [(u32, Labels)]) {
    sort_by(names, |(rank, labels)| (*rank, labels));
}

/// By the places that are known, else by the text, which is the same order.
fn sort_by<T>(all: &mut [T], key: impl Fn(&T) -> (u32, &Labels)) {
    if all.iter().all(|one| key(one).0 != UNRANKED) {
        all.sort_unstable_by_key(|one| key(one).0);
    } else {
        all.sort_by(|a, b| match (key(a), key(b)) {
            ((a, _), (b, _)) if a != UNRANKED && b != UNRANKED => a.cmp(&b),
            ((_, a), (_, b)) => a.cmp(b),
        });
    }
}
