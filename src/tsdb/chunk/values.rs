//! A column of floats as a column of integers, bit-exact.
//!
//! Monitoring values are mostly decimals with few digits: seconds with two or nine, bytes, percentages.
//! Scaled by the smallest power of ten that makes them whole they become small integers whose differences
//! pack well. Sums of decimals, such as the seconds of a histogram, are off by a few units in the last place:
//! these are a second column. Floats without such a scale are written as multiples of a power of two, or as
//! their bits in an order that rises with the value. What does not fit the scale of the rest (staleness markers, other
//! NaNs, infinities, −0, a stray value of more digits) is an exception: it is written beside, and its
//! place in the column is filled from its neighbours, so that it spoils nothing.
//!
//! ```text
//! tag (1 byte): bits 0–1 scale (0 decimal, 1 binary, 2 bits, 3 nearly decimal) · bit 2 exceptions follow · bits 3–7 power of ten
//! binary: power of two (2 bytes, signed)
//! integers · nearly decimal: units in the last place (integers)
//! exceptions: count (varint), each: places since the last one (varint) · code (1 byte) · code 0: 8 bytes
//! ```

use crate::base::sample::STALE_NAN;
use crate::tsdb::chunk::bits::{Cursor, put_varint};
use crate::tsdb::chunk::{Corrupt, Effort, ints};

/// Adding this to a float below 2^51 rounds it to an integer that stands in the low bits: cheaper than
/// converting, and done by vector instructions that every processor has.
const MAGIC: f64 = 6_755_399_441_055_744.0;
const MAGIC_BITS: i64 = MAGIC.to_bits() as i64;
const LIMIT: f64 = 2_251_799_813_685_248.0;

/// All exact as floats, so that dividing by one rounds once: what reading the decimal text would give.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

const EXCEPTIONS: u8 = 4;

/// Exceptions that have a code; code 0 is followed by the bits.
const KNOWN: [u64; 5] = [
    STALE_NAN.to_bits(),
    0x7ff8_0000_0000_0001, // the NaN that Prometheus calls normal
    f64::INFINITY.to_bits(),
    f64::NEG_INFINITY.to_bits(),
    (-0.0_f64).to_bits(),
];

/// What turns integers into floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// x / 10^n
    Decimal(u8),
    /// x · 2^n
    Binary(i16),
    /// The float whose ordered bits are x.
    Bits,
    /// x / 10^n, and some units in the last place.
    Nearly(u8),
}

/// A [`Scale`] without its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// See [`Scale::Decimal`].
    Decimal = 0,
    /// See [`Scale::Binary`].
    Binary = 1,
    /// See [`Scale::Bits`].
    Bits = 2,
    /// See [`Scale::Nearly`].
    Nearly = 3,
}

impl Kind {
    /// What a tag says.
    pub(super) const fn of(tag: u8) -> Self {
        match tag & 3 {
            0 => Self::Decimal,
            1 => Self::Binary,
            2 => Self::Bits,
            _ => Self::Nearly,
        }
    }
}

/// Appends a column, whose length is remembered elsewhere.
pub(super) fn encode(values: &[f64], effort: Effort, out: &mut Vec<u8>) {
    let Some(&first) = values.first() else { return };
    // A constant is a column of one that is read as often as needed.
    let constant = values.iter().all(|v| v.to_bits() == first.to_bits());
    let values = if constant { &values[..1] } else { values };
    let mut exceptions = Vec::new();
    let mut numbers = vec![0; values.len()];
    let scale = choose(values, &mut numbers, &mut exceptions);
    let start = out.len();
    head(scale, !exceptions.is_empty(), out);
    ints::encode(&numbers, effort, out);
    let digitless = matches!(scale, Scale::Bits | Scale::Binary(_)) && exceptions.is_empty();
    if effort == Effort::Dense
        && digitless
        && let Some(smaller) = nearly_decimal(values, out.len() - start)
    {
        out.truncate(start);
        out.extend_from_slice(&smaller);
    }
    if !exceptions.is_empty() {
        put_varint(out, exceptions.len() as u64);
        let mut next = 0;
        for &at in &exceptions {
            put_varint(out, (at - next) as u64);
            next = at + 1;
            let bits = values[at].to_bits();
            match KNOWN.iter().position(|k| *k == bits) {
                Some(code) => out.push(code as u8 + 1),
                None => {
                    out.push(0);
                    out.extend_from_slice(&bits.to_le_bytes());
                }
            }
        }
    }
}

fn head(scale: Scale, exceptions: bool, out: &mut Vec<u8>) {
    let (kind, power) = match scale {
        Scale::Decimal(n) => (Kind::Decimal, n),
        Scale::Binary(_) => (Kind::Binary, 0),
        Scale::Bits => (Kind::Bits, 0),
        Scale::Nearly(n) => (Kind::Nearly, n),
    };
    out.push(kind as u8 | if exceptions { EXCEPTIONS } else { 0 } | power << 3);
    if let Scale::Binary(n) = scale {
        out.extend_from_slice(&n.to_le_bytes());
    }
}

/// The values as decimals and units in the last place, if that is shorter than `than` bytes.
fn nearly_decimal(values: &[f64], than: usize) -> Option<Vec<u8>> {
    /// Rounding errors of many additions are hundreds of units; numbers without digits are off by far more.
    const MOST_UNITS: u64 = 1 << 12;
    /// Powers to try from the first that fits on: with large values even too small a power fits.
    const TRIED: usize = 3;
    /// Beyond picoseconds any number fits.
    const FINEST: usize = 13;
    let encode = |power: usize, effort: Effort| {
        let (mut numbers, mut units) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for &v in values {
            let scaled = v * POWERS[power];
            let rounded = scaled + MAGIC;
            let near = (rounded - MAGIC) / POWERS[power];
            let off = ordered(v.to_bits() as i64).wrapping_sub(ordered(near.to_bits() as i64));
            if scaled.is_nan() || scaled.abs() >= LIMIT || off.unsigned_abs() > MOST_UNITS {
                return None;
            }
            numbers.push((rounded.to_bits() as i64).wrapping_sub(MAGIC_BITS));
            units.push(off);
        }
        let mut out = Vec::with_capacity(than);
        head(Scale::Nearly(power as u8), false, &mut out);
        ints::encode(&numbers, effort, &mut out);
        ints::encode(&units, effort, &mut out);
        Some(out)
    };
    let fitting = (0..FINEST).filter_map(|power| Some((encode(power, Effort::Fast)?.len(), power)));
    let (size, power) = fitting.take(TRIED).min()?;
    // What fast packing does not bring near, frequencies will not bring below.
    if size > than + than / 8 {
        return None;
    }
    encode(power, Effort::Dense).filter(|out| out.len() < than)
}

/// Fills `numbers`, and `exceptions` with the places of values that the scale does not reach.
fn choose(values: &[f64], numbers: &mut [i64], exceptions: &mut Vec<usize>) -> Scale {
    // An exception costs about ten bytes, a bit-packed float about seven.
    let tolerated = values.len() / 8;
    if let Some(power) = decimal_power(values) {
        let misfits = scale_decimal(values, power, numbers);
        if misfits <= tolerated {
            if misfits > 0 {
                let fits = |v: f64| fits_decimal(v, POWERS[usize::from(power)]);
                except(values, numbers, exceptions, fits);
            }
            return Scale::Decimal(power);
        }
    }
    let strange = values.iter().filter(|v| !v.is_finite()).count();
    if strange > 0 && strange <= tolerated {
        for (x, v) in numbers.iter_mut().zip(values) {
            *x = ordered(v.to_bits() as i64);
        }
        except(values, numbers, exceptions, f64::is_finite);
        return Scale::Bits;
    }
    if strange == 0
        && let Some(power) = scale_binary(values, numbers)
    {
        return Scale::Binary(power);
    }
    for (x, v) in numbers.iter_mut().zip(values) {
        *x = ordered(v.to_bits() as i64);
    }
    Scale::Bits
}

/// Notes what does not fit and puts its number on the line between its neighbours, where it disturbs
/// differences of any order least.
fn except(values: &[f64], numbers: &mut [i64], exceptions: &mut Vec<usize>, fits: impl Fn(f64) -> bool) {
    let mut next = 0;
    while let Some(from) = (next..values.len()).find(|i| !fits(values[*i])) {
        let to = (from..values.len()).find(|i| fits(values[*i])).unwrap_or(values.len());
        exceptions.extend(from..to);
        let right = numbers.get(to).copied();
        let left = from.checked_sub(1).map(|i| numbers[i]);
        let (left, right) = (left.or(right).unwrap_or(0), right.or(left).unwrap_or(0));
        let rise = (i128::from(right) - i128::from(left)) / (to - from + 1) as i128;
        (from..to).zip(1..).for_each(|(i, steps)| numbers[i] = left.wrapping_add((rise * steps) as i64));
        next = to;
    }
}

#[inline]
fn fits_decimal(v: f64, power: f64) -> bool {
    let scaled = v * power;
    let whole = (scaled + MAGIC) - MAGIC;
    scaled.abs() < LIMIT && (whole / power).to_bits() == v.to_bits()
}

/// The smallest power of ten that makes nearly all values whole, judged by a sample of them.
fn decimal_power(values: &[f64]) -> Option<u8> {
    const SAMPLE: usize = 32;
    /// A prime, so that all places are reached, and the sample keeps no step with what repeats: every fifth value
    /// of a counter of fifths is whole.
    const STRIDE: usize = 10_007;
    let (mut power, mut seen, mut misfits) = (0, 0, 0);
    for v in (0..values.len().min(SAMPLE)).map(|i| &values[i * STRIDE % values.len()]) {
        seen += 1;
        match (power..POWERS.len()).find(|p| fits_decimal(*v, POWERS[*p])) {
            Some(p) => power = p,
            None => misfits += 1,
        }
    }
    // Staleness markers at every sampled place would be chance; floats without digits are not.
    if misfits * 4 > seen { None } else { Some(power as u8) }
}

/// Scales all values, counts those that do not come back.
fn scale_decimal(values: &[f64], power: u8, numbers: &mut [i64]) -> usize {
    let power = POWERS[usize::from(power)];
    let mut misfits = 0;
    for (x, &v) in numbers.iter_mut().zip(values) {
        let scaled = v * power;
        let rounded = scaled + MAGIC;
        *x = (rounded.to_bits() as i64).wrapping_sub(MAGIC_BITS);
        let fits = (scaled.abs() < LIMIT) & (((rounded - MAGIC) / power).to_bits() == v.to_bits());
        misfits += usize::from(!fits);
    }
    misfits
}

/// Writes finite values as multiples of a power of two, if 2^53 multiples are enough.
fn scale_binary(values: &[f64], numbers: &mut [i64]) -> Option<i16> {
    /// A float as ± mantissa · 2^exponent, the mantissa odd.
    fn parts(v: f64) -> (i64, i32) {
        let bits = v.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i32;
        let fraction = (bits & ((1 << 52) - 1)) as i64;
        let (mantissa, exponent) =
            if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
        let zeros = mantissa.trailing_zeros();
        let signed = if v.is_sign_negative() { -(mantissa >> zeros) } else { mantissa >> zeros };
        (signed, exponent + zeros as i32)
    }
    let mut lowest = i32::MAX;
    for &v in values {
        if v == 0.0 {
            if v.is_sign_negative() {
                return None;
            }
        } else {
            lowest = lowest.min(parts(v).1);
        }
    }
    // Beyond these the power itself is no normal float.
    if !(-1_000..=1_000).contains(&lowest) {
        return None;
    }
    for (x, &v) in numbers.iter_mut().zip(values) {
        if v == 0.0 {
            *x = 0;
            continue;
        }
        let (mantissa, exponent) = parts(v);
        let shift = (exponent - lowest) as u32;
        if shift + 64 - mantissa.unsigned_abs().leading_zeros() > 53 {
            return None;
        }
        *x = mantissa << shift;
    }
    i16::try_from(lowest).ok()
}

/// Maps the bits of a float to an integer that rises with it. Its own inverse.
const fn ordered(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// Appends `n` values.
pub(super) fn decode(from: &mut Cursor<'_>, n: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    if n == 0 {
        return Ok(());
    }
    let tag = from.byte()?;
    let start = out.len();
    out.reserve(n);
    match tag & 3 {
        scale @ (0 | 3) => {
            let power = *POWERS.get(usize::from(tag >> 3)).ok_or(Corrupt)?;
            let whole = |x: i64| f64::from_bits(x.wrapping_add(MAGIC_BITS) as u64) - MAGIC;
            if power == 1.0 {
                ints::decode(from, n, |xs| out.extend(xs.iter().map(|x| whole(*x))))?;
            } else {
                ints::decode(from, n, |xs| out.extend(xs.iter().map(|x| whole(*x) / power)))?;
            }
            if scale == 3 {
                let mut rest = &mut out[start..];
                ints::decode(from, n, |units| {
                    let (now, later) = std::mem::take(&mut rest).split_at_mut(units.len());
                    for (v, off) in now.iter_mut().zip(units) {
                        *v = f64::from_bits(ordered(ordered(v.to_bits() as i64).wrapping_add(*off)) as u64);
                    }
                    rest = later;
                })?;
            }
        }
        1 => {
            let power = i16::from_le_bytes([from.byte()?, from.byte()?]);
            if !(-1_000..=1_000).contains(&power) {
                return Err(Corrupt);
            }
            let power = f64::from_bits(((i64::from(power) + 1_023) as u64) << 52);
            ints::decode(from, n, |xs| out.extend(xs.iter().map(|x| *x as f64 * power)))?;
        }
        _ => ints::decode(from, n, |xs| out.extend(xs.iter().map(|x| f64::from_bits(ordered(*x) as u64))))?,
    }
    if tag & EXCEPTIONS != 0 {
        let count = from.varint_to(n)?;
        let mut next = start;
        for _ in 0..count {
            let at = next + from.varint_to(n)?;
            let bits = match from.byte()? {
                0 => from.u64()?,
                code => *KNOWN.get(usize::from(code) - 1).ok_or(Corrupt)?,
            };
            *out.get_mut(at).ok_or(Corrupt)? = f64::from_bits(bits);
            next = at + 1;
        }
    }
    Ok(())
}
