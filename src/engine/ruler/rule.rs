//! One rule at work: its query asked, its answer made into samples and alerts.

use std::collections::HashMap;

use crate::alert::evaluation::{Absent, Alert, Alerts, EvaluationError, Found, State};
use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::base::sample::STALE_NAN;
use crate::base::time::Timestamp;
use crate::config::rules::{Alerting, REASON, Rule, RuleKind};
use crate::engine::ruler::group::Bench;
use crate::engine::ruler::report::{ActiveAlert, Health, RuleStatus};
use crate::promql::value::{EvalError, Value, VectorSample};
use crate::render::gotemplate::{Ask, Sample, Scope, Template};
use crate::tsdb::Batch;

/// Why a rule could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub(super) enum RuleError {
    #[error(transparent)]
    Query(#[from] EvalError),
    #[error("rule result is not a vector or scalar")]
    NotAVector,
    #[error("vector contains metrics with the same labelset after applying rule labels")]
    SameLabels,
    #[error("exceeded limit of {limit} with {series} series")]
    Limit { limit: usize, series: usize },
    #[error(transparent)]
    Alerts(#[from] EvaluationError),
    #[error(transparent)]
    Store(#[from] crate::engine::storage::StoreError),
    #[error(transparent)]
    Append(#[from] crate::tsdb::AppendError),
    #[error("the evaluation crashed, which is a fault of Watchdog's")]
    Crashed,
    #[error("the server is going down")]
    Stopping,
}

/// What a rule remembers between evaluations.
#[derive(Default)]
pub(super) struct RuleRun {
    pub(super) alerts: Alerts,
    /// Series of the last evaluation, each with its number.
    written: HashMap<Labels, u64, ahash::RandomState>,
    round: u64,
    pub(super) status: RuleStatus,
}

/// The time of an evaluation.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// The slot.
    pub(super) at: Timestamp,
    /// What queries ask for, and what samples are written for.
    pub(super) t: i64,
}

impl RuleRun {
    /// Evaluates the rule. Samples go into `batch`, alerts that ended unfired into `cancelled`.
    pub(super) fn evaluate(
        &mut self,
        rule: &Rule,
        limit: usize,
        slot: Slot,
        bench: &Bench<'_>,
        batch: &mut Batch,
        cancelled: &mut Vec<Alert>,
    ) -> Result<(), RuleError> {
        let answer = bench.ask(&rule.expr, &rule.query, slot.t).map_err(RuleError::from).and_then(|v| match v {
            Value::Vector(samples) => Ok(samples),
            Value::Scalar(t, v) => Ok(vec![VectorSample { labels: Labels::default(), t, v }]),
            Value::String(..) | Value::Matrix(_) => Err(RuleError::NotAVector),
        });
        if bench.stops() {
            // The query was ended, or would have been: no reason to begin or to end an alert.
            return Err(RuleError::Stopping);
        }
        match &rule.kind {
            RuleKind::Record => self.record(rule, &answer?, limit, slot, batch),
            RuleKind::Alert(alerting) => self.alert(rule, alerting, answer, limit, slot, bench, batch, cancelled),
        }
    }

    fn record(
        &mut self,
        rule: &Rule,
        samples: &[VectorSample],
        limit: usize,
        slot: Slot,
        batch: &mut Batch,
    ) -> Result<(), RuleError> {
        self.count(samples.len(), samples.first().map(|s| s.v));
        if limit > 0 && samples.len() > limit {
            return Err(RuleError::Limit { limit, series: samples.len() });
        }
        let mut named = Vec::with_capacity(samples.len());
        for sample in samples {
            let mut labels = sample.labels.to_buf();
            labels.set(METRIC_NAME, &rule.name);
            for (name, value) in &rule.labels {
                labels.set(name, value.source());
            }
            named.push((labels, sample.v));
        }
        let mut keys: Vec<&str> = named.iter().map(|(l, _)| l.as_key()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(RuleError::SameLabels);
        }
        self.round += 1;
        for (labels, v) in &named {
            self.write(labels, *v, slot.t, batch);
        }
        self.end_others(slot.t, batch);
        Ok(())
    }

    fn write(&mut self, labels: &LabelsBuf, v: f64, t: i64, batch: &mut Batch) {
        match self.written.get_mut(labels.as_key()) {
            Some(round) => *round = self.round,
            None => drop(self.written.insert(labels.labels(), self.round)),
        }
        batch.series(labels);
        batch.push(t, v);
    }

    /// Marks the end of series that this evaluation did not write.
    fn end_others(&mut self, t: i64, batch: &mut Batch) {
        let this = self.round;
        self.written.retain(|labels, round| {
            if *round != this {
                end(labels, t, batch);
            }
            *round == this
        });
    }

    /// Marks the end of everything it wrote.
    pub(super) fn end_all(&mut self, t: i64, batch: &mut Batch) {
        self.written.drain().for_each(|(labels, _)| end(&labels, t, batch));
    }

    fn count(&mut self, series: usize, value: Option<f64>) {
        (self.status.series, self.status.value) = (series, value);
        self.status.matched |= series > 0;
    }

    #[expect(clippy::too_many_arguments, reason = "one call, with what one evaluation has")]
    fn alert(
        &mut self,
        rule: &Rule,
        alerting: &Alerting,
        answer: Result<Vec<VectorSample>, RuleError>,
        limit: usize,
        slot: Slot,
        bench: &Bench<'_>,
        batch: &mut Batch,
        cancelled: &mut Vec<Alert>,
    ) -> Result<(), RuleError> {
        let policy = &alerting.policy;
        let mut failed = None;
        let (found, keep) = match answer {
            Ok(samples) if samples.is_empty() && policy.on_no_data != Absent::Ok => {
                self.count(0, None);
                let own = (policy.on_no_data == Absent::Alert).then(|| instead(rule, alerting, "nodata", slot, bench));
                (own.into_iter().collect(), true)
            }
            Ok(samples) => {
                self.count(samples.len(), samples.first().map(|s| s.v));
                let wanted = samples.into_iter().filter(|s| self.alerts.wants(policy, s.v));
                (wanted.map(|s| found(rule, alerting, &s, slot, bench)).collect(), false)
            }
            Err(e) => {
                if policy.on_error == Absent::Keep {
                    return Err(e);
                }
                let own = (policy.on_error == Absent::Alert).then(|| instead(rule, alerting, "error", slot, bench));
                failed = Some(e);
                (own.into_iter().collect::<Vec<_>>(), policy.on_error == Absent::Alert)
            }
        };
        self.alerts.evaluate(found, policy, limit, keep, slot.at, cancelled)?;
        self.status.firings += self.alerts.iter().filter(|a| a.fired_at == Some(slot.at)).count() as u64;
        self.round += 1;
        if !self.alerts.is_empty() || !self.written.is_empty() {
            let now: Vec<(Labels, f64)> = self.alerts.series().map(|(l, v)| (l.clone(), v)).collect();
            for (labels, v) in now {
                self.write(&labels.to_buf(), v, slot.t, batch);
            }
            self.end_others(slot.t, batch);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Notes how an evaluation went.
    pub(super) fn done(&mut self, at: Timestamp, took: std::time::Duration, result: &Result<(), RuleError>) {
        let first = *self.status.first_evaluation.get_or_insert(at);
        self.status.evaluated_for = at.since(first);
        self.status.last_evaluation = Some(at);
        self.status.took = took;
        match result {
            Ok(()) => (self.status.health, self.status.last_error) = (Health::Ok, None),
            Err(e) => {
                let text = crate::base::failure::Chain(e).to_string();
                self.status.health = Health::Err;
                if self.status.last_error.as_deref() != Some(&text) {
                    self.status.last_error = Some(text.into());
                }
            }
        }
        if !self.alerts.is_empty() || !self.status.alerts.is_empty() {
            let active = self.alerts.iter().filter(|a| a.state != State::Inactive);
            let mut rows: Vec<ActiveAlert> = active
                .map(|a| ActiveAlert {
                    labels: a.labels.clone(),
                    annotations: a.annotations.clone(),
                    state: a.state,
                    active_at: a.active_at,
                    keep_firing_since: a.keep_firing_since,
                    value: a.value,
                })
                .collect();
            rows.sort_by(|a, b| a.labels.cmp(&b.labels));
            self.status.alerts = rows.into();
        }
    }
}

pub(super) fn end(labels: &Labels, t: i64, batch: &mut Batch) {
    batch.series(&labels.to_buf());
    batch.push(t, STALE_NAN);
}

/// The alert that a series stands for.
fn found(rule: &Rule, alerting: &Alerting, sample: &VectorSample, slot: Slot, bench: &Bench<'_>) -> Found {
    let mut labels = sample.labels.to_buf();
    labels.set(METRIC_NAME, "");
    let holds = alerting.policy.condition.is_none_or(|c| c.holds(sample.v));
    put_on(rule, alerting, labels, &sample.labels, sample.v, holds, slot, bench)
}

/// The alert that stands for data or an answer that is not there.
fn instead(rule: &Rule, alerting: &Alerting, reason: &str, slot: Slot, bench: &Bench<'_>) -> Found {
    let mut labels = LabelsBuf::default();
    labels.push(REASON, reason);
    put_on(rule, alerting, labels, &Labels::default(), f64::NAN, true, slot, bench)
}

#[expect(clippy::too_many_arguments, reason = "one call, with what one alert has")]
fn put_on(
    rule: &Rule,
    alerting: &Alerting,
    mut labels: LabelsBuf,
    given: &Labels,
    value: f64,
    holds: bool,
    slot: Slot,
    bench: &Bench<'_>,
) -> Found {
    let name = format!("__alert_{}", rule.name);
    let scope = Scope {
        name: &name,
        labels: given,
        external_labels: bench.external_labels,
        external_url: bench.external_url,
        value,
        now: slot.at,
    };
    let mut asker = Asker { bench, t: slot.t };
    let mut text = |template: &Template| match template.fixed() {
        Some(fixed) => fixed.to_owned(),
        None => {
            let (text, error) = template.expand_or_say(&scope, &mut asker);
            if let Some(error) = error {
                tracing::warn!(rule = rule.name, source = rule.source, error = %error, "a template of a rule failed");
            }
            text
        }
    };
    for (name, template) in &rule.labels {
        labels.set(name, &text(template));
    }
    labels.set("alertname", &rule.name);
    let annotations = alerting.annotations.iter().map(|(name, template)| (name.clone(), text(template)));
    Found { labels: labels.labels(), annotations: Labels::new(annotations), value, holds }
}

/// Answers the queries of templates.
struct Asker<'a> {
    bench: &'a Bench<'a>,
    t: i64,
}

impl Ask for Asker<'_> {
    fn query(&mut self, text: &str) -> Result<Vec<Sample>, String> {
        let expr = crate::promql::parser::parse_query(text, self.bench.features).map_err(|e| e.to_string())?;
        match self.bench.ask(&expr, text, self.t).map_err(|e| e.to_string())? {
            Value::Vector(samples) => {
                Ok(samples.into_iter().map(|s| Sample { labels: s.labels, value: s.v }).collect())
            }
            Value::Scalar(_, value) => Ok(vec![Sample { labels: Labels::default(), value }]),
            Value::String(..) | Value::Matrix(_) => Err("query result is not a vector or scalar".to_owned()),
        }
    }
}
