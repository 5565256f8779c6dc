//! Refuses what a foreign web page could make a browser send, bodies that are too large or not JSON,
//! and turns panics into replies.
//!
//! A page cannot read our replies (no CORS headers are ever sent), but it can send requests to
//! `localhost`. Three checks stand against that: `Host` must name this machine (DNS rebinding makes a
//! foreign name resolve to 127.0.0.1), `Origin` must be our own wherever something is changed or a
//! WebSocket opened, and bodies must be declared JSON, which a form cannot do. Prometheus' dialect takes
//! forms and samples; there the origin decides alone, which browsers send with every `POST`.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, UPGRADE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method};
use hyper::body::Body;
use tokio::time::Instant;

use crate::api::Peer;
use crate::api::body::too_large_for;
use crate::api::problem::{ApiError, BODY_LIMIT, not_json};
use crate::api::prometheus;
use crate::base::failure::{Failure, Kind};
use crate::base::term_safe::term_safe;
use crate::engine::intake::MAX_BODY;

/// Paths whose bodies are not JSON, and are larger: samples pushed in.
const SAMPLES: [&str; 3] = ["/api/v1/write", "/api/v1/import/prometheus", "/api/v1/read"];
/// Where reports go, each with its token.
const PUSH: &str = "/api/v1/push/";
/// Where other systems' events go, each with its token or signature.
const WEBHOOK: &str = "/api/v1/webhook/";

/// Paths whose bodies are of any type: what a job printed, and what other systems send. A foreign page has
/// neither token nor signature, which the handlers ask for.
fn takes_anything(path: &str) -> bool {
    path.starts_with(WEBHOOK) || path.strip_prefix(PUSH).is_some_and(|rest| rest.contains('/'))
}

/// Checks a request, has it answered, and completes the reply's headers.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reply = match check(&request) {
        Err(e) => e.into_response(),
        Ok(()) => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(reply) => reply,
            Err(_) => {
                tracing::error!(%method, path = %term_safe(&path), "a request's handler panicked");
                ApiError::new(Failure::text(Kind::Internal, "the server made a mistake")).into_response()
            }
        },
    };
    tracing::debug!(%method, path = %term_safe(&path), status = reply.status().as_u16(), took = ?start.elapsed(), "request");
    finish(reply)
}

/// State must not be kept by caches, nor be taken for something else by a browser.
fn finish(mut reply: Response) -> Response {
    let headers = reply.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    reply
}

fn check(request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    let host = request.uri().authority().map(http::uri::Authority::as_str).or_else(|| text(headers, &HOST));
    match request.extensions().get::<Peer>() {
        Some(Peer::Unix { .. }) => {}
        Some(Peer::Tcp(_)) | None => check_host(host)?,
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // A foreign page could not read a stream either, but would take the place of one.
    if changes || headers.contains_key(UPGRADE) || request.uri().path() == "/api/v1/stream" {
        check_origin(headers, host)?;
    }
    if changes {
        check_body(request)?;
    }
    Ok(())
}

fn check_host(host: Option<&str>) -> Result<(), ApiError> {
    if host.is_some_and(names_this_machine) {
        return Ok(());
    }
    let shown = term_safe(host.unwrap_or("nothing")).into_owned();
    let failure = Failure::text(Kind::Forbidden, format!("`Host` names `{shown}`, not this machine"));
    Err(ApiError::new(failure.hint("use `localhost` or a loopback address")))
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Programs send no `Origin`; a browser sends the page's, which must be our own.
fn check_origin(headers: &HeaderMap, host: Option<&str>) -> Result<(), ApiError> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if own.is_some_and(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(host))) {
        return Ok(());
    }
    let shown = term_safe(origin).into_owned();
    Err(ApiError::new(Failure::text(Kind::Forbidden, format!("pages of `{shown}` may not do this"))))
}

fn check_body(request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    let declared = text(headers, &CONTENT_LENGTH).and_then(|l| l.parse::<u64>().ok());
    let path = request.uri().path();
    let samples = SAMPLES.contains(&path);
    let limit = if samples { MAX_BODY } else { BODY_LIMIT };
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large_for(limit));
    }
    if samples || takes_anything(path) || prometheus::takes_forms(path) {
        // Which type it is to be is the handler's business.
        return Ok(());
    }
    let kind = headers.get(CONTENT_TYPE);
    // `curl -d ''` declares a form even when it is empty; a report's token is proof enough there.
    if request.body().is_end_stream() && (kind.is_none() || path.starts_with(PUSH)) {
        return Ok(());
    }
    let essence = kind.and_then(|k| k.to_str().ok()).and_then(|k| k.split(';').next()).unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(not_json(kind)) }
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_this_machine() {
        #[track_caller]
        fn check(host: &str, ok: bool) {
            assert_eq!(names_this_machine(host), ok, "{host}");
        }
        check("localhost", true);
        check("LOCALHOST:8080", true);
        check("127.0.0.1:8080", true);
        check("127.8.9.1", true);
        check("[::1]:8080", true);
        check("[::1]", true);
        check("", false);
        check("evil.example:8080", false);
        check("localhost.evil.example", false);
        check("127.0.0.1.evil.example", false);
        check("192.0.2.1:8080", false);
        check("[2001:db8::1]:80", false);
    }

    #[test]
    fn origins_that_may_change_something() {
        #[track_caller]
        fn check(origin: Option<&'static str>, ok: bool) {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(check_origin(&headers, Some("localhost:8080")).is_ok(), ok, "{origin:?}");
        }
        check(None, true);
        check(Some("http://localhost:8080"), true);
        check(Some("http://localhost:9999"), false);
        check(Some("http://evil.example"), false);
        check(Some("null"), false);
    }
}
