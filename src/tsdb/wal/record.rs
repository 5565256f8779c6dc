//! What a WAL record holds, as bytes.
//!
//! A record decodes by itself: values are not differences to earlier records, so a lost record never
//! makes a later one wrong. Most values of monitoring are short decimals; those are stored as the
//! integer they are a power of ten away from.

use crate::base::sample::STALE_NAN;
use crate::tsdb::frame::{Input, put_varint, unzigzag, zigzag};

const SAMPLES: u8 = 1;
const DELETION: u8 = 2;

/// Powers of ten that values are tried with, by kind. Every second one: a byte more now and then costs
/// less than trying twice as many.
const POWERS: [f64; 5] = [1.0, 1e2, 1e4, 1e6, 1e9];
/// The upper bytes of the float, those that are not zero.
const KIND_BITS: u8 = 5;
const KIND_STALE: u8 = 6;
/// Set in the tag of a sample whose distance from the sample before it differs from the one before.
const NEW_STEP: u8 = 1 << 3;
/// Where the number of value bytes stands in the tag.
const LEN_SHIFT: u8 = 4;
/// Integers beyond this are not exact as floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes samples as the payload of one record.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    id: u64,
    time: i64,
    step: i64,
}

impl Encoder {
    /// Begins a payload.
    pub(crate) fn begin(out: &mut Vec<u8>) -> Self {
        out.push(SAMPLES);
        Self::default()
    }

    /// Adds the samples of one series; none add nothing.
    pub(crate) fn series(&mut self, out: &mut Vec<u8>, id: u64, samples: &[(i64, f64)]) {
        if samples.is_empty() {
            return;
        }
        let step = zigzag(id.wrapping_sub(self.id).wrapping_sub(1).cast_signed());
        self.id = id;
        if samples.len() == 1 {
            put_varint(out, step << 1);
        } else {
            put_varint(out, step << 1 | 1);
            put_varint(out, samples.len() as u64);
        }
        for &(t, v) in samples {
            self.sample(out, t, v);
        }
    }

    fn sample(&mut self, out: &mut Vec<u8>, t: i64, v: f64) {
        let step = t.wrapping_sub(self.time);
        self.time = t;
        let (kind, len, bytes) = value(v);
        if step == self.step {
            out.push(kind | len << LEN_SHIFT);
        } else {
            self.step = step;
            out.push(kind | len << LEN_SHIFT | NEW_STEP);
            put_varint(out, zigzag(step));
        }
        out.extend_from_slice(&bytes.to_le_bytes()[..usize::from(len)]);
    }
}

/// Kind, how many bytes, and the bytes of a value.
fn value(v: f64) -> (u8, u8, u64) {
    let bits = v.to_bits();
    let length = |n: u64| (8 - n.leading_zeros() as u8 / 8).min(8);
    if bits == STALE_NAN.to_bits() {
        return (KIND_STALE, 0, 0);
    }
    if v.abs() < EXACT {
        for (kind, power) in POWERS.iter().enumerate() {
            let scaled = v * power;
            let whole = (scaled + 0.5_f64.copysign(scaled)) as i64;
            // The quotient, bit for bit, is what the reader computes; a negative zero does not pass.
            if (whole as f64 / power).to_bits() == bits && scaled.abs() < EXACT {
                let n = zigzag(whole);
                return (kind as u8, length(n), n);
            }
        }
    }
    let len = 8 - bits.trailing_zeros() as u8 / 8;
    let shift = 64 - 8 * u32::from(len);
    (KIND_BITS, len, bits.checked_shr(shift).unwrap_or(0))
}

/// Decodes a value; `None` if no encoder wrote that.
fn unvalue(kind: u8, bytes: &[u8]) -> Option<f64> {
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let n = u64::from_le_bytes(wide);
    match kind {
        KIND_STALE => Some(STALE_NAN),
        KIND_BITS => Some(f64::from_bits(n.checked_shl(64 - 8 * bytes.len() as u32).unwrap_or(0))),
        0 => Some(unzigzag(n) as f64),
        _ => POWERS.get(usize::from(kind)).map(|power| unzigzag(n) as f64 / power),
    }
}

/// Writes a deletion as the payload of one record: samples of these series, in memory at this moment,
/// from one time to another, both inclusive.
pub(crate) fn encode_deletion(out: &mut Vec<u8>, ids: &[u64], from: i64, to: i64) {
    out.push(DELETION);
    put_varint(out, zigzag(from));
    put_varint(out, zigzag(to));
    let mut last = 0_u64;
    for &id in ids {
        put_varint(out, zigzag(id.wrapping_sub(last).cast_signed()));
        last = id;
    }
}

/// What a payload holds.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    /// Samples by series.
    Samples(Decoder<'a>),
    /// A deletion.
    Deletion {
        /// The series.
        ids: Vec<u64>,
        /// First time deleted.
        from: i64,
        /// Last time deleted.
        to: i64,
    },
}

/// Reads a payload; `None` when it is not one that this version writes.
pub(crate) fn decode(payload: &[u8]) -> Option<Record<'_>> {
    let mut input = Input(payload);
    match input.byte()? {
        SAMPLES => Some(Record::Samples(Decoder { input, id: 0, time: 0, step: 0 })),
        DELETION => {
            let (from, to) = (unzigzag(input.varint()?), unzigzag(input.varint()?));
            let (mut ids, mut last) = (Vec::new(), 0_u64);
            while !input.is_empty() {
                last = last.wrapping_add(unzigzag(input.varint()?).cast_unsigned());
                ids.push(last);
            }
            Some(Record::Deletion { ids, from, to })
        }
        _ => None,
    }
}

/// Reads samples, series by series.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    input: Input<'a>,
    id: u64,
    time: i64,
    step: i64,
}

/// A payload that passed its checksum but does not decode: written by something else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

impl Decoder<'_> {
    /// Replaces `samples` with those of the next series and returns its id; `None` at the end.
    ///
    /// # Errors
    /// The payload does not decode further.
    pub(crate) fn next(&mut self, samples: &mut Vec<(i64, f64)>) -> Result<Option<u64>, Garbled> {
        samples.clear();
        if self.input.is_empty() {
            return Ok(None);
        }
        self.series(samples).map(Some).ok_or(Garbled)
    }

    fn series(&mut self, samples: &mut Vec<(i64, f64)>) -> Option<u64> {
        let head = self.input.varint()?;
        self.id = self.id.wrapping_add(unzigzag(head >> 1).cast_unsigned()).wrapping_add(1);
        // No more is reserved than bytes are there: a sample takes at least one.
        let n = if head & 1 == 0 { 1 } else { self.input.varint()? };
        for _ in 0..n {
            let tag = self.input.byte()?;
            if tag & NEW_STEP != 0 {
                self.step = unzigzag(self.input.varint()?);
            }
            self.time = self.time.wrapping_add(self.step);
            let bytes = self.input.take(usize::from(tag >> LEN_SHIFT))?;
            samples.push((self.time, unvalue(tag & 7, bytes)?));
        }
        Some(self.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Samples = Vec<(u64, Vec<(i64, f64)>)>;

    fn through(all: &Samples) -> (Samples, usize) {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(&mut out);
        for (id, samples) in all {
            encoder.series(&mut out, *id, samples);
        }
        let Some(Record::Samples(mut decoder)) = decode(&out) else { panic!("not samples") };
        let (mut back, mut samples) = (Vec::new(), Vec::new());
        while let Some(id) = decoder.next(&mut samples).unwrap() {
            back.push((id, samples.clone()));
        }
        (back, out.len())
    }

    fn bits(all: &Samples) -> Vec<(u64, Vec<(i64, u64)>)> {
        all.iter().map(|(id, s)| (*id, s.iter().map(|(t, v)| (*t, v.to_bits())).collect())).collect()
    }

    #[test]
    fn values_that_monitoring_has_are_short() {
        #[track_caller]
        fn check(v: f64, most: u8) {
            let (kind, len, n) = value(v);
            assert!(len <= most, "{v} takes {len}");
            let back = unvalue(kind, &n.to_le_bytes()[..usize::from(len)]).unwrap();
            assert_eq!(back.to_bits(), v.to_bits(), "{v}");
        }
        check(0.0, 0);
        check(1.0, 1);
        check(-1.0, 1);
        check(99.5, 2);
        check(0.25, 1);
        check(12_345.67, 3);
        check(0.001_234_567, 3);
        check(17_179_869_184.0, 5);
        check(STALE_NAN, 0);
        check(-0.0, 1);
        check(f64::INFINITY, 2);
        check(f64::NAN, 2);
        check(f64::MAX, 8);
        check(f64::MIN_POSITIVE, 2);
        check(0.1 + 0.2, 8);
        check(EXACT, 2);
    }

    #[test]
    fn a_scrape_takes_two_bytes_and_the_value() {
        let scrape = (1..=1_000).map(|id| (id, vec![(1_763_900_000_000, 1.0)])).collect();
        let (back, len) = through(&scrape);
        assert_eq!(bits(&back), bits(&scrape));
        assert!(len < 3 * 1_000 + 20, "{len}");
    }

    proptest! {
        #[test]
        fn samples_come_back(
            all in prop::collection::vec(
                (0_u64..1 << 40, prop::collection::vec((any::<i64>(), any::<u64>().prop_map(f64::from_bits)), 1..5)),
                0..20,
            ),
        ) {
            prop_assert_eq!(bits(&through(&all).0), bits(&all));
        }

        #[test]
        fn decimals_come_back(n in -1_000_000_000_i64..1_000_000_000, places in 0_i32..10) {
            let v = n as f64 / 10_f64.powi(places);
            let all = vec![(1, vec![(0, v)])];
            prop_assert_eq!(bits(&through(&all).0), bits(&all));
        }

        #[test]
        fn deletions_come_back(ids in prop::collection::vec(any::<u64>(), 0..20), from: i64, to: i64) {
            let mut out = Vec::new();
            encode_deletion(&mut out, &ids, from, to);
            let Some(Record::Deletion { ids: back, from: f, to: t }) = decode(&out) else { panic!("not a deletion") };
            prop_assert_eq!((back, f, t), (ids, from, to));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            if let Some(Record::Samples(mut decoder)) = decode(&bytes) {
                let mut samples = Vec::new();
                while let Ok(Some(_)) = decoder.next(&mut samples) {}
            }
        }
    }
}
