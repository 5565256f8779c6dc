//! The parser's hold on the tokens: where it stands, what it found wrong, how it recovers.

use std::ops::Range;

use crate::promql::ast::{Expr, ExprKind, Number};
use crate::promql::lexer::{self, AGGREGATES, Keyword, Kind, Lexed, Token};
use crate::promql::parser::literal::quote_short;
use crate::promql::parser::{Features, MAX_DEPTH, MOST_PROBLEMS, Problem};

/// A tree and how many levels it has.
pub(super) struct Node {
    pub(super) expr: Expr,
    pub(super) height: u16,
}

impl Node {
    pub(super) const fn leaf(kind: ExprKind, span: Range<usize>) -> Self {
        Self { expr: Expr { kind, span }, height: 1 }
    }

    /// What stands for something that was not understood.
    pub(super) const fn missing(at: usize) -> Self {
        Self::leaf(ExprKind::Number(Number { value: f64::NAN, duration: false }), at..at)
    }
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) features: Features,
    lexed: &'a Lexed,
    pos: usize,
    problems: Vec<Problem>,
    /// The token that the last syntax error is about: it is reported once.
    reported: Option<usize>,
    /// Levels of recursion.
    depth: u16,
    /// What Prometheus says where: its grammar reports a mistake in the innermost rule that is prepared for one.
    pub(super) context: &'static str,
    /// Parts of the duration expression so far; bounds its height.
    pub(super) durations: u16,
    /// Regular expressions so far that had to be compiled.
    pub(super) patterns: usize,
}

/// Runs a rule over a text.
pub(super) fn run<T>(text: &str, features: Features, rule: impl FnOnce(&mut Parser<'_>) -> T) -> (T, Vec<Problem>) {
    let lexed = lexer::lex(text);
    let mut parser = Parser {
        text,
        features,
        lexed: &lexed,
        pos: 0,
        problems: Vec::new(),
        reported: None,
        depth: 0,
        context: "",
        durations: 0,
        patterns: 0,
    };
    let result = rule(&mut parser);
    (result, parser.problems)
}

impl<'a> Parser<'a> {
    /// The token in front of the parser.
    pub(super) fn token(&self) -> Token {
        self.ahead(0)
    }

    pub(super) fn kind(&self) -> Kind {
        self.token().kind
    }

    /// The token `n` behind the next.
    pub(super) fn ahead(&self, n: usize) -> Token {
        match self.lexed.tokens.get(self.pos + n) {
            Some(token) => *token,
            None => Token { kind: Kind::End, start: self.text.len(), end: self.text.len() },
        }
    }

    /// Takes a token. The end is never passed.
    pub(super) fn next(&mut self) -> Token {
        let token = self.token();
        self.pos = (self.pos + 1).min(self.lexed.tokens.len().saturating_sub(1));
        token
    }

    /// Takes the next token if it is one of this kind.
    pub(super) fn eat(&mut self, kind: Kind) -> bool {
        let hit = self.kind() == kind;
        if hit {
            self.next();
        }
        hit
    }

    pub(super) fn word(&self, token: Token) -> &'a str {
        &self.text[token.span()]
    }

    /// Where the token before ended.
    pub(super) fn end(&self) -> usize {
        self.pos.checked_sub(1).and_then(|i| self.lexed.tokens.get(i)).map_or(0, |t| t.end)
    }

    pub(super) fn problem(&mut self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem { at: span.start, span, message: message.into(), hint });
        }
    }

    /// The next token cannot stand here.
    pub(super) fn unexpected(&mut self, context: &str, expected: &str) {
        self.unexpected_with(context, expected, None);
    }

    pub(super) fn unexpected_with(&mut self, context: &str, expected: &str, hint: Option<String>) {
        let ended_early = self.kind() == Kind::End
            && self.pos.checked_sub(1).is_some_and(|i| matches!(self.lexed.tokens[i].kind, Kind::Error(_)));
        // The mistake before the end says why the text ends there.
        if self.reported == Some(self.pos) || self.problems.len() >= MOST_PROBLEMS || ended_early {
            return;
        }
        self.reported = Some(self.pos);
        let token = self.token();
        if let Kind::Error(number) = token.kind {
            if let Some(mistake) = self.lexed.mistakes.get(usize::from(number)) {
                self.problems.push(Problem {
                    span: token.span(),
                    at: mistake.at,
                    message: mistake.message.clone(),
                    hint: mistake.hint.map(str::to_owned),
                });
            }
            return;
        }
        let mut message = format!("unexpected {}", describe(token.kind, self.word(token)));
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.problem(token.span(), message, hint);
    }

    /// Skips to the next comma or closing token of this level, or to the end.
    pub(super) fn skip_to(&mut self, close: Kind) {
        let mut open = 0_u32;
        loop {
            match self.kind() {
                Kind::End => return,
                kind if open == 0 && (kind == Kind::Comma || kind == close) => return,
                Kind::RightParen if open == 0 && close != Kind::RightParen => return,
                Kind::LeftParen | Kind::LeftBrace | Kind::LeftBracket => open += 1,
                Kind::RightParen | Kind::RightBrace | Kind::RightBracket => open = open.saturating_sub(1),
                _ => {}
            }
            if matches!(self.kind(), Kind::Error(_)) {
                // What cannot be read is worth telling wherever it stands.
                self.unexpected("", "");
            }
            self.next();
        }
    }

    /// Goes one level down, unless there are too many.
    pub(super) fn deeper<T>(&mut self, rule: impl FnOnce(&mut Self) -> T, otherwise: impl FnOnce(usize) -> T) -> T {
        if self.depth >= MAX_DEPTH {
            self.too_deep(self.token().span());
            return otherwise(self.text.len());
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    pub(super) fn too_deep(&mut self, span: Range<usize>) {
        self.give_up(span, "expression is nested too deeply", format!("use at most {MAX_DEPTH} levels"));
    }

    /// Gives up: nothing behind this is read.
    pub(super) fn give_up(&mut self, span: Range<usize>, message: &str, hint: String) {
        self.problem(span, message, Some(hint));
        self.pos = self.lexed.tokens.len().saturating_sub(1);
        self.reported = Some(self.pos);
    }

    /// A node over others, unless it is too high; then the first of the others remains.
    pub(super) fn over(&mut self, heights: &[u16], span: Range<usize>) -> Option<u16> {
        let height = heights.iter().copied().max().unwrap_or(0) + 1;
        if height > MAX_DEPTH {
            self.too_deep(span);
            return None;
        }
        Some(height)
    }
}

/// Prometheus' description of a token.
fn describe(kind: Kind, word: &str) -> String {
    match kind {
        Kind::End => "end of input".to_owned(),
        Kind::Error(_) => "error".to_owned(),
        Kind::Identifier => format!("identifier {}", lexer::quote(word)),
        Kind::MetricIdentifier => format!("metric identifier {}", lexer::quote(word)),
        Kind::Number => format!("number {}", quote_short(word)),
        Kind::Duration => format!("duration {}", quote_short(word)),
        Kind::String => format!("string {}", quote_short(word)),
        Kind::LeftParen
        | Kind::RightParen
        | Kind::LeftBrace
        | Kind::RightBrace
        | Kind::LeftBracket
        | Kind::RightBracket
        | Kind::Comma
        | Kind::Colon
        | Kind::Equal
        | Kind::Keyword(
            Keyword::Start | Keyword::End | Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf,
        ) => lexer::quote(word),
        Kind::EqualRegex | Kind::NotRegex | Kind::At | Kind::Operator(_) => format!("<op:{word}>"),
        Kind::Aggregate(_) => format!("<aggr:{word}>"),
        Kind::Keyword(_) => format!("<{word}>"),
    }
}

/// The word of an aggregation.
pub(super) fn aggregate_word(kind: Kind) -> Option<&'static str> {
    let Kind::Aggregate(op) = kind else { return None };
    AGGREGATES.iter().find(|(o, _)| *o == op).map(|(_, word)| *word)
}
