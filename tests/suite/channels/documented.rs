//! Address, headers, fields and signatures are those that each service documents.

use axum::http::Method;
use serde_json::json;
use watchdog::base::notification::Reason;

use crate::channels::{Got, OVER_HTTP, SECRET, base64, conversation, firing, hmac, resolved};

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
