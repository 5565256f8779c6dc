//! `topk`, `bottomk`, `limitk`, `limit_ratio`: some series of each group, chosen anew at each step.

use crate::promql::ast::{AggregateOp, Span};
use crate::promql::eval::aggregate::bounds;
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::group::Groups;
use crate::promql::eval::heap::{Heap, Order};
use crate::promql::eval::names;
use crate::promql::eval::plan::Aggregate;
use crate::promql::eval::rows::{Head, Rows, present};
use crate::promql::eval::sample_hash::share;
use crate::promql::eval::scalar::Scalar;
use crate::promql::eval::stream::Stream;
use crate::promql::func::notes::{self, NoteSink};
use crate::promql::func::window::Grid;
use crate::promql::value::EvalError;

impl<'a> Evaluator<'a> {
    /// The value of an aggregation that keeps series.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn select_k(
        &mut self,
        a: &Aggregate<'_>,
        (param, span): &(Scalar, &Span),
        input: Stream<'a>,
        grid: Grid,
    ) -> Result<Rows, EvalError> {
        let how = match a.op {
            AggregateOp::LimitRatio => How::Ratio,
            AggregateOp::Limitk => How::First,
            AggregateOp::Bottomk => How::Best(Order::Smallest),
            _ => How::Best(Order::Largest),
        };
        if !self.check(&how, param, span)? {
            // The input may have notes all the same.
            input.for_each(self, &mut |_, _| Ok(()))?;
            return Ok(Rows::new(grid.count, &self.meter));
        }
        let heads: Vec<Head> = match input.dropped() {
            true => input.heads().iter().map(|h| Head { labels: names::without_name(&h.labels), ..*h }).collect(),
            false => input.heads().to_vec(),
        };
        let groups = Groups::of(&input, a.grouping);
        let n = heads.len();
        let k: Vec<usize> = (0..grid.count).map(|step| size(&how, param.at(step), n)).collect();
        // One heap per step of each group, and its first entries.
        let most = k.iter().max().copied().unwrap_or(0).min(Heap::FIRST);
        let places = groups.heads.len().saturating_mul(grid.count);
        let mut held = self.meter.take(places.saturating_mul((size_of::<Heap>() + most * Heap::ENTRY) / 8))?;
        let mut heaps = vec![Heap::default(); groups.heads.len() * grid.count];
        let mut kept = 0;
        input.for_each(self, &mut |series, row| {
            let place = if how == How::Ratio { share(&heads[series].labels) } else { 0.0 };
            let heaps = &mut heaps[groups.of[series] * grid.count..][..grid.count];
            for ((step, heap), v) in heaps.iter_mut().enumerate().zip(row).filter(|(_, v)| present(**v)) {
                kept += usize::from(match how {
                    How::Best(order) => heap.offer(order, k[step], *v, series),
                    How::First => heap.append(k[step], *v, series),
                    How::Ratio => is_chosen(param.at(step), place) && heap.append(n, *v, series),
                });
            }
            held.set(kept)
        })?;
        drop(input);
        let mut out = Rows::new(grid.count, &self.meter);
        if grid.count == 1 {
            ranked(&mut out, heaps, &how, &heads)?;
        } else {
            spread(&mut out, &heaps, &heads)?;
            drop(heaps);
        }
        drop(held);
        out.counted()
    }

    /// Refuses parameters that are not numbers, and notes odd ones. False if nothing can be chosen.
    fn check(&mut self, how: &How, param: &Scalar, span: &Span) -> Result<bool, EvalError> {
        let (min, max) = bounds(param);
        let any_nan = param.values().iter().any(|v| v.is_nan());
        if *how == How::Ratio {
            if min == 0.0 && max == 0.0 && !any_nan {
                return Ok(false);
            }
            if any_nan {
                return Err(EvalError::Execution("Ratio value is NaN".to_owned()));
            }
            let mut book = self.book.at(span);
            if max > 1.0 {
                book.note(notes::invalid_ratio(max, 1.0));
            }
            if min < -1.0 {
                book.note(notes::invalid_ratio(min, -1.0));
            }
            return Ok(true);
        }
        if max < 1.0 && !any_nan {
            return Ok(false);
        }
        if any_nan {
            return Err(EvalError::Execution("Parameter value is NaN".to_owned()));
        }
        if min <= i64::MIN as f64 {
            return Err(EvalError::Execution(format!("Scalar value {} underflows int64", notes::go_float(min))));
        }
        if max >= i64::MAX as f64 {
            return Err(EvalError::Execution(format!("Scalar value {} overflows int64", notes::go_float(max))));
        }
        Ok(true)
    }
}

/// How series are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The k best values.
    Best(Order),
    /// The first k.
    First,
    /// About so many of all, always the same ones.
    Ratio,
}

/// How many series a step keeps per group at most.
fn size(how: &How, param: f64, series: usize) -> usize {
    match how {
        How::Ratio => series,
        // Fractions are cut off; what is below one is nothing.
        How::Best(_) | How::First => (param.max(0.0) as usize).min(series),
    }
}

/// Whether a series at `place`, from 0 to 1, is among the first `ratio`, or among the last if negative.
fn is_chosen(ratio: f64, place: f64) -> bool {
    let ratio = ratio.clamp(-1.0, 1.0);
    (ratio >= 0.0 && place < ratio) || (ratio < 0.0 && place >= 1.0 + ratio)
}

/// A single step: groups in order, the best of each first.
fn ranked(out: &mut Rows, heaps: Vec<Heap>, how: &How, heads: &[Head]) -> Result<(), EvalError> {
    for heap in heaps {
        let entries = match how {
            How::Best(order) => heap.into_ranked(*order),
            How::First | How::Ratio => heap.into_entries(),
        };
        entries.into_iter().try_for_each(|(v, series)| out.push(heads[series].clone(), &[v]))?;
    }
    Ok(())
}

/// All steps: the series that were chosen at any, with the values of those steps.
fn spread(out: &mut Rows, heaps: &[Heap], heads: &[Head]) -> Result<(), EvalError> {
    let width = out.width();
    let mut places = vec![usize::MAX; heads.len()];
    for (i, heap) in heaps.iter().enumerate() {
        for &(v, series) in heap.entries() {
            if places[series] == usize::MAX {
                places[series] = out.len();
                out.add(heads[series].clone())?;
            }
            out.row_mut(places[series])[i % width] = v;
        }
    }
    Ok(())
}
