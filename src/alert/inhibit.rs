//! Inhibition: while one alert fires, others are not told.
//!
//! Alertmanager's meaning: the labels named in `equal` have the same value in both, a missing one counting as empty;
//! an alert that matches both sides of a rule is not inhibited by one for which the same is true, itself included.

use std::collections::{BTreeSet, HashMap};

use crate::alert::matchers::Matchers;
use crate::base::labels::Labels;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InhibitRule {
    /// Which firing alerts inhibit.
    pub source: Matchers,
    /// Which alerts they inhibit.
    pub target: Matchers,
    /// Labels that must have the same value in both.
    pub equal: Vec<String>,
    /// `watchdog.yaml:12:5`.
    pub place: String,
}

/// Why an alert is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibition<K> {
    /// The number of the rule, from 0.
    pub rule: usize,
    /// The firing alert that inhibits.
    pub by: K,
}

/// The rules, and the firing alerts that match the source side of any. What one check costs grows with the rules, not
/// with the alerts: those are found by the values of the rule's `equal` labels.
#[derive(Clone, Debug)]
pub struct Inhibitor<K> {
    rules: Vec<Indexed<K>>,
}

#[derive(Clone, Debug)]
struct Indexed<K> {
    rule: InhibitRule,
    sources: HashMap<String, Sources<K>>,
}

/// Firing alerts of one rule that share the values of its `equal` labels.
#[derive(Clone, Debug)]
struct Sources<K> {
    /// They match the source side only.
    one_sided: BTreeSet<K>,
    /// They match both sides.
    two_sided: BTreeSet<K>,
}

impl<K: Ord + Clone> Inhibitor<K> {
    /// With no alert firing.
    pub fn new(rules: impl IntoIterator<Item = InhibitRule>) -> Self {
        let indexed = rules.into_iter().map(|rule| Indexed { rule, sources: HashMap::new() });
        Self { rules: indexed.collect() }
    }

    /// The rules in order.
    pub fn rules(&self) -> impl Iterator<Item = &InhibitRule> {
        self.rules.iter().map(|r| &r.rule)
    }

    /// The alert `key` fires from now on.
    pub fn fires(&mut self, key: &K, labels: &Labels) {
        for Indexed { rule, sources } in &mut self.rules {
            if rule.source.matches(labels) {
                let of_values = sources.entry(rule.values(labels)).or_insert_with(Sources::none);
                let two_sided = rule.target.matches(labels);
                if two_sided { &mut of_values.two_sided } else { &mut of_values.one_sided }.insert(key.clone());
            }
        }
    }

    /// The alert `key` fires no more; `labels` as given when it did.
    pub fn ends(&mut self, key: &K, labels: &Labels) {
        for Indexed { rule, sources } in &mut self.rules {
            if !rule.source.matches(labels) {
                continue;
            }
            let values = rule.values(labels);
            if let Some(of_values) = sources.get_mut(&values) {
                of_values.one_sided.remove(key);
                of_values.two_sided.remove(key);
                if of_values.one_sided.is_empty() && of_values.two_sided.is_empty() {
                    sources.remove(&values);
                }
            }
        }
    }

    /// What inhibits an alert with these labels: by the first rule that does, the first alert in order of key.
    pub fn inhibits(&self, labels: &Labels) -> Option<Inhibition<K>> {
        self.rules.iter().enumerate().find_map(|(rule, indexed)| {
            let by = indexed.inhibiting(labels)?;
            Some(Inhibition { rule, by: by.clone() })
        })
    }
}

impl<K: Ord> Indexed<K> {
    fn inhibiting(&self, labels: &Labels) -> Option<&K> {
        if self.sources.is_empty() || !self.rule.target.matches(labels) {
            return None;
        }
        let sources = self.sources.get(&self.rule.values(labels))?;
        let two_sided = || sources.two_sided.first().filter(|_| !self.rule.source.matches(labels));
        sources.one_sided.first().or_else(two_sided)
    }
}

impl<K> Sources<K> {
    const fn none() -> Self {
        Self { one_sided: BTreeSet::new(), two_sided: BTreeSet::new() }
    }
}

impl InhibitRule {
    /// The values of the `equal` labels, each behind its length so that none runs into the next.
    fn values(&self, labels: &Labels) -> String {
        let mut values = String::new();
        for name in &self.equal {
            let value = labels.get(name).unwrap_or_default();
            values.push_str(&value.len().to_string());
            values.push(':');
            values.push_str(value);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(source: &str, target: &str, equal: &[&str]) -> InhibitRule {
        InhibitRule {
            source: Matchers::parse(source).unwrap(),
            target: Matchers::parse(target).unwrap(),
            equal: equal.iter().map(|s| (*s).to_owned()).collect(),
            place: String::new(),
        }
    }

    fn labels(text: &str) -> Labels {
        Labels::new(text.split(' ').filter_map(|pair| pair.split_once('=')))
    }

    #[track_caller]
    fn check(rules: &[InhibitRule], firing: &[&str], target: &str, by: Option<(usize, usize)>) {
        let mut inhibitor = Inhibitor::new(rules.iter().cloned());
        for (i, text) in firing.iter().enumerate() {
            inhibitor.fires(&i, &labels(text));
        }
        let found = inhibitor.inhibits(&labels(target)).map(|i| (i.rule, i.by));
        assert_eq!(found, by, "{target}");
        for (i, text) in firing.iter().enumerate() {
            inhibitor.ends(&i, &labels(text));
        }
        assert_eq!(inhibitor.inhibits(&labels(target)), None);
        assert!(inhibitor.rules.iter().all(|r| r.sources.is_empty()));
    }

    #[test]
    fn equal_labels_decide_and_missing_ones_are_empty() {
        let rules = [rule("severity=critical", "severity=warning", &["host", "job"])];
        let firing = ["severity=critical host=a", "severity=critical host=b job=x"];
        check(&rules, &firing, "severity=warning host=a", Some((0, 0)));
        check(&rules, &firing, "severity=warning host=b job=x", Some((0, 1)));
        check(&rules, &firing, "severity=warning host=b", None);
        check(&rules, &firing, "severity=critical host=a", None);
        check(&rules, &firing, "severity=info host=a", None);
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let rules = [rule("s=1", "t=1", &["a", "b"])];
        check(&rules, &["s=1 a=x b=yz"], "t=1 a=xy b=z", None);
    }

    #[test]
    fn two_alerts_that_match_both_sides_do_not_inhibit_each_other() {
        let rules = [rule("s=1", "t=1", &["e"])];
        check(&rules, &["s=1 t=1 e=f"], "s=1 t=1 e=f", None);
        check(&rules, &["s=1 t=1 e=f"], "t=1 e=f", Some((0, 0)));
        check(&rules, &["s=1 t=1 e=f", "s=1 e=f"], "s=1 t=1 e=f", Some((0, 1)));
    }

    #[test]
    fn a_rule_without_equal_labels_inhibits_all_targets() {
        let rules = [rule("never=x", "t=1", &[]), rule("s=1", "t=1", &[])];
        check(&rules, &["s=1 a=b"], "t=1 a=c", Some((1, 0)));
    }

    #[test]
    fn ten_thousand_firing_alerts_leave_a_check_as_cheap_as_one() {
        let mut inhibitor = Inhibitor::new([rule("severity=critical", "severity=warning", &["host"])]);
        for i in 0..10_000_u32 {
            inhibitor.fires(&i, &labels(&format!("severity=critical host=h{i}")));
        }
        assert_eq!(inhibitor.rules[0].sources.len(), 10_000);
        assert!(inhibitor.rules[0].sources.values().all(|s| s.one_sided.len() == 1));
        let by = inhibitor.inhibits(&labels("severity=warning host=h7777")).map(|i| i.by);
        assert_eq!(by, Some(7_777));
    }
}
