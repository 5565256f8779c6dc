//! Prefix codes of at most [`LONGEST`] bits, and streams of bits, lowest bit first.

use crate::tsdb::chunk::Corrupt;

/// Longest code: a decoding table of 512 entries stays in the first-level cache and is filled in no time,
/// and with it a code and up to 47 bits of value are read from one word.
pub(super) const LONGEST: u32 = 9;

/// Lengths of the codes of symbols that occur so often; zero for one that does not occur.
pub(super) fn lengths(counts: &[u32]) -> Vec<u8> {
    let mut counts = counts.to_vec();
    loop {
        let lengths = unlimited(&counts);
        if lengths.iter().all(|l| u32::from(*l) <= LONGEST) {
            return lengths;
        }
        // Halving makes rare symbols less rare; a few rounds suffice.
        counts.iter_mut().filter(|c| **c > 0).for_each(|c| *c = *c / 2 + 1);
    }
}

fn unlimited(counts: &[u32]) -> Vec<u8> {
    let mut lengths = vec![0; counts.len()];
    let mut leaves: Vec<(u32, usize)> = (0..).zip(counts).filter(|(_, c)| **c > 0).map(|(i, c)| (*c, i)).collect();
    match leaves[..] {
        [] => return lengths,
        [(_, only)] => {
            lengths[only] = 1;
            return lengths;
        }
        _ => leaves.sort_unstable(),
    }
    // Two queues: leaves by weight, and nodes, which arise by weight. Parents of all, leaves first.
    let n = leaves.len();
    let mut weights: Vec<u32> = leaves.iter().map(|(c, _)| *c).collect();
    let mut parents = vec![0; n];
    let (mut leaf, mut node) = (0, n);
    while weights.len() < 2 * n - 1 {
        let parent = weights.len();
        let mut sum = 0;
        for _ in 0..2 {
            let lightest =
                if leaf < n && (node >= parent || weights[leaf] <= weights[node]) { &mut leaf } else { &mut node };
            sum += weights[*lightest];
            parents[*lightest] = parent;
            *lightest += 1;
        }
        weights.push(sum);
        parents.push(0);
    }
    let mut depths = vec![0_u8; weights.len()];
    for i in (0..weights.len().saturating_sub(1)).rev() {
        depths[i] = depths[parents[i]] + 1;
    }
    leaves.iter().zip(depths).for_each(|((_, symbol), depth)| lengths[*symbol] = depth);
    lengths
}

/// Codes for lengths, or nothing if lengths contradict each other. Codes are given lowest bit first.
pub(super) fn codes(lengths: &[u8]) -> Result<Vec<u16>, Corrupt> {
    let mut per_length = [0_u32; LONGEST as usize + 1];
    for l in lengths {
        *per_length.get_mut(usize::from(*l)).ok_or(Corrupt)? += 1;
    }
    per_length[0] = 0;
    let mut next = [0_u32; LONGEST as usize + 1];
    let mut code = 0;
    for l in 1..=LONGEST as usize {
        code = (code + per_length[l - 1]) << 1;
        next[l] = code;
        if code + per_length[l] > 1 << l {
            return Err(Corrupt);
        }
    }
    let codes = lengths.iter().map(|l| {
        let l = usize::from(*l);
        if l == 0 {
            return 0;
        }
        next[l] += 1;
        ((next[l] - 1) as u16).reverse_bits() >> (16 - l)
    });
    Ok(codes.collect())
}

/// Appends bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    pub(super) bytes: Vec<u8>,
    word: u64,
    fill: u32,
}

impl BitWriter {
    /// Appends the lowest `n` bits of `bits`, which has no others; at most 57.
    pub(super) fn put(&mut self, bits: u64, n: u32) {
        self.word |= bits << self.fill;
        self.fill += n;
        let whole = self.fill / 8;
        self.bytes.extend_from_slice(&self.word.to_le_bytes()[..whole as usize]);
        self.word = self.word.checked_shr(whole * 8).unwrap_or(0);
        self.fill %= 8;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.fill > 0 {
            self.bytes.push(self.word as u8);
        }
        self.bytes
    }
}

/// Reads bits; behind the end there are zeros.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    word: u64,
    fill: u32,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, word: 0, fill: 0 }
    }

    /// Makes at least 56 bits available.
    #[inline]
    pub(super) fn refill(&mut self) {
        if let Some(chunk) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            self.word |= u64::from_le_bytes(*chunk) << self.fill;
            let taken = (63 - self.fill) / 8;
            self.at += taken as usize;
            self.fill += taken * 8;
        } else {
            while self.fill <= 56 {
                self.word |= u64::from(self.bytes.get(self.at).copied().unwrap_or(0)) << self.fill;
                self.at += 1;
                self.fill += 8;
            }
        }
    }

    #[inline]
    pub(super) const fn peek(&self, n: u32) -> u64 {
        self.word & ((1 << n) - 1)
    }

    #[inline]
    pub(super) const fn skip(&mut self, n: u32) {
        self.word >>= n;
        self.fill -= n;
    }

    /// Whether more was read than there was.
    pub(super) const fn overran(&self) -> bool {
        self.at as u64 * 8 - self.fill as u64 > self.bytes.len() as u64 * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_any_counts_are_short_and_tell_symbols_apart() {
        let mut rng = fastrand::Rng::with_seed(6);
        for _ in 0..500 {
            let n = rng.usize(1..80);
            // Counts that double make the longest codes.
            let counts: Vec<u32> = (0..n).map(|_| rng.u32(0..2) << rng.u32(0..16)).collect();
            let lengths = lengths(&counts);
            let codes = codes(&lengths).unwrap();
            let mut taken = [false; 1 << LONGEST];
            for ((count, length), code) in counts.iter().zip(&lengths).zip(codes) {
                assert_eq!(*count == 0, *length == 0);
                assert!(u32::from(*length) <= LONGEST);
                if *length > 0 {
                    for place in taken[usize::from(code)..].iter_mut().step_by(1 << length) {
                        assert!(!std::mem::replace(place, true), "one code begins another");
                    }
                }
            }
        }
        assert!(codes(&[1, 1, 1]).is_err(), "more codes than bits tell apart");
        assert!(codes(&[10]).is_err());
    }

    #[test]
    fn bits_come_back_and_behind_them_are_zeros() {
        let mut rng = fastrand::Rng::with_seed(7);
        let values: Vec<(u64, u32)> = (0..1_000)
            .map(|_| {
                let n = rng.u32(0..=56);
                (rng.u64(..) & ((1 << n) - 1), n)
            })
            .collect();
        let mut writer = BitWriter::default();
        values.iter().for_each(|(bits, n)| writer.put(*bits, *n));
        let bytes = writer.finish();
        let mut reader = BitReader::new(&bytes);
        for (bits, n) in values {
            reader.refill();
            assert_eq!(reader.peek(n), bits);
            reader.skip(n);
        }
        assert!(!reader.overran());
        reader.refill();
        assert_eq!(reader.peek(40), 0);
        reader.skip(40);
        assert!(reader.overran());
    }
}
