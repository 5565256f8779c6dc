//! Questions in PromQL and their answers, as Prometheus' HTTP API has them.
//!
//! | route | body → reply |
//! |---|---|
//! | `POST /api/v1/query` | [`Ask::form`] → [`Reply`] |
//! | `POST /api/v1/query_range` | [`Ask::form`] → [`Reply`] |
//! | `GET /api/v1/labels`, `/api/v1/label/{name}/values` | `match[]`, `start`, `end`, `limit` → [`Names`] |
//! | `POST /api/v1/admin/tsdb/delete_series` | `match[]`, `start`, `end` → no content |
//!
//! Times on the wire are seconds with a fraction, values are text: JSON has no `NaN`. An unknown field is
//! skipped, so that answers of other servers, and of later ones, are understood.

use std::fmt;
use std::time::Duration;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::labels::{Labels, METRIC_NAME};
use crate::base::time::Timestamp;

/// When a query is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once; `None` is the server's now.
    At(Option<Timestamp>),
    /// At each step.
    Range {
        /// First step.
        start: Timestamp,
        /// No step is later.
        end: Timestamp,
        /// Distance of the steps.
        step: Duration,
    },
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The expression.
    pub query: String,
    /// When it is evaluated.
    pub when: When,
    /// Longest evaluation, when shorter than the server's own limit.
    pub timeout: Option<Duration>,
    /// Most series of the answer.
    pub limit: Option<usize>,
}

impl Ask {
    /// Where it is sent.
    pub const fn path(&self) -> &'static str {
        match self.when {
            When::At(_) => "/api/v1/query",
            When::Range { .. } => "/api/v1/query_range",
        }
    }

    /// The fields of the form that is sent.
    pub fn form(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("query", self.query.clone())];
        match self.when {
            When::At(None) => {}
            When::At(Some(at)) => fields.push(("time", seconds(at))),
            When::Range { start, end, step } => {
                fields.push(("start", seconds(start)));
                fields.push(("end", seconds(end)));
                fields.push(("step", format!("{}", step.as_secs_f64())));
            }
        }
        if let Some(timeout) = self.timeout {
            fields.push(("timeout", format!("{}ms", timeout.as_millis())));
        }
        if let Some(limit) = self.limit {
            fields.push(("limit", limit.to_string()));
        }
        fields.push(("stats", "all".to_owned()));
        fields
    }
}

/// Seconds since the Unix epoch, with as many decimals as it takes.
pub fn seconds(at: Timestamp) -> String {
    let ms = at.millis();
    let (sign, ms) = if ms < 0 { ("-", ms.unsigned_abs()) } else { ("", ms.unsigned_abs()) };
    match ms % 1_000 {
        0 => format!("{sign}{}", ms / 1_000),
        part => format!("{sign}{}.{part:03}", ms / 1_000),
    }
}

/// The envelope of every answer that is a success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Always `success`; errors are [`ErrorBody`](crate::wire::api::ErrorBody).
    pub status: String,
    /// The answer.
    pub data: Data,
    /// What may be wrong with it. Untrusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What may not be meant. Untrusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub infos: Vec<String>,
}

/// The value and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// The value.
    pub value: Value,
    /// What it cost, when it was asked for.
    pub stats: Option<Stats>,
    /// The coarsest resolution that was read: `raw`, `5m`, `1h`. Ours only.
    pub resolution: Option<String>,
}

/// The value of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(Point),
    /// A text.
    String(Text),
    /// One value per series.
    Vector(Vec<Sample>),
    /// Values per series.
    Matrix(Vec<Series>),
}

/// A value at a time: `[1763900000.12,"0.5"]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Milliseconds since the Unix epoch.
    pub t: i64,
    /// The value.
    pub v: f64,
}

/// A text at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Milliseconds since the Unix epoch.
    pub t: i64,
    /// The text. Untrusted.
    pub text: String,
}

/// A series of an instant answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its labels. Untrusted.
    pub metric: Labels,
    /// Its value.
    pub value: Point,
}

/// A series of a range answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its labels. Untrusted.
    pub metric: Labels,
    /// Its values in order of time.
    pub values: Vec<Point>,
}

/// What a query cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stats {
    /// How long it took.
    pub timings: Timings,
    /// How much it read.
    pub samples: Samples,
}

/// How long a query took, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timings {
    /// From taking it in to its answer.
    pub exec_total_time: f64,
}

/// How much a query read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Samples {
    /// Samples that all steps looked at together.
    pub total_queryable_samples: u64,
    /// Most samples held at one time.
    pub peak_samples: u64,
}

/// Names or values of labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Always `success`.
    pub status: String,
    /// Sorted. Untrusted.
    pub data: Vec<String>,
}

impl Value {
    fn of(kind: &str, json: serde_json::Value) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match kind {
            "scalar" => Self::Scalar(serde_json::from_value(json)?),
            "string" => Self::String(serde_json::from_value(json)?),
            "vector" => Self::Vector(serde_json::from_value(json)?),
            "matrix" => Self::Matrix(serde_json::from_value(json)?),
            _ => return Ok(None),
        }))
    }

    /// Prometheus' word for its type.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            Self::String(_) => "string",
            Self::Vector(_) => "vector",
            Self::Matrix(_) => "matrix",
        }
    }

    /// How many series it has.
    pub fn series(&self) -> usize {
        match self {
            Self::Scalar(_) | Self::String(_) => 1,
            Self::Vector(samples) => samples.len(),
            Self::Matrix(series) => series.len(),
        }
    }

    /// How many points it has.
    pub fn points(&self) -> usize {
        match self {
            Self::Matrix(series) => series.iter().map(|s| s.values.len()).sum(),
            other => other.series(),
        }
    }
}

/// A series as it is written in a query: `up{job="a"}`, `{"my.name", job="a"}`.
pub fn series_name(metric: &Labels) -> String {
    let name = metric.metric_name();
    let plain = |text: &str, colon: bool| {
        let ok = |c: char| c == '_' || c.is_ascii_alphanumeric() || (colon && c == ':');
        text.chars().all(ok) && !text.starts_with(|c: char| c.is_ascii_digit())
    };
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let mut parts = Vec::new();
    let bare = plain(name, true);
    if !bare {
        parts.push(quoted(name));
    }
    for (label, value) in metric.iter().filter(|(label, _)| *label != METRIC_NAME) {
        let label = if plain(label, false) { label.to_owned() } else { quoted(label) };
        parts.push(format!("{label}={}", quoted(value)));
    }
    match (bare, parts.is_empty()) {
        (true, true) if !name.is_empty() => name.to_owned(),
        (true, _) => format!("{name}{{{}}}", parts.join(", ")),
        (false, _) => format!("{{{}}}", parts.join(", ")),
    }
}

/// A value as the API writes it: `NaN`, `+Inf`, `-Inf`, else the shortest decimal text that reads back.
pub fn value_text(v: f64) -> String {
    if v.is_nan() {
        "NaN".to_owned()
    } else if v.is_infinite() {
        if v > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        // Beyond these the API writes exponents.
        if v == 0.0 || (1e-6..1e21).contains(&v.abs()) { format!("{v}") } else { go_exponent(v) }
    }
}

/// `1e+21`, `1.5e-07`: at least two digits of exponent, always with a sign.
fn go_exponent(v: f64) -> String {
    let text = format!("{v:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |d| ('-', d));
    format!("{mantissa}e{sign}{digits:0>2}")
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("resultType", self.value.kind())?;
        match &self.value {
            Value::Scalar(point) => map.serialize_entry("result", point)?,
            Value::String(text) => map.serialize_entry("result", text)?,
            Value::Vector(samples) => map.serialize_entry("result", samples)?,
            Value::Matrix(series) => map.serialize_entry("result", series)?,
        }
        if let Some(stats) = &self.stats {
            map.serialize_entry("stats", stats)?;
        }
        if let Some(resolution) = &self.resolution {
            map.serialize_entry("resolution", resolution)?;
        }
        map.end()
    }
}

/// Decodes the value while it reads: what derived code would do, holding all points twice, takes a tenfold
/// of the memory.
struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the data of an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let (mut kind, mut value, mut early) = (None::<String>, None, None::<serde_json::Value>);
        let (mut stats, mut resolution) = (None, None);
        while let Some(key) = map.next_key::<Borrowed<'de>>()? {
            match (&*key.0, kind.as_deref()) {
                ("resultType", _) => kind = Some(map.next_value()?),
                ("result", Some("scalar")) => value = Some(Value::Scalar(map.next_value()?)),
                ("result", Some("string")) => value = Some(Value::String(map.next_value()?)),
                ("result", Some("vector")) => value = Some(Value::Vector(map.next_value()?)),
                ("result", Some("matrix")) => value = Some(Value::Matrix(map.next_value()?)),
                // A server that writes the type after the value.
                ("result", None) => early = Some(map.next_value()?),
                ("stats", _) => stats = map.next_value()?,
                ("resolution", _) => resolution = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if let (Some(kind), Some(early)) = (kind.as_deref(), early) {
            value = Value::of(kind, early).map_err(A::Error::custom)?;
        }
        let value = value.ok_or_else(|| A::Error::custom("a result of no known type"))?;
        Ok(Data { value, stats, resolution })
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(DataVisitor)
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut pair = s.serialize_tuple(2)?;
        pair.serialize_element(&(self.t as f64 / 1e3))?;
        pair.serialize_element(&value_text(self.v))?;
        pair.end()
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.t as f64 / 1e3, &self.text).serialize(s)
    }
}

/// Reads a pair of time and text without owning the text, which a million points would otherwise each do.
struct PairOf<F>(F);

impl<'de, T, F: FnOnce(i64, &str) -> Result<T, &'static str>> Visitor<'de> for PairOf<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time and a value in text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let t: f64 = seq.next_element()?.ok_or_else(|| A::Error::custom("a point without a time"))?;
        let text: std::borrow::Cow<'de, str> =
            seq.next_element::<Borrowed<'de>>()?.ok_or_else(|| A::Error::custom("a point without a value"))?.0;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        // Saturates: a time out of range is shown at the edge, not wrapped.
        (self.0)((t * 1e3).round() as i64, &text).map_err(A::Error::custom)
    }
}

/// A text that stays in the input where it has no escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // Rust reads `NaN`, `+Inf` and `-Inf` as Prometheus writes them.
        let read = |t, text: &str| text.parse().map(|v| Self { t, v }).map_err(|_| "a value that is no number");
        d.deserialize_tuple(2, PairOf(read))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_tuple(2, PairOf(|t, text: &str| Ok(Self { t, text: text.to_owned() })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        let reply: Reply = serde_json::from_str(&format!(r#"{{"status":"success","data":{text}}}"#)).unwrap();
        reply.data.value
    }

    #[test]
    fn every_form_of_an_answer_is_understood() {
        let up = Labels::new([("__name__", "up"), ("job", "a")]);
        assert_eq!(
            value(r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[1.5,"1"]}]}"#),
            Value::Vector(vec![Sample { metric: up.clone(), value: Point { t: 1_500, v: 1.0 } }])
        );
        assert_eq!(
            value(r#"{"result":[{"metric":{"__name__":"up","job":"a"},"values":[[1,"-Inf"]]}],"resultType":"matrix"}"#),
            Value::Matrix(vec![Series { metric: up, values: vec![Point { t: 1_000, v: f64::NEG_INFINITY }] }])
        );
        assert_eq!(value(r#"{"resultType":"scalar","result":[1,"2.5"]}"#), Value::Scalar(Point { t: 1_000, v: 2.5 }));
        let text = Text { t: 1_000, text: "a\"b".to_owned() };
        assert_eq!(value(r#"{"resultType":"string","result":[1,"a\"b"]}"#), Value::String(text));
        let Value::Scalar(nan) = value(r#"{"resultType":"scalar","result":[1,"NaN"]}"#) else { panic!("no scalar") };
        assert!(nan.v.is_nan());
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in [
            r#"{"resultType":"scalar","result":[1]}"#,
            r#"{"resultType":"scalar","result":["1","2"]}"#,
            r#"{"resultType":"scalar","result":[1,2]}"#,
            r#"{"resultType":"scalar","result":[1,"x"]}"#,
            r#"{"resultType":"tensor","result":[]}"#,
        ] {
            let text = format!(r#"{{"status":"success","data":{bad}}}"#);
            assert!(serde_json::from_str::<Reply>(&text).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_reads_back() {
        let reply = Reply {
            status: "success".to_owned(),
            data: Data {
                value: Value::Matrix(vec![Series {
                    metric: Labels::new([("a", "b")]),
                    values: vec![Point { t: 1_763_900_000_120, v: 0.1 }, Point { t: 1_763_900_000_121, v: 1e300 }],
                }]),
                stats: Some(Stats {
                    samples: Samples { total_queryable_samples: 7, peak_samples: 3 },
                    ..Stats::default()
                }),
                resolution: Some("5m".to_owned()),
            },
            warnings: vec!["w".to_owned()],
            infos: Vec::new(),
        };
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply, "{text}");
    }

    #[test]
    fn values_are_written_as_prometheus_writes_them() {
        #[track_caller]
        fn check(v: f64, text: &str) {
            assert_eq!(value_text(v), text);
        }
        check(0.0, "0");
        check(-0.5, "-0.5");
        check(0.000_015, "0.000015");
        check(0.000_001, "0.000001");
        check(-0.000_000_1, "-1e-07");
        check(1.0, "1");
        check(123_456_789.0, "123456789");
        check(1e21, "1e+21");
        check(1.5e-7, "1.5e-07");
        check(0.0001, "0.0001");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
        check(f64::NAN, "NaN");
    }

    #[test]
    fn series_are_named_as_in_a_query() {
        #[track_caller]
        fn check(pairs: &[(&str, &str)], text: &str) {
            assert_eq!(series_name(&Labels::new(pairs.iter().copied())), text);
        }
        check(&[], "{}");
        check(&[("__name__", "up")], "up");
        check(&[("__name__", "a:b"), ("job", "x\"y\\z")], r#"a:b{job="x\"y\\z"}"#);
        check(&[("a", "1"), ("b.c", "2")], r#"{a="1", "b.c"="2"}"#);
        check(&[("__name__", "my.name"), ("a", "1")], r#"{"my.name", a="1"}"#);
    }

    #[test]
    fn times_are_sent_in_seconds() {
        #[track_caller]
        fn check(ms: i64, text: &str) {
            assert_eq!(seconds(Timestamp::from_millis(ms)), text);
        }
        check(1_763_900_000_000, "1763900000");
        check(1_763_900_000_050, "1763900000.050");
        check(-1_500, "-1.500");
    }
}
