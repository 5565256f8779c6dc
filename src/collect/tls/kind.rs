//! `type: tls`: one handshake, on any port and in protocols that begin in the open, and what its certificate says.
//!
//! A certificate that is refused is judged all the same: who is told that it is not trusted wants to know when it
//! expires, too.

use std::time::Duration;

use tokio::time::timeout;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::units::Exact;
use crate::collect::cert::expect::{is_for, is_like, lasts, names, verb};
use crate::collect::cert::{Cert, CertFacts};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::starttls::StartTls;
use crate::collect::talk::wire::{Heard, Stream, Wire};
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::ocsp::{self, Response, Status};
use crate::collect::tls::{TlsSpec, Version, alpn};
use crate::collect::trace::{Trace, phase};
use crate::collect::want::Want;
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// A checked `tls` monitor.
#[derive(Debug)]
struct TlsProbe {
    endpoint: Endpoint,
    starttls: Option<StartTls>,
    tls: TlsSpec,
    expect: Expect,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "tls",
    about: "One TLS handshake and its certificate.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name` or `name:port`." }),
    flags: &[
        &[
            Flag::new("starttls", "starttls", Form::One("PROTOCOL"), "Protocol that begins in the open, e.g. `smtp`."),
            Flag::new(
                "valid-for",
                "expect.valid_for",
                Form::One("DURATION"),
                "Least time for which the certificate must still be valid, e.g. `14d`.",
            ),
            Flag::new("name", "expect.names", Form::Many("NAME"), "Name that the certificate must be for."),
            Flag::new("issuer", "expect.issuer", Form::One("TEXT"), "Text in its issuer, or `/expression/`."),
            Flag::new("protocol", "expect.protocol", Form::List("VERSION"), "Version that must be agreed on, `1.3`."),
            Flag::new("cipher", "expect.cipher", Form::One("TEXT"), "Text in the cipher suite, or `/expression/`."),
            Flag::new("fingerprint", "expect.fingerprint", Form::Many("SHA256"), "Fingerprint that it must have."),
            Flag::new("chain", "expect.chain", Form::One("ordered"), "The chain must be whole and in order."),
            Flag::new("ocsp", "expect.ocsp", Form::One("stapled|good"), "A stapled OCSP response must be there."),
        ],
        TLS,
        ROUTE,
        LATENCY,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge(
                "probe_ssl_ocsp_response_stapled",
                "1 where the server sent proof that its certificate is not revoked",
            ),
            Metric::gauge(
                "probe_ssl_ocsp_response_status",
                "What the proof that a certificate is not revoked says: 0 good, 1 revoked, 2 unknown",
            ),
            Metric::gauge(
                "probe_ssl_ocsp_response_next_update_timestamp_seconds",
                "When a newer proof that the certificate is not revoked is due, since 1970",
            ),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let protocols: Vec<&str> = StartTls::ALL.iter().map(|(name, _)| *name).collect();
    let hint = format!("protocols with STARTTLS: {}", protocols.join(", "));
    let starttls = fields.parse("starttls", &hint, StartTls::parse);
    let usual = starttls.map_or(443, StartTls::usual_port);
    let endpoint = Endpoint::read(fields, &mut mask, Some(usual));
    let tls = TlsSpec::read_always(fields, alpn::NONE);
    let expect = Expect::read(fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (target, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    Some(Probe::new("tls", target, TlsProbe { endpoint, starttls, tls: tls?, expect, mask }).at(&at))
}

/// What the certificate and the handshake must be.
#[derive(Debug, Default)]
struct Expect {
    valid_for: Option<(Duration, String)>,
    names: Vec<(String, String)>,
    issuer: Option<Part>,
    protocols: Option<(Vec<Version>, String)>,
    cipher: Option<Part>,
    fingerprints: Option<(Vec<String>, String)>,
    ordered: Option<String>,
    ocsp: Option<(Ocsp, String)>,
    latency: Latency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ocsp {
    Stapled,
    Good,
}

/// What a text must be like.
struct Part {
    name: String,
    want: Want,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is looked for may be a secret.
        f.write_str(&self.name)
    }
}

impl Part {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Option<Self> {
        let text = fields.text(key)?;
        let want = Want::of(fields, &text)?;
        Some(Self { name: format!("{key} {} `{}`", verb(&want), found(text.shown())), want })
    }

    fn holds(&self, text: &str) -> bool {
        is_like(text, &self.want)
    }
}

impl Expect {
    fn read(fields: &mut Fields<'_>) -> Self {
        let latency = Latency::read(fields);
        let mut this = Self { latency, ..Self::default() };
        let Some(mut own) = fields.nested_of("expect", "valid_for") else { return this };
        let ten_years = Duration::from_secs(10 * 365 * 86_400);
        this.valid_for = own
            .duration("valid_for", Duration::from_secs(60)..=ten_years)
            .map(|d| (d, format!("certificate valid for {} more", Exact(d))));
        let wanted = own.texts("names");
        this.names =
            wanted.iter().map(|t| (t.value().to_owned(), format!("certificate is for {}", t.shown()))).collect();
        this.issuer = Part::read(&mut own, "issuer");
        this.cipher = Part::read(&mut own, "cipher");
        this.protocols = read_protocols(&mut own);
        this.fingerprints = read_fingerprints(&mut own);
        this.ordered = own.parse("chain", "write `chain: ordered`", |t| match t {
            "ordered" => Ok("chain is whole and in order".to_owned()),
            other => Err(format!("`{other}` is nothing that a chain can be")),
        });
        this.ocsp = own.parse("ocsp", "write `stapled` or `good`", |t| match t {
            "stapled" => Ok((Ocsp::Stapled, "OCSP response is stapled".to_owned())),
            "good" => Ok((Ocsp::Good, "OCSP response says good".to_owned())),
            other => Err(format!("`{other}` is no state of OCSP")),
        });
        own.finish();
        this
    }

    fn names(&self) -> Vec<&str> {
        let first = self.valid_for.iter().map(|(_, n)| n).chain(self.names.iter().map(|(_, n)| n));
        let parts = self.issuer.iter().map(|p| &p.name).chain(self.protocols.iter().map(|(_, n)| n));
        let more = self.cipher.iter().map(|p| &p.name).chain(self.fingerprints.iter().map(|(_, n)| n));
        let last = self.ordered.iter().chain(self.ocsp.iter().map(|(_, n)| n));
        let all = first.chain(parts).chain(more).chain(last).map(String::as_str);
        all.chain(self.latency.names()).collect()
    }

    /// Judges what is known. A handshake that failed has agreed on nothing.
    fn judge(&self, facts: &CertFacts, said: &Said, trace: &Trace, judge: &mut Judge) {
        let leaf = facts.leaf();
        if let Some((least, name)) = &self.valid_for {
            let (ok, seen) = lasts(facts.seconds_left(), *least);
            judge.hold("cert", name, ok, seen);
        }
        for (wanted, name) in &self.names {
            let ok = leaf.is_some_and(|cert| is_for(cert, wanted));
            let seen = leaf.map_or_else(String::new, names);
            judge.hold("cert_name", name, ok, seen);
        }
        if let Some(part) = &self.issuer {
            let issuer = leaf.map_or("", |c| c.issuer.as_str());
            judge.hold("cert_issuer", &part.name, part.holds(issuer), found(issuer));
        }
        let version = facts.handshake.version;
        match (&self.protocols, version) {
            (None, _) => {}
            (Some((_, name)), "") => judge.skip(name),
            (Some((allowed, name)), _) => {
                let ok = Version::parse(version).is_ok_and(|v| allowed.contains(&v));
                judge.hold("tls_version", name, ok, version);
            }
        }
        match (&self.cipher, version) {
            (None, _) => {}
            (Some(part), "") => judge.skip(&part.name),
            (Some(part), _) => {
                let cipher = &facts.handshake.cipher;
                judge.hold("tls_cipher", &part.name, part.holds(cipher), cipher.as_str());
            }
        }
        if let Some((pins, name)) = &self.fingerprints {
            let seen = leaf.map_or("", |c| c.fingerprint.as_str());
            judge.hold("cert_fingerprint", name, pins.iter().any(|p| p == seen), seen);
        }
        if let Some(name) = &self.ordered {
            let wrong = disorder(facts);
            judge.hold("cert_chain", name, wrong.is_none(), wrong.unwrap_or_default());
        }
        if let Some((wanted, name)) = &self.ocsp {
            let (ok, seen) = said.ocsp(*wanted, facts);
            judge.hold("ocsp", name, ok, seen);
        }
        self.latency.judge(said.took.unwrap_or_else(|| trace.elapsed()), judge);
    }
}

fn read_protocols(own: &mut Fields<'_>) -> Option<(Vec<Version>, String)> {
    let texts = own.texts("protocol");
    let mut allowed = Vec::new();
    for text in &texts {
        match Version::parse(text.value()) {
            Ok(version) => allowed.push(version),
            Err(e) => own.error(text.span, Code::BadValue, format!("`protocol`: {e}"), "write `1.2` or `1.3`"),
        }
    }
    let shown: Vec<&str> = texts.iter().map(Text::shown).collect();
    (!allowed.is_empty()).then(|| (allowed, format!("protocol is TLS {}", shown.join(" or "))))
}

fn read_fingerprints(own: &mut Fields<'_>) -> Option<(Vec<String>, String)> {
    let mut pins = Vec::new();
    for text in own.texts("fingerprint") {
        let pin: String = text.value().chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        if pin.len() != 64 || !pin.chars().all(|c| c.is_ascii_hexdigit()) {
            let hint = "write 64 hexadecimal digits, as `openssl x509 -fingerprint -sha256` shows them";
            own.error(text.span, Code::BadValue, format!("`{}` is not a SHA-256", text.shown()), hint);
            continue;
        }
        pins.push(pin.to_ascii_lowercase());
    }
    let first = pins.first().map(|p| p[..16].to_owned())?;
    let more = if pins.len() > 1 { format!(" or {} more", pins.len() - 1) } else { String::new() };
    Some((pins, format!("certificate's SHA-256 is {first}…{more}")))
}

/// What is wrong with the order of a chain; `None` when nothing is.
fn disorder(facts: &CertFacts) -> Option<String> {
    if facts.chain.len() != facts.sent {
        return Some(format!("{} of the {} certificates are not usable", facts.sent - facts.chain.len(), facts.sent));
    }
    for (i, pair) in facts.chain.windows(2).enumerate() {
        if !pair[1].issued(&pair[0]) || pair[1].signed(&pair[0]) == Some(false) {
            return Some(format!("certificate {} ({}) did not sign the one before it", i + 1, pair[1].subject));
        }
    }
    let last = facts.chain.last()?;
    match last.self_issued || facts.verified {
        true => None,
        false => Some(format!("it ends with {}, whose issuer was not sent", last.subject)),
    }
}

/// What was heard before the handshake, and of revocation in it.
#[derive(Debug, Default)]
struct Said {
    heard: Heard,
    ocsp: Option<Result<Response, ocsp::Refusal>>,
    /// Time from the start to the end of the handshake.
    took: Option<Duration>,
}

impl Said {
    fn ocsp(&self, wanted: Ocsp, facts: &CertFacts) -> (bool, String) {
        let response = match &self.ocsp {
            None => return (false, "no response was stapled".to_owned()),
            Some(Err(why)) => return (false, format!("a response was stapled, but {why}")),
            Some(Ok(response)) => response,
        };
        if let Some(why) = response.out_of_date(facts.now) {
            return (false, format!("the stapled response is {why}"));
        }
        match (response.status, wanted) {
            (Status::Good, _) => (true, "good".to_owned()),
            (Status::Revoked(at), Ocsp::Good) => {
                let at = crate::base::time::Timestamp::from_millis(at.saturating_mul(1000));
                (false, format!("revoked at {at}"))
            }
            (Status::Revoked(_), Ocsp::Stapled) => (true, "revoked".to_owned()),
            (Status::Unknown, _) => (wanted == Ocsp::Stapled, "the responder does not know the certificate".to_owned()),
        }
    }
}

impl Collector for TlsProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl TlsProbe {
    async fn shake(&self, cx: &ProbeCx, trace: &mut Trace, Said { heard, took, .. }: &mut Said) -> Result<(), Fault> {
        let stream = self.endpoint.open(cx, trace).await?;
        let host = self.endpoint.peer.host();
        let mut wire = Wire::new(Stream::Plain(stream), heard);
        if let Some(starttls) = self.starttls {
            trace.begin(phase::PROCESSING);
            // A server of several domains must be told which is meant, before TLS says so again.
            starttls.ask(&mut wire, &self.tls.name_of(host)).await?;
        }
        wire.encrypt(&self.tls, host, cx.now, trace).await?;
        *took = Some(trace.elapsed());
        // Within TLS 1.2 the handshake's own end says whether the peer is content with our certificate, or the lack
        // of one. Within TLS 1.3 that shows only after it.
        let handshake = trace.cert.as_ref().map(|facts| &facts.handshake);
        if !handshake.is_some_and(|h| h.client_cert_asked && h.version == "TLS 1.3") {
            return Ok(());
        }
        let wait = LATE_REFUSAL.min(cx.remaining() / 2);
        match timeout(wait, wire.hear()).await {
            Ok(Err(fault)) if fault.class() == "tls_client_cert" => {
                trace.begin(phase::TLS);
                Err(fault)
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// How long a refusal of our certificate is waited for, where the peer asked for one.
const LATE_REFUSAL: Duration = Duration::from_millis(500);

impl Talk for TlsProbe {
    type Said = Said;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Said) -> Result<(), Fault> {
        let ended = self.shake(cx, trace, said).await;
        if let Some(facts) = trace.cert.as_ref().filter(|f| !f.staple.is_empty()) {
            let issuer = facts.leaf().and_then(|leaf| facts.chain.iter().skip(1).find(|c| c.issued(leaf)));
            said.ocsp = facts.leaf().map(|leaf| ocsp::read(&facts.staple, leaf.der(), issuer.map(Cert::der), cx.now));
        }
        ended
    }

    fn judge(&self, trace: &Trace, said: &Said) -> Outcome {
        let mut judge = Judge::default();
        let Some(facts) = &trace.cert else {
            return Outcome::unknown("local_bug", "the handshake ended without a certificate");
        };
        self.expect.judge(facts, said, trace, &mut judge);
        let left = facts.seconds_left().map_or_else(String::new, |s| format!(", {} days left", s.div_euclid(86_400)));
        let subject = facts.leaf().map_or("", |c| c.subject.as_str());
        judge.outcome(format!("{}, {}{left}", facts.handshake.version, found(subject)))
    }

    fn failed(&self, trace: &Trace, said: &Said, fault: Fault) -> Outcome {
        match &trace.cert {
            Some(facts) if !fault.is_local() => {
                let mut judge = Judge::default();
                judge.fail(fault.class(), fault.message());
                self.expect.judge(facts, said, trace, &mut judge);
                judge.outcome("")
            }
            Some(_) | None => {
                let mut outcome = fault.outcome();
                outcome.checks = crate::collect::judge::unjudged(self.checks());
                outcome
            }
        }
    }

    fn checks(&self) -> Vec<&str> {
        self.expect.names()
    }

    fn samples(&self, trace: &Trace, said: &Said, out: &mut Vec<Sample>) {
        if trace.cert.is_none() {
            return;
        }
        let stapled = said.ocsp.is_some();
        out.push(Sample::new("probe_ssl_ocsp_response_stapled", f64::from(u8::from(stapled))));
        if let Some(Ok(response)) = &said.ocsp {
            let status = match response.status {
                Status::Good => 0.0,
                Status::Revoked(_) => 1.0,
                Status::Unknown => 2.0,
            };
            out.push(Sample::new("probe_ssl_ocsp_response_status", status));
            if let Some(next) = response.next_update {
                out.push(Sample::new("probe_ssl_ocsp_response_next_update_timestamp_seconds", next as f64));
            }
        }
    }

    fn evidence(&self, said: &Said, items: &mut Items) {
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
    use crate::collect::kinds::testing::problems;

    #[tokio::test]
    async fn a_server_of_xmpp_is_asked_for_the_name_that_its_certificate_must_have() {
        use tokio::io::AsyncReadExt;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let text = format!("{{host: \"{at}\", starttls: xmpp, tls: {{server_name: chat.example}}}}");
        let (probe, _) = crate::collect::kinds::testing::build("tls", &text);
        let probe = probe.unwrap();
        let cx = crate::collect::kinds::testing::context(Duration::from_secs(5));
        let heard = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut words = vec![0; 1024];
            let n = peer.read(&mut words).await.unwrap();
            String::from_utf8_lossy(&words[..n]).into_owned()
        };
        let (_, heard) = tokio::join!(probe.collector.probe(&cx), heard);
        assert!(heard.contains("to='chat.example'"), "{heard}");
    }

    #[test]
    fn mistakes_are_reported_where_they_stand() {
        #[track_caller]
        fn check(yaml: &str, want: &str) {
            let got = problems("tls", yaml);
            assert!(got.iter().any(|p| p.contains(want)), "{yaml}: {got:?}");
        }
        check("{host: a, starttls: nntp}", "no protocol with STARTTLS (protocols with STARTTLS: smtp");
        check("{host: a, expect: {protocol: 1.1}}", "TLS 1.1 is broken");
        check("{host: a, expect: {chain: any}}", "nothing that a chain can be");
        check("{host: a, expect: {ocsp: maybe}}", "no state of OCSP");
        check("{host: a, expect: {fingerprint: abc}}", "not a SHA-256");
        check("{host: a, expect: {issuer: /(/}}", "not a regular expression");
        check("{host: a, tls: {key_file: /k}}", "no effect without `cert_file`");
        check("{host: a, tls: {min_version: 1.3, max_version: 1.2}}", "no version is left");
        assert!(problems("tls", "{host: a, starttls: smtp, expect: {valid_for: 14d}}").is_empty());
    }
}
