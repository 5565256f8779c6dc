//! What `/metrics` says about rules: Prometheus' measurements under our prefix, without a series per group.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Counted by the ruler.
#[derive(Clone, Debug)]
pub struct RuleMetrics {
    /// Evaluations of rules.
    pub evaluations: Counter,
    /// Those that failed.
    pub failures: Counter,
    /// Evaluations of groups.
    pub iterations: Counter,
    /// Slots that could not be evaluated in time.
    pub missed: Counter,
    /// How long groups take.
    pub group_seconds: Histogram,
    /// How late groups begin.
    pub lag: Histogram,
    /// Samples written.
    pub samples: Counter,
    /// Messages about alerts that found no room; they are repeated.
    pub untold: Counter,
    /// Groups loaded.
    pub groups: Gauge,
    /// Rules loaded.
    pub rules: Gauge,
}

impl Default for RuleMetrics {
    fn default() -> Self {
        Self {
            evaluations: Counter::default(),
            failures: Counter::default(),
            iterations: Counter::default(),
            missed: Counter::default(),
            group_seconds: Histogram::new([0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0]),
            lag: Histogram::new([0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0]),
            samples: Counter::default(),
            untold: Counter::default(),
            groups: Gauge::default(),
            rules: Gauge::default(),
        }
    }
}

impl RuleMetrics {
    /// Adds `watchdog_rule_*`.
    pub fn register(&self, r: &mut Registry) {
        r.register("rule_evaluations", "Evaluations of rules", self.evaluations.clone());
        r.register("rule_evaluation_failures", "Evaluations of rules that failed", self.failures.clone());
        r.register("rule_group_iterations", "Evaluations of groups of rules", self.iterations.clone());
        let missed = "Slots of groups of rules that could not be evaluated in time";
        r.register("rule_group_iterations_missed", missed, self.missed.clone());
        let took = "How long groups of rules take";
        r.register_with_unit("rule_group_duration", took, Unit::Seconds, self.group_seconds.clone());
        r.register_with_unit("rule_group_lag", "How late groups of rules begin", Unit::Seconds, self.lag.clone());
        r.register("rule_samples_written", "Samples written by rules", self.samples.clone());
        let untold = "Messages about alerts of rules that found no room and were repeated later";
        r.register("rule_alerts_untold", untold, self.untold.clone());
        r.register("rule_groups", "Groups of rules", self.groups.clone());
        r.register("rules", "Rules", self.rules.clone());
    }
}
