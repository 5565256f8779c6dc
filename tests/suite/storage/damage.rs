//! Bits flip, bytes vanish, in any file of a store: it opens, gives no wrong sample, loses little and
//! says so.

use std::fs;
use std::path::{Path, PathBuf};

use watchdog::base::labels::LabelsBuf;
use watchdog::base::matcher::Matcher;
use watchdog::base::sample::Column;
use watchdog::base::time::Timestamp;
use watchdog::promql::source::{Select, Source, Want};
use watchdog::tsdb::{Ack, Batch, Options, Tsdb};

use super::numbered::{Faults, Numbered, PER_REQUEST, SERIES};

const ROUNDS: u64 = 100;
/// Overrides [`ROUNDS`].
const ROUNDS_VARIABLE: &str = "DAMAGE_ROUNDS";
const NOW: i64 = 1_763_900_000_000;
/// How many there are, in batches of [`PER_REQUEST`].
const NUMBERS: i64 = 2_000;

fn open(dir: &Path) -> Tsdb {
    Tsdb::open(dir, Options::default(), Timestamp::from_millis(NOW)).unwrap()
}

/// A store with blocks and with a log that no block holds yet.
fn build(dir: &Path, samples: &Numbered) {
    let db = open(dir);
    let mut batch = Batch::default();
    for request in 0..NUMBERS / PER_REQUEST {
        batch.clear();
        for (i, (kind, _)) in SERIES.iter().enumerate() {
            let mut labels = LabelsBuf::default();
            labels.push("__name__", "numbered");
            labels.push("kind", kind);
            batch.series(&labels);
            let numbers = request * PER_REQUEST..(request + 1) * PER_REQUEST;
            numbers.map(|n| samples.sample(i, n)).for_each(|(t, v)| batch.push(t, v));
        }
        db.append(&batch, Ack::Written, Timestamp::from_millis(NOW)).unwrap();
        if request % 25 == 24 {
            db.flush().unwrap();
        }
    }
    db.close().unwrap();
}

/// Reads everything; says what is wrong, and whether the store said that something is.
fn read(db: &Tsdb, samples: &Numbered) -> (Faults, bool) {
    let matchers = [Matcher::equal("__name__", "numbered")];
    let select = Select {
        matchers: &matchers,
        start: i64::MIN,
        end: i64::MAX,
        step: 0,
        window: 0,
        want: Want::Last,
        resolution: None,
        max_series: usize::MAX,
        cancel: None,
    };
    let set = db.select(&select).unwrap();
    let mut found: Vec<Vec<(i64, f64)>> = vec![Vec::new(); SERIES.len()];
    let mut column = Column::default();
    let mut reader = set.reader();
    for i in 0..set.len() {
        let labels = set.labels(i);
        let kind = labels.get("kind").unwrap_or_default();
        let series = SERIES.iter().position(|(k, _)| *k == kind).unwrap_or_else(|| panic!("invented {labels:?}"));
        assert_eq!(labels.iter().count(), 2, "invented {labels:?}");
        reader.read(i, &mut column).unwrap();
        found[series].extend(column.iter());
    }
    let mut faults = Faults::default();
    for (i, found) in found.into_iter().enumerate() {
        samples.judge(i, found.into_iter(), 0..NUMBERS, NUMBERS, &mut faults);
    }
    let damage = db.damage();
    (faults, damage.is_loss() || damage.torn_bytes > 0 || !set.warnings().is_empty())
}

/// Every file below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

/// Hurts one place of one file, the larger the likelier; says which.
fn hurt(dir: &Path, random: &mut fastrand::Rng) -> String {
    let files = files(dir);
    let sizes: Vec<usize> = files.iter().map(|f| fs::metadata(f).unwrap().len().try_into().unwrap()).collect();
    let mut at = random.usize(0..sizes.iter().sum());
    let file = sizes
        .iter()
        .position(|size| {
            at < *size || {
                at -= size;
                false
            }
        })
        .unwrap();
    let mut bytes = fs::read(&files[file]).unwrap();
    // Mostly a bit; sometimes a page of zeros, or the end of the file gone.
    match random.u8(0..10) {
        0 => bytes[at..].iter_mut().take(4_096).for_each(|b| *b = 0),
        1 => bytes.truncate(at),
        _ => bytes[at] ^= 1 << random.u8(0..8),
    }
    fs::write(&files[file], &bytes).unwrap();
    format!("{} at {at} of {}", files[file].strip_prefix(dir).unwrap().display(), sizes[file])
}

#[test]
fn damage_to_any_file_gives_no_wrong_sample_and_never_goes_unsaid() {
    let rounds: u64 = std::env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |n| n.parse().unwrap());
    let samples = Numbered::new(NOW - 3_600_000);
    let sound = tempfile::tempdir().unwrap();
    build(sound.path(), &samples);
    assert_eq!(read(&open(sound.path()), &samples), (Faults::default(), false));
    let total = SERIES.len() * usize::try_from(NUMBERS).unwrap();
    let mut lost = 0;
    for round in 0..rounds {
        let mut random = fastrand::Rng::with_seed(round);
        let copy = tempfile::tempdir().unwrap();
        for file in files(sound.path()) {
            let to = copy.path().join(file.strip_prefix(sound.path()).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&file, &to).unwrap();
        }
        let what = hurt(copy.path(), &mut random);
        let db = open(copy.path());
        let (faults, said) = read(&db, &samples);
        assert_eq!((faults.wrong, faults.duplicated), (0, 0), "round {round}: {what}");
        assert!(faults.lost == 0 || said, "round {round}: {what}: {} samples lost in silence", faults.lost);
        // One block, or what the log has that no block has: half at most.
        assert!(faults.lost <= total / 2, "round {round}: {what}: {} of {total} samples lost", faults.lost);
        lost += faults.lost;
        // Found once, contained for good.
        drop(db);
        let again = read(&open(copy.path()), &samples).0;
        assert!(again.wrong + again.duplicated == 0 && again.lost <= faults.lost, "round {round}: {what}: {again:?}");
    }
    println!("{rounds} times hurt: {:.2} % lost on average", lost as f64 / rounds as f64 / total as f64 * 100.0);
}
