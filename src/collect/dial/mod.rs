//! Names to addresses, addresses to connections: the only way in which kinds reach the network.
//!
//! A name is resolved once, each of its addresses is asked of the policy, and only those are dialled:
//! no second answer of a resolver can lead elsewhere.

mod cache;
mod lookup;
mod route;
#[cfg(test)]
pub(crate) mod testing;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::base::probe::ProbeCx;
use crate::collect::dial::cache::Names;
use crate::collect::fault::{Fault, describe};
use crate::collect::trace::{Trace, phase};

pub use self::lookup::{has_way, name_fault};
pub use self::route::{Route, servers};

/// How long one address has before the next is tried beside it (RFC 8305, section 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    host: Box<str>,
    port: u16,
    literal: Option<IpAddr>,
}

/// Why `host:port` was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// No host at all.
    #[error("the host is empty")]
    NoHost,
    /// No port where one is needed.
    #[error("`{0}` has no port")]
    NoPort(String),
    /// The port is not one.
    #[error("`{0}` is not a port from 1 to 65535")]
    BadPort(String),
    /// White space, a slash and the like.
    #[error("`{0}` is not a host name")]
    BadHost(String),
}

impl Peer {
    /// From a host (name, IPv4 or IPv6 address with or without brackets) and a port.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub fn new(host: &str, port: u16) -> Result<Self, PeerError> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if bare.is_empty() {
            return Err(PeerError::NoHost);
        }
        let literal: Option<IpAddr> = bare.parse().ok();
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        if literal.is_none() && (!bare.chars().all(is_name) || bare.len() > 253) {
            return Err(PeerError::BadHost(bare.to_owned()));
        }
        if port == 0 {
            return Err(PeerError::BadPort("0".to_owned()));
        }
        Ok(Self { host: bare.into(), port, literal })
    }

    /// A host without a port, for what has none.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub fn host_alone(host: &str) -> Result<Self, PeerError> {
        Ok(Self { port: 0, ..Self::new(host, 1)? })
    }

    /// From `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub fn parse(text: &str) -> Result<Self, PeerError> {
        match text.rsplit_once(':') {
            _ if text.contains('/') => Err(PeerError::BadHost(text.to_owned())),
            // An address of IPv6 without brackets: its last group is not a port.
            Some((host, _)) if host.contains(':') && !host.ends_with(']') => Err(PeerError::NoPort(text.to_owned())),
            Some((host, port)) => {
                let number = port.parse().map_err(|_| PeerError::BadPort(port.to_owned()))?;
                Self::new(host, number)
            }
            None => Err(PeerError::NoPort(text.to_owned())),
        }
    }

    /// The host without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.literal {
            _ if self.port == 0 => f.write_str(&self.host),
            Some(IpAddr::V6(a)) => write!(f, "[{a}]:{}", self.port),
            Some(IpAddr::V4(_)) | None => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Resolves and connects, by the system's way: the phases `resolve` and `connect`.
///
/// # Errors
/// The name has no address, or none of its addresses takes connections.
pub async fn open(peer: &Peer, cx: &ProbeCx, trace: &mut Trace) -> Result<Bounded, Fault> {
    // Building the default route costs nothing: it holds no resolver.
    open_by(peer, &Route::default(), cx, trace).await
}

/// The same by the way that a monitor's options give.
///
/// # Errors
/// As of [`open`].
pub async fn open_by(peer: &Peer, route: &Route, cx: &ProbeCx, trace: &mut Trace) -> Result<Bounded, Fault> {
    let addresses = addresses(peer, route, cx, trace).await?;
    trace.begin(phase::CONNECT);
    let stream = match addresses.as_slice() {
        [only] => {
            trace.tried.push(*only);
            TcpStream::connect(only).await.map_err(|e| Fault::connecting(*only, &e))?
        }
        several => race(several, trace).await?,
    };
    trace.peer = stream.peer_addr().ok();
    // A probe writes once and waits: there is nothing to coalesce. A failure costs only speed.
    let _ = stream.set_nodelay(true);
    trace.end();
    Ok(Bounded::new(stream, cx))
}

/// Resolves alone, for kinds that do not speak TCP: the phase `resolve`. The addresses stand in the order in
/// which they are to be tried, at least one, and the policy allows each.
///
/// # Errors
/// The name has no address, or may not be dialled.
pub async fn addresses(peer: &Peer, route: &Route, cx: &ProbeCx, trace: &mut Trace) -> Result<Vec<SocketAddr>, Fault> {
    trace.begin(phase::RESOLVE);
    trace.tried.clear();
    trace.peer = None;
    cx.way.dials(std::iter::empty());
    let addresses = match (route.pinned(peer.port), peer.literal) {
        (Some(pinned), _) => vec![as_written(pinned, cx)?],
        (None, Some(ip)) => vec![as_written(literal(ip, peer, route)?, cx)?],
        (None, None) => {
            if let Some(why) = cx.policy.refuses_port(peer.port) {
                return Err(Fault::blocked(why));
            }
            let found = resolve(peer, route, cx, trace).await?;
            // One address that may not be dialled is enough: which of them a name leads to is not ours to choose,
            // but whoever owns the name has chosen.
            match found.iter().find_map(|to| cx.policy.refuses(*to)) {
                Some(why) => return Err(Fault::blocked(why).led_by_target()),
                None => found,
            }
        }
    };
    cx.way.dials(addresses.iter().map(SocketAddr::ip));
    trace.end();
    Ok(addresses)
}

fn literal(ip: IpAddr, peer: &Peer, route: &Route) -> Result<SocketAddr, Fault> {
    match route.takes(ip, &[ip]) {
        true => Ok(SocketAddr::new(ip, peer.port)),
        false => Err(Fault::target("dns", format!("{ip} is not of the version of IP that `ip_version` asks for"))),
    }
}

async fn resolve(peer: &Peer, route: &Route, cx: &ProbeCx, trace: &mut Trace) -> Result<Vec<SocketAddr>, Fault> {
    let names = route.names().unwrap_or_else(|| Names::system());
    for server in names.servers() {
        as_written(*server, cx)?;
    }
    let families = route.families();
    let found = match names.known(&peer.host, families) {
        Some(found) => found,
        None => {
            // A monitor's own servers are no part of this machine.
            let ours = names.servers().is_empty();
            let found = names.find(&peer.host, families, |heard| trace.heard = ours.then_some(heard)).await;
            trace.heard = None;
            if ours && found.as_ref().is_err_and(Fault::is_in_doubt) {
                cx.way.doubt_lookup();
            }
            found?
        }
    };
    let wanted = found.iter().filter(|ip| route.takes(**ip, &found));
    Ok(wanted.map(|ip| SocketAddr::new(*ip, peer.port)).collect())
}

/// An address that the configuration gives, if it may be dialled.
fn as_written(to: SocketAddr, cx: &ProbeCx) -> Result<SocketAddr, Fault> {
    match cx.policy.refuses(to) {
        Some(why) => Err(Fault::blocked(why)),
        None => Ok(to),
    }
}

/// A connection that reads nothing after the deadline.
///
/// A peer that floods keeps its reader busy without a pause. Timers of a busy runtime fire late: with
/// endless `103` responses one of 300 ms fired more than 300 ms late. So each read asks the clock.
#[derive(Debug)]
pub struct Bounded<S = TcpStream> {
    stream: S,
    deadline: Instant,
}

impl<S> Bounded<S> {
    /// Any stream, until the probe's deadline.
    pub fn new(stream: S, cx: &ProbeCx) -> Self {
        Self { stream, deadline: cx.deadline }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Dropping the stream ends it just as well, and saves a system call of every probe.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Tries addresses in order, each with a head start before the next; the first connection wins.
async fn race(addresses: &[SocketAddr], trace: &mut Trace) -> Result<TcpStream, Fault> {
    let mut attempts = FuturesUnordered::new();
    let mut waiting = addresses.iter();
    let mut failures: Vec<(SocketAddr, std::io::Error)> = Vec::new();
    loop {
        if let Some(&next) = waiting.next() {
            trace.tried.push(next);
            attempts.push(async move { (next, TcpStream::connect(next).await) });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            // Dropping `next()` loses nothing: the attempts stay in the set.
            Some((address, result)) = attempts.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(e) => failures.push((address, e)),
            },
            () = sleep(ATTEMPT_DELAY), if more => {}
            else => {}
        }
        if attempts.is_empty() && !more {
            return Err(no_connection(&failures));
        }
    }
}

/// One fault for several addresses. If any failed for a reason of its own, the target is to blame:
/// a machine without IPv6 must not turn a refused IPv4 connection into `unknown`.
fn no_connection(failures: &[(SocketAddr, std::io::Error)]) -> Fault {
    let sorted = failures.iter().map(|(a, e)| Fault::connecting(*a, e));
    let mut all: Vec<Fault> = sorted.collect();
    all.sort_by_key(Fault::is_local);
    let list: Vec<String> = failures.iter().map(|(a, e)| format!("{a}: {}", describe(e))).collect();
    match all.into_iter().next() {
        Some(worst) if failures.len() == 1 => worst,
        Some(worst) => worst.with_message(format!("no address takes connections ({})", list.join("; "))),
        None => Fault::target("dns", "the name has no address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        #[track_caller]
        fn check(text: &str, want: Result<&str, PeerError>) {
            assert_eq!(Peer::parse(text).map(|p| p.to_string()), want.map(str::to_owned), "{text}");
        }
        check("db.example.com:5432", Ok("db.example.com:5432"));
        check("[::1]:80", Ok("[::1]:80"));
        check("192.0.2.1:80", Ok("192.0.2.1:80"));
        check("::1", Err(PeerError::NoPort("::1".into())));
        check("db", Err(PeerError::NoPort("db".into())));
        check("db:0", Err(PeerError::BadPort("0".into())));
        check("db:x", Err(PeerError::BadPort("x".into())));
        check(":80", Err(PeerError::NoHost));
        check("a b:80", Err(PeerError::BadHost("a b".into())));
    }

    #[test]
    fn a_remote_failure_outweighs_a_local_one() {
        use nix::errno::Errno;
        let v6: SocketAddr = "[::1]:80".parse().unwrap();
        let v4: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let mixed = [(v6, Errno::ENETDOWN.into()), (v4, Errno::ECONNREFUSED.into())];
        assert_eq!(no_connection(&mixed).class(), "connection_refused");
        let local = [(v6, Errno::ENETDOWN.into()), (v4, Errno::ENETDOWN.into())];
        assert!(no_connection(&local).is_local());
    }

    /// Probes `a.example` at a port that 127.0.0.1 and 127.0.0.2 listen on, of which the second is denied; gives the
    /// classes and how many connections each took.
    async fn rebound(says: impl Fn(usize) -> testing::Says + Send + 'static) -> (Vec<String>, [bool; 2], usize) {
        use crate::base::policy::Policy;
        use crate::collect::kinds::testing::{build, context};
        let first = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = first.local_addr().unwrap().port();
        let second = tokio::net::TcpListener::bind(("127.0.0.2", port)).await.unwrap();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let server =
            testing::NameServer::start(move |_| says(asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed))).await;
        let text = format!("{{host: \"a.example:{port}\", ip_version: 4, resolver: \"{}\"}}", server.at);
        let probe = build("tcp", &text).0.unwrap();
        let mut cx = context(Duration::from_secs(5));
        let deny = vec!["127.0.0.2/32".parse().unwrap()];
        cx.policy = std::sync::Arc::new(Policy { deny, ..Policy::default() });
        let mut classes = Vec::new();
        for _ in 0..2 {
            let got = probe.collector.probe(&cx).await;
            classes.push(got.reason.map_or_else(String::new, |r| r.class.into_owned()));
        }
        let took = async |listener: &tokio::net::TcpListener| {
            tokio::time::timeout(Duration::ZERO, listener.accept()).await.is_ok()
        };
        (classes, [took(&first).await, took(&second).await], server.asked("a.example."))
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_the_second_time_leads_past_no_policy() {
        let at = |n| if n == 0 { "127.0.0.1" } else { "127.0.0.2" };
        let got = rebound(move |n| testing::Says::A(at(n), 0)).await;
        assert_eq!(got, (vec![String::new(), "blocked_address".to_owned()], [true, false], 2));
        // One lookup, and its answer is what is dialled: a second one in between would be counted.
        let kept = rebound(move |n| testing::Says::A(at(n), 60)).await;
        assert_eq!(kept, (vec![String::new(); 2], [true, false], 1));
        let both = ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse().unwrap());
        let got = rebound(move |_| testing::Says::All(both.to_vec())).await;
        assert_eq!(got, (vec!["blocked_address".to_owned(); 2], [false, false], 1));
    }

    #[tokio::test]
    async fn the_address_that_answers_wins() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut trace = Trace::start();
        let stream = race(&[closed, good], &mut trace).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert_eq!(trace.tried, [closed, good]);
    }
}
