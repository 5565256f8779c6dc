//! Keys: looked up in the one table, then done here.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::action::{Action, Effect, Request};
use crate::tui::keys::{Found, look_up};
use crate::tui::screens;
use crate::tui::state::alerts::{AlertSort, AlertsView};
use crate::tui::state::explore::RANGES;
use crate::tui::state::link::Health;
use crate::tui::state::list::SortKey;
use crate::tui::state::prompt::Choose;
use crate::tui::state::{Item, Overlay, Screen, State};
use crate::tui::update::{alerting, explore};

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
    enter_text(s, c.encode_utf8(&mut [0; 4]));
}

/// Enters typed or pasted text where there is a field for it; returns whether there was.
pub(crate) fn enter_text(s: &mut State, text: &str) -> bool {
    if s.is_editing() {
        explore::write::insert(s, text);
        return true;
    }
    if let Some(field) = s.field() {
        field.insert(&text.replace(['\r', '\n'], " "));
        field_changed(s);
        return true;
    }
    match &mut s.overlay {
        Overlay::Typing => {
            if let Some(filter) = s.filter() {
                filter.push_str(text);
            }
            filter_changed(s);
            true
        }
        Overlay::Help { typing: true, query, scroll } => {
            let room = QUERY_CHARS.saturating_sub(query.chars().count());
            query.extend(text.chars().filter(|c| !c.is_control()).take(room));
            *scroll = 0;
            true
        }
        Overlay::Metrics(browser) => {
            browser.push(text);
            true
        }
        _ => false,
    }
}

/// What follows from a change of a text field outside of a query and a filter.
fn field_changed(s: &mut State) {
    let now = s.now.steady;
    if let Some(form) = s.form.as_mut().filter(|_| s.overlay == Overlay::None) {
        form.touch(now);
    }
}

/// Applies the filter as typed so far.
pub(crate) fn filter_changed(s: &mut State) {
    let now = s.server_now();
    match s.screen {
        Screen::Alerts => alerting::relist(s),
        Screen::Silences => s.silences.refresh(now),
        Screen::Notifications => s.notifications.refresh(),
        _ => {
            if let Some(board) = &s.board {
                s.list.refresh(board);
            }
        }
    }
}

fn act(s: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::GoOverview => go(s, Screen::Overview),
        Action::GoAlerts => go(s, Screen::Alerts),
        Action::GoMonitors => go(s, Screen::Monitors),
        Action::GoSilences => go(s, Screen::Silences),
        Action::GoNotifications => go(s, Screen::Notifications),
        Action::GoExplore => {
            s.why = None;
            return explore::enter(s);
        }
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
            _ => {
                alerting::show_filtered(s);
                s.overlay = Overlay::Typing;
            }
        },
        Action::SortMenu if s.screen == Screen::Alerts => {
            let at = AlertSort::ALL.iter().position(|k| *k == s.alerts.sort).unwrap_or(0);
            s.overlay = Overlay::Choose(Choose::Sort, at);
        }
        Action::SortMenu => s.overlay = Overlay::Menu(s.list.sort),
        Action::SortNext => sort_by(s, 1),
        Action::SortPrevious => sort_by(s, -1),
        Action::SortReverse if s.screen == Screen::Alerts => sort_alerts(s, s.alerts.sort, !s.alerts.reversed),
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
            Overlay::Choose(what, at) => {
                let (what, at) = (*what, *at);
                s.overlay = Overlay::None;
                alerting::chosen(s, what, at);
            }
            Overlay::Ack(_) => {
                if let Overlay::Ack(prompt) = std::mem::take(&mut s.overlay) {
                    return alerting::acknowledge(s, &prompt);
                }
            }
            Overlay::TryLabels(_) => {
                if let Overlay::TryLabels(labels) = std::mem::take(&mut s.overlay) {
                    return alerting::tried(s, labels.text());
                }
            }
            Overlay::None if s.form.is_some() => {
                let now = s.now.steady;
                if let Some(form) = &mut s.form {
                    form.enter();
                    form.touch(now);
                }
            }
            Overlay::Typing | Overlay::None | Overlay::Confirm(_) => s.overlay = Overlay::None,
        },
        Action::Erase | Action::EraseWord | Action::EraseAll => erase(s, action),
        Action::Go(motion) => match s.field() {
            Some(field) => field.go(motion),
            None => explore::write::go(s, motion),
        },
        Action::Delete(motion) => {
            if let Some(field) = s.field() {
                field.delete(motion);
                field_changed(s);
            } else {
                explore::write::delete(s, motion);
            }
        }
        Action::Alerting(action) => return alerting::act(s, action),
        Action::Explore(action) => return explore::act(s, action),
    }
    Vec::new()
}

fn go(s: &mut State, screen: Screen) {
    (s.overlay, s.open, s.why, s.screen) = (Overlay::None, None, None, screen);
    (s.alerts.open, s.alerts.scroll) = (false, 0);
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
            if let Some(filter) = s.filter() {
                filter.clear();
            }
            s.overlay = Overlay::None;
            filter_changed(s);
        }
        Overlay::Help { typing, query, .. } if *typing || !query.is_empty() => {
            *typing = false;
            query.clear();
        }
        Overlay::Menu(_)
        | Overlay::Ranges(_)
        | Overlay::Metrics(_)
        | Overlay::Choose(..)
        | Overlay::Ack(_)
        | Overlay::TryLabels(_)
        | Overlay::Confirm(_)
        | Overlay::Help { .. } => s.overlay = Overlay::None,
        Overlay::None => return back_from_screen(s),
    }
    Vec::new()
}

fn back_from_screen(s: &mut State) -> Vec<Effect> {
    if alerting::back(s) {
        return Vec::new();
    }
    if s.screen == Screen::Explore && s.open.is_none() && s.board.is_some() {
        return explore::back(s);
    }
    if s.open.take().is_some() {
        s.detail.scroll = 0;
    } else if s.filter().is_some_and(|f| !f.is_empty()) {
        if let Some(filter) = s.filter() {
            filter.clear();
        }
        filter_changed(s);
    } else if s.screen != Screen::Overview {
        s.screen = Screen::Overview;
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
        Overlay::Choose(what, at) => {
            let len = match what {
                Choose::Sort => AlertSort::ALL.len(),
                Choose::Group => 1 + s.board.as_ref().map_or(0, |b| AlertsView::group_labels(b).len()),
            };
            *at = at.saturating_add_signed(by).min(len - 1);
            return;
        }
        Overlay::Typing | Overlay::None | Overlay::Ack(_) | Overlay::TryLabels(_) | Overlay::Confirm(_) => {}
    }
    if s.why.is_some() {
        alerting::step(s, by);
        return;
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
        Screen::Alerts | Screen::Silences | Screen::Notifications => alerting::step(s, by),
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
    let alert = match (s.screen, &s.overview.selected) {
        (Screen::Alerts, _) => s.alerts.selected.clone().filter(|_| s.alerts.len > 0),
        (Screen::Overview, Some(Item::Alert(f))) if s.target().is_none_or(|name| s.row(&name).is_none()) => {
            Some(f.clone())
        }
        _ => None,
    };
    if let Some(fingerprint) = alert {
        alerting::open(s, &fingerprint);
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

fn sort_by(s: &mut State, by: isize) {
    if s.screen == Screen::Alerts {
        sort_alerts(s, s.alerts.sort.step(by), false);
    } else {
        sort(s, s.list.sort.step(by), false);
    }
}

fn sort_alerts(s: &mut State, key: AlertSort, reversed: bool) {
    (s.alerts.sort, s.alerts.reversed) = (key, reversed);
    alerting::relist(s);
    s.say(format!("sorted by {}{}", key.word(), if reversed { ", reversed" } else { "" }), false);
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
    let shown = text.lines().next().unwrap_or_default();
    let more = if shown.len() < text.len() { " ..." } else { "" };
    s.say(format!("sent to the terminal's clipboard: {shown}{more}"), false);
    vec![Effect::Copy(text)]
}

fn erase(s: &mut State, action: Action) {
    match &mut s.overlay {
        Overlay::Typing => {
            match (s.filter(), action) {
                (None, _) => {}
                (Some(filter), Action::EraseAll) => filter.clear(),
                (Some(filter), Action::EraseWord) => filter.pop_word(),
                (Some(filter), _) => filter.pop(),
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
        _ => {}
    }
}
