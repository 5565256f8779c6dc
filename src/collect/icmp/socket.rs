//! A socket that sends echo requests to one address and takes what comes back.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt::{
    Ipv4RecvErr, Ipv4RecvTtl, Ipv6DontFrag, Ipv6RecvErr, Ipv6RecvHopLimit, ReceiveTimestampns, SetStruct,
};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::base::clock::Clock;
use crate::collect::fault::{Fault, describe};
use crate::collect::icmp::packet::{HEADER, MAX_PAYLOAD, Reply, request, strip_ipv4};

/// Room for an IP header with all its options.
const MAX_IP_HEADER: usize = 60;

nix::setsockopt_impl!(MtuDiscover4, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::c_int, SetStruct<libc::c_int>);
nix::setsockopt_impl!(MtuDiscover6, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::c_int, SetStruct<libc::c_int>);

/// `IP_MTU_DISCOVER`.
#[derive(Clone, Copy, Debug)]
struct MtuDiscover4;

/// `IPV6_MTU_DISCOVER`.
#[derive(Clone, Copy, Debug)]
struct MtuDiscover6;

/// The socket.
#[derive(Debug)]
pub struct Echo {
    /// No UDP is spoken here: it is the type with which tokio watches any socket of datagrams.
    fd: UdpSocket,
    raw: bool,
    to: IpAddr,
    ident: u16,
    buffer: Vec<u8>,
}

/// What came in.
#[derive(Debug)]
pub enum Heard<'a> {
    /// An echo reply of the address that was asked; whether its bytes are ours is not checked here.
    Reply {
        /// The request's number.
        seq: u16,
        /// What was sent back.
        payload: &'a [u8],
        /// TTL or hop limit that was left.
        hops: Option<u8>,
        /// When it came in.
        at: Arrival,
    },
    /// A router, or this machine, gave a packet up.
    Refused {
        /// Who says so, when it was not this machine.
        by: Option<IpAddr>,
        /// What it means.
        errno: Errno,
    },
    /// Something that is not for us.
    Foreign,
}

impl Echo {
    /// Opens a socket that talks to `to` alone.
    ///
    /// # Errors
    /// No privilege, no way to the address, or no file descriptor left.
    pub fn open(to: IpAddr, ttl: Option<u8>, dont_fragment: bool, payload: usize) -> Result<Self, Fault> {
        let (socket, raw) = self::open(to)?;
        let size = payload.min(MAX_PAYLOAD) + HEADER + MAX_IP_HEADER;
        let ready = set_up(&socket, to, ttl, dont_fragment);
        ready.map_err(|e| Fault::towards(to, &format!("preparing to ping {to}"), &e))?;
        let fd = watched(socket).map_err(|e| Fault::io(&format!("preparing to ping {to}"), &e))?;
        // One byte more than can be right shows what is too long.
        Ok(Self { fd, raw, to, ident: fastrand::u16(..), buffer: vec![0; size + 1] })
    }

    /// Sends a request. Requests are small and few: a full buffer is an error, not a reason to wait.
    ///
    /// # Errors
    /// The system's.
    pub fn send(&self, seq: u16, payload: &[u8]) -> io::Result<()> {
        let bytes = request(self.to.is_ipv6(), self.ident, seq, payload);
        // What was said of an earlier packet may stand in the way of this one, once.
        let again =
            |e: &io::Error| matches!(e.kind(), io::ErrorKind::HostUnreachable | io::ErrorKind::ConnectionRefused);
        match send_now(&self.fd, &bytes) {
            Err(e) if again(&e) => send_now(&self.fd, &bytes),
            sent => sent,
        }
    }

    /// Waits for what comes in. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// The system's, which is none of those that [`Heard::Refused`] tells.
    pub async fn hear(&mut self) -> io::Result<Heard<'_>> {
        let received = loop {
            let ready = self.fd.ready(Interest::READABLE.add(Interest::ERROR)).await?;
            if ready.is_readable() {
                let (fd, buffer) = (&self.fd, &mut self.buffer);
                match fd.try_io(Interest::READABLE, || Ok(receive(fd, buffer, MsgFlags::empty())?)) {
                    Ok(received) => break received,
                    Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                    // The error that stands at the socket; who sent it stands in its queue.
                    Err(e) => {
                        let errno = e.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
                        let Refusal { by, errno, .. } =
                            queued(&self.fd).unwrap_or(Refusal { by: None, errno, expired: false });
                        return Ok(Heard::Refused { by, errno });
                    }
                }
            }
            if ready.is_error()
                && let Some(Refusal { by, errno, .. }) = next_queued(&self.fd)
            {
                return Ok(Heard::Refused { by, errno });
            }
        };
        if received.from.is_some_and(|ip| ip != self.to) {
            return Ok(Heard::Foreign);
        }
        match received.reply(self.raw, self.to.is_ipv6(), &self.buffer) {
            Some((hops, reply)) if !self.raw || reply.ident == self.ident => {
                Ok(Heard::Reply { seq: reply.seq, payload: reply.payload, hops, at: received.arrival() })
            }
            Some(_) | None => Ok(Heard::Foreign),
        }
    }
}

/// A socket of the address' family, of datagrams where that is allowed. Whether it is a raw one.
///
/// # Errors
/// No privilege, or no file descriptor left.
pub(super) fn open(to: IpAddr) -> Result<(Socket, bool), Fault> {
    let (domain, protocol) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let first = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => return Ok((socket, false)),
        Err(e) => e,
    };
    match Socket::new(domain, Type::RAW, Some(protocol)) {
        Ok(socket) => Ok((socket, true)),
        Err(e) if matches!(e.raw_os_error().map(Errno::from_raw), Some(Errno::EPERM | Errno::EACCES)) => {
            Err(not_allowed(&first))
        }
        Err(e) => Err(Fault::io("opening a socket of ICMP", &e)),
    }
}

fn not_allowed(why: &io::Error) -> Fault {
    let message = format!(
        "ping is not allowed here ({}): let the group of this program into `net.ipv4.ping_group_range` (e.g. \
         `sysctl net.ipv4.ping_group_range=\"0 2147483647\"`), or give the program CAP_NET_RAW",
        describe(why)
    );
    Fault::local("local_denied", message)
}

/// When a message came in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it was read.
    read: Instant,
    /// How long before that, by the wall clock, which may have been set meanwhile.
    waited: Duration,
}

impl Arrival {
    /// It was read at this time, after it had waited for so long.
    pub const fn new(read: Instant, waited: Duration) -> Self {
        Self { read, waited }
    }

    /// When the kernel had it, of an answer to what left at `asked`. Many that come at once wait for each other to be
    /// read, which is no part of their way.
    pub fn at(self, asked: Instant) -> Instant {
        self.read.checked_sub(self.waited).filter(|at| *at >= asked).unwrap_or(self.read)
    }
}

/// Nobody waits in a call; errors, and how far and until when a packet came, are told.
pub(super) fn listen_for_errors(socket: &Socket, v6: bool) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // Where the system has no such stamps, a reply came when it was read.
    let _ = setsockopt(socket, ReceiveTimestampns, &true);
    if v6 {
        setsockopt(socket, Ipv6RecvErr, &true)?;
        setsockopt(socket, Ipv6RecvHopLimit, &true)?;
    } else {
        setsockopt(socket, Ipv4RecvErr, &true)?;
        setsockopt(socket, Ipv4RecvTtl, &true)?;
    }
    Ok(())
}

fn set_up(socket: &Socket, to: IpAddr, ttl: Option<u8>, dont_fragment: bool) -> io::Result<()> {
    listen_for_errors(socket, to.is_ipv6())?;
    match to {
        IpAddr::V4(_) => {
            if let Some(ttl) = ttl {
                socket.set_ttl_v4(u32::from(ttl))?;
            }
            if dont_fragment {
                setsockopt(socket, MtuDiscover4, &libc::IP_PMTUDISC_DO)?;
            }
        }
        IpAddr::V6(_) => {
            if let Some(ttl) = ttl {
                socket.set_unicast_hops_v6(u32::from(ttl))?;
            }
            if dont_fragment {
                setsockopt(socket, MtuDiscover6, &libc::IPV6_PMTUDISC_DO)?;
                setsockopt(socket, Ipv6DontFrag, &true)?;
            }
        }
    }
    // A connected raw socket gets what comes from this address, not every reply to the machine.
    socket.connect(&SocketAddr::new(to, 0).into())
}

/// One message off a socket.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) length: usize,
    /// Who sent it; in an error queue, to whom the packet was sent.
    pub(super) from: Option<IpAddr>,
    pub(super) refused: Option<Refusal>,
    hops: Option<u8>,
    /// Of the kernel, since the epoch.
    stamp: Option<Duration>,
}

impl Received {
    /// When it came in.
    pub(super) fn arrival(&self) -> Arrival {
        let waited = self.stamp.map(|stamp| Clock::system().since_epoch().saturating_sub(stamp));
        Arrival::new(Instant::now(), waited.unwrap_or_default())
    }

    /// The echo reply that stands in `buffer`, and its TTL or hop limit.
    pub(super) fn reply<'b>(&self, raw: bool, v6: bool, buffer: &'b [u8]) -> Option<(Option<u8>, Reply<'b>)> {
        let bytes = buffer.get(..self.length)?;
        let (hops, message) = match raw && !v6 {
            true => strip_ipv4(bytes).map(|(ttl, message)| (Some(ttl), message))?,
            false => (self.hops, bytes),
        };
        Some((hops, Reply::read(v6, message)?))
    }
}

/// What an error queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Who sent the ICMP error; `None` for this machine.
    pub(super) by: Option<IpAddr>,
    /// What the kernel makes of it.
    pub(super) errno: Errno,
    /// Whether a packet died on its way: the hop limit was used up.
    pub(super) expired: bool,
}

/// Room for what the kernel says of a message, aligned as its parts are.
#[repr(align(8))]
struct Control([u8; 320]);

pub(super) fn receive(socket: &impl AsRawFd, buffer: &mut [u8], flags: MsgFlags) -> nix::Result<Received> {
    let mut control = Control([0; 320]);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control.0), flags)?;
    let mut received = Received { length: message.bytes, ..Received::default() };
    received.from = message.address.as_ref().and_then(address);
    for part in message.cmsgs()? {
        match part {
            ControlMessageOwned::Ipv4Ttl(n) | ControlMessageOwned::Ipv6HopLimit(n) => {
                received.hops = u8::try_from(n).ok();
            }
            ControlMessageOwned::Ipv4RecvErr(e, by) => {
                let by = by.map(|a| IpAddr::V4(u32::from_be(a.sin_addr.s_addr).into()));
                let expired = e.ee_origin == libc::SO_EE_ORIGIN_ICMP && e.ee_type == 11;
                received.refused = Some(refusal_of(&e, by, libc::SO_EE_ORIGIN_ICMP, expired));
            }
            ControlMessageOwned::Ipv6RecvErr(e, by) => {
                let by = by.map(|a| IpAddr::V6(a.sin6_addr.s6_addr.into()));
                let expired = e.ee_origin == libc::SO_EE_ORIGIN_ICMP6 && e.ee_type == 3;
                received.refused = Some(refusal_of(&e, by, libc::SO_EE_ORIGIN_ICMP6, expired));
            }
            ControlMessageOwned::ScmTimestampns(at) => received.stamp = Some(Duration::from(at)),
            _ => {}
        }
    }
    Ok(received)
}

fn refusal_of(e: &libc::sock_extended_err, by: Option<IpAddr>, remote: u8, expired: bool) -> Refusal {
    let by = by.filter(|_| e.ee_origin == remote);
    Refusal { by, errno: Errno::from_raw(i32::try_from(e.ee_errno).unwrap_or(0)), expired }
}

fn address(storage: &SockaddrStorage) -> Option<IpAddr> {
    match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
        (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
        (None, Some(v6)) => Some(IpAddr::V6(v6.ip())),
        (None, None) => None,
    }
}

/// The next error in a socket's queue.
pub(super) fn queued(socket: &impl AsRawFd) -> Option<Refusal> {
    // The packet that the error is about comes along; none of it is needed.
    let mut buffer = [0; 64];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    receive(socket, &mut buffer, flags).ok()?.refused
}

/// The same of a socket that is watched, which sleeps again when there is none.
pub(super) fn next_queued(socket: &UdpSocket) -> Option<Refusal> {
    let next = || queued(socket).ok_or_else(|| io::ErrorKind::WouldBlock.into());
    let found = socket.try_io(Interest::ERROR, next).ok();
    // The same error stands at the socket, too, where it would be the next call's.
    let _ = socket.take_error();
    found
}

/// Lets the runtime watch a socket.
pub(super) fn watched(socket: Socket) -> io::Result<UdpSocket> {
    UdpSocket::from_std(std::net::UdpSocket::from(socket))
}

fn send_now(socket: &UdpSocket, bytes: &[u8]) -> io::Result<()> {
    socket2::SockRef::from(socket).send(bytes).map(drop)
}
