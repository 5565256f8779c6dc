//! Samples on their way into the store.

use crate::base::labels::LabelsBuf;

/// Samples to append, grouped by series. Reusable without allocating.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Encoded label sets, one after the other.
    keys: String,
    /// End of each series' key in `keys`, and of its samples in `samples`.
    series: Vec<(usize, usize)>,
    samples: Vec<(i64, f64)>,
}

impl Batch {
    /// With room for as much as another had.
    pub fn with_room_of(keys: usize, series: usize) -> Self {
        Self {
            keys: String::with_capacity(keys),
            series: Vec::with_capacity(series),
            samples: Vec::with_capacity(series),
        }
    }

    /// Removes everything, keeps the memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.series.clear();
        self.samples.clear();
    }

    /// Begins the samples of a series.
    pub fn series(&mut self, labels: &LabelsBuf) {
        self.series_of(labels.as_key());
    }

    /// Begins the samples of a series by its encoded labels, which come from a label set.
    pub fn series_of(&mut self, key: &str) {
        self.keys.push_str(key);
        self.series.push((self.keys.len(), self.samples.len()));
    }

    /// Adds a sample of the series begun last; time in milliseconds.
    pub fn push(&mut self, t: i64, v: f64) {
        if let Some((_, end)) = self.series.last_mut() {
            self.samples.push((t, v));
            *end = self.samples.len();
        }
    }

    /// Adds all of another batch.
    pub fn extend(&mut self, other: &Self) {
        for (key, samples) in other.iter() {
            self.series_of(key);
            samples.iter().for_each(|(t, v)| self.push(*t, *v));
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
