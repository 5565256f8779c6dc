//! Problems with their place: collected while checking, located when the text is at hand.

use std::sync::Arc;

use crate::config::yaml::Span;
use crate::wire::api::{Level, Problem};

/// Longest snippet kept, in characters: a 4 MiB line helps nobody.
const MAX_SNIPPET: usize = 200;

/// What sort of problem; the stable code of `watchdog check --json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The text is not YAML.
    Syntax,
    /// A key stands twice.
    DuplicateKey,
    /// A key that nothing knows.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// A list where a word belongs, and the like.
    WrongType,
    /// A value that is not understood.
    BadValue,
    /// A value outside its limits.
    OutOfRange,
    /// A `type:` that does not exist.
    UnknownType,
    /// A name used twice.
    DuplicateName,
    /// `${…}` that does not resolve.
    Unresolved,
    /// A file, directory or tree over its limit.
    TooLarge,
    /// A file that is not read: link out of the directory, not a regular file, unreadable, not UTF-8.
    BadFile,
    /// A reference to something that is not defined.
    UnknownReference,
    /// Two settings that exclude each other.
    Conflict,
    /// Something that this version does not do.
    Unsupported,
    /// Works, but is probably not meant.
    Suspicious,
}

impl Code {
    /// The code as printed: `W003`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "W001",
            Self::DuplicateKey => "W002",
            Self::UnknownKey => "W003",
            Self::MissingKey => "W004",
            Self::WrongType => "W005",
            Self::BadValue => "W006",
            Self::OutOfRange => "W007",
            Self::UnknownType => "W008",
            Self::DuplicateName => "W009",
            Self::Unresolved => "W010",
            Self::TooLarge => "W011",
            Self::BadFile => "W012",
            Self::UnknownReference => "W013",
            Self::Conflict => "W014",
            Self::Unsupported => "W015",
            Self::Suspicious => "W016",
        }
    }
}

/// One file's text and where its lines begin.
#[derive(Debug)]
pub struct Source {
    path: String,
    text: String,
    lines: Vec<usize>,
}

/// A 1-based line and column (in characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Source {
    /// `path` is relative to the configuration directory.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Arc::new(Self { path: path.into(), text, lines })
    }

    /// Path relative to the configuration directory.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a byte stands.
    pub fn position(&self, byte: usize) -> Position {
        let line = self.lines.partition_point(|&start| start <= byte).max(1);
        let before = self.text.get(self.lines[line - 1]..byte).unwrap_or("");
        Position { line, column: before.chars().count() + 1 }
    }

    /// Builds a problem at `span`.
    pub fn problem(&self, level: Level, span: Span, code: Code, message: String, hint: String) -> Problem {
        let at = self.position(span.start);
        let line = self.text[self.lines[at.line - 1]..].lines().next().unwrap_or("");
        let marked = self.text.get(span.start..span.end).unwrap_or("").lines().next().unwrap_or("").trim_end();
        Problem {
            level,
            code: code.as_str().to_owned(),
            file: self.path.clone(),
            line: at.line,
            column: at.column,
            length: marked.chars().count().max(1),
            message,
            hint,
            snippet: line.chars().take(MAX_SNIPPET).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("a.yaml", "é: ü\n店: x\n");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        let x = source.text().find('x').unwrap();
        assert_eq!(source.position(x), Position { line: 2, column: 4 });
        assert_eq!(source.position(source.text().len()), Position { line: 3, column: 1 });
        let p = source.problem(Level::Error, Span { start: x, end: x + 1 }, Code::BadValue, "m".into(), "h".into());
        assert_eq!((p.line, p.column, p.length, p.snippet.as_str()), (2, 4, 1, "店: x"));
    }
}
