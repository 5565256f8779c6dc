//! `extract:` of a step: values of an answer for the steps after it.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::HeaderName;
use regex::Regex;

use crate::collect::http::exchange::Answer;
use crate::collect::http::json::{Path, parse_json, text_of};
use crate::collect::judge::regex_field;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::Value;

/// Longest value that is taken, in bytes.
const MAX_VALUE: usize = 8 * 1024;

type Parsed = OnceCell<Result<serde_json::Value, String>>;

/// The values of an answer, each by itself: found, or why not. `cookies` are those that would be sent next.
pub fn extract(all: &[Extract], answer: &Answer, cookies: &[(String, String)]) -> Vec<Result<String, String>> {
    let json = Parsed::new();
    all.iter().map(|e| e.of(answer, &json, cookies)).collect()
}

/// One value.
#[derive(Debug)]
pub struct Extract {
    /// What later steps call it.
    pub name: String,
    place: Place,
    /// As its check is called.
    pub check: String,
}

#[derive(Debug)]
enum Place {
    Json(Path),
    Header(HeaderName, Option<Regex>),
    Body(Regex),
    Cookie(String),
}

impl Extract {
    /// Reads the option `extract`.
    pub fn read(fields: &mut Fields<'_>) -> Vec<Self> {
        let Some(node) = fields.node("extract") else { return Vec::new() };
        let Value::Map(entries) = &node.value else {
            let message = format!("`extract` takes `name: {{…}}` lines, not {}", node.kind_name());
            fields.error(node.mark(), Code::WrongType, message, "write e.g. `extract: {token: {json: \"$.token\"}}`");
            return Vec::new();
        };
        let mut all = Vec::new();
        for entry in entries {
            let is_name = entry.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && entry.key.starts_with(|c: char| !c.is_ascii_digit());
            if !is_name {
                let message = format!("`{}` is not a name for a value", entry.key);
                fields.error(entry.key_span, Code::BadValue, message, "use letters, digits and `_`");
                continue;
            }
            let Some(mut own) = Fields::of(fields.cx(), &entry.value) else { continue };
            if let Some(place) = Place::read(&mut own) {
                all.push(Self { name: entry.key.clone(), place, check: format!("extract {}", entry.key) });
            }
            own.finish();
        }
        all
    }

    /// The value, or why there is none; the message quotes nothing of the answer. `json` keeps the parsed body for
    /// the next.
    fn of(&self, answer: &Answer, json: &Parsed, cookies: &[(String, String)]) -> Result<String, String> {
        let value = match &self.place {
            Place::Json(path) => {
                let root = json.get_or_init(|| parse_json(&answer.body, answer.truncated));
                let root = root.as_ref().map_err(Clone::clone)?;
                let node = path.query(root)?.first().ok_or("nothing at this path")?;
                match node {
                    serde_json::Value::Array(_) | serde_json::Value::Object(_) | serde_json::Value::Null => {
                        return Err("what is at this path is not one value".to_owned());
                    }
                    scalar => text_of(scalar),
                }
            }
            Place::Header(name, pattern) => {
                let value = answer.headers.get(name).ok_or("no such header")?;
                let text = String::from_utf8_lossy(value.as_bytes());
                match pattern {
                    None => text.into_owned(),
                    Some(re) => first_group(re, &text).ok_or("the header does not match")?,
                }
            }
            Place::Body(re) => {
                let text: Cow<'_, str> = String::from_utf8_lossy(&answer.body);
                first_group(re, &text).ok_or("the body does not match")?
            }
            Place::Cookie(name) => {
                let cookie = cookies.iter().find(|(n, _)| n == name);
                cookie.map(|(_, value)| value.clone()).ok_or("no such cookie")?
            }
        };
        match value.len() {
            0 => Err("the value is empty".to_owned()),
            n if n > MAX_VALUE => Err(format!("the value has {n} bytes, at most {MAX_VALUE} are taken")),
            _ => Ok(value),
        }
    }
}

impl Place {
    fn read(own: &mut Fields<'_>) -> Option<Self> {
        let json = own.parse("json", "write a path of RFC 9535 in quotes, e.g. `\"$.token\"`", Path::parse);
        let header = own.parse("header", "write e.g. `header: Location`", |t| HeaderName::try_from(t));
        let pattern = regex_field(own, "regex");
        let cookie = own.text("cookie");
        if let Some((text, re)) = &pattern
            && re.captures_len() > 2
        {
            let message = format!("`{}` has {} groups: which is meant?", text.shown(), re.captures_len() - 1);
            own.error(text.span, Code::BadValue, message, "keep one, and write `(?:…)` for the others");
        }
        let pattern = pattern.map(|(_, re)| re);
        match (json, header, pattern, cookie) {
            (Some(path), None, None, None) => Some(Self::Json(path)),
            (None, Some(name), pattern, None) => Some(Self::Header(name, pattern)),
            (None, None, Some(re), None) => Some(Self::Body(re)),
            (None, None, None, Some(name)) => Some(Self::Cookie(name.value().to_owned())),
            _ => {
                let message = "a value comes from one place: `json`, `header`, `regex` or `cookie`";
                own.error(own.head(), Code::BadValue, message, "keep one; `regex` may stand beside `header`");
                None
            }
        }
    }
}

/// The first group of the first match; without a group, all of the match.
fn first_group(re: &Regex, text: &str) -> Option<String> {
    let found = re.captures(text)?;
    found.get(1).or_else(|| found.get(0)).map(|m| m.as_str().to_owned())
}
