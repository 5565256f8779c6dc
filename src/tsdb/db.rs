//! The store as others see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::base::labels::{Labels, LabelsBuf};
use crate::base::matcher::Matcher;
use crate::base::sample::Column;
use crate::base::time::Timestamp;
use crate::promql::source::{Reader, Resolution, Select, SeriesSet, Source, SourceError};

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Raw samples older than this are removed.
    pub retention: Duration,
    /// The oldest raw samples are removed when all files together are larger, in bytes.
    pub max_size: Option<u64>,
    /// How long five-minute roll-ups are kept.
    pub rollup_5m: Duration,
    /// How long hourly roll-ups are kept.
    pub rollup_1h: Duration,
    /// Longest time between a write and its fsync.
    pub fsync: Duration,
    /// Most series in memory; samples of further ones are refused.
    pub max_series: usize,
}

impl Default for Options {
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        Self {
            retention: days(90),
            max_size: Some(10_000_000_000),
            rollup_5m: days(365),
            rollup_1h: days(5 * 365),
            fsync: Duration::from_millis(200),
            max_series: 5_000_000,
        }
    }
}

/// When an append returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Once the operating system has it: a crash of this process loses nothing.
    Written,
    /// Once the disk has it.
    Synced,
}

/// Samples to append, grouped by series. Reusable without allocating.
#[derive(Debug, Default)]
pub struct Batch {
    /// Encoded label sets, one after the other.
    keys: String,
    /// End of each series' key in `keys`, and of its samples in `samples`.
    series: Vec<(usize, usize)>,
    samples: Vec<(i64, f64)>,
}

impl Batch {
    /// Removes everything, keeps the memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.series.clear();
        self.samples.clear();
    }

    /// Begins the samples of a series.
    pub fn series(&mut self, labels: &LabelsBuf) {
        self.keys.push_str(labels.as_key());
        self.series.push((self.keys.len(), self.samples.len()));
    }

    /// Adds a sample of the series begun last; time in milliseconds.
    pub fn push(&mut self, t: i64, v: f64) {
        if let Some((_, end)) = self.series.last_mut() {
            self.samples.push((t, v));
            *end = self.samples.len();
        }
    }

    /// Encoded label sets with their samples, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[(i64, f64)])> {
        let (mut key, mut sample) = (0, 0);
        self.series.iter().map(move |&(key_end, sample_end)| {
            let item = (&self.keys[key..key_end], &self.samples[sample..sample_end]);
            (key, sample) = (key_end, sample_end);
            item
        })
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// What became of a batch: every sample is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Stored, or already there with the same value.
    pub stored: u64,
    /// Of [`stored`](Self::stored), those older than the newest of their series.
    pub out_of_order: u64,
    /// Refused: another value is stored for the same time.
    pub duplicates: u64,
    /// Refused: older than the retention.
    pub too_old: u64,
    /// Refused: the limit of series is reached.
    pub over_limit: u64,
}

/// Why a batch was not stored at all.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full, or nearly so; nothing of the batch was kept.
    #[error("the disk is full")]
    DiskFull,
    /// The disk refused to write.
    #[error("the write-ahead log could not be written")]
    Wal(#[source] std::io::Error),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// The store.
#[derive(Debug)]
pub struct Tsdb {
    dir: PathBuf,
    series: RwLock<BTreeMap<Labels, BTreeMap<i64, f64>>>,
}

impl Tsdb {
    /// Opens the store in `dir`, creating it if need be.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn open(dir: &Path, _options: Options, _now: Timestamp) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned(), series: RwLock::default() })
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends a batch: all of it, except for the samples that [`Appended`] counts as refused.
    ///
    /// # Errors
    /// Nothing was stored.
    pub fn append(&self, batch: &Batch, _ack: Ack, _now: Timestamp) -> Result<Appended, AppendError> {
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let mut done = Appended::default();
        for (key, samples) in batch.iter() {
            if !all.contains_key(key) {
                all.insert(Labels::from_key(key), BTreeMap::new());
            }
            let Some(series) = all.get_mut(key) else { continue };
            for &(t, v) in samples {
                series.entry(t).or_insert(v);
                done.stored += 1;
            }
        }
        Ok(done)
    }

    /// Deletes the samples of the series that fulfil all matchers, from `start` to `end`, both inclusive.
    ///
    /// # Errors
    /// The store could not be written.
    pub fn delete(&self, matchers: &[Matcher], start: i64, end: i64) -> std::io::Result<()> {
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        for (labels, samples) in all.iter_mut() {
            if matchers.iter().all(|m| m.matches(labels.get(m.name()).unwrap_or_default())) {
                samples.retain(|t, _| !(start..=end).contains(t));
            }
        }
        Ok(())
    }

    /// Removes what was deleted from the disk.
    ///
    /// # Errors
    /// The store could not be written.
    pub fn clean_tombstones(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// Label sets of the series that fulfil all matchers and may have samples in the time.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn series(&self, matchers: &[Matcher], start: i64, end: i64, limit: usize) -> Result<Vec<Labels>, SourceError> {
        let select = Select {
            matchers,
            start,
            end,
            step: 0,
            window: 0,
            want: crate::promql::source::Want::Last,
            resolution: None,
            max_series: usize::MAX,
        };
        let set = self.select(&select)?;
        Ok((0..set.len().min(limit)).map(|i| set.labels(i)).collect())
    }
}

struct Found(Vec<(Labels, Column)>);

impl Source for Tsdb {
    fn select<'a>(&'a self, select: &Select<'_>) -> Result<Box<dyn SeriesSet + 'a>, SourceError> {
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let found = all
            .iter()
            .filter(|(labels, _)| select.matchers.iter().all(|m| m.matches(labels.get(m.name()).unwrap_or_default())))
            .map(|(labels, samples)| {
                let mut column = Column::default();
                samples.range(select.start..=select.end).for_each(|(t, v)| column.push(*t, *v));
                (labels.clone(), column)
            })
            .filter(|(_, column)| !column.is_empty())
            .collect();
        Ok(Box::new(Found(found)))
    }
}

impl SeriesSet for Found {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, series: usize) -> Labels {
        self.0[series].0.clone()
    }

    fn resolution(&self) -> Resolution {
        Resolution::Raw
    }

    fn reader<'a>(&'a self) -> Box<dyn Reader + 'a> {
        Box::new(self)
    }
}

impl Reader for &Found {
    fn read(&mut self, series: usize, out: &mut Column) -> Result<(), SourceError> {
        out.clone_from(&self.0[series].1);
        Ok(())
    }
}
