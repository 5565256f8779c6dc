//! Why an alert is told, or not: the dispatcher's steps of the trace that `watchdog why` prints.

use crate::alert::dispatch::Dispatcher;
use crate::alert::dispatch::event::{AlertUpdate, MuteKind, MutedBy, Origin};
use crate::alert::dispatch::mute::said_by;
use crate::alert::dispatch::state::{Alert, Group};
use crate::alert::route::Route;
use crate::alert::rule::Fingerprint;
use crate::base::labels::Labels;

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lets the alert through.
    Pass,
    /// It is under way.
    Waiting,
    /// It stops the alert.
    Stop,
    /// It plays no part.
    Skipped,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// `state`, `dependency`, `inhibition`, `window`, `silence`, `route`, `group`, `decision`.
    pub name: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// One sentence. Untrusted.
    pub text: String,
    /// Further facts, in order. Untrusted.
    pub facts: Vec<(String, String)>,
    /// `watchdog.yaml:12:5`.
    pub source: Option<String>,
}

/// The steps in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Each of the eight at least once; `route`, `group` and `decision` once per route.
    pub steps: Vec<Explained>,
}

impl Explanation {
    /// The first step that stops the alert.
    pub fn stops_at(&self) -> Option<usize> {
        self.steps.iter().position(|s| s.verdict == Verdict::Stop)
    }
}

impl Explained {
    fn new(name: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { name, verdict, text: text.into(), facts: Vec::new(), source: None }
    }

    fn fact(mut self, name: impl Into<String>, value: impl std::fmt::Display) -> Self {
        self.facts.push((name.into(), value.to_string()));
        self
    }

    fn from(self, source: Option<&str>) -> Self {
        Self { source: source.filter(|s| !s.is_empty()).map(str::to_owned), ..self }
    }
}

impl Dispatcher {
    /// Explains an alert; `None` when there is none of that fingerprint.
    pub fn explain(&self, fingerprint: Fingerprint) -> Option<Explanation> {
        Some(self.trace(self.alerts.get(&fingerprint)?, true))
    }

    /// Explains what would become of an alert with these labels, whether or not it fires.
    pub fn explain_labels(&self, labels: &Labels) -> Explanation {
        if let Some(alert) = self.alerts.values().find(|a| a.labels == *labels) {
            return self.trace(alert, true);
        }
        let update = AlertUpdate {
            fingerprint: Fingerprint(labels.fingerprint()),
            origin: Origin::Foreign,
            labels: labels.clone(),
            annotations: Labels::default(),
            starts_at: self.now,
            fired_at: self.now,
            ends_at: None,
            value: None,
            generator_url: None,
        };
        let mut alert = Alert::new(&update, self.now);
        let matching = self.silences.values().filter(|s| s.silence.matchers.matches(labels));
        alert.silences = matching.map(|s| s.silence.id.clone()).collect();
        self.trace(&alert, false)
    }

    fn trace(&self, alert: &Alert, known: bool) -> Explanation {
        let mut steps = vec![self.state_step(alert, known)];
        let dependency = self.dependency(alert);
        let free = match self.dependent(alert).and_then(|m| self.setup.depends_on.get(m)) {
            Some(on) => format!("nothing that it depends on is down: {}", on.join(", ")),
            None => "it depends on nothing".to_owned(),
        };
        steps.push(mute_step("dependency", dependency.as_ref(), &free));
        let rules = self.setup.policy.inhibit.len();
        let free = format!("none of {rules} rules inhibits it");
        steps.push(mute_step("inhibition", self.inhibition(alert).as_ref(), &free));
        let all = self.setup.policy.maintenance.len();
        let free = format!("none of {all} maintenance windows is open for it");
        steps.push(mute_step("window", self.maintenance(alert).as_ref(), &free));
        steps.push(self.silence_step(alert));
        for route in self.setup.policy.route.matching(&alert.labels) {
            self.route_steps(alert, route, known, &mut steps);
        }
        Explanation { steps }
    }

    fn state_step(&self, alert: &Alert, known: bool) -> Explained {
        let new = |verdict, text: &str| Explained::new("state", verdict, text);
        let step = match (known, alert.fires()) {
            (false, _) => return new(Verdict::Stop, "no alert with these labels fires"),
            (true, false) => new(Verdict::Stop, "it is over").fact("ended", alert.ends_at.unwrap_or(alert.changed_at)),
            (true, true) if alert.flap.holds() => {
                let step = new(Verdict::Pass, "it keeps changing and is held as firing until it is quiet");
                let until = alert.flap.quiet_at(&self.setup.policy.flap);
                step.fact("changes", alert.flap.count()).fact("until", until.unwrap_or(self.now))
            }
            (true, true) => new(Verdict::Pass, "it fires"),
        };
        let step = step.fact("starts_at", alert.starts_at).fact("episode", alert.episode);
        match &alert.ack {
            Some(ack) if ack.stands(self.now) => step.fact("acknowledged", said_by(&ack.by, &ack.comment)),
            Some(_) | None => step,
        }
    }

    fn silence_step(&self, alert: &Alert) -> Explained {
        let matching = alert.silences.len();
        let text = match matching {
            0 => format!("none of {} silences matches it", self.silences.len()),
            n => format!("{n} silences match it, none of them is active"),
        };
        let by = self.silencing(alert);
        let step = mute_step("silence", by.as_ref(), &text);
        match by.and_then(|by| self.silences.get(&by.id)) {
            Some(s) => step.fact("matchers", &s.silence.matchers).fact("held_back", s.muted),
            None => step,
        }
    }

    fn route_steps(&self, alert: &Alert, route: &Route, known: bool, steps: &mut Vec<Explained>) {
        let notifiers = self.setup.notifiers_of(&route.receiver);
        let found = if notifiers.is_empty() { Verdict::Stop } else { Verdict::Pass };
        let text = format!("{} leads to {}", route.id, route.receiver);
        let step = Explained::new("route", found, text).fact("notifiers", notifiers.join(", "));
        steps.push(step.from(Some(&route.source)));
        let by_time = self.route_mute(route);
        if let Some(by) = &by_time {
            steps.push(mute_step("window", Some(by), ""));
        }
        let labels = route.group_labels(&alert.labels);
        let group = self.by_key.get(&(route.id.clone(), labels)).and_then(|id| self.groups.get(id));
        let Some(group) = group.filter(|_| known) else {
            let text = format!("it would join {}", route.group_key(&alert.labels));
            steps.push(Explained::new("group", Verdict::Skipped, text));
            steps.push(Explained::new("decision", Verdict::Skipped, "there is nothing to decide"));
            return;
        };
        steps.push(group_step(group));
        for notifier in &notifiers {
            steps.push(self.decision_step(alert, group, notifier, by_time.as_ref()));
        }
    }

    fn decision_step(&self, alert: &Alert, group: &Group, notifier: &str, by_time: Option<&MutedBy>) -> Explained {
        let new = |verdict, text: String| Explained::new("decision", verdict, text).fact("notifier", notifier);
        let told = alert.told.get(notifier);
        if let Some(by) = self.mute_in(alert, by_time) {
            return new(Verdict::Stop, format!("{notifier} hears nothing: muted by {by}"));
        }
        let step = match (told, alert.fires()) {
            (None, false) => return new(Verdict::Pass, format!("{notifier} has nothing more to hear")),
            (None, true) => {
                return new(Verdict::Waiting, format!("{notifier} is told at the group's next flush"))
                    .fact("at", group.due);
            }
            (Some(told), false) => new(Verdict::Waiting, format!("{notifier} hears of the end at the next flush"))
                .fact("told", told.at)
                .fact("at", group.due),
            (Some(told), true) if told.refused => {
                new(Verdict::Stop, format!("{notifier} refused the message")).fact("key", &told.key)
            }
            (Some(told), true) => {
                new(Verdict::Pass, format!("{notifier} was told")).fact("told", told.at).fact("key", &told.key)
            }
        };
        let last = group.told.get(notifier).map(|t| t.at.plus(group.route.repeat_interval));
        let step = match last {
            Some(at) if alert.fires() && !alert.acknowledged(self.now) => step.fact("repeat_after", at),
            Some(_) | None => step,
        };
        match self.next_step(alert) {
            Some((at, n, to)) => step.fact("escalates", format!("step {n} to {to} at {at}")),
            None => step,
        }
    }
}

fn mute_step(name: &'static str, by: Option<&MutedBy>, free: &str) -> Explained {
    let Some(by) = by else { return Explained::new(name, Verdict::Pass, free) };
    let step = Explained::new(name, Verdict::Stop, format!("muted by {by}")).fact("id", &by.id);
    let step = match by.until {
        Some(until) => step.fact("until", until),
        None => step,
    };
    let what = if by.kind == MuteKind::Time { "the route's time interval" } else { name };
    step.fact("kind", what).from(by.source.as_deref())
}

fn group_step(group: &Group) -> Explained {
    let route = &group.route;
    let (verdict, text) = if group.flushed {
        (Verdict::Pass, format!("{} is told of changes every {:?}", group.key(), route.group_interval))
    } else {
        (Verdict::Waiting, format!("{} waits {:?} for more alerts", group.key(), route.group_wait))
    };
    let step = Explained::new("group", verdict, text).fact("alerts", group.alerts.len());
    step.fact("next_flush", group.due).from(Some(&route.source))
}
