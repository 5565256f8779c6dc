//! `type: wecom`: a group robot of WeCom (企业微信), Markdown.
//!
//! WeCom's Markdown knows no escape, so characters that mean something become their full-width twins:
//! `<@all>` in a label calls nobody.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::endpoint::{Endpoint, Mentions, is_id, optional_token, per_minute};
use crate::notify::sending::Reply;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};

/// Bytes of `markdown.content`.
const MAX_CONTENT: usize = 4_096;
const MAX_TITLE: usize = 300;
const MARKUP: Markup = Markup {
    escape: full_width,
    strong: ("**", "**"),
    link: Some(|label, url| format!("[{label}]({url})")),
    ..Markup::PLAIN
}
.in_bytes();

/// Full-width twins of what Markdown without an escape would act on.
pub fn full_width(c: char, out: &mut String) {
    out.push(match c {
        '<' => '＜',
        '>' => '＞',
        '[' => '［',
        ']' => '］',
        '*' => '＊',
        '`' => 'ʼ',
        '#' => '＃',
        '@' => '＠',
        c => c,
    });
}

#[derive(Debug)]
struct Wecom {
    hook: Endpoint,
    mentions: Mentions,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let key = optional_token(fields, "key");
    let mentions = Mentions::read(fields, |name| is_id(name) || name == "@all", "use a member's userid, or `@all`");
    let wording = Wording::read(server, fields);
    let hook = match &key {
        None => Endpoint::read(fields, "url", None),
        Some(key) => {
            let base = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send";
            Endpoint::read(fields, "api_url", Some(base)).map(|e| e.with_query("key", key))
        }
    };
    if fields.cx().error_count() > errors {
        return None;
    }
    Some(Arc::new(Wecom { hook: hook?, mentions, wording }))
}

impl Notifier for Wecom {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let body = json!({ "msgtype": "markdown", "markdown": { "content": self.content(delivery.notification) } });
            let reply = self.hook.send(self.hook.json(Method::POST, self.hook.url(), &body).await?).await?;
            self.judge(&reply)?;
            Ok(Receipt::default())
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // 20 messages per minute and robot.
        per_minute(20)
    }
}

impl Wecom {
    /// 200 and `errcode`: 0 is accepted, 45009 too many, -1 busy.
    fn judge(&self, reply: &Reply) -> Result<(), DeliveryError> {
        self.hook.accepted(reply)?;
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let code = said.get("errcode").and_then(Value::as_i64);
        if code == Some(0) {
            return Ok(());
        }
        let again = matches!(code, Some(-1 | 45_009 | 45_033));
        let words = said.get("errmsg").and_then(Value::as_str).unwrap_or("an answer that is not understood");
        let detail = format!("{words} (errcode {})", code.unwrap_or_default());
        Err(self.hook.refused(reply, &detail, again, again.then_some(Duration::from_secs(60))))
    }

    fn content(&self, said: &Notification) -> String {
        let text = self.wording.text(said);
        let title = fit::title(&text, &MARKUP, MAX_TITLE);
        let calls = self.mentions.of(said).iter().map(|id| format!("<@{}>", id.trim_start_matches('@')));
        let calls = calls.collect::<Vec<_>>().join(" ");
        let around = title.len() + calls.len() + 16;
        let body = fit::body(&text, &MARKUP, MAX_CONTENT.saturating_sub(around));
        let mut out = format!("**{title}**\n\n{body}");
        if !calls.is_empty() {
            out.push_str("\n\n");
            out.push_str(&calls);
        }
        out
    }
}
