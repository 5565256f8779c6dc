//! Questions that read or change series without PromQL: newest values, cardinality, deletion.

use std::collections::{BTreeMap, HashMap};

use crate::base::labels::{Labels, METRIC_NAME};
use crate::base::matcher::Matcher;
use crate::base::sample::{Column, is_stale};
use crate::engine::query::metrics::Kind;
use crate::engine::query::{Queries, QueryError, millis};
use crate::promql::source::{Resolution, Select, Source, SourceError, Want};
use crate::promql::value::{Cancel, EvalError};
use crate::tsdb::Tsdb;

/// Where series come from. Lists are of the largest, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Series in memory.
    pub series: u64,
    /// Different pairs of label and value.
    pub pairs: u64,
    /// Chunks in memory.
    pub chunks: u64,
    /// Time of the oldest sample in memory, in milliseconds.
    pub min_time: i64,
    /// Time of the newest.
    pub max_time: i64,
    /// Series by metric.
    pub by_metric: Vec<(String, u64)>,
    /// Different values by label.
    pub values_by_label: Vec<(String, u64)>,
    /// Bytes of different values by label.
    pub bytes_by_label: Vec<(String, u64)>,
    /// Series by `label=value`.
    pub by_pair: Vec<(String, u64)>,
}

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
        let delete = move |tsdb: &Tsdb, _: &Cancel| {
            for set in &sets {
                tsdb.delete_series(set, start, end).map_err(|e| SourceError::Store(Box::new(e)))?;
            }
            Ok(())
        };
        self.in_turn(Kind::Admin, None, delete).await.map(|_| ())
    }

    /// Removes what was deleted from the disk.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn clean_tombstones(&self) -> Result<(), QueryError> {
        let clean = |tsdb: &Tsdb, _: &Cancel| {
            tsdb.clean_tombstones().map_err(|e| SourceError::Store(Box::new(e)))?;
            Ok(())
        };
        self.in_turn(Kind::Admin, None, clean).await.map(|_| ())
    }

    /// Counts series by metric, label and value; lists have at most `limit` rows.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn cardinality(&self, limit: usize) -> Result<Cardinality, QueryError> {
        let now = self.now().millis();
        let count = move |tsdb: &Tsdb, cancel: &Cancel| {
            // What was written lately: series of the past count no memory.
            let all = tsdb.series(&[], now.saturating_sub(RECENT), now.saturating_add(RECENT), usize::MAX)?;
            counted(&all, limit, cancel)
        };
        self.in_turn(Kind::Admin, None, count).await.map(|(found, _)| found)
    }
}

/// Series without a sample within this time do not count.
const RECENT: i64 = 2 * 3_600_000;

fn counted(all: &[Labels], limit: usize, cancel: &Cancel) -> Result<Cardinality, QueryError> {
    let mut labels: HashMap<&str, HashMap<&str, u64>> = HashMap::new();
    for set in all {
        if cancel.cancelled() {
            return Err(EvalError::Cancelled.into());
        }
        for (name, value) in set.iter() {
            *labels.entry(name).or_default().entry(value).or_default() += 1;
        }
    }
    let metrics = labels.get(METRIC_NAME).into_iter().flatten();
    let pairs = labels.iter().flat_map(|(name, values)| values.iter().map(move |(value, n)| (name, value, n)));
    Ok(Cardinality {
        series: all.len() as u64,
        pairs: labels.values().map(|values| values.len() as u64).sum(),
        by_metric: largest(metrics.map(|(name, n)| ((*name).to_owned(), *n)), limit),
        values_by_label: largest(labels.iter().map(|(name, v)| ((*name).to_owned(), v.len() as u64)), limit),
        bytes_by_label: largest(
            labels.iter().map(|(name, v)| ((*name).to_owned(), v.keys().map(|value| value.len() as u64).sum())),
            limit,
        ),
        by_pair: largest(pairs.map(|(name, value, n)| (format!("{name}={value}"), *n)), limit),
        ..Cardinality::default()
    })
}

fn largest(rows: impl Iterator<Item = (String, u64)>, limit: usize) -> Vec<(String, u64)> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows.truncate(limit);
    rows
}
