//! What the parser accepts and refuses, in tables: a query, and what becomes of it.

use super::*;
use crate::promql::ast::{At, Duration, ExprKind, Type};

/// A query that stands, and how it is printed.
#[track_caller]
fn good(text: &str, printed: &str) {
    match parse_query(text, Features::all()) {
        Ok(expr) => assert_eq!(expr.to_string(), printed, "{text}"),
        Err(e) => panic!("{text}\n{e}"),
    }
}

/// A query that is printed as it is written.
#[track_caller]
fn same(text: &str) {
    good(text, text);
}

/// A query that does not stand, what is said about it, and the part that is marked.
#[track_caller]
fn bad(text: &str, message: &str, marked: &str) {
    bad_without(Features::all(), text, message, marked);
}

#[track_caller]
fn bad_without(features: Features, text: &str, message: &str, marked: &str) {
    match parse_query(text, features) {
        Ok(expr) => panic!("{text}\nis {expr}"),
        Err(e) => {
            let (place, said) =
                e.to_string().split_once(": parse error: ").map(|(p, s)| (p.to_owned(), s.to_owned())).unwrap();
            assert_eq!(format!("{place} {said}"), message, "{text}");
            assert_eq!(&text[e.problems()[0].span.clone()], marked, "{text}");
        }
    }
}

#[test]
fn numbers_are_written_in_many_ways() {
    for (text, printed) in [
        ("1", "1"),
        ("+Inf", "+Inf"),
        ("-inf", "-Inf"),
        ("NaN", "NaN"),
        (".5", "0.5"),
        ("5.", "5"),
        ("5e-3", "0.005"),
        ("5E3", "5000"),
        ("0xc", "12"),
        ("0X_1F", "31"),
        ("0755", "493"),
        ("089", "89"),
        ("-0755", "-493"),
        ("+5.5e-3", "0.0055"),
        ("1_000_000", "1000000"),
        ("1_0.2_5e1_0", "102500000000"),
        ("1e300", &format!("1{}", "0".repeat(300))),
        ("- -1", "1"),
        ("5m", "5m"),
        ("-1h30m", "-1h30m"),
        ("90m", "1h30m"),
        ("1y2w3d4h5m6s7ms", "382d4h5m6s7ms"),
        ("0s", "0s"),
    ] {
        good(text, printed);
    }
}

#[test]
fn texts_have_three_kinds_of_quotes() {
    for (text, value) in [
        (r#""a\"b""#, "a\"b"),
        (r"'a\'b'", "a'b"),
        (r#"'a"b'"#, "a\"b"),
        (r"`a\b`", r"a\b"),
        (r#""\a\b\f\n\r\t\v\\""#, "\u{7}\u{8}\u{c}\n\r\t\u{b}\\"),
        (r#""\x41\101\u00fc\U0001F600""#, "AAü😀"),
        (r#""\xc3\xbc""#, "ü"),
        (r#""\xff""#, "\u{fffd}"),
        ("`a\nb`", "a\nb"),
    ] {
        let expr = parse_query(text, Features::stable()).unwrap();
        assert_eq!(expr.kind, ExprKind::String(value.to_owned()), "{text}");
        assert_eq!(expr.ty(), Type::String);
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, grouped) in [
        ("a + b * c", "(a + (b * c))"),
        ("a * b + c", "((a * b) + c)"),
        ("a - b - c", "((a - b) - c)"),
        ("a ^ b ^ c", "(a ^ (b ^ c))"),
        ("a / b % c atan2 d", "(((a / b) % c) atan2 d)"),
        ("a and b unless c or d", "(((a and b) unless c) or d)"),
        ("a or b and c", "(a or (b and c))"),
        ("a > b + c == d", "((a > (b + c)) == d)"),
        ("a </ b + c", "(a </ (b + c))"),
        ("-a ^ b", "-((a ^ b))"),
        ("-a * b", "(-(a) * b)"),
        ("a ^ -b * c", "((a ^ -(b)) * c)"),
        ("-1 ^ 2", "-((1 ^ 2))"),
        ("a offset 5m + b", "(a offset 5m + b)"),
        ("a offset -2 ^ 2", "(a offset -2s ^ 2)"),
        ("a offset step() * 2", "(a offset step() * 2)"),
        ("-a offset 5m", "-(a offset 5m)"),
    ] {
        let expr = parse_query(text, Features::all()).unwrap();
        assert_eq!(grouping(&expr), grouped, "{text}");
    }
}

/// Prints operators with all their parentheses.
fn grouping(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Binary(b) => format!("({} {} {})", grouping(&b.lhs), b.op.text(), grouping(&b.rhs)),
        ExprKind::Unary(u) => format!("{}({})", if u.negative { "-" } else { "+" }, grouping(&u.expr)),
        _ => expr.to_string(),
    }
}

#[test]
fn selectors_and_their_modifiers() {
    for (text, printed) in [
        ("up", "up"),
        ("a:b:c", "a:b:c"),
        ("up { }", "up"),
        (r#"up{b="1",a!="2",}"#, r#"up{a!="2",b="1"}"#),
        (r#"{"my.metric", "l.x"="y"}"#, r#"{"l.x"="y",__name__="my.metric"}"#),
        (r#"{__name__=~"a.+", x!~'y'}"#, r#"{__name__=~"a.+",x!~"y"}"#),
        (r#"x{sum="1", by="2", NaN="3"}"#, r#"x{NaN="3",by="2",sum="1"}"#),
        ("x OFFSET 5m", "x offset 5m"),
        ("x offset -1w", "x offset -1w"),
        ("x offset 0s", "x"),
        ("x @ 1.2344", "x @ 1.234"),
        ("x @ -1", "x @ -1.000"),
        ("x @ 5m", "x @ 300.000"),
        ("x @ start() offset 5m", "x @ start() offset 5m"),
        ("x offset 5m @ end()", "x @ end() offset 5m"),
        ("x[5m]", "x[5m]"),
        ("x[300]", "x[5m]"),
        ("x[ 5m ] offset 1m @ 1", "x[5m] @ 1.000 offset 1m"),
        ("x[1h:5m]", "x[1h:5m]"),
        ("x[1h : ] @ 3 offset -5s", "x[1h:] @ 3.000 offset -5s"),
        ("(a + b)[5m:]", "(a + b)[5m:]"),
        ("x offset 1m [10m:5s]", "x offset 1m[10m:5s]"),
        ("rate(x[5m])[1h:1m]", "rate(x[5m])[1h:1m]"),
        ("x # comment\n [5m]", "x[5m]"),
        ("x[1m] anchored", "x[1m] anchored"),
        ("x smoothed", "x smoothed"),
        ("rate(x[5m] smoothed @ 1 offset 1m)", "rate(x[5m] smoothed @ 1.000 offset 1m)"),
    ] {
        good(text, printed);
    }
}

#[test]
fn keywords_are_names_where_nothing_else_can_be_meant() {
    for text in [
        "sum",
        "a + sum",
        "sum(sum)",
        "offset{step=\"1s\"}",
        "start + end",
        "by",
        "and + or",
        "step",
        "range{a=\"b\"}",
        "anchored",
        "min_of + max_of",
        "fill + fill_left",
        "limitk",
        "sum by (and, by, avg, atan2, bool, on, group_left, offset, start, fill) (x)",
        "a unless on (start) b",
    ] {
        same(text);
    }
    same("Inf ^ +Inf");
    good("SUM BY (a) (X)", "sum by (a) (X)");
    good("a AND ON (b) c", "a and on (b) c");
}

#[test]
fn aggregations_and_calls() {
    for (text, printed) in [
        ("sum(x) by (a)", "sum by (a) (x)"),
        ("sum without () (x)", "sum without () (x)"),
        ("sum by () (x)", "sum(x)"),
        (r#"sum by ("foo bar", a, 'b',) (x)"#, r#"sum by ("foo bar", a, b) (x)"#),
        ("topk(5, x) by (a)", "topk by (a) (5, x)"),
        (r#"count_values("v", x)"#, r#"count_values("v", x)"#),
        ("limit_ratio(-0.5, x)", "limit_ratio(-0.5, x)"),
        ("time()", "time()"),
        ("round(x, 5)", "round(x, 5)"),
        (r#"label_join(x, "a", "b")"#, r#"label_join(x, "a", "b")"#),
        ("min_of(1, max_of(2, 3))", "min_of(1, max_of(2, 3))"),
        (r#"info(x, {a=~".*"})"#, r#"info(x, {a=~".*"})"#),
        ("info(x, {})", "info(x, {})"),
        (r#"histogram_quantiles(x, "q", 0.5, 0.9)"#, r#"histogram_quantiles(x, "q", 0.5, 0.9)"#),
    ] {
        good(text, printed);
    }
}

#[test]
fn vectors_are_matched_by_labels() {
    for text in [
        "a == bool 1",
        "a + on (x, y) b",
        "a + ignoring (x) b",
        "a * on () group_left () b",
        "a * ignoring (x) group_right (y) b",
        "a > bool on (x) group_left (y) b",
        "a and on () b",
        "a + fill (1) b",
        "a + on (x) fill_left (-1) fill_right (1e+06) b",
    ] {
        same(text);
    }
    good("a + ignoring () b", "a + b");
    good("a / on(x) group_left b", "a / on (x) group_left () b");
    good("a + fill_right (5m) fill_left (+Inf) b", "a + fill_left (+Inf) fill_right (300) b");
}

#[test]
fn durations_are_computed() {
    for (text, printed) in [
        ("x[5m * 2]", "x[5m * 2]"),
        ("x[11s+10s-5*2^2]", "x[11s + 10s - 5 * 2 ^ 2]"),
        ("x[-(10s-5s)+20s]", "x[-(10s - 5s) + 20s]"),
        ("x[  -  step  (  )  ]", "x[-step()]"),
        ("x[max_of(STEP(),5s):min_of(1m, range()/2)]", "x[max_of(step(), 5s):min_of(1m, range() / 2)]"),
        ("x offset -min_of(5s,step()+8s)", "x offset -min_of(5s, step() + 8s)"),
        ("x offset (5m * 2) + 1", "x offset (5m * 2) + 1"),
        ("x offset -(1^2)", "x offset -(1 ^ 2)"),
        ("x offset +step()", "x offset step()"),
        ("x[step() * step():range()]", "x[step() * step():range()]"),
        ("x[4s+4s:1s*2] offset (5s-8)", "x[4s + 4s:1s * 2] offset (5s - 8)"),
    ] {
        good(text, printed);
    }
    let expr = parse_query("x offset 1.5", Features::stable()).unwrap();
    let ExprKind::Vector(selector) = expr.kind else { panic!("{expr}") };
    assert_eq!(selector.offset, Some(Duration::Millis(1_500)));
    let expr = parse_query("x @ 3.3335", Features::stable()).unwrap();
    let ExprKind::Vector(selector) = expr.kind else { panic!("{expr}") };
    assert_eq!(selector.at, Some(At::Time(3_334)));
}

#[test]
fn nodes_know_their_place() {
    let text = " sum by (a) (rate(x{b=\"c\"}[5m] offset 1m)) > bool -1 ";
    let expr = parse_query(text, Features::all()).unwrap();
    assert_eq!(&text[expr.span.clone()], text.trim());
    let ExprKind::Binary(binary) = &expr.kind else { panic!("{expr}") };
    assert_eq!(&text[binary.op_span.clone()], ">");
    assert_eq!(&text[binary.rhs.span.clone()], "-1");
    let ExprKind::Aggregate(sum) = &binary.lhs.kind else { panic!("{expr}") };
    assert_eq!(&text[sum.op_span.clone()], "sum");
    let ExprKind::Call(rate) = &sum.expr.kind else { panic!("{expr}") };
    assert_eq!(&text[rate.args[0].span.clone()], "x{b=\"c\"}[5m] offset 1m");
    let text = "(sum(x) )";
    let expr = parse_query(text, Features::all()).unwrap();
    let ExprKind::Paren(inner) = &expr.kind else { panic!("{expr}") };
    assert_eq!(&text[inner.span.clone()], "sum(x)");
}

#[test]
fn texts_that_are_no_tokens() {
    bad("1 !~ 1", "1:3 unexpected character after '!': '~'", "!");
    bad("1 =~ 1", "1:3 unexpected character after '=': '~'", "=~");
    bad(".", "1:1 unexpected character: '.'", ".");
    bad("a;", "1:2 unexpected character: ';'", ";");
    bad("}", "1:1 unexpected character: '}'", "}");
    bad("2.5.", "1:1 bad number or duration syntax: \"2.5.\"", "2.5.");
    bad("100..4", "1:1 bad number or duration syntax: \"100..\"", "100..4");
    bad("0deadbeef", "1:1 bad number or duration syntax: \"0de\"", "0deadbeef");
    bad("x[5mm]", "1:3 bad number or duration syntax: \"5mm\"", "5mm");
    bad("x[5m:1m1]", "1:6 bad number or duration syntax: \"1m1\"", "1m1");
    bad("(1))", "1:5 unexpected right parenthesis ')'", ")");
    bad("((1)", "1:5 unclosed left parenthesis", "");
    bad("sum(", "1:5 unclosed left parenthesis", "");
    bad("x[5m", "1:5 unclosed left bracket", "");
    bad("x[", "1:3 unexpected end of input in duration expression", "");
    bad("x[:1m]", "1:4 unexpected colon before duration in duration expression", ":");
    bad("x[5m:1m:1m]", "1:8 unexpected colon ':'", ":");
    bad("x[5m[", "1:5 unexpected left bracket '['", "[");
    bad("x]", "1:2 unexpected right bracket ']'", "]");
    bad("x[\"5m\"]", "1:3 unexpected character in duration expression: '\"'", "\"");
    bad("x[foo]", "1:3 unexpected character in duration expression: 'f'", "foo");
    bad("x[5s s 5s]", "1:6 unexpected character: 's', expected ':'", "s");
    bad("x{", "1:3 unexpected end of input inside braces", "");
    bad("x{{", "1:3 unexpected left brace '{'", "{");
    bad("x{a:b=\"b\"}", "1:4 unexpected character inside braces: ':'", ":");
    bad("x{a!b}", "1:4 unexpected character after '!' inside braces: 'b'", "!");
    bad("\"ab", "1:1 unterminated quoted string", "\"ab");
    bad("\"a\nb\"", "1:1 unterminated quoted string", "\"a");
    bad("`\\``", "1:4 unterminated raw string", "`");
    bad(r#""\c""#, "1:1 unknown escape sequence U+0063 'c'", r#""\c""#);
    bad(r#""\x.""#, "1:1 illegal character U+002E '.' in escape sequence", r#""\x.""#);
    bad(r#""\ud800""#, "1:1 escape sequence is an invalid Unicode code point", r#""\ud800""#);
    bad(r#""\400""#, "1:1 escape sequence is an invalid Unicode code point", r#""\400""#);
    bad("\"\\", "1:1 escape sequence not terminated", "\"\\");
}

#[test]
fn tokens_in_wrong_places() {
    bad("1+", "1:3 unexpected end of input", "");
    bad("*1", "1:1 unexpected <op:*>", "*");
    bad("@@", "1:1 unexpected <op:@>", "@");
    bad("-=", "1:2 unexpected \"=\"", "=");
    bad("a b", "1:3 unexpected identifier \"b\"", "b");
    bad("a \"b\"", "1:3 unexpected string \"\\\"b\\\"\"", "\"b\"");
    bad("a 12345678901", "1:3 unexpected number \"1234567890\"...", "12345678901");
    bad("a:b(x)", "1:4 unexpected \"(\"", "(");
    bad("a - on(b) ignoring(c) d", "1:11 unexpected <ignoring>", "ignoring");
    bad("a * group_left(b) c", "1:5 unexpected <group_left>", "group_left");
    bad("a + on (x) group_left [", "1:23 unexpected \"[\" in grouping opts, expected \"(\"", "[");
    bad("sum x by (y)", "1:5 unexpected identifier \"x\"", "x");
    bad("sum (x) without (y) by (z)", "1:21 unexpected <by>", "by");
    bad("sum by (x) 5", "1:12 unexpected number \"5\" in aggregation", "5");
    bad("sum(x y)", "1:7 unexpected identifier \"y\" in aggregation", "y");
    bad("rate(x y)", "1:8 unexpected identifier \"y\"", "y");
    bad("sum(rate(x y))", "1:12 unexpected identifier \"y\" in aggregation", "y");
    bad("sum (x) by y", "1:12 unexpected identifier \"y\" in grouping opts, expected \"(\"", "y");
    bad("sum without(==)(x)", "1:13 unexpected <op:==> in grouping opts, expected label", "==");
    bad("sum without(,)(x)", "1:13 unexpected \",\" in grouping opts, expected label", ",");
    bad("sum by (without)(x)", "1:9 unexpected <without> in grouping opts, expected label", "without");
    bad("sum by (a b)(x)", "1:11 unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"", "b");
    bad("rate(a,,b)", "1:7 trailing commas not allowed in function call args", ",");
    bad("topk(x,)", "1:7 trailing commas not allowed in function call args", ",");
    bad("x{a=b}", "1:5 unexpected identifier \"b\" in label matching, expected string", "b");
    bad("x{a}", "1:4 unexpected \"}\" in label matching, expected label matching operator", "}");
    bad("x{,}", "1:3 unexpected \",\" in label matching, expected identifier or \"}\"", ",");
    bad("x{a=\"b\" c}", "1:9 unexpected identifier \"c\" in label matching, expected \",\" or \"}\"", "c");
    bad("x{a=~\"(\"}", "1:3 error parsing regexp: missing closing ): `^(?s:()$`", "a=~\"(\"");
    let durations = "number, duration, step(), or range()";
    bad("x[]", &format!("1:3 unexpected \"]\" in subquery or range selector, expected {durations}"), "]");
    bad("x[step]", &format!("1:7 unexpected \"]\" in subquery or range selector, expected {durations}"), "]");
    bad("x offset", &format!("1:9 unexpected end of input in offset, expected {durations}"), "");
    bad("x[5m 5m]", "1:6 unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\"", "5m");
    bad("x @", "1:4 unexpected end of input in @, expected timestamp", "");
    bad("x @ y", "1:5 unexpected identifier \"y\" in @, expected timestamp", "y");
    bad("x\n  + * y\n", "2:5 unexpected <op:*>", "*");
    let error = parse_query("", Features::all()).unwrap_err();
    assert_eq!(error.to_string(), "unknown position: parse error: no expression found in input");
    bad("# nothing\n", "1:1 no expression found in input", "");
}

#[test]
fn modifiers_in_wrong_places() {
    let selectors = "an instant vector selector or range vector selector or a subquery";
    bad("1 offset 1d", &format!("1:1 offset modifier must be preceded by {selectors}"), "1");
    bad("rate(x[5m]) @ 1", &format!("1:1 @ modifier must be preceded by {selectors}"), "rate(x[5m])");
    bad("x offset 1s offset 2s", "1:1 offset may not be set multiple times", "x offset 1s");
    bad("x @ 1 @ 2", "1:1 @ <timestamp> may not be set multiple times", "x @ 1");
    bad("x @ +Inf", "1:1 timestamp out of bounds for @ modifier: +Inf", "x");
    bad("x offset 1m[5m]", "1:12 no offset modifiers allowed before range", "[5m]");
    bad("x @ start()[5m]", "1:12 no @ modifiers allowed before range", "[5m]");
    bad("(a + b)[5m]", "1:8 ranges only allowed for vector selectors", "[5m]");
    bad("x[5m][5m]", "1:6 ranges only allowed for vector selectors", "[5m]");
    bad("x[5m1h]", "1:3 not a valid duration string: \"5m1h\"", "5m1h");
    bad("x[5y1hs]", "1:3 unknown unit \"hs\" in duration \"5y1hs\"", "5y1hs");
    bad("x[1.5m]", "1:3 unknown unit \".\" in duration \"1.5m\"", "1.5m");
    bad("x[0m]", "1:3 duration must be greater than 0", "0m");
    bad("x[-1]", "1:3 duration must be greater than 0", "-1");
    bad("x[9.5e10]", "1:3 duration out of range", "9.5e10");
    bad("x[300y]", "1:3 duration out of range", "300y");
    bad("x[step()/0d]", "1:9 division by zero", "/");
    bad("x[5s%0d]", "1:5 modulo by zero", "%");
    bad("x[5m:] anchored", "1:1 anchored modifier is not supported for subqueries", "x[5m:]");
    bad("x anchored smoothed", "1:1 anchored and smoothed modifiers cannot be used together", "x anchored");
    bad("1e400", "1:1 error parsing number: strconv.ParseFloat: parsing \"1e400\": value out of range", "1e400");
    bad("1e", "1:1 bad number or duration syntax: \"1e\"", "1e");
}

#[test]
fn types_that_do_not_fit() {
    bad("1 and 1", "1:1 set operator \"and\" not allowed in binary scalar expression", "1 and 1");
    bad("1 == 1", "1:3 comparisons between scalars must use BOOL modifier", "==");
    bad("a + bool b", "1:3 bool modifier can only be used on comparison operators", "+");
    bad("-\"a\"", &unary("string"), "-\"a\"");
    bad("-x[5m]", &unary("range vector"), "-x[5m]");
    bad("a + x[5m]", "1:5 binary expression must contain only scalar and instant vector types", "x[5m]");
    bad("a + on (x) 1", "1:1 vector matching only allowed between instant vectors", "a + on (x) 1");
    bad("a + fill (0) 1", "1:1 filling in missing series only allowed between instant vectors", "a + fill (0) 1");
    bad(
        "a and on (x) group_left () b",
        "1:1 no grouping allowed for \"and\" operation",
        "a and on (x) group_left () b",
    );
    bad("a or fill (0) b", "1:1 filling in missing series not allowed for set operators", "a or fill (0) b");
    bad("a * on (x) group_left (x) b", "1:3 label \"x\" must not occur in ON and GROUP clause at once", "*");
    bad("a[5m][5m:]", "1:1 subquery is only allowed on instant vector, got matrix instead", "a[5m][5m:]");
    bad("1[5m:]", "1:1 subquery is only allowed on instant vector, got scalar instead", "1[5m:]");
    bad("sum(1)", "1:5 expected type instant vector in aggregation expression, got scalar", "1");
    bad("topk(a, b)", "1:6 expected type scalar in aggregation parameter, got instant vector", "a");
    bad("count_values(5, b)", "1:14 expected type string in aggregation parameter, got scalar", "5");
    bad("sum()", "1:1 no arguments for aggregate expression provided", "sum()");
    bad(
        "topk(x) by (a)",
        "1:1 wrong number of arguments for aggregate expression provided, expected 2, got 1",
        "topk(x) by (a)",
    );
    bad("floor()", "1:1 expected 1 argument(s) in call to \"floor\", got 0", "floor()");
    bad("hour(a, b, c)", "1:1 expected at most 1 argument(s) in call to \"hour\", got 3", "hour(a, b, c)");
    bad("label_join(a)", "1:1 expected at least 3 argument(s) in call to \"label_join\", got 1", "label_join(a)");
    bad("rate(x)", "1:6 expected type range vector in call to function \"rate\", got instant vector", "x");
    bad("foo()", "1:1 unknown function with name \"foo\"", "foo");
    bad("Rate(x[5m])", "1:1 unknown function with name \"Rate\"", "Rate");
    bad("info(x, y)", "1:9 expected label selectors only, got vector selector instead", "y");
    bad("info(x, {a=\"b\"} == 1)", "1:9 expected label selectors only", "{a=\"b\"} == 1");
    bad("{}", "1:1 vector selector must contain at least one non-empty matcher", "{}");
    bad("{x=~\".*\"}", "1:1 vector selector must contain at least one non-empty matcher", "{x=~\".*\"}");
    bad("a{__name__=\"b\"}", "1:1 metric name must not be set twice: \"a\" or \"b\"", "a{__name__=\"b\"}");
}

fn unary(ty: &str) -> String {
    format!("1:1 unary expression only allowed on expressions of type scalar or instant vector, got \"{ty}\"")
}

#[test]
fn features_are_off_unless_enabled() {
    let off = Features::stable();
    bad_without(off, "min_of(1, 2)", "1:1 function \"min_of\" is not enabled", "min_of");
    let limitk = "1:1 limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions";
    bad_without(off, "limitk(1, x)", limitk, "limitk(1, x)");
    let durations = "experimental duration expression is not enabled";
    bad_without(off, "x[5m * 2]", &format!("1:3 {durations}"), "5m");
    bad_without(off, "x[(5m)]", &format!("1:4 {durations}"), "5m");
    bad_without(off, "x offset step()", &format!("1:10 {durations}"), "step()");
    bad_without(off, "x[5m] smoothed", "1:1 smoothed modifier is experimental and not enabled", "x[5m]");
    bad_without(off, "a + fill (0) b", "1:1 binop fill modifiers are experimental and not enabled", "a + fill (0) b");
}

#[test]
fn several_mistakes_are_reported_and_a_tree_remains() {
    let text = "sum(foo(x) + rate(y[5q]) + z{a=b}) by (,)";
    let parsed = parse(text, Features::stable());
    let said: Vec<&str> = parsed.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "unknown function with name \"foo\"",
            "bad number or duration syntax: \"5\"",
            "unexpected identifier \"b\" in label matching, expected string",
            "unexpected \",\" in grouping opts, expected label",
        ]
    );
    assert!(matches!(parsed.expr.unwrap().kind, ExprKind::Aggregate(_)));
    assert_eq!(parse("rate(ab[5m", Features::stable()).problems.len(), 1);
    assert_eq!(parse("a + ", Features::stable()).expr.unwrap().to_string(), "a + NaN");
}

#[test]
fn hints_say_what_to_do() {
    #[track_caller]
    fn check(text: &str, hint: &str) {
        let problems = parse(text, Features::stable()).problems;
        assert_eq!(problems[0].hint.as_deref(), Some(hint), "{text}");
    }
    check("rate(x)", "add a range: `rate(x[5m])`");
    check("rate(sum(x))", "make it a subquery: `rate((…)[5m:])`");
    check("ratee(x[5m])", "did you mean `rate`?");
    check("holt_winters(x[5m], 1, 1)", "did you mean `double_exponential_smoothing`?");
    check("1 == 1", "write `== bool`");
    check("topk(x)", "write it like `topk(5, x)`");
    check("sum(x)[5m]", "a range over an expression is a subquery: `[5m:]`");
    check("x{a=b}", "quote the value");
    check("a && b", "write `and`");
    check("a b", "an operator or a comma is missing before it");
    check("a = 1", "values are compared with `==`, labels inside braces");
    check("floor()", "call it as `floor(instant vector)`");
}

#[test]
fn series_are_labels() {
    #[track_caller]
    fn check(text: &str, labels: &str) {
        assert_eq!(parse_metric(text).unwrap().to_string(), labels, "{text}");
    }
    check("up", r#"{__name__="up"}"#);
    check("sum{by=\"x\",}", r#"{__name__="sum", by="x"}"#);
    check("{}", "{}");
    check(r#"{"http.requests", "service.name"="api"}"#, r#"{__name__="http.requests", service.name="api"}"#);
    check(r#"a{__name__="b"}"#, r#"{__name__="a"}"#);
    for (text, message) in [
        (r#"{"a"b}"#, "1:5: parse error: unexpected identifier \"b\" in label set, expected \",\" or \"}\""),
        (r#"{"a"=, x="y"}"#, "1:6: parse error: unexpected \",\" in label set, expected string"),
        ("{a}", "1:3: parse error: unexpected \"}\" in label set, expected \"=\""),
        ("a b", "1:3: parse error: unexpected identifier \"b\""),
    ] {
        assert_eq!(parse_metric(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn values_behind_a_series_are_left_alone() {
    #[track_caller]
    fn check(line: &str, labels: &str, rest: &str) {
        let (series, at) = parse_series_prefix(line).unwrap();
        assert_eq!((series.to_string().as_str(), &line[at..]), (labels, rest), "{line}");
    }
    check("m 1 2 3", r#"{__name__="m"}"#, " 1 2 3");
    check("m{a=\"}\"} 1+1x5 _ stale", r#"{__name__="m", a="}"}"#, " 1+1x5 _ stale");
    check("m {{schema:0}}", r#"{__name__="m"}"#, " {{schema:0}}");
    check("{} 5", "{}", " 5");
    assert!(parse_series_prefix("5 6").is_err());
}

#[test]
fn selectors_of_a_request_select_something() {
    let sets = parse_series_selectors(&["up", r#"{job=~"a|b",x=""}"#]).unwrap();
    assert_eq!((sets.len(), sets[1].len()), (2, 2));
    let message = |texts: &[&str]| parse_series_selectors(texts).unwrap_err().to_string();
    assert_eq!(message(&["up", r#"{job=""}"#]), "match[] must contain at least one non-empty matcher");
    assert_eq!(message(&["up[5m]"]), "1:3: parse error: unexpected \"[\"");
    assert_eq!(message(&["sum(up)"]), "1:4: parse error: unexpected \"(\"");
}

#[test]
fn durations_have_ordered_units() {
    for (text, millis) in
        [("0", 0), ("1ms", 1), ("1h30m", 5_400_000), ("1y", 31_536_000_000), ("292y", 9_208_512_000_000)]
    {
        assert_eq!(parse_duration(text), Ok(millis), "{text}");
    }
    for text in ["", "1", "m", "1m1h", "1m1m", "1x", "-1m", "1.5h", "293y", "99999999999999999999s", " 1m"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    for (millis, text) in [(0, "0s"), (1_500, "1s500ms"), (7_776_000_000, "90d"), (604_800_000, "1w"), (-60_000, "-1m")]
    {
        assert_eq!(duration_text(millis), text);
    }
}

#[test]
fn only_the_parts_of_one_duration_are_counted() {
    let text = vec!["rate(x[5m] offset 1m)"; 200].join(" + ");
    assert!(parse_query(&text, Features::all()).is_ok());
    let text = format!("x[{}]", vec!["1m"; 300].join(" + "));
    assert!(parse_query(&text, Features::all()).is_err());
}

#[test]
fn regular_expressions_that_must_be_compiled_are_limited() {
    let query = |pattern: &str, n: usize| vec![format!("x{{a=~\"{pattern}\"}}"); n].join(" or ");
    assert!(parse_query(&query("a.c", 100), Features::all()).is_ok());
    assert!(parse_query(&query("a.*", 200), Features::all()).is_ok());
    let many = parse_query(&query("a.c", 10_000), Features::all()).unwrap_err();
    assert_eq!(many.problems().len(), 1);
    assert_eq!(many.problems()[0].message, "too many regular expressions");
    let many = parse_selector(&format!("{{{}}}", vec!["a=~\"a.c\""; 101].join(",")));
    assert_eq!(many.unwrap_err().problems()[0].message, "too many regular expressions");
}

/// Texts that make every kind of node as deep as it goes.
#[test]
fn no_text_exhausts_the_stack() {
    const MANY: usize = 20_000;
    for (open, middle, close) in [
        ("(", "x", ")"),
        ("-", "x", ""),
        ("sum(", "x", ")"),
        ("abs(", "x", ")"),
        ("x + ", "x", ""),
        ("x ^ ", "x", ""),
        ("x or (", "x", ")"),
        ("", "x", "[1m:]"),
        ("", "x", " offset 1m"),
        ("x[", "1m", "]"),
        ("x{", "", "}"),
    ] {
        let text = format!("{}{middle}{}", open.repeat(MANY), close.repeat(MANY));
        let parsed = parse(&text, Features::all());
        assert!(!parsed.problems.is_empty(), "{open}");
        drop(parsed);
        let few = format!("{}{middle}{}", open.repeat(200), close.repeat(200));
        if let Ok(expr) = parse_query(&few, Features::all()) {
            assert!(expr.to_string().len() >= 200);
        }
    }
    for inner in ["(", "-", "1+", "min_of(1,", "1^"] {
        for place in ["x[", "x offset ", "x offset ("] {
            assert!(!parse(&format!("{place}{}", inner.repeat(MANY)), Features::all()).problems.is_empty());
        }
    }
}
