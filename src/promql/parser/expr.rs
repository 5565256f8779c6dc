//! Expressions: operators by precedence climbing, calls, aggregations.

use crate::promql::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Expr, ExprKind, Group, Grouping, Matching, Unary,
};
use crate::promql::func::Func;
use crate::promql::lexer::{Keyword, Kind, Token, quote};
use crate::promql::parser::cursor::{Node, Parser, aggregate_word};
use crate::promql::parser::hints::{leftover_hint, operand_hint, unknown_function_hint};
use crate::promql::parser::literal;

/// How strongly an operator binds.
pub(super) const fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Greater
        | BinaryOp::Less
        | BinaryOp::GreaterEqual
        | BinaryOp::LessEqual
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
        BinaryOp::Pow => POWER,
    }
}

const POWER: u8 = 6;

/// A whole query.
pub(super) fn query(p: &mut Parser<'_>) -> Option<Expr> {
    if p.kind() == Kind::End {
        p.problem(0..0, "no expression found in input", None);
        return None;
    }
    let node = p.binary(0);
    if p.kind() != Kind::End {
        p.unexpected_with("", "", leftover_hint(p.kind()));
    }
    Some(node.expr)
}

/// What stands between an operator and its right operand.
#[derive(Default)]
struct Modifiers {
    bool_modifier: bool,
    matching: Matching,
}

impl Parser<'_> {
    /// Operands joined by operators that bind at least as strongly as `min`.
    fn binary(&mut self, min: u8) -> Node {
        self.deeper(|p| p.binary_inner(min), Node::missing)
    }

    fn binary_inner(&mut self, min: u8) -> Node {
        let mut lhs = self.unary();
        while let Kind::Operator(op) = self.kind() {
            let level = precedence(op);
            if level < min {
                break;
            }
            let token = self.next();
            let modifiers = self.modifiers();
            // `^` groups to the right, everything else to the left.
            let rhs = self.binary(if op == BinaryOp::Pow { level } else { level + 1 });
            let span = lhs.expr.span.start..rhs.expr.span.end;
            let filled = modifiers.matching.fill_left.is_some() || modifiers.matching.fill_right.is_some();
            if filled && !self.features.fill {
                self.problem(span.clone(), "binop fill modifiers are experimental and not enabled", None);
            }
            let Some(height) = self.over(&[lhs.height, rhs.height], token.span()) else { return lhs };
            let kind = ExprKind::Binary(Box::new(Binary {
                op,
                op_span: token.span(),
                bool_modifier: modifiers.bool_modifier,
                matching: Some(modifiers.matching),
                lhs: lhs.expr,
                rhs: rhs.expr,
            }));
            lhs = Node { expr: Expr { kind, span }, height };
        }
        lhs
    }

    fn modifiers(&mut self) -> Modifiers {
        let mut all = Modifiers { bool_modifier: self.eat(Kind::Keyword(Keyword::Bool)), ..Modifiers::default() };
        let matching = &mut all.matching;
        if let Kind::Keyword(word @ (Keyword::On | Keyword::Ignoring)) = self.kind() {
            self.next();
            matching.on = word == Keyword::On;
            matching.labels = self.labels();
            if let Kind::Keyword(side @ (Keyword::GroupLeft | Keyword::GroupRight)) = self.kind() {
                self.next();
                // The labels may be left out before an operand.
                let modifier =
                    matches!(self.kind(), Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight));
                let left_out = self.kind() != Kind::LeftParen && (starts_operand(self.kind()) || modifier);
                let include = if left_out { Vec::new() } else { self.labels() };
                matching.group = Some(Group { left: side == Keyword::GroupLeft, include });
            }
        } else if let Kind::Keyword(Keyword::GroupLeft | Keyword::GroupRight) = self.kind() {
            let hint = Some("write `on (…)` or `ignoring (…)` before it".to_owned());
            self.unexpected_with(self.context, "", hint);
            self.next();
            if self.kind() == Kind::LeftParen {
                self.labels();
            }
        }
        match self.kind() {
            Kind::Keyword(Keyword::Fill) => {
                self.next();
                matching.fill_left = self.fill_value();
                matching.fill_right = matching.fill_left;
            }
            Kind::Keyword(first @ (Keyword::FillLeft | Keyword::FillRight)) => {
                self.next();
                let value = self.fill_value();
                let left = first == Keyword::FillLeft;
                let other = if left { Keyword::FillRight } else { Keyword::FillLeft };
                let second = if self.eat(Kind::Keyword(other)) { self.fill_value() } else { None };
                (matching.fill_left, matching.fill_right) = if left { (value, second) } else { (second, value) };
            }
            _ => {}
        }
        all
    }

    /// `(1)` behind `fill`.
    fn fill_value(&mut self) -> Option<f64> {
        let value = self.fill_number();
        if value.is_none() {
            self.unexpected(self.context, "");
            self.skip_to(Kind::RightParen);
            self.eat(Kind::RightParen);
        }
        value
    }

    fn fill_number(&mut self) -> Option<f64> {
        if !self.eat(Kind::LeftParen) {
            return None;
        }
        let negative = self.sign_token();
        let token = self.token();
        if !matches!(token.kind, Kind::Number | Kind::Duration) {
            return None;
        }
        self.next();
        let value = self.number(token).value;
        self.eat(Kind::RightParen).then_some(if negative { -value } else { value })
    }

    /// Takes a sign, if there is one, and says whether it is a minus.
    pub(super) fn sign_token(&mut self) -> bool {
        match self.kind() {
            Kind::Operator(BinaryOp::Sub) => {
                self.next();
                true
            }
            Kind::Operator(BinaryOp::Add) => {
                self.next();
                false
            }
            _ => false,
        }
    }

    fn unary(&mut self) -> Node {
        let token = self.token();
        let Kind::Operator(BinaryOp::Add | BinaryOp::Sub) = token.kind else {
            let operand = self.primary();
            return self.postfix(operand);
        };
        self.next();
        let negative = token.kind == Kind::Operator(BinaryOp::Sub);
        // A sign binds as multiplication does: -2^2 is -(2^2), -2*3 is (-2)*3.
        let mut operand = self.binary(POWER);
        let span = token.start..operand.expr.span.end;
        if let ExprKind::Number(number) = &mut operand.expr.kind {
            number.value = if negative { -number.value } else { number.value };
            operand.expr.span = span;
            return operand;
        }
        let Some(height) = self.over(&[operand.height], token.span()) else { return operand };
        let kind = ExprKind::Unary(Unary { negative, expr: Box::new(operand.expr) });
        Node { expr: Expr { kind, span }, height }
    }

    fn primary(&mut self) -> Node {
        let token = self.token();
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.next();
                let number = self.number(token);
                Node::leaf(ExprKind::Number(number), token.span())
            }
            Kind::String => {
                self.next();
                Node::leaf(ExprKind::String(literal::unquote(self.word(token))), token.span())
            }
            Kind::LeftParen => self.paren(token),
            Kind::LeftBrace => self.selector(None),
            Kind::Identifier | Kind::Keyword(_) if self.calls(token) => self.call(token),
            Kind::Aggregate(op)
                if matches!(
                    self.ahead(1).kind,
                    Kind::LeftParen | Kind::Keyword(Keyword::By) | Kind::Keyword(Keyword::Without)
                ) =>
            {
                self.aggregate(token, op)
            }
            kind if may_name_metric(kind) && !self.between_operands(kind) => {
                self.next();
                self.selector(Some(token))
            }
            _ => {
                let hint = operand_hint(token.kind);
                self.unexpected_with(self.context, "", hint);
                // Whoever is around can go on at a closing token or an operator; anything else stands in the way.
                if !matches!(
                    token.kind,
                    Kind::End
                        | Kind::RightParen
                        | Kind::RightBrace
                        | Kind::RightBracket
                        | Kind::Comma
                        | Kind::Operator(_)
                ) {
                    self.next();
                }
                Node::missing(token.start)
            }
        }
    }

    /// Whether a set operator stands where an operand must, with another operand behind it: not a metric named `or`.
    fn between_operands(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Operator(_)) && self.ahead(1).kind == Kind::LeftParen
    }

    fn paren(&mut self, open: Token) -> Node {
        self.next();
        let inner = self.binary(0);
        if !self.eat(Kind::RightParen) {
            self.unexpected_with(self.context, "", leftover_hint(self.kind()));
            self.skip_to(Kind::RightParen);
            while self.eat(Kind::Comma) {
                self.skip_to(Kind::RightParen);
            }
            self.eat(Kind::RightParen);
        }
        let span = open.start..self.end();
        let Some(height) = self.over(&[inner.height], open.span()) else { return inner };
        Node { expr: Expr { kind: ExprKind::Paren(Box::new(inner.expr)), span }, height }
    }

    /// Whether a name is called. The newer keywords are functions too.
    fn calls(&self, token: Token) -> bool {
        let callable = matches!(
            token.kind,
            Kind::Identifier
                | Kind::Keyword(
                    Keyword::Start | Keyword::End | Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf
                )
        );
        callable && self.ahead(1).kind == Kind::LeftParen
    }

    /// `(a, b)`, and how high the highest of them is.
    fn arguments(&mut self) -> (Vec<Expr>, u16) {
        let mut args = Vec::new();
        let mut height = 0;
        self.next();
        if self.eat(Kind::RightParen) {
            return (args, height);
        }
        loop {
            let arg = self.binary(0);
            height = height.max(arg.height);
            args.push(arg.expr);
            if !matches!(self.kind(), Kind::Comma | Kind::RightParen) {
                self.unexpected_with(self.context, "", leftover_hint(self.kind()));
                self.skip_to(Kind::RightParen);
            }
            let comma = self.token();
            if !self.eat(Kind::Comma) {
                self.eat(Kind::RightParen);
                return (args, height);
            }
            if !starts_operand(self.kind()) {
                // What cannot be read is reported first, as Prometheus does: it looks ahead.
                if matches!(self.kind(), Kind::Error(_)) {
                    self.unexpected("", "");
                }
                let hint = Some("remove the comma, or write an argument behind it".to_owned());
                self.problem(comma.span(), "trailing commas not allowed in function call args", hint);
            }
            if self.eat(Kind::RightParen) {
                return (args, height);
            }
        }
    }

    fn call(&mut self, name: Token) -> Node {
        self.next();
        let (args, height) = self.arguments();
        let span = name.start..self.end();
        let word = self.word(name);
        let Some(func) = Func::from_name(word) else {
            let message = format!("unknown function with name {}", quote(word));
            self.problem(name.span(), message, unknown_function_hint(word));
            return Node::missing(name.start);
        };
        if func.signature().experimental && !self.features.experimental_functions {
            self.problem(name.span(), format!("function {} is not enabled", quote(word)), None);
        }
        let Some(height) = self.over(&[height], name.span()) else { return Node::missing(name.start) };
        let kind = ExprKind::Call(Call { func, name_span: name.span(), args });
        Node { expr: Expr { kind, span }, height }
    }

    fn aggregate(&mut self, name: Token, op: AggregateOp) -> Node {
        self.next();
        let mut grouping = self.grouping();
        if self.kind() != Kind::LeftParen {
            self.unexpected("aggregation", "");
            return Node::missing(name.start);
        }
        let around = std::mem::replace(&mut self.context, "aggregation");
        let (mut args, height) = self.arguments();
        self.context = around;
        if grouping.is_none() {
            grouping = self.grouping();
        }
        let span = name.start..self.end();
        let has_param = takes_param(op);
        if args.is_empty() {
            self.problem(span, "no arguments for aggregate expression provided", None);
            return Node::missing(name.start);
        }
        if matches!(op, AggregateOp::Limitk | AggregateOp::LimitRatio) && !self.features.experimental_functions {
            let message = format!(
                "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                aggregate_word(name.kind).unwrap_or_default()
            );
            self.problem(span, message, None);
            return Node::missing(name.start);
        }
        let wanted = 1 + usize::from(has_param);
        if args.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                args.len()
            );
            let hint = match (has_param, op) {
                (true, AggregateOp::CountValues) => Some("write it like `count_values(\"label\", x)`".to_owned()),
                (true, _) => aggregate_word(name.kind).map(|w| format!("write it like `{w}(5, x)`")),
                (false, _) => None,
            };
            self.problem(span, message, hint);
            return Node::missing(name.start);
        }
        let Some(height) = self.over(&[height], name.span()) else { return Node::missing(name.start) };
        let Some(expr) = args.pop() else { return Node::missing(name.start) };
        let kind = ExprKind::Aggregate(Aggregate {
            op,
            op_span: name.span(),
            grouping,
            param: args.pop().map(Box::new),
            expr: Box::new(expr),
        });
        Node { expr: Expr { kind, span }, height }
    }

    fn grouping(&mut self) -> Option<Grouping> {
        let Kind::Keyword(word @ (Keyword::By | Keyword::Without)) = self.kind() else { return None };
        self.next();
        let (without, labels) = (word == Keyword::Without, self.labels());
        // `by ()` is what there is without grouping.
        (without || !labels.is_empty()).then_some(Grouping { without, labels })
    }

    /// `(a, b)` of grouping and matching.
    pub(super) fn labels(&mut self) -> Vec<String> {
        const CONTEXT: &str = "grouping opts";
        let mut labels = Vec::new();
        if !self.eat(Kind::LeftParen) {
            self.unexpected(CONTEXT, "\"(\"");
            return labels;
        }
        while !self.eat(Kind::RightParen) {
            let token = self.token();
            match token.kind {
                Kind::String => {
                    let name = literal::unquote(self.word(token));
                    if name.is_empty() {
                        self.problem(token.span(), "invalid label name for grouping: \"\"", None);
                    }
                    labels.push(name);
                    self.next();
                }
                kind if may_name_label(kind) => {
                    labels.push(self.word(token).to_owned());
                    self.next();
                }
                _ => {
                    self.unexpected(CONTEXT, "label");
                    self.skip_to(Kind::RightParen);
                }
            }
            if !self.eat(Kind::Comma) && self.kind() != Kind::RightParen {
                self.unexpected(CONTEXT, "\",\" or \")\"");
                self.skip_to(Kind::RightParen);
                if !self.eat(Kind::Comma) {
                    self.eat(Kind::RightParen);
                    break;
                }
            }
        }
        labels
    }
}

/// Whether an aggregation takes a first argument besides the vector.
pub(super) const fn takes_param(op: AggregateOp) -> bool {
    match op {
        AggregateOp::Topk
        | AggregateOp::Bottomk
        | AggregateOp::CountValues
        | AggregateOp::Quantile
        | AggregateOp::Limitk
        | AggregateOp::LimitRatio => true,
        AggregateOp::Sum
        | AggregateOp::Avg
        | AggregateOp::Min
        | AggregateOp::Max
        | AggregateOp::Count
        | AggregateOp::Group
        | AggregateOp::Stddev
        | AggregateOp::Stdvar => false,
    }
}

/// Whether an expression may begin with a token.
const fn starts_operand(kind: Kind) -> bool {
    may_name_metric(kind)
        || matches!(
            kind,
            Kind::LeftParen
                | Kind::LeftBrace
                | Kind::Number
                | Kind::Duration
                | Kind::String
                | Kind::Operator(BinaryOp::Add | BinaryOp::Sub)
        )
}

/// Whether a token may be the name of a metric.
pub(super) const fn may_name_metric(kind: Kind) -> bool {
    match kind {
        Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregate(_) => true,
        Kind::Operator(op) => op.is_set(),
        Kind::Keyword(word) => !matches!(
            word,
            Keyword::Bool
                | Keyword::On
                | Keyword::Ignoring
                | Keyword::GroupLeft
                | Keyword::GroupRight
                | Keyword::Fill
                | Keyword::FillLeft
                | Keyword::FillRight
        ),
        _ => false,
    }
}

/// Whether a token may be the name of a label in a grouping.
const fn may_name_label(kind: Kind) -> bool {
    match kind {
        Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregate(_) => true,
        Kind::Operator(op) => op.is_set() || matches!(op, BinaryOp::Atan2),
        Kind::Keyword(word) => !matches!(word, Keyword::Without),
        _ => false,
    }
}
