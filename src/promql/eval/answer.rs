//! What the caller sees: rows become samples, steps without one go away.

use crate::base::labels::Labels;
use crate::base::sample::{Column, is_stale};
use crate::promql::ast::{Extension, Type};
use crate::promql::eval::evaluator::{Evaluator, Purpose, shifted, unexpected};
use crate::promql::eval::names;
use crate::promql::eval::plan::{Kind, Node, RangeSelector};
use crate::promql::eval::rows::{Rows, present};
use crate::promql::func::window::Grid;
use crate::promql::source::Want;
use crate::promql::value::{EvalError, Series, Times, Value, VectorSample};

impl<'a> Evaluator<'a> {
    /// The value of the whole query.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn answer(&mut self, root: &'a Node<'a>, at: Times) -> Result<Value, EvalError> {
        match at {
            Times::Instant(t) => self.instant_answer(root, t),
            Times::Range { start, end, step } => self.range_answer(root, start, end, step.max(1)),
        }
    }

    fn instant_answer(&mut self, root: &'a Node<'a>, t: i64) -> Result<Value, EvalError> {
        let grid = Grid { start: t, step: 1, count: 1 };
        match (root.ty(), &root.inner().kind) {
            (Type::String, Kind::Text(text)) => Ok(Value::String(t, (*text).to_owned())),
            (Type::String, _) => Err(unexpected(root, Type::String)),
            (Type::Scalar, _) => Ok(Value::Scalar(t, self.scalar(root, grid)?.at(0))),
            (Type::Vector, _) => {
                let rows = self.rows(root, grid)?;
                let rows = self.finished(rows)?;
                let samples = rows.iter().filter(|(_, row)| present(row[0]));
                let sample = |(head, row): (&crate::promql::eval::rows::Head, &[f64])| VectorSample {
                    labels: head.labels.clone(),
                    t,
                    v: row[0],
                };
                Ok(Value::Vector(samples.map(sample).collect()))
            }
            (Type::Matrix, Kind::Subquery(s)) => {
                let (rows, steps) = self.subquery(s, shifted(grid, s.when))?;
                Ok(Value::Matrix(matrix(&self.finished(rows)?, steps)))
            }
            (Type::Matrix, Kind::Range(range)) => Ok(Value::Matrix(self.raw(range, grid)?)),
            (Type::Matrix, _) => Err(unexpected(root, Type::Matrix)),
        }
    }

    fn range_answer(&mut self, root: &'a Node<'a>, start: i64, end: i64, step: i64) -> Result<Value, EvalError> {
        if end < start {
            return Ok(Value::Matrix(Vec::new()));
        }
        let count = usize::try_from(end.saturating_sub(start) / step).unwrap_or(usize::MAX).saturating_add(1);
        let grid = Grid { start, step, count };
        self.meter.allow(count)?;
        match root.ty() {
            Type::Scalar => {
                let value = self.scalar(root, grid)?;
                let _held = self.meter.take(2 * count)?;
                let points = (0..count).map(|k| (grid.at(k), value.at(k))).collect();
                Ok(Value::Matrix(vec![Series { labels: Labels::default(), points }]))
            }
            Type::Vector => {
                let rows = self.rows(root, grid)?;
                Ok(Value::Matrix(matrix(&self.finished(rows)?, grid)))
            }
            ty @ (Type::String | Type::Matrix) => Err(EvalError::Execution(format!(
                "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                ty.text()
            ))),
        }
    }

    /// Takes off the names that were kept to the end.
    fn finished(&self, mut rows: Rows) -> Result<Rows, EvalError> {
        if !self.delayed {
            return Ok(rows);
        }
        for head in rows.heads_mut().iter_mut().filter(|h| h.unnamed) {
            head.labels = names::without_name(&head.labels);
        }
        rows.joined()
    }

    /// The samples of a range selector.
    fn raw(&mut self, range: &RangeSelector<'a>, grid: Grid) -> Result<Vec<Series>, EvalError> {
        let at = shifted(grid, range.selector.when);
        let (before, after) = match range.selector.extension {
            None => (0, 0),
            Some(Extension::Anchored) => (self.lookback, 0),
            Some(Extension::Smoothed) => (self.lookback, self.lookback),
        };
        let reach = range.range.saturating_add(before);
        let purpose = Purpose { step: 0, window: range.range, want: Want::Last, reach, least: 1 };
        let (set, _) = self.select(range.selector.matchers, at, after, purpose)?;
        let (start, end) = (at.start.saturating_sub(range.range), at.start);
        let mut reader = set.reader();
        let mut column = Column::default();
        let mut held = self.meter.held();
        let mut all = Vec::new();
        for i in 0..set.len() {
            self.meter.check()?;
            reader.read(i, &mut column)?;
            let points: Vec<(i64, f64)> = column.iter().filter(|(_, v)| !is_stale(*v)).collect();
            let points = match range.selector.extension {
                None => points,
                Some(extension) => extended(&points, start, end, extension == Extension::Smoothed),
            };
            self.meter.look(points.len() as u64);
            held.grow(points.len())?;
            if !points.is_empty() {
                all.push(Series { labels: set.labels(i), points });
            }
        }
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(all)
    }
}

/// Series with their samples, sorted by labels.
fn matrix(rows: &Rows, grid: Grid) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::with_capacity(rows.len());
    for (head, row) in rows.iter() {
        let samples = row.iter().enumerate().filter(|(_, v)| present(**v));
        let points: Vec<(i64, f64)> = samples.map(|(k, v)| (grid.at(k), *v)).collect();
        if !points.is_empty() {
            all.push(Series { labels: head.labels.clone(), points });
        }
    }
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all
}

/// Samples of a range with one at each end: that before the range moved to its start, or, smoothed, those of
/// the lines that cross the ends.
fn extended(points: &[(i64, f64)], start: i64, end: i64, smoothed: bool) -> Vec<(i64, f64)> {
    let Some(mut last) = points.len().checked_sub(1) else { return Vec::new() };
    let mut first = points[..last].partition_point(|(t, _)| *t <= start).saturating_sub(1);
    if smoothed {
        last = points[..last].partition_point(|(t, _)| *t < end);
    }
    if points[last].0 <= start {
        return Vec::new();
    }
    let line = |a: (i64, f64), b: (i64, f64), t: i64| a.1 + (b.1 - a.1) * (t - a.0) as f64 / (b.0 - a.0) as f64;
    let left = match points.get(first + 1) {
        Some(next) if smoothed && points[first].0 < start => line(points[first], *next, start),
        _ => points[first].1,
    };
    let right = if smoothed && last > 0 && points[last].0 > end {
        line(points[last - 1], points[last], end)
    } else {
        points[last].1
    };
    first += usize::from(points[first].0 <= start);
    let inside = points[first..].iter().take_while(|(t, _)| *t < end);
    std::iter::once((start, left)).chain(inside.copied()).chain([(end, right)]).collect()
}
