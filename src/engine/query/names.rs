//! Which series, label names and label values there are.

use std::collections::BTreeSet;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::engine::query::metrics::Kind;
use crate::engine::query::{Queries, QueryError};
use crate::tsdb::Tsdb;

/// Which series are meant: those of any set of matchers, or all of them without any.
#[derive(Clone, Debug)]
pub struct Of {
    /// Sets of conditions.
    pub sets: Vec<Vec<Matcher>>,
    /// First time of interest, in milliseconds.
    pub start: i64,
    /// Last time of interest.
    pub end: i64,
    /// Most answers; `usize::MAX` for no limit.
    pub limit: usize,
}

/// Names in order, and whether there are more than the limit.
pub type Limited<T> = (Vec<T>, bool);

impl Queries {
    /// Label sets of series, in order.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn series(&self, of: Of) -> Result<Limited<Labels>, QueryError> {
        let find = move |tsdb: &Tsdb| {
            let mut found = BTreeSet::new();
            for set in &of.sets {
                found.extend(tsdb.series(set, of.start, of.end, of.limit.saturating_add(1))?);
            }
            Ok(limited(found, of.limit))
        };
        self.names(find).await
    }

    /// Names of labels, in order.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn label_names(&self, of: Of) -> Result<Limited<String>, QueryError> {
        let find = move |tsdb: &Tsdb| {
            let mut found = BTreeSet::new();
            each(tsdb, &of, |labels| {
                for (name, _) in labels.iter() {
                    if !found.contains(name) {
                        found.insert(name.to_owned());
                    }
                }
            })?;
            Ok(limited(found, of.limit))
        };
        self.names(find).await
    }

    /// Values of a label, in order.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn label_values(&self, name: String, of: Of) -> Result<Limited<String>, QueryError> {
        let find = move |tsdb: &Tsdb| {
            let mut found = BTreeSet::new();
            each(tsdb, &of, |labels| {
                if let Some(value) = labels.get(&name)
                    && !found.contains(value)
                {
                    found.insert(value.to_owned());
                }
            })?;
            Ok(limited(found, of.limit))
        };
        self.names(find).await
    }

    async fn names<T: Send + 'static>(
        &self,
        find: impl FnOnce(&Tsdb) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        self.in_turn(Kind::Names, None, move |tsdb, _| find(tsdb)).await.map(|(found, _)| found)
    }
}

fn each(tsdb: &Tsdb, of: &Of, mut look: impl FnMut(&Labels)) -> Result<(), QueryError> {
    let all = [Vec::new()];
    let sets = if of.sets.is_empty() { &all[..] } else { &of.sets };
    for set in sets {
        tsdb.series(set, of.start, of.end, usize::MAX)?.iter().for_each(&mut look);
    }
    Ok(())
}

fn limited<T>(found: BTreeSet<T>, limit: usize) -> Limited<T> {
    let more = found.len() > limit;
    (found.into_iter().take(limit).collect(), more)
}
