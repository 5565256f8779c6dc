//! Functions that change or compare labels: `label_replace`, `label_join`, `sort_by_label`.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};

use crate::base::labels::Labels;
use crate::base::re2::{expand, rust_pattern};
use crate::promql::value::EvalError;

/// Largest compiled program of the expression.
const REGEX_SIZE: usize = 1 << 20;

/// `label_replace`, ready for many series.
#[derive(Clone, Debug)]
pub struct Replace {
    to: String,
    template: String,
    from: String,
    pattern: Regex,
}

impl Replace {
    /// In the order of the function's arguments.
    ///
    /// # Errors
    /// The regular expression or the name of the new label does not stand.
    pub fn new(to: &str, template: &str, from: &str, regex: &str) -> Result<Self, EvalError> {
        let whole = format!("^(?s:{})$", rust_pattern(regex));
        // Compiled alone too, so that `a)(b` does not close our own group.
        let alone = RegexBuilder::new(&rust_pattern(regex)).size_limit(REGEX_SIZE).build();
        let pattern = alone.and_then(|_| RegexBuilder::new(&whole).size_limit(REGEX_SIZE).build()).ok();
        let Some(pattern) = pattern else {
            return Err(EvalError::Execution(format!("invalid regular expression in label_replace(): {regex}")));
        };
        if to.is_empty() {
            return Err(EvalError::Execution(format!("invalid destination label name in label_replace(): {to}")));
        }
        Ok(Self { to: to.to_owned(), template: template.to_owned(), from: from.to_owned(), pattern })
    }

    /// The label that is set.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The changed labels; nothing where the expression does not match and they stay as they are.
    pub fn apply(&self, labels: &Labels) -> Option<Labels> {
        let captures = self.pattern.captures(labels.get(&self.from).unwrap_or_default())?;
        let mut value = String::new();
        expand(&self.template, &captures, &mut value);
        Some(with(labels, &self.to, &value))
    }
}

/// `label_join`, ready for many series.
#[derive(Clone, Debug)]
pub struct Join {
    to: String,
    separator: String,
    from: Vec<String>,
}

impl Join {
    /// In the order of the function's arguments.
    ///
    /// # Errors
    /// A name is not one of a label.
    pub fn new(to: &str, separator: &str, from: &[&str]) -> Result<Self, EvalError> {
        if from.contains(&"") {
            return Err(EvalError::Execution("invalid source label name in label_join(): ".to_owned()));
        }
        if to.is_empty() {
            return Err(EvalError::Execution("invalid destination label name in label_join(): ".to_owned()));
        }
        let from = from.iter().map(|&s| s.to_owned()).collect();
        Ok(Self { to: to.to_owned(), separator: separator.to_owned(), from })
    }

    /// The label that is set.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The changed labels.
    pub fn apply(&self, labels: &Labels) -> Labels {
        let values: Vec<&str> = self.from.iter().map(|name| labels.get(name).unwrap_or_default()).collect();
        with(labels, &self.to, &values.join(&self.separator))
    }
}

fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    let mut buf = labels.to_buf();
    buf.set(name, value);
    buf.labels()
}

/// The order of `sort_by_label`: by the values of these labels in natural order, then by all labels.
pub fn by_labels(a: &Labels, b: &Labels, names: &[&str]) -> Ordering {
    names
        .iter()
        .map(|name| natural(a.get(name).unwrap_or_default(), b.get(name).unwrap_or_default()))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.cmp(b))
}

/// Text byte by byte, but digits in a row as the number they are. (Prometheus' library takes a zero and
/// what follows it for one number, so that `0.9` comes after `1.2`; here it does not.)
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len());
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n) = (number(&mut a), number(&mut b));
            let order = m.len().cmp(&n.len()).then_with(|| m.cmp(n));
            if order.is_ne() {
                return order;
            }
        } else if x == y {
            (a, b) = (&a[1..], &b[1..]);
        } else {
            return x.cmp(y);
        }
    }
}

/// Takes the digits at the start, and drops leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_expand_as_in_go() {
        #[track_caller]
        fn check(template: &str, want: &str) {
            let replace = Replace::new("to", template, "from", "(?P<first>a+)(b)?(c)?").unwrap();
            let got = replace.apply(&Labels::new([("from", "aac")])).unwrap();
            assert_eq!(got.get("to").unwrap_or_default(), want, "{template}");
        }
        check("$1", "aa");
        check("x${1}x", "xaax");
        check("$1x", "");
        check("$first-$3", "aa-c");
        check("${first}b", "aab");
        check("$2|$9|$none|", "|||");
        check("$$1", "$1");
        check("$", "$");
        check("a$ b", "a$ b");
        check("${1", "${1");
        check("${}", "${}");
        check("$0", "aac");
        check("$01", "");
        check("$99999999999999999999", "");
    }

    #[test]
    fn replace_changes_only_what_matches_whole() {
        let replace = Replace::new("to", "new", "from", "a.b").unwrap();
        assert_eq!(replace.apply(&Labels::new([("from", "xa.b")])), None);
        // A dot is any character here, a line's end too.
        assert!(replace.apply(&Labels::new([("from", "a\nb")])).is_some());
        let braces = Replace::new("to", "$1", "from", r"/users/{id}/(\d+)").unwrap();
        assert_eq!(braces.apply(&Labels::new([("from", "/users/{id}/7")])).unwrap().get("to"), Some("7"));
        let erase = Replace::new("from", "", "from", ".*").unwrap();
        assert_eq!(erase.apply(&Labels::new([("from", "x"), ("k", "v")])), Some(Labels::new([("k", "v")])));
        let absent = Replace::new("to", "new", "none", "").unwrap();
        assert_eq!(absent.apply(&Labels::default()), Some(Labels::new([("to", "new")])));
        for bad in ["(", "a)(b", "*"] {
            let text = Replace::new("to", "", "from", bad).unwrap_err().to_string();
            assert_eq!(text, format!("invalid regular expression in label_replace(): {bad}"));
        }
        let text = Replace::new("", "", "from", "a").unwrap_err().to_string();
        assert_eq!(text, "invalid destination label name in label_replace(): ");
    }

    #[test]
    fn join_puts_values_together() {
        let join = Join::new("to", "-", &["a", "none", "b"]).unwrap();
        let got = join.apply(&Labels::new([("a", "1"), ("b", "2"), ("to", "old")]));
        assert_eq!(got.get("to"), Some("1--2"));
        let erase = Join::new("a", ",", &["none"]).unwrap();
        assert_eq!(erase.apply(&Labels::new([("a", "1")])), Labels::default());
        assert!(Join::new("to", "", &[""]).is_err());
    }

    #[test]
    fn numbers_in_text_sort_as_numbers() {
        let sorted =
            ["", "0.9", "1.2", "4m5", "4m600", "4m1000", "10.0.0.2:9100", "10.0.0.10:9100", "a", "a1", "a02", "a10b"];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(natural(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        let (x, y) = (Labels::new([("n", "10"), ("z", "1")]), Labels::new([("n", "9"), ("z", "2")]));
        assert_eq!(by_labels(&x, &y, &["n"]), Ordering::Greater);
        assert_eq!(by_labels(&x, &y, &["none"]), x.cmp(&y));
    }
}
