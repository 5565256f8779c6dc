//! `maintenance:` and `silences:`.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::alert::flap::FlapPolicy;
use crate::alert::maintenance::{MaintenanceWindow, Occurrence, Schedule};
use crate::alert::silence::Silence;
use crate::alert::window::TimeWindow;
use crate::base::fnv::Fnv;
use crate::base::time::Timestamp;
use crate::config::alerting::{Kind, Mention, Reader};
use crate::config::fields::Fields;
use crate::config::general::cron;
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// Shortest and longest maintenance or silence.
const LENGTH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10 * 366 * 86_400));

/// Shortest and longest time in which changes are counted, or without one.
const SPAN: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(7 * 86_400);

impl<'a> Reader<'a> {
    /// `flapping:`
    pub(super) fn flapping(&self, fields: &mut Fields<'a>) -> FlapPolicy {
        let default = FlapPolicy::default();
        let Some(mut fields) = fields.nested("flapping") else { return default };
        let on = fields.bool("enabled").unwrap_or(true);
        let changes = fields.integer("changes", 2..=1_000).and_then(|n| u32::try_from(n).ok());
        let window = fields.duration("window", SPAN);
        let quiet = fields.duration("quiet", SPAN);
        fields.finish();
        FlapPolicy {
            changes: changes.or(default.changes).filter(|_| on),
            window: window.unwrap_or(default.window),
            quiet: quiet.unwrap_or(default.quiet),
        }
    }

    /// `maintenance:`
    pub(super) fn maintenance(
        &mut self,
        nodes: &[&'a Node],
        windows: &BTreeMap<String, TimeWindow>,
    ) -> Vec<MaintenanceWindow> {
        let mut taken = BTreeSet::new();
        let read = nodes.iter().filter_map(|node| {
            let window = self.one_maintenance(node, windows)?;
            if taken.insert(window.name.clone()) {
                return Some(window);
            }
            let span = node.get("name").map_or(node.mark(), |e| e.value.span);
            let message = format!("`{}` exists already as a maintenance window", window.name);
            self.cx.error(span, Code::DuplicateName, message, "give one of the two another name");
            None
        });
        read.collect()
    }

    fn one_maintenance(&mut self, node: &'a Node, windows: &BTreeMap<String, TimeWindow>) -> Option<MaintenanceWindow> {
        let cx = self.cx;
        let before = cx.error_count();
        let mut fields = Fields::of(cx, node)?;
        let name = fields.need_text("name", "write a name that no other maintenance window has");
        let matchers = self.matchers(&mut fields, &["matchers"]);
        let monitors = fields.texts("monitors");
        if matchers.is_none() && monitors.is_empty() && cx.error_count() == before {
            let hint = "say what is muted: `monitors: [shop]`, `matchers: ['team=\"db\"']`, or `matchers: []` for all";
            fields.missing("matchers", hint);
        }
        self.mentions.extend(monitors.iter().map(|text| Mention::of(cx, text)));
        let comment = fields.text("comment").map(|text| text.value().to_owned()).unwrap_or_default();
        let zone = self.zone(&mut fields).unwrap_or(TimeZone::UTC);
        let schedule = self.schedule(&mut fields, &zone, windows);
        fields.finish();
        let name = name.filter(|_| cx.error_count() == before)?;
        Some(MaintenanceWindow {
            name: name.value().to_owned(),
            matchers: matchers.unwrap_or_default(),
            monitors: monitors.iter().map(|text| text.value().to_owned()).collect(),
            schedule: schedule?,
            comment,
            source: self.place(node),
        })
    }

    fn schedule(
        &self,
        fields: &mut Fields<'a>,
        zone: &TimeZone,
        windows: &BTreeMap<String, TimeWindow>,
    ) -> Option<Schedule> {
        let cx = self.cx;
        let present: Vec<&str> =
            ["start", "cron", "window"].into_iter().filter(|key| fields.own(key).is_some()).collect();
        if let [first, second, ..] = present[..] {
            let span = fields.own(if second == "cron" { "cron" } else { "window" }).map_or(fields.head(), Node::mark);
            let message = format!("`{first}` and `{second}` exclude each other");
            cx.error(span, Code::Conflict, message, "make two maintenance windows of it");
            for key in ["start", "end", "cron", "duration", "window"] {
                fields.own(key);
            }
            return None;
        }
        match present.first() {
            Some(&"cron") => {
                let text = fields.text("cron");
                let duration = fields.duration("duration", LENGTH.0..=LENGTH.1);
                if fields.own("duration").is_none() {
                    fields.missing("duration", "say how long it lasts each time: `duration: 2h`");
                }
                let text = text?;
                let cron = cron(cx, &text, zone)?;
                let (text, zone) = (text.value().to_owned(), zone.clone());
                Some(Schedule::Cron { text, cron: Box::new(cron), duration: duration?, zone })
            }
            Some(&"window") => self.calendar(fields, zone, windows).map(Schedule::Calendar),
            _ => {
                let hint = "write `start` and `end`, `cron` and `duration`, or the `window` in which it is";
                let starts_at = self.moment(fields, "start", zone);
                let ends_at = self.end(fields, starts_at, zone);
                for key in ["cron", "window"] {
                    fields.own(key);
                }
                if fields.own("start").is_none() {
                    fields.missing("start", hint);
                }
                Some(Schedule::Once(Occurrence { starts_at: starts_at?, ends_at: ends_at? }))
            }
        }
    }

    /// `window:`, by name or inline.
    fn calendar(
        &self,
        fields: &mut Fields<'a>,
        zone: &TimeZone,
        windows: &BTreeMap<String, TimeWindow>,
    ) -> Option<TimeWindow> {
        let node = fields.node("window")?;
        if let Value::Map(_) = node.value {
            let before = self.cx.error_count();
            let mut inner = Fields::of(self.cx, node)?;
            let own = node.get("timezone").or_else(|| node.get("location")).is_some();
            let mut intervals = self.intervals(&mut inner);
            inner.finish();
            if !own {
                intervals.iter_mut().for_each(|i| i.zone = zone.clone());
            }
            let window = TimeWindow { name: String::new(), intervals, source: self.place(node) };
            return Some(window).filter(|_| self.cx.error_count() == before);
        }
        let text = self.cx.text(node)?;
        let name = self.refer(Kind::Window, &text)?;
        if let Some(zone) = fields.own("timezone") {
            let message = format!("`{name}` has a time zone of its own");
            self.cx.warn(zone.span, Code::Suspicious, message, "take `timezone` out");
        }
        windows.get(&name).cloned()
    }

    /// `end:`, or `until:`, or `duration:` from the start.
    fn end(&self, fields: &mut Fields<'a>, start: Option<Timestamp>, zone: &TimeZone) -> Option<Timestamp> {
        let keys: Vec<&'static str> =
            ["end", "until", "duration"].into_iter().filter(|key| fields.own(key).is_some()).collect();
        let [key] = keys[..] else {
            match keys.last() {
                None => fields.missing("end", "say when it is over: `end: 2026-12-24 22:00`, or `duration: 2h`"),
                Some(last) => {
                    let span = fields.own(last).map_or(fields.head(), |node| node.span);
                    let message = format!("`{}` and `{last}` speak of the same thing", keys[0]);
                    self.cx.error(span, Code::Conflict, message, "keep one of the two");
                }
            }
            return None;
        };
        if key == "duration" {
            let length = fields.duration(key, LENGTH.0..=LENGTH.1)?;
            return start.map(|start| start.plus(length));
        }
        let end = self.moment(fields, key, zone)?;
        if start.is_some_and(|start| end <= start) {
            let span = fields.own(key).map_or(fields.head(), |node| node.span);
            self.cx.error(span, Code::OutOfRange, format!("`{key}` is not after `start`"), "write a later moment");
            return None;
        }
        Some(end)
    }

    /// `silences:`
    pub(super) fn silences(&self, nodes: &[&'a Node]) -> Vec<Silence> {
        let mut silences: Vec<Silence> = Vec::new();
        for node in nodes {
            let Some(silence) = self.silence(node) else { continue };
            if silences.iter().any(|s| s.id == silence.id) {
                let message = "this silence stands here twice";
                self.cx.error(node.mark(), Code::DuplicateName, message, "take one of the two out");
            } else {
                silences.push(silence);
            }
        }
        silences
    }

    fn silence(&self, node: &'a Node) -> Option<Silence> {
        let cx = self.cx;
        let before = cx.error_count();
        let mut fields = Fields::of(cx, node)?;
        let matchers = self.matchers(&mut fields, &["matchers"]);
        if matchers.is_none() && cx.error_count() == before {
            fields.missing("matchers", "say what is muted: `matchers: ['alertname=\"DiskFull\"']`");
        }
        if let Some(matchers) = &matchers
            && matchers.select_nothing()
        {
            let span = fields.own("matchers").map_or(fields.head(), Node::mark);
            let hint = "write at least one condition on a value: `team=\"web\"`";
            cx.error(span, Code::BadValue, "this would mute every alert", hint);
        }
        let zone = self.zone(&mut fields).unwrap_or(TimeZone::UTC);
        let starts_at = match fields.own("start") {
            Some(_) => self.moment(&mut fields, "start", &zone),
            None if fields.own("duration").is_some() => {
                fields.missing("start", "a `duration` needs its beginning: `start: 2026-12-24 22:00`");
                None
            }
            None => Some(Timestamp::EPOCH),
        };
        let ends_at = self.end(&mut fields, starts_at, &zone);
        let comment = fields.text("comment").map(|text| text.value().to_owned()).unwrap_or_default();
        let created_by = fields.text("created_by").map(|text| text.value().to_owned());
        fields.finish();
        let (matchers, starts_at, ends_at) = (matchers?, starts_at?, ends_at?);
        if cx.error_count() > before {
            return None;
        }
        // The same as long as it says the same of the same time, wherever it stands.
        let mut hash = Fnv::default();
        hash.write(format!("{matchers} {} {}", starts_at.millis(), ends_at.millis()).as_bytes());
        let source = self.place(node);
        Some(Silence {
            id: format!("file-{:016x}", hash.finish()),
            matchers,
            starts_at,
            ends_at,
            updated_at: starts_at,
            created_by: created_by.unwrap_or_else(|| cx.source().path().to_owned()),
            comment,
            until_resolved: false,
            source: Some(source),
        })
    }
}
