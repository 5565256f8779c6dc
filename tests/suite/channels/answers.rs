//! Hostile texts call nobody, each answer is taken as it is meant, and no secret is told.

use serde_json::json;
use watchdog::base::failure::Chain;
use watchdog::base::labels::Labels;
use watchdog::base::message::DeliveryError;

use crate::channels::{OVER_HTTP, Row, SECRET, Service, build, channel, conversation, deliver, firing, resolved};

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
