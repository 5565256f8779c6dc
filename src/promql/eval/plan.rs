//! The tree made ready for evaluation.
//!
//! Parentheses are gone, durations are milliseconds, `start()` and `end()` are times, and the largest parts
//! whose value does not depend on the step stand under [`Kind::Once`].

use crate::base::matcher::Matcher;
use crate::promql::ast::{self, AggregateOp, At, BinaryOp, Expr, ExprKind, Extension, Grouping, Matching, Span, Type};
use crate::promql::eval::duration::{Context, resolve};
use crate::promql::func::Func;
use crate::promql::value::EvalError;

/// A part of the query.
#[derive(Debug)]
pub(crate) struct Node<'q> {
    /// What it computes.
    pub(crate) kind: Kind<'q>,
    /// Where it stands in the text.
    pub(crate) span: &'q Span,
}

/// What a part of the query computes.
#[derive(Debug)]
pub(crate) enum Kind<'q> {
    Number(f64),
    Text(&'q str),
    Instant(Selector<'q>),
    Range(RangeSelector<'q>),
    Subquery(Box<Subquery<'q>>),
    Call(Call<'q>),
    Aggregate(Box<Aggregate<'q>>),
    Binary(Box<Binary<'q>>),
    /// A sign: `-` if true.
    Sign(bool, Box<Node<'q>>),
    /// The same at every step, so evaluated at the first one only.
    Once(Box<Node<'q>>),
}

/// Which series, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selector<'q> {
    pub(crate) matchers: &'q [Matcher],
    pub(crate) when: When,
    pub(crate) extension: Option<Extension>,
}

/// The modifiers `@` and `offset`, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    pub(crate) at: Option<i64>,
    pub(crate) offset: i64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RangeSelector<'q> {
    pub(crate) selector: Selector<'q>,
    pub(crate) range: i64,
}

#[derive(Debug)]
pub(crate) struct Subquery<'q> {
    pub(crate) expr: Node<'q>,
    pub(crate) range: i64,
    pub(crate) step: Option<i64>,
    pub(crate) when: When,
}

#[derive(Debug)]
pub(crate) struct Call<'q> {
    pub(crate) func: Func,
    pub(crate) args: Vec<Node<'q>>,
}

#[derive(Debug)]
pub(crate) struct Aggregate<'q> {
    pub(crate) op: AggregateOp,
    pub(crate) grouping: Option<&'q Grouping>,
    pub(crate) param: Option<Node<'q>>,
    pub(crate) expr: Node<'q>,
}

#[derive(Debug)]
pub(crate) struct Binary<'q> {
    pub(crate) op: BinaryOp,
    pub(crate) bool_modifier: bool,
    pub(crate) matching: Option<&'q Matching>,
    pub(crate) lhs: Node<'q>,
    pub(crate) rhs: Node<'q>,
}

/// Prepares a tree.
///
/// # Errors
/// A computed duration has no legal value.
pub(crate) fn plan<'q>(expr: &'q Expr, cx: &Context) -> Result<Node<'q>, EvalError> {
    let planned = build(expr, cx)?;
    Ok(if planned.once { planned.under_once() } else { planned.node })
}

/// A node and whether it may be evaluated once.
struct Planned<'q> {
    node: Node<'q>,
    /// Its value is the same at every step.
    invariant: bool,
    /// It is worth a [`Kind::Once`]: literals are not, and ranges are not values of their own.
    once: bool,
}

impl<'q> Planned<'q> {
    fn under_once(self) -> Node<'q> {
        Node { span: self.node.span, kind: Kind::Once(Box::new(self.node)) }
    }

    fn wrapped(self) -> Node<'q> {
        if self.once { self.under_once() } else { self.node }
    }
}

impl Node<'_> {
    /// The type of its value.
    pub(crate) fn ty(&self) -> Type {
        match &self.kind {
            Kind::Number(_) => Type::Scalar,
            Kind::Text(_) => Type::String,
            Kind::Instant(_) | Kind::Aggregate(_) => Type::Vector,
            Kind::Range(_) | Kind::Subquery(_) => Type::Matrix,
            Kind::Call(call) => call.func.signature().returns,
            Kind::Binary(b) => match (b.lhs.ty(), b.rhs.ty()) {
                (Type::Scalar, Type::Scalar) => Type::Scalar,
                _ => Type::Vector,
            },
            Kind::Sign(_, inner) | Kind::Once(inner) => inner.ty(),
        }
    }

    /// What stands under a [`Kind::Once`], or itself.
    pub(crate) fn inner(&self) -> &Self {
        match &self.kind {
            Kind::Once(inner) => inner,
            _ => self,
        }
    }
}

fn build<'q>(expr: &'q Expr, cx: &Context) -> Result<Planned<'q>, EvalError> {
    let done = |kind, invariant, once| Ok(Planned { node: Node { kind, span: &expr.span }, invariant, once });
    match &expr.kind {
        ExprKind::Paren(inner) => build(inner, cx),
        ExprKind::Number(n) => done(Kind::Number(n.value), true, false),
        ExprKind::String(text) => done(Kind::Text(text), true, false),
        ExprKind::Vector(v) => {
            let selector = selector(v, cx)?;
            let fixed = selector.when.at.is_some();
            done(Kind::Instant(selector), fixed, fixed)
        }
        ExprKind::Matrix(m) => {
            let selector = selector(&m.selector, cx)?;
            let range = resolve(&m.range, cx, false)?;
            done(Kind::Range(RangeSelector { selector, range }), selector.when.at.is_some(), false)
        }
        ExprKind::Subquery(s) => {
            let inner = build(&s.expr, cx)?;
            // Even where the subquery itself moves with the step, what it evaluates may not.
            let node = if inner.invariant { inner.under_once() } else { inner.node };
            let when = when(s.at, s.offset.as_ref(), cx)?;
            let step = s.step.as_ref().map(|d| resolve(d, cx, false)).transpose()?;
            let range = resolve(&s.range, cx, false)?;
            let fixed = when.at.is_some();
            done(Kind::Subquery(Box::new(Subquery { expr: node, range, step, when })), fixed, fixed)
        }
        ExprKind::Call(call) => {
            let planned = call.args.iter().map(|a| build(a, cx)).collect::<Result<Vec<_>, _>>()?;
            let invariant = !depends_on_step(call.func) && planned.iter().all(|p| p.invariant);
            let args = planned.into_iter().map(|p| if invariant { p.node } else { p.wrapped() }).collect();
            done(Kind::Call(Call { func: call.func, args }), invariant, invariant)
        }
        ExprKind::Aggregate(a) => {
            let inner = build(&a.expr, cx)?;
            // As in Prometheus the parameter does not count: it is read at the first step only then.
            let param = a.param.as_deref().map(|p| build(p, cx)).transpose()?.map(Planned::wrapped);
            let (invariant, once) = (inner.invariant, inner.once);
            let (op, grouping) = (a.op, a.grouping.as_ref());
            done(Kind::Aggregate(Box::new(Aggregate { op, grouping, param, expr: inner.node })), invariant, once)
        }
        ExprKind::Binary(b) => {
            let (lhs, rhs) = (build(&b.lhs, cx)?, build(&b.rhs, cx)?);
            let invariant = lhs.invariant && rhs.invariant;
            let (lhs, rhs) = if invariant { (lhs.node, rhs.node) } else { (lhs.wrapped(), rhs.wrapped()) };
            let (op, bool_modifier, matching) = (b.op, b.bool_modifier, b.matching.as_ref());
            done(Kind::Binary(Box::new(Binary { op, bool_modifier, matching, lhs, rhs })), invariant, invariant)
        }
        ExprKind::Unary(u) => {
            let inner = build(&u.expr, cx)?;
            let (invariant, once) = (inner.invariant, inner.once);
            done(Kind::Sign(u.negative, Box::new(inner.node)), invariant, once)
        }
    }
}

fn selector<'q>(v: &'q ast::VectorSelector, cx: &Context) -> Result<Selector<'q>, EvalError> {
    Ok(Selector { matchers: &v.matchers, when: when(v.at, v.offset.as_ref(), cx)?, extension: v.extension })
}

fn when(at: Option<At>, offset: Option<&ast::Duration>, cx: &Context) -> Result<When, EvalError> {
    let at = at.map(|at| match at {
        At::Time(t) => t,
        At::Start => cx.start,
        At::End => cx.end,
    });
    let offset = offset.map_or(Ok(0), |d| resolve(d, cx, true))?;
    Ok(When { at, offset })
}

/// Whether a function gives other results at other steps although its arguments stay the same.
const fn depends_on_step(func: Func) -> bool {
    matches!(
        func,
        Func::DaysInMonth
            | Func::DayOfMonth
            | Func::DayOfWeek
            | Func::DayOfYear
            | Func::Hour
            | Func::Minute
            | Func::Month
            | Func::Year
            | Func::PredictLinear
            | Func::Time
            | Func::Timestamp
    )
}
