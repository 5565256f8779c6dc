//! Samples whose times and values follow from a number, so that whoever reads them back needs no
//! memory of what was sent.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use super::query;

/// Numbers in one request.
pub const PER_REQUEST: i64 = 25;
/// Milliseconds between two numbers.
const STEP: i64 = 100;

/// What each number gives: one sample per row. The last one goes backwards in time.
pub const SERIES: [(&str, i64); 5] = [("integer", 1), ("decimal", 1), ("noise", 1), ("state", 1), ("backfill", -1)];

/// The numbered samples around a moment.
pub struct Numbered {
    base: i64,
}

/// What reading back found wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub lost: usize,
    pub duplicated: usize,
    pub wrong: usize,
}

impl Numbered {
    pub fn new(base: i64) -> Self {
        Self { base }
    }

    /// A number's sample in a row of [`SERIES`].
    pub fn sample(&self, series: usize, number: i64) -> (i64, f64) {
        let value = match series {
            0 => number as f64,
            1 => (number * 7 % 100_000) as f64 / 100.0,
            // Any bits but those of infinities and NaN, all of which are alike in JSON.
            2 => f64::from_bits((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) & !(1 << 62)),
            3 => f64::from(number % 1_000 < 500),
            _ => -number as f64,
        };
        (self.base + SERIES[series].1 * number * STEP, value)
    }

    fn numbers(request: i64) -> Range<i64> {
        request * PER_REQUEST..(request + 1) * PER_REQUEST
    }

    /// A request in the text format.
    pub fn text(&self, request: i64) -> String {
        let mut text = String::new();
        for number in Self::numbers(request) {
            for (i, (name, _)) in SERIES.iter().enumerate() {
                let (t, v) = self.sample(i, number);
                writeln!(text, "numbered{{kind=\"{name}\"}} {v:?} {t}").unwrap();
            }
        }
        text
    }

    /// A request as a `WriteRequest` of remote write 1.0.
    pub fn protobuf(&self, request: i64) -> Vec<u8> {
        let mut message = Vec::new();
        for (i, (name, _)) in SERIES.iter().enumerate() {
            let mut series = Vec::new();
            for (name, value) in [("__name__", "numbered"), ("kind", name)] {
                let mut label = Vec::new();
                field(&mut label, 1, name.as_bytes());
                field(&mut label, 2, value.as_bytes());
                field(&mut series, 1, &label);
            }
            let mut samples: Vec<(i64, f64)> = Self::numbers(request).map(|n| self.sample(i, n)).collect();
            samples.sort_by_key(|s| s.0);
            for (t, v) in samples {
                let mut sample = vec![1 << 3 | 1];
                sample.extend_from_slice(&v.to_le_bytes());
                sample.push(2 << 3);
                varint(&mut sample, t.cast_unsigned());
                field(&mut series, 2, &sample);
            }
            field(&mut message, 1, &series);
        }
        message
    }

    /// Reads back what requests `from..acked` said, and perhaps request `acked`, whose answer nobody saw.
    pub fn check(&self, socket: &Path, from: i64, acked: i64) -> Faults {
        let mut faults = Faults::default();
        let (first, certain, last) = (from * PER_REQUEST, acked * PER_REQUEST, (acked + 1) * PER_REQUEST);
        for (i, (name, _)) in SERIES.iter().enumerate() {
            let ends = [self.sample(i, first).0, self.sample(i, last - 1).0];
            // A range is open on the left.
            let (start, end) = (ends[0].min(ends[1]) - 1, ends[0].max(ends[1]));
            let found = query(socket, &format!("numbered{{kind=\"{name}\"}}[{}ms]", end - start), end);
            assert!(found.len() <= 1, "{name}: {} series", found.len());
            let found = found.into_iter().flat_map(|(_, samples)| samples);
            self.judge(i, found, first..last, certain, &mut faults);
        }
        faults
    }

    /// What is wrong with samples that were found in a row of [`SERIES`]: numbers of `range` may be there,
    /// those below `certain` must.
    pub fn judge(
        &self,
        series: usize,
        found: impl Iterator<Item = (i64, f64)>,
        range: Range<i64>,
        certain: i64,
        faults: &mut Faults,
    ) {
        let mut seen = BTreeSet::new();
        for (t, v) in found {
            let number = (t - self.base) * SERIES[series].1 / STEP;
            let (known, value) = self.sample(series, number);
            if t != known || !range.contains(&number) || v.to_bits() != value.to_bits() {
                faults.wrong += 1;
            } else if !seen.insert(number) {
                faults.duplicated += 1;
            }
        }
        faults.lost += (range.start..certain).filter(|n| !seen.contains(n)).count();
    }
}

fn field(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
