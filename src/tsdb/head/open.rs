//! The newest samples of a series, packed as they come.
//!
//! A sample takes one byte where the value stays, four or five where it is a duration that was measured anew, and ten
//! where it is any other number; as a pair of numbers it would take sixteen. Where a series is sampled at no steady
//! pace, seven more. Nothing of this is ever written to a file.
//!
//! Its first byte says how long the rest is. With the uppermost bit clear the value is the one before, and the other
//! seven bits are how much the step in time differs from the one before (zigzag). Else two bits say how many
//! bytes that difference takes, and five of what sort the value is: the bits in which it differs from the one before
//! without the zero bytes at either end, or the nanoseconds by which it does.

use crate::tsdb::chunk::{unzigzag, zigzag};
use crate::tsdb::head::series::Sample;

/// The first byte of a sample that has more than one.
const LONG: u8 = 0x80;
/// Bytes of the difference in time, by its code.
const TIME_BYTES: [usize; 4] = [0, 1, 2, 8];
/// The codes of differing bits, by how many pairs of zero bytes are left out at the lower end: the code for one byte.
/// Zero is the code of a value that stays.
const BITS: [u8; 4] = [1, 9, 15, 19];
/// The code of nanoseconds that take one byte.
const NANOS: u8 = 21;
/// More than this has no exact number of nanoseconds.
const MOST_NANOS: f64 = (1_u64 << 53) as f64;

/// Samples that rise.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    bytes: Vec<u8>,
    len: u32,
    /// The last step; zero for one of some weeks, as the first one is.
    step: i32,
    t: i64,
    bits: u64,
}

/// The sample before, from which the next one is told.
#[derive(Clone, Copy)]
struct State {
    t: i64,
    step: i32,
    bits: u64,
}

impl State {
    const START: Self = Self { t: 0, step: 0, bits: 0 };

    /// When the next sample is due.
    const fn expected(self) -> i64 {
        self.t.wrapping_add(self.step as i64)
    }

    /// Moves on to a sample.
    fn set(&mut self, t: i64, bits: u64) {
        let step = i32::try_from(t.wrapping_sub(self.t)).unwrap_or(0);
        *self = Self { t, step, bits };
    }
}

impl Default for Open {
    fn default() -> Self {
        Self::after((i64::MIN, 0.0))
    }
}

impl Open {
    /// Empty, after this sample.
    pub(crate) const fn after((t, v): Sample) -> Self {
        Self { bytes: Vec::new(), len: 0, step: 0, t, bits: v.to_bits() }
    }

    /// Samples in it.
    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The newest sample, or the one that it is empty after.
    pub(crate) const fn newest(&self) -> Sample {
        (self.t, f64::from_bits(self.bits))
    }

    /// Adds a sample that is later than all.
    pub(crate) fn push(&mut self, t: i64, v: f64) {
        let mut state = State { t: self.t, step: self.step, bits: self.bits };
        if self.is_empty() {
            state = State::START;
        }
        let differs = zigzag(t.wrapping_sub(state.expected()));
        let (code, value, value_bytes) = change(state.bits, v);
        state.set(t, v.to_bits());
        (self.t, self.step, self.bits) = (state.t, state.step, state.bits);
        self.len += 1;
        if code == 0 && differs < u64::from(LONG) && self.len > 1 {
            self.reserve(1);
            self.bytes.push(differs as u8);
            return;
        }
        let time = match differs {
            // The first one's time is always whole: see `first`.
            _ if self.len == 1 => 3,
            0 => 0,
            1..=0xff => 1,
            0x100..=0xffff => 2,
            _ => 3,
        };
        self.reserve(1 + TIME_BYTES[time] + value_bytes);
        self.bytes.push(LONG | code << 2 | time as u8);
        self.bytes.extend_from_slice(&differs.to_le_bytes()[..TIME_BYTES[time]]);
        self.bytes.extend_from_slice(&value.to_le_bytes()[..value_bytes]);
    }

    /// Grows by an eighth: with a hundred thousand series, what is not used adds up.
    fn reserve(&mut self, needed: usize) {
        if self.bytes.capacity() - self.bytes.len() < needed {
            self.bytes.reserve_exact((self.bytes.len() / 8).max(needed).next_multiple_of(16));
        }
    }

    /// The samples, rising.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.bytes, state: State::START }
    }

    /// The oldest samples.
    pub(crate) fn oldest(&self, count: usize) -> Self {
        let mut all = self.iter();
        let len = all.by_ref().take(count).count();
        let State { t, step, bits } = all.state;
        let bytes = self.bytes[..self.bytes.len() - all.bytes.len()].to_vec();
        Self { bytes, len: len as u32, step, t, bits }
    }

    /// Removes the oldest samples with their room, and keeps the memory of the newest one.
    pub(crate) fn forget(&mut self, count: usize) {
        let newest = self.newest();
        let left = std::mem::replace(self, Self::after(newest));
        if count < left.len() {
            left.iter().skip(count).for_each(|(t, v)| self.push(t, v));
        }
    }

    /// Time of the first sample.
    pub(crate) fn first(&self) -> Option<i64> {
        Some(self.iter().next()?.0)
    }

    /// Time of the last sample.
    pub(crate) fn last(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.t)
    }

    /// Time of the last one of so many of the oldest samples.
    pub(crate) fn last_of(&self, count: usize) -> Option<i64> {
        if count == self.len() { self.last() } else { self.iter().take(count).last().map(|s| s.0) }
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

    /// Takes all samples out, and keeps the room and the memory of the newest one.
    pub(crate) fn drain(&mut self) -> Vec<Sample> {
        let all = self.iter().collect();
        self.bytes.clear();
        self.len = 0;
        all
    }
}

/// Samples of an open buffer, from the oldest on.
pub(crate) struct Iter<'a> {
    /// Those to come.
    bytes: &'a [u8],
    state: State,
}

impl Iterator for Iter<'_> {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        let (&head, rest) = self.bytes.split_first()?;
        let state = &mut self.state;
        if head < LONG {
            self.bytes = rest;
            state.set(state.expected().wrapping_add(unzigzag(u64::from(head))), state.bits);
        } else {
            let code = head >> 2 & 0x1f;
            let (time, rest) = rest.split_at_checked(TIME_BYTES[usize::from(head & 3)])?;
            let (value, rest) = rest.split_at_checked(value_bytes(code))?;
            self.bytes = rest;
            let t = state.expected().wrapping_add(unzigzag(number(time)));
            state.set(t, changed(state.bits, code, number(value)));
        }
        Some((state.t, f64::from_bits(state.bits)))
    }
}

/// The code of a value after another, the number that tells it, and how many bytes of that count.
fn change(before: u64, v: f64) -> (u8, u64, usize) {
    let xor = before ^ v.to_bits();
    if xor == 0 {
        return (0, 0, 0);
    }
    let shift = (xor.trailing_zeros() / 16) as usize;
    let bits = xor >> (16 * shift);
    let length = bytes_of(bits);
    if length > 2
        && let Some(nanos) = nanos_of(v)
    {
        let differ = zigzag(nanos.wrapping_sub(nanos_of(f64::from_bits(before)).unwrap_or(0)));
        let short = bytes_of(differ);
        if short < length {
            return (NANOS - 1 + short.max(1) as u8, differ, short.max(1));
        }
    }
    (BITS[shift] - 1 + length as u8, bits, length)
}

/// The value that [`change`] tells.
fn changed(before: u64, code: u8, number: u64) -> u64 {
    if code >= NANOS {
        let nanos = nanos_of(f64::from_bits(before)).unwrap_or(0).wrapping_add(unzigzag(number));
        return seconds(nanos).to_bits();
    }
    let shift = BITS.iter().rposition(|first| *first <= code).unwrap_or(0);
    before ^ number << (16 * shift)
}

/// How many bytes follow a code.
fn value_bytes(code: u8) -> usize {
    let first = if code >= NANOS { NANOS } else { BITS.into_iter().rfind(|first| *first <= code).unwrap_or(1) };
    usize::from((code + 1).saturating_sub(first))
}

const fn bytes_of(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()).div_ceil(8) as usize
}

/// How many nanoseconds a number of seconds is, if it is exactly that: what clocks measure.
fn nanos_of(v: f64) -> Option<i64> {
    let nanos = (v * 1e9).round();
    if !(0.0..MOST_NANOS).contains(&nanos) {
        return None;
    }
    let whole = nanos as i64;
    (seconds(whole).to_bits() == v.to_bits()).then_some(whole)
}

/// As [`std::time::Duration::as_secs_f64`] does below one second.
fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
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
        assert_eq!((size(|_| 1.0), size(|i| i as f64)), (132, 461));
        assert!(size(|i| std::time::Duration::from_micros(400 + i.unsigned_abs() * 37 % 200).as_secs_f64()) < 600);
        assert!(size(|i| (i as f64).sin()) < 1_150);
    }

    proptest::proptest! {
        #[test]
        fn every_sample_comes_back_bit_by_bit(
            samples in proptest::collection::btree_map(proptest::prelude::any::<i64>(), proptest::prelude::any::<u64>(), 0..60),
            near in proptest::collection::btree_map(-70_000_i64..70_000, -3_i32..3, 0..200),
            clock in proptest::collection::vec(0_u64..1 << 54, 0..100),
            shift in 0_u32..50,
        ) {
            let far = samples.iter().map(|(t, bits)| (*t, f64::from_bits(*bits))).collect::<Vec<_>>();
            let near = near.iter().map(|(t, v)| (*t, f64::from(*v) / 8.0)).collect::<Vec<_>>();
            let took = |nanos: u64| std::time::Duration::from_nanos(nanos >> shift).as_secs_f64();
            let timed = (0..).zip(&clock).map(|(i, nanos)| (i * 10_000, took(*nanos))).collect::<Vec<_>>();
            for samples in [far, near, timed] {
                let mut open = Open::default();
                samples.iter().for_each(|(t, v)| open.push(*t, *v));
                proptest::prop_assert!(same(&open.iter().collect::<Vec<_>>(), &samples));
                proptest::prop_assert_eq!(open.len(), samples.len());
                proptest::prop_assert_eq!((open.first(), open.last()), (samples.first().map(|s| s.0), samples.last().map(|s| s.0)));
                if let Some((t, v)) = samples.get(samples.len() / 2) {
                    proptest::prop_assert_eq!(open.find(*t).map(f64::to_bits), Some(v.to_bits()));
                }
                let (old, new) = samples.split_at(samples.len() / 3);
                let oldest = open.oldest(old.len());
                proptest::prop_assert!(same(&oldest.iter().collect::<Vec<_>>(), old));
                let last = old.last().map(|s| s.0);
                proptest::prop_assert_eq!((oldest.last(), open.last_of(old.len())), (last, last));
                let mut left = open.clone();
                left.forget(old.len());
                proptest::prop_assert!(same(&left.iter().collect::<Vec<_>>(), new));
                proptest::prop_assert!(same(&[left.newest()], &[open.newest()]));
                left.forget(new.len());
                proptest::prop_assert!(left.is_empty() && same(&[left.newest()], &[open.newest()]));
                let newest = samples.last().copied().unwrap_or((i64::MIN, 0.0));
                proptest::prop_assert!(same(&open.drain(), &samples) && same(&[open.newest()], &[newest]));
                open.push(5, 1.5);
                proptest::prop_assert!(same(&open.drain(), &[(5, 1.5)]));
            }
        }
    }
}
