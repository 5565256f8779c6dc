//! What the ruler tells those who decide whom to page.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::alert::evaluation::{Alert, State};
use crate::base::labels::Labels;
use crate::base::message::Severity;
use crate::base::time::Timestamp;
use crate::config::rules::{Rule, RuleGroup};
use crate::engine::evaluator::EvalInput;

/// Where a rule's alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleAlertState {
    /// Its condition holds, not yet long enough. Of an alert that fired before a restart, this says that it goes on.
    Pending,
    /// It fires.
    Firing,
    /// It fired and is over.
    Resolved,
    /// It is over and never fired since the start.
    Cancelled,
}

/// An alert of a rule as it stands now. It is told when it changes and every minute while it goes on, so a message that
/// is lost is made up for.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleAlert {
    /// Alertmanager's fingerprint of the labels.
    pub fingerprint: u64,
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// Where it stands.
    pub state: RuleAlertState,
    /// Since when its condition has held.
    pub starts_at: Timestamp,
    /// When it was over; of one that goes on, when it counts as over if nothing more is heard of it.
    pub ends_at: Timestamp,
    /// The value of its series.
    pub value: f64,
    /// Name of the rule.
    pub rule: String,
    /// Name of its group.
    pub group: String,
    /// The rule's query.
    pub query: String,
    /// `rules.d/web.yaml:12:5`
    pub source: String,
    /// How bad, where that is one of our words.
    pub severity: Option<Severity>,
}

impl RuleAlert {
    pub(super) fn of(alert: &Alert, group: &RuleGroup, rule: &Rule, now: Timestamp) -> Self {
        let state = match alert.state {
            State::Pending => RuleAlertState::Pending,
            State::Firing => RuleAlertState::Firing,
            State::Inactive if alert.fired_at.is_some() => RuleAlertState::Resolved,
            State::Inactive => RuleAlertState::Cancelled,
        };
        Self {
            fingerprint: alert.labels.fingerprint(),
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            state,
            starts_at: alert.active_at,
            ends_at: alert.ends_at(now, group.interval),
            value: alert.value,
            rule: rule.name.clone(),
            group: group.name.clone(),
            query: rule.query.clone(),
            source: rule.source.clone(),
            severity: alert.labels.get("severity").and_then(Severity::parse),
        }
    }
}

/// Passes on what is told to the evaluator, which decides about pages.
pub async fn pass_on(
    mut alerts: mpsc::Receiver<Vec<RuleAlert>>,
    evaluator: mpsc::Sender<EvalInput>,
    stop: CancellationToken,
) {
    while let Some(Some(list)) = stop.run_until_cancelled(alerts.recv()).await {
        if evaluator.send(EvalInput::Rules(list)).await.is_err() {
            return;
        }
    }
}

/// How the last evaluation went; Prometheus' words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not evaluated yet.
    #[default]
    Unknown,
    /// Well.
    Ok,
    /// It failed.
    Err,
}

impl Health {
    /// Prometheus' word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Err => "err",
        }
    }
}

/// How one rule does.
#[derive(Clone, Debug, Default)]
pub struct RuleStatus {
    /// How the last evaluation went.
    pub health: Health,
    /// Why it failed.
    pub last_error: Option<Arc<str>>,
    /// The time of the first evaluation.
    pub first_evaluation: Option<Timestamp>,
    /// The time it was for.
    pub last_evaluation: Option<Timestamp>,
    /// How long it took.
    pub took: Duration,
    /// Series that it gave.
    pub series: usize,
    /// Value of the first of them.
    pub value: Option<f64>,
    /// Alerts that began to fire since the start.
    pub firings: u64,
    /// Some evaluation gave a series.
    pub matched: bool,
    /// From the first evaluation to the last.
    pub evaluated_for: Duration,
    /// Its active alerts, in order of labels.
    pub alerts: Arc<[ActiveAlert]>,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveAlert {
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// Pending or firing.
    pub state: State,
    /// Since when.
    pub active_at: Timestamp,
    /// Since when it fires on without its condition.
    pub keep_firing_since: Option<Timestamp>,
    /// The value.
    pub value: f64,
}

/// How a group does.
#[derive(Clone, Debug, Default)]
pub struct GroupStatus {
    /// The slot of the last evaluation.
    pub last_evaluation: Option<Timestamp>,
    /// How long it took.
    pub took: Duration,
    /// Slots that could not be evaluated in time.
    pub missed: u64,
    /// One per rule of the group.
    pub rules: Vec<RuleStatus>,
}
