//! What `watchdog.yaml` says about who is told of an alert and when not → [`Policy`].
//!
//! Names are collected before anything is read, so that a reference to something that stands further down, or that
//! does not stand for a reason of its own, is not an error. What has a mistake is left out on the loud side: rather
//! told once too often than never.

mod muting;
mod people;
mod routing;
mod times;

use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};

use crate::alert::matchers::{BadMatchers, Matchers};
use crate::alert::policy::Policy;
use crate::alert::route::EVERY_NOTIFIER;
use crate::base::fnv::Fnv;
use crate::base::nearest::nearest;
use crate::config::cx::{Cx, Text};
use crate::config::fields::Fields;
use crate::config::report::{Code, Mark};
use crate::config::yaml::{Node, Span, Value};
use crate::wire::api::{Level, Problem};

/// The keys of the main file that are read here.
const KEYS: [&str; 11] = [
    "receivers",
    "route",
    "inhibit",
    "inhibit_rules",
    "time_windows",
    "time_intervals",
    "maintenance",
    "escalations",
    "oncall",
    "silences",
    "flapping",
];

/// The name of a monitor where it is referred to. Whether there is one shows when all files are read.
#[derive(Clone, Debug)]
pub struct Mention {
    /// The name.
    pub name: String,
    /// Where it is.
    pub at: Mark,
}

impl Mention {
    /// The name in this text.
    pub fn of(cx: &Cx<'_>, text: &Text) -> Self {
        Self { name: text.value().to_owned(), at: Mark::new(cx.source(), text.span) }
    }

    /// The error that no monitor has the name; `nearest` is one that nearly has.
    pub fn unknown(&self, nearest: Option<&str>) -> Problem {
        let hint = nearest.map_or_else(
            || "write the `name` of a monitor of `monitors.d`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("no monitor is named `{}`", self.name);
        self.at.problem(Level::Error, Code::UnknownReference, message, hint)
    }
}

/// Sorts of names that are referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Notifier,
    Receiver,
    Window,
    Escalation,
    Rota,
}

impl Kind {
    /// For messages, and the key to add one under.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Notifier => ("notifier", "notifiers"),
            Self::Receiver => ("receiver", "receivers"),
            Self::Window => ("time window", "time_windows"),
            Self::Escalation => ("escalation", "escalations"),
            Self::Rota => ("rota", "oncall"),
        }
    }
}

/// One reading of the keys.
struct Reader<'a> {
    cx: &'a Cx<'a>,
    /// Every name and the line it is declared in, whether it stands or not.
    names: BTreeMap<Kind, BTreeMap<String, usize>>,
    mentions: Vec<Mention>,
}

/// Reads everything; `notifiers` are the declared ones with their lines. Gives the policy without the notifiers as
/// receivers of their own name, and the monitors that it names.
pub fn read(fields: &mut Fields<'_>, notifiers: &BTreeMap<String, usize>) -> (Policy, Vec<Mention>) {
    let cx = fields.cx();
    let mut hash = Fnv::default();
    cx.digest_entries(fields.unclaimed().filter(|e| KEYS.contains(&e.key.as_str())), &mut hash);
    let receivers = list(fields, &["receivers"]);
    let windows = list(fields, &["time_windows", "time_intervals"]);
    let escalations = list(fields, &["escalations"]);
    let rotas = list(fields, &["oncall"]);
    let mut reader = Reader { cx, names: BTreeMap::new(), mentions: Vec::new() };
    reader.names.insert(Kind::Notifier, notifiers.clone());
    reader.names.insert(Kind::Receiver, notifiers.clone());
    for (kind, nodes) in
        [(Kind::Receiver, &receivers), (Kind::Window, &windows), (Kind::Escalation, &escalations), (Kind::Rota, &rotas)]
    {
        reader.declare(kind, nodes);
    }
    let mut policy = Policy {
        receivers: receivers.into_iter().filter_map(|node| reader.receiver(node)).collect(),
        windows: named(windows.into_iter().filter_map(|node| reader.window(node)), |w| &w.name),
        ..Policy::default()
    };
    policy.oncall = named(rotas.into_iter().filter_map(|node| reader.rota(node, &policy.windows)), |r| &r.name);
    policy.escalations = named(escalations.into_iter().filter_map(|node| reader.escalation(node)), |e| &e.name);
    policy.inhibit =
        list(fields, &["inhibit", "inhibit_rules"]).into_iter().filter_map(|node| reader.inhibit(node)).collect();
    policy.maintenance = reader.maintenance(&list(fields, &["maintenance"]), &policy.windows);
    policy.silences = reader.silences(&list(fields, &["silences"]));
    policy.flap = reader.flapping(fields);
    if let Some(node) = fields.node("route") {
        policy.route = reader.root(node);
    }
    notifiers.keys().for_each(|name| name.hash(&mut hash));
    policy.hash = hash.finish();
    (policy, reader.mentions)
}

fn named<T>(items: impl Iterator<Item = T>, name: impl Fn(&T) -> &String) -> BTreeMap<String, T> {
    items.map(|item| (name(&item).clone(), item)).collect()
}

/// The items of a list that may go by one of several names.
fn list<'a>(fields: &mut Fields<'a>, keys: &[&'static str]) -> Vec<&'a Node> {
    let mut found: Option<(&str, Vec<&'a Node>)> = None;
    for key in keys {
        let Some(node) = fields.node(key) else { continue };
        if let Some((first, _)) = &found {
            let message = format!("`{key}` and `{first}` speak of the same thing");
            fields.error(node.mark(), Code::Conflict, message, format!("put its items into `{first}`"));
            continue;
        }
        let items = match &node.value {
            Value::Seq(items) => items.iter().collect(),
            Value::Scalar { .. } | Value::Map(_) => {
                let message = format!("`{key}` takes a list, not {}", node.kind_name());
                fields.error(node.mark(), Code::WrongType, message, "begin each item with `- `");
                Vec::new()
            }
        };
        found = Some((key, items));
    }
    found.map(|(_, items)| items).unwrap_or_default()
}

impl<'a> Reader<'a> {
    /// Notes the names of these items, whatever else is wrong with them.
    fn declare(&mut self, kind: Kind, nodes: &[&'a Node]) {
        let names = self.names.entry(kind).or_default();
        for node in nodes {
            let Some(entry) = node.get("name") else { continue };
            let Some(name) = entry.value.as_str() else { continue };
            let line = self.cx.source().position(entry.value.span.start).line;
            let first = names.entry(name.to_owned()).or_insert(line);
            if *first != line {
                let (what, _) = kind.words();
                let message = format!("`{name}` exists already as a {what}, in line {first}");
                self.cx.error(entry.value.span, Code::DuplicateName, message, "give one of the two another name");
            }
        }
    }

    /// The name of an item.
    fn name(&self, fields: &mut Fields<'a>, kind: Kind) -> Option<String> {
        let (what, _) = kind.words();
        let text = fields.need_text("name", &format!("write a name that no other {what} has"))?;
        if text.value() == EVERY_NOTIFIER {
            let message = format!("the name `{EVERY_NOTIFIER}` is taken");
            self.cx.error(text.span, Code::BadValue, message, "choose another name");
            return None;
        }
        Some(text.value().to_owned())
    }

    /// The name in `text`, if there is something of that sort.
    fn refer(&self, kind: Kind, text: &Text) -> Option<String> {
        let nothing = BTreeMap::new();
        let names = self.names.get(&kind).unwrap_or(&nothing);
        if names.contains_key(text.value()) {
            return Some(text.value().to_owned());
        }
        let (what, key) = kind.words();
        let all = || names.keys().map(String::as_str);
        let hint = match nearest(text.value(), all()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => format!("add a {what} with `name: {}` under `{key}`", text.shown()),
            None => format!("write one of: {}", all().collect::<Vec<_>>().join(", ")),
        };
        self.cx.error(text.span, Code::UnknownReference, format!("no {what} is named `{}`", text.shown()), hint);
        None
    }

    /// The names of a list that exist.
    fn refer_all(&self, kind: Kind, fields: &mut Fields<'a>, key: &'static str) -> Vec<String> {
        fields.texts(key).iter().filter_map(|text| self.refer(kind, text)).collect()
    }

    /// The conditions of one of these keys, each item in either of Alertmanager's syntaxes; `None` when one does not
    /// stand or no key is there.
    fn matchers(&self, fields: &mut Fields<'a>, keys: &[&'static str]) -> Option<Matchers> {
        let cx = self.cx;
        let mut all = None;
        let mut sound = true;
        for key in keys {
            let Some(node) = fields.node(key) else { continue };
            if let Value::Map(_) = node.value {
                let message = format!("`{key}` takes a list of conditions, not a mapping");
                cx.error(node.mark(), Code::WrongType, message, format!("write `{key}: ['team=\"web\"']`"));
                return None;
            }
            for node in fields.items(key) {
                let Some(text) = cx.text(node) else {
                    sound = false;
                    continue;
                };
                match Matchers::parse(text.value()) {
                    Ok(some) => all.get_or_insert_with(Vec::new).extend(some),
                    Err(bad) => {
                        self.bad_matcher(&text, &bad);
                        sound = false;
                    }
                }
            }
            all.get_or_insert_with(Vec::new);
        }
        all.filter(|_| sound).map(Matchers::new)
    }

    /// Marks the very characters that are wrong, where the value stands in the file as it is read.
    fn bad_matcher(&self, text: &Text, bad: &BadMatchers) {
        let mut cause = String::new();
        let mut inner = std::error::Error::source(&bad.kind);
        while let Some(error) = inner {
            // The regex engine draws its own caret over several lines; its last line says what is wrong.
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
            cause = format!(": {last}");
            inner = error.source();
        }
        let message = match text.is_reference() {
            true => format!("the value of `{}` is not a matcher", text.shown()),
            false => format!("{}{cause}", bad.kind),
        };
        let span = match text.is_reference() {
            true => text.span,
            false => self.inside(text, bad.start, bad.end),
        };
        self.cx.error(span, Code::BadValue, message, "write conditions as `team=\"web\"` or `instance=~\"db-.*\"`");
    }

    /// Where bytes of a value stand in the file: the value itself, or one with the escapes of quoted strings.
    fn inside(&self, text: &Text, start: usize, end: usize) -> Span {
        let whole = self.cx.source().text();
        let raw = whole.get(text.span.start..text.span.end).unwrap_or_default();
        let quote = whole.get(..text.span.start).and_then(|before| before.chars().next_back());
        let place = |at| raw_place(raw, quote, text.value(), at);
        match (place(start), place(end)) {
            (Some(from), Some(to)) => Span { start: text.span.start + from, end: text.span.start + to },
            _ => text.span,
        }
    }

    fn place(&self, node: &Node) -> String {
        let at = self.cx.source().position(node.span.start);
        format!("{}:{}:{}", self.cx.source().path(), at.line, at.column)
    }
}

/// Where the byte `at` of `value` stands in `raw`, from which it was read: the inside of `quote`, if any.
fn raw_place(raw: &str, quote: Option<char>, value: &str, at: usize) -> Option<usize> {
    let mut place = 0;
    for c in value.get(..at)?.chars() {
        let rest = raw.get(place..)?;
        let escape = match (quote, c) {
            (Some('"'), '"' | '\\' | '/') => format!("\\{c}"),
            (Some('\''), '\'') => "''".to_owned(),
            _ => String::from(c),
        };
        place += match rest.starts_with(&escape) {
            true => escape.len(),
            // Anything else that is escaped, or folded over lines, has no place of its own.
            false if rest.starts_with(c) && c != '\\' => c.len_utf8(),
            false => return None,
        };
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::raw_place;

    #[test]
    fn a_byte_of_a_value_is_found_behind_escapes() {
        assert_eq!(raw_place("a=b", None, "a=b", 2), Some(2));
        assert_eq!(raw_place(r#"a=\"b\" c"#, Some('"'), r#"a="b" c"#, 6), Some(8));
        assert_eq!(raw_place("a='' b", Some('\''), "a=' b", 4), Some(5));
        assert_eq!(raw_place(r"a=~\d+ (", None, r"a=~\d+ (", 7), Some(7));
        assert_eq!(raw_place("a\n  b", None, "a b", 2), None);
        assert_eq!(raw_place(r"a\tb", Some('"'), "a\tb", 2), None);
    }
}
