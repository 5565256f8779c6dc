//! The same targets asked by Debian's blackbox_exporter, which Prometheus scrapes: both programs' processor time.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(program: &str, args: &[String], dir: &Path) -> Self {
        let log = fs::File::create(dir.join(format!("{program}.log"))).unwrap();
        let child = Command::new(program).args(args).stdout(Stdio::null()).stderr(log).spawn();
        Self(child.unwrap_or_else(|e| panic!("{program}: {e}")))
    }

    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    fn rss_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Measures both over the same time as Watchdog, and prints what they used.
pub fn run(dir: &Path, monitors: usize, interval: u64, seconds: u64, url: impl Fn(usize) -> String) {
    let dir = dir.join("peer");
    fs::create_dir_all(&dir).unwrap();
    let (blackbox, prometheus) = (free_port(), free_port());
    let modules = "modules:\n  http_2xx:\n    prober: http\n    timeout: 5s\n    http: {preferred_ip_protocol: ip4}\n";
    fs::write(dir.join("blackbox.yml"), modules).unwrap();
    let mut targets = String::new();
    for i in 0..monitors {
        writeln!(targets, "        - {}", url(i)).unwrap();
    }
    let config = format!(
        "global: {{scrape_interval: {interval}s, scrape_timeout: 6s}}\n\
         scrape_configs:\n  - job_name: blackbox\n    metrics_path: /probe\n    params: {{module: [http_2xx]}}\n    \
         static_configs:\n      - targets:\n{targets}    relabel_configs:\n      \
         - {{source_labels: [__address__], target_label: __param_target}}\n      \
         - {{source_labels: [__param_target], target_label: instance}}\n      \
         - {{target_label: __address__, replacement: \"127.0.0.1:{blackbox}\"}}\n"
    );
    fs::write(dir.join("prometheus.yml"), config).unwrap();
    let file = |name: &str| dir.join(name).display().to_string();
    let exporter = Running::start(
        "prometheus-blackbox-exporter",
        &[format!("--config.file={}", file("blackbox.yml")), format!("--web.listen-address=127.0.0.1:{blackbox}")],
        &dir,
    );
    let server = Running::start(
        "prometheus",
        &[
            format!("--config.file={}", file("prometheus.yml")),
            format!("--storage.tsdb.path={}", file("data")),
            format!("--web.listen-address=127.0.0.1:{prometheus}"),
        ],
        &dir,
    );
    thread::sleep(Duration::from_secs(2 * interval));
    let before = (exporter.cpu(), server.cpu());
    thread::sleep(Duration::from_secs(seconds));
    let (a, b) = (exporter.cpu() - before.0, server.cpu() - before.1);
    let probes = (monitors as u64 * seconds / interval) as f64;
    println!("blackbox_exporter + Prometheus  load {}", fs::read_to_string("/proc/loadavg").unwrap().trim());
    println!("{:<44} {probes:.0} (by the schedule)", "probes");
    println!("{:<44} {:.0} us", "processor time per probe", (a + b) / probes * 1e6);
    println!("{:<44} {:.0} us + {:.0} us", "of which exporter + Prometheus", a / probes * 1e6, b / probes * 1e6);
    println!("{:<44} {} + {} MiB", "resident memory", exporter.rss_mib(), server.rss_mib());
}
