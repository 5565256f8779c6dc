//! What the logs alone bring back.

use std::fs;

use super::*;

/// Appends scrapes of a few series; returns what a query gives after each.
fn scrapes(db: &Tsdb, n: i64) -> Vec<Vec<(Labels, Samples)>> {
    let mut after = vec![Vec::new()];
    for i in 0..n {
        let t = NOW + i * 15_000;
        append(db, &[(labels("a", 1), vec![(t, i as f64)]), (labels("b", i as usize % 3), vec![(t, 0.1 * i as f64)])]);
        after.push(everything(db));
    }
    after
}

fn last_segment(dir: &Path) -> std::path::PathBuf {
    crate::tsdb::wal::replay::segments(&dir.join("wal")).unwrap().pop().unwrap().1
}

#[test]
fn what_was_appended_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let after = scrapes(&db, 300);
    drop(db);
    let db = open(dir.path());
    assert_eq!(everything(&db), after[300]);
    append(&db, &[(labels("a", 1), vec![(NOW + 9_000_000, 7.0)]), (labels("new", 0), vec![(NOW, 1.0)])]);
    let now = everything(&db);
    assert_eq!(now.len(), 5);
    drop(db);
    assert_eq!(everything(&open(dir.path())), now);
}

#[test]
fn a_log_cut_at_any_byte_keeps_all_complete_records() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let after = scrapes(&db, 12);
    drop(db);
    let path = last_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    let mut kept = 0;
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let db = open(dir.path());
        let found = everything(&db);
        assert!(!db.damage().is_loss(), "cut at {cut}");
        let n = after.iter().position(|a| *a == found).unwrap_or_else(|| panic!("cut at {cut}: {found:?}"));
        assert!(n >= kept, "cut at {cut}");
        kept = n;
    }
    assert_eq!(kept, 12);
}

#[test]
fn order_and_duplicates_are_as_in_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let a = || labels("a", 1);
    let done =
        append(&db, &[(a(), vec![(NOW, 1.0), (NOW, 1.0), (NOW, 2.0), (NOW - 5, 3.0), (NOW - 5, 3.0), (NOW - 5, 4.0)])]);
    assert_eq!(done, Appended { stored: 4, out_of_order: 1, duplicates: 2, ..Appended::default() });
    let done = append(&db, &[(a(), vec![(NOW - 100 * 86_400_000, 3.0), (NOW - 80 * 86_400_000, 3.0)])]);
    assert_eq!(done, Appended { stored: 1, out_of_order: 1, too_old: 1, ..Appended::default() });
    let expected = vec![(a().labels(), vec![(NOW - 80 * 86_400_000, 3.0), (NOW - 5, 3.0), (NOW, 1.0)])];
    assert_eq!(everything(&db), expected);
    assert_eq!(query(&db, &[], NOW - 5, NOW - 1)[0].1, [(NOW - 5, 3.0)]);
    drop(db);
    assert_eq!(everything(&open(dir.path())), expected);
}

#[test]
fn more_series_than_the_limit_are_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_series: 2, ..Options::default() };
    let db = Tsdb::open(dir.path(), options, Timestamp::from_millis(NOW)).unwrap();
    let one = |n| (labels("a", n), vec![(NOW, 1.0)]);
    let done = append(&db, &[one(1), one(2), one(3), one(1), one(3)]);
    assert_eq!(done, Appended { stored: 3, over_limit: 2, ..Appended::default() });
    assert_eq!(everything(&db).len(), 2);
}

#[test]
fn synced_means_synced_and_closed_means_closed() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let all = batch(&[(labels("a", 1), vec![(NOW, 1.0)])]);
    db.append(&all, Ack::Synced, Timestamp::from_millis(NOW)).unwrap();
    db.close().unwrap();
    db.close().unwrap();
    assert!(matches!(
        db.append(&all, Ack::Written, Timestamp::from_millis(NOW)),
        Err(crate::tsdb::AppendError::Closed)
    ));
    assert_eq!(everything(&db).len(), 1);
}
