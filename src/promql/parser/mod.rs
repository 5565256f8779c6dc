//! Tokens → tree, with the mistakes found on the way.
//!
//! Broken text is a value: [`parse`] returns what could be understood and every problem, so that an editor can mark
//! them while a query is being typed. [`parse_query`] is for callers that want a query or one error, worded as
//! Prometheus words it. Recursion and the height of trees are bounded, so that no text exhausts the stack of whoever
//! walks a tree.

use std::fmt;
use std::ops::Range;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::promql::ast::Expr;
use crate::promql::check;

mod cursor;
mod duration;
mod expr;
mod hints;
mod literal;
mod postfix;
mod selector;

pub use literal::{duration_text, parse_duration};

/// Most levels of a tree, and of brackets in a text. Enough for queries that programs write; each level costs whoever
/// walks the tree a frame of the stack.
pub const MAX_DEPTH: u16 = 256;

/// More problems than these are not told apart: nobody reads them.
pub(in crate::promql) const MOST_PROBLEMS: usize = 64;

/// Parts of the language that Prometheus has behind flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Functions and aggregations marked experimental.
    pub experimental_functions: bool,
    /// Arithmetic in durations, `step()`, `range()`.
    pub duration_expressions: bool,
    /// `anchored` and `smoothed`.
    pub extended_ranges: bool,
    /// `fill`, `fill_left`, `fill_right`.
    pub fill: bool,
}

impl Features {
    /// Everything.
    pub const fn all() -> Self {
        Self { experimental_functions: true, duration_expressions: true, extended_ranges: true, fill: true }
    }

    /// What Prometheus has without flags.
    pub const fn stable() -> Self {
        Self { experimental_functions: false, duration_expressions: false, extended_ranges: false, fill: false }
    }
}

/// What was understood of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The tree; parts that were not understood stand in it as `NaN`. It is checked, and may be evaluated, if and only
    /// if there are no problems.
    pub expr: Option<Expr>,
    /// What is wrong, in the order found.
    pub problems: Vec<Problem>,
}

/// A mistake in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The part of the text that is wrong.
    pub span: Range<usize>,
    /// The byte whose line and column Prometheus names: nearly always the start of the span.
    pub at: usize,
    /// What is wrong, in Prometheus' words.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Reads a query and checks its types.
pub fn parse(text: &str, features: Features) -> Parsed {
    let (mut expr, mut problems) = cursor::run(text, features, expr::query);
    if problems.is_empty()
        && let Some(expr) = &mut expr
    {
        check::check(expr, &mut problems);
    }
    Parsed { expr, problems }
}

/// Reads a query that is expected to stand.
///
/// # Errors
/// It does not: all problems, of which the first is displayed.
pub fn parse_query(text: &str, features: Features) -> Result<Expr, QueryError> {
    let Parsed { expr, problems } = parse(text, features);
    match expr {
        Some(expr) if problems.is_empty() => Ok(expr),
        _ => Err(QueryError::new(text, problems)),
    }
}

/// Reads the name and labels of one series: `metric{a="b"}`.
///
/// # Errors
/// The text is not a series, or more than one.
pub fn parse_metric(text: &str) -> Result<Labels, QueryError> {
    let (labels, problems) = cursor::run(text, Features::stable(), selector::metric);
    if problems.is_empty() { Ok(labels) } else { Err(QueryError::new(text, problems)) }
}

/// Reads the series at the front of a line `metric{a="b"} values…`, and returns with it where the rest begins.
///
/// # Errors
/// The line does not begin with a series.
pub fn parse_series_prefix(text: &str) -> Result<(Labels, usize), QueryError> {
    let (series, problems) = cursor::run(text, Features::stable(), selector::series_prefix);
    if problems.is_empty() { Ok(series) } else { Err(QueryError::new(text, problems)) }
}

/// Reads a selector of series: `metric{a="b"}` without modifiers. It may accept every series.
///
/// # Errors
/// The text is not a selector.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, QueryError> {
    let (matchers, problems) = cursor::run(text, Features::stable(), selector::only_selector);
    if problems.is_empty() { Ok(matchers) } else { Err(QueryError::new(text, problems)) }
}

/// Reads the selectors of a request's `match[]`, each of which must refuse series without labels, so that nobody
/// selects everything by mistake.
///
/// # Errors
/// One of them is not a selector, or would accept everything.
pub fn parse_series_selectors<S: AsRef<str>>(texts: &[S]) -> Result<Vec<Vec<Matcher>>, QueryError> {
    let sets = texts.iter().map(|text| parse_selector(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
    if sets.iter().all(|set| set.iter().any(|m| !m.matches(""))) { Ok(sets) } else { Err(QueryError::EmptySelector) }
}

/// Why a text is no query. Displayed in Prometheus' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// The text is wrong.
    Text {
        /// Line and column of the first problem, both from one, columns in bytes; none in an empty text.
        place: Option<(usize, usize)>,
        /// What is wrong: at least one.
        problems: Vec<Problem>,
    },
    /// A selector of `match[]` accepts every series.
    EmptySelector,
}

impl QueryError {
    fn new(text: &str, problems: Vec<Problem>) -> Self {
        let place = problems.first().filter(|_| !text.is_empty()).map(|p| place(text, p.at));
        Self::Text { place, problems }
    }

    /// What is wrong with the text, the first of which is displayed.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Text { problems, .. } => problems,
            Self::EmptySelector => &[],
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { place, problems } => {
                match place {
                    Some((line, column)) => write!(f, "{line}:{column}")?,
                    None => f.write_str("unknown position")?,
                }
                write!(f, ": parse error: {}", problems.first().map_or("", |p| p.message.as_str()))
            }
            Self::EmptySelector => f.write_str("match[] must contain at least one non-empty matcher"),
        }
    }
}

impl std::error::Error for QueryError {}

/// Line and column of a byte, both from one; columns count bytes, as Prometheus' do.
pub fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = before.iter().rev().position(|b| *b == b'\n').unwrap_or(before.len()) + 1;
    (line, column)
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
