//! `watchdog.yaml` → server, storage, notifiers and who is told; and the folders whose content this version only
//! acknowledges.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::policy::Policy;
use crate::alert::route::EVERY_NOTIFIER;
use crate::base::fnv::Fnv;
use crate::base::nearest::nearest;
use crate::base::notification::Notifier;
use crate::base::policy::Policy as Allowed;
use crate::base::units;
use crate::config::alerting::{self, Mention};
use crate::config::catalog::Catalog;
use crate::config::cx::{Cx, Resolver, Text};
use crate::config::deadman::Deadman;
use crate::config::fields::Fields;
use crate::config::itself::SelfChecks;
use crate::config::messages::{self, Messages, Named};
use crate::config::model::{Limits, RateLimit, Receiver, Server};
use crate::config::monitors::report_syntax;
use crate::config::policy;
use crate::config::probing::Probing;
use crate::config::report::{Code, Source};
use crate::config::storage::{IntakeLimits, QueryLimits, Storage};
use crate::config::yaml::{self, Node, Value};
use crate::render::template::Template;
use crate::render::words::Language;
use crate::wire::api::Problem;

/// Keys of the main file that belong to later versions.
const LATER: [&str; 5] = ["secrets", "users", "backup", "cluster", "plugins"];

/// Over which time a rate may be counted.
const RATE_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

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
    /// `heartbeat:`.
    pub heartbeat: Option<Deadman>,
    /// `policy:`.
    pub policy: Arc<Allowed>,
    /// `probing:`.
    pub probing: Probing,
    /// `self:`.
    pub itself: Arc<SelfChecks>,
    /// `notifiers:`.
    pub receivers: Vec<Arc<Receiver>>,
    /// Who is told of what, and when not.
    pub alerting: Arc<Policy>,
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
    /// Monitors that it names.
    pub mentions: Vec<Mention>,
}

/// Reads `watchdog.yaml`.
///
/// `messages` are the templates that notifiers may name.
pub fn read(source: &Arc<Source>, messages: &Messages, catalog: &dyn Catalog, resolver: &dyn Resolver) -> MainSheet {
    let cx = Cx::new(Arc::clone(source), resolver);
    let (root, errors) = yaml::parse(source.text());
    errors.iter().for_each(|e| report_syntax(&cx, e));
    let mut main = Main::default();
    let mut mentions = Vec::new();
    if let Some(mut fields) = root.as_ref().filter(|r| !r.is_null()).and_then(|r| Fields::of(&cx, r)) {
        if let Some(mut server) = fields.nested("server") {
            main.server = read_server(&mut server);
            server.finish();
        }
        main.server.messages = Arc::clone(messages);
        main.storage = Storage::read(&mut fields);
        main.query = QueryLimits::read(&mut fields);
        main.intake = IntakeLimits::read(&mut fields);
        main.heartbeat = Deadman::read(&mut fields);
        main.policy = policy::read(&mut fields);
        main.probing = Probing::read(&mut fields);
        main.itself = SelfChecks::read(&mut fields, catalog);
        let declared;
        (declared, main.receivers) = receivers(&mut fields, &main.server, catalog);
        let (mut alerting, named) = alerting::read(&mut fields, &declared);
        alerting.add_notifiers(main.receivers.iter().map(|r| r.name.as_str()));
        main.alerting = Arc::new(alerting);
        mentions = named;
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
        mentions,
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
    let language = fields.parse("language", "write `en` or `zh`", |word| {
        Language::parse(word).ok_or_else(|| format!("`{word}` is not a language of the built-in texts"))
    });
    let time_zone = fields.parse("time_zone", "write a name such as `Europe/Berlin` or `UTC`", |name| {
        let known = jiff::tz::TimeZone::get(name).map(|_| name.to_owned());
        known.map_err(|_| format!("`{name}` is not a time zone"))
    });
    let language = language.unwrap_or_default();
    Server { listen, external_url, language, time_zone, messages: Messages::default() }
}

/// The line of each name that is declared, and the receivers that stand.
fn receivers(
    fields: &mut Fields<'_>,
    server: &Server,
    catalog: &dyn Catalog,
) -> (BTreeMap<String, usize>, Vec<Arc<Receiver>>) {
    let cx = fields.cx();
    let mut taken = BTreeMap::new();
    let mut receivers: Vec<Receiver> = Vec::new();
    let mut fallbacks = BTreeMap::new();
    let nodes = match fields.node("notifiers") {
        None => return (taken, Vec::new()),
        Some(Node { value: Value::Seq(items), .. }) => items,
        Some(other) => {
            let message = format!("`notifiers` takes a list, not {}", other.kind_name());
            cx.error(other.mark(), Code::WrongType, message, "begin each notifier with `- name: …`");
            return (taken, Vec::new());
        }
    };
    for node in nodes {
        let before = cx.error_count();
        let Some(mut fields) = Fields::of(cx, node) else { continue };
        let name = fields.need_text("name", "write a name that no other notifier has: `name: ops`");
        if let Some(name) = &name {
            let line = cx.source().position(name.span.start).line;
            if name.value() == EVERY_NOTIFIER {
                let message = format!("the name `{EVERY_NOTIFIER}` is taken");
                cx.error(name.span, Code::BadValue, message, "choose another name");
            } else if let Some(first) = taken.get(name.value()) {
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
        server.language.hash(&mut hash);
        server.time_zone.hash(&mut hash);
        for (name, message) in server.messages.iter() {
            name.hash(&mut hash);
            [&message.title, &message.body].map(|t| t.as_ref().map(Template::source)).hash(&mut hash);
        }
        let options = fields.unclaimed().filter(|e| e.key != "send_resolved");
        cx.digest_entries(options, &mut hash);
        let fallback = fields.text("fallback");
        let hint = "write how many messages in which time: `20/1m`";
        let limits = Limits {
            rate: fields.parse("rate_limit", hint, rate),
            fallback: fallback.as_ref().map(|text| text.value().to_owned()),
            digest_above: fields.integer("digest_above", 0..=100_000).and_then(|n| usize::try_from(n).ok()),
        };
        if let (Some(name), Some(fallback)) = (&name, fallback) {
            fallbacks.insert(name.value().to_owned(), fallback);
        }
        let built = notifier(&mut fields, server, catalog);
        let head = fields.head();
        fields.finish();
        if built.is_none() && cx.error_count() == before {
            cx.error(head, Code::BadValue, "the options of this notifier do not stand", "compare them with the guide");
        }
        if let (Some(name), Some((kind, notifier)), true) = (name, built, cx.error_count() == before) {
            name.value().hash(&mut hash);
            let name = name.value().to_owned();
            receivers.push(Receiver { name, kind, send_resolved, limits, notifier, hash: hash.finish() });
        }
    }
    check_fallbacks(cx, &taken, &fallbacks, &mut receivers);
    (taken, receivers.into_iter().map(Arc::new).collect())
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

/// `20/1m`, or `20/m` for the same.
pub fn rate(text: &str) -> Result<RateLimit, String> {
    let parts = text.split_once('/').and_then(|(messages, per)| {
        let messages = messages.trim().parse().ok().filter(|n| *n > 0)?;
        let per = per.trim();
        let one = if per.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "1" };
        let per = units::parse_duration(&format!("{one}{per}")).ok()?;
        RATE_TIME.contains(&per).then_some(RateLimit { messages, per })
    });
    parts.ok_or_else(|| format!("`{text}` is not a rate"))
}

/// Reports fallbacks that lead nowhere or in a circle, and takes them out.
fn check_fallbacks(
    cx: &Cx<'_>,
    declared: &BTreeMap<String, usize>,
    fallbacks: &BTreeMap<String, Text>,
    receivers: &mut [Receiver],
) {
    for (name, text) in fallbacks {
        let next = |name: &String| fallbacks.get(name).map(|text| text.value().to_owned());
        let mut chain = std::iter::successors(next(name), next).take(fallbacks.len());
        let mistake = if !declared.contains_key(text.value()) {
            let names = || declared.keys().map(String::as_str);
            let hint = match nearest(text.value(), names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of: {}", names().collect::<Vec<_>>().join(", ")),
            };
            Some((Code::UnknownReference, format!("no notifier is named `{}`", text.shown()), hint))
        } else if chain.any(|next| next == *name) {
            let message = format!("falling back from `{name}` leads back to it");
            Some((Code::Conflict, message, "let the last one have no `fallback`".to_owned()))
        } else {
            None
        };
        if let Some((code, message, hint)) = mistake {
            cx.error(text.span, code, message, hint);
            receivers.iter_mut().filter(|r| r.name == *name).for_each(|r| r.limits.fallback = None);
        }
    }
}

/// Reads a file of `templates.d`: its `messages`. Templates of monitors are not part of this version.
pub fn read_templates(source: &Arc<Source>, resolver: &dyn Resolver) -> (Vec<Named>, Vec<Problem>) {
    let (root, _) = yaml::parse(source.text());
    if root.as_ref().and_then(|r| r.get("messages")).is_none() {
        return (Vec::new(), read_unused(source, resolver));
    }
    let cx = Cx::new(Arc::clone(source), resolver);
    let (root, errors) = yaml::parse(source.text());
    errors.iter().for_each(|e| report_syntax(&cx, e));
    let mut named = Vec::new();
    if let Some(mut fields) = root.as_ref().and_then(|r| Fields::of(&cx, r)) {
        named = messages::read(&mut fields);
        fields.unsupported(&["templates"]);
        fields.finish();
    }
    (named, cx.into_problems())
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
