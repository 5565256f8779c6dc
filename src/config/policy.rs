//! `policy:` of `watchdog.yaml`: what monitors may do. Folders describe monitors; only the main file, which belongs to
//! whoever runs the server, says what is allowed.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use crate::base::policy::{Launch, Network, PathPattern, Policy, loads_code};
use crate::config::fields::{Fields, Text};
use crate::config::model::Monitor;
use crate::config::monitors::Item;
use crate::config::report::Code;
use crate::wire::api::{Level, Problem};

/// Reads the mapping under `policy`.
pub fn read(parent: &mut Fields<'_>) -> Arc<Policy> {
    let Some(mut fields) = parent.nested("policy") else { return Arc::default() };
    let hint = "write `allow` or `deny`";
    let public_only = fields.parse("private", hint, |word| match word {
        "allow" => Ok(false),
        "deny" => Ok(true),
        _ => Err(format!("`{word}` is neither `allow` nor `deny`")),
    });
    let programs = fields.node("programs").is_some().then(|| fields.texts("programs"));
    let programs = programs.map(|list| {
        list.iter().filter_map(|text| path(&fields, text, "program", "/usr/lib/nagios/plugins/check_*")).collect()
    });
    let sockets = fields.node("sockets").is_some().then(|| fields.texts("sockets"));
    let sockets =
        sockets.map(|list| list.iter().filter_map(|text| path(&fields, text, "socket", "/run/php/*.sock")).collect());
    let environment = fields.node("environment").is_some().then(|| fields.texts("environment"));
    let environment = environment.map(|list| list.iter().filter_map(|text| variable(&fields, text)).collect());
    let ports = fields.texts("ports").iter().filter_map(|text| ports(&fields, text)).collect();
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    if let Some(mut networks) = fields.nested_of("networks", "deny") {
        allow = networks.texts("allow").iter().filter_map(|text| network(&networks, text)).collect();
        deny = networks.texts("deny").iter().filter_map(|text| network(&networks, text)).collect();
        networks.finish();
    }
    fields.finish();
    let public_only = public_only.unwrap_or(false);
    Arc::new(Policy { ports, allow, deny, public_only, programs, sockets, environment })
}

fn path(fields: &Fields<'_>, text: &Text, what: &str, example: &str) -> Option<PathPattern> {
    let value = text.value();
    if !value.starts_with('/') || value.split('/').any(|part| matches!(part, "." | "..")) {
        let message = format!("`{}` is no path of a {what}", text.shown());
        fields.error(text.span, Code::BadValue, message, format!("write e.g. `{example}`"));
        return None;
    }
    Some(PathPattern::new(value))
}

fn variable(fields: &Fields<'_>, text: &Text) -> Option<Box<str>> {
    let value = text.value();
    if value.is_empty() || value.contains(['=', '\0']) {
        let message = format!("`{}` is no name of a variable", text.shown());
        fields.error(text.span, Code::BadValue, message, "write e.g. `CHECK_TOKEN` or `CHECK_*`");
        return None;
    }
    if loads_code(value) {
        let message = format!("`{value}` decides what code a program runs: it cannot be allowed");
        let hint = "allow a program of your own in `policy.programs` that sets it";
        fields.error(text.span, Code::BadValue, message, hint);
        return None;
    }
    Some(value.into())
}

fn ports(fields: &Fields<'_>, text: &Text) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.value().split_once('-').unwrap_or((text.value(), text.value()));
    let both = first.trim().parse::<u16>().ok().zip(last.trim().parse::<u16>().ok());
    let range = both.filter(|(first, last)| *first > 0 && first <= last).map(|(first, last)| first..=last);
    if range.is_none() {
        let message = format!("`{}` is neither a port nor a range of ports", text.shown());
        fields.error(text.span, Code::BadValue, message, "write `443` or `8000-8999`");
    }
    range
}

fn network(fields: &Fields<'_>, text: &Text) -> Option<Network> {
    let network = text.value().parse::<Network>();
    if let Err(e) = &network {
        let message = format!("`{}` {e}", text.shown());
        fields.error(text.span, Code::BadValue, message, "write e.g. `10.0.0.0/8` or `2001:db8::1`");
    }
    network.ok()
}

/// Why the policy does not let this be run, and what to do about it, if so. Asked when files are read, and again before
/// each run.
pub fn refuses(policy: &Policy, launch: &Launch) -> Option<(String, &'static str)> {
    // Nobody is asked: no folder needs to be searched either.
    if policy.programs.is_some()
        && let Some(message) = policy.refuses_program(&located(&launch.program))
    {
        return Some((message, "add it to `policy.programs` of watchdog.yaml, or take the monitor out"));
    }
    let variable = launch.variables.iter().find_map(|name| Some((name, policy.refuses_variable(name)?)));
    let (name, message) = variable?;
    Some(match loads_code(name) {
        true => (message, "take it out, or allow a program of your own in `policy.programs` that sets it"),
        false => (message, "add it to `policy.environment` of watchdog.yaml, or take it out"),
    })
}

/// The file that a program is which is named without a folder: the first in our own `PATH`, in which a monitor has no
/// say. The name itself where there is none.
pub fn located(program: &str) -> Cow<'_, str> {
    if program.contains('/') {
        return Cow::Borrowed(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let is_program =
        |file: &std::path::PathBuf| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let found = folders.map(|folder| folder.join(program)).find(is_program);
    found.and_then(|file| file.into_os_string().into_string().ok()).map_or(Cow::Borrowed(program), Cow::Owned)
}

/// Reports monitors that the policy will not let do what they say. They stay: what they are refused is refused when
/// they run, and they run at once when the policy is another one.
pub fn check<'a>(policy: &Policy, items: impl Iterator<Item = &'a Item>) -> Vec<Problem> {
    if *policy == Policy::default() {
        return Vec::new();
    }
    let refused = |monitor: &Monitor| {
        if let Some(found) = monitor.probe.launch.as_ref().and_then(|launch| refuses(policy, launch)) {
            return Some(found);
        }
        let ip = monitor.probe.host.as_deref()?.trim_matches(['[', ']']).parse().ok()?;
        let message = policy.refuses_address(ip)?;
        Some((message, "add it to `policy.networks.allow` of watchdog.yaml, or take the monitor out"))
    };
    let found = items.filter_map(|item| {
        let (message, hint) = refused(item.monitor.as_deref()?)?;
        Some(item.target_at.problem(Level::Error, Code::Forbidden, message, hint))
    });
    found.collect()
}
