//! Parameters of Prometheus' HTTP API: from the query string and from a form, in all the ways that
//! times and durations are written.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use percent_encoding::percent_decode;

use crate::api::body;
use crate::api::problem::{ApiError, BODY_LIMIT};
use crate::base::failure::{Failure, Kind};
use crate::base::matcher::Matcher;
use crate::base::time::Timestamp;
use crate::engine::query::{Queries, QueryError};
use crate::promql::parser::{parse_duration, parse_series_selectors};
use crate::promql::source::Resolution;

/// How Prometheus' clients write "since ever" and "for ever".
const MIN_TIME: &str = "-292273086-05-16T16:47:06Z";
const MAX_TIME: &str = "292277025-08-18T07:12:54.999999999Z";
/// Times beyond this are cut to it, in milliseconds: far from what overflows in arithmetic.
const FAR: i64 = 1 << 55;

/// All parameters in the order given; a name may stand more than once.
#[derive(Debug, Default)]
pub(in crate::api) struct Form(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let mut pairs = Vec::new();
        let (parts, body) = request.into_parts();
        // As in Go's `ParseForm`: POST and PUT bring a form, and what it says comes first.
        if parts.method == Method::POST || parts.method == Method::PUT {
            let kind = parts.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
            let form = kind.split(';').next().unwrap_or_default().trim();
            let bytes = body::read(body, BODY_LIMIT).await?;
            if form.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                decode(&bytes, &mut pairs)?;
            } else if !bytes.is_empty() {
                let failure = Failure::text(Kind::Usage, "parameters come as a form");
                let failure = failure.hint("send `content-type: application/x-www-form-urlencoded`");
                return Err(ApiError::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, failure));
            }
        }
        decode(parts.uri.query().unwrap_or_default().as_bytes(), &mut pairs)?;
        Ok(Self(pairs))
    }
}

impl Form {
    /// The parameters of a query string.
    pub(in crate::api) fn of_query(query: &str) -> Result<Self, ApiError> {
        let mut pairs = Vec::new();
        decode(query.as_bytes(), &mut pairs)?;
        Ok(Self(pairs))
    }
}

fn decode(text: &[u8], pairs: &mut Vec<(String, String)>) -> Result<(), ApiError> {
    let part = |bytes: &[u8]| {
        let spaced: Vec<u8> = bytes.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
        let decoded = percent_decode(&spaced).decode_utf8();
        decoded.map(std::borrow::Cow::into_owned).map_err(|_| bad("the parameters are not UTF-8"))
    };
    for pair in text.split(|b| *b == b'&').filter(|p| !p.is_empty()) {
        let split = pair.iter().position(|b| *b == b'=');
        let (name, value) = split.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        pairs.push((part(name)?, part(value)?));
    }
    Ok(())
}

/// Refusal of what was asked.
pub(in crate::api) fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(Failure::text(Kind::Usage, message))
}

fn invalid(name: &str, why: impl std::fmt::Display) -> ApiError {
    bad(format!("invalid parameter \"{name}\": {why}"))
}

impl Form {
    /// The parameters of a query string.
    #[cfg(test)]
    pub(super) fn of(query: &str) -> Self {
        let mut pairs = Vec::new();
        assert!(decode(query.as_bytes(), &mut pairs).is_ok());
        Self(pairs)
    }

    /// The first value under `name`; an empty one counts as absent.
    pub(in crate::api) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// All values under `name`.
    pub(in crate::api) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(k, _)| k == name).map(|(_, v)| v.as_str()).collect()
    }

    /// The query's text, empty when there is none.
    pub(super) fn query(&self) -> String {
        self.get("query").unwrap_or_default().to_owned()
    }

    /// A time in milliseconds.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let time = parse_time(text);
        time.map(Some).ok_or_else(|| invalid(name, format!("cannot parse {text:?} to a valid timestamp")))
    }

    /// A time that must be there, in milliseconds.
    pub(super) fn need_time(&self, name: &str) -> Result<i64, ApiError> {
        self.time(name)?.ok_or_else(|| invalid(name, "cannot parse \"\" to a valid timestamp"))
    }

    /// A duration in milliseconds; may be negative.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let d = parse_step(text);
        d.map(Some).ok_or_else(|| invalid(name, format!("cannot parse {text:?} to a valid duration")))
    }

    /// A time-out, look-back or the like: not negative.
    pub(super) fn positive(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        match self.duration(name)? {
            None => Ok(None),
            Some(ms) => match u64::try_from(ms) {
                Ok(ms) => Ok(Some(Duration::from_millis(ms))),
                Err(_) => Err(invalid(name, "must not be negative")),
            },
        }
    }

    /// Most answers; `usize::MAX` when there is no limit, which zero says, too.
    pub(super) fn limit(&self, name: &str) -> Result<usize, ApiError> {
        let Some(text) = self.get(name) else { return Ok(usize::MAX) };
        match text.parse::<i64>() {
            Ok(0) => Ok(usize::MAX),
            Ok(n) => usize::try_from(n).map_err(|_| invalid(name, "limit must be non-negative")),
            Err(_) => Err(invalid(name, format!("cannot parse {text:?} to a whole number"))),
        }
    }

    /// A whole number, in the words of Prometheus' metadata.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| bad(format!("{name} must be a number")))
    }

    /// The resolution asked for.
    pub(super) fn resolution(&self) -> Result<Option<Resolution>, ApiError> {
        let Some(text) = self.get("resolution") else { return Ok(None) };
        let all = [Resolution::Raw, Resolution::FiveMinutes, Resolution::Hour];
        let found = all.into_iter().find(|r| r.text() == text);
        found.map(Some).ok_or_else(|| invalid("resolution", "write one of: raw, 5m, 1h"))
    }

    /// The sets of matchers under `match[]`.
    pub(super) async fn selectors(&self, queries: &Queries) -> Result<Vec<Vec<Matcher>>, ApiError> {
        let texts: Vec<String> = self.all("match[]").into_iter().map(str::to_owned).collect();
        let length = texts.iter().map(String::len).sum();
        let sets = queries.reading(length, move || parse_series_selectors(&texts)).await;
        sets.map_err(|e| match e {
            QueryError::Text(_) | QueryError::TooLong(_) => invalid("match[]", e),
            other => other.into(),
        })
    }

    /// `start` and `end` of questions about names: everything, if not said.
    pub(super) fn span(&self) -> Result<(i64, i64), ApiError> {
        let (start, end) = (self.time("start")?.unwrap_or(-FAR), self.time("end")?.unwrap_or(FAR));
        if end < start { Err(bad("end timestamp must not be before start timestamp")) } else { Ok((start, end)) }
    }
}

/// Seconds since 1970 with a fraction, or RFC 3339.
fn parse_time(text: &str) -> Option<i64> {
    match text {
        MIN_TIME => return Some(-FAR),
        MAX_TIME => return Some(FAR),
        _ => {}
    }
    let ms = match text.parse::<f64>() {
        // A float that is not a time converts to zero, as it does for Prometheus.
        Ok(seconds) if seconds.is_finite() => (seconds * 1e3).round() as i64,
        Ok(_) => return None,
        Err(_) => Timestamp::parse(text).ok()?.millis(),
    };
    Some(ms.clamp(-FAR, FAR))
}

/// Seconds with a fraction, or `1h30m`.
fn parse_step(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.abs() <= 9e9 => Some((seconds * 1e3) as i64),
        Ok(_) => None,
        Err(_) => parse_duration(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        let mut pairs = Vec::new();
        decode(text.as_bytes(), &mut pairs).unwrap();
        Form(pairs)
    }

    #[test]
    fn forms_are_decoded() {
        let f = form("query=up%7Bx%3D%22a+b%22%7D&match[]=a&match%5B%5D=b&empty=&flag");
        assert_eq!(f.query(), r#"up{x="a b"}"#);
        assert_eq!(f.all("match[]"), ["a", "b"]);
        assert_eq!((f.get("empty"), f.get("flag"), f.get("none")), (None, None, None));
        assert!(decode(b"a=%ff", &mut Vec::new()).is_err());
    }

    #[tokio::test]
    async fn a_body_counts_with_post_and_put() {
        for (method, want) in [(Method::POST, Some("1")), (Method::PUT, Some("1")), (Method::GET, Some("2"))] {
            let request = http::Request::builder().method(&method).uri("/x?start=2");
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let form = Form::from_request(request.body(axum::body::Body::from("start=1")).unwrap(), &()).await.unwrap();
            assert_eq!(form.get("start"), want, "{method}");
        }
    }

    #[test]
    fn times_in_every_form() {
        #[track_caller]
        fn check(text: &str, want: Option<i64>) {
            assert_eq!(parse_time(text), want, "{text}");
        }
        check("1435781451.781", Some(1_435_781_451_781));
        check("1435781451", Some(1_435_781_451_000));
        check("-1.5", Some(-1_500));
        check("1e3", Some(1_000_000));
        check("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781));
        check("2015-07-01T22:10:51.781+02:00", Some(1_435_781_451_781));
        check(MIN_TIME, Some(-FAR));
        check(MAX_TIME, Some(FAR));
        check("1e300", Some(FAR));
        check("NaN", None);
        check("now", None);
        check("", None);
    }

    #[test]
    fn steps_in_every_form() {
        #[track_caller]
        fn check(text: &str, want: Option<i64>) {
            assert_eq!(parse_step(text), want, "{text}");
        }
        check("15", Some(15_000));
        check("0.5", Some(500));
        check("1h30m", Some(5_400_000));
        check("-1", Some(-1_000));
        check("1e300", None);
        check("x", None);
    }
}
