//! `cpu`, `stat` and `loadavg`: what the processors have done.

use crate::base::outcome::Sample;
use crate::collect::fault::Fault;
use crate::collect::host::files::text;
use crate::collect::metric::Metric;

/// What is told of them.
pub const METRICS: &[Metric] = &[
    Metric::counter("node_cpu_seconds_total", "Time that a processor has spent in each mode"),
    Metric::counter("node_cpu_guest_seconds_total", "Time that a processor has run guests; part of `user` and `nice`"),
    Metric::counter("node_intr_total", "Interrupts that were served"),
    Metric::counter("node_context_switches_total", "Changes from one task to another"),
    Metric::counter("node_forks_total", "Processes and threads that were started"),
    Metric::gauge("node_boot_time_seconds", "When the machine started, since 1970"),
    Metric::gauge("node_procs_running", "Tasks that run or could run"),
    Metric::gauge("node_procs_blocked", "Tasks that wait for input or output"),
    Metric::gauge("node_load1", "Tasks that run or wait for a disk, averaged over a minute"),
    Metric::gauge("node_load5", "Tasks that run or wait for a disk, averaged over 5 minutes"),
    Metric::gauge("node_load15", "Tasks that run or wait for a disk, averaged over 15 minutes"),
];

/// Columns of a processor's line in `/proc/stat` (proc_stat(5)), without guests.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// Processor time so far, in clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    idle: u64,
    all: u64,
}

impl CpuTimes {
    fn of(ticks: &[u64]) -> Self {
        let at = |i: usize| ticks.get(i).copied().unwrap_or(0);
        // Guests' time is part of `user` and `nice` already.
        Self { idle: at(3) + at(4), all: ticks.iter().take(MODES.len()).sum() }
    }

    /// Percent of the time since `before` that was not idle; `None` when no tick has passed.
    pub fn busy_since(&self, before: &Self) -> Option<f64> {
        // Counters of iowait may run backwards (proc(5)); a reboot cannot happen between two probes.
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let idle = self.idle.saturating_sub(before.idle).min(all);
        Some((all - idle) as f64 * 100.0 / all as f64)
    }
}

/// `/proc/stat` and `/proc/loadavg` at one moment.
#[derive(Debug, Default)]
pub struct Stat {
    total: CpuTimes,
    /// The processor's number, and its ticks.
    cpus: Vec<(String, Vec<u64>)>,
    rest: Vec<(&'static str, f64)>,
    load: [f64; 3],
}

impl Stat {
    /// Reads them now.
    ///
    /// # Errors
    /// One of them is not readable.
    pub fn now() -> Result<Self, Fault> {
        let read = |file: &str| text(file).ok_or_else(|| Fault::local("local_host", format!("cannot read {file}")));
        let mut stat = Self::parse(&read("/proc/stat")?);
        let load = read("/proc/loadavg")?;
        let mut words = load.split_ascii_whitespace().map(|w| w.parse().unwrap_or(0.0));
        stat.load.fill_with(|| words.next().unwrap_or(0.0));
        Ok(stat)
    }

    fn parse(text: &str) -> Self {
        let mut stat = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let Some(head) = words.next() else { continue };
            if let Some(cpu) = head.strip_prefix("cpu") {
                let ticks: Vec<u64> = words.map_while(|w| w.parse().ok()).collect();
                match cpu {
                    "" => stat.total = CpuTimes::of(&ticks),
                    cpu => stat.cpus.push((cpu.to_owned(), ticks)),
                }
                continue;
            }
            let name = match head {
                "intr" => "node_intr_total",
                "ctxt" => "node_context_switches_total",
                "btime" => "node_boot_time_seconds",
                "processes" => "node_forks_total",
                "procs_running" => "node_procs_running",
                "procs_blocked" => "node_procs_blocked",
                _ => continue,
            };
            stat.rest.extend(words.next().and_then(|w| w.parse().ok()).map(|v| (name, v)));
        }
        stat
    }

    /// Times of all processors together.
    pub fn times(&self) -> CpuTimes {
        self.total
    }

    /// Load of the last minute.
    pub fn load_one(&self) -> f64 {
        self.load[0]
    }

    /// The same divided by the number of processors.
    pub fn load_per_core(&self) -> f64 {
        self.load_one() / self.cpus.len().max(1) as f64
    }

    /// node_exporter's series.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        let tick = procfs::ticks_per_second() as f64;
        for (cpu, ticks) in &self.cpus {
            let seconds = |at: usize| ticks.get(at).map(|t| *t as f64 / tick);
            for (at, mode) in MODES.into_iter().enumerate() {
                let sample = seconds(at).map(|s| Sample::new("node_cpu_seconds_total", s));
                out.extend(sample.map(|s| s.label("cpu", &**cpu).label("mode", mode)));
            }
            for (at, mode) in [(8, "user"), (9, "nice")] {
                let sample = seconds(at).map(|s| Sample::new("node_cpu_guest_seconds_total", s));
                out.extend(sample.map(|s| s.label("cpu", &**cpu).label("mode", mode)));
            }
        }
        out.extend(self.rest.iter().map(|(name, value)| Sample::new(name, *value)));
        for (name, value) in ["node_load1", "node_load5", "node_load15"].into_iter().zip(self.load) {
            out.push(Sample::new(name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_survives_counters_that_run_backwards() {
        let at = |idle, all| CpuTimes { idle, all };
        assert_eq!(at(60, 100).busy_since(&at(0, 0)), Some(40.0));
        assert_eq!(at(9, 200).busy_since(&at(10, 100)), Some(100.0));
        assert_eq!(at(0, 100).busy_since(&at(0, 100)), None);
        assert_eq!(at(0, 50).busy_since(&at(0, 100)), None);
    }

    #[test]
    fn processors_keep_their_numbers() {
        let text =
            "cpu  30 0 10 50 10 0 0 0 5 0\ncpu0 10 0 5 25 5 0 0 0 5 0\ncpu3 20 0 5 25 5\nintr 7 1 2\nbtime 9\njunk";
        let stat = Stat::parse(text);
        assert_eq!(stat.total, CpuTimes { idle: 60, all: 100 });
        let mut out = Vec::new();
        stat.samples(&mut out);
        let of = |name: &str| out.iter().filter(|s| s.name == name).count();
        assert_eq!((of("node_cpu_seconds_total"), of("node_cpu_guest_seconds_total")), (8 + 5, 2));
        assert!(out.iter().any(|s| s.labels.first().is_some_and(|(_, cpu)| cpu == "3")));
        assert!(out.contains(&Sample::new("node_intr_total", 7.0)));
    }
}
