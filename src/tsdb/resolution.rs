//! Which resolution answers a query, and who tells of which time.
//!
//! Raw samples answer, unless they are gone for a part of the time, or the time is long and neither steps nor
//! windows would notice. Where no roll-up speaks for a time, above all the newest, buckets are made of raw
//! samples on the fly.

use std::sync::Arc;

use crate::base::sample::{Column, is_stale};
use crate::promql::source::{Resolution, Select, Want};
use crate::tsdb::block::{Block, Growth};
use crate::tsdb::catalog::Catalog;
use crate::tsdb::rollup::segments;

/// Longer ranges are answered from roll-ups when nobody would notice: seven days.
const LONG: i64 = 7 * 86_400_000;

/// A stretch of time, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The roll-up that tells of it, by place in the list of blocks; or raw samples.
    pub(crate) rollup: Option<u32>,
}

/// The resolution that answers, when raw samples are complete from a time on.
pub(crate) fn choose(select: &Select<'_>, catalog: &Catalog, raw_from: i64) -> Resolution {
    if let Some(asked) = select.resolution {
        return asked;
    }
    let tells = |resolution, until| {
        catalog
            .of(resolution)
            .any(|b| b.stats().samples > 0 && b.stats().min_time < until && b.overlaps(select.start, select.end))
    };
    if select.end.saturating_sub(select.start) > LONG {
        let unnoticed = |r: &Resolution| {
            let least = 2 * r.millis();
            select.step >= least && (select.window == 0 || select.window >= least)
        };
        let coarsest = [Resolution::Hour, Resolution::FiveMinutes].into_iter().filter(unnoticed);
        if let Some(found) = coarsest.into_iter().find(|r| tells(*r, i64::MAX)) {
            return found;
        }
    }
    // Of older ones a few may be there, which came late; roll-ups tell more.
    if select.start < raw_from {
        let reach = |r| catalog.of(r).filter(|b| b.stats().samples > 0).map(|b| b.stats().min_time).min();
        let five = tells(Resolution::FiveMinutes, raw_from);
        let hour = tells(Resolution::Hour, raw_from);
        let five_suffices = reach(Resolution::FiveMinutes).is_some_and(|five| {
            five <= select.start
                || reach(Resolution::Hour).is_none_or(|hour| hour.saturating_add(Resolution::Hour.millis()) >= five)
        });
        match (five, hour) {
            (true, _) if five_suffices => return Resolution::FiveMinutes,
            (_, true) => return Resolution::Hour,
            (true, false) => return Resolution::FiveMinutes,
            (false, false) => {}
        }
    }
    Resolution::Raw
}

/// Blocks that are needed, in the order in which they were written, and who tells of which time.
pub(crate) fn spans(resolution: Resolution, catalog: &Catalog, start: i64, end: i64) -> (Vec<Arc<Block>>, Vec<Span>) {
    let raw = |from, to| Span { from, to, rollup: None };
    if resolution == Resolution::Raw {
        let blocks = catalog.of(Resolution::Raw).filter(|b| b.overlaps(start, end));
        return (blocks.map(Arc::clone).collect(), vec![raw(start, end)]);
    }
    let all: Vec<&Arc<Block>> = catalog.of(resolution).collect();
    let mut blocks: Vec<Arc<Block>> = Vec::new();
    let mut places = vec![None; all.len()];
    let mut spans = Vec::new();
    let mut next = start;
    for segment in segments(all.iter().map(|b| b.meta())) {
        let (from, to) = (segment.from.max(start), segment.to.min(end));
        if from > to {
            continue;
        }
        if next < from {
            spans.push(raw(next, from - 1));
        }
        let place = *places[segment.block].get_or_insert_with(|| {
            blocks.push(Arc::clone(all[segment.block]));
            blocks.len() as u32 - 1
        });
        spans.push(Span { from, to, rollup: Some(place) });
        next = to.saturating_add(1);
    }
    if next <= end {
        spans.push(raw(next, end));
    }
    let needed = |b: &&Arc<Block>| spans.iter().any(|s| s.rollup.is_none() && b.overlaps(s.from, s.to));
    blocks.extend(catalog.of(Resolution::Raw).filter(needed).map(Arc::clone));
    (blocks, spans)
}

/// Makes buckets of raw samples, as a roll-up has them.
pub(crate) fn fill(raw: &Column, resolution: Resolution, want: Want, growth: &mut Growth, out: &mut Column) {
    let width = resolution.millis().max(1);
    let mut open: Option<i64> = None;
    for (t, v) in raw.iter().filter(|(_, v)| !is_stale(*v)) {
        let bucket = t.saturating_sub(1).div_euclid(width);
        let v = match want {
            Want::Increase => growth.next(v, 0.0),
            Want::Count => 1.0,
            Want::Last | Want::Min | Want::Max | Want::Sum => v,
        };
        match (out.t.last_mut(), out.v.last_mut()) {
            (Some(last), Some(value)) if open == Some(bucket) => {
                *last = t;
                *value = match want {
                    Want::Last | Want::Increase => v,
                    Want::Min => value.min(v),
                    Want::Max => value.max(v),
                    Want::Sum | Want::Count => *value + v,
                };
            }
            _ => out.push(t, v),
        }
        open = Some(bucket);
    }
}
