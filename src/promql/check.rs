//! The types of expressions, and the rules that a tree must fulfil before it is evaluated.
//!
//! Messages and their order are Prometheus' (`checkAST`); hints are ours.

use ahash::AHashSet;

use crate::base::labels::METRIC_NAME;
use crate::promql::ast::{
    Aggregate, AggregateOp, Binary, Call, Duration, Expr, ExprKind, Matching, Type, Unary, VectorSelector,
};
use crate::promql::func::Func;
use crate::promql::lexer::quote;
use crate::promql::parser::{MOST_PROBLEMS, Problem};

impl Expr {
    /// The type of its value.
    pub fn ty(&self) -> Type {
        match &self.kind {
            ExprKind::Number(_) => Type::Scalar,
            ExprKind::String(_) => Type::String,
            ExprKind::Vector(_) | ExprKind::Aggregate(_) => Type::Vector,
            ExprKind::Matrix(_) | ExprKind::Subquery(_) => Type::Matrix,
            ExprKind::Call(call) => call.func.signature().returns,
            ExprKind::Binary(binary) => match (binary.lhs.ty(), binary.rhs.ty()) {
                (Type::Scalar, Type::Scalar) => Type::Scalar,
                _ => Type::Vector,
            },
            ExprKind::Unary(Unary { expr, .. }) | ExprKind::Paren(expr) => expr.ty(),
        }
    }
}

/// Checks a tree, and removes the matching of operators that do not stand between two vectors.
pub fn check(expr: &mut Expr, problems: &mut Vec<Problem>) {
    let mut checker = Checker { problems };
    checker.check(expr);
}

struct Checker<'a> {
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn problem(&mut self, span: std::ops::Range<usize>, message: impl Into<String>, hint: Option<String>) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem { at: span.start, span, message: message.into(), hint });
        }
    }

    fn check(&mut self, expr: &mut Expr) -> Type {
        let span = expr.span.clone();
        match &mut expr.kind {
            ExprKind::Number(_) => Type::Scalar,
            ExprKind::String(_) => Type::String,
            ExprKind::Paren(inner) => self.check(inner),
            ExprKind::Unary(Unary { expr: inner, .. }) => {
                let ty = self.check(inner);
                if !matches!(ty, Type::Scalar | Type::Vector) {
                    let message = format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got {}",
                        quote(ty.text())
                    );
                    self.problem(span, message, None);
                }
                ty
            }
            ExprKind::Vector(selector) => {
                self.selector(&span, selector, false);
                Type::Vector
            }
            ExprKind::Matrix(matrix) => {
                self.selector(&span, &matrix.selector, false);
                Type::Matrix
            }
            ExprKind::Subquery(subquery) => {
                let ty = self.check(&mut subquery.expr);
                if ty != Type::Vector {
                    let hint = (ty == Type::Matrix).then(|| "a range or subquery has no second range".to_owned());
                    let message = format!("subquery is only allowed on instant vector, got {} instead", short(ty));
                    self.problem(span, message, hint);
                }
                Type::Matrix
            }
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Call(call) => self.call(&span, call),
            ExprKind::Binary(binary) => self.binary(&span, binary),
        }
    }

    fn expect(&mut self, expr: &mut Expr, want: Type, context: &str) {
        let got = self.check(expr);
        if got != want {
            let message = format!("expected type {} in {context}, got {}", want.text(), got.text());
            self.problem(expr.span.clone(), message, conversion_hint(want, got));
        }
    }

    fn aggregate(&mut self, aggregate: &mut Aggregate) -> Type {
        self.expect(&mut aggregate.expr, Type::Vector, "aggregation expression");
        if let Some(param) = &mut aggregate.param {
            let want = if aggregate.op == AggregateOp::CountValues { Type::String } else { Type::Scalar };
            self.expect(param, want, "aggregation parameter");
        }
        Type::Vector
    }

    fn call(&mut self, span: &std::ops::Range<usize>, call: &mut Call) -> Type {
        let signature = call.func.signature();
        let (wanted, got, name) = (signature.args.len(), call.args.len(), quote(signature.name));
        if signature.variadic == 0 {
            if wanted != got {
                let message = format!("expected {wanted} argument(s) in call to {name}, got {got}");
                self.problem(span.clone(), message, Some(usage(call.func)));
            }
        } else {
            let least = wanted - 1;
            let most = usize::try_from(signature.variadic).ok().map(|n| least + n);
            if got < least {
                let message = format!("expected at least {least} argument(s) in call to {name}, got {got}");
                self.problem(span.clone(), message, Some(usage(call.func)));
            } else if let Some(most) = most.filter(|most| got > *most) {
                let message = format!("expected at most {most} argument(s) in call to {name}, got {got}");
                self.problem(span.clone(), message, Some(usage(call.func)));
            }
        }
        let labels_only = call.func == Func::Info;
        if labels_only && let Some(second) = call.args.get(1) {
            let ty = second.ty();
            if ty != Type::Vector {
                let message =
                    format!("expected type {} in call to function {name}, got {}", Type::Vector.text(), ty.text());
                self.problem(span.clone(), message, None);
            }
            match &second.kind {
                ExprKind::Vector(VectorSelector { name: None, .. }) => {}
                ExprKind::Vector(_) => {
                    let message = "expected label selectors only, got vector selector instead";
                    self.problem(second.span.clone(), message, Some("write only braces: `{a=\"b\"}`".to_owned()));
                }
                _ => self.problem(second.span.clone(), "expected label selectors only", None),
            }
        }
        for (i, arg) in call.args.iter_mut().enumerate() {
            let want = match signature.args.get(i).or(signature.args.last()) {
                Some(want) if i < wanted || signature.variadic != 0 => *want,
                // How many there may be was said above; what the surplus ones are does not matter.
                _ => break,
            };
            let got = match &arg.kind {
                ExprKind::Vector(selector) if labels_only && i == 1 => {
                    self.selector(&arg.span, selector, true);
                    Type::Vector
                }
                _ => self.check(arg),
            };
            if got != want {
                let message = format!("expected type {} in call to function {name}, got {}", want.text(), got.text());
                self.problem(arg.span.clone(), message, argument_hint(call.func, want, arg, got));
            }
        }
        signature.returns
    }

    fn binary(&mut self, span: &std::ops::Range<usize>, binary: &mut Binary) -> Type {
        let (lhs, rhs) = (self.check(&mut binary.lhs), self.check(&mut binary.rhs));
        let (op, place) = (binary.op, binary.op_span.clone());
        if binary.bool_modifier && !op.is_comparison() {
            self.problem(place.clone(), "bool modifier can only be used on comparison operators", None);
        }
        if op.is_comparison() && !binary.bool_modifier && lhs == Type::Scalar && rhs == Type::Scalar {
            let hint = Some(format!("write `{} bool`", op.text()));
            self.problem(place.clone(), "comparisons between scalars must use BOOL modifier", hint);
        }
        let Matching { on, labels, group, fill_left, fill_right } = binary.matching.take().unwrap_or_default();
        if let (true, Some(group)) = (on, &group) {
            let included: AHashSet<&String> = group.include.iter().collect();
            for label in labels.iter().filter(|label| included.contains(label)) {
                let message = format!("label {} must not occur in ON and GROUP clause at once", quote(label));
                self.problem(place.clone(), message, None);
            }
        }
        for (ty, side) in [(lhs, &binary.lhs), (rhs, &binary.rhs)] {
            if !matches!(ty, Type::Scalar | Type::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                self.problem(side.span.clone(), message, conversion_hint(Type::Vector, ty));
            }
        }
        let fills = fill_left.is_some() || fill_right.is_some();
        if lhs != Type::Vector || rhs != Type::Vector {
            if !labels.is_empty() {
                self.problem(span.clone(), "vector matching only allowed between instant vectors", None);
            }
            if fills {
                let message = "filling in missing series only allowed between instant vectors";
                self.problem(span.clone(), message, None);
            }
        } else {
            if op.is_set() {
                if group.is_some() {
                    let message = format!("no grouping allowed for {} operation", quote(op.text()));
                    self.problem(span.clone(), message, None);
                    self.problem(span.clone(), "set operations must always be many-to-many", None);
                }
                if fills {
                    self.problem(span.clone(), "filling in missing series not allowed for set operators", None);
                }
            }
            binary.matching = Some(Matching { on, labels, group, fill_left, fill_right });
        }
        if op.is_set() && (lhs == Type::Scalar || rhs == Type::Scalar) {
            let message = format!("set operator {} not allowed in binary scalar expression", quote(op.text()));
            self.problem(span.clone(), message, Some("`vector(…)` makes a vector of a number".to_owned()));
        }
        if lhs == Type::Scalar && rhs == Type::Scalar { Type::Scalar } else { Type::Vector }
    }

    fn selector(&mut self, span: &std::ops::Range<usize>, selector: &VectorSelector, may_be_empty: bool) {
        if let Some(name) = &selector.name {
            let inside = selector.matchers.split_last().map_or(&[][..], |(_, inside)| inside);
            for matcher in inside.iter().filter(|m| m.name() == METRIC_NAME) {
                let message =
                    format!("metric name must not be set twice: {} or {}", quote(name), quote(matcher.value()));
                self.problem(span.clone(), message, None);
            }
            return;
        }
        // Nobody selects every series on purpose.
        if !may_be_empty && selector.matchers.iter().all(|m| m.matches("")) {
            let hint = Some("name a metric, or a label with a value".to_owned());
            self.problem(span.clone(), "vector selector must contain at least one non-empty matcher", hint);
        }
    }
}

/// Prometheus' word for a type inside its program, which one message shows.
const fn short(ty: Type) -> &'static str {
    match ty {
        Type::Scalar => "scalar",
        Type::String => "string",
        Type::Vector => "vector",
        Type::Matrix => "matrix",
    }
}

/// How a function is called: `clamp(instant vector, scalar, scalar)`.
pub fn usage(func: Func) -> String {
    let signature = func.signature();
    let mut args: Vec<String> = signature.args.iter().map(|ty| ty.text().to_owned()).collect();
    if signature.variadic != 0
        && let Some(last) = args.last_mut()
    {
        *last = format!("[{last}{}]", if signature.variadic == 1 { "" } else { ", …" });
    }
    format!("call it as `{}({})`", signature.name, args.join(", "))
}

fn conversion_hint(want: Type, got: Type) -> Option<String> {
    match (want, got) {
        (Type::Vector, Type::Matrix) => Some("make a vector of the range, for example with `rate(…)`".to_owned()),
        (Type::Vector, Type::Scalar) => Some("`vector(…)` makes a vector of a number".to_owned()),
        (Type::Scalar, Type::Vector) => Some("`scalar(…)` makes a number of a vector of one element".to_owned()),
        (Type::String, _) => Some("write a text in quotes".to_owned()),
        _ => None,
    }
}

fn argument_hint(func: Func, want: Type, arg: &Expr, got: Type) -> Option<String> {
    let name = func.name();
    match (want, &arg.kind) {
        (Type::Matrix, ExprKind::Vector(selector)) => {
            let shown = selector.name.as_deref().unwrap_or("{…}");
            let range = match &selector.offset {
                Some(Duration::Millis(_) | Duration::Computed(_)) => "a range goes before the offset: ",
                None => "add a range: ",
            };
            Some(format!("{range}`{name}({shown}[5m])`"))
        }
        (Type::Matrix, _) if got == Type::Vector => Some(format!("make it a subquery: `{name}((…)[5m:])`")),
        (Type::Vector, ExprKind::Matrix(_)) => Some("remove the range, or wrap it: `rate(…[5m])`".to_owned()),
        _ => conversion_hint(want, got),
    }
}
