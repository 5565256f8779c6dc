//! The value of a scalar expression at all steps.

use crate::promql::func::range::Param;

/// A number at every step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// The same at every step.
    Constant(f64),
    /// One per step.
    Steps(Vec<f64>),
}

impl Scalar {
    /// The number at a step.
    pub(crate) fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(v) => *v,
            Self::Steps(all) => all[step],
        }
    }

    /// As an argument of a function.
    pub(crate) fn param(&self) -> Param<'_> {
        match self {
            Self::Constant(v) => Param::Constant(*v),
            Self::Steps(all) => Param::Steps(all),
        }
    }

    /// Computes each step's number from that of this and of another.
    pub(crate) fn zip(&self, other: &Self, width: usize, f: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Constant(a), Self::Constant(b)) => Self::Constant(f(*a, *b)),
            _ => Self::Steps((0..width).map(|k| f(self.at(k), other.at(k))).collect()),
        }
    }

    /// Computes each step's number from that of this.
    pub(crate) fn map(self, f: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Constant(v) => Self::Constant(f(v)),
            Self::Steps(all) => Self::Steps(all.into_iter().map(f).collect()),
        }
    }

    /// The numbers; one stands for all if they are the same.
    pub(crate) fn values(&self) -> &[f64] {
        match self {
            Self::Constant(v) => std::slice::from_ref(v),
            Self::Steps(all) => all,
        }
    }
}
