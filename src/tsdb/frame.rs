//! Frames: how records stand in an append-only file, so that damage stays where it is.
//!
//! A file begins with a header (magic and version, the file's number, checksum). Each record is a marker,
//! a length, a checksum and the payload. The checksum also covers the file's number and the record's
//! position: bytes of another file or another place, stale or forged, never pass. After damage the
//! reader looks for the next marker whose record proves itself. See `docs/formats/wal.md`.

use std::ops::Range;

/// Bytes before the first record.
pub(crate) const HEADER: usize = 24;
/// Bytes before a payload.
pub(crate) const PREFIX: usize = 12;
/// Longest payload. Longer appends become several records.
pub(crate) const LONGEST: usize = 4 << 20;
/// Begins each record. High bits are set, so that text never looks like one.
const MARKER: u32 = 0xD7A5_C3F1;
/// When looking for the next record, checksums are computed over at most this many times the length of
/// the file: a file full of markers cannot keep us busy.
const SEARCH_FACTOR: usize = 16;

/// The header of a file: `magic` names its kind and version.
pub(crate) fn header(magic: [u8; 8], number: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&magic);
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..16]);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The file's number.
    Good(u64),
    /// Of our kind, in a version that this program does not know.
    Version(u8),
    /// Damaged, or not of our kind.
    Bad,
}

/// Reads a header.
pub(crate) fn read_header(bytes: &[u8], magic: [u8; 8]) -> Header {
    let (Some(start), Some(number), Some(crc)) = (bytes.get(..16), u64_at(bytes, 8), u32_at(bytes, 16)) else {
        return Header::Bad;
    };
    if crc32fast::hash(start) != crc || start[..7] != magic[..7] {
        return Header::Bad;
    }
    if start[7] == magic[7] { Header::Good(number) } else { Header::Version(start[7]) }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes)
}

fn checksum(number: u64, at: u64, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&number.to_le_bytes());
    crc.update(&at.to_le_bytes());
    crc.update(&(payload.len() as u64).to_le_bytes());
    crc.update(payload);
    crc.finalize()
}

/// Leaves room for the prefix of a record at the end of `out`; returns where.
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.resize(at + PREFIX, 0);
    at
}

/// Closes the record begun at `begun`. `base` is the position in the file of the first byte of `out`.
pub(crate) fn end(out: &mut [u8], begun: usize, number: u64, base: u64) {
    let payload = begun + PREFIX;
    let crc = checksum(number, base + begun as u64, &out[payload..]);
    let len = out.len() - payload;
    out[begun..begun + 4].copy_from_slice(&MARKER.to_le_bytes());
    out[begun + 4..begun + 8].copy_from_slice(&(len as u32).to_le_bytes());
    out[begun + 8..payload].copy_from_slice(&crc.to_le_bytes());
}

/// The payload of the record at `at`, when it stands.
fn record(bytes: &[u8], number: u64, at: usize) -> Option<Range<usize>> {
    if u32_at(bytes, at)? != MARKER {
        return None;
    }
    let len = u32_at(bytes, at + 4)? as usize;
    let (start, end) = (at + PREFIX, (at + PREFIX).checked_add(len)?);
    if len > LONGEST * 2 || end > bytes.len() {
        return None;
    }
    (checksum(number, at as u64, &bytes[start..end]) == u32_at(bytes, at + 8)?).then_some(start..end)
}

/// One step through a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The payload of a record.
    Record(Range<usize>),
    /// Bytes that are no record, with a good record after them.
    Damaged(Range<usize>),
    /// The rest of the file, an unfinished record: what a crash leaves.
    Torn(Range<usize>),
}

/// The records of a file, with what is not one.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    number: u64,
    at: usize,
}

impl<'a> Frames<'a> {
    /// Reads `bytes`, a whole file of the given number.
    pub(crate) const fn new(bytes: &'a [u8], number: u64) -> Self {
        Self { bytes, number, at: HEADER }
    }

    /// The next position from which a record stands, if any.
    fn search(&self, from: usize) -> Option<usize> {
        let mut budget = self.bytes.len().saturating_mul(SEARCH_FACTOR);
        let marker = MARKER.to_le_bytes();
        let mut at = from;
        while let Some(found) = self.bytes.get(at..)?.windows(4).position(|w| w == marker) {
            at += found;
            let len = u32_at(self.bytes, at + 4)? as usize;
            if at.saturating_add(PREFIX).saturating_add(len) <= self.bytes.len() {
                budget = budget.checked_sub(len)?;
                if record(self.bytes, self.number, at).is_some() {
                    return Some(at);
                }
            }
            at += 1;
        }
        None
    }

    /// Whether what stands at `at` is the beginning of a record that ends beyond the file.
    fn is_cut(&self, at: usize) -> bool {
        let rest = &self.bytes[at..];
        let marker = MARKER.to_le_bytes();
        let seen = rest.len().min(4);
        rest[..seen] == marker[..seen]
            && u32_at(rest, 4).is_none_or(|len| len as usize <= LONGEST * 2 && rest.len() < PREFIX + len as usize)
    }
}

impl Iterator for Frames<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let at = self.at;
        if at >= self.bytes.len() {
            return None;
        }
        if let Some(payload) = record(self.bytes, self.number, at) {
            self.at = payload.end;
            return Some(Step::Record(payload));
        }
        match self.search(at + 1) {
            Some(next) => {
                self.at = next;
                Some(Step::Damaged(at..next))
            }
            None => {
                self.at = self.bytes.len();
                let rest = at..self.bytes.len();
                Some(if self.is_cut(at) { Step::Torn(rest) } else { Step::Damaged(rest) })
            }
        }
    }
}

/// Appends a number, seven bits a byte, lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Signed to unsigned, small stays small.
pub(crate) const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) const fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Reads what the `put_*` functions wrote; every read may fail.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// A number.
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    /// As many bytes.
    pub(crate) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    /// A length and that many bytes.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = usize::try_from(self.varint()?).ok()?;
        self.take(n)
    }

    /// A length and that much text.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// Whether nothing is left.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAGIC: [u8; 8] = *b"WDtest\0\x01";

    fn file(payloads: &[&[u8]]) -> Vec<u8> {
        let mut out = header(MAGIC, 7).to_vec();
        for p in payloads {
            let at = begin(&mut out);
            out.extend_from_slice(p);
            end(&mut out, at, 7, 0);
        }
        out
    }

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, usize, usize) {
        let (mut good, mut damaged, mut torn) = (Vec::new(), 0, 0);
        for step in Frames::new(bytes, 7) {
            match step {
                Step::Record(r) => good.push(bytes[r].to_vec()),
                Step::Damaged(_) => damaged += 1,
                Step::Torn(_) => torn += 1,
            }
        }
        (good, damaged, torn)
    }

    #[test]
    fn a_file_cut_anywhere_gives_a_prefix() {
        let payloads = [b"one".as_slice(), b"", &[0xff; 300], b"last"];
        let whole = file(&payloads);
        let mut ends = vec![HEADER];
        payloads.iter().for_each(|p| ends.push(ends[ends.len() - 1] + PREFIX + p.len()));
        for cut in HEADER..=whole.len() {
            let complete = ends.iter().filter(|e| **e <= cut).count() - 1;
            let (good, damaged, torn) = read(&whole[..cut]);
            assert_eq!(good, payloads[..complete], "cut at {cut}");
            assert_eq!((damaged, torn), (0, usize::from(!ends.contains(&cut))), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_one_record() {
        let payloads = [b"one".as_slice(), b"second", &[0xd7; 300], b"last"];
        let whole = file(&payloads);
        for bit in HEADER * 8..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (good, damaged, torn) = read(&bytes);
            assert_eq!(good.len(), 3, "bit {bit}");
            assert!(good.iter().all(|g| payloads.contains(&g.as_slice())));
            assert_eq!(damaged + torn, 1);
        }
    }

    #[test]
    fn records_of_another_place_or_file_do_not_pass() {
        let whole = file(&[b"one", b"two"]);
        assert!(Frames::new(&whole, 8).all(|s| !matches!(s, Step::Record(_))));
        let mut moved = whole.clone();
        moved.insert(HEADER, 0);
        assert!(Frames::new(&moved, 7).all(|s| !matches!(s, Step::Record(_))));
    }

    #[test]
    fn headers_name_number_and_version() {
        let mut bytes = header(MAGIC, 9);
        assert_eq!(read_header(&bytes, MAGIC), Header::Good(9));
        assert_eq!(read_header(&header(*b"WDtest\0\x02", 9), MAGIC), Header::Version(2));
        assert_eq!(read_header(&bytes[..19], MAGIC), Header::Bad);
        bytes[9] ^= 1;
        assert_eq!(read_header(&bytes, MAGIC), Header::Bad);
    }

    proptest! {
        #[test]
        fn numbers_come_back(n: u64, z: i64) {
            let mut out = Vec::new();
            put_varint(&mut out, n);
            put_varint(&mut out, zigzag(z));
            let mut input = Input(&out);
            prop_assert_eq!(input.varint(), Some(n));
            prop_assert_eq!(input.varint().map(unzigzag), Some(z));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = read(&bytes);
            let _ = Input(&bytes).text();
        }
    }
}
