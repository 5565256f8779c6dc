//! Problems with their place: collected while checking, located when the text is at hand.

use std::sync::Arc;

use crate::config::yaml::Span;
use crate::wire::api::{Level, MAX_SNIPPET, Problem};

/// Distance in bytes between the known character counts of a [`Source`].
const STRIDE: usize = 512;

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
    /// Something that `policy:` of the main file does not allow.
    Forbidden,
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
            Self::Forbidden => "W017",
        }
    }
}

/// One file's text, where its lines begin, and how many characters precede each stride.
#[derive(Debug)]
pub struct Source {
    path: String,
    text: String,
    lines: Vec<usize>,
    chars: Vec<usize>,
}

/// A place in a file, for a problem that shows when all files are read. A problem itself would be ten times as large, and
/// every monitor has three such places.
#[derive(Clone, Debug)]
pub struct Mark {
    source: Arc<Source>,
    start: u32,
    end: u32,
}

impl Mark {
    /// This span of the file.
    pub fn new(source: &Arc<Source>, span: Span) -> Self {
        // Files have at most `MAX_FILE` bytes.
        let byte = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { source: Arc::clone(source), start: byte(span.start), end: byte(span.end) }
    }

    /// A problem here.
    pub fn problem(&self, level: Level, code: Code, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        let span = Span { start: self.start as usize, end: self.end as usize };
        self.source.problem(level, span, code, message.into(), hint.into())
    }

    /// Where it is.
    pub fn position(&self) -> Position {
        self.source.position(self.start as usize)
    }

    /// The file's path relative to the configuration directory.
    pub fn path(&self) -> &str {
        self.source.path()
    }
}

/// A 1-based line and column (in characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        let mut chars = Vec::with_capacity(text.len() / STRIDE + 1);
        let mut sum = 0;
        for stride in text.as_bytes().chunks(STRIDE) {
            chars.push(sum);
            sum += starts(stride);
        }
        Arc::new(Self { path: path.into(), text, lines, chars })
    }

    /// Path relative to the configuration directory.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a byte stands. The cost does not grow with the length of the line.
    pub fn position(&self, byte: usize) -> Position {
        let byte = byte.min(self.text.len());
        let line = self.lines.partition_point(|&start| start <= byte).max(1);
        Position { line, column: self.chars_before(byte) - self.chars_before(self.lines[line - 1]) + 1 }
    }

    /// How many characters begin before this byte.
    fn chars_before(&self, byte: usize) -> usize {
        let stride = byte / STRIDE;
        let known = self.chars.get(stride).copied();
        let from = if known.is_some() { stride * STRIDE } else { self.chars.len().saturating_sub(1) * STRIDE };
        let base = known.or_else(|| self.chars.last().copied()).unwrap_or(0);
        base + starts(&self.text.as_bytes()[from..byte])
    }

    /// Builds a problem at `span`.
    pub fn problem(&self, level: Level, span: Span, code: Code, message: String, hint: String) -> Problem {
        let byte = self.text.floor_char_boundary(span.start);
        let at = self.position(byte);
        let snippet = self.snippet(self.lines[at.line - 1], byte, at.column);
        let marked = self.text.get(span.start..span.end).unwrap_or("").lines().next().unwrap_or("").trim_end();
        Problem {
            level,
            code: code.as_str().to_owned(),
            file: self.path.clone(),
            line: at.line,
            column: at.column,
            length: marked.chars().take(MAX_SNIPPET).count().max(1),
            message,
            hint,
            snippet,
        }
    }

    /// The part of the line that [`Problem::caret`] counts from.
    fn snippet(&self, line: usize, byte: usize, column: usize) -> String {
        let start = match column - 1 - Problem::caret_of(column) {
            0 => line,
            _ => self.text[..byte].char_indices().rev().nth(Problem::caret_of(column) - 1).map_or(line, |(i, _)| i),
        };
        self.text[start..].chars().take_while(|c| !matches!(c, '\n' | '\r')).take(MAX_SNIPPET).collect()
    }
}

/// A problem of a file as a whole, which has no line.
pub fn whole_file(
    level: Level,
    file: impl Into<String>,
    code: Code,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Problem {
    Problem {
        level,
        code: code.as_str().to_owned(),
        file: file.into(),
        line: 0,
        column: 1,
        length: 1,
        message: message.into(),
        hint: hint.into(),
        snippet: String::new(),
    }
}

/// Orders problems by file, line and column, and drops those that say the same of the same place.
pub fn sort(problems: &mut Vec<Problem>) {
    let key = |p: &Problem| (p.line, p.column);
    problems.sort_by(|a, b| {
        a.file.cmp(&b.file).then(key(a).cmp(&key(b))).then_with(|| a.code.cmp(&b.code)).then(a.message.cmp(&b.message))
    });
    problems.dedup_by(|a, b| {
        key(a) == key(b) && a.code == b.code && a.length == b.length && a.message == b.message && a.file == b.file
    });
}

/// How many characters begin in these bytes of UTF-8: all but continuation bytes.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b & 0xc0 != 0x80).count()
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
