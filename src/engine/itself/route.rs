//! Whether this machine has a default route, of either family.

use std::fs;

/// Whether there is one; `None` when the system does not say.
pub(crate) fn default_route() -> Option<bool> {
    let v4 = fs::read_to_string("/proc/net/route").ok();
    let v6 = fs::read_to_string("/proc/net/ipv6_route").ok();
    if v4.is_none() && v6.is_none() {
        return None;
    }
    Some(v4.is_some_and(|t| has_v4(&t)) || v6.is_some_and(|t| has_v6(&t)))
}

/// Columns: interface, destination, gateway, flags, …, mask. The flags' last bit says that the route is up.
fn has_v4(table: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (destination, flags) = (columns.next(), columns.nth(1));
        let mask = columns.nth(3);
        let up = flags.and_then(|f| u32::from_str_radix(f, 16).ok()).is_some_and(|f| f & 1 == 1);
        destination == Some("00000000") && mask == Some("00000000") && up
    })
}

/// Columns: destination, its prefix, source, its prefix, next hop, metric, references, use, flags, interface.
/// The kernel always lists an unreachable route over `lo` (`RTF_REJECT`, 0x200).
fn has_v6(table: &str) -> bool {
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let [destination, "00", .., flags, interface] = columns.as_slice() else { return false };
        let flags = u32::from_str_radix(flags, 16).unwrap_or(0);
        destination.bytes().all(|b| b == b'0') && flags & 1 == 1 && flags & 0x200 == 0 && *interface != "lo"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_route_is_one_to_everywhere_that_is_up() {
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let v4 = |line: &str| has_v4(&format!("{head}{line}\n"));
        assert!(v4("eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0"));
        assert!(!v4("eth0\t00000000\t010011AC\t0002\t0\t0\t0\t00000000\t0\t0\t0"));
        assert!(!v4("eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0"));
        assert!(!has_v4(head));
        let zero = "00000000000000000000000000000000";
        let v6 = |flags: &str, dev: &str| {
            has_v6(&format!("{zero} 00 {zero} 00 {zero} 00000400 00000001 00000000 {flags}     {dev}\n"))
        };
        assert!(v6("00000003", "eth0"));
        assert!(!v6("00200200", "lo"));
        assert!(!v6("00000201", "eth0"));
    }
}
