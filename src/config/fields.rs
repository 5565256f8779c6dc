//! Reads a mapping key by key, reports every mistake where it stands, and at the end every key
//! that nobody asked for. No message quotes what a reference resolved to.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::base::nearest::nearest;
use crate::base::units;
pub use crate::config::cx::{Cx, Resolver, Text};
use crate::config::report::Code;
use crate::config::yaml::{Entry, Node, Span, Value};

/// Reads one mapping. Call [`finish`](Self::finish) at the end to report keys nobody asked for.
pub struct Fields<'a> {
    cx: &'a Cx<'a>,
    entries: &'a [Entry],
    defaults: &'a [Entry],
    span: Span,
    known: Vec<&'static str>,
    unsupported: Vec<&'static str>,
    /// After [`seal_defaults`](Self::seal_defaults): the keys that may still fall back.
    sealed: Option<Vec<&'static str>>,
    /// Of the unknown keys, only what may be this one is reported.
    sought: Option<&'static str>,
    /// Keys that were reported as missing.
    missing: RefCell<Vec<String>>,
}

impl<'a> Fields<'a> {
    /// Reads `node`, which must be a mapping; reports and gives `None` otherwise.
    pub fn of(cx: &'a Cx<'a>, node: &'a Node) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self {
                cx,
                entries,
                defaults: &[],
                span: node.span,
                known: Vec::new(),
                unsupported: Vec::new(),
                sealed: None,
                sought: None,
                missing: RefCell::default(),
            }),
            Value::Scalar { .. } | Value::Seq(_) => {
                let message = format!("`key: value` lines belong here, not {}", node.kind_name());
                cx.error(node.mark(), Code::WrongType, message, "write a mapping, e.g. `{key: value}`");
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

    /// Ends the falling back for keys that were not asked for so far: whoever asks for them from
    /// here on finds them in the mapping itself or not at all.
    pub fn seal_defaults(&mut self) {
        self.sealed = Some(self.known.clone());
    }

    /// Reports each of `keys` that is there as not part of this version. They count as known, but
    /// no hint names them.
    pub fn unsupported(&mut self, keys: &[&'static str]) {
        for key in keys {
            if let Some(entry) = self.entries.iter().find(|e| e.key == *key) {
                let message = format!("`{key}` is not part of this version and has no effect");
                self.cx.error(entry.key_span, Code::Unsupported, message, format!("take `{key}` out"));
                self.unsupported.push(key);
            }
        }
    }

    /// The entries that nobody asked for so far.
    pub fn unclaimed(&self) -> impl Iterator<Item = &'a Entry> + use<'_, 'a> {
        self.entries.iter().filter(|e| !self.is_claimed(&e.key))
    }

    fn is_claimed(&self, key: &str) -> bool {
        self.known.contains(&key) || self.unsupported.contains(&key)
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
        let defaults = match &self.sealed {
            Some(open) if !open.contains(&key) => &[],
            Some(_) | None => self.defaults,
        };
        find(self.entries).or_else(|| find(defaults)).filter(|n| !n.is_null())
    }

    /// The node in this mapping only, defaults aside.
    pub fn own(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.entries.iter().find(|e| e.key == key).map(|e| &e.value).filter(|n| !n.is_null())
    }

    /// The node among the defaults only.
    pub fn fallback(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.defaults.iter().find(|e| e.key == key).map(|e| &e.value).filter(|n| !n.is_null())
    }

    /// Leaves the remaining keys unreported: what they may be is not known.
    pub fn claim_rest(&mut self) {
        self.entries = &[];
    }

    /// The same, but for the entry that may be a misspelt `key`.
    pub fn claim_rest_but(&mut self, key: &'static str) {
        self.sought = Some(key);
    }

    /// Reports that `key` must be there.
    pub fn missing(&self, key: &str, hint: impl Into<String>) {
        self.missing.borrow_mut().push(key.to_owned());
        self.cx.error(self.head(), Code::MissingKey, missing(key), hint);
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
        if text.value().trim().is_empty() {
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
                let message = refusal(key, &text, &e);
                self.cx.error(text.span, Code::BadValue, message, hint);
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
                let hint = "write a size such as `64KiB` or `10MB`";
                self.cx.error(text.span, Code::BadValue, refusal(key, &text, &e), hint);
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
            _ => {
                let message = format!("`{key}` is `{}`, which is neither true nor false", text.shown());
                self.cx.error(text.span, Code::WrongType, message, "write `true` or `false`");
                None
            }
        }
    }

    /// An optional whole number within limits.
    pub fn integer(&mut self, key: &'static str, limits: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(key)?;
        match text.value().parse::<i64>() {
            Ok(n) => self.within(key, &text, n, &limits),
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
            Ok(n) => self.within(key, &text, n, &limits),
            Err(_) => {
                let message = format!("`{key}` is `{}`, which is not a number", text.shown());
                self.cx.error(text.span, Code::WrongType, message, "write a number");
                None
            }
        }
    }

    fn within<N: PartialOrd + Display>(&self, key: &str, text: &Text, n: N, limits: &RangeInclusive<N>) -> Option<N> {
        if limits.contains(&n) {
            return Some(n);
        }
        let message = format!("`{key}` is {n}, allowed are {} to {}", limits.start(), limits.end());
        let hint = format!("write a number from {} to {}", limits.start(), limits.end());
        self.cx.error(text.span, Code::OutOfRange, message, hint);
        None
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
            self.cx.error(node.mark(), Code::WrongType, message, format!("write `{key}: {{name: value}}`"));
            return Vec::new();
        };
        entries.iter().filter_map(|e| Some((e, self.cx.text(&e.value)?))).collect()
    }

    /// An optional nested mapping.
    pub fn nested(&mut self, key: &'static str) -> Option<Self> {
        let node = self.node(key)?;
        Self::of(self.cx, node)
    }

    /// An optional nested mapping whose single value, written without it, is most likely meant for `inner`.
    pub fn nested_of(&mut self, key: &'static str, inner: &str) -> Option<Self> {
        let node = self.node(key)?;
        if let Value::Scalar { .. } = node.value
            && !node.is_null()
        {
            let text = self.cx.text(node)?;
            let message = format!("`{key}` takes `key: value` pairs, not a single value");
            let hint = format!("write `{key}: {{{inner}: {}}}`", text.shown());
            self.cx.error(node.span, Code::WrongType, message, hint);
            return None;
        }
        Self::of(self.cx, node)
    }

    /// Records an error.
    pub fn error(&self, span: Span, code: Code, message: impl Into<String>, hint: impl Into<String>) {
        self.cx.error(span, code, message, hint);
    }

    /// Reports every key that was never asked for, with the nearest known one.
    pub fn finish(self) {
        let of_interest = |e: &&Entry| self.sought.is_none_or(|key| nearest(&e.key, [key]).is_some());
        for entry in self.unclaimed().filter(of_interest) {
            let near = if self.cx.is_full() { None } else { nearest(&entry.key, self.known.iter().copied()) };
            if let Some(near) = near.filter(|near| self.missing.borrow().iter().any(|key| key == near)) {
                // One mistake should read as one: the misspelt key is why the other is missing.
                self.cx.retract(self.head(), Code::MissingKey, &missing(near));
            }
            let hint = near.map_or_else(|| self.all_known(), |near| format!("did you mean `{near}`?"));
            self.cx.error(entry.key_span, Code::UnknownKey, format!("`{}` is not a key here", entry.key), hint);
        }
    }

    fn all_known(&self) -> String {
        let mut known = self.known.clone();
        known.sort_unstable();
        known.dedup();
        format!("known here: {}", known.join(", "))
    }
}

fn missing(key: &str) -> String {
    format!("`{key}` is missing")
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
        Err(units::UnitError::NoUnit(n)) if !text.is_reference() => {
            let message = format!("`{key}` is `{n}`, which has no unit");
            cx.error(
                text.span,
                Code::BadValue,
                message,
                format!("add the unit: `{n}ms`, `{n}s`, `{n}m`, `{n}h` or `{n}d`"),
            );
            None
        }
        Err(e) => {
            let hint = "write a duration such as `300ms`, `30s`, `5m` or `1h30m`";
            cx.error(text.span, Code::BadValue, refusal(key, &text, &e), hint);
            None
        }
    }
}

/// The sentence about a value that is not understood. What came from elsewhere is not quoted.
pub fn refusal(key: &str, text: &Text, why: &dyn Display) -> String {
    if text.is_reference() {
        return format!("`{key}`: the value of `{}` is not understood", text.shown());
    }
    format!("`{key}`: {why}")
}
