//! What a certificate chain says, for series and for people. Every text in it is the peer's.

use rustls::pki_types::CertificateDer;

use crate::base::outcome::Sample;
use crate::base::time::Timestamp;

/// Certificates of a chain that are looked at; real chains have two to four.
const MAX_CHAIN: usize = 10;
/// Longest name kept, in bytes.
const MAX_NAME: usize = 256;
/// RFC 5280, section 4.1.2.5: `99991231235959Z` stands for "no expiry".
const NEVER: i64 = 253_402_300_799;

/// What the peer's chain says, read before anything is trusted. Texts are untrusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertFacts {
    /// Seconds since the epoch at which the first certificate of the chain expires.
    pub earliest_expiry: Option<i64>,
    /// The same for the server's own certificate.
    pub leaf_expiry: Option<i64>,
    /// Seconds since the epoch from which the server's own certificate is valid.
    pub not_before: Option<i64>,
    /// Subject of the server's certificate.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// Names it is for, at most 20.
    pub names: Vec<String>,
    /// How many certificates were sent.
    pub chain: usize,
    /// Whether the chain was verified and is trusted.
    pub verified: bool,
    /// `TLS 1.3`.
    pub version: &'static str,
    /// The time of the probe.
    pub now: Timestamp,
}

impl CertFacts {
    /// Reads a chain, the server's own certificate first. What is not understood is left out.
    pub fn of(chain: &[CertificateDer<'_>], now: Timestamp) -> Self {
        let mut facts = Self { chain: chain.len(), now, ..Self::default() };
        for (i, der) in chain.iter().take(MAX_CHAIN).enumerate() {
            let Ok((_, cert)) = x509_parser::parse_x509_certificate(der) else { continue };
            let expiry = cert.validity().not_after.timestamp();
            facts.earliest_expiry = Some(facts.earliest_expiry.map_or(expiry, |e| e.min(expiry)));
            if i == 0 {
                facts.leaf_expiry = Some(expiry);
                facts.not_before = Some(cert.validity().not_before.timestamp());
                facts.subject = capped(cert.subject().to_string());
                facts.issuer = capped(cert.issuer().to_string());
                if let Ok(Some(names)) = cert.subject_alternative_name() {
                    facts.names = names.value.general_names.iter().take(20).map(name_text).collect();
                }
            }
        }
        facts
    }

    /// Time until the first certificate of the chain expires; negative when it has.
    pub fn seconds_left(&self) -> Option<i64> {
        Some(self.earliest_expiry? - self.now.millis().div_euclid(1000))
    }

    /// blackbox_exporter's series.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        if let Some(at) = self.earliest_expiry {
            out.push(Sample::new("probe_ssl_earliest_cert_expiry", at as f64));
            if self.verified {
                out.push(Sample::new("probe_ssl_last_chain_expiry_timestamp_seconds", at as f64));
            }
        }
        out.push(Sample::new("probe_tls_version_info", 1.0).label("version", self.version));
    }

    /// Lines for a person.
    pub fn describe(&self) -> String {
        let day = |t: Option<i64>| match t {
            None => "?".to_owned(),
            Some(NEVER..) => "no end".to_owned(),
            Some(s) => Timestamp::from_millis(s.saturating_mul(1000)).to_string(),
        };
        let trust = if self.verified { "trusted" } else { "not verified as trusted" };
        let plural = if self.chain == 1 { "" } else { "s" };
        let mut text = format!("{}, {} certificate{plural}, {trust}\n", self.version, self.chain);
        text += &format!("subject  {}\nissuer   {}\n", self.subject, self.issuer);
        text += &format!("names    {}\n", self.names.join(", "));
        text += &format!("valid    {} to {}\n", day(self.not_before), day(self.leaf_expiry));
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

fn name_text(name: &x509_parser::extensions::GeneralName<'_>) -> String {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(dns) => capped((*dns).to_owned()),
        GeneralName::IPAddress(bytes) => match **bytes {
            [a, b, c, d] => std::net::Ipv4Addr::new(a, b, c, d).to_string(),
            _ => <[u8; 16]>::try_from(*bytes)
                .map_or_else(|_| "?".to_owned(), |b| std::net::Ipv6Addr::from(b).to_string()),
        },
        other => capped(other.to_string()),
    }
}

fn capped(mut text: String) -> String {
    if text.len() > MAX_NAME {
        text.truncate(text.floor_char_boundary(MAX_NAME));
        text.push('…');
    }
    text
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
        assert_eq!(facts.chain, 2);
        assert_eq!(facts.names, ["a.example", "192.0.2.1"]);
        assert!(facts.leaf_expiry > facts.earliest_expiry);
        let gone = CertFacts::of(&chain("x", &[2021]), now);
        assert!(gone.seconds_left().is_some_and(|s| s < 0));
        assert!(CertFacts::of(&chain("x", &[9999]), now).describe().contains("9999-03-29"));
    }

    #[test]
    fn junk_and_long_names_do_no_harm() {
        let junk = [CertificateDer::from(vec![0x30, 0x82, 0xff]), CertificateDer::from(Vec::new())];
        let facts = CertFacts::of(&junk, Timestamp::EPOCH);
        assert_eq!((facts.chain, facts.seconds_left()), (2, None));
        let facts = CertFacts::of(&chain(&"é".repeat(5_000), &[2030]), Timestamp::EPOCH);
        assert!(facts.describe().len() < 2_000);
    }
}
