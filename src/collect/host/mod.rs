//! `type: host`: the machine that Watchdog runs on, in node_exporter's series.
//!
//! `/proc` is read in place: all of it takes 0.6 ms of an unoptimised build on a machine with two
//! processors, far less of an optimised one. File systems
//! are asked on a thread of their own, because a mount can hang; network file systems are not asked.

pub mod filesystem;
pub mod proc;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::host::filesystem::{Filesystems, Usage};
use crate::collect::host::proc::{CpuTimes, Reading};
use crate::collect::judge::{Judge, unjudged};
use crate::collect::kind::{Flag, Form, Kind, Operand};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Over how long the very first probe measures the processor; later ones measure since the one before.
const FIRST_LOOK: Duration = Duration::from_millis(200);

/// A checked `host` monitor.
#[derive(Debug)]
struct HostProbe {
    limits: Vec<Limit>,
    /// Processor times of the previous probe. Leaf data, held for a copy and never across an await.
    before: Mutex<Option<CpuTimes>>,
    filesystems: Arc<Filesystems>,
}

/// What can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gauge {
    Cpu,
    Memory,
    Disk,
    Swap,
    Load,
}

impl Gauge {
    const ALL: [(&'static str, Self); 5] = [
        ("cpu", Self::Cpu),
        ("memory", Self::Memory),
        ("disk", Self::Disk),
        ("swap", Self::Swap),
        ("load", Self::Load),
    ];

    const fn class(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Swap => "swap",
            Self::Load => "load",
        }
    }

    /// `12%`, or `0.40 per core`.
    fn show(self, value: f64) -> String {
        match self {
            Self::Load => format!("{value:.2} per core"),
            Self::Cpu | Self::Memory | Self::Disk | Self::Swap => format!("{value:.0}%"),
        }
    }
}

/// One line below `expect:`.
#[derive(Debug)]
struct Limit {
    gauge: Gauge,
    at: f64,
    /// A `degraded_above` limit.
    soft: bool,
    name: String,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "host",
    about: "This machine.",
    operand: Some(Operand::Nothing),
    flags: &[&[Flag::new(
        "below",
        "expect.*.below",
        Form::Pairs('=', "WHAT=LIMIT"),
        "Limit, e.g. `cpu=95%`, `memory=90%`, `disk=80%`, `swap=50%`, `load=2`.",
    )]],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut limits = Vec::new();
    if let Some(mut expect) = fields.nested("expect") {
        for (key, gauge) in Gauge::ALL {
            let Some(mut own) = expect.nested_of(key, "below") else { continue };
            let range = if gauge == Gauge::Load { 0.0..=10_000.0 } else { 0.0..=100.0 };
            let below = own.number("below", range.clone());
            let above = own.number("degraded_above", range);
            if let (Some(b), Some(a)) = (below, above)
                && a >= b
            {
                let message = "`degraded_above` is not less than `below`: the host would never be degraded";
                own.error(own.head(), Code::Conflict, message, "write a smaller `degraded_above`");
            }
            own.finish();
            if let Some(at) = below {
                limits.push(Limit { gauge, at, soft: false, name: format!("{key} below {}", gauge.show(at)) });
            }
            if let Some(at) = above {
                let name = format!("{key} at most {} (else degraded)", gauge.show(at));
                limits.push(Limit { gauge, at, soft: true, name });
            }
        }
        expect.finish();
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let target = nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok());
    let probe = HostProbe { limits, before: Mutex::default(), filesystems: Arc::default() };
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
        outcome.checks = unjudged(self.limits.iter().map(|l| l.name.as_str()));
        outcome
    }

    async fn look(&self, cx: &ProbeCx) -> Result<Outcome, Fault> {
        let before = *self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match before {
            Some(times) => times,
            None => {
                let first = CpuTimes::now()?;
                sleep(FIRST_LOOK.min(cx.remaining() / 4)).await;
                first
            }
        };
        let reading = Reading::now()?;
        let (mut samples, times) = (reading.samples(cx.now), reading.cpu_times());
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(times);
        let usage = Filesystems::ask(&self.filesystems, Instant::now() + cx.remaining() / 2).await;
        usage.samples(&mut samples);
        let mut outcome = self.judge(&reading, times.busy_since(&before), &usage);
        outcome.samples = samples;
        if outcome.verdict != Verdict::Up {
            outcome.evidence = Some(Evidence {
                items: vec![("memory".into(), reading.memory_text()), ("file systems".into(), usage.text())],
            });
        }
        Ok(outcome)
    }

    fn judge(&self, reading: &Reading, cpu: Option<f64>, usage: &Usage) -> Outcome {
        let worst = usage.fullest();
        let value = |gauge| match gauge {
            Gauge::Cpu => cpu,
            Gauge::Memory => reading.memory_used(),
            Gauge::Swap => reading.swap_used(),
            Gauge::Disk => worst.map(|(_, used)| used),
            Gauge::Load => Some(reading.load_per_core()),
        };
        let mut judge = Judge::default();
        let mut blind = None;
        for limit in &self.limits {
            let Some(now) = value(limit.gauge) else {
                // A machine without swap uses none of it; anything else missing is our blindness.
                match limit.gauge {
                    Gauge::Swap => judge.hold("swap", &limit.name, true, "no swap"),
                    Gauge::Cpu | Gauge::Memory | Gauge::Disk | Gauge::Load => blind = Some(limit),
                }
                continue;
            };
            let mut found = limit.gauge.show(now);
            if let (Gauge::Disk, Some((mount, _))) = (limit.gauge, worst) {
                found += &format!(" on {mount}");
            }
            match limit.soft {
                true => judge.prefer(limit.gauge.class(), &limit.name, now <= limit.at, found),
                false => judge.hold(limit.gauge.class(), &limit.name, now < limit.at, found),
            }
        }
        let text = |label: &str, v: Option<f64>| v.map(|v| format!("{label} {v:.0}%"));
        let mut words: Vec<String> = [("cpu", Gauge::Cpu), ("mem", Gauge::Memory), ("disk", Gauge::Disk)]
            .into_iter()
            .filter_map(|(label, gauge)| text(label, value(gauge)))
            .collect();
        words.push(format!("load {:.2}", reading.load_one()));
        let outcome = judge.outcome(words.join(" "));
        match blind {
            Some(limit) if outcome.verdict != Verdict::Down => {
                let why = usage.hanging().map_or_else(String::new, |m| format!(": {m} does not answer"));
                outcome.with_verdict(Verdict::Unknown, "local_host", format!("`{}` cannot be judged{why}", limit.name))
            }
            Some(_) | None => outcome,
        }
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
