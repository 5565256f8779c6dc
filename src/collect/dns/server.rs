//! DNS servers as they are written: `192.0.2.53`, `ns.example.com:5353`, `tcp://…`, `tls://…`, `https://…`.

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};

use crate::collect::dial::{Peer, PeerError, Route};
use crate::collect::http::exchange::{Client, Spoken, Ways};
use crate::collect::http::hop::{Hop, UrlError};
use crate::collect::http::proxies::Proxies;
use crate::collect::tls::TlsSpec;

/// The media type of DNS messages (RFC 8484).
const MEDIA: HeaderValue = HeaderValue::from_static("application/dns-message");
/// Bytes of a message.
pub const MAX_MESSAGE: usize = 65_535;

/// One server and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Server {
    /// As written, for people and the label `server`.
    pub shown: String,
    /// Where it is.
    pub peer: Peer,
    /// What it is asked over.
    pub transport: Transport,
}

/// What DNS messages travel in.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Datagrams; TCP for an answer that is cut.
    Udp,
    /// TCP.
    Tcp,
    /// TLS (RFC 7858).
    Tls(TlsSpec),
    /// HTTP (RFC 8484).
    Https(Box<Hop>, Box<Client>),
}

/// Why a server is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Not a host.
    #[error("{0}")]
    Peer(#[from] PeerError),
    /// Not an address of a page.
    #[error("the address {0}")]
    Url(#[from] UrlError),
    /// No such transport.
    #[error("`{0}://` is no transport of DNS")]
    Scheme(String),
}

impl Server {
    /// From its text; `tls` is for those that speak it, `route` for those asked over HTTP.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub fn parse(text: &str, shown: &str, tls: &TlsSpec, https: &TlsSpec, route: &Route) -> Result<Self, ServerError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("udp", text));
        let (peer, transport) = match scheme {
            "udp" => (peer(rest, 53)?, Transport::Udp),
            "tcp" => (peer(rest, 53)?, Transport::Tcp),
            "tls" => (peer(rest, 853)?, Transport::Tls(tls.clone())),
            "https" => {
                let mut hop = Hop::new(text, Method::POST, Bytes::new())?;
                hop.set_header(CONTENT_TYPE, MEDIA, false);
                hop.set_header(ACCEPT, MEDIA, false);
                let peer = hop.peer.clone();
                let ways = Ways::new(route.clone());
                let (tls, spoken, proxies) = (https.clone(), Spoken::Any, Proxies::default());
                let client = Client { tls, spoken, proxies, max_body: MAX_MESSAGE, ways };
                (peer, Transport::Https(Box::new(hop), Box::new(client)))
            }
            other => return Err(ServerError::Scheme(other.to_owned())),
        };
        Ok(Self { shown: shown.to_owned(), peer, transport })
    }
}

fn peer(text: &str, port: u16) -> Result<Peer, PeerError> {
    match Peer::parse(text) {
        Err(PeerError::NoPort(_)) => Peer::new(text, port),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tls::alpn;

    #[test]
    fn a_server_is_an_address_or_says_how_it_is_asked() {
        #[track_caller]
        fn check(text: &str, want: &str) {
            let tls = TlsSpec::system(alpn::NONE);
            let got = match Server::parse(text, text, &tls, &tls, &Route::default()) {
                Ok(server) => {
                    let how = match server.transport {
                        Transport::Udp => "udp",
                        Transport::Tcp => "tcp",
                        Transport::Tls(_) => "tls",
                        Transport::Https(..) => "https",
                    };
                    format!("{how} {}", server.peer)
                }
                Err(e) => e.to_string(),
            };
            assert_eq!(got, want, "{text}");
        }
        check("192.0.2.53", "udp 192.0.2.53:53");
        check("ns.example.com:5353", "udp ns.example.com:5353");
        check("2001:db8::53", "udp [2001:db8::53]:53");
        check("[2001:db8::53]:5353", "udp [2001:db8::53]:5353");
        check("tcp://192.0.2.53", "tcp 192.0.2.53:53");
        check("tls://dns.example.com", "tls dns.example.com:853");
        check("https://dns.example.com/dns-query", "https dns.example.com:443");
        check("quic://192.0.2.53", "`quic://` is no transport of DNS");
        check("192.0.2.53:0", "`0` is not a port from 1 to 65535");
    }
}
