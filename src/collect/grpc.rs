//! `type: grpc`: asks `grpc.health.v1.Health/Check`.
//!
//! Its two messages have one field each; they are written and read here, and the rest is HTTP/2.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::http::content::USER_AGENT;
use crate::collect::judge::{Judge, Latency, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::http2::{self, Answer};
use crate::collect::talk::wire::Stream;
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Bytes of an answer: a message of two bytes, and what may be added to it.
const MAX_ANSWER: usize = 64 * 1024;
/// Headers that make the call, beside `grpc-…`.
const RESERVED: [&str; 3] = ["content-type", "te", "user-agent"];

/// `ServingStatus` of the protocol, by number.
const SERVING: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// gRPC's status codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const DEADLINE_EXCEEDED: usize = 4;
const UNAVAILABLE: usize = 14;

/// A checked `grpc` monitor.
struct GrpcProbe {
    endpoint: Endpoint,
    tls: Option<TlsSpec>,
    service: String,
    authority: String,
    metadata: HeaderMap,
    check: String,
    latency: Latency,
    mask: Mask,
}

impl std::fmt::Debug for GrpcProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What a reference in the names resolved to may be secret.
        f.debug_struct("GrpcProbe").field("endpoint", &self.endpoint.shown).finish_non_exhaustive()
    }
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "grpc",
    about: "One gRPC health check.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name:port`." }),
    flags: &[
        &[
            Flag::new("service", "service", Form::One("NAME"), "Service to ask for; without it, the whole server."),
            Flag::new("authority", "authority", Form::One("NAME"), "`:authority` to send instead of the target."),
            Flag::new("metadata", "metadata.*", Form::Pairs(':', "NAME: VALUE"), "Metadata to send, `name: value`."),
        ],
        TLS_ON_DEMAND,
        ROUTE,
        LATENCY,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_grpc_duration_seconds", "How long each phase took"),
            Metric::gauge("probe_grpc_ssl", "1 where TLS was spoken"),
            Metric::gauge(
                "probe_grpc_healthcheck_response",
                "1 for the state that the service is in, 0 for the others",
            ),
            Metric::gauge("probe_grpc_status_code", "The code of the answer"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let endpoint = Endpoint::read(fields, &mut mask, None);
    let service = fields.text("service").map_or_else(String::new, |t| t.value().to_owned());
    let authority = fields.parse("authority", "write a host, perhaps with a port", |text| {
        http::uri::Authority::try_from(text).map(|a| a.to_string())
    });
    let mut metadata = HeaderMap::new();
    for (entry, text) in fields.pairs("metadata") {
        mask.add_text(&text);
        let key = entry.key.to_ascii_lowercase();
        let reserved = key.starts_with("grpc-") || RESERVED.contains(&key.as_str());
        let name = HeaderName::try_from(key);
        match (name, HeaderValue::try_from(text.value())) {
            (Ok(name), Ok(mut value)) if !reserved => {
                value.set_sensitive(true);
                if name.as_str().contains("auth") {
                    mask.add_credentials(text.value());
                }
                metadata.append(name, value);
            }
            _ => {
                let message = format!("`{}` cannot be sent as metadata", entry.key);
                fields.error(entry.key_span, Code::BadValue, message, "write e.g. `metadata: {authorization: …}`");
            }
        }
    }
    let latency = Latency::read(fields);
    let tls = TlsSpec::read_on_demand(fields, alpn::HTTP2);
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (target, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    let check = match service.as_str() {
        "" => "server is SERVING".to_owned(),
        name => format!("service {} is SERVING", found(name)),
    };
    let authority = authority.unwrap_or_else(|| endpoint.peer.to_string());
    let probe = GrpcProbe { endpoint, tls, service, authority, metadata, check, latency, mask };
    Some(Probe::new("grpc", target, probe).at(&at))
}

/// What came of the question.
#[derive(Debug, Default)]
struct Said {
    answer: Answer,
    /// gRPC's status: number and text.
    code: Option<(usize, String)>,
    serving: Option<usize>,
    /// The question failed before its time was over.
    broken: bool,
}

impl Collector for GrpcProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl GrpcProbe {
    fn request(&self, cx: &ProbeCx) -> Result<Request<Full<Bytes>>, Fault> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut request = Request::post(format!("{scheme}://{}/grpc.health.v1.Health/Check", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", USER_AGENT)
            // At most eight digits (the protocol's `TimeoutValue`).
            .header("grpc-timeout", format!("{}m", cx.remaining().as_millis().clamp(1, 99_999_999)))
            .body(Full::new(Bytes::from(question(&self.service))))
            .map_err(|e| Fault::target("protocol_error", format!("the request cannot be made: {e}")))?;
        request.headers_mut().extend(self.metadata.clone());
        Ok(request)
    }

    async fn check(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Said) -> Result<(), Fault> {
        let stream = self.endpoint.open(cx, trace).await?;
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(tls) => Stream::Tls(Box::new(tls.handshake(stream, &self.endpoint.peer, cx.now, trace).await?)),
        };
        trace.begin(phase::PROCESSING);
        http2::ask(stream, self.request(cx)?, MAX_ANSWER, &mut said.answer).await?;
        trace.end();
        let (code, text) = status(&said.answer)?;
        said.code = Some((code, text));
        if code == 0 {
            said.serving = Some(serving(&said.answer.body)?);
        }
        Ok(())
    }
}

impl Talk for GrpcProbe {
    type Said = Said;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Said) -> Result<(), Fault> {
        let ended = self.check(cx, trace, said).await;
        said.broken = ended.as_ref().is_err_and(|fault| !fault.is_timeout());
        ended
    }

    fn judge(&self, trace: &Trace, said: &Said) -> Outcome {
        let mut judge = Judge::default();
        let mut seen = String::new();
        match (&said.code, said.serving) {
            (Some((0, _)), Some(serving)) => {
                seen = SERVING.get(serving).map_or_else(|| format!("status {serving}"), |s| (*s).to_owned());
                judge.hold("grpc_health", &self.check, serving == 1, seen.as_str());
            }
            (Some((code, text)), _) => {
                let name = CODES.get(*code).copied().unwrap_or("a code of its own");
                let sep = if text.is_empty() { "" } else { ": " };
                judge.hold("grpc_status", &self.check, false, found(&format!("{name}{sep}{text}")));
            }
            (None, _) => judge.hold("grpc_health", &self.check, false, "no answer"),
        }
        self.latency.judge(trace.elapsed(), &mut judge);
        judge.outcome(seen)
    }

    fn checks(&self) -> Vec<&str> {
        std::iter::once(self.check.as_str()).chain(self.latency.names()).collect()
    }

    fn samples(&self, trace: &Trace, said: &Said, out: &mut Vec<Sample>) {
        let resolve = trace.phases().iter().find(|p| p.name == phase::RESOLVE).map_or(0.0, |p| p.took.as_secs_f64());
        let all = trace.elapsed().as_secs_f64();
        for (name, took) in [("resolve", resolve), ("check", (all - resolve).max(0.0))] {
            out.push(Sample::new("probe_grpc_duration_seconds", took).word("phase", name));
        }
        out.push(Sample::new("probe_grpc_ssl", f64::from(u8::from(self.tls.is_some()))));
        for (i, name) in SERVING.iter().enumerate() {
            let is = said.serving == Some(i);
            let sample = Sample::new("probe_grpc_healthcheck_response", f64::from(u8::from(is)));
            out.push(sample.word("serving_status", *name));
        }
        let none = if said.broken { UNAVAILABLE } else { DEADLINE_EXCEEDED };
        let code = said.code.as_ref().map_or(none, |(code, _)| *code);
        out.push(Sample::new("probe_grpc_status_code", code as f64));
    }

    fn evidence(&self, said: &Said, items: &mut Items) {
        items.push(("service".into(), self.service.clone()));
        if said.answer.headers.is_empty() && said.answer.trailers.is_empty() {
            return;
        }
        let mut head = format!("HTTP/2 {}\n", said.answer.status);
        for (name, value) in said.answer.headers.iter().chain(&said.answer.trailers) {
            if head.len() > talk::MAX_EVIDENCE {
                break;
            }
            head += &format!("{name}: {}\n", found(&String::from_utf8_lossy(value.as_bytes())));
        }
        items.push(("response".into(), head));
    }

    fn target(&self) -> String {
        self.endpoint.peer.to_string()
    }

    fn mask(&self) -> &Mask {
        &self.mask
    }
}

/// `HealthCheckRequest { service = 1 }`, as one message that is not compressed.
fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 12);
    if !service.is_empty() {
        message.push(0x0a);
        varint(service.len(), &mut message);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

fn varint(mut n: usize, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// gRPC's status of an answer; an answer of something else is judged by its status of HTTP.
fn status(answer: &Answer) -> Result<(usize, String), Fault> {
    // An answer without a message has its status in the head.
    let field = |name: &str| answer.trailers.get(name).or_else(|| answer.headers.get(name));
    let text = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    if let Some(code) = field("grpc-status") {
        let code = text(code).parse().map_err(|_| Fault::target("protocol_error", "`grpc-status` is not a number"))?;
        let message = field("grpc-message").map(text).unwrap_or_default();
        let message = percent_encoding::percent_decode_str(&message).decode_utf8_lossy().into_owned();
        return Ok((code, message));
    }
    // The mapping that gRPC gives for what stands in front of a server.
    let code = match answer.status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => 2,
    };
    Ok((code, format!("HTTP {} without a status of gRPC", answer.status)))
}

/// The status in a `HealthCheckResponse { status = 1 }`.
fn serving(body: &[u8]) -> Result<usize, Fault> {
    let wrong = |why: &str| Fault::target("protocol_error", format!("the answer is not a health check's: {why}"));
    let (head, rest) = body.split_at_checked(5).ok_or_else(|| wrong("too short"))?;
    let [compressed, length @ ..] = head else { return Err(wrong("too short")) };
    if *compressed != 0 {
        return Err(wrong("compressed, though not asked for"));
    }
    let length = length.iter().fold(0_usize, |n, b| (n << 8) | usize::from(*b));
    let mut message = rest.get(..length).ok_or_else(|| wrong("shorter than it says"))?;
    // A field that is absent has its default, which is UNKNOWN.
    let mut status = 0;
    while !message.is_empty() {
        let key = take_varint(&mut message).ok_or_else(|| wrong("cut in a field"))?;
        let skipped = match key & 7 {
            0 => {
                let value = take_varint(&mut message).ok_or_else(|| wrong("cut in a number"))?;
                if key >> 3 == 1 {
                    status = value;
                }
                0
            }
            1 => 8,
            2 => take_varint(&mut message).ok_or_else(|| wrong("cut in a length"))?,
            5 => 4,
            _ => return Err(wrong("a field of no known type")),
        };
        message = message.get(skipped..).ok_or_else(|| wrong("cut in a value"))?;
    }
    Ok(status)
}

fn take_varint(from: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for (i, byte) in from.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(i).ok()?)?;
        if byte & 0x80 == 0 {
            *from = &from[i + 1..];
            return usize::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::kinds::testing::problems;

    #[test]
    fn messages() {
        assert_eq!(question(""), [0, 0, 0, 0, 0]);
        assert_eq!(question("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(question(&"x".repeat(200))[5..8], [0x0a, 0xc8, 0x01]);
        for (body, want) in [
            (&[0, 0, 0, 0, 2, 8, 1][..], Some(1)),
            (&[0, 0, 0, 0, 0], Some(0)),
            (&[0, 0, 0, 0, 7, 0x12, 3, 1, 2, 3, 8, 2], Some(2)),
            (&[1, 0, 0, 0, 2, 8, 1], None),
            (&[0, 0, 0, 0, 9, 8, 1], None),
            (&[0, 0xff, 0xff, 0xff, 0xff], None),
            (&[0, 0, 0, 0, 2, 8, 0x80], None),
            (&[0, 0, 0, 0, 3, 0x12, 0xff, 0x7f], None),
            (&[], None),
        ] {
            assert_eq!(serving(body).ok(), want, "{body:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_does_harm(body in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = serving(&body);
            let _ = serving(&[&[0, 0, 0, 0, body.len() as u8][..], &body].concat());
        }
    }

    #[test]
    fn metadata_is_checked() {
        assert!(problems("grpc", "{host: \"a:1\", metadata: {\"a b\": c}}")[0].contains("cannot be sent"));
        assert!(problems("grpc", "{host: \"a:1\", metadata: {grpc-timeout: 1S}}")[0].contains("cannot be sent"));
        assert!(problems("grpc", "{host: a}")[0].contains("no port"));
    }
}
