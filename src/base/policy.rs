//! What probes may do on this machine and its networks: `policy:` of the main file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// What is allowed. The default allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Ports that may be connected to; empty for all.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Networks that may be reached whatever the rest says.
    pub allow: Vec<Network>,
    /// Networks that may not be reached.
    pub deny: Vec<Network>,
    /// Addresses that are not of the public Internet may not be reached.
    pub public_only: bool,
    /// Programs that may be run; `None` for all.
    pub programs: Option<Vec<PathPattern>>,
    /// Unix sockets that may be connected to; `None` for all, or for none where only the public Internet is allowed.
    pub sockets: Option<Vec<PathPattern>>,
    /// Variables that may be set for them: names, or patterns of names. `None` for all, or for none where programs are
    /// limited.
    pub environment: Option<Vec<Box<str>>>,
}

/// What a probe starts on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program, as the monitor writes it.
    pub program: Box<str>,
    /// The variables that the monitor sets for it, or passes on to it.
    pub variables: Vec<Box<str>>,
}

impl Policy {
    /// Why no connection may be made to this address, if so. Asked for the very address that is dialled, so
    /// that no name can lead elsewhere.
    pub fn refuses(&self, to: SocketAddr) -> Option<String> {
        self.refuses_port(to.port()).or_else(|| self.refuses_address(to.ip()))
    }

    /// Why no connection may be made to this port, if so. Zero stands for what has no ports.
    pub fn refuses_port(&self, port: u16) -> Option<String> {
        let allowed = port == 0 || self.ports.is_empty() || self.ports.iter().any(|range| range.contains(&port));
        (!allowed).then(|| format!("`policy.ports` does not allow port {port}"))
    }

    /// Whether it matters where a name leads.
    pub fn limits_addresses(&self) -> bool {
        self.public_only || !self.deny.is_empty()
    }

    /// Why nothing may be sent to this address, if so. An address that stands for another one (IPv4 in IPv6, NAT64,
    /// 6to4) is judged as both.
    pub fn refuses_address(&self, ip: IpAddr) -> Option<String> {
        let shown = ip;
        let ip = ip.to_canonical();
        let inner = embedded(ip).map(IpAddr::V4);
        let stands_for = [Some(ip), inner];
        let within = |list: &[Network]| {
            let both = stands_for.iter().flatten();
            both.filter_map(|ip| list.iter().find(|n| n.contains(*ip))).next().copied()
        };
        // What is allowed is allowed for what it leads to: allowing all of NAT64 does not open 10.0.0.0/8 behind it.
        if self.allow.iter().any(|n| n.contains(inner.unwrap_or(ip))) {
            return None;
        }
        if let Some(network) = within(&self.deny) {
            return Some(format!("`policy.networks.deny` has {network}, and {shown} is in it"));
        }
        let private = self.public_only && stands_for.iter().flatten().any(|ip| !is_global(*ip));
        private.then(|| format!("{shown} is no address of the public Internet, and `policy.private` is `deny`"))
    }

    /// Why this Unix socket may not be connected to, if so. What listens there is this machine's, as loopback is.
    pub fn refuses_socket(&self, path: &str) -> Option<String> {
        match &self.sockets {
            Some(list) if list.iter().any(|p| p.matches(path)) => None,
            Some(_) => Some(format!("`policy.sockets` does not allow `{path}`")),
            None if self.public_only => {
                Some(format!("`policy.private` is `deny`, and `policy.sockets` does not allow `{path}`"))
            }
            None => None,
        }
    }

    /// Why this program may not be run, if so.
    pub fn refuses_program(&self, program: &str) -> Option<String> {
        let allowed = self.programs.as_ref().is_none_or(|list| list.iter().any(|p| p.matches(program)));
        (!allowed).then(|| format!("`policy.programs` does not allow `{program}`"))
    }

    /// Why this variable may not be set for a program, if so.
    pub fn refuses_variable(&self, name: &str) -> Option<String> {
        if self.programs.is_none() && self.environment.is_none() {
            return None;
        }
        if loads_code(name) {
            return Some(format!("`{name}` decides what code a program runs, and `policy` limits programs"));
        }
        let allowed = self.environment.iter().flatten().any(|p| glob(p.as_bytes(), name.as_bytes()));
        (!allowed).then(|| format!("`policy.environment` does not allow `{name}`"))
    }
}

/// Whether a variable makes the dynamic loader, a shell or an interpreter run code of the setter's choice: with one of
/// these, every program is any program. No list is complete, which is why variables are refused unless they are listed.
pub fn loads_code(name: &str) -> bool {
    const NAMES: [&str; 22] = [
        "PATH",
        "IFS",
        "ENV",
        "PS4",
        "SHELLOPTS",
        "BASHOPTS",
        "CDPATH",
        "GLOBIGNORE",
        "GCONV_PATH",
        "GETCONF_DIR",
        "GLIBC_TUNABLES",
        "LOCPATH",
        "NLSPATH",
        "CLASSPATH",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "PERLLIB",
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "OPENSSL_CONF",
        "OPENSSL_ENGINES",
    ];
    const BEGINNINGS: [&str; 11] =
        ["LD_", "BASH_", "PERL5", "PYTHON", "RUBY", "GEM_", "BUNDLE_", "NODE_", "LUA_", "GIT_", "OPENSSL_MODULES"];
    NAMES.contains(&name) || BEGINNINGS.iter().any(|start| name.starts_with(start))
}

/// Bits before the IPv4 address in one of IPv6 that stands for it (`::ffff:0:0/96`, RFC 4291).
const MAPPED: u8 = 96;

/// Addresses with a common beginning: `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is in it.
    pub fn contains(self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (u32::from(base) ^ u32::from(ip)) & mask == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (u128::from(base) ^ u128::from(ip)) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// Text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is neither an address nor a network")]
pub struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    /// `192.0.2.0/24`, `2001:db8::/32`, or one address. `::ffff:192.0.2.0/120` is the first one in other words:
    /// addresses are judged as what they stand for, and nothing would ever be in it as it is written.
    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let base: IpAddr = ip.parse().map_err(|_| NoNetwork)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits: u8 = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(NoNetwork)?,
        };
        match base.to_canonical() {
            IpAddr::V4(inner) if base.is_ipv6() => {
                Ok(Self { base: inner.into(), bits: bits.checked_sub(MAPPED).ok_or(NoNetwork)? })
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(Self { base, bits }),
        }
    }
}

/// A program or a socket: its path, or a pattern of paths. `*` and `?` stand for any text and any character
/// between two `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern(String);

impl PathPattern {
    /// From a path or a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    fn matches(&self, path: &str) -> bool {
        // `/opt/checks/../../bin/sh` begins like something that is allowed.
        if path.split('/').any(|part| part == ".." || part == ".") {
            return self.0 == path;
        }
        let (mut patterns, mut parts) = (self.0.split('/'), path.split('/'));
        loop {
            match (patterns.next(), parts.next()) {
                (None, None) => return true,
                (Some(pattern), Some(part)) if glob(pattern.as_bytes(), part.as_bytes()) => {}
                (Some(_) | None, Some(_) | None) => return false,
            }
        }
    }
}

/// Whether `text` fits `pattern`. Goes back to the last `*` alone, so the cost is their product at most.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match (pattern.get(p), text.get(t)) {
            (Some(b'*'), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(b'?'), _) => (p, t) = (p + 1, t + 1),
            (Some(a), Some(b)) if a == b => (p, t) = (p + 1, t + 1),
            (Some(_) | None, _) => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

/// The IPv4 address that an IPv6 one leads to: NAT64 (RFC 6052), 6to4 (RFC 3056), IPv4-compatible (RFC 4291).
fn embedded(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0x64, 0xff9b, 0, 0, 0, 0] => Some(v4(g, h)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0] if g != 0 => Some(v4(g, h)),
        _ => None,
    }
}

/// Whether the address belongs to the public Internet, by IANA's registries of special-purpose addresses.
fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !SPECIAL_V4.iter().any(|(base, bits)| in_v4(ip, *base, *bits)),
        IpAddr::V6(ip) => !SPECIAL_V6.iter().any(|(base, bits)| in_v6(ip, *base, *bits)),
    }
}

fn in_v4(ip: Ipv4Addr, base: [u8; 4], bits: u8) -> bool {
    Network { base: IpAddr::V4(base.into()), bits }.contains(IpAddr::V4(ip))
}

fn in_v6(ip: Ipv6Addr, base: [u16; 3], bits: u8) -> bool {
    let [a, b, c] = base;
    Network { base: IpAddr::V6([a, b, c, 0, 0, 0, 0, 0].into()), bits }.contains(IpAddr::V6(ip))
}

const SPECIAL_V4: [([u8; 4], u8); 16] = [
    // This network: Linux connects 0.0.0.0 to itself.
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Shared by the customers of a provider; one cloud keeps the machine's credentials at 100.100.100.200.
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Link-local: 169.254.169.254 is where clouds keep the machine's credentials.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    ([255, 255, 255, 255], 32),
];

/// The first three groups and the length.
const SPECIAL_V6: [([u16; 3], u8); 11] = [
    // Unspecified, loopback, and IPv4-compatible ones.
    ([0, 0, 0], 96),
    // NAT64 of a site's own.
    ([0x64, 0xff9b, 1], 48),
    ([0x100, 0, 0], 64),
    // Teredo, benchmarks, ORCHID.
    ([0x2001, 0, 0], 23),
    ([0x2001, 0xdb8, 0], 32),
    ([0x3fff, 0, 0], 20),
    ([0x5f00, 0, 0], 16),
    // Unique local: fd00:ec2::254 is where a cloud keeps the machine's credentials.
    ([0xfc00, 0, 0], 7),
    ([0xfe80, 0, 0], 10),
    ([0xfec0, 0, 0], 10),
    ([0xff00, 0, 0], 8),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> Policy {
        Policy { public_only: true, ..Policy::default() }
    }

    #[test]
    fn addresses_that_are_not_of_the_public_internet_are_refused_however_they_are_written() {
        #[track_caller]
        fn check(text: &str, refused: bool) {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(strict().refuses(SocketAddr::new(ip, 80)).is_some(), refused, "{text}");
            assert_eq!(Policy::default().refuses(SocketAddr::new(ip, 80)), None, "{text}");
        }
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "3fff::1",
        ] {
            check(text, true);
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "169.253.0.1",
            "192.167.255.255",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn what_is_allowed_wins_then_what_is_denied_then_what_is_private() {
        let nets = |list: &[&str]| list.iter().map(|n| n.parse().unwrap()).collect::<Vec<Network>>();
        let policy = Policy { allow: nets(&["10.1.0.0/16"]), deny: nets(&["192.0.2.0/24", "2606::/16"]), ..strict() };
        let why = |text: &str| policy.refuses_address(text.parse().unwrap());
        assert_eq!(why("10.1.2.3"), None);
        assert_eq!(why("::ffff:10.1.2.3"), None);
        assert_eq!(why("64:ff9b::a01:203"), None);
        assert!(why("10.2.0.1").unwrap().contains("public Internet"));
        assert!(why("::ffff:192.0.2.7").unwrap().starts_with("`policy.networks.deny` has 192.0.2.0/24"));
        assert!(why("2606:4700::1").is_some());
        assert_eq!(why("8.8.8.8"), None);
        // Allowing the prefix of NAT64 does not open what is behind it.
        let nat = Policy { allow: nets(&["64:ff9b::/96"]), ..strict() };
        assert!(nat.refuses_address("64:ff9b::a00:1".parse().unwrap()).is_some());
        let only = Policy { allow: nets(&["198.51.100.7"]), deny: nets(&["0.0.0.0/0", "::/0"]), ..Policy::default() };
        assert_eq!(only.refuses_address("198.51.100.7".parse().unwrap()), None);
        assert!(only.refuses_address("198.51.100.8".parse().unwrap()).is_some());
        assert!(only.refuses_address("2606:4700::1".parse().unwrap()).is_some());
    }

    #[test]
    fn ports() {
        let policy = Policy { ports: vec![80..=80, 8000..=8999], ..Policy::default() };
        let refuses = |port| policy.refuses(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).is_some();
        assert_eq!([80, 8000, 8999, 81, 443, 9000].map(refuses), [false, false, false, true, true, true]);
    }

    #[test]
    fn programs_are_paths_and_patterns_within_one_folder() {
        #[track_caller]
        fn check(pattern: &str, program: &str, allowed: bool) {
            let policy = Policy { programs: Some(vec![PathPattern::new(pattern)]), ..Policy::default() };
            assert_eq!(policy.refuses_program(program).is_none(), allowed, "{pattern} {program}");
        }
        check("/usr/bin/true", "/usr/bin/true", true);
        check("/usr/bin/true", "/usr/bin/tru", false);
        check("/usr/lib/nagios/plugins/check_*", "/usr/lib/nagios/plugins/check_disk", true);
        check("/usr/lib/nagios/plugins/check_*", "/usr/lib/nagios/plugins/negate", false);
        check("/usr/lib/nagios/plugins/*", "/usr/lib/nagios/plugins/sub/check", false);
        check("/usr/lib/nagios/plugins/*", "/usr/lib/nagios/plugins/../../../bin/sh", false);
        check("/opt/*/check", "/opt/../check", false);
        check("/opt/a?c/*.sh", "/opt/abc/x.sh", true);
        check("*a*b*c", "xxaxxbxxbxc", true);
        check("*a*b*c", "xxaxxbxxbx", false);
        check("*", "/bin/sh", false);
        check("true", "true", true);
        let none = Policy { programs: Some(Vec::new()), ..Policy::default() };
        assert_eq!(none.refuses_program("true").unwrap(), "`policy.programs` does not allow `true`");
    }

    #[test]
    fn sockets_are_of_this_machine() {
        #[track_caller]
        fn check(policy: &Policy, path: &str, allowed: bool) {
            assert_eq!(policy.refuses_socket(path).is_none(), allowed, "{path}");
        }
        check(&Policy::default(), "/run/docker.sock", true);
        check(&strict(), "/run/docker.sock", false);
        let some = Policy { sockets: Some(vec![PathPattern::new("/run/php/*.sock")]), ..Policy::default() };
        for policy in [&some, &Policy { public_only: true, ..some.clone() }] {
            check(policy, "/run/php/fpm.sock", true);
            check(policy, "/run/docker.sock", false);
            check(policy, "/run/php/../docker.sock", false);
        }
    }

    #[test]
    fn variables_are_those_that_are_listed_and_never_those_that_load_code() {
        #[track_caller]
        fn check(policy: &Policy, name: &str, allowed: bool) {
            assert_eq!(policy.refuses_variable(name).is_none(), allowed, "{name}");
        }
        check(&Policy::default(), "LD_PRELOAD", true);
        let limited = Policy { programs: Some(vec![PathPattern::new("/bin/true")]), ..Policy::default() };
        check(&limited, "TOKEN", false);
        let environment = Some(vec!["TOKEN".into(), "CHECK_*".into(), "*".into()]);
        let listed = Policy { environment: Some(vec!["TOKEN".into(), "CHECK_*".into()]), ..limited.clone() };
        check(&listed, "TOKEN", true);
        check(&listed, "CHECK_HOST", true);
        check(&listed, "TOKENS", false);
        for name in "PATH LD_PRELOAD LD_AUDIT BASH_ENV ENV BASH_FUNC_ls%% PERL5OPT PERL5DB PYTHONPATH PYTHONSTARTUP \
                     RUBYOPT NODE_OPTIONS GCONV_PATH IFS"
            .split_whitespace()
        {
            check(&Policy { environment: environment.clone(), ..limited.clone() }, name, false);
            check(&Policy { environment: environment.clone(), ..Policy::default() }, name, false);
        }
        assert_eq!(limited.refuses_variable("A").unwrap(), "`policy.environment` does not allow `A`");
    }

    #[test]
    fn networks_are_read_whole_or_not_at_all() {
        for bad in ["", "10.0.0.0/33", "::/129", "10/8", "a", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(bad.parse::<Network>(), Err(NoNetwork), "{bad}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("255.1.2.3".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
        assert_eq!("192.0.2.1".parse::<Network>().unwrap().to_string(), "192.0.2.1/32");
    }

    #[test]
    fn a_network_of_ipv4_in_ipv6_is_that_of_ipv4() {
        for (text, want) in [
            ("::ffff:127.0.0.0/104", Ok("127.0.0.0/8")),
            ("::ffff:192.0.2.1", Ok("192.0.2.1/32")),
            ("::ffff:0:0/96", Ok("0.0.0.0/0")),
            ("::ffff:10.0.0.0/95", Err(NoNetwork)),
            ("::fffe:a00:0/104", Ok("::fffe:a00:0/104")),
        ] {
            assert_eq!(text.parse::<Network>().map(|n| n.to_string()), want.map(str::to_owned), "{text}");
        }
        let policy = Policy { deny: vec!["::ffff:127.0.0.0/104".parse().unwrap()], ..Policy::default() };
        for ip in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert!(policy.refuses_address(ip.parse().unwrap()).is_some(), "{ip}");
        }
    }
}
