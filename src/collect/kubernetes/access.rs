//! How a cluster is reached: a kubeconfig, or what a pod finds in its own file system.
//!
//! The kube crate reads both; the connection is ours, so that policy, phases and deadline hold. Programs
//! that a kubeconfig names to make tokens are not run: a monitor has a service account with a token.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use kube::Config;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::base::probe::ProbeCx;
use crate::base::secret::Secret;
use crate::collect::cert::{CertFacts, Handshake};
use crate::collect::dial::{self, Bounded, Peer};
use crate::collect::fault::{Fault, describe};
use crate::collect::tls::look::Look;
use crate::collect::tls::refusal::{cert_fault, handshake_fault};
use crate::collect::trace::{Trace, phase};

/// Bytes of a file that is named in a kubeconfig.
const MAX_FILE: u64 = 1 << 20;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// Where the description of the cluster is.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// A kubeconfig; without one the pod's own account, else the kubeconfig that `kubectl` would take.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; without one the current.
    pub context: Option<String>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // References in both may have resolved to secrets.
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

/// A cluster, and as whom it is asked. Its `Debug` form holds no secret.
#[derive(Debug)]
pub struct Access {
    /// Whom to connect to.
    pub peer: Peer,
    /// What stands before every path.
    pub base: String,
    tls: Option<Tls>,
    /// `Authorization`.
    pub bearer: Option<Secret<HeaderValue>>,
    /// Secrets that must not be shown.
    pub secrets: Secret<Vec<String>>,
}

#[derive(Debug)]
struct Tls {
    name: ServerName<'static>,
    /// `None` when the kubeconfig switches verification off.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    identity: Option<Arc<CertifiedKey>>,
}

/// Everything wrong with an access is wrong on this machine.
fn refuse(why: impl std::fmt::Display) -> Fault {
    Fault::local("local_kubeconfig", why.to_string())
}

impl Access {
    /// Reads what `source` names. Reads files: for a thread of its own.
    ///
    /// # Errors
    /// It cannot be read, or asks for what is not done here.
    pub fn load(source: &Source) -> Result<Self, Fault> {
        Self::of(&config(source)?)
    }

    fn of(config: &Config) -> Result<Self, Fault> {
        let url = &config.cluster_url;
        let host = url.host().ok_or_else(|| refuse("the cluster's address has no host"))?;
        let secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("the cluster's address is neither https nor http")),
        };
        let peer = Peer::new(host, url.port_u16().unwrap_or(if secure { 443 } else { 80 })).map_err(refuse)?;
        let auth = &config.auth_info;
        if auth.exec.is_some() || auth.auth_provider.is_some() {
            let message = "the kubeconfig makes its token with a program or a plugin, which is not run here; \
                use the token of a service account";
            return Err(refuse(message));
        }
        let tls = if secure { Some(Tls::of(config, peer.host())?) } else { None };
        let (bearer, secrets) = bearer(auth)?;
        let base = url.path().trim_end_matches('/').to_owned();
        Ok(Self { peer, base, tls, bearer, secrets: Secret::new(secrets) })
    }

    /// Connects: the phases `resolve`, `connect` and `tls`.
    ///
    /// # Errors
    /// There is no connection, or the server is not to be trusted.
    pub async fn open(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Wire, Fault> {
        let stream = dial::open(&self.peer, cx, trace).await?;
        match &self.tls {
            None => Ok(Wire::Plain(stream)),
            Some(tls) => Ok(Wire::Tls(Box::new(tls.handshake(stream, cx, trace).await?))),
        }
    }
}

/// A connection to an API server.
pub enum Wire {
    /// Without TLS, as `kubectl proxy` gives it.
    Plain(Bounded),
    /// With.
    Tls(Box<TlsStream<Bounded>>),
}

fn config(source: &Source) -> Result<Config, Fault> {
    let in_cluster = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let found = match &source.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None if in_cluster && source.context.is_none() => {
            return Config::incluster().map_err(|e| refuse(format!("the pod's own account cannot be used: {e}")));
        }
        None => Kubeconfig::read(),
    };
    let kubeconfig = found.map_err(|e| refuse(format!("the kubeconfig cannot be read: {e}")))?;
    let options = KubeConfigOptions { context: source.context.clone(), ..KubeConfigOptions::default() };
    // The function is async for its callers' sake: it waits for nothing.
    let made = futures_util::FutureExt::now_or_never(Config::from_custom_kubeconfig(kubeconfig, &options));
    let made = made.ok_or_else(|| refuse("the kubeconfig asks for more than files"))?;
    made.map_err(|e| refuse(format!("the kubeconfig cannot be used: {e}")))
}

/// A secret of the kubeconfig's. The crate's wrapper opens with a trait of yet another crate, or by being
/// written.
fn secret(auth: &AuthInfo, key: &str) -> Option<String> {
    let mut plain = serde_json::to_value(auth).ok()?;
    match plain.get_mut(key)?.take() {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    }
}

/// The header, and what in it is secret.
fn bearer(auth: &AuthInfo) -> Result<(Option<Secret<HeaderValue>>, Vec<String>), Fault> {
    let (header, secret) = if let Some(token) = secret(auth, "token") {
        let token = token.trim().to_owned();
        (format!("Bearer {token}"), token)
    } else if let Some(path) = &auth.token_file {
        let bytes = read(Path::new(path))?;
        let token = String::from_utf8_lossy(&bytes).trim().to_owned();
        (format!("Bearer {token}"), token)
    } else if let (Some(user), Some(password)) = (&auth.username, secret(auth, "password")) {
        (format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))), password)
    } else {
        return Ok((None, Vec::new()));
    };
    let value = HeaderValue::from_str(&header).map_err(|_| refuse("the token holds what no header may hold"))?;
    Ok((Some(Secret::new(value)), vec![secret, header]))
}

impl Tls {
    fn of(config: &Config, host: &str) -> Result<Self, Fault> {
        let name = config.tls_server_name.clone().unwrap_or_else(|| host.to_owned());
        let name =
            ServerName::try_from(name).map_err(|_| refuse("the cluster's name cannot stand in a certificate"))?;
        let verifier = match config.accept_invalid_certs {
            true => None,
            false => Some(verifier(config)?),
        };
        Ok(Self { name, verifier, identity: identity(&config.auth_info)? })
    }

    async fn handshake(&self, stream: Bounded, cx: &ProbeCx, trace: &mut Trace) -> Result<TlsStream<Bounded>, Fault> {
        trace.begin(phase::TLS);
        let look = Arc::new(Look::new(self.identity.clone()));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_safe_default_protocol_versions()
            .map_err(|e| Fault::local("local_tls", format!("TLS is not available: {e}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&look) as Arc<_>)
            .with_client_cert_resolver(Arc::clone(&look) as Arc<_>);
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let shaken = TlsConnector::from(Arc::new(config)).connect(self.name.clone(), stream).await;
        let shown = look.take();
        let asked = look.asked();
        if !shown.chain.is_empty() {
            trace.cert = Some(CertFacts::of(&shown.chain, cx.now));
        }
        let stream = shaken.map_err(|e| handshake_fault(&e, &self.name, asked, self.identity.is_some()))?;
        if let Some(facts) = &mut trace.cert {
            facts.handshake = Handshake::of(stream.get_ref().1, asked);
        }
        if let (Some(verifier), Some((leaf, rest))) = (&self.verifier, shown.chain.split_first()) {
            let millis = u64::try_from(cx.now.millis()).unwrap_or(0);
            let time = UnixTime::since_unix_epoch(std::time::Duration::from_millis(millis));
            let verified = verifier.verify_server_cert(leaf, rest, &self.name, &[], time);
            let verified = verified.map_err(|e| cert_fault(&e, &self.name));
            if let (Some(facts), Err(fault)) = (&mut trace.cert, &verified) {
                facts.distrust(fault.message());
            }
            verified?;
        }
        trace.end();
        Ok(stream)
    }
}

fn verifier(config: &Config) -> Result<Arc<WebPkiServerVerifier>, Fault> {
    let mut store = RootCertStore::empty();
    match &config.root_cert {
        Some(certs) => {
            store.add_parsable_certificates(certs.iter().map(|der| CertificateDer::from(der.clone())));
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&PROVIDER))
        .build()
        .map_err(|e| refuse(format!("the cluster's certificate authority is not usable: {e}")))
}

/// The client certificate with its key, from the kubeconfig itself or from files that it names.
fn identity(auth: &AuthInfo) -> Result<Option<Arc<CertifiedKey>>, Fault> {
    let data = |text: &str| STANDARD.decode(text.trim()).map_err(|_| refuse("the client certificate is not Base64"));
    let cert = match (&auth.client_certificate_data, &auth.client_certificate) {
        (Some(text), _) => data(text)?,
        (None, Some(path)) => read(Path::new(path))?,
        (None, None) => return Ok(None),
    };
    let key = match (secret(auth, "client-key-data"), &auth.client_key) {
        (Some(text), _) => data(&text)?,
        (None, Some(path)) => read(Path::new(path))?,
        (None, None) => return Err(refuse("the kubeconfig has a client certificate without its key")),
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&cert).collect();
    let chain = chain.map_err(|_| refuse("the client certificate is not PEM"))?;
    // What a parser says about a private key may quote it.
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| refuse("the client key is no private key"))?;
    let key = PROVIDER.key_provider.load_private_key(key).map_err(|_| refuse("the client key is of no known kind"))?;
    Ok(Some(Arc::new(CertifiedKey::new(chain, key))))
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    use std::io::Read;
    let fail = |e: &std::io::Error| refuse(format!("`{}`: {}", path.display(), describe(e)));
    let (file, _) = crate::collect::files::open(path, true).map_err(|e| fail(&e))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(|e| fail(&e))?;
    Ok(bytes)
}
