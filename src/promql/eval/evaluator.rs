//! Walks the prepared tree: vectors become streams of rows, scalars one number per step.

use std::sync::Arc;

use crate::base::labels::METRIC_NAME;
use crate::base::matcher::{MatchOp, Matcher};
use crate::promql::ast::{Extension, Type};
use crate::promql::eval::duration::Context;
use crate::promql::eval::meter::Meter;
use crate::promql::eval::notebook::NoteBook;
use crate::promql::eval::plan::{Kind, Node, Selector, When};
use crate::promql::eval::rows::{Rows, present};
use crate::promql::eval::scalar::Scalar;
use crate::promql::eval::source::{Look, Make, Samples, What};
use crate::promql::eval::stream::{Same, Stream};
use crate::promql::func::notes::Note;
use crate::promql::func::window::Grid;
use crate::promql::source::{Resolution, Select, SeriesSet, Source, Want};
use crate::promql::value::{EvalError, Limits, Query};

/// Evaluates one query.
pub(crate) struct Evaluator<'a> {
    source: &'a dyn Source,
    /// Times of the whole query.
    pub(crate) whole: Context,
    pub(crate) lookback: i64,
    pub(crate) default_step: i64,
    resolution: Option<Resolution>,
    /// Names are taken off at the end only.
    pub(crate) delayed: bool,
    pub(crate) threads: usize,
    max_series: usize,
    pub(crate) meter: Arc<Meter>,
    pub(crate) book: NoteBook,
    /// The coarsest resolution that was read.
    pub(crate) coarsest: Option<Resolution>,
}

/// What a selection is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// Distance of the steps.
    pub(crate) step: i64,
    /// Length of the windows; zero for an instant selector.
    pub(crate) window: i64,
    /// What is made of the samples.
    pub(crate) want: Want,
    /// How far back the samples of a step may lie, in milliseconds.
    pub(crate) reach: i64,
    /// How many samples of a roll-up a step must be able to see.
    pub(crate) least: i64,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(query: &Query<'_>, source: &'a dyn Source, limits: &Limits) -> Self {
        Self {
            source,
            whole: Context::new(query.at),
            lookback: query.lookback,
            default_step: query.default_step,
            resolution: query.resolution,
            delayed: query.delayed_name_removal,
            threads: limits.threads.max(1),
            max_series: limits.max_series,
            meter: Meter::new(limits),
            book: NoteBook::default(),
            coarsest: None,
        }
    }

    /// The value of a vector expression.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn vector(&mut self, node: &'a Node<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        self.meter.check()?;
        match &node.kind {
            Kind::Once(inner) if grid.count > 1 => {
                let before = self.meter.looked_at();
                let rows = self.vector(inner, Grid { count: 1, ..grid })?.collect(self)?;
                self.meter.look_again(before, grid.count as u64);
                Ok(Stream::of(rows.repeated(grid.count)?.counted()?))
            }
            Kind::Once(inner) => self.vector(inner, grid),
            Kind::Instant(selector) => self.instant(selector, node, grid, What::Newest),
            Kind::Sign(false, inner) => self.vector(inner, grid),
            Kind::Sign(true, inner) => {
                let negative = |row: &mut [f64]| row.iter_mut().filter(|v| present(**v)).for_each(|v| *v = -*v);
                self.vector(inner, grid)?.mapped(Box::new(negative)).unnamed(self, Same::Join)
            }
            Kind::Call(call) => self.call(call, grid),
            Kind::Aggregate(aggregate) => self.aggregate(aggregate, grid),
            Kind::Binary(binary) => self.binary(binary, grid),
            Kind::Number(_) | Kind::Text(_) | Kind::Range(_) | Kind::Subquery(_) => Err(unexpected(node, Type::Vector)),
        }
    }

    /// All rows of a vector expression.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn rows(&mut self, node: &'a Node<'a>, grid: Grid) -> Result<Rows, EvalError> {
        self.vector(node, grid)?.collect(self)
    }

    /// The value of a scalar expression.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn scalar(&mut self, node: &'a Node<'a>, grid: Grid) -> Result<Scalar, EvalError> {
        match &node.kind {
            Kind::Number(v) => Ok(Scalar::Constant(*v)),
            Kind::Once(inner) => {
                let before = self.meter.looked_at();
                let value = self.scalar(inner, Grid { count: 1, ..grid })?.at(0);
                self.meter.look_again(before, grid.count as u64);
                Ok(Scalar::Constant(value))
            }
            Kind::Sign(negative, inner) => {
                let value = self.scalar(inner, grid)?;
                Ok(if *negative { value.map(|v| -v) } else { value })
            }
            Kind::Binary(binary) => self.scalar_binary(binary, grid),
            Kind::Call(call) => self.scalar_call(call, grid),
            Kind::Text(_) | Kind::Instant(_) | Kind::Range(_) | Kind::Subquery(_) | Kind::Aggregate(_) => {
                Err(unexpected(node, Type::Scalar))
            }
        }
    }

    /// Rows of an instant selector, of which `what` makes the values.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn instant(
        &mut self,
        selector: &Selector<'a>,
        node: &'a Node<'a>,
        grid: Grid,
        what: fn(Look) -> What,
    ) -> Result<Stream<'a>, EvalError> {
        let at = shifted(grid, selector.when);
        let purpose = Purpose { step: distance(at), window: 0, want: Want::Last, reach: self.lookback, least: 2 };
        let smooth = selector.extension == Some(Extension::Smoothed);
        let after = if smooth { self.lookback } else { 0 };
        let (set, back) = self.select(selector.matchers, at, after, purpose)?;
        let look = Look { at, back };
        let what = if smooth { What::Smoothed(look) } else { what(look) };
        self.stream(Samples::Store(set), what, grid, node, selector)
    }

    /// A stream over selected series.
    ///
    /// # Errors
    /// It would hold too much.
    pub(crate) fn stream(
        &self,
        samples: Samples<'a>,
        what: What,
        grid: Grid,
        node: &'a Node<'a>,
        selector: &Selector<'_>,
    ) -> Result<Stream<'a>, EvalError> {
        let (Samples::Store(set) | Samples::Mean(set, _)) = &samples else {
            return Err(unexpected(node, Type::Vector));
        };
        let labels = (0..set.len()).map(|i| set.labels(i)).collect();
        let one_name = has_one_name(selector.matchers);
        Ok(Stream::made(grid.count, labels, Make { samples, what }, node.span, one_name))
    }

    /// Selects the series that may have samples from [`Purpose::reach`] before the first of the times to
    /// `after` behind the last. Gives them with the reach that their resolution needs.
    ///
    /// # Errors
    /// The store could not be read, or there are too many series.
    pub(crate) fn select(
        &mut self,
        matchers: &[Matcher],
        at: Grid,
        after: i64,
        purpose: Purpose,
    ) -> Result<(Box<dyn SeriesSet + 'a>, i64), EvalError> {
        let last = at.at(at.count.saturating_sub(1)).saturating_add(after);
        let mut reach = purpose.reach;
        let mut resolution = self.resolution;
        loop {
            let select = Select {
                matchers,
                start: at.start.saturating_sub(reach).saturating_add(1),
                end: last,
                step: purpose.step,
                window: purpose.window,
                want: purpose.want,
                resolution,
                max_series: self.max_series,
                cancel: Some(self.meter.cancel()),
            };
            let set = self.source.select(&select)?;
            let needed = purpose.reach.max(set.resolution().millis().saturating_mul(purpose.least));
            if needed > reach {
                // A roll-up is coarser than what was asked for: look as far back as it needs.
                (reach, resolution) = (needed, Some(set.resolution()));
                continue;
            }
            self.selected(&*set);
            return Ok((set, reach));
        }
    }

    fn selected(&mut self, set: &dyn SeriesSet) {
        self.meter.select(set.len());
        set.warnings().into_iter().for_each(|text| self.book.add(Note::Warning(text)));
        let resolution = set.resolution();
        if resolution > Resolution::Raw {
            self.book.add(Note::Info(format!("answered from {} roll-ups", resolution.text())));
        }
        self.coarsest = self.coarsest.max(Some(resolution));
    }
}

/// The times that a selector with these modifiers looks at.
pub(crate) fn shifted(grid: Grid, when: When) -> Grid {
    match when.at {
        Some(t) => Grid { start: t.saturating_sub(when.offset), step: 0, count: grid.count },
        None => Grid { start: grid.start.saturating_sub(when.offset), ..grid },
    }
}

/// Distance of the times; zero if there is only one.
pub(crate) const fn distance(grid: Grid) -> i64 {
    if grid.count > 1 { grid.step } else { 0 }
}

/// Whether all selected series have the same name.
pub(crate) fn has_one_name(matchers: &[Matcher]) -> bool {
    matchers.iter().any(|m| m.name() == METRIC_NAME && m.op() == MatchOp::Equal && !m.value().is_empty())
}

/// The parser checks types, so that one can only be wrong in a tree made otherwise.
pub(crate) fn unexpected(node: &Node<'_>, wanted: Type) -> EvalError {
    EvalError::Execution(format!("expected {} but got {}", wanted.text(), node.ty().text()))
}
