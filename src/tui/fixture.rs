//! Boards and details for tests: a small world with fixed times.

use std::sync::Arc;
use std::time::Duration;

use crate::base::labels::Labels;
use crate::base::message::{Severity, Status};
use crate::base::name::MonitorName;
use crate::base::outcome::{Check, Evidence, Phase, Reason, Sample, Verdict};
use crate::base::time::Timestamp;
use crate::wire::api::{AlertPolicy, ConfigStatus, HistoryPoint, Level, MonitorDetail, ProbeResult, Problem};
use crate::wire::board::{
    AlertRow, AlertState, Board, DeliveryRow, DeliveryState, EngineHealth, Event, EventKind, Headline, MonitorRow,
    ServerInfo, State, strip_cell,
};
use crate::wire::query::{Data, Point, Reply, Samples, Series, Stats, Timings, Value};

/// The server's time in all fixtures: 2026-11-23T03:16:42Z.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T03:16:42Z").unwrap()
}

fn ago(secs: u64) -> Timestamp {
    now().minus(Duration::from_secs(secs))
}

pub(crate) fn name(text: &str) -> MonitorName {
    MonitorName::new(text).unwrap()
}

/// A monitor that has been in `state` for 13 minutes.
pub(crate) fn row(monitor: &str, state: State) -> MonitorRow {
    let bad = !matches!(state, State::Up | State::Paused | State::Pending);
    let mut strip = vec![strip_cell(Some(State::Up)); 53];
    strip.extend(std::iter::repeat_n(strip_cell(Some(state)), 7));
    MonitorRow {
        name: name(monitor),
        r#type: "http".into(),
        target: format!("https://{monitor}.example.com/health"),
        state,
        since: Some(ago(827)),
        last: (state != State::Paused).then(|| ago(11)),
        took: (state != State::Paused).then(|| Duration::from_millis(if bad { 10_000 } else { 61 })),
        headline: if bad { "timeout after 10s in processing".into() } else { "200 OK, 1.2 KiB".into() },
        failures: if bad { 27 } else { 0 },
        labels: Labels::new([("team", "web")]),
        interval: Some(Duration::from_secs(30)),
        strip: strip.into_iter().collect(),
        uptime: Some(if bad { 0.9921 } else { 1.0 }),
        p95: Some(Duration::from_millis(88)),
        stale_config: false,
    }
}

/// A board of such monitors, without alerts.
pub(crate) fn board(monitors: &[(&str, State)]) -> Board {
    let mut rows: Vec<_> = monitors.iter().map(|(n, s)| Arc::new(row(n, *s))).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let worst = rows.iter().map(|r| r.state).min();
    Board {
        rev: 1,
        at: now(),
        server: Arc::new(ServerInfo {
            instance: "prod-eu1".into(),
            version: "0.1.0".into(),
            pid: 4121,
            started: ago(86_400),
            config_dir: "/etc/watchdog".into(),
            http: None,
        }),
        engine: Arc::new(EngineHealth {
            monitors: rows.len(),
            lag_p99: Duration::from_millis(5),
            receivers: 1,
            config_loaded: Some(ago(1_091)),
            ..EngineHealth::default()
        }),
        verdict: Arc::new(Headline {
            worst,
            sentence: format!("All {} monitors are ok. Nothing needs you.", rows.len()),
            since: None,
            first_to_break: None,
        }),
        monitors: rows,
        alerts: Vec::new(),
        events: vec![Arc::new(event(1, 1_091, EventKind::Config, "config", "loaded", "3 files, 12 monitors"))],
    }
}

pub(crate) fn event(id: i64, secs: u64, kind: EventKind, subject: &str, what: &str, detail: &str) -> Event {
    Event { id, at: ago(secs), kind, subject: subject.into(), what: what.into(), detail: detail.into() }
}

fn alert(alert: &str, monitor: &str, severity: Severity, state: AlertState, secs: u64) -> AlertRow {
    AlertRow {
        fingerprint: format!("{:016x}", alert.len() * 7919 + monitor.len()),
        name: alert.into(),
        monitor: Some(name(monitor)),
        severity,
        state,
        since: ago(secs),
        starts_at: ago(secs),
        labels: Labels::new([("alertname", alert), ("monitor", monitor)]),
        annotations: Labels::new([("summary", "timeout after 10s in processing")]),
        value: None,
        ack: None,
        muted: None,
        deliveries: if state == AlertState::Firing {
            vec![DeliveryRow {
                receiver: "ops".into(),
                status: Status::Firing,
                state: if severity == Severity::Critical { DeliveryState::Delivered } else { DeliveryState::Owed },
                at: ago(secs - 1),
                attempts: if severity == Severity::Critical { 1 } else { 3 },
                error: (severity != Severity::Critical).then(|| "503 Service Unavailable".into()),
            }]
        } else {
            Vec::new()
        },
    }
}

/// All is well.
pub(crate) fn calm() -> Board {
    let mut board = board(&[
        ("api-auth", State::Up),
        ("api-cart", State::Up),
        ("backup", State::Up),
        ("db-primary", State::Up),
        ("this-host", State::Up),
        ("web-home", State::Up),
    ]);
    for (i, kind) in [(2, "heartbeat"), (3, "tcp"), (4, "host")] {
        Arc::make_mut(&mut board.monitors[i]).r#type = kind.into();
    }
    board
}

/// Checkout is down.
pub(crate) fn incident() -> Board {
    let mut board = board(&[
        ("api-auth", State::Up),
        ("api-cart", State::Up),
        ("api-checkout", State::Down),
        ("api-payments", State::Down),
        ("api-search", State::Degraded),
        ("edge-fra-2", State::Unknown),
        ("new-service", State::Pending),
        ("old-blog", State::Paused),
        ("店-checkout", State::Up),
        ("web-home", State::Up),
    ]);
    board.verdict = Arc::new(Headline {
        worst: Some(State::Down),
        sentence: "API-CHECKOUT IS DOWN. 2 critical alerts.".into(),
        since: Some(ago(827)),
        first_to_break: Some("First to break: api-checkout at 03:02:55 (timeout)".into()),
    });
    board.alerts = [
        alert("MonitorDown", "api-checkout", Severity::Critical, AlertState::Firing, 767),
        alert("MonitorDown2", "api-payments", Severity::Critical, AlertState::Firing, 700),
        alert("MonitorDegraded", "api-search", Severity::Warning, AlertState::Firing, 540),
        alert("EdgeUnknown", "edge-fra-2", Severity::Warning, AlertState::Pending, 30),
        alert("HomeDown", "web-home", Severity::Critical, AlertState::Resolved, 300),
    ]
    .into_iter()
    .map(Arc::new)
    .collect();
    board.events = [
        event(9, 300, EventKind::Alert, "web-home", "resolved", "answers again after 2m"),
        event(8, 767, EventKind::Delivery, "ops", "delivered", "MonitorDown on api-checkout"),
        event(7, 767, EventKind::Alert, "api-checkout", "firing", "MonitorDown"),
        event(6, 827, EventKind::State, "api-checkout", "down", "timeout after 10s in processing"),
        event(5, 1_091, EventKind::Config, "config", "loaded", "3 files, 10 monitors"),
    ]
    .into_iter()
    .map(Arc::new)
    .collect();
    let engine = Arc::make_mut(&mut board.engine);
    (engine.problems, engine.outbox) = (2, 1);
    board
}

fn result(at: Timestamp, verdict: Verdict) -> ProbeResult {
    let bad = verdict != Verdict::Up;
    let phase = |name: &'static str, ms: u64, failed: bool| Phase {
        name: name.into(),
        took: Duration::from_millis(ms),
        failed,
    };
    let mut phases = vec![phase("resolve", 2, false), phase("connect", 1, false), phase("tls", 9, false)];
    phases.push(phase("processing", if bad { 9_988 } else { 71 }, bad));
    if !bad {
        phases.push(phase("transfer", 2, false));
    }
    ProbeResult {
        at,
        verdict,
        reason: bad.then(|| Reason { class: "timeout".into(), message: "timeout after 10s in processing".into() }),
        summary: if bad { String::new() } else { "200 OK, 1.2 KiB".into() },
        took: Duration::from_millis(if bad { 10_000 } else { 85 }),
        attempt: 1,
        phases,
        checks: vec![
            Check { name: "status is 200-299".into(), ok: (!bad).then_some(true), found: String::new() },
            Check { name: "answers within 10s".into(), ok: Some(!bad), found: "10s".into() },
        ],
        samples: vec![
            Sample::new("probe_ssl_earliest_cert_expiry", 1_800_000_000.0),
            Sample::new("probe_http_content_length_bytes", 1_234_567.0).label("phase", "x"),
            Sample::new("probe_dns_lookup_time_seconds", 0.002),
        ],
        evidence: bad.then(|| Evidence {
            items: vec![
                ("request".into(), "GET /health HTTP/1.1\nhost: api.example.com".into()),
                ("response headers".into(), "\x1b]0;owned\x07server: nginx\x1b[2J".into()),
            ],
        }),
    }
}

/// All about a monitor of the incident.
pub(crate) fn detail(monitor: &str, state: State) -> MonitorDetail {
    let bad = state == State::Down;
    let history = (0..120u64)
        .map(|i| {
            let failed = bad && i >= 93;
            HistoryPoint {
                at: ago((120 - i) * 30),
                verdict: if failed { Verdict::Down } else { Verdict::Up },
                took: Duration::from_millis(if failed { 10_000 } else { 60 + i * 37 % 41 }),
            }
        })
        .collect();
    MonitorDetail {
        row: row(monitor, state),
        schedule: "every 30s".into(),
        timeout: Duration::from_secs(10),
        next: Some(now().plus(Duration::from_secs(19))),
        alert: Some(AlertPolicy { after: 3, clear_after: 2, severity: Severity::Critical }),
        source: "monitors.d/web.yaml:12:5".into(),
        last: Some(result(ago(11), if bad { Verdict::Down } else { Verdict::Up })),
        last_ok: bad.then(|| result(ago(857), Verdict::Up)),
        last_bad: None,
        history,
        alerts: if bad {
            vec![alert("MonitorDown", monitor, Severity::Critical, AlertState::Firing, 767)]
        } else {
            Vec::new()
        },
        events: vec![event(6, 827, EventKind::State, monitor, "down", "timeout after 10s in processing")],
    }
}

/// Two problems and a monitor that runs on its last good form.
pub(crate) fn config() -> ConfigStatus {
    ConfigStatus {
        dir: "/etc/watchdog".into(),
        loaded: ago(1_091),
        files: 41,
        monitors: 214,
        stale: vec!["edge-fra-2".into()],
        problems: vec![
            Problem {
                level: Level::Error,
                code: "W012".into(),
                file: "monitors.d/web.yaml".into(),
                line: 31,
                column: 5,
                length: 8,
                message: "unknown key `intervall`".into(),
                hint: "did you mean `interval`?".into(),
                snippet: "    intervall: 30s".into(),
            },
            Problem {
                level: Level::Warning,
                code: "W031".into(),
                file: "monitors.d/edge.yaml".into(),
                line: 44,
                column: 14,
                length: 3,
                message: "timeout is longer than the interval".into(),
                hint: "lower `timeout` below 15s".into(),
                snippet: "    timeout: 30s".into(),
            },
        ],
    }
}

/// An answer over the hour before [`now`], a point every half minute: a series for each service.
pub(crate) fn answer(services: &[&str]) -> Reply {
    let end = now().millis().div_euclid(30_000) * 30_000;
    let value = |n: usize, i: i64| {
        let wave = (i as f64 / (9.0 + n as f64)).sin().abs() * 0.2;
        // The second one breaks near the end; the first one has a gap.
        if n == 1 && i > 95 { 0.9 } else { wave + 0.1 * n as f64 }
    };
    let series = services.iter().enumerate().map(|(n, service)| Series {
        metric: Labels::new([("__name__", "p95"), ("job", "shop"), ("service", service)]),
        values: (0..=120)
            .filter(|i| n != 0 || !(40..50).contains(i))
            .map(|i| Point { t: end - (120 - i) * 30_000, v: value(n, i) })
            .collect(),
    });
    let stats = Stats {
        timings: Timings { exec_total_time: 0.011 },
        samples: Samples { total_queryable_samples: 24_000, peak_samples: 480 },
    };
    let data = Data { value: Value::Matrix(series.collect()), stats: Some(stats), resolution: None };
    Reply { status: "success".into(), data, warnings: Vec::new(), infos: Vec::new() }
}
