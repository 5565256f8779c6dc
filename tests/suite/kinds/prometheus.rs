//! `prometheus` against a real Prometheus and a real node_exporter: what both store of the same answers is the same,
//! series by series and bit by bit, markers of their ends included.
//!
//! Both cannot scrape at the same moment, so a proxy stands before the exporter. It counts the scrapes of each and
//! answers the n-th of both with the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use watchdog::base::protobuf::{Reader, put_bytes, put_int};
use watchdog::base::sample::is_stale;
use watchdog::collect::prometheus::float::normalized;

use crate::kinds::daemon::{Daemon, free_port, program};
use crate::server::{Place, wait_for};

/// Answers to compare; those that tell a story are in [`script`].
const SCRAPES: usize = 14;

/// An answer: status, type, body. No status: the connection is closed without one.
type Answer = (u16, &'static str, String);

const TEXT: &str = "text/plain; version=0.0.4";

/// What stands beside the exporter's own metrics: what is hard to store right.
const EXTRA: &str = r#"# HELP took_seconds A histogram whose "bounds" have many forms.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.10"} 1
took_seconds_bucket{le="1"} {n}
took_seconds_bucket{le="1000000"} 3{n}
took_seconds_bucket{le="+Inf"} 4{n}
took_seconds_sum 7.25
took_seconds_count 4{n}
# TYPE quick_seconds summary
quick_seconds{quantile="0.5"} 0.25
quick_seconds{quantile="1"} NaN
quick_seconds_sum 1.5
quick_seconds_count 6
# TYPE plain gauge
plain{le="1",path="C:\\temp",text="two\nlines \"quoted\"",empty=""} -1.7976931348623157e+308
plain{job="inner",instance="inner:1",exported_job="taken"} 5e-324
plain{path="é 店"} +Inf
# TYPE with_time gauge
with_time{kind="old"} {n} {t}
with_time{kind="fixed"} 5 {t0}
with_time{kind="back"} {n} {back}
with_time{kind="far"} 1 99999999999999
# TYPE twice counter
twice 1{n}
twice 2{n}
dropped_by_rule{n="{n}"} 1
renamed_by_rule{a="x"} {n}
"#;

/// The n-th answer, from 1.
fn script(n: usize, exporter: &str, now: i64) -> Option<Answer> {
    let extra = EXTRA
        .replace("{n}", &n.to_string())
        .replace("{t}", &(now - 20_000 + n as i64).to_string())
        .replace("{t0}", &(now - 30_000).to_string())
        .replace("{back}", &(now - 10_000 - n as i64).to_string());
    let good = format!("{exporter}{extra}coming_and_going 1\n");
    let answer = match n {
        // A series and a whole family are gone; another is new.
        4 => (200, TEXT, format!("{exporter}new_one 1\n")),
        // Half of the answer is fine.
        6 => (200, TEXT, format!("{extra}coming_and_going 1\nthis is {{no metric\n{exporter}")),
        7 => (500, TEXT, good),
        9 => (200, TEXT, String::new()),
        10 => (200, "application/openmetrics-text; version=1.0.0; charset=utf-8", OPEN.replace("{n}", "10")),
        // Without its end.
        11 => (200, "application/openmetrics-text; version=1.0.0", OPEN.replace("{n}", "11").replace("# EOF\n", "")),
        13 => return None,
        _ => (200, TEXT, good),
    };
    Some(answer)
}

/// OpenMetrics.
const OPEN: &str = r##"# TYPE requests counter
# HELP requests Requests.
requests_total{path="/"} {n} 1600000000.123 # {trace_id="x"} 0.67 1600000000.0
requests_created{path="/"} 1.5e9
# TYPE size_bytes histogram
# UNIT size_bytes bytes
size_bytes_bucket{le="1.0"} 1 # {trace_id="y"} 0.5
size_bytes_bucket{le="+Inf"} 2
size_bytes_sum 3.0
size_bytes_count 2
# TYPE build info
build_info{version="1"} 1
coming_and_going 2
# EOF
"##;

/// Stands before the exporter at `port`; `None` for none, whose metrics are left out then.
fn proxy(port: Option<u16>) -> (u16, Arc<Mutex<HashMap<String, usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let (shared, mut answers) = (Arc::clone(&counts), Vec::<Option<Answer>>::new());
    thread::spawn(move || {
        let now = watchdog::base::clock::Clock::system().now().millis();
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut buffer = [0; 4096];
            while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(n) if n > 0 => head.extend_from_slice(&buffer[..n]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let who = if head.contains("user-agent: prometheus/") { "prometheus" } else { "watchdog" };
            let n = {
                let mut counts = shared.lock().unwrap();
                let n = counts.entry(who.to_owned()).or_default();
                *n += 1;
                *n
            };
            while answers.len() < n {
                let exporter =
                    port.map(|port| get(&format!("127.0.0.1:{port}"), "/metrics").unwrap()).unwrap_or_default();
                answers.push(script(answers.len() + 1, &exporter, now));
            }
            if let Some((status, kind, body)) = &answers[n - 1] {
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        }
    });
    (own, counts)
}

fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    Some(reply.split_once("\r\n\r\n")?.1.to_owned())
}

type Series = BTreeMap<Vec<(String, String)>, Vec<(i64, u64)>>;

/// Every sample of a job as it is stored, over remote read: the only way that shows markers.
fn stored(address: &str, job: &str) -> Series {
    let (mut matcher, mut query, mut request) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes(&mut matcher, 2, b"job");
    put_bytes(&mut matcher, 3, job.as_bytes());
    put_int(&mut query, 1, 0);
    put_int(&mut query, 2, i64::MAX.cast_unsigned() / 4);
    put_bytes(&mut query, 3, &matcher);
    put_bytes(&mut request, 1, &query);
    let body = snap::raw::Encoder::new().compress_vec(&request).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /api/v1/read HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-protobuf\r\n\
         Content-Encoding: snappy\r\nX-Prometheus-Remote-Read-Version: 0.1.0\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(&body).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let at = reply.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    assert!(reply.starts_with(b"HTTP/1.0 200") || reply.starts_with(b"HTTP/1.1 200"), "{}", reply.escape_ascii());
    let message = snap::raw::Decoder::new().decompress_vec(&reply[at + 4..]).unwrap();
    let mut all = Series::new();
    let mut response = Reader::new(&message);
    while let Some((_, result)) = response.field().unwrap() {
        let mut result = Reader::new(result.bytes().unwrap());
        while let Some((_, series)) = result.field().unwrap() {
            let (mut labels, mut samples) = (Vec::new(), Vec::new());
            let mut series = Reader::new(series.bytes().unwrap());
            while let Some((number, part)) = series.field().unwrap() {
                let mut part = Reader::new(part.bytes().unwrap());
                let (mut texts, mut t, mut v) = ((String::new(), String::new()), 0, 0.0_f64);
                while let Some((inner, value)) = part.field().unwrap() {
                    let text = || String::from_utf8(value.bytes().unwrap().to_vec()).unwrap();
                    match (number, inner) {
                        (1, 1) => texts.0 = text(),
                        (1, 2) => texts.1 = text(),
                        (2, 1) => v = value.double().unwrap(),
                        (2, 2) => t = value.varint().unwrap().cast_signed(),
                        _ => {}
                    }
                }
                match number {
                    1 => labels.push(texts),
                    _ => samples.push((t, if v.is_nan() && !is_stale(v) { f64::NAN.to_bits() } else { v.to_bits() })),
                }
            }
            labels.sort();
            samples.sort_unstable();
            all.insert(labels, samples);
        }
    }
    all
}

/// Series by their labels as text; samples by the scrape they belong to, where they have no time of their own.
fn comparable(series: Series, version: &str) -> BTreeMap<String, Vec<String>> {
    let is = |labels: &[(String, String)], name: &str| labels.iter().any(|(k, v)| k == "__name__" && v == name);
    let ups = series.iter().find(|(labels, _)| is(labels, "up")).expect("`up`").1;
    let scrapes: Vec<i64> = ups.iter().take(SCRAPES).map(|(t, _)| *t).collect();
    assert_eq!(scrapes.len(), SCRAPES, "not enough scrapes");
    let mut all = BTreeMap::new();
    for (mut labels, samples) in series {
        let name = labels.iter().find(|(k, _)| k == "__name__").unwrap().1.clone();
        if version.starts_with("2.") {
            // Before version 3 bounds were stored as written, wherever they came from.
            let bounded =
                [("took_seconds_bucket", "le"), ("quick_seconds", "quantile"), ("go_gc_duration_seconds", "quantile")];
            for (metric, label) in bounded {
                if let Some((_, value)) = labels.iter_mut().find(|(k, _)| name == metric && k == label) {
                    *value = normalized(value).unwrap();
                }
            }
        }
        let text = labels.iter().fold(String::new(), |mut text, (k, v)| {
            write!(text, "{k}={v:?} ").unwrap();
            text
        });
        let timed = name == "with_time" || name == "requests_total";
        let told: Vec<String> = samples
            .iter()
            .filter_map(|(t, bits)| {
                let at = match scrapes.iter().position(|s| s == t) {
                    Some(n) => format!("scrape {}", n + 1),
                    None if *t > scrapes[SCRAPES - 1] => return None,
                    None if timed => format!("{t}"),
                    None => panic!("{text} has a sample of no scrape: {t}"),
                };
                let value = f64::from_bits(*bits);
                if name == "with_time" && value > SCRAPES as f64 {
                    return None;
                }
                Some(match is_stale(value) {
                    true => format!("{at}: end"),
                    // Takes as long as it takes.
                    false if name == "scrape_duration_seconds" => format!("{at}: some"),
                    false => format!("{at}: {value:?}"),
                })
            })
            .collect();
        if !told.is_empty() {
            all.insert(text, told);
        }
    }
    all
}

/// Starts Prometheus with these jobs.
fn peer(jobs: &str, every: &str) -> Option<(Daemon, String)> {
    let prometheus = program("prometheus", "prometheus")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    fs::write(
        dir.path().join("prometheus.yml"),
        format!("global: {{scrape_interval: {every}, scrape_timeout: {every}}}\nscrape_configs:\n{jobs}"),
    )
    .unwrap();
    let args = [
        "--config.file=prometheus.yml".to_owned(),
        "--storage.tsdb.path=data".to_owned(),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    Some((Daemon::start(dir, &prometheus, args).listening(port), format!("127.0.0.1:{port}")))
}

fn exporter() -> Option<(Daemon, u16)> {
    let exporter = program("prometheus-node-exporter", "prometheus-node-exporter")?;
    let port = free_port();
    let args = [format!("--web.listen-address=127.0.0.1:{port}")];
    Some((Daemon::start(tempfile::tempdir().unwrap(), &exporter, args).listening(port), port))
}

/// Rules that both get.
const RULES: &str = "\
\x20 metric_relabel_configs:
  - {source_labels: [__name__], regex: 'dropped_.*', action: drop}
  - {source_labels: [__name__, a], separator: '@', regex: '(renamed)_by_rule@(.*)', target_label: '${1}_label', replacement: '$2-${1}x$$'}
  - {regex: a, action: labeldrop}
  - {source_labels: [device], target_label: shard, action: hashmod, modulus: 7}
";

fn version(address: &str) -> String {
    // It listens before it is ready.
    wait_for("Prometheus to be ready", || {
        let info: Value = serde_json::from_str(&get(address, "/api/v1/status/buildinfo")?).ok()?;
        info["data"]["version"].as_str().map(str::to_owned)
    })
}

#[test]
fn what_is_scraped_is_stored_as_a_real_prometheus_stores_it() {
    let (Some(_), Some((_node, node))) = (program("prometheus", "prometheus"), exporter()) else { return };
    let jobs = |port: u16, honest: u16, ours: bool| {
        let head = if ours { "- type: prometheus\n  interval: 2s\n  timeout: 2s\n  name: " } else { "- job_name: " };
        format!(
            "{head}node\n  static_configs: [{{targets: ['127.0.0.1:{port}'], labels: {{env: prod, job_hint: x}}}}]\n\
             \x20 relabel_configs:\n\
             \x20 - {{source_labels: [__address__], regex: '(.*):.*', target_label: host}}\n\
             \x20 - {{target_label: instance, replacement: node-1}}\n{RULES}\
             {head}honest\n  honor_labels: true\n  honor_timestamps: false\n\
             \x20 static_configs: [{{targets: ['127.0.0.1:{honest}']}}]\n"
        )
    };
    let (port, asked) = proxy(Some(node));
    let (honest, _) = proxy(None);
    let place = Place::new();
    place.write("watchdog.yaml", "server: {listen: \"127.0.0.1:0\"}\n");
    place.write("monitors.d/jobs.yaml", &format!("monitors:\n{}", jobs(port, honest, true)));
    let server = place.serve();
    let here = server.http().to_owned();
    let (_peer, there) = peer(&jobs(port, honest, false), "2s").unwrap();
    let version = version(&there);
    for job in ["node", "honest"] {
        for address in [&here, &there] {
            wait_for("enough scrapes", || {
                let ups = stored(address, job);
                let up = ups.iter().find(|(labels, _)| labels.iter().any(|(_, v)| v == "up"));
                // One more than is compared, so that all of the last one is there.
                up.filter(|(_, samples)| samples.len() > SCRAPES).map(|_| ())
            });
        }
        let ours = comparable(stored(&here, job), "3");
        let theirs = comparable(stored(&there, job), &version);
        assert!(theirs.len() > if job == "node" { 400 } else { 25 }, "{job}: {} series prove little", theirs.len());
        let mut differing = String::new();
        for labels in ours.keys().chain(theirs.keys().filter(|k| !ours.contains_key(*k))) {
            let (a, b) = (ours.get(labels), theirs.get(labels));
            if a != b {
                writeln!(differing, "{labels}\n  here  {a:?}\n  there {b:?}").unwrap();
            }
        }
        assert!(differing.is_empty(), "{job}, {} asked: {differing}", asked.lock().unwrap().len());
    }
    let shown: Value = serde_json::from_str(&get(&here, "/api/v1/targets").unwrap()).unwrap();
    assert_eq!(shown["data"]["activeTargets"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(server.stop(), 0);
}

/// Writes a list of targets in one step.
fn list(path: &Path, targets: &[u16]) {
    let targets: Vec<String> = targets.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let new = path.with_extension("new");
    fs::write(&new, serde_json::json!([{"targets": targets, "labels": {"from": "file"}}]).to_string()).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn series_of_a_target_that_is_not_found_any_more_end_as_in_prometheus() {
    if program("prometheus", "prometheus").is_none() {
        return;
    }
    let ((stays, _), (goes, _)) = (proxy(None), proxy(None));
    let place = Place::new();
    let file = place.config().join("targets.json");
    place.write("watchdog.yaml", "server: {listen: \"127.0.0.1:0\"}\n");
    list(&file, &[stays, goes]);
    let sources = format!("  file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}]\n", file.display());
    let ours = format!("monitors:\n- name: files\n  type: prometheus\n  interval: 1s\n  timeout: 1s\n{sources}");
    place.write("monitors.d/jobs.yaml", &ours);
    let server = place.serve();
    let here = server.http().to_owned();
    let (_peer, there) = peer(&format!("- job_name: files\n{sources}"), "1s").unwrap();
    let of = |address: &str, port: u16| {
        let instance = ("instance".to_owned(), format!("127.0.0.1:{port}"));
        let mut all = stored(address, "files");
        all.retain(|labels, _| labels.contains(&instance));
        all
    };
    let enough = |series: &Series| series.len() > 25 && series.values().all(|samples| !samples.is_empty());
    for address in [&here, &there] {
        wait_for("both targets", || [stays, goes].iter().all(|port| enough(&of(address, *port))).then_some(()));
    }
    list(&file, &[stays]);
    let ends = |samples: &Vec<(i64, u64)>| is_stale(f64::from_bits(samples.last().unwrap().1));
    for address in [&here, &there] {
        // A sample with a time of its own gets no marker.
        let timed = |labels: &[(String, String)]| labels.iter().any(|(_, v)| v == "with_time" || v == "requests_total");
        wait_for("the end of the series", || {
            let series = of(address, goes);
            series.iter().filter(|(labels, _)| !timed(labels)).all(|(_, samples)| ends(samples)).then_some(())
        });
        assert!(of(address, goes).iter().filter(|(labels, _)| timed(labels)).all(|(_, samples)| !ends(samples)));
        let up = of(address, stays).into_iter().find(|(labels, _)| labels.iter().any(|(_, v)| v == "up")).unwrap();
        assert!(!ends(&up.1), "the other target goes on");
    }
    assert_eq!(server.stop(), 0);
}

/// The last value of `up`.
fn up(series: &Series) -> Option<f64> {
    let of_up = series.iter().find(|(labels, _)| labels.iter().any(|(k, v)| k == "__name__" && v == "up"));
    of_up.and_then(|(_, samples)| samples.last()).map(|(_, v)| f64::from_bits(*v))
}

/// Of the path `/N` it redirects `N` times before it says something.
fn redirects() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let n = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..n]).into_owned();
            let left: usize = head["GET /".len()..].split(' ').next().unwrap().parse().unwrap();
            let says = match left {
                0 => format!("200 OK\r\nContent-Type: {TEXT}\r\nContent-Length: 4\r\n\r\na 1\n"),
                _ => format!("302 Found\r\nLocation: /{}\r\nContent-Length: 0\r\n\r\n", left - 1),
            };
            let _ = write!(stream, "HTTP/1.1 {}", says.replacen("\r\n", "\r\nConnection: close\r\n", 1));
        }
    });
    port
}

#[test]
fn redirects_are_followed_as_far_as_prometheus_does() {
    if program("prometheus", "prometheus").is_none() {
        return;
    }
    let port = redirects();
    let place = Place::new();
    place.write("watchdog.yaml", "server: {listen: \"127.0.0.1:0\"}\n");
    let (mut ours, mut theirs) = ("monitors:\n".to_owned(), String::new());
    for hops in [9, 10] {
        let target = format!("metrics_path: /{hops}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]");
        writeln!(ours, "- {{name: hops{hops}, type: prometheus, interval: 1s, timeout: 1s, {target}}}").unwrap();
        writeln!(theirs, "- {{job_name: hops{hops}, {target}}}").unwrap();
    }
    place.write("monitors.d/jobs.yaml", &ours);
    let server = place.serve();
    let here = server.http().to_owned();
    let (_peer, there) = peer(&theirs, "1s").unwrap();
    version(&there);
    for address in [&here, &there] {
        for (job, want) in [("hops9", 1.0), ("hops10", 0.0)] {
            assert_eq!(wait_for("a scrape", || up(&stored(address, job))), want, "{job} of {address}");
        }
    }
    assert_eq!(server.stop(), 0);
}

#[test]
fn an_exporter_that_hangs_and_one_that_is_gone_are_what_they_are_to_prometheus() {
    let (Some(_), Some((node, port))) = (program("prometheus", "prometheus"), exporter()) else { return };
    let place = Place::new();
    place.write("watchdog.yaml", "server: {listen: \"127.0.0.1:0\"}\n");
    let target = format!("static_configs: [{{targets: ['127.0.0.1:{port}']}}]");
    let ours = format!("monitors:\n- {{name: node, type: prometheus, interval: 1s, timeout: 1s, {target}}}\n");
    place.write("monitors.d/jobs.yaml", &ours);
    let server = place.serve();
    let here = server.http().to_owned();
    let (_peer, there) = peer(&format!("- job_name: node\n  {target}\n"), "1s").unwrap();
    version(&there);
    let is_end = |samples: &[(i64, u64)]| samples.last().is_some_and(|(_, v)| is_stale(f64::from_bits(*v)));
    for address in [&here, &there] {
        wait_for("a scrape", || Some(stored(address, "node")).filter(|all| all.len() > 400 && up(all) == Some(1.0)));
    }
    // Both have these, and one of them comes and goes with who asks.
    let same = |ours: &Series, theirs: &Series| {
        let mut ends = 0;
        for (labels, samples) in ours {
            let Some(there) = theirs.get(labels) else { continue };
            if labels.iter().any(|(_, v)| v.starts_with("promhttp_")) {
                continue;
            }
            assert_eq!(is_end(samples), is_end(there), "{labels:?}");
            ends += usize::from(is_end(samples));
        }
        ends
    };
    node.stop();
    let down = |address: &str| {
        wait_for("a scrape that fails", || Some(stored(address, "node")).filter(|all| up(all) == Some(0.0)))
    };
    let (ours, theirs) = (down(&here), down(&there));
    let ends = same(&ours, &theirs);
    assert!(ends > 400, "{ends}");
    drop(node);
    let later = |address: &str, before: &Series| {
        let count = |all: &Series| all.values().map(Vec::len).sum::<usize>();
        // Five reports of each scrape.
        let more = count(before) + 10;
        wait_for("scrapes of nobody", || Some(stored(address, "node")).filter(|all| count(all) >= more))
    };
    let (ours, theirs) = (later(&here, &ours), later(&there, &theirs));
    assert_eq!((up(&ours), up(&theirs), same(&ours, &theirs)), (Some(0.0), Some(0.0), ends));
    assert_eq!(server.stop(), 0);
}

/// Answers each request when 17 of 20 parts of the time are over that its header names, as exporters do that ask in our
/// name.
fn slow() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut head = [0; 4096];
                let n = stream.read(&mut head).unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..n]).to_lowercase();
                let told = head.split("x-prometheus-scrape-timeout-seconds: ").nth(1).unwrap_or("0");
                let limit: f64 = told.split('\r').next().unwrap().parse().unwrap();
                thread::sleep(Duration::from_secs_f64(limit * 0.85));
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {TEXT}\r\nContent-Length: 4\r\n\r\na 1\n");
            });
        }
    });
    port
}

#[test]
fn of_many_targets_each_has_its_whole_timeout_as_with_prometheus() {
    const TARGETS: usize = 100;
    if program("prometheus", "prometheus").is_none() {
        return;
    }
    let port = slow();
    let place = Place::new();
    place.write("watchdog.yaml", "server: {listen: \"127.0.0.1:0\"}\n");
    let list: Vec<String> = (0..TARGETS).map(|n| format!("'switch-{n}'")).collect();
    let shared = format!(
        "  static_configs: [{{targets: [{}]}}]\n\x20 relabel_configs:\n\
         \x20 - {{source_labels: [__address__], target_label: __param_target}}\n\
         \x20 - {{source_labels: [__param_target], target_label: instance}}\n\
         \x20 - {{target_label: __address__, replacement: '127.0.0.1:{port}'}}\n",
        list.join(", ")
    );
    let ours = format!("monitors:\n- name: many\n  type: prometheus\n  interval: 7s\n  timeout: 4s\n{shared}");
    place.write("monitors.d/jobs.yaml", &ours);
    let server = place.serve();
    let here = server.http().to_owned();
    let (_peer, there) = peer(&format!("- job_name: many\n  scrape_timeout: 4s\n{shared}"), "7s").unwrap();
    for address in [&here, &there] {
        let ups = wait_for("two scrapes of each target", || {
            let mut all = stored(address, "many");
            all.retain(|labels, _| labels.iter().any(|(k, v)| k == "__name__" && v == "up"));
            (all.len() == TARGETS && all.values().all(|samples| samples.len() > 1)).then_some(all)
        });
        let down = ups.values().filter(|samples| samples.iter().any(|(_, v)| f64::from_bits(*v) != 1.0)).count();
        assert_eq!(down, 0, "{address}");
    }
    assert_eq!(server.stop(), 0);
}

/// Answers every request with this exposition.
fn says(text: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {TEXT}\r\nContent-Length: {}\r\n\r\n", text.len());
            let _ = stream.write_all((head + &text).as_bytes());
        }
    });
    port
}

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_hostile_target_stores_nothing_and_takes_nothing_from_another() {
    let mut flood = String::new();
    for n in 0..100_000 {
        writeln!(flood, "flood{{n=\"{n}\"}} 1").unwrap();
    }
    let markup = "# TYPE h histogram\nh_bucket{le=\"<img src=x onerror=y>\"} 1\nh_bucket{le=\"inf\"} 1\nh_bucket{le=\"-Inf\"} 0\n\
                  # TYPE g gauge\ng NaN\nprobe_success{monitor=\"good\",type=\"prometheus\",job=\"\"} 7\n";
    let (hostile, good, odd) = (says(flood), says("a 1\nb 2\nc 3\n".to_owned()), says(markup.to_owned()));
    let place = Place::new();
    place.write("watchdog.yaml", "server: {listen: \"127.0.0.1:0\"}\n");
    let job = |name: &str, port: u16, more: &str| {
        format!(
            "- {{name: {name}, type: prometheus, url: \"http://127.0.0.1:{port}/\", interval: 1s, timeout: 1s{more}}}\n"
        )
    };
    let first = format!("monitors:\n{}", job("good", good, ""));
    place.write("monitors.d/jobs.yaml", &first);
    let server = place.serve();
    let here = server.http().to_owned();
    let scrapes = |all: &Series| all.values().map(Vec::len).min().unwrap_or(0);
    let before =
        wait_for("the good one", || Some(stored(&here, "good")).filter(|all| all.len() == 8 && scrapes(all) > 1));
    let memory = resident(server.pid());
    let all = first + &job("hostile", hostile, ", sample_limit: 1000") + &job("odd", odd, ", honor_labels: true");
    place.write("monitors.d/jobs.yaml", &all);
    let flooded = wait_for("the hostile one", || Some(stored(&here, "hostile")).filter(|all| scrapes(all) > 2));
    assert_eq!(flooded.len(), 5, "its reports alone: {:?}", flooded.keys());
    // The body of 2 MB in some copies; not 100,000 series.
    let grown = resident(server.pid()).saturating_sub(memory);
    assert!(grown < 150 << 10, "{grown} KiB");
    let strange = wait_for("the odd one", || Some(stored(&here, "odd")).filter(|all| all.len() > 5));
    let bounds: Vec<&str> = strange.keys().flatten().filter(|(k, _)| k == "le").map(|(_, v)| v.as_str()).collect();
    assert_eq!(bounds, ["+Inf", "-Inf", "<img src=x onerror=y>"]);
    let after = stored(&here, "good");
    assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
    assert!(
        strange.keys().any(|labels| labels.contains(&("__name__".to_owned(), "probe_success".to_owned()))),
        "under its own job"
    );
    assert_eq!(server.stop(), 0);
}

#[test]
fn protobuf_of_a_real_exporter_gives_the_series_that_its_text_gives() {
    let Some((_node, node)) = exporter() else { return };
    let place = Place::new();
    place.write("watchdog.yaml", "server: {listen: \"127.0.0.1:0\"}\n");
    let job = |name: &str, more: &str| {
        format!("- {{name: {name}, type: prometheus, url: \"http://127.0.0.1:{node}/metrics\", interval: 1s{more}}}\n")
    };
    let jobs = job("text", "") + &job("binary", ", scrape_protocols: [PrometheusProto]");
    place.write("monitors.d/jobs.yaml", &format!("monitors:\n{jobs}"));
    let server = place.serve();
    let here = server.http().to_owned();
    // Series without their job, and the values of those that do not change.
    let of = |name: &str| {
        let ready = wait_for("a scrape", || Some(stored(&here, name)).filter(|all| all.len() > 400));
        let fixed = ["node_boot_time_seconds", "node_memory_MemTotal_bytes", "node_uname_info", "go_info"];
        let mut series = Vec::new();
        for (mut labels, samples) in ready {
            labels.retain(|(k, _)| k != "job");
            let fixed = labels.iter().any(|(k, v)| k == "__name__" && fixed.contains(&v.as_str()));
            series.push((labels, fixed.then(|| samples[0].1)));
        }
        series
    };
    // What counts the exporter's own requests may be new by the second scrape.
    let own =
        |(labels, _): &(Vec<(String, String)>, Option<u64>)| !labels.iter().any(|(_, v)| v.starts_with("promhttp_"));
    let (mut text, mut binary) = (of("text"), of("binary"));
    text.retain(own);
    binary.retain(own);
    assert_eq!(text, binary);
    assert_eq!(text.iter().filter(|(_, value)| value.is_some()).count(), 4);
    assert_eq!(server.stop(), 0);
}
