//! How available monitors were.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use crate::api::App;
use crate::api::problem::{ApiError, Params};
use crate::api::routes::board::ask;
use crate::base::time::Timestamp;
use crate::engine::sla::Ask;
use crate::wire::sla::SlaReport;

/// A month of many monitors is many samples to read; the engine itself gives up before.
const ANSWER: Duration = Duration::from_secs(130);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlaParams {
    month: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    timezone: Option<String>,
    filter: Option<String>,
}

pub(super) async fn sla(
    State(app): State<App>,
    Params(params): Params<SlaParams>,
) -> Result<Json<SlaReport>, ApiError> {
    let SlaParams { month, from, to, timezone, filter } = params;
    Ok(Json(ask(app.engine.sla(Ask { month, from, to, timezone, filter }), ANSWER).await?))
}
