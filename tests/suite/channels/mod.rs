//! What each channel sends, checked against what its service documents: address, headers, fields,
//! limits, signatures; what it does at the end of an incident; how it takes each answer; and that
//! hostile texts call nobody and secrets stay secret.

mod answers;
mod documented;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use base64::Engine as _;
use serde_json::Value;
use tokio::task::JoinSet;
use watchdog::base::labels::Labels;
use watchdog::base::message::{DeliveryError, Status};
use watchdog::base::notification::{Delivery, Notification, NotifiedAlert, Notifier, Receipt};
use watchdog::base::time::Timestamp;
use watchdog::config::catalog::Catalog;
use watchdog::config::fields::{Cx, Fields, Resolver};
use watchdog::config::model::Server;
use watchdog::config::report::Source;
use watchdog::config::yaml;
use watchdog::engine::kinds::Kinds;

/// Stands for every secret of every channel; looks like what each of them accepts.
const SECRET: &str = "S3cr3tT0kenForTests";

struct Env;

impl Resolver for Env {
    fn resolve(&self, _: &str, name: &str) -> Result<String, String> {
        match name {
            "BOT" => Ok(format!("12345:{SECRET}")),
            _ => Ok(SECRET.to_owned()),
        }
    }
}

fn build(kind: &str, text: &str) -> Arc<dyn Notifier> {
    let root = yaml::parse(text).0.unwrap();
    let cx = Cx::new(Source::new("test.yaml", text), &Env);
    let mut fields = Fields::of(&cx, &root).unwrap();
    let server = Server { external_url: Some("https://watchdog.example.com".into()), ..Server::default() };
    let made = Kinds.notifier(kind, &server, &mut fields);
    fields.finish();
    assert_eq!(cx.into_problems(), [], "{text}");
    made.unwrap()
}

/// Options of a kind that reaches its service over HTTP, and what the service answers to a message.
fn channel(kind: &str, url: &str) -> (String, &'static str) {
    let (options, reply) = match kind {
        "telegram" => (
            "bot_token: \"${env:BOT}\", chat_id: \"-100\", message_thread_id: 7, api_url: \"URL\"",
            r#"{"ok":true,"result":{"message_id":42}}"#,
        ),
        "webhook" => ("url: \"URL/hook\", secret: \"${env:S}\"", ""),
        "slack" => (
            "bot_token: \"${env:S}\", channel: C012, api_url: \"URL/api\", mentions: {critical: [here, U9]}",
            r#"{"ok":true,"channel":"C012","ts":"17.000100"}"#,
        ),
        "discord" => {
            ("url: \"URL/api/webhooks/1/${env:S}\", mentions: {critical: [\"&77\", \"88\"]}", r#"{"id":"42"}"#)
        }
        "teams" => ("url: \"URL/workflows/${env:S}\"", ""),
        "wecom" => (
            "key: \"${env:S}\", api_url: \"URL/cgi-bin/webhook/send\", mentions: {critical: [zhang]}",
            r#"{"errcode":0,"errmsg":"ok"}"#,
        ),
        "feishu" => (
            "url: \"URL/open-apis/bot/v2/hook/${env:S}\", secret: \"${env:S}\", mentions: {critical: [all]}",
            r#"{"code":0,"msg":"success"}"#,
        ),
        "dingtalk" => (
            "access_token: \"${env:S}\", secret: \"${env:S}\", api_url: \"URL/robot/send\", mentions: {critical: [\"13800000000\", zhang]}",
            r#"{"errcode":0,"errmsg":"ok"}"#,
        ),
        "ntfy" => ("topic: alerts, token: \"${env:S}\", api_url: \"URL\"", r#"{"id":"x1"}"#),
        "gotify" => ("url: \"URL\", token: \"${env:S}\"", r#"{"id":5}"#),
        "pushover" => (
            "token: \"${env:S}\", user: \"${env:S}\", emergency: true, api_url: \"URL/1\"",
            r#"{"status":1,"request":"r1","receipt":"rcpt1"}"#,
        ),
        "pagerduty" => (
            "routing_key: \"${env:S}\", api_url: \"URL/v2/enqueue\"",
            r#"{"status":"success","message":"Event processed","dedup_key":"t"}"#,
        ),
        "opsgenie" => (
            "api_key: \"${env:S}\", responders: [\"team:web\"], api_url: \"URL\"",
            r#"{"result":"Request will be processed","requestId":"q1"}"#,
        ),
        "matrix" => {
            ("homeserver: \"URL\", access_token: \"${env:S}\", room_id: \"!r:example.com\"", r#"{"event_id":"$e1"}"#)
        }
        "mattermost" => {
            ("url: \"URL\", bot_token: \"${env:S}\", channel_id: abcdef, mentions: {critical: [ada]}", r#"{"id":"p1"}"#)
        }
        other => panic!("{other}"),
    };
    (format!("{{{}}}", options.replace("URL", url)), reply)
}

const OVER_HTTP: [&str; 15] = [
    "telegram",
    "webhook",
    "slack",
    "discord",
    "teams",
    "wecom",
    "feishu",
    "dingtalk",
    "ntfy",
    "gotify",
    "pushover",
    "pagerduty",
    "opsgenie",
    "matrix",
    "mattermost",
];

fn alert(status: Status, host: &str) -> NotifiedAlert {
    NotifiedAlert {
        status,
        fingerprint: "fe6993caee5e5b46".into(),
        labels: Labels::new([("alertname", "DiskFull"), ("instance", host), ("severity", "critical")]),
        annotations: Labels::new([("summary", "/var is full"), ("runbook_url", "https://wiki.example.com/disk")]),
        starts_at: Timestamp::from_millis(1_763_900_000_120),
        ends_at: (status == Status::Resolved).then(|| Timestamp::from_millis(1_763_900_900_000)),
        value: Some(0.97),
        generator_url: None,
    }
}

fn firing() -> Notification {
    Notification::single("key-1".into(), "thread-1".into(), "ops", alert(Status::Firing, "db-1"))
}

fn resolved() -> Notification {
    Notification::single("key-2".into(), "thread-1".into(), "ops", alert(Status::Resolved, "db-1"))
}

/// One request that a service got.
#[derive(Clone, Debug)]
struct Got {
    method: Method,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    raw: Vec<u8>,
    body: Value,
}

impl Got {
    fn has(&self, pointer: &str, value: impl Into<Value>) {
        assert_eq!(self.body.pointer(pointer), Some(&value.into()), "{pointer} in {:#}", self.body);
    }

    fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {:#}", self.body))
    }
}

type Answer = (u16, String);

/// Kind, status, body, whether it is tried again (nothing when it is taken), the pause that is kept in seconds.
type Row = (&'static str, u16, &'static str, Option<bool>, Option<u64>);

/// A service that remembers what it got, answers as scripted and then always alike.
struct Service {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
    _tasks: JoinSet<()>,
}

impl Service {
    async fn start(script: Vec<Answer>, last: Answer) -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (writer, script) = (Arc::clone(&got), Arc::new(Mutex::new(VecDeque::from(script))));
        let app = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, raw: Bytes| async move {
            let text = |v: &axum::http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
            let query = reqwest::Url::parse(&format!("http://x/?{}", uri.query().unwrap_or_default())).unwrap();
            writer.lock().unwrap().push(Got {
                method,
                path: percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned(),
                query: query.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect(),
                headers: headers.iter().map(|(k, v)| (k.to_string(), text(v))).collect(),
                body: serde_json::from_slice(&raw).unwrap_or_default(),
                raw: raw.to_vec(),
            });
            let (status, body) = script.lock().unwrap().pop_front().unwrap_or(last);
            (StatusCode::from_u16(status).unwrap(), body)
        });
        let app = app.layer(axum::extract::DefaultBodyLimit::disable());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, got, _tasks: tasks }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

async fn deliver(to: &dyn Notifier, n: &Notification, previous: Option<&str>) -> Result<Receipt, DeliveryError> {
    to.deliver(Delivery { notification: n, previous }).await
}

/// What a channel sends about `all`, one after the other, each with what it was told before.
async fn conversation(kind: &str, all: &[Notification]) -> Vec<Got> {
    let service = Service::start(Vec::new(), (200, channel(kind, "").1.to_owned())).await;
    let to = build(kind, &channel(kind, &service.url).0);
    let mut previous: Option<String> = None;
    for n in all {
        let receipt = deliver(&*to, n, previous.as_deref()).await.unwrap();
        previous = receipt.remote.or(previous);
    }
    service.got()
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn every_page_shows_its_kind() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/notifiers");
    for kind in Kinds.notifier_kinds() {
        let page = std::fs::read_to_string(folder.join(format!("{kind}.md"))).unwrap();
        assert!(page.contains("```yaml\nnotifiers:") && page.contains(&format!("type: {kind}\n")), "{kind}");
    }
}
