//! Opening, committing, corruption, migration.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::alert::instance::{Instance, Phase};
use crate::alert::monitor::MonitorStatus;
use crate::alert::rule::{Fingerprint, Words};
use crate::base::beat::{Beat, Report, Run};
use crate::base::heard::Heard;
use crate::base::labels::Labels;
use crate::base::message::{Severity, Status};
use crate::base::notification::{Notification, NotifiedAlert, Receipt};
use crate::base::outcome::Verdict;
use crate::base::time::Timestamp;
use crate::wire::board::EventKind;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn name(text: &str) -> MonitorName {
    MonitorName::new(text).unwrap()
}

fn reopen(dir: &Path) -> Opened {
    StateDb::open(dir, Clock::system()).unwrap()
}

fn status() -> MonitorStatus {
    MonitorStatus { verdict: Some(Verdict::Down), since: Some(at(5)), failures: 3, successes: 0, last: Some(at(9)) }
}

fn alert(phase: Phase) -> Instance {
    let words = Words {
        severity: Severity::Critical,
        labels: Labels::new([("alertname", "MonitorDown"), ("monitor", "shop")]),
        annotations: Labels::new([("summary", "shop is down")]),
    };
    Instance {
        fingerprint: Fingerprint(7),
        rule: "MonitorDown".to_owned(),
        monitor: name("shop"),
        phase,
        words: Arc::new(words),
    }
}

fn event(n: i64) -> NewEvent {
    let subject = if n % 2 == 0 { "shop" } else { "db" };
    let kind = EventKind::State;
    NewEvent::new(at(n), kind, subject, "down", format!("event {n}"))
}

fn owed(status: Status) -> Owed {
    let told = NotifiedAlert {
        status,
        fingerprint: Fingerprint(7).to_string(),
        labels: Labels::new([("alertname", "MonitorDown")]),
        annotations: Labels::default(),
        starts_at: at(5),
        ends_at: None,
        value: None,
        generator_url: None,
    };
    let key = format!("key-{}", status.as_str());
    let notification = Arc::new(Notification::single(key, "key".to_owned(), "ops", told));
    Owed { notification, created: at(9), attempts: 0, next_attempt: at(9) }
}

fn attempt(status: Status, attempts: u32, after: After) -> Attempt {
    Attempt {
        key: format!("key-{}", status.as_str()),
        attempts,
        at: at(10),
        took: Some(Duration::from_millis(42)),
        receipt: None,
        after,
        error: (after != After::Delivered).then(|| "500".to_owned()),
        event: None,
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    let firing = alert(Phase::Firing { starts_at: at(5), since: at(9) });
    let changes = [
        Change::Monitor(name("shop"), status()),
        Change::Alert(firing.clone()),
        Change::Event(event(1)),
        Change::Owe(owed(Status::Firing)),
    ];
    let done = db.commit(Arc::new(changes)).await.unwrap();
    assert_eq!(done, Committed { events: vec![event(1).numbered(1)], withheld: Vec::new() });
    let run = Run { ok: true, message: "done".to_owned(), ..Run::default() };
    let beat = Beat::after(None, Report::Ended(run), at(3));
    let mut heard = Heard::default();
    heard.begin(7, at(2));
    let flush = Flush {
        beats: vec![(name("job"), beat.clone())],
        heard: vec![(name("job"), heard.clone())],
        journal: vec![1, 2],
        ..Flush::default()
    };
    db.flush(flush).await.unwrap();
    db.save_history(vec![(name("shop"), vec![8]), (name("gone"), vec![7])], Vec::new(), None).await.unwrap();
    let covered = db.newest_of_journal().await.unwrap();
    db.flush_history(vec![3]).await.unwrap();
    db.save_history(vec![(name("shop"), vec![9; 3])], vec![name("gone")], covered).await.unwrap();
    db.close().await;
    assert!(matches!(db.owed().await, Err(StateError::Closed)));

    let Opened { db, loaded, degraded } = reopen(dir.path());
    assert_eq!(degraded, None);
    assert_eq!(loaded.monitors, [(name("shop"), status())]);
    assert_eq!(loaded.alerts, [firing]);
    assert_eq!(loaded.owed, [owed(Status::Firing)]);
    assert_eq!(loaded.beats, [(name("job"), beat)]);
    assert_eq!(loaded.heard, [(name("job"), heard)]);
    assert_eq!(loaded.events, [event(1).numbered(1)]);
    assert_eq!(loaded.rings, [Ring { monitor: name("shop"), data: vec![9; 3], covers: 2 }]);
    assert_eq!(loaded.journal, [(2, vec![3])]);
    // Deliveries are shown with the alerts that the dispatcher remembers.
    assert_eq!(loaded.deliveries, []);
    db.close().await;
}

#[tokio::test]
async fn files_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    db.commit(Arc::new([Change::Event(event(1))])).await.unwrap();
    let mode = |path: &str| std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("db"), 0o700);
    for file in ["db/watchdog.db", "db/watchdog.db-wal", "db/watchdog.db-shm"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    db.close().await;
}

#[tokio::test]
async fn a_message_is_owed_until_it_is_delivered_or_dead() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    let owe = |s| Arc::new([Change::Owe(owed(s))]);
    db.commit(owe(Status::Firing)).await.unwrap();
    let retry = attempt(Status::Firing, 1, After::Retry(at(99)));
    assert_eq!(db.record(Arc::new([retry])).await.unwrap(), Recorded::default());
    let waiting = db.owed().await.unwrap();
    assert_eq!((waiting[0].attempts, waiting[0].next_attempt), (1, at(99)));
    db.record(Arc::new([attempt(Status::Firing, 2, After::Delivered)])).await.unwrap();
    assert_eq!(db.owed().await.unwrap(), []);
    // The same decision again, as after a failed reply to a commit that worked.
    assert_eq!(db.commit(owe(Status::Firing)).await.unwrap().withheld, ["key-firing"]);
    // Nobody knows this one yet.
    let unknown = db.record(Arc::new([attempt(Status::Resolved, 1, After::Delivered)])).await.unwrap().unknown;
    assert_eq!(unknown, ["key-resolved"]);
    assert_eq!(db.commit(owe(Status::Resolved)).await.unwrap().withheld, Vec::<String>::new());
    db.close().await;
    let db = rusqlite::Connection::open(dir.path().join("db/watchdog.db")).unwrap();
    let log: Vec<(bool, Option<String>)> = db
        .prepare("SELECT ok, error FROM delivery ORDER BY id")
        .unwrap()
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(log, [(false, Some("500".to_owned())), (true, None)]);
}

#[tokio::test]
async fn the_end_of_an_alert_that_was_refused_is_not_owed() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    db.commit(Arc::new([Change::Owe(owed(Status::Firing))])).await.unwrap();
    db.record(Arc::new([attempt(Status::Firing, 1, After::Dead)])).await.unwrap();
    let done = db.commit(Arc::new([Change::Owe(owed(Status::Resolved))])).await.unwrap();
    assert_eq!(done.withheld, ["key-resolved"]);
    assert_eq!(db.owed().await.unwrap(), []);
    db.close().await;
}

#[tokio::test]
async fn what_the_receiver_called_the_last_message_of_a_thread_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    let remote = || db.remote("ops".to_owned(), "key".to_owned());
    db.commit(Arc::new([Change::Owe(owed(Status::Firing)), Change::Owe(owed(Status::Resolved))])).await.unwrap();
    assert_eq!(remote().await.unwrap(), None);
    for (status, name, known) in [
        (Status::Firing, Some("42".to_owned()), "42"),
        (Status::Resolved, None, "42"),
        (Status::Resolved, Some("x".repeat(9_000)), "42"),
        (Status::Resolved, Some("43".to_owned()), "43"),
    ] {
        let receipt = Some(Receipt { remote: name, detail: Some("200".to_owned()) });
        db.record(Arc::new([Attempt { receipt, ..attempt(status, 1, After::Delivered) }])).await.unwrap();
        assert_eq!(remote().await.unwrap().as_deref(), Some(known));
    }
    assert_eq!(db.remote("hook".to_owned(), "key".to_owned()).await.unwrap(), None);
    db.close().await;
}

#[test]
fn what_the_first_version_owed_is_still_owed() {
    let mut db = Connection::open_in_memory().unwrap();
    schema::migrate(&mut db, &schema::MIGRATIONS[..1]).unwrap();
    db.execute_batch(
        r#"INSERT INTO outbox (key, receiver, fingerprint, status, starts_at, message, created, next_attempt) VALUES
        ('0000000000000007-5-firing-0de336ddbd64e4a4', 'ops', '0000000000000007', 'firing', 5,
        '{"idempotency_key":"0000000000000007-5-firing-0de336ddbd64e4a4","receiver":"ops","status":"firing",
          "labels":{"alertname":"MonitorDown"},"annotations":{"summary":"a \"b\""},
          "starts_at":"1970-01-01T00:00:00.005Z","ends_at":null}', 9, 9),
        ('x', 'ops', '0000000000000008', 'firing', 5, 'torn', 9, 9)"#,
    )
    .unwrap();
    schema::migrate(&mut db, schema::MIGRATIONS).unwrap();
    let all = rows::owed(&db).unwrap();
    assert_eq!(all.len(), 1);
    let n = &all[0].notification;
    assert_eq!((n.thread.as_str(), n.notifier.as_str()), ("0000000000000007-5-0de336ddbd64e4a4", "ops"));
    assert_eq!((n.status(), n.starts_at()), (Status::Firing, at(5)));
    assert_eq!(n.alerts[0].annotations.get("summary"), Some("a \"b\""));
    assert_eq!(n.alerts[0].labels.get("alertname"), Some("MonitorDown"));
}

#[tokio::test]
async fn events_are_paged_newest_first_and_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    let changes: Vec<_> = (1..=10).map(|n| Change::Event(event(n))).collect();
    db.commit(changes.into()).await.unwrap();
    let ids = |found: Vec<Event>| found.into_iter().map(|e| e.id).collect::<Vec<_>>();
    let filter = EventFilter { limit: 3, ..EventFilter::default() };
    assert_eq!(ids(db.events(filter.clone()).await.unwrap()), [10, 9, 8]);
    let older = EventFilter { before: Some(8), subject: Some("shop".to_owned()), ..filter.clone() };
    assert_eq!(ids(db.events(older).await.unwrap()), [6, 4, 2]);
    let other = EventFilter { kind: Some(EventKind::Server), ..filter };
    assert_eq!(ids(db.events(other).await.unwrap()), Vec::<i64>::new());
    db.close().await;
}

#[tokio::test]
async fn only_the_newest_events_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    db.commit(Arc::new([Change::Event(event(1))])).await.unwrap();
    db.close().await;
    let raw = rusqlite::Connection::open(dir.path().join("db/watchdog.db")).unwrap();
    raw.execute_batch(
        "INSERT INTO event (at, kind, subject, what, detail)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100999)
         SELECT i, 'state', 'x', 'down', '' FROM n",
    )
    .unwrap();
    drop(raw);
    let db = reopen(dir.path()).db;
    for chunk in 0..10 {
        let changes: Vec<_> = (0..250).map(|n| Change::Event(event(chunk * 250 + n))).collect();
        db.commit(changes.into()).await.unwrap();
    }
    db.close().await;
    let raw = rusqlite::Connection::open(dir.path().join("db/watchdog.db")).unwrap();
    let kept: i64 = raw.query_row("SELECT count(*) FROM event", [], |r| r.get(0)).unwrap();
    assert_eq!(kept, 100_000);
}

#[tokio::test]
async fn a_batch_with_one_bad_job_commits_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    let bad = db.writer.run(|db| {
        db.execute("INSERT INTO event (at, kind, subject, what, detail) VALUES (1, 'state', 'x', 'y', 'z')", [])?;
        db.execute("INSERT INTO no_such_table VALUES (1)", [])
    });
    let good = db.commit(Arc::new([Change::Event(event(2))]));
    let (bad, good) = tokio::join!(bad, good);
    assert!(bad.is_err());
    assert!(good.is_ok());
    let all = db.events(EventFilter { limit: 9, ..EventFilter::default() }).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].detail, "event 2");
    db.close().await;
}

#[tokio::test]
async fn a_report_of_an_older_version_is_the_last_run() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("db");
    std::fs::create_dir_all(&home).unwrap();
    let mut db = rusqlite::Connection::open(home.join("watchdog.db")).unwrap();
    schema::migrate(&mut db, &schema::MIGRATIONS[..4]).unwrap();
    db.execute("INSERT INTO beat VALUES ('job', 1732245402120, 0, 'it said \"no\"')", []).unwrap();
    drop(db);
    let Opened { db, loaded, degraded } = reopen(dir.path());
    assert_eq!(degraded, None);
    let run = Run { message: "it said \"no\"".to_owned(), ..Run::default() };
    let beat = Beat::after(None, Report::Ended(run), Timestamp::from_millis(1_732_245_402_120));
    assert_eq!(loaded.beats, [(name("job"), beat)]);
    db.close().await;
}

#[tokio::test]
async fn a_newer_database_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    reopen(dir.path()).db.close().await;
    let path = dir.path().join("db/watchdog.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = StateDb::open(dir.path(), Clock::system()).unwrap_err();
    assert!(matches!(error, StateError::Newer { found: 99, known: 7, .. }), "{error}");
    assert!(error.to_string().contains("version 99") && error.to_string().contains("up to 7"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn an_upgrade_keeps_a_copy_that_the_older_binary_can_use() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    db.commit(Arc::new([Change::Event(event(1))])).await.unwrap();
    db.close().await;
    let newer = [schema::MIGRATIONS, &["CREATE TABLE later (x)"]].concat();
    let copy = dir.path().join("db/watchdog.db.v7");
    // Left by an upgrade that was killed.
    std::fs::write(&copy, "half a copy").unwrap();
    let disk = open::open_with(&dir.path().join("db"), at(0), &newer).unwrap();
    assert_eq!(disk.degraded, None);
    assert_eq!(disk.loaded.events.len(), 1);
    assert_eq!(schema::version(&disk.writer).unwrap(), 8);
    drop(disk);
    let error = StateDb::open(dir.path(), Clock::system()).unwrap_err();
    assert!(error.to_string().contains("`watchdog.db.v7`"), "{error}");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::rename(&copy, dir.path().join("db/watchdog.db")).unwrap();
    let Opened { db, loaded, degraded } = reopen(dir.path());
    assert_eq!((degraded, loaded.events.len()), (None, 1));
    db.close().await;
}

#[test]
fn a_migration_is_all_or_nothing_and_continues_where_it_stopped() {
    let mut db = Connection::open_in_memory().unwrap();
    let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"];
    assert!(schema::migrate(&mut db, &steps).is_err());
    assert_eq!(schema::version(&db).unwrap(), 1);
    assert!(!db.table_exists(None, "b").unwrap());
    schema::migrate(&mut db, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
    assert_eq!(schema::version(&db).unwrap(), 2);
    assert!(db.table_exists(None, "b").unwrap());
}

fn corrupted(damage: impl Fn(&mut Vec<u8>)) {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db/watchdog.db");
    rt.block_on(async {
        let db = reopen(dir.path()).db;
        let changes: Vec<_> = (1..=2_000).map(|n| Change::Event(event(n))).collect();
        db.commit(changes.into()).await.unwrap();
        db.close().await;
    });
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&mut bytes);
    std::fs::write(&path, &bytes).unwrap();
    let Opened { db, loaded, degraded } = reopen(dir.path());
    rt.block_on(async {
        if let Some(why) = degraded {
            assert_eq!(loaded, Loaded::default(), "{why}");
            let kept: Vec<_> = std::fs::read_dir(dir.path().join("db"))
                .unwrap()
                .map(|e| e.unwrap())
                .filter(|e| e.file_name().to_string_lossy().contains(".corrupt-"))
                .filter(|e| !e.file_name().to_string_lossy().ends_with("-shm"))
                .map(|e| std::fs::read(e.path()).unwrap())
                .collect();
            assert!(kept.contains(&bytes), "{why}");
        }
        // Whatever happened: decisions can be stored.
        db.commit(Arc::new([Change::Alert(alert(Phase::Pending { since: at(1) })), Change::Owe(owed(Status::Firing))]))
            .await
            .unwrap();
        db.close().await;
    });
}

#[test]
fn a_damaged_database_is_kept_and_replaced() {
    corrupted(|b| b.fill(0xa5));
    corrupted(|b| b[..100].fill(0));
    corrupted(|b| b.truncate(b.len() / 2));
    corrupted(|b| b.truncate(4_096 + 17));
    corrupted(|b| b.truncate(1));
    corrupted(|b| b[4_096..8_192].fill(0xff));
}

#[test]
fn random_page_flips_never_stop_the_start() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20 {
        let (page, fill) = (random.usize(..), random.u8(..));
        corrupted(|b| {
            let pages = b.len() / 4_096;
            let start = page % pages * 4_096;
            b[start..start + 4_096].fill(fill);
        });
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_means_memory_and_a_complaint() {
    let dir = tempfile::tempdir().unwrap();
    // A file where the directory belongs works for every user, root included.
    std::fs::write(dir.path().join("db"), "").unwrap();
    let Opened { db, degraded, .. } = reopen(dir.path());
    assert!(degraded.unwrap().contains("memory only"));
    db.commit(Arc::new([Change::Owe(owed(Status::Firing)), Change::Event(event(1))])).await.unwrap();
    assert_eq!(db.owed().await.unwrap().len(), 1);
    assert_eq!(db.events(EventFilter { limit: 5, ..EventFilter::default() }).await.unwrap().len(), 1);
    db.close().await;
}

#[tokio::test]
async fn a_full_disk_fails_the_commit_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let db = reopen(dir.path()).db;
    let limit = |pages: i64| {
        move |db: &Connection| db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |r| r.get::<_, i64>(0))
    };
    let pages = db.writer.run(|db| db.query_row("PRAGMA page_count", [], |r| r.get::<_, i64>(0))).await.unwrap();
    db.writer.run(limit(pages + 2)).await.unwrap();
    let big: Arc<[Change]> =
        (0..500).map(|n| Change::Event(NewEvent { detail: "x".repeat(1_000), ..event(n) })).collect::<Vec<_>>().into();
    let error = db.commit(big.clone()).await.unwrap_err();
    assert!(
        matches!(&error, StateError::Sql(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)),
        "{error:?}"
    );
    assert_eq!(db.events(EventFilter { limit: 5, ..EventFilter::default() }).await.unwrap(), []);
    db.writer.run(limit(100_000)).await.unwrap();
    assert_eq!(db.commit(big).await.unwrap().events.len(), 500);
    db.close().await;
}

#[tokio::test]
async fn firings_are_counted_by_rule_and_since() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { db, .. } = reopen(dir.path());
    let said = |ms, kind, rule: &str, what| Change::Event(NewEvent::new(at(ms), kind, rule, what, String::new()));
    let changes = [
        said(1, EventKind::Alert, "A", "firing"),
        said(5, EventKind::Alert, "A", "firing"),
        said(6, EventKind::Alert, "A", "resolved"),
        said(7, EventKind::Alert, "A", "firing"),
        said(8, EventKind::Alert, "B", "pending"),
        said(9, EventKind::State, "C", "firing"),
    ];
    db.commit(Arc::new(changes)).await.unwrap();
    let of_a = |n| std::collections::HashMap::from([("A".to_owned(), n)]);
    assert_eq!(db.firings(at(0)).await.unwrap(), of_a(3));
    assert_eq!(db.firings(at(5)).await.unwrap(), of_a(2));
}
