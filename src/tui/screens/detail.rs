//! One monitor in full, as a page that scrolls; and the shorter form beside the list.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::base::name::MonitorName;
use crate::tui::screens::sections::{self, Page};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, fit_left, rule};
use crate::wire::api::MonitorDetail;

/// Lines for a request that has not been answered, once it takes longer than this.
const LOADING_MS: u128 = 150;

/// The reply that belongs to `name`, if it has come.
fn data<'a>(s: &'a State, name: &MonitorName) -> Option<&'a MonitorDetail> {
    s.detail.data.as_deref().filter(|d| d.row.name == *name)
}

fn waiting(s: &State, lines: &mut Vec<Line>) {
    if let Some(error) = &s.detail.error {
        lines.push(Line::new().add(Role::Degraded, format!("  details: {error}")));
    } else if s.is_fresh() {
        let asked = s.detail.asked_at.map_or(0, |at| s.now.steady.saturating_sub(at).as_millis());
        if asked >= LOADING_MS {
            lines.push(Line::new().add(Role::Dim, "  waiting for details ..."));
        }
    } else {
        lines.push(Line::new().add(Role::Dim, "  no details: they were not fetched before the connection was lost"));
    }
}

fn page<'a>(s: &State, theme: &'a Theme, columns: usize) -> Page<'a> {
    Page { theme, columns, fresh: s.is_fresh(), now: s.server_now() }
}

/// The parts in one or two columns.
fn columns(s: &State, theme: &Theme, name: &MonitorName, body: Rect) -> (Vec<Line>, Vec<Line>) {
    let Some(row) = s.row(name) else { return (Vec::new(), Vec::new()) };
    let width = usize::from(body.width);
    let running = s.running.contains(name);
    let detail = data(s, name);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    if !s.is_wide() {
        let p = page(s, theme, width);
        left.extend(sections::about(&p, row, detail, running));
        match detail {
            None => {
                waiting(s, &mut left);
                left.extend(sections::history(&p, row));
            }
            Some(d) => {
                left.extend(sections::latency(&p, d, if body.height >= 20 { 6 } else { 4 }));
                left.extend(sections::phases(&p, d));
                if let Some(last) = &d.last {
                    left.extend(sections::checks(&p, last));
                }
                left.extend(sections::alerts(&p, &d.alerts));
                left.extend(sections::history(&p, row));
                left.extend(sections::evidence(&p, d));
                left.extend(sections::captures(&p, d));
                if let Some(last) = &d.last {
                    left.extend(sections::values(&p, last));
                }
                left.extend(sections::probes(&p, d));
                left.extend(events(&p, d));
                left.extend(sections::definition(&p, row, d));
            }
        }
        return (left, right);
    }
    let (l, r) = halves(body);
    let (lp, p) = (page(s, theme, usize::from(l.width)), page(s, theme, usize::from(r.width)));
    if let Some(d) = detail {
        left.extend(sections::latency(&lp, d, if body.height >= 30 { 9 } else { 6 }));
        left.extend(sections::phases(&lp, d));
        left.extend(sections::evidence(&lp, d));
    } else {
        waiting(s, &mut left);
    }
    right.push(rule(theme, p.columns, "STATE", "", false));
    right.extend(sections::about(&p, row, detail, running));
    right.extend(sections::history(&p, row));
    if let Some(d) = detail {
        if let Some(last) = &d.last {
            right.extend(sections::checks(&p, last));
        }
        right.extend(sections::alerts(&p, &d.alerts));
        right.extend(events(&p, d));
        right.extend(sections::definition(&p, row, d));
        match sections::captures_beside(&lp, &p, d).filter(|_| width >= sections::BESIDE) {
            Some((bad, good)) => {
                sections::level(&mut left, &mut right);
                left.extend(bad);
                right.extend(good);
            }
            None => left.extend(sections::captures(&lp, d)),
        }
        left.extend(sections::probes(&lp, d));
        if let Some(last) = &d.last {
            right.extend(sections::values(&p, last));
        }
    }
    (left, right)
}

fn events(p: &Page<'_>, d: &MonitorDetail) -> Vec<Line> {
    if d.events.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![rule(p.theme, p.columns, "EVENTS", "", false)];
    lines.extend(sections::events(p, d.events.iter().take(20), false));
    lines
}

fn halves(body: Rect) -> (Rect, Rect) {
    let left = body.width * 3 / 5;
    (Rect { width: left.saturating_sub(1), ..body }, Rect { x: body.x + left, width: body.width - left, ..body })
}

/// The part of the body that scrolls: all but the title.
fn scrolled(body: Rect) -> Rect {
    let title = u16::from(body.height > 0);
    Rect { y: body.y + title, height: body.height - title, ..body }
}

/// How far the page scrolls.
pub(super) fn max_scroll(s: &State, body: Rect) -> usize {
    let Some(name) = &s.open else { return 0 };
    let (left, right) = columns(s, &Theme::default(), name, scrolled(body));
    left.len().max(right.len()).saturating_sub(usize::from(scrolled(body).height))
}

/// Draws the full screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer, name: &MonitorName) {
    let total = usize::from(body.width);
    let crumb = if s.screen == crate::tui::state::Screen::Overview { "Overview" } else { "Monitors" };
    let Some(row) = s.row(name) else {
        Line::new().add(Role::Text, format!(" {crumb} > {name}")).draw(buf, theme, body, 0);
        let text = format!(" There is no monitor `{name}` in the configuration now. Esc goes back.");
        Line::new().add(Role::Text, text).draw(buf, theme, scrolled(body), 0);
        return;
    };
    let tail = sections::state(&page(s, theme, total), row);
    let room = total.saturating_sub(tail.width() + 6 + crumb.len());
    let title =
        Line::new().add(Role::Dim, format!(" {crumb} > ")).add(Role::Strong, fit_left(name.as_str(), room, theme));
    title.right(total, tail.add(Role::Text, " ")).draw(buf, theme, body, 0);
    let area = scrolled(body);
    let (left, right) = columns(s, theme, name, area);
    if right.is_empty() {
        window(&left, theme, area, buf, s.detail.scroll);
        let below = left.len().saturating_sub(s.detail.scroll + usize::from(area.height));
        if below > 0 && total >= 40 {
            hint(theme, area, buf, below);
        }
    } else {
        let (l, r) = halves(area);
        window(&left, theme, l, buf, s.detail.scroll);
        window(&right, theme, r, buf, s.detail.scroll);
        let below = left.len().max(right.len()).saturating_sub(s.detail.scroll + usize::from(area.height));
        if below > 0 {
            hint(theme, area, buf, below);
        }
    }
}

/// Says that there is more below, at the right end of the last line.
fn hint(theme: &Theme, area: Rect, buf: &mut Buffer, below: usize) {
    let text = format!(" +{below} lines, j ");
    let width = u16::try_from(text.len()).unwrap_or(0).min(area.width);
    let corner = Rect { x: area.right() - width, width, ..area };
    if area.height > 1 {
        Line::new().add(Role::Dim, text).draw(buf, theme, corner, area.height - 1);
    }
}

fn window(lines: &[Line], theme: &Theme, area: Rect, buf: &mut Buffer, scroll: usize) {
    for (row, line) in (0..area.height).zip(lines.iter().skip(scroll)) {
        line.draw(buf, theme, area, row);
    }
}

/// Draws what fits beside the list.
pub(super) fn preview(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer, name: &MonitorName) {
    let Some(row) = s.row(name) else { return };
    let p = page(s, theme, usize::from(area.width));
    let state = sections::state(&p, row);
    let room = p.columns.saturating_sub(state.width() + 4);
    let title = crate::tui::widgets::text::fit(name.as_str(), room, theme);
    let mut lines =
        vec![Line::new().add(Role::Heading, format!(" {title}")).right(p.columns, state.add(Role::Text, " "))];
    lines.extend(sections::about(&p, row, data(s, name), s.running.contains(name)));
    match data(s, name) {
        None => waiting(s, &mut lines),
        Some(d) => {
            lines.extend(sections::latency(&p, d, if area.height >= 30 { 6 } else { 4 }));
            lines.extend(sections::phases(&p, d));
            if let Some(last) = &d.last {
                lines.extend(sections::checks(&p, last));
            }
            lines.extend(sections::alerts(&p, &d.alerts));
            if let Some(last) = &d.last {
                lines.extend(sections::values(&p, last));
            }
            lines.extend(sections::probes(&p, d));
        }
    }
    window(&lines, theme, area, buf, 0);
}
