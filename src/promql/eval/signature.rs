//! Which series of two vectors belong together: those with the same values of the matching labels.

use ahash::AHashMap;

use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::promql::ast::Matching;
use crate::promql::eval::rows::{Rows, present};

/// Series of both sides with the same signature, as numbers of rows.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    pub(crate) left: Vec<usize>,
    pub(crate) right: Vec<usize>,
}

/// Groups the series of both sides that have samples, in the order in which signatures first appear.
pub(crate) fn pairings(left: &Rows, right: &Rows, matching: &Matching) -> Vec<Pairing> {
    let mut places: AHashMap<Labels, usize> = AHashMap::with_capacity(left.len());
    let mut pairings: Vec<Pairing> = Vec::with_capacity(left.len());
    let mut buf = LabelsBuf::default();
    let chosen = Chosen::new(matching);
    let sides = left.iter().map(|r| (r, true)).enumerate().chain(right.iter().map(|r| (r, false)).enumerate());
    for (i, ((head, row), is_left)) in sides {
        if !row.iter().any(|v| present(*v)) {
            continue;
        }
        chosen.write(&head.labels, &mut buf);
        let place = match places.get(buf.as_key()) {
            Some(place) => *place,
            None => {
                places.insert(buf.labels(), pairings.len());
                pairings.push(Pairing::default());
                pairings.len() - 1
            }
        };
        let pairing = &mut pairings[place];
        if is_left { pairing.left.push(i) } else { pairing.right.push(i) }
    }
    pairings
}

/// The matching labels of a series: those of `on`, or all but the name and those of `ignoring`.
pub(crate) fn match_labels(labels: &Labels, matching: &Matching) -> Labels {
    let mut buf = LabelsBuf::default();
    Chosen::new(matching).write(labels, &mut buf);
    buf.labels()
}

struct Chosen<'m> {
    on: bool,
    labels: &'m [String],
}

impl<'m> Chosen<'m> {
    fn new(matching: &'m Matching) -> Self {
        Self { on: matching.on, labels: &matching.labels }
    }

    fn write(&self, labels: &Labels, buf: &mut LabelsBuf) {
        buf.clear();
        for (name, value) in labels.iter() {
            let listed = self.labels.iter().any(|l| l == name);
            if if self.on { listed } else { !listed && name != METRIC_NAME } {
                buf.push(name, value);
            }
        }
    }
}
