//! Reading: what memory and blocks know of each series, as one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::labels::Labels;
use crate::base::sample::Column;
use crate::promql::source::{Reader, Resolution, Select, SeriesSet, Source, SourceError, Want};
use crate::tsdb::block::{Block, BlockReader, Damage, SeriesId};
use crate::tsdb::chunk;
use crate::tsdb::db::{Shared, Tsdb};
use crate::tsdb::head::{self, Seen, series::Data};

/// Samples of one series from several places, each rising, made one.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    /// Where the samples of each place end in the column.
    ends: Vec<usize>,
    sorted: Vec<(i64, f64)>,
}

impl Merge {
    /// Begins a series.
    pub(crate) fn begin(&mut self) {
        self.ends.clear();
    }

    /// Notes that all in `out` after what was there at the last call came from one place. Places come in the
    /// order in which their samples were written.
    pub(crate) fn part(&mut self, out: &Column) {
        if self.ends.last() != Some(&out.len()) && !out.is_empty() {
            self.ends.push(out.len());
        }
    }

    /// Makes `out` rise, each time once with the value written first, and within the time.
    pub(crate) fn finish(&mut self, out: &mut Column, start: i64, end: i64) {
        let rising = self.ends.iter().all(|at| *at >= out.len() || *at == 0 || out.t[*at - 1] < out.t[*at]);
        if !rising {
            self.sorted.clear();
            self.sorted.extend(out.iter());
            // Stable, so that of equal times the first written stays first; fast, because it is made of runs.
            self.sorted.sort_by_key(|s| s.0);
            self.sorted.dedup_by_key(|s| s.0);
            out.clear();
            self.sorted.iter().for_each(|(t, v)| out.push(*t, *v));
        }
        let to = out.t.partition_point(|t| *t <= end);
        out.t.truncate(to);
        out.v.truncate(to);
        let from = out.t.partition_point(|t| *t < start);
        if from > 0 {
            out.t.drain(..from);
            out.v.drain(..from);
        }
    }
}

/// Adds what a part of memory holds of a time.
pub(crate) fn read_data(
    data: &Data,
    start: i64,
    end: i64,
    merge: &mut Merge,
    out: &mut Column,
) -> Result<(), SourceError> {
    let chunks = |chunks: &[head::series::Chunk], out: &mut Column, merge: &mut Merge| {
        for chunk in chunks.iter().filter(|c| c.overlaps(start, end)) {
            chunk::decode(&chunk.bytes, out).map_err(|e| SourceError::Store(Box::new(e)))?;
            merge.part(out);
        }
        Ok(())
    };
    if let Some(sealed) = &data.sealed {
        chunks(sealed, out, merge)?;
    }
    raw(&data.open, start, end, out);
    merge.part(out);
    if let Some(late) = &data.late {
        chunks(&late.sealed, out, merge)?;
        raw(&late.recent, start, end, out);
        merge.part(out);
    }
    Ok(())
}

fn raw(samples: &[(i64, f64)], start: i64, end: i64, out: &mut Column) {
    let to = samples.partition_point(|s| s.0 <= end);
    let from = samples[..to].partition_point(|s| s.0 < start);
    samples[from..to].iter().for_each(|(t, v)| out.push(*t, *v));
}

/// Selected series: what memory and each block know of them.
struct Selected {
    series: Vec<Entry>,
    /// Parts of all series, those of one together, in the order in which they were written.
    parts: Vec<Part>,
    seen: Vec<Seen>,
    blocks: Vec<Arc<Block>>,
    start: i64,
    end: i64,
    /// Found when selecting and when reading.
    damage: Mutex<Damage>,
    lost: Vec<String>,
}

struct Entry {
    labels: Labels,
    /// Where its parts end; they begin where those of the series before end.
    end: u32,
}

#[derive(Clone, Copy)]
enum Part {
    Block { block: u32, series: SeriesId },
    Memory(u32),
}

impl Source for Tsdb {
    fn select<'a>(&'a self, select: &Select<'_>) -> Result<Box<dyn SeriesSet + 'a>, SourceError> {
        self.shared().select(select).map(|set| Box::new(set) as Box<dyn SeriesSet>)
    }
}

impl Shared {
    fn select(&self, select: &Select<'_>) -> Result<Selected, SourceError> {
        let (start, end, limit) = (select.start, select.end, select.max_series);
        // Memory first, then the catalogue: whatever a flush moves in between is then seen twice, not never.
        let seen = self.head().snapshot(select.matchers, start, end, limit);
        let catalog = self.catalog();
        let mut seen = seen.ok_or(SourceError::TooManySeries { limit })?;
        head::sort(&mut seen);
        let mut damage = Damage::default();
        let blocks: Vec<Arc<Block>> =
            catalog.of(Resolution::Raw).filter(|b| b.overlaps(start, end)).map(Arc::clone).collect();
        let mut lists = Vec::with_capacity(blocks.len() + 1);
        for (i, block) in blocks.iter().enumerate() {
            let found = block.select(select.matchers, start, end, &mut damage);
            let part = |series| Part::Block { block: i as u32, series };
            lists.push(found.into_iter().map(|(labels, series)| (labels, part(series))).collect::<Vec<_>>());
        }
        lists.push(seen.iter().enumerate().map(|(i, s)| (s.labels.clone(), Part::Memory(i as u32))).collect());
        let (series, parts) = join(lists, limit).ok_or(SourceError::TooManySeries { limit })?;
        let lost = catalog.lost.clone();
        Ok(Selected { series, parts, seen, blocks, start, end, damage: Mutex::new(damage), lost })
    }
}

/// Joins sorted lists of series into one; no more than `most`.
fn join(lists: Vec<Vec<(Labels, Part)>>, most: usize) -> Option<(Vec<Entry>, Vec<Part>)> {
    let mut parts = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    let mut series: Vec<Entry> = Vec::with_capacity(lists.iter().map(Vec::len).max().unwrap_or(0));
    let mut lists: Vec<_> = lists.into_iter().filter(|l| !l.is_empty()).map(Vec::into_iter).collect();
    if let [only] = lists.as_mut_slice() {
        for (labels, part) in only {
            parts.push(part);
            series.push(Entry { labels, end: parts.len() as u32 });
        }
    } else {
        // Of equal labels the one of the list written first comes first.
        let mut heads = BinaryHeap::new();
        for (i, list) in lists.iter_mut().enumerate() {
            heads.extend(list.next().map(|(labels, part)| Next { labels, list: i, part }));
        }
        while let Some(mut top) = heads.peek_mut() {
            let part = top.part;
            let labels = match lists[top.list].next() {
                Some((labels, part)) => {
                    top.part = part;
                    std::mem::replace(&mut top.labels, labels)
                }
                None => PeekMut::pop(top).labels,
            };
            parts.push(part);
            match series.last_mut() {
                Some(last) if last.labels == labels => last.end = parts.len() as u32,
                _ => series.push(Entry { labels, end: parts.len() as u32 }),
            }
            if series.len() > most {
                return None;
            }
        }
    }
    (series.len() <= most).then_some((series, parts))
}

/// The next series of a list.
struct Next {
    labels: Labels,
    list: usize,
    part: Part,
}

impl Ord for Next {
    /// The heap gives the greatest first, so the order is turned round. Most labels are equal to those of
    /// the other lists, which their text shows at once.
    fn cmp(&self, other: &Self) -> Ordering {
        let labels = if self.labels == other.labels { Ordering::Equal } else { other.labels.cmp(&self.labels) };
        labels.then(other.list.cmp(&self.list))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Next {}

impl SeriesSet for Selected {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn labels(&self, series: usize) -> Labels {
        self.series[series].labels.clone()
    }

    fn resolution(&self) -> Resolution {
        Resolution::Raw
    }

    fn warnings(&self) -> Vec<String> {
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        damage.notes.iter().chain(&self.lost).cloned().collect()
    }

    fn reader<'a>(&'a self) -> Box<dyn Reader + 'a> {
        Box::new(SelectedReader {
            set: self,
            merge: Merge::default(),
            blocks: self.blocks.iter().map(|_| None).collect(),
        })
    }
}

impl Selected {
    fn parts(&self, series: usize) -> &[Part] {
        let from = series.checked_sub(1).map_or(0, |before| self.series[before].end);
        &self.parts[from as usize..self.series[series].end as usize]
    }
}

struct SelectedReader<'a> {
    set: &'a Selected,
    merge: Merge,
    /// Made when first needed.
    blocks: Vec<Option<BlockReader<'a>>>,
}

impl Reader for SelectedReader<'_> {
    fn read(&mut self, series: usize, out: &mut Column) -> Result<(), SourceError> {
        out.clear();
        self.merge.begin();
        let (set, start, end) = (self.set, self.set.start, self.set.end);
        for part in set.parts(series) {
            match *part {
                Part::Block { block, series } => {
                    let reader = &mut self.blocks[block as usize];
                    let reader = reader.get_or_insert_with(|| set.blocks[block as usize].reader());
                    let mut damage = Damage::default();
                    reader.read(series, start, end, Want::Last, out, &mut damage);
                    if !damage.is_none() {
                        set.damage.lock().unwrap_or_else(PoisonError::into_inner).merge(damage);
                    }
                    self.merge.part(out);
                }
                Part::Memory(at) => {
                    let seen = &set.seen[at as usize];
                    if let Some(frozen) = &seen.frozen {
                        read_data(frozen, start, end, &mut self.merge, out)?;
                    }
                    read_data(&seen.live, start, end, &mut self.merge, out)?;
                }
            }
        }
        self.merge.finish(out, start, end);
        Ok(())
    }
}
