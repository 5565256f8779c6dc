//! Functions over ranges of samples: of selected series, or of what a subquery gives.

use crate::promql::ast::{Extension, Span, Type};
use crate::promql::eval::call::argument;
use crate::promql::eval::evaluator::{Evaluator, Purpose, distance, has_one_name, shifted, unexpected};
use crate::promql::eval::plan::{Call, Kind, Node, RangeSelector, Subquery};
use crate::promql::eval::rows::Rows;
use crate::promql::eval::source::{Function, Make, Samples, What};
use crate::promql::eval::stream::{Same, Stream};
use crate::promql::func::Func;
use crate::promql::func::window::Grid;
use crate::promql::source::{Resolution, Want};
use crate::promql::value::EvalError;

/// Where Prometheus has a note on a subquery stand: it evaluates that before the function, and has forgotten its place.
static NOWHERE: Span = 0..0;

impl<'a> Evaluator<'a> {
    /// The value of a function that has a range vector among its arguments.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn over_range(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let mut params = Vec::new();
        let mut ranges = Vec::new();
        for arg in &call.args {
            match arg.ty() {
                Type::Matrix => ranges.push(arg.inner()),
                Type::Scalar | Type::Vector | Type::String => params.push(self.scalar(arg, grid)?),
            }
        }
        let [node] = *ranges else {
            return Err(EvalError::Execution(format!("`{}` takes one range vector", call.func.name())));
        };
        let function = |range, ends| Function {
            func: call.func,
            range,
            ends,
            times: grid,
            lookback: 0,
            params,
            extension: None,
            share: 1.0,
        };
        let stream = match &node.kind {
            Kind::Range(range) => {
                let f = function(range.range, shifted(grid, range.selector.when));
                self.over_selector(range, node, f)?
            }
            Kind::Subquery(subquery) => {
                let f = function(subquery.range, shifted(grid, subquery.when));
                self.over_subquery(subquery, node, f)?
            }
            _ => return Err(unexpected(node, Type::Matrix)),
        };
        let first = argument(call, 0)?;
        let stream =
            stream.noted_at(if matches!(first.inner().kind, Kind::Subquery(_)) { &NOWHERE } else { first.span });
        match call.func {
            Func::AbsentOverTime => self.absent_of(&stream, node, grid),
            // These act like `offset`.
            Func::FirstOverTime | Func::LastOverTime => Ok(stream),
            _ => stream.unnamed(self, Same::Refuse),
        }
    }

    fn over_selector(
        &mut self,
        r: &RangeSelector<'a>,
        node: &'a Node<'a>,
        mut f: Function,
    ) -> Result<Stream<'a>, EvalError> {
        let selector = &r.selector;
        f.extension = selector.extension;
        f.lookback = self.lookback;
        check_extension(f.func, f.extension)?;
        let (before, after) = match f.extension {
            None => (0, 0),
            Some(Extension::Anchored) => (self.lookback, 0),
            Some(Extension::Smoothed) => (self.lookback, self.lookback),
        };
        let want = wanted(f.func);
        let purpose = Purpose {
            step: distance(f.ends),
            window: f.range,
            want,
            reach: f.range.saturating_add(before),
            least: if takes_two(f.func) { 2 } else { 1 },
        };
        let (set, reach) = self.select(selector.matchers, f.ends, after, purpose)?;
        let read = reach.saturating_sub(before);
        if read > f.range {
            // A roll-up has no sample within the range that was asked for, so a longer one is read.
            f.share = if adds_up(f.func) { f.range as f64 / read as f64 } else { 1.0 };
            f.range = read;
        }
        let grid = f.times;
        if set.resolution() == Resolution::Raw {
            return self.stream(Samples::Store(set), What::Windows(f), grid, node, selector);
        }
        let samples = match f.func {
            Func::AvgOverTime => {
                let counts = Purpose { want: Want::Count, reach, ..purpose };
                Samples::Mean(set, self.select(selector.matchers, f.ends, after, counts)?.0)
            }
            Func::CountOverTime => {
                // The values are counts already.
                f.func = Func::SumOverTime;
                Samples::Store(set)
            }
            _ => Samples::Store(set),
        };
        if let Samples::Mean(sums, counts) = &samples
            && (sums.len() != counts.len() || sums.resolution() != counts.resolution())
        {
            return Err(EvalError::Execution("the roll-ups changed during the query; ask again".to_owned()));
        }
        self.stream(samples, What::Windows(f), grid, node, selector)
    }

    fn over_subquery(
        &mut self,
        subquery: &'a Subquery<'a>,
        node: &'a Node<'a>,
        f: Function,
    ) -> Result<Stream<'a>, EvalError> {
        // The function looks at what the subquery gave; what that looked at does not count, as in Prometheus.
        let before = self.meter.looked_at();
        let (rows, steps) = self.subquery(subquery, f.ends)?;
        self.meter.look_again(before, 0);
        let (heads, width) = (rows.heads().to_vec(), f.times.count);
        let make = Make { samples: Samples::Steps(rows, steps), what: What::Windows(f) };
        Ok(Stream::of_heads(width, heads, make, node.span, one_name(&subquery.expr)))
    }

    /// Evaluates a subquery at all of its steps that any of the windows reaches. Steps are multiples of
    /// their distance, whenever the query begins.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn subquery(&mut self, s: &'a Subquery<'a>, ends: Grid) -> Result<(Rows, Grid), EvalError> {
        let step = s.step.unwrap_or(self.default_step).max(1);
        let after = ends.start.saturating_sub(s.range);
        let first = after.div_euclid(step).saturating_add(1).saturating_mul(step);
        let last = ends.at(ends.count.saturating_sub(1));
        let count = if last < first { 0 } else { (last.saturating_sub(first) / step).saturating_add(1) };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let steps = Grid { start: first, step, count };
        if count == 0 {
            return Ok((Rows::new(0, &self.meter), steps));
        }
        self.meter.allow(count)?;
        Ok((self.rows(&s.expr, steps)?, steps))
    }
}

/// Whether all series of a vector have the same name.
fn one_name(node: &Node<'_>) -> bool {
    match &node.inner().kind {
        Kind::Instant(selector) => has_one_name(selector.matchers),
        _ => false,
    }
}

/// Which column of a roll-up stands in for the samples.
const fn wanted(func: Func) -> Want {
    match func {
        Func::MaxOverTime => Want::Max,
        Func::MinOverTime => Want::Min,
        Func::SumOverTime | Func::AvgOverTime => Want::Sum,
        Func::CountOverTime => Want::Count,
        Func::Rate | Func::Increase => Want::Increase,
        _ => Want::Last,
    }
}

/// Whether one sample is not enough.
const fn takes_two(func: Func) -> bool {
    matches!(
        func,
        Func::Rate
            | Func::Increase
            | Func::Delta
            | Func::Irate
            | Func::Idelta
            | Func::Deriv
            | Func::PredictLinear
            | Func::DoubleExponentialSmoothing
            | Func::Changes
            | Func::Resets
    )
}

/// Whether the result grows with the length of the range.
const fn adds_up(func: Func) -> bool {
    matches!(
        func,
        Func::Increase | Func::Delta | Func::SumOverTime | Func::CountOverTime | Func::Changes | Func::Resets
    )
}

fn check_extension(func: Func, extension: Option<Extension>) -> Result<(), EvalError> {
    let (word, allowed, list) = match extension {
        None => return Ok(()),
        Some(Extension::Anchored) => (
            "anchored",
            matches!(func, Func::Changes | Func::Delta | Func::Increase | Func::Rate | Func::Resets),
            "changes, delta, increase, rate, resets",
        ),
        Some(Extension::Smoothed) => {
            ("smoothed", matches!(func, Func::Delta | Func::Increase | Func::Rate), "delta, increase, rate")
        }
    };
    if allowed {
        return Ok(());
    }
    let name = func.name();
    Err(EvalError::Execution(format!("{word} modifier can only be used with: {list} - not with {name}")))
}
