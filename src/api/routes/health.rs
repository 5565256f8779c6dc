//! Ourselves: health for supervisors, metrics, and the description of this interface.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::routes::OPENAPI;

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

pub(super) async fn metrics(State(app): State<App>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS))], app.engine.metrics()).into_response()
}

pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], OPENAPI).into_response()
}
