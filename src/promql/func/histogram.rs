//! Quantiles and fractions of classic histograms: series per bucket, each counting what is at most its `le`.
//!
//! Pure functions over the buckets of one histogram at one step; the caller groups series into histograms.

/// A bucket: how many observations were at most `upper`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The value of `le`.
    pub upper: f64,
    /// The count, of all smaller buckets too.
    pub count: f64,
}

/// Counts that fell from one bucket to the next and were raised to those before them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forced {
    /// The smallest bound of a bucket that was raised.
    pub min_bucket: f64,
    /// The largest.
    pub max_bucket: f64,
    /// By how much one was raised at most.
    pub max_diff: f64,
}

impl Forced {
    /// What covers both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            min_bucket: self.min_bucket.min(other.min_bucket),
            max_bucket: self.max_bucket.max(other.max_bucket),
            max_diff: self.max_diff.max(other.max_diff),
        }
    }
}

/// Relative difference of neighbouring counts that is no difference but an error of earlier arithmetic.
const TOLERANCE: f64 = 1e-12;

/// Reads the value of `le`.
pub fn parse_le(text: &str) -> Option<f64> {
    let v: f64 = text.parse().ok()?;
    // Too large a number is an error for Go, and infinity for Rust.
    (v.is_finite() || !text.bytes().any(|b| b.is_ascii_digit())).then_some(v)
}

/// The q-quantile, by the line between the bounds of the bucket it falls into; of the highest bucket its
/// lower bound, and the lowest begins at zero unless its bound is not positive. NaN without a bucket of
/// `+Inf`, a second bucket, or observations. Sorts, merges and levels the buckets.
pub fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Forced>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if !prepare(buckets) {
        return (f64::NAN, None);
    }
    let forced = level(buckets);
    let highest = buckets.len() - 1;
    let observations = buckets[highest].count;
    if highest == 0 || observations == 0.0 {
        return (f64::NAN, forced);
    }
    let rank = q * observations;
    let at = search(&buckets[..highest], |b| b.count >= rank);
    let bucket = buckets[at];
    let value = if at == highest {
        buckets[highest - 1].upper
    } else if at > 0 {
        let before = buckets[at - 1];
        before.upper + (bucket.upper - before.upper) * ((rank - before.count) / (bucket.count - before.count))
    } else if bucket.upper <= 0.0 {
        bucket.upper
    } else {
        bucket.upper * (rank / bucket.count)
    };
    (value, forced)
}

/// The fraction of observations between two values, by the same lines as [`quantile`]. Sorts and merges the
/// buckets.
pub fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if !prepare(buckets) {
        return f64::NAN;
    }
    let count = buckets[buckets.len() - 1].count;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets).min(count) - rank_of(lower, buckets).min(count)) / count
}

/// How many observations are below a value.
fn rank_of(v: f64, buckets: &[Bucket]) -> f64 {
    let mut rank = 0.0;
    let mut from = if buckets[0].upper <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    for b in buckets {
        if from >= v {
            return rank;
        }
        if b.upper > v {
            // Nothing is known of where in a bucket without a lower bound they are.
            let unbounded = from == f64::NEG_INFINITY;
            return if unbounded { b.count } else { rank + (b.count - rank) * (v - from) / (b.upper - from) };
        }
        (rank, from) = (b.count, b.upper);
    }
    f64::INFINITY
}

/// Sorts buckets by bound and adds up those of the same. False if the highest is not that of all
/// observations.
fn prepare(buckets: &mut Vec<Bucket>) -> bool {
    if !buckets.is_sorted_by(|a, b| a.upper < b.upper) {
        buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
        buckets.dedup_by(|b, kept| {
            let same = b.upper == kept.upper;
            if same {
                kept.count += b.count;
            }
            same
        });
    }
    buckets.last().is_some_and(|b| b.upper == f64::INFINITY)
}

/// Raises counts to those of the bucket before; tells so unless the difference is no more than an error of
/// arithmetic. Counts that are larger by such an error are lowered.
fn level(buckets: &mut [Bucket]) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let (first, rest) = buckets.split_first_mut()?;
    let mut before = first.count;
    for b in rest {
        if b.count == before {
            continue;
        }
        if nearly_equal(before, b.count) {
            b.count = before;
        } else if b.count < before {
            let this = Forced { min_bucket: b.upper, max_bucket: b.upper, max_diff: before - b.count };
            forced = Some(forced.map_or(this, |f| f.merge(this)));
            b.count = before;
        } else {
            before = b.count;
        }
    }
    forced
}

/// Whether two different values are closer than [`TOLERANCE`].
fn nearly_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() {
        return true;
    }
    let (sum, diff) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < TOLERANCE * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < TOLERANCE
}

/// The first index at which `found` is true, as a binary search finds it, or the length. (With counts of NaN
/// nothing is in order; then this decides, as it does for Prometheus.)
fn search(buckets: &[Bucket], found: impl Fn(&Bucket) -> bool) -> usize {
    let (mut lo, mut hi) = (0, buckets.len());
    while lo < hi {
        let mid = usize::midpoint(lo, hi);
        if found(&buckets[mid]) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    lo
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn buckets(of: &[(f64, f64)]) -> Vec<Bucket> {
        of.iter().map(|(upper, count)| Bucket { upper: *upper, count: *count }).collect()
    }

    #[track_caller]
    fn same(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-12 || got == want || got.is_nan() && want.is_nan(), "{got} is not {want}");
    }

    #[test]
    fn quantiles_lie_on_the_line_of_their_bucket() {
        #[track_caller]
        fn check(q: f64, of: &[(f64, f64)], want: f64) {
            let (got, forced) = quantile(q, &mut buckets(of));
            same(got, want);
            assert_eq!(forced, None);
        }
        let three = [(INF, 10.0), (1.0, 4.0), (3.0, 8.0)];
        check(0.5, &three, 1.5);
        check(0.2, &three, 0.5);
        check(0.9, &three, 3.0);
        check(0.0, &three, 0.0);
        check(1.0, &three, 3.0);
        check(-0.1, &three, -INF);
        check(1.1, &three, INF);
        check(f64::NAN, &three, f64::NAN);
        check(0.5, &[(1.0, 4.0), (3.0, 8.0)], f64::NAN);
        check(0.5, &[(INF, 8.0)], f64::NAN);
        check(0.5, &[(1.0, 0.0), (INF, 0.0)], f64::NAN);
        check(0.5, &[(-2.0, 8.0), (INF, 8.0)], -2.0);
        // Two series of one bound are one bucket.
        check(0.5, &[(1.0, 2.0), (1.0, 2.0), (3.0, 8.0), (INF, 10.0)], 1.5);
    }

    #[test]
    fn falling_counts_are_raised_and_reported() {
        let mut b = buckets(&[(1.0, 2.0), (2.0, 1.0), (4.0, 5.0), (8.0, 3.0), (INF, 5.0)]);
        let (got, forced) = quantile(0.8, &mut b);
        same(got, 2.0 + 2.0 * (2.0 / 3.0));
        assert_eq!(forced, Some(Forced { min_bucket: 2.0, max_bucket: 8.0, max_diff: 2.0 }));
        let (_, forced) = quantile(0.8, &mut buckets(&[(1.0, 2.0), (2.0, 2.0 - 1e-13), (INF, 2.0)]));
        assert_eq!(forced, None);
    }

    #[test]
    fn fractions_lie_on_the_same_lines() {
        #[track_caller]
        fn check(lower: f64, upper: f64, of: &[(f64, f64)], want: f64) {
            same(fraction(lower, upper, &mut buckets(of)), want);
        }
        let three = [(1.0, 4.0), (3.0, 8.0), (INF, 10.0)];
        check(0.0, 1.0, &three, 0.4);
        check(0.5, 2.0, &three, 0.4);
        check(-INF, INF, &three, 1.0);
        check(3.0, INF, &three, 0.2);
        check(5.0, 6.0, &three, 0.0);
        check(2.0, 1.0, &three, 0.0);
        check(f64::NAN, 1.0, &three, f64::NAN);
        check(0.0, 1.0, &[(INF, 0.0)], f64::NAN);
        check(-INF, -1.5, &[(-1.0, 3.0), (INF, 4.0)], 0.75);
    }

    #[test]
    fn bounds_are_numbers_as_go_reads_them() {
        #[track_caller]
        fn check(text: &str, want: Option<f64>) {
            assert_eq!(parse_le(text), want);
        }
        check("0.5", Some(0.5));
        check("+Inf", Some(INF));
        check("-inf", Some(-INF));
        check("1e3", Some(1_000.0));
        check("", None);
        check("1e999", None);
        check(" 1", None);
    }
}
