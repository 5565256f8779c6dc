//! Reads the samples of a block's series.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;

use crate::base::sample::Column;
use crate::promql::source::{Resolution, Want};
use crate::tsdb::block::format::{CRC, GROUP};
use crate::tsdb::block::groups::{Chunks, Payload, Times, TimesEntry};
use crate::tsdb::block::{Block, Damage, SeriesId, times_place, unsealed};
use crate::tsdb::chunk::{self, Corrupt, Encoding};

/// First read of a stretch of the file; each further one of neighbouring bytes is twice as long.
const FIRST_READ: usize = 4 << 10;
/// Longest read: about what a disk gives in the time of a seek.
const LONGEST_READ: usize = 256 << 10;
/// A chunk this close behind the last one is read on to.
const NEIGHBOUR: u64 = 64 << 10;
/// Times kept decoded, together: a block's series share few columns.
const KEPT_TIMES: usize = 1 << 19;

/// How much is written in an encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Columns of values.
    pub chunks: u64,
    /// Their bytes, checksums not counted.
    pub bytes: u64,
}

/// How much is written in which encoding.
pub type Tally = BTreeMap<Encoding, Used>;

/// The column of a roll-up that says what a counter lost by starting again.
const LOST: usize = 5;

/// Makes a counter that never falls of one that starts again, across buckets and blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Growth {
    last: f64,
    lost: f64,
}

impl Growth {
    /// The next value, before which the counter lost so much.
    pub(crate) fn next(&mut self, value: f64, lost: f64) -> f64 {
        if value.is_finite() {
            // What a block did not see, because the sample before was out of its reach, shows here.
            self.lost += if lost == 0.0 && value < self.last { self.last } else { lost };
            self.last = value;
        }
        value + self.lost
    }
}

/// Reads samples of one block.
#[derive(Debug)]
pub struct BlockReader<'a> {
    block: &'a Block,
    window: Window,
    /// Table of the group read last.
    chunks: Option<(usize, Arc<Chunks>)>,
    /// Page of the table of times read last.
    page: Option<(usize, Arc<Times>)>,
    times: AHashMap<u32, Arc<[i64]>>,
    /// Length of all of `times`.
    kept: usize,
    scratch: Vec<f64>,
}

/// A stretch of the file in memory.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
    /// Length of the next read on.
    ahead: usize,
    /// What lies before the window, where shared columns are.
    aside: Vec<u8>,
}

impl Window {
    /// Bytes of the file; those behind them are likely to be asked for next.
    fn get(&mut self, block: &Block, offset: u64, len: usize) -> Result<&[u8], Corrupt> {
        let end = self.start + self.bytes.len() as u64;
        let inside = offset >= self.start && offset + len as u64 <= end;
        if !inside && offset < self.start && self.start - offset < NEIGHBOUR {
            self.aside.resize(len, 0);
            block.bytes.read_exact_at(&mut self.aside, offset).map_err(|_| Corrupt)?;
            return Ok(&self.aside);
        }
        if !inside {
            let on = offset >= self.start && offset < end + NEIGHBOUR;
            self.ahead = if on { (self.ahead * 2).clamp(FIRST_READ, LONGEST_READ) } else { FIRST_READ };
            let most = usize::try_from(block.tail.data_end.saturating_sub(offset)).unwrap_or(usize::MAX);
            self.bytes.resize(self.ahead.min(most).max(len), 0);
            self.start = offset;
            if block.bytes.read_exact_at(&mut self.bytes, offset).is_err() {
                self.bytes.clear();
                return Err(Corrupt);
            }
        }
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..from + len])
    }
}

impl<'a> BlockReader<'a> {
    pub(super) fn new(block: &'a Block) -> Self {
        Self {
            block,
            window: Window::default(),
            chunks: None,
            page: None,
            times: AHashMap::new(),
            kept: 0,
            scratch: Vec::new(),
        }
    }

    /// Appends the samples of a series from `from` to `to`, both inclusive, in order of time.
    ///
    /// Of a roll-up, the column for `want`, each value at the time of the last sample that went into it.
    pub fn read(&mut self, id: SeriesId, from: i64, to: i64, want: Want, out: &mut Column, damage: &mut Damage) {
        if want == Want::Increase && self.block.meta().resolution != Resolution::Raw {
            self.read_growth(id, from, to, &mut Growth::default(), out, damage);
        } else {
            self.read_column(id, from, to, self.column(want), out, damage);
        }
    }

    /// As [`read`](Self::read) with [`Want::Increase`], going on from what was read of the series in earlier
    /// blocks: the values of all together are one counter that never falls.
    pub fn read_growth(
        &mut self,
        id: SeriesId,
        from: i64,
        to: i64,
        growth: &mut Growth,
        out: &mut Column,
        damage: &mut Damage,
    ) {
        let start = out.len();
        self.read_column(id, from, to, self.column(Want::Last), out, damage);
        if self.block.meta().resolution == Resolution::Raw {
            out.v[start..].iter_mut().for_each(|v| *v = growth.next(*v, 0.0));
            return;
        }
        let mut lost = Column::default();
        self.read_column(id, from, to, LOST, &mut lost, damage);
        // The same times, unless one of the two is damaged.
        let mut lost = lost.iter().peekable();
        for (t, v) in out.t[start..].iter().zip(&mut out.v[start..]) {
            while lost.next_if(|(earlier, _)| earlier < t).is_some() {}
            let lost = lost.next_if(|(same, _)| same == t).map_or(0.0, |(_, v)| v);
            *v = growth.next(*v, lost);
        }
    }

    /// The column that is read for something.
    fn column(&self, want: Want) -> usize {
        if self.block.meta().resolution == Resolution::Raw {
            return 0;
        }
        match want {
            Want::Min => 0,
            Want::Max => 1,
            Want::Sum => 2,
            Want::Count => 3,
            Want::Last | Want::Increase => 4,
        }
    }

    pub(crate) fn read_column(
        &mut self,
        id: SeriesId,
        from: i64,
        to: i64,
        column: usize,
        out: &mut Column,
        damage: &mut Damage,
    ) {
        let Some(chunks) = self.chunks(id as usize / GROUP, damage) else { return };
        // What other blocks gave stands before, and need not be older.
        let start = out.len();
        let mut last = i64::MIN;
        for chunk in chunks.of(id as usize % GROUP) {
            let Some((times, own)) = self.times_entry(chunks.time(chunk), damage) else { continue };
            if times.count == 0 || times.max < from || times.min > to {
                continue;
            }
            let payload = chunks.values(chunk, self.block.meta().columns(), column);
            let before = out.len();
            let read = self
                .times(chunks.time(chunk), times, &own)
                .and_then(|t| self.values(&t, payload, chunks.own(), (from, to), out));
            // Chunks of a series follow each other; those of a damaged table need not.
            let ordered = out.t.get(before).is_none_or(|t| before == start || *t > out.t[before - 1]);
            if read.is_err() || !ordered || times.min < last {
                out.t.truncate(before);
                out.v.truncate(before);
                damage.add(|| self.block.note(&format!("a chunk of series {id}")));
            }
            last = times.max;
        }
    }

    /// Reads all columns of a series.
    pub(super) fn verify(&mut self, id: SeriesId, damage: &mut Damage) {
        let mut out = Column::default();
        for column in 0..self.block.meta().columns() {
            out.clear();
            self.read_column(id, i64::MIN, i64::MAX, column, &mut out, damage);
        }
    }

    /// Adds up how the values of a series are written.
    pub(super) fn tally(&mut self, id: SeriesId, tally: &mut Tally, damage: &mut Damage) {
        let Some(chunks) = self.chunks(id as usize / GROUP, damage) else { return };
        let columns = self.block.meta().columns();
        for (chunk, column) in chunks.of(id as usize % GROUP).flat_map(|c| (0..columns).map(move |column| (c, column)))
        {
            let encoding = match chunks.values(chunk, columns, column) {
                Payload::Table { start, len } => {
                    let bytes = &chunks.own()[start as usize..(start + len) as usize];
                    Encoding::of(bytes).map(|e| (e, bytes.len()))
                }
                Payload::File { offset, len } => {
                    let bytes = self.window.get(self.block, offset, len as usize + CRC).and_then(unsealed);
                    bytes.and_then(|bytes| Ok((Encoding::of(bytes)?, bytes.len())))
                }
            };
            match encoding {
                Ok((Some(encoding), len)) => {
                    let used = tally.entry(encoding).or_default();
                    (used.chunks, used.bytes) = (used.chunks + 1, used.bytes + len as u64);
                }
                Ok((None, _)) => {}
                Err(Corrupt) => damage.add(|| self.block.note(&format!("a chunk of series {id}"))),
            }
        }
    }

    /// Appends the samples of a chunk with these times.
    fn values(
        &mut self,
        t: &[i64],
        payload: Payload,
        own: &[u8],
        (from, to): (i64, i64),
        out: &mut Column,
    ) -> Result<(), Corrupt> {
        let bytes = match payload {
            Payload::Table { start, len } => &own[start as usize..(start + len) as usize],
            Payload::File { offset, len } => unsealed(self.window.get(self.block, offset, len as usize + CRC)?)?,
        };
        let range = t.partition_point(|t| *t < from)..t.partition_point(|t| *t <= to);
        if range.len() == t.len() {
            chunk::decode_values(bytes, t.len(), &mut out.v)?;
        } else {
            self.scratch.clear();
            chunk::decode_values(bytes, t.len(), &mut self.scratch)?;
            out.v.extend_from_slice(&self.scratch[range.clone()]);
        }
        out.t.extend_from_slice(&t[range]);
        Ok(())
    }

    fn chunks(&mut self, group: usize, damage: &mut Damage) -> Option<Arc<Chunks>> {
        if let Some((g, chunks)) = &self.chunks
            && *g == group
        {
            return Some(Arc::clone(chunks));
        }
        let chunks = self.block.group_chunks(group, damage)?;
        self.chunks = Some((group, Arc::clone(&chunks)));
        Some(chunks)
    }

    fn times_entry(&mut self, number: u32, damage: &mut Damage) -> Option<(TimesEntry, Arc<Times>)> {
        let (page, place) = times_place(number);
        if self.page.as_ref().is_none_or(|(p, _)| *p != page) {
            self.page = Some((page, self.block.times_page(page, damage)?));
        }
        let (_, page) = self.page.as_ref()?;
        let Some(entry) = page.entries.get(place) else {
            damage.add(|| self.block.note(&format!("column {number} of times")));
            return None;
        };
        Some((*entry, Arc::clone(page)))
    }

    fn times(&mut self, number: u32, entry: TimesEntry, own: &Times) -> Result<Arc<[i64]>, Corrupt> {
        if let Some(t) = self.times.get(&number) {
            return Ok(Arc::clone(t));
        }
        let mut t = Vec::with_capacity(entry.count as usize);
        let places = [Some(entry.place), entry.copy];
        let read = places.into_iter().flatten().any(|place| {
            t.clear();
            let decoded = match place {
                Payload::Table { start, len } => {
                    chunk::decode_times(&own.own[start as usize..(start + len) as usize], &mut t)
                }
                Payload::File { offset, len } => self
                    .window
                    .get(self.block, offset, len as usize + CRC)
                    .and_then(unsealed)
                    .and_then(|bytes| chunk::decode_times(bytes, &mut t)),
            };
            let ends = (t.first(), t.last()) == (Some(&entry.min), Some(&entry.max));
            decoded.is_ok() && t.len() == entry.count as usize && ends
        });
        if !read {
            return Err(Corrupt);
        }
        if self.kept + t.len() > KEPT_TIMES {
            self.times.clear();
            self.kept = 0;
        }
        let t: Arc<[i64]> = t.into();
        self.kept += t.len();
        self.times.insert(number, Arc::clone(&t));
        Ok(t)
    }
}
