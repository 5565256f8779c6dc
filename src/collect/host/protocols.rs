//! `netstat`, `sockstat`, `softnet`, `udp_queues`, `arp` and `conntrack`: the kernel's network protocols.

use std::collections::BTreeMap;

use crate::base::outcome::Sample;
use crate::collect::host::files::{named, number, text};
use crate::collect::metric::Metric;

/// What is told of them. Of the kernel's own fields node_exporter does not say which count and which measure.
pub const METRICS: &[Metric] = &[
    Metric::untyped("node_netstat_*", "The field of this name in /proc/net/snmp, snmp6 or netstat"),
    Metric::gauge("node_sockstat_*_bytes", "The field of this name in /proc/net/sockstat or sockstat6, in bytes"),
    Metric::gauge("node_sockstat_*", "The field of this name in /proc/net/sockstat or sockstat6"),
    Metric::counter("node_softnet_processed_total", "Packets that a processor has taken in"),
    Metric::counter("node_softnet_dropped_total", "Packets that a processor threw away because too many waited"),
    Metric::counter(
        "node_softnet_times_squeezed_total",
        "How often a processor left packets waiting because its turn was over",
    ),
    Metric::gauge("node_udp_queues", "Bytes that wait in sockets of UDP, to be sent (`tx`) or read (`rx`)"),
    Metric::gauge("node_arp_entries", "Neighbours whose hardware address is known, by device"),
    Metric::gauge("node_nf_conntrack_entries", "Connections that the firewall follows"),
    Metric::gauge("node_nf_conntrack_entries_limit", "How many connections the firewall can follow"),
    Metric::gauge(
        "node_nf_conntrack_stat_*",
        "The column of this name in /proc/net/stat/nf_conntrack, of all processors",
    ),
];

/// All of them.
pub fn samples(out: &mut Vec<Sample>) {
    netstat(out);
    sockets(out);
    softnet(&text("/proc/net/softnet_stat").unwrap_or_default(), out);
    for (ip, file) in [("v4", "/proc/net/udp"), ("v6", "/proc/net/udp6")] {
        if let Some(text) = text(file) {
            let (send, receive) = queues(&text);
            for (queue, bytes) in [("tx", send), ("rx", receive)] {
                out.push(Sample::new("node_udp_queues", bytes).label("ip", ip).label("queue", queue));
            }
        }
    }
    arp(&text("/proc/net/arp").unwrap_or_default(), out);
    conntrack(out);
}

/// node_exporter's default choice of the hundreds of counters, as `protocol_name`.
fn is_wanted(name: &str) -> bool {
    let Some((protocol, counter)) = name.split_once('_') else { return false };
    if matches!(counter, "InErrors" | "InErrs") {
        return true;
    }
    match protocol {
        "Ip" => counter == "Forwarding",
        "Ip6" | "IpExt" => matches!(counter, "InOctets" | "OutOctets"),
        "Icmp" | "Icmp6" => matches!(counter, "InMsgs" | "OutMsgs"),
        "TcpExt" => {
            counter.starts_with("Listen")
                || counter.starts_with("Syncookies")
                || matches!(counter, "TCPSynRetrans" | "TCPTimeouts")
        }
        "Tcp" => matches!(
            counter,
            "ActiveOpens" | "InSegs" | "OutSegs" | "OutRsts" | "PassiveOpens" | "RetransSegs" | "CurrEstab"
        ),
        "Udp" | "Udp6" => {
            matches!(counter, "InDatagrams" | "OutDatagrams" | "NoPorts" | "RcvbufErrors" | "SndbufErrors")
        }
        _ => false,
    }
}

fn netstat(out: &mut Vec<Sample>) {
    let mut put = |name: String, value: &str| {
        if is_wanted(&name)
            && let Ok(value) = value.parse()
        {
            out.push(named(format!("node_netstat_{name}"), value));
        }
    };
    for file in ["/proc/net/snmp", "/proc/net/netstat"] {
        let text = text(file).unwrap_or_default();
        let mut lines = text.lines();
        // Names and values stand on two lines with the same beginning.
        while let (Some(head), Some(body)) = (lines.next(), lines.next()) {
            let (Some((protocol, names)), Some((_, values))) = (head.split_once(':'), body.split_once(':')) else {
                break;
            };
            for (name, value) in names.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
                put(format!("{protocol}_{name}"), value);
            }
        }
    }
    for line in text("/proc/net/snmp6").unwrap_or_default().lines() {
        let mut words = line.split_ascii_whitespace();
        if let (Some(name), Some(value)) = (words.next(), words.next())
            && let Some((protocol, counter)) = name.split_once('6')
        {
            put(format!("{protocol}6_{counter}"), value);
        }
    }
}

fn sockets(out: &mut Vec<Sample>) {
    let page = procfs::page_size() as f64;
    for file in ["/proc/net/sockstat", "/proc/net/sockstat6"] {
        for line in text(file).unwrap_or_default().lines() {
            let Some((protocol, values)) = line.split_once(':') else { continue };
            let mut words = values.split_ascii_whitespace();
            while let (Some(name), Some(value)) = (words.next(), words.next()) {
                let Ok(value) = value.parse::<f64>() else { break };
                out.push(named(format!("node_sockstat_{protocol}_{name}"), value));
                if name == "mem" {
                    out.push(named(format!("node_sockstat_{protocol}_mem_bytes"), value * page));
                }
            }
        }
    }
}

/// One line per processor, hexadecimal; the processor's number is the 13th column of newer kernels.
fn softnet(text: &str, out: &mut Vec<Sample>) {
    for (i, line) in text.lines().enumerate() {
        let hex = |word: &str| u32::from_str_radix(word, 16).ok();
        let columns: Vec<u32> = line.split_ascii_whitespace().map_while(hex).collect();
        let [processed, dropped, squeezed, ..] = columns.as_slice() else { continue };
        let cpu = columns.get(12).map_or_else(|| i.to_string(), u32::to_string);
        for (name, value) in [
            ("node_softnet_processed_total", processed),
            ("node_softnet_dropped_total", dropped),
            ("node_softnet_times_squeezed_total", squeezed),
        ] {
            out.push(Sample::new(name, f64::from(*value)).label("cpu", &*cpu));
        }
    }
}

/// Bytes that wait to be sent and to be read, of all sockets.
fn queues(text: &str) -> (f64, f64) {
    let (mut send, mut receive) = (0.0, 0.0);
    for line in text.lines().skip(1) {
        let both = line.split_ascii_whitespace().nth(4).and_then(|both| both.split_once(':'));
        let Some((tx, rx)) = both else { continue };
        send += u64::from_str_radix(tx, 16).unwrap_or(0) as f64;
        receive += u64::from_str_radix(rx, 16).unwrap_or(0) as f64;
    }
    (send, receive)
}

fn arp(text: &str, out: &mut Vec<Sample>) {
    let mut devices: BTreeMap<&str, u32> = BTreeMap::new();
    for line in text.lines().skip(1) {
        if let Some(device) = line.split_ascii_whitespace().last() {
            *devices.entry(device).or_default() += 1;
        }
    }
    out.extend(devices.into_iter().map(|(d, n)| Sample::new("node_arp_entries", f64::from(n)).label("device", d)));
}

fn conntrack(out: &mut Vec<Sample>) {
    for (file, name) in [("count", "node_nf_conntrack_entries"), ("max", "node_nf_conntrack_entries_limit")] {
        let value = number(format!("/proc/sys/net/netfilter/nf_conntrack_{file}"));
        out.extend(value.map(|v| Sample::new(name, v)));
    }
    let Some(text) = text("/proc/net/stat/nf_conntrack") else { return };
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split_ascii_whitespace().collect();
    let rows: Vec<Vec<u64>> =
        lines.map(|l| l.split_ascii_whitespace().map(|w| u64::from_str_radix(w, 16).unwrap_or(0)).collect()).collect();
    for (column, name) in [
        ("found", "node_nf_conntrack_stat_found"),
        ("invalid", "node_nf_conntrack_stat_invalid"),
        ("ignore", "node_nf_conntrack_stat_ignore"),
        ("insert", "node_nf_conntrack_stat_insert"),
        ("insert_failed", "node_nf_conntrack_stat_insert_failed"),
        ("drop", "node_nf_conntrack_stat_drop"),
        ("early_drop", "node_nf_conntrack_stat_early_drop"),
        ("search_restart", "node_nf_conntrack_stat_search_restart"),
    ] {
        let Some(at) = head.iter().position(|h| *h == column) else { continue };
        // One line per processor.
        let sum: u64 = rows.iter().filter_map(|row| row.get(at)).sum();
        out.push(Sample::new(name, sum as f64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_that_node_exporter_takes() {
        for name in ["Tcp_InSegs", "TcpExt_ListenDrops", "UdpLite6_InErrors", "Icmp6_InMsgs", "Ip_Forwarding"] {
            assert!(is_wanted(name), "{name}");
        }
        for name in ["Tcp_RtoMin", "TcpExt_TCPPureAcks", "Ip_InReceives", "Icmp6_InCsumErrors", "Tcp"] {
            assert!(!is_wanted(name), "{name}");
        }
    }

    #[test]
    fn processors_of_softnet_are_the_kernels() {
        let mut out = Vec::new();
        softnet("0000000a 1 2 0 0 0 0 0 0 0 0 0 00000003 0 0\n0000000b 0 0\nx", &mut out);
        let seen: Vec<_> = out.iter().map(|s| (s.labels[0].1.as_ref(), s.value)).collect();
        assert_eq!(seen, [("3", 10.0), ("3", 1.0), ("3", 2.0), ("1", 11.0), ("1", 0.0), ("1", 0.0)]);
    }

    #[test]
    fn queues_and_neighbours_are_counted() {
        let udp = "  sl local\n 1: 0100007F:0035 00000000:0000 07 0000000A:00000010 00:0\n junk";
        assert_eq!(queues(udp), (10.0, 16.0));
        let mut out = Vec::new();
        arp("IP address HW type\n10.0.0.1 0x1 0x2 aa:bb * eth0\n10.0.0.2 0x1 0x2 aa:bc * eth0\n", &mut out);
        assert_eq!(out, [Sample::new("node_arp_entries", 2.0).label("device", "eth0")]);
    }
}
