//! Everything the screens show, as one value. Changed by `update` only; drawn by `draw` only.

pub(crate) mod explore;
pub(crate) mod facts;
pub(crate) mod filter;
pub(crate) mod link;
pub(crate) mod list;

use std::sync::Arc;
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::tui::action::{Effect, Now, Request};
use crate::tui::keys::Context;
use crate::tui::state::explore::catalog::Browser;
use crate::tui::state::explore::{Explore, Focus};
use crate::tui::state::facts::Facts;
use crate::tui::state::link::{Health, LinkView};
use crate::tui::state::list::{ListView, SortKey};
use crate::wire::api::{ConfigStatus, MonitorDetail};
use crate::wire::board::{AlertRow, Board, MonitorRow};

/// Not more than one request for the same monitor's detail in this time.
const DETAIL_EVERY: Duration = Duration::from_secs(1);
/// Pause between requests while the cursor runs through a list.
const DETAIL_SETTLE: Duration = Duration::from_millis(100);
/// Pause before a failed request is repeated.
const RETRY_AFTER: Duration = Duration::from_secs(3);
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
    /// State and latency of each target.
    Monitors,
    /// Any metric, in PromQL.
    Explore,
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
        self.toast = Some(Toast { text: text.into(), error, until: self.now.steady + TOAST });
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
            Screen::Explore | Screen::Config => None,
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
            Overlay::Menu(_) => return vec![Context::Menu, Context::Move, Context::Global],
            Overlay::Ranges(_) => return vec![Context::Ranges, Context::Move, Context::Global],
            Overlay::Metrics(_) => return vec![Context::Metrics],
            Overlay::Help { .. } => return vec![Context::Help, Context::Move, Context::Global],
            Overlay::None => {}
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
        contexts.push(match (&self.open, self.screen) {
            (Some(_), _) => Context::Detail,
            (None, Screen::Overview) => Context::Overview,
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
        let alerts = self.board.as_ref().map_or(0, |b| b.alerts.len());
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
            at if at < bad => board.alerts.get(at).map(|a| Item::Alert(a.fingerprint.clone())),
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
            Item::Alert(fingerprint) => board.alerts.iter().position(|a| a.fingerprint == *fingerprint),
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
        self.facts = Facts::of(board);
        self.list.refresh(board);
        let found = self.overview.selected.as_ref().and_then(|item| self.place(item));
        self.select_item(found.unwrap_or(self.overview.at));
    }

    /// What has to be asked for so that the screen is whole and current.
    pub(crate) fn wanted(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.is_fresh() {
            return effects;
        }
        effects.extend(self.wanted_detail().map(Effect::Ask));
        effects.extend(self.wanted_config().map(Effect::Ask));
        if self.screen == Screen::Explore && self.open.is_none() {
            let now = self.server_now();
            effects.extend(self.explore.wanted(now, self.now.steady));
            effects.extend(self.explore.wanted_names(self.now.steady).map(Effect::Ask));
            effects.extend(self.explore.catalog.request(self.now.steady).map(Effect::Ask));
        }
        effects
    }

    fn wanted_detail(&mut self) -> Option<Request> {
        let name = self.detailed()?;
        let row = self.row(&name)?.clone();
        let view = &mut self.detail;
        if view.asked.is_some() {
            return None;
        }
        let other = view.data.as_ref().is_none_or(|d| d.row.name != name);
        let newer = view.row.as_ref().is_none_or(|r| !Arc::ptr_eq(r, &row));
        let pause = match (other, newer) {
            _ if view.error.is_some() => RETRY_AFTER,
            (true, _) => DETAIL_SETTLE,
            (false, true) => DETAIL_EVERY,
            (false, false) => return None,
        };
        if view.asked_at.is_some_and(|at| self.now.steady.saturating_sub(at) < pause) {
            return None;
        }
        (view.asked, view.asked_at, view.row) = (Some(name.clone()), Some(self.now.steady), Some(row));
        Some(Request::Detail(name))
    }

    fn wanted_config(&mut self) -> Option<Request> {
        let engine = &self.board.as_ref()?.engine;
        let stamp = Some((engine.config_loaded, engine.problems));
        let view = &mut self.config;
        if self.screen != Screen::Config || view.asked {
            return None;
        }
        let again =
            view.error.is_some() && view.asked_at.is_none_or(|at| self.now.steady.saturating_sub(at) >= RETRY_AFTER);
        if view.seen == stamp && !again {
            return None;
        }
        (view.asked, view.asked_at, view.seen) = (true, Some(self.now.steady), stamp);
        Some(Request::Config)
    }

    /// Forgets what was asked before a reconnection, so that it is asked again.
    pub(crate) fn forget_requests(&mut self) {
        self.detail.row = None;
        self.config.seen = None;
    }

    /// When to look at the clock again, on the steady clock, at the latest.
    pub(crate) fn wake(&self) -> Duration {
        let second = Duration::from_secs(self.now.steady.as_secs() + 1);
        let settle = self.detail.asked_at.map(|at| at + DETAIL_SETTLE);
        settle.filter(|s| *s > self.now.steady).map_or(second, |s| s.min(second))
    }
}
