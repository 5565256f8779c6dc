//! The store as a whole: appended, read back, cut, damaged, reopened.

mod faults;
mod flush;
mod keep;
mod log;
mod model;

use std::path::Path;

use crate::base::labels::{Labels, LabelsBuf};
use crate::base::matcher::Matcher;
use crate::base::sample::Column;
use crate::base::time::Timestamp;
use crate::promql::source::{Resolution, Select, Source, Want};
use crate::tsdb::{Ack, Appended, Batch, Options, Tsdb};

/// A time in November 2025.
const NOW: i64 = 1_763_900_000_000;

type Samples = Vec<(i64, f64)>;

fn open(dir: &Path) -> Tsdb {
    Tsdb::open(dir, Options::default(), Timestamp::from_millis(NOW)).unwrap()
}

fn labels(name: &str, n: usize) -> LabelsBuf {
    let mut buf = LabelsBuf::default();
    buf.push("__name__", name);
    buf.push("n", &n.to_string());
    buf
}

fn batch(all: &[(LabelsBuf, Samples)]) -> Batch {
    let mut batch = Batch::default();
    for (labels, samples) in all {
        batch.series(labels);
        samples.iter().for_each(|(t, v)| batch.push(*t, *v));
    }
    batch
}

fn append(db: &Tsdb, all: &[(LabelsBuf, Samples)]) -> Appended {
    db.append(&batch(all), Ack::Written, Timestamp::from_millis(NOW)).unwrap()
}

fn select(matchers: &[Matcher], start: i64, end: i64) -> Select<'_> {
    let max_series = usize::MAX;
    Select { matchers, start, end, step: 0, window: 0, want: Want::Last, resolution: None, max_series, cancel: None }
}

fn query_raw(db: &Tsdb, matchers: &[Matcher], start: i64, end: i64) -> Vec<(Labels, Samples)> {
    read(db, &Select { resolution: Some(Resolution::Raw), ..select(matchers, start, end) })
}

fn query(db: &Tsdb, matchers: &[Matcher], start: i64, end: i64) -> Vec<(Labels, Samples)> {
    read(db, &select(matchers, start, end))
}

fn read(db: &Tsdb, select: &Select<'_>) -> Vec<(Labels, Samples)> {
    let set = db.select(select).unwrap();
    assert_eq!(set.warnings(), Vec::<String>::new());
    let mut reader = set.reader();
    let mut column = Column::default();
    let mut found = Vec::new();
    for i in 0..set.len() {
        reader.read(i, &mut column).unwrap();
        assert!(column.t.is_sorted_by(|a, b| a < b));
        if !column.is_empty() {
            found.push((set.labels(i), column.iter().collect()));
        }
    }
    assert!(found.is_sorted_by(|a: &(Labels, Samples), b| a.0 < b.0));
    found
}

fn everything(db: &Tsdb) -> Vec<(Labels, Samples)> {
    query(db, &[], i64::MIN, i64::MAX)
}

/// Compares what queries found, and shows where it differs rather than all of it.
#[track_caller]
fn assert_same(found: &[(Labels, Samples)], expected: &[(Labels, Samples)], what: &str) {
    let names = |all: &[(Labels, Samples)]| all.iter().map(|(l, _)| l.clone()).collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{what}");
    for ((labels, f), (_, e)) in found.iter().zip(expected) {
        let same = |(f, e): (&(i64, f64), &(i64, f64))| f.0 == e.0 && f.1.to_bits() == e.1.to_bits();
        let at = f.iter().zip(e).position(|pair| !same(pair)).unwrap_or(f.len().min(e.len()));
        assert!(
            at == f.len() && at == e.len(),
            "{what}: {labels} differs at {at}: {:?} for {:?}; {} samples for {}",
            f.get(at),
            e.get(at),
            f.len(),
            e.len(),
        );
    }
}
