//! The store behind the real binary, hurt from outside: killed, its disk filled, its clock moved.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::server::{PATIENCE, exchange, wait_for};

mod clock;
mod damage;
mod disk;
mod kill;
mod numbered;

/// A connection that is kept between requests.
pub struct Link(BufReader<UnixStream>);

pub struct Reply {
    pub status: u16,
    /// Everything before the body, in lower case.
    pub head: String,
    pub body: String,
}

impl Link {
    pub fn open(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Samples as text, the way Prometheus' exposition writes them.
    pub fn import(&mut self, text: &str) -> std::io::Result<Reply> {
        self.post("/api/v1/import/prometheus", "Content-Type: text/plain", text.as_bytes())
    }

    /// Remote write 1.0: a `WriteRequest`, compressed.
    pub fn write(&mut self, message: &[u8]) -> std::io::Result<Reply> {
        let body = snap::raw::Encoder::new().compress_vec(message).unwrap();
        let kind = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
                    X-Prometheus-Remote-Write-Version: 0.1.0";
        self.post("/api/v1/write", kind, &body)
    }

    fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> std::io::Result<Reply> {
        let mut request =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\nContent-Length: {}\r\n\r\n", body.len())
                .into_bytes();
        request.extend_from_slice(body);
        self.0.get_mut().write_all(&request)?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        head.make_ascii_lowercase();
        let length =
            head.lines().find_map(|l| l.strip_prefix("content-length:")).map_or(0, |n| n.trim().parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Reply { status, head, body: String::from_utf8(body).unwrap() })
    }
}

/// The series of an instant query: labels, and samples as milliseconds and value.
pub fn query(socket: &Path, expr: &str, time_ms: i64) -> Vec<(Value, Vec<(i64, f64)>)> {
    let escaped: String = expr.bytes().map(|b| format!("%{b:02X}")).collect();
    let path =
        format!("/api/v1/query?query={escaped}&time={}.{:03}", time_ms.div_euclid(1_000), time_ms.rem_euclid(1_000));
    // A server says that it is ready before a store that takes long is open.
    let reply = wait_for("the store", || {
        let reply = exchange(socket, "GET", &path, "");
        let reply: Value = serde_json::from_str(&reply).unwrap_or_else(|e| panic!("{expr}: {e}: {reply}"));
        (reply["errorType"] != "unavailable").then_some(reply)
    });
    assert_eq!(reply["status"], "success", "{expr}: {reply}");
    let sample = |p: &Value| {
        let ms = p[0].as_f64().unwrap() * 1e3;
        (ms.round() as i64, p[1].as_str().unwrap().parse().unwrap())
    };
    reply["data"]["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            let samples = match &s["values"] {
                Value::Array(values) => values.iter().map(sample).collect(),
                _ => vec![sample(&s["value"])],
            };
            (s["metric"].clone(), samples)
        })
        .collect()
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}
