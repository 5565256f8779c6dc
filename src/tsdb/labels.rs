//! Names and values of labels, and which series there are: without looking at samples.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::ops::ControlFlow;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::promql::source::{Resolution, Select, SourceError, Want};
use crate::promql::value::Cancel;
use crate::tsdb::block::Damage;
use crate::tsdb::db::Tsdb;
use crate::tsdb::head;

/// Whose names are asked for: series that fulfil all matchers and may have samples in the time.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// Conditions on labels.
    pub matchers: &'a [Matcher],
    /// First time, in milliseconds, inclusive.
    pub start: i64,
    /// Last time, inclusive.
    pub end: i64,
    /// How many are wanted: the first ones in order.
    pub limit: usize,
    /// More than so many are an error, unless fewer are wanted.
    pub max_series: usize,
    /// Ends the work early, with an error.
    pub cancel: &'a Cancel,
}

impl<'a> Of<'a> {
    const fn select(&self) -> Select<'a> {
        let Self { matchers, start, end, max_series, cancel, .. } = *self;
        let want = Want::Last;
        Select { matchers, start, end, step: 0, window: 0, want, resolution: None, max_series, cancel: Some(cancel) }
    }

    /// How many are kept while looking: one too many is enough to know.
    fn kept(&self) -> usize {
        self.limit.min(self.max_series.saturating_add(1))
    }

    const fn check(&self, found: usize) -> Result<(), SourceError> {
        if found > self.max_series { Err(SourceError::TooManySeries { limit: self.max_series }) } else { Ok(()) }
    }
}

/// The first ones in order of all texts that are added.
struct First<'a> {
    of: Of<'a>,
    kept: usize,
    texts: BTreeSet<Box<str>>,
}

impl<'a> First<'a> {
    fn new(of: Of<'a>) -> Self {
        Self { of, kept: of.kept(), texts: BTreeSet::new() }
    }

    fn add(&mut self, text: &str) {
        let full = self.texts.len() >= self.kept;
        if full && self.texts.last().is_none_or(|last| **last <= *text) || self.texts.contains(text) {
            return;
        }
        self.texts.insert(text.into());
        if full {
            self.texts.pop_last();
        }
    }

    /// What was found.
    ///
    /// # Errors
    /// It is too much, or not all because it was cancelled.
    fn end(self) -> Result<Vec<Box<str>>, SourceError> {
        if self.of.cancel.cancelled() {
            return Err(SourceError::Cancelled);
        }
        self.of.check(self.texts.len())?;
        Ok(self.texts.into_iter().collect())
    }
}

impl Tsdb {
    /// Label sets of series, sorted.
    ///
    /// # Errors
    /// They are too many, or it was cancelled.
    pub fn series(&self, of: &Of<'_>) -> Result<Vec<Labels>, SourceError> {
        let (select, kept) = (of.select(), of.kept());
        let mut names = self.shared().head().names(&select)?;
        head::sort_names(&mut names);
        let mut all: Vec<Labels> = names.into_iter().take(kept).map(|(_, labels)| labels).collect();
        let places = self.shared().places(&select);
        for at in 0..places.blocks.len() {
            let mut list = Vec::new();
            // Sorted: the first ones of all are among the first ones of each.
            places.each(at, &select, &mut Damage::default(), |labels, _| {
                list.push(labels.clone());
                if list.len() < kept { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            all = union(all, list, kept);
        }
        of.check(all.len())?;
        Ok(all)
    }

    /// Names of the labels of series, sorted.
    ///
    /// # Errors
    /// They are too many, or it was cancelled.
    pub fn label_names(&self, of: &Of<'_>) -> Result<Vec<Box<str>>, SourceError> {
        let mut first = First::new(*of);
        if !of.matchers.is_empty() {
            self.each_series(of, |labels| labels.iter().for_each(|(name, _)| first.add(name)))?;
            return first.end();
        }
        self.shared().head().postings().names().for_each(|name| first.add(name));
        for block in self.shared().catalog().blocks.iter().filter(|b| b.overlaps(of.start, of.end)) {
            if of.cancel.cancelled() {
                break;
            }
            block.label_names(&mut Damage::default()).iter().for_each(|name| first.add(name));
        }
        first.end()
    }

    /// Values of a label of series, sorted.
    ///
    /// # Errors
    /// They are too many, or it was cancelled.
    pub fn label_values(&self, name: &str, of: &Of<'_>) -> Result<Vec<Box<str>>, SourceError> {
        let mut first = First::new(*of);
        if !of.matchers.is_empty() {
            self.each_series(of, |labels| labels.get(name).into_iter().for_each(|value| first.add(value)))?;
            return first.end();
        }
        self.shared().head().postings().values_of(name).for_each(|(value, _)| first.add(value));
        for block in self.shared().catalog().blocks.iter().filter(|b| b.overlaps(of.start, of.end)) {
            if of.cancel.cancelled() {
                break;
            }
            block.label_values(name, &mut Damage::default()).iter().for_each(|(value, _)| first.add(value));
        }
        first.end()
    }

    /// Calls `each` with the labels of series, in no order and perhaps more than once.
    fn each_series(&self, of: &Of<'_>, mut each: impl FnMut(&Labels)) -> Result<(), SourceError> {
        let select = of.select();
        let names = self.shared().head().names(&select)?;
        names.iter().for_each(|(_, labels)| each(labels));
        let places = self.shared().places(&select);
        for at in 0..places.blocks.len() {
            places.each(at, &select, &mut Damage::default(), |labels, _| {
                each(labels);
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    /// Of what resolution the oldest data are, for people who wonder: the first time of each.
    pub fn oldest(&self) -> [(Resolution, Option<i64>); 3] {
        let catalog = self.shared().catalog();
        [Resolution::Raw, Resolution::FiveMinutes, Resolution::Hour]
            .map(|r| (r, catalog.of(r).filter(|b| b.stats().samples > 0).map(|b| b.stats().min_time).min()))
    }
}

/// The first ones of two sorted lists, each once.
fn union(a: Vec<Labels>, b: Vec<Labels>, most: usize) -> Vec<Labels> {
    if a.is_empty() || b.is_empty() {
        return if a.is_empty() { b } else { a };
    }
    let mut all = Vec::with_capacity(a.len().max(b.len()));
    let (mut a, mut b): (Peekable<_>, Peekable<_>) = (a.into_iter().peekable(), b.into_iter().peekable());
    while all.len() < most {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) => match x.cmp(y) {
                std::cmp::Ordering::Less => a.next(),
                std::cmp::Ordering::Greater => b.next(),
                std::cmp::Ordering::Equal => {
                    b.next();
                    a.next()
                }
            },
            (Some(_), None) => a.next(),
            (None, _) => b.next(),
        };
        match next {
            Some(labels) => all.push(labels),
            None => break,
        }
    }
    all
}
