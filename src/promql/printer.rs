//! Tree → text: as Prometheus prints expressions, on one line or split over several.
//!
//! What is printed is read back as the same tree, matchers apart, which are printed in order of their text.

use std::fmt::{self, Write};

use crate::base::labels::METRIC_NAME;
use crate::base::matcher::{MatchOp, Matcher};
use crate::promql::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Duration, DurationExpr, Expr, ExprKind, Extension, Matching,
    MatrixSelector, Number, Subquery, Unary, VectorSelector,
};
use crate::promql::lexer::{self, AGGREGATES};
use crate::promql::parser::duration_text;

/// A line longer than this is split by [`pretty`].
const LINE: usize = 100;

/// One level of indentation.
const INDENT: &str = "  ";

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => write!(f, "{number}"),
            ExprKind::String(text) => f.write_str(&lexer::quote(text)),
            ExprKind::Vector(selector) => write!(f, "{selector}"),
            ExprKind::Matrix(matrix) => write!(f, "{matrix}"),
            ExprKind::Subquery(subquery) => write!(f, "{}{}", subquery.expr, Suffix(subquery)),
            ExprKind::Call(Call { func, args, .. }) => {
                write!(f, "{}(", func.name())?;
                for (i, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            ExprKind::Aggregate(aggregate) => {
                write!(f, "{}(", Head(aggregate))?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            ExprKind::Binary(binary) => {
                match &binary.lhs.kind {
                    // A sign would take in the whole power.
                    ExprKind::Number(n) if n.value.is_infinite() && binary.op == BinaryOp::Pow => f.write_str("Inf"),
                    _ => write!(f, "{}", binary.lhs),
                }?;
                write!(f, " {} {}", Operator(binary), binary.rhs)
            }
            ExprKind::Unary(Unary { negative, expr }) => write!(f, "{}{expr}", sign(*negative)),
            ExprKind::Paren(expr) => write!(f, "({expr})"),
        }
    }
}

const fn sign(negative: bool) -> &'static str {
    if negative { "-" } else { "+" }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.duration {
            // Durations are written in whole milliseconds.
            return f.write_str(&duration_text((self.value * 1e3).round() as i64));
        }
        f.write_str(&decimal(self.value))
    }
}

/// A number without an exponent, as Go's `strconv.FormatFloat(v, 'f', -1, 64)`.
pub fn decimal(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

/// A number as Go's `%v` prints it: with an exponent when it is large or very small.
fn general(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return decimal(value) };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => decimal(value),
    }
}

impl fmt::Display for AggregateOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = AGGREGATES.iter().find(|(op, _)| op == self).map_or("", |(_, word)| *word);
        f.write_str(word)
    }
}

/// The operator of an aggregation and its grouping: `sum by (job) `.
struct Head<'a>(&'a Aggregate);

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.op)?;
        match &self.0.grouping {
            Some(grouping) if grouping.without => write!(f, " without ({}) ", Names(&grouping.labels)),
            Some(grouping) if !grouping.labels.is_empty() => write!(f, " by ({}) ", Names(&grouping.labels)),
            _ => Ok(()),
        }
    }
}

/// Names of labels, those in quotes that need them.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            // Prometheus prints these few as they are, and cannot read them back.
            let taken = ["without", "inf", "nan"].iter().any(|word| name.eq_ignore_ascii_case(word));
            if is_plain_name(name) && !taken {
                f.write_str(name)?;
            } else {
                f.write_str(&lexer::quote(name))?;
            }
        }
        Ok(())
    }
}

/// Whether the name of a label needs no quotes.
fn is_plain_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|b| lexer::is_alpha(*b)) && bytes.iter().all(|b| lexer::is_alphanumeric(*b))
}

/// An operator and its modifiers: `+ on (job) group_left ()`.
struct Operator<'a>(&'a Binary);

impl fmt::Display for Operator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.text())?;
        if self.0.bool_modifier {
            f.write_str(" bool")?;
        }
        let Some(Matching { on, labels, group, fill_left, fill_right }) = &self.0.matching else { return Ok(()) };
        if *on || !labels.is_empty() || group.is_some() {
            write!(f, " {} ({})", if *on { "on" } else { "ignoring" }, Names(labels))?;
        }
        if let Some(group) = group {
            write!(f, " group_{} ({})", if group.left { "left" } else { "right" }, Names(&group.include))?;
        }
        match (fill_left, fill_right) {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => write!(f, " fill ({})", general(*left)),
            _ => {
                if let Some(left) = fill_left {
                    write!(f, " fill_left ({})", general(*left))?;
                }
                if let Some(right) = fill_right {
                    write!(f, " fill_right ({})", general(*right))?;
                }
                Ok(())
            }
        }
    }
}

/// A matcher as Prometheus prints it: the name in quotes where it needs them.
fn matcher_text(matcher: &Matcher) -> String {
    let mut text = String::new();
    if is_plain_name(matcher.name()) {
        text.push_str(matcher.name());
    } else {
        lexer::push_quoted(&mut text, matcher.name());
    }
    text.push_str(matcher.op().text());
    lexer::push_quoted(&mut text, matcher.value());
    text
}

/// The part of a selector that says which series.
struct Series<'a>(&'a VectorSelector);

impl fmt::Display for Series<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VectorSelector { name, matchers, .. } = self.0;
        let is_name = |m: &Matcher| {
            m.name() == METRIC_NAME && m.op() == MatchOp::Equal && name.as_deref().is_some_and(|n| n == m.value())
        };
        let mut texts: Vec<String> = matchers.iter().filter(|m| !is_name(m)).map(matcher_text).collect();
        texts.sort_unstable();
        f.write_str(name.as_deref().unwrap_or_default())?;
        // Prometheus prints nothing at all for `{}`, and cannot read that back.
        if texts.is_empty() && name.is_some() { Ok(()) } else { write!(f, "{{{}}}", texts.join(",")) }
    }
}

impl fmt::Display for VectorSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Series(self), Moment(self.at))?;
        write_extension(f, self.extension)?;
        write!(f, "{}", Offset(self.offset.as_ref()))
    }
}

impl fmt::Display for MatrixSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selector = &self.selector;
        write!(f, "{}[{}]", Series(selector), self.range)?;
        write_extension(f, selector.extension)?;
        write!(f, "{}{}", Moment(selector.at), Offset(selector.offset.as_ref()))
    }
}

fn write_extension(f: &mut fmt::Formatter<'_>, extension: Option<Extension>) -> fmt::Result {
    f.write_str(match extension {
        Some(Extension::Anchored) => " anchored",
        Some(Extension::Smoothed) => " smoothed",
        None => "",
    })
}

/// `[5m:1m] @ 1.000 offset 5m`
struct Suffix<'a>(&'a Subquery);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subquery { range, step, offset, at, .. } = self.0;
        write!(f, "[{range}:")?;
        if let Some(step) = step {
            write!(f, "{step}")?;
        }
        write!(f, "]{}{}", Moment(*at), Offset(offset.as_ref()))
    }
}

/// ` @ 1.000`
struct Moment(Option<At>);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(At::Start) => f.write_str(" @ start()"),
            Some(At::End) => f.write_str(" @ end()"),
            Some(At::Time(millis)) => write!(f, " @ {:.3}", millis as f64 / 1e3),
        }
    }
}

/// ` offset 5m`
struct Offset<'a>(Option<&'a Duration>);

impl fmt::Display for Offset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None | Some(Duration::Millis(0)) => Ok(()),
            Some(duration) => write!(f, " offset {duration}"),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Millis(millis) => f.write_str(&duration_text(*millis)),
            Self::Computed(expr) => write!(f, "{expr}"),
        }
    }
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Step => f.write_str("step()"),
            Self::Range => f.write_str("range()"),
            Self::Min(a, b) => write!(f, "min_of({a}, {b})"),
            Self::Max(a, b) => write!(f, "max_of({a}, {b})"),
            Self::Negative(a) => write!(f, "-{a}"),
            Self::Positive(a) => write!(f, "{a}"),
            Self::Binary(op, a, b) => write!(f, "{a} {} {b}", op.text()),
            Self::Paren(a) => write!(f, "({a})"),
        }
    }
}

/// Prints an expression over several lines where it is long: what `/api/v1/format_query` answers.
pub fn pretty(expr: &Expr) -> String {
    let mut out = String::new();
    let done = write_pretty(&mut out, expr, 0);
    debug_assert!(done.is_ok(), "writing to a String cannot fail");
    out
}

/// Counts what is printed, and gives up behind a line's length.
struct Room(usize);

impl Write for Room {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(s.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

fn fits(expr: &Expr) -> bool {
    write!(Room(LINE), "{expr}").is_ok()
}

fn indent(out: &mut String, level: usize) {
    (0..level).for_each(|_| out.push_str(INDENT));
}

fn write_pretty(out: &mut String, expr: &Expr, level: usize) -> fmt::Result {
    if let ExprKind::Subquery(subquery) = &expr.kind {
        // One that fits is not indented: so does Prometheus.
        return if fits(expr) {
            write!(out, "{expr}")
        } else {
            write_pretty(out, &subquery.expr, level)?;
            write!(out, "{}", Suffix(subquery))
        };
    }
    if let ExprKind::Unary(Unary { negative, expr: inner }) = &expr.kind {
        let mut text = String::new();
        write_pretty(&mut text, inner, level)?;
        indent(out, level);
        return write!(out, "{}{}", sign(*negative), text.trim());
    }
    if fits(expr) {
        indent(out, level);
        return write!(out, "{expr}");
    }
    match &expr.kind {
        ExprKind::Aggregate(aggregate) => {
            indent(out, level);
            writeln!(out, "{}(", Head(aggregate))?;
            if let Some(param) = &aggregate.param {
                write_pretty(out, param, level + 1)?;
                out.push_str(",\n");
            }
            write_pretty(out, &aggregate.expr, level + 1)?;
        }
        ExprKind::Call(Call { func, args, .. }) => {
            indent(out, level);
            writeln!(out, "{}(", func.name())?;
            for (i, arg) in args.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ",\n" });
                write_pretty(out, arg, level + 1)?;
            }
        }
        ExprKind::Paren(inner) => {
            indent(out, level);
            out.push_str("(\n");
            write_pretty(out, inner, level + 1)?;
        }
        ExprKind::Binary(binary) => {
            write_pretty(out, &binary.lhs, level + 1)?;
            out.push('\n');
            indent(out, level);
            writeln!(out, "{}", Operator(binary))?;
            return write_pretty(out, &binary.rhs, level + 1);
        }
        ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::Vector(_)
        | ExprKind::Matrix(_)
        | ExprKind::Subquery(_)
        | ExprKind::Unary(_) => {
            indent(out, level);
            return write!(out, "{expr}");
        }
    }
    out.push('\n');
    indent(out, level);
    out.push(')');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parser::{Features, parse_query};

    #[track_caller]
    fn check(text: &str, lines: &[&str]) {
        let expr = parse_query(text, Features::all()).unwrap();
        assert_eq!(pretty(&expr), lines.join("\n"));
    }

    #[test]
    fn short_expressions_stay_on_their_line() {
        check("sum(rate(x[5m])) by(a) >bool 1", &["sum by (a) (rate(x[5m])) > bool 1"]);
        check("-( a+b )", &["-(a + b)"]);
    }

    #[test]
    fn long_expressions_are_split_at_operators_and_parentheses() {
        let long = "a_metric_with_quite_a_long_name{with=\"labels\"}";
        check(
            &format!("topk(3, rate({long}[5m])) by (job) / on (job) group_left (x) ({long} + {long} offset 5m)"),
            &[
                "  topk by (job) (3, rate(a_metric_with_quite_a_long_name{with=\"labels\"}[5m]))",
                "/ on (job) group_left (x)",
                "  (",
                "      a_metric_with_quite_a_long_name{with=\"labels\"}",
                "    +",
                "      a_metric_with_quite_a_long_name{with=\"labels\"} offset 5m",
                "  )",
            ],
        );
        check(
            &format!("histogram_quantile(0.99, sum by (le) (rate({long}[5m]) + rate({long}[5m])))"),
            &[
                "histogram_quantile(",
                "  0.99,",
                "  sum by (le) (",
                "      rate(a_metric_with_quite_a_long_name{with=\"labels\"}[5m])",
                "    +",
                "      rate(a_metric_with_quite_a_long_name{with=\"labels\"}[5m])",
                "  )",
                ")",
            ],
        );
    }

    #[test]
    fn long_subqueries_keep_their_range_behind_the_last_line() {
        let long = "a_metric_with_quite_a_long_name{with=\"labels\"}";
        check(
            &format!("max_over_time((rate({long}[5m]) - rate({long}[1h]))[1d:5m] offset 1h)"),
            &[
                "max_over_time(",
                "  (",
                "      rate(a_metric_with_quite_a_long_name{with=\"labels\"}[5m])",
                "    -",
                "      rate(a_metric_with_quite_a_long_name{with=\"labels\"}[1h])",
                "  )[1d:5m] offset 1h",
                ")",
            ],
        );
    }

    #[test]
    fn numbers_look_as_go_prints_them() {
        for (value, text) in
            [(1e6, "1e+06"), (123_456.0, "123456"), (1e-5, "1e-05"), (0.000_1, "0.0001"), (-2.5, "-2.5")]
        {
            assert_eq!(general(value), text);
        }
        assert_eq!(decimal(1e21), "1000000000000000000000");
        assert_eq!((general(f64::INFINITY), general(0.0)), ("+Inf".to_owned(), "0".to_owned()));
    }
}
