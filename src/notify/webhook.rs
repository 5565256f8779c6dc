//! `type: webhook`: Alertmanager's JSON payload, version 4, as a POST, or a body of one's own.
//!
//! Receivers written for Alertmanager work unchanged. With `secret` each request carries the
//! HMAC-SHA-256 of its body, in the form that GitHub's hooks made common.

use std::fmt::Write as _;
use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;

use crate::base::BoxFuture;
use crate::base::labels::Labels;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, NotifiedAlert, Notifier, Receipt};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::config::fields::Fields;
use crate::config::messages;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::endpoint::{Endpoint, hmac_sha256};
use crate::notify::sending::{SendError, client};
use crate::notify::wording::voice;
use crate::render::template::Template;
use crate::render::text::Voice;

/// Alertmanager's word for "not yet": Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Debug)]
struct Webhook {
    to: Endpoint,
    method: Method,
    headers: Vec<(HeaderName, Secret<HeaderValue>)>,
    max_alerts: usize,
    body: Option<Template>,
    sign: Option<(HeaderName, Secret<String>)>,
    voice: Voice,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let to = Endpoint::read(fields, "url", None);
    let mut headers = Vec::new();
    let mut echoed = Vec::new();
    for (entry, text) in fields.pairs("headers") {
        match (HeaderName::try_from(entry.key.as_str()), HeaderValue::try_from(text.value())) {
            (Ok(name), Ok(value)) => {
                echoed.push(text.value().to_owned());
                // `Bearer abc`: what is echoed is the word behind the scheme.
                echoed.extend(text.value().split_once(' ').map(|(_, credentials)| credentials.trim().to_owned()));
                headers.push((name, Secret::new(value)));
            }
            (Err(_), _) => {
                let message = format!("`{}` is not a header name", entry.key);
                fields.error(entry.key_span, Code::BadValue, message, "use letters, digits and `-`");
            }
            (_, Err(_)) => {
                let message = format!("the value of `{}` has characters that no header may have", entry.key);
                fields.error(text.span, Code::BadValue, message, "remove line breaks and control characters");
            }
        }
    }
    let method = fields.parse("method", "write `POST`, `PUT` or `PATCH`", |word| match word {
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        other => Err(format!("`{other}` is not a method that carries a message")),
    });
    // Alertmanager's meaning: 0 is all.
    let most = fields.integer("max_alerts", 0..=100_000).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let body = messages::template(fields, "body");
    let secret = fields.text("secret");
    let header = fields.parse("signature_header", "write a header's name, e.g. `X-Hub-Signature-256`", |name| {
        HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a header name"))
    });
    let voice = voice(server, fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let mut to = to?;
    for text in echoed.iter().chain(secret.as_ref().map(|s| s.value().to_owned()).iter()) {
        to = to.hiding(text);
    }
    let header = header.unwrap_or(HeaderName::from_static("x-watchdog-signature"));
    Some(Arc::new(Webhook {
        to,
        method: method.unwrap_or(Method::POST),
        headers,
        max_alerts: most.unwrap_or(usize::MAX),
        body,
        sign: secret.map(|s| (header, s.secret())),
        voice,
    }))
}

impl Notifier for Webhook {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let body = self.body(said)?;
            let mut request = client()
                .await?
                .request(self.method.clone(), self.to.url())
                .header("Idempotency-Key", said.key.as_str())
                .header(CONTENT_TYPE, "application/json");
            if let Some((name, secret)) = &self.sign {
                let mut signature = String::from("sha256=");
                for byte in hmac_sha256(secret.reveal().as_bytes(), &body) {
                    let done = write!(signature, "{byte:02x}");
                    debug_assert!(done.is_ok(), "writing to a String cannot fail");
                }
                request = request.header(name.clone(), signature);
            }
            // `headers` replaces what stands there already; `header` would send both.
            request = request.headers(self.headers.iter().map(|(n, v)| (n.clone(), v.reveal().clone())).collect());
            let reply = self.to.send(request.body(body)).await?;
            self.to.accepted(&reply)?;
            Ok(Receipt { remote: None, detail: Some(reply.status.to_string()) })
        })
    }
}

impl Webhook {
    fn body(&self, said: &Notification) -> Result<Vec<u8>, DeliveryError> {
        let failed = |why: String| SendError::Local(why).permanent();
        match &self.body {
            // Nothing but the template knows what this receiver understands, so nothing stands in for it.
            Some(template) => match template.render(said, &self.voice) {
                Ok(text) => Ok(text.into_bytes()),
                Err(e) => Err(failed(format!("the template of the body failed: {e}"))),
            },
            None => {
                let external_url = self.voice.external_url.as_deref().unwrap_or_default();
                serde_json::to_vec(&payload(said, external_url, self.max_alerts)).map_err(|e| failed(e.to_string()))
            }
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: usize,
    status: &'static str,
    receiver: &'a str,
    group_labels: &'a Labels,
    common_labels: Labels,
    common_annotations: Labels,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: Vec<Alert<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    status: &'static str,
    labels: &'a Labels,
    annotations: &'a Labels,
    starts_at: Timestamp,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: &'a str,
}

fn payload<'a>(said: &'a Notification, external_url: &'a str, most: usize) -> Payload<'a> {
    let shown = said.alerts.len().min(most);
    Payload {
        version: "4",
        group_key: &said.group_key,
        truncated_alerts: said.omitted + said.alerts.len() - shown,
        status: said.status().as_str(),
        receiver: &said.receiver,
        group_labels: &said.group_labels,
        // Of all of them, as in Alertmanager: what is cut off still counts.
        common_labels: said.common_labels(),
        common_annotations: said.common_annotations(),
        external_url,
        alerts: said.alerts[..shown].iter().map(alert).collect(),
    }
}

fn alert(a: &NotifiedAlert) -> Alert<'_> {
    Alert {
        status: a.status.as_str(),
        labels: &a.labels,
        annotations: &a.annotations,
        starts_at: a.starts_at,
        ends_at: a.ends_at.map_or_else(|| NEVER.to_owned(), |t| t.to_string()),
        generator_url: a.generator_url.as_deref().unwrap_or_default(),
        fingerprint: &a.fingerprint,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::notify::kinds::testing::{build, deliver, firing, receiver, resolved};

    #[test]
    fn the_payload_is_alertmanagers() {
        let got =
            serde_json::to_string_pretty(&payload(&firing(), "https://watchdog.example.com", usize::MAX)).unwrap();
        insta::assert_snapshot!(got, @r#"
        {
          "version": "4",
          "groupKey": "{}:{alertname=\"MonitorDown\", monitor=\"shop\", severity=\"critical\"}",
          "truncatedAlerts": 0,
          "status": "firing",
          "receiver": "ops",
          "groupLabels": {
            "alertname": "MonitorDown",
            "monitor": "shop",
            "severity": "critical"
          },
          "commonLabels": {
            "alertname": "MonitorDown",
            "monitor": "shop",
            "severity": "critical"
          },
          "commonAnnotations": {
            "description": "got <b>500</b> & more",
            "summary": "shop is down"
          },
          "externalURL": "https://watchdog.example.com",
          "alerts": [
            {
              "status": "firing",
              "labels": {
                "alertname": "MonitorDown",
                "monitor": "shop",
                "severity": "critical"
              },
              "annotations": {
                "description": "got <b>500</b> & more",
                "summary": "shop is down"
              },
              "startsAt": "2025-11-23T12:13:20.120Z",
              "endsAt": "0001-01-01T00:00:00Z",
              "generatorURL": "",
              "fingerprint": "fe6993caee5e5b46"
            }
          ]
        }
        "#);
        let over = serde_json::to_value(payload(&resolved(), "", usize::MAX)).unwrap();
        assert_eq!(over["alerts"][0]["endsAt"], "2025-11-23T12:28:20.000Z");
        assert_eq!(over["status"], "resolved");
    }

    #[tokio::test]
    async fn a_message_arrives_with_its_key_and_headers() {
        let to = receiver(200, &[], "").await;
        let yaml = format!("{{url: \"{}/hook\", headers: {{X-Key: \"${{env:K}}\"}}}}", to.url);
        let (hook, problems) = build("webhook", &yaml);
        assert!(problems.is_empty(), "{problems:?}");
        let hook = hook.unwrap();
        deliver(&*hook, &firing()).await.unwrap();
        let got = to.got.lock().unwrap().clone();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].path, "/hook");
        assert_eq!(got[0].headers["idempotency-key"], "shop-1-firing-ops");
        assert_eq!(got[0].headers["content-type"], "application/json");
        assert_eq!(got[0].headers["x-key"], "resolved-K");
        assert_eq!(got[0].body["alerts"][0]["labels"]["monitor"], "shop");
        assert!(!format!("{hook:?}").contains("resolved-K"));
    }

    #[tokio::test]
    async fn a_busy_receiver_names_its_pause() {
        let to = receiver(503, &[("retry-after", "42")], "come \x1b[31mlater").await;
        let (hook, _) = build("webhook", &format!("{{url: \"{}\"}}", to.url));
        match deliver(&*hook.unwrap(), &firing()).await {
            Err(DeliveryError::Retry { after, err }) => {
                assert_eq!(after, Some(Duration::from_secs(42)));
                assert_eq!(err.to_string(), "the receiver answered 503 Service Unavailable: come \\x1b[31mlater");
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_a_receiver_echoes_is_not_logged() {
        let to = receiver(400, &[], "bad key resolved-K at /hook/resolved-U").await;
        let yaml = format!("{{url: \"{}/hook/${{env:U}}\", headers: {{X-Key: \"${{env:K}}\"}}}}", to.url);
        match deliver(&*build("webhook", &yaml).0.unwrap(), &firing()).await {
            Err(DeliveryError::Permanent(err)) => {
                assert_eq!(err.to_string(), "the receiver answered 400 Bad Request: bad key *** at ***");
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_bearer_s_token_is_not_logged_without_its_scheme() {
        let to = receiver(401, &[], "no such token: resolved-K").await;
        let yaml = format!("{{url: \"{}\", headers: {{Authorization: \"Bearer ${{env:K}}\"}}}}", to.url);
        match deliver(&*build("webhook", &yaml).0.unwrap(), &firing()).await {
            Err(DeliveryError::Permanent(err)) => {
                assert_eq!(err.to_string(), "the receiver answered 401 Unauthorized: no such token: ***");
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_header_of_one_s_own_replaces_ours() {
        let to = receiver(200, &[], "").await;
        let yaml = format!("{{url: \"{}\", headers: {{Content-Type: application/cloudevents+json}}}}", to.url);
        deliver(&*build("webhook", &yaml).0.unwrap(), &firing()).await.unwrap();
        let got = to.got.lock().unwrap().clone();
        assert_eq!(got[0].headers["content-type"], "application/cloudevents+json");
        assert_eq!(got[0].header_lines["content-type"], 1);
        assert_eq!(got[0].body["externalURL"], "https://watchdog.example.com");
    }

    #[tokio::test]
    async fn a_receiver_that_is_gone_is_tried_again_without_telling_its_address() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (hook, _) = build("webhook", &format!("{{url: \"http://{closed}/secret-token\"}}"));
        match deliver(&*hook.unwrap(), &firing()).await {
            Err(DeliveryError::Retry { after: None, err }) => {
                let text = crate::base::failure::Chain(&*err).to_string();
                assert!(!text.contains("secret-token"), "{text}");
                assert!(text.to_lowercase().contains("refused"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_checked() {
        assert_eq!(build("webhook", "{url: \"ftp://x/\"}").1, ["`url` is not an http or https address"]);
        assert!(build("webhook", "{url: nonsense}").1[0].contains("is not an http or https address"));
        assert!(build("webhook", "{url: \"http://x/\", timeout: 1m}").1[0].contains("allowed are"));
        assert!(build("webhook", "{}").1[0].contains("`url` is missing"));
    }
}
