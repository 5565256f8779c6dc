//! How the row of one series is made from its samples.

use std::cell::Cell;
use std::sync::Arc;

use crate::base::sample::{Column, is_stale};
use crate::promql::ast::Extension;
use crate::promql::eval::meter::{Held, Meter};
use crate::promql::eval::rows::{Head, Rows, present};
use crate::promql::eval::scalar::Scalar;
use crate::promql::func::notes::{Note, NoteSink, possible_non_counter};
use crate::promql::func::range::{self, Param};
use crate::promql::func::window::{ABSENT, Grid, Windows};
use crate::promql::func::{Func, over_time};
use crate::promql::source::{Reader, SeriesSet};
use crate::promql::value::EvalError;

/// Series, and what is made of each.
pub(crate) struct Make<'a> {
    pub(crate) samples: Samples<'a>,
    pub(crate) what: What,
}

/// Where samples come from.
pub(crate) enum Samples<'a> {
    /// Series of the store.
    Store(Box<dyn SeriesSet + 'a>),
    /// Sums and counts of roll-ups, of which a mean is made: the same series in both.
    Mean(Box<dyn SeriesSet + 'a>, Box<dyn SeriesSet + 'a>),
    /// What a subquery gave at the times of a grid.
    Steps(Rows, Grid),
}

/// What is made of the samples.
pub(crate) enum What {
    /// At each time the newest sample that is not older than the look-back.
    Newest(Look),
    /// At each time the time of that sample, in seconds.
    Time(Look),
    /// At each time the value of the line between the samples around it.
    Smoothed(Look),
    /// A function of the windows that end at the times.
    Windows(Function),
}

/// When an instant selector looks, and how far back, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) at: Grid,
    pub(crate) back: i64,
}

/// A function over windows.
pub(crate) struct Function {
    pub(crate) func: Func,
    pub(crate) range: i64,
    pub(crate) ends: Grid,
    pub(crate) times: Grid,
    pub(crate) lookback: i64,
    pub(crate) params: Vec<Scalar>,
    pub(crate) extension: Option<Extension>,
    /// Part of the result that the asked range is of the one that was read, where roll-ups made it longer.
    pub(crate) share: f64,
}

/// Steps of a subquery that are copied before somebody looks whether the query was cancelled.
const CHECK_EVERY: usize = 65_536;

/// Makes rows; one per thread.
pub(crate) struct Worker<'m> {
    make: &'m Make<'m>,
    readers: Vec<Box<dyn Reader + 'm>>,
    params: Vec<Param<'m>>,
    meter: &'m Meter,
    column: Column,
    second: Column,
    counts: Vec<f64>,
    held: Held,
}

impl<'a> Make<'a> {
    /// About what a row of so many steps costs, in units of a sample read: samples are taken to come every
    /// 15 s.
    pub(crate) fn weight(&self, width: usize) -> usize {
        let (at, back) = match &self.what {
            What::Newest(look) | What::Time(look) | What::Smoothed(look) => (look.at, look.back),
            What::Windows(f) => (f.ends, f.range),
        };
        let span = at.at(width.saturating_sub(1)).saturating_sub(at.start).saturating_add(back);
        2 * width + usize::try_from(span / 15_000).unwrap_or(0).min(1_000_000)
    }

    /// # Errors
    /// None yet; holding nothing is always allowed.
    pub(crate) fn worker<'m>(&'m self, meter: &'m Arc<Meter>) -> Result<Worker<'m>, EvalError>
    where
        'a: 'm,
    {
        let readers = match &self.samples {
            Samples::Store(set) => vec![set.reader()],
            Samples::Mean(sums, counts) => vec![sums.reader(), counts.reader()],
            Samples::Steps(..) => Vec::new(),
        };
        let params = match &self.what {
            What::Windows(f) => f.params.iter().map(Scalar::param).collect(),
            What::Newest(_) | What::Time(_) | What::Smoothed(_) => Vec::new(),
        };
        let (column, second) = (Column::default(), Column::default());
        Ok(Worker { make: self, readers, params, meter, column, second, counts: Vec::new(), held: meter.held() })
    }
}

impl Worker<'_> {
    /// Makes the row of a series.
    ///
    /// # Errors
    /// The series could not be read, a limit was reached, or the function refused an argument.
    pub(crate) fn row(
        &mut self,
        series: usize,
        head: &Head,
        out: &mut [f64],
        notes: &mut Vec<Note>,
    ) -> Result<(), EvalError> {
        self.meter.check()?;
        self.read(series)?;
        match &self.make.what {
            What::Newest(look) => self.meter.look(newest(&self.column, *look, out, |_, v| v)),
            What::Time(look) => self.meter.look(newest(&self.column, *look, out, |t, _| t as f64 / 1000.0)),
            What::Smoothed(look) => smoothed(&self.column, *look, out),
            What::Windows(f) => self.windows(f, head, out, notes)?,
        }
        Ok(())
    }

    fn read(&mut self, series: usize) -> Result<(), EvalError> {
        match (&self.make.samples, &mut *self.readers) {
            (Samples::Steps(rows, grid), _) => {
                self.column.clear();
                // A time and a value each.
                self.held.take_to(2 * rows.width())?;
                for (k, v) in rows.row(series).iter().enumerate() {
                    if k % CHECK_EVERY == 0 {
                        self.meter.check()?;
                    }
                    if present(*v) {
                        self.column.push(grid.at(k), *v);
                    }
                }
            }
            (Samples::Store(_) | Samples::Mean(..), readers) => {
                for (reader, column) in readers.iter_mut().zip([&mut self.column, &mut self.second]) {
                    reader.read(series, column)?;
                }
                self.held.set(self.column.len() + self.second.len())?;
            }
        }
        Ok(())
    }

    fn windows(&mut self, f: &Function, head: &Head, out: &mut [f64], notes: &mut Vec<Note>) -> Result<(), EvalError> {
        drop_stale(&mut self.column);
        let looked = Cell::new(0);
        let w = Windows {
            samples: &self.column,
            range: f.range,
            ends: f.ends,
            times: f.times,
            lookback: f.lookback,
            looked: Some(&looked),
        };
        if matches!(self.make.samples, Samples::Mean(..)) {
            over_time::sum(&w, out);
            drop_stale(&mut self.second);
            self.counts.resize(out.len(), ABSENT);
            over_time::sum(&Windows { samples: &self.second, looked: None, ..w }, &mut self.counts);
            for (sum, n) in out.iter_mut().zip(&self.counts).filter(|(sum, _)| present(**sum)) {
                *sum = if present(*n) { *sum / n } else { ABSENT };
            }
            self.meter.look(looked.get());
            return Ok(());
        }
        let block = steps_at_a_time(&w);
        for (i, out) in out.chunks_mut(block).enumerate() {
            if i == 0 && out.len() == f.ends.count {
                range::apply(f.func, &w, &self.params, f.extension, notes, out)?;
                break;
            }
            self.meter.check()?;
            let from = |grid: Grid| Grid { start: grid.at(i * block), count: out.len(), ..grid };
            let w = Windows { ends: from(f.ends), times: from(f.times), ..w };
            let params: Vec<Param<'_>> = self.params.iter().map(|p| p.from_step(i * block)).collect();
            range::apply(f.func, &w, &params, f.extension, notes, out)?;
        }
        self.meter.look(looked.get());
        if f.share < 1.0 {
            out.iter_mut().filter(|v| present(**v)).for_each(|v| *v *= f.share);
        }
        if matches!(f.func, Func::Rate | Func::Increase) && out.iter().any(|v| present(*v)) {
            possible_non_counter(f.func, head.labels.metric_name()).into_iter().for_each(|n| notes.note(n));
        }
        Ok(())
    }
}

/// How many steps are computed before somebody looks whether the query was cancelled: as many as look at
/// some million samples.
fn steps_at_a_time(w: &Windows<'_>) -> usize {
    const SAMPLES: i64 = 4_000_000;
    let (Some(first), Some(last)) = (w.samples.t.first(), w.samples.t.last()) else { return usize::MAX };
    let (span, len) = (last.saturating_sub(*first).max(1), w.samples.len() as i64);
    // As if samples came at equal distances.
    let per_window = (len as f64 * (w.range as f64 / span as f64).min(1.0)) as i64;
    usize::try_from(SAMPLES / per_window.max(1)).unwrap_or(usize::MAX).max(1)
}

/// Writes `value` of the newest sample at or before each time, unless it is a staleness marker or older than
/// the look-back allows. Gives how many there were.
fn newest(samples: &Column, look: Look, out: &mut [f64], value: impl Fn(i64, f64) -> f64) -> u64 {
    let (t, v) = (&samples.t, &samples.v);
    // The samples before this one are not later than the time at hand. Times are mostly regular, so the
    // same advance as last time is tried first.
    let (mut next, mut stride, mut found) = (0, 0, 0);
    for (k, place) in out.iter_mut().enumerate() {
        let at = look.at.at(k);
        let from = next;
        next = (next + stride).min(t.len());
        while next > from && t[next - 1] > at {
            next -= 1;
        }
        while next < t.len() && t[next] <= at {
            next += 1;
        }
        stride = next - from;
        *place = match next.checked_sub(1) {
            Some(i) if t[i] > at.saturating_sub(look.back) && !is_stale(v[i]) => {
                found += 1;
                value(t[i], v[i])
            }
            _ => ABSENT,
        };
    }
    found
}

/// Writes the value at each time of the line from the sample before to the one after it; without one after,
/// the value of the one before.
fn smoothed(samples: &Column, look: Look, out: &mut [f64]) {
    let kept: Vec<(i64, f64)> = samples.iter().filter(|(_, v)| !is_stale(*v)).collect();
    for (k, place) in out.iter_mut().enumerate() {
        let at = look.at.at(k);
        let from = kept.partition_point(|(t, _)| *t <= at.saturating_sub(look.back));
        let to = kept.partition_point(|(t, _)| *t <= at.saturating_add(look.back));
        let near = &kept[from..to.max(from)];
        let i = near.partition_point(|(t, _)| *t < at);
        *place = match (i.checked_sub(1).map(|i| near[i]), near.get(i)) {
            (_, Some((t, v))) if *t == at => *v,
            (Some((t0, v0)), Some((t1, v1))) => v0 + (v1 - v0) * (at - t0) as f64 / (t1 - t0) as f64,
            (Some((_, v)), None) => v,
            (None, _) => ABSENT,
        };
    }
}

/// Removes staleness markers: ranges have none.
fn drop_stale(column: &mut Column) {
    // Without an early end the loop runs over several values at a time: nearly all columns have none.
    if !column.v.iter().fold(false, |found, v| found | is_stale(*v)) {
        return;
    }
    let mut kept = 0;
    for i in 0..column.len() {
        if !is_stale(column.v[i]) {
            (column.t[kept], column.v[kept]) = (column.t[i], column.v[i]);
            kept += 1;
        }
    }
    column.t.truncate(kept);
    column.v.truncate(kept);
}
