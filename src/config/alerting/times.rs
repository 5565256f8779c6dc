//! `time_windows:`, and the moments and zones that other parts need.

use jiff::tz::TimeZone;

use crate::alert::window::{BadRange, TimeInterval, TimeWindow, Unit, minute_of_day, time_range};
use crate::base::time::Timestamp;
use crate::config::alerting::{Kind, Reader, list};
use crate::config::cx::Text;
use crate::config::fields::Fields;
use crate::config::general::zone;
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// The keys that say when an interval is.
const CONDITIONS: [&str; 5] = ["times", "weekdays", "days_of_month", "months", "years"];

impl<'a> Reader<'a> {
    /// One item of `time_windows:`: conditions of its own, or Alertmanager's list of them.
    pub(super) fn window(&self, node: &'a Node) -> Option<TimeWindow> {
        let before = self.cx.error_count();
        let mut fields = Fields::of(self.cx, node)?;
        let name = self.name(&mut fields, Kind::Window);
        let intervals = self.intervals(&mut fields);
        fields.finish();
        let sound = self.cx.error_count() == before;
        let name = name.filter(|_| sound)?;
        Some(TimeWindow { name, intervals, source: self.place(node) })
    }

    /// The intervals of a window whose name, if it has one, is read.
    pub(super) fn intervals(&self, fields: &mut Fields<'a>) -> Vec<TimeInterval> {
        let zone = self.zone(fields);
        if fields.unclaimed().any(|e| e.key == "time_intervals") {
            let items = list(fields, &["time_intervals"]);
            let beside = fields.unclaimed().find(|e| CONDITIONS.contains(&e.key.as_str()));
            if let Some(entry) = beside {
                let message = format!("`{}` stands beside `time_intervals`", entry.key);
                let hint = "put it into an item of the list";
                self.cx.error(entry.key_span, Code::Conflict, message, hint);
                for key in CONDITIONS {
                    fields.own(key);
                }
            }
            let inner = items.into_iter().filter_map(|item| {
                let mut fields = Fields::of(self.cx, item)?;
                let own = self.zone(&mut fields).or_else(|| zone.clone());
                let interval = self.interval(&mut fields, own);
                fields.finish();
                Some(interval)
            });
            return inner.collect();
        }
        let interval = self.interval(fields, zone);
        vec![interval]
    }

    fn interval(&self, fields: &mut Fields<'a>, zone: Option<TimeZone>) -> TimeInterval {
        let interval = TimeInterval {
            times: self.day_times(fields),
            weekdays: self.ranges(fields, "weekdays", Unit::Weekday),
            days_of_month: self.ranges(fields, "days_of_month", Unit::DayOfMonth),
            months: self.ranges(fields, "months", Unit::Month),
            years: self.ranges(fields, "years", Unit::Year),
            zone: zone.unwrap_or(TimeZone::UTC),
        };
        if CONDITIONS.iter().all(|key| fields.own(key).is_none()) {
            let hint = "write `times`, `weekdays`, `days_of_month`, `months` or `years`";
            self.cx.warn(fields.head(), Code::Suspicious, "without conditions this is always", hint);
        }
        interval
    }

    /// `timezone:`, or Alertmanager's `location:`.
    pub(super) fn zone(&self, fields: &mut Fields<'a>) -> Option<TimeZone> {
        let own = fields.node("timezone");
        let location = fields.node("location");
        zone(self.cx, own.or(location)?)
    }

    fn ranges(&self, fields: &mut Fields<'a>, key: &'static str, unit: Unit) -> Vec<(i16, i16)> {
        let texts = fields.texts(key);
        let read = texts.iter().map(|text| unit.ranges(text.value()).unwrap_or_else(|bad| self.bad_range(text, &bad)));
        read.flatten().collect()
    }

    fn bad_range(&self, text: &Text, bad: &BadRange) -> Vec<(i16, i16)> {
        let hint = match bad {
            BadRange::Time(_) => "write a time of day from `00:00` to `24:00`, or a range: `22:00-24:00`",
            BadRange::Weekday(_) => "write days such as `mon-fri`, `monday:friday` or `sat`",
            BadRange::Day(_) => "write days from 1 to 31, or from -1 backwards from the month's end: `1:5`, `-3:-1`",
            BadRange::Month(_) => "write months such as `jan-mar`, `january:march` or `12`",
            BadRange::Year(_) => "write years such as `2026` or `2026:2028`",
            BadRange::Backwards(_) if text.value().matches(':').count() > 1 => {
                "over midnight write two: `22:00-24:00` and `00:00-06:00`"
            }
            BadRange::Backwards(_) => "write the earlier one first; over the end write two ranges",
            BadRange::Mixed(_) => "count both from the beginning or both from the end: `-3:-1`",
        };
        let message = match text.is_reference() {
            true => format!("the value of `{}` is not understood", text.shown()),
            false => bad.to_string(),
        };
        self.cx.error(text.span, Code::BadValue, message, hint);
        Vec::new()
    }

    /// `times:`, as `22:00-24:00` or with `start_time` and `end_time`.
    fn day_times(&self, fields: &mut Fields<'a>) -> Vec<(u16, u16)> {
        let mut times = Vec::new();
        for node in fields.items("times") {
            if let Value::Map(_) = node.value {
                let Some(mut inner) = Fields::of(self.cx, node) else { continue };
                let hint = "write both: `{start_time: \"09:00\", end_time: \"17:00\"}`";
                let start = inner.need_text("start_time", hint);
                let end = inner.need_text("end_time", hint);
                let minute =
                    |text: &Text| minute_of_day(text.value()).map_err(|bad| drop(self.bad_range(text, &bad))).ok();
                let range = start.as_ref().and_then(minute).zip(end.as_ref().and_then(minute));
                match (range, end) {
                    (Some((from, to)), Some(end)) if from >= to => {
                        let message = format!("`end_time` {} is not after `start_time`", end.shown());
                        let hint = "over midnight write two: one to `24:00` and one from `00:00`";
                        self.cx.error(end.span, Code::BadValue, message, hint);
                    }
                    (range, _) => times.extend(range),
                }
                inner.finish();
            } else if let Some(text) = self.cx.text(node) {
                match time_range(text.value()) {
                    Ok(range) => times.push(range),
                    Err(bad) => drop(self.bad_range(&text, &bad)),
                }
            }
        }
        times
    }

    /// A moment: RFC 3339, or date and time by the clock of `zone`.
    pub(super) fn moment(&self, fields: &mut Fields<'a>, key: &'static str, zone: &TimeZone) -> Option<Timestamp> {
        let hint = "write `2026-12-24T22:00:00Z`, or `2026-12-24 22:00` by the clock of `timezone`";
        fields.parse(key, hint, |text| {
            if let Ok(at) = Timestamp::parse(text) {
                return Ok(at);
            }
            let wall = text.parse::<jiff::civil::DateTime>();
            let at = wall.and_then(|wall| zone.to_timestamp(wall));
            at.map(|at| Timestamp::from_millis(at.as_millisecond())).map_err(|_| format!("`{text}` is not a moment"))
        })
    }
}
