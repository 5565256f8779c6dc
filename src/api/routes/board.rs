//! Reading: the board and what lies behind it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::alert::rule::Fingerprint;
use crate::api::App;
use crate::api::problem::{ApiError, Name, Params};
use crate::api::prometheus::rules::active;
use crate::base::failure::{Failure, Kind};
use crate::base::time::Timestamp;
use crate::engine::handle::{EventQuery, Reply};
use crate::wire::api::{ConfigStatus, Events, HistoryPoint, MonitorDetail};
use crate::wire::board::{AlertState, Board, EventKind};
use crate::wire::stream::Frame;

/// How long the engine may take to answer a question.
const ANSWER: Duration = Duration::from_secs(10);
/// What precedes the board in a snapshot frame; behind it comes one `}`.
const SNAPSHOT_HEAD: &str = r#"{"type":"snapshot","board":"#;

/// Waits for the engine, but not for ever: a client gets a reason, and its connection back.
pub(super) async fn ask<T>(reply: Reply<'_, T>, limit: Duration) -> Result<T, ApiError> {
    match timeout(limit, reply).await {
        Ok(answer) => Ok(answer?),
        Err(_) => {
            let message = format!("the engine did not answer within {} s", limit.as_secs());
            Err(ApiError::new(Failure::text(Kind::Unavailable, message)))
        }
    }
}

/// The current board as a snapshot frame, made once per board however many ask.
///
/// Measured with 10,000 monitors (3.4 MB) in a debug build: 390 ms to make one, 8 µs to share it.
#[derive(Default)]
pub(in crate::api) struct Snapshots {
    /// The last one made. Held while one is being made, so that others wait for it.
    last: Mutex<Option<(Arc<Board>, Bytes)>>,
}

impl Snapshots {
    /// The frame's JSON.
    pub(super) async fn frame(&self, board: &Arc<Board>) -> Result<Bytes, ApiError> {
        let mut last = self.last.lock().await;
        if let Some((made_of, bytes)) = &*last
            && Arc::ptr_eq(made_of, board)
        {
            return Ok(bytes.clone());
        }
        let frame = Frame::Snapshot { board: Box::new(Board::clone(board)) };
        let bytes = written(frame).await?;
        *last = Some((Arc::clone(board), bytes.clone()));
        Ok(bytes)
    }

    async fn board(&self, board: &Arc<Board>) -> Result<Bytes, ApiError> {
        let frame = self.frame(board).await?;
        Ok(frame.slice(SNAPSHOT_HEAD.len()..frame.len() - 1))
    }
}

/// Writes what may be long: thousands of rows take milliseconds, too long for a thread that serves
/// others.
async fn written<T: Serialize + Send + 'static>(value: T) -> Result<Bytes, ApiError> {
    match tokio::task::spawn_blocking(move || serde_json::to_vec(&value)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(e)) => Err(internal(&e)),
        Err(e) => Err(internal(&e)),
    }
}

fn as_json(bytes: Bytes) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(bytes)).into_response()
}

fn internal(e: &dyn std::error::Error) -> ApiError {
    tracing::error!(error = %e, "a reply could not be written");
    ApiError::new(Failure::text(Kind::Internal, "the reply could not be written"))
}

fn current(app: &App) -> Arc<Board> {
    Arc::clone(&app.engine.board().borrow())
}

pub(super) async fn board(State(app): State<App>) -> Result<Response, ApiError> {
    app.snapshots.board(&current(&app)).await.map(as_json)
}

pub(super) async fn monitors(State(app): State<App>) -> Result<Response, ApiError> {
    written(current(&app).monitors.clone()).await.map(as_json)
}

pub(super) async fn monitor(State(app): State<App>, Name(name): Name) -> Result<Json<MonitorDetail>, ApiError> {
    Ok(Json(ask(app.engine.monitor(&name), ANSWER).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryParams {
    limit: Option<usize>,
}

pub(super) async fn history(
    State(app): State<App>,
    Name(name): Name,
    Params(params): Params<HistoryParams>,
) -> Result<Json<Vec<HistoryPoint>>, ApiError> {
    let limit = params.limit.unwrap_or(1_000).min(10_000);
    Ok(Json(ask(app.engine.history(&name, limit), ANSWER).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventParams {
    before: Option<i64>,
    limit: Option<usize>,
    kind: Option<EventKind>,
    subject: Option<String>,
    alert: Option<String>,
    since: Option<Timestamp>,
}

pub(super) async fn events(
    State(app): State<App>,
    Params(params): Params<EventParams>,
) -> Result<Json<Events>, ApiError> {
    let query = EventQuery {
        before: params.before,
        limit: params.limit.unwrap_or(100).min(1_000),
        kind: params.kind,
        subject: params.subject,
        alert: params.alert.as_deref().map(fingerprint).transpose()?,
        since: params.since,
    };
    Ok(Json(ask(app.engine.events(query), ANSWER).await?))
}

/// The alert that a parameter names.
pub(super) fn fingerprint(text: &str) -> Result<Fingerprint, ApiError> {
    let failure = || Failure::text(Kind::Usage, format!("`{text}` is not a fingerprint of 16 hex digits"));
    Fingerprint::parse(text).ok_or_else(|| ApiError::new(failure()))
}

pub(super) async fn config(State(app): State<App>) -> Result<Json<ConfigStatus>, ApiError> {
    Ok(Json(ask(app.engine.config(), ANSWER).await?))
}

/// Prometheus' shape, which knows no alerts that are over.
pub(super) async fn alerts(State(app): State<App>) -> Json<Value> {
    let board = current(&app);
    // Those of rules come from the rules themselves, with their values.
    let mut alerts: Vec<Value> = board
        .alerts
        .iter()
        .filter(|a| a.monitor.is_some())
        .filter_map(|a| {
            let state = match a.state {
                AlertState::Pending => "pending",
                AlertState::Firing => "firing",
                AlertState::Resolved => return None,
            };
            Some(json!({
                "labels": a.labels,
                "annotations": a.annotations,
                "state": state,
                "activeAt": a.starts_at,
                // Prometheus writes the value of the alert's expression; a monitor's is whether it holds.
                "value": "1e+00",
            }))
        })
        .collect();
    alerts.extend(active(&app));
    Json(json!({"status": "success", "data": {"alerts": alerts}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Arc<Board> {
        let text = r#"{"rev":1,"at":"2025-11-23T12:13:20.120Z","server":{"instance":"","version":"","pid":1,
            "started":"2025-11-23T12:13:20.120Z","config_dir":"","http":null},"monitors":[],"alerts":[],"events":[],
            "engine":{"monitors":0,"lag_p99":0,"missed_slots":0,"outbox":0,"receivers":0,"problems":0,
            "config_loaded":null,"complaints":[]},"verdict":{"worst":null,"sentence":"","since":null,
            "first_to_break":null}}"#;
        Arc::new(serde_json::from_str(text).unwrap())
    }

    #[tokio::test]
    async fn a_snapshot_is_made_once_and_holds_the_board() {
        let (snapshots, board) = (Snapshots::default(), empty());
        let first = snapshots.frame(&board).await.unwrap();
        assert!(first.starts_with(SNAPSHOT_HEAD.as_bytes()));
        assert_eq!(snapshots.frame(&board).await.unwrap().as_ptr(), first.as_ptr());
        let alone = snapshots.board(&board).await.unwrap();
        assert_eq!(alone, serde_json::to_vec(&*board).unwrap());
        let next = Arc::new(Board { rev: 2, ..Board::clone(&board) });
        assert_ne!(snapshots.board(&next).await.unwrap(), alone);
    }
}
