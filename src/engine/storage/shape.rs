//! A monitor's series, resolved once: one result is mostly like the one before, and building a label set of each
//! sample anew costs more than storing it.

use std::collections::HashSet;

use crate::base::labels::Labels;
use crate::base::outcome::Label;
use crate::engine::storage::outcome;
use crate::wire::api::ProbeResult;

/// The series of a monitor that have not ended: those of its last result, in the order of its samples, and others.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    hasher: ahash::RandomState,
    /// Each with a hash of what the sample said of itself. Its keys are random and 64 bits are many: two that differ at
    /// the same place are not taken for each other.
    known: Vec<(u64, Labels)>,
    /// Those that the last result lacks.
    others: Vec<Labels>,
    /// Whether the label sets are the store's own.
    shared: bool,
}

impl Shape {
    /// The monitor's own labels are others from now on.
    pub(crate) fn renew(&mut self) {
        self.others.extend(self.known.drain(..).map(|(_, labels)| labels));
    }

    /// Gives the series and the value of each sample. Whether they are those of the result before: the store knows them.
    pub(crate) fn resolve(&mut self, base: &Labels, result: &ProbeResult, mut add: impl FnMut(&Labels, f64)) -> bool {
        let mut same = true;
        let mut at = 0;
        for (name, labels, value) in outcome::samples(result) {
            let hash = self.hash(name, labels);
            if self.known.get(at).is_none_or(|(known, _)| *known != hash) {
                same = false;
                let built = (hash, outcome::labels(base, name, labels).labels());
                match self.known.get_mut(at) {
                    Some(place) => self.others.push(std::mem::replace(place, built).1),
                    None => self.known.push(built),
                }
            }
            if let Some((_, series)) = self.known.get(at) {
                add(series, value);
            }
            at += 1;
        }
        if same && at == self.known.len() {
            return true;
        }
        self.shared = false;
        self.others.extend(self.known.drain(at..).map(|(_, labels)| labels));
        // It stays as it is for as long as the monitor does.
        self.known.shrink_to_fit();
        if !self.others.is_empty() {
            let there: HashSet<&str> = self.known.iter().map(|(_, labels)| labels.as_key()).collect();
            self.others.retain(|labels| !there.contains(labels.as_key()));
        }
        false
    }

    /// The label sets that nobody shares yet, once: a quarter of what a monitor takes.
    pub(crate) fn unshared(&mut self) -> Option<impl Iterator<Item = &mut Labels>> {
        let shared = std::mem::replace(&mut self.shared, true);
        (!shared).then(|| self.known.iter_mut().map(|(_, labels)| labels))
    }

    /// Takes out the series that the last result lacks.
    pub(crate) fn take_others(&mut self) -> Vec<Labels> {
        std::mem::take(&mut self.others)
    }

    /// Takes out all series.
    pub(crate) fn take_all(&mut self) -> Vec<Labels> {
        self.renew();
        self.take_others()
    }

    /// Adds a series that no result has.
    pub(crate) fn add_other(&mut self, labels: Labels) {
        if !self.others.contains(&labels) {
            self.others.push(labels);
        }
    }

    fn hash(&self, name: &str, labels: &[Label]) -> u64 {
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
    fn what_changes_is_resolved_anew_and_what_is_gone_is_told() {
        let base = Labels::new([("monitor", "shop")]);
        let mut shape = Shape::default();
        let a = || Sample::new("a", 1.0).label("phase", "tls");
        let b = || Sample::new("b", 2.0);
        let mut names = |samples: Vec<Sample>| {
            let mut found = Vec::new();
            shape.resolve(&base, &result(samples), |labels, v| found.push(format!("{labels} {v}")));
            let gone: Vec<String> = shape.take_others().iter().map(|l| l.metric_name().to_owned()).collect();
            (found.split_off(3), gone.join(" "))
        };
        let (text_of_a, text_of_b) =
            (r#"{__name__="a", monitor="shop", phase="tls"} 1"#, r#"{__name__="b", monitor="shop"} 2"#);
        for (samples, texts, gone) in [
            (vec![a(), b()], vec![text_of_a, text_of_b], ""),
            (vec![a(), b()], vec![text_of_a, text_of_b], ""),
            (vec![b(), a()], vec![text_of_b, text_of_a], ""),
            (vec![b()], vec![text_of_b], "a"),
            (vec![b()], vec![text_of_b], ""),
            (vec![a()], vec![text_of_a], "b"),
        ] {
            assert_eq!(names(samples), (texts.into_iter().map(str::to_owned).collect(), gone.to_owned()));
        }
    }

    #[test]
    fn what_a_result_lacks_is_kept_until_it_is_taken() {
        let base = Labels::new([("monitor", "shop")]);
        let mut shape = Shape::default();
        shape.resolve(&base, &result(vec![Sample::new("a", 1.0)]), |_, _| {});
        shape.resolve(&base, &result(Vec::new()), |_, _| {});
        shape.renew();
        shape.resolve(&Labels::new([("monitor", "other")]), &result(Vec::new()), |_, _| {});
        let others = shape.take_others();
        assert_eq!(others.len(), 4, "a, and three of the monitor that bore another label: {others:?}");
        assert_eq!(shape.take_all().len(), 3);
    }
}
