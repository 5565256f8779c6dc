//! One series in memory: an open buffer, sealed chunks, what came late, and what is being flushed.
//!
//! Of a time that was written more than once the first value stands, which readers see to. Writing looks for
//! it where that is cheap, so that what is sent again takes no room and a conflict is told.

use std::sync::Arc;

use crate::base::labels::Labels;
use crate::base::sample::Column;
use crate::tsdb::chunk::{self, Corrupt, Effort};
use crate::tsdb::head::open::Open;

/// Samples of the open buffer before it is compressed.
pub(crate) const SEAL: usize = 120;
const _: () = assert!(SEAL <= u8::MAX as usize, "`Series::frozen_open` counts less than this");
/// Late samples before they are compressed. They come unordered, so chunks of them overlap: few are better.
const SEAL_LATE: usize = 480;
/// A late sample that falls into more sealed late chunks than this is not looked for in them. Samples in no
/// order at all fall into every chunk: looking would take the square of their number, with all writers waiting.
const LATE_PROBES: usize = 8;
/// As many of the newest sealed late chunks are asked whether a late sample falls into them.
const LATE_CHUNKS: usize = 256;

/// A time in milliseconds and a value.
pub(crate) type Sample = (i64, f64);

/// Compressed samples.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) bytes: Arc<[u8]>,
}

impl Chunk {
    /// Compresses samples that rise and are not empty.
    fn of(samples: &[Sample]) -> Self {
        let (t, v): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
        let mut bytes = Vec::with_capacity(samples.len() * 4);
        chunk::encode(&t, &v, Effort::Fast, &mut bytes);
        let (min, max) = (t.first().copied().unwrap_or(i64::MAX), t.last().copied().unwrap_or(i64::MIN));
        Self { min, max, bytes: bytes.into() }
    }

    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.min <= end && self.max >= start
    }

    fn find(&self, t: i64) -> Option<f64> {
        let mut column = Column::default();
        // Chunks in memory were made here; one that does not decode holds nothing.
        chunk::decode(&self.bytes, &mut column).ok()?;
        column.t.binary_search(&t).ok().map(|i| column.v[i])
    }
}

/// Samples of one series, as a reader or a flush sees them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    /// In order of time, one after the other.
    pub(crate) sealed: Option<Arc<Vec<Chunk>>>,
    /// Later than all sealed ones. Remembers the newest sample in order also when it is empty.
    pub(crate) open: Open,
    /// What came after a later sample.
    pub(crate) late: Option<Box<Late>>,
}

/// Samples that came out of order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    /// In order of being sealed; they may overlap.
    pub(crate) sealed: Arc<Vec<Chunk>>,
    /// Sorted.
    pub(crate) recent: Vec<Sample>,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It is the newest.
    InOrder,
    /// It is older than the newest.
    Late,
    /// It was there.
    Same,
    /// Another value was there.
    Conflict,
}

/// A series.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    /// Its number in the logs.
    pub(crate) id: u64,
    /// The flush generation that `live` belongs to, but for what is frozen of it.
    generation: u32,
    pub(crate) live: Data,
    /// What the flush under way writes, where that is more than an open buffer.
    pub(crate) frozen: Option<Arc<Data>>,
    /// Else so many of the oldest samples of the open buffer are what it writes. They stay where they are: with a
    /// hundred thousand series, a place of their own for each would take more than the samples do.
    frozen_open: u8,
    /// Whether nothing came since the flush before.
    idle: bool,
    /// Whether the newest sample in order was deleted.
    deleted: bool,
}

impl Data {
    pub(crate) fn is_empty(&self) -> bool {
        self.sealed.is_none() && self.open.is_empty() && self.late.is_none()
    }

    /// Whether there may be a sample from `start` to `end`.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.open.overlaps(start, end)
            || self.sealed.as_ref().is_some_and(|s| s.iter().any(|c| c.overlaps(start, end)))
            || self
                .late
                .as_ref()
                .is_some_and(|l| overlaps(&l.recent, start, end) || l.sealed.iter().any(|c| c.overlaps(start, end)))
    }

    /// Compressed chunks, those in order first.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.sealed.iter().flat_map(|s| s.iter()).chain(self.late.iter().flat_map(|l| l.sealed.iter()))
    }

    /// Time of the newest sample.
    pub(crate) fn newest(&self) -> Option<i64> {
        let open = self.open.last();
        let late = self.late.as_ref().and_then(|l| l.recent.last()).map(|s| s.0);
        self.chunks().map(|c| c.max).max().max(open).max(late)
    }

    /// Time of the oldest sample.
    pub(crate) fn oldest(&self) -> Option<i64> {
        let open = self.open.first();
        let late = self.late.as_ref().and_then(|l| l.recent.first()).map(|s| s.0);
        [self.chunks().map(|c| c.min).min(), open, late].into_iter().flatten().min()
    }

    fn push(&mut self, t: i64, v: f64) {
        self.open.push(t, v);
        if self.open.len() >= SEAL {
            let chunk = Chunk::of(&self.open.drain());
            Arc::make_mut(self.sealed.get_or_insert_default()).push(chunk);
        }
    }

    /// The value at a time, if there is one and it is cheap to find.
    fn find(&self, t: i64) -> Option<f64> {
        if let Some(v) = self.open.find(t) {
            return Some(v);
        }
        if let Some(sealed) = &self.sealed
            && let Some(chunk) = sealed.get(sealed.partition_point(|c| c.max < t)).filter(|c| c.min <= t)
            && let Some(v) = chunk.find(t)
        {
            return Some(v);
        }
        let late = self.late.as_ref()?;
        if let Ok(i) = late.recent.binary_search_by_key(&t, |s| s.0) {
            return Some(late.recent[i].1);
        }
        let newest = &late.sealed[late.sealed.len().saturating_sub(LATE_CHUNKS)..];
        let around = || newest.iter().filter(|c| c.overlaps(t, t));
        match around().nth(LATE_PROBES) {
            Some(_) => None,
            None => around().find_map(|c| c.find(t)),
        }
    }

    fn push_late(&mut self, t: i64, v: f64) {
        let late = self.late.get_or_insert_default();
        match late.recent.last() {
            Some((last, _)) if *last > t => {
                let at = late.recent.partition_point(|s| s.0 < t);
                late.recent.insert(at, (t, v));
            }
            _ => late.recent.push((t, v)),
        }
        if late.recent.len() >= SEAL_LATE {
            let chunk = Chunk::of(&late.recent);
            Arc::make_mut(&mut late.sealed).push(chunk);
            late.recent.clear();
        }
    }

    /// Removes samples from one time to another.
    fn delete(&mut self, from: i64, to: i64) -> Result<(), Corrupt> {
        let outside = |s: &Sample| s.0 < from || s.0 > to;
        if let Some(sealed) = self.sealed.take() {
            let left = without(&sealed, from, to)?;
            self.sealed = (!left.is_empty()).then(|| Arc::new(left));
        }
        if self.open.overlaps(from, to) {
            let left: Vec<Sample> = self.open.drain().into_iter().filter(outside).collect();
            if !left.is_empty() {
                Arc::make_mut(self.sealed.get_or_insert_default()).push(Chunk::of(&left));
            }
        }
        if let Some(late) = &mut self.late {
            late.recent.retain(outside);
            late.sealed = Arc::new(without(&late.sealed, from, to)?);
            if late.recent.is_empty() && late.sealed.is_empty() {
                self.late = None;
            }
        }
        Ok(())
    }
}

fn overlaps(samples: &[Sample], start: i64, end: i64) -> bool {
    samples.first().is_some_and(|s| s.0 <= end) && samples.last().is_some_and(|s| s.0 >= start)
}

fn without(chunks: &[Chunk], from: i64, to: i64) -> Result<Vec<Chunk>, Corrupt> {
    let mut left = Vec::new();
    for chunk in chunks {
        if !chunk.overlaps(from, to) {
            left.push(chunk.clone());
            continue;
        }
        let mut column = Column::default();
        chunk::decode(&chunk.bytes, &mut column)?;
        let samples: Vec<Sample> = column.iter().filter(|(t, _)| *t < from || *t > to).collect();
        if !samples.is_empty() {
            left.push(Chunk::of(&samples));
        }
    }
    Ok(left)
}

impl Series {
    pub(crate) fn new(labels: Labels, id: u64, generation: u32) -> Self {
        Self {
            labels,
            id,
            generation,
            live: Data::default(),
            frozen: None,
            frozen_open: 0,
            idle: false,
            deleted: false,
        }
    }

    /// Takes a sample in.
    pub(crate) fn push(&mut self, t: i64, v: f64, generation: u32) -> Stored {
        if self.generation != generation {
            self.freeze(generation);
        }
        let last = self.live.open.newest();
        if t > last.0 {
            self.deleted = false;
            if self.live.open.len() + 1 >= SEAL {
                self.move_frozen();
            }
            self.live.push(t, v);
            return Stored::InOrder;
        }
        let known = if t == last.0 && !self.deleted { Some(last.1) } else { self.live.find(t) };
        match known {
            Some(old) if old.to_bits() == v.to_bits() => Stored::Same,
            Some(_) => Stored::Conflict,
            None => {
                self.live.push_late(t, v);
                Stored::Late
            }
        }
    }

    /// Sets aside what belongs to an earlier generation, for the flush of that.
    pub(crate) fn freeze(&mut self, generation: u32) {
        if self.generation == generation {
            return;
        }
        self.generation = generation;
        self.idle = self.live.is_empty();
        if self.idle {
            return;
        }
        if self.live.sealed.is_none() && self.live.late.is_none() {
            self.frozen_open = self.live.open.len() as u8;
            return;
        }
        let mut newest = self.live.open.newest();
        // A clock that ran ahead must not make everything after it late for ever: when nothing but late
        // samples came since the last flush, the line moves back to the newest of them.
        if self.live.open.is_empty()
            && self.live.sealed.is_none()
            && let Some(late) = &self.live.late
        {
            let last = late.sealed.iter().map(|c| c.max).chain(late.recent.last().map(|s| s.0)).max();
            if let Some(t) = last {
                let value = self.live.find(t);
                // Where its value is not known, what comes for that time is late, too.
                self.deleted = value.is_none();
                newest = (t, value.unwrap_or(0.0));
            }
        }
        let next = Data { open: Open::after(newest), ..Data::default() };
        self.frozen = Some(Arc::new(std::mem::replace(&mut self.live, next)));
    }

    /// What the flush under way writes.
    pub(crate) fn frozen_data(&self) -> Option<Arc<Data>> {
        let oldest = || Arc::new(Data { open: self.live.open.oldest(self.frozen_open.into()), ..Data::default() });
        self.frozen.clone().or_else(|| (self.frozen_open > 0).then(oldest))
    }

    /// Time of the newest sample of that.
    pub(crate) fn newest_frozen(&self) -> Option<i64> {
        match &self.frozen {
            Some(frozen) => frozen.newest(),
            None => self.live.open.last_of(self.frozen_open.into()),
        }
    }

    /// Forgets what was frozen; the caller drops it outside of the lock.
    pub(crate) fn forget_frozen(&mut self) -> Option<Arc<Data>> {
        if self.frozen_open > 0 {
            self.live.open.forget(self.frozen_open.into());
            self.frozen_open = 0;
        }
        self.frozen.take()
    }

    /// Gives what is frozen a place of its own: the buffer that it is in is about to change.
    fn move_frozen(&mut self) {
        if self.frozen_open > 0 {
            self.frozen = self.frozen_data();
            self.live.open.forget(self.frozen_open.into());
            self.frozen_open = 0;
        }
    }

    /// Whether it may leave memory: all is flushed, and nothing came for a whole flush.
    pub(crate) fn may_leave(&self) -> bool {
        self.idle && self.frozen.is_none() && self.live.is_empty()
    }

    /// Removes samples from one time to another that are not being flushed.
    ///
    /// # Errors
    /// A chunk does not decode.
    pub(crate) fn delete(&mut self, from: i64, to: i64) -> Result<(), Corrupt> {
        // Deletions wait for the end of a flush; if one did not, what is frozen would still stay.
        self.move_frozen();
        self.live.delete(from, to)?;
        self.deleted |= (from..=to).contains(&self.live.open.newest().0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::merge::{Merge, read_data};

    #[test]
    fn samples_in_no_order_are_read_once_each_with_the_first_value() {
        let mut series = Series::new(Labels::default(), 1, 0);
        series.push(1_000_000, 0.0, 0);
        let mut expected = std::collections::BTreeMap::from([(1_000_000, 0.0)]);
        let mut told = 0;
        // A stride that is coprime to the range: each time once, all over the place; then each once more.
        for n in 0..40_000 {
            let (t, v) = (n * 7_919 % 20_000, n as f64);
            let stored = series.push(t, v, 0);
            told += usize::from(stored == Stored::Conflict);
            expected.entry(t).or_insert(v);
        }
        // What fell into many chunks was not looked for there.
        assert!(told < 20_000);
        let (mut merge, mut column) = (Merge::default(), Column::default());
        read_data(&series.live, i64::MIN, i64::MAX, &mut merge, &mut column).unwrap();
        merge.finish(&mut column, i64::MIN, i64::MAX);
        assert!(column.iter().eq(expected));
    }

    #[test]
    fn what_is_sent_again_is_told_where_it_is_cheap_to_find() {
        let mut series = Series::new(Labels::default(), 1, 0);
        let in_order: Vec<i64> = (0..1_000).map(|n| 100_000 + n * 10).collect();
        let late: Vec<i64> = (0..2_000).collect();
        for t in in_order.iter().chain(&late) {
            series.push(*t, 1.0, 0);
        }
        for t in in_order.iter().chain(&late) {
            assert_eq!(series.push(*t, 1.0, 0), Stored::Same, "{t}");
            assert_eq!(series.push(*t, 2.0, 0), Stored::Conflict, "{t}");
        }
        assert_eq!(series.push(100_005, 2.0, 0), Stored::Late);
    }

    fn read(data: &[&Data]) -> Vec<Sample> {
        let (mut merge, mut column) = (Merge::default(), Column::default());
        data.iter().for_each(|data| read_data(data, i64::MIN, i64::MAX, &mut merge, &mut column).unwrap());
        merge.finish(&mut column, i64::MIN, i64::MAX);
        column.iter().collect()
    }

    #[test]
    fn what_is_frozen_stays_what_it_was_whatever_comes_meanwhile() {
        let sample = |n: usize| (n as i64 * 10, n as f64);
        let late = (5, 0.5);
        for before in [1, 2, 60, SEAL - 1, SEAL, SEAL + 60] {
            for after in [0, 1, 60, SEAL - 1, SEAL, 3 * SEAL] {
                for late_comes in ["never", "before", "after"] {
                    let mut series = Series::new(Labels::default(), 1, 0);
                    let mut old: Vec<Sample> = (1..=before).map(sample).collect();
                    let mut new: Vec<Sample> = (1 + before..=before + after).map(sample).collect();
                    for (t, v) in &old {
                        assert_eq!(series.push(*t, *v, 0), Stored::InOrder);
                    }
                    if late_comes == "before" {
                        series.push(late.0, late.1, 0);
                        old.insert(0, late);
                    }
                    // The first of the next generation freezes by itself.
                    if after == 0 {
                        series.freeze(1);
                    }
                    let frozen = |series: &Series| read(&[&series.frozen_data().unwrap_or_default()]);
                    for (t, v) in &new {
                        assert_eq!(series.push(*t, *v, 1), Stored::InOrder);
                        assert_eq!(frozen(&series), old);
                    }
                    let newest = sample(before + after);
                    assert_eq!(series.push(newest.0, newest.1, 1), Stored::Same);
                    assert_eq!(series.push(newest.0, -1.0, 1), Stored::Conflict);
                    if late_comes == "after" {
                        assert_eq!(series.push(late.0, late.1, 1), Stored::Late);
                        new.insert(0, late);
                    }
                    assert_eq!((frozen(&series), series.newest_frozen()), (old.clone(), old.last().map(|s| s.0)));
                    let mut all = [old.clone(), new.clone()].concat();
                    all.sort_by_key(|s| s.0);
                    assert_eq!(read(&[series.frozen.as_deref().unwrap_or(&Data::default()), &series.live]), all);
                    series.forget_frozen();
                    assert_eq!((frozen(&series), read(&[&series.live])), (Vec::new(), new.clone()));
                    assert_eq!(series.push(newest.0, newest.1, 1), Stored::Same);
                    series.freeze(2);
                    assert_eq!(frozen(&series), new);
                }
            }
        }
    }

    #[test]
    fn what_is_frozen_is_not_deleted() {
        let mut series = Series::new(Labels::default(), 1, 0);
        for t in 1..=21 {
            assert_eq!(series.push(t, 1.0, u32::from(t > 20)), Stored::InOrder);
        }
        series.delete(0, 100).unwrap();
        let left: Vec<Sample> = (1..=20).map(|t| (t, 1.0)).collect();
        assert_eq!(read(&[&series.frozen_data().unwrap_or_default()]), left);
        assert!(series.live.is_empty());
    }
}
