//! `type: dns`: asks name servers and judges what they answer.

use std::str::FromStr;

use futures_util::future::join_all;
use hickory_proto::op::Query;
use hickory_proto::rr::{DNSClass, Name, RecordType};
use tokio::time::timeout_at;

pub mod ask;
pub mod expect;
pub mod server;
#[cfg(test)]
mod tests;
pub mod zone;

use crate::base::BoxFuture;
use crate::base::outcome::{Check, Evidence, Outcome, Sample, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::dial::Route;
use crate::collect::dns::ask::{Answered, Question, REQUEST};
use crate::collect::dns::expect::{Expect, rcode_name, serial};
use crate::collect::dns::server::{Server, Transport};
use crate::collect::fault::Fault;
use crate::collect::judge::Judge;
use crate::collect::kind::{EXPECT_LATENCY, Flag, Form, Kind, Operand, ROUTE};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Servers of one monitor.
const MAX_SERVERS: usize = 16;
/// Characters of an answer that are kept as evidence.
const MAX_EVIDENCE: usize = 4 * 1024;

/// A checked `dns` monitor.
#[derive(Debug)]
struct DnsProbe {
    question: Question,
    /// None: the system's first name server, whichever that is at the time.
    servers: Vec<Server>,
    soa_agree: bool,
    route: Route,
    expect: Expect,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "dns",
    about: "Name servers: what they answer, how fast, and whether they agree.",
    operand: Some(Operand::One { path: "query_name", name: "NAME", help: "Name to ask for." }),
    flags: &[
        &[
            Flag::new("query-type", "query_type", Form::One("TYPE"), "Type of the records, e.g. `MX`."),
            Flag::new(
                "server",
                "servers",
                Form::Many("SERVER"),
                "Server to ask: `192.0.2.53`, `tcp://…`, `tls://…`, `https://…`.",
            ),
            Flag::new("no-recursion", "recursion_desired", Form::Switch("false"), "Do not ask it to ask others."),
            Flag::new("dnssec", "dnssec", Form::Switch("true"), "Ask for signatures and for their verification."),
            Flag::new("soa-agree", "soa_agree", Form::Switch("true"), "All servers must have the same serial number."),
            Flag::new("expect-rcode", "expect.rcode", Form::List("CODE"), "Response codes that are good."),
            Flag::new(
                "expect-answer-contains",
                "expect.answer.contains",
                Form::Many("TEXT"),
                "Text that a record of the answer must contain.",
            ),
            Flag::new(
                "expect-answer-matches",
                "expect.answer.matches",
                Form::Many("REGEX"),
                "Regular expression that the answer must match.",
            ),
            Flag::new(
                "expect-authenticated",
                "expect.authenticated",
                Form::Switch("true"),
                "The answer must be verified by DNSSEC (flag AD).",
            ),
        ],
        crate::collect::kind::TLS,
        ROUTE,
        EXPECT_LATENCY,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_dns_duration_seconds", "How long each phase took"),
            Metric::gauge("probe_dns_query_succeeded", "1 where an answer came"),
            Metric::gauge("probe_dns_answer_rrs", "Records that answer the question"),
            Metric::gauge("probe_dns_authority_rrs", "Records about who answers for the name"),
            Metric::gauge("probe_dns_additional_rrs", "Records that were sent besides"),
            Metric::gauge("probe_dns_serial", "Serial number of the zone"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let name = fields.need_text("query_name", "write the name to ask for, e.g. `query_name: example.com`");
    let hint = "write a type such as `A`, `AAAA`, `MX`, `NS`, `SOA`, `SRV`, `TXT`, `CAA`, `PTR`, `TLSA` or `TYPE65`";
    let kind = fields.parse("query_type", hint, record_type).unwrap_or(RecordType::A);
    let class =
        fields.parse("query_class", "write `IN`, `CH` or `HS`", |text| match text.to_ascii_uppercase().as_str() {
            "IN" => Ok(DNSClass::IN),
            "CH" => Ok(DNSClass::CH),
            "HS" => Ok(DNSClass::HS),
            _ => Err(format!("`{text}` is no class")),
        });
    let recursion_desired = fields.bool("recursion_desired").unwrap_or(true);
    let dnssec = fields.bool("dnssec").unwrap_or(false);
    let route = Route::read(fields);
    let servers = read_servers(fields, &route, &mut mask);
    let soa_agree = fields.bool("soa_agree").unwrap_or(false);
    if soa_agree && (kind != RecordType::SOA || servers.len() < 2) {
        let message = "`soa_agree` compares the serial numbers of several servers";
        let hint = "write `query_type: SOA`, and two or more `servers`";
        fields.error(fields.head(), Code::Conflict, message, hint);
    }
    if route.is_pinned() && servers.len() > 1 {
        let message = "`connect_to` would ask one address instead of several `servers`";
        fields.error(fields.head(), Code::Conflict, message, "take `connect_to` out, or all servers but one");
    }
    let expect = Expect::read(fields);
    let name = name?;
    mask.add_text(&name);
    let parsed = match name.value().is_ascii() {
        true => Name::from_ascii(name.value()),
        false => Name::from_utf8(name.value()),
    };
    let query_name = parsed
        .inspect_err(|e| {
            let message = format!("`query_name` is not a name: {e}");
            fields.error(name.span, Code::BadValue, message, "write a name such as `example.com`");
        })
        .ok();
    if fields.cx().error_count() > errors {
        return None;
    }
    let mut query_name = query_name?;
    query_name.set_fqdn(true);
    let mut query = Query::query(query_name, kind);
    query.set_query_class(class.unwrap_or(DNSClass::IN));
    let dnssec = dnssec || expect.needs_dnssec();
    let question = Question { query, recursion_desired, dnssec };
    let at = servers.first().map(|s| s.peer.host().to_owned());
    let kind = zone::type_name(kind);
    let target = match servers.as_slice() {
        [] => format!("{} {kind}", name.shown()),
        [one] => format!("{} {kind} @ {}", name.shown(), one.shown),
        [first, rest @ ..] => format!("{} {kind} @ {} and {} more", name.shown(), first.shown, rest.len()),
    };
    let probe = Probe::new("dns", target, DnsProbe { question, servers, soa_agree, route, expect, mask });
    Some(match at {
        Some(host) => probe.at(&host),
        None => probe,
    })
}

fn record_type(text: &str) -> Result<RecordType, String> {
    let upper = text.to_ascii_uppercase();
    if let Some(number) = upper.strip_prefix("TYPE").and_then(|n| n.parse::<u16>().ok()) {
        return Ok(RecordType::from(number));
    }
    match RecordType::from_str(&upper) {
        Ok(RecordType::AXFR | RecordType::IXFR) => Err("zone transfers are not asked for".to_owned()),
        Ok(kind) => Ok(kind),
        Err(_) => Err(format!("`{text}` is no type of records")),
    }
}

fn read_servers(fields: &mut Fields<'_>, route: &Route, mask: &mut Mask) -> Vec<Server> {
    let texts = fields.texts("servers");
    let (tls, https) = match fields.nested("tls") {
        None => (TlsSpec::system(alpn::NONE), TlsSpec::system(alpn::HTTP2_OR_1)),
        Some(mut own) => {
            let Some(tls) = TlsSpec::read_from(&mut own, alpn::NONE) else { return Vec::new() };
            own.finish();
            // The same options, which stand; only what the handshake offers differs.
            let Some(again) = fields.nested("tls") else { return Vec::new() };
            let Some(https) = TlsSpec::read(again, alpn::HTTP2_OR_1) else { return Vec::new() };
            (tls, https)
        }
    };
    if texts.len() > MAX_SERVERS {
        let message = format!("`servers` has {}, allowed are {MAX_SERVERS}", texts.len());
        fields.error(fields.head(), Code::OutOfRange, message, "make another monitor for the others");
    }
    let mut servers = Vec::new();
    for text in texts.iter().take(MAX_SERVERS) {
        mask.add_url(text);
        match Server::parse(text.value(), text.shown(), &tls, &https, route) {
            Ok(server) => servers.push(server),
            Err(e) => {
                let hint = "write e.g. `192.0.2.53`, `ns.example.com:5353`, `tcp://192.0.2.53`, \
                            `tls://dns.example.com` or `https://dns.example.com/dns-query`";
                fields.error(text.span, Code::BadValue, format!("`servers`: {e}"), hint);
            }
        }
    }
    servers
}

/// What one server said, and how far it came.
struct Heard<'s> {
    server: &'s Server,
    trace: Trace,
    answered: Answered,
    fault: Option<Fault>,
}

impl Collector for DnsProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let system;
            let servers = match self.servers.as_slice() {
                [] => match first_of_system() {
                    Ok(server) => {
                        system = [server];
                        &system[..]
                    }
                    Err(fault) => return fault.outcome(),
                },
                several => several,
            };
            let mut heard = join_all(servers.iter().map(|server| self.ask(server, cx))).await;
            let mut outcome = self.judge(&mut heard);
            for one in &heard {
                self.samples(one, heard.len() > 1, &mut outcome.samples);
            }
            if outcome.verdict != Verdict::Up || cx.show {
                outcome.evidence = Some(self.evidence(&heard));
            }
            // The phases of the server that went wrong first, else of the first.
            let shown = heard.iter().position(|h| h.fault.is_some()).unwrap_or(0);
            if let Some(one) = heard.get_mut(shown) {
                outcome.phases = one.trace.take_phases();
            }
            self.mask.hide_in(&mut outcome);
            outcome
        })
    }
}

impl DnsProbe {
    async fn ask<'s>(&self, server: &'s Server, cx: &ProbeCx) -> Heard<'s> {
        let mut trace = Trace::start();
        let mut answered = Answered::default();
        let asking = ask::ask(server, &self.question, &self.route, cx, &mut trace, &mut answered);
        let ended = timeout_at(cx.deadline, Box::pin(asking)).await;
        let in_request = trace.current() == Some(REQUEST);
        let fault = trace.settle(ended, cx.deadline).err().map(|fault| {
            trace.fail();
            match (in_request && fault.is_timeout(), trace.peer) {
                (true, Some(peer)) => fault.with_message(format!("no answer from {peer} in time")),
                _ => fault,
            }
        });
        Heard { server, trace, answered, fault }
    }

    fn judge(&self, heard: &mut [Heard<'_>]) -> Outcome {
        let mut judge = Judge::default();
        let several = heard.len() > 1;
        let mut local = None;
        let mut unjudged: Vec<Check> = Vec::new();
        for one in heard.iter() {
            let of = if several { format!("{}: ", one.server.shown) } else { String::new() };
            match (&one.fault, &one.answered.message) {
                (None, Some(message)) => {
                    self.expect.judge(message, &of, &mut judge);
                    self.expect.latency.judge_of(&of, one.trace.elapsed_phases(), &mut judge);
                }
                (Some(fault), _) if fault.is_local() => local = local.or_else(|| Some(fault.clone())),
                (fault, _) => {
                    let (class, why) = match fault {
                        Some(fault) => (fault.class(), fault.message()),
                        None => ("protocol_error", "no answer"),
                    };
                    judge.fail(class, format!("{of}{why}"));
                    let names = self.expect.names().into_iter();
                    unjudged.extend(names.map(|n| Check { name: format!("{of}{n}"), ok: None, found: String::new() }));
                }
            }
        }
        if self.soa_agree {
            agree(heard, &mut judge);
        }
        let summary = heard.iter().find_map(|h| h.answered.message.as_ref()).map(summary).unwrap_or_default();
        let mut outcome = judge.outcome(summary);
        outcome.checks.extend(unjudged);
        match local {
            // What the target's servers did wrong weighs more than what this machine could not find out.
            Some(fault) if outcome.verdict != Verdict::Down => fault.outcome(),
            Some(_) | None => outcome,
        }
    }

    fn samples(&self, heard: &Heard<'_>, several: bool, out: &mut Vec<Sample>) {
        let first = out.len();
        let phases = heard.trace.phases();
        if let Some(resolve) = phases.iter().find(|p| p.name == phase::RESOLVE) {
            out.push(Sample::new("probe_dns_lookup_time_seconds", resolve.took.as_secs_f64()));
        }
        for part in phases {
            let sample = Sample::new("probe_dns_duration_seconds", part.took.as_secs_f64());
            out.push(sample.word("phase", part.name.clone()));
        }
        if let Some(peer) = heard.trace.peer.or(heard.trace.tried.last().copied()) {
            out.push(Sample::new("probe_ip_protocol", if peer.is_ipv4() { 4.0 } else { 6.0 }));
        }
        if let Some(cert) = &heard.trace.cert {
            cert.samples(out);
        }
        let message = heard.answered.message.as_ref();
        out.push(Sample::new("probe_dns_query_succeeded", f64::from(u8::from(message.is_some()))));
        if let Some(message) = message {
            out.push(Sample::new("probe_dns_answer_rrs", message.answers.len() as f64));
            out.push(Sample::new("probe_dns_authority_rrs", message.authorities.len() as f64));
            // hickory takes EDNS's record out of the section, which is not one of the zone's anyway.
            out.push(Sample::new("probe_dns_additional_rrs", message.additionals.len() as f64));
            if let Some(serial) = serial(message) {
                out.push(Sample::new("probe_dns_serial", f64::from(serial)));
            }
        }
        if several {
            for sample in &mut out[first..] {
                sample.labels.push(("server".into(), heard.server.shown.clone().into()));
            }
        }
    }

    fn evidence(&self, heard: &[Heard<'_>]) -> Evidence {
        let query = &self.question.query;
        let kind = zone::type_name(query.query_type());
        let question = format!("{} {} {kind}", zone::name(query.name()), query.query_class());
        let mut items = vec![("question".into(), question)];
        for one in heard {
            let mut text = String::new();
            if let Some(peer) = one.trace.peer.or(one.trace.tried.last().copied()) {
                text += &format!("address    {peer}\n");
            }
            if let Some(fault) = &one.fault {
                text += &format!("failed     {}\n", fault.message());
            }
            if one.answered.was_cut {
                text += "over TCP, since the answer over UDP was cut\n";
            }
            if one.answered.ignored > 0 {
                text += &format!("ignored    {} datagrams that did not answer the question\n", one.answered.ignored);
            }
            if let Some(cert) = &one.trace.cert {
                text += &cert.describe();
                text.push('\n');
            }
            if let Some(message) = &one.answered.message {
                text += &dump(message);
            }
            if text.len() > MAX_EVIDENCE {
                text.truncate(text.floor_char_boundary(MAX_EVIDENCE));
                text.push('…');
            }
            items.push((format!("server {}", one.server.shown).into(), text));
        }
        Evidence { items }
    }
}

/// All servers have the same serial number. What a server would have said that this machine could not ask is not
/// known, so with one of these nothing is judged.
fn agree(heard: &[Heard<'_>], judge: &mut Judge) {
    const NAME: &str = "all servers have the same serial number";
    if heard.iter().any(|h| h.fault.as_ref().is_some_and(Fault::is_local)) {
        judge.skip(NAME);
        return;
    }
    let serials: Vec<(&str, Option<u32>)> =
        heard.iter().map(|h| (h.server.shown.as_str(), h.answered.message.as_ref().and_then(serial))).collect();
    let first = serials.iter().find_map(|(_, s)| *s);
    let ok = first.is_some() && serials.iter().all(|(_, s)| *s == first);
    let list: Vec<String> = serials
        .iter()
        .map(|(name, s)| format!("{name} {}", s.map_or_else(|| "none".to_owned(), |s| s.to_string())))
        .collect();
    judge.hold("soa", NAME, ok, list.join(", "));
}

fn summary(message: &hickory_proto::op::Message) -> String {
    let rcode = rcode_name(message.metadata.response_code);
    match message.answers.as_slice() {
        [] => format!("{rcode}, no answer records"),
        [one] => format!("{rcode}, {}", zone::data(&one.data)),
        [first, rest @ ..] => format!("{rcode}, {} (and {} more)", zone::data(&first.data), rest.len()),
    }
}

/// A message as `dig` orders it.
fn dump(message: &hickory_proto::op::Message) -> String {
    let m = &message.metadata;
    let flags = [
        (m.authoritative, "aa"),
        (m.truncation, "tc"),
        (m.recursion_desired, "rd"),
        (m.recursion_available, "ra"),
        (m.authentic_data, "ad"),
    ];
    let flags: Vec<&str> = flags.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect();
    let mut text = format!("status     {}, flags {}\n", rcode_name(m.response_code), flags.join(" "));
    let sections =
        [("answer", &message.answers), ("authority", &message.authorities), ("additional", &message.additionals)];
    for (title, records) in sections {
        for record in records.iter().take(20) {
            text += &format!("{title:<10} {}\n", zone::line(record).replace('\t', " "));
        }
        if records.len() > 20 {
            text += &format!("{title:<10} … {} more\n", records.len() - 20);
        }
    }
    text
}

/// The server that the system asks first.
fn first_of_system() -> Result<Server, Fault> {
    let not = |why: String| Fault::local("local_resolver", format!("the system names no DNS server: {why}"));
    let (config, _) = hickory_resolver::system_conf::read_system_conf().map_err(|e| not(e.to_string()))?;
    let first = config.name_servers().first().ok_or_else(|| not("`/etc/resolv.conf` has none".to_owned()))?;
    let shown = first.ip.to_string();
    let peer = crate::collect::dial::Peer::new(&shown, 53).map_err(|e| not(e.to_string()))?;
    Ok(Server { shown, peer, transport: Transport::Udp })
}
