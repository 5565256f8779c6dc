//! `escalations:` and `oncall:`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::alert::escalate::{Escalation, Step, Target};
use crate::alert::maintenance::Occurrence;
use crate::alert::oncall::{Layer, Override, Rota};
use crate::alert::window::{TimeWindow, Unit, minute_of_day};
use crate::base::units;
use crate::config::alerting::{Kind, Reader, list};
use crate::config::cx::Text;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::Node;

/// Latest step of an escalation.
const LATEST: Duration = Duration::from_secs(30 * 86_400);
/// A Monday, from which turns count that name no first day.
const A_MONDAY: Date = jiff::civil::date(2024, 1, 1);
const DAY: u64 = 86_400;
/// When turns begin that do not say.
const HANDOVER: Time = jiff::civil::time(9, 0, 0, 0);

impl<'a> Reader<'a> {
    /// One item of `escalations:`.
    pub(super) fn escalation(&self, node: &'a Node) -> Option<Escalation> {
        let cx = self.cx;
        let before = cx.error_count();
        let mut fields = Fields::of(cx, node)?;
        let name = self.name(&mut fields, Kind::Escalation);
        let nodes = list(&mut fields, &["steps"]);
        let repeat = fields.bool("repeat").unwrap_or(false);
        let mut steps: Vec<Step> = Vec::new();
        for node in &nodes {
            let Some(step) = self.step(node) else { continue };
            if let Some(last) = steps.last().filter(|last| last.after > step.after) {
                let message =
                    format!("this step comes before the one above, which is after {}", units::Exact(last.after));
                cx.error(node.mark(), Code::OutOfRange, message, "write the steps in order of time");
            }
            steps.push(step);
        }
        if steps.is_empty() && cx.error_count() == before {
            fields.missing("steps", "write who is told and when: `steps: [{after: 10m, receiver: lead}]`");
        }
        if repeat && steps.last().is_some_and(|last| last.after.is_zero()) {
            cx.error(fields.head(), Code::Conflict, "steps at once cannot repeat", "give the last step a time");
        }
        fields.finish();
        let name = name.filter(|_| !steps.is_empty())?;
        steps.sort_by_key(|step| step.after);
        Some(Escalation { name, steps, repeat, source: self.place(node) })
    }

    fn step(&self, node: &'a Node) -> Option<Step> {
        let mut fields = Fields::of(self.cx, node)?;
        let after = fields.duration("after", Duration::ZERO..=LATEST);
        if fields.own("after").is_none() {
            fields.missing("after", "say how long without acknowledgement: `after: 10m`");
        }
        let receiver = fields.text("receiver");
        let rota = fields.text("oncall");
        let to = match (&receiver, &rota) {
            (Some(_), Some(rota)) => {
                let message = "a step tells a receiver or whoever is on call";
                self.cx.error(rota.span, Code::Conflict, message, "make two steps of it");
                None
            }
            (Some(text), None) => self.refer(Kind::Receiver, text).map(Target::Receiver),
            (None, Some(text)) => self.refer(Kind::Rota, text).map(Target::OnCall),
            (None, None) => {
                fields.missing("receiver", "say who is told: `receiver: lead`, or `oncall: primary`");
                None
            }
        };
        fields.finish();
        Some(Step { after: after?, to: to? })
    }

    /// One item of `oncall:`: one rotation of its own, or `layers`.
    pub(super) fn rota(&self, node: &'a Node, windows: &BTreeMap<String, TimeWindow>) -> Option<Rota> {
        let cx = self.cx;
        let before = cx.error_count();
        let mut fields = Fields::of(cx, node)?;
        let name = self.name(&mut fields, Kind::Rota);
        let zone = self.zone(&mut fields).unwrap_or(TimeZone::UTC);
        let layers = match fields.node("layers") {
            None => self.layer(&mut fields, &zone, windows).into_iter().collect::<Vec<Layer>>(),
            Some(_) => {
                let read = list(&mut fields, &["layers"]).into_iter().filter_map(|item| {
                    let mut inner = Fields::of(cx, item)?;
                    let zone = self.zone(&mut inner).unwrap_or_else(|| zone.clone());
                    let layer = self.layer(&mut inner, &zone, windows);
                    inner.finish();
                    layer
                });
                read.collect()
            }
        };
        if layers.last().is_some_and(|last| last.during.is_some()) && cx.error_count() == before {
            let message = "outside `during` nobody is on call";
            cx.error(fields.head(), Code::Conflict, message, "add a last layer without `during`");
        }
        let overrides: Vec<Override> =
            list(&mut fields, &["overrides"]).into_iter().filter_map(|item| self.instead(item, &zone)).collect();
        fields.finish();
        let name = name.filter(|_| !layers.is_empty())?;
        Some(Rota { name, layers, overrides, source: self.place(node) })
    }

    fn layer(&self, fields: &mut Fields<'a>, zone: &TimeZone, windows: &BTreeMap<String, TimeWindow>) -> Option<Layer> {
        let before = self.cx.error_count();
        let members = self.refer_all(Kind::Receiver, fields, "members");
        if members.is_empty() && self.cx.error_count() == before {
            fields.missing("members", "name receivers in the order of their turns: `members: [ann, bob]`");
        }
        let days = fields.parse("rotation", "write `weekly`, `daily`, or whole days: `14d`", |text| match text {
            "daily" => Ok(1),
            "weekly" => Ok(7),
            _ => {
                let seconds = units::parse_duration(text).map_or(0, |d| d.as_secs());
                let days = u16::try_from(seconds / DAY).unwrap_or(0);
                if days > 0 && seconds.is_multiple_of(DAY) {
                    Ok(days)
                } else {
                    Err(format!("`{text}` is not a rotation"))
                }
            }
        });
        let handover = fields.text("handover").and_then(|text| self.time_of_day(&text));
        let weekday = fields.text("weekday").and_then(|text| self.weekday(&text));
        let start = fields.parse("start", "write the day of the first turn: `2026-11-30`", |text| {
            text.parse::<Date>().map_err(|_| format!("`{text}` is not a day"))
        });
        let start = match (start, weekday) {
            (Some(start), Some(weekday)) if start.weekday() != weekday => {
                let span = fields.node("start").map_or(fields.head(), |node| node.span);
                let message = format!("{start} is not the `weekday` on which turns begin");
                self.cx.error(span, Code::Conflict, message, "keep one of the two, or let them agree");
                start
            }
            (Some(start), _) => start,
            (None, weekday) => {
                let days = weekday.map_or(0, |w| i64::from(w.to_monday_zero_offset()));
                A_MONDAY.checked_add(days.days()).unwrap_or(A_MONDAY)
            }
        };
        let during = fields.text("during").and_then(|text| self.refer(Kind::Window, &text));
        if members.is_empty() {
            return None;
        }
        Some(Layer {
            members,
            days: days.unwrap_or(7),
            start,
            handover: handover.unwrap_or(HANDOVER),
            zone: zone.clone(),
            during: during.and_then(|name| windows.get(&name).cloned()),
        })
    }

    fn time_of_day(&self, text: &Text) -> Option<Time> {
        let minute = minute_of_day(text.value()).ok().filter(|m| *m < 24 * 60);
        let part = |n: u16| i8::try_from(n).ok();
        let time = minute.and_then(|m| Time::new(part(m / 60)?, part(m % 60)?, 0, 0).ok());
        if time.is_none() {
            let message = format!("`{}` is not a time of day", text.shown());
            self.cx.error(text.span, Code::BadValue, message, "write it as `09:00`");
        }
        time
    }

    fn weekday(&self, text: &Text) -> Option<Weekday> {
        let day = match Unit::Weekday.ranges(text.value()) {
            Ok(ranges) => ranges.first().filter(|(from, to)| from == to).and_then(|(day, _)| i8::try_from(*day).ok()),
            Err(_) => None,
        };
        let weekday = day.and_then(|day| Weekday::from_sunday_zero_offset(day).ok());
        if weekday.is_none() {
            let message = format!("`{}` is not a day of the week", text.shown());
            self.cx.error(text.span, Code::BadValue, message, "write `mon`, `tue` … or the whole word");
        }
        weekday
    }

    fn instead(&self, node: &'a Node, zone: &TimeZone) -> Option<Override> {
        let mut fields = Fields::of(self.cx, node)?;
        let when = self.span_of(&mut fields, zone);
        let hint = "name the receiver that is on call instead: `member: ann`";
        let member = fields.need_text("member", hint).and_then(|text| self.refer(Kind::Receiver, &text));
        fields.finish();
        Some(Override { when: when?, member: member? })
    }

    /// `start` and `end`.
    fn span_of(&self, fields: &mut Fields<'a>, zone: &TimeZone) -> Option<Occurrence> {
        let starts_at = self.moment(fields, "start", zone);
        let ends_at = self.moment(fields, "end", zone);
        for key in ["start", "end"] {
            if fields.own(key).is_none() {
                fields.missing(key, "write both ends: `start: 2026-12-24 18:00`, `end: 2026-12-27 09:00`");
            }
        }
        let (starts_at, ends_at) = (starts_at?, ends_at?);
        if ends_at <= starts_at {
            let span = fields.node("end").map_or(fields.head(), |node| node.span);
            self.cx.error(span, Code::OutOfRange, "`end` is not after `start`", "write a later moment");
            return None;
        }
        Some(Occurrence { starts_at, ends_at })
    }
}
