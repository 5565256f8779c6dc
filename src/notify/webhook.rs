//! `type: webhook`: Alertmanager's JSON payload, version 4, as a POST.
//!
//! Receivers written for Alertmanager work unchanged.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::base::BoxFuture;
use crate::base::labels::Labels;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, NotifiedAlert, Notifier, Receipt};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::sending::{MAX_TIMEOUT, client, send};

/// Alertmanager's word for "not yet": Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Debug)]
struct Webhook {
    url: Secret<reqwest::Url>,
    headers: Vec<(HeaderName, Secret<HeaderValue>)>,
    timeout: Duration,
    external_url: String,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let url = fields.need_text("url", "write the address, e.g. `url: https://hooks.example.com/watchdog`");
    let url = url.and_then(|text| match reqwest::Url::parse(text.value().trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
        Ok(url) => {
            let message = format!("`url` begins with `{}:`", url.scheme());
            fields.error(text.span, Code::BadValue, message, "write `http://…` or `https://…`");
            None
        }
        Err(e) => {
            let message = format!("`url` is not a URL: {e}");
            fields.error(text.span, Code::BadValue, message, "write `http://…` or `https://…`");
            None
        }
    });
    let mut headers = Vec::new();
    for (entry, text) in fields.pairs("headers") {
        match (HeaderName::try_from(entry.key.as_str()), HeaderValue::try_from(text.value())) {
            (Ok(name), Ok(value)) => headers.push((name, Secret::new(value))),
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
    let timeout = fields.duration("timeout", Duration::from_millis(100)..=MAX_TIMEOUT).unwrap_or(MAX_TIMEOUT);
    if fields.cx().error_count() > errors {
        return None;
    }
    let external_url = server.external_url.clone().unwrap_or_default();
    Some(Arc::new(Webhook { url: Secret::new(url?), headers, timeout, external_url }))
}

impl Notifier for Webhook {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let mut request = client()
                .await?
                .post(self.url.reveal().clone())
                .header("Idempotency-Key", said.key.as_str())
                .json(&payload(said, &self.external_url));
            // `headers` replaces what stands there already; `header` would send both.
            request = request.headers(self.headers.iter().map(|(n, v)| (n.clone(), v.reveal().clone())).collect());
            let reply = send(request, self.timeout).await?;
            let mut secrets = vec![self.url.reveal().as_str(), self.url.reveal().path()];
            secrets.extend(self.url.reveal().query());
            for value in self.headers.iter().filter_map(|(_, v)| v.reveal().to_str().ok()) {
                secrets.push(value);
                // `Bearer abc`: what is echoed is the word behind the scheme.
                secrets.extend(value.split_once(' ').map(|(_, credentials)| credentials.trim()));
            }
            reply.accepted(reply.excerpt(&secrets), None)?;
            Ok(Receipt::default())
        })
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

fn payload<'a>(said: &'a Notification, external_url: &'a str) -> Payload<'a> {
    Payload {
        version: "4",
        group_key: &said.group_key,
        truncated_alerts: said.omitted,
        status: said.status().as_str(),
        receiver: &said.receiver,
        group_labels: &said.group_labels,
        common_labels: said.common_labels(),
        common_annotations: said.common_annotations(),
        external_url,
        alerts: said.alerts.iter().map(alert).collect(),
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
    use super::*;
    use crate::notify::kinds::testing::{build, deliver, firing, receiver, resolved};

    #[test]
    fn the_payload_is_alertmanagers() {
        let got = serde_json::to_string_pretty(&payload(&firing(), "https://watchdog.example.com")).unwrap();
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
        let over = serde_json::to_value(payload(&resolved(), "")).unwrap();
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
        assert_eq!(build("webhook", "{url: \"ftp://x/\"}").1, ["`url` begins with `ftp:`"]);
        assert!(build("webhook", "{url: nonsense}").1[0].contains("is not a URL"));
        assert!(build("webhook", "{url: \"http://x/\", timeout: 1m}").1[0].contains("allowed are"));
        assert!(build("webhook", "{}").1[0].contains("`url` is missing"));
    }
}
