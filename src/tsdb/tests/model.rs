//! Any order of appending, flushing, merging, deleting and reopening does what a map does.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::tsdb::maintain::Work;

#[derive(Clone, Debug)]
enum Op {
    /// Series, time, value, how many samples, distance.
    Append(usize, i64, u32, usize, i64),
    Flush,
    /// A flush that is stopped before its blocks are written.
    Interrupt,
    /// Upkeep when so many hours have passed.
    Maintain(i64),
    Delete(Option<usize>, i64, i64),
    Clean,
    Reopen,
    Query(Option<usize>, i64, i64),
}

/// Three days, in which all happens.
const SPAN: i64 = 3 * 86_400_000;

fn op() -> impl Strategy<Value = Op> {
    let time = 0..SPAN / 15_000;
    let series = prop::option::of(0..4_usize);
    prop_oneof![
        8 => (0..4_usize, time.clone(), 0..50_u32, 1..700_usize, prop::sample::select(vec![1_i64, 15_000, 400_000]))
            .prop_map(|(s, t, v, n, d)| Op::Append(s, NOW + t * 15_000, v, n, d)),
        3 => Just(Op::Flush),
        2 => Just(Op::Interrupt),
        2 => (1..200_i64).prop_map(Op::Maintain),
        1 => (series.clone(), time.clone(), time.clone())
            .prop_map(|(s, a, b)| Op::Delete(s, NOW + a * 15_000, NOW + b * 15_000)),
        1 => Just(Op::Clean),
        2 => Just(Op::Reopen),
        2 => (series, time.clone(), time).prop_map(|(s, a, b)| Op::Query(s, NOW + a * 15_000, NOW + b * 15_000)),
    ]
}

fn matchers(series: Option<usize>) -> Vec<Matcher> {
    series.map(|s| Matcher::equal("n", s.to_string())).into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map(ops in prop::collection::vec(op(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut db = open(dir.path());
        let mut model: BTreeMap<(usize, i64), f64> = BTreeMap::new();
        let mut hours = 0;
        let find = |model: &BTreeMap<(usize, i64), f64>, series: Option<usize>, from: i64, to: i64| {
            let mut all: Vec<(Labels, Samples)> = Vec::new();
            for ((s, t), v) in model.iter().filter(|((s, t), _)| series.is_none_or(|x| x == *s) && (from..=to).contains(t)) {
                let labels = labels("m", *s).labels();
                match all.last_mut() {
                    Some((last, samples)) if *last == labels => samples.push((*t, *v)),
                    _ => all.push((labels, vec![(*t, *v)])),
                }
            }
            all
        };
        for op in ops {
            match op {
                Op::Append(s, from, v, n, step) => {
                    let samples: Samples = (0..n as i64).map(|i| (from + i * step, f64::from(v) + (i / 7) as f64)).collect();
                    append(&db, &[(labels("m", s), samples.clone())]);
                    for (t, v) in samples {
                        model.entry((s, t)).or_insert(v);
                    }
                }
                Op::Flush => {
                    db.flush().unwrap();
                }
                Op::Interrupt => {
                    let shared = db.shared();
                    shared.flush(&mut shared.upkeep(), &mut Work::default(), &|| true).unwrap();
                }
                Op::Maintain(h) => {
                    hours += h;
                    let passed = Duration::from_secs(hours as u64 * 3_600);
                    let now = Timestamp::from_millis(NOW).plus(passed);
                    let shared = db.shared();
                    shared.maintain(&mut shared.upkeep(), now, passed, &|| false).unwrap();
                }
                Op::Delete(s, a, b) => {
                    let (from, to) = (a.min(b), a.max(b));
                    db.delete_series(&matchers(s), from, to).unwrap();
                    model.retain(|(x, t), _| !(s.is_none_or(|s| s == *x) && (from..=to).contains(t)));
                }
                Op::Clean => {
                    db.clean_tombstones().unwrap();
                    prop_assert!(db.shared().tombstones().is_empty());
                }
                Op::Reopen => {
                    drop(db);
                    db = open(dir.path());
                }
                Op::Query(s, a, b) => {
                    let (from, to) = (a.min(b), a.max(b));
                    assert_same(&query_raw(&db, &matchers(s), from, to), &find(&model, s, from, to), "query");
                }
            }
            assert_same(&query_raw(&db, &[], i64::MIN, i64::MAX), &find(&model, None, i64::MIN, i64::MAX), "all");
        }
        drop(db);
        let db = open(dir.path());
        assert_same(&query_raw(&db, &[], i64::MIN, i64::MAX), &find(&model, None, i64::MIN, i64::MAX), "reopened");
        prop_assert!(!db.damage().is_loss());
    }
}
