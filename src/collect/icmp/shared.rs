//! One socket for all bursts of a family.
//!
//! To open and close a socket costs more than a request and its reply, and of raw sockets each gets whatever comes in
//! for any. What belongs to whom is told by address and number; a filter in the kernel keeps out what is
//! not for this socket. Its buffers are everybody's: what they cannot hold, for whatever one target does, is sent or
//! asked for again by a socket of the burst's own ([`burst`](super::burst)).
//! Cost per request: one entry while it waits; per reply one lookup and a copy.
//!
//! The listener is the one task of a collector that no supervisor owns: a probe is not told of any. It belongs to the
//! runtime that polls the socket, holds nothing but that, and ends when nobody has waited for a while; should it end
//! otherwise, the next burst opens another socket, and those under way send by their own.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt::{GetStruct, RcvBuf, RcvBufForce, SndBuf, SndBufForce};
use nix::sys::socket::{MsgFlags, getsockopt, setsockopt};
use socket2::{SockFilter, SockRef, Socket};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::collect::fault::Fault;
use crate::collect::icmp::packet::{HEADER, request};
use crate::collect::icmp::socket::{self, Arrival, Heard, Received};

/// The largest payload that is sent through a shared socket: what fits into one packet nearly everywhere.
pub(super) const MAX_SHARED: usize = 1_400;
/// Room for a reply with its IP header, and for more than can be right.
const ROOM: usize = 2_048;
/// Bytes of replies that may wait to be read: those of some thousand bursts that begin at once. As many of requests: those
/// to neighbours that do not say where they are wait for three seconds.
const BACKLOG: usize = 4 << 20;
/// A socket that nobody waits at stays open for this long.
const LINGER: Duration = Duration::from_secs(30);
/// Replies read before others have their turn.
const AT_ONCE: usize = 64;
/// What others' packets met on their way is told to whoever sends next; so often it is not taken for the truth.
const TRIES: usize = 4;
/// Messages that one burst has not looked at.
pub(super) const UNREAD: usize = 256;

/// The kernel's account of a socket: `SK_MEMINFO_VARS` numbers.
type Account = [u32; 9];

nix::getsockopt_impl!(MemInfo, libc::SOL_SOCKET, libc::SO_MEMINFO, Account, GetStruct<Account>);

/// `SO_MEMINFO`.
#[derive(Clone, Copy, Debug)]
struct MemInfo;

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
    /// No UDP is spoken here: it is the type with which tokio watches any socket of datagrams.
    fd: UdpSocket,
    raw: bool,
    v6: bool,
    ident: u16,
    waiting: Mutex<Waiting>,
    /// Replies that the buffer could not hold, ever, as far as it is known.
    dropped: AtomicU32,
    /// Nobody reads any more.
    deaf: AtomicBool,
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
    Reply { seq: u16, payload: Box<[u8]>, hops: Option<u8>, at: Arrival },
    Refused { by: Option<IpAddr>, errno: Errno },
}

/// One burst's part of a shared socket. What comes in after it is dropped goes nowhere.
#[derive(Debug)]
pub(super) struct Share {
    socket: Arc<Shared>,
    to: IpAddr,
    inbox: Arc<Inbox>,
    sent: Vec<u16>,
    /// [`Shared::dropped`] when it began.
    dropped: u32,
    current: Option<Message>,
}

impl Share {
    /// Takes part in the socket of this family, and opens it if need be.
    ///
    /// # Errors
    /// No privilege, or no file descriptor left.
    pub(super) fn open(to: IpAddr) -> Result<Self, Fault> {
        let socket = Shared::get(to)?;
        Ok(Self::of(socket, to))
    }

    fn of(socket: Arc<Shared>, to: IpAddr) -> Self {
        let dropped = socket.dropped.load(Ordering::Relaxed);
        Self { socket, to, inbox: Arc::default(), sent: Vec::new(), dropped, current: None }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The system's, which may be about others' packets.
    pub(super) fn send(&mut self, seq: u16, payload: &[u8]) -> io::Result<()> {
        let number = self.socket.waiting().add(self.to, Place { inbox: Arc::clone(&self.inbox), seq });
        let number = number.ok_or(Errno::ENOBUFS)?;
        let bytes = request(self.socket.v6, self.socket.ident, number, payload);
        let sent = self.socket.send(self.to, &bytes);
        match sent {
            Ok(()) => self.sent.push(number),
            Err(_) => drop(self.socket.waiting().by.remove(&(self.to, number))),
        }
        sent
    }

    /// Waits for what comes in. May be dropped while it waits: nothing is lost.
    pub(super) async fn hear(&mut self) -> Heard<'_> {
        let message = loop {
            if let Some(message) = self.inbox.take() {
                break message;
            }
            self.inbox.arrived.notified().await;
        };
        self.current.insert(message).heard()
    }

    /// What has come in already.
    pub(super) fn at_hand(&mut self) -> Option<Heard<'_>> {
        Some(self.current.insert(self.inbox.take()?).heard())
    }

    /// Whether replies were lost on this machine since the burst began: its own may be among them. Asks the kernel.
    pub(super) fn has_lost(&self) -> bool {
        !self.sent.is_empty()
            && (self.socket.deaf.load(Ordering::Relaxed) || self.socket.count_dropped() != self.dropped)
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

impl Message {
    fn heard(&self) -> Heard<'_> {
        match self {
            Self::Reply { seq, payload, hops, at } => Heard::Reply { seq: *seq, payload, hops: *hops, at: *at },
            Self::Refused { by, errno } => Heard::Refused { by: *by, errno: *errno },
        }
    }
}

impl Inbox {
    fn take(&self) -> Option<Message> {
        lock(&self.messages).pop_front()
    }

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
        let listener = Handle::current().spawn(listen(Listener(Arc::clone(&shared)))).abort_handle();
        open.push(Entry { runtime, v6, socket: Arc::downgrade(&shared), listener });
        Ok(shared)
    }

    fn new(socket: Socket, raw: bool, v6: bool) -> io::Result<Self> {
        let ident = fastrand::u16(..);
        socket::listen_for_errors(&socket, v6)?;
        // Without the privilege the system's limit holds.
        if setsockopt(&socket, RcvBufForce, &BACKLOG).is_err() {
            setsockopt(&socket, RcvBuf, &BACKLOG)?;
        }
        if setsockopt(&socket, SndBufForce, &BACKLOG).is_err() {
            setsockopt(&socket, SndBuf, &BACKLOG)?;
        }
        if raw {
            // The kernel of a datagram socket does the same by itself.
            socket.attach_filter(&only_replies(v6, ident))?;
        }
        let fd = socket::watched(socket)?;
        let (waiting, dropped, deaf) = (Mutex::default(), AtomicU32::new(0), AtomicBool::new(false));
        Ok(Self { fd, raw, v6, ident, waiting, dropped, deaf })
    }

    /// Replies that the buffer could not hold, ever. A kernel that does not say (before Linux 4.12) counts none.
    fn count_dropped(&self) -> u32 {
        if let Ok([.., dropped]) = getsockopt(&self.fd, MemInfo) {
            self.dropped.store(dropped, Ordering::Relaxed);
        }
        self.dropped.load(Ordering::Relaxed)
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
            let Some(from) = received.from else { continue };
            let Some((hops, reply)) = received.reply(self.raw, self.v6, buffer) else { continue };
            if !self.raw || reply.ident == self.ident {
                let at = received.arrival();
                let message = |seq| Message::Reply { seq, payload: reply.payload.into(), hops, at };
                self.deliver(from, reply.seq, message);
            }
        }
        // So many wait only where some may have had no place: bursts to come are to know of those before them.
        self.count_dropped();
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

/// Who reads a socket.
struct Listener(Arc<Shared>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.deaf.store(true, Ordering::Relaxed);
    }
}

/// Hands over whatever comes in, for as long as anybody waits.
async fn listen(listener: Listener) {
    let shared = &listener.0;
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

    use tokio::time::Instant;

    use super::*;
    use crate::base::outcome::Verdict;
    use crate::collect::icmp::burst::{Burst, Sender, Tally};
    use crate::collect::kinds::testing::{build, context};

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Whether this machine lets this program ping.
    fn allowed() -> bool {
        socket::open(LOCAL).is_ok()
    }

    async fn ping(to: IpAddr, count: u16) -> Tally {
        ping_every(Duration::ZERO, to, count).await
    }

    async fn ping_every(interval: Duration, to: IpAddr, count: u16) -> Tally {
        let burst = Burst { count, interval, size: 56, ttl: None, dont_fragment: false };
        let mut tally = Tally::default();
        let deadline = Instant::now() + Duration::from_secs(10);
        Sender::open(to, &burst).unwrap().run(deadline, &mut tally).await.unwrap();
        tally
    }

    fn sockets() -> usize {
        let runtime = Handle::current().id();
        lock(&OPEN).iter().filter(|entry| entry.runtime == runtime).count()
    }

    fn open_here() -> Option<Arc<Shared>> {
        let runtime = Handle::current().id();
        lock(&OPEN).iter().find(|entry| entry.runtime == runtime)?.socket.upgrade()
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
        assert!(open_here().unwrap().waiting().by.is_empty(), "nothing is left of what is over");
    }

    #[tokio::test]
    async fn a_socket_whose_listener_is_gone_is_replaced() {
        if !allowed() {
            return;
        }
        let old = Share::open(LOCAL).unwrap();
        let mut under_way = Box::pin(ping(LOCAL, 2));
        assert!(futures_util::poll!(&mut under_way).is_pending());
        let runtime = Handle::current().id();
        lock(&OPEN).iter().filter(|e| e.runtime == runtime).for_each(|e| e.listener.abort());
        tokio::task::yield_now().await;
        assert_eq!(ping(LOCAL, 1).await.received(), 1);
        assert!(!Arc::ptr_eq(&old.socket, &Share::open(LOCAL).unwrap().socket));
        assert_eq!(under_way.await.received(), 2, "who was not heard asks again");
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

    /// Three requests, ten seconds apart, that nobody hears the replies to, up to the look whether they were lost here. The
    /// deadline is two seconds after that.
    async fn unheard(run: &mut (impl Future<Output = Result<(), Fault>> + Unpin), look: Instant) {
        assert!(futures_util::poll!(&mut *run).is_pending());
        let runtime = Handle::current().id();
        lock(&OPEN).iter().filter(|e| e.runtime == runtime).for_each(|e| e.listener.abort());
        assert!(tokio::time::timeout_at(look, run).await.is_err());
    }

    const SELDOM: Burst =
        Burst { count: 3, interval: Duration::from_secs(10), size: 56, ttl: None, dont_fragment: false };

    #[tokio::test(start_paused = true)]
    async fn all_that_was_lost_here_is_asked_for_again_in_the_time_that_is_left() {
        if !allowed() {
            return;
        }
        let (start, mut tally) = (Instant::now(), Tally::default());
        let mut sender = Sender::open(LOCAL, &SELDOM).unwrap();
        let mut run = Box::pin(sender.run(start + Duration::from_secs(23), &mut tally));
        unheard(&mut run, start + Duration::from_millis(20_900)).await;
        // From here on there are replies to wait for.
        tokio::time::resume();
        run.await.unwrap();
        assert_eq!((tally.sent, tally.received()), (3, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_lost_here_and_not_asked_for_again_is_our_own_fault() {
        if !allowed() {
            return;
        }
        let (start, mut tally) = (Instant::now(), Tally::default());
        let mut sender = Sender::open(LOCAL, &SELDOM).unwrap();
        let mut run = Box::pin(sender.run(start + Duration::from_secs(23), &mut tally));
        unheard(&mut run, start + Duration::from_millis(21_100)).await;
        // As where this process was stopped.
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(run.await.unwrap_err().class(), "local_network");
    }

    /// What a burst says of a silent target when replies are lost at that time of it.
    async fn silent(limit: Duration, lost_at: Duration) -> Result<(), Fault> {
        let (start, mut tally) = (Instant::now(), Tally::default());
        let burst = Burst { count: 1, ..SELDOM };
        let mut sender = Sender::open(LOCAL, &burst).unwrap();
        let mut run = Box::pin(sender.run(start + limit, &mut tally));
        assert!(futures_util::poll!(&mut run).is_pending());
        // What comes in is for nobody.
        open_here().unwrap().waiting().by.clear();
        assert!(tokio::time::timeout_at(start + lost_at, &mut run).await.is_err());
        let others = crowded();
        let said = run.await;
        assert!(others.has_lost());
        assert_eq!((tally.sent, tally.received()), (1, 0));
        said
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_when_a_reply_is_overdue_excuses_no_silence() {
        if allowed() {
            silent(Duration::from_secs(5), Duration::from_millis(2_200)).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_when_a_reply_may_come_and_none_can_be_asked_for_leaves_silence_in_doubt() {
        if allowed() {
            let said = silent(Duration::from_secs(1), Duration::from_millis(700)).await;
            assert_eq!(said.unwrap_err().class(), "local_network");
        }
    }

    /// A shared socket with room for hardly any reply, which are many, and unread until the caller waits.
    fn crowded() -> Share {
        let mut share = Share::open(LOCAL).unwrap();
        setsockopt(&share.socket.fd, RcvBuf, &1).unwrap();
        for seq in 0..100 {
            share.send(seq, &[7; 64]).unwrap();
        }
        share
    }

    #[tokio::test]
    async fn a_reply_that_had_no_room_is_asked_for_again() {
        if !allowed() {
            return;
        }
        let others = crowded();
        let tally = ping(LOCAL, 3).await;
        assert_eq!((tally.sent, tally.received(), tally.duplicates), (3, 3, 0));
        assert!(others.has_lost());
        let later = Share::open(LOCAL).unwrap();
        assert!(!later.has_lost(), "it was before");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_had_no_room_and_cannot_be_asked_for_again_is_our_own_fault() {
        if !allowed() {
            return;
        }
        let _others = crowded();
        let (limit, probe) = (Duration::from_secs(4), build("ping", "{host: 127.0.0.1}").0.unwrap());
        let cx = context(limit);
        let mut probing = probe.collector.probe(&cx);
        assert!(futures_util::poll!(&mut probing).is_pending());
        // As where this process was stopped.
        tokio::time::advance(2 * limit).await;
        let got = probing.await;
        let class = got.reason.as_ref().map(|r| r.class.as_ref());
        assert_eq!((got.verdict, class), (Verdict::Unknown, Some("local_network")), "{got:?}");
    }

    #[tokio::test]
    async fn what_was_read_in_time_counts_however_late_the_task_has_its_turn() {
        if !allowed() {
            return;
        }
        let limit = Duration::from_secs(60);
        let burst = Burst { count: 5, interval: Duration::ZERO, size: 56, ttl: None, dont_fragment: false };
        let (mut tally, mut sender) = (Tally::default(), Sender::open(LOCAL, &burst).unwrap());
        let mut run = Box::pin(sender.run(Instant::now() + limit, &mut tally));
        assert!(futures_util::poll!(&mut run).is_pending());
        let shared = open_here().unwrap();
        let inbox = shared.waiting().by.values().next().map(|place| Arc::clone(&place.inbox)).unwrap();
        while lock(&inbox.messages).len() < 5 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
        tokio::time::advance(2 * limit).await;
        run.await.unwrap();
        assert_eq!((tally.sent, tally.received()), (5, 5));
    }

    #[tokio::test]
    async fn what_the_shared_socket_does_not_send_leaves_by_another() {
        if !allowed() {
            return;
        }
        let mut pinging = Box::pin(ping_every(Duration::from_millis(10), LOCAL, 2));
        assert!(futures_util::poll!(&mut pinging).is_pending());
        let shared = open_here().unwrap();
        while shared.waiting().add(LOCAL, Place { inbox: Arc::default(), seq: 0 }).is_some() {}
        assert_eq!(pinging.await.received(), 2);
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
