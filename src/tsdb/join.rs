//! Joins what several places know of series, each sorted by labels.

use std::cmp::Ordering;

use crate::base::labels::Labels;
use crate::promql::source::{Select, SourceError};
use crate::tsdb::block::SeriesId;

/// So many series are joined between two looks at whether anybody still waits.
const ASK: usize = 4_096;

/// A series of a selection.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) labels: Labels,
    /// Where its parts end; they begin where those of the series before end.
    pub(crate) end: u32,
}

/// Where a part of a series' samples is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// In a block, by place in the selection's list.
    Block {
        /// Which.
        block: u32,
        /// The number that it has there.
        series: SeriesId,
    },
    /// In memory, by place in the snapshot.
    Memory(u32),
}

/// Joins sorted lists of series into one.
///
/// Looks at the next series of all lists in each step: most lists hold the same series, and there are few lists.
///
/// # Errors
/// There are more than the selection allows, or it was cancelled.
pub(crate) fn join(
    lists: Vec<Vec<(Labels, Part)>>,
    select: &Select<'_>,
) -> Result<(Vec<Entry>, Vec<Part>), SourceError> {
    let limit = select.max_series;
    let mut parts = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    let mut series: Vec<Entry> = Vec::with_capacity(lists.iter().map(Vec::len).max().unwrap_or(0));
    let mut lists: Vec<_> = lists.into_iter().map(|l| l.into_iter().peekable()).collect();
    let mut least = Vec::with_capacity(lists.len());
    loop {
        // The lists whose next series comes first, in the order in which they were written.
        least.clear();
        let mut first: Option<&Labels> = None;
        for (i, list) in lists.iter_mut().enumerate() {
            let Some((labels, _)) = list.peek() else { continue };
            let order = first.map_or(Ordering::Less, |first| labels.cmp(first));
            if order.is_lt() {
                least.clear();
                first = Some(labels);
            }
            if order.is_le() {
                least.push(i);
            }
        }
        if least.is_empty() {
            return Ok((series, parts));
        }
        if series.len() == limit {
            return Err(SourceError::TooManySeries { limit });
        }
        if series.len().is_multiple_of(ASK) && select.is_cancelled() {
            return Err(SourceError::Cancelled);
        }
        let mut name = None;
        for (labels, part) in least.iter().filter_map(|i| lists[*i].next()) {
            parts.push(part);
            name = Some(labels);
        }
        series.extend(name.map(|labels| Entry { labels, end: parts.len() as u32 }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::source::Want;
    use crate::promql::value::Cancel;

    const fn select(max_series: usize) -> Select<'static> {
        let (matchers, want) = (&[], Want::Last);
        Select { matchers, start: 0, end: 0, step: 0, window: 0, want, resolution: None, max_series, cancel: None }
    }

    #[test]
    fn series_come_once_with_parts_in_order_of_lists() {
        let list = |names: &[&str], block| -> Vec<(Labels, Part)> {
            let part = |i| Part::Block { block, series: i };
            names.iter().zip(0..).map(|(n, i)| (Labels::new([("a", *n)]), part(i))).collect()
        };
        let lists = || vec![list(&["b", "c"], 0), list(&[], 1), list(&["a", "c", "d"], 2), list(&["c"], 3)];
        let (series, parts) = join(lists(), &select(4)).unwrap();
        let names: Vec<_> = series.iter().map(|e| (e.labels.get("a").unwrap(), e.end)).collect();
        assert_eq!(names, [("a", 1), ("b", 2), ("c", 5), ("d", 6)]);
        let blocks: Vec<_> = parts.iter().map(|p| if let Part::Block { block, .. } = p { *block } else { 9 }).collect();
        assert_eq!(blocks, [2, 0, 0, 2, 3, 2]);
        assert!(matches!(join(lists(), &select(3)), Err(SourceError::TooManySeries { limit: 3 })));
        let cancel = Cancel::default();
        cancel.cancel();
        let cancelled = Select { cancel: Some(&cancel), ..select(4) };
        assert!(matches!(join(lists(), &cancelled), Err(SourceError::Cancelled)));
    }
}
