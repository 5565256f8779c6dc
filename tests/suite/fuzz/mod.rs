//! Whatever reads bytes of strangers, fed with damaged versions of what it expects: nothing panics,
//! and what it says about its input is true. The same inputs every time; `FUZZ_ROUNDS` for more, and
//! `tests/fuzz` for a fuzzer that follows the code's branches.

use std::panic::{AssertUnwindSafe, catch_unwind};

use watchdog::tsdb::chunk::{Effort, encode};

mod targets;

const ROUNDS: u64 = 4_000;
/// Overrides [`ROUNDS`].
const ROUNDS_VARIABLE: &str = "FUZZ_ROUNDS";
/// Longest input.
const MAX: usize = 4_096;

/// Feeds `target` with damaged `seeds`; each must have been taken whole first.
fn fuzz(seeds: &[&[u8]], target: impl Fn(&[u8])) {
    let rounds: u64 = std::env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |n| n.parse().unwrap());
    seeds.iter().for_each(|seed| target(seed));
    for round in 0..rounds {
        let mut random = fastrand::Rng::with_seed(round);
        let input = damaged(seeds, &mut random);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            let what = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
            panic!("round {round}: {what}, of {}", input.escape_ascii());
        }
    }
}

/// One of the seeds after up to eight accidents.
fn damaged(seeds: &[&[u8]], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut data = random.choice(seeds).unwrap().to_vec();
    for _ in 0..random.usize(1..=8) {
        let at = random.usize(0..=data.len());
        let piece = at..(at + random.usize(0..=16)).min(data.len());
        match random.u8(0..8) {
            0 if at < data.len() => data[at] ^= 1 << random.u8(0..8),
            1 if at < data.len() => data[at] = *random.choice(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b'(']).unwrap(),
            2 => data.insert(at, random.u8(..)),
            3 => drop(data.drain(piece)),
            4 => data.truncate(at),
            5 => {
                // A number as large as ten bytes of a varint can say.
                data.splice(piece, [0xff; 9].into_iter().chain([1]));
            }
            6 => {
                let twice = data[piece].to_vec();
                data.splice(at..at, twice);
            }
            _ => {
                let other = random.choice(seeds).unwrap();
                let from = random.usize(0..=other.len());
                data.splice(at..at, other[from..].iter().copied());
            }
        }
    }
    data.truncate(MAX);
    data
}

#[test]
fn no_query_makes_the_parser_panic_and_what_it_prints_it_reads_again() {
    let seeds: [&str; 10] = [
        r#"sum by (job, "my label") (rate(http_requests_total{code=~"5..",path!="/x\"y"}[5m] offset -1h)) > bool 0.5"#,
        "quantile_over_time(0.95, latency[1h:30s] @ end()) / on (instance) group_left (a, b) up == 1",
        r#"label_replace({"é.name", a="\u00e9\x41\101"}, "dst", "$1", 'src', `(.*)`) or vector(-0x1F) ^ 2 ^ -1e-3"#,
        "topk without (x) (5, -foo) unless ignoring (a) bar atan2 baz % 1h30m",
        "# a comment\nabsent(x) and NaN != +Inf <= 1_000 # another",
        "histogram_quantile(0.9, sum by (le) (rate(b_bucket[10m:])))",
        "((((((((((1))))))))))",
        "x[5m] offset 3w2d @ 1609746000.123 smoothed",
        "count_values(\"v\", a) + on () group_right () b",
        "{__name__=~\".+\", a!~\"b|c\"} @ start()",
    ];
    fuzz(&seeds.map(str::as_bytes), targets::query);
}

#[test]
fn no_exposition_makes_its_parser_panic() {
    let seeds: [&[u8]; 4] = [
        b"# HELP a_total Things \\\\ and \\n lines.\n# TYPE a_total counter\na_total{x=\"a\\\"b\\n\",y=\"\"} 1.5e3 1700000000000\n",
        b"{\"my.name\", \"my label\"=\"v\"} NaN\nup 1\ntemp -Inf 12\n# just words\n\n",
        b"# TYPE h histogram\n# UNIT h seconds\nh_bucket{le=\"+Inf\"} 4 1.5 # {trace_id=\"x\"} 0.67 1.2\n# EOF\n",
        "metric{l=\"\u{e9}\u{5e97}\"} 0x1p-2\n".as_bytes(),
    ];
    fuzz(&seeds, targets::exposition);
}

#[test]
fn no_answer_of_a_target_makes_a_scrape_panic_or_store_nonsense() {
    let quantile = message(&[(0x09, &0.5_f64.to_le_bytes()), (0x11, &3.0_f64.to_le_bytes())]);
    let summary = message(&[(0x08, &[4]), (0x11, &5.0_f64.to_le_bytes()), (0x1a, &quantile)]);
    let label = message(&[(0x0a, b"x"), (0x12, b"y")]);
    let metric = message(&[(0x0a, &label), (0x22, &summary), (0x30, &[77])]);
    let family = message(&[(0x0a, b"s"), (0x12, b"help"), (0x18, &[2]), (0x22, &metric)]);
    let mut protobuf = vec![u8::try_from(family.len()).unwrap()];
    protobuf.extend_from_slice(&family);
    let seeds: [&[u8]; 4] = [
        &protobuf,
        b"# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"a\\\"b\",job=\"own\"} 1.5e3 1700\na 1\na 1\n",
        b"# TYPE h histogram\nh_bucket{le=\"1\"} 4 1.5 # {id=\"x\"} 0.67 1.2\nh_count 4\n# EOF\n",
        b"{\"my.name\",\"my label\"=\"v\",exported_job=\"\"} NaN\n",
    ];
    fuzz(&seeds, targets::scrape);
}

/// A message of both versions of remote write: field numbers and lengths, as protobuf writes them.
fn message(parts: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (tag, value) in parts {
        out.push(*tag);
        if tag & 7 == 2 {
            out.push(u8::try_from(value.len()).unwrap());
        }
        out.extend_from_slice(value);
    }
    out
}

#[test]
fn no_remote_write_request_makes_its_decoder_panic_or_invent_samples() {
    let label = |name: &[u8], value: &[u8]| message(&[(0x0a, name), (0x12, value)]);
    let sample = message(&[(0x09, &1.5_f64.to_le_bytes()), (0x10, &[0x88, 0x27])]);
    let series = message(&[(0x0a, &label(b"__name__", b"up")), (0x0a, &label(b"job", b"x")), (0x12, &sample)]);
    let metadata = message(&[(0x08, &[1]), (0x12, b"up"), (0x22, b"help"), (0x2a, b"s")]);
    let one = message(&[(0x0a, &series), (0x0a, &series), (0x1a, &metadata)]);
    let series = message(&[(0x0a, &[1, 2, 3, 4]), (0x12, &sample), (0x2a, &[0x08, 1])]);
    let two =
        message(&[(0x22, b""), (0x22, b"__name__"), (0x22, b"up"), (0x22, b"job"), (0x22, b"x"), (0x2a, &series)]);
    fuzz(&[&one, &two], targets::remote_write);
}

#[test]
fn no_compressed_body_makes_memory_run_out() {
    let mut snappy = snap::raw::Encoder::new();
    let seeds = [snappy.compress_vec(&[7; 100_000]).unwrap(), snappy.compress_vec(b"short").unwrap()];
    fuzz(&[&seeds[0], &seeds[1]], targets::snappy);
}

#[test]
fn no_chunk_makes_its_decoder_panic_or_invent_samples() {
    let times: Vec<i64> = (0..240).map(|i| 1_763_900_000_000 + i * 15_000 + i % 7).collect();
    let values: [fn(f64) -> f64; 6] = [
        |i| i * 17.0,
        |i| (i * 7.0 % 101.0) / 100.0,
        |i| (i + 0.1).sin() * 1e-7,
        |_| 1.0,
        |i| f64::from(i % 40.0 < 20.0),
        |i| if i % 9.0 == 0.0 { f64::NAN } else { -i },
    ];
    let mut seeds = Vec::new();
    for value in values {
        let column: Vec<f64> = (0..240).map(|i| value(f64::from(i))).collect();
        for effort in [Effort::Fast, Effort::Dense] {
            let mut chunk = Vec::new();
            encode(&times, &column, effort, &mut chunk);
            seeds.push(chunk);
        }
    }
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    fuzz(&seeds, targets::chunk);
}
