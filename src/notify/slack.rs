//! `type: slack`: an incoming webhook, or `chat.postMessage` with a bot's token, which also marks the
//! message as over and keeps what follows in its thread.
//!
//! Text is `mrkdwn` with its three characters escaped, so `<!channel>` in a label calls nobody.

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
use crate::config::report::Code;
use crate::notify::endpoint::{Endpoint, Mentions, optional_token, per_minute};
use crate::notify::sending::Reply;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};

/// Block Kit: text of a section, of a header.
const MAX_SECTION: usize = 3_000;
const MAX_HEADER: usize = 150;
const MARKUP: Markup = Markup {
    escape,
    strong: ("*", "*"),
    code: ("`", "`"),
    link: Some(|label, url| format!("<{}|{label}>", url.replace('&', "&amp;"))),
    ..Markup::PLAIN
};
/// Errors of the Web API that pass.
const PASSING: [&str; 7] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
];
/// Errors of `chat.update` that mean: write a new message.
const GONE: [&str; 4] = ["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"];

fn escape(c: char, out: &mut String) {
    match c {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        // Would begin or end emphasis; there is no escape for them, so what looks alike stands in.
        '*' => out.push('∗'),
        '`' => out.push('ʼ'),
        '~' => out.push('∼'),
        c => out.push(c),
    }
}

#[derive(Debug)]
enum Way {
    Hook,
    Bot { token: Secret<String>, channel: String },
}

#[derive(Debug)]
struct Slack {
    api: Endpoint,
    way: Way,
    mentions: Mentions,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let token = optional_token(fields, "bot_token");
    let hint = "use `here`, `channel`, a member's id (`U…`) or a group's (`S…`)";
    let mentions = Mentions::read(fields, |name| name.bytes().all(|b| b.is_ascii_alphanumeric()), hint);
    let wording = Wording::read(server, fields);
    let (api, way) = match token {
        None => (Endpoint::read(fields, "url", None), Way::Hook),
        Some(token) => {
            let channel = fields.need_text("channel", "write the channel's id, e.g. `channel: C0123456789`");
            let channel = channel.map(|c| c.value().trim().to_owned()).unwrap_or_default();
            let api = Endpoint::read(fields, "api_url", Some("https://slack.com/api"));
            (api.map(|a| a.hiding(&token)), Way::Bot { token: Secret::new(token), channel })
        }
    };
    if fields.cx().error_count() > errors {
        return None;
    }
    let Some(api) = api else {
        fields.error(fields.head(), Code::MissingKey, "neither `url` nor `bot_token` is there", "write one of them");
        return None;
    };
    Some(Arc::new(Slack { api, way, mentions, wording }))
}

impl Notifier for Slack {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let message = self.message(delivery.notification);
            match &self.way {
                Way::Hook => {
                    let reply = self.api.send(self.api.json(Method::POST, self.api.url(), &message).await?).await?;
                    self.api.accepted(&reply)?;
                    Ok(Receipt::default())
                }
                Way::Bot { token, channel } => self.post(token, channel, message, delivery).await,
            }
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // One message per second and channel.
        per_minute(60)
    }
}

impl Slack {
    async fn post(
        &self,
        token: &Secret<String>,
        channel: &str,
        mut message: Value,
        delivery: Delivery<'_>,
    ) -> Result<Receipt, DeliveryError> {
        // `C0123 1763900000.000100`: the API may answer with another id than the one configured.
        let previous = delivery.previous.and_then(|p| p.split_once(' '));
        if let Some((place, ts)) = previous.filter(|_| delivery.notification.status() == Status::Resolved) {
            message["channel"] = place.into();
            message["ts"] = ts.into();
            let reply = self.call(token, "chat.update", &message).await?;
            match self.judge(&reply) {
                Ok(_) => return Ok(Receipt { remote: Some(format!("{place} {ts}")), detail: None }),
                Err((_, word)) if GONE.contains(&word.as_str()) => {}
                Err((e, _)) => return Err(e),
            }
        }
        message["channel"] = channel.into();
        if let Value::Object(fields) = &mut message {
            fields.remove("ts");
        }
        if let Some((_, ts)) = previous {
            message["thread_ts"] = ts.into();
            // What is said in a thread only is easily missed.
            message["reply_broadcast"] = true.into();
        }
        let reply = self.call(token, "chat.postMessage", &message).await?;
        let said = self.judge(&reply).map_err(|(e, _)| e)?;
        let part = |name: &str| said.get(name).and_then(Value::as_str);
        let remote = match (previous, part("channel"), part("ts")) {
            (Some((place, ts)), _, _) => Some(format!("{place} {ts}")),
            (None, Some(place), Some(ts)) => Some(format!("{place} {ts}")),
            (None, _, _) => None,
        };
        Ok(Receipt { remote, detail: None })
    }

    async fn call(&self, token: &Secret<String>, method: &str, body: &Value) -> Result<Reply, DeliveryError> {
        let request = self.api.json(Method::POST, self.api.at(&[method]), body).await?;
        self.api.send(request.bearer_auth(token.reveal())).await
    }

    /// The Web API says 200 and `ok: false`.
    fn judge(&self, reply: &Reply) -> Result<Value, (DeliveryError, String)> {
        self.api.accepted(reply).map_err(|e| (e, String::new()))?;
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if said.get("ok").and_then(Value::as_bool) == Some(true) {
            return Ok(said);
        }
        let word = said.get("error").and_then(Value::as_str).unwrap_or("an answer that is not understood").to_owned();
        let again = PASSING.contains(&word.as_str());
        let wait = again.then_some(reply.retry_after.unwrap_or(Duration::from_secs(1)));
        Err((self.api.refused(reply, &word, again, wait), word))
    }

    fn message(&self, said: &Notification) -> Value {
        let text = self.wording.text(said);
        let title = fit::title(&text, &Markup::PLAIN, MAX_HEADER);
        let call = |name: &String| match name.as_str() {
            "here" | "channel" | "everyone" => format!("<!{name}>"),
            group if group.starts_with('S') => format!("<!subteam^{group}>"),
            member => format!("<@{member}>"),
        };
        let mentions = self.mentions.of(said).iter().map(call).collect::<Vec<_>>().join(" ");
        let mut blocks = Vec::new();
        if !mentions.is_empty() {
            blocks.push(section(&mentions));
        }
        blocks.push(section(&fit::body(&text, &MARKUP, MAX_SECTION)));
        json!({
            // Shown by notifications of the system; the blocks are what the channel shows.
            "text": MARKUP.escaped(&title),
            "unfurl_links": false,
            "unfurl_media": false,
            "blocks": [{ "type": "header", "text": { "type": "plain_text", "text": title, "emoji": true } }],
            "attachments": [{ "color": format!("#{:06x}", text.tone.rgb()), "blocks": blocks }],
        })
    }
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}
