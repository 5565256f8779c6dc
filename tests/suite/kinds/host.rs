//! `host` beside Debian's own node_exporter: the same series, the same labels, the same types, the same values where
//! they stand still, and values between two looks of its where they count.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use watchdog::base::outcome::{Outcome, Sample, Verdict};

use crate::kinds::daemon::{Daemon, free_port, probe, program};
use crate::server::{Place, wait_for};

/// Series → value.
type Series = BTreeMap<String, f64>;

/// What we do not have, each with its reason.
const LEFT_OUT: [(&str, &str); 5] = [
    ("node_processes_threads_state", "a file to read for each thread"),
    ("node_exporter_", "about node_exporter itself"),
    ("node_scrape_collector_", "about node_exporter itself"),
    ("node_textfile_", "about node_exporter itself"),
    ("node_dmi_", "facts of the board, not measurements"),
];
/// Collectors of hardware that not every machine has, and that we do not read.
const HARDWARE: [&str; 9] = [
    "node_edac_",
    "node_cpu_frequency_",
    "node_cpu_scaling_",
    "node_nvme_",
    "node_power_supply_",
    "node_rapl_",
    "node_md_",
    "node_xfs_",
    "node_btrfs_",
];

/// Values that jump between two looks.
const RESTLESS: [&str; 18] = [
    "node_load",
    "node_procs_",
    "node_memory_",
    "node_sockstat_",
    "node_filefd_allocated",
    "node_entropy_available",
    "node_time_seconds",
    "node_arp_entries",
    "node_udp_queues",
    "node_netstat_Tcp_CurrEstab",
    "node_nf_conntrack_entries",
    "node_disk_io_now",
    "node_filesystem_",
    // What whoever steers the clock says anew every few seconds.
    "node_timex_offset_seconds",
    "node_timex_frequency_adjustment_ratio",
    "node_timex_maxerror_seconds",
    "node_timex_estimated_error_seconds",
    "node_timex_pps_",
];
/// Of those, what stands still nevertheless.
const STEADY: [&str; 6] = [
    "node_memory_MemTotal_bytes",
    "node_memory_SwapTotal_bytes",
    "node_memory_VmallocTotal_bytes",
    "node_filesystem_size_bytes",
    "node_filesystem_files{",
    "node_filesystem_device_error",
];

fn key(name: &str, labels: &[(String, String)]) -> String {
    // A label without a value is none.
    let labels = labels.iter().filter(|(_, v)| !v.is_empty());
    let mut labels: Vec<String> = labels.map(|(n, v)| format!("{n}={v:?}")).collect();
    labels.sort();
    format!("{name}{{{}}}", labels.join(","))
}

fn own(outcome: &Outcome) -> Series {
    let one = |s: &Sample| {
        let labels: Vec<(String, String)> = s.labels.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        (key(&s.name, &labels), s.value)
    };
    outcome.samples.iter().map(one).collect()
}

/// What node_exporter prints, read by the reader of scripts' output.
async fn theirs(port: u16) -> Series {
    let url = format!("http://127.0.0.1:{port}/metrics");
    let text = format!("{{command: [/usr/bin/curl, -sS, \"{url}\"], output: prometheus}}");
    let got = probe("script", &text, Duration::from_secs(20)).await;
    assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    own(&got).into_iter().filter(|(name, _)| name.starts_with("node_")).collect()
}

fn begins(name: &str, with: &[&str]) -> bool {
    with.iter().any(|start| name.starts_with(start))
}

/// File systems of other machines, which we do not ask.
fn is_remote(name: &str) -> bool {
    ["fstype=\"fuse.", "fstype=\"nfs", "fstype=\"cifs", "fstype=\"9p"].iter().any(|kind| name.contains(kind))
}

/// Of RAM disks, newer versions of node_exporter say nothing, as we do.
fn is_ram_disk(name: &str) -> bool {
    name.contains("device=\"zram") || name.contains("device=\"ram")
}

/// node_exporter, if it is installed, and its port.
fn exporter() -> Option<(Daemon, u16)> {
    let exporter = program("prometheus-node-exporter", "prometheus-node-exporter")?;
    program("curl", "curl")?;
    let port = free_port();
    let listen = format!("--web.listen-address=127.0.0.1:{port}");
    // Debian's own defaults leave out more than the program's.
    let args = [
        listen.as_str(),
        "--web.disable-exporter-metrics",
        "--collector.interrupts",
        "--collector.processes",
        "--collector.netdev.device-exclude=^$",
        "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
        "--collector.filesystem.fs-types-exclude=^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$",
    ];
    Some((Daemon::start(tempfile::tempdir().unwrap(), &exporter, args).listening(port), port))
}

#[test]
fn types_are_what_node_exporter_says_they_are() {
    let Some((_exporter, port)) = exporter() else { return };
    let place = Place::new();
    let text = "monitors: [{name: box, type: host, interval: 1s, collectors: {interrupts: true, processes: true}}]";
    place.write("monitors.d/box.yaml", text);
    let server = place.serve();
    let names = wait_for("a result", || {
        let names = server.get("/api/v1/label/__name__/values")["data"].as_array()?.clone();
        names.iter().any(|name| name == "node_load1").then_some(names)
    });
    // What a result's series are is told before they are stored.
    let ours = server.get("/api/v1/metadata")["data"].as_object().unwrap().clone();
    let names = names.iter().filter_map(|name| name.as_str()).filter(|name| name.starts_with("node_"));
    let silent: Vec<&str> = names.filter(|name| !ours.contains_key(*name)).collect();
    assert!(silent.is_empty(), "nothing says what these are: {silent:?}");
    let url = format!("http://127.0.0.1:{port}/metrics");
    let theirs = Command::new("curl").args(["-sS", &url]).output().unwrap().stdout;
    let theirs = String::from_utf8(theirs).unwrap();
    let types = theirs.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut compared = 0;
    for (name, kind) in types {
        let Some(own) = ours.get(name) else { continue };
        // The older format's word for what Prometheus shows as unknown.
        let kind = if kind == "untyped" { "unknown" } else { kind };
        assert_eq!(own[0]["type"], kind, "{name}");
        assert!(!own[0]["help"].as_str().unwrap().is_empty(), "{name}");
        compared += 1;
    }
    assert!(compared > 150, "{compared}");
}

#[tokio::test]
async fn this_machine_is_what_node_exporter_says_it_is() {
    let Some((_exporter, port)) = exporter() else { return };
    let text = "{collectors: {interrupts: true, processes: true}}";
    // The first look waits for the processor's time to pass.
    probe("host", text, Duration::from_secs(20)).await;
    let before = theirs(port).await;
    let ours = probe("host", text, Duration::from_secs(20)).await;
    let after = theirs(port).await;
    assert_eq!(ours.verdict, Verdict::Up, "{:?}", ours.reason);
    let ours = own(&ours);

    // A filter of system calls may let one of us ask the kernel's clock, and not the other.
    let is_timex = |name: &str| name.starts_with("node_timex_");
    let timex = [&before, &ours].iter().all(|series| series.keys().any(|name| is_timex(name)));
    let known = |name: &str| {
        (timex || !is_timex(name))
            && !begins(name, &HARDWARE)
            && !LEFT_OUT.iter().any(|(start, _)| name.starts_with(start))
            && !is_ram_disk(name)
            && !is_remote(name)
    };
    // States come and go; a container's root is an overlay, which we report all the same.
    let passing = |name: &str| name.starts_with("node_processes_state") || name.contains("fstype=\"overlay\"");
    // A disk's own facts come from udev, which newer versions of node_exporter read as we do.
    let missing: Vec<&String> =
        before.keys().filter(|n| after.contains_key(*n) && known(n) && !passing(n) && !ours.contains_key(*n)).collect();
    assert!(missing.is_empty(), "node_exporter has these, we do not: {missing:#?}");
    let more: Vec<&String> = ours
        .keys()
        .filter(|n| (timex || !is_timex(n)) && !passing(n) && !before.contains_key(*n) && !after.contains_key(*n))
        .collect();
    assert!(more.is_empty(), "we have these, node_exporter does not: {more:#?}");

    let mut compared = 0;
    for (name, value) in &ours {
        let (Some(low), Some(high)) = (before.get(name), after.get(name)) else { continue };
        if begins(name, &["node_processes_"]) || (begins(name, &RESTLESS) && !begins(name, &STEADY)) {
            continue;
        }
        // Sums of nanoseconds are rounded differently.
        let slack = 1e-6 * high.abs().max(1.0);
        let (low, high) = (low.min(*high) - slack, low.max(*high) + slack);
        assert!((low..=high).contains(value), "{name} is {value}, node_exporter saw {low} and then {high}");
        compared += 1;
    }
    assert!(compared > 200, "{compared}");
}
