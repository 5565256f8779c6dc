//! What is appended, and what became of it.

use crate::base::labels::LabelsBuf;

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

    /// Bytes of all label sets.
    pub const fn key_bytes(&self) -> usize {
        self.keys.len()
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
