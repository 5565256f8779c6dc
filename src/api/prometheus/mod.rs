//! Prometheus' HTTP API: what Grafana, promtool and remote-writing servers expect, word for word.
//!
//! Answers are `{"status":"success","data":…}` with Prometheus' `errorType`s and messages. Long answers
//! are written, and compressed, on a blocking thread.

mod admin;
mod federate;
mod json;
mod names;
pub(in crate::api) mod params;
mod push;
mod query;
pub(in crate::api) mod rules;
mod status;

use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};

use crate::api::body::{packed, reply, takes_gzip};
use crate::api::problem::ApiError;
use crate::api::routes::Route;
use crate::base::failure::{Chain, Failure, Kind};
use crate::engine::query::QueryError;
use crate::promql::value::EvalError;

/// Every reply but federation's.
const JSON: &str = "application/json";
/// A longer text is written and compressed on a blocking thread, in bytes.
const LONG_TEXT: usize = 32 << 10;

/// The routes of this dialect.
pub(in crate::api) fn table() -> Vec<Route> {
    let both: &[&str] = &["get", "post"];
    vec![
        ("/api/v1/query", both, get(query::instant).post(query::instant)),
        ("/api/v1/query_range", both, get(query::range).post(query::range)),
        ("/api/v1/query_exemplars", both, get(query::exemplars).post(query::exemplars)),
        ("/api/v1/format_query", both, get(query::format).post(query::format)),
        ("/api/v1/parse_query", both, get(query::parse).post(query::parse)),
        ("/api/v1/series", both, get(names::series).post(names::series)),
        ("/api/v1/labels", both, get(names::labels).post(names::labels)),
        ("/api/v1/label/{name}/values", &["get"], get(names::values)),
        ("/api/v1/metadata", &["get"], get(names::metadata)),
        ("/api/v1/targets", &["get"], get(status::targets)),
        ("/api/v1/scrape_pools", &["get"], get(status::pools)),
        ("/api/v1/rules", &["get"], get(rules::rules)),
        ("/api/v1/rules/list", &["get"], get(rules::list)),
        ("/api/v1/status/buildinfo", &["get"], get(status::build)),
        ("/api/v1/status/config", &["get"], get(status::config)),
        ("/api/v1/status/flags", &["get"], get(status::flags)),
        ("/api/v1/status/runtimeinfo", &["get"], get(status::runtime)),
        ("/api/v1/status/tsdb", &["get"], get(status::tsdb)),
        ("/api/v1/write", &["post"], post(push::write)),
        ("/api/v1/import/prometheus", &["post"], post(push::import)),
        ("/api/v1/read", &["post"], post(push::read)),
        ("/api/v1/admin/tsdb/delete_series", &["post", "put"], post(admin::delete).put(admin::delete)),
        ("/api/v1/admin/tsdb/clean_tombstones", &["post", "put"], post(admin::clean).put(admin::clean)),
        ("/federate", &["get"], get(federate::federate)),
    ]
}

/// Whether the path is one whose parameters may come as a form.
pub(in crate::api) fn takes_forms(path: &str) -> bool {
    const FORMS: [&str; 9] = [
        "/api/v1/query",
        "/api/v1/query_range",
        "/api/v1/query_exemplars",
        "/api/v1/format_query",
        "/api/v1/parse_query",
        "/api/v1/series",
        "/api/v1/labels",
        "/api/v1/admin/tsdb/delete_series",
        "/api/v1/admin/tsdb/clean_tombstones",
    ];
    FORMS.contains(&path)
}

/// An answer that `write` makes, on a blocking thread when it is long.
async fn written(
    headers: &HeaderMap,
    long: bool,
    write: impl FnOnce() -> Vec<u8> + Send + 'static,
) -> Result<Response, ApiError> {
    let gzip = takes_gzip(headers);
    let make = move || packed(write(), gzip);
    if !long {
        return Ok(reply(make(), JSON));
    }
    match tokio::task::spawn_blocking(make).await {
        Ok(body) => Ok(reply(body, JSON)),
        Err(e) => {
            tracing::error!(error = %e, "an answer could not be written");
            Err(ApiError::new(Failure::text(Kind::Internal, "the answer could not be written")))
        }
    }
}

/// `{"status":"success","data":…}` around what is JSON already.
async fn success(headers: &HeaderMap, data: &serde_json::Value) -> Result<Response, ApiError> {
    let mut body = json::SUCCESS.to_vec();
    body.extend_from_slice(data.to_string().as_bytes());
    body.push(b'}');
    written(headers, body.len() > LONG_TEXT, move || body).await
}

impl From<QueryError> for ApiError {
    /// Prometheus' `errorType`s and statuses.
    fn from(e: QueryError) -> Self {
        let text = e.to_string();
        match e {
            QueryError::Text(e) => {
                let failure = Failure::text(Kind::Usage, format!("invalid parameter \"query\": {e}"));
                let hints = e.problems().iter().filter_map(|p| p.hint.clone());
                Self::new(hints.fold(failure, Failure::hint))
            }
            QueryError::TooLong(_) | QueryError::NoRange(_) => {
                Self::new(Failure::text(Kind::Usage, format!("invalid parameter \"query\": {text}")))
            }
            QueryError::Store(_) => Self::new(Failure::text(Kind::Unavailable, text)),
            QueryError::Timeout(_) => {
                Self::worded(StatusCode::SERVICE_UNAVAILABLE, "timeout", Failure::text(Kind::Unavailable, text))
            }
            QueryError::Evaluation(EvalError::Cancelled) => {
                Self::worded(StatusCode::SERVICE_UNAVAILABLE, "canceled", Failure::text(Kind::Unavailable, text))
            }
            QueryError::Evaluation(EvalError::TooManySamples | EvalError::Execution(_)) => {
                Self::new(Failure::text(Kind::Bad, text))
            }
            QueryError::Evaluation(EvalError::Source(source)) => match source {
                crate::promql::source::SourceError::TooManySeries { .. } => {
                    let failure = Failure::text(Kind::Bad, source.to_string());
                    Self::new(failure.hint("add conditions, or raise `query.max_series`"))
                }
                crate::promql::source::SourceError::Cancelled => {
                    Self::worded(StatusCode::SERVICE_UNAVAILABLE, "canceled", Failure::text(Kind::Unavailable, text))
                }
                crate::promql::source::SourceError::Store(_) => {
                    tracing::error!(error = %Chain(&source), "the series store could not be read");
                    let failure = Failure::text(Kind::Internal, source.to_string());
                    Self::new(failure.hint("the server's log has the cause"))
                }
            },
            QueryError::Crashed => {
                tracing::error!("a query crashed");
                Self::new(Failure::text(Kind::Internal, "the server made a mistake"))
            }
        }
    }
}

/// `204 No Content`
fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
