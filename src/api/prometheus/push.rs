//! Samples pushed in: remote write, text import; and remote read, their counterpart.
//!
//! Statuses follow what senders do with them: 4xx is dropped, 5xx and 429 are sent again.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::api::App;
use crate::api::body::read_counted;
use crate::api::problem::ApiError;
use crate::api::prometheus::nothing;
use crate::base::exposition::Format;
use crate::base::failure::{Chain, Failure, Kind};
use crate::engine::intake::{Ack, Encoding, IntakeError, MAX_BODY, Taken, read};

/// Headers that remote write 2.0 requires, each with what it counts.
const WRITTEN: [&str; 3] = [
    "x-prometheus-remote-write-samples-written",
    "x-prometheus-remote-write-histograms-written",
    "x-prometheus-remote-write-exemplars-written",
];
/// When to come again with a full disk, in seconds.
const DISK_PATIENCE: u16 = 30;

/// Takes a remote write of either version.
pub(super) async fn write(State(app): State<App>, request: Request) -> Response {
    let version = match remote_write_version(request.headers()) {
        Ok(version) => version,
        Err(e) => return e.into_response(),
    };
    let taken = take(&app, version, request).await;
    let written = taken.as_ref().map_or(0, |t| t.stored);
    let mut reply = match taken {
        Ok(taken) if taken.is_partial() => ApiError::new(Failure::text(Kind::Usage, taken.complaint())).into_response(),
        Ok(_) => nothing(),
        Err(e) => e.into_response(),
    };
    if version == Encoding::RemoteWrite2 {
        for (name, n) in WRITTEN.into_iter().zip([written, 0, 0]) {
            reply.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(n));
        }
    }
    reply
}

/// The message that `content-type` declares; snappy is the only compression that the protocol has.
fn remote_write_version(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let text = |name: &HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("?")).unwrap_or_default();
    let mut parts = text(&CONTENT_TYPE).split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let proto = parts.find_map(|p| p.strip_prefix("proto=")).map(|p| p.trim_matches('"'));
    let version = match (kind.eq_ignore_ascii_case("application/x-protobuf"), proto) {
        (true, None | Some("prometheus.WriteRequest")) => Encoding::RemoteWrite1,
        (true, Some("io.prometheus.write.v2.Request")) => Encoding::RemoteWrite2,
        (true, Some(_)) | (false, _) => {
            let message = format!("`content-type` is `{}`, not a message of remote write", text(&CONTENT_TYPE));
            let hint = "send `application/x-protobuf`, for version 2 with `;proto=io.prometheus.write.v2.Request`";
            return Err(unsupported(message, hint));
        }
    };
    match text(&CONTENT_ENCODING) {
        encoding if encoding.is_empty() || encoding.eq_ignore_ascii_case("snappy") => Ok(version),
        other => Err(unsupported(format!("`content-encoding` is `{other}`"), "compress with snappy's block format")),
    }
}

fn unsupported(message: String, hint: &str) -> ApiError {
    ApiError::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, Failure::text(Kind::Usage, message).hint(hint))
}

/// Takes exposition text. What stands is kept, whatever else the body holds.
pub(super) async fn import(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let encoding = text_encoding(request.headers())?;
    let taken = take(&app, encoding, request).await?;
    let Taken { stored, refused, bad_lines, bad_line_count, .. } = &taken;
    let data = json!({
        "samples": stored,
        "refused": refused.iter().map(|(why, n)| (why.word(), *n)).collect::<std::collections::BTreeMap<_, _>>(),
        "badLines": bad_line_count,
        "lines": bad_lines.iter().map(|(line, why)| json!({"line": line, "error": why})).collect::<Vec<_>>(),
    });
    if taken.is_partial() {
        let body = json!({
            "status": "error", "errorType": "bad_data", "error": taken.complaint(), "hints": [], "data": data,
        });
        return Ok((StatusCode::BAD_REQUEST, axum::Json(body)).into_response());
    }
    Ok(axum::Json(json!({"status": "success", "data": data})).into_response())
}

/// How a body of text is to be read, as its headers say.
fn text_encoding(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let text = |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = text(&CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    let open = kind.eq_ignore_ascii_case("application/openmetrics-text");
    let format = if open { Format::OpenMetrics } else { Format::Text };
    match text(&CONTENT_ENCODING).to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Encoding::Text { format, gzip: false }),
        "gzip" => Ok(Encoding::Text { format, gzip: true }),
        other => Err(unsupported(format!("`content-encoding` is `{other}`"), "send it plain or with `gzip`")),
    }
}

async fn take(app: &App, encoding: Encoding, request: Request) -> Result<Taken, ApiError> {
    let ack = ack(&request)?;
    let body = read_counted(request.into_body(), MAX_BODY, &app.memory).await?;
    Ok(app.engine.intake().take(body, encoding, ack).await?)
}

/// `?ack=fsync`, or the header of the same meaning, for who must know that the disk has it.
fn ack(request: &Request) -> Result<Ack, ApiError> {
    let query = request.uri().query().unwrap_or_default();
    let asked = query.split('&').find_map(|p| p.strip_prefix("ack="));
    let asked = asked.or_else(|| request.headers().get("x-watchdog-ack").and_then(|v| v.to_str().ok()));
    match asked {
        None | Some("" | "written") => Ok(Ack::Written),
        Some("fsync") => Ok(Ack::Synced),
        Some(_) => {
            let failure = Failure::text(Kind::Usage, "invalid parameter \"ack\"");
            Err(ApiError::new(failure.hint("write `fsync`, or `written`, which is the default")))
        }
    }
}

impl From<IntakeError> for ApiError {
    fn from(e: IntakeError) -> Self {
        let text = Chain(&e).to_string();
        let (status, kind) = match &e {
            IntakeError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Kind::Usage),
            IntakeError::Snappy(_) | IntakeError::Gzip(_) | IntakeError::Protobuf(_) => {
                (StatusCode::BAD_REQUEST, Kind::Usage)
            }
            IntakeError::Overloaded | IntakeError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, Kind::Unavailable),
            IntakeError::Append(e) => return append_error(e),
            IntakeError::Crashed => {
                tracing::error!("taking samples in crashed");
                (StatusCode::INTERNAL_SERVER_ERROR, Kind::Internal)
            }
        };
        Self::with_status(status, Failure::text(kind, text))
    }
}

/// A full disk is told apart by its status, which senders treat like any 5xx: they come again.
fn append_error(e: &crate::engine::intake::AppendError) -> ApiError {
    use crate::engine::intake::AppendError;
    match e {
        AppendError::DiskFull => {
            let failure = Failure::text(
                Kind::Unavailable,
                "the disk is full; of text, the beginning may have been kept, of remote write nothing was",
            );
            ApiError::with_status(StatusCode::INSUFFICIENT_STORAGE, failure).retry_after(DISK_PATIENCE)
        }
        AppendError::Wal(_) => {
            tracing::error!(error = %Chain(e), "pushed samples could not be written");
            let failure = Failure::text(Kind::Internal, e.to_string());
            ApiError::new(failure.hint("the server's log has the cause"))
        }
        AppendError::Closed => ApiError::new(Failure::text(Kind::Unavailable, e.to_string())),
    }
}

/// Answers a remote read with samples; chunks, which only Prometheus' own format could fill, are not
/// offered, so every client falls back to these.
pub(super) async fn read(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let body = read_counted(request.into_body(), crate::api::problem::BODY_LIMIT, &app.memory).await?;
    let body = match app.engine.queries().remote_read(body).await {
        Ok(body) => body,
        Err(read::ReadError::Query(e)) => return Err(e.into()),
        Err(read::ReadError::Request(e)) => return Err(e.into()),
        Err(e @ (read::ReadError::Matcher(_) | read::ReadError::TooLarge)) => {
            return Err(ApiError::new(Failure::text(Kind::Usage, Chain(&e).to_string())));
        }
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")),
        (CONTENT_ENCODING, HeaderValue::from_static("snappy")),
    ];
    Ok((headers, body).into_response())
}
