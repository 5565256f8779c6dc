//! Text → tokens.
//!
//! Every byte belongs to one token, to white space or to a comment; what cannot be read becomes a token of kind
//! [`Kind::Error`] and reading goes on behind it. The lexer knows whether it stands inside braces, where keywords are
//! plain names, or inside brackets, where durations stand.

use std::ops::Range;

use crate::promql::ast::{AggregateOp, BinaryOp};

mod literals;
mod quote;
mod scan;

pub use quote::{push_quoted, quote};
pub use scan::lex;

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

/// Whether a byte may begin a name.
pub const fn is_alpha(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_'
}

/// Whether a byte may stand inside a label's name.
pub const fn is_alphanumeric(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}
