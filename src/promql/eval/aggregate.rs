//! Aggregations: rows are folded into their groups one by one, as they are made.

use std::sync::Arc;

use crate::promql::ast::{AggregateOp, Span};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::fold::{Avg, Count, Extreme, Fold, Quantile, Sum, Variance};
use crate::promql::eval::group::Groups;
use crate::promql::eval::plan::Aggregate;
use crate::promql::eval::rows::{Rows, present};
use crate::promql::eval::scalar::Scalar;
use crate::promql::eval::stream::Stream;
use crate::promql::func::notes::{self, NoteSink};
use crate::promql::func::window::Grid;
use crate::promql::value::EvalError;

impl<'a> Evaluator<'a> {
    /// The value of an aggregation.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn aggregate(&mut self, a: &'a Aggregate<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        if a.op == AggregateOp::CountValues {
            return Ok(Stream::of(self.count_values(a, grid)?));
        }
        let param = match &a.param {
            Some(node) => (self.scalar(node, grid)?, node.span),
            None => (Scalar::Constant(0.0), a.expr.span),
        };
        let input = self.vector(&a.expr, grid)?;
        let fold: Box<dyn Fold> = match a.op {
            AggregateOp::Sum => Box::new(Sum::default()),
            AggregateOp::Avg => Box::new(Avg::default()),
            AggregateOp::Min => Box::new(Extreme::<false>::default()),
            AggregateOp::Max => Box::new(Extreme::<true>::default()),
            AggregateOp::Count => Box::new(Count::counting()),
            AggregateOp::Group => Box::new(Count::presence()),
            AggregateOp::Stddev => Box::new(Variance::deviation()),
            AggregateOp::Stdvar => Box::new(Variance::default()),
            AggregateOp::Quantile => {
                let (q, span) = (Arc::new(param.0), param.1);
                let out = self.fold(
                    a,
                    input,
                    grid,
                    Box::new(Quantile::new(Arc::clone(&q), self.threads, Arc::clone(&self.meter))),
                )?;
                // A note has the place of whoever gave it last, and Prometheus looks at the parameter last.
                self.check_quantile(&q, span);
                return Ok(Stream::of(out));
            }
            AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio
            | AggregateOp::CountValues => return Ok(Stream::of(self.select_k(a, &param, input, grid)?)),
        };
        Ok(Stream::of(self.fold(a, input, grid, fold)?))
    }

    fn fold(
        &mut self,
        a: &Aggregate<'_>,
        input: Stream<'a>,
        grid: Grid,
        mut fold: Box<dyn Fold>,
    ) -> Result<Rows, EvalError> {
        let groups = Groups::of(&input, a.grouping);
        let places = groups.heads.len().saturating_mul(grid.count);
        let mut held = self.meter.take(places.saturating_mul(fold.weight()))?;
        fold.begin(groups.heads.len(), grid.count);
        input.for_each(self, &mut |series, row| {
            fold.take(groups.of[series], row);
            held.set(fold.held())
        })?;
        drop(input);
        held.take(places)?;
        let values = fold.finish();
        self.meter.check()?;
        held.give_back();
        held.take(places)?;
        let mut out = Rows::new(grid.count, &self.meter);
        for (head, row) in groups.heads.into_iter().zip(values.chunks_exact(grid.count)) {
            if row.iter().any(|v| present(*v)) {
                out.push(head, row)?;
            }
        }
        drop((values, held));
        out.counted()
    }

    fn check_quantile(&mut self, q: &Scalar, span: &Span) {
        let (min, max) = bounds(q);
        let mut book = self.book.at(span);
        // Prometheus' extremes of values of which one is NaN are NaN themselves.
        if q.values().iter().any(|q| q.is_nan()) {
            book.note(notes::invalid_quantile(f64::NAN));
            return;
        }
        if max > 1.0 {
            book.note(notes::invalid_quantile(max));
        }
        if min < 0.0 {
            book.note(notes::invalid_quantile(min));
        }
    }
}

/// The least and the greatest of a parameter's values that are numbers.
pub(crate) fn bounds(param: &Scalar) -> (f64, f64) {
    let values = param.values().iter();
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(*v), max.max(*v)))
}
