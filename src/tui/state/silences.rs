//! Silences and maintenance: what is muted, by whom, until when.

use crate::base::time::Timestamp;
use crate::tui::state::fetch::Fetch;
use crate::tui::state::filter::{Filter, Filtered, contains};
use crate::tui::state::list::settled;
use crate::wire::alerting::{MaintenanceRow, SilenceRow, SilenceState};

/// What is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    /// Silences that mute now.
    #[default]
    Active,
    /// Silences that have not begun.
    Scheduled,
    /// Silences that are over.
    Expired,
    /// Windows of maintenance.
    Maintenance,
}

impl Tab {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 4] = [Self::Active, Self::Scheduled, Self::Expired, Self::Maintenance];

    /// Its title.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Scheduled => "Scheduled",
            Self::Expired => "Expired",
            Self::Maintenance => "Maintenance",
        }
    }
}

/// Where a silence stands at `now`: it may have begun or ended since the server was asked.
pub(crate) fn state(row: &SilenceRow, now: Timestamp) -> SilenceState {
    match row.state {
        SilenceState::Active | SilenceState::Pending if row.ends_at <= now => SilenceState::Expired,
        SilenceState::Pending if row.starts_at <= now => SilenceState::Active,
        state => state,
    }
}

/// The screen's own state.
#[derive(Clone, Debug, Default)]
pub(crate) struct SilencesView {
    /// What is listed.
    pub(crate) tab: Tab,
    /// Which of them.
    pub(crate) filter: Filter,
    /// The silence, or the name of the window, under the cursor.
    pub(crate) selected: Option<String>,
    /// Its place.
    pub(crate) at: usize,
    /// First row on the screen.
    pub(crate) top: usize,
    /// All silences.
    pub(crate) silences: Fetch<(), Vec<SilenceRow>>,
    /// All windows.
    pub(crate) maintenance: Fetch<(), Vec<MaintenanceRow>>,
}

impl SilencesView {
    /// Silences on a tab, whatever the filter.
    pub(crate) fn on(&self, tab: Tab, now: Timestamp) -> Vec<&SilenceRow> {
        let wanted = match tab {
            Tab::Active => SilenceState::Active,
            Tab::Scheduled => SilenceState::Pending,
            Tab::Expired => SilenceState::Expired,
            Tab::Maintenance => return Vec::new(),
        };
        let all = self.silences.get(&()).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|row| state(row, now) == wanted).collect()
    }

    /// How many a tab has.
    pub(crate) fn count(&self, tab: Tab, now: Timestamp) -> usize {
        match tab {
            Tab::Maintenance => self.maintenance.get(&()).map_or(0, Vec::len),
            Tab::Active | Tab::Scheduled | Tab::Expired => self.on(tab, now).len(),
        }
    }

    /// The listed silences.
    pub(crate) fn listed(&self, now: Timestamp) -> Vec<&SilenceRow> {
        self.on(self.tab, now).into_iter().filter(|row| self.filter.matches(*row)).collect()
    }

    /// The listed windows.
    pub(crate) fn windows(&self) -> Vec<&MaintenanceRow> {
        let all = self.maintenance.get(&()).map(Vec::as_slice).unwrap_or_default();
        let listed = if self.tab == Tab::Maintenance { all } else { &[] };
        listed.iter().filter(|row| self.filter.matches(*row)).collect()
    }

    /// What the listed rows are called.
    fn keys(&self, now: Timestamp) -> Vec<String> {
        if self.tab == Tab::Maintenance {
            self.windows().into_iter().map(|w| w.name.clone()).collect()
        } else {
            self.listed(now).into_iter().map(|s| s.id.clone()).collect()
        }
    }

    /// The silence under the cursor.
    pub(crate) fn silence(&self, now: Timestamp) -> Option<&SilenceRow> {
        let id = self.selected.as_ref()?;
        self.listed(now).into_iter().find(|row| row.id == *id)
    }

    /// The window under the cursor.
    pub(crate) fn window(&self) -> Option<&MaintenanceRow> {
        let name = self.selected.as_ref()?;
        self.windows().into_iter().find(|row| row.name == *name)
    }

    /// Keeps the cursor on its thing, or where it was when that is gone.
    pub(crate) fn refresh(&mut self, now: Timestamp) {
        let keys = self.keys(now);
        let found = self.selected.as_ref().and_then(|key| keys.iter().position(|k| k == key));
        self.put(&keys, found.unwrap_or(self.at));
    }

    /// Puts the cursor on row `at`, or on the last one.
    pub(crate) fn select(&mut self, at: usize, now: Timestamp) {
        let keys = self.keys(now);
        self.put(&keys, at);
    }

    fn put(&mut self, keys: &[String], at: usize) {
        self.at = at.min(keys.len().saturating_sub(1));
        if let Some(key) = keys.get(self.at) {
            self.selected = Some(key.clone());
        }
    }

    /// Scrolls as little as needed to show the cursor.
    pub(crate) fn settle(&mut self, rows: usize, now: Timestamp) {
        self.top = settled(self.top, self.at, rows, self.keys(now).len());
    }
}

impl Filtered for SilenceRow {
    fn mentions(&self, needle: &str) -> bool {
        self.matchers.iter().any(|m| contains(m, needle))
            || contains(&self.comment, needle)
            || contains(&self.created_by, needle)
    }

    fn is_state(&self, start: &str) -> bool {
        let word = match self.state {
            SilenceState::Active => "active",
            SilenceState::Pending => "pending",
            SilenceState::Expired => "expired",
        };
        word.starts_with(start)
    }

    fn kind(&self) -> &str {
        "silence"
    }

    fn label(&self, name: &str) -> Option<&str> {
        // Of a matcher `name="value"` the value without its quotes; a filter compares beginnings.
        self.matchers.iter().find_map(|m| m.strip_prefix(name)?.strip_prefix("=")).map(|v| v.trim_matches('"'))
    }
}

impl Filtered for MaintenanceRow {
    fn mentions(&self, needle: &str) -> bool {
        contains(&self.name, needle)
            || contains(&self.comment, needle)
            || self.matchers.iter().any(|m| contains(m, needle))
    }

    fn is_state(&self, start: &str) -> bool {
        if self.active { "active".starts_with(start) } else { "scheduled".starts_with(start) }
    }

    fn kind(&self) -> &str {
        "maintenance"
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.matchers.iter().find_map(|m| m.strip_prefix(name)?.strip_prefix("=")).map(|v| v.trim_matches('"'))
    }
}
