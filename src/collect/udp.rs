//! `type: udp`: sends datagrams and, where answers are expected, waits for them.
//!
//! Without an expected answer, silence is a success: UDP knows no other. What can be known is a refusal, which the
//! peer's machine or a router tells by ICMP; it is waited for a moment.

use std::net::SocketAddr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::time::Timestamp;
use crate::collect::fault::Fault;
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, SCRIPT};
use crate::collect::mask::Mask;
use crate::collect::metric::{CONVERSATION, NETWORK};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::script::{Handshake, Medium, Script, Spoken};
use crate::collect::talk::wire::{Heard, MAX_HEARD};
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::TlsSpec;
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// How long a refusal is waited for where no answer is expected.
const DEFAULT_WAIT: Duration = Duration::from_millis(300);

/// How long an answer is waited for before a question is sent again; doubled each time.
const RESEND: Duration = Duration::from_secs(1);
/// Milliseconds that a full queue of this machine may take to have room again, from one try to the next.
const PAUSES: [u64; 4] = [50, 100, 200, 400];

/// A checked `udp` monitor.
#[derive(Debug)]
struct UdpProbe {
    endpoint: Endpoint,
    script: Script,
    wait: Duration,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "udp",
    about: "Datagrams to one port, and their answers.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name:port`." }),
    flags: &[
        SCRIPT,
        &[Flag::new(
            "wait",
            "wait",
            Form::One("DURATION"),
            "How long a refusal is waited for when no answer is expected.",
        )],
        ROUTE,
        LATENCY,
    ],
    metrics: &[NETWORK, CONVERSATION],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let endpoint = Endpoint::read(fields, &mut mask, None);
    let script = Script::read(fields, &mut mask);
    let wait = fields.duration("wait", Duration::from_millis(1)..=Duration::from_secs(60));
    if script.has_starttls() {
        fields.error(fields.head(), Code::Conflict, "`starttls` over UDP", "take the step out");
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (target, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    let probe = UdpProbe { endpoint, script, wait: wait.unwrap_or(DEFAULT_WAIT), mask };
    Some(Probe::new("udp", target, probe).at(&at))
}

/// Opens a socket that talks to the first address that there is a way to: the phase `connect`.
///
/// # Errors
/// There is none, or this machine has no socket left.
pub async fn open(addresses: &[SocketAddr], trace: &mut Trace) -> Result<UdpSocket, Fault> {
    trace.begin(phase::CONNECT);
    let mut fault = Fault::target("dns", "the name has no address");
    for to in addresses {
        trace.tried.push(*to);
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let open = async {
            let socket = UdpSocket::bind(any).await?;
            tell_all(&socket, to)?;
            // No packet is sent: this picks the way, and lets refusals come back to the socket.
            socket.connect(to).await?;
            Ok(socket)
        };
        match open.await {
            Ok(socket) => {
                trace.peer = Some(*to);
                trace.end();
                return Ok(socket);
            }
            Err(e) => fault = Fault::towards(to.ip(), &format!("opening a way to {to}"), &e),
        }
    }
    Err(fault)
}

/// Lets the socket hear all that routers say. Linux tells it by itself of ports that are closed, but not of machines
/// and networks that are out of reach: by TCP's rule (RFC 1122, section 4.2.3.9) the way may come back.
fn tell_all(socket: &UdpSocket, to: &SocketAddr) -> std::io::Result<()> {
    Ok(match to {
        SocketAddr::V4(_) => setsockopt(socket, Ipv4RecvErr, &true),
        SocketAddr::V6(_) => setsockopt(socket, Ipv6RecvErr, &true),
    }?)
}

/// Sorts what a socket that talks to one peer was told instead of an answer.
pub fn refused(socket: &UdpSocket, doing: &str, err: &std::io::Error) -> Fault {
    match (err.kind(), socket.peer_addr()) {
        (std::io::ErrorKind::ConnectionRefused, Ok(to)) => {
            Fault::target("connection_refused", format!("nothing listens on {to} (ICMP: port unreachable)"))
        }
        (_, Ok(to)) => Fault::towards(to.ip(), doing, err),
        (_, Err(_)) => Fault::io(doing, err),
    }
}

/// Whether a queue of this machine had no room for a datagram. Linux says so only to sockets that hear all.
fn is_full(err: &std::io::Error) -> bool {
    err.raw_os_error() == Some(Errno::ENOBUFS as i32)
}

fn full(doing: &str) -> Fault {
    Fault::local("local_network", format!("{doing}: the queue of the network interface is full"))
}

/// A question that is sent until it is answered.
///
/// A datagram may be lost: that is no failure of the peer. What routers say of a way that may come back, and a full queue
/// of this machine, are losses, too. They stay in the trace, and are the fault if the deadline comes.
pub struct Asking<'a> {
    socket: &'a UdpSocket,
    doing: &'static str,
    trace: &'a mut Trace,
    patience: Duration,
    again: Instant,
    /// Whether any datagram left this machine.
    left: bool,
}

impl<'a> Asking<'a> {
    /// Within a phase that has begun; `doing` opens messages: `asking for the time`.
    pub fn new(socket: &'a UdpSocket, doing: &'static str, trace: &'a mut Trace) -> Self {
        Self { socket, doing, trace, patience: RESEND, again: Instant::now(), left: false }
    }

    /// Sends a question.
    ///
    /// # Errors
    /// The peer refuses, or this machine cannot send.
    pub async fn send(&mut self, question: &[u8]) -> Result<(), Fault> {
        let mut sent = self.socket.send(question).await;
        if let Err(e) = &sent
            && !is_full(e)
        {
            // It may be an answer to an earlier datagram, and then this one was not sent.
            self.pass(e)?;
            sent = self.socket.send(question).await;
        }
        match &sent {
            Ok(_) => {
                self.left = true;
                self.trace.told.take_if(|told| told.is_local());
            }
            Err(e) if is_full(e) => {
                if !self.left {
                    self.trace.told.get_or_insert_with(|| full(self.doing));
                }
            }
            Err(e) => self.pass(e)?,
        }
        self.again = Instant::now() + self.patience;
        self.patience *= 2;
        Ok(())
    }

    /// Waits for a datagram; `None` when it is time to ask again.
    ///
    /// # Errors
    /// The peer refuses.
    pub async fn hear(&mut self, datagram: &mut [u8]) -> Result<Option<usize>, Fault> {
        while let Ok(heard) = timeout_at(self.again, self.socket.recv(datagram)).await {
            match heard {
                Ok(n) => return Ok(Some(n)),
                Err(e) => self.pass(&e)?,
            }
        }
        Ok(None)
    }

    /// Remembers what may pass.
    fn pass(&mut self, err: &std::io::Error) -> Result<(), Fault> {
        let fault = refused(self.socket, self.doing, err);
        if !fault.is_unreachable() {
            return Err(fault);
        }
        self.trace.told = Some(fault);
        Ok(())
    }
}

/// Datagrams as a script's medium.
struct Datagrams<'a> {
    socket: UdpSocket,
    heard: &'a mut Heard,
    deadline: Instant,
}

impl Medium for Datagrams<'_> {
    const WHOLE: bool = true;

    fn heard(&mut self) -> &mut Heard {
        self.heard
    }

    async fn hear(&mut self) -> Result<usize, Fault> {
        if self.heard.bytes.len() >= MAX_HEARD {
            return Err(Fault::target("too_much", "the peer sent more than 64 KiB without coming to the point"));
        }
        let mut datagram = vec![0; MAX_HEARD];
        // An empty datagram is an answer, too, though it adds nothing: the end of a stream is never meant.
        loop {
            // A peer that floods keeps this loop busy: timers of a busy task fire late.
            if Instant::now() >= self.deadline {
                return Err(Fault::timeout("no answer"));
            }
            let n =
                self.socket.recv(&mut datagram).await.map_err(|e| refused(&self.socket, "reading the answer", &e))?;
            if n > 0 {
                let room = MAX_HEARD - self.heard.bytes.len();
                self.heard.bytes.extend_from_slice(&datagram[..n.min(room)]);
                return Ok(n);
            }
        }
    }

    async fn send(&mut self, bytes: &[u8], _: bool) -> Result<(), Fault> {
        let mut pauses = PAUSES.into_iter().map(Duration::from_millis);
        loop {
            match self.socket.send(bytes).await {
                Ok(_) => return Ok(()),
                Err(e) if is_full(&e) => match pauses.next() {
                    Some(pause) if Instant::now() + pause < self.deadline => sleep(pause).await,
                    Some(_) | None => return Err(full("sending")),
                },
                Err(e) => return Err(refused(&self.socket, "sending", &e)),
            }
        }
    }

    async fn encrypt(&mut self, _: &TlsSpec, _: &str, _: Timestamp, _: &mut Trace) -> Result<(), Fault> {
        Err(Fault::target("starttls", "TLS is not spoken over UDP"))
    }
}

impl Collector for UdpProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl Talk for UdpProbe {
    type Said = Spoken;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Spoken) -> Result<(), Fault> {
        let addresses = self.endpoint.addresses(cx, trace).await?;
        let socket = open(&addresses, trace).await?;
        let (heard, mut progress) = said.split();
        let mut medium = Datagrams { socket, heard, deadline: cx.deadline };
        if !self.script.sends() {
            // A datagram without content is enough for a refusal.
            medium.send(b"", true).await?;
        }
        let handshake = Handshake { tls: None, host: "", now: cx.now };
        self.script.speak(&mut medium, &mut progress, handshake, trace).await?;
        if self.script.expects() {
            return Ok(());
        }
        trace.begin(phase::PROCESSING);
        let heard = timeout(self.wait.min(cx.remaining() / 2), medium.hear()).await;
        trace.end();
        match heard {
            Ok(Err(fault)) => Err(fault),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    fn judge(&self, trace: &Trace, said: &Spoken) -> Outcome {
        let mut outcome = self.script.judge(trace, said);
        if said.heard.bytes.is_empty() && outcome.summary == "connected" {
            outcome.summary = "sent; not refused".to_owned();
        }
        outcome
    }

    fn failed(&self, trace: &Trace, said: &Spoken, fault: Fault) -> Outcome {
        self.script.failed(trace, said, fault)
    }

    fn checks(&self) -> Vec<&str> {
        self.script.checks()
    }

    fn samples(&self, _: &Trace, said: &Spoken, out: &mut Vec<Sample>) {
        self.script.samples(said, out);
    }

    fn evidence(&self, said: &Spoken, items: &mut Items) {
        items.extend(talk::words(&said.heard.bytes));
    }

    fn target(&self) -> String {
        self.endpoint.peer.to_string()
    }

    fn mask(&self) -> &Mask {
        &self.mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{build, context, outcome};

    /// Answers `ping` with `pong` and nothing else.
    async fn server() -> (SocketAddr, tokio::task::JoinSet<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let mut datagram = [0; 100];
            while let Ok((n, from)) = socket.recv_from(&mut datagram).await {
                if datagram.starts_with(b"ping") {
                    let _ = socket.send_to(&[b"pong ", &datagram[4..n]].concat(), from).await;
                }
            }
        });
        (at, tasks)
    }

    #[tokio::test]
    async fn answers_are_judged_and_without_an_expectation_silence_is_fine() {
        let (at, _tasks) = server().await;
        for (more, want) in [
            ("send: ping, expect: {matches: '^pong'}", (Verdict::Up, "")),
            ("steps: [{send: ping-1}, {expect: 'pong (-1)'}, {send: ping$1}, {expect: ^pong -1$}]", (Verdict::Up, "")),
            ("send_hex: 70 69 6e 67, expect: {contains: pong}", (Verdict::Up, "")),
            ("send: hello, wait: 50ms", (Verdict::Up, "")),
            ("wait: 50ms", (Verdict::Up, "")),
        ] {
            let got = outcome("udp", &format!("{{host: \"{at}\", {more}}}")).await;
            assert_eq!((got.verdict, got.reason.as_ref().map_or("", |r| &r.class)), want, "{more}: {got:?}");
        }
    }

    #[tokio::test]
    async fn the_second_datagram_is_searched_though_it_is_short() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            while let Ok((_, from)) = socket.recv_from(&mut [0; 10]).await {
                let _ = socket.send_to(&[b'x'; 800], from).await;
                let _ = socket.send_to(b"login: ", from).await;
            }
        });
        let got =
            outcome("udp", &format!("{{host: \"{at}\", steps: [{{send: x}}, {{expect_bytes: 'login: $'}}]}}")).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    }

    #[tokio::test]
    async fn a_refusal_and_a_silence_where_an_answer_is_due_are_down() {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        // A machine may have no IPv6.
        let closed6 = UdpSocket::bind("[::1]:0").await.and_then(|socket| socket.local_addr());
        for closed in std::iter::once(closed).chain(closed6) {
            for more in ["send: x", "wait: 1s", "send: x, expect: {contains: y}", "steps: [{send: x}, {expect: y}]"] {
                let got = outcome("udp", &format!("{{host: \"{closed}\", {more}}}")).await;
                let class = got.reason.as_ref().map_or("", |r| &r.class);
                assert_eq!((got.verdict, class), (Verdict::Down, "connection_refused"), "{closed} {more}");
            }
        }
        let (at, _tasks) = server().await;
        let (probe, _) = build("udp", &format!("{{host: \"{at}\", send: hello, expect: {{contains: pong}}}}"));
        let got = probe.unwrap().collector.probe(&context(Duration::from_millis(100))).await;
        assert_eq!((got.verdict, &*got.reason.unwrap().class), (Verdict::Down, "timeout"));
    }
}
