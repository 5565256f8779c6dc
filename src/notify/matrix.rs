//! `type: matrix`: a room; what follows stands in the message's thread, and the end is written over it.
//!
//! The transaction's id is the notification's key: a homeserver shows what comes twice once.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::{DeliveryError, Status};
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::endpoint::{Endpoint, per_minute, token};
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};

/// An event may have 65,536 bytes, and an edit holds the text twice in two forms.
const MAX_BODY: usize = 6_000;
const MAX_TITLE: usize = 300;
const HTML: Markup = Markup { newline: "<br>", ..Markup::HTML }.in_bytes();
const PLAIN: Markup = Markup::PLAIN.in_bytes();

#[derive(Debug)]
struct Matrix {
    server: Endpoint,
    token: Secret<String>,
    room: String,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let api = Endpoint::read(fields, "homeserver", None);
    let token = token(fields, "access_token", "write the token of the account that speaks");
    let room = fields.parse("room_id", "write the room's id, e.g. `\"!abc:example.com\"`", |id| {
        match id.starts_with('!') && id.len() <= 255 && id.bytes().all(|b| b.is_ascii_graphic()) {
            true => Ok(id.to_owned()),
            false => Err("is not a room's id, which begins with `!`"),
        }
    });
    if room.is_none() && fields.cx().error_count() == errors {
        fields.missing("room_id", "write the room's id, e.g. `\"!abc:example.com\"`");
    }
    let wording = Wording::read(server, fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let token = token?;
    Some(Arc::new(Matrix { server: api?.hiding(&token), token: Secret::new(token), room: room?, wording }))
}

impl Notifier for Matrix {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let root = delivery.previous.filter(|id| id.starts_with('$') && id.len() <= 255);
            let content = self.content(said, root);
            let path = ["_matrix", "client", "v3", "rooms", &self.room, "send", "m.room.message", said.key.as_str()];
            let request = self.server.json(Method::PUT, self.server.at(&path), &content).await?;
            let reply = self.server.send(request.bearer_auth(self.token.reveal())).await?;
            let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let wait = answer.get("retry_after_ms").and_then(Value::as_u64).map(Duration::from_millis);
            reply.accepted(self.server.excerpt(&reply), wait)?;
            let id = answer.get("event_id").and_then(Value::as_str);
            Ok(Receipt { remote: root.or(id).map(str::to_owned), detail: None })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // Synapse: one message in five seconds after a burst of ten.
        per_minute(12)
    }
}

impl Matrix {
    fn content(&self, said: &Notification, root: Option<&str>) -> Value {
        let text = self.wording.text(said);
        let plain = format!("{}\n\n{}", fit::title(&text, &PLAIN, MAX_TITLE), fit::body(&text, &PLAIN, MAX_BODY));
        let html =
            format!("<b>{}</b><br><br>{}", fit::title(&text, &HTML, MAX_TITLE), fit::body(&text, &HTML, MAX_BODY));
        let message = json!({
            "msgtype": "m.text",
            "body": plain,
            "format": "org.matrix.custom.html",
            "formatted_body": html,
            // Nobody is meant, whatever names the text holds.
            "m.mentions": {},
        });
        let Some(root) = root else { return message };
        let mut content = message.clone();
        if said.status() == Status::Resolved {
            content["body"] = format!("* {plain}").into();
            content["formatted_body"] = format!("* {html}").into();
            content["m.new_content"] = message;
            content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": root });
        } else {
            content["m.relates_to"] = json!({
                "rel_type": "m.thread",
                "event_id": root,
                "is_falling_back": true,
                "m.in_reply_to": { "event_id": root },
            });
        }
        content
    }
}
