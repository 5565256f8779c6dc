//! `expect:` of a host: limits of gauges, processes that must run, units that must be active.

use crate::base::outcome::{Outcome, Verdict};
use crate::collect::host::filesystem::Usage;
use crate::collect::host::reading::Reading;
use crate::collect::host::smart::Health;
use crate::collect::host::units::Units;
use crate::collect::judge::Judge;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::{Entry, Value};

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

/// How many processes of a name there must be.
#[derive(Debug)]
struct Running {
    program: String,
    at_least: usize,
    at_most: Option<usize>,
    name: String,
}

/// The state in which a unit must be.
#[derive(Debug)]
struct UnitState {
    unit: String,
    state: String,
    name: String,
}

/// All expectations.
#[derive(Debug, Default)]
pub struct Expect {
    limits: Vec<Limit>,
    processes: Vec<Running>,
    units: Vec<UnitState>,
}

/// What they are compared with.
pub struct Seen<'a> {
    /// Percent of processor time that was not idle.
    pub cpu: Option<f64>,
    /// Memory, load, processes.
    pub reading: &'a Reading,
    /// File systems.
    pub usage: &'a Usage,
    /// Units, where they were asked for and systemd answered.
    pub units: Option<&'a Units>,
    /// Disks, where they were asked for.
    pub health: Option<&'a Health>,
}

impl Expect {
    /// Reads what stands below `expect:`.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let mut expect = Self::default();
        for (key, gauge) in Gauge::ALL {
            let Some(mut own) = fields.nested_of(key, "below") else { continue };
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
                expect.limits.push(Limit { gauge, at, soft: false, name: format!("{key} below {}", gauge.show(at)) });
            }
            if let Some(at) = above {
                let name = format!("{key} at most {} (else degraded)", gauge.show(at));
                expect.limits.push(Limit { gauge, at, soft: true, name });
            }
        }
        if let Some(node) = fields.node("processes") {
            match &node.value {
                Value::Map(entries) => {
                    expect.processes = entries.iter().filter_map(|e| running(fields, e)).collect();
                }
                Value::Scalar { .. } | Value::Seq(_) => {
                    let hint = "write e.g. `processes: {nginx: {at_least: 1}}`";
                    fields.error(node.span, Code::WrongType, "`processes` takes names with their numbers", hint);
                }
            }
        }
        for (entry, state) in fields.pairs("units") {
            let known = ["active", "inactive", "failed", "activating", "deactivating"];
            if !known.contains(&state.value()) {
                let message = format!("`{}` is not a state of a unit", state.shown());
                fields.error(state.span, Code::BadValue, message, "write `active`, or `inactive`");
            }
            let name = format!("unit {} is {}", entry.key, state.shown());
            expect.units.push(UnitState { unit: entry.key.clone(), state: state.value().to_owned(), name });
        }
        expect
    }

    /// As shown.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let limits = self.limits.iter().map(|l| l.name.as_str());
        let processes = self.processes.iter().map(|p| p.name.as_str());
        limits.chain(processes).chain(self.units.iter().map(|u| u.name.as_str()))
    }

    /// Whether processes must be looked at.
    pub fn needs_processes(&self) -> bool {
        !self.processes.is_empty()
    }

    /// Whether file systems must be asked.
    pub fn needs_disks(&self) -> bool {
        self.limits.iter().any(|l| l.gauge == Gauge::Disk)
    }

    /// Whether systemd must be asked.
    pub fn needs_units(&self) -> bool {
        !self.units.is_empty()
    }

    /// The verdict.
    pub fn judge(&self, seen: &Seen<'_>) -> Outcome {
        let mut judge = Judge::default();
        let mut blind = self.judge_limits(seen, &mut judge);
        for wanted in &self.processes {
            let Some(processes) = &seen.reading.processes else { continue };
            let count = processes.running(&wanted.program);
            let holds = count >= wanted.at_least && wanted.at_most.is_none_or(|most| count <= most);
            judge.hold("process", &wanted.name, holds, format!("{count} running"));
        }
        for wanted in &self.units {
            match seen.units {
                Some(units) => {
                    let state = units.state(&wanted.unit).unwrap_or("not known to systemd");
                    // A unit that nobody has started is not in memory.
                    let holds =
                        state == wanted.state || (wanted.state == "inactive" && units.state(&wanted.unit).is_none());
                    judge.hold("unit", &wanted.name, holds, state);
                }
                None => {
                    blind.get_or_insert_with(|| format!("`{}` cannot be judged: no systemd answers", wanted.name));
                }
            }
        }
        if let Some(health) = seen.health {
            let failing = health.failing();
            if health.asked() > 0 || !failing.is_empty() {
                let found = if failing.is_empty() { format!("{} asked", health.asked()) } else { failing.join(", ") };
                judge.hold("smart", "no disk says that it fails", failing.is_empty(), found);
            }
        }
        if let Some(points) = seen.usage.hanging() {
            judge.prefer("filesystem", "every file system answers", false, format!("no answer: {points}"));
            // Whatever hangs may be the fullest.
            if let Some(limit) = self.limits.iter().find(|limit| limit.gauge == Gauge::Disk) {
                blind.get_or_insert_with(|| format!("`{}` cannot be judged: {points} does not answer", limit.name));
            }
        }
        let outcome = judge.outcome(summary(seen));
        match blind {
            Some(why) if outcome.verdict != Verdict::Down => outcome.with_verdict(Verdict::Unknown, "local_host", why),
            Some(_) | None => outcome,
        }
    }

    /// Judges the limits; what could not be judged is returned.
    fn judge_limits(&self, seen: &Seen<'_>, judge: &mut Judge) -> Option<String> {
        let mut blind = None;
        for limit in &self.limits {
            let Some(now) = seen.value(limit.gauge) else {
                // A machine without swap uses none of it; anything else missing is our blindness.
                match limit.gauge {
                    Gauge::Swap => judge.hold("swap", &limit.name, true, "no swap"),
                    Gauge::Cpu | Gauge::Memory | Gauge::Disk | Gauge::Load => {
                        let why = seen.usage.hanging().map_or_else(String::new, |m| format!(": {m} does not answer"));
                        blind.get_or_insert_with(|| format!("`{}` cannot be judged{why}", limit.name));
                    }
                }
                continue;
            };
            let mut found = limit.gauge.show(now);
            if let (Gauge::Disk, Some((mount, _))) = (limit.gauge, seen.usage.fullest()) {
                found += &format!(" on {mount}");
            }
            match limit.soft {
                true => judge.prefer(limit.gauge.class(), &limit.name, now <= limit.at, found),
                false => judge.hold(limit.gauge.class(), &limit.name, now < limit.at, found),
            }
        }
        blind
    }
}

impl Seen<'_> {
    fn value(&self, gauge: Gauge) -> Option<f64> {
        match gauge {
            Gauge::Cpu => self.cpu,
            Gauge::Memory => self.reading.memory.used(),
            Gauge::Swap => self.reading.memory.swap_used(),
            Gauge::Disk => self.usage.fullest().map(|(_, used)| used),
            Gauge::Load => Some(self.reading.stat.load_per_core()),
        }
    }
}

fn summary(seen: &Seen<'_>) -> String {
    let text = |label: &str, v: Option<f64>| v.map(|v| format!("{label} {v:.0}%"));
    let mut words: Vec<String> = [("cpu", Gauge::Cpu), ("mem", Gauge::Memory), ("disk", Gauge::Disk)]
        .into_iter()
        .filter_map(|(label, gauge)| text(label, seen.value(gauge)))
        .collect();
    words.push(format!("load {:.2}", seen.reading.stat.load_one()));
    words.join(" ")
}

/// `nginx: {at_least: 1, at_most: 8}`
fn running(fields: &Fields<'_>, entry: &Entry) -> Option<Running> {
    let mut own = Fields::of(fields.cx(), &entry.value)?;
    let least = own.integer("at_least", 0..=1_000_000);
    let most = own.integer("at_most", 0..=1_000_000);
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        let message = "`at_least` is more than `at_most`: no number is right";
        own.error(own.head(), Code::Conflict, message, "write a larger `at_most`");
    }
    own.finish();
    let count = |n: i64| usize::try_from(n).unwrap_or(0);
    // A name alone means that it must run.
    let at_least = least.map_or_else(|| usize::from(most.is_none()), count);
    let program = entry.key.clone();
    let name = match most {
        Some(most) => format!("{at_least} to {most} processes `{program}`"),
        None => format!("at least {at_least} processes `{program}`"),
    };
    Some(Running { program, at_least, at_most: most.map(count), name })
}
