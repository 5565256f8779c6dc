//! `/api/v1/rules` and the alerts of rules, in Prometheus' shape.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::App;
use crate::api::problem::ApiError;
use crate::api::prometheus::params::{Form, bad};
use crate::api::prometheus::success;
use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::base::time::Timestamp;
use crate::engine::ruler::GroupView;
use crate::engine::ruler::report::{ActiveAlert, GroupStatus, RuleStatus};
use crate::promql::parser::parse_series_selectors;
use crate::wire::alerting::RuleRow;

/// What Go writes for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
struct GroupOut {
    name: String,
    file: String,
    rules: Vec<RuleOut>,
    interval: f64,
    limit: usize,
    #[serde(rename = "evaluationTime")]
    evaluation_time: f64,
    #[serde(rename = "lastEvaluation")]
    last_evaluation: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RuleOut {
    Alerting(Box<AlertingOut>),
    Recording(Box<RecordingOut>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertingOut {
    state: &'static str,
    name: String,
    query: String,
    duration: f64,
    keep_firing_for: f64,
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    alerts: Option<Vec<AlertOut>>,
    #[serde(flatten)]
    health: HealthOut,
    r#type: &'static str,
}

#[derive(Serialize)]
struct RecordingOut {
    name: String,
    query: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    labels: Map<String, Value>,
    #[serde(flatten)]
    health: HealthOut,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthOut {
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    evaluation_time: f64,
    last_evaluation: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertOut {
    labels: Labels,
    annotations: Labels,
    state: &'static str,
    active_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<Timestamp>,
    value: String,
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NEVER.to_owned(), |t| t.to_string())
}

impl From<&ActiveAlert> for AlertOut {
    fn from(a: &ActiveAlert) -> Self {
        Self {
            labels: a.labels.clone(),
            annotations: a.annotations.clone(),
            state: a.state.as_str(),
            active_at: a.active_at,
            keep_firing_since: a.keep_firing_since,
            value: exponent(a.value),
        }
    }
}

/// Go's `FormatFloat(v, 'e', -1, 64)`.
fn exponent(v: f64) -> String {
    match v {
        v if v.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        v => {
            let text = format!("{v:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |e| ("-", e));
            format!("{digits}e{sign}{exponent:0>2}")
        }
    }
}

fn health(status: &RuleStatus) -> HealthOut {
    HealthOut {
        health: status.health.as_str(),
        last_error: status.last_error.as_deref().map(str::to_owned),
        evaluation_time: status.took.as_secs_f64(),
        last_evaluation: time(status.last_evaluation),
    }
}

/// What a request leaves out.
struct Filter {
    alerting: bool,
    recording: bool,
    names: HashSet<String>,
    groups: HashSet<String>,
    files: HashSet<String>,
    matchers: Vec<Vec<Matcher>>,
    alerts: bool,
}

impl Filter {
    fn of(form: &Form) -> Result<Self, ApiError> {
        let set = |name: &str| form.all(name).into_iter().filter(|v| !v.is_empty()).map(str::to_owned).collect();
        let kind = form.get("type").unwrap_or_default().to_ascii_lowercase();
        if !matches!(kind.as_str(), "" | "alert" | "record") {
            return Err(bad(format!("invalid parameter \"type\": not supported value {kind:?}")));
        }
        let alerts = match form.get("exclude_alerts").map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "f" | "0") => true,
            Some("true" | "t" | "1") => false,
            Some(_) => return Err(bad("invalid parameter \"exclude_alerts\": error converting exclude_alerts")),
        };
        let matchers = parse_series_selectors(&form.all("match[]"))
            .map_err(|e| bad(format!("invalid parameter \"match[]\": {e}")))?;
        Ok(Self {
            alerting: kind != "record",
            recording: kind != "alert",
            names: set("rule_name[]"),
            groups: set("rule_group[]"),
            files: set("file[]"),
            matchers,
            alerts,
        })
    }

    fn group(&self, view: &GroupView) -> bool {
        let all = |set: &HashSet<String>, value: &str| set.is_empty() || set.contains(value);
        all(&self.groups, &view.group.name) && all(&self.files, &view.group.file)
    }

    /// Labels that are templates match nothing, as in Prometheus.
    fn labels(&self, labels: &[(String, Option<&str>)]) -> bool {
        let value = |name: &str| labels.iter().find(|(k, _)| k == name).map_or(Some(""), |(_, v)| *v);
        let all = |set: &Vec<Matcher>| set.iter().all(|m| value(m.name()).is_some_and(|v| m.matches(v)));
        self.matchers.is_empty() || self.matchers.iter().any(all)
    }

    fn out(&self, view: &GroupView) -> GroupOut {
        let status: std::sync::Arc<GroupStatus> = view.status.load_full();
        let rules = view.group.rules.iter().zip(&status.rules).filter_map(|(rule, status)| {
            if !self.names.is_empty() && !self.names.contains(&rule.name) {
                return None;
            }
            let plain: Vec<(String, Option<&str>)> = rule.labels.iter().map(|(k, v)| (k.clone(), v.fixed())).collect();
            if !self.labels(&plain) {
                return None;
            }
            let labels = rule.labels.iter().map(|(k, v)| (k.clone(), v.source().into())).collect();
            let query = rule.shown();
            match rule.alerting() {
                Some(alerting) if self.alerting => Some(RuleOut::Alerting(Box::new(AlertingOut {
                    state: status.state().as_str(),
                    name: rule.name.clone(),
                    query,
                    duration: alerting.policy.hold.as_secs_f64(),
                    keep_firing_for: alerting.policy.keep_firing_for.as_secs_f64(),
                    labels,
                    annotations: alerting.annotations.iter().map(|(k, v)| (k.clone(), v.source().into())).collect(),
                    alerts: self.alerts.then(|| status.alerts.iter().map(AlertOut::from).collect()),
                    health: health(status),
                    r#type: "alerting",
                }))),
                None if self.recording => Some(RuleOut::Recording(Box::new(RecordingOut {
                    name: rule.name.clone(),
                    query,
                    labels,
                    health: health(status),
                    r#type: "recording",
                }))),
                Some(_) | None => None,
            }
        });
        GroupOut {
            name: view.group.name.clone(),
            file: view.group.file.clone(),
            rules: rules.collect(),
            interval: view.group.interval.as_secs_f64(),
            limit: view.group.limit,
            evaluation_time: status.took.as_secs_f64(),
            last_evaluation: time(status.last_evaluation),
        }
    }
}

/// Where a page begins: a name for a group that says nothing about it.
fn token(view: &GroupView) -> String {
    let labels = Labels::new([("file", view.group.file.as_str()), ("name", view.group.name.as_str())]);
    format!("{:016x}", labels.fingerprint())
}

pub(super) async fn rules(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let data = page(&app.engine.rules().groups(), &form)?;
    success(&headers, &data).await
}

/// The groups that a request asks for.
fn page(groups: &[std::sync::Arc<GroupView>], form: &Form) -> Result<Value, ApiError> {
    let filter = Filter::of(form)?;
    let (limit, from) = (form.get("group_limit"), form.get("group_next_token"));
    let limit = match limit.map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(n)) if n > 0 => n,
        Some(_) => return Err(bad("invalid parameter \"group_limit\": group_limit needs to be a valid number")),
    };
    if from.is_some() && limit == usize::MAX {
        return Err(bad(
            "invalid parameter \"group_limit\": group_limit needs to be set in order to paginate over the groups",
        ));
    }
    let mut wanted = groups.iter().filter(|view| filter.group(view)).peekable();
    if let Some(from) = from {
        while wanted.next_if(|view| token(view) != from).is_some() {}
        if wanted.peek().is_none() {
            return Err(bad(format!(
                "invalid parameter \"group_next_token\": invalid group_next_token '{from}'. were rule groups changed?"
            )));
        }
    }
    let mut out = Vec::new();
    let mut next = None;
    for view in wanted {
        let group = filter.out(view);
        if group.rules.is_empty() {
            continue;
        }
        if out.len() == limit {
            next = Some(token(view));
            break;
        }
        out.push(group);
    }
    let mut data = json!({ "groups": out });
    if let Some(next) = next {
        data["groupNextToken"] = next.into();
    }
    Ok(data)
}

/// The active alerts of all rules.
pub(in crate::api) fn active(app: &App) -> Vec<Value> {
    let groups = app.engine.rules().groups();
    let mut out = Vec::new();
    for view in groups.iter() {
        let status = view.status.load();
        let alerts = status.rules.iter().flat_map(|r| r.alerts.iter());
        out.extend(alerts.filter_map(|a| serde_json::to_value(AlertOut::from(a)).ok()));
    }
    out
}

/// All rules, one row each.
pub(super) async fn list(State(app): State<App>) -> Json<Vec<RuleRow>> {
    Json(app.engine.alerting().rules().await)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use arc_swap::ArcSwap;

    use super::*;
    use crate::alert::evaluation::State as AlertState;
    use crate::config::report::Source;
    use crate::config::resolve::FromSystem;
    use crate::config::rules::read;
    use crate::engine::ruler::report::Health;

    const TEXT: &str = r#"
groups:
- name: a
  interval: 30s
  rules:
  - {alert: High, expr: 'x>5', for: 10m, labels: {severity: page, who: "{{ $value }}"}, annotations: {s: "{{ $value }}"}}
  - {record: "job:x", expr: sum(x), labels: {team: web}}
- name: b
  rules: [{alert: Low, expr: 'x < 1'}]
- name: empty
"#;

    fn views() -> Vec<Arc<GroupView>> {
        let resolver = FromSystem::new(std::path::Path::new("/nonexistent"));
        let groups = read(&Source::new("rules.d/t.yaml", TEXT), &resolver).groups;
        let at = Timestamp::from_millis(1_700_000_000_000);
        let alert = ActiveAlert {
            labels: Labels::new([("alertname", "High")]),
            annotations: Labels::new([("s", "7")]),
            state: AlertState::Firing,
            active_at: at,
            keep_firing_since: None,
            value: 7.0,
        };
        let view = |group: Arc<crate::config::rules::RuleGroup>| {
            let mut rules: Vec<RuleStatus> = group.rules.iter().map(|_| RuleStatus::default()).collect();
            if group.name == "a" {
                let took = Duration::from_micros(250);
                let alerts = Arc::from([alert.clone()]);
                rules[0] =
                    RuleStatus { health: Health::Ok, last_evaluation: Some(at), took, alerts, ..RuleStatus::default() };
                rules[1].last_error = Some("bad".into());
            }
            let status = GroupStatus { last_evaluation: Some(at), rules, ..GroupStatus::default() };
            Arc::new(GroupView { group, status: ArcSwap::from_pointee(status) })
        };
        groups.into_iter().map(view).collect()
    }

    fn ask(query: &str) -> Result<Value, ApiError> {
        page(&views(), &Form::of(query))
    }

    fn names(query: &str) -> Vec<String> {
        let data = ask(query).unwrap();
        let rules = data["groups"].as_array().unwrap().iter().flat_map(|g| g["rules"].as_array().unwrap());
        rules.map(|r| r["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn groups_have_prometheus_shape() {
        let data = ask("").unwrap();
        let expected = json!({
            "name": "a", "file": "rules.d/t.yaml", "interval": 30.0, "limit": 0, "evaluationTime": 0.0,
            "lastEvaluation": "2023-11-14T22:13:20.000Z",
            "rules": [
                {
                    "state": "firing", "name": "High", "query": "x > 5", "duration": 600.0, "keepFiringFor": 0.0,
                    "labels": {"severity": "page", "who": "{{ $value }}"}, "annotations": {"s": "{{ $value }}"},
                    "alerts": [{
                        "labels": {"alertname": "High"}, "annotations": {"s": "7"}, "state": "firing",
                        "activeAt": "2023-11-14T22:13:20.000Z", "value": "7e+00",
                    }],
                    "health": "ok", "evaluationTime": 0.00025, "lastEvaluation": "2023-11-14T22:13:20.000Z",
                    "type": "alerting",
                },
                {
                    "name": "job:x", "query": "sum(x)", "labels": {"team": "web"}, "health": "unknown",
                    "lastError": "bad", "evaluationTime": 0.0, "lastEvaluation": NEVER, "type": "recording",
                },
            ],
        });
        assert_eq!(data["groups"][0], expected);
        assert_eq!(data["groups"].as_array().unwrap().len(), 2, "a group without rules is left out");
    }

    #[test]
    fn requests_leave_out_what_they_name() {
        assert_eq!(names("type=alert"), ["High", "Low"]);
        assert_eq!(names("type=record"), ["job:x"]);
        assert_eq!(names("rule_name[]=Low&rule_name[]=job:x"), ["job:x", "Low"]);
        assert_eq!(names("rule_group[]=b"), ["Low"]);
        assert_eq!(names("file[]=other"), [] as [&str; 0]);
        assert_eq!(names("match[]={severity=%22page%22}"), ["High"]);
        assert_eq!(names("match[]={who=~%22.%2B%22}"), [] as [&str; 0], "a template matches nothing");
        assert_eq!(ask("exclude_alerts=true").unwrap()["groups"][0]["rules"][0]["alerts"], Value::Null);
        for wrong in ["type=x", "exclude_alerts=maybe", "group_limit=0", "group_next_token=x", "match[]=x{"] {
            assert!(ask(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pages_follow_each_other() {
        let first = ask("group_limit=1").unwrap();
        let next = first["groupNextToken"].as_str().unwrap().to_owned();
        let second = ask(&format!("group_limit=1&group_next_token={next}")).unwrap();
        assert_eq!(second["groups"][0]["name"], "b");
        assert_eq!(second["groupNextToken"], Value::Null);
        assert!(ask("group_limit=1&group_next_token=nope").is_err());
    }

    #[test]
    fn values_are_written_as_go_writes_them() {
        for (v, text) in
            [(1.0, "1e+00"), (1234.5, "1.2345e+03"), (0.001, "1e-03"), (f64::NAN, "NaN"), (1e100, "1e+100")]
        {
            assert_eq!(exponent(v), text);
        }
    }
}
