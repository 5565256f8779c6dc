//! Our own form: `rules:`. A condition beside the query, a second threshold for recovery, and an explicit word on what
//! no data and errors mean.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::alert::evaluation::{Absent, Condition, Policy};
use crate::base::fnv::Fnv;
use crate::base::message::Severity;
use crate::config::cx::Cx;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::rules::model::{Alerting, OWN_INTERVAL, Rule, RuleGroup, RuleKind};
use crate::config::rules::prometheus::assemble;
use crate::config::rules::read::{annotation_name, is_metric_name, label_name, query, raw, template, texts};
use crate::config::yaml::{Node, Value};
use crate::promql::ast::{Binary, BinaryOp, Expr, ExprKind, Type};
use crate::render::gotemplate::{Dialect, Template};

const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
const ANY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(365 * 86_400);
/// The label that says why an alert is there without a value: `nodata`, `error`.
pub const REASON: &str = "reason";

/// Reads the list under `rules`. Those of a file that have the same interval form one group, in the order written.
pub(super) fn rules(cx: &Cx<'_>, node: &Node, out: &mut Vec<RuleGroup>) {
    let Value::Seq(items) = &node.value else {
        let message = format!("`rules` takes a list, not {}", node.kind_name());
        cx.error(node.mark(), Code::WrongType, message, "begin each rule with `- name: …`");
        return;
    };
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: BTreeMap<Duration, (Vec<Rule>, Fnv, usize)> = BTreeMap::new();
    for item in items {
        let before = cx.error_count();
        let Some((interval, rule)) = rule(cx, item).filter(|_| cx.error_count() == before) else { continue };
        if rule.alerting().is_some() {
            let line = cx.source().position(item.span.start).line;
            if let Some(first) = names.insert(rule.name.clone(), line) {
                let message = format!("the name `{}` is taken by the rule in line {first}", rule.name);
                cx.error(item.mark(), Code::DuplicateName, message, "give one of the two another name");
                continue;
            }
        }
        let (list, hash, _) = groups.entry(interval).or_insert_with(|| (Vec::new(), Fnv::default(), item.span.start));
        cx.digest(item, hash);
        list.push(rule);
    }
    let path = cx.source().path();
    let stem = path.strip_prefix("rules.d/").unwrap_or(path);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    for (interval, (rules, mut hash, start)) in groups {
        let mut name = if interval == OWN_INTERVAL {
            stem.to_owned()
        } else {
            format!("{stem} every {}", crate::base::units::Exact(interval))
        };
        // A group in Prometheus' form may have taken the name; file and name are what tells groups apart.
        while out.iter().any(|g| g.name == name) {
            name.push_str(" (own form)");
        }
        (path, &name, interval).hash(&mut hash);
        let at = cx.source().position(start);
        out.push(RuleGroup {
            name,
            file: path.to_owned(),
            interval,
            limit: 0,
            query_offset: Duration::ZERO,
            rules,
            source: format!("{path}:{}:{}", at.line, at.column),
            hash: hash.finish(),
        });
    }
}

fn rule(cx: &Cx<'_>, node: &Node) -> Option<(Duration, Rule)> {
    let mut fields = Fields::of(cx, node)?;
    misnamed(&mut fields);
    let interval = fields.duration("interval", INTERVAL).unwrap_or(OWN_INTERVAL);
    let query_node = fields.node("query");
    let text = query_node.and_then(|n| raw(cx, "query", n)).unwrap_or_default();
    let expr = match query_node {
        Some(node) if !text.trim().is_empty() => query(cx, node, text),
        _ => {
            fields.missing("query", "write a query: `query: up == 0`");
            None
        }
    };
    let rule = match fields.node("record") {
        Some(record) => recording(cx, &mut fields, node, record, text, expr),
        None => alerting(cx, &mut fields, node, query_node, text, expr),
    };
    fields.finish();
    Some((interval, rule?))
}

/// Words of Prometheus' form that stand for one of ours.
fn misnamed(fields: &mut Fields<'_>) {
    for (theirs, ours) in [("alert", "name"), ("expr", "query"), ("for", "duration")] {
        if fields.node(theirs).is_some() {
            let message = format!("`{theirs}` is Prometheus' word; in a list of rules it is `{ours}`");
            let hint = format!("write `{ours}`, or put the rule into a group under `groups`");
            fields.error(fields.head(), Code::UnknownKey, message, hint);
        }
    }
}

fn recording(
    cx: &Cx<'_>,
    fields: &mut Fields<'_>,
    node: &Node,
    record: &Node,
    text: &str,
    expr: Option<Expr>,
) -> Option<Rule> {
    let name = raw(cx, "record", record)?;
    if !is_metric_name(name) {
        let hint = "use letters, digits, `_` and `:`, no digit first";
        cx.error(record.mark(), Code::BadValue, format!("invalid recording rule name: {name}"), hint);
    }
    const ALERTS_ONLY: [&str; 8] =
        ["name", "condition", "duration", "keep_firing_for", "severity", "annotations", "on_no_data", "on_error"];
    for key in ALERTS_ONLY {
        if let Some(node) = fields.node(key) {
            let message = format!("`{key}` belongs to alerts, and this rule records a series");
            cx.error(node.mark(), Code::Conflict, message, format!("take `{key}` or `record` out"));
        }
    }
    let mut labels = BTreeMap::new();
    for (entry, value) in fields.node("labels").map(|n| texts(cx, "labels", n)).unwrap_or_default() {
        if label_name(cx, entry) {
            labels.insert(entry.key.clone(), Template::verbatim(value));
        }
    }
    Some(assemble(cx, node, name.to_owned(), text.to_owned(), expr?, labels, RuleKind::Record))
}

fn alerting(
    cx: &Cx<'_>,
    fields: &mut Fields<'_>,
    node: &Node,
    query_node: Option<&Node>,
    text: &str,
    expr: Option<Expr>,
) -> Option<Rule> {
    let name = fields.need_text("name", "name the alert, or the series with `record`").map(|t| t.shown().to_owned());
    let hold = fields.duration("duration", ANY).unwrap_or_default();
    let keep_firing_for = fields.duration("keep_firing_for", ANY).unwrap_or_default();
    let condition = condition(fields);
    let on_no_data = absent(fields, "on_no_data", Absent::Ok);
    let on_error = absent(fields, "on_error", Absent::Keep);
    let severity = fields.node("severity").and_then(|n| {
        let word = raw(cx, "severity", n)?;
        let severity = Severity::parse(word);
        if severity.is_none() {
            let message = format!("there is no severity `{word}`");
            cx.error(n.mark(), Code::BadValue, message, "write `info`, `warning` or `critical`");
        }
        severity
    });
    let alert = name.as_deref().unwrap_or_default();
    let mut labels = BTreeMap::new();
    for (entry, value) in fields.node("labels").map(|n| texts(cx, "labels", n)).unwrap_or_default() {
        let good = label_name(cx, entry);
        let what = format!("label \"{}\"", entry.key);
        if let Some(t) = template(cx, alert, &what, &entry.value, value, Dialect::Friendly).filter(|_| good) {
            labels.insert(entry.key.clone(), t);
        }
        if entry.key == "severity" && severity.is_some() {
            let message = "`severity` stands here and among the labels";
            cx.error(entry.key_span, Code::Conflict, message, "keep one of the two");
        }
    }
    if let Some(severity) = severity {
        labels.insert("severity".to_owned(), Template::verbatim(severity.as_str()));
    }
    let severity = severity.or_else(|| labels.get("severity").and_then(|t| t.fixed().and_then(Severity::parse)));
    let mut annotations = BTreeMap::new();
    for (entry, value) in fields.node("annotations").map(|n| texts(cx, "annotations", n)).unwrap_or_default() {
        let good = annotation_name(cx, entry);
        let what = format!("annotation \"{}\"", entry.key);
        if let Some(t) = template(cx, alert, &what, &entry.value, value, Dialect::Friendly).filter(|_| good) {
            annotations.insert(entry.key.clone(), t);
        }
    }
    let (name, mut expr) = (name?, expr?);
    let mut policy = Policy { hold, keep_firing_for, condition, on_no_data, on_error };
    if !matches!(expr.ty(), Type::Scalar | Type::Vector) {
        let message = "an alert needs a query that gives a vector or a number";
        cx.error(
            query_node.map_or(node.mark(), Node::mark),
            Code::BadValue,
            message,
            "aggregate the range: `avg_over_time(…)`",
        );
    }
    if condition.is_none() && on_no_data != Absent::Ok {
        // Whether there is data shows before the comparison, not behind it.
        match split(expr) {
            Ok((inner, condition)) => (expr, policy.condition) = (inner, Some(condition)),
            Err(whole) => {
                expr = *whole;
                let message = "without a condition, no data looks like nothing wrong";
                let hint = "write the threshold under `condition:`, e.g. `condition: {above: 0.5}`";
                cx.error(fields.head(), Code::Conflict, message, hint);
            }
        }
    }
    let kind = RuleKind::Alert(Box::new(Alerting { policy, annotations: annotations.into_iter().collect(), severity }));
    Some(assemble(cx, node, name, text.to_owned(), expr, labels, kind))
}

/// `vector > number` as the vector and the condition; anything else comes back whole.
fn split(expr: Expr) -> Result<(Expr, Condition), Box<Expr>> {
    let Expr { kind, span } = expr;
    let kind = match kind {
        ExprKind::Paren(inner) => return split(*inner),
        ExprKind::Binary(binary) => match *binary {
            Binary { op, bool_modifier: false, lhs, rhs: Expr { kind: ExprKind::Number(n), .. }, .. }
                if lhs.ty() == Type::Vector && simple(op, n.value).is_some() =>
            {
                return Ok((lhs, simple(op, n.value).unwrap_or_default()));
            }
            binary => ExprKind::Binary(Box::new(binary)),
        },
        kind => kind,
    };
    Err(Box::new(Expr { kind, span }))
}

fn simple(op: BinaryOp, n: f64) -> Option<Condition> {
    let none = Condition::default();
    match op {
        BinaryOp::Greater => Some(Condition { above: Some(n), ..none }),
        BinaryOp::Less => Some(Condition { below: Some(n), ..none }),
        BinaryOp::GreaterEqual => Some(Condition { above: Some(n), equals: Some(n), ..none }),
        BinaryOp::LessEqual => Some(Condition { below: Some(n), equals: Some(n), ..none }),
        BinaryOp::Equal => Some(Condition { equals: Some(n), ..none }),
        BinaryOp::NotEqual => Some(Condition { not_equals: Some(n), ..none }),
        _ => None,
    }
}

fn absent(fields: &mut Fields<'_>, key: &'static str, otherwise: Absent) -> Absent {
    let read = fields.parse(key, "write `ok`, `alert` or `keep`", |word| match word {
        "ok" => Ok(Absent::Ok),
        "alert" => Ok(Absent::Alert),
        "keep" => Ok(Absent::Keep),
        _ => Err(format!("`{word}` is not one of the words")),
    });
    read.unwrap_or(otherwise)
}

fn condition(fields: &mut Fields<'_>) -> Option<Condition> {
    const FINITE: RangeInclusive<f64> = f64::MIN..=f64::MAX;
    let mut fields = fields.nested_of("condition", "above")?;
    let condition = Condition {
        above: fields.number("above", FINITE),
        below: fields.number("below", FINITE),
        equals: fields.number("equals", FINITE),
        not_equals: fields.number("not_equals", FINITE),
        recover_below: fields.number("recover_below", FINITE),
        recover_above: fields.number("recover_above", FINITE),
    };
    let Condition { above, below, equals, not_equals, recover_below, recover_above } = condition;
    let head = fields.head();
    if [above, below, equals, not_equals].iter().all(Option::is_none) {
        let hint = "write `above`, `below`, `equals` or `not_equals`";
        fields.error(head, Code::MissingKey, "the condition has no threshold", hint);
    }
    for (recover, bound, name, of, wrong) in [
        (recover_below, above, "recover_below", "above", recover_below > above),
        (recover_above, below, "recover_above", "below", recover_above < below),
    ] {
        if recover.is_some() && bound.is_none() {
            let message = format!("`{name}` needs `{of}`");
            fields.error(head, Code::Conflict, message, format!("add `{of}`, or take `{name}` out"));
        } else if recover.is_some() && wrong {
            let side = if name == "recover_below" { "above" } else { "below" };
            let message = format!("`{name}` lies {side} `{of}`: the alert would end and begin at once");
            fields.error(head, Code::Conflict, message, format!("put it on the other side of `{of}`"));
        }
    }
    fields.finish();
    Some(condition)
}
