//! Expectations about one value that a server gave, and about how many rows.

use crate::collect::judge::{Judge, TextCheck, found};
use crate::collect::kind::{Flag, Form};
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::Value;

/// `expect: {value: {…}}`.
pub const VALUE: &[Flag] = &[
    Flag::new("expect-value", "expect.value.equals", Form::One("TEXT"), "Value that the answer must be."),
    Flag::new("expect-contains", "expect.value.contains", Form::Many("TEXT"), "Text that it must contain."),
    Flag::new("expect-matches", "expect.value.matches", Form::Many("REGEX"), "Expression that it must match."),
    Flag::new("expect-above", "expect.value.above", Form::One("NUMBER"), "Number that it must be above."),
    Flag::new("expect-below", "expect.value.below", Form::One("NUMBER"), "Number that it must be below."),
];

/// `expect: {rows: {…}}`.
pub const ROWS: &[Flag] = &[
    Flag::new("rows-at-least", "expect.rows.at_least", Form::One("COUNT"), "Rows that the query must give."),
    Flag::new("rows-at-most", "expect.rows.at_most", Form::One("COUNT"), "Rows that it may give."),
];

/// What a value must be. Holds no value in its `Debug` form but as written.
#[derive(Clone, Default)]
pub struct ValueChecks {
    equals: Option<(String, String)>,
    texts: Vec<TextCheck>,
    above: Option<(f64, String)>,
    below: Option<(f64, String)>,
}

impl std::fmt::Debug for ValueChecks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl ValueChecks {
    /// Reads `value`, which is a text or `{equals, contains, matches, above, below}`.
    pub fn read(expect: &mut Fields<'_>) -> Self {
        let Some(node) = expect.node("value") else { return Self::default() };
        let equals = |text: &crate::config::fields::Text| {
            (text.value().to_owned(), format!("value is `{}`", found(text.shown())))
        };
        if let Value::Scalar { .. } = node.value {
            return Self { equals: expect.text("value").as_ref().map(equals), ..Self::default() };
        }
        let Some(mut own) = expect.nested("value") else { return Self::default() };
        let limits = f64::MIN..=f64::MAX;
        let checks = Self {
            equals: own.text("equals").as_ref().map(equals),
            texts: TextCheck::read(&mut own, "value", false),
            above: own.number("above", limits.clone()).map(|n| (n, format!("value is above {n}"))),
            below: own.number("below", limits).map(|n| (n, format!("value is below {n}"))),
        };
        if let (Some((low, _)), Some((high, _))) = (&checks.above, &checks.below)
            && low >= high
        {
            let message = format!("no value is above {low} and below {high}");
            own.error(own.head(), Code::Conflict, message, "write a smaller `above`");
        }
        own.finish();
        checks
    }

    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

    /// Names of the checks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let equals = self.equals.iter().map(|(_, name)| name.as_str());
        let numbers = self.above.iter().chain(&self.below).map(|(_, name)| name.as_str());
        equals.chain(self.texts.iter().map(TextCheck::name)).chain(numbers)
    }

    /// Judges what came; `None` when there was no value.
    pub fn judge(&self, value: Option<&str>, judge: &mut Judge) {
        let seen =
            || value.map_or_else(|| "no value".to_owned(), |v| if v.is_empty() { "``".into() } else { found(v) });
        if let Some((want, name)) = &self.equals {
            judge.hold("value", name, value == Some(want), seen());
        }
        for check in &self.texts {
            judge.hold("value", check.name(), value.is_some_and(|v| check.holds(v)), seen());
        }
        let number = value.and_then(number);
        if let Some((limit, name)) = &self.above {
            judge.hold("value", name, number.is_some_and(|n| n > *limit), seen());
        }
        if let Some((limit, name)) = &self.below {
            judge.hold("value", name, number.is_some_and(|n| n < *limit), seen());
        }
    }
}

/// A value as a number, with SQL's truths. `NaN` and infinities are none: nothing could be said of them.
pub fn number(text: &str) -> Option<f64> {
    match text.trim() {
        "t" | "true" => Some(1.0),
        "f" | "false" => Some(0.0),
        other => other.parse().ok().filter(|n: &f64| n.is_finite()),
    }
}

/// How many rows a query must give.
#[derive(Clone, Debug, Default)]
pub struct RowChecks {
    at_least: Option<(u64, String)>,
    at_most: Option<(u64, String)>,
}

impl RowChecks {
    /// Reads `rows: {at_least, at_most}`.
    pub fn read(expect: &mut Fields<'_>) -> Self {
        let Some(mut own) = expect.nested_of("rows", "at_least") else { return Self::default() };
        let limits = 0..=1_000_000;
        let least = own.integer("at_least", limits.clone()).and_then(|n| u64::try_from(n).ok());
        let most = own.integer("at_most", limits).and_then(|n| u64::try_from(n).ok());
        if let (Some(low), Some(high)) = (least, most)
            && low > high
        {
            let message = format!("no answer has at least {low} and at most {high} rows");
            own.error(own.head(), Code::Conflict, message, "write a smaller `at_least`");
        }
        own.finish();
        Self {
            at_least: least.map(|n| (n, format!("at least {n} rows"))),
            at_most: most.map(|n| (n, format!("at most {n} rows"))),
        }
    }

    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

    /// Names of the checks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.at_least.iter().chain(&self.at_most).map(|(_, name)| name.as_str())
    }

    /// Judges how many came.
    pub fn judge(&self, rows: u64, judge: &mut Judge) {
        if let Some((n, name)) = &self.at_least {
            judge.hold("rows", name, rows >= *n, rows.to_string());
        }
        if let Some((n, name)) = &self.at_most {
            judge.hold("rows", name, rows <= *n, rows.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::Verdict;

    #[test]
    fn values_are_texts_and_numbers() {
        #[track_caller]
        fn check(above: f64, value: Option<&str>, want: Verdict) {
            let checks = ValueChecks { above: Some((above, "n".into())), ..ValueChecks::default() };
            let mut judge = Judge::default();
            checks.judge(value, &mut judge);
            assert_eq!(judge.outcome("").verdict, want, "{value:?}");
        }
        check(1.0, Some("2"), Verdict::Up);
        check(0.0, Some("t"), Verdict::Up);
        check(0.0, Some("f"), Verdict::Down);
        check(1.0, Some("1"), Verdict::Down);
        check(1.0, Some("NaN"), Verdict::Down);
        check(1.0, Some("Infinity"), Verdict::Down);
        check(1.0, Some("many"), Verdict::Down);
        check(1.0, None, Verdict::Down);
    }
}
