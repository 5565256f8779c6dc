//! One hop: resolve, connect, TLS, request, head, body.
//!
//! hyper's connection is driven by the probe itself, in the same task: dropping the probe's future
//! closes the socket, and nothing outlives it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::base::probe::ProbeCx;
use crate::collect::dial;
use crate::collect::fault::Fault;
use crate::collect::http::redirect::Hop;
use crate::collect::tls::TlsSpec;
use crate::collect::trace::{Trace, phase};

/// Headers of an answer. Real sites stay below 100.
const MAX_HEADERS: usize = 256;
/// Bytes of an answer's head.
const MAX_HEAD: usize = 64 * 1024;

/// What came back. Everything in it is untrusted.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The words after it, as sent.
    pub reason: String,
    /// HTTP/1.0 or 1.1.
    pub http_version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to the limit; decoded once [`super::decode`] has run.
    pub body: Vec<u8>,
    /// Whether there was more than that.
    pub truncated: bool,
    /// Whether an expression on the body failed; `None` without one.
    pub regex_failed: Option<bool>,
}

impl Answer {
    /// `1.1`.
    pub fn version(&self) -> f64 {
        match self.http_version {
            Version::HTTP_10 => 1.0,
            _ => 1.1,
        }
    }

    /// `Content-Length`, when it says one number.
    pub fn content_length(&self) -> Option<u64> {
        self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
    }

    /// The content encodings that stand in the way of reading the body.
    pub fn encodings(&self) -> Vec<String> {
        let all = self.headers.get_all(header::CONTENT_ENCODING).iter();
        let words = all.flat_map(|v| v.as_bytes().split(|b| *b == b','));
        let names = words.map(|w| String::from_utf8_lossy(w).trim().to_ascii_lowercase());
        names.filter(|n| !n.is_empty() && n != "identity").collect()
    }

    /// Whether the body is encoded.
    pub fn is_encoded(&self) -> bool {
        self.headers.contains_key(header::CONTENT_ENCODING)
    }

    /// `404 Not Found`.
    pub fn status_text(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.reason).trim_end().to_owned()
    }
}

/// Asks `hop` and reads the answer into `slot`, head first, so that a deadline leaves what was seen.
///
/// # Errors
/// No connection, no trust, or no HTTP.
pub async fn ask(
    hop: &Hop,
    tls: &TlsSpec,
    max_body: usize,
    cx: &ProbeCx,
    trace: &mut Trace,
    slot: &mut Option<Answer>,
) -> Result<(), Fault> {
    trace.cert = None;
    let stream = dial::open(&hop.peer, cx, trace).await?;
    if hop.is_tls() {
        let stream = tls.handshake(stream, &hop.peer, cx.now, trace).await?;
        talk(stream, hop, max_body, trace, slot).await
    } else {
        talk(stream, hop, max_body, trace, slot).await
    }
}

async fn talk<S>(
    stream: S,
    hop: &Hop,
    max_body: usize,
    trace: &mut Trace,
    slot: &mut Option<Answer>,
) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    trace.begin(phase::PROCESSING);
    let mut builder = http1::Builder::new();
    builder.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
    let (mut sender, conn) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| http_fault(&e))?;
    let mut conn = Driver { conn: std::pin::pin!(conn), done: false };
    let answer = conn.drive(sender.send_request(hop.request())).await.map_err(|e| http_fault(&e))?;
    trace.begin(phase::TRANSFER);
    let (head, mut body) = answer.into_parts();
    let phrase = head.extensions.get::<hyper::ext::ReasonPhrase>();
    let reason = match phrase {
        Some(phrase) => String::from_utf8_lossy(phrase.as_bytes()).into_owned(),
        None => head.status.canonical_reason().unwrap_or("").to_owned(),
    };
    let answer = slot.insert(Answer {
        status: head.status,
        reason,
        http_version: head.version,
        headers: head.headers,
        body: Vec::new(),
        truncated: false,
        regex_failed: None,
    });
    while let Some(frame) = conn.drive(body.frame()).await {
        let frame = frame.map_err(|e| http_fault(&e))?;
        let Ok(data) = frame.into_data() else { continue };
        let room = max_body - answer.body.len();
        answer.body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            // What was read is judged; the rest is not waited for.
            answer.truncated = true;
            break;
        }
    }
    trace.end();
    Ok(())
}

/// hyper's connection, polled beside whatever waits for it.
struct Driver<'a, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    conn: Pin<&'a mut http1::Connection<TokioIo<S>, Full<Bytes>>>,
    done: bool,
}

impl<S> Driver<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    async fn drive<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            if self.done {
                return Poll::Pending;
            }
            // The connection's own error reaches `work` through hyper's channel.
            self.done = self.conn.as_mut().poll(cx).is_ready();
            work.as_mut().poll(cx)
        })
        .await
    }
}

fn http_fault(err: &hyper::Error) -> Fault {
    if let Some(io) = source_io(err)
        && !err.is_parse()
    {
        return Fault::io("reading the answer", io);
    }
    if err.is_parse_too_large() {
        let message = format!("the answer's head has more than {MAX_HEADERS} headers or {} KiB", MAX_HEAD / 1024);
        return Fault::target("too_many_headers", message);
    }
    if ends_early(err) || err.is_incomplete_message() || err.is_closed() || err.is_canceled() {
        return Fault::target("connection_closed", "the peer closed the connection before its answer was complete");
    }
    let detail = crate::base::failure::Chain(err).to_string();
    Fault::target("protocol_error", format!("the answer is not HTTP: {detail}"))
}

/// Whether the connection ended within a body whose length was announced.
fn ends_early(err: &hyper::Error) -> bool {
    let mut next = std::error::Error::source(err);
    while let Some(e) = next {
        if e.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof) {
            return true;
        }
        next = e.source();
    }
    false
}

fn source_io(err: &hyper::Error) -> Option<&std::io::Error> {
    let mut next = std::error::Error::source(err);
    while let Some(e) = next {
        if let Some(io) = e.downcast_ref::<std::io::Error>() {
            // hyper wraps what a peer did wrong in an `io::Error` of its own making.
            return io.raw_os_error().map(|_| io);
        }
        next = e.source();
    }
    None
}
