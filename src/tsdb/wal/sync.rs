//! Group fsync: one thread makes what was written durable, for all writers at once.
//!
//! Positions count the bytes ever written to the log. A failed fsync makes its file dead (the kernel may
//! have dropped the pages and forgotten the error, so a second try proves nothing): it is never synced
//! again, whoever waits for those bytes gets the error, and the writer moves to a new segment.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::tsdb::fs::Log;

/// Upper bounds in seconds of the buckets of fsync latency.
pub const FSYNC_BUCKETS: [f64; 10] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// A disk that fails so often in a row is not trusted any more. One failure may be a bad sector; new files, which
/// the store moves to, have others.
pub const MOST_IN_A_ROW: u32 = 3;

/// How fsyncs went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fsyncs {
    /// How many succeeded.
    pub done: u64,
    /// How many failed.
    pub failed: u64,
    /// How many failed since the last success.
    pub failed_in_a_row: u32,
    /// Whether [`MOST_IN_A_ROW`] failed one after the other, for another reason than a full disk: what is written
    /// from then on cannot be promised. Stays.
    pub untrusted: bool,
    /// Seconds spent.
    pub seconds: f64,
    /// Count by upper bound in [`FSYNC_BUCKETS`], not cumulative; longer ones are only in `done`.
    pub buckets: [u64; FSYNC_BUCKETS.len()],
}

/// Shared between the writer, the thread, and those who wait.
#[derive(Debug)]
pub(crate) struct Syncer {
    state: Mutex<State>,
    /// Wakes the thread.
    work: Condvar,
    /// Wakes those who wait for durability.
    durable: Condvar,
    interval: Duration,
}

/// A file with unsynced bytes.
type Dirty = Arc<dyn Log>;

#[derive(Debug, Default)]
struct State {
    /// Files to sync, in this order: definitions of series before the records that use them.
    dirty: Vec<Dirty>,
    /// Bytes written and, up to holes, durable.
    written: u64,
    durable: u64,
    /// Ranges of bytes whose fsync failed, in order.
    dead: Vec<(u64, u64)>,
    /// Someone waits: do not wait for the interval.
    urgent: bool,
    stop: bool,
    /// The writer must begin a new file before its next write.
    rotate: bool,
    fsyncs: Fsyncs,
    /// How many failed since the last success, without those for which the disk was full.
    faults: u32,
}

impl State {
    /// Counts a failure.
    fn failed(&mut self, err: &io::Error) {
        self.fsyncs.failed += 1;
        self.fsyncs.failed_in_a_row += 1;
        // Another process would find no more room than this one.
        if !matches!(err.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            self.faults += 1;
            self.fsyncs.untrusted |= self.faults >= MOST_IN_A_ROW;
        }
    }
}

impl Syncer {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { state: Mutex::default(), work: Condvar::new(), durable: Condvar::new(), interval }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that bytes were written to a segment, up to a position, and perhaps definitions before that.
    pub(crate) fn wrote(&self, definitions: Option<&Arc<dyn Log>>, segment: &Arc<dyn Log>, written: u64) {
        let mut state = self.lock();
        if state.rotate {
            // The file was found dead while these bytes were on their way into it.
            let before = state.written;
            state.dead.push((before, written));
            (state.written, state.durable) = (written, written);
            drop(state);
            self.durable.notify_all();
            return;
        }
        let idle = state.dirty.is_empty();
        let known = |state: &State, file| state.dirty.iter().any(|d| Arc::ptr_eq(d, file));
        if let Some(file) = definitions
            && !known(&state, file)
        {
            state.dirty.insert(0, Arc::clone(file));
        }
        if !known(&state, segment) {
            state.dirty.push(Arc::clone(segment));
        }
        state.written = written;
        drop(state);
        if idle {
            self.work.notify_one();
        }
    }

    /// Whether an fsync failed since the last call.
    pub(crate) fn take_rotate(&self) -> bool {
        std::mem::take(&mut self.lock().rotate)
    }

    /// Whether an fsync failed and the writer has not moved on yet.
    pub(crate) fn is_broken(&self) -> bool {
        self.lock().rotate
    }

    /// Counts a failure of the writer to move to new files, which are synced before they are used.
    pub(crate) fn cannot_move(&self, err: &io::Error) {
        let mut state = self.lock();
        state.failed(err);
        state.rotate = true;
    }

    /// Makes the next [`take_rotate`](Self::take_rotate) answer yes.
    pub(crate) fn ask_rotate(&self) {
        self.lock().rotate = true;
    }

    /// Returns once everything up to `position` is durable.
    ///
    /// # Errors
    /// An fsync of it failed, or the thread has stopped.
    pub(crate) fn wait(&self, position: u64) -> io::Result<()> {
        let mut state = self.lock();
        while state.durable < position {
            if state.stop {
                return Err(io::Error::other("the store was closed"));
            }
            state.urgent = true;
            self.work.notify_one();
            state = self.durable.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.dead.iter().any(|(from, to)| (from + 1..=*to).contains(&position)) {
            true => Err(io::Error::other("the disk did not confirm the write")),
            false => Ok(()),
        }
    }

    /// What happened so far.
    pub(crate) fn fsyncs(&self) -> Fsyncs {
        self.lock().fsyncs.clone()
    }

    /// Syncs whatever is written.
    pub(crate) fn sync_now(&self) -> io::Result<()> {
        let state = self.lock();
        self.sync(state)
    }

    /// The thread: syncs once per interval while there is something to sync, until [`stop`](Self::stop).
    pub(crate) fn run(&self) {
        let mut state = self.lock();
        loop {
            if state.dirty.is_empty() {
                if state.stop {
                    break;
                }
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let deadline = Instant::now() + self.interval;
            while !state.urgent && !state.stop {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            // It is logged and counted, and who waits is told.
            let _ = self.sync(state);
            state = self.lock();
        }
    }

    fn sync(&self, mut state: MutexGuard<'_, State>) -> io::Result<()> {
        state.urgent = false;
        let files = std::mem::take(&mut state.dirty);
        let (from, to) = (state.durable, state.written);
        if files.is_empty() {
            return Ok(());
        }
        drop(state);
        let begun = Instant::now();
        let result = files.iter().try_for_each(|f| f.sync());
        let took = begun.elapsed().as_secs_f64();
        let mut state = self.lock();
        match &result {
            Ok(()) => {
                state.faults = 0;
                let fsyncs = &mut state.fsyncs;
                fsyncs.done += 1;
                fsyncs.failed_in_a_row = 0;
                fsyncs.seconds += took;
                if let Some(bucket) = FSYNC_BUCKETS.iter().position(|most| took <= *most) {
                    fsyncs.buckets[bucket] += 1;
                }
            }
            Err(err) => {
                state.failed(err);
                state.dead.push((from, to));
                state.rotate = true;
                // Bytes written meanwhile to the same files are as doubtful; the files stay dead.
                let current = state.written;
                if current > to {
                    state.dead.push((to, current));
                }
                state.dirty.clear();
            }
        }
        state.durable = state.durable.max(if result.is_ok() { to } else { state.written });
        drop(state);
        self.durable.notify_all();
        result.inspect_err(|error| {
            tracing::error!(%error, "the disk did not confirm what was written; it goes into a new file from now on");
        })
    }

    /// Lets the thread sync what is left and end.
    pub(crate) fn stop(&self) {
        self.lock().stop = true;
        self.work.notify_all();
        self.durable.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A file whose syncs fail in a way, if at all.
    #[derive(Debug, Default)]
    struct Doubtful {
        full: AtomicBool,
        broken: AtomicBool,
    }

    impl Log for Doubtful {
        fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
            Ok(())
        }

        fn truncate(&self, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            match (self.full.load(Ordering::SeqCst), self.broken.load(Ordering::SeqCst)) {
                (true, _) => Err(io::ErrorKind::StorageFull.into()),
                (_, true) => Err(io::Error::other("injected")),
                (false, false) => Ok(()),
            }
        }
    }

    #[test]
    fn three_failures_in_a_row_and_not_of_a_full_disk_are_too_many() {
        #[track_caller]
        fn check(story: &str, untrusted: bool) {
            let (syncer, doubtful) = (Syncer::new(Duration::ZERO), Arc::new(Doubtful::default()));
            let file = Arc::clone(&doubtful) as Arc<dyn Log>;
            for (at, what) in (1..).zip(story.chars()) {
                doubtful.full.store(what == 'f', Ordering::SeqCst);
                doubtful.broken.store(what == 'b', Ordering::SeqCst);
                syncer.take_rotate();
                if what == 'm' {
                    syncer.cannot_move(&io::Error::other("injected"));
                } else {
                    syncer.wrote(None, &file, at);
                    assert_eq!(syncer.sync_now().is_ok(), what == '.', "{story}");
                }
            }
            assert_eq!(syncer.fsyncs().untrusted, untrusted, "{story}");
        }
        check("bb", false);
        check("bb.bb", false);
        check("bbb", true);
        check("bmm", true);
        check("bfb.", false);
        check("ffff", false);
        check("bfbfb", true);
        // It does not come back.
        check("bbb.", true);
    }
}
