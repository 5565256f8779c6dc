//! One handshake's eyes: lets any certificate pass, and keeps what the peer showed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::collect::tls::PROVIDER;

/// Longest stapled answer that is kept; real ones have 0.5 to 4 KiB.
const MAX_STAPLE: usize = 32 * 1024;

/// What the peer showed. Bounded: rustls takes at most 64 KiB of certificates.
#[derive(Debug, Default)]
pub struct Shown {
    /// Its certificates as sent, its own first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The stapled OCSP response; empty when there is none.
    pub staple: Vec<u8>,
}

/// Accepts every certificate, but only with the signatures that prove possession of its key.
///
/// One per handshake: rustls tells of a stapled response nobody but the verifier, and whoever refuses our
/// certificate (or the lack of one) leaves no connection to ask.
#[derive(Debug, Default)]
pub struct Look {
    identity: Option<Arc<CertifiedKey>>,
    /// Written once within the handshake, read once after it.
    shown: Mutex<Shown>,
    asked: AtomicBool,
}

impl Look {
    /// With what we show when asked.
    pub fn new(identity: Option<Arc<CertifiedKey>>) -> Self {
        Self { identity, ..Self::default() }
    }

    /// What the peer showed so far.
    pub fn take(&self) -> Shown {
        std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the peer asked for a client certificate.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        staple: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(leaf).chain(rest).map(|c| c.clone().into_owned()).collect();
        let staple = if staple.len() <= MAX_STAPLE { staple.to_vec() } else { Vec::new() };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Shown { chain, staple };
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

impl ResolvesClientCert for Look {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.identity.clone()
    }

    /// Always, so that [`resolve`](Self::resolve) hears of the question.
    fn has_certs(&self) -> bool {
        true
    }
}
