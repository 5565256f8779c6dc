//! Samples of a time series: a time in milliseconds and a float.

/// The NaN that marks a series as stale, Prometheus' bit pattern (`value.StaleNaN`).
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is the staleness marker, and not just any NaN.
pub const fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

/// Samples of one series in order of time, as two columns of equal length.
///
/// Times are milliseconds since the Unix epoch, strictly increasing.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Times.
    pub t: Vec<i64>,
    /// Values, staleness markers included.
    pub v: Vec<f64>,
}

impl Column {
    /// Removes all samples, keeps the memory.
    pub fn clear(&mut self) {
        self.t.clear();
        self.v.clear();
    }

    /// Adds a sample later than all so far.
    pub fn push(&mut self, t: i64, v: f64) {
        self.t.push(t);
        self.v.push(v);
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.t.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.t.is_empty()
    }

    /// Samples in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, f64)> + ExactSizeIterator {
        self.t.iter().copied().zip(self.v.iter().copied())
    }
}
