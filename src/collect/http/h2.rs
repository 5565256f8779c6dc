//! HTTP/2, within the probe's own task.
//!
//! hyper gives parts of its work to an executor. Here they are kept beside the connection and polled with it, so that
//! dropping the probe's future ends them all.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::collect::fault::Fault;
use crate::collect::http::exchange::{Answer, Driver, MAX_HEAD, MAX_HEADERS, http_fault, receive};
use crate::collect::http::hop::Hop;
use crate::collect::trace::{Trace, phase};

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

/// Asks over a connection that speaks HTTP/2.
///
/// # Errors
/// The peer does not speak it, or not to the end.
pub async fn talk<S>(
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
    let new = Arc::default();
    let mut tasks = Tasks { new: Arc::clone(&new), running: FuturesUnordered::new() };
    let mut builder = http2::Builder::new(Here(Arc::downgrade(&new)));
    builder.max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
    let (mut sender, conn) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| http_fault(&e))?;
    let mut conn = std::pin::pin!(conn);
    let mut gone = false;
    let whole = poll_fn(|cx| {
        gone = gone || conn.as_mut().poll(cx).is_ready();
        tasks.poll(cx);
        Poll::<()>::Pending
    });
    let mut driver = Driver { conn: std::pin::pin!(whole), done: false };
    let response = driver.drive(sender.send_request(request)).await.map_err(|e| http_fault(&e))?;
    if response.headers().len() > MAX_HEADERS {
        let message = format!("the answer's head has more than {MAX_HEADERS} headers");
        return Err(Fault::target("too_many_headers", message));
    }
    receive(response, &mut driver, max_body, trace, slot).await
}
