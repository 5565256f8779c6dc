//! The options of `type: http`.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method};

use crate::collect::http::HttpProbe;
use crate::collect::http::expect::Expect;
use crate::collect::http::redirect::{Hop, UrlError};
use crate::collect::kind::{EXPECT_LATENCY, Flag, Form, Kind, Operand, TLS};
use crate::collect::mask::Mask;
use crate::collect::tls::{TlsSpec, alpn};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Bytes of a body that are read unless the monitor says otherwise.
const DEFAULT_BODY: u64 = 1 << 20;
/// Most that it may say.
const MAX_BODY: u64 = 16 << 20;
/// As browsers and curl do, give or take.
const DEFAULT_REDIRECTS: i64 = 10;

const USER_AGENT: &str = concat!("watchdog/", env!("CARGO_PKG_VERSION"));

/// The kind.
pub const KIND: Kind = Kind {
    name: "http",
    about: "One HTTP request.",
    operand: Some(Operand::One { path: "url", name: "URL", help: "Address, e.g. `https://example.com/health`." }),
    flags: &[FLAGS, EXPECT_LATENCY, TLS],
    read,
};

const FLAGS: &[Flag] = &[
    Flag::new("method", "method", Form::One("METHOD"), "Request method."),
    Flag::new("header", "headers.*", Form::Pairs(':', "NAME: VALUE"), "Request header, `Name: value`."),
    Flag::new("body", "body", Form::One("BODY"), "Request body."),
    Flag::new(
        "expect-status",
        "expect.status",
        Form::List("STATUS"),
        "Status codes that are fine, e.g. `200-299,404`.",
    ),
    Flag::new("expect-contains", "expect.body.contains", Form::Many("TEXT"), "Text that the body must contain."),
    Flag::new(
        "expect-not-contains",
        "expect.body.not_contains",
        Form::Many("TEXT"),
        "Text that the body must not contain.",
    ),
    Flag::new(
        "expect-matches",
        "expect.body.matches",
        Form::Many("REGEX"),
        "Regular expression that the body must match.",
    ),
    Flag::new("expect-json", "expect.json.*", Form::Pairs('=', "PATH=VALUE"), "JSON path and the value it must have."),
    Flag::new(
        "expect-header",
        "expect.header.*",
        Form::Pairs('=', "NAME=VALUE"),
        "Response header and its value, or a regular expression between slashes.",
    ),
    Flag::new(
        "cert-valid-for",
        "expect.cert.valid_for",
        Form::One("DURATION"),
        "Least time for which the certificate must still be valid, e.g. `14d`.",
    ),
    Flag::new("redirects", "redirects", Form::One("N"), "Redirects followed; 0 takes the redirect as the answer."),
    Flag::new("max-body", "max_body", Form::One("SIZE"), "Bytes of the body that are read, e.g. `64KiB`."),
];

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let url = fields.need_text("url", "write the address, e.g. `url: https://example.com/health`");
    let method = fields.parse("method", "write e.g. GET, HEAD or POST", parse_method).unwrap_or(Method::GET);
    let headers = read_headers(fields, &mut mask);
    let body = fields.text("body");
    if let Some(body) = &body {
        mask.add_text(body);
    }
    let body = body.map_or_else(Bytes::new, |b| Bytes::from(b.value().to_owned()));
    let expect = Expect::read(fields);
    let max_redirects = fields.integer("redirects", 0..=50).unwrap_or(DEFAULT_REDIRECTS);
    let max_body = fields.size("max_body", 1..=MAX_BODY).unwrap_or(DEFAULT_BODY);
    let tls = match fields.nested("tls") {
        Some(own) => TlsSpec::read(own, alpn::HTTP1),
        None => Some(TlsSpec::system(alpn::HTTP1)),
    };
    let url = url?;
    let mut first = first_hop(fields, &url, method, body, &mut mask);
    if let Some(hop) = &mut first {
        for (name, value, private) in headers {
            hop.set_header(name, value, private);
        }
        add_defaults(hop);
        if expect.wants_cert() && !hop.is_tls() && max_redirects == 0 {
            let message = "`expect.cert` cannot hold: the address is not https";
            fields.error(url.span, Code::Conflict, message, "write `https://`, or remove `cert`");
        }
    }
    let (first, tls) = (first?, tls?);
    if fields.cx().error_count() > errors {
        return None;
    }
    let target = shown_url(&url);
    let at = first.peer.host().to_owned();
    let probe = HttpProbe {
        first,
        tls,
        max_redirects: usize::try_from(max_redirects).unwrap_or(0),
        max_body: usize::try_from(max_body).unwrap_or(0),
        expect: Arc::new(expect),
        mask,
    };
    Some(Probe::new("http", target, probe).at(&at))
}

fn parse_method(text: &str) -> Result<Method, String> {
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(upper.as_bytes()) {
        Ok(Method::CONNECT) => Err("CONNECT is not a request that can be probed".to_owned()),
        Ok(method) => Ok(method),
        Err(_) => Err(format!("`{text}` is not a method")),
    }
}

fn read_headers(fields: &mut Fields<'_>, mask: &mut Mask) -> Vec<(HeaderName, HeaderValue, bool)> {
    let mut headers = Vec::new();
    for (entry, text) in fields.pairs("headers") {
        let Ok(name) = HeaderName::try_from(entry.key.as_str()) else {
            let message = format!("`{}` is not a header name", entry.key);
            fields.error(entry.key_span, Code::BadValue, message, "use letters, digits and `-`");
            continue;
        };
        if matches!(name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION) {
            let message = format!("`{}` is set by the probe itself", entry.key);
            fields.error(entry.key_span, Code::Conflict, message, "remove this line");
            continue;
        }
        let Ok(mut value) = HeaderValue::try_from(text.value()) else {
            let message = format!("the value of `{}` has characters that no header may have", entry.key);
            fields.error(text.span, Code::BadValue, message, "remove line breaks and control characters");
            continue;
        };
        let referenced = mask.add_text(&text);
        let credential = matches!(name, header::AUTHORIZATION | header::COOKIE | header::PROXY_AUTHORIZATION);
        if credential {
            mask.add_credentials(text.value());
        }
        value.set_sensitive(referenced || credential);
        headers.push((name, value, referenced || credential));
    }
    headers
}

/// Builds the first hop; `user:password@` becomes an `Authorization` header.
fn first_hop(fields: &Fields<'_>, url: &Text, method: Method, body: Bytes, mask: &mut Mask) -> Option<Hop> {
    mask.add_url(url);
    let mut hop = match Hop::new(url.value().trim(), method, body) {
        Ok(hop) => hop,
        Err(e) => {
            let hint = match &e {
                UrlError::Malformed(_) if !url.value().contains("://") => {
                    format!("write the scheme: `http://{}`", url.shown())
                }
                UrlError::Malformed(_) | UrlError::Host(_) => "write e.g. `https://example.com/health`".to_owned(),
                UrlError::Scheme(_) => "for other protocols use `type: tcp` or `type: script`".to_owned(),
            };
            fields.error(url.span, Code::BadValue, format!("`url` {e}"), hint);
            return None;
        }
    };
    if let Some((user, password)) = userinfo(url.value()) {
        mask.add(&password);
        let token = base64(format!("{user}:{password}").as_bytes());
        mask.add(&token);
        if let Ok(mut value) = HeaderValue::try_from(format!("Basic {token}")) {
            value.set_sensitive(true);
            hop.set_header(header::AUTHORIZATION, value, true);
        }
    }
    Some(hop)
}

fn userinfo(url: &str) -> Option<(String, String)> {
    let parsed = reqwest::Url::parse(url.trim()).ok()?;
    if parsed.username().is_empty() && parsed.password().is_none() {
        return None;
    }
    let decode = |t: &str| percent_encoding::percent_decode_str(t).decode_utf8_lossy().into_owned();
    Some((decode(parsed.username()), decode(parsed.password().unwrap_or(""))))
}

/// The address as written, without a literal `user:password@`.
fn shown_url(url: &Text) -> String {
    let shown = url.shown().trim();
    match shown.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            match rest[..end].rfind('@') {
                Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
                None => shown.to_owned(),
            }
        }
        None => shown.to_owned(),
    }
}

fn add_defaults(hop: &mut Hop) {
    let defaults = HeaderMap::from_iter([
        (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        (header::ACCEPT, HeaderValue::from_static("*/*")),
        // One request per connection: the peer may close first, and keeps the socket's last state.
        (header::CONNECTION, HeaderValue::from_static("close")),
    ]);
    for (name, value) in defaults.into_iter().filter_map(|(n, v)| Some((n?, v))) {
        if !hop.has_header(&name) {
            hop.set_header(name, value, false);
        }
    }
}

/// RFC 4648, for `Authorization: Basic`.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            match i <= chunk.len() {
                true => out.push(char::from(ALPHABET[(word >> (18 - 6 * i)) as usize & 63])),
                false => out.push('='),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_the_rfc() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
