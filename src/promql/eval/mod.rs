//! Evaluation of queries, by columns.
//!
//! A query is evaluated once for all its steps: every selector is selected once, the samples of a series
//! are decoded once, a range function computes all its windows in one pass, and an operator works on whole
//! rows. What the parts do, in the order of a query's way through them:
//!
//! | file | what |
//! |---|---|
//! | `plan` | resolves times and durations, finds what need be evaluated only once |
//! | `evaluator` | walks the tree; selects series |
//! | `source` | makes the row of one series from its samples |
//! | `stream` | vectors whose rows are made when they are needed, by several threads |
//! | `rows`, `scalar` | vectors and scalars at all steps |
//! | `call`, `over_range`, `absent`, `relabel`, `histogram`, `info` | functions |
//! | `aggregate`, `group`, `fold`, `select_k`, `count_values` | aggregations |
//! | `binary`, `matching`, `sets`, `signature` | operators |
//! | `answer` | rows become what the caller sees |
//! | `meter`, `notebook` | limits and statistics; annotations |
//!
//! Semantics are Prometheus' to the digit: look-back and ranges are open on the left, sums are Kahan sums
//! in the order of the series, and of equal candidates the same one wins. Results do not depend on the
//! number of threads. There are no native histograms here.

mod absent;
mod aggregate;
mod answer;
mod binary;
mod call;
mod count_values;
mod duration;
mod evaluator;
mod fold;
mod group;
mod heap;
mod histogram;
mod info;
mod matching;
mod meter;
mod names;
mod notebook;
mod over_range;
mod plan;
mod relabel;
mod rows;
mod sample_hash;
mod scalar;
mod select_k;
mod sets;
mod signature;
mod source;
mod stream;
#[cfg(test)]
mod tests;

use crate::promql::ast::{Expr, ExprKind};
use crate::promql::eval::duration::Context;
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::source::Source;
use crate::promql::value::{Answer, EvalError, Limits, Query, Stats};

/// Evaluates a query over a source of series.
///
/// # Errors
/// See [`EvalError`]; an error ends the whole query, there are no partial answers.
pub fn eval(query: &Query<'_>, source: &dyn Source, limits: &Limits) -> Result<Answer, EvalError> {
    let levels = levels(query.expr);
    if levels <= SHALLOW {
        return on_this_stack(query, source, limits);
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(levels * LEVEL);
        let failed = |e| EvalError::Execution(format!("no thread for a query of {levels} levels: {e}"));
        let thread = thread.spawn_scoped(scope, || on_this_stack(query, source, limits)).map_err(failed)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Trees of so many levels are evaluated on the stack of the caller, who has at least the 2 MiB of most threads.
const SHALLOW: usize = 50;

/// Bytes of stack per level, about twice of what an unoptimized program takes; what is not touched is not paid for.
const LEVEL: usize = 64 * 1024;

fn levels(expr: &Expr) -> usize {
    1 + match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Vector(_) | ExprKind::Matrix(_) => 0,
        ExprKind::Subquery(subquery) => levels(&subquery.expr),
        ExprKind::Call(call) => call.args.iter().map(levels).max().unwrap_or(0),
        ExprKind::Aggregate(a) => levels(&a.expr).max(a.param.as_deref().map_or(0, levels)),
        ExprKind::Binary(b) => levels(&b.lhs).max(levels(&b.rhs)),
        ExprKind::Unary(unary) => levels(&unary.expr),
        ExprKind::Paren(inner) => levels(inner),
    }
}

fn on_this_stack(query: &Query<'_>, source: &dyn Source, limits: &Limits) -> Result<Answer, EvalError> {
    let root = plan::plan(query.expr, &Context::new(query.at))?;
    let mut ev = Evaluator::new(query, source, limits);
    let value = ev.answer(&root, query.at)?;
    let stats = Stats {
        samples: ev.meter.looked_at(),
        peak_samples: ev.meter.peak(),
        series: ev.meter.series(),
        resolution: ev.coarsest,
    };
    Ok(Answer { value, notes: ev.book.finish(query.text), stats })
}
