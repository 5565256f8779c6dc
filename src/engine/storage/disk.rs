//! Watches whether the disk confirms what the store writes.
//!
//! One fsync that fails costs a file, which is left and complained about. Three in a row mean that nothing
//! written from now on can be promised: the process must end, so that whoever started it decides, and the next
//! one verifies what is there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::engine::board::Report;
use crate::engine::storage::Store;

/// How often the store is asked, which costs it nothing.
const EVERY: Duration = Duration::from_secs(1);

/// The actor. It waits for nothing that waits for the disk.
pub struct DiskWatch {
    /// The store, once it is open.
    pub store: Arc<Store>,
    /// Told while the disk does not confirm what is written.
    pub board: mpsc::Sender<Report>,
    /// Cancelled when the disk is not to be trusted any more.
    pub lost: CancellationToken,
}

impl DiskWatch {
    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut tick = time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let Ok(tsdb) = self.store.open() else { continue };
            let fsyncs = tsdb.fsyncs();
            if fsyncs.untrusted && !self.lost.is_cancelled() {
                tracing::error!("the disk did not confirm what was written three times in a row: ending");
                self.lost.cancel();
            }
            if (fsyncs.failed_in_a_row > 0) != failing {
                failing = !failing;
                let what = failing.then(|| "the disk does not confirm what is written: fsync failed".to_owned());
                // The board outlives this actor.
                let _ = self.board.send(Report::Complaint { part: "storage fsync", what }).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::base::labels::LabelsBuf;
    use crate::base::time::Timestamp;
    use crate::tsdb::fs::{Disk, Fs, Log, Space};
    use crate::tsdb::{Ack, Batch, Options, Tsdb};

    /// A disk that does not confirm anything while it is broken.
    #[derive(Clone, Debug)]
    struct Doubtful {
        broken: Arc<AtomicBool>,
    }

    #[derive(Debug)]
    struct DoubtfulLog(Arc<dyn Log>, Arc<AtomicBool>);

    impl Log for DoubtfulLog {
        fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
            self.0.write_at(bytes, at)
        }

        fn truncate(&self, len: u64) -> io::Result<()> {
            self.0.truncate(len)
        }

        fn sync(&self) -> io::Result<()> {
            if self.1.load(Ordering::SeqCst) { Err(io::Error::other("injected")) } else { self.0.sync() }
        }
    }

    impl Doubtful {
        fn wrap(&self, file: Arc<dyn Log>) -> Arc<dyn Log> {
            Arc::new(DoubtfulLog(file, Arc::clone(&self.broken)))
        }
    }

    impl Fs for Doubtful {
        fn create(&self, path: &Path) -> io::Result<Arc<dyn Log>> {
            Disk.create(path).map(|f| self.wrap(f))
        }

        fn open(&self, path: &Path) -> io::Result<Arc<dyn Log>> {
            Disk.open(path).map(|f| self.wrap(f))
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            Disk.rename(from, to)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            Disk.remove(path)
        }

        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            Disk.sync_dir(dir)
        }

        fn create_dir(&self, dir: &Path) -> io::Result<()> {
            Disk.create_dir(dir)
        }

        fn space(&self, path: &Path) -> io::Result<Space> {
            Disk.space(path)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_fails_three_times_in_a_row_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let broken = Arc::new(AtomicBool::new(false));
        let fs = Arc::new(Doubtful { broken: Arc::clone(&broken) });
        let now = Timestamp::from_millis(1_763_900_000_000);
        let tsdb = Arc::new(Tsdb::open_on(fs, dir.path(), Options::default(), now).unwrap());
        let append = || {
            let (mut labels, mut batch) = (LabelsBuf::default(), Batch::default());
            labels.push("__name__", "a");
            batch.series(&labels);
            batch.push(now.millis(), 1.0);
            tsdb.append(&batch, Ack::Synced, now)
        };
        let store = Arc::<Store>::default();
        drop(store.set(Ok(Arc::clone(&tsdb))));
        let (board, mut reports) = mpsc::channel(8);
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        let watch = DiskWatch { store, board, lost: lost.clone() }.run(stop.clone());
        let story = async {
            for fails in 1..=3 {
                broken.store(true, Ordering::SeqCst);
                append().unwrap_err();
                let Some(Report::Complaint { part: "storage fsync", what: Some(_) }) = reports.recv().await else {
                    panic!("no complaint")
                };
                if fails == 3 {
                    break;
                }
                // Once is not often enough, nor is a second time after a success.
                assert!(!lost.is_cancelled());
                broken.store(false, Ordering::SeqCst);
                append().unwrap();
                let Some(Report::Complaint { what: None, .. }) = reports.recv().await else { panic!("not over") };
            }
            // New files are not confirmed either.
            append().unwrap_err();
            append().unwrap_err();
            lost.cancelled().await;
            stop.cancel();
        };
        tokio::join!(watch, story);
    }
}
