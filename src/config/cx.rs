//! One file while it is being checked: where its problems go, and how its references resolve.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use crate::base::secret::Secret;
use crate::config::report::{self, Code, Source};
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

/// Most problems of one file that are listed one by one; the rest is counted.
const MAX_PROBLEMS: usize = 1_000;

/// Where problems of one file go and how its references resolve.
pub struct Cx<'a> {
    source: Arc<Source>,
    resolver: &'a dyn Resolver,
    problems: RefCell<Vec<Problem>>,
    errors: Cell<usize>,
    dropped: Cell<usize>,
    resolved: RefCell<HashMap<String, Result<String, String>>>,
    /// Texts with references that were read since they were taken last.
    referring: RefCell<Vec<Text>>,
}

impl<'a> Cx<'a> {
    /// A context for one file.
    pub fn new(source: Arc<Source>, resolver: &'a dyn Resolver) -> Self {
        Self {
            source,
            resolver,
            problems: RefCell::default(),
            errors: Cell::new(0),
            dropped: Cell::new(0),
            resolved: RefCell::default(),
            referring: RefCell::default(),
        }
    }

    /// The file.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Records an error.
    pub fn error(&self, span: Span, code: Code, message: impl Into<String>, hint: impl Into<String>) {
        // What is merely not built yet takes nothing away from the rest of a definition.
        self.errors.set(self.errors.get() + usize::from(code != Code::Unsupported));
        self.push(Level::Error, span, code, message.into(), hint.into());
    }

    /// Records a warning.
    pub fn warn(&self, span: Span, code: Code, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Level::Warning, span, code, message.into(), hint.into());
    }

    fn push(&self, level: Level, span: Span, code: Code, message: String, hint: String) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() >= MAX_PROBLEMS {
            self.dropped.set(self.dropped.get() + 1);
            return;
        }
        problems.push(self.source.problem(level, span, code, message, hint));
    }

    /// Takes a problem back that another one explains. It still counts as an error.
    pub(crate) fn retract(&self, span: Span, code: Code, message: &str) {
        let at = self.source.position(span.start);
        self.problems.borrow_mut().retain(|p| {
            (p.line, p.column, p.code.as_str(), p.message.as_str()) != (at.line, at.column, code.as_str(), message)
        });
    }

    /// How many errors were recorded so far. Warnings do not count, nor does
    /// [`Code::Unsupported`]: it leaves the rest of a definition usable.
    pub fn error_count(&self) -> usize {
        self.errors.get()
    }

    /// Whether further problems would only be counted, so that hints need not be worked out.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.borrow().len() >= MAX_PROBLEMS
    }

    /// Whether any reference was resolved: then the result depends on more than the file's text.
    pub fn used_references(&self) -> bool {
        !self.resolved.borrow().is_empty()
    }

    /// All problems in order of place, each once.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        report::sort(&mut problems);
        if self.dropped.get() > 0 {
            let message = format!("{} more problems in this file are not listed", self.dropped.get());
            let hint = "fix those above, then check again";
            problems.push(report::whole_file(Level::Error, self.source.path(), Code::TooLarge, message, hint));
        }
        problems
    }

    /// Takes the texts with references that were read since the last call: what they resolved to may be secret.
    pub fn take_referring(&self) -> Vec<Text> {
        self.referring.take()
    }

    /// The text of a scalar with references resolved; reports and gives `None` when it is something else.
    pub fn text(&self, node: &Node) -> Option<Text> {
        let Some(raw) = node.as_str().filter(|_| !node.is_null()) else {
            let message = format!("a text belongs here, not {}", node.kind_name());
            self.error(
                node.mark(),
                Code::WrongType,
                message,
                "write one value, in quotes if it has special characters",
            );
            return None;
        };
        match self.expand(raw) {
            Ok(value) => {
                let text = Text { value, shown: raw.to_owned(), span: node.span };
                if text.is_reference() {
                    self.referring.borrow_mut().push(text.clone());
                }
                Some(text)
            }
            Err((place, message, hint)) => {
                self.error(self.part(node.span, place), Code::Unresolved, message, hint);
                None
            }
        }
    }

    /// `raw` with its references resolved (`$${` stands for `${` itself), or the reference that does not, why, and what to do.
    fn expand<'t>(&self, raw: &'t str) -> Result<String, (&'t str, String, &'static str)> {
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(start) = rest.find("${") {
            if let Some(before) = rest[..start].strip_suffix('$') {
                value.push_str(before);
                value.push_str("${");
                rest = &rest[start + 2..];
                continue;
            }
            value.push_str(&rest[..start]);
            let inner = &rest[start + 2..];
            let Some(end) = inner.find('}') else {
                return Err((&rest[start..], "`${` without its `}`".to_owned(), "close it: `${env:NAME}`"));
            };
            let whole = &rest[start..start + end + 3];
            match self.reference(&inner[..end]) {
                Ok(resolved) => value.push_str(&resolved),
                Err(message) => {
                    let hint = match inner.split_once(':').map(|(scheme, _)| scheme) {
                        Some("env") => "set the variable for the process that runs Watchdog, or take the reference out",
                        Some("file") => "create the file; its path is relative to the configuration directory",
                        _ => {
                            "references are `${env:NAME}` and `${file:PATH}`; write `$${` for the two characters themselves"
                        }
                    };
                    return Err((whole, message, hint));
                }
            }
            rest = &inner[end + 1..];
        }
        value.push_str(rest);
        Ok(value)
    }

    /// A variable of the environment; nothing where it is not set, or empty.
    pub fn environment(&self, name: &str) -> Option<String> {
        self.reference(&format!("env:{name}")).ok().filter(|value| !value.is_empty())
    }

    fn reference(&self, inner: &str) -> Result<String, String> {
        if let Some(known) = self.resolved.borrow().get(inner) {
            return known.clone();
        }
        let answer = match inner.split_once(':') {
            Some((scheme, name)) => self.resolver.resolve(scheme, name),
            None => Err(format!("`${{{inner}}}` does not say where from")),
        };
        self.resolved.borrow_mut().insert(inner.to_owned(), answer.clone());
        answer
    }

    /// The range of `part` within `span`, when it stands there as it is (and not behind escapes).
    fn part(&self, span: Span, part: &str) -> Span {
        let at = self.source.text().get(span.start..span.end).and_then(|t| t.find(part));
        at.map_or(span, |at| Span { start: span.start + at, end: span.start + at + part.len() })
    }

    /// Feeds what `node` says, references resolved and keys in order, to a hash.
    pub fn digest(&self, node: &Node, hash: &mut impl Hasher) {
        match &node.value {
            Value::Scalar { text, plain } => {
                hash.write_u8(u8::from(*plain && is_typed(text)));
                text_into(hash, &self.expand(text).unwrap_or_else(|_| text.clone()));
            }
            Value::Seq(items) => {
                hash.write_u8(b'[');
                items.iter().for_each(|item| self.digest(item, hash));
                hash.write_u8(b']');
            }
            Value::Map(entries) => self.digest_entries(entries.iter(), hash),
        }
    }

    /// The same for some entries of a mapping.
    pub fn digest_entries<'e>(&self, entries: impl Iterator<Item = &'e Entry>, hash: &mut impl Hasher) {
        let mut sorted: Vec<&Entry> = entries.collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        hash.write_u8(b'{');
        for entry in sorted {
            text_into(hash, &entry.key);
            self.digest(&entry.value, hash);
        }
        hash.write_u8(b'}');
    }
}

/// Whether an unquoted word means something other than its text: `true`, `null`, a number.
fn is_typed(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
        || text.parse::<f64>().is_ok()
}

fn text_into(hash: &mut impl Hasher, text: &str) {
    hash.write(text.as_bytes());
    hash.write_u8(0xff);
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

    /// Whether the value came from elsewhere, so that no message may quote it.
    pub fn is_reference(&self) -> bool {
        self.value != self.shown
    }

    /// The resolved text as a secret.
    pub fn secret(self) -> Secret<String> {
        Secret::new(self.value)
    }
}
