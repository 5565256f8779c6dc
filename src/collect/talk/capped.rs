//! Client crates buffer whatever length their peer announces: they get a stream that ends after so many bytes.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::collect::fault::Fault;
use crate::collect::tls::refusal::late_fault;

/// Bytes that clients of databases and brokers may read of one connection, all answers together.
pub const MAX_ANSWERS: usize = 1 << 20;

/// A stream from which only so much is read. It remembers why reading failed, for clients that hide it.
#[derive(Debug)]
pub struct Capped<S> {
    inner: S,
    left: usize,
    limit: usize,
    failed: Option<Fault>,
}

/// The error of a stream that has given all it may.
#[derive(Debug, thiserror::Error)]
#[error("the peer sent more than {} KiB", .0 / 1024)]
struct TooMuch(usize);

impl<S> Capped<S> {
    /// Reads at most `limit` bytes of `inner`, all answers together.
    pub fn new(inner: S, limit: usize) -> Self {
        Self { inner, left: limit, limit, failed: None }
    }

    /// Why reading failed, if it did.
    pub fn failed(&self) -> Option<Fault> {
        self.failed.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Capped<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = match self.left {
            0 => Poll::Ready(Err(io::Error::new(io::ErrorKind::FileTooLarge, TooMuch(self.limit)))),
            _ => Pin::new(&mut self.inner).poll_read(cx, buf),
        };
        self.left = self.left.saturating_sub(buf.filled().len() - before);
        if let Poll::Ready(Err(e)) = &done {
            self.failed = Some(stream_fault("reading the answer", e));
        }
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Capped<S> {
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

/// Sorts an error that a client crate gave; `None` when the connection is not what failed.
pub fn client_fault(doing: &str, err: &(dyn Error + 'static)) -> Option<Fault> {
    let mut at = Some(err);
    while let Some(err) = at {
        if let Some(io) = err.downcast_ref::<io::Error>() {
            return Some(stream_fault(doing, io));
        }
        at = err.source();
    }
    None
}

/// Sorts an error of a stream that a decoder may have made.
pub fn stream_fault(doing: &str, err: &io::Error) -> Fault {
    if let Some(refused) = late_fault(err) {
        return refused;
    }
    match err.kind() {
        io::ErrorKind::FileTooLarge => Fault::target("too_much", format!("{doing}: {err}")),
        io::ErrorKind::UnexpectedEof => {
            Fault::target("connection_closed", format!("{doing}: the peer closed the connection"))
        }
        // What decoders say of bytes that make no message. They may quote them at length.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            Fault::target("protocol_error", format!("{doing}: {}", crate::collect::judge::found(&err.to_string())))
        }
        _ => Fault::io(doing, err),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_floods_is_cut_off() {
        let (near, mut far) = tokio::io::duplex(64);
        let flood = async { while far.write_all(&[b'x'; 64]).await.is_ok() {} };
        let read = async {
            let (mut all, mut stream) = (Vec::new(), Capped::new(near, 1000));
            let err = stream.read_to_end(&mut all).await.unwrap_err();
            assert!((1000..1100).contains(&all.len()), "{}", all.len());
            assert_eq!(stream_fault("reading", &err).class(), "too_much");
            assert_eq!(stream.failed().unwrap().message(), "reading the answer: the peer sent more than 0 KiB");
        };
        tokio::join!(flood, read);
    }
}
