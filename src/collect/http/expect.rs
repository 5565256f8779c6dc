//! `expect:` of an `http` monitor: read once, judged on every answer.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderName;
use regex::Regex;
use serde_json_path::JsonPath;

use crate::base::outcome::Outcome;
use crate::base::units::Exact;
use crate::collect::cert::CertFacts;
use crate::collect::http::exchange::Answer;
use crate::collect::judge::{Judge, Latency, TextCheck, bad_regex, found, regex};
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::Value as Yaml;

/// JSON values of a body that is parsed. One value takes 32 bytes and more: an array of a million
/// zeros in a body of 2 MB would become 64 MB.
const MAX_JSON_VALUES: usize = 100_000;

/// What an answer must be. Its `Debug` form is the names of the checks: values may be secrets.
pub struct Expect {
    status: Statuses,
    body: Vec<TextCheck>,
    json: Vec<JsonCheck>,
    headers: Vec<HeaderCheck>,
    latency: Latency,
    cert: Option<(Duration, String)>,
}

/// An answer on the bench.
pub struct Judgement<'a> {
    /// The answer, decoded.
    pub answer: &'a mut Answer,
    /// From the start of the probe to the end of the body.
    pub took: Duration,
    /// What the certificates say, on TLS.
    pub facts: Option<&'a CertFacts>,
    /// The checks so far.
    pub judge: Judge,
}

impl Judgement<'_> {
    /// The verdict.
    pub fn finish(self) -> Outcome {
        let size = size(self.answer.body.len(), self.answer.truncated);
        self.judge.outcome(format!("{}, {size}", self.answer.status_text()))
    }
}

fn size(bytes: usize, more: bool) -> String {
    let plus = if more { "+" } else { "" };
    match bytes {
        0..=1023 => format!("{bytes}{plus} B"),
        1024..=1_048_575 => format!("{:.1}{plus} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1}{plus} MiB", bytes as f64 / 1_048_576.0),
    }
}

impl std::fmt::Debug for Expect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Expect {
    /// Reads `expect`; without it, any status from 200 to 299 will do.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let mut none = Self {
            status: Statuses::default(),
            body: Vec::new(),
            json: Vec::new(),
            headers: Vec::new(),
            latency: Latency::default(),
            cert: None,
        };
        let Some(mut own) = fields.nested("expect") else { return none };
        none.status = Statuses::read(&mut own);
        if let Some(mut body) = own.nested_of("body", "contains") {
            none.body = TextCheck::read(&mut body, "body", true);
            body.finish();
        }
        none.json = JsonCheck::read(&mut own);
        none.headers = HeaderCheck::read(&mut own);
        none.latency = Latency::read(&mut own);
        if let Some(mut cert) = own.nested_of("cert", "valid_for") {
            let year = Duration::from_secs(365 * 86_400);
            if let Some(d) = cert.duration("valid_for", Duration::from_secs(60)..=year * 10) {
                none.cert = Some((d, format!("certificate valid for {} more", Exact(d))));
            } else if cert.node("valid_for").is_none() {
                cert.missing("valid_for", "write e.g. `cert: {valid_for: 14d}`");
            }
            cert.finish();
        }
        own.finish();
        none
    }

    /// Whether a certificate is asked for.
    pub fn wants_cert(&self) -> bool {
        self.cert.is_some()
    }

    /// Names of all checks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.status.name.as_str())
            .chain(self.headers.iter().map(|h| h.name.as_str()))
            .chain(self.body.iter().map(TextCheck::name))
            .chain(self.json.iter().map(|j| j.name.as_str()))
            .chain(self.latency.names())
            .chain(self.cert.iter().map(|(_, name)| name.as_str()))
    }

    /// Judges everything; the body only when it could be decoded.
    pub fn judge(&self, case: &mut Judgement<'_>, decoded: bool) {
        let code = case.answer.status.as_u16();
        case.judge.hold("status", &self.status.name, self.status.allows(code), case.answer.status_text());
        for check in &self.headers {
            check.judge(case);
        }
        if decoded {
            self.judge_body(case);
        }
        self.latency.judge(case.took, &mut case.judge);
        if let Some((least, name)) = &self.cert {
            let left = case.facts.and_then(CertFacts::seconds_left);
            let ok = left.is_some_and(|s| s >= i64::try_from(least.as_secs()).unwrap_or(i64::MAX));
            let found = match left {
                None => "no certificate: the answer came without TLS".to_owned(),
                Some(s) if s < 0 => format!("expired {} days ago", (-s) / 86_400),
                Some(s) => format!("{} days left", s / 86_400),
            };
            case.judge.hold("cert", name, ok, found);
        }
    }

    fn judge_body(&self, case: &mut Judgement<'_>) {
        if self.body.is_empty() && self.json.is_empty() {
            return;
        }
        let answer = &mut *case.answer;
        let text = String::from_utf8_lossy(&answer.body);
        let mut regex_failed = None;
        for check in &self.body {
            let ok = check.holds(&text);
            if check.is_regex() {
                regex_failed = Some(regex_failed.unwrap_or(false) || !ok);
            }
            let seen = if ok { String::new() } else { excerpt(&text, answer.truncated) };
            case.judge.hold("body", check.name(), ok, seen);
        }
        if !self.json.is_empty() {
            let parsed = parse_json(&answer.body, answer.truncated);
            for check in &self.json {
                check.judge(&parsed, &mut case.judge);
            }
        }
        drop(text);
        answer.regex_failed = regex_failed;
    }
}

fn excerpt(text: &str, truncated: bool) -> String {
    match (text, truncated) {
        ("", _) => "an empty body".to_owned(),
        (text, false) => found(text),
        (text, true) => format!("only the first part was read: {}", found(text)),
    }
}

/// A set of status codes.
#[derive(Debug)]
struct Statuses {
    ranges: Vec<RangeInclusive<u16>>,
    name: String,
}

impl Default for Statuses {
    fn default() -> Self {
        Self { ranges: vec![200..=299], name: "status is 200-299".to_owned() }
    }
}

impl Statuses {
    fn read(fields: &mut Fields<'_>) -> Self {
        let texts = fields.texts("status");
        if texts.is_empty() {
            return Self::default();
        }
        let mut ranges = Vec::new();
        for text in &texts {
            match parse_status(text.value()) {
                Some(range) => ranges.push(range),
                None => {
                    let message = format!("`{}` is neither a status code nor a range of them", text.shown());
                    fields.error(text.span, Code::BadValue, message, "write e.g. `status: [200-299, 404]`");
                }
            }
        }
        let words: Vec<&str> = texts.iter().map(crate::config::fields::Text::shown).collect();
        Self { ranges, name: format!("status is {}", words.join(", ")) }
    }

    fn allows(&self, code: u16) -> bool {
        self.ranges.iter().any(|r| r.contains(&code))
    }
}

/// `200`, `200-299` or `2xx`.
fn parse_status(text: &str) -> Option<RangeInclusive<u16>> {
    let code = |t: &str| t.trim().parse::<u16>().ok().filter(|c| (100..=999).contains(c));
    if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let first = code(&format!("{class}00"))?;
        return Some(first..=first + 99);
    }
    match text.split_once('-') {
        Some((low, high)) => {
            let (low, high) = (code(low)?, code(high)?);
            (low <= high).then_some(low..=high)
        }
        None => code(text).map(|c| c..=c),
    }
}

/// `json: {"$.db.status": up}`.
struct JsonCheck {
    path: JsonPath,
    want: String,
    /// Written without quotes: `5`, `true` and `null` stand for what they are in JSON, too.
    plain: bool,
    name: String,
}

impl JsonCheck {
    fn read(fields: &mut Fields<'_>) -> Vec<Self> {
        let Some(node) = fields.node("json") else { return Vec::new() };
        let Yaml::Map(entries) = &node.value else {
            let message = format!("`json` takes `path: value` lines, not {}", node.kind_name());
            fields.error(node.span, Code::WrongType, message, "write e.g. `json: {\"$.db.status\": up}`");
            return Vec::new();
        };
        let mut checks = Vec::new();
        for entry in entries {
            let (want, shown) = match entry.value.is_null() {
                // Elsewhere an empty value is no value; here it is one of JSON's.
                true => ("null".to_owned(), "null".to_owned()),
                false => match fields.cx().text(&entry.value) {
                    Some(text) => (text.value().to_owned(), found(text.shown())),
                    None => continue,
                },
            };
            match JsonPath::parse(&entry.key) {
                Ok(path) => checks.push(Self {
                    path,
                    plain: matches!(entry.value.value, Yaml::Scalar { plain: true, .. }),
                    name: format!("json {} is `{shown}`", found(&entry.key)),
                    want,
                }),
                Err(e) => {
                    let message = format!("`{}` is not a JSON path: {e}", entry.key);
                    let hint = "write a path of RFC 9535 in quotes, e.g. `\"$.db.status\": up`";
                    fields.error(entry.key_span, Code::BadValue, message, hint);
                }
            }
        }
        checks
    }

    fn judge(&self, parsed: &Result<serde_json::Value, String>, judge: &mut Judge) {
        let root = match parsed {
            Ok(root) => root,
            Err(why) => return judge.hold("json", &self.name, false, why.clone()),
        };
        let nodes = self.path.query(root);
        let wrong = nodes.iter().find(|v| !self.is(v));
        match (nodes.first(), wrong) {
            (None, _) => judge.hold("json", &self.name, false, "nothing at this path"),
            (Some(_), Some(wrong)) => judge.hold("json", &self.name, false, shown(wrong)),
            (Some(first), None) => judge.hold("json", &self.name, true, shown(first)),
        }
    }

    fn is(&self, value: &serde_json::Value) -> bool {
        use serde_json::Value;
        match value {
            Value::String(s) => *s == self.want,
            Value::Number(n) if self.plain => self.want.parse::<f64>().ok() == n.as_f64(),
            Value::Bool(b) if self.plain => self.want == b.to_string(),
            Value::Null if self.plain => self.want == "null",
            Value::Number(_) | Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(s) => found(s),
        serde_json::Value::Array(a) => format!("a list of {}", a.len()),
        serde_json::Value::Object(o) => format!("an object of {}", o.len()),
        other => found(&other.to_string()),
    }
}

fn parse_json(body: &[u8], truncated: bool) -> Result<serde_json::Value, String> {
    if truncated {
        return Err(format!("the body is longer than the {} bytes that were read; raise `max_body`", body.len()));
    }
    let values = body.iter().filter(|b| matches!(b, b',' | b'[' | b'{')).count();
    if values > MAX_JSON_VALUES {
        return Err(format!("the body has more than {MAX_JSON_VALUES} JSON values, which is not parsed"));
    }
    // serde_json stops at 128 levels of nesting.
    // RFC 8259, section 8.1: a parser may ignore a byte order mark, which some servers send.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|e| format!("the body is not JSON: {e}"))
}

/// `header: {Name: value}`; a value between slashes is a regular expression.
struct HeaderCheck {
    header: HeaderName,
    want: Want,
    name: String,
}

enum Want {
    Equals(String),
    Matches(Regex),
}

impl HeaderCheck {
    fn read(fields: &mut Fields<'_>) -> Vec<Self> {
        let mut checks = Vec::new();
        for (entry, text) in fields.pairs("header") {
            let Ok(header) = HeaderName::try_from(entry.key.as_str()) else {
                let message = format!("`{}` is not a header name", entry.key);
                fields.error(entry.key_span, Code::BadValue, message, "write e.g. `header: {Content-Type: /json/}`");
                continue;
            };
            let pattern = text.value().strip_prefix('/').and_then(|t| t.strip_suffix('/'));
            let want = match pattern.map(regex) {
                None => Want::Equals(text.value().to_owned()),
                Some(Ok(re)) => Want::Matches(re),
                Some(Err(e)) => {
                    bad_regex(fields, &text, &e);
                    continue;
                }
            };
            let verb = if pattern.is_some() { "matches" } else { "is" };
            let name = format!("header {} {verb} `{}`", entry.key, found(text.shown()));
            checks.push(Self { header, want, name });
        }
        checks
    }

    fn judge(&self, case: &mut Judgement<'_>) {
        let values: Vec<Cow<'_, str>> =
            case.answer.headers.get_all(&self.header).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        let ok = values.iter().any(|v| match &self.want {
            Want::Equals(want) => v == want,
            Want::Matches(re) => re.is_match(v),
        });
        let seen = match values.first() {
            None => "no such header".to_owned(),
            Some(first) => found(first),
        };
        case.judge.hold("header", &self.name, ok, seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_sets() {
        #[track_caller]
        fn check(text: &str, low: u16, high: u16) {
            assert_eq!(parse_status(text), Some(low..=high), "{text}");
        }
        check("200", 200, 200);
        check("200-299", 200, 299);
        check("2xx", 200, 299);
        check("200 - 204", 200, 204);
        for bad in ["", "20", "1000", "299-200", "ok", "-200", "200-", "xx", "0xx", "12xx"] {
            assert_eq!(parse_status(bad), None, "{bad}");
        }
    }

    fn json(path: &str, want: &str, plain: bool) -> JsonCheck {
        let path = JsonPath::parse(path).unwrap();
        JsonCheck { path, want: want.to_owned(), plain, name: "n".to_owned() }
    }

    #[test]
    fn json_values_are_compared_by_type() {
        #[track_caller]
        fn check(body: &str, path: &str, want: &str, plain: bool, ok: bool) {
            let mut judge = Judge::default();
            json(path, want, plain).judge(&parse_json(body.as_bytes(), false), &mut judge);
            assert_eq!(judge.outcome("").checks[0].ok, Some(ok), "{body} {path} {want}");
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
    fn json_that_would_not_fit_is_not_parsed() {
        assert!(parse_json(&[b'['; 200_000], false).is_err());
        assert!(parse_json("[".repeat(1_000).as_bytes(), false).is_err());
        assert!(parse_json(b"{}", true).is_err());
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(17, false), "17 B");
        assert_eq!(size(1229, false), "1.2 KiB");
        assert_eq!(size(1 << 20, true), "1.0+ MiB");
    }
}
