//! `type: pushover`: phones by way of Pushover; an emergency rings until it is acknowledged or over.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::{DeliveryError, Status};
use crate::base::notification::{Delivery, Notification, Notifier, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::endpoint::{Endpoint, is_id, token};
use crate::notify::sending::Reply;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::Tone;

/// Limits of the API, in characters.
const MAX_MESSAGE: usize = 1_024;
const MAX_TITLE: usize = 250;

#[derive(Debug)]
struct Pushover {
    api: Endpoint,
    token: Secret<String>,
    user: Secret<String>,
    device: Option<String>,
    sound: Option<String>,
    /// Seconds between two rings, and until it gives up.
    emergency: Option<(i64, i64)>,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let app = token(fields, "token", "write the application's API token, e.g. `\"${env:PUSHOVER_TOKEN}\"`");
    let user = token(fields, "user", "write the user's or group's key, e.g. `\"${env:PUSHOVER_USER}\"`");
    let name = |key, fields: &mut Fields<'_>| {
        fields.parse(key, "use letters, digits, `-` and `_`", |name| match is_id(name) {
            true => Ok(name.to_owned()),
            false => Err(format!("`{name}` is not a name")),
        })
    };
    let (device, sound) = (name("device", fields), name("sound", fields));
    let emergency = fields.bool("emergency").unwrap_or(false);
    let retry = fields.integer("retry", 30..=10_800).unwrap_or(60);
    let expire = fields.integer("expire", 30..=10_800).unwrap_or(3_600);
    let wording = Wording::read(server, fields);
    let api = Endpoint::read(fields, "api_url", Some("https://api.pushover.net/1"));
    if fields.cx().error_count() > errors {
        return None;
    }
    let (app, user) = (app?, user?);
    let api = api?.hiding(&app).hiding(&user);
    let emergency = emergency.then_some((retry, expire));
    Some(Arc::new(Pushover {
        api,
        token: Secret::new(app),
        user: Secret::new(user),
        device,
        sound,
        emergency,
        wording,
    }))
}

impl Notifier for Pushover {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            // Ends the ringing first: the message alone would not.
            if let Some(receipt) = delivery.previous.filter(|r| is_id(r) && said.status() == Status::Resolved) {
                let url = self.api.at(&["receipts", receipt, "cancel.json"]);
                let body = json!({ "token": self.token.reveal() });
                let reply = self.api.send(self.api.json(Method::POST, url, &body).await?).await?;
                // One that expired or was acknowledged cannot be cancelled, and need not be.
                if reply.status.is_server_error() || reply.status.as_u16() == 429 {
                    self.judge(&reply)?;
                }
            }
            let message = self.message(said);
            let url = self.api.at(&["messages.json"]);
            let reply = self.api.send(self.api.json(Method::POST, url, &message).await?).await?;
            self.judge(&reply)?;
            let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let part = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
            Ok(Receipt { remote: part("receipt"), detail: part("request") })
        })
    }
}

impl Pushover {
    fn judge(&self, reply: &Reply) -> Result<(), DeliveryError> {
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let errors = answer.get("errors").and_then(Value::as_array);
        let words: Vec<_> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
        let detail = match words.is_empty() {
            true => self.api.excerpt(reply),
            false => self.api.one_line(reply, &words.join(", ")),
        };
        reply.accepted(detail, None)
    }

    fn message(&self, said: &Notification) -> Value {
        let mut text = self.wording.text(said);
        let link = std::mem::take(&mut text.links).into_iter().next();
        let priority = match (text.tone, self.emergency) {
            (Tone::Critical, Some(_)) => 2,
            (Tone::Critical, None) => 1,
            (Tone::Warning | Tone::Resolved, _) => 0,
            (Tone::Info, _) => -1,
        };
        let mut message = json!({
            "token": self.token.reveal(),
            "user": self.user.reveal(),
            "title": fit::title(&text, &Markup::PLAIN, MAX_TITLE),
            "message": fit::body(&text, &Markup::PLAIN, MAX_MESSAGE),
            "priority": priority,
            "timestamp": said.starts_at().millis() / 1_000,
        });
        if let (2, Some((retry, expire))) = (priority, self.emergency) {
            message["retry"] = retry.into();
            message["expire"] = expire.into();
        }
        if let Some(link) = link.filter(|l| l.url.len() <= 512) {
            message["url"] = link.url.into();
            message["url_title"] = link.label.into();
        }
        for (name, value) in [("device", &self.device), ("sound", &self.sound)] {
            if let Some(value) = value {
                message[name] = value.as_str().into();
            }
        }
        message
    }
}
