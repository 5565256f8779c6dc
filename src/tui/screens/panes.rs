//! The shape of a list screen: tabs, heads, rows, and the pane about the row under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::screens::mark_row;
use crate::tui::state::State;
use crate::tui::state::list::settled;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, clear, rule};

/// Where the parts are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panes {
    pub(super) tabs: Rect,
    pub(super) heads: Rect,
    pub(super) list: Rect,
    /// Below the list, or beside it; empty where there is no room.
    pub(super) pane: Rect,
    pub(super) beside: bool,
}

impl Panes {
    /// The parts for a list of `len` lines; without a pane if it is to be `bare`.
    pub(super) fn of(s: &State, body: Rect, len: usize, bare: bool) -> Self {
        let line = |y: u16, on: bool| Rect { y: body.y + y.min(body.height), height: u16::from(on), ..body };
        let tabs = line(0, body.height > 2);
        let wide = s.is_wide() && !bare;
        let right = if wide { (body.width / 2).clamp(44, 90) } else { 0 };
        let left = body.width - right - u16::from(wide);
        let heads = Rect { width: left, ..line(tabs.height, body.height > 5 && !s.is_compact()) };
        let top = tabs.height + heads.height;
        let rest = Rect { y: body.y + top, height: body.height - top, ..body };
        if wide {
            let pane =
                Rect { x: body.x + left + 1, width: right, y: body.y + tabs.height, height: body.height - tabs.height };
            return Self { tabs, heads, list: Rect { width: left, ..rest }, pane, beside: true };
        }
        // As in every list: no pane on a terminal of fewer than 24 rows.
        let room = if bare || s.is_compact() || s.size.1 < 24 { 0 } else { rest.height };
        let wanted = u16::try_from(len.max(2)).unwrap_or(u16::MAX);
        let list = if room == 0 { rest.height } else { wanted.min((room * 2 / 5).max(4)).min(room) };
        let pane = Rect { y: rest.y + list, height: rest.height - list, ..rest };
        Self { tabs, heads, list: Rect { height: list, ..rest }, pane, beside: false }
    }

    /// Rows of the list.
    pub(super) fn rows(&self) -> usize {
        usize::from(self.list.height)
    }

    /// Draws the pane: its title, then as many lines as fit.
    pub(super) fn fill(&self, theme: &Theme, buf: &mut Buffer, title: &str, tail: &str, lines: &[Line]) {
        if self.beside {
            for row in 0..self.pane.height {
                let bar = Rect { x: self.pane.x.saturating_sub(1), width: 1, ..self.pane };
                Line::new().add(Role::Dim, theme.bar()).draw(buf, theme, bar, row);
            }
        }
        rule(theme, usize::from(self.pane.width), title, tail, false).draw(buf, theme, self.pane, 0);
        for (row, line) in (1..self.pane.height).zip(lines) {
            line.draw(buf, theme, self.pane, row);
        }
    }

    /// Lines of the pane below its title.
    pub(super) fn room(&self) -> usize {
        usize::from(self.pane.height.saturating_sub(1))
    }
}

/// The tabs of a screen with how much each has, and what else belongs into that line.
pub(super) fn tabs(theme: &Theme, columns: usize, tabs: &[(&str, Option<usize>, bool)], tail: Line) -> Line {
    let mut line = Line::new();
    for (title, count, chosen) in tabs {
        let text = match count {
            Some(0) | None => (*title).to_owned(),
            Some(n) => format!("{title} {n}"),
        };
        line =
            if *chosen { line.add(Role::Alarm, format!("[{text}]")) } else { line.add(Role::Dim, format!(" {text} ")) };
    }
    line.right(columns, tail).cut(columns, theme)
}

/// A menu in the middle of the screen; the taken option is told.
pub(super) fn menu(
    theme: &Theme,
    body: Rect,
    buf: &mut Buffer,
    title: &str,
    options: &[String],
    (at, taken): (usize, usize),
) {
    let width = 34.min(body.width);
    let height = u16::try_from(options.len() + 2).unwrap_or(u16::MAX).min(body.height);
    let area = Rect::new(body.x + (body.width - width) / 2, body.y + (body.height - height) / 2, width, height);
    clear(buf, area);
    rule(theme, usize::from(width), title, "", true).draw(buf, theme, area, 0);
    let rows = usize::from(height.saturating_sub(2));
    let top = settled(0, at, rows, options.len());
    for (row, (i, option)) in (1..area.height.saturating_sub(1)).zip(options.iter().enumerate().skip(top)) {
        let cursor = if i == at { theme.cursor() } else { " " };
        let line = Line::new().add(Role::Strong, format!(" {cursor} ")).add(Role::Text, option);
        let line = if i == taken { line.add(Role::Dim, "  now") } else { line };
        line.pad(usize::from(width)).draw(buf, theme, area, row);
        if i == at {
            mark_row(theme, buf, area, row);
        }
    }
    rule(theme, usize::from(width), "", "", false).draw(buf, theme, area, area.height.saturating_sub(1));
}
