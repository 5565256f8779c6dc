//! Varints and bit-packed blocks: the bytes under every chunk.
//!
//! Reading checks every length before it is used; no input panics.

use crate::tsdb::chunk::Corrupt;

/// Residuals per bit-packed block. One width and one base serve so many: smaller blocks pay more for
/// these, larger ones let one outlier or a change of pace widen more values.
pub(super) const BLOCK: usize = 64;

/// Folds the sign into the lowest bit, so that numbers near zero are small.
pub(crate) const fn zigzag(x: i64) -> u64 {
    ((x << 1) ^ (x >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) const fn unzigzag(z: u64) -> i64 {
    (z >> 1) as i64 ^ -((z & 1) as i64)
}

/// Bits that `x` needs; none for zero.
pub(super) const fn width(x: u64) -> u32 {
    64 - x.leading_zeros()
}

/// Appends `x`, seven bits per byte, lowest first; the eighth bit says that more follow.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut x: u64) {
    while x >= 0x80 {
        out.push(x as u8 | 0x80);
        x >>= 7;
    }
    out.push(x as u8);
}

/// Bytes yet to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn byte(&mut self) -> Result<u8, Corrupt> {
        let (&first, rest) = self.0.split_first().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(first)
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Corrupt> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(Corrupt)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Corrupt> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*head))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Corrupt> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*head))
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut x = 0;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            // The tenth byte has room for one bit.
            if shift == 63 && b > 1 {
                return Err(Corrupt);
            }
            x |= u64::from(b & 0x7f) << shift;
            if b < 0x80 {
                return Ok(x);
            }
        }
        Err(Corrupt)
    }

    /// A varint that must not exceed `limit`.
    pub(crate) fn varint_to(&mut self, limit: usize) -> Result<usize, Corrupt> {
        usize::try_from(self.varint()?).ok().filter(|n| *n <= limit).ok_or(Corrupt)
    }

    pub(crate) fn end(self) -> Result<(), Corrupt> {
        if self.0.is_empty() { Ok(()) } else { Err(Corrupt) }
    }
}

/// Bytes that `n` values of `width` bits take.
pub(super) const fn packed_len(n: usize, width: u32) -> usize {
    (n * width as usize).div_ceil(8)
}

/// Appends the lowest `width` bits of each value, which has no others.
pub(super) fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let (mut word, mut fill) = (0_u64, 0);
    for &v in values {
        word |= v << fill;
        fill += width;
        if fill >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            fill -= 64;
            word = if fill == 0 { 0 } else { v >> (width - fill) };
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..fill.div_ceil(8) as usize]);
}

/// Reads `out.len()` values, at most a block of them, and adds `base` to each.
pub(super) fn unpack(from: &mut Cursor<'_>, width: u32, base: i64, out: &mut [i64]) -> Result<(), Corrupt> {
    /// The longest word that a value is read from.
    const WORD: usize = 16;
    let rest = from.0;
    let bytes = from.take(packed_len(out.len(), width))?;
    if rest.len() >= bytes.len() + WORD {
        unpack_words(rest, width, base, out);
    } else {
        // A copy with slack lets the last values be read as whole words, too.
        let mut slack = [0_u8; BLOCK * 8 + WORD];
        slack[..bytes.len()].copy_from_slice(bytes);
        unpack_words(&slack, width, base, out);
    }
    Ok(())
}

/// Reads each value as a part of one whole word, wherever it begins.
fn unpack_words(bytes: &[u8], width: u32, base: i64, out: &mut [i64]) {
    let mut bit = 0;
    if width <= 57 {
        let mask = (1_u64 << width) - 1;
        for v in out {
            let at = bit / 8;
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            *v = base.wrapping_add((u64::from_le_bytes(word) >> (bit % 8) & mask) as i64);
            bit += width as usize;
        }
    } else {
        let mask = u64::MAX >> (64 - width);
        for v in out {
            let at = bit / 8;
            let mut word = [0; 16];
            word.copy_from_slice(&bytes[at..at + 16]);
            *v = base.wrapping_add(((u128::from_le_bytes(word) >> (bit % 8)) as u64 & mask) as i64);
            bit += width as usize;
        }
    }
}
