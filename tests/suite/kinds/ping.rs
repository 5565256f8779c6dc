//! `ping` in network namespaces: a machine that answers, loses, delays, refuses, and is silent.

use std::process::Command;
use std::time::Duration;

use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{class, probe};
use crate::needs;

/// A machine of its own behind a cable, gone with the test.
struct Machine {
    name: String,
    /// Its address.
    at: String,
}

impl Machine {
    /// `number` tells the machines of one test process apart.
    fn plug_in(number: u32) -> Option<Self> {
        if !needs::allowed(nix::unistd::geteuid().is_root(), "root, for network namespaces")
            || !needs::commands(&["ip"])
        {
            return None;
        }
        let id = std::process::id() % 10_000;
        let name = format!("wd{id}n{number}");
        // Of the block for tests of network devices (RFC 2544): nobody's.
        let net = format!("198.18.{}.{}", id % 250, number * 4);
        let (ours, theirs) = (
            format!("{}{}", &net[..=net.rfind('.')?], number * 4 + 1),
            format!("{}{}", &net[..=net.rfind('.')?], number * 4 + 2),
        );
        let machine = Self { at: theirs.clone(), name: name.clone() };
        let made = run(&format!("ip netns add {name}"))
            && run(&format!("ip link add {name}a type veth peer name {name}b netns {name}"))
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
    let Some(machine) = Machine::plug_in(1) else { return };
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
    let Some(machine) = Machine::plug_in(2) else { return };
    let rules = machine.inside("nft add table ip t")
        && machine.inside("nft add chain ip t c { type filter hook input priority 0 ; }")
        && machine.inside("nft add rule ip t c icmp type echo-request reject with icmp type host-unreachable");
    if !needs::met(rules, "nft") {
        return;
    }
    let got = machine.ping("count: 1", Duration::from_millis(500)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "host_unreachable"), "{got:?}");
    assert!(got.headline().contains(&machine.at), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_delay_and_duplicates_are_measured() {
    let Some(machine) = Machine::plug_in(3) else { return };
    let device = format!("{}b", machine.name);
    let shaped = machine.inside(&format!("tc qdisc add dev {device} root netem delay 40ms duplicate 100%"));
    if !shaped {
        // Not every kernel has this queue; no other way makes packets late.
        return;
    }
    let late = machine.ping("count: 4, spacing: 10ms, expect: {rtt: {below: 20ms}}", Duration::from_secs(5)).await;
    assert_eq!((late.verdict, class(&late)), (Verdict::Down, "rtt"), "{late:?}");
    assert_eq!(value(&late, "probe_icmp_loss_ratio"), Some(0.0));
    assert!(value(&late, "probe_icmp_duplicates").is_some_and(|n| n >= 1.0), "{late:?}");
    assert!(machine.inside(&format!("tc qdisc change dev {device} root netem loss 100%")));
    let lost = machine.ping("count: 2, spacing: 10ms", Duration::from_millis(300)).await;
    assert_eq!((lost.verdict, class(&lost)), (Verdict::Down, "timeout"), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_that_may_not_be_broken_up_must_fit() {
    let Some(machine) = Machine::plug_in(4) else { return };
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
    let Some(machine) = Machine::plug_in(5) else { return };
    let rules = machine.inside("nft add table ip t")
        && machine.inside("nft add chain ip t c { type filter hook input priority 0 ; }")
        && machine.inside("nft add rule ip t c tcp dport 1001 drop")
        && machine.inside("nft add rule ip t c tcp dport 1002 reject with tcp reset")
        && machine.inside("nft add rule ip t c tcp dport 1003 reject with icmp type host-unreachable")
        && machine.inside("nft add rule ip t c udp dport 1001 drop")
        && machine.inside("nft add rule ip t c udp dport 1002 reject with icmp type port-unreachable");
    if !needs::met(rules, "nft") {
        return;
    }
    for (port, want) in [(1001, "timeout"), (1002, "connection_refused"), (1003, "host_unreachable")] {
        let at = format!("{}:{port}", machine.at);
        for (kind, text) in [
            ("tcp", format!("host: \"{at}\"")),
            ("http", format!("url: \"http://{at}/\"")),
            ("redis", format!("host: \"{at}\"")),
            // Linux tells a socket of datagrams of a port that is closed, not of a machine that is gone.
            ("udp", format!("host: \"{at}\", send: x, expect: {{contains: y}}")),
        ] {
            if kind == "udp" && port == 1003 {
                continue;
            }
            let got = probe(kind, &format!("{{{text}}}"), Duration::from_millis(500)).await;
            assert_eq!((got.verdict, class(&got)), (Verdict::Down, want), "{kind} {port}: {got:?}");
        }
    }
}
