//! The value of a scalar expression at all steps.

use crate::promql::eval::meter::Held;
use crate::promql::func::range::Param;

/// A number at every step.
#[derive(Debug)]
pub(crate) enum Scalar {
    /// The same at every step.
    Constant(f64),
    /// One per step, and what they count for among what the query holds.
    Steps(Vec<f64>, Held),
}

impl Scalar {
    /// The number at a step.
    pub(crate) fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(v) => *v,
            Self::Steps(all, _) => all[step],
        }
    }

    /// As an argument of a function.
    pub(crate) fn param(&self) -> Param<'_> {
        match self {
            Self::Constant(v) => Param::Constant(*v),
            Self::Steps(all, _) => Param::Steps(all),
        }
    }

    /// Computes each step's number from that of this and of another, in the buffer of one of them.
    pub(crate) fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Constant(a), other) => other.map(|b| f(a, b)),
            (this, Self::Constant(b)) => this.map(|a| f(a, b)),
            (Self::Steps(mut all, held), Self::Steps(others, _)) => {
                all.iter_mut().zip(others).for_each(|(a, b)| *a = f(*a, b));
                Self::Steps(all, held)
            }
        }
    }

    /// Computes each step's number from that of this.
    pub(crate) fn map(self, f: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Constant(v) => Self::Constant(f(v)),
            Self::Steps(mut all, held) => {
                all.iter_mut().for_each(|v| *v = f(*v));
                Self::Steps(all, held)
            }
        }
    }

    /// The numbers; one stands for all if they are the same.
    pub(crate) fn values(&self) -> &[f64] {
        match self {
            Self::Constant(v) => std::slice::from_ref(v),
            Self::Steps(all, _) => all,
        }
    }
}
