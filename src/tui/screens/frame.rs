//! What surrounds every screen: identity, counts and link on top, the screens' tabs, keys at the bottom.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::keys::{BINDS, Context};
use crate::tui::state::link::Health;
use crate::tui::state::{Overlay, Screen, State};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, age, fit, fit_left, put, width};
use crate::wire::board::State as MonitorState;

/// Where the parts are. A pure function of size and state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) header: Rect,
    pub(super) tabs: Option<Rect>,
    pub(super) banner: Option<Rect>,
    pub(super) body: Rect,
    pub(super) footer: Rect,
}

impl Layout {
    pub(super) fn of(s: &State, area: Rect) -> Self {
        let line = |y: u16| Rect::new(area.x, area.y + y.min(area.height), area.width, u16::from(y < area.height));
        let tabs = !s.is_compact();
        let banner = area.height >= 4 && banner_text(s).is_some();
        let top = 1 + u16::from(tabs) + u16::from(banner);
        let bottom = u16::from(area.height >= 3);
        let height = area.height.saturating_sub(top + bottom);
        Self {
            header: line(0),
            tabs: tabs.then(|| line(1)),
            banner: banner.then(|| line(top - 1)),
            body: Rect::new(area.x, area.y + top.min(area.height), area.width, height),
            footer: if bottom == 1 { line(area.height - 1) } else { Rect::new(area.x, area.y, area.width, 0) },
        }
    }
}

/// Line 0.
pub(super) fn header(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let total = usize::from(area.width);
    let alarm = |text: &str| Line::new().add(Role::Alarm, format!(" {text} "));
    let retry = |line: Line| if total >= 60 { line.add(Role::Strong, "  r retry now") } else { line };
    let line = match s.health() {
        Health::Live | Health::Lagging(_) | Health::Resync => counts(s, theme, total),
        Health::Connecting => alarm("CONNECTING").add(Role::Text, " ").add(Role::Text, &s.endpoint),
        Health::Stale(silent) => {
            retry(alarm("NO NEWS").add(Role::Text, format!(" for {}, still connected.", age(silent))))
        }
        Health::Down(lost) => {
            let since = s.link.age(s.now).map(|silent| format!(" last heard {} ago.", age(silent))).unwrap_or_default();
            let next = match lost.retry_at {
                Some(at) => {
                    let secs = at.saturating_sub(s.now.steady).as_secs_f64().ceil();
                    format!(" Try {} in {secs:.0}s.", lost.attempt.saturating_add(1))
                }
                None => format!(" Try {} now.", lost.attempt),
            };
            retry(alarm("NOT CONNECTED").add(Role::Text, since).add(Role::Text, next))
        }
        Health::Incompatible { .. } => alarm("INCOMPATIBLE SERVER"),
    };
    line.draw(buf, theme, area, 0);
}

fn counts(s: &State, theme: &Theme, total: usize) -> Line {
    let narrow = total < 60;
    let mut line = Line::new();
    let bar = |line: Line| line.add(Role::Dim, if narrow { "  ".to_owned() } else { format!(" {} ", theme.bar()) });
    if !narrow {
        let instance = s.board.as_ref().map_or("", |b| b.server.instance.as_str());
        let name = fit(instance, (total / 4).max(8), theme);
        line = bar(line.add(Role::Strong, " watchdog").add(Role::Text, format!(" {name}")));
    }
    let wordy = total >= 120;
    let mut first = true;
    for state in MonitorState::ALL {
        let n = s.facts.count(state);
        if n == 0 {
            continue;
        }
        let mark = theme.state(state, true);
        if !first {
            line = line.add(Role::Text, if wordy { "  " } else { " " });
        }
        first = false;
        // Without its word the glyph of a pause would read as a minus.
        let text = match (wordy, state) {
            (true, _) => format!("{} {n} {}", mark.glyph, mark.word.to_lowercase()),
            (false, MonitorState::Paused) if narrow => String::new(),
            (false, MonitorState::Paused) => format!("{n} paused"),
            (false, _) => format!("{}{n}", mark.glyph),
        };
        line = line.add(mark.role, text);
    }
    if first {
        line = line.add(Role::Dim, "no monitors");
    } else if s.facts.total() == s.facts.count(MonitorState::Up) && !narrow && !wordy {
        line = line.add(Role::Ok, " all ok");
    }
    line = bar(line);
    line = match (s.facts.firing, s.facts.pending) {
        (0, 0) => line.add(Role::Dim, "alerts 0"),
        (0, p) => line.add(Role::Dim, format!("alerts 0, {p} pending")),
        (n, 0) => line.add(Role::Strong, format!("alerts {n}")),
        (n, p) => line.add(Role::Strong, format!("alerts {n}, {p} pending")),
    };
    let clock = s.server_now().local("%H:%M");
    let mut tail = Line::new();
    if s.read_only && !narrow {
        tail = tail.add(Role::Strong, "READ ONLY ");
    }
    tail = match s.health() {
        Health::Lagging(silent) => {
            tail.add(Role::Degraded, format!("{} {} behind", theme.warning().glyph, age(silent)))
        }
        Health::Resync => tail.add(Role::Pending, "resync"),
        _ if narrow => tail.add(Role::Dim, theme.dot()),
        _ => tail.add(Role::Dim, format!("{} live", theme.dot())),
    };
    tail = tail.add(Role::Text, format!(" {clock} "));
    // The link's state is worth more than the last counts: cut those.
    let room = total.saturating_sub(tail.width() + 1);
    line.cut(room, theme).pad(total.saturating_sub(tail.width())).join(tail)
}

/// Line 1: the screens.
pub(super) fn tabs(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let problems = s.board.as_ref().map_or(0, |b| b.engine.problems);
    let bad = s.facts.not_ok.len();
    let fresh = s.is_fresh();
    let tabs = [
        (Screen::Overview, "1 Overview", if fresh { s.facts.firing } else { 0 }),
        (Screen::Monitors, "3 Monitors", if fresh { bad } else { 0 }),
        (Screen::Explore, "5 Explore", 0),
        (Screen::Config, "0 Config", if fresh { problems } else { 0 }),
    ];
    let mut line = Line::new();
    for (screen, title, badge) in tabs {
        let title = if badge > 0 { format!("{title} {badge}") } else { title.to_owned() };
        line = if screen == s.screen {
            line.add(Role::Alarm, format!("[{title}]"))
        } else {
            line.add(Role::Dim, format!(" {title} "))
        };
    }
    line.draw(buf, theme, area, 0);
}

/// What must be known on every screen, if anything: that data is old, or that the engine is not well.
fn banner_text(s: &State) -> Option<(Role, String)> {
    let board = s.board.as_ref()?;
    if !s.is_fresh() {
        let at = s.server_now().local(if s.is_compact() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" });
        let text = if s.size.0 < 60 {
            format!("Old: from {at}, NOT current.")
        } else {
            format!("Everything below is from {at} and is NOT current.")
        };
        return Some((Role::Strong, text));
    }
    let complaint = board.engine.complaints.first()?;
    let more = board.engine.complaints.len() - 1;
    let more = if more > 0 { format!("  +{more} more") } else { String::new() };
    Some((Role::Degraded, format!("ENGINE: {complaint}{more}")))
}

/// Draws the banner.
pub(super) fn banner(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    if let Some((role, text)) = banner_text(s) {
        let glyph = if role == Role::Degraded { theme.warning().glyph } else { "?" };
        Line::new().add(role, format!(" {glyph} {text}")).draw(buf, theme, area, 0);
    }
}

/// The last line: text input, else a message, else the keys. Returns the text cursor's place.
pub(super) fn footer(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let total = usize::from(area.width);
    if area.height == 0 {
        return None;
    }
    let input = match &s.overlay {
        Overlay::Typing => Some((s.list.filter.text(), s.list.order.len(), s.facts.total())),
        Overlay::Help { typing: true, query, .. } => Some((query.as_str(), 0, 0)),
        Overlay::Metrics(browser) => Some((browser.filter.as_str(), 0, 0)),
        Overlay::None | Overlay::Menu(_) | Overlay::Ranges(_) | Overlay::Help { .. } => None,
    };
    if let Some((text, hits, all)) = input {
        let tail = match &s.toast {
            Some(toast) => fit(&toast.text, total / 2, theme).into_owned(),
            None if all > 0 => format!("{hits} of {all}   Enter keep  Esc clear "),
            None if matches!(s.overlay, Overlay::Metrics(_)) => "Enter insert  Esc close ".to_owned(),
            None => "Enter keep  Esc clear ".to_owned(),
        };
        let tail = if width(&tail) + 12 < total { tail } else { String::new() };
        let room = total.saturating_sub(width(&tail) + 3);
        let shown = fit_left(text, room, theme);
        let end = width(&shown) + 1;
        Line::new().add(Role::Strong, "/").add(Role::Text, &shown).draw(buf, theme, area, 0);
        let at = u16::try_from(total - width(&tail)).unwrap_or(0);
        put(buf, area.x.saturating_add(at), area.y, area.width, &tail, theme.style(Role::Dim));
        return Some(Position::new(area.x + u16::try_from(end.min(total.saturating_sub(1))).unwrap_or(0), area.y));
    }
    if let Some(toast) = &s.toast {
        let role = if toast.error { Role::Down } else { Role::Strong };
        Line::new().add(role, format!(" {}", toast.text)).draw(buf, theme, area, 0);
        return None;
    }
    hints(s, total).draw(buf, theme, area, 0);
    None
}

/// The keys of the screen, as many as fit; help and quit keep their place.
fn hints(s: &State, total: usize) -> Line {
    let contexts = s.contexts();
    let refused = crate::tui::update::refused(s).is_some();
    let mut seen = Vec::new();
    let mut line = Line::new();
    let mut tail = Line::new();
    for context in &contexts {
        for row in BINDS.iter().filter(|b| b.context == *context && !b.short.is_empty()) {
            let Some(key) = row.keys.first() else { continue };
            // A key that an earlier context took has another meaning now.
            if seen.contains(key) {
                continue;
            }
            seen.push(*key);
            let role = if row.writes && refused { Role::Dim } else { Role::Text };
            let hint = Line::new().add(role, format!(" {} {} ", key.label(), row.short));
            if *context == Context::Global {
                tail = tail.join(hint);
            } else if line.width() + hint.width() + 8 <= total {
                line = line.join(hint);
            }
        }
    }
    if line.width() + tail.width() < total {
        return line.right(total, tail);
    }
    let help = Line::new().add(Role::Text, " ? help");
    if line.width() + help.width() < total { line.right(total, help) } else { line }
}
