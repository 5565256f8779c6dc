//! Boxes over the Explore screen: offers below the text cursor, and the menu of ranges.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::screens::explore::columns_of;
use crate::tui::screens::mark_row;
use crate::tui::state::State;
use crate::tui::state::explore::complete::Popup;
use crate::tui::state::explore::{Explore, RANGES};
use crate::tui::state::list::settled;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, clear, rule, width};

/// Offers shown at one time.
const ROWS: usize = 8;
/// Columns of the offers' box.
const COLUMNS: u16 = 56;

/// Keeps the marked offer in view.
pub(super) fn settle(x: &mut Explore) {
    if let Some(popup) = &mut x.popup {
        popup.at = popup.at.min(popup.items.len().saturating_sub(1));
        popup.top = settled(popup.top, popup.at, ROWS, popup.items.len());
    }
}

/// Draws the offers in the line below `caret` and further.
pub(super) fn draw(popup: &Popup, theme: &Theme, body: Rect, caret: Position, buf: &mut Buffer) {
    let doc = popup.items.get(popup.at).map_or("", |item| item.doc.as_str());
    let rows = popup.items.len().clamp(1, ROWS);
    let wanted = u16::try_from(1 + rows + usize::from(!doc.is_empty()) + 1).unwrap_or(8);
    let below = body.bottom().saturating_sub(caret.y + 1);
    let height = wanted.min(below);
    let width = COLUMNS.min(body.width);
    if height < 2 || width < 12 {
        return;
    }
    let x = caret.x.min(body.right().saturating_sub(width)).max(body.x);
    let area = Rect::new(x, caret.y + 1, width, height);
    clear(buf, area);
    let columns = usize::from(width);
    let title = if popup.history { "HISTORY" } else { "COMPLETE" };
    let tail = match (popup.waiting, popup.total) {
        (true, 0) => "asking ...".to_owned(),
        (true, n) => format!("{n}, asking for more ..."),
        (false, n) => format!("{} of {n}", popup.at + 1),
    };
    rule(theme, columns, title, &tail, true).draw(buf, theme, area, 0);
    let foot = u16::from(!doc.is_empty()) + 1;
    let list = Rect { height: height.saturating_sub(foot), ..area };
    for row in 1..height {
        for x in [area.x, area.right() - 1] {
            Line::new().add(Role::Dim, theme.bar()).draw(buf, theme, Rect { x, width: 1, ..area }, row);
        }
    }
    let inner = Rect { x: list.x + 1, width: width - 2, ..list };
    for (row, (i, item)) in (1..list.height).zip(popup.items.iter().enumerate().skip(popup.top).take(ROWS)) {
        let cursor = if i == popup.at { theme.cursor() } else { " " };
        let kind = columns_for(item.kind);
        let line = Line::new().add(Role::Strong, cursor);
        let line = line.col(Role::Text, &item.label, columns.saturating_sub(5 + kind), theme).add(Role::Text, " ");
        line.num(Role::Dim, item.kind, kind, theme).draw(buf, theme, inner, row);
        if i == popup.at {
            mark_row(theme, buf, inner, row);
        }
    }
    if !doc.is_empty() {
        let inner = Rect { height, ..inner };
        Line::new().add(Role::Dim, format!(" {doc}")).draw(buf, theme, inner, height.saturating_sub(foot));
    }
    rule(theme, columns, "", "", false).draw(buf, theme, area, height - 1);
}

fn columns_for(kind: &str) -> usize {
    if kind.is_empty() { 0 } else { width(kind).max(11) + 1 }
}

/// The menu of ranges.
pub(in crate::tui::screens) fn menu(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer, at: usize) {
    let width = 22.min(body.width);
    let height = u16::try_from(RANGES.len() + 2).unwrap_or(8).min(body.height);
    let area = Rect::new(body.x + (body.width - width) / 2, body.y + (body.height - height) / 2, width, height);
    clear(buf, area);
    rule(theme, usize::from(width), "RANGE", "until now", true).draw(buf, theme, area, 0);
    let rows = usize::from(height.saturating_sub(2));
    let top = settled(0, at, rows, RANGES.len());
    for (row, (i, (word, secs))) in (1..area.height.saturating_sub(1)).zip(RANGES.iter().enumerate().skip(top)) {
        let cursor = if i == at { theme.cursor() } else { " " };
        let now = s.explore.range.span.as_secs() == *secs;
        let line = Line::new().add(Role::Strong, format!(" {cursor} ")).add(Role::Text, format!("last {word}"));
        let line = if now { line.add(Role::Dim, "  shown") } else { line };
        line.pad(usize::from(width)).draw(buf, theme, area, row);
        if i == at {
            mark_row(theme, buf, area, row);
        }
    }
    rule(theme, usize::from(width), "", "", false).draw(buf, theme, area, area.height.saturating_sub(1));
}

/// How far before the text cursor the box begins: where the labels stand below what they replace.
pub(super) fn back(text: &str, popup: &Popup, cursor: usize) -> u16 {
    const MARK: u16 = 2;
    let word = text.get(popup.range.start..cursor).map_or(0, columns_of);
    word.saturating_add(MARK)
}
