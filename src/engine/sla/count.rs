//! Samples of a monitor's state → how long it was up, down, or neither. No I/O, no clock.

use std::time::Duration;

use crate::base::sample::is_stale;
use crate::base::time::Timestamp;
use crate::engine::storage::outcome::{PARENT_IS_DOWN, PAUSED};
use crate::engine::storage::recorder::OWN_EVERY;
use crate::wire::sla::{Downtime, Excluded};

/// How long a pause speaks at least, in milliseconds: it is written every [`OWN_EVERY`], however often the monitor would run.
pub(crate) const PAUSE: i64 = 2 * OWN_EVERY.as_millis() as i64;
/// Times of a monitor that are listed; all are counted.
const LISTED: usize = 1_000;

/// What a stored state says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Up,
    Degraded,
    Down,
    Own,
    Parent,
    Paused,
    /// The series ended here.
    Nothing,
}

/// From a moment up to but without another, in milliseconds.
pub(crate) type Span = (i64, i64);

/// The sums over one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Count {
    pub(crate) up: Duration,
    pub(crate) degraded: Duration,
    pub(crate) down: Duration,
    pub(crate) excluded: Excluded,
    pub(crate) outages: usize,
    /// Of those that are over.
    pub(crate) recovered: (usize, Duration),
    pub(crate) downtimes: Vec<Downtime>,
    open: Option<Open>,
}

/// A time that it is down, not yet over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    starts_at: i64,
    counted: Duration,
}

/// Counts `within`. A sample speaks until the next one, but no longer than `cover`; `maintenance` is sorted and
/// disjoint. `samples` are in order of time and may begin before.
pub(crate) fn count(samples: &[(i64, f64)], within: Span, cover: i64, maintenance: &[Span]) -> Count {
    let mut count = Count::default();
    let mut at = within.0;
    for (i, (t, value)) in samples.iter().enumerate() {
        let next = samples.get(i + 1).map_or(i64::MAX, |(t, _)| *t);
        let said = said(*value);
        let cover = if said == Said::Paused { cover.max(PAUSE) } else { cover };
        let (from, to) = ((*t).max(at), next.min(t.saturating_add(cover)).min(within.1));
        if to <= from {
            continue;
        }
        count.spend(Said::Nothing, (at, from), maintenance);
        count.spend(said, (from, to), maintenance);
        at = to;
    }
    count.spend(Said::Nothing, (at, within.1), maintenance);
    count.close(None);
    count
}

fn said(value: f64) -> Said {
    match value {
        v if is_stale(v) || v.is_nan() => Said::Nothing,
        v if v == PAUSED => Said::Paused,
        v if v == PARENT_IS_DOWN => Said::Parent,
        0.0 => Said::Down,
        1.0 => Said::Up,
        2.0 => Said::Degraded,
        3.0 => Said::Own,
        _ => Said::Nothing,
    }
}

impl Count {
    fn spend(&mut self, said: Said, (mut from, to): Span, maintenance: &[Span]) {
        let first = maintenance.partition_point(|(_, end)| *end <= from);
        for (start, end) in maintenance.iter().skip(first).take_while(|(start, _)| *start < to) {
            let (start, end) = ((*start).max(from), (*end).min(to));
            self.add(said, (from, start));
            self.excluded.maintenance += length((start, end));
            from = end;
        }
        self.add(said, (from, to));
    }

    fn add(&mut self, said: Said, span: Span) {
        let long = length(span);
        if long.is_zero() {
            return;
        }
        match said {
            Said::Up | Said::Degraded => {
                self.close(Some(span.0));
                self.up += long;
                if said == Said::Degraded {
                    self.degraded += long;
                }
            }
            Said::Down => {
                self.down += long;
                let open = self.open.get_or_insert(Open { starts_at: span.0, counted: Duration::ZERO });
                open.counted += long;
            }
            // What is not known ends no downtime: only a success does.
            Said::Own => self.excluded.own += long,
            Said::Parent => self.excluded.parent += long,
            Said::Paused => self.excluded.paused += long,
            Said::Nothing => self.excluded.no_data += long,
        }
    }

    fn close(&mut self, ends_at: Option<i64>) {
        let Some(open) = self.open.take() else { return };
        self.outages += 1;
        if ends_at.is_some() {
            self.recovered.0 += 1;
            self.recovered.1 += open.counted;
        }
        if self.downtimes.len() < LISTED {
            let (starts_at, ends_at) = (Timestamp::from_millis(open.starts_at), ends_at.map(Timestamp::from_millis));
            self.downtimes.push(Downtime { starts_at, ends_at, counted: open.counted });
        }
    }
}

fn length((from, to): Span) -> Duration {
    Duration::from_millis(u64::try_from(to - from).unwrap_or(0))
}

/// The same times, sorted, those that overlap or touch joined.
pub(crate) fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for (start, end) in spans.into_iter().filter(|(start, end)| start < end) {
        match out.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            Some(_) | None => out.push((start, end)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One sample per character, ten seconds apart: `u`p, `g` degraded, `d`own, `k` ours, `p`arent, `0` paused, `-` none.
    fn samples(script: &str) -> Vec<(i64, f64)> {
        let value = |c| match c {
            'u' => Some(1.0),
            'g' => Some(2.0),
            'd' => Some(0.0),
            'k' => Some(3.0),
            'p' => Some(5.0),
            '0' => Some(4.0),
            _ => None,
        };
        script.chars().enumerate().filter_map(|(i, c)| Some((i as i64 * 10_000, value(c)?))).collect()
    }

    fn counted(script: &str, maintenance: &[Span]) -> Count {
        count(&samples(script), (0, script.len() as i64 * 10_000), 15_000, maintenance)
    }

    fn secs(d: Duration) -> u64 {
        d.as_secs()
    }

    #[test]
    fn a_sample_speaks_until_the_next_one_and_what_cannot_be_judged_does_not_count() {
        let c = counted("uuggddukkpp00--", &[]);
        assert_eq!((secs(c.up), secs(c.degraded), secs(c.down)), (50, 20, 20));
        let e = c.excluded;
        // The last sample speaks twenty seconds into the gap.
        assert_eq!([e.own, e.parent, e.paused, e.no_data, e.maintenance].map(secs), [20, 20, 40, 0, 0]);
        assert_eq!((c.outages, c.recovered), (1, (1, Duration::from_secs(20))));
        let times = |c: &Count| {
            c.downtimes.iter().map(|d| (d.starts_at.millis(), d.ends_at.map(Timestamp::millis))).collect::<Vec<_>>()
        };
        assert_eq!(times(&c), [(40_000, Some(60_000))]);
        // One that lasts has no end; one that is interrupted by what we do not know is one.
        let c = counted("udkkdud", &[]);
        assert_eq!(times(&c), [(10_000, Some(50_000)), (60_000, None)]);
        assert_eq!((secs(c.downtimes[0].counted), c.outages, c.recovered.0), (20, 2, 1));
    }

    #[test]
    fn maintenance_comes_first_and_takes_downtime_away() {
        let c = counted("uudddduu", &[(25_000, 45_000), (50_000, 55_000)]);
        assert_eq!((secs(c.up), secs(c.down), secs(c.excluded.maintenance)), (40, 15, 25));
        assert_eq!((c.outages, secs(c.downtimes[0].counted)), (1, 15));
        let c = counted("uudddduu", &[(0, 80_000)]);
        assert_eq!((c.up, c.down, c.outages), (Duration::ZERO, Duration::ZERO, 0));
    }

    #[test]
    fn what_came_before_and_after_is_cut_off() {
        let c = count(&samples("uuuuuu"), (25_000, 31_000), 15_000, &[]);
        assert_eq!((c.up, c.excluded.total()), (Duration::from_secs(6), Duration::ZERO));
        let c = count(&[], (0, 1_000), 15_000, &[]);
        assert_eq!(c.excluded.no_data, Duration::from_secs(1));
    }

    #[test]
    fn a_pause_is_written_seldom_and_speaks_until_it_is_written_again() {
        // A monitor of one second.
        let c = count(&[(0, 1.0), (1_000, PAUSED), (16_000, PAUSED), (31_000, 1.0)], (0, 32_000), 2_500, &[]);
        assert_eq!((secs(c.excluded.paused), c.excluded.no_data, secs(c.up)), (30, Duration::ZERO, 2));
    }

    #[test]
    fn spans_are_joined() {
        assert_eq!(joined(vec![(5, 7), (1, 3), (3, 4), (6, 9), (9, 9)]), [(1, 4), (5, 9)]);
    }

    proptest! {
        #[test]
        fn every_moment_is_counted_once(
            script in "[ugdkp0-]{1,60}",
            cuts in proptest::collection::vec((0i64..600_000, 0i64..100_000), 0..6),
        ) {
            let maintenance = joined(cuts.into_iter().map(|(at, long)| (at, at + long)).collect());
            let c = counted(&script, &maintenance);
            let all = c.up + c.down + c.excluded.total();
            prop_assert_eq!(all, Duration::from_secs(script.len() as u64 * 10));
            let listed: Duration = c.downtimes.iter().map(|d| d.counted).sum();
            prop_assert_eq!(listed, c.down);
            prop_assert!(c.degraded <= c.up);
        }
    }
}
