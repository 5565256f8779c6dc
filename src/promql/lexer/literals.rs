//! Numbers, durations and texts, as far as their ends can be found.

use crate::promql::lexer::quote::{code_point, quote};
use crate::promql::lexer::scan::{Lexer, Place};
use crate::promql::lexer::{Kind, is_alphanumeric};

impl Lexer<'_> {
    /// A number or a duration; which numbers stand is for the parser to say.
    pub(super) fn number(&mut self) {
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

    pub(super) fn quoted(&mut self, quote: u8) {
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

    pub(super) fn raw(&mut self) {
        match self.bytes[self.pos + 1..].iter().position(|b| *b == b'`') {
            Some(len) => self.take(len + 2, Kind::String),
            None => {
                self.pos = self.bytes.len();
                self.fail("unterminated raw string".to_owned(), Some("close it with a back-quote"));
            }
        }
    }
}
