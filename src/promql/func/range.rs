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

impl<'a> Param<'a> {
    /// The argument of the steps from `first` on.
    pub fn from_step(&self, first: usize) -> Self {
        match *self {
            Self::Constant(v) => Self::Constant(v),
            Self::Steps(values) => Self::Steps(&values[first..]),
        }
    }

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
        if let Some(looked) = w.looked {
            // Every step looks at the same samples.
            looked.set(looked.get() * w.ends.count as u64);
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::sample::Column;
    use crate::promql::func::notes::Note;
    use crate::promql::func::window::Grid;

    fn column(samples: &[(i64, f64)]) -> Column {
        let (t, v) = samples.iter().copied().unzip();
        Column { t, v }
    }

    fn call(func: Func, w: &Windows<'_>, params: &[Param<'_>], extension: Option<Extension>) -> Vec<f64> {
        let mut out = vec![0.5; w.ends.count];
        apply(func, w, params, extension, &mut Vec::new(), &mut out).unwrap();
        out
    }

    /// Each function as its definition says, of the samples of one window.
    fn by_definition(func: Func, s: &[(i64, f64)], start: i64, end: i64) -> Option<f64> {
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let (first, last) = (*s.first()?, *s.last()?);
        let pairs = || s.windows(2).map(|p| (p[0].1, p[1].1));
        // The last of equal ones, and a number before any NaN.
        let best = |better: fn(f64, f64) -> bool| {
            s.iter().copied().reduce(|a, b| if better(b.1, a.1) || a.1.is_nan() { b } else { a })
        };
        Some(match func {
            Func::CountOverTime => s.len() as f64,
            Func::PresentOverTime => 1.0,
            Func::FirstOverTime => first.1,
            Func::LastOverTime => last.1,
            Func::TsOfFirstOverTime => seconds(first.0),
            Func::TsOfLastOverTime => seconds(last.0),
            Func::MaxOverTime => best(|b, a| b > a)?.1,
            Func::MinOverTime => best(|b, a| b < a)?.1,
            Func::TsOfMaxOverTime => seconds(best(|b, a| b >= a)?.0),
            Func::TsOfMinOverTime => seconds(best(|b, a| b <= a)?.0),
            Func::Changes => pairs().filter(|(a, b)| a != b && !(a.is_nan() && b.is_nan())).count() as f64,
            Func::Resets => pairs().filter(|(a, b)| b < a).count() as f64,
            Func::Rate | Func::Increase | Func::Delta => {
                let counter = func != Func::Delta;
                let mut growth = last.1 - first.1;
                if counter {
                    pairs().filter(|(a, b)| b < a).for_each(|(a, _)| growth += a);
                }
                let sampled = seconds(last.0 - first.0);
                let distance = sampled / (s.len().checked_sub(1).filter(|n| *n > 0)? as f64);
                let reach = |gap: f64| if gap < distance * 1.1 { gap } else { distance / 2.0 };
                let (mut before, after) = (reach(seconds(first.0 - start)), reach(seconds(end - last.0)));
                if counter && growth > 0.0 && first.1 >= 0.0 {
                    let to_zero = sampled * (first.1 / growth);
                    before = if to_zero < before { to_zero } else { before };
                }
                let factor = (sampled + before + after) / sampled;
                growth * if func == Func::Rate { factor / seconds(end - start) } else { factor }
            }
            Func::Irate | Func::Idelta => {
                let before = s[s.len().checked_sub(2)?];
                if func == Func::Idelta {
                    last.1 - before.1
                } else {
                    let growth = if last.1 < before.1 { last.1 } else { last.1 - before.1 };
                    growth / seconds(last.0 - before.0)
                }
            }
            _ => unreachable!("{func:?}"),
        })
    }

    const EXACT: [Func; 17] = [
        Func::CountOverTime,
        Func::PresentOverTime,
        Func::FirstOverTime,
        Func::LastOverTime,
        Func::TsOfFirstOverTime,
        Func::TsOfLastOverTime,
        Func::MaxOverTime,
        Func::MinOverTime,
        Func::TsOfMaxOverTime,
        Func::TsOfMinOverTime,
        Func::Changes,
        Func::Resets,
        Func::Rate,
        Func::Increase,
        Func::Delta,
        Func::Irate,
        Func::Idelta,
    ];

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => (-20_i32..200).prop_map(f64::from),
            4 => -1e3_f64..1e3,
            1 => Just(f64::NAN),
            1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(0.0), Just(1e308)],
        ]
    }

    fn samples(value: impl Strategy<Value = f64>) -> impl Strategy<Value = Vec<(i64, f64)>> {
        prop::collection::vec((prop_oneof![3 => Just(15_000_i64), 1 => 1_i64..120_000], value), 0..80).prop_map(|s| {
            let times = s.iter().scan(0, |t, (gap, _)| {
                *t += gap;
                Some(*t)
            });
            times.zip(s.iter().map(|(_, v)| *v)).collect()
        })
    }

    fn grid() -> impl Strategy<Value = Grid> {
        (-100_000_i64..400_000, prop_oneof![Just(0_i64), 1_i64..200_000], 0_usize..30)
            .prop_map(|(start, step, count)| Grid { start, step, count })
    }

    fn same(a: f64, b: f64) -> bool {
        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() && a.to_bits() != ABSENT.to_bits()
    }

    proptest! {
        #[test]
        fn one_pass_gives_what_each_window_gives(samples in samples(value()), ends in grid(), range in 1_i64..600_000) {
            let column = column(&samples);
            let w = Windows { samples: &column, range, ends, times: ends, lookback: 300_000, looked: None };
            for func in EXACT {
                let got = call(func, &w, &[], None);
                for (k, got) in got.into_iter().enumerate() {
                    let end = ends.at(k);
                    let inside: Vec<_> =
                        samples.iter().copied().filter(|(t, _)| *t > end - range && *t <= end).collect();
                    let want = by_definition(func, &inside, end - range, end).unwrap_or(ABSENT);
                    prop_assert!(same(got, want), "{:?} at {}: {} is not {}", func, end, got, want);
                }
            }
        }

        #[test]
        fn sliding_sums_are_those_of_each_window(
            samples in samples(prop_oneof![-1e3_f64..1e3, (-50_i32..50).prop_map(|v| f64::from(v) / 10.0)]),
            start in 0_i64..300_000,
        ) {
            let column = column(&samples);
            let ends = Grid { start, step: 20_000, count: 40 };
            let w = Windows { samples: &column, range: 600_000, ends, times: ends, lookback: 0, looked: None };
            for func in [Func::SumOverTime, Func::AvgOverTime] {
                let slid = call(func, &w, &[], None);
                for (k, slid) in slid.into_iter().enumerate() {
                    let ends = Grid { start: ends.at(k), step: 0, count: 1 };
                    let alone = call(func, &Windows { ends, times: ends, ..w }, &[], None)[0];
                    // One unit in the last place, of a sum that may be small beside its parts.
                    let close = (slid - alone).abs() <= alone.abs() * f64::EPSILON + 1e-28;
                    prop_assert!(close || same(slid, alone), "{} is not {}", slid, alone);
                }
            }
        }

        #[test]
        fn nothing_panics(
            samples in samples(value()), ends in grid(), range in 1_i64..600_000, a in value(), b in 0.01_f64..0.99,
        ) {
            let column = column(&samples);
            let w = Windows { samples: &column, range, ends, times: ends, lookback: 300_000, looked: None };
            let mut out = vec![0.0; ends.count];
            for (func, extension) in [
                (Func::MadOverTime, None),
                (Func::QuantileOverTime, None),
                (Func::StddevOverTime, None),
                (Func::SumOverTime, None),
                (Func::AvgOverTime, None),
                (Func::Deriv, None),
                (Func::PredictLinear, None),
                (Func::Rate, Some(Extension::Anchored)),
                (Func::Rate, Some(Extension::Smoothed)),
                (Func::Delta, Some(Extension::Smoothed)),
                (Func::Changes, Some(Extension::Anchored)),
            ] {
                apply(func, &w, &[Param::Constant(a)], extension, &mut Vec::new(), &mut out).unwrap();
            }
            let params = [Param::Constant(b), Param::Constant(b)];
            apply(Func::DoubleExponentialSmoothing, &w, &params, None, &mut Vec::new(), &mut out).unwrap();
        }
    }

    #[test]
    fn values_known_by_hand() {
        #[track_caller]
        fn check(func: Func, params: &[f64], values: &[f64], want: f64) {
            let samples: Vec<_> = values.iter().enumerate().map(|(i, v)| (i as i64 * 10_000, *v)).collect();
            let column = column(&samples);
            let ends = Grid { start: 50_000, step: 0, count: 1 };
            let w = Windows { samples: &column, range: 60_000, ends, times: ends, lookback: 0, looked: None };
            let params: Vec<_> = params.iter().map(|p| Param::Constant(*p)).collect();
            let got = call(func, &w, &params, None)[0];
            assert!((got - want).abs() < 1e-12 || same(got, want), "{func:?}: {got} is not {want}");
        }
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        check(Func::SumOverTime, &[], &[1.0, 1e100, 1.0, -1e100], 2.0);
        check(Func::SumOverTime, &[], &[inf, 1.0], inf);
        check(Func::SumOverTime, &[], &[inf, -inf], nan);
        check(Func::AvgOverTime, &[], &[1.0, 1e100, 1.0, -1e100], 0.5);
        check(Func::AvgOverTime, &[], &[f64::MAX, f64::MAX], f64::MAX);
        check(Func::AvgOverTime, &[], &[-inf, 1.0], -inf);
        check(Func::StddevOverTime, &[], &[0.1, 0.1, 0.1], 0.0);
        check(Func::StdvarOverTime, &[], &[1.0, 2.0, 3.0, 4.0], 1.25);
        check(Func::MadOverTime, &[], &[4.0, 6.0, 2.0, 1.0, 999.0, 1.0], 1.0 + 1.0);
        check(Func::MadOverTime, &[], &[1.0, nan], nan);
        check(Func::QuantileOverTime, &[0.25], &[3.0, 1.0, 2.0], 1.5);
        check(Func::QuantileOverTime, &[0.0], &[3.0, nan, 2.0], nan);
        check(Func::QuantileOverTime, &[1.0], &[3.0, nan, 2.0], 3.0);
        check(Func::QuantileOverTime, &[1.5], &[3.0], inf);
        check(Func::Deriv, &[], &[5.0, 15.0, 25.0], 1.0);
        check(Func::Deriv, &[], &[5.0, 5.0], 0.0);
        check(Func::Deriv, &[], &[inf, inf], nan);
        check(Func::Deriv, &[], &[5.0], ABSENT);
        check(Func::PredictLinear, &[100.0], &[5.0, 15.0, 25.0], 155.0);
        check(Func::DoubleExponentialSmoothing, &[0.5, 0.5], &[1.0, 2.0, 4.0], 3.5 - 0.125 + 0.125);
        check(Func::Increase, &[], &[0.0, 10.0, 20.0, 5.0, 15.0, 25.0], 45.0);
        check(Func::Rate, &[], &[1.0], ABSENT);
    }

    #[test]
    fn a_factor_that_does_not_smooth_is_an_error() {
        let column = column(&[(0, 1.0), (1_000, 2.0)]);
        let ends = Grid { start: 1_000, step: 0, count: 1 };
        let w = Windows { samples: &column, range: 60_000, ends, times: ends, lookback: 0, looked: None };
        let smooth = |w: &Windows<'_>, sf, tf| {
            let params = [Param::Constant(sf), Param::Constant(tf)];
            apply(Func::DoubleExponentialSmoothing, w, &params, None, &mut Vec::new(), &mut [0.0])
                .map_err(|e| e.to_string())
        };
        let text = "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.500000";
        assert_eq!(smooth(&w, 1.5, 0.5), Err(text.to_owned()));
        let text = "invalid trend factor. Expected: 0 < tf < 1, got: 0.000000";
        assert_eq!(smooth(&w, 0.5, 0.0), Err(text.to_owned()));
        let none = Grid { start: -1, step: 0, count: 1 };
        assert_eq!(smooth(&Windows { ends: none, ..w }, 1.5, 0.5), Ok(()));
    }

    #[test]
    fn a_fixed_window_is_computed_once_but_predicts_from_each_step() {
        let column = column(&[(0, 1.0), (10_000, 2.0)]);
        let ends = Grid { start: 10_000, step: 0, count: 3 };
        let times = Grid { start: 10_000, step: 10_000, count: 3 };
        let w = Windows { samples: &column, range: 60_000, ends, times, lookback: 0, looked: None };
        assert_eq!(call(Func::SumOverTime, &w, &[], None), [3.0; 3]);
        assert_eq!(call(Func::PredictLinear, &w, &[Param::Constant(0.0)], None), [2.0, 3.0, 4.0]);
        let phis = [0.0, 0.5, 1.0];
        assert_eq!(call(Func::QuantileOverTime, &w, &[Param::Steps(&phis)], None), [1.0, 1.5, 2.0]);
    }

    #[test]
    fn a_bad_quantile_is_noted_once_and_only_where_there_are_samples() {
        let column = column(&[(0, 1.0)]);
        let ends = Grid { start: -1_000, step: 1_000, count: 5 };
        let w = Windows { samples: &column, range: 10_000, ends, times: ends, lookback: 0, looked: None };
        let phis = [7.0, 2.0, 2.0, f64::NAN, 0.5];
        let (mut notes, mut out) = (Vec::<Note>::new(), [0.0; 5]);
        apply(Func::QuantileOverTime, &w, &[Param::Steps(&phis)], None, &mut notes, &mut out).unwrap();
        let text = |phi| Note::Warning(format!("PromQL warning: quantile value should be between 0 and 1, got {phi}"));
        assert_eq!(notes, [text("2"), text("NaN")]);
    }

    #[test]
    fn anchored_and_smoothed_reach_beyond_the_window() {
        #[track_caller]
        fn check(func: Func, extension: Extension, end: i64, want: Option<f64>) {
            let values = [10.0, 20.0, 30.0, 5.0, 15.0];
            let samples: Vec<_> = values.iter().enumerate().map(|(i, v)| (i as i64 * 10_000, *v)).collect();
            let column = column(&samples);
            let ends = Grid { start: end, step: 0, count: 1 };
            let w = Windows { samples: &column, range: 20_000, ends, times: ends, lookback: 30_000, looked: None };
            let got = call(func, &w, &[], Some(extension))[0];
            assert!(same(got, want.unwrap_or(ABSENT)), "{func:?} {extension:?} at {end}: {got}");
        }
        use Extension::{Anchored, Smoothed};
        // From the sample at 0, which is the window's start, to that at 20.
        check(Func::Increase, Anchored, 20_000, Some(20.0));
        check(Func::Rate, Anchored, 20_000, Some(1.0));
        // From the sample before the start, over the reset.
        check(Func::Increase, Anchored, 35_000, Some(20.0 - 5.0));
        check(Func::Delta, Anchored, 35_000, Some(-15.0));
        check(Func::Changes, Anchored, 35_000, Some(2.0));
        check(Func::Resets, Anchored, 35_000, Some(1.0));
        // No sample before it.
        check(Func::Increase, Anchored, 5_000, Some(0.0));
        // None within it.
        check(Func::Increase, Anchored, 65_000, None);
        check(Func::Changes, Anchored, 65_000, None);
        // From 15 at 5 s to 25 at 25 s, where the counter has come to 2.5 again after its reset.
        check(Func::Increase, Smoothed, 25_000, Some(2.5 - 15.0 + 30.0));
        check(Func::Delta, Smoothed, 25_000, Some(17.5 - 15.0));
        // Beyond the newest sample.
        check(Func::Increase, Smoothed, 45_000, Some(15.0 - 2.5));
        // The only sample is after the end.
        check(Func::Increase, Smoothed, -5_000, None);
    }
}
