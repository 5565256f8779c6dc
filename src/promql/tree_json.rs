//! Tree → JSON, as Prometheus' `/api/v1/parse_query` answers it (`web/api/v1/translate_ast.go`).

use serde_json::{Value, json};

use crate::base::matcher::Matcher;
use crate::promql::ast::{
    Aggregate, At, Binary, Call, Duration, DurationExpr, Expr, ExprKind, Extension, Group, Matching, MatrixSelector,
    Number, Subquery, Type, Unary, VectorSelector,
};
use crate::promql::printer::decimal;

/// The tree as clients of Prometheus' API know it.
pub fn tree_json(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) => json!({ "type": "numberLiteral", "val": decimal(number.value) }),
        ExprKind::String(text) => json!({ "type": "stringLiteral", "val": text }),
        ExprKind::Paren(inner) => json!({ "type": "parenExpr", "expr": tree_json(inner) }),
        ExprKind::Unary(Unary { negative, expr: inner }) => {
            json!({ "type": "unaryExpr", "op": if *negative { "-" } else { "+" }, "expr": tree_json(inner) })
        }
        ExprKind::Vector(selector) => vector(selector),
        ExprKind::Matrix(MatrixSelector { selector, range }) => {
            let mut tree = vector(selector);
            tree["type"] = "matrixSelector".into();
            tree["range"] = millis(Some(range)).into();
            tree["rangeExpr"] = computed(Some(range));
            tree
        }
        ExprKind::Subquery(Subquery { expr: inner, range, step, offset, at }) => json!({
            "type": "subquery",
            "expr": tree_json(inner),
            "range": millis(Some(range)),
            "rangeExpr": computed(Some(range)),
            "offset": millis(offset.as_ref()),
            "offsetExpr": computed(offset.as_ref()),
            "step": millis(step.as_ref()),
            "stepExpr": computed(step.as_ref()),
            "timestamp": timestamp(*at),
            "startOrEnd": start_or_end(*at),
        }),
        ExprKind::Call(Call { func, args, .. }) => {
            let signature = func.signature();
            json!({
                "type": "call",
                "func": {
                    "name": signature.name,
                    "argTypes": signature.args.iter().map(|ty| type_name(*ty)).collect::<Vec<_>>(),
                    "variadic": signature.variadic,
                    "returnType": type_name(signature.returns),
                },
                "args": args.iter().map(tree_json).collect::<Vec<_>>(),
            })
        }
        ExprKind::Aggregate(Aggregate { op, grouping, param, expr: inner, .. }) => json!({
            "type": "aggregation",
            "op": op.to_string(),
            "expr": tree_json(inner),
            "param": param.as_deref().map(tree_json),
            "grouping": grouping.as_ref().map_or(&[][..], |g| &g.labels),
            "without": grouping.as_ref().is_some_and(|g| g.without),
        }),
        ExprKind::Binary(binary) => {
            let Binary { op, bool_modifier, lhs, rhs, .. } = &**binary;
            json!({
                "type": "binaryExpr",
                "op": op.text(),
                "lhs": tree_json(lhs),
                "rhs": tree_json(rhs),
                "matching": binary.matching.as_ref().map(|m| matching(m, op.is_set())),
                "bool": bool_modifier,
            })
        }
    }
}

fn vector(selector: &VectorSelector) -> Value {
    let VectorSelector { name, matchers, offset, at, extension } = selector;
    json!({
        "type": "vectorSelector",
        "name": name.as_deref().unwrap_or_default(),
        "offset": millis(offset.as_ref()),
        "offsetExpr": computed(offset.as_ref()),
        "matchers": matchers.iter().map(matcher).collect::<Vec<_>>(),
        "timestamp": timestamp(*at),
        "startOrEnd": start_or_end(*at),
        "anchored": *extension == Some(Extension::Anchored),
        "smoothed": *extension == Some(Extension::Smoothed),
    })
}

fn matcher(matcher: &Matcher) -> Value {
    json!({ "name": matcher.name(), "value": matcher.value(), "type": matcher.op().text() })
}

fn matching(matching: &Matching, set: bool) -> Value {
    let Matching { on, labels, group, fill_left, fill_right } = matching;
    let card = match group {
        _ if set => "many-to-many",
        None => "one-to-one",
        Some(Group { left: true, .. }) => "many-to-one",
        Some(Group { left: false, .. }) => "one-to-many",
    };
    json!({
        "card": card,
        "labels": labels,
        "on": on,
        "include": group.as_ref().map_or(&[][..], |g| &g.include),
        "fillValues": { "lhs": fill_left.map(number), "rhs": fill_right.map(number) },
    })
}

/// A number as Go's JSON writes it: whole ones without a fraction. `NaN` and the infinities have no JSON.
fn number(value: f64) -> Value {
    /// Up to here every whole number is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT { json!(value as i64) } else { json!(value) }
}

const fn type_name(ty: Type) -> &'static str {
    match ty {
        Type::Scalar => "scalar",
        Type::String => "string",
        Type::Vector => "vector",
        Type::Matrix => "matrix",
    }
}

/// What is known of a duration before the query's step is; else zero.
fn millis(duration: Option<&Duration>) -> i64 {
    match duration {
        Some(Duration::Millis(millis)) => *millis,
        Some(Duration::Computed(_)) | None => 0,
    }
}

fn computed(duration: Option<&Duration>) -> Value {
    match duration {
        Some(Duration::Computed(expr)) => duration_json(expr, false),
        Some(Duration::Millis(_)) | None => Value::Null,
    }
}

fn duration_json(expr: &DurationExpr, wrapped: bool) -> Value {
    let node = |op: &str, lhs: Option<&DurationExpr>, rhs: Option<&DurationExpr>| {
        json!({
            "type": "durationExpr",
            "op": op,
            "lhs": lhs.map(|e| duration_json(e, false)),
            "rhs": rhs.map(|e| duration_json(e, false)),
            "wrapped": wrapped,
        })
    };
    match expr {
        // Prometheus keeps parentheses in the node inside; around a number there is none, so it makes one.
        DurationExpr::Number(_) if wrapped => node("+", None, Some(expr)),
        DurationExpr::Number(Number { value, duration }) => {
            json!({ "type": "numberLiteral", "val": decimal(*value), "duration": duration })
        }
        DurationExpr::Step => node("step", None, None),
        DurationExpr::Range => node("range", None, None),
        DurationExpr::Min(a, b) => node("min_of", Some(a), Some(b)),
        DurationExpr::Max(a, b) => node("max_of", Some(a), Some(b)),
        DurationExpr::Negative(a) => node("-", None, Some(a)),
        DurationExpr::Positive(a) => node("+", None, Some(a)),
        DurationExpr::Binary(op, a, b) => node(op.text(), Some(a), Some(b)),
        DurationExpr::Paren(a) => duration_json(a, true),
    }
}

fn timestamp(at: Option<At>) -> Option<i64> {
    match at {
        Some(At::Time(millis)) => Some(millis),
        Some(At::Start | At::End) | None => None,
    }
}

fn start_or_end(at: Option<At>) -> Option<&'static str> {
    match at {
        Some(At::Start) => Some("start"),
        Some(At::End) => Some("end"),
        Some(At::Time(_)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parser::{Features, parse_query};

    fn tree(text: &str) -> Value {
        tree_json(&parse_query(text, Features::all()).unwrap())
    }

    #[test]
    fn selectors_keep_their_modifiers_apart() {
        assert_eq!(
            tree(r#"up{job="a"}[5m] @ 1.5 offset -1m"#),
            json!({
                "type": "matrixSelector",
                "name": "up",
                "range": 300_000,
                "rangeExpr": null,
                "offset": -60_000,
                "offsetExpr": null,
                "matchers": [
                    { "name": "job", "value": "a", "type": "=" },
                    { "name": "__name__", "value": "up", "type": "=" },
                ],
                "timestamp": 1_500,
                "startOrEnd": null,
                "anchored": false,
                "smoothed": false,
            })
        );
    }

    #[test]
    fn matching_is_there_only_between_vectors() {
        assert_eq!(tree("a + 1")["matching"], Value::Null);
        assert_eq!(
            tree("a * on (x) group_right (y) fill_left (3) b")["matching"],
            json!({
                "card": "one-to-many",
                "labels": ["x"],
                "on": true,
                "include": ["y"],
                "fillValues": { "lhs": 3, "rhs": null },
            })
        );
        assert_eq!(tree("a and b")["matching"]["card"], "many-to-many");
    }

    #[test]
    fn calls_carry_their_signature() {
        assert_eq!(
            tree("round(a)")["func"],
            json!({ "name": "round", "argTypes": ["vector", "scalar"], "variadic": 1, "returnType": "vector" })
        );
    }

    #[test]
    fn aggregations_without_grouping_have_an_empty_one() {
        let tree = tree("topk(1, a)");
        assert_eq!((&tree["grouping"], &tree["without"]), (&json!([]), &json!(false)));
        assert_eq!(tree["param"], json!({ "type": "numberLiteral", "val": "1" }));
    }

    #[test]
    fn computed_durations_are_trees() {
        assert_eq!(
            tree("a[(5m) + step()]")["rangeExpr"],
            json!({
                "type": "durationExpr",
                "op": "+",
                "lhs": {
                    "type": "durationExpr",
                    "op": "+",
                    "lhs": null,
                    "rhs": { "type": "numberLiteral", "val": "300", "duration": true },
                    "wrapped": true,
                },
                "rhs": { "type": "durationExpr", "op": "step", "lhs": null, "rhs": null, "wrapped": false },
                "wrapped": false,
            })
        );
    }
}
