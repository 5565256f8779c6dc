//! A server that does everything wrong, on purpose and within this process.
//!
//! Each path is one kind of misbehaviour; see [`serve`].

pub mod h2;
pub mod tls;

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use watchdog::task::supervisor::Supervisor;

/// 2 GiB of zeros in 2 MB: 512 gzip members of 4 MiB each, which decoders read as one.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| gzip(&vec![0; 4 << 20]).repeat(512));

/// The same of one encoder's: 64 MiB of zeros.
static ZLIB_BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 64 << 20]).unwrap();
    encoder.finish().unwrap()
});

/// The same by Brotli, in 84 bytes, with its largest window: `head -c 64M /dev/zero | brotli -w 24`.
const BROTLI_BOMB: &[u8] =
    b"\xcf\xff\xff\x7f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x9f\xff\xff\xff\x04\xf0\x0c\x46\x10\x18\x0e\xef\
    \xd3\xff\xff\xff\xe1\x9f\x00\x88\xc3\x22\x00\xdd\xfb\x7f\xfe\xff\xff\xc3\x3f\x01\x10\x87\x05\x00\xba\xf7\xff\x03";
/// `{"db": {"status": "up"}}` by Brotli.
const BROTLI: &[u8] = b"\x8f\x0b\x80{\"db\": {\"status\": \"up\"}}\x03";

/// A running server. Dropping it ends every connection.
pub struct Evil {
    /// `127.0.0.1:port`.
    pub at: String,
    /// Heads of the requests that came.
    pub seen: Arc<Mutex<Vec<String>>>,
    _tasks: Supervisor,
}

impl Evil {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let mut tasks = Supervisor::new(&CancellationToken::new());
        tasks.add("evil", |stop| async move {
            let mut connections = Supervisor::new(&stop);
            while let Ok((stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                connections.reap();
                connections.add("connection", |_| serve(stream, log));
            }
        });
        Self { at, seen, _tasks: tasks }
    }

    /// An address on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }
}

/// A gzip file.
pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Reads a request's head and its path.
pub async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 || head.len() > 64 * 1024 {
            return None;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split_whitespace().nth(1)?.to_owned();
    Some((head, path))
}

/// A whole answer.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<String>>>) {
    let Some((head, path)) = head(&mut stream).await else { return };
    log.lock().unwrap().push(head);
    if path == "/reset" {
        // Closing with unread data or a zero linger sends RST instead of FIN.
        stream.set_zero_linger().unwrap();
        return;
    }
    // A probe that hangs up early is what most of these paths provoke.
    let _ = misbehave(&mut stream, &path).await;
}

async fn misbehave<S: AsyncWrite + Unpin>(s: &mut S, path: &str) -> std::io::Result<()> {
    let redirect = |to: &str| answer("302 Found", &format!("Location: {to}\r\n"), b"");
    let whole = match path {
        "/bomb" => answer("200 OK", "Content-Encoding: gzip\r\n", &BOMB),
        "/bomb-zlib" => answer("200 OK", "Content-Encoding: deflate\r\n", &ZLIB_BOMB),
        // Without zlib's head and checksum.
        "/bomb-raw" => answer("200 OK", "Content-Encoding: deflate\r\n", &ZLIB_BOMB[2..ZLIB_BOMB.len() - 4]),
        "/gzip-twice" => {
            answer("200 OK", "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", &gzip(&gzip(b"hello")))
        }
        "/gzip-in-transfer" => {
            let body = gzip(b"hello");
            let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n{:x}\r\n", body.len());
            [head.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()
        }
        "/length-and-chunks" => {
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                .to_vec()
        }
        "/chunked-twice" => {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec()
        }
        "/nul-in-header" => b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "/gzip-gzip" => answer("200 OK", "Content-Encoding: gzip, gzip\r\n", &gzip(&gzip(b"hello"))),
        "/bomb-br" => answer("200 OK", "Content-Encoding: br\r\n", BROTLI_BOMB),
        "/br" => answer("200 OK", "Content-Encoding: br\r\n", BROTLI),
        "/br-cut" => answer("200 OK", "Content-Encoding: br\r\n", &BROTLI[..BROTLI.len() - 3]),
        "/br-and-more" => answer("200 OK", "Content-Encoding: br\r\n", &[BROTLI, b"x"].concat()),
        "/br-br" => answer("200 OK", "Content-Encoding: br, br\r\n", BROTLI),
        "/gzip" => answer("200 OK", "Content-Encoding: gzip\r\n", &gzip(b"{\"db\": {\"status\": \"up\"}}")),
        "/bad-length" => b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\nhello".to_vec(),
        "/two-lengths" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!".to_vec(),
        "/negative-length" => b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_vec(),
        "/bad-chunk" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n".to_vec(),
        "/short" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello".to_vec(),
        "/not-http" => b"220 mail.example.com ESMTP\r\n".to_vec(),
        "/nothing" => Vec::new(),
        "/folded" => b"HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "/100k-headers" => {
            let headers: String = (0..100_000).map(|i| format!("X-{i}: y\r\n")).collect();
            answer("200 OK", &headers, b"")
        }
        "/1mb-header" => answer("200 OK", &format!("X-Big: {}\r\n", "y".repeat(1 << 20)), b""),
        "/loop" => redirect("/loop-2"),
        "/loop-2" => redirect("/loop"),
        "/to-file" => redirect("file:///etc/passwd"),
        "/escapes-in-reason" => b"HTTP/1.1 500 \x9b2J\xe2\x80\xae\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "/control-in-reason" => b"HTTP/1.1 500 \x1b[2J\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "/escapes-in-header" => b"HTTP/1.1 500 Oh\r\nX-Evil: \x9b2J\xe2\x80\xae\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "/escapes-in-location" => {
            b"HTTP/1.1 302 Found\r\nLocation: evil:\x9b2J\xe2\x80\xae\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        "/escapes-in-body" => answer("500 Oh", "", b"\x1b]52;c;aGk=\x07\x9b2J\x1b]8;;file:///\x1b\\"),
        "/as" => answer("200 OK", "", "a".repeat(1 << 20).as_bytes()),
        "/as-then-b" => answer("200 OK", "", ("a".repeat((1 << 20) - 1) + "b").as_bytes()),
        "/nested-json" => {
            let text = "{\"a\":".repeat(126) + "[" + &"0,".repeat(10_000) + "0]" + &"}".repeat(126);
            answer("200 OK", "", text.as_bytes())
        }
        "/deep-json" => answer("200 OK", "", "[".repeat(500_000).as_bytes()),
        // So many headers, the length included.
        _ if path.starts_with("/headers/") => {
            let n: usize = path["/headers/".len()..].parse().unwrap_or(1);
            let headers: String = (1..n).map(|i| format!("X-{i}: y\r\n")).collect();
            answer("200 OK", &headers, b"")
        }
        _ if path.starts_with("/slow-chain/") => {
            sleep(Duration::from_millis(100)).await;
            match path["/slow-chain/".len()..].parse::<u32>() {
                Ok(n @ 1..) => redirect(&format!("/slow-chain/{}", n - 1)),
                _ => answer("200 OK", "", b"the end"),
            }
        }
        _ if path.starts_with("/chain/") => match path["/chain/".len()..].parse::<u32>() {
            Ok(n @ 1..) => redirect(&format!("/chain/{}", n - 1)),
            _ => answer("200 OK", "", b"the end"),
        },
        _ if path.starts_with("/to/") => redirect(&format!("http://{}", &path["/to/".len()..])),
        _ if path.starts_with("/echo") => {
            answer("500 Oh", "X-Sent: tok-resolved-TOKEN\r\n", b"you sent tok-resolved-TOKEN")
        }
        _ => return forever(s, path).await,
    };
    s.write_all(&whole).await?;
    s.flush().await
}

/// What never ends by itself.
async fn forever<S: AsyncWrite + Unpin>(s: &mut S, path: &str) -> std::io::Result<()> {
    let (first, again, pause): (&[u8], Vec<u8>, u64) = match path {
        "/endless" => (b"HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 64 * 1024], 0),
        "/drip" => (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x".to_vec(), 50),
        "/slow-headers" => (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n".to_vec(), 50),
        "/header-flood" => (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n".repeat(1_000), 0),
        "/1xx" => (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(100), 0),
        _ => (b"", Vec::new(), 1_000),
    };
    s.write_all(first).await?;
    loop {
        s.write_all(&again).await?;
        s.flush().await?;
        if pause > 0 {
            sleep(Duration::from_millis(pause)).await;
        }
    }
}
