//! Our own API of alerting: acknowledge, silence, look at deliveries, ask why.

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::problem::{ApiError, Name, Params, Payload};
use crate::api::routes::board::{ask, fingerprint};
use crate::api::{App, Peer};
use crate::base::BoxFuture;
use crate::base::failure::{Failure, Kind};
use crate::base::labels::Labels;
use crate::engine::alerting::DeliveryFilter;
use crate::engine::handle::EngineError;
use crate::wire::alerting::{
    Ack, AckRequest, AlertDetail, Deliveries, DrillRequest, MaintenanceRow, NotifierRow, RouteMatch, RouteRow,
    SilencePreview, SilenceRequest, SilenceRow, TestResult, Why,
};
use crate::wire::board::DeliveryState;

/// How long the engine may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A drill waits for its deliveries.
const DRILL: Duration = Duration::from_secs(90);
/// One test message.
const TEST: Duration = Duration::from_secs(30);
/// Longest name of a person, in bytes.
const MAX_WHO: usize = 200;
/// Occurrences of maintenance in one answer; each is calculated.
const MAX_UPCOMING: usize = 100;
/// Longest comment, in bytes.
const MAX_COMMENT: usize = 4_096;

async fn answer<T: Send>(
    reply: impl Future<Output = Result<T, EngineError>> + Send,
    limit: Duration,
) -> Result<Json<T>, ApiError> {
    let boxed: BoxFuture<'_, _> = Box::pin(reply);
    Ok(Json(ask(boxed, limit).await?))
}

/// Who asks, where they do not say: the user at the other end of the socket.
fn who(said: String, peer: Option<&Peer>) -> Result<String, ApiError> {
    if said.len() > MAX_WHO {
        return Err(too_long("the name of a person", MAX_WHO));
    }
    if !said.trim().is_empty() {
        return Ok(said);
    }
    Ok(match peer {
        Some(Peer::Unix { uid }) => {
            let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(*uid)).ok().flatten();
            user.map_or_else(|| format!("uid {uid}"), |u| u.name)
        }
        Some(Peer::Tcp(address)) => address.ip().to_string(),
        None => "unknown".to_owned(),
    })
}

fn too_long(what: &str, limit: usize) -> ApiError {
    ApiError::new(Failure::text(Kind::Usage, format!("{what} has at most {limit} bytes")))
}

type From = Option<Extension<Peer>>;

pub(super) async fn detail(State(app): State<App>, Name(id): Name) -> Result<Json<AlertDetail>, ApiError> {
    answer(app.engine.alerting().detail(&id), ANSWER).await
}

pub(super) async fn acknowledge(
    State(app): State<App>,
    Name(id): Name,
    peer: From,
    Payload(request): Payload<AckRequest>,
) -> Result<Json<Ack>, ApiError> {
    if request.comment.len() > MAX_COMMENT {
        return Err(too_long("a comment", MAX_COMMENT));
    }
    let by = who(request.by, peer.as_deref())?;
    answer(app.engine.alerting().acknowledge(&id, AckRequest { by, ..request }), ANSWER).await
}

pub(super) async fn unacknowledge(State(app): State<App>, Name(id): Name) -> Result<Json<Value>, ApiError> {
    answer(app.engine.alerting().unacknowledge(&id), ANSWER).await.map(done)
}

pub(super) async fn silences(State(app): State<App>) -> Result<Json<Vec<SilenceRow>>, ApiError> {
    answer(app.engine.alerting().silences(), ANSWER).await
}

pub(super) async fn set_silence(
    State(app): State<App>,
    peer: From,
    Payload(request): Payload<SilenceRequest>,
) -> Result<Json<SilenceRow>, ApiError> {
    let created_by = who(request.created_by, peer.as_deref())?;
    answer(app.engine.alerting().set_silence(SilenceRequest { created_by, ..request }), ANSWER).await
}

pub(super) async fn preview(
    State(app): State<App>,
    Payload(request): Payload<SilenceRequest>,
) -> Result<Json<SilencePreview>, ApiError> {
    answer(app.engine.alerting().preview(request), ANSWER).await
}

pub(super) async fn expire(State(app): State<App>, Name(id): Name) -> Result<Json<Value>, ApiError> {
    answer(app.engine.alerting().expire_silence(&id), ANSWER).await.map(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaintenanceParams {
    limit: Option<usize>,
    /// One row for each occurrence to come, instead of one for each window.
    #[serde(default)]
    upcoming: bool,
}

pub(super) async fn maintenance(
    State(app): State<App>,
    Params(params): Params<MaintenanceParams>,
) -> Result<Json<Vec<MaintenanceRow>>, ApiError> {
    match params.upcoming {
        true => {
            let limit = params.limit.unwrap_or(MAX_UPCOMING).min(MAX_UPCOMING);
            answer(app.engine.alerting().upcoming_maintenance(limit), ANSWER).await
        }
        false => answer(app.engine.alerting().maintenance(params.limit.unwrap_or(1_000)), ANSWER).await,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryParams {
    before: Option<i64>,
    limit: Option<usize>,
    receiver: Option<String>,
    state: Option<DeliveryState>,
    alert: Option<String>,
}

pub(super) async fn deliveries(
    State(app): State<App>,
    Params(params): Params<DeliveryParams>,
) -> Result<Json<Deliveries>, ApiError> {
    let filter = DeliveryFilter {
        before: params.before,
        limit: params.limit.unwrap_or(100),
        notifier: params.receiver,
        state: params.state,
        alert: params.alert.as_deref().map(fingerprint).transpose()?,
    };
    answer(app.engine.alerting().deliveries(filter), ANSWER).await
}

pub(super) async fn resend(State(app): State<App>, Name(id): Name) -> Result<Json<Value>, ApiError> {
    let id = id.parse().map_err(|_| ApiError::new(Failure::text(Kind::Usage, format!("`{id}` is not a number"))))?;
    answer(app.engine.alerting().resend(id), ANSWER).await.map(done)
}

pub(super) async fn notifiers(State(app): State<App>) -> Result<Json<Vec<NotifierRow>>, ApiError> {
    answer(app.engine.alerting().notifiers(), ANSWER).await
}

pub(super) async fn test(State(app): State<App>, Name(name): Name) -> Result<Json<TestResult>, ApiError> {
    answer(app.engine.alerting().test(&name), TEST).await
}

pub(super) async fn drill(
    State(app): State<App>,
    Payload(request): Payload<DrillRequest>,
) -> Result<Json<Vec<TestResult>>, ApiError> {
    answer(app.engine.alerting().drill(request), DRILL).await
}

pub(super) async fn routes(State(app): State<App>) -> Result<Json<RouteRow>, ApiError> {
    answer(app.engine.alerting().routes(), ANSWER).await
}

pub(super) async fn route_test(
    State(app): State<App>,
    Payload(labels): Payload<Labels>,
) -> Result<Json<Vec<RouteMatch>>, ApiError> {
    answer(app.engine.alerting().route_test(labels), ANSWER).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyParams {
    about: String,
    kind: Option<String>,
}

pub(super) async fn why(State(app): State<App>, Params(params): Params<WhyParams>) -> Result<Json<Why>, ApiError> {
    answer(app.engine.alerting().why(&params.about, params.kind.as_deref()), ANSWER).await
}

fn done(_: Json<()>) -> Json<Value> {
    Json(json!({"ok": true}))
}
