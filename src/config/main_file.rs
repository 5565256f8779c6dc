//! `watchdog.yaml` → server, storage, receivers and route; and the folders whose content this version only
//! acknowledges.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::message::Notifier;
use crate::base::nearest::nearest;
use crate::config::catalog::Catalog;
use crate::config::cx::{Cx, Resolver};
use crate::config::fields::Fields;
use crate::config::fnv::Fnv;
use crate::config::model::{Receiver, Server};
use crate::config::monitors::report_syntax;
use crate::config::report::{Code, Source};
use crate::config::storage::{IntakeLimits, QueryLimits, Storage};
use crate::config::yaml::{self, Node, Value};
use crate::wire::api::Problem;

/// Keys of the main file that belong to later versions.
const LATER: [&str; 11] = [
    "routes",
    "inhibit",
    "inhibit_rules",
    "time_windows",
    "time_intervals",
    "secrets",
    "receivers",
    "users",
    "backup",
    "cluster",
    "plugins",
];
/// Alertmanager's words of a route that this version does not act on.
const LATER_ROUTE: [&str; 8] = [
    "group_by",
    "group_wait",
    "group_interval",
    "repeat_interval",
    "routes",
    "matchers",
    "mute_time_intervals",
    "continue",
];

/// What the main file says.
#[derive(Clone, Debug, Default)]
pub struct Main {
    /// `server:`.
    pub server: Server,
    /// `storage:`.
    pub storage: Storage,
    /// `query:`.
    pub query: QueryLimits,
    /// `intake:`.
    pub intake: IntakeLimits,
    /// `notifiers:`.
    pub receivers: Vec<Arc<Receiver>>,
    /// `route.receiver`.
    pub route: Option<String>,
}

/// The main file as read.
#[derive(Debug)]
pub struct MainSheet {
    /// What stands, broken parts left out.
    pub main: Arc<Main>,
    /// Nothing had to be left out.
    pub sound: bool,
    /// What is wrong, in order of place.
    pub problems: Vec<Problem>,
    /// References were resolved.
    pub volatile: bool,
}

/// Reads `watchdog.yaml`.
pub fn read(source: &Arc<Source>, catalog: &dyn Catalog, resolver: &dyn Resolver) -> MainSheet {
    let cx = Cx::new(Arc::clone(source), resolver);
    let (root, errors) = yaml::parse(source.text());
    errors.iter().for_each(|e| report_syntax(&cx, e));
    let mut main = Main::default();
    if let Some(mut fields) = root.as_ref().filter(|r| !r.is_null()).and_then(|r| Fields::of(&cx, r)) {
        if let Some(mut server) = fields.nested("server") {
            main.server = read_server(&mut server);
            server.finish();
        }
        main.storage = Storage::read(&mut fields);
        main.query = QueryLimits::read(&mut fields);
        main.intake = IntakeLimits::read(&mut fields);
        let declared;
        (declared, main.receivers) = receivers(&mut fields, &main.server, catalog);
        if let Some(mut route) = fields.nested("route") {
            main.route = receiver_of(&mut route, &declared, &main.receivers);
            route.unsupported(&LATER_ROUTE);
            route.finish();
        }
        if let Some(entry) = root.as_ref().and_then(|r| r.get("monitors")) {
            let hint = "move them into a file in `monitors.d`";
            cx.error(entry.key_span, Code::UnknownKey, "`monitors` does not belong into the main file", hint);
            fields.own("monitors");
        }
        fields.unsupported(&LATER);
        fields.finish();
    }
    MainSheet {
        main: Arc::new(main),
        sound: cx.error_count() == 0,
        volatile: cx.used_references(),
        problems: cx.into_problems(),
    }
}

fn read_server(fields: &mut Fields<'_>) -> Server {
    let hint = "write an address and a port: `127.0.0.1:8080`";
    let listen = fields.parse("listen", hint, |text| {
        text.parse::<SocketAddr>().map_err(|_| format!("`{text}` is not an address with a port"))
    });
    let hint = "write the address people open in a browser: `https://watchdog.example.com`";
    let external_url = fields.parse("external_url", hint, |text| {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        match rest {
            Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => {
                Ok(text.trim_end_matches('/').to_owned())
            }
            _ => Err("does not begin with `http://` or `https://`"),
        }
    });
    Server { listen, external_url }
}

/// The line of each name that is declared, and the receivers that stand.
fn receivers(
    fields: &mut Fields<'_>,
    server: &Server,
    catalog: &dyn Catalog,
) -> (BTreeMap<String, usize>, Vec<Arc<Receiver>>) {
    let cx = fields.cx();
    let mut taken = BTreeMap::new();
    let mut receivers = Vec::new();
    let nodes = match fields.node("notifiers") {
        None => return (taken, receivers),
        Some(Node { value: Value::Seq(items), .. }) => items,
        Some(other) => {
            let message = format!("`notifiers` takes a list, not {}", other.kind_name());
            cx.error(other.mark(), Code::WrongType, message, "begin each notifier with `- name: …`");
            return (taken, receivers);
        }
    };
    for node in nodes {
        let before = cx.error_count();
        let Some(mut fields) = Fields::of(cx, node) else { continue };
        let name = fields.need_text("name", "write a name that no other notifier has: `name: ops`");
        if let Some(name) = &name {
            let line = cx.source().position(name.span.start).line;
            if let Some(first) = taken.get(name.value()) {
                let message = format!("notifier `{}` exists already, in line {first}", name.shown());
                cx.error(name.span, Code::DuplicateName, message, "give one of the two another name");
            } else {
                taken.insert(name.value().to_owned(), line);
            }
        }
        let send_resolved = fields.bool("send_resolved").unwrap_or(true);
        let mut hash = Fnv::default();
        send_resolved.hash(&mut hash);
        server.external_url.hash(&mut hash);
        let options = fields.unclaimed().filter(|e| e.key != "send_resolved");
        cx.digest_entries(options, &mut hash);
        let built = notifier(&mut fields, server, catalog);
        let head = fields.head();
        fields.finish();
        if built.is_none() && cx.error_count() == before {
            cx.error(head, Code::BadValue, "the options of this notifier do not stand", "compare them with the guide");
        }
        if let (Some(name), Some((kind, notifier)), true) = (name, built, cx.error_count() == before) {
            name.value().hash(&mut hash);
            let name = name.value().to_owned();
            receivers.push(Arc::new(Receiver { name, kind, send_resolved, notifier, hash: hash.finish() }));
        }
    }
    (taken, receivers)
}

fn notifier(fields: &mut Fields<'_>, server: &Server, catalog: &dyn Catalog) -> Option<(String, Arc<dyn Notifier>)> {
    let kinds = catalog.notifier_kinds();
    let all = format!("write one of: {}", kinds.join(", "));
    let kind = fields.need_text("type", &all)?;
    if !kinds.contains(&kind.value()) {
        let hint = nearest(kind.value(), kinds.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no notifier type `{}`", kind.shown());
        fields.error(kind.span, Code::UnknownType, message, hint.unwrap_or(all));
        fields.claim_rest();
        return None;
    }
    Some((kind.value().to_owned(), catalog.notifier(kind.value(), server, fields)?))
}

fn receiver_of(
    route: &mut Fields<'_>,
    declared: &BTreeMap<String, usize>,
    receivers: &[Arc<Receiver>],
) -> Option<String> {
    let text = route.need_text("receiver", "name the notifier that gets the alerts: `receiver: ops`")?;
    if receivers.iter().any(|r| r.name == text.value()) {
        return Some(text.value().to_owned());
    }
    if declared.contains_key(text.value()) {
        // It exists but does not stand, which is reported where it is.
        return None;
    }
    let names = || declared.keys().map(String::as_str);
    let hint = match nearest(text.value(), names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if declared.is_empty() => format!("add a notifier with `name: {}` under `notifiers`", text.shown()),
        None => format!("write one of: {}", names().collect::<Vec<_>>().join(", ")),
    };
    route.error(text.span, Code::UnknownReference, format!("no notifier is named `{}`", text.shown()), hint);
    None
}

/// Reads a file of `templates.d`, which this version does not act on: it must be YAML,
/// and whatever it holds is named as having no effect.
pub fn read_unused(source: &Arc<Source>, resolver: &dyn Resolver) -> Vec<Problem> {
    let cx = Cx::new(Arc::clone(source), resolver);
    let (root, errors) = yaml::parse(source.text());
    errors.iter().for_each(|e| report_syntax(&cx, e));
    if let Some(root) = root.filter(|r| !r.is_null()) {
        let span = match &root.value {
            Value::Map(entries) => entries.first().map_or(root.span, |e| e.key_span),
            Value::Scalar { .. } | Value::Seq(_) => root.mark(),
        };
        let empty = matches!(&root.value, Value::Map(entries) if entries.iter().all(|e| {
            e.value.is_null() || matches!(&e.value.value, Value::Seq(items) if items.is_empty())
        }));
        if !empty {
            let (message, hint) = (
                "templates are not expanded by this version",
                "within a file, `defaults:` and YAML anchors save repetition; move this file elsewhere until then",
            );
            cx.error(span, Code::Unsupported, message, hint);
        }
    }
    cx.into_problems()
}
