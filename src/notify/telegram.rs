//! `type: telegram`: `sendMessage` of the Bot API, with Telegram's own limits.
//!
//! The bot's token is part of the address; it appears in no error, log or `Debug` form.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::BoxFuture;
use crate::base::message::{DeliveryError, Status};
use crate::base::notification::{Delivery, Notification, NotifiedAlert, Notifier, Receipt};
use crate::base::secret::Secret;
use crate::base::term_safe;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::sending::{MAX_TIMEOUT, Reply, SendError, client, send};

/// Longest text in UTF-16 code units, tags not counted (Bot API, `sendMessage`: "after entities parsing").
const MAX_TEXT: usize = 4096;
/// What one annotation may take of it, so that a long description leaves room for the labels.
const MAX_PART: usize = 2500;

#[derive(Debug)]
struct Telegram {
    /// Ends in `/bot<token>/sendMessage`.
    endpoint: Secret<reqwest::Url>,
    token: Secret<String>,
    chat_id: String,
}

/// Reads the options.
pub fn read(_: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let token = fields.need_text("bot_token", "write the token from @BotFather, e.g. `\"${env:TELEGRAM_TOKEN}\"`");
    let chat = fields.need_text("chat_id", "write the chat's number, e.g. `\"-1001234567890\"`, or `\"@channel\"`");
    let base = fields.text("api_url");
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
    let (token, chat) = (token?, chat?);
    let base_text = base.as_ref().map_or("https://api.telegram.org", |t| t.value().trim_end_matches('/'));
    let endpoint = reqwest::Url::parse(&format!("{base_text}/bot{}/sendMessage", token.value()));
    let endpoint = endpoint.ok().filter(|u| matches!(u.scheme(), "http" | "https"));
    let Some(endpoint) = endpoint else {
        let span = base.map_or(token.span, |t| t.span);
        fields.error(span, Code::BadValue, "`api_url` is not an http or https address", "write `https://host[:port]`");
        return None;
    };
    let chat_id = chat.value().to_owned();
    Some(Arc::new(Telegram { endpoint: Secret::new(endpoint), token: token.secret(), chat_id }))
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
struct SendMessage<'a> {
    chat_id: &'a str,
    text: &'a str,
    parse_mode: &'static str,
    link_preview_options: NoPreview,
}

#[derive(Serialize)]
struct NoPreview {
    is_disabled: bool,
}

/// The Bot API's reply, the parts that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiReply {
    description: String,
    parameters: Parameters,
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
            let text = text(delivery.notification);
            let body = SendMessage {
                chat_id: &self.chat_id,
                text: &text,
                parse_mode: "HTML",
                link_preview_options: NoPreview { is_disabled: true },
            };
            let request = client().await?.post(self.endpoint.reveal().clone()).json(&body);
            let reply = send(request, MAX_TIMEOUT).await?;
            self.judge(&reply)?;
            Ok(Receipt::default())
        })
    }
}

impl Telegram {
    fn judge(&self, reply: &Reply) -> Result<(), DeliveryError> {
        let said: ApiReply = serde_json::from_slice(&reply.body).unwrap_or_default();
        let secrets = [self.token.reveal().as_str()];
        let said_text = match said.description.as_str() {
            "" => reply.excerpt(&secrets),
            text => reply.one_line(text, &secrets),
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

/// The message in Telegram's HTML.
fn text(said: &Notification) -> String {
    let mut out = Html::default();
    for (n, alert) in said.alerts.iter().enumerate() {
        if n > 0 {
            out.plain("\n\n", 2);
        }
        block(&mut out, alert);
    }
    out.text
}

fn block(out: &mut Html, message: &NotifiedAlert) {
    let label = |name| message.labels.get(name);
    let alert = label("alertname").unwrap_or("alert");
    let (mark, word) = match message.status {
        Status::Firing if label("severity") == Some("critical") => ("\u{1f534}", "FIRING"),
        Status::Firing => ("\u{1f7e0}", "FIRING"),
        Status::Resolved => ("\u{1f7e2}", "RESOLVED"),
    };
    out.plain(mark, 10);
    out.plain(" ", 1);
    out.tag("<b>");
    out.plain(&format!("{word}: {alert}"), 300);
    out.tag("</b>");
    if let Some(monitor) = label("monitor") {
        out.plain(" – ", 3);
        out.plain(monitor, 300);
    }
    for name in ["summary", "description"] {
        if let Some(annotation) = message.annotations.get(name) {
            out.plain("\n", 1);
            for line in term_safe::lines(annotation) {
                out.plain("\n", 1);
                out.plain(&line, MAX_PART);
            }
        }
    }
    out.plain("\n", 1);
    for (name, value) in message.labels.iter().filter(|(n, _)| !matches!(*n, "alertname" | "monitor")) {
        out.plain("\n", 1);
        out.plain(&format!("{name}: {value}"), 300);
    }
    out.plain(&format!("\nsince {}", readable(message.starts_at)), 60);
    if let Some(end) = message.ends_at {
        let lasted = Short(end.since(message.starts_at));
        out.plain(&format!("\nuntil {} ({lasted})", readable(end)), 60);
    }
}

/// `2025-11-23 12:13:20 UTC`: whoever reads it may be in any time zone.
fn readable(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((day, time)) => format!("{day} {} UTC", time.split('.').next().unwrap_or(time)),
        None => text,
    }
}

/// Builds a text that is never over the limit, and never cut within an entity or a character.
#[derive(Default)]
struct Html {
    text: String,
    used: usize,
}

impl Html {
    fn tag(&mut self, tag: &'static str) {
        self.text.push_str(tag);
    }

    /// Adds escaped text, at most `max` UTF-16 code units of it and of what is left.
    fn plain(&mut self, text: &str, max: usize) {
        // One unit is kept for the ellipsis.
        let room = max.min((MAX_TEXT - 1).saturating_sub(self.used));
        let end = self.used + room;
        for c in text.chars() {
            if self.used + c.len_utf16() > end {
                if self.used < MAX_TEXT && !self.text.ends_with('…') {
                    self.text.push('…');
                    self.used += 1;
                }
                return;
            }
            self.used += c.len_utf16();
            match c {
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '&' => self.text.push_str("&amp;"),
                '\n' => self.text.push('\n'),
                // Labels may hold what nobody should see: control and direction characters.
                c => self.text.push_str(&term_safe::term_safe(c.encode_utf8(&mut [0; 4]))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::labels::Labels;
    use crate::notify::kinds::testing::{build, deliver, firing, receiver, resolved};

    /// The length as Telegram counts it: entities resolved, tags gone, UTF-16.
    fn telegram_length(html: &str) -> usize {
        let plain = html.replace("<b>", "").replace("</b>", "");
        assert!(!plain.contains(['<', '>']), "{plain}");
        let plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        plain.encode_utf16().count()
    }

    #[test]
    fn what_a_person_reads() {
        insta::assert_snapshot!(text(&firing()), @r"
        🔴 <b>FIRING: MonitorDown</b> – shop

        shop is down

        got &lt;b&gt;500&lt;/b&gt; &amp; more

        severity: critical
        since 2025-11-23 12:13:20 UTC
        ");
        assert!(text(&resolved()).ends_with("\nuntil 2025-11-23 12:28:20 UTC (14m)"), "{}", text(&resolved()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn no_text_is_too_long_or_broken(
            summary in "[a&<>\u{1f600}\u{202e}\n]{0,6000}",
            description in "\\PC{0,6000}",
            monitor in "[ -~]{1,200}",
        ) {
            let mut message = firing();
            message.alerts[0].annotations = Labels::new([("summary", summary), ("description", description)]);
            message.alerts[0].labels = Labels::new([("alertname", "X".to_owned()), ("monitor", monitor)]);
            prop_assert!(telegram_length(&text(&message)) <= MAX_TEXT);
        }
    }

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
