//! What watching many targets costs, measured on the real server from outside.
//!
//! ```text
//! cargo bench --bench scale -- --monitors 10000 --interval 10 --hang 10 --seconds 60
//! cargo bench --bench scale -- --kind tcp --hang 0
//! cargo bench --bench scale -- --kind ping --hang 0
//! cargo bench --bench scale -- --fail-at 30 --monitors 10000 --hang 0
//! cargo bench --bench scale -- --outages 50 --monitors 1000
//! cargo bench --bench scale -- --peer 1 --monitors 1000 --hang 0
//! ```
//!
//! Starts one local target that answers at once, except that `--hang` percent of the monitors meet one that accepts and
//! never answers; starts `watchdog serve` on that many monitors; warms up for two intervals; then
//! reads processor time, memory and `/metrics` over the measured time. The target notes when each
//! path was asked, so that punctuality is judged from outside too. Every monitor has a host of its own, an
//! address of 127.0.0.0/8: probes of one host would wait for each other.
//!
//! `--kind` is `http`, `tcp` or `ping`. `--fail-at N`: N seconds into the measured time the target closes its port, and the
//! API is asked every 50 ms how long it takes, and for as long a terminal shows `watchdog tui` and has keys pressed.
//! `--outages N`: one more monitor, asked every second, whose target is away N times, a second each, while all others go on. `--peer 1` then measures Debian's blackbox_exporter and Prometheus on the
//! same target, one after the other, in the same run.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "this program measures wall time and owns its threads")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

mod outage;
mod peer;
mod screen;
#[path = "../server/mod.rs"]
mod server;

use screen::Screen;
use server::{Server, get, metrics};

struct Options {
    kind: String,
    fail_at: u64,
    outages: u64,
    peer: bool,
    monitors: usize,
    interval: u64,
    hang: usize,
    seconds: u64,
}

impl Options {
    fn read() -> Self {
        let kind = "http".to_owned();
        let mut o =
            Self { kind, fail_at: 0, outages: 0, peer: false, monitors: 2_000, interval: 10, hang: 10, seconds: 60 };
        let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
        for pair in args.chunks(2) {
            let [flag, value] = pair else { panic!("every flag takes a value: {args:?}") };
            if flag == "--kind" {
                o.kind.clone_from(value);
                continue;
            }
            let n: u64 = value.parse().expect("a number");
            match flag.as_str() {
                "--monitors" => o.monitors = usize::try_from(n).unwrap(),
                "--interval" => o.interval = n,
                "--hang" => o.hang = usize::try_from(n).unwrap(),
                "--seconds" => o.seconds = n,
                "--fail-at" => o.fail_at = n,
                "--outages" => o.outages = n,
                "--peer" => o.peer = n > 0,
                other => panic!("unknown flag {other}; see the head of benches/scale/main.rs"),
            }
        }
        o
    }
}

type Asked = Arc<Mutex<HashMap<usize, Vec<Instant>>>>;

/// A target with one thread per connection: it must not be what is measured.
/// For TCP one thread takes connections and lets them go. `closed` ends it, and with it the port.
fn target(asked: Asked, kind: &str, closed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = kind != "http";
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if closed.load(Ordering::Relaxed) {
                return;
            }
            if plain {
                continue;
            }
            let asked = Arc::clone(&asked);
            thread::Builder::new().stack_size(64 << 10).spawn(move || answer(stream, &asked)).unwrap();
        }
    });
    port
}

/// The host of a monitor: its own address of loopback.
fn host(i: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x7f01_0000 + u32::try_from(i).unwrap() + 1)
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
            let host = host(i);
            let what = match o.kind.as_str() {
                "http" => format!("type: http, url: \"http://{host}:{port}/{kind}/{i}\""),
                "tcp" => format!("type: tcp, host: \"{host}:{port}\""),
                other => format!("type: {other}, host: \"{host}\""),
            };
            writeln!(text, "  - {{name: m{i:05}, {what}}}").unwrap();
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
    let closed = Arc::new(AtomicBool::new(false));
    let port = target(Arc::clone(&asked), &o.kind, Arc::clone(&closed));
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &o, port);
    let mut victim = (o.outages > 0).then(|| outage::Victim::new(dir.path()));
    let socket = dir.path().join("socket");
    let (server, ready) = Server::start(dir.path());
    thread::sleep(Duration::from_secs(2 * o.interval));
    asked.lock().unwrap().clear();
    let (before, cpu) = (metrics(&socket), server.cpu());
    let seconds = Instant::now();
    let found = victim.as_mut().map(|v| v.run(&socket, o.outages));
    let times = if o.fail_at > 0 { fail(&o, &socket, port, &closed) } else { Times::default() };
    thread::sleep(Duration::from_secs(o.seconds).saturating_sub(seconds.elapsed()));
    let seconds = seconds.elapsed().as_secs_f64();
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

    println!("{}  load {}", o.kind, fs::read_to_string("/proc/loadavg").unwrap().trim());
    println!("monitors {}  interval {} s  hanging {} %  measured {seconds:.0} s", o.monitors, o.interval, o.hang);
    println!("{:<44} {:.0} ms", "ready after", ready.as_secs_f64() * 1e3);
    println!("{:<44} {probes:.0} ({:.1}/s)", "probes", probes / seconds);
    println!("{:<44} {:.0} us", "processor time per probe", cpu / probes * 1e6);
    println!("{:<44} {:.2} %", "processor, one core", cpu / seconds * 100.0);
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
    if let Some(found) = found {
        println!("{:<44} {found}", "outages of a second seen");
    }
    if o.fail_at > 0 {
        let line = |times: &[Duration]| {
            let at = |q: f64| times[((times.len() as f64 * q) as usize).min(times.len() - 1)].as_secs_f64() * 1e3;
            format!("{:.0} / {:.0} / {:.0} ms of {}", at(0.5), at(0.99), at(1.0), times.len())
        };
        println!("{:<44} {}", "API while all fail, p50/p99/max", line(&times.api));
        println!("{:<44} {}", "key to screen while all fail, p50/p99/max", line(&times.screen));
        let down = get(&socket, "/metrics");
        let down = down.lines().find(|l| l.starts_with("watchdog_monitors{state=\"down\"}")).unwrap_or("none");
        println!("{:<44} {down}", "down at the end");
    }
    drop(server);
    // The target notes whom it was asked by under this lock.
    drop(asked);
    if o.peer {
        peer::run(dir.path(), o.monitors, o.interval, o.seconds, |i| format!("http://{}:{port}/ok/{i}", host(i)));
    }
}

/// How long answers took while everything failed, sorted.
#[derive(Default)]
struct Times {
    api: Vec<Duration>,
    screen: Vec<Duration>,
}

/// Lets everything fail at once, and uses the API and a terminal meanwhile.
fn fail(o: &Options, socket: &Path, port: u16, closed: &AtomicBool) -> Times {
    let begun = Instant::now();
    let mut times = Times::default();
    let mut screen = Screen::open(socket);
    while begun.elapsed() < Duration::from_secs(o.seconds) {
        if begun.elapsed() > Duration::from_secs(o.fail_at) {
            if !closed.swap(true, Ordering::Relaxed) {
                // The thread that takes connections looks at the flag with the next one.
                let _ = TcpStream::connect(("127.0.0.1", port));
            }
            let asked = Instant::now();
            let reply = get(socket, "/api/v1/monitors/m00001");
            assert!(reply.starts_with("HTTP/1.1 200") || reply.starts_with("HTTP/1.0 200"), "{reply}");
            times.api.push(asked.elapsed());
            times.screen.push(screen.press(if times.screen.len() % 2 == 0 { "j" } else { "k" }));
        }
        thread::sleep(Duration::from_millis(50));
    }
    times.api.sort();
    times.screen.sort();
    times
}
