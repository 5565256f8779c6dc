//! `type: pagerduty`: the Events API v2. All of a thread is one incident, which our resolve ends.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::{DeliveryError, Severity, Status};
use crate::base::notification::{Delivery, Notification, NotifiedAlert, Notifier, Rate, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::endpoint::{Endpoint, per_minute, token};
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::{Link, one_line};

/// Limits of the API, in characters. A whole event may have 512 KB.
const MAX_SUMMARY: usize = 1_024;
const MAX_DETAILS: usize = 32_000;
const MAX_LINKS: usize = 10;

#[derive(Debug)]
struct Pagerduty {
    api: Endpoint,
    routing_key: Secret<String>,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let key = token(fields, "routing_key", "write the integration key of an Events API v2 integration");
    let wording = Wording::read(server, fields);
    let api = Endpoint::read(fields, "api_url", Some("https://events.pagerduty.com/v2/enqueue"));
    if fields.cx().error_count() > errors {
        return None;
    }
    let key = key?;
    Some(Arc::new(Pagerduty { api: api?.hiding(&key), routing_key: Secret::new(key), wording }))
}

impl Notifier for Pagerduty {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let event = self.event(delivery.notification);
            let reply = self.api.send(self.api.json(Method::POST, self.api.url(), &event).await?).await?;
            self.api.accepted(&reply)?;
            let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let part = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
            Ok(Receipt { remote: part("dedup_key"), detail: part("message") })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        per_minute(120)
    }
}

impl Pagerduty {
    fn event(&self, said: &Notification) -> Value {
        let mut event = json!({ "routing_key": self.routing_key.reveal(), "dedup_key": said.thread });
        if said.status() == Status::Resolved {
            event["event_action"] = "resolve".into();
            return event;
        }
        let text = self.wording.text(said);
        let common = said.common_labels();
        let label = |names: &[&str]| names.iter().find_map(|n| common.get(n)).map(|v| one_line(v, 200));
        let severity = match said.severity() {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let mut payload = json!({
            "summary": fit::plain(&text.title, &Markup::PLAIN, MAX_SUMMARY),
            "source": label(&["monitor", "instance", "host"]).unwrap_or_else(|| "watchdog".to_owned()),
            "severity": severity,
            "timestamp": said.starts_at().to_string(),
            "custom_details": {
                "text": fit::body(&text, &Markup::PLAIN, MAX_DETAILS),
                "firing": said.firing().count(),
                "resolved": said.resolved().count(),
            },
        });
        for (name, value) in [("component", label(&["service", "job"])), ("class", label(&["alertname"]))] {
            if let Some(value) = value {
                payload[name] = value.into();
            }
        }
        event["event_action"] = "trigger".into();
        event["client"] = "Watchdog".into();
        if let Some(url) = self.wording.voice().external_url.as_deref() {
            event["client_url"] = url.into();
        }
        let links: Vec<_> = links(said).map(|l| json!({ "href": l.url, "text": l.label })).collect();
        event["links"] = links.into();
        event["payload"] = payload;
        event
    }
}

fn links(said: &Notification) -> impl Iterator<Item = Link> {
    let of = |a: &NotifiedAlert| {
        let runbook = a.annotations.get("runbook_url").and_then(|url| Link::new("Runbook", url.trim()));
        runbook.into_iter().chain(a.generator_url.as_deref().and_then(|url| Link::new("Source", url)))
    };
    said.firing().flat_map(of).take(MAX_LINKS)
}
