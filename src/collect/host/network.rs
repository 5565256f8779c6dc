//! `netdev` and `netclass`: what network devices have moved, and what they are.

use std::path::Path;

use crate::base::outcome::Sample;
use crate::collect::host::files::{labelled, names, number, text};
use crate::collect::metric::Metric;

/// Columns of `/proc/net/dev`.
pub const COLUMNS: [Metric; 16] = [
    Metric::counter("node_network_receive_bytes_total", "Bytes that came in"),
    Metric::counter("node_network_receive_packets_total", "Packets that came in"),
    Metric::counter("node_network_receive_errs_total", "Packets that came in broken"),
    Metric::counter("node_network_receive_drop_total", "Packets that came in and were thrown away"),
    Metric::counter("node_network_receive_fifo_total", "Packets for which the device had no room left"),
    Metric::counter("node_network_receive_frame_total", "Packets that came in with a broken frame"),
    Metric::counter("node_network_receive_compressed_total", "Compressed packets that came in"),
    Metric::counter("node_network_receive_multicast_total", "Packets to many that came in"),
    Metric::counter("node_network_transmit_bytes_total", "Bytes that went out"),
    Metric::counter("node_network_transmit_packets_total", "Packets that went out"),
    Metric::counter("node_network_transmit_errs_total", "Packets that could not go out"),
    Metric::counter("node_network_transmit_drop_total", "Packets that were to go out and were thrown away"),
    Metric::counter("node_network_transmit_fifo_total", "Packets that the device was too slow for"),
    Metric::counter("node_network_transmit_colls_total", "Collisions on the line"),
    Metric::counter("node_network_transmit_carrier_total", "Packets that were lost because the line was gone"),
    Metric::counter("node_network_transmit_compressed_total", "Compressed packets that went out"),
];

/// What else is told of devices (Documentation/ABI/testing/sysfs-class-net).
pub const METRICS: &[Metric] = &[
    Metric::counter("node_network_receive_nohandler_total", "Packets that came in and nobody wanted"),
    Metric::gauge("node_network_up", "1 while the device works"),
    Metric::gauge("node_network_info", "Always 1; addresses and state of a device"),
    Metric::gauge(
        "node_network_address_assign_type",
        "Where a device's hardware address is from: 0 its own, 1 random, 2 another device, 3 set",
    ),
    Metric::gauge("node_network_carrier", "1 while something is at the other end of the line"),
    Metric::counter("node_network_carrier_changes_total", "How often the line came or went"),
    Metric::counter("node_network_carrier_down_changes_total", "How often the line went"),
    Metric::counter("node_network_carrier_up_changes_total", "How often the line came"),
    Metric::gauge("node_network_device_id", "Which one a device is of those that share a hardware address"),
    Metric::gauge("node_network_dormant", "1 while a device waits for something outside, such as a login"),
    Metric::gauge("node_network_flags", "The kernel's flags of the device (netdevice(7))"),
    Metric::gauge("node_network_iface_id", "The number of a device"),
    Metric::gauge("node_network_iface_link", "The number of the device that a device is on top of"),
    Metric::gauge("node_network_iface_link_mode", "1 where something outside decides whether a device works"),
    Metric::gauge("node_network_mtu_bytes", "Largest packet of a device"),
    Metric::gauge(
        "node_network_name_assign_type",
        "Where a device's name is from: 1 the kernel, 2 by its place, 3 a program, 4 renamed",
    ),
    Metric::gauge("node_network_net_dev_group", "The group that a device is in"),
    Metric::gauge("node_network_transmit_queue_length", "How many packets may wait to go out by a device"),
    Metric::gauge("node_network_protocol_type", "What kind of line a device is at (ARPHRD_…)"),
    Metric::gauge("node_network_speed_bytes", "Bytes per second that a device can move; below 0 where it does not say"),
];

/// File of `/sys/class/net/DEVICE` → series, in numbers (Documentation/ABI/testing/sysfs-class-net).
const FACTS: [(&str, &str); 17] = [
    ("addr_assign_type", "node_network_address_assign_type"),
    ("carrier", "node_network_carrier"),
    ("carrier_changes", "node_network_carrier_changes_total"),
    ("carrier_down_count", "node_network_carrier_down_changes_total"),
    ("carrier_up_count", "node_network_carrier_up_changes_total"),
    ("dev_id", "node_network_device_id"),
    ("dormant", "node_network_dormant"),
    ("flags", "node_network_flags"),
    ("ifindex", "node_network_iface_id"),
    ("iflink", "node_network_iface_link"),
    ("link_mode", "node_network_iface_link_mode"),
    ("mtu", "node_network_mtu_bytes"),
    ("name_assign_type", "node_network_name_assign_type"),
    ("netdev_group", "node_network_net_dev_group"),
    ("tx_queue_len", "node_network_transmit_queue_length"),
    ("type", "node_network_protocol_type"),
    ("speed", "node_network_speed_bytes"),
];

/// What devices have moved.
pub fn traffic(out: &mut Vec<Sample>) {
    for line in text("/proc/net/dev").unwrap_or_default().lines() {
        let Some((device, values)) = line.split_once(':') else { continue };
        let device = device.trim();
        for (column, value) in COLUMNS.iter().zip(values.split_ascii_whitespace()) {
            let Ok(value) = value.parse() else { continue };
            out.push(Sample::new(column.name, value).label("device", device));
        }
        let lost = number(format!("/sys/class/net/{device}/statistics/rx_nohandler"));
        out.extend(lost.map(|v| Sample::new("node_network_receive_nohandler_total", v).label("device", device)));
    }
}

/// What devices are.
pub fn facts(out: &mut Vec<Sample>) {
    for device in names("/sys/class/net") {
        let dir = Path::new("/sys/class/net").join(&device);
        // `bonding_masters` is a file among the devices.
        if !dir.is_dir() {
            continue;
        }
        for (file, series) in FACTS {
            let Some(mut value) = number(dir.join(file)) else { continue };
            if file == "speed" {
                // Mbit/s; -1 is "unknown", which node_exporter passes on as it is.
                value *= 125_000.0;
            }
            out.push(labelled(series.to_owned(), value, "device", &device));
        }
        let of = |file: &str| text(dir.join(file)).unwrap_or_default();
        let state = of("operstate");
        let up = if state == "up" { 1.0 } else { 0.0 };
        out.push(Sample::new("node_network_up", up).label("device", &*device));
        out.push(
            Sample::new("node_network_info", 1.0)
                .label("device", &*device)
                .label("address", of("address"))
                .label("broadcast", of("broadcast"))
                .label("duplex", of("duplex"))
                .label("ifalias", of("ifalias"))
                .label("operstate", state),
        );
    }
}
