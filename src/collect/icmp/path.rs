//! The path to an address: who gives datagrams up that may pass one router, two, three ….
//!
//! Needs no privilege: UDP sockets hand over what routers say of their datagrams (`IP_RECVERR`). It is evidence,
//! not a check: routers may stay silent, and the path of one moment may differ from that of the next.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::time::{Instant, timeout_at};

use crate::collect::fault::Fault;
use crate::collect::icmp::socket::{Refusal, next_queued, watched};

/// The furthest that is looked.
const MAX_HOPS: u8 = 30;
/// Hops asked at once. Routers limit how many errors they send; the target should see few datagrams.
const AT_ONCE: u8 = 6;
/// How long hops asked at once may take.
const PATIENCE: Duration = Duration::from_millis(1_200);
/// Silent hops in a row after which nothing more is to be expected.
const MAX_SILENT: usize = 8;
/// The traditional ports of traceroute, on which nobody listens.
const FIRST_PORT: u16 = 33_434;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// How many routers a datagram was allowed to reach.
    pub ttl: u8,
    /// Who answered; `None` for silence.
    pub by: Option<IpAddr>,
    /// How fast.
    pub took: Option<Duration>,
    /// Why the path ends here, if it does before the target.
    pub end: Option<Errno>,
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>2}  ", self.ttl)?;
        match (self.by, self.took) {
            (Some(by), Some(took)) => write!(f, "{by}  {:.1} ms", took.as_secs_f64() * 1e3)?,
            (Some(by), None) => write!(f, "{by}")?,
            (None, _) => f.write_str("*")?,
        }
        match self.end {
            Some(errno) => write!(f, "  {}", errno.desc().to_lowercase()),
            None => Ok(()),
        }
    }
}

/// Follows the path until the target answers, somebody refuses, all are silent, or `deadline` has passed.
///
/// # Errors
/// This machine does not send.
pub async fn follow(to: IpAddr, deadline: Instant) -> Result<Vec<Hop>, Fault> {
    let mut path: Vec<Hop> = Vec::new();
    for first in (1..=MAX_HOPS).step_by(usize::from(AT_ONCE)) {
        let until = (Instant::now() + PATIENCE).min(deadline);
        let mut asked = FuturesUnordered::new();
        for ttl in first..(first + AT_ONCE).min(MAX_HOPS + 1) {
            asked.push(ask(to, ttl, until));
        }
        let mut hops = Vec::new();
        while let Some(hop) = asked.next().await {
            hops.push(hop?);
        }
        hops.sort_by_key(|h| h.ttl);
        for hop in hops {
            path.push(hop);
            if hop.by == Some(to) || hop.end.is_some() {
                return Ok(path);
            }
        }
        let silent = path.iter().rev().take_while(|h| h.by.is_none()).count();
        if silent >= MAX_SILENT || Instant::now() >= deadline {
            break;
        }
    }
    // What follows the last who answered says nothing.
    let known = path.iter().rposition(|h| h.by.is_some()).map_or(0, |last| last + 1);
    path.truncate((known + 1).max(1));
    Ok(path)
}

async fn ask(to: IpAddr, ttl: u8, until: Instant) -> Result<Hop, Fault> {
    let doing = || format!("following the path to {to}");
    let socket = socket(to, ttl).and_then(watched).map_err(|e| Fault::io(&doing(), &e))?;
    let sent = Instant::now();
    let silent = Hop { ttl, by: None, took: None, end: None };
    if let Err(e) = socket2::SockRef::from(&socket).send(&[0; 24]) {
        let errno = e.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
        return Ok(Hop { end: Some(errno), ..silent });
    }
    let heard = timeout_at(until, async {
        loop {
            let Ok(ready) = socket.ready(Interest::READABLE.add(Interest::ERROR)).await else { return None };
            if ready.is_error()
                && let Some(refusal) = next_queued(&socket)
            {
                return Some(refusal);
            }
            if ready.is_readable() {
                // Somebody listens there after all.
                return Some(Refusal { by: Some(to), errno: Errno::UnknownErrno, expired: false });
            }
        }
    });
    let Ok(Some(refusal)) = heard.await else { return Ok(silent) };
    let arrived = refusal.by == Some(to);
    let end = (!refusal.expired && !arrived).then_some(refusal.errno);
    Ok(Hop { ttl, by: refusal.by, took: Some(sent.elapsed()), end })
}

fn socket(to: IpAddr, ttl: u8) -> std::io::Result<Socket> {
    let domain = if to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if to.is_ipv4() {
        setsockopt(&socket, Ipv4RecvErr, &true)?;
        socket.set_ttl_v4(u32::from(ttl))?;
    } else {
        setsockopt(&socket, Ipv6RecvErr, &true)?;
        socket.set_unicast_hops_v6(u32::from(ttl))?;
    }
    socket.connect(&SocketAddr::new(to, FIRST_PORT + u16::from(ttl)).into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_path_to_this_machine_has_one_step() {
        for to in ["127.0.0.1", "::1"] {
            let to: IpAddr = to.parse().unwrap();
            let path = follow(to, Instant::now() + Duration::from_secs(5)).await.unwrap();
            assert_eq!((path.len(), path[0].ttl, path[0].by, path[0].end), (1, 1, Some(to), None));
        }
    }

    #[test]
    fn a_step_reads_well() {
        let by = Some("192.0.2.1".parse().unwrap());
        let hop = Hop { ttl: 3, by, took: Some(Duration::from_micros(1_540)), end: None };
        assert_eq!(hop.to_string(), " 3  192.0.2.1  1.5 ms");
        let end = Some(Errno::EHOSTUNREACH);
        assert_eq!(Hop { end, ..hop }.to_string(), " 3  192.0.2.1  1.5 ms  no route to host");
        assert_eq!(Hop { by: None, took: None, ..hop }.to_string(), " 3  *");
    }
}
