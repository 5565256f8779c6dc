//! `auth:` of an `http` monitor: how it says who it is. What is secret here goes into headers that stay with their
//! origin, and is shown nowhere.

use base64::Engine as _;
use http::HeaderValue;

use crate::collect::http::digest::Digest;
use crate::collect::http::oauth::OAuth2;
use crate::collect::mask::Mask;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// How a request is authorized.
#[derive(Debug)]
pub enum Auth {
    /// With a header that is known beforehand: basic and bearer.
    Header(HeaderValue),
    /// With the answer to the server's challenge.
    Digest(Digest),
    /// With a token that a third party hands out.
    OAuth2(Box<OAuth2>),
}

const WAYS: [&str; 4] = ["basic", "bearer", "digest", "oauth2"];

impl Auth {
    /// Reads the option `auth`.
    pub fn read(fields: &mut Fields<'_>, mask: &mut Mask) -> Option<Self> {
        let node = fields.node("auth")?;
        let mut own = fields.nested("auth")?;
        let given = match &node.value {
            Value::Map(entries) => entries.iter().filter(|e| WAYS.contains(&e.key.as_str())).count(),
            Value::Scalar { .. } | Value::Seq(_) => 0,
        };
        if given > 1 {
            own.error(node.span, Code::Conflict, "`auth` takes one way, not several", "keep one of them");
        }
        if let Value::Map(entries) = &node.value
            && entries.is_empty()
        {
            own.error(node.mark(), Code::MissingKey, "`auth` is empty", "write `auth: {bearer: TOKEN}` or another way");
        }
        let basic_login = own.node("basic").and_then(|n| login(&mut own, "basic", n, mask));
        let bearer = own.text("bearer").and_then(|token| bearer(&own, &token, mask));
        let digest = own.node("digest").and_then(|n| login(&mut own, "digest", n, mask));
        let oauth2 = own.nested_of("oauth2", "token_url").and_then(|n| OAuth2::read(n, mask));
        own.finish();
        let basic_header = basic_login.map(|(user, password)| basic(&user, &password, mask));
        basic_header
            .or(bearer)
            .map(Self::Header)
            .or_else(|| digest.map(|(user, password)| Self::Digest(Digest::new(user, password))))
            .or_else(|| oauth2.map(|o| Self::OAuth2(Box::new(o))))
    }
}

/// `Basic …`, as `Authorization` and `Proxy-Authorization` take it (RFC 7617). Whatever the words hold, base64 of them
/// is a header's value.
pub fn basic(user: &str, password: &str, mask: &mut Mask) -> HeaderValue {
    mask.add(password);
    let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    mask.add(&token);
    let mut value =
        HeaderValue::try_from(format!("Basic {token}")).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// `Bearer …` (RFC 6750).
fn bearer(fields: &Fields<'_>, token: &Text, mask: &mut Mask) -> Option<HeaderValue> {
    mask.add(token.value());
    match HeaderValue::try_from(format!("Bearer {}", token.value().trim())) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Some(value)
        }
        Err(_) => {
            let message = "`bearer` has characters that no header may have";
            fields.error(token.span, Code::BadValue, message, "remove line breaks and control characters");
            None
        }
    }
}

/// `user:password`, or `{username, password}`.
fn login(fields: &mut Fields<'_>, key: &'static str, node: &Node, mask: &mut Mask) -> Option<(String, String)> {
    if let Value::Scalar { .. } = node.value {
        let text = fields.text(key)?;
        let Some((user, password)) = text.value().split_once(':') else {
            let message = format!("`{key}` has no `:` between user and password");
            fields.error(text.span, Code::BadValue, message, format!("write `{key}: {{username: …, password: …}}`"));
            return None;
        };
        mask.add(password);
        return Some((user.to_owned(), password.to_owned()));
    }
    let mut own = fields.nested(key)?;
    let user = own.need_text("username", "write the name of the user");
    let password = own.need_text("password", "write e.g. `password: ${env:PASSWORD}`");
    own.finish();
    let (user, password) = (user?, password?);
    mask.add_text(&user);
    mask.add(password.value());
    if user.value().contains(':') && key == "basic" {
        fields.error(user.span, Code::BadValue, "`username` has a `:`, which ends it", "remove it");
        return None;
    }
    Some((user.value().to_owned(), password.value().to_owned()))
}
