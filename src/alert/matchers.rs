//! Alertmanager's matchers: both of its syntaxes, read as its default mode reads them.
//!
//! The classic syntax (`foo=bar`, `foo =~ "a|b"`) is lenient and knows ASCII names only. The UTF-8 syntax of 0.27
//! (`"quoted name"="x"`) is strict. A text is read by both: one that only one of them understands means what that
//! one says, and where they differ the classic one is right, so that old files keep their meaning.

use std::fmt;

use crate::base::labels::Labels;
use crate::base::matcher::{BadRegex, MatchOp, Matcher};

/// Conditions that must all hold. Kept in Alertmanager's order: by name, then value, then operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers(Vec<Matcher>);

/// A text that neither syntax understands. `start..end` is the range of bytes in it that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct BadMatchers {
    /// First byte of what is wrong.
    pub start: usize,
    /// One past its last byte; the same as `start` when something is missing there.
    pub end: usize,
    /// What is wrong.
    pub kind: Mistake,
}

/// What is wrong with a matcher.
#[derive(Debug, thiserror::Error)]
pub enum Mistake {
    /// No label name where one belongs.
    #[error("a label name belongs here")]
    Name,
    /// No operator behind a name.
    #[error("one of `=`, `!=`, `=~`, `!~` belongs here")]
    Operator,
    /// No value behind an operator.
    #[error("a value belongs here; put one with special characters in double quotes")]
    Value,
    /// Something else between two matchers.
    #[error("a comma belongs between two matchers")]
    Comma,
    /// `{` without `}`, or the other way round.
    #[error("a brace lacks its counterpart")]
    Brace,
    /// A quote that is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// An escape that does not exist, or text that is not UTF-8 once escapes are resolved.
    #[error("this is not a quoted string: it holds an escape that does not exist")]
    Escape,
    /// A regular expression that does not stand.
    #[error(transparent)]
    Regex(#[from] BadRegex),
    /// Several matchers, or none, where one belongs.
    #[error("one matcher belongs here, not {0}")]
    Count(usize),
}

impl Matchers {
    /// These conditions.
    pub fn new(matchers: impl IntoIterator<Item = Matcher>) -> Self {
        let mut all: Vec<Matcher> = matchers.into_iter().collect();
        all.sort_by(|a, b| (a.name(), a.value(), rank(a.op())).cmp(&(b.name(), b.value(), rank(b.op()))));
        all.dedup();
        Self(all)
    }

    /// Reads `{a="b",c=~"d"}`, `a=b, c=~d`, `"a b"="c"` and the like; an empty text has no conditions.
    ///
    /// # Errors
    /// Neither syntax understands it; the place is that in the UTF-8 syntax.
    pub fn parse(text: &str) -> Result<Self, BadMatchers> {
        match (strict(text), classic(text)) {
            (Ok(new), Some(old)) if new != old => Ok(Self::new(old)),
            (Ok(new), _) => Ok(Self::new(new)),
            (Err(_), Some(old)) => Ok(Self::new(old)),
            (Err(e), None) => Err(e),
        }
    }

    /// What a person gives on the command line: each word holds matchers, and a first word without an operator
    /// is an `alertname`, as for `amtool`.
    ///
    /// # Errors
    /// The number of the word that is not understood, and why.
    pub fn of_words<W: AsRef<str>>(words: &[W]) -> Result<Self, (usize, BadMatchers)> {
        let mut all = Vec::new();
        for (i, word) in words.iter().enumerate() {
            let word = word.as_ref();
            if i == 0 && !word.is_empty() && !word.contains(['=', '!', '~', '{', '}', ',', '"']) {
                all.push(Matcher::equal("alertname", word));
                continue;
            }
            all.extend(Self::parse(word).map_err(|e| (i, e))?.0);
        }
        Ok(Self::new(all))
    }

    /// Whether all conditions hold. A label that is not there has the empty value.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|m| m.matches(labels.get(m.name()).unwrap_or_default()))
    }

    /// Whether there are no conditions: then everything matches.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many conditions there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The conditions in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Matcher> {
        self.0.iter()
    }

    /// Whether they select nothing in particular, as Alertmanager judges for silences: each takes the empty value,
    /// and none refuses any.
    pub fn select_nothing(&self) -> bool {
        self.0.iter().all(|m| !m.op().negative() && m.matches(""))
    }

    /// Whether whatever matches `other` matches this too, as far as that shows without solving regular
    /// expressions: `false` may be wrong, `true` never is.
    pub fn cover(&self, other: &Self) -> bool {
        self.0.iter().all(|mine| {
            mine.accepts_all()
                || other.0.iter().filter(|its| its.name() == mine.name()).any(|its| {
                    its == mine || its.literals().is_some_and(|values| values.iter().all(|v| mine.matches(v)))
                })
        })
    }

    /// Whether no label set can match: two conditions on one label whose values can be listed share none.
    pub fn contradict_themselves(&self) -> bool {
        self.0.iter().any(|m| {
            m.literals().is_some_and(|values| {
                let of_label = || self.0.iter().filter(|other| other.name() == m.name());
                !values.iter().any(|v| of_label().all(|other| other.matches(v)))
            })
        })
    }
}

impl<'a> IntoIterator for &'a Matchers {
    type Item = &'a Matcher;
    type IntoIter = std::slice::Iter<'a, Matcher>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Matchers {
    type Item = Matcher;
    type IntoIter = std::vec::IntoIter<Matcher>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// As Alertmanager prints them, which [`Matchers::parse`] reads back: `{a="b",c=~"d"}`.
impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, m) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            if m.name().chars().any(is_reserved) {
                quoted(f, m.name())?;
            } else {
                f.write_str(m.name())?;
            }
            f.write_str(m.op().text())?;
            quoted(f, m.value())?;
        }
        f.write_str("}")
    }
}

/// Quotes with the three escapes that both syntaxes read the same way.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write as _;
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '"' => f.write_str("\\\"")?,
            '\n' => f.write_str("\\n")?,
            other => f.write_char(other)?,
        }
    }
    f.write_str("\"")
}

const fn rank(op: MatchOp) -> u8 {
    match op {
        MatchOp::Equal => 0,
        MatchOp::NotEqual => 1,
        MatchOp::Regex => 2,
        MatchOp::NotRegex => 3,
    }
}

/// Characters that stand in the UTF-8 syntax within quotes only.
fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

/// The UTF-8 syntax.
fn strict(text: &str) -> Result<Vec<Matcher>, BadMatchers> {
    let mut lexer = Lexer { text, at: 0 };
    let mut all = Vec::new();
    let braces = lexer.eat('{');
    while !matches!(lexer.peek(), None | Some('}')) {
        all.push(lexer.matcher()?);
        if !lexer.eat(',') {
            break;
        }
    }
    match (lexer.peek(), braces) {
        (Some('}'), true) => lexer.eat('}'),
        (None, false) => true,
        (None, true) | (Some('}'), false) => return Err(lexer.here(Mistake::Brace)),
        (Some(_), _) => return Err(lexer.here(Mistake::Comma)),
    };
    if lexer.peek().is_some() { Err(lexer.here(Mistake::Comma)) } else { Ok(all) }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The next character that is not white space, left where it is.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn here(&mut self, kind: Mistake) -> BadMatchers {
        let len = self.peek().map_or(0, char::len_utf8);
        BadMatchers { start: self.at, end: self.at + len, kind }
    }

    fn matcher(&mut self) -> Result<Matcher, BadMatchers> {
        let name = self.word(Mistake::Name)?;
        if name.is_empty() {
            return Err(BadMatchers { start: self.at.saturating_sub(2), end: self.at, kind: Mistake::Name });
        }
        self.peek();
        let ops = [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual), ("=", MatchOp::Equal)];
        let Some((sign, op)) = ops.into_iter().find(|(sign, _)| self.rest().starts_with(sign)) else {
            return Err(self.here(Mistake::Operator));
        };
        self.at += sign.len();
        self.peek();
        let start = self.at;
        let value = self.word(Mistake::Value)?;
        Matcher::new(name, op, value).map_err(|e| BadMatchers { start, end: self.at, kind: e.into() })
    }

    /// A quoted or bare word.
    fn word(&mut self, lacking: Mistake) -> Result<String, BadMatchers> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let len = self.rest().find(is_reserved).unwrap_or(self.rest().len());
        if len == 0 {
            return Err(self.here(lacking));
        }
        let word = &self.rest()[..len];
        self.at += len;
        Ok(word.to_owned())
    }

    /// A string as Go quotes them: `\x` and octal escapes give bytes, which must be UTF-8 together.
    fn quoted(&mut self) -> Result<String, BadMatchers> {
        let start = self.at;
        let mut bytes = Vec::new();
        let mut chars = self.rest().char_indices().skip(1);
        let bad = |from: usize, to: usize, kind| BadMatchers { start: from, end: to, kind };
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + i + 1;
                    let end = self.at;
                    return String::from_utf8(bytes).map_err(|_| bad(start, end, Mistake::Escape));
                }
                '\n' => return Err(bad(start + i, start + i + 1, Mistake::Escape)),
                '\\' => {
                    let Some((_, letter)) = chars.next() else { break };
                    let len = escape(&self.text[start + i + 1..], letter, &mut bytes);
                    let Some(len) = len else {
                        return Err(bad(start + i, start + i + 1 + letter.len_utf8(), Mistake::Escape));
                    };
                    // All but the letter itself are ASCII, so that characters and bytes are the same.
                    for _ in 1..len {
                        chars.next();
                    }
                }
                other => bytes.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Err(bad(start, self.text.len(), Mistake::Quote))
    }
}

/// Resolves the escape that `rest` begins with, behind its backslash; gives its length.
fn escape(rest: &str, letter: char, out: &mut Vec<u8>) -> Option<usize> {
    let simple = match letter {
        'a' => 7,
        'b' => 8,
        't' => 9,
        'n' => 10,
        'v' => 11,
        'f' => 12,
        'r' => 13,
        '\\' | '"' => letter as u8,
        '0'..='7' => {
            let digits = rest.get(..3).filter(|d| d.bytes().all(|b| (b'0'..=b'7').contains(&b)))?;
            out.push(u8::from_str_radix(digits, 8).ok()?);
            return Some(3);
        }
        'x' | 'u' | 'U' => {
            let len = [('x', 2), ('u', 4), ('U', 8)].into_iter().find(|(l, _)| *l == letter)?.1;
            let digits = rest.get(1..=len).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            let code = u32::from_str_radix(digits, 16).ok()?;
            match u8::try_from(code) {
                Ok(byte) if letter == 'x' => out.push(byte),
                _ => out.extend(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            return Some(len + 1);
        }
        _ => return None,
    };
    out.push(simple);
    Some(1)
}

/// The classic syntax; its mistakes have no place.
fn classic(text: &str) -> Option<Vec<Matcher>> {
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text);
    let (mut inside, mut escaped, mut from) = (false, false, 0);
    let mut all = Vec::new();
    for (i, c) in text.char_indices() {
        match c {
            ',' if !inside => {
                all.push(classic_matcher(&text[from..i])?);
                from = i + 1;
            }
            '"' if !escaped => inside = !inside,
            '\\' => {
                escaped = !escaped;
                continue;
            }
            _ => {}
        }
        escaped = false;
    }
    let last = &text[from..];
    if !last.trim().is_empty() {
        all.push(classic_matcher(last)?);
    }
    Some(all)
}

fn classic_matcher(text: &str) -> Option<Matcher> {
    let text = text.trim();
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let (name, rest) = text.split_at(text.find(|c| !inside(c)).unwrap_or(text.len()));
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let ops = [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual), ("=", MatchOp::Equal)];
    let (op, raw) = ops.into_iter().find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?.trim_start())))?;
    let (raw, mut open) = raw.strip_prefix('"').map_or((raw, false), |rest| (rest, true));
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                // A backslash that escapes nothing is one itself.
                other => value.extend(['\\'].into_iter().chain(other)),
            },
            '"' if open && chars.peek().is_none() => open = false,
            '"' => return None,
            other => value.push(other),
        }
    }
    if open { None } else { Matcher::new(name, op, value).ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_syntaxes_are_understood() {
        #[track_caller]
        fn check(text: &str, shown: &str) {
            assert_eq!(
                Matchers::parse(text).map(|m| m.to_string()).map_err(|e| e.to_string()),
                Ok(shown.to_owned()),
                "{text}"
            );
        }
        check("", "{}");
        check("{}", "{}");
        check("  { } ", "{}");
        check("foo=bar", r#"{foo="bar"}"#);
        check(r#"{foo="bar"}"#, r#"{foo="bar"}"#);
        check(r#"{ foo = "bar", dings != "bums", }"#, r#"{dings!="bums",foo="bar"}"#);
        check("foo=bar, dings!=bums", r#"{dings!="bums",foo="bar"}"#);
        check(r#"foo=~"a|b",bar!~c.*"#, r#"{bar!~"c.*",foo=~"a|b"}"#);
        check(r#"a="b,c""#, r#"{a="b,c"}"#);
        check(r#"a="b}""#, r#"{a="b}"}"#);
        check(r#"quote="She said: \"Hi, ladies!\"""#, r#"{quote="She said: \"Hi, ladies!\""}"#);
        check(r#""foo bar"="x y", "a.b"=~".+""#, r#"{a.b=~".+","foo bar"="x y"}"#);
        check("föö=bär🙂", r#"{föö="bär🙂"}"#);
        check(r#"a="\u00e9\x41\101\n""#, "{a=\"\\\\u00e9\\\\x41\\\\101\\n\"}");
        check(r#""a b"="\u00e9\x41\101\n""#, "{\"a b\"=\"éAA\\n\"}");
        // Only the classic syntax takes these.
        check("foo=", r#"{foo=""}"#);
        check("alertname=Disk full", r#"{alertname="Disk full"}"#);
        check("foo=~[a-z]+", r#"{foo=~"[a-z]+"}"#);
        check(r#"instance=~"\d+""#, r#"{instance=~"\\d+"}"#);
        check("a={b", r#"{a="{b"}"#);
        check("{a=b", r#"{a="b"}"#);
        check(r"path=C:\temp", r#"{path="C:\\temp"}"#);
        // They differ in what `\t` is: the classic one has it.
        check(r#"a="\t""#, r#"{a="\\t"}"#);
    }

    #[test]
    fn mistakes_are_marked_where_they_are() {
        #[track_caller]
        fn check(text: &str, marked: &str, at: usize, message: &str) {
            let bad = Matchers::parse(text).unwrap_err();
            assert_eq!((&text[bad.start..bad.end], bad.start), (marked, at), "{text}: {bad}");
            assert!(bad.to_string().contains(message), "{text}: {bad}");
        }
        check("foo", "", 3, "`=`");
        check("foo bar", "b", 4, "`=`");
        check("=bar", "=", 0, "label name");
        check("a=b,,c=d", ",", 4, "label name");
        check("a!b", "!", 1, "`=`");
        check(r#"a="b" c="d""#, "c", 6, "comma");
        check(r#"{"a"="b""#, "", 8, "brace");
        check(r#""a b"="c"}"#, "}", 9, "brace");
        check(r#"a="b"#, "\"b", 2, "quote");
        check(r#""a"="\q""#, r"\q", 5, "escape");
        check(r#"a=~"(""#, "\"(\"", 3, "regular expression");
        check(r#""\xff"="a""#, "\"\\xff\"", 0, "escape");
        check(r#"""="a""#, "\"\"", 0, "label name");
    }

    #[test]
    fn words_of_a_command_line_may_begin_with_a_name() {
        let of = |words: &[&str]| Matchers::of_words(words).map(|m| m.to_string()).map_err(|(i, _)| i);
        assert_eq!(of(&["DiskFull", "instance=a"]), Ok(r#"{alertname="DiskFull",instance="a"}"#.to_owned()));
        assert_eq!(of(&["alertname=X", "b=~c|d"]), Ok(r#"{alertname="X",b=~"c|d"}"#.to_owned()));
        assert_eq!(of(&["a=b", "c"]), Err(1));
        assert_eq!(of(&[]), Ok("{}".to_owned()));
    }

    #[test]
    fn conditions_are_anchored_and_missing_labels_are_empty() {
        #[track_caller]
        fn check(matchers: &str, labels: &[(&str, &str)], matched: bool) {
            let labels = Labels::new(labels.iter().copied());
            assert_eq!(Matchers::parse(matchers).unwrap().matches(&labels), matched, "{matchers} {labels}");
        }
        check("a=~b", &[("a", "abc")], false);
        check("a=~b.*", &[("a", "bc")], true);
        check("a=\"\"", &[], true);
        check("a!=b", &[], true);
        check("a=~.*", &[], true);
        check("a=~.+", &[], false);
        check("a=b,c=d", &[("a", "b")], false);
        check("{}", &[("a", "b")], true);
    }

    #[test]
    fn a_silence_for_nothing_in_particular_is_known() {
        let of = |text: &str| Matchers::parse(text).unwrap().select_nothing();
        assert!(of("{}") && of("a=~.*") && of("a=\"\""));
        assert!(!of("a=b") && !of("a!=b") && !of("a=~.*,b=c"));
    }

    #[test]
    fn what_one_takes_another_may_take_too() {
        #[track_caller]
        fn check(first: &str, second: &str, covers: bool) {
            let of = |text| Matchers::parse(text).unwrap();
            assert_eq!(of(first).cover(&of(second)), covers, "{first} {second}");
        }
        check("{}", "a=b", true);
        check("a=b", "a=b,c=d", true);
        check("a=~b|c", "a=b", true);
        check("a!=x", "a=~b|c", true);
        check("a=~.*", "c=d", true);
        check("a=b", "a=~b|c", false);
        check("a=b,c=d", "a=b", false);
        let contradict = |text: &str| Matchers::parse(text).unwrap().contradict_themselves();
        assert!(contradict("a=b,a=c") && contradict("a=b,a!=b") && contradict("a=~b|c,a=d"));
        assert!(!contradict("a=b,a=~b.*") && !contradict("a=~b|c,a!=b"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_printed_reads_back(pairs in prop::collection::vec((".{1,8}", 0_u8..4, ".{0,12}"), 0..4)) {
            let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
            let all = pairs.iter().filter_map(|(name, op, value)| {
                let op = ops[usize::from(*op)];
                let value = if matches!(op, MatchOp::Equal | MatchOp::NotEqual) { value.clone() } else { regex::escape(value) };
                Matcher::new(name.as_str(), op, value).ok()
            });
            let matchers = Matchers::new(all);
            let shown = matchers.to_string();
            prop_assert_eq!(Matchers::parse(&shown).map_err(|e| e.to_string()), Ok(matchers), "{}", shown);
        }

        #[test]
        fn no_text_panics_and_places_are_within(text in ".{0,40}") {
            if let Err(bad) = Matchers::parse(&text) {
                prop_assert!(text.get(bad.start..bad.end).is_some(), "{text:?} {}..{}", bad.start, bad.end);
            }
        }

        #[test]
        fn no_text_of_special_characters_panics(text in "[a=~!\"\\\\{},nx0u ü]{0,16}") {
            if let Err(bad) = Matchers::parse(&text) {
                prop_assert!(text.get(bad.start..bad.end).is_some(), "{text:?} {}..{}", bad.start, bad.end);
            }
        }
    }
}
