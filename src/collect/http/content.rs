//! What a request says: its method, headers and body, read from a monitor or from one of its steps.

use std::path::PathBuf;

use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use serde_json::{Map, Value as Json};

use crate::collect::http::hop::Hop;
use crate::collect::mask::Mask;
use crate::config::fields::{Cx, Fields};
use crate::config::report::Code;
use crate::config::yaml::{Node, Span, Value};

/// What requests say of us.
pub const USER_AGENT: &str = concat!("watchdog/", env!("CARGO_PKG_VERSION"));

/// What is said.
#[derive(Clone, Debug)]
pub struct Content {
    /// The method.
    pub method: Method,
    /// The headers as written.
    pub headers: Vec<Line>,
    /// The body.
    pub body: Body,
}

/// One header, not yet checked: a step may hold templates in it.
#[derive(Clone)]
pub struct Line {
    /// The name.
    pub name: HeaderName,
    /// The value, references resolved.
    pub value: String,
    /// Whether it stays with its origin.
    pub private: bool,
    /// Where it stands.
    pub span: Span,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// Where a body comes from.
#[derive(Clone)]
pub enum Body {
    /// None.
    Nothing,
    /// The options.
    Text {
        /// The bytes.
        text: String,
        /// Whether references are in it.
        private: bool,
        /// Where it stands.
        span: Span,
    },
    /// A file, read in every probe.
    File(PathBuf),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Text { text, .. } => write!(f, "Text({} bytes)", text.len()),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

impl Content {
    /// Reads `method`, `headers`, `body`, `json`, `body_file`; [`add_defaults`](Self::add_defaults) makes it whole.
    pub fn read(fields: &mut Fields<'_>, mask: &mut Mask) -> Self {
        let method = fields.parse("method", "write e.g. GET, HEAD or POST", parse_method);
        let mut headers = read_headers(fields, mask);
        let has = |headers: &[Line], name: HeaderName| headers.iter().any(|l| l.name == name);
        let (body, is_json) = read_body(fields, mask);
        if is_json && !has(&headers, header::CONTENT_TYPE) {
            headers.push(Line::own(header::CONTENT_TYPE, "application/json"));
        }
        let method = method.unwrap_or(if is_json { Method::POST } else { Method::GET });
        Self { method, headers, body }
    }

    /// Adds the headers that every request has.
    pub fn add_defaults(&mut self) {
        self.default_header(header::USER_AGENT, USER_AGENT);
        self.default_header(header::ACCEPT, "*/*");
        // One request per connection: the peer may close first, and keeps the socket's last state.
        self.default_header(header::CONNECTION, "close");
    }

    /// Adds a header unless the person has set it.
    pub fn default_header(&mut self, name: HeaderName, value: &str) {
        if !self.headers.iter().any(|l| l.name == name) {
            self.headers.push(Line::own(name, value));
        }
    }

    /// Says it in a hop. Headers that no header may be were reported by [`Line::check`].
    pub fn fill(self, hop: &mut Hop) -> Option<PathBuf> {
        for line in self.headers {
            if let Ok(mut value) = HeaderValue::try_from(line.value) {
                value.set_sensitive(line.private);
                hop.set_header(line.name, value, line.private);
            }
        }
        match self.body {
            Body::Nothing => None,
            Body::Text { text, private, .. } => {
                hop.set_body(Bytes::from(text), private);
                None
            }
            Body::File(path) => Some(path),
        }
    }
}

impl Line {
    fn own(name: HeaderName, value: &str) -> Self {
        Self { name, value: value.to_owned(), private: false, span: Span::default() }
    }

    /// Reports a value that no header may have.
    pub fn check(&self, fields: &Fields<'_>, value: &str) {
        if HeaderValue::try_from(value).is_err() {
            let message = format!("the value of `{}` has characters that no header may have", self.name);
            fields.error(self.span, Code::BadValue, message, "remove line breaks and control characters");
        }
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(upper.as_bytes()) {
        Ok(Method::CONNECT) => Err("CONNECT is not a request that can be probed".to_owned()),
        Ok(method) => Ok(method),
        Err(_) => Err(format!("`{text}` is not a method")),
    }
}

/// Reads `headers`.
pub fn read_headers(fields: &mut Fields<'_>, mask: &mut Mask) -> Vec<Line> {
    let mut headers = Vec::new();
    for (entry, text) in fields.pairs("headers") {
        let Ok(name) = HeaderName::try_from(entry.key.as_str()) else {
            let message = format!("`{}` is not a header name", entry.key);
            fields.error(entry.key_span, Code::BadValue, message, "use letters, digits and `-`");
            continue;
        };
        if matches!(name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION) {
            let message = format!("`{}` is set by the probe itself", entry.key);
            fields.error(entry.key_span, Code::Conflict, message, "remove this line");
            continue;
        }
        if name == header::PROXY_AUTHORIZATION {
            let message = "`Proxy-Authorization` would go to the server, not to a proxy";
            fields.error(entry.key_span, Code::Conflict, message, "write `proxy: http://USER:PASSWORD@HOST:PORT`");
            continue;
        }
        let referenced = mask.add_text(&text);
        let credential = matches!(name, header::AUTHORIZATION | header::COOKIE);
        if credential {
            mask.add_credentials(text.value());
        }
        let private = referenced || credential;
        headers.push(Line { name, value: text.value().to_owned(), private, span: text.span });
    }
    headers
}

/// The body, and whether it is `json`.
fn read_body(fields: &mut Fields<'_>, mask: &mut Mask) -> (Body, bool) {
    let text = fields.text("body");
    let file = fields.text("body_file");
    let json = fields.node("json");
    if [text.is_some(), file.is_some(), json.is_some()].iter().filter(|given| **given).count() > 1 {
        let message = "a request has one body: `body`, `body_file` or `json`";
        fields.error(fields.head(), Code::Conflict, message, "keep one of them");
    }
    if let Some(text) = text {
        let private = mask.add_text(&text);
        return (Body::Text { text: text.value().to_owned(), private, span: text.span }, false);
    }
    if let Some(file) = file {
        if !file.value().starts_with('/') {
            let message = format!("`body_file` is `{}`, which is not an absolute path", file.shown());
            fields.error(file.span, Code::BadValue, message, "begin it with `/`: services start in another directory");
        }
        return (Body::File(PathBuf::from(file.value())), false);
    }
    let Some(node) = json else { return (Body::Nothing, false) };
    let mut private = false;
    let text = match &node.value {
        // A text is JSON already.
        Value::Scalar { .. } => fields.cx().text(node).and_then(|text| {
            private = mask.add_text(&text);
            let valid = serde_json::from_str::<serde::de::IgnoredAny>(text.value());
            if let Err(e) = valid {
                let message = format!("`json` is not JSON: {e}");
                fields.error(text.span, Code::BadValue, message, "write a mapping, or JSON in single quotes");
                return None;
            }
            Some(text.value().to_owned())
        }),
        Value::Map(_) | Value::Seq(_) => to_json(fields.cx(), node, mask, &mut private).map(|v| v.to_string()),
    };
    (text.map_or(Body::Nothing, |text| Body::Text { text, private, span: node.span }), true)
}

/// YAML as JSON: what stands without quotes and looks like a number, a truth or null is one.
fn to_json(cx: &Cx<'_>, node: &Node, mask: &mut Mask, private: &mut bool) -> Option<Json> {
    match &node.value {
        Value::Map(entries) => {
            let mut map = Map::new();
            for entry in entries {
                map.insert(entry.key.clone(), to_json(cx, &entry.value, mask, private)?);
            }
            Some(Json::Object(map))
        }
        Value::Seq(items) => {
            items.iter().map(|item| to_json(cx, item, mask, private)).collect::<Option<Vec<_>>>().map(Json::Array)
        }
        Value::Scalar { .. } if node.is_null() => Some(Json::Null),
        Value::Scalar { plain, .. } => {
            let text = cx.text(node)?;
            *private |= mask.add_text(&text);
            let word = text.value();
            let typed = match word {
                "true" | "True" | "TRUE" => Some(Json::Bool(true)),
                "false" | "False" | "FALSE" => Some(Json::Bool(false)),
                _ => word.parse::<serde_json::Number>().ok().map(Json::Number),
            };
            // What a reference stands for is a text, whatever it looks like.
            let typed = typed.filter(|_| *plain && !text.is_reference());
            Some(typed.unwrap_or_else(|| Json::String(word.to_owned())))
        }
    }
}
