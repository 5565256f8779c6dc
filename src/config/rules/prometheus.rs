//! Prometheus' form: `groups:`. What `promtool check rules` accepts is accepted, what it refuses is refused, in its words.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::alert::evaluation::Policy;
use crate::base::fnv::Fnv;
use crate::base::message::Severity;
use crate::config::cx::Cx;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::rules::model::{Alerting, DEFAULT_INTERVAL, Rule, RuleGroup, RuleKind};
use crate::config::rules::read::{annotation_name, is_metric_name, label_name, query, raw, template, texts};
use crate::config::yaml::{Node, Value};
use crate::promql::parser::parse_duration;
use crate::render::gotemplate::{Dialect, Template};

/// Reads the list under `groups`.
pub(super) fn groups(cx: &Cx<'_>, node: &Node, out: &mut Vec<RuleGroup>) {
    let Value::Seq(items) = &node.value else {
        let message = format!("`groups` takes a list, not {}", node.kind_name());
        cx.error(node.mark(), Code::WrongType, message, "begin each group with `- name: …`");
        return;
    };
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for item in items {
        let Some(group) = group(cx, item) else { continue };
        let line = cx.source().position(item.span.start).line;
        match names.get(&group.name) {
            Some(first) => {
                let message = format!("groupname: \"{}\" is repeated in the same file", group.name);
                cx.error(item.mark(), Code::DuplicateName, message, format!("the other is in line {first}"));
            }
            None => drop(names.insert(group.name.clone(), line)),
        }
        out.push(group);
    }
}

/// A duration as Prometheus writes it.
fn duration(cx: &Cx<'_>, fields: &mut Fields<'_>, key: &'static str) -> Option<Duration> {
    let node = fields.node(key)?;
    let text = raw(cx, key, node)?;
    match parse_duration(text) {
        Ok(millis) => Some(Duration::from_millis(millis.unsigned_abs())),
        Err(e) => {
            let hint = "write a duration such as `30s`, `5m` or `1h30m`, the largest unit first";
            cx.error(node.mark(), Code::BadValue, format!("`{key}`: {e}"), hint);
            None
        }
    }
}

fn group(cx: &Cx<'_>, node: &Node) -> Option<RuleGroup> {
    let mut fields = Fields::of(cx, node)?;
    let name = fields.node("name").and_then(|n| raw(cx, "name", n)).unwrap_or_default().to_owned();
    if name.is_empty() {
        cx.error(fields.head(), Code::MissingKey, "Groupname must not be empty", "give the group a name: `name: web`");
    }
    let interval = duration(cx, &mut fields, "interval").filter(|d| !d.is_zero()).unwrap_or(DEFAULT_INTERVAL);
    let query_offset = duration(cx, &mut fields, "query_offset").unwrap_or_default();
    let limit = fields.node("limit").and_then(|n| whole(cx, n)).unwrap_or(0);
    let shared: Vec<(String, String)> = match fields.node("labels") {
        None => Vec::new(),
        Some(labels) => texts(cx, "labels", labels)
            .into_iter()
            .filter(|(entry, _)| label_name(cx, entry))
            .map(|(entry, value)| (entry.key.clone(), value.to_owned()))
            .collect(),
    };
    let list = fields.node("rules");
    fields.finish();
    let mut rules = Vec::new();
    match list {
        None => {}
        Some(Node { value: Value::Seq(items), .. }) => {
            rules.extend(items.iter().filter_map(|item| rule(cx, item, &shared)));
        }
        Some(other) => {
            let message = format!("`rules` takes a list, not {}", other.kind_name());
            cx.error(other.mark(), Code::WrongType, message, "begin each rule with `- alert: …` or `- record: …`");
        }
    }
    let at = cx.source().position(node.span.start);
    let mut hash = Fnv::default();
    (cx.source().path(), &name).hash(&mut hash);
    cx.digest(node, &mut hash);
    Some(RuleGroup {
        name,
        file: cx.source().path().to_owned(),
        interval,
        limit,
        query_offset,
        rules,
        source: format!("{}:{}:{}", cx.source().path(), at.line, at.column),
        hash: hash.finish(),
    })
}

/// A whole number; negative ones mean none, as they do in Prometheus.
fn whole(cx: &Cx<'_>, node: &Node) -> Option<usize> {
    let text = raw(cx, "limit", node)?;
    // Fractions are cut off, as Go's reader of YAML does.
    match text.parse::<i64>().ok().or_else(|| text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n as i64)) {
        Some(n) => Some(usize::try_from(n).unwrap_or(0)),
        None => {
            let message = format!("`limit` is `{text}`, which is not a whole number");
            cx.error(node.mark(), Code::WrongType, message, "write a number without quotes or unit");
            None
        }
    }
}

/// One rule; `None` when it does not stand.
fn rule(cx: &Cx<'_>, node: &Node, shared: &[(String, String)]) -> Option<Rule> {
    let before = cx.error_count();
    let mut fields = Fields::of(cx, node)?;
    let head = fields.head();
    let (alert, record, expr) = (fields.node("alert"), fields.node("record"), fields.node("expr"));
    let named = |key: &str, node: Option<&Node>| -> String {
        node.and_then(|n| raw(cx, key, n)).unwrap_or_default().to_owned()
    };
    let (alert_name, record_name) = (named("alert", alert), named("record", record));
    let hold = duration(cx, &mut fields, "for").unwrap_or_default();
    let keep_firing_for = duration(cx, &mut fields, "keep_firing_for").unwrap_or_default();
    let (labels, annotations) = (fields.node("labels"), fields.node("annotations"));
    fields.finish();
    let say = |at: Option<&Node>, message: &str, hint: &str| {
        cx.error(at.map_or(head, Node::mark), Code::Conflict, message, hint);
    };
    match (alert_name.is_empty(), record_name.is_empty()) {
        (false, false) => say(record, "only one of 'record' and 'alert' must be set", "make two rules of it"),
        (true, true) => say(None, "one of 'record' or 'alert' must be set", "name the rule: `alert: …` or `record: …`"),
        _ => {}
    }
    let text = expr.and_then(|n| raw(cx, "expr", n)).unwrap_or_default();
    let parsed = match expr {
        Some(node) if !text.is_empty() => query(cx, node, text),
        _ => {
            cx.error(
                expr.map_or(head, Node::mark),
                Code::MissingKey,
                "field 'expr' must be set in rule",
                "write a query",
            );
            None
        }
    };
    if !record_name.is_empty() {
        if annotations.is_some_and(|n| !matches!(&n.value, Value::Map(entries) if entries.is_empty())) {
            say(record, "invalid field 'annotations' in recording rule", "take `annotations` out");
        }
        if !hold.is_zero() {
            say(record, "invalid field 'for' in recording rule", "take `for` out");
        }
        if !keep_firing_for.is_zero() {
            say(record, "invalid field 'keep_firing_for' in recording rule", "take `keep_firing_for` out");
        }
        if !is_metric_name(&record_name) {
            let message = format!("invalid recording rule name: {record_name}");
            cx.error(record.map_or(head, Node::mark), Code::BadValue, message, "use letters, digits, `_` and `:`");
        }
    }
    // The group's labels first: those of the rule replace them.
    let mut given: BTreeMap<String, Template> =
        shared.iter().map(|(name, value)| (name.clone(), Template::verbatim(value))).collect();
    let is_alert = !alert_name.is_empty();
    if is_alert {
        for (name, value) in shared {
            if let Ok(template) = Template::parse("", value, Dialect::Prometheus) {
                given.insert(name.clone(), template);
            }
        }
    }
    for (entry, value) in labels.map(|n| texts(cx, "labels", n)).unwrap_or_default() {
        let good = label_name(cx, entry);
        let template = if is_alert {
            let what = format!("label \"{}\"", entry.key);
            template(cx, &alert_name, &what, &entry.value, value, Dialect::Prometheus)
        } else {
            Some(Template::verbatim(value))
        };
        if let Some(template) = template.filter(|_| good) {
            given.insert(entry.key.clone(), template);
        }
    }
    let mut notes = BTreeMap::new();
    for (entry, value) in annotations.map(|n| texts(cx, "annotations", n)).unwrap_or_default() {
        let good = annotation_name(cx, entry);
        let what = format!("annotation \"{}\"", entry.key);
        let template =
            if is_alert { template(cx, &alert_name, &what, &entry.value, value, Dialect::Prometheus) } else { None };
        if let Some(template) = template.filter(|_| good) {
            notes.insert(entry.key.clone(), template);
        }
    }
    let sound = cx.error_count() == before;
    let expr = parsed.filter(|_| sound)?;
    let severity = given.get("severity").and_then(|t| t.fixed().and_then(Severity::parse));
    let kind = if is_alert {
        let policy = Policy { hold, keep_firing_for, ..Policy::default() };
        RuleKind::Alert(Box::new(Alerting { policy, annotations: notes.into_iter().collect(), severity }))
    } else {
        RuleKind::Record
    };
    let name = if is_alert { alert_name } else { record_name };
    Some(assemble(cx, node, name, text.to_owned(), expr, given, kind))
}

/// Puts a rule together.
pub(super) fn assemble(
    cx: &Cx<'_>,
    node: &Node,
    name: String,
    query: String,
    expr: crate::promql::ast::Expr,
    labels: BTreeMap<String, Template>,
    kind: RuleKind,
) -> Rule {
    let mut hash = Fnv::default();
    (matches!(kind, RuleKind::Record), &name).hash(&mut hash);
    labels.iter().for_each(|(name, value)| (name, value.source()).hash(&mut hash));
    let at = cx.source().position(node.span.start);
    let source = format!("{}:{}:{}", cx.source().path(), at.line, at.column);
    Rule { name, query, expr, labels: labels.into_iter().collect(), kind, source, identity: hash.finish() }
}
