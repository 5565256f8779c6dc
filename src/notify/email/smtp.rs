//! One mail to one relay, within one deadline, reading no more than a conversation needs.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::base::failure::Chain;
use crate::base::message::DeliveryError;
use crate::base::secret::Secret;
use crate::base::term_safe::term_safe;
use crate::notify::sending::{MAX_TIMEOUT, SendError};

/// What a relay may say in one conversation; a TLS handshake with a long chain is some 10 KB of it.
const MAX_READ: usize = 256 * 1024;

/// How the connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Plain at first; nothing is said before it is encrypted.
    StartTls,
    /// Encrypted from the start.
    Tls,
    /// Not at all.
    None,
}

/// A mail server that takes our mail.
#[derive(Debug)]
pub struct Relay {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<(String, Secret<String>)>,
    hello: ClientId,
    ca_file: Option<PathBuf>,
    /// Read once: the system's certificates take some 20 ms.
    roots: OnceCell<Vec<CertificateDer<'static>>>,
}

impl Relay {
    /// One that was not reached yet.
    pub fn new(
        host: String,
        port: Option<u16>,
        security: Security,
        credentials: Option<(String, Secret<String>)>,
        hello: Option<String>,
        ca_file: Option<PathBuf>,
    ) -> Self {
        let usual = match security {
            Security::StartTls => 587,
            Security::Tls => 465,
            Security::None => 25,
        };
        let hello = hello.or_else(|| nix::unistd::gethostname().ok()?.into_string().ok());
        let hello = hello.map_or_else(ClientId::default, ClientId::Domain);
        Self { host, port: port.unwrap_or(usual), security, credentials, hello, ca_file, roots: OnceCell::new() }
    }

    /// Sends one mail; gives the relay's last words.
    ///
    /// # Errors
    /// Nobody of `to` was accepted, or the mail was not.
    pub async fn send(&self, from: &Address, to: &[Address], mail: &[u8]) -> Result<String, DeliveryError> {
        match timeout(MAX_TIMEOUT, self.talk(from, to, mail)).await {
            Ok(done) => done,
            Err(_) => Err(SendError::Timeout(MAX_TIMEOUT).retry(None)),
        }
    }

    async fn talk(&self, from: &Address, to: &[Address], mail: &[u8]) -> Result<String, DeliveryError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await;
        let tcp = tcp.map_err(|e| self.transport(&format!("connecting: {e}")))?;
        let peer = tcp.peer_addr().map_err(|e| self.transport(&e.to_string()))?;
        let stream: Box<dyn AsyncTokioStream> = match self.security {
            Security::Tls => Box::new(Metered { inner: self.encrypt(tcp).await?, peer, left: MAX_READ }),
            Security::StartTls | Security::None => Box::new(Metered { inner: tcp, peer, left: MAX_READ }),
        };
        let hello = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await;
        let mut relay = hello.map_err(|e| self.failed("greeting", &e))?;
        if self.security == Security::StartTls {
            if !relay.can_starttls() {
                let text = format!("{} offers no STARTTLS; `tls: none` would send in the open", self.host);
                return Err(SendError::Transport(text).permanent());
            }
            let tls = self.tls_parameters().await?;
            relay.starttls(tls, &self.hello).await.map_err(|e| self.failed("STARTTLS", &e))?;
        }
        if let Some((user, password)) = &self.credentials {
            let credentials = Credentials::new(user.clone(), password.reveal().clone());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            relay.auth(&mechanisms, &credentials).await.map_err(|e| self.failed("signing in", &e))?;
        }
        relay.command(Mail::new(Some(from.clone()), Vec::new())).await.map_err(|e| self.failed("the sender", &e))?;
        let (mut refused, mut last) = (Vec::new(), None);
        for address in to {
            match relay.command(Rcpt::new(address.clone(), Vec::new())).await {
                Ok(_) => {}
                Err(e) if e.status().is_some() => {
                    refused.push(address.to_string());
                    last = Some(e);
                }
                Err(e) => return Err(self.failed("a recipient", &e)),
            }
        }
        if let Some(e) = last.filter(|_| refused.len() == to.len()) {
            return Err(self.failed("every recipient", &e));
        }
        relay.command(Data).await.map_err(|e| self.failed("the mail", &e))?;
        let answer = relay.message(mail).await.map_err(|e| self.failed("the mail", &e))?;
        // It has been taken; what is said at the parting changes nothing.
        let _ = timeout(MAX_TIMEOUT / 20, relay.quit()).await;
        let mut words = self.words(&answer);
        if !refused.is_empty() {
            tracing::warn!(relay = self.host, refused = ?refused, "a mail did not go to all of its recipients");
            words = format!("{words}; refused: {}", refused.join(", "));
        }
        Ok(words)
    }

    async fn encrypt(&self, tcp: TcpStream) -> Result<tokio_rustls::client::TlsStream<TcpStream>, DeliveryError> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(self.roots().await?.iter().cloned());
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| self.transport(&e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(self.host.clone());
        let name = name.map_err(|e| SendError::Transport(format!("{}: {e}", self.host)).permanent())?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        stream.map_err(|e| self.transport(&format!("TLS: {e}")))
    }

    async fn tls_parameters(&self) -> Result<TlsParameters, DeliveryError> {
        let mut builder = TlsParameters::builder(self.host.clone()).certificate_store(CertificateStore::None);
        for root in self.roots().await? {
            // The system's store may hold what rustls does not understand.
            if let Ok(certificate) = Certificate::from_der(root.to_vec()) {
                builder = builder.add_root_certificate(certificate);
            }
        }
        builder.build_rustls().map_err(|e| self.transport(&Chain(&e).to_string()))
    }

    async fn roots(&self) -> Result<&[CertificateDer<'static>], DeliveryError> {
        let file = self.ca_file.clone();
        let read = || async {
            let read = tokio::task::spawn_blocking(move || match file {
                None => Ok(system_roots()),
                Some(path) => {
                    let certificates = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect);
                    certificates.map_err(|e| format!("`ca_file` {}: {e}", path.display()))
                }
            });
            read.await.map_err(|e| e.to_string())?
        };
        let roots: Result<&Vec<_>, String> = self.roots.get_or_try_init(read).await;
        roots.map(Vec::as_slice).map_err(|e| SendError::Local(e).retry(None))
    }

    fn transport(&self, what: &str) -> DeliveryError {
        SendError::Transport(format!("{}:{}: {what}", self.host, self.port)).retry(None)
    }

    /// 4xx passes, 5xx does not, and a broken connection is tried again.
    fn failed(&self, step: &str, e: &Error) -> DeliveryError {
        let said = self.safe(&Chain(e).to_string());
        let text = SendError::Transport(format!("{}:{}: {step}: {said}", self.host, self.port));
        // No mechanism in common, a mail that needs what the relay lacks: the same every time.
        if e.is_permanent() || e.is_client() { text.permanent() } else { text.retry(None) }
    }

    fn words(&self, answer: &Response) -> String {
        let first = answer.message().next().unwrap_or_default();
        self.safe(&format!("{} {first}", answer.code()))
    }

    fn safe(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some((_, password)) = &self.credentials {
            text = text.replace(password.reveal(), "***");
        }
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        term_safe(&line.chars().take(200).collect::<String>()).into_owned()
    }
}

fn system_roots() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// A stream that ends in an error after so many bytes: no relay has that much to say.
#[derive(Debug)]
struct Metered<S> {
    inner: S,
    peer: SocketAddr,
    left: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("the mail server does not stop talking")));
        }
        let before = buf.filled().len();
        let done = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        self.left = self.left.saturating_sub(read);
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> AsyncTokioStream for Metered<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
