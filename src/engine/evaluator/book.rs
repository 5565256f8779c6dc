//! Where every monitor stands, and the alerts that its `alert:` block and the files raise: no I/O, no
//! clock, no waiting. Who is told of them is the dispatcher's to decide.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::alert::dispatch::{AlertUpdate, Origin};
use crate::alert::instance::{self, Instance, Phase, Transition};
use crate::alert::monitor::{self, MonitorStatus, StateChange};
use crate::alert::rule::{Fingerprint, MONITOR_DOWN, MONITOR_UNKNOWN, Over, Rule, Subject, Thresholds, Words};
use crate::alert::{files, impaired};
use crate::base::name::MonitorName;
use crate::base::outcome::Verdict;
use crate::base::term_safe::term_safe;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::config::model::{Config, Monitor};
use crate::engine::evaluator::above::{Above, Parent};
use crate::engine::evaluator::decisions::Decisions;
use crate::engine::evaluator::own::{Own, Trouble, is_own};
use crate::engine::evaluator::shown::Shown;
use crate::engine::evaluator::unknown::{Doubt, Unknown};
use crate::engine::evaluator::{BoardInput, Impaired, SlotResult};
use crate::engine::reload::Faults;
use crate::state::{Change, NewEvent};
use crate::wire::board::{AlertRow, AlertState, EventKind, State};

/// Bytes of a reason that go into messages and events.
const REASON_KEPT: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Book {
    entries: HashMap<MonitorName, Entry>,
    /// Remembered from before the start, and not in any configuration yet.
    orphans: HashMap<MonitorName, Entry>,
    /// What is wrong with ourselves, and the alerts about it.
    own: BTreeMap<Fingerprint, Own>,
    /// Who depends on whom.
    above: Above,
    /// Monitors whose counters differ from those on disk; each at most once, see `Entry::dirty`.
    dirty: Vec<MonitorName>,
}

#[derive(Debug, Default)]
struct Entry {
    rule: Option<Rule>,
    paused: bool,
    status: MonitorStatus,
    /// On the heap: most monitors have none.
    alert: Option<Box<Instance>>,
    /// That it cannot be judged, and the alert about it.
    unknown: Unknown,
    /// The dispatcher was told that it is down.
    broken: bool,
    dirty: bool,
}

impl Entry {
    fn phase(&self) -> Phase {
        self.alert.as_ref().map_or(Phase::Inactive, |a| a.phase)
    }

    fn stands(&self) -> Standing {
        Standing { phase: self.phase(), counted: self.status, may_be_parents: true }
    }

    fn shown(&self, name: &MonitorName) -> BoardInput {
        let state = match self.status.verdict {
            _ if self.paused => State::Paused,
            None => State::Pending,
            Some(v) => v.into(),
        };
        BoardInput::Status { name: name.clone(), state, since: self.status.since, failures: self.status.failures }
    }
}

impl Book {
    pub(crate) fn new(
        monitors: Vec<(MonitorName, MonitorStatus)>,
        alerts: Vec<Instance>,
        shown: &mut Shown,
        now: Timestamp,
    ) -> Self {
        let mut orphans: HashMap<MonitorName, Entry> =
            monitors.into_iter().map(|(name, status)| (name, Entry { status, ..Entry::default() })).collect();
        let mut own = BTreeMap::new();
        let mut show = |alert: &Instance| {
            if let Some(row) = row(alert) {
                shown.restore(row, now);
            }
        };
        for alert in alerts {
            if is_own(&alert.rule) {
                let one = Own::remembered(alert, now);
                one.alert().into_iter().for_each(&mut show);
                own.insert(one.fingerprint(), one);
                continue;
            }
            show(&alert);
            let entry: &mut Entry = orphans.entry(alert.monitor.clone()).or_default();
            match alert.rule.as_str() {
                MONITOR_UNKNOWN => entry.unknown.remember(alert),
                _ => entry.alert = Some(Box::new(alert)),
            }
        }
        Self { entries: HashMap::new(), orphans, own, above: Above::default(), dirty: Vec::new() }
    }

    /// Folds one result. Costs one look-up and no allocation when nothing changes.
    pub(crate) fn result(&mut self, result: &SlotResult, out: &mut Decisions) {
        let name = &result.monitor.name;
        // A probe that was under way when its monitor was removed or paused.
        let Some(entry) = self.entries.get_mut(name).filter(|e| !e.paused) else { return };
        let before = entry.status;
        let (status, change) = match result.doubt {
            Some(Doubt::Parent) => monitor::excused(before, result.at),
            Some(Doubt::Own { .. }) | None => monitor::step(before, result.verdict, result.at),
        };
        entry.status = status;
        let counted = entry.rule.is_some() && entry.unknown.count(result);
        let reason = capped(&result.headline);
        // What was found before nothing could be found any more is not believed for ever.
        let unsure = status.since.filter(|_| status.verdict == Some(Verdict::Unknown));
        let broken = status.failures > 0
            && unsure.is_none_or(|since| self.above.overdue(name).is_none_or(|after| result.at < since.plus(after)));
        if std::mem::replace(&mut entry.broken, broken) != broken {
            out.monitors.push((name.to_string(), broken));
        }
        if let Some(change) = change {
            let state = State::from(change.to).as_str();
            tracing::info!(monitor = %name, state, reason = %term_safe(reason), "a monitor changed its state");
            out.changes.push(Change::Monitor(name.clone(), status));
            out.changes.extend(state_event(name, change, result.at, reason).map(Change::Event));
        } else if counts_matter(entry, &before) && !entry.dirty {
            entry.dirty = true;
            self.dirty.push(name.clone());
        }
        if change.is_some() || status.failures != before.failures {
            out.board.push(entry.shown(name));
        }
        match result.doubt {
            Some(Doubt::Parent) => self.excuse(name, result.at, reason, out),
            Some(Doubt::Own { .. }) | None => self.judge(name, result.at, reason, out),
        }
        if counted {
            self.judge_unknown(name, result.at, reason, out);
        }
        self.judge_held(name, out);
    }

    /// Takes back what was about to fire: a monitor above is down.
    fn excuse(&mut self, name: &MonitorName, now: Timestamp, reason: &str, out: &mut Decisions) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let cancelled = (Phase::Inactive, Some(Transition::Cancelled));
        let about_to = |phase| matches!(phase, Phase::Pending { .. });
        if let Some(rule) = entry.rule.as_ref().filter(|_| entry.unknown.standing().is_some_and(|s| about_to(s.phase)))
        {
            entry.unknown.step(rule, cancelled, now, reason, out);
        }
        if about_to(entry.phase()) {
            self.transit(name, Phase::Inactive, Transition::Cancelled, now, reason, out);
        }
    }

    /// Steps the alert of a monitor.
    fn judge(&mut self, name: &MonitorName, now: Timestamp, reason: &str, out: &mut Decisions) {
        let Some(entry) = self.entries.get(name) else { return };
        let Some(rule) = &entry.rule else { return };
        let (stands, thresholds) = (entry.stands(), rule.thresholds());
        if let (phase, Some(transition)) = self.step(name, stands, thresholds, now, reason) {
            self.transit(name, phase, transition, now, reason, out);
        }
    }

    /// Steps the alert of a monitor whose check cannot judge.
    fn judge_unknown(&mut self, name: &MonitorName, now: Timestamp, reason: &str, out: &mut Decisions) {
        let Some(entry) = self.entries.get(name) else { return };
        let (Some(rule), Some(stands)) = (&entry.rule, entry.unknown.standing()) else { return };
        let stepped = self.step(name, stands, rule.thresholds(), now, reason);
        if let Some(Entry { rule: Some(rule), unknown, .. }) = self.entries.get_mut(name) {
            unknown.step(rule, stepped, now, reason, out);
        }
    }

    /// What a result does to an alert. One that is to fire waits until the monitors above were probed after it began to
    /// fail, so that nobody is told of what is the fault of one of them.
    fn step(
        &mut self,
        name: &MonitorName,
        Standing { phase, counted, may_be_parents }: Standing,
        thresholds: Thresholds,
        now: Timestamp,
        reason: &str,
    ) -> (Phase, Option<Transition>) {
        let next = instance::step(phase, &counted, thresholds, now);
        if next.1 != Some(Transition::Fired) {
            return next;
        }
        let began = match phase {
            Phase::Pending { since } => since,
            Phase::Inactive | Phase::Firing { .. } | Phase::Resolved { .. } => now,
        };
        if !may_be_parents {
            return next;
        }
        if self.holder(name, began, now).is_none() {
            self.above.release(name);
            return next;
        }
        self.above.hold(name, capped(reason));
        instance::step(phase, &counted, Thresholds { after: u32::MAX, ..thresholds }, now)
    }

    /// The monitor above for whose result an alert waits that began then.
    fn holder(&self, name: &MonitorName, began: Timestamp, now: Timestamp) -> Option<&MonitorName> {
        self.above.holder(name, began, now, |name| {
            let entry = self.entries.get(name).filter(|e| !e.paused)?;
            let status = &entry.status;
            let unsure = status.since.filter(|_| status.verdict == Some(Verdict::Unknown));
            Some(Parent { last: status.last, broken: status.failures > 0, unsure })
        })
    }

    /// How far the alert `rule` of a monitor is, as of its last result.
    pub(crate) fn progress(&self, name: &MonitorName, rule: &str) -> Progress {
        let Some(entry) = self.entries.get(name) else { return Progress::default() };
        let stands = match rule {
            MONITOR_UNKNOWN => entry.unknown.standing(),
            _ => Some(entry.stands()),
        };
        let (Some(stands), Some(last)) = (stands, entry.status.last) else { return Progress::default() };
        let waits_for = match stands.phase {
            Phase::Pending { since } if stands.may_be_parents => self.holder(name, since, last).cloned(),
            Phase::Pending { .. } | Phase::Inactive | Phase::Firing { .. } | Phase::Resolved { .. } => None,
        };
        let fires = matches!(stands.phase, Phase::Firing { .. });
        Progress { failures: stands.counted.failures, fires, waits_for }
    }

    /// Judges the monitors below again whose alerts waited for this one's result.
    fn judge_held(&mut self, parent: &MonitorName, out: &mut Decisions) {
        for (name, reason) in self.above.held_below(parent) {
            let Some(last) = self.entries.get(&name).and_then(|e| e.status.last) else { continue };
            self.judge(&name, last, &reason, out);
            self.judge_unknown(&name, last, &reason, out);
        }
    }

    /// Takes over a configuration: new monitors begin, where they are remembered, as they were.
    pub(crate) fn configure(&mut self, config: &Config, complete: bool, now: Timestamp, out: &mut Decisions) {
        self.above = Above::of(config);
        for (name, monitor) in &config.monitors {
            self.place(name, monitor, now, out);
        }
        let gone: Vec<_> = self.entries.keys().filter(|n| !config.monitors.contains_key(*n)).cloned().collect();
        for name in gone {
            self.end(&name, Over::Removed, now, out);
            self.entries.remove(&name);
            // What still names it depends on nothing there is.
            out.monitors.push((name.to_string(), false));
            out.changes.push(Change::MonitorGone(name));
        }
        if !complete {
            return;
        }
        for (name, entry) in std::mem::take(&mut self.orphans) {
            let past = matches!(entry.phase(), Phase::Resolved { .. }).then(|| entry.alert.clone()).flatten();
            self.entries.insert(name.clone(), entry);
            self.end(&name, Over::Removed, now, out);
            if let Some(mut entry) = self.entries.remove(&name) {
                entry.unknown.forget(out);
            }
            if let Some(alert) = past {
                out.changes.push(Change::Alert(Instance { phase: Phase::Inactive, ..*alert }));
            }
            out.changes.push(Change::MonitorGone(name));
        }
    }

    fn place(&mut self, name: &MonitorName, monitor: &Monitor, now: Timestamp, out: &mut Decisions) {
        let known = self.entries.contains_key(name);
        let orphans = &mut self.orphans;
        let entry = self.entries.entry(name.clone()).or_insert_with(|| orphans.remove(name).unwrap_or_default());
        let was_paused = std::mem::replace(&mut entry.paused, monitor.paused);
        entry.rule = monitor.alert.filter(|_| !monitor.paused).map(|policy| {
            let subject = Subject {
                monitor: name,
                kind: monitor.probe.kind,
                target: &monitor.probe.target,
                labels: &monitor.labels,
            };
            let thresholds =
                Thresholds { after: policy.after, clear_after: policy.clear_after, severity: policy.severity };
            Rule::monitor_down(subject, thresholds)
        });
        if monitor.paused && entry.status != MonitorStatus::default() {
            // When it comes back it is judged by what is found then.
            entry.status = MonitorStatus::default();
            out.changes.push(Change::MonitorReset(name.clone()));
        }
        if !known || was_paused != monitor.paused {
            out.board.push(entry.shown(name));
            entry.broken = entry.status.failures > 0;
            out.monitors.push((name.to_string(), entry.broken));
            // What fired before the start fires still, whatever the dispatcher remembers.
            let down = entry.alert.as_deref().filter(|a| matches!(a.phase, Phase::Firing { .. }));
            for alert in down.into_iter().chain(entry.unknown.firing()) {
                out.updates.extend(update(alert, &alert.words));
            }
        }
        if entry.rule.is_none() {
            let why = if monitor.paused { Over::Paused } else { Over::Removed };
            self.end(name, why, now, out);
        }
    }

    fn end(&mut self, name: &MonitorName, why: Over, now: Timestamp, out: &mut Decisions) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.unknown.end(name, why, now, out);
        let (phase, transition) = instance::end(entry.phase(), why, now);
        if let Some(transition) = transition {
            self.transit(name, phase, transition, now, "", out);
        }
    }

    /// Takes over what is wrong with the configuration files.
    pub(crate) fn files(&mut self, faults: Option<Faults>, now: Timestamp, out: &mut Decisions) {
        let files = self.own.entry(files::fingerprint()).or_insert_with(Own::files);
        files.now(faults.map(|f| Trouble::files(f.errors, &f.first)), true);
        files.judge(now, out);
    }

    /// Takes over what is in the way of the monitors. What is not named is over; what fired before the start, once
    /// everything has been looked at.
    pub(crate) fn impaired(&mut self, what: &Impaired, now: Timestamp, out: &mut Decisions) {
        let named: Vec<_> = what.classes.keys().map(|class| impaired::fingerprint(class)).collect();
        for (fingerprint, own) in &mut self.own {
            if *fingerprint != files::fingerprint() && !named.contains(fingerprint) {
                own.now(None, what.settled);
                own.judge(now, out);
            }
        }
        for (fingerprint, (class, text)) in named.into_iter().zip(&what.classes) {
            let own = self.own.entry(fingerprint).or_insert_with(|| Own::impaired(class));
            own.now(Some(Trouble::impaired(class, text)), what.settled);
            own.judge(now, out);
        }
        self.own.retain(|_, own| !own.is_idle());
    }

    /// Time until what is wrong with ourselves has lasted long enough for an alert.
    pub(crate) fn own_due(&self, now: Timestamp) -> Option<Duration> {
        self.own.values().filter_map(|own| own.due(now)).min()
    }

    /// The wall clock was set by so many milliseconds: what is held is held no longer and no shorter.
    pub(crate) fn shift(&mut self, by: i64) {
        self.own.values_mut().for_each(|own| own.shift(by));
    }

    /// Steps the alerts about ourselves.
    pub(crate) fn judge_own(&mut self, now: Timestamp, out: &mut Decisions) {
        self.own.values_mut().for_each(|own| own.judge(now, out));
    }

    /// Carries out a transition of a monitor's alert.
    fn transit(
        &mut self,
        name: &MonitorName,
        phase: Phase,
        transition: Transition,
        now: Timestamp,
        reason: &str,
        out: &mut Decisions,
    ) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let words = entry.rule.as_ref().map(|rule| Arc::new(rule.words(reason)));
        let step = Stepped { phase, transition, now, reason, words };
        let alert = entry.alert.take().map(|alert| *alert);
        entry.alert = Self::carry_on(alert, MONITOR_DOWN, name, step, out).map(Box::new);
    }

    /// Carries out a step of an alert that a monitor has, or has from now on.
    pub(crate) fn carry_on(
        alert: Option<Instance>,
        rule: &str,
        name: &MonitorName,
        mut step: Stepped<'_>,
        out: &mut Decisions,
    ) -> Option<Instance> {
        let alert = match alert {
            Some(alert) => alert,
            None => Instance {
                fingerprint: Fingerprint::of(rule, name),
                rule: rule.to_owned(),
                monitor: name.clone(),
                phase: Phase::Inactive,
                words: step.words.clone()?,
            },
        };
        if let Transition::Resolved(why) = step.transition {
            step.words = Some(Arc::new(alert.words.over(name, why, step.reason)));
        }
        Self::carry_out(alert, step, out)
    }

    /// Puts down a step and passes it on to the dispatcher; gives the alert back while there is one.
    pub(crate) fn carry_out(mut alert: Instance, step: Stepped<'_>, out: &mut Decisions) -> Option<Instance> {
        let Stepped { phase, transition, now, reason, words } = step;
        alert.phase = phase;
        tracing::info!(monitor = %alert.monitor, alert = alert.rule, transition = ?transition, "an alert changed its state");
        let said = match transition {
            Transition::Pending | Transition::Fired => {
                if let Some(words) = words {
                    alert.words = words;
                }
                alert.words.clone()
            }
            Transition::Cancelled => alert.words.clone(),
            Transition::Resolved(_) => words.unwrap_or_else(|| alert.words.clone()),
        };
        if matches!(transition, Transition::Fired | Transition::Resolved(_)) {
            out.updates.extend(update(&alert, &said));
        }
        out.changes.extend(alert_event(&alert, transition, now, reason).map(Change::Event));
        match row(&alert) {
            Some(row) => out.rows.push(row),
            None => out.gone.push(alert.fingerprint),
        }
        out.changes.push(Change::Alert(alert.clone()));
        (phase != Phase::Inactive).then_some(alert)
    }

    /// Puts down and passes on that an alert says something else.
    pub(crate) fn reworded(alert: &Instance, out: &mut Decisions) {
        out.updates.extend(update(alert, &alert.words));
        out.rows.extend(row(alert));
        out.changes.push(Change::Alert(alert.clone()));
    }

    pub(crate) fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Counters that changed since the last call.
    pub(crate) fn take_dirty(&mut self) -> Vec<(MonitorName, MonitorStatus)> {
        let mut out = Vec::with_capacity(self.dirty.len());
        for name in self.dirty.drain(..) {
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.dirty = false;
                out.push((name, entry.status));
            }
        }
        out
    }
}

/// The alert as the dispatcher hears of it; `None` while it neither fires nor is over.
fn update(alert: &Instance, said: &Words) -> Option<AlertUpdate> {
    let (starts_at, fired_at, ends_at) = match alert.phase {
        Phase::Inactive | Phase::Pending { .. } => return None,
        Phase::Firing { starts_at, since } => (starts_at, since, None),
        Phase::Resolved { starts_at, ends_at } => (starts_at, starts_at, Some(ends_at)),
    };
    Some(AlertUpdate {
        fingerprint: alert.fingerprint,
        origin: if is_own(&alert.rule) { Origin::Own } else { Origin::Monitor },
        labels: said.labels.clone(),
        annotations: said.annotations.clone(),
        starts_at,
        fired_at,
        ends_at,
        value: None,
        generator_url: None,
    })
}

/// Where an alert of a monitor stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) phase: Phase,
    /// What is counted for it.
    pub(crate) counted: MonitorStatus,
    /// A monitor above may be the cause.
    pub(crate) may_be_parents: bool,
}

/// How far an alert is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// So many in a row.
    pub(crate) failures: u32,
    pub(crate) fires: bool,
    /// The monitor above that is to be probed before it fires.
    pub(crate) waits_for: Option<MonitorName>,
}

/// What a step did to an alert, and why.
pub(crate) struct Stepped<'a> {
    pub(crate) phase: Phase,
    pub(crate) transition: Transition,
    pub(crate) now: Timestamp,
    pub(crate) reason: &'a str,
    /// What it says from now on; at its end, what is said of that. `None`: as before.
    pub(crate) words: Option<Arc<Words>>,
}

/// Whether a result without a change of state left counters that a restart must find: those that lead
/// to firing or to its end. Beyond that, one more success of a healthy monitor is not worth a write.
fn counts_matter(entry: &Entry, before: &MonitorStatus) -> bool {
    let ending = matches!(entry.phase(), Phase::Firing { .. }) && entry.status.successes != before.successes;
    entry.status.failures != before.failures || ending
}

fn row(alert: &Instance) -> Option<AlertRow> {
    let (state, since, starts_at) = match alert.phase {
        Phase::Inactive => return None,
        Phase::Pending { since } => (AlertState::Pending, since, since),
        Phase::Firing { starts_at, since } => (AlertState::Firing, since, starts_at),
        Phase::Resolved { starts_at, ends_at } => (AlertState::Resolved, ends_at, starts_at),
    };
    Some(AlertRow {
        fingerprint: alert.fingerprint.to_string(),
        name: alert.rule.clone(),
        monitor: Some(alert.monitor.clone()),
        severity: alert.words.severity,
        state,
        since,
        starts_at,
        labels: alert.words.labels.clone(),
        annotations: alert.words.annotations.clone(),
        value: None,
        ack: None,
        muted: None,
        deliveries: Vec::new(),
    })
}

fn state_event(name: &MonitorName, change: StateChange, at: Timestamp, reason: &str) -> Option<NewEvent> {
    // That a new monitor works is no news, and 10,000 of them would push out what is.
    if change.from.is_none() && change.to == Verdict::Up {
        return None;
    }
    let mut detail = reason.to_owned();
    if let (Some(from), Some(since)) = (change.from, change.from_since) {
        let gap = if detail.is_empty() { "" } else { "; " };
        detail.push_str(&format!("{gap}was {} for {}", State::from(from).as_str(), Short(at.since(since))));
    }
    let what = State::from(change.to).as_str();
    Some(NewEvent::new(at, EventKind::State, name.as_str(), what, detail))
}

fn alert_event(alert: &Instance, transition: Transition, at: Timestamp, reason: &str) -> Option<NewEvent> {
    let (what, detail) = match transition {
        Transition::Pending => ("pending", format!("{}: {reason}", alert.rule)),
        Transition::Fired => ("firing", format!("{}: {reason}", alert.rule)),
        Transition::Resolved(why) => ("resolved", format!("{}: {}", alert.rule, why.as_str())),
        // The monitor's own event says that it recovered.
        Transition::Cancelled => return None,
    };
    Some(NewEvent::new(at, EventKind::Alert, alert.monitor.as_str(), what, detail).about([alert.fingerprint]))
}

/// The text's beginning, cut between characters.
pub(crate) fn capped(text: &str) -> &str {
    &text[..text.floor_char_boundary(REASON_KEPT)]
}
