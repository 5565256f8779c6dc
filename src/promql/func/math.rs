//! Functions of one value: rounding, logarithms, trigonometry, limits.
//!
//! NaN, infinities and the sign of zero follow Go's `math`, on which Prometheus is built, and so do logarithms to
//! other bases, whose last bit decides what `floor(log10(x))` is. Elsewhere results may differ from Go's in the
//! last bit, as they do between Go's own architectures.

use std::f64::consts::{LN_2, LOG2_E, LOG10_E, PI};

use crate::promql::func::Func;

/// What a function of one vector and nothing else does to each value.
pub fn unary(func: Func) -> Option<fn(f64) -> f64> {
    Some(match func {
        Func::Abs => f64::abs,
        Func::Acos => f64::acos,
        Func::Acosh => acosh,
        Func::Asin => f64::asin,
        Func::Asinh => asinh,
        Func::Atan => f64::atan,
        Func::Atanh => atanh,
        Func::Ceil => f64::ceil,
        Func::Cos => f64::cos,
        Func::Cosh => cosh,
        Func::Deg => deg,
        Func::Exp => f64::exp,
        Func::Floor => f64::floor,
        Func::Ln => f64::ln,
        Func::Log10 => log10,
        Func::Log2 => log2,
        Func::Rad => rad,
        Func::Sgn => sgn,
        Func::Sin => f64::sin,
        Func::Sinh => sinh,
        Func::Sqrt => f64::sqrt,
        Func::Tan => f64::tan,
        Func::Tanh => f64::tanh,
        _ => return None,
    })
}

fn deg(v: f64) -> f64 {
    v * 180.0 / PI
}

fn rad(v: f64) -> f64 {
    v * PI / 180.0
}

fn sgn(v: f64) -> f64 {
    if v < 0.0 {
        -1.0
    } else if v > 0.0 {
        1.0
    } else {
        v
    }
}

/// Exact for powers of two; otherwise from the logarithm of the fraction alone.
fn log2(x: f64) -> f64 {
    if x <= 0.0 || !x.is_finite() {
        return x.ln();
    }
    let (fraction, exponent) = split(x);
    // Adding would round: `ln(0.5)` is not quite -1 times what it is divided by.
    if fraction == 0.5 { exponent - 1.0 } else { fraction.ln() * LOG2_E + exponent }
}

/// Not exact for all powers of ten: of 1e15 it is a little less than 15, as in Go.
fn log10(x: f64) -> f64 {
    x.ln() * LOG10_E
}

/// A positive finite number as a fraction from 0.5 to 1 and an exponent of two.
fn split(x: f64) -> (f64, f64) {
    const SUBNORMAL: f64 = (1_u64 << 54) as f64;
    let (x, scaled) = if x < f64::MIN_POSITIVE { (x * SUBNORMAL, 54.0) } else { (x, 0.0) };
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as f64 - 1022.0;
    let fraction = f64::from_bits(x.to_bits() & !(0x7ff << 52) | 1022 << 52);
    (fraction, exponent - scaled)
}

/// Infinite where `exp` is, although the half of it would not be.
fn sinh(x: f64) -> f64 {
    if x.abs() > SMALL_INVERSE { (0.5 * x.abs().exp()).copysign(x) } else { x.sinh() }
}

/// Infinite where `exp` is, although the half of it would not be.
fn cosh(x: f64) -> f64 {
    if x.abs() > SMALL_INVERSE { 0.5 * x.abs().exp() } else { x.cosh() }
}

/// Above this, `exp(x)` swallows `exp(-x)`.
const SMALL_INVERSE: f64 = 21.0;

/// Above this, `x * x` swallows the one that is added to or taken from it.
const LARGE: f64 = (1_u64 << 28) as f64;

/// Rust's own loses half of the digits near one.
fn acosh(x: f64) -> f64 {
    if x < 1.0 || x.is_nan() {
        f64::NAN
    } else if x >= LARGE {
        x.ln() + LN_2
    } else if x > 2.0 {
        (2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt())).ln()
    } else {
        let t = x - 1.0;
        (t + (2.0 * t + t * t).sqrt()).ln_1p()
    }
}

fn asinh(x: f64) -> f64 {
    let abs = x.abs();
    if x.is_nan() || x.is_infinite() || abs < 1.0 / LARGE {
        return x;
    }
    let result = if abs > LARGE {
        abs.ln() + LN_2
    } else if abs > 2.0 {
        (2.0 * abs + 1.0 / ((abs * abs + 1.0).sqrt() + abs)).ln()
    } else {
        let square = abs * abs;
        (abs + square / (1.0 + (1.0 + square).sqrt())).ln_1p()
    };
    result.copysign(x)
}

fn atanh(x: f64) -> f64 {
    let abs = x.abs();
    if abs < 1.0 / LARGE {
        return x;
    }
    let result = if abs < 0.5 {
        let twice = abs + abs;
        0.5 * (twice + twice * abs / (1.0 - abs)).ln_1p()
    } else {
        // NaN outside of -1 to 1, infinite at both.
        0.5 * ((abs + abs) / (1.0 - abs)).ln_1p()
    };
    result.copysign(x)
}

/// `clamp(v, min, max)` of one value; nothing where `max` is less than `min`. NaN stays NaN, and so does
/// every value when a limit is NaN.
pub fn clamp(v: f64, min: f64, max: f64) -> Option<f64> {
    if max < min { None } else { Some(maximum(min, minimum(max, v))) }
}

/// The larger of two values; NaN if one is, except beside +Inf; +0 is larger than -0.
pub fn maximum(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == b {
        if a.is_sign_negative() { b } else { a }
    } else if a > b {
        a
    } else {
        b
    }
}

/// The smaller of two values; NaN if one is, except beside -Inf; -0 is smaller than +0.
pub fn minimum(a: f64, b: f64) -> f64 {
    -maximum(-a, -b)
}

/// `round(v, nearest)`: the closest multiple of `nearest`, the larger of two that are equally close.
pub fn round(v: f64, nearest: f64) -> f64 {
    // The inverse is exact for the tenths and hundredths that people round to, more or less; it must be
    // this way for the same last digits as Prometheus.
    let inverse = 1.0 / nearest;
    (v * inverse + 0.5).floor() / inverse
}

/// `a % b` with the sign of `a`.
pub fn modulo(a: f64, b: f64) -> f64 {
    a % b
}

/// `a ^ b`.
pub fn power(a: f64, b: f64) -> f64 {
    a.powf(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(got: f64, want: f64) {
        let close = (got - want).abs() <= want.abs() * 1e-15;
        assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan() || close, "{got} is not {want}");
    }

    #[test]
    fn special_values_are_as_in_go() {
        #[track_caller]
        fn check(func: Func, v: f64, want: f64) {
            let got = unary(func).unwrap()(v);
            assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{func:?}({v}): {got}");
        }
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        check(Func::Sqrt, -0.0, -0.0);
        check(Func::Sqrt, -1.0, nan);
        check(Func::Ln, 0.0, -inf);
        check(Func::Ln, -0.0, -inf);
        check(Func::Ln, -1.0, nan);
        check(Func::Log10, 1000.0, 3.0);
        check(Func::Log10, 1e15, 14.999999999999998);
        check(Func::Log10, 0.0, -inf);
        check(Func::Log2, 8.0, 3.0);
        check(Func::Log2, 0.125, -3.0);
        check(Func::Log2, 5e-324, -1074.0);
        check(Func::Log2, inf, inf);
        check(Func::Log2, -1.0, nan);
        check(Func::Sinh, -710.0, -inf);
        check(Func::Cosh, 710.0, inf);
        check(Func::Exp, -inf, 0.0);
        check(Func::Ceil, -0.5, -0.0);
        check(Func::Floor, -0.0, -0.0);
        check(Func::Sgn, -0.0, -0.0);
        check(Func::Sgn, nan, nan);
        check(Func::Acosh, 0.5, nan);
        check(Func::Acosh, 1.0, 0.0);
        check(Func::Acosh, inf, inf);
        check(Func::Asinh, -0.0, -0.0);
        check(Func::Asinh, -inf, -inf);
        check(Func::Atanh, 1.0, inf);
        check(Func::Atanh, -1.0, -inf);
        check(Func::Atanh, 1.5, nan);
        check(Func::Atanh, -0.0, -0.0);
        check(Func::Sin, inf, nan);
        check(Func::Tanh, -inf, -1.0);
        check(Func::Asin, 2.0, nan);
    }

    #[test]
    fn inverse_hyperbolic_functions_are_exact_where_it_is_hard() {
        // x ∓ x³/6, x + x³/3, ln 2x and √2d (1 - d/12) to more digits than a float has.
        same(asinh(1e-5), 1e-5 - 1e-15 / 6.0);
        same(atanh(1e-5), 1e-5 + 1e-15 / 3.0);
        same(asinh(-1e200), -(200.0 * 10_f64.ln() + 2_f64.ln()));
        same(acosh(1e200), 200.0 * 10_f64.ln() + 2_f64.ln());
        let d = (1.0 + 1e-10_f64) - 1.0;
        same(acosh(1.0 + d), (2.0 * d).sqrt() * (1.0 - d / 12.0));
    }

    #[test]
    fn limits_keep_nan_and_order_zeros() {
        let bits = |v: Option<f64>| v.map(f64::to_bits);
        assert_eq!(bits(clamp(5.0, 0.0, 3.0)), bits(Some(3.0)));
        assert_eq!(bits(clamp(-5.0, 0.0, 3.0)), bits(Some(0.0)));
        assert_eq!(clamp(1.0, 3.0, 0.0), None);
        assert!(clamp(f64::NAN, 0.0, 3.0).unwrap().is_nan());
        assert!(clamp(1.0, f64::NAN, 3.0).unwrap().is_nan());
        assert!(clamp(1.0, 0.0, f64::NAN).unwrap().is_nan());
        assert_eq!(bits(clamp(-0.0, 0.0, 1.0)), bits(Some(0.0)));
        assert_eq!(minimum(0.0, -0.0).to_bits(), (-0.0_f64).to_bits());
        assert_eq!(maximum(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert_eq!(minimum(f64::NEG_INFINITY, f64::NAN), f64::NEG_INFINITY);
    }

    #[test]
    fn halves_round_up() {
        assert_eq!(round(2.5, 1.0), 3.0);
        assert_eq!(round(-2.5, 1.0), -2.0);
        assert_eq!(round(17.3, 5.0), 15.0);
        assert_eq!(round(0.12345, 0.01), 0.12);
        assert!(round(1.0, 0.0).is_nan());
    }
}
