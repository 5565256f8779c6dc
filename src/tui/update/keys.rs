//! Keys: looked up in the one table, then done here.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::action::{Action, Effect, Request};
use crate::tui::keys::{Found, look_up};
use crate::tui::screens;
use crate::tui::state::explore::RANGES;
use crate::tui::state::link::Health;
use crate::tui::state::list::SortKey;
use crate::tui::state::{Item, Overlay, Screen, State};
use crate::tui::update::explore;

/// Longest search in help.
pub(crate) const QUERY_CHARS: usize = 60;

/// Takes in one key press.
pub(crate) fn key(s: &mut State, event: &KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    if s.toast.as_ref().is_some_and(|t| t.error) {
        s.toast = None;
    }
    let half = s.half.take();
    match look_up(event, &s.contexts(), half) {
        Found::Action(action, writes) => {
            if writes && let Some(reason) = refused(s) {
                s.say(reason, false);
                return Vec::new();
            }
            act(s, action)
        }
        Found::Half(c) => {
            s.half = Some(c);
            Vec::new()
        }
        Found::Nothing => {
            text(s, event);
            Vec::new()
        }
    }
}

/// Why nothing may be changed now.
pub(crate) fn refused(s: &State) -> Option<&'static str> {
    if !s.is_fresh() {
        Some("off until the server is heard again: what is shown is old")
    } else if s.read_only {
        Some("off: these screens were started read only")
    } else {
        None
    }
}

fn text(s: &mut State, event: &KeyEvent) {
    let KeyCode::Char(c) = event.code else { return };
    if event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return;
    }
    if s.is_editing() {
        explore::write::insert(s, c.encode_utf8(&mut [0; 4]));
        return;
    }
    match &mut s.overlay {
        Overlay::Typing => {
            s.list.filter.push_str(c.encode_utf8(&mut [0; 4]));
            filter_changed(s);
        }
        Overlay::Help { typing: true, query, scroll } if query.chars().count() < QUERY_CHARS => {
            query.push(c);
            *scroll = 0;
        }
        Overlay::Metrics(browser) => browser.push(c.encode_utf8(&mut [0; 4])),
        Overlay::None | Overlay::Menu(_) | Overlay::Ranges(_) | Overlay::Help { .. } => {}
    }
}

/// Applies the filter as typed so far.
pub(crate) fn filter_changed(s: &mut State) {
    if let Some(board) = &s.board {
        s.list.refresh(board);
    }
}

fn act(s: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::GoOverview => go(s, Screen::Overview),
        Action::GoMonitors => go(s, Screen::Monitors),
        Action::GoExplore => return explore::enter(s),
        Action::GoConfig => go(s, Screen::Config),
        Action::Help => {
            s.overlay = Overlay::Help { scroll: 0, query: String::new(), typing: false };
        }
        Action::Quit => return vec![Effect::Quit],
        Action::Repaint => return vec![Effect::Repaint],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Retry => return retry(s),
        Action::Back => return back(s),
        Action::Down => step(s, 1),
        Action::Up => step(s, -1),
        Action::PageDown => step(s, isize::try_from(screens::page(s)).unwrap_or(1)),
        Action::PageUp => step(s, -isize::try_from(screens::page(s)).unwrap_or(1)),
        Action::Top => step(s, isize::MIN),
        Action::Bottom => step(s, isize::MAX),
        Action::Open => open(s),
        Action::Filter => match &mut s.overlay {
            Overlay::Help { typing, .. } => *typing = true,
            Overlay::None | Overlay::Typing | Overlay::Menu(_) | Overlay::Ranges(_) | Overlay::Metrics(_) => {
                s.overlay = Overlay::Typing;
            }
        },
        Action::SortMenu => s.overlay = Overlay::Menu(s.list.sort),
        Action::SortNext => sort(s, s.list.sort.step(1), false),
        Action::SortPrevious => sort(s, s.list.sort.step(-1), false),
        Action::SortReverse => sort(s, s.list.sort, !s.list.reversed),
        Action::Run => return run(s),
        Action::Reload => {
            s.say("reading the configuration ...", false);
            return vec![Effect::Ask(Request::Reload)];
        }
        Action::Copy => return copy(s),
        Action::NextItem => neighbour(s, 1),
        Action::PreviousItem => neighbour(s, -1),
        Action::Accept if s.is_editing() => return explore::write::accept(s),
        Action::Accept => match &mut s.overlay {
            Overlay::Menu(key) => {
                let key = *key;
                s.overlay = Overlay::None;
                sort(s, key, s.list.reversed);
            }
            Overlay::Ranges(at) => {
                let at = *at;
                s.overlay = Overlay::None;
                explore::choose(s, at);
            }
            Overlay::Metrics(_) => explore::metrics::take(s),
            Overlay::Help { typing, .. } => *typing = false,
            Overlay::Typing | Overlay::None => s.overlay = Overlay::None,
        },
        Action::Erase | Action::EraseWord | Action::EraseAll => erase(s, action),
        Action::Go(motion) => explore::write::go(s, motion),
        Action::Delete(motion) => explore::write::delete(s, motion),
        Action::Explore(action) => return explore::act(s, action),
    }
    Vec::new()
}

fn go(s: &mut State, screen: Screen) {
    (s.overlay, s.open, s.screen) = (Overlay::None, None, screen);
}

fn retry(s: &mut State) -> Vec<Effect> {
    match s.health() {
        // An open connection without news is not worth waiting for.
        Health::Stale(_) => {
            s.link.lose_sync(s.now);
            vec![Effect::Resync]
        }
        Health::Connecting | Health::Down(_) | Health::Incompatible { .. } => vec![Effect::Retry],
        Health::Live | Health::Lagging(_) | Health::Resync => Vec::new(),
    }
}

fn back(s: &mut State) -> Vec<Effect> {
    match &mut s.overlay {
        Overlay::Typing => {
            s.list.filter.clear();
            s.overlay = Overlay::None;
            filter_changed(s);
        }
        Overlay::Help { typing, query, .. } if *typing || !query.is_empty() => {
            *typing = false;
            query.clear();
        }
        Overlay::Menu(_) | Overlay::Ranges(_) | Overlay::Metrics(_) | Overlay::Help { .. } => {
            s.overlay = Overlay::None;
        }
        Overlay::None if s.screen == Screen::Explore && s.open.is_none() && s.board.is_some() => {
            return explore::back(s);
        }
        Overlay::None => {
            if s.open.take().is_some() {
                s.detail.scroll = 0;
            } else if s.screen == Screen::Monitors && !s.list.filter.is_empty() {
                s.list.filter.clear();
                filter_changed(s);
            } else if s.screen != Screen::Overview {
                s.screen = Screen::Overview;
            }
        }
    }
    Vec::new()
}

/// Moves the cursor, or scrolls where there is none.
fn step(s: &mut State, by: isize) {
    match &mut s.overlay {
        Overlay::Menu(key) => {
            *key = key.step(by.clamp(-1, 1));
            return;
        }
        Overlay::Ranges(at) => {
            *at = at.saturating_add_signed(by).min(RANGES.len() - 1);
            return;
        }
        Overlay::Metrics(browser) => {
            let last = s.explore.catalog.fitting(&browser.filter).len().saturating_sub(1);
            browser.at = browser.at.saturating_add_signed(by).min(last);
            return;
        }
        Overlay::Help { scroll, .. } => {
            *scroll = scroll.saturating_add_signed(by);
            return;
        }
        Overlay::Typing | Overlay::None => {}
    }
    if s.open.is_some() {
        s.detail.scroll = s.detail.scroll.saturating_add_signed(by);
        return;
    }
    match s.screen {
        Screen::Overview => s.select_item(s.overview.at.saturating_add_signed(by)),
        Screen::Monitors => {
            if let Some(board) = &s.board {
                s.list.select(board, s.list.at.saturating_add_signed(by));
            }
        }
        Screen::Explore => explore::write::step(s, by),
        Screen::Config => {
            let len = s.config.data.as_ref().map_or(0, |d| d.problems.len());
            s.config.at = s.config.at.saturating_add_signed(by).min(len.saturating_sub(1));
        }
    }
}

fn open(s: &mut State) {
    if let (Screen::Overview, Some(Item::Group(kind))) = (s.screen, &s.overview.selected) {
        s.list.filter.clear();
        s.list.filter.push_str(&format!("type:{kind}"));
        s.screen = Screen::Monitors;
        filter_changed(s);
        return;
    }
    let Some(name) = s.target().filter(|name| s.row(name).is_some()) else { return };
    if let Some(board) = &s.board {
        s.list.select_name(board, &name);
    }
    s.detail.scroll = 0;
    s.open = Some(name);
}

fn neighbour(s: &mut State, by: isize) {
    let Some(board) = &s.board else { return };
    s.list.select(board, s.list.at.saturating_add_signed(by));
    if let Some(name) = s.list.selected.clone().filter(|_| !s.list.order.is_empty()) {
        s.detail.scroll = 0;
        s.open = Some(name);
    }
}

fn sort(s: &mut State, key: SortKey, reversed: bool) {
    (s.list.sort, s.list.reversed) = (key, reversed);
    if let Some(board) = &s.board {
        s.list.refresh(board);
    }
    s.say(format!("sorted by {}{}", key.word(), if reversed { ", reversed" } else { "" }), false);
}

fn run(s: &mut State) -> Vec<Effect> {
    let Some(name) = s.target() else { return Vec::new() };
    if s.running.contains(&name) {
        s.say(format!("{name} is being probed already"), false);
        return Vec::new();
    }
    s.running.push(name.clone());
    s.say(format!("probing {name} ..."), false);
    vec![Effect::Ask(Request::Run(name))]
}

fn copy(s: &mut State) -> Vec<Effect> {
    let text = if s.screen == Screen::Config && s.open.is_none() {
        let problem = s.config.data.as_ref().and_then(|d| d.problems.get(s.config.at));
        problem.map(|p| format!("{}:{}:{}", p.file, p.line, p.column))
    } else {
        s.target().map(|name| name.to_string())
    };
    text.map_or_else(Vec::new, |text| clipboard(s, text))
}

/// Hands text to the terminal's clipboard.
pub(crate) fn clipboard(s: &mut State, text: String) -> Vec<Effect> {
    if text.is_empty() {
        return Vec::new();
    }
    if text.len() > crate::tui::term::CLIPBOARD_BYTES {
        s.say("too long for the terminal's clipboard", true);
        return Vec::new();
    }
    // Not "copied": whether the terminal takes it cannot be known.
    s.say(format!("sent to the terminal's clipboard: {text}"), false);
    vec![Effect::Copy(text)]
}

fn erase(s: &mut State, action: Action) {
    match &mut s.overlay {
        Overlay::Typing => {
            match action {
                Action::EraseAll => s.list.filter.clear(),
                Action::EraseWord => s.list.filter.pop_word(),
                _ => s.list.filter.pop(),
            }
            filter_changed(s);
        }
        Overlay::Help { query, .. } => {
            if action == Action::Erase {
                query.pop();
            } else {
                query.clear();
            }
        }
        Overlay::Metrics(browser) => browser.erase(action == Action::EraseWord, action == Action::EraseAll),
        Overlay::None | Overlay::Menu(_) | Overlay::Ranges(_) => {}
    }
}
