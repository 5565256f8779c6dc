//! `type: mattermost`: an incoming webhook, or a bot's posts, which are marked as over and threaded.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::{DeliveryError, Status};
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::endpoint::{Endpoint, Mentions, is_id, optional_token, per_minute};
use crate::notify::sending::Reply;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};

/// A post may have 16,383 characters, attachments included.
const MAX_BODY: usize = 12_000;
const MAX_TITLE: usize = 250;
/// What a server says of a post that was deleted (as of one that is somebody else's), or that may no longer be edited.
const GONE: [u16; 3] = [400, 403, 404];
const MARKUP: Markup = Markup {
    escape,
    strong: ("**", "**"),
    code: ("`", "`"),
    link: Some(|label, url| format!("[{label}]({url})")),
    ..Markup::PLAIN
};

fn escape(c: char, out: &mut String) {
    match c {
        // `@all` would call everybody; a backslash does not prevent it.
        '@' => out.push('＠'),
        '\\' | '*' | '_' | '~' | '`' | '[' | ']' | '(' | ')' | '#' | '>' | '<' | '|' | '!' => {
            out.push('\\');
            out.push(c);
        }
        c => out.push(c),
    }
}

#[derive(Debug)]
struct Mattermost {
    api: Endpoint,
    /// Token and channel of a bot; a webhook without.
    bot: Option<(Secret<String>, String)>,
    channel: Option<String>,
    username: Option<String>,
    mentions: Mentions,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let token = optional_token(fields, "bot_token");
    let name = |key, fields: &mut Fields<'_>| {
        fields.parse(key, "use letters, digits, `-`, `_` and `.`", |name| match is_id(name) {
            true => Ok(name.to_owned()),
            false => Err(format!("`{name}` is not a name")),
        })
    };
    let channel_id = name("channel_id", fields);
    let (channel, username) = (name("channel", fields), name("username", fields));
    let mentions = Mentions::read(fields, is_id, "use a member's name, `channel`, `here` or `all`");
    let wording = Wording::read(server, fields);
    let api = Endpoint::read(fields, "url", None);
    if token.is_some() && channel_id.is_none() {
        let hint = "write the channel's id: 26 letters and digits";
        fields.error(fields.head(), Code::MissingKey, "a bot needs a `channel_id`", hint);
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let mut api = api?;
    if let Some(token) = &token {
        api = api.hiding(token);
    }
    let bot = token.map(Secret::new).zip(channel_id);
    Some(Arc::new(Mattermost { api, bot, channel, username, mentions, wording }))
}

impl Notifier for Mattermost {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let (message, attachment) = self.words(said);
            let Some((token, channel)) = &self.bot else {
                let mut body = json!({ "text": message, "attachments": [attachment] });
                for (name, value) in [("channel", &self.channel), ("username", &self.username)] {
                    if let Some(value) = value {
                        body[name] = value.as_str().into();
                    }
                }
                let reply = self.api.send(self.api.json(Method::POST, self.api.url(), &body).await?).await?;
                self.api.accepted(&reply)?;
                return Ok(Receipt::default());
            };
            let props = json!({ "attachments": [attachment] });
            let root = delivery.previous.filter(|id| is_id(id));
            if let Some(id) = root.filter(|_| said.status() == Status::Resolved) {
                let body = json!({ "message": message, "props": props });
                let reply = self.call(token, Method::PUT, &["api", "v4", "posts", id, "patch"], &body).await?;
                if !GONE.contains(&reply.status.as_u16()) {
                    self.api.accepted(&reply)?;
                    return Ok(Receipt { remote: Some(id.to_owned()), detail: None });
                }
                // Deleted, or too old to be edited: said anew.
            }
            let mut root = root.filter(|_| said.status() == Status::Firing);
            let mut body = json!({ "channel_id": channel, "message": message, "props": props });
            if let Some(root) = root {
                body["root_id"] = root.into();
            }
            let mut reply = self.call(token, Method::POST, &["api", "v4", "posts"], &body).await?;
            if root.is_some() && reply.status.as_u16() == 400 {
                // The post that it would answer was deleted: it stands alone.
                root = None;
                body["root_id"] = "".into();
                reply = self.call(token, Method::POST, &["api", "v4", "posts"], &body).await?;
            }
            self.api.accepted(&reply)?;
            let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let id = answer.get("id").and_then(Value::as_str);
            Ok(Receipt { remote: root.or(id).map(str::to_owned), detail: None })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        per_minute(60)
    }
}

impl Mattermost {
    async fn call(
        &self,
        token: &Secret<String>,
        method: Method,
        path: &[&str],
        body: &Value,
    ) -> Result<Reply, DeliveryError> {
        let request = self.api.json(method, self.api.at(path), body).await?;
        self.api.send(request.bearer_auth(token.reveal())).await
    }

    fn words(&self, said: &Notification) -> (String, Value) {
        let text = self.wording.text(said);
        let title = fit::title(&text, &MARKUP, MAX_TITLE);
        let calls = self.mentions.of(said).iter().map(|name| format!("@{name}")).collect::<Vec<_>>().join(" ");
        let attachment = json!({
            "fallback": title,
            "color": format!("#{:06x}", text.tone.rgb()),
            "title": title,
            "text": fit::body(&text, &MARKUP, MAX_BODY),
        });
        (calls, attachment)
    }
}
