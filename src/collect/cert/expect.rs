//! What monitors expect of certificates, whatever kind they are of.

use std::net::IpAddr;
use std::time::Duration;

use crate::collect::cert::{Cert, Name};
use crate::collect::judge::found;
use crate::collect::want::Want;

/// Whether `left` seconds are enough, and what that is in words.
pub fn lasts(left: Option<i64>, least: Duration) -> (bool, String) {
    let ok = left.is_some_and(|s| s >= i64::try_from(least.as_secs()).unwrap_or(i64::MAX));
    let seen = match left {
        None => "no certificate that can be read".to_owned(),
        Some(s) if s < 0 => format!("expired {} days ago", (-s) / 86_400),
        Some(s) => format!("{} days left", s / 86_400),
    };
    (ok, seen)
}

/// Whether a name is as wanted. Such names are long, and nobody writes one out: a text is looked for in it.
pub fn is_like(name: &str, want: &Want) -> bool {
    match want {
        Want::Equals(part) => name.contains(part.as_str()),
        Want::Matches(re) => re.is_match(name),
    }
}

/// How [`is_like`] compares, in words.
pub fn verb(want: &Want) -> &'static str {
    match want {
        Want::Equals(_) => "contains",
        Want::Matches(_) => "matches",
    }
}

/// Whether a certificate is for a name: RFC 9525, section 6.3, with `*` as the whole first label only.
pub fn is_for(cert: &Cert, wanted: &str) -> bool {
    let ip: Option<IpAddr> = wanted.parse().ok();
    let host = wanted.trim_end_matches('.').to_ascii_lowercase();
    cert.names.iter().any(|name| match (name, ip) {
        (Name::Ip(has), Some(ip)) => *has == ip,
        (Name::Dns(has), None) => {
            let has = has.to_ascii_lowercase();
            let below = has.strip_prefix("*.").zip(host.split_once('.'));
            has == host || below.is_some_and(|(has, (_, parent))| has == parent)
        }
        (Name::Other(has), None) => has == wanted,
        (Name::Ip(_), None) | (Name::Dns(_) | Name::Other(_), Some(_)) => false,
    })
}

/// The names of a certificate, cut to a line.
pub fn names(cert: &Cert) -> String {
    let names: Vec<String> = cert.names.iter().take(20).map(ToString::to_string).collect();
    found(&names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_a_wildcard() {
        let names = ["*.Example.com", "example.org", "192.0.2.1"].map(str::to_owned);
        let key = rcgen::KeyPair::generate().unwrap();
        let der = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let cert = Cert::read(der.der()).unwrap();
        for (name, want) in [
            ("www.example.com", true),
            ("WWW.EXAMPLE.COM.", true),
            ("*.example.com", true),
            ("a.b.example.com", false),
            ("example.com", false),
            ("example.org", true),
            ("www.example.org", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
        ] {
            assert_eq!(is_for(&cert, name), want, "{name}");
        }
    }
}
