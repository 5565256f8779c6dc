//! Why something is as it is: from the file to the phone, and the first step that stops it.

use std::sync::Arc;

use crate::alert::dispatch::{Alert, Dispatcher, Explained, Explanation, Origin, Verdict};
use crate::alert::rule::{Fingerprint, MONITOR_DOWN, MONITOR_UNKNOWN};
use crate::base::labels::Labels;
use crate::base::name::MonitorName;
use crate::base::nearest::nearest;
use crate::base::time::Timestamp;
use crate::base::units::{Exact, Short};
use crate::config::model::{Config, Monitor};
use crate::engine::alerting::{Alerting, preview, store, views};
use crate::engine::evaluator::Progress;
use crate::engine::handle::EngineError;
use crate::state::DeliveryFilter;
use crate::wire::alerting::{DeliveryItem, RuleRow, RuleState, StepOutcome, Why, WhyStep};
use crate::wire::board::{AlertState, DeliveryState, MonitorRow, State};

/// Deliveries that are looked at.
const DELIVERIES: usize = 20;

impl Alerting {
    /// Explains a monitor's alert, or any alert that fires or was over lately.
    ///
    /// # Errors
    /// Nothing of that name is known.
    pub async fn why(&self, about: &str, kind: Option<&str>) -> Result<Why, EngineError> {
        let config = Arc::clone(&self.config.borrow().config);
        let monitor = config.monitors.iter().find(|(name, _)| name.as_str() == about).map(|(_, m)| Arc::clone(m));
        let wanted = about.to_owned();
        let found = self.look(move |d, _| views::find(d, &wanted)).await?;
        let alert = found.as_ref().ok().copied();
        let rule = self.rules.alerting(about);
        if let Some(rule) = rule.filter(|_| kind == Some("rule") || (kind.is_none() && monitor.is_none())) {
            return self.why_rule(&rule).await;
        }
        match (kind, monitor, alert) {
            (Some("monitor") | None, Some(monitor), _) => self.why_monitor(&monitor).await,
            (Some("alert") | None, _, Some(alert)) => self.why_alert(&config, about, alert).await,
            (Some("alert"), Some(monitor), None) => self.why_monitor(&monitor).await,
            (_, _, _) => {
                if let Err(views::Unfound::Many(which)) = found {
                    return Err(EngineError::Ambiguous { id: about.to_owned(), which });
                }
                let names = config.monitors.keys().map(MonitorName::as_str);
                let near = nearest(about, names).map(str::to_owned);
                Err(EngineError::NothingToExplain { about: about.to_owned(), nearest: near })
            }
        }
    }

    async fn why_alert(&self, config: &Config, about: &str, fingerprint: Fingerprint) -> Result<Why, EngineError> {
        let look = move |d: &Dispatcher, now| {
            let alert = d.alert(fingerprint)?;
            Some((d.explain(fingerprint)?, alert.origin(), alert.labels().clone(), now))
        };
        let found = self.look(look).await?.ok_or_else(|| EngineError::NoSuchAlert { id: about.to_owned() })?;
        let (explanation, origin, labels, now) = found;
        let name = labels.get("alertname").unwrap_or_default();
        let gone = |what| vec![step("loaded", StepOutcome::Stop, format!("its {what} is in no file any more"))];
        let mut steps = match origin {
            Origin::Monitor => {
                let of = labels.get("monitor").and_then(|m| config.monitors.iter().find(|(n, _)| n.as_str() == m));
                let rule = if name == MONITOR_UNKNOWN { MONITOR_UNKNOWN } else { MONITOR_DOWN };
                match of {
                    Some((_, monitor)) => self.monitor_steps(monitor, rule, now).await?,
                    None => gone("monitor"),
                }
            }
            Origin::Rule => self.rules.alerting(name).map_or_else(|| gone("rule"), |rule| rule_steps(&rule, now)),
            Origin::Own => own_steps(&labels),
            Origin::Foreign => vec![step("loaded", StepOutcome::Pass, "another server sent it".to_owned())],
        };
        self.finish("alert", about, fingerprint, explanation, &mut steps, now).await
    }

    async fn why_monitor(&self, monitor: &Arc<Monitor>) -> Result<Why, EngineError> {
        // Which alert it has, or would have.
        let unknown = Fingerprint::of(MONITOR_UNKNOWN, &monitor.name).to_string();
        let cannot_be_judged = self.board.borrow().alerts.iter().any(|a| {
            let stands = matches!(a.state, AlertState::Pending | AlertState::Firing);
            stands && a.fingerprint == unknown
        });
        let down = Fingerprint::of(MONITOR_DOWN, &monitor.name);
        let fires = self.look(move |d, _| d.alert(down).is_some_and(Alert::fires)).await?;
        let rule = if cannot_be_judged && !fires { MONITOR_UNKNOWN } else { MONITOR_DOWN };
        let fingerprint = Fingerprint::of(rule, &monitor.name);
        let labels = preview::labels_of(monitor);
        let look = move |d: &Dispatcher, now| {
            let known = d.explain(fingerprint);
            (known.unwrap_or_else(|| d.explain_labels(&labels)), now)
        };
        let (explanation, now) = self.look(look).await?;
        let mut steps = self.monitor_steps(monitor, rule, now).await?;
        self.finish("monitor", monitor.name.as_str(), fingerprint, explanation, &mut steps, now).await
    }

    async fn why_rule(&self, rule: &RuleRow) -> Result<Why, EngineError> {
        let name = rule.name.clone();
        let severity = rule.severity.map_or("warning", |s| s.as_str());
        let labels = Labels::new([("alertname", name.as_str()), ("severity", severity)]);
        let look = move |d: &Dispatcher, now| {
            // Another server's may be called like it.
            let of_rule = |a: &&Alert| a.origin() == Origin::Rule && a.labels().get("alertname") == Some(name.as_str());
            let alert = d.alerts().filter(of_rule).max_by_key(|a| (a.fires(), a.changed_at()));
            let fingerprint = alert.map_or(Fingerprint(labels.fingerprint()), Alert::fingerprint);
            let explanation = d.explain(fingerprint).unwrap_or_else(|| d.explain_labels(&labels));
            (fingerprint, explanation, now)
        };
        let (fingerprint, explanation, now) = self.look(look).await?;
        let mut steps = rule_steps(rule, now);
        self.finish("rule", &rule.name, fingerprint, explanation, &mut steps, now).await
    }

    /// Loaded, series, value, hold: what comes before the alert `rule` of this monitor.
    async fn monitor_steps(
        &self,
        monitor: &Monitor,
        rule: &'static str,
        now: Timestamp,
    ) -> Result<Vec<WhyStep>, EngineError> {
        let mut steps = Vec::new();
        let loaded = match (monitor.paused, monitor.alert) {
            (true, _) => step("loaded", StepOutcome::Stop, "the monitor is paused in its file".to_owned()),
            (false, None) => step("loaded", StepOutcome::Stop, "its file says `alert: false`".to_owned()),
            (false, Some(policy)) => {
                let text =
                    format!("fires after {} failures in a row, clears after {}", policy.after, policy.clear_after);
                step("loaded", StepOutcome::Pass, text)
            }
        };
        steps.push(WhyStep { source: Some(monitor.source.clone()), ..loaded });
        let name = monitor.name.clone();
        let progress = self.ask(move |turn| turn.progress(&name, rule)).await?;
        let board = Arc::clone(&self.board.borrow());
        let row: Option<&MonitorRow> = board.monitors.iter().map(|m| &**m).find(|m| m.name == monitor.name);
        let Some(row) = row else {
            steps.push(step("series", StepOutcome::Waiting, "it has not been shown yet".to_owned()));
            return Ok(steps);
        };
        let Some(last) = row.last else {
            steps.push(step("series", StepOutcome::Waiting, "it has not been probed yet".to_owned()));
            return Ok(steps);
        };
        let mut series = step("series", StepOutcome::Pass, format!("last probed {} ago", Short(now.since(last))));
        series.facts.push(("target".to_owned(), row.target.to_string()));
        series.facts.extend(row.interval.map(|i| ("interval".to_owned(), Exact(i).to_string())));
        steps.push(series);
        let unknown = rule == MONITOR_UNKNOWN;
        let bad = if unknown { row.state == State::Unknown } else { row.state == State::Down || row.failures > 0 };
        let outcome = if bad { StepOutcome::Pass } else { StepOutcome::Stop };
        let text = format!("{}: {}", row.state.as_str(), row.headline);
        steps.push(step("value", outcome, text));
        steps.push(match monitor.alert {
            None => step("hold", StepOutcome::Skipped, "it raises no alert".to_owned()),
            Some(_) if !unknown && row.state == State::Unknown => {
                step("hold", StepOutcome::Skipped, "nothing is counted while it cannot be judged".to_owned())
            }
            Some(_) if !unknown && progress.failures == 0 && !progress.fires => {
                step("hold", StepOutcome::Skipped, "the last result was good".to_owned())
            }
            Some(policy) => hold(&progress, policy.after, rule),
        });
        Ok(steps)
    }

    async fn finish(
        &self,
        kind: &str,
        about: &str,
        fingerprint: Fingerprint,
        explanation: Explanation,
        steps: &mut Vec<WhyStep>,
        now: Timestamp,
    ) -> Result<Why, EngineError> {
        steps.extend(explanation.steps.into_iter().map(explained));
        let filter = DeliveryFilter { limit: DELIVERIES, alert: Some(fingerprint), ..DeliveryFilter::default() };
        let deliveries = self.db.deliveries(filter).await.map_err(store)?.deliveries;
        steps.push(attempts(&deliveries, now));
        let stops_at = stops_at(steps);
        let verdict = match stops_at.and_then(|i| steps.get(i)) {
            Some(s) if s.outcome == StepOutcome::Waiting => format!("under way at `{}`: {}", s.name, s.text),
            Some(s) => format!("stopped at `{}`: {}", s.name, s.text),
            None => "somebody was told".to_owned(),
        };
        Ok(Why {
            kind: kind.to_owned(),
            about: about.to_owned(),
            verdict,
            steps: std::mem::take(steps),
            stops_at,
            evaluations: Vec::new(),
            at: now,
        })
    }
}

/// How far the alert `rule` of a monitor is that has failed.
fn hold(progress: &Progress, after: u32, rule: &str) -> WhyStep {
    let failures = progress.failures;
    let (few, many) = match rule {
        MONITOR_UNKNOWN => ("result", "in a row could not be judged"),
        _ => ("failure", "failures in a row"),
    };
    if failures < after && !progress.fires {
        return step("hold", StepOutcome::Waiting, format!("{few} {failures} of {after}"));
    }
    let counted = format!("{failures} {many}, {after} are needed");
    match &progress.waits_for {
        Some(parent) => {
            let text =
                format!("{counted}; waits until `{parent}`, on which it depends, was found up after it began to fail");
            step("hold", StepOutcome::Waiting, text)
        }
        None => step("hold", StepOutcome::Pass, counted),
    }
}

/// What comes before an alert about ourselves.
fn own_steps(labels: &Labels) -> Vec<WhyStep> {
    let Some(us) = views::about_us(labels) else { return Vec::new() };
    let raised = format!("Watchdog itself raises it: {}", us.condition);
    let held = format!("it held for {}", Exact(us.hold));
    vec![step("loaded", StepOutcome::Pass, raised), step("hold", StepOutcome::Pass, held)]
}

/// The step that stops it, or where it stands. An alert that fires has passed what comes before, whatever that says by
/// now; of several routes one that lets it through is enough, and one on which it is under way says more than one that
/// stops it.
fn stops_at(steps: &[WhyStep]) -> Option<usize> {
    let halts = |s: &WhyStep| matches!(s.outcome, StepOutcome::Stop | StepOutcome::Waiting);
    let named = |name: &'static str| steps.iter().enumerate().filter(move |(_, s)| s.name == name).map(|(i, _)| i);
    let first = |from: usize, to: usize| (from..to).find(|i| steps.get(*i).is_some_and(halts));
    let fires = named("state").find(|i| steps.get(*i).is_some_and(|s| s.outcome == StepOutcome::Pass));
    let end = named("attempts").next().unwrap_or(steps.len());
    let routes: Vec<usize> = named("route").chain([end]).collect();
    let common = first(fires.unwrap_or(0), routes.first().copied().unwrap_or(end));
    if common.is_some() {
        return common;
    }
    let halted: Vec<Option<usize>> = routes.windows(2).map(|pair| first(pair[0], pair[1])).collect();
    if halted.is_empty() || halted.contains(&None) {
        return first(end, steps.len());
    }
    let waits = |i: &usize| steps.get(*i).is_some_and(|s| s.outcome == StepOutcome::Waiting);
    let halted: Vec<usize> = halted.into_iter().flatten().collect();
    halted.iter().copied().find(waits).or_else(|| halted.first().copied())
}

/// Loaded, series, value, hold: what a rule does before there is an alert.
fn rule_steps(rule: &RuleRow, now: Timestamp) -> Vec<WhyStep> {
    let mut loaded = step("loaded", StepOutcome::Pass, format!("every {}: {}", Exact(rule.interval), rule.query));
    loaded.source = Some(rule.source.clone());
    loaded.facts.push(("group".to_owned(), rule.group.clone()));
    let Some(at) = rule.last_evaluation else {
        let text = "it has not been evaluated yet".to_owned();
        return vec![loaded, step("series", StepOutcome::Waiting, text)];
    };
    let ago = Short(now.since(at));
    let mut series = match (&rule.last_error, rule.series) {
        (Some(error), _) => step("series", StepOutcome::Stop, format!("the last evaluation failed: {error}")),
        (None, 0) if rule.never_matched => {
            step("series", StepOutcome::Stop, "it has never given a series since it was loaded".to_owned())
        }
        (None, 0) => {
            step("series", StepOutcome::Stop, "its query gives no series: the condition does not hold".to_owned())
        }
        (None, n) => step("series", StepOutcome::Pass, format!("its query gives {n} series")),
    };
    series.facts.push(("evaluated".to_owned(), format!("{ago} ago")));
    series.facts.extend(rule.took.map(|t| ("took".to_owned(), Exact(t).to_string())));
    series.facts.push(("missed slots".to_owned(), rule.missed.to_string()));
    // Series without an alert: the rule has a condition beside its query.
    let unmet = rule.state == Some(RuleState::Inactive) && rule.series > 0 && rule.last_error.is_none();
    let value = match rule.value {
        Some(v) if unmet => {
            let text = format!("the first series has the value {v}: the condition holds for none");
            step("value", StepOutcome::Stop, text)
        }
        None if unmet => step("value", StepOutcome::Stop, "the condition holds for no series".to_owned()),
        Some(v) => step("value", StepOutcome::Pass, format!("the first series has the value {v}")),
        None => step("value", StepOutcome::Skipped, "there is no value".to_owned()),
    };
    let hold = rule.hold.unwrap_or_default();
    let hold = match rule.state {
        Some(RuleState::Firing) => step("hold", StepOutcome::Pass, format!("it held for {}", Exact(hold))),
        Some(RuleState::Pending) => step("hold", StepOutcome::Waiting, format!("it must hold for {}", Exact(hold))),
        Some(RuleState::Inactive) | None => step("hold", StepOutcome::Skipped, "nothing is to be held".to_owned()),
    };
    vec![loaded, series, value, hold]
}

fn step(name: &str, outcome: StepOutcome, text: String) -> WhyStep {
    WhyStep { name: name.to_owned(), outcome, text, facts: Vec::new(), source: None }
}

fn explained(step: Explained) -> WhyStep {
    let outcome = match step.verdict {
        Verdict::Pass => StepOutcome::Pass,
        Verdict::Waiting => StepOutcome::Waiting,
        Verdict::Stop => StepOutcome::Stop,
        Verdict::Skipped => StepOutcome::Skipped,
    };
    WhyStep { name: step.name.to_owned(), outcome, text: step.text, facts: step.facts, source: step.source }
}

/// The last step: whether what was decided arrived.
fn attempts(deliveries: &[DeliveryItem], now: Timestamp) -> WhyStep {
    let Some(newest) = deliveries.first() else {
        return step("attempts", StepOutcome::Skipped, "nothing was sent about it".to_owned());
    };
    // A repeat that is still owed does not undo that somebody was told; what was said before the last turn does not
    // count.
    let latest = deliveries.iter().take_while(|d| d.status == newest.status);
    let newest = latest.into_iter().find(|d| d.state == DeliveryState::Delivered).unwrap_or(newest);
    let ago = Short(now.since(newest.at));
    let (outcome, text) = match newest.state {
        DeliveryState::Delivered => {
            (StepOutcome::Pass, format!("{} took the last message, {ago} ago", newest.notifier))
        }
        DeliveryState::Owed => (StepOutcome::Waiting, format!("owed to {} since {ago}", newest.notifier)),
        DeliveryState::Dead => (StepOutcome::Stop, format!("{} did not take it: given up", newest.notifier)),
    };
    let mut out = step("attempts", outcome, text);
    for item in deliveries {
        let last = item.attempts.last();
        let how = match (item.state, last) {
            (DeliveryState::Delivered, Some(a)) => {
                format!("delivered, attempt {}, {}", item.attempts.len(), Exact(a.took))
            }
            (DeliveryState::Delivered, None) => "delivered".to_owned(),
            (state, last) => {
                let error = last.and_then(|a| a.detail.as_deref()).unwrap_or("not tried yet");
                let word = if state == DeliveryState::Dead { "given up" } else { "owed" };
                format!("{word}, {} attempts: {error}", item.attempts.len())
            }
        };
        out.facts.push((format!("{} {} {}", item.at, item.notifier, item.status.as_str()), how));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{files, impaired};
    use crate::base::message::Status::{Firing, Resolved};
    use crate::wire::board::DeliveryState::{Delivered, Owed};

    /// Steps by the first letters of their outcomes: `value:s` stops, `w` waits, `p` passes, `-` plays no part.
    #[track_caller]
    fn check(steps: &str, expected: Option<&str>) {
        let outcome = |letter| match letter {
            "p" => StepOutcome::Pass,
            "w" => StepOutcome::Waiting,
            "s" => StepOutcome::Stop,
            _ => StepOutcome::Skipped,
        };
        let all = steps.split(' ').map(|s| s.split_once(':').unwrap());
        let all: Vec<WhyStep> = all.map(|(name, o)| step(name, outcome(o), String::new())).collect();
        let found = stops_at(&all).map(|i| format!("{} {i}", all[i].name));
        assert_eq!(found.as_deref(), expected, "{steps}");
    }

    #[test]
    fn one_route_that_lets_an_alert_through_is_enough() {
        check("value:s hold:- state:s silence:p route:p group:- decision:- attempts:p", Some("value 0"));
        check("value:s hold:- state:p silence:p route:p group:p decision:p attempts:p", None);
        check("value:p state:p silence:s route:p group:p decision:s attempts:p", Some("silence 2"));
        check("state:p route:p window:s group:p decision:s route:p group:p decision:p attempts:w", Some("attempts 8"));
        check("state:p route:s group:p route:p group:w decision:w attempts:-", Some("group 4"));
        check("state:p route:p window:s route:s group:p attempts:-", Some("window 2"));
        check("state:p route:p group:p decision:p attempts:s", Some("attempts 4"));
    }

    #[test]
    fn a_repeat_that_is_owed_does_not_undo_that_somebody_was_told() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let item = |state, status| DeliveryItem {
            id: 1,
            at: now,
            receiver: "ops".to_owned(),
            notifier: "ops".to_owned(),
            status,
            reason: String::new(),
            subject: String::new(),
            alerts: 1,
            fingerprints: Vec::new(),
            state,
            attempts: Vec::new(),
            next_attempt: None,
            key: String::new(),
        };
        let outcome = |all: &[DeliveryItem]| attempts(all, now).outcome;
        assert_eq!(outcome(&[item(Owed, Firing), item(Delivered, Firing)]), StepOutcome::Pass);
        assert_eq!(outcome(&[item(Owed, Firing), item(Delivered, Resolved)]), StepOutcome::Waiting);
        assert_eq!(outcome(&[]), StepOutcome::Skipped);
    }

    #[test]
    fn an_alert_that_waits_for_a_monitor_above_names_it_and_says_how_far_it_is() {
        let step = |rule, failures, waits: Option<&str>, fires| {
            let waits_for = waits.map(|w| MonitorName::new(w).unwrap());
            let step = hold(&Progress { failures, fires, waits_for }, 2, rule);
            (step.outcome, step.text)
        };
        let waits = "waits until `gateway`, on which it depends, was found up after it began to fail";
        for (rule, few, many) in [
            (MONITOR_DOWN, "failure", "failures in a row"),
            (MONITOR_UNKNOWN, "result", "in a row could not be judged"),
        ] {
            let counted = |n| format!("{n} {many}, 2 are needed");
            assert_eq!(step(rule, 1, Some("gateway"), false), (StepOutcome::Waiting, format!("{few} 1 of 2")));
            let held = step(rule, 7, Some("gateway"), false);
            assert_eq!(held, (StepOutcome::Waiting, format!("{}; {waits}", counted(7))));
            assert_eq!(step(rule, 7, None, false), (StepOutcome::Pass, counted(7)));
            // It clears after more than one success.
            assert_eq!(step(rule, 0, None, true), (StepOutcome::Pass, counted(0)));
        }
    }

    #[test]
    fn what_watchdog_raises_about_itself_comes_from_no_other_server() {
        for (labels, want) in [
            (files::words(1, "").labels, ["the configuration files have errors, for 1m", "it held for 1m"]),
            (
                impaired::words("local_route", "").labels,
                ["this machine is in the way of monitors: local_route, for 30s", "it held for 30s"],
            ),
        ] {
            let texts: Vec<String> = own_steps(&labels).into_iter().map(|s| s.text).collect();
            assert_eq!(texts, [format!("Watchdog itself raises it: {}", want[0]), want[1].to_owned()]);
        }
    }

    #[test]
    fn the_step_that_stops_a_rule_is_named() {
        let row = |series: usize, value: Option<f64>, state: &str| -> RuleRow {
            let row = serde_json::json!({
                "kind": "alert", "name": "A", "group": "g", "source": "rules.d/a.yaml:2:5", "query": "x > 1",
                "state": state, "health": "ok", "last_evaluation": "2026-01-01T00:00:00Z", "interval": 15.0,
                "hold": 60.0, "series": series, "value": value, "firings": 0, "missed": 0, "never_matched": false,
            });
            serde_json::from_value(row).unwrap()
        };
        #[track_caller]
        fn check(row: &RuleRow, stop: Option<&str>) {
            let steps = rule_steps(row, row.last_evaluation.unwrap());
            let first = steps.iter().find(|s| s.outcome == StepOutcome::Stop).map(|s| s.name.as_str());
            assert_eq!(first, stop, "{steps:?}");
        }
        check(&row(0, None, "inactive"), Some("series"));
        check(&row(4, Some(0.5), "inactive"), Some("value"));
        check(&row(4, None, "inactive"), Some("value"));
        check(&row(4, Some(2.0), "pending"), None);
        check(&row(4, Some(2.0), "firing"), None);
    }
}
