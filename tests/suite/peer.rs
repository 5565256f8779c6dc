//! A real Prometheus scrapes, writes here over remote write, and both are asked the same: every
//! series, every value, and what `promtool` prints.
//!
//! Needs Debian's package `prometheus`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::needs;
use crate::server::{Place, wait_for};

/// Scrapes, one a second, before anything is compared.
const SCRAPES: f64 = 12.0;

/// What there is to scrape: every kind of metric, escapes, and the values that are hard to print.
/// `{n:03}` counts the scrapes. Its counters are far from zero: what is made of those that are not
/// changed in version 3. No `-0`: Prometheus takes it for a zero when it writes.
const EXPOSITION: &str = r#"# HELP plain_gauge A gauge with "quotes", a \\ backslash and a\nline break.
# TYPE plain_gauge gauge
plain_gauge{path="C:\\temp",text="two\nlines \"quoted\"",empty=""} 0.1
plain_gauge{path="é 店",text=""} -1.7976931348623157e+308
# TYPE special gauge
special{is="nan"} NaN
special{is="inf"} +Inf
special{is="minus_inf"} -Inf
special{is="smallest"} 5e-324
# HELP things_total Things.
# TYPE things_total counter
things_total{kind="a"} 1234567890{n:03}
things_total{kind="b"} 5{n:03}.5
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 1{n:03}
took_seconds_bucket{le="1"} 3{n:03}
took_seconds_bucket{le="+Inf"} 4{n:03}
took_seconds_sum 7{n:03}.25
took_seconds_count 4{n:03}
# TYPE quick_seconds summary
quick_seconds{quantile="0.5"} 0.25
quick_seconds_sum 1.5
quick_seconds_count 6
untyped_thing 3
"#;

/// Asked of both at the same moment.
const INSTANT: [&str; 12] = [
    r#"{job=~"target|itself"}"#,
    r#"count by (__name__, job) ({job=~"target|itself"})"#,
    "rate(things_total[10s])",
    "sum by (job) (increase(things_total[10s]))",
    "histogram_quantile(0.9, took_seconds_bucket)",
    "histogram_quantile(0.9, sum by (le) (rate(took_seconds_bucket[10s])))",
    "up == 1",
    "scrape_samples_scraped - on (job, instance) scrape_samples_post_metric_relabeling",
    "topk(3, go_memstats_alloc_bytes)",
    "absent(nothing_here)",
    r#"label_replace(up, "host", "$1", "instance", "(.*):.*")"#,
    "max_over_time(go_goroutines[8s:2s])",
];

struct Peer {
    child: Child,
    address: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// Starts Prometheus; it scrapes `target` and itself, and writes to `to`.
    fn start(dir: &Path, target: u16, to: &str) -> Self {
        // It cannot be asked which port it took, so it gets one that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = dir.join("prometheus.yml");
        fs::write(
            &config,
            format!(
                "global: {{scrape_interval: 1s, external_labels: {{}}}}\n\
                 scrape_configs:\n\
                 - {{job_name: target, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}\n\
                 - {{job_name: itself, static_configs: [{{targets: ['{address}']}}]}}\n\
                 remote_write:\n\
                 - url: http://{to}/api/v1/write\n\
                 \x20 queue_config: {{batch_send_deadline: 200ms}}\n\
                 \x20 metadata_config: {{send: true, send_interval: 2s}}\n"
            ),
        )
        .unwrap();
        let log = fs::File::create(dir.join("prometheus.log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }
}

/// Answers every request with [`EXPOSITION`].
fn target() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (n, mut stream) in listener.incoming().flatten().enumerate() {
            let body = EXPOSITION.replace("{n:03}", &format!("{n:03}"));
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

/// The body of the reply to a GET, if there is one.
fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    Some(reply.split_once("\r\n\r\n")?.1.to_owned())
}

fn escape(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

/// `data` of a successful answer, with its lists of series in one order.
fn data(address: &str, path: &str) -> Option<Value> {
    let mut answer: Value = serde_json::from_str(&get(address, path)?).ok()?;
    assert_eq!(answer["status"], "success", "{address}{path}: {answer}");
    for list in ["/data/result", "/data"] {
        if let Some(Value::Array(series)) = answer.pointer_mut(list) {
            series.sort_by_key(|s| s["metric"].to_string() + &s.to_string());
        }
    }
    // Prometheus leaves out what is empty here, and newer ones add to it.
    Some(answer["data"].take())
}

#[track_caller]
fn same(here: &str, there: &str, path: &str) -> Value {
    let (ours, theirs) = (data(here, path).unwrap(), data(there, path).unwrap());
    if let (Some(a), Some(b)) = (ours["result"].as_array(), theirs["result"].as_array()) {
        let differing: Vec<_> = a.iter().zip(b).filter(|(a, b)| a != b).take(3).collect();
        assert!(a.len() == b.len() && differing.is_empty(), "{path}: {} and {}: {differing:#?}", a.len(), b.len());
    }
    assert_eq!(ours, theirs, "{path}");
    ours
}

/// A moment two seconds ago, as far from all scrapes as can be: before version 3 a range took the
/// sample at its very beginning in.
fn between(scraped: &[f64]) -> f64 {
    let oldest = scraped.iter().copied().fold(f64::INFINITY, f64::min).floor() - 2.0;
    let distance = |t: f64| {
        let off = scraped.iter().map(|s| (s - t).rem_euclid(1.0));
        off.map(|d| d.min(1.0 - d)).fold(f64::INFINITY, f64::min)
    };
    let moments = (0..20).map(|i| oldest + f64::from(i) / 20.0);
    moments.max_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap()
}

/// What `promtool` prints about a server, sorted.
#[track_caller]
fn promtool(args: &[&str]) -> Vec<String> {
    let done = Command::new("promtool").args(args).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "promtool {args:?}: {text}{}", String::from_utf8_lossy(&done.stderr));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn what_a_real_prometheus_writes_here_is_answered_as_it_answers_itself() {
    if !needs::commands(&["prometheus", "promtool"]) {
        return;
    }
    let place = Place::new();
    place.write("watchdog.yaml", "server: {listen: \"127.0.0.1:0\"}\n");
    let server = place.serve();
    let here = server.http().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start(dir.path(), target(), &here);
    let there = peer.address.clone();

    let count = format!("/api/v1/query?query={}", escape("min(count_over_time(up[1m]))"));
    wait_for("enough scrapes", || {
        let value = data(&here, &count)?["result"][0]["value"][1].as_str()?.parse::<f64>().ok()?;
        (value >= SCRAPES).then_some(())
    });
    // What both have by now; the newest samples may still be under way.
    let newest = data(&here, &format!("/api/v1/query?query={}", escape("timestamp(up)"))).unwrap();
    let scraped = newest["result"].as_array().unwrap().iter().map(|s| s["value"][1].as_str().unwrap().parse().unwrap());
    let now = between(&scraped.collect::<Vec<f64>>());

    let all = INSTANT.map(|expr| same(&here, &there, &format!("/api/v1/query?query={}&time={now}", escape(expr))));
    assert!(all[0]["result"].as_array().unwrap().len() > 300, "too few series to prove anything");
    let range = format!("start={}&end={now}&step=1", now - 10.0);
    for expr in INSTANT {
        same(&here, &there, &format!("/api/v1/query_range?query={}&{range}", escape(expr)));
    }
    let raw = escape(r#"{job="target"}[8s]"#);
    same(&here, &there, &format!("/api/v1/query?query={raw}&time={now}"));
    // There are also our own series here.
    let some = format!("match[]={}&start={}&end={now}", escape(r#"{job=~"target|itself"}"#), now - 10.0);
    for list in ["labels", "label/__name__/values", "label/le/values", "series"] {
        same(&here, &there, &format!("/api/v1/{list}?{some}"));
    }
    let metadata = wait_for("the metadata", || {
        data(&here, "/api/v1/metadata?metric=things_total").filter(|d| d.get("things_total").is_some())
    });
    assert_eq!(Some(metadata), data(&there, "/api/v1/metadata?metric=things_total"));

    let (ours, theirs) = (format!("http://{here}"), format!("http://{there}"));
    let (from, to) = ((now - 10.0).to_string(), now.to_string());
    for args in [
        vec!["query", "instant", "--time", &to, "URL", "up"],
        vec![
            "query",
            "range",
            "--start",
            &from,
            "--end",
            &to,
            "--step",
            "1s",
            "URL",
            "rate(go_gc_duration_seconds_count[5s])",
        ],
        vec!["query", "series", "--match", "took_seconds_bucket", "--start", &from, "--end", &to, "URL"],
        vec!["query", "labels", "--start", &from, "--end", &to, "URL", "quantile"],
    ] {
        let at = |url: &str| promtool(&args.iter().map(|a| if *a == "URL" { url } else { a }).collect::<Vec<_>>());
        let answer = at(&ours);
        assert!(!answer.is_empty(), "{args:?}");
        assert_eq!(answer, at(&theirs), "{args:?}");
    }
    assert_eq!(server.stop(), 0);
}

#[test]
fn promtool_finds_nothing_wrong_with_our_own_metrics() {
    if !needs::commands(&["promtool"]) {
        return;
    }
    let place = Place::new();
    place.write("monitors.d/a.yaml", "monitors:\n  - {name: m, type: script, command: [\"true\"], interval: 1s}\n");
    let server = place.serve();
    wait_for("a probe", || server.row("m").filter(|r| r["state"] == "up"));
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(server.text("/metrics").as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.is_empty(), "{said}");
    server.kill();
}
