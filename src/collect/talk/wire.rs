//! A connection as protocols of lines and packets see it: bounded, remembered, and turned into TLS on demand.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::base::time::Timestamp;
use crate::collect::dial::Bounded;
use crate::collect::fault::Fault;
use crate::collect::tls::TlsSpec;
use crate::collect::trace::Trace;

/// Bytes that one conversation may hear.
pub const MAX_HEARD: usize = 64 * 1024;

/// Everything the peer said, and how much of it was understood so far.
#[derive(Debug, Default)]
pub struct Heard {
    /// All bytes, at most [`MAX_HEARD`].
    pub bytes: Vec<u8>,
    taken: usize,
    /// No line ends before here: a peer that drips does not make us look at everything again.
    searched: usize,
}

impl Heard {
    /// What was not taken yet.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Counts `n` further bytes as understood.
    pub fn take(&mut self, n: usize) {
        self.taken = (self.taken + n).min(self.bytes.len());
    }

    /// The next whole line without its end, if there is one; takes it.
    pub fn line(&mut self) -> Option<String> {
        let from = self.searched.max(self.taken);
        self.searched = self.bytes.len();
        let end = from + self.bytes[from..].iter().position(|b| *b == b'\n')?;
        let line = &self.bytes[self.taken..end];
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        self.taken = end + 1;
        self.searched = self.taken;
        Some(line)
    }
}

/// A stream before or after its handshake.
#[derive(Debug)]
pub enum Stream<S = Bounded> {
    /// As connected.
    Plain(S),
    /// Encrypted.
    Tls(Box<TlsStream<S>>),
    /// Lost in a handshake that failed.
    Gone,
}

/// A conversation.
#[derive(Debug)]
pub struct Wire<'h, S> {
    stream: Stream<S>,
    /// What was heard; lent, so that it outlives the conversation.
    pub heard: &'h mut Heard,
}

impl<'h, S: AsyncRead + AsyncWrite + Unpin> Wire<'h, S> {
    /// Over a connection.
    pub fn new(stream: Stream<S>, heard: &'h mut Heard) -> Self {
        Self { stream, heard }
    }

    /// Over a connection, encrypted from its start with `tls`.
    ///
    /// # Errors
    /// Those of the handshake.
    pub async fn open(
        stream: S,
        tls: Option<(&TlsSpec, &str)>,
        now: Timestamp,
        trace: &mut Trace,
        heard: &'h mut Heard,
    ) -> Result<Self, Fault> {
        let stream = match tls {
            None => Stream::Plain(stream),
            Some((tls, host)) => Stream::Tls(Box::new(tls.handshake_as(stream, host, now, trace).await?)),
        };
        Ok(Self { stream, heard })
    }

    /// Sends everything.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let send = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        send.await.map_err(|e: io::Error| Fault::io("sending", &e))
    }

    /// Waits for more; 0 at the end.
    ///
    /// # Errors
    /// The connection broke, or more than [`MAX_HEARD`] came.
    pub async fn hear(&mut self) -> Result<usize, Fault> {
        let room = MAX_HEARD - self.heard.bytes.len();
        if room == 0 {
            return Err(Fault::target("too_much", "the peer said more than 64 KiB without coming to the point"));
        }
        let mut limited = (&mut self.stream).take(room as u64);
        limited.read_buf(&mut self.heard.bytes).await.map_err(|e| Fault::io("reading the answer", &e))
    }

    /// The next line.
    ///
    /// # Errors
    /// The connection ended or broke first.
    pub async fn line(&mut self) -> Result<String, Fault> {
        loop {
            if let Some(line) = self.heard.line() {
                return Ok(line);
            }
            if self.hear().await? == 0 {
                return Err(closed());
            }
        }
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// The connection ended or broke first.
    pub async fn exactly(&mut self, n: usize) -> Result<Vec<u8>, Fault> {
        while self.heard.rest().len() < n {
            if self.hear().await? == 0 {
                return Err(closed());
            }
        }
        let bytes = self.heard.rest()[..n].to_vec();
        self.heard.take(n);
        Ok(bytes)
    }

    /// Whether it is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// The phase `tls`, on a connection that was plain so far.
    ///
    /// # Errors
    /// Those of the handshake; and a peer that said more in the open than its consent, which would be taken as
    /// said under the protection of TLS.
    pub async fn encrypt(&mut self, tls: &TlsSpec, host: &str, now: Timestamp, trace: &mut Trace) -> Result<(), Fault> {
        if !self.heard.rest().is_empty() {
            let message = "the peer went on in the open after it agreed to TLS";
            return Err(Fault::target("starttls_injection", message));
        }
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(Fault::target("starttls", "the connection is encrypted already"));
        };
        self.stream = Stream::Tls(Box::new(tls.handshake_as(stream, host, now, trace).await?));
        Ok(())
    }

    /// The stream itself, for a client that reads on its own. What was heard beyond what was taken is lost.
    pub fn into_stream(self) -> Stream<S> {
        self.stream
    }
}

/// The end of a connection where more was due.
pub fn closed() -> Fault {
    Fault::target("connection_closed", "the peer closed the connection in the middle of the conversation")
}

fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            // Many servers end without TLS' farewell; what was said before counts.
            Self::Tls(s) => match Pin::new(s).poll_read(cx, buf) {
                Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                other => other,
            },
            Self::Gone => gone(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
            Self::Gone => gone(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
            Self::Gone => gone(),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
            Self::Gone => gone(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Self::Tls(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Self::Gone => gone(),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(s) => s.is_write_vectored(),
            Self::Tls(s) => s.is_write_vectored(),
            Self::Gone => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_or_without_a_carriage_return() {
        let mut heard = Heard { bytes: b"one\r\ntwo\nthr".to_vec(), ..Heard::default() };
        assert_eq!((heard.line().as_deref(), heard.line().as_deref()), (Some("one"), Some("two")));
        assert_eq!((heard.line(), heard.rest()), (None, b"thr".as_slice()));
    }

    #[tokio::test]
    async fn a_peer_that_never_comes_to_the_point_is_cut() {
        let mut heard = Heard::default();
        let (near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(&vec![b'x'; MAX_HEARD + 10]).await.unwrap();
        let mut wire = Wire::new(Stream::Plain(near), &mut heard);
        assert_eq!(wire.line().await.unwrap_err().class(), "too_much");
        assert_eq!(heard.bytes.len(), MAX_HEARD);
    }

    #[tokio::test]
    async fn a_peer_that_closes_is_told_apart_from_one_that_waits() {
        let mut heard = Heard::default();
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(b"ab").await.unwrap();
        drop(far);
        let mut wire = Wire::new(Stream::Plain(near), &mut heard);
        assert_eq!(wire.exactly(3).await.unwrap_err().class(), "connection_closed");
    }
}
