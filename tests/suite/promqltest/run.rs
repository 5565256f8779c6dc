//! Runs a script against a backend and compares what comes back with what is expected.

use watchdog::base::labels::Labels;
use watchdog::base::matcher::Matcher;
use watchdog::base::sample::is_stale;
use watchdog::promql::ast::{At, Expr, ExprKind, VectorSelector};
use watchdog::promql::func::Func;
use watchdog::promql::parser::{Features, parse_query};
use watchdog::promql::value::{Notes, Series, Times, Value, VectorSample};

use super::backend::{Backend, Samples};
use super::script::{Command, Eval, Expect, Load, Match, What};
use super::sequence::Place;

/// What became of a script's evaluations.
#[derive(Debug, Default)]
pub struct Report {
    pub passed: usize,
    /// Evaluations that need what this version does not have.
    pub skipped: usize,
    pub failures: Vec<String>,
}

/// Runs all commands.
pub fn run(commands: &[Command], backend: &mut dyn Backend) -> Report {
    let mut report = Report::default();
    let mut odd = Vec::new();
    backend.clear();
    for command in commands {
        match &command.what {
            What::Clear => {
                odd.clear();
                backend.clear();
            }
            What::Load(load) => {
                odd.extend(not_loadable(load));
                backend.load(&samples(load));
            }
            What::Eval(eval) if needs_more(eval, &odd) => report.skipped += 1,
            What::Eval(eval) => match check(eval, backend) {
                Ok(()) => report.passed += 1,
                Err(why) => report.failures.push(format!("line {}: {}\n    {why}", command.line, eval.query)),
            },
        }
    }
    report
}

fn samples(load: &Load) -> Vec<Samples> {
    let of = |places: &[Place]| -> Vec<(i64, f64)> {
        let values = (0_i64..).zip(places).filter_map(|(i, p)| match p {
            Place::Value(v) => Some((i * load.step, *v)),
            Place::Missing | Place::Histogram => None,
        });
        values.collect()
    };
    load.series.iter().map(|s| (s.labels.clone(), of(&s.places))).filter(|(_, s)| !s.is_empty()).collect()
}

/// Series of which the backend has not all samples: native histograms, made from classic ones too, and
/// samples with start timestamps.
fn not_loadable(load: &Load) -> Vec<Labels> {
    let mut odd = Vec::new();
    for s in &load.series {
        if s.start_timestamps || s.places.contains(&Place::Histogram) {
            odd.push(s.labels.clone());
        }
        let name = s.labels.metric_name();
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
        if let Some(base) = base.filter(|_| load.with_nhcb) {
            let mut labels = s.labels.to_buf();
            labels.set("le", "");
            labels.set("__name__", base);
            odd.push(labels.labels());
        }
    }
    odd
}

/// Whether an evaluation expects histograms, or selects series that have them.
fn needs_more(eval: &Eval, odd: &[Labels]) -> bool {
    let expects = eval.expect.series.iter().any(|(_, places)| places.contains(&Place::Histogram));
    let Ok(expr) = parse_query(&eval.query, Features::all()) else { return expects };
    let mut found = Vec::new();
    selectors(&expr, &mut found);
    let accepts =
        |matchers: &[Matcher], l: &Labels| matchers.iter().all(|m| m.matches(l.get(m.name()).unwrap_or_default()));
    expects || found.iter().any(|s| odd.iter().any(|labels| accepts(&s.matchers, labels)))
}

fn selectors<'e>(expr: &'e Expr, found: &mut Vec<&'e VectorSelector>) {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => {}
        ExprKind::Vector(v) => found.push(v),
        ExprKind::Matrix(m) => found.push(&m.selector),
        ExprKind::Subquery(s) => selectors(&s.expr, found),
        ExprKind::Call(c) => c.args.iter().for_each(|a| selectors(a, found)),
        ExprKind::Aggregate(a) => {
            a.param.iter().for_each(|p| selectors(p, found));
            selectors(&a.expr, found);
        }
        ExprKind::Binary(b) => {
            selectors(&b.lhs, found);
            selectors(&b.rhs, found);
        }
        ExprKind::Unary(u) => selectors(&u.expr, found),
        ExprKind::Paren(inner) => selectors(inner, found),
    }
}

fn check(eval: &Eval, backend: &mut dyn Backend) -> Result<(), String> {
    check_once(eval, &eval.query, eval.at, backend)?;
    let Times::Instant(t) = eval.at else { return Ok(()) };
    check_middle(eval, &eval.query, t, backend)?;
    // What looks at a fixed time gives the same whenever it is asked.
    let Some(fixed) = fixed_at(&eval.query, t) else { return Ok(()) };
    for at in if t == 0 { [-1_000, 0, 0, 0, 1_000] } else { [-10 * t, 0, t / 5, t, 10 * t] } {
        check_once(eval, &fixed, Times::Instant(at), backend).map_err(|e| format!("{fixed} at {at} ms: {e}"))?;
        check_middle(eval, &fixed, at, backend).map_err(|e| format!("{fixed} at {at} ms: {e}"))?;
    }
    Ok(())
}

fn check_once(eval: &Eval, query: &str, at: Times, backend: &mut dyn Backend) -> Result<(), String> {
    let expect = &eval.expect;
    let (value, notes) = match (backend.query(query, at), &expect.fail) {
        (Err(error), Some(wanted)) if wanted.accepts(&error) => return Ok(()),
        (Err(error), Some(wanted)) => return Err(format!("failed with `{error}`, not {wanted:?}")),
        (Err(error), None) => return Err(format!("failed: {error}")),
        (Ok((value, _)), Some(_)) => return Err(format!("did not fail, but gave {value:?}")),
        (Ok(answer), None) => answer,
    };
    annotations(expect, &notes)?;
    compare(expect, &value, at)
}

/// The middle step of a range must give what the instant gives.
fn check_middle(eval: &Eval, query: &str, t: i64, backend: &mut dyn Backend) -> Result<(), String> {
    let expect = &eval.expect;
    let context = ["start()", "end()", "range()", "step()"].iter().any(|f| query.to_lowercase().contains(f));
    let other = expect.fail.is_some() || expect.ordered || expect.range_vector.is_some() || expect.string.is_some();
    if context || other {
        return Ok(());
    }
    let at = Times::Range { start: t - 60_000, end: t + 60_000, step: 60_000 };
    let (value, _) = backend.query(query, at).map_err(|e| format!("as a range: {e}"))?;
    let Value::Matrix(series) = value else { return Err(format!("a range gave {value:?}")) };
    let middle = |s: &Series| s.points.iter().find(|(at, _)| *at == t).map(|(_, v)| (s.labels.clone(), *v));
    let samples: Vec<VectorSample> =
        series.iter().filter_map(middle).map(|(labels, v)| VectorSample { labels, t, v }).collect();
    let value = match (&expect.scalar, &*samples) {
        (Some(_), [one]) => Value::Scalar(t, one.v),
        _ => Value::Vector(samples),
    };
    compare(expect, &value, Times::Instant(t)).map_err(|e| format!("as a range: {e}"))
}

/// The query with `@ t` at every selector and subquery that has no fixed time yet; nothing if its functions
/// would still give other results at other times.
fn fixed_at(query: &str, t: i64) -> Option<String> {
    let mut expr = parse_query(query, Features::all()).ok()?;
    fix(&mut expr, t).then(|| expr.to_string())
}

fn fix(expr: &mut Expr, t: i64) -> bool {
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Vector(v) => {
            v.at.get_or_insert(At::Time(t));
            true
        }
        ExprKind::Matrix(m) => {
            m.selector.at.get_or_insert(At::Time(t));
            true
        }
        // What is inside moves with the subquery.
        ExprKind::Subquery(s) => {
            s.at.get_or_insert(At::Time(t));
            steady(&s.expr)
        }
        ExprKind::Call(c) => !moves(c.func) && c.args.iter_mut().all(|a| fix(a, t)),
        ExprKind::Aggregate(a) => a.param.iter_mut().all(|p| fix(p, t)) && fix(&mut a.expr, t),
        ExprKind::Binary(b) => fix(&mut b.lhs, t) && fix(&mut b.rhs, t),
        ExprKind::Unary(u) => fix(&mut u.expr, t),
        ExprKind::Paren(inner) => fix(inner, t),
    }
}

fn steady(expr: &Expr) -> bool {
    fix(&mut expr.clone(), 0)
}

/// Whether a function looks at the time of the evaluation.
const fn moves(func: Func) -> bool {
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
            | Func::Start
            | Func::End
    )
}

fn annotations(expect: &Expect, notes: &Notes) -> Result<(), String> {
    for (kind, wanted, none, found) in [
        ("warning", &expect.warn, expect.no_warn, &notes.warnings),
        ("info", &expect.info, expect.no_info, &notes.infos),
    ] {
        if none && !found.is_empty() {
            return Err(format!("unexpected {kind}: {found:?}"));
        }
        let missing: Vec<&Match> = wanted.iter().filter(|w| !found.iter().any(|f| w.accepts(f))).collect();
        let stray: Vec<&String> =
            found.iter().filter(|f| !wanted.is_empty() && !wanted.iter().any(|w| w.accepts(f))).collect();
        if !missing.is_empty() || !stray.is_empty() {
            return Err(format!("{kind}: {missing:?} is missing, {stray:?} was not expected, of {found:?}"));
        }
    }
    Ok(())
}

fn compare(expect: &Expect, value: &Value, at: Times) -> Result<(), String> {
    match value {
        Value::Scalar(_, v) => match expect.scalar {
            Some(want) if same(want, *v) => Ok(()),
            want => Err(format!("scalar {v}, expected {want:?}")),
        },
        Value::String(_, text) => match &expect.string {
            Some(want) if want == text => Ok(()),
            want => Err(format!("text {text:?}, expected {want:?}")),
        },
        Value::Vector(samples) => {
            for (place, s) in samples.iter().enumerate() {
                let want = expect.series.iter().position(|(labels, _)| *labels == s.labels);
                let Some(i) = want else { return Err(format!("unexpected {} = {}", s.labels, s.v)) };
                if expect.ordered && i != place {
                    return Err(format!("{} is at place {place}, expected {i}", s.labels));
                }
                match expect.series[i].1.first() {
                    Some(Place::Value(want)) if same(*want, s.v) => {}
                    want => return Err(format!("{} = {}, expected {want:?}", s.labels, s.v)),
                }
            }
            all_there(expect, samples.iter().map(|s| &s.labels))
        }
        Value::Matrix(series) => {
            if !series.is_sorted_by(|a, b| a.labels <= b.labels) {
                return Err("series are not sorted".to_owned());
            }
            series.iter().try_for_each(|s| points(expect, s, expect.range_vector.unwrap_or(at)))?;
            all_there(expect, series.iter().map(|s| &s.labels))
        }
    }
}

fn points(expect: &Expect, series: &Series, at: Times) -> Result<(), String> {
    let Some((_, places)) = expect.series.iter().find(|(labels, _)| *labels == series.labels) else {
        return Err(format!("unexpected {} with {:?}", series.labels, series.points));
    };
    let Times::Range { start, step, .. } = at else { return Err("a matrix was not expected".to_owned()) };
    let wanted = (0_i64..).zip(places).filter_map(|(i, p)| match p {
        Place::Value(v) => Some((start + i * step, *v)),
        Place::Missing | Place::Histogram => None,
    });
    let wanted: Vec<(i64, f64)> = wanted.collect();
    let equal = wanted.len() == series.points.len()
        && wanted.iter().zip(&series.points).all(|(w, p)| w.0 == p.0 && same(w.1, p.1));
    if equal { Ok(()) } else { Err(format!("{}: {:?}, expected {wanted:?}", series.labels, series.points)) }
}

fn all_there<'l>(expect: &Expect, found: impl Iterator<Item = &'l Labels>) -> Result<(), String> {
    let found: Vec<&Labels> = found.collect();
    match expect.series.iter().find(|(labels, _)| !found.contains(&labels)) {
        Some((labels, _)) => Err(format!("{labels} is missing")),
        None if expect.scalar.is_some() && found.is_empty() => Err("nothing, expected a scalar".to_owned()),
        None => Ok(()),
    }
}

/// Prometheus' idea of equal results: up to a millionth, NaN equal to NaN, but not to the staleness marker.
fn same(a: f64, b: f64) -> bool {
    const EPSILON: f64 = 1e-6;
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let (sum, diff) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < EPSILON * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < EPSILON
}
