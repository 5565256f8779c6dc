//! Answers of the query API, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

/// Relative difference of values that is none.
const TOLERANCE: f64 = 1e-9;

/// An answer, reduced to what is compared.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its `errorType` and text, if it is an error.
    pub error: Option<(String, String)>,
    /// Points by labels; a scalar is a series without labels.
    pub series: BTreeMap<String, Vec<(f64, f64)>>,
    notes: BTreeSet<String>,
}

/// What of two answers is not the same, the right one first.
#[derive(Debug)]
pub struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Answer {
    /// Reads a reply.
    pub fn read(body: &[u8]) -> Self {
        let unreadable = |_| Value::String(String::from_utf8_lossy(body).into_owned());
        let mut reply: Value = serde_json::from_slice(body).unwrap_or_else(unreadable);
        if reply["status"] != "success" {
            let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            let error = if reply.is_object() { &reply["error"] } else { &reply };
            return Self { error: Some((text(&reply["errorType"]), text(error))), ..Self::default() };
        }
        let notes = ["warnings", "infos"].iter().filter_map(|k| reply[k].as_array()).flatten();
        let notes = notes.filter_map(|n| n.as_str().map(general)).collect();
        let result = reply["data"]["result"].take();
        let mut series = BTreeMap::new();
        match reply["data"]["resultType"].as_str() {
            Some("scalar") => {
                series.insert(String::new(), vec![point(&result)]);
            }
            Some("vector" | "matrix") => {
                for one in result.as_array().into_iter().flatten() {
                    let points = match one["values"].as_array() {
                        Some(values) => values.iter().map(point).collect(),
                        None => vec![point(&one["value"])],
                    };
                    // `serde_json` keeps an object's keys sorted.
                    series.insert(one["metric"].to_string(), points);
                }
            }
            _ => {}
        }
        Self { error: None, series, notes }
    }

    /// Whether it says that the query itself is wrong.
    pub fn is_bad_query(&self) -> bool {
        self.error.as_ref().is_some_and(|(kind, _)| kind == "bad_data")
    }

    /// How `other` differs. With `any_of_equals`, the query chooses among series, and values may stand under other
    /// labels.
    pub fn differs(&self, other: &Self, any_of_equals: bool) -> Option<Difference> {
        let differ = |text: String| Some(Difference(text));
        match (&self.error, &other.error) {
            (Some(_), Some(_)) => return None,
            (Some((_, error)), None) => return differ(format!("an error is right: {error}")),
            (None, Some((_, error))) => return differ(format!("no error is right, not: {error}")),
            (None, None) => {}
        }
        if any_of_equals {
            return self.values_differ(other);
        }
        let keys = |a: &Self, b: &Self| a.series.keys().find(|k| !b.series.contains_key(*k)).cloned();
        let (n, m) = (self.series.len(), other.series.len());
        if let Some(key) = keys(self, other) {
            return differ(format!("{n} series are right, not {m}: {key} is missing"));
        }
        if let Some(key) = keys(other, self) {
            return differ(format!("{n} series are right, not {m}: {key} is too much"));
        }
        for ((labels, a), b) in self.series.iter().zip(other.series.values()) {
            if a.len() != b.len() {
                return differ(format!("{} points are right, not {}: {labels}", a.len(), b.len()));
            }
            if let Some((a, b)) = a.iter().zip(b).find(|(a, b)| a.0 != b.0 || !near(a.1, b.1)) {
                return differ(format!("{} at {} is right, not {} at {}: {labels}", a.1, a.0, b.1, b.0));
            }
        }
        // At most ten come, and which is left to chance.
        let whole = |a: &Self| a.notes.iter().all(|n| !n.ends_with(" omitted"));
        (whole(self) && whole(other) && self.notes != other.notes)
            .then(|| Difference(format!("{:?} is right, not {:?}", self.notes, other.notes)))
    }

    fn values_differ(&self, other: &Self) -> Option<Difference> {
        let values = |a: &Self| {
            let mut all: Vec<(f64, f64)> = a.series.values().flatten().copied().collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            all
        };
        let (a, b) = (values(self), values(other));
        if a.len() != b.len() {
            return Some(Difference(format!("{} points are right, not {}", a.len(), b.len())));
        }
        let (a, b) = a.iter().zip(&b).find(|(a, b)| a.0 != b.0 || !near(a.1, b.1))?;
        Some(Difference(format!("{} at {} is right, not {} at {}", a.1, a.0, b.1, b.0)))
    }
}

fn point(pair: &Value) -> (f64, f64) {
    let value = pair[1].as_str().unwrap_or_default();
    (pair[0].as_f64().unwrap_or(f64::NAN), value.parse().unwrap_or_else(|_| panic!("{pair} is not a point")))
}

/// What all versions say alike of a note: newer ones tell falling buckets with more numbers, and leave out a name that
/// is empty. Of numbers the last digits are left out.
fn general(note: &str) -> String {
    let head = note.split(" for monotonicity").next().unwrap_or(note).replace(" for metric name \"\"", "");
    let short = |word: &str| match word.parse::<f64>() {
        Ok(v) => format!("{v:.9e}"),
        Err(_) => word.to_owned(),
    };
    head.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

fn near(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}
