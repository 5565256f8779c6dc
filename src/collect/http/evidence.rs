//! What was seen, for the person who is woken: request, addresses, head, body, certificate.

use std::borrow::Cow;

use crate::base::outcome::Evidence;
use crate::collect::http::exchange::Answer;
use crate::collect::http::redirect::Hop;
use crate::collect::trace::Trace;

/// Bytes kept of an answer's head.
const MAX_HEAD: usize = 8 * 1024;
/// Bytes kept of its body.
const MAX_BODY: usize = 4 * 1024;

/// Gathers the evidence. The result still holds whatever the target echoed: mask it.
pub fn of(hop: &Hop, trace: &Trace, answer: Option<&Answer>, redirects: usize) -> Evidence {
    let mut items: Vec<(Cow<'static, str>, String)> = Vec::new();
    let title = match redirects {
        0 => Cow::Borrowed("request"),
        n => Cow::Owned(format!("request (after {n} redirects)")),
    };
    items.push((title, hop.describe()));
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
    let mut text = format!("HTTP/{:.1} {}\n", answer.version(), answer.status_text());
    for (i, (name, value)) in answer.headers.iter().enumerate() {
        if text.len() >= MAX_HEAD {
            text += &format!("… and {} more headers\n", answer.headers.len() - i);
            break;
        }
        text += &format!("{name}: {}\n", String::from_utf8_lossy(cut(value.as_bytes(), MAX_HEAD - text.len())));
    }
    text
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
