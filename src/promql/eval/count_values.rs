//! `count_values`: how many series of a group have each value, which becomes a label.

use ahash::AHashMap;

use crate::base::labels::{Labels, LabelsBuf};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::group::By;
use crate::promql::eval::plan::{Aggregate, Kind};
use crate::promql::eval::rows::{Head, Rows, present};
use crate::promql::func::notes;
use crate::promql::func::window::Grid;
use crate::promql::value::EvalError;

impl<'a> Evaluator<'a> {
    /// The value of `count_values`.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn count_values(&mut self, a: &'a Aggregate<'a>, grid: Grid) -> Result<Rows, EvalError> {
        let label = match a.param.as_ref().map(|p| &p.inner().kind) {
            Some(Kind::Text(label)) if !label.is_empty() => *label,
            Some(Kind::Text(label)) => {
                return Err(EvalError::Execution(format!("invalid label name {}", notes::quote(label))));
            }
            _ => return Err(EvalError::Execution("`count_values` needs the name of a label".to_owned())),
        };
        let input = self.vector(&a.expr, grid)?;
        let by = By::new(a.grouping, input.dropped());
        // The label of the value is part of the result unless it was asked to go.
        let shown = !a.grouping.is_some_and(|g| g.without && g.labels.iter().any(|l| l == label));
        let labels: Vec<Labels> = input.heads().iter().map(|h| h.labels.clone()).collect();
        let mut places: AHashMap<Labels, usize> = AHashMap::new();
        let mut out = Rows::new(grid.count, &self.meter);
        let mut buf = LabelsBuf::default();
        input.for_each(self, &mut |series, row| {
            by.write(&labels[series], &mut buf);
            buf.set(label, "");
            let base = buf.labels();
            // A series has few values at a time; the last place is nearly always the next one too.
            let mut last: Option<(u64, usize)> = None;
            for (step, v) in row.iter().enumerate().filter(|(_, v)| present(**v)) {
                let bits = if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() };
                let place = match last {
                    Some((b, place)) if b == bits => place,
                    _ => {
                        let mut buf = base.to_buf();
                        if shown {
                            buf.set(label, &text(*v));
                        }
                        match places.get(buf.as_key()) {
                            Some(place) => *place,
                            None => {
                                let labels = buf.labels();
                                out.add(Head { labels: labels.clone(), unnamed: false })?;
                                places.insert(labels, out.len() - 1);
                                out.len() - 1
                            }
                        }
                    }
                };
                last = Some((bits, place));
                let n = &mut out.row_mut(place)[step];
                *n = if present(*n) { *n + 1.0 } else { 1.0 };
            }
            Ok(())
        })?;
        drop(input);
        out.counted()
    }
}

/// Go's `strconv.FormatFloat(v, 'f', -1, 64)`.
fn text(v: f64) -> String {
    if v.is_finite() { v.to_string() } else { notes::go_float(v) }
}
