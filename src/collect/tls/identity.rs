//! Who we are: the client certificate that a server may ask for.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::collect::fault::Fault;
use crate::collect::tls::PROVIDER;
use crate::collect::tls::fresh::{Fresh, Shared, read_file};

/// Files larger than this are not what they should be.
const MAX_FILE: u64 = 256 << 10;

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Files {
    /// PEM: our certificate, then those that lead to its authority.
    pub cert: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// A client certificate with its key.
pub type Identity = Fresh<Files, Arc<CertifiedKey>>;

static IDENTITIES: Shared<Files, Identity> = Shared::empty();

/// The identity in these files, shared by all who use it.
pub fn shared(files: &Files) -> Arc<Identity> {
    IDENTITIES.fresh(files, load)
}

/// Which half of an identity is unusable, and why.
#[derive(Debug)]
pub enum Unusable {
    /// The certificate.
    Cert(String),
    /// The key, or its belonging to the certificate.
    Key(&'static str),
}

/// An identity from the PEM of its two halves.
///
/// # Errors
/// One of them is unusable. What a parser says about a private key may quote it, so it is not told.
pub fn pair(cert: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, Unusable> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
    let chain = chain.map_err(|e| Unusable::Cert(format!("not PEM: {e}")))?;
    if chain.is_empty() {
        return Err(Unusable::Cert("holds no certificate".to_owned()));
    }
    if key.windows(9).any(|w| w == b"ENCRYPTED") {
        return Err(Unusable::Key("the key has a passphrase; store it without one"));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unusable::Key("holds no private key"))?;
    let key = PROVIDER.key_provider.load_private_key(key);
    let key = key.map_err(|_| Unusable::Key("the private key is of no known kind"))?;
    let whole = CertifiedKey::new(chain, key);
    whole.keys_match().map_err(|_| Unusable::Key("the key does not belong to the certificate"))?;
    Ok(Arc::new(whole))
}

fn load(files: &Files) -> Result<Arc<CertifiedKey>, Fault> {
    const CLASS: &str = "local_identity";
    let refuse = |path: &PathBuf, why: &str| Fault::local(CLASS, format!("`{}`: {why}", path.display()));
    let cert = read_file(&files.cert, MAX_FILE, CLASS)?;
    let key = read_file(&files.key, MAX_FILE, CLASS)?;
    pair(&cert, &key).map_err(|unusable| match unusable {
        Unusable::Cert(why) => refuse(&files.cert, &why),
        Unusable::Key(why) => refuse(&files.key, why),
    })
}
