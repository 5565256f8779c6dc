//! `receivers:`, `route:` and `inhibit:`.

use std::time::Duration;

use crate::alert::inhibit::InhibitRule;
use crate::alert::matchers::Matchers;
use crate::alert::route::{GroupBy, Route, RouteSpec};
use crate::config::alerting::{Kind, Reader, list};
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// Longest timer of a route.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// Shortest `group_interval` and `repeat_interval`: Alertmanager forbids zero.
const SHORTEST: Duration = Duration::from_secs(1);

impl<'a> Reader<'a> {
    /// One item of `receivers:`.
    pub(super) fn receiver(&self, node: &'a Node) -> Option<(String, Vec<String>)> {
        let cx = self.cx;
        let before = cx.error_count();
        let mut fields = Fields::of(cx, node)?;
        let name = self.name(&mut fields, Kind::Receiver);
        let foreign = fields.unclaimed().find(|e| e.key.ends_with("_configs"));
        if let Some(entry) = foreign {
            let message = format!("`{}` is how Alertmanager writes it", entry.key);
            let hint = "add an entry under `notifiers`, and name it here: `notifiers: [ops]`";
            cx.error(entry.key_span, Code::UnknownKey, message, hint);
            fields.claim_rest();
            return None;
        }
        let mut notifiers = self.refer_all(Kind::Notifier, &mut fields, "notifiers");
        notifiers.dedup();
        if notifiers.is_empty() && cx.error_count() == before {
            fields.missing("notifiers", "name those that belong to it: `notifiers: [ops, hook]`");
        }
        fields.finish();
        // One that is half right tells those that it can.
        name.filter(|_| !notifiers.is_empty()).map(|name| (name, notifiers))
    }

    /// `route:`
    pub(super) fn root(&self, node: &'a Node) -> Route {
        self.route(node, true).map(RouteSpec::build).unwrap_or_default()
    }

    fn route(&self, node: &'a Node, root: bool) -> Option<RouteSpec> {
        let cx = self.cx;
        let mut fields = Fields::of(cx, node)?;
        let receiver = fields.text("receiver").and_then(|text| self.refer(Kind::Receiver, &text));
        let before = cx.error_count();
        let matchers = self.matchers(&mut fields, &["matchers"]).unwrap_or_default();
        let lost = cx.error_count() > before;
        let group_by = self.group_by(&mut fields);
        let group_wait = fields.duration("group_wait", Duration::ZERO..=LONGEST);
        let group_interval = fields.duration("group_interval", SHORTEST..=LONGEST);
        let repeat_interval = fields.duration("repeat_interval", SHORTEST..=LONGEST);
        let mute = self.refer_all(Kind::Window, &mut fields, "mute_time_intervals");
        let active = self.refer_all(Kind::Window, &mut fields, "active_time_intervals");
        let continues = fields.bool("continue").unwrap_or(false);
        let escalation = fields.text("escalation").and_then(|text| match text.value() {
            "none" => Some(None),
            _ => self.refer(Kind::Escalation, &text).map(Some),
        });
        let children = list(&mut fields, &["routes"]);
        let mut spec = RouteSpec {
            receiver,
            matchers,
            group_by,
            group_wait,
            group_interval,
            repeat_interval,
            mute,
            active,
            continues,
            escalation,
            routes: Vec::new(),
            source: self.place(node),
        };
        if root {
            for key in ["matchers", "mute_time_intervals", "active_time_intervals", "continue"] {
                let Some(entry) = node.get(key).filter(|e| !e.value.is_null()) else { continue };
                let message = format!("the root takes every alert, so `{key}` does not belong here");
                cx.error(entry.key_span, Code::Conflict, message, "put it into one of its `routes`");
            }
            // Rather all alerts than none.
            spec.matchers = Matchers::default();
            (spec.mute, spec.active, spec.continues) = (Vec::new(), Vec::new(), false);
        }
        if let (Some(interval), Some(repeat)) = (group_interval, repeat_interval)
            && repeat < interval
            && let Some(node) = fields.node("repeat_interval")
        {
            let message = "`repeat_interval` is shorter than `group_interval`, which then decides";
            cx.warn(node.span, Code::Suspicious, message, "write at least as long a `repeat_interval`");
        }
        if spec.matchers.contradict_themselves() {
            let message = "no alert can match: two conditions on one label exclude each other";
            cx.warn(fields.head(), Code::Suspicious, message, "correct `matchers`, or take the route out");
        }
        fields.finish();
        spec.routes = self.children(&children);
        // Without its conditions it would take its siblings' alerts.
        (!lost || root).then_some(spec)
    }

    fn children(&self, nodes: &[&'a Node]) -> Vec<RouteSpec> {
        let cx = self.cx;
        let mut taking: Vec<(usize, Matchers)> = Vec::new();
        let mut routes = Vec::new();
        for node in nodes {
            let Some(route) = self.route(node, false) else { continue };
            if let Some((line, _)) = taking.iter().find(|(_, before)| before.cover(&route.matchers)) {
                let message = format!("no alert comes here: the route in line {line} takes them all");
                let hint = "put this one first, or write `continue: true` there";
                let mark = match &node.value {
                    Value::Map(entries) => entries.first().map_or(node.span, |e| e.key_span),
                    Value::Scalar { .. } | Value::Seq(_) => node.mark(),
                };
                cx.warn(mark, Code::Suspicious, message, hint);
            }
            if !route.continues {
                taking.push((cx.source().position(node.span.start).line, route.matchers.clone()));
            }
            routes.push(route);
        }
        routes
    }

    fn group_by(&self, fields: &mut Fields<'a>) -> Option<GroupBy> {
        fields.node("group_by")?;
        let mut names: Vec<String> = Vec::new();
        let texts = fields.texts("group_by");
        for text in &texts {
            let name = text.value().to_owned();
            if name.is_empty() {
                self.cx.error(text.span, Code::BadValue, "a label name is empty", "write the name of a label");
            } else if names.contains(&name) {
                let message = format!("label `{}` stands here twice", text.shown());
                self.cx.error(text.span, Code::BadValue, message, "take one of the two out");
            } else {
                names.push(name);
            }
        }
        if !names.iter().any(|name| name == "...") {
            return Some(GroupBy::labels(names));
        }
        if let (Some(text), true) = (texts.iter().find(|t| t.value() != "..."), names.len() > 1) {
            let message = "`...` stands for all labels, so no other belongs beside it";
            self.cx.error(text.span, Code::Conflict, message, "write `group_by: ['...']`");
        }
        Some(GroupBy::All)
    }

    /// One item of `inhibit:`.
    pub(super) fn inhibit(&self, node: &'a Node) -> Option<InhibitRule> {
        let cx = self.cx;
        let mut fields = Fields::of(cx, node)?;
        let before = cx.error_count();
        let source = self.matchers(&mut fields, &["source", "source_matchers"]);
        let target = self.matchers(&mut fields, &["target", "target_matchers"]);
        let sound = cx.error_count() == before;
        if source.is_none() && sound {
            fields.missing("source", "say which alerts inhibit: `source: ['severity=\"critical\"']`");
        }
        if target.is_none() && sound {
            fields.missing("target", "say which alerts are inhibited: `target: ['severity=\"warning\"']`");
        }
        let equal: Vec<String> = fields.texts("equal").into_iter().map(|t| t.value().to_owned()).collect();
        if sound && equal.is_empty() && source.is_some() && target.is_some() {
            let message = "without `equal` one firing alert inhibits its targets everywhere";
            let hint = "name the labels that both must share: `equal: [instance]`";
            cx.warn(fields.head(), Code::Suspicious, message, hint);
        }
        fields.finish();
        Some(InhibitRule { source: source?, target: target?, equal, place: self.place(node) })
    }
}
