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

use crate::tsdb::chunk::bits::{BLOCK, Cursor, put_varint, unzigzag, width, zigzag};
use crate::tsdb::chunk::blocks::{self, Blocks};
use crate::tsdb::chunk::{Corrupt, Effort};

const DIVISOR: u8 = 4;

/// How residuals are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    /// All zero, and left out.
    None = 0,
    /// [`blocks`].
    Blocks = 1,
}

/// Appends a column, whose length is remembered elsewhere.
pub(super) fn encode(xs: &[i64], _effort: Effort, out: &mut Vec<u8>) {
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
    let order = cheapest_order(&ys);
    let slope = ys[1];
    let mut residuals = vec![0; ys.len() - 1 - usize::from(order == 2)];
    match order {
        0 => residuals.copy_from_slice(&ys[1..]),
        1 => residuals.iter_mut().zip(ys.windows(2)).for_each(|(r, w)| *r = w[1].wrapping_sub(w[0])),
        _ => residuals.iter_mut().zip(ys.windows(3)).for_each(|(r, w)| *r = second(w)),
    }
    let packing = if residuals.iter().all(|r| *r == 0) { Packing::None } else { Packing::Blocks };
    head(order, packing, first, divisor, out);
    if order == 2 {
        put_varint(out, zigzag(slope));
    }
    match packing {
        Packing::None => {}
        Packing::Blocks => blocks::encode(&residuals, out),
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

/// The order of differences whose residuals need the fewest bits around their median.
fn cheapest_order(ys: &[i64]) -> u8 {
    if ys.len() < 3 {
        return 1;
    }
    let step = ys.len().div_ceil(31);
    let median = |mut sample: Vec<i64>| {
        let middle = sample.len() / 2;
        *sample.select_nth_unstable(middle).1
    };
    let level = median(ys.iter().copied().step_by(step).collect());
    let pace = median(ys.windows(2).step_by(step).map(|w| w[1].wrapping_sub(w[0])).collect());
    let bits = |r: i64| u64::from(width(zigzag(r)));
    let mut costs = [0_u64; 3];
    let mut bent = 0;
    for w in ys.windows(3) {
        costs[0] += bits(w[2].wrapping_sub(level));
        costs[1] += bits(w[2].wrapping_sub(w[1]).wrapping_sub(pace));
        let r = second(w);
        bent |= r;
        costs[2] += bits(r);
    }
    if bent == 0 || costs[2] < costs[0].min(costs[1]) { 2 } else { u8::from(costs[1] < costs[0]) }
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
    let packing = match head >> 3 {
        0 => Packing::None,
        1 => Packing::Blocks,
        _ => return Err(Corrupt),
    };
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
    while left > 0 {
        let numbers = &mut numbers[..left.min(BLOCK)];
        match packing {
            Packing::None => numbers.fill(0),
            Packing::Blocks => blocks.next(from, numbers)?,
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
