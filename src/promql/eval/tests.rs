//! What query scripts cannot show: limits, threads, roll-ups, names that go away at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::labels::Labels;
use crate::base::sample::Column;
use crate::promql::eval::eval;
use crate::promql::parser::{Features, MAX_DEPTH, parse_query};
use crate::promql::source::{Reader, Resolution, Select, SeriesSet, Source, SourceError, Want};
use crate::promql::value::{Answer, Cancel, EvalError, Limits, Query, Times, Value};

/// Samples of one series.
type Samples = (Labels, Vec<(i64, f64)>);

/// Series in memory, in raw form or as if they were rolled up.
struct Memory {
    series: Vec<Samples>,
    resolution: Resolution,
    /// What was asked for: wants, first and last times.
    asked: Mutex<Vec<(Want, i64, i64)>>,
    /// Reads that work before one fails.
    good_reads: AtomicUsize,
}

struct Set<'m> {
    memory: &'m Memory,
    found: Vec<(Labels, Column)>,
}

impl Memory {
    fn new(mut series: Vec<Samples>) -> Self {
        series.sort_by(|a, b| a.0.cmp(&b.0));
        let (asked, good_reads) = (Mutex::default(), AtomicUsize::new(usize::MAX));
        Self { series, resolution: Resolution::Raw, asked, good_reads }
    }
}

impl Source for Memory {
    fn select<'a>(&'a self, select: &Select<'_>) -> Result<Box<dyn SeriesSet + 'a>, SourceError> {
        self.asked.lock().unwrap().push((select.want, select.start, select.end));
        let mut found = Vec::new();
        for (labels, samples) in &self.series {
            if select.matchers.iter().all(|m| m.matches(labels.get(m.name()).unwrap_or_default())) {
                let mut column = Column::default();
                let within = samples.iter().filter(|(t, _)| (select.start..=select.end).contains(t));
                within.for_each(|(t, v)| column.push(*t, *v));
                // A count of a roll-up: each stands for four samples.
                column.v.iter_mut().filter(|_| select.want == Want::Count).for_each(|v| *v = 4.0);
                found.push((labels.clone(), column));
            }
        }
        if found.len() > select.max_series {
            return Err(SourceError::TooManySeries { limit: select.max_series });
        }
        Ok(Box::new(Set { memory: self, found }))
    }
}

impl SeriesSet for Set<'_> {
    fn len(&self) -> usize {
        self.found.len()
    }

    fn labels(&self, series: usize) -> Labels {
        self.found[series].0.clone()
    }

    fn resolution(&self) -> Resolution {
        self.memory.resolution
    }

    fn reader<'a>(&'a self) -> Box<dyn Reader + 'a> {
        Box::new(self)
    }
}

impl Reader for &Set<'_> {
    fn read(&mut self, series: usize, out: &mut Column) -> Result<(), SourceError> {
        let left = self.memory.good_reads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        out.clone_from(&self.found[series].1);
        left.map(|_| ()).map_err(|_| SourceError::Store("the disk is gone".into()))
    }
}

/// Series `m{n="0"}`, `m{n="1"}` … with a sample every 10 s for 10 minutes.
fn many(n: usize) -> Memory {
    let samples = |i: usize| (0..60).map(|k| (k * 10_000, 0.1 + ((i as i64 * 31 + k * 17) % 97) as f64)).collect();
    let labels = |i: usize| Labels::new([("__name__", "m"), ("n", &*i.to_string()), ("g", ["a", "b", "c"][i % 3])]);
    Memory::new((0..n).map(|i| (labels(i), samples(i))).collect())
}

fn limits() -> Limits {
    Limits { max_samples: 1_000_000, max_series: 10_000, threads: 1, cancel: Cancel::default() }
}

fn ask(source: &Memory, text: &str, at: Times, limits: &Limits) -> Result<Answer, EvalError> {
    let expr = parse_query(text, Features::all()).unwrap();
    let query = Query {
        expr: &expr,
        text,
        at,
        lookback: 300_000,
        default_step: 60_000,
        resolution: None,
        delayed_name_removal: false,
    };
    eval(&query, source, limits)
}

const TEN_MINUTES: Times = Times::Range { start: 0, end: 600_000, step: 15_000 };

fn vector(answer: &Answer) -> Vec<(String, f64)> {
    match &answer.value {
        Value::Vector(samples) => samples.iter().map(|s| (s.labels.to_string(), s.v)).collect(),
        other => panic!("{other:?} is not a vector"),
    }
}

#[test]
fn answers_do_not_depend_on_the_number_of_threads() {
    let source = many(333);
    for text in [
        "sum by (g) (rate(m[1m]))",
        "avg(m)",
        "stddev by (g) (m * 1.1)",
        "topk(3, rate(m[2m]))",
        "quantile by (g) (0.3, m)",
        "count_values(\"v\", m)",
        "limitk(2, m)",
        "rate(m[1m])",
        "m % 7 > 3",
        "max_over_time(m[2m:30s])",
    ] {
        let of = |threads| ask(&source, text, TEN_MINUTES, &Limits { threads, ..limits() }).unwrap();
        let one = of(1);
        for threads in [2, 3, 8] {
            let more = of(threads);
            assert_eq!(one.value, more.value, "{text} with {threads} threads");
            assert_eq!(one.notes, more.notes, "{text} with {threads} threads");
            assert_eq!(one.stats.samples, more.stats.samples, "{text} with {threads} threads");
        }
    }
}

#[test]
fn a_failed_read_ends_the_query_in_every_thread() {
    for text in ["sum(m)", "m"] {
        for good in [0, 1, 20, 200] {
            let source = many(300);
            source.good_reads.store(good, Ordering::SeqCst);
            let got = ask(&source, text, TEN_MINUTES, &Limits { threads: 4, ..limits() });
            assert!(matches!(got, Err(EvalError::Source(_))), "{text} after {good} reads");
        }
    }
}

#[test]
fn limits_end_a_query() {
    let source = many(300);
    for threads in [1, 2] {
        let few = |max_samples| Limits { max_samples, threads, ..limits() };
        let got = ask(&source, "m", TEN_MINUTES, &few(5_000));
        assert!(matches!(got, Err(EvalError::TooManySamples)), "{got:?}");
        // An aggregation holds its groups, not the series.
        let got = ask(&source, "sum by (g) (m)", TEN_MINUTES, &few(5_000)).unwrap();
        assert!(got.stats.peak_samples < 600, "{:?}", got.stats);
        assert_eq!(got.stats.series, 300);
    }
    let got = ask(&source, "m", TEN_MINUTES, &Limits { max_series: 299, ..limits() });
    assert!(matches!(got, Err(EvalError::Source(SourceError::TooManySeries { limit: 299 }))), "{got:?}");
    let long = Times::Range { start: 0, end: i64::MAX, step: 1 };
    for text in ["time()", "m", "vector(1)", "count_over_time(vector(1)[1y:1ms])"] {
        let got = ask(&source, text, long, &limits());
        assert!(matches!(got, Err(EvalError::TooManySamples)), "{text}: {got:?}");
    }
}

#[test]
fn what_a_query_would_allocate_is_refused_before() {
    let bucket = "label_replace(vector(1), \"le\", \"+Inf\", \"\", \"\")";
    let sums = format!("{}time(){}", "(time() + ".repeat(6), ")".repeat(6));
    for text in [
        // A series per step.
        "max_over_time(count_values(\"v\", vector(time()))[1d:1s])".to_owned(),
        format!("max_over_time(histogram_quantiles({bucket}, \"q\", time())[1d:1s])"),
        // Many long buffers at a time.
        format!("max_over_time(vector({sums})[10m:1ms])"),
        "max_over_time(avg(vector(time()))[10m:1ms])".to_owned(),
        "max_over_time(topk(3, vector(time()))[10m:1ms])".to_owned(),
        "max_over_time((m == 1e9)[10m:1ms])".to_owned(),
    ] {
        let got = ask(&many(20), &text, Times::Instant(600_000), &limits());
        assert!(matches!(got, Err(EvalError::TooManySamples)), "{text}: {got:?}");
    }
    // What is given back may be taken again.
    let sums = format!("{}time(){}", "(time() + ".repeat(6), ")".repeat(6));
    let text = format!("max_over_time(vector({sums})[1m:1ms])");
    assert_eq!(vector(&ask(&many(1), &text, Times::Instant(600_000), &limits()).unwrap())[0].1, 4200.0);
}

#[test]
fn series_without_samples_meet_nobody() {
    let got = ask(&many(5_000), "(m == 1e9) + on () (m == 1e9)", TEN_MINUTES, &limits()).unwrap();
    assert_eq!(got.value, Value::Matrix(Vec::new()));
}

#[test]
fn series_that_take_turns_are_one_side_of_an_operator() {
    // Series `t{n="0"}` to `t{n="39"}`, each with samples of three steps of its own.
    let labels = |i: i64| Labels::new([("__name__", "t"), ("n", &*format!("{i:02}"))]);
    let end = crate::base::sample::STALE_NAN;
    let samples = |i: i64| (0..4).map(|k| ((3 * i + k) * 5_000, if k < 3 { i as f64 } else { end })).collect();
    let source = Memory::new((0..40).map(|i| (labels(i), samples(i))).collect());
    let at = Times::Range { start: 0, end: 599_000, step: 5_000 };
    for text in ["t + on () t", "t + on () group_left (n) t", "t + on () group_right t", "t + on () fill (7) t"] {
        let Value::Matrix(series) = ask(&source, text, at, &limits()).unwrap().value else { panic!("no matrix") };
        let mut points: Vec<(i64, f64)> = series.into_iter().flat_map(|s| s.points).collect();
        points.sort_by_key(|(t, _)| *t);
        let wanted: Vec<(i64, f64)> = (0..120).map(|k| (k * 5_000, 2.0 * (k / 3) as f64)).collect();
        assert_eq!(points, wanted, "{text}");
    }
}

#[test]
fn a_cancelled_query_stops() {
    let cancelled = limits();
    cancelled.cancel.cancel();
    for text in ["m", "sum(m)", "m + m", "m[5m]"] {
        let at = Times::Instant(100_000);
        assert!(matches!(ask(&many(3), text, at, &cancelled), Err(EvalError::Cancelled)), "{text}");
    }
}

#[test]
fn statistics_count_what_steps_looked_at() {
    #[track_caller]
    fn check(text: &str, at: Times, samples: u64) {
        assert_eq!(ask(&many(2), text, at, &limits()).unwrap().stats.samples, samples, "{text}");
    }
    check("m", Times::Instant(50_000), 2);
    check("m", Times::Range { start: 0, end: 50_000, step: 10_000 }, 12);
    check("rate(m[20s])", Times::Instant(50_000), 4);
    check("rate(m[20s])", Times::Range { start: 50_000, end: 70_000, step: 10_000 }, 12);
    check("m[1m]", Times::Instant(50_000), 12);
    check("m @ 50", Times::Range { start: 0, end: 50_000, step: 10_000 }, 12);
    check("sum(rate(m[20s] @ 50))", Times::Range { start: 0, end: 50_000, step: 10_000 }, 24);
    check("predict_linear(m[20s] @ 50, 1)", Times::Range { start: 0, end: 50_000, step: 10_000 }, 24);
    check("vector(scalar(m{n=\"1\"} @ 50))", Times::Range { start: 0, end: 50_000, step: 10_000 }, 6);
    check("sum_over_time(m[20s:10s])", Times::Instant(50_000), 4);
    check("m[20s:10s]", Times::Instant(50_000), 4);
}

#[test]
fn what_nothing_is_chosen_from_gives_its_notes() {
    let at = Times::Instant(100_000);
    for text in ["topk(0, rate(m[1m]))", "limitk(0, rate(m[1m]))", "limit_ratio(0, rate(m[1m]))"] {
        let got = ask(&many(2), text, at, &limits()).unwrap();
        assert_eq!(got.notes.infos.len(), 1, "{text}: {:?}", got.notes);
    }
}

#[test]
fn names_go_away_at_once_unless_that_is_delayed() {
    let source = Memory::new(vec![
        (Labels::new([("__name__", "a_total"), ("x", "1")]), vec![(0, 1.0), (60_000, 2.0)]),
        (Labels::new([("__name__", "b_total"), ("x", "1")]), vec![(0, 3.0), (60_000, 5.0)]),
    ]);
    let at = Times::Instant(60_000);
    let names = "{__name__=~\".+\"}";
    let got = ask(&source, "sum by (__name__, x) (rate({x=\"1\", __name__=\"a_total\"}[2m]))", at, &limits());
    assert_eq!(vector(&got.unwrap()), [("{x=\"1\"}".to_owned(), 2.0 / 120.0)]);
    for text in
        [format!("rate({names}[2m])"), format!("sum(rate({names}[2m]))"), format!("abs({names})"), format!("-{names}")]
    {
        let error = ask(&source, &text, at, &limits()).unwrap_err().to_string();
        assert_eq!(error, "vector cannot contain metrics with the same labelset", "{text}");
    }
}

#[test]
fn series_of_different_names_may_follow_each_other() {
    let source = Memory::new(vec![
        (Labels::new([("__name__", "a")]), vec![(0, 1.0), (10_000, crate::base::sample::STALE_NAN)]),
        (Labels::new([("__name__", "b")]), vec![(20_000, 2.0)]),
    ]);
    let at = Times::Range { start: 0, end: 20_000, step: 10_000 };
    let got = ask(&source, "abs({__name__=~\"a|b\"})", at, &limits()).unwrap();
    let Value::Matrix(series) = got.value else { panic!("not a matrix") };
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].points, [(0, 1.0), (20_000, 2.0)]);
    // A range function does not allow that.
    let got = ask(&source, "sum_over_time({__name__=~\"a|b\"}[1m])", at, &limits());
    assert!(matches!(got, Err(EvalError::Execution(_))), "{got:?}");
}

/// One series with a sample every five minutes, as roll-ups have them.
fn rolled_up() -> Memory {
    let samples = (0..25).map(|k| (k * 300_000, k as f64)).collect();
    let mut source = Memory::new(vec![(Labels::new([("__name__", "m_total")]), samples)]);
    source.resolution = Resolution::FiveMinutes;
    source
}

#[test]
fn roll_ups_stand_in_for_samples() {
    #[track_caller]
    fn check(text: &str, value: f64, wants: &[Want]) {
        let source = rolled_up();
        let got = ask(&source, text, Times::Instant(3_600_000), &limits()).unwrap();
        assert_eq!(vector(&got).first().map(|(_, v)| *v), Some(value), "{text}");
        let mut asked: Vec<Want> = source.asked.lock().unwrap().iter().map(|(w, ..)| *w).collect();
        asked.dedup();
        assert_eq!(asked, wants, "{text}");
        assert_eq!(got.notes.infos, ["answered from 5m roll-ups"], "{text}");
        assert_eq!(got.stats.resolution, Some(Resolution::FiveMinutes));
    }
    check("m_total", 12.0, &[Want::Last]);
    check("max_over_time(m_total[20m])", 12.0, &[Want::Max]);
    check("min_over_time(m_total[20m])", 9.0, &[Want::Min]);
    check("sum_over_time(m_total[20m])", 42.0, &[Want::Sum]);
    check("count_over_time(m_total[20m])", 16.0, &[Want::Count]);
    check("avg_over_time(m_total[20m])", 42.0 / 16.0, &[Want::Sum, Want::Count]);
    check("increase(m_total[20m])", 4.0, &[Want::Increase]);
    // A range shorter than the roll-up is read over a longer one, and the result cut to its share.
    check("max_over_time(m_total[1m])", 12.0, &[Want::Max]);
    check("sum_over_time(m_total[1m])", 12.0 * 0.2, &[Want::Sum]);
    check("rate(m_total[1m])", 1.0 / 300.0, &[Want::Increase]);
    check("increase(m_total[1m])", 0.2, &[Want::Increase]);
}

#[test]
fn look_back_reaches_two_roll_ups() {
    let source = rolled_up();
    let got = ask(&source, "m_total", Times::Instant(7_200_000 + 599_999), &limits()).unwrap();
    assert_eq!(vector(&got)[0].1, 24.0);
    let asked = source.asked.lock().unwrap();
    assert_eq!(asked.last(), Some(&(Want::Last, 7_200_000, 7_799_999)));
}

#[test]
fn the_deepest_tree_that_is_read_can_be_evaluated() {
    let source = many(1);
    let at = Times::Instant(100_000);
    for (open, close) in [
        ("abs(", ")"),
        ("-(", ")"),
        ("sum(", ")"),
        ("(1 + ", ")"),
        ("m + (", ")"),
        ("m or (", ")"),
        ("max_over_time((", ")[1m:10s])"),
        ("topk(1, ", ")"),
        ("", " + m"),
        ("", " or m"),
    ] {
        let nested = |n: usize| format!("{}m{}", open.repeat(n), close.repeat(n));
        let read = |n: &usize| parse_query(&nested(*n), Features::all()).is_ok();
        let deepest = (1..=usize::from(MAX_DEPTH)).rev().find(read).unwrap();
        assert!(deepest >= usize::from(MAX_DEPTH) / 3, "{open}…{close}: {deepest}");
        let mut text = nested(deepest);
        if open.contains("over_time") {
            // Each level looks back further.
            text = text.replace("[1m:10s]", "[1s:1s]");
        }
        assert_eq!(vector(&ask(&source, &text, at, &limits()).unwrap()).len(), 1, "{open}…{close}");
    }
}

/// Series that come, go, fall and are marked stale, at times of their own.
fn odd() -> Memory {
    let mut random = 7_u64;
    let mut next = move |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    let mut series = Vec::new();
    for (name, kinds) in [("m_total", 4), ("n", 4), ("b_bucket", 3)] {
        for (i, host) in (0..3 * kinds).map(|i| (i, ["x", "y", "z"][i / kinds])) {
            let le = ["1", "2", "+Inf"][i % 3];
            let kind = format!("k{}", i % kinds);
            let mut labels = vec![("__name__", name), ("host", host)];
            labels.push(if name == "b_bucket" { ("le", le) } else { ("kind", &kind) });
            let (mut t, mut v, mut samples) = (next(60_000) as i64, 0.0, Vec::new());
            while t < 1_200_000 {
                v = match next(12) {
                    0 => 0.0,
                    1 => crate::base::sample::STALE_NAN,
                    2 if name == "n" => f64::NAN,
                    n => f64::max(v, 0.0) + n as f64,
                };
                samples.push((t, v));
                let most = if next(9) == 0 { 400_000 } else { 20_000 };
                t += 5_000 + next(most) as i64;
            }
            series.push((Labels::new(labels), samples));
        }
    }
    series.sort_by(|a: &Samples, b| a.0.cmp(&b.0));
    series.dedup_by(|a, b| a.0 == b.0);
    Memory::new(series)
}

/// What a query answers at every step, written so that equal answers are equal texts.
fn by_step(source: &Memory, text: &str, times: &[i64]) -> Vec<Vec<String>> {
    let write = |labels: &Labels, v: f64| format!("{labels} {v:?}");
    let instant = |t: &i64| match ask(source, text, Times::Instant(*t), &limits()).map(|a| a.value) {
        Ok(Value::Vector(samples)) => {
            let mut all: Vec<String> = samples.iter().map(|s| write(&s.labels, s.v)).collect();
            all.sort();
            all
        }
        Ok(Value::Scalar(_, v)) => vec![write(&Labels::default(), v)],
        other => panic!("{text}: {other:?}"),
    };
    times.iter().map(instant).collect()
}

#[test]
fn a_range_answers_at_each_step_what_an_instant_does() {
    let source = odd();
    let times: Vec<i64> = (0..50).map(|k| 13_000 + k * 24_000).collect();
    let at = Times::Range { start: times[0], end: times[49], step: 24_000 };
    for text in [
        "n",
        "n offset 1m",
        "n @ 600",
        "timestamp(n)",
        "rate(m_total[2m])",
        "increase(m_total[90s] offset 30s)",
        "irate(m_total[2m])",
        "delta(n[3m])",
        "resets(m_total[3m]) + changes(m_total[3m])",
        "rate(m_total[2m] anchored)",
        "increase(m_total[2m] smoothed)",
        "n smoothed",
        "avg_over_time(n[2m])",
        "stddev_over_time(m_total[4m])",
        "quantile_over_time(0.3, m_total[4m])",
        "quantile_over_time(scalar(n{host=\"x\",kind=\"k0\"}) / 20, m_total[4m])",
        "mad_over_time(n[3m])",
        "min_over_time(n[2m]) + max_over_time(n[2m]) + last_over_time(n[2m])",
        "ts_of_max_over_time(n[2m]) - ts_of_first_over_time(n[2m])",
        "deriv(m_total[3m])",
        "predict_linear(m_total[3m], 60)",
        "predict_linear(m_total[3m] @ 600, 60)",
        "double_exponential_smoothing(m_total[5m], 0.3, 0.3)",
        "absent(n{host=\"x\",kind=\"k0\"})",
        "absent_over_time(n{host=\"x\",kind=\"k0\"}[20s])",
        "present_over_time(n[30s])",
        "sum by (host) (rate(m_total[2m]))",
        "avg without (kind) (n)",
        "stddev(n) + stdvar(n)",
        "min by (kind) (n) - max by (kind) (n)",
        "count(n) + count(group by (host) (n))",
        "topk(3, m_total)",
        "bottomk by (host) (1, n)",
        "topk(scalar(count(n)) % 4, m_total)",
        "limitk(2, n)",
        "limit_ratio(0.5, n)",
        "count_values by (host) (\"v\", m_total)",
        "quantile by (host) (0.7, m_total)",
        "m_total / on (host, kind) n",
        "m_total > bool ignoring (kind) group_left sum by (host) (n)",
        "m_total % ignoring (host) group_left () sum by (kind) (n)",
        "n == n or m_total",
        "n and on (host, kind) m_total > 10",
        "m_total unless on (host, kind) n",
        "m_total + on (host, kind) fill_left (1) fill_right (2) n",
        "-n ^ 2",
        "2 < m_total",
        "clamp(n, scalar(m_total{host=\"x\",kind=\"k1\"}), 20)",
        "round(n / 7, 0.1)",
        "label_replace(n, \"copy\", \"$1\", \"kind\", \"k(.)\") * 0 + 1 or vector(1)",
        "histogram_quantile(0.6, rate(b_bucket[3m]))",
        "histogram_fraction(0, 1.5, b_bucket)",
        "histogram_quantiles(b_bucket, \"q\", 0.1, 0.9)",
        "max_over_time(rate(m_total[1m])[3m:20s])",
        "sum_over_time(n[3m:30s] offset 1m)",
        "avg_over_time(sum by (host) (n)[2m:])",
        "max_over_time(n[2m:30s] @ 600)",
        "scalar(n{host=\"x\",kind=\"k0\"}) + time()",
        "minute() + hour(n)",
        "vector(time()) + on () group_right n",
    ] {
        let Ok(Answer { value: Value::Matrix(series), .. }) = ask(&source, text, at, &limits()) else {
            panic!("{text}: {:?}", ask(&source, text, at, &limits()).map(|a| a.value));
        };
        let mut steps: Vec<Vec<String>> = vec![Vec::new(); times.len()];
        for s in &series {
            for (t, v) in &s.points {
                let step = times.iter().position(|time| time == t).expect("a step of the query");
                steps[step].push(format!("{} {v:?}", s.labels));
            }
        }
        steps.iter_mut().for_each(|s| s.sort());
        for ((t, range), instant) in times.iter().zip(steps).zip(by_step(&source, text, &times)) {
            assert_eq!(range, instant, "{text} at {t} ms");
        }
    }
}

#[test]
fn long_rows_are_computed_in_parts() {
    // A window holds 40,000 samples, so that a part is 100 steps.
    let samples = (0..50_000).map(|k| (k * 1_000, (k % 89) as f64)).collect();
    let source = Memory::new(vec![(Labels::new([("__name__", "m")]), samples)]);
    let at = Times::Range { start: 45_000_000, end: 49_999_000, step: 20_000 };
    let of = |text: &str| match ask(&source, text, at, &limits()).unwrap().value {
        Value::Matrix(series) => series.into_iter().next().unwrap().points,
        other => panic!("{other:?}"),
    };
    for text in [
        "sum_over_time(m[40000s])",
        "predict_linear(m[40000s], time() % 7)",
        "quantile_over_time(time() % 2, m[40000s])",
    ] {
        let points = of(text);
        assert_eq!(points.len(), 250);
        for k in [0, 1, 99, 100, 101, 199, 200, 249] {
            let (t, v) = points[k];
            let one = ask(&source, text, Times::Instant(t), &limits()).unwrap();
            assert_eq!(vector(&one)[0].1, v, "{text} at {t}");
        }
    }
}

#[test]
fn times_at_the_ends_of_all_time_do_no_harm() {
    let source = Memory::new(vec![(
        Labels::new([("__name__", "m")]),
        vec![(i64::MIN, 1.0), (i64::MIN + 1, 2.0), (-1, 3.0), (0, 4.0), (i64::MAX - 1, 5.0), (i64::MAX, 6.0)],
    )]);
    let (min, max) = (i64::MIN, i64::MAX);
    for text in [
        "m",
        "m offset 200y",
        "m offset -200y",
        "rate(m[200y])",
        "increase(m[200y] anchored)",
        "delta(m[1m] smoothed)",
        "m smoothed",
        "sum_over_time(m[200y])",
        "sum_over_time(m[1m:1s])",
        "sum_over_time(m[1m:1s] offset 200y)",
        "predict_linear(m[200y], 1)",
        "m[200y]",
        "m[1h] anchored",
        "timestamp(m)",
        "year(vector(time()))",
        "info(m)",
        "max_over_time(m[5m] @ -9223372036854)",
    ] {
        for t in [min, min + 1, -1, 0, 1, max - 1, max] {
            let _ = ask(&source, text, Times::Instant(t), &limits());
        }
        for (start, end, step) in
            [(min, min + 9, 3), (max - 9, max, 3), (min, max, max / 2), (max, min, 1), (0, 9, max)]
        {
            let _ = ask(&source, text, Times::Range { start, end, step }, &limits());
        }
    }
}
