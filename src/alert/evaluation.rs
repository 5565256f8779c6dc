//! The alerts of one rule: what each evaluation makes of them. Prometheus' state machine, to the second.
//!
//! An alert is known by its labels, `alertname` and the rule's own included. While its series is in the answer it is
//! pending, and after `for` firing; when the series goes, it resolves at once or after `keep_firing_for`, and stays
//! known for [`RETENTION`] so that whoever missed its end is told again. Rules of our own form add a condition with a
//! second threshold for recovery, and say what an empty answer or a failed query means.

use std::collections::HashMap;
use std::time::Duration;

use crate::base::labels::{Labels, METRIC_NAME};
use crate::base::time::Timestamp;

/// How long a resolved alert stays known.
pub const RETENTION: Duration = Duration::from_secs(15 * 60);
/// State from before a restart counts if it is no older.
pub const OUTAGE_TOLERANCE: Duration = Duration::from_secs(60 * 60);
/// An alert that was pending before a restart fires no earlier than this after it. Rules with a shorter `for` start anew.
pub const FOR_GRACE_PERIOD: Duration = Duration::from_secs(10 * 60);
/// An alert that goes on is told again after this.
pub const RESEND_DELAY: Duration = Duration::from_secs(60);
/// The series of alerts, and of when they became active.
pub const ALERTS: &str = "ALERTS";
/// See [`ALERTS`].
pub const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
const ALERT_STATE: &str = "alertstate";

/// What a failed query, or one that gives nothing, means for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Absent {
    /// Nothing is wrong: alerts resolve.
    Ok,
    /// That is an alert of its own; those there are stay.
    Alert,
    /// Alerts stay as they are.
    Keep,
}

/// When a value is one to alert on. At least one bound is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Condition {
    /// Values above.
    pub above: Option<f64>,
    /// Values below.
    pub below: Option<f64>,
    /// This value.
    pub equals: Option<f64>,
    /// Every other value.
    pub not_equals: Option<f64>,
    /// An alert that fires because of `above` ends below this.
    pub recover_below: Option<f64>,
    /// An alert that fires because of `below` ends above this.
    pub recover_above: Option<f64>,
}

impl Condition {
    /// Whether the value is one to alert on.
    pub fn holds(&self, v: f64) -> bool {
        self.above.is_some_and(|bound| v > bound)
            || self.below.is_some_and(|bound| v < bound)
            || self.equals.is_some_and(|bound| v == bound)
            || self.not_equals.is_some_and(|bound| v != bound)
    }

    /// Whether the value ends an alert that fires.
    pub fn recovered(&self, v: f64) -> bool {
        !self.holds(v)
            && self.recover_below.is_none_or(|bound| v < bound)
            && self.recover_above.is_none_or(|bound| v > bound)
    }
}

/// What a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// How long the condition holds before the alert fires: `for`.
    pub hold: Duration,
    /// How long it fires on once the condition is gone.
    pub keep_firing_for: Duration,
    /// The condition, where the query is not one itself.
    pub condition: Option<Condition>,
    /// What an empty answer means.
    pub on_no_data: Absent,
    /// What a failed query means.
    pub on_error: Absent,
}

impl Default for Policy {
    /// Prometheus': an empty answer is good, an error changes nothing.
    fn default() -> Self {
        Self {
            hold: Duration::ZERO,
            keep_firing_for: Duration::ZERO,
            condition: None,
            on_no_data: Absent::Ok,
            on_error: Absent::Keep,
        }
    }
}

/// Where an alert stands. In order of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Over.
    Inactive,
    /// The condition holds, not yet long enough.
    Pending,
    /// It fires.
    Firing,
}

impl State {
    /// Prometheus' word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its labels, complete.
    pub labels: Labels,
    /// Its annotations, as of the last evaluation that had it.
    pub annotations: Labels,
    /// Where it stands.
    pub state: State,
    /// The value then.
    pub value: f64,
    /// Since when the condition holds.
    pub active_at: Timestamp,
    /// When it fired.
    pub fired_at: Option<Timestamp>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// Since when it fires on without its condition.
    pub keep_firing_since: Option<Timestamp>,
    /// When it was last told.
    pub last_sent: Option<Timestamp>,
    /// Its series in the present state.
    series: Labels,
    for_state: Labels,
}

impl Alert {
    fn new(found: Found, now: Timestamp) -> Self {
        let series = series(&found.labels, State::Pending);
        let mut for_state = found.labels.to_buf();
        for_state.set(METRIC_NAME, ALERTS_FOR_STATE);
        Self {
            labels: found.labels,
            annotations: found.annotations,
            state: State::Pending,
            value: found.value,
            active_at: now,
            fired_at: None,
            resolved_at: None,
            keep_firing_since: None,
            last_sent: None,
            series,
            for_state: for_state.labels(),
        }
    }

    /// Whether somebody must be told of it now: of what is new, and again of what goes on.
    fn needs_sending(&self, now: Timestamp) -> bool {
        let Some(last) = self.last_sent else { return true };
        self.resolved_at.is_some_and(|at| at > last)
            || self.fired_at.is_some_and(|at| at > last)
            || last.plus(RESEND_DELAY) <= now
    }

    /// When it is over, as told to others: when it was, or when it counts as over if nothing more is heard of it.
    pub fn ends_at(&self, now: Timestamp, interval: Duration) -> Timestamp {
        self.resolved_at.unwrap_or_else(|| now.plus(interval.max(RESEND_DELAY) * 4))
    }
}

fn series(labels: &Labels, state: State) -> Labels {
    let mut buf = labels.to_buf();
    buf.set(METRIC_NAME, ALERTS);
    buf.set(ALERT_STATE, state.as_str());
    buf.labels()
}

/// A series of the answer with what the rule makes of it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Labels of the alert, complete.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// The value.
    pub value: f64,
    /// The condition holds; otherwise it has merely not recovered.
    pub holds: bool,
}

/// Why an evaluation gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// Two series became the same alert.
    #[error("vector contains metrics with the same labelset after applying alert labels")]
    SameLabels,
    /// More alerts than the group's limit.
    #[error("exceeded limit of {limit} with {alerts} alerts")]
    Limit {
        /// The limit.
        limit: usize,
        /// How many there were.
        alerts: usize,
    },
}

/// All alerts of one rule.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    known: HashMap<Labels, Alert, ahash::RandomState>,
    firing: usize,
    /// Whether state from before the start was looked for; until then no series of alerts are written.
    pub restored: bool,
}

impl Alerts {
    /// Every alert, those that are over included.
    pub fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.known.values()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The weightiest state.
    pub fn state(&self) -> State {
        self.known.values().map(|a| a.state).max().unwrap_or(State::Inactive)
    }

    /// Whether a series with this value need be looked at: its condition holds, or may keep an alert firing.
    pub fn wants(&self, policy: &Policy, v: f64) -> bool {
        policy.condition.is_none_or(|c| c.holds(v) || (self.firing > 0 && !c.recovered(v)))
    }

    /// Applies what the query gave at `now`. With `keep_rest`, alerts that it did not give stay as they are.
    /// `cancelled` gets the alerts that ended before they fired.
    ///
    /// # Errors
    /// The evaluation counts as failed.
    pub fn evaluate(
        &mut self,
        found: Vec<Found>,
        policy: &Policy,
        limit: usize,
        keep_rest: bool,
        now: Timestamp,
        cancelled: &mut Vec<Alert>,
    ) -> Result<(), EvaluationError> {
        if found.is_empty() && self.known.is_empty() {
            return Ok(());
        }
        let mut given: HashMap<Labels, Found, ahash::RandomState> =
            HashMap::with_capacity_and_hasher(found.len(), ahash::RandomState::default());
        for one in found {
            if given.insert(one.labels.clone(), one).is_some() {
                return Err(EvaluationError::SameLabels);
            }
        }
        // What merely has not recovered keeps what fires, and is nothing otherwise.
        given.retain(|labels, one| one.holds || self.known.get(labels).is_some_and(|a| a.state == State::Firing));
        let mut here = ahash::AHashSet::with_capacity(given.len());
        for (labels, one) in given {
            match self.known.get_mut(&labels) {
                Some(alert) if alert.state != State::Inactive => {
                    (alert.value, alert.annotations) = (one.value, one.annotations);
                }
                Some(_) | None => drop(self.known.insert(labels.clone(), Alert::new(one, now))),
            }
            here.insert(labels);
        }
        let mut active = 0;
        self.firing = 0;
        self.known.retain(|labels, alert| {
            let there = here.contains(labels);
            let stays = if there {
                alert.keep_firing_since = None;
                if alert.state == State::Pending && now.since(alert.active_at) >= policy.hold {
                    (alert.state, alert.fired_at) = (State::Firing, Some(now));
                    alert.series = series(labels, State::Firing);
                }
                true
            } else if keep_rest && alert.state != State::Inactive {
                true
            } else {
                gone(alert, policy, now, cancelled)
            };
            active += usize::from(alert.state != State::Inactive && stays);
            self.firing += usize::from(alert.state == State::Firing && stays);
            stays
        });
        if limit > 0 && active > limit {
            self.known.clear();
            self.firing = 0;
            return Err(EvaluationError::Limit { limit, alerts: active });
        }
        Ok(())
    }

    /// The series that an evaluation writes: [`ALERTS`] and [`ALERTS_FOR_STATE`] of every active alert.
    pub fn series(&self) -> impl Iterator<Item = (&Labels, f64)> {
        let active = self.known.values().filter(|a| self.restored && a.state != State::Inactive);
        active.flat_map(|a| [(&a.series, 1.0), (&a.for_state, a.active_at.millis().div_euclid(1_000) as f64)])
    }

    /// The alerts of which somebody must be told now. `tell` says whether it could.
    pub fn tell(&mut self, now: Timestamp, mut tell: impl FnMut(&Alert) -> bool) {
        for alert in self.known.values_mut().filter(|a| a.needs_sending(now)) {
            if tell(alert) {
                alert.last_sent = Some(now);
            }
        }
    }

    /// Takes over from before a restart since when alerts have been active. `saved` gives the last sample of the series of an
    /// alert: when it was written, and what it said.
    pub fn restore(&mut self, hold: Duration, now: Timestamp, saved: impl Fn(&Labels) -> Option<(Timestamp, f64)>) {
        self.restored = true;
        if hold < FOR_GRACE_PERIOD {
            return;
        }
        for alert in self.known.values_mut() {
            let Some((down_at, since)) = saved(&alert.labels) else { continue };
            if since.is_nan() {
                // Its end was written: it was not active.
                continue;
            }
            let since = Timestamp::from_millis((since as i64).saturating_mul(1_000));
            let down_at = Timestamp::from_millis(down_at.millis().div_euclid(1_000) * 1_000);
            let waited = down_at.since(since);
            alert.active_at = match hold.checked_sub(waited) {
                // It fired already, and does again with the next evaluation.
                None | Some(Duration::ZERO) => since,
                Some(left) if left < FOR_GRACE_PERIOD => now.plus(FOR_GRACE_PERIOD).minus(hold),
                // The time that we were away does not count.
                Some(_) => since.plus(now.since(down_at)),
            };
        }
    }
}

/// What becomes of an alert whose series is not in the answer; gives whether it stays known.
fn gone(alert: &mut Alert, policy: &Policy, now: Timestamp, cancelled: &mut Vec<Alert>) -> bool {
    match alert.state {
        State::Firing if policy.keep_firing_for > Duration::ZERO => {
            let since = *alert.keep_firing_since.get_or_insert(now);
            if now.since(since) >= policy.keep_firing_for {
                resolve(alert, now);
            }
            true
        }
        State::Firing => {
            resolve(alert, now);
            true
        }
        State::Pending => {
            resolve(alert, now);
            cancelled.push(alert.clone());
            false
        }
        State::Inactive => alert.resolved_at.is_none_or(|at| now.since(at) <= RETENTION),
    }
}

fn resolve(alert: &mut Alert, now: Timestamp) {
    (alert.state, alert.resolved_at) = (State::Inactive, Some(now));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sample::STALE_NAN;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1_000)
    }

    fn found(name: &str, value: f64, condition: Option<Condition>) -> Found {
        let labels = Labels::new([("alertname", "A"), ("instance", name)]);
        let holds = condition.is_none_or(|c| c.holds(value));
        Found { labels, annotations: Labels::default(), value, holds }
    }

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    /// One character per evaluation of the one series: `x` is there. Gives `.`, `p`, `F`, `r` per evaluation.
    #[track_caller]
    fn life(policy: Policy, step: i64, script: &str) -> String {
        let mut alerts = Alerts { restored: true, ..Alerts::default() };
        let mut out = String::new();
        for (i, c) in (0..).zip(script.chars()) {
            let list = if c == 'x' { vec![found("a", 1.0, None)] } else { Vec::new() };
            alerts.evaluate(list, &policy, 0, false, at(i * step), &mut Vec::new()).unwrap();
            out.push(match alerts.iter().next() {
                None => '.',
                Some(a) if a.state == State::Pending => 'p',
                Some(a) if a.state == State::Firing => 'F',
                Some(_) => 'r',
            });
        }
        out
    }

    #[test]
    fn an_alert_is_pending_for_its_time_and_then_fires() {
        let hold = |s| Policy { hold: seconds(s), ..Policy::default() };
        assert_eq!(life(hold(0), 60, "-x--x"), ".FrrF");
        assert_eq!(life(hold(120), 60, "xxxxx-"), "ppFFFr");
        assert_eq!(life(hold(120), 60, "xx-xxx-"), "pp.ppFr");
    }

    #[test]
    fn it_fires_on_for_a_while_when_asked_to() {
        let policy = Policy { keep_firing_for: seconds(120), ..Policy::default() };
        assert_eq!(life(policy, 60, "x---x--x---"), "FFFrFFFFFFr");
        let pending = Policy { hold: seconds(120), ..policy };
        assert_eq!(life(pending, 60, "x-xxx---"), "p.ppFFFr");
    }

    #[test]
    fn a_resolved_alert_is_forgotten_after_a_quarter_of_an_hour() {
        let script = format!("x{}", "-".repeat(18));
        assert_eq!(life(Policy::default(), 60, &script), format!("F{}..", "r".repeat(16)));
    }

    #[test]
    fn recovery_has_a_threshold_of_its_own() {
        let condition = Condition { above: Some(0.5), recover_below: Some(0.4), ..Condition::default() };
        let policy = Policy { condition: Some(condition), ..Policy::default() };
        let mut alerts = Alerts::default();
        let mut states = Vec::new();
        for (i, v) in [0.45, 0.6, 0.45, 0.4, 0.39, 0.45, 0.51].into_iter().enumerate() {
            let list = if alerts.wants(&policy, v) { vec![found("a", v, Some(condition))] } else { Vec::new() };
            alerts.evaluate(list, &policy, 0, false, at(i as i64), &mut Vec::new()).unwrap();
            states.push(alerts.state());
        }
        use State::{Firing, Inactive};
        assert_eq!(states, [Inactive, Firing, Firing, Firing, Inactive, Inactive, Firing]);
        let band = Condition { below: Some(1.0), recover_above: Some(2.0), ..Condition::default() };
        assert!(band.holds(0.5) && !band.holds(1.0) && !band.recovered(2.0) && band.recovered(2.1));
        assert!(!band.holds(f64::NAN));
    }

    #[test]
    fn what_is_not_given_can_be_kept() {
        let policy = Policy { hold: seconds(60), ..Policy::default() };
        let mut alerts = Alerts { restored: true, ..Alerts::default() };
        let mut cancelled = Vec::new();
        alerts.evaluate(vec![found("a", 1.0, None)], &policy, 0, false, at(0), &mut cancelled).unwrap();
        alerts.evaluate(Vec::new(), &policy, 0, true, at(600), &mut cancelled).unwrap();
        assert_eq!((alerts.state(), alerts.series().count()), (State::Pending, 2));
        alerts.evaluate(Vec::new(), &policy, 0, false, at(660), &mut cancelled).unwrap();
        assert_eq!((alerts.iter().count(), cancelled.len()), (0, 1));
    }

    #[test]
    fn same_labels_and_too_many_are_errors() {
        let mut alerts = Alerts::default();
        let two = || vec![found("a", 1.0, None), found("b", 1.0, None)];
        let same = vec![found("a", 1.0, None), found("a", 2.0, None)];
        let policy = Policy::default();
        assert_eq!(alerts.evaluate(same, &policy, 0, false, at(0), &mut Vec::new()), Err(EvaluationError::SameLabels));
        alerts.evaluate(two(), &policy, 2, false, at(1), &mut Vec::new()).unwrap();
        let error = alerts.evaluate(two(), &policy, 1, false, at(2), &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "exceeded limit of 1 with 2 alerts");
        assert!(alerts.is_empty());
    }

    #[test]
    fn series_tell_state_and_start() {
        let mut alerts = Alerts::default();
        let policy = Policy { hold: seconds(60), ..Policy::default() };
        let mut texts = Vec::new();
        for s in [30, 60, 90] {
            alerts.evaluate(vec![found("a", 1.0, None)], &policy, 0, false, at(s), &mut Vec::new()).unwrap();
            texts.extend(alerts.series().map(|(l, v)| format!("{l} {v}")));
            alerts.restored = true;
        }
        assert_eq!(
            texts,
            [
                r#"{__name__="ALERTS", alertname="A", alertstate="pending", instance="a"} 1"#,
                r#"{__name__="ALERTS_FOR_STATE", alertname="A", instance="a"} 30"#,
                r#"{__name__="ALERTS", alertname="A", alertstate="firing", instance="a"} 1"#,
                r#"{__name__="ALERTS_FOR_STATE", alertname="A", instance="a"} 30"#,
            ]
        );
    }

    #[test]
    fn an_alert_is_told_when_it_changes_and_every_minute() {
        let mut alerts = Alerts::default();
        let mut told = Vec::new();
        for s in [0, 30, 60, 90, 120] {
            let list = if s < 90 { vec![found("a", 1.0, None)] } else { Vec::new() };
            alerts.evaluate(list, &Policy::default(), 0, false, at(s), &mut Vec::new()).unwrap();
            alerts.tell(at(s), |a| {
                told.push((s, a.state));
                s != 0
            });
        }
        use State::{Firing, Inactive};
        assert_eq!(told, [(0, Firing), (30, Firing), (90, Inactive)], "what could not be told is tried again");
    }

    #[test]
    fn state_is_restored_as_prometheus_does() {
        // (for, written at, said active since, now) → active since
        for (hold, down_at, since, now, expected) in [
            // Fired before: since then.
            (1_800, 10_000, 5_000.0, 10_600, 5_000),
            // Less than the grace period was left: it fires after the grace period.
            (1_800, 10_000, 8_500.0, 10_600, 10_600 + 600 - 1_800),
            // More was left: the time away does not count.
            (1_800, 10_000, 9_500.0, 10_600, 9_500 + 600),
            // Ended before: starts anew.
            (1_800, 10_000, STALE_NAN, 10_600, 10_600),
            // Shorter than the grace period: starts anew.
            (300, 10_000, 5_000.0, 10_600, 10_600),
        ] {
            let policy = Policy { hold: seconds(hold), ..Policy::default() };
            let mut alerts = Alerts::default();
            alerts.evaluate(vec![found("a", 1.0, None)], &policy, 0, false, at(now), &mut Vec::new()).unwrap();
            alerts.restore(policy.hold, at(now), |_| Some((at(down_at), since)));
            assert_eq!(alerts.iter().next().unwrap().active_at, at(expected), "{hold} {since}");
            assert!(alerts.restored);
        }
    }
}
