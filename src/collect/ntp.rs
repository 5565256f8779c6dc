//! `type: ntp`: asks a time server for the time, and judges the answer (RFC 5905).
//!
//! One packet of 48 bytes is sent and one read, over a socket of ours: the deadline, the policy and what an ICMP
//! refusal means are those of every other kind. A crate with a socket and a resolver of its own would have none of it.

use std::time::Duration;

use tokio::net::UdpSocket;

use crate::base::BoxFuture;
use crate::base::clock::Clock;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::units::Exact;
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::{self, Items, Talk};
use crate::collect::trace::{Trace, phase};
use crate::collect::udp;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;

/// Seconds from 1900, NTP's epoch, to 1970.
const EPOCH: f64 = 2_208_988_800.0;
/// Seconds of one era, after which NTP's seconds begin anew; the first ends in 2036.
const ERA: f64 = 4_294_967_296.0;
/// From this stratum on, a server is not synchronised.
const UNSYNCHRONISED: u8 = 16;
/// Packets that are not the answer are passed over, so many.
const MAX_STRANGERS: usize = 16;

/// A checked `ntp` monitor.
#[derive(Debug)]
struct NtpProbe {
    endpoint: Endpoint,
    expect: Expect,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "ntp",
    about: "The time of one NTP server.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name` or `name:port`." }),
    flags: &[
        &[
            Flag::new("offset-below", "expect.offset_below", Form::One("DURATION"), "Most that the clocks may differ."),
            Flag::new("stratum", "expect.stratum", Form::One("N"), "Highest stratum that will do."),
            Flag::new(
                "dispersion-below",
                "expect.root_dispersion_below",
                Form::One("DURATION"),
                "Most that the server may be unsure of its time.",
            ),
            Flag::new(
                "reference-below",
                "expect.reference_age_below",
                Form::One("DURATION"),
                "Longest time since its clock was set.",
            ),
        ],
        ROUTE,
        LATENCY,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_ntp_stratum", "How far the server is from a clock that needs no other: 1 beside one"),
            Metric::gauge("probe_ntp_leap", "What the server says of leap seconds: 3 while its own clock is not right"),
            Metric::gauge("probe_ntp_rtt_seconds", "How long question and answer were under way"),
            Metric::gauge("probe_ntp_offset_seconds", "How far the server's clock is ahead of this machine's"),
            Metric::gauge(
                "probe_ntp_root_delay_seconds",
                "How long question and answer are under way from the server to its source",
            ),
            Metric::gauge("probe_ntp_root_dispersion_seconds", "Most that the server can be wrong by, as it says"),
            Metric::gauge("probe_ntp_reference_timestamp_seconds", "When the server's clock was last set, since 1970"),
        ],
    ],
    read,
};

/// What the answer must be.
#[derive(Debug)]
struct Expect {
    offset: Option<(Duration, String)>,
    stratum: (u8, String),
    dispersion: Option<(Duration, String)>,
    age: Option<(Duration, String)>,
    latency: Latency,
}

/// Always judged: a server that is not synchronised tells no time.
const SYNCHRONISED: &str = "server is synchronised";

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let endpoint = Endpoint::read(fields, &mut mask, Some(123));
    let latency = Latency::read(fields);
    let mut expect =
        Expect { offset: None, stratum: (15, "stratum at most 15".to_owned()), dispersion: None, age: None, latency };
    if let Some(mut own) = fields.nested_of("expect", "offset_below") {
        let limits = Duration::from_millis(1)..=Duration::from_secs(86_400);
        let named = |d: Duration, what: &str| (d, format!("{what} below {}", Exact(d)));
        expect.offset = own.duration("offset_below", limits.clone()).map(|d| named(d, "offset"));
        expect.dispersion = own.duration("root_dispersion_below", limits.clone()).map(|d| named(d, "root dispersion"));
        let days = Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);
        expect.age =
            own.duration("reference_age_below", days).map(|d| (d, format!("clock set less than {} ago", Exact(d))));
        if let Some(n) = own.integer("stratum", 1..=15).and_then(|n| u8::try_from(n).ok()) {
            expect.stratum = (n, format!("stratum at most {n}"));
        }
        own.finish();
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (target, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    Some(Probe::new("ntp", target, NtpProbe { endpoint, expect, mask }).at(&at))
}

/// What a server says.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    leap: u8,
    stratum: u8,
    reference_id: [u8; 4],
    /// Nothing when it refuses to tell the time.
    told: Option<Told>,
}

/// The time as a server tells it.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    root_delay: f64,
    root_dispersion: f64,
    /// Seconds since 1970 at which its clock was last set; 0 when never.
    reference: f64,
    /// Seconds that its clock is ahead of ours.
    offset: f64,
    /// Seconds that the packets were on their way.
    rtt: f64,
}

impl Answer {
    /// Reads a packet. `sent` and `received` are ours, in seconds since 1970.
    fn read(packet: &[u8], cookie: [u8; 8], sent: f64, received: f64) -> Option<Self> {
        let packet: &[u8; 48] = packet.get(..48)?.try_into().ok()?;
        // Mode 4 is a server's answer; it holds what we sent as its origin, so that nobody can forge it blindly.
        if packet[0] & 7 != 4 || packet[24..32] != cookie {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        let short = |at: usize| f64::from(word(at)) / 65_536.0;
        let time = |at: usize| seconds(word(at), word(at + 4), received);
        let stratum = packet[1];
        // Kiss-o'-death: four letters instead of a time (RFC 5905, section 7.4). What stands in its other fields
        // means nothing.
        let told = match stratum {
            0 => None,
            _ => {
                let (arrived, left) = (time(32)?, time(40)?);
                Some(Told {
                    // A delay is signed.
                    root_delay: f64::from(i32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]])) / 65_536.0,
                    root_dispersion: short(8),
                    reference: time(16).unwrap_or(0.0),
                    // RFC 5905, section 8.
                    offset: ((arrived - sent) + (left - received)) / 2.0,
                    rtt: ((received - sent) - (left - arrived)).max(0.0),
                })
            }
        };
        let reference_id = [packet[12], packet[13], packet[14], packet[15]];
        Some(Self { leap: packet[0] >> 6, stratum, reference_id, told })
    }

    fn shown_reference(&self) -> String {
        match self.stratum {
            0 | 1 => String::from_utf8_lossy(&self.reference_id).trim_end_matches('\0').to_owned(),
            _ => std::net::Ipv4Addr::from(self.reference_id).to_string(),
        }
    }
}

/// A time of NTP in seconds since 1970, in the era that is nearest to now; `None` for "unknown".
fn seconds(whole: u32, fraction: u32, near: f64) -> Option<f64> {
    if whole == 0 && fraction == 0 {
        return None;
    }
    let within = f64::from(whole) - EPOCH;
    let era = ((near - within) / ERA).round();
    Some(within + era * ERA + f64::from(fraction) / ERA)
}

/// What came back.
#[derive(Debug, Default)]
struct Said {
    answer: Option<Answer>,
}

impl Collector for NtpProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

async fn ask(socket: &UdpSocket, trace: &mut Trace) -> Result<Answer, Fault> {
    let clock = Clock::system();
    let mut asking = udp::Asking::new(socket, "asking for the time", trace);
    // Each question with what it holds and when it was sent: its answer may come after the next was sent.
    let mut asked: Vec<([u8; 8], f64)> = Vec::new();
    let mut strangers = 0;
    loop {
        // Random bytes stand for our time, which is nobody's business; the server sends them back.
        let cookie = fastrand::u64(1..).to_be_bytes();
        let mut question = [0; 48];
        // Version 4, mode 3 (client).
        question[0] = 4 << 3 | 3;
        question[40..].copy_from_slice(&cookie);
        asked.push((cookie, clock.since_epoch().as_secs_f64()));
        asking.send(&question).await?;
        let mut packet = [0; 512];
        while let Some(n) = asking.hear(&mut packet).await? {
            let received = clock.since_epoch().as_secs_f64();
            let mut answers = asked.iter().filter_map(|(c, sent)| Answer::read(&packet[..n], *c, *sent, received));
            if let Some(answer) = answers.next() {
                return Ok(answer);
            }
            strangers += 1;
            if strangers == MAX_STRANGERS {
                let message = "what comes back is no answer of NTP to our question";
                return Err(Fault::target("protocol_error", message));
            }
        }
    }
}

impl Talk for NtpProbe {
    type Said = Said;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Said) -> Result<(), Fault> {
        let addresses = self.endpoint.addresses(cx, trace).await?;
        let socket = udp::open(&addresses, trace).await?;
        trace.begin(phase::PROCESSING);
        let answer = ask(&socket, trace).await?;
        trace.end();
        let refusal = answer.told.is_none().then(|| answer.shown_reference());
        said.answer = Some(answer);
        match refusal {
            Some(word) => Err(Fault::target("kiss", format!("the server refuses to tell the time: {word}"))),
            None => Ok(()),
        }
    }

    fn judge(&self, trace: &Trace, said: &Said) -> Outcome {
        let Some((answer, told)) = said.answer.as_ref().and_then(|a| Some((a, a.told.as_ref()?))) else {
            return Outcome::unknown("local_bug", "the probe ended without an answer");
        };
        let mut judge = Judge::default();
        let synchronised = answer.leap != 3 && answer.stratum < UNSYNCHRONISED;
        let state = format!("leap indicator {}, stratum {}", answer.leap, answer.stratum);
        judge.hold("unsynchronised", SYNCHRONISED, synchronised, state);
        let (most, name) = &self.expect.stratum;
        judge.hold("stratum", name, answer.stratum <= *most, answer.stratum.to_string());
        if let Some((limit, name)) = &self.expect.offset {
            let seen = format!("{:+.6}s", told.offset);
            judge.hold("offset", name, told.offset.abs() < limit.as_secs_f64(), seen);
        }
        if let Some((limit, name)) = &self.expect.dispersion {
            let seen = format!("{:.6}s", told.root_dispersion);
            judge.hold("root_dispersion", name, told.root_dispersion < limit.as_secs_f64(), seen);
        }
        if let Some((limit, name)) = &self.expect.age {
            let age = Clock::system().since_epoch().as_secs_f64() - told.reference;
            let seen = if told.reference > 0.0 { format!("{age:.0}s ago") } else { "never".to_owned() };
            judge.hold("reference_age", name, told.reference > 0.0 && age < limit.as_secs_f64(), seen);
        }
        self.expect.latency.judge(trace.elapsed(), &mut judge);
        judge.outcome(format!("stratum {}, offset {:+.6}s", answer.stratum, told.offset))
    }

    fn checks(&self) -> Vec<&str> {
        let expect = &self.expect;
        let limits = [&expect.offset, &expect.dispersion, &expect.age].into_iter().flatten().map(|(_, n)| n.as_str());
        let first = [SYNCHRONISED, expect.stratum.1.as_str()].into_iter();
        first.chain(limits).chain(expect.latency.names()).collect()
    }

    fn samples(&self, _: &Trace, said: &Said, out: &mut Vec<Sample>) {
        let Some(answer) = &said.answer else { return };
        out.push(Sample::new("probe_ntp_stratum", f64::from(answer.stratum)));
        out.push(Sample::new("probe_ntp_leap", f64::from(answer.leap)));
        let Some(told) = &answer.told else { return };
        for (name, value) in [
            ("probe_ntp_offset_seconds", told.offset),
            ("probe_ntp_rtt_seconds", told.rtt),
            ("probe_ntp_root_delay_seconds", told.root_delay),
            ("probe_ntp_root_dispersion_seconds", told.root_dispersion),
            ("probe_ntp_reference_timestamp_seconds", told.reference),
        ] {
            out.push(Sample::new(name, value));
        }
    }

    fn evidence(&self, said: &Said, items: &mut Items) {
        if let Some(a) = &said.answer {
            let mut text = format!("stratum {}, leap {}, reference {}", a.stratum, a.leap, a.shown_reference());
            if let Some(told) = &a.told {
                text += &format!(
                    "\noffset {:+.6}s, on the way {:.6}s\nroot delay {:.6}s, root dispersion {:.6}s",
                    told.offset, told.rtt, told.root_delay, told.root_dispersion
                );
            }
            items.push(("answer".into(), text));
        }
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
    use crate::collect::kinds::testing::{outcome, problems};

    /// A server whose clock is `ahead` seconds, with these first two bytes.
    async fn server(first: u8, stratum: u8, ahead: f64) -> (String, tokio::task::JoinSet<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap().to_string();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let mut question = [0; 48];
            while let Ok((_, from)) = socket.recv_from(&mut question).await {
                let now = Clock::system().since_epoch().as_secs_f64() + ahead + EPOCH;
                let time = ((now.rem_euclid(ERA)) * ERA) as u64;
                let mut answer = [0; 48];
                (answer[0], answer[1]) = (first, stratum);
                answer[8..12].copy_from_slice(&0x8000_u32.to_be_bytes());
                answer[12..16].copy_from_slice(b"RATE");
                answer[24..32].copy_from_slice(&question[40..]);
                for at in [16, 32, 40] {
                    answer[at..at + 8].copy_from_slice(&time.to_be_bytes());
                }
                let _ = socket.send_to(b"noise", from).await;
                let _ = socket.send_to(&answer, from).await;
            }
        });
        (at, tasks)
    }

    #[tokio::test]
    async fn answers_are_judged() {
        const SERVER: u8 = 4 << 3 | 4;
        for (first, stratum, ahead, more, want) in [
            (SERVER, 2, 0.0, "expect: {offset_below: 1s, reference_age_below: 1h}", (Verdict::Up, "")),
            (SERVER, 2, 10.0, "expect: {offset_below: 1s}", (Verdict::Down, "offset")),
            (SERVER, 2, -10.0, "expect: {offset_below: 1s}", (Verdict::Down, "offset")),
            (SERVER, 5, 0.0, "expect: {stratum: 4}", (Verdict::Down, "stratum")),
            (SERVER, 2, 0.0, "expect: {root_dispersion_below: 100ms}", (Verdict::Down, "root_dispersion")),
            (SERVER | 0xc0, 2, 0.0, "port: 0", (Verdict::Down, "unsynchronised")),
        ] {
            let (at, _tasks) = server(first, stratum, ahead).await;
            let more = more.replace("port: 0", "latency: {below: 1h}");
            let got = outcome("ntp", &format!("{{host: \"{at}\", {more}}}")).await;
            assert_eq!((got.verdict, got.reason.as_ref().map_or("", |r| &r.class)), want, "{more}: {got:?}");
            let offset = got.samples.iter().find(|s| s.name == "probe_ntp_offset_seconds").unwrap().value;
            assert!((offset - ahead).abs() < 0.5, "{offset}");
        }
    }

    #[tokio::test]
    async fn a_refusal_tells_no_time_whatever_stands_in_its_fields() {
        for stamped in [true, false] {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let at = socket.local_addr().unwrap();
            let mut tasks = tokio::task::JoinSet::new();
            tasks.spawn(async move {
                let mut question = [0; 48];
                while let Ok((_, from)) = socket.recv_from(&mut question).await {
                    let mut answer = [0; 48];
                    (answer[0], answer[1]) = (0xc0 | 4 << 3 | 4, 0);
                    answer[12..16].copy_from_slice(b"RATE");
                    answer[24..32].copy_from_slice(&question[40..]);
                    answer[32..].fill(u8::from(stamped));
                    let _ = socket.send_to(&answer, from).await;
                }
            });
            let got = outcome("ntp", &format!("{{host: \"{at}\"}}")).await;
            let reason = got.reason.unwrap();
            assert_eq!((got.verdict, &*reason.class), (Verdict::Down, "kiss"), "{stamped}");
            assert!(reason.message.ends_with(": RATE"), "{reason:?}");
            let own = got.samples.iter().filter(|s| s.name.starts_with("probe_ntp"));
            let own: Vec<(&str, f64)> = own.map(|s| (&*s.name, s.value)).collect();
            assert_eq!(own, [("probe_ntp_stratum", 0.0), ("probe_ntp_leap", 3.0)], "{stamped}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_datagram_is_no_failure() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let mut question = [0; 48];
            let mut lost = 1;
            while let Ok((_, from)) = socket.recv_from(&mut question).await {
                if lost > 0 {
                    lost -= 1;
                    continue;
                }
                let mut answer = [1; 48];
                (answer[0], answer[1]) = (4 << 3 | 4, 2);
                answer[24..32].copy_from_slice(&question[40..]);
                let _ = socket.send_to(&answer, from).await;
            }
        });
        let got = outcome("ntp", &format!("{{host: \"{at}\"}}")).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    }

    #[test]
    fn seconds_of_the_next_era_are_those_near_now() {
        // 2036-02-07T06:28:16Z is when the second era begins.
        let turn = ERA - EPOCH;
        assert_eq!(seconds(0, 1 << 31, turn), Some(turn + 0.5));
        assert_eq!(seconds(u32::MAX, 0, turn), Some(turn - 1.0));
        assert_eq!(seconds(0, 0, turn), None);
    }

    #[test]
    fn an_answer_to_somebody_else_is_none() {
        let mut packet = [0; 48];
        packet[0] = 4 << 3 | 4;
        packet[24..32].copy_from_slice(&[7; 8]);
        packet[32] = 1;
        packet[40] = 1;
        assert!(Answer::read(&packet, [7; 8], 0.0, 0.0).is_some());
        assert!(Answer::read(&packet, [8; 8], 0.0, 0.0).is_none());
        assert!(Answer::read(&packet[..47], [7; 8], 0.0, 0.0).is_none());
    }

    #[test]
    fn limits_are_checked() {
        assert!(problems("ntp", "{host: a, expect: {stratum: 16}}")[0].contains("allowed are 1 to 15"));
    }
}
