//! `type: feishu`: a custom robot of Feishu or Lark, an interactive card, signed when it has a secret.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::clock::Clock;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::endpoint::{Endpoint, Mentions, base64, hmac_sha256, is_id, optional_token, per_minute};
use crate::notify::sending::Reply;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::Tone;

/// A request may have 20 KB; JSON escapes take some of it.
const MAX_BODY: usize = 9_000;
const MAX_TITLE: usize = 300;
const MARKUP: Markup =
    Markup { escape, strong: ("**", "**"), link: Some(|label, url| format!("[{label}]({url})")), ..Markup::PLAIN }
        .in_bytes();
/// Codes that pass: too frequent, busy.
const PASSING: [i64; 5] = [11_232, 11_233, 99_991_400, 1_500, 2_200];

/// A card's Markdown takes HTML's entities for what means something.
fn escape(c: char, out: &mut String) {
    match c {
        '<' => out.push_str("&#60;"),
        '>' => out.push_str("&#62;"),
        '*' => out.push_str("&#42;"),
        '~' => out.push_str("&#126;"),
        '[' => out.push_str("&#91;"),
        ']' => out.push_str("&#93;"),
        '`' => out.push_str("&#96;"),
        '#' => out.push_str("&#35;"),
        '&' => out.push_str("&#38;"),
        c => out.push(c),
    }
}

#[derive(Debug)]
struct Feishu {
    hook: Endpoint,
    secret: Option<Secret<String>>,
    mentions: Mentions,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let hook = Endpoint::read(fields, "url", None);
    let secret = optional_token(fields, "secret");
    let mentions = Mentions::read(fields, is_id, "use a member's open_id (`ou_…`) or `all`");
    let wording = Wording::read(server, fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let mut hook = hook?;
    if let Some(secret) = &secret {
        hook = hook.hiding(secret);
    }
    Some(Arc::new(Feishu { hook, secret: secret.map(Secret::new), mentions, wording }))
}

impl Notifier for Feishu {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let mut message = json!({ "msg_type": "interactive", "card": self.card(delivery.notification) });
            if let Some(secret) = &self.secret {
                let seconds = Clock::system().now().millis() / 1_000;
                message["timestamp"] = seconds.to_string().into();
                message["sign"] = sign(seconds, secret.reveal()).into();
            }
            let reply = self.hook.send(self.hook.json(Method::POST, self.hook.url(), &message).await?).await?;
            self.judge(&reply)?;
            Ok(Receipt::default())
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // 100 per minute and robot, and 5 per second.
        per_minute(100)
    }
}

/// The time and the secret are the key, and nothing is signed with it.
fn sign(seconds: i64, secret: &str) -> String {
    base64(&hmac_sha256(format!("{seconds}\n{secret}").as_bytes(), b""))
}

impl Feishu {
    /// 200 or 400 and `code`: 0 is accepted.
    fn judge(&self, reply: &Reply) -> Result<(), DeliveryError> {
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let Some(code) = said.get("code").or_else(|| said.get("StatusCode")).and_then(Value::as_i64) else {
            self.hook.accepted(reply)?;
            return Err(self.hook.refused(reply, "an answer that is not understood", false, None));
        };
        if code == 0 {
            return Ok(());
        }
        let again = PASSING.contains(&code) || reply.status.is_server_error() || reply.status.as_u16() == 429;
        let words = said.get("msg").and_then(Value::as_str).unwrap_or_default();
        let wait = again.then_some(Duration::from_secs(5));
        Err(self.hook.refused(reply, &format!("{words} (code {code})"), again, wait))
    }

    fn card(&self, said: &Notification) -> Value {
        let text = self.wording.text(said);
        let colour = match text.tone {
            Tone::Critical => "red",
            Tone::Warning => "orange",
            Tone::Info => "blue",
            Tone::Resolved => "green",
        };
        let mut elements = vec![json!({ "tag": "markdown", "content": fit::body(&text, &MARKUP, MAX_BODY) })];
        let calls = self.mentions.of(said).iter().map(|id| format!("<at id={id}></at>"));
        let calls = calls.collect::<Vec<_>>().join(" ");
        if !calls.is_empty() {
            elements.push(json!({ "tag": "markdown", "content": calls }));
        }
        json!({
            "config": { "wide_screen_mode": true },
            "header": {
                "template": colour,
                "title": { "tag": "plain_text", "content": fit::title(&text, &Markup::PLAIN, MAX_TITLE) },
            },
            "elements": elements,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_feishu_computes() {
        // Computed with Python's hmac from the algorithm in Feishu's documentation.
        assert_eq!(sign(1_599_360_473, "demo"), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
    }
}
