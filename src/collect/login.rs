//! What checks of servers that one logs in to share: whom to connect to and as whom, a connection that
//! takes only so much of its peer, and how a probe ends.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::base::outcome::{Evidence, Outcome, Sample, Verdict};
use crate::base::probe::ProbeCx;
use crate::base::secret::Secret;
use crate::collect::dial::{self, Bounded, Peer, PeerError, Route};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency, unjudged};
use crate::collect::kind::{Flag, Form};
use crate::collect::mask::Mask;
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::Trace;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Bytes of one connection that are read, all answers together.
pub const MAX_READ: usize = 1 << 20;
/// Bytes of what the peer said that are kept as evidence.
const MAX_EVIDENCE: usize = 4 * 1024;

/// `user` and `password`.
pub const USER: &[Flag] = &[
    Flag::new("user", "user", Form::One("USER"), "Name to log in with."),
    Flag::new("password", "password", Form::One("PASSWORD"), "Password; `${env:NAME}` keeps it out of the history."),
];

/// A server, and as whom to log in there.
#[derive(Debug)]
pub struct Login {
    /// Whom to connect to.
    pub peer: Peer,
    /// By which way.
    pub route: Route,
    /// The server as it was written, without what references resolved to.
    pub shown: String,
    /// The name to log in with.
    pub user: Option<Secret<String>>,
    /// Its password.
    pub password: Option<Secret<String>>,
    /// How TLS is spoken, if at all.
    pub tls: Option<TlsSpec>,
    /// What the whole probe may take.
    pub latency: Latency,
    /// What must not be shown.
    pub mask: Mask,
}

impl Login {
    /// Reads `host`, `port`, `user`, `password`, `tls`, `latency` and the options of a [`Route`]. Without a port, the
    /// usual one is meant, which TLS may have of its own.
    pub fn read(fields: &mut Fields<'_>, usual: u16, usual_tls: u16) -> Option<Self> {
        let mut mask = Mask::default();
        let host = fields.need_text("host", "write e.g. `host: db.example.com`");
        let port = fields.integer("port", 1..=65_535).and_then(|p| u16::try_from(p).ok());
        let user = fields.text("user");
        if let Some(user) = &user {
            mask.add_text(user);
        }
        let password = fields.text("password");
        if let Some(password) = &password {
            mask.add(password.value());
        }
        let latency = Latency::read(fields);
        let tls = TlsSpec::read_on_demand(fields, alpn::NONE);
        let route = Route::read(fields);
        let host = host?;
        mask.add_text(&host);
        let usual = if tls.is_some() { usual_tls } else { usual };
        let peer = peer(fields, &host, port, usual)?;
        let shown = match port {
            Some(port) => format!("{}:{port}", host.shown()),
            None => host.shown().to_owned(),
        };
        let (user, password) = (user.map(Text::secret), password.map(Text::secret));
        Some(Self { peer, route, shown, user, password, tls, latency, mask })
    }

    /// The name, or nothing.
    pub fn user(&self) -> &str {
        self.user.as_ref().map_or("", |u| u.reveal())
    }

    /// The password, or nothing.
    pub fn password(&self) -> &str {
        self.password.as_ref().map_or("", |p| p.reveal())
    }

    /// Connects, and speaks TLS from the first byte where TLS is wanted.
    ///
    /// # Errors
    /// There is no connection, or its TLS is not to be trusted.
    pub async fn open(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Line, Fault> {
        let stream = self.dial(cx, trace).await?;
        self.secure(stream, cx, trace).await
    }

    /// Connects, and speaks nothing yet.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn dial(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Bounded, Fault> {
        dial::open_by(&self.peer, &self.route, cx, trace).await
    }

    /// The same on a connection that is there already.
    ///
    /// # Errors
    /// The connection's TLS is not to be trusted.
    pub async fn secure(&self, stream: Bounded, cx: &ProbeCx, trace: &mut Trace) -> Result<Line, Fault> {
        match &self.tls {
            None => Ok(Line::plain(stream)),
            Some(tls) => Ok(Line::tls(tls.handshake(stream, &self.peer, cx.now, trace).await?)),
        }
    }

    /// The end of a probe: `ended` is what it judged, with a summary, or why it could not. `names` are the
    /// checks that then stay open; `said` is what the peer said, for evidence.
    pub fn conclude(
        &self,
        show: bool,
        mut trace: Trace,
        ended: Result<(Judge, String), Fault>,
        names: Vec<&str>,
        samples: Vec<Sample>,
        said: &str,
    ) -> Outcome {
        let mut outcome = match ended {
            Ok((mut judge, summary)) => {
                self.latency.judge(trace.elapsed(), &mut judge);
                judge.outcome(summary)
            }
            Err(fault) => {
                trace.fail();
                let mut outcome = fault.outcome();
                outcome.checks = unjudged(names.into_iter().chain(self.latency.names()));
                outcome
            }
        };
        trace.network_samples(&mut outcome.samples);
        outcome.samples.extend(samples);
        if outcome.verdict != Verdict::Up || show {
            outcome.evidence = Some(self.evidence(&trace, said));
        }
        outcome.phases = trace.take_phases();
        self.mask.hide_in(&mut outcome);
        outcome
    }

    fn evidence(&self, trace: &Trace, said: &str) -> Evidence {
        let mut items = vec![("target".into(), self.peer.to_string())];
        if !trace.tried.is_empty() {
            let list: Vec<String> = trace.tried.iter().map(ToString::to_string).collect();
            items.push(("addresses tried".into(), list.join(", ")));
        }
        if let Some(cert) = &trace.cert {
            items.push(("certificate".into(), cert.describe()));
        }
        if !said.is_empty() {
            items.push(("the peer said".into(), said[..said.floor_char_boundary(MAX_EVIDENCE)].to_owned()));
        }
        Evidence { items }
    }
}

/// `host` with or without a port, and `port`.
pub fn peer(fields: &Fields<'_>, host: &Text, port: Option<u16>, default: u16) -> Option<Peer> {
    let peer = match (Peer::parse(host.value()), port) {
        (Ok(_), Some(_)) => {
            let message = format!("`{}` already has a port, and `port` is another", host.shown());
            fields.error(host.span, Code::Conflict, message, "write the port in one place");
            return None;
        }
        (Err(PeerError::NoPort(_)), port) => Peer::new(host.value(), port.unwrap_or(default)),
        (parsed, _) => parsed,
    };
    let hint = "write a name or an address, with `:port` unless it is the usual one";
    peer.inspect_err(|e| fields.error(host.span, Code::BadValue, format!("`host`: {e}"), hint)).ok()
}

/// A connection that reads at most [`MAX_READ`] bytes: clients of databases buffer whatever length their
/// peer announces.
#[derive(Debug)]
pub struct Line {
    stream: Stream,
    left: usize,
    /// Why reading failed, for clients that hide it.
    failed: Option<io::Error>,
}

#[derive(Debug)]
enum Stream {
    Plain(Bounded),
    Tls(Box<TlsStream<Bounded>>),
}

impl Line {
    /// Without TLS.
    pub fn plain(stream: Bounded) -> Self {
        Self { stream: Stream::Plain(stream), left: MAX_READ, failed: None }
    }

    /// With TLS.
    pub fn tls(stream: TlsStream<Bounded>) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), left: MAX_READ, failed: None }
    }

    /// The fault of a read that failed.
    pub fn fault(&self, doing: &str) -> Option<Fault> {
        self.failed.as_ref().map(|e| io_fault(doing, e))
    }

    /// Whether nobody on the way can listen.
    pub fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            self.failed = Some(io::ErrorKind::FileTooLarge.into());
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let before = buf.filled().len();
        let done = match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Tls(s) => Pin::new(&mut **s).poll_read(cx, buf),
        };
        self.left = self.left.saturating_sub(buf.filled().len() - before);
        if let Poll::Ready(Err(e)) = &done {
            self.failed = Some(e.raw_os_error().map_or_else(|| e.kind().into(), io::Error::from_raw_os_error));
        }
        done
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Tls(s) => Pin::new(&mut **s).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_flush(cx),
            Stream::Tls(s) => Pin::new(&mut **s).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Tls(s) => Pin::new(&mut **s).poll_shutdown(cx),
        }
    }
}

/// Sorts an error of a [`Line`], also one that a client crate has wrapped; `None` when the connection is not
/// what failed.
pub fn line_fault(doing: &str, err: &(dyn Error + 'static)) -> Option<Fault> {
    let mut at = Some(err);
    while let Some(err) = at {
        if let Some(io) = err.downcast_ref::<io::Error>() {
            return Some(io_fault(doing, io));
        }
        at = err.source();
    }
    None
}

/// Sorts an error of a [`Line`].
pub fn io_fault(doing: &str, err: &io::Error) -> Fault {
    match err.kind() {
        io::ErrorKind::FileTooLarge => {
            Fault::target("too_large", format!("{doing}: the peer sent more than {} KiB", MAX_READ / 1024))
        }
        io::ErrorKind::UnexpectedEof => {
            Fault::target("connection_closed", format!("{doing}: the peer closed the connection"))
        }
        // What decoders say of bytes that make no message.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            Fault::target("protocol_error", format!("{doing}: {err}"))
        }
        _ => Fault::io(doing, err),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::collect::kinds::testing::{context, problems};

    #[tokio::test]
    async fn a_peer_that_floods_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::parse(&listener.local_addr().unwrap().to_string()).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let (mut s, _) = listener.accept().await.unwrap();
            while s.write_all(&[b'x'; 65_536]).await.is_ok() {}
        });
        let cx = context(std::time::Duration::from_secs(5));
        let stream = dial::open(&peer, &cx, &mut Trace::start()).await.unwrap();
        let mut all = Vec::new();
        let err = Line::plain(stream).read_to_end(&mut all).await.unwrap_err();
        assert_eq!(io_fault("reading", &err).class(), "too_large");
        assert!(all.len() < MAX_READ + 65_536, "{}", all.len());
    }

    #[test]
    fn the_usual_port_need_not_be_written() {
        for host in ["db", "db:1", "192.0.2.1", "::1", "\"[::1]\"", "\"[::1]:7\""] {
            assert_eq!(problems("redis", &format!("{{host: '{}'}}", host.trim_matches('"'))), [""; 0], "{host}");
        }
        assert!(problems("redis", "{host: 'db:1', port: 2}")[0].contains("already has a port"));
        assert!(problems("redis", "{host: 'a b'}")[0].contains("not a host name"));
    }
}
