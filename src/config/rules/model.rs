//! Rules that were read: checked, parsed, ready to be evaluated.

use std::time::Duration;

use crate::alert::evaluation::Policy;
use crate::base::message::Severity;
use crate::promql::ast::Expr;
use crate::render::gotemplate::Template;

/// Time between evaluations of a group in Prometheus' form that names none: Prometheus' default.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
/// The same of rules in our own form.
pub const OWN_INTERVAL: Duration = Duration::from_secs(15);

/// Rules that are evaluated one after the other, at the same times.
#[derive(Clone, Debug)]
pub struct RuleGroup {
    /// Unique in its file. Rules of our own form share a group per file and interval, named after the file.
    pub name: String,
    /// `rules.d/web.yaml`
    pub file: String,
    /// Time between evaluations.
    pub interval: Duration,
    /// Most series of a recording rule, most alerts of an alerting rule; zero for no limit.
    pub limit: usize,
    /// How far behind the time of evaluation the queries ask.
    pub query_offset: Duration,
    /// In the order of evaluation.
    pub rules: Vec<Rule>,
    /// `rules.d/web.yaml:12:5`
    pub source: String,
    /// Equal for equal definitions, wherever they stand in the file.
    pub hash: u64,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Name of the alert, or of the series recorded.
    pub name: String,
    /// The query as written.
    pub query: String,
    /// The query as read.
    pub expr: Expr,
    /// Labels to put on, those of the group included, by name.
    pub labels: Vec<(String, Template)>,
    /// What is done with the answer.
    pub kind: RuleKind,
    /// `rules.d/web.yaml:12:5`
    pub source: String,
    /// Equal for rules whose state may be handed on: kind, name and labels, as in Prometheus.
    pub identity: u64,
}

/// What a rule does with its answer.
#[derive(Clone, Debug)]
pub enum RuleKind {
    /// Writes it under the rule's name.
    Record,
    /// Makes alerts of it.
    Alert(Box<Alerting>),
}

/// What an alerting rule has besides.
#[derive(Clone, Debug)]
pub struct Alerting {
    /// When its alerts fire and end.
    pub policy: Policy,
    /// Annotations, by name.
    pub annotations: Vec<(String, Template)>,
    /// The severity, where it is one of ours.
    pub severity: Option<Severity>,
}

impl Rule {
    /// What an alerting rule has.
    pub fn alerting(&self) -> Option<&Alerting> {
        match &self.kind {
            RuleKind::Alert(alerting) => Some(alerting),
            RuleKind::Record => None,
        }
    }
}

/// Whether two sets of groups are the same to whoever evaluates them, and stand in the same places.
pub fn same(a: &[std::sync::Arc<RuleGroup>], b: &[std::sync::Arc<RuleGroup>]) -> bool {
    let key = |g: &RuleGroup| (g.hash, g.source.clone());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| std::sync::Arc::ptr_eq(a, b) || key(a) == key(b))
}
