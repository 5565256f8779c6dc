//! Plain GETs for kinds that ask a service for facts: no redirects, no cookies, bounded answers.
//!
//! The connection is driven by the probe itself: dropping the probe closes it.

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::base::probe::ProbeCx;
use crate::collect::dial::{self, Peer, Route};
use crate::collect::fault::Fault;
use crate::collect::http::connection::{Driver, MAX_HEAD, MAX_HEADERS, fault};
use crate::collect::http::content::USER_AGENT;
use crate::collect::tls::TlsSpec;
use crate::collect::trace::{Trace, phase};

/// What came back. Everything in it is untrusted.
#[derive(Debug)]
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Vec<u8>,
}

type Connection<S> = http1::Connection<TokioIo<S>, Empty<Bytes>>;

/// A connection on which one request after another is asked.
pub struct Http<S: AsyncRead + AsyncWrite + Unpin> {
    sender: http1::SendRequest<Empty<Bytes>>,
    conn: Driver<Box<Connection<S>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    /// Speaks HTTP over this stream from now on.
    ///
    /// # Errors
    /// None that depend on the peer: nothing is sent yet.
    pub async fn over(stream: S) -> Result<Self, Fault> {
        let mut builder = http1::Builder::new();
        builder.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
        let (sender, conn) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| fault(&e))?;
        Ok(Self { sender, conn: Driver::new(Box::pin(conn)) })
    }

    /// Asks, and reads the whole answer. One of more than `max_body` bytes is refused: half of it could not be
    /// read. After an error the connection is of no more use.
    ///
    /// # Errors
    /// The peer does not answer in HTTP, or too much.
    pub async fn ask(
        &mut self,
        request: Request<Empty<Bytes>>,
        max_body: usize,
        trace: &mut Trace,
    ) -> Result<Page, Fault> {
        trace.begin(phase::PROCESSING);
        let Self { sender, conn } = self;
        let work = async move {
            sender.ready().await.map_err(|e| fault(&e))?;
            let answer = sender.send_request(request).await.map_err(|e| fault(&e))?;
            trace.begin(phase::TRANSFER);
            let (head, mut body) = answer.into_parts();
            let mut bytes = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|e| fault(&e))?.into_data() else { continue };
                if bytes.len() + data.len() > max_body {
                    return Err(Fault::target("too_large", format!("the answer has more than {max_body} bytes")));
                }
                bytes.extend_from_slice(&data);
            }
            trace.end();
            Ok(Page { status: head.status, headers: head.headers, body: bytes })
        };
        conn.drive(work).await
    }
}

/// Asks the address `url`, of which the host is dialled as every target's is, by `route`.
///
/// # Errors
/// There is no connection, no trust, or no usable answer.
pub async fn get(
    url: &Url,
    accept: &'static str,
    max_body: usize,
    tls: &TlsSpec,
    route: &Route,
    cx: &ProbeCx,
    trace: &mut Trace,
) -> Result<Page, Fault> {
    let bad = |why: &str| Fault::target("redirect_target", format!("`{url}` {why}"));
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(bad("has no host"));
    };
    let peer = Peer::new(host, port).map_err(|e| bad(&e.to_string()))?;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let named = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let request = Request::get(target)
        .header(header::HOST, named)
        .header(header::ACCEPT, accept)
        .header(header::USER_AGENT, USER_AGENT)
        .body(Empty::new())
        .map_err(|e| bad(&e.to_string()))?;
    let stream = dial::open_by(&peer, route, cx, trace).await?;
    match url.scheme() {
        "https" => {
            let stream = tls.handshake(stream, &peer, cx.now, trace).await?;
            Http::over(stream).await?.ask(request, max_body, trace).await
        }
        "http" => Http::over(stream).await?.ask(request, max_body, trace).await,
        _ => Err(bad("is neither http nor https")),
    }
}
