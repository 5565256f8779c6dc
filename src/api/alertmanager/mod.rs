//! Alertmanager's HTTP API, version 2: what amtool, karma and alerting Prometheus servers expect, word for
//! word. An error is a JSON string, as there.

mod config;

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use crate::alert::matchers::Matchers;
use crate::api::App;
use crate::api::prometheus::params::Form;
use crate::api::routes::Route;
use crate::base::labels::Labels;
use crate::base::matcher::{MatchOp, Matcher};
use crate::engine::alerting::MAX_MATCHERS;
use crate::engine::handle::EngineError;
use crate::wire::alerting::{SilenceRequest, SilenceState};
use crate::wire::alertmanager::{
    AlertState, ClusterStatus, ConfigText, GettableAlert, GettableSilence, PostableAlert, PostableSilence,
    ReceiverName, SilenceMatcher, StatusReply, VersionInfo,
};

/// How long the engine may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The routes of this dialect.
pub(in crate::api) fn table() -> Vec<Route> {
    vec![
        ("/api/v2/status", &["get"], get(status)),
        ("/api/v2/receivers", &["get"], get(receivers)),
        ("/api/v2/alerts", &["get", "post"], get(alerts).post(receive)),
        ("/api/v2/alerts/groups", &["get"], get(groups)),
        ("/api/v2/silences", &["get", "post"], get(silences).post(set_silence)),
        ("/api/v2/silence/{id}", &["get", "delete"], get(silence).delete(expire)),
        ("/-/healthy", &["get"], get(healthy)),
        ("/-/ready", &["get"], get(healthy)),
    ]
}

/// A refusal in Alertmanager's form.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

impl From<EngineError> for Refused {
    fn from(e: EngineError) -> Self {
        let status = match e {
            EngineError::Refused(_) | EngineError::NotSo(_) | EngineError::Ambiguous { .. } => StatusCode::BAD_REQUEST,
            EngineError::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            EngineError::NoSuchSilence(_) | EngineError::NoSuchAlert { .. } => StatusCode::NOT_FOUND,
            EngineError::Busy | EngineError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, e.to_string())
    }
}

async fn ask<T>(reply: impl Future<Output = Result<T, EngineError>>) -> Result<T, Refused> {
    match tokio::time::timeout(ANSWER, reply).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Refused(StatusCode::SERVICE_UNAVAILABLE, "the engine did not answer in time".to_owned())),
    }
}

fn bad(text: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, text.into())
}

fn parsed<T: serde::de::DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|e| bad(format!("parsing body failed: {e}")))
}

async fn healthy() -> &'static str {
    "OK"
}

/// Which alerts are wanted.
struct Wanted {
    matchers: Vec<Matchers>,
    receiver: Option<Matcher>,
    active: bool,
    silenced: bool,
    inhibited: bool,
    muted: bool,
}

impl Wanted {
    fn read(query: Option<&str>) -> Result<Self, Refused> {
        let form = Form::of_query(query.unwrap_or_default()).map_err(|_| bad("the query is not understood"))?;
        let flag = |name: &str| match form.get(name) {
            None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
            Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
            Some(other) => Err(bad(format!("{name} in query must be of type boolean: \"{other}\""))),
        };
        let receiver = form.get("receiver").filter(|r| !r.is_empty()).map(|pattern| {
            Matcher::new("receiver", MatchOp::Regex, pattern)
                .map_err(|e| bad(format!("failed to parse receiver param: {e}")))
        });
        Ok(Self {
            matchers: matchers(&form)?,
            receiver: receiver.transpose()?,
            active: flag("active")?,
            silenced: flag("silenced")?,
            inhibited: flag("inhibited")?,
            muted: flag("muted")?,
        })
    }

    fn admits(&self, alert: &GettableAlert) -> bool {
        let status = &alert.status;
        let state = (self.active || status.state != AlertState::Active)
            && (self.silenced || status.silenced_by.is_empty())
            && (self.inhibited || status.inhibited_by.is_empty())
            && (self.muted || status.muted_by.is_empty());
        let receiver =
            self.receiver.as_ref().is_none_or(|wanted| alert.receivers.iter().any(|r| wanted.matches(&r.name)));
        state && receiver && self.matchers.iter().all(|m| m.matches(&alert.labels))
    }
}

fn matchers(form: &Form) -> Result<Vec<Matchers>, Refused> {
    form.all("filter")
        .into_iter()
        .map(|text| Matchers::parse(text).map_err(|e| bad(format!("bad matcher format: {text}: {e}"))))
        .collect()
}

async fn alerts(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<Vec<GettableAlert>>, Refused> {
    let wanted = Wanted::read(query.as_deref())?;
    Ok(Json(ask(app.engine.alerting().gettable(move |a| wanted.admits(a))).await?))
}

async fn groups(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let wanted = Arc::new(Wanted::read(query.as_deref())?);
    let kept = Arc::clone(&wanted);
    let mut groups = ask(app.engine.alerting().groups(move |a| kept.admits(a))).await?;
    groups.retain(|g| wanted.receiver.as_ref().is_none_or(|w| w.matches(&g.receiver.name)));
    Ok(Json(groups).into_response())
}

async fn receive(State(app): State<App>, body: Bytes) -> Result<StatusCode, Refused> {
    let posted: Vec<PostableAlert> = parsed(&body)?;
    ask(app.engine.alerting().receive(posted)).await?;
    Ok(StatusCode::OK)
}

async fn receivers(State(app): State<App>) -> Result<Json<Vec<ReceiverName>>, Refused> {
    let names = ask(app.engine.alerting().receivers()).await?;
    Ok(Json(names.into_iter().map(|name| ReceiverName { name }).collect()))
}

async fn silences(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<Vec<GettableSilence>>, Refused> {
    let form = Form::of_query(query.as_deref().unwrap_or_default()).map_err(|_| bad("the query is not understood"))?;
    let wanted = matchers(&form)?;
    let mut found = ask(app.engine.alerting().gettable_silences()).await?;
    // As Alertmanager: a filter is matched against the silence's own matchers as if they were labels.
    found.retain(|s| {
        let labels = Labels::new(s.matchers.iter().map(|m| (m.name.as_str(), m.value.as_str())));
        wanted.iter().all(|w| w.matches(&labels))
    });
    found.sort_by(in_order);
    Ok(Json(found))
}

/// Alertmanager's order: active ones by their end, pending ones by their start, then those that are over, the latest
/// first.
fn in_order(a: &GettableSilence, b: &GettableSilence) -> Ordering {
    let rank = |s: &GettableSilence| s.status.state as u8;
    let by_time = match a.status.state {
        SilenceState::Active => a.ends_at.cmp(&b.ends_at),
        SilenceState::Pending => a.starts_at.cmp(&b.starts_at),
        SilenceState::Expired => b.ends_at.cmp(&a.ends_at),
    };
    rank(a).cmp(&rank(b)).then(by_time).then_with(|| a.id.cmp(&b.id))
}

async fn silence(State(app): State<App>, Path(id): Path<String>) -> Result<Json<GettableSilence>, Refused> {
    let found = ask(app.engine.alerting().gettable_silences()).await?;
    let none = || Refused(StatusCode::NOT_FOUND, format!("silence {id} not found"));
    found.into_iter().find(|s| s.id == id).map(Json).ok_or_else(none)
}

async fn set_silence(State(app): State<App>, body: Bytes) -> Result<Json<serde_json::Value>, Refused> {
    let posted: PostableSilence = parsed(&body)?;
    if posted.matchers.len() > MAX_MATCHERS {
        return Err(bad(format!("a silence has at most {MAX_MATCHERS} matchers")));
    }
    let text = |m: &SilenceMatcher| {
        let op = match (m.is_regex, m.is_equal) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        let matcher = Matcher::new(m.name.as_str(), op, m.value.as_str());
        matcher.map(|m| Matchers::new([m]).to_string()).map_err(|e| bad(format!("invalid label matcher: {e}")))
    };
    let request = SilenceRequest {
        id: posted.id.filter(|id| !id.is_empty()),
        matchers: posted.matchers.iter().map(text).collect::<Result<_, _>>()?,
        starts_at: Some(posted.starts_at),
        ends_at: Some(posted.ends_at),
        created_by: posted.created_by,
        comment: posted.comment,
        ..SilenceRequest::default()
    };
    let set = ask(app.engine.alerting().set_silence(request)).await?;
    Ok(Json(json!({"silenceID": set.id})))
}

async fn expire(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    ask(app.engine.alerting().expire_silence(&id)).await?;
    Ok(StatusCode::OK)
}

async fn status(State(app): State<App>) -> Result<Json<StatusReply>, Refused> {
    let setup = ask(app.engine.alerting().setup()).await?;
    let started = app.engine.board().borrow().server.started;
    Ok(Json(StatusReply {
        cluster: ClusterStatus { status: "disabled", peers: [] },
        config: ConfigText { original: config::text(&setup) },
        uptime: started,
        version_info: VersionInfo {
            version: env!("CARGO_PKG_VERSION"),
            revision: "",
            branch: "",
            build_user: "",
            build_date: "",
            go_version: "",
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::wire::alertmanager::SilenceStatus;

    #[test]
    fn silences_come_in_alertmanagers_order() {
        let at = |hours: i64| Timestamp::from_millis(hours * 3_600_000);
        let one = |id: &str, state, from, to| GettableSilence {
            id: id.to_owned(),
            status: SilenceStatus { state },
            updated_at: at(0),
            comment: String::new(),
            created_by: String::new(),
            ends_at: at(to),
            matchers: Vec::new(),
            starts_at: at(from),
        };
        let mut all = [
            one("over long ago", SilenceState::Expired, 0, 1),
            one("over", SilenceState::Expired, 0, 2),
            one("begins later", SilenceState::Pending, 8, 9),
            one("begins", SilenceState::Pending, 7, 20),
            one("ends later", SilenceState::Active, 3, 6),
            one("ends", SilenceState::Active, 4, 5),
        ];
        all.sort_by(in_order);
        let ids: Vec<&str> = all.iter().map(|s| s.id.as_str()).collect();
        assert_eq!(ids, ["ends", "ends later", "begins", "begins later", "over", "over long ago"]);
    }
}
