//! `type: host`: the machine that Watchdog runs on, in node_exporter's series.
//!
//! One file per collector, or per few that are small. `/proc` and `/sys` are read on a thread of their own,
//! because a driver can hang; so are file systems, because a mount can. Everything that is on by default takes
//! 3 ms of an unoptimised build on a machine with two busy processors, and gives 380 series. Network file systems are not asked.

pub mod cpu;
pub mod disks;
mod expect;
pub mod files;
pub mod filesystem;
pub mod kernel;
pub mod memory;
pub mod network;
pub mod processes;
pub mod protocols;
pub mod reading;
pub mod sensors;
pub mod smart;
pub mod timex;
pub mod tool;
pub mod units;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::host::cpu::{CpuTimes, Stat};
use crate::collect::host::expect::{Expect, Seen};
use crate::collect::host::filesystem::{Filesystems, Usage};
use crate::collect::host::reading::{Choice, Reader};
use crate::collect::host::smart::Health;
use crate::collect::host::units::Units;
use crate::collect::judge::unjudged;
use crate::collect::kind::{Flag, Form, Kind, Operand};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;

/// Over how long the very first probe measures the processor; later ones measure since the one before.
const FIRST_LOOK: Duration = Duration::from_millis(200);

/// A checked `host` monitor.
#[derive(Debug)]
struct HostProbe {
    expect: Expect,
    choice: Choice,
    filesystem: bool,
    systemd: bool,
    smart: bool,
    /// Processor times of the previous probe. Leaf data, held for a copy and never across an await.
    before: Mutex<Option<CpuTimes>>,
    reader: Reader,
    filesystems: Arc<Filesystems>,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "host",
    about: "This machine.",
    operand: Some(Operand::Nothing),
    flags: &[&[
        Flag::new(
            "below",
            "expect.*.below",
            Form::Pairs('=', "WHAT=LIMIT"),
            "Limit, e.g. `cpu=95%`, `memory=90%`, `disk=80%`, `swap=50%`, `load=2`.",
        ),
        Flag::new(
            "process",
            "expect.processes.*.at_least",
            Form::Pairs('=', "NAME=COUNT"),
            "Processes that must run, e.g. `nginx=1`.",
        ),
        Flag::new(
            "unit",
            "expect.units.*",
            Form::Pairs('=', "NAME=STATE"),
            "State of a systemd unit, e.g. `ssh=active`.",
        ),
    ]],
    metrics: &[
        cpu::METRICS,
        memory::METRICS,
        &disks::COLUMNS,
        disks::METRICS,
        filesystem::METRICS,
        &network::COLUMNS,
        network::METRICS,
        protocols::METRICS,
        kernel::METRICS,
        timex::METRICS,
        sensors::METRICS,
        processes::METRICS,
        units::METRICS,
        smart::METRICS,
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let expect = fields.nested("expect").map(|mut own| {
        let expect = Expect::read(&mut own);
        own.finish();
        expect
    });
    let expect = expect.unwrap_or_default();
    let mut collectors = fields.nested("collectors");
    let mut on = |name: &'static str, default: bool| {
        let said = collectors.as_mut().and_then(|c| c.bool(name));
        said.unwrap_or(default)
    };
    let choice = Choice {
        disks: on("diskstats", true),
        traffic: on("netdev", true),
        devices: on("netclass", true),
        protocols: on("netstat", true),
        kernel: on("kernel", true),
        timex: on("timex", true),
        sensors: on("sensors", true),
        interrupts: on("interrupts", false),
        processes: on("processes", false) || expect.needs_processes(),
    };
    let filesystem = on("filesystem", true) || expect.needs_disks();
    let systemd = on("systemd", false) || expect.needs_units();
    let smart = on("smart", false);
    if let Some(collectors) = collectors {
        collectors.finish();
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let target = nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok());
    let probe = HostProbe {
        expect,
        choice,
        filesystem,
        systemd,
        smart,
        before: Mutex::default(),
        reader: Reader::default(),
        filesystems: Arc::default(),
    };
    Some(Probe::new("host", target.unwrap_or_else(|| "localhost".to_owned()), probe))
}

impl Collector for HostProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match timeout_at(cx.deadline, self.look(cx)).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(fault)) => self.failed(fault),
                Err(_) => self.failed(Fault::local("local_timeout", "reading this machine's state took too long")),
            }
        })
    }
}

impl HostProbe {
    fn failed(&self, fault: Fault) -> Outcome {
        let mut outcome = fault.outcome();
        outcome.checks = unjudged(self.expect.names());
        outcome
    }

    async fn look(&self, cx: &ProbeCx) -> Result<Outcome, Fault> {
        let before = *self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match before {
            Some(times) => times,
            None => {
                let first = Stat::now()?.times();
                sleep(FIRST_LOOK.min(cx.remaining() / 4)).await;
                first
            }
        };
        // What hangs must leave time to tell the rest.
        let deadline = Instant::now() + cx.remaining() / 4 * 3;
        let (reading, usage, units, health) = tokio::join!(
            self.reader.read(self.choice, cx.now, deadline),
            async {
                match self.filesystem {
                    true => Filesystems::ask(&self.filesystems, deadline).await,
                    false => Usage::default(),
                }
            },
            async { if self.systemd { Units::now(deadline).await } else { None } },
            async { if self.smart { Some(Health::now(deadline).await) } else { None } },
        );
        let mut reading = reading?;
        let mut samples = std::mem::take(&mut reading.samples);
        let times = reading.stat.times();
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(times);
        usage.samples(&mut samples);
        if let Some(units) = &units {
            units.samples(&mut samples);
        }
        if let Some(health) = &health {
            health.samples(&mut samples);
        }
        let cpu = times.busy_since(&before);
        let seen = Seen { cpu, reading: &reading, usage: &usage, units: units.as_ref(), health: health.as_ref() };
        let mut outcome = self.expect.judge(&seen);
        outcome.samples = samples;
        if outcome.verdict != Verdict::Up {
            outcome.evidence = Some(Evidence {
                items: vec![("memory".into(), reading.memory.text()), ("file systems".into(), usage.text())],
            });
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::kinds::testing::{outcome, problems};

    #[tokio::test]
    async fn this_machine_is_seen() {
        let got = outcome("host", "{}").await;
        assert_eq!(got.verdict, Verdict::Up, "{:?}", got.reason);
        for part in ["cpu ", "mem ", "disk ", "load "] {
            assert!(got.summary.contains(part), "{}", got.summary);
        }
        let has = |name: &str| got.samples.iter().any(|s| s.name == name);
        for name in [
            "node_cpu_seconds_total",
            "node_memory_MemAvailable_bytes",
            "node_load1",
            "node_filesystem_avail_bytes",
            "node_network_receive_bytes_total",
            "node_boot_time_seconds",
            "node_uname_info",
        ] {
            assert!(has(name), "{name}");
        }
    }

    #[tokio::test]
    async fn the_kernels_clock_need_not_be_asked() {
        let got = outcome("host", "{collectors: {timex: false}}").await;
        assert!(!got.samples.iter().any(|s| s.name.starts_with("node_timex_")));
    }

    #[tokio::test]
    async fn limits_are_judged() {
        let got =
            outcome("host", "{expect: {memory: {below: 0.001%}, disk: {below: 100%}, swap: {below: 100%}}}").await;
        assert_eq!(got.verdict, Verdict::Down);
        assert_eq!(got.reason.unwrap().class, "memory");
        assert_eq!(got.checks.len(), 3);
        assert!(got.evidence.is_some());
        let got = outcome("host", "{expect: {memory: {degraded_above: 0.001%}}}").await;
        assert_eq!(got.verdict, Verdict::Degraded);
    }

    #[test]
    fn limits_that_cannot_be_meant_are_refused() {
        assert!(problems("host", "{expect: {cpu: {below: 150%}}}")[0].contains("allowed are 0 to 100"));
        assert!(
            problems("host", "{expect: {cpu: {below: 80%, degraded_above: 90%}}}")[0].contains("never be degraded")
        );
        assert!(problems("host", "{expect: {cpuu: {below: 80%}}}")[0].contains("`cpuu` is not a key here"));
    }
}
