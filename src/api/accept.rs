//! Takes connections, within limits, and speaks HTTP on each.
//!
//! Served by hand rather than by `axum::serve`, which keeps a half-sent header open for ever.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::api::Peer;
use crate::api::stall::WriteGuard;
use crate::base::failure::{Chain, Failure, Kind};
use crate::task::supervisor::Supervisor;

/// From connection to the first whole header, and from one request to the header of the next.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections of the Unix socket. Its own share, so that TCP clients never lock the owner out.
const UNIX_CONNECTIONS: usize = 256;
/// Connections of TCP; with the share above 1,024 in all.
const TCP_CONNECTIONS: usize = 768;
/// Connections of one TCP source address.
const PER_SOURCE: usize = 64;
/// Refusals that are being told at once.
const REFUSALS: usize = 32;
/// How long one may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of one request's head.
const HEAD_LIMIT: usize = 64 << 10;

/// What connections come from.
pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

enum Conn {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// Accepts until `stop`, then gives the open connections `grace` to finish.
pub(super) async fn run(listener: Listener, router: Router, stop: CancellationToken, grace: Duration) {
    let mut group = Supervisor::new(&stop);
    let mut refused = Supervisor::new(&stop);
    let mut pause = Duration::ZERO;
    let limits = Arc::new(Limits::default());
    loop {
        let accepted = tokio::select! {
            // Both kinds of `accept` are cancel-safe.
            a = listener.accept() => a,
            () = stop.cancelled() => break,
        };
        group.reap();
        refused.reap();
        let conn = match accepted {
            Ok(conn) => conn,
            Err(e) if is_the_clients_fault(&e) => continue,
            Err(e) => {
                // Out of file descriptors or memory: the connection stays in the queue, so asking again at
                // once would spin. It is logged once per spell.
                if pause.is_zero() {
                    tracing::error!(error = %e, "cannot accept connections");
                }
                pause = (pause * 2).clamp(Duration::from_millis(50), Duration::from_secs(1));
                tokio::select! {
                    () = sleep(pause) => {}
                    () = stop.cancelled() => break,
                }
                continue;
            }
        };
        pause = Duration::ZERO;
        let router = router.clone();
        match conn {
            Conn::Unix(stream) => match admit_unix(&stream, &group) {
                Ok(peer) => group.add("api connection", |stop| serve(stream, peer, router, stop)),
                Err(why) => turn_away(stream, &why, &mut refused),
            },
            Conn::Tcp(stream) => match admit_tcp(&stream, &limits, &group) {
                Ok((peer, place)) => group.add("api connection", |stop| async move {
                    serve(stream, peer, router, stop).await;
                    drop(place);
                }),
                Err(why) => turn_away(stream, &why, &mut refused),
            },
        }
    }
    drop(listener);
    let stuck = group.stop(grace).await;
    if stuck > 0 {
        tracing::debug!(stuck, "connections were cut off");
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Conn> {
        Ok(match self {
            Self::Unix(l) => Conn::Unix(l.accept().await?.0),
            Self::Tcp(l) => Conn::Tcp(l.accept().await?.0),
        })
    }
}

fn is_the_clients_fault(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn admit_unix(stream: &UnixStream, group: &Supervisor) -> Result<Peer, Failure> {
    let uid = stream.peer_cred().map_err(|e| Failure::new(Kind::Internal, &e))?.uid();
    let ours = nix::unistd::geteuid().as_raw();
    if uid != ours && uid != 0 {
        tracing::warn!(uid, "a foreign user was refused at the socket");
        let failure = Failure::text(Kind::Forbidden, format!("user {uid} may not use this socket"));
        return Err(failure.hint("call as the user that runs the server"));
    }
    if group.len() >= UNIX_CONNECTIONS {
        return Err(Failure::text(Kind::Unavailable, "too many connections"));
    }
    Ok(Peer::Unix { uid })
}

fn admit_tcp(stream: &TcpStream, limits: &Arc<Limits>, group: &Supervisor) -> Result<(Peer, Place), Failure> {
    let address = stream.peer_addr().map_err(|e| Failure::new(Kind::Internal, &e))?;
    if group.len() >= TCP_CONNECTIONS {
        return Err(Failure::text(Kind::Unavailable, "too many connections"));
    }
    let place = limits
        .enter(address.ip())
        .ok_or_else(|| Failure::text(Kind::Unavailable, format!("too many connections from {}", address.ip())))?;
    // Failing to turn off delays costs some milliseconds, nothing else.
    let _ = stream.set_nodelay(true);
    Ok((Peer::Tcp(address), place))
}

/// Says why and closes. In a crowd of the refused, the rest is closed without a word.
fn turn_away<S>(mut stream: S, why: &Failure, refused: &mut Supervisor)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if refused.len() >= REFUSALS {
        return;
    }
    let kind = why.kind();
    let body = serde_json::json!({
        "status": "error", "errorType": kind.error_type(), "error": why.message(), "hints": why.hints(),
    });
    let body = body.to_string();
    let reply = format!(
        "HTTP/1.1 {} Refused\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        kind.status(),
        body.len()
    );
    let talk = async move {
        stream.write_all(reply.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing on a request that was not read would take the reply away from its reader.
        tokio::io::copy(&mut (&mut stream).take(HEAD_LIMIT as u64), &mut tokio::io::sink()).await
    };
    refused.add("api refusal", |stop| async move {
        tokio::select! {
            // Who does not listen now has had a chance.
            _ = timeout(REFUSAL_TIMEOUT, talk) => {}
            () = stop.cancelled() => {}
        }
    });
}

/// One connection until its end.
async fn serve<S>(stream: S, peer: Peer, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let asked = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&asked);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        mark.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request.map(Body::new))
    });
    let builder = protocol();
    let conn = builder.serve_connection_with_upgrades(TokioIo::new(WriteGuard::new(stream)), service);
    tokio::pin!(conn);
    // The protocol's own timer starts when the protocol is known, that is never for a silent client.
    let first = sleep(HEADER_TIMEOUT);
    tokio::pin!(first);
    let (mut waited, mut closing) = (false, false);
    loop {
        // None of these futures is dropped before the end of the loop.
        tokio::select! {
            end = conn.as_mut() => {
                if let Err(e) = end {
                    tracing::debug!(error = %Chain(&*e), "a connection ended early");
                }
                return;
            }
            () = first.as_mut(), if !waited => {
                waited = true;
                if !asked.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = stop.cancelled(), if !closing => {
                closing = true;
                conn.as_mut().graceful_shutdown();
            }
        }
    }
}

fn protocol() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEAD_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(32)
        .max_header_list_size(16 << 10);
    builder
}

/// Counts connections by source address.
#[derive(Default)]
struct Limits {
    /// Leaf data, held for a map operation only.
    by_source: Mutex<HashMap<IpAddr, usize>>,
}

impl Limits {
    fn enter(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let mut map = self.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        let count = map.entry(source).or_insert(0);
        if *count >= PER_SOURCE {
            return None;
        }
        *count += 1;
        Some(Place { limits: Arc::clone(self), source })
    }
}

/// One counted connection; dropping it frees the place.
struct Place {
    limits: Arc<Limits>,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut map = self.limits.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = map.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                map.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let limits = Arc::new(Limits::default());
        let source = IpAddr::from([127, 0, 0, 1]);
        let places: Vec<_> = std::iter::from_fn(|| limits.enter(source)).collect();
        assert_eq!(places.len(), PER_SOURCE);
        assert!(limits.enter(IpAddr::from([127, 0, 0, 2])).is_some(), "others still have theirs");
        drop(places);
        assert!(limits.enter(source).is_some());
        assert!(limits.by_source.lock().unwrap().is_empty());
    }
}
