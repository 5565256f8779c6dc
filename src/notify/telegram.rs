//! `type: telegram`: the Bot API's `sendMessage`, and `editMessageText` when all is over.
//!
//! The bot's token is part of the address; it appears in no error, log or `Debug` form.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::base::BoxFuture;
use crate::base::message::{DeliveryError, Severity, Status};
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::endpoint::{Endpoint, per_minute};
use crate::notify::sending::{Reply, SendError};
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};

/// Longest text in UTF-16 code units, tags not counted (Bot API, `sendMessage`: "after entities parsing").
const MAX_TEXT: usize = 4096;
/// What the title may take of it.
const MAX_TITLE: usize = 300;
/// Telegram's HTML; the limit counts what a person sees.
const MARKUP: Markup = Markup { cost: char::len_utf16, counts_plain: true, ..Markup::HTML };

#[derive(Debug)]
struct Telegram {
    api: Endpoint,
    token: Secret<String>,
    chat_id: String,
    topic: Option<i64>,
    silent_info: bool,
    edit: bool,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let token = fields.need_text("bot_token", "write the token from @BotFather, e.g. `\"${env:TELEGRAM_TOKEN}\"`");
    let chat = fields.need_text("chat_id", "write the chat's number, e.g. `\"-1001234567890\"`, or `\"@channel\"`");
    let topic = fields.integer("message_thread_id", 1..=i64::MAX);
    let silent_info = fields.bool("silent_info").unwrap_or(true);
    let on_resolve = fields.parse("on_resolve", "write `edit` or `reply`", |word| match word {
        "edit" => Ok(true),
        "reply" => Ok(false),
        other => Err(format!("`{other}` is neither `edit` nor `reply`")),
    });
    let wording = Wording::read(server, fields);
    let api = Endpoint::read(fields, "api_url", Some("https://api.telegram.org"));
    if let Some(token) = &token
        && !is_token(token.value())
    {
        let message = "`bot_token` does not look like a token (`123456789:AAF…`)";
        fields.error(token.span, Code::BadValue, message, "copy it whole from @BotFather");
    }
    if let Some(chat) = &chat
        && !is_chat(chat.value())
    {
        let message = format!("`chat_id` is `{}`, neither a number nor `@name`", chat.shown());
        fields.error(chat.span, Code::BadValue, message, "write e.g. `\"-1001234567890\"` or `\"@channel\"`");
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let (token, chat_id) = (token?.secret(), chat?.value().to_owned());
    let word = token.reveal().split_once(':').map_or("", |(_, word)| word);
    let api = api?.hiding(token.reveal()).hiding(word);
    let edit = on_resolve.unwrap_or(true);
    Some(Arc::new(Telegram { api, token, chat_id, topic, silent_info, edit, wording }))
}

fn is_token(text: &str) -> bool {
    // Whatever a reference resolves to must not be able to leave the path of the address.
    text.split_once(':').is_some_and(|(id, rest)| {
        !id.is_empty()
            && id.bytes().all(|b| b.is_ascii_digit())
            && rest.len() >= 8
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}

fn is_chat(text: &str) -> bool {
    text.parse::<i64>().is_ok()
        || text
            .strip_prefix('@')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

#[derive(Serialize)]
struct Message<'a> {
    chat_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<i64>,
    text: &'a str,
    parse_mode: &'static str,
    link_preview_options: NoPreview,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_notification: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_parameters: Option<ReplyTo>,
}

#[derive(Serialize)]
struct NoPreview {
    is_disabled: bool,
}

#[derive(Serialize)]
struct ReplyTo {
    message_id: i64,
    allow_sending_without_reply: bool,
}

/// The Bot API's reply, the parts that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiReply {
    description: String,
    parameters: Parameters,
    result: serde_json::Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Notifier for Telegram {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let text = self.text(said);
            let previous = delivery.previous.and_then(|id| id.parse::<i64>().ok());
            let edited = previous.filter(|_| self.edit && said.status() == Status::Resolved);
            let mut message = Message {
                chat_id: &self.chat_id,
                message_id: edited,
                message_thread_id: self.topic.filter(|_| edited.is_none()),
                text: &text,
                parse_mode: "HTML",
                link_preview_options: NoPreview { is_disabled: true },
                disable_notification: edited.is_none() && self.silent_info && said.severity() == Severity::Info,
                reply_parameters: None,
            };
            if let Some(id) = edited {
                let reply = self.call("editMessageText", &message).await?;
                let known: ApiReply = serde_json::from_slice(&reply.body).unwrap_or_default();
                if reply.status.is_success() || known.description.contains("message is not modified") {
                    return Ok(Receipt { remote: Some(id.to_string()), detail: None });
                }
                if reply.status.as_u16() != 400 {
                    self.judge(&reply)?;
                }
                // Deleted, or too old to be edited: said anew.
                message.message_id = None;
                message.message_thread_id = self.topic;
            }
            message.reply_parameters =
                previous.map(|message_id| ReplyTo { message_id, allow_sending_without_reply: true });
            let reply = self.call("sendMessage", &message).await?;
            self.judge(&reply)?;
            let known: ApiReply = serde_json::from_slice(&reply.body).unwrap_or_default();
            let id = known.result.get("message_id").and_then(serde_json::Value::as_i64);
            Ok(Receipt { remote: id.map(|id| id.to_string()), detail: None })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // Bot FAQ: 20 messages per minute to one group.
        per_minute(20)
    }
}

impl Telegram {
    fn text(&self, said: &Notification) -> String {
        let text = self.wording.text(said);
        let title = fit::title(&text, &MARKUP, MAX_TITLE);
        format!("<b>{title}</b>\n\n{}", fit::body(&text, &MARKUP, MAX_TEXT - MAX_TITLE - 2))
    }

    async fn call(&self, method: &str, message: &Message<'_>) -> Result<Reply, DeliveryError> {
        let url = self.api.at(&[&format!("bot{}", self.token.reveal()), method]);
        self.api.send(self.api.json(Method::POST, url, message).await?).await
    }

    fn judge(&self, reply: &Reply) -> Result<(), DeliveryError> {
        let said: ApiReply = serde_json::from_slice(&reply.body).unwrap_or_default();
        let said_text = match said.description.as_str() {
            "" => self.api.excerpt(reply),
            text => self.api.one_line(reply, text),
        };
        if let Some(chat) = said.parameters.migrate_to_chat_id {
            let detail = format!("the group became a supergroup; write `chat_id: \"{chat}\"`");
            return Err(SendError::Refused { status: reply.status, detail }.permanent());
        }
        let hint = match reply.status.as_u16() {
            401 | 404 => " (is the bot's token right?)",
            403 => " (was the bot removed from the chat?)",
            _ => "",
        };
        reply.accepted(format!("{said_text}{hint}"), said.parameters.retry_after.map(Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::kinds::testing::{build, deliver, firing, receiver};

    fn yaml(url: &str) -> String {
        format!("{{bot_token: \"12345:AAbbCCdd_ee\", chat_id: \"-100\", api_url: \"{url}\"}}")
    }

    #[tokio::test]
    async fn a_message_arrives_at_the_bots_address() {
        let to = receiver(200, &[], r#"{"ok":true}"#).await;
        let bot = build("telegram", &yaml(&to.url)).0.unwrap();
        deliver(&*bot, &firing()).await.unwrap();
        let got = to.got.lock().unwrap().clone();
        assert_eq!(got[0].path, "/bot12345:AAbbCCdd_ee/sendMessage");
        assert_eq!(got[0].body["chat_id"], "-100");
        assert_eq!(got[0].body["parse_mode"], "HTML");
        assert!(!format!("{bot:?}").contains("AAbb"));
    }

    #[tokio::test]
    async fn the_pause_that_telegram_asks_for_is_kept() {
        let to =
            receiver(429, &[], r#"{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":31}}"#)
                .await;
        let bot = build("telegram", &yaml(&to.url)).0.unwrap();
        match deliver(&*bot, &firing()).await {
            Err(DeliveryError::Retry { after, .. }) => assert_eq!(after, Some(Duration::from_secs(31))),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_wrong_token_is_permanent_and_stays_secret() {
        let to = receiver(401, &[], r#"{"description":"Unauthorized: 12345:AAbbCCdd_ee"}"#).await;
        let bot = build("telegram", &yaml(&to.url)).0.unwrap();
        match deliver(&*bot, &firing()).await {
            Err(DeliveryError::Permanent(err)) => {
                let text = err.to_string();
                assert!(text.contains("is the bot's token right?") && !text.contains("AAbb"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_checked() {
        assert!(build("telegram", "{bot_token: x, chat_id: y}").1.len() == 2);
        assert!(build("telegram", "{bot_token: \"1:abcdefgh/../x\", chat_id: \"@a\"}").1[0].contains("does not look"));
        assert!(
            build("telegram", "{bot_token: \"1:abcdefgh\", chat_id: \"@a\", api_url: nope}").1[0].contains("api_url")
        );
        assert!(build("telegram", "{bot_token: \"1:abcdefgh\", chat_id: \"@a\"}").1.is_empty());
    }
}
