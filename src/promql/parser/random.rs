//! Random queries: every tree that is printed is read back as itself, and no text breaks the parser.
//!
//! Trees are grown from random bytes, so that a failing case shrinks to a short one: no more bytes means the simplest
//! choice everywhere.

use proptest::prelude::*;

use crate::base::labels::METRIC_NAME;
use crate::base::matcher::{MatchOp, Matcher};
use crate::promql::ast::{
    Aggregate, At, Binary, BinaryOp, Call, Duration, DurationExpr, Expr, ExprKind, Extension, Group, Grouping,
    Matching, MatrixSelector, Number, Subquery, Type, Unary, VectorSelector,
};
use crate::promql::caret::caret_lines;
use crate::promql::complete::complete;
use crate::promql::func::Func;
use crate::promql::lexer::AGGREGATES;
use crate::promql::parser::expr::takes_param;
use crate::promql::parser::{Features, literal, parse, parse_query};
use crate::promql::printer::pretty;
use crate::promql::tree_json::tree_json;

/// Random bytes, used up one after the other.
struct Dice<'a>(std::slice::Iter<'a, u8>);

const fn node(kind: ExprKind) -> Expr {
    Expr { kind, span: 0..0 }
}

impl Dice<'_> {
    /// A number below `n`; zero when all bytes are used up.
    fn roll(&mut self, n: usize) -> usize {
        self.0.next().map_or(0, |b| usize::from(*b) % n)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())].clone()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(3) == 1).then(|| make(self))
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.roll(most + 1)).map(|_| make(self)).collect()
    }

    fn number(&mut self) -> f64 {
        let bits = (0..8).fold(0, |bits: u64, _| bits << 8 | self.roll(256) as u64);
        let any = f64::from_bits(bits);
        self.pick(&[1.0, 0.0, 2.5, 1e6, 123_456_789.0, 1e21, 1e-7, f64::INFINITY, f64::NAN, any]).abs()
    }

    fn signed(&mut self) -> f64 {
        let value = self.number();
        if self.roll(3) == 1 && !value.is_nan() { -value } else { value }
    }

    fn millis(&mut self) -> i64 {
        let n = 1 + (self.roll(256) * 256 + self.roll(256)) as i64;
        n * self.pick(&[60_000, 1, 1_000, 86_400_000])
    }

    fn text(&mut self) -> String {
        self.some(6, |d| d.pick(&['a', '"', '\'', '\\', '`', '\n', '\u{7}', 'ü', '日', '\u{200b}', ' ', '😀']))
            .into_iter()
            .collect()
    }

    fn name(&mut self) -> String {
        self.pick(&["a", "http_requests:rate5m", "sum", "by", "or", "offset", "start", "fill", "B_1", "min_of"])
            .to_owned()
    }

    fn label(&mut self) -> String {
        self.pick(&["a", "le", "by", "without", "on", "NaN", "a.b", "ü", "a:b", "inf", "fill_left"]).to_owned()
    }

    fn matcher(&mut self) -> Matcher {
        let op = self.pick(&[MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
        let value = match op {
            MatchOp::Equal | MatchOp::NotEqual => self.text(),
            MatchOp::Regex | MatchOp::NotRegex => self.pick(&[".*", "a|b", "(x+)\\.y", ""]).to_owned(),
        };
        Matcher::new(self.label(), op, value).unwrap()
    }

    fn selector(&mut self) -> VectorSelector {
        let mut matchers = self.some(2, Self::matcher);
        let name = match self.roll(3) {
            // Without a name in front, something must be asked for.
            2 => {
                matchers.push(Matcher::equal(METRIC_NAME, "my.metric"));
                None
            }
            _ => Some(self.name()),
        };
        matchers.extend(name.as_deref().map(|n| Matcher::equal(METRIC_NAME, n)));
        let (offset, at) = (self.maybe(Self::offset), self.maybe(Self::at));
        let extension = self.maybe(|d| d.pick(&[Extension::Anchored, Extension::Smoothed]));
        VectorSelector { name, matchers, offset, at, extension }
    }

    fn at(&mut self) -> At {
        let time = self.millis() * 7 - 1_000_003;
        self.pick(&[At::Start, At::End, At::Time(time)])
    }

    fn offset(&mut self) -> Duration {
        let millis = self.millis();
        match self.roll(5) {
            0 => Duration::Millis(millis),
            1 => Duration::Millis(-millis),
            2 => Duration::Computed(Box::new(DurationExpr::Step)),
            3 => Duration::Computed(Box::new(DurationExpr::Negative(Box::new(DurationExpr::Range)))),
            _ => Duration::Computed(Box::new(DurationExpr::Paren(Box::new(self.duration(3))))),
        }
    }

    fn range(&mut self) -> Duration {
        match self.roll(3) {
            2 => Duration::Computed(Box::new(DurationExpr::Binary(
                BinaryOp::Mul,
                Box::new(self.duration_atom(2)),
                Box::new(self.duration_atom(2)),
            ))),
            _ => Duration::Millis(self.millis()),
        }
    }

    fn duration(&mut self, depth: usize) -> DurationExpr {
        if depth == 0 || self.roll(2) == 0 {
            return self.duration_atom(depth);
        }
        let op = self.pick(&[BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Mod, BinaryOp::Pow]);
        DurationExpr::Binary(op, Box::new(self.duration_atom(depth)), Box::new(self.duration_atom(depth)))
    }

    fn duration_atom(&mut self, depth: usize) -> DurationExpr {
        let deeper = depth.saturating_sub(1);
        match self.roll(if depth == 0 { 4 } else { 7 }) {
            0 => DurationExpr::Number(Number { value: (1 + self.roll(200)) as f64 * 0.5, duration: true }),
            1 => DurationExpr::Number(Number { value: 0.25 + self.roll(200) as f64, duration: false }),
            2 => DurationExpr::Step,
            3 => DurationExpr::Range,
            4 => DurationExpr::Min(Box::new(self.duration(deeper)), Box::new(self.duration(deeper))),
            5 => DurationExpr::Max(Box::new(self.duration(deeper)), Box::new(self.duration(deeper))),
            _ => DurationExpr::Paren(Box::new(self.duration(deeper))),
        }
    }

    fn of(&mut self, ty: Type, depth: usize) -> Expr {
        match ty {
            Type::String => node(ExprKind::String(self.text())),
            Type::Scalar => self.scalar(depth),
            Type::Vector => self.vector(depth),
            Type::Matrix => self.matrix(depth),
        }
    }

    fn scalar(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return self.literal();
        }
        match self.roll(5) {
            0 => self.literal(),
            1 => self.call(Type::Scalar, depth),
            2 => node(ExprKind::Paren(Box::new(self.scalar(depth - 1)))),
            3 => self.binary(Type::Scalar, Type::Scalar, depth),
            _ => self.unary(Type::Scalar, depth),
        }
    }

    fn literal(&mut self) -> Expr {
        let (duration, seconds) = (self.roll(4) == 1, literal::seconds(self.millis()));
        let value = if duration { seconds } else { self.signed() };
        node(ExprKind::Number(Number { value, duration }))
    }

    fn vector(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return node(ExprKind::Vector(self.selector()));
        }
        match self.roll(8) {
            0 => node(ExprKind::Vector(self.selector())),
            1 => self.aggregate(depth),
            2 => self.call(Type::Vector, depth),
            3 => node(ExprKind::Paren(Box::new(self.vector(depth - 1)))),
            4 => self.unary(Type::Vector, depth),
            5 => self.binary(Type::Vector, Type::Scalar, depth),
            6 => self.binary(Type::Scalar, Type::Vector, depth),
            _ => self.binary(Type::Vector, Type::Vector, depth),
        }
    }

    fn matrix(&mut self, depth: usize) -> Expr {
        if depth > 0 && self.roll(3) == 1 {
            let expr = Box::new(self.operand(Type::Vector, depth - 1));
            let (range, step) = (self.range(), self.maybe(Self::range));
            let (offset, at) = (self.maybe(Self::offset), self.maybe(Self::at));
            return node(ExprKind::Subquery(Subquery { expr, range, step, offset, at }));
        }
        node(ExprKind::Matrix(MatrixSelector { selector: self.selector(), range: self.range() }))
    }

    /// Something that stands next to an operator without grouping otherwise.
    fn operand(&mut self, ty: Type, depth: usize) -> Expr {
        let expr = self.of(ty, depth);
        match &expr.kind {
            ExprKind::Binary(_) | ExprKind::Unary(_) => node(ExprKind::Paren(Box::new(expr))),
            // Behind parentheses, an offset goes on: `x offset (5m) + 1` is `x offset ((5m) + 1)`.
            ExprKind::Vector(VectorSelector { offset: Some(Duration::Computed(_)), .. }) => {
                node(ExprKind::Paren(Box::new(expr)))
            }
            ExprKind::Number(n) if n.value.is_sign_negative() || n.value.is_infinite() => {
                node(ExprKind::Paren(Box::new(expr)))
            }
            _ => expr,
        }
    }

    fn unary(&mut self, ty: Type, depth: usize) -> Expr {
        let expr = self.operand(ty, depth - 1);
        // A sign becomes part of a number.
        if matches!(expr.kind, ExprKind::Number(_)) {
            return expr;
        }
        node(ExprKind::Unary(Unary { negative: self.roll(2) == 0, expr: Box::new(expr) }))
    }

    fn binary(&mut self, left: Type, right: Type, depth: usize) -> Expr {
        const ARITHMETIC: [BinaryOp; 9] = [
            BinaryOp::Add,
            BinaryOp::Sub,
            BinaryOp::Mul,
            BinaryOp::Div,
            BinaryOp::Mod,
            BinaryOp::Pow,
            BinaryOp::Atan2,
            BinaryOp::TrimLower,
            BinaryOp::TrimUpper,
        ];
        const COMPARISONS: [BinaryOp; 3] = [BinaryOp::Equal, BinaryOp::GreaterEqual, BinaryOp::Less];
        const SETS: [BinaryOp; 3] = [BinaryOp::And, BinaryOp::Or, BinaryOp::Unless];
        let both = left == Type::Vector && right == Type::Vector;
        let op = match self.roll(if both { 3 } else { 2 }) {
            0 => self.pick(&ARITHMETIC),
            1 => self.pick(&COMPARISONS),
            _ => self.pick(&SETS),
        };
        let scalars = left == Type::Scalar && right == Type::Scalar;
        let bool_modifier = op.is_comparison() && (scalars || self.roll(2) == 1);
        let matching = both.then(|| self.matching(op.is_set()));
        let (lhs, rhs) = (self.operand(left, depth - 1), self.operand(right, depth - 1));
        node(ExprKind::Binary(Box::new(Binary { op, op_span: 0..0, bool_modifier, matching, lhs, rhs })))
    }

    fn matching(&mut self, set: bool) -> Matching {
        let (on, mut labels) = (self.roll(2) == 1, self.some(2, Self::label));
        let group =
            if set { None } else { self.maybe(|d| Group { left: d.roll(2) == 1, include: d.some(2, Self::label) }) };
        if let (true, Some(group)) = (on, &group) {
            labels.retain(|label| !group.include.contains(label));
        }
        let fill = |d: &mut Self| if set { None } else { d.maybe(Self::signed) };
        Matching { on, labels, group, fill_left: fill(self), fill_right: fill(self) }
    }

    fn aggregate(&mut self, depth: usize) -> Expr {
        let (op, word) = self.pick(&AGGREGATES);
        let param = if word == "count_values" { Type::String } else { Type::Scalar };
        let without = self.roll(2) == 1;
        let labels = self.some(2, Self::label);
        node(ExprKind::Aggregate(Aggregate {
            op,
            op_span: 0..0,
            grouping: (without || !labels.is_empty()).then_some(Grouping { without, labels }),
            param: takes_param(op).then(|| Box::new(self.of(param, depth - 1))),
            expr: Box::new(self.vector(depth - 1)),
        }))
    }

    fn call(&mut self, returns: Type, depth: usize) -> Expr {
        let candidates: Vec<Func> = Func::all().filter(|f| f.signature().returns == returns).collect();
        let func = self.pick(&candidates);
        let signature = func.signature();
        let count = match signature.variadic {
            0 => signature.args.len(),
            n => signature.args.len() - 1 + self.roll(usize::try_from(n).unwrap_or(3) + 1),
        };
        let args = (0..count).map(|i| {
            if func == Func::Info && i == 1 {
                let matchers = self.some(2, Self::matcher);
                let selector = VectorSelector { name: None, matchers, offset: None, at: None, extension: None };
                return node(ExprKind::Vector(selector));
            }
            self.of(signature.args[i.min(signature.args.len() - 1)], depth - 1)
        });
        let args = args.collect();
        node(ExprKind::Call(Call { func, name_span: 0..0, args }))
    }
}

/// Forgets places, and the order of matchers, which are printed in order of their text.
fn bare(expr: &mut Expr) {
    fn selector(s: &mut VectorSelector) {
        s.matchers.sort_by_key(|m| format!("{m}"));
    }
    expr.span = 0..0;
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => {}
        ExprKind::Vector(s) => selector(s),
        ExprKind::Matrix(m) => selector(&mut m.selector),
        ExprKind::Subquery(s) => bare(&mut s.expr),
        ExprKind::Paren(e) => bare(e),
        ExprKind::Unary(u) => bare(&mut u.expr),
        ExprKind::Call(call) => {
            call.name_span = 0..0;
            call.args.iter_mut().for_each(bare);
        }
        ExprKind::Aggregate(a) => {
            a.op_span = 0..0;
            a.param.iter_mut().for_each(|p| bare(p));
            bare(&mut a.expr);
        }
        ExprKind::Binary(b) => {
            b.op_span = 0..0;
            bare(&mut b.lhs);
            bare(&mut b.rhs);
        }
    }
}

/// As text, in which `NaN` equals itself.
fn shown(mut expr: Expr) -> String {
    bare(&mut expr);
    format!("{expr:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..400), depth in 0_usize..5) {
        let mut dice = Dice(bytes.iter());
        let ty = dice.pick(&[Type::Vector, Type::Scalar, Type::Matrix, Type::String]);
        let expr = dice.of(ty, depth);
        let text = expr.to_string();
        let again = parse_query(&text, Features::all()).map_err(|e| TestCaseError::fail(format!("{text}\n{e}")))?;
        prop_assert_eq!(again.to_string(), text.clone());
        prop_assert_eq!(again.ty(), ty);
        let split = pretty(&expr);
        let again_split = parse_query(&split, Features::all()).map_err(|e| TestCaseError::fail(format!("{split}\n{e}")))?;
        prop_assert_eq!(again_split.to_string(), text);
        prop_assert!(tree_json(&again).is_object());
        prop_assert_eq!(shown(again), shown(expr));
    }
}

/// A reproducible stream of numbers (xorshift).
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

const SEEDS: [&str; 8] = [
    r#"sum by (job, "a.b") (rate(http_requests_total{job=~"api.*",code!="500"}[5m] offset -1m)) > bool 0.5"#,
    r#"histogram_quantile(0.99, sum without (le) (rate({"my.metric", 'x'=`y`}[5m:30s] @ start())))"#,
    "a + on (x) group_left (y) fill_left (1) fill_right (-2) b unless ignoring (z) c or d",
    "x[max_of(step() * 2, 5m) + (1h - 30s):range() / 10] offset (-2 ^ 2)",
    "-1_000.5e-3 ^ +Inf % NaN atan2 0x1F </ 2 # comment\n and vector(1)",
    "topk(5, x smoothed) by (a) / count_values('v', y anchored @ 123.4)",
    "label_replace(up, \"a\", \"$1\\n\\u00fc\", \"b\", '(.*)') == info(z, {k=\"v\"})",
    "((((time() - 1y2w3d4h5m6s7ms))))",
];

const PIECES: [&str; 34] = [
    "(", ")", "[", "]", "{", "}", ",", ":", "\"", "'", "`", "\\", "@", "#", "\n", " ", "offset", "by", "on", "bool",
    "fill(", "5m", "1e", "0x", "..", "-", "^", "==", "=~", "!", "ü", "\u{0}", "step()", "sum(",
];

/// Texts near real queries: pieces taken out, put in, doubled and swapped.
#[test]
fn no_text_breaks_it() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for round in 0..30_000 {
        let seed = SEEDS[noise.below(SEEDS.len())];
        let mut text: Vec<char> = seed.chars().collect();
        for _ in 0..=noise.below(4) {
            let at = noise.below(text.len() + 1);
            let len = noise.below(12).min(text.len() - at);
            match noise.below(4) {
                0 => drop(text.drain(at..at + len)),
                1 => drop(text.splice(at..at, PIECES[noise.below(PIECES.len())].chars())),
                2 => {
                    let part = text[at..at + len].to_vec();
                    let to = noise.below(text.len() + 1);
                    drop(text.splice(to..to, part));
                }
                _ => text.truncate(at),
            }
        }
        let text: String = text.into_iter().collect();
        let parsed = parse(&text, if round % 2 == 0 { Features::all() } else { Features::stable() });
        for problem in &parsed.problems {
            assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len(), "{text}");
            assert!(problem.at <= text.len() && text.get(problem.span.clone()).is_some(), "{text}");
        }
        if let (Some(expr), []) = (&parsed.expr, &parsed.problems[..]) {
            let printed = expr.to_string();
            let again = parse_query(&printed, Features::all());
            assert_eq!(again.map(|e| e.to_string()).as_ref(), Ok(&printed), "{text}");
        } else if round % 8 == 0 {
            complete(&text, noise.below(text.len() + 1), Features::all());
            parsed.problems.iter().for_each(|p| drop(caret_lines(&text, p, noise.below(100))));
        }
    }
}
