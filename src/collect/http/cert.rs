//! Expectations about the certificates of an answer: `expect.cert`.

use std::time::Duration;

use crate::base::units::Exact;
use crate::collect::cert::{Cert, CertFacts, Name};
use crate::collect::http::want::Want;
use crate::collect::judge::{Judge, found};
use crate::config::fields::Fields;

/// One line of `expect.cert`.
pub struct CertCheck {
    test: Test,
    name: String,
}

enum Test {
    /// No certificate that was sent expires within this time.
    ValidFor(Duration),
    /// The same for the chain that is trusted, the authority at its end included.
    ChainValidFor(Duration),
    /// Who signed the server's certificate.
    Issuer(Want),
    /// Whose it is.
    Subject(Want),
    /// A name that it is for.
    Covers(String),
}

impl CertCheck {
    /// Reads and finishes `cert:`.
    pub fn read(mut own: Fields<'_>) -> Vec<Self> {
        let mut checks = Vec::new();
        let year = Duration::from_secs(365 * 86_400);
        let limits = Duration::from_secs(60)..=year * 10;
        if let Some(d) = own.duration("valid_for", limits.clone()) {
            checks.push(Self { test: Test::ValidFor(d), name: format!("certificate valid for {} more", Exact(d)) });
        }
        if let Some(d) = own.duration("chain_valid_for", limits) {
            let name = format!("trusted chain valid for {} more", Exact(d));
            checks.push(Self { test: Test::ChainValidFor(d), name });
        }
        for (key, make) in [("issuer", Test::Issuer as fn(Want) -> Test), ("subject", Test::Subject)] {
            if let Some(text) = own.text(key)
                && let Some(want) = Want::of(&own, &text)
            {
                let name = format!("certificate's {key} {} `{}`", verb(&want), found(text.shown()));
                checks.push(Self { test: make(want), name });
            }
        }
        for text in own.texts("names") {
            let name = format!("certificate is for `{}`", found(text.shown()));
            checks.push(Self { test: Test::Covers(text.value().to_ascii_lowercase()), name });
        }
        let is_wrong =
            ["valid_for", "chain_valid_for", "issuer", "subject", "names"].iter().any(|k| own.node(k).is_some());
        if checks.is_empty() && !is_wrong {
            own.missing("valid_for", "write e.g. `cert: {valid_for: 14d}`");
        }
        own.finish();
        checks
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Judges what was seen of the certificates.
    pub fn judge(&self, facts: Option<&CertFacts>, judge: &mut Judge) {
        let (ok, seen) = match facts {
            None => (false, "no certificate: the answer came without TLS".to_owned()),
            Some(facts) => self.test.judge(facts),
        };
        judge.hold("cert", &self.name, ok, seen);
    }
}

/// Names are long, and nobody writes one out: a text is looked for in it.
fn verb(want: &Want) -> &'static str {
    match want {
        Want::Equals(_) => "contains",
        Want::Matches(_) => "matches",
    }
}

impl Test {
    fn judge(&self, facts: &CertFacts) -> (bool, String) {
        let leaf = facts.leaf();
        match self {
            Self::ValidFor(least) => within(facts.seconds_left(), *least),
            Self::ChainValidFor(least) => {
                let now = facts.now.millis().div_euclid(1000);
                match facts.chain_expiry {
                    Some(end) => within(Some(end - now), *least),
                    None => (false, "no trusted chain".to_owned()),
                }
            }
            Self::Issuer(want) => holds(want, leaf.map(|c| c.issuer.as_str())),
            Self::Subject(want) => holds(want, leaf.map(|c| c.subject.as_str())),
            Self::Covers(name) => (leaf.is_some_and(|c| covers(&c.names, name)), shown_names(leaf)),
        }
    }
}

fn within(left: Option<i64>, least: Duration) -> (bool, String) {
    let ok = left.is_some_and(|s| s >= i64::try_from(least.as_secs()).unwrap_or(i64::MAX));
    let seen = match left {
        None => "no certificate that can be read".to_owned(),
        Some(s) if s < 0 => format!("expired {} days ago", (-s) / 86_400),
        Some(s) => format!("{} days left", s / 86_400),
    };
    (ok, seen)
}

fn holds(want: &Want, text: Option<&str>) -> (bool, String) {
    let ok = text.is_some_and(|t| match want {
        Want::Equals(part) => t.contains(part.as_str()),
        Want::Matches(re) => re.is_match(t),
    });
    (ok, text.map_or_else(|| "no certificate that can be read".to_owned(), found))
}

/// RFC 6125, section 6.4.3: `*` stands for one whole label, the first.
fn covers(names: &[Name], name: &str) -> bool {
    names.iter().any(|n| match n {
        Name::Dns(dns) => {
            let dns = dns.to_ascii_lowercase();
            let under_star = || dns.strip_prefix("*.") == name.split_once('.').map(|(_, rest)| rest);
            dns == name || (dns.starts_with("*.") && under_star())
        }
        Name::Ip(ip) => name.parse() == Ok(*ip),
        Name::Other(other) => *other == name,
    })
}

fn shown_names(leaf: Option<&Cert>) -> String {
    let names: Vec<String> = leaf.iter().flat_map(|c| &c.names).take(20).map(ToString::to_string).collect();
    found(&names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        #[track_caller]
        fn check(cert: &str, name: &str, ok: bool) {
            assert_eq!(covers(&[Name::Dns(cert.to_owned())], name), ok, "{name}");
        }
        check("a.example", "a.example", true);
        check("A.example", "a.example", true);
        check("*.a.example", "b.a.example", true);
        check("*.a.example", "c.b.a.example", false);
        check("*.a.example", "a.example", false);
        check("*.a.example", "*.a.example", true);
        check("a.example", "b.example", false);
    }
}
