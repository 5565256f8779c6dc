//! Queries so small that handing them to another thread would take longer than answering them.
//!
//! Two hand-overs, there and back, take some 100 µs; one series over two hours takes 40 µs. A query is tried at
//! once if it names the series so that the index finds them by comparing lists, if all it looks at is in
//! memory, which nobody is changing, and if the tries' limits do not end it. Otherwise it takes its turn on a blocking
//! thread, and the try has cost less than the hand-over does.

use crate::base::matcher::Matcher;
use crate::promql::ast::{Duration, Expr, ExprKind, VectorSelector};
use crate::promql::func::Func;
use crate::promql::source::SourceError;
use crate::promql::value::{EvalError, Limits, Times};
use crate::tsdb::Tsdb;

/// Most series per selector, and most samples and steps: about 50 µs of work.
const SERIES: usize = 4;
const SAMPLES: usize = 6_000;
const STEPS: i64 = 1_000;
/// Samples of a longer time, in milliseconds, might not be few.
const SPAN: i64 = 6 * 3_600_000;
/// Most selectors.
const SELECTORS: usize = 2;
/// Most arguments of a call.
const ARGUMENTS: usize = 8;
/// Most levels of a tree.
const LEVELS: usize = 6;

/// Whether a query may be tried at once.
pub(super) fn may_be_tried(expr: &Expr, at: Times, lookback: i64, tsdb: &Tsdb) -> bool {
    let (start, end, step) = match at {
        Times::Instant(t) => (t, t, 1),
        Times::Range { start, end, step } => (start, end, step.max(1)),
    };
    let mut tree = Tree { selectors: 0, back: lookback };
    let span = end.saturating_sub(start);
    if span / step > STEPS || !tree.is_small(expr, LEVELS) || tree.back.saturating_add(span) > SPAN {
        return false;
    }
    tsdb.has_at_hand(start.saturating_sub(tree.back))
}

/// The limits of a try.
pub(super) fn limits(of: &Limits) -> Limits {
    let (max_series, max_samples) = (of.max_series.min(SERIES), of.max_samples.min(SAMPLES));
    Limits { max_samples, max_series, threads: 1, cancel: of.cancel.clone() }
}

/// Whether a try ended because of its limits.
pub(super) const fn was_too_large(error: &EvalError) -> bool {
    matches!(error, EvalError::TooManySamples | EvalError::Source(SourceError::TooManySeries { .. }))
}

/// What is known of a tree.
struct Tree {
    selectors: usize,
    /// How far it looks back, in milliseconds.
    back: i64,
}

impl Tree {
    fn is_small(&mut self, expr: &Expr, levels: usize) -> bool {
        let Some(levels) = levels.checked_sub(1) else { return false };
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) => true,
            ExprKind::Vector(selector) => self.selects_few(selector),
            ExprKind::Matrix(matrix) => {
                let Duration::Millis(range) = matrix.range else { return false };
                self.back = self.back.max(range);
                self.selects_few(&matrix.selector)
            }
            // Selects series that the query does not name.
            ExprKind::Call(call) if call.func == Func::Info => false,
            ExprKind::Call(call) => call.args.len() <= ARGUMENTS && call.args.iter().all(|a| self.is_small(a, levels)),
            ExprKind::Aggregate(a) => {
                a.param.as_deref().is_none_or(|p| self.is_small(p, levels)) && self.is_small(&a.expr, levels)
            }
            ExprKind::Binary(b) => self.is_small(&b.lhs, levels) && self.is_small(&b.rhs, levels),
            ExprKind::Unary(unary) => self.is_small(&unary.expr, levels),
            ExprKind::Paren(inner) => self.is_small(inner, levels),
            ExprKind::Subquery(_) => false,
        }
    }

    /// Whether the index need only look up and compare lists of series: a name and another label, nothing searched for.
    fn selects_few(&mut self, selector: &VectorSelector) -> bool {
        self.selectors += 1;
        let known = |m: &Matcher| m.literals().is_some_and(|values| values.len() == 1 && !values[0].is_empty());
        self.selectors <= SELECTORS
            && selector.offset.is_none()
            && selector.at.is_none()
            && selector.extension.is_none()
            && (2..=8).contains(&selector.matchers.len())
            && selector.matchers.iter().all(known)
    }
}
