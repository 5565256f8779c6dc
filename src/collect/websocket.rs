//! `type: websocket`: an upgrade, a ping, and a conversation in messages.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::time::Timestamp;
use crate::collect::dial::{self, Bounded, Peer, Route};
use crate::collect::fault::Fault;
use crate::collect::http::content::USER_AGENT;
use crate::collect::judge::found;
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, SCRIPT, TLS};
use crate::collect::mask::Mask;
use crate::collect::metric::{CONVERSATION, Metric, NETWORK};
use crate::collect::talk::script::{Handshake, Medium, Script, Spoken};
use crate::collect::talk::wire::{Heard, MAX_HEARD, Stream, closed};
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// What is sent with a ping and must come back (RFC 6455, section 5.5.3).
const PING: &[u8] = b"watchdog";

/// Headers that make the upgrade, beside `Sec-WebSocket-…`.
const RESERVED: [&str; 4] = ["connection", "upgrade", "content-length", "transfer-encoding"];

/// A checked `websocket` monitor.
#[derive(Debug)]
struct WebSocketProbe {
    peer: Peer,
    route: Route,
    /// `None` for `ws:`.
    tls: Option<TlsSpec>,
    /// The address, secrets included.
    url: crate::base::secret::Secret<String>,
    shown: String,
    headers: HeaderMap,
    ping: bool,
    script: Script,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "websocket",
    about: "One WebSocket connection.",
    operand: Some(Operand::One { path: "url", name: "URL", help: "Address, e.g. `wss://example.com/live`." }),
    flags: &[
        &[
            Flag::new("header", "headers.*", Form::Pairs(':', "NAME: VALUE"), "Request header, `Name: value`."),
            Flag::new("subprotocol", "subprotocols", Form::Many("NAME"), "Subprotocol to offer; one must be chosen."),
            Flag::new("no-ping", "ping", Form::Switch("false"), "Send no ping."),
        ],
        SCRIPT,
        TLS,
        ROUTE,
        LATENCY,
    ],
    metrics: &[
        NETWORK,
        CONVERSATION,
        &[
            Metric::gauge("probe_websocket_ping_duration_seconds", "How long the answer to a ping took"),
            Metric::gauge("probe_websocket_close_code", "What the server closed with"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let url = fields.need_text("url", "write e.g. `url: wss://example.com/live`");
    let mut headers = read_headers(fields, &mut mask);
    let offered: Vec<String> = fields.texts("subprotocols").iter().map(|t| t.value().to_owned()).collect();
    if !offered.is_empty() {
        match HeaderValue::try_from(offered.join(", ")) {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.insert("sec-websocket-protocol", value);
            }
            Err(_) => {
                let message = "`subprotocols` cannot be sent";
                fields.error(fields.head(), Code::BadValue, message, "use letters, digits, `.` and `-`");
            }
        }
    }
    let ping = fields.bool("ping").unwrap_or(true);
    let script = Script::read(fields, &mut mask);
    if script.has_starttls() {
        fields.error(fields.head(), Code::Conflict, "`starttls` in a WebSocket", "write `wss://` in `url`");
    }
    let route = Route::read(fields);
    let tls = TlsSpec::read_always(fields, alpn::HTTP1);
    let url = url?;
    mask.add_url(&url);
    let (peer, secure, sent) = read_url(fields, &url)?;
    if fields.cx().error_count() > errors {
        return None;
    }
    let at = peer.host().to_owned();
    let shown = url.shown().to_owned();
    let probe = WebSocketProbe {
        peer,
        route,
        tls: if secure { Some(tls?) } else { None },
        url: crate::base::secret::Secret::new(sent),
        shown: shown.clone(),
        headers,
        ping,
        script,
        mask,
    };
    Some(Probe::new("websocket", shown, probe).at(&at))
}

fn read_headers(fields: &mut Fields<'_>, mask: &mut Mask) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (entry, text) in fields.pairs("headers") {
        let private = mask.add_text(&text);
        let key = entry.key.to_ascii_lowercase();
        if key.starts_with("sec-websocket-") || RESERVED.contains(&key.as_str()) {
            let message = format!("`{}` is set by the probe itself", entry.key);
            let hint = "remove this line; for subprotocols there is `subprotocols`";
            fields.error(entry.key_span, Code::Conflict, message, hint);
            continue;
        }
        match (HeaderName::try_from(entry.key.as_str()), HeaderValue::try_from(text.value())) {
            (Ok(name), Ok(mut value)) => {
                if private || name == http::header::AUTHORIZATION || name == http::header::COOKIE {
                    mask.add_credentials(text.value());
                    value.set_sensitive(true);
                }
                headers.append(name, value);
            }
            _ => {
                let message = format!("`{}` cannot be sent as a header", entry.key);
                fields.error(entry.key_span, Code::BadValue, message, "write e.g. `headers: {Origin: https://…}`");
            }
        }
    }
    headers
}

/// The machine, whether TLS is spoken, and the address as it is sent.
fn read_url(fields: &Fields<'_>, text: &Text) -> Option<(Peer, bool, String)> {
    let refuse = |why: &str| {
        let hint = "write e.g. `ws://example.com/live` or `wss://example.com/live`";
        fields.error(text.span, Code::BadValue, format!("`url` is `{}`: {why}", text.shown()), hint);
        None::<(Peer, bool, String)>
    };
    let Ok(url) = Url::parse(text.value()) else { return refuse("it is not an address") };
    let secure = match url.scheme() {
        "ws" => false,
        "wss" => true,
        _ => return refuse("it begins with neither `ws://` nor `wss://`"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("credentials belong into `headers`");
    }
    let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
    let Some(Ok(peer)) = url.host_str().map(|host| Peer::new(host, port)) else { return refuse("it has no host") };
    let mut sent = url;
    sent.set_fragment(None);
    Some((peer, secure, sent.into()))
}

/// How far it came.
#[derive(Debug, Default)]
struct Said {
    spoken: Spoken,
    pong: Option<Duration>,
    subprotocol: Option<String>,
    /// The code with which the peer closed.
    close: Option<u16>,
}

/// Messages as a script's medium.
struct Messages<'a> {
    socket: WebSocketStream<Stream<Bounded>>,
    heard: &'a mut Heard,
    close: &'a mut Option<u16>,
}

impl Messages<'_> {
    /// The next message that is not about the connection itself; `None` for a pong.
    async fn next(&mut self) -> Result<Option<Message>, Fault> {
        loop {
            let message = match self.socket.next().await {
                None => return Err(closed()),
                Some(message) => message.map_err(|e| fault(&e))?,
            };
            match message {
                Message::Text(_) | Message::Binary(_) => return Ok(Some(message)),
                Message::Pong(data) if data.as_ref() == PING => return Ok(None),
                // A ping is answered by the next write, or by the flush of a read.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                Message::Close(frame) => {
                    let code = frame.as_ref().map_or(1005, |f| u16::from(f.code));
                    *self.close = Some(code);
                    let why = frame.map_or_else(String::new, |f| format!(": {}", found(&f.reason)));
                    return Err(Fault::target("closed", format!("the peer closed with code {code}{why}")));
                }
            }
        }
    }

    fn keep(&mut self, message: &Message) -> usize {
        let data = match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(data) => data,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => &[],
        };
        let room = MAX_HEARD - self.heard.bytes.len();
        self.heard.bytes.extend_from_slice(&data[..data.len().min(room)]);
        data.len().min(room)
    }
}

impl Medium for Messages<'_> {
    const WHOLE: bool = true;

    fn heard(&mut self) -> &mut Heard {
        self.heard
    }

    async fn hear(&mut self) -> Result<usize, Fault> {
        loop {
            if self.heard.bytes.len() >= MAX_HEARD {
                return Err(Fault::target("too_much", "the peer said more than 64 KiB without coming to the point"));
            }
            if let Some(message) = self.next().await? {
                let n = self.keep(&message);
                // An empty message is no end.
                if n > 0 {
                    return Ok(n);
                }
            }
        }
    }

    async fn send(&mut self, bytes: &[u8], binary: bool) -> Result<(), Fault> {
        let message = match (binary, std::str::from_utf8(bytes)) {
            (false, Ok(text)) => Message::text(text),
            _ => Message::binary(bytes.to_vec()),
        };
        self.socket.send(message).await.map_err(|e| fault(&e))
    }

    async fn encrypt(&mut self, _: &TlsSpec, _: &str, _: Timestamp, _: &mut Trace) -> Result<(), Fault> {
        Err(Fault::target("starttls", "a WebSocket does not turn to TLS"))
    }
}

impl Collector for WebSocketProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl WebSocketProbe {
    async fn upgrade(
        &self,
        cx: &ProbeCx,
        trace: &mut Trace,
    ) -> Result<(WebSocketStream<Stream<Bounded>>, Option<String>), Fault> {
        let stream = dial::open_by(&self.peer, &self.route, cx, trace).await?;
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(tls) => Stream::Tls(Box::new(tls.handshake(stream, &self.peer, cx.now, trace).await?)),
        };
        trace.begin(phase::PROCESSING);
        let request = self.url.reveal().as_str().into_client_request();
        let mut request = request.map_err(|_| Fault::target("protocol_error", "the request cannot be made"))?;
        request.headers_mut().insert("user-agent", HeaderValue::from_static(USER_AGENT));
        request.headers_mut().extend(self.headers.clone());
        let limits = WebSocketConfig::default()
            .read_buffer_size(8 * 1024)
            .max_message_size(Some(MAX_HEARD))
            .max_frame_size(Some(MAX_HEARD));
        let (socket, answer) = client_async_with_config(request, stream, Some(limits)).await.map_err(|e| fault(&e))?;
        let chosen = answer.headers().get("sec-websocket-protocol");
        Ok((socket, chosen.map(|v| found(&String::from_utf8_lossy(v.as_bytes())))))
    }
}

impl Talk for WebSocketProbe {
    type Said = Said;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Said) -> Result<(), Fault> {
        let (socket, chosen) = Box::pin(self.upgrade(cx, trace)).await?;
        said.subprotocol = chosen;
        let (heard, mut progress) = said.spoken.split();
        let mut messages = Messages { socket, heard, close: &mut said.close };
        if self.ping {
            let sent = Instant::now();
            messages.socket.send(Message::Ping(PING.into())).await.map_err(|e| fault(&e))?;
            // What the peer says before its pong belongs to the conversation.
            while let Some(message) = messages.next().await? {
                messages.keep(&message);
                if messages.heard.bytes.len() >= MAX_HEARD {
                    return Err(Fault::target("too_much", "the peer said 64 KiB rather than answer a ping"));
                }
            }
            said.pong = Some(sent.elapsed());
        }
        let handshake = Handshake { tls: None, host: "", now: cx.now };
        self.script.speak(&mut messages, &mut progress, handshake, trace).await?;
        // A farewell is polite; whether it is answered is no longer of interest.
        let farewell = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = messages.socket.send(Message::Close(Some(farewell))).await;
        trace.end();
        Ok(())
    }

    fn judge(&self, trace: &Trace, said: &Said) -> Outcome {
        let mut outcome = self.script.judge(trace, &said.spoken);
        if let Some(chosen) = said.subprotocol.as_ref().filter(|_| outcome.summary == "connected") {
            outcome.summary = format!("connected, {chosen}");
        }
        outcome
    }

    fn failed(&self, trace: &Trace, said: &Said, fault: Fault) -> Outcome {
        self.script.failed(trace, &said.spoken, fault)
    }

    fn checks(&self) -> Vec<&str> {
        self.script.checks()
    }

    fn samples(&self, _: &Trace, said: &Said, out: &mut Vec<Sample>) {
        if let Some(pong) = said.pong {
            out.push(Sample::new("probe_websocket_ping_duration_seconds", pong.as_secs_f64()));
        }
        if let Some(code) = said.close {
            out.push(Sample::new("probe_websocket_close_code", f64::from(code)));
        }
        self.script.samples(&said.spoken, out);
    }

    fn evidence(&self, said: &Said, items: &mut Items) {
        if let Some(chosen) = &said.subprotocol {
            items.push(("subprotocol".into(), chosen.clone()));
        }
        items.extend(talk::words(&said.spoken.heard.bytes));
    }

    fn target(&self) -> String {
        self.shown.clone()
    }

    fn mask(&self) -> &Mask {
        &self.mask
    }
}

fn fault(err: &Error) -> Fault {
    match err {
        Error::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => closed(),
        Error::Io(e) => Fault::io("speaking WebSocket", e),
        Error::Http(answer) => {
            Fault::target("status", format!("the peer does not upgrade: it answers {}", answer.status()))
        }
        Error::ConnectionClosed | Error::AlreadyClosed => closed(),
        Error::Protocol(ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake) => closed(),
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(why)) => {
            Fault::target("subprotocol", format!("the subprotocol: {why}"))
        }
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            Fault::target("too_much", format!("a message of {size} bytes, more than 64 KiB"))
        }
        other => Fault::target("protocol_error", format!("the peer does not speak WebSocket: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use tokio_tungstenite::accept_async;

    use super::*;
    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{build, context, outcome, problems};

    /// Greets, then says everything back; `bye` makes it close with 1011.
    async fn server() -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/live", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut socket) = accept_async(stream).await else { continue };
                let _ = socket.send(Message::text("hello")).await;
                while let Some(Ok(message)) = socket.next().await {
                    let answer = match &message {
                        Message::Text(t) if t.as_str() == "bye" => {
                            let frame = CloseFrame { code: CloseCode::Error, reason: "no more".into() };
                            Message::Close(Some(frame))
                        }
                        Message::Text(_) | Message::Binary(_) => message,
                        _ => continue,
                    };
                    if socket.send(answer).await.is_err() {
                        break;
                    }
                }
            }
        });
        (url, tasks)
    }

    #[tokio::test]
    async fn messages_are_sent_and_judged_and_a_ping_is_timed() {
        let (url, _tasks) = server().await;
        for (more, want) in [
            ("ping: true", (Verdict::Up, "")),
            ("expect: {contains: hello}", (Verdict::Up, "")),
            (
                "steps: [{expect: ^hel(lo)$, send: \"x$1\"}, {expect: ^xlo$}, {send_hex: 6f 6b}, {expect: ok}]",
                (Verdict::Up, ""),
            ),
            ("steps: [{send: bye}, {expect: never}]", (Verdict::Down, "closed")),
            ("subprotocols: [chat]", (Verdict::Down, "subprotocol")),
        ] {
            let got = outcome("websocket", &format!("{{url: \"{url}\", {more}}}")).await;
            assert_eq!((got.verdict, got.reason.as_ref().map_or("", |r| &r.class)), want, "{more}: {got:?}");
            let pong = got.samples.iter().any(|s| s.name == "probe_websocket_ping_duration_seconds");
            assert_eq!(pong, want.1 != "subprotocol", "{more}");
            let code = got.samples.iter().find(|s| s.name == "probe_websocket_close_code").map(|s| s.value);
            assert_eq!(code, (want.1 == "closed").then_some(1011.0), "{more}");
        }
    }

    #[tokio::test]
    async fn the_second_message_is_searched_though_it_is_short() {
        let (url, _tasks) = server().await;
        let long = "x".repeat(800);
        let steps = format!("steps: [{{send: {long}}}, {{send: ready}}, {{expect_bytes: 'ready$'}}]");
        let got = outcome("websocket", &format!("{{url: \"{url}\", {steps}}}")).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    }

    #[tokio::test]
    async fn what_is_no_websocket_is_down() {
        for (says, want) in [
            (&b""[..], "connection_closed"),
            (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "status"),
            (b"220 mail\r\n\r\n", "protocol_error"),
            (
                b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
                "protocol_error",
            ),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}/", listener.local_addr().unwrap());
            let mut tasks = JoinSet::new();
            tasks.spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(says).await;
            });
            let got = outcome("websocket", &format!("{{url: \"{url}\"}}")).await;
            assert_eq!((got.verdict, &*got.reason.unwrap().class), (Verdict::Down, want));
        }
    }

    #[tokio::test]
    async fn a_peer_that_answers_no_ping_is_cut_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (probe, _) = build("websocket", &format!("{{url: \"ws://{}/\"}}", listener.local_addr().unwrap()));
        let got = probe.unwrap().collector.probe(&context(Duration::from_millis(100))).await;
        assert_eq!((got.verdict, &*got.reason.unwrap().class), (Verdict::Down, "timeout"));
    }

    #[test]
    fn no_header_changes_the_upgrade() {
        for header in ["Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Upgrade", "connection", "Content-Length"] {
            let got = problems("websocket", &format!("{{url: \"ws://a/\", headers: {{{header}: x}}}}"));
            assert!(got[0].contains("set by the probe itself"), "{header}: {got:?}");
        }
        assert!(problems("websocket", "{url: \"ws://a/\", headers: {Host: x, Origin: y}}").is_empty());
    }

    #[test]
    fn addresses_are_checked() {
        for (url, want) in [
            ("http://a/", "neither `ws://` nor `wss://`"),
            ("ws://u:p@a/", "credentials belong into `headers`"),
            ("x", "not an address"),
        ] {
            let got = problems("websocket", &format!("{{url: \"{url}\"}}"));
            assert!(got[0].contains(want), "{url}: {got:?}");
        }
    }
}
