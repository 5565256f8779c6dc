//! One question to one server, and an answer that is to be believed.
//!
//! Over UDP an answer counts when it comes from the address that was asked (the socket is connected), bears
//! the question's number, which is random, and repeats the question. All else is left unread, be it a guess of
//! somebody who wants to be believed or an answer that is late.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::Name;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::base::probe::ProbeCx;
use crate::collect::dial::{self, Route};
use crate::collect::dns::server::{MAX_MESSAGE, Server, Transport};
use crate::collect::fault::Fault;
use crate::collect::http::exchange;
use crate::collect::trace::Trace;
use crate::collect::udp;

/// From the question to the answer, in blackbox_exporter's word.
pub const REQUEST: &str = "request";
/// Bytes of an answer over UDP that we take (the recommendation of DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Name, type and class.
    pub query: Query,
    /// The server is to ask others.
    pub recursion_desired: bool,
    /// The server is to check signatures and to send them.
    pub dnssec: bool,
}

/// An answer and how it came.
#[derive(Debug, Default)]
pub struct Answered {
    /// The message.
    pub message: Option<Message>,
    /// It was cut over UDP and asked for again over TCP.
    pub was_cut: bool,
    /// Datagrams that were not believed.
    pub ignored: u32,
}

impl Question {
    fn message(&self, id: u16, payload: u16) -> Message {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = self.recursion_desired;
        message.metadata.authentic_data = self.dnssec;
        message.add_query(self.query.clone());
        let mut edns = Edns::new();
        edns.set_max_payload(payload).set_dnssec_ok(self.dnssec);
        message.set_edns(edns);
        message
    }

    fn bytes(&self, id: u16, payload: u16) -> Result<Vec<u8>, Fault> {
        self.message(id, payload)
            .to_vec()
            .map_err(|e| Fault::local("local_question", format!("the question cannot be written: {e}")))
    }

    /// Whether `bytes` begin as an answer to this question does.
    fn is_answered_by(&self, id: u16, bytes: &[u8]) -> bool {
        matches!(bytes, [a, b, flags, ..] if u16::from_be_bytes([*a, *b]) == id && flags & 0x80 != 0)
    }

    fn read(&self, id: u16, bytes: &[u8]) -> Result<Message, Fault> {
        let not = |why: &str| Fault::target("protocol_error", format!("the answer is not one: {why}"));
        if !self.is_answered_by(id, bytes) {
            return Err(not("it does not bear the question's number"));
        }
        let message = Message::from_vec(bytes).map_err(|e| not(&e.to_string()))?;
        match self.is_asked_in(&message) {
            true => Ok(message),
            false => Err(not("it answers another question")),
        }
    }

    /// What a datagram says; `None` when it does not answer this question.
    fn read_datagram(&self, id: u16, bytes: &[u8]) -> Option<Result<Message, Fault>> {
        if !self.is_answered_by(id, bytes) {
            return None;
        }
        let message = Message::from_vec(bytes)
            .map_err(|e| Fault::target("protocol_error", format!("the answer is not one: {e}")));
        match message {
            Ok(message) if !self.is_asked_in(&message) => None,
            read => Some(read),
        }
    }

    /// Whether a message repeats this question.
    fn is_asked_in(&self, message: &Message) -> bool {
        match message.queries.as_slice() {
            [query] => self.repeats(query),
            // Servers that do not understand a question may leave it out.
            [] => message.answers.is_empty(),
            _ => false,
        }
    }

    fn repeats(&self, query: &Query) -> bool {
        query.query_type() == self.query.query_type()
            && query.query_class() == self.query.query_class()
            && same_name(query.name(), self.query.name())
    }
}

/// Whether two names are one, whatever case they are written in and whether they end in the root's dot.
fn same_name(a: &Name, b: &Name) -> bool {
    a.iter().count() == b.iter().count() && a.iter().zip(b.iter()).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// Asks one server.
///
/// # Errors
/// The server is not reached, or what it says is not DNS.
pub async fn ask(
    server: &Server,
    question: &Question,
    route: &Route,
    cx: &ProbeCx,
    trace: &mut Trace,
    answered: &mut Answered,
) -> Result<(), Fault> {
    let id = fastrand::u16(..);
    let message = match &server.transport {
        Transport::Udp => {
            let message = over_udp(server, question, id, route, cx, trace, &mut answered.ignored).await?;
            if message.metadata.truncation {
                answered.was_cut = true;
                let stream = dial::open_by(&server.peer, route, cx, trace).await?;
                over_stream(stream, question, id, trace).await?
            } else {
                message
            }
        }
        Transport::Tcp => {
            let stream = dial::open_by(&server.peer, route, cx, trace).await?;
            over_stream(stream, question, id, trace).await?
        }
        Transport::Tls(tls) => {
            let stream = dial::open_by(&server.peer, route, cx, trace).await?;
            let stream = tls.handshake(stream, &server.peer, cx.now, trace).await?;
            over_stream(stream, question, id, trace).await?
        }
        Transport::Https(hop, client) => {
            let mut hop = hop.clone();
            // The number has no use here; zero lets caches recognize the question (RFC 8484, section 4.1).
            hop.set_body(question.bytes(0, UDP_PAYLOAD)?.into(), false);
            let mut slot = None;
            exchange::ask(client, &hop, cx, trace, &mut slot).await?;
            let Some(answer) = slot else {
                return Err(Fault::target("protocol_error", "no answer over HTTP"));
            };
            if answer.status != http::StatusCode::OK {
                return Err(Fault::target("status", format!("the server says {}", answer.status_text())));
            }
            question.read(0, &answer.body)?
        }
    };
    trace.end();
    answered.message = Some(message);
    Ok(())
}

async fn over_udp(
    server: &Server,
    question: &Question,
    id: u16,
    route: &Route,
    cx: &ProbeCx,
    trace: &mut Trace,
    ignored: &mut u32,
) -> Result<Message, Fault> {
    let addresses = dial::addresses(&server.peer, route, cx, trace).await?;
    let socket = udp::open(&addresses, trace).await?;
    trace.begin(REQUEST);
    let bytes = question.bytes(id, UDP_PAYLOAD)?;
    let mut buffer = vec![0; MAX_MESSAGE];
    let mut asking = udp::Asking::new(&socket, "asking the server", trace);
    loop {
        asking.send(&bytes).await?;
        while let Some(n) = asking.hear(&mut buffer).await? {
            if let Some(read) = question.read_datagram(id, &buffer[..n]) {
                return read;
            }
            *ignored = ignored.saturating_add(1);
            if cx.remaining().is_zero() {
                return Err(Fault::timeout("no answer"));
            }
        }
    }
}

/// Each message has its length before it (RFC 1035, section 4.2.2).
async fn over_stream<S>(mut stream: S, question: &Question, id: u16, trace: &mut Trace) -> Result<Message, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    trace.begin(REQUEST);
    let bytes = question.bytes(id, UDP_PAYLOAD)?;
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let whole = [&length.to_be_bytes()[..], &bytes].concat();
    let exchange = async {
        stream.write_all(&whole).await?;
        stream.flush().await?;
        let length = usize::from(stream.read_u16().await?);
        let mut answer = Vec::new();
        // Room is made as bytes come, not as a peer promises.
        (&mut stream).take(length as u64).read_to_end(&mut answer).await?;
        match answer.len() == length {
            true => Ok(answer),
            false => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    };
    let answer = exchange.await.map_err(|e: std::io::Error| Fault::io("waiting for the answer", &e))?;
    question.read(id, &answer)
}
