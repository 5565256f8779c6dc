//! The queries of the table, asked of all servers in turn.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use crate::http::{Client, Url, escape};
use crate::{Options, row};

/// Series by their labels; a point is its time in seconds and its value.
type Matrix = BTreeMap<String, Vec<(f64, f64)>>;

/// One query with the milliseconds that each server took.
struct Asked {
    name: &'static str,
    expr: String,
    took: Vec<Vec<f64>>,
}

/// All queries, and a connection to every server.
pub struct Answers<'a> {
    o: &'a Options,
    clients: Vec<(Client, Url)>,
    asked: Vec<Asked>,
}

impl<'a> Answers<'a> {
    pub fn new(o: &'a Options) -> Self {
        let w = o.window;
        // Twenty hosts with ten series each; where there are fewer hosts, all of them.
        let twenty = r#"instance=~"host-0[01][0-9].*",mode=~"user|system|idle|iowait|softirq""#;
        let asked = [
            ("one series", r#"node_load1{instance="host-000.example.com:9100"}"#.to_owned()),
            ("rate, 20 hosts x 10 series", format!("rate(node_cpu_seconds_total{{{twenty}}}[{w}s])")),
            (
                "sum by (instance) (rate)",
                format!(r#"sum by (instance) (rate(node_cpu_seconds_total{{mode="user"}}[{w}s]))"#),
            ),
            (
                "regex, topk(5, sum by (device) (rate))",
                format!(
                    r#"topk(5, sum by (device) (rate(node_network_receive_bytes_total{{device=~"eth.*|veth.*"}}[{w}s])))"#
                ),
            ),
            (
                "max by (instance) (max_over_time)",
                format!("max by (instance) (max_over_time(node_filesystem_avail_bytes[{}s]))", 12 * w),
            ),
            (
                "quantile by (mode) (0.95, rate)",
                format!(
                    r#"quantile by (mode) (0.95, rate(node_cpu_seconds_total{{cpu="0",mode=~"user|system"}}[{w}s]))"#
                ),
            ),
            ("all series: count by (instance)", r#"count by (instance) ({job="node"})"#.to_owned()),
        ];
        let took = || vec![Vec::new(); o.servers.len()];
        let asked = asked.map(|(name, expr)| Asked { name, expr, took: took() }).into();
        let connect = |query: &str| {
            let url = Url::new(query);
            (Client::connect(&url.host).unwrap(), url)
        };
        Self { o, clients: o.servers.iter().map(|s| connect(&s.query)).collect(), asked }
    }

    /// Asks everything once, unmeasured, and says where an answer differs from the first server's.
    pub fn compare(&mut self) {
        for i in 0..self.asked.len() {
            let mut first: Option<Matrix> = None;
            for server in 0..self.clients.len() {
                let got = matrix(&self.ask(i, server));
                let name = &self.o.servers[server].name;
                match &first {
                    None => first = Some(got),
                    Some(first) => {
                        if let Some(how) = differ(first, &got) {
                            println!(
                                "  `{}`: {name} differs from {}: {how}",
                                self.asked[i].name, self.o.servers[0].name
                            );
                        }
                    }
                }
            }
        }
    }

    /// Asks everything of every server, `repeat` times in turn.
    pub fn measure(&mut self, repeat: usize) {
        for _ in 0..repeat {
            for i in 0..self.asked.len() {
                for server in 0..self.clients.len() {
                    let begun = Instant::now();
                    let body = self.ask(i, server);
                    self.asked[i].took[server].push(begun.elapsed().as_secs_f64() * 1e3);
                    assert!(body.starts_with(b"{\"status\":\"success\""), "{}", String::from_utf8_lossy(&body));
                }
            }
        }
    }

    pub fn print(&mut self) {
        for asked in &mut self.asked {
            asked.took.iter_mut().for_each(|t| t.sort_by(f64::total_cmp));
            let at = |t: &[f64], q: f64| t[((t.len() - 1) as f64 * q).round() as usize];
            row(
                &format!("{}, ms (p95)", asked.name),
                asked.took.iter().map(|t| format!("{:.2} ({:.2})", at(t, 0.5), at(t, 0.95))),
            );
        }
    }

    fn ask(&mut self, i: usize, server: usize) -> Vec<u8> {
        let o = self.o;
        let (client, url) = &mut self.clients[server];
        let head = format!(
            "GET {}/api/v1/query_range?query={}&start={}&end={}&step={}&nocache=1",
            url.path,
            escape(&self.asked[i].expr),
            o.start(),
            o.start() + o.scrapes * o.interval,
            o.step
        );
        let mut body = Vec::new();
        let status = client.send(&head, &[], &mut body).expect("the server closed the connection");
        assert_eq!(status, 200, "{}: {}", self.asked[i].expr, String::from_utf8_lossy(&body));
        body
    }
}

fn matrix(body: &[u8]) -> Matrix {
    let answer: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(answer["data"]["resultType"], "matrix");
    let point = |p: &Value| (p[0].as_f64().unwrap(), p[1].as_str().unwrap().parse().unwrap());
    let series = answer["data"]["result"].as_array().unwrap().iter();
    // `serde_json` keeps an object's keys sorted.
    series.map(|s| (s["metric"].to_string(), s["values"].as_array().unwrap().iter().map(point).collect())).collect()
}

/// How two answers differ, if they do: in series, in points, or in values by more than rounding.
fn differ(a: &Matrix, b: &Matrix) -> Option<String> {
    let points = |m: &Matrix| m.values().map(Vec::len).sum::<usize>();
    let counts = |m: &Matrix| format!("{} series, {} points", m.len(), points(m));
    if a.is_empty() || !a.keys().eq(b.keys()) || points(a) != points(b) {
        return Some(format!("{} against {}", counts(b), counts(a)));
    }
    let pairs = a.values().flatten().zip(b.values().flatten());
    let off = pairs.map(|(a, b)| (a.1 - b.1).abs() / a.1.abs().max(1e-9)).fold(0.0, f64::max);
    (off > 1e-9).then(|| format!("values by up to {:.3} %", off * 100.0))
}
