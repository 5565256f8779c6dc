//! `policy:` of `watchdog.yaml`: what monitors may do. Folders describe monitors; only the main file, which belongs to
//! whoever runs the server, says what is allowed.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::base::policy::{Network, Policy, Program};
use crate::config::fields::{Fields, Text};
use crate::config::model::Monitor;
use crate::config::monitors::Item;
use crate::config::report::Code;
use crate::wire::api::Problem;

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
    let programs = programs.map(|list| list.iter().filter_map(|text| program(&fields, text)).collect());
    let sockets = fields.node("sockets").is_some().then(|| fields.texts("sockets"));
    let sockets = sockets.map(|list| list.iter().filter_map(|text| socket(&fields, text)).collect());
    let ports = fields.texts("ports").iter().filter_map(|text| ports(&fields, text)).collect();
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    if let Some(mut networks) = fields.nested_of("networks", "deny") {
        allow = networks.texts("allow").iter().filter_map(|text| network(&networks, text)).collect();
        deny = networks.texts("deny").iter().filter_map(|text| network(&networks, text)).collect();
        networks.finish();
    }
    fields.finish();
    Arc::new(Policy { ports, allow, deny, public_only: public_only.unwrap_or(false), programs, sockets })
}

fn program(fields: &Fields<'_>, text: &Text) -> Option<Program> {
    let value = text.value();
    let odd = value.is_empty() || value.split('/').any(|part| matches!(part, "." | ".."));
    if odd {
        let message = format!("`{}` is no path of a program", text.shown());
        fields.error(text.span, Code::BadValue, message, "write e.g. `/usr/lib/nagios/plugins/check_*`");
        return None;
    }
    Some(Program::new(value))
}

fn socket(fields: &Fields<'_>, text: &Text) -> Option<Program> {
    let value = text.value();
    if !value.starts_with('/') || value.split('/').any(|part| matches!(part, "." | "..")) {
        let message = format!("`{}` is no path of a socket", text.shown());
        fields.error(text.span, Code::BadValue, message, "write e.g. `/run/php/*.sock`");
        return None;
    }
    Some(Program::new(value))
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

/// Reports monitors that the policy will not let do what they say. They stay: what they are refused is refused when
/// they run, and they run at once when the policy is another one.
pub fn check<'a>(policy: &Policy, items: impl Iterator<Item = &'a Item>) -> Vec<Problem> {
    if *policy == Policy::default() {
        return Vec::new();
    }
    let refused = |monitor: &Monitor| {
        let program = monitor.probe.program.as_deref();
        if let Some(message) = program.and_then(|program| policy.refuses_program(program)) {
            return Some((message, "add it to `policy.programs` of watchdog.yaml, or take the monitor out"));
        }
        let ip = monitor.probe.host.as_deref()?.trim_matches(['[', ']']).parse().ok()?;
        let message = policy.refuses_address(ip)?;
        Some((message, "add it to `policy.networks.allow` of watchdog.yaml, or take the monitor out"))
    };
    let found = items.filter_map(|item| {
        let (message, hint) = refused(item.monitor.as_deref()?)?;
        let code = Code::Forbidden.as_str().to_owned();
        Some(Problem { code, message, hint: hint.to_owned(), ..item.target.clone() })
    });
    found.collect()
}
