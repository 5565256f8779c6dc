//! The state of everything in one sentence. Pure, so that TUI, CLI and API say the same.

use std::sync::Arc;

use crate::base::message::Severity;
use crate::base::term_safe::term_safe;
use crate::wire::board::{AlertRow, AlertState, EngineHealth, Headline, MonitorRow, State};

/// Longest reason quoted in the second line, in characters.
const QUOTED: usize = 60;

/// How many monitors are in a state, and which row is that of the one that has been so for longest.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: usize,
    first: Option<usize>,
}

/// The monitors by state.
#[derive(Clone, Debug, Default)]
pub struct Tallies([Tally; State::ALL.len()]);

impl Tallies {
    /// Counts in one pass: rows lie all over the memory.
    pub fn of(rows: &[Arc<MonitorRow>]) -> Self {
        let mut tallies = Self::default();
        for (i, row) in rows.iter().enumerate() {
            let Some(tally) = tallies.0.get_mut(row.state as usize) else { continue };
            tally.count += 1;
            let first = tally.first.and_then(|first| rows.get(first));
            if first.is_none_or(|first| (row.since, &row.name) < (first.since, &first.name)) {
                tally.first = Some(i);
            }
        }
        tallies
    }

    fn get(&self, state: State) -> Tally {
        self.0.get(state as usize).copied().unwrap_or_default()
    }

    /// How many monitors are in a state.
    pub fn count(&self, state: State) -> usize {
        self.get(state).count
    }
}

/// The headline over `rows`, which `monitors` are the tallies of. Worst first: what is down, then what is slow, then what
/// cannot be judged, then the engine itself.
pub fn headline(
    monitors: &Tallies,
    rows: &[Arc<MonitorRow>],
    alerts: &[Arc<AlertRow>],
    engine: &EngineHealth,
) -> Headline {
    let firing = alerts.iter().filter(|a| a.state == AlertState::Firing);
    let critical = firing.clone().filter(|a| a.severity == Severity::Critical).count();
    let alerts = match (firing.count(), critical) {
        (0, _) => String::new(),
        (1, 1) => " 1 critical alert fires.".to_owned(),
        (1, _) => " 1 alert fires.".to_owned(),
        (n, c) => format!(" {n} alerts fire, {c} critical."),
    };
    for (state, verb) in [(State::Down, "down"), (State::Degraded, "degraded"), (State::Unknown, "unknown")] {
        let Tally { count, first } = monitors.get(state);
        let Some(first) = first.and_then(|first| rows.get(first)) else { continue };
        let sentence = match count {
            1 => format!("{} is {verb}.{alerts}", first.name),
            n => format!("{n} monitors are {verb}.{alerts}"),
        };
        return Headline {
            worst: Some(state),
            sentence,
            since: first.since,
            first_to_break: Some(format!("First to break: {} ({})", first.name, quote(&first.headline))),
        };
    }
    if let Some(complaint) = engine.complaints.first() {
        return Headline {
            worst: Some(State::Unknown),
            sentence: format!("Watchdog itself needs you: {complaint}"),
            ..Headline::default()
        };
    }
    let (up, pending) = (monitors.count(State::Up), monitors.count(State::Pending));
    let sentence = match (up, pending) {
        (0, 0) => "No monitors yet.".to_owned(),
        (0, n) => format!("Waiting for the first results of {n} monitors."),
        (1, 0) => "The one monitor is ok. Nothing needs you.".to_owned(),
        (n, 0) => format!("All {n} monitors are ok. Nothing needs you."),
        (n, p) => format!("{n} monitors are ok, {p} have no result yet."),
    };
    Headline { worst: (up > 0).then_some(State::Up), sentence, ..Headline::default() }
}

fn quote(text: &str) -> String {
    let safe = term_safe(text);
    match safe.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &safe[..end]),
        None if safe.is_empty() => "no reason given".to_owned(),
        None => safe.into_owned(),
    }
}
