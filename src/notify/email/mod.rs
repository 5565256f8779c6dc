//! `type: email`: SMTP with STARTTLS, TLS or neither, as plain text and HTML.
//!
//! All messages of a thread refer to the same Message-ID, so that mail programs keep them together,
//! and a message that is sent again has the id it had before. No header can be injected: addresses
//! are parsed, and texts are one line before they become a header.

mod smtp;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use crate::base::BoxFuture;
use crate::base::clock::Clock;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::{Fields, Text as Written};
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::email::smtp::{Relay, Security};
use crate::notify::endpoint::per_minute;
use crate::notify::sending::SendError;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::Tone;

/// A subject longer than this is cut by mail programs anyway.
const MAX_SUBJECT: usize = 200;
/// Characters of the text; the HTML part has as many, tags included.
const MAX_BODY: usize = 60_000;
const MAX_RECIPIENTS: usize = 100;
const HTML: Markup = Markup { newline: "<br>\n", ..Markup::HTML };

#[derive(Debug)]
struct Email {
    relay: Relay,
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    bcc: Vec<Mailbox>,
    reply_to: Option<Mailbox>,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let host = fields.need_text("host", "write the mail server's name: `host: smtp.example.com`");
    let security = fields.parse("tls", "write `starttls`, `tls` or `none`", |word| match word {
        "starttls" => Ok(Security::StartTls),
        "tls" => Ok(Security::Tls),
        "none" | "false" => Ok(Security::None),
        other => Err(format!("`{other}` is not a way to reach a mail server")),
    });
    let security = security.unwrap_or(Security::StartTls);
    let port = fields.integer("port", 1..=65_535).and_then(|n| u16::try_from(n).ok());
    let username = fields.text("username");
    let password = fields.text("password");
    let hint = "write an address: `from: Watchdog <watchdog@example.com>`";
    let from = fields.need_text("from", hint).and_then(|t| mailbox(fields, "from", &t));
    let to_hint = "write whom to tell: `to: [ops@example.com]`";
    let to = mailboxes(fields, "to");
    if to.is_empty() && fields.cx().error_count() == errors {
        fields.missing("to", to_hint);
    }
    let (cc, bcc) = (mailboxes(fields, "cc"), mailboxes(fields, "bcc"));
    let reply_to = fields.text("reply_to").and_then(|t| mailbox(fields, "reply_to", &t));
    let hello = fields.parse("hello", "write this machine's name as the mail server should know it", |name| {
        let fine = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        if fine { Ok(name.to_owned()) } else { Err("is not a host name") }
    });
    let ca_file = fields.text("ca_file").map(|t| PathBuf::from(t.value()));
    let wording = Wording::read(server, fields);
    if let (Some(_), None) | (None, Some(_)) = (&username, &password) {
        let message = "`username` and `password` belong together";
        fields.error(fields.head(), Code::MissingKey, message, "write both, or neither");
    }
    if let (Some(user), Security::None, Some(host)) = (&username, security, &host)
        && !matches!(host.value(), "localhost" | "127.0.0.1" | "::1")
    {
        let message = "the password would cross the network for everyone to read: `tls` is `none`";
        fields.error(user.span, Code::BadValue, message, "write `tls: starttls` or `tls: tls`");
    }
    if to.len() + cc.len() + bcc.len() > MAX_RECIPIENTS {
        let message = format!("more than {MAX_RECIPIENTS} recipients");
        fields.error(fields.head(), Code::OutOfRange, message, "write to a mailing list instead");
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let credentials = username.zip(password).map(|(u, p)| (u.value().to_owned(), p.secret()));
    let credentials: Option<(String, Secret<String>)> = credentials;
    let host = host?.value().trim().to_owned();
    let relay = Relay::new(host, port, security, credentials, hello, ca_file);
    Some(Arc::new(Email { relay, from: from?, to, cc, bcc, reply_to, wording }))
}

fn mailboxes(fields: &mut Fields<'_>, key: &'static str) -> Vec<Mailbox> {
    let texts = fields.texts(key);
    texts.iter().filter_map(|t| mailbox(fields, key, t)).collect()
}

fn mailbox(fields: &Fields<'_>, key: &str, text: &Written) -> Option<Mailbox> {
    // What goes into the envelope must be what was checked.
    let clean = !text.value().contains(['\r', '\n', '\0']);
    let parsed = text.value().parse::<Mailbox>().ok().filter(|_| clean);
    if parsed.is_none() {
        let message = format!("`{key}`: `{}` is not a mail address", text.shown());
        fields.error(text.span, Code::BadValue, message, "write `ops@example.com` or `Ops <ops@example.com>`");
    }
    parsed
}

impl Notifier for Email {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let message = self.message(said, delivery.previous)?;
            let all = [&self.to, &self.cc, &self.bcc];
            let to: Vec<Address> = all.into_iter().flatten().map(|m| m.email.clone()).collect();
            let answer = self.relay.send(&self.from.email, &to, &message.formatted()).await?;
            Ok(Receipt { remote: Some(self.id(&said.key)), detail: Some(answer) })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        per_minute(60)
    }
}

impl Email {
    /// `<key@example.com>`: the same for every attempt.
    fn id(&self, name: &str) -> String {
        format!("<{name}@{}>", self.from.email.domain())
    }

    fn message(&self, said: &Notification, previous: Option<&str>) -> Result<Message, DeliveryError> {
        let text = self.wording.text(said);
        let subject = fit::title(&text, &Markup::PLAIN, MAX_SUBJECT);
        let plain = fit::body(&text, &Markup::PLAIN, MAX_BODY);
        let html = html(&subject, &fit::body(&text, &HTML, MAX_BODY), text.tone);
        let root = self.id(&said.thread);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(Clock::system().now().millis()).unwrap_or(0)))
            .message_id(Some(self.id(&said.key)))
            // The root need not exist: what refers to the same one is shown together.
            .references(match previous.filter(|p| is_message_id(p)) {
                Some(previous) => format!("{root} {previous}"),
                None => root.clone(),
            });
        if let Some(previous) = previous.filter(|p| is_message_id(p)) {
            builder = builder.in_reply_to(previous.to_owned());
        }
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        for cc in &self.cc {
            builder = builder.cc(cc.clone());
        }
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        // RFC 3834: no out-of-office answers, please.
        for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Watchdog-Status", said.status().as_str())] {
            builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned()));
        }
        if text.tone == Tone::Critical {
            let name = HeaderName::new_from_ascii_str("Importance");
            builder = builder.raw_header(HeaderValue::new(name, "high".to_owned()));
        }
        let parts = MultiPart::alternative_plain_html(plain, html);
        builder.multipart(parts).map_err(|e| SendError::Local(format!("the mail cannot be written: {e}")).permanent())
    }
}

fn is_message_id(text: &str) -> bool {
    text.len() < 300 && text.starts_with('<') && text.ends_with('>') && text.bytes().all(|b| b.is_ascii_graphic())
}

fn html(title: &str, body: &str, tone: Tone) -> String {
    format!(
        "<!DOCTYPE html>\n<html><body style=\"font-family:sans-serif;font-size:15px;line-height:1.45\">\n\
         <div style=\"border-left:4px solid #{:06x};padding-left:12px\">\n<p><b>{}</b></p>\n<p>{body}</p>\n</div>\n\
         </body></html>\n",
        tone.rgb(),
        Markup::HTML.escaped(title),
    )
}
