//! Residuals by frequency: each falls into a bin, bins have Huffman codes, the place within a bin is plain bits.
//!
//! Bit-packing gives every value of a block the width of the largest; this gives it about what its
//! probability asks for. Bins are of equal width for residuals that cluster (noise around a pace), or double
//! from bin to bin for those that are mostly small and sometimes large. A residual that repeats, such as
//! the zero of an idle counter, is written as runs. Few outliers are written beside.
//!
//! ```text
//! shape (byte): bits 0–5 plain bits of equal bins · bit 6 doubling bins · bit 7 runs
//! origin (zigzag varint) · bins (byte) · runs: the offset that repeats (varint) · run bins (byte)
//! outliers: count (varint), each: residuals since the last one (varint) · residual (zigzag varint)
//! length of each bin's code, 4 bits each: bins, then run bins
//! bits: two streams, the length of each in bytes (varints), then per residual or run: code, plain bits
//! ```
//!
//! Residuals and runs go to the two streams in turn: a processor reads both at once, where one alone would
//! wait at every code for the length of the one before.
//!
//! Offsets are residual − origin in equal bins: bin i begins at i · 2^plain. In doubling bins they are
//! zigzag(residual − origin): bin 0 is zero, bin i begins at 2^(i−1) and has i − 1 plain bits. Run bin i
//! stands for 2^i repetitions or more, with i plain bits.

use crate::tsdb::chunk::Corrupt;
use crate::tsdb::chunk::bits::{Cursor, put_varint, unzigzag, width, zigzag};
use crate::tsdb::chunk::huffman::{BitReader, BitWriter, LONGEST, codes, lengths};

const DOUBLING: u8 = 0x40;
const RUNS: u8 = 0x80;
/// Most plain bits of a bin, so that a code and they are read at once.
const MOST_PLAIN: u32 = 47;
/// Most bins of equal width: more cost more to describe than they save.
const MOST_BINS: usize = 64;
const RUN_BINS: usize = 16;
/// Symbols of runs while counting, behind all bins.
const RUNS_FROM: usize = MOST_BINS;
/// Fewer residuals do not pay for the description of their bins.
const FEWEST: usize = 24;

/// How offsets are made and what bin they fall into.
#[derive(Clone, Copy, Debug)]
struct Shape {
    origin: i64,
    /// Plain bits, or doubling bins.
    plain: Option<u32>,
    /// The offset that is written as runs.
    repeated: Option<u64>,
}

impl Shape {
    const fn offset(&self, residual: i64) -> u64 {
        let from_origin = residual.wrapping_sub(self.origin);
        match self.plain {
            Some(_) => from_origin as u64,
            None => zigzag(from_origin),
        }
    }

    /// Bin, plain bits, how many of them.
    const fn bin(&self, offset: u64) -> (usize, u64, u32) {
        match self.plain {
            Some(plain) => ((offset >> plain) as usize, offset & ((1 << plain) - 1), plain),
            None => {
                let w = width(offset);
                let plain = w.saturating_sub(1);
                (w as usize, if w == 0 { 0 } else { offset - (1 << plain) }, plain)
            }
        }
    }

    /// Gives bins, plain bits and their number, of residuals and runs in order.
    fn tokens(&self, residuals: &[i64], outliers: &[usize], runs_from: usize, mut token: impl FnMut(usize, u64, u32)) {
        let (mut run, mut outliers) = (0_u64, outliers.iter().peekable());
        let end_run = |run: &mut u64, token: &mut dyn FnMut(usize, u64, u32)| {
            while *run > 0 {
                let plain = (width(*run) - 1).min(RUN_BINS as u32 - 1);
                let length = (*run).min((2 << plain) - 1);
                token(runs_from + plain as usize, length - (1 << plain), plain);
                *run -= length;
            }
        };
        let mut last = 0;
        for (i, &residual) in residuals.iter().enumerate() {
            // An outlier's place repeats what was before.
            let offset = if outliers.next_if(|o| **o == i).is_some() { last } else { self.offset(residual) };
            last = offset;
            if self.repeated == Some(offset) {
                run += 1;
                continue;
            }
            end_run(&mut run, &mut token);
            let (bin, bits, plain) = self.bin(offset);
            token(bin, bits, plain);
        }
        end_run(&mut run, &mut token);
    }
}

/// A shape with its codes, and what it would come to.
pub(super) struct Plan<'a> {
    residuals: &'a [i64],
    shape: Shape,
    outliers: Vec<usize>,
    /// Of bins, then of run bins.
    lengths: Vec<u8>,
    bins: usize,
    /// Bytes.
    pub(super) size: usize,
}

/// The shape that makes residuals smallest, if any suits them.
pub(super) fn plan<'a>(residuals: &'a [i64], sorted: &mut Vec<i64>) -> Option<Plan<'a>> {
    sorted.clear();
    sorted.extend_from_slice(residuals);
    sorted.sort_unstable();
    let n = sorted.len();
    if n < FEWEST {
        return None;
    }
    let repeated = most_frequent(sorted).filter(|(_, times)| times * 2 > n).map(|(r, _)| r);
    let origin = repeated.unwrap_or(sorted[n / 2]);
    let doubling = Shape { origin, plain: None, repeated: repeated.map(|_| 0) };
    let doubling = Plan::new(residuals, doubling, Vec::new());
    let equal = bulk(sorted).and_then(|(low, high)| {
        let plain = equal_width(sorted, low, high)?;
        let outside = |r: &i64| !(low..=high).contains(r);
        let outliers: Vec<usize> = if outside(&sorted[0]) || outside(&sorted[n - 1]) {
            (0..n).filter(|i| outside(&residuals[*i])).collect()
        } else {
            Vec::new()
        };
        let repeated = repeated.filter(|r| !outside(r)).map(|r| r.wrapping_sub(low) as u64);
        Plan::new(residuals, Shape { origin: low, plain: Some(plain), repeated }, outliers)
    });
    doubling.into_iter().chain(equal).min_by_key(|plan| plan.size)
}

fn most_frequent(sorted: &[i64]) -> Option<(i64, usize)> {
    sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).max_by_key(|(_, times)| *times)
}

/// Smallest and largest residual without the few far outside.
fn bulk(sorted: &[i64]) -> Option<(i64, i64)> {
    let n = sorted.len();
    let trimmed = n / 64;
    let (low, high) = (i128::from(sorted[trimmed]), i128::from(sorted[n - 1 - trimmed]));
    let margin = (high - low) * 2;
    let inside = |r: &i64| (low - margin..=high + margin).contains(&i128::from(*r));
    let from = sorted.iter().position(inside)?;
    let to = sorted.iter().rposition(inside)?;
    Some((sorted[from], sorted[to]))
}

/// Plain bits of equal bins that make the residuals smallest, by their entropy and the bins' description.
fn equal_width(sorted: &[i64], low: i64, high: i64) -> Option<u32> {
    let most = width(high.wrapping_sub(low) as u64);
    let finest = most.saturating_sub(MOST_BINS.ilog2());
    if most > MOST_PLAIN {
        return None;
    }
    let mut counts = [0_u32; MOST_BINS];
    let mut n = 0;
    for r in sorted.iter().filter(|r| (low..=high).contains(*r)) {
        counts[(r.wrapping_sub(low) as u64 >> finest) as usize] += 1;
        n += 1;
    }
    let mut best = (f32::INFINITY, finest);
    for plain in finest..=most {
        let bins = (high.wrapping_sub(low) as u64 >> plain) as usize + 1;
        let all = n as f32;
        let entropy: f32 =
            counts[..bins].iter().filter(|c| **c > 0).map(|c| *c as f32 * (all / *c as f32).log2()).sum();
        let cost = entropy + all * plain as f32 + 4.0 * bins as f32;
        if cost < best.0 {
            best = (cost, plain);
        }
        for i in 0..MOST_BINS / 2 {
            counts[i] = counts[2 * i] + counts[2 * i + 1];
        }
        counts[MOST_BINS / 2..].fill(0);
    }
    Some(best.1)
}

impl<'a> Plan<'a> {
    fn new(residuals: &'a [i64], shape: Shape, outliers: Vec<usize>) -> Option<Self> {
        let mut counts = [0_u32; RUNS_FROM + RUN_BINS];
        let mut plain_bits = 0;
        let mut fits = true;
        shape.tokens(residuals, &outliers, RUNS_FROM, |bin, _, plain| {
            fits &= plain <= MOST_PLAIN && bin < counts.len();
            plain_bits += plain as usize;
            if let Some(count) = counts.get_mut(bin) {
                *count += 1;
            }
        });
        if !fits {
            return None;
        }
        let all = lengths(&counts);
        let code_bits: usize = counts.iter().zip(&all).map(|(c, l)| *c as usize * usize::from(*l)).sum();
        let used = |counts: &[u32]| counts.iter().rposition(|c| *c > 0).map_or(0, |i| i + 1);
        let (bins, run_bins) = (used(&counts[..RUNS_FROM]), used(&counts[RUNS_FROM..]));
        let lengths = [&all[..bins], &all[RUNS_FROM..RUNS_FROM + run_bins]].concat();
        // Head, origin, numbers of bins and lengths of streams are some ten bytes.
        let size = 10 + (plain_bits + code_bits) / 8 + lengths.len() / 2 + outliers.len() * 6;
        Some(Self { residuals, shape, outliers, lengths, bins, size })
    }

    /// Appends the residuals.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Self { residuals, shape, outliers, lengths, bins, .. } = self;
        out.push(shape.plain.map_or(DOUBLING, |p| p as u8) | if shape.repeated.is_some() { RUNS } else { 0 });
        put_varint(out, zigzag(shape.origin));
        out.push(*bins as u8);
        if let Some(repeated) = shape.repeated {
            put_varint(out, repeated);
            out.push((lengths.len() - bins) as u8);
        }
        put_varint(out, outliers.len() as u64);
        let mut next = 0;
        for &at in outliers {
            put_varint(out, (at - next) as u64);
            put_varint(out, zigzag(residuals[at]));
            next = at + 1;
        }
        out.extend(lengths.chunks(2).map(|two| two[0] | two.get(1).copied().unwrap_or(0) << 4));
        // Lengths come from counts, and so never contradict each other.
        let codes = codes(lengths).unwrap_or_default();
        let mut streams = [BitWriter::default(), BitWriter::default()];
        let mut turn = 0;
        shape.tokens(residuals, outliers, *bins, |bin, plain_bits, plain| {
            let code = u32::from(lengths[bin]);
            streams[turn].put(u64::from(codes[bin]) | plain_bits << code, code + plain);
            turn ^= 1;
        });
        let streams = streams.map(BitWriter::finish);
        streams.iter().for_each(|s| put_varint(out, s.len() as u64));
        streams.iter().for_each(|s| out.extend_from_slice(s));
    }
}

/// Reads residuals.
pub(super) struct Bins<'a> {
    shape: Shape,
    /// By the next bits: length of the code, plain bits, symbol, in eight bits each.
    table: [u32; 1 << LONGEST],
    /// Where each bin begins; run bins behind the others.
    starts: [u64; 128],
    run_bins_from: u32,
    streams: [BitReader<'a>; 2],
    /// The stream of the next residual or run.
    turn: usize,
    outliers: Vec<(usize, i64)>,
    next_outlier: usize,
    at: usize,
    run: u64,
}

impl<'a> Bins<'a> {
    pub(super) fn new(from: &mut Cursor<'a>, n: usize) -> Result<Self, Corrupt> {
        let head = from.byte()?;
        let origin = unzigzag(from.varint()?);
        let plain = if head & DOUBLING == 0 { Some(u32::from(head & 0x3f)) } else { None };
        if plain.is_some_and(|p| p > MOST_PLAIN) {
            return Err(Corrupt);
        }
        let bins = usize::from(from.byte()?);
        let (repeated, run_bins) =
            if head & RUNS == 0 { (None, 0) } else { (Some(from.varint()?), usize::from(from.byte()?)) };
        if bins > MOST_BINS || run_bins > RUN_BINS {
            return Err(Corrupt);
        }
        let mut outliers = Vec::new();
        let mut next = 0;
        for _ in 0..from.varint_to(n)? {
            let at = next + from.varint_to(n)?;
            outliers.push((at, unzigzag(from.varint()?)));
            next = at + 1;
        }
        let mut lengths = Vec::with_capacity(bins + run_bins + 1);
        for two in from.take((bins + run_bins).div_ceil(2))? {
            lengths.extend([two & 15, two >> 4]);
        }
        lengths.truncate(bins + run_bins);
        let shape = Shape { origin, plain, repeated };
        let mut reader = Self {
            shape,
            table: [0; 1 << LONGEST],
            starts: [0; 128],
            run_bins_from: bins as u32,
            streams: [BitReader::new(&[]), BitReader::new(&[])],
            turn: 0,
            outliers,
            next_outlier: 0,
            at: 0,
            run: 0,
        };
        for (symbol, (length, code)) in lengths.iter().zip(codes(&lengths)?).enumerate() {
            if *length == 0 {
                continue;
            }
            let (start, plain) = match (symbol.checked_sub(bins), plain) {
                (Some(run), _) => (1 << run, run as u32),
                (None, Some(plain)) => ((symbol as u64) << plain, plain),
                (None, None) => match symbol as u32 {
                    0 => (0, 0),
                    w => (1 << (w - 1), w - 1),
                },
            };
            if plain > MOST_PLAIN {
                return Err(Corrupt);
            }
            reader.starts[symbol] = start;
            let entry = u32::from(*length) | plain << 8 | (symbol as u32) << 16;
            reader.table[usize::from(code)..].iter_mut().step_by(1 << length).for_each(|e| *e = entry);
        }
        let lens = [from.varint_to(from.0.len())?, from.varint_to(from.0.len())?];
        reader.streams = [BitReader::new(from.take(lens[0])?), BitReader::new(from.take(lens[1])?)];
        Ok(reader)
    }

    /// Reads the next residuals: an even number of them, but for the last ones.
    pub(super) fn next(&mut self, out: &mut [i64]) -> Result<(), Corrupt> {
        match self.shape.repeated {
            None => self.plain(out)?,
            Some(repeated) => self.with_runs(repeated as i64, out)?,
        }
        if self.streams.iter().any(BitReader::overran) {
            return Err(Corrupt);
        }
        let origin = self.shape.origin;
        match self.shape.plain {
            Some(_) => out.iter_mut().for_each(|r| *r = origin.wrapping_add(*r)),
            None => out.iter_mut().for_each(|r| *r = origin.wrapping_add(unzigzag(*r as u64))),
        }
        while let Some((at, residual)) = self.outliers.get(self.next_outlier) {
            let Some(place) = out.get_mut(at - self.at) else { break };
            *place = *residual;
            self.next_outlier += 1;
        }
        self.at += out.len();
        Ok(())
    }

    /// Reads offsets none of which is a run.
    fn plain(&mut self, out: &mut [i64]) -> Result<(), Corrupt> {
        let [first, second] = &mut self.streams;
        let (table, starts) = (&self.table, &self.starts);
        let mut known = true;
        let mut read = |stream: &mut BitReader<'_>| {
            stream.refill();
            let entry = table[stream.peek(LONGEST) as usize];
            known &= entry != 0;
            stream.skip(entry & 0xff);
            let plain = entry >> 8 & 0xff;
            let value = starts[(entry >> 16) as usize & 127] + stream.peek(plain);
            stream.skip(plain);
            value as i64
        };
        let mut pairs = out.chunks_exact_mut(2);
        for pair in &mut pairs {
            (pair[0], pair[1]) = (read(first), read(second));
        }
        if let [last] = pairs.into_remainder() {
            *last = read(first);
        }
        if known { Ok(()) } else { Err(Corrupt) }
    }

    /// Reads offsets and runs of `repeated`.
    fn with_runs(&mut self, repeated: i64, out: &mut [i64]) -> Result<(), Corrupt> {
        let mut filled = 0;
        while filled < out.len() {
            if self.run > 0 {
                let n = (out.len() - filled).min(usize::try_from(self.run).unwrap_or(usize::MAX));
                out[filled..filled + n].fill(repeated);
                filled += n;
                self.run -= n as u64;
                continue;
            }
            let stream = &mut self.streams[self.turn];
            self.turn ^= 1;
            stream.refill();
            let entry = self.table[stream.peek(LONGEST) as usize];
            if entry == 0 {
                return Err(Corrupt);
            }
            stream.skip(entry & 0xff);
            let (plain, symbol) = (entry >> 8 & 0xff, entry >> 16);
            let value = self.starts[symbol as usize & 127] + stream.peek(plain);
            stream.skip(plain);
            if symbol >= self.run_bins_from {
                self.run = value;
            } else {
                out[filled] = value as i64;
                filled += 1;
            }
        }
        Ok(())
    }
}
