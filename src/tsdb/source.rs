//! Reading: what memory and blocks know of each series, as one.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::labels::Labels;
use crate::base::sample::Column;
use crate::promql::source::{Reader, Resolution, Select, SeriesSet, Source, SourceError, Want};
use crate::tsdb::block::{Block, BlockReader, Damage, Growth, SeriesId};
use crate::tsdb::compact::Tombstone;
use crate::tsdb::db::{Shared, Tsdb};
use crate::tsdb::head::{self, Seen};
use crate::tsdb::join::{Entry, Part, join};
use crate::tsdb::merge::{Merge, read_data};
use crate::tsdb::resolution::{self, Span};

/// So many series are looked at between two looks at whether anybody still waits.
const ASK: usize = 4_096;

/// Selected series: what memory and each block know of them.
struct Selected {
    series: Vec<Entry>,
    /// Parts of all series, those of one together, in the order in which they were written.
    parts: Vec<Part>,
    seen: Vec<Seen>,
    blocks: Vec<Arc<Block>>,
    /// For each block, what hides samples of it.
    hidden: Vec<Vec<Tombstone>>,
    resolution: Resolution,
    want: Want,
    /// Who tells of which time, in order.
    spans: Vec<Span>,
    /// Found when selecting and when reading.
    damage: Mutex<Damage>,
    lost: Vec<String>,
}

impl Source for Tsdb {
    fn select<'a>(&'a self, select: &Select<'_>) -> Result<Box<dyn SeriesSet + 'a>, SourceError> {
        self.shared().select(select).map(|set| Box::new(set) as Box<dyn SeriesSet>)
    }
}

/// What of the disk answers a selection.
pub(crate) struct Places {
    pub(crate) blocks: Vec<Arc<Block>>,
    /// For each block, what hides samples of it.
    hidden: Vec<Vec<Tombstone>>,
    resolution: Resolution,
    /// Who tells of which time, in order.
    spans: Vec<Span>,
    lost: Vec<String>,
}

impl Places {
    /// Calls `each` with the series of a block that a selection finds, without those that are deleted, as long as it
    /// wants more.
    ///
    /// # Errors
    /// It was cancelled.
    pub(crate) fn each(
        &self,
        at: usize,
        select: &Select<'_>,
        damage: &mut Damage,
        mut each: impl FnMut(&Labels, SeriesId) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let (block, hides) = (&self.blocks[at], &self.hidden[at]);
        let whole = |t: &&Tombstone| t.from <= block.stats().min_time && t.to >= block.stats().max_time;
        let gone = |labels: &Labels| hides.iter().filter(whole).any(|t| t.matches(labels));
        let mut n = 0_usize;
        block.each(select.matchers, (select.start, select.end), damage, &mut |labels, id| {
            n += 1;
            if n.is_multiple_of(ASK) && select.is_cancelled() {
                return ControlFlow::Break(());
            }
            if !hides.is_empty() && gone(labels) { ControlFlow::Continue(()) } else { each(labels, id) }
        });
        if select.is_cancelled() { Err(SourceError::Cancelled) } else { Ok(()) }
    }
}

impl Shared {
    /// The blocks that answer a selection. Who also looks into memory does that first: whatever a flush moves in between
    /// is then seen twice, not never.
    pub(crate) fn places(&self, select: &Select<'_>) -> Places {
        // Tombstones first: one that a merge made superfluous meanwhile is not missed by the older blocks.
        let tombstones = self.tombstones();
        let catalog = self.catalog();
        let resolution = resolution::choose(select, &catalog, self.raw_from());
        let (blocks, spans) = resolution::spans(resolution, &catalog, select.start, select.end);
        let hides = |block: &Arc<Block>| {
            tombstones.iter().filter(|t| t.applies(block.meta()) && block.overlaps(t.from, t.to)).cloned().collect()
        };
        let hidden = blocks.iter().map(hides).collect();
        Places { blocks, hidden, resolution, spans, lost: catalog.lost.clone() }
    }

    fn select(&self, select: &Select<'_>) -> Result<Selected, SourceError> {
        let limit = select.max_series;
        let mut seen = self.head().snapshot(select)?;
        head::sort(&mut seen);
        let places = self.places(select);
        let mut damage = Damage::default();
        let mut lists = Vec::with_capacity(places.blocks.len() + 1);
        for at in 0..places.blocks.len() {
            let mut list = Vec::new();
            places.each(at, select, &mut damage, |labels, series| {
                list.push((labels.clone(), Part::Block { block: at as u32, series }));
                // One more than allowed is enough to know.
                if list.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            lists.push(list);
        }
        lists.push(seen.iter().enumerate().map(|(i, s)| (s.labels.clone(), Part::Memory(i as u32))).collect());
        let (series, parts) = join(lists, select)?;
        let Places { blocks, hidden, resolution, spans, lost } = places;
        Ok(Selected {
            series,
            parts,
            seen,
            blocks,
            hidden,
            resolution,
            want: select.want,
            spans,
            damage: Mutex::new(damage),
            lost,
        })
    }
}

impl SeriesSet for Selected {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn labels(&self, series: usize) -> Labels {
        self.series[series].labels.clone()
    }

    fn resolution(&self) -> Resolution {
        self.resolution
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
            part: Column::default(),
        })
    }
}

impl Selected {
    fn parts(&self, series: usize) -> &[Part] {
        let from = series.checked_sub(1).map_or(0, |before| self.series[before].end);
        &self.parts[from as usize..self.series[series].end as usize]
    }

    /// Has the processor fetch what the next series have in memory while this one's chunks are decoded: they lie
    /// anywhere, and waiting for the first byte of each in turn takes an eighth of a query's time. Where a chunk lies
    /// is known from its list, and where that is from its head: each is touched one series later.
    fn touch(&self, series: usize) {
        let sealed = |series: usize| {
            let memory = |p: &Part| if let Part::Memory(at) = p { Some(*at) } else { None };
            let part = if series < self.series.len() { self.parts(series).iter().find_map(memory) } else { None };
            part.and_then(|at| self.seen[at as usize].live.sealed.as_deref()).map_or(&[][..], Vec::as_slice)
        };
        let lengths = sealed(series + 2).iter().fold(0, |all, c| all ^ c.bytes.len());
        let first = sealed(series + 1).iter().filter_map(|c| c.bytes.first()).fold(0, |all, byte| all ^ byte);
        std::hint::black_box((sealed(series + 3).len(), lengths, first));
    }
}

struct SelectedReader<'a> {
    set: &'a Selected,
    merge: Merge,
    /// Made when first needed.
    blocks: Vec<Option<BlockReader<'a>>>,
    /// Samples that are worked on before they go out.
    part: Column,
}

impl Reader for SelectedReader<'_> {
    fn read(&mut self, series: usize, out: &mut Column) -> Result<(), SourceError> {
        out.clear();
        let set = self.set;
        if let [Span { from, to, rollup: None }] = set.spans[..]
            && set.resolution == Resolution::Raw
        {
            return self.raw(series, from, to, out);
        }
        let mut growth = Growth::default();
        let mut raw = Column::default();
        for span in &set.spans {
            match span.rollup {
                None => {
                    self.raw(series, span.from, span.to, &mut raw)?;
                    resolution::fill(&raw, set.resolution, set.want, &mut growth, out);
                }
                Some(block) => {
                    let here = |p: &&Part| matches!(p, Part::Block { block: b, .. } if *b == block);
                    if let Some(part) = set.parts(series).iter().find(here) {
                        self.block(series, *part, (span.from, span.to), &mut growth, out);
                    }
                }
            }
        }
        Ok(())
    }
}

impl SelectedReader<'_> {
    /// Reads all raw samples of a time.
    fn raw(&mut self, series: usize, from: i64, to: i64, out: &mut Column) -> Result<(), SourceError> {
        let set = self.set;
        set.touch(series);
        out.clear();
        self.merge.begin();
        for part in set.parts(series) {
            match *part {
                Part::Block { block, .. } => {
                    let block = &set.blocks[block as usize];
                    if block.meta().resolution == Resolution::Raw && block.overlaps(from, to) {
                        self.block(series, *part, (from, to), &mut Growth::default(), out);
                        self.merge.part(out);
                    }
                }
                Part::Memory(at) => {
                    let seen = &set.seen[at as usize];
                    if let Some(frozen) = &seen.frozen {
                        read_data(frozen, from, to, &mut self.merge, out)?;
                    }
                    read_data(&seen.live, from, to, &mut self.merge, out)?;
                }
            }
        }
        self.merge.finish(out, from, to);
        Ok(())
    }

    /// Adds what a block has of a time, without what is deleted.
    fn block(&mut self, series: usize, part: Part, (from, to): (i64, i64), growth: &mut Growth, out: &mut Column) {
        let set = self.set;
        let Part::Block { block: at, series: id } = part else { return };
        let block = &set.blocks[at as usize];
        let reader = self.blocks[at as usize].get_or_insert_with(|| block.reader());
        let mut damage = Damage::default();
        let hides = &set.hidden[at as usize];
        let direct = hides.is_empty();
        if !direct {
            self.part.clear();
        }
        let into = if direct { &mut *out } else { &mut self.part };
        if block.meta().resolution != Resolution::Raw && set.want == Want::Increase {
            reader.read_growth(id, from, to, growth, into, &mut damage);
        } else {
            reader.read(
                id,
                from,
                to,
                if block.meta().resolution == Resolution::Raw { Want::Last } else { set.want },
                into,
                &mut damage,
            );
        }
        if !direct {
            let labels = &set.series[series].labels;
            hides.iter().filter(|t| t.matches(labels)).for_each(|t| t.hide(&mut self.part));
            out.t.extend_from_slice(&self.part.t);
            out.v.extend_from_slice(&self.part.v);
        }
        if !damage.is_none() {
            set.damage.lock().unwrap_or_else(PoisonError::into_inner).merge(damage);
        }
    }
}
