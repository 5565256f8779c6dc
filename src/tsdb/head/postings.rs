//! Which series have which label: for each name and value the slots, rising. Slots are given in rising order,
//! so that a new series goes to the end of its lists, however long they are: 100,000 new ones beside a million cost
//! 0.2 s of processor time, where inserting them into slots of gone ones took 30.
//!
//! Every kind of matcher becomes unions and differences of these lists. Regular expressions run once per
//! distinct value, or once per series left, whichever are fewer.

use std::collections::HashMap;

use ahash::RandomState;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;

/// The slots with one value. Most values of a label such as `id` have a single one.
#[derive(Clone, Debug)]
enum List {
    One(u32),
    Many(Vec<u32>),
}

impl List {
    fn slots(&self) -> &[u32] {
        match self {
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Many(slots) => slots,
        }
    }

    /// Adds a slot that is not smaller than the last one.
    fn add(&mut self, slot: u32) {
        match self {
            Self::One(first) if *first == slot => {}
            Self::One(first) => *self = Self::Many(vec![*first, slot]),
            Self::Many(slots) => {
                debug_assert!(slots.last().is_none_or(|last| *last < slot), "slots are given in rising order");
                slots.push(slot);
            }
        }
    }

    /// Gives slots other numbers, in the same order, and removes those that have none; false when none is left.
    fn renumber(&mut self, number: impl Fn(u32) -> Option<u32>) -> bool {
        match self {
            Self::One(slot) => match number(*slot) {
                Some(other) => *slot = other,
                None => return false,
            },
            Self::Many(slots) => {
                let mut kept = 0;
                for at in 0..slots.len() {
                    if let Some(other) = number(slots[at]) {
                        slots[kept] = other;
                        kept += 1;
                    }
                }
                slots.truncate(kept);
                if slots.capacity() > 2 * slots.len() {
                    slots.shrink_to_fit();
                }
                return kept > 0;
            }
        }
        true
    }
}

#[derive(Debug)]
struct Name {
    name: Box<str>,
    values: HashMap<Box<str>, u32, RandomState>,
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    /// By name; there are few.
    names: Vec<Name>,
    by_name: HashMap<Box<str>, u32, RandomState>,
    /// Lists of all values; a free place has an empty list.
    lists: Vec<List>,
    free: Vec<u32>,
    /// Place in `names` and in `lists` of each pair of the series added last: neighbours share most.
    last: Vec<(u32, u32)>,
    last_labels: Labels,
}

impl Postings {
    /// Adds a series whose slot is greater than all before.
    pub(crate) fn add(&mut self, slot: u32, labels: &Labels) {
        let last_labels = std::mem::take(&mut self.last_labels);
        let last = std::mem::take(&mut self.last);
        let mut before = last_labels.iter().zip(&last).peekable();
        for (name, value) in labels.iter() {
            while before.next_if(|((n, _), _)| *n < name).is_some() {}
            let same = before.peek().filter(|((n, v), _)| *n == name && *v == value).map(|(_, place)| **place);
            let place = same.unwrap_or_else(|| self.place(name, value, slot));
            if let Some(list) = self.lists.get_mut(place.1 as usize) {
                list.add(slot);
            }
            self.last.push(place);
        }
        self.last_labels = labels.clone();
    }

    /// The list of a pair, made if need be with `slot` in it.
    fn place(&mut self, name: &str, value: &str, slot: u32) -> (u32, u32) {
        let at = match self.by_name.get(name) {
            Some(at) => *at,
            None => {
                let at = self.names.len() as u32;
                self.names.push(Name { name: name.into(), values: HashMap::default() });
                self.by_name.insert(name.into(), at);
                at
            }
        };
        let values = &mut self.names[at as usize].values;
        if let Some(list) = values.get(value) {
            return (at, *list);
        }
        let list = match self.free.pop() {
            Some(list) => {
                self.lists[list as usize] = List::One(slot);
                list
            }
            None => {
                self.lists.push(List::One(slot));
                self.lists.len() as u32 - 1
            }
        };
        values.insert(value.into(), list);
        (at, list)
    }

    /// Gives series other slots, in the same order, and removes those that have none.
    pub(crate) fn renumber(&mut self, number: impl Fn(u32) -> Option<u32>) {
        self.last.clear();
        self.last_labels = Labels::default();
        let (lists, free) = (&mut self.lists, &mut self.free);
        for name in &mut self.names {
            name.values.retain(|_, list| {
                let kept = lists[*list as usize].renumber(&number);
                if !kept {
                    lists[*list as usize] = List::Many(Vec::new());
                    free.push(*list);
                }
                kept
            });
            if name.values.capacity() > 4 * name.values.len() {
                name.values.shrink_to_fit();
            }
        }
    }

    fn values(&self, name: &str) -> Option<&HashMap<Box<str>, u32, RandomState>> {
        self.by_name.get(name).map(|at| &self.names[*at as usize].values)
    }

    fn slots(&self, list: u32) -> &[u32] {
        self.lists[list as usize].slots()
    }

    /// The slots with one pair.
    fn pair(&self, name: &str, value: &str) -> &[u32] {
        self.values(name).and_then(|v| v.get(value)).map_or(&[], |list| self.slots(*list))
    }

    /// The union of the lists of the values that `accept` accepts.
    fn union(&self, name: &str, mut accept: impl FnMut(&str) -> bool) -> Vec<u32> {
        let mut slots = Vec::new();
        let mut lists = 0;
        for (value, list) in self.values(name).into_iter().flatten() {
            if accept(value) {
                slots.extend_from_slice(self.slots(*list));
                lists += 1;
            }
        }
        if lists > 1 {
            slots.sort_unstable();
        }
        slots
    }

    /// Slots that fulfil all matchers, rising. `all` gives every slot, and `labels` those of one.
    pub(crate) fn select<'a>(
        &self,
        matchers: &[Matcher],
        all: impl FnOnce() -> Vec<u32>,
        labels: impl Fn(u32) -> Option<&'a Labels>,
    ) -> Vec<u32> {
        let holds =
            |m: &Matcher, slot: u32| labels(slot).is_some_and(|l| m.matches(l.get(m.name()).unwrap_or_default()));
        // Positive matchers first, the ones whose values are known before the ones that must look for them.
        let mut order: Vec<(usize, &Matcher)> = matchers.iter().map(|m| (self.cost(m), m)).collect();
        order.sort_by_key(|(cost, _)| *cost);
        let mut found: Option<Vec<u32>> = None;
        for (_, m) in order {
            if m.accepts_all() {
                continue;
            }
            let distinct = self.values(m.name()).map_or(0, HashMap::len);
            let positive = !m.matches("");
            found = Some(match (found, positive) {
                (Some(found), _) if found.is_empty() => return found,
                (Some(mut found), _) if m.literals().is_none() && found.len() < distinct => {
                    found.retain(|slot| holds(m, *slot));
                    found
                }
                (None, true) => self.accepted(m),
                (Some(mut found), true) => {
                    if found.len() < 64 {
                        found.retain(|slot| holds(m, *slot));
                    } else {
                        match m.literals() {
                            Some([value]) => keep_common(&mut found, self.pair(m.name(), value)),
                            _ => keep_common(&mut found, &self.accepted(m)),
                        }
                    }
                    found
                }
                (found, false) => {
                    let refused = self.union(m.name(), |v| !m.matches(v));
                    let Some(mut found) = found else { return self.rest(matchers, all(), holds) };
                    remove_common(&mut found, &refused);
                    found
                }
            });
        }
        found.unwrap_or_else(all)
    }

    /// Only matchers that accept a missing label.
    fn rest(&self, matchers: &[Matcher], mut found: Vec<u32>, holds: impl Fn(&Matcher, u32) -> bool) -> Vec<u32> {
        for m in matchers {
            if m.literals().is_none() && found.len() < self.values(m.name()).map_or(0, HashMap::len) {
                found.retain(|slot| holds(m, *slot));
            } else {
                remove_common(&mut found, &self.union(m.name(), |v| !m.matches(v)));
            }
        }
        found
    }

    /// Slots that have the label with a value that a matcher accepts.
    fn accepted(&self, m: &Matcher) -> Vec<u32> {
        match m.literals() {
            Some([value]) => self.pair(m.name(), value).to_vec(),
            Some(values) => {
                let mut slots: Vec<u32> = values.iter().flat_map(|v| self.pair(m.name(), v)).copied().collect();
                slots.sort_unstable();
                slots
            }
            None => self.union(m.name(), |v| m.matches(v)),
        }
    }

    /// How many slots a matcher may leave, for the order in which they are applied.
    fn cost(&self, m: &Matcher) -> usize {
        if m.matches("") {
            return usize::MAX;
        }
        match m.literals() {
            Some(values) => values.iter().map(|v| self.pair(m.name(), v).len()).sum(),
            None => usize::MAX / 2,
        }
    }

    /// Names of labels.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|n| !n.values.is_empty()).map(|n| &*n.name)
    }

    /// Values of a label with how many series have each.
    pub(crate) fn values_of(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        self.values(name).into_iter().flatten().map(|(value, list)| (&**value, self.slots(*list).len()))
    }

    /// Names of labels with how many values each has, and the bytes of those.
    pub(crate) fn cardinality(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.names
            .iter()
            .filter(|n| !n.values.is_empty())
            .map(|n| (&*n.name, n.values.len(), n.values.keys().map(|v| v.len()).sum()))
    }
}

/// Keeps what is also in `other`. Both rise.
fn keep_common(slots: &mut Vec<u32>, other: &[u32]) {
    let mut from = 0;
    slots.retain(|slot| {
        from += gallop(&other[from..], *slot);
        other.get(from) == Some(slot)
    });
}

/// Removes what is in `other`. Both rise.
fn remove_common(slots: &mut Vec<u32>, other: &[u32]) {
    let mut from = 0;
    slots.retain(|slot| {
        from += gallop(&other[from..], *slot);
        other.get(from) != Some(slot)
    });
}

/// How many at the beginning of `sorted` are smaller than `slot`.
fn gallop(sorted: &[u32], slot: u32) -> usize {
    let mut step = 1;
    while sorted.get(step - 1).is_some_and(|s| *s < slot) {
        step *= 2;
    }
    let from = step / 2;
    let end = (step - 1).min(sorted.len());
    from + sorted[from.min(end)..end].partition_point(|s| *s < slot)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::matcher::MatchOp;

    proptest! {
        #[test]
        fn counting_smaller_ones_is_exact(mut sorted: Vec<u32>, slot: u32) {
            sorted.sort_unstable();
            prop_assert_eq!(gallop(&sorted, slot), sorted.partition_point(|s| *s < slot));
            let near = sorted.get(sorted.len() / 2).copied().unwrap_or(1);
            prop_assert_eq!(gallop(&sorted, near), sorted.partition_point(|s| *s < near));
        }

        #[test]
        fn selection_is_what_matching_each_series_gives(
            series in prop::collection::vec(("[ab]?", "[xyz]{0,2}", "[0-9]?"), 0..150),
            picks in prop::collection::vec((0..3_usize, 0..4_usize, prop::sample::select(
                vec!["", "a", "a|b", ".*", ".+", "x.*", "x|y|xy", "[xy]+", "1", "x.+", "|z"])), 0..4),
            gone in prop::collection::vec(0..150_u32, 0..40),
            more in prop::collection::vec(("[ab]?", "[xyz]{0,2}", "[0-9]?"), 0..40),
        ) {
            let labels: Vec<Labels> =
                series.iter().map(|(a, b, c)| Labels::new([("a", a.as_str()), ("b", b), ("c", c)])).collect();
            let mut postings = Postings::default();
            labels.iter().enumerate().for_each(|(i, l)| postings.add(i as u32, l));
            let all = 0..labels.len() as u32;
            let (removed, kept): (Vec<u32>, Vec<u32>) = all.partition(|s| gone.contains(s));
            postings.renumber(|slot| removed.binary_search(&slot).err().map(|before| slot - before as u32));
            let mut labels: Vec<Labels> = kept.iter().map(|s| labels[*s as usize].clone()).collect();
            for (a, b, c) in more {
                labels.push(Labels::new([("a", a.as_str()), ("b", &b), ("c", &c)]));
                postings.add(labels.len() as u32 - 1, &labels[labels.len() - 1]);
            }
            let live: Vec<u32> = (0..labels.len() as u32).collect();
            let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
            let matchers: Vec<Matcher> =
                picks.iter().map(|(n, op, v)| Matcher::new(["a", "b", "c"][*n], ops[*op], *v).unwrap()).collect();
            let found = postings.select(&matchers, || live.clone(), |slot| labels.get(slot as usize));
            let expected: Vec<u32> = live
                .iter()
                .copied()
                .filter(|s| {
                    let l = &labels[*s as usize];
                    matchers.iter().all(|m| m.matches(l.get(m.name()).unwrap_or_default()))
                })
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
