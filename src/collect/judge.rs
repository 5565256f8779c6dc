//! Expectations: what is judged, how each line fared, and the verdict of them all.
//!
//! Every expectation is judged, not only the first that fails: the person who reads the result wants
//! to know all that is wrong.

use std::time::Duration;

use regex::{Regex, RegexBuilder};

use crate::base::outcome::{Check, Outcome, Reason, Verdict};
use crate::base::units::{Exact, Short};
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Compiled size of one expression; the default of the crate, ten times less.
const REGEX_SIZE: usize = 1 << 20;

/// Longest piece of a target's text in a check's `found`, in characters.
const MAX_FOUND: usize = 120;

/// Compiles an expression. The engine is linear in the text, so no target can make it hang.
///
/// # Errors
/// The expression is malformed or compiles to more than 1 MiB.
pub fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(REGEX_SIZE).dfa_size_limit(REGEX_SIZE).build()
}

/// Reads a regular expression option.
pub fn regex_field(fields: &mut Fields<'_>, key: &'static str) -> Option<(Text, Regex)> {
    let text = fields.text(key)?;
    match regex(text.value()) {
        Ok(re) => Some((text, re)),
        Err(e) => {
            bad_regex(fields, &text, &e);
            None
        }
    }
}

/// Reports an expression that does not compile; the last line of the message says why.
pub fn bad_regex(fields: &Fields<'_>, text: &Text, err: &regex::Error) {
    let why = err.to_string();
    let why = why.lines().last().unwrap_or("").trim().trim_start_matches("error: ").to_owned();
    let message = format!("`{}` is not a regular expression: {why}", text.shown());
    fields.error(
        text.span,
        Code::BadValue,
        message,
        "quote it with single quotes, and put `\\` before . ( ) [ ] { } that are meant literally",
    );
}

/// A piece of a target's text, short enough for one line.
pub fn found(text: &str) -> String {
    let mut chars = text.chars();
    let mut piece: String = chars.by_ref().take(MAX_FOUND).collect();
    if chars.next().is_some() {
        piece.push('…');
    }
    piece
}

/// Collects how each expectation fared.
#[derive(Debug, Default)]
pub struct Judge {
    checks: Vec<Check>,
    failures: usize,
    down: Option<Reason>,
    degraded: Option<Reason>,
}

impl Judge {
    /// Records an expectation. `found` is what was seen; when it does not hold, the target is down.
    pub fn hold(&mut self, class: &'static str, name: &str, ok: bool, found: impl Into<String>) {
        let found = found.into();
        if !ok {
            self.failures += 1;
            if self.down.is_none() {
                self.down = Some(reason(class, name, &found));
            }
        }
        self.checks.push(Check { name: name.to_owned(), ok: Some(ok), found });
    }

    /// Records an expectation that, when it does not hold, makes the target degraded.
    pub fn prefer(&mut self, class: &'static str, name: &str, ok: bool, found: impl Into<String>) {
        let found = found.into();
        if !ok && self.degraded.is_none() {
            self.degraded = Some(reason(class, name, &found));
        }
        self.checks.push(Check { name: name.to_owned(), ok: Some(ok), found });
    }

    /// Records an expectation that could not be judged because another did not hold.
    pub fn skip(&mut self, name: &str) {
        self.checks.push(Check { name: name.to_owned(), ok: None, found: String::new() });
    }

    /// Records a failure that is not an expectation of the person's.
    pub fn fail(&mut self, class: &'static str, message: impl Into<String>) {
        self.failures += 1;
        if self.down.is_none() {
            self.down = Some(Reason { class: class.into(), message: message.into() });
        }
    }

    /// The verdict, with `summary` for a success.
    pub fn outcome(self, summary: impl Into<String>) -> Outcome {
        let mut outcome = Outcome::up(summary);
        outcome.checks = self.checks;
        if let Some(mut reason) = self.down {
            if self.failures > 1 {
                reason.message += &format!(" (and {} more)", self.failures - 1);
            }
            outcome.verdict = Verdict::Down;
            outcome.reason = Some(reason);
        } else if let Some(reason) = self.degraded {
            outcome.verdict = Verdict::Degraded;
            outcome.reason = Some(reason);
        }
        outcome
    }
}

fn reason(class: &'static str, name: &str, found: &str) -> Reason {
    let message = match found {
        "" => format!("expected: {name}"),
        found => format!("expected: {name}; found: {found}"),
    };
    Reason { class: class.into(), message }
}

/// Checks that could not be judged.
pub fn unjudged<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Check> {
    names.into_iter().map(|n| Check { name: n.to_owned(), ok: None, found: String::new() }).collect()
}

/// `latency: {below: 800ms, degraded_above: 300ms}`.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    below: Option<(Duration, String)>,
    degraded_above: Option<(Duration, String)>,
}

impl Latency {
    /// Reads the option `latency`.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let Some(mut own) = fields.nested_of("latency", "below") else { return Self::default() };
        let limits = Duration::from_millis(1)..=Duration::from_secs(3_600);
        let below = own.duration("below", limits.clone());
        let above = own.duration("degraded_above", limits);
        if let (Some(b), Some(a)) = (below, above)
            && a >= b
        {
            let message = "`degraded_above` is not less than `below`: the target would never be degraded";
            own.error(own.head(), Code::Conflict, message, "write a smaller `degraded_above`");
        }
        own.finish();
        Self {
            below: below.map(|d| (d, format!("latency below {}", Exact(d)))),
            degraded_above: above.map(|d| (d, format!("latency at most {} (else degraded)", Exact(d)))),
        }
    }

    /// Judges the duration of a probe.
    pub fn judge(&self, took: Duration, judge: &mut Judge) {
        self.judge_of("", took, judge);
    }

    /// The same of one part of a probe, which `of` opens the names with.
    pub fn judge_of(&self, of: &str, took: Duration, judge: &mut Judge) {
        if let Some((limit, name)) = &self.below {
            judge.hold("latency", &format!("{of}{name}"), took < *limit, Short(took).to_string());
        }
        if let Some((limit, name)) = &self.degraded_above {
            judge.prefer("latency", &format!("{of}{name}"), took <= *limit, Short(took).to_string());
        }
    }

    /// Names of the checks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.below.iter().chain(&self.degraded_above).map(|(_, name)| name.as_str())
    }
}

/// One expectation about a text. Its `Debug` form is its name: what is looked for may be a secret.
#[derive(Clone)]
pub struct TextCheck {
    name: String,
    test: Test,
}

impl std::fmt::Debug for TextCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

#[derive(Clone)]
enum Test {
    Contains(String),
    Lacks(String),
    Matches(Regex),
    Avoids(Regex),
}

impl TextCheck {
    /// Reads `contains` and `matches`, and `with_not` also `not_contains` and `not_matches`; each is one value or a list.
    /// `what` opens the names.
    pub fn read(fields: &mut Fields<'_>, what: &str, with_not: bool) -> Vec<Self> {
        let mut checks = Vec::new();
        for text in fields.texts("contains") {
            let test = Test::Contains(text.value().to_owned());
            checks.push(Self { name: format!("{what} contains `{}`", found(text.shown())), test });
        }
        if with_not {
            for text in fields.texts("not_contains") {
                let test = Test::Lacks(text.value().to_owned());
                checks.push(Self { name: format!("{what} does not contain `{}`", found(text.shown())), test });
            }
        }
        for text in fields.texts("matches") {
            match regex(text.value()) {
                Ok(re) => {
                    let name = format!("{what} matches /{}/", found(text.shown()));
                    checks.push(Self { name, test: Test::Matches(re) });
                }
                Err(e) => bad_regex(fields, &text, &e),
            }
        }
        let avoided = if with_not { fields.texts("not_matches") } else { Vec::new() };
        for text in avoided {
            match regex(text.value()) {
                Ok(re) => {
                    let name = format!("{what} does not match /{}/", found(text.shown()));
                    checks.push(Self { name, test: Test::Avoids(re) });
                }
                Err(e) => bad_regex(fields, &text, &e),
            }
        }
        checks
    }

    /// As shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a regular expression.
    pub fn is_regex(&self) -> bool {
        matches!(self.test, Test::Matches(_) | Test::Avoids(_))
    }

    /// Whether it says what must not be there: that is not known of a text of which only a part was read.
    pub fn is_absence(&self) -> bool {
        matches!(self.test, Test::Lacks(_) | Test::Avoids(_))
    }

    /// Whether it holds for no text that begins with `text`.
    pub fn is_lost(&self, text: &str) -> bool {
        match &self.test {
            Test::Lacks(part) => text.contains(part.as_str()),
            // What follows may still be found, or undo a match at the end.
            Test::Contains(_) | Test::Matches(_) | Test::Avoids(_) => false,
        }
    }

    /// Whether it holds for lines that are texts of their own: one of them has what must be there, none what must
    /// not.
    pub fn holds_among(&self, lines: &[String]) -> bool {
        let mut each = lines.iter().map(|line| self.holds(line));
        match &self.test {
            Test::Contains(_) | Test::Matches(_) => each.any(|ok| ok),
            Test::Lacks(_) | Test::Avoids(_) => each.all(|ok| ok),
        }
    }

    /// Whether it holds for `text`.
    pub fn holds(&self, text: &str) -> bool {
        match &self.test {
            Test::Contains(part) => text.contains(part.as_str()),
            Test::Lacks(part) => !text.contains(part.as_str()),
            Test::Matches(re) => re.is_match(text),
            Test::Avoids(re) => !re.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_failures_are_named_and_the_first_is_the_reason() {
        let mut judge = Judge::default();
        judge.hold("status", "status is 200", false, "500");
        judge.hold("body", "body contains `ok`", false, "");
        judge.prefer("latency", "latency at most 1s (else degraded)", false, "2s");
        let outcome = judge.outcome("fine");
        assert_eq!(outcome.verdict, Verdict::Down);
        assert_eq!(outcome.checks.len(), 3);
        assert_eq!(outcome.reason.unwrap().message, "expected: status is 200; found: 500 (and 1 more)");
    }

    #[test]
    fn of_lines_one_must_have_what_is_wanted_and_none_what_is_not() {
        let lines = ["a 80".to_owned(), "b 8".to_owned()];
        for (test, want) in [
            (Test::Matches(regex("80$").unwrap()), true),
            (Test::Matches(regex("b 8$").unwrap()), true),
            (Test::Matches(regex("9$").unwrap()), false),
            (Test::Avoids(regex("80$").unwrap()), false),
            (Test::Avoids(regex("9$").unwrap()), true),
            (Test::Contains("80".into()), true),
            (Test::Contains("80\nb".into()), false),
            (Test::Lacks("80".into()), false),
        ] {
            let check = TextCheck { name: String::new(), test };
            assert_eq!(check.holds_among(&lines), want);
            let needs_one = matches!(check.test, Test::Matches(_) | Test::Contains(_));
            assert_eq!(check.holds_among(&[]), !needs_one);
        }
    }

    #[test]
    fn a_preference_alone_is_degraded() {
        let mut judge = Judge::default();
        judge.prefer("latency", "n", false, "2s");
        assert_eq!(judge.outcome("").verdict, Verdict::Degraded);
    }

    #[test]
    fn expressions_that_would_blow_up_are_refused() {
        assert!(regex(r"(\w{1000}){1000}").is_err());
        let evil = regex("(a+)+$").unwrap();
        assert!(!evil.is_match(&("a".repeat(1 << 20) + "b")));
    }
}
