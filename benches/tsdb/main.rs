//! What storing and asking costs, for any server that takes Prometheus remote write and answers its
//! query API, measured from outside: the same stream and the same queries, side by side in one run.
//!
//! ```text
//! watchdog serve --listen 127.0.0.1:9101 --data-dir /tmp/w &
//! prometheus --web.enable-remote-write-receiver --web.listen-address=127.0.0.1:9102 \
//!     --storage.tsdb.path=/tmp/p --storage.tsdb.retention.time=10y --config.file=/dev/null &
//! victoria-metrics -httpListenAddr=127.0.0.1:9103 -storageDataPath=/tmp/v -retentionPeriod=10y \
//!     -search.latencyOffset=0s &
//! cargo bench --bench tsdb -- \
//!     --name watchdog   --url http://127.0.0.1:9101 --pid 1 --dir /tmp/w/metrics \
//!     --name prometheus --url http://127.0.0.1:9102 --pid 2 --dir /tmp/p \
//!     --name victoria   --url http://127.0.0.1:9103 --pid 3 --dir /tmp/v \
//!     --series 10000 --scrapes 480 --interval 15
//! ```
//!
//! `--write URL` and `--query URL` name the two addresses when they are not `--url` with
//! `/api/v1/write` and without. Every server must start empty. Other phases are other numbers:
//!
//! * a day: `--series 2000 --scrapes 5760 --minutes 10 --stop 1`
//! * a month, coarser: `--series 1000 --scrapes 8640 --interval 300 --step 3600 --window 1200`
//! * a year: `--series 100 --scrapes 35040 --interval 900 --step 21600 --window 3600`; Watchdog then needs
//!   `storage: {retention: 2y}`
//! * the same stream asked for again, later: `--ingest 0 --end END`, with the end that the first run printed
//! * growth: `--scrapes 40 --queries 0` with `--series 1000`, `10000`, `100000`, `1000000`
//!
//! Requests are made before they are sent, so that the sender costs next to nothing; it has one
//! connection and waits for each answer. Queries carry `nocache=1`, which servers without a cache of
//! answers ignore. Each answer is read to its end; the first ones are compared with the first server's.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "this program measures wall time")]

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

#[path = "../http/mod.rs"]
mod http;
mod process;
mod query;
mod stream;
mod write;

use http::{Client, Url};
use query::Answers;
use stream::Stream;
use write::{Request, Requests};

/// Bytes of requests that are made before they are sent.
const AHEAD: usize = 512 << 20;

/// A server under measurement.
#[derive(Default)]
struct Server {
    name: String,
    write: String,
    query: String,
    pid: u32,
    dir: PathBuf,
}

struct Options {
    servers: Vec<Server>,
    series: usize,
    scrapes: i64,
    interval: i64,
    batch: usize,
    seed: u64,
    /// Of the last scrape, in seconds.
    end: i64,
    step: i64,
    window: i64,
    repeat: usize,
    ingest: bool,
    queries: bool,
    settle: u64,
    minutes: u64,
    stop: bool,
}

impl Options {
    fn read() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let mut o = Self {
            servers: Vec::new(),
            series: 10_000,
            scrapes: 480,
            interval: 15,
            batch: 5_000,
            seed: 1,
            end: now as i64,
            step: 60,
            window: 300,
            repeat: 30,
            ingest: true,
            queries: true,
            settle: 15,
            minutes: 0,
            stop: false,
        };
        let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
        for pair in args.chunks(2) {
            let [flag, value] = pair else { panic!("every flag takes a value: {args:?}") };
            o.set(flag, value);
        }
        assert!(!o.servers.is_empty(), "name a server: --name NAME --url URL --pid PID --dir DIR");
        o
    }

    fn set(&mut self, flag: &str, value: &str) {
        let number = || -> i64 { value.parse().unwrap_or_else(|_| panic!("{flag} takes a number, not {value}")) };
        if flag == "--name" || self.servers.is_empty() && ["--url", "--write"].contains(&flag) {
            self.servers.push(Server { name: value.to_owned(), ..Server::default() });
        }
        match (flag, self.servers.last_mut()) {
            ("--name", _) => {}
            ("--url", Some(s)) => (s.write, s.query) = (format!("{value}/api/v1/write"), value.to_owned()),
            ("--write", Some(s)) => value.clone_into(&mut s.write),
            ("--query", Some(s)) => value.clone_into(&mut s.query),
            ("--pid", Some(s)) => s.pid = u32::try_from(number()).unwrap(),
            ("--dir", Some(s)) => s.dir = value.into(),
            ("--series", _) => self.series = usize::try_from(number()).unwrap(),
            ("--scrapes", _) => self.scrapes = number(),
            ("--interval", _) => self.interval = number(),
            ("--batch", _) => self.batch = usize::try_from(number()).unwrap(),
            ("--seed", _) => self.seed = number().cast_unsigned(),
            ("--end", _) => self.end = number(),
            ("--step", _) => self.step = number(),
            ("--window", _) => self.window = number(),
            ("--repeat", _) => self.repeat = usize::try_from(number()).unwrap(),
            ("--ingest", _) => self.ingest = number() != 0,
            ("--queries", _) => self.queries = number() != 0,
            ("--settle", _) => self.settle = number().cast_unsigned(),
            ("--minutes", _) => self.minutes = number().cast_unsigned(),
            ("--stop", _) => self.stop = number() != 0,
            _ => panic!("unknown flag {flag}: the head of benches/tsdb/main.rs lists them"),
        }
    }

    /// Of the first scrape, in seconds; on the grid of the queries' steps.
    fn start(&self) -> i64 {
        (self.end - self.scrapes * self.interval).div_euclid(self.step) * self.step
    }
}

/// What writing cost.
struct Written {
    samples: usize,
    bytes: usize,
    /// While sending, without the time to make requests.
    wall: Duration,
    longest: Duration,
    /// Answers that asked to come again.
    put_off: usize,
    cpu: f64,
    disk: u64,
}

fn ingest(o: &Options, server: &Server) -> Written {
    let mut stream = Stream::new(o.series, o.start() * 1_000, o.interval * 1_000, o.seed);
    let requests = Requests::new(&stream, o.batch);
    let url = Url::new(&server.write);
    let cpu = process::cpu(server.pid);
    let mut done =
        Written { samples: 0, bytes: 0, wall: Duration::ZERO, longest: Duration::ZERO, put_off: 0, cpu: 0.0, disk: 0 };
    let mut left = o.scrapes;
    while left > 0 {
        let (mut ready, mut bytes) = (Vec::new(), 0);
        while left > 0 && bytes < AHEAD {
            requests.scrape(&mut stream, |r| {
                bytes += r.body.len();
                ready.push(r);
            });
            left -= 1;
        }
        done.bytes += bytes;
        // Anew: making requests takes long enough for a server to close what is idle.
        let mut client = Client::connect(&url.host).unwrap_or_else(|e| panic!("{}: {e}", server.write));
        let begun = Instant::now();
        for request in &ready {
            send(&mut client, &url, request, &mut done);
        }
        done.wall += begun.elapsed();
    }
    done.cpu = process::cpu(server.pid) - cpu;
    done.disk = process::disk(&server.dir);
    done
}

fn send(client: &mut Client, url: &Url, request: &Request, done: &mut Written) {
    let head = format!("POST {}", url.path);
    let mut body = Vec::new();
    loop {
        let begun = Instant::now();
        let status = client.send(&head, &request.body, &mut body).expect("the server closed the connection");
        done.longest = done.longest.max(begun.elapsed());
        match status {
            200..=299 => break done.samples += request.samples,
            429 | 503 => {
                done.put_off += 1;
                thread::sleep(Duration::from_millis(100));
            }
            _ => panic!("the server answered {status}: {}", String::from_utf8_lossy(&body)),
        }
    }
}

fn row(label: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.map(|c| format!("{c:>18}")).collect();
    println!("{label:<52}{}", cells.concat());
}

fn main() {
    let o = Options::read();
    println!(
        "{} series x {} scrapes every {} s, {} samples a request; from {} to {}",
        o.series,
        o.scrapes,
        o.interval,
        o.batch,
        o.start(),
        o.start() + o.scrapes * o.interval
    );
    row("", o.servers.iter().map(|s| s.name.clone()));
    let begun = Instant::now();
    let mut written = Vec::new();
    let mut settled = Vec::new();
    for server in o.servers.iter().filter(|_| o.ingest) {
        let cpu = process::cpu(server.pid);
        written.push(ingest(&o, server));
        thread::sleep(Duration::from_secs(o.settle));
        settled.push((process::cpu(server.pid) - cpu, process::disk(&server.dir)));
    }
    let per_million = |cpu: f64, w: &Written| format!("{:.2}", cpu / w.samples as f64 * 1e6);
    let per_sample = |bytes: u64, w: &Written| format!("{:.2}", bytes as f64 / w.samples as f64);
    let all = || written.iter().zip(&settled);
    if o.ingest {
        row("samples/s accepted", written.iter().map(|w| format!("{:.0}", w.samples as f64 / w.wall.as_secs_f64())));
        row("longest answer, ms", written.iter().map(|w| format!("{:.0}", w.longest.as_secs_f64() * 1e3)));
        row("requests put off", written.iter().map(|w| w.put_off.to_string()));
        row("bytes per sample sent", written.iter().map(|w| per_sample(w.bytes as u64, w)));
        row("CPU s per 1M samples, while sending", written.iter().map(|w| per_million(w.cpu, w)));
        row(&format!("CPU s per 1M samples, {} s later", o.settle), all().map(|(w, s)| per_million(s.0, w)));
        row("bytes per sample on disk, at once", written.iter().map(|w| per_sample(w.disk, w)));
        row(&format!("bytes per sample on disk, {} s later", o.settle), all().map(|(w, s)| per_sample(s.1, w)));
    }
    let peaks = || row("peak RSS so far, MB", o.servers.iter().map(|s| format!("{:.0}", process::peak(s.pid) / 1e6)));
    peaks();
    if o.queries {
        let mut answers = Answers::new(&o);
        answers.compare();
        answers.measure(o.repeat);
        answers.print();
        peaks();
    }
    if o.minutes > 0 {
        thread::sleep(Duration::from_secs(o.minutes * 60).saturating_sub(begun.elapsed()));
        let disks: Vec<u64> = o.servers.iter().map(|s| process::disk(&s.dir)).collect();
        row(
            &format!("bytes per sample on disk, {} min after the start", o.minutes),
            disks.iter().zip(&written).map(|(d, w)| per_sample(*d, w)),
        );
    }
    if o.stop {
        o.servers.iter().for_each(|s| process::stop(s.pid));
        let disks: Vec<u64> = o.servers.iter().map(|s| process::disk(&s.dir)).collect();
        row("bytes per sample on disk, stopped", disks.iter().zip(&written).map(|(d, w)| per_sample(*d, w)));
    }
}
