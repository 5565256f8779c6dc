//! What the series of a kind are: the type and the meaning of each metric, for whoever asks
//! `/api/v1/metadata`. Told once for each, not with every sample.

use crate::base::metadata::{Kind, Meta};

/// A metric, or all those whose names are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name. A `*` stands for anything, once.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it says, without the unit that its name has.
    pub help: &'static str,
}

impl Metric {
    /// What only grows, until it begins anew.
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, help }
    }

    /// What goes up and down.
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, help }
    }

    /// What may be either.
    pub const fn untyped(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Unknown, help }
    }

    /// Whether it is of this name.
    pub fn is(&self, name: &str) -> bool {
        match self.name.split_once('*') {
            None => self.name == name,
            Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        }
    }

    /// The same as the store keeps it.
    pub fn meta(&self) -> Meta {
        Meta { kind: self.kind, help: self.help.to_owned(), unit: String::new() }
    }
}

/// What kinds with a name and a connection have.
pub const NETWORK: &[Metric] = &[
    Metric::gauge("probe_dns_lookup_time_seconds", "How long looking the name up took"),
    Metric::gauge("probe_ip_protocol", "The version of IP that was spoken"),
    Metric::gauge("probe_ip_addr_hash", "A number made of the address: it changes when the address does"),
    Metric::gauge("probe_ssl_earliest_cert_expiry", "When the first of a target's certificates expires, since 1970"),
    Metric::gauge(
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "When the first certificate of the trusted chain expires, since 1970",
    ),
    Metric::gauge("probe_ssl_last_chain_info", "Always 1; what the server's certificate says"),
    Metric::gauge("probe_tls_version_info", "Always 1; the version of TLS that was agreed on"),
    Metric::gauge("probe_tls_cipher_info", "Always 1; the cipher that was agreed on"),
];

/// What kinds that hold a conversation have.
pub const CONVERSATION: &[Metric] = &[
    Metric::gauge("probe_failed_due_to_regex", "1 where a regular expression decided against the target"),
    Metric::gauge("probe_expect_info", "Always 1; what regular expressions took out of the answer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_once() {
        #[track_caller]
        fn check(metric: &'static str, name: &str, want: bool) {
            assert_eq!(Metric::gauge(metric, "").is(name), want, "{metric} {name}");
        }
        check("a_b", "a_b", true);
        check("a_b", "a_bc", false);
        check("a_*", "a_b", true);
        check("a_*", "b_a_b", false);
        check("a_*_total", "a_b_total", true);
        check("a_*_total", "a_total", false);
        check("a_*_total", "a_b_totals", false);
    }
}
