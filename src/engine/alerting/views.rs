//! Alerts, groups, silences and windows in the words of the API.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::alert::dispatch::{self, Alert, Dispatcher, MuteKind as Mute, Origin, Silencing};
use crate::alert::maintenance::{FOREVER, MaintenanceWindow, Occurrence, Schedule};
use crate::alert::matchers::Matchers;
use crate::alert::route::{GroupBy, Route};
use crate::alert::rule::{Fingerprint, MONITOR_DOWN, MONITOR_UNKNOWN};
use crate::alert::silence::{Silence, SilenceState as State};
use crate::alert::{files, impaired};
use crate::base::labels::Labels;
use crate::base::matcher::{MatchOp, Matcher};
use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::base::units::Exact;
use crate::config::model::Config;
use crate::wire::alerting::{
    Ack, MaintenanceRow, MuteKind, MutedBy, RouteMatch, RouteRow, RuleRow, SilenceRow, SilenceState,
};
use crate::wire::alertmanager::{
    AlertGroup, AlertState as AmState, AlertStatus, GettableAlert, GettableSilence, ReceiverName, SilenceMatcher,
    SilenceStatus,
};
use crate::wire::board::{AlertRow, AlertState};

/// A silence that held back nothing for so long, and matches nothing, is mentioned.
const IDLE: Duration = Duration::from_secs(7 * 86_400);

/// An acknowledgement.
pub(crate) fn ack(ack: &crate::alert::ack::Ack) -> Ack {
    Ack { by: ack.by.clone(), at: ack.at, comment: ack.comment.clone(), until: ack.until }
}

/// What mutes an alert.
pub(crate) fn muted(by: &dispatch::MutedBy) -> MutedBy {
    let kind = match by.kind {
        Mute::Dependency => MuteKind::Dependency,
        Mute::Inhibition => MuteKind::Inhibition,
        Mute::Time => MuteKind::Time,
        Mute::Maintenance => MuteKind::Maintenance,
        Mute::Silence => MuteKind::Silence,
    };
    MutedBy { kind, id: by.id.clone(), detail: by.detail.clone(), until: by.until }
}

/// An alert as the dispatcher knows it.
pub(crate) fn alert_row(alert: &Alert) -> AlertRow {
    let fires = alert.fires();
    AlertRow {
        fingerprint: alert.fingerprint().to_string(),
        name: alert.labels().get("alertname").unwrap_or("alert").to_owned(),
        monitor: alert.monitor().and_then(|m| MonitorName::new(m).ok()),
        severity: alert.severity(),
        state: if fires { AlertState::Firing } else { AlertState::Resolved },
        since: if fires { alert.fired_at() } else { alert.ends_at().unwrap_or(alert.changed_at()) },
        starts_at: alert.starts_at(),
        labels: alert.labels().clone(),
        annotations: alert.annotations().clone(),
        value: alert.value(),
        ack: alert.ack().filter(|_| fires).map(ack),
        muted: alert.muted().filter(|_| fires).map(muted),
        deliveries: Vec::new(),
    }
}

/// Each condition, so that it is understood when it comes back.
fn texts(matchers: &Matchers) -> Vec<String> {
    let text = |m: &Matcher| Matchers::new([m.clone()]).to_string();
    let bare = |text: String| text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(&text).to_owned();
    matchers.iter().map(text).map(bare).collect()
}

/// Where a silence stands.
pub(crate) const fn silence_state(state: State) -> SilenceState {
    match state {
        State::Pending => SilenceState::Pending,
        State::Active => SilenceState::Active,
        State::Expired => SilenceState::Expired,
    }
}

/// A silence as listed.
pub(crate) fn silence_row(dispatcher: &Dispatcher, silencing: &Silencing, now: Timestamp) -> SilenceRow {
    let s = silencing.silence();
    let matches = dispatcher.silence_matches(&s.id);
    let state = silence_state(s.state(now));
    let active = state == SilenceState::Active;
    let idle_since = silencing.last_muted().unwrap_or(s.starts_at).max(s.starts_at);
    let idle = active && matches == 0 && now.since(idle_since) >= IDLE;
    let notice = match () {
        () if idle && !s.matchers.iter().any(|m| m.name() == "alertname") => {
            Some("broad and idle: it matches nothing now and held back nothing in 7 days".to_owned())
        }
        () if idle => Some("idle: it matches nothing now and held back nothing in 7 days".to_owned()),
        () => None,
    };
    SilenceRow {
        id: s.id.clone(),
        state,
        matchers: texts(&s.matchers),
        starts_at: s.starts_at,
        ends_at: s.ends_at,
        until_resolved: s.until_resolved,
        created_by: s.created_by.clone(),
        comment: s.comment.clone(),
        updated_at: s.updated_at,
        matches,
        muted: silencing.muted(),
        last_muted: silencing.last_muted(),
        source: s.source.clone(),
        notice,
    }
}

/// A maintenance window in its running or next occurrence.
pub(crate) fn maintenance_row(dispatcher: &Dispatcher, window: &MaintenanceWindow, now: Timestamp) -> MaintenanceRow {
    occurrence_row(dispatcher, window, window.occurrences(now).next(), now)
}

/// Occurrences of all windows, soonest first.
pub(crate) fn upcoming_maintenance(dispatcher: &Dispatcher, now: Timestamp, limit: usize) -> Vec<MaintenanceRow> {
    let windows = &dispatcher.setup().policy.maintenance;
    let all = windows.iter().flat_map(|w| w.occurrences(now).take(limit).map(move |o| (o, w)));
    let mut all: Vec<(Occurrence, &MaintenanceWindow)> = all.collect();
    all.sort_by_key(|(o, _)| (o.starts_at, o.ends_at));
    all.truncate(limit);
    all.into_iter().map(|(o, w)| occurrence_row(dispatcher, w, Some(o), now)).collect()
}

fn occurrence_row(
    dispatcher: &Dispatcher,
    window: &MaintenanceWindow,
    occurrence: Option<Occurrence>,
    now: Timestamp,
) -> MaintenanceRow {
    let active = occurrence.is_some_and(|o| o.contains(now));
    let mut matchers = texts(&window.matchers);
    if !window.monitors.is_empty() {
        matchers.push(format!("monitor=~{:?}", window.monitors.join("|")));
    }
    let zone = |z: &jiff::tz::TimeZone| z.iana_name().unwrap_or("local time").to_owned();
    let schedule = match &window.schedule {
        Schedule::Once(o) => format!("once, for {}", Exact(o.ends_at.since(o.starts_at))),
        Schedule::Cron { text, duration, zone: z, .. } => format!("{text} for {}, {}", Exact(*duration), zone(z)),
        Schedule::Calendar(w) => format!("while the time window {} is open", w.name),
    };
    MaintenanceRow {
        name: window.name.clone(),
        matchers,
        active,
        starts_at: occurrence.map(|o| o.starts_at),
        ends_at: occurrence.map(|o| o.ends_at).filter(|end| *end < FOREVER),
        schedule,
        comment: window.comment.clone(),
        matches: dispatcher.alerts().filter(|a| a.fires() && window.covers(a.labels())).count(),
        source: window.source.clone(),
    }
}

/// A route with those below it.
pub(crate) fn route_row(route: &Route) -> RouteRow {
    RouteRow {
        id: route.id.clone(),
        receiver: route.receiver.clone(),
        matchers: texts(&route.matchers),
        group_by: match &route.group_by {
            GroupBy::All => vec!["...".to_owned()],
            GroupBy::Labels(names) => names.clone(),
        },
        group_wait: route.group_wait,
        group_interval: route.group_interval,
        repeat_interval: route.repeat_interval,
        r#continue: route.continues,
        source: route.source.clone(),
        routes: route.routes.iter().map(route_row).collect(),
    }
}

/// Where an alert with these labels goes.
pub(crate) fn route_matches(dispatcher: &Dispatcher, labels: &Labels) -> Vec<RouteMatch> {
    let setup = dispatcher.setup();
    let one = |route: &Route| RouteMatch {
        route: route.id.clone(),
        receiver: route.receiver.clone(),
        notifiers: setup.notifiers_of(&route.receiver).into_iter().map(str::to_owned).collect(),
        group_key: route.group_key(labels),
        source: route.source.clone(),
    };
    setup.policy.route.matching(labels).into_iter().map(one).collect()
}

/// An alert in Alertmanager's form.
pub(crate) fn gettable(dispatcher: &Dispatcher, alert: &Alert, now: Timestamp) -> GettableAlert {
    let by = dispatcher.mutes(alert);
    let id_if =
        |wanted: &[Mute]| by.iter().filter(|b| wanted.contains(&b.kind)).map(|b| b.id.clone()).collect::<Vec<_>>();
    let mut receivers: Vec<ReceiverName> =
        route_matches(dispatcher, alert.labels()).into_iter().map(|m| ReceiverName { name: m.receiver }).collect();
    receivers.sort();
    receivers.dedup();
    GettableAlert {
        annotations: alert.annotations().clone(),
        // A monitor's or a rule's alert has no such time: it is sent again for as long as it fires.
        ends_at: alert.ends_at().unwrap_or_else(|| now.plus(Duration::from_secs(300))),
        fingerprint: alert.fingerprint().to_string(),
        receivers,
        starts_at: alert.starts_at(),
        status: AlertStatus {
            state: if by.is_empty() { AmState::Active } else { AmState::Suppressed },
            silenced_by: id_if(&[Mute::Silence]),
            inhibited_by: id_if(&[Mute::Inhibition]),
            muted_by: id_if(&[Mute::Time, Mute::Maintenance, Mute::Dependency]),
        },
        updated_at: alert.changed_at(),
        generator_url: alert.generator_url().unwrap_or_default().to_owned(),
        labels: alert.labels().clone(),
    }
}

/// The groups in Alertmanager's form, by labels, then receiver.
pub(crate) fn groups(
    dispatcher: &Dispatcher,
    keep: impl Fn(&GettableAlert) -> bool,
    now: Timestamp,
) -> Vec<AlertGroup> {
    let mut out: BTreeMap<(String, String), AlertGroup> = BTreeMap::new();
    for group in dispatcher.groups() {
        let alerts = group.alerts().filter_map(|f| dispatcher.alert(f)).filter(|a| a.fires());
        let alerts: Vec<_> = alerts.map(|a| gettable(dispatcher, a, now)).filter(&keep).collect();
        if alerts.is_empty() {
            continue;
        }
        let receiver = group.route().receiver.clone();
        out.entry((group.labels().to_string(), receiver.clone()))
            .or_insert_with(|| AlertGroup {
                labels: group.labels().clone(),
                receiver: ReceiverName { name: receiver },
                alerts: Vec::new(),
            })
            .alerts
            .extend(alerts);
    }
    out.into_values().collect()
}

/// A silence in Alertmanager's form.
pub(crate) fn gettable_silence(silence: &Silence, now: Timestamp) -> GettableSilence {
    let matcher = |m: &Matcher| SilenceMatcher {
        name: m.name().to_owned(),
        value: m.value().to_owned(),
        is_regex: matches!(m.op(), MatchOp::Regex | MatchOp::NotRegex),
        is_equal: !m.op().negative(),
    };
    GettableSilence {
        id: silence.id.clone(),
        status: SilenceStatus { state: silence_state(silence.state(now)) },
        updated_at: silence.updated_at,
        comment: silence.comment.clone(),
        created_by: silence.created_by.clone(),
        ends_at: silence.ends_at,
        matchers: silence.matchers.iter().map(matcher).collect(),
        starts_at: silence.starts_at,
    }
}

/// The fingerprint that a text begins, when it begins exactly one of those that fire or were over lately.
pub(crate) fn find(dispatcher: &Dispatcher, text: &str) -> Result<Fingerprint, Unfound> {
    if let Some(exact) = Fingerprint::parse(text).filter(|f| dispatcher.alert(*f).is_some()) {
        return Ok(exact);
    }
    let named = |a: &&Alert| {
        let id = a.fingerprint().to_string();
        let name = a.labels().get("alertname").unwrap_or_default();
        (text.len() >= 4 && id.starts_with(text)) || name == text || a.monitor() == Some(text)
    };
    let mut found: Vec<&Alert> = dispatcher.alerts().filter(named).collect();
    if found.iter().any(|a| a.fires()) {
        found.retain(|a| a.fires());
    }
    // A monitor's name means its own alert, whatever rules say about it besides.
    if found.iter().any(|a| a.origin() == Origin::Monitor && a.monitor() == Some(text)) {
        found.retain(|a| a.origin() == Origin::Monitor);
        // That it is down says more than that it cannot be judged since.
        let is_down = |a: &&Alert| a.labels().get("alertname") == Some(MONITOR_DOWN);
        if found.iter().any(is_down) {
            found.retain(is_down);
        }
    }
    match found.as_slice() {
        [] => Err(Unfound::None),
        [one] => Ok(one.fingerprint()),
        many => {
            Err(Unfound::Many(many.iter().take(8).map(|a| format!("{} {}", a.fingerprint(), a.labels())).collect()))
        }
    }
}

/// What makes an alert fire, and where that stands. Who raised it decides, not its labels: another server's may have the
/// name of a rule, or of a monitor, that is here too.
pub(crate) fn condition(
    origin: Origin,
    row: &AlertRow,
    config: &Config,
    rule: impl FnOnce(&str) -> Option<RuleRow>,
    generator: Option<String>,
) -> (String, String) {
    let gone = |what: &str| (format!("its {what} is in no file any more"), String::new());
    match origin {
        Origin::Monitor => {
            let Some(monitor) = row.monitor.as_ref().and_then(|m| config.monitors.get(m)) else {
                return gone("monitor");
            };
            let text = match monitor.alert {
                None => "its file says `alert: false`".to_owned(),
                Some(policy) => {
                    let what = if row.name == MONITOR_UNKNOWN { "cannot be judged" } else { "fails" };
                    format!("{} {what} {} times in a row", monitor.name, policy.after)
                }
            };
            (text, monitor.source.clone())
        }
        Origin::Rule => rule(&row.name).map_or_else(|| gone("rule"), |rule| (rule.query, rule.source)),
        Origin::Own => (about_us(&row.labels).map(|us| us.condition).unwrap_or_default(), String::new()),
        Origin::Foreign => (generator.unwrap_or_else(|| "raised elsewhere".to_owned()), String::new()),
    }
}

/// What one of the alerts about ourselves is raised for.
pub(crate) struct AboutUs {
    /// What makes it fire.
    pub(crate) condition: String,
    /// How long that lasts before it fires.
    pub(crate) hold: Duration,
}

/// `None` of alerts that are not about ourselves.
pub(crate) fn about_us(labels: &Labels) -> Option<AboutUs> {
    let (what, hold) = match labels.get("alertname")? {
        files::CONFIG_INVALID => ("the configuration files have errors".to_owned(), files::HOLD),
        impaired::SELF_IMPAIRED => {
            let class = labels.get(impaired::CLASS).unwrap_or_default();
            (format!("this machine is in the way of monitors: {class}"), impaired::HOLD)
        }
        _ => return None,
    };
    Some(AboutUs { condition: format!("{what}, for {}", Exact(hold)), hold })
}

/// Why no single alert is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfound {
    /// None begins so.
    None,
    /// These do.
    Many(Vec<String>),
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::dispatch::{AlertUpdate, Event, Setup};
    use crate::base::message::Severity;
    use crate::config::model::Monitor;
    use crate::wire::api::AlertPolicy;

    /// What is said of an alert with these labels that comes from there, with the monitor `web` and the rule `Slow`.
    fn said(origin: Origin, labels: &Labels, generator: Option<&str>) -> [String; 2] {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let mut dispatcher = Dispatcher::new(Arc::new(Setup::default()), now);
        let update = AlertUpdate {
            fingerprint: Fingerprint(labels.fingerprint()),
            origin,
            labels: labels.clone(),
            annotations: Labels::default(),
            starts_at: now,
            fired_at: now,
            ends_at: None,
            value: None,
            generator_url: generator.map(str::to_owned),
        };
        dispatcher.step(now, Event::Alerts(vec![update]));
        let alert = dispatcher.alerts().next().unwrap();
        let policy = AlertPolicy { after: 2, clear_after: 1, severity: Severity::Critical };
        let web = Monitor { source: "monitors.d/a.yaml:2:5".to_owned(), ..Monitor::sample("web") };
        let web = Monitor { alert: Some(policy), ..web };
        let config = Config { monitors: [(web.name.clone(), Arc::new(web))].into(), ..Config::default() };
        let rule = |name: &str| {
            let row = serde_json::json!({
                "kind": "alert", "name": "Slow", "group": "g", "source": "rules.d/a.yaml:2:5", "query": "x > 1",
                "state": "firing", "health": "ok", "interval": 15.0, "hold": 60.0, "series": 1, "firings": 0,
                "missed": 0, "never_matched": false,
            });
            (name == "Slow").then(|| serde_json::from_value(row).unwrap())
        };
        let generator = alert.generator_url().map(str::to_owned);
        condition(alert.origin(), &alert_row(alert), &config, rule, generator).into()
    }

    #[test]
    fn who_raised_an_alert_decides_what_makes_it_fire_whatever_its_labels_say() {
        let of = |name, monitor| Labels::new([("alertname", name), ("monitor", monitor)]);
        let us = impaired::words("local_route", "").labels;
        let (monitors, rules) = ("monitors.d/a.yaml:2:5", "rules.d/a.yaml:2:5");
        for (origin, labels, want) in [
            (Origin::Monitor, of(MONITOR_DOWN, "web"), ["web fails 2 times in a row", monitors]),
            (Origin::Monitor, of(MONITOR_UNKNOWN, "web"), ["web cannot be judged 2 times in a row", monitors]),
            (Origin::Monitor, of(MONITOR_DOWN, "shop"), ["its monitor is in no file any more", ""]),
            (Origin::Rule, of("Slow", "web"), ["x > 1", rules]),
            // A rule may be called so.
            (Origin::Rule, of(MONITOR_DOWN, "web"), ["its rule is in no file any more", ""]),
            (Origin::Own, us.clone(), ["this machine is in the way of monitors: local_route, for 30s", ""]),
        ] {
            assert_eq!(said(origin, &labels, None), want, "{labels}");
        }
        for labels in [of(MONITOR_DOWN, "web"), of(MONITOR_UNKNOWN, "web"), of("Slow", "web"), us] {
            let berlin = "http://berlin:8080/";
            assert_eq!(said(Origin::Foreign, &labels, Some(berlin)), [berlin, ""], "{labels}");
            assert_eq!(said(Origin::Foreign, &labels, None), ["raised elsewhere", ""], "{labels}");
        }
    }
}
