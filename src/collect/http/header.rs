//! Expectations about the headers of an answer.

use std::borrow::Cow;

use http::HeaderName;
use regex::Regex;

use crate::collect::http::expect::Judgement;
use crate::collect::judge::{found, regex_field};
use crate::collect::want::Want;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::Value;

/// `Name: value`, `Name: /expression/`, or `Name: {present: false}` and the like.
pub struct HeaderCheck {
    header: HeaderName,
    test: Test,
    name: String,
}

/// What at least one header of a name must be.
enum Test {
    Want(Want),
    Contains(String),
    /// All of them, if any.
    Lacks(Regex),
    Present(bool),
}

impl HeaderCheck {
    /// Reads the option `header`.
    pub fn read(fields: &mut Fields<'_>) -> Vec<Self> {
        let Some(node) = fields.node("header") else { return Vec::new() };
        let Value::Map(entries) = &node.value else {
            let message = format!("`header` takes `name: value` lines, not {}", node.kind_name());
            fields.error(node.mark(), Code::WrongType, message, "write `header: {Content-Type: /json/}`");
            return Vec::new();
        };
        let mut checks = Vec::new();
        for entry in entries {
            let Ok(header) = HeaderName::try_from(entry.key.as_str()) else {
                let message = format!("`{}` is not a header name", entry.key);
                fields.error(entry.key_span, Code::BadValue, message, "write e.g. `header: {Content-Type: /json/}`");
                continue;
            };
            let what = format!("header {}", entry.key);
            let tests = match entry.value.value {
                Value::Map(_) => {
                    Fields::of(fields.cx(), &entry.value).map_or_else(Vec::new, |own| Test::read(own, &what))
                }
                Value::Scalar { .. } | Value::Seq(_) => {
                    let read = fields.cx().text(&entry.value).and_then(|text| {
                        let want = Want::of(fields, &text)?;
                        let name = want.name(&what, &text);
                        Some((Test::Want(want), name))
                    });
                    read.into_iter().collect()
                }
            };
            checks.extend(tests.into_iter().map(|(test, name)| Self { header: header.clone(), test, name }));
        }
        checks
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Judges an answer.
    pub fn judge(&self, case: &mut Judgement<'_>) {
        let all = case.answer.headers.get_all(&self.header).iter();
        let values: Vec<Cow<'_, str>> = all.map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        let ok = match &self.test {
            Test::Want(want) => values.iter().any(|v| want.holds(v)),
            Test::Contains(part) => values.iter().any(|v| v.contains(part.as_str())),
            Test::Lacks(re) => !values.iter().any(|v| re.is_match(v)),
            Test::Present(wanted) => values.is_empty() != *wanted,
        };
        let seen = match values.first() {
            None => "no such header".to_owned(),
            Some(first) => found(first),
        };
        drop(values);
        if matches!(self.test, Test::Want(Want::Matches(_)) | Test::Lacks(_)) {
            case.answer.regex_failed = Some(case.answer.regex_failed == Some(true) || !ok);
        }
        case.judge.hold("header", &self.name, ok, seen);
    }
}

impl Test {
    /// Reads and finishes the operators of one header.
    fn read(mut own: Fields<'_>, what: &str) -> Vec<(Self, String)> {
        let mut tests = Vec::new();
        if let Some(text) = own.text("equals") {
            let name = format!("{what} is `{}`", found(text.shown()));
            tests.push((Self::Want(Want::Equals(text.value().to_owned())), name));
        }
        if let Some(text) = own.text("contains") {
            let name = format!("{what} contains `{}`", found(text.shown()));
            tests.push((Self::Contains(text.value().to_owned()), name));
        }
        if let Some((text, re)) = regex_field(&mut own, "matches") {
            tests.push((Self::Want(Want::Matches(re)), format!("{what} matches `/{}/`", found(text.shown()))));
        }
        if let Some((text, re)) = regex_field(&mut own, "not_matches") {
            tests.push((Self::Lacks(re), format!("{what} does not match `/{}/`", found(text.shown()))));
        }
        if let Some(wanted) = own.bool("present") {
            tests.push((Self::Present(wanted), format!("{what} is {}", if wanted { "present" } else { "absent" })));
        }
        if tests.is_empty() {
            let message = "nothing is said about this header";
            own.error(own.head(), Code::BadValue, message, "write e.g. `{present: true}` or `{contains: json}`");
        }
        own.finish();
        tests
    }
}
