//! The same scripts through the HTTP API of a running server: samples by remote write, queries as forms.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;
use tokio::runtime::Runtime;
use watchdog::base::labels::{Labels, METRIC_NAME};
use watchdog::base::protobuf::{put_bytes, put_double, put_int};
use watchdog::config::storage::QueryLimits;
use watchdog::promql::value::{Notes, Series, Times, Value, VectorSample};
use watchdog::tsdb::{Ack, Batch, Options};

use super::backend::{Backend, Samples};
use super::run::run;
use super::{ours, prometheus, script, scripts};
use crate::fake::{Fake, House, NOW, board};

/// A server, a new one for each `clear`.
struct Http {
    runtime: Runtime,
    house: Option<House>,
}

/// Scripts begin in 1970.
fn keep_all() -> Options {
    Options { retention: Duration::from_secs(100 * 365 * 86_400), ..Options::default() }
}

impl Http {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { runtime, house: None }
    }

    fn stop(&mut self) {
        if let Some(house) = self.house.take() {
            self.runtime.block_on(house.stop());
        }
    }

    fn house(&self) -> &House {
        self.house.as_ref().unwrap()
    }

    fn post(&self, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
        exchange(self.house().tcp, path, headers, body)
    }
}

fn exchange(to: SocketAddr, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(to).unwrap();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.0\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let split = reply.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&reply[9..12]).unwrap().parse().unwrap();
    (status, reply.split_off(split + 4))
}

fn message((labels, samples): &Samples) -> Vec<u8> {
    let mut series = Vec::new();
    for (name, value) in labels.iter() {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut series, 1, &label);
    }
    for (t, v) in samples {
        let mut sample = Vec::new();
        put_double(&mut sample, 1, *v);
        put_int(&mut sample, 2, t.cast_unsigned());
        put_bytes(&mut series, 2, &sample);
    }
    series
}

impl Backend for Http {
    fn clear(&mut self) {
        self.stop();
        self.house = Some(self.runtime.block_on(async {
            let engine = Fake::storing(board(1), keep_all());
            let limits = QueryLimits { experimental: true, max_samples: 1_000_000, ..QueryLimits::default() };
            engine.queries.configure(limits);
            House::of(Arc::clone(&engine)).await
        }));
    }

    fn load(&mut self, series: &[Samples]) {
        let (named, nameless): (Vec<_>, Vec<_>) = series.iter().partition(|(l, _)| l.get(METRIC_NAME).is_some());
        let mut request = Vec::new();
        named.iter().for_each(|s| put_bytes(&mut request, 1, &message(s)));
        let body = snap::raw::Encoder::new().compress_vec(&request).unwrap();
        let (status, reply) = self.post("/api/v1/write", "content-type: application/x-protobuf\r\n", &body);
        // 400 tells of duplicates, which scripts write on purpose.
        assert!(matches!(status, 204 | 400), "{status}: {}", String::from_utf8_lossy(&reply));
        // Remote write takes no series without a name.
        let mut batch = Batch::default();
        for (labels, samples) in nameless {
            batch.series(&labels.to_buf());
            samples.iter().for_each(|(t, v)| batch.push(*t, *v));
        }
        self.house().engine.store.open().unwrap().append(&batch, Ack::Written, NOW).unwrap();
    }

    fn query(&mut self, query: &str, at: Times) -> Result<(Value, Notes), String> {
        let seconds = |ms: i64| format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000));
        // A negative time has no such form; its milliseconds are whole seconds in all scripts.
        let seconds = |ms: i64| if ms < 0 { (ms as f64 / 1e3).to_string() } else { seconds(ms) };
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let (path, form) = match at {
            Times::Instant(t) => ("/api/v1/query", format!("query={query}&time={}", seconds(t))),
            Times::Range { start, end, step } => {
                let (start, end, step) = (seconds(start), seconds(end), seconds(step));
                ("/api/v1/query_range", format!("query={query}&start={start}&end={end}&step={step}"))
            }
        };
        let kind = "content-type: application/x-www-form-urlencoded\r\n";
        let (status, body) = self.post(path, kind, form.as_bytes());
        let body: Json = serde_json::from_slice(&body).unwrap();
        if status != 200 {
            let error = body["error"].as_str().unwrap();
            return Err(error.strip_prefix("invalid parameter \"query\": ").unwrap_or(error).to_owned());
        }
        Ok((value(&body["data"]), Notes { warnings: texts(&body["warnings"]), infos: texts(&body["infos"]) }))
    }
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|t| t.as_str().unwrap().to_owned()).collect()
}

fn value(data: &Json) -> Value {
    let result = &data["result"];
    let all = || result.as_array().unwrap().iter();
    match data["resultType"].as_str().unwrap() {
        "scalar" => {
            let (t, v) = point(result);
            Value::Scalar(t, v)
        }
        "string" => Value::String(time(&result[0]), result[1].as_str().unwrap().to_owned()),
        "vector" => Value::Vector(
            all()
                .map(|s| {
                    let (t, v) = point(&s["value"]);
                    VectorSample { labels: labels(&s["metric"]), t, v }
                })
                .collect(),
        ),
        "matrix" => Value::Matrix(
            all()
                .map(|s| Series {
                    labels: labels(&s["metric"]),
                    points: s["values"].as_array().unwrap().iter().map(point).collect(),
                })
                .collect(),
        ),
        other => panic!("{other}"),
    }
}

fn labels(metric: &Json) -> Labels {
    Labels::new(metric.as_object().unwrap().iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())))
}

fn point(pair: &Json) -> (i64, f64) {
    (time(&pair[0]), pair[1].as_str().unwrap().parse().unwrap())
}

fn time(seconds: &Json) -> i64 {
    (seconds.as_f64().unwrap() * 1e3).round() as i64
}

#[test]
fn the_same_scripts_pass_over_http() {
    let mut failures = Vec::new();
    let mut http = Http::new();
    for path in scripts(&ours()).into_iter().chain(scripts(&prometheus())) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let commands = script::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let report = run(&commands, &mut http);
        failures.extend(report.failures.into_iter().map(|f| format!("{name}: {f}")));
    }
    http.stop();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
