//! `type: ping`: sends ICMP echo requests and judges what comes back.

use std::time::Duration;

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Sample, TIMEOUT, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::units::{Exact, Short};
use crate::collect::dial::{self, Peer, Route};
use crate::collect::fault::Fault;
use crate::collect::icmp::burst::{Burst, Sender, Tally, silence};
use crate::collect::icmp::packet::MAX_PAYLOAD;
use crate::collect::judge::{Judge, unjudged};
use crate::collect::kind::{Flag, Form, Kind, Operand, ROUTE};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::general::time_limit;
use crate::config::report::Code;
use tokio::time::timeout_at;

/// Opening the socket, in blackbox_exporter's words.
const SETUP: &str = "setup";
/// From the first request to the last reply that is waited for.
const RTT: &str = "rtt";

/// How many samples a ping yields.
const SAMPLES: usize = 10;
/// How many a burst of several yields besides.
const SAMPLES_OF_BURST: usize = 5;

/// From one request to the next, unless the monitor says otherwise.
const SPACING: Duration = Duration::from_millis(200);

/// A checked `ping` monitor.
#[derive(Debug)]
struct PingProbe {
    peer: Peer,
    route: Route,
    burst: Burst,
    loss: Limit<f64>,
    rtt: Limit<Duration>,
    jitter: Limit<Duration>,
    mask: Mask,
}

/// `{below: …, degraded_above: …}` of one number.
#[derive(Clone, Debug)]
struct Limit<T> {
    below: Option<(T, String)>,
    degraded_above: Option<(T, String)>,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "ping",
    about: "ICMP echo: loss and round-trip times.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Name or address." }),
    flags: &[
        &[
            Flag::new("count", "count", Form::One("N"), "Requests to send."),
            Flag::new("spacing", "spacing", Form::One("DURATION"), "Time from one request to the next."),
            Flag::new("size", "size", Form::One("BYTES"), "Bytes of payload."),
            Flag::new("ttl", "ttl", Form::One("N"), "Routers that a request may pass."),
            Flag::new("dont-fragment", "dont_fragment", Form::Switch("true"), "No router may break a request up."),
            Flag::new("loss-below", "expect.loss.below", Form::One("PERCENT"), "Down at this loss or more."),
            Flag::new(
                "loss-degraded-above",
                "expect.loss.degraded_above",
                Form::One("PERCENT"),
                "Degraded above this loss.",
            ),
            Flag::new(
                "rtt-below",
                "expect.rtt.below",
                Form::One("DURATION"),
                "Down when the mean round trip takes this long or longer.",
            ),
            Flag::new(
                "rtt-degraded-above",
                "expect.rtt.degraded_above",
                Form::One("DURATION"),
                "Degraded when it takes longer than this.",
            ),
            Flag::new("jitter-below", "expect.jitter.below", Form::One("DURATION"), "Down at this jitter or more."),
        ],
        ROUTE,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge(
                "probe_icmp_duration_seconds",
                "How long each phase took; of a burst, a round trip on average",
            ),
            Metric::gauge("probe_icmp_reply_hop_limit", "Hops that the answer could still have made"),
            Metric::gauge("probe_icmp_requests", "Questions that were sent"),
            Metric::gauge("probe_icmp_replies", "Questions that were answered"),
            Metric::gauge("probe_icmp_loss_ratio", "Part of the questions without an answer"),
            Metric::gauge("probe_icmp_duplicates", "Answers that came more than once"),
            Metric::gauge("probe_icmp_rtt_seconds", "Round-trip times of the burst"),
            Metric::gauge(
                "probe_icmp_jitter_seconds",
                "How much one round trip differs from the one before, on average",
            ),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let host = fields.need_text("host", "write a name or an address, e.g. `host: gw.example.com`");
    let burst = read_burst(fields);
    let route = Route::read(fields);
    let (mut loss, mut rtt, mut jitter) = (Limit::none(), Limit::none(), Limit::none());
    if let Some(mut own) = fields.nested_of("expect", "loss") {
        loss = read_loss(&mut own);
        rtt = read_time(&mut own, "rtt", "mean round trip");
        jitter = read_time(&mut own, "jitter", "jitter");
        if burst.count < 2
            && let Some((_, name)) = jitter.below.as_ref().or(jitter.degraded_above.as_ref())
        {
            let message = format!("`{name}` is never judged: one request has no jitter");
            own.error(own.head(), Code::Conflict, message, "add `count: 5`");
        }
        own.finish();
    }
    let host = host?;
    mask.add_text(&host);
    let peer = Peer::host_alone(host.value())
        .inspect_err(|e| {
            let hint = "write a name or an address alone, `gw.example.com`, `192.0.2.1` or `2001:db8::1`";
            fields.error(host.span, Code::BadValue, format!("`host`: {e}"), hint);
        })
        .ok();
    if fields.cx().error_count() > errors {
        return None;
    }
    let peer = peer?;
    let at = peer.host().to_owned();
    let target = host.shown().to_owned();
    let ping = PingProbe { peer, route, burst, loss, rtt, jitter, mask };
    Some(Probe::new("ping", target, ping).at(&at).stamped())
}

fn read_burst(fields: &mut Fields<'_>) -> Burst {
    let count = fields.integer("count", 1..=100).unwrap_or(1);
    let spacing = fields.duration("spacing", Duration::from_millis(10)..=Duration::from_secs(10));
    let takes = spacing.unwrap_or(SPACING) * u32::try_from(count - 1).unwrap_or(0);
    if let Some(limit) = time_limit(fields).filter(|limit| takes >= *limit) {
        let message =
            format!("the last of {count} requests leaves after {}, and `timeout` is {}", Exact(takes), Exact(limit));
        let hint = "write a longer `timeout`, a shorter `spacing`, or fewer requests";
        let node = fields.node("count").map_or(fields.head(), |n| n.span);
        fields.error(node, Code::Conflict, message, hint);
    }
    let size = fields.size("size", 0..=MAX_PAYLOAD as u64).unwrap_or(56);
    let ttl = fields.integer("ttl", 1..=255);
    Burst {
        count: u16::try_from(count).unwrap_or(1),
        interval: spacing.unwrap_or(SPACING),
        size: usize::try_from(size).unwrap_or(0),
        ttl: ttl.and_then(|n| u8::try_from(n).ok()),
        dont_fragment: fields.bool("dont_fragment").unwrap_or(false),
    }
}

fn read_loss(fields: &mut Fields<'_>) -> Limit<f64> {
    let Some(mut own) = fields.nested_of("loss", "below") else { return Limit::none() };
    let below = own.number("below", 0.001..=100.0);
    let above = own.number("degraded_above", 0.0..=100.0);
    in_order(&own, below, above);
    own.finish();
    Limit {
        below: below.map(|n| (n, format!("loss below {n} %"))),
        degraded_above: above.map(|n| (n, format!("loss at most {n} % (else degraded)"))),
    }
}

fn read_time(fields: &mut Fields<'_>, key: &'static str, what: &str) -> Limit<Duration> {
    let Some(mut own) = fields.nested_of(key, "below") else { return Limit::none() };
    let limits = Duration::from_micros(1)..=Duration::from_secs(3_600);
    let below = own.duration("below", limits.clone());
    let above = own.duration("degraded_above", limits);
    in_order(&own, below, above);
    own.finish();
    Limit {
        below: below.map(|d| (d, format!("{what} below {}", Exact(d)))),
        degraded_above: above.map(|d| (d, format!("{what} at most {} (else degraded)", Exact(d)))),
    }
}

fn in_order<T: PartialOrd>(fields: &Fields<'_>, below: Option<T>, above: Option<T>) {
    if let (Some(below), Some(above)) = (below, above)
        && above >= below
    {
        let message = "`degraded_above` is not less than `below`: the target would never be degraded";
        fields.error(fields.head(), Code::Conflict, message, "write a smaller `degraded_above`");
    }
}

impl<T: PartialOrd> Limit<T> {
    fn none() -> Self {
        Self { below: None, degraded_above: None }
    }

    fn judge(&self, class: &'static str, value: &T, shown: impl Fn() -> String, judge: &mut Judge) {
        if let Some((limit, name)) = &self.below {
            judge.hold(class, name, value < limit, shown());
        }
        if let Some((limit, name)) = &self.degraded_above {
            judge.prefer(class, name, value <= limit, shown());
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.below.iter().chain(&self.degraded_above).map(|(_, name)| name.as_str())
    }
}

impl Collector for PingProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut trace = Trace::start();
            let mut tally = Tally::default();
            let ended = timeout_at(cx.deadline, self.ping(cx, &mut trace, &mut tally)).await;
            let resolved = trace.tried.first().map(std::net::SocketAddr::ip);
            let mut outcome = match (trace.current(), resolved) {
                // The deadline ends a burst; what had come back by then is judged.
                (Some(RTT), Some(to)) if !matches!(ended, Ok(Err(_))) => match tally.received() {
                    0 => {
                        let within = Short(trace.elapsed()).to_string();
                        trace.fail();
                        self.failed(silence(to, &tally, &within))
                    }
                    _ => {
                        match tally.last.filter(|_| tally.is_whole()) {
                            Some(last) => trace.end_at(last),
                            None => trace.end(),
                        }
                        self.judge(&tally)
                    }
                },
                _ => match trace.settle(ended, cx.deadline) {
                    Ok(()) => self.judge(&tally),
                    Err(fault) => {
                        trace.fail();
                        self.failed(fault)
                    }
                },
            };
            outcome.samples.reserve_exact(if self.burst.count == 1 { SAMPLES } else { SAMPLES + SAMPLES_OF_BURST });
            trace.network_samples(&mut outcome.samples);
            samples(&trace, &tally, &mut outcome.samples);
            if outcome.verdict != Verdict::Up || cx.show {
                outcome.evidence = Some(self.evidence(&trace, &tally));
            }
            outcome.phases = trace.take_phases();
            self.mask.hide_in(&mut outcome);
            outcome
        })
    }
}

impl PingProbe {
    /// Leaves the phase [`RTT`] open: its end is for the caller to judge.
    async fn ping(&self, cx: &ProbeCx, trace: &mut Trace, tally: &mut Tally) -> Result<(), Fault> {
        let addresses = dial::addresses(&self.peer, &self.route, cx, trace).await?;
        let Some(to) = addresses.first() else {
            return Err(Fault::target("dns", "the name has no address"));
        };
        trace.tried.push(*to);
        trace.begin(SETUP);
        let mut sender = Sender::open(to.ip(), &self.burst)?;
        trace.begin(RTT);
        sender.run(cx.deadline, tally).await
    }

    fn judge(&self, tally: &Tally) -> Outcome {
        let mut judge = Judge::default();
        let loss = tally.loss() * 100.0;
        let Some(spread) = tally.spread() else { return Outcome::down(TIMEOUT, "nothing came back") };
        let counted = || format!("{loss:.0} % ({} of {})", tally.sent - tally.received(), tally.sent);
        self.loss.judge("loss", &loss, counted, &mut judge);
        self.rtt.judge("rtt", &spread.avg, || Short(spread.avg).to_string(), &mut judge);
        if let Some(jitter) = spread.jitter {
            let jitter = Duration::from_secs_f64(jitter);
            self.jitter.judge("jitter", &jitter, || Short(jitter).to_string(), &mut judge);
        }
        let mut summary = match tally.sent {
            1 => format!("answered in {}", Short(spread.avg)),
            sent => format!("{} of {sent} came back in {}", tally.received(), Short(spread.avg)),
        };
        if tally.sent < self.burst.count {
            summary += &format!("; for {} more there was no time", self.burst.count - tally.sent);
        }
        judge.outcome(summary)
    }

    fn failed(&self, fault: Fault) -> Outcome {
        let mut outcome = fault.outcome();
        outcome.checks = unjudged(self.loss.names().chain(self.rtt.names()).chain(self.jitter.names()));
        outcome
    }

    fn evidence(&self, trace: &Trace, tally: &Tally) -> Evidence {
        let mut items = vec![("target".into(), self.peer.to_string())];
        if let Some(to) = trace.tried.first() {
            items.push(("address".into(), to.ip().to_string()));
        }
        if tally.sent > 0 {
            items.push(("burst".into(), tally.to_string()));
        }
        Evidence { items }
    }
}

fn samples(trace: &Trace, tally: &Tally, out: &mut Vec<Sample>) {
    let spread = tally.spread();
    for part in trace.phases() {
        // The phase of a burst lasts as long as the burst; blackbox_exporter's is one round trip.
        let seconds = match (&*part.name, &spread) {
            (phase::RESOLVE | SETUP, _) => part.took.as_secs_f64(),
            (RTT, Some(spread)) => spread.avg.as_secs_f64(),
            _ => continue,
        };
        out.push(Sample::new("probe_icmp_duration_seconds", seconds).word("phase", part.name.clone()));
    }
    if let Some(hops) = tally.hops {
        out.push(Sample::new("probe_icmp_reply_hop_limit", f64::from(hops)));
    }
    if tally.sent == 0 {
        return;
    }
    out.push(Sample::new("probe_icmp_requests", f64::from(tally.sent)));
    out.push(Sample::new("probe_icmp_replies", f64::from(tally.received())));
    out.push(Sample::new("probe_icmp_loss_ratio", tally.loss()));
    if tally.sent > 1 {
        out.push(Sample::new("probe_icmp_duplicates", f64::from(tally.duplicates)));
        if let Some(s) = spread {
            let stats = [("min", s.min.as_secs_f64()), ("max", s.max.as_secs_f64()), ("stddev", s.stddev)];
            for (stat, value) in stats {
                out.push(Sample::new("probe_icmp_rtt_seconds", value).word("stat", stat));
            }
            if let Some(jitter) = s.jitter {
                out.push(Sample::new("probe_icmp_jitter_seconds", jitter));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::kinds::testing::{outcome, problems};

    #[tokio::test]
    async fn this_machine_answers() {
        for host in ["127.0.0.1", "\"::1\"", "localhost"] {
            let got = outcome("ping", &format!("{{host: {host}, count: 3, spacing: 10ms}}")).await;
            if got.reason.as_ref().is_some_and(|r| r.message.contains("ping_group_range")) {
                return;
            }
            assert_eq!(got.verdict, Verdict::Up, "{got:?}");
            let value = |name: &str| got.samples.iter().find(|s| s.name == name).map(|s| s.value);
            assert_eq!((value("probe_icmp_replies"), value("probe_icmp_loss_ratio")), (Some(3.0), Some(0.0)));
            assert_eq!(value("probe_icmp_reply_hop_limit"), Some(64.0));
            assert!(got.phases.iter().map(|p| &*p.name).eq(["resolve", "setup", "rtt"]), "{:?}", got.phases);
        }
    }

    #[tokio::test]
    async fn payloads_of_every_size_come_back() {
        for size in [0, 1, 7, 8, 1_472, 60_000] {
            let got = outcome("ping", &format!("{{host: 127.0.0.1, size: {size}}}")).await;
            let denied = got.reason.as_ref().is_some_and(|r| r.class == "local_denied");
            assert!(denied || got.verdict == Verdict::Up, "{size}: {got:?}");
        }
    }

    #[test]
    fn loss_and_times_are_judged() {
        #[track_caller]
        fn check(times: &[Option<u64>], want: Verdict, why: &str) {
            let text = "{host: a, count: 4, expect: {loss: {below: 50, degraded_above: 20}, rtt: {below: 100ms}}}";
            let fields = Limit {
                below: Some((50.0, "loss below 50 %".to_owned())),
                degraded_above: Some((20.0, "loss at most 20 % (else degraded)".to_owned())),
            };
            assert_eq!(problems("ping", text), Vec::<String>::new());
            let probe = PingProbe {
                peer: Peer::host_alone("a").unwrap(),
                route: Route::default(),
                burst: Burst { count: 4, interval: Duration::ZERO, size: 0, ttl: None, dont_fragment: false },
                loss: fields,
                rtt: Limit {
                    below: Some((Duration::from_millis(100), "mean round trip below 100ms".to_owned())),
                    degraded_above: None,
                },
                jitter: Limit::none(),
                mask: Mask::default(),
            };
            let times: Vec<_> = times.iter().map(|t| t.map(Duration::from_millis)).collect();
            let got = probe.judge(&Tally { sent: 4, times, ..Tally::default() });
            assert_eq!(got.verdict, want);
            assert_eq!(got.reason.map(|r| r.message).unwrap_or_default(), why);
        }
        check(&[Some(1); 4], Verdict::Up, "");
        check(
            &[Some(1), None, Some(1), Some(1)],
            Verdict::Degraded,
            "expected: loss at most 20 % (else degraded); found: 25 % (1 of 4)",
        );
        check(&[Some(1), None, None, Some(1)], Verdict::Down, "expected: loss below 50 %; found: 50 % (2 of 4)");
        check(&[Some(150); 4], Verdict::Down, "expected: mean round trip below 100ms; found: 150ms");
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        #[track_caller]
        fn check(yaml: &str, want: &str) {
            let got = problems("ping", yaml);
            assert!(got.iter().any(|p| p.contains(want)), "{yaml}: {got:?}");
        }
        check("{host: \"a:80\"}", "`host`");
        check("{host: a, count: 0}", "`count` is 0");
        check("{host: a, ttl: 256}", "`ttl` is 256");
        check("{host: a, size: 70000}", "`size` is 70000");
        check("{host: a, expect: {jitter: {below: 1ms}}}", "one request has no jitter");
        check("{host: a, expect: {loss: {below: 10, degraded_above: 20}}}", "not less than `below`");
        check("{host: a, expect: {rtt: 5ms}}", "takes `key: value` pairs");
        check("{name: x, host: a, count: 51}", "leaves after 10s, and `timeout` is 10s");
        check("{name: x, host: a, count: 100, timeout: 10s}", "leaves after 19s800ms, and `timeout` is 10s");
        check(
            "{name: x, host: a, count: 20, spacing: 100ms, interval: 1s}",
            "leaves after 1s900ms, and `timeout` is 1s",
        );
        let fits = |text: &str| !problems("ping", text).iter().any(|p| p.contains("leaves after"));
        assert!(fits("{name: x, host: a, count: 50}") && fits("{name: x, host: a, count: 100, timeout: 20s}"));
        assert!(fits("{host: a, count: 100}"), "a command line has its own limit");
        check("{host: a, ip_version: 5}", "no version of IP");
        check("{host: a, resolver: dns.example}", "not the address of a DNS server");
    }
}
