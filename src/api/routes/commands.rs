//! Commands: probe now, reload, and the reports of heartbeat jobs.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::problem::{ApiError, BODY_LIMIT, Name, Params, Payload};
use crate::api::routes::board::ask;
use crate::api::{App, body};
use crate::base::failure::{Failure, Kind};
use crate::base::probe::Call;
use crate::base::term_safe::term_safe;
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

/// What a webhook's address may hold, for senders that can set nothing else.
#[derive(Default, Deserialize)]
pub(super) struct WebhookParams {
    token: Option<String>,
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

/// Healthchecks' words in the path, with what the job printed as the body: `start`, `success`, `fail`, or an exit
/// code.
pub(super) async fn push_word(
    State(app): State<App>,
    Path((name, word)): Path<(String, String)>,
    Params(params): Params<PushParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (status, exit_code) = match word.as_str() {
        "start" => (PushStatus::Start, None),
        "success" => (PushStatus::Up, None),
        "fail" => (PushStatus::Down, None),
        code => match code.parse::<u8>() {
            Ok(0) => (PushStatus::Up, Some(0)),
            Ok(code) => (PushStatus::Down, Some(i32::from(code))),
            Err(_) => {
                let failure = Failure::text(Kind::Usage, format!("`{}` is not a sort of report", term_safe(code)));
                return Err(ApiError::new(failure.hint("write `start`, `success`, `fail`, or an exit code, 0 to 255")));
            }
        },
    };
    let log = body::read(body, BODY_LIMIT).await?;
    let log = String::from_utf8_lossy(&log).into_owned();
    report(&app, &name, params, &headers, Push { status, exit_code, log, ..Push::default() }).await
}

/// Another system's call, whatever its body.
pub(super) async fn webhook(
    State(app): State<App>,
    Name(name): Name,
    Params(params): Params<WebhookParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let bytes = body::read(body, BODY_LIMIT).await?;
    let texts: Vec<(&str, &str)> =
        headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let call = Call { headers: &texts, token: params.token.as_deref(), body: &bytes };
    let events = ask(app.engine.webhook(&name, call), PUSH).await?;
    Ok(Json(json!({"ok": true, "events": events})))
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
    let (status, message) = (params.status.unwrap_or(body.status), params.msg.unwrap_or(body.message));
    let mut push = Push { status, message, ..body };
    push.message.truncate(push.message.floor_char_boundary(MESSAGE_LIMIT));
    ask(app.engine.push(name, token, push), PUSH).await?;
    Ok(Json(json!({"ok": true})))
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
