//! How each function is called: names, arguments, results. Facts of Prometheus' `promql/parser/functions.go`.
//!
//! One row per variant of [`Func`], in its order, which is the order of the names: a function's number is its
//! row, and a name is found by binary search.

use crate::promql::ast::Type;
use crate::promql::ast::Type::{Matrix, Scalar, String, Vector};
use crate::promql::func::{Func, Signature};

/// A function that is always there.
const fn stable(
    func: Func,
    name: &'static str,
    args: &'static [Type],
    variadic: i8,
    returns: Type,
    doc: &'static str,
) -> (Func, Signature) {
    (func, Signature { name, args, variadic, returns, experimental: false, doc })
}

/// A function that must be enabled.
const fn experimental(
    func: Func,
    name: &'static str,
    args: &'static [Type],
    variadic: i8,
    returns: Type,
    doc: &'static str,
) -> (Func, Signature) {
    (func, Signature { name, args, variadic, returns, experimental: true, doc })
}

static TABLE: [(Func, Signature); 89] = [
    stable(Func::Abs, "abs", &[Vector], 0, Vector, "Absolute value."),
    stable(Func::Absent, "absent", &[Vector], 0, Vector, "1 when the vector has no elements, otherwise nothing."),
    stable(
        Func::AbsentOverTime,
        "absent_over_time",
        &[Matrix],
        0,
        Vector,
        "1 when the range has no samples, otherwise nothing.",
    ),
    stable(Func::Acos, "acos", &[Vector], 0, Vector, "Arc cosine, in radians."),
    stable(Func::Acosh, "acosh", &[Vector], 0, Vector, "Inverse hyperbolic cosine."),
    stable(Func::Asin, "asin", &[Vector], 0, Vector, "Arc sine, in radians."),
    stable(Func::Asinh, "asinh", &[Vector], 0, Vector, "Inverse hyperbolic sine."),
    stable(Func::Atan, "atan", &[Vector], 0, Vector, "Arc tangent, in radians."),
    stable(Func::Atanh, "atanh", &[Vector], 0, Vector, "Inverse hyperbolic tangent."),
    stable(Func::AvgOverTime, "avg_over_time", &[Matrix], 0, Vector, "Mean of the samples in the range."),
    stable(Func::Ceil, "ceil", &[Vector], 0, Vector, "Rounds up to the next whole number."),
    stable(Func::Changes, "changes", &[Matrix], 0, Vector, "How often the value changed within the range."),
    stable(
        Func::Clamp,
        "clamp",
        &[Vector, Scalar, Scalar],
        0,
        Vector,
        "Limits values to between a minimum and a maximum.",
    ),
    stable(Func::ClampMax, "clamp_max", &[Vector, Scalar], 0, Vector, "Limits values to a maximum."),
    stable(Func::ClampMin, "clamp_min", &[Vector, Scalar], 0, Vector, "Limits values to a minimum."),
    stable(Func::Cos, "cos", &[Vector], 0, Vector, "Cosine of an angle in radians."),
    stable(Func::Cosh, "cosh", &[Vector], 0, Vector, "Hyperbolic cosine."),
    stable(Func::CountOverTime, "count_over_time", &[Matrix], 0, Vector, "Number of samples in the range."),
    stable(Func::DayOfMonth, "day_of_month", &[Vector], 1, Vector, "Day of the month in UTC, 1 to 31."),
    stable(Func::DayOfWeek, "day_of_week", &[Vector], 1, Vector, "Day of the week in UTC, 0 (Sunday) to 6."),
    stable(Func::DayOfYear, "day_of_year", &[Vector], 1, Vector, "Day of the year in UTC, 1 to 366."),
    stable(Func::DaysInMonth, "days_in_month", &[Vector], 1, Vector, "Number of days of the month in UTC, 28 to 31."),
    stable(Func::Deg, "deg", &[Vector], 0, Vector, "Radians to degrees."),
    stable(
        Func::Delta,
        "delta",
        &[Matrix],
        0,
        Vector,
        "Difference between last and first value of a gauge, extrapolated to the range.",
    ),
    stable(Func::Deriv, "deriv", &[Matrix], 0, Vector, "Per-second slope of a gauge by linear regression."),
    experimental(
        Func::DoubleExponentialSmoothing,
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
        0,
        Vector,
        "Smoothed value of a gauge, by smoothing factor and trend factor.",
    ),
    experimental(Func::End, "end", &[], 0, Scalar, "Last time of the query, in seconds."),
    stable(Func::Exp, "exp", &[Vector], 0, Vector, "e raised to the value."),
    experimental(Func::FirstOverTime, "first_over_time", &[Matrix], 0, Vector, "Oldest sample in the range."),
    stable(Func::Floor, "floor", &[Vector], 0, Vector, "Rounds down to the next whole number."),
    stable(Func::HistogramAvg, "histogram_avg", &[Vector], 0, Vector, "Mean of the observations in native histograms."),
    stable(
        Func::HistogramCount,
        "histogram_count",
        &[Vector],
        0,
        Vector,
        "Number of observations in native histograms.",
    ),
    stable(
        Func::HistogramFraction,
        "histogram_fraction",
        &[Scalar, Scalar, Vector],
        0,
        Vector,
        "Share of observations between two bounds.",
    ),
    stable(
        Func::HistogramQuantile,
        "histogram_quantile",
        &[Scalar, Vector],
        0,
        Vector,
        "Quantile estimated from the buckets of histograms.",
    ),
    experimental(
        Func::HistogramQuantiles,
        "histogram_quantiles",
        &[Vector, String, Scalar, Scalar],
        9,
        Vector,
        "Several quantiles of histograms at once, each under a label.",
    ),
    stable(
        Func::HistogramStddev,
        "histogram_stddev",
        &[Vector],
        0,
        Vector,
        "Estimated standard deviation of the observations in native histograms.",
    ),
    stable(
        Func::HistogramStdvar,
        "histogram_stdvar",
        &[Vector],
        0,
        Vector,
        "Estimated variance of the observations in native histograms.",
    ),
    stable(Func::HistogramSum, "histogram_sum", &[Vector], 0, Vector, "Sum of the observations in native histograms."),
    stable(Func::Hour, "hour", &[Vector], 1, Vector, "Hour of the day in UTC, 0 to 23."),
    stable(Func::Idelta, "idelta", &[Matrix], 0, Vector, "Difference between the last two samples of a gauge."),
    stable(Func::Increase, "increase", &[Matrix], 0, Vector, "Growth of a counter within the range, extrapolated."),
    experimental(Func::Info, "info", &[Vector, Vector], 1, Vector, "Adds the labels of matching info metrics."),
    stable(Func::Irate, "irate", &[Matrix], 0, Vector, "Per-second growth of a counter, from its last two samples."),
    stable(
        Func::LabelJoin,
        "label_join",
        &[Vector, String, String, String],
        -1,
        Vector,
        "Joins the values of labels into another label.",
    ),
    stable(
        Func::LabelReplace,
        "label_replace",
        &[Vector, String, String, String, String],
        0,
        Vector,
        "Sets a label from a regular expression over another.",
    ),
    stable(Func::LastOverTime, "last_over_time", &[Matrix], 0, Vector, "Newest sample in the range."),
    stable(Func::Ln, "ln", &[Vector], 0, Vector, "Natural logarithm."),
    stable(Func::Log10, "log10", &[Vector], 0, Vector, "Decimal logarithm."),
    stable(Func::Log2, "log2", &[Vector], 0, Vector, "Binary logarithm."),
    experimental(
        Func::MadOverTime,
        "mad_over_time",
        &[Matrix],
        0,
        Vector,
        "Median absolute deviation of the samples in the range.",
    ),
    experimental(Func::MaxOf, "max_of", &[Scalar, Scalar], 0, Scalar, "Larger of two numbers."),
    stable(Func::MaxOverTime, "max_over_time", &[Matrix], 0, Vector, "Largest sample in the range."),
    experimental(Func::MinOf, "min_of", &[Scalar, Scalar], 0, Scalar, "Smaller of two numbers."),
    stable(Func::MinOverTime, "min_over_time", &[Matrix], 0, Vector, "Smallest sample in the range."),
    stable(Func::Minute, "minute", &[Vector], 1, Vector, "Minute of the hour in UTC, 0 to 59."),
    stable(Func::Month, "month", &[Vector], 1, Vector, "Month in UTC, 1 to 12."),
    stable(Func::Pi, "pi", &[], 0, Scalar, "The number pi."),
    stable(
        Func::PredictLinear,
        "predict_linear",
        &[Matrix, Scalar],
        0,
        Vector,
        "Value of a gauge so many seconds ahead, by linear regression.",
    ),
    stable(
        Func::PresentOverTime,
        "present_over_time",
        &[Matrix],
        0,
        Vector,
        "1 for every series with samples in the range.",
    ),
    stable(
        Func::QuantileOverTime,
        "quantile_over_time",
        &[Scalar, Matrix],
        0,
        Vector,
        "Quantile of the samples in the range.",
    ),
    stable(Func::Rad, "rad", &[Vector], 0, Vector, "Degrees to radians."),
    experimental(Func::Range, "range", &[], 0, Scalar, "Length of the query's time range, in seconds."),
    stable(Func::Rate, "rate", &[Matrix], 0, Vector, "Per-second growth of a counter, averaged over the range."),
    stable(Func::Resets, "resets", &[Matrix], 0, Vector, "How often a counter was reset within the range."),
    stable(
        Func::Round,
        "round",
        &[Vector, Scalar],
        1,
        Vector,
        "Rounds to the nearest multiple of a number, by default 1.",
    ),
    stable(Func::Scalar, "scalar", &[Vector], 0, Scalar, "Value of the only element of a vector, otherwise NaN."),
    stable(Func::Sgn, "sgn", &[Vector], 0, Vector, "Sign: 1, 0 or -1."),
    stable(Func::Sin, "sin", &[Vector], 0, Vector, "Sine of an angle in radians."),
    stable(Func::Sinh, "sinh", &[Vector], 0, Vector, "Hyperbolic sine."),
    stable(Func::Sort, "sort", &[Vector], 0, Vector, "Orders by value, rising."),
    experimental(
        Func::SortByLabel,
        "sort_by_label",
        &[Vector, String],
        -1,
        Vector,
        "Orders by the values of labels, rising.",
    ),
    experimental(
        Func::SortByLabelDesc,
        "sort_by_label_desc",
        &[Vector, String],
        -1,
        Vector,
        "Orders by the values of labels, falling.",
    ),
    stable(Func::SortDesc, "sort_desc", &[Vector], 0, Vector, "Orders by value, falling."),
    stable(Func::Sqrt, "sqrt", &[Vector], 0, Vector, "Square root."),
    experimental(Func::Start, "start", &[], 0, Scalar, "First time of the query, in seconds."),
    stable(
        Func::StddevOverTime,
        "stddev_over_time",
        &[Matrix],
        0,
        Vector,
        "Population standard deviation of the samples in the range.",
    ),
    stable(
        Func::StdvarOverTime,
        "stdvar_over_time",
        &[Matrix],
        0,
        Vector,
        "Population variance of the samples in the range.",
    ),
    experimental(Func::Step, "step", &[], 0, Scalar, "Distance between the query's steps, in seconds."),
    stable(Func::SumOverTime, "sum_over_time", &[Matrix], 0, Vector, "Sum of the samples in the range."),
    stable(Func::Tan, "tan", &[Vector], 0, Vector, "Tangent of an angle in radians."),
    stable(Func::Tanh, "tanh", &[Vector], 0, Vector, "Hyperbolic tangent."),
    stable(Func::Time, "time", &[], 0, Scalar, "Time of the evaluation, in seconds since the Unix epoch."),
    stable(Func::Timestamp, "timestamp", &[Vector], 0, Vector, "Time of each sample, in seconds since the Unix epoch."),
    experimental(
        Func::TsOfFirstOverTime,
        "ts_of_first_over_time",
        &[Matrix],
        0,
        Vector,
        "Time of the oldest sample in the range, in seconds.",
    ),
    experimental(
        Func::TsOfLastOverTime,
        "ts_of_last_over_time",
        &[Matrix],
        0,
        Vector,
        "Time of the newest sample in the range, in seconds.",
    ),
    experimental(
        Func::TsOfMaxOverTime,
        "ts_of_max_over_time",
        &[Matrix],
        0,
        Vector,
        "Time of the last largest sample in the range, in seconds.",
    ),
    experimental(
        Func::TsOfMinOverTime,
        "ts_of_min_over_time",
        &[Matrix],
        0,
        Vector,
        "Time of the last smallest sample in the range, in seconds.",
    ),
    stable(Func::Vector, "vector", &[Scalar], 0, Vector, "A vector of one element without labels."),
    stable(Func::Year, "year", &[Vector], 1, Vector, "Year in UTC."),
];

impl Func {
    /// How it is called.
    pub fn signature(self) -> &'static Signature {
        &TABLE[self as usize].1
    }

    /// Its name in a query.
    pub fn name(self) -> &'static str {
        self.signature().name
    }

    /// The function of this name. Names are case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.binary_search_by(|(_, s)| s.name.cmp(name)).ok().map(|row| TABLE[row].0)
    }

    /// All functions, in the order of their names.
    pub fn all() -> impl ExactSizeIterator<Item = Self> + Clone {
        TABLE.iter().map(|(func, _)| *func)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_variants_and_names() {
        for (row, (func, signature)) in TABLE.iter().enumerate() {
            assert_eq!(*func as usize, row, "{}", signature.name);
            assert_eq!(Func::from_name(signature.name), Some(*func));
            assert!(!signature.doc.is_empty() && signature.doc.ends_with('.'));
        }
        assert!(TABLE.is_sorted_by(|a, b| a.1.name < b.1.name));
        assert_eq!(TABLE[TABLE.len() - 1].0, Func::Year, "the last variant has a row");
    }

    #[test]
    fn names_are_case_sensitive() {
        assert_eq!(Func::from_name("Rate"), None);
        assert_eq!(Func::from_name("rate"), Some(Func::Rate));
        assert_eq!(Func::from_name(""), None);
    }
}
