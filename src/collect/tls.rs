//! TLS as a probe needs it: the handshake always, the judgement of the certificate after it.
//!
//! The handshake accepts any certificate (its signatures are checked), and the chain is verified
//! before a byte of ours is sent. A rejected certificate can therefore be shown with its dates and
//! names; with the usual order a failed handshake leaves nothing to look at. Sessions are never
//! resumed: a probe measures a full handshake.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::base::time::Timestamp;
use crate::collect::cert::{CertFacts, is_authority};
use crate::collect::dial::{Bounded, Peer};
use crate::collect::fault::Fault;
use crate::collect::trace::{Trace, phase};
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Trust anchors are read again after this long, so that an update of the system's or a rotated
/// `ca_file` is seen without a restart.
const ROOTS_MAX_AGE: Duration = Duration::from_secs(300);

/// A `ca_file` larger than this is not one.
const MAX_CA_FILE: u64 = 4 << 20;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// All probes share these two: configurations differ in nothing that the handshake sees but ALPN.
static HTTP_CLIENT: LazyLock<Result<Arc<ClientConfig>, rustls::Error>> = LazyLock::new(|| client(&[b"http/1.1"]));
static PLAIN_CLIENT: LazyLock<Result<Arc<ClientConfig>, rustls::Error>> = LazyLock::new(|| client(&[]));

/// One entry per distinct set of trust anchors in use. Leaf data: locked while building monitors only.
static ANCHORS: LazyLock<Mutex<HashMap<Roots, Weak<Anchors>>>> = LazyLock::new(Mutex::default);

fn client(alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(LookFirst))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// What is spoken inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Offers `http/1.1` by ALPN.
    Http,
    /// Offers nothing.
    Raw,
}

/// How TLS is spoken with one target.
#[derive(Clone, Debug)]
pub struct TlsSpec {
    protocol: Protocol,
    /// `None` when verification is switched off.
    anchors: Option<Arc<Anchors>>,
    server_name: Option<ServerName<'static>>,
}

impl TlsSpec {
    /// Verifies against the system's trust anchors.
    pub fn system(protocol: Protocol) -> Self {
        Self { protocol, anchors: Some(Anchors::shared(Roots::System)), server_name: None }
    }

    /// Reads `verify`, `server_name` and `ca_file` from a `tls:` mapping, and finishes it.
    pub fn read(mut fields: Fields<'_>, protocol: Protocol) -> Option<Self> {
        let errors = fields.cx().error_count();
        let verify = fields.bool("verify").unwrap_or(true);
        let hint = "write a host name or an address";
        let name = fields.parse("server_name", hint, |t| ServerName::try_from(t.to_owned()));
        let ca_file = fields.text("ca_file");
        if let (false, Some(file)) = (verify, &ca_file) {
            let message = "`ca_file` has no effect with `verify: false`";
            fields.error(file.span, Code::Conflict, message, "remove one of the two");
        }
        if let Some(file) = ca_file.as_ref().filter(|f| !f.value().starts_with('/')) {
            let message = format!("`ca_file` is `{}`, which is not an absolute path", file.shown());
            fields.error(file.span, Code::BadValue, message, "begin it with `/`: services start in another directory");
        }
        let roots = ca_file.map_or(Roots::System, |f| Roots::File(PathBuf::from(f.value())));
        let ok = fields.cx().error_count() == errors;
        fields.finish();
        ok.then(|| Self { protocol, anchors: verify.then(|| Anchors::shared(roots)), server_name: name })
    }

    /// The phase `tls`. Fills `trace.cert` even if the certificate is then refused.
    ///
    /// # Errors
    /// The handshake failed, or the certificate is not to be trusted.
    pub async fn handshake(
        &self,
        stream: Bounded,
        peer: &Peer,
        now: Timestamp,
        trace: &mut Trace,
    ) -> Result<TlsStream<Bounded>, Fault> {
        trace.begin(phase::TLS);
        trace.cert = None;
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(peer.host().to_owned())
                .map_err(|_| Fault::target("tls_name", format!("`{}` cannot stand in a certificate", peer.host())))?,
        };
        let config = match self.protocol {
            Protocol::Http => &*HTTP_CLIENT,
            Protocol::Raw => &*PLAIN_CLIENT,
        };
        let config = config.as_ref().map_err(|e| Fault::local("local_tls", format!("TLS is not available: {e}")))?;
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name.clone(), stream)
            .await
            .map_err(|e| handshake_fault(&e))?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let mut facts = CertFacts::of(chain, now);
        facts.version = stream.get_ref().1.protocol_version().map_or("unknown", version_name);
        let verified = match &self.anchors {
            None => Ok(()),
            Some(anchors) => anchors.verify(chain, &name, now).await,
        };
        facts.verified = self.anchors.is_some() && verified.is_ok();
        trace.cert = Some(facts);
        verified?;
        trace.end();
        Ok(stream)
    }
}

fn version_name(version: rustls::ProtocolVersion) -> &'static str {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2",
        rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "unknown",
    }
}

fn handshake_fault(err: &std::io::Error) -> Fault {
    let Some(tls) = err.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else {
        return match err.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Fault::target("tls_handshake", "the peer closed the connection during the TLS handshake")
            }
            _ => Fault::io("TLS handshake", err),
        };
    };
    match tls {
        rustls::Error::InvalidMessage(_) => {
            Fault::target("tls_protocol", "the peer does not speak TLS on this port, or speaks it wrongly")
        }
        rustls::Error::AlertReceived(alert) => {
            Fault::target("tls_handshake", format!("the peer refused the TLS handshake: {alert:?}"))
        }
        rustls::Error::PeerIncompatible(why) => {
            Fault::target("tls_version", format!("the peer's TLS is too old or has no common cipher: {why:?}"))
        }
        other => Fault::target("tls_handshake", format!("TLS handshake: {other}")),
    }
}

/// Where trust begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Roots {
    System,
    File(PathBuf),
}

/// Trust anchors, loaded when first needed, off the async threads.
#[derive(Debug)]
struct Anchors {
    roots: Roots,
    loaded: ArcSwapOption<Loaded>,
    loading: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Loaded {
    verifier: Arc<WebPkiServerVerifier>,
    /// The certificates of a `ca_file`; none for the system's, which holds no servers' certificates.
    own: Vec<CertificateDer<'static>>,
    at: Instant,
}

impl Loaded {
    /// Judges an authority's certificate that a server shows as its own, which is what a self-signed one
    /// commonly is. webpki refuses it whoever trusts it; a person who put this very certificate into
    /// `ca_file` means this server. webpki looks at the dates before it refuses, so the name is left.
    fn verify_self_signed(&self, leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Fault> {
        if !self.own.contains(leaf) {
            let message = "the certificate is self-signed or an authority's own, and is not trusted here";
            return Err(Fault::target("cert_untrusted", message));
        }
        let named = ParsedCertificate::try_from(leaf).and_then(|cert| verify_server_name(&cert, name));
        named.map_err(|e| cert_fault(&e, name))
    }
}

impl Anchors {
    fn shared(roots: Roots) -> Arc<Self> {
        let mut known = ANCHORS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(anchors) = known.get(&roots).and_then(Weak::upgrade) {
            return anchors;
        }
        known.retain(|_, weak| weak.strong_count() > 0);
        let anchors = Arc::new(Self {
            roots: roots.clone(),
            loaded: ArcSwapOption::empty(),
            loading: tokio::sync::Mutex::default(),
        });
        known.insert(roots, Arc::downgrade(&anchors));
        anchors
    }

    async fn verify(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>, now: Timestamp) -> Result<(), Fault> {
        let Some((leaf, rest)) = chain.split_first() else {
            return Err(Fault::target("cert_invalid", "the peer sent no certificate"));
        };
        let loaded = self.loaded().await?;
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_millis(millis));
        match loaded.verifier.verify_server_cert(leaf, rest, name, &[], time) {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))) if is_authority(leaf) => {
                loaded.verify_self_signed(leaf, name)
            }
            Err(e) => Err(cert_fault(&e, name)),
        }
    }

    async fn loaded(&self) -> Result<Arc<Loaded>, Fault> {
        let fresh = |l: &Loaded| l.at.elapsed() < ROOTS_MAX_AGE;
        if let Some(loaded) = &*self.loaded.load()
            && fresh(loaded)
        {
            return Ok(Arc::clone(loaded));
        }
        // One probe loads, the others wait for it.
        let _turn = self.loading.lock().await;
        let old = self.loaded.load_full();
        if let Some(loaded) = &old
            && fresh(loaded)
        {
            return Ok(Arc::clone(loaded));
        }
        let roots = self.roots.clone();
        let fault = match tokio::task::spawn_blocking(move || load(&roots)).await {
            Ok(Ok(loaded)) => {
                let loaded = Arc::new(loaded);
                self.loaded.store(Some(Arc::clone(&loaded)));
                return Ok(loaded);
            }
            Ok(Err(fault)) => fault,
            Err(e) => Fault::local("local_ca", format!("loading trust anchors failed: {e}")),
        };
        // A file that is being replaced must not blind anybody: what was loaded once goes on.
        old.ok_or(fault)
    }
}

fn load(roots: &Roots) -> Result<Loaded, Fault> {
    let mut store = RootCertStore::empty();
    let mut own = Vec::new();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let why = found.errors.first().map_or_else(String::new, |e| format!(": {e}"));
                let message = format!("this machine has no CA certificates to verify with{why}");
                return Err(Fault::local("local_ca", message));
            }
        }
        Roots::File(path) => {
            let refuse = |why: String| Fault::local("local_ca", format!("`{}`: {why}", path.display()));
            let size = std::fs::metadata(path).map_err(|e| refuse(crate::collect::fault::describe(&e)))?;
            if !size.is_file() || size.len() > MAX_CA_FILE {
                return Err(refuse("not a file of at most 4 MiB".to_owned()));
            }
            let pem = std::fs::read(path).map_err(|e| refuse(crate::collect::fault::describe(&e)))?;
            for cert in CertificateDer::pem_slice_iter(&pem) {
                let cert = cert.map_err(|e| refuse(format!("not PEM: {e}")))?;
                store.add(cert.clone()).map_err(|e| refuse(format!("a certificate is not usable: {e}")))?;
                own.push(cert);
            }
            if store.is_empty() {
                return Err(refuse("holds no certificate".to_owned()));
            }
        }
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&PROVIDER))
        .build()
        .map_err(|e| Fault::local("local_ca", format!("trust anchors are not usable: {e}")))?;
    Ok(Loaded { verifier, own, at: Instant::now() })
}

fn cert_fault(err: &rustls::Error, name: &ServerName<'_>) -> Fault {
    let host = name.to_str();
    let rustls::Error::InvalidCertificate(why) = err else {
        return Fault::target("cert_invalid", format!("the certificate is not valid: {err}"));
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Fault::target("cert_expired", "the certificate has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Fault::target("cert_not_yet_valid", "the certificate is not valid yet")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Fault::target("cert_name", format!("the certificate is not for `{host}`"))
        }
        CertificateError::UnknownIssuer => {
            Fault::target("cert_untrusted", "the certificate's issuer is not trusted here")
        }
        CertificateError::Revoked => Fault::target("cert_revoked", "the certificate is revoked"),
        other => Fault::target("cert_invalid", format!("the certificate is not valid: {other}")),
    }
}

/// Accepts every certificate, but only with the signatures that prove possession of its key.
#[derive(Debug)]
struct LookFirst;

impl ServerCertVerifier for LookFirst {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &PROVIDER.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &PROVIDER.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}
