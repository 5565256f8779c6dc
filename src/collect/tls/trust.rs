//! Whom we trust: trust anchors, and the judgement of a chain against them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};

use crate::base::time::Timestamp;
use crate::collect::cert::{MAX_CHAIN, is_authority};
use crate::collect::fault::Fault;
use crate::collect::tls::PROVIDER;
use crate::collect::tls::fresh::{Fresh, Shared, read_file};
use crate::collect::tls::refusal::cert_fault;

/// A `ca_file` larger than this is not one.
const MAX_CA_FILE: u64 = 4 << 20;

/// Where trust begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Roots {
    /// The authorities that this machine trusts.
    System,
    /// Those in a file.
    File(PathBuf),
    /// These.
    Given(Vec<CertificateDer<'static>>),
}

/// Trust anchors, loaded when first needed.
pub type Anchors = Fresh<Roots, Trust>;

static ANCHORS: Shared<Roots, Anchors> = Shared::empty();

/// The anchors of `roots`, shared by all who trust them.
pub fn shared(roots: &Roots) -> Arc<Anchors> {
    ANCHORS.fresh(roots, load)
}

/// Loaded trust anchors.
#[derive(Debug)]
pub struct Trust {
    verifier: Arc<WebPkiServerVerifier>,
    /// The certificates of a `ca_file`; none for the system's, which holds no servers' certificates.
    own: Vec<CertificateDer<'static>>,
    /// When each anchor expires (seconds since the epoch), by its subject in DER.
    ends: HashMap<Box<[u8]>, i64>,
}

impl Trust {
    /// Judges a chain, the server's own certificate first.
    ///
    /// # Errors
    /// Why it is not trusted.
    pub fn verify(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>, now: Timestamp) -> Result<(), Fault> {
        let Some((leaf, rest)) = chain.split_first() else {
            return Err(Fault::target("cert_invalid", "the peer sent no certificate"));
        };
        if chain.len() > MAX_CHAIN {
            let message =
                format!("the peer sent {} certificates, and no chain needs more than {MAX_CHAIN}", chain.len());
            return Err(Fault::target("cert_chain", message));
        }
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_millis(millis));
        match self.verifier.verify_server_cert(leaf, rest, name, &[], time) {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))) if is_authority(leaf) => {
                self.verify_self_signed(leaf, name)
            }
            Err(e) => Err(cert_fault(&e, name)),
        }
    }

    /// When the trusted authority with this name expires, in seconds since the epoch.
    pub fn end_of(&self, subject: &[u8]) -> Option<i64> {
        self.ends.get(subject).copied()
    }

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

fn load(roots: &Roots) -> Result<Trust, Fault> {
    let mut store = RootCertStore::empty();
    let mut own = Vec::new();
    let mut ends = HashMap::new();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            found.certs.iter().for_each(|cert| note_end(cert, &mut ends));
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let why = found.errors.first().map_or_else(String::new, |e| format!(": {e}"));
                let message = format!("this machine has no CA certificates to verify with{why}");
                return Err(Fault::local("local_ca", message));
            }
        }
        Roots::File(path) => {
            let refuse = |why: String| Fault::local("local_ca", format!("`{}`: {why}", path.display()));
            let pem = read_file(path, MAX_CA_FILE, "local_ca")?;
            for cert in CertificateDer::pem_slice_iter(&pem) {
                let cert = cert.map_err(|e| refuse(format!("not PEM: {e}")))?;
                store.add(cert.clone()).map_err(|e| refuse(format!("a certificate is not usable: {e}")))?;
                note_end(&cert, &mut ends);
                own.push(cert);
            }
            if store.is_empty() {
                return Err(refuse("holds no certificate".to_owned()));
            }
        }
        Roots::Given(certs) => {
            for cert in certs {
                let refuse = |e| Fault::local("local_ca", format!("a certificate of the authority is not usable: {e}"));
                store.add(cert.clone()).map_err(refuse)?;
                note_end(cert, &mut ends);
            }
            own.clone_from(certs);
        }
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&PROVIDER))
        .build()
        .map_err(|e| Fault::local("local_ca", format!("trust anchors are not usable: {e}")))?;
    Ok(Trust { verifier, own, ends })
}

/// Of two anchors with one name, which renewal leaves behind, the later end counts.
fn note_end(der: &CertificateDer<'_>, ends: &mut HashMap<Box<[u8]>, i64>) {
    let Ok((_, cert)) = x509_parser::parse_x509_certificate(der) else { return };
    let end = cert.validity().not_after.timestamp();
    let known = ends.entry(cert.subject().as_raw().into()).or_insert(end);
    *known = end.max(*known);
}
