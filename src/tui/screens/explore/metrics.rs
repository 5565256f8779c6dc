//! The list of metrics over the Explore screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::screens::mark_row;
use crate::tui::state::explore::Explore;
use crate::tui::state::explore::catalog::{Browser, Metric};
use crate::tui::state::list::settled;
use crate::tui::state::{Overlay, State};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, clear, rule, wrap};

/// Columns of the box.
const COLUMNS: u16 = 100;
/// Columns of the type, and of the number of series.
const KIND: usize = 11;
const SERIES: usize = 9;
/// Lines about the marked one.
const HELP: usize = 2;

fn place(body: Rect) -> Rect {
    let width = COLUMNS.min(body.width);
    Rect { x: body.x + (body.width - width) / 2, width, ..body }
}

/// Rows of the list that fit below the title and the heads and above the help.
pub(in crate::tui::screens) fn rows(body: Rect) -> usize {
    usize::from(body.height).saturating_sub(3 + HELP)
}

/// Keeps the marked row in view.
pub(super) fn settle(s: &mut State, body: Rect) {
    if let Overlay::Metrics(browser) = &mut s.overlay {
        let len = s.explore.catalog.fitting(&browser.filter).len();
        browser.at = browser.at.min(len.saturating_sub(1));
        browser.top = settled(browser.top, browser.at, rows(body), len);
    }
}

/// Draws the list; what is searched for stands in the last line of the screen.
pub(in crate::tui::screens) fn draw(x: &Explore, browser: &Browser, theme: &Theme, body: Rect, buf: &mut Buffer) {
    let area = place(body);
    let columns = usize::from(area.width);
    clear(buf, area);
    let found = x.catalog.fitting(&browser.filter);
    let tail = match (x.catalog.waiting, found.len()) {
        (true, 0) => "asking ...".to_owned(),
        (_, n) if n == x.catalog.metrics.len() => n.to_string(),
        (_, n) => format!("{n} of {}", x.catalog.metrics.len()),
    };
    rule(theme, columns, "METRICS", &tail, true).draw(buf, theme, area, 0);
    let rows = rows(body);
    // The screen goes on at both sides of a box that is narrower.
    let side = u16::from(area.width < body.width);
    for row in 1..area.height * side {
        for x in [area.x, area.right() - 1] {
            Line::new().add(Role::Dim, theme.bar()).draw(buf, theme, Rect { x, width: 1, ..area }, row);
        }
    }
    let columns = columns - 2 * usize::from(side);
    let inner = Rect { x: area.x + side, width: area.width - 2 * side, ..area };
    // Where there is little room the name is all that counts.
    let told = if columns >= 50 { KIND + SERIES } else { 0 };
    let name = columns.saturating_sub(3 + told);
    let head = Line::new().pad(3).col(Role::Dim, "METRIC", name, theme);
    let head =
        if told > 0 { head.col(Role::Dim, "TYPE", KIND, theme).num(Role::Dim, "SERIES", SERIES, theme) } else { head };
    head.draw(buf, theme, inner, 1);
    for (row, (i, metric)) in (2..).zip(found.iter().enumerate().skip(browser.top).take(rows)) {
        let cursor = if i == browser.at { theme.cursor() } else { " " };
        let line = Line::new().add(Role::Strong, format!(" {cursor} ")).col(Role::Text, &metric.name, name, theme);
        let line = if told > 0 {
            let series = metric.series.map(|n| n.to_string()).unwrap_or_default();
            line.col(Role::Dim, &metric.kind, KIND, theme).num(Role::Dim, &series, SERIES, theme)
        } else {
            line
        };
        line.draw(buf, theme, inner, row);
        if i == browser.at {
            mark_row(theme, buf, inner, row);
        }
    }
    let below = area.height.saturating_sub(u16::try_from(HELP).unwrap_or(0));
    rule(theme, columns, "", "", false).draw(buf, theme, inner, below.saturating_sub(1));
    let (role, text) = about(x, found.get(browser.at).copied());
    for (row, line) in (below..area.height).zip(wrap(&text, columns.saturating_sub(4)).into_iter().take(HELP)) {
        Line::new().pad(3).add(role, line).draw(buf, theme, inner, row);
    }
}

fn about(x: &Explore, metric: Option<&Metric>) -> (Role, String) {
    match (metric, &x.catalog.error) {
        (_, Some(error)) => (Role::Degraded, error.clone()),
        (None, None) if x.catalog.waiting => (Role::Dim, String::new()),
        (None, None) => (Role::Dim, "no metric fits what is searched for".to_owned()),
        (Some(m), None) if m.help.is_empty() => (Role::Dim, "nobody told what this is".to_owned()),
        (Some(m), None) if m.unit.is_empty() => (Role::Text, m.help.clone()),
        (Some(m), None) => (Role::Text, format!("{} (in {})", m.help, m.unit)),
    }
}
