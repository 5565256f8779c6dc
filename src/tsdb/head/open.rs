//! The newest samples of a series, packed as they come.
//!
//! A sample takes two bytes where the value stays, and up to ten where it does not; as a pair of numbers it would take
//! sixteen. For each: a byte of lengths, how much the step in time differs from the one before (zigzag), and the bits in
//! which the value differs from the one before, without the zero bytes at either end. Nothing of this is ever written to
//! a file.

use crate::tsdb::chunk::{unzigzag, zigzag};
use crate::tsdb::head::series::Sample;

/// Room is made for so many bytes at a time: with a hundred thousand series, what is not used adds up.
const ROOM: usize = 32;
/// Bytes of the difference in time, by its code.
const TIME_BYTES: [usize; 4] = [0, 1, 2, 8];

/// Samples that rise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Open {
    bytes: Vec<u8>,
    len: u32,
    last: State,
}

/// What the next sample is told from.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    t: i64,
    step: i64,
    bits: u64,
}

impl Open {
    /// Samples in it.
    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a sample that is later than all.
    pub(crate) fn push(&mut self, t: i64, v: f64) {
        let step = t.wrapping_sub(self.last.t);
        let differs = zigzag(step.wrapping_sub(self.last.step));
        // The first one's time is always whole: see `first`.
        let time = match differs {
            _ if self.is_empty() => 3,
            0 => 0,
            1..=0xff => 1,
            0x100..=0xffff => 2,
            _ => 3,
        };
        let bits = v.to_bits();
        let xor = bits ^ self.last.bits;
        let shift = if xor == 0 { 0 } else { (xor.trailing_zeros() / 16) as usize };
        let xor = xor >> (16 * shift);
        let value = (64 - xor.leading_zeros() as usize).div_ceil(8);
        let needed = 1 + TIME_BYTES[time] + value;
        if self.bytes.capacity() - self.bytes.len() < needed {
            self.bytes.reserve_exact((self.bytes.len() / 4 + needed).next_multiple_of(ROOM));
        }
        self.bytes.push((value | shift << 4 | time << 6) as u8);
        self.bytes.extend_from_slice(&differs.to_le_bytes()[..TIME_BYTES[time]]);
        self.bytes.extend_from_slice(&xor.to_le_bytes()[..value]);
        self.len += 1;
        self.last = State { t, step, bits };
    }

    /// The samples, rising.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Sample> {
        let (mut bytes, mut state) = (self.bytes.as_slice(), State::default());
        std::iter::from_fn(move || {
            let (&head, rest) = bytes.split_first()?;
            let (time, rest) = rest.split_at_checked(TIME_BYTES[usize::from(head >> 6)])?;
            let (value, rest) = rest.split_at_checked(usize::from(head & 0xf))?;
            bytes = rest;
            state.step = state.step.wrapping_add(unzigzag(number(time)));
            state.t = state.t.wrapping_add(state.step);
            state.bits ^= number(value) << (16 * (head >> 4 & 3));
            Some((state.t, f64::from_bits(state.bits)))
        })
    }

    /// Time of the first sample.
    pub(crate) fn first(&self) -> Option<i64> {
        Some(self.iter().next()?.0)
    }

    /// Time of the last sample.
    pub(crate) fn last(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.last.t)
    }

    /// Whether there may be a sample from `start` to `end`.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.last().is_some_and(|last| last >= start) && self.first().is_some_and(|first| first <= end)
    }

    /// The value at a time.
    pub(crate) fn find(&self, t: i64) -> Option<f64> {
        if !self.overlaps(t, t) {
            return None;
        }
        self.iter().find(|s| s.0 == t).map(|s| s.1)
    }

    /// Keeps some samples.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Sample) -> bool) {
        let mut kept = Self::default();
        self.iter().filter(keep).for_each(|(t, v)| kept.push(t, v));
        *self = kept;
    }

    /// Takes all samples out, and keeps the room.
    pub(crate) fn drain(&mut self) -> Vec<Sample> {
        let all = self.iter().collect();
        self.bytes.clear();
        (self.len, self.last) = (0, State::default());
        all
    }
}

/// Up to eight bytes, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    if let Some(low) = whole.get_mut(..bytes.len()) {
        low.copy_from_slice(bytes);
    }
    u64::from_le_bytes(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &[Sample], b: &[Sample]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a.0, a.1.to_bits()) == (b.0, b.1.to_bits()))
    }

    #[test]
    fn what_stays_takes_little() {
        let size = |value: fn(i64) -> f64| {
            let mut open = Open::default();
            (0..120).for_each(|i| open.push(1_763_900_000_000 + 10_000 * i + i * 7 % 5, value(i)));
            open.bytes.len()
        };
        assert_eq!((size(|_| 1.0), size(|i| i as f64)), (232, 467));
        assert!(size(|i| (i as f64).sin()) < 1_150);
    }

    proptest::proptest! {
        #[test]
        fn every_sample_comes_back_bit_by_bit(
            samples in proptest::collection::btree_map(proptest::prelude::any::<i64>(), proptest::prelude::any::<u64>(), 0..60),
            near in proptest::collection::btree_map(-70_000_i64..70_000, -3_i32..3, 0..200),
        ) {
            let far = samples.iter().map(|(t, bits)| (*t, f64::from_bits(*bits))).collect::<Vec<_>>();
            let near = near.iter().map(|(t, v)| (*t, f64::from(*v) / 8.0)).collect::<Vec<_>>();
            for samples in [far, near] {
                let mut open = Open::default();
                samples.iter().for_each(|(t, v)| open.push(*t, *v));
                proptest::prop_assert!(same(&open.iter().collect::<Vec<_>>(), &samples));
                proptest::prop_assert_eq!(open.len(), samples.len());
                proptest::prop_assert_eq!((open.first(), open.last()), (samples.first().map(|s| s.0), samples.last().map(|s| s.0)));
                if let Some((t, v)) = samples.get(samples.len() / 2) {
                    proptest::prop_assert_eq!(open.find(*t).map(f64::to_bits), Some(v.to_bits()));
                    open.retain(|s| s.0 != *t);
                    proptest::prop_assert_eq!((open.find(*t), open.len()), (None, samples.len() - 1));
                }
                let left = open.drain();
                open.push(5, 1.5);
                proptest::prop_assert!(left.len() + 1 >= samples.len() && same(&open.drain(), &[(5, 1.5)]));
            }
        }
    }
}
