//! The list of alerts: tabs, filter, order, groups, marks, selection.
//!
//! Selection and marks are fingerprints. Rows move under a live list; an index would act on the wrong one.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use crate::base::message::Severity;
use crate::base::time::Timestamp;
use crate::tui::state::fetch::Fetch;
use crate::tui::state::filter::{Filter, Filtered, contains};
use crate::tui::state::list::settled;
use crate::tui::state::orders::Acks;
use crate::wire::alerting::AlertDetail;
use crate::wire::board::{AlertRow, AlertState, Board};

/// Which alerts are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    /// Those that fire and are told.
    #[default]
    Firing,
    /// Those whose condition does not yet hold long enough.
    Pending,
    /// Those that somebody has.
    Acked,
    /// Those that a silence, a window, an inhibition or a dependency keeps from being told.
    Silenced,
    /// Those that are over.
    Resolved,
}

impl Tab {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 5] = [Self::Firing, Self::Pending, Self::Acked, Self::Silenced, Self::Resolved];

    /// Its title.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Firing => "Firing",
            Self::Pending => "Pending",
            Self::Acked => "Acked",
            Self::Silenced => "Silenced",
            Self::Resolved => "Resolved",
        }
    }

    /// Whether an alert belongs there.
    pub(crate) fn holds(self, alert: &AlertRow, acks: &Acks) -> bool {
        let (over, muted) = (alert.state == AlertState::Resolved, alert.muted.is_some());
        match self {
            Self::Firing => alert.state == AlertState::Firing && !muted,
            Self::Pending => alert.state == AlertState::Pending && !muted,
            Self::Acked => !over && acks.of(alert).is_some(),
            Self::Silenced => !over && muted,
            Self::Resolved => over,
        }
    }
}

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AlertSort {
    /// What needs a person first.
    #[default]
    Urgency,
    /// Worst first.
    Severity,
    /// Alphabetically.
    Name,
    /// Alphabetically.
    On,
    /// Newest first.
    Since,
    /// Those that nobody has first, then by name.
    Owner,
}

impl AlertSort {
    /// All of them, in the order of the columns.
    pub(crate) const ALL: [Self; 6] = [Self::Urgency, Self::Severity, Self::Name, Self::On, Self::Since, Self::Owner];

    /// Title in the menu.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Urgency => "urgency",
            Self::Severity => "severity",
            Self::Name => "alert",
            Self::On => "on",
            Self::Since => "since",
            Self::Owner => "owner",
        }
    }

    /// The one `by` places further, going round.
    pub(crate) fn step(self, by: isize) -> Self {
        let len = Self::ALL.len();
        let at = Self::ALL.iter().position(|k| *k == self).unwrap_or(0);
        Self::ALL[at.saturating_add_signed(by.rem_euclid(len as isize)) % len]
    }

    fn compare(self, a: &AlertRow, b: &AlertRow, acks: &Acks) -> Ordering {
        match self {
            Self::Urgency => Ordering::Equal,
            Self::Severity => b.severity.cmp(&a.severity),
            Self::Name => a.name.cmp(&b.name),
            Self::On => a.subject().cmp(b.subject()),
            Self::Since => b.since.cmp(&a.since),
            Self::Owner => acks.of(a).map(|ack| &ack.by).cmp(&acks.of(b).map(|ack| &ack.by)),
        }
    }
}

/// A place in the order of [`urgency`].
pub(crate) type Urgency<'a> = (u8, Reverse<Severity>, Reverse<u64>, Timestamp, &'a str, &'a str);

/// What comes first at night: critical alerts that nobody has, then warnings, then those that somebody has, then
/// those to come, then what is not told, then what is over. Within: many users before few, long before short.
pub(crate) fn urgency<'a>(alert: &'a AlertRow, acks: &Acks) -> Urgency<'a> {
    let rank = match (alert.state, alert.muted.is_some(), acks.of(alert).is_some()) {
        (AlertState::Resolved, ..) => 4,
        (_, true, _) => 3,
        (AlertState::Pending, ..) => 2,
        (AlertState::Firing, false, true) => 1,
        (AlertState::Firing, false, false) => 0,
    };
    // Users affected, where somebody labels alerts so.
    let impact = alert.labels.get("impact").and_then(|v| v.parse().ok()).unwrap_or(0);
    (rank, Reverse(alert.severity), Reverse(impact), alert.starts_at, &alert.name, &alert.fingerprint)
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A group's title and how many alerts it has.
    Group(String, usize),
    /// An alert: its place in the board, and among the listed ones.
    Alert(u32, usize),
}

/// The screen's own state.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlertsView {
    /// Which alerts.
    pub(crate) tab: Tab,
    /// Which of them.
    pub(crate) filter: Filter,
    /// In which order.
    pub(crate) sort: AlertSort,
    /// And whether the other way round.
    pub(crate) reversed: bool,
    /// By which label they are grouped.
    pub(crate) group: Option<String>,
    /// Alerts on each tab, in the order of [`Tab::ALL`].
    pub(crate) counts: [usize; Tab::ALL.len()],
    /// The lines.
    pub(crate) rows: Vec<Row>,
    /// How many of them are alerts.
    pub(crate) len: usize,
    /// The alert under the cursor.
    pub(crate) selected: Option<String>,
    /// Its place among the listed ones.
    pub(crate) at: usize,
    /// First line on the screen.
    pub(crate) top: usize,
    /// Marked alerts.
    pub(crate) marks: BTreeSet<String>,
    /// Whether the selected alert fills the screen.
    pub(crate) open: bool,
    /// First line of that page.
    pub(crate) scroll: usize,
    /// No pane below the list.
    pub(crate) bare: bool,
    /// All about the selected alert.
    pub(crate) detail: Fetch<String, Box<AlertDetail>>,
}

impl AlertsView {
    /// Filters, sorts and groups anew; the selection stays on its alert, or where it was when that is gone.
    pub(crate) fn refresh(&mut self, board: &Board, acks: &Acks) {
        let alerts = &board.alerts;
        for (count, tab) in self.counts.iter_mut().zip(Tab::ALL) {
            *count = alerts.iter().filter(|a| tab.holds(a, acks)).count();
        }
        if !self.marks.is_empty() {
            let known: BTreeSet<&str> = alerts.iter().map(|a| a.fingerprint.as_str()).collect();
            self.marks.retain(|f| known.contains(f.as_str()));
        }
        let judged = (0u32..).zip(alerts.iter().map(AsRef::as_ref));
        let mut listed: Vec<(u32, &AlertRow, Urgency<'_>)> = judged
            .filter(|(_, alert)| self.tab.holds(alert, acks) && self.filter.matches(&Judged { alert, acks }))
            .map(|(i, alert)| (i, alert, urgency(alert, acks)))
            .collect();
        listed.sort_by(|(_, a, x), (_, b, y)| self.sort.compare(a, b, acks).then_with(|| x.cmp(y)));
        if self.reversed {
            listed.reverse();
        }
        self.rows.clear();
        match &self.group {
            None => self.rows.extend(listed.iter().zip(0..).map(|((i, ..), at)| Row::Alert(*i, at))),
            Some(label) => {
                // Groups in the order of their first alert, so that the most urgent one leads.
                let mut groups: Vec<(&str, Vec<u32>)> = Vec::new();
                let mut places: BTreeMap<&str, usize> = BTreeMap::new();
                for (i, alert, _) in &listed {
                    let value = value_of(alert, label);
                    let place = *places.entry(value).or_insert_with(|| {
                        groups.push((value, Vec::new()));
                        groups.len() - 1
                    });
                    groups[place].1.push(*i);
                }
                let mut at = 0;
                for (value, members) in groups {
                    let title = if value.is_empty() { format!("without {label}") } else { value.to_owned() };
                    self.rows.push(Row::Group(title, members.len()));
                    for i in members {
                        self.rows.push(Row::Alert(i, at));
                        at += 1;
                    }
                }
            }
        }
        self.len = listed.len();
        let found = self.selected.as_ref().and_then(|f| self.place(board, f));
        self.select(board, found.unwrap_or(self.at));
    }

    /// The board's alert at a place among the listed ones.
    fn listed<'b>(&self, board: &'b Board, at: usize) -> Option<&'b AlertRow> {
        let i = self.rows.iter().find_map(|row| match row {
            Row::Alert(i, place) if *place == at => Some(*i),
            Row::Alert(..) | Row::Group(..) => None,
        })?;
        board.alerts.get(i as usize).map(AsRef::as_ref)
    }

    fn place(&self, board: &Board, fingerprint: &str) -> Option<usize> {
        self.rows.iter().find_map(|row| match row {
            Row::Alert(i, at) if board.alerts.get(*i as usize)?.fingerprint == fingerprint => Some(*at),
            Row::Alert(..) | Row::Group(..) => None,
        })
    }

    /// Fingerprints of the listed alerts.
    pub(crate) fn all(&self, board: &Board) -> Vec<String> {
        let place = |row: &Row| if let Row::Alert(i, _) = row { Some(*i as usize) } else { None };
        let alerts = self.rows.iter().filter_map(place).filter_map(|i| board.alerts.get(i));
        alerts.map(|a| a.fingerprint.clone()).collect()
    }

    /// Puts the cursor on alert `at`, or on the last one.
    pub(crate) fn select(&mut self, board: &Board, at: usize) {
        self.at = at.min(self.len.saturating_sub(1));
        // With nothing to select the fingerprint is kept: clearing the filter brings it back.
        if let Some(alert) = self.listed(board, self.at) {
            self.selected = Some(alert.fingerprint.clone());
        }
    }

    /// Shows an alert: the tab it is on, the cursor on it.
    pub(crate) fn show(&mut self, board: &Board, acks: &Acks, fingerprint: &str) {
        let Some(alert) = board.alerts.iter().find(|a| a.fingerprint == fingerprint) else { return };
        if let Some(tab) =
            [Tab::Silenced, Tab::Firing, Tab::Pending, Tab::Resolved].into_iter().find(|t| t.holds(alert, acks))
        {
            self.tab = tab;
        }
        self.filter.clear();
        self.selected = Some(fingerprint.to_owned());
        self.refresh(board, acks);
    }

    /// Scrolls as little as needed to show the cursor, and the title of its group where there is room.
    pub(crate) fn settle(&mut self, rows: usize) {
        let at = self.rows.iter().position(|r| matches!(r, Row::Alert(_, at) if *at == self.at)).unwrap_or(0);
        self.top = settled(self.top, at, rows, self.rows.len());
        if self.top == at && rows > 1 && at > 0 && matches!(self.rows.get(at - 1), Some(Row::Group(..))) {
            self.top = at - 1;
        }
    }

    /// Labels that listed alerts can be grouped by: those with more than one value first, then by name.
    pub(crate) fn group_labels(board: &Board) -> Vec<String> {
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for alert in &board.alerts {
            for (name, value) in alert.labels.iter() {
                values.entry(name).or_default().insert(value);
            }
        }
        let mut names: Vec<(bool, &str)> = values.iter().map(|(name, v)| (v.len() < 2, *name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name.to_owned()).take(20).collect()
    }
}

fn value_of<'a>(alert: &'a AlertRow, label: &str) -> &'a str {
    alert.labels.get(label).unwrap_or("")
}

/// An alert with what is known of its acknowledgement.
struct Judged<'a> {
    alert: &'a AlertRow,
    acks: &'a Acks,
}

impl Filtered for Judged<'_> {
    fn mentions(&self, needle: &str) -> bool {
        let a = self.alert;
        contains(&a.name, needle)
            || contains(a.subject(), needle)
            || a.annotations.get("summary").is_some_and(|s| contains(s, needle))
            || self.acks.of(a).is_some_and(|ack| contains(&ack.by, needle))
    }

    fn is_state(&self, start: &str) -> bool {
        let word = match self.alert.state {
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Resolved => "resolved",
        };
        word.starts_with(start)
            || (self.alert.muted.is_some() && ("silenced".starts_with(start) || "muted".starts_with(start)))
            || match self.acks.of(self.alert) {
                Some(_) => "acked".starts_with(start),
                None => "unacked".starts_with(start) && self.alert.state == AlertState::Firing,
            }
    }

    fn kind(&self) -> &str {
        self.alert.severity.as_str()
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.alert.labels.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    fn names(view: &AlertsView, board: &Board) -> Vec<String> {
        (0..view.len).map(|at| view.listed(board, at).unwrap().name.clone()).collect()
    }

    #[test]
    fn what_nobody_has_comes_first_and_the_oldest_of_those() {
        let board = fixture::alerting();
        let mut view = AlertsView::default();
        view.refresh(&board, &Acks::default());
        assert_eq!(
            names(&view, &board),
            ["PgDiskLatencyHigh", "CheckoutDown", "ErrorBudgetBurn", "CertExpiringSoon", "QueueBacklog"]
        );
        assert_eq!(view.counts, [5, 1, 2, 2, 2]);
    }

    #[test]
    fn groups_stand_in_the_order_of_their_most_urgent_alert() {
        let board = fixture::alerting();
        let mut view = AlertsView { group: Some("service".into()), ..AlertsView::default() };
        view.refresh(&board, &Acks::default());
        let titles: Vec<_> = view
            .rows
            .iter()
            .filter_map(|r| match r {
                Row::Group(title, n) => Some((title.as_str(), *n)),
                Row::Alert(..) => None,
            })
            .collect();
        assert_eq!(titles, [("database", 1), ("shop", 3), ("without service", 1)]);
    }

    #[test]
    fn the_filter_knows_labels_severity_and_owner() {
        let board = fixture::alerting();
        for (text, n) in [
            ("", 5),
            ("severity:warn", 3),
            ("state:acked", 2),
            ("state:unacked", 3),
            ("lin", 1),
            ("service=shop !check", 2),
        ] {
            let mut view = AlertsView { filter: Filter::new(text), ..AlertsView::default() };
            view.refresh(&board, &Acks::default());
            assert_eq!(view.len, n, "{text}");
        }
    }

    #[test]
    fn selection_and_marks_follow_identity_and_end_with_their_alert() {
        let mut board = fixture::alerting();
        let mut view = AlertsView::default();
        view.refresh(&board, &Acks::default());
        view.select(&board, 1);
        let chosen = view.selected.clone().unwrap();
        view.marks.extend([chosen.clone(), view.all(&board)[0].clone()]);
        board.alerts.reverse();
        view.refresh(&board, &Acks::default());
        assert_eq!((view.selected.as_deref(), view.at), (Some(chosen.as_str()), 1));
        board.alerts.retain(|a| a.fingerprint == chosen);
        view.refresh(&board, &Acks::default());
        assert_eq!(view.marks.len(), 1);
        assert_eq!(view.at, 0);
    }
}
