//! `type: mqtt`: logs in to a broker; if asked, sends itself a message, or reads one that is retained.
//!
//! Messages are made and taken apart by the client crate's codec; the connection is ours. Nothing
//! outlives a probe: sessions are clean, and the broker is told goodbye.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::{self, v4};
use rumqttc::v5::mqttbytes::{self as mqttbytes5, v5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::base::units::Short;
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::talk::capped::{Capped, MAX_ANSWERS, stream_fault};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::security::{OPEN_LOGIN, Security, USER};
use crate::collect::talk::wire::Stream;
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::alpn;
use crate::collect::trace::{Trace, phase};
use crate::collect::value::{VALUE, ValueChecks, number};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Longest text that the protocol carries (MQTT 3.1.1, section 1.5.3).
const MAX_TEXT: usize = 65_535;
/// How long a retained message may come after the broker has answered everything else. Brokers send it at
/// once, but some do so beside other answers.
const RETAINED_GRACE: Duration = Duration::from_millis(500);
/// With what an answer to a login may begin: it is accepted or refused, the session ends, more is asked.
const FIRST: [u8; 3] = [0x20, 0xe0, 0xf0];
/// The one subscription of a probe.
const PACKET: u16 = 1;

/// A checked `mqtt` monitor.
#[derive(Debug)]
struct Mqtt {
    endpoint: Endpoint,
    security: Security,
    user: Option<Secret<String>>,
    password: Option<Secret<String>>,
    version: Version,
    client_id: Option<String>,
    task: Task,
    expect: ValueChecks,
    latency: Latency,
    mask: Mask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V4,
    V5,
}

/// What is done after the login.
#[derive(Debug)]
enum Task {
    /// Asks whether the broker is there.
    Ping,
    /// Publishes to this topic, and waits for the same message.
    RoundTrip(String),
    /// Waits for what is retained here.
    Retained(String),
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "mqtt",
    about: "One login to an MQTT broker, and one message.",
    operand: Some(Operand::One {
        path: "host",
        name: "HOST",
        help: "Broker, `name` or `name:port`; port 1883, with TLS 8883.",
    }),
    flags: &[
        USER,
        OPEN_LOGIN,
        &[
            Flag::new("mqtt-version", "version", Form::One("VERSION"), "`3.1.1` or `5`."),
            Flag::new("client-id", "client_id", Form::One("ID"), "Name of the session; another each time without."),
            Flag::new("round-trip", "round_trip", Form::One("TOPIC"), "Publish here and wait for the same message."),
            Flag::new("retained", "retained", Form::One("TOPIC"), "Wait for the message that is retained here."),
        ],
        VALUE,
        TLS_ON_DEMAND,
        ROUTE,
        LATENCY,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_mqtt_ping_duration_seconds", "How long the answer to a ping took"),
            Metric::gauge("probe_mqtt_round_trip_duration_seconds", "How long a message took to come back"),
            Metric::gauge("probe_mqtt_retained_duration_seconds", "How long a retained message took to come"),
            Metric::gauge("probe_mqtt_value", "The message, where it is a number"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let security = Security::from_start(fields, alpn::NONE);
    let endpoint = Endpoint::read(fields, &mut mask, Some(if security.is_implicit() { 8883 } else { 1883 }));
    let account = security.account(fields, &mut mask, endpoint.as_ref());
    account.refuse_open(fields, "add `tls: true`, or `open_login: true` if that is meant");
    let latency = Latency::read(fields);
    let version = fields.parse("version", "write `version: \"3.1.1\"` or `version: \"5\"`", |text| match text {
        "3.1.1" | "4" => Ok(Version::V4),
        "5" | "5.0" => Ok(Version::V5),
        other => Err(format!("`{other}` is no version of MQTT that is spoken here")),
    });
    let client_id = fields.text("client_id");
    let (round_trip, retained) = (fields.text("round_trip"), fields.text("retained"));
    for text in [&round_trip, &retained, &client_id, &account.user, &account.password].into_iter().flatten() {
        if text.value().len() > MAX_TEXT || text.value().contains('\0') {
            fields.error(text.span, Code::BadValue, "the text is too long or holds a NUL byte", "write a shorter one");
        }
    }
    for topic in [&round_trip, &retained].into_iter().flatten() {
        if topic.value().is_empty() || topic.value().contains(['+', '#']) {
            let message = format!("`{}` is not a topic", topic.shown());
            fields.error(topic.span, Code::BadValue, message, "name one topic, without `+` and `#`");
        }
    }
    if let (Some(_), Some(other)) = (&round_trip, &retained) {
        let message = "`round_trip` and `retained` are two checks";
        fields.error(other.span, Code::Conflict, message, "make two monitors of them");
    }
    let mut expect = ValueChecks::default();
    if let Some(mut own) = fields.nested_of("expect", "value") {
        expect = ValueChecks::read(&mut own);
        if retained.is_none() && !expect.is_empty() {
            let message = "`expect.value` judges the retained message, and `retained` names none";
            own.error(own.head(), Code::Conflict, message, "add e.g. `retained: sensors/cellar/state`");
        }
        own.finish();
    }
    for text in [&client_id, &round_trip, &retained].into_iter().flatten() {
        mask.add_text(text);
    }
    if account.user.is_none() && account.password.is_some() {
        fields.missing("user", "the protocol has no password without a name");
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let own = |text: Text| text.value().to_owned();
    let task = match (round_trip, retained) {
        (Some(topic), _) => Task::RoundTrip(own(topic)),
        (None, Some(topic)) => Task::Retained(own(topic)),
        (None, None) => Task::Ping,
    };
    let endpoint = endpoint?;
    let (shown, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    let (user, password) = (account.user.map(Text::secret), account.password.map(Text::secret));
    let (version, client_id) = (version.unwrap_or(Version::V4), client_id.map(own));
    let probe = Mqtt { endpoint, security, user, password, version, client_id, task, expect, latency, mask };
    Some(Probe::new("mqtt", shown, probe).at(&at))
}

/// What one probe learnt.
#[derive(Debug, Default)]
struct Seen {
    took: Option<Duration>,
    /// The retained message; `None` inside when there is none.
    retained: Option<Option<String>>,
    said: String,
}

impl Collector for Mqtt {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl Mqtt {
    fn connect<'a>(&'a self, client_id: &'a str) -> Out<'a> {
        let password = self.password.as_ref().map_or("", |p| p.reveal());
        Out::Connect { client_id, user: self.user.as_ref().map(|user| (user.reveal().as_str(), password)) }
    }
}

impl Talk for Mqtt {
    type Said = Seen;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        let line = Capped::new(self.security.open(&self.endpoint, cx, trace).await?, MAX_ANSWERS);
        trace.begin(phase::AUTH);
        let mut session = Session { line, version: self.version, buffer: BytesMut::new(), greeted: false };
        // Servers need take no more than 23 characters (MQTT 3.1.1, section 3.1.3.1).
        let name = format!("watchdog-{:014x}", fastrand::u64(..1 << 56));
        let client_id = self.client_id.as_deref().unwrap_or(&name);
        session.send(&self.connect(client_id)).await?;
        match session.receive().await? {
            Event::Accepted => {}
            Event::Refused(class, why) => {
                return Err(Fault::target(class, format!("the broker refuses the login: {why}")));
            }
            _ => return Err(out_of_turn()),
        }
        trace.begin(phase::QUERY);
        let asked = Instant::now();
        match &self.task {
            Task::Ping => {
                session.send(&Out::Ping).await?;
                while !matches!(session.receive().await?, Event::Pong) {}
            }
            Task::RoundTrip(topic) => {
                session.subscribe(topic).await?;
                // Made anew each time: an older message must not pass for this one.
                let body = format!("{name} {:016x}", fastrand::u64(..));
                session.send(&Out::Publish(topic, body.as_bytes())).await?;
                loop {
                    if let Event::Message { payload, .. } = session.receive().await?
                        && payload == body.as_bytes()
                    {
                        break;
                    }
                }
            }
            Task::Retained(topic) => seen.retained = Some(session.retained(topic).await?),
        }
        seen.took = Some(asked.elapsed());
        seen.said = seen.retained.clone().flatten().unwrap_or_default();
        trace.end();
        // Without it the broker notes a client that died. What becomes of it changes no judgement.
        let _ = session.send(&Out::Goodbye).await;
        Ok(())
    }

    fn judge(&self, trace: &Trace, seen: &Seen) -> Outcome {
        let mut judge = Judge::default();
        let took = Short(seen.took.unwrap_or_default());
        let summary = match (&self.task, &seen.retained) {
            (Task::Ping, _) => format!("broker answers in {took}"),
            (Task::RoundTrip(_), _) => format!("message came back in {took}"),
            (Task::Retained(topic), None | Some(None)) => {
                judge.fail("retained", format!("nothing is retained at `{}`", found(topic)));
                String::new()
            }
            (Task::Retained(_), Some(Some(text))) => format!("retained: {}", found(text)),
        };
        self.expect.judge(seen.retained.as_ref().and_then(Option::as_deref), &mut judge);
        self.latency.judge(trace.elapsed(), &mut judge);
        judge.outcome(summary)
    }

    fn checks(&self) -> Vec<&str> {
        self.expect.names().chain(self.latency.names()).collect()
    }

    fn samples(&self, _: &Trace, seen: &Seen, out: &mut Vec<Sample>) {
        let name = match self.task {
            Task::Ping => "probe_mqtt_ping_duration_seconds",
            Task::RoundTrip(_) => "probe_mqtt_round_trip_duration_seconds",
            Task::Retained(_) => "probe_mqtt_retained_duration_seconds",
        };
        let value = seen.retained.as_ref().and_then(|r| number(r.as_deref()?));
        let value = value.map(|n| Sample::new("probe_mqtt_value", n));
        out.extend(seen.took.map(|t| Sample::new(name, t.as_secs_f64())).into_iter().chain(value));
    }

    fn evidence(&self, seen: &Seen, items: &mut Items) {
        items.extend(talk::words(seen.said.as_bytes()));
    }

    fn target(&self) -> String {
        self.endpoint.peer.to_string()
    }

    fn mask(&self) -> &Mask {
        &self.mask
    }
}

fn out_of_turn() -> Fault {
    Fault::target("protocol_error", "the answer is not of MQTT's protocol, or comes out of turn")
}

/// What is sent.
enum Out<'a> {
    Connect { client_id: &'a str, user: Option<(&'a str, &'a str)> },
    Subscribe(&'a str, Retained),
    Publish(&'a str, &'a [u8]),
    Ping,
    Goodbye,
}

/// Whether a subscription asks for what is retained. MQTT 3.1.1 knows no way not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retained {
    Wanted,
    Unwanted,
}

/// What comes, as far as a probe cares.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Accepted,
    Refused(&'static str, String),
    Subscribed,
    NotSubscribed,
    Message { payload: Vec<u8>, retained: bool },
    Pong,
    Goodbye(String),
    Other,
}

/// A connection, message by message.
struct Session {
    line: Capped<Stream>,
    version: Version,
    buffer: BytesMut,
    /// Whether the broker has answered the login.
    greeted: bool,
}

impl Session {
    async fn subscribe(&mut self, topic: &str) -> Result<(), Fault> {
        self.send(&Out::Subscribe(topic, Retained::Unwanted)).await?;
        loop {
            match self.receive().await? {
                Event::Subscribed => return Ok(()),
                Event::NotSubscribed => {
                    return Err(Fault::target("auth", "the broker refuses the subscription"));
                }
                _ => {}
            }
        }
    }

    /// The message that is retained at `topic`, if any.
    async fn retained(&mut self, topic: &str) -> Result<Option<String>, Fault> {
        self.send(&Out::Subscribe(topic, Retained::Wanted)).await?;
        self.send(&Out::Ping).await?;
        // Since the broker has answered. Live messages do not put it off.
        let mut last_call: Option<Instant> = None;
        loop {
            let event = match last_call {
                None => self.receive().await?,
                Some(end) => match timeout_at(end, self.receive()).await {
                    Ok(event) if Instant::now() < end => event?,
                    _ => return Ok(None),
                },
            };
            match event {
                Event::Message { payload, retained: true } => {
                    return Ok(Some(String::from_utf8_lossy(&payload).into_owned()));
                }
                Event::NotSubscribed => return Err(Fault::target("auth", "the broker refuses the subscription")),
                Event::Pong => last_call = Some(Instant::now() + RETAINED_GRACE),
                _ => {}
            }
        }
    }

    async fn send(&mut self, out: &Out<'_>) -> Result<(), Fault> {
        let mut bytes = BytesMut::new();
        let made = match self.version {
            Version::V4 => write4(out, &mut bytes).is_ok(),
            Version::V5 => write5(out, &mut bytes).is_ok(),
        };
        if !made {
            return Err(Fault::local("local_mqtt", "the message cannot be written"));
        }
        let send = async {
            self.line.write_all(&bytes).await?;
            self.line.flush().await
        };
        send.await.map_err(|e| stream_fault("sending", &e))
    }

    async fn receive(&mut self) -> Result<Event, Fault> {
        loop {
            let event = match self.version {
                Version::V4 => read4(&mut self.buffer),
                Version::V5 => read5(&mut self.buffer),
            };
            match event {
                Ok(Event::Goodbye(why)) => {
                    return Err(Fault::target("connection_closed", format!("the broker ends the session: {why}")));
                }
                Ok(event) => {
                    self.greeted = true;
                    return Ok(event);
                }
                Err(Unread::Broken(why)) => {
                    return Err(Fault::target("protocol_error", format!("not of MQTT's protocol: {}", found(&why))));
                }
                Err(Unread::TooLong(length)) if self.greeted => {
                    let message = format!("a message of {} KiB; {} are read", length >> 10, MAX_ANSWERS >> 10);
                    return Err(Fault::target("too_much", message));
                }
                Err(Unread::TooLong(_)) => return Err(out_of_turn()),
                // Another protocol's first bytes announce a message that never ends.
                Err(Unread::More) if !self.greeted && self.buffer.first().is_some_and(|b| !FIRST.contains(b)) => {
                    return Err(out_of_turn());
                }
                Err(Unread::More) => {}
            }
            match self.line.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(Fault::target("connection_closed", "the broker closed the connection")),
                Ok(_) => {}
                Err(e) => return Err(stream_fault("reading the answer", &e)),
            }
        }
    }
}

/// Why no message could be taken from what came.
enum Unread {
    More,
    /// A message of so many bytes is announced.
    TooLong(usize),
    Broken(String),
}

fn write4(out: &Out<'_>, bytes: &mut BytesMut) -> Result<usize, mqttbytes::Error> {
    match out {
        Out::Connect { client_id, user } => {
            let mut connect = v4::Connect::new(*client_id);
            if let Some((user, password)) = user {
                connect.set_login(*user, *password);
            }
            connect.write(bytes)
        }
        Out::Subscribe(topic, _) => {
            let mut subscribe = v4::Subscribe::new(*topic, mqttbytes::QoS::AtMostOnce);
            subscribe.pkid = PACKET;
            subscribe.write(bytes)
        }
        Out::Publish(topic, body) => v4::Publish::new(*topic, mqttbytes::QoS::AtMostOnce, *body).write(bytes),
        Out::Ping => v4::PingReq.write(bytes),
        Out::Goodbye => v4::Disconnect.write(bytes),
    }
}

fn read4(buffer: &mut BytesMut) -> Result<Event, Unread> {
    let packet = v4::Packet::read(buffer, MAX_ANSWERS).map_err(|e| match e {
        mqttbytes::Error::InsufficientBytes(_) => Unread::More,
        mqttbytes::Error::PayloadSizeLimitExceeded(length) => Unread::TooLong(length),
        other => Unread::Broken(other.to_string()),
    })?;
    Ok(match packet {
        v4::Packet::ConnAck(ack) => match ack.code {
            v4::ConnectReturnCode::Success => Event::Accepted,
            v4::ConnectReturnCode::BadUserNamePassword => Event::Refused("auth", "wrong name or password".to_owned()),
            v4::ConnectReturnCode::NotAuthorized => Event::Refused("auth", "not authorised".to_owned()),
            v4::ConnectReturnCode::BadClientId => Event::Refused("client_id", "it does not take the client id".into()),
            v4::ConnectReturnCode::ServiceUnavailable => Event::Refused("not_ready", "not available".to_owned()),
            v4::ConnectReturnCode::RefusedProtocolVersion => {
                Event::Refused("version", "it does not speak MQTT 3.1.1".to_owned())
            }
        },
        v4::Packet::SubAck(ack) => match ack.return_codes.first() {
            Some(v4::SubscribeReasonCode::Success(_)) => Event::Subscribed,
            Some(v4::SubscribeReasonCode::Failure) | None => Event::NotSubscribed,
        },
        v4::Packet::Publish(p) => Event::Message { payload: p.payload.to_vec(), retained: p.retain },
        v4::Packet::PingResp => Event::Pong,
        v4::Packet::Disconnect => Event::Goodbye("it says no more".to_owned()),
        _ => Event::Other,
    })
}

fn write5(out: &Out<'_>, bytes: &mut BytesMut) -> Result<usize, mqttbytes5::Error> {
    let packet = match out {
        Out::Connect { client_id, user } => {
            let login = user.map(|(user, password)| v5::Login::new(user, password));
            let connect =
                v5::Connect { keep_alive: 10, client_id: (*client_id).to_owned(), clean_start: true, properties: None };
            v5::Packet::Connect(connect, None, login)
        }
        Out::Subscribe(topic, retained) => {
            let mut filter = v5::Filter::new(*topic, mqttbytes5::QoS::AtMostOnce);
            if *retained == Retained::Unwanted {
                filter.retain_forward_rule = v5::RetainForwardRule::Never;
            }
            let mut subscribe = v5::Subscribe::new(filter, None);
            subscribe.pkid = PACKET;
            v5::Packet::Subscribe(subscribe)
        }
        Out::Publish(topic, body) => {
            v5::Packet::Publish(v5::Publish::new(*topic, mqttbytes5::QoS::AtMostOnce, body.to_vec(), None))
        }
        Out::Ping => v5::Packet::PingReq(v5::PingReq),
        Out::Goodbye => v5::Packet::Disconnect(v5::Disconnect::new(v5::DisconnectReasonCode::NormalDisconnection)),
    };
    packet.write(bytes, None)
}

fn read5(buffer: &mut BytesMut) -> Result<Event, Unread> {
    let limit = u32::try_from(MAX_ANSWERS).ok();
    let packet = v5::Packet::read(buffer, limit).map_err(|e| match e {
        mqttbytes5::Error::InsufficientBytes(_) => Unread::More,
        mqttbytes5::Error::PayloadSizeLimitExceeded { pkt_size, .. } => Unread::TooLong(pkt_size),
        other => Unread::Broken(other.to_string()),
    })?;
    Ok(match packet {
        v5::Packet::ConnAck(ack) => {
            let said = ack.properties.and_then(|p| p.reason_string).map_or_else(String::new, |s| format!(" ({s})"));
            let class = match ack.code {
                v5::ConnectReturnCode::Success => return Ok(Event::Accepted),
                v5::ConnectReturnCode::BadUserNamePassword
                | v5::ConnectReturnCode::NotAuthorized
                | v5::ConnectReturnCode::Banned
                | v5::ConnectReturnCode::BadAuthenticationMethod => "auth",
                v5::ConnectReturnCode::ClientIdentifierNotValid => "client_id",
                v5::ConnectReturnCode::UnsupportedProtocolVersion => "version",
                v5::ConnectReturnCode::ServerBusy | v5::ConnectReturnCode::ServerUnavailable => "not_ready",
                _ => "refused",
            };
            Event::Refused(class, format!("{:?}{}", ack.code, found(&said)))
        }
        v5::Packet::SubAck(ack) => match ack.return_codes.first() {
            Some(v5::SubscribeReasonCode::Success(_)) => Event::Subscribed,
            _ => Event::NotSubscribed,
        },
        v5::Packet::Publish(p) => Event::Message { payload: p.payload.to_vec(), retained: p.retain },
        v5::Packet::PingResp(_) => Event::Pong,
        v5::Packet::Disconnect(d) => Event::Goodbye(format!("{:?}", d.reason_code)),
        _ => Event::Other,
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{build, outcome, problems};
    use crate::collect::talk::testing::{Then, peer};

    async fn broker(says: &'static [u8]) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                let mut told = [0; 1024];
                let _ = s.read(&mut told).await;
                let _ = s.write_all(says).await;
                if !says.is_empty() {
                    let _ = s.read(&mut told).await;
                }
            }
        });
        (at, tasks)
    }

    #[tokio::test]
    async fn answers_have_their_class() {
        for (says, version, class) in [
            (&b""[..], "3.1.1", "connection_closed"),
            (b"HTTP/1.1 400\r\n\r\n", "3.1.1", "protocol_error"),
            (b"\x20\xff\xff\xff\xff", "3.1.1", "protocol_error"),
            (b"\x20\xff\xff\x7f", "3.1.1", "protocol_error"),
            (b"\x20\x02\0\x05", "3.1.1", "auth"),
            (b"\x20\x02\0\x01", "3.1.1", "version"),
            (b"\xd0\0", "3.1.1", "protocol_error"),
            (b"\x20\x02\0\0", "3.1.1", "connection_closed"),
            (b"\x20\x03\0\x86\0", "5", "auth"),
            (b"\x20\x03\0\x89\0", "5", "not_ready"),
            (b"\x20\x03\0\0\x7f", "5", "protocol_error"),
            (b"\xe0\x02\x8b\0", "5", "connection_closed"),
        ] {
            let (at, _tasks) = broker(says).await;
            let got = outcome("mqtt", &format!("{{host: \"{at}\", version: \"{version}\"}}")).await;
            assert_eq!(got.verdict, Verdict::Down, "{says:?}");
            let reason = got.reason.unwrap();
            let closed = class == "connection_closed" && reason.class == "connection_reset";
            assert!(reason.class == class || closed, "{says:?}: {reason:?}");
        }
    }

    #[tokio::test]
    async fn a_broker_that_floods_is_cut_off() {
        const ACCEPTED: &[u8] = b"\x20\x02\0\0";
        const LIVE: &[u8] = b"\x30\x04\0\x01ax";
        for (says, more) in [
            (vec![&b""[..], ACCEPTED, LIVE], ""),
            (vec![b"", ACCEPTED, LIVE], ", retained: a"),
            (vec![b"", ACCEPTED, LIVE], ", round_trip: a"),
        ] {
            let (at, _tasks) = peer(says.into_iter().map(<[u8]>::to_vec).collect(), Then::Flood).await;
            let got = outcome("mqtt", &format!("{{host: \"{at}\"{more}}}")).await;
            assert_eq!((got.verdict, &*got.reason.as_ref().unwrap().class), (Verdict::Down, "too_much"), "{got:?}");
        }
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_no_other_protocol() {
        // 3 MiB are announced.
        const LONG: &[u8] = b"\x31\x80\x80\xc0\x01\0\x01a";
        let accepted = [("3.1.1", &b"\x20\x02\0\0"[..]), ("5", b"\x20\x03\0\0\0")];
        for (version, accepted) in accepted {
            let says = vec![Vec::new(), accepted.to_vec(), LONG.to_vec()];
            let (at, _tasks) = peer(says, Then::Close).await;
            let got = outcome("mqtt", &format!("{{host: \"{at}\", version: \"{version}\", retained: a}}")).await;
            let reason = got.reason.unwrap();
            assert_eq!((&*reason.class, reason.message.contains("3072 KiB")), ("too_much", true), "{reason:?}");
        }
    }

    /// Takes the login, the subscription and the question for a sign of life, then sends live messages without end.
    #[tokio::test]
    async fn a_busy_topic_with_nothing_retained_is_told_as_such() {
        const LIVE: &[u8] = b"\x30\x04\0\x01ax";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (mut s, _) = listener.accept().await.unwrap();
            let mut told = [0; 1024];
            let _ = s.read(&mut told).await;
            let _ = s.write_all(b"\x20\x02\0\0\x90\x03\0\x01\0\xd0\0").await;
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            while s.write_all(LIVE).await.is_ok() {
                ticks.tick().await;
            }
        });
        let got = outcome("mqtt", &format!("{{host: \"{at}\", retained: a}}")).await;
        assert_eq!(got.reason.unwrap().class, "retained");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_broker_says_breaks_the_reader(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            for kind in [0x20, 0x30, 0x32, 0x90, 0xe0] {
                let mut one = vec![kind, u8::try_from(bytes.len()).unwrap()];
                one.extend(&bytes);
                let _ = read4(&mut BytesMut::from(&one[..]));
                let _ = read5(&mut BytesMut::from(&one[..]));
            }
        }
    }

    #[test]
    fn the_usual_port_is_that_of_what_is_spoken() {
        for (tls, port) in
            [("false", 1883), ("False", 1883), ("FALSE", 1883), ("true", 8883), ("{verify: false}", 8883)]
        {
            let (probe, problems) = build("mqtt", &format!("{{host: broker, tls: {tls}}}"));
            assert!(problems.is_empty(), "{problems:?}");
            let shown = format!("{:?}", probe.unwrap().collector);
            assert!(shown.contains(&format!("port: {port}")), "{tls}: {shown}");
        }
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("mqtt", "{host: b, round_trip: a/#}")[0].contains("is not a topic"));
        assert!(problems("mqtt", "{host: b, round_trip: a, retained: b}")[0].contains("two checks"));
        assert!(problems("mqtt", "{host: b, expect: {value: 1}}")[0].contains("judges the retained message"));
        assert!(problems("mqtt", "{host: b, password: x}")[0].contains("`user` is missing"));
        assert!(problems("mqtt", "{host: b, version: 3}")[0].contains("no version"));
    }
}
