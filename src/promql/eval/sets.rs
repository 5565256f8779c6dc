//! `and`, `or`, `unless`: series by whether the other side has one with the same signature, step by step.

use crate::promql::ast::{BinaryOp, Matching};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::plan::Binary;
use crate::promql::eval::rows::{Rows, present};
use crate::promql::eval::signature::pairings;
use crate::promql::func::window::{ABSENT, Grid};
use crate::promql::value::EvalError;

impl<'a> Evaluator<'a> {
    /// The value of a set operator.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn set_operator(&mut self, b: &'a Binary<'a>, grid: Grid) -> Result<Rows, EvalError> {
        let (left, right) = (self.rows(&b.lhs, grid)?, self.rows(&b.rhs, grid)?);
        let default = Matching::default();
        let matching = b.matching.unwrap_or(&default);
        let mut out = Rows::new(grid.count, &self.meter);
        let mut kept = vec![ABSENT; grid.count];
        let mut there = vec![false; grid.count];
        let pairs = pairings(&left, &right, matching);
        if b.op == BinaryOp::Or {
            left.iter().try_for_each(|(head, row)| out.push(head.clone(), row))?;
        }
        for pair in &pairs {
            self.meter.check()?;
            // `or` takes from the right what the left lacks; the others take from the left.
            let (from, of, other, others, wanted) = match b.op {
                BinaryOp::Or => (&right, &pair.right, &left, &pair.left, false),
                BinaryOp::And => (&left, &pair.left, &right, &pair.right, true),
                _ => (&left, &pair.left, &right, &pair.right, false),
            };
            there.fill(false);
            for &i in others {
                there.iter_mut().zip(other.row(i)).for_each(|(t, v)| *t |= present(*v));
            }
            for &i in of {
                let row = from.row(i).iter().zip(&there);
                kept.iter_mut().zip(row).for_each(|(k, (v, t))| *k = if *t == wanted { *v } else { ABSENT });
                if kept.iter().any(|v| present(*v)) {
                    out.push(from.heads()[i].clone(), &kept)?;
                }
            }
        }
        drop((left, right));
        out.joined()?.counted()
    }
}
