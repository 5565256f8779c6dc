//! The bounded history of one monitor: its newest results and a strip of worst states.
//!
//! What lists and details show must be there at once and after a restart, also while the series store is
//! being opened or broken: so it does not come from there. `engine/ingest` is the only writer. Cost per monitor: at
//! most [`POINTS`] × 8 bytes and one strip; per result O(1). Format: `docs/formats/history.md`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::outcome::Verdict;
use crate::base::time::Timestamp;
use crate::wire::api::HistoryPoint;
use crate::wire::board::{STRIP_BUCKET, STRIP_CELLS, State, strip_cell};

/// Results kept per monitor: 40 minutes at one every 10 s, 2 hours at one every 30 s.
pub const POINTS: usize = 240;

/// Leads every blob, so that a later version can tell.
const VERSION: u8 = 1;
const POINT_BYTES: usize = 13;

/// One result, as it is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    at: i64,
    took_us: u32,
    verdict: Verdict,
}

/// The same in eight bytes: at 10,000 monitors each byte of a point is 2.4 MB.
///
/// From the top 42 bits of milliseconds since 1970, which end in 2109; two of the verdict; five that say how far
/// the last 15, microseconds, are shifted. Durations are exact up to 32 ms and to 1 part in 16,000 beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed(u64);

/// What is kept of one monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    points: VecDeque<Packed>,
    cells: VecDeque<Option<Verdict>>,
    newest_bucket: i64,
    digest: Digest,
}

/// What every result is asked for anew, kept as points come and go: to count 240 points each time costs more than all
/// else here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Digest {
    judged: u8,
    down: u8,
    p95_us: Option<u32>,
}

impl History {
    /// Adds a result. `cover` is how long a result speaks for: the monitor's interval.
    ///
    /// A result older than the newest one (the clock was set back) is kept in order of arrival.
    pub fn push(&mut self, at: Timestamp, took: Duration, verdict: Verdict, cover: Duration) {
        let gone = if self.points.len() == POINTS { self.points.pop_front() } else { None };
        let new = Point::new(at, took, verdict).packed();
        self.points.push_back(new);
        if let Some(gone) = gone {
            self.digest.judged -= u8::from(gone.verdict() != Verdict::Unknown);
            self.digest.down -= u8::from(gone.verdict() == Verdict::Down);
        }
        self.digest.count(new);
        if self.digest.is_other(gone.and_then(Packed::worked), new.worked()) {
            self.digest.p95_us = p95(&self.points);
        }
        self.mark(bucket(at), verdict, cover);
    }

    fn mark(&mut self, bucket: i64, verdict: Verdict, cover: Duration) {
        if self.cells.is_empty() || bucket.abs_diff(self.newest_bucket) >= 2 * STRIP_CELLS as u64 {
            self.cells.clear();
            self.cells.push_back(Some(verdict));
            self.newest_bucket = bucket;
            return;
        }
        if bucket <= self.newest_bucket {
            let back = usize::try_from(self.newest_bucket - bucket).unwrap_or(usize::MAX);
            if let Some(i) = self.cells.len().checked_sub(1 + back)
                && let Some(cell) = self.cells.get_mut(i)
            {
                *cell = Some(cell.map_or(verdict, |c| worse(c, verdict)));
            }
            return;
        }
        // The cells between two results belong to the earlier one while it still speaks for them.
        let gap = bucket - self.newest_bucket - 1;
        let speaks = i64::try_from((cover.as_millis() * 3 / 2).div_ceil(STRIP_BUCKET.as_millis())).unwrap_or(i64::MAX);
        let fill = if gap < speaks { self.cells.back().copied().flatten() } else { None };
        for _ in 0..gap {
            self.cells.push_back(fill);
        }
        self.cells.push_back(Some(verdict));
        self.newest_bucket = bucket;
        while self.cells.len() > STRIP_CELLS {
            self.cells.pop_front();
        }
    }

    /// The newest `limit` results, oldest first.
    pub fn points(&self, limit: usize) -> Vec<HistoryPoint> {
        let skip = self.points.len().saturating_sub(limit);
        self.points.iter().skip(skip).map(|p| p.point().wire()).collect()
    }

    /// The newest result's time.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.points.back().map(|p| Timestamp::from_millis(p.point().at))
    }

    /// The strip as it stands at `now`: [`STRIP_CELLS`] characters, oldest first.
    pub fn strip(&self, now: Timestamp, cover: Duration) -> String {
        let behind = usize::try_from((bucket(now) - self.newest_bucket).max(0)).unwrap_or(usize::MAX);
        let speaks =
            usize::try_from((cover.as_millis() * 3 / 2).div_ceil(STRIP_BUCKET.as_millis())).unwrap_or(usize::MAX);
        let tail = if behind <= speaks { self.cells.back().copied().flatten() } else { None };
        let cells = self.cells.iter().copied().chain(std::iter::repeat_n(tail, behind.min(STRIP_CELLS)));
        let have = self.cells.len() + behind.min(STRIP_CELLS);
        let pad = STRIP_CELLS.saturating_sub(have);
        std::iter::repeat_n('.', pad)
            .chain(cells.skip(have.saturating_sub(STRIP_CELLS)).map(|c| strip_cell(c.map(State::from))))
            .collect()
    }

    /// Part of the judged results that were not down; `None` without any.
    pub fn uptime(&self) -> Option<f64> {
        let Digest { judged, down, .. } = self.digest;
        (judged > 0).then(|| f64::from(judged - down) / f64::from(judged))
    }

    /// 95th percentile of the duration of results that were up or degraded.
    pub fn p95(&self) -> Option<Duration> {
        self.digest.p95_us.map(|us| Duration::from_micros(u64::from(us)))
    }

    /// The blob that [`decode`](Self::decode) reads.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(12 + self.cells.len() + self.points.len() * POINT_BYTES);
        out.push(VERSION);
        out.extend(self.newest_bucket.to_le_bytes());
        out.push(u8::try_from(self.cells.len()).unwrap_or(u8::MAX));
        out.extend(self.cells.iter().map(|c| c.map_or(0xff, code)));
        for p in &self.points {
            p.point().encode(&mut out);
        }
        out
    }

    /// Reads a blob; `None` when it is not one of ours.
    pub fn decode(blob: &[u8]) -> Option<Self> {
        let (&VERSION, rest) = blob.split_first()? else { return None };
        let (newest, rest) = rest.split_first_chunk::<8>()?;
        let (&n, rest) = rest.split_first()?;
        let (cells, points) = rest.split_at_checked(usize::from(n))?;
        if cells.len() > STRIP_CELLS || points.len() % POINT_BYTES != 0 || points.len() / POINT_BYTES > POINTS {
            return None;
        }
        let packed = points.chunks_exact(POINT_BYTES).map(|p| Point::decode(p).map(Point::packed));
        let points: VecDeque<Packed> = packed.collect::<Option<_>>()?;
        let mut digest = Digest { p95_us: p95(&points), ..Digest::default() };
        points.iter().for_each(|p| digest.count(*p));
        Some(Self {
            points,
            digest,
            cells: cells.iter().map(|&c| verdict(c)).collect(),
            newest_bucket: i64::from_le_bytes(*newest),
        })
    }
}

impl Digest {
    fn count(&mut self, point: Packed) {
        self.judged += u8::from(point.verdict() != Verdict::Unknown);
        self.down += u8::from(point.verdict() == Verdict::Down);
    }

    /// Whether the percentile may be another one after one duration came for another: not when both are on the same side.
    fn is_other(&self, gone: Option<u32>, new: Option<u32>) -> bool {
        match (self.p95_us, gone, new) {
            (_, None, None) => false,
            (Some(p95), Some(gone), Some(new)) => gone.cmp(&p95) != new.cmp(&p95) || gone == p95,
            _ => true,
        }
    }
}

/// The 95th percentile of what worked, in microseconds.
fn p95(points: &VecDeque<Packed>) -> Option<u32> {
    let mut took: Vec<u32> = points.iter().filter_map(|p| p.worked()).collect();
    let rank = (took.len() * 95).div_ceil(100).checked_sub(1)?;
    Some(*took.select_nth_unstable(rank).1)
}

impl Packed {
    const TIME_BITS: u32 = 42;
    const SHIFT_BITS: u32 = 5;
    const DIGIT_BITS: u32 = 15;

    const fn point(self) -> Point {
        let at = (self.0 >> (u64::BITS - Self::TIME_BITS)) as i64;
        Point { at, took_us: self.took_us(), verdict: self.verdict() }
    }

    const fn verdict(self) -> Verdict {
        match self.0 >> (Self::SHIFT_BITS + Self::DIGIT_BITS) & 3 {
            0 => Verdict::Down,
            1 => Verdict::Up,
            2 => Verdict::Degraded,
            _ => Verdict::Unknown,
        }
    }

    /// How long it took, where it was up or degraded.
    fn worked(self) -> Option<u32> {
        matches!(self.verdict(), Verdict::Up | Verdict::Degraded).then(|| self.took_us())
    }

    const fn took_us(self) -> u32 {
        let shift = self.0 >> Self::DIGIT_BITS & ((1 << Self::SHIFT_BITS) - 1);
        ((self.0 & ((1 << Self::DIGIT_BITS) - 1)) << shift) as u32
    }
}

impl Point {
    fn new(at: Timestamp, took: Duration, verdict: Verdict) -> Self {
        Self { at: at.millis(), took_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX), verdict }
    }

    /// A time outside of what is kept becomes the nearest one.
    const fn packed(self) -> Packed {
        const LAST: i64 = (1 << Packed::TIME_BITS) - 1;
        let at = if self.at < 0 {
            0
        } else if self.at > LAST {
            LAST
        } else {
            self.at
        } as u64;
        let shift = (u32::BITS - self.took_us.leading_zeros()).saturating_sub(Packed::DIGIT_BITS);
        let took = (shift as u64) << Packed::DIGIT_BITS | (self.took_us >> shift) as u64;
        let verdict = (code(self.verdict) as u64) << (Packed::SHIFT_BITS + Packed::DIGIT_BITS);
        Packed(at << (u64::BITS - Packed::TIME_BITS) | verdict | took)
    }

    fn wire(self) -> HistoryPoint {
        HistoryPoint {
            at: Timestamp::from_millis(self.at),
            verdict: self.verdict,
            took: Duration::from_micros(u64::from(self.took_us)),
        }
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.extend(self.at.to_le_bytes());
        out.extend(self.took_us.to_le_bytes());
        out.push(code(self.verdict));
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (took, rest) = rest.split_first_chunk::<4>()?;
        Some(Self {
            at: i64::from_le_bytes(*at),
            took_us: u32::from_le_bytes(*took),
            verdict: verdict(*rest.first()?)?,
        })
    }
}

/// Whose result, how long it speaks for, and what it was.
type Record<'a> = (&'a str, Duration, HistoryPoint);

/// Results since the last full save, as a blob of records: name length (u8), name, cover (u32 s), point.
#[derive(Debug, Default)]
pub struct Journal(Vec<u8>);

impl Journal {
    /// Adds one result.
    pub fn add(&mut self, name: &MonitorName, cover: Duration, at: Timestamp, took: Duration, verdict: Verdict) {
        if self.0.is_empty() {
            self.0.push(VERSION);
        }
        // A monitor's name has at most 200 bytes.
        self.0.push(u8::try_from(name.as_str().len()).unwrap_or(u8::MAX));
        self.0.extend(name.as_str().as_bytes());
        self.0.extend(u32::try_from(cover.as_secs()).unwrap_or(u32::MAX).to_le_bytes());
        Point::new(at, took, verdict).encode(&mut self.0);
    }

    /// The blob so far, leaving the journal empty; `None` when nothing was added.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| std::mem::take(&mut self.0))
    }

    /// Hands each record of `blob` to `each`; stops at the first that is not whole.
    pub fn replay(blob: &[u8], mut each: impl FnMut(&str, Duration, HistoryPoint)) {
        let Some((&VERSION, mut rest)) = blob.split_first() else { return };
        while let Some((record, next)) = Self::record(rest) {
            each(record.0, record.1, record.2);
            rest = next;
        }
    }

    fn record(rest: &[u8]) -> Option<(Record<'_>, &[u8])> {
        let (&n, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(n))?;
        let (cover, rest) = rest.split_first_chunk::<4>()?;
        let (point, rest) = rest.split_at_checked(POINT_BYTES)?;
        let cover = Duration::from_secs(u64::from(u32::from_le_bytes(*cover)));
        Some(((std::str::from_utf8(name).ok()?, cover, Point::decode(point)?.wire()), rest))
    }
}

const fn bucket(at: Timestamp) -> i64 {
    at.millis().div_euclid(STRIP_BUCKET.as_millis() as i64)
}

/// The worse of two verdicts, as a strip shows it.
const fn worse(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Down, _) | (_, Verdict::Down) => Verdict::Down,
        (Verdict::Degraded, _) | (_, Verdict::Degraded) => Verdict::Degraded,
        (Verdict::Unknown, _) | (_, Verdict::Unknown) => Verdict::Unknown,
        (Verdict::Up, Verdict::Up) => Verdict::Up,
    }
}

const fn code(v: Verdict) -> u8 {
    match v {
        Verdict::Down => 0,
        Verdict::Up => 1,
        Verdict::Degraded => 2,
        Verdict::Unknown => 3,
    }
}

const fn verdict(code: u8) -> Option<Verdict> {
    match code {
        0 => Some(Verdict::Down),
        1 => Some(Verdict::Up),
        2 => Some(Verdict::Degraded),
        3 => Some(Verdict::Unknown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;
    const COVER: Duration = Duration::from_secs(30);

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 * 2 * MIN + minute * MIN)
    }

    fn filled(results: &[(i64, Verdict)]) -> History {
        let mut h = History::default();
        for &(minute, v) in results {
            h.push(at(minute), Duration::from_millis(5), v, COVER);
        }
        h
    }

    fn tail(h: &History, now: i64, cover: Duration) -> String {
        let s = h.strip(at(now), cover);
        assert_eq!(s.chars().count(), STRIP_CELLS);
        s.trim_start_matches('.').to_owned()
    }

    #[test]
    fn what_is_kept_of_the_points_is_what_they_say() {
        let mut dice = fastrand::Rng::with_seed(7);
        let mut history = History::default();
        for i in 0..1_500_i64 {
            let verdict =
                [Verdict::Up, Verdict::Up, Verdict::Degraded, Verdict::Down, Verdict::Unknown][dice.usize(..5)];
            let took = Duration::from_micros(dice.u64(..12) * 10);
            history.push(Timestamp::from_millis(i * 10_000), took, verdict, Duration::from_secs(10));
            assert_eq!(history.digest.p95_us, p95(&history.points), "{i}");
            assert_eq!(History::decode(&history.encode()), Some(history.clone()), "{i}");
        }
    }

    #[test]
    fn a_cell_shows_the_worst_state_in_its_time() {
        let h = filled(&[(0, Verdict::Up), (1, Verdict::Down), (2, Verdict::Up), (3, Verdict::Degraded)]);
        assert_eq!(tail(&h, 3, COVER), "dg");
    }

    #[test]
    fn gaps_are_gaps_and_time_moves_on_without_results() {
        let h = filled(&[(0, Verdict::Up), (8, Verdict::Up)]);
        assert_eq!(tail(&h, 8, COVER), "u...u");
        assert_eq!(h.strip(at(8 + 6), COVER).chars().rev().take(4).collect::<String>(), "...u");
        assert_eq!(h.strip(at(100_000), COVER), ".".repeat(STRIP_CELLS));
    }

    #[test]
    fn a_slow_monitor_speaks_for_its_whole_interval() {
        let hour = Duration::from_secs(3_600);
        let mut h = History::default();
        h.push(at(0), COVER, Verdict::Up, hour);
        h.push(at(60), COVER, Verdict::Up, hour);
        assert_eq!(tail(&h, 60, hour), "u".repeat(31));
    }

    proptest::proptest! {
        #[test]
        fn a_point_keeps_its_time_and_verdict_and_a_duration_nearly(at in 0_i64..1 << 42, took_us: u32, code in 0_u8..4) {
            let point = Point { at, took_us, verdict: verdict(code).unwrap() };
            let back = point.packed().point();
            proptest::prop_assert_eq!((back.at, back.verdict), (point.at, point.verdict));
            proptest::prop_assert!(took_us - back.took_us <= took_us >> 14, "{} {}", took_us, back.took_us);
            proptest::prop_assert!(took_us >= 1 << 15 || back.took_us == took_us);
        }
    }

    #[test]
    fn times_that_no_clock_should_show_become_the_nearest_that_one_may() {
        let at = |at| Point { at, took_us: 0, verdict: Verdict::Up }.packed().point().at;
        assert_eq!([i64::MIN, -1, i64::MAX].map(at), [0, 0, (1 << 42) - 1]);
    }

    #[test]
    fn a_clock_that_jumps_keeps_the_newest_results() {
        let mut h = filled(&[(0, Verdict::Up)]);
        h.push(at(-1_000_000), COVER, Verdict::Down, COVER);
        h.push(at(0), COVER, Verdict::Up, COVER);
        assert_eq!(h.points(10).len(), 3);
        assert_eq!(tail(&h, 0, COVER), "u");
    }

    #[test]
    fn memory_is_bounded() {
        let mut h = History::default();
        for i in 0..10_000 {
            h.push(at(i), COVER, Verdict::Up, COVER);
        }
        assert_eq!((h.points.len(), h.cells.len()), (POINTS, STRIP_CELLS));
    }

    #[test]
    fn numbers() {
        let mut h = filled(&[(0, Verdict::Down), (1, Verdict::Unknown), (2, Verdict::Up), (3, Verdict::Up)]);
        assert_eq!(h.uptime(), Some(2.0 / 3.0));
        for ms in 1..=98 {
            h.push(at(4), Duration::from_millis(ms), Verdict::Up, COVER);
        }
        assert_eq!(h.p95(), Some(Duration::from_millis(93)));
        assert_eq!(History::default().p95(), None);
        assert_eq!(History::default().uptime(), None);
    }

    #[test]
    fn encode_then_decode_is_identity_and_damage_is_refused() {
        let h = filled(&[(0, Verdict::Up), (4, Verdict::Down), (9, Verdict::Unknown)]);
        let blob = h.encode();
        assert_eq!(History::decode(&blob), Some(h));
        for cut in 0..blob.len() {
            if !(blob.len() - cut).is_multiple_of(POINT_BYTES) {
                assert_eq!(History::decode(&blob[..cut]), None, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_cut_journal_replays_a_prefix() {
        let mut j = Journal::default();
        let name = MonitorName::new("shop").unwrap();
        for i in 0..3 {
            j.add(&name, COVER, at(i), Duration::from_millis(7), Verdict::Up);
        }
        let blob = j.take().unwrap();
        assert!(j.take().is_none());
        for cut in 0..=blob.len() {
            let mut seen = Vec::new();
            Journal::replay(&blob[..cut], |n, cover, p| seen.push((n.to_owned(), cover, p.at)));
            let want = cut.saturating_sub(1) / ((blob.len() - 1) / 3);
            assert_eq!(seen.len(), want, "cut at {cut}");
            assert!(seen.iter().enumerate().all(|(i, s)| *s == ("shop".to_owned(), COVER, at(i as i64))));
        }
    }
}
