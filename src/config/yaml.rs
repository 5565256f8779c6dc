//! YAML text → a tree in which every node knows its byte range.
//!
//! Bounded: nesting, node count after alias expansion, and (by the caller) file size. Duplicate keys
//! are reported and the first one wins; `<<` merges mappings as in YAML 1.1, because people use it.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

use crate::config::syntax;

/// Deepest nesting of a file; real configurations stay below 12.
const MAX_DEPTH: usize = 64;
/// Most nodes of one file, aliases expanded: 10,000 monitors of 30 nodes fit three times.
const MAX_NODES: usize = 1_000_000;

/// A byte range of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// One node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
}

/// What a node is. Scalars stay text until somebody asks for a type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A scalar; `plain` when it was not quoted, so that `"true"` is a string and `true` is not.
    Scalar {
        /// The text after escapes.
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping in the order written.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
    /// Came in through `<<`: an explicit key of the same name replaces it.
    pub merged: bool,
}

/// Something wrong with the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: SyntaxKind,
}

/// What is wrong with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxKind {
    /// Not YAML.
    #[error("{message}")]
    Scan {
        /// In what way.
        message: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A key stands twice in one mapping; the first stays.
    #[error("key `{0}` stands here twice")]
    Duplicate(String),
    /// `<<` with something that is not a mapping.
    #[error("`<<` takes a mapping or a list of mappings")]
    BadMerge,
    /// A key that is a list or a mapping.
    #[error("a key must be a plain word")]
    ComplexKey,
    /// Nested too deep.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Too many nodes, or aliases that multiply.
    #[error("more than {MAX_NODES} nodes once aliases are expanded")]
    TooMany,
    /// More than one document in the file.
    #[error("a second document in the same file")]
    SecondDocument,
}

impl Node {
    /// The text of a scalar.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Seq(_) | Value::Map(_) => None,
        }
    }

    /// Whether the node is an empty value: nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Where a problem of the node as a whole is marked: a list or mapping by its first character.
    pub fn mark(&self) -> Span {
        match &self.value {
            Value::Scalar { .. } => self.span,
            Value::Seq(_) | Value::Map(_) => Span { start: self.span.start, end: self.span.start + 1 },
        }
    }

    /// The entry of a mapping with this key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key),
            Value::Scalar { .. } | Value::Seq(_) => None,
        }
    }

    /// A word for messages: `a list`, `a mapping`, `a word`.
    pub fn kind_name(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// What a text yields.
#[derive(Debug)]
pub struct Parsed {
    /// The tree; `None` for an empty text. When the text is `broken`, the complete parts before the
    /// place where reading ended: fit to be checked, not to be used.
    pub root: Option<Node>,
    /// All mistakes, the one that ended the reading last.
    pub errors: Vec<SyntaxError>,
    /// The text could not be read to its end.
    pub broken: bool,
}

/// Parses one document. The tree is `None` for an empty file; with a fatal error it is `None` too.
pub fn parse(text: &str) -> (Option<Node>, Vec<SyntaxError>) {
    let parsed = parse_partly(text);
    (parsed.root.filter(|_| !parsed.broken), parsed.errors)
}

/// Parses one document and keeps what came before a fatal error.
pub fn parse_partly(text: &str) -> Parsed {
    let mut builder = Builder::default();
    let options = granit_parser::options! { emit_comments: false };
    for item in Parser::new_from_str_with_options(text, options) {
        let step = match item {
            Ok((event, span)) => builder.event(event, to_span(&span, text)),
            Err(e) => {
                let at = text.floor_char_boundary(e.marker().byte_offset().unwrap_or(text.len()));
                let (message, hint) = syntax::explain(e.kind());
                Err(SyntaxError { span: Span { start: at, end: at }, kind: SyntaxKind::Scan { message, hint } })
            }
        };
        if let Err(fatal) = step {
            builder.errors.push(fatal);
            return Parsed { root: builder.complete_part(text), errors: builder.errors, broken: true };
        }
    }
    Parsed { root: builder.root, errors: builder.errors, broken: false }
}

fn to_span(span: &granit_parser::Span, text: &str) -> Span {
    let range = span.byte_range().unwrap_or(0..0);
    let start = text.floor_char_boundary(range.start);
    Span { start, end: text.floor_char_boundary(range.end).max(start) }
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    errors: Vec<SyntaxError>,
}

struct Open {
    anchor: usize,
    start: usize,
    /// Where the last thing in it ended, also one that was dropped.
    end: usize,
    nodes_before: usize,
    kind: OpenKind,
}

enum OpenKind {
    Seq(Vec<Node>),
    Map { map: Mapping, key: Option<(String, Span)> },
}

/// Mappings longer than this are searched through an index.
const INDEX_FROM: usize = 16;

/// A mapping while it is being read. The index keeps a mapping of 100,000 keys from costing n².
#[derive(Default)]
struct Mapping {
    entries: Vec<Entry>,
    index: HashMap<String, usize>,
}

impl Mapping {
    fn find(&self, key: &str) -> Option<usize> {
        if self.index.is_empty() {
            return self.entries.iter().position(|e| e.key == key);
        }
        self.index.get(key).copied()
    }

    fn push(&mut self, entry: Entry) {
        if !self.index.is_empty() {
            self.index.insert(entry.key.clone(), self.entries.len());
        } else if self.entries.len() >= INDEX_FROM {
            self.index = self.entries.iter().enumerate().map(|(i, e)| (e.key.clone(), i)).collect();
            self.index.insert(entry.key.clone(), self.entries.len());
        }
        self.entries.push(entry);
    }

    /// Adds an entry as written; gives the key back when the mapping has it already.
    fn add(&mut self, key: String, key_span: Span, value: Node) -> Result<(), String> {
        match self.find(&key) {
            None => self.push(Entry { key, key_span, value, merged: false }),
            Some(i) if self.entries[i].merged => self.entries[i] = Entry { key, key_span, value, merged: false },
            Some(_) => return Err(key),
        }
        Ok(())
    }

    /// Adds the entries of a merged mapping, or of a list of them, that are not there yet.
    fn merge(&mut self, node: Node) -> Result<(), Span> {
        match node.value {
            Value::Map(entries) => {
                for entry in entries {
                    if self.find(&entry.key).is_none() {
                        self.push(Entry { merged: true, ..entry });
                    }
                }
                Ok(())
            }
            Value::Seq(items) => items.into_iter().try_for_each(|item| match item.value {
                Value::Map(_) => self.merge(item),
                Value::Seq(_) | Value::Scalar { .. } => Err(item.span),
            }),
            Value::Scalar { .. } => Err(node.span),
        }
    }
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let node = Node { value: Value::Scalar { text: text.into_owned(), plain }, span: inside(style, span) };
                self.count(1, span)?;
                self.anchor(anchor, &node, 1)?;
                self.place(node)
            }
            Event::SequenceStart(_, anchor, _) => self.open(OpenKind::Seq(Vec::new()), anchor, span),
            Event::MappingStart(_, anchor, _) => {
                self.open(OpenKind::Map { map: Mapping::default(), key: None }, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => {
                let Some((_, size)) = self.anchors.get(&id) else {
                    let message = "an anchor cannot hold itself".to_owned();
                    let kind = SyntaxKind::Scan { message, hint: "name an anchor that ends above" };
                    return Err(SyntaxError { span, kind });
                };
                self.count(*size, span)?;
                let Some((node, _)) = self.anchors.get(&id).cloned() else { return Ok(()) };
                // The alias' own place is what a message about its content should point at.
                self.place(Node { span, ..node })
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(SyntaxError { span, kind: SyntaxKind::SecondDocument })
            }
            _ => Ok(()),
        }
    }

    /// The entries of the outermost mapping that were read to their end, and of an unfinished list
    /// in it the items that were. Anything deeper could seem to lack what was not read any more.
    fn complete_part(&mut self, text: &str) -> Option<Node> {
        let mut open = std::mem::take(&mut self.open).into_iter();
        let root = open.next()?;
        let OpenKind::Map { mut map, key } = root.kind else { return None };
        if let (Some((key, key_span)), Some(Open { start, end, kind: OpenKind::Seq(mut items), .. })) =
            (key, open.next())
        {
            // With no item open, the mistake may be what cut the last one short, unless it has its brace.
            let ended = |item: &Node| text[..item.span.end].ends_with('}');
            if open.next().is_none() {
                items.pop_if(|last| !ended(last));
            }
            let value = Node { value: Value::Seq(items), span: Span { start, end } };
            // A key that is there already was reported by nobody yet, and need not be now.
            drop(map.add(key, key_span, value));
        }
        Some(Node { value: Value::Map(map.entries), span: Span { start: root.start, end: root.end } })
    }

    fn count(&mut self, n: usize, span: Span) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(n);
        if self.nodes > MAX_NODES { Err(SyntaxError { span, kind: SyntaxKind::TooMany }) } else { Ok(()) }
    }

    /// Keeps a copy for aliases. Copies count too: anchors inside anchors would multiply otherwise.
    fn anchor(&mut self, id: usize, node: &Node, size: usize) -> Result<(), SyntaxError> {
        if id != 0 {
            self.count(size, node.span)?;
            self.anchors.insert(id, (node.clone(), size));
        }
        Ok(())
    }

    fn open(&mut self, kind: OpenKind, anchor: usize, span: Span) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError { span, kind: SyntaxKind::TooDeep });
        }
        if let Some(Open { kind: OpenKind::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(SyntaxError { span, kind: SyntaxKind::ComplexKey });
        }
        self.open.push(Open { anchor, start: span.start, end: span.start, nodes_before: self.nodes, kind });
        self.count(1, span)
    }

    fn close(&mut self, span: Span) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.kind {
            OpenKind::Seq(items) => Value::Seq(items),
            OpenKind::Map { map, .. } => Value::Map(map.entries),
        };
        // A block collection's end event stands where the next token begins; its last child's end is tighter.
        let end = if span.start == span.end { open.end } else { span.end.max(open.end) };
        let node = Node { value, span: Span { start: open.start, end } };
        let size = self.nodes - open.nodes_before;
        self.anchor(open.anchor, &node, size)?;
        self.place(node)
    }

    fn place(&mut self, node: Node) -> Result<(), SyntaxError> {
        if let Some(open) = self.open.last_mut() {
            open.end = open.end.max(node.span.end);
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { kind: OpenKind::Seq(items), .. }) => items.push(node),
            Some(Open { kind: OpenKind::Map { map, key }, .. }) => match key.take() {
                None => match node.value {
                    Value::Scalar { text, .. } => *key = Some((text, node.span)),
                    Value::Seq(_) | Value::Map(_) => {
                        return Err(SyntaxError { span: node.span, kind: SyntaxKind::ComplexKey });
                    }
                },
                Some((key, _)) if key == "<<" => {
                    if let Err(span) = map.merge(node) {
                        self.errors.push(SyntaxError { span, kind: SyntaxKind::BadMerge });
                    }
                }
                Some((key, key_span)) => {
                    if let Err(key) = map.add(key, key_span, node) {
                        self.errors.push(SyntaxError { span: key_span, kind: SyntaxKind::Duplicate(key) });
                    }
                }
            },
        }
        Ok(())
    }
}

/// The span of a scalar without its quotes, so that a mark covers the value itself.
fn inside(style: ScalarStyle, span: Span) -> Span {
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    if quoted && span.end - span.start > 2 { Span { start: span.start + 1, end: span.end - 1 } } else { span }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn tree(text: &str) -> Node {
        let (node, errors) = parse(text);
        assert_eq!(errors, []);
        node.unwrap()
    }

    #[test]
    fn spans_cut_the_text_they_name() {
        let text = "a: ünï\nlist:\n  - one\n  - {k: \"v\"}\n";
        let root = tree(text);
        let a = root.get("a").unwrap();
        assert_eq!(&text[a.key_span.start..a.key_span.end], "a");
        assert_eq!(&text[a.value.span.start..a.value.span.end], "ünï");
        let Value::Seq(items) = &root.get("list").unwrap().value.value else { panic!() };
        assert_eq!(&text[items[1].span.start..items[1].span.end], "{k: \"v\"}");
    }

    #[test]
    fn duplicate_keys_are_all_reported_and_the_first_wins() {
        let (node, errors) = parse("a: 1\na: 2\nb: 1\nb: 2\n");
        assert_eq!(errors.len(), 2);
        assert_eq!(node.unwrap().get("a").unwrap().value.as_str(), Some("1"));
    }

    #[test]
    fn merge_keys_fill_what_is_missing() {
        let root = tree("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n");
        let y = &root.get("y").unwrap().value;
        assert_eq!(y.get("a").unwrap().value.as_str(), Some("1"));
        assert_eq!(y.get("b").unwrap().value.as_str(), Some("3"));
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let prev = format!("*a{}", i - 1);
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![prev; 10].join(", ")));
        }
        assert!(matches!(parse(&bomb).1[0].kind, SyntaxKind::TooMany));
        assert!(parse(&"[".repeat(100_000)).0.is_none());
        assert!(parse(&format!("a: {}", "- ".repeat(100_000))).0.is_none());
    }

    #[test]
    fn a_quoted_true_is_a_string() {
        let root = tree("a: \"true\"\nb: true\n");
        assert!(matches!(root.get("a").unwrap().value.value, Value::Scalar { plain: false, .. }));
        assert!(matches!(root.get("b").unwrap().value.value, Value::Scalar { plain: true, .. }));
    }
}
