//! What a person probably meant: the hints beside Prometheus' messages.

use crate::base::nearest::nearest;
use crate::promql::func::Func;
use crate::promql::lexer::{AGGREGATES, Kind};

/// Something stands where an operand should.
pub(super) fn operand_hint(kind: Kind) -> Option<String> {
    let hint = match kind {
        Kind::End => "the query ends too early",
        Kind::Operator(_) => "an operand is missing before it",
        Kind::RightParen | Kind::Comma => "an expression is missing before it",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Something stands behind a whole expression.
pub(super) fn leftover_hint(kind: Kind) -> Option<String> {
    let hint = match kind {
        Kind::Equal => "values are compared with `==`, labels inside braces",
        Kind::Identifier | Kind::MetricIdentifier | Kind::Number | Kind::Duration | Kind::String | Kind::LeftBrace => {
            "an operator or a comma is missing before it"
        }
        Kind::Comma => "several expressions stand only in the parentheses of a function",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Names from elsewhere, and what they are called here.
const FOREIGN: [(&str, &str); 9] = [
    ("holt_winters", "double_exponential_smoothing"),
    ("mean", "avg"),
    ("average", "avg"),
    ("median", "quantile(0.5, …)"),
    ("percentile", "quantile"),
    ("histogram_percentile", "histogram_quantile"),
    ("log", "ln"),
    ("std", "stddev"),
    ("len", "count"),
];

/// A function is called that does not exist.
pub(super) fn unknown_function_hint(word: &str) -> Option<String> {
    let foreign = FOREIGN.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, here)| *here);
    let names = Func::all().map(Func::name).chain(AGGREGATES.iter().map(|(_, word)| *word));
    // Short words are near everything; the same first letter makes a slip likely.
    let first = |s: &str| s.bytes().next().map(|b| b.to_ascii_lowercase());
    let near = nearest(word, names).filter(|name| word.len() > 4 || first(name) == first(word));
    foreign.or(near).map(|name| format!("did you mean `{name}`?"))
}
