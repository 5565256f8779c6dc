//! A client that keeps one connection and reads every reply to its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// `http://host:port/path`, taken apart.
#[derive(Clone, Debug)]
pub struct Url {
    pub host: String,
    pub path: String,
}

impl Url {
    pub fn new(text: &str) -> Self {
        let rest = text.strip_prefix("http://").unwrap_or_else(|| panic!("{text} does not begin with http://"));
        let at = rest.find('/').unwrap_or(rest.len());
        Self { host: rest[..at].to_owned(), path: rest[at..].to_owned() }
    }
}

/// One connection. A peer that closes it ends the measurement.
pub struct Client {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(host: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Self { host: host.to_owned(), stream: BufReader::with_capacity(256 << 10, stream) })
    }

    /// Sends a request and reads the whole reply; gives its status and puts its body in `body`.
    pub fn send(&mut self, head: &str, payload: &[u8], body: &mut Vec<u8>) -> std::io::Result<u16> {
        let mut request = format!("{head} HTTP/1.1\r\nHost: {}\r\n", self.host).into_bytes();
        if !payload.is_empty() {
            write!(
                request,
                "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
                 X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {}\r\n",
                payload.len()
            )?;
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(payload);
        self.stream.get_mut().write_all(&request)?;
        self.reply(body)
    }

    fn reply(&mut self, body: &mut Vec<u8>) -> std::io::Result<u16> {
        body.clear();
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| bad(&status))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                None => break,
                Some(("content-length", n)) => length = n.trim().parse().map_err(|_| bad(n))?,
                Some(("transfer-encoding", how)) => chunked = how.trim() == "chunked",
                Some(_) => {}
            }
        }
        while chunked {
            let line = self.line()?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| bad(&line))?;
            self.read(size, body)?;
            self.line()?;
            chunked = size > 0;
        }
        self.read(length, body)?;
        Ok(status)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn read(&mut self, size: usize, body: &mut Vec<u8>) -> std::io::Result<()> {
        let old = body.len();
        body.resize(old + size, 0);
        self.stream.read_exact(&mut body[old..])
    }
}

fn bad(text: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, text.to_owned())
}

/// `text` as the value of a query parameter.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}
