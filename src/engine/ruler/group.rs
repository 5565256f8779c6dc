//! One group at work: its rules in their order, its slots, what it knew before a restart.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::alert::evaluation::{ALERTS_FOR_STATE, OUTAGE_TOLERANCE, State};
use crate::base::labels::{Labels, METRIC_NAME};
use crate::base::matcher::Matcher;
use crate::base::sample::Column;
use crate::base::time::Timestamp;
use crate::config::rules::RuleGroup;
use crate::config::storage::QueryLimits;
use crate::engine::query::millis;
use crate::engine::ruler::metrics::RuleMetrics;
use crate::engine::ruler::report::{GroupStatus, RuleAlert};
use crate::engine::ruler::rule::{RuleError, RuleRun, Slot, end};
use crate::promql::ast::Expr;
use crate::promql::eval::eval;
use crate::promql::parser::Features;
use crate::promql::source::{Resolution, Select, Source as _, SourceError, Want};
use crate::promql::value::{Cancel, EvalError, Limits, Query, Times, Value};
use crate::tsdb::{Ack, Batch, Tsdb};

/// A group as others see it.
#[derive(Debug)]
pub struct GroupView {
    /// What it is.
    pub group: Arc<RuleGroup>,
    /// How it does, as of its last evaluation.
    pub status: ArcSwap<GroupStatus>,
}

/// What evaluations work with.
pub(super) struct Bench<'a> {
    pub(super) tsdb: &'a Tsdb,
    pub(super) limits: QueryLimits,
    pub(super) features: Features,
    /// Notes that a query begins now; each has its own patience.
    pub(super) begin: &'a (dyn Fn() -> Cancel + 'a),
    /// Nothing that a query says now counts.
    pub(super) stopping: &'a AtomicBool,
    pub(super) external_url: &'a str,
    pub(super) external_labels: &'a Labels,
}

impl Bench<'_> {
    /// The value of an expression. On this thread: there are other rules to evaluate on others.
    pub(super) fn ask(&self, expr: &Expr, text: &str, t: i64) -> Result<Value, EvalError> {
        let query = Query {
            expr,
            text,
            at: Times::Instant(t),
            lookback: millis(self.limits.lookback),
            default_step: millis(self.limits.default_step),
            resolution: None,
            delayed_name_removal: self.limits.experimental,
        };
        let limits = Limits {
            max_samples: self.limits.max_samples,
            max_series: self.limits.max_series,
            threads: 1,
            cancel: (self.begin)(),
        };
        eval(&query, self.tsdb, &limits).map(|answer| answer.value)
    }

    /// Whether the server goes down: queries are being ended, which says nothing about alerts.
    pub(super) fn stops(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// A group with what it remembers.
pub(super) struct Running {
    pub(super) view: Arc<GroupView>,
    rules: Vec<RuleRun>,
    /// The next slot.
    pub(super) next: Timestamp,
    missed: u64,
    /// Evaluations until state from before the start is looked for; `None` when that is done.
    restore_in: Option<u8>,
    /// Series of rules that are gone, to be ended with the next evaluation.
    ending: Vec<Labels>,
    /// Alerts of rules that are gone, to be told as over.
    over: Vec<RuleAlert>,
}

/// Prometheus looks for the state of before a restart after the second evaluation: alerts may depend on series that
/// rules record, and those must have had their time.
const RESTORE_AFTER: u8 = 2;

impl Running {
    pub(super) fn new(group: Arc<RuleGroup>, now: Timestamp, restore: bool) -> Self {
        let mut rules: Vec<RuleRun> = group.rules.iter().map(|_| RuleRun::default()).collect();
        rules.iter_mut().for_each(|r| r.alerts.restored = !restore);
        let next = slot_after(&group, now);
        let restore_in = restore.then_some(RESTORE_AFTER);
        let view = Arc::new(GroupView { group, status: ArcSwap::default() });
        let running = Self { view, rules, next, missed: 0, restore_in, ending: Vec::new(), over: Vec::new() };
        running.publish(None, Duration::ZERO);
        running
    }

    /// The same group otherwise defined: rules that are still there, by kind, name and labels, keep what they know.
    pub(super) fn redefined(self, group: Arc<RuleGroup>, now: Timestamp) -> Self {
        let mut known: HashMap<u64, Vec<(usize, RuleRun)>> = HashMap::new();
        for (i, (rule, run)) in self.view.group.rules.iter().zip(self.rules).enumerate().rev() {
            known.entry(rule.identity).or_default().push((i, run));
        }
        let restored = self.restore_in.is_none();
        let rules = group.rules.iter().map(|rule| {
            let before = known.get_mut(&rule.identity).and_then(Vec::pop);
            before.map_or_else(
                || {
                    let mut fresh = RuleRun::default();
                    fresh.alerts.restored = restored;
                    fresh
                },
                |(_, run)| run,
            )
        });
        let rules = rules.collect();
        let (mut ending, mut over) = (self.ending, self.over);
        for (i, mut run) in known.into_values().flatten() {
            let mut batch = Batch::default();
            run.end_all(0, &mut batch);
            ending.extend(batch.iter().map(|(key, _)| Labels::from_key(key)));
            over.extend(ended(&self.view.group, i, &run, now));
        }
        let next = if self.view.group.interval == group.interval { self.next } else { slot_after(&group, now) };
        let view = Arc::new(GroupView { group, status: ArcSwap::default() });
        let running = Self { view, rules, next, missed: self.missed, restore_in: self.restore_in, ending, over };
        running.publish(None, Duration::ZERO);
        running
    }

    /// The end of the group: its series end, its alerts are over.
    pub(super) fn close(mut self, now: Timestamp, batch: &mut Batch) -> Vec<RuleAlert> {
        let mut over = std::mem::take(&mut self.over);
        self.ending.iter().for_each(|labels| end(labels, now.millis(), batch));
        for (i, run) in self.rules.iter_mut().enumerate() {
            over.extend(ended(&self.view.group, i, run, now));
            run.end_all(now.millis(), batch);
        }
        over
    }

    /// Whether the next slot is further away than it can be unless the clock was set back.
    pub(super) fn is_ahead(&self, now: Timestamp, tolerance: Duration) -> bool {
        self.next > now.plus(self.view.group.interval).plus(tolerance)
    }

    /// Finds the slot anew after the clock was set back.
    pub(super) fn rewind(&mut self, now: Timestamp) {
        self.next = self.next.min(slot_after(&self.view.group, now));
    }

    /// The newest slot that is due, the next one being so; those passed over are counted.
    pub(super) fn due(&mut self, now: Timestamp, metrics: &RuleMetrics) -> Timestamp {
        let interval = millis(self.view.group.interval).max(1);
        let missed = now.millis().saturating_sub(self.next.millis()).max(0) / interval;
        if missed > 0 {
            self.missed += missed.unsigned_abs();
            metrics.missed.inc_by(missed.unsigned_abs());
        }
        let slot = Timestamp::from_millis(self.next.millis().saturating_add(missed * interval));
        self.next = Timestamp::from_millis(slot.millis().saturating_add(interval));
        slot
    }

    /// Evaluates every rule for `slot`.
    pub(super) fn evaluate(
        &mut self,
        slot: Timestamp,
        bench: &Bench<'_>,
        metrics: &RuleMetrics,
        out: &mpsc::Sender<Vec<RuleAlert>>,
        batch: &mut Batch,
    ) {
        let began = Instant::now();
        let group = Arc::clone(&self.view.group);
        let at = Slot { at: slot, t: slot.minus(group.query_offset).millis() };
        let mut cancelled = Vec::new();
        let mut tell = std::mem::take(&mut self.over);
        batch.clear();
        self.ending.drain(..).for_each(|labels| end(&labels, at.t, batch));
        let mut before = began;
        for (rule, run) in group.rules.iter().zip(&mut self.rules) {
            let mut result = guarded(|| run.evaluate(rule, group.limit, at, bench, batch, &mut cancelled));
            if bench.stops() {
                return;
            }
            if matches!(result, Err(RuleError::Crashed)) {
                batch.clear();
            }
            if !batch.is_empty() {
                // What the next rule may read.
                let stored = bench.tsdb.append(batch, Ack::Written, slot);
                match (&result, stored) {
                    (_, Ok(appended)) => drop(metrics.samples.inc_by(appended.stored)),
                    (Ok(()), Err(e)) => result = Err(RuleError::Append(e)),
                    (Err(_), Err(_)) => {}
                }
                batch.clear();
            }
            let now = Instant::now();
            run.done(slot, now - before, &result);
            before = now;
            metrics.evaluations.inc();
            if let Err(e) = result {
                metrics.failures.inc();
                let error = crate::base::failure::Chain(&e);
                tracing::debug!(rule = rule.name, source = rule.source, error = %error, "a rule could not be evaluated");
            }
            tell.extend(cancelled.drain(..).map(|alert| RuleAlert::of(&alert, &group, rule, slot)));
        }
        if let Some(left) = self.restore_in {
            self.restore_in = left.checked_sub(1).filter(|left| *left > 0);
            if self.restore_in.is_none() {
                self.restore(slot, bench.tsdb);
            }
        }
        self.tell(slot, tell, metrics, out);
        let took = before - began;
        metrics.iterations.inc();
        metrics.group_seconds.observe(took.as_secs_f64());
        self.publish(Some(slot), took);
    }

    /// Tells of alerts that are new, over, or go on for a minute more. Without room, next time.
    fn tell(
        &mut self,
        slot: Timestamp,
        mut list: Vec<RuleAlert>,
        metrics: &RuleMetrics,
        out: &mpsc::Sender<Vec<RuleAlert>>,
    ) {
        if list.is_empty() && self.rules.iter().all(|r| r.alerts.is_empty()) {
            return;
        }
        let Ok(room) = out.try_reserve() else {
            metrics.untold.inc();
            self.over = list;
            return;
        };
        let group = &self.view.group;
        for (rule, run) in group.rules.iter().zip(&mut self.rules) {
            run.alerts.tell(slot, |alert| {
                list.push(RuleAlert::of(alert, group, rule, slot));
                true
            });
        }
        if !list.is_empty() {
            room.send(list);
        }
    }

    /// Reads since when alerts were active before the start.
    fn restore(&mut self, now: Timestamp, tsdb: &Tsdb) {
        let group = Arc::clone(&self.view.group);
        for (rule, run) in group.rules.iter().zip(&mut self.rules) {
            let Some(alerting) = rule.alerting() else {
                run.alerts.restored = true;
                continue;
            };
            let saved = if run.alerts.is_empty() { Ok(HashMap::new()) } else { last_states(tsdb, &rule.name, now) };
            let saved = saved.unwrap_or_else(|e| {
                tracing::warn!(rule = rule.name, error = %crate::base::failure::Chain(&e), "the state of alerts could not be restored");
                HashMap::new()
            });
            run.alerts.restore(alerting.policy.hold, now, |labels| saved.get(labels).copied());
        }
    }

    fn publish(&self, slot: Option<Timestamp>, took: Duration) {
        let rules = self.rules.iter().map(|r| r.status.clone()).collect();
        let status = GroupStatus { last_evaluation: slot, took, missed: self.missed, rules };
        self.view.status.store(Arc::new(status));
    }
}

/// A rule whose evaluation panics fails, and those after it have their turn.
fn guarded(work: impl FnOnce() -> Result<(), RuleError>) -> Result<(), RuleError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(RuleError::Crashed))
}

/// The active alerts of a rule that is gone, as over.
fn ended(group: &RuleGroup, rule: usize, run: &RuleRun, now: Timestamp) -> Vec<RuleAlert> {
    let Some(rule) = group.rules.get(rule) else { return Vec::new() };
    let active = run.alerts.iter().filter(|a| a.state != State::Inactive);
    active
        .map(|alert| {
            let mut over = alert.clone();
            (over.state, over.resolved_at) = (State::Inactive, Some(now));
            RuleAlert::of(&over, group, rule, now)
        })
        .collect()
}

/// The first slot after `now`. Groups are spread over their interval by name and file, and stay where they are.
pub(super) fn slot_after(group: &RuleGroup, now: Timestamp) -> Timestamp {
    let interval = millis(group.interval).max(1);
    let name = Labels::new([("file", group.file.as_str()), ("name", group.name.as_str())]);
    let offset = (name.fingerprint() % interval.unsigned_abs()) as i64;
    let from = now.millis().saturating_sub(offset);
    Timestamp::from_millis(from.div_euclid(interval).saturating_add(1).saturating_mul(interval).saturating_add(offset))
}

/// Of every alert of a rule, the last sample of its state in the time that counts.
fn last_states(tsdb: &Tsdb, alert: &str, now: Timestamp) -> Result<HashMap<Labels, (Timestamp, f64)>, SourceError> {
    let matchers = [Matcher::equal(METRIC_NAME, ALERTS_FOR_STATE), Matcher::equal("alertname", alert)];
    let select = Select {
        matchers: &matchers,
        start: now.minus(OUTAGE_TOLERANCE).millis(),
        end: now.millis(),
        step: 0,
        window: millis(OUTAGE_TOLERANCE),
        want: Want::Last,
        resolution: Some(Resolution::Raw),
        max_series: usize::MAX,
        cancel: None,
    };
    let set = tsdb.select(&select)?;
    let (mut reader, mut column) = (set.reader(), Column::default());
    let mut states = HashMap::with_capacity(set.len());
    for i in 0..set.len() {
        reader.read(i, &mut column)?;
        if let Some((t, v)) = column.iter().next_back() {
            let labels = set.labels(i).filtered(|name| name != METRIC_NAME);
            states.insert(labels, (Timestamp::from_millis(t), v));
        }
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_of_one_rule() {
        assert!(matches!(guarded(|| panic!("a bug")), Err(RuleError::Crashed)));
        assert!(guarded(|| Ok(())).is_ok());
    }
}
