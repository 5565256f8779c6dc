//! What was seen, for the person who is woken: request, addresses, head, body, certificate.

use std::borrow::Cow;

use http::header;

use crate::base::outcome::Evidence;
use crate::collect::http::exchange::{Answer, Client, Spoken};
use crate::collect::http::hop::Hop;
use crate::collect::trace::{Trace, phase};

/// Bytes kept of an answer's head.
const MAX_HEAD: usize = 8 * 1024;
/// Bytes kept of its body.
const MAX_BODY: usize = 4 * 1024;

/// Gathers the evidence. The result still holds whatever the target echoed: mask it.
pub fn of(hop: &Hop, trace: &Trace, answer: Option<&Answer>, redirects: usize, client: &Client) -> Evidence {
    let mut items: Vec<(Cow<'static, str>, String)> = Vec::new();
    let title = match redirects {
        0 => Cow::Borrowed("request"),
        1 => Cow::Borrowed("request (after a redirect)"),
        n => Cow::Owned(format!("request (after {n} redirects)")),
    };
    let tried = if client.spoken == Spoken::Two { "HTTP/2" } else { "HTTP/1.1" };
    // Who has no token has not asked yet, and what follows is seen of whom it was asked for.
    if !trace.phases().iter().any(|p| p.name == phase::TOKEN && p.failed) {
        items.push((title, hop.describe(answer.map_or(tried, Answer::version_name))));
    }
    if let Some(proxy) = client.proxies.of(hop) {
        items.push(("proxy".into(), proxy.to_string()));
    }
    match (trace.peer, trace.tried.as_slice()) {
        (Some(peer), _) => items.push(("address".into(), peer.to_string())),
        (None, []) => {}
        (None, tried) => {
            let list: Vec<String> = tried.iter().map(ToString::to_string).collect();
            items.push(("addresses tried".into(), list.join(", ")));
        }
    }
    if let Some(cert) = &trace.cert {
        items.push(("certificate".into(), cert.describe()));
    }
    if let Some(answer) = answer {
        items.push(("response".into(), head(answer)));
        if !answer.body.is_empty() {
            items.push(body(answer));
        }
    }
    Evidence { items }
}

fn head(answer: &Answer) -> String {
    let mut text = format!("{} {}\n", answer.version_name(), answer.status_text());
    for (i, (name, value)) in answer.headers.iter().enumerate() {
        if text.len() >= MAX_HEAD {
            text += &format!("… and {} more headers\n", answer.headers.len() - i);
            break;
        }
        let value = match *name == header::SET_COOKIE {
            true => without_value(value.as_bytes()),
            false => Cow::Borrowed(value.as_bytes()),
        };
        let shown = cut(&value, MAX_HEAD - text.len());
        // Without a mark nobody would know, not even who looks for a secret's beginning.
        let end = if shown.len() < value.len() { "…" } else { "" };
        text += &format!("{name}: {}{end}\n", String::from_utf8_lossy(shown));
    }
    text
}

/// A cookie's value opens a session: whoever reads the evidence needs its name and attributes, not that.
fn without_value(cookie: &[u8]) -> Cow<'_, [u8]> {
    let end = cookie.iter().position(|b| *b == b';').unwrap_or(cookie.len());
    match cookie[..end].iter().position(|b| *b == b'=') {
        Some(at) => Cow::Owned([&cookie[..=at], b"***", &cookie[end..]].concat()),
        None => Cow::Borrowed(cookie),
    }
}

fn body(answer: &Answer) -> (Cow<'static, str>, String) {
    let total = answer.body.len();
    let shown = cut(&answer.body, MAX_BODY);
    let title = match (shown.len() < total, answer.truncated) {
        (false, false) => Cow::Borrowed("body"),
        (true, false) => Cow::Owned(format!("body (first 4 KiB of {total} bytes)")),
        (_, true) => Cow::Owned(format!("body (first {} bytes of more than {total})", shown.len())),
    };
    (title, String::from_utf8_lossy(shown).into_owned())
}

fn cut(bytes: &[u8], max: usize) -> &[u8] {
    &bytes[..bytes.len().min(max)]
}
