//! The rows of the board: what changes between two boards is a small part of them.

use std::sync::Arc;

use crate::base::name::{ByMonitor, MonitorName};
use crate::engine::headline::Tallies;
use crate::wire::board::MonitorRow;

/// One row per monitor, sorted by name.
///
/// The list of a board that nobody reads any more comes back and becomes that of the board after the next. Such a board
/// costs one pointer per row that changed since; any other costs one per monitor.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Arc<MonitorRow>>,
    places: ByMonitor<usize>,
    /// Rows that the newest list does not have as they are.
    changed: Vec<usize>,
    /// Rows in which the newest list differs from the one before.
    changed_before: Vec<usize>,
    /// Lists made since the monitors became others.
    lists: u64,
    tallies: Tallies,
    /// Whether they are those of the rows.
    counted: bool,
}

impl Rows {
    /// Other monitors, sorted by name.
    pub(super) fn replace(&mut self, rows: Vec<Arc<MonitorRow>>) {
        self.places = (0..).zip(&rows).map(|(i, row)| (row.name.clone(), i)).collect();
        self.rows = rows;
        self.changed.clear();
        self.changed_before.clear();
        self.lists = 0;
        self.counted = false;
    }

    /// The row of a monitor.
    pub(super) fn get(&self, name: &MonitorName) -> Option<&Arc<MonitorRow>> {
        self.rows.get(*self.places.get(name)?)
    }

    /// Changes a row, if there is one.
    pub(super) fn change(&mut self, name: &MonitorName, change: impl FnOnce(&mut MonitorRow)) -> bool {
        let Some((&place, row)) = self.places.get(name).and_then(|i| Some((i, self.rows.get_mut(*i)?))) else {
            return false;
        };
        // One that no list has is new since the last.
        if Arc::get_mut(row).is_none() {
            self.changed.push(place);
        }
        let row = Arc::make_mut(row);
        let before = (row.state, row.since);
        change(row);
        self.counted &= before == (row.state, row.since);
        true
    }

    /// The list for a board. `spare` is that of the board before the newest.
    pub(super) fn list(&mut self, spare: Option<Vec<Arc<MonitorRow>>>) -> Vec<Arc<MonitorRow>> {
        // The first two boards of other monitors have before them one of the monitors before.
        let spare = spare.filter(|_| self.lists >= 2);
        self.lists += 1;
        let list = match spare {
            Some(mut list) => {
                for &i in self.changed_before.iter().chain(&self.changed) {
                    if let (Some(old), Some(new)) = (list.get_mut(i), self.rows.get(i)) {
                        old.clone_from(new);
                    }
                }
                list
            }
            None => self.rows.clone(),
        };
        std::mem::swap(&mut self.changed_before, &mut self.changed);
        self.changed.clear();
        list
    }

    /// How many are in which state, counted anew when one of them changed.
    pub(super) fn tallies(&mut self) -> &Tallies {
        if !std::mem::replace(&mut self.counted, true) {
            self.tallies = Tallies::of(&self.rows);
        }
        &self.tallies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::board::State;

    fn row(name: &str) -> MonitorRow {
        MonitorRow::new(MonitorName::new(name).unwrap())
    }

    #[test]
    fn every_list_is_that_of_the_rows_whoever_holds_an_older_one() {
        let mut dice = fastrand::Rng::with_seed(1);
        let mut rows = Rows::default();
        let (mut newest, mut spare): (Arc<Vec<_>>, Option<Arc<Vec<_>>>) = (Arc::default(), None);
        let mut readers = Vec::new();
        let mut recycled = 0;
        for round in 0..400 {
            if round % 100 == 0 {
                rows.replace((0..50 + round).map(|i| Arc::new(row(&format!("m{i:05}")))).collect());
            }
            for _ in 0..dice.usize(..8) {
                let name = MonitorName::new(&format!("m{:05}", dice.usize(..600))).unwrap();
                let known = rows.get(&name).is_some();
                let failures = dice.u32(..);
                assert_eq!(rows.change(&name, |row| row.failures = failures), known);
            }
            let old = spare.take().and_then(Arc::into_inner);
            recycled += usize::from(old.is_some());
            let list = rows.list(old);
            assert_eq!(list, rows.rows, "round {round}");
            spare = Some(std::mem::replace(&mut newest, Arc::new(list)));
            if dice.u8(..3) == 0 {
                readers.push((Arc::clone(&newest), (*newest).clone()));
            }
            if dice.u8(..4) == 0 {
                readers.clear();
            }
            assert!(readers.iter().all(|(board, then)| **board == *then), "a board that is read does not change");
        }
        assert!(recycled > 100, "{recycled}");
    }

    #[test]
    fn monitors_are_counted_when_a_state_changes() {
        let mut rows = Rows::default();
        rows.replace(vec![Arc::new(row("a")), Arc::new(row("b"))]);
        let before = rows.tallies().count(State::Down);
        let name = MonitorName::new("b").unwrap();
        rows.change(&name, |row| row.headline = "slow".into());
        assert!(rows.counted);
        rows.change(&name, |row| row.state = State::Down);
        assert_eq!(rows.tallies().count(State::Down), before + 1);
    }
}
