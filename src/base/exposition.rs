//! Prometheus' text format and OpenMetrics 1.0, line by line.
//!
//! Strict: a line that is not understood is named with its number and its reason; the lines around it
//! stand. Names may be UTF-8 in quotes (`{"my.name", "my label"="x"}`). Times are milliseconds in the
//! text format and seconds in OpenMetrics; exemplars are skipped. Borrows from the text.

use std::borrow::Cow;

use crate::base::labels::{LabelsBuf, METRIC_NAME};
use crate::base::metadata::Kind;

/// Which of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4` and `1.0.0`.
    Text,
    /// `application/openmetrics-text`.
    OpenMetrics,
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub enum Line<'a> {
    /// A sample; its labels are in the buffer. Time in milliseconds.
    Sample(f64, Option<i64>),
    /// `# TYPE name kind`
    Type(&'a str, Kind),
    /// `# HELP name text`
    Help(&'a str, Cow<'a, str>),
    /// `# UNIT name unit`
    Unit(&'a str, &'a str),
    /// `# EOF`
    End,
    /// A comment, or nothing.
    Nothing,
}

/// Why a line is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Something that is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Something that does not belong there.
    #[error("`{0}` does not belong here")]
    Unexpected(String),
    /// A value or a time that is no number.
    #[error("`{found}` is not {what}")]
    NotANumber {
        /// `a number`, `a time`.
        what: &'static str,
        /// As written, shortened.
        found: String,
    },
    /// A type that does not exist.
    #[error("`{0}` is not a type of metric")]
    NoType(String),
    /// The same label twice.
    #[error("the label `{0}` stands twice")]
    Twice(String),
    /// A quoted text that does not end on its line.
    #[error("a quote is not closed")]
    Unclosed,
    /// OpenMetrics ends with `# EOF`.
    #[error("nothing may follow `# EOF`")]
    AfterEnd,
    /// Not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
}

/// Longest piece of a line that an error quotes, in bytes.
const QUOTED: usize = 40;

fn quoted(text: &str) -> String {
    let cut = text.floor_char_boundary(QUOTED);
    if cut < text.len() { format!("{}…", &text[..cut]) } else { text.to_owned() }
}

/// A label as found: name, value.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Reads lines; reusable without allocating.
#[derive(Debug)]
pub struct Parser<'a> {
    format: Format,
    ended: bool,
    pairs: Vec<Pair<'a>>,
}

impl<'a> Parser<'a> {
    /// Reads lines of `format`.
    pub fn new(format: Format) -> Self {
        Self { format, ended: false, pairs: Vec::new() }
    }

    /// Reads one line without its end. The labels of a sample go to `labels`.
    ///
    /// # Errors
    /// It is not understood.
    pub fn line(&mut self, line: &'a str, labels: &mut LabelsBuf) -> Result<Line<'a>, LineError> {
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() {
            return Ok(Line::Nothing);
        }
        if self.ended {
            return Err(LineError::AfterEnd);
        }
        match line.strip_prefix('#') {
            Some(comment) => self.comment(comment),
            None => self.sample(line, labels),
        }
    }

    fn comment(&mut self, text: &'a str) -> Result<Line<'a>, LineError> {
        let text = text.trim_start_matches([' ', '\t']);
        let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let open = self.format == Format::OpenMetrics;
        match word {
            "EOF" if open && rest.is_empty() => {
                self.ended = true;
                return Ok(Line::End);
            }
            "TYPE" | "HELP" => {}
            "UNIT" if open => {}
            _ => return Ok(Line::Nothing),
        }
        let mut at = Cursor(rest.trim_start_matches([' ', '\t']));
        let name = match at.0.starts_with('"') {
            // A name with escapes is of no use as a key of metadata, and has never been seen.
            true => match at.quoted()? {
                Cow::Borrowed(name) => name,
                Cow::Owned(_) => return Ok(Line::Nothing),
            },
            false => at.until([' ', '\t']),
        };
        if name.is_empty() {
            return Err(LineError::Missing("the metric's name"));
        }
        let rest = at.0.trim_start_matches([' ', '\t']);
        Ok(match word {
            "TYPE" => Line::Type(name, Kind::from_word(rest).ok_or_else(|| LineError::NoType(quoted(rest)))?),
            "UNIT" => Line::Unit(name, rest),
            _ => Line::Help(name, unescaped(rest, open)),
        })
    }

    fn sample(&mut self, line: &'a str, labels: &mut LabelsBuf) -> Result<Line<'a>, LineError> {
        let at = self.read_series(Cursor(line))?;
        let (value, time) = self.tail(at)?;
        self.collect(labels)?;
        Ok(Line::Sample(value, time))
    }

    /// Reads name and labels, and gives what follows.
    fn read_series(&mut self, mut at: Cursor<'a>) -> Result<Cursor<'a>, LineError> {
        self.pairs.clear();
        let name = at.name();
        if !name.is_empty() {
            self.pairs.push((Cow::Borrowed(METRIC_NAME), Cow::Borrowed(name)));
        }
        at.space();
        if at.eat(b'{') {
            self.braces(&mut at)?;
        }
        if !self.pairs.iter().any(|(k, _)| k == METRIC_NAME) {
            return Err(match at.0.chars().next() {
                Some(c) if name.is_empty() && self.pairs.is_empty() => LineError::Unexpected(c.to_string()),
                Some(_) | None => LineError::Missing("the metric's name"),
            });
        }
        Ok(at)
    }

    /// Reads what follows a sample's labels.
    fn tail(&self, mut at: Cursor<'_>) -> Result<(f64, Option<i64>), LineError> {
        at.space();
        let value = at.word();
        if value.is_empty() {
            return Err(LineError::Missing("the value"));
        }
        let value = float(value).ok_or_else(|| LineError::NotANumber { what: "a number", found: quoted(value) })?;
        at.space();
        let mut time = None;
        if !at.0.is_empty() && !at.0.starts_with('#') {
            let text = at.word();
            time = Some(self.time(text)?);
            at.space();
        }
        // An exemplar, which is not kept.
        let exemplar = self.format == Format::OpenMetrics && at.0.starts_with("# {");
        if !at.0.is_empty() && !exemplar {
            return Err(LineError::Unexpected(quoted(at.0)));
        }
        Ok((value, time))
    }

    /// Splits the line of a sample into its series, unread, and the rest; nothing for any other line. Whoever has
    /// seen the series before need not read its labels again.
    pub fn split(&self, line: &'a str) -> Option<(&'a str, &'a str)> {
        let line = line.trim_matches([' ', '\t', '\r']);
        if self.ended || line.is_empty() || line.starts_with('#') {
            return None;
        }
        Some(line.split_at(series_end(line.as_bytes())?))
    }

    /// Reads value and time of a sample: what [`split`](Self::split) gave as the rest.
    ///
    /// # Errors
    /// They are not understood.
    pub fn value(&self, rest: &str) -> Result<(f64, Option<i64>), LineError> {
        self.tail(Cursor(rest))
    }

    /// Reads the labels of a series that [`split`](Self::split) gave, empty ones included, sorted by name.
    ///
    /// # Errors
    /// They are not understood.
    pub fn series(&mut self, series: &'a str) -> Result<&[Pair<'a>], LineError> {
        let rest = self.read_series(Cursor(series))?;
        if !rest.0.is_empty() {
            return Err(LineError::Unexpected(quoted(rest.0)));
        }
        self.sort()?;
        Ok(&self.pairs)
    }

    /// Whether `# EOF` was read.
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// What stands between braces, the opening one read.
    fn braces(&mut self, at: &mut Cursor<'a>) -> Result<(), LineError> {
        loop {
            at.space();
            if at.eat(b'}') {
                return Ok(());
            }
            let is_quoted = at.0.starts_with('"');
            let name = if is_quoted { at.quoted()? } else { Cow::Borrowed(at.label_name()) };
            if name.is_empty() && !is_quoted {
                let found = at.0.chars().next();
                return Err(found.map_or(LineError::Missing("`}`"), |c| LineError::Unexpected(c.to_string())));
            }
            at.space();
            if at.eat(b'=') {
                at.space();
                if !at.0.starts_with('"') {
                    return Err(LineError::Missing("the label's value in quotes"));
                }
                if name.is_empty() {
                    return Err(LineError::Missing("the label's name"));
                }
                self.pairs.push((name, at.quoted()?));
            } else if is_quoted {
                // A name in quotes without a value is the metric's.
                self.pairs.push((Cow::Borrowed(METRIC_NAME), name));
            } else {
                return Err(LineError::Missing("`=`"));
            }
            at.space();
            if !at.eat(b',') && !at.0.starts_with('}') {
                return Err(LineError::Missing("`,` or `}`"));
            }
        }
    }

    fn time(&self, text: &str) -> Result<i64, LineError> {
        let refused = || LineError::NotANumber { what: "a time", found: quoted(text) };
        match self.format {
            Format::Text => text.parse().map_err(|_| refused()),
            Format::OpenMetrics => {
                let ms = float(text).ok_or_else(refused)? * 1e3;
                // Beyond 2^53 a float has no milliseconds any more. Cut off, not rounded, as Prometheus does.
                if ms.abs() <= 9e15 { Ok(ms as i64) } else { Err(refused()) }
            }
        }
    }

    fn collect(&mut self, labels: &mut LabelsBuf) -> Result<(), LineError> {
        self.sort()?;
        labels.clear();
        for (name, value) in &self.pairs {
            labels.push(name, value);
        }
        Ok(())
    }

    fn sort(&mut self) -> Result<(), LineError> {
        if !self.pairs.is_sorted_by(|a, b| a.0 < b.0) {
            self.pairs.sort_by(|a, b| a.0.cmp(&b.0));
            if let Some(twice) = self.pairs.windows(2).find(|w| w[0].0 == w[1].0) {
                return Err(LineError::Twice(quoted(&twice[0].0)));
            }
        }
        Ok(())
    }
}

/// A float as Go's `ParseFloat` reads it, but for hexadecimal ones and underscores, which nobody writes.
fn float(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// `\\` and `\n`, in OpenMetrics `\"` too; what follows another backslash stays with it.
fn unescaped(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('\\') => out.push('\\'),
            Some('"') if quotes => out.push('"'),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    Cow::Owned(out)
}

/// Where the series of a sample's line ends: behind its braces, or before the first blank.
fn series_end(line: &[u8]) -> Option<usize> {
    let name = line.iter().position(|b| matches!(b, b'{' | b' ' | b'\t'))?;
    let open = name + line[name..].iter().position(|b| !matches!(b, b' ' | b'\t'))?;
    if line[open] != b'{' {
        return Some(name);
    }
    let mut i = open + 1;
    let mut within = false;
    loop {
        match line.get(i)? {
            b'\\' if within => i += 1,
            b'"' => within = !within,
            b'}' if !within => return Some(i + 1),
            _ => {}
        }
        i += 1;
    }
}

/// What is left of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn split(&mut self, at: usize) -> &'a str {
        let (head, rest) = self.0.split_at(at);
        self.0 = rest;
        head
    }

    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.0.as_bytes().first() == Some(&byte);
        if there {
            self.split(1);
        }
        there
    }

    fn until(&mut self, end: [char; 2]) -> &'a str {
        self.split(self.0.find(end).unwrap_or(self.0.len()))
    }

    fn word(&mut self) -> &'a str {
        self.until([' ', '\t'])
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, or nothing.
    fn name(&mut self) -> &'a str {
        self.identifier(true)
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, or nothing.
    fn label_name(&mut self) -> &'a str {
        self.identifier(false)
    }

    fn identifier(&mut self, colon: bool) -> &'a str {
        let fits = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || (colon && *b == b':');
        let bytes = self.0.as_bytes();
        let length = match bytes.first() {
            Some(first) if !first.is_ascii_digit() => bytes.iter().take_while(|b| fits(b)).count(),
            Some(_) | None => 0,
        };
        self.split(length)
    }

    /// A text in quotes, the cursor being at the first.
    fn quoted(&mut self) -> Result<Cow<'a, str>, LineError> {
        let bytes = self.0.as_bytes();
        let mut i = 1;
        let mut escapes = false;
        loop {
            match bytes.get(i) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = true;
                    i += 2;
                }
                Some(_) => i += 1,
                None => return Err(LineError::Unclosed),
            }
        }
        let text = &self.0[1..i];
        self.0 = &self.0[i + 1..];
        Ok(if escapes { unescaped(text, true) } else { Cow::Borrowed(text) })
    }
}

/// Whether a program or a job may give a metric this name: it is one, and none of those under which Watchdog says what
/// it thinks of a monitor (`probe_success`, `watchdog_monitor_state`), of a scrape (`up`), or of an alert.
pub fn is_free_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b':'));
    let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'));
    let ours = ["watchdog_", "probe_", "scrape_"].iter().any(|own| name.starts_with(own));
    first && rest && !ours && !matches!(name, "up" | "ALERTS" | "ALERTS_FOR_STATE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn sample(format: Format, line: &str, labels: &str, v: f64, t: Option<i64>) {
        let mut buf = LabelsBuf::default();
        let mut parser = Parser::new(format);
        match parser.line(line, &mut buf) {
            Ok(Line::Sample(value, time)) => {
                assert_eq!((buf.labels().to_string().as_str(), time), (labels, t), "{line}");
                assert!(value == v || value.is_nan() && v.is_nan(), "{line}: {value}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[track_caller]
    fn error(format: Format, line: &str, why: &str) {
        let mut parser = Parser::new(format);
        match parser.line(line, &mut LabelsBuf::default()) {
            Err(e) => assert_eq!(e.to_string(), why, "{line}"),
            Ok(read) => panic!("{line}: {read:?}"),
        }
    }

    #[test]
    fn metrics_of_others_have_names_that_are_not_ours() {
        for good in ["backup_bytes", "_x", "a:b", "up_since", "alerts"] {
            assert!(is_free_name(good), "{good}");
        }
        let reserved = ["up", "scrape_samples_scraped", "ALERTS", "ALERTS_FOR_STATE"];
        for bad in ["", "probe_success", "watchdog_up", "a b", "1a", "ä"].into_iter().chain(reserved) {
            assert!(!is_free_name(bad), "{bad}");
        }
    }

    #[test]
    fn samples_of_both_formats() {
        use Format::{OpenMetrics, Text};
        sample(Text, "up 1", r#"{__name__="up"}"#, 1.0, None);
        sample(Text, "  a:b{} +Inf\t17", r#"{__name__="a:b"}"#, f64::INFINITY, Some(17));
        sample(Text, r#"a{z="1",b="2"} NaN -5"#, r#"{__name__="a", b="2", z="1"}"#, f64::NAN, Some(-5));
        sample(Text, r#"a { x = "1" , } 1e-3"#, r#"{__name__="a", x="1"}"#, 0.001, None);
        sample(Text, r#"a{x="q\"\\\n\d"} .5"#, r#"{__name__="a", x="q\"\\\n\\d"}"#, 0.5, None);
        sample(Text, r#"{"my.name","my label"="ü} #",x=""} 2"#, r#"{__name__="my.name", my label="ü} #"}"#, 2.0, None);
        sample(Text, r#"{__name__="a"} 1"#, r#"{__name__="a"}"#, 1.0, None);
        sample(OpenMetrics, "a_total 17 1.5", r#"{__name__="a_total"}"#, 17.0, Some(1_500));
        sample(
            OpenMetrics,
            r##"a_bucket{le="1"} 1 # {id="x"} 0.5 1.2"##,
            r#"{__name__="a_bucket", le="1"}"#,
            1.0,
            None,
        );
        sample(OpenMetrics, r##"a 1 2 # {id="x"} 0.5"##, r#"{__name__="a"}"#, 1.0, Some(2_000));
    }

    #[test]
    fn a_line_splits_into_series_and_rest_as_it_is_read_whole() {
        #[track_caller]
        fn check(line: &str, want: Option<(&str, &str)>) {
            let mut parser = Parser::new(Format::Text);
            assert_eq!(parser.split(line), want, "{line}");
            if let Some((series, rest)) = want {
                let mut whole = LabelsBuf::default();
                let Ok(Line::Sample(value, time)) = parser.line(line, &mut whole) else { panic!("{line}") };
                assert_eq!(parser.value(rest), Ok((value, time)), "{line}");
                let mut split = LabelsBuf::default();
                parser.series(series).unwrap().iter().for_each(|(k, v)| split.push(k, v));
                assert_eq!(split, whole, "{line}");
            }
        }
        check("up 1", Some(("up", " 1")));
        check("  up\t1 5 ", Some(("up", "\t1 5")));
        check(r#"a{x="}\" }",y=""} 2"#, Some((r#"a{x="}\" }",y=""}"#, " 2")));
        check(r#"a {x="1"}3"#, Some((r#"a {x="1"}"#, "3")));
        check(r#"{"my.name","a b"="c"} 1"#, Some((r#"{"my.name","a b"="c"}"#, " 1")));
        for none in ["", "# HELP a b", "up", "a{x=\"1"] {
            check(none, None);
        }
    }

    #[test]
    fn mistakes_are_named() {
        use Format::{OpenMetrics, Text};
        error(Text, "a", "the value is missing");
        error(Text, "a b", "`b` is not a number");
        error(Text, "a 1 soon", "`soon` is not a time");
        error(Text, "a 1 1.5", "`1.5` is not a time");
        error(Text, "a 1 2 3", "`3` does not belong here");
        error(Text, r##"a 1 # {x="1"} 2"##, "`# {x=\"1\"} 2` does not belong here");
        error(Text, "1a 1", "`1` does not belong here");
        error(Text, r#"{x="1"} 1"#, "the metric's name is missing");
        error(Text, r#"a{"b"} 1"#, "the label `__name__` stands twice");
        error(Text, r#"a{x="1",x="2"} 1"#, "the label `x` stands twice");
        error(Text, r#"a{x="1} 1"#, "a quote is not closed");
        error(Text, r#"a{x="1\"} 1"#, "a quote is not closed");
        error(Text, r#"a{x=1} 1"#, "the label's value in quotes is missing");
        error(Text, r#"a{x} 1"#, "`=` is missing");
        error(Text, r#"a{x="1" y="2"} 1"#, "`,` or `}` is missing");
        error(Text, r#"a{x="1""#, "`,` or `}` is missing");
        error(Text, r#"a{x="1","#, "`}` is missing");
        error(Text, r#"a{""="1"} 1"#, "the label's name is missing");
        error(Text, "# TYPE a thing", "`thing` is not a type of metric");
        error(Text, "# TYPE", "the metric's name is missing");
        error(OpenMetrics, "a 1 1e300", "`1e300` is not a time");
        error(Text, &format!("a {}", "x".repeat(100)), &format!("`{}…` is not a number", "x".repeat(40)));
    }

    #[test]
    fn descriptions_and_the_end() {
        let mut parser = Parser::new(Format::OpenMetrics);
        let mut buf = LabelsBuf::default();
        let mut read = |line| parser.line(line, &mut buf);
        assert_eq!(read("# TYPE a counter"), Ok(Line::Type("a", Kind::Counter)));
        assert_eq!(read(r"# HELP a b\\c\n\x"), Ok(Line::Help("a", "b\\c\n\\x".into())));
        assert_eq!(read("# UNIT a bytes"), Ok(Line::Unit("a", "bytes")));
        assert_eq!(read("# HELP \"my.name\" text"), Ok(Line::Help("my.name", "text".into())));
        assert_eq!(read("# anything"), Ok(Line::Nothing));
        assert_eq!(read("# EOF"), Ok(Line::End));
        assert_eq!(read(""), Ok(Line::Nothing));
        assert_eq!(read("a 1"), Err(LineError::AfterEnd));
        let mut parser = Parser::new(Format::Text);
        assert_eq!(parser.line("# EOF", &mut buf), Ok(Line::Nothing));
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "[ -~\\tü]{0,60}") {
            for format in [Format::Text, Format::OpenMetrics] {
                let _ = Parser::new(format).line(&line, &mut LabelsBuf::default());
            }
        }
    }
}
