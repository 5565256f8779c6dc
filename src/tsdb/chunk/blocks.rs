//! Residuals in bit-packed blocks of 64, each with its own base and width, outliers patched.
//!
//! ```text
//! block: width (1 byte; bit 7: patched) · base − base of the block before (zigzag varint)
//!        · values − base, `width` bits each, whole bytes
//!        · patched: count (byte), positions (a byte each), high parts (varint each)
//! ```
//!
//! A counter's reset or a spike costs the bytes of one patch and leaves the width of its neighbours alone.

use crate::tsdb::chunk::Corrupt;
use crate::tsdb::chunk::bits::{BLOCK, Cursor, pack, put_varint, unpack, unzigzag, width, zigzag};

const PATCHED: u8 = 0x80;

/// Bits that a patch costs beside its high part: position and the varint's padding.
const PATCH_BITS: u32 = 12;

/// Appends residuals.
pub(super) fn encode(residuals: &[i64], out: &mut Vec<u8>) {
    let mut previous = 0_i64;
    let mut offsets = [0_u64; BLOCK];
    for block in residuals.chunks(BLOCK) {
        let (base, w) = frame(block);
        let offsets = &mut offsets[..block.len()];
        let mut outside = 0;
        let high = |o: u64| if w == 64 { 0 } else { o >> w };
        for (o, &r) in offsets.iter_mut().zip(block) {
            *o = r.wrapping_sub(base) as u64;
            outside += usize::from(high(*o) != 0);
        }
        out.push(w as u8 | if outside > 0 { PATCHED } else { 0 });
        put_varint(out, zigzag(base.wrapping_sub(previous)));
        previous = base;
        if outside == 0 {
            pack(offsets, w, out);
            continue;
        }
        let mut low = [0_u64; BLOCK];
        let mask = (1_u64 << w) - 1;
        low.iter_mut().zip(&*offsets).for_each(|(l, o)| *l = o & mask);
        pack(&low[..block.len()], w, out);
        out.push(outside as u8);
        let outside = || offsets.iter().enumerate().filter(|(_, o)| high(**o) != 0);
        outside().for_each(|(i, _)| out.push(i as u8));
        outside().for_each(|(_, o)| put_varint(out, high(*o)));
    }
}

/// The base and width that make a block smallest, patches counted.
fn frame(block: &[i64]) -> (i64, u32) {
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    for &r in block {
        min = min.min(r);
        max = max.max(r);
    }
    let range = max.wrapping_sub(min) as u64;
    let whole = width(range);
    // Ranges filled by one cloud gain nothing from patches. They span some six mean deviations; the
    // deviation tells a cloud from outliers for a fifth of what sorting costs.
    let offset = |r: &i64| r.wrapping_sub(min) as u64;
    let n = block.len() as u64;
    if whole < 58 {
        let mean = block.iter().map(offset).sum::<u64>() / n;
        let deviation = block.iter().map(|r| offset(r).abs_diff(mean)).sum::<u64>() / n;
        if whole <= width(deviation) + 3 {
            return (min, whole);
        }
    }
    let mut sorted = [0_i64; BLOCK];
    let sorted = &mut sorted[..block.len()];
    sorted.copy_from_slice(block);
    sorted.sort_unstable();
    let (mut best, mut best_cost) = ((min, whole), block.len() as u32 * whole);
    for w in 0..whole {
        // The window of 2^w numbers that holds the most residuals.
        let (mut from, mut most, mut base) = (0, 0, min);
        for to in 0..sorted.len() {
            while sorted[to].wrapping_sub(sorted[from]) as u64 >> w != 0 {
                from += 1;
            }
            if to - from + 1 > most {
                (most, base) = (to - from + 1, sorted[from]);
            }
        }
        let (below, above) = (base.wrapping_sub(min), max.wrapping_sub(base) as u64 >> w);
        let high = if below == 0 { width(above) } else { 64 - w };
        let cost = block.len() as u32 * w + (sorted.len() - most) as u32 * (PATCH_BITS + high);
        if cost < best_cost {
            (best, best_cost) = ((base, w), cost);
        }
    }
    best
}

/// Reads residuals block by block.
pub(super) struct Blocks {
    base: i64,
}

impl Blocks {
    pub(super) const fn new() -> Self {
        Self { base: 0 }
    }

    /// Reads the next block: `out.len()` residuals, at most [`BLOCK`].
    pub(super) fn next(&mut self, from: &mut Cursor<'_>, out: &mut [i64]) -> Result<(), Corrupt> {
        let head = from.byte()?;
        let w = u32::from(head & !PATCHED);
        if w > 64 {
            return Err(Corrupt);
        }
        self.base = self.base.wrapping_add(unzigzag(from.varint()?));
        unpack(from, w, self.base, out)?;
        if head & PATCHED != 0 {
            let patches = usize::from(from.byte()?);
            let positions = from.take(patches)?;
            for &at in positions {
                let residual = out.get_mut(usize::from(at)).ok_or(Corrupt)?;
                let high = from.varint()?.checked_shl(w).ok_or(Corrupt)?;
                *residual = residual.wrapping_add(high as i64);
            }
        }
        Ok(())
    }
}
