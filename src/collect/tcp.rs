//! `type: tcp`: connects, optionally speaks TLS, sends a text and waits for one.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout_at;

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::dial::{self, Peer, PeerError, Route};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency, TextCheck, found, unjudged};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::Value;

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;
/// Bytes of it that are kept as evidence.
const MAX_EVIDENCE: usize = 4 * 1024;

/// A checked `tcp` monitor.
#[derive(Debug)]
struct TcpProbe {
    peer: Peer,
    route: Route,
    tls: Option<TlsSpec>,
    send: Option<crate::base::secret::Secret<String>>,
    expect: Vec<TextCheck>,
    latency: Latency,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "tcp",
    about: "One TCP connection.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name:port`." }),
    flags: &[
        &[
            Flag::new("send", "send", Form::One("TEXT"), "Text to send."),
            Flag::new("expect-contains", "expect.contains", Form::Many("TEXT"), "Text that the answer must contain."),
            Flag::new(
                "expect-matches",
                "expect.matches",
                Form::Many("REGEX"),
                "Regular expression that the answer must match.",
            ),
        ],
        TLS_ON_DEMAND,
        ROUTE,
        LATENCY,
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let host = fields.need_text("host", "write e.g. `host: db.example.com:5432`");
    let port = fields.integer("port", 1..=65_535).and_then(|p| u16::try_from(p).ok());
    let send = fields.text("send");
    if let Some(send) = &send {
        mask.add_text(send);
    }
    let mut expect = Vec::new();
    if let Some(mut own) = fields.nested_of("expect", "contains") {
        expect = TextCheck::read(&mut own, "answer", false);
        own.finish();
    }
    let latency = Latency::read(fields);
    let route = Route::read(fields);
    let tls = read_tls(fields);
    let host = host?;
    mask.add_text(&host);
    let peer = read_peer(fields, &host, port);
    if fields.cx().error_count() > errors {
        return None;
    }
    let target = match port {
        Some(port) => format!("{}:{port}", host.shown()),
        None => host.shown().to_owned(),
    };
    let send = send.map(Text::secret);
    let peer = peer?;
    let at = peer.host().to_owned();
    let probe = TcpProbe { peer, route, tls, send, expect, latency, mask };
    Some(Probe::new("tcp", target, probe).at(&at))
}

fn read_peer(fields: &Fields<'_>, host: &Text, port: Option<u16>) -> Option<Peer> {
    let both = Peer::parse(host.value());
    let peer = match (port, both) {
        (None, both) => both,
        (Some(_), Ok(_)) => {
            let message = format!("`{}` already has a port, and `port` is another", host.shown());
            fields.error(host.span, Code::Conflict, message, "write the port in one place");
            return None;
        }
        (Some(port), Err(_)) => Peer::new(host.value(), port),
    };
    peer.inspect_err(|e| {
        let hint = match e {
            PeerError::BadHost(_) if host.shown().contains("://") => {
                "write the host alone, `name:port`; for web addresses there is `type: http`".to_owned()
            }
            PeerError::NoPort(_) => format!("write `host: {}:PORT`, or add `port:`", host.shown()),
            _ => "write `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`".to_owned(),
        };
        fields.error(host.span, Code::BadValue, format!("`host`: {e}"), hint);
    })
    .ok()
}

/// `tls: true`, `tls: false` or `tls: {…}`.
fn read_tls(fields: &mut Fields<'_>) -> Option<TlsSpec> {
    match fields.node("tls")?.value {
        Value::Scalar { .. } => fields.bool("tls")?.then(|| TlsSpec::system(alpn::NONE)),
        Value::Map(_) | Value::Seq(_) => TlsSpec::read(fields.nested("tls")?, alpn::NONE),
    }
}

impl Collector for TcpProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut trace = Trace::start();
            let mut answer = Vec::new();
            let ended = timeout_at(cx.deadline, self.talk(cx, &mut trace, &mut answer)).await;
            let mut outcome = match trace.settle(ended, cx.deadline) {
                Ok(()) => self.judge(&trace, &answer),
                Err(fault) => self.failed(&mut trace, fault, &answer),
            };
            trace.network_samples(&mut outcome.samples);
            if outcome.verdict != Verdict::Up {
                outcome.evidence = Some(self.evidence(&trace, &answer));
            }
            outcome.phases = trace.take_phases();
            self.mask.hide_in(&mut outcome);
            outcome
        })
    }
}

impl TcpProbe {
    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, answer: &mut Vec<u8>) -> Result<(), Fault> {
        let stream = dial::open_by(&self.peer, &self.route, cx, trace).await?;
        match &self.tls {
            None => self.exchange(stream, trace, answer).await,
            Some(tls) => {
                let stream = tls.handshake(stream, &self.peer, cx.now, trace).await?;
                self.exchange(stream, trace, answer).await
            }
        }
    }

    /// Sends and reads until everything expected has come, the peer is done, or the limit is reached.
    async fn exchange<S>(&self, mut stream: S, trace: &mut Trace, answer: &mut Vec<u8>) -> Result<(), Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.send.is_none() && self.expect.is_empty() {
            return Ok(());
        }
        trace.begin(phase::PROCESSING);
        if let Some(text) = &self.send {
            let send = async {
                stream.write_all(text.reveal().as_bytes()).await?;
                stream.flush().await
            };
            send.await.map_err(|e| Fault::io("sending", &e))?;
        }
        let mut judged_at = 0;
        while !self.expect.is_empty() && answer.len() < MAX_ANSWER {
            let room = MAX_ANSWER - answer.len();
            let n = (&mut stream)
                .take(room as u64)
                .read_buf(answer)
                .await
                .map_err(|e| Fault::io("reading the answer", &e))?;
            // A peer that drips must not make us search the same text again for each byte.
            let grown = answer.len() >= judged_at + judged_at / 8;
            if n == 0 {
                break;
            }
            if grown {
                judged_at = answer.len();
                if self.holds(answer) {
                    break;
                }
            }
        }
        trace.end();
        Ok(())
    }

    fn holds(&self, answer: &[u8]) -> bool {
        let text = String::from_utf8_lossy(answer);
        self.expect.iter().all(|c| c.holds(&text))
    }

    fn judge(&self, trace: &Trace, answer: &[u8]) -> Outcome {
        let took = trace.elapsed();
        let text = String::from_utf8_lossy(answer);
        let mut judge = Judge::default();
        for check in &self.expect {
            let ok = check.holds(&text);
            let seen = match (ok, answer.is_empty()) {
                (true, _) => String::new(),
                (false, true) => "the peer closed without a word".to_owned(),
                (false, false) => found(&text),
            };
            judge.hold("answer", check.name(), ok, seen);
        }
        self.latency.judge(took, &mut judge);
        let first = text.lines().next().map(str::trim).filter(|l| !l.is_empty());
        judge.outcome(first.map_or_else(|| "connected".to_owned(), found))
    }

    /// A deadline while waiting for an answer is judged by what came: the answer may be there, unread
    /// only because the expression wants more.
    fn failed(&self, trace: &mut Trace, fault: Fault, answer: &[u8]) -> Outcome {
        trace.fail();
        if !answer.is_empty() && self.holds(answer) {
            return self.judge(trace, answer);
        }
        let mut outcome = fault.outcome();
        outcome.checks = unjudged(self.expect.iter().map(TextCheck::name).chain(self.latency.names()));
        outcome
    }

    fn evidence(&self, trace: &Trace, answer: &[u8]) -> Evidence {
        let mut items = vec![("target".into(), self.peer.to_string())];
        if !trace.tried.is_empty() {
            let list: Vec<String> = trace.tried.iter().map(ToString::to_string).collect();
            items.push(("addresses tried".into(), list.join(", ")));
        }
        if let Some(cert) = &trace.cert {
            items.push(("certificate".into(), cert.describe()));
        }
        if !answer.is_empty() {
            let shown = &answer[..answer.len().min(MAX_EVIDENCE)];
            let title = format!("answer ({} bytes)", answer.len());
            items.push((title.into(), String::from_utf8_lossy(shown).into_owned()));
        }
        Evidence { items }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::collect::kinds::testing::{outcome, problems};

    async fn server(banner: &'static [u8]) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                let _ = s.write_all(banner).await;
            }
        });
        (at, tasks)
    }

    #[tokio::test]
    async fn a_banner_that_is_expected_is_up() {
        let (at, _tasks) = server(b"220 mail ready\r\n").await;
        let good = outcome("tcp", &format!("{{host: \"{at}\", expect: {{contains: ready}}}}")).await;
        assert_eq!((good.verdict, good.summary.as_str()), (Verdict::Up, "220 mail ready"));
        let bad = outcome("tcp", &format!("{{host: \"{at}\", expect: {{matches: '^250'}}}}")).await;
        assert_eq!(bad.verdict, Verdict::Down);
        assert_eq!(
            bad.reason.unwrap().message,
            "expected: answer matches /^250/; found: 220 mail ready\\r\\n".replace("\\r\\n", "\r\n")
        );
        assert!(bad.evidence.is_some());
    }

    #[tokio::test]
    async fn a_closed_port_is_down_and_says_so() {
        let at = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let got = outcome("tcp", &format!("{{host: \"{at}\"}}")).await;
        assert_eq!(got.verdict, Verdict::Down);
        assert_eq!(got.reason.unwrap().class, "connection_refused");
        assert!(got.phases.iter().any(|p| p.name == "connect" && p.failed));
    }

    #[test]
    fn hosts_are_checked_where_they_stand() {
        #[track_caller]
        fn check(yaml: &str, want: &str) {
            let got = problems("tcp", yaml);
            assert!(got.iter().any(|p| p.contains(want)), "{yaml}: {got:?}");
        }
        check("{host: db}", "`db` has no port");
        check("{host: \"db:1\", port: 2}", "already has a port");
        check("{host: \"db:99999\"}", "not a port");
        check("{port: 1}", "`host` is missing");
        check("{host: \"db:1\", expect: {matches: \"(\"}}", "not a regular expression");
        check("{host: \"db:1\", tls: maybe}", "neither true nor false");
        check("{host: \"db:1\", tls: {verfy: true}}", "`verfy` is not a key here");
    }
}
