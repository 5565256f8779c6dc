//! A column of integers: a first number, a common divisor, differences of order 0, 1 or 2, packed.
//!
//! All arithmetic wraps, so that every column of 64-bit integers comes back, whatever its range.
//!
//! ```text
//! head (1 byte): bits 0–1 order · bit 2 a divisor follows · bits 3–4 packing
//! first number x₀ (zigzag varint) · divisor g (varint) · order 2: first difference (zigzag varint)
//! residuals, as the packing says
//! ```
//!
//! With y = (x − x₀) / g, the residuals of order 0 are y₁ … yₙ₋₁, of order 1 their differences from the
//! number before, of order 2 the differences of those, from the second on.

use crate::tsdb::chunk::bins::{self, Bins};
use crate::tsdb::chunk::bits::{BLOCK, Cursor, put_varint, unzigzag, width, zigzag};
use crate::tsdb::chunk::blocks::{self, Blocks};
use crate::tsdb::chunk::{Corrupt, Effort};

const DIVISOR: u8 = 4;

/// Bins are taken when they are smaller than blocks by one part in so many: they take longer to read.
const BINS_MUST_SAVE: usize = 32;

/// How residuals are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Packing {
    /// All zero, and left out.
    None = 0,
    /// [`blocks`].
    Blocks = 1,
    /// [`bins`].
    Bins = 2,
}

/// Appends a column, whose length is remembered elsewhere.
pub(super) fn encode(xs: &[i64], effort: Effort, out: &mut Vec<u8>) {
    let Some(&first) = xs.first() else { return };
    let mut ys: Vec<i64> = xs.iter().map(|x| x.wrapping_sub(first)).collect();
    let divisor = common_divisor(&ys);
    if divisor == 0 {
        // Constant.
        return head(0, Packing::None, first, 1, out);
    }
    if divisor > 1 {
        divide(&mut ys, divisor);
    }
    let bits = bits_by_order(&ys);
    let likely = cheapest(bits);
    let mut residuals = Vec::with_capacity(ys.len());
    differences(&ys, likely, &mut residuals);
    if residuals.iter().all(|r| *r == 0) {
        head(likely, Packing::None, first, divisor, out);
        if likely == 2 {
            put_varint(out, zigzag(ys[1]));
        }
        return;
    }
    let write = |order: u8, packing: Packing, out: &mut Vec<u8>| {
        head(order, packing, first, divisor, out);
        if order == 2 {
            put_varint(out, zigzag(ys[1]));
        }
    };
    if effort == Effort::Fast {
        write(likely, Packing::Blocks, out);
        return blocks::encode(&residuals, out);
    }
    let (mut packed, mut best) = (Vec::with_capacity(xs.len()), Vec::new());
    let mut cost = usize::MAX;
    let mut sorted = Vec::with_capacity(xs.len());
    for order in 0..3_u8 {
        // Bits around the median tell well enough which orders are worth trying.
        if bits[usize::from(order)] > bits[usize::from(likely)].saturating_mul(9) / 8 {
            continue;
        }
        differences(&ys, order, &mut residuals);
        packed.clear();
        write(order, Packing::Blocks, &mut packed);
        blocks::encode(&residuals, &mut packed);
        if packed.len() < cost {
            cost = packed.len();
            best.clone_from(&packed);
        }
        if let Some(plan) = bins::plan(&residuals, &mut sorted) {
            let size = plan.size + plan.size / BINS_MUST_SAVE;
            if size < cost {
                cost = size;
                best.clear();
                write(order, Packing::Bins, &mut best);
                plan.write(&mut best);
            }
        }
    }
    out.extend_from_slice(&best);
}

/// Residuals of an order.
fn differences(ys: &[i64], order: u8, residuals: &mut Vec<i64>) {
    residuals.clear();
    match order {
        0 => residuals.extend_from_slice(&ys[1..]),
        1 => residuals.extend(ys.windows(2).map(|w| w[1].wrapping_sub(w[0]))),
        _ => residuals.extend(ys.windows(3).map(second)),
    }
}

fn head(order: u8, packing: Packing, first: i64, divisor: u64, out: &mut Vec<u8>) {
    out.push(order | if divisor > 1 { DIVISOR } else { 0 } | (packing as u8) << 3);
    put_varint(out, zigzag(first));
    if divisor > 1 {
        put_varint(out, divisor);
    }
}

const fn second(w: &[i64]) -> i64 {
    w[2].wrapping_sub(w[1]).wrapping_sub(w[1].wrapping_sub(w[0]))
}

/// The greatest common divisor of all numbers; zero when all are zero.
fn common_divisor(ys: &[i64]) -> u64 {
    let mut g = 0_u64;
    for y in ys {
        let mut y = y.unsigned_abs();
        // Most columns are done here: nothing divides by less than one, and what is divided costs one division.
        while y != 0 {
            (g, y) = if g == 0 { (y, 0) } else { (y, g % y) };
        }
        if g == 1 {
            break;
        }
    }
    g
}

fn divide(ys: &mut [i64], divisor: u64) {
    let zeros = divisor.trailing_zeros();
    if divisor >> zeros == 1 {
        ys.iter_mut().for_each(|y| *y >>= zeros);
    } else if let Ok(divisor) = i64::try_from(divisor) {
        ys.iter_mut().for_each(|y| *y /= divisor);
    }
}

/// Bits that the residuals of each order need around their median, all together.
fn bits_by_order(ys: &[i64]) -> [u64; 3] {
    if ys.len() < 3 {
        return [u64::MAX, 0, u64::MAX];
    }
    let step = ys.len().div_ceil(31);
    let median = |mut sample: Vec<i64>| {
        let middle = sample.len() / 2;
        *sample.select_nth_unstable(middle).1
    };
    let level = median(ys.iter().copied().step_by(step).collect());
    let pace = median(ys.windows(2).step_by(step).map(|w| w[1].wrapping_sub(w[0])).collect());
    let bits = |r: i64| u64::from(width(zigzag(r)));
    let mut all = [0_u64; 3];
    for w in ys.windows(3) {
        all[0] += bits(w[2].wrapping_sub(level));
        all[1] += bits(w[2].wrapping_sub(w[1]).wrapping_sub(pace));
        all[2] += bits(second(w));
    }
    all
}

/// The order of the fewest bits; of all that rise by the same, the second.
fn cheapest(bits: [u64; 3]) -> u8 {
    if bits[2] == 0 || bits[2] < bits[0].min(bits[1]) { 2 } else { u8::from(bits[1] < bits[0]) }
}

/// What a head says of the packing.
pub(super) const fn packing(head: u8) -> Result<Packing, Corrupt> {
    match head >> 3 {
        0 => Ok(Packing::None),
        1 => Ok(Packing::Blocks),
        2 => Ok(Packing::Bins),
        _ => Err(Corrupt),
    }
}

/// Reads `n` numbers and gives them to `sink`, at most [`BLOCK`] at a time.
pub(super) fn decode(from: &mut Cursor<'_>, n: usize, mut sink: impl FnMut(&[i64])) -> Result<(), Corrupt> {
    if n == 0 {
        return Ok(());
    }
    let head = from.byte()?;
    let order = head & 3;
    let first = unzigzag(from.varint()?);
    let divisor = if head & DIVISOR == 0 { 1 } else { from.varint()? as i64 };
    let mut slope = if order == 2 { unzigzag(from.varint()?) } else { 0 };
    let packing = packing(head)?;
    if order == 3 {
        return Err(Corrupt);
    }
    sink(&[first]);
    let mut left = n - 1;
    let mut last = 0_i64;
    if order == 2 && left > 0 {
        last = slope;
        sink(&[first.wrapping_add(slope.wrapping_mul(divisor))]);
        left -= 1;
    }
    let mut numbers = [0_i64; BLOCK];
    let mut blocks = Blocks::new();
    let mut bins = if packing == Packing::Bins { Some(Bins::new(from, left)?) } else { None };
    while left > 0 {
        let numbers = &mut numbers[..left.min(BLOCK)];
        match packing {
            Packing::None => numbers.fill(0),
            Packing::Blocks => blocks.next(from, numbers)?,
            Packing::Bins => bins.as_mut().map_or(Err(Corrupt), |b| b.next(numbers))?,
        }
        match order {
            0 => {}
            1 => numbers.iter_mut().for_each(|x| {
                last = last.wrapping_add(*x);
                *x = last;
            }),
            _ => numbers.iter_mut().for_each(|x| {
                slope = slope.wrapping_add(*x);
                last = last.wrapping_add(slope);
                *x = last;
            }),
        }
        if divisor == 1 {
            numbers.iter_mut().for_each(|x| *x = first.wrapping_add(*x));
        } else {
            numbers.iter_mut().for_each(|x| *x = first.wrapping_add(x.wrapping_mul(divisor)));
        }
        sink(numbers);
        left -= numbers.len();
    }
    Ok(())
}
