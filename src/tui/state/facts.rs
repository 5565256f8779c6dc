//! What follows from a board, worked out once per board and not once per frame.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::tui::state::alerts::{Urgency, urgency};
use crate::tui::state::orders::Acks;
use crate::tui::widgets::text::width;
use crate::wire::board::{AlertState, Board, DeliveryRow, DeliveryState, STRIP_CELLS, State};

/// Numbers and lists that screens need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Monitors per state, in the order of [`State::ALL`].
    pub(crate) counts: [usize; State::ALL.len()],
    /// Places in the board of monitors that are down, degraded or unknown: worst first, then longest.
    pub(crate) not_ok: Vec<u32>,
    /// Places of monitors that are fine or have no result yet: those without one first, then by name.
    pub(crate) fine: Vec<u32>,
    /// Monitors by type.
    pub(crate) groups: Vec<Group>,
    /// Alerts that fire and are told.
    pub(crate) firing: usize,
    /// Alerts that wait for their time.
    pub(crate) pending: usize,
    /// Of those that fire, how many nobody has.
    pub(crate) unacked: usize,
    /// Alerts that are kept from being told.
    pub(crate) muted: usize,
    /// Alerts that fire and of which something was not delivered.
    pub(crate) undelivered: usize,
    /// Who has what fires, and since when, the first of each.
    pub(crate) owners: Vec<(String, Timestamp)>,
    /// Places of the alerts in the board, most urgent first; the first `unacked` of them need a person.
    pub(crate) urgent: Vec<u32>,
    /// Columns of the longest monitor name.
    pub(crate) longest_name: usize,
}

/// All monitors of one type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// The type.
    pub(crate) name: String,
    /// How many.
    pub(crate) count: usize,
    /// How many are not ok.
    pub(crate) bad: usize,
    /// The worst state.
    pub(crate) worst: State,
    /// The worst state per cell.
    pub(crate) strip: String,
    /// Mean of the known uptimes.
    pub(crate) uptime: Option<f64>,
    /// The slowest p95.
    pub(crate) p95: Option<Duration>,
}

impl Facts {
    /// Works everything out.
    pub(crate) fn of(board: &Board, acks: &Acks) -> Self {
        let mut facts = Self::default();
        let mut groups: BTreeMap<&str, Builder> = BTreeMap::new();
        for (i, row) in (0u32..).zip(&board.monitors) {
            if let Some(n) = facts.counts.get_mut(row.state as usize) {
                *n += 1;
            }
            facts.longest_name = facts.longest_name.max(width(row.name.as_str()));
            let bad = match row.state {
                State::Down | State::Degraded | State::Unknown => {
                    facts.not_ok.push(i);
                    true
                }
                State::Pending | State::Up => {
                    facts.fine.push(i);
                    false
                }
                State::Paused => false,
            };
            let group = groups.entry(&row.r#type).or_insert_with(Builder::new);
            group.count += 1;
            group.bad += usize::from(bad);
            group.worst = group.worst.min(row.state);
            group.p95 = group.p95.max(row.p95);
            if let Some(u) = row.uptime {
                group.uptimes += 1;
                group.uptime += u;
            }
            // Strips are aligned at their newest cell.
            for (cell, c) in group.strip.iter_mut().rev().zip(row.strip.bytes().rev()) {
                if weight(c) > weight(*cell) {
                    *cell = c;
                }
            }
        }
        facts.groups = groups.into_iter().map(|(name, b)| b.build(name)).collect();
        let row = |i: &u32| board.monitors.get(*i as usize);
        facts.not_ok.sort_by_key(|i| row(i).map(|r| (r.state, r.since)));
        // Stable, and the board is sorted by name.
        facts.fine.sort_by_key(|i| row(i).map(|r| r.state));
        facts.count_alerts(board, acks);
        facts
    }

    fn count_alerts(&mut self, board: &Board, acks: &Acks) {
        for alert in &board.alerts {
            match (alert.state, alert.muted.is_some()) {
                (AlertState::Resolved, _) => continue,
                (_, true) => self.muted += 1,
                (AlertState::Pending, false) => self.pending += 1,
                (AlertState::Firing, false) => {
                    self.firing += 1;
                    let late = |d: &DeliveryRow| match d.state {
                        DeliveryState::Dead => true,
                        DeliveryState::Owed => d.attempts > 0,
                        DeliveryState::Delivered => false,
                    };
                    self.undelivered += usize::from(alert.deliveries.iter().any(late));
                    match acks.of(alert) {
                        None => self.unacked += 1,
                        Some(ack) => match self.owners.iter_mut().find(|(by, _)| *by == ack.by) {
                            Some((_, at)) => *at = ack.at.min(*at),
                            None => self.owners.push((ack.by.clone(), ack.at)),
                        },
                    }
                }
            }
        }
        let mut urgent: Vec<(Urgency<'_>, u32)> =
            (0u32..).zip(&board.alerts).map(|(i, alert)| (urgency(alert, acks), i)).collect();
        urgent.sort_unstable();
        self.urgent = urgent.into_iter().map(|(_, i)| i).collect();
    }

    /// How many monitors are in `state`.
    pub(crate) fn count(&self, state: State) -> usize {
        self.counts.get(state as usize).copied().unwrap_or(0)
    }

    /// How many monitors there are.
    pub(crate) fn total(&self) -> usize {
        self.counts.iter().sum()
    }
}

/// How much a strip's cell weighs against another one of the same time.
fn weight(cell: u8) -> u8 {
    match cell {
        b'd' => 5,
        b'g' => 4,
        b'k' => 3,
        b'u' => 2,
        b'p' => 1,
        _ => 0,
    }
}

struct Builder {
    count: usize,
    bad: usize,
    worst: State,
    strip: [u8; STRIP_CELLS],
    uptime: f64,
    uptimes: usize,
    p95: Option<Duration>,
}

impl Builder {
    fn new() -> Self {
        Self { count: 0, bad: 0, worst: State::Paused, strip: [b'.'; STRIP_CELLS], uptime: 0.0, uptimes: 0, p95: None }
    }

    fn build(self, name: &str) -> Group {
        Group {
            name: name.to_owned(),
            count: self.count,
            bad: self.bad,
            worst: self.worst,
            strip: self.strip.iter().map(|b| char::from(*b)).collect(),
            uptime: (self.uptimes > 0).then(|| self.uptime / self.uptimes as f64),
            p95: self.p95,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn a_group_shows_the_worst_of_its_members() {
        let mut board = fixture::board(&[("a", State::Up), ("b", State::Degraded), ("c", State::Paused)]);
        std::sync::Arc::make_mut(&mut board.monitors[0]).strip = "uud".into();
        std::sync::Arc::make_mut(&mut board.monitors[1]).strip = "ug".into();
        std::sync::Arc::make_mut(&mut board.monitors[2]).strip = "p".repeat(200).into();
        let facts = Facts::of(&board, &Acks::default());
        let group = &facts.groups[0];
        assert_eq!((group.count, group.bad, group.worst), (3, 1, State::Degraded));
        assert!(group.strip.ends_with("puud"), "{}", group.strip);
        assert_eq!(group.strip.len(), STRIP_CELLS);
        assert_eq!(facts.total(), 3);
        assert_eq!(facts.count(State::Degraded), 1);
        assert_eq!(facts.not_ok, [1]);
    }

    #[test]
    fn states_count_in_their_order() {
        for (i, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, i);
        }
    }
}
