//! The list of monitors: filter, order, selection.
//!
//! The selection is a name. Rows move under a live list; an index would act on the wrong one.

use std::cmp::{Ordering, Reverse};

use crate::base::name::MonitorName;
use crate::tui::state::filter::Filter;
use crate::wire::board::{Board, MonitorRow};

/// What the list is sorted by. Each order puts first what asks for attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// Worst first.
    #[default]
    State,
    /// Alphabetically.
    Name,
    /// Alphabetically.
    Type,
    /// Slowest last probe first.
    Last,
    /// Slowest first.
    P95,
    /// Lowest first.
    Uptime,
}

impl SortKey {
    /// All keys in the order of the columns.
    pub(crate) const ALL: [Self; 6] = [Self::State, Self::Name, Self::Type, Self::Last, Self::P95, Self::Uptime];

    /// Title of the column.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Name => "name",
            Self::Type => "type",
            Self::Last => "last",
            Self::P95 => "p95",
            Self::Uptime => "uptime",
        }
    }

    /// The key `by` places further, going round.
    pub(crate) fn step(self, by: isize) -> Self {
        let len = Self::ALL.len();
        let at = Self::ALL.iter().position(|k| *k == self).unwrap_or(0);
        Self::ALL[at.saturating_add_signed(by.rem_euclid(len as isize)) % len]
    }

    fn compare(self, a: &MonitorRow, b: &MonitorRow) -> Ordering {
        match self {
            Self::State => a.state.cmp(&b.state),
            Self::Name => Ordering::Equal,
            Self::Type => a.r#type.cmp(&b.r#type),
            Self::Last => Reverse(a.took).cmp(&Reverse(b.took)),
            Self::P95 => Reverse(a.p95).cmp(&Reverse(b.p95)),
            Self::Uptime => match (a.uptime, b.uptime) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            },
        }
    }
}

/// The list's own state.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListView {
    /// What is shown.
    pub(crate) filter: Filter,
    /// In which order.
    pub(crate) sort: SortKey,
    /// And whether the other way round.
    pub(crate) reversed: bool,
    /// Places in the board, filtered and sorted.
    pub(crate) order: Vec<u32>,
    /// The row under the cursor.
    pub(crate) selected: Option<MonitorName>,
    /// Its place in `order`.
    pub(crate) at: usize,
    /// First row on the screen.
    pub(crate) top: usize,
}

impl ListView {
    /// Filters and sorts anew; the selection stays on its monitor, or where it was when that is gone.
    pub(crate) fn refresh(&mut self, board: &Board) {
        self.order.clear();
        let rows = (0u32..).zip(&board.monitors);
        if self.filter.is_empty() {
            self.order.extend(rows.map(|(i, _)| i));
        } else {
            self.order.extend(rows.filter(|(_, row)| self.filter.matches(&***row)).map(|(i, _)| i));
        }
        let (sort, row) = (self.sort, |i: &u32| board.monitors.get(*i as usize));
        if sort != SortKey::Name {
            // Stable, and the board is sorted by name: equals stay in that order.
            self.order.sort_by(|a, b| match (row(a), row(b)) {
                (Some(a), Some(b)) => sort.compare(a, b),
                _ => Ordering::Equal,
            });
        }
        if self.reversed {
            self.order.reverse();
        }
        let found = self.selected.as_ref().and_then(|name| self.place(board, name));
        self.select(board, found.unwrap_or(self.at));
    }

    fn place(&self, board: &Board, name: &MonitorName) -> Option<usize> {
        let i = board.monitors.binary_search_by(|m| m.name.cmp(name)).ok()?;
        self.order.iter().position(|o| *o as usize == i)
    }

    /// Puts the cursor on row `at`, or on the last one.
    pub(crate) fn select(&mut self, board: &Board, at: usize) {
        self.at = at.min(self.order.len().saturating_sub(1));
        let row = self.order.get(self.at).and_then(|i| board.monitors.get(*i as usize));
        // With nothing to select the name is kept: clearing the filter brings it back.
        if let Some(row) = row {
            self.selected = Some(row.name.clone());
        }
    }

    /// Puts the cursor on a monitor, if the list shows it.
    pub(crate) fn select_name(&mut self, board: &Board, name: &MonitorName) {
        self.selected = Some(name.clone());
        if let Some(at) = self.place(board, name) {
            self.at = at;
        }
    }

    /// Scrolls as little as needed to show the cursor on a page of `rows`.
    pub(crate) fn settle(&mut self, rows: usize) {
        self.top = settled(self.top, self.at, rows, self.order.len());
    }
}

/// The first row of a page of `rows` out of `len` that shows row `at`, moved as little as possible from `top`.
pub(crate) fn settled(top: usize, at: usize, rows: usize, len: usize) -> usize {
    let rows = rows.max(1);
    let last = len.saturating_sub(rows);
    top.max((at + 1).saturating_sub(rows)).min(at).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;
    use crate::wire::board::State;

    fn names(list: &ListView, board: &Board) -> Vec<String> {
        list.order.iter().map(|i| board.monitors[*i as usize].name.to_string()).collect()
    }

    #[test]
    fn worst_first_then_by_name() {
        let board = fixture::board(&[("b", State::Up), ("a", State::Up), ("z", State::Down), ("m", State::Paused)]);
        let mut list = ListView::default();
        list.refresh(&board);
        assert_eq!(names(&list, &board), ["z", "a", "b", "m"]);
        list.reversed = true;
        list.refresh(&board);
        assert_eq!(names(&list, &board), ["m", "b", "a", "z"]);
    }

    #[test]
    fn selection_follows_identity_when_rows_move() {
        let mut list = ListView::default();
        let board = fixture::board(&[("a", State::Up), ("b", State::Up), ("c", State::Up)]);
        list.refresh(&board);
        list.select(&board, 1);
        let moved = fixture::board(&[("a", State::Up), ("b", State::Up), ("c", State::Down), ("aa", State::Down)]);
        list.refresh(&moved);
        assert_eq!(list.selected.as_ref().map(MonitorName::as_str), Some("b"));
        assert_eq!(names(&list, &moved)[list.at], "b");
    }

    #[test]
    fn a_selection_that_is_gone_leaves_the_cursor_in_its_place() {
        let mut list = ListView::default();
        let board = fixture::board(&[("a", State::Up), ("b", State::Up), ("c", State::Up)]);
        list.refresh(&board);
        list.select(&board, 1);
        let board = fixture::board(&[("a", State::Up), ("c", State::Up)]);
        list.refresh(&board);
        assert_eq!(list.selected.as_ref().map(MonitorName::as_str), Some("c"));
    }

    #[test]
    fn a_filter_without_hits_keeps_the_selection_for_later() {
        let board = fixture::board(&[("a", State::Up), ("b", State::Up)]);
        let mut list = ListView::default();
        list.refresh(&board);
        list.select(&board, 1);
        list.filter = Filter::new("nothing");
        list.refresh(&board);
        assert!(list.order.is_empty());
        list.filter.clear();
        list.refresh(&board);
        assert_eq!(list.at, 1);
    }

    #[test]
    fn scrolling_moves_no_more_than_needed() {
        assert_eq!(settled(0, 4, 5, 100), 0);
        assert_eq!(settled(0, 5, 5, 100), 1);
        assert_eq!(settled(10, 5, 5, 100), 5);
        assert_eq!(settled(98, 99, 5, 100), 95);
        assert_eq!(settled(7, 0, 0, 0), 0);
    }

    #[test]
    fn sort_keys_go_round() {
        assert_eq!(SortKey::Uptime.step(1), SortKey::State);
        assert_eq!(SortKey::State.step(-1), SortKey::Uptime);
    }
}
