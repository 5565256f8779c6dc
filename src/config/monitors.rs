//! One file of `monitors.d` → its monitors and its problems. Knows no other file.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::fnv::Fnv;
use crate::base::name::MonitorName;
use crate::base::nearest::nearest;
use crate::config::alerting::Mention;
use crate::config::catalog::{Catalog, Probe};
use crate::config::cx::{Cx, Resolver};
use crate::config::fields::Fields;
use crate::config::general::General;
use crate::config::jobs;
use crate::config::messages::Named;
use crate::config::model::{Monitor, Schedule};
use crate::config::report::{Code, Mark, Source};
use crate::config::rules::RuleGroup;
use crate::config::slo::Slo;
use crate::config::yaml::{self, Entry, Node, Span, SyntaxKind, Value};
use crate::wire::api::Problem;

/// What one file says.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Its monitors in the order written, broken ones included.
    pub items: Vec<Item>,
    /// Its templates of messages.
    pub messages: Vec<Named>,
    /// What is wrong with it, in order of place.
    pub problems: Vec<Problem>,
    /// Monitors may be missing from `items` because of a mistake.
    pub lossy: bool,
    /// The result depends on more than the text: references were resolved.
    pub volatile: bool,
    /// For a file of `rules.d`: its groups, those that stand.
    pub groups: Vec<Arc<RuleGroup>>,
}

/// One entry of `monitors:` with a usable name.
#[derive(Debug)]
pub struct Item {
    /// Its name.
    pub name: MonitorName,
    /// Where it stands.
    pub name_at: Mark,
    /// The monitor, unless something is wrong with it.
    pub monitor: Option<Arc<Monitor>>,
    /// Where it says what it does to whom.
    pub target_at: Mark,
    /// Its objective, and where that stands.
    pub slo: Option<(Slo, Mark)>,
    /// The monitors it depends on, where it says so.
    pub depends_on: Vec<Mention>,
}

/// Reads one file.
pub fn read(source: &Arc<Source>, catalog: &dyn Catalog, resolver: &dyn Resolver) -> Sheet {
    let cx = Cx::new(Arc::clone(source), resolver);
    let yaml::Parsed { mut root, errors, broken } = yaml::parse_partly(source.text());
    if let Some(root) = &mut root {
        jobs::adopt(root, &cx);
    }
    let mut reader = Reader { cx: &cx, catalog, bad: Vec::new(), sheet: Sheet::default() };
    for error in &errors {
        report_syntax(&cx, error);
        reader.bad.push(error.span);
    }
    match &root {
        Some(root) if !root.is_null() => reader.file(root),
        Some(_) | None => reader.sheet.lossy = !errors.is_empty(),
    }
    let mut sheet = reader.sheet;
    if broken {
        // Read only to report what else is wrong.
        sheet.items.clear();
        sheet.lossy = true;
    }
    sheet.volatile = cx.used_references();
    sheet.problems = cx.into_problems();
    sheet
}

/// Reports what the YAML reader found.
pub fn report_syntax(cx: &Cx<'_>, error: &yaml::SyntaxError) {
    let (code, hint) = match &error.kind {
        SyntaxKind::Scan { hint, .. } => (Code::Syntax, *hint),
        SyntaxKind::Duplicate(_) => (Code::DuplicateKey, "keep one of the two"),
        SyntaxKind::BadMerge => (Code::WrongType, "name an anchor that is a mapping: `<<: *base`"),
        SyntaxKind::ComplexKey => (Code::Syntax, "write `key: value`; put a key with special characters in quotes"),
        SyntaxKind::TooDeep | SyntaxKind::TooMany => (Code::TooLarge, "split the file, and use fewer aliases"),
        SyntaxKind::SecondDocument => (Code::Syntax, "put it into a file of its own, without `---`"),
    };
    cx.error(error.span, code, error.kind.to_string(), hint);
}

struct Reader<'a> {
    cx: &'a Cx<'a>,
    catalog: &'a dyn Catalog,
    /// Where the YAML reader found mistakes that it could pass over.
    bad: Vec<Span>,
    sheet: Sheet,
}

impl<'a> Reader<'a> {
    fn file(&mut self, root: &'a Node) {
        let cx = self.cx;
        if let Value::Seq(_) = root.value {
            self.sheet.lossy = true;
            cx.error(root.mark(), Code::WrongType, "a list stands here alone", "put it under a `monitors:` key");
            return;
        }
        let Some(mut fields) = Fields::of(cx, root) else {
            self.sheet.lossy = true;
            return;
        };
        if root.get("monitors").is_none() && root.get("type").is_some() {
            self.sheet.lossy = true;
            let hint = "put it into a list: `monitors:`, and below it `- name: …` with the other keys indented";
            cx.error(fields.head(), Code::WrongType, "a single monitor stands here alone", hint);
            return;
        }
        let before = cx.error_count();
        let defaults = fields.node("defaults");
        let list = fields.node("monitors");
        // Still there: no list of jobs.
        let (jobs, global) = (fields.node("scrape_configs"), fields.node("global"));
        if let Some(other) = jobs {
            let message = format!("`scrape_configs` takes a list, not {}", other.kind_name());
            cx.error(other.mark(), Code::WrongType, message, "begin each job with `- job_name: …`");
        } else if let Some(global) = global {
            let message = "`global` is for `scrape_configs`, which this file does not have";
            cx.warn(global.mark(), Code::Suspicious, message, "write `defaults` for `monitors`");
        }
        fields.unsupported(&["use", "templates", "rules", "groups"]);
        fields.finish();
        // A misspelt or doubled key at the top may be what hides monitors.
        let inner = |span: &Span| [defaults, list].into_iter().flatten().any(|node| within(*span, node.span));
        self.sheet.lossy = cx.error_count() > before || self.bad.iter().any(|span| !inner(span));
        if let Some(defaults) = defaults {
            self.defaults(defaults);
        }
        match list {
            Some(Node { value: Value::Seq(items), .. }) => items.iter().for_each(|item| self.item(item, defaults)),
            Some(other) => {
                self.sheet.lossy = true;
                let message = format!("`monitors` takes a list, not {}", other.kind_name());
                cx.error(other.mark(), Code::WrongType, message, "begin each monitor with `- name: …`");
            }
            None => {}
        }
    }

    /// Checks `defaults:` for itself, so that mistakes show even where every monitor overrides them.
    fn defaults(&mut self, node: &'a Node) {
        if let Some(mut fields) = Fields::of(self.cx, node) {
            let before = self.cx.error_count();
            General::read(&mut fields);
            fields.finish();
            self.sheet.lossy |= self.cx.error_count() > before;
        }
    }

    fn item(&mut self, node: &'a Node, defaults: Option<&'a Node>) {
        let cx = self.cx;
        let before = cx.error_count();
        let Some(fields) = Fields::of(cx, node) else {
            self.sheet.lossy = true;
            return;
        };
        let mut fields = fields.with_defaults(defaults);
        let general = General::read(&mut fields).and_then(|general| general.settled(&mut fields));
        let slo = general.as_ref().and_then(|general| general.slo);
        fields.seal_defaults();
        let name = self.name(&mut fields);
        let depends_on: Vec<Mention> = fields.texts("depends_on").iter().map(|text| Mention::of(cx, text)).collect();
        fields.unsupported(&["template"]);
        let options: Vec<&Entry> = fields.unclaimed().collect();
        let probe = self.probe(&mut fields);
        let head = fields.head();
        // Where it says what it does to whom; kinds have a word of their own for that.
        let says = options.iter().find(|entry| matches!(entry.key.as_str(), "command" | "url" | "host"));
        let target = says.map_or(head, |entry| entry.value.mark());
        fields.finish();
        if probe.is_none() && cx.error_count() == before {
            cx.error(head, Code::BadValue, "the options of this monitor do not stand", "compare them with the guide");
        }
        let sound = cx.error_count() == before && !self.bad.iter().any(|span| within(*span, node.span));
        let Some((name, name_at)) = name else {
            self.sheet.lossy = true;
            return;
        };
        let monitor = probe.zip(general).filter(|_| sound).map(|(probe, general)| {
            let at = cx.source().position(node.span.start);
            let source = format!("{}:{}:{}", cx.source().path(), at.line, at.column);
            let mut hash = Fnv::default();
            name.hash(&mut hash);
            general.digest(&mut hash);
            depends_on.iter().for_each(|mention| mention.name.hash(&mut hash));
            cx.digest_entries(options.into_iter(), &mut hash);
            let judged = probe.judged;
            let mut monitor = general.monitor(name.clone(), probe, source, hash.finish());
            if let Some(every) = judged {
                monitor.schedule = Schedule::Every(every);
                monitor.timeout = monitor.timeout.min(every);
            }
            monitor.depends_on = depends_on.iter().filter_map(|on| MonitorName::new(&on.name).ok()).collect();
            Arc::new(monitor)
        });
        let target_at = Mark::new(cx.source(), target);
        let slo = slo.map(|(slo, span)| (slo, Mark::new(cx.source(), span)));
        self.sheet.items.push(Item { name, name_at, monitor, target_at, slo, depends_on });
    }

    fn name(&self, fields: &mut Fields<'a>) -> Option<(MonitorName, Mark)> {
        let text = fields.need_text("name", "write a name that no other monitor has: `name: shop`")?;
        match MonitorName::new(text.value()) {
            Ok(name) => Some((name, Mark::new(self.cx.source(), text.span))),
            Err(e) => {
                let hint = "use 1 to 200 visible bytes, without blanks at the ends";
                self.cx.error(text.span, Code::BadValue, e.to_string(), hint);
                None
            }
        }
    }

    fn probe(&self, fields: &mut Fields<'a>) -> Option<Probe> {
        let kinds = self.catalog.monitor_kinds();
        let all = format!("write one of: {}", kinds.join(", "));
        let Some(kind) = fields.need_text("type", &all) else {
            // Without a type every option is unknown: nothing more to say about them.
            fields.claim_rest_but("type");
            return None;
        };
        if !kinds.contains(&kind.value()) {
            let hint = nearest(kind.value(), kinds.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let message = format!("there is no monitor type `{}`", kind.shown());
            self.cx.error(kind.span, Code::UnknownType, message, hint.unwrap_or(all));
            // Which options are known depends on the kind: nothing more to say about them.
            fields.claim_rest();
            return None;
        }
        self.catalog.monitor(kind.value(), fields)
    }
}

fn within(inner: Span, outer: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
