//! `slo:` of a monitor: how much of the time it is to be available, and the rules that follow from it.
//!
//! The rules are those of the workbook on reliability that Google's engineers published, chapter "Alerting on SLOs":
//! the budget of errors is watched over a long and a short window at once, so that an alert comes soon
//! and goes soon. They are written as text in Prometheus' form and read like any file, so they mean what they say.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::units::Exact;
use crate::config::cx::Resolver;
use crate::config::fields::Fields;
use crate::config::model::Monitor;
use crate::config::report::Source;
use crate::config::rules::{self, RuleGroup};
use crate::config::yaml::Value;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Shortest and longest time over which the objective is to hold.
const WINDOW: RangeInclusive<Duration> = DAY..=Duration::from_secs(365 * 86_400);
/// The window that is meant when none is named.
const DEFAULT_WINDOW: Duration = Duration::from_secs(30 * 86_400);
/// Between these an objective makes sense: millionths of the time.
const TARGET: RangeInclusive<u32> = 500_000..=999_999;
/// How to write one.
const HINT: &str = "write a share of the time between 50% and 99.9999%: `slo: 99.9%`";

/// An objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slo {
    /// Millionths of the time.
    target: u32,
    /// Over which time.
    pub window: Duration,
}

impl Slo {
    /// The part of the time in which the monitor is to be available.
    pub fn target(self) -> f64 {
        f64::from(self.target) / 1e6
    }

    /// Reads `slo: 99.9%` or `slo: {target: 99.9%, window: 30d}`.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        match fields.node("slo")?.value {
            Value::Map(_) => {
                let mut inner = fields.nested("slo")?;
                if inner.own("target").is_none() {
                    inner.missing("target", "write e.g. `target: 99.9%`");
                }
                let target = inner.parse("target", HINT, percent);
                let window = inner.duration("window", WINDOW);
                inner.finish();
                Some(Self { target: target?, window: window.unwrap_or(DEFAULT_WINDOW) })
            }
            Value::Scalar { .. } | Value::Seq(_) => {
                Some(Self { target: fields.parse("slo", HINT, percent)?, window: DEFAULT_WINDOW })
            }
        }
    }
}

/// As it is written: `99.9%`.
impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.target) / 1e4)
    }
}

fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').and_then(|n| n.trim_end().parse::<f64>().ok()).filter(|n| n.is_finite());
    let Some(number) = number else { return Err(format!("`{text}` is not a share in per cent")) };
    let millionths = (number * 1e4).round();
    let range = f64::from(*TARGET.start())..=f64::from(*TARGET.end());
    match range.contains(&millionths) && (millionths - number * 1e4).abs() < 1e-6 {
        true => Ok(millionths as u32),
        false => Err(format!("`{text}` is not between 50% and 99.9999%, with four digits at most")),
    }
}

/// An objective with its rules.
#[derive(Clone, Debug)]
pub struct Objective {
    /// The objective.
    pub slo: Slo,
    /// Where the monitor stands.
    source: String,
    /// What watches it.
    pub groups: Vec<Arc<RuleGroup>>,
}

/// The objectives of all monitors that have one. Those that are as before keep their rules.
pub fn objectives<'a>(
    monitors: &BTreeMap<MonitorName, Arc<Monitor>>,
    said: impl Iterator<Item = (&'a MonitorName, Slo)>,
    stale: &'a [MonitorName],
    before: &BTreeMap<MonitorName, Arc<Objective>>,
) -> BTreeMap<MonitorName, Arc<Objective>> {
    // What is broken runs on in its last good form, with its objective.
    let kept = stale.iter().filter_map(|name| Some((name, before.get(name)?.slo)));
    let all: BTreeMap<&MonitorName, Slo> = said.chain(kept).collect();
    let found = all.into_iter().filter_map(|(name, slo)| {
        let monitor = monitors.get(name).filter(|m| !m.paused)?;
        let same = before.get(name).filter(|b| b.slo == slo && b.source == monitor.source);
        let objective = same.cloned().unwrap_or_else(|| {
            Arc::new(Objective { slo, source: monitor.source.clone(), groups: groups(monitor, slo) })
        });
        Some((name.clone(), objective))
    });
    found.collect()
}

/// Windows over which availability is recorded every minute, and every five minutes.
const SHORT: [(&str, Duration); 4] = [
    ("5m", Duration::from_secs(300)),
    ("30m", Duration::from_secs(1_800)),
    ("1h", HOUR),
    ("6h", Duration::from_secs(6 * 3_600)),
];
const LONG: (&str, Duration) = ("3d", Duration::from_secs(3 * 86_400));

/// How much of the whole budget may go in the long window before somebody hears of it, and the window that must agree.
const BURNS: [(&str, &str, f64, Duration, &str, &str); 3] = [
    ("SloBurnFast", "critical", 0.02, HOUR, "1h", "5m"),
    ("SloBurn", "critical", 0.05, Duration::from_secs(6 * 3_600), "6h", "30m"),
    ("SloBurnSlow", "warning", 0.10, LONG.1, "3d", "6h"),
];

fn groups(monitor: &Monitor, slo: Slo) -> Vec<Arc<RuleGroup>> {
    let file = monitor.source.split(':').next().unwrap_or_default();
    let text = text(&monitor.name, slo);
    let sheet = rules::read(&Source::new(file, text), &Nothing);
    debug_assert!(sheet.problems.is_empty(), "{:?}", sheet.problems);
    let placed = |group: &Arc<RuleGroup>| {
        let mut group = RuleGroup::clone(group);
        group.source.clone_from(&monitor.source);
        group.rules.iter_mut().for_each(|rule| rule.source.clone_from(&monitor.source));
        Arc::new(group)
    };
    sheet.groups.iter().map(placed).collect()
}

/// There are no references in these rules.
struct Nothing;

impl Resolver for Nothing {
    fn resolve(&self, scheme: &str, name: &str) -> Result<String, String> {
        Err(format!("`${{{scheme}:{name}}}` stands in a monitor's name"))
    }
}

/// The rules as a file would have them.
fn text(name: &MonitorName, slo: Slo) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let selector = format!("{{monitor={}}}", quoted(name.as_str()));
    let share = |window: &str| format!("slo:availability:ratio_{window}{selector}");
    let mut out = format!("groups:\n- name: {}\n  interval: 1m\n  rules:\n", quoted(&format!("slo {name}")));
    let record = |out: &mut String, name: &str, expr: &str| {
        out.push_str(&format!("  - record: {name}\n    expr: {}\n", quoted(expr)));
    };
    let average = |window: &str| format!("avg_over_time(probe_success{selector}[{window}])");
    for (word, _) in SHORT {
        record(&mut out, &format!("slo:availability:ratio_{word}"), &average(word));
    }
    let budget = 1.0 - slo.target();
    let alert = |out: &mut String, burn: &(&str, &str, f64, Duration, &str, &str)| {
        let (alert, severity, part, over, long, short) = burn;
        let factor = part * slo.window.as_secs_f64() / over.as_secs_f64();
        let limit = round(factor * budget);
        // More than everything cannot fail: this burn of the budget is not possible.
        if limit >= 1.0 {
            return;
        }
        let expr = format!("1 - {} > {limit} and 1 - {} > {limit}", share(long), share(short));
        let times = round((factor * 100.0).round() / 100.0);
        let summary = format!(
            "{{{{ $labels.monitor }}}} uses up its error budget {times} times too fast: {slo} over {} are promised",
            Exact(slo.window)
        );
        let description = format!("{{{{ $value | humanizePercentage }}}} of the probes of the last {long} failed");
        out.push_str(&format!(
            "  - alert: {alert}\n    expr: {}\n    labels: {{severity: {severity}, slo: {}, window: {long}}}\n    \
             annotations: {{summary: {}, description: {}}}\n",
            quoted(&expr),
            quoted(&slo.to_string()),
            quoted(&summary),
            quoted(&description),
        ));
    };
    BURNS.iter().take(2).for_each(|burn| alert(&mut out, burn));
    out.push_str(&format!("- name: {}\n  interval: 5m\n  rules:\n", quoted(&format!("slo {name}, long"))));
    record(&mut out, &format!("slo:availability:ratio_{}", LONG.0), &average(LONG.0));
    let window = Exact(slo.window).to_string();
    if window != LONG.0 {
        record(&mut out, &format!("slo:availability:ratio_{window}"), &average(&window));
    }
    let left = format!("1 - (1 - {}) / {}", share(&window), round(budget));
    record(&mut out, "slo:error_budget:remaining_ratio", &left);
    BURNS.iter().skip(2).for_each(|burn| alert(&mut out, burn));
    out
}

/// Without the dust of binary fractions.
fn round(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slo(target: u32, days: u32) -> Slo {
        Slo { target, window: DAY * days }
    }

    fn read(name: &str, slo: Slo) -> Vec<Arc<RuleGroup>> {
        let text = text(&MonitorName::new(name).unwrap(), slo);
        let sheet = rules::read(&Source::new("monitors.d/a.yaml", text), &Nothing);
        assert_eq!(sheet.problems, []);
        sheet.groups
    }

    fn queries(groups: &[Arc<RuleGroup>]) -> Vec<(&str, &str)> {
        groups.iter().flat_map(|g| &g.rules).map(|r| (r.name.as_str(), r.query.as_str())).collect()
    }

    #[test]
    fn the_burn_rates_are_those_of_the_workbook() {
        let groups = read("shop", slo(999_000, 30));
        let found = queries(&groups);
        let of = |name: &str| found.iter().find(|(n, _)| *n == name).unwrap().1;
        let both = |long: &str, short: &str, limit: &str| {
            let share = |w: &str| format!("1 - slo:availability:ratio_{w}{{monitor=\"shop\"}} > {limit}");
            format!("{} and {}", share(long), share(short))
        };
        // 14.4, 6 and 1 times the budget of 0.001.
        assert_eq!(of("SloBurnFast"), both("1h", "5m", "0.0144"));
        assert_eq!(of("SloBurn"), both("6h", "30m", "0.006"));
        assert_eq!(of("SloBurnSlow"), both("3d", "6h", "0.001"));
        assert_eq!(of("slo:availability:ratio_5m"), "avg_over_time(probe_success{monitor=\"shop\"}[5m])");
        assert_eq!(
            of("slo:error_budget:remaining_ratio"),
            "1 - (1 - slo:availability:ratio_30d{monitor=\"shop\"}) / 0.001"
        );
        assert_eq!(groups.iter().map(|g| g.interval.as_secs()).collect::<Vec<_>>(), [60, 300]);
    }

    #[test]
    fn rules_can_be_read_whatever_the_monitor_is_called_and_the_impossible_is_left_out() {
        let groups = read("a \"b\" {{ c }} 'd' \\ é", slo(500_000, 3));
        let names: Vec<&str> = queries(&groups).into_iter().map(|(n, _)| n).collect();
        // Half of the time of three days: 2 % are burnt in an hour at 1.44 times, 0.72 of the probes.
        assert!(names.contains(&"SloBurnFast"), "{names:?}");
        assert_eq!(names.iter().filter(|n| **n == "slo:availability:ratio_3d").count(), 1);
        let names = read("x", slo(500_000, 30));
        assert!(!queries(&names).iter().any(|(n, _)| *n == "SloBurnFast" || *n == "SloBurn"));
    }

    #[test]
    fn objectives_are_shares_in_per_cent() {
        assert_eq!(percent("99.9%"), Ok(999_000));
        assert_eq!(percent("99.9999%"), Ok(999_999));
        assert_eq!(percent("50 %"), Ok(500_000));
        for bad in ["99.9", "100%", "0.999", "49%", "99.99999%", "NaN%", "%", "inf%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
        assert_eq!(slo(999_500, 30).to_string(), "99.95%");
    }
}
