//! The policy as an `alertmanager.yml`, for tools that read it: `amtool config routes`.
//!
//! Receivers are names only: how each is told, and with which secrets, is nobody's business here.

use std::fmt::Write as _;
use std::time::Duration;

use crate::alert::dispatch::Setup;
use crate::alert::matchers::Matchers;
use crate::alert::route::{GroupBy, Route};

/// The text.
pub(super) fn text(setup: &Setup) -> String {
    let mut out = String::new();
    let policy = &setup.policy;
    let mut route = String::new();
    write_route(&mut route, &policy.route, None, 2);
    let _ = write!(out, "route:\n{route}");
    if !policy.inhibit.is_empty() {
        out.push_str("inhibit_rules:\n");
        for rule in &policy.inhibit {
            let _ = writeln!(out, "- source_matchers: {}", list(&rule.source));
            let _ = writeln!(out, "  target_matchers: {}", list(&rule.target));
            let _ = writeln!(out, "  equal: {}", strings(rule.equal.iter().map(String::as_str)));
        }
    }
    out.push_str("receivers:\n");
    let mut names: Vec<&str> = policy.route.walk().map(|r| r.receiver.as_str()).collect();
    names.extend(policy.receivers.keys().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    for name in names {
        let _ = writeln!(out, "- name: {}", quoted(name));
    }
    let mut windows: Vec<&str> =
        policy.route.walk().flat_map(|r| r.mute.iter().chain(&r.active)).map(String::as_str).collect();
    windows.sort_unstable();
    windows.dedup();
    if !windows.is_empty() {
        // Their names only: a tool that shows routes needs them to exist.
        out.push_str("time_intervals:\n");
        for name in windows {
            let _ = writeln!(out, "- name: {}\n  time_intervals: []", quoted(name));
        }
    }
    out
}

fn write_route(out: &mut String, route: &Route, parent: Option<&Route>, indent: usize) {
    let pad = " ".repeat(indent);
    let _ = writeln!(out, "{pad}receiver: {}", quoted(&route.receiver));
    if !route.matchers.is_empty() {
        let _ = writeln!(out, "{pad}matchers: {}", list(&route.matchers));
    }
    if parent.is_none_or(|p| p.group_by != route.group_by) {
        let names = match &route.group_by {
            GroupBy::All => vec!["..."],
            GroupBy::Labels(names) => names.iter().map(String::as_str).collect(),
        };
        let _ = writeln!(out, "{pad}group_by: {}", strings(names));
    }
    let mut timer = |name: &str, own: Duration, inherited: Option<Duration>| {
        if inherited != Some(own) {
            let _ = writeln!(out, "{pad}{name}: {}", go_duration(own));
        }
    };
    timer("group_wait", route.group_wait, parent.map(|p| p.group_wait));
    timer("group_interval", route.group_interval, parent.map(|p| p.group_interval));
    timer("repeat_interval", route.repeat_interval, parent.map(|p| p.repeat_interval));
    if !route.mute.is_empty() {
        let _ = writeln!(out, "{pad}mute_time_intervals: {}", strings(route.mute.iter().map(String::as_str)));
    }
    if !route.active.is_empty() {
        let _ = writeln!(out, "{pad}active_time_intervals: {}", strings(route.active.iter().map(String::as_str)));
    }
    if route.continues {
        let _ = writeln!(out, "{pad}continue: true");
    }
    if !route.routes.is_empty() {
        let _ = writeln!(out, "{pad}routes:");
        for child in &route.routes {
            let mut inner = String::new();
            write_route(&mut inner, child, Some(route), indent + 2);
            // The first key carries the dash of the list.
            let _ = write!(out, "{pad}- {}", inner.trim_start());
        }
    }
}

fn list(matchers: &Matchers) -> String {
    let texts: Vec<String> = matchers.iter().map(|m| Matchers::new([m.clone()]).to_string()).collect();
    strings(texts.iter().map(|t| t.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(t)))
}

fn strings<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.into_iter().map(quoted).collect();
    format!("[{}]", items.join(", "))
}

/// A YAML string in double quotes; JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Prometheus' form of a duration: one unit after the other, milliseconds last.
fn go_duration(d: Duration) -> String {
    let ms = d.as_millis();
    if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
}
