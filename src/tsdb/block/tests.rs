//! What a block promises: all comes back, damage is contained, selection is that of a plain filter.

use std::sync::Arc;

use crate::base::labels::Labels;
use crate::base::matcher::{MatchOp, Matcher};
use crate::base::sample::{Column, STALE_NAN};
use crate::promql::source::Want;
use crate::tsdb::block::{Block, BlockWriter, Cache, Damage, Meta};
use crate::tsdb::nodes;

type Series = (Labels, Vec<i64>, Vec<f64>);

fn meta(id: u64) -> Meta {
    Meta::raw(id, (id, id))
}

fn write(dir: &std::path::Path, all: &[Series]) -> Block {
    let mut writer = BlockWriter::create(dir, meta(7), &Cache::new(1 << 20)).unwrap();
    for (labels, t, v) in all {
        writer.series(labels).unwrap();
        writer.chunk(t, &[v]).unwrap();
    }
    writer.finish().unwrap().unwrap()
}

/// Some hosts, with times of their own, gaps, and labels of any language.
fn data(hosts: usize, samples: usize) -> Vec<Series> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut all = Vec::new();
    for host in 0..hosts {
        let offset = rng.i64(0..15_000);
        let times: Vec<i64> = (0..samples as i64).map(|i| 1_760_000_000_000 + offset + i * 15_000).collect();
        for series in nodes::host(host).into_iter().step_by(7) {
            let mut v = series.values(samples);
            let mut t = times.clone();
            if rng.u8(0..10) == 0 {
                let cut = rng.usize(0..samples);
                v[cut] = STALE_NAN;
                v.truncate(cut + 1);
                t.truncate(cut + 1);
            }
            all.push((series.labels, t, v));
        }
        let odd = Labels::new([("__name__", "ünïcode \u{1f600}"), ("host", &host.to_string()), ("a.b/c", "d\ne")]);
        all.push((odd, times, vec![host as f64; samples]));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn read(block: &Block, id: u32, from: i64, to: i64, damage: &mut Damage) -> Column {
    let mut out = Column::default();
    block.reader().read(id, from, to, Want::Last, &mut out, damage);
    out
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
}

#[test]
fn all_samples_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let all = data(5, 5_000);
    let block = write(dir.path(), &all);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let (again, mut damage) = (Block::open(block.path(), &Cache::new(0)).unwrap(), Damage::default());
    assert_eq!(again.meta(), &meta(7));
    assert_eq!(again.stats(), block.stats());
    assert_eq!(block.stats().samples, all.iter().map(|s| s.1.len() as u64).sum::<u64>());
    assert_eq!(block.stats().bytes, std::fs::metadata(block.path()).unwrap().len());
    for block in [&block, &again] {
        let mut reader = block.reader();
        let mut out = Column::default();
        for (id, (labels, t, v)) in all.iter().enumerate() {
            assert_eq!(block.labels(id as u32, &mut damage).as_ref(), Some(labels));
            out.clear();
            reader.read(id as u32, i64::MIN, i64::MAX, Want::Last, &mut out, &mut damage);
            assert_eq!(&out.t, t);
            assert!(out.v.iter().zip(v).all(|(a, b)| same(*a, *b)));
        }
        assert_eq!(block.verify(), Damage::default());
    }
    assert!(damage.is_none());
}

#[test]
fn a_part_of_the_time_is_that_part() {
    let dir = tempfile::tempdir().unwrap();
    let all = data(2, 5_000);
    let block = write(dir.path(), &all);
    let mut rng = fastrand::Rng::with_seed(2);
    let mut damage = Damage::default();
    for _ in 0..500 {
        let id = rng.usize(0..all.len());
        let (_, t, v) = &all[id];
        let from = block.stats().min_time + rng.i64(-100_000..80_000_000);
        let to = from + rng.i64(-1..40_000_000);
        let expected: Vec<_> = t.iter().zip(v).filter(|(t, _)| (from..=to).contains(*t)).collect();
        let got = read(&block, id as u32, from, to, &mut damage);
        assert_eq!(got.len(), expected.len());
        assert!(got.iter().zip(expected).all(|(a, b)| a.0 == *b.0 && same(a.1, *b.1)));
    }
    assert!(damage.is_none());
}

fn matchers() -> Vec<Vec<Matcher>> {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    let m = |name: &str, op, value: &str| Matcher::new(name, op, value).unwrap();
    vec![
        vec![],
        vec![m("__name__", Equal, "node_cpu_seconds_total")],
        vec![m("__name__", Equal, "nothing")],
        vec![m("nothing", Equal, "")],
        vec![m("nothing", Equal, "x")],
        vec![m("nothing", NotEqual, "x"), m("cpu", Regex, ".+")],
        vec![m("cpu", Equal, "")],
        vec![m("cpu", NotEqual, "")],
        vec![m("cpu", Regex, "0|1|")],
        vec![m("cpu", NotRegex, "0|1|")],
        vec![m("cpu", NotRegex, "0|1")],
        vec![m("mode", Regex, "i.*"), m("cpu", NotEqual, "0")],
        vec![m("__name__", Regex, "node_(cpu|network).*"), m("instance", Regex, "node-00[13].*")],
        vec![m("__name__", Regex, "node_.+"), m("device", NotRegex, "eth.*"), m("job", Equal, "node")],
        vec![m("job", Regex, ".*"), m("instance", NotEqual, "node-001.example.com:9100"), m("le", Regex, "0.*")],
        vec![m("__name__", Regex, "ünïcode .*"), m("a.b/c", Equal, "d\ne")],
        vec![m("instance", Regex, "zzz.*")],
        vec![m("__name__", Regex, "no.*"), m("device", Regex, "|sda")],
    ]
}

fn select(block: &Block, matchers: &[Matcher], damage: &mut Damage) -> Vec<u32> {
    let found = block.select(matchers, i64::MIN, i64::MAX, damage);
    assert!(found.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
    found.into_iter().map(|(_, id)| id).collect()
}

fn plain(all: &[Series], matchers: &[Matcher]) -> Vec<u32> {
    let fits = |l: &Labels| matchers.iter().all(|m| m.matches(l.get(m.name()).unwrap_or_default()));
    (0..).zip(all).filter(|(_, s)| fits(&s.0)).map(|(id, _)| id).collect()
}

#[test]
fn selection_is_a_plain_filter_over_labels() {
    let dir = tempfile::tempdir().unwrap();
    let all = data(6, 10);
    let block = write(dir.path(), &all);
    let mut damage = Damage::default();
    for matchers in matchers() {
        // Twice: from the file, then from the cache.
        for _ in 0..2 {
            assert_eq!(select(&block, &matchers, &mut damage), plain(&all, &matchers), "{matchers:?}");
        }
    }
    let names = block.label_names(&mut damage);
    assert!(names.iter().any(|n| **n == *"a.b/c") && names.is_sorted());
    for (name, values, series) in block.label_counts(&mut damage) {
        let listed = block.label_values(&name, &mut damage);
        assert_eq!(listed.len() as u64, values);
        assert_eq!(listed.iter().map(|(_, n)| n).sum::<u64>(), series);
        for (value, n) in listed {
            assert_eq!(all.iter().filter(|s| s.0.get(&name) == Some(&value)).count() as u64, n);
        }
    }
    assert!(damage.is_none());
}

#[test]
fn series_outside_of_the_time_are_not_selected() {
    let dir = tempfile::tempdir().unwrap();
    let series = |name: &str, from: i64| (Labels::new([("__name__", name)]), vec![from, from + 10], vec![1.0, 2.0]);
    let block = write(dir.path(), &[series("a", 0), series("b", 100), series("c", 200)]);
    let mut damage = Damage::default();
    let mut found = |from, to| block.select(&[], from, to, &mut damage).into_iter().map(|f| f.1).collect::<Vec<_>>();
    assert_eq!(found(0, 300), [0, 1, 2]);
    assert_eq!(found(5, 100), [0, 1]);
    assert!(found(11, 99).is_empty());
    assert_eq!(found(110, 110), [1]);
    assert!(found(211, 500).is_empty());
}

/// Checks a damaged block: what it gives is right, whatever is missing.
fn gives_nothing_wrong(bytes: Vec<u8>, all: &[Series]) -> Option<usize> {
    let block = Block::from_bytes(bytes, &Cache::new(1 << 20)).ok()?;
    let mut damage = Damage::default();
    let mut samples = 0;
    for matchers in matchers().iter().take(4).chain(&matchers()[12..13]) {
        let right = plain(all, matchers);
        let found = block.select(matchers, i64::MIN, i64::MAX, &mut damage);
        assert!(found.iter().all(|(labels, id)| right.contains(id) && all[*id as usize].0 == *labels));
        assert!(found.len() == right.len() || !damage.is_none(), "missing series are told");
    }
    let mut reader = block.reader();
    let mut out = Column::default();
    let mut told = damage.count;
    for (id, (_, t, v)) in all.iter().enumerate() {
        out.clear();
        reader.read(id as u32, i64::MIN, i64::MAX, Want::Last, &mut out, &mut damage);
        for (t_got, v_got) in out.iter() {
            let at = t.binary_search(&t_got).expect("no sample that was not written");
            assert!(same(v_got, v[at]), "no other value");
        }
        assert!(out.len() == t.len() || damage.count > told, "missing samples are told");
        told = damage.count;
        samples += out.len();
    }
    block.label_names(&mut damage);
    block.label_values("instance", &mut damage);
    Some(samples)
}

#[test]
fn a_flipped_bit_loses_little_and_gives_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let all = data(3, 200);
    let block = write(dir.path(), &all);
    let bytes = std::fs::read(block.path()).unwrap();
    let samples: usize = all.iter().map(|s| s.1.len()).sum();
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..120 {
        let bit = rng.usize(0..bytes.len() * 8);
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let left = gives_nothing_wrong(damaged, &all).expect("one bit does not lose a block");
        // At most a group of 64 series, or a page of 64 columns of times.
        assert!(samples - left <= 64 * 200, "bit {bit} of {}: {left} of {samples} left", bytes.len() * 8);
    }
}

#[test]
fn bytes_that_are_lost_or_replaced_give_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let all = data(2, 100);
    let block = write(dir.path(), &all);
    let bytes = std::fs::read(block.path()).unwrap();
    let mut rng = fastrand::Rng::with_seed(4);
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        match rng.u8(0..3) {
            0 => damaged.truncate(rng.usize(0..bytes.len())),
            1 => {
                let from = rng.usize(0..bytes.len());
                let to = bytes.len().min(from + rng.usize(1..5_000));
                damaged[from..to].iter_mut().for_each(|b| *b = rng.u8(..));
            }
            _ => {
                let (from, to) = (rng.usize(0..bytes.len()), rng.usize(0..bytes.len()));
                damaged.drain(from.min(to)..from.max(to));
            }
        }
        gives_nothing_wrong(damaged, &all);
    }
    for len in 0..64 {
        assert!(Block::from_bytes(bytes[..len].to_vec(), &Cache::new(0)).is_err());
    }
}

#[test]
fn what_is_out_of_order_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(0);
    let mut w = BlockWriter::create(dir.path(), meta(1), &cache).unwrap();
    assert!(w.chunk(&[1], &[&[1.0]]).is_err(), "no series yet");
    w.series(&Labels::new([("a", "2")])).unwrap();
    assert!(w.chunk(&[2, 2], &[&[1.0, 1.0]]).is_err());
    assert!(w.chunk(&[2], &[&[1.0, 2.0]]).is_err());
    assert!(w.chunk(&[2], &[]).is_err());
    w.chunk(&[2], &[&[1.0]]).unwrap();
    assert!(w.chunk(&[1], &[&[1.0]]).is_err());
    assert!(w.series(&Labels::new([("a", "1")])).is_err());
    drop(w);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "an unfinished block leaves nothing");
}

#[test]
fn no_samples_make_no_block() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = BlockWriter::create(dir.path(), meta(1), &Cache::new(0)).unwrap();
    w.series(&Labels::new([("a", "1")])).unwrap();
    assert!(w.finish().unwrap().is_none());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_cache_keeps_within_its_budget() {
    let dir = tempfile::tempdir().unwrap();
    let all = data(6, 10);
    let path = write(dir.path(), &all).path().to_owned();
    let cache = Cache::new(40_000);
    let block = Block::open(&path, &cache).unwrap();
    let mut damage = Damage::default();
    for matchers in matchers() {
        assert_eq!(select(&block, &matchers, &mut damage), plain(&all, &matchers));
        assert!(cache.bytes() <= 60_000, "{}", cache.bytes());
    }
    drop(block);
    assert_eq!(cache.bytes(), 0, "a closed block leaves nothing in the cache");
}

#[test]
fn blocks_are_read_by_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    let all = data(3, 50);
    let block = Arc::new(write(dir.path(), &all));
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                let mut damage = Damage::default();
                for (id, (_, t, _)) in all.iter().enumerate() {
                    assert_eq!(&read(&block, id as u32, i64::MIN, i64::MAX, &mut damage).t, t);
                }
                assert!(damage.is_none());
            });
        }
    });
}
