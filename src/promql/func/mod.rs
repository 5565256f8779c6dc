//! The functions of PromQL: their signatures and, one file per family, what they compute.

pub mod histogram;
pub mod kahan;
pub mod label;
pub mod math;
pub mod notes;
pub mod over_time;
pub mod quantile;
pub mod range;
pub mod rate;
mod table;
pub mod time;
pub mod trend;
pub mod window;

use crate::promql::ast::Type;

/// Every function that Prometheus documents, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is PromQL's own function")]
pub enum Func {
    Abs,
    Absent,
    AbsentOverTime,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    AvgOverTime,
    Ceil,
    Changes,
    Clamp,
    ClampMax,
    ClampMin,
    Cos,
    Cosh,
    CountOverTime,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Deg,
    Delta,
    Deriv,
    DoubleExponentialSmoothing,
    End,
    Exp,
    FirstOverTime,
    Floor,
    HistogramAvg,
    HistogramCount,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    HistogramStddev,
    HistogramStdvar,
    HistogramSum,
    Hour,
    Idelta,
    Increase,
    Info,
    Irate,
    LabelJoin,
    LabelReplace,
    LastOverTime,
    Ln,
    Log10,
    Log2,
    MadOverTime,
    MaxOf,
    MaxOverTime,
    MinOf,
    MinOverTime,
    Minute,
    Month,
    Pi,
    PredictLinear,
    PresentOverTime,
    QuantileOverTime,
    Rad,
    Range,
    Rate,
    Resets,
    Round,
    Scalar,
    Sgn,
    Sin,
    Sinh,
    Sort,
    SortByLabel,
    SortByLabelDesc,
    SortDesc,
    Sqrt,
    Start,
    StddevOverTime,
    StdvarOverTime,
    Step,
    SumOverTime,
    Tan,
    Tanh,
    Time,
    Timestamp,
    TsOfFirstOverTime,
    TsOfLastOverTime,
    TsOfMaxOverTime,
    TsOfMinOverTime,
    Vector,
    Year,
}

/// How a function is called.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Its name in a query.
    pub name: &'static str,
    /// Types of the arguments; a variadic function repeats or omits the last one.
    pub args: &'static [Type],
    /// How many of the last argument may be left out or added, Prometheus' `Variadic`: zero for exactly
    /// `args`, `n` for up to `n` more than `args.len() - 1`, negative for any number.
    pub variadic: i8,
    /// Type of the result.
    pub returns: Type,
    /// Whether it must be enabled.
    pub experimental: bool,
    /// One line for completion and help.
    pub doc: &'static str,
}
