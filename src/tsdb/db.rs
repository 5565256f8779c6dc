//! The store: what is shared between its parts, how it begins and ends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use tracing::warn;

use crate::base::batch::Batch;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;
use crate::tsdb::append::Writer;
use crate::tsdb::batch::{Ack, AppendError, Appended};
use crate::tsdb::block::{Block, Cache, Stats};
use crate::tsdb::catalog::{self, Catalog};
use crate::tsdb::compact::Tombstone;
use crate::tsdb::delete;
use crate::tsdb::fs::{Disk, Fs};
use crate::tsdb::head::Head;
use crate::tsdb::leftover::Leftovers;
use crate::tsdb::maintain::Upkeep;
use crate::tsdb::metadata;
use crate::tsdb::open::{recover, remove_unfinished, sync};
use crate::tsdb::options::Options;
use crate::tsdb::series_log::{self, SeriesLog};
use crate::tsdb::small_file;
use crate::tsdb::wal::Wal;
use crate::tsdb::wal::replay::Damage;
use crate::tsdb::wal::sync::Syncer;

/// Kind and version of the file with the time that retention goes by.
pub(crate) const CLOCK: [u8; 8] = *b"WDclock\x01";
/// Bytes of decoded indexes of blocks that are kept.
const INDEX_CACHE: usize = 24 << 20;

/// The store.
#[derive(Debug)]
pub struct Tsdb {
    shared: Arc<Shared>,
    /// The thread that syncs; taken when the store is closed.
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the parts of a store share. Locks are taken in the order of the fields, and none while waiting for another's work.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    /// May change while the store is open. Held for a copy.
    options: RwLock<Options>,
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) cache: Arc<Cache>,
    upkeep: Mutex<Upkeep>,
    writer: Mutex<Writer>,
    head: RwLock<Head>,
    catalog: RwLock<Arc<Catalog>>,
    pub(crate) syncer: Arc<Syncer>,
    tombstones: RwLock<Arc<[Tombstone]>>,
    metadata: Mutex<metadata::Catalogue>,
    /// The time, in milliseconds, that retention goes by.
    believed: AtomicI64,
    /// From this time on no raw sample was removed because of age or size.
    raw_from: AtomicI64,
    /// What lies in the logs only is not durable: flush soon.
    pub(crate) flush_due: AtomicBool,
    pub(crate) counters: Counters,
    pub(crate) damage: Damage,
}

/// What happened since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) stored: AtomicU64,
    pub(crate) out_of_order: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) too_old: AtomicU64,
    pub(crate) over_limit: AtomicU64,
    pub(crate) disk_full: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) flushes: AtomicU64,
    pub(crate) merges: AtomicU64,
    pub(crate) rollups: AtomicU64,
    /// Blocks removed because of age or size.
    pub(crate) retired: AtomicU64,
    /// Parts of blocks that upkeep could not read.
    pub(crate) damaged: AtomicU64,
}

impl Counters {
    pub(crate) fn count(&self, done: &Appended) {
        self.stored.fetch_add(done.stored, Relaxed);
        self.out_of_order.fetch_add(done.out_of_order, Relaxed);
        self.duplicates.fetch_add(done.duplicates, Relaxed);
        self.too_old.fetch_add(done.too_old, Relaxed);
        self.over_limit.fetch_add(done.over_limit, Relaxed);
    }
}

impl Shared {
    pub(crate) fn upkeep(&self) -> MutexGuard<'_, Upkeep> {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blocks now. Who also looks into memory does that first: a flush adds its block before memory forgets.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the catalogue; the caller holds the upkeep.
    pub(crate) fn set_catalog(&self, catalog: Catalog) {
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }

    pub(crate) fn add_block(&self, block: Block) {
        self.set_catalog(self.catalog().with(block));
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn head(&self) -> RwLockReadGuard<'_, Head> {
        self.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn head_mut(&self) -> RwLockWriteGuard<'_, Head> {
        self.head.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tombstones now.
    pub(crate) fn tombstones(&self) -> Arc<[Tombstone]> {
        Arc::clone(&self.tombstones.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn publish_tombstones(&self, all: Arc<[Tombstone]>) {
        *self.tombstones.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    pub(crate) fn metadata(&self) -> MutexGuard<'_, metadata::Catalogue> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn options(&self) -> Options {
        *self.options.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Samples before this are older than the retention. A clock that ran ahead does not make them so.
    pub(crate) fn horizon(&self, now: Timestamp) -> i64 {
        let believed = Timestamp::from_millis(self.believed.load(Relaxed));
        now.min(believed).minus(self.options().retention).millis()
    }

    /// Sets the time that retention goes by.
    pub(crate) fn believe(&self, time: Timestamp) {
        self.believed.store(time.millis(), Relaxed);
    }

    /// The time from which on no raw sample was removed because of age or size.
    pub(crate) fn raw_from(&self) -> i64 {
        self.raw_from.load(Relaxed)
    }

    pub(crate) fn set_raw_from(&self, from: i64) {
        self.raw_from.fetch_max(from, Relaxed);
    }

    pub(crate) fn save_clock(&self) -> std::io::Result<()> {
        let payload = [&self.believed, &self.raw_from].map(|time| time.load(Relaxed).to_le_bytes()).concat();
        self.fs.replace(&self.dir.join("clock"), &small_file::encode(CLOCK, &payload))
    }
}

/// What the payload of the file `clock` says: the time, and the first time of which all raw samples are kept.
fn read_clock(payload: &[u8]) -> Option<(i64, Option<i64>)> {
    let (clock, rest) = payload.split_first_chunk()?;
    Some((i64::from_le_bytes(*clock), rest.try_into().ok().map(i64::from_le_bytes)))
}

impl Tsdb {
    /// Opens the store in `dir`, creating it if need be.
    ///
    /// # Errors
    /// The directory cannot be read or written, or holds files of a newer version.
    pub fn open(dir: &Path, options: Options, now: Timestamp) -> std::io::Result<Self> {
        Self::open_on(Arc::new(Disk), dir, options, now)
    }

    /// As [`open`](Self::open), on another file system.
    ///
    /// # Errors
    /// The directory cannot be read or written, or holds files of a newer version.
    pub fn open_on(fs: Arc<dyn Fs>, dir: &Path, options: Options, now: Timestamp) -> std::io::Result<Self> {
        let wal_dir = dir.join("wal");
        fs.create_dir(&wal_dir)?;
        fs.create_dir(&catalog::dir(dir))?;
        let cache = Cache::new(INDEX_CACHE);
        remove_unfinished(&*fs, dir)?;
        let (mut catalog, leftovers) = Catalog::load(&*fs, dir, &cache)?;
        let recovered = recover(&*fs, dir, catalog.flushed())?;
        let mut lost = Vec::new();
        let mut small = |path: &Path, magic| -> std::io::Result<Option<Vec<u8>>> {
            let (payload, damaged) = small_file::read(&*fs, path, magic, &dir.join("quarantine"))?;
            if damaged {
                lost.push(format!("`{}` is damaged and is not used", path.display()));
            }
            Ok(payload)
        };
        let tombstones = small(&delete::path(dir), delete::MAGIC)?.and_then(|p| delete::decode(&p)).unwrap_or_default();
        let metadata = small(&metadata::path(dir), metadata::MAGIC)?;
        let metadata = metadata.and_then(|p| metadata::Catalogue::decode(&p)).unwrap_or_default();
        let clock = small(&dir.join("clock"), CLOCK)?.and_then(|p| read_clock(&p));
        catalog.lost.extend(lost);
        let raw_from = clock.and_then(|(_, from)| from).unwrap_or_else(|| catalog.raw_from());
        // Without a clock that can be, the newest sample that is not in the future tells the time.
        let times = |of: fn(&Stats) -> i64| catalog.blocks.iter().map(move |b| of(b.stats()));
        let newest = times(|s| s.max_time).chain(recovered.head.newest).max();
        let oldest = times(|s| s.min_time).min();
        let clock = clock.map(|(clock, _)| clock).filter(|clock| oldest.is_none_or(|oldest| *clock >= oldest));
        let believed = clock.or(newest).map_or(now, |t| now.min(Timestamp::from_millis(t)));
        let last_id = tombstones.iter().map(|t| t.block).fold(catalog.last_id(), u64::max);
        let log = SeriesLog::open(Arc::clone(&fs), series_log::path(dir), &recovered.definitions)?;
        let syncer = Arc::new(Syncer::new(options.fsync));
        if let Err(err) = sync(&*fs, dir, &recovered.segments) {
            warn!(error = %err, "the disk does not confirm what the write-ahead log holds: it goes into blocks soon");
            syncer.ask_rotate();
        }
        // A store that is opened often gets its flushes nevertheless.
        let since = (!recovered.segments.is_empty()).then(|| recovered.since.map_or(now, |since| since.min(now)));
        let wal = Wal::new(Arc::clone(&fs), wal_dir, Arc::clone(&syncer), recovered.segments, catalog.flushed() + 2);
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            options: RwLock::new(options),
            fs,
            cache,
            upkeep: Mutex::new(Upkeep::new(last_id + 1, believed, Leftovers::new(leftovers))),
            writer: Mutex::new(Writer::new(wal, log, recovered.next_id, since)),
            head: RwLock::new(recovered.head),
            catalog: RwLock::new(Arc::new(catalog)),
            tombstones: RwLock::new(tombstones.into()),
            metadata: Mutex::new(metadata),
            believed: AtomicI64::new(believed.millis()),
            raw_from: AtomicI64::new(raw_from),
            syncer,
            flush_due: AtomicBool::new(false),
            counters: Counters::default(),
            damage: recovered.damage,
        });
        if shared.fs.is_read_only() {
            shared.writer().closed = true;
            return Ok(Self { shared, thread: Mutex::new(None) });
        }
        let syncer = Arc::clone(&shared.syncer);
        let thread = std::thread::Builder::new().name("tsdb-fsync".to_owned()).spawn(move || syncer.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Whether all samples from `start` on are in memory, and nobody is changing that: what reads few of them will not
    /// wait.
    pub fn has_at_hand(&self, start: i64) -> bool {
        let shared = self.shared();
        !shared.catalog().blocks.iter().any(|b| b.overlaps(start, i64::MAX)) && shared.head.try_read().is_ok()
    }

    /// Keeps the store otherwise from now on; the time between a write and its fsync stays as it was opened.
    pub fn configure(&self, options: Options) {
        *self.shared.options.write().unwrap_or_else(PoisonError::into_inner) = options;
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Appends a batch: all of it, except for the samples that [`Appended`] counts as refused.
    ///
    /// # Errors
    /// Nothing was stored; with [`Ack::Synced`] also: the disk did not confirm what was stored.
    pub fn append(&self, batch: &Batch, ack: Ack, now: Timestamp) -> Result<Appended, AppendError> {
        self.shared.append(batch, ack, now)
    }

    /// Exchanges label sets for the equal ones of series in memory, so that both share their storage.
    pub fn share<'l>(&self, labels: impl Iterator<Item = &'l mut Labels>) {
        let head = self.shared.head();
        for labels in labels {
            let slot = head.find(head.hash(labels.as_key()), labels.as_key());
            if let Some(series) = slot.and_then(|(slot, _)| head.get(slot)) {
                labels.clone_from(&series.labels);
            }
        }
    }

    /// What was found damaged when the store was opened.
    pub fn damage(&self) -> &Damage {
        &self.shared.damage
    }

    /// Takes nothing more in, makes everything durable, and ends the thread. Reading goes on. Closing again
    /// does nothing.
    ///
    /// # Errors
    /// The disk did not confirm the last writes.
    pub fn close(&self) -> std::io::Result<()> {
        self.shared.writer().closed = true;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        let saved = self.shared.save_metadata_now();
        let result = self.shared.syncer.sync_now().and(saved);
        self.shared.syncer.stop();
        // It does not panic; if it did, the sync above has done its work.
        let _ = thread.join();
        result
    }
}

impl Drop for Tsdb {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
