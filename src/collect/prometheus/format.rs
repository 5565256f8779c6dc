//! Which formats are asked for, which one came, and reading it.
//!
//! As Prometheus 3: a target that does not say what it sends is refused, unless `fallback_scrape_protocol` says what
//! to take it for.

use std::fmt::Write as _;

use crate::base::exposition::{Format, Line, LineError, Parser};
use crate::base::labels::LabelsBuf;
use crate::collect::prometheus::cache::{Appender, Refused, Said};
use crate::collect::prometheus::families;

/// A format of exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Length-delimited `io.prometheus.client.MetricFamily`.
    Protobuf,
    /// The text format 0.0.4.
    Text004,
    /// The text format 1.0.0, names in UTF-8.
    Text100,
    /// OpenMetrics 0.0.1.
    OpenMetrics001,
    /// OpenMetrics 1.0.0.
    OpenMetrics100,
}

/// Prometheus' words with what stands in `Accept`.
const PROTOCOLS: [(&str, Protocol, &str); 5] = [
    (
        "PrometheusProto",
        Protocol::Protobuf,
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
    ),
    ("PrometheusText0.0.4", Protocol::Text004, "text/plain;version=0.0.4"),
    ("PrometheusText1.0.0", Protocol::Text100, "text/plain;version=1.0.0;escaping=allow-utf-8"),
    ("OpenMetricsText0.0.1", Protocol::OpenMetrics001, "application/openmetrics-text;version=0.0.1"),
    (
        "OpenMetricsText1.0.0",
        Protocol::OpenMetrics100,
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
    ),
];

/// What is asked for unless the job says otherwise, the dearest first.
pub const DEFAULT: [Protocol; 4] =
    [Protocol::OpenMetrics100, Protocol::OpenMetrics001, Protocol::Text100, Protocol::Text004];

impl Protocol {
    /// From Prometheus' word.
    pub fn from_word(word: &str) -> Option<Self> {
        PROTOCOLS.iter().find(|(name, ..)| *name == word).map(|(_, protocol, _)| *protocol)
    }

    /// All words.
    pub fn words() -> String {
        PROTOCOLS.map(|(name, ..)| name).join(", ")
    }
}

/// The header `Accept`.
pub fn accept(wanted: &[Protocol]) -> String {
    let mut text = String::new();
    let mut weight = PROTOCOLS.len() + 1;
    for protocol in wanted {
        if let Some((.., media)) = PROTOCOLS.iter().find(|(_, p, _)| p == protocol) {
            let done = write!(text, "{media};q=0.{weight},");
            debug_assert!(done.is_ok(), "writing to a String cannot fail");
            weight -= 1;
        }
    }
    text + &format!("*/*;q=0.{weight}")
}

/// The format that an answer is in.
///
/// # Errors
/// It does not say, or says something that is no exposition, and there is no fallback; a sentence.
pub fn of(content_type: &str, fallback: Option<Protocol>) -> Result<Protocol, String> {
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parameter = |wanted: &str| {
        let mut all = content_type.split(';').skip(1).filter_map(|p| p.split_once('='));
        all.find(|(key, _)| key.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().trim_matches('"'))
    };
    let found = match media.as_str() {
        "text/plain" => Some(Protocol::Text004),
        "application/openmetrics-text" => Some(Protocol::OpenMetrics100),
        "application/vnd.google.protobuf" => {
            let family = parameter("proto") == Some("io.prometheus.client.MetricFamily");
            (family && parameter("encoding").is_none_or(|e| e == "delimited")).then_some(Protocol::Protobuf)
        }
        _ => None,
    };
    found.or(fallback).ok_or_else(|| {
        let what = match content_type {
            "" => "the answer has no Content-Type".to_owned(),
            other => format!("the answer is `{}`, which is no exposition", crate::collect::judge::found(other)),
        };
        format!("{what}, and the job has no `fallback_scrape_protocol`")
    })
}

/// As much of a text as a message shows.
fn short(text: &str) -> String {
    text[..text.floor_char_boundary(40)].to_owned()
}

/// Gives every sample of an answer to `to`.
///
/// # Errors
/// It is not understood, or refused.
pub fn read(body: &[u8], protocol: Protocol, to: &mut Appender<'_>) -> Result<(), Refused> {
    let format = match protocol {
        Protocol::Protobuf => return families::read(body, to),
        Protocol::Text004 | Protocol::Text100 => Format::Text,
        Protocol::OpenMetrics001 | Protocol::OpenMetrics100 => Format::OpenMetrics,
    };
    let text = std::str::from_utf8(body).map_err(|e| {
        let before = &body[..e.valid_up_to()];
        Refused::Line(1 + before.iter().filter(|b| **b == b'\n').count(), LineError::NotUtf8)
    })?;
    let mut parser = Parser::new(format);
    let mut labels = LabelsBuf::default();
    for (n, line) in text.split('\n').enumerate() {
        if let Some((series, rest)) = parser.split(line) {
            let (value, time) = parser.value(rest).map_err(|e| Refused::Line(n + 1, e))?;
            to.sample(series, value, time, || parser.series(series)).map_err(|fault| fault.in_line(n + 1))?;
            continue;
        }
        match parser.line(line, &mut labels).map_err(|e| Refused::Line(n + 1, e))? {
            Line::Type(name, kind) => {
                to.kind(kind);
                to.describe(name, Said::Kind(kind));
            }
            Line::Help(name, help) => to.describe(name, Said::Help(&help)),
            Line::Unit(name, unit) => {
                if !unit.is_empty() && !name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')) {
                    return Err(Refused::Line(n + 1, LineError::Unexpected(format!("# UNIT {}", short(name)))));
                }
                to.describe(name, Said::Unit(unit));
            }
            // Neither empty lines nor comments are part of OpenMetrics.
            Line::Nothing if format == Format::OpenMetrics && !parser.ended() => {
                return Err(Refused::Line(n + 1, LineError::Unexpected(short(line))));
            }
            // A line that cannot be split and is a sample all the same does not exist.
            Line::Sample(..) | Line::End | Line::Nothing => {}
        }
    }
    if format == Format::OpenMetrics && !parser.ended() { Err(Refused::NoEnd) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_prometheus_asks_for() {
        let text = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                    application/openmetrics-text;version=0.0.1;q=0.5,\
                    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(accept(&DEFAULT), text);
        assert!(accept(&[Protocol::Protobuf]).ends_with("encoding=delimited;q=0.6,*/*;q=0.5"));
    }

    #[test]
    fn an_answer_says_what_it_is() {
        #[track_caller]
        fn check(content: &str, want: Option<Protocol>) {
            assert_eq!(of(content, None).ok(), want, "{content}");
            assert_eq!(of(content, Some(Protocol::Text004)), Ok(want.unwrap_or(Protocol::Text004)), "{content}");
        }
        check("text/plain; version=0.0.4; charset=utf-8", Some(Protocol::Text004));
        check("Text/Plain", Some(Protocol::Text004));
        check("application/openmetrics-text; version=1.0.0", Some(Protocol::OpenMetrics100));
        let protobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        check(protobuf, Some(Protocol::Protobuf));
        check("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text", None);
        check("application/vnd.google.protobuf", None);
        check("text/html", None);
        check("", None);
    }
}
