//! `{{ name }}` in a step: what an earlier step extracted, escaped for the place where it stands.
//!
//! A value is data. It cannot end a header, leave a string of JSON, or lead to another host, unless the
//! template itself has it there.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Everything but what RFC 3986, section 2.3, leaves as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Values by name.
pub type Values = HashMap<String, String>;

/// A text with places for values. Its `Debug` form says how many: the text may hold secrets.
#[derive(Clone)]
pub struct Template(Vec<Part>);

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({})", self.0.len())
    }
}

#[derive(Clone)]
enum Part {
    Text(String),
    Value { name: String, escape: Escape },
}

/// How a value is written where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    Nothing,
    /// Within a string of JSON.
    Json,
    /// Within a path, a query or a field of a form.
    Percent,
    /// Within XML or HTML.
    Xml,
    /// A whole address.
    Url,
    /// Part of a host's name or a port: letters, digits, `.`, `-`, `:`.
    Host,
}

/// Why a template cannot be filled. No message quotes a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error("`{{{{` without its `}}}}`")]
    Open,
    /// Something else than a name within.
    #[error("`{0}` is not a name: letters, digits and `_`")]
    Name(String),
    /// A value that may not stand where it is wanted.
    #[error("the value of `{0}` may not stand where a host does")]
    Host(String),
    /// A value that would change what the template says.
    #[error("the value of `{0}` would lead to another path")]
    Path(String),
}

impl Template {
    /// Parses a text whose values are all written in one way.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn parse(text: &str, escape: Escape) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            let inner = &rest[at + 2..];
            let end = inner.find("}}").ok_or(TemplateError::Open)?;
            let name = inner[..end].trim();
            if !is_name(name) {
                return Err(TemplateError::Name(name.to_owned()));
            }
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            parts.push(Part::Value { name: name.to_owned(), escape });
            rest = &inner[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Parses an address. Where the host stands a value must be part of one; behind it values are encoded. A
    /// value at the very beginning is a whole address of its own.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn parse_url(text: &str) -> Result<Self, TemplateError> {
        let mut this = Self::parse(text, Escape::Percent)?;
        let mut before = String::new();
        for part in &mut this.0 {
            match part {
                Part::Text(text) => before += text,
                Part::Value { escape, .. } => {
                    *escape = match before.split_once("://") {
                        None if before.is_empty() => Escape::Url,
                        None => Escape::Host,
                        Some((_, rest)) if rest.contains(['/', '?', '#']) => Escape::Percent,
                        Some(_) => Escape::Host,
                    };
                    // What follows a whole address is behind its host.
                    before += if *escape == Escape::Url { "http://host/" } else { "x" };
                }
            }
        }
        Ok(this)
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|p| match p {
            Part::Value { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Whether a value says which host is meant, or part of it.
    pub fn chooses_host(&self) -> bool {
        self.0.iter().any(|p| matches!(p, Part::Value { escape: Escape::Url | Escape::Host, .. }))
    }

    /// The text with `1` for every value: for checks before there are any.
    pub fn sample(&self) -> String {
        let parts = self.0.iter().map(|p| match p {
            Part::Text(text) => text.as_str(),
            Part::Value { escape: Escape::Url, .. } => "http://host",
            Part::Value { .. } => "1",
        });
        parts.collect()
    }

    /// The text with its values. A name without a value gives nothing: the reader of the options has seen to it
    /// that an earlier step extracts it.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn fill(&self, values: &Values) -> Result<String, TemplateError> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value { name, escape } => {
                    let value = values.get(name).map_or("", String::as_str);
                    out.push_str(&escape.write(name, value)?);
                }
            }
        }
        Ok(out)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Escape {
    /// How values are written in a body of this `Content-Type`.
    pub fn of_type(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Self::Percent,
            "application/json" => Self::Json,
            "application/xml" | "text/xml" | "text/html" => Self::Xml,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Xml,
            _ => Self::Nothing,
        }
    }

    /// A value as it stands in a text.
    ///
    /// # Errors
    /// It may not stand there.
    pub fn write<'v>(self, name: &str, value: &'v str) -> Result<Cow<'v, str>, TemplateError> {
        match self {
            Self::Nothing | Self::Url => Ok(Cow::Borrowed(value)),
            Self::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                Ok(Cow::Owned(quoted[1..quoted.len() - 1].to_owned()))
            }
            // Dots alone are a path's own language, and no encoding hides them.
            Self::Percent if matches!(value, "." | "..") => Err(TemplateError::Path(name.to_owned())),
            Self::Percent => Ok(percent_encode(value.as_bytes(), ESCAPED).into()),
            Self::Xml => Ok(Cow::Owned(
                value
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('>', "&gt;")
                    .replace('"', "&quot;")
                    .replace('\'', "&#39;"),
            )),
            Self::Host => {
                let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
                match !value.is_empty() && value.chars().all(fits) {
                    true => Ok(Cow::Borrowed(value)),
                    false => Err(TemplateError::Host(name.to_owned())),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(value: &str) -> Values {
        Values::from([("v".to_owned(), value.to_owned())])
    }

    #[test]
    fn values_are_escaped_for_their_place() {
        #[track_caller]
        fn check(text: &str, escape: Escape, value: &str, want: &str) {
            assert_eq!(Template::parse(text, escape).unwrap().fill(&values(value)).unwrap(), want);
        }
        check("Bearer {{ v }}", Escape::Nothing, "a b", "Bearer a b");
        check(r#"{"a": "{{v}}", "b": 1}"#, Escape::Json, "x\", \"b\": \"\n", r#"{"a": "x\", \"b\": \"\n", "b": 1}"#);
        check("a={{ v }}&b={{ v }}", Escape::Percent, "x&b=2", "a=x%26b%3D2&b=x%26b%3D2");
        check("<a>{{ v }}</a>", Escape::Xml, "</a><b>", "<a>&lt;/a&gt;&lt;b&gt;</a>");
    }

    #[test]
    fn no_value_leads_to_another_host() {
        #[track_caller]
        fn check(url: &str, value: &str, want: Result<&str, ()>) {
            let got = Template::parse_url(url).unwrap().fill(&values(value));
            assert_eq!(got.as_deref().map_err(|_| ()), want, "{url} {value}");
        }
        check("https://a/{{ v }}", "x", Ok("https://a/x"));
        check("https://a/{{ v }}", "../../@evil/", Ok("https://a/..%2F..%2F%40evil%2F"));
        check("https://a/{{ v }}", "..", Err(()));
        check("https://a?q={{ v }}", "1&r=2#f", Ok("https://a?q=1%26r%3D2%23f"));
        check("https://a{{ v }}", ".evil.example", Ok("https://a.evil.example"));
        check("https://a{{ v }}", "@evil", Err(()));
        check("https://{{ v }}/x", "b.example:81", Ok("https://b.example:81/x"));
        check("https://{{ v }}/x", "b/y?", Err(()));
        check("https://{{ v }}/x", "", Err(()));
        check("{{ v }}", "https://b.example/x?y", Ok("https://b.example/x?y"));
        check("{{ v }}/{{ v }}", "http://b", Ok("http://b/http%3A%2F%2Fb"));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(Template::parse("{{ v", Escape::Nothing).err(), Some(TemplateError::Open));
        assert_eq!(Template::parse("{{ a b }}", Escape::Nothing).err(), Some(TemplateError::Name("a b".to_owned())));
        assert!(Template::parse("} {} { }", Escape::Nothing).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_value_the_host_stays(value in ".{0,40}") {
            let template = Template::parse_url("https://shop.example/a/{{ v }}/b?c={{ v }}").unwrap();
            if let Ok(text) = template.fill(&values(&value)) {
                let url = reqwest::Url::parse(&text).unwrap();
                proptest::prop_assert_eq!(url.host_str(), Some("shop.example"));
                proptest::prop_assert!(url.path().starts_with("/a/") && url.path().ends_with("/b"));
            }
        }
    }
}
