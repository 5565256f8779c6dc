//! What follows an operand: ranges, `offset`, `@`, `anchored`, `smoothed`.

use crate::promql::ast::{At, Duration, Expr, ExprKind, Extension, MatrixSelector, Number, Subquery, VectorSelector};
use crate::promql::lexer::{Keyword, Kind, Token};
use crate::promql::parser::cursor::{Node, Parser};

impl Parser<'_> {
    /// Ranges and modifiers behind an operand.
    pub(super) fn postfix(&mut self, mut node: Node) -> Node {
        loop {
            match self.kind() {
                Kind::LeftBracket => node = self.bracket(node),
                Kind::Keyword(Keyword::Offset) => {
                    self.next();
                    match self.offset_duration() {
                        Some(offset) => self.set_offset(&mut node.expr, offset),
                        None => self.unexpected("offset", ""),
                    }
                }
                Kind::At => {
                    self.next();
                    self.at(&mut node.expr);
                }
                Kind::Keyword(word @ (Keyword::Anchored | Keyword::Smoothed)) => {
                    let token = self.next();
                    let extension = if word == Keyword::Anchored { Extension::Anchored } else { Extension::Smoothed };
                    self.set_extension(&mut node.expr, extension, &token);
                }
                _ => return node,
            }
        }
    }

    fn bracket(&mut self, node: Node) -> Node {
        let open = self.next();
        let range = self.positive_duration();
        let colon = self.eat(Kind::Colon);
        let step = match self.kind() {
            Kind::RightBracket => None,
            Kind::Number | Kind::Duration | Kind::Keyword(_) | Kind::Operator(_) | Kind::LeftParen if colon => {
                Some(self.positive_duration())
            }
            _ => None,
        };
        if !self.eat(Kind::RightBracket) {
            match (colon, &step) {
                (false, _) => self.unexpected("subquery or range", "\":\" or \"]\""),
                (true, None) => {
                    self.unexpected("subquery selector", "number, duration, step(), range(), or \"]\"");
                }
                (true, Some(_)) => self.unexpected("subquery selector", "\"]\""),
            }
            self.skip_to(Kind::RightBracket);
            self.eat(Kind::RightBracket);
        }
        let span = node.expr.span.start..self.end();
        if colon {
            let Some(height) = self.over(&[node.height], open.span()) else { return node };
            let kind = ExprKind::Subquery(Subquery { expr: Box::new(node.expr), range, step, offset: None, at: None });
            return Node { expr: Expr { kind, span }, height };
        }
        let brackets = open.start..self.end();
        let ExprKind::Vector(selector) = node.expr.kind else {
            let range = &self.text[brackets.clone()];
            let hint = format!("a range over an expression is a subquery: `{}:]`", range.trim_end_matches(']'));
            self.problem(brackets, "ranges only allowed for vector selectors", Some(hint));
            return node;
        };
        if selector.offset.is_some() {
            let hint = Some("write the offset behind the range".to_owned());
            self.problem(brackets, "no offset modifiers allowed before range", hint);
        } else if selector.at.is_some() {
            self.problem(
                brackets,
                "no @ modifiers allowed before range",
                Some("write `@` behind the range".to_owned()),
            );
        }
        Node::leaf(ExprKind::Matrix(MatrixSelector { selector, range }), span)
    }

    fn set_offset(&mut self, expr: &mut Expr, offset: Duration) {
        let end = self.end();
        let (slot, span) = match &mut expr.kind {
            ExprKind::Vector(selector) | ExprKind::Matrix(MatrixSelector { selector, .. }) => {
                (&mut selector.offset, &mut expr.span)
            }
            ExprKind::Subquery(subquery) => (&mut subquery.offset, &mut expr.span),
            _ => {
                let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
                self.problem(expr.span.clone(), message, Some("write it behind the selector inside".to_owned()));
                return;
            }
        };
        if slot.is_some() {
            self.problem(expr.span.clone(), "offset may not be set multiple times", None);
            return;
        }
        // No offset is no offset, as in Prometheus.
        *slot = Some(offset).filter(|o| *o != Duration::Millis(0));
        span.end = end;
    }

    /// What follows `@`.
    fn at(&mut self, expr: &mut Expr) {
        let token = self.token();
        let time = match token.kind {
            Kind::Keyword(word @ (Keyword::Start | Keyword::End)) => {
                self.next();
                if !self.eat(Kind::LeftParen) || !self.eat(Kind::RightParen) {
                    self.unexpected("@", "timestamp");
                    return;
                }
                if word == Keyword::Start { At::Start } else { At::End }
            }
            _ => {
                let negative = self.sign_token();
                let number = self.token();
                if !matches!(number.kind, Kind::Number | Kind::Duration) {
                    self.unexpected("@", "timestamp");
                    return;
                }
                self.next();
                let Number { value, .. } = self.number(number);
                let seconds = if negative { -value } else { value };
                // 2^63 and beyond: also where milliseconds no longer fit, which Prometheus lets wrap around.
                if !seconds.is_finite() || (seconds * 1e3).abs() >= i64::MAX as f64 {
                    let message = format!("timestamp out of bounds for @ modifier: {}", fixed(seconds));
                    self.problem(expr.span.clone(), message, Some("write seconds since the Unix epoch".to_owned()));
                    return;
                }
                At::Time((seconds * 1e3).round() as i64)
            }
        };
        let end = self.end();
        let (slot, span) = match &mut expr.kind {
            ExprKind::Vector(selector) | ExprKind::Matrix(MatrixSelector { selector, .. }) => {
                (&mut selector.at, &mut expr.span)
            }
            ExprKind::Subquery(subquery) => (&mut subquery.at, &mut expr.span),
            _ => {
                let message =
                    "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
                self.problem(expr.span.clone(), message, Some("write it behind the selector inside".to_owned()));
                return;
            }
        };
        if slot.is_some() {
            self.problem(expr.span.clone(), "@ <timestamp> may not be set multiple times", None);
            return;
        }
        *slot = Some(time);
        span.end = end;
    }

    fn set_extension(&mut self, expr: &mut Expr, extension: Extension, token: &Token) {
        let word = if extension == Extension::Anchored { "anchored" } else { "smoothed" };
        if !self.features.extended_ranges {
            self.problem(expr.span.clone(), format!("{word} modifier is experimental and not enabled"), None);
            return;
        }
        let slot = match &mut expr.kind {
            ExprKind::Vector(VectorSelector { extension, .. }) => extension,
            ExprKind::Matrix(MatrixSelector { selector, .. }) => &mut selector.extension,
            ExprKind::Subquery(_) => {
                self.problem(expr.span.clone(), format!("{word} modifier is not supported for subqueries"), None);
                return;
            }
            _ => {
                self.problem(expr.span.clone(), format!("{word} modifier not implemented"), None);
                return;
            }
        };
        if slot.is_some_and(|set| set != extension) {
            let message = "anchored and smoothed modifiers cannot be used together";
            self.problem(expr.span.clone(), message, None);
            return;
        }
        *slot = Some(extension);
        expr.span.end = token.end;
    }
}

/// Go's `%f`.
fn fixed(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format!("{value:.6}")
    }
}
