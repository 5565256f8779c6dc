//! Hosts with ports, and texts in addresses of pages.

use std::fmt::Write as _;
use std::net::IpAddr;

/// Host and port of `host:port` and `[host]:port`, as Go's `net.SplitHostPort` sees them.
fn split(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, rest) = inner.split_once(']')?;
        let port = rest.strip_prefix(':')?;
        return (!port.contains(':') && !inner.contains(['[', ']']) && !port.contains(['[', ']']))
            .then_some((inner, port));
    }
    (!host.contains(':') && !text.contains(['[', ']'])).then_some((host, port))
}

pub(super) fn strip_port(text: &str) -> &str {
    split(text).map_or(text, |(host, _)| host)
}

pub(super) fn strip_domain(text: &str) -> String {
    if strip_port(text).parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let (host, port) = split(text).unwrap_or((text, ""));
    let first = host.split('.').next().unwrap_or_default();
    match port {
        "" => first.to_owned(),
        port if first.contains(':') => format!("[{first}]:{port}"),
        port => format!("{first}:{port}"),
    }
}

/// Go's `url.QueryEscape`.
pub(super) fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(b)),
            b' ' => out.push('+'),
            _ => drop(write!(out, "%{b:02X}")),
        }
    }
    out
}

/// Go's `html.EscapeString`, in the words of its templates.
pub(super) fn html_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
