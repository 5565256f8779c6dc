//! The lexer's walk over a text: punctuation, words, and the places between which their meaning changes.

use crate::promql::ast::BinaryOp;
use crate::promql::lexer::quote::quote_char;
use crate::promql::lexer::{Keyword, Kind, Lexed, MOST_MISTAKES, Mistake, Token, is_alpha, is_alphanumeric, keyword};

/// Where the lexer stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Outside braces and brackets.
    Query,
    /// Between `{` and `}`.
    Braces,
    /// Behind `[`, before the first number or word.
    Duration,
    /// Behind `[` and a number or word.
    Brackets,
}

pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) pos: usize,
    pub(super) start: usize,
    pub(super) place: Place,
    parens: i32,
    colon: bool,
    out: Lexed,
}

/// Reads a text.
pub fn lex(text: &str) -> Lexed {
    let out = Lexed { tokens: Vec::with_capacity(text.len() / 4 + 4), mistakes: Vec::new(), comments: Vec::new() };
    let mut lexer =
        Lexer { text, bytes: text.as_bytes(), pos: 0, start: 0, place: Place::Query, parens: 0, colon: false, out };
    while lexer.pos < lexer.bytes.len() {
        lexer.start = lexer.pos;
        lexer.token();
    }
    lexer.finish();
    lexer.out
}

const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

impl Lexer<'_> {
    pub(super) fn peek(&self) -> u8 {
        self.at(0)
    }

    /// The byte `ahead` of the next; zero behind the end, which no rule accepts.
    pub(super) fn at(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    /// The character that starts here, as Prometheus shows it.
    fn shown(&self, pos: usize) -> String {
        match self.text.get(pos..).and_then(|rest| rest.chars().next()) {
            Some(c) => quote_char(c),
            // Go prints the end of its input as the replacement character.
            None => quote_char(char::REPLACEMENT_CHARACTER),
        }
    }

    pub(super) fn emit(&mut self, kind: Kind) {
        self.out.tokens.push(Token { kind, start: self.start, end: self.pos });
    }

    pub(super) fn take(&mut self, len: usize, kind: Kind) {
        self.pos = self.start + len;
        self.emit(kind);
    }

    /// Everything from the start to here is no token.
    pub(super) fn fail(&mut self, message: String, hint: Option<&'static str>) {
        self.fail_at(self.start, message, hint);
    }

    fn fail_at(&mut self, at: usize, message: String, hint: Option<&'static str>) {
        if self.out.mistakes.len() < MOST_MISTAKES {
            self.out.mistakes.push(Mistake { message, hint, at });
        }
        self.emit(Kind::Error((self.out.mistakes.len() - 1) as u16));
    }

    /// The character at the start is no token.
    fn fail_char(&mut self, message: String, hint: Option<&'static str>) {
        let len = self.text.get(self.start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        self.pos = self.start + len;
        self.fail(message, hint);
    }

    fn token(&mut self) {
        let b = self.peek();
        if is_space(b) {
            self.pos += 1;
        } else if b == b'#' && self.place != Place::Duration {
            let rest = &self.bytes[self.pos..];
            let len = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
            self.pos += len;
            self.out.comments.push(self.start..self.pos);
        } else if self.place == Place::Braces {
            self.in_braces(b);
        } else if self.place == Place::Duration {
            self.in_duration(b);
        } else {
            self.in_query(b);
        }
    }

    fn in_query(&mut self, b: u8) {
        let next = self.at(1);
        match b {
            b',' => self.take(1, Kind::Comma),
            b'*' => self.take(1, Kind::Operator(BinaryOp::Mul)),
            b'/' => self.take(1, Kind::Operator(BinaryOp::Div)),
            b'%' => self.take(1, Kind::Operator(BinaryOp::Mod)),
            b'+' => self.take(1, Kind::Operator(BinaryOp::Add)),
            b'-' => self.take(1, Kind::Operator(BinaryOp::Sub)),
            b'^' => self.take(1, Kind::Operator(BinaryOp::Pow)),
            b'@' => self.take(1, Kind::At),
            b'=' if next == b'=' => self.take(2, Kind::Operator(BinaryOp::Equal)),
            b'=' if next == b'~' => {
                self.pos += 2;
                self.fail("unexpected character after '=': '~'".to_owned(), Some("`=~` stands inside braces"));
            }
            b'=' => self.take(1, Kind::Equal),
            b'!' if next == b'=' => self.take(2, Kind::Operator(BinaryOp::NotEqual)),
            b'!' => {
                let shown = self.shown(self.pos + 1);
                self.fail_char(format!("unexpected character after '!': {shown}"), None);
            }
            b'<' if next == b'=' => self.take(2, Kind::Operator(BinaryOp::LessEqual)),
            b'<' if next == b'/' => self.take(2, Kind::Operator(BinaryOp::TrimUpper)),
            b'<' => self.take(1, Kind::Operator(BinaryOp::Less)),
            b'>' if next == b'=' => self.take(2, Kind::Operator(BinaryOp::GreaterEqual)),
            b'>' if next == b'/' => self.take(2, Kind::Operator(BinaryOp::TrimLower)),
            b'>' => self.take(1, Kind::Operator(BinaryOp::Greater)),
            b'0'..=b'9' => self.number(),
            b'.' if next.is_ascii_digit() => self.number(),
            b'"' | b'\'' => self.quoted(b),
            b'`' => self.raw(),
            _ if self.place == Place::Brackets && (is_alpha(b) || b == b':') => self.word_in_brackets(b),
            _ if is_alpha(b) || b == b':' => self.word(),
            b'(' | b')' => self.paren(b),
            b'{' => {
                self.take(1, Kind::LeftBrace);
                self.place = Place::Braces;
            }
            b'[' if self.place == Place::Brackets => self.fail_char("unexpected left bracket '['".to_owned(), None),
            b'[' => {
                self.take(1, Kind::LeftBracket);
                self.place = Place::Duration;
                self.colon = false;
            }
            b']' if self.place == Place::Brackets => self.close_bracket(),
            b']' => self.fail_char("unexpected right bracket ']'".to_owned(), None),
            _ => {
                let shown = self.shown(self.pos);
                self.fail_char(format!("unexpected character: {shown}"), odd_character(self.text, self.pos));
            }
        }
    }

    fn close_bracket(&mut self) {
        self.take(1, Kind::RightBracket);
        self.place = Place::Query;
    }

    fn paren(&mut self, b: u8) {
        if b == b'(' {
            self.parens += 1;
            self.take(1, Kind::LeftParen);
        } else if self.parens == 0 {
            self.pos += 1;
            let message = "unexpected right parenthesis ')'".to_owned();
            self.fail_at(self.pos, message, Some("remove it, or open one before"));
        } else {
            self.parens -= 1;
            self.take(1, Kind::RightParen);
        }
    }

    fn in_duration(&mut self, b: u8) {
        match b {
            b']' => self.close_bracket(),
            b':' => {
                self.pos += 1;
                let message = "unexpected colon before duration in duration expression".to_owned();
                self.fail_at(self.pos, message, Some("write the range first: `[5m:1m]`"));
            }
            b'(' | b')' => self.paren(b),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b',' => self.in_query(b),
            b'0'..=b'9' => self.number(),
            b'.' if self.at(1).is_ascii_digit() => self.number(),
            _ if is_alpha(b) => {
                let len = self.word_len(false);
                match duration_word(&self.text[self.pos..self.pos + len]) {
                    Some(kind) => {
                        self.take(len, kind);
                        self.place = Place::Brackets;
                    }
                    None => {
                        let shown = self.shown(self.pos);
                        self.pos += len;
                        self.fail(
                            format!("unexpected character in duration expression: {shown}"),
                            Some("write a duration such as `5m`"),
                        );
                    }
                }
            }
            _ => {
                let shown = self.shown(self.pos);
                // A bracket that cannot be a range is left, so that the rest is read as it was meant.
                if matches!(b, b'{' | b'}') {
                    self.place = Place::Query;
                }
                self.fail_char(
                    format!("unexpected character in duration expression: {shown}"),
                    Some("write a duration such as `5m`"),
                );
            }
        }
    }

    fn word_in_brackets(&mut self, b: u8) {
        if b == b':' {
            if self.colon {
                self.fail_char("unexpected colon ':'".to_owned(), None);
            } else {
                self.colon = true;
                self.take(1, Kind::Colon);
            }
            return;
        }
        let len = self.word_len(false);
        match duration_word(&self.text[self.pos..self.pos + len]) {
            Some(kind) => self.take(len, kind),
            None => {
                let shown = self.shown(self.pos);
                self.pos += len;
                self.fail(format!("unexpected character: {shown}, expected ':'"), None);
            }
        }
    }

    pub(super) fn word_len(&self, colons: bool) -> usize {
        let rest = &self.bytes[self.pos..];
        rest.iter().position(|&b| !(is_alphanumeric(b) || colons && b == b':')).unwrap_or(rest.len())
    }

    fn word(&mut self) {
        let len = self.word_len(true);
        let word = &self.text[self.pos..self.pos + len];
        let kind = match keyword(word) {
            // These came late to the language: as names they are in use, so they mean something only before `(`.
            Some(Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight))
                if self.bytes[self.pos + len..].iter().find(|b| !is_space(**b)) != Some(&b'(') =>
            {
                Kind::Identifier
            }
            Some(kind) => kind,
            None if word.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        };
        self.take(len, kind);
    }

    fn in_braces(&mut self, b: u8) {
        let next = self.at(1);
        match b {
            _ if is_alpha(b) => {
                let len = self.word_len(false);
                self.take(len, Kind::Identifier);
            }
            b',' => self.take(1, Kind::Comma),
            b'"' | b'\'' => self.quoted(b),
            b'`' => self.raw(),
            b'=' if next == b'~' => self.take(2, Kind::EqualRegex),
            b'=' => self.take(1, Kind::Equal),
            b'!' if next == b'~' => self.take(2, Kind::NotRegex),
            b'!' if next == b'=' => self.take(2, Kind::Operator(BinaryOp::NotEqual)),
            b'!' => {
                let shown = self.shown(self.pos + 1);
                self.fail_char(format!("unexpected character after '!' inside braces: {shown}"), None);
            }
            b'{' => self.fail_char("unexpected left brace '{'".to_owned(), None),
            b'}' => {
                self.take(1, Kind::RightBrace);
                self.place = Place::Query;
            }
            _ => {
                let shown = self.shown(self.pos);
                let hint = match b {
                    b')' | b'[' | b'(' => Some("close the braces with `}`"),
                    b'.' | b'-' | b'/' => Some("quote names with other characters than letters, digits and `_`"),
                    b'0'..=b'9' => Some("quote the value"),
                    _ => odd_character(self.text, self.pos),
                };
                // Whoever forgot `}` wants the rest to be read as a query.
                if matches!(b, b')' | b'[') {
                    self.place = Place::Query;
                }
                self.fail_char(format!("unexpected character inside braces: {shown}"), hint);
            }
        }
    }

    fn finish(&mut self) {
        self.start = self.bytes.len();
        self.pos = self.start;
        let message = match self.place {
            Place::Braces => Some(("unexpected end of input inside braces", "close the braces with `}`")),
            Place::Duration => {
                Some(("unexpected end of input in duration expression", "write a duration such as `5m`, and `]`"))
            }
            _ if self.parens > 0 => Some(("unclosed left parenthesis", "close it with `)`")),
            Place::Brackets => Some(("unclosed left bracket", "close it with `]`")),
            Place::Query => None,
        };
        if let Some((message, hint)) = message {
            self.fail(message.to_owned(), Some(hint));
        }
        self.emit(Kind::End);
    }
}

/// The words that may stand among durations.
fn duration_word(word: &str) -> Option<Kind> {
    match keyword(word) {
        kind @ Some(Kind::Keyword(Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf)) => kind,
        _ => None,
    }
}

/// What a person probably meant by a character that no query has.
fn odd_character(text: &str, pos: usize) -> Option<&'static str> {
    let rest = text.get(pos..)?;
    match rest.chars().next()? {
        '&' => Some("write `and`"),
        '|' => Some("write `or`"),
        '“' | '”' | '„' | '‘' | '’' | '«' | '»' => Some("use plain quotes: `\"`"),
        '–' | '—' | '−' => Some("use the plain minus sign: `-`"),
        '$' => Some("variables are replaced by the program that asks, not here"),
        ';' => Some("a query is one expression"),
        _ => None,
    }
}
