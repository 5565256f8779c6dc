//! The address of a receiver's API and the secrets in it, which appear in no error.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};
use serde::Serialize;

use crate::base::message::{DeliveryError, Severity, Status};
use crate::base::notification::{Notification, Rate};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::notify::sending::{MAX_TIMEOUT, Reply, SendError, client, send};

/// Where requests go.
#[derive(Debug)]
pub struct Endpoint {
    url: Secret<Url>,
    hidden: Vec<Secret<String>>,
    /// For a whole exchange.
    pub timeout: Duration,
}

impl Endpoint {
    /// Reads the address under `key`, and `timeout`. Without `otherwise` the key must be there.
    pub fn read(fields: &mut Fields<'_>, key: &'static str, otherwise: Option<&str>) -> Option<Self> {
        let timeout = fields.duration("timeout", Duration::from_millis(100)..=MAX_TIMEOUT).unwrap_or(MAX_TIMEOUT);
        let text = match otherwise {
            None => Some(fields.need_text(key, "write the address, beginning with `https://`")?),
            Some(_) => fields.text(key),
        };
        let address = text.as_ref().map(crate::config::fields::Text::value).or(otherwise)?;
        let url = match Url::parse(address.trim()) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
            Ok(_) | Err(_) => {
                let span = text.map_or_else(|| fields.span(), |t| t.span);
                let message = format!("`{key}` is not an http or https address");
                fields.error(span, Code::BadValue, message, "write `https://…`");
                return None;
            }
        };
        let mut hidden = Vec::new();
        if otherwise.is_none() {
            // The address of a hook is itself the secret.
            hidden.push(Secret::new(url.as_str().to_owned()));
            hidden.extend(Some(url.path()).filter(|p| p.len() >= 8).map(secret));
            hidden.extend(url.path_segments().into_iter().flatten().filter(|s| s.len() >= 8).map(secret));
            hidden.extend(url.query_pairs().map(|(_, v)| Secret::new(v.into_owned())));
        }
        Some(Self { url: Secret::new(url), hidden, timeout })
    }

    /// Hides a further secret in errors.
    #[must_use]
    pub fn hiding(mut self, text: &str) -> Self {
        self.hidden.push(secret(text));
        self
    }

    /// The address with a secret in its query.
    #[must_use]
    pub fn with_query(self, name: &str, value: &str) -> Self {
        let mut url = self.url();
        url.query_pairs_mut().append_pair(name, value);
        Self { url: Secret::new(url), ..self }.hiding(value)
    }

    /// The address as configured.
    pub fn url(&self) -> Url {
        self.url.reveal().clone()
    }

    /// The address with further path segments, each escaped.
    pub fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.url();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// A request whose body is `body` as JSON.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub async fn json(&self, method: Method, url: Url, body: &impl Serialize) -> Result<RequestBuilder, DeliveryError> {
        Ok(client().await?.request(method, url).json(body))
    }

    /// Sends a request.
    ///
    /// # Errors
    /// No reply.
    pub async fn send(&self, request: RequestBuilder) -> Result<Reply, DeliveryError> {
        send(request, self.timeout).await
    }

    /// The beginning of what the receiver said, without secrets.
    pub fn excerpt(&self, reply: &Reply) -> String {
        reply.excerpt(&self.secrets())
    }

    /// One of its texts, without secrets.
    pub fn one_line(&self, reply: &Reply, text: &str) -> String {
        reply.one_line(text, &self.secrets())
    }

    /// Judges by the status alone.
    ///
    /// # Errors
    /// Any status outside 200 to 299.
    pub fn accepted(&self, reply: &Reply) -> Result<(), DeliveryError> {
        reply.accepted(self.excerpt(reply), None)
    }

    /// A refusal that the API words in its reply whatever the status is.
    pub fn refused(&self, reply: &Reply, detail: &str, again: bool, after: Option<Duration>) -> DeliveryError {
        let err = SendError::Refused { status: reply.status, detail: self.one_line(reply, detail) };
        if again { err.retry(after.or(reply.retry_after)) } else { err.permanent() }
    }

    fn secrets(&self) -> Vec<&str> {
        self.hidden.iter().map(|s| s.reveal().as_str()).collect()
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// A secret that must be there, such as a token: no blanks, safe in a header.
pub fn token(fields: &mut Fields<'_>, key: &'static str, hint: &str) -> Option<String> {
    let text = fields.need_text(key, hint)?;
    checked_token(fields, key, &text)
}

/// The same, optional.
pub fn optional_token(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    let text = fields.text(key)?;
    checked_token(fields, key, &text)
}

fn checked_token(fields: &Fields<'_>, key: &str, text: &crate::config::fields::Text) -> Option<String> {
    let value = text.value().trim();
    if value.is_empty() || value.len() > 4_096 || !value.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("`{key}` has blanks or characters that a token never has");
        fields.error(text.span, Code::BadValue, message, "copy it whole, e.g. from `${env:NAME}`");
        return None;
    }
    Some(value.to_owned())
}

/// Who is called by name, by severity: `mentions: {critical: [a, b]}`.
#[derive(Clone, Debug, Default)]
pub struct Mentions(BTreeMap<Severity, Vec<String>>);

impl Mentions {
    /// Reads `mentions`; `valid` says what a name may look like.
    pub fn read(fields: &mut Fields<'_>, valid: fn(&str) -> bool, hint: &str) -> Self {
        let mut all = BTreeMap::new();
        let Some(mut map) = fields.nested_of("mentions", "critical") else { return Self(all) };
        for (key, severity) in
            [("critical", Severity::Critical), ("warning", Severity::Warning), ("info", Severity::Info)]
        {
            let mut names = Vec::new();
            for text in map.texts(key) {
                if !valid(text.value()) || text.value().len() > 100 {
                    let message = format!("`{}` cannot be mentioned", text.shown());
                    map.error(text.span, Code::BadValue, message, hint);
                }
                names.push(text.value().to_owned());
            }
            all.insert(severity, names);
        }
        map.finish();
        Self(all)
    }

    /// Who is called by this notification: nobody by one that says that all is over.
    pub fn of(&self, n: &Notification) -> &[String] {
        match n.status() {
            Status::Firing => self.0.get(&n.severity()).map_or(&[], Vec::as_slice),
            Status::Resolved => &[],
        }
    }
}

/// Letters, digits, `-`, `_`, `.`: what most services' ids consist of.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// So many messages per minute.
pub const fn per_minute(messages: u32) -> Option<Rate> {
    Some(Rate { messages, per: Duration::from_secs(60) })
}

/// HMAC-SHA-256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    ring::hmac::sign(&key, message).as_ref().to_vec()
}

/// Standard base64.
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
