//! Plays one scenario: a dispatcher, its stored rows, and a clock that is a number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use watchdog::alert::ack::Ack;
use watchdog::alert::dispatch::{
    AlertUpdate, Change, Digest, Dispatcher, Effects, Event, NotifierPolicy, Origin, Record, RecordKey, Setup,
};
use watchdog::alert::matchers::Matchers;
use watchdog::alert::rule::Fingerprint;
use watchdog::alert::silence::Silence;
use watchdog::base::labels::Labels;
use watchdog::base::message::Status;
use watchdog::base::notification::{Notification, NotifiedAlert, Reason};
use watchdog::base::time::Timestamp;
use watchdog::base::units::parse_duration;
use watchdog::config::model::Config;

use super::{Scenario, lines};
use crate::config::fake::{Kinds, OneToken, Site};

/// The policy of a directory with these files, as the engine makes it.
pub fn setup_of(policy: &str, monitors: &str) -> Setup {
    let site = Site::new();
    let hook = "notifiers:\n  - {name: ops, type: webhook, url: 'http://127.0.0.1/'}\n";
    let main = if policy.contains("notifiers:") { policy.to_owned() } else { format!("{hook}{policy}") };
    site.write("watchdog.yaml", main);
    if !monitors.is_empty() {
        site.write("monitors.d/all.yaml", monitors);
    }
    let loaded = watchdog::config::load(site.dir(), &Kinds, &OneToken(""), None);
    assert_eq!(loaded.errors(), 0, "{policy}\n{:#?}", loaded.problems);
    setup(&loaded.config)
}

fn setup(config: &Config) -> Setup {
    let notifiers = config.receivers.iter().map(|r| {
        let digest = match r.limits.digest_above {
            None => Some(Digest::default()),
            Some(0) => None,
            Some(above) => Some(Digest { above, ..Digest::default() }),
        };
        let policy = NotifierPolicy { send_resolved: r.send_resolved, fallback: r.limits.fallback.clone(), digest };
        (r.name.clone(), policy)
    });
    let depends = |m: &watchdog::config::model::Monitor| m.depends_on.iter().map(|n| n.as_str().to_owned()).collect();
    Setup {
        policy: (*config.alerting).clone(),
        notifiers: notifiers.collect(),
        depends_on: config.monitors.iter().map(|(name, m)| (name.as_str().to_owned(), depends(m))).collect(),
        ..Setup::default()
    }
}

/// One run.
pub struct Play<'a> {
    scenario: &'a Scenario,
    start: Timestamp,
    now: Timestamp,
    setup: Arc<Setup>,
    dispatcher: Option<Dispatcher>,
    rows: BTreeMap<RecordKey, Record>,
    said: Vec<(Timestamp, Notification)>,
    /// Episodes' starts, so that `resolve` tells of the same one.
    fired: BTreeMap<Fingerprint, Timestamp>,
    /// By how much the shown clock is ahead of elapsed time.
    skew: i64,
}

impl<'a> Play<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        let start = scenario
            .start
            .as_deref()
            .map_or(Timestamp::from_millis(1_767_225_600_000), |s| Timestamp::parse(s).unwrap());
        let setup = Arc::new(setup_of(&scenario.policy, &scenario.monitors));
        let dispatcher = Some(Dispatcher::new(Arc::clone(&setup), start));
        let (rows, fired) = (BTreeMap::new(), BTreeMap::new());
        Self { scenario, start, now: start, setup, dispatcher, rows, said: Vec::new(), fired, skew: 0 }
    }

    /// Plays all lines and says what was said.
    pub fn run(mut self) -> Vec<String> {
        for line in lines(&self.scenario.input) {
            let (at, rest) = line.split_once(' ').unwrap_or((&line, "end"));
            let at = self.start.plus(parse_duration(at).unwrap());
            assert!(at >= self.now, "time runs backwards: {line}");
            self.run_until(at);
            self.happens(rest);
        }
        self.said.iter().map(|(at, n)| self.told(*at, n)).collect()
    }

    fn shown(&self) -> Timestamp {
        Timestamp::from_millis(self.now.millis() + self.skew)
    }

    fn step(&mut self, event: Event) {
        let shown = self.shown();
        let Some(dispatcher) = &mut self.dispatcher else { return };
        let fx = dispatcher.step(shown, event);
        self.commit(fx);
    }

    fn commit(&mut self, fx: Effects) {
        for change in fx.changes {
            let key = change.key();
            match change {
                Change::Put(record) => {
                    // What is stored is text.
                    let text = serde_json::to_string(&record).unwrap();
                    self.rows.insert(key, serde_json::from_str(&text).unwrap());
                }
                Change::Delete(_) => {
                    self.rows.remove(&key);
                }
            }
        }
        let mut notifications = fx.notifications;
        notifications.sort_by(|a, b| a.notifier.cmp(&b.notifier));
        for n in notifications {
            assert!(self.said.iter().all(|(_, old)| old.key != n.key), "key used twice: {}", n.key);
            assert!(n.key.len() <= 100 && n.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            assert!(n.thread.len() <= 100 && n.thread.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            self.said.push((self.now, n));
        }
    }

    /// Ticks whenever the dispatcher wants to, until just before `at`.
    fn run_until(&mut self, at: Timestamp) {
        while let Some(due) = self.dispatcher.as_ref().and_then(Dispatcher::next_due) {
            let due = Timestamp::from_millis(due.millis() - self.skew).max(self.now);
            if due >= at {
                break;
            }
            self.now = due;
            self.step(Event::Tick);
        }
        self.now = at;
    }

    fn happens(&mut self, what: &str) {
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        match verb {
            "fire" => {
                let update = self.alert(rest, true);
                self.step(Event::Alerts(vec![update]));
            }
            "resolve" => {
                let update = self.alert(rest, false);
                self.step(Event::Alerts(vec![update]));
            }
            "fire-all" | "resolve-all" => {
                let (from, to, pattern) = range(rest);
                let fires = verb == "fire-all";
                let all = (from..to).map(|i| self.alert(&pattern.replace('$', &i.to_string()), fires)).collect();
                self.step(Event::Alerts(all));
            }
            "flap" => self.flap(rest),
            "silence" => {
                let silence = self.silence(rest);
                self.step(Event::SilenceSet(silence));
            }
            "expire" => self.step(Event::SilenceExpired(rest.to_owned())),
            "ack" => {
                let (alert, by) = rest.rsplit_once(" by ").unwrap();
                let (by, until) = match by.split_once(" for ") {
                    Some((by, length)) => (by, Some(self.shown().plus(parse_duration(length).unwrap()))),
                    None => (by, None),
                };
                let ack = Ack { by: by.to_owned(), at: self.shown(), comment: String::new(), until };
                self.step(Event::Acknowledged(fingerprint(alert), ack));
            }
            "unack" => self.step(Event::Unacknowledged(fingerprint(rest))),
            "down" | "up" => self.step(Event::Monitors(vec![(rest.to_owned(), verb == "down")])),
            "reload" => {
                let policy = self.scenario.policies.get(rest).unwrap();
                self.setup = Arc::new(setup_of(policy, &self.scenario.monitors));
                self.step(Event::Reloaded(Arc::clone(&self.setup)));
            }
            "restart" => {
                self.dispatcher = None;
                self.start();
            }
            "stop" => self.dispatcher = None,
            "start" => self.start(),
            "refused" => {
                let last = self.said.iter().rev().find(|(_, n)| n.notifier == rest).unwrap();
                let refused = Arc::new(last.1.clone());
                self.step(Event::GivenUp(refused));
            }
            "clock" => {
                let (sign, length) = rest.split_at(1);
                let by = i64::try_from(parse_duration(length).unwrap().as_millis()).unwrap();
                let by = if sign == "-" { -by } else { by };
                self.skew += by;
                self.step(Event::ClockJumped(by));
            }
            "end" => self.step(Event::Tick),
            other => panic!("nobody knows what `{other}` means"),
        }
    }

    fn start(&mut self) {
        let rows = self.rows.values().cloned().collect();
        self.dispatcher = Some(Dispatcher::restore(rows, Arc::clone(&self.setup), self.shown()));
        self.step(Event::Tick);
    }

    fn alert(&mut self, text: &str, fires: bool) -> AlertUpdate {
        let (text, until) = match text.split_once(" until ") {
            Some((text, end)) => (text, Some(self.start.plus(parse_duration(end).unwrap()))),
            None => (text, None),
        };
        let (text, since) = match text.split_once(" since -") {
            Some((text, ago)) => (text, self.shown().minus(parse_duration(ago).unwrap())),
            None => (text, self.shown()),
        };
        let labels = labels(text);
        let fingerprint = Fingerprint(labels.fingerprint());
        let starts_at = if fires { *self.fired.entry(fingerprint).or_insert(since) } else { since };
        if !fires {
            self.fired.remove(&fingerprint);
        }
        let monitor = labels.get("alertname") == Some("MonitorDown");
        AlertUpdate {
            fingerprint,
            origin: if monitor { Origin::Monitor } else { Origin::Foreign },
            labels,
            annotations: Labels::default(),
            starts_at,
            fired_at: since,
            ends_at: if fires { until } else { Some(self.shown()) },
            value: None,
            generator_url: None,
        }
    }

    /// `A every 1s for 1h`: fires and resolves in turn.
    fn flap(&mut self, text: &str) {
        let (alert, times) = text.split_once(" every ").unwrap();
        let (every, length) = times.split_once(" for ").unwrap();
        let (every, end) = (parse_duration(every).unwrap(), self.now.plus(parse_duration(length).unwrap()));
        let mut fires = true;
        while self.now < end {
            let update = self.alert(alert, fires);
            self.step(Event::Alerts(vec![update]));
            fires = !fires;
            self.run_until(self.now.plus(every));
        }
    }

    /// `id {a="b"} for 1h`, perhaps `until-resolved`, perhaps `after 5m`.
    fn silence(&self, text: &str) -> Silence {
        let (text, until_resolved) = match text.strip_suffix(" until-resolved") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (text, after) = match text.split_once(" after ") {
            Some((text, after)) => (text, parse_duration(after).unwrap()),
            None => (text, Duration::ZERO),
        };
        let (id, rest) = text.split_once(' ').unwrap();
        let (matchers, length) = rest.rsplit_once(" for ").unwrap();
        let starts_at = self.shown().plus(after);
        Silence {
            id: id.to_owned(),
            matchers: Matchers::parse(matchers).unwrap(),
            starts_at,
            ends_at: starts_at.plus(parse_duration(length).unwrap()),
            updated_at: self.shown(),
            created_by: "wu".to_owned(),
            comment: "quiet".to_owned(),
            until_resolved,
            source: None,
        }
    }

    fn told(&self, at: Timestamp, n: &Notification) -> String {
        let mut out = format!("{} {} {}", elapsed(at.since(self.start)), n.notifier, reason(n.reason));
        if matches!(n.reason, Reason::Digest(_)) {
            let counts = [("+", n.firing().count()), ("-", n.resolved().count())];
            let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(sign, count)| format!(" {sign}{count}"));
            out.extend(counts);
        }
        for alert in n.alerts.iter().filter(|_| !matches!(n.reason, Reason::Digest(_))) {
            out.push(' ');
            out.push(if alert.status == Status::Firing { '+' } else { '-' });
            out.push_str(&named(alert));
        }
        if n.omitted > 0 {
            out.push_str(&format!(" and {} more", n.omitted));
        }
        out
    }
}

fn named(alert: &NotifiedAlert) -> String {
    let rest = alert.labels.filtered(|n| n != "alertname").to_string().replace(", ", ",");
    let rest = if rest == "{}" { "" } else { &rest };
    format!("{}{rest}", alert.labels.get("alertname").unwrap_or_default())
}

fn reason(reason: Reason) -> String {
    match reason {
        Reason::FirstTime => "first".to_owned(),
        Reason::GroupChanged => "changed".to_owned(),
        Reason::Resolved => "resolved".to_owned(),
        Reason::RepeatDue => "repeat".to_owned(),
        Reason::Escalated(step) => format!("escalated-{step}"),
        Reason::Digest(groups) => format!("digest-of-{groups}"),
        Reason::Reminder => "reminder".to_owned(),
        Reason::Test | Reason::Drill => "test".to_owned(),
    }
}

/// `A{a="b"}`, a matcher's notation.
pub fn labels(text: &str) -> Labels {
    let (name, rest) = text.find('{').map_or((text, "{}"), |i| text.split_at(i));
    let matchers = Matchers::parse(rest).unwrap();
    let pairs = matchers.iter().map(|m| (m.name().to_owned(), m.value().to_owned()));
    Labels::new(pairs.chain([("alertname".to_owned(), name.trim().to_owned())]))
}

fn fingerprint(text: &str) -> Fingerprint {
    Fingerprint(labels(text.trim()).fingerprint())
}

/// `0..100 A{n="$"}`
fn range(text: &str) -> (usize, usize, &str) {
    let (range, pattern) = text.split_once(' ').unwrap();
    let (from, to) = range.split_once("..").unwrap();
    (from.parse().unwrap(), to.parse().unwrap(), pattern)
}

/// `1d2h`, `5m0.5s`: days, hours, minutes, seconds.
fn elapsed(d: Duration) -> String {
    let ms = d.as_millis();
    let mut out = String::new();
    let mut rest = ms;
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= size {
            out.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}
