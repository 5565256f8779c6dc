//! Deletion of series. Whoever reaches this server may do everything, so this needs no switch.

use axum::extract::State;
use axum::response::Response;

use crate::api::App;
use crate::api::problem::ApiError;
use crate::api::prometheus::nothing;
use crate::api::prometheus::params::{Form, bad};

pub(super) async fn delete(State(app): State<App>, form: Form) -> Result<Response, ApiError> {
    let sets = form.selectors(app.engine.queries()).await?;
    if sets.is_empty() {
        return Err(bad("no match[] parameter provided"));
    }
    let (start, end) = form.span()?;
    app.engine.queries().delete(sets, start, end).await?;
    Ok(nothing())
}

pub(super) async fn clean(State(app): State<App>) -> Result<Response, ApiError> {
    app.engine.queries().clean_tombstones().await?;
    Ok(nothing())
}
