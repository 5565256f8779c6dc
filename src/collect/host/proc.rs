//! `/proc` as node_exporter's series.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use procfs::net::DeviceStatus;
use procfs::{CpuTime, Current, CurrentSI, DiskStat, KernelStats, LoadAverage};

use crate::base::outcome::Sample;
use crate::base::time::Timestamp;
use crate::collect::fault::Fault;

/// The kernel counts disk sectors of this size whatever the disk's own is (Documentation/block/stat.rst).
const SECTOR: f64 = 512.0;

/// Processor time so far, in clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    idle: u64,
    all: u64,
}

impl CpuTimes {
    /// Reads them now.
    ///
    /// # Errors
    /// `/proc/stat` is not readable.
    pub fn now() -> Result<Self, Fault> {
        KernelStats::current().map(|s| Self::of(&s.total)).map_err(|e| unreadable("stat", &e))
    }

    fn of(t: &CpuTime) -> Self {
        let idle = t.idle + t.iowait.unwrap_or(0);
        let rest = [t.irq, t.softirq, t.steal].into_iter().flatten().sum::<u64>();
        // Guests' time is part of `user` and `nice` already.
        Self { idle, all: idle + t.user + t.nice + t.system + rest }
    }

    /// Percent of the time since `before` that was not idle; `None` when no tick has passed.
    pub fn busy_since(&self, before: &Self) -> Option<f64> {
        // Counters of iowait may run backwards (proc(5)); a reboot cannot happen between two probes.
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let idle = self.idle.saturating_sub(before.idle).min(all);
        Some((all - idle) as f64 * 100.0 / all as f64)
    }
}

/// One look at the machine.
pub struct Reading {
    stats: KernelStats,
    load: LoadAverage,
    memory: Vec<(String, f64, bool)>,
    disks: Vec<DiskStat>,
    networks: HashMap<String, DeviceStatus>,
}

impl Reading {
    /// Reads everything.
    ///
    /// # Errors
    /// `/proc` is not there or not readable. Disks and networks may be missing, as in containers.
    pub fn now() -> Result<Self, Fault> {
        let memory = std::fs::read_to_string("/proc/meminfo");
        let memory = memory.map_err(|e| Fault::local("local_host", format!("/proc/meminfo: {e}")))?;
        Ok(Self {
            stats: KernelStats::current().map_err(|e| unreadable("stat", &e))?,
            load: LoadAverage::current().map_err(|e| unreadable("loadavg", &e))?,
            memory: memory.lines().filter_map(memory_line).collect(),
            disks: procfs::diskstats().unwrap_or_default(),
            networks: procfs::net::dev_status().unwrap_or_default(),
        })
    }

    /// Processor times of this reading.
    pub fn cpu_times(&self) -> CpuTimes {
        CpuTimes::of(&self.stats.total)
    }

    /// Load of the last minute.
    pub fn load_one(&self) -> f64 {
        f64::from(self.load.one)
    }

    /// The same divided by the number of processors.
    pub fn load_per_core(&self) -> f64 {
        self.load_one() / self.stats.cpu_time.len().max(1) as f64
    }

    fn memory(&self, name: &str) -> Option<f64> {
        self.memory.iter().find(|(n, ..)| n == name).map(|(_, v, _)| *v)
    }

    /// Percent of memory that is not available to programs.
    pub fn memory_used(&self) -> Option<f64> {
        let total = self.memory("MemTotal").filter(|t| *t > 0.0)?;
        Some((total - self.memory("MemAvailable").or(self.memory("MemFree"))?) * 100.0 / total)
    }

    /// Percent of swap in use; `None` without swap.
    pub fn swap_used(&self) -> Option<f64> {
        let total = self.memory("SwapTotal").filter(|t| *t > 0.0)?;
        Some((total - self.memory("SwapFree")?) * 100.0 / total)
    }

    /// Lines for a person.
    pub fn memory_text(&self) -> String {
        let mut text = String::new();
        for name in ["MemTotal", "MemAvailable", "SwapTotal", "SwapFree"] {
            if let Some(v) = self.memory(name) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{name:<13} {:>8.0} MiB", v / 1_048_576.0);
            }
        }
        text
    }

    /// node_exporter's series.
    pub fn samples(&self, now: Timestamp) -> Vec<Sample> {
        let mut out = Vec::with_capacity(160 + self.stats.cpu_time.len() * 8);
        self.cpu_samples(&mut out);
        // The kernel gives two decimals, which the crate reads as `f32`: 2.73 would become 2.7300000190734863.
        let exact = |load: f32| (f64::from(load) * 100.0).round() / 100.0;
        out.push(Sample::new("node_load1", exact(self.load.one)));
        out.push(Sample::new("node_load5", exact(self.load.five)));
        out.push(Sample::new("node_load15", exact(self.load.fifteen)));
        for (name, value, bytes) in &self.memory {
            let unit = if *bytes { "_bytes" } else { "" };
            let name = Cow::Owned(format!("node_memory_{name}{unit}"));
            out.push(Sample { name, labels: Vec::new(), value: *value });
        }
        for disk in self.disks.iter().filter(|d| !is_partition(&d.name)) {
            disk_samples(disk, &mut out);
        }
        let mut networks: Vec<&DeviceStatus> = self.networks.values().collect();
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        for device in networks {
            network_samples(device, &mut out);
        }
        out.push(Sample::new("node_time_seconds", now.millis() as f64 / 1000.0));
        if let Ok(u) = nix::sys::utsname::uname() {
            let text = |s: &std::ffi::OsStr| s.to_string_lossy().into_owned();
            out.push(
                Sample::new("node_uname_info", 1.0)
                    .label("sysname", text(u.sysname()))
                    .label("release", text(u.release()))
                    .label("version", text(u.version()))
                    .label("machine", text(u.machine()))
                    .label("nodename", text(u.nodename())),
            );
        }
        out
    }

    fn cpu_samples(&self, out: &mut Vec<Sample>) {
        let tick = procfs::ticks_per_second() as f64;
        for (i, t) in self.stats.cpu_time.iter().enumerate() {
            let modes = [
                ("user", Some(t.user)),
                ("nice", Some(t.nice)),
                ("system", Some(t.system)),
                ("idle", Some(t.idle)),
                ("iowait", t.iowait),
                ("irq", t.irq),
                ("softirq", t.softirq),
                ("steal", t.steal),
            ];
            for (mode, ticks) in modes {
                let Some(ticks) = ticks else { continue };
                let sample = Sample::new("node_cpu_seconds_total", ticks as f64 / tick);
                out.push(sample.label("cpu", i.to_string()).label("mode", mode));
            }
        }
        out.push(Sample::new("node_context_switches_total", self.stats.ctxt as f64));
        out.push(Sample::new("node_forks_total", self.stats.processes as f64));
        out.push(Sample::new("node_boot_time_seconds", self.stats.btime as f64));
        for (name, value) in
            [("node_procs_running", self.stats.procs_running), ("node_procs_blocked", self.stats.procs_blocked)]
        {
            out.extend(value.map(|v| Sample::new(name, f64::from(v))));
        }
    }
}

fn unreadable(file: &str, err: &procfs::ProcError) -> Fault {
    Fault::local("local_host", format!("/proc/{file}: {err}"))
}

/// `Active(anon):  1234 kB` → (`Active_anon`, bytes, true).
fn memory_line(line: &str) -> Option<(String, f64, bool)> {
    let (name, rest) = line.split_once(':')?;
    let mut words = rest.split_whitespace();
    let value: f64 = words.next()?.parse().ok()?;
    let name = name.trim().replace('(', "_").replace(')', "");
    match words.next() {
        Some("kB") => Some((name, value * 1024.0, true)),
        Some(_) => None,
        None => Some((name, value, false)),
    }
}

/// What node_exporter leaves out by default: partitions, loop devices, RAM disks.
fn is_partition(name: &str) -> bool {
    let digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if digits.len() == name.len() {
        return false;
    }
    let base = digits;
    matches!(base, "ram" | "zram" | "loop" | "fd")
        || (base.len() == 3 && ["hd", "sd", "vd"].iter().any(|p| base.starts_with(p)))
        || (base.len() == 4 && base.starts_with("xvd"))
        || (base.starts_with("nvme") && base.ends_with('p'))
}

fn disk_samples(d: &DiskStat, out: &mut Vec<Sample>) {
    let seconds = |ms: u64| ms as f64 / 1000.0;
    for (name, value) in [
        ("node_disk_reads_completed_total", d.reads as f64),
        ("node_disk_reads_merged_total", d.merged as f64),
        ("node_disk_read_bytes_total", d.sectors_read as f64 * SECTOR),
        ("node_disk_read_time_seconds_total", seconds(d.time_reading)),
        ("node_disk_writes_completed_total", d.writes as f64),
        ("node_disk_writes_merged_total", d.writes_merged as f64),
        ("node_disk_written_bytes_total", d.sectors_written as f64 * SECTOR),
        ("node_disk_write_time_seconds_total", seconds(d.time_writing)),
        ("node_disk_io_now", d.in_progress as f64),
        ("node_disk_io_time_seconds_total", seconds(d.time_in_progress)),
        ("node_disk_io_time_weighted_seconds_total", seconds(d.weighted_time_in_progress)),
    ] {
        out.push(Sample::new(name, value).label("device", d.name.clone()));
    }
}

fn network_samples(d: &DeviceStatus, out: &mut Vec<Sample>) {
    for (name, value) in [
        ("node_network_receive_bytes_total", d.recv_bytes),
        ("node_network_receive_packets_total", d.recv_packets),
        ("node_network_receive_errs_total", d.recv_errs),
        ("node_network_receive_drop_total", d.recv_drop),
        ("node_network_receive_fifo_total", d.recv_fifo),
        ("node_network_receive_frame_total", d.recv_frame),
        ("node_network_receive_compressed_total", d.recv_compressed),
        ("node_network_receive_multicast_total", d.recv_multicast),
        ("node_network_transmit_bytes_total", d.sent_bytes),
        ("node_network_transmit_packets_total", d.sent_packets),
        ("node_network_transmit_errs_total", d.sent_errs),
        ("node_network_transmit_drop_total", d.sent_drop),
        ("node_network_transmit_fifo_total", d.sent_fifo),
        ("node_network_transmit_colls_total", d.sent_colls),
        ("node_network_transmit_carrier_total", d.sent_carrier),
        ("node_network_transmit_compressed_total", d.sent_compressed),
    ] {
        out.push(Sample::new(name, value as f64).label("device", d.name.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_memory_are_those_of_node_exporter() {
        assert_eq!(memory_line("MemTotal:  16 kB"), Some(("MemTotal".into(), 16_384.0, true)));
        assert_eq!(memory_line("Active(anon): 1 kB"), Some(("Active_anon".into(), 1024.0, true)));
        assert_eq!(memory_line("HugePages_Total:   3"), Some(("HugePages_Total".into(), 3.0, false)));
        assert_eq!(memory_line("junk"), None);
    }

    #[test]
    fn whole_disks_are_kept_and_partitions_are_not() {
        for name in ["sda", "vdb", "nvme0n1", "dm-0", "md0", "mmcblk0"] {
            assert!(!is_partition(name), "{name}");
        }
        for name in ["sda1", "vdb12", "nvme0n1p2", "loop0", "ram3", "zram0", "xvda1", "fd0"] {
            assert!(is_partition(name), "{name}");
        }
    }

    #[test]
    fn busy_time_survives_counters_that_run_backwards() {
        let at = |idle, all| CpuTimes { idle, all };
        assert_eq!(at(60, 100).busy_since(&at(0, 0)), Some(40.0));
        assert_eq!(at(9, 200).busy_since(&at(10, 100)), Some(100.0));
        assert_eq!(at(0, 100).busy_since(&at(0, 100)), None);
        assert_eq!(at(0, 50).busy_since(&at(0, 100)), None);
    }
}
