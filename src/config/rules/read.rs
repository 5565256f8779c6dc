//! What both forms of rules have in common: queries, templates, names, label maps.

use crate::base::labels::METRIC_NAME;
use crate::config::cx::Cx;
use crate::config::report::Code;
use crate::config::rules::place::place;
use crate::config::yaml::{Entry, Node, Value};
use crate::promql::ast::Expr;
use crate::promql::parser::{Features, parse};
use crate::render::gotemplate::{Dialect, Template};

/// The text of a scalar as it stands: rules hold `${1}` and the like, which are no references. Null is no text.
pub(super) fn raw<'a>(cx: &Cx<'_>, key: &str, node: &'a Node) -> Option<&'a str> {
    if node.is_null() {
        return None;
    }
    let text = node.as_str();
    if text.is_none() {
        let message = format!("`{key}` takes a text, not {}", node.kind_name());
        cx.error(node.mark(), Code::WrongType, message, "write one value, in quotes if it has special characters");
    }
    text
}

/// Reads a query; every mistake is reported where it stands in the file.
pub(super) fn query(cx: &Cx<'_>, node: &Node, text: &str) -> Option<Expr> {
    let parsed = parse(text, Features::stable());
    for problem in &parsed.problems {
        let span = place(cx.source().text(), node, &problem.span);
        let hint = problem.hint.clone().unwrap_or_else(|| "see the guide on queries".to_owned());
        cx.error(span, Code::BadValue, format!("could not parse expression: {}", problem.message), hint);
    }
    parsed.expr.filter(|_| parsed.problems.is_empty())
}

/// Reads a template; `what` says of which label or annotation.
pub(super) fn template(
    cx: &Cx<'_>,
    alert: &str,
    what: &str,
    node: &Node,
    text: &str,
    dialect: Dialect,
) -> Option<Template> {
    match Template::parse(&format!("__alert_{alert}"), text, dialect) {
        Ok(template) => Some(template),
        Err(e) => {
            let end = text[e.at..].chars().next().map_or(e.at, |c| e.at + c.len_utf8());
            let span = place(cx.source().text(), node, &(e.at..end));
            cx.error(span, Code::BadValue, format!("{what}: {e}"), "annotations and labels are Go templates");
            None
        }
    }
}

/// The entries of a mapping of texts. Null values are empty texts.
pub(super) fn texts<'a>(cx: &Cx<'_>, key: &str, node: &'a Node) -> Vec<(&'a Entry, &'a str)> {
    let Value::Map(entries) = &node.value else {
        let message = format!("`{key}` takes `name: value` lines, not {}", node.kind_name());
        cx.error(node.mark(), Code::WrongType, message, format!("write `{key}: {{name: value}}`"));
        return Vec::new();
    };
    let text = |e: &'a Entry| {
        if e.value.is_null() { Some("") } else { raw(cx, &e.key, &e.value) }
    };
    entries.iter().filter_map(|e| Some((e, text(e)?))).collect()
}

/// Letters, digits and `_`, no digit first; besides, what UTF-8 names are there for: dots, and letters of other
/// languages. Blanks, braces and signs are Prometheus 3's to use, but in a rule file they are mistakes, as they were
/// before it.
fn is_name(name: &str, colons: bool) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && name.chars().all(|c| match c {
            '_' | '.' => true,
            ':' => colons,
            c => c.is_alphanumeric() && (c.is_ascii() || c.is_alphabetic()),
        })
}

/// Whether a series may be recorded under this name.
pub(super) fn is_metric_name(name: &str) -> bool {
    is_name(name, true)
}

/// Checks the name of a label to be put on.
pub(super) fn label_name(cx: &Cx<'_>, entry: &Entry) -> bool {
    let good = is_name(&entry.key, false) && entry.key != METRIC_NAME;
    if !good {
        let hint = "use letters, digits and `_`, no digit first";
        cx.error(entry.key_span, Code::BadValue, format!("invalid label name: {}", entry.key), hint);
    }
    good
}

/// Checks the name of an annotation.
pub(super) fn annotation_name(cx: &Cx<'_>, entry: &Entry) -> bool {
    let good = is_name(&entry.key, false);
    if !good {
        let hint = "use letters, digits and `_`, no digit first";
        cx.error(entry.key_span, Code::BadValue, format!("invalid annotation name: {}", entry.key), hint);
    }
    good
}
