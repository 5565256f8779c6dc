//! `netdev` and `netclass`: what network devices have moved, and what they are.

use std::path::Path;

use crate::base::outcome::Sample;
use crate::collect::host::files::{labelled, names, number, text};

/// Column of `/proc/net/dev` → series.
const COLUMNS: [&str; 16] = [
    "node_network_receive_bytes_total",
    "node_network_receive_packets_total",
    "node_network_receive_errs_total",
    "node_network_receive_drop_total",
    "node_network_receive_fifo_total",
    "node_network_receive_frame_total",
    "node_network_receive_compressed_total",
    "node_network_receive_multicast_total",
    "node_network_transmit_bytes_total",
    "node_network_transmit_packets_total",
    "node_network_transmit_errs_total",
    "node_network_transmit_drop_total",
    "node_network_transmit_fifo_total",
    "node_network_transmit_colls_total",
    "node_network_transmit_carrier_total",
    "node_network_transmit_compressed_total",
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
        for (series, value) in COLUMNS.into_iter().zip(values.split_ascii_whitespace()) {
            let Ok(value) = value.parse() else { continue };
            out.push(Sample::new(series, value).label("device", device));
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
