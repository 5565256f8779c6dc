//! What Prometheus tells of itself, told of this server: build, settings, targets, rules, cardinality.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::problem::ApiError;
use crate::api::prometheus::params::Form;
use crate::api::prometheus::success;
use crate::base::name::MonitorName;
use crate::base::scraped::{Target, Targets};
use crate::base::term_safe::term_safe;
use crate::base::units::Exact;
use crate::wire::board::{MonitorRow, State as MonitorState};

/// The version whose API and query language this is; clients decide by it what they may ask for.
const DIALECT: &str = "3.5.0";

/// The zero of Go's times.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(super) async fn build(headers: HeaderMap) -> Result<Response, ApiError> {
    let data = json!({
        "version": DIALECT,
        "revision": concat!("watchdog-", env!("CARGO_PKG_VERSION")),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "application": "watchdog",
    });
    success(&headers, &data).await
}

/// Targets of jobs that scrape, and every other monitor as if it were one.
pub(super) async fn targets(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let board = app.engine.board().borrow().clone();
    let jobs: BTreeMap<MonitorName, Targets> = app.engine.targets().into_iter().collect();
    let pool = form.get("scrapePool").map(str::to_owned);
    let wanted = |name: &str| pool.as_ref().is_none_or(|p| p == name);
    let (mut active, mut dropped, mut counts) = (Vec::new(), Vec::new(), serde_json::Map::new());
    for monitor in &board.monitors {
        if jobs.contains_key(monitor.name.as_str()) || !wanted(&monitor.r#type) {
            continue;
        }
        match monitor.state {
            MonitorState::Paused => {
                dropped.push(json!({"discoveredLabels": discovered(monitor), "scrapePool": monitor.r#type}));
            }
            _ => active.push(target(monitor)),
        }
    }
    for job in jobs.values().filter(|job| wanted(&job.pool)) {
        active.extend(job.active.iter().map(|target| scraped(&job.pool, target)));
        let of = |labels| json!({"discoveredLabels": labels, "scrapePool": job.pool});
        dropped.extend(job.dropped.iter().map(of));
        counts.insert(job.pool.clone(), job.dropped_count.into());
    }
    match form.get("state").unwrap_or("any") {
        "active" => dropped.clear(),
        "dropped" => active.clear(),
        _ => {}
    }
    success(&headers, &json!({"activeTargets": active, "droppedTargets": dropped, "droppedTargetCounts": counts})).await
}

/// The names of jobs that scrape.
pub(super) async fn pools(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let mut pools: Vec<String> = app.engine.targets().into_iter().map(|(_, job)| job.pool).collect();
    pools.sort();
    pools.dedup();
    success(&headers, &json!({"scrapePools": pools})).await
}

fn scraped(pool: &str, target: &Target) -> Value {
    let health = match target.healthy {
        Some(true) => "up",
        Some(false) => "down",
        None => "unknown",
    };
    let interval = if target.interval.is_zero() { String::new() } else { Exact(target.interval).to_string() };
    json!({
        "discoveredLabels": target.discovered,
        "labels": target.labels,
        "scrapePool": pool,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": term_safe(&target.error),
        "lastScrape": target.last.map_or_else(|| NEVER.to_owned(), |t| t.to_string()),
        "lastScrapeDuration": target.took.as_secs_f64(),
        "health": health,
        "scrapeInterval": interval,
        "scrapeTimeout": Exact(target.timeout).to_string(),
    })
}

fn discovered(m: &MonitorRow) -> Value {
    json!({"__address__": m.target, "monitor": m.name, "type": m.r#type})
}

fn target(m: &MonitorRow) -> Value {
    let mut labels: serde_json::Map<String, Value> = m.labels.iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
    labels.insert("monitor".to_owned(), m.name.as_str().into());
    labels.insert("type".to_owned(), (*m.r#type).into());
    if !m.target.is_empty() {
        labels.insert("instance".to_owned(), (*m.target).into());
    }
    let (health, error) = match m.state {
        MonitorState::Up | MonitorState::Degraded => ("up", ""),
        MonitorState::Down => ("down", &*m.headline),
        MonitorState::Unknown | MonitorState::Pending | MonitorState::Paused => ("unknown", &*m.headline),
    };
    json!({
        "discoveredLabels": discovered(m),
        "labels": labels,
        "scrapePool": m.r#type,
        "scrapeUrl": m.target,
        "globalUrl": m.target,
        "lastError": error,
        "lastScrape": m.last.map_or_else(|| NEVER.to_owned(), |t| t.to_string()),
        "lastScrapeDuration": m.took.unwrap_or_default().as_secs_f64(),
        "health": health,
        "scrapeInterval": m.interval.map_or_else(String::new, |d| Exact(d).to_string()),
        "scrapeTimeout": "",
    })
}

/// The settings of storage, queries and intake as they are in force.
pub(super) async fn config(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let mut yaml = String::new();
    let mut section = "";
    for (key, value) in app.engine.settings() {
        let (part, name) = key.split_once('.').unwrap_or(("", key));
        if part != section {
            yaml.push_str(part);
            yaml.push_str(":\n");
            section = part;
        }
        yaml.push_str(&format!("  {name}: {value}\n"));
    }
    success(&headers, &json!({"yaml": yaml})).await
}

pub(super) async fn flags(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let all: serde_json::Map<String, Value> =
        app.engine.settings().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    success(&headers, &Value::Object(all)).await
}

pub(super) async fn runtime(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let board = app.engine.board().borrow().clone();
    let retention = app.engine.settings().into_iter().find(|(key, _)| *key == "storage.retention");
    let data = json!({
        "startTime": board.server.started,
        "CWD": "",
        "hostname": board.server.instance,
        "serverTime": app.clock.now(),
        "reloadConfigSuccess": board.engine.problems == 0,
        "lastConfigTime": board.engine.config_loaded,
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": retention.map(|(_, value)| value).unwrap_or_default(),
    });
    success(&headers, &data).await
}

/// Where the series come from: for whoever looks for what has too many.
pub(super) async fn tsdb(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    let limit = match form.limit("limit")? {
        usize::MAX => 10,
        asked => asked.min(10_000),
    };
    let c = app.engine.queries().cardinality(limit).await?;
    let list = |rows: &[(Box<str>, u64)]| -> Vec<Value> {
        rows.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    let data = json!({
        "headStats": {
            "numSeries": c.series,
            "numLabelPairs": c.label_pairs,
            "chunkCount": c.chunks,
            "minTime": c.min_time,
            "maxTime": c.max_time,
        },
        "seriesCountByMetricName": list(&c.series_by_metric),
        "labelValueCountByLabelName": list(&c.values_by_label),
        "memoryInBytesByLabelName": list(&c.bytes_by_label),
        "seriesCountByLabelValuePair": list(&c.series_by_pair),
    });
    success(&headers, &data).await
}
