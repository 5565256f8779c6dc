//! What is loaded, and every problem with its place, its line and its hint.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::screens::mark_row;
use crate::tui::state::State;
use crate::tui::state::list::settled;
use crate::tui::theme::{Mark, Role, Theme};
use crate::tui::widgets::text::{Line, fit_left, rule, width, wrap};
use crate::wire::api::{ConfigStatus, Level, Problem};

/// Lines above the list of problems.
fn summary(s: &State, theme: &Theme, columns: usize) -> Vec<Line> {
    let fresh = s.is_fresh();
    let Some(data) = &s.config.data else {
        let text = match &s.config.error {
            Some(error) => format!(" configuration: {error}"),
            None if fresh => " waiting for the configuration's state ...".to_owned(),
            None => " the configuration's state was not fetched before the connection was lost".to_owned(),
        };
        return vec![Line::new().add(Role::Text, text)];
    };
    let errors = data.problems.iter().filter(|p| p.level == Level::Error).count();
    let warnings = data.problems.len() - errors;
    let mark = match (fresh, errors, warnings) {
        (false, ..) => theme.state(crate::wire::board::State::Unknown, false),
        (true, 0, 0) => theme.good(),
        (true, 0, _) => theme.warning(),
        (true, ..) => theme.error(),
    };
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let text = match (errors, warnings) {
        (0, 0) => "No problems.".to_owned(),
        (0, w) => format!("{}.", count(w, "warning")),
        (e, 0) => format!("{}. What is broken keeps running on its last good form.", count(e, "error")),
        (e, w) => format!(
            "{}, {}. What is broken keeps running on its last good form.",
            count(e, "error"),
            count(w, "warning")
        ),
    };
    let mut lines = vec![Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Text, text)];
    let loaded = data.loaded.local("%Y-%m-%d %H:%M:%S");
    let facts = format!("{}, {}, loaded {loaded}", count(data.files, "file"), count(data.monitors, "monitor"));
    let room = columns.saturating_sub(width(&facts) + 6);
    let dir = fit_left(&data.dir, room, theme).into_owned();
    lines.push(Line::new().add(Role::Dim, format!("   {facts}  {dir}")));
    if !data.stale.is_empty() {
        let names = data.stale.join(", ");
        lines.push(Line::new().add(Role::Degraded, format!("   on their last good form: {names}")));
    }
    if let Some(error) = &s.config.error {
        lines.push(Line::new().add(Role::Degraded, format!("   not refreshed: {error}")));
    }
    lines
}

struct Areas {
    summary: Rect,
    list: Rect,
    detail: Rect,
}

fn areas(s: &State, theme: &Theme, body: Rect) -> Areas {
    let wanted = summary(s, theme, usize::from(body.width)).len();
    let top = u16::try_from(wanted).unwrap_or(1).min(body.height);
    let rest = Rect { y: body.y + top, height: body.height - top, ..body };
    let summary = Rect { height: top, ..body };
    if s.is_wide() {
        let left = body.width / 2;
        let list = Rect { width: left, ..rest };
        return Areas { summary, list, detail: Rect { x: rest.x + left + 1, width: body.width - left - 1, ..rest } };
    }
    let problems = s.config.data.as_ref().map_or(0, |d| d.problems.len());
    let list = u16::try_from(problems + 1).unwrap_or(u16::MAX).min(rest.height / 2);
    Areas {
        summary,
        list: Rect { height: list, ..rest },
        detail: Rect { y: rest.y + list, height: rest.height - list, ..rest },
    }
}

/// Keeps the cursor in view.
pub(super) fn settle(s: &mut State, body: Rect) {
    let rows = usize::from(areas(s, &Theme::default(), body).list.height.saturating_sub(1));
    let len = s.config.data.as_ref().map_or(0, |d| d.problems.len());
    s.config.at = s.config.at.min(len.saturating_sub(1));
    s.config.top = settled(s.config.top, s.config.at, rows, len);
}

fn mark(theme: &Theme, level: Level, fresh: bool) -> Mark {
    match level {
        _ if !fresh => theme.state(crate::wire::board::State::Unknown, false),
        Level::Error => theme.error(),
        Level::Warning => theme.warning(),
    }
}

/// Draws the screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    let areas = areas(s, theme, body);
    for (row, line) in (0..areas.summary.height).zip(summary(s, theme, usize::from(body.width))) {
        line.draw(buf, theme, areas.summary, row);
    }
    let data = s.config.data.as_deref()?;
    if data.problems.is_empty() {
        return None;
    }
    let columns = usize::from(areas.list.width);
    let title = format!("PROBLEMS {}", data.problems.len());
    rule(theme, columns, &title, &format!("{} of {}", s.config.at + 1, data.problems.len()), true)
        .draw(buf, theme, areas.list, 0);
    let mut parked = None;
    for (row, at) in (1..areas.list.height).zip(s.config.top..) {
        let Some(problem) = data.problems.get(at) else { break };
        problem_line(s, theme, columns, problem, at == s.config.at).draw(buf, theme, areas.list, row);
        if at == s.config.at {
            parked = mark_row(theme, buf, areas.list, row);
        }
    }
    for (row, line) in (0..areas.detail.height).zip(snippet(s, theme, usize::from(areas.detail.width), data)) {
        line.draw(buf, theme, areas.detail, row);
    }
    parked
}

fn problem_line(s: &State, theme: &Theme, columns: usize, p: &Problem, selected: bool) -> Line {
    let mark = mark(theme, p.level, s.is_fresh());
    let cursor = if selected { theme.cursor() } else { " " };
    let place = place(p);
    let room = columns / 3;
    Line::new()
        .add(Role::Strong, cursor)
        .add(Role::Text, " ")
        .add(mark.role, mark.glyph)
        .add(Role::Text, " ")
        .add(Role::Text, fit_left(&place, room, theme))
        .pad(4 + room.min(width(&place).max(24)) + 1)
        .add(Role::Text, &p.message)
}

fn place(p: &Problem) -> String {
    if p.line == 0 { p.file.clone() } else { format!("{}:{}:{}", p.file, p.line, p.column) }
}

/// The problem under the cursor: its line, the place in it, the hint.
fn snippet(s: &State, theme: &Theme, columns: usize, data: &ConfigStatus) -> Vec<Line> {
    let Some(p) = data.problems.get(s.config.at) else { return Vec::new() };
    let word = match p.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let role = mark(theme, p.level, s.is_fresh()).role;
    let mut lines = vec![rule(theme, columns, &place(p), "", false)];
    let head = format!("{word}[{}]: {}", p.code, p.message);
    lines.extend(wrap(&head, columns.saturating_sub(3)).into_iter().map(|l| Line::new().add(role, format!("  {l}"))));
    if p.line > 0 {
        let number = p.line.to_string();
        let gutter = |text: &str| {
            Line::new().num(Role::Dim, text, number.len() + 3, theme).add(Role::Dim, format!(" {} ", theme.bar()))
        };
        let (before, marked) = around(p, columns.saturating_sub(number.len() + 7));
        lines.push(gutter(""));
        lines.push(gutter(&number).add(Role::Text, &before.0).add(role, &before.1).add(Role::Text, &before.2));
        lines.push(gutter("").add(Role::Text, " ".repeat(marked.0)).add(role, "^".repeat(marked.1)));
    }
    if !p.hint.is_empty() {
        let hint = format!("= hint: {}", p.hint);
        lines.extend(
            wrap(&hint, columns.saturating_sub(3)).into_iter().map(|l| Line::new().add(Role::Text, format!("  {l}"))),
        );
    }
    lines
}

/// The line split into before, marked and after, and where the mark starts and how wide it is; long lines are
/// cut on the left so that the mark is seen.
fn around(p: &Problem, room: usize) -> ((String, String, String), (usize, usize)) {
    let safe = |t: String| crate::base::term_safe::term_safe(&t.replace('\t', " ")).into_owned();
    let column = p.column.saturating_sub(1);
    let mut before: String = p.snippet.chars().take(column).collect();
    let marked: String = p.snippet.chars().skip(column).take(p.length.max(1)).collect();
    let after: String = p.snippet.chars().skip(column.saturating_add(p.length.max(1))).collect();
    let half = room / 2;
    if width(&before) > half && width(&before) + width(&marked) > room {
        let keep = before.chars().count().saturating_sub(half);
        before = before.chars().skip(keep).collect();
    }
    let (before, marked, after) = (safe(before), safe(marked), safe(after));
    let place = (width(&before), width(&marked).clamp(1, room.max(1)));
    ((before, marked, after), place)
}
