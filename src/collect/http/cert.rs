//! Expectations about the certificates of an answer: `expect.cert`.

use std::time::Duration;

use crate::base::units::Exact;
use crate::collect::cert::CertFacts;
use crate::collect::cert::expect::{is_for, is_like, lasts, names, verb};
use crate::collect::judge::{Judge, found};
use crate::collect::want::Want;
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
            checks.push(Self { test: Test::Covers(text.value().to_owned()), name });
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

impl Test {
    fn judge(&self, facts: &CertFacts) -> (bool, String) {
        let leaf = facts.leaf();
        match self {
            Self::ValidFor(least) => lasts(facts.seconds_left(), *least),
            Self::ChainValidFor(least) => {
                let now = facts.now.millis().div_euclid(1000);
                match facts.chain_expiry {
                    Some(end) => lasts(Some(end - now), *least),
                    None => (false, "no trusted chain".to_owned()),
                }
            }
            Self::Issuer(want) => holds(want, leaf.map(|c| c.issuer.as_str())),
            Self::Subject(want) => holds(want, leaf.map(|c| c.subject.as_str())),
            Self::Covers(name) => {
                let seen = leaf.map_or_else(|| "no certificate that can be read".to_owned(), names);
                (leaf.is_some_and(|c| is_for(c, name)), seen)
            }
        }
    }
}

fn holds(want: &Want, text: Option<&str>) -> (bool, String) {
    let seen = text.map_or_else(|| "no certificate that can be read".to_owned(), found);
    (text.is_some_and(|t| is_like(t, want)), seen)
}
