//! Data as node_exporter gives it, made up: what encodings and block files are measured with.
//!
//! A host has 500 series. Half are counters, most of them idle or slow; the rest are byte gauges that
//! wander in pages, constants, states, load averages, durations and a histogram.

use std::f64::consts::SQRT_2;

use crate::base::labels::Labels;

/// Samples of one series of a made-up host.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is called.
    pub labels: Labels,
    kind: Kind,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A counter that moves by about so much per step, in units of 1 / `scale`.
    Counter { pace: f64, noise: f64, scale: f64 },
    /// A counter that rests with this probability, else moves.
    Idle { rest: f64, pace: f64, scale: f64 },
    /// Bytes in pages, a random walk; moves with the given probability.
    Pages { start: f64, step: f64, moves: f64 },
    /// Never changes.
    Constant(f64),
    /// 0 or 1; changes with this probability.
    State(f64),
    /// An average with two decimals.
    Load,
    /// Seconds with nine decimals.
    Duration(f64),
    /// A float without digits.
    Random,
    /// A counter of seconds summed up in binary, as histograms do.
    Sum(f64),
}

impl Kind {
    /// So many values, of which the series is at `seed`.
    pub fn values(self, seed: u64, n: usize) -> Vec<f64> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut normal = move || (0..6).map(|_| rng.f64()).sum::<f64>() * SQRT_2 - 3.0 * SQRT_2;
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5555);
        let mut exponential = move || -(1.0 - rng.f64()).ln();
        let mut rng = fastrand::Rng::with_seed(seed ^ 0xaaaa);
        // Load changes over minutes to hours and moves all that depends on it.
        let mut tide = 1.0_f64;
        let mut x = rng.u32(0..1_000_000) as f64;
        let mut flag = rng.bool();
        let mut load = rng.f64() * 2.0;
        if let Self::Pages { start, .. } = self {
            x = (start * (0.5 + rng.f64()) / 4096.0).floor();
        }
        if let Self::Sum(_) = self {
            x = rng.f64() * 1000.0;
        }
        (0..n)
            .map(|_| {
                tide = (tide + normal() * 0.03).clamp(0.2, 3.0);
                match self {
                    Self::Counter { pace, noise, scale } => {
                        x += (pace * tide * (1.0 + noise * normal())).max(0.0).round();
                        x / scale
                    }
                    Self::Idle { rest, pace, scale } => {
                        if rng.f64() > rest {
                            x += (pace * exponential()).ceil();
                        }
                        x / scale
                    }
                    Self::Pages { step, moves, .. } => {
                        if rng.f64() < moves {
                            x = (x + step * normal()).round().abs();
                        }
                        x * 4096.0
                    }
                    Self::Constant(v) => v,
                    Self::State(p) => {
                        flag ^= rng.f64() < p;
                        f64::from(u8::from(flag))
                    }
                    Self::Load => {
                        load = (load * 0.95 + 0.05 * exponential() * tide).max(0.0);
                        (load * 100.0).round() / 100.0
                    }
                    Self::Duration(mean) => (mean * (0.7 + 0.3 * exponential()) * 1e9).round() / 1e9,
                    Self::Random => rng.f64(),
                    Self::Sum(mean) => {
                        x += mean * exponential();
                        x
                    }
                }
            })
            .collect()
    }
}

impl Series {
    /// Its values.
    pub fn values(&self, n: usize) -> Vec<f64> {
        if let Kind::Counter { scale: -1.0, pace, noise } = self.kind {
            // A histogram's buckets share their observations: `pace` of them, `noise` of which fall below.
            let mut rng = fastrand::Rng::with_seed(self.seed);
            let mut x = 0.0;
            return (0..n)
                .map(|_| {
                    let observed = (pace * (0.8 + 0.4 * rng.f64())).round();
                    x += (observed * noise).round();
                    x
                })
                .collect();
        }
        self.kind.values(self.seed, n)
    }
}

/// The 500 series of a host.
pub fn host(host: usize) -> Vec<Series> {
    use Kind::{Constant, Counter, Duration, Idle, Load, Pages, State, Sum};
    let instance = format!("node-{host:03}.example.com:9100");
    let mut all = Vec::new();
    let mut add = |name: &str, extra: &[(&str, &str)], kind: Kind| {
        let mut pairs = vec![("__name__", name), ("instance", &instance), ("job", "node")];
        pairs.extend(extra);
        let labels = Labels::new(pairs);
        let seed = labels.fingerprint();
        all.push(Series { labels, kind, seed });
    };
    for cpu in ["0", "1", "2", "3"] {
        let modes = [("idle", 1300.0), ("user", 120.0), ("system", 50.0), ("iowait", 8.0), ("softirq", 4.0)];
        for (mode, pace) in modes {
            let kind = Counter { pace, noise: if mode == "idle" { 0.03 } else { 0.3 }, scale: 100.0 };
            add("node_cpu_seconds_total", &[("cpu", cpu), ("mode", mode)], kind);
        }
        for mode in ["irq", "steal", "nice"] {
            let kind = if mode == "nice" { Idle { rest: 0.98, pace: 2.0, scale: 100.0 } } else { Constant(0.0) };
            add("node_cpu_seconds_total", &[("cpu", cpu), ("mode", mode)], kind);
        }
        add("node_cpu_guest_seconds_total", &[("cpu", cpu), ("mode", "nice")], Constant(0.0));
        add("node_cpu_guest_seconds_total", &[("cpu", cpu), ("mode", "user")], Constant(0.0));
        add("node_softnet_processed_total", &[("cpu", cpu)], Counter { pace: 9_000.0, noise: 0.3, scale: 1.0 });
        add("node_softnet_dropped_total", &[("cpu", cpu)], Constant(0.0));
        add("node_softnet_times_squeezed_total", &[("cpu", cpu)], Idle { rest: 0.9, pace: 1.0, scale: 1.0 });
    }
    for (device, busy) in [("sda", 1.0), ("sdb", 0.0), ("dm-0", 0.3)] {
        let d = [("device", device)];
        for (name, pace, scale) in [
            ("node_disk_reads_completed_total", 60.0, 1.0),
            ("node_disk_writes_completed_total", 200.0, 1.0),
            ("node_disk_reads_merged_total", 3.0, 1.0),
            ("node_disk_writes_merged_total", 90.0, 1.0),
            ("node_disk_read_bytes_total", 5_000.0, 1.0 / 512.0),
            ("node_disk_written_bytes_total", 20_000.0, 1.0 / 512.0),
            ("node_disk_io_time_seconds_total", 700.0, 1000.0),
            ("node_disk_io_time_weighted_seconds_total", 1_500.0, 1000.0),
            ("node_disk_read_time_seconds_total", 100.0, 1000.0),
            ("node_disk_write_time_seconds_total", 800.0, 1000.0),
        ] {
            let kind = match busy {
                0.0 => Idle { rest: 0.995, pace: pace / 10.0, scale },
                _ => Counter { pace: pace * busy, noise: 0.5, scale },
            };
            add(name, &d, kind);
        }
        for name in [
            "node_disk_discards_completed_total",
            "node_disk_discards_merged_total",
            "node_disk_discarded_sectors_total",
            "node_disk_discard_time_seconds_total",
            "node_disk_flush_requests_total",
        ] {
            add(name, &d, Constant(0.0));
        }
        add("node_disk_io_now", &d, if busy > 0.5 { State(0.2) } else { Constant(0.0) });
        add("node_disk_info", &[("device", device), ("model", "QEMU HARDDISK"), ("rotational", "1")], Constant(1.0));
    }
    for (device, busy) in [("eth0", 1.0), ("eth1", 0.0), ("lo", 0.1), ("docker0", 0.0)] {
        let d = [("device", device)];
        for way in ["receive", "transmit"] {
            for (what, pace) in [("bytes", 4_000_000.0), ("packets", 6_000.0)] {
                let name = format!("node_network_{way}_{what}_total");
                let kind = match busy {
                    0.0 => Idle { rest: 0.9, pace: pace / 50_000.0, scale: 1.0 },
                    _ => Counter { pace: pace * busy, noise: 0.4, scale: 1.0 },
                };
                add(&name, &d, kind);
            }
            for what in ["errs", "drop", "fifo", "compressed", "multicast"] {
                let name = format!("node_network_{way}_{what}_total");
                let idle = Idle { rest: 0.97, pace: 1.0, scale: 1.0 };
                add(&name, &d, if what == "drop" && busy > 0.0 { idle } else { Constant(0.0) });
            }
        }
        add("node_network_up", &d, Constant(f64::from(u8::from(busy > 0.0))));
        for name in [
            "node_network_mtu_bytes",
            "node_network_speed_bytes",
            "node_network_carrier",
            "node_network_flags",
            "node_network_iface_id",
            "node_network_carrier_changes_total",
            "node_network_transmit_queue_length",
        ] {
            add(name, &d, Constant(name.len() as f64 * 100.0));
        }
        add(
            "node_network_info",
            &[("device", device), ("operstate", "up"), ("broadcast", "ff:ff:ff:ff:ff:ff")],
            Constant(1.0),
        );
    }
    for (i, name) in [
        "MemFree",
        "MemAvailable",
        "Cached",
        "Active",
        "Inactive",
        "AnonPages",
        "Active_anon",
        "Inactive_anon",
        "Active_file",
        "Inactive_file",
        "Committed_AS",
        "Dirty",
        "Writeback",
        "Slab",
        "SReclaimable",
        "SUnreclaim",
        "PageTables",
        "KernelStack",
        "Mapped",
        "Shmem",
        "Buffers",
    ]
    .iter()
    .enumerate()
    {
        let kind = Pages { start: 4e9 / (1.0 + i as f64), step: 3_000.0 / (1.0 + (i * i) as f64), moves: 0.9 };
        add(&format!("node_memory_{name}_bytes"), &[], kind);
    }
    for name in [
        "MemTotal",
        "SwapTotal",
        "SwapFree",
        "SwapCached",
        "CommitLimit",
        "VmallocTotal",
        "VmallocChunk",
        "Unevictable",
        "Mlocked",
        "HugePages_Total",
        "HugePages_Free",
        "HugePages_Rsvd",
        "HugePages_Surp",
        "Hugepagesize",
        "Hugetlb",
        "HardwareCorrupted",
        "Bounce",
        "NFS_Unstable",
        "WritebackTmp",
        "CmaTotal",
        "CmaFree",
    ] {
        add(&format!("node_memory_{name}_bytes"), &[], Constant(name.len() as f64 * 1_048_576.0));
    }
    for mount in ["/", "/boot", "/home", "/var", "/run"] {
        let d = [("device", "/dev/sda1"), ("fstype", "ext4"), ("mountpoint", mount)];
        let moves = if mount == "/var" || mount == "/" { 0.6 } else { 0.01 };
        for name in ["avail_bytes", "free_bytes"] {
            add(&format!("node_filesystem_{name}"), &d, Pages { start: 3e10, step: 20.0, moves });
        }
        add("node_filesystem_files_free", &d, Pages { start: 3e9, step: 2.0, moves: moves / 2.0 });
        for name in ["files", "size_bytes", "readonly", "device_error"] {
            add(&format!("node_filesystem_{name}"), &d, Constant(f64::from(mount.len() as u32)));
        }
    }
    for (i, name) in [
        "Tcp_InSegs",
        "Tcp_OutSegs",
        "Tcp_ActiveOpens",
        "Tcp_PassiveOpens",
        "Tcp_RetransSegs",
        "Udp_InDatagrams",
        "Udp_OutDatagrams",
        "IpExt_InOctets",
        "IpExt_OutOctets",
        "Icmp_InMsgs",
        "Icmp_OutMsgs",
        "Ip_Forwarding",
        "Tcp_InErrs",
        "Udp_NoPorts",
        "Udp_InErrors",
        "TcpExt_ListenDrops",
        "TcpExt_ListenOverflows",
        "TcpExt_SyncookiesSent",
        "TcpExt_TCPTimeouts",
        "Udp6_InErrors",
    ]
    .iter()
    .enumerate()
    {
        let kind = match i {
            0..5 => Counter { pace: 4_000.0 / (1 + i * i) as f64, noise: 0.3, scale: 1.0 },
            5..7 => Counter { pace: 30.0, noise: 0.5, scale: 1.0 },
            7..9 => Counter { pace: 4e6, noise: 0.4, scale: 1.0 },
            9..11 => Idle { rest: 0.7, pace: 2.0, scale: 1.0 },
            _ => Idle { rest: 0.99, pace: 1.0, scale: 1.0 },
        };
        add(&format!("node_netstat_{name}"), &[], kind);
    }
    for (name, pace) in [
        ("pgfault", 30_000.0),
        ("pgmajfault", 0.0),
        ("pgpgin", 2_500.0),
        ("pgpgout", 10_000.0),
        ("pswpin", 0.0),
        ("pswpout", 0.0),
        ("oom_kill", 0.0),
    ] {
        let kind = if pace > 0.0 {
            Counter { pace, noise: 0.4, scale: 1.0 }
        } else {
            Idle { rest: 0.99, pace: 3.0, scale: 1.0 }
        };
        add(&format!("node_vmstat_{name}"), &[], kind);
    }
    add("node_context_switches_total", &[], Counter { pace: 90_000.0, noise: 0.2, scale: 1.0 });
    add("node_intr_total", &[], Counter { pace: 50_000.0, noise: 0.2, scale: 1.0 });
    add("node_forks_total", &[], Counter { pace: 40.0, noise: 0.5, scale: 1.0 });
    for name in ["node_load1", "node_load5", "node_load15"] {
        add(name, &[], Load);
    }
    add("node_time_seconds", &[], Duration(1.0));
    for i in 0..6 {
        let unit = format!("service-{i}.service");
        for state in ["active", "activating", "deactivating", "failed", "inactive"] {
            let d = [("name", unit.as_str()), ("state", state), ("type", "simple")];
            let kind = if i == 0 { State(0.002) } else { Constant(f64::from(u8::from(state == "active"))) };
            add("node_systemd_unit_state", &d, kind);
        }
    }
    for collector in
        ["cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "netstat", "stat", "time", "vmstat"]
    {
        let d = [("collector", collector)];
        add("node_scrape_collector_duration_seconds", &d, Duration(0.004));
        add("node_scrape_collector_success", &d, Constant(1.0));
    }
    let total = 1.0;
    for (le, part) in [
        ("0.005", 0.1),
        ("0.01", 0.3),
        ("0.025", 0.5),
        ("0.05", 0.7),
        ("0.1", 0.9),
        ("0.25", 0.99),
        ("0.5", total),
        ("1", total),
        ("2.5", total),
        ("5", total),
        ("10", total),
        ("+Inf", total),
    ] {
        let d = [("handler", "/metrics"), ("le", le)];
        add("http_request_duration_seconds_bucket", &d, Counter { pace: 40.0, noise: part, scale: -1.0 });
    }
    add(
        "http_request_duration_seconds_count",
        &[("handler", "/metrics")],
        Counter { pace: 40.0, noise: 1.0, scale: -1.0 },
    );
    add("http_request_duration_seconds_sum", &[("handler", "/metrics")], Sum(0.8));
    add("process_resident_memory_bytes", &[], Pages { start: 3e7, step: 40.0, moves: 0.3 });
    add("process_cpu_seconds_total", &[], Counter { pace: 3.0, noise: 0.5, scale: 100.0 });
    add("process_open_fds", &[], Pages { start: 50_000.0, step: 0.8, moves: 0.1 });
    add("up", &[], State(0.001));
    let seed = Labels::new([("i", instance.as_str())]).fingerprint();
    all.iter_mut().filter(|s| matches!(s.kind, Counter { scale: -1.0, .. })).for_each(|s| s.seed = seed);
    let fill = 500_usize.saturating_sub(all.len());
    for i in 0..fill {
        let labels =
            Labels::new([("__name__", "node_filler"), ("instance", &instance), ("job", "node"), ("i", &i.to_string())]);
        all.push(Series { labels, kind: Constant(i as f64), seed: 0 });
    }
    all.truncate(500);
    all
}
