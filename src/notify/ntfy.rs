//! `type: ntfy`: a topic on ntfy.sh or a server of one's own; what follows replaces what was there.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::endpoint::{Endpoint, optional_token, per_minute};
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::Tone;

/// What is longer becomes an attachment.
const MAX_MESSAGE: usize = 4_000;
const MAX_TITLE: usize = 250;
const MARKUP: Markup = Markup::PLAIN.in_bytes();

#[derive(Debug)]
struct Ntfy {
    server: Endpoint,
    topic: String,
    token: Option<Secret<String>>,
    basic: Option<(String, Secret<String>)>,
    tags: Vec<String>,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let topic = fields.need_text("topic", "write the topic's name; on ntfy.sh whoever knows it can read along");
    if let Some(topic) = &topic {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if topic.value().len() > 64 || !topic.value().bytes().all(fine) {
            let message = "`topic` is not a topic's name";
            fields.error(topic.span, Code::BadValue, message, "use at most 64 letters, digits, `-` and `_`");
        }
    }
    let token = optional_token(fields, "token");
    let username = fields.text("username");
    let password = fields.text("password");
    let tags = fields.texts("tags").iter().map(|t| t.value().to_owned()).collect();
    let wording = Wording::read(server, fields);
    let api = Endpoint::read(fields, "api_url", Some("https://ntfy.sh"));
    if fields.cx().error_count() > errors {
        return None;
    }
    let topic = topic?.value().to_owned();
    let basic = username
        .map(|u| (u.value().to_owned(), Secret::new(password.map_or_else(String::new, |p| p.value().to_owned()))));
    let mut api = api?.hiding(&topic);
    for secret in token.iter().chain(basic.iter().map(|(_, p)| p.reveal())) {
        api = api.hiding(secret);
    }
    Some(Arc::new(Ntfy { server: api, topic, token: token.map(Secret::new), basic, tags, wording }))
}

impl Notifier for Ntfy {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let message = self.message(delivery.notification);
            let mut request = self.server.json(Method::POST, self.server.url(), &message).await?;
            if let Some(token) = &self.token {
                request = request.bearer_auth(token.reveal());
            } else if let Some((user, password)) = &self.basic {
                request = request.basic_auth(user, Some(password.reveal()));
            }
            let reply = self.server.send(request).await?;
            self.server.accepted(&reply)?;
            let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let id = said.get("id").and_then(Value::as_str).map(str::to_owned);
            Ok(Receipt { remote: None, detail: id })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // ntfy.sh: 60 at once, then one every 5 s.
        per_minute(12)
    }
}

impl Ntfy {
    fn message(&self, said: &Notification) -> Value {
        let mut text = self.wording.text(said);
        let click = std::mem::take(&mut text.links).into_iter().next();
        let (priority, tag) = match text.tone {
            Tone::Critical => (5, "rotating_light"),
            Tone::Warning => (4, "warning"),
            Tone::Info => (2, "information_source"),
            Tone::Resolved => (3, "white_check_mark"),
        };
        let mut tags = vec![tag.to_owned()];
        tags.extend(self.tags.iter().cloned());
        let mut message = json!({
            "topic": self.topic,
            "title": fit::plain(&text.title, &MARKUP, MAX_TITLE),
            "message": fit::body(&text, &MARKUP, MAX_MESSAGE),
            "priority": priority,
            "tags": tags,
            // Since ntfy 2.16: the newest of a sequence replaces the others.
            "sequence_id": said.thread.chars().take(64).collect::<String>(),
        });
        if let Some(link) = click {
            message["click"] = link.url.into();
        }
        message
    }
}
