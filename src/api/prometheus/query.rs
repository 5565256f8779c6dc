//! `query`, `query_range` and what else takes a query's text.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::api::App;
use crate::api::body::{packed, reply, takes_gzip};
use crate::api::problem::ApiError;
use crate::api::prometheus::json;
use crate::api::prometheus::params::{Form, bad};
use crate::api::prometheus::{JSON, LONG_TEXT, written};
use crate::engine::query::{Ask, Done};
use crate::promql::ast::Expr;
use crate::promql::parser::{Features, parse_query};
use crate::promql::printer;
use crate::promql::tree_json::tree_json;
use crate::promql::value::Times;

/// Most steps of a range: enough for a screen full of pixels, and Prometheus' own limit.
const MAX_POINTS: i64 = 11_000;
/// Longest formatted query, in bytes.
const MAX_PRETTY: usize = 4 << 20;

pub(super) async fn instant(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let limit = form.limit("limit")?;
    let at = form.time("time")?.unwrap_or(app.clock.now().millis());
    let ask = ask(&form, Times::Instant(at))?;
    answer(&app, &headers, &form, ask, limit).await
}

pub(super) async fn range(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let limit = form.limit("limit")?;
    let (start, end) = (form.need_time("start")?, form.need_time("end")?);
    if end < start {
        return Err(bad("invalid parameter \"end\": end timestamp must not be before start time"));
    }
    let step = form.duration("step")?;
    let step = step.ok_or_else(|| bad("invalid parameter \"step\": cannot parse \"\" to a valid duration"))?;
    if step <= 0 {
        return Err(bad(
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. \
             Try a positive integer",
        ));
    }
    if (end - start) / step > MAX_POINTS {
        return Err(bad("exceeded maximum resolution of 11,000 points per timeseries. \
             Try decreasing the query resolution (?step=XX)"));
    }
    let ask = ask(&form, Times::Range { start, end, step })?;
    answer(&app, &headers, &form, ask, limit).await
}

fn ask(form: &Form, at: Times) -> Result<Ask, ApiError> {
    Ok(Ask {
        text: form.query(),
        at,
        lookback: form.positive("lookback_delta")?.filter(|d| !d.is_zero()),
        timeout: form.positive("timeout")?,
        resolution: form.resolution()?,
    })
}

/// The answer is written, and compressed, where it was found: a long one on a blocking thread.
async fn answer(app: &App, headers: &HeaderMap, form: &Form, ask: Ask, limit: usize) -> Result<Response, ApiError> {
    let stats = form.get("stats").is_some();
    let gzip = takes_gzip(headers);
    let write = move |done: Done| packed(json::answer(&done, limit, stats), gzip);
    Ok(reply(app.engine.queries().answer(ask, write).await?, JSON))
}

/// No exemplars are kept.
pub(super) async fn exemplars(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let (start, end) = (form.need_time("start")?, form.need_time("end")?);
    if end < start {
        return Err(bad("invalid parameter \"end\": end timestamp must not be before start timestamp"));
    }
    parsed(&app, &form, Features::all(), |_| ()).await?;
    written(&headers, false, || br#"{"status":"success","data":[]}"#.to_vec()).await
}

pub(super) async fn format(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let features = app.engine.queries().features();
    let text = parsed(&app, &form, features, printer::pretty).await?;
    // Deeply nested, a query is indented to many times its length.
    if text.len() > MAX_PRETTY {
        return Err(bad(format!("the formatted query would have {} bytes, more than {MAX_PRETTY}", text.len())));
    }
    let long = text.len() > LONG_TEXT;
    let write = move || {
        let mut out = json::SUCCESS.to_vec();
        json::string(&mut out, &text);
        out.push(b'}');
        out
    };
    written(&headers, long, write).await
}

pub(super) async fn parse(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let features = app.engine.queries().features();
    let tree = parsed(&app, &form, features, |expr| tree_json(expr).to_string()).await?;
    let long = tree.len() > LONG_TEXT;
    written(&headers, long, move || [json::SUCCESS, tree.as_bytes(), b"}"].concat()).await
}

/// What `make` makes of the query.
async fn parsed<T: Send + 'static>(
    app: &App,
    form: &Form,
    features: Features,
    make: fn(&Expr) -> T,
) -> Result<T, ApiError> {
    let text = form.query();
    let made = app.engine.queries().reading(text.len(), move || parse_query(&text, features).map(|expr| make(&expr)));
    Ok(made.await?)
}
