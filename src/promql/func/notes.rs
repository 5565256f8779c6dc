//! Annotations that functions and aggregations add to an answer, in Prometheus' words. Where in the query
//! they stand is known to the caller.

use crate::promql::func::Func;
use crate::promql::func::histogram::Forced;

/// An annotation without its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// The answer may be wrong.
    Warning(String),
    /// The query may not be what was meant.
    Info(String),
}

/// Most notes of a query that are told: nobody reads more.
pub(crate) const MOST_NOTES: usize = 1_000;

/// Takes notes; the same one may come many times.
pub trait NoteSink {
    /// Takes a note.
    fn note(&mut self, note: Note);
}

impl NoteSink for Vec<Note> {
    /// Keeps each note once, and one more than are told at most.
    fn note(&mut self, note: Note) {
        if self.len() <= MOST_NOTES && !self.contains(&note) {
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
    warning(&format!("quantile value should be between 0 and 1, got {}", go_float(q)))
}

/// The ratio of `limit_ratio` outside of -1 to 1.
pub fn invalid_ratio(ratio: f64, used: f64) -> Note {
    let (ratio, used) = (go_float(ratio), go_float(used));
    warning(&format!("ratio value should be between -1 and 1, got {ratio}, capping to {used}"))
}

/// A bucket of a classic histogram whose `le` is not a number; `name` is empty where names are dropped.
pub fn bad_bucket_label(le: &str, name: &str) -> Note {
    let le = quote(le);
    warning(&with_name(format!("bucket label \"le\" is missing or has a malformed value of {le}"), name))
}

/// `rate` or `increase` of a metric whose name is not that of a counter.
pub fn possible_non_counter(func: Func, name: &str) -> Option<Note> {
    let counter = matches!(func, Func::Rate | Func::Increase);
    if !counter || name.is_empty() || COUNTER_SUFFIXES.iter().any(|s| name.ends_with(s)) {
        return None;
    }
    let name = quote(name);
    Some(info(&format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name}")))
}

/// Falling buckets of classic histograms, gathered over all steps of a query: one note per metric's name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForcedMonotonicity {
    forced: Forced,
    samples: u64,
    /// Milliseconds.
    first: i64,
    last: i64,
}

impl ForcedMonotonicity {
    /// Of one histogram at one step, in milliseconds.
    pub const fn new(forced: Forced, t: i64) -> Self {
        Self { forced, samples: 1, first: t, last: t }
    }

    /// Both together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            forced: self.forced.merge(other.forced),
            samples: self.samples + other.samples,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// The note; `name` is empty where names are dropped.
    pub fn note(&self, name: &str) -> Note {
        let Forced { min_bucket, max_bucket, max_diff } = self.forced;
        let text = with_name(FORCED_MONOTONICITY.to_owned(), name);
        let (min, max, diff) = (go_float(min_bucket), go_float(max_bucket), go_float_2(max_diff));
        let (samples, first, last) = (self.samples, rfc3339(self.first), rfc3339(self.last));
        info(&format!(
            "{text}, from buckets {min} to {max}, with a max diff of {diff}, over {samples} samples from {first} to {last}"
        ))
    }
}

const FORCED_MONOTONICITY: &str = "input to histogram_quantile needed to be fixed for monotonicity \
    (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

/// A time in whole seconds, in UTC.
fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_second(millis / 1_000).map_or_else(|_| millis.to_string(), |t| t.to_string())
}

fn warning(text: &str) -> Note {
    Note::Warning(format!("PromQL warning: {text}"))
}

fn info(text: &str) -> Note {
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

/// Go's `%g`: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e6.
pub fn go_float(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let abs = v.abs();
    if abs == 0.0 || (1e-4..1e6).contains(&abs) {
        return v.to_string();
    }
    exponent(&format!("{v:e}"))
}

/// Go's `%.2g`.
fn go_float_2(v: f64) -> String {
    let text = format!("{v:.1e}");
    let exponent_of = text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    if (-4..2).contains(&exponent_of) {
        // Rounded already, so that the shortest form has two digits at most.
        return text.parse::<f64>().unwrap_or(v).to_string();
    }
    exponent(&text.replacen(".0e", "e", 1))
}

/// Rust's exponent in Go's form: a sign and two digits.
fn exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
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
        check(123_456.0, "123456");
        check(1_234_567.0, "1.234567e+06");
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

    #[test]
    fn falling_buckets_are_told_once_for_all_steps() {
        #[track_caller]
        fn check(diffs: &[(f64, i64)], name: &str, want: &str) {
            let all = diffs.iter().map(|(diff, t)| {
                ForcedMonotonicity::new(Forced { min_bucket: 0.5, max_bucket: *diff, max_diff: *diff }, *t)
            });
            let note = all.reduce(ForcedMonotonicity::merge).unwrap().note(name);
            assert_eq!(note, Note::Info(format!("PromQL info: {FORCED_MONOTONICITY}{want}")));
        }
        let times = "from 2023-11-14T22:13:20Z to 2023-11-14T22:13:25Z";
        check(
            &[(2.25, 1_700_000_005_999), (1.0, 1_700_000_000_000)],
            "m",
            &format!(
                " for metric name \"m\", from buckets 0.5 to 2.25, with a max diff of 2.2, over 2 samples {times}"
            ),
        );
        let times = "from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z";
        check(
            &[(100.0, 0)],
            "",
            &format!(", from buckets 0.5 to 100, with a max diff of 1e+02, over 1 samples {times}"),
        );
    }
}
