//! Whose fault a failure is when one monitor depends on another: what is found below one that is down says
//! nothing, and becomes `unknown`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::name::MonitorName;
use crate::base::outcome::{Outcome, PARENT_DOWN, Reason, Verdict};
use crate::config::depends;
use crate::config::model::{Config, Monitor};

/// What is known of the monitors on which others depend. One value, shared by all probes.
#[derive(Debug, Default)]
pub struct Lineage {
    /// Whether any monitor depends on another; without it nobody takes the lock.
    any: AtomicBool,
    /// Held for a few look-ups.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Monitor → everything above it, nearest first.
    above: HashMap<MonitorName, Vec<MonitorName>>,
    /// Each monitor on which another depends.
    standing: HashMap<MonitorName, Standing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Fine,
    Down,
    /// Unknown, since another above it is down.
    Excused,
}

impl Lineage {
    /// Takes over who depends on whom. What is known of monitors that stay is kept.
    pub fn configure(&self, config: &Config) {
        let Ok(mut known) = self.known.lock() else { return };
        known.above.clear();
        let mut standing = HashMap::new();
        for monitor in config.monitors.values().filter(|m| !m.depends_on.is_empty()) {
            let above: Vec<MonitorName> = depends::above(&config.monitors, monitor)
                .iter()
                .filter(|m| !m.paused)
                .map(|m| m.name.clone())
                .collect();
            for name in &above {
                let before = known.standing.get(name).copied().unwrap_or(Standing::Fine);
                standing.insert(name.clone(), before);
            }
            known.above.insert(monitor.name.clone(), above);
        }
        self.any.store(!standing.is_empty(), Ordering::Relaxed);
        known.standing = standing;
    }

    /// The outcome as it is to be judged: a failure below a monitor that is down is `unknown`.
    pub fn judge(&self, monitor: &Monitor, outcome: Outcome) -> Outcome {
        if outcome.verdict != Verdict::Down || monitor.depends_on.is_empty() {
            return outcome;
        }
        let Some(parent) = self.culprit(&monitor.name) else { return outcome };
        let message = format!("`{parent}` is down, and this depends on it; found: {}", outcome.headline());
        outcome.with_verdict(Verdict::Unknown, PARENT_DOWN, message)
    }

    fn culprit(&self, name: &MonitorName) -> Option<MonitorName> {
        let known = self.known.lock().ok()?;
        let above = known.above.get(name)?;
        let standing = |name: &MonitorName| known.standing.get(name).copied().unwrap_or(Standing::Fine);
        // The one that is down itself explains more than one that is excused.
        let down = above.iter().find(|name| standing(name) == Standing::Down);
        down.or_else(|| above.iter().find(|name| standing(name) == Standing::Excused)).cloned()
    }

    /// Remembers the verdict of a slot. One that is unknown for our own reasons changes nothing.
    pub fn note(&self, name: &MonitorName, verdict: Verdict, reason: Option<&Reason>) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let now = match verdict {
            Verdict::Up | Verdict::Degraded => Standing::Fine,
            Verdict::Down => Standing::Down,
            Verdict::Unknown if reason.is_some_and(Reason::blames_parent) => Standing::Excused,
            Verdict::Unknown => return,
        };
        if let Ok(mut known) = self.known.lock()
            && let Some(standing) = known.standing.get_mut(name)
        {
            *standing = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::base::BoxFuture;
    use crate::base::labels::Labels;
    use crate::base::probe::{Collector, ProbeCx};
    use crate::config::catalog::Probe;
    use crate::config::model::Schedule;

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
}
