//! Quantiles of a set of values: of a window, and of a group of series.

/// The φ-quantile of values in any order, which it reorders. Between two values it is their weighted mean.
/// NaN counts as less than all numbers. No values, or a φ of NaN, give NaN; a φ below 0 gives -Inf, above 1
/// +Inf.
pub fn quantile(q: f64, values: &mut [f64]) -> f64 {
    match ranks(q, values.len()) {
        Err(value) => value,
        Ok(Ranks { lower, upper, weight }) => {
            let (_, low, above) = values.select_nth_unstable_by(lower, order);
            let low = *low;
            let high = if upper == lower { low } else { above.iter().copied().min_by(order).unwrap_or(low) };
            low * (1.0 - weight) + high * weight
        }
    }
}

/// As [`quantile`], of values that are sorted by [`order`].
pub fn quantile_sorted(q: f64, values: &[f64]) -> f64 {
    match ranks(q, values.len()) {
        Err(value) => value,
        Ok(Ranks { lower, upper, weight }) => values[lower] * (1.0 - weight) + values[upper] * weight,
    }
}

/// The order of quantiles: NaN first, all of them equal, then numbers.
pub fn order(a: &f64, b: &f64) -> std::cmp::Ordering {
    a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

struct Ranks {
    lower: usize,
    upper: usize,
    weight: f64,
}

/// Between which of `len` sorted values a quantile lies, or what it is without looking at any.
fn ranks(q: f64, len: usize) -> Result<Ranks, f64> {
    if len == 0 || q.is_nan() {
        return Err(f64::NAN);
    }
    if q < 0.0 {
        return Err(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return Err(f64::INFINITY);
    }
    let rank = q * (len - 1) as f64;
    let lower = rank.floor();
    let weight = rank - lower;
    let lower = (lower as usize).min(len - 1);
    Ok(Ranks { lower, upper: (lower + 1).min(len - 1), weight })
}
