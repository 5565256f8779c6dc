//! TLS as a probe needs it: the handshake always, the judgement of the certificate after it.
//!
//! The handshake accepts any certificate (its signatures are checked), and the chain is verified
//! before a byte of ours is sent. A rejected certificate can therefore be shown with its dates and
//! names; with the usual order a failed handshake leaves nothing to look at. Sessions are never
//! resumed: a probe measures a full handshake.
//!
//! [`look`] keeps what the peer showed, [`trust`] judges it, [`identity`] is what we show, [`fresh`] reads the
//! files of both, [`refusal`] names what went wrong.

pub mod fresh;
pub mod identity;
pub mod kind;
pub mod look;
pub mod ocsp;
pub mod refusal;
pub mod trust;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::base::time::Timestamp;
use crate::collect::cert::{CertFacts, Handshake};
use crate::collect::dial::Peer;
use crate::collect::fault::Fault;
use crate::collect::tls::fresh::Shared;
use crate::collect::tls::identity::{Files, Identity};
use crate::collect::tls::look::Look;
use crate::collect::tls::refusal::handshake_fault;
use crate::collect::tls::trust::{Anchors, Roots};
use crate::collect::trace::{Trace, phase};
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::Value;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// What all monitors with the same offer share: the part of a configuration that the handshake sees.
static CLIENTS: Shared<Offer, ClientConfig> = Shared::empty();

/// Protocols offered by ALPN, the preferred first.
pub type Alpn = &'static [&'static [u8]];

/// What is spoken inside, as ALPN names it.
pub mod alpn {
    use super::Alpn;

    /// Nothing is offered.
    pub const NONE: Alpn = &[];
    /// HTTP/1.1 alone.
    pub const HTTP1: Alpn = &[b"http/1.1"];
    /// HTTP/2 alone.
    pub const HTTP2: Alpn = &[b"h2"];
    /// HTTP/2, else HTTP/1.1.
    pub const HTTP2_OR_1: Alpn = &[b"h2", b"http/1.1"];
}

/// What the first message of a handshake says of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Offer {
    alpn: Alpn,
    min: Version,
    max: Version,
}

/// A version that can be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Version {
    /// Reads `1.2` or `1.3`, with or without `TLS` before it.
    ///
    /// # Errors
    /// A sentence for the person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bare = text.trim_start_matches(['T', 'L', 'S', 't', 'l', 's', 'v', ' ']);
        match bare {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            "1" | "1.0" | "1.1" => Err(format!("TLS {bare} is broken and not spoken")),
            _ => Err(format!("`{text}` is not a version of TLS")),
        }
    }
}

fn client(offer: &Offer) -> Result<ClientConfig, rustls::Error> {
    let versions: &[_] = match (offer.min, offer.max) {
        (Version::Tls12, Version::Tls12) => &[&TLS12],
        (Version::Tls13, _) => &[&TLS13],
        (Version::Tls12, Version::Tls13) => &[&TLS13, &TLS12],
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Look::default()))
        .with_no_client_auth();
    config.alpn_protocols = offer.alpn.iter().map(|p| p.to_vec()).collect();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// How TLS is spoken with one target.
#[derive(Clone, Debug)]
pub struct TlsSpec {
    config: Result<Arc<ClientConfig>, rustls::Error>,
    /// `None` when verification is switched off.
    anchors: Option<Arc<Anchors>>,
    identity: Option<Shows>,
    server_name: Option<ServerName<'static>>,
}

/// What we show a peer that asks.
#[derive(Clone, Debug)]
enum Shows {
    /// What is in files.
    Files(Arc<Identity>),
    /// This.
    Given(Arc<CertifiedKey>),
}

impl TlsSpec {
    /// Verifies against the system's trust anchors.
    pub fn system(alpn: Alpn) -> Self {
        Self {
            config: shared_client(Offer { alpn, min: Version::Tls12, max: Version::Tls13 }),
            anchors: Some(trust::shared(&Roots::System)),
            identity: None,
            server_name: None,
        }
    }

    /// The name that a peer on `host` is known by.
    pub fn name_of<'h>(&'h self, host: &'h str) -> Cow<'h, str> {
        self.server_name.as_ref().map_or(Cow::Borrowed(host), |name| name.to_str())
    }

    /// The same for a host that the monitor is not about: it sees no certificate of ours, and is called by its name.
    #[must_use]
    pub fn for_strangers(&self) -> Self {
        Self { identity: None, server_name: None, ..self.clone() }
    }

    /// The same for a proxy on the way, with which HTTP/1.1 is spoken.
    #[must_use]
    pub fn for_proxy(&self) -> Self {
        let alone = |config: &Arc<ClientConfig>| {
            let mut config = ClientConfig::clone(config);
            config.alpn_protocols = alpn::HTTP1.iter().map(|p| p.to_vec()).collect();
            Arc::new(config)
        };
        Self { config: self.config.as_ref().map(alone).map_err(Clone::clone), ..self.for_strangers() }
    }

    /// With trust and identity that are at hand. Without `roots` nothing is verified.
    pub fn given(
        alpn: Alpn,
        roots: Option<&Roots>,
        identity: Option<Arc<CertifiedKey>>,
        server_name: Option<ServerName<'static>>,
    ) -> Self {
        let (anchors, identity) = (roots.map(trust::shared), identity.map(Shows::Given));
        Self { anchors, identity, server_name, ..Self::system(alpn) }
    }

    /// Reads `verify`, `server_name`, `ca_file`, `cert_file`, `key_file`, `min_version` and `max_version` from a
    /// `tls:` mapping, and finishes it.
    pub fn read(mut fields: Fields<'_>, alpn: Alpn) -> Option<Self> {
        let spec = Self::read_from(&mut fields, alpn);
        fields.finish();
        spec
    }

    /// Reads `tls: true`, `tls: false` or `tls: {…}`.
    pub fn read_on_demand(fields: &mut Fields<'_>, alpn: Alpn) -> Option<Self> {
        match fields.node("tls")?.value {
            Value::Scalar { .. } => fields.bool("tls")?.then(|| Self::system(alpn)),
            Value::Map(_) | Value::Seq(_) => Self::read(fields.nested("tls")?, alpn),
        }
    }

    /// Reads `tls: {…}` of a kind that speaks it always, or by an option of its own.
    pub fn read_always(fields: &mut Fields<'_>, alpn: Alpn) -> Option<Self> {
        match fields.nested("tls") {
            Some(own) => Self::read(own, alpn),
            None => Some(Self::system(alpn)),
        }
    }

    /// The same from a mapping that holds more.
    pub fn read_from(fields: &mut Fields<'_>, alpn: Alpn) -> Option<Self> {
        let errors = fields.cx().error_count();
        let verify = fields.bool("verify").unwrap_or(true);
        let hint = "write a host name or an address";
        let name = fields.parse("server_name", hint, |t| ServerName::try_from(t.to_owned()));
        let ca_file = path(fields, "ca_file");
        if let (false, Some((_, file))) = (verify, &ca_file) {
            let message = "`ca_file` has no effect with `verify: false`";
            fields.error(file.span, Code::Conflict, message, "remove one of the two");
        }
        let roots = ca_file.map_or(Roots::System, |(path, _)| Roots::File(path));
        let files = match (path(fields, "cert_file"), path(fields, "key_file")) {
            (Some((cert, _)), Some((key, _))) => Some(Files { cert, key }),
            // A file may hold both, as those for nginx and HAProxy often do.
            (Some((cert, _)), None) => Some(Files { key: cert.clone(), cert }),
            (None, Some((_, key))) => {
                let message = "`key_file` has no effect without `cert_file`";
                fields.error(key.span, Code::Conflict, message, "add `cert_file`, the certificate that the key is for");
                None
            }
            (None, None) => None,
        };
        let hint = "write `1.2` or `1.3`";
        let min = fields.parse("min_version", hint, Version::parse).unwrap_or(Version::Tls12);
        let max = fields.parse("max_version", hint, Version::parse).unwrap_or(Version::Tls13);
        if min > max {
            let message = "`min_version` is above `max_version`: no version is left";
            fields.error(fields.head(), Code::Conflict, message, "raise `max_version`, or take it out");
        }
        let ok = fields.cx().error_count() == errors;
        ok.then(|| Self {
            config: shared_client(Offer { alpn, min, max }),
            anchors: verify.then(|| trust::shared(&roots)),
            identity: files.as_ref().map(|files| Shows::Files(identity::shared(files))),
            server_name: name,
        })
    }

    /// The phase `tls`. Fills `trace.cert` even if the certificate is then refused, and as far as the peer came
    /// even if the handshake fails.
    ///
    /// # Errors
    /// The handshake failed, or the certificate is not to be trusted.
    pub async fn handshake<S>(
        &self,
        stream: S,
        peer: &Peer,
        now: Timestamp,
        trace: &mut Trace,
    ) -> Result<TlsStream<S>, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.handshake_as(stream, peer.host(), now, trace).await
    }

    /// The same with the name that the peer is known by, where that is not a peer's host.
    ///
    /// # Errors
    /// Those of [`handshake`](Self::handshake).
    pub async fn handshake_as<S>(
        &self,
        stream: S,
        host: &str,
        now: Timestamp,
        trace: &mut Trace,
    ) -> Result<TlsStream<S>, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        trace.begin(phase::TLS);
        trace.cert = None;
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| Fault::target("tls_name", format!("`{host}` cannot stand in a certificate")))?,
        };
        let identity = match &self.identity {
            None => None,
            Some(Shows::Given(identity)) => Some(Arc::clone(identity)),
            Some(Shows::Files(identity)) => Some(Arc::clone(&identity.get().await?.0)),
        };
        let config =
            self.config.as_ref().map_err(|e| Fault::local("local_tls", format!("TLS is not available: {e}")))?;
        let shows = identity.is_some();
        let look = Arc::new(Look::new(identity));
        let mut config = ClientConfig::clone(config);
        config.dangerous().set_certificate_verifier(Arc::clone(&look) as Arc<_>);
        config.client_auth_cert_resolver = Arc::clone(&look) as Arc<_>;
        let shaken = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await;
        let shown = look.take();
        let asked = look.asked();
        let handshake = match &shaken {
            Ok(stream) => Handshake::of(stream.get_ref().1, asked),
            Err(_) => Handshake { client_cert_asked: asked, ..Handshake::default() },
        };
        if !shown.chain.is_empty() {
            let facts = CertFacts::of(&shown.chain, now);
            trace.cert = Some(CertFacts { handshake, staple: shown.staple, ..facts });
        }
        let stream = shaken.map_err(|e| handshake_fault(&e, &name, asked, shows))?;
        if let Some(anchors) = &self.anchors {
            let trust = anchors.get().await?;
            let verified = trust.0.verify(&shown.chain, &name, now);
            if let Some(facts) = &mut trace.cert {
                match &verified {
                    Ok(()) => facts.trust(|subject| trust.0.end_of(subject)),
                    Err(fault) => facts.distrust(fault.message()),
                }
            }
            verified?;
        }
        trace.end();
        Ok(stream)
    }
}

fn shared_client(offer: Offer) -> Result<Arc<ClientConfig>, rustls::Error> {
    CLIENTS.get(&offer, || client(&offer))
}

/// An absolute path and where it stands.
fn path(fields: &mut Fields<'_>, key: &'static str) -> Option<(PathBuf, Text)> {
    let file = fields.text(key)?;
    if !file.value().starts_with('/') {
        let message = format!("`{key}` is `{}`, which is not an absolute path", file.shown());
        fields.error(file.span, Code::BadValue, message, "begin it with `/`: services start in another directory");
        return None;
    }
    Some((PathBuf::from(file.value()), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, want) in [("1.2", Version::Tls12), ("TLS 1.3", Version::Tls13), ("tlsv1.2", Version::Tls12)] {
            assert_eq!(Version::parse(text), Ok(want));
        }
        for bad in ["1.1", "3", "", "ssl3"] {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn monitors_with_the_same_offer_share_it() {
        let one = TlsSpec::system(alpn::HTTP1);
        let two = TlsSpec::system(alpn::HTTP1);
        let other = TlsSpec::system(alpn::NONE);
        assert!(Arc::ptr_eq(one.config.as_ref().unwrap(), two.config.as_ref().unwrap()));
        assert!(!Arc::ptr_eq(one.config.as_ref().unwrap(), other.config.as_ref().unwrap()));
    }
}
