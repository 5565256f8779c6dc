//! `type: domain`: a domain's registration: when it ends, in which state it is, with which name servers.
//!
//! Registries limit how often they are asked. An answer is therefore used for hours, by every monitor of
//! the same domain; after a look-up without one nobody asks for some minutes, and what was known before is
//! judged meanwhile, with its age.

pub mod rdap;
pub mod registration;
pub mod whois;

use std::time::Duration;

use reqwest::Url;
use tokio::time::{timeout, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, REGISTRY, Sample, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::base::units::{Exact, Short};
use crate::collect::dial::{Peer, Route};
use crate::collect::domain::rdap::{BOOTSTRAP, Refused, Said};
use crate::collect::domain::registration::{Ended, Known, Registration, STALE_FOR, epp, host, place};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, found, unjudged};
use crate::collect::kind::{Flag, Form, Kind, Operand, ROUTE};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::Trace;
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// How long an answer is used unless the monitor says otherwise.
const USED_FOR: Duration = Duration::from_secs(6 * 3_600);
/// What of a probe's time is left to say what was known before.
const MARGIN: Duration = Duration::from_millis(50);

/// States that take a domain off the net or precede its loss (RFC 5731, RFC 3915).
const BAD: [&str; 6] = ["clientHold", "serverHold", "inactive", "pendingDelete", "redemptionPeriod", "pendingRestore"];

/// A checked `domain` monitor.
#[derive(Debug)]
struct Domain {
    name: String,
    method: Method,
    /// A path may hold a key.
    rdap: Option<Secret<Url>>,
    bootstrap: Secret<Url>,
    whois: Option<Peer>,
    used_for: Duration,
    tls: TlsSpec,
    route: Route,
    valid_for: Option<(Duration, String)>,
    bad: Vec<(String, String)>,
    good: Vec<(String, String)>,
    nameservers: Option<(Vec<String>, String)>,
    mask: Mask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// RDAP; WHOIS when it has no answer.
    Auto,
    Rdap,
    Whois,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "domain",
    about: "A domain's registration: expiry, state, name servers.",
    operand: Some(Operand::One { path: "domain", name: "DOMAIN", help: "The registered name, e.g. `example.com`." }),
    flags: &[&[
        Flag::new("valid-for", "expect.valid_for", Form::One("DURATION"), "It must be registered that long."),
        Flag::new("not-status", "expect.not_status", Form::Many("STATE"), "State that it must not have."),
        Flag::new("status", "expect.status", Form::Many("STATE"), "State that it must have."),
        Flag::new("nameserver", "expect.nameservers", Form::Many("HOST"), "Its name servers, all of them."),
        Flag::new("method", "method", Form::One("METHOD"), "`auto`, `rdap` or `whois`."),
        Flag::new("rdap-server", "server", Form::One("URL"), "RDAP server to ask."),
        Flag::new("whois-server", "whois_server", Form::One("HOST"), "WHOIS server to ask."),
        ROUTE[0],
        ROUTE[1],
    ]],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_domain_expiry_timestamp_seconds", "When the registration ends, since 1970"),
            Metric::gauge("probe_domain_created_timestamp_seconds", "When the domain was registered, since 1970"),
            Metric::gauge("probe_domain_answer_age_seconds", "How old the answer of the registry is"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let text = fields.need_text("domain", "write the registered name, e.g. `domain: example.com`");
    let name = text.as_ref().and_then(|text| {
        mask.add_text(text);
        domain_name(fields, text)
    });
    let method = fields.parse("method", "write `method: auto`, `rdap` or `whois`", |text| match text {
        "auto" => Ok(Method::Auto),
        "rdap" => Ok(Method::Rdap),
        "whois" => Ok(Method::Whois),
        other => Err(format!("`{other}` is no method")),
    });
    for key in ["server", "bootstrap", "whois_server"] {
        if let Some(text) = fields.text(key) {
            mask.add_url(&text);
        }
    }
    let rdap = fields.parse("server", "write e.g. `server: https://rdap.example/`", web);
    let bootstrap = fields.parse("bootstrap", "write e.g. `bootstrap: https://data.iana.org/rdap/dns.json`", web);
    let whois = fields.parse("whois_server", "write e.g. `whois_server: whois.example`", |text| {
        Peer::parse(text).or_else(|_| Peer::new(text, 43))
    });
    let limits = Duration::from_secs(3_600)..=STALE_FOR;
    let used_for = fields.duration("cache", limits).unwrap_or(USED_FOR);
    let tls = match fields.node("tls").is_some() {
        true => fields.nested("tls").and_then(|own| TlsSpec::read(own, alpn::HTTP1)),
        false => Some(TlsSpec::system(alpn::HTTP1)),
    };
    let route = Route::read(fields);
    if route.is_pinned() {
        let message = "`connect_to` is one address, and several servers are asked";
        let span = fields.node("connect_to").map_or(fields.head(), |n| n.span);
        fields.error(span, Code::Conflict, message, "write `server` or `whois_server`");
    }
    let mut bad = BAD.map(str::to_owned).to_vec();
    let (mut valid_for, mut good, mut nameservers) = (None, Vec::new(), None);
    if let Some(mut own) = fields.nested_of("expect", "valid_for") {
        let limits = Duration::from_secs(3_600)..=Duration::from_secs(10 * 365 * 86_400);
        let name = |d: Duration| format!("registered for {}", Exact(d));
        valid_for = own.duration("valid_for", limits).map(|d| (d, name(d)));
        let states = |texts: Vec<Text>| texts.iter().map(|t| t.value().to_owned()).collect::<Vec<_>>();
        if own.node("not_status").is_some() {
            bad = states(own.texts("not_status"));
        }
        good = states(own.texts("status"));
        let mut servers: Vec<String> = own.texts("nameservers").iter().map(|t| host(t.value())).collect();
        servers.sort_unstable();
        servers.dedup();
        nameservers =
            (!servers.is_empty()).then(|| (servers.clone(), format!("name servers are {}", servers.join(", "))));
        own.finish();
    }
    if let (Some(Method::Whois), Some(_), Some(server)) = (method, &rdap, fields.text("server")) {
        let message = format!("`server` is `{}`, and `method: whois` does not ask it", server.shown());
        fields.error(fields.head(), Code::Conflict, message, "take one of the two out");
    }
    let bootstrap = bootstrap.or_else(|| Url::parse(BOOTSTRAP).ok())?;
    let (name, tls) = (name?, tls?);
    if fields.cx().error_count() > errors {
        return None;
    }
    let named = |states: Vec<String>, words: &str| {
        states.into_iter().map(|s| (epp(&s), format!("state is {words}{}", found(&s)))).collect::<Vec<_>>()
    };
    let shown = text?.shown().to_owned();
    // Which registry is asked is known beforehand only where the monitor says so.
    let own = rdap.as_ref().and_then(Url::host_str).or(whois.as_ref().map(Peer::host)).map(str::to_owned);
    let probe = Domain {
        name,
        method: method.unwrap_or(Method::Auto),
        rdap: rdap.map(Secret::new),
        bootstrap: Secret::new(bootstrap),
        whois,
        used_for,
        tls,
        route,
        valid_for,
        bad: named(bad, "not "),
        good: named(good, ""),
        nameservers,
        mask,
    };
    let probe = Probe::new("domain", shown, probe);
    Some(match own {
        Some(host) => probe.at(host.trim_matches(['[', ']'])),
        None => probe,
    })
}

/// The name in the form that registries use: lower case, other alphabets in Punycode.
fn domain_name(fields: &Fields<'_>, text: &Text) -> Option<String> {
    let name = text.value().trim().trim_end_matches('.');
    let hint = "write the registered name alone, e.g. `example.com`";
    let made = Url::parse(&format!("http://{name}/")).ok();
    let made =
        made.as_ref().and_then(Url::domain).filter(|d| d.contains('.') && !name.contains(['/', ':', '@', '?', '#']));
    if made.is_none() {
        fields.error(text.span, Code::BadValue, format!("`{}` is not a domain", text.shown()), hint);
    }
    made.map(str::to_owned)
}

fn web(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("not an address: {e}"))?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(url),
        _ => Err("not an address of the web".to_owned()),
    }
}

impl Collector for Domain {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut trace = Trace::start();
            let ended = timeout_at(cx.deadline, Box::pin(self.known(cx, &mut trace))).await;
            let ended = match ended {
                Ok(ended) => ended,
                Err(_) => Err(Ended::Failed(trace.timed_out(cx.deadline))),
            };
            let mut outcome = match ended {
                Ok(known) => self.judge(&known, cx.now),
                Err(Ended::NotRegistered(source)) => {
                    let mut outcome = Outcome::down("not_registered", format!("{source} knows no `{}`", self.name));
                    outcome.checks = unjudged(self.names());
                    outcome
                }
                Err(Ended::Failed(fault)) => {
                    trace.fail();
                    self.unanswered(&fault)
                }
            };
            if outcome.verdict != Verdict::Up && !trace.tried.is_empty() {
                let list: Vec<String> = trace.tried.iter().map(ToString::to_string).collect();
                let items = &mut outcome.evidence.get_or_insert_default().items;
                items.push(("addresses tried last".into(), list.join(", ")));
            }
            outcome.phases = trace.take_phases();
            self.mask.hide_in(&mut outcome);
            outcome
        })
    }
}

impl Domain {
    fn names(&self) -> impl Iterator<Item = &str> {
        let valid = self.valid_for.iter().map(|(_, n)| n.as_str());
        let states = self.bad.iter().chain(&self.good).map(|(_, n)| n.as_str());
        valid.chain(states).chain(self.nameservers.iter().map(|(_, n)| n.as_str()))
    }

    /// The answer that is young enough, or a new one; else an older one with the reason.
    async fn known(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Known, Ended> {
        let rdap = self.rdap.as_ref().unwrap_or(&self.bootstrap).reveal().to_string();
        let whois = self.whois.as_ref().map_or_else(String::new, ToString::to_string);
        let place = place(&(self.name.clone(), format!("{:?} {rdap}", self.method), whois));
        if let Some(known) = place.recall(self.used_for) {
            return known;
        }
        // The deadline must leave time to say what was known before.
        let limit = cx.deadline - MARGIN;
        let Ok(_turn) = timeout_at(limit, place.turn.lock()).await else {
            return place.stale(Fault::timeout("another monitor still asks the registry"));
        };
        // It may have been asked while this one waited.
        if let Some(known) = place.recall(self.used_for) {
            return known;
        }
        let said = match timeout_at(limit, self.ask(cx, trace)).await {
            Ok(said) => said,
            Err(_) => Err(trace.timed_out(cx.deadline).into()),
        };
        let (ended, after) = match said {
            Ok(Said::Registered(registration)) => return Ok(place.answered(registration)),
            Ok(Said::NotRegistered(source) | Said::Bare(source)) => (Ended::NotRegistered(source), None),
            Ok(Said::NoServer) => {
                let message = format!("nobody is known to ask about `{}`", self.name);
                (Ended::Failed(Fault::target("no_server", message)), None)
            }
            Err(Refused { fault, after }) => (Ended::Failed(fault), after),
        };
        place.ended(&ended, after);
        match ended {
            Ended::Failed(fault) => {
                trace.fail();
                place.stale(fault)
            }
            ended @ Ended::NotRegistered(_) => Err(ended),
        }
    }

    async fn ask(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Said, Refused> {
        let first = match self.method {
            Method::Whois => return Ok(self.ask_whois(cx, trace).await?),
            Method::Rdap => return self.ask_rdap(cx, trace).await,
            // WHOIS must have its turn within the deadline.
            Method::Auto => timeout(cx.remaining() / 2, self.ask_rdap(cx, trace)).await,
        };
        let first = match first {
            Ok(Ok(said @ (Said::NoServer | Said::Bare(_)))) => Ok(said),
            Ok(Ok(said)) => return Ok(said),
            Ok(Err(refused)) if refused.fault.is_local() => return Err(refused),
            Ok(Err(refused)) => Err(refused),
            Err(_) => Err(Fault::timeout("the RDAP server does not answer in time").into()),
        };
        trace.end();
        let second = self.ask_whois(cx, trace).await;
        match (first, second) {
            (_, Ok(said @ (Said::Registered(_) | Said::NotRegistered(_)))) => Ok(said),
            // There is nobody else to ask.
            (Ok(bare @ Said::Bare(_)), Ok(_)) => Ok(bare),
            (Ok(Said::Bare(source)), Err(second)) if !second.is_local() => {
                let message = format!("{source} says 404 and nothing more; {}", second.message());
                Err(Fault::target(REGISTRY, message).into())
            }
            (Ok(_), second) => Ok(second?),
            (Err(first), Ok(Said::NoServer | Said::Bare(_))) => Err(first),
            (Err(Refused { fault, after }), Err(second)) => {
                let message = format!("{}; {}", fault.message(), second.message());
                Err(Refused { fault: fault.with_message(message), after })
            }
        }
    }

    async fn ask_rdap(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Said, Refused> {
        let server = self.rdap.as_ref().map(Secret::reveal);
        rdap::ask(&self.name, server, self.bootstrap.reveal(), &self.tls, &self.route, cx, trace).await
    }

    async fn ask_whois(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Said, Fault> {
        whois::ask(&self.name, self.whois.as_ref(), &self.route, cx, trace).await
    }

    /// A registry that does not answer says nothing about the domain.
    fn unanswered(&self, fault: &Fault) -> Outcome {
        let class = if fault.is_before_peer() { fault.class() } else { REGISTRY };
        let mut outcome = Outcome::unknown(class, fault.message());
        outcome.checks = unjudged(self.names());
        outcome
    }

    fn judge(&self, known: &Known, now: Timestamp) -> Outcome {
        let registration = &*known.registration;
        let mut judge = Judge::default();
        let left = registration.expires.map(|at| at.millis() - now.millis());
        let days = left.map(|ms| ms.div_euclid(86_400_000));
        if left.is_some_and(|ms| ms <= 0) {
            judge.fail("expired", format!("the registration has ended {} days ago", -days.unwrap_or(0)));
        }
        if let Some((limit, name)) = &self.valid_for {
            let ok = left.is_some_and(|ms| ms >= i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
            let seen = days.map_or_else(|| "the registry tells no expiry".to_owned(), |d| format!("{d} days"));
            judge.hold("expiry", name, ok, seen);
        }
        let states = || registration.status.join(", ");
        for (state, name) in &self.bad {
            judge.hold("status", name, !registration.status.contains(state), states());
        }
        for (state, name) in &self.good {
            judge.hold("status", name, registration.status.contains(state), states());
        }
        if let Some((want, name)) = &self.nameservers {
            let mut seen = registration.nameservers.clone();
            seen.sort_unstable();
            seen.dedup();
            judge.hold("nameservers", name, seen == *want, found(&seen.join(", ")));
        }
        let ends = match (days, registration.expires) {
            (Some(days), Some(at)) => format!("registered until {} ({days} days)", &at.to_string()[..10]),
            _ => "registered, the registry tells no expiry".to_owned(),
        };
        let mut summary = format!("{ends}, says {}", registration.source);
        if let Some(failed) = &known.failed {
            summary += &format!(" {} ago; since then: {}", Short(known.age), failed.message());
        }
        let mut outcome = judge.outcome(summary);
        outcome.samples = samples(registration, known.age);
        if outcome.verdict != Verdict::Up {
            outcome.evidence = Some(evidence(registration, known));
        }
        outcome
    }
}

fn samples(registration: &Registration, age: Duration) -> Vec<Sample> {
    let seconds = |at: Timestamp| at.millis() as f64 / 1000.0;
    let mut out = Vec::new();
    out.extend(registration.expires.map(|at| Sample::new("probe_domain_expiry_timestamp_seconds", seconds(at))));
    out.extend(registration.created.map(|at| Sample::new("probe_domain_created_timestamp_seconds", seconds(at))));
    out.push(Sample::new("probe_domain_answer_age_seconds", age.as_secs_f64()));
    out
}

fn evidence(registration: &Registration, known: &Known) -> Evidence {
    let day = |at: Option<Timestamp>| at.map_or_else(|| "?".to_owned(), |at| at.to_string());
    let text = format!(
        "source       {}, {} ago\nexpires      {}\ncreated      {}\nregistrar    {}\nstates       {}\nname servers {}",
        registration.source,
        Short(known.age),
        day(registration.expires),
        day(registration.created),
        registration.registrar.as_deref().unwrap_or("?"),
        registration.status.join(", "),
        registration.nameservers.join(", "),
    );
    Evidence { items: vec![("registration".into(), text)] }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::base::policy::Policy;
    use crate::collect::kinds::testing::{build, context, outcome, problems};

    /// A server that answers each connection with what `answer` makes of the question's first line.
    async fn server(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Arc<AtomicUsize>, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                let mut told = vec![0; 4096];
                let n = s.read(&mut told).await.unwrap_or(0);
                count.fetch_add(1, Ordering::Relaxed);
                let first = String::from_utf8_lossy(&told[..n]).lines().next().unwrap_or("").to_owned();
                let _ = s.write_all(answer(&first).as_bytes()).await;
            }
        });
        (at, asked, tasks)
    }

    fn page(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    fn rdap(expires: &str, status: &str) -> String {
        let body = format!(
            r#"{{"objectClassName": "domain", "ldhName": "x", "status": ["{status}"],
                "events": [{{"eventAction": "expiration", "eventDate": "{expires}"}}],
                "nameservers": [{{"ldhName": "NS2.example."}}, {{"ldhName": "ns1.example"}}],
                "entities": [{{"roles": ["registrar"], "vcardArray": ["vcard", [["fn", {{}}, "text", "Seller"]]]}}]}}"#
        );
        page("200 OK", &body)
    }

    fn class(outcome: &Outcome) -> (Verdict, &str) {
        (outcome.verdict, outcome.reason.as_ref().map_or("", |r| &r.class))
    }

    #[tokio::test]
    async fn a_registration_is_judged() {
        let (at, _, _tasks) = server(|q| match q.split_whitespace().nth(1).unwrap_or("") {
            "/v1/domain/good.example" => rdap("2999-01-01T00:00:00Z", "client transfer prohibited"),
            "/v1/domain/old.example" => rdap("2021-01-01T00:00:00Z", "active"),
            "/v1/domain/held.example" => rdap("2999-01-01T00:00:00Z", "client hold"),
            "/v1/domain/slow.example" => page("429 Too Many Requests", ""),
            "/v1/domain/junk.example" => page("200 OK", "[1"),
            "/v1/domain/large.example" => page("200 OK", &" ".repeat(300 * 1024)),
            "/v1/domain/deep.example" => page("200 OK", &"[".repeat(200 * 1024)),
            "/v1/domain/loop.example" => {
                "HTTP/1.1 302 Found\r\nLocation: /v1/domain/loop.example\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            "/v1/domain/local.example" => {
                "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            "/v1/domain/moved.example" => {
                "HTTP/1.1 302 Found\r\nLocation: /v1/domain/good.example\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            "/v1/domain/none.example" => page("404 Not Found", ""),
            "/v1/domain/free.example" => page("404 Not Found", "{\"errorCode\": 404}"),
            _ => page("404 Not Found", "<html>nginx</html>"),
        })
        .await;
        for (name, expect, want) in [
            (
                "good",
                "{valid_for: 30d, status: clientTransferProhibited, nameservers: [ns1.example, NS2.example]}",
                (Verdict::Up, ""),
            ),
            ("good", "{nameservers: [ns1.example]}", (Verdict::Down, "nameservers")),
            ("good", "{not_status: clientTransferProhibited}", (Verdict::Down, "status")),
            ("old", "{}", (Verdict::Down, "expired")),
            ("held", "{}", (Verdict::Down, "status")),
            ("held", "{not_status: []}", (Verdict::Up, "")),
            ("none", "{}", (Verdict::Down, "not_registered")),
            ("free", "{}", (Verdict::Down, "not_registered")),
            ("misled", "{}", (Verdict::Unknown, "registry")),
            ("slow", "{}", (Verdict::Unknown, "registry")),
            ("junk", "{}", (Verdict::Unknown, "registry")),
            ("large", "{}", (Verdict::Unknown, "registry")),
            ("deep", "{}", (Verdict::Unknown, "registry")),
            ("loop", "{}", (Verdict::Unknown, "registry")),
            ("local", "{}", (Verdict::Unknown, "registry")),
            ("moved", "{}", (Verdict::Up, "")),
        ] {
            let text =
                format!("{{domain: {name}.example, method: rdap, server: \"http://{at}/v1/\", expect: {expect}}}");
            let got = outcome("domain", &text).await;
            assert_eq!(class(&got), want, "{text}: {got:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_used_for_hours_and_what_is_none_for_minutes() {
        let (at, asked, _tasks) = server(|q| match q.split_whitespace().nth(1).unwrap_or("") {
            "/domain/kept.example" => rdap("2999-01-01T00:00:00Z", "active"),
            "/domain/free.example" => page("404 Not Found", ""),
            _ => page("500 Sorry", ""),
        })
        .await;
        let text = |name: &str| format!("{{domain: {name}, method: rdap, server: \"http://{at}\"}}");
        for _ in 0..3 {
            assert_eq!(outcome("domain", &text("kept.example")).await.verdict, Verdict::Up);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        for (name, want) in
            [("broken.example", (Verdict::Unknown, "registry")), ("free.example", (Verdict::Down, "not_registered"))]
        {
            for _ in 0..3 {
                let got = outcome("domain", &text(name)).await;
                assert_eq!(class(&got), want, "{got:?}");
            }
        }
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_redirect_does_not_lead_past_the_policy() {
        let (at, _, _tasks) =
            server(|_| "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/x\r\nContent-Length: 0\r\n\r\n".to_owned())
                .await;
        let text = format!("{{domain: led.example, method: rdap, server: \"http://{at}/\"}}");
        let policy = Policy { deny: vec!["127.0.0.2".parse().unwrap()], ..Policy::default() };
        let cx = ProbeCx { policy: Arc::new(policy), ..context(Duration::from_secs(5)) };
        let got = build("domain", &text).0.unwrap().collector.probe(&cx).await;
        assert_eq!(class(&got), (Verdict::Unknown, "blocked_address"), "{got:?}");
    }

    #[tokio::test]
    async fn of_a_whois_answer_without_end_the_beginning_is_read() {
        let (at, _, _tasks) = server(|_| format!("expires: 2999-01-01\n{}", "x".repeat(1 << 20))).await;
        let text = format!("{{domain: long.example, method: whois, whois_server: \"{at}\"}}");
        let got = outcome("domain", &text).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    }

    #[tokio::test]
    async fn a_registry_says_when_it_wants_to_be_asked_again() {
        let (at, _, _tasks) =
            server(|_| "HTTP/1.1 429 Slow Down\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
        let url = Url::parse(&format!("http://{at}/")).unwrap();
        let (tls, route) = (TlsSpec::system(alpn::HTTP1), Route::default());
        let cx = context(Duration::from_secs(5));
        let said = rdap::ask("a.example", Some(&url), &url, &tls, &route, &cx, &mut Trace::start()).await;
        let refused = said.unwrap_err();
        assert_eq!((refused.fault.class(), refused.after), ("rate_limited", Some(Duration::from_secs(7_200))));
    }

    #[tokio::test]
    async fn whoever_waits_for_another_look_up_judges_what_was_known() {
        let (at, _, _tasks) = server(|_| String::new()).await;
        let text = format!("{{domain: busy.example, method: rdap, server: \"http://{at}/\", cache: 1h}}");
        let question = ("busy.example".to_owned(), format!("Rdap http://{at}/"), String::new());
        let place = place(&question);
        place.answered_before(Registration { source: "RDAP x".into(), ..Registration::default() }, 2);
        let _turn = place.turn.lock().await;
        let probe = build("domain", &text).0.unwrap();
        let got = probe.collector.probe(&context(Duration::from_millis(300))).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
        assert!(got.headline().contains("another monitor still asks"), "{got:?}");
    }

    #[tokio::test]
    async fn of_a_404_that_says_nothing_more_whois_is_asked() {
        let (bare, _, _one) = server(|_| page("404 Not Found", "")).await;
        let typed = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";
        let (typed, _, _two) = server(move |_| typed.to_owned()).await;
        let (whois, _, _three) = server(|q| match q {
            "taken.example" => "expires: 2999-01-01\nnserver: ns1.example\n".to_owned(),
            "free.example" => "No match for domain\n".to_owned(),
            _ => String::new(),
        })
        .await;
        for (server, name, method, want) in [
            (&bare, "taken", "auto", (Verdict::Up, "")),
            (&bare, "free", "auto", (Verdict::Down, "not_registered")),
            (&bare, "silent", "auto", (Verdict::Unknown, "registry")),
            (&bare, "taken", "rdap", (Verdict::Down, "not_registered")),
            (&typed, "free", "auto", (Verdict::Down, "not_registered")),
            (&typed, "free", "rdap", (Verdict::Unknown, "registry")),
        ] {
            let text = format!(
                "{{domain: {name}.example, method: {method}, server: \"http://{server}/\", whois_server: \"{whois}\"}}"
            );
            let got = outcome("domain", &text).await;
            assert_eq!(class(&got), want, "{text}: {got:?}");
        }
    }

    #[tokio::test]
    async fn a_list_names_the_server_and_whois_is_asked_where_there_is_none() {
        let (registry, _, _one) = server(|_| rdap("2999-01-01T00:00:00Z", "active")).await;
        let (list, asked, _two) =
            server(move |_| page("200 OK", &format!(r#"{{"services": [[["listed"], ["http://{registry}/"]]]}}"#)))
                .await;
        let (whois, _, _three) = server(|q| match q {
            "a.unlisted" => "expires: 2999-01-01\nnserver: ns1.example\n".to_owned(),
            _ => "No match for domain\n".to_owned(),
        })
        .await;
        for (name, want) in [
            ("a.listed", (Verdict::Up, "")),
            ("a.unlisted", (Verdict::Up, "")),
            ("b.unlisted", (Verdict::Down, "not_registered")),
        ] {
            let text = format!("{{domain: {name}, bootstrap: \"http://{list}/\", whois_server: \"{whois}\"}}");
            let got = outcome("domain", &text).await;
            assert_eq!(class(&got), want, "{name}: {got:?}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1, "the list is read once");
    }

    #[tokio::test]
    async fn while_a_registry_fails_its_last_answer_is_judged_for_a_week() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let text = format!("{{domain: stale.example, method: rdap, server: \"http://{closed}/\"}}");
        let question = ("stale.example".to_owned(), format!("Rdap http://{closed}/"), String::new());
        for (hours, want) in [(7, Verdict::Up), (24 * 7 + 1, Verdict::Unknown)] {
            let expires = Timestamp::parse("2999-01-01T00:00:00Z").ok();
            let registration = Registration { expires, source: "RDAP x".into(), ..Registration::default() };
            place(&question).answered_before(registration, hours);
            let got = outcome("domain", &text).await;
            assert_eq!(got.verdict, want, "{hours}: {got:?}");
            assert!(got.headline().contains("connection refused"), "{got:?}");
        }
    }

    #[tokio::test]
    async fn a_silent_registry_is_unknown_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let text = format!("{{domain: silent.example, server: \"http://{at}/\", whois_server: \"{at}\"}}");
        let probe = build("domain", &text).0.unwrap();
        let cx = context(Duration::from_millis(400));
        let got = probe.collector.probe(&cx).await;
        assert_eq!(class(&got), (Verdict::Unknown, "registry"), "{got:?}");
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        for bad in ["https://example.com", "example", "a b.example", "192.0.2.1"] {
            assert!(problems("domain", &format!("{{domain: '{bad}'}}"))[0].contains("is not a domain"), "{bad}");
        }
        assert_eq!(problems("domain", "{domain: münchen.example}"), [""; 0]);
        assert!(
            problems("domain", "{domain: a.example, connect_to: 192.0.2.1}")[0].contains("several servers are asked")
        );
        assert!(problems("domain", "{domain: a.example, cache: 1m}")[0].contains("allowed are 1h"));
        assert!(problems("domain", "{domain: a.example, server: 'ftp://x/'}")[0].contains("not an address of the web"));
    }
}
