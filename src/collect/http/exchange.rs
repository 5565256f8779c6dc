//! One hop: resolve, connect (through a proxy), TLS, request, head, body.
//!
//! hyper's connection is driven by the probe itself, in the same task: dropping the probe's future
//! closes the socket, and nothing outlives it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::base::probe::ProbeCx;
use crate::collect::dial::{self, Route};
use crate::collect::fault::Fault;
use crate::collect::http::connection::{Driver, MAX_HEAD, MAX_HEADERS, fault, http2};
use crate::collect::http::hop::Hop;
use crate::collect::http::proxies::Proxies;
use crate::collect::talk::wire::Stream;
use crate::collect::tls::{Alpn, TlsSpec, alpn};
use crate::collect::trace::{Trace, phase};

/// What came back. Everything in it is untrusted.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The words after it, as sent.
    pub reason: String,
    /// HTTP/1.0, 1.1 or 2.
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
            Version::HTTP_2 => 2.0,
            _ => 1.1,
        }
    }

    /// `HTTP/1.1`.
    pub fn version_name(&self) -> &'static str {
        match self.http_version {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2",
            _ => "HTTP/1.1",
        }
    }

    /// `Content-Length`, when it says one number; answers that never have a body need none.
    pub fn content_length(&self) -> Option<u64> {
        if matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Some(0);
        }
        self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
    }

    /// `Last-Modified`, in seconds since the epoch.
    pub fn last_modified(&self) -> Option<i64> {
        let text = self.headers.get(header::LAST_MODIFIED)?.to_str().ok()?;
        jiff::fmt::rfc2822::parse(text).ok().map(|t| t.timestamp().as_second())
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

/// How a server is reached, and what is spoken with it.
#[derive(Clone, Debug)]
pub struct Client {
    /// On `https`.
    pub tls: TlsSpec,
    /// What may be spoken.
    pub spoken: Spoken,
    /// Who is asked to connect.
    pub proxies: Proxies,
    /// Bytes of a body that are read.
    pub max_body: usize,
    /// By which way they are reached.
    pub ways: Ways,
}

/// The way to the monitor's own host, for which an address may be given, and that to all others.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    route: Route,
    other_port: Route,
    elsewhere: Route,
}

impl Ways {
    /// The ways of a monitor.
    pub fn new(route: Route) -> Self {
        Self { other_port: route.on_other_port(), elsewhere: route.elsewhere(), route }
    }

    /// Those of a monitor's request to somebody else.
    #[must_use]
    pub fn strangers(&self) -> Self {
        Self::new(self.elsewhere.clone())
    }

    fn to(&self, hop: &Hop) -> &Route {
        match (hop.is_home_host(), hop.is_home_port()) {
            (true, true) => &self.route,
            (true, false) => &self.other_port,
            (false, _) => &self.elsewhere,
        }
    }

    /// The way to any other host.
    pub fn elsewhere(&self) -> &Route {
        &self.elsewhere
    }
}

/// The versions of HTTP that a probe may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.1, or what the server chooses during the TLS handshake.
    #[default]
    Any,
    /// HTTP/1.1 alone.
    One,
    /// HTTP/2 alone: chosen during the TLS handshake, or known beforehand without TLS (RFC 9113, section 3.3).
    Two,
}

/// Asks `hop` and reads the answer into `slot`, head first, so that a deadline leaves what was seen.
///
/// # Errors
/// No connection, no trust, or no HTTP.
pub async fn ask(
    client: &Client,
    hop: &Hop,
    cx: &ProbeCx,
    trace: &mut Trace,
    slot: &mut Option<Answer>,
) -> Result<(), Fault> {
    trace.cert = None;
    let proxy = client.proxies.of(hop);
    let proxied = match proxy {
        // A proxy that only passes requests on is told the whole address in each.
        Some(proxy) if !hop.is_tls() && client.spoken != Spoken::Two => proxy.passes(hop),
        Some(_) | None => None,
    };
    let way = client.ways.elsewhere();
    let stream = match (proxy, &proxied) {
        (None, _) => Stream::Plain(dial::open_by(&hop.peer, client.ways.to(hop), cx, trace).await?),
        (Some(proxy), Some(_)) => Box::pin(proxy.connect(hop, way, cx, trace)).await?,
        (Some(proxy), None) => Box::pin(proxy.tunnel(hop, way, cx, trace)).await?,
    };
    let max_body = client.max_body;
    if hop.is_tls() {
        // Who we are, and whom to expect, is for the monitor's own host: others get neither.
        let tls = if hop.is_tls_home() { Cow::Borrowed(&client.tls) } else { Cow::Owned(client.tls.for_strangers()) };
        // On the heap, as all that most probes do not come to: a thousand that hang hold room for the largest branch.
        let stream = Box::pin(tls.handshake(stream, &hop.peer, cx.now, trace)).await?;
        match client.spoken.on(stream.get_ref().1.alpn_protocol())? {
            Version::HTTP_2 => Box::pin(talk2(stream, hop, max_body, trace, slot)).await,
            _ => Box::pin(talk(stream, hop.request(), max_body, trace, slot)).await,
        }
    } else if client.spoken == Spoken::Two {
        Box::pin(talk2(stream, hop, max_body, trace, slot)).await
    } else {
        let passed_by = proxy.filter(|_| proxied.is_some());
        let told = talk(stream, proxied.unwrap_or_else(|| hop.request()), max_body, trace, slot).await;
        match passed_by {
            Some(proxy) if slot.is_none() => told.map_err(|fault| proxy.blame_unanswered(fault)),
            Some(_) | None => told,
        }
    }
}

impl Spoken {
    /// What a TLS handshake offers.
    pub fn alpn(self) -> Alpn {
        match self {
            Self::Any => alpn::HTTP2_OR_1,
            Self::One => alpn::HTTP1,
            Self::Two => alpn::HTTP2,
        }
    }

    /// What is spoken after a TLS handshake in which the server chose `alpn`.
    fn on(self, alpn: Option<&[u8]>) -> Result<Version, Fault> {
        match (self, alpn) {
            (Self::Two | Self::Any, Some(b"h2")) => Ok(Version::HTTP_2),
            (Self::Two, _) => {
                Err(Fault::target("http_version", "the server did not choose HTTP/2 during the TLS handshake"))
            }
            (Self::Any | Self::One, _) => Ok(Version::HTTP_11),
        }
    }
}

async fn talk<S>(
    stream: S,
    request: Request<Full<Bytes>>,
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
    let (mut sender, conn) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| fault(&e))?;
    let conn = std::pin::pin!(conn);
    let mut conn = Driver::new(conn);
    let response = conn.drive(sender.send_request(request)).await.map_err(|e| fault(&e))?;
    if chunked(response.headers()) > 1 {
        // hyper undoes one of them, and the body would not be what was sent (RFC 9112, section 6.1).
        return Err(Fault::target("protocol_error", "the answer is not HTTP: it is chunked more than once"));
    }
    receive(response, &mut conn, max_body, trace, slot).await
}

/// How often the transfer is chunked.
fn chunked(headers: &HeaderMap) -> usize {
    let all = headers.get_all(header::TRANSFER_ENCODING).iter();
    let words = all.flat_map(|v| v.as_bytes().split(|b| *b == b','));
    words.filter(|word| word.trim_ascii().eq_ignore_ascii_case(b"chunked")).count()
}

/// The same over HTTP/2.
async fn talk2<S>(
    stream: S,
    hop: &Hop,
    max_body: usize,
    trace: &mut Trace,
    slot: &mut Option<Answer>,
) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    trace.begin(phase::PROCESSING);
    let request = hop.request_h2().map_err(|e| Fault::target("protocol_error", format!("`Host`: {e}")))?;
    let (mut sender, conn) = http2(stream).await?;
    let conn = std::pin::pin!(conn);
    let mut conn = Driver::new(conn);
    let response = conn.drive(sender.send_request(request)).await.map_err(|e| fault(&e))?;
    if response.headers().len() > MAX_HEADERS {
        let message = format!("the answer's head has more than {MAX_HEADERS} headers");
        return Err(Fault::target("too_many_headers", message));
    }
    receive(response, &mut conn, max_body, trace, slot).await
}

/// Reads an answer whose head is there: the phase `transfer`.
///
/// # Errors
/// The body does not come to its end.
async fn receive<C: Future>(
    response: Response<Incoming>,
    conn: &mut Driver<&mut C>,
    max_body: usize,
    trace: &mut Trace,
    slot: &mut Option<Answer>,
) -> Result<(), Fault> {
    trace.begin(phase::TRANSFER);
    let (head, mut body) = response.into_parts();
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
        let frame = frame.map_err(|e| fault(&e))?;
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
