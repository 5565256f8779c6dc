//! One lookup: the hosts file, DNS servers, and where the system knows more than these, the system.
//!
//! Who is to blame decides the verdict. A name that does not exist, or whose zone is broken, is the
//! target's fault (`dns`, down). This machine's servers of which none answers anything say nothing about
//! the target (`local_resolver`, unknown); those of a monitor's own are part of what it watches (`dns`).
//! While an answer is late the servers are asked for something that each of them knows, so that a broken
//! zone is not taken for a dead server.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::collect::dial::cache::{Addresses, Families};
use crate::collect::fault::{Fault, describe};

/// Addresses kept of one name.
const MAX_ADDRESSES: usize = 8;
/// How long the second version of IP may come after the first. RFC 8305 suggests 50 ms before dialling; a
/// monitor would rather wait than miss addresses that are to be checked.
const SECOND_FAMILY: Duration = Duration::from_millis(500);
/// How late an answer is before the servers are asked whether they live.
const LATE: Duration = Duration::from_secs(1);
/// How long one question may take. The system's default of 5 s is the whole time of a probe.
const QUESTION: Duration = Duration::from_secs(2);
/// How often a question is asked at least.
const ATTEMPTS: usize = 3;
/// How often the system's files are looked at for changes.
const LOOK: Duration = Duration::from_secs(5);
/// How long what the hosts file or the system's own resolver says is believed: neither has a time to live.
const UNTIMED: Duration = Duration::from_secs(5);

/// The system's files that say how names are looked up.
const FILES: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"];

/// Lookups by the system's own resolver at a time. Each occupies a thread until the resolver gives up,
/// whatever our deadline says; so a dead one can hold 64 threads, never the whole blocking pool.
static SYSTEM_LOOKUPS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(64)));

/// What a lookup found.
pub(super) struct Asked {
    /// In the order in which they are to be tried; at least one.
    pub(super) addresses: Addresses,
    /// How long they are to be believed; zero when something was missing.
    pub(super) ttl: Duration,
}

/// Who is asked.
pub(super) enum Servers {
    /// What the system's files say.
    System(Mutex<Option<Current>>),
    /// A monitor's own DNS servers.
    Own(Vec<SocketAddr>, Option<Box<Dns>>),
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System(_) => f.write_str("System"),
            Self::Own(list, _) => f.debug_tuple("Own").field(list).finish(),
        }
    }
}

/// The system's configuration as it was read last.
pub(super) struct Current {
    looked: Instant,
    stamp: Stamp,
    system: Arc<System>,
}

type Stamp = [Option<(SystemTime, u64)>; FILES.len()];

struct System {
    hosts: Hosts,
    /// `None` when the files name no server that could be asked.
    dns: Option<Dns>,
    /// The name service switch knows names that neither the hosts file nor DNS has.
    knows_more: bool,
}

/// DNS servers and how names are completed for them.
pub(super) struct Dns {
    resolver: TokioResolver,
    search: Vec<Name>,
    ndots: usize,
    /// They are a monitor's own, and no part of this machine.
    own: bool,
}

impl Servers {
    /// The system's.
    pub(super) fn system() -> Self {
        Self::System(Mutex::default())
    }

    /// These.
    pub(super) fn these(list: Vec<SocketAddr>) -> Self {
        let configs = list.iter().map(|at| {
            let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
            (udp.port, tcp.port) = (at.port(), at.port());
            NameServerConfig::new(at.ip(), true, vec![udp, tcp])
        });
        let config = ResolverConfig::from_name_servers(configs.collect());
        let dns = Dns::new(&config, ResolverOpts::default());
        Self::Own(list, dns.map(|dns| Box::new(Dns { own: true, ..dns })))
    }

    /// The servers of a monitor's own.
    pub(super) fn own(&self) -> &[SocketAddr] {
        match self {
            Self::System(_) => &[],
            Self::Own(list, _) => list,
        }
    }
}

impl Dns {
    fn new(config: &ResolverConfig, mut opts: ResolverOpts) -> Option<Self> {
        opts.cache_size = 0;
        opts.use_hosts_file = ResolveHosts::Never;
        opts.timeout = opts.timeout.min(QUESTION);
        opts.attempts = opts.attempts.max(ATTEMPTS);
        opts.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        let ndots = opts.ndots;
        // The names to be tried are made here: one that is looked up twice, for both versions of IP, must not
        // get its addresses from two domains.
        let search = match config.search() {
            [] => config.domain().cloned().into_iter().collect(),
            list => list.to_vec(),
        };
        let config = ResolverConfig::from_parts(None, Vec::new(), config.name_servers().to_vec());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = opts;
        let resolver = builder.build().inspect_err(|e| tracing::warn!(error = %e, "no resolver can be made")).ok()?;
        Some(Self { resolver, search, ndots, own: false })
    }

    /// The names that `name` may mean, most likely first.
    fn candidates(&self, name: &Name) -> Vec<Name> {
        if name.is_fqdn() {
            return vec![name.clone()];
        }
        let mut absolute = name.clone();
        absolute.set_fqdn(true);
        let mut all: Vec<Name> =
            self.search.iter().filter_map(|domain| name.clone().append_domain(domain).ok()).collect();
        let first = if usize::from(name.num_labels()) > self.ndots { 0 } else { all.len() };
        all.insert(first, absolute);
        all
    }
}

/// Looks `host` up. `heard` is set as soon as any server has answered anything.
pub(super) async fn ask(servers: &Servers, host: &str, families: Families, heard: &AtomicBool) -> Result<Asked, Fault> {
    let name = parse(host)?;
    let current = match servers {
        Servers::Own(_, Some(dns)) => return over_dns(dns, host, &name, families, heard).await,
        Servers::Own(_, None) => return Err(Fault::local("local_resolver", "no resolver can be made")),
        Servers::System(current) => system(current),
    };
    if let Some(ips) = in_hosts(&current.hosts, &name, families) {
        return Ok(Asked { addresses: ordered(ips), ttl: UNTIMED });
    }
    let dns = match &current.dns {
        Some(dns) if !(current.knows_more && is_of_the_house(&name)) => dns,
        Some(_) | None => return by_system(host, families, heard).await,
    };
    match over_dns(dns, host, &name, families, heard).await {
        Err(fault) if current.knows_more && !fault.is_local() => by_system(host, families, heard).await,
        result => result,
    }
}

/// Names that other sources than DNS commonly hold: those without a domain, and multicast DNS's.
fn is_of_the_house(name: &Name) -> bool {
    name.num_labels() == 1 || name.iter().next_back().is_some_and(|label| label.eq_ignore_ascii_case(b"local"))
}

fn parse(host: &str) -> Result<Name, Fault> {
    let name = if host.is_ascii() { Name::from_ascii(host) } else { Name::from_utf8(host) };
    name.map_err(|e| Fault::target("dns", format!("`{host}` is not a name that can be resolved: {e}")))
}

/// The system's configuration, read anew when a file of it has changed.
fn system(current: &Mutex<Option<Current>>) -> Arc<System> {
    let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
    let looked = Instant::now();
    if let Some(known) = &mut *current {
        if looked.duration_since(known.looked) < LOOK {
            return Arc::clone(&known.system);
        }
        known.looked = looked;
        if known.stamp == stamp() {
            return Arc::clone(&known.system);
        }
    }
    let stamp = stamp();
    let system = Arc::new(System::read());
    *current = Some(Current { looked, stamp, system: Arc::clone(&system) });
    system
}

fn stamp() -> Stamp {
    FILES.map(|file| {
        let meta = std::fs::metadata(file).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

impl System {
    fn read() -> Self {
        let dns = match hickory_resolver::system_conf::read_system_conf() {
            Ok((config, opts)) => Dns::new(&config, opts),
            Err(e) => {
                tracing::debug!(error = %e, "the system names no DNS server");
                None
            }
        };
        let hosts = Hosts::from_system().unwrap_or_default();
        let switch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        Self { hosts, dns, knows_more: knows_more(&switch) }
    }
}

/// Whether `nsswitch.conf` names another source of hosts than the hosts file and DNS: multicast DNS,
/// virtual machines, containers, directories.
fn knows_more(switch: &str) -> bool {
    let line = switch.lines().map(|l| l.split('#').next().unwrap_or("").trim()).find_map(|l| l.strip_prefix("hosts:"));
    let words = line.unwrap_or("files dns").split_whitespace();
    words.filter(|w| !w.starts_with('[') && !w.ends_with(']')).any(|w| !matches!(w, "files" | "dns"))
}

fn in_hosts(hosts: &Hosts, name: &Name, families: Families) -> Option<Vec<IpAddr>> {
    let of = |kind| {
        let found = hosts.lookup_static_host(&Query::query(name.clone(), kind));
        found.map(|l| l.answers().iter().filter_map(|r| r.data.ip_addr()).collect::<Vec<_>>()).unwrap_or_default()
    };
    let (v4, v6) = (of(RecordType::A), of(RecordType::AAAA));
    // The file is asked first and knows the whole name, as for the system: DNS does not add to it.
    let known = !v4.is_empty() || !v6.is_empty();
    let wanted = match families {
        Families::V4 => v4,
        Families::V6 => v6,
        Families::Both => [v6, v4].concat(),
    };
    (known && !wanted.is_empty()).then_some(wanted)
}

async fn over_dns(dns: &Dns, host: &str, name: &Name, families: Families, heard: &AtomicBool) -> Result<Asked, Fault> {
    let mut first: Option<Fault> = None;
    for candidate in dns.candidates(name) {
        let asking = both(dns, &candidate, families, heard);
        match with_sign_of_life(dns, asking, heard).await {
            Ok((ips, ttl)) => return Ok(Asked { addresses: ordered(ips), ttl }),
            Err(e) => {
                let fault = name_fault(host, &e, dns.own);
                // Servers that are silent about one name are so about the next.
                if fault.is_local() {
                    return Err(fault);
                }
                first.get_or_insert(fault);
            }
        }
    }
    Err(first.unwrap_or_else(|| Fault::target("dns", format!("`{host}` does not resolve"))))
}

/// While an answer is late, asks for the servers of the root, which each DNS server knows.
async fn with_sign_of_life<T>(dns: &Dns, asking: impl Future<Output = T>, heard: &AtomicBool) -> T {
    let mut asking = std::pin::pin!(asking);
    if let Ok(done) = timeout(LATE, &mut asking).await {
        return done;
    }
    let sign = async {
        if note(dns.resolver.lookup(Name::root(), RecordType::NS).await, heard).is_err() {
            tracing::debug!("no DNS server gives a sign of life");
        }
        std::future::pending::<T>().await
    };
    tokio::select! {
        biased;
        done = asking => done,
        never = sign => never,
    }
}

/// Addresses and how long they hold.
type Records = (Vec<IpAddr>, Duration);

async fn both(dns: &Dns, name: &Name, families: Families, heard: &AtomicBool) -> Result<Records, NetError> {
    match families {
        Families::V4 => one(dns, name, RecordType::A, heard).await,
        Families::V6 => one(dns, name, RecordType::AAAA, heard).await,
        Families::Both => {
            let v4 = one(dns, name, RecordType::A, heard).fuse();
            let v6 = one(dns, name, RecordType::AAAA, heard).fuse();
            let (mut v4, mut v6) = (std::pin::pin!(v4), std::pin::pin!(v6));
            tokio::select! {
                first = &mut v4 => with_second(first, v6).await,
                first = &mut v6 => with_second(first, v4).await,
            }
        }
    }
}

/// Waits for the second version of IP: for long only when the first has no address.
async fn with_second(
    first: Result<Records, NetError>,
    second: impl Future<Output = Result<Records, NetError>>,
) -> Result<Records, NetError> {
    let second = match &first {
        Ok(_) => timeout(SECOND_FAMILY, second).await.ok(),
        Err(_) => Some(second.await),
    };
    merged(first, second)
}

fn merged(first: Result<Records, NetError>, second: Option<Result<Records, NetError>>) -> Result<Records, NetError> {
    match (first, second) {
        (Ok((mut ips, ttl)), Some(Ok((more, other)))) => {
            ips.extend(more);
            Ok((ips, ttl.min(other)))
        }
        // A name commonly has addresses of one version only; the answer says so.
        (Ok(records), Some(Err(e))) | (Err(e), Some(Ok(records))) if e.is_no_records_found() => Ok(records),
        // What was not answered is not remembered as absent.
        (Ok((ips, _)), Some(Err(_)) | None) | (Err(_), Some(Ok((ips, _)))) => Ok((ips, Duration::ZERO)),
        // The error that says more than "none of this version".
        (Err(first), Some(Err(second))) if first.is_no_records_found() => Err(second),
        (Err(first), Some(Err(_)) | None) => Err(first),
    }
}

async fn one(dns: &Dns, name: &Name, kind: RecordType, heard: &AtomicBool) -> Result<Records, NetError> {
    let found = note(dns.resolver.lookup(name.clone(), kind).await, heard)?;
    let records = found.answers();
    let ips: Vec<IpAddr> = records.iter().filter_map(|r| r.data.ip_addr()).collect();
    let ttl = records.iter().map(|r| r.ttl).min().unwrap_or(0);
    Ok((ips, Duration::from_secs(u64::from(ttl))))
}

/// Sets `heard` when a server said something, be it an error.
fn note<T>(result: Result<T, NetError>, heard: &AtomicBool) -> Result<T, NetError> {
    let silent = match &result {
        Ok(_) => false,
        Err(NetError::Io(_) | NetError::Timeout | NetError::NoConnections | NetError::Busy) => true,
        Err(_) => false,
    };
    if !silent {
        heard.store(true, Ordering::Relaxed);
    }
    result
}

/// What an error of looking a name up means, and whose fault it is: servers of the monitor's `own` are no part of this
/// machine.
pub fn name_fault(host: &str, err: &NetError, own: bool) -> Fault {
    let dead = |why: &str| {
        let message = format!("`{host}` was not looked up: {why}");
        if own { Fault::target("dns", message) } else { Fault::local("local_resolver", message) }
    };
    match err {
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => {
            Fault::target("dns", format!("`{host}` does not resolve: there is no such name"))
        }
        NetError::Dns(DnsError::NoRecordsFound(_)) => {
            Fault::target("dns", format!("`{host}` does not resolve: the name has no address"))
        }
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => dead("the DNS server refuses to answer"),
        NetError::Dns(DnsError::ResponseCode(code)) => {
            Fault::target("dns", format!("`{host}` does not resolve: the DNS server says {code}")).in_doubt()
        }
        NetError::Timeout | NetError::NoConnections | NetError::Busy => dead("no DNS server answers"),
        NetError::Io(e) => {
            let fault = Fault::io("asking the DNS server", e);
            match fault.is_local() {
                true => fault,
                false => dead(&format!("no DNS server answers ({})", describe(e))),
            }
        }
        other => Fault::target("dns", format!("`{host}` does not resolve: {other}")),
    }
}

/// Asks the system's own resolver, which knows all that the system knows, on a thread.
async fn by_system(host: &str, families: Families, heard: &AtomicBool) -> Result<Asked, Fault> {
    let Ok(turn) = Arc::clone(&SYSTEM_LOOKUPS).acquire_owned().await else {
        return Err(Fault::local("local_resolver", "the resolver is shut down"));
    };
    let name = host.to_owned();
    let lookup = tokio::task::spawn_blocking(move || {
        // Held by the thread, not by the probe: a probe that is dropped leaves the lookup running.
        let _turn = turn;
        (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|a| a.ip()).collect::<Vec<_>>())
    });
    let mut ips = match lookup.await {
        Ok(Ok(ips)) => {
            heard.store(true, Ordering::Relaxed);
            ips
        }
        Ok(Err(e)) => {
            let fault = system_fault(host, &e);
            heard.fetch_or(!fault.is_local(), Ordering::Relaxed);
            return Err(fault);
        }
        Err(e) => return Err(Fault::local("local_resolver", format!("the lookup did not run: {e}"))),
    };
    ips.retain(|ip| match families {
        Families::V4 => ip.is_ipv4(),
        Families::V6 => ip.is_ipv6(),
        Families::Both => true,
    });
    ips.truncate(MAX_ADDRESSES);
    match ips.is_empty() {
        true => Err(Fault::target("dns", format!("`{host}` does not resolve: the name has no address"))),
        false => Ok(Asked { addresses: ips.into(), ttl: UNTIMED }),
    }
}

fn system_fault(host: &str, e: &io::Error) -> Fault {
    let fault = Fault::io("resolving", e);
    if fault.is_local() {
        return fault;
    }
    let text = e.to_string();
    let cause = text.rsplit(": ").next().unwrap_or(&text).to_lowercase();
    match cause.contains("temporary failure") {
        true => Fault::local("local_resolver", format!("`{host}` was not looked up: {cause}")),
        false => Fault::target("dns", format!("`{host}` does not resolve: {cause}")),
    }
}

/// The order of RFC 6724 as far as it matters: addresses that this machine has a way to, then those of
/// IPv6, then as the server gave them.
fn ordered(mut ips: Vec<IpAddr>) -> Addresses {
    ips.truncate(2 * MAX_ADDRESSES);
    if ips.len() > 1 {
        ips.sort_by_cached_key(|ip| (!has_way(*ip), ip.is_ipv4()));
        ips.dedup();
        ips.truncate(MAX_ADDRESSES);
    }
    ips.into()
}

/// Whether this machine's own tables have a way to this address. Connecting a socket of datagrams sends nothing.
pub fn has_way(ip: IpAddr) -> bool {
    let from: SocketAddr = match ip {
        IpAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    match std::net::UdpSocket::bind(from) {
        Ok(socket) => socket.connect((ip, 9)).is_ok(),
        // Without sockets of this version of IP there is no way; without files nothing was found out.
        Err(e) => !matches!(e.kind(), io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::dial::testing::{NameServer, Says};

    async fn asked(server: &NameServer, host: &str, heard: &AtomicBool) -> Result<Asked, Fault> {
        ask(&Servers::these(vec![server.at]), host, Families::Both, heard).await
    }

    #[tokio::test]
    async fn who_is_to_blame_for_a_name_without_addresses() {
        let server = NameServer::start(|name| match name {
            "good.example." => Says::A("192.0.2.1", 300),
            "empty.example." => Says::Empty,
            "broken.example." => Says::Broken,
            "refused.example." => Says::Refused,
            _ => Says::NoName,
        })
        .await;
        let heard = AtomicBool::new(false);
        let good = asked(&server, "good.example", &heard).await.unwrap();
        assert_eq!((good.addresses[0].to_string().as_str(), good.ttl.as_secs()), ("192.0.2.1", 300));
        assert!(heard.into_inner());
        for (host, class, why) in [
            ("none.example", "dns", "there is no such name"),
            ("empty.example", "dns", "has no address"),
            ("broken.example", "dns", "Server Failure"),
            ("refused.example", "dns", "refuses"),
            (&"a".repeat(64), "dns", "not a name"),
        ] {
            let fault = asked(&server, host, &AtomicBool::new(false)).await.err().unwrap();
            assert_eq!(fault.class(), class, "{fault:?}");
            assert!(fault.message().contains(why), "{fault:?}");
            // A stub resolver that reaches nobody says the same; that there is no such name is an answer.
            assert_eq!(fault.is_in_doubt(), host == "broken.example", "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_our_own_fault_unless_the_monitor_named_it() {
        let gone = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let Servers::Own(_, Some(mut dns)) = Servers::these(vec![gone]) else { panic!("no resolver") };
        for (own, want) in [(true, ("dns", false)), (false, ("local_resolver", true))] {
            dns.own = own;
            let (name, heard) = (parse("a.example").unwrap(), AtomicBool::new(false));
            let fault = over_dns(&dns, "a.example", &name, Families::V4, &heard).await.err().unwrap();
            assert_eq!((fault.class(), fault.is_local()), want, "{fault:?}");
            assert!(!heard.into_inner());
        }
    }

    #[tokio::test]
    async fn a_server_that_is_silent_about_one_name_alone_lives() {
        let server = NameServer::start(|name| match name {
            "slow.example." => Says::Nothing,
            _ => Says::Empty,
        })
        .await;
        let heard = AtomicBool::new(false);
        let asking = asked(&server, "slow.example", &heard);
        tokio::select! {
            biased;
            _ = asking => panic!("no answer comes"),
            () = async { while !heard.load(Ordering::Relaxed) { server.news().await } } => {}
        }
    }

    #[test]
    fn names_are_completed_as_the_system_does() {
        #[track_caller]
        fn check(name: &str, ndots: u8, want: &[&str]) {
            let conf = format!("nameserver 127.0.0.1\nsearch a.example b.example\noptions ndots:{ndots}\n");
            let (config, opts) = hickory_resolver::system_conf::parse_resolv_conf(conf).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _inside = runtime.enter();
            let dns = Dns::new(&config, opts).unwrap();
            let got: Vec<String> = dns.candidates(&parse(name).unwrap()).iter().map(ToString::to_string).collect();
            assert_eq!(got, want);
        }
        check("db", 1, &["db.a.example.", "db.b.example.", "db."]);
        check("db.x", 1, &["db.x.", "db.x.a.example.", "db.x.b.example."]);
        check("db.x", 2, &["db.x.a.example.", "db.x.b.example.", "db.x."]);
        check("db.x.", 1, &["db.x."]);
    }

    #[test]
    fn the_name_service_switch_says_whether_the_system_knows_more() {
        assert!(!knows_more("passwd: files systemd\nhosts:  files dns # no more\n"));
        assert!(!knows_more(""));
        assert!(!knows_more("hosts: files dns [!UNAVAIL=return]"));
        assert!(knows_more("hosts: files mdns4_minimal [NOTFOUND=return] dns"));
        assert!(knows_more("hosts: files dns mymachines"));
    }

    #[test]
    fn the_hosts_file_knows_a_name_whole() {
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(&b"192.0.2.1 a.example\n192.0.2.2 b.example\n2001:db8::2 b.example\n"[..]).unwrap();
        let of = |host, families| in_hosts(&hosts, &parse(host).unwrap(), families).map(|ips| ips.len());
        assert_eq!(of("a.example", Families::Both), Some(1));
        assert_eq!(of("b.example", Families::Both), Some(2));
        assert_eq!(of("B.example", Families::V6), Some(1));
        assert_eq!(of("c.example", Families::Both), None);
    }

    #[test]
    fn addresses_without_a_way_come_last() {
        // No machine has a way to a documentation address over a link that it does not name.
        let ips = ["fe80::1", "127.0.0.1", "127.0.0.1"].map(|a| a.parse().unwrap()).to_vec();
        let got: Vec<String> = ordered(ips).iter().map(ToString::to_string).collect();
        assert_eq!(got, ["127.0.0.1", "fe80::1"]);
    }
}
