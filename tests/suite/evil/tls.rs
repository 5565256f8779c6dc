//! Certificates that are wrong in one way each.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use watchdog::task::supervisor::Supervisor;

use super::{answer, head};

/// A CA in a file, for `ca_file`.
pub struct Authority {
    /// Holds the certificate.
    pub file: tempfile::NamedTempFile,
    cert: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new CA.
    pub fn new() -> Self {
        Self::named("test authority")
    }

    /// A new CA of this name.
    pub fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let cert = params.self_signed(&key).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), cert.pem()).unwrap();
        Self { file, cert: cert.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// Its own certificate.
    pub fn der(&self) -> CertificateDer<'static> {
        self.cert.clone()
    }

    /// A certificate for `localhost`, changed as `edit` says, and its key.
    pub fn sign(&self, edit: impl FnOnce(&mut CertificateParams)) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2999, 1, 1);
        edit(&mut params);
        (params.signed_by(&key, &self.issuer).unwrap().der().clone(), key)
    }

    /// Starts a server with such a certificate, which it sends `again` times more.
    pub async fn serve(&self, edit: impl FnOnce(&mut CertificateParams), again: usize) -> TlsServer {
        let (cert, key) = self.sign(edit);
        TlsServer::with(vec![cert; 1 + again], &key).await
    }

    /// Starts a server for `name`, valid until the given day.
    pub async fn server(&self, name: &str, cn: &str, until: (i32, u8, u8)) -> TlsServer {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, cn);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        TlsServer::start(cert.der().clone(), &key).await
    }
}

/// A server whose certificate signs itself and may sign others, as `openssl req -x509` makes them, and the
/// file with that certificate.
pub async fn self_signed(name: &str) -> (tempfile::NamedTempFile, TlsServer) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let cert = params.self_signed(&key).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
    (file, TlsServer::start(cert.der().clone(), &key).await)
}

/// Answers every request with `ok`.
pub struct TlsServer {
    /// The port on 127.0.0.1.
    pub port: u16,
    _tasks: Supervisor,
}

impl TlsServer {
    async fn start(cert: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self::with(vec![cert], key).await
    }

    async fn with(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        Self::of(config(chain, key)).await
    }

    /// Starts one of any making.
    pub async fn of(config: rustls::ServerConfig) -> Self {
        Self::saying(config, answer("200 OK", "", b"ok")).await
    }

    /// The same with another answer.
    pub async fn saying(config: rustls::ServerConfig, says: Vec<u8>) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = Supervisor::new(&CancellationToken::new());
        tasks.add("tls", |_| async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                if head(&mut stream).await.is_some() {
                    let _ = stream.write_all(&says).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        Self { port, _tasks: tasks }
    }
}

/// A configuration that sends this chain as it is.
pub fn config(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    // Given as it is: a server that looks at its own certificate would not send a hostile one.
    let own = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    config.with_cert_resolver(Arc::new(own))
}
