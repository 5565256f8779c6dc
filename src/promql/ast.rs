//! The tree of a query. Every node knows its place in the text.

use std::ops::Range;

use crate::base::matcher::Matcher;

/// Bytes of the query's text that a node covers.
pub type Span = Range<usize>;

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A number.
    Scalar,
    /// A text.
    String,
    /// One value per series.
    Vector,
    /// A range of samples per series.
    Matrix,
}

impl Type {
    /// Prometheus' word in error messages and answers.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `1.5`, `0x1f`, `Inf`, `5m` (a duration is a number of seconds).
    Number(Number),
    /// `"text"`
    String(String),
    /// `up{job="x"} offset 5m`
    Vector(VectorSelector),
    /// `up{job="x"}[5m] offset 5m`: the modifiers are those of the inner selector.
    Matrix(MatrixSelector),
    /// `expr[5m:1m] offset 5m`
    Subquery(Subquery),
    /// `rate(x[5m])`
    Call(Call),
    /// `sum by (job) (x)`
    Aggregate(Aggregate),
    /// `a + on (job) b`
    Binary(Box<Binary>),
    /// `-a`, `+a`
    Unary(Unary),
    /// `(a)`
    Paren(Box<Expr>),
}

/// A number as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Its value.
    pub value: f64,
    /// Whether it was written as a duration, in which case it is printed as one.
    pub duration: bool,
}

/// Selects series and, at each step, the newest sample within the look-back.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The name written before the braces.
    pub name: Option<String>,
    /// All conditions, that on `__name__` from [`name`](Self::name) included (last).
    pub matchers: Vec<Matcher>,
    /// `offset`; positive looks back.
    pub offset: Option<Duration>,
    /// `@`
    pub at: Option<At>,
    /// `anchored` or `smoothed` (experimental).
    pub extension: Option<Extension>,
}

/// Experimental ways to treat the edges of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extension {
    /// Takes the last sample before the range as its first value.
    Anchored,
    /// Interpolates at both ends.
    Smoothed,
}

/// Selects series and, at each step, the samples of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// Which series. Its `offset`, `at` and `extension` apply to the range.
    pub selector: VectorSelector,
    /// How far it reaches back.
    pub range: Duration,
}

/// Evaluates an expression at the steps of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Box<Expr>,
    /// How far it reaches back.
    pub range: Duration,
    /// Distance of its steps; without one, the default evaluation interval.
    pub step: Option<Duration>,
    /// `offset`
    pub offset: Option<Duration>,
    /// `@`
    pub at: Option<At>,
}

/// `@ time`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Milliseconds since the Unix epoch.
    Time(i64),
    /// `start()` of the query.
    Start,
    /// `end()` of the query.
    End,
}

/// A length of time in a selector or modifier.
#[derive(Clone, Debug, PartialEq)]
pub enum Duration {
    /// Milliseconds; negative only for `offset`.
    Millis(i64),
    /// An arithmetic expression (experimental), resolved to milliseconds once the query's step is known.
    Computed(Box<DurationExpr>),
}

/// Arithmetic of durations (experimental), in seconds.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationExpr {
    /// A literal, in seconds.
    Number(Number),
    /// `step()`: the step of the query, zero for instant queries.
    Step,
    /// `range()`: the range of the query, zero for instant queries.
    Range,
    /// `min_of(a, b)`
    Min(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`
    Max(Box<DurationExpr>, Box<DurationExpr>),
    /// `-a`
    Negative(Box<DurationExpr>),
    /// `+a`
    Positive(Box<DurationExpr>),
    /// `a + b` and the other arithmetic operators.
    Binary(BinaryOp, Box<DurationExpr>, Box<DurationExpr>),
    /// `(a)`
    Paren(Box<DurationExpr>),
}

/// A function call whose arguments were checked against the function's signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which function.
    pub func: crate::promql::func::Func,
    /// Where its name stands.
    pub name_span: Span,
    /// The arguments.
    pub args: Vec<Expr>,
}

/// An aggregation over the series of a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which.
    pub op: AggregateOp,
    /// Where its name stands.
    pub op_span: Span,
    /// `by` or `without`; none is `by ()`.
    pub grouping: Option<Grouping>,
    /// The first argument of `topk`, `quantile`, `count_values` ….
    pub param: Option<Box<Expr>>,
    /// What is aggregated.
    pub expr: Box<Expr>,
}

/// Which labels make a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// `without` instead of `by`.
    pub without: bool,
    /// The labels, in the order written.
    pub labels: Vec<String>,
}

/// Aggregation operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is PromQL's own word")]
pub enum AggregateOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    /// Experimental.
    Limitk,
    /// Experimental.
    LimitRatio,
}

/// Two operands and what joins them.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// Which.
    pub op: BinaryOp,
    /// Where the operator stands.
    pub op_span: Span,
    /// `bool`: comparisons answer 0 or 1.
    pub bool_modifier: bool,
    /// How series are paired; only between vectors, and always there.
    pub matching: Option<Matching>,
    /// Left operand.
    pub lhs: Expr,
    /// Right operand.
    pub rhs: Expr,
}

/// How the series of two vectors are paired.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Matching {
    /// `on` instead of `ignoring`.
    pub on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// `group_left`, `group_right`, or neither.
    pub group: Option<Group>,
    /// `fill_left` or `fill`: what a missing sample of the left side counts as.
    pub fill_left: Option<f64>,
    /// `fill_right` or `fill`: what a missing sample of the right side counts as.
    pub fill_right: Option<f64>,
}

/// Many-to-one matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `group_left`: the left side has the many.
    pub left: bool,
    /// Labels taken over from the "one" side.
    pub include: Vec<String>,
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is PromQL's own operator")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    And,
    Or,
    Unless,
    /// Drops the observations of native histograms above a bound. Means nothing between floats.
    TrimUpper,
    /// Drops the observations of native histograms below a bound. Means nothing between floats.
    TrimLower,
}

impl BinaryOp {
    /// As written in a query.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterEqual => ">=",
            Self::LessEqual => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }

    /// `==`, `!=`, `<` …
    pub const fn is_comparison(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual | Self::Greater | Self::Less | Self::GreaterEqual | Self::LessEqual)
    }

    /// `and`, `or`, `unless`
    pub const fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// A sign before an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// `-`, otherwise `+`.
    pub negative: bool,
    /// The operand.
    pub expr: Box<Expr>,
}
