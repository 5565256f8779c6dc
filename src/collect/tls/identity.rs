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

fn load(files: &Files) -> Result<Arc<CertifiedKey>, Fault> {
    const CLASS: &str = "local_identity";
    let refuse = |path: &PathBuf, why: String| Fault::local(CLASS, format!("`{}`: {why}", path.display()));
    let pem = read_file(&files.cert, MAX_FILE, CLASS)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|e| refuse(&files.cert, format!("not PEM: {e}")))?;
    if chain.is_empty() {
        return Err(refuse(&files.cert, "holds no certificate".to_owned()));
    }
    let pem = read_file(&files.key, MAX_FILE, CLASS)?;
    if pem.windows(9).any(|w| w == b"ENCRYPTED") {
        return Err(refuse(&files.key, "the key has a passphrase; store it without one".to_owned()));
    }
    // What a parser says about a private key may quote it.
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| refuse(&files.key, "holds no private key".to_owned()))?;
    let key = PROVIDER.key_provider.load_private_key(key);
    let key = key.map_err(|_| refuse(&files.key, "the private key is of no known kind".to_owned()))?;
    let whole = CertifiedKey::new(chain, key);
    whole.keys_match().map_err(|_| refuse(&files.key, "the key does not belong to the certificate".to_owned()))?;
    Ok(Arc::new(whole))
}
