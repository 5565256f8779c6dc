//! What a scraped sample costs, from the bytes of an answer to the store: an exposition like node_exporter's, scraped
//! again and again.
//!
//! `cargo bench --bench scrape -- [--series N] [--scrapes N] [FILE]`
//!
//! Prints processor time per sample for reading (the exposition is parsed, labels are worked out or known, a batch is
//! made) and for appending, of the first scrape and of those after it; and the size of what is remembered.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the terminal that may fail loudly")]

use std::fmt::Write as _;
use std::time::Duration;

use watchdog::base::batch::Batch;
use watchdog::base::labels::Labels;
use watchdog::base::time::Timestamp;
use watchdog::collect::prometheus::cache::{Cache, Intake};
use watchdog::collect::prometheus::format::{Protocol, read};
use watchdog::tsdb::{Ack, Options, Tsdb};

fn cpu() -> Duration {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD).unwrap();
    let time = |t: nix::sys::time::TimeVal| Duration::new(t.tv_sec() as u64, t.tv_usec() as u32 * 1_000);
    time(usage.user_time()) + time(usage.system_time())
}

fn exposition(series: usize, scrape: usize) -> String {
    let mut text = String::new();
    for n in 0..series {
        if n % 16 == 0 {
            writeln!(text, "# HELP node_thing_{}_total Things of some kind.", n / 16).unwrap();
            writeln!(text, "# TYPE node_thing_{}_total counter", n / 16).unwrap();
        }
        let (metric, cpu) = (n / 16, n % 16);
        writeln!(text, "node_thing_{metric}_total{{cpu=\"{cpu}\",mode=\"idle\"}} {}.25", n * 1_000 + scrape * 7)
            .unwrap();
    }
    text
}

fn main() {
    let (mut series, mut scrapes, mut file) = (2_000, 200, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--series" => series = args.next().and_then(|v| v.parse().ok()).unwrap(),
            "--scrapes" => scrapes = args.next().and_then(|v| v.parse().ok()).unwrap(),
            "--bench" => {}
            path => file = Some(std::fs::read_to_string(path).unwrap()),
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let began = Timestamp::from_millis(1_763_900_000_000);
    let tsdb = Tsdb::open(dir.path(), Options::default(), began).unwrap();
    let mut cache = Cache::new(Labels::new([("instance", "host-1.example.com:9100"), ("job", "node")]));
    let intake = Intake { honor_timestamps: true, ..Intake::default() };
    let (mut reading, mut appending, mut samples, mut bytes) = (Duration::ZERO, Duration::ZERO, 0, 0);
    for n in 0..=scrapes {
        let text = file.clone().unwrap_or_else(|| exposition(series, n));
        let now = began.plus(Duration::from_secs(15 * n as u64));
        let mut batch = Batch::default();
        let start = cpu();
        let (counts, done) =
            cache.scraped(&intake, now.millis(), &mut batch, |to| read(text.as_bytes(), Protocol::Text004, to));
        let read = cpu();
        done.unwrap();
        tsdb.append(&batch, Ack::Written, now).unwrap();
        let (read, append) = (read - start, cpu() - read);
        if n == 0 {
            let per = |d: Duration| d.as_nanos() as f64 / counts.scraped as f64;
            println!(
                "first scrape: {} samples, reading {:.0} ns, appending {:.0} ns per sample",
                counts.scraped,
                per(read),
                per(append)
            );
            continue;
        }
        reading += read;
        appending += append;
        samples += counts.scraped;
        bytes += text.len();
    }
    let per = |d: Duration| d.as_nanos() as f64 / samples as f64;
    println!(
        "after it: {scrapes} scrapes of {} samples in {} bytes, reading {:.0} ns, appending {:.0} ns per sample",
        samples / scrapes,
        bytes / scrapes,
        per(reading),
        per(appending)
    );
}
