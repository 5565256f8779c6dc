//! `type: dingtalk`: a custom robot of DingTalk (钉钉), Markdown, signed when it has a secret.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Url};
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
use crate::notify::wecom::full_width;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};

/// A request may have 20,000 bytes.
const MAX_BODY: usize = 12_000;
const MAX_TITLE: usize = 300;
const MARKUP: Markup = Markup {
    escape: full_width,
    strong: ("**", "**"),
    // A single line break is a blank.
    newline: "\n\n",
    link: Some(|label, url| format!("[{label}]({url})")),
    ..Markup::PLAIN
}
.in_bytes();

#[derive(Debug)]
struct Dingtalk {
    hook: Endpoint,
    secret: Option<Secret<String>>,
    mentions: Mentions,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let token = optional_token(fields, "access_token");
    let secret = optional_token(fields, "secret");
    let valid = |name: &str| is_id(name.strip_prefix('+').unwrap_or(name));
    let mentions = Mentions::read(fields, valid, "use a phone number, a member's userid, or `all`");
    let wording = Wording::read(server, fields);
    let hook = match &token {
        None => Endpoint::read(fields, "url", None),
        Some(token) => Endpoint::read(fields, "api_url", Some("https://oapi.dingtalk.com/robot/send"))
            .map(|e| e.with_query("access_token", token)),
    };
    if fields.cx().error_count() > errors {
        return None;
    }
    let mut hook = hook?;
    if let Some(secret) = &secret {
        hook = hook.hiding(secret);
    }
    Some(Arc::new(Dingtalk { hook, secret: secret.map(Secret::new), mentions, wording }))
}

impl Notifier for Dingtalk {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let message = self.message(delivery.notification);
            let reply = self.hook.send(self.hook.json(Method::POST, self.url(), &message).await?).await?;
            self.judge(&reply)?;
            Ok(Receipt::default())
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // 20 per minute and robot; more means silence for ten minutes.
        per_minute(20)
    }
}

impl Dingtalk {
    fn url(&self) -> Url {
        let mut url = self.hook.url();
        if let Some(secret) = &self.secret {
            let millis = Clock::system().now().millis();
            let signature = sign(millis, secret.reveal());
            url.query_pairs_mut().append_pair("timestamp", &millis.to_string()).append_pair("sign", &signature);
        }
        url
    }

    /// 200 and `errcode`: 0 is accepted, 130101 too many, -1 busy.
    fn judge(&self, reply: &Reply) -> Result<(), DeliveryError> {
        self.hook.accepted(reply)?;
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let code = said.get("errcode").and_then(Value::as_i64);
        if code == Some(0) {
            return Ok(());
        }
        let again = matches!(code, Some(-1 | 130_101 | 130_102 | 410_100));
        let words = said.get("errmsg").and_then(Value::as_str).unwrap_or("an answer that is not understood");
        let detail = format!("{words} (errcode {})", code.unwrap_or_default());
        Err(self.hook.refused(reply, &detail, again, again.then_some(Duration::from_secs(60))))
    }

    fn message(&self, said: &Notification) -> Value {
        let text = self.wording.text(said);
        let title = fit::title(&text, &MARKUP, MAX_TITLE);
        let called = self.mentions.of(said);
        let all = called.iter().any(|name| name == "all");
        let is_phone = |name: &&String| {
            let digits = name.strip_prefix('+').unwrap_or(name);
            digits.len() >= 5 && digits.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        };
        let phones: Vec<_> = called.iter().filter(is_phone).collect();
        let users: Vec<_> = called.iter().filter(|name| *name != "all" && !is_phone(name)).collect();
        let mut body = format!("**{title}**\n\n{}", fit::body(&text, &MARKUP, MAX_BODY));
        if !called.is_empty() {
            // Whoever is to be called must also be named in the text.
            let names = called.iter().filter(|n| *n != "all").map(|n| format!("@{n}")).collect::<Vec<_>>().join(" ");
            body.push_str(&format!("\n\n{names}"));
        }
        json!({
            "msgtype": "markdown",
            "markdown": { "title": fit::title(&text, &Markup::PLAIN, 100), "text": body.trim_end() },
            "at": { "atMobiles": phones, "atUserIds": users, "isAtAll": all },
        })
    }
}

/// The secret is the key; the time and the secret are what is signed.
fn sign(millis: i64, secret: &str) -> String {
    base64(&hmac_sha256(secret.as_bytes(), format!("{millis}\n{secret}").as_bytes()))
}
