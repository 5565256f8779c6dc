//! Which series have which label value.

use std::ops::Range;

use crate::tsdb::block::SeriesId;
use crate::tsdb::block::format::{CRC, decompress, front_coded};
use crate::tsdb::chunk::{Corrupt, Cursor, decode_numbers, encode_numbers};

/// Series in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Postings {
    /// Neighbours, as series of one metric are.
    Range(Range<SeriesId>),
    /// Any.
    List(Vec<SeriesId>),
}

impl Postings {
    pub(super) const fn bytes(&self) -> usize {
        match self {
            Self::Range(_) => 0,
            Self::List(ids) => ids.capacity() * 4,
        }
    }

    pub(super) fn encode(ids: &[i64], out: &mut Vec<u8>) {
        encode_numbers(ids, out);
    }

    /// Reads `n` ids below `end`.
    pub(super) fn decode(bytes: &[u8], n: usize, end: u64) -> Result<Self, Corrupt> {
        if n as u64 > end {
            return Err(Corrupt);
        }
        let mut ids: Vec<SeriesId> = Vec::new();
        // A few bytes may stand for many neighbours, but never for more than there are series.
        ids.reserve_exact(n);
        let (mut last, mut rising) = (-1_i64, true);
        decode_numbers(bytes, n, |block| {
            for id in block {
                rising &= *id > last;
                last = *id;
                ids.push(*id as SeriesId);
            }
        })?;
        if !rising || last >= end as i64 {
            return Err(Corrupt);
        }
        Ok(match (ids.first(), ids.last()) {
            (Some(a), Some(b)) if (b - a) as usize + 1 == ids.len() => Self::Range(*a..b + 1),
            _ => Self::List(ids),
        })
    }

    pub(super) fn append_to(&self, out: &mut Vec<SeriesId>) {
        match self {
            Self::Range(r) => out.extend(r.clone()),
            Self::List(ids) => out.extend_from_slice(ids),
        }
    }
}

/// Where the postings of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PostingsAt {
    /// Among the page's own bytes.
    Page { start: u32, len: u32 },
    /// In the file, a checksum behind them.
    File { offset: u64, len: u32 },
}

/// A value of a label name.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) text: Box<str>,
    /// Series that have it.
    pub(super) series: u32,
    pub(super) at: PostingsAt,
}

/// A page of the values of a name.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) values: Vec<Value>,
    pub(super) own: Vec<u8>,
}

/// Longest postings that stand in the page.
pub(super) const INLINE_POSTINGS: usize = 96;

impl Values {
    pub(super) fn decode(bytes: &[u8], file_len: u64) -> Result<Self, Corrupt> {
        let bytes = decompress(bytes)?;
        let mut from = Cursor(&bytes);
        let mut page = Self::default();
        let mut text = Vec::new();
        while !from.0.is_empty() {
            front_coded(&mut from, &mut text)?;
            let series = from.varint_to(u32::MAX as usize)? as u32;
            let len = from.varint_to(u32::MAX as usize)? as u32;
            let at = if len as usize <= INLINE_POSTINGS {
                let start = page.own.len() as u32;
                page.own.extend_from_slice(from.take(len as usize)?);
                PostingsAt::Page { start, len }
            } else {
                let offset = from.varint()?;
                let end = offset.checked_add(u64::from(len) + CRC as u64);
                end.filter(|end| *end <= file_len).ok_or(Corrupt)?;
                PostingsAt::File { offset, len }
            };
            let text = std::str::from_utf8(&text).map_err(|_| Corrupt)?;
            page.values.push(Value { text: text.into(), series, at });
        }
        if page.values.is_sorted_by(|a, b| a.text < b.text) { Ok(page) } else { Err(Corrupt) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.values.iter().map(|v| v.text.len() + 56).sum::<usize>() + self.own.capacity()
    }
}

/// What both have; both rise.
pub(super) fn intersect(ids: &mut Vec<SeriesId>, other: &[SeriesId]) {
    let mut rest = other;
    ids.retain(|id| {
        rest = skip_to(rest, *id);
        rest.first() == Some(id)
    });
}

/// What only the first has; both rise.
pub(super) fn subtract(ids: &mut Vec<SeriesId>, other: &[SeriesId]) {
    let mut rest = other;
    ids.retain(|id| {
        rest = skip_to(rest, *id);
        rest.first() != Some(id)
    });
}

/// From the first id that is not below `id`: by doubling steps, so that a long list costs little.
fn skip_to(ids: &[SeriesId], id: SeriesId) -> &[SeriesId] {
    let mut step = 1;
    while step < ids.len() && ids[step] < id {
        step *= 2;
    }
    let from = step / 2;
    let to = ids.len().min(step + 1);
    let window = ids.get(from..to).unwrap_or_default();
    &ids[from + window.partition_point(|x| *x < id)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_operations_are_those_of_sets() {
        use std::collections::BTreeSet;
        let mut rng = fastrand::Rng::with_seed(9);
        for _ in 0..2_000 {
            let mut set = |most: usize| -> BTreeSet<SeriesId> {
                let (n, range) = (rng.usize(0..=most), rng.u32(1..400));
                (0..n).map(|_| rng.u32(0..range)).collect()
            };
            let (a, b) = (set(60), set(300));
            let other: Vec<_> = b.iter().copied().collect();
            let mut both: Vec<_> = a.iter().copied().collect();
            let mut only = both.clone();
            intersect(&mut both, &other);
            subtract(&mut only, &other);
            assert!(both.iter().eq(a.intersection(&b)));
            assert!(only.iter().eq(a.difference(&b)));
        }
    }

    #[test]
    fn postings_come_back_and_neighbours_are_a_range() {
        #[track_caller]
        fn check(ids: &[i64], range: bool) {
            let mut bytes = Vec::new();
            Postings::encode(ids, &mut bytes);
            let postings = Postings::decode(&bytes, ids.len(), 1_000).unwrap();
            assert_eq!(matches!(postings, Postings::Range(_)), range);
            let mut out = Vec::new();
            postings.append_to(&mut out);
            assert!(out.iter().map(|id| i64::from(*id)).eq(ids.iter().copied()));
            assert!(Postings::decode(&bytes, ids.len(), ids[ids.len() - 1] as u64).is_err(), "beyond the block");
        }
        check(&[7], true);
        check(&(100..900).collect::<Vec<_>>(), true);
        check(&[1, 3, 4, 900], false);
        check(&(0..300).map(|i| i * 3).collect::<Vec<_>>(), false);
        let mut falling = Vec::new();
        Postings::encode(&[5, 4, 3], &mut falling);
        assert!(Postings::decode(&falling, 3, 1_000).is_err());
    }
}
