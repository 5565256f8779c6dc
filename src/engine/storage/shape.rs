//! A monitor's series, resolved once: one result is mostly like the one before, and building a label set of each
//! sample anew costs more than storing it.

use std::borrow::Cow;

use crate::base::labels::Labels;
use crate::engine::storage::outcome;
use crate::wire::api::ProbeResult;

/// The series of the last result, in the order of its samples.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    hasher: ahash::RandomState,
    /// Each with a hash of what the sample said of itself. Its keys are random and 64 bits are many: two that differ at
    /// the same place are not taken for each other.
    known: Vec<(u64, Labels)>,
}

impl Shape {
    /// Forgets everything: the monitor's own labels are others.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }

    /// Gives the series and the value of each sample; whether the series are those of the result before.
    pub(crate) fn resolve(&mut self, base: &Labels, result: &ProbeResult, mut add: impl FnMut(&Labels, f64)) -> bool {
        let mut same = true;
        let mut at = 0;
        for (name, labels, value) in outcome::samples(result) {
            let hash = self.hash(name, labels);
            if self.known.get(at).is_none_or(|(known, _)| *known != hash) {
                same = false;
                let built = (hash, outcome::labels(base, name, labels).labels());
                match self.known.get_mut(at) {
                    Some(place) => *place = built,
                    None => self.known.push(built),
                }
            }
            if let Some((_, series)) = self.known.get(at) {
                add(series, value);
            }
            at += 1;
        }
        same &= at == self.known.len();
        self.known.truncate(at);
        same
    }

    /// The series of the last result.
    pub(crate) fn series(&self) -> impl Iterator<Item = &Labels> {
        self.known.iter().map(|(_, labels)| labels)
    }

    fn hash(&self, name: &str, labels: &[(Cow<'static, str>, String)]) -> u64 {
        if labels.is_empty() { self.hasher.hash_one(name) } else { self.hasher.hash_one((name, labels)) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::outcome::{Sample, Verdict};
    use crate::base::time::Timestamp;

    fn result(samples: Vec<Sample>) -> ProbeResult {
        ProbeResult {
            at: Timestamp::EPOCH,
            verdict: Verdict::Up,
            reason: None,
            summary: String::new(),
            took: Duration::from_millis(250),
            attempt: 1,
            phases: Vec::new(),
            checks: Vec::new(),
            samples,
            evidence: None,
        }
    }

    #[test]
    fn what_changes_is_resolved_anew_and_what_does_not_is_the_same_object() {
        let base = Labels::new([("monitor", "shop")]);
        let mut shape = Shape::default();
        let a = || Sample::new("a", 1.0).label("phase", "tls");
        let b = || Sample::new("b", 2.0);
        let mut names = |samples: Vec<Sample>| {
            let mut found = Vec::new();
            let same = shape.resolve(&base, &result(samples), |labels, v| found.push(format!("{labels} {v}")));
            (same, found.split_off(3))
        };
        let first = names(vec![a(), b()]);
        assert_eq!(
            first.1,
            [r#"{__name__="a", monitor="shop", phase="tls"} 1"#, r#"{__name__="b", monitor="shop"} 2"#]
        );
        assert!(!first.0);
        assert_eq!(names(vec![a(), b()]), (true, first.1.clone()));
        assert_eq!(names(vec![b(), a()]).0, false);
        assert_eq!(names(vec![b()]).0, false);
        assert_eq!(names(vec![b()]).0, true);
        assert_eq!(names(vec![b(), Sample::new("a", 1.0).label("phase", "dns")]).0, false);
    }
}
