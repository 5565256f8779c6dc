//! A burst of echo requests and what it says of the way to an address.
//!
//! Bursts share a socket, and so what one target does could be told of another: silent neighbours fill its send buffer,
//! a flood its receive buffer. A request that it does not take leaves by a socket of the burst's own, and so do the
//! unanswered ones again when replies were lost.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;
use tokio::time::{Instant, timeout_at};

use crate::base::units::Short;
use crate::collect::fault::Fault;
use crate::collect::icmp::shared::{MAX_SHARED, Share, UNREAD};
use crate::collect::icmp::socket::{Echo, Heard};

/// How long after the last request a reply is no surprise, however fast others came.
const PATIENCE: Duration = Duration::from_secs(1);
/// The mark of a burst at the head of each payload.
const COOKIE: usize = 8;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Burst {
    /// How many requests.
    pub count: u16,
    /// Time from one to the next.
    pub interval: Duration,
    /// Bytes of payload.
    pub size: usize,
    /// TTL or hop limit; the system's when `None`.
    pub ttl: Option<u8>,
    /// No router may break a packet up.
    pub dont_fragment: bool,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests that left.
    pub sent: u16,
    /// Round-trip times in the order of requests; `None` for those without a reply.
    pub times: Vec<Option<Duration>>,
    /// Replies beyond the first to one request.
    pub duplicates: u32,
    /// Replies whose bytes were not those sent: cut, longer or altered.
    pub damaged: u32,
    /// When the last reply came that counts.
    pub last: Option<Instant>,
    /// The TTL or hop limit that the last reply had left.
    pub hops: Option<u8>,
    /// Who gave a packet up, and why, last.
    pub refused: Option<(Option<IpAddr>, Errno)>,
}

impl Tally {
    /// Replies.
    pub fn received(&self) -> u16 {
        self.rtts().count() as u16
    }

    /// The share of requests without a reply, 0 to 1.
    pub fn loss(&self) -> f64 {
        match self.sent {
            0 => 1.0,
            sent => 1.0 - f64::from(self.received()) / f64::from(sent),
        }
    }

    fn rtts(&self) -> impl Iterator<Item = Duration> + Clone {
        self.times.iter().flatten().copied()
    }

    fn slowest(&self) -> Duration {
        self.rtts().max().unwrap_or_default()
    }

    /// Whether all that was asked for came back.
    pub fn is_whole(&self) -> bool {
        self.received() == self.sent
    }

    /// Minimum, average, maximum and standard deviation of the round-trip times; `None` without replies.
    pub fn spread(&self) -> Option<Spread> {
        let n = f64::from(self.received());
        let min = self.rtts().min()?;
        let max = self.rtts().max()?;
        let avg = self.rtts().sum::<Duration>().as_secs_f64() / n;
        let variance = self.rtts().map(|t| (t.as_secs_f64() - avg).powi(2)).sum::<f64>() / n;
        let mut gaps = Vec::new();
        let mut last: Option<Duration> = None;
        for time in self.rtts() {
            if let Some(last) = last.replace(time) {
                gaps.push(time.abs_diff(last).as_secs_f64());
            }
        }
        let jitter = (!gaps.is_empty()).then(|| gaps.iter().sum::<f64>() / gaps.len() as f64);
        Some(Spread { min, avg: Duration::from_secs_f64(avg), max, stddev: variance.sqrt(), jitter })
    }
}

impl std::fmt::Display for Tally {
    /// Lines for a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sent, {} came back", self.sent, self.received())?;
        if let Some(s) = self.spread() {
            write!(f, "\nround trip: min {}, avg {}, max {}", Short(s.min), Short(s.avg), Short(s.max))?;
        }
        if self.duplicates > 0 || self.damaged > 0 {
            write!(f, "\n{} duplicates, {} damaged", self.duplicates, self.damaged)?;
        }
        if let Some((by, errno)) = self.refused {
            let who = by.map_or_else(|| "this machine".to_owned(), |ip| ip.to_string());
            write!(f, "\n{who} says: {}", errno.desc().to_lowercase())?;
        }
        Ok(())
    }
}

/// The distribution of round-trip times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The shortest.
    pub min: Duration,
    /// The mean.
    pub avg: Duration,
    /// The longest.
    pub max: Duration,
    /// The standard deviation, seconds.
    pub stddev: f64,
    /// The mean difference between a reply's time and the one before, seconds; `None` with fewer than two.
    pub jitter: Option<f64>,
}

/// Where a burst leaves.
#[derive(Debug)]
struct Exits {
    /// Together with others; not where the options are the socket's, or a reply could not be told from others'.
    share: Option<Share>,
    /// Alone. Opened when it is needed.
    own: Option<Echo>,
}

impl Exits {
    async fn hear(&mut self) -> io::Result<Heard<'_>> {
        let Self { share, own } = self;
        match (share, own) {
            (Some(share), None) => Ok(share.hear().await),
            (None, Some(own)) => own.hear().await,
            // Neither may starve the other. What is not taken stays where it is.
            (Some(share), Some(own)) => tokio::select! {
                heard = share.hear() => Ok(heard),
                heard = own.hear() => heard,
            },
            (None, None) => std::future::pending().await,
        }
    }

    /// Opens the burst's own.
    fn own(&mut self, to: IpAddr, burst: &Burst) -> Result<&mut Echo, Fault> {
        match &mut self.own {
            Some(echo) => Ok(echo),
            none => Ok(none.insert(Echo::open(to, burst.ttl, burst.dont_fragment, burst.size)?)),
        }
    }

    fn has_lost(&self) -> bool {
        self.share.as_ref().is_some_and(Share::has_lost)
    }
}

/// A request on its way. What is sent back bears its place among those of the burst.
#[derive(Debug)]
struct Asked {
    /// Which of [`Tally::times`] it is for.
    slot: u16,
    at: Instant,
    answered: bool,
}

/// A burst on its way. What comes in after it is dropped goes nowhere.
#[derive(Debug)]
pub struct Sender<'b> {
    burst: &'b Burst,
    to: IpAddr,
    exits: Exits,
    payload: Vec<u8>,
    asked: Vec<Asked>,
}

/// When a round of requests of which the last was sent then ends, by the deadline and by what came back.
type End = fn(Instant, Instant, &Tally) -> Instant;

impl<'b> Sender<'b> {
    /// Opens the socket.
    ///
    /// # Errors
    /// No privilege, no way, no file descriptor.
    pub fn open(to: IpAddr, burst: &'b Burst) -> Result<Self, Fault> {
        let plain = burst.ttl.is_none() && !burst.dont_fragment && (COOKIE..=MAX_SHARED).contains(&burst.size);
        let mut exits = Exits { share: None, own: None };
        match plain {
            true => exits.share = Some(Share::open(to)?),
            false => drop(exits.own(to, burst)?),
        }
        let mut payload: Vec<u8> = (0..burst.size).map(|i| i as u8).collect();
        let cookie = fastrand::u64(..).to_be_bytes();
        let marked = payload.len().min(COOKIE);
        payload[..marked].copy_from_slice(&cookie[..marked]);
        Ok(Self { burst, to, exits, payload, asked: Vec::with_capacity(usize::from(burst.count)) })
    }

    /// Sends and listens until all came back, the rest is overdue, or `deadline` has passed.
    ///
    /// # Errors
    /// This machine does not send, or lost replies.
    pub async fn run(&mut self, deadline: Instant, tally: &mut Tally) -> Result<(), Fault> {
        let burst = self.burst;
        tally.times = vec![None; usize::from(burst.count)];
        self.round(&mut (0..burst.count), burst.interval, look_at, deadline, tally).await?;
        if tally.is_whole() {
            return Ok(());
        }
        let (now, has_lost) = (Instant::now(), self.exits.has_lost());
        let in_doubt = if has_lost && self.has_time(now, deadline) {
            self.exits.own(self.to, burst)?;
            let missing: Vec<u16> = (0..tally.sent).filter(|slot| tally.times[usize::from(*slot)].is_none()).collect();
            // All of them leave while there is time, however many.
            let room = deadline.saturating_duration_since(now) / 2;
            let gap = burst.interval.min(room / u32::from(tally.sent - tally.received()));
            let mut slots = missing.into_iter();
            self.round(&mut slots, gap, overdue, deadline, tally).await?;
            slots.any(|slot| tally.times[usize::from(slot)].is_none())
        } else {
            // Ours would have come by now: what is lost from here on is others'.
            let settled = self.asked.last().is_some_and(|last| now >= last.at + patience(tally));
            // Past the deadline the caller's timer may be the first to end a wait.
            if now < deadline {
                self.round(&mut (0..0), Duration::ZERO, overdue, deadline, tally).await?;
            }
            !tally.is_whole() && (has_lost || !settled && self.exits.has_lost())
        };
        match in_doubt {
            true => Err(Fault::local("local_network", "replies came faster than this machine could read them")),
            false => Ok(()),
        }
    }

    /// Asks for these slots, one after the other, and listens until all came back or `end`. Leaves the slots for which
    /// there was no time.
    async fn round(
        &mut self,
        slots: &mut impl ExactSizeIterator<Item = u16>,
        gap: Duration,
        end: End,
        deadline: Instant,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let start = Instant::now();
        let mut begun = 0;
        loop {
            let (now, due) = (Instant::now(), start + gap * begun);
            // A request whose reply could not be back in time would count as lost.
            let in_time = now.max(due) + tally.slowest() < deadline;
            let more = slots.len() > 0 && (in_time || self.asked.is_empty());
            if more
                && now >= due
                && let Some(slot) = slots.next()
            {
                begun += 1;
                self.send(slot, tally)?;
                continue;
            }
            if !more && tally.is_whole() {
                return Ok(());
            }
            let until = match self.asked.last() {
                Some(last) if !more => end(last.at, deadline, tally),
                Some(_) | None => due,
            };
            match timeout_at(until.min(deadline), self.exits.hear()).await {
                Ok(Ok(heard)) => take(&heard, deadline, &self.payload, &mut self.asked, tally),
                Ok(Err(e)) => return Err(Fault::io("listening for replies", &e)),
                Err(_) if more => {}
                Err(_) => return Ok(()),
            }
            // A peer that floods keeps this loop busy: timers of a busy task do not fire.
            if Instant::now() >= deadline {
                self.take_at_hand(deadline, tally);
                return Ok(());
            }
        }
    }

    /// Whether requests that leave now have about as long as those before.
    fn has_time(&self, now: Instant, deadline: Instant) -> bool {
        self.asked.last().is_some_and(|last| now < deadline && deadline - now >= (deadline - last.at) / 3)
    }

    /// What was read in time is an answer in time, however late this task has its turn.
    fn take_at_hand(&mut self, deadline: Instant, tally: &mut Tally) {
        let Some(share) = &mut self.exits.share else { return };
        for _ in 0..UNREAD {
            let Some(heard) = share.at_hand() else { return };
            take(&heard, deadline, &self.payload, &mut self.asked, tally);
        }
    }

    fn send(&mut self, slot: u16, tally: &mut Tally) -> Result<(), Fault> {
        let place = self.asked.len() as u16;
        self.asked.push(Asked { slot, at: Instant::now(), answered: false });
        tally.sent = tally.sent.max(slot + 1);
        let Err(e) = self.leave(place)? else { return Ok(()) };
        match e.raw_os_error().map(Errno::from_raw) {
            // What routers said of an earlier packet comes back at the next one; whether it is one of this machine is told at the
            // end.
            Some(
                errno @ (Errno::EHOSTUNREACH
                | Errno::ENETUNREACH
                | Errno::EACCES
                | Errno::ECONNREFUSED
                | Errno::EMSGSIZE
                | Errno::EHOSTDOWN),
            ) => {
                tally.refused = Some((tally.refused.and_then(|(by, _)| by), errno));
                Ok(())
            }
            // The packet never left: that says nothing about the way to the target.
            Some(Errno::ENOBUFS | Errno::EAGAIN) => {
                Err(Fault::local("local_network", "the queue of this machine's interface is full"))
            }
            _ => Err(Fault::io("sending", &e)),
        }
    }

    /// Sends by the shared socket, and from where that fails on by one's own: its buffer may be full of others'
    /// requests, and what it says about another's.
    fn leave(&mut self, place: u16) -> Result<io::Result<()>, Fault> {
        if self.exits.own.is_none()
            && let Some(share) = &mut self.exits.share
            && share.send(place, &self.payload).is_ok()
        {
            return Ok(Ok(()));
        }
        Ok(self.exits.own(self.to, self.burst)?.send(place, &self.payload))
    }
}

/// How long after the last request a reply may still come, by those that came.
fn patience(tally: &Tally) -> Duration {
    (tally.slowest() * 3).max(PATIENCE)
}

/// When it is looked whether missing replies were lost here: when they are late, with time left to ask again.
fn look_at(sent: Instant, deadline: Instant, tally: &Tally) -> Instant {
    sent + patience(tally).min(deadline.saturating_duration_since(sent) / 2)
}

/// When the missing replies are given up: when they are late, but where none came not before the deadline.
fn overdue(sent: Instant, deadline: Instant, tally: &Tally) -> Instant {
    match tally.received() {
        0 => deadline,
        _ => sent + patience(tally),
    }
}

fn take(heard: &Heard<'_>, deadline: Instant, payload: &[u8], asked: &mut [Asked], tally: &mut Tally) {
    match *heard {
        Heard::Reply { seq, payload: back, hops, at } => {
            let Some(asked) = asked.get_mut(usize::from(seq)) else { return };
            let at = at.at(asked.at);
            if at > deadline {
                return;
            }
            if back != payload {
                // Another burst's reply differs from the first byte on; one of ours was damaged on the way.
                let marked = back.len().min(payload.len()).min(COOKIE);
                if marked > 0 && back[..marked] == payload[..marked] {
                    tally.damaged += 1;
                }
                return;
            }
            if std::mem::replace(&mut asked.answered, true) {
                tally.duplicates += 1;
                return;
            }
            tally.hops = hops.or(tally.hops);
            tally.last = tally.last.max(Some(at));
            tally.times[usize::from(asked.slot)].get_or_insert(at.saturating_duration_since(asked.at));
        }
        Heard::Refused { by, errno } => tally.refused = Some((by, errno)),
        Heard::Foreign => {}
    }
}

/// Why nothing came back.
pub fn silence(to: IpAddr, tally: &Tally, within: &str) -> Fault {
    match tally.refused {
        Some((_, Errno::EMSGSIZE)) => {
            Fault::target("mtu", format!("packets of this size do not pass to {to} without being broken up"))
        }
        Some((by, errno)) => {
            let who = by.map_or_else(String::new, |ip| format!(", says {ip}"));
            let (doing, err) = (format!("pinging {to}"), io::Error::from(errno));
            let fault = if by.is_some() { Fault::io(&doing, &err) } else { Fault::towards(to, &doing, &err) };
            let message = format!("{}{who}", fault.message());
            match fault.is_local() && by.is_some() {
                // A router's word about a network is about the target's way, not about this machine.
                true => Fault::target("host_unreachable", message),
                false => fault.with_message(message),
            }
        }
        None if tally.damaged > 0 => {
            Fault::target("damaged", format!("{to} sends back other bytes than were sent to it"))
        }
        None => {
            let what = if tally.sent == 1 { "ping".to_owned() } else { format!("any of {} pings", tally.sent) };
            Fault::timeout(format!("{to} does not answer {what} within {within}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::icmp::socket::Arrival;

    fn ms(list: &[Option<u64>]) -> Tally {
        let times: Vec<_> = list.iter().map(|t| t.map(Duration::from_millis)).collect();
        Tally { sent: times.len() as u16, times, ..Tally::default() }
    }

    #[test]
    fn numbers_of_a_burst() {
        let tally = ms(&[Some(10), Some(20), None, Some(30)]);
        let spread = tally.spread().unwrap();
        assert_eq!((tally.received(), tally.loss()), (3, 0.25));
        assert_eq!((spread.min.as_millis(), spread.avg.as_millis(), spread.max.as_millis()), (10, 20, 30));
        assert!((spread.stddev - 0.008_165).abs() < 1e-5 && (spread.jitter.unwrap() - 0.01).abs() < 1e-9);
        assert_eq!(ms(&[Some(7)]).spread().unwrap().jitter, None);
        assert_eq!((ms(&[None]).loss(), ms(&[None]).spread()), (1.0, None));
        assert_eq!(Tally::default().loss(), 1.0);
    }

    #[tokio::test]
    async fn only_the_first_whole_reply_to_a_request_counts() {
        let now = Instant::now();
        let mut asked = [0, 1, 1].map(|slot| Asked { slot, at: now, answered: false });
        let payload = b"cookie..and more";
        let mut tally = ms(&[None, None]);
        let mut hear_at = |at, seq, back: &'static [u8]| {
            let at = Arrival::new(at, Duration::ZERO);
            take(&Heard::Reply { seq, payload: back, hops: Some(60), at }, now, payload, &mut asked, &mut tally);
            (tally.received(), tally.duplicates, tally.damaged)
        };
        assert_eq!(hear_at(now + Duration::from_nanos(1), 0, payload), (0, 0, 0), "too late");
        let mut hear = |seq, back| hear_at(now, seq, back);
        assert_eq!(hear(0, b"cookie..and mor"), (0, 0, 1));
        assert_eq!(hear(0, b"another's cookie"), (0, 0, 1));
        assert_eq!(hear(9, payload), (0, 0, 1));
        assert_eq!(hear(0, payload), (1, 0, 1));
        assert_eq!(hear(0, payload), (1, 1, 1));
        assert_eq!(hear(1, b""), (1, 1, 1));
        assert_eq!(hear(2, payload), (2, 1, 1), "asked again");
        assert_eq!(hear(1, payload), (2, 1, 1), "the first answer, late");
        assert_eq!(tally.hops, Some(60));
    }

    #[test]
    fn a_reply_came_when_the_kernel_had_it_unless_the_wall_clock_was_set_meanwhile() {
        let asked = Instant::now();
        let ms = Duration::from_millis;
        let read = asked + ms(10);
        for (waited, came) in [(0, 10), (4, 6), (10, 0), (11, 10), (3_600_000, 10), (u64::MAX, 10)] {
            assert_eq!(Arrival::new(read, ms(waited)).at(asked), asked + ms(came), "{waited}");
        }
    }

    #[test]
    fn a_routers_word_is_about_the_target_and_our_own_about_us() {
        let to: IpAddr = "192.0.2.1".parse().unwrap();
        let router: IpAddr = "198.51.100.1".parse().unwrap();
        #[track_caller]
        fn check(tally: &Tally, to: IpAddr, class: &str, local: bool) {
            let fault = silence(to, tally, "1s");
            assert_eq!((fault.class(), fault.is_local()), (class, local), "{fault:?}");
        }
        let refused = |by, errno| Tally { refused: Some((by, errno)), sent: 1, ..Tally::default() };
        check(&refused(Some(router), Errno::ENETUNREACH), to, "network_unreachable", false);
        check(&refused(None, Errno::ENETUNREACH), [127, 0, 0, 1].into(), "network_unreachable", false);
        check(&refused(None, Errno::ENETUNREACH), [255; 4].into(), "local_network", true);
        check(&refused(Some(router), Errno::EHOSTUNREACH), to, "host_unreachable", false);
        check(&refused(None, Errno::EMSGSIZE), to, "mtu", false);
        check(&ms(&[None]), to, "timeout", false);
    }
}
