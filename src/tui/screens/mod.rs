//! The screens: pure functions from state, theme and size to cells.

mod config;
mod connect;
mod detail;
mod explore;
mod frame;
mod help;
mod monitors;
mod overview;
mod sections;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::screens::frame::Layout;
use crate::tui::state::link::Health;
use crate::tui::state::{Overlay, Screen, State};
use crate::tui::theme::Theme;

/// Draws everything. Returns where the terminal's cursor belongs, if anywhere.
pub(crate) fn draw(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return None;
    }
    let layout = Layout::of(s, area);
    frame::header(s, theme, layout.header, buf);
    if let Some(tabs) = layout.tabs {
        frame::tabs(s, theme, tabs, buf);
    }
    if let Some(banner) = layout.banner {
        frame::banner(s, theme, banner, buf);
    }
    let parked = body(s, theme, layout.body, buf);
    let typing = frame::footer(s, theme, layout.footer, buf);
    typing.or(parked)
}

fn body(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    if let Overlay::Help { scroll, query, .. } = &s.overlay {
        help::draw(s, theme, area, buf, *scroll, query);
        return None;
    }
    if matches!(s.health(), Health::Incompatible { .. }) || s.board.is_none() {
        connect::draw(s, theme, area, buf);
        return None;
    }
    let parked = if let Some(name) = &s.open {
        detail::draw(s, theme, area, buf, name);
        None
    } else {
        match s.screen {
            Screen::Overview => overview::draw(s, theme, area, buf),
            Screen::Monitors => monitors::draw(s, theme, area, buf),
            Screen::Explore => explore::draw(s, theme, area, buf),
            Screen::Config => config::draw(s, theme, area, buf),
        }
    };
    if let Overlay::Menu(key) = &s.overlay {
        monitors::menu(s, theme, area, buf, *key);
    }
    if let Overlay::Ranges(at) = &s.overlay {
        explore::menu(s, theme, area, buf, *at);
    }
    if let Overlay::Metrics(browser) = &s.overlay {
        explore::metrics::draw(&s.explore, browser, theme, area, buf);
        return None;
    }
    parked
}

/// Rows of the body, for paging.
pub(crate) fn page(s: &State) -> usize {
    let body = Layout::of(s, full(s)).body;
    if let Overlay::Metrics(_) = s.overlay {
        return explore::metrics::rows(body).max(1);
    }
    match (&s.open, s.screen) {
        (None, Screen::Monitors) if !matches!(s.overlay, Overlay::Help { .. }) => monitors::rows(s, body).max(1),
        (None, Screen::Explore) if !matches!(s.overlay, Overlay::Help { .. }) => explore::rows(s, body).max(1),
        _ => usize::from(body.height.saturating_sub(1)).max(1),
    }
}

/// Brings what scrolls in line with the cursor and the size.
pub(crate) fn settle(s: &mut State) {
    let body = Layout::of(s, full(s)).body;
    if let Overlay::Help { scroll, query, .. } = &s.overlay {
        let max = help::lines(s, query).saturating_sub(usize::from(body.height));
        let to = (*scroll).min(max);
        if let Overlay::Help { scroll, .. } = &mut s.overlay {
            *scroll = to;
        }
        return;
    }
    if s.open.is_some() {
        if s.detail.scroll == 0 {
            return;
        }
        s.detail.scroll = s.detail.scroll.min(detail::max_scroll(s, body));
        return;
    }
    match s.screen {
        Screen::Monitors => {
            let rows = monitors::rows(s, body);
            s.list.settle(rows);
        }
        Screen::Overview => overview::settle(s, body),
        Screen::Explore => explore::settle(s, body),
        Screen::Config => config::settle(s, body),
    }
}

fn full(s: &State) -> Rect {
    Rect::new(0, 0, s.size.0, s.size.1)
}

/// Lays the cursor's style over a row and returns where the terminal's cursor is parked: braille displays
/// and magnifiers follow it. Blocks keep their style: reversed, a high bar would look like a low one.
fn mark_row(theme: &Theme, buf: &mut Buffer, area: Rect, row: u16) -> Option<Position> {
    if row >= area.height {
        return None;
    }
    let line = Rect::new(area.x, area.y + row, area.width, 1).intersection(buf.area);
    for x in line.left()..line.right() {
        if let Some(cell) = buf.cell_mut((x, line.y))
            && !cell.symbol().starts_with(|c| ('\u{2580}'..='\u{259f}').contains(&c))
        {
            cell.set_style(theme.selected());
        }
    }
    Some(Position::new(line.x, line.y))
}

#[cfg(test)]
mod tests;
