//! Commands: probe now, reload, and the reports of heartbeat jobs.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::problem::{ApiError, Name, Params, Payload};
use crate::api::routes::board::ask;
use crate::base::failure::{Failure, Kind};
use crate::wire::api::{ProbeResult, Push, PushStatus, Reloaded};

/// A probe with all its retries; the engine ends it by the monitor's own deadline before.
const RUN: Duration = Duration::from_secs(170);
/// Thousands of files on a slow disk.
const RELOAD: Duration = Duration::from_secs(120);
/// Recording one report.
const PUSH: Duration = Duration::from_secs(10);
/// Longest message of a report.
const MESSAGE_LIMIT: usize = 1_024;

pub(super) async fn run(State(app): State<App>, Name(name): Name) -> Result<Json<ProbeResult>, ApiError> {
    Ok(Json(ask(app.engine.run_now(&name), RUN).await?))
}

pub(super) async fn reload(State(app): State<App>) -> Result<Json<Reloaded>, ApiError> {
    Ok(Json(ask(app.engine.reload(), RELOAD).await?))
}

/// What a report may say in its query string, for jobs that have nothing but `curl`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushParams {
    token: Option<String>,
    status: Option<PushStatus>,
    msg: Option<String>,
}

pub(super) async fn push_query(
    State(app): State<App>,
    Name(name): Name,
    Params(params): Params<PushParams>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    report(&app, &name, params, &headers, Push::default()).await
}

pub(super) async fn push(
    State(app): State<App>,
    Name(name): Name,
    Params(params): Params<PushParams>,
    headers: HeaderMap,
    Payload(body): Payload<Push>,
) -> Result<Json<Value>, ApiError> {
    report(&app, &name, params, &headers, body).await
}

async fn report(
    app: &App,
    name: &str,
    params: PushParams,
    headers: &HeaderMap,
    body: Push,
) -> Result<Json<Value>, ApiError> {
    let bearer = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(bearer);
    let Some(token) = bearer.or(params.token.as_deref()) else {
        let failure = Failure::text(Kind::Forbidden, "a report needs the monitor's token");
        return Err(ApiError::new(failure.hint("send `authorization: Bearer TOKEN`, or `?token=TOKEN`")));
    };
    let mut push = Push { status: params.status.unwrap_or(body.status), message: params.msg.unwrap_or(body.message) };
    push.message.truncate(push.message.floor_char_boundary(MESSAGE_LIMIT));
    ask(app.engine.push(name, token, push), PUSH).await?;
    Ok(Json(json!({"ok": true})))
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
