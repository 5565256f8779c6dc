//! From memory into blocks, and back out of them.

use super::*;

fn scrapes(db: &Tsdb, from: i64, to: i64) {
    for i in from..to {
        let t = NOW + i * 15_000;
        let n = i as usize;
        append(db, &[(labels("a", 1), vec![(t, i as f64)]), (labels("b", n % 7), vec![(t, 0.1 * i as f64)])]);
    }
}

#[test]
fn a_flush_changes_nothing_for_readers() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    scrapes(&db, 0, 300);
    let before = everything(&db);
    assert_eq!(db.flush().unwrap().flushed, 600);
    assert_same(&everything(&db), &before, "after");
    assert_eq!(db.flush().unwrap().flushed, 0);
    drop(db);
    let db = open(dir.path());
    assert_same(&everything(&db), &before, "after");
    scrapes(&db, 300, 400);
    append(&db, &[(labels("a", 1), vec![(NOW - 1_000, 5.0), (NOW, 99.0)])]);
    let before = everything(&db);
    assert!(before[0].1.contains(&(NOW, 0.0)), "the value written first stands");
    db.flush().unwrap();
    assert_same(&everything(&db), &before, "after");
    drop(db);
    assert_eq!(everything(&open(dir.path())), before);
}

#[test]
fn a_flushed_log_is_cut_and_idle_series_leave_memory() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    for n in 0..200 {
        append(&db, &[(labels("gone", n), vec![(NOW, 1.0)])]);
    }
    let wal = || std::fs::read_dir(dir.path().join("wal")).unwrap().count();
    assert_eq!(wal(), 1);
    db.flush().unwrap();
    assert_eq!(wal(), 0);
    append(&db, &[(labels("here", 1), vec![(NOW, 1.0)])]);
    assert_eq!(db.flush().unwrap().series_gone, 200);
    append(&db, &[(labels("gone", 7), vec![(NOW + 1, 1.0)])]);
    assert_eq!(everything(&db).len(), 201);
    drop(db);
    assert_eq!(everything(&open(dir.path())).len(), 201);
}

#[test]
fn upkeep_flushes_when_the_log_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    append(&db, &[(labels("a", 1), vec![(NOW, 1.0)])]);
    let at = |secs: i64| Timestamp::from_millis(NOW + secs * 1_000);
    assert_eq!(db.maintain(at(600), &|| false).unwrap().flushed, 0);
    assert_eq!(db.maintain(at(1_800), &|| false).unwrap().flushed, 1);
    // A clock that goes back a day does not put a flush off for a day.
    db.append(&batch(&[(labels("a", 1), vec![(NOW + 1, 1.0)])]), Ack::Written, at(1_800)).unwrap();
    assert_eq!(db.maintain(at(-86_400), &|| false).unwrap().flushed, 0);
    assert_eq!(db.maintain(at(-86_400 + 1_800), &|| false).unwrap().flushed, 1);
}
