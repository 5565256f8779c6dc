//! Which monitor depends on which: every name is that of a monitor, no way leads back to where it began, and somebody
//! hears of what is down above.
//!
//! Checked when all files are joined, since a monitor of one may depend on one of another.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use crate::base::fnv::Fnv;
use crate::base::name::MonitorName;
use crate::base::nearest::nearest;
use crate::config::alerting::Mention;
use crate::config::model::Monitor;
use crate::config::monitors::Item;
use crate::config::report::Code;
use crate::wire::api::{Level, Problem};

/// Unknown names beyond this many get no "did you mean": each costs a comparison with every monitor.
const MAX_HINTS: usize = 100;

/// Reports names without a monitor and dependencies in a circle, and takes both out of the monitors: two that wait
/// for each other would never be told of.
pub fn check<'a>(
    monitors: &mut BTreeMap<MonitorName, Arc<Monitor>>,
    items: &[&'a Item],
    mentions: impl Iterator<Item = &'a Mention>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let declared: HashSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
    let mut hints = 0;
    for mention in items.iter().flat_map(|item| &item.depends_on).chain(mentions) {
        if !declared.contains(mention.name.as_str()) && !monitors.contains_key(mention.name.as_str()) {
            hints += 1;
            let near = if hints > MAX_HINTS { None } else { nearest(&mention.name, declared.iter().copied()) };
            problems.push(mention.unknown(near));
        }
    }
    let lost = |m: &&Arc<Monitor>| m.depends_on.iter().any(|on| !monitors.contains_key(on));
    for name in monitors.values().filter(lost).map(|m| m.name.clone()).collect::<Vec<_>>() {
        let known: Vec<MonitorName> =
            monitors[&name].depends_on.iter().filter(|on| monitors.contains_key(*on)).cloned().collect();
        if let Some(monitor) = monitors.get_mut(&name) {
            edit(monitor, |on| known.contains(on));
        }
    }
    for (from, to) in back_edges(monitors) {
        if let Some(monitor) = monitors.get_mut(&from) {
            edit(monitor, |on| *on != to);
        }
        let mut said = items.iter().filter(|item| item.name == from).flat_map(|item| &item.depends_on);
        if let Some(mention) = said.find(|m| m.name == to.as_str()) {
            let message = match from == to {
                true => format!("`{from}` depends on itself"),
                false => format!("`{from}` depends on `{to}`, which depends on `{from}`"),
            };
            let hint = "let only one of them depend on the other";
            problems.push(mention.at.problem(Level::Error, Code::Conflict, message, hint));
        }
    }
    problems.extend(mute(monitors, items));
    problems
}

/// Warns of monitors that raise nothing while others hold their alerts back for them. Each once, where it is first
/// named: ten thousand may depend on one.
fn mute(monitors: &BTreeMap<MonitorName, Arc<Monitor>>, items: &[&Item]) -> Vec<Problem> {
    // Its objective has alerts.
    let promised: HashSet<&str> = items.iter().filter(|i| i.slo.is_some()).map(|i| i.name.as_str()).collect();
    let is_loud = |m: &Monitor| m.alert.is_some() || m.paused;
    let mut found: BTreeMap<&str, (&Mention, &MonitorName, usize)> = BTreeMap::new();
    for item in items {
        if monitors.get(&item.name).is_none_or(|m| m.alert.is_none() || m.paused) {
            continue;
        }
        for mention in &item.depends_on {
            let name = mention.name.as_str();
            if monitors.get(name).is_some_and(|m| !is_loud(m)) && !promised.contains(name) {
                found.entry(name).or_insert((mention, &item.name, 0)).2 += 1;
            }
        }
    }
    let warning = |(parent, (mention, child, count)): (&str, (&Mention, &MonitorName, usize))| {
        let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
        let message = format!("nobody hears of `{child}`{more} while `{parent}` is down: it has `alert: false`");
        let hint = format!("let `{parent}` have an alert, or take it out of `depends_on`");
        mention.at.problem(Level::Warning, Code::Suspicious, message, hint)
    };
    found.into_iter().map(warning).collect()
}

/// Everything that `monitor` depends on, directly or not, nearest first.
pub fn above<'a>(monitors: &'a BTreeMap<MonitorName, Arc<Monitor>>, monitor: &'a Monitor) -> Vec<&'a Arc<Monitor>> {
    let mut seen: HashSet<&MonitorName> = HashSet::new();
    let mut open: VecDeque<&MonitorName> = monitor.depends_on.iter().collect();
    let mut found = Vec::new();
    while let Some(name) = open.pop_front() {
        if let Some(parent) = monitors.get(name).filter(|_| seen.insert(name)) {
            open.extend(&parent.depends_on);
            found.push(parent);
        }
    }
    found
}

/// Keeps the dependencies that `keep` accepts. The definition is another one then.
fn edit(monitor: &mut Arc<Monitor>, keep: impl Fn(&MonitorName) -> bool) {
    let mut edited = (**monitor).clone();
    edited.depends_on.retain(|on| keep(on));
    let mut hash = Fnv::default();
    edited.hash.hash(&mut hash);
    edited.depends_on.hash(&mut hash);
    edited.hash = hash.finish();
    *monitor = Arc::new(edited);
}

/// The dependencies without which no way leads back, found in order of name, so that the same files give the same.
/// Without recursion: a chain may be as long as there are monitors.
fn back_edges(monitors: &BTreeMap<MonitorName, Arc<Monitor>>) -> Vec<(MonitorName, MonitorName)> {
    let mut done: HashMap<&MonitorName, bool> = HashMap::new();
    let mut found = Vec::new();
    for start in monitors.values().filter(|m| !m.depends_on.is_empty()) {
        if done.contains_key(&start.name) {
            continue;
        }
        done.insert(&start.name, false);
        let mut way = vec![(start, 0)];
        while let Some((monitor, next)) = way.last_mut() {
            let Some(on) = monitor.depends_on.get(*next) else {
                done.insert(&monitor.name, true);
                way.pop();
                continue;
            };
            *next += 1;
            match (done.get(on), monitors.get(on)) {
                (Some(false), _) => found.push((monitor.name.clone(), on.clone())),
                (None, Some(target)) => {
                    done.insert(&target.name, false);
                    way.push((target, 0));
                }
                (Some(true), _) | (None, None) => {}
            }
        }
    }
    found
}
