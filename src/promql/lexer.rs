//! Text → tokens.
//!
//! Every byte belongs to one token, to white space or to a comment; what cannot be read becomes a token of kind
//! [`Kind::Error`] and reading goes on behind it. The lexer knows whether it stands inside braces, where keywords are
//! plain names, or inside brackets, where durations stand.

use std::ops::Range;

use crate::promql::ast::{AggregateOp, BinaryOp};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the token of its name")]
pub enum Kind {
    /// The end of the text; always the last token.
    End,
    /// Not a token. The number is that of the [`Mistake`].
    Error(u16),
    /// A name without colons that is no keyword.
    Identifier,
    /// A name with colons.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Equal,
    /// `=~`
    EqualRegex,
    /// `!~`
    NotRegex,
    /// `@`
    At,
    /// An operator between two operands; `!=` also inside braces.
    Operator(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

/// Words with a meaning of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is PromQL's own word")]
pub enum Keyword {
    Bool,
    By,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    Smoothed,
    Anchored,
    On,
    Without,
    Fill,
    FillLeft,
    FillRight,
    Start,
    End,
    Step,
    Range,
    MinOf,
    MaxOf,
}

/// A token and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// First byte.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
}

impl Token {
    /// Its bytes.
    pub const fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Why a stretch of text is no token, in Prometheus' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The message.
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// The byte that Prometheus names as its place: not always the start of the token.
    pub at: usize,
}

/// A text as tokens.
#[derive(Debug)]
pub struct Lexed {
    /// The tokens, [`Kind::End`] last.
    pub tokens: Vec<Token>,
    /// What the tokens of kind [`Kind::Error`] mean.
    pub mistakes: Vec<Mistake>,
    /// Where comments stand.
    pub comments: Vec<Range<usize>>,
}

/// Aggregations and their words.
pub const AGGREGATES: [(AggregateOp, &str); 14] = [
    (AggregateOp::Sum, "sum"),
    (AggregateOp::Avg, "avg"),
    (AggregateOp::Min, "min"),
    (AggregateOp::Max, "max"),
    (AggregateOp::Count, "count"),
    (AggregateOp::Group, "group"),
    (AggregateOp::Stddev, "stddev"),
    (AggregateOp::Stdvar, "stdvar"),
    (AggregateOp::Topk, "topk"),
    (AggregateOp::Bottomk, "bottomk"),
    (AggregateOp::CountValues, "count_values"),
    (AggregateOp::Quantile, "quantile"),
    (AggregateOp::Limitk, "limitk"),
    (AggregateOp::LimitRatio, "limit_ratio"),
];

/// Longest keyword; longer words need no look-up.
const LONGEST_KEYWORD: usize = 12;

/// More mistakes than this are not told apart: nobody reads them.
const MOST_MISTAKES: usize = 64;

fn keyword(word: &str) -> Option<Kind> {
    let mut buf = [0_u8; LONGEST_KEYWORD];
    let lower = buf.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    let lower: &[u8] = lower;
    Some(match lower {
        b"and" => Kind::Operator(BinaryOp::And),
        b"or" => Kind::Operator(BinaryOp::Or),
        b"unless" => Kind::Operator(BinaryOp::Unless),
        b"atan2" => Kind::Operator(BinaryOp::Atan2),
        b"inf" | b"nan" => Kind::Number,
        b"offset" => Kind::Keyword(Keyword::Offset),
        b"smoothed" => Kind::Keyword(Keyword::Smoothed),
        b"anchored" => Kind::Keyword(Keyword::Anchored),
        b"by" => Kind::Keyword(Keyword::By),
        b"without" => Kind::Keyword(Keyword::Without),
        b"on" => Kind::Keyword(Keyword::On),
        b"ignoring" => Kind::Keyword(Keyword::Ignoring),
        b"group_left" => Kind::Keyword(Keyword::GroupLeft),
        b"group_right" => Kind::Keyword(Keyword::GroupRight),
        b"fill" => Kind::Keyword(Keyword::Fill),
        b"fill_left" => Kind::Keyword(Keyword::FillLeft),
        b"fill_right" => Kind::Keyword(Keyword::FillRight),
        b"bool" => Kind::Keyword(Keyword::Bool),
        b"start" => Kind::Keyword(Keyword::Start),
        b"end" => Kind::Keyword(Keyword::End),
        b"step" => Kind::Keyword(Keyword::Step),
        b"range" => Kind::Keyword(Keyword::Range),
        b"min_of" => Kind::Keyword(Keyword::MinOf),
        b"max_of" => Kind::Keyword(Keyword::MaxOf),
        _ => {
            let (op, _) = AGGREGATES.iter().find(|(_, text)| text.as_bytes() == lower)?;
            Kind::Aggregate(*op)
        }
    })
}

/// Where the lexer stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside braces and brackets.
    Query,
    /// Between `{` and `}`.
    Braces,
    /// Behind `[`, before the first number or word.
    Duration,
    /// Behind `[` and a number or word.
    Brackets,
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    start: usize,
    place: Place,
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

/// Whether a byte may begin a name.
pub const fn is_alpha(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_'
}

/// Whether a byte may stand inside a label's name.
pub const fn is_alphanumeric(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

impl Lexer<'_> {
    fn peek(&self) -> u8 {
        self.at(0)
    }

    /// The byte `ahead` of the next; zero behind the end, which no rule accepts.
    fn at(&self, ahead: usize) -> u8 {
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

    fn emit(&mut self, kind: Kind) {
        self.out.tokens.push(Token { kind, start: self.start, end: self.pos });
    }

    fn take(&mut self, len: usize, kind: Kind) {
        self.pos = self.start + len;
        self.emit(kind);
    }

    /// Everything from the start to here is no token.
    fn fail(&mut self, message: String, hint: Option<&'static str>) {
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

    fn word_len(&self, colons: bool) -> usize {
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

    /// A number or a duration; which numbers stand is for the parser to say.
    fn number(&mut self) {
        let inside = self.place == Place::Duration;
        if self.scan_number() {
            self.emit(Kind::Number);
        } else if self.scan_duration() {
            self.emit(Kind::Duration);
        } else {
            let read = &self.text[self.start..self.pos];
            let message = format!("bad number or duration syntax: {}", quote(read));
            self.pos += self.word_len(true);
            self.fail(message, Some("durations are written like `5m`, `1h30m` or `500ms`"));
        }
        if inside {
            self.place = Place::Brackets;
        }
    }

    fn accept(&mut self, set: &[u8]) -> bool {
        let hit = self.pos < self.bytes.len() && set.contains(&self.peek());
        self.pos += usize::from(hit);
        hit
    }

    /// Advances over `[.][d][d._eE]*` as far as it can be a number, and says whether it is one.
    fn scan_number(&mut self) -> bool {
        let hex = self.peek() == b'0' && matches!(self.at(1), b'x' | b'X');
        if hex {
            self.pos += 2;
            self.accept(b"_");
        }
        let digit = |b: u8| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
        let first = self.pos;
        let (mut dot, mut exponent) = (false, false);
        while self.pos < self.bytes.len() {
            match self.peek() {
                b if digit(b) => self.pos += 1,
                b'.' => {
                    // A fraction may open the number; another dot, or one in a hexadecimal number, may not follow.
                    let opens = self.pos == first;
                    self.pos += 1;
                    if dot || hex && !opens || !opens && self.accept(b"_.") {
                        return false;
                    }
                    dot = true;
                }
                b'e' | b'E' => {
                    self.pos += 1;
                    if exponent {
                        return false;
                    }
                    exponent = true;
                    self.accept(b"+-");
                    if self.accept(b"._eE") || self.pos == self.bytes.len() {
                        return false;
                    }
                }
                b'_' => {
                    self.pos += 1;
                    if self.accept(b"._eE") || self.pos == self.bytes.len() {
                        return false;
                    }
                }
                _ => break,
            }
        }
        !is_alphanumeric(self.peek())
    }

    /// Advances over the rest of a duration, whose first digits were read.
    fn scan_duration(&mut self) -> bool {
        if !self.accept(b"smhdwy") {
            return false;
        }
        self.accept(b"s");
        while self.peek().is_ascii_digit() {
            while self.peek().is_ascii_digit() {
                self.pos += 1;
            }
            if !self.accept(b"smhdw") {
                return false;
            }
            self.accept(b"s");
        }
        if is_alphanumeric(self.peek()) {
            // Prometheus shows the character at which it gave up.
            self.pos += 1;
            return false;
        }
        true
    }

    fn quoted(&mut self, quote: u8) {
        self.pos += 1;
        let mut wrong: Option<String> = None;
        loop {
            match self.bytes.get(self.pos) {
                None | Some(b'\n') => {
                    let message = wrong.unwrap_or_else(|| "unterminated quoted string".to_owned());
                    self.fail(message, Some("close it with the quote that opened it"));
                    return;
                }
                Some(b'\\') => {
                    self.pos += 1;
                    if let Err(message) = self.escape(quote) {
                        wrong = wrong.or(Some(message));
                    }
                }
                Some(&b) => {
                    self.pos += 1;
                    if b == quote {
                        break;
                    }
                }
            }
        }
        match wrong {
            Some(message) => self.fail(message, Some("a backslash in a regular expression is written `\\\\`")),
            None => self.emit(Kind::String),
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self, quote: u8) -> Result<(), String> {
        let Some(c) = self.text[self.pos..].chars().next() else {
            return Err("escape sequence not terminated".to_owned());
        };
        let (digits, base, most) = match c {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => (0, 8, 0),
            _ if c == char::from(quote) => (0, 8, 0),
            '0'..='7' => (3, 8, 255),
            'x' => (2, 16, 255),
            'u' => (4, 16, u32::from(char::MAX)),
            'U' => (8, 16, u32::from(char::MAX)),
            // The line break ends the string; it is not part of it.
            '\n' => return Err("unknown escape sequence U+000A".to_owned()),
            _ => {
                self.pos += c.len_utf8();
                return Err(format!("unknown escape sequence {}", code_point(c)));
            }
        };
        self.pos += usize::from(base == 16 || digits == 0);
        let mut code: u32 = 0;
        for _ in 0..digits {
            let Some(c) = self.text[self.pos..].chars().next() else {
                return Err("escape sequence not terminated".to_owned());
            };
            let Some(d) = c.to_digit(base) else {
                return Err(format!("illegal character {} in escape sequence", code_point(c)));
            };
            self.pos += 1;
            code = code.saturating_mul(base).saturating_add(d);
        }
        if code > most.max(255) || digits > 0 && (0xd800..0xe000).contains(&code) || digits == 3 && code > 255 {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }

    fn raw(&mut self) {
        match self.bytes[self.pos + 1..].iter().position(|b| *b == b'`') {
            Some(len) => self.take(len + 2, Kind::String),
            None => {
                self.pos = self.bytes.len();
                self.fail("unterminated raw string".to_owned(), Some("close it with a back-quote"));
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

/// As Go's `%q` prints a character.
fn quote_char(c: char) -> String {
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        _ => {
            let quoted = quote(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

/// As Go's `%#U` prints a character.
fn code_point(c: char) -> String {
    if c.is_control() { format!("U+{:04X}", u32::from(c)) } else { format!("U+{:04X} '{c}'", u32::from(c)) }
}

/// As Go's `%q` and `strconv.Quote` print a text: how Prometheus writes every string.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// [`quote`], into a buffer.
pub fn push_quoted(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            _ => {
                let code = u32::from(c);
                let done = if code < 0x80 {
                    write!(out, "\\x{code:02x}")
                } else if is_printable(c) {
                    write!(out, "{c}")
                } else if code < 0x1_0000 {
                    write!(out, "\\u{code:04x}")
                } else {
                    write!(out, "\\U{code:08x}")
                };
                debug_assert!(done.is_ok(), "writing to a String cannot fail");
            }
        }
    }
    out.push('"');
}

/// Whether Go's `strconv.IsPrint` accepts a character beyond ASCII. `escape_debug` has the same idea of what can be
/// seen, but also escapes combining marks, which Go prints.
fn is_printable(c: char) -> bool {
    if c.is_whitespace() {
        return false;
    }
    // Two characters: combining marks are escaped only at the front of a string.
    let pair = ['a', c];
    let text: String = pair.iter().collect();
    text.escape_debug().count() == 2
}
