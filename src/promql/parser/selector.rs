//! Selectors and series: a name, and conditions or labels in braces.

use std::error::Error as _;

use crate::base::labels::{Labels, METRIC_NAME};
use crate::base::matcher::{MatchOp, Matcher};
use crate::promql::ast::{BinaryOp, ExprKind, VectorSelector};
use crate::promql::lexer::{Kind, Token};
use crate::promql::parser::cursor::{Node, Parser};
use crate::promql::parser::expr::may_name_metric;
use crate::promql::parser::literal;

/// Most regular expressions of a text that must be compiled. Each takes time and memory before anything is evaluated.
const MAX_PATTERNS: usize = 100;

/// `metric{a="b"}` and nothing else, as labels.
pub(super) fn metric(p: &mut Parser<'_>) -> Labels {
    let labels = p.series(|_, _| true);
    if p.kind() != Kind::End {
        p.unexpected("", "");
    }
    labels
}

/// `metric{a="b"}` at the front of a line, as labels, and where it ends.
pub(super) fn series_prefix(p: &mut Parser<'_>) -> (Labels, usize) {
    // Behind white space, a brace belongs to what follows the series.
    let labels = p.series(|name, brace| name.end == brace.start);
    (labels, p.end())
}

/// A selector and nothing else, as matchers.
pub(super) fn only_selector(p: &mut Parser<'_>) -> Vec<Matcher> {
    let token = p.token();
    let name = may_name_metric(token.kind).then(|| p.next());
    if name.is_none() && token.kind != Kind::LeftBrace {
        p.unexpected("", "");
        return Vec::new();
    }
    let node = p.selector(name);
    if p.kind() != Kind::End {
        p.unexpected("", "");
    }
    match node.expr.kind {
        ExprKind::Vector(selector) => selector.matchers,
        _ => Vec::new(),
    }
}

impl Parser<'_> {
    /// A selector whose name, if it has one, was taken.
    pub(super) fn selector(&mut self, name: Option<Token>) -> Node {
        let start = name.map_or(self.token().start, |n| n.start);
        let mut matchers = Vec::new();
        if self.kind() == Kind::LeftBrace {
            self.matchers(&mut matchers);
        }
        let name = name.map(|n| self.word(n).to_owned());
        if let Some(name) = &name {
            matchers.push(Matcher::equal(METRIC_NAME, name.as_str()));
        }
        let selector = VectorSelector { name, matchers, offset: None, at: None, extension: None };
        Node::leaf(ExprKind::Vector(selector), start..self.end())
    }

    /// `{a="b", "name"}`
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) {
        self.in_braces("label matching", |p| p.matcher().map(|m| matchers.push(m)).is_some());
    }

    /// `{…}`: what `part` reads, between commas; it says whether it could. `context` is where a problem is told to be.
    fn in_braces(&mut self, context: &str, mut part: impl FnMut(&mut Self) -> bool) {
        self.next();
        while !self.eat(Kind::RightBrace) {
            if !part(self) {
                self.skip_to(Kind::RightBrace);
            }
            if !self.eat(Kind::Comma) && self.kind() != Kind::RightBrace {
                self.unexpected(context, "\",\" or \"}\"");
                self.skip_to(Kind::RightBrace);
                if !self.eat(Kind::Comma) {
                    self.eat(Kind::RightBrace);
                    return;
                }
            }
        }
    }

    fn matcher(&mut self) -> Option<Matcher> {
        const CONTEXT: &str = "label matching";
        let label = self.token();
        let name = match label.kind {
            Kind::Identifier => self.word(label).to_owned(),
            Kind::String => literal::unquote(self.word(label)),
            _ => {
                self.unexpected(CONTEXT, "identifier or \"}\"");
                return None;
            }
        };
        self.next();
        let op = match self.kind() {
            Kind::Equal => MatchOp::Equal,
            Kind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Kind::EqualRegex => MatchOp::Regex,
            Kind::NotRegex => MatchOp::NotRegex,
            // A text alone is the name of the metric.
            _ if label.kind == Kind::String => return Some(Matcher::equal(METRIC_NAME, name)),
            _ => {
                self.unexpected(CONTEXT, "label matching operator");
                return None;
            }
        };
        self.next();
        let value = self.token();
        if value.kind != Kind::String {
            let hint = matches!(value.kind, Kind::Identifier | Kind::Number).then(|| "quote the value".to_owned());
            self.unexpected_with(CONTEXT, "string", hint);
            return None;
        }
        self.next();
        match Matcher::new(name, op, literal::unquote(self.word(value))) {
            Ok(matcher) => {
                self.patterns += usize::from(matcher.is_compiled());
                if self.patterns > MAX_PATTERNS {
                    let hint = format!("use at most {MAX_PATTERNS}; lists like `a|b` and ends like `a.*` do not count");
                    self.give_up(label.start..value.end, "too many regular expressions", hint);
                }
                Some(matcher)
            }
            Err(e) => {
                let why = e.source().map_or_else(|| e.to_string(), ToString::to_string);
                let message = format!(
                    "error parsing regexp: {}",
                    regex_problem(&why, literal::unquote(self.word(value)).as_str())
                );
                self.problem(label.start..value.end, message, None);
                // Something that cannot be mistaken for a condition that holds.
                Some(Matcher::equal(self.word(label), self.word(value)))
            }
        }
    }

    /// A name and labels. `joined` says whether a brace belongs to the name before it.
    fn series(&mut self, joined: impl Fn(Token, Token) -> bool) -> Labels {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let first = self.token();
        let mut braces = first.kind == Kind::LeftBrace;
        let mut name = None;
        if may_name_metric(first.kind) {
            self.next();
            name = Some(self.word(first).to_owned());
            braces = self.kind() == Kind::LeftBrace && joined(first, self.token());
        } else if !braces {
            self.unexpected("", "");
            return Labels::default();
        }
        if braces {
            self.in_braces("label set", |p| p.label().map(|pair| pairs.push(pair)).is_some());
        }
        // The name before the braces replaces one inside.
        pairs.extend(name.map(|n| (METRIC_NAME.to_owned(), n)));
        Labels::new(pairs)
    }

    fn label(&mut self) -> Option<(String, String)> {
        const CONTEXT: &str = "label set";
        let label = self.token();
        let name = match label.kind {
            Kind::Identifier => self.word(label).to_owned(),
            Kind::String => literal::unquote(self.word(label)),
            _ => {
                self.unexpected(CONTEXT, "identifier or \"}\"");
                return None;
            }
        };
        self.next();
        if !self.eat(Kind::Equal) {
            if label.kind == Kind::String {
                return Some((METRIC_NAME.to_owned(), name));
            }
            self.unexpected(CONTEXT, "\"=\"");
            return None;
        }
        let value = self.token();
        if value.kind != Kind::String {
            self.unexpected(CONTEXT, "string");
            return None;
        }
        self.next();
        Some((name, literal::unquote(self.word(value))))
    }
}

/// What is wrong with a regular expression: in Go's words where they are known.
fn regex_problem(report: &str, pattern: &str) -> String {
    // The engine's report draws carets over several lines; the last says what is wrong.
    match report.lines().last().unwrap_or_default().trim_start_matches("error: ") {
        "unclosed group" => format!("missing closing ): `^(?s:{pattern})$`"),
        "unopened group" => format!("unexpected ): `^(?s:{pattern})$`"),
        "unclosed character class" => match pattern.rfind('[') {
            Some(at) => format!("missing closing ]: `{})$`", &pattern[at..]),
            None => "missing closing ]".to_owned(),
        },
        other => other.to_owned(),
    }
}
