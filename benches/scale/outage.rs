//! How soon an outage of one second is seen.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::get;

const HOST: Ipv4Addr = Ipv4Addr::new(127, 3, 0, 1);
const LASTS: Duration = Duration::from_secs(1);
/// An outage that was not seen by then was missed.
const PATIENCE: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A target of its own, asked every second.
pub struct Victim {
    port: u16,
    listener: Option<TcpListener>,
}

impl Victim {
    /// Opens the target and writes its monitor.
    pub fn new(dir: &Path) -> Self {
        // What connects waits in the kernel's queue: nobody needs to take it.
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let text =
            format!("monitors:\n  - {{name: victim, type: tcp, host: \"{HOST}:{port}\", interval: 1s, timeout: 1s}}\n");
        fs::write(dir.join("monitors.d/victim.yaml"), text).unwrap();
        Self { port, listener: Some(listener) }
    }

    /// Lets the target be away for a second, `times` times at moments that nobody knows, and says how it went.
    pub fn run(&mut self, socket: &Path, times: u64) -> String {
        let mut seen = Vec::new();
        for _ in 0..times {
            thread::sleep(Duration::from_millis(fastrand::u64(1_500..2_500)));
            seen.extend(self.outage(socket));
        }
        seen.sort();
        let at = |q: f64| seen.get(((seen.len() as f64 * q) as usize).min(seen.len().saturating_sub(1)));
        let mut text = format!("{} of {times}", seen.len());
        for (name, q) in [("median", 0.5), ("p99", 0.99), ("longest", 1.0)] {
            write!(text, ", {name} {:.0} ms", at(q).map_or(0.0, |d| d.as_secs_f64() * 1e3)).unwrap();
        }
        text
    }

    /// Time from the target's end to a result that says so.
    fn outage(&mut self, socket: &Path) -> Option<Duration> {
        drop(self.listener.take());
        let begun = Instant::now();
        let mut seen = None;
        while begun.elapsed() < PATIENCE && (seen.is_none() || self.listener.is_none()) {
            if self.listener.is_none() && begun.elapsed() >= LASTS {
                self.listener = Some(TcpListener::bind(SocketAddrV4::new(HOST, self.port)).unwrap());
            }
            if seen.is_none() && is_down(&get(socket, "/api/v1/monitors/victim")) {
                seen = Some(begun.elapsed());
            }
            thread::sleep(LOOK_EVERY);
        }
        seen
    }
}

fn is_down(reply: &str) -> bool {
    let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let detail: serde_json::Value = serde_json::from_str(body).unwrap();
    detail["last"]["verdict"] == "down"
}
