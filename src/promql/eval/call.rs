//! Function calls: which of the ways to evaluate a function takes, and the functions of single values.

use crate::base::labels::Labels;
use crate::promql::ast::Type;
use crate::promql::eval::evaluator::{Evaluator, unexpected};
use crate::promql::eval::plan::{Call, Kind, Node};
use crate::promql::eval::rows::{Head, Rows, present};
use crate::promql::eval::scalar::Scalar;
use crate::promql::eval::source::What;
use crate::promql::eval::stream::{Map, Same, Stream};
use crate::promql::func::window::{ABSENT, Grid};
use crate::promql::func::{Func, math, time};
use crate::promql::value::EvalError;

impl<'a> Evaluator<'a> {
    /// The value of a function that gives a vector.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn call(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        if call.args.iter().any(|a| a.ty() == Type::Matrix) {
            return self.over_range(call, grid);
        }
        if let Some(f) = math::unary(call.func) {
            return self.each(call, grid, values(f));
        }
        if let Some(f) = time::part(call.func) {
            return match call.args.is_empty() {
                true => self.one_series(grid, |k| f(grid.at(k) as f64 / 1000.0)),
                false => self.each(call, grid, values(f)),
            };
        }
        match call.func {
            Func::Clamp => {
                let (min, max) = (self.argument(call, 1, grid)?, self.argument(call, 2, grid)?);
                self.each(call, grid, steps(move |k, v| math::clamp(v, min.at(k), max.at(k)).unwrap_or(ABSENT)))
            }
            Func::ClampMin => {
                let min = self.argument(call, 1, grid)?;
                self.each(call, grid, steps(move |k, v| math::maximum(min.at(k), v)))
            }
            Func::ClampMax => {
                let max = self.argument(call, 1, grid)?;
                self.each(call, grid, steps(move |k, v| math::minimum(max.at(k), v)))
            }
            Func::Round => {
                let nearest = if call.args.len() > 1 { self.argument(call, 1, grid)? } else { Scalar::Constant(1.0) };
                self.each(call, grid, steps(move |k, v| math::round(v, nearest.at(k))))
            }
            Func::Timestamp => self.timestamp(call, grid),
            Func::Vector => {
                let value = self.argument(call, 0, grid)?;
                self.one_series(grid, |k| value.at(k))
            }
            Func::Absent => self.absent(call, grid),
            Func::LabelReplace => self.label_replace(call, grid),
            Func::LabelJoin => self.label_join(call, grid),
            Func::Sort | Func::SortDesc | Func::SortByLabel | Func::SortByLabelDesc => self.sort(call, grid),
            Func::HistogramQuantile | Func::HistogramQuantiles | Func::HistogramFraction => self.histogram(call, grid),
            Func::HistogramAvg
            | Func::HistogramCount
            | Func::HistogramStddev
            | Func::HistogramStdvar
            | Func::HistogramSum => {
                // These look at native histograms only, of which there are none.
                self.vector(argument(call, 0)?, grid)?.collect(self)?;
                Ok(Stream::of(Rows::new(grid.count, &self.meter)))
            }
            Func::Info => self.info(call, grid),
            other => Err(EvalError::Execution(format!("`{}` is not a function of vectors", other.name()))),
        }
    }

    /// The value of a function that gives a scalar.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn scalar_call(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Scalar, EvalError> {
        let seconds = |ms: i64| Ok(Scalar::Constant(ms as f64 / 1000.0));
        match call.func {
            Func::Time => {
                let held = self.meter.take(grid.count)?;
                Ok(Scalar::Steps((0..grid.count).map(|k| grid.at(k) as f64 / 1000.0).collect(), held))
            }
            Func::Pi => Ok(Scalar::Constant(std::f64::consts::PI)),
            Func::Start => seconds(self.whole.start),
            Func::End => seconds(self.whole.end),
            Func::Step => seconds(self.whole.step),
            Func::Range => seconds(self.whole.range()),
            Func::MinOf | Func::MaxOf => {
                let f = if call.func == Func::MinOf { math::minimum } else { math::maximum };
                let (a, b) = (self.argument(call, 0, grid)?, self.argument(call, 1, grid)?);
                Ok(a.zip(b, f))
            }
            Func::Scalar => {
                let input = self.vector(argument(call, 0)?, grid)?;
                let mut held = self.meter.take(3 * grid.count)?;
                let mut found = vec![(0_u32, f64::NAN); grid.count];
                input.for_each(self, &mut |_, row| {
                    for ((n, value), v) in found.iter_mut().zip(row).filter(|(_, v)| present(**v)) {
                        (*n, *value) = (n.saturating_add(1), *v);
                    }
                    Ok(())
                })?;
                let single = |(n, v): (u32, f64)| if n == 1 { v } else { f64::NAN };
                let values: Vec<f64> = found.iter().copied().map(single).collect();
                drop(found);
                held.give_back();
                held.take(grid.count)?;
                Ok(Scalar::Steps(values, held))
            }
            other => Err(EvalError::Execution(format!("`{}` does not give a scalar", other.name()))),
        }
    }

    /// Evaluates a scalar argument.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn argument(&mut self, call: &'a Call<'a>, i: usize, grid: Grid) -> Result<Scalar, EvalError> {
        self.scalar(argument(call, i)?, grid)
    }

    /// Applies a function of single values to the vector that is the first argument.
    fn each(&mut self, call: &'a Call<'a>, grid: Grid, map: Map<'a>) -> Result<Stream<'a>, EvalError> {
        self.vector(argument(call, 0)?, grid)?.mapped(map).unnamed(self, Same::Join)
    }

    /// One series without labels.
    fn one_series(&self, grid: Grid, value: impl Fn(usize) -> f64) -> Result<Stream<'a>, EvalError> {
        let mut rows = Rows::new(grid.count, &self.meter);
        let row = rows.add(Head { labels: Labels::default(), unnamed: false })?;
        row.iter_mut().enumerate().for_each(|(k, v)| *v = value(k));
        Ok(Stream::of(rows))
    }

    fn timestamp(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let node = argument(call, 0)?;
        // Of a selector the times of its samples; of anything else the time of the evaluation.
        let times = match &node.inner().kind {
            Kind::Instant(selector) => self.instant(selector, node.inner(), grid, What::Time)?,
            _ => self.vector(node, grid)?.mapped(steps(move |k, _| grid.at(k) as f64 / 1000.0)),
        };
        times.unnamed(self, Same::Join)
    }
}

/// An argument as written. The parser counts them, so that one can only lack in a tree made otherwise.
///
/// # Errors
/// There is none.
pub(crate) fn argument<'a>(call: &'a Call<'a>, i: usize) -> Result<&'a Node<'a>, EvalError> {
    let missing = || EvalError::Execution(format!("`{}` lacks an argument", call.func.name()));
    call.args.get(i).ok_or_else(missing)
}

/// A text argument.
///
/// # Errors
/// There is none.
pub(crate) fn text<'a>(call: &'a Call<'a>, i: usize) -> Result<&'a str, EvalError> {
    let node = argument(call, i)?;
    match &node.inner().kind {
        Kind::Text(text) => Ok(text),
        _ => Err(unexpected(node, Type::String)),
    }
}

fn values<'a>(f: fn(f64) -> f64) -> Map<'a> {
    Box::new(move |row| row.iter_mut().filter(|v| present(**v)).for_each(|v| *v = f(*v)))
}

fn steps<'a>(f: impl Fn(usize, f64) -> f64 + Send + Sync + 'a) -> Map<'a> {
    Box::new(move |row| row.iter_mut().enumerate().filter(|(_, v)| present(**v)).for_each(|(k, v)| *v = f(k, *v)))
}
