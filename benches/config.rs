//! What a large configuration costs, measured on the real binary from outside.
//!
//! ```text
//! cargo bench --bench config -- --monitors 10000
//! ```
//!
//! Once with a file per monitor and once with one file for a hundred: `watchdog check`, the time until
//! `serve` is ready, and the time from saving one changed file until the API shows the change.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot start has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "this program measures wall time")]

mod server;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use server::{Server, get, metrics};

fn write(dir: &Path, monitors: usize, per_file: usize) {
    fs::create_dir_all(dir.join("monitors.d")).unwrap();
    for file in 0..monitors.div_ceil(per_file) {
        fs::write(dir.join(format!("monitors.d/{file:05}.yaml")), file_text(file, monitors, per_file, 200)).unwrap();
    }
}

/// Long intervals: the cost of probing is not what is measured here.
fn file_text(file: usize, monitors: usize, per_file: usize, status: u16) -> String {
    let mut text = String::from("defaults: {interval: 1h, timeout: 5s, labels: {team: web}}\nmonitors:\n");
    for i in file * per_file..((file + 1) * per_file).min(monitors) {
        write!(
            text,
            "  - name: m{i:05}\n    type: http\n    url: http://127.0.0.1:9/{i}\n    expect:\n      status: [{status}]\n      \
             body: {{contains: ok}}\n      latency: {{below: 2s, degraded_above: 1s}}\n    labels: {{n: \"{i}\"}}\n"
        )
        .unwrap();
    }
    text
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let monitors = match args.as_slice() {
        [] => 10_000,
        [flag, n] if flag == "--monitors" => n.parse().unwrap(),
        other => panic!("known: --monitors N, not {other:?}"),
    };
    println!(
        "{:<24} {:>12} {:>12} {:>12} {:>18} {:>10}",
        "monitors", "check", "ready", "start CPU", "change seen after", "RSS"
    );
    for per_file in [1, 100] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), monitors, per_file);
        let begun = Instant::now();
        let done = Command::new(env!("CARGO_BIN_EXE_watchdog")).arg("check").arg(dir.path()).output().unwrap();
        let check = begun.elapsed();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        let (server, ready) = Server::start(dir.path());
        let start_cpu = server.cpu();
        let socket = dir.path().join("socket");
        // Until the first probes are through; 1,000 a second begin.
        thread::sleep(Duration::from_millis(monitors as u64 + 2_000));
        let reloads = |m: &std::collections::HashMap<String, f64>| m["watchdog_config_reloads_total"];
        let before = reloads(&metrics(&socket));
        fs::write(dir.path().join("monitors.d/00000.yaml"), file_text(0, monitors, per_file, 204)).unwrap();
        let saved = Instant::now();
        while reloads(&metrics(&socket)) == before {
            thread::sleep(Duration::from_millis(2));
        }
        let seen = saved.elapsed();
        assert!(get(&socket, "/api/v1/config").contains(&format!("\"monitors\":{monitors}")));
        println!(
            "{:<24} {:>9} ms {:>9} ms {:>9} ms {:>15} ms {:>6} MiB",
            format!("{monitors} in {} files", monitors.div_ceil(per_file)),
            check.as_millis(),
            ready.as_millis(),
            (start_cpu * 1e3) as u64,
            seen.as_millis(),
            server.status_kib("VmRSS:") / 1024,
        );
    }
}
