//! What a certificate chain says, for series and for people. Every text in it is the peer's.

pub mod expect;
pub mod name;

use std::ops::RangeInclusive;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_PKCS1_RSASSAPSS, Oid};
use x509_parser::public_key::PublicKey;

use crate::base::outcome::Sample;
use crate::base::time::Timestamp;

/// Certificates of a chain that are looked at; real chains have two to four.
pub const MAX_CHAIN: usize = 10;
/// Longest name kept, in bytes.
const MAX_NAME: usize = 256;
/// Names of one certificate that are kept; certificates of large hosters have a hundred.
const MAX_NAMES: usize = 100;
/// Names that are shown.
const SHOWN_NAMES: usize = 20;
/// Bits of the RSA keys whose signatures can be checked.
const RSA_BITS: RangeInclusive<usize> = 2_048..=8_192;
/// RFC 5280, section 4.1.2.5: `99991231235959Z` stands for "no expiry".
const NEVER: i64 = 253_402_300_799;

/// What one certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cert {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// DNS names, addresses and others that it is for.
    pub names: Vec<Name>,
    /// Seconds since the epoch from which it is valid.
    pub not_before: i64,
    /// Seconds since the epoch at which it expires.
    pub not_after: i64,
    /// `RSA 2048`, `EC P-256`, `Ed25519`.
    pub key: String,
    /// `sha256WithRSAEncryption`.
    pub signature: String,
    /// Hexadecimal.
    pub serial: String,
    /// SHA-256 of the whole certificate, hexadecimal.
    pub fingerprint: String,
    /// Whether it may sign others.
    pub authority: bool,
    /// Whether it names itself as its issuer.
    pub self_issued: bool,
    pub(crate) subject_der: Box<[u8]>,
    pub(crate) issuer_der: Box<[u8]>,
    pub(crate) der: Box<[u8]>,
}

/// One name that a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A DNS name, perhaps with `*` as its first label.
    Dns(String),
    /// An address.
    Ip(std::net::IpAddr),
    /// An address of mail, a URI and the like.
    Other(String),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(text) | Self::Other(text) => f.write_str(text),
            Self::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

impl Cert {
    /// Reads a certificate in DER; `None` when it is not one.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, cert) = x509_parser::parse_x509_certificate(der).ok()?;
        let names = match cert.subject_alternative_name() {
            Ok(Some(names)) => names.value.general_names.iter().take(MAX_NAMES).map(Name::of).collect(),
            Ok(None) | Err(_) => Vec::new(),
        };
        let mut read = Self {
            subject: capped(name::shown(cert.subject())),
            issuer: capped(name::shown(cert.issuer())),
            names,
            not_before: cert.validity().not_before.timestamp(),
            not_after: cert.validity().not_after.timestamp(),
            key: key_text(&cert),
            signature: algorithm(&cert),
            authority: cert.is_ca(),
            self_issued: cert.subject().as_raw() == cert.issuer().as_raw(),
            subject_der: cert.subject().as_raw().into(),
            issuer_der: cert.issuer().as_raw().into(),
            der: der.into(),
            ..Self::default()
        };
        let serial = cert.raw_serial();
        let zeros = serial.iter().take_while(|b| **b == 0).count();
        name::hex(&serial[zeros..serial.len().min(zeros + 32)], &mut read.serial);
        name::hex(ring::digest::digest(&ring::digest::SHA256, der).as_ref(), &mut read.fingerprint);
        Some(read)
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether this one's key has signed the other; nothing where the algorithm is none that can be checked here.
    pub fn signed(&self, other: &Self) -> Option<bool> {
        let (_, key) = x509_parser::parse_x509_certificate(&self.der).ok()?;
        let (_, other) = x509_parser::parse_x509_certificate(&other.der).ok()?;
        let certain = || {
            let key = key.public_key().parsed().ok();
            key.is_some_and(|key| is_checked(&key, &other.signature_algorithm.algorithm))
        };
        match other.verify_signature(Some(key.public_key())) {
            Ok(()) => Some(true),
            Err(X509Error::SignatureVerificationError) if certain() => Some(false),
            Err(_) => None,
        }
    }

    /// Whether the other names this one as its issuer.
    pub fn issued(&self, other: &Self) -> bool {
        self.subject_der == other.issuer_der
    }

    /// Its DNS names as blackbox_exporter joins them.
    fn dns_names(&self) -> String {
        let dns = self.names.iter().filter_map(|n| match n {
            Name::Dns(text) => Some(text.as_str()),
            Name::Ip(_) | Name::Other(_) => None,
        });
        dns.collect::<Vec<_>>().join(",")
    }

    /// Lines for a person.
    pub fn describe(&self) -> String {
        let names: Vec<String> = self.names.iter().take(SHOWN_NAMES).map(ToString::to_string).collect();
        let more = match self.names.len().saturating_sub(SHOWN_NAMES) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let mut text = format!("subject  {}\nissuer   {}\n", self.subject, self.issuer);
        text += &format!("names    {}{more}\n", names.join(", "));
        text += &format!("valid    {} to {}\n", day(self.not_before), day(self.not_after));
        text += &format!("key      {}, signed with {}\n", self.key, self.signature);
        text += &format!("serial   {}\nsha256   {}\n", self.serial, self.fingerprint);
        text
    }
}

impl Name {
    fn of(name: &GeneralName<'_>) -> Self {
        match name {
            GeneralName::DNSName(dns) => Self::Dns(capped((*dns).to_owned())),
            GeneralName::IPAddress(bytes) => match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
                (Ok(v4), _) => Self::Ip(v4.into()),
                (_, Ok(v6)) => Self::Ip(v6.into()),
                _ => Self::Other("?".to_owned()),
            },
            other => Self::Other(capped(other.to_string())),
        }
    }
}

fn day(seconds: i64) -> String {
    match seconds {
        NEVER.. => "no end".to_owned(),
        s => Timestamp::from_millis(s.saturating_mul(1000)).to_string(),
    }
}

fn key_text(cert: &X509Certificate<'_>) -> String {
    let key = cert.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(_)) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
            match curve.map(|oid| oid.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => "EC P-256".to_owned(),
                Some("1.3.132.0.34") => "EC P-384".to_owned(),
                Some("1.3.132.0.35") => "EC P-521".to_owned(),
                Some(other) => format!("EC {}", capped(other.to_owned())),
                None => "EC".to_owned(),
            }
        }
        Ok(PublicKey::DSA(_)) => "DSA".to_owned(),
        _ => match key.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => "Ed25519".to_owned(),
            other => capped(other.to_owned()),
        },
    }
}

fn algorithm(cert: &X509Certificate<'_>) -> String {
    let oid = &cert.signature_algorithm.algorithm;
    match x509_parser::objects::oid2sn(oid, x509_parser::objects::oid_registry()) {
        Ok(name) => name.to_owned(),
        Err(_) => capped(oid.to_id_string()),
    }
}

/// What a handshake agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// `TLS 1.3`; empty when the handshake failed.
    pub version: &'static str,
    /// `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The protocol chosen by ALPN; untrusted.
    pub alpn: Option<String>,
    /// Whether the peer asked for a client certificate.
    pub client_cert_asked: bool,
}

impl Handshake {
    /// Of a connection that stands.
    pub fn of(connection: &rustls::ClientConnection, client_cert_asked: bool) -> Self {
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(_) | None => "unknown",
        };
        let suite = connection.negotiated_cipher_suite().and_then(|s| s.suite().as_str()).unwrap_or("unknown");
        // rustls writes the version into the name; IANA and Go do not.
        let cipher = suite.replacen("TLS13_", "TLS_", 1);
        let alpn = connection.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned());
        Self { version, cipher, alpn, client_cert_asked }
    }
}

/// What the peer's chain says, read before anything is trusted. Texts are untrusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertFacts {
    /// The certificates as sent, the server's own first; at most ten, without those that are none. Empty when the
    /// server's own is none.
    pub chain: Vec<Cert>,
    /// How many were sent.
    pub sent: usize,
    /// What was agreed on.
    pub handshake: Handshake,
    /// The stapled OCSP response in DER; empty when there is none.
    pub staple: Vec<u8>,
    /// Whether the chain was verified and is trusted.
    pub verified: bool,
    /// Why it is not trusted, if it was looked at and is not.
    pub refused: Option<String>,
    /// Of a trusted chain: when the first of its certificates expires, the authority's included.
    pub chain_expiry: Option<i64>,
    /// The time of the probe.
    pub now: Timestamp,
}

impl CertFacts {
    /// Reads a chain, the server's own certificate first. What is not understood is left out.
    pub fn of(chain: &[CertificateDer<'_>], now: Timestamp) -> Self {
        let read: Vec<Option<Cert>> = chain.iter().take(MAX_CHAIN).map(|der| Cert::read(der)).collect();
        // The certificate after one that cannot be read is not the server's own.
        let readable = read.first().is_some_and(Option::is_some);
        let read = if readable { read.into_iter().flatten().collect() } else { Vec::new() };
        Self { chain: read, sent: chain.len(), now, ..Self::default() }
    }

    /// The server's own certificate.
    pub fn leaf(&self) -> Option<&Cert> {
        self.chain.first()
    }

    /// Seconds since the epoch at which the first certificate of those sent expires.
    pub fn earliest_expiry(&self) -> Option<i64> {
        self.chain.iter().map(|c| c.not_after).min()
    }

    /// Notes that the chain is trusted. `anchor` says when the authority with a name (DER) expires.
    ///
    /// The way from the server's certificate to the authority is found by names alone: webpki has verified that
    /// there is one, but does not say which.
    pub fn trust(&mut self, anchor: impl Fn(&[u8]) -> Option<i64>) {
        self.verified = true;
        let mut next = self.chain.first();
        let mut earliest = i64::MAX;
        for _ in 0..=MAX_CHAIN {
            let Some(cert) = next else { break };
            earliest = earliest.min(cert.not_after);
            if let Some(end) = anchor(&cert.issuer_der) {
                earliest = earliest.min(end);
                break;
            }
            next = self.chain.iter().find(|c| c.issued(cert) && !std::ptr::eq(*c, cert));
        }
        self.chain_expiry = (earliest < i64::MAX).then_some(earliest);
    }

    /// Notes why the chain is not trusted.
    pub fn distrust(&mut self, why: &str) {
        self.verified = false;
        self.refused = Some(why.to_owned());
    }

    /// Time until the first certificate of the chain expires; negative when it has.
    pub fn seconds_left(&self) -> Option<i64> {
        Some(self.earliest_expiry()? - self.now.millis().div_euclid(1000))
    }

    /// blackbox_exporter's series.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        if let Some(at) = self.earliest_expiry() {
            out.push(Sample::new("probe_ssl_earliest_cert_expiry", at as f64));
        }
        if let Some(at) = self.chain_expiry {
            out.push(Sample::new("probe_ssl_last_chain_expiry_timestamp_seconds", at as f64));
        }
        if let Some(leaf) = self.leaf() {
            out.push(
                Sample::new("probe_ssl_last_chain_info", 1.0)
                    .label("fingerprint_sha256", leaf.fingerprint.as_str())
                    .label("subject", leaf.subject.as_str())
                    .label("issuer", leaf.issuer.as_str())
                    .label("subjectalternative", capped(leaf.dns_names()))
                    .label("serialnumber", leaf.serial.as_str()),
            );
        }
        if !self.handshake.version.is_empty() {
            out.push(Sample::new("probe_tls_version_info", 1.0).word("version", self.handshake.version));
            out.push(Sample::new("probe_tls_cipher_info", 1.0).label("cipher", self.handshake.cipher.as_str()));
        }
    }

    /// Lines for a person.
    pub fn describe(&self) -> String {
        let trust = match (&self.refused, self.verified) {
            (_, true) => "trusted".to_owned(),
            (Some(why), false) => format!("not trusted: {why}"),
            (None, false) => "not verified as trusted".to_owned(),
        };
        let plural = if self.sent == 1 { "" } else { "s" };
        let mut text = match self.handshake.version {
            "" => String::new(),
            version => format!("{version}, {}, ", self.handshake.cipher),
        };
        text += &format!("{} certificate{plural}, {trust}\n", self.sent);
        if let Some(alpn) = &self.handshake.alpn {
            text += &format!("alpn     {}\n", capped(alpn.clone()));
        }
        if self.handshake.client_cert_asked {
            text += "the peer asked for a client certificate\n";
        }
        if !self.staple.is_empty() {
            text += "an OCSP response was stapled\n";
        }
        if let Some(leaf) = self.leaf() {
            text += &leaf.describe();
        }
        for (i, cert) in self.chain.iter().enumerate().skip(1) {
            text += &format!("chain {i}  {}, {} to {}\n", cert.subject, day(cert.not_before), day(cert.not_after));
        }
        if let Some(left) = self.seconds_left() {
            text += &format!("first expiry of the chain in {} days", left.div_euclid(86_400));
        }
        text
    }
}

/// Whether a certificate may sign others.
pub fn is_authority(der: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(der).is_ok_and(|(_, cert)| cert.is_ca())
}

fn capped(mut text: String) -> String {
    if text.len() > MAX_NAME {
        text.truncate(text.floor_char_boundary(MAX_NAME));
        text.push('…');
    }
    text
}

/// Whether a signature that does not verify is wrong: the library says the same of RSA keys that it does not take, and of
/// RSASSA-PSS with any salt that is not as long as the hash.
fn is_checked(key: &PublicKey<'_>, algorithm: &Oid<'_>) -> bool {
    let is_taken = !matches!(key, PublicKey::RSA(rsa) if !RSA_BITS.contains(&rsa.key_size()));
    is_taken && *algorithm != OID_PKCS1_RSASSAPSS
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn chain(cn: &str, years: &[i32]) -> Vec<CertificateDer<'static>> {
        let one = |year: &i32| {
            let mut params = CertificateParams::new(["a.example".to_owned(), "192.0.2.1".to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, cn);
            params.not_after = date_time_ymd(*year, 3, 29);
            params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
        };
        years.iter().map(one).collect()
    }

    #[test]
    fn the_first_expiry_of_the_chain_counts_whatever_its_place() {
        // 2026-03-28T12:00:00Z, the night before clocks change in Europe.
        let now = Timestamp::from_millis(1_774_699_200_000);
        let facts = CertFacts::of(&chain("x", &[2027, 2026]), now);
        assert_eq!(facts.seconds_left(), Some(43_200));
        assert_eq!((facts.sent, facts.chain.len()), (2, 2));
        let leaf = facts.leaf().unwrap();
        assert_eq!(leaf.names, [Name::Dns("a.example".to_owned()), Name::Ip([192, 0, 2, 1].into())]);
        assert!(Some(leaf.not_after) > facts.earliest_expiry());
        assert_eq!((leaf.key.as_str(), leaf.signature.as_str()), ("EC P-256", "ecdsa-with-SHA256"));
        assert_eq!(leaf.fingerprint.len(), 64);
        let gone = CertFacts::of(&chain("x", &[2021]), now);
        assert!(gone.seconds_left().is_some_and(|s| s < 0));
        assert!(CertFacts::of(&chain("x", &[9999]), now).describe().contains("9999-03-29"));
    }

    /// Two of P-521, which no library here checks: an authority, and what it signed.
    const P521: [&str; 2] = [
        "-----BEGIN CERTIFICATE-----
MIIB9jCCAVigAwIBAgIUUIwwfWBL8QtO/s3+ThpewTWLWjIwCgYIKoZIzj0EAwQw
DDEKMAgGA1UEAwwBUjAgFw0yNjExMjcwNzM1NDZaGA8yMTI2MTEwMzA3MzU0Nlow
DDEKMAgGA1UEAwwBUjCBmzAQBgcqhkjOPQIBBgUrgQQAIwOBhgAEAMdOh5hir8gb
uYcrw/qp49LEBXEHxKdzmVI221RAS5lWBz6o/07dp4u9MR/I0ZzDrQP5/T757HrA
RkRksfvtNjyCAQArH1WTgK6SCMvW7d8Q2hJDUElc6H0IdhBz5nE72OJ4MV6qPx7/
ERYnIdFG87zVAuVg+N2/M0drUDa+JajuzNTVo1MwUTAdBgNVHQ4EFgQUR4sO+SWW
MTWwX8dBARyvtgFLqVswHwYDVR0jBBgwFoAUR4sO+SWWMTWwX8dBARyvtgFLqVsw
DwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDBAOBiwAwgYcCQXQz/fUhIx+bklsg
9iSbxRev6+GeNqR9W7s7zQGs2HuEVw0DMmzEF6YUUXYNjnG5AN4mkKqL26HuboGb
XxeGn+CkAkIBYVjDWiinhyxlXZZR+9dnMyhnAKIr8lVCd4oG0iR9/M+n1dPN2gnk
ZsC4GrhQDX4pnh86XkXwrQ/oWgyUNI5MFes=
-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----
MIIBmzCB/gIUcxVz8j8jPUi5kVBjkU2VJIiltO4wCgYIKoZIzj0EAwQwDDEKMAgG
A1UEAwwBUjAgFw0yNjExMjcwNzM1NDZaGA8yMTI2MTEwMzA3MzU0NlowDDEKMAgG
A1UEAwwBSTCBmzAQBgcqhkjOPQIBBgUrgQQAIwOBhgAEAco4Lvd7Uc42Y0CEzwJn
YgRJagIFm81lOsymq9SE7gMsuLGC4NEwoZ4NlCH6GACVCBmb3hkyyLih5GsLkj7P
X+MLAawXvKyVomk6GdgdH3bf4Jv9GJxi1GiSHkdqOTuDC0Y6ZdPLNY5GQuPG5OaW
MRdikSxtBWXasIEQM/17mtlpUxsiMAoGCCqGSM49BAMEA4GLADCBhwJCAf3Entx5
JzRe7SzenPvmt+jOaHbRy9FcF41vvJYtJwKkeCXjEw8aryE9shGmuFkV4SUghbfv
b1ZlIZL0emWOGkRaAkFoNFnBx4eZ0bv0JXRVVxIbE/iDn9Kt3710/Zk61MmeGKw4
J3iknT2qpR0yQFgjDma2CKqvQiXUc9o5HLcxExIN6A==
-----END CERTIFICATE-----",
    ];

    /// An authority of RSA, and what it signed with RSASSA-PSS and the longest salt, which `openssl verify` takes.
    const PSS: [&str; 2] = [
        "-----BEGIN CERTIFICATE-----
MIIC+zCCAeOgAwIBAgIUVoUbG6IDzihz7Aadnda/gEGcADQwDQYJKoZIhvcNAQEL
BQAwDDEKMAgGA1UEAwwBUjAgFw0yNjExMjcxMDE1MjJaGA8yMTI2MTEwMzEwMTUy
MlowDDEKMAgGA1UEAwwBUjCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEB
AIMW6tIv5wj/2EvGVULIXDGwPaM8oJaHbQlP8ctnuohbdoGBr8w78fl3P1j40TAB
C0vpsFh7jrNmyqnwbuf2ZT+Zawm8n+Pp+RW9zbO06sI5PG+YzRU+lfmVkZFODtf/
3fCCKeNh/rpfvhNFqm6PcFhn2hQsvifofRytznvs7z5xC0xWEI6P/GaOAiikNEBp
4IrhaXG/SZ/uqOKn7u1ry2ofzKsNoCJK5EQ5pyOku28wYdPuZ/snoZQt8DtVk8u2
X7OqdQ0BRer/tQdMfCZdU0wI3TrOdi6tpN8YTZrj147haHdLxwKt92bvbyjutQ+v
U0QLbdurs06LuktiJJk5DBcCAwEAAaNTMFEwHQYDVR0OBBYEFDxkhqqWMg+73s8/
BquPrrn3VbNsMB8GA1UdIwQYMBaAFDxkhqqWMg+73s8/BquPrrn3VbNsMA8GA1Ud
EwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEBAGYEt9G06Ws1KjaDk6GfLck+
mg/DrL/2xDkZPyVFh0agZqG9xlzQFMR4RF6FAxp3tPVZhTRlBcH9N8ZRt1I8ylYX
SZgbCsCBdEqrX89+5ggx1JSeM20fie3DM47Xv+mOfdIQCSRv1I6kYSDx47Rtrilo
9Np5VNkD3auMyrPMujdh7khRKvKUjL5UghTOM2LJOj28T884HzgTQcByB5ydEg95
GSyxg/yA+wrfOY6ELxXX5hEhTE4HW4hlkOpLuZne20VuDUxXECghfWhv/ZsuvVeM
H+6fZl2rdfOLpXCPQoAOGewx8MFLPfmB1Crtlg5S0hWDvhFXwBgmJeJoLPgj6ZM=
-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----
MIICEDCBxAIUVtKBs7/VEfF3KBASQfPU1DrMwlAwQgYJKoZIhvcNAQEKMDWgDzAN
BglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIEAgIA
3jAMMQowCAYDVQQDDAFSMCAXDTI2MTEyNzEwMTUyMloYDzIxMjYxMTAzMTAxNTIy
WjAMMQowCAYDVQQDDAFMMCowBQYDK2VwAyEAuXYTwLke4ndqdC1Gfi5B46fVHYDf
TziT2TrFyJUYtkwwQgYJKoZIhvcNAQEKMDWgDzANBglghkgBZQMEAgEFAKEcMBoG
CSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIEAgIA3gOCAQEARPH0q2rmXgKiNCjB
z2M4NsOKfSxgqAi42jN295J/hxoIiQNcCNZR6gI5dI27OEVe6BcYok+/+zysFOmD
oo9cMXlVo2tzmSGoXKGN45fxyt0ZwoLFQiBbcDA108jV8gGh2x6LF/QZWwoDm0BN
BRKGwEwaNZ7/j7IaAhSDllNIIpIOdyR+ir7u5W5p2IBUDbI3crm95HLx9gbTyOid
//M8yWMxFMOuH9ukHnAH9USzqF/2Ed9m3f/aEuGkfw4WCmdffJGUMqxzIAirzeUk
K5JvvNkRy5SU4dR4ePQ5xsyvBCS12MrCXK56tW2/0QIoeZzkhTQhr+iBjNCQQM7N
MScYwA==
-----END CERTIFICATE-----",
    ];

    #[test]
    fn rsa_is_checked_within_the_librarys_sizes() {
        let exponent: &[u8] = &[1, 0, 1];
        for (bits, want) in [(1_024, false), (2_048, true), (8_192, true), (8_200, false)] {
            // With the zero in front that an integer above half of its range has.
            let modulus = [&[0][..], &vec![0xff; bits / 8]].concat();
            let key = PublicKey::RSA(x509_parser::public_key::RSAPublicKey { modulus: &modulus, exponent });
            assert_eq!(is_checked(&key, &x509_parser::oid_registry::OID_PKCS1_SHA256WITHRSA), want, "{bits}");
        }
    }

    #[test]
    fn a_signature_of_an_unknown_algorithm_is_neither_right_nor_wrong() {
        let read = |pem: &str| {
            let body: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
            let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
            CertFacts::of(&[CertificateDer::from(der)], Timestamp::EPOCH).chain.remove(0)
        };
        for pair in [P521, PSS] {
            let [authority, signed] = pair.map(read);
            assert!(authority.issued(&signed));
            assert_eq!(authority.signed(&signed), None, "{}", signed.signature);
        }
        assert_eq!(read(PSS[0]).signed(&read(PSS[0])), Some(true));
        let known = CertFacts::of(&chain("x", &[2030, 2031]), Timestamp::EPOCH).chain;
        assert_eq!((known[0].signed(&known[0]), known[0].signed(&known[1])), (Some(true), Some(false)));
    }

    #[test]
    fn junk_and_long_names_do_no_harm() {
        let junk = [CertificateDer::from(vec![0x30, 0x82, 0xff]), CertificateDer::from(Vec::new())];
        let facts = CertFacts::of(&junk, Timestamp::EPOCH);
        assert_eq!((facts.sent, facts.seconds_left()), (2, None));
        let facts = CertFacts::of(&chain(&"é".repeat(5_000), &[2030]), Timestamp::EPOCH);
        assert!(facts.describe().len() < 2_000);
    }

    #[test]
    fn the_authority_counts_for_the_trusted_chain_and_what_was_sent_beside_it_does_not() {
        let mut facts = CertFacts::of(&chain("x", &[2030, 2026]), Timestamp::EPOCH);
        facts.chain[1].subject_der = Box::new([1]);
        let end = facts.chain[0].not_after;
        facts.clone().trust(|_| None);
        facts.trust(|_| Some(end - 5));
        assert_eq!(facts.chain_expiry, Some(end - 5));
        assert!(facts.verified);
    }

    #[test]
    fn a_chain_that_leads_in_circles_ends() {
        let mut facts = CertFacts::of(&chain("x", &[2030, 2031]), Timestamp::EPOCH);
        facts.trust(|_| None);
        assert_eq!(facts.chain_expiry, facts.earliest_expiry());
    }
}
