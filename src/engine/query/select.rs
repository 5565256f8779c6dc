//! Questions that read or change series without PromQL: newest values, cardinality, deletion.

use std::collections::BTreeMap;

use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::base::sample::{Column, is_stale};
use crate::engine::query::metrics::Kind;
use crate::engine::query::{Queries, QueryError, millis};
use crate::promql::source::{Resolution, Select, Source, SourceError, Want};
use crate::promql::value::{Cancel, EvalError};
use crate::tsdb::Tsdb;
pub use crate::tsdb::stats::Cardinality;

impl Queries {
    /// The newest sample of each selected series within the look-back, in order of labels.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn newest(&self, sets: Vec<Vec<Matcher>>, now: i64) -> Result<Vec<(Labels, i64, f64)>, QueryError> {
        let limits = self.limits();
        let start = now.saturating_sub(millis(limits.lookback)).saturating_add(1);
        let find = move |tsdb: &Tsdb, cancel: &Cancel| {
            let mut found = BTreeMap::new();
            let mut column = Column::default();
            for matchers in &sets {
                let select = Select {
                    matchers,
                    start,
                    end: now,
                    step: 0,
                    window: 0,
                    want: Want::Last,
                    resolution: Some(Resolution::Raw),
                    max_series: limits.max_series,
                    cancel: Some(cancel),
                };
                let set = tsdb.select(&select)?;
                let mut reader = set.reader();
                for i in 0..set.len() {
                    if cancel.cancelled() {
                        return Err(EvalError::Cancelled.into());
                    }
                    reader.read(i, &mut column)?;
                    if let Some((t, v)) = column.iter().next_back().filter(|(_, v)| !is_stale(*v)) {
                        found.insert(set.labels(i), (t, v));
                    }
                }
            }
            Ok(found.into_iter().map(|(labels, (t, v))| (labels, t, v)).collect())
        };
        self.in_turn(Kind::Read, None, find).await.map(|(found, _)| found)
    }

    /// Deletes the samples of series between two times, both inclusive, in milliseconds.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn delete(&self, sets: Vec<Vec<Matcher>>, start: i64, end: i64) -> Result<(), QueryError> {
        let delete = move |tsdb: &Tsdb| {
            for set in &sets {
                tsdb.delete_series(set, start, end).map_err(|e| SourceError::Store(Box::new(e)))?;
            }
            Ok(())
        };
        self.alone(delete).await
    }

    /// Removes what was deleted from the disk.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn clean_tombstones(&self) -> Result<(), QueryError> {
        let clean = |tsdb: &Tsdb| {
            tsdb.clean_tombstones().map_err(|e| SourceError::Store(Box::new(e)))?;
            Ok(())
        };
        self.alone(clean).await
    }

    /// Counts series in memory by metric, label and value; lists have at most `limit` rows.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn cardinality(&self, limit: usize) -> Result<Cardinality, QueryError> {
        let count = move |tsdb: &Tsdb, cancel: &Cancel| {
            let counted = tsdb.cardinality(limit, cancel);
            if cancel.cancelled() { Err(EvalError::Cancelled.into()) } else { Ok(counted) }
        };
        self.in_turn(Kind::Admin, None, count).await.map(|(found, _)| found)
    }
}
