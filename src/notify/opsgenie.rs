//! `type: opsgenie`: the Alert API v2. All of a thread is one alert, which our resolve closes.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::base::BoxFuture;
use crate::base::message::{DeliveryError, Severity, Status};
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::endpoint::{Endpoint, per_minute, token};
use crate::notify::sending::Reply;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::one_line;

/// Limits of the API, in characters.
const MAX_MESSAGE: usize = 130;
const MAX_DESCRIPTION: usize = 15_000;
const MAX_NOTE: usize = 25_000;
const MAX_TAGS: usize = 20;

#[derive(Debug)]
struct Opsgenie {
    api: Endpoint,
    key: Secret<String>,
    responders: Vec<Value>,
    tags: Vec<String>,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let key = token(fields, "api_key", "write the key of an API integration, e.g. `\"${env:OPSGENIE_KEY}\"`");
    let base = fields.parse("region", "write `us` or `eu`", |region| match region {
        "us" => Ok("https://api.opsgenie.com"),
        "eu" => Ok("https://api.eu.opsgenie.com"),
        other => Err(format!("`{other}` is not a region")),
    });
    let mut responders = Vec::new();
    for text in fields.texts("responders") {
        match text.value().split_once(':') {
            Some((kind @ ("team" | "escalation" | "schedule"), name)) if !name.is_empty() => {
                responders.push(json!({ "type": kind, "name": name }));
            }
            Some(("user", name)) if !name.is_empty() => responders.push(json!({ "type": "user", "username": name })),
            Some(_) | None => {
                let message = format!("`{}` is not a responder", text.shown());
                fields.error(text.span, Code::BadValue, message, "write e.g. `team:web` or `user:ada@example.com`");
            }
        }
    }
    let tags: Vec<_> = fields.texts("tags").iter().map(|t| one_line(t.value(), 50)).take(MAX_TAGS).collect();
    let wording = Wording::read(server, fields);
    let api = Endpoint::read(fields, "api_url", Some(base.unwrap_or("https://api.opsgenie.com")));
    if fields.cx().error_count() > errors {
        return None;
    }
    let key = key?;
    Some(Arc::new(Opsgenie { api: api?.hiding(&key), key: Secret::new(key), responders, tags, wording }))
}

impl Notifier for Opsgenie {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let text = self.wording.text(said);
            let reply = match said.status() {
                Status::Firing => self.call(&["v2", "alerts"], None, &self.alert(said)).await?,
                Status::Resolved => {
                    let note = fit::body(&text, &Markup::PLAIN, MAX_NOTE);
                    let body = json!({ "source": "Watchdog", "note": note });
                    let reply = self.call(&["v2", "alerts", &said.thread, "close"], Some("alias"), &body).await?;
                    // Closed by a person and deleted: over all the same.
                    if reply.status.as_u16() == 404 {
                        return Ok(Receipt::default());
                    }
                    reply
                }
            };
            self.api.accepted(&reply)?;
            let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let request = answer.get("requestId").and_then(Value::as_str).map(|id| format!("request {id}"));
            Ok(Receipt { remote: Some(said.thread.clone()), detail: request })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        per_minute(120)
    }
}

impl Opsgenie {
    async fn call(&self, path: &[&str], by: Option<&str>, body: &Value) -> Result<Reply, DeliveryError> {
        let mut url = self.api.at(path);
        if let Some(by) = by {
            url.query_pairs_mut().append_pair("identifierType", by);
        }
        let request = self.api.json(Method::POST, url, body).await?;
        self.api.send(request.header("Authorization", format!("GenieKey {}", self.key.reveal()))).await
    }

    fn alert(&self, said: &Notification) -> Value {
        let text = self.wording.text(said);
        let common = said.common_labels();
        let details: Map<String, Value> =
            common.iter().take(50).map(|(n, v)| (one_line(n, 80), one_line(v, 150).into())).collect();
        let entity = ["monitor", "instance", "host", "service"].iter().find_map(|n| common.get(n));
        let priority = match said.severity() {
            Severity::Critical => "P1",
            Severity::Warning => "P3",
            Severity::Info => "P5",
        };
        let mut alert = json!({
            "message": fit::plain(&text.title, &Markup::PLAIN, MAX_MESSAGE),
            "alias": said.thread,
            "description": fit::body(&text, &Markup::PLAIN, MAX_DESCRIPTION),
            "details": details,
            "source": "Watchdog",
            "priority": priority,
            "tags": self.tags,
        });
        if let Some(entity) = entity {
            alert["entity"] = one_line(entity, 500).into();
        }
        if !self.responders.is_empty() {
            alert["responders"] = self.responders.clone().into();
        }
        alert
    }
}
