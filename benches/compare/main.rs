//! Random queries, asked of two servers over the same data: a Prometheus, which is right, and another.
//!
//! ```text
//! prometheus --web.enable-remote-write-receiver --web.listen-address=127.0.0.1:9102 \
//!     --enable-feature=promql-experimental-functions --storage.tsdb.path=/tmp/p --config.file=/dev/null &
//! watchdog serve --listen 127.0.0.1:9101 --data-dir /tmp/w &   # with `query: {experimental: true}`
//! cargo bench --bench compare -- --prometheus http://127.0.0.1:9102 --watchdog http://127.0.0.1:9101 \
//!     --seed 1 --queries 10000
//! ```
//!
//! Both start empty and get the same two hours by remote write: hosts as node_exporter shows them, and
//! series that are awkward (gaps, resets, NaN, infinities, staleness, falling buckets). `--load 0` with
//! `--base T`, which the run that wrote them prints, asks again without writing. Without `--watchdog`
//! every query must be one that Prometheus understands. `--query TEXT` asks that one and prints both answers.
//!
//! Answers are compared series by series, values to nine digits, errors with errors. For a query that
//! differs, its smallest part that still does is printed. Exits with 1 when anything differed.

#![expect(clippy::print_stdout, reason = "a comparison prints what differs")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a comparison that cannot start has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "the data lie two hours back from now")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::SystemTime;

mod answer;
mod data;
mod generate;
#[path = "../http/mod.rs"]
mod http;

use answer::{Answer, Difference};
use generate::{Ask, Generator};
use http::{Client, Url, escape};

/// Different parts of queries that are printed; the rest is counted.
const SHOWN: usize = 40;

struct Options {
    prometheus: String,
    watchdog: Option<String>,
    seed: u64,
    queries: usize,
    depth: u32,
    load: bool,
    /// The time of the first samples, in milliseconds.
    base: i64,
    query: Option<String>,
}

impl Options {
    fn read() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
        let mut o = Self {
            prometheus: String::new(),
            watchdog: None,
            seed: 1,
            queries: 1_000,
            depth: 3,
            load: true,
            base: (now - data::LENGTH / 1_000 - 600) / 60 * 60_000,
            query: None,
        };
        let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
        for pair in args.chunks(2) {
            let [flag, value] = pair else { panic!("every flag takes a value: {args:?}") };
            let number = || value.parse::<i64>().unwrap_or_else(|_| panic!("{flag} takes a number, not {value}"));
            match flag.as_str() {
                "--prometheus" => o.prometheus.clone_from(value),
                "--watchdog" => o.watchdog = Some(value.clone()),
                "--seed" => o.seed = number().cast_unsigned(),
                "--queries" => o.queries = usize::try_from(number()).unwrap(),
                "--depth" => o.depth = u32::try_from(number()).unwrap(),
                "--load" => o.load = number() != 0,
                "--base" => o.base = number(),
                "--query" => o.query = Some(value.clone()),
                _ => panic!("unknown flag {flag}: the head of benches/compare/main.rs lists them"),
            }
        }
        assert!(!o.prometheus.is_empty(), "name a Prometheus: --prometheus URL");
        o
    }
}

/// A server, with a connection that is made anew when it was closed.
struct Server {
    url: Url,
    client: Client,
}

impl Server {
    fn connect(url: &str) -> Self {
        let url = Url::new(url);
        let client = Client::connect(&url.host).unwrap_or_else(|e| panic!("{}: {e}", url.host));
        Self { url, client }
    }

    fn send(&mut self, head: &str, payload: &[u8]) -> (u16, Vec<u8>) {
        let mut body = Vec::new();
        let status = self.client.send(head, payload, &mut body).or_else(|_| {
            self.client = Client::connect(&self.url.host)?;
            self.client.send(head, payload, &mut body)
        });
        (status.unwrap_or_else(|e| panic!("{}: {e}", self.url.host)), body)
    }

    fn write(&mut self, requests: &[Vec<u8>]) {
        let head = format!("POST {}/api/v1/write", self.url.path);
        for request in requests {
            let (status, body) = self.send(&head, request);
            assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(&body));
        }
    }

    fn ask(&mut self, query: &str, when: &When) -> Answer {
        let (path, query) = (&self.url.path, escape(query));
        let head = match when {
            When::At(t) => format!("GET {path}/api/v1/query?query={query}&time={}", seconds(*t)),
            When::Range { start, end, step } => {
                let (start, end, step) = (seconds(*start), seconds(*end), seconds(*step));
                format!("GET {path}/api/v1/query_range?query={query}&start={start}&end={end}&step={step}")
            }
        };
        Answer::read(&self.send(&head, &[]).1)
    }
}

/// Milliseconds as the API takes them.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000))
}

/// When a query is evaluated, in milliseconds.
#[derive(Clone, Debug)]
enum When {
    At(i64),
    Range { start: i64, end: i64, step: i64 },
}

impl When {
    /// Mostly within the data, on their grid and off it.
    fn random(rng: &mut fastrand::Rng, base: i64) -> Self {
        let off_grid = if rng.bool() { rng.i64(1..15_000) } else { 0 };
        let start = base + rng.i64(0..data::LENGTH / 15_000) * 15_000 + off_grid;
        if rng.u8(0..3) == 0 {
            return Self::At(start);
        }
        let step = rng.choice([15_000, 60_000, 60_000, 37_123, 300_000, 1_000]).unwrap();
        Self::Range { start, end: start + step * rng.i64(1..60), step }
    }
}

/// The smallest parts that differ, with how often and one case.
#[derive(Default)]
struct Report {
    found: BTreeMap<String, (usize, When, String, Difference)>,
    differing: usize,
    newer: usize,
}

impl Report {
    fn add(&mut self, ask: &Ask, when: When, whole: &str, difference: Difference) {
        if is_newer(&ask.shape, &difference) {
            self.newer += 1;
            return;
        }
        self.differing += 1;
        let shape = ask.shape.clone();
        let entry = self.found.entry(shape).or_insert_with(|| (0, when, String::new(), difference));
        entry.0 += 1;
        if entry.2.is_empty() {
            entry.2 = if ask.text == whole { ask.text.clone() } else { format!("{}\n    in {whole}", ask.text) };
        }
    }

    fn print(&self, asked: usize, errors: usize, empty: usize) {
        for (shape, (times, when, text, difference)) in self.found.iter().take(SHOWN) {
            println!("\n{shape}: {times} times\n    {text}\n    {when:?}\n    {difference}");
        }
        println!(
            "\n{asked} queries, {errors} of them errors and {empty} without a result; {} differ in {} ways, \
             {} as a newer Prometheus would",
            self.differing,
            self.found.len(),
            self.newer
        );
    }
}

/// Whether Prometheus itself answers so since 3.5: a comparison finds out about several matches before it filters,
/// `mad_over_time` passes NaN on, `histogram_fraction` knows where the lowest bucket begins, and series that get the same
/// labels become one when they never have a sample at the same time.
fn is_newer(shape: &str, difference: &Difference) -> bool {
    let text = difference.to_string();
    let compares = ["==", "!=", "<", ">"].iter().any(|op| shape.contains(op));
    compares && text.contains("no error is right, not: multiple matches for labels")
        || shape.starts_with("mad_over_time") && text.contains("is right, not NaN")
        || shape.starts_with("label_") && text.ends_with("right: vector cannot contain metrics with the same labelset")
        || shape == "histogram_fraction" && text.starts_with("NaN at")
}

/// Asks both; of a difference, finds the smallest part that has it too.
fn compare<'a>(ask: &'a Ask, when: &When, right: &mut Server, other: &mut Server) -> Option<(&'a Ask, Difference)> {
    let difference = right.ask(&ask.text, when).differs(&other.ask(&ask.text, when), ask.any_of_equals)?;
    let smaller = ask.parts.iter().find_map(|part| compare(part, when, right, other));
    Some(smaller.unwrap_or((ask, difference)))
}

fn main() -> ExitCode {
    let o = Options::read();
    let mut right = Server::connect(&o.prometheus);
    let mut other = o.watchdog.as_deref().map(Server::connect);
    if o.load {
        let requests = data::requests(o.base);
        right.write(&requests);
        other.iter_mut().for_each(|s| s.write(&requests));
        println!("wrote the data; ask again with --load 0 --base {}", o.base);
    }
    let mut rng = fastrand::Rng::with_seed(o.seed);
    if let Some(query) = &o.query {
        let when = When::random(&mut rng, o.base);
        println!("{when:?}\n{:#?}", right.ask(query, &when));
        other.iter_mut().for_each(|s| println!("{:#?}", s.ask(query, &when)));
        return ExitCode::SUCCESS;
    }
    let mut generator = Generator::new(o.base, |probe| right.ask(probe, &When::At(o.base)).error.is_none());
    let (mut report, mut errors, mut empty) = (Report::default(), 0, 0);
    for _ in 0..o.queries {
        let ask = generator.query(&mut rng, o.depth);
        let when = When::random(&mut rng, o.base);
        let answer = right.ask(&ask.text, &when);
        assert!(!answer.is_bad_query(), "Prometheus does not understand `{}`: {answer:?}", ask.text);
        errors += usize::from(answer.error.is_some());
        empty += usize::from(answer.error.is_none() && answer.series.is_empty());
        if let Some(other) = &mut other
            && let Some((part, difference)) = compare(&ask, &when, &mut right, other)
        {
            report.add(part, when, &ask.text, difference);
        }
    }
    report.print(o.queries, errors, empty);
    if report.differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
