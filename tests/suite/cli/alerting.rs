//! The commands of alerting against a server with canned answers: what they ask, and how they print it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode, Uri};
use serde::Serialize;
use tempfile::TempDir;
use watchdog::base::labels::Labels;
use watchdog::base::message::{Severity, Status};
use watchdog::base::time::Timestamp;
use watchdog::wire::alerting::{
    Ack, AlertDetail, AttemptRow, Deliveries, DeliveryItem, MaintenanceRow, MuteKind, MutedBy, NotifierHealth,
    NotifierRow, RouteMatch, RouteRow, SilencePreview, SilenceRow, SilenceState, StepOutcome, TestResult, Upcoming,
    Why, WhyStep,
};
use watchdog::wire::api::Events;
use watchdog::wire::board::{AlertRow, AlertState, DeliveryRow, DeliveryState, Event, EventKind};

use super::{Ran, run_at};
use crate::fake::{NOW, ago, alert, board};

/// Method, path with query, body.
type Asked = Arc<Mutex<Vec<(String, String, String)>>>;

/// Answers every route of alerting, and remembers what was asked.
struct Desk {
    dir: TempDir,
    asked: Asked,
    task: tokio::task::JoinHandle<()>,
}

impl Desk {
    async fn open() -> Self {
        let (dir, asked) = (tempfile::tempdir().unwrap(), Asked::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
        let listener = tokio::net::UnixListener::bind(dir.path().join("w.sock")).unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { dir, asked, task }
    }

    async fn run(&self, arguments: &str) -> Ran {
        self.run_as_wide(arguments, "100").await
    }

    async fn run_as_wide(&self, arguments: &str, columns: &str) -> Ran {
        // Words are separated by blanks, `_` stands for a blank inside one.
        let arguments = arguments.split(' ').map(|w| w.replace('_', " ").into()).collect();
        run_at(self.dir.path(), arguments, &[("COLUMNS", columns)]).await
    }

    fn asked(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(asked): State<Asked>, method: Method, uri: Uri, body: String) -> Response {
    let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
    asked.lock().unwrap().push((method.to_string(), uri.to_string(), body));
    let missing = r#"{"status":"error","errorType":"not_found","error":"there is no alert `nope`","hints":["look"]}"#;
    match (method.as_str(), path.as_str()) {
        (_, path) if path.contains("nope") => (StatusCode::NOT_FOUND, missing).into_response(),
        ("GET", "/api/v1/board") => {
            let mut board = board(1);
            board.alerts = alerts().into_iter().map(Arc::new).collect();
            json(&board)
        }
        ("POST", path) if path.starts_with("/api/v1/alerts/") => json(&ack()),
        ("GET", path) if path.starts_with("/api/v1/alerts/") => json(&detail()),
        ("GET", "/api/v1/events") => json(&Events { events: events(query.contains("kind=delivery")), next: None }),
        ("GET", "/api/v1/why") => json(&why(query.contains("told"))),
        ("GET", "/api/v1/silences") => json(&silences()),
        ("POST", "/api/v1/silences") => json(&silences()[0]),
        ("POST", "/api/v1/silences/preview") => json(&preview()),
        ("GET", "/api/v1/maintenance") => json(&maintenance()),
        ("GET", "/api/v1/notifiers") => json(&notifiers()),
        ("GET", "/api/v1/notifications") => json(&deliveries()),
        ("POST", "/api/v1/notifiers/ops/test") => json(&results()[0]),
        ("POST", "/api/v1/drill") => json(&results()),
        ("GET", "/api/v1/routes") => json(&routes()),
        ("POST", "/api/v1/routes/test") => json(&matches()),
        ("POST" | "DELETE", _) => json(&serde_json::json!({"ok": true})),
        _ => StatusCode::IM_A_TEAPOT.into_response(),
    }
}

fn json<T: Serialize>(value: &T) -> Response {
    ([(CONTENT_TYPE, "application/json")], serde_json::to_vec(value).unwrap()).into_response()
}

/// Between two minutes, so that the command's own milliseconds do not show.
fn later(minutes: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(minutes * 60 + 30))
}

fn ack() -> Ack {
    Ack { by: "wu".to_owned(), at: ago(150), comment: "restarting it".to_owned(), until: Some(later(120)) }
}

fn alerts() -> Vec<AlertRow> {
    let mut acked = alert("db");
    acked.ack = Some(ack());
    let mut muted = alert("shop / 店 (eu)");
    muted.fingerprint = "0badcafe0badcafe".to_owned();
    muted.muted = Some(MutedBy {
        kind: MuteKind::Silence,
        id: "1a2b3c4d-0000-4000-8000-000000000000".to_owned(),
        detail: "ann: new release".to_owned(),
        until: Some(later(60)),
    });
    muted.deliveries.clear();
    let slow = AlertRow {
        fingerprint: "feedfacefeedface".to_owned(),
        name: "SlowShop".to_owned(),
        monitor: None,
        severity: Severity::Warning,
        state: AlertState::Pending,
        labels: Labels::new([("alertname", "SlowShop"), ("instance", "shop:443"), ("team", "web")]),
        annotations: Labels::new([("summary", "shop answers in \u{1b}[2J1.2 s")]),
        value: Some(1.2),
        deliveries: Vec::new(),
        ..alert("db")
    };
    vec![acked, muted, slow]
}

fn events(deliveries: bool) -> Vec<Event> {
    let event = |id, secs, kind, subject: &str, what: &str, detail: &str| Event {
        id,
        at: ago(secs),
        kind,
        subject: subject.to_owned(),
        what: what.to_owned(),
        detail: detail.to_owned(),
    };
    match deliveries {
        true => vec![event(8, 259, EventKind::Delivery, "ops", "delivered", "MonitorDown db is firing")],
        false => vec![
            event(9, 150, EventKind::Alert, "db", "acknowledged", "wu: restarting it"),
            event(7, 260, EventKind::Alert, "db", "firing", "connection refused"),
        ],
    }
}

fn detail() -> AlertDetail {
    let mut alert = alerts().swap_remove(0);
    alert.deliveries.push(DeliveryRow {
        receiver: "lead".to_owned(),
        status: Status::Firing,
        state: DeliveryState::Owed,
        at: ago(130),
        attempts: 3,
        error: Some("the receiver answered 500".to_owned()),
    });
    AlertDetail {
        alert,
        value: None,
        condition: "db fails 3 times in a row".to_owned(),
        source: "monitors.d/web.yaml:12:5".to_owned(),
        routes: matches(),
        timeline: events(false).into_iter().rev().collect(),
        next: vec![Upcoming { at: later(120), what: "repeat to ops".to_owned() }],
        runbook: Some("https://wiki.example/db".to_owned()),
    }
}

fn why(told: bool) -> Why {
    let step = |name: &str, outcome, text: &str| WhyStep {
        name: name.to_owned(),
        outcome,
        text: text.to_owned(),
        facts: Vec::new(),
        source: None,
    };
    let mut loaded = step("loaded", StepOutcome::Pass, "fires after 3 failures in a row, clears after 2");
    loaded.source = Some("monitors.d/web.yaml:12:5".to_owned());
    let mut series = step("series", StepOutcome::Pass, "last probed 4.0s ago");
    series.facts = vec![("target".to_owned(), "http://db.example/health".to_owned())];
    let silence = match told {
        true => step("silence", StepOutcome::Pass, "no silence matches it"),
        false => step(
            "silence",
            StepOutcome::Stop,
            "ann silenced it: new release\u{1b}[2J, and this goes on for long \
            enough that the line has to be broken before the terminal breaks it",
        ),
    };
    let after = if told { StepOutcome::Pass } else { StepOutcome::Skipped };
    Why {
        kind: "monitor".to_owned(),
        about: "db".to_owned(),
        verdict: if told { "somebody was told" } else { "stopped at `silence`: ann silenced it" }.to_owned(),
        steps: vec![loaded, series, silence, step("route", after, "to ops")],
        stops_at: (!told).then_some(2),
        evaluations: Vec::new(),
        at: NOW,
    }
}

fn silences() -> Vec<SilenceRow> {
    let active = SilenceRow {
        id: "1a2b3c4d-0000-4000-8000-000000000000".to_owned(),
        state: SilenceState::Active,
        matchers: vec![r#"monitor="shop""#.to_owned(), r#"team=~"web|db""#.to_owned()],
        starts_at: ago(600),
        ends_at: later(60),
        until_resolved: false,
        created_by: "ann".to_owned(),
        comment: "new release".to_owned(),
        updated_at: ago(600),
        matches: 1,
        muted: 3,
        last_muted: Some(ago(200)),
        source: None,
        notice: Some("broad and idle: it matches nothing now and held back nothing in 7 days".to_owned()),
    };
    let file = SilenceRow {
        id: "file-0123456789abcdef".to_owned(),
        until_resolved: true,
        source: Some("watchdog.yaml:3:5".to_owned()),
        notice: None,
        ..active.clone()
    };
    let over = SilenceRow {
        id: "9f9f9f9f-0000-4000-8000-000000000000".to_owned(),
        state: SilenceState::Expired,
        ends_at: ago(200),
        notice: None,
        ..active.clone()
    };
    vec![active, file, over]
}

fn preview() -> SilencePreview {
    SilencePreview {
        matches: vec![alert("db")],
        would_have_muted: 12,
        rules: 3,
        warnings: vec!["no reason is given".to_owned()],
        ends_at: later(60),
    }
}

fn maintenance() -> Vec<MaintenanceRow> {
    let active = MaintenanceRow {
        name: "backup".to_owned(),
        matchers: vec![r#"team="db""#.to_owned()],
        active: true,
        starts_at: Some(ago(600)),
        ends_at: Some(later(60)),
        schedule: "0 2 * * sun for 2h, Europe/Berlin".to_owned(),
        comment: "weekly dump".to_owned(),
        matches: 1,
        source: "watchdog.yaml:30:3".to_owned(),
    };
    let planned = MaintenanceRow {
        name: "move".to_owned(),
        matchers: Vec::new(),
        active: false,
        starts_at: Some(later(26 * 60)),
        ends_at: Some(later(27 * 60)),
        matches: 0,
        ..active.clone()
    };
    vec![active, planned]
}

fn notifiers() -> Vec<NotifierRow> {
    let ops = NotifierRow {
        name: "ops".to_owned(),
        r#type: "telegram".to_owned(),
        health: NotifierHealth::Ok,
        owed: 0,
        delivered: 14,
        dead: 0,
        last_ok: Some(ago(259)),
        took: Some(Duration::from_millis(180)),
        last_error: None,
        receivers: vec!["team-web".to_owned()],
        fallback: None,
    };
    let hook = NotifierRow {
        name: "hook".to_owned(),
        health: NotifierHealth::Open,
        owed: 2,
        dead: 1,
        last_ok: None,
        took: None,
        last_error: Some("the receiver answered 500 Internal Server Error".to_owned()),
        ..ops.clone()
    };
    vec![ops, hook]
}

fn deliveries() -> Deliveries {
    let told = DeliveryItem {
        id: 41,
        at: ago(260),
        receiver: "team-web".to_owned(),
        notifier: "ops".to_owned(),
        status: Status::Firing,
        reason: "it fires for the first time".to_owned(),
        subject: "MonitorDown db".to_owned(),
        alerts: 1,
        fingerprints: vec!["00c0ffee00c0ffee".to_owned()],
        state: DeliveryState::Delivered,
        attempts: vec![AttemptRow { at: ago(259), took: Duration::from_millis(180), ok: true, detail: None }],
        next_attempt: None,
        key: "k1".to_owned(),
    };
    let owed = DeliveryItem {
        id: 42,
        notifier: "hook".to_owned(),
        status: Status::Resolved,
        state: DeliveryState::Owed,
        attempts: vec![AttemptRow {
            at: ago(200),
            took: Duration::from_secs(1),
            ok: false,
            detail: Some("the receiver answered 500".to_owned()),
        }],
        next_attempt: Some(later(3)),
        key: "k2".to_owned(),
        ..told.clone()
    };
    Deliveries { deliveries: vec![owed, told], next: Some(41) }
}

fn results() -> Vec<TestResult> {
    let ops = TestResult { notifier: "ops".to_owned(), ok: true, took: Duration::from_millis(180), detail: None };
    let hook = TestResult {
        notifier: "hook".to_owned(),
        ok: false,
        took: Duration::from_millis(1_400),
        detail: Some("the receiver answered 500".to_owned()),
    };
    vec![ops, hook]
}

fn routes() -> RouteRow {
    let root = RouteRow {
        id: "{}".to_owned(),
        receiver: "ops".to_owned(),
        matchers: Vec::new(),
        group_by: vec!["alertname".to_owned(), "monitor".to_owned()],
        group_wait: Duration::from_secs(1),
        group_interval: Duration::from_secs(300),
        repeat_interval: Duration::from_secs(14_400),
        r#continue: false,
        source: "watchdog.yaml:3:1".to_owned(),
        routes: Vec::new(),
    };
    let leaf = RouteRow {
        id: r#"{}/{team="web"}/0/{severity="critical"}/0"#.to_owned(),
        receiver: "lead".to_owned(),
        matchers: vec![r#"severity="critical""#.to_owned()],
        repeat_interval: Duration::from_secs(3_600),
        ..root.clone()
    };
    let web = RouteRow {
        id: r#"{}/{team="web"}/0"#.to_owned(),
        receiver: "team-web".to_owned(),
        matchers: vec![r#"team="web""#.to_owned()],
        r#continue: true,
        routes: vec![leaf.clone()],
        ..root.clone()
    };
    let all = RouteRow { receiver: "hook".to_owned(), group_by: vec!["...".to_owned()], ..leaf };
    RouteRow { routes: vec![web, all], ..root }
}

fn matches() -> Vec<RouteMatch> {
    vec![RouteMatch {
        route: r#"{}/{team="web"}/0"#.to_owned(),
        receiver: "team-web".to_owned(),
        notifiers: vec!["ops".to_owned(), "hook".to_owned()],
        group_key: r#"{}/{team="web"}:{alertname="MonitorDown"}"#.to_owned(),
        source: "watchdog.yaml:12:5".to_owned(),
    }]
}

/// What a person reads. The clock depends on where the test runs, and with it the width of columns.
fn shown(ran: &Ran) -> String {
    let text = super::shown(ran);
    let places = [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE TIME"),
        (r"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d", "DAY DATE TIME"),
        (r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d(, (?:in \S+|\S+ ago))", "TIME$1"),
        (r"(\S) {2,}", "$1  "),
    ];
    places.iter().fold(text, |text, (pattern, fixed)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *fixed).into_owned()
    })
}

macro_rules! snapshots {
    ($($name:ident: $arguments:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let desk = Desk::open().await;
                insta::assert_snapshot!(shown(&desk.run($arguments).await));
            }
        )*
    };
}

snapshots! {
    alerts_show_who_has_them_and_what_mutes_them: "alert list";
    an_alert_is_shown_in_full: "alert show db";
    an_alert_as_json: "alert show db --json";
    alerts_are_acknowledged: "alert ack db 00c0ffee --for 2h -m restarting_it";
    an_acknowledgement_as_json: "alert ack db --json";
    one_of_several_is_not_there: "alert ack db nope";
    acknowledgements_are_taken_back: "alert unack db";
    the_history_of_alerts: "alert history";
    the_history_of_alerts_as_json: "alert history --limit 2 --json";
    why_nobody_was_told: "why db";
    why_somebody_was_told: "why told";
    why_as_json: "why db --json";
    a_silence_is_made_after_its_preview: "silence add monitor=shop team=~web|db --until-resolved";
    a_silence_as_json: "silence add monitor=shop --json";
    a_silence_is_previewed: "silence preview monitor=shop";
    a_preview_as_json: "silence preview monitor=shop --json";
    silences_are_listed: "silence list";
    silences_as_json: "silence list --state expired --json";
    silences_are_ended: "silence expire 1a2b3c4d";
    ended_silences_as_json: "silence expire 1a2b3c4d --json";
    a_silence_is_extended: "silence extend 1a2b3c4d --for 1h";
    a_silence_that_is_over_is_not_extended: "silence extend 9f9f9f9f --for 1h";
    a_silence_of_a_file_is_not_extended: "silence extend file-0123456789abcdef --for 1h";
    a_matcher_with_a_mistake_is_pointed_at: "silence add DiskFull team=~(web";
    maintenance_is_listed: "maintenance list";
    maintenance_as_json: "maintenance list --json";
    maintenance_to_come: "maintenance next --limit 2";
    notifiers_are_listed: "notify list";
    notifiers_as_json: "notify list --json";
    notifications_are_listed: "notify log";
    notifications_as_json: "notify log --json";
    a_notification_is_sent_again: "notify resend 41";
    a_notification_sent_again_as_json: "notify resend 41 --json";
    a_notifier_is_tested: "notify test ops";
    a_test_as_json: "notify test ops --json";
    routes_are_a_tree: "notify routes";
    routes_as_json: "notify routes --json";
    where_an_alert_goes: "notify routes team=web severity=critical";
    where_an_alert_goes_as_json: "notify routes team=web --json";
    a_drill_in_which_one_fails: "drill team=web";
    a_drill_as_json: "drill --json";
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered() {
    let desk = Desk::open().await;
    let ids = async |arguments: &str| -> Vec<String> {
        let ran = desk.run(&format!("alert list --json {arguments}")).await;
        let rows: Vec<AlertRow> = serde_json::from_str(&ran.out).unwrap();
        rows.into_iter().map(|r| r.fingerprint[..4].to_owned()).collect()
    };
    assert_eq!(ids("--state firing").await, ["00c0", "0bad"]);
    assert_eq!(ids("--acked").await, ["00c0"]);
    assert_eq!(ids("--unacked --state firing").await, ["0bad"]);
    assert_eq!(ids("--muted").await, ["0bad"]);
    assert_eq!(ids("SlowShop").await, ["feed"]);
    assert_eq!(ids("alertname=MonitorDown monitor!=db").await, ["0bad"]);
    assert_eq!(ids("team=~web|db").await, ["feed"]);
    let none = desk.run("alert list team=none").await;
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.contains("none of 3 alerts matches"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_asked_for() {
    #[track_caller]
    fn last(desk: &Desk) -> (String, String, serde_json::Value) {
        let (method, path, body) = desk.asked().pop().unwrap();
        (method, path, if body.is_empty() { serde_json::Value::Null } else { serde_json::from_str(&body).unwrap() })
    }
    let desk = Desk::open().await;
    desk.run("alert ack shop_/_x --until 2025-11-23T14:00:00Z --by ann").await;
    let (method, path, body) = last(&desk);
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/api/v1/alerts/shop%20%2F%20x/ack"));
    assert_eq!(body["until"], "2025-11-23T14:00:00.000Z");
    assert_eq!((&body["by"], &body["comment"]), (&"ann".into(), &"".into()));

    desk.run("silence add DiskFull instance=~db-.* --for 2h --start now+1h -m deploy --yes").await;
    let asked = desk.asked();
    assert_eq!(
        asked.iter().map(|a| a.1.as_str()).collect::<Vec<_>>(),
        ["/api/v1/silences/preview", "/api/v1/silences"]
    );
    assert_eq!(asked[0].2, asked[1].2, "what is shown is what is made");
    let body: serde_json::Value = serde_json::from_str(&asked[1].2).unwrap();
    assert_eq!(body["matchers"], serde_json::json!([r#"alertname="DiskFull""#, r#"instance=~"db-.*""#]));
    assert_eq!((&body["for"], &body["comment"]), (&7_200.0.into(), &"deploy".into()));

    desk.run("silence extend 1a2b --for 1h").await;
    let (_, _, body) = last(&desk);
    assert_eq!(body["id"], "1a2b3c4d-0000-4000-8000-000000000000");
    assert_eq!(body["ends_at"], later(120).to_string());

    desk.run("notify log --receiver ops --state dead --limit 5 --alert 00c0ffee00c0ffee").await;
    let (_, path, _) = last(&desk);
    assert_eq!(path, "/api/v1/notifications?limit=5&receiver=ops&state=dead&alert=00c0ffee00c0ffee");

    desk.run("why SlowShop --kind rule").await;
    assert_eq!(last(&desk).1, "/api/v1/why?about=SlowShop&kind=rule");
    desk.run("drill severity=critical team=db").await;
    assert_eq!(last(&desk).2, serde_json::json!({"labels": {"severity": "critical", "team": "db"}}));
    desk.run("alert history db --since 2h").await;
    let (_, path, _) = last(&desk);
    assert!(
        path.starts_with("/api/v1/events?alert=00c0ffee00c0ffee&limit=50&since=2025-11-23T10%3A13%3A20."),
        "{path}"
    );
    desk.run("maintenance next --limit 3").await;
    assert_eq!(last(&desk).1, "/api/v1/maintenance?upcoming=true&limit=3");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_have_passed_are_refused_here() {
    let desk = Desk::open().await;
    for arguments in [
        "alert ack db --until 2025-11-23T12:00:00Z",
        "silence add monitor=db --until 2025-11-23T12:00:00Z",
        "silence add monitor=db --start now+2h --until now+1h",
        "alert ack db --for 2h --until now+2h",
        "silence add",
        "alert list --acked --unacked",
        "notify resend x",
        "why",
    ] {
        let ran = desk.run(arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments}: {}", ran.err);
    }
    assert_eq!(desk.asked(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_fit_the_terminal_and_nothing_foreign_reaches_it() {
    use unicode_width::UnicodeWidthStr;
    let desk = Desk::open().await;
    for arguments in [
        "alert list",
        "alert show db",
        "alert history",
        "why db",
        "silence list",
        "silence preview monitor=shop",
        "maintenance list",
        "maintenance next",
        "notify list",
        "notify log",
        "notify routes a=b",
        "drill",
    ] {
        for columns in ["80", "120"] {
            let ran = desk.run_as_wide(arguments, columns).await;
            let widest = ran.out.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(widest <= columns.parse().unwrap(), "{arguments} in {columns}: {widest}\n{}", ran.out);
            assert!(!ran.out.contains('\x1b') && !ran.err.contains('\x1b'), "{arguments}: {:?}", ran.out);
        }
        let colored = desk.run(&format!("{arguments} --color always")).await;
        assert!(!colored.out.contains("\x1b[2J"), "{arguments}");
    }
}
