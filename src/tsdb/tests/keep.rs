//! What is kept how long, at which resolution, and how it is told.

use std::time::Duration;

use super::*;
use crate::base::matcher::MatchOp;
use crate::promql::source::SourceError;
use crate::promql::value::Cancel;
use crate::tsdb::labels::Of;
use crate::tsdb::metadata::Metadata;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// Upkeep at a time, with clocks that agree.
fn maintain(db: &Tsdb, now: i64) -> crate::tsdb::maintain::Work {
    let shared = db.shared();
    let passed = Duration::from_millis((now - NOW) as u64);
    shared.maintain(&mut shared.upkeep(), at(now), passed, &|| false).unwrap()
}

/// A counter that starts again now and then, every minute, for some days; upkeep in between.
fn days(db: &Tsdb, days: i64) -> Samples {
    let all: Samples = (0..days * 1_440).map(|m| (NOW + m * 60_000, (m % 2_000) as f64)).collect();
    for (i, day) in all.chunks(1_440).enumerate() {
        let now = NOW + (i as i64 + 1) * DAY;
        let mut batch = Batch::default();
        batch.series(&labels("c", 1));
        day.iter().for_each(|(t, v)| batch.push(*t, *v));
        db.append(&batch, Ack::Written, at(now)).unwrap();
        maintain(db, now);
        maintain(db, now + HOUR);
    }
    all
}

#[test]
fn roll_ups_with_the_newest_raw_samples_are_what_raw_samples_give() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let all = days(&db, 12);
    let end = all[all.len() - 1].0;
    for resolution in [Resolution::FiveMinutes, Resolution::Hour] {
        let buckets: Vec<&[(i64, f64)]> = all
            .chunk_by(|a, b| (a.0 - 1).div_euclid(resolution.millis()) == (b.0 - 1).div_euclid(resolution.millis()))
            .collect();
        let mut grown = 0.0;
        let mut growth: Samples = Vec::new();
        for (i, (t, v)) in all.iter().enumerate() {
            let restarted = i == 0 || *v < all[i - 1].1;
            grown += if restarted { *v } else { v - all[i - 1].1 };
            growth.push((*t, grown));
        }
        for want in [Want::Last, Want::Min, Want::Max, Want::Sum, Want::Count, Want::Increase] {
            let select = Select { resolution: Some(resolution), want, ..select(&[], NOW, end) };
            let found = read(&db, &select);
            let values = |b: &&[(i64, f64)]| -> f64 {
                let v = || b.iter().map(|s| s.1);
                match want {
                    Want::Last => b[b.len() - 1].1,
                    Want::Min => v().fold(f64::INFINITY, f64::min),
                    Want::Max => v().fold(f64::NEG_INFINITY, f64::max),
                    Want::Sum => v().sum(),
                    Want::Count => b.len() as f64,
                    Want::Increase => growth.iter().find(|g| g.0 == b[b.len() - 1].0).unwrap().1,
                }
            };
            let expected = buckets.iter().map(|b| (b[b.len() - 1].0, values(b))).collect();
            assert_same(&found, &[(labels("c", 1).labels(), expected)], &format!("{resolution:?} {want:?}"));
        }
    }
}

#[test]
fn old_samples_that_come_late_are_merged_with_their_like() {
    let dir = tempfile::tempdir().unwrap();
    let year = Duration::from_secs(400 * 86_400);
    let db = Tsdb::open(dir.path(), Options { retention: year, ..Options::default() }, at(NOW)).unwrap();
    let mut expected: std::collections::BTreeMap<i64, f64> = std::collections::BTreeMap::new();
    // A year, handed in by many flushes from the newest to the oldest, and all over the place.
    for flush in 0..24_i64 {
        let all: std::collections::BTreeMap<i64, f64> = (0..360_i64)
            .map(|day| (NOW - day * DAY - flush * HOUR, flush as f64))
            .filter(|(t, _)| flush % 3 != 0 || (NOW - t) / DAY % 40 < 20)
            .collect();
        append(&db, &[(labels("late", 1), all.clone().into_iter().collect())]);
        expected.extend(all);
        db.flush().unwrap();
    }
    let found = || query_raw(&db, &[], i64::MIN, i64::MAX)[0].1.clone();
    let expected: Samples = expected.into_iter().collect();
    assert_eq!(found(), expected);
    let raw = || db.stats().blocks[0].1.blocks;
    assert!(raw() > 24 * 20, "{}", raw());
    maintain(&db, NOW + DAY);
    assert_eq!(found(), expected);
    // Ten windows and sixteen days, each of which is merged further as it grows old.
    assert!(raw() <= 40, "{}", raw());
    let spans: Vec<i64> =
        db.shared().catalog().of(Resolution::Raw).map(|b| b.stats().max_time - b.stats().min_time).collect();
    assert!(spans.iter().all(|s| *s < 31 * DAY), "{spans:?}");
}

#[test]
fn late_samples_find_their_way_into_roll_ups() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let all = days(&db, 5);
    let end = NOW + 5 * DAY + 2 * HOUR;
    let counts = || {
        let want = Want::Count;
        let select = Select { resolution: Some(Resolution::Hour), want, ..select(&[], NOW, end) };
        read(&db, &select)[0].1.iter().map(|s| s.1).sum::<f64>()
    };
    assert_eq!(counts(), all.len() as f64);
    let late = vec![(NOW + DAY + 1, 7.0), (NOW + 2 * DAY + 1, 7.0)];
    append(&db, &[(labels("c", 1), late)]);
    db.flush().unwrap();
    assert_eq!(maintain(&db, end).rolled_up, 4);
    assert_eq!(counts(), all.len() as f64 + 2.0);
    assert_eq!(maintain(&db, end).rolled_up, 0);
}

#[test]
fn cleaning_keeps_the_order_of_roll_ups() {
    let dir = tempfile::tempdir().unwrap();
    // Roll-ups of three days become one.
    let options = Options { retention: Duration::from_secs(30 * 86_400), ..Options::default() };
    let db = Tsdb::open(dir.path(), options, at(NOW)).unwrap();
    days(&db, 12);
    let end = NOW + 12 * DAY + 2 * HOUR;
    append(&db, &[(labels("c", 1), vec![(NOW + 5 * DAY + 1, 7.0)])]);
    db.flush().unwrap();
    assert_eq!(maintain(&db, end).rolled_up, 2);
    let counts = || {
        let select = Select { resolution: Some(Resolution::FiveMinutes), want: Want::Count, ..select(&[], NOW, end) };
        read(&db, &select)
    };
    let shared = db.shared();
    let wide = |b: &std::sync::Arc<crate::tsdb::block::Block>| b.meta().covers.is_some_and(|(a, u)| u - a > DAY);
    assert!(shared.catalog().of(Resolution::FiveMinutes).any(wide));
    // Each day in turn, so that also those beside the newer roll-up are.
    for day in 3..8 {
        db.delete_series(&[], NOW + day * DAY + HOUR, NOW + day * DAY + 2 * HOUR).unwrap();
        let before = counts();
        db.clean_tombstones().unwrap();
        assert_same(&counts(), &before, &format!("day {day}"));
    }
}

#[test]
fn raw_samples_answer_unless_they_are_gone_or_nobody_would_notice() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { retention: Duration::from_secs(9 * 86_400), ..Options::default() };
    let db = Tsdb::open(dir.path(), options, at(NOW)).unwrap();
    let all = days(&db, 20);
    let (start, end) = (NOW, all[all.len() - 1].0);
    let resolution =
        |start, step, window| db.select(&Select { step, window, ..select(&[], start, end) }).unwrap().resolution();
    assert_eq!(resolution(end - DAY, HOUR, 2 * HOUR), Resolution::Raw);
    assert_eq!(resolution(end - 8 * DAY, HOUR, 0), Resolution::FiveMinutes);
    assert_eq!(resolution(end - 8 * DAY, 2 * HOUR, 0), Resolution::Hour);
    assert_eq!(resolution(end - 8 * DAY, 2 * HOUR, HOUR), Resolution::FiveMinutes);
    assert_eq!(resolution(end - 8 * DAY, 2 * HOUR, 60_000), Resolution::Raw);
    // Gone.
    assert_eq!(resolution(start, 60_000, 60_000), Resolution::FiveMinutes);
    let found = query(&db, &[], start, end);
    assert_eq!(found[0].1.len(), 20 * 288 + 1);
    let raw = query_raw(&db, &[], start, end);
    assert!(raw[0].1.len() < 13 * 1_440, "{}", raw[0].1.len());
}

#[test]
fn a_clock_that_jumps_deletes_nothing_and_takes_samples_in() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { retention: Duration::from_secs(2 * 86_400), ..Options::default() };
    let db = Tsdb::open(dir.path(), options, at(NOW)).unwrap();
    let one = |n: i64| batch(&[(labels("a", 1), vec![(NOW + n * HOUR, n as f64)])]);
    for n in 0..36 {
        db.append(&one(n), Ack::Written, at(NOW + n * HOUR)).unwrap();
        maintain(&db, NOW + n * HOUR);
    }
    let before = query_raw(&db, &[], i64::MIN, i64::MAX);
    assert_eq!(before[0].1.len(), 36);
    let now = NOW + 36 * HOUR;
    for jump in [DAY, 365 * DAY, -DAY] {
        let shared = db.shared();
        let passed = Duration::from_millis((36 * HOUR) as u64);
        let work = shared.maintain(&mut shared.upkeep(), at(now + jump), passed, &|| false).unwrap();
        assert_eq!(work.removed, 0);
        let done = db.append(&batch(&[(labels("a", 1), vec![(now + jump / 100, 1.0)])]), Ack::Written, at(now + jump));
        assert_eq!(done.unwrap().stored, 1, "{jump}");
        maintain(&db, now);
    }
    assert_eq!(query_raw(&db, &[], i64::MIN, NOW + 35 * HOUR), before);
    db.close().unwrap();
    // Nor after a restart under a wrong clock.
    let db = Tsdb::open(dir.path(), options, at(now + 365 * DAY)).unwrap();
    assert_eq!(db.maintain(at(now + 365 * DAY), &|| false).unwrap().removed, 0);
    assert_eq!(query_raw(&db, &[], i64::MIN, NOW + 35 * HOUR), before);
}

#[test]
fn size_takes_the_oldest_raw_samples_first() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_size: Some(60_000), ..Options::default() };
    let db = Tsdb::open(dir.path(), options, at(NOW)).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    for day in 0..10_i64 {
        let samples = (0..1_000).map(|m| (NOW + day * DAY + m * 60_000, rng.f64())).collect();
        append(&db, &[(labels("noise", 1), samples)]);
        db.flush().unwrap();
        maintain(&db, NOW + day * DAY + 20 * HOUR);
    }
    let stats = db.stats();
    let bytes: u64 = stats.blocks.iter().map(|(_, b)| b.bytes).sum();
    assert!(bytes <= 60_000 && stats.retired > 0, "{stats:?}");
    let found = query_raw(&db, &[], i64::MIN, i64::MAX);
    assert!(found[0].1[0].0 > NOW + DAY);
    assert_eq!(found[0].1.last().unwrap().0, NOW + 9 * DAY + 999 * 60_000);
}

#[test]
fn roll_ups_do_not_push_out_the_newest_samples() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_size: Some(20_000), ..Options::default() };
    let db = Tsdb::open(dir.path(), options, at(NOW)).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    for day in 0..8_i64 {
        let samples = (0..1_000).map(|m| (NOW + day * DAY + m * 60_000, rng.f64())).collect();
        append(&db, &[(labels("noise", 1), samples)]);
        db.flush().unwrap();
        maintain(&db, NOW + day * DAY + 20 * HOUR);
        let newest = query_raw(&db, &[], NOW + day * DAY, i64::MAX);
        assert_eq!(newest.first().map_or(0, |(_, samples)| samples.len()), 1_000, "day {day}");
    }
    assert!(db.stats().retired > 0);
}

#[test]
fn a_late_sample_does_not_stand_for_those_that_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let all = days(&db, 8);
    let end = NOW + 8 * DAY + 2 * HOUR;
    // The size leaves no room for raw samples that are not among the newest.
    let blocks = db.shared().catalog().blocks.clone();
    let writer = db.shared().writer();
    let logs = writer.wal.bytes() + writer.log.bytes();
    drop(writer);
    let old = |b: &&std::sync::Arc<crate::tsdb::block::Block>| {
        b.meta().resolution == Resolution::Raw && b.stats().max_time < end - 2 * DAY
    };
    let size = |blocks: &mut dyn Iterator<Item = &std::sync::Arc<crate::tsdb::block::Block>>| -> u64 {
        blocks.map(|b| b.stats().bytes).sum()
    };
    let most = logs + size(&mut blocks.iter()) - size(&mut blocks.iter().filter(old));
    db.configure(Options { max_size: Some(most), ..Options::default() });
    assert!(maintain(&db, end).removed > 0);
    db.configure(Options::default());
    let (from, to) = (NOW + 2 * DAY, NOW + 2 * DAY + 2 * HOUR);
    assert_eq!(query_raw(&db, &[], from, to), []);
    let check = |db: &Tsdb| {
        let select = Select { resolution: Some(Resolution::Hour), want: Want::Count, ..select(&[], NOW, end) };
        assert_eq!(read(db, &select)[0].1.iter().map(|s| s.1).sum::<f64>(), all.len() as f64);
        assert_eq!(query(db, &[], from, to)[0].1.len(), 24);
    };
    check(&db);
    append(&db, &[(labels("c", 1), vec![(from + HOUR + 1, 7.0), (NOW - DAY, 7.0)])]);
    db.flush().unwrap();
    assert_eq!(maintain(&db, end).rolled_up, 0);
    check(&db);
    drop(db);
    check(&open(dir.path()));
}

#[test]
fn a_step_that_fails_does_not_keep_what_is_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    append(&db, &[(labels("a", 1), vec![(NOW, 1.0)])]);
    db.flush().unwrap();
    let now = NOW + 100 * DAY;
    append(&db, &[(labels("a", 1), vec![(now, 1.0)])]);
    let shared = db.shared();
    // The next block cannot have its name.
    let path = dir.path().join(format!("blocks/{:016x}.block", shared.upkeep().next_id));
    std::fs::create_dir(&path).unwrap();
    let passed = Duration::from_millis((now - NOW) as u64);
    shared.maintain(&mut shared.upkeep(), at(now), passed, &|| false).unwrap_err();
    assert_eq!(db.stats().retired, 1);
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(maintain(&db, now).flushed, 1);
}

#[test]
fn a_clock_that_is_not_believed_yet_is_good_enough_for_rolling_up() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    append(&db, &[(labels("a", 1), (0..2_000).map(|m| (NOW + m * 60_000, 1.0)).collect())]);
    db.flush().unwrap();
    let shared = db.shared();
    let work = shared.maintain(&mut shared.upkeep(), at(NOW + 9 * DAY), Duration::ZERO, &|| false).unwrap();
    assert!(work.rolled_up > 0);
    // A saved clock from before all samples was wrong.
    shared.believe(at(0));
    shared.save_clock().unwrap();
    drop(db);
    let db = Tsdb::open(dir.path(), Options::default(), at(NOW + 9 * DAY)).unwrap();
    assert_eq!(db.shared().horizon(at(i64::MAX)), NOW + 1_999 * 60_000 - 90 * DAY);
}

#[test]
fn names_values_and_descriptions_come_from_memory_and_blocks() {
    const TOO_MANY: &str = "the query selects more than 1 series";
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    append(&db, &[(labels("a", 1), vec![(NOW, 1.0)]), (labels("b", 2), vec![(NOW, 1.0)])]);
    db.flush().unwrap();
    append(&db, &[(labels("c", 3), vec![(NOW + 1, 1.0)])]);
    db.set_metadata("a", "counter", "what a is", "bytes");
    let check = |db: &Tsdb| {
        let text = |all: Vec<Box<str>>| all.join(" ");
        let (from, to) = (NOW - 1, NOW + 1);
        let cancel = Cancel::default();
        let all = Of { matchers: &[], start: from, end: to, limit: 10, max_series: 10, cancel: &cancel };
        assert_eq!(text(db.label_names(&all).unwrap()), "__name__ n");
        assert_eq!(text(db.label_values("n", &all).unwrap()), "1 2 3");
        assert_eq!(text(db.label_values("n", &Of { limit: 2, ..all }).unwrap()), "1 2");
        let b = Of { matchers: &[Matcher::equal("__name__", "b")], ..all };
        assert_eq!(text(db.label_values("n", &b).unwrap()), "2");
        assert_eq!(text(db.label_names(&b).unwrap()), "__name__ n");
        assert_eq!(db.series(&b).unwrap(), [labels("b", 2).labels()]);
        let series = |limit, max_series| db.series(&Of { limit, max_series, ..all }).map(|all| all.len());
        assert_eq!((series(10, 3).unwrap(), series(2, 1).unwrap_err().to_string()), (3, TOO_MANY.to_owned()));
        assert_eq!((series(2, 2).unwrap(), series(1, 1).unwrap()), (2, 1));
        assert!(series(3, 2).is_err() && db.label_values("n", &Of { max_series: 2, ..all }).is_err());
        let some = [Matcher::new("n", MatchOp::Regex, ".+").unwrap()];
        assert!(db.label_values("n", &Of { matchers: &some, max_series: 2, ..all }).is_err());
        assert_eq!(text(db.label_values("n", &Of { matchers: &some, limit: 2, max_series: 2, ..all }).unwrap()), "1 2");
        let a = Metadata { kind: "counter".into(), help: "what a is".into(), unit: "bytes".into() };
        assert_eq!(db.metadata(None, 10), [("a".into(), a)]);
    };
    check(&db);
    let top = db.cardinality(1, &Cancel::default());
    assert_eq!((top.series, top.label_pairs, &*top.values_by_label[0].0), (3, 6, "__name__"));
    assert_eq!((top.min_time, top.max_time), (Some(NOW + 1), Some(NOW + 1)));
    drop(db);
    check(&open(dir.path()));
}

#[test]
fn what_nobody_waits_for_ends() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let cancel = Cancel::default();
    cancel.cancel();
    let matchers = [Matcher::equal("__name__", "a")];
    for flush in [false, true] {
        append(&db, &[(labels("a", 1), vec![(NOW, 1.0)])]);
        if flush {
            db.flush().unwrap();
        }
        let cancelled = db.select(&Select { cancel: Some(&cancel), ..select(&[], NOW, NOW) });
        assert!(matches!(cancelled.map(|s| s.len()), Err(SourceError::Cancelled)));
        let of = Of { matchers: &matchers, start: NOW, end: NOW, limit: 9, max_series: 9, cancel: &cancel };
        assert!(matches!(db.series(&of), Err(SourceError::Cancelled)));
        assert!(matches!(db.label_names(&of), Err(SourceError::Cancelled)));
        assert!(matches!(db.label_values("n", &Of { matchers: &[], ..of }), Err(SourceError::Cancelled)));
    }
}

#[test]
fn names_of_what_is_deleted_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    append(&db, &[(labels("a", 1), vec![(NOW, 1.0)]), (labels("b", 2), vec![(NOW, 1.0)])]);
    db.flush().unwrap();
    db.delete_series(&[Matcher::equal("__name__", "a")], NOW, NOW).unwrap();
    let cancel = Cancel::default();
    let of = Of { matchers: &[], start: NOW, end: NOW, limit: 9, max_series: 9, cancel: &cancel };
    assert_eq!(db.series(&of).unwrap(), [labels("b", 2).labels()]);
}

#[test]
fn more_series_than_asked_for_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    for flush in [false, true] {
        append(&db, &[(labels("a", 1), vec![(NOW, 1.0)]), (labels("b", 2), vec![(NOW, 1.0)])]);
        if flush {
            db.flush().unwrap();
        }
        let limited = |max_series| db.select(&Select { max_series, ..select(&[], NOW, NOW) }).map(|s| s.len());
        assert!(limited(1).is_err());
        assert_eq!(limited(2).unwrap(), 2);
    }
}

#[test]
fn readers_see_all_of_what_was_there_while_it_moves() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    const SERIES: usize = 300;
    let scrape = |i: i64| batch(&(0..SERIES).map(|n| (labels("a", n), vec![(NOW + i, i as f64)])).collect::<Vec<_>>());
    let written = std::sync::atomic::AtomicI64::new(-1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..400 {
                db.append(&scrape(i), Ack::Written, at(NOW)).unwrap();
                written.store(i, std::sync::atomic::Ordering::SeqCst);
            }
        });
        scope.spawn(|| {
            while written.load(std::sync::atomic::Ordering::SeqCst) < 399 {
                db.flush().unwrap();
            }
        });
        while written.load(std::sync::atomic::Ordering::SeqCst) < 399 {
            let before = written.load(std::sync::atomic::Ordering::SeqCst);
            let found = query_raw(&db, &[], i64::MIN, i64::MAX);
            if before < 0 {
                continue;
            }
            assert_eq!(found.len(), SERIES);
            let last = found[0].1.len();
            for (labels, samples) in &found {
                assert!(samples.len() as i64 > before, "{labels}: {} of {before}", samples.len());
                assert_eq!(samples.len(), last, "half an append was seen");
                assert!(samples.iter().enumerate().all(|(i, s)| *s == (NOW + i as i64, i as f64)), "{labels}");
            }
        }
    });
    assert_eq!(query_raw(&db, &[], i64::MIN, i64::MAX)[0].1.len(), 400);
}
