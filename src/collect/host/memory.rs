//! `meminfo`: all of `/proc/meminfo`.

use std::fmt::Write;

use crate::base::outcome::Sample;
use crate::collect::fault::Fault;
use crate::collect::host::files::{named, text};
use crate::collect::metric::Metric;

/// What is told of it; the names are the kernel's (proc_meminfo(5)).
pub const METRICS: &[Metric] = &[
    Metric::gauge("node_memory_MemTotal_bytes", "Memory that the kernel can use"),
    Metric::gauge("node_memory_MemFree_bytes", "Memory that nobody uses"),
    Metric::gauge(
        "node_memory_MemAvailable_bytes",
        "Memory that programs can get without swapping, by the kernel's estimate",
    ),
    Metric::gauge("node_memory_Buffers_bytes", "Memory that holds blocks of disks"),
    Metric::gauge("node_memory_Cached_bytes", "Memory that holds contents of files"),
    Metric::gauge("node_memory_SwapTotal_bytes", "Size of all swap"),
    Metric::gauge("node_memory_SwapFree_bytes", "Swap that is not in use"),
    Metric::gauge("node_memory_Dirty_bytes", "Memory that waits to be written to disks"),
    Metric::gauge("node_memory_Committed_AS_bytes", "Memory that programs have asked for, used or not"),
    Metric::gauge("node_memory_*_bytes", "The field of this name in /proc/meminfo, in bytes"),
    Metric::gauge("node_memory_*", "The field of this name in /proc/meminfo"),
];

/// `/proc/meminfo` at one moment: name, value, whether it is in bytes.
#[derive(Debug)]
pub struct Memory(Vec<(String, f64, bool)>);

impl Memory {
    /// Reads it now.
    ///
    /// # Errors
    /// It is not readable.
    pub fn now() -> Result<Self, Fault> {
        let text = text("/proc/meminfo").ok_or_else(|| Fault::local("local_host", "cannot read /proc/meminfo"))?;
        Ok(Self(text.lines().filter_map(line).collect()))
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, ..)| n == name).map(|(_, v, _)| *v)
    }

    /// Percent of memory that is not available to programs.
    pub fn used(&self) -> Option<f64> {
        let total = self.get("MemTotal").filter(|t| *t > 0.0)?;
        Some((total - self.get("MemAvailable").or(self.get("MemFree"))?) * 100.0 / total)
    }

    /// Percent of swap in use; `None` without swap.
    pub fn swap_used(&self) -> Option<f64> {
        let total = self.get("SwapTotal").filter(|t| *t > 0.0)?;
        Some((total - self.get("SwapFree")?) * 100.0 / total)
    }

    /// Lines for a person.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for name in ["MemTotal", "MemAvailable", "SwapTotal", "SwapFree"] {
            if let Some(v) = self.get(name) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{name:<13} {:>8.0} MiB", v / 1_048_576.0);
            }
        }
        text
    }

    /// node_exporter's series.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for (name, value, bytes) in &self.0 {
            let unit = if *bytes { "_bytes" } else { "" };
            out.push(named(format!("node_memory_{name}{unit}"), *value));
        }
    }
}

/// `Active(anon):  1234 kB` → (`Active_anon`, bytes, true).
fn line(line: &str) -> Option<(String, f64, bool)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_memory_are_those_of_node_exporter() {
        assert_eq!(line("MemTotal:  16 kB"), Some(("MemTotal".into(), 16_384.0, true)));
        assert_eq!(line("Active(anon): 1 kB"), Some(("Active_anon".into(), 1024.0, true)));
        assert_eq!(line("HugePages_Total:   3"), Some(("HugePages_Total".into(), 3.0, false)));
        assert_eq!(line("junk"), None);
    }
}
