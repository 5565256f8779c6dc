//! Expectations about a body of JSON: paths of RFC 9535, and what the values there must be.

use regex::Regex;
use serde_json::Value;
use serde_json_path::{JsonPath, NodeList};

use crate::collect::judge::{Judge, found, regex_field};
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::{Entry, Node, Value as Yaml};

/// JSON values of a body that is parsed. One value takes 32 bytes and more: an array of a million
/// zeros in a body of 2 MB would become 64 MB.
const MAX_JSON_VALUES: usize = 100_000;

/// Nodes that a path may lead to, counted with repetitions: a tenth of a second of work, and 32 MiB.
const MAX_NODES: usize = 4_000_000;

/// A path of RFC 9535 that no document makes endless.
#[derive(Clone, Debug)]
pub struct Path {
    path: JsonPath,
    /// Each `..` leads from every node to all below it: over a document of this depth again and again.
    descents: u32,
    /// Each `$` within a filter begins anew for every node.
    restarts: u32,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, serde_json_path::ParseError> {
        let count = |part: &str| u32::try_from(text.matches(part).count()).unwrap_or(u32::MAX);
        Ok(Self { path: JsonPath::parse(text)?, descents: count(".."), restarts: count("$").saturating_sub(1) })
    }

    /// The nodes that it leads to.
    ///
    /// # Errors
    /// They are too many to be looked at.
    pub fn query<'v>(&self, root: &'v Value) -> Result<NodeList<'v>, String> {
        if self.descents > 1 || self.restarts > 0 {
            let (nodes, depth) = extent(root);
            let again = depth.saturating_pow(self.descents.saturating_sub(1));
            let most = nodes.saturating_mul(again).saturating_mul(nodes.saturating_pow(self.restarts));
            if most > MAX_NODES {
                return Err(format!("{nodes} values, {depth} deep: too many ways for this path; write fewer `..`"));
            }
        }
        Ok(self.path.query(root))
    }
}

/// How many values there are, and how deep they are nested. The parser allows 128 levels.
fn extent(value: &Value) -> (usize, usize) {
    let below = |all: &mut dyn Iterator<Item = &Value>| {
        let sums = all.map(extent).fold((0, 0), |(n, most), (nodes, depth)| (n + nodes, depth.max(most)));
        (sums.0 + 1, sums.1 + 1)
    };
    match value {
        Value::Array(items) => below(&mut items.iter()),
        Value::Object(fields) => below(&mut fields.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (1, 1),
    }
}

/// `"$.db.status": up`, or `"$.queue": {below: 10}`.
pub struct JsonCheck {
    path: Path,
    test: Test,
    name: String,
}

/// What every value at a path must be; all but [`Test::Absent`] want at least one.
enum Test {
    Is(Literal),
    IsNot(Literal),
    Matches(Regex),
    Contains(String),
    Number(Bound),
    Length(Bound),
    Type(&'static str),
    Exists,
    Absent,
}

/// A value as written.
struct Literal {
    text: String,
    /// Written without quotes: `5`, `true` and `null` stand for what they are in JSON, too.
    plain: bool,
}

#[derive(Clone, Copy)]
enum Bound {
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    Equal(f64),
}

const TYPES: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

impl JsonCheck {
    /// Reads the option `json`.
    pub fn read(fields: &mut Fields<'_>) -> Vec<Self> {
        let Some(node) = fields.node("json") else { return Vec::new() };
        let Yaml::Map(entries) = &node.value else {
            let message = format!("`json` takes `path: value` lines, not {}", node.kind_name());
            fields.error(node.span, Code::WrongType, message, "write e.g. `json: {\"$.db.status\": up}`");
            return Vec::new();
        };
        let mut checks = Vec::new();
        for entry in entries {
            if let Some(path) = parse_path(fields, entry) {
                for (test, words) in read_tests(fields, &entry.value) {
                    let name = format!("json {} {words}", found(&entry.key));
                    checks.push(Self { path: path.clone(), test, name });
                }
            }
        }
        checks
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Judges a parsed body.
    pub fn judge(&self, parsed: &Result<Value, String>, judge: &mut Judge) {
        let root = match parsed {
            Ok(root) => root,
            Err(why) => return judge.hold("json", &self.name, false, why.clone()),
        };
        let nodes = match self.path.query(root) {
            Ok(nodes) => nodes,
            Err(why) => return judge.hold("json", &self.name, false, why),
        };
        let wrong = nodes.iter().find(|v| !self.test.holds(v));
        match (nodes.first(), wrong) {
            (None, _) => judge.hold("json", &self.name, matches!(self.test, Test::Absent), "nothing at this path"),
            (Some(_), Some(wrong)) => judge.hold("json", &self.name, false, shown(wrong)),
            (Some(first), None) => judge.hold("json", &self.name, true, shown(first)),
        }
    }
}

fn parse_path(fields: &Fields<'_>, entry: &Entry) -> Option<Path> {
    match Path::parse(&entry.key) {
        Ok(path) => Some(path),
        Err(e) => {
            let message = format!("`{}` is not a JSON path: {e}", entry.key);
            let hint = "write a path of RFC 9535 in quotes, e.g. `\"$.db.status\": up`";
            fields.error(entry.key_span, Code::BadValue, message, hint);
            None
        }
    }
}

/// What one path is tested for, each with its words.
fn read_tests(fields: &Fields<'_>, node: &Node) -> Vec<(Test, String)> {
    if !matches!(node.value, Yaml::Map(_)) {
        let read = literal(fields, node);
        return read.map(|(want, shown)| (Test::Is(want), format!("is `{shown}`"))).into_iter().collect();
    }
    let Some(mut own) = Fields::of(fields.cx(), node) else { return Vec::new() };
    let mut tests = Vec::new();
    // `equals: null` is a value, too; elsewhere an explicit null counts as absent.
    let null = |key: &str| match &node.value {
        Yaml::Map(entries) => entries.iter().find(|e| e.key == key && e.value.is_null()).map(|e| &e.value),
        Yaml::Scalar { .. } | Yaml::Seq(_) => None,
    };
    if let Some((want, shown)) = own.node("equals").or_else(|| null("equals")).and_then(|n| literal(&own, n)) {
        tests.push((Test::Is(want), format!("is `{shown}`")));
    }
    if let Some((want, shown)) = own.node("not_equals").or_else(|| null("not_equals")).and_then(|n| literal(&own, n)) {
        tests.push((Test::IsNot(want), format!("is not `{shown}`")));
    }
    if let Some((text, re)) = regex_field(&mut own, "matches") {
        tests.push((Test::Matches(re), format!("matches /{}/", found(text.shown()))));
    }
    if let Some(text) = own.text("contains") {
        let words = format!("contains `{}`", found(text.shown()));
        tests.push((Test::Contains(text.value().to_owned()), words));
    }
    tests.extend(bounds(&mut own).into_iter().map(|b| (Test::Number(b), format!("is {}", b.words()))));
    if let Some(length) = own.node("length") {
        let sizes = match length.value {
            Yaml::Map(_) => own.nested("length").map_or_else(Vec::new, |mut inner| {
                let sizes = bounds(&mut inner);
                inner.finish();
                sizes
            }),
            Yaml::Scalar { .. } | Yaml::Seq(_) => {
                own.number("length", 0.0..=1e9).map(Bound::Equal).into_iter().collect()
            }
        };
        tests.extend(sizes.into_iter().map(|b| (Test::Length(b), format!("has a length {}", b.words()))));
    }
    let kind = own.parse("type", "write null, boolean, number, string, array or object", |t| {
        TYPES.iter().copied().find(|known| *known == t).ok_or_else(|| format!("`{t}` is not a type of JSON"))
    });
    tests.extend(kind.map(|k| (Test::Type(k), format!("is of type {k}"))));
    tests.extend(own.bool("exists").map(|there| match there {
        true => (Test::Exists, "exists".to_owned()),
        false => (Test::Absent, "does not exist".to_owned()),
    }));
    if tests.is_empty() {
        let message = "nothing is said about the value at this path";
        own.error(own.head(), Code::BadValue, message, "write e.g. `{below: 10}` or `{exists: true}`");
    }
    own.finish();
    tests
}

fn bounds(fields: &mut Fields<'_>) -> Vec<Bound> {
    let mut number = |key| fields.number(key, f64::MIN..=f64::MAX);
    let all = [
        number("above").map(Bound::Above),
        number("at_least").map(Bound::AtLeast),
        number("below").map(Bound::Below),
        number("at_most").map(Bound::AtMost),
    ];
    all.into_iter().flatten().collect()
}

fn literal(fields: &Fields<'_>, node: &Node) -> Option<(Literal, String)> {
    if node.is_null() {
        return Some((Literal { text: "null".to_owned(), plain: true }, "null".to_owned()));
    }
    let text = fields.cx().text(node)?;
    let plain = matches!(node.value, Yaml::Scalar { plain: true, .. });
    Some((Literal { text: text.value().to_owned(), plain }, found(text.shown())))
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Is(want) => want.is(value),
            Self::IsNot(want) => !want.is(value),
            Self::Matches(re) => re.is_match(&text_of(value)),
            Self::Contains(part) => match value {
                Value::Array(items) => items.iter().any(|v| text_of(v) == *part),
                Value::Object(fields) => fields.contains_key(part),
                other => text_of(other).contains(part.as_str()),
            },
            Self::Number(bound) => number_of(value).is_some_and(|n| bound.holds(n)),
            Self::Length(bound) => length_of(value).is_some_and(|n| bound.holds(n)),
            Self::Type(kind) => *kind == type_of(value),
            Self::Exists => true,
            Self::Absent => false,
        }
    }
}

impl Literal {
    fn is(&self, value: &Value) -> bool {
        match value {
            Value::String(s) => *s == self.text,
            Value::Number(n) if self.plain => self.text.parse::<f64>().ok() == n.as_f64(),
            Value::Bool(b) if self.plain => self.text == b.to_string(),
            Value::Null if self.plain => self.text == "null",
            Value::Number(_) | Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

impl Bound {
    fn holds(self, n: f64) -> bool {
        match self {
            Self::Above(limit) => n > limit,
            Self::AtLeast(limit) => n >= limit,
            Self::Below(limit) => n < limit,
            Self::AtMost(limit) => n <= limit,
            Self::Equal(limit) => (n - limit).abs() < f64::EPSILON,
        }
    }

    fn words(self) -> String {
        match self {
            Self::Above(limit) => format!("above {limit}"),
            Self::AtLeast(limit) => format!("of at least {limit}"),
            Self::Below(limit) => format!("below {limit}"),
            Self::AtMost(limit) => format!("of at most {limit}"),
            Self::Equal(limit) => format!("of {limit}"),
        }
    }
}

/// A scalar as a text: strings without their quotes.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// Numbers are often sent as texts.
fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn length_of(value: &Value) -> Option<f64> {
    match value {
        Value::Array(items) => Some(items.len() as f64),
        Value::Object(fields) => Some(fields.len() as f64),
        Value::String(s) => Some(s.chars().count() as f64),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(s) => found(s),
        Value::Array(a) => format!("a list of {}", a.len()),
        Value::Object(o) => format!("an object of {}", o.len()),
        other => found(&other.to_string()),
    }
}

/// Parses a body, bounded in size, number of values and depth.
///
/// # Errors
/// Why it is not parsed, for people.
pub fn parse_json(body: &[u8], truncated: bool) -> Result<Value, String> {
    if truncated {
        return Err(format!("the body is longer than the {} bytes that were read; raise `max_body`", body.len()));
    }
    if values(body) > MAX_JSON_VALUES {
        return Err(format!("the body has more than {MAX_JSON_VALUES} JSON values, which is not parsed"));
    }
    // serde_json stops at 128 levels of nesting.
    // RFC 8259, section 8.1: a parser may ignore a byte order mark, which some servers send.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|e| format!("the body is not JSON: {e}"))
}

/// As many as a document has values but for the outermost, and one more for each empty list or object.
fn values(body: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_are_counted() {
        let text = ",[{\\\"".repeat(50_000);
        let body = serde_json::json!({"text": text, "ok": true}).to_string();
        assert_eq!(parse_json(body.as_bytes(), false).unwrap()["ok"], true);
        let many = format!("[{}0]", "0,".repeat(MAX_JSON_VALUES));
        assert!(parse_json(many.as_bytes(), false).unwrap_err().contains("more than"));
    }

    #[test]
    fn no_document_makes_a_path_endless() {
        let deep = |leaves: usize| {
            let text = "{\"a\":".repeat(126) + "[" + &"0,".repeat(leaves) + "0]" + &"}".repeat(126);
            serde_json::from_str::<Value>(&text).unwrap()
        };
        for (path, leaves, fits) in [
            ("$..a", 90_000, true),
            ("$..a..a", 10_000, true),
            ("$..a..a..a", 0, true),
            ("$..a..a..a", 10_000, false),
            ("$..*..*..*..*", 0, false),
            ("$..[?count($..*) > 1]", 10_000, false),
        ] {
            let got = Path::parse(path).unwrap().query(&deep(leaves)).map(|nodes| !nodes.is_empty());
            assert_eq!(got.is_ok(), fits, "{path}: {got:?}");
        }
    }

    #[track_caller]
    fn holds(body: &str, path: &str, test: Test, ok: bool) {
        let check = JsonCheck { path: Path::parse(path).unwrap(), test, name: "n".to_owned() };
        let mut judge = Judge::default();
        check.judge(&parse_json(body.as_bytes(), false), &mut judge);
        assert_eq!(judge.outcome("").checks[0].ok, Some(ok), "{body} {path}");
    }

    #[test]
    fn json_values_are_compared_by_type() {
        #[track_caller]
        fn check(body: &str, path: &str, want: &str, plain: bool, ok: bool) {
            holds(body, path, Test::Is(Literal { text: want.to_owned(), plain }), ok);
        }
        check(r#"{"db":{"status":"up"}}"#, "$.db.status", "up", true, true);
        check(r#"{"db":{"status":"down"}}"#, "$.db.status", "up", true, false);
        check(r#"{"n":5}"#, "$.n", "5.0", true, true);
        check(r#"{"n":5}"#, "$.n", "5", false, false);
        check(r#"{"n":"5"}"#, "$.n", "5", false, true);
        check(r#"{"n":true}"#, "$.n", "true", true, true);
        check(r#"{"n":null}"#, "$.n", "null", true, true);
        check(r#"{"n":[1]}"#, "$.n", "1", true, false);
        check(r#"{"a":[{"s":"up"},{"s":"up"}]}"#, "$.a[*].s", "up", true, true);
        check(r#"{"a":[{"s":"up"},{"s":"down"}]}"#, "$.a[*].s", "up", true, false);
        check("{}", "$.missing", "up", true, false);
        check("<html>", "$.n", "up", true, false);
        check("\u{feff}{\"n\":5}", "$.n", "5", true, true);
    }

    #[test]
    fn operators_judge_every_value_at_the_path() {
        let regex = |p: &str| Test::Matches(crate::collect::judge::regex(p).unwrap());
        holds(r#"{"q":9}"#, "$.q", Test::Number(Bound::Below(10.0)), true);
        holds(r#"{"q":10}"#, "$.q", Test::Number(Bound::Below(10.0)), false);
        holds(r#"{"q":"9.5"}"#, "$.q", Test::Number(Bound::Above(9.0)), true);
        holds(r#"{"q":[1,20]}"#, "$.q[*]", Test::Number(Bound::AtMost(10.0)), false);
        holds(r#"{"q":true}"#, "$.q", Test::Number(Bound::AtLeast(0.0)), false);
        holds(r#"{"q":[1,2,3]}"#, "$.q", Test::Length(Bound::Equal(3.0)), true);
        holds(r#"{"q":"äöü"}"#, "$.q", Test::Length(Bound::Equal(3.0)), true);
        holds(r#"{"q":5}"#, "$.q", Test::Length(Bound::AtLeast(0.0)), false);
        holds(r#"{"v":"1.2.3"}"#, "$.v", regex(r"^1\."), true);
        holds(r#"{"v":12}"#, "$.v", regex("^12$"), true);
        holds(r#"{"v":["a","b"]}"#, "$.v", Test::Contains("b".into()), true);
        holds(r#"{"v":{"a":1}}"#, "$.v", Test::Contains("b".into()), false);
        holds(r#"{"v":null}"#, "$.v", Test::Type("null"), true);
        holds(r#"{"v":null}"#, "$.v", Test::Exists, true);
        holds(r#"{"v":null}"#, "$.v", Test::Absent, false);
        holds(r#"{}"#, "$.v", Test::Absent, true);
        holds(r#"{}"#, "$.v", Test::Exists, false);
        holds("<html>", "$.v", Test::Absent, false);
    }

    #[test]
    fn json_that_would_not_fit_is_not_parsed() {
        assert!(parse_json(&[b'['; 200_000], false).is_err());
        assert!(parse_json("[".repeat(1_000).as_bytes(), false).is_err());
        assert!(parse_json(b"{}", true).is_err());
    }
}
