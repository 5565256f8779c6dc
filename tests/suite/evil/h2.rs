//! HTTP/2 spoken wrongly, frame by frame (RFC 9113).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use watchdog::task::supervisor::Supervisor;

/// Types of frames.
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

/// The flag of a block of headers that is complete.
pub const END_HEADERS: u8 = 4;
/// The flag of a stream that is over.
pub const END_STREAM: u8 = 1;

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = length[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// `:status` in HPACK, not indexed (RFC 7541, section 6.2.2).
pub fn status(code: &str) -> Vec<u8> {
    [&[8, 3], code.as_bytes()].concat()
}

/// A header in HPACK, not indexed, its name and value at most 126 bytes each.
pub fn header(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// A server that reads a request and then says `first`, and `again` for as long as anybody listens.
pub struct Server {
    /// `127.0.0.1:port`.
    pub at: String,
    _tasks: Supervisor,
}

impl Server {
    /// Starts one.
    pub async fn start(first: Vec<u8>, again: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let mut tasks = Supervisor::new(&CancellationToken::new());
        tasks.add("h2", |_| async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // A probe that hangs up early is what is wanted.
                let _ = serve(&mut stream, &first, &again).await;
            }
        });
        Self { at, _tasks: tasks }
    }
}

async fn serve(stream: &mut TcpStream, first: &[u8], again: &[u8]) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 24]).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize]).await?;
        match head[3] {
            SETTINGS if head[4] == 0 => stream.write_all(&frame(SETTINGS, 1, 0, &[])).await?,
            HEADERS => break,
            _ => {}
        }
    }
    stream.write_all(first).await?;
    while !again.is_empty() {
        stream.write_all(again).await?;
    }
    Ok(())
}
