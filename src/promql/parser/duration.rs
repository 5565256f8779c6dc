//! Durations in brackets and behind `offset`, with their experimental arithmetic.
//!
//! Behind `offset`, arithmetic needs parentheses: `x offset 5m * 2` is `(x offset 5m) * 2`.

use std::ops::Range;

use crate::promql::ast::{BinaryOp, Duration, DurationExpr, Number};
use crate::promql::lexer::{Keyword, Kind, Token};
use crate::promql::parser::cursor::Parser;
use crate::promql::parser::expr::precedence;
use crate::promql::parser::{MAX_DEPTH, literal};

/// Prometheus keeps durations in nanoseconds, in 63 bits: so many seconds at most.
const MOST_SECONDS: f64 = (1_u64 << 63) as f64 / 1e9;

const EXPECTED: &str = "number, duration, step(), or range()";

/// Precedence of `^`.
const POWER: u8 = 6;

/// A duration as read, and its place.
struct Read {
    expr: DurationExpr,
    span: Range<usize>,
}

impl Parser<'_> {
    /// The length of a range or step: more than nothing. Behind a mistake it is one second.
    pub(super) fn positive_duration(&mut self) -> Duration {
        const CONTEXT: &str = "subquery or range selector";
        self.durations = 0;
        let Some(read) = self.duration_binary(CONTEXT, 0) else { return Duration::Millis(1_000) };
        if let DurationExpr::Number(number) = read.expr
            && number.value <= 0.0
        {
            self.problem(read.span, "duration must be greater than 0", None);
            return Duration::Millis(1_000);
        }
        resolve(read.expr)
    }

    /// What follows `offset`.
    pub(super) fn offset_duration(&mut self) -> Option<Duration> {
        const CONTEXT: &str = "offset";
        self.durations = 0;
        let token = self.token();
        let signed = matches!(token.kind, Kind::Operator(BinaryOp::Add | BinaryOp::Sub));
        let operand = if signed { self.ahead(1) } else { token };
        let read = match operand.kind {
            Kind::Number
            | Kind::Duration
            | Kind::Keyword(Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf) => {
                self.signed_atom(CONTEXT, signed)
            }
            Kind::LeftParen if signed => self.signed_atom(CONTEXT, signed),
            _ => self.duration_binary(CONTEXT, 0),
        };
        read.map(|r| resolve(r.expr))
    }

    /// An operand with or without a sign, and nothing behind it.
    fn signed_atom(&mut self, context: &str, signed: bool) -> Option<Read> {
        let signed = signed.then(|| self.next());
        let read = self.duration_atom(context)?;
        Some(match signed {
            Some(token) => sign(token, read),
            None => read,
        })
    }

    fn duration_binary(&mut self, context: &str, min: u8) -> Option<Read> {
        let first = self.token();
        let mut lhs = match first.kind {
            Kind::Operator(BinaryOp::Add | BinaryOp::Sub) => {
                self.next();
                let operand = self.deeper(|p| p.duration_binary(context, POWER), |_| None)?;
                sign(first, operand)
            }
            _ => self.duration_atom(context)?,
        };
        while let Kind::Operator(op) = self.kind() {
            let level = precedence(op);
            if level < min || !is_arithmetic(op) {
                break;
            }
            let token = self.next();
            self.experimental(&lhs.span);
            let tighter = if op == BinaryOp::Pow { level } else { level + 1 };
            let rhs = self.deeper(|p| p.duration_binary(context, tighter), |_| None)?;
            if let DurationExpr::Number(Number { value: 0.0, .. }) = rhs.expr {
                match op {
                    BinaryOp::Div => self.problem(token.span(), "division by zero", None),
                    BinaryOp::Mod => self.problem(token.span(), "modulo by zero", None),
                    _ => {}
                }
            }
            let span = lhs.span.start..rhs.span.end;
            lhs = Read { expr: DurationExpr::Binary(op, Box::new(lhs.expr), Box::new(rhs.expr)), span };
        }
        Some(lhs)
    }

    fn duration_atom(&mut self, context: &str) -> Option<Read> {
        let token = self.token();
        // Every part counts, so that chains of operators are bounded as brackets are.
        self.durations += 1;
        if self.durations > MAX_DEPTH {
            self.too_deep(token.span());
            return None;
        }
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.next();
                let number = self.number(token);
                let expr = DurationExpr::Number(self.within_range(number, token.span()));
                Some(Read { expr, span: token.span() })
            }
            Kind::Keyword(word @ (Keyword::Step | Keyword::Range)) => {
                self.next();
                self.expect(Kind::LeftParen, context)?;
                self.expect(Kind::RightParen, context)?;
                let span = token.start..self.end();
                self.experimental(&span);
                Some(Read { expr: if word == Keyword::Step { DurationExpr::Step } else { DurationExpr::Range }, span })
            }
            Kind::Keyword(word @ (Keyword::MinOf | Keyword::MaxOf)) => {
                self.next();
                self.expect(Kind::LeftParen, context)?;
                let a = self.deeper(|p| p.duration_binary(context, 0), |_| None)?;
                self.expect(Kind::Comma, context)?;
                let b = self.deeper(|p| p.duration_binary(context, 0), |_| None)?;
                self.expect(Kind::RightParen, context)?;
                let span = token.start..self.end();
                self.experimental(&span);
                let (a, b) = (Box::new(a.expr), Box::new(b.expr));
                let expr = if word == Keyword::MinOf { DurationExpr::Min(a, b) } else { DurationExpr::Max(a, b) };
                Some(Read { expr, span })
            }
            Kind::LeftParen => {
                self.next();
                let inner = self.deeper(|p| p.duration_binary(context, 0), |_| None)?;
                self.expect(Kind::RightParen, context)?;
                self.experimental(&inner.span);
                Some(Read { expr: DurationExpr::Paren(Box::new(inner.expr)), span: token.start..self.end() })
            }
            _ => {
                self.unexpected(context, EXPECTED);
                None
            }
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Option<()> {
        if self.eat(kind) {
            return Some(());
        }
        self.unexpected(context, EXPECTED);
        None
    }

    fn experimental(&mut self, span: &Range<usize>) {
        if !self.features.duration_expressions {
            self.problem(span.clone(), "experimental duration expression is not enabled", None);
        }
    }

    fn within_range(&mut self, number: Number, span: Range<usize>) -> Number {
        if number.value.abs() > MOST_SECONDS {
            self.problem(span, "duration out of range", None);
            return Number { value: 1.0, ..number };
        }
        number
    }

    /// The value of a number or duration token.
    pub(super) fn number(&mut self, token: Token) -> Number {
        let word = self.word(token);
        if token.kind == Kind::Duration {
            let value = match literal::parse_duration(word) {
                Ok(millis) => literal::seconds(millis),
                Err(e) => {
                    let hint = matches!(e, literal::DurationError::Syntax(_))
                        .then(|| "write whole numbers, the largest unit first: `1h30m`".to_owned());
                    self.problem(token.span(), e.to_string(), hint);
                    1.0
                }
            };
            return Number { value, duration: true };
        }
        let value = literal::parse_number(word).unwrap_or_else(|message| {
            self.problem(token.span(), message, None);
            1.0
        });
        Number { value, duration: false }
    }
}

/// A sign before an operand. Numbers take it in; a plus before anything else means nothing, and is not kept.
fn sign(sign: Token, operand: Read) -> Read {
    let negative = sign.kind == Kind::Operator(BinaryOp::Sub);
    let span = sign.start..operand.span.end;
    let expr = match operand.expr {
        DurationExpr::Number(number) => {
            DurationExpr::Number(Number { value: if negative { -number.value } else { number.value }, ..number })
        }
        other if negative => DurationExpr::Negative(Box::new(other)),
        other => other,
    };
    Read { expr, span }
}

const fn is_arithmetic(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Pow)
}

/// A plain number is known now; everything else once the step of the query is.
fn resolve(expr: DurationExpr) -> Duration {
    match expr {
        // Prometheus rounds to nanoseconds and evaluates in milliseconds.
        DurationExpr::Number(number) => Duration::Millis(((number.value * 1e9).round() as i64) / 1_000_000),
        other => Duration::Computed(Box::new(other)),
    }
}
