//! The tables of a block: labels of series, their chunks, and the columns of times that chunks share.

use std::sync::Arc;

use crate::base::labels::Labels;
use crate::tsdb::block::format::{CRC, GROUP, INLINE, TIMES_PAGE, decompress, front_coded};
use crate::tsdb::chunk::{Corrupt, Cursor, MAX_SAMPLES, put_varint, unzigzag, zigzag};

/// Bytes in the file, or in the table itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// At an offset of the file, a checksum behind them.
    File { offset: u64, len: u32 },
    /// Among the table's own bytes.
    Table { start: u32, len: u32 },
}

/// Writes references to payloads, short because payloads mostly follow each other.
#[derive(Debug, Default)]
pub(super) struct Refs {
    expected: u64,
}

impl Refs {
    /// Refers to bytes that stand in the file.
    pub(super) fn file(&mut self, out: &mut Vec<u8>, offset: u64, len: usize) {
        put_varint(out, len as u64);
        put_varint(out, zigzag(offset.wrapping_sub(self.expected) as i64));
        self.expected = offset + (len + CRC) as u64;
    }

    /// Puts short bytes here.
    pub(super) fn inline(out: &mut Vec<u8>, bytes: &[u8]) {
        debug_assert!(bytes.len() <= INLINE, "short");
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }

    fn read(&mut self, from: &mut Cursor<'_>, own: &mut Vec<u8>, data_end: u64) -> Result<Payload, Corrupt> {
        let len = from.varint_to(u32::MAX as usize)?;
        if len <= INLINE {
            let start = own.len() as u32;
            own.extend_from_slice(from.take(len)?);
            return Ok(Payload::Table { start, len: len as u32 });
        }
        let offset = self.expected.wrapping_add(unzigzag(from.varint()?) as u64);
        self.expected = offset.checked_add((len + CRC) as u64).filter(|end| *end <= data_end).ok_or(Corrupt)?;
        Ok(Payload::File { offset, len: len as u32 })
    }
}

/// Reads the labels of a group of `n` series.
pub(super) fn labels(bytes: &[u8], n: usize) -> Result<Arc<[Labels]>, Corrupt> {
    let bytes = decompress(bytes)?;
    let mut from = Cursor(&bytes);
    let mut key = Vec::new();
    let mut all = Vec::with_capacity(n);
    for _ in 0..n {
        front_coded(&mut from, &mut key)?;
        let text = std::str::from_utf8(&key).map_err(|_| Corrupt)?;
        all.push(Labels::checked_key(text).ok_or(Corrupt)?);
    }
    from.end()?;
    if all.is_sorted_by(|a, b| a < b) { Ok(all.into()) } else { Err(Corrupt) }
}

/// The chunks of a group of series.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Where the chunks of each series begin; one more than series.
    starts: Vec<u32>,
    /// The column of times of each chunk.
    times: Vec<u32>,
    /// Values: so many per chunk as the block has columns.
    values: Vec<Payload>,
    own: Vec<u8>,
}

impl Chunks {
    pub(super) fn decode(bytes: &[u8], n: usize, columns: usize, data_end: u64) -> Result<Self, Corrupt> {
        let bytes = decompress(bytes)?;
        let mut from = Cursor(&bytes);
        let mut all = Self { starts: vec![0], ..Self::default() };
        let (mut refs, mut time) = (Refs::default(), 0_i64);
        for _ in 0..n.min(GROUP) {
            for _ in 0..from.varint_to(bytes.len())? {
                time = time.wrapping_add(unzigzag(from.varint()?));
                all.times.push(u32::try_from(time).map_err(|_| Corrupt)?);
                for _ in 0..columns {
                    all.values.push(refs.read(&mut from, &mut all.own, data_end)?);
                }
            }
            all.starts.push(all.times.len() as u32);
        }
        from.end()?;
        Ok(all)
    }

    /// Chunks of the series with this place in the group, as numbers for [`time`](Self::time) and [`values`](Self::values).
    pub(super) fn of(&self, place: usize) -> std::ops::Range<usize> {
        match self.starts.get(place..) {
            Some([from, to, ..]) => *from as usize..*to as usize,
            _ => 0..0,
        }
    }

    pub(super) fn time(&self, chunk: usize) -> u32 {
        self.times[chunk]
    }

    pub(super) fn values(&self, chunk: usize, columns: usize, column: usize) -> Payload {
        self.values[chunk * columns + column]
    }

    pub(super) fn own(&self) -> &[u8] {
        &self.own
    }

    pub(super) const fn bytes(&self) -> usize {
        (self.starts.capacity() + self.times.capacity()) * 4 + self.values.capacity() * 24 + self.own.capacity()
    }
}

/// A column of times.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimesEntry {
    pub(super) min: i64,
    pub(super) max: i64,
    pub(super) count: u32,
    pub(super) place: Payload,
    /// Where a second copy is in the file.
    pub(super) copy: Option<Payload>,
}

/// A page of the table of times.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) entries: Vec<TimesEntry>,
    pub(super) own: Vec<u8>,
}

impl Times {
    pub(super) fn decode(bytes: &[u8], data_end: u64) -> Result<Self, Corrupt> {
        let bytes = decompress(bytes)?;
        let mut from = Cursor(&bytes);
        let mut page = Self::default();
        let (mut refs, mut min) = (Refs::default(), 0_i64);
        while !from.0.is_empty() && page.entries.len() < TIMES_PAGE {
            let count = from.varint_to(MAX_SAMPLES)? as u32;
            min = min.wrapping_add(unzigzag(from.varint()?));
            let max = min.checked_add_unsigned(from.varint()?).ok_or(Corrupt)?;
            let place = refs.read(&mut from, &mut page.own, data_end)?;
            let copy = match place {
                Payload::Table { .. } => None,
                Payload::File { offset, len } => match from.varint()? {
                    0 => None,
                    distance => Some(Payload::File { offset: offset.checked_add(distance).ok_or(Corrupt)?, len }),
                },
            };
            page.entries.push(TimesEntry { min, max, count, place, copy });
        }
        from.end()?;
        Ok(page)
    }

    pub(super) const fn bytes(&self) -> usize {
        self.entries.capacity() * 72 + self.own.capacity()
    }
}
