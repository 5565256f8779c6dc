//! What may stand at the cursor of an editor. Works on broken text: it looks at tokens, not at a tree.

use std::ops::Range;

use crate::base::labels::METRIC_NAME;
use crate::promql::func::Func;
use crate::promql::lexer::{self, AGGREGATES, Keyword, Kind, Token};
use crate::promql::parser::Features;

/// An answer: what may replace a part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The part that a choice replaces: the word at the cursor, or nothing.
    pub span: Range<usize>,
    /// The part of that word before the cursor; what is offered begins with it.
    pub prefix: String,
    /// Words of the language.
    pub words: Vec<Word>,
    /// What the store knows more of.
    pub ask: Option<Ask>,
    /// How a choice from the store is written.
    quoting: Quoting,
}

/// A word of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text to insert.
    pub text: String,
    /// What it is.
    pub kind: WordKind,
    /// One line about it.
    pub doc: &'static str,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordKind {
    /// `rate`
    Function,
    /// `sum`
    Aggregation,
    /// `by`, `offset`, `=~`
    Keyword,
    /// `5m`
    Duration,
}

/// A question to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Names of metrics.
    Metrics,
    /// Names of labels.
    LabelNames {
        /// Of the series of this metric, if it is known.
        metric: Option<String>,
        /// Those that are there already.
        taken: Vec<String>,
    },
    /// Values of a label.
    LabelValues {
        /// Of the series of this metric, if it is known.
        metric: Option<String>,
        /// The label.
        label: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoting {
    /// As it is, if it is a plain name.
    Name,
    /// In quotes of its own.
    Quoted,
    /// Inside quotes that are there.
    Inside(char),
}

impl Completion {
    /// The text to insert for something that the store answered.
    pub fn insertion(&self, choice: &str) -> String {
        let plain = |colons: bool| {
            let mut bytes = choice.bytes();
            bytes.next().is_some_and(lexer::is_alpha) && bytes.all(|b| lexer::is_alphanumeric(b) || colons && b == b':')
        };
        match self.quoting {
            Quoting::Name if self.ask == Some(Ask::Metrics) => {
                if plain(true) {
                    choice.to_owned()
                } else {
                    format!("{{{}}}", lexer::quote(choice))
                }
            }
            Quoting::Name => {
                if plain(false) {
                    choice.to_owned()
                } else {
                    lexer::quote(choice)
                }
            }
            Quoting::Quoted => lexer::quote(choice),
            Quoting::Inside('`') => choice.to_owned(),
            Quoting::Inside(quote) => {
                let quoted = lexer::quote(choice);
                let inner = &quoted[1..quoted.len() - 1];
                if quote == '\'' { inner.replace("\\\"", "\"").replace('\'', "\\'") } else { inner.to_owned() }
            }
        }
    }
}

/// Durations that are often meant.
const DURATIONS: [&str; 8] = ["1m", "5m", "15m", "1h", "6h", "1d", "7d", "30d"];

/// What stands around a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    /// `(`, also of a call.
    Paren,
    /// `(` of an aggregation's arguments.
    Aggregate,
    /// `(` of labels, of the keyword at this token.
    Labels(usize),
    /// `{` at this token.
    Braces(usize),
    /// `[`
    Brackets,
}

/// What stood before a place, which decides what may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Nothing, an opening parenthesis, a comma, an operator.
    Nothing,
    /// An operator, behind which modifiers stand too.
    Operator,
    /// A whole operand.
    Operand,
    /// A whole aggregation, which may still be grouped.
    Aggregation,
    /// The name of an aggregation.
    AggregationName,
}

/// What may stand at `cursor`, a byte of `text`.
pub fn complete(text: &str, cursor: usize, features: Features) -> Completion {
    let cursor = (0..=cursor.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let lexed = lexer::lex(text);
    if lexed.comments.iter().any(|c| c.start < cursor && cursor <= c.end) {
        return nothing(cursor);
    }
    let tokens: Vec<Token> = lexed.tokens.iter().filter(|t| t.kind != Kind::End).copied().collect();
    let at = Place { text, tokens: &tokens, features };
    // The token that the cursor stands in or behind, if it is one that can be completed.
    let here = tokens.iter().position(|t| t.start < cursor && cursor <= t.end && at.is_word(t, cursor));
    let index = here.unwrap_or_else(|| tokens.iter().position(|t| t.start >= cursor).unwrap_or(tokens.len()));
    // Something that is no word, with the cursor inside: a number, a text outside braces.
    if here.is_none() && index > 0 && cursor < tokens[index - 1].end {
        return nothing(cursor);
    }
    at.complete(index, here.map(|i| tokens[i]), cursor)
}

fn nothing(cursor: usize) -> Completion {
    Completion { span: cursor..cursor, prefix: String::new(), words: Vec::new(), ask: None, quoting: Quoting::Name }
}

struct Place<'a> {
    text: &'a str,
    tokens: &'a [Token],
    features: Features,
}

impl<'a> Place<'a> {
    fn word(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |t| &self.text[t.span()])
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        self.tokens.get(index).map(|t| t.kind)
    }

    fn is_word(&self, token: &Token, cursor: usize) -> bool {
        let text = &self.text[token.span()];
        let first = text.bytes().next().unwrap_or(0);
        if matches!(first, b'"' | b'\'' | b'`') {
            // Inside the quotes, not behind them.
            return token.kind != Kind::String || cursor < token.end;
        }
        lexer::is_alpha(first) || first == b':'
    }

    /// What the tokens before `index` leave open, and what the last of them are.
    fn around(&self, index: usize) -> (Vec<Around>, Before) {
        let mut open: Vec<Around> = Vec::new();
        let mut before = Before::Nothing;
        // Whether the labels that were just read belong to an aggregation that has no arguments yet.
        let mut grouped = false;
        for i in 0..index {
            let kind = self.tokens[i].kind;
            let next_before = match kind {
                Kind::LeftParen => {
                    let labels = i.checked_sub(1).filter(|j| {
                        matches!(
                            self.tokens[*j].kind,
                            Kind::Keyword(
                                Keyword::By
                                    | Keyword::Without
                                    | Keyword::On
                                    | Keyword::Ignoring
                                    | Keyword::GroupLeft
                                    | Keyword::GroupRight
                            )
                        )
                    });
                    open.push(match labels {
                        Some(keyword) => Around::Labels(keyword),
                        None if before == Before::AggregationName || grouped => Around::Aggregate,
                        None => Around::Paren,
                    });
                    Before::Nothing
                }
                Kind::RightParen => match open.pop() {
                    Some(Around::Labels(keyword)) => {
                        let by = matches!(self.tokens[keyword].kind, Kind::Keyword(Keyword::By | Keyword::Without));
                        // `sum by (a)` waits for its arguments, `sum(x) by (a)` has them.
                        grouped = by && keyword > 0 && matches!(self.tokens[keyword - 1].kind, Kind::Aggregate(_));
                        if by && !grouped { Before::Operand } else { Before::Nothing }
                    }
                    Some(Around::Aggregate) => Before::Aggregation,
                    _ => Before::Operand,
                },
                Kind::LeftBrace => {
                    open.push(Around::Braces(i));
                    Before::Nothing
                }
                Kind::LeftBracket => {
                    open.push(Around::Brackets);
                    Before::Nothing
                }
                Kind::RightBrace | Kind::RightBracket => {
                    open.pop();
                    Before::Operand
                }
                Kind::Comma | Kind::Colon | Kind::Equal | Kind::EqualRegex | Kind::NotRegex | Kind::At => {
                    Before::Nothing
                }
                Kind::Operator(_) => Before::Operator,
                Kind::Aggregate(_) => Before::AggregationName,
                Kind::Keyword(Keyword::Bool) => Before::Operator,
                Kind::Keyword(_) => before,
                Kind::Identifier | Kind::MetricIdentifier | Kind::Number | Kind::Duration | Kind::String => {
                    Before::Operand
                }
                Kind::Error(_) | Kind::End => Before::Operand,
            };
            grouped = grouped && kind == Kind::RightParen;
            before = next_before;
        }
        (open, before)
    }

    fn complete(&self, index: usize, word: Option<Token>, cursor: usize) -> Completion {
        let (open, before) = self.around(index);
        let span = word.map_or(cursor..cursor, |t| t.span());
        let prefix = self.text[span.start..cursor].to_owned();
        let mut out = Completion { span, prefix, ..nothing(cursor) };
        let last = index.checked_sub(1).and_then(|i| self.kind(i));
        match open.last() {
            Some(Around::Braces(brace)) => self.in_braces(&mut out, index, *brace),
            Some(Around::Brackets) => {
                if matches!(last, Some(Kind::LeftBracket | Kind::Colon)) {
                    self.durations(&mut out);
                }
            }
            Some(Around::Labels(keyword)) => {
                if matches!(last, Some(Kind::LeftParen | Kind::Comma)) {
                    let taken = (keyword + 2..index).filter(|i| self.kind(*i) != Some(Kind::Comma));
                    let taken = taken.map(|i| self.word(i).to_owned()).collect();
                    out.ask = Some(Ask::LabelNames { metric: self.grouped_metric(*keyword), taken });
                    self.inside_quotes(&mut out, index);
                }
            }
            // What a text outside braces means, nobody knows.
            Some(Around::Paren | Around::Aggregate) | None if out.prefix.starts_with(['"', '\'', '`']) => {}
            Some(Around::Paren | Around::Aggregate) | None => match last {
                Some(Kind::Keyword(Keyword::Offset)) => self.durations(&mut out),
                Some(Kind::At) => {
                    const TIMES: [(&str, &str); 2] = [("start()", "The query's first time."), ("end()", "Its last.")];
                    self.keywords(&mut out, &TIMES);
                }
                Some(Kind::Keyword(
                    Keyword::By
                    | Keyword::Without
                    | Keyword::On
                    | Keyword::Ignoring
                    | Keyword::Fill
                    | Keyword::FillLeft
                    | Keyword::FillRight,
                )) => {}
                _ => self.in_query(&mut out, before),
            },
        }
        let prefix = out.prefix.to_ascii_lowercase();
        out.words.retain(|w| w.text.to_ascii_lowercase().starts_with(&prefix));
        out
    }

    fn in_query(&self, out: &mut Completion, before: Before) {
        const GROUPING: [(&str, &str); 2] =
            [("by", "Keeps these labels."), ("without", "Drops these labels, keeps all others.")];
        const OPERATORS: [(&str, &str); 8] = [
            ("and", "Elements that are on both sides."),
            ("or", "Elements of the left side, and those only on the right."),
            ("unless", "Elements that are only on the left side."),
            ("atan2", "Arc tangent of left / right."),
            ("offset", "Looks back from the time of the evaluation."),
            ("@", "Evaluates at a fixed time."),
            ("anchored", "Takes the last sample before the range as its first."),
            ("smoothed", "Interpolates at both ends of the range."),
        ];
        const MODIFIERS: [(&str, &str); 8] = [
            ("bool", "Answers 0 or 1 instead of filtering."),
            ("on", "Matches by these labels only."),
            ("ignoring", "Matches by all labels but these."),
            ("group_left", "Many on the left match one on the right."),
            ("group_right", "One on the left matches many on the right."),
            ("fill", "Counts a missing side as this value."),
            ("fill_left", "Counts a missing left side as this value."),
            ("fill_right", "Counts a missing right side as this value."),
        ];
        match before {
            Before::Operand | Before::Aggregation => {
                if before == Before::Aggregation {
                    self.keywords(out, &GROUPING);
                }
                let extended = |w: &str| matches!(w, "anchored" | "smoothed");
                for (word, doc) in OPERATORS.iter().filter(|(w, _)| self.features.extended_ranges || !extended(w)) {
                    self.keywords(out, &[(*word, *doc)]);
                }
                return;
            }
            Before::AggregationName => {
                self.keywords(out, &GROUPING);
                return;
            }
            Before::Operator => {
                for (word, doc) in MODIFIERS.iter().filter(|(w, _)| self.features.fill || !w.starts_with("fill")) {
                    self.keywords(out, &[(*word, *doc)]);
                }
            }
            Before::Nothing => {}
        }
        out.ask = Some(Ask::Metrics);
        let experimental = self.features.experimental_functions;
        out.words.extend(Func::all().map(Func::signature).filter(|s| experimental || !s.experimental).map(|s| Word {
            text: s.name.to_owned(),
            kind: WordKind::Function,
            doc: s.doc,
        }));
        out.words.extend(AGGREGATES.iter().filter(|(_, word)| experimental || !word.starts_with("limit")).map(
            |(_, word)| Word { text: (*word).to_owned(), kind: WordKind::Aggregation, doc: aggregation_doc(word) },
        ));
    }

    fn keywords(&self, out: &mut Completion, words: &[(&'static str, &'static str)]) {
        out.words.extend(words.iter().map(|(word, doc)| Word {
            text: (*word).to_owned(),
            kind: WordKind::Keyword,
            doc,
        }));
    }

    fn durations(&self, out: &mut Completion) {
        let computed: &[&str] = if self.features.duration_expressions { &["step()", "range()"] } else { &[] };
        out.words.extend(DURATIONS.iter().chain(computed).map(|text| Word {
            text: (*text).to_owned(),
            kind: WordKind::Duration,
            doc: "",
        }));
    }

    fn in_braces(&self, out: &mut Completion, index: usize, brace: usize) {
        let metric = self.metric_of_braces(brace);
        let operator = |kind: Option<Kind>| {
            matches!(kind, Some(Kind::Equal | Kind::EqualRegex | Kind::NotRegex | Kind::Operator(_)))
        };
        match index.checked_sub(1).and_then(|i| self.kind(i)) {
            Some(Kind::LeftBrace | Kind::Comma) => {
                let taken = (brace + 1..self.tokens.len())
                    .take_while(|i| self.kind(*i) != Some(Kind::RightBrace))
                    .filter(|i| *i != index && operator(self.kind(*i + 1)))
                    .map(|i| unquoted(self.word(i)).to_owned());
                out.ask = Some(Ask::LabelNames { metric, taken: taken.collect() });
                self.inside_quotes(out, index);
            }
            Some(Kind::Identifier | Kind::String) if index >= 2 && !operator(self.kind(index - 2)) => self.keywords(
                out,
                &[("=", "Is equal."), ("!=", "Is not equal."), ("=~", "Matches."), ("!~", "Does not match.")],
            ),
            kind if operator(kind) && index >= 2 => {
                let label = unquoted(self.word(index - 2)).to_owned();
                out.ask = Some(if label == METRIC_NAME { Ask::Metrics } else { Ask::LabelValues { metric, label } });
                out.quoting = Quoting::Quoted;
                self.inside_quotes(out, index);
            }
            _ => {}
        }
    }

    /// With quotes typed already, only what stands between them is replaced.
    fn inside_quotes(&self, out: &mut Completion, index: usize) {
        let Some(quote @ ('"' | '\'' | '`')) = out.prefix.chars().next() else { return };
        let cursor = out.span.start + out.prefix.len();
        out.prefix.remove(0);
        out.span.start += 1;
        out.quoting = Quoting::Inside(quote);
        if self.kind(index) == Some(Kind::String) {
            out.span.end -= 1;
        } else {
            // Nothing closes the text: what follows may be the rest of the query.
            let rest = &self.text[cursor..];
            let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '-' | '/');
            out.span.end = cursor + rest.find(|c| !part(c)).unwrap_or(rest.len());
        }
    }

    fn metric_of_braces(&self, brace: usize) -> Option<String> {
        let name = brace.checked_sub(1).filter(|i| self.tokens[*i].end == self.tokens[brace].start && self.is_name(*i));
        if let Some(name) = name {
            return Some(self.word(name).to_owned());
        }
        // `{"name"}` and `{__name__="name"}`
        let inside = (brace + 1..self.tokens.len()).take_while(|i| self.kind(*i) != Some(Kind::RightBrace));
        for i in inside.filter(|i| self.kind(*i) == Some(Kind::String)) {
            let before = self.kind(i - 1);
            let alone = matches!(before, Some(Kind::LeftBrace | Kind::Comma))
                && matches!(self.kind(i + 1), Some(Kind::RightBrace | Kind::Comma) | None);
            if alone || before == Some(Kind::Equal) && self.word(i.saturating_sub(2)) == METRIC_NAME {
                return Some(unquoted(self.word(i)).to_owned());
            }
        }
        None
    }

    fn is_name(&self, index: usize) -> bool {
        matches!(
            self.kind(index),
            Some(Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregate(_) | Kind::Keyword(_))
        )
    }

    /// Whether a token is the name of a metric outside braces.
    fn is_metric(&self, index: usize) -> bool {
        let name = matches!(self.kind(index), Some(Kind::Identifier | Kind::MetricIdentifier));
        name && self.kind(index + 1) != Some(Kind::LeftParen)
            && !matches!(self.around(index).0.last(), Some(Around::Braces(_) | Around::Labels(_)))
    }

    /// The metric whose labels a grouping or matching names: that of the arguments before, or else behind.
    fn grouped_metric(&self, keyword: usize) -> Option<String> {
        let suffix = keyword > 0 && self.kind(keyword - 1) == Some(Kind::RightParen);
        let behind = (keyword + 1..self.tokens.len()).find(|i| self.is_metric(*i));
        let before = (0..keyword).rev().find(|i| self.is_metric(*i));
        let prefix = keyword > 0 && matches!(self.tokens[keyword - 1].kind, Kind::Aggregate(_));
        let found = if prefix && !suffix { behind.or(before) } else { before.or(behind) };
        found.map(|i| self.word(i).to_owned())
    }
}

/// A text without its quotes. Escapes stay: names that need them are not worth the trouble here.
fn unquoted(word: &str) -> &str {
    let inner = word.strip_prefix(['"', '\'', '`']);
    inner.map_or(word, |inner| inner.strip_suffix(['"', '\'', '`']).unwrap_or(inner))
}

fn aggregation_doc(word: &str) -> &'static str {
    match word {
        "sum" => "Sum of the elements.",
        "avg" => "Mean of the elements.",
        "min" => "Smallest element.",
        "max" => "Largest element.",
        "count" => "Number of elements.",
        "group" => "1 for every group.",
        "stddev" => "Population standard deviation of the elements.",
        "stdvar" => "Population variance of the elements.",
        "topk" => "The k largest elements.",
        "bottomk" => "The k smallest elements.",
        "count_values" => "Number of elements with the same value, under a label.",
        "quantile" => "Quantile of the elements.",
        "limitk" => "k elements, whichever they are.",
        "limit_ratio" => "A share of the elements, whichever they are.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Completes at the bar, and shows what is replaced, the words, and what the store is asked.
    fn at_bar(marked: &str) -> (String, Vec<String>, Option<Ask>) {
        let cursor = marked.find('|').unwrap();
        let text = marked.replacen('|', "", 1);
        let done = complete(&text, cursor, Features::stable());
        (text[done.span.clone()].to_owned(), done.words.into_iter().map(|w| w.text).collect(), done.ask)
    }

    fn names(metric: Option<&str>, taken: &[&str]) -> Option<Ask> {
        let taken = taken.iter().map(|t| (*t).to_owned()).collect();
        Some(Ask::LabelNames { metric: metric.map(str::to_owned), taken })
    }

    fn values(metric: Option<&str>, label: &str) -> Option<Ask> {
        Some(Ask::LabelValues { metric: metric.map(str::to_owned), label: label.to_owned() })
    }

    #[test]
    fn operands_are_functions_aggregations_and_metrics() {
        for marked in ["|", "sum(|", "a + |", "topk(5, |", "sum by (x) (|", "-|", "sum(r|)"] {
            let (_, words, ask) = at_bar(marked);
            assert!(words.iter().any(|w| w == "rate"), "{marked}");
            assert_eq!(ask, Some(Ask::Metrics), "{marked}");
        }
        assert_eq!(at_bar("sum(rat|x)").0, "ratx");
        assert_eq!(at_bar("qua|").1, ["quantile_over_time", "quantile"]);
        assert!(at_bar("a > |").1.contains(&"bool".to_owned()));
    }

    #[test]
    fn behind_an_operand_stand_operators() {
        for marked in ["a |", "sum(a) by (b) |", "a[5m] |", "1 |", "a{b=\"c\"} |"] {
            let (_, words, ask) = at_bar(marked);
            assert!(words.contains(&"and".to_owned()) && !words.contains(&"by".to_owned()), "{marked} {words:?}");
            assert_eq!(ask, None, "{marked}");
        }
        assert_eq!(at_bar("sum(a) b|").1, ["by"]);
        assert_eq!(at_bar("sum |").1, ["by", "without"]);
        assert_eq!(at_bar("a @ |").1, ["start()", "end()"]);
    }

    #[test]
    fn labels_are_those_of_the_metric() {
        assert_eq!(at_bar("up{|").2, names(Some("up"), &[]));
        assert_eq!(at_bar("up{job=\"a\", in|st}").2, names(Some("up"), &["job"]));
        assert_eq!(at_bar("up{job=\"a\", in|st}").0, "inst");
        assert_eq!(at_bar("{\"my.metric\", |}").2, names(Some("my.metric"), &[]));
        assert_eq!(at_bar("{__name__=\"up\", |}").2, names(Some("up"), &["__name__"]));
        assert_eq!(at_bar("sum by (|) (rate(up{a=\"b\"}[5m]))").2, names(Some("up"), &[]));
        assert_eq!(at_bar("sum(rate(up[5m])) by (job, |").2, names(Some("up"), &["job"]));
        assert_eq!(at_bar("sum(up) by (\"jo|b\")"), ("job".to_owned(), vec![], names(Some("up"), &[])));
        assert_eq!(at_bar("a * on (|) b").2, names(Some("a"), &[]));
        assert_eq!(at_bar("up{job |").1, ["=", "!=", "=~", "!~"]);
    }

    #[test]
    fn values_are_those_of_the_label() {
        assert_eq!(at_bar("up{job=|").2, values(Some("up"), "job"));
        assert_eq!(at_bar("up{job=\"|").2, values(Some("up"), "job"));
        assert_eq!(at_bar("up{job=~\"ap|i\"}"), ("api".to_owned(), vec![], values(Some("up"), "job")));
        assert_eq!(at_bar("sum(up{job=\"ap|i}[5m])"), ("api".to_owned(), vec![], values(Some("up"), "job")));
        assert_eq!(at_bar("{__name__=\"u|\"}").2, Some(Ask::Metrics));
        assert_eq!(at_bar("up{job=\"a\" |").2, None);
    }

    #[test]
    fn ranges_and_offsets_are_durations() {
        assert_eq!(at_bar("a[|").1.first().map(String::as_str), Some("1m"));
        assert_eq!(at_bar("a offset |").1.first().map(String::as_str), Some("1m"));
        assert!(at_bar("a[5m |").1.is_empty());
    }

    #[test]
    fn nothing_is_offered_in_comments_numbers_and_texts() {
        for marked in ["a # b|", "12|3", "count_values(\"a|b\", x)"] {
            let (_, words, ask) = at_bar(marked);
            assert!(ask.is_none() && words.is_empty(), "{marked}: {words:?}");
        }
    }

    #[test]
    fn choices_are_written_so_that_they_are_read_back() {
        let completion = |text: &str| complete(text, text.len(), Features::stable());
        assert_eq!(completion("up{job=").insertion("a\"b"), r#""a\"b""#);
        assert_eq!(completion("up{job=\"").insertion("a\"b"), r#"a\"b"#);
        assert_eq!(completion("up{job='").insertion("a\"'b"), r#"a"\'b"#);
        assert_eq!(completion("up{").insertion("service.name"), r#""service.name""#);
        assert_eq!(completion("sum(").insertion("my.metric"), r#"{"my.metric"}"#);
        assert_eq!(completion("sum(").insertion("a:b"), "a:b");
    }

    #[test]
    fn no_cursor_breaks_it() {
        let text = "sum by (a) (rate({\"ü\", job=~\"日|本\"}[5m:1m] offset -5m @ end())) > bool 1 # x";
        for end in (0..=text.len()).filter(|i| text.is_char_boundary(*i)) {
            for cursor in 0..=end + 1 {
                let done = complete(&text[..end], cursor, Features::all());
                assert!(done.span.start <= done.span.end && done.span.end <= end, "{end} {cursor}");
            }
        }
    }
}
