//! Finds series of a block by matchers.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::tsdb::block::cache::{Kind, Part};
use crate::tsdb::block::format::{Directory, GROUP, Name};
use crate::tsdb::block::postings::{Postings, PostingsAt, Values, intersect, subtract};
use crate::tsdb::block::{Block, Damage, SeriesId, times_place};
use crate::tsdb::chunk::Corrupt;

/// Postings this many times longer than the candidates are not read: looking at the candidates' labels,
/// which are needed anyway, is cheaper.
const LABELS_OVER_POSTINGS: u64 = 16;

/// What one matcher says of the series, by values of its label.
enum Verdict {
    /// Only series of these lists.
    Only(Lists),
    /// All but the series of these lists.
    Without(Lists),
    /// Ask the labels: the lists are damaged.
    Unknown,
}

/// Lists of the values of one name: no series is in two.
#[derive(Default)]
struct Lists {
    /// Page and place of each value.
    values: Vec<(u64, Arc<Values>, usize)>,
    series: u64,
}

impl Block {
    /// Labels and ids of the series that fulfil all matchers and may have samples between two times, sorted by labels.
    pub fn select(&self, matchers: &[Matcher], from: i64, to: i64, damage: &mut Damage) -> Vec<(Labels, SeriesId)> {
        let mut found = Vec::new();
        self.each(matchers, (from, to), damage, &mut |labels, id| {
            found.push((labels.clone(), id));
            ControlFlow::Continue(())
        });
        found
    }

    /// Calls `each` with what [`select`](Self::select) finds, one after the other, as long as it wants more.
    pub fn each(
        &self,
        matchers: &[Matcher],
        (from, to): (i64, i64),
        damage: &mut Damage,
        each: &mut dyn FnMut(&Labels, SeriesId) -> ControlFlow<()>,
    ) {
        if let Some((ids, ask)) = self.candidates(matchers, (from, to), damage) {
            self.with_labels(&ids, &ask, (from, to), damage, each);
        }
    }

    /// Whether any series may have samples between two times.
    pub fn has_samples(&self, from: i64, to: i64, damage: &mut Damage) -> bool {
        if !self.overlaps(from, to) {
            return false;
        }
        // Times of samples are in the table of times alone, and series that are scraped together share them.
        let pages = self.directory(damage).map_or(0, |d| d.times.len());
        (0..pages).any(|page| match self.times_page(page, damage) {
            Some(page) => page.entries.iter().any(|t| t.min <= to && t.max >= from),
            // Damage says yes: reading will tell.
            None => true,
        })
    }

    /// Series that the lists of values allow, and the matchers that their labels must be asked for.
    fn candidates<'m>(
        &self,
        matchers: &'m [Matcher],
        (from, to): (i64, i64),
        damage: &mut Damage,
    ) -> Option<(Vec<SeriesId>, Vec<&'m Matcher>)> {
        if !self.overlaps(from, to) {
            return None;
        }
        let directory = self.directory(damage)?;
        let (mut only, mut without, mut ask) = (Vec::new(), Vec::new(), Vec::new());
        for matcher in matchers.iter().filter(|m| !m.accepts_all()) {
            match self.verdict(&directory, matcher, damage) {
                Verdict::Only(lists) if lists.values.is_empty() => return None,
                Verdict::Only(lists) => only.push((lists, matcher)),
                Verdict::Without(lists) if lists.values.is_empty() => {}
                Verdict::Without(lists) => without.push((lists, matcher)),
                Verdict::Unknown => ask.push(matcher),
            }
        }
        only.sort_by_key(|(lists, _)| lists.series);
        let mut only = only.into_iter();
        let mut ids: Vec<SeriesId> = match only.next().map(|(lists, m)| (self.union(&lists, damage), m)) {
            Some((Some(ids), _)) => ids,
            // All, and the labels decide.
            Some((None, matcher)) => {
                ask.push(matcher);
                (0..self.len()).collect()
            }
            None => (0..self.len()).collect(),
        };
        let rest = only.map(|(l, m)| (l, m, true)).chain(without.into_iter().map(|(l, m)| (l, m, false)));
        for (lists, matcher, keep) in rest {
            if lists.series > ids.len() as u64 * LABELS_OVER_POSTINGS {
                ask.push(matcher);
                continue;
            }
            match self.union(&lists, damage) {
                Some(other) if keep => intersect(&mut ids, &other),
                Some(other) => subtract(&mut ids, &other),
                None => ask.push(matcher),
            }
        }
        Some((ids, ask))
    }

    /// Calls `each` with the labels of candidates, without those that fail a matcher or have no samples in the time.
    fn with_labels(
        &self,
        ids: &[SeriesId],
        ask: &[&Matcher],
        (from, to): (i64, i64),
        damage: &mut Damage,
        each: &mut dyn FnMut(&Labels, SeriesId) -> ControlFlow<()>,
    ) {
        let all_time = from <= self.stats().min_time && to >= self.stats().max_time;
        for group in ids.chunk_by(|a, b| *a as usize / GROUP == *b as usize / GROUP) {
            let Some(labels) = self.group_labels(group[0] as usize / GROUP, damage) else { continue };
            for &id in group {
                let Some(labels) = labels.get(id as usize % GROUP) else { continue };
                let fits = ask.iter().all(|m| m.matches(labels.get(m.name()).unwrap_or_default()));
                if fits && (all_time || self.may_have(id, from, to, damage)) && each(labels, id).is_break() {
                    return;
                }
            }
        }
    }

    /// Whether a chunk of the series overlaps the time. Damage says yes: reading will tell.
    fn may_have(&self, id: SeriesId, from: i64, to: i64, damage: &mut Damage) -> bool {
        let Some(chunks) = self.group_chunks(id as usize / GROUP, damage) else { return true };
        chunks.of(id as usize % GROUP).any(|chunk| {
            let (page, place) = times_place(chunks.time(chunk));
            let page = self.times_page(page, damage);
            page.is_none_or(|p| p.entries.get(place).is_none_or(|t| t.min <= to && t.max >= from))
        })
    }

    fn verdict(&self, directory: &Directory, matcher: &Matcher, damage: &mut Damage) -> Verdict {
        // A series without the label has the empty value.
        let empty = matcher.matches("");
        let Some(name) = directory.find(matcher.name()) else {
            return if empty { Verdict::Without(Lists::default()) } else { Verdict::Only(Lists::default()) };
        };
        let number = directory.names[..name].iter().map(|n| n.pages.len() as u64).sum();
        match self.values_where(&directory.names[name], number, matcher, !empty, damage) {
            Some(lists) if empty => Verdict::Without(lists),
            Some(lists) => Verdict::Only(lists),
            None => Verdict::Unknown,
        }
    }

    /// Values that the matcher accepts, or does not.
    fn values_where(
        &self,
        name: &Name,
        first_page: u64,
        matcher: &Matcher,
        accepted: bool,
        damage: &mut Damage,
    ) -> Option<Lists> {
        let mut lists = Lists::default();
        let mut add = |page: u64, values: &Arc<Values>, place: usize| {
            lists.series += u64::from(values.values[place].series);
            lists.values.push((page, Arc::clone(values), place));
        };
        // Which pages may hold a value: the last one that begins at or before it.
        let page_of = |value: &str| name.pages.partition_point(|(first, _)| **first <= *value).checked_sub(1);
        if let Some(literals) = matcher.literals().filter(|_| accepted) {
            for literal in literals {
                let Some(page) = page_of(literal) else { continue };
                let values = self.values_page(name, page, first_page, damage)?;
                if let Ok(place) = values.values.binary_search_by(|v| v.text.cmp(literal)) {
                    add(first_page + page as u64, &values, place);
                }
            }
            return Some(lists);
        }
        let prefix = if accepted { matcher.prefix() } else { "" };
        for page in page_of(prefix).unwrap_or(0)..name.pages.len() {
            let first = &*name.pages[page].0;
            if first > prefix && !first.starts_with(prefix) {
                break;
            }
            let values = self.values_page(name, page, first_page, damage)?;
            for (place, value) in values.values.iter().enumerate() {
                if matcher.matches(&value.text) == accepted {
                    add(first_page + page as u64, &values, place);
                }
            }
        }
        Some(lists)
    }

    fn values_page(&self, name: &Name, page: usize, first_page: u64, damage: &mut Damage) -> Option<Arc<Values>> {
        let key = (self.number, Kind::Values, first_page + page as u64);
        if let Some(Part::Values(found)) = self.cache.get(key) {
            return Some(found);
        }
        let decoded = self.part(name.pages[page].1).and_then(|b| Values::decode(&b, self.tail.stats.bytes));
        match decoded {
            Ok(found) => {
                let found = Arc::new(found);
                self.cache.put(key, Part::Values(Arc::clone(&found)));
                Some(found)
            }
            Err(Corrupt) => {
                damage.add(|| self.note(&format!("a page of the values of `{}`", name.text)));
                None
            }
        }
    }

    /// All series of the lists, or nothing if one is damaged.
    fn union(&self, lists: &Lists, damage: &mut Damage) -> Option<Vec<SeriesId>> {
        let mut ids = Vec::with_capacity(lists.series.min(u64::from(self.len())) as usize);
        for (page, values, place) in &lists.values {
            self.postings(*page, values, *place, damage)?.append_to(&mut ids);
        }
        if lists.values.len() > 1 {
            ids.sort_unstable();
        }
        Some(ids)
    }

    fn postings(&self, page: u64, values: &Values, place: usize, damage: &mut Damage) -> Option<Arc<Postings>> {
        let value = &values.values[place];
        let key = (self.number, Kind::Postings, page << 16 | place as u64);
        if let Some(Part::Postings(found)) = self.cache.get(key) {
            return Some(found);
        }
        let end = u64::from(self.len());
        let decoded = match value.at {
            PostingsAt::Page { start, len } => {
                Postings::decode(&values.own[start as usize..(start + len) as usize], value.series as usize, end)
            }
            PostingsAt::File { offset, len } => {
                self.payload(offset, len).and_then(|bytes| Postings::decode(&bytes, value.series as usize, end))
            }
        };
        match decoded {
            Ok(found) => {
                let found = Arc::new(found);
                self.cache.put(key, Part::Postings(Arc::clone(&found)));
                Some(found)
            }
            Err(Corrupt) => {
                damage.add(|| self.note(&format!("the list of series with the value `{}`", value.text)));
                None
            }
        }
    }

    /// All label names, sorted.
    pub fn label_names(&self, damage: &mut Damage) -> Vec<Box<str>> {
        let directory = self.directory(damage);
        directory.map(|d| d.names.iter().map(|n| n.text.clone()).collect()).unwrap_or_default()
    }

    /// All label names with how many values each has, and how many series.
    pub fn label_counts(&self, damage: &mut Damage) -> Vec<(Box<str>, u64, u64)> {
        let directory = self.directory(damage);
        directory.map(|d| d.names.iter().map(|n| (n.text.clone(), n.values, n.series)).collect()).unwrap_or_default()
    }

    /// All values of a label, sorted, each with how many series have it.
    pub fn label_values(&self, name: &str, damage: &mut Damage) -> Vec<(Box<str>, u64)> {
        let mut all = Vec::new();
        let Some(directory) = self.directory(damage) else { return all };
        let Some(name) = directory.find(name) else { return all };
        let first = directory.names[..name].iter().map(|n| n.pages.len() as u64).sum();
        let name = &directory.names[name];
        for page in 0..name.pages.len() {
            if let Some(values) = self.values_page(name, page, first, damage) {
                all.extend(values.values.iter().map(|v| (v.text.clone(), u64::from(v.series))));
            }
        }
        all
    }

    /// Reads all values and their postings.
    pub(super) fn verify_values(&self, directory: &Directory, damage: &mut Damage) {
        let mut first = 0;
        for name in &directory.names {
            for page in 0..name.pages.len() {
                if let Some(values) = self.values_page(name, page, first, damage) {
                    for place in 0..values.values.len() {
                        self.postings(first + page as u64, &values, place, damage);
                    }
                }
            }
            first += name.pages.len() as u64;
        }
    }
}
