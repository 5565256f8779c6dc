//! Reads a mapping key by key, reports every mistake where it stands, and at the end every key
//! that nobody asked for.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::base::nearest::nearest;
use crate::base::secret::Secret;
use crate::base::units;
use crate::config::report::{Code, Source};
use crate::config::yaml::{Entry, Node, Span, Value};
use crate::wire::api::{Level, Problem};

/// Resolves `${env:NAME}` and `${file:PATH}`.
pub trait Resolver: Send + Sync {
    /// The value of a reference, `scheme` being the word before the colon.
    ///
    /// # Errors
    /// A sentence for the person, without the value.
    fn resolve(&self, scheme: &str, name: &str) -> Result<String, String>;
}

/// Where problems of one file go and how its references resolve.
pub struct Cx<'a> {
    source: Arc<Source>,
    resolver: &'a dyn Resolver,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Cx<'a> {
    /// A context for one file.
    pub fn new(source: Arc<Source>, resolver: &'a dyn Resolver) -> Self {
        Self { source, resolver, problems: RefCell::new(Vec::new()) }
    }

    /// The file.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Records an error.
    pub fn error(&self, span: Span, code: Code, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Level::Error, span, code, message.into(), hint.into());
    }

    /// Records a warning.
    pub fn warn(&self, span: Span, code: Code, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Level::Warning, span, code, message.into(), hint.into());
    }

    fn push(&self, level: Level, span: Span, code: Code, message: String, hint: String) {
        self.problems.borrow_mut().push(self.source.problem(level, span, code, message, hint));
    }

    /// How many errors (not warnings) were recorded so far.
    pub fn error_count(&self) -> usize {
        self.problems.borrow().iter().filter(|p| p.level == Level::Error).count()
    }

    /// All problems, in the order found.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// The text of a scalar with references resolved; reports and gives `None` when it is something else.
    pub fn text(&self, node: &Node) -> Option<Text> {
        let Some(raw) = node.as_str().filter(|_| !node.is_null()) else {
            let message = format!("a text belongs here, not {}", node.kind_name());
            self.error(node.span, Code::WrongType, message, "write one value, in quotes if it has special characters");
            return None;
        };
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(start) = rest.find("${") {
            value.push_str(&rest[..start]);
            let inner = &rest[start + 2..];
            let Some(end) = inner.find('}') else {
                self.error(node.span, Code::Unresolved, "`${` without its `}`", "close it: `${env:NAME}`");
                return None;
            };
            match self.reference(&inner[..end]) {
                Ok(resolved) => value.push_str(&resolved),
                Err(message) => {
                    let hint = "references are `${env:NAME}` and `${file:PATH}`; set the variable or create the file";
                    self.error(node.span, Code::Unresolved, message, hint);
                    return None;
                }
            }
            rest = &inner[end + 1..];
        }
        value.push_str(rest);
        Some(Text { value, shown: raw.to_owned(), span: node.span })
    }

    fn reference(&self, inner: &str) -> Result<String, String> {
        let (scheme, name) = inner.split_once(':').ok_or_else(|| format!("`${{{inner}}}` does not say where from"))?;
        self.resolver.resolve(scheme, name)
    }
}

/// A text with references resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    value: String,
    shown: String,
    /// Where it stands.
    pub span: Span,
}

impl Text {
    /// With references resolved: may hold secrets, goes only where it is used.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// As written, references unresolved: may be shown.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The resolved text as a secret.
    pub fn secret(self) -> Secret<String> {
        Secret::new(self.value)
    }
}

/// Reads one mapping. Call [`finish`](Self::finish) at the end to report keys nobody asked for.
pub struct Fields<'a> {
    cx: &'a Cx<'a>,
    entries: &'a [Entry],
    defaults: &'a [Entry],
    span: Span,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Reads `node`, which must be a mapping; reports and gives `None` otherwise.
    pub fn of(cx: &'a Cx<'a>, node: &'a Node) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self { cx, entries, defaults: &[], span: node.span, known: Vec::new() }),
            Value::Scalar { .. } | Value::Seq(_) => {
                let message = format!("`key: value` lines belong here, not {}", node.kind_name());
                cx.error(node.span, Code::WrongType, message, "write a mapping, e.g. `{key: value}`");
                None
            }
        }
    }

    /// Falls back to `defaults` (a mapping) for keys that are absent. Its own keys are checked elsewhere.
    #[must_use]
    pub fn with_defaults(mut self, defaults: Option<&'a Node>) -> Self {
        if let Some(Node { value: Value::Map(entries), .. }) = defaults {
            self.defaults = entries;
        }
        self
    }

    /// The context, for problems that concern more than one key.
    pub fn cx(&self) -> &'a Cx<'a> {
        self.cx
    }

    /// The range of the whole mapping.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Where a problem of the mapping as a whole is marked: its first key.
    pub fn head(&self) -> Span {
        self.entries.first().map_or(self.span, |e| e.key_span)
    }

    /// The node under `key`, own or default. An explicit null counts as absent.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        let find = |list: &'a [Entry]| list.iter().find(|e| e.key == key).map(|e| &e.value);
        find(self.entries).or_else(|| find(self.defaults)).filter(|n| !n.is_null())
    }

    /// The node in this mapping only, defaults aside.
    pub fn own(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.entries.iter().find(|e| e.key == key).map(|e| &e.value).filter(|n| !n.is_null())
    }

    /// Reports that `key` must be there.
    pub fn missing(&self, key: &str, hint: impl Into<String>) {
        self.cx.error(self.head(), Code::MissingKey, format!("`{key}` is missing"), hint);
    }

    /// An optional text.
    pub fn text(&mut self, key: &'static str) -> Option<Text> {
        let node = self.node(key)?;
        self.cx.text(node)
    }

    /// A text that must be there and not empty; `hint` says what to write.
    pub fn need_text(&mut self, key: &'static str, hint: &str) -> Option<Text> {
        let Some(node) = self.node(key) else {
            self.missing(key, hint);
            return None;
        };
        let text = self.cx.text(node)?;
        if text.value.trim().is_empty() {
            self.cx.error(node.span, Code::BadValue, format!("`{key}` is empty"), hint);
            return None;
        }
        Some(text)
    }

    /// An optional text turned into `T`; a refusal is reported with `hint`.
    pub fn parse<T, E: Display>(
        &mut self,
        key: &'static str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match parse(text.value()) {
            Ok(value) => Some(value),
            Err(e) => {
                self.cx.error(text.span, Code::BadValue, format!("`{key}`: {e}"), hint);
                None
            }
        }
    }

    /// An optional duration within limits.
    pub fn duration(&mut self, key: &'static str, limits: RangeInclusive<Duration>) -> Option<Duration> {
        let node = self.node(key)?;
        duration(self.cx, key, node, &limits)
    }

    /// An optional size in bytes within limits.
    pub fn size(&mut self, key: &'static str, limits: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(key)?;
        match units::parse_size(text.value()) {
            Ok(n) if limits.contains(&n) => Some(n),
            Ok(n) => {
                let message = format!("`{key}` is {n} bytes, allowed are {} to {}", limits.start(), limits.end());
                self.cx.error(text.span, Code::OutOfRange, message, "write a size such as `64KiB`");
                None
            }
            Err(e) => {
                self.cx.error(
                    text.span,
                    Code::BadValue,
                    format!("`{key}` {e}"),
                    "write a size such as `64KiB` or `10MB`",
                );
                None
            }
        }
    }

    /// An optional `true` or `false`.
    pub fn bool(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        let text = self.cx.text(node)?;
        match text.value() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            other => {
                let message = format!("`{key}` is `{other}`, which is neither true nor false");
                self.cx.error(text.span, Code::WrongType, message, "write `true` or `false`");
                None
            }
        }
    }

    /// An optional whole number within limits.
    pub fn integer(&mut self, key: &'static str, limits: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(key)?;
        match text.value().parse::<i64>() {
            Ok(n) if limits.contains(&n) => Some(n),
            Ok(n) => {
                let message = format!("`{key}` is {n}, allowed are {} to {}", limits.start(), limits.end());
                let hint = format!("write a number from {} to {}", limits.start(), limits.end());
                self.cx.error(text.span, Code::OutOfRange, message, hint);
                None
            }
            Err(_) => {
                let message = format!("`{key}` is `{}`, which is not a whole number", text.shown());
                self.cx.error(text.span, Code::WrongType, message, "write a number without quotes or unit");
                None
            }
        }
    }

    /// An optional number within limits.
    pub fn number(&mut self, key: &'static str, limits: RangeInclusive<f64>) -> Option<f64> {
        let text = self.text(key)?;
        match text.value().trim_end_matches('%').trim_end().parse::<f64>() {
            Ok(n) if limits.contains(&n) => Some(n),
            Ok(n) => {
                let message = format!("`{key}` is {n}, allowed are {} to {}", limits.start(), limits.end());
                let hint = format!("write a number from {} to {}", limits.start(), limits.end());
                self.cx.error(text.span, Code::OutOfRange, message, hint);
                None
            }
            Err(_) => {
                let message = format!("`{key}` is `{}`, which is not a number", text.shown());
                self.cx.error(text.span, Code::WrongType, message, "write a number");
                None
            }
        }
    }

    /// The items of an optional list; a single value counts as a list of one.
    pub fn items(&mut self, key: &'static str) -> Vec<&'a Node> {
        match self.node(key) {
            None => Vec::new(),
            Some(Node { value: Value::Seq(items), .. }) => items.iter().collect(),
            Some(single) => vec![single],
        }
    }

    /// The texts of an optional list; a single value counts as a list of one.
    pub fn texts(&mut self, key: &'static str) -> Vec<Text> {
        let cx = self.cx;
        self.items(key).into_iter().filter_map(|n| cx.text(n)).collect()
    }

    /// The entries of an optional mapping with free keys, values as texts.
    pub fn pairs(&mut self, key: &'static str) -> Vec<(&'a Entry, Text)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::Map(entries) = &node.value else {
            let message = format!("`{key}` takes `name: value` lines, not {}", node.kind_name());
            self.cx.error(node.span, Code::WrongType, message, format!("write `{key}: {{name: value}}`"));
            return Vec::new();
        };
        entries.iter().filter_map(|e| Some((e, self.cx.text(&e.value)?))).collect()
    }

    /// An optional nested mapping.
    pub fn nested(&mut self, key: &'static str) -> Option<Self> {
        let node = self.node(key)?;
        Self::of(self.cx, node)
    }

    /// Records an error.
    pub fn error(&self, span: Span, code: Code, message: impl Into<String>, hint: impl Into<String>) {
        self.cx.error(span, code, message, hint);
    }

    /// Reports every key that was never asked for, with the nearest known one.
    pub fn finish(self) {
        for entry in self.entries.iter().filter(|e| !self.known.contains(&e.key.as_str())) {
            let hint = match nearest(&entry.key, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    let mut known: Vec<&str> = self.known.clone();
                    known.sort_unstable();
                    known.dedup();
                    format!("known here: {}", known.join(", "))
                }
            };
            // A merged key has no place of its own; its value does.
            let span = if entry.key_span == Span::default() { entry.value.span } else { entry.key_span };
            self.cx.error(span, Code::UnknownKey, format!("`{}` is not a key here", entry.key), hint);
        }
    }
}

/// Reads a duration from a node, within limits.
pub fn duration(cx: &Cx<'_>, key: &str, node: &Node, limits: &RangeInclusive<Duration>) -> Option<Duration> {
    let text = cx.text(node)?;
    match units::parse_duration(text.value()) {
        Ok(d) if limits.contains(&d) => Some(d),
        Ok(d) => {
            let (low, high) = (units::Exact(*limits.start()), units::Exact(*limits.end()));
            let message = format!("`{key}` is {}, allowed are {low} to {high}", units::Exact(d));
            cx.error(text.span, Code::OutOfRange, message, format!("write a duration from {low} to {high}"));
            None
        }
        Err(units::UnitError::NoUnit(n)) => {
            let message = format!("`{key}` is `{n}`, which has no unit");
            cx.error(text.span, Code::BadValue, message, format!("write `{n}s` for seconds; also ms, m, h, d, w, y"));
            None
        }
        Err(e) => {
            let hint = "write a duration such as `300ms`, `30s`, `5m` or `1h30m`";
            cx.error(text.span, Code::BadValue, format!("`{key}`: {e}"), hint);
            None
        }
    }
}
