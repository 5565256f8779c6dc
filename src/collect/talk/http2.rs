//! One exchange over HTTP/2, within the probe's own task.
//!
//! hyper hands parts of its work to an executor. They are kept here and polled beside the connection, so that
//! dropping the probe's future ends all of them.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::Builder;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::collect::fault::Fault;

/// Bytes of a head.
const MAX_HEAD: u32 = 64 * 1024;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes hyper's work. Its own pieces hold it, so that it must not hold them.
#[derive(Clone)]
struct Inline(Weak<Mutex<Vec<Work>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Inline {
    fn execute(&self, work: F) {
        if let Some(queue) = self.0.upgrade() {
            queue.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(work));
        }
    }
}

/// An answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Status of the head.
    pub status: StatusCode,
    /// Headers of the head.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// What came after the body.
    pub trailers: HeaderMap,
}

/// Asks and reads the answer into `answer`, as far as it comes.
///
/// # Errors
/// The peer does not speak HTTP/2, not to the end, or says more than `max_body`.
pub async fn ask<S>(stream: S, request: Request<Full<Bytes>>, max_body: usize, answer: &mut Answer) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let queue: Arc<Mutex<Vec<Work>>> = Arc::default();
    let mut builder = Builder::new(Inline(Arc::downgrade(&queue)));
    builder.max_header_list_size(MAX_HEAD);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| fault(&e))?;
    let exchange = async {
        let (head, mut body) = sender.send_request(request).await.map_err(|e| fault(&e))?.into_parts();
        answer.status = head.status;
        answer.headers = head.headers;
        while let Some(frame) = body.frame().await {
            match frame.map_err(|e| fault(&e))?.into_data() {
                Ok(data) if answer.body.len() + data.len() > max_body => {
                    return Err(Fault::target("too_much", format!("the answer is longer than {max_body} bytes")));
                }
                Ok(data) => answer.body.extend_from_slice(&data),
                Err(other) => answer.trailers.extend(other.into_trailers().unwrap_or_default()),
            }
        }
        Ok(())
    };
    let (mut connection, mut exchange) = (pin!(connection), pin!(exchange));
    let mut running: FuturesUnordered<Work> = FuturesUnordered::new();
    let mut gone = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = exchange.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        // The connection's own error reaches the exchange through hyper's channel.
        gone = gone || connection.as_mut().poll(cx).is_ready();
        loop {
            let new = std::mem::take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner));
            let none = new.is_empty();
            running.extend(new);
            while let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {}
            if none {
                break;
            }
        }
        exchange.as_mut().poll(cx)
    })
    .await
}

fn fault(err: &hyper::Error) -> Fault {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(err);
    while let Some(e) = next {
        if let Some(io) = e.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::UnexpectedEof => closed(),
                _ => Fault::io("speaking HTTP/2", io),
            };
        }
        next = e.source();
    }
    if err.is_closed() || err.is_canceled() || err.is_incomplete_message() {
        return closed();
    }
    let detail = crate::base::failure::Chain(err).to_string();
    Fault::target("protocol_error", format!("the peer does not speak HTTP/2: {detail}"))
}

fn closed() -> Fault {
    Fault::target("connection_closed", "the peer closed the connection before its answer was complete")
}
