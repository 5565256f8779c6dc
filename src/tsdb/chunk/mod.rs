//! Compressed chunks of the samples of one series. Format: `docs/formats/chunk.md`.
//!
//! Bit-exact for every float; times rise strictly. A chunk has no checksum of its own: whoever stores it
//! keeps one. Damaged bytes give [`Corrupt`] or other samples, never a panic, and never more of them than
//! [`MAX_SAMPLES`].
//!
//! Times and values can also be written apart, so that series scraped together share one column of times.

mod bins;
mod bits;
mod blocks;
mod encoding;
mod huffman;
mod ints;
mod values;

use crate::base::sample::Column;
pub(crate) use crate::tsdb::chunk::bits::{Cursor, put_varint, unzigzag, zigzag};
pub use crate::tsdb::chunk::encoding::Encoding;

/// Most samples of one chunk. It bounds the memory that a damaged length can ask for.
pub const MAX_SAMPLES: usize = 1 << 16;

/// How much time to spend on making a chunk small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For the head: the first encoding that fits.
    Fast,
    /// For files: the smallest of all encodings.
    Dense,
}

/// The bytes are not a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunk is damaged")]
pub struct Corrupt;

/// Appends a chunk of samples to `out`. Both columns have the same length, at most [`MAX_SAMPLES`].
///
/// # Panics
/// The columns differ in length or are too long.
pub fn encode(t: &[i64], v: &[f64], effort: Effort, out: &mut Vec<u8>) {
    assert_eq!(t.len(), v.len(), "columns of one length");
    encode_times(t, effort, out);
    encode_values(v, effort, out);
}

/// Appends the samples of a chunk to `out`; all of the bytes must belong to it. After an error `out` is as before.
///
/// # Errors
/// The bytes are damaged.
pub fn decode(bytes: &[u8], out: &mut Column) -> Result<(), Corrupt> {
    let (t, v) = (out.t.len(), out.v.len());
    let mut from = Cursor(bytes);
    let result = times(&mut from, &mut out.t).and_then(|n| values::decode(&mut from, n, &mut out.v));
    let result = result.and_then(|()| from.end());
    if result.is_err() {
        out.t.truncate(t);
        out.v.truncate(v);
    }
    result
}

/// How many samples a chunk, or a column of times, says it has.
///
/// # Errors
/// The bytes are damaged.
pub fn count(bytes: &[u8]) -> Result<usize, Corrupt> {
    Cursor(bytes).varint_to(MAX_SAMPLES)
}

/// Appends a column of times to `out`.
///
/// # Panics
/// It is longer than [`MAX_SAMPLES`].
pub fn encode_times(t: &[i64], effort: Effort, out: &mut Vec<u8>) {
    assert!(t.len() <= MAX_SAMPLES, "a chunk of at most {MAX_SAMPLES} samples");
    put_varint(out, t.len() as u64);
    ints::encode(t, effort, out);
}

/// Appends the times of a column to `out`. After an error `out` is as before.
///
/// # Errors
/// The bytes are damaged.
pub fn decode_times(bytes: &[u8], out: &mut Vec<i64>) -> Result<(), Corrupt> {
    let start = out.len();
    let mut from = Cursor(bytes);
    let result = times(&mut from, out).and_then(|_| from.end());
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn times(from: &mut Cursor<'_>, out: &mut Vec<i64>) -> Result<usize, Corrupt> {
    let n = from.varint_to(MAX_SAMPLES)?;
    let start = out.len();
    out.reserve(n);
    ints::decode(from, n, |t| out.extend_from_slice(t))?;
    // Whoever searches in times relies on their order.
    if out[start..].is_sorted_by(|a, b| a < b) { Ok(n) } else { Err(Corrupt) }
}

/// Appends a column of values to `out`. Its length is not written.
///
/// # Panics
/// It is longer than [`MAX_SAMPLES`].
pub fn encode_values(v: &[f64], effort: Effort, out: &mut Vec<u8>) {
    assert!(v.len() <= MAX_SAMPLES, "a chunk of at most {MAX_SAMPLES} samples");
    values::encode(v, effort, out);
}

/// Appends `n` values of a column to `out`. After an error `out` is as before.
///
/// # Errors
/// The bytes are damaged.
pub fn decode_values(bytes: &[u8], n: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    if n > MAX_SAMPLES {
        return Err(Corrupt);
    }
    let start = out.len();
    let mut from = Cursor(bytes);
    let result = values::decode(&mut from, n, out).and_then(|()| from.end());
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends a column of integers, packed as times are. Its length is not written.
pub(crate) fn encode_numbers(xs: &[i64], out: &mut Vec<u8>) {
    ints::encode(xs, Effort::Fast, out);
}

/// Gives `n` integers of a column to `sink`, some at a time.
pub(crate) fn decode_numbers(bytes: &[u8], n: usize, sink: impl FnMut(&[i64])) -> Result<(), Corrupt> {
    let mut from = Cursor(bytes);
    ints::decode(&mut from, n, sink)?;
    from.end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::sample::STALE_NAN;

    #[track_caller]
    fn comes_back(t: &[i64], v: &[f64]) -> usize {
        let mut len = 0;
        for effort in [Effort::Fast, Effort::Dense] {
            let mut bytes = Vec::new();
            encode(t, v, effort, &mut bytes);
            let mut out = Column::default();
            out.push(i64::MIN, 7.0);
            decode(&bytes, &mut out).unwrap();
            assert_eq!(out.t[1..], *t);
            let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&out.v[1..]), bits(v));
            assert_eq!(count(&bytes), Ok(t.len()));
            len = bytes.len();
        }
        len
    }

    fn grid(n: usize) -> Vec<i64> {
        (0..n as i64).map(|i| 1_760_000_000_000 + i * 15_000).collect()
    }

    /// Values of all kinds, the adversarial among them.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-1_000_i64..1_000).prop_map(|x| x as f64),
            4 => (0_i64..100_000).prop_map(|x| x as f64 / 100.0),
            1 => any::<u64>().prop_map(f64::from_bits),
            1 => any::<f64>(),
            1 => (0_u64..1 << 51).prop_map(|m| f64::from_bits(0x7ff8_0000_0000_0000 | m)),
            1 => prop::sample::select(vec![
                STALE_NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE, 5e-324, f64::MAX,
                f64::MIN, 1e15, 1e22, 2_251_799_813_685_247.0, 2_251_799_813_685_248.0, 9_007_199_254_740_993.0, 0.1,
            ]),
        ]
    }

    /// Columns of one kind, as series are.
    fn column() -> impl Strategy<Value = Vec<f64>> {
        let n = 0..300_usize;
        prop_oneof![
            prop::collection::vec(value(), n.clone()),
            prop::collection::vec(any::<f64>(), n.clone()),
            prop::collection::vec(any::<u64>().prop_map(f64::from_bits), n.clone()),
            (value(), n.clone()).prop_map(|(v, n)| vec![v; n]),
            (prop::collection::vec(0_u32..50, n.clone()), 0..10, any::<u16>()).prop_map(|(steps, digits, reset)| {
                let mut x = 0_i64;
                let power = 10_f64.powi(digits);
                steps
                    .iter()
                    .enumerate()
                    .map(|(i, s)| {
                        x = if i == usize::from(reset) % 300 { 0 } else { x + i64::from(*s) };
                        x as f64 / power
                    })
                    .collect()
            }),
            (prop::collection::vec(value(), 1..4), prop::collection::vec(0..64_usize, n))
                .prop_map(|(few, picks)| picks.iter().map(|p| few[p.saturating_sub(60) % few.len()]).collect()),
        ]
    }

    fn rising() -> impl Strategy<Value = Vec<i64>> {
        prop_oneof![
            prop::collection::btree_set(any::<i64>(), 300).prop_map(|t| t.into_iter().collect()),
            (any::<i32>(), 1..100_000_i64).prop_map(|(t, step)| (0..300).map(|i| i64::from(t) + i * step).collect()),
            (prop::collection::vec(1..30_000_i64, 300)).prop_map(|steps| {
                steps
                    .iter()
                    .scan(0, |t, s| {
                        *t += s;
                        Some(*t)
                    })
                    .collect()
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn any_samples_come_back(v in column(), t in rising()) {
            comes_back(&t[..v.len()], &v);
        }

        #[test]
        fn damaged_bytes_give_an_error_or_samples(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Column::default();
            if decode(&bytes, &mut out).is_err() {
                assert!(out.is_empty());
            }
            assert_eq!(out.t.len(), out.v.len());
        }

        #[test]
        fn a_flipped_bit_gives_an_error_or_samples(v in column(), t in rising(), at in any::<u32>()) {
            for effort in [Effort::Fast, Effort::Dense] {
                let mut bytes = Vec::new();
                encode(&t[..v.len()], &v, effort, &mut bytes);
                let bit = at as usize % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                let mut out = Column::default();
                let _ = decode(&bytes, &mut out);
                assert_eq!(out.t.len(), out.v.len());
            }
        }
    }

    #[test]
    fn no_samples_are_a_chunk() {
        comes_back(&[], &[]);
    }

    #[test]
    fn what_follows_a_pattern_costs_next_to_nothing() {
        let t = grid(480);
        assert!(comes_back(&t, &[1.0; 480]) < 20);
        assert!(comes_back(&t, &(0..480).map(|i| f64::from(i) * 12.5).collect::<Vec<_>>()) < 30);
        let mut states = vec![1.0; 480];
        states[200..230].fill(0.0);
        assert!(comes_back(&t, &states) < 60);
    }

    #[test]
    fn a_staleness_marker_or_reset_spoils_nothing() {
        let t = grid(480);
        let mut v: Vec<f64> = (0..480).map(|i| f64::from(i * 1_000 + i * i % 13)).collect();
        let clean = comes_back(&t, &v);
        v[100] = STALE_NAN;
        v[101] = STALE_NAN;
        let stale = comes_back(&t, &v);
        assert!(stale < clean + 16, "{clean} → {stale}");
        (300..480).for_each(|i| v[i] -= v[299]);
        let reset = comes_back(&t, &v);
        assert!(reset < stale + 16, "{stale} → {reset}");
    }

    #[test]
    fn series_of_every_kind_come_back_and_dense_is_smallest() {
        use crate::tsdb::nodes::Kind::{Constant, Counter, Duration, Idle, Load, Pages, Random, State, Sum};
        #[track_caller]
        fn check(kind: crate::tsdb::nodes::Kind, most: f64) {
            const N: usize = 480;
            for n in [1, 2, 3, 24, 63, 64, 65, 66, 129, N] {
                comes_back(&grid(n), &kind.values(n as u64, n));
            }
            let values = kind.values(1, N);
            let size = |effort| {
                let mut bytes = Vec::new();
                encode_values(&values, effort, &mut bytes);
                bytes.len()
            };
            assert!(size(Effort::Dense) <= size(Effort::Fast));
            // What is measured in the format's description, with room for chance.
            let per_sample = size(Effort::Dense) as f64 / N as f64;
            assert!(per_sample < most, "{per_sample} bytes per sample of {kind:?}");
        }
        check(Counter { pace: 4e6, noise: 0.4, scale: 1.0 }, 3.1);
        check(Counter { pace: 30.0, noise: 0.5, scale: 1.0 }, 0.9);
        check(Counter { pace: 120.0, noise: 0.3, scale: 100.0 }, 1.1);
        check(Idle { rest: 0.97, pace: 1.0, scale: 1.0 }, 0.12);
        check(Pages { start: 4e9, step: 300.0, moves: 0.9 }, 1.4);
        check(Load, 0.7);
        check(Duration(0.004), 2.9);
        check(State(0.02), 0.1);
        check(Constant(3.0), 0.01);
        check(Sum(0.8), 5.9);
        check(Random, 7.2);
    }

    #[test]
    fn sums_of_decimals_are_nearly_decimal() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut sum = 0.0;
        let v: Vec<f64> = (0..480)
            .map(|_| {
                sum += f64::from(rng.u32(0..100_000_000)) / 1e9;
                sum
            })
            .collect();
        let len = comes_back(&grid(480), &v);
        assert!(len < 480 * 9 / 2, "{len} bytes");
    }

    #[test]
    fn a_short_input_does_not_ask_for_much_memory() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::from(u32::MAX));
        bytes.extend([0; 40]);
        assert_eq!(decode(&bytes, &mut Column::default()), Err(Corrupt));
    }
}
