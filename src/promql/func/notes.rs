//! Annotations that functions and aggregations add to an answer, in Prometheus' words. Where in the query
//! they stand is known to the caller.

use crate::promql::func::Func;

/// An annotation without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The answer may be wrong.
    Warning(String),
    /// The query may not be what was meant.
    Info(String),
}

/// Takes notes; the same one may come many times.
pub trait NoteSink {
    /// Takes a note.
    fn note(&mut self, note: Note);
}

impl NoteSink for Vec<Note> {
    /// Keeps each note once.
    fn note(&mut self, note: Note) {
        if !self.contains(&note) {
            self.push(note);
        }
    }
}

/// Names of counters end in one of these.
const COUNTER_SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// Whether a quantile is one: from 0 to 1.
pub fn is_quantile(q: f64) -> bool {
    (0.0..=1.0).contains(&q)
}

/// A quantile outside of 0 to 1.
pub fn invalid_quantile(q: f64) -> Note {
    warning(format!("quantile value should be between 0 and 1, got {}", go_float(q)))
}

/// The ratio of `limit_ratio` outside of -1 to 1.
pub fn invalid_ratio(ratio: f64, used: f64) -> Note {
    let (ratio, used) = (go_float(ratio), go_float(used));
    warning(format!("ratio value should be between -1 and 1, got {ratio}, capping to {used}"))
}

/// A bucket of a classic histogram whose `le` is not a number; `name` is empty where names are dropped.
pub fn bad_bucket_label(le: &str, name: &str) -> Note {
    let le = quote(le);
    warning(with_name(format!("bucket label \"le\" is missing or has a malformed value of {le}"), name))
}

/// `rate` or `increase` of a metric whose name is not that of a counter.
pub fn possible_non_counter(func: Func, name: &str) -> Option<Note> {
    let counter = matches!(func, Func::Rate | Func::Increase);
    if !counter || name.is_empty() || COUNTER_SUFFIXES.iter().any(|s| name.ends_with(s)) {
        return None;
    }
    let name = quote(name);
    Some(info(format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name}")))
}

fn warning(text: String) -> Note {
    Note::Warning(format!("PromQL warning: {text}"))
}

fn info(text: String) -> Note {
    Note::Info(format!("PromQL info: {text}"))
}

fn with_name(text: String, name: &str) -> String {
    if name.is_empty() { text } else { format!("{text} for metric name {}", quote(name)) }
}

/// Go's `%q`, for text that is mostly printable.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Go's `%g`: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e21.
pub fn go_float(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let abs = v.abs();
    if abs == 0.0 || (1e-4..1e21).contains(&abs) {
        return v.to_string();
    }
    let text = format!("{v:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        #[track_caller]
        fn check(v: f64, text: &str) {
            assert_eq!(go_float(v), text);
        }
        check(1.5, "1.5");
        check(-0.0, "-0");
        check(100.0, "100");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(1.25e-7, "1.25e-07");
        check(0.0001, "0.0001");
        check(-1e300, "-1e+300");
        check(f64::NAN, "NaN");
        check(f64::INFINITY, "+Inf");
    }

    #[test]
    fn only_rate_and_increase_of_other_names_are_noted() {
        assert_eq!(possible_non_counter(Func::Rate, "a_total"), None);
        assert_eq!(possible_non_counter(Func::Delta, "a"), None);
        assert_eq!(possible_non_counter(Func::Increase, ""), None);
        let text =
            r#"PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "a""#;
        assert_eq!(possible_non_counter(Func::Rate, "a"), Some(Note::Info(text.to_owned())));
    }
}
