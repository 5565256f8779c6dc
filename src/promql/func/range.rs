//! Functions over ranges of samples: one call computes all steps of one series.

use crate::promql::ast::Extension;
use crate::promql::func::notes::NoteSink;
use crate::promql::func::window::{ABSENT, Windows};
use crate::promql::func::{Func, over_time, rate, trend};
use crate::promql::value::EvalError;

/// A scalar argument.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// The same at every step.
    Constant(f64),
    /// One value per step.
    Steps(&'a [f64]),
}

impl Param<'_> {
    /// Its value at a step.
    pub fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(v) => *v,
            Self::Steps(values) => values[step],
        }
    }
}

/// Computes a function over a range vector at every step: `out[k]` becomes the value of the window `k`, or
/// [`ABSENT`]. `params` are the scalar arguments in order, without the range vector. Notes stand at the
/// call's first argument.
///
/// [`Func::AbsentOverTime`] gives 1 where there are samples, as [`Func::PresentOverTime`] does: that no
/// series has any can only be known from all of them.
///
/// # Errors
/// A scalar argument has a value that the function refuses.
pub fn apply(
    func: Func,
    w: &Windows<'_>,
    params: &[Param<'_>],
    extension: Option<Extension>,
    notes: &mut dyn NoteSink,
    out: &mut [f64],
) -> Result<(), EvalError> {
    debug_assert_eq!(out.len(), w.ends.count, "one place per step");
    let once = w.fixed() && w.ends.count > 1 && func != Func::PredictLinear;
    if once && params.iter().all(|p| matches!(p, Param::Constant(_))) {
        let mut first = *w;
        first.ends.count = 1;
        let mut value = [ABSENT];
        compute(func, &first, params, extension, notes, &mut value)?;
        out.fill(value[0]);
        return Ok(());
    }
    compute(func, w, params, extension, notes, out)
}

fn compute(
    func: Func,
    w: &Windows<'_>,
    params: &[Param<'_>],
    extension: Option<Extension>,
    notes: &mut dyn NoteSink,
    out: &mut [f64],
) -> Result<(), EvalError> {
    match func {
        Func::Rate => rate::rate(w, extension, out),
        Func::Increase => rate::increase(w, extension, out),
        Func::Delta => rate::delta(w, extension, out),
        Func::Irate => rate::irate(w, out),
        Func::Idelta => rate::idelta(w, out),
        Func::Changes => rate::changes(w, extension, out),
        Func::Resets => rate::resets(w, extension, out),
        Func::Deriv => trend::deriv(w, out),
        Func::PredictLinear => trend::predict_linear(w, param(params, 0)?, out),
        Func::DoubleExponentialSmoothing => {
            trend::double_exponential_smoothing(w, param(params, 0)?, param(params, 1)?, out)?;
        }
        Func::QuantileOverTime => over_time::quantile(w, param(params, 0)?, notes, out),
        Func::AvgOverTime => over_time::avg(w, out),
        Func::CountOverTime => over_time::count(w, out),
        Func::FirstOverTime => over_time::first(w, out),
        Func::LastOverTime => over_time::last(w, out),
        Func::MadOverTime => over_time::mad(w, out),
        Func::MaxOverTime => over_time::max(w, out),
        Func::MinOverTime => over_time::min(w, out),
        Func::AbsentOverTime | Func::PresentOverTime => over_time::present(w, out),
        Func::StddevOverTime => over_time::stddev(w, out),
        Func::StdvarOverTime => over_time::stdvar(w, out),
        Func::SumOverTime => over_time::sum(w, out),
        Func::TsOfFirstOverTime => over_time::ts_of_first(w, out),
        Func::TsOfLastOverTime => over_time::ts_of_last(w, out),
        Func::TsOfMaxOverTime => over_time::ts_of_max(w, out),
        Func::TsOfMinOverTime => over_time::ts_of_min(w, out),
        _ => return Err(EvalError::Execution(format!("`{func:?}` does not take a range vector"))),
    }
    Ok(())
}

/// The parser counts arguments, so that one can only lack in a tree made otherwise.
fn param<'a>(params: &[Param<'a>], i: usize) -> Result<Param<'a>, EvalError> {
    params.get(i).copied().ok_or_else(|| EvalError::Execution("a scalar argument is missing".to_owned()))
}
