//! Whose fault a failure is when one monitor depends on another: what is found below one that is down says
//! nothing, and becomes `unknown`.
//!
//! A monitor that is probed seldom was perhaps down hours ago. So what fails below such a one has it asked at once, out
//! of its turn, and is judged anew with its next slot.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{self, Instant};

use crate::base::name::MonitorName;
use crate::base::outcome::{Outcome, PARENT_DOWN, Reason, Verdict};
use crate::config::model::{Config, Monitor, Schedule};
use crate::engine::gates::patience;

/// What a result may be late by, beside the time its probes take.
const LATE: Duration = Duration::from_secs(2);
/// Who is probed less often than this is asked by what fails below it; at most so often, however much does.
const SELDOM: Duration = Duration::from_secs(60);

/// What is known of the monitors on which others depend. One value, shared by all probes.
#[derive(Debug, Default)]
pub struct Lineage {
    /// Whether any monitor depends on another; without it nobody takes the lock.
    any: AtomicBool,
    /// Held for a walk upwards, which ends at the first that is down.
    known: Mutex<Known>,
    /// Somebody is to be asked.
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// Each monitor that depends on another, or on which another depends.
    nodes: HashMap<MonitorName, Node>,
    /// Who is to be asked out of turn, and not before when. Each at most once.
    wanted: BinaryHeap<Reverse<(Instant, MonitorName)>>,
}

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
    /// It is asked by what fails below it.
    seldom: bool,
    /// When it was last asked, or is to be asked next.
    asked: Option<Instant>,
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
            let before = known.nodes.remove(name);
            let node = Node {
                parents: monitor.depends_on.clone(),
                paused: monitor.paused,
                overdue: overdue(monitor),
                standing: before.as_ref().map_or(Standing::Fine, |b| b.standing.clone()),
                unsure: before.as_ref().and_then(|b| b.unsure),
                seldom: is_seldom(monitor),
                asked: before.and_then(|b| b.asked),
            };
            nodes.insert(name.clone(), node);
        }
        self.any.store(!nodes.is_empty(), Ordering::Relaxed);
        known.wanted.retain(|Reverse((_, name))| nodes.get(name).is_some_and(|node| !node.paused));
        known.nodes = nodes;
    }

    /// The outcome as it is to be judged: a failure below a monitor that is down is `unknown` for that reason, and so is
    /// what a check could not judge. Wants those above to be asked that are probed seldom.
    pub fn judge(&self, monitor: &Monitor, outcome: Outcome) -> Outcome {
        if monitor.depends_on.is_empty() || !may_be_theirs(&outcome) {
            return outcome;
        }
        let Some(parent) = self.blamed(&monitor.name) else { return outcome };
        let message = format!("`{parent}` is down, and this depends on it; found: {}", outcome.headline());
        outcome.with_verdict(Verdict::Unknown, PARENT_DOWN, message)
    }

    fn blamed(&self, name: &MonitorName) -> Option<MonitorName> {
        let now = Instant::now();
        let mut known = self.known.lock().ok()?;
        let mut seldom = Vec::new();
        let culprit = known.culprit(name, now, &mut seldom);
        if known.want(seldom, now) {
            self.wanted.notify_one();
        }
        culprit
    }

    /// Waits for a monitor that is to be asked now, out of its turn. For one caller. Cancel-safe: nothing is awaited once
    /// one was taken out.
    pub async fn wanted(&self) -> MonitorName {
        loop {
            let mut first = None;
            if let Ok(mut known) = self.known.lock() {
                first = known.wanted.peek().map(|Reverse((at, _))| *at);
                if first.is_some_and(|at| at <= Instant::now())
                    && let Some(Reverse((_, name))) = known.wanted.pop()
                {
                    return name;
                }
            }
            match first {
                // Who is wanted sooner comes with a notice.
                Some(at) => drop(time::timeout_at(at, self.wanted.notified()).await),
                None => self.wanted.notified().await,
            }
        }
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
                known.culprit(name, now, &mut Vec::new()).map(Standing::Excused)
            }
            Verdict::Unknown => None,
        };
        let Some(node) = known.nodes.get_mut(name) else { return };
        match standing {
            Some(standing) => (node.standing, node.unsure) = (standing, None),
            None => drop(node.unsure.get_or_insert(now)),
        }
    }
}

impl Known {
    /// Who above is to blame: the one that is down itself explains more than one that is excused. Adds to `seldom` who
    /// had a say in that and may stand otherwise by now.
    fn culprit(&self, name: &MonitorName, now: Instant, seldom: &mut Vec<MonitorName>) -> Option<MonitorName> {
        let mut open: VecDeque<&MonitorName> = self.nodes.get(name)?.parents.iter().collect();
        let mut seen = HashSet::new();
        let mut excused = None;
        while let Some(name) = open.pop_front() {
            let Some(node) = self.nodes.get(name).filter(|_| seen.insert(name)) else { continue };
            let mut heard = |name: &MonitorName, node: &Node| {
                if node.seldom && !node.paused {
                    seldom.push(name.clone());
                }
            };
            heard(name, node);
            match node.stands(now) {
                Standing::Fine => {}
                Standing::Down => return Some(name.clone()),
                Standing::Excused(by)
                    if let Some(above) = self.nodes.get(by)
                        && *above.stands(now) == Standing::Down =>
                {
                    heard(by, above);
                    return Some(by.clone());
                }
                Standing::Excused(_) => drop(excused.get_or_insert(name)),
            }
            open.extend(&node.parents);
        }
        excused.cloned()
    }

    /// Puts down that these are to be asked; `false` if none is that was not before.
    fn want(&mut self, names: Vec<MonitorName>, now: Instant) -> bool {
        let mut news = false;
        for name in names {
            let Some(node) = self.nodes.get_mut(&name).filter(|n| n.asked.is_none_or(|at| at <= now)) else { continue };
            let at = node.asked.map_or(now, |before| now.max(before + SELDOM));
            node.asked = Some(at);
            self.wanted.push(Reverse((at, name)));
            news = true;
        }
        news
    }
}

/// Whether a monitor above may be the cause.
fn may_be_theirs(outcome: &Outcome) -> bool {
    match outcome.verdict {
        Verdict::Up | Verdict::Degraded => false,
        Verdict::Down => true,
        Verdict::Unknown => outcome.reason.as_ref().is_some_and(Reason::may_be_parents),
    }
}

/// Whether its last verdict may be from long ago.
fn is_seldom(monitor: &Monitor) -> bool {
    match &monitor.schedule {
        Schedule::Every(interval) => *interval > SELDOM,
        Schedule::Cron { .. } => true,
    }
}

/// While something below this monitor fails, a result of it is never further away than this.
pub(crate) fn overdue(monitor: &Monitor) -> Duration {
    // Who shares a host with others may have to wait for them.
    let wait = if monitor.probe.host.is_some() { patience(monitor) } else { Duration::ZERO };
    // A round may take until the next one.
    let first = match &monitor.schedule {
        Schedule::Every(interval) if monitor.probe.rounds => monitor.timeout.max(*interval),
        Schedule::Every(_) | Schedule::Cron { .. } => monitor.timeout,
    };
    let run = wait + first + (monitor.retry_interval + monitor.timeout) * monitor.retries;
    match &monitor.schedule {
        Schedule::Every(interval) if !is_seldom(monitor) => *interval + run + LATE,
        // It is asked, and once more if a run was under way.
        Schedule::Every(_) | Schedule::Cron { .. } => SELDOM + run * 2 + LATE,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time;

    use super::*;
    use crate::base::outcome::{NOT_OURS, REGISTRY, SIGNAL, UNKNOWN};

    fn monitor(name: &str, on: &[&str]) -> Monitor {
        Monitor { depends_on: on.iter().map(|n| MonitorName::new(n).unwrap()).collect(), ..Monitor::sample(name) }
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

    #[tokio::test(start_paused = true)]
    async fn one_that_is_probed_seldom_is_asked_when_something_below_it_fails_and_at_most_once_a_minute() {
        let every = |m: Monitor, secs: u64| Monitor { schedule: Schedule::Every(Duration::from_secs(secs)), ..m };
        let (gateway, shop) = (every(monitor("gateway", &[]), 86_400), monitor("shop", &["gateway"]));
        let lineage = Lineage::default();
        lineage.configure(&config(&[gateway.clone(), shop.clone()]));
        let began = Instant::now();
        let fails = || lineage.judge(&shop, Outcome::down("timeout", "no answer")).verdict;
        let asked = async || {
            let name = time::timeout(Duration::from_secs(600), lineage.wanted()).await;
            name.ok().map(|name| (name.to_string(), began.elapsed().as_secs()))
        };
        let gateway_at = |secs| Some(("gateway".to_owned(), secs));
        // Whether it was up or down when it was last asked.
        assert_eq!(fails(), Verdict::Down);
        assert_eq!(asked().await, gateway_at(0));
        lineage.note(&gateway.name, Verdict::Down, None);
        assert_eq!(fails(), Verdict::Unknown);
        // While the scheduler waits for a slot.
        assert!(time::timeout(Duration::from_secs(20), lineage.wanted()).await.is_err());
        fails();
        assert_eq!(asked().await, gateway_at(60));
        assert_eq!(asked().await, None);
        // A failure ends the wait.
        let later = async {
            time::sleep(Duration::from_secs(5)).await;
            fails();
        };
        assert_eq!(tokio::join!(asked(), later).0, gateway_at(665));
        // Nobody asks who is paused, or has a slot within a minute.
        fails();
        lineage.configure(&config(&[Monitor { paused: true, ..gateway.clone() }, shop.clone()]));
        assert_eq!((fails(), asked().await), (Verdict::Down, None));
        lineage.configure(&config(&[every(gateway, 60), shop.clone()]));
        assert_eq!((fails(), asked().await), (Verdict::Unknown, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_cannot_judge_asks_those_above_and_is_excused_like_one_that_fails() {
        let seldom = Schedule::Every(Duration::from_secs(300));
        let (router, disk) = (Monitor { schedule: seldom, ..monitor("router", &[]) }, monitor("disk", &["router"]));
        let lineage = Lineage::default();
        lineage.configure(&config(&[router.clone(), disk.clone()]));
        lineage.note(&router.name, Verdict::Up, None);
        let judged = |class: &'static str| {
            let found = lineage.judge(&disk, Outcome::unknown(class, "no route to host"));
            found.reason.map(|r| r.class.into_owned())
        };
        // What this machine, the policy or the calendar is to blame for is nobody's else, and what got through was no
        // victim of the way.
        let theirs = [UNKNOWN, SIGNAL, REGISTRY];
        let others: Vec<&str> =
            NOT_OURS.into_iter().filter(|c| !theirs.contains(c) && *c != PARENT_DOWN).chain(["local_exec"]).collect();
        for class in &others {
            assert_eq!(judged(class).as_deref(), Some(*class));
        }
        assert!(time::timeout(Duration::from_secs(1), lineage.wanted()).await.is_err());
        assert_eq!(judged("unknown").as_deref(), Some("unknown"));
        assert_eq!(time::timeout(Duration::from_secs(1), lineage.wanted()).await.ok(), Some(router.name.clone()));
        lineage.note(&router.name, Verdict::Down, None);
        for class in theirs {
            assert_eq!(judged(class).as_deref(), Some(PARENT_DOWN));
        }
        for class in others {
            assert_eq!(judged(class).as_deref(), Some(class));
        }
    }

    #[test]
    fn a_long_chain_costs_what_its_links_cost() {
        let name = |i: usize| format!("m{i:05}");
        let chain: Vec<Monitor> = (0..10_000)
            .map(|i| if i == 0 { monitor(&name(0), &[]) } else { monitor(&name(i), &[name(i - 1).as_str()]) })
            .collect();
        let lineage = Lineage::default();
        lineage.configure(&config(&chain));
        let links: usize = lineage.known.lock().unwrap().nodes.values().map(|node| node.parents.len()).sum();
        assert_eq!(links, 9_999);
        lineage.note(&chain[0].name, Verdict::Down, None);
        for monitor in &chain[1..] {
            let found = lineage.judge(monitor, Outcome::down("timeout", "no answer"));
            assert!(found.headline().starts_with("`m00000` is down"), "{}", monitor.name);
            lineage.note(&monitor.name, found.verdict, found.reason.as_ref());
        }
    }
}
