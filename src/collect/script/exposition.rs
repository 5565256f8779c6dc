//! The samples of Prometheus' text format, as a program prints them. Times are left out: what a program
//! prints is what it sees now.

use std::borrow::Cow;

use crate::base::outcome::Sample;
use crate::collect::judge::found;

/// Whether this may name a metric.
pub fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b':'));
    first && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
}

/// Reads all lines; the first that is not understood is told with its number and the reason.
pub fn read(text: &str, most: usize) -> (Vec<Sample>, Option<(usize, String)>) {
    let mut samples = Vec::new();
    let mut wrong = None;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match sample(line) {
            Some(_) if samples.len() >= most => {
                wrong = wrong.or_else(|| Some((i + 1, format!("more than {most} samples"))));
                break;
            }
            Some(sample) => samples.push(sample),
            None => wrong = wrong.or_else(|| Some((i + 1, format!("`{}` is not a sample", found(line))))),
        }
    }
    (samples, wrong)
}

/// `name{label="value",…} value [time]`
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.trim_start().strip_prefix('{') {
        rest = inner.trim_start();
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once('=')?;
            let label = label.trim();
            let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
            if !is_name(label) || label.contains(':') || labels.iter().any(|(l, _)| l == label) {
                return None;
            }
            labels.push((Cow::Owned(label.to_owned()), value));
            rest = after.trim_start();
            match rest.strip_prefix(',') {
                Some(more) => rest = more.trim_start(),
                None if rest.starts_with('}') => {}
                None => return None,
            }
        }
        rest = &rest[1..];
    }
    let mut words = rest.split_ascii_whitespace();
    let value = words.next()?.parse().ok()?;
    let time = words.next().is_none_or(|t| t.parse::<i64>().is_ok());
    (is_name(name) && time && words.next().is_none()).then(|| Sample {
        name: Cow::Owned(name.to_owned()),
        labels,
        value,
    })
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[i + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_samples_and_lines_that_are_not() {
        let value = |line: &str| sample(line).map(|s| (s.labels.len(), s.value));
        assert_eq!(value("a 1"), Some((0, 1.0)));
        assert_eq!(value("a{} 1"), Some((0, 1.0)));
        assert_eq!(value("a { b = \"}\" , } -1e3 170"), Some((1, -1000.0)));
        assert_eq!(value("a +Inf"), Some((0, f64::INFINITY)));
        for wrong in
            ["a", "1a 1", "a{b=\"1} 1", "a{b=1} 1", "a{b=\"1\" c=\"2\"} 1", "a{b=\"1\",b=\"2\"} 1", "a 1 x", "a 1 1 1"]
        {
            assert_eq!(value(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_output_makes_it_fail(text in "(a\\{|b=\"|\\\\|\"|,|\\}|1| |\n|\\PC){0,60}") {
            read(&text, 10);
        }
    }
}
