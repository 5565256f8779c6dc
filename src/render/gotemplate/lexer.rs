//! Template text → tokens. Blanks matter between operands, so every token knows whether one came before it.

use std::ops::Range;

/// Something wrong with the text, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
}

pub(super) fn fault<T>(at: usize, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { at, message: message.into() })
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Text between actions, trimmed as its neighbours ask.
    Text,
    Left,
    Right,
    /// A word: keyword, function, `true`, `nil`.
    Word,
    /// `.name`
    Field,
    Dot,
    /// `$`, `$name`
    Variable,
    Number,
    Text2(String),
    Char(char),
    Pipe,
    Open,
    Close,
    Comma,
    Declare,
    Assign,
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
    /// Blanks stand before it.
    pub(super) spaced: bool,
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { text, at: 0, out: Vec::new() };
    lexer.run()?;
    let end = text.len();
    lexer.out.push(Token { kind: Kind::End, span: end..end, spaced: false });
    Ok(lexer.out)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    out: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, from: usize, spaced: bool) {
        self.out.push(Token { kind, span: from..self.at, spaced });
    }

    fn run(&mut self) -> Result<(), Fault> {
        let mut trim = false;
        loop {
            let start = self.at;
            let found = self.rest().find("{{").map(|i| start + i);
            let end = found.unwrap_or(self.text.len());
            let before = &self.text[start..end];
            let from = if trim { end - before.trim_start_matches(BLANKS).len() } else { start };
            let Some(open) = found else {
                self.at = end;
                if from < end {
                    self.push(Kind::Text, from, false);
                }
                return Ok(());
            };
            let after = &self.text[open + 2..];
            let trims = after.starts_with('-') && after[1..].starts_with(BLANKS);
            let to = if trims { from + self.text[from..open].trim_end_matches(BLANKS).len() } else { open };
            if from < to {
                self.at = to;
                self.push(Kind::Text, from, false);
            }
            self.at = open + 2 + if trims { 2 } else { 0 };
            if self.rest().starts_with("/*") {
                trim = self.comment(open)?;
                continue;
            }
            self.out.push(Token { kind: Kind::Left, span: open..self.at, spaced: false });
            trim = self.action(open)?;
        }
    }

    fn comment(&mut self, open: usize) -> Result<bool, Fault> {
        let Some(end) = self.rest().find("*/") else { return fault(open, "unclosed comment") };
        self.at += end + 2;
        for (close, trim) in [("}}", false), (" -}}", true)] {
            if self.rest().starts_with(close) {
                self.at += close.len();
                return Ok(trim);
            }
        }
        fault(open, "comment ends before closing delimiter")
    }

    /// One action to its end; gives whether the text behind it is trimmed.
    fn action(&mut self, open: usize) -> Result<bool, Fault> {
        let mut depth = 0_usize;
        loop {
            let before = self.at;
            let blanks = self.rest().len() - self.rest().trim_start_matches(BLANKS).len();
            self.at += blanks;
            let spaced = blanks > 0;
            let from = self.at;
            let closing = if self.rest().starts_with("}}") {
                Some((2, false))
            } else if spaced && self.rest().starts_with("-}}") {
                Some((3, true))
            } else {
                None
            };
            if let Some((length, trims)) = closing {
                if depth > 0 {
                    return fault(from, "unclosed left paren");
                }
                self.at += length;
                self.push(Kind::Right, from, spaced);
                return Ok(trims);
            }
            let Some(c) = self.rest().chars().next() else {
                return fault(before.max(open), "unclosed action");
            };
            self.at += c.len_utf8();
            let kind = match c {
                '|' => Kind::Pipe,
                ',' => Kind::Comma,
                '=' => Kind::Assign,
                ':' if self.rest().starts_with('=') => {
                    self.at += 1;
                    Kind::Declare
                }
                ':' => return fault(from, "expected :="),
                '(' => {
                    depth += 1;
                    Kind::Open
                }
                ')' => {
                    let Some(less) = depth.checked_sub(1) else { return fault(from, "unexpected right paren") };
                    depth = less;
                    Kind::Close
                }
                '"' => Kind::Text2(self.quoted(from)?),
                '`' => Kind::Text2(self.raw(from)?),
                '\'' => Kind::Char(self.character(from)?),
                '$' => {
                    self.word();
                    Kind::Variable
                }
                '.' if !self.rest().starts_with(|c: char| c.is_ascii_digit()) => {
                    self.word();
                    if self.at == from + 1 { Kind::Dot } else { Kind::Field }
                }
                '.' | '+' | '-' | '0'..='9' => {
                    self.number();
                    Kind::Number
                }
                c if c == '_' || c.is_alphanumeric() => {
                    self.word();
                    Kind::Word
                }
                c => return fault(from, format!("unrecognized character in action: {}", code_point(c))),
            };
            if matches!(kind, Kind::Word | Kind::Field | Kind::Variable | Kind::Number) {
                self.terminated()?;
            }
            self.push(kind, from, spaced);
        }
    }

    /// Behind a word only what may follow one.
    fn terminated(&self) -> Result<(), Fault> {
        match self.rest().chars().next() {
            None | Some('.' | ',' | '|' | ':' | '=' | ')' | '(') => Ok(()),
            Some(c) if BLANKS.contains(&c) || self.rest().starts_with("}}") => Ok(()),
            Some(c) => fault(self.at, format!("bad character {}", code_point(c))),
        }
    }

    fn word(&mut self) {
        let rest = self.rest();
        self.at += rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
    }

    fn number(&mut self) {
        let mut last = ' ';
        while let Some(c) = self.rest().chars().next() {
            let sign = matches!(c, '+' | '-') && matches!(last, 'e' | 'E' | 'p' | 'P');
            if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign) {
                return;
            }
            last = c;
            self.at += 1;
        }
    }

    fn quoted(&mut self, from: usize) -> Result<String, Fault> {
        let mut out = String::new();
        loop {
            let Some(c) = self.rest().chars().next().filter(|c| *c != '\n') else {
                return fault(from, "unterminated quoted string");
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => self.escape(from, '"', &mut out)?,
                c => out.push(c),
            }
        }
    }

    fn raw(&mut self, from: usize) -> Result<String, Fault> {
        let Some(end) = self.rest().find('`') else { return fault(from, "unterminated raw quoted string") };
        let text = self.rest()[..end].to_owned();
        self.at += end + 1;
        Ok(text)
    }

    fn character(&mut self, from: usize) -> Result<char, Fault> {
        let mut out = String::new();
        match self.rest().chars().next() {
            Some('\\') => {
                self.at += 1;
                self.escape(from, '\'', &mut out)?;
            }
            Some(c) if c != '\n' => {
                self.at += c.len_utf8();
                out.push(c);
            }
            _ => return fault(from, "unterminated character constant"),
        }
        if !self.rest().starts_with('\'') {
            return fault(from, "unterminated character constant");
        }
        self.at += 1;
        out.chars().next().map_or_else(|| fault(from, "malformed character constant"), Ok)
    }

    /// One of Go's escapes, its backslash read.
    fn escape(&mut self, from: usize, quote: char, out: &mut String) -> Result<(), Fault> {
        let bad = || Fault { at: from, message: "invalid syntax".to_owned() };
        let c = self.rest().chars().next().ok_or_else(bad)?;
        self.at += c.len_utf8();
        let simple = match c {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            c if c == quote => c,
            'x' | 'u' | 'U' | '0'..='7' => {
                let (digits, radix) = match c {
                    'x' => (2, 16),
                    'u' => (4, 16),
                    'U' => (8, 16),
                    _ => {
                        self.at -= 1;
                        (3, 8)
                    }
                };
                let text = self.text.get(self.at..self.at + digits).ok_or_else(bad)?;
                let code = u32::from_str_radix(text, radix).map_err(|_| bad())?;
                self.at += digits;
                // Bytes that are no characters on their own cannot stand in a text here.
                char::from_u32(code).filter(|c| !matches!(radix, 8) || c.is_ascii()).ok_or_else(bad)?
            }
            _ => return Err(bad()),
        };
        out.push(simple);
        Ok(())
    }
}

/// `U+0025 '%'`
fn code_point(c: char) -> String {
    format!("U+{:04X} {c:?}", u32::from(c))
}
