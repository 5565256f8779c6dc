//! What a pipeline passes on, and how Go prints it.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::base::labels::Labels;
use crate::render::gotemplate::float;

/// One series of a query's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// A value. Copies share what is large.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Go's nil, and what an action that gives nothing gives.
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    /// `map[string]string`
    Labels(Labels),
    /// `map[string]interface {}`
    Map(Rc<BTreeMap<String, Value>>),
    Samples(Rc<[Rc<Sample>]>),
    Sample(Rc<Sample>),
    /// Nanoseconds since the Unix epoch.
    Time(i64),
    /// A length of time, in nanoseconds.
    Span(i64),
    /// The data a template begins with.
    Data,
}

impl Value {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// What `if` makes of it.
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(n) => *n != 0,
            Self::Float(v) => *v != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Samples(samples) => !samples.is_empty(),
            Self::Span(n) => *n != 0,
            Self::Sample(_) | Self::Time(_) | Self::Data => true,
        }
    }

    /// Go's name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Labels(_) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::Samples(_) => "template.queryResult",
            Self::Sample(_) => "*template.sample",
            Self::Time(_) => "*time.Time",
            Self::Span(_) => "time.Duration",
            Self::Data => {
                "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }"
            }
        }
    }

    /// As `%v` prints it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Nil => "<no value>".to_owned(),
            Self::Bool(b) => b.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Float(v) => float::general(*v, None),
            Self::Text(text) => text.to_string(),
            Self::Labels(labels) => {
                let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}:{v}")).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Self::Map(map) => {
                let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", v.show())).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Self::Samples(samples) => {
                let items: Vec<String> = samples.iter().map(|s| Self::Sample(Rc::clone(s)).show()).collect();
                format!("[{}]", items.join(" "))
            }
            Self::Sample(sample) => {
                format!("{{{} {}}}", Self::Labels(sample.labels.clone()).show(), float::general(sample.value, None))
            }
            Self::Time(nanos) => show_time(*nanos),
            Self::Span(nanos) => show_span(*nanos),
            Self::Data => "{}".to_owned(),
        }
    }

    /// Prometheus' reading of a number: a number, a text that is one, or a length of time in seconds.
    pub(super) fn number(&self) -> Result<f64, String> {
        match self {
            Self::Float(v) => Ok(*v),
            Self::Int(n) => Ok(*n as f64),
            Self::Span(n) => Ok(*n as f64 / 1e9),
            Self::Text(text) => {
                float::parse(text).ok_or_else(|| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
            }
            other => Err(format!("can't convert {} to float", other.type_name())),
        }
    }
}

/// `2015-11-20 15:25:27.2 +0000 UTC`
fn show_time(nanos: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_nanosecond(i128::from(nanos)) else { return String::new() };
    let text = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let fraction = nanos.rem_euclid(1_000_000_000);
    if fraction == 0 {
        return format!("{text} +0000 UTC");
    }
    let digits = format!("{fraction:09}");
    format!("{text}.{} +0000 UTC", digits.trim_end_matches('0'))
}

/// `1h2m3.5s`, as Go prints lengths of time.
fn show_span(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let fraction = |whole: u64, part: u64, width: usize| {
        let digits = format!("{part:0width$}");
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() { whole.to_string() } else { format!("{whole}.{digits}") }
    };
    match n {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{n}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(n / 1_000, n % 1_000, 3)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(n / 1_000_000, n % 1_000_000, 6)),
        _ => {
            let (seconds, part) = (n / 1_000_000_000, n % 1_000_000_000);
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            let tail = format!("{}s", fraction(seconds % 60, part, 9));
            match (hours, minutes) {
                (0, 0) => format!("{sign}{tail}"),
                (0, m) => format!("{sign}{m}m{tail}"),
                (h, m) => format!("{sign}{h}h{m}m{tail}"),
            }
        }
    }
}
