//! Everything the screens show, as one value. Changed by `update` only; drawn by `draw` only.

pub(crate) mod alerts;
pub(crate) mod deliveries;
pub(crate) mod explore;
pub(crate) mod facts;
pub(crate) mod fetch;
pub(crate) mod filter;
pub(crate) mod form;
pub(crate) mod link;
pub(crate) mod list;
pub(crate) mod orders;
pub(crate) mod prompt;
pub(crate) mod silences;
mod wanted;
pub(crate) mod why;

use std::sync::Arc;
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::tui::action::Now;
use crate::tui::keys::Context;
use crate::tui::state::alerts::AlertsView;
use crate::tui::state::deliveries::NotificationsView;
use crate::tui::state::explore::catalog::Browser;
use crate::tui::state::explore::editor::Editor;
use crate::tui::state::explore::{Explore, Focus};
use crate::tui::state::facts::Facts;
use crate::tui::state::filter::Filter;
use crate::tui::state::form::Form;
use crate::tui::state::link::{Health, LinkView};
use crate::tui::state::list::{ListView, SortKey};
use crate::tui::state::orders::{Acks, Orders};
use crate::tui::state::prompt::{AckPrompt, Choose, Confirm};
use crate::tui::state::silences::SilencesView;
use crate::tui::state::why::WhyView;
use crate::wire::api::{ConfigStatus, MonitorDetail};
use crate::wire::board::{AlertRow, AlertState, Board, MonitorRow};

/// Rows of one list of the overview; the Monitors screen has them all.
const OVERVIEW_ROWS: usize = 200;
/// Monitors that are fine, on an overview that has events below them.
const FINE_ROWS: usize = 8;
/// How long a toast stays.
pub(crate) const TOAST: Duration = Duration::from_secs(4);

/// The screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Screen {
    /// Is anything wrong?
    #[default]
    Overview,
    /// What fires, who has it, who was told?
    Alerts,
    /// State and latency of each target.
    Monitors,
    /// Any metric, in PromQL.
    Explore,
    /// What is muted, by whom, until when?
    Silences,
    /// Did somebody get told?
    Notifications,
    /// What is loaded, what is wrong with it?
    Config,
}

/// What lies over the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The filter is being typed.
    Typing,
    /// The sort menu, with its cursor.
    Menu(SortKey),
    /// The menu of ranges, with its cursor.
    Ranges(usize),
    /// A menu of the alerts' screen, with its cursor.
    Choose(Choose, usize),
    /// The line that acknowledges.
    Ack(AckPrompt),
    /// The line that takes labels for which routes are looked up.
    TryLabels(Editor),
    /// A question that is answered with yes or no.
    Confirm(Confirm),
    /// The list of metrics.
    Metrics(Browser),
    /// Help.
    Help {
        /// First line shown.
        scroll: usize,
        /// Only lines with this text.
        query: String,
        /// Whether the text is being typed.
        typing: bool,
    },
}

/// A short message at the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toast {
    /// The text. Untrusted.
    pub(crate) text: String,
    /// Errors stay until a key.
    pub(crate) error: bool,
    /// When it goes, on the steady clock.
    pub(crate) until: Duration,
    /// Whether it tells of the change that `u` takes back.
    pub(crate) undo: bool,
}

/// What the overview's cursor can be on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// An alert, by fingerprint.
    Alert(String),
    /// A monitor.
    Monitor(MonitorName),
    /// All monitors of a type.
    Group(String),
}

/// The overview's own state.
#[derive(Clone, Debug, Default)]
pub(crate) struct OverviewView {
    /// Under the cursor.
    pub(crate) selected: Option<Item>,
    /// Its place.
    pub(crate) at: usize,
    /// First line shown.
    pub(crate) top: usize,
}

/// One monitor in full.
#[derive(Clone, Debug, Default)]
pub(crate) struct DetailView {
    /// The newest reply.
    pub(crate) data: Option<Box<MonitorDetail>>,
    /// Why there is none.
    pub(crate) error: Option<String>,
    /// First line shown.
    pub(crate) scroll: usize,
    /// The monitor that was asked for, while there is no reply.
    pub(crate) asked: Option<MonitorName>,
    /// When, on the steady clock.
    pub(crate) asked_at: Option<Duration>,
    /// The board's row when it was asked for: a new row means new details.
    row: Option<Arc<MonitorRow>>,
}

/// The configuration as the server sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigView {
    /// The newest reply.
    pub(crate) data: Option<Box<ConfigStatus>>,
    /// Why there is none.
    pub(crate) error: Option<String>,
    /// Which problem the cursor is on.
    pub(crate) at: usize,
    /// First problem shown.
    pub(crate) top: usize,
    /// Whether a request is under way.
    pub(crate) asked: bool,
    /// When the last one was made.
    asked_at: Option<Duration>,
    /// The load it told of, and how many errors.
    seen: Option<(Option<Timestamp>, usize)>,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// Both clocks.
    pub(crate) now: Now,
    /// Nothing on the server is changed.
    pub(crate) read_only: bool,
    /// Where the server is looked for.
    pub(crate) endpoint: String,
    /// The connection.
    pub(crate) link: LinkView,
    /// The newest board.
    pub(crate) board: Option<Board>,
    /// What follows from it.
    pub(crate) facts: Facts,
    /// Which screen.
    pub(crate) screen: Screen,
    /// The monitor opened over it.
    pub(crate) open: Option<MonitorName>,
    /// What lies over all.
    pub(crate) overlay: Overlay,
    /// Per screen.
    pub(crate) overview: OverviewView,
    /// Per screen.
    pub(crate) list: ListView,
    /// Per screen.
    pub(crate) detail: DetailView,
    /// Per screen.
    pub(crate) alerts: AlertsView,
    /// Per screen.
    pub(crate) silences: SilencesView,
    /// Per screen.
    pub(crate) notifications: NotificationsView,
    /// The page that says why, over the screen.
    pub(crate) why: Option<WhyView>,
    /// The silence dialog, over the screen.
    pub(crate) form: Option<Form>,
    /// Acknowledgements that the board does not tell of yet.
    pub(crate) acks: Acks,
    /// Changes that were asked for.
    pub(crate) orders: Orders,
    /// Grows when alerts or events change: what is known about them may be old.
    pub(crate) news: u64,
    /// The person's name here; whether a silence is somebody else's is told by it.
    pub(crate) user: String,
    /// When something is to be asked for, on the steady clock.
    due: Option<Duration>,
    /// Per screen.
    pub(crate) explore: Explore,
    /// Per screen.
    pub(crate) config: ConfigView,
    /// The message at the bottom.
    pub(crate) toast: Option<Toast>,
    /// First half of a double key.
    pub(crate) half: Option<char>,
    /// Monitors being probed at our request.
    pub(crate) running: Vec<MonitorName>,
    /// Grows when a new frame may look different.
    pub(crate) rev: u64,
}

impl State {
    /// The state before anything happened.
    pub(crate) fn new(endpoint: String, read_only: bool, screen: Screen, open: Option<MonitorName>) -> Self {
        Self { endpoint, read_only, screen, open, size: (80, 24), ..Self::default() }
    }

    /// Whether what is on the screen may be taken for the present.
    pub(crate) fn is_fresh(&self) -> bool {
        self.link.is_fresh(self.now)
    }

    /// How far the screen may be trusted.
    pub(crate) fn health(&self) -> Health<'_> {
        self.link.health(self.now)
    }

    /// The server's time.
    pub(crate) fn server_now(&self) -> Timestamp {
        self.link.server_now(self.now)
    }

    /// Below this the layout is compact: one line on top, no tabs, fewer columns.
    pub(crate) fn is_compact(&self) -> bool {
        self.size.0 < 60 || self.size.1 < 15
    }

    /// Whether there is room for two panes.
    pub(crate) fn is_wide(&self) -> bool {
        self.size.0 >= 100 && !self.is_compact()
    }

    /// Shows a message.
    pub(crate) fn say(&mut self, text: impl Into<String>, error: bool) {
        self.toast = Some(Toast { text: text.into(), error, until: self.now.steady + TOAST, undo: false });
    }

    /// The board's line of a monitor.
    pub(crate) fn row(&self, name: &MonitorName) -> Option<&Arc<MonitorRow>> {
        let board = self.board.as_ref()?;
        let i = board.monitors.binary_search_by(|m| m.name.cmp(name)).ok()?;
        board.monitors.get(i)
    }

    /// An alert.
    pub(crate) fn alert(&self, fingerprint: &str) -> Option<&Arc<AlertRow>> {
        self.board.as_ref()?.alerts.iter().find(|a| a.fingerprint == fingerprint)
    }

    /// The alert at a place in the order of urgency.
    pub(crate) fn urgent(&self, at: usize) -> Option<&Arc<AlertRow>> {
        self.board.as_ref()?.alerts.get(*self.facts.urgent.get(at)? as usize)
    }

    /// The monitor that actions are about.
    pub(crate) fn target(&self) -> Option<MonitorName> {
        if let Some(open) = &self.open {
            return Some(open.clone());
        }
        match self.screen {
            Screen::Overview => match self.overview.selected.as_ref()? {
                Item::Alert(fingerprint) => self.alert(fingerprint).and_then(|a| a.monitor.clone()),
                Item::Monitor(name) => Some(name.clone()),
                Item::Group(_) => None,
            },
            Screen::Monitors if self.list.order.is_empty() => None,
            Screen::Monitors => self.list.selected.clone(),
            Screen::Alerts => self.alerts.selected.as_ref().and_then(|f| self.alert(f)).and_then(|a| a.monitor.clone()),
            Screen::Explore | Screen::Silences | Screen::Notifications | Screen::Config => None,
        }
    }

    /// The alerts that actions are about: the one on the page, else the marked ones, else that under the cursor;
    /// of a monitor those that are not over.
    pub(crate) fn alert_targets(&self) -> Vec<String> {
        let Some(board) = &self.board else { return Vec::new() };
        if self.open.is_none() {
            match (self.screen, &self.overview.selected) {
                (Screen::Alerts, _) if !self.alerts.open && !self.alerts.marks.is_empty() => {
                    let marked = board.alerts.iter().filter(|a| self.alerts.marks.contains(&a.fingerprint));
                    return marked.map(|a| a.fingerprint.clone()).collect();
                }
                (Screen::Alerts, _) if self.alerts.len == 0 && !self.alerts.open => return Vec::new(),
                (Screen::Alerts, _) => return self.alerts.selected.iter().cloned().collect(),
                (Screen::Overview, Some(Item::Alert(fingerprint))) => return vec![fingerprint.clone()],
                _ => {}
            }
        }
        let Some(name) = self.target() else { return Vec::new() };
        let of = board.alerts.iter().filter(|a| a.monitor.as_ref() == Some(&name) && a.state != AlertState::Resolved);
        of.map(|a| a.fingerprint.clone()).collect()
    }

    /// The filter of the screen, if it has one.
    pub(crate) fn filter(&mut self) -> Option<&mut Filter> {
        match self.screen {
            Screen::Alerts => Some(&mut self.alerts.filter),
            Screen::Silences => Some(&mut self.silences.filter),
            Screen::Notifications => Some(&mut self.notifications.filter),
            Screen::Monitors => Some(&mut self.list.filter),
            Screen::Overview | Screen::Explore | Screen::Config => None,
        }
    }

    /// The text that is being typed into the filter, how many rows pass, and of how many.
    pub(crate) fn typed(&self) -> (&str, usize, usize) {
        let now = self.server_now();
        match self.screen {
            Screen::Alerts => {
                (self.alerts.filter.text(), self.alerts.len, self.alerts.counts[self.alerts.tab as usize])
            }
            Screen::Silences => {
                let tab = self.silences.tab;
                let hits = self.silences.listed(now).len() + self.silences.windows().len();
                (self.silences.filter.text(), hits, self.silences.count(tab, now))
            }
            Screen::Notifications => {
                (self.notifications.filter.text(), self.notifications.listed().len(), self.notifications.items.len())
            }
            _ => (self.list.filter.text(), self.list.order.len(), self.facts.total()),
        }
    }

    /// The text field that keys enter, outside of a query and a filter.
    pub(crate) fn field(&mut self) -> Option<&mut Editor> {
        match &mut self.overlay {
            Overlay::Ack(prompt) => Some(&mut prompt.comment),
            Overlay::TryLabels(labels) => Some(labels),
            Overlay::None => self.form.as_mut().and_then(Form::text),
            Overlay::Typing
            | Overlay::Menu(_)
            | Overlay::Ranges(_)
            | Overlay::Metrics(_)
            | Overlay::Choose(..)
            | Overlay::Confirm(_)
            | Overlay::Help { .. } => None,
        }
    }

    /// Whether the terminal's cursor stands in a text.
    pub(crate) fn has_caret(&self) -> bool {
        match &self.overlay {
            Overlay::Typing
            | Overlay::Metrics(_)
            | Overlay::Help { typing: true, .. }
            | Overlay::Ack(_)
            | Overlay::TryLabels(_) => true,
            Overlay::None => self.is_editing() || self.form.as_ref().is_some_and(Form::is_text),
            Overlay::Menu(_)
            | Overlay::Ranges(_)
            | Overlay::Choose(..)
            | Overlay::Confirm(_)
            | Overlay::Help { .. } => false,
        }
    }

    /// The monitor whose details are on the screen.
    pub(crate) fn detailed(&self) -> Option<MonitorName> {
        if self.open.is_some() {
            return self.open.clone();
        }
        (self.screen == Screen::Monitors && self.is_wide()).then(|| self.target()).flatten()
    }

    /// Where keys are looked up, first match wins.
    pub(crate) fn contexts(&self) -> Vec<Context> {
        match &self.overlay {
            Overlay::Typing | Overlay::Help { typing: true, .. } => return vec![Context::Typing],
            Overlay::Menu(_) | Overlay::Choose(..) => return vec![Context::Menu, Context::Move, Context::Global],
            Overlay::Ack(_) => return vec![Context::Ack, Context::Prompt, Context::Line],
            Overlay::TryLabels(_) => return vec![Context::Prompt, Context::Line],
            Overlay::Confirm(_) => return vec![Context::Confirm],
            Overlay::Ranges(_) => return vec![Context::Ranges, Context::Move, Context::Global],
            Overlay::Metrics(_) => return vec![Context::Metrics],
            Overlay::Help { .. } => return vec![Context::Help, Context::Move, Context::Global],
            Overlay::None => {}
        }
        if let Some(form) = &self.form {
            return vec![Context::Form, if form.is_text() { Context::Line } else { Context::FormChoice }];
        }
        let mut contexts = Vec::new();
        if !self.is_fresh() {
            contexts.push(Context::Offline);
        }
        if self.board.is_none() {
            contexts.push(Context::Global);
            return contexts;
        }
        if self.is_editing() {
            let popup = self.explore.popup.is_some().then_some(Context::Popup);
            return popup.into_iter().chain([Context::Editor]).collect();
        }
        if self.why.is_some() {
            contexts.extend([Context::Why, Context::Move, Context::Global]);
            return contexts;
        }
        contexts.push(match (&self.open, self.screen) {
            (Some(_), _) => Context::Detail,
            (None, Screen::Overview) => Context::Overview,
            (None, Screen::Alerts) => Context::Alerts,
            (None, Screen::Silences) => Context::Silences,
            (None, Screen::Notifications) => Context::Notifications,
            (None, Screen::Monitors) => Context::Monitors,
            (None, Screen::Explore) => Context::Explore,
            (None, Screen::Config) => Context::Config,
        });
        contexts.extend([Context::Move, Context::Global]);
        contexts
    }

    /// Whether keys enter a query.
    pub(crate) fn is_editing(&self) -> bool {
        self.board.is_some()
            && self.overlay == Overlay::None
            && self.form.is_none()
            && self.why.is_none()
            && (self.screen, &self.open, self.explore.focus) == (Screen::Explore, &None, Focus::Editor)
    }

    /// How many monitors that are not ok the overview shows.
    pub(crate) fn shown_bad(&self) -> usize {
        self.facts.not_ok.len().min(OVERVIEW_ROWS)
    }

    /// How many monitors that are fine the overview shows.
    pub(crate) fn shown_fine(&self) -> usize {
        self.facts.fine.len().min(if self.is_wide() { OVERVIEW_ROWS } else { FINE_ROWS })
    }

    /// Where the overview's lists start among the things that its cursor can be on: alerts, monitors that are
    /// not ok, types, monitors that are fine; and where they end.
    pub(crate) fn starts(&self) -> [usize; 5] {
        let alerts = self.facts.urgent.len();
        let types = alerts + self.shown_bad();
        let fine = types + self.facts.groups.len();
        [0, alerts, types, fine, fine + self.shown_fine()]
    }

    /// How many things the overview's cursor can be on.
    pub(crate) fn items(&self) -> usize {
        self.starts()[4]
    }

    /// The thing at a place of the overview.
    pub(crate) fn item(&self, at: usize) -> Option<Item> {
        let board = self.board.as_ref()?;
        let [_, bad, types, fine, end] = self.starts();
        let monitor = |i: &u32| board.monitors.get(*i as usize).map(|row| Item::Monitor(row.name.clone()));
        match at {
            at if at < bad => self.urgent(at).map(|a| Item::Alert(a.fingerprint.clone())),
            at if at < types => self.facts.not_ok.get(at - bad).and_then(monitor),
            at if at < fine => self.facts.groups.get(at - types).map(|g| Item::Group(g.name.clone())),
            at if at < end => self.facts.fine.get(at - fine).and_then(monitor),
            _ => None,
        }
    }

    /// The place of a thing.
    fn place(&self, item: &Item) -> Option<usize> {
        let board = self.board.as_ref()?;
        let [_, bad, types, fine, _] = self.starts();
        match item {
            Item::Alert(fingerprint) => {
                let is = |i: &u32| board.alerts.get(*i as usize).is_some_and(|a| a.fingerprint == *fingerprint);
                self.facts.urgent.iter().position(is)
            }
            Item::Monitor(name) => {
                let i = board.monitors.binary_search_by(|m| m.name.cmp(name)).ok()?;
                let in_list = |list: &[u32], shown: usize| list.iter().take(shown).position(|n| *n as usize == i);
                let broken = in_list(&self.facts.not_ok, self.shown_bad()).map(|p| bad + p);
                broken.or_else(|| in_list(&self.facts.fine, self.shown_fine()).map(|p| fine + p))
            }
            Item::Group(name) => self.facts.groups.iter().position(|g| g.name == *name).map(|p| types + p),
        }
    }

    /// Puts the overview's cursor on place `at`, or on the last one.
    pub(crate) fn select_item(&mut self, at: usize) {
        self.overview.at = at.min(self.items().saturating_sub(1));
        self.overview.selected = self.item(self.overview.at);
    }

    /// Works out what follows from a new board; selections stay on their things.
    pub(crate) fn board_changed(&mut self) {
        let Some(board) = &self.board else { return };
        self.acks.settle(board.alerts.iter().map(AsRef::as_ref), self.now.steady);
        self.facts = Facts::of(board, &self.acks);
        self.list.refresh(board);
        self.alerts.refresh(board, &self.acks);
        let found = self.overview.selected.as_ref().and_then(|item| self.place(item));
        self.select_item(found.unwrap_or(self.overview.at));
    }
}
