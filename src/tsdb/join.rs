//! Joins what several places know of series, each sorted by labels.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::base::labels::Labels;
use crate::tsdb::block::SeriesId;

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

/// Joins sorted lists of series into one; nothing if there are more than `most`.
pub(crate) fn join(lists: Vec<Vec<(Labels, Part)>>, most: usize) -> Option<(Vec<Entry>, Vec<Part>)> {
    let mut parts = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    let mut series: Vec<Entry> = Vec::with_capacity(lists.iter().map(Vec::len).max().unwrap_or(0));
    let mut lists: Vec<_> = lists.into_iter().filter(|l| !l.is_empty()).map(Vec::into_iter).collect();
    if let [only] = lists.as_mut_slice() {
        for (labels, part) in only {
            parts.push(part);
            series.push(Entry { labels, end: parts.len() as u32 });
        }
    } else {
        // Of equal labels the one of the list written first comes first.
        let mut heads = BinaryHeap::new();
        for (i, list) in lists.iter_mut().enumerate() {
            heads.extend(list.next().map(|(labels, part)| Next { labels, list: i, part }));
        }
        while let Some(mut top) = heads.peek_mut() {
            let part = top.part;
            let labels = match lists[top.list].next() {
                Some((labels, part)) => {
                    top.part = part;
                    std::mem::replace(&mut top.labels, labels)
                }
                None => PeekMut::pop(top).labels,
            };
            parts.push(part);
            match series.last_mut() {
                Some(last) if last.labels == labels => last.end = parts.len() as u32,
                _ => series.push(Entry { labels, end: parts.len() as u32 }),
            }
            if series.len() > most {
                return None;
            }
        }
    }
    (series.len() <= most).then_some((series, parts))
}

/// The next series of a list.
struct Next {
    labels: Labels,
    list: usize,
    part: Part,
}

impl Ord for Next {
    /// The heap gives the greatest first, so the order is turned round. Most labels are equal to those of
    /// the other lists, which their text shows at once.
    fn cmp(&self, other: &Self) -> Ordering {
        let labels = if self.labels == other.labels { Ordering::Equal } else { other.labels.cmp(&self.labels) };
        labels.then(other.list.cmp(&self.list))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Next {}
