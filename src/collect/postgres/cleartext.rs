//! Keeps a password from being told where somebody may listen.
//!
//! The client crate tells it to whatever server asks (`AuthenticationCleartextPassword`), and has no option to refuse.
//! So what the server says is looked at on its way to the client, up to the end of the login, and a stream that holds
//! this question fails before the client sees it.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Type and length of a message (PostgreSQL's documentation, message formats).
const HEAD: usize = 5;
/// What follows in a message about the login: its number.
const NUMBER: usize = 4;

/// The server asks for the password itself.
#[derive(Debug, thiserror::Error)]
#[error("the server asks for the password in clear text")]
struct Asks;

/// Whether an error of the client's has this cause.
pub fn is_cause(err: &(dyn Error + 'static)) -> bool {
    let mut at = Some(err);
    while let Some(err) = at {
        let inner = err.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|e| e.downcast_ref::<Asks>().is_some()) {
            return true;
        }
        at = err.source();
    }
    false
}

/// A stream that fails when the server asks.
#[derive(Debug)]
pub struct Guarded<S> {
    inner: S,
    /// Nothing where the password may be told.
    watch: Option<Watch>,
}

impl<S> Guarded<S> {
    /// Lets everything pass when `tells`.
    pub fn new(inner: S, tells: bool) -> Self {
        Self { inner, watch: (!tells).then(Watch::default) }
    }
}

/// Where in the server's messages we are.
#[derive(Debug, Default)]
struct Watch {
    /// The beginning of a message.
    head: Vec<u8>,
    /// Bytes of the message that are of no interest.
    skip: usize,
    /// The login is over.
    done: bool,
}

impl Watch {
    /// Looks at what comes next; true when it holds the question.
    fn sees(&mut self, mut bytes: &[u8]) -> bool {
        while !self.done && !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let Some((next, rest)) = bytes.split_first() else { break };
            bytes = rest;
            self.head.push(*next);
            let [tag, a, b, c, d, number @ ..] = self.head.as_slice() else { continue };
            // The length counts itself and what follows it.
            let length = (u32::from_be_bytes([*a, *b, *c, *d]) as usize).saturating_sub(HEAD - 1);
            let (is_login, known) = (*tag == b'R' && length >= NUMBER, number.len());
            if is_login && known < NUMBER {
                continue;
            }
            match (is_login, number) {
                (true, [0, 0, 0, 3]) => return true,
                (true, [0, 0, 0, 0]) => self.done = true,
                _ => {}
            }
            self.skip = length - known;
            self.head.clear();
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.watch.as_mut().is_some_and(|watch| watch.sees(&buf.filled()[before..])) {
            buf.set_filled(before);
            return Poll::Ready(Err(io::Error::other(Asks)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
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
    use super::*;

    #[test]
    fn the_question_is_seen_however_it_comes() {
        const NOTICE: &[u8] = b"N\0\0\0\x08MR\0\0";
        const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
        const SALT: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
        const CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
        for (said, want) in [
            (vec![CLEAR], true),
            (vec![NOTICE, CLEAR], true),
            (vec![SALT, CLEAR], true),
            (vec![b"R\0\0\0\x04", CLEAR], true),
            (vec![OK, CLEAR], false),
            (vec![SALT, OK], false),
            (vec![b"N\xff\xff\xff\xff", CLEAR], false),
        ] {
            let said = said.concat();
            for piece in 1..=said.len() {
                let mut watch = Watch::default();
                assert_eq!(said.chunks(piece).any(|c| watch.sees(c)), want, "{said:?} by {piece}");
            }
        }
    }
}
