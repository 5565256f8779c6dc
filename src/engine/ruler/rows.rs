//! Rules as lists and screens show them.

use crate::alert::evaluation::State;
use crate::config::rules::Rule;
use crate::engine::ruler::RuleBook;
use crate::engine::ruler::group::GroupView;
use crate::engine::ruler::report::{Health, RuleStatus};
use crate::promql::ast::ExprKind;
use crate::wire::alerting::{RuleRow, RuleState};

/// Evaluations after which a rule that never gave a series is reported, in time: what happens once a day is no mistake.
const NEVER_AFTER: std::time::Duration = std::time::Duration::from_secs(300);

impl RuleBook {
    /// All rules, in order of file, group and place.
    pub fn rows(&self) -> Vec<RuleRow> {
        self.groups().iter().flat_map(|view| rows(view)).collect()
    }

    /// The first rule that raises alerts of this name.
    pub fn alerting(&self, name: &str) -> Option<RuleRow> {
        let wanted = |rule: &Rule| rule.name == name && rule.alerting().is_some();
        let groups = self.groups();
        let view = groups.iter().find(|view| view.group.rules.iter().any(wanted))?;
        rows(view).into_iter().find(|row| row.name == name && row.kind == "alert")
    }
}

impl RuleStatus {
    /// The weightiest state of its alerts.
    pub fn state(&self) -> State {
        self.alerts.iter().map(|a| a.state).max().unwrap_or(State::Inactive)
    }
}

fn rows(view: &GroupView) -> Vec<RuleRow> {
    let (group, status) = (&view.group, view.status.load());
    let row = |(rule, status): (&Rule, &RuleStatus), missed: u64| {
        let alerting = rule.alerting();
        let conditional = alerting.is_some_and(|a| a.policy.condition.is_some());
        RuleRow {
            kind: if alerting.is_some() { "alert" } else { "record" }.to_owned(),
            name: rule.name.clone(),
            group: group.name.clone(),
            source: rule.source.clone(),
            query: if conditional { rule.shown() } else { rule.query.trim().to_owned() },
            state: alerting.map(|_| match status.state() {
                State::Inactive => RuleState::Inactive,
                State::Pending => RuleState::Pending,
                State::Firing => RuleState::Firing,
            }),
            health: status.health.as_str().to_owned(),
            last_error: status.last_error.as_deref().map(str::to_owned),
            last_evaluation: status.last_evaluation,
            took: (status.health != Health::Unknown).then_some(status.took),
            interval: group.interval,
            hold: alerting.map(|a| a.policy.hold),
            severity: alerting.and_then(|a| a.severity),
            series: status.series,
            value: status.value.filter(|v| v.is_finite()),
            firings: status.firings,
            missed,
            never_matched: status.health == Health::Ok && !status.matched && status.evaluated_for >= NEVER_AFTER,
        }
    };
    group.rules.iter().zip(&status.rules).map(|pair| row(pair, status.missed)).collect()
}

impl Rule {
    /// The query with its condition, as PromQL.
    pub fn shown(&self) -> String {
        let query = self.expr.to_string();
        let Some(c) = self.alerting().and_then(|a| a.policy.condition) else { return query };
        let simple = !matches!(self.expr.kind, ExprKind::Binary(_) | ExprKind::Unary(_));
        let query = if simple { query } else { format!("({query})") };
        let bounds = [(">", c.above), ("<", c.below), ("==", c.equals), ("!=", c.not_equals)];
        let parts: Vec<String> = bounds.iter().filter_map(|(op, v)| Some(format!("{query} {op} {}", (*v)?))).collect();
        parts.join(" or ")
    }
}
