//! Which series, labels, values and metrics there are.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::api::App;
use crate::api::problem::{ApiError, Name};
use crate::api::prometheus::json;
use crate::api::prometheus::params::{Form, bad};
use crate::api::prometheus::written;
use crate::engine::query::names::Of;

/// A list of more entries is written on a blocking thread.
const LONG: usize = 1_000;

async fn of(app: &App, form: &Form) -> Result<Of, ApiError> {
    let sets = form.selectors(app.engine.queries()).await?;
    let (start, end) = form.span()?;
    Ok(Of { sets, start, end, limit: form.limit("limit")? })
}

pub(super) async fn series(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let of = of(&app, &form).await?;
    if of.sets.is_empty() {
        return Err(bad("no match[] parameter provided"));
    }
    let (found, more) = app.engine.queries().series(of).await?;
    written(&headers, found.len() > LONG, move || list(&found, more, json::labels)).await
}

pub(super) async fn labels(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let (found, more) = app.engine.queries().label_names(of(&app, &form).await?).await?;
    written(&headers, found.len() > LONG, move || list(&found, more, |out, name| json::string(out, name))).await
}

pub(super) async fn values(
    State(app): State<App>,
    Name(name): Name,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, ApiError> {
    let name = unescaped(&name);
    if name.is_empty() {
        return Err(bad("invalid label name: \"\""));
    }
    let (found, more) = app.engine.queries().label_values(name, of(&app, &form).await?).await?;
    written(&headers, found.len() > LONG, move || list(&found, more, |out, value| json::string(out, value))).await
}

/// Decodes a name that had to be squeezed into the older alphabet: `U__my_2e_name` is `my.name`, a
/// doubled underscore is one. What is not such a name stays as it is.
fn unescaped(name: &str) -> String {
    let Some(mut rest) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::with_capacity(rest.len());
    while let Some((plain, after)) = rest.split_once('_') {
        out.push_str(plain);
        if let Some(after) = after.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let code = after.split_once('_').filter(|(hex, _)| (1..=6).contains(&hex.len()));
        let decoded = code.and_then(|(hex, after)| Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, after)));
        let Some((c, after)) = decoded else { return name.to_owned() };
        out.push(c);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn list<T>(found: &[T], more: bool, write: impl Fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + found.len() * 32);
    out.extend_from_slice(json::SUCCESS);
    out.push(b'[');
    for (i, item) in found.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(&mut out, item);
    }
    out.push(b']');
    json::texts(&mut out, "warnings", more.then_some(json::TRUNCATED));
    out.push(b'}');
    out
}

pub(super) async fn metadata(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    // One description per metric is kept, so `limit_per_metric` has nothing to cut.
    form.number("limit_per_metric")?;
    // Zero is no metric at all here, as for Prometheus; what is below is no limit.
    let limit = form.number("limit")?.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let intake = Arc::clone(app.engine.intake());
    let metric = form.get("metric").map(str::to_owned);
    let write = move || {
        let all = intake.metadata(metric.as_deref(), limit);
        let mut out = Vec::with_capacity(64 + all.len() * 128);
        out.extend_from_slice(json::SUCCESS);
        out.push(b'{');
        for (i, (metric, meta)) in all.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json::string(&mut out, metric);
            for (key, text) in
                [(&b":[{\"type\":"[..], meta.kind.word()), (b",\"help\":", &meta.help), (b",\"unit\":", &meta.unit)]
            {
                out.extend_from_slice(key);
                json::string(&mut out, text);
            }
            out.extend_from_slice(b"}]");
        }
        out.extend_from_slice(b"}}");
        out
    };
    written(&headers, true, write).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_decoded() {
        #[track_caller]
        fn check(name: &str, want: &str) {
            assert_eq!(unescaped(name), want);
        }
        check("job", "job");
        check("U__my_2e_name", "my.name");
        check("U__a__b", "a_b");
        check("U___1f600_", "😀");
        check("U__broken_zz_", "U__broken_zz_");
        check("U__open_2e", "U__open_2e");
        check("U__too_1234567_long", "U__too_1234567_long");
        check("U__plain", "plain");
    }
}
