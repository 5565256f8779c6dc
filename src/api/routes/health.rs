//! Ourselves: health for supervisors, metrics, and the description of this interface.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::routes::OPENAPI;

/// The text format that every reader of metrics knows.
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
/// OpenMetrics 1.0's own content type.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// 503 while there is nothing to show yet or any more; complaints alone do not make us unhealthy,
/// because a restart would not cure them.
pub(super) async fn health(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let board = app.engine.board();
    let board = board.borrow();
    let complaints = &board.engine.complaints;
    let (code, word) = match () {
        () if app.closing.token.is_cancelled() => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        () if board.rev == 0 => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        () if complaints.is_empty() => (StatusCode::OK, "ok"),
        () => (StatusCode::OK, "degraded"),
    };
    let body = json!({
        "status": word,
        "complaints": complaints,
        "version": env!("CARGO_PKG_VERSION"),
        "started": board.server.started,
        "monitors": board.engine.monitors,
    });
    (code, Json(body))
}

pub(super) async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let ready = app.engine.board().borrow().rev > 0 && !app.closing.token.is_cancelled();
    match ready {
        true => (StatusCode::OK, Json(json!({"status": "ok"}))),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not ready"}))),
    }
}

/// OpenMetrics for those who ask for it, as Prometheus does; the older text format for everybody else.
pub(super) async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let text = app.engine.metrics();
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
    if accept.contains("application/openmetrics-text") {
        return ([(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS))], text).into_response();
    }
    ([(CONTENT_TYPE, HeaderValue::from_static(PLAIN))], plain(&text)).into_response()
}

/// OpenMetrics text in the format before it: a counter is described under the name of its sample, and
/// units and the end mark do not exist.
fn plain(openmetrics: &str) -> String {
    let counters: HashSet<&str> =
        openmetrics.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut out = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), _) => continue,
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name)) if counters.contains(name) => {
                out.extend(["# ", what, " ", name, "_total ", words.next().unwrap_or("")]);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], OPENAPI).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_names_counters_by_their_samples() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"1\"} 2\n\
                    # HELP s_seconds Time it took.\n# TYPE s_seconds gauge\n# UNIT s_seconds seconds\ns_seconds 1.5\n# EOF\n";
        let want = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 2\n\
                    # HELP s_seconds Time it took.\n# TYPE s_seconds gauge\ns_seconds 1.5\n";
        assert_eq!(plain(open), want);
    }
}
