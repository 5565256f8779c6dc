//! `type: tcp`: connects, optionally speaks TLS, and holds a conversation that a person wrote.

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::kind::{Kind, LATENCY, Operand, ROUTE, SCRIPT, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{CONVERSATION, NETWORK};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::script::{Handshake, Script, Spoken};
use crate::collect::talk::wire::Wire;
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::Trace;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;

/// A checked `tcp` monitor.
#[derive(Debug)]
struct TcpProbe {
    endpoint: Endpoint,
    tls: Option<TlsSpec>,
    script: Script,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "tcp",
    about: "One TCP connection.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name:port`." }),
    flags: &[SCRIPT, TLS_ON_DEMAND, ROUTE, LATENCY],
    metrics: &[NETWORK, CONVERSATION],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let endpoint = Endpoint::read(fields, &mut mask, None);
    let script = Script::read(fields, &mut mask);
    let mut tls = TlsSpec::read_on_demand(fields, alpn::NONE);
    if script.has_starttls() && tls.is_none() {
        tls = Some(TlsSpec::system(alpn::NONE));
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (target, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    Some(Probe::new("tcp", target, TcpProbe { endpoint, tls, script, mask }).at(&at))
}

impl Collector for TcpProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl Talk for TcpProbe {
    type Said = Spoken;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Spoken) -> Result<(), Fault> {
        let stream = self.endpoint.open(cx, trace).await?;
        let host = self.endpoint.peer.host();
        let (heard, mut progress) = said.split();
        // A script that encrypts on its own begins in the open.
        let tls = self.tls.as_ref().filter(|_| !self.script.has_starttls()).map(|tls| (tls, host));
        let mut wire = Wire::open(stream, tls, cx.now, trace, heard).await?;
        let handshake = Handshake { tls: self.tls.as_ref(), host, now: cx.now };
        self.script.speak(&mut wire, &mut progress, handshake, trace).await
    }

    fn judge(&self, trace: &Trace, said: &Spoken) -> Outcome {
        self.script.judge(trace, said)
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
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use crate::base::outcome::Verdict;
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
    async fn a_prompt_after_a_long_banner_is_seen_though_the_peer_stays() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut s, _)) = listener.accept().await {
                let _ = s.write_all(&[b'x'; 800]).await;
                tokio::task::yield_now().await;
                let _ = s.write_all(b"login: ").await;
                open.push(s);
            }
        });
        let got = outcome("tcp", &format!("{{host: \"{at}\", steps: [{{expect_bytes: 'login: $'}}]}}")).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
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
