//! hyper's connections within the probe's own task: dropping the probe's future ends them and all of their parts.
//!
//! HTTP/2 gives parts of its work to an executor. Here they are kept beside the connection and polled with it.

use std::future::poll_fn;
use std::ops::DerefMut;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::collect::fault::Fault;
use crate::collect::tls::refusal::tls_error;

/// Headers of an answer. Real sites stay below that by far.
pub const MAX_HEADERS: usize = 100;
/// Bytes of an answer's head.
pub const MAX_HEAD: usize = 64 * 1024;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where hyper puts its tasks. They hold an executor themselves, so it owns nothing: else they would never be freed.
#[derive(Clone)]
struct Here(Weak<Mutex<Vec<Task>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Here {
    fn execute(&self, task: F) {
        if let Some(new) = self.0.upgrade() {
            new.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(task));
        }
    }
}

/// The tasks of one connection.
struct Tasks {
    /// Locked for a push or a take; those that poll never hold it.
    new: Arc<Mutex<Vec<Task>>>,
    running: FuturesUnordered<Task>,
}

impl Tasks {
    fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            let new = std::mem::take(&mut *self.new.lock().unwrap_or_else(PoisonError::into_inner));
            let none = new.is_empty();
            self.running.extend(new);
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
            if none {
                return;
            }
        }
    }
}

/// Speaks HTTP/2 over a stream: what sends requests, and the connection, which must be driven and never ends.
///
/// # Errors
/// The peer does not speak it.
pub async fn http2<S>(stream: S) -> Result<(SendRequest<Full<Bytes>>, impl Future<Output = ()> + Send), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let new = Arc::default();
    let mut tasks = Tasks { new: Arc::clone(&new), running: FuturesUnordered::new() };
    let mut builder = Builder::new(Here(Arc::downgrade(&new)));
    builder.max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
    let (sender, conn) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| fault(&e))?;
    let mut conn = Box::pin(conn);
    let mut gone = false;
    let whole = poll_fn(move |cx| {
        gone = gone || conn.as_mut().poll(cx).is_ready();
        tasks.poll(cx);
        Poll::Pending
    });
    Ok((sender, whole))
}

/// hyper's connection, polled beside whatever waits for it.
pub struct Driver<P> {
    conn: Pin<P>,
    done: bool,
}

impl<P: DerefMut<Target: Future>> Driver<P> {
    /// Of a connection.
    pub fn new(conn: Pin<P>) -> Self {
        Self { conn, done: false }
    }

    /// Polls the connection until `work` is done.
    pub async fn drive<F: Future>(&mut self, work: F) -> F::Output {
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

/// Sorts an error of hyper.
pub fn fault(err: &hyper::Error) -> Fault {
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
    let message = match detail.strip_prefix("http2 error: ") {
        Some(detail) => format!("the peer broke HTTP/2 off, or speaks it wrongly: {detail}"),
        None => format!("the answer is not HTTP: {detail}"),
    };
    Fault::target("protocol_error", message)
}

/// Whether the connection ended within a body whose length was announced, or within HTTP/2.
fn ends_early(err: &hyper::Error) -> bool {
    let mut next = std::error::Error::source(err);
    while let Some(e) = next {
        let io = e.downcast_ref::<std::io::Error>().or_else(|| e.downcast_ref::<::h2::Error>()?.get_io());
        let kind = io.map(std::io::Error::kind);
        if matches!(kind, Some(std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::BrokenPipe)) {
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
            // hyper wraps what a peer did wrong in an `io::Error` of its own making; TLS does the same with what it
            // refuses after the handshake.
            // Our own deadline is one of ours.
            let ours = io.raw_os_error().is_some() || io.kind() == std::io::ErrorKind::TimedOut;
            return (ours || tls_error(io).is_some()).then_some(io);
        }
        next = e.source();
    }
    None
}
