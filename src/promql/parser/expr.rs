//! Expressions: operators by precedence climbing, calls, aggregations, what follows an operand.

use crate::base::nearest::nearest;
use crate::promql::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Duration, Expr, ExprKind, Extension, Group, Grouping, Matching,
    MatrixSelector, Number, Subquery, Unary, VectorSelector,
};
use crate::promql::func::Func;
use crate::promql::lexer::{AGGREGATES, Keyword, Kind, Token, quote};
use crate::promql::parser::cursor::{Node, Parser, aggregate_word};
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
        p.unexpected("", "");
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
                let include = if self.kind() == Kind::LeftParen { self.labels() } else { Vec::new() };
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
    fn sign_token(&mut self) -> bool {
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
                let hint = self.operand_hint(token);
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

    fn operand_hint(&self, token: Token) -> Option<String> {
        match token.kind {
            Kind::End => Some("the query ends too early".to_owned()),
            Kind::Operator(_) => Some("an operand is missing before it".to_owned()),
            Kind::RightParen | Kind::Comma => Some("an expression is missing before it".to_owned()),
            _ => None,
        }
    }

    fn paren(&mut self, open: Token) -> Node {
        self.next();
        let inner = self.binary(0);
        if !self.eat(Kind::RightParen) {
            self.unexpected(self.context, "");
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
                self.unexpected(self.context, "");
                self.skip_to(Kind::RightParen);
            }
            let comma = self.token();
            if !self.eat(Kind::Comma) {
                self.eat(Kind::RightParen);
                return (args, height);
            }
            if self.kind() == Kind::RightParen {
                let hint = Some("remove the comma".to_owned());
                self.problem(comma.span(), "trailing commas not allowed in function call args", hint);
                self.next();
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

    /// Ranges and modifiers behind an operand.
    fn postfix(&mut self, mut node: Node) -> Node {
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

/// What was probably meant by the name of no function.
fn unknown_function_hint(word: &str) -> Option<String> {
    let renamed = match word.to_ascii_lowercase().as_str() {
        "holt_winters" => Some("double_exponential_smoothing"),
        "mean" | "average" => Some("avg"),
        "median" => Some("quantile(0.5, …)"),
        "percentile" | "histogram_percentile" => Some("histogram_quantile"),
        "log" => Some("ln"),
        "sum_over_range" => Some("sum_over_time"),
        "stddev_pop" | "std" => Some("stddev"),
        _ => None,
    };
    let names = Func::all().map(Func::name).chain(AGGREGATES.iter().map(|(_, word)| *word));
    renamed.or_else(|| nearest(word, names)).map(|name| format!("did you mean `{name}`?"))
}
