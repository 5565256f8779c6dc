//! How a cluster is reached: a kubeconfig, or what a pod finds in its own file system.
//!
//! The kube crate reads both; the connection is ours, so that policy, phases and deadline hold. Programs
//! that a kubeconfig names to make tokens are not run: a monitor has a service account with a token.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use kube::Config;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use tokio_rustls::client::TlsStream;

use crate::base::probe::ProbeCx;
use crate::base::secret::Secret;
use crate::collect::dial::{self, Bounded, Peer, Route};
use crate::collect::fault::{Fault, describe};
use crate::collect::tls::identity::{self, Unusable};
use crate::collect::tls::trust::Roots;
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::Trace;

/// Bytes of a file that is named in a kubeconfig.
const MAX_FILE: u64 = 1 << 20;

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
    tls: Option<TlsSpec>,
    /// `Authorization`.
    pub bearer: Option<Secret<HeaderValue>>,
    /// Secrets that must not be shown.
    pub secrets: Secret<Vec<String>>,
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
        let impersonated =
            [auth.impersonate.is_some(), auth.impersonate_uid.is_some(), auth.impersonate_groups.is_some()];
        if impersonated.contains(&true) || auth.impersonate_user_extra.is_some() {
            return Err(refuse(
                "the kubeconfig acts as somebody else (`as`), which is not done here; use that account itself",
            ));
        }
        let tls = if secure { Some(tls(config, peer.host())?) } else { None };
        let (bearer, secrets) = bearer(auth)?;
        let base = url.path().trim_end_matches('/').to_owned();
        Ok(Self { peer, base, tls, bearer, secrets: Secret::new(secrets) })
    }

    /// Connects: the phases `resolve`, `connect` and `tls`.
    ///
    /// # Errors
    /// There is no connection, or the server is not to be trusted.
    pub async fn open(&self, route: &Route, cx: &ProbeCx, trace: &mut Trace) -> Result<Wire, Fault> {
        let stream = dial::open_by(&self.peer, route, cx, trace).await?;
        match &self.tls {
            None => Ok(Wire::Plain(stream)),
            Some(tls) => Ok(Wire::Tls(Box::new(tls.handshake(stream, &self.peer, cx.now, trace).await?))),
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
    refuse_proxy(&kubeconfig, source.context.as_deref())?;
    let options = KubeConfigOptions { context: source.context.clone(), ..KubeConfigOptions::default() };
    // The function is async for its callers' sake: it waits for nothing.
    let made = futures_util::FutureExt::now_or_never(Config::from_custom_kubeconfig(kubeconfig, &options));
    let made = made.ok_or_else(|| refuse("the kubeconfig asks for more than files"))?;
    made.map_err(|e| refuse(format!("the kubeconfig cannot be used: {e}")))
}

/// A proxy that the environment names is for others; one that the kubeconfig names is the only way to the cluster.
fn refuse_proxy(kubeconfig: &Kubeconfig, context: Option<&str>) -> Result<(), Fault> {
    let current = context.or(kubeconfig.current_context.as_deref());
    let context = kubeconfig.contexts.iter().find(|c| Some(c.name.as_str()) == current);
    let cluster = context.and_then(|c| Some(c.context.as_ref()?.cluster.as_str()));
    let cluster = kubeconfig.clusters.iter().find(|c| Some(c.name.as_str()) == cluster);
    match cluster.and_then(|c| c.cluster.as_ref()).and_then(|c| c.proxy_url.as_ref()) {
        Some(url) if !url.is_empty() => {
            Err(refuse("the kubeconfig leads through a proxy (`proxy-url`), which is not done here"))
        }
        Some(_) | None => Ok(()),
    }
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

/// How the server is verified, and what we show it.
fn tls(config: &Config, host: &str) -> Result<TlsSpec, Fault> {
    let name = config.tls_server_name.clone().unwrap_or_else(|| host.to_owned());
    let name = ServerName::try_from(name).map_err(|_| refuse("the cluster's name cannot stand in a certificate"))?;
    let roots = match &config.root_cert {
        _ if config.accept_invalid_certs => None,
        Some(certs) => Some(Roots::Given(certs.iter().map(|der| CertificateDer::from(der.clone())).collect())),
        None => Some(Roots::System),
    };
    Ok(TlsSpec::given(alpn::HTTP1, roots.as_ref(), identity(&config.auth_info)?, Some(name)))
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
    let pair = identity::pair(&cert, &key).map_err(|unusable| match unusable {
        Unusable::Cert(why) => refuse(format!("the client certificate: {why}")),
        Unusable::Key(why) => refuse(format!("the client key: {why}")),
    })?;
    Ok(Some(pair))
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    crate::collect::files::read(path, MAX_FILE).map_err(|e| refuse(format!("`{}`: {}", path.display(), describe(&e))))
}
