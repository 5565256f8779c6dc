//! `type: gotify`: an application of a Gotify server.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, Notifier, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::endpoint::{Endpoint, token};
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::Tone;

/// Gotify has no limit of its own; phones do.
const MAX_MESSAGE: usize = 8_000;
const MAX_TITLE: usize = 250;

#[derive(Debug)]
struct Gotify {
    server: Endpoint,
    token: Secret<String>,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let api = Endpoint::read(fields, "url", None);
    let token = token(fields, "token", "write the application's token, e.g. `\"${env:GOTIFY_TOKEN}\"`");
    let wording = Wording::read(server, fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let token = token?;
    Some(Arc::new(Gotify { server: api?.hiding(&token), token: Secret::new(token), wording }))
}

impl Notifier for Gotify {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let message = self.message(delivery.notification);
            let request = self.server.json(Method::POST, self.server.at(&["message"]), &message).await?;
            let reply = self.server.send(request.header("X-Gotify-Key", self.token.reveal())).await?;
            self.server.accepted(&reply)?;
            let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            Ok(Receipt { remote: None, detail: said.get("id").map(|id| format!("message {id}")) })
        })
    }
}

impl Gotify {
    fn message(&self, said: &Notification) -> Value {
        let mut text = self.wording.text(said);
        let click = std::mem::take(&mut text.links).into_iter().next();
        // From 8 on the phone makes a sound and lights up.
        let priority = match text.tone {
            Tone::Critical => 10,
            Tone::Warning => 8,
            Tone::Info => 2,
            Tone::Resolved => 5,
        };
        let mut extras = json!({ "client::display": { "contentType": "text/plain" } });
        if let Some(link) = click {
            extras["client::notification"] = json!({ "click": { "url": link.url } });
        }
        json!({
            "title": fit::title(&text, &Markup::PLAIN, MAX_TITLE),
            "message": fit::body(&text, &Markup::PLAIN, MAX_MESSAGE),
            "priority": priority,
            "extras": extras,
        })
    }
}
