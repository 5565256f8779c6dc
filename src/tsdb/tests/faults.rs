//! Writes that fail, processes that die, bits that flip: at every place, one after the other.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::tsdb::AppendError;
use crate::tsdb::fs::{Disk, Fs, Log, Space};
use crate::tsdb::inspect;

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The n-th operation fails, with half of its bytes written.
    Once(u64, io::ErrorKind),
    /// Nothing after the n-th operation happens: the process died.
    Death(u64),
    /// Every fsync of a segment fails.
    Fsync,
}

#[derive(Debug)]
struct Faulty {
    fault: Fault,
    count: Arc<AtomicU64>,
    /// Names of the files that were synced.
    synced: Arc<Mutex<Vec<String>>>,
    /// Blocks cannot be removed.
    stuck: Arc<AtomicBool>,
}

impl Faulty {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault, count: Arc::default(), synced: Arc::default(), stuck: Arc::default() })
    }

    fn check(&self) -> io::Result<()> {
        let n = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            Fault::Once(at, kind) if n == at => Err(kind.into()),
            Fault::Death(after) if n > after => Err(io::ErrorKind::NotConnected.into()),
            _ => Ok(()),
        }
    }

    fn wrap(&self, path: &Path, file: Arc<dyn Log>) -> Arc<dyn Log> {
        let dead = matches!(self.fault, Fault::Fsync) && path.extension().is_some_and(|e| e == "wal");
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let fs = Self {
            fault: self.fault,
            count: Arc::clone(&self.count),
            synced: Arc::clone(&self.synced),
            stuck: Arc::clone(&self.stuck),
        };
        Arc::new(FaultyLog { file, dead, name, fs })
    }

    fn take_synced(&self) -> Vec<String> {
        std::mem::take(&mut *self.synced.lock().unwrap())
    }
}

#[derive(Debug)]
struct FaultyLog {
    file: Arc<dyn Log>,
    /// It cannot be synced.
    dead: bool,
    name: String,
    fs: Faulty,
}

impl Log for FaultyLog {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.fs.check().inspect_err(|_| {
            if matches!(self.fs.fault, Fault::Once(..)) {
                self.file.write_at(&bytes[..bytes.len() / 2], at).unwrap();
            }
        })?;
        self.file.write_at(bytes, at)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.fs.check()?;
        self.file.truncate(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.fs.synced.lock().unwrap().push(self.name.clone());
        // Which thread comes first is not known; operations that are counted must be.
        if self.dead { Err(io::Error::other("injected")) } else { Ok(()) }
    }
}

impl Fs for Faulty {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Log>> {
        self.check()?;
        Disk.create(path).map(|f| self.wrap(path, f))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Log>> {
        self.check()?;
        Disk.open(path).map(|f| self.wrap(path, f))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check()?;
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        if self.stuck.load(Ordering::SeqCst) && path.extension().is_some_and(|e| e == "block") {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Disk.remove(path)
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        self.check()
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.check()?;
        Disk.create_dir(dir)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        Disk.space(path)
    }
}

/// What a scenario must have kept, and what it may have.
#[derive(Default)]
struct Promised {
    kept: Vec<(Labels, (i64, f64))>,
    perhaps_gone: bool,
}

/// Appends, flushes, deletes and describes; notes what was acknowledged. Errors are what is tested.
fn scenario(db: &Tsdb, promised: &mut Promised) {
    let now = Timestamp::from_millis(NOW);
    for round in 0..6_i64 {
        for i in 0..4 {
            let t = NOW + round * 60_000 + i * 15_000;
            let all =
                [(labels("a", i as usize % 2), vec![(t, t as f64)]), (labels("b", round as usize), vec![(t, 0.5)])];
            if db.append(&batch(&all), Ack::Written, now).is_ok() {
                promised.kept.extend(all.iter().map(|(l, s)| (l.labels(), s[0])));
            }
        }
        match round {
            1 | 4 => drop(db.flush()),
            2 => {
                let (from, to) = (NOW, NOW + 30_000);
                let done = db.delete_series(&[Matcher::equal("__name__", "b")], from, to).is_ok();
                let deleted = |l: &Labels, t: i64| l.metric_name() == "b" && (from..=to).contains(&t);
                promised.perhaps_gone |= !done;
                promised.kept.retain(|(l, (t, _))| !deleted(l, *t));
            }
            3 => {
                db.set_metadata("a", "gauge", "help", "");
                drop(db.maintain(now, &|| false));
                drop(db.clean_tombstones());
            }
            _ => {}
        }
    }
    let _ = db.close();
}

#[track_caller]
fn check(dir: &Path, promised: &Promised, what: &str) {
    let db = open(dir);
    assert!(!db.damage().is_loss(), "{what}: {:?}", db.damage());
    let found: Vec<(Labels, (i64, f64))> =
        everything(&db).into_iter().flat_map(|(l, s)| s.into_iter().map(move |s| (l.clone(), s))).collect();
    for sample in &promised.kept {
        assert!(found.contains(sample), "{what}: {sample:?} is lost");
    }
    for (labels, (t, v)) in &found {
        let right = if labels.metric_name() == "a" { *t as f64 } else { 0.5 };
        assert_eq!(*v, right, "{what}: {labels} at {t}");
    }
    // The store works on.
    append(&db, &[(labels("later", 1), vec![(NOW + 1, 1.0)])]);
    db.flush().unwrap();
    assert!(
        db.dir().join("blocks").read_dir().unwrap().all(|e| e.unwrap().path().extension().unwrap() == "block"),
        "{what}"
    );
}

fn run(fault: Fault) -> (u64, Promised, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let fs = Faulty::new(fault);
    let mut promised = Promised::default();
    let now = Timestamp::from_millis(NOW);
    if let Ok(db) = Tsdb::open_on(Arc::clone(&fs) as Arc<dyn Fs>, dir.path(), Options::default(), now) {
        scenario(&db, &mut promised);
    }
    (fs.count.load(Ordering::SeqCst), promised, dir)
}

#[test]
fn any_write_may_fail_and_nothing_acknowledged_is_lost() {
    for n in 1.. {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            let (count, promised, dir) = run(Fault::Once(n, kind));
            check(dir.path(), &promised, &format!("operation {n} fails as {kind:?}"));
            if n > count {
                assert!(n > 50, "the scenario has {count} operations");
                return;
            }
        }
    }
}

#[test]
fn the_process_may_die_anywhere_and_nothing_acknowledged_is_lost() {
    for n in 1.. {
        let (count, promised, dir) = run(Fault::Death(n));
        check(dir.path(), &promised, &format!("death after operation {n}"));
        if n >= count {
            return;
        }
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::from_millis(NOW);
    let one = |n: i64| batch(&[(labels("a", n as usize), vec![(NOW + n, 1.0)])]);
    append(&open(dir.path()), &[(labels("a", 1), vec![(NOW, 1.0)])]);
    // The log of series is the first thing that an append of a new series writes.
    for n in 0..3 {
        let opening = Faulty::new(Fault::Once(u64::MAX, io::ErrorKind::Other));
        let count = Arc::clone(&opening.count);
        drop(Tsdb::open_on(opening, dir.path(), Options::default(), now).unwrap());
        let fs = Faulty::new(Fault::Once(count.load(Ordering::SeqCst) + 1 + n, io::ErrorKind::StorageFull));
        let db = Tsdb::open_on(fs, dir.path(), Options::default(), now).unwrap();
        let before = everything(&db);
        assert!(matches!(db.append(&one(7 + n as i64), Ack::Written, now), Err(AppendError::DiskFull)), "{n}");
        assert_eq!(everything(&db), before);
        db.append(&one(7 + n as i64), Ack::Written, now).unwrap();
        assert_eq!(everything(&db).len(), before.len() + 1);
        assert_eq!(db.stats().disk_full, 1);
    }
    assert_eq!(everything(&open(dir.path())).len(), 4);
}

#[test]
fn a_failed_fsync_is_told_and_the_file_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::from_millis(NOW);
    let one = |n: i64| batch(&[(labels("a", 1), vec![(NOW + n, 1.0)])]);
    let db = Tsdb::open_on(Faulty::new(Fault::Fsync), dir.path(), Options::default(), now).unwrap();
    assert!(db.append(&one(1), Ack::Synced, now).is_err());
    assert_eq!(db.stats().fsyncs.failed, 1);
    // What follows goes into a new segment, and a flush soon brings all of it to safety.
    db.append(&one(2), Ack::Written, now).unwrap();
    assert_eq!(db.stats().wal_segments, 2);
    assert_eq!(db.maintain(now, &|| false).unwrap().flushed, 2);
    assert_eq!(db.stats().wal_segments, 0);
    let expected = [(NOW + 1, 1.0), (NOW + 2, 1.0)];
    assert_eq!(everything(&db)[0].1, expected);
    drop(db);
    assert_eq!(everything(&open(dir.path()))[0].1, expected);
}

#[test]
fn definitions_whose_append_failed_are_synced_with_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::from_millis(NOW);
    drop(open(dir.path()));
    let opening = Faulty::new(Fault::Once(u64::MAX, io::ErrorKind::Other));
    drop(Tsdb::open_on(Arc::clone(&opening) as Arc<dyn Fs>, dir.path(), Options::default(), now).unwrap());
    // Three operations make a segment, the fourth writes the definition, the fifth the samples.
    let fails = opening.count.load(Ordering::SeqCst) + 5;
    let fs = Faulty::new(Fault::Once(fails, io::ErrorKind::Other));
    let db = Tsdb::open_on(Arc::clone(&fs) as Arc<dyn Fs>, dir.path(), Options::default(), now).unwrap();
    let one = batch(&[(labels("a", 1), vec![(NOW, 1.0)])]);
    db.append(&one, Ack::Written, now).unwrap_err();
    assert_eq!(db.shared().writer().log.definitions(), 1);
    fs.take_synced();
    db.append(&one, Ack::Synced, now).unwrap();
    assert_eq!(fs.take_synced()[0], "series");
}

#[test]
fn what_is_replayed_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    append(&open(dir.path()), &[(labels("a", 1), vec![(NOW, 1.0)])]);
    let fs = Faulty::new(Fault::Once(u64::MAX, io::ErrorKind::Other));
    let now = Timestamp::from_millis(NOW);
    let db = Tsdb::open_on(Arc::clone(&fs) as Arc<dyn Fs>, dir.path(), Options::default(), now).unwrap();
    let synced = fs.take_synced();
    assert!(synced.len() == 2 && synced[0] == "series" && synced[1].ends_with(".wal"), "{synced:?}");
    drop(db);
    // A disk that does not confirm it gets a flush.
    let db = Tsdb::open_on(Faulty::new(Fault::Fsync), dir.path(), Options::default(), now).unwrap();
    assert_eq!(db.maintain(now, &|| false).unwrap().flushed, 1);
}

#[test]
fn what_a_killed_replacement_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let left = ["series.tmp", "tombstones.tmp", "metadata.tmp", "clock.tmp"].map(|name| dir.path().join(name));
    left.iter().for_each(|path| std::fs::write(path, "half").unwrap());
    drop(open(dir.path()));
    assert!(left.iter().all(|path| !path.exists()));
}

#[test]
fn a_block_that_cannot_be_removed_never_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let fs = Faulty::new(Fault::Once(u64::MAX, io::ErrorKind::Other));
    let now = Timestamp::from_millis(NOW);
    let open = || Tsdb::open_on(Arc::clone(&fs) as Arc<dyn Fs>, dir.path(), Options::default(), now).unwrap();
    let blocks = || dir.path().join("blocks").read_dir().unwrap().count();
    let db = open();
    append(&db, &[(labels("a", 1), (0..4).map(|n| (NOW + n, n as f64)).collect())]);
    db.flush().unwrap();
    fs.stuck.store(true, Ordering::SeqCst);
    // Each deletion writes the block anew, and leaves the one before.
    for n in 0..2 {
        db.delete_series(&[], NOW + n, NOW + n).unwrap();
        let err = db.clean_tombstones().unwrap_err().to_string();
        assert!(err.contains("cannot be removed"), "{err}");
        assert_eq!(blocks(), 2 + n as usize);
    }
    let left = [(NOW + 2, 2.0), (NOW + 3, 3.0)];
    assert_eq!(everything(&db)[0].1, left);
    drop(db);
    let db = open();
    assert_eq!((everything(&db)[0].1.as_slice(), blocks()), (&left[..], 3));
    // Written by another process than the one that began it.
    db.delete_series(&[], NOW + 2, NOW + 2).unwrap();
    db.clean_tombstones().unwrap_err();
    db.maintain(now, &|| false).unwrap_err();
    drop(db);
    let db = open();
    assert_eq!((everything(&db)[0].1.as_slice(), blocks()), (&left[1..], 4));
    // Of what is deleted as a whole no block tells what it replaced: the deletion itself stays.
    db.delete_series(&[], NOW, NOW + 9).unwrap();
    db.clean_tombstones().unwrap_err();
    drop(db);
    let db = open();
    assert_eq!(everything(&db), []);
    assert!(db.stats().tombstones > 0);
    // As soon as they can be, they are removed.
    fs.stuck.store(false, Ordering::SeqCst);
    db.clean_tombstones().unwrap();
    db.maintain(now, &|| false).unwrap();
    assert_eq!((blocks(), db.stats().tombstones), (0, 0));
    drop(db);
    assert_eq!(everything(&open()), []);
}

#[test]
fn what_a_failed_flush_left_never_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let fs = Faulty::new(Fault::Once(u64::MAX, io::ErrorKind::Other));
    let now = Timestamp::from_millis(NOW);
    let open = || Tsdb::open_on(Arc::clone(&fs) as Arc<dyn Fs>, dir.path(), Options::default(), now).unwrap();
    let db = open();
    append(&db, &[(labels("a", 1), vec![(NOW, 1.0), (NOW + 86_400_000, 2.0)])]);
    // The second of the two blocks cannot have its name, and the first one stays.
    fs.stuck.store(true, Ordering::SeqCst);
    let path = dir.path().join(format!("blocks/{:016x}.block", db.shared().upkeep().next_id + 1));
    std::fs::create_dir(&path).unwrap();
    db.flush().unwrap_err();
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(db.flush().unwrap().flushed, 2);
    db.delete_series(&[], NOW, NOW).unwrap();
    db.clean_tombstones().unwrap_err();
    drop(db);
    assert_eq!(everything(&open())[0].1, [(NOW + 86_400_000, 2.0)]);
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A store with files of every kind, and what it holds.
fn rich(dir: &Path) -> Vec<(Labels, Samples)> {
    let db = open(dir);
    const HOURS: i64 = 30;
    for hour in 0..HOURS {
        let of = |n: i64| (0..60).map(|m| (NOW + (hour * 60 + m) * 60_000, (m * n) as f64 / 8.0)).collect::<Samples>();
        append(&db, &(0..6).map(|n| (labels("a", n as usize), of(n))).collect::<Vec<_>>());
        if hour % 7 == 6 {
            db.flush().unwrap();
        }
    }
    db.set_metadata("a", "gauge", "what it is", "");
    db.delete_series(&[Matcher::equal("n", "3")], NOW + 3_600_000, NOW + 7_200_000).unwrap();
    let shared = db.shared();
    let passed = std::time::Duration::from_secs(3_600 * 60);
    let now = Timestamp::from_millis(NOW).plus(passed);
    shared.upkeep().begun = None;
    shared.writer().since = None;
    shared.maintain(&mut shared.upkeep(), now, passed, &|| false).unwrap();
    db.delete_series(&[Matcher::equal("n", "4")], NOW + 3_600_000, NOW + 7_200_000).unwrap();
    let stats = db.stats();
    assert!(stats.wal_bytes > 0 && stats.tombstones > 0 && stats.blocks.iter().all(|(_, b)| b.blocks > 0), "{stats:?}");
    let all = query_raw(&db, &[], i64::MIN, i64::MAX);
    db.close().unwrap();
    all
}

#[test]
fn a_flipped_bit_never_makes_a_wrong_value() {
    let dir = tempfile::tempdir().unwrap();
    let expected = rich(dir.path());
    let plain: std::collections::HashMap<(Labels, i64), u64> =
        expected.iter().flat_map(|(l, s)| s.iter().map(move |(t, v)| ((l.clone(), *t), v.to_bits()))).collect();
    let files = files(dir.path());
    assert!(files.len() >= 8, "{files:?}");
    let sizes: Vec<u64> = files.iter().map(|f| f.metadata().unwrap().len()).collect();
    let rolled = |db: &Tsdb| -> Vec<(Labels, Samples)> {
        let wants = [Want::Min, Want::Max, Want::Sum, Want::Count, Want::Last, Want::Increase];
        let both = [Resolution::FiveMinutes, Resolution::Hour].into_iter();
        let all = both.flat_map(|r| wants.map(|want| (Some(r), want)));
        all.flat_map(|(resolution, want)| {
            let select = Select { resolution, want, ..select(&[], i64::MIN, i64::MAX) };
            let set = db.select(&select).unwrap();
            let (mut reader, mut column) = (set.reader(), Column::default());
            let mut found = Vec::new();
            for i in 0..set.len() {
                reader.read(i, &mut column).unwrap();
                found.push((set.labels(i), column.iter().collect()));
            }
            if set.warnings().is_empty() { found } else { Vec::new() }
        })
        .collect()
    };
    let buckets = rolled(&inspect::peek(dir.path()).unwrap());
    let mut rng = fastrand::Rng::with_seed(3);
    for round in 0..2_000 {
        // Every second time in a file of any size, so that small ones have their share.
        let which = if round % 2 == 0 {
            rng.usize(..files.len())
        } else {
            let mut at = rng.u64(..sizes.iter().sum::<u64>());
            sizes
                .iter()
                .position(|s| {
                    if at < *s {
                        true
                    } else {
                        at -= s;
                        false
                    }
                })
                .unwrap()
        };
        let bit = rng.u64(..sizes[which] * 8);
        let whole = std::fs::read(&files[which]).unwrap();
        let mut bytes = whole.clone();
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        std::fs::write(&files[which], &bytes).unwrap();
        let what = format!("bit {bit} of {}", files[which].display());
        if let Ok(db) = inspect::peek(dir.path()) {
            let set =
                db.select(&Select { resolution: Some(Resolution::Raw), ..select(&[], i64::MIN, i64::MAX) }).unwrap();
            let (mut reader, mut column, mut found) = (set.reader(), Column::default(), 0);
            let mut extra = 0;
            for i in 0..set.len() {
                reader.read(i, &mut column).unwrap();
                let labels = set.labels(i);
                for (t, v) in column.iter() {
                    match plain.get(&(labels.clone(), t)) {
                        Some(bits) => {
                            assert_eq!(*bits, v.to_bits(), "{what}: {labels} at {t}");
                            found += 1;
                        }
                        None => extra += 1,
                    }
                }
            }
            let told = db.damage().is_loss() || db.damage().torn_bytes > 0 || !set.warnings().is_empty();
            assert!(found == plain.len() && extra == 0 || told, "{what}: {found} of {}, {extra} more", plain.len());
            let now = rolled(&db);
            assert!(told || now.len() < buckets.len() || now == buckets, "{what}: another roll-up");
            // Samples come back only if their deletion is lost.
            assert!(extra == 0 || !files[which].ends_with("series"), "{what}");
        } else {
            // A version that is not ours: the magic's last byte, whose checksum then is wrong, never gets here.
            panic!("{what}: the store does not open");
        }
        std::fs::write(&files[which], &whole).unwrap();
    }
}

#[test]
fn damage_is_found_by_verifying_and_survived_by_opening() {
    let dir = tempfile::tempdir().unwrap();
    let expected = rich(dir.path());
    assert_eq!(inspect::verify(dir.path()).unwrap().problems, []);
    let mut dumped = Vec::new();
    let all = (i64::MIN, i64::MAX);
    let notes = inspect::dump(dir.path(), &[], all, Resolution::Raw, |labels, column| {
        dumped.push((labels.clone(), column.iter().collect::<Samples>()));
        Ok(())
    });
    assert_eq!(notes.unwrap(), Vec::<String>::new());
    assert_same(&dumped, &expected, "dumped");
    let mut rng = fastrand::Rng::with_seed(4);
    for path in files(dir.path()) {
        for _ in 0..4 {
            let copy = tempfile::tempdir().unwrap();
            for file in files(dir.path()) {
                let to = copy.path().join(file.strip_prefix(dir.path()).unwrap());
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(&file, &to).unwrap();
            }
            let path = copy.path().join(path.strip_prefix(dir.path()).unwrap());
            let mut bytes = std::fs::read(&path).unwrap();
            let (from, len) = (rng.usize(..bytes.len()), rng.usize(1..600));
            let to = bytes.len().min(from + len);
            bytes[from..to].fill(0x55);
            std::fs::write(&path, &bytes).unwrap();
            let problems = inspect::verify(copy.path()).unwrap().problems;
            let mut same = Vec::new();
            let notes = inspect::dump(copy.path(), &[], all, Resolution::Raw, |labels, column| {
                same.push((labels.clone(), column.iter().collect::<Samples>()));
                Ok(())
            });
            // The end of a block is written twice; one of them is enough.
            let whole = same == expected && notes.unwrap().is_empty();
            assert!(!problems.is_empty() || whole, "{} from {from} to {to}", path.display());
            let db = open(copy.path());
            append(&db, &[(labels("later", 1), vec![(NOW, 1.0)])]);
            db.flush().unwrap();
            let found = Select { resolution: Some(Resolution::Raw), ..select(&[], i64::MIN, i64::MAX) };
            assert!(!db.select(&found).unwrap().is_empty());
        }
    }
}
