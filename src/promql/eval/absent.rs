//! `absent` and `absent_over_time`: a series where a vector has nothing.

use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::base::matcher::{MatchOp, Matcher};
use crate::promql::eval::call::argument;
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::plan::{Call, Kind, Node};
use crate::promql::eval::rows::{Head, Rows, present};
use crate::promql::eval::stream::Stream;
use crate::promql::func::window::{ABSENT, Grid};
use crate::promql::value::EvalError;

impl<'a> Evaluator<'a> {
    /// The value of `absent`.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn absent(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let node = argument(call, 0)?;
        let input = self.vector(node, grid)?;
        self.absent_of(&input, node.inner(), grid)
    }

    /// 1 at the steps where the stream has nothing, with the labels that `node` asks for.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn absent_of(
        &mut self,
        input: &Stream<'a>,
        node: &Node<'_>,
        grid: Grid,
    ) -> Result<Stream<'a>, EvalError> {
        let mut there = vec![false; grid.count];
        input.for_each(self, &mut |_, row| {
            there.iter_mut().zip(row).for_each(|(t, v)| *t |= present(*v));
            Ok(())
        })?;
        let mut out = Rows::new(grid.count, &self.meter);
        if there.iter().any(|t| !t) {
            let row = out.add(Head { labels: asked_labels(node), unnamed: false })?;
            row.iter_mut().zip(there).for_each(|(v, t)| *v = if t { ABSENT } else { 1.0 });
        }
        Ok(Stream::of(out))
    }
}

/// The labels that a selector asks to be equal to something; those that it asks twice are left out.
fn asked_labels(node: &Node<'_>) -> Labels {
    let matchers: &[Matcher] = match &node.kind {
        Kind::Instant(selector) => selector.matchers,
        Kind::Range(range) => range.selector.matchers,
        _ => return Labels::default(),
    };
    let mut buf = LabelsBuf::default();
    let mut seen: Vec<&str> = Vec::new();
    for m in matchers.iter().filter(|m| m.name() != METRIC_NAME) {
        if m.op() == MatchOp::Equal && !seen.contains(&m.name()) {
            buf.set(m.name(), m.value());
            seen.push(m.name());
        } else {
            buf.set(m.name(), "");
        }
    }
    buf.labels()
}
