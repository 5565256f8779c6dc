//! What watching many HTTP targets costs, measured on the real server from outside.
//!
//! ```text
//! cargo bench --bench scale -- --monitors 2000 --interval 10 --hang 10 --seconds 60
//! ```
//!
//! Starts one local target that answers at once, except that `--hang` percent of the paths accept and
//! never answer; starts `watchdog serve` on that many monitors; warms up for two intervals; then
//! reads processor time, memory and `/metrics` over the measured time. The target notes when each
//! path was asked, so that punctuality is judged from outside too.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "this program measures wall time and owns its threads")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

mod server;

use server::{Server, metrics};

struct Options {
    monitors: usize,
    interval: u64,
    hang: usize,
    seconds: u64,
}

impl Options {
    fn read() -> Self {
        let mut o = Self { monitors: 2_000, interval: 10, hang: 10, seconds: 60 };
        let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
        for pair in args.chunks(2) {
            let [flag, value] = pair else { panic!("every flag takes a value: {args:?}") };
            let n: u64 = value.parse().expect("a number");
            match flag.as_str() {
                "--monitors" => o.monitors = usize::try_from(n).unwrap(),
                "--interval" => o.interval = n,
                "--hang" => o.hang = usize::try_from(n).unwrap(),
                "--seconds" => o.seconds = n,
                other => panic!("unknown flag {other}; known: --monitors --interval --hang --seconds"),
            }
        }
        o
    }
}

type Asked = Arc<Mutex<HashMap<usize, Vec<Instant>>>>;

/// A target with one thread per connection: it must not be what is measured.
fn target(asked: Asked) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = Arc::clone(&asked);
            thread::Builder::new().stack_size(64 << 10).spawn(move || answer(stream, &asked)).unwrap();
        }
    });
    port
}

fn answer(mut stream: TcpStream, asked: &Asked) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or("");
    if let Some(i) = path.strip_prefix("/ok/").and_then(|i| i.parse().ok()) {
        asked.lock().unwrap().entry(i).or_default().push(Instant::now());
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
    } else {
        // A hanging target: hold the connection until the prober gives up.
        let _ = reader.read_to_end(&mut Vec::new());
    }
}

fn write_config(dir: &Path, o: &Options, port: u16) {
    fs::create_dir_all(dir.join("monitors.d")).unwrap();
    let every = (100 / o.hang.max(1)).max(1);
    for (file, chunk) in (0..o.monitors).collect::<Vec<_>>().chunks(100).enumerate() {
        let mut text = format!("defaults: {{interval: {}s, timeout: 5s}}\nmonitors:\n", o.interval);
        for &i in chunk {
            let kind = if o.hang > 0 && i % every == 0 { "hang" } else { "ok" };
            let url = format!("http://127.0.0.1:{port}/{kind}/{i}");
            writeln!(text, "  - {{name: m{i:05}, type: http, url: \"{url}\"}}").unwrap();
        }
        fs::write(dir.join(format!("monitors.d/{file:03}.yaml")), text).unwrap();
    }
}

/// The smallest bucket bound below which 99 % of the new observations lie.
fn lag_p99(before: &HashMap<String, f64>, after: &HashMap<String, f64>) -> String {
    let prefix = "watchdog_scheduler_lag_seconds_bucket{le=\"";
    let count = |m: &HashMap<String, f64>, k: &str| m.get(k).copied().unwrap_or(0.0);
    let total_key = "watchdog_scheduler_lag_seconds_count";
    let total = count(after, total_key) - count(before, total_key);
    let mut buckets: Vec<(f64, String)> = after
        .keys()
        .filter_map(|k| {
            let bound = k.strip_prefix(prefix)?.trim_end_matches("\"}");
            Some((bound.replace("+Inf", "inf").parse().ok()?, k.clone()))
        })
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let hit = buckets.iter().find(|(_, k)| count(after, k) - count(before, k) >= 0.99 * total);
    hit.map_or_else(|| "none".to_owned(), |(b, _)| format!("<= {b} s"))
}

fn main() {
    let o = Options::read();
    let asked: Asked = Arc::default();
    let port = target(Arc::clone(&asked));
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &o, port);
    let socket = dir.path().join("socket");
    let (server, ready) = Server::start(dir.path());
    thread::sleep(Duration::from_secs(2 * o.interval));
    asked.lock().unwrap().clear();
    let (before, cpu) = (metrics(&socket), server.cpu());
    thread::sleep(Duration::from_secs(o.seconds));
    let (after, cpu) = (metrics(&socket), server.cpu() - cpu);
    let sum = |m: &HashMap<String, f64>, name: &str| {
        m.iter().filter(|(k, _)| k.starts_with(name)).map(|(_, v)| v).sum::<f64>()
    };
    let probes = sum(&after, "watchdog_probes_total") - sum(&before, "watchdog_probes_total");
    let missed = sum(&after, "watchdog_scheduler_missed") - sum(&before, "watchdog_scheduler_missed");

    let asked = asked.lock().unwrap();
    let mut off: Vec<f64> = asked
        .values()
        .flat_map(|times| times.windows(2).map(|w| ((w[1] - w[0]).as_secs_f64() - o.interval as f64).abs()))
        .collect();
    off.sort_by(f64::total_cmp);
    let at =
        |q: f64| off.get(((off.len() as f64 * q) as usize).min(off.len().saturating_sub(1))).copied().unwrap_or(0.0);

    println!("monitors {}  interval {} s  hanging {} %  measured {} s", o.monitors, o.interval, o.hang, o.seconds);
    println!("{:<44} {:.0} ms", "ready after", ready.as_secs_f64() * 1e3);
    println!("{:<44} {probes:.0} ({:.1}/s)", "probes", probes / o.seconds as f64);
    println!("{:<44} {:.0} us", "processor time per probe", cpu / probes * 1e6);
    println!("{:<44} {:.2} %", "processor, one core", cpu / o.seconds as f64 * 100.0);
    println!("{:<44} {}", "scheduler lag p99 (/metrics)", lag_p99(&before, &after));
    println!("{:<44} {missed:.0}", "slots missed");
    println!(
        "{:<44} {:.0} ms / {:.0} ms",
        "distance from the interval at the target p99/max",
        at(0.99) * 1e3,
        at(1.0) * 1e3
    );
    println!("{:<44} {} of {}", "healthy paths asked", asked.len(), o.monitors - o.monitors * o.hang / 100);
    println!(
        "{:<44} {} MiB (peak {} MiB)",
        "resident memory",
        server.status_kib("VmRSS:") / 1024,
        server.status_kib("VmHWM:") / 1024
    );
}
