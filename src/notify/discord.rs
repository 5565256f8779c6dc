//! `type: discord`: a channel's webhook; the message is edited when all is over.
//!
//! `allowed_mentions` names exactly who is configured, so `@everyone` in a label calls nobody.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::{DeliveryError, Status};
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::endpoint::{Endpoint, Mentions, per_minute};
use crate::notify::sending::Reply;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::one_line;

/// Limits of an embed; all of it together may have 6000 characters.
const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 4_096;
const MARKUP: Markup = Markup {
    escape,
    strong: ("**", "**"),
    code: ("`", "`"),
    link: Some(|label, url| format!("[{label}](<{url}>)")),
    cost: char::len_utf16,
    ..Markup::PLAIN
};

fn escape(c: char, out: &mut String) {
    if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '[' | ']' | '(' | ')' | '#' | '-' | '@' | ':') {
        out.push('\\');
    }
    out.push(c);
}

#[derive(Debug)]
struct Discord {
    hook: Endpoint,
    thread_id: Option<String>,
    username: Option<String>,
    mentions: Mentions,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let hook = Endpoint::read(fields, "url", None);
    let thread_id = fields.parse("thread_id", "write the thread's number in quotes", |id| {
        if id.bytes().all(|b| b.is_ascii_digit()) { Ok(id.to_owned()) } else { Err("is not a number") }
    });
    let username = fields.text("username").map(|t| one_line(t.value(), 80));
    let valid = |name: &str| {
        let id = name.strip_prefix('&').unwrap_or(name);
        matches!(name, "here" | "everyone") || (!id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
    };
    let mentions = Mentions::read(fields, valid, "use a member's id, `&` and a role's id, `here` or `everyone`");
    let wording = Wording::read(server, fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    Some(Arc::new(Discord { hook: hook?, thread_id, username, mentions, wording }))
}

impl Notifier for Discord {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let message = self.message(said);
            let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
            let previous = delivery.previous.filter(is_id);
            if let Some(id) = previous.filter(|_| said.status() == Status::Resolved) {
                let reply = self.call(Method::PATCH, &["messages", id], &message).await?;
                if reply.status.as_u16() != 404 {
                    self.judge(&reply)?;
                    return Ok(Receipt { remote: Some(id.to_owned()), detail: None });
                }
                // Deleted: said anew.
            }
            let reply = self.call(Method::POST, &[], &message).await?;
            self.judge(&reply)?;
            let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let id = said.get("id").and_then(Value::as_str).map(str::to_owned);
            Ok(Receipt { remote: id, detail: None })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // 30 requests per minute and webhook.
        per_minute(30)
    }
}

impl Discord {
    async fn call(&self, method: Method, path: &[&str], message: &Value) -> Result<Reply, DeliveryError> {
        let mut url = self.hook.at(path);
        if method == Method::POST {
            // The answer then holds the message and its id.
            url.query_pairs_mut().append_pair("wait", "true");
        }
        if let Some(thread) = &self.thread_id {
            url.query_pairs_mut().append_pair("thread_id", thread);
        }
        self.hook.send(self.hook.json(method, url, message).await?).await
    }

    fn judge(&self, reply: &Reply) -> Result<(), DeliveryError> {
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let wait = said.get("retry_after").and_then(Value::as_f64).and_then(|s| Duration::try_from_secs_f64(s).ok());
        reply.accepted(self.hook.excerpt(reply), wait)
    }

    fn message(&self, said: &Notification) -> Value {
        let text = self.wording.text(said);
        let title = fit::title(&text, &MARKUP, MAX_TITLE);
        let room = MAX_DESCRIPTION.min(6_000 - MAX_TITLE);
        let (mut users, mut roles, mut parse, mut calls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for name in self.mentions.of(said) {
            match (name.as_str(), name.strip_prefix('&')) {
                ("here" | "everyone", _) => {
                    parse.push("everyone");
                    calls.push(format!("@{name}"));
                }
                (_, Some(role)) => {
                    roles.push(role);
                    calls.push(format!("<@&{role}>"));
                }
                (user, None) => {
                    users.push(user);
                    calls.push(format!("<@{user}>"));
                }
            }
        }
        parse.dedup();
        let mut message = json!({
            "content": calls.join(" "),
            "embeds": [{
                "title": title,
                "description": fit::body(&text, &MARKUP, room),
                "color": text.tone.rgb(),
                "timestamp": said.starts_at().to_string(),
            }],
            "allowed_mentions": { "parse": parse, "users": users, "roles": roles },
        });
        if let Some(name) = &self.username {
            message["username"] = name.as_str().into();
        }
        message
    }
}
