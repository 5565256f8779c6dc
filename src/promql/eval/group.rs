//! Which group of an aggregation a series belongs to.

use ahash::AHashMap;

use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::promql::ast::Grouping;
use crate::promql::eval::names;
use crate::promql::eval::rows::Head;
use crate::promql::eval::stream::Stream;

/// The groups of an aggregation.
#[derive(Debug)]
pub(crate) struct Groups {
    /// The group of each series.
    pub(crate) of: Vec<usize>,
    /// What identifies each group, in order of their first series.
    pub(crate) heads: Vec<Head>,
}

impl Groups {
    /// Groups the series of a stream. No label set is built but those of the groups.
    pub(crate) fn of(stream: &Stream<'_>, grouping: Option<&Grouping>) -> Self {
        let heads = stream.heads();
        let by = By::new(grouping, stream.dropped());
        let mut places: AHashMap<Labels, usize> = AHashMap::new();
        let mut groups = Self { of: Vec::with_capacity(heads.len()), heads: Vec::new() };
        let mut buf = LabelsBuf::default();
        for head in heads {
            by.write(&head.labels, &mut buf);
            let place = match places.get(buf.as_key()) {
                Some(place) => *place,
                None => {
                    let labels = buf.labels();
                    places.insert(labels.clone(), groups.heads.len());
                    groups.heads.push(Head { labels, unnamed: false });
                    groups.heads.len() - 1
                }
            };
            groups.heads[place].unnamed |= head.unnamed;
            groups.of.push(place);
        }
        groups
    }
}

/// Which labels make a group.
pub(crate) struct By<'g> {
    without: bool,
    labels: Vec<&'g str>,
    /// The name and what belongs to it count as taken off.
    dropped: bool,
}

impl<'g> By<'g> {
    pub(crate) fn new(grouping: Option<&'g Grouping>, dropped: bool) -> Self {
        let mut labels: Vec<&str> = grouping.iter().flat_map(|g| &g.labels).map(String::as_str).collect();
        labels.sort_unstable();
        Self { without: grouping.is_some_and(|g| g.without), labels, dropped }
    }

    /// Whether a label is part of the group's labels.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        if self.dropped && names::is_metadata(name) {
            return false;
        }
        let listed = self.labels.contains(&name);
        if self.without { !listed && name != METRIC_NAME } else { listed }
    }

    /// Writes the group's labels of a series.
    pub(crate) fn write(&self, labels: &Labels, buf: &mut LabelsBuf) {
        buf.clear();
        if self.without {
            labels.iter().filter(|(name, _)| self.keeps(name)).for_each(|(name, value)| buf.push(name, value));
            return;
        }
        // Both are sorted: one pass over each, and none over the labels behind the last that is wanted.
        let mut wanted = self.labels.iter().peekable();
        for (name, value) in labels.iter() {
            while wanted.next_if(|w| **w < name).is_some() {}
            let Some(next) = wanted.peek() else { return };
            if **next == name && self.keeps(name) {
                buf.push(name, value);
            }
        }
    }
}
