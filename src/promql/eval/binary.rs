//! Binary operators where at least one side is a scalar, and what all operators do with two numbers.

use crate::promql::ast::{BinaryOp, Type};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::plan::Binary;
use crate::promql::eval::rows::{Rows, present};
use crate::promql::eval::scalar::Scalar;
use crate::promql::eval::stream::{Map, Same, Stream};
use crate::promql::func::notes::{Note, NoteSink};
use crate::promql::func::window::{ABSENT, Grid};
use crate::promql::value::EvalError;

/// What a comparison does with its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The left value where it holds.
    Filter,
    /// 1 or 0.
    Bool,
}

impl Outcome {
    pub(crate) const fn of(bool_modifier: bool) -> Self {
        if bool_modifier { Self::Bool } else { Self::Filter }
    }
}

impl<'a> Evaluator<'a> {
    /// The value of a binary operator that gives a vector.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn binary(&mut self, b: &'a Binary<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let (vector, scalar, swapped) = match (b.lhs.ty(), b.rhs.ty()) {
            (Type::Vector, Type::Scalar) => (self.vector(&b.lhs, grid)?, self.scalar(&b.rhs, grid)?, false),
            (Type::Scalar, Type::Vector) => {
                let scalar = self.scalar(&b.lhs, grid)?;
                (self.vector(&b.rhs, grid)?, scalar, true)
            }
            _ if b.op.is_set() => return Ok(Stream::of(self.set_operator(b, grid)?)),
            _ if trims(b.op) => {
                let met = self.matched(b, grid)?;
                return Ok(self.nothing_trimmed(b, &met));
            }
            _ => return Ok(Stream::of(self.matched(b, grid)?)),
        };
        if trims(b.op) {
            let met = vector.collect(self)?;
            return Ok(self.nothing_trimmed(b, &met));
        }
        let outcome = Outcome::of(b.bool_modifier);
        let vector = vector.mapped(with_scalar(b.op, outcome, scalar, swapped));
        if is_arithmetic(b.op) || outcome == Outcome::Bool { vector.unnamed(self, Same::Join) } else { Ok(vector) }
    }

    /// Trims floats: that gives nothing, and a note if there were any.
    fn nothing_trimmed(&mut self, b: &Binary<'_>, met: &Rows) -> Stream<'a> {
        if met.samples() > 0 {
            let op = b.op.text();
            let text = format!("incompatible sample types encountered for binary operator \"{op}\": float {op} float");
            self.book.at(b.lhs.span).note(Note::Info(format!("PromQL info: {text}")));
        }
        Stream::of(Rows::new(met.width(), &self.meter))
    }

    /// The value of a binary operator between scalars.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn scalar_binary(&mut self, b: &'a Binary<'a>, grid: Grid) -> Result<Scalar, EvalError> {
        let (lhs, rhs) = (self.scalar(&b.lhs, grid)?, self.scalar(&b.rhs, grid)?);
        let f = pair(b.op, Outcome::Bool);
        Ok(lhs.zip(rhs, f))
    }
}

/// Whether the operator computes a new value, of which the metric's name would say something wrong.
pub(crate) const fn is_arithmetic(op: BinaryOp) -> bool {
    !op.is_comparison() && !op.is_set()
}

/// Whether the operator is for native histograms only.
const fn trims(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}

/// What an operator makes of two numbers; [`ABSENT`] if a filter drops the left one.
pub(crate) fn pair(op: BinaryOp, outcome: Outcome) -> fn(f64, f64) -> f64 {
    match (op, outcome) {
        (BinaryOp::Add, _) => |a, b| a + b,
        (BinaryOp::Sub, _) => |a, b| a - b,
        (BinaryOp::Mul, _) => |a, b| a * b,
        (BinaryOp::Div, _) => |a, b| a / b,
        (BinaryOp::Mod, _) => |a, b| a % b,
        (BinaryOp::Pow, _) => f64::powf,
        (BinaryOp::Atan2, _) => f64::atan2,
        (BinaryOp::Equal, Outcome::Bool) => |a, b| number(a == b),
        (BinaryOp::NotEqual, Outcome::Bool) => |a, b| number(a != b),
        (BinaryOp::Greater, Outcome::Bool) => |a, b| number(a > b),
        (BinaryOp::Less, Outcome::Bool) => |a, b| number(a < b),
        (BinaryOp::GreaterEqual, Outcome::Bool) => |a, b| number(a >= b),
        (BinaryOp::LessEqual, Outcome::Bool) => |a, b| number(a <= b),
        (BinaryOp::Equal, Outcome::Filter) => |a, b| kept(a, a == b),
        (BinaryOp::NotEqual, Outcome::Filter) => |a, b| kept(a, a != b),
        (BinaryOp::Greater, Outcome::Filter) => |a, b| kept(a, a > b),
        (BinaryOp::Less, Outcome::Filter) => |a, b| kept(a, a < b),
        (BinaryOp::GreaterEqual, Outcome::Filter) => |a, b| kept(a, a >= b),
        (BinaryOp::LessEqual, Outcome::Filter) => |a, b| kept(a, a <= b),
        // What is trimmed are native histograms; of floats only whether any met matters.
        (BinaryOp::TrimUpper | BinaryOp::TrimLower, _) => |a, _| a,
        (BinaryOp::And | BinaryOp::Or | BinaryOp::Unless, _) => |_, _| ABSENT,
    }
}

/// The comparison that holds for `b, a` when `op` holds for `a, b`.
const fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        other => other,
    }
}

/// What an operator does to a row whose other side is a scalar. A filter keeps the vector's value, whichever
/// side it stands on.
fn with_scalar<'a>(op: BinaryOp, outcome: Outcome, scalar: Scalar, swapped: bool) -> Map<'a> {
    // The four operators of nearly all queries get loops of their own, the others one over a function.
    match (op, swapped) {
        (BinaryOp::Add, _) => each(scalar, |v, s| v + s),
        (BinaryOp::Sub, false) => each(scalar, |v, s| v - s),
        (BinaryOp::Mul, _) => each(scalar, |v, s| v * s),
        (BinaryOp::Div, false) => each(scalar, |v, s| v / s),
        _ if op.is_comparison() => {
            let f = pair(if swapped { mirrored(op) } else { op }, outcome);
            each(scalar, f)
        }
        _ => {
            let f = pair(op, outcome);
            if swapped { each(scalar, move |v, s| f(s, v)) } else { each(scalar, f) }
        }
    }
}

fn each<'a>(scalar: Scalar, f: impl Fn(f64, f64) -> f64 + Send + Sync + 'a) -> Map<'a> {
    Box::new(move |row| match &scalar {
        Scalar::Constant(s) => row.iter_mut().filter(|v| present(**v)).for_each(|v| *v = f(*v, *s)),
        Scalar::Steps(all, _) => {
            row.iter_mut().zip(all).filter(|(v, _)| present(**v)).for_each(|(v, s)| *v = f(*v, *s));
        }
    })
}

const fn kept(v: f64, holds: bool) -> f64 {
    if holds { v } else { ABSENT }
}

const fn number(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}
