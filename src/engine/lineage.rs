//! Whose fault a failure is when one monitor depends on another: what is found below one that is down says
//! nothing, and becomes `unknown`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::name::MonitorName;
use crate::base::outcome::{Outcome, PARENT_DOWN, Reason, Verdict};
use crate::config::model::{Config, Monitor, Schedule};
use crate::engine::gates::patience;

/// What a result may be late by, beside the time its probes take.
const LATE: Duration = Duration::from_secs(2);

/// What is known of the monitors on which others depend. One value, shared by all probes.
#[derive(Debug, Default)]
pub struct Lineage {
    /// Whether any monitor depends on another; without it nobody takes the lock.
    any: AtomicBool,
    /// Held for a walk upwards, which ends at the first that is down.
    known: Mutex<Known>,
}

/// Each monitor that depends on another, or on which another depends.
#[derive(Debug, Default)]
struct Known(HashMap<MonitorName, Node>);

#[derive(Debug)]
struct Node {
    /// What it depends on directly: the whole way of each would be a square of the longest chain.
    parents: Vec<MonitorName>,
    paused: bool,
    /// So long its last verdict is believed while it is unknown for our own reasons.
    overdue: Duration,
    standing: Standing,
    /// Since when it has been unknown for our own reasons.
    unsure: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    Fine,
    Down,
    /// Unknown, since this one above it is down.
    Excused(MonitorName),
}

impl Node {
    fn stands(&self, now: Instant) -> &Standing {
        let expired = self.unsure.is_some_and(|since| now.duration_since(since) > self.overdue);
        if self.paused || expired { &Standing::Fine } else { &self.standing }
    }
}

impl Lineage {
    /// Takes over who depends on whom. What is known of monitors that stay is kept.
    pub fn configure(&self, config: &Config) {
        let Ok(mut known) = self.known.lock() else { return };
        let needed: HashSet<&MonitorName> = config.monitors.values().flat_map(|m| &m.depends_on).collect();
        let mut nodes = HashMap::new();
        for (name, monitor) in &config.monitors {
            if monitor.depends_on.is_empty() && !needed.contains(name) {
                continue;
            }
            let (standing, unsure) =
                known.0.remove(name).map_or((Standing::Fine, None), |before| (before.standing, before.unsure));
            let (parents, paused) = (monitor.depends_on.clone(), monitor.paused);
            nodes.insert(name.clone(), Node { parents, paused, overdue: overdue(monitor), standing, unsure });
        }
        self.any.store(!nodes.is_empty(), Ordering::Relaxed);
        known.0 = nodes;
    }

    /// The outcome as it is to be judged: a failure below a monitor that is down is `unknown`.
    pub fn judge(&self, monitor: &Monitor, outcome: Outcome) -> Outcome {
        if outcome.verdict != Verdict::Down || monitor.depends_on.is_empty() {
            return outcome;
        }
        let culprit = self.known.lock().ok().and_then(|known| known.culprit(&monitor.name, Instant::now()));
        let Some(parent) = culprit else { return outcome };
        let message = format!("`{parent}` is down, and this depends on it; found: {}", outcome.headline());
        outcome.with_verdict(Verdict::Unknown, PARENT_DOWN, message)
    }

    /// Remembers the verdict of a slot. One that is unknown for our own reasons changes nothing for a while.
    pub fn note(&self, name: &MonitorName, verdict: Verdict, reason: Option<&Reason>) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        let Ok(mut known) = self.known.lock() else { return };
        let standing = match verdict {
            Verdict::Up | Verdict::Degraded => Some(Standing::Fine),
            Verdict::Down => Some(Standing::Down),
            Verdict::Unknown if reason.is_some_and(Reason::blames_parent) => {
                // It may be back since.
                known.culprit(name, now).map(Standing::Excused)
            }
            Verdict::Unknown => None,
        };
        let Some(node) = known.0.get_mut(name) else { return };
        match standing {
            Some(standing) => (node.standing, node.unsure) = (standing, None),
            None => drop(node.unsure.get_or_insert(now)),
        }
    }
}

impl Known {
    /// Who above is to blame: the one that is down itself explains more than one that is excused.
    fn culprit(&self, name: &MonitorName, now: Instant) -> Option<MonitorName> {
        let mut open: VecDeque<&MonitorName> = self.0.get(name)?.parents.iter().collect();
        let mut seen = HashSet::new();
        let mut excused = None;
        while let Some(name) = open.pop_front() {
            let Some(node) = self.0.get(name).filter(|_| seen.insert(name)) else { continue };
            match node.stands(now) {
                Standing::Fine => {}
                Standing::Down => return Some(name.clone()),
                Standing::Excused(by) if self.0.get(by).is_some_and(|n| *n.stands(now) == Standing::Down) => {
                    return Some(by.clone());
                }
                Standing::Excused(_) => drop(excused.get_or_insert(name)),
            }
            open.extend(&node.parents);
        }
        excused.cloned()
    }
}

/// A result of this monitor is never further away than this.
pub(crate) fn overdue(monitor: &Monitor) -> Duration {
    match &monitor.schedule {
        Schedule::Every(interval) => {
            // Who shares a host with others may have to wait for them.
            let wait = if monitor.probe.host.is_some() { patience(monitor) } else { Duration::ZERO };
            // A round may take until the next one.
            let first = if monitor.probe.rounds { monitor.timeout.max(*interval) } else { monitor.timeout };
            let probes = first + (monitor.retry_interval + monitor.timeout) * monitor.retries;
            *interval + wait + probes + LATE
        }
        // The next time that a cron expression names may be days away: nobody waits for that.
        Schedule::Cron { .. } => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time;

    use super::*;
    use crate::base::BoxFuture;
    use crate::base::labels::Labels;
    use crate::base::probe::{Collector, ProbeCx};
    use crate::config::catalog::Probe;

    #[derive(Debug)]
    struct Never;

    impl Collector for Never {
        fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
            Box::pin(std::future::pending())
        }
    }

    fn monitor(name: &str, on: &[&str]) -> Monitor {
        Monitor {
            name: MonitorName::new(name).unwrap(),
            probe: Probe::new("test", String::new(), Never),
            schedule: Schedule::Every(Duration::from_secs(10)),
            timeout: Duration::from_secs(1),
            retries: 0,
            retry_interval: Duration::from_secs(1),
            labels: Labels::default(),
            paused: false,
            depends_on: on.iter().map(|n| MonitorName::new(n).unwrap()).collect(),
            alert: None,
            source: String::new(),
            hash: 0,
        }
    }

    fn config(monitors: &[Monitor]) -> Config {
        let monitors = monitors.iter().map(|m| (m.name.clone(), Arc::new(m.clone()))).collect();
        Config { monitors, ..Config::default() }
    }

    #[test]
    fn below_one_that_is_down_nothing_is_down_and_the_one_to_blame_is_named() {
        let (router, switch, shop) =
            (monitor("router", &[]), monitor("switch", &["router"]), monitor("shop", &["switch"]));
        let lineage = Lineage::default();
        lineage.configure(&config(&[router.clone(), switch.clone(), shop.clone()]));
        let fails = |m: &Monitor| {
            let found = lineage.judge(m, Outcome::down("timeout", "no answer"));
            lineage.note(&m.name, found.verdict, found.reason.as_ref());
            (found.verdict, found.headline().to_owned())
        };
        assert_eq!(fails(&shop).0, Verdict::Down);
        assert_eq!(fails(&router).0, Verdict::Down);
        let text = |parent: &str| format!("`{parent}` is down, and this depends on it; found: no answer");
        assert_eq!(fails(&shop), (Verdict::Unknown, text("router")));
        assert_eq!(fails(&switch), (Verdict::Unknown, text("router")));
        // What works is up, whatever is above it; what we cannot judge changes nothing.
        let up = lineage.judge(&shop, Outcome::up("fine"));
        assert_eq!(up.verdict, Verdict::Up);
        let ours = Outcome::unknown("local_files", "too many open files");
        lineage.note(&router.name, ours.verdict, ours.reason.as_ref());
        assert_eq!(fails(&shop).0, Verdict::Unknown);
        lineage.note(&router.name, Verdict::Up, None);
        // The switch was not probed since: it is still excused, and so is what is below it.
        assert_eq!(fails(&shop), (Verdict::Unknown, text("switch")));
        assert_eq!(fails(&switch).0, Verdict::Down);
        // A reload keeps what is known; a paused monitor blames nobody.
        let paused = Monitor { paused: true, ..switch };
        lineage.configure(&config(&[router, paused, shop.clone()]));
        assert_eq!(fails(&shop).0, Verdict::Down);
    }

    #[tokio::test(start_paused = true)]
    async fn a_parent_that_cannot_be_judged_for_long_is_blamed_no_more() {
        let (gateway, shop) = (monitor("gateway", &[]), monitor("shop", &["gateway"]));
        let lineage = Lineage::default();
        lineage.configure(&config(&[gateway.clone(), shop.clone()]));
        let judged = || lineage.judge(&shop, Outcome::down("timeout", "no answer")).verdict;
        let ours = Outcome::unknown("local_files", "too many open files");
        lineage.note(&gateway.name, Verdict::Down, None);
        lineage.note(&gateway.name, ours.verdict, ours.reason.as_ref());
        time::advance(overdue(&gateway)).await;
        lineage.note(&gateway.name, ours.verdict, ours.reason.as_ref());
        assert_eq!(judged(), Verdict::Unknown);
        time::advance(Duration::from_secs(1)).await;
        assert_eq!(judged(), Verdict::Down);
        lineage.note(&gateway.name, Verdict::Down, None);
        time::advance(overdue(&gateway) * 10).await;
        assert_eq!(judged(), Verdict::Unknown);
    }

    #[test]
    fn a_long_chain_costs_what_its_links_cost() {
        let name = |i: usize| format!("m{i:05}");
        let chain: Vec<Monitor> = (0..10_000)
            .map(|i| if i == 0 { monitor(&name(0), &[]) } else { monitor(&name(i), &[name(i - 1).as_str()]) })
            .collect();
        let lineage = Lineage::default();
        lineage.configure(&config(&chain));
        let links: usize = lineage.known.lock().unwrap().0.values().map(|node| node.parents.len()).sum();
        assert_eq!(links, 9_999);
        lineage.note(&chain[0].name, Verdict::Down, None);
        for monitor in &chain[1..] {
            let found = lineage.judge(monitor, Outcome::down("timeout", "no answer"));
            assert!(found.headline().starts_with("`m00000` is down"), "{}", monitor.name);
            lineage.note(&monitor.name, found.verdict, found.reason.as_ref());
        }
    }
}
