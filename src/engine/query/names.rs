//! Which series, label names and label values there are.

use std::collections::BTreeSet;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::engine::query::metrics::Kind;
use crate::engine::query::{Queries, QueryError};
use crate::promql::value::{Cancel, EvalError};
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
        let find = move |tsdb: &Tsdb, cancel: &Cancel| {
            each(&of, |set, limit| Ok(tsdb.series(set, of.start, of.end, limit, cancel)?))
        };
        self.names(find).await
    }

    /// Names of labels, in order.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn label_names(&self, of: Of) -> Result<Limited<Box<str>>, QueryError> {
        let find = move |tsdb: &Tsdb, cancel: &Cancel| {
            each(&of, |set, limit| Ok(tsdb.label_names(set, of.start, of.end, limit, cancel)?))
        };
        self.names(find).await
    }

    /// Values of a label, in order.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn label_values(&self, name: String, of: Of) -> Result<Limited<Box<str>>, QueryError> {
        let find = move |tsdb: &Tsdb, cancel: &Cancel| {
            each(&of, |set, limit| Ok(tsdb.label_values(&name, set, of.start, of.end, limit, cancel)?))
        };
        self.names(find).await
    }

    async fn names<T: Send + 'static>(
        &self,
        find: impl FnOnce(&Tsdb, &Cancel) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let find = move |tsdb: &Tsdb, cancel: &Cancel| {
            let found = find(tsdb, cancel)?;
            // What was found until then is not all.
            if cancel.cancelled() { Err(EvalError::Cancelled.into()) } else { Ok(found) }
        };
        self.in_turn(Kind::Names, None, find).await.map(|(found, _)| found)
    }
}

/// What `find` gives for any of the sets, or for all series without any. One more than the limit is asked
/// for, to know whether there are more.
fn each<T: Ord>(
    of: &Of,
    find: impl Fn(&[Matcher], usize) -> Result<Vec<T>, QueryError>,
) -> Result<Limited<T>, QueryError> {
    let limit = of.limit.saturating_add(1);
    let mut found = BTreeSet::new();
    match of.sets.as_slice() {
        [] => found.extend(find(&[], limit)?),
        sets => {
            for set in sets {
                found.extend(find(set, limit)?);
            }
        }
    }
    Ok(limited(found, of.limit))
}

fn limited<T>(found: BTreeSet<T>, limit: usize) -> Limited<T> {
    let more = found.len() > limit;
    (found.into_iter().take(limit).collect(), more)
}
