//! Whom a kind talks to: `host: name:port`, or `host` and `port`.

use std::net::{IpAddr, SocketAddr};

use crate::base::probe::ProbeCx;
use crate::collect::dial::{self, Bounded, Peer, PeerError, Route};
use crate::collect::fault::Fault;
use crate::collect::mask::Mask;
use crate::collect::trace::Trace;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// A machine of the network and a port.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The same, resolved references included.
    pub peer: Peer,
    /// As written.
    pub shown: String,
    /// The way there.
    pub route: Route,
}

impl Endpoint {
    /// Reads `host` and `port`. Without either port, `usual` is meant, where a protocol has one.
    pub fn read(fields: &mut Fields<'_>, mask: &mut Mask, usual: Option<u16>) -> Option<Self> {
        let host = fields.need_text("host", "write e.g. `host: db.example.com:5432`");
        let port = fields.integer("port", 1..=65_535).and_then(|p| u16::try_from(p).ok());
        let route = Route::read(fields);
        let host = host?;
        mask.add_text(&host);
        let peer = read_peer(fields, &host, port, usual)?;
        let shown = match port {
            Some(port) => format!("{}:{port}", host.shown()),
            None if host.is_reference() => host.shown().to_owned(),
            None => peer.to_string(),
        };
        Some(Self { peer, shown, route })
    }

    /// Whether it is on this machine, so that nobody on the way can listen.
    pub fn is_loopback(&self) -> bool {
        let host = self.peer.host();
        match self.route.pinned(self.peer.port()) {
            Some(address) => address.ip().is_loopback(),
            // RFC 6761, section 6.3.
            None if host.eq_ignore_ascii_case("localhost") => true,
            None => host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback()),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// Those of [`dial::open_by`].
    pub async fn open(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Bounded, Fault> {
        dial::open_by(&self.peer, &self.route, cx, trace).await
    }

    /// Resolves alone.
    ///
    /// # Errors
    /// Those of [`dial::addresses`].
    pub async fn addresses(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Vec<SocketAddr>, Fault> {
        dial::addresses(&self.peer, &self.route, cx, trace).await
    }
}

fn read_peer(fields: &Fields<'_>, host: &Text, port: Option<u16>, usual: Option<u16>) -> Option<Peer> {
    let both = Peer::parse(host.value());
    let peer = match (port, both) {
        (None, Err(PeerError::NoPort(_))) if usual.is_some() => Peer::new(host.value(), usual.unwrap_or(0)),
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
