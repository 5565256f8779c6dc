//! Layout of a block file: `docs/formats/block.md`.
//!
//! The end of the file leads to everything else and is written twice, so that one damaged sector does not
//! lose the block. Every part has a checksum, kept with the reference to it or behind it.

use crate::promql::source::Resolution;
use crate::tsdb::chunk::{Corrupt, Cursor, put_varint, unzigzag, zigzag};

/// First bytes of a file; the last of them is the version.
pub(super) const MAGIC: [u8; 8] = *b"wdblock\x01";
/// Last bytes of each copy of the tail.
pub(super) const TAIL_MAGIC: [u8; 8] = *b"wdtail\r\n";
/// Both copies of the tail lie within so many bytes of the end.
pub(super) const TAIL_REACH: usize = 1 << 16;
/// Length, checksum and magic behind the content of a tail.
pub(super) const TAIL_FRAME: usize = 16;
/// Series per group: labels of a group are compressed together, and read together.
pub(super) const GROUP: usize = 64;
/// Columns of times per page of their table.
pub(super) const TIMES_PAGE: usize = 64;
/// Label values per page of their table.
pub(super) const VALUES_PAGE: usize = 128;
/// Payloads up to this many bytes stand in the table that would refer to them.
pub(super) const INLINE: usize = 24;
/// Bytes of a checksum behind a payload.
pub(super) const CRC: usize = 4;
/// Most bytes of a decompressed part: 64 series with labels of [`LONGEST_KEY`] bytes each.
const LARGEST_PART: usize = GROUP * (LONGEST_KEY + 64);
/// Most bytes of the encoded labels of one series.
pub(super) const LONGEST_KEY: usize = 1 << 20;
/// zstd's level for index parts: higher ones gain under one percent on these small parts.
const ZSTD_LEVEL: i32 = 9;

/// What a block is, given by who writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Unique and rising; names the file.
    pub id: u64,
    /// Raw blocks have one column, roll-ups six.
    pub resolution: Resolution,
    /// The first and the last flush that went into it, inclusive. Of samples with equal times the one of the
    /// lower flush stands.
    pub sequence: (u64, u64),
    /// Blocks that this one makes superfluous.
    pub replaces: Vec<u64>,
    /// Raw blocks that a roll-up was computed from.
    pub sources: Vec<u64>,
    /// Roll-ups: the time that it speaks for, first excluded, last included. There it stands in place of
    /// every older roll-up, also where it has nothing to say.
    pub covers: Option<(i64, i64)>,
}

impl Meta {
    /// A block of raw samples that replaces nothing.
    pub const fn raw(id: u64, sequence: (u64, u64)) -> Self {
        Self { id, resolution: Resolution::Raw, sequence, replaces: Vec::new(), sources: Vec::new(), covers: None }
    }

    /// The name of the file.
    pub fn file_name(&self) -> String {
        format!("{:016x}.block", self.id)
    }

    /// Columns of values.
    pub const fn columns(&self) -> usize {
        match self.resolution {
            Resolution::Raw => 1,
            Resolution::FiveMinutes | Resolution::Hour => 6,
        }
    }
}

/// What is in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Time of the first sample.
    pub min_time: i64,
    /// Time of the last sample.
    pub max_time: i64,
    /// Series.
    pub series: u64,
    /// Chunks.
    pub chunks: u64,
    /// Samples; in roll-ups, buckets.
    pub samples: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Of these, the index: all but times and values.
    pub index_bytes: u64,
}

/// A part of the file and its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: u32,
    pub(super) crc: u32,
}

impl Place {
    pub(super) const fn end(self) -> u64 {
        self.offset.saturating_add(self.len as u64)
    }
}

/// The content of the tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) meta: Meta,
    pub(super) stats: Stats,
    /// End of times and values.
    pub(super) data_end: u64,
    /// Two copies of the directory.
    pub(super) directory: [Place; 2],
}

impl Tail {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let Self { meta, stats, .. } = self;
        put_varint(&mut out, meta.id);
        out.push(match meta.resolution {
            Resolution::Raw => 0,
            Resolution::FiveMinutes => 1,
            Resolution::Hour => 2,
        });
        put_varint(&mut out, meta.sequence.0);
        put_varint(&mut out, meta.sequence.1);
        for ids in [&meta.replaces, &meta.sources] {
            put_varint(&mut out, ids.len() as u64);
            ids.iter().for_each(|id| put_varint(&mut out, *id));
        }
        out.push(u8::from(meta.covers.is_some()));
        if let Some((after, until)) = meta.covers {
            put_varint(&mut out, zigzag(after));
            put_varint(&mut out, zigzag(until));
        }
        put_varint(&mut out, zigzag(stats.min_time));
        put_varint(&mut out, zigzag(stats.max_time));
        for n in [stats.series, stats.chunks, stats.samples, stats.bytes, stats.index_bytes, self.data_end] {
            put_varint(&mut out, n);
        }
        for place in self.directory {
            put_varint(&mut out, place.offset);
            put_varint(&mut out, u64::from(place.len));
            out.extend_from_slice(&place.crc.to_le_bytes());
        }
        let (len, crc) = (out.len() as u32, crc32fast::hash(&out));
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&TAIL_MAGIC);
        out
    }

    /// Finds a tail in the last bytes of a file of `file_len` bytes.
    pub(super) fn find(end: &[u8], file_len: u64) -> Option<Self> {
        (TAIL_FRAME..=end.len()).rev().find_map(|to| {
            let frame = &end[to - TAIL_FRAME..to];
            if frame[8..] != TAIL_MAGIC {
                return None;
            }
            let mut frame = Cursor(frame);
            let (len, crc) = (frame.u32().ok()? as usize, frame.u32().ok()?);
            let content = end.get((to - TAIL_FRAME).checked_sub(len)?..to - TAIL_FRAME)?;
            if crc32fast::hash(content) != crc {
                return None;
            }
            Self::decode(content, file_len).ok()
        })
    }

    fn decode(content: &[u8], file_len: u64) -> Result<Self, Corrupt> {
        let mut from = Cursor(content);
        let id = from.varint()?;
        let resolution = match from.byte()? {
            0 => Resolution::Raw,
            1 => Resolution::FiveMinutes,
            2 => Resolution::Hour,
            _ => return Err(Corrupt),
        };
        let sequence = (from.varint()?, from.varint()?);
        let mut ids = || -> Result<Vec<u64>, Corrupt> {
            let n = from.varint_to(content.len())?;
            (0..n).map(|_| from.varint()).collect()
        };
        let (replaces, sources) = (ids()?, ids()?);
        let covers = match from.byte()? {
            0 => None,
            _ => Some((unzigzag(from.varint()?), unzigzag(from.varint()?))),
        };
        let (min_time, max_time) = (unzigzag(from.varint()?), unzigzag(from.varint()?));
        let (series, chunks, samples) = (from.varint()?, from.varint()?, from.varint()?);
        let (bytes, index_bytes, data_end) = (from.varint()?, from.varint()?, from.varint()?);
        let mut place = || -> Result<Place, Corrupt> {
            let (offset, len, crc) = (from.varint()?, from.varint_to(u32::MAX as usize)?, from.u32()?);
            Ok(Place { offset, len: len as u32, crc })
        };
        let directory = [place()?, place()?];
        from.end()?;
        let fits = bytes == file_len
            && data_end <= file_len
            && directory.iter().all(|d| d.end() <= file_len)
            && series <= u64::from(u32::MAX);
        if !fits {
            return Err(Corrupt);
        }
        let meta = Meta { id, resolution, sequence, replaces, sources, covers };
        let stats = Stats { min_time, max_time, series, chunks, samples, bytes, index_bytes };
        Ok(Self { meta, stats, data_end, directory })
    }
}

/// Where the parts of the index are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Directory {
    /// Labels and chunk table of each group of series.
    pub(super) groups: Vec<(Place, Place)>,
    /// Pages of the table of times, two copies of each.
    pub(super) times: Vec<[Place; 2]>,
    /// Label names, sorted.
    pub(super) names: Vec<Name>,
}

/// A label name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: Box<str>,
    /// Different values.
    pub(super) values: u64,
    /// Series that have it.
    pub(super) series: u64,
    /// Its values, sorted: the first one of each page and where the page is.
    pub(super) pages: Vec<(Box<str>, Place)>,
}

impl Directory {
    pub(super) fn bytes(&self) -> usize {
        let name = |n: &Name| n.text.len() + 64 + n.pages.iter().map(|(v, _)| v.len() + 40).sum::<usize>();
        self.groups.len() * 32 + self.times.len() * 32 + self.names.iter().map(name).sum::<usize>()
    }

    /// The number of a name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|n| (*n.text).cmp(name)).ok()
    }

    /// Parts mostly follow each other, from `start` on: what is written is how far they do not, and lengths.
    pub(super) fn encode(&self, start: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = start;
        put_varint(&mut out, start);
        let mut put = |out: &mut Vec<u8>, place: Place| {
            put_varint(out, zigzag(place.offset.wrapping_sub(at) as i64));
            put_varint(out, u64::from(place.len));
            out.extend_from_slice(&place.crc.to_le_bytes());
            at = place.end();
        };
        put_varint(&mut out, self.groups.len() as u64);
        for (labels, chunks) in &self.groups {
            put(&mut out, *labels);
            put(&mut out, *chunks);
        }
        put_varint(&mut out, self.times.len() as u64);
        self.times.iter().flatten().for_each(|place| put(&mut out, *place));
        put_varint(&mut out, self.names.len() as u64);
        for name in &self.names {
            put_text(&mut out, &name.text);
            put_varint(&mut out, name.values);
            put_varint(&mut out, name.series);
            put_varint(&mut out, name.pages.len() as u64);
            for (first, place) in &name.pages {
                put_text(&mut out, first);
                put(&mut out, *place);
            }
        }
        compress(&out)
    }

    pub(super) fn decode(bytes: &[u8], file_len: u64) -> Result<Self, Corrupt> {
        let bytes = decompress(bytes)?;
        let most = bytes.len();
        let mut from = Cursor(&bytes);
        let mut at = from.varint()?;
        let mut place = |from: &mut Cursor<'_>| -> Result<Place, Corrupt> {
            let offset = at.wrapping_add(unzigzag(from.varint()?) as u64);
            let place = Place { offset, len: from.varint_to(u32::MAX as usize)? as u32, crc: from.u32()? };
            at = place.end();
            if at <= file_len { Ok(place) } else { Err(Corrupt) }
        };
        let groups = from.varint_to(most)?;
        let groups = (0..groups).map(|_| Ok((place(&mut from)?, place(&mut from)?))).collect::<Result<_, Corrupt>>()?;
        let times = from.varint_to(most)?;
        let times = (0..times).map(|_| Ok([place(&mut from)?, place(&mut from)?])).collect::<Result<_, Corrupt>>()?;
        let names = from.varint_to(most)?;
        let names = (0..names).map(|_| {
            let text = text(&mut from)?;
            let (values, series) = (from.varint()?, from.varint()?);
            let pages = from.varint_to(most)?;
            let pages = (0..pages)
                .map(|_| Ok((self::text(&mut from)?, place(&mut from)?)))
                .collect::<Result<Vec<_>, Corrupt>>()?;
            Ok(Name { text, values, series, pages })
        });
        let names = names.collect::<Result<Vec<_>, Corrupt>>()?;
        from.end()?;
        let sorted =
            names.is_sorted_by(|a, b| a.text < b.text) && names.iter().all(|n| n.pages.is_sorted_by(|a, b| a.0 < b.0));
        if sorted { Ok(Self { groups, times, names }) } else { Err(Corrupt) }
    }
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn text(from: &mut Cursor<'_>) -> Result<Box<str>, Corrupt> {
    let len = from.varint_to(from.0.len())?;
    std::str::from_utf8(from.take(len)?).map(Box::from).map_err(|_| Corrupt)
}

/// Appends what `text` does not share with the text before it.
pub(super) fn put_front_coded(out: &mut Vec<u8>, before: &[u8], text: &[u8]) {
    let shared = before.iter().zip(text).take_while(|(a, b)| a == b).count();
    put_varint(out, shared as u64);
    put_varint(out, (text.len() - shared) as u64);
    out.extend_from_slice(&text[shared..]);
}

/// Turns the text before into the next one.
pub(super) fn front_coded(from: &mut Cursor<'_>, text: &mut Vec<u8>) -> Result<(), Corrupt> {
    text.truncate(from.varint_to(text.len())?);
    let len = from.varint_to(LONGEST_KEY)?;
    text.extend_from_slice(from.take(len)?);
    Ok(())
}

/// A part as it is written: its length, then itself, by zstd if that is shorter.
pub(super) fn compress(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() / 2 + 16);
    if let Ok(small) = zstd::bulk::compress(raw, ZSTD_LEVEL)
        && small.len() + 4 < raw.len()
    {
        put_varint(&mut out, raw.len() as u64);
        out.extend_from_slice(&small);
    } else {
        out.push(0);
        out.extend_from_slice(raw);
    }
    out
}

/// The inverse of [`compress`].
pub(super) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let mut from = Cursor(bytes);
    match from.varint_to(LARGEST_PART)? {
        0 => Ok(from.0.to_vec()),
        len => {
            let raw = zstd::bulk::decompress(from.0, len).map_err(|_| Corrupt)?;
            if raw.len() == len { Ok(raw) } else { Err(Corrupt) }
        }
    }
}
