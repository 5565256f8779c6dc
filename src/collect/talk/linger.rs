//! Client crates that start tasks of their own get a stream that ends with the probe.
//!
//! A task that nobody owns would outlive the probe's future, and with it the connection. Its stream fails as soon as
//! the probe is gone, so that the task comes to its end by itself.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug, Default)]
struct State {
    gone: AtomicBool,
    /// Who waits on the stream. Locked for one replacement.
    waiting: Mutex<Option<Waker>>,
    /// The beginning of what was heard. Locked for one copy.
    first: Mutex<Vec<u8>>,
}

/// Bytes of the beginning that are kept: a banner.
const MAX_FIRST: usize = 1024;

/// Ends the stream when dropped: lives in the probe's future.
#[derive(Debug)]
pub struct Leash(Arc<State>);

impl Leash {
    /// The beginning of what was heard.
    pub fn first(&self) -> Vec<u8> {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Release);
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// A stream on a leash.
#[derive(Debug)]
pub struct Leashed<S> {
    inner: S,
    state: Arc<State>,
}

/// Puts a stream on a leash.
pub fn leash<S>(inner: S) -> (Leash, Leashed<S>) {
    let state = Arc::<State>::default();
    (Leash(Arc::clone(&state)), Leashed { inner, state })
}

impl<S: AsyncRead + Unpin> AsyncRead for Leashed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        *self.state.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if self.state.gone.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        let new = &buf.filled()[before..];
        let mut first = self.state.first.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_FIRST - first.len();
        first.extend_from_slice(&new[..new.len().min(room)]);
        drop(first);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Leashed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_the_stream_is_woken_when_the_probe_is_gone() {
        let (near, _far) = tokio::io::duplex(64);
        let (leash, mut stream) = leash(near);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { stream.read_u8().await });
        tokio::task::yield_now().await;
        drop(leash);
        let ended = tasks.join_next().await.unwrap().unwrap();
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
}
