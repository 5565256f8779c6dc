//! `slo:` of a monitor: how much of the time it is to be available, and the rules that follow from it.
//!
//! The rules are those of the workbook on reliability that Google's engineers published, chapter "Alerting on SLOs":
//! the budget of errors is watched over a long and a short window at once, so that an alert comes soon
//! and goes soon. They are written as text in Prometheus' form and read like any file, so they mean what they say.
//!
//! The workbook thinks of thousands of requests. A monitor has a result per interval, so windows that hold few of them
//! are left out. And it thinks of windows that are full: after a start or a pause one failure is a large share of the
//! few results there are, so an alert needs as many failures as a full window would, never less than two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::units::Exact;
use crate::config::cx::Resolver;
use crate::config::fields::Fields;
use crate::config::model::{Monitor, Schedule};
use crate::config::report::{Code, Mark, Source};
use crate::config::rules::{self, RuleGroup};
use crate::config::yaml::{Span, Value};
use crate::wire::api::{Level, Problem};

const MINUTE: Duration = Duration::from_secs(60);
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

    /// Reads `slo: 99.9%` or `slo: {target: 99.9%, window: 30d}`, and says where it stands.
    pub fn read(fields: &mut Fields<'_>) -> Option<(Self, Span)> {
        let node = fields.node("slo")?;
        let slo = match node.value {
            Value::Map(_) => {
                let mut inner = fields.nested("slo")?;
                if inner.own("target").is_none() {
                    inner.missing("target", "write e.g. `target: 99.9%`");
                }
                let target = inner.parse("target", HINT, percent);
                let window = inner.duration("window", WINDOW);
                inner.finish();
                Self { target: target?, window: window.unwrap_or(DEFAULT_WINDOW) }
            }
            Value::Scalar { .. } | Value::Seq(_) => {
                Self { target: fields.parse("slo", HINT, percent)?, window: DEFAULT_WINDOW }
            }
        };
        Some((slo, node.span))
    }

    /// The part of the time that may go wrong.
    fn budget(self) -> f64 {
        1.0 - self.target()
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
    /// Where the monitor stands, and the hash of its definition.
    of: (String, u64),
    /// What watches it; nothing while the monitor is paused.
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
        let monitor = monitors.get(name)?;
        let of = (monitor.source.clone(), monitor.hash);
        let same = before.get(name).filter(|b| b.slo == slo && b.of == of).cloned();
        let objective = same.unwrap_or_else(|| {
            let groups = if monitor.paused { Vec::new() } else { groups(monitor, slo) };
            Arc::new(Objective { slo, of, groups })
        });
        Some((name.clone(), objective))
    });
    found.collect()
}

/// Reports objectives that cannot be watched as they are meant. `said` has the place of each.
pub fn check<'a>(said: impl Iterator<Item = (&'a Monitor, Slo, &'a Mark)>, retention: Duration) -> Vec<Problem> {
    let mut problems = Vec::new();
    // An objective of a file's `defaults` is said once.
    let mut told = BTreeSet::new();
    for (monitor, slo, place) in said {
        let pace = pace(&monitor.schedule);
        let mut warn = |message: String, hint: &str| {
            if told.insert((place.path(), place.position(), message.clone())) {
                problems.push(place.problem(Level::Warning, Code::Suspicious, message, hint));
            }
        };
        if slo.window > retention {
            let (window, kept) = (Exact(slo.window), Exact(retention));
            let message = format!("`slo` is over {window}, and `storage.retention` keeps {kept}");
            warn(message, "raise `storage.retention` in watchdog.yaml, or shorten `window`");
        }
        let allowed = slo.window.mul_f64(slo.budget());
        if pace > allowed {
            let allowed = Duration::from_secs(allowed.as_secs());
            let (window, pace, allowed) = (Exact(slo.window), Exact(pace), Exact(allowed));
            let message =
                format!("{slo} over {window} allows {allowed} of errors: one failed probe every {pace} is more");
            warn(message, "probe more often, lower the objective, or make `window` longer");
        } else if alerts(slo, pace).is_empty() && !alerts(slo, Duration::ZERO).is_empty() {
            let message = format!("`slo` has no alert: its longest window, {}, holds too few probes", LONG.0);
            warn(message, "probe at least every 18h");
        }
    }
    problems
}

/// How far apart the results are; of an expression, the longest of some.
fn pace(schedule: &Schedule) -> Duration {
    match schedule {
        Schedule::Every(interval) => *interval,
        Schedule::Cron { cron, zone, .. } => {
            let mut at = A_LEAP_YEAR.to_zoned(zone.clone());
            let mut longest = Duration::ZERO;
            for i in 0..OCCURRENCES {
                let Ok(next) = cron.find_next_occurrence(&at, false) else { break };
                let gap = next.timestamp().duration_since(at.timestamp()).unsigned_abs();
                // Before the first is no slot.
                longest = if i == 0 { longest } else { longest.max(gap) };
                at = next;
            }
            longest
        }
    }
}

/// From where expressions are followed, and how far: over a week of hours.
const A_LEAP_YEAR: jiff::Timestamp = jiff::Timestamp::constant(1_704_067_200, 0);
const OCCURRENCES: usize = 200;
/// A window with fewer probes than this says nothing: it may be empty, or all of it is one failure.
const PROBES: u32 = 4;
/// One failed probe is no reason to wake anybody: more than one and a half, so that a missing one does not matter.
const LEAST: f64 = 1.5;

type Window = (&'static str, Duration);
/// Windows over which availability is recorded every minute, and every five minutes.
const SHORT: [Window; 4] = [
    ("5m", MINUTE.saturating_mul(5)),
    ("30m", MINUTE.saturating_mul(30)),
    ("1h", HOUR),
    ("6h", HOUR.saturating_mul(6)),
];
const LONG: Window = ("3d", DAY.saturating_mul(3));

fn holds_enough(window: Duration, pace: Duration) -> bool {
    pace * PROBES <= window
}

/// How much of the whole budget may go in the long window before somebody hears of it, and the window that must agree.
struct Burn {
    alert: &'static str,
    severity: &'static str,
    part: f64,
    long: Window,
    short: Window,
}

const BURNS: [Burn; 3] = [
    Burn { alert: "SloBurnFast", severity: "critical", part: 0.02, long: SHORT[2], short: SHORT[0] },
    Burn { alert: "SloBurn", severity: "critical", part: 0.05, long: SHORT[3], short: SHORT[1] },
    Burn { alert: "SloBurnSlow", severity: "warning", part: 0.10, long: LONG, short: SHORT[3] },
];

/// An alert, with what holds for a monitor.
struct Alert {
    burn: &'static Burn,
    /// The window that must agree: the one of the burn, or the shortest longer one that holds enough.
    short: Window,
    /// How many times too fast the budget goes.
    factor: f64,
    /// The part that failed, above which each window agrees.
    limit: f64,
    /// The same of the long one as a number of probes, when it is full; enough of them.
    failures: f64,
}

fn alerts(slo: Slo, pace: Duration) -> Vec<Alert> {
    let of = |burn: &'static Burn| {
        let mut windows = SHORT.into_iter().chain([LONG]).filter(|(_, over)| *over >= burn.short.1);
        let short = windows.find(|(_, over)| holds_enough(*over, pace)).filter(|(_, over)| *over <= burn.long.1)?;
        let factor = burn.part * slo.window.as_secs_f64() / burn.long.1.as_secs_f64();
        let limit = round(factor * slo.budget());
        let failures = round(limit * burn.long.1.as_secs_f64() / pace.as_secs_f64()).max(LEAST);
        // More than everything cannot fail: this burn of the budget is not possible.
        (limit < 1.0).then_some(Alert { burn, short, factor, limit, failures })
    };
    BURNS.iter().filter_map(of).collect()
}

fn groups(monitor: &Monitor, slo: Slo) -> Vec<Arc<RuleGroup>> {
    let file = monitor.source.split(':').next().unwrap_or_default();
    let text = text(&monitor.name, slo, pace(&monitor.schedule));
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
fn text(name: &MonitorName, slo: Slo, pace: Duration) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let selector = format!("{{monitor={}}}", quoted(name.as_str()));
    let share = |window: &str| format!("slo:availability:ratio_{window}{selector}");
    let record = |out: &mut String, name: &str, expr: &str| {
        out.push_str(&format!("  - record: {name}\n    expr: {}\n", quoted(expr)));
    };
    let average = |out: &mut String, window: &str| {
        let expr = format!("avg_over_time(probe_success{selector}[{window}])");
        record(out, &format!("slo:availability:ratio_{window}"), &expr);
    };
    let alert = |out: &mut String, alert: &Alert| {
        let Alert { burn, short: (short, _), factor, limit, failures } = alert;
        let Burn { alert, severity, long: (long, _), .. } = burn;
        let mut expr = format!("1 - {} > {}", share(long), limit);
        if short != long {
            expr.push_str(&format!(" and 1 - {} > {}", share(short), limit));
        }
        let (share, count) = (share(long), format!("count_over_time(probe_success{selector}[{long}])"));
        expr.push_str(&format!(" and (1 - {share}) * {count} > {failures}"));
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
    let alerts = alerts(slo, pace);
    let of_long = |a: &&Alert| a.burn.long.1 == LONG.1;
    let mut fast = String::new();
    SHORT.iter().filter(|(_, over)| holds_enough(*over, pace)).for_each(|(word, _)| average(&mut fast, word));
    alerts.iter().filter(|a| !of_long(a)).for_each(|a| alert(&mut fast, a));
    let mut slow = String::new();
    let window = Exact(slo.window).to_string();
    if holds_enough(LONG.1, pace) && window != LONG.0 {
        average(&mut slow, LONG.0);
    }
    average(&mut slow, &window);
    let left = format!("1 - (1 - {}) / {}", share(&window), round(slo.budget()));
    record(&mut slow, "slo:error_budget:remaining_ratio", &left);
    alerts.iter().filter(of_long).for_each(|a| alert(&mut slow, a));
    let mut out = "groups:\n".to_owned();
    for (name, interval, rules) in [(format!("slo {name}"), "1m", fast), (format!("slo {name}, long"), "5m", slow)] {
        if !rules.is_empty() {
            out.push_str(&format!("- name: {}\n  interval: {interval}\n  rules:\n{rules}", quoted(&name)));
        }
    }
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

    const TEN: Duration = Duration::from_secs(10);

    fn read(name: &str, slo: Slo, pace: Duration) -> Vec<Arc<RuleGroup>> {
        let text = text(&MonitorName::new(name).unwrap(), slo, pace);
        let sheet = rules::read(&Source::new("monitors.d/a.yaml", text), &Nothing);
        assert_eq!(sheet.problems, []);
        sheet.groups
    }

    fn queries(groups: &[Arc<RuleGroup>]) -> Vec<(&str, &str)> {
        groups.iter().flat_map(|g| &g.rules).map(|r| (r.name.as_str(), r.query.as_str())).collect()
    }

    #[test]
    fn the_burn_rates_are_those_of_the_workbook() {
        let groups = read("shop", slo(999_000, 30), TEN);
        let found = queries(&groups);
        let of = |name: &str| found.iter().find(|(n, _)| *n == name).unwrap().1;
        let both = |long: &str, short: &str, limit: &str, failures: &str| {
            let failed = |w: &str| format!("1 - slo:availability:ratio_{w}{{monitor=\"shop\"}}");
            let count = format!("count_over_time(probe_success{{monitor=\"shop\"}}[{long}])");
            let floor = format!("({}) * {count} > {failures}", failed(long));
            format!("{} > {limit} and {} > {limit} and {floor}", failed(long), failed(short))
        };
        // 14.4, 6 and 1 times the budget of 0.001, as shares and of 360, 2,160 and 25,920 probes.
        assert_eq!(of("SloBurnFast"), both("1h", "5m", "0.0144", "5.184"));
        assert_eq!(of("SloBurn"), both("6h", "30m", "0.006", "12.96"));
        assert_eq!(of("SloBurnSlow"), both("3d", "6h", "0.001", "25.92"));
        assert_eq!(of("slo:availability:ratio_5m"), "avg_over_time(probe_success{monitor=\"shop\"}[5m])");
        assert_eq!(
            of("slo:error_budget:remaining_ratio"),
            "1 - (1 - slo:availability:ratio_30d{monitor=\"shop\"}) / 0.001"
        );
        assert_eq!(groups.iter().map(|g| g.interval.as_secs()).collect::<Vec<_>>(), [60, 300]);
    }

    #[test]
    fn rules_can_be_read_whatever_the_monitor_is_called_and_the_impossible_is_left_out() {
        let groups = read("a \"b\" {{ c }} 'd' \\ é", slo(500_000, 3), TEN);
        let names: Vec<&str> = queries(&groups).into_iter().map(|(n, _)| n).collect();
        // Half of the time of three days: 2 % are burnt in an hour at 1.44 times, 0.72 of the probes.
        assert!(names.contains(&"SloBurnFast"), "{names:?}");
        assert_eq!(names.iter().filter(|n| **n == "slo:availability:ratio_3d").count(), 1);
        let names = read("x", slo(500_000, 30), TEN);
        assert!(!queries(&names).iter().any(|(n, _)| *n == "SloBurnFast" || *n == "SloBurn"));
    }

    /// The alerts with the window that must agree, and how many probes of the long one must have failed, and more.
    fn judged(target: u32, days: u32, pace: Duration) -> Vec<(&'static str, &'static str, f64)> {
        alerts(slo(target, days), pace).iter().map(|a| (a.burn.alert, a.short.0, a.failures)).collect()
    }

    #[test]
    fn windows_with_few_probes_are_left_out() {
        let at = |pace| judged(999_000, 30, pace);
        assert_eq!(at(TEN), [("SloBurnFast", "5m", 5.184), ("SloBurn", "30m", 12.96), ("SloBurnSlow", "6h", 25.92)]);
        // Sixty probes an hour: two of them must fail.
        assert_eq!(at(MINUTE)[0], ("SloBurnFast", "5m", LEAST));
        assert_eq!(at(MINUTE * 5)[..2], [("SloBurnFast", "30m", LEAST), ("SloBurn", "30m", LEAST)]);
        assert_eq!(at(MINUTE * 10)[..2], [("SloBurnFast", "1h", LEAST), ("SloBurn", "1h", LEAST)]);
        let hourly: Vec<_> = at(HOUR).iter().map(|a| (a.0, a.1)).collect();
        assert_eq!(hourly, [("SloBurn", "6h"), ("SloBurnSlow", "6h")]);
        assert_eq!(at(DAY), []);
        for pace in [TEN, MINUTE, MINUTE * 5, MINUTE * 10, HOUR, HOUR * 6] {
            for alert in alerts(slo(999_000, 30), pace) {
                assert!(holds_enough(alert.short.1, pace), "{pace:?} {}", alert.burn.alert);
            }
        }
        // What is recorded holds enough, too; a group without rules is none.
        let of = |pace| read("x", slo(990_000, 30), pace);
        let hour = of(HOUR);
        assert!(!queries(&hour).iter().any(|(_, q)| q.contains("[5m]") || q.contains("[30m]") || q.contains("[1h]")));
        let fast = queries(&hour).into_iter().find(|(name, _)| *name == "SloBurn").unwrap().1;
        let ratio = "1 - slo:availability:ratio_6h{monitor=\"x\"}";
        let count = "count_over_time(probe_success{monitor=\"x\"}[6h])";
        assert_eq!(fast, format!("{ratio} > 0.06 and ({ratio}) * {count} > 1.5"));
        assert_eq!(of(DAY).iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["slo x, long"]);
    }

    #[test]
    fn an_expression_is_as_slow_as_its_longest_gap() {
        let cron = |text: &str| {
            let cron = Box::new(text.parse().unwrap());
            pace(&Schedule::Cron { text: text.to_owned(), cron, zone: jiff::tz::TimeZone::UTC })
        };
        assert_eq!((cron("*/5 * * * *"), cron("0 3 * * *")), (MINUTE * 5, DAY));
        // Over the night.
        assert_eq!(cron("0 8-18 * * *"), HOUR * 14);
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
