//! Arithmetic and comparisons between two vectors, series paired by signature.
//!
//! Which series may meet is the same at all steps; whether they do depends on their samples. So a whole row
//! is computed per pair, and steps are looked at singly only where more than one series of a side has the
//! same signature.

use std::collections::hash_map::Entry;

use ahash::AHashMap;

use crate::base::labels::{Labels, LabelsBuf};
use crate::promql::ast::{BinaryOp, Group, Matching};
use crate::promql::eval::binary::{Outcome, is_arithmetic, pair};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::meter::Meter;
use crate::promql::eval::names;
use crate::promql::eval::plan::Binary;
use crate::promql::eval::rows::{Head, Rows, present};
use crate::promql::eval::signature::{Pairing, match_labels, pairings};
use crate::promql::func::window::{ABSENT, Grid};
use crate::promql::value::EvalError;

impl<'a> Evaluator<'a> {
    /// The value of an arithmetic operator or a comparison between vectors.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn matched(&mut self, b: &'a Binary<'a>, grid: Grid) -> Result<Rows, EvalError> {
        let (left, right) = (self.rows(&b.lhs, grid)?, self.rows(&b.rhs, grid)?);
        let default = Matching::default();
        let matching = b.matching.unwrap_or(&default);
        let outcome = Outcome::of(b.bool_modifier);
        let mut join = Join {
            op: b.op,
            outcome,
            f: pair(b.op, outcome),
            matching,
            delayed: self.delayed,
            many_is_right: matches!(matching.group, Some(Group { left: false, .. })),
            left: &left,
            right: &right,
            out: Rows::new(grid.count, &self.meter),
            meter: &self.meter,
            any_of_many: None,
        };
        for pairing in &pairings(&left, &right, matching) {
            join.pairing(pairing)?;
        }
        let out = join.out;
        drop((left, right));
        out.joined()?.counted()
    }
}

struct Join<'j> {
    op: BinaryOp,
    outcome: Outcome,
    f: fn(f64, f64) -> f64,
    matching: &'j Matching,
    delayed: bool,
    /// `group_right`: many series on the right meet one on the left.
    many_is_right: bool,
    left: &'j Rows,
    right: &'j Rows,
    out: Rows,
    meter: &'j Meter,
    /// At which steps the side with many has anything; computed when it is asked for.
    any_of_many: Option<Vec<bool>>,
}

/// The results of one signature.
struct Results {
    /// By their labels: the row among the output, and at which steps two samples met, kept or not.
    rows: AHashMap<Labels, (usize, Vec<bool>)>,
    /// At which steps any pair met.
    met: Vec<bool>,
}

impl<'j> Join<'j> {
    /// The side with possibly many series per signature, and the side with one.
    const fn sides(&self) -> (&'j Rows, &'j Rows) {
        if self.many_is_right { (self.right, self.left) } else { (self.left, self.right) }
    }

    fn pairing(&mut self, p: &Pairing) -> Result<(), EvalError> {
        let (many_rows, one_rows) = self.sides();
        let (many, one) = if self.many_is_right { (&p.right, &p.left) } else { (&p.left, &p.right) };
        if one.len() > 1 {
            self.one_is_one(one)?;
        }
        let (fill_many, fill_one) = (self.matching.fill_left, self.matching.fill_right);
        if let ([m], [o], None, None) = (&**many, &**one, fill_many, fill_one) {
            // Nearly all pairings: nothing can be met twice.
            let head = self.head(&many_rows.heads()[*m], &one_rows.heads()[*o].labels);
            let (a, b) = (many_rows.row(*m), one_rows.row(*o));
            let (f, swapped) = (self.f, self.many_is_right);
            let row = self.out.add(head)?;
            for (place, (a, b)) in row.iter_mut().zip(a.iter().zip(b)) {
                if present(*a) && present(*b) {
                    *place = if swapped { f(*b, *a) } else { f(*a, *b) };
                }
            }
            return Ok(());
        }
        let mut results = Results { rows: AHashMap::new(), met: vec![false; self.out.width()] };
        // No step has samples of two series of the side with one, so that all of these are no more than one row.
        let width = self.out.width();
        let steps_of = |o: usize| (0..width).filter(|k| present(one_rows.row(o)[*k])).collect::<Vec<_>>();
        let one: Vec<(usize, Vec<usize>)> = one.iter().map(|&o| (o, steps_of(o))).collect();
        let mut lacking = vec![true; width];
        one.iter().flat_map(|(_, steps)| steps).for_each(|k| lacking[*k] = false);
        let lacking: Vec<usize> = (0..width).filter(|k| lacking[*k]).collect();
        for &m in many {
            let (a, head) = (many_rows.row(m), &many_rows.heads()[m]);
            for (o, steps) in &one {
                let b = one_rows.row(*o);
                self.meet(&mut results, head, &one_rows.heads()[*o].labels, steps, |k| (a[k], b[k]))?;
            }
            if let Some(fill) = fill_one {
                let filled = match_labels(&head.labels, self.matching);
                self.meet(&mut results, head, &filled, &lacking, |k| (a[k], fill))?;
            }
        }
        if let Some(fill) = fill_many {
            let met = results.met.clone();
            for (o, steps) in &one {
                let (b, labels) = (one_rows.row(*o), &one_rows.heads()[*o].labels);
                let filled = match_labels(labels, self.matching);
                self.meet(&mut results, &Head { labels: filled, unnamed: false }, labels, steps, |k| {
                    (if met[k] { ABSENT } else { fill }, b[k])
                })?;
            }
        }
        Ok(())
    }

    /// Computes a row from the values that `at` gives for these steps: of the side with many, and of the one.
    fn meet(
        &mut self,
        results: &mut Results,
        many: &Head,
        one: &Labels,
        steps: &[usize],
        at: impl Fn(usize) -> (f64, f64),
    ) -> Result<(), EvalError> {
        self.meter.check()?;
        let meet = |k: &&usize| {
            let (a, b) = at(**k);
            present(a) && present(b)
        };
        let mut steps = steps.iter().filter(meet).peekable();
        if steps.peek().is_none() {
            return Ok(());
        }
        let head = self.head(many, one);
        let (row, seen) = match results.rows.entry(head.labels.clone()) {
            Entry::Occupied(old) => old.into_mut(),
            Entry::Vacant(new) => {
                let row = self.out.len();
                self.out.add(head)?;
                new.insert((row, vec![false; self.out.width()]))
            }
        };
        let row = self.out.row_mut(*row);
        for &k in steps {
            let (a, b) = at(k);
            if self.matching.group.is_none() && std::mem::replace(&mut results.met[k], true) {
                return Err(failed(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                ));
            }
            if std::mem::replace(&mut seen[k], true) {
                return Err(failed("multiple matches for labels: grouping labels must ensure unique matches"));
            }
            results.met[k] = true;
            row[k] = if self.many_is_right { (self.f)(b, a) } else { (self.f)(a, b) };
        }
        Ok(())
    }

    /// # Errors
    /// Two series of the side that must have one per signature have a sample at the same step.
    fn one_is_one(&mut self, one: &[usize]) -> Result<(), EvalError> {
        let (many_rows, one_rows) = self.sides();
        let fills = self.matching.fill_left.is_some() || self.matching.fill_right.is_some();
        for k in 0..self.out.width() {
            if k % 64 == 0 {
                self.meter.check()?;
            }
            let mut there = one.iter().filter(|&&o| present(one_rows.row(o)[k]));
            let (Some(&first), Some(&second)) = (there.next(), there.next()) else { continue };
            // A step without anything on the other side is not looked at.
            let other = self.any_of_many.get_or_insert_with(|| {
                let mut any = vec![false; many_rows.width()];
                many_rows.iter().for_each(|(_, row)| any.iter_mut().zip(row).for_each(|(a, v)| *a |= present(*v)));
                any
            });
            if !other[k] && !fills {
                continue;
            }
            let side = if self.many_is_right { "left" } else { "right" };
            let (first, second) = (&one_rows.heads()[first].labels, &one_rows.heads()[second].labels);
            let group = match_labels(second, self.matching);
            return Err(EvalError::Execution(format!(
                "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
                 [{second}, {first}];many-to-many matching not allowed: matching labels must be unique on one side"
            )));
        }
        Ok(())
    }

    /// The result's labels: those of the side with many, without what the operator or the matching takes
    /// away, and with what `group_left` or `group_right` takes over.
    fn head(&self, many: &Head, one: &Labels) -> Head {
        let bool_modifier = self.outcome == Outcome::Bool;
        let unnamed = is_arithmetic(self.op) || (bool_modifier && !self.delayed);
        let listed = |name: &str| self.matching.labels.iter().any(|l| l == name);
        let kept = |name: &str| {
            !(unnamed && names::is_metadata(name))
                && (self.matching.group.is_some() || listed(name) == self.matching.on)
        };
        let mut buf = LabelsBuf::default();
        many.labels.iter().filter(|(name, _)| kept(name)).for_each(|(name, value)| buf.push(name, value));
        for name in self.matching.group.iter().flat_map(|g| &g.include) {
            let after = buf.iter().last().is_none_or(|(last, _)| last < name.as_str());
            match one.get(name).unwrap_or_default() {
                value if after => buf.push(name, value),
                value => buf.set(name, value),
            }
        }
        Head { labels: buf.labels(), unnamed: self.delayed && (bool_modifier || many.unnamed) }
    }
}

fn failed(text: &str) -> EvalError {
    EvalError::Execution(text.to_owned())
}
