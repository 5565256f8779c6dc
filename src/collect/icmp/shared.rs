//! One socket for all bursts of a family.
//!
//! To open and close a socket costs more than a request and its reply, and of raw sockets each gets whatever comes in
//! for any. What belongs to whom is told by address and number; a filter in the kernel keeps out what is
//! not for this socket, and what its buffer could not hold is counted, so that nobody is blamed for it.
//! Cost per request: one entry while it waits; per reply one lookup and a copy.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, RxqOvfl};
use nix::sys::socket::{MsgFlags, setsockopt};
use socket2::{SockFilter, SockRef, Socket};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::collect::fault::Fault;
use crate::collect::icmp::packet::{HEADER, request};
use crate::collect::icmp::socket::{self, Heard, Received};

/// The largest payload that is sent through a shared socket: what fits into one packet nearly everywhere.
pub(super) const MAX_SHARED: usize = 1_400;
/// Room for a reply with its IP header, and for more than can be right.
const ROOM: usize = 2_048;
/// Bytes of replies that may wait to be read: those of some thousand bursts that begin at once.
const BACKLOG: usize = 4 << 20;
/// A socket that nobody waits at stays open for this long.
const LINGER: Duration = Duration::from_secs(30);
/// Replies read before others have their turn.
const AT_ONCE: usize = 64;
/// What others' packets met on their way is told to whoever sends next; so often it is not taken for the truth.
const TRIES: usize = 4;
/// Messages that one burst has not looked at.
const UNREAD: usize = 256;

/// The open sockets. Each belongs to the runtime that watches it.
static OPEN: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Entry {
    runtime: Id,
    v6: bool,
    socket: Weak<Shared>,
    listener: AbortHandle,
}

/// A socket that sends to any address of its family.
#[derive(Debug)]
struct Shared {
    /// See [`socket::Echo`].
    fd: UdpSocket,
    raw: bool,
    v6: bool,
    ident: u16,
    waiting: Mutex<Waiting>,
    /// Replies that the buffer could not hold, ever.
    overflowed: AtomicU32,
}

/// The requests on their way.
#[derive(Debug, Default)]
struct Waiting {
    next: u16,
    by: HashMap<(IpAddr, u16), Place, ahash::RandomState>,
}

/// Whose request it is, and which of its own.
#[derive(Debug)]
struct Place {
    inbox: Arc<Inbox>,
    seq: u16,
}

/// What came in for one burst.
#[derive(Debug, Default)]
struct Inbox {
    messages: Mutex<VecDeque<Message>>,
    arrived: Notify,
}

#[derive(Debug)]
enum Message {
    Reply { seq: u16, payload: Box<[u8]>, hops: Option<u8>, at: Instant },
    Refused { by: Option<IpAddr>, errno: Errno },
}

/// One burst's part of a shared socket. What comes in after it is dropped goes nowhere.
#[derive(Debug)]
pub(super) struct Share {
    socket: Arc<Shared>,
    to: IpAddr,
    inbox: Arc<Inbox>,
    sent: Vec<u16>,
    overflowed: u32,
    current: Option<Message>,
}

impl Share {
    /// Takes part in the socket of this family, and opens it if need be.
    ///
    /// # Errors
    /// No privilege, or no file descriptor left.
    pub(super) fn open(to: IpAddr) -> Result<Self, Fault> {
        let socket = Shared::get(to)?;
        let overflowed = socket.overflowed.load(Ordering::Relaxed);
        Ok(Self { socket, to, inbox: Arc::default(), sent: Vec::new(), overflowed, current: None })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The system's, which may be about another's packet, however unlikely.
    pub(super) fn send(&mut self, seq: u16, payload: &[u8]) -> io::Result<()> {
        let number = self.socket.waiting().add(self.to, Place { inbox: Arc::clone(&self.inbox), seq });
        let number = number.ok_or(Errno::ENOBUFS)?;
        self.sent.push(number);
        let bytes = request(self.socket.v6, self.socket.ident, number, payload);
        self.socket.send(self.to, &bytes)
    }

    /// Waits for what comes in. May be dropped while it waits: nothing is lost.
    pub(super) async fn hear(&mut self) -> Heard<'_> {
        let message = loop {
            if let Some(message) = lock(&self.inbox.messages).pop_front() {
                break message;
            }
            self.inbox.arrived.notified().await;
        };
        match &*self.current.insert(message) {
            Message::Reply { seq, payload, hops, at } => Heard::Reply { seq: *seq, payload, hops: *hops, at: *at },
            Message::Refused { by, errno } => Heard::Refused { by: *by, errno: *errno },
        }
    }

    /// Whether replies were lost on this machine since the burst began: its own may be among them.
    pub(super) fn has_lost(&self) -> bool {
        self.socket.overflowed.load(Ordering::Relaxed) != self.overflowed
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut waiting = self.socket.waiting();
        for number in &self.sent {
            waiting.by.remove(&(self.to, *number));
        }
    }
}

impl Waiting {
    /// A number that no other request to this address bears; `None` when all do.
    fn add(&mut self, to: IpAddr, place: Place) -> Option<u16> {
        for _ in 0..=u16::MAX {
            let number = self.next;
            self.next = number.wrapping_add(1);
            if let std::collections::hash_map::Entry::Vacant(vacant) = self.by.entry((to, number)) {
                vacant.insert(place);
                return Some(number);
            }
        }
        None
    }
}

impl Inbox {
    /// Who is flooded gets what it can look at.
    fn put(&self, message: Message) {
        let mut messages = lock(&self.messages);
        if messages.len() < UNREAD {
            messages.push_back(message);
            drop(messages);
            self.arrived.notify_one();
        }
    }
}

impl Shared {
    fn get(to: IpAddr) -> Result<Arc<Self>, Fault> {
        let (runtime, v6) = (Handle::current().id(), to.is_ipv6());
        let mut open = lock(&OPEN);
        open.retain(|entry| !entry.listener.is_finished());
        let known = open.iter().find(|entry| (entry.runtime, entry.v6) == (runtime, v6));
        if let Some(shared) = known.and_then(|entry| entry.socket.upgrade()) {
            return Ok(shared);
        }
        let (socket, raw) = socket::open(to)?;
        let shared = Arc::new(Self::new(socket, raw, v6).map_err(|e| Fault::io("preparing to ping", &e))?);
        // Ends when nobody waits any more, or with its runtime.
        let listener = Handle::current().spawn(listen(Arc::clone(&shared))).abort_handle();
        open.push(Entry { runtime, v6, socket: Arc::downgrade(&shared), listener });
        Ok(shared)
    }

    fn new(socket: Socket, raw: bool, v6: bool) -> io::Result<Self> {
        let ident = fastrand::u16(..);
        socket::listen_for_errors(&socket, v6)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        // Without the privilege the system's limit holds.
        if setsockopt(&socket, RcvBufForce, &BACKLOG).is_err() {
            setsockopt(&socket, RcvBuf, &BACKLOG)?;
        }
        if raw {
            // The kernel of a datagram socket does the same by itself.
            socket.attach_filter(&only_replies(v6, ident))?;
        }
        let fd = socket::watched(socket)?;
        let (waiting, overflowed) = (Mutex::default(), AtomicU32::new(0));
        Ok(Self { fd, raw, v6, ident, waiting, overflowed })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    fn send(&self, to: IpAddr, bytes: &[u8]) -> io::Result<()> {
        let address = SocketAddr::new(to, 0).into();
        let mut sent = SockRef::from(&self.fd).send_to(bytes, &address);
        for _ in 1..TRIES {
            match &sent {
                Err(e) if !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    self.errors();
                    // Reading it clears what stands at the socket.
                    let _ = self.fd.take_error();
                    sent = SockRef::from(&self.fd).send_to(bytes, &address);
                }
                _ => break,
            }
        }
        sent.map(drop)
    }

    /// Hands a message to whom it is for.
    fn deliver(&self, from: IpAddr, number: u16, message: impl FnOnce(u16) -> Message) {
        let whose = self.waiting().by.get(&(from, number)).map(|place| (Arc::clone(&place.inbox), place.seq));
        if let Some((inbox, seq)) = whose {
            inbox.put(message(seq));
        }
    }

    /// Hands over what is in the error queue: the packet that an error is about comes along. Whether there is more.
    fn errors(&self) -> bool {
        let mut buffer = [0; HEADER];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        for _ in 0..AT_ONCE {
            let Ok(Received { length, from, refused, .. }) = socket::receive(&self.fd, &mut buffer, flags) else {
                return false;
            };
            let (Some(to), Some(refused), HEADER) = (from, refused, length) else { continue };
            let ident = u16::from_be_bytes([buffer[4], buffer[5]]);
            let number = u16::from_be_bytes([buffer[6], buffer[7]]);
            if !self.raw || ident == self.ident {
                self.deliver(to, number, |_| Message::Refused { by: refused.by, errno: refused.errno });
            }
        }
        true
    }

    /// Hands over what has come in.
    fn replies(&self, buffer: &mut [u8]) {
        let now = Instant::now();
        for _ in 0..AT_ONCE {
            let got = self.fd.try_io(Interest::READABLE, || {
                socket::receive(&self.fd, buffer, MsgFlags::empty()).map_err(io::Error::from)
            });
            let received = match got {
                Ok(received) => received,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // An error that stands at the socket; its packet is in the error queue.
                Err(_) => {
                    self.errors();
                    continue;
                }
            };
            if let Some(lost) = received.overflowed {
                self.overflowed.store(lost, Ordering::Relaxed);
            }
            let Some(from) = received.from else { continue };
            let Some((hops, reply)) = received.reply(self.raw, self.v6, buffer) else { continue };
            if !self.raw || reply.ident == self.ident {
                let message = |seq| Message::Reply { seq, payload: reply.payload.into(), hops, at: now };
                self.deliver(from, reply.seq, message);
            }
        }
    }

    /// Whether the socket was closed to newcomers, because nobody waits at it.
    fn retire(self: &Arc<Self>) -> bool {
        let mut open = lock(&OPEN);
        // Under the lock nobody comes: the one that holds it is the listener.
        let unused = Arc::strong_count(self) == 1;
        if unused {
            open.retain(|entry| !std::ptr::eq(entry.socket.as_ptr(), Arc::as_ptr(self)));
        }
        unused
    }
}

/// Hands over whatever comes in, for as long as anybody waits.
async fn listen(shared: Arc<Shared>) {
    let mut buffer = vec![0; ROOM];
    loop {
        let ready = match timeout(LINGER, shared.fd.ready(Interest::READABLE.add(Interest::ERROR))).await {
            Ok(Ok(ready)) => ready,
            // The runtime ends.
            Ok(Err(_)) => return,
            Err(_) if shared.retire() => return,
            Err(_) => continue,
        };
        if ready.is_error() {
            let _ = shared.fd.try_io(Interest::ERROR, || match shared.errors() {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            });
            let _ = shared.fd.take_error();
        }
        if ready.is_readable() {
            shared.replies(&mut buffer);
        }
    }
}

/// A filter that lets echo replies to `ident` pass (classic BPF; a raw socket of IPv4 sees the IP header, too).
fn only_replies(v6: bool, ident: u16) -> Vec<SockFilter> {
    let (header, mode, kind) = match v6 {
        true => (None, libc::BPF_ABS, 129),
        false => (Some(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH), libc::BPF_IND, 0),
    };
    let step = |code: u32, jt, jf, k| SockFilter::new(code as u16, jt, jf, k);
    let mut filter: Vec<SockFilter> = header.map(|code| step(code, 0, 0, 0)).into_iter().collect();
    filter.extend([
        step(libc::BPF_LD | libc::BPF_B | mode, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, kind),
        step(libc::BPF_LD | libc::BPF_H | mode, 0, 0, 4),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::from(ident)),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ]);
    filter
}

/// What stands behind these locks is whole after every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::collect::icmp::burst::{Burst, Sender, Tally};

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Whether this machine lets this program ping.
    fn allowed() -> bool {
        socket::open(LOCAL).is_ok()
    }

    async fn ping(to: IpAddr, count: u16) -> Tally {
        let burst = Burst { count, interval: Duration::ZERO, size: 56, ttl: None, dont_fragment: false };
        let mut tally = Tally::default();
        let deadline = Instant::now() + Duration::from_secs(10);
        Sender::open(to, &burst).unwrap().run(deadline, &mut tally).await.unwrap();
        tally
    }

    fn sockets() -> usize {
        let runtime = Handle::current().id();
        lock(&OPEN).iter().filter(|entry| entry.runtime == runtime).count()
    }

    #[tokio::test]
    async fn bursts_at_once_share_a_socket_and_get_their_own_replies() {
        if !allowed() {
            return;
        }
        let bursts = (1..=200).map(|i| ping(Ipv4Addr::new(127, 0, i % 7, i).into(), 3));
        for tally in futures_util::future::join_all(bursts).await {
            assert_eq!((tally.received(), tally.duplicates, tally.damaged), (3, 0, 0));
        }
        assert_eq!(sockets(), 1);
        assert_eq!(ping(Ipv4Addr::LOCALHOST.into(), 1).await.received(), 1);
        let shared = lock(&OPEN).iter().find(|e| e.runtime == Handle::current().id()).unwrap().socket.upgrade();
        assert!(shared.unwrap().waiting().by.is_empty(), "nothing is left of what is over");
    }

    #[tokio::test]
    async fn a_socket_whose_listener_is_gone_is_replaced() {
        if !allowed() {
            return;
        }
        let old = Share::open(LOCAL).unwrap();
        let runtime = Handle::current().id();
        lock(&OPEN).iter().filter(|e| e.runtime == runtime).for_each(|e| e.listener.abort());
        tokio::task::yield_now().await;
        assert_eq!(ping(LOCAL, 1).await.received(), 1);
        assert!(!Arc::ptr_eq(&old.socket, &Share::open(LOCAL).unwrap().socket));
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_nobody_waits_at_is_closed() {
        if !allowed() {
            return;
        }
        let share = Share::open(LOCAL).unwrap();
        let shared = Arc::downgrade(&share.socket);
        tokio::time::sleep(3 * LINGER).await;
        assert_eq!((sockets(), shared.strong_count()), (1, 2), "somebody waits");
        drop(share);
        tokio::time::sleep(3 * LINGER).await;
        assert_eq!((sockets(), shared.strong_count()), (0, 0));
    }

    #[tokio::test]
    async fn replies_that_the_buffer_cannot_hold_are_noticed() {
        let Ok((socket, raw)) = socket::open(LOCAL) else { return };
        let shared = Arc::new(Shared::new(socket, raw, false).unwrap());
        setsockopt(&shared.fd, RcvBuf, &1).unwrap();
        let inbox = Arc::default();
        let mut share =
            Share { socket: Arc::clone(&shared), to: LOCAL, inbox, sent: vec![], overflowed: 0, current: None };
        let mut buffer = vec![0; ROOM];
        // Nobody reads while they come in; what comes after those that had no place tells of them.
        for seq in 0..100 {
            share.send(seq, &[7; 64]).unwrap();
        }
        assert!(!share.has_lost());
        for seq in 100..200 {
            shared.fd.readable().await.unwrap();
            shared.replies(&mut buffer);
            share.send(seq, &[7; 64]).unwrap();
            if share.has_lost() {
                return;
            }
        }
        panic!("{} messages came in", lock(&share.inbox.messages).len());
    }

    #[test]
    fn numbers_in_use_are_passed_over() {
        let mut waiting = Waiting::default();
        let place = || Place { inbox: Arc::default(), seq: 0 };
        assert_eq!(waiting.add(LOCAL, place()), Some(0));
        waiting.next = 0;
        assert_eq!(waiting.add([127, 0, 0, 2].into(), place()), Some(0));
        waiting.next = 0;
        assert_eq!(waiting.add(LOCAL, place()), Some(1));
    }
}
