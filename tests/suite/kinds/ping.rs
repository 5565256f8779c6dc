//! `ping` in network namespaces: a machine that answers, loses, delays, refuses, and is silent.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{class, probe};
use crate::needs;

/// A machine of its own behind a cable, gone with the test.
struct Machine {
    name: String,
    /// Its address.
    at: String,
    /// The address of our end of the cable.
    ours: String,
}

impl Machine {
    fn plug_in() -> Option<Self> {
        /// Tells the machines of one test process apart.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !needs::allowed(nix::unistd::geteuid().is_root(), "root, for network namespaces")
            || !needs::commands(&["ip"])
        {
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        assert!(number < 63, "the addresses of one process are used up");
        let id = std::process::id() % 10_000;
        let name = format!("wd{id}n{number}");
        // Of the block for tests of network devices (RFC 2544): nobody's.
        let net = format!("198.18.{}.{}", id % 250, number * 4);
        let (ours, theirs) = (
            format!("{}{}", &net[..=net.rfind('.')?], number * 4 + 1),
            format!("{}{}", &net[..=net.rfind('.')?], number * 4 + 2),
        );
        if !needs::allowed(run(&format!("ip netns add {name}")), "network namespaces") {
            return None;
        }
        // Its end takes the namespace away: not before there is one of its own.
        let machine = Self { at: theirs.clone(), ours: ours.clone(), name: name.clone() };
        let made = run(&format!("ip link add {name}a type veth peer name {name}b netns {name}"))
            && run(&format!("ip addr add {ours}/30 dev {name}a"))
            && run(&format!("ip link set {name}a up"))
            && machine.inside(&format!("ip addr add {theirs}/30 dev {name}b"))
            && machine.inside(&format!("ip link set {name}b up"))
            && machine.inside("ip link set lo up");
        needs::allowed(made, "network namespaces").then_some(machine)
    }

    fn inside(&self, command: &str) -> bool {
        run(&format!("ip netns exec {} {command}", self.name))
    }

    fn inside_with(&self, program: &str, args: &[&str]) -> bool {
        let output = Command::new("ip").args(["netns", "exec", &self.name, program]).args(args).output();
        output.is_ok_and(|o| o.status.success())
    }

    async fn ping(&self, options: &str, limit: Duration) -> Outcome {
        probe("ping", &format!("{{host: {}, {options}}}", self.at), limit).await
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        run(&format!("ip link del {}a", self.name));
        run(&format!("ip netns del {}", self.name));
    }
}

fn run(command: &str) -> bool {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output();
    output.is_ok_and(|o| o.status.success())
}

fn value(outcome: &Outcome, name: &str) -> Option<f64> {
    outcome.samples.iter().find(|s| s.name == name).map(|s| s.value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_answers_is_up_and_one_that_drops_is_down() {
    let Some(machine) = Machine::plug_in() else { return };
    let good = machine.ping("count: 3, spacing: 10ms", Duration::from_secs(5)).await;
    assert_eq!((good.verdict, value(&good, "probe_icmp_replies")), (Verdict::Up, Some(3.0)), "{good:?}");
    assert!(machine.inside("sysctl -qw net.ipv4.icmp_echo_ignore_all=1"));
    let silent = machine.ping("count: 2, spacing: 10ms", Duration::from_millis(300)).await;
    assert_eq!((silent.verdict, class(&silent)), (Verdict::Down, "timeout"), "{silent:?}");
    assert_eq!(value(&silent, "probe_icmp_loss_ratio"), Some(1.0));
    assert!(silent.phases.iter().any(|p| p.name == "rtt" && p.failed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_refuses_says_so() {
    let Some(machine) = Machine::plug_in() else { return };
    let rules = machine.inside("nft add table ip t")
        && machine.inside("nft add chain ip t c { type filter hook input priority 0 ; }")
        && machine.inside("nft add rule ip t c icmp type echo-request reject with icmp type host-unreachable");
    if !needs::allowed(rules, "nft") {
        return;
    }
    let got = machine.ping("count: 1", Duration::from_millis(500)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "host_unreachable"), "{got:?}");
    assert!(got.headline().contains(&machine.at), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_is_measured() {
    let Some(machine) = Machine::plug_in() else { return };
    let rules = machine.inside("nft add table ip t")
        && machine.inside("nft add chain ip t c { type filter hook input priority 0 ; }")
        && machine.inside("nft add rule ip t c icmp type echo-request numgen inc mod 2 == 0 drop");
    if !needs::allowed(rules, "nft with numgen") {
        return;
    }
    let half = machine.ping("count: 4, spacing: 10ms", Duration::from_secs(5)).await;
    assert_eq!((half.verdict, value(&half, "probe_icmp_loss_ratio")), (Verdict::Up, Some(0.5)), "{half:?}");
    let bad = machine.ping("count: 4, spacing: 10ms, expect: {loss: {below: 50}}", Duration::from_secs(5)).await;
    assert_eq!((bad.verdict, class(&bad)), (Verdict::Down, "loss"), "{bad:?}");
    assert!(bad.headline().contains("50 % (2 of 4)"), "{bad:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_are_late_are_no_loss() {
    let Some(machine) = Machine::plug_in() else { return };
    // 8,000 bytes a second: the first reply passes at once, each of the others waits for those before it.
    let shaped =
        machine.inside(&format!("tc qdisc add dev {}b root tbf rate 64kbit burst 1600 limit 20000", machine.name));
    if !needs::allowed(shaped, "tc with tbf") {
        return;
    }
    let options = "count: 4, spacing: 10ms, size: 1000, expect: {rtt: {below: 20ms}}";
    let late = machine.ping(options, Duration::from_secs(5)).await;
    assert_eq!((late.verdict, class(&late)), (Verdict::Down, "rtt"), "{late:?}");
    assert_eq!(value(&late, "probe_icmp_loss_ratio"), Some(0.0), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_come_twice_are_counted_as_such() {
    let Some(machine) = Machine::plug_in() else { return };
    let rules = machine.inside("nft add table ip t")
        && machine.inside("nft add chain ip t c { type filter hook output priority 0 ; }")
        && machine.inside(&format!("nft add rule ip t c icmp type echo-reply dup to {}", machine.ours));
    if !needs::allowed(rules, "nft with dup") {
        return;
    }
    let twice = machine.ping("count: 3, spacing: 10ms", Duration::from_secs(5)).await;
    assert_eq!((twice.verdict, value(&twice, "probe_icmp_replies")), (Verdict::Up, Some(3.0)), "{twice:?}");
    // The copy of the last reply may come when nobody listens any more.
    assert!(value(&twice, "probe_icmp_duplicates").is_some_and(|n| n >= 2.0), "{twice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_leave_is_no_loss() {
    let Some(machine) = Machine::plug_in() else { return };
    // What waits for the neighbour's address has left, as far as the sender is told.
    let known = machine.ping("count: 1", Duration::from_secs(5)).await;
    assert_eq!(known.verdict, Verdict::Up, "{known:?}");
    // No packet of this size fits into the queue of our own end.
    let full = run(&format!("tc qdisc add dev {}a root tbf rate 8kbit burst 100 limit 200", machine.name));
    if !needs::allowed(full, "tc with tbf") {
        return;
    }
    let got = machine.ping("count: 2, spacing: 10ms, size: 1000", Duration::from_secs(5)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Unknown, "local_network"), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_machines_are_down_and_take_no_room_from_others() {
    let Some(machine) = Machine::plug_in() else { return };
    let net = std::process::id() % 64 * 4;
    let attached = run(&format!("ip addr add 198.19.{net}.1/22 dev {}a", machine.name));
    assert!(attached);
    // What is for a machine that does not say where it is waits in the sender's buffer: more than one socket holds.
    let limit = Duration::from_secs(2);
    let absent = (2..602).map(|i| {
        let host = format!("198.19.{}.{}", net + i / 256, i % 256);
        async move { probe("ping", &format!("{{host: {host}, count: 45, spacing: 10ms}}"), limit).await }
    });
    let present = (0..20).map(|_| machine.ping("count: 12, spacing: 100ms", limit));
    let all = futures_util::future::join(join_all(absent), join_all(present));
    let (absent, present) = all.await;
    for got in absent {
        assert_eq!(got.verdict, Verdict::Down, "{got:?}");
    }
    for got in present {
        assert_eq!((got.verdict, value(&got, "probe_icmp_loss_ratio")), (Verdict::Up, Some(0.0)), "{got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_ends_in_time_for_the_last_reply() {
    let Some(machine) = Machine::plug_in() else { return };
    let got = machine.ping("count: 100, spacing: 100ms", Duration::from_secs(1)).await;
    assert_eq!((got.verdict, value(&got, "probe_icmp_loss_ratio")), (Verdict::Up, Some(0.0)), "{got:?}");
    assert!(value(&got, "probe_icmp_requests").is_some_and(|n| n < 12.0), "{got:?}");
    assert!(got.summary.contains("more there was no time"), "{got:?}");
}

/// What `watchdog probe ping` says of itself inside the machine, without the privilege to send raw packets.
fn unprivileged(machine: &Machine, host: &str) -> serde_json::Value {
    let output = Command::new("ip")
        .args(["netns", "exec", &machine.name, "setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"])
        .args([env!("CARGO_BIN_EXE_watchdog"), "--json", "probe", "ping", host, "--count", "2", "--spacing", "10ms"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text} {output:?}"))
}

#[test]
fn without_privilege_datagrams_are_used_or_what_is_missing_is_named() {
    let Some(machine) = Machine::plug_in() else { return };
    if !needs::commands(&["setpriv"]) {
        return;
    }
    // Which groups may use sockets of ICMP is a matter of each namespace: here none.
    assert!(machine.inside_with("sysctl", &["-qw", "net.ipv4.ping_group_range=1 0"]));
    for host in ["127.0.0.1", "::1"] {
        let denied = unprivileged(&machine, host);
        assert_eq!(denied["verdict"], "unknown", "{denied}");
        assert_eq!(denied["reason"]["class"], "local_denied", "{denied}");
        assert!(denied["reason"]["message"].as_str().unwrap().contains("net.ipv4.ping_group_range"), "{denied}");
    }
    assert!(machine.inside_with("sysctl", &["-qw", "net.ipv4.ping_group_range=0 2147483647"]));
    for host in ["127.0.0.1", "::1"] {
        let got = unprivileged(&machine, host);
        assert_eq!(got["verdict"], "up", "{got}");
        let sample = |name: &str| {
            let all = got["samples"].as_array().unwrap();
            all.iter().find(|s| s["name"] == name).map(|s| s["value"].as_f64().unwrap())
        };
        assert_eq!(sample("probe_icmp_replies"), Some(2.0), "{got}");
        assert_eq!(sample("probe_icmp_reply_hop_limit"), Some(64.0), "{got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_that_may_not_be_broken_up_must_fit() {
    let Some(machine) = Machine::plug_in() else { return };
    for (size, want) in [(1_472, Verdict::Up), (1_473, Verdict::Down)] {
        let got = machine.ping(&format!("size: {size}, dont_fragment: true"), Duration::from_secs(2)).await;
        assert_eq!(got.verdict, want, "{size}: {got:?}");
        assert!(want == Verdict::Up || class(&got) == "mtu", "{got:?}");
    }
    let whole = machine.ping("size: 1473", Duration::from_secs(2)).await;
    assert_eq!(whole.verdict, Verdict::Up, "{whole:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_firewall_does_has_its_class_whatever_the_kind() {
    let Some(machine) = Machine::plug_in() else { return };
    let rules = machine.inside("sysctl -qw net.ipv4.icmp_ratelimit=0")
        && machine.inside("nft add table ip t")
        && machine.inside("nft add chain ip t c { type filter hook input priority 0 ; }")
        && machine.inside("nft add rule ip t c tcp dport 1001 drop")
        && machine.inside("nft add rule ip t c tcp dport 1002 reject with tcp reset")
        && machine.inside("nft add rule ip t c tcp dport 1003 reject with icmp type host-unreachable")
        && machine.inside("nft add rule ip t c udp dport 1001 drop")
        && machine.inside("nft add rule ip t c udp dport 1002 reject with icmp type port-unreachable")
        && machine.inside("nft add rule ip t c udp dport 1003 reject with icmp type host-unreachable")
        && machine.inside("nft add rule ip t c tcp dport 1004 reject with icmp type admin-prohibited")
        && machine.inside("nft add rule ip t c udp dport 1004 reject with icmp type admin-prohibited");
    if !needs::allowed(rules, "nft") {
        return;
    }
    let at = |port: u16, want| (format!("{}:{port}", machine.at), want);
    let (refused, gone) = ("connection_refused", "host_unreachable");
    have_classes(&[at(1001, "timeout"), at(1002, refused), at(1003, gone), at(1004, gone)]).await;
}

/// Each kind says the same of a target that cannot be reached.
async fn have_classes(targets: &[(String, &str)]) {
    // One datagram and no other is the first: how often in a second a router says something to somebody is limited.
    for kind in ["udp", "tcp", "http", "redis", "ntp", "dns"] {
        // These ask until their time is over: a way may come back.
        let asks_again = ["ntp", "dns"].contains(&kind);
        let asked = targets.iter().map(|(at, want)| async move {
            let text = match kind {
                "udp" => format!("host: \"{at}\", send: x, expect: {{contains: y}}"),
                "http" => format!("url: \"http://{at}/\""),
                "dns" => format!("query_name: a.example, servers: \"{at}\""),
                _ => format!("host: \"{at}\""),
            };
            let limit = Duration::from_secs(match *want {
                // Only what is silent takes all of the time.
                "timeout" => 1,
                "host_unreachable" | "network_unreachable" if asks_again => 8,
                _ => 60,
            });
            let got = probe(kind, &format!("{{{text}}}"), limit).await;
            assert_eq!((got.verdict, class(&got)), (Verdict::Down, *want), "{kind} {at}: {got:?}");
        });
        if asks_again {
            join_all(asked).await;
        } else {
            for one in asked {
                one.await;
            }
        }
    }
}

/// Answers as a server of NTP, or of DNS that knows nothing.
async fn answer(socket: tokio::net::UdpSocket) {
    let mut heard = [0; 512];
    while let Ok((n, from)) = socket.recv_from(&mut heard).await {
        let answer = if n == 48 {
            let mut answer = [1; 48];
            (answer[0], answer[1]) = (4 << 3 | 4, 2);
            answer[24..32].copy_from_slice(&heard[40..48]);
            answer.to_vec()
        } else {
            [&heard[..2], &[0x81, 0x80], &heard[4..6], &[0; 6], &heard[12..n]].concat()
        };
        let _ = socket.send_to(&answer, from).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_router_says_once_and_a_queue_that_is_full_are_lost_datagrams() {
    let Some(machine) = Machine::plug_in() else { return };
    let server = tokio::net::UdpSocket::bind(format!("{}:0", machine.ours)).await.unwrap();
    let port = server.local_addr().unwrap().port();
    // The machine leads back here, but for every other datagram, the first of which is the first of all.
    let router = machine.inside("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0")
        && machine.inside("nft add table ip t")
        && machine.inside("nft add chain ip t in { type nat hook prerouting priority -100 ; }")
        && machine.inside(&format!("nft add rule ip t in udp dport 1001 dnat to {}:{port}", machine.ours))
        && machine.inside("nft add chain ip t out { type nat hook postrouting priority 100 ; }")
        && machine.inside("nft add rule ip t out masquerade")
        && machine.inside("nft add chain ip t c { type filter hook forward priority 0 ; }")
        && machine.inside(&format!(
            "nft add rule ip t c udp dport {port} numgen inc mod 2 0 reject with icmp type host-unreachable"
        ));
    if !needs::allowed(router, "nft") {
        return;
    }
    let device = format!("{}a", machine.name);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(answer(server));
    let text = |kind| match kind {
        "dns" => format!("{{query_name: a.example, servers: \"{}:1001\"}}", machine.at),
        _ => format!("{{host: \"{}:1001\"}}", machine.at),
    };
    for kind in ["ntp", "dns"] {
        let got = probe(kind, &text(kind), Duration::from_secs(60)).await;
        assert_eq!(got.verdict, Verdict::Up, "{kind}: {got:?}");
    }
    // Known for good, for nobody can be asked while the queue is full.
    run(&format!("ip neigh change {} dev {device} nud permanent", machine.at));
    let full = format!("tc qdisc replace dev {device} root tbf rate 1kbit burst 10 limit 10");
    if !needs::commands(&["tc"]) || !needs::allowed(run(&full), "tc") {
        return;
    }
    for kind in ["ntp", "dns", "udp"] {
        let got = probe(kind, &text(kind), Duration::from_secs(3)).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Unknown, "local_network"), "{kind}: {got:?}");
    }
    for kind in ["ntp", "dns"] {
        assert!(run(&full));
        let making_room = async {
            let dropped = || Command::new("tc").args(["-s", "qdisc", "show", "dev", &device]).output().unwrap().stdout;
            while String::from_utf8(dropped()).unwrap().contains("(dropped 0,") {
                tokio::task::yield_now().await;
            }
            assert!(run(&format!("tc qdisc del dev {device} root")));
        };
        let text = text(kind);
        let asked = probe(kind, &text, Duration::from_secs(60));
        let (got, ()) = futures_util::future::join(asked, making_room).await;
        assert_eq!(got.verdict, Verdict::Up, "{kind}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_router_says_has_its_class_whatever_the_kind() {
    let Some(machine) = Machine::plug_in() else { return };
    // Of the block for documentation (RFC 5737): behind the machine, which knows no way on, or none to that host.
    let [nowhere, gone] = [1, 2].map(|n| format!("203.0.113.{}", std::process::id() % 120 * 2 + n));
    let router = machine.inside("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0")
        && machine.inside(&format!("ip route add unreachable {gone}/32"))
        && [&nowhere, &gone].iter().all(|to| run(&format!("ip route add {to}/32 via {}", machine.at)));
    if !needs::allowed(router, "network namespaces that forward") {
        return;
    }
    let at = |host: &str, want| (format!("{host}:1001"), want);
    have_classes(&[at(&nowhere, "network_unreachable"), at(&gone, "host_unreachable")]).await;
}
