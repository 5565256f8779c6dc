//! Which series, label names and label values there are.

use std::collections::BTreeSet;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::engine::query::metrics::Kind;
use crate::engine::query::{Queries, QueryError};
use crate::promql::source::SourceError;
use crate::promql::value::Cancel;
use crate::tsdb::{Tsdb, labels};

/// Which series are meant: those of any set of matchers, or all of them without any.
#[derive(Clone, Debug)]
pub struct Of {
    /// Sets of conditions.
    pub sets: Vec<Vec<Matcher>>,
    /// First time of interest, in milliseconds.
    pub start: i64,
    /// Last time of interest.
    pub end: i64,
    /// Most answers; `usize::MAX` for no limit but the one of all queries, which is an error to exceed.
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
        self.names(of, Tsdb::series).await
    }

    /// Names of labels, in order.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn label_names(&self, of: Of) -> Result<Limited<Box<str>>, QueryError> {
        self.names(of, Tsdb::label_names).await
    }

    /// Values of a label, in order.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn label_values(&self, name: String, of: Of) -> Result<Limited<Box<str>>, QueryError> {
        self.names(of, move |tsdb, of| tsdb.label_values(&name, of)).await
    }

    async fn names<T: Ord + Send + 'static>(
        &self,
        of: Of,
        find: impl Fn(&Tsdb, &labels::Of<'_>) -> Result<Vec<T>, SourceError> + Send + 'static,
    ) -> Result<Limited<T>, QueryError> {
        let max_series = self.limits().max_series;
        let find = move |tsdb: &Tsdb, cancel: &Cancel| Ok(each(&of, max_series, cancel, |of| find(tsdb, of))?);
        self.in_turn(Kind::Names, None, find).await.map(|(found, _)| found)
    }
}

/// What `find` gives for any of the sets, or for all series without any. One more than the limit is asked
/// for, to know whether there are more.
fn each<T: Ord>(
    of: &Of,
    max_series: usize,
    cancel: &Cancel,
    find: impl Fn(&labels::Of<'_>) -> Result<Vec<T>, SourceError>,
) -> Result<Limited<T>, SourceError> {
    let limit = of.limit.saturating_add(1);
    let (start, end) = (of.start, of.end);
    let one = |matchers| find(&labels::Of { matchers, start, end, limit, max_series, cancel });
    let mut found = match of.sets.as_slice() {
        [] => one(&[])?,
        [set] => one(set)?,
        sets => {
            let mut found = BTreeSet::new();
            for set in sets {
                found.extend(one(set)?);
            }
            found.into_iter().collect()
        }
    };
    let more = found.len() > of.limit;
    found.truncate(of.limit);
    if found.len() > max_series { Err(SourceError::TooManySeries { limit: max_series }) } else { Ok((found, more)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sets: usize, limit: usize) -> Of {
        Of { sets: vec![Vec::new(); sets], start: 0, end: 0, limit }
    }

    #[test]
    fn a_limit_cuts_and_too_many_series_are_an_error() {
        #[track_caller]
        fn check(sets: usize, limit: usize, max_series: usize, want: Option<(&[u8], bool)>) {
            // Each set finds two of its own.
            let calls = std::cell::Cell::new(0);
            let find = |of: &labels::Of<'_>| {
                let n = calls.replace(calls.get() + 1);
                let all: Vec<u8> = vec![2 * n, 2 * n + 1];
                if all.len() > of.max_series && of.limit > of.max_series {
                    return Err(SourceError::TooManySeries { limit: of.max_series });
                }
                Ok(all.into_iter().take(of.limit).collect())
            };
            let found = each(&of(sets, limit), max_series, &Cancel::default(), find).ok();
            assert_eq!(found.as_ref().map(|(all, more)| (all.as_slice(), *more)), want);
        }
        check(0, usize::MAX, 10, Some((&[0, 1], false)));
        check(1, 2, 10, Some((&[0, 1], false)));
        check(1, 1, 10, Some((&[0], true)));
        check(2, 3, 10, Some((&[0, 1, 2], true)));
        check(2, usize::MAX, 4, Some((&[0, 1, 2, 3], false)));
        check(2, usize::MAX, 3, None);
        check(1, usize::MAX, 1, None);
        check(1, 1, 1, None);
        check(1, 1, 2, Some((&[0], true)));
    }
}
