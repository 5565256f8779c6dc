//! Functions that look at labels only: `label_replace`, `label_join`, and the order of an instant answer.

use crate::base::labels::{Labels, METRIC_NAME};
use crate::promql::eval::call::{argument, text};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::plan::Call;
use crate::promql::eval::rows::Rows;
use crate::promql::eval::stream::Stream;
use crate::promql::func::Func;
use crate::promql::func::label::{Join, Replace, by_labels};
use crate::promql::func::window::Grid;
use crate::promql::value::EvalError;

impl<'a> Evaluator<'a> {
    /// The value of `label_replace`.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn label_replace(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let replace = Replace::new(text(call, 1)?, text(call, 2)?, text(call, 3)?, text(call, 4)?)?;
        self.relabel(call, grid, replace.to(), |labels| replace.apply(labels))
    }

    /// The value of `label_join`.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn label_join(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let from = (3..call.args.len()).map(|i| text(call, i)).collect::<Result<Vec<_>, _>>()?;
        let join = Join::new(text(call, 1)?, text(call, 2)?, &from)?;
        self.relabel(call, grid, join.to(), |labels| Some(join.apply(labels)))
    }

    fn relabel(
        &mut self,
        call: &'a Call<'a>,
        grid: Grid,
        to: &str,
        change: impl Fn(&Labels) -> Option<Labels>,
    ) -> Result<Stream<'a>, EvalError> {
        let mut rows = self.rows(argument(call, 0)?, grid)?;
        for head in rows.heads_mut() {
            if let Some(labels) = change(&head.labels) {
                head.labels = labels;
                // Who sets a name wants to keep it.
                head.unnamed &= to != METRIC_NAME;
            }
        }
        Ok(Stream::of(rows.joined()?))
    }

    /// The value of `sort` and its relatives. Only an answer for a single step has an order of its own.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn sort(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let rows = self.rows(argument(call, 0)?, grid)?;
        if rows.width() != 1 {
            return Ok(Stream::of(rows));
        }
        let names = (1..call.args.len()).map(|i| text(call, i)).collect::<Result<Vec<_>, _>>()?;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let (value, labels) = (|i: usize| rows.row(i)[0], |i: usize| &rows.heads()[i].labels);
        match call.func {
            // NaN comes last both ways.
            Func::Sort => order.sort_by(|&a, &b| by_value(value(a), value(b))),
            Func::SortDesc => order.sort_by(|&a, &b| by_value(-value(a), -value(b))),
            Func::SortByLabelDesc => order.sort_by(|&a, &b| by_labels(labels(b), labels(a), &names)),
            _ => order.sort_by(|&a, &b| by_labels(labels(a), labels(b), &names)),
        }
        let mut out = Rows::new(1, &self.meter);
        for i in order {
            out.push(rows.heads()[i].clone(), rows.row(i))?;
        }
        drop(rows);
        Ok(Stream::of(out.counted()?))
    }
}

fn by_value(a: f64, b: f64) -> std::cmp::Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}
