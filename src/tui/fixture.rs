//! Boards and details for tests: a small world with fixed times.

use std::sync::Arc;
use std::time::Duration;

use crate::base::labels::Labels;
use crate::base::message::{Severity, Status};
use crate::base::name::MonitorName;
use crate::base::outcome::{Check, Evidence, Phase, Reason, Sample, Verdict};
use crate::base::time::Timestamp;
use crate::tui::action::{Order, Outcome, Reply as Answer, Request};
use crate::wire::alerting::{
    Ack, AlertDetail, AttemptRow, Deliveries, DeliveryItem, Evaluation, MaintenanceRow, MuteKind, MutedBy,
    NotifierHealth, NotifierRow, RouteMatch, RouteRow, SilencePreview, SilenceRow, SilenceState, StepOutcome,
    TestResult, Upcoming, Why, WhyStep,
};
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

/// An incident as the Alerts screen shows it: acknowledged, silenced, pending and resolved alerts too.
pub(crate) fn alerting() -> Board {
    let mut board = incident();
    let named = |name: &str, on: &str, severity, state, secs, labels: &[(&str, &str)]| {
        let mut row = alert(name, "api-checkout", severity, state, secs);
        let all = [("alertname", name)].into_iter().chain(labels.iter().copied());
        row.labels = Labels::new(all.chain(if on == "api-checkout" { Some(("monitor", on)) } else { None }));
        row.monitor = (on == "api-checkout").then(|| self::name(on));
        row.fingerprint = format!("{:016x}", row.labels.fingerprint());
        row.annotations = Labels::new([("summary", format!("{name} on {on}"))]);
        row
    };
    let ack = |by: &str, secs: u64| {
        Some(Ack { by: by.into(), at: ago(secs), comment: "draining, rate halved".into(), until: None })
    };
    use AlertState::{Firing, Pending, Resolved};
    use Severity::{Critical, Warning};
    let mut rows = vec![
        named("QueueBacklog", "worker-2", Warning, Firing, 370, &[("service", "shop"), ("instance", "worker-2")]),
        named("CheckoutDown", "api-checkout", Critical, Firing, 827, &[("service", "shop"), ("team", "payments")]),
        named("ErrorBudgetBurn", "shop", Warning, Firing, 542, &[("service", "shop"), ("team", "shop")]),
        named(
            "PgDiskLatencyHigh",
            "db-primary",
            Critical,
            Firing,
            872,
            &[("service", "database"), ("instance", "db-primary")],
        ),
        named("CertExpiringSoon", "cdn", Warning, Firing, 187_200, &[("instance", "cdn.example.com")]),
        named("HighLatency", "api-search", Warning, Pending, 200, &[("service", "search")]),
        named("EdgeFlaky", "edge-fra-1", Warning, Firing, 3_000, &[("instance", "edge-fra-1")]),
        named("EdgeFlaky", "edge-fra-2", Warning, Firing, 2_900, &[("instance", "edge-fra-2")]),
        named("DiskFull", "host-17", Critical, Resolved, 2_700, &[("instance", "host-17")]),
        named("HighLatency", "api-cart", Warning, Resolved, 7_600, &[("service", "cart")]),
    ];
    rows[1].value = Some(0.0);
    rows[3].value = Some(0.412);
    (rows[0].ack, rows[0].value) = (ack("lin", 122), Some(12_400.0));
    rows[4].ack = ack("wu", 172_800);
    for row in &mut rows[6..8] {
        row.muted = Some(MutedBy {
            kind: MuteKind::Silence,
            id: "2f1c".into(),
            detail: "wu: flaky fra uplink".into(),
            until: Some(now().plus(Duration::from_secs(7_158))),
        });
        row.deliveries.clear();
    }
    board.alerts = rows.into_iter().map(Arc::new).collect();
    board
}

/// All about one of those alerts.
pub(crate) fn alert_detail(row: &AlertRow) -> AlertDetail {
    let life = |id, secs, kind, subject: &str, what: &str, detail: &str| event(id, secs, kind, subject, what, detail);
    AlertDetail {
        alert: row.clone(),
        value: row.value,
        condition: "probe_success{monitor=\"api-checkout\"} == 0 for 1m".into(),
        source: "rules.d/shop.yml:42:5".into(),
        routes: vec![RouteMatch {
            route: "{}/{team=\"payments\"}".into(),
            receiver: "page-24x7".into(),
            notifiers: vec!["telegram".into(), "email".into(), "pagerduty".into()],
            group_key: "{}/{team=\"payments\"}:{service=\"shop\"}".into(),
            source: "watchdog.yaml:12:5".into(),
        }],
        timeline: vec![
            life(1, 1_091, EventKind::Config, "config", "reloaded", "rules.d/pg.yml +4 -1"),
            life(2, 827, EventKind::Alert, "api-checkout", "pending", "timeout after 10s at first byte"),
            life(3, 767, EventKind::Alert, "api-checkout", "firing", "held 1m"),
            life(4, 764, EventKind::Delivery, "telegram", "delivered", "0.4s, message 88123"),
            life(5, 763, EventKind::Delivery, "email", "delivered", "1.1s, 250 queued as 4F1A"),
            life(6, 731, EventKind::Delivery, "pagerduty", "retry", "503 Service Unavailable, again in 40s"),
            life(7, 690, EventKind::Delivery, "pagerduty", "delivered", "try 3, 202 Accepted"),
        ],
        next: vec![
            Upcoming { at: now().plus(Duration::from_secs(133)), what: "repeat to telegram".into() },
            Upcoming {
                at: now().plus(Duration::from_secs(133)),
                what: "escalate to sre-lead if nobody acknowledges".into(),
            },
        ],
        runbook: Some("https://wiki.example.com/rb/checkout-down".into()),
    }
}

fn silence(id: &str, state: SilenceState, matchers: &[&str], (from, to): (i64, i64), by: &str) -> SilenceRow {
    let at = |secs: i64| Timestamp::from_millis(now().millis() + secs * 1_000);
    SilenceRow {
        id: id.into(),
        state,
        matchers: matchers.iter().map(|m| (*m).to_owned()).collect(),
        starts_at: at(from),
        ends_at: at(to),
        until_resolved: false,
        created_by: by.into(),
        comment: "flaky fra uplink".into(),
        updated_at: at(from),
        matches: 2,
        muted: 14,
        last_muted: Some(at(-120)),
        source: None,
        notice: None,
    }
}

/// Silences of every sort.
pub(crate) fn silences() -> Vec<SilenceRow> {
    let mut idle = silence("9b07", SilenceState::Active, &["team=\"data\""], (-1_728_000, 525_600), "lin");
    (idle.matches, idle.muted, idle.last_muted) = (0, 3, Some(now().minus(Duration::from_secs(1_600_000))));
    idle.comment = "migration".into();
    idle.notice = Some("broad and idle: it matches nothing now and muted nothing in 7 days, yet it would mute every alert of team data".into());
    let mut file = silence("file-1", SilenceState::Pending, &["alertname=~\"Backup.*\""], (7_200, 14_400), "config");
    file.source = Some("silences.yaml:3:5".into());
    vec![
        silence("2f1c", SilenceState::Active, &["alertname=\"EdgeFlaky\""], (-3_000, 7_158), "wu"),
        idle,
        file,
        silence(
            "77aa",
            SilenceState::Expired,
            &["alertname=\"DiskFull\"", "instance=\"host-17\""],
            (-90_000, -86_400),
            "wu",
        ),
    ]
}

/// Two windows, one of which runs.
pub(crate) fn maintenance() -> Vec<MaintenanceRow> {
    let at = |secs: i64| Some(Timestamp::from_millis(now().millis() + secs * 1_000));
    let row = |name: &str, active, from, to, schedule: &str, matches| MaintenanceRow {
        name: name.into(),
        matchers: vec!["team=\"db\"".into()],
        active,
        starts_at: at(from),
        ends_at: at(to),
        schedule: schedule.into(),
        comment: "weekly backup".into(),
        matches,
        source: "watchdog.yaml:30:3".into(),
    };
    vec![
        row("db-backup", true, -1_000, 6_198, "0 3 * * mon for 2h, UTC", 1),
        row("os-updates", false, 93_600, 97_200, "0 5 * * tue for 1h, Europe/Berlin", 0),
    ]
}

/// What the silence of those two would do.
pub(crate) fn preview() -> SilencePreview {
    let board = alerting();
    let named = |name: &str| board.alerts.iter().find(|a| a.name == name).map(|a| (**a).clone());
    SilencePreview {
        matches: ["CheckoutDown", "PgDiskLatencyHigh", "ErrorBudgetBurn"].iter().filter_map(|n| named(n)).collect(),
        would_have_muted: 4,
        rules: 61,
        warnings: vec!["it has no matcher on alertname: it also mutes alerts that do not exist yet".into()],
        ends_at: now().plus(Duration::from_secs(3_600)),
    }
}

/// Deliveries of every sort, newest first.
pub(crate) fn deliveries() -> Vec<DeliveryItem> {
    let attempt = |secs, ms, ok, detail: &str| AttemptRow {
        at: ago(secs),
        took: Duration::from_millis(ms),
        ok,
        detail: Some(detail.into()),
    };
    let item = |id: i64, secs, notifier: &str, subject: &str, state, attempts| DeliveryItem {
        id,
        at: ago(secs),
        receiver: "page-24x7".into(),
        notifier: notifier.into(),
        status: Status::Firing,
        reason: "it fires for the first time".into(),
        subject: subject.into(),
        alerts: 1,
        fingerprints: vec![alerting().alerts[1].fingerprint.clone()],
        state,
        attempts,
        next_attempt: (state == DeliveryState::Owed).then(|| now().plus(Duration::from_secs(40))),
        key: format!("k{id}"),
    };
    vec![
        item(
            9,
            40,
            "pagerduty",
            "QueueBacklog",
            DeliveryState::Owed,
            vec![attempt(40, 900, false, "503 Service Unavailable")],
        ),
        item(
            8,
            690,
            "pagerduty",
            "CheckoutDown",
            DeliveryState::Delivered,
            vec![
                attempt(761, 900, false, "503 Service Unavailable"),
                attempt(731, 900, false, "503 Service Unavailable"),
                attempt(690, 1_400, true, "202 Accepted"),
            ],
        ),
        item(
            7,
            763,
            "email",
            "CheckoutDown",
            DeliveryState::Delivered,
            vec![attempt(763, 1_100, true, "250 queued as 4F1A")],
        ),
        item(
            6,
            764,
            "telegram",
            "CheckoutDown",
            DeliveryState::Delivered,
            vec![attempt(764, 400, true, "message 88123")],
        ),
        item(
            5,
            3_900,
            "ticket",
            "DiskFull",
            DeliveryState::Dead,
            vec![attempt(3_900, 90, false, "401 \x1b[2JUnauthorized")],
        ),
    ]
}

/// Three notifiers, one of them in trouble.
pub(crate) fn notifiers() -> Vec<NotifierRow> {
    let row = |name: &str, kind: &str, health, dead| NotifierRow {
        name: name.into(),
        r#type: kind.into(),
        health,
        owed: usize::from(health != NotifierHealth::Ok),
        delivered: 14,
        dead,
        last_ok: Some(ago(764)),
        took: Some(Duration::from_millis(400)),
        last_error: (health != NotifierHealth::Ok).then(|| "401 Unauthorized".to_owned()),
        receivers: vec!["page-24x7".into()],
        fallback: (health != NotifierHealth::Ok).then(|| "email".to_owned()),
    };
    vec![
        row("telegram", "telegram", NotifierHealth::Ok, 0),
        row("email", "email", NotifierHealth::Ok, 0),
        row("ticket", "webhook", NotifierHealth::Open, 1),
    ]
}

/// A root with two routes below it.
pub(crate) fn routes() -> RouteRow {
    let row = |id: &str, receiver: &str, matchers: &[&str], routes| RouteRow {
        id: id.into(),
        receiver: receiver.into(),
        matchers: matchers.iter().map(|m| (*m).to_owned()).collect(),
        group_by: vec!["alertname".into(), "service".into()],
        group_wait: Duration::from_secs(1),
        group_interval: Duration::from_secs(300),
        repeat_interval: Duration::from_secs(14_400),
        r#continue: false,
        source: "watchdog.yaml:12:5".into(),
        routes,
    };
    let below = vec![
        row("{}/{team=\"payments\"}", "page-24x7", &["team=\"payments\""], Vec::new()),
        row("{}/{severity=\"info\"}", "log", &["severity=\"info\""], Vec::new()),
    ];
    row("{}", "email", &[], below)
}

/// Why a rule does not fire.
pub(crate) fn why() -> Why {
    let step = |name: &str, outcome, text: &str| WhyStep {
        name: name.into(),
        outcome,
        text: text.into(),
        facts: Vec::new(),
        source: None,
    };
    use StepOutcome::{Pass, Skipped, Waiting};
    let mut steps = vec![
        step("loaded", Pass, "the rule is loaded and enabled"),
        step("series", Pass, "1 series, newest sample 6s old"),
        step("value", Pass, "0.81 > 0.5 is true now"),
        step("hold", Waiting, "true for 3m20s of the required 5m"),
        step("state", Skipped, "pending"),
        step("dependency", Skipped, "it depends on nothing"),
        step("inhibition", Skipped, "no inhibition rule applies"),
        step("window", Skipped, "no maintenance now"),
        step("silence", Skipped, "no silence matches"),
        step("route", Skipped, "would go to page-24x7"),
        step("group", Skipped, "would wait 1s for others"),
        step("decision", Skipped, "nothing is decided before it fires"),
        step("attempts", Skipped, "nothing was sent"),
    ];
    steps[0].source = Some("rules.d/api.yml:12:5".into());
    steps[3].facts = vec![("since".into(), "03:13:22".into()), ("fires".into(), "03:18:22 if it stays true".into())];
    steps[3].source = Some("rules.d/api.yml:14:5".into());
    Why {
        kind: "alert".into(),
        about: "HighLatency".into(),
        verdict: "Not firing: the condition has been true for 3m20s of the required 5m. It fires at 03:18:22 if it stays true.".into(),
        steps,
        stops_at: Some(3),
        evaluations: (0..60u64)
            .map(|i| Evaluation {
                at: ago((60 - i) * 15),
                took: Duration::from_millis(4),
                series: usize::from(i > 46 || (10..14).contains(&i)),
                value: (i > 46).then_some(0.81),
                error: None,
            })
            .collect(),
        at: ago(5),
    }
}

/// What the server of [`alerting`] answers.
pub(crate) fn reply(request: &Request) -> Option<Answer> {
    let board = alerting();
    let alert = |f: &str| board.alerts.iter().find(|a| a.fingerprint == f);
    Some(match request {
        Request::Alert(f) => Answer::Alert(Box::new(alert_detail(alert(f)?))),
        Request::Silences => Answer::Silences(silences()),
        Request::Preview { .. } => Answer::Preview(Box::new(preview())),
        Request::Maintenance => Answer::Maintenance(maintenance()),
        Request::Deliveries(None) => Answer::Deliveries(Deliveries { deliveries: deliveries(), next: None }),
        Request::Deliveries(Some(_)) => Answer::Deliveries(Deliveries::default()),
        Request::Notifiers => Answer::Notifiers(notifiers()),
        Request::Routes => Answer::Routes(Box::new(routes())),
        Request::Route(_) => Answer::Route(alert_detail(&board.alerts[0]).routes),
        Request::Why(_) => Answer::Why(Box::new(why())),
        Request::Do { order, .. } => Answer::Done(match order {
            Order::Ack(_, request) => Outcome::Acked(Ack {
                by: "wu".into(),
                at: now(),
                comment: request.comment.clone(),
                until: request.until,
            }),
            Order::Silence(_) => Outcome::Silenced(Box::new(silences().swap_remove(0))),
            Order::Test(notifier) => Outcome::Tested(TestResult {
                notifier: notifier.clone(),
                ok: notifier != "ticket",
                took: Duration::from_millis(412),
                detail: (notifier == "ticket").then(|| "401 Unauthorized".into()),
            }),
            Order::Unack(_) | Order::Expire(_) | Order::Resend(_) => Outcome::Done,
        }),
        _ => return None,
    })
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
