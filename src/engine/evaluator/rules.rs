//! Alerts of rules on their way to the dispatcher.
//!
//! The ruler tells of a change, and once a minute that nothing changed; an alert of which it says nothing
//! for long enough is over, as in Prometheus. That time is kept here and not with the alert, so that "still
//! firing" costs a look-up and no write.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::alert::dispatch::{AlertUpdate, Dispatcher, Origin};
use crate::alert::rule::Fingerprint;
use crate::base::labels::Labels;
use crate::base::message::Severity;
use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::engine::evaluator::decisions::Decisions;
use crate::engine::ruler::report::{RuleAlert, RuleAlertState};
use crate::state::{Change, NewEvent};
use crate::wire::board::{AlertRow, AlertState, EventKind};

/// After a start rules need this long, and two of their intervals, to say which alerts go on.
const RESTORE: Duration = Duration::from_secs(5 * 60);

/// What is known of the alerts that go on.
#[derive(Debug, Default)]
pub(crate) struct RuleAlerts {
    of: HashMap<Fingerprint, Known>,
    lapses: BTreeSet<(Timestamp, Fingerprint)>,
}

#[derive(Debug)]
struct Known {
    state: RuleAlertState,
    lapses: Timestamp,
}

impl RuleAlerts {
    /// Waits for rules to say of the alerts that fired before the start whether they go on.
    pub(crate) fn expect(&mut self, dispatcher: &Dispatcher, longest: Duration, now: Timestamp) {
        let lapses = now.plus(RESTORE + longest * 2);
        for alert in dispatcher.alerts().filter(|a| a.origin() == Origin::Rule && a.fires()) {
            if !self.of.contains_key(&alert.fingerprint()) {
                self.know(alert.fingerprint(), RuleAlertState::Firing, lapses);
            }
        }
    }

    /// Takes over what the ruler says.
    pub(crate) fn take(
        &mut self,
        alerts: Vec<RuleAlert>,
        dispatcher: &Dispatcher,
        now: Timestamp,
        out: &mut Decisions,
    ) {
        for alert in alerts {
            let fingerprint = Fingerprint(alert.fingerprint);
            let fires = dispatcher.alert(fingerprint).is_some_and(crate::alert::dispatch::Alert::fires);
            let before = self.of.get(&fingerprint).map(|k| k.state);
            match alert.state {
                // One that fired before a restart goes on until it is known to be over.
                RuleAlertState::Pending if fires => self.know(fingerprint, RuleAlertState::Firing, alert.ends_at),
                RuleAlertState::Pending => {
                    self.know(fingerprint, alert.state, alert.ends_at);
                    if before != Some(alert.state) {
                        event(&alert, fingerprint, "pending", now, out);
                    }
                    out.rows.push(pending_row(&alert));
                }
                RuleAlertState::Firing => {
                    self.know(fingerprint, alert.state, alert.ends_at);
                    if !fires {
                        event(&alert, fingerprint, "firing", now, out);
                    }
                    out.updates.push(update(&alert, None, now));
                }
                RuleAlertState::Resolved | RuleAlertState::Cancelled => {
                    self.forget(fingerprint);
                    if fires {
                        // One that is held as flapping still counts as firing while its end is told again and again.
                        if before.is_some() {
                            event(&alert, fingerprint, "resolved", now, out);
                        }
                        out.updates.push(update(&alert, Some(alert.ends_at.min(now)), now));
                    } else if before == Some(RuleAlertState::Pending) {
                        out.gone.push(fingerprint);
                    }
                }
            }
        }
    }

    /// Ends those of which nothing was heard for too long.
    pub(crate) fn lapse(&mut self, dispatcher: &Dispatcher, now: Timestamp, out: &mut Decisions) {
        while let Some(&(at, fingerprint)) = self.lapses.first().filter(|(at, _)| *at <= now) {
            self.forget(fingerprint);
            let Some(alert) = dispatcher.alert(fingerprint).filter(|a| a.fires()) else {
                out.gone.push(fingerprint);
                continue;
            };
            let name = alert.labels().get("alertname").unwrap_or("alert").to_owned();
            let detail = format!("{name}: its rule says nothing of it any more");
            let ended = NewEvent::new(now, EventKind::Alert, name, "resolved", detail).about([fingerprint]);
            out.changes.push(Change::Event(ended));
            out.updates.push(AlertUpdate {
                fingerprint,
                origin: Origin::Rule,
                labels: alert.labels().clone(),
                annotations: alert.annotations().clone(),
                starts_at: alert.starts_at(),
                fired_at: alert.fired_at(),
                ends_at: Some(at.min(now)),
                value: alert.value(),
                generator_url: None,
            });
        }
    }

    /// When the next one lapses, unless it is heard of.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.lapses.first().map(|(at, _)| *at)
    }

    /// The wall clock was set by so many milliseconds: nothing is over for that.
    pub(crate) fn shift(&mut self, by: i64) {
        for known in self.of.values_mut() {
            known.lapses = Timestamp::from_millis(known.lapses.millis().saturating_add(by));
        }
        self.lapses = self.of.iter().map(|(fingerprint, known)| (known.lapses, *fingerprint)).collect();
    }

    fn know(&mut self, fingerprint: Fingerprint, state: RuleAlertState, lapses: Timestamp) {
        self.forget(fingerprint);
        self.lapses.insert((lapses, fingerprint));
        self.of.insert(fingerprint, Known { state, lapses });
    }

    fn forget(&mut self, fingerprint: Fingerprint) {
        if let Some(known) = self.of.remove(&fingerprint) {
            self.lapses.remove(&(known.lapses, fingerprint));
        }
    }
}

fn update(alert: &RuleAlert, ends_at: Option<Timestamp>, now: Timestamp) -> AlertUpdate {
    AlertUpdate {
        fingerprint: Fingerprint(alert.fingerprint),
        origin: Origin::Rule,
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at: alert.starts_at,
        fired_at: now,
        ends_at,
        value: Some(alert.value),
        generator_url: None,
    }
}

fn pending_row(alert: &RuleAlert) -> AlertRow {
    AlertRow {
        fingerprint: Fingerprint(alert.fingerprint).to_string(),
        name: alert.labels.get("alertname").unwrap_or(&alert.rule).to_owned(),
        monitor: alert.labels.get("monitor").and_then(|m| MonitorName::new(m).ok()),
        severity: alert.severity.unwrap_or(Severity::Warning),
        state: AlertState::Pending,
        since: alert.starts_at,
        starts_at: alert.starts_at,
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        value: Some(alert.value),
        ack: None,
        muted: None,
        deliveries: Vec::new(),
    }
}

fn event(alert: &RuleAlert, fingerprint: Fingerprint, what: &'static str, now: Timestamp, out: &mut Decisions) {
    let about = about(&alert.labels);
    let held = Short(now.since(alert.starts_at));
    let detail = match what {
        "pending" => format!("{about}value {}", alert.value),
        "firing" => format!("{about}value {}, held for {held}", alert.value),
        _ => format!("{about}after {held}"),
    };
    let event = NewEvent::new(now, EventKind::Alert, &alert.rule, what, detail).about([fingerprint]);
    out.changes.push(Change::Event(event));
}

/// The labels that tell this alert of the rule from others.
fn about(labels: &Labels) -> String {
    let own = labels.filtered(|name| !matches!(name, "alertname" | "severity"));
    if own.is_empty() { String::new() } else { format!("{own}: ") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::dispatch::{Event, Setup};

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + s * 1_000)
    }

    fn firing(now: Timestamp) -> RuleAlert {
        let labels = Labels::new([("alertname", "SlowShop")]);
        RuleAlert {
            fingerprint: labels.fingerprint(),
            labels,
            annotations: Labels::default(),
            state: RuleAlertState::Firing,
            starts_at: now,
            ends_at: now.plus(Duration::from_secs(240)),
            value: 1.0,
            rule: "SlowShop".to_owned(),
            group: "web".to_owned(),
            query: "up == 0".to_owned(),
            source: String::new(),
            severity: None,
        }
    }

    #[test]
    fn an_alert_of_which_nothing_is_heard_is_over_and_a_clock_that_is_set_ends_none() {
        let mut dispatcher = Dispatcher::new(Arc::new(Setup::default()), at(0));
        let (mut rules, mut out) = (RuleAlerts::default(), Decisions::default());
        rules.take(vec![firing(at(0))], &dispatcher, at(0), &mut out);
        dispatcher.step(at(0), Event::Alerts(std::mem::take(&mut out.updates)));
        rules.shift(3_600_000);
        dispatcher.step(at(3_601), Event::ClockJumped(3_600_000));
        rules.lapse(&dispatcher, at(3_839), &mut out);
        assert_eq!((out.updates.len(), rules.next()), (0, Some(at(3_840))));
        rules.lapse(&dispatcher, at(3_840), &mut out);
        assert_eq!((out.updates[0].ends_at, rules.next()), (Some(at(3_840)), None));
    }

    #[test]
    fn the_end_of_one_that_is_held_as_flapping_is_in_the_history_once() {
        let mut dispatcher = Dispatcher::new(Arc::new(Setup::default()), at(0));
        let (mut rules, mut out) = (RuleAlerts::default(), Decisions::default());
        for s in 0..20 {
            let now = at(s);
            let over = RuleAlert { state: RuleAlertState::Resolved, ends_at: now, ..firing(now) };
            let alert = if s % 2 == 0 { firing(now) } else { over };
            rules.take(vec![alert], &dispatcher, now, &mut out);
            dispatcher.step(now, Event::Alerts(std::mem::take(&mut out.updates)));
        }
        assert!(dispatcher.alerts().all(|a| a.fires() && a.flapping_since().is_some()));
        out.changes.clear();
        let over = RuleAlert { state: RuleAlertState::Resolved, ends_at: at(19), ..firing(at(19)) };
        rules.take(vec![over], &dispatcher, at(79), &mut out);
        assert!(out.changes.is_empty());
    }
}
