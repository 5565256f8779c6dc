//! When an append returns, and what became of a batch.

/// When an append returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Once the operating system has it: a crash of this process loses nothing.
    Written,
    /// Once the disk has it.
    Synced,
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
