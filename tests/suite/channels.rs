//! What each channel sends, checked against what its service documents: address, headers, fields,
//! limits, signatures; what it does at the end of an incident; how it takes each answer; and that
//! hostile texts call nobody and secrets stay secret.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use watchdog::base::failure::Chain;
use watchdog::base::labels::Labels;
use watchdog::base::message::{DeliveryError, Status};
use watchdog::base::notification::{Delivery, Notification, NotifiedAlert, Notifier, Reason, Receipt};
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

#[tokio::test(flavor = "multi_thread")]
async fn each_channel_sends_what_its_service_documents() {
    let mut escalated = firing();
    (escalated.key, escalated.reason) = ("key-3".into(), Reason::Escalated(1));
    for kind in OVER_HTTP {
        let all = conversation(kind, &[firing(), escalated.clone(), resolved()]).await;
        let bearer = |got: &Got| assert_eq!(got.headers["authorization"], format!("Bearer {SECRET}"));
        let first = &all[0];
        let is_json = first.headers["content-type"] == "application/json";
        assert!(is_json, "{kind}");
        match kind {
            "telegram" => {
                assert_eq!(first.path, format!("/bot12345:{SECRET}/sendMessage"));
                first.has("/chat_id", "-100");
                first.has("/message_thread_id", 7);
                first.has("/parse_mode", "HTML");
                assert!(first.text("/text").starts_with("<b>\u{1f534} FIRING: DiskFull – db-1</b>\n\n/var is full"));
                all[1].has("/reply_parameters/message_id", 42);
                assert_eq!(all[2].path, format!("/bot12345:{SECRET}/editMessageText"));
                all[2].has("/message_id", 42);
                assert!(all[2].text("/text").contains("RESOLVED"));
            }
            "webhook" => {
                assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/hook"));
                assert_eq!(first.headers["idempotency-key"], "key-1");
                let hex: String = hmac(SECRET.as_bytes(), &first.raw).iter().map(|b| format!("{b:02x}")).collect();
                assert_eq!(first.headers["x-watchdog-signature"], format!("sha256={hex}"));
                for (pointer, value) in [
                    ("/version", json!("4")),
                    ("/status", json!("firing")),
                    ("/receiver", json!("ops")),
                    ("/truncatedAlerts", json!(0)),
                    ("/groupLabels/alertname", json!("DiskFull")),
                    ("/commonAnnotations/summary", json!("/var is full")),
                    ("/externalURL", json!("https://watchdog.example.com")),
                    ("/alerts/0/fingerprint", json!("fe6993caee5e5b46")),
                    ("/alerts/0/endsAt", json!("0001-01-01T00:00:00Z")),
                ] {
                    first.has(pointer, value);
                }
                assert!(first.text("/groupKey").starts_with("{}:{"));
                all[2].has("/alerts/0/endsAt", "2025-11-23T12:28:20.000Z");
            }
            "slack" => {
                assert_eq!(first.path, "/api/chat.postMessage");
                bearer(first);
                first.has("/channel", "C012");
                first.has("/blocks/0/text/type", "plain_text");
                first.has("/attachments/0/blocks/0/text/text", "<!here> <@U9>");
                assert!(
                    first.text("/attachments/0/blocks/1/text/text").contains("<https://wiki.example.com/disk|Runbook>")
                );
                all[1].has("/thread_ts", "17.000100");
                assert_eq!(all[2].path, "/api/chat.update");
                all[2].has("/ts", "17.000100");
                assert!(!all[2].body.to_string().contains("<!here>"));
            }
            "discord" => {
                assert_eq!(first.path, format!("/api/webhooks/1/{SECRET}"));
                assert_eq!(first.query["wait"], "true");
                first.has("/content", "<@&77> <@88>");
                first.has("/allowed_mentions", json!({"parse": [], "users": ["88"], "roles": ["77"]}));
                first.has("/embeds/0/color", 0xd6_2728);
                assert_eq!(
                    (all[2].method.as_str(), all[2].path.as_str()),
                    ("PATCH", &*format!("/api/webhooks/1/{SECRET}/messages/42"))
                );
                all[2].has("/content", "");
            }
            "teams" => {
                first.has("/type", "message");
                first.has("/attachments/0/contentType", "application/vnd.microsoft.card.adaptive");
                first.has("/attachments/0/content/type", "AdaptiveCard");
                first.has("/attachments/0/content/version", "1.4");
                first.has("/attachments/0/content/body/0/color", "attention");
                first.has("/attachments/0/content/actions/0/url", "https://watchdog.example.com");
                all[2].has("/attachments/0/content/body/0/color", "good");
            }
            "wecom" => {
                assert_eq!((first.path.as_str(), &*first.query["key"]), ("/cgi-bin/webhook/send", SECRET));
                first.has("/msgtype", "markdown");
                assert!(first.text("/markdown/content").ends_with("<@zhang>"));
                assert!(!all[2].text("/markdown/content").contains("<@"));
            }
            "feishu" => {
                let time = first.text("/timestamp").to_owned();
                assert_eq!(first.text("/sign"), base64(&hmac(format!("{time}\n{SECRET}").as_bytes(), b"")));
                first.has("/msg_type", "interactive");
                first.has("/card/header/template", "red");
                first.has("/card/header/title/tag", "plain_text");
                first.has("/card/elements/1/content", "<at id=all></at>");
                all[2].has("/card/header/template", "green");
            }
            "dingtalk" => {
                let time = &first.query["timestamp"];
                let sign = base64(&hmac(SECRET.as_bytes(), format!("{time}\n{SECRET}").as_bytes()));
                assert_eq!((&first.query["sign"], &*first.query["access_token"]), (&sign, SECRET));
                assert_eq!(time.len(), 13);
                first.has("/msgtype", "markdown");
                first.has("/at", json!({"atMobiles": ["13800000000"], "atUserIds": ["zhang"], "isAtAll": false}));
                assert!(first.text("/markdown/text").ends_with("@13800000000 @zhang"));
            }
            "ntfy" => {
                assert_eq!(first.path, "/");
                bearer(first);
                first.has("/topic", "alerts");
                first.has("/priority", 5);
                first.has("/click", "https://watchdog.example.com");
                first.has("/sequence_id", "thread-1");
                all[2].has("/sequence_id", "thread-1");
                all[2].has("/tags/0", "white_check_mark");
            }
            "gotify" => {
                assert_eq!(first.path, "/message");
                assert_eq!(first.headers["x-gotify-key"], SECRET);
                first.has("/priority", 10);
                first.has("/extras/client::notification/click/url", "https://watchdog.example.com");
            }
            "pushover" => {
                assert_eq!(first.path, "/1/messages.json");
                first.has("/priority", 2);
                first.has("/retry", 60);
                first.has("/expire", 3_600);
                assert!(first.text("/message").chars().count() <= 1_024);
                assert_eq!(all[2].path, "/1/receipts/rcpt1/cancel.json");
                all[3].has("/priority", 0);
            }
            "pagerduty" => {
                assert_eq!(first.path, "/v2/enqueue");
                first.has("/event_action", "trigger");
                first.has("/routing_key", SECRET);
                first.has("/dedup_key", "thread-1");
                first.has("/payload/severity", "critical");
                first.has("/payload/source", "db-1");
                first.has("/payload/timestamp", "2025-11-23T12:13:20.120Z");
                first.has("/links/0/href", "https://wiki.example.com/disk");
                all[2].has("/event_action", "resolve");
                all[2].has("/dedup_key", "thread-1");
            }
            "opsgenie" => {
                assert_eq!(first.path, "/v2/alerts");
                assert_eq!(first.headers["authorization"], format!("GenieKey {SECRET}"));
                first.has("/alias", "thread-1");
                first.has("/priority", "P1");
                first.has("/responders/0", json!({"type": "team", "name": "web"}));
                assert_eq!(
                    (all[2].path.as_str(), &*all[2].query["identifierType"]),
                    ("/v2/alerts/thread-1/close", "alias")
                );
            }
            "matrix" => {
                assert_eq!(first.method, Method::PUT);
                assert_eq!(first.path, "/_matrix/client/v3/rooms/!r:example.com/send/m.room.message/key-1");
                bearer(first);
                first.has("/msgtype", "m.text");
                first.has("/format", "org.matrix.custom.html");
                first.has("/m.mentions", json!({}));
                all[1].has("/m.relates_to/rel_type", "m.thread");
                all[2].has("/m.relates_to/rel_type", "m.replace");
                all[2].has("/m.relates_to/event_id", "$e1");
                assert!(all[2].text("/m.new_content/body").contains("RESOLVED"));
            }
            "mattermost" => {
                assert_eq!(first.path, "/api/v4/posts");
                bearer(first);
                first.has("/channel_id", "abcdef");
                first.has("/message", "@ada");
                first.has("/props/attachments/0/color", "#d62728");
                all[1].has("/root_id", "p1");
                assert_eq!((all[2].method.as_str(), all[2].path.as_str()), ("PUT", "/api/v4/posts/p1/patch"));
                all[2].has("/message", "");
            }
            other => panic!("{other} has no case"),
        }
        // The way on stands in every message for people.
        let for_people = !matches!(kind, "webhook" | "pagerduty" | "opsgenie");
        if for_people {
            let sent = String::from_utf8_lossy(&first.raw).replace('\\', "");
            assert!(sent.contains("watchdog tui alert/fe6993caee5e5b46"), "{kind}: {sent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_call_nobody_and_fit() {
    let mut evil = firing();
    let nasty =
        "@everyone @all @here <!channel> <@U1> <at id=all></at> </b><script> [x](http://evil/) \u{1b}[2J\u{202e}rtl \0";
    evil.alerts[0].labels = Labels::new([("alertname", nasty), ("instance", nasty), ("severity", "info")]);
    let long = format!("{nasty}\n{}", "x& ".repeat(350_000));
    evil.alerts[0].annotations = Labels::new([("summary", nasty.to_owned()), ("description", long)]);
    evil.alerts = vec![evil.alerts[0].clone(); 30];
    for kind in OVER_HTTP {
        let got = conversation(kind, &[evil.clone()]).await.remove(0);
        // Machines get what there is; everyone else what fits.
        if kind == "webhook" {
            assert!(got.raw.len() > 30_000_000);
            continue;
        }
        let most = match kind {
            "wecom" => 4_096 + 200,
            "ntfy" => 5_500,
            "pushover" => 4_000,
            "discord" => 30_000,
            "feishu" | "dingtalk" => 20_000,
            "teams" => 28_000,
            "pagerduty" => 512_000,
            "matrix" => 65_536,
            _ => 100_000,
        };
        assert!(got.raw.len() <= most, "{kind}: {} bytes", got.raw.len());
        let sent = got.body.to_string();
        assert!(!sent.contains('\u{202e}') && !sent.contains("\\u001b") && !sent.contains("\\u0000"), "{kind}");
        let calls: &[&str] = match kind {
            "slack" => &["<!channel>", "<@U1>"],
            "wecom" => &["<@", "@all"],
            "feishu" => &["<at id=all></at>"],
            "dingtalk" => &["@all"],
            "mattermost" => &["@all", "@here"],
            "telegram" => &["</b><script>", "<script>"],
            "matrix" => &[],
            _ => &[],
        };
        for call in calls {
            // A header that is plain text of its own field is not markup.
            let sent = match kind {
                "feishu" => got.body["card"]["elements"].to_string(),
                "slack" => got.body["attachments"].to_string(),
                "dingtalk" => got.body["markdown"]["text"].to_string(),
                _ => sent.clone(),
            };
            assert!(!sent.contains(call), "{kind} would act on {call}: {sent}");
        }
        match kind {
            "discord" => {
                got.has("/allowed_mentions", json!({"parse": [], "users": [], "roles": []}));
                let length = |p: &str| got.text(p).encode_utf16().count();
                assert!(length("/embeds/0/title") <= 256 && length("/embeds/0/description") <= 4_096);
            }
            "slack" => {
                assert!(got.text("/blocks/0/text/text").chars().count() <= 150);
                assert!(got.text("/attachments/0/blocks/0/text/text").chars().count() <= 3_000);
            }
            "telegram" => {
                let bare = got
                    .text("/text")
                    .replace("<b>", "")
                    .replace("</b>", "")
                    .replace("<code>", "")
                    .replace("</code>", "");
                let bare = bare.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
                assert!(bare.encode_utf16().count() <= 4_096);
            }
            "wecom" => assert!(got.text("/markdown/content").len() <= 4_096),
            "pushover" => {
                assert!(got.text("/message").chars().count() <= 1_024 && got.text("/title").chars().count() <= 250);
            }
            "opsgenie" => {
                assert!(got.text("/message").chars().count() <= 130);
                assert!(got.text("/description").chars().count() <= 15_000);
            }
            "pagerduty" => assert!(got.text("/payload/summary").chars().count() <= 1_024),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_sorted_into_again_and_never_and_tell_no_secret() {
    let mut rows: Vec<Row> = vec![
        ("telegram", 429, r#"{"parameters":{"retry_after":31}}"#, Some(true), Some(31)),
        ("telegram", 400, r#"{"description":"Bad Request: chat not found"}"#, Some(false), None),
        ("slack", 200, r#"{"ok":false,"error":"ratelimited"}"#, Some(true), Some(1)),
        ("slack", 200, r#"{"ok":false,"error":"channel_not_found"}"#, Some(false), None),
        ("slack", 200, r#"{"ok":false,"error":"invalid_auth"}"#, Some(false), None),
        ("slack", 200, "<html>", Some(false), None),
        ("discord", 429, r#"{"retry_after":2.5}"#, Some(true), Some(2)),
        ("discord", 404, r#"{"code":10015}"#, Some(false), None),
        ("wecom", 200, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, Some(true), Some(60)),
        ("wecom", 200, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, Some(false), None),
        ("wecom", 200, "", Some(false), None),
        ("feishu", 200, r#"{"code":11232,"msg":"too many"}"#, Some(true), Some(5)),
        ("feishu", 400, r#"{"code":9499,"msg":"Bad Request"}"#, Some(false), None),
        ("feishu", 200, r#"{"code":19021,"msg":"sign match fail"}"#, Some(false), None),
        ("dingtalk", 200, r#"{"errcode":130101,"errmsg":"send too fast"}"#, Some(true), Some(60)),
        ("dingtalk", 200, r#"{"errcode":310000,"errmsg":"sign not match"}"#, Some(false), None),
        ("pushover", 400, r#"{"status":0,"errors":["user identifier is invalid"]}"#, Some(false), None),
        ("matrix", 429, r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":3000}"#, Some(true), Some(3)),
        ("matrix", 403, r#"{"errcode":"M_FORBIDDEN"}"#, Some(false), None),
        ("pagerduty", 202, r#"{"status":"success"}"#, None, None),
        ("pagerduty", 400, r#"{"status":"invalid event"}"#, Some(false), None),
        ("opsgenie", 422, r#"{"message":"invalid"}"#, Some(false), None),
        ("teams", 202, "", None, None),
    ];
    for kind in OVER_HTTP {
        for (status, again) in [(500, true), (503, true), (401, false), (413, false)] {
            rows.push((kind, status, "S3cr3tT0kenForTests 12345:S3cr3tT0kenForTests", Some(again), None));
        }
    }
    for (kind, status, body, want, pause) in rows {
        let service = Service::start(Vec::new(), (status, body.to_owned())).await;
        let to = build(kind, &channel(kind, &service.url).0);
        assert!(!format!("{to:?}").contains(SECRET), "{kind}: {to:?}");
        match deliver(&*to, &firing(), None).await {
            Ok(_) => assert_eq!(want, None, "{kind} {status} {body}"),
            Err(DeliveryError::Retry { after, err }) => {
                assert_eq!(want, Some(true), "{kind} {status} {body}: {err}");
                assert_eq!(after.map(|d| d.as_secs()).or(pause), pause, "{kind} {status} {body}");
                assert!(pause.is_none() || after.is_some(), "{kind} {status} {body}");
                assert!(!Chain(&*err).to_string().contains(SECRET), "{kind}: {err}");
            }
            Err(DeliveryError::Permanent(err)) => {
                assert_eq!(want, Some(false), "{kind} {status} {body}: {err}");
                assert!(!Chain(&*err).to_string().contains(SECRET), "{kind}: {err}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_gone_is_said_anew() {
    for (kind, previous, gone, paths) in [
        (
            "telegram",
            "42",
            (400, r#"{"ok":false,"description":"Bad Request: message to edit not found"}"#),
            ["editMessageText", "sendMessage"],
        ),
        (
            "slack",
            "C012 17.1",
            (200, r#"{"ok":false,"error":"message_not_found"}"#),
            ["chat.update", "chat.postMessage"],
        ),
        ("discord", "42", (404, r#"{"code":10008}"#), ["messages/42", SECRET]),
        ("mattermost", "p1", (404, "{}"), ["patch", "posts"]),
        ("mattermost", "p1", (403, "{}"), ["patch", "posts"]),
    ] {
        let service = Service::start(vec![(gone.0, gone.1.to_owned())], (200, channel(kind, "").1.to_owned())).await;
        let to = build(kind, &channel(kind, &service.url).0);
        deliver(&*to, &resolved(), Some(previous)).await.unwrap();
        let got = service.got();
        assert_eq!(got.len(), 2, "{kind}");
        assert!(got.iter().zip(paths).all(|(g, p)| g.path.ends_with(p)), "{kind}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_outlives_the_post_that_it_would_answer() {
    let deleted = (400, r#"{"id":"api.post.create_post.root_id.app_error"}"#.to_owned());
    let service = Service::start(vec![deleted], (200, r#"{"id":"p2"}"#.to_owned())).await;
    let to = build("mattermost", &channel("mattermost", &service.url).0);
    let receipt = deliver(&*to, &firing(), Some("p1")).await.unwrap();
    assert_eq!(receipt.remote.as_deref(), Some("p2"));
    service.got()[0].has("/root_id", "p1");
    service.got()[1].has("/root_id", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_opsgenie_no_longer_knows_is_over() {
    let service = Service::start(Vec::new(), (404, "{}".to_owned())).await;
    let to = build("opsgenie", &channel("opsgenie", &service.url).0);
    deliver(&*to, &resolved(), Some("thread-1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_ones_own_replace_the_built_in_ones() {
    let service = Service::start(Vec::new(), (200, "{}".to_owned())).await;
    let text = format!(
        "{{topic: a, api_url: \"{}\", title: \"{{{{ common_labels.alertname }}}}!\", body: \"{{{{ alerts[0].value|percent }}}}\"}}",
        service.url
    );
    deliver(&*build("ntfy", &text), &firing(), None).await.unwrap();
    let got = service.got().remove(0);
    got.has("/title", "DiskFull!");
    got.has("/message", "97%\n\nwatchdog tui alert/fe6993caee5e5b46");
    let text = format!("{{url: \"{}/x\", body: '{{\"n\": {{{{ alerts|length }}}}}}'}}", service.url);
    deliver(&*build("webhook", &text), &firing(), None).await.unwrap();
    service.got()[1].has("/n", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_fails_is_replaced_and_says_so() {
    let service = Service::start(Vec::new(), (200, "{}".to_owned())).await;
    // Fine for one alert, too much for many.
    let body = "{% for a in alerts %}{% for b in range(400) %}{{ b }}{% endfor %}{% endfor %}";
    let text = format!("{{topic: a, api_url: \"{}\", body: \"{body}\"}}", service.url);
    let mut many = firing();
    many.alerts = vec![many.alerts[0].clone(); 500];
    deliver(&*build("ntfy", &text), &many, None).await.unwrap();
    let got = service.got().remove(0);
    let message = got.text("/message");
    assert!(message.starts_with("(the template failed, this is the built-in text: it runs too long)"), "{message}");
    assert!(message.contains("/var is full"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_the_notification_and_its_exit_code_decides() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let sh = |script: &str, extra: &str| {
        let script = serde_json::to_string(script).unwrap();
        build("script", &format!("{{command: [/bin/sh, -c, {script}], env: {{TOKEN: \"${{env:S}}\"}}{extra}}}"))
    };
    let keep =
        format!("cat > {0}; echo \"$WATCHDOG_STATUS|$WATCHDOG_TITLE|$TOKEN\" >> {0}; echo ticket-7", out.display());
    let receipt = deliver(&*sh(&keep, ""), &firing(), None).await.unwrap();
    assert_eq!(receipt.remote.as_deref(), Some("ticket-7"));
    let got = std::fs::read_to_string(&out).unwrap();
    let (json, env) = got.split_once('\n').map_or((got.as_str(), ""), |(a, b)| (a, b));
    let (json, env) = if env.is_empty() { json.split_at(json.rfind('}').unwrap() + 1) } else { (json, env) };
    assert_eq!(serde_json::from_str::<Notification>(json).unwrap(), firing());
    assert_eq!(env.trim(), format!("firing|\u{1f534} FIRING: DiskFull – db-1|{SECRET}"));
    for (script, again) in
        [("echo $TOKEN >&2; exit 1", true), ("exit 75", true), ("exit 64", false), ("kill -9 $$", true)]
    {
        match deliver(&*sh(script, ""), &firing(), None).await {
            Err(DeliveryError::Retry { err, .. }) if again => assert!(!err.to_string().contains(SECRET), "{err}"),
            Err(DeliveryError::Permanent(_)) if !again => {}
            other => panic!("{script}: {other:?}"),
        }
    }
    // The grandchild is killed with it: reading ends when nobody holds the pipe any more.
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut held = tokio::net::unix::pipe::OpenOptions::new().open_receiver(&pipe).unwrap();
    let script = format!("sleep 600 > {} & sleep 600", pipe.display());
    match deliver(&*sh(&script, ", timeout: 500ms"), &firing(), None).await {
        Err(DeliveryError::Retry { err, .. }) => assert!(err.to_string().contains("did not end within"), "{err}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(held.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert!(matches!(
        deliver(&*build("script", "{command: [/no/such/program]}"), &firing(), None).await,
        Err(DeliveryError::Retry { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_that_nobody_sits_at_is_not_tried_again() {
    let to = build("desktop", "{program: /bin/false}");
    match deliver(&*to, &firing(), None).await {
        Err(DeliveryError::Permanent(err)) => assert!(err.to_string().contains("no desktop session"), "{err}"),
        // A developer's own session: the program is run, and fails.
        Err(DeliveryError::Retry { err, .. }) => assert!(err.to_string().contains("failed"), "{err}"),
        Ok(_) => panic!("nothing was shown"),
    }
}

#[test]
fn mistakes_in_templates_are_named_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let load = |previous: Option<&watchdog::config::Loaded>| {
        let loaded = watchdog::config::load(dir.path(), &Kinds, &Env, previous);
        let places = loaded.problems.iter().map(|p| format!("{}:{}:{} {}", p.file, p.line, p.column, p.message));
        let places = places.collect::<Vec<_>>();
        (loaded, places)
    };
    let main =
        "notifiers:\n  - name: ops\n    type: ntfy\n    topic: a\n    template: short\n    title: '{{ stauts }}'\n";
    write("watchdog.yaml", main);
    write(
        "templates.d/m.yaml",
        "messages:\n  - name: short\n    body: |\n      first line\n      {{ status | upcase }}\n",
    );
    assert_eq!(
        load(None).1,
        [
            "templates.d/m.yaml:5:19 `body`: unknown filter: filter upcase is unknown",
            "watchdog.yaml:5:15 no message template is named `short`",
            "watchdog.yaml:6:16 `title`: nothing is called `stauts` here; did you mean `status`?",
        ]
    );
    write("watchdog.yaml", &main.replace("stauts", "status"));
    write("templates.d/m.yaml", "messages:\n  - {name: short, body: one}\n");
    let (good, places) = load(None);
    assert_eq!(places, Vec::<String>::new());
    // The main file did not change; what its templates say did.
    write("templates.d/m.yaml", "messages:\n  - {name: other, body: one}\n");
    assert_eq!(load(Some(&good)).1, ["watchdog.yaml:5:15 no message template is named `short`"]);
    write("templates.d/m.yaml", "messages:\n  - {name: short, body: two}\n");
    let (next, places) = load(Some(&good));
    assert_eq!(places, Vec::<String>::new());
    assert_ne!(next.config.receivers[0].hash, good.config.receivers[0].hash);
    write("templates.d/n.yaml", "messages:\n  - {name: short, title: x}\n  - {name: empty}\n");
    assert_eq!(
        load(Some(&good)).1,
        [
            "templates.d/n.yaml:2:12 a message template is named `short` already",
            "templates.d/n.yaml:3:6 neither `title` nor `body` is there",
        ]
    );
}

#[test]
fn every_page_shows_its_kind() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/notifiers");
    for kind in Kinds.notifier_kinds() {
        let page = std::fs::read_to_string(folder.join(format!("{kind}.md"))).unwrap();
        assert!(page.contains("```yaml\nnotifiers:") && page.contains(&format!("type: {kind}\n")), "{kind}");
    }
}
