//! By which way a target is reached: options that every kind with a connection shares.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::collect::dial::cache::{Families, Names};
use crate::config::fields::Fields;
use crate::config::report::Code;

/// DNS servers of one monitor; more are a mistake.
const MAX_SERVERS: usize = 8;
/// Where DNS is spoken.
const DNS_PORT: u16 = 53;

/// The way to a target. The default is the system's: its resolver, both versions of IP.
#[derive(Clone, Debug, Default)]
pub struct Route {
    ip: IpVersion,
    /// Who is asked instead of the system's resolver.
    resolver: Option<Arc<Names>>,
    /// Who is dialled, whatever the name says.
    pinned: Option<Pinned>,
}

/// Which addresses of a name are dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum IpVersion {
    /// All, in the system's order.
    #[default]
    Both,
    /// IPv4 alone.
    Only4,
    /// IPv6 alone.
    Only6,
    /// IPv4; IPv6 for a name that has no address of IPv4.
    Prefer4,
    /// The other way round.
    Prefer6,
}

/// `connect_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pinned {
    ip: IpAddr,
    port: Option<u16>,
}

impl Route {
    /// Reads `ip_version`, `resolver` and `connect_to`.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let hint = "write `4`, `6`, `prefer4` or `prefer6`";
        let ip = fields.parse("ip_version", hint, |text| match text {
            "4" => Ok(IpVersion::Only4),
            "6" => Ok(IpVersion::Only6),
            "prefer4" => Ok(IpVersion::Prefer4),
            "prefer6" => Ok(IpVersion::Prefer6),
            other => Err(format!("`{other}` is no version of IP")),
        });
        let resolver = servers(fields, "resolver").filter(|list| !list.is_empty()).map(|list| Names::of(&list));
        let hint = "write an address, `192.0.2.1`, or an address with a port, `192.0.2.1:8443`";
        let pinned = fields.parse("connect_to", hint, |text| match endpoint(text) {
            Some((ip, port)) => Ok(Pinned { ip, port }),
            None => Err(format!("`{text}` is not an address")),
        });
        Self { ip: ip.unwrap_or_default(), resolver, pinned }
    }

    /// The same way for another name, for which no address was given.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        Self { pinned: None, ..self.clone() }
    }

    /// The same way to another port of the same machine: an address that was given with a port keeps that to itself.
    #[must_use]
    pub fn on_other_port(&self) -> Self {
        Self { pinned: self.pinned.map(|p| Pinned { port: None, ..p }), ..self.clone() }
    }

    /// Whether an address was given.
    pub fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// The address that is dialled whatever the name says.
    pub fn pinned(&self, port: u16) -> Option<SocketAddr> {
        self.pinned.map(|p| SocketAddr::new(p.ip, p.port.unwrap_or(port)))
    }

    /// Who is asked for addresses; `None` for the system's resolver.
    pub(super) fn names(&self) -> Option<&Arc<Names>> {
        self.resolver.as_ref()
    }

    /// What is asked for.
    pub(super) fn families(&self) -> Families {
        match self.ip {
            IpVersion::Both | IpVersion::Prefer4 | IpVersion::Prefer6 => Families::Both,
            IpVersion::Only4 => Families::V4,
            IpVersion::Only6 => Families::V6,
        }
    }

    /// Whether this address of a name that has these addresses is dialled.
    pub(super) fn takes(&self, ip: IpAddr, all: &[IpAddr]) -> bool {
        match self.ip {
            IpVersion::Both => true,
            IpVersion::Only4 => ip.is_ipv4(),
            IpVersion::Only6 => ip.is_ipv6(),
            IpVersion::Prefer4 => ip.is_ipv4() || !all.iter().any(IpAddr::is_ipv4),
            IpVersion::Prefer6 => ip.is_ipv6() || !all.iter().any(IpAddr::is_ipv6),
        }
    }
}

/// An optional list of DNS servers, each an address with or without a port.
pub fn servers(fields: &mut Fields<'_>, key: &'static str) -> Option<Vec<SocketAddr>> {
    fields.node(key)?;
    let mut list = Vec::new();
    for text in fields.texts(key) {
        match endpoint(text.value()) {
            Some((ip, port)) => list.push(SocketAddr::new(ip, port.unwrap_or(DNS_PORT))),
            None => {
                let message = format!("`{key}`: `{}` is not the address of a DNS server", text.shown());
                let hint = "write an address, `192.0.2.53`, or an address with a port, `[2001:db8::53]:5353`";
                fields.error(text.span, Code::BadValue, message, hint);
            }
        }
    }
    if list.len() > MAX_SERVERS {
        let message = format!("`{key}` has {} servers, allowed are {MAX_SERVERS}", list.len());
        fields.error(fields.head(), Code::OutOfRange, message, "leave the others out");
        list.truncate(MAX_SERVERS);
    }
    Some(list)
}

/// `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:53`.
fn endpoint(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse() {
        return Some((ip, None));
    }
    let both: SocketAddr = text.parse().ok().filter(|a: &SocketAddr| a.port() != 0)?;
    Some((both.ip(), Some(both.port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stand_with_or_without_a_port() {
        #[track_caller]
        fn check(text: &str, want: Option<(&str, Option<u16>)>) {
            assert_eq!(endpoint(text), want.map(|(ip, port)| (ip.parse().unwrap(), port)), "{text}");
        }
        check("192.0.2.1", Some(("192.0.2.1", None)));
        check("192.0.2.1:53", Some(("192.0.2.1", Some(53))));
        check("2001:db8::1", Some(("2001:db8::1", None)));
        check("[2001:db8::1]", Some(("2001:db8::1", None)));
        check("[2001:db8::1]:5353", Some(("2001:db8::1", Some(5353))));
        check("192.0.2.1:0", None);
        check("dns.example.com", None);
    }

    #[test]
    fn the_other_version_is_dialled_only_without_the_preferred_one() {
        let (v4, v6): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "::1".parse().unwrap());
        let route = Route { ip: IpVersion::Prefer6, ..Route::default() };
        assert!(route.takes(v6, &[v4, v6]) && !route.takes(v4, &[v4, v6]) && route.takes(v4, &[v4]));
        let route = Route { ip: IpVersion::Only6, ..Route::default() };
        assert!(!route.takes(v4, &[v4]));
    }
}
