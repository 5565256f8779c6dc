//! What every monitor has, whatever its kind: schedule, deadline, retries, labels, alert.
//!
//! The same keys may stand in a file's `defaults:`. A monitor's own key replaces the default one;
//! labels are laid over each other.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::base::labels::{Labels, is_label_name};
use crate::base::message::Severity;
use crate::base::name::MonitorName;
use crate::base::units::{self, Exact};
use crate::config::catalog::Probe;
use crate::config::cx::{Cx, Text};
use crate::config::fields::Fields;
use crate::config::model::{Monitor, Schedule};
use crate::config::report::Code;
use crate::config::slo::Slo;
use crate::config::yaml::{Node, Span, Value};
use crate::wire::api::AlertPolicy;

/// Shortest and longest distance between two runs.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));
/// Shortest and longest deadline of a probe.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(300));
/// How often a monitor runs that does not say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
/// Deadline of a probe that does not say, if its interval is not shorter.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before a retry that does not say.
const DEFAULT_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// When a monitor's alert fires that does not say.
const DEFAULT_ALERT: AlertPolicy = AlertPolicy { after: 3, clear_after: 2, severity: Severity::Critical };
/// From where a schedule is asked whether it ever comes: 1 January 2024.
const A_LEAP_YEAR: jiff::Timestamp = jiff::Timestamp::constant(1_704_067_200, 0);
/// Labels that Watchdog sets itself.
const RESERVED_LABELS: [&str; 5] = ["monitor", "type", "instance", "alertname", "severity"];
/// Largest count of `after` and `clear_after`.
const MAX_COUNT: i64 = 1_000;

/// The checked keys. `timeout` is settled once it is compared with the schedule.
#[derive(Debug)]
pub struct General {
    schedule: Schedule,
    timeout: Option<Duration>,
    retries: u32,
    retry_interval: Duration,
    labels: Labels,
    paused: bool,
    alert: Option<AlertPolicy>,
    /// The objective and where it stands; it is not the monitor's own business: rules follow from it.
    pub slo: Option<(Slo, Span)>,
}

impl General {
    /// Reads the keys, here or in a `defaults:` mapping. What does not stand is reported and left at
    /// its default, so that further mistakes show; `None` when there is no schedule at all.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let schedule = schedule(fields);
        let timeout = fields.duration("timeout", TIMEOUT.0..=TIMEOUT.1);
        let retries = fields.integer("retries", 0..=10).unwrap_or(0);
        let retry_interval = fields.duration("retry_interval", TIMEOUT.0..=TIMEOUT.1);
        Some(Self {
            timeout,
            retries: u32::try_from(retries).unwrap_or(0),
            retry_interval: retry_interval.unwrap_or(DEFAULT_RETRY_INTERVAL),
            labels: labels(fields),
            paused: paused(fields),
            alert: alert(fields),
            slo: Slo::read(fields),
            schedule: schedule?,
        })
    }

    /// Checks what concerns several keys of one monitor.
    pub fn settled(mut self, fields: &mut Fields<'_>) -> Option<Self> {
        match (&self.schedule, self.timeout) {
            (Schedule::Every(every), Some(timeout)) if timeout > *every => {
                let message = format!("`timeout` {} is longer than `interval` {}", Exact(timeout), Exact(*every));
                let hint =
                    format!("runs never overlap: write at most `timeout: {}` or a longer interval", Exact(*every));
                let node = fields.own("timeout").or_else(|| fields.own("interval")).or_else(|| fields.node("timeout"));
                fields.error(node.map_or(fields.head(), |n| n.span), Code::OutOfRange, message, hint);
                return None;
            }
            (Schedule::Every(every), None) => self.timeout = Some(DEFAULT_TIMEOUT.min(*every)),
            (Schedule::Every(_), Some(_)) | (Schedule::Cron { .. }, _) => {}
        }
        if let (Schedule::Every(_), Some(node)) = (&self.schedule, fields.own("timezone")) {
            let message = "`timezone` has no effect without `schedule`";
            fields.cx().warn(node.span, Code::Suspicious, message, "take it out, or write a `schedule`");
        }
        Some(self)
    }

    /// Feeds everything that was read to a hash.
    pub fn digest(&self, hash: &mut impl Hasher) {
        match &self.schedule {
            Schedule::Every(every) => every.hash(hash),
            Schedule::Cron { text, zone, .. } => (text, zone.iana_name()).hash(hash),
        }
        (self.timeout, self.retries, self.retry_interval, &self.labels, self.paused).hash(hash);
        self.alert.map(|a| (a.after, a.clear_after, a.severity)).hash(hash);
    }

    /// The monitor.
    pub fn monitor(self, name: MonitorName, probe: Probe, source: String, hash: u64) -> Monitor {
        Monitor {
            name,
            probe,
            schedule: self.schedule,
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
            retries: self.retries,
            retry_interval: self.retry_interval,
            labels: self.labels,
            paused: self.paused,
            depends_on: Vec::new(),
            alert: self.alert,
            source,
            hash,
        }
    }
}

/// How long a probe of the monitor that is read may take, for kinds whose options must fit in. `None` on a command
/// line, which says it elsewhere, and for what does not stand, which is reported where it is read.
pub fn time_limit(fields: &mut Fields<'_>) -> Option<Duration> {
    fields.own("name")?;
    let read = |node: &Node| units::parse_duration(node.as_str()?).ok();
    let every = fields.node("interval").map_or(Some(DEFAULT_INTERVAL), read)?;
    match fields.node("timeout") {
        Some(node) => read(node),
        None => Some(DEFAULT_TIMEOUT.min(every)),
    }
}

fn schedule(fields: &mut Fields<'_>) -> Option<Schedule> {
    let cx = fields.cx();
    let zone = fields.node("timezone").map(|node| zone(cx, node));
    let (own_interval, own_schedule) = (fields.own("interval"), fields.own("schedule"));
    let (interval, schedule) = (fields.node("interval"), fields.node("schedule"));
    if let (Some(_), Some(node)) = (own_interval, own_schedule) {
        let hint = "keep `interval` for a fixed distance or `schedule` for times of day";
        cx.error(node.span, Code::Conflict, "`schedule` and `interval` exclude each other", hint);
    }
    let interval = interval.map(|_| fields.duration("interval", INTERVAL.0..=INTERVAL.1));
    // An own `interval` outweighs a default `schedule`, and the other way round.
    let Some(node) = schedule.filter(|_| own_schedule.is_some() || own_interval.is_none()) else {
        return interval.unwrap_or(Some(DEFAULT_INTERVAL)).map(Schedule::Every);
    };
    let text = cx.text(node)?;
    // With a zone that does not stand the expression is checked all the same.
    let cron = cron(cx, &text, zone.as_ref().and_then(Option::as_ref).unwrap_or(&jiff::tz::TimeZone::UTC))?;
    let zone = zone.unwrap_or(Some(jiff::tz::TimeZone::UTC))?;
    Some(Schedule::Cron { text: text.shown().to_owned(), cron: Box::new(cron), zone })
}

/// A cron expression of five fields that comes at some time by the clock of `zone`.
pub fn cron(cx: &Cx<'_>, text: &Text, zone: &jiff::tz::TimeZone) -> Option<croner::Cron> {
    let parser = croner::parser::CronParser::builder()
        .seconds(croner::parser::Seconds::Disallowed)
        .year(croner::parser::Year::Disallowed)
        .build();
    let Ok(cron) = parser.parse(text.value()) else {
        let message = format!("`{}` is not a cron expression", text.shown());
        let hint = "write five fields, minute hour day month weekday: `0 3 * * mon-fri`";
        cx.error(text.span, Code::BadValue, message, hint);
        return None;
    };
    if cron.find_next_occurrence(&A_LEAP_YEAR.to_zoned(zone.clone()), true).is_err() {
        let message = format!("`{}` names a day that never comes", text.shown());
        cx.error(text.span, Code::BadValue, message, "choose a day of the month that the month has");
        return None;
    }
    Some(cron)
}

/// A time zone by its IANA name.
pub fn zone(cx: &Cx<'_>, node: &Node) -> Option<jiff::tz::TimeZone> {
    let text = cx.text(node)?;
    let zone = jiff::tz::TimeZone::get(text.value()).ok();
    if zone.is_none() {
        let message = format!("`{}` is not a time zone", text.shown());
        cx.error(text.span, Code::BadValue, message, "write an IANA name such as `Europe/Berlin` or `UTC`");
    }
    zone
}

fn labels(fields: &mut Fields<'_>) -> Labels {
    let cx = fields.cx();
    let mut pairs = Vec::new();
    for node in [fields.fallback("labels"), fields.own("labels")].into_iter().flatten() {
        let Value::Map(entries) = &node.value else {
            let message = format!("`labels` takes `name: value` lines, not {}", node.kind_name());
            cx.error(node.mark(), Code::WrongType, message, "write `labels: {team: web}`");
            continue;
        };
        for entry in entries {
            if RESERVED_LABELS.contains(&entry.key.as_str()) {
                let message = format!("label `{}` is set by Watchdog itself", entry.key);
                cx.error(entry.key_span, Code::Conflict, message, "choose another name for it");
            } else if !is_label_name(&entry.key) {
                let message = format!("`{}` is not a label name", entry.key);
                let hint = "use letters, digits and `_`, not beginning with a digit or with `__`";
                cx.error(entry.key_span, Code::BadValue, message, hint);
            }
            if let Some(text) = cx.text(&entry.value) {
                pairs.push((entry.key.clone(), text.value().to_owned()));
            }
        }
    }
    Labels::new(pairs)
}

fn paused(fields: &mut Fields<'_>) -> bool {
    let own_paused = fields.own("paused");
    if let (Some(_), Some(node)) = (own_paused, fields.own("enabled")) {
        let hint = "keep one of them, or take both out";
        fields.error(node.span, Code::Conflict, "`enabled` and `paused` speak of the same thing", hint);
    }
    let paused = fields.bool("paused");
    let enabled = fields.bool("enabled");
    // What the monitor says itself outweighs the other word in `defaults:`.
    match (own_paused, enabled) {
        (None, Some(enabled)) if fields.own("enabled").is_some() || paused.is_none() => !enabled,
        _ => paused.unwrap_or(false),
    }
}

fn alert(fields: &mut Fields<'_>) -> Option<AlertPolicy> {
    let Some(node) = fields.node("alert") else { return Some(DEFAULT_ALERT) };
    if node.as_str().is_some() {
        return fields.bool("alert").unwrap_or(true).then_some(DEFAULT_ALERT);
    }
    let mut alert = fields.nested("alert")?;
    let count = |n: i64| u32::try_from(n).ok();
    let after = alert.integer("after", 1..=MAX_COUNT).and_then(count);
    let clear_after = alert.integer("clear_after", 1..=MAX_COUNT).and_then(count);
    let severity = alert.text("severity").and_then(|text| match text.value() {
        "info" => Some(Severity::Info),
        "warning" => Some(Severity::Warning),
        "critical" => Some(Severity::Critical),
        _ => {
            let message = format!("`{}` is not a severity", text.shown());
            alert.error(text.span, Code::BadValue, message, "write `info`, `warning` or `critical`");
            None
        }
    });
    alert.finish();
    Some(AlertPolicy {
        after: after.unwrap_or(DEFAULT_ALERT.after),
        clear_after: clear_after.unwrap_or(DEFAULT_ALERT.clear_after),
        severity: severity.unwrap_or(DEFAULT_ALERT.severity),
    })
}
