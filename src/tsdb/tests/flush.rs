//! From memory into blocks, and back out of them.

use super::*;
use crate::base::matcher::MatchOp;

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
fn series_that_move_up_in_memory_stay_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let mut expected: std::collections::BTreeMap<Labels, Samples> = std::collections::BTreeMap::new();
    let mut gone = 0;
    for round in 0..6_usize {
        let t = NOW + round as i64;
        // Each round other ones are missing, and some are new.
        let live = (0..400).filter(|n| n % 5 != round % 5).chain(400 + round * 100..450 + round * 100);
        let all: Vec<_> = live.map(|n| (labels(["a", "b"][n % 2], n), vec![(t, n as f64)])).collect();
        append(&db, &all);
        all.iter().for_each(|(l, s)| expected.entry(l.labels()).or_default().extend(s));
        assert_same(&everything(&db), &expected.clone().into_iter().collect::<Vec<_>>(), "before the flush");
        gone += db.flush().unwrap().series_gone;
        let some = [Matcher::equal("__name__", "a"), Matcher::new("n", MatchOp::Regex, ".*3.*").unwrap()];
        let fit = |l: &Labels| some.iter().all(|m| m.matches(l.get(m.name()).unwrap()));
        let of: Vec<_> = expected.clone().into_iter().filter(|(l, _)| fit(l)).collect();
        assert_same(&query(&db, &some, i64::MIN, i64::MAX), &of, "some");
        assert_eq!(append(&db, &all).stored, all.len() as u64, "each is found again");
    }
    assert!(gone > 300 && db.stats().series < 600, "{gone} of {:?}", db.stats());
    drop(db);
    assert_same(&everything(&open(dir.path())), &expected.into_iter().collect::<Vec<_>>(), "reopened");
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

#[test]
fn the_age_of_the_log_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    append(&open(dir.path()), &[(labels("a", 1), vec![(NOW, 1.0)])]);
    let (_, segment) = crate::tsdb::wal::replay::segments(&dir.path().join("wal")).unwrap().remove(0);
    let begun = std::time::UNIX_EPOCH + std::time::Duration::from_millis(NOW as u64);
    std::fs::File::options().write(true).open(segment).unwrap().set_modified(begun).unwrap();
    let at = |secs: i64| Timestamp::from_millis(NOW + secs * 1_000);
    // A process that runs for ten minutes at a time.
    for restart in 1..3 {
        let db = Tsdb::open(dir.path(), Options::default(), at(restart * 600)).unwrap();
        assert_eq!(db.maintain(at(restart * 600 + 599), &|| false).unwrap().flushed, 0, "{restart}");
    }
    let db = Tsdb::open(dir.path(), Options::default(), at(1_800)).unwrap();
    assert_eq!(db.maintain(at(1_800), &|| false).unwrap().flushed, 1);
}

#[test]
fn a_failed_flush_leaves_no_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    append(&db, &[(labels("a", 1), vec![(NOW, 1.0), (NOW + 86_400_000, 2.0)])]);
    // The second of the two blocks cannot have its name.
    let blocks = dir.path().join("blocks");
    let path = blocks.join(format!("{:016x}.block", db.shared().upkeep().next_id + 1));
    std::fs::create_dir(&path).unwrap();
    db.flush().unwrap_err();
    assert_eq!(blocks.read_dir().unwrap().count(), 1);
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(db.flush().unwrap().flushed, 2);
    assert_eq!(blocks.read_dir().unwrap().count(), 2);
}
