//! Label matchers: `=`, `!=`, `=~`, `!~`, with Prometheus' meaning.
//!
//! A label that a series lacks has the empty value. Regular expressions are anchored at both ends.

use std::fmt;

use regex::Regex;

use crate::base::re2::rust_pattern;

/// Largest compiled program of one expression; a larger one is refused with a clear error.
const REGEX_SIZE: usize = 1 << 20;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// As written in a query.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }

    /// Whether it accepts what its pattern does not.
    pub const fn negative(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotRegex)
    }
}

/// One condition on one label.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: Box<str>,
    op: MatchOp,
    value: Box<str>,
    test: Test,
}

/// The pattern, in its cheapest form.
#[derive(Clone, Debug)]
enum Test {
    /// One of these, sorted: a literal, or an alternation of literals.
    OneOf(Box<[Box<str>]>),
    /// `.*`
    Anything,
    /// `.+`
    Something,
    /// `literal.*`
    Prefix(Box<str>),
    /// `literal.+`
    LongerThan(Box<str>),
    /// Anything else.
    Pattern(Regex),
}

/// A regular expression that does not stand.
#[derive(Debug, thiserror::Error)]
#[error("the regular expression `{pattern}` is not understood")]
pub struct BadRegex {
    pattern: String,
    #[source]
    source: Box<regex::Error>,
}

impl Matcher {
    /// A condition on the label `name`.
    ///
    /// # Errors
    /// The operator takes a regular expression and `value` is not one, or one too large.
    pub fn new(name: impl Into<Box<str>>, op: MatchOp, value: impl Into<Box<str>>) -> Result<Self, BadRegex> {
        let value = value.into();
        let test = match op {
            MatchOp::Equal | MatchOp::NotEqual => Test::OneOf(Box::new([value.clone()])),
            MatchOp::Regex | MatchOp::NotRegex => Test::of(&value)?,
        };
        Ok(Self { name: name.into(), op, value, test })
    }

    /// `name="value"`.
    pub fn equal(name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        let value = value.into();
        Self { name: name.into(), op: MatchOp::Equal, test: Test::OneOf(Box::new([value.clone()])), value }
    }

    /// `name=~"a|b"` for these very values.
    pub fn one_of<'v>(name: impl Into<Box<str>>, values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut all: Vec<Box<str>> = values.into_iter().map(Box::from).collect();
        all.sort_unstable();
        all.dedup();
        let value = all.iter().map(|v| regex::escape(v)).collect::<Vec<_>>().join("|").into();
        Self { name: name.into(), op: MatchOp::Regex, value, test: Test::OneOf(all.into()) }
    }

    /// The label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The comparison.
    pub const fn op(&self) -> MatchOp {
        self.op
    }

    /// The value or pattern, as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label with this value (empty when the series lacks it) is accepted.
    pub fn matches(&self, value: &str) -> bool {
        self.test.accepts(value) != self.op.negative()
    }

    /// The only values that a positive matcher accepts, sorted, when they can be listed.
    pub fn literals(&self) -> Option<&[Box<str>]> {
        match &self.test {
            Test::OneOf(values) if !self.op.negative() => Some(values),
            _ => None,
        }
    }

    /// What every accepted value begins with; empty when nothing is known.
    pub fn prefix(&self) -> &str {
        match &self.test {
            Test::Prefix(p) | Test::LongerThan(p) if !self.op.negative() => p,
            _ => "",
        }
    }

    /// Whether its pattern had to be compiled, which takes time and up to some megabytes.
    pub const fn is_compiled(&self) -> bool {
        matches!(self.test, Test::Pattern(_))
    }

    /// Whether it accepts every value, and so selects nothing.
    pub fn accepts_all(&self) -> bool {
        matches!((&self.test, self.op.negative()), (Test::Anything, false))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.text(), self.value)
    }
}

impl Test {
    fn of(pattern: &str) -> Result<Self, BadRegex> {
        // What has none of these characters is a literal; only patterns beyond the shortcuts cost a compilation.
        let plain = |s: &str| !s.contains(|c: char| r"\.+*?()|[]{}^$".contains(c));
        let alternatives = pattern.strip_prefix("(?:").or_else(|| pattern.strip_prefix('('));
        let alternatives = alternatives.and_then(|p| p.strip_suffix(')')).unwrap_or(pattern);
        match pattern {
            ".*" => return Ok(Self::Anything),
            ".+" => return Ok(Self::Something),
            _ => {}
        }
        if alternatives.split('|').all(plain) {
            let mut all: Vec<Box<str>> = alternatives.split('|').map(Box::from).collect();
            all.sort_unstable();
            all.dedup();
            return Ok(Self::OneOf(all.into()));
        }
        match (pattern.strip_suffix(".*"), pattern.strip_suffix(".+")) {
            (Some(prefix), _) if plain(prefix) => return Ok(Self::Prefix(prefix.into())),
            (_, Some(prefix)) if plain(prefix) => return Ok(Self::LongerThan(prefix.into())),
            _ => {}
        }
        let pattern_here = rust_pattern(pattern);
        let build = |text: &str| regex::RegexBuilder::new(text).size_limit(REGEX_SIZE).build();
        // One that closes the group around it, and opens another, stands only there.
        let alone = if pattern.contains(')') { build(&pattern_here).map(drop) } else { Ok(()) };
        alone
            .and_then(|()| build(&format!("^(?s:{pattern_here})$")))
            .map(Self::Pattern)
            .map_err(|e| BadRegex { pattern: pattern.to_owned(), source: Box::new(e) })
    }

    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::OneOf(values) => match &**values {
                [one] => **one == *value,
                many => many.binary_search_by(|v| (**v).cmp(value)).is_ok(),
            },
            Self::Anything => true,
            Self::Something => !value.is_empty(),
            Self::Prefix(p) => value.starts_with(&**p),
            Self::LongerThan(p) => value.len() > p.len() && value.starts_with(&**p),
            Self::Pattern(regex) => regex.is_match(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_mean_what_prometheus_means() {
        #[track_caller]
        fn check(op: MatchOp, pattern: &str, value: &str, accepted: bool) {
            let m = Matcher::new("l", op, pattern).unwrap();
            assert_eq!(m.matches(value), accepted, "{m} on {value:?}");
        }
        use MatchOp::{Equal, NotEqual, NotRegex, Regex};
        check(Equal, "a", "a", true);
        check(Equal, "", "", true);
        check(NotEqual, "a", "", true);
        check(Regex, "a|b", "b", true);
        check(Regex, "(a|b)", "c", false);
        check(Regex, "a|b", "ab", false);
        check(Regex, "a.*", "a", true);
        check(Regex, "a.+", "a", false);
        check(Regex, "a.+", "ab", true);
        check(Regex, ".*", "", true);
        check(Regex, ".+", "", false);
        check(Regex, "a.c", "a\nc", true);
        check(Regex, "a", "ba", false);
        check(Regex, "x(?i)a", "xA", true);
        check(NotRegex, "a|b", "c", true);
        check(NotRegex, "[ab]+", "ab", false);
        check(Regex, "(a)|(b)", "b", true);
        check(Regex, "(a|b)c", "bc", true);
    }

    #[test]
    fn what_is_not_a_pattern_is_refused() {
        for bad in ["(", "a)", "a)|(b", "a)(?:b", "[", "(?P<x", "(a{1000}){1000}"] {
            assert!(Matcher::new("l", MatchOp::Regex, bad).is_err(), "{bad}");
        }
    }
}
