//! Names and values of labels, and which series there are.

use std::collections::BTreeSet;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::promql::source::{Resolution, Select, Source, SourceError, Want};
use crate::promql::value::Cancel;
use crate::tsdb::block::Damage;
use crate::tsdb::db::Tsdb;

/// A selection of all that fulfils matchers.
const fn select(matchers: &[Matcher], start: i64, end: i64) -> Select<'_> {
    Select { matchers, start, end, step: 0, window: 0, want: Want::Last, resolution: None, max_series: usize::MAX }
}

impl Tsdb {
    /// Label sets of the series that fulfil all matchers and may have samples in the time, sorted. Ends early, with
    /// what was found, when it is cancelled; as the next two do.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Labels>, SourceError> {
        let set = self.select(&select(matchers, start, end))?;
        Ok((0..set.len().min(limit)).take_while(|_| !cancel.cancelled()).map(|i| set.labels(i)).collect())
    }

    /// Names of the labels of those series, sorted.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Box<str>>, SourceError> {
        let mut names: BTreeSet<Box<str>> = BTreeSet::new();
        if matchers.is_empty() {
            names.extend(self.shared().head().postings().names().map(Box::from));
            for block in self.shared().catalog().blocks.iter().filter(|b| b.overlaps(start, end)) {
                if cancel.cancelled() {
                    break;
                }
                names.extend(block.label_names(&mut Damage::default()));
            }
        } else {
            let set = self.select(&select(matchers, start, end))?;
            for i in (0..set.len()).take_while(|_| !cancel.cancelled()) {
                for (name, _) in set.labels(i).iter() {
                    if !names.contains(name) {
                        names.insert(name.into());
                    }
                }
            }
        }
        Ok(names.into_iter().take(limit).collect())
    }

    /// Values of a label of those series, sorted.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Box<str>>, SourceError> {
        let mut values: BTreeSet<Box<str>> = BTreeSet::new();
        if matchers.is_empty() {
            values.extend(self.shared().head().postings().values_of(name).map(|(value, _)| Box::from(value)));
            for block in self.shared().catalog().blocks.iter().filter(|b| b.overlaps(start, end)) {
                if cancel.cancelled() {
                    break;
                }
                values.extend(block.label_values(name, &mut Damage::default()).into_iter().map(|(value, _)| value));
            }
        } else {
            let set = self.select(&select(matchers, start, end))?;
            for i in (0..set.len()).take_while(|_| !cancel.cancelled()) {
                if let Some(value) = set.labels(i).get(name)
                    && !values.contains(value)
                {
                    values.insert(value.into());
                }
            }
        }
        Ok(values.into_iter().take(limit).collect())
    }

    /// Of what resolution the oldest data are, for people who wonder: the first time of each.
    pub fn oldest(&self) -> [(Resolution, Option<i64>); 3] {
        let catalog = self.shared().catalog();
        [Resolution::Raw, Resolution::FiveMinutes, Resolution::Hour]
            .map(|r| (r, catalog.of(r).filter(|b| b.stats().samples > 0).map(|b| b.stats().min_time).min()))
    }
}
