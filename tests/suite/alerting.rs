//! Alerting over the API: our own routes and Alertmanager's, with real actors behind them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use watchdog::base::failure::Kind;
use watchdog::client::{Client, ClientError, Endpoint};
use watchdog::wire::alerting::{
    Ack, AlertDetail, Deliveries, NotifierHealth, NotifierRow, RouteMatch, RouteRow, SilencePreview, SilenceRow,
    SilenceState, TestResult, Why,
};
use watchdog::wire::board::{AlertState, DeliveryState};

use crate::fake::House;
use crate::server::{PATIENCE, exchange, request};

struct Desk {
    house: House,
    client: Client,
}

impl Desk {
    async fn open() -> Self {
        let house = House::start().await;
        Self { client: house.client(), house }
    }

    /// A request over the socket, on a thread that may wait.
    async fn plain(&self, method: &'static str, path: &str, body: Value) -> String {
        let (socket, path) = (self.house.socket(), path.to_owned());
        tokio::task::spawn_blocking(move || exchange(&socket, method, &path, &body.to_string())).await.unwrap()
    }

    async fn send(&self, method: &'static str, path: &str, body: Value) -> Value {
        let (socket, path) = (self.house.socket(), path.to_owned());
        tokio::task::spawn_blocking(move || request(&socket, method, &path, &body.to_string())).await.unwrap()
    }

    async fn raise(&self, alerts: Value) {
        assert_eq!(self.plain("POST", "/api/v2/alerts", alerts).await, "");
    }

    async fn fingerprint(&self, name: &str) -> String {
        let found = self.send("GET", &format!("/api/v2/alerts?filter=alertname%3D{name}"), Value::Null).await;
        found[0]["fingerprint"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned()
    }

    async fn delivered(&self, count: usize) -> Deliveries {
        let end = Instant::now() + PATIENCE;
        loop {
            let page: Deliveries = self.client.get("/api/v1/notifications?state=delivered").await.unwrap();
            if page.deliveries.len() >= count {
                assert_eq!(page.deliveries.len(), count, "{page:?}");
                return page;
            }
            assert!(Instant::now() < end, "{page:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn alert(name: &str, more: &[(&str, &str)]) -> Value {
    let mut labels = json!({"alertname": name, "severity": "critical"});
    for (name, value) in more {
        labels[*name] = json!(value);
    }
    json!({"labels": labels, "annotations": {"summary": "it is broken", "runbook_url": "https://example.com/r"},
           "generatorURL": "http://prometheus.example/graph"})
}

fn refusal(reply: Result<Value, ClientError>) -> (Kind, String) {
    match reply {
        Err(ClientError::Refused { kind, message, .. }) => (kind, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_alert_is_shown_acknowledged_and_explained() {
    let desk = Desk::open().await;
    desk.raise(json!([alert("Broken", &[("host", "a")])])).await;
    let id = desk.fingerprint("Broken").await;
    let page = desk.delivered(1).await;
    let told = &page.deliveries[0];
    assert_eq!(
        (told.notifier.as_str(), told.subject.as_str(), told.state),
        ("ops", "Broken", DeliveryState::Delivered)
    );
    assert_eq!(told.fingerprints, std::slice::from_ref(&id));
    assert_eq!(told.attempts[0].detail.as_deref(), Some("thanks"));

    for name in [&id, &id[..6], "Broken"] {
        let detail: AlertDetail = desk.client.get(&format!("/api/v1/alerts/{name}")).await.unwrap();
        assert_eq!((detail.alert.fingerprint.as_str(), detail.alert.state), (id.as_str(), AlertState::Firing));
        assert_eq!(detail.condition, "http://prometheus.example/graph");
        assert_eq!(detail.runbook.as_deref(), Some("https://example.com/r"));
        assert_eq!(detail.routes[0].notifiers, ["ops"]);
        assert!(detail.timeline.iter().any(|e| e.what == "told"), "{:?}", detail.timeline);
        assert!(detail.next.iter().any(|n| n.what == "repeat to ops"), "{:?}", detail.next);
    }

    let ack: Ack = desk.client.post(&format!("/api/v1/alerts/{id}/ack"), &json!({"comment": "mine"})).await.unwrap();
    // Who asks over the socket is known to the system.
    assert!(!ack.by.is_empty() && ack.comment == "mine");
    let detail: AlertDetail = desk.client.get("/api/v1/alerts/Broken").await.unwrap();
    assert_eq!(detail.alert.ack, Some(ack));
    assert!(detail.timeline.iter().any(|e| e.what == "acked"));
    let why: Why = desk.client.get("/api/v1/why?about=Broken").await.unwrap();
    assert_eq!((why.kind.as_str(), why.about.as_str()), ("alert", "Broken"));
    let names: Vec<_> = why.steps.iter().map(|s| s.name.as_str()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"loaded"), Some(&"attempts")), "{names:?}");

    let gone = desk.send("DELETE", &format!("/api/v1/alerts/{id}/ack"), Value::Null).await;
    assert_eq!(gone, json!({"ok": true}));
    let again = desk.send("DELETE", &format!("/api/v1/alerts/{id}/ack"), Value::Null).await;
    assert!(again["error"].as_str().unwrap().starts_with("nobody has acknowledged"), "{again}");
    let past = json!({"until": "2001-01-01T00:00:00Z"});
    let (kind, _) = refusal(desk.client.post(&format!("/api/v1/alerts/{id}/ack"), &past).await);
    assert_eq!(kind, Kind::Usage);
    let (kind, _) = refusal(desk.client.post("/api/v1/alerts/nope/ack", &json!({})).await);
    assert_eq!(kind, Kind::NotFound);
    let (kind, message) = refusal(desk.client.get("/api/v1/why?about=nope").await);
    assert_eq!(kind, Kind::NotFound, "{message}");
    desk.raise(json!([alert("Broken", &[("host", "b")])])).await;
    let (_, message) = refusal(desk.client.get("/api/v1/alerts/Broken").await);
    assert!(message.contains("may mean several"), "{message}");
    desk.house.stop().await;
}

#[tokio::test]
async fn silences_are_previewed_made_changed_and_ended() {
    let desk = Desk::open().await;
    desk.raise(json!([alert("Broken", &[("team", "web")]), alert("Other", &[("team", "db")])])).await;
    desk.delivered(2).await;
    let wish = json!({"matchers": ["team=web"], "for": 7_200});
    let preview: SilencePreview = desk.client.post("/api/v1/silences/preview", &wish).await.unwrap();
    assert_eq!(preview.matches.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["Broken"]);
    assert_eq!(preview.would_have_muted, 1);
    assert!(preview.warnings.contains(&"no reason is given".to_owned()), "{:?}", preview.warnings);
    assert!(desk.client.get::<Vec<SilenceRow>>("/api/v1/silences").await.unwrap().is_empty());

    let wish = json!({"matchers": ["team=web"], "for": 7_200, "comment": "deploy", "created_by": "ann"});
    let made: SilenceRow = desk.client.post("/api/v1/silences", &wish).await.unwrap();
    assert_eq!((made.state, made.matches, made.created_by.as_str()), (SilenceState::Active, 1, "ann"));
    let found = desk.send("GET", "/api/v2/alerts?silenced=false", Value::Null).await;
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    let muted: AlertDetail = desk.client.get("/api/v1/alerts/Broken").await.unwrap();
    assert_eq!(muted.alert.muted.unwrap().id, made.id);

    // The end may be moved; other matchers are another silence.
    let longer = json!({"id": made.id, "matchers": ["team=web"], "starts_at": made.starts_at, "for": 9_000,
                        "comment": "deploy", "created_by": "ann"});
    let changed: SilenceRow = desk.client.post("/api/v1/silences", &longer).await.unwrap();
    assert_eq!(changed.id, made.id);
    assert!(changed.ends_at > made.ends_at);
    let wider = json!({"id": made.id, "matchers": ["team=~web|db"], "for": 9_000, "comment": "deploy"});
    let replaced: SilenceRow = desk.client.post("/api/v1/silences", &wider).await.unwrap();
    assert_ne!(replaced.id, made.id);
    let all: Vec<SilenceRow> = desk.client.get("/api/v1/silences").await.unwrap();
    let states: Vec<_> = all.iter().map(|s| (s.id.as_str(), s.state)).collect();
    assert_eq!(states, [(replaced.id.as_str(), SilenceState::Active), (made.id.as_str(), SilenceState::Expired)]);

    let short = &replaced.id[..8];
    assert_eq!(desk.send("DELETE", &format!("/api/v1/silences/{short}"), Value::Null).await, json!({"ok": true}));
    let again = desk.send("DELETE", &format!("/api/v1/silences/{short}"), Value::Null).await;
    assert!(again["error"].as_str().unwrap().contains("over already"), "{again}");
    for (wrong, why) in [
        (json!({"matchers": []}), "matcher"),
        (json!({"matchers": ["team=~("]}), "bad matcher `team=~(`"),
        (json!({"matchers": ["a=b"], "for": 1, "ends_at": "2030-01-01T00:00:00Z"}), "either the end or the length"),
        (json!({"matchers": ["a=b"], "ends_at": "2001-01-01T00:00:00Z"}), "end"),
    ] {
        let (kind, message) = refusal(desk.client.post("/api/v1/silences", &wrong).await);
        assert!(kind == Kind::Usage && message.contains(why), "{wrong}: {message}");
    }
    desk.house.stop().await;
}

#[tokio::test]
async fn notifiers_are_listed_tested_drilled_and_told_again() {
    let desk = Desk::open().await;
    let rows: Vec<NotifierRow> = desk.client.get("/api/v1/notifiers").await.unwrap();
    assert_eq!((rows.len(), rows[0].name.as_str(), rows[0].health), (1, "ops", NotifierHealth::Ok));
    let test: TestResult = desk.client.post("/api/v1/notifiers/ops/test", &()).await.unwrap();
    assert_eq!((test.ok, test.detail.as_deref()), (true, Some("thanks")));
    let Err(ClientError::Refused { kind, hints, .. }) =
        desk.client.post::<_, Value>("/api/v1/notifiers/opps/test", &()).await
    else {
        panic!("there is no such notifier")
    };
    assert_eq!((kind, hints), (Kind::NotFound, vec!["did you mean `ops`?".to_owned()]));

    let drill: Vec<TestResult> = desk.client.post("/api/v1/drill", &json!({"labels": {"team": "web"}})).await.unwrap();
    assert_eq!((drill.len(), drill[0].notifier.as_str(), drill[0].ok), (1, "ops", true));
    // The drill and its end.
    let page = desk.delivered(2).await;
    assert!(page.deliveries.iter().all(|d| d.subject == "Drill"));
    let resent =
        desk.send("POST", &format!("/api/v1/notifications/{}/resend", page.deliveries[0].id), Value::Null).await;
    assert_eq!(resent, json!({"ok": true}));
    desk.delivered(3).await;
    let (kind, _) = refusal(desk.client.post("/api/v1/notifications/99/resend", &()).await);
    assert_eq!(kind, Kind::NotFound);
    let (kind, _) = refusal(desk.client.post("/api/v1/notifications/x/resend", &()).await);
    assert_eq!(kind, Kind::Usage);
    let first: Deliveries = desk.client.get("/api/v1/notifications?limit=2").await.unwrap();
    let rest = format!("/api/v1/notifications?limit=2&before={}", first.next.unwrap());
    assert_eq!(desk.client.get::<Deliveries>(&rest).await.unwrap().deliveries.len(), 1);

    let root: RouteRow = desk.client.get("/api/v1/routes").await.unwrap();
    assert_eq!((root.group_by, root.routes.len()), (vec!["alertname".to_owned(), "monitor".to_owned()], 0));
    let goes: Vec<RouteMatch> = desk.client.post("/api/v1/routes/test", &json!({"alertname": "X"})).await.unwrap();
    assert_eq!(goes[0].group_key, "{}:{alertname=\"X\"}");
    assert_eq!(desk.send("GET", "/api/v1/maintenance", Value::Null).await, json!([]));
    desk.house.stop().await;
}

#[tokio::test]
async fn alertmanagers_api_answers_in_its_words() {
    let desk = Desk::open().await;
    assert_eq!(desk.plain("GET", "/-/healthy", Value::Null).await, "OK");
    assert_eq!(desk.plain("GET", "/-/ready", Value::Null).await, "OK");
    let ended =
        json!({"labels": {"alertname": "Old"}, "startsAt": "2025-11-23T10:00:00Z", "endsAt": "2025-11-23T11:00:00Z"});
    let later = json!({"labels": {"alertname": "Later"}, "endsAt": "2025-11-23T13:00:00Z"});
    desk.raise(json!([alert("Broken", &[]), ended, later])).await;
    let all = desk.send("GET", "/api/v2/alerts", Value::Null).await;
    let mut names: Vec<_> =
        all.as_array().unwrap().iter().map(|a| a["labels"]["alertname"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Broken", "Later"]);
    let one = desk.send("GET", "/api/v2/alerts?filter=alertname%3D~%22Bro.*%22&receiver=.*", Value::Null).await;
    let one = &one[0];
    assert_eq!(one["status"], json!({"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}));
    assert_eq!(one["generatorURL"], "http://prometheus.example/graph");
    assert_eq!(desk.send("GET", "/api/v2/alerts?receiver=nobody", Value::Null).await, json!([]));
    assert_eq!(desk.send("GET", "/api/v2/alerts?active=false", Value::Null).await, json!([]));
    let groups = desk.send("GET", "/api/v2/alerts/groups", Value::Null).await;
    let labels: Vec<_> = groups.as_array().unwrap().iter().map(|g| g["labels"].clone()).collect();
    assert_eq!(labels, [json!({"alertname": "Broken"}), json!({"alertname": "Later"})]);

    let bad = desk.send("POST", "/api/v2/alerts", json!([{"labels": {}}, alert("Sound", &[])])).await;
    assert_eq!(bad, json!("at least one label pair required"));
    desk.fingerprint("Sound").await;
    for (path, why) in [
        ("/api/v2/alerts?filter=a%3D~%22(%22", "bad matcher format: a=~\"(\""),
        ("/api/v2/alerts?active=maybe", "active in query must be of type boolean: \"maybe\""),
        ("/api/v2/silence/no-such-id", "silence no-such-id not found"),
    ] {
        let said = desk.send("GET", path, Value::Null).await;
        assert!(said.as_str().is_some_and(|s| s.starts_with(why)), "{path}: {said}");
    }

    let wish = json!({
        "matchers": [{"name": "alertname", "value": "Brok.*", "isRegex": true}],
        "startsAt": "2025-11-23T12:00:00Z", "endsAt": "2025-11-23T13:00:00Z", "createdBy": "ann", "comment": "deploy"
    });
    let made = desk.send("POST", "/api/v2/silences", wish).await;
    let id = made["silenceID"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let silence = desk.send("GET", &format!("/api/v2/silence/{id}"), Value::Null).await;
    assert_eq!(
        silence["matchers"],
        json!([{"name": "alertname", "value": "Brok.*", "isRegex": true, "isEqual": true}])
    );
    assert_eq!(silence["status"], json!({"state": "active"}));
    let muted = desk.send("GET", "/api/v2/alerts?filter=alertname%3DBroken", Value::Null).await;
    assert_eq!(muted[0]["status"]["silencedBy"], json!([id]));
    assert_eq!(muted[0]["status"]["state"], "suppressed");
    assert_eq!(desk.plain("DELETE", &format!("/api/v2/silence/{id}"), Value::Null).await, "");
    let silences = desk.send("GET", "/api/v2/silences", Value::Null).await;
    assert_eq!(silences[0]["status"], json!({"state": "expired"}));
    let status = desk.send("GET", "/api/v2/status", Value::Null).await;
    assert!(status["config"]["original"].as_str().unwrap().starts_with("route:\n"), "{status}");
    assert_eq!(
        desk.send("GET", "/api/v2/receivers", Value::Null).await,
        json!([{"name": "every notifier"}, {"name": "ops"}])
    );
    // Over TCP the same.
    let tcp = Client::new(Endpoint::Tcp(desk.house.tcp));
    assert!(tcp.get::<Value>("/api/v2/status").await.unwrap()["cluster"]["status"] == "disabled");
    desk.house.stop().await;
}
