//! Silences and maintenance: what is muted, by whom, until when, and what is odd about it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::base::units::Short;
use crate::tui::screens::mark_row;
use crate::tui::screens::panes::{self, Panes};
use crate::tui::screens::sections::Page;
use crate::tui::state::State;
use crate::tui::state::orders::counted;
use crate::tui::state::silences::{Tab, state};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, age, fit, wrap};
use crate::wire::alerting::{MaintenanceRow, SilenceRow, SilenceState};
use crate::wire::board::{AlertRow, AlertState};

fn len(s: &State) -> usize {
    s.silences.listed(s.server_now()).len() + s.silences.windows().len()
}

fn of(s: &State, body: Rect) -> Panes {
    let len = len(s);
    Panes::of(s, body, len, len == 0)
}

/// Rows of the list that fit.
pub(super) fn rows(s: &State, body: Rect) -> usize {
    of(s, body).rows()
}

/// Scrolls as little as needed to show the cursor.
pub(super) fn settle(s: &mut State, body: Rect) {
    let (rows, now) = (rows(s, body), s.server_now());
    s.silences.settle(rows, now);
}

/// Draws the screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    let v = &s.silences;
    let now = s.server_now();
    let panes = of(s, body);
    let columns = usize::from(body.width);
    let tabs: Vec<_> = Tab::ALL.into_iter().map(|tab| (tab.title(), Some(v.count(tab, now)), tab == v.tab)).collect();
    let mut tail = Line::new();
    if !v.filter.is_empty() {
        tail = tail.add(Role::Alarm, format!(" /{} ", fit(v.filter.text(), columns / 3, theme)));
    }
    panes::tabs(theme, columns, &tabs, tail).draw(buf, theme, panes.tabs, 0);
    let width = usize::from(panes.list.width);
    heads(theme, v.tab, width).draw(buf, theme, panes.heads, 0);
    if len(s) == 0 {
        for (row, line) in (0..panes.list.height).zip(empty(s, theme, width)) {
            line.draw(buf, theme, panes.list, row);
        }
    }
    let mut parked = None;
    let mut show = |row: u16, at: usize, line: Line| {
        line.draw(buf, theme, panes.list, row);
        if at == v.at {
            parked = mark_row(theme, buf, panes.list, row);
        }
    };
    for ((row, at), silence) in (0..panes.list.height).zip(v.top..).zip(v.listed(now).into_iter().skip(v.top)) {
        show(row, at, silence_line(s, theme, silence, width, at == v.at));
    }
    for ((row, at), window) in (0..panes.list.height).zip(v.top..).zip(v.windows().into_iter().skip(v.top)) {
        show(row, at, window_line(s, theme, window, width, at == v.at));
    }
    if panes.pane.height > 1 {
        let p = Page { theme, columns: usize::from(panes.pane.width), fresh: s.is_fresh(), now };
        if let Some(silence) = v.silence(now) {
            let title = fit(&silence.matchers.join(" "), p.columns / 2, theme).into_owned();
            panes.fill(theme, buf, &title, &format!("by {}", silence.created_by), &about(s, &p, silence));
        } else if let Some(window) = v.window() {
            panes.fill(theme, buf, &window.name, &window.source, &about_window(s, &p, window));
        }
    }
    parked
}

fn heads(theme: &Theme, tab: Tab, width: usize) -> Line {
    let line = Line::new().pad(4);
    match tab {
        Tab::Maintenance => {
            let line = line.col(Role::Dim, "NAME", width / 4, theme).add(Role::Text, " ");
            line.col(Role::Dim, "WHEN", 16, theme).num(Role::Dim, "NOW", 6, theme).add(Role::Dim, "  SCHEDULE")
        }
        Tab::Active | Tab::Scheduled | Tab::Expired => {
            let when = match tab {
                Tab::Scheduled => "STARTS IN",
                Tab::Expired => "ENDED",
                Tab::Active | Tab::Maintenance => "ENDS IN",
            };
            let line =
                line.col(Role::Dim, when, 10, theme).num(Role::Dim, "NOW", 5, theme).num(Role::Dim, "MUTED", 7, theme);
            let line = line.add(Role::Text, "  ").col(Role::Dim, "MATCHERS", matchers(width), theme);
            if width >= 60 { line.add(Role::Dim, " BY        REASON") } else { line }
        }
    }
}

fn matchers(width: usize) -> usize {
    if width >= 60 { (width - 28) / 2 } else { width.saturating_sub(28) }
}

fn silence_line(s: &State, theme: &Theme, row: &SilenceRow, width: usize, selected: bool) -> Line {
    let now = s.server_now();
    let fresh = s.is_fresh();
    let state = state(row, now);
    let role = if fresh && state != SilenceState::Expired { Role::Text } else { Role::Quiet };
    let mark = match (state, &row.notice) {
        _ if !fresh => ("?", Role::Quiet),
        (SilenceState::Active | SilenceState::Pending, Some(_)) => ("!", Role::Degraded),
        (SilenceState::Active, None) => (theme.muted().glyph, Role::Text),
        (SilenceState::Pending, None) => (theme.planned(), Role::Pending),
        (SilenceState::Expired, _) => ("-", Role::Quiet),
    };
    let when = match state {
        SilenceState::Active => age(row.ends_at.since(now)),
        SilenceState::Pending => age(row.starts_at.since(now)),
        SilenceState::Expired => format!("{} ago", age(now.since(row.ends_at))),
    };
    let until = if row.until_resolved && state == SilenceState::Active { "/res" } else { "" };
    let line = Line::new()
        .add(Role::Strong, if selected { theme.cursor() } else { " " })
        .add(mark.1, format!(" {} ", mark.0))
        .col(role, &format!("{when}{until}"), 10, theme)
        .num(role, &row.matches.to_string(), 5, theme)
        .num(role, &row.muted.to_string(), 7, theme)
        .add(Role::Text, "  ")
        .col(role, &row.matchers.join(" "), matchers(width), theme);
    if width < 60 {
        return line;
    }
    line.add(Role::Text, " ").col(role, &row.created_by, 9, theme).add(Role::Text, " ").add(role, &row.comment)
}

fn window_line(s: &State, theme: &Theme, row: &MaintenanceRow, width: usize, selected: bool) -> Line {
    let now = s.server_now();
    let fresh = s.is_fresh();
    let (glyph, role) = match (fresh, row.active) {
        (false, _) => ("?", Role::Quiet),
        (true, true) => (theme.maintenance(), Role::Pending),
        (true, false) => (theme.planned(), Role::Text),
    };
    let when = match (row.active, row.starts_at, row.ends_at) {
        (true, _, Some(end)) => format!("ends in {}", Short(end.since(now))),
        (true, _, None) => "runs".to_owned(),
        (false, Some(start), _) => format!("in {}", Short(start.since(now))),
        (false, None, _) => "never again".to_owned(),
    };
    Line::new()
        .add(Role::Strong, if selected { theme.cursor() } else { " " })
        .add(role, format!(" {glyph} "))
        .col(if fresh { Role::Strong } else { Role::Quiet }, &row.name, width / 4, theme)
        .add(Role::Text, " ")
        .col(role, &when, 16, theme)
        .num(role, &row.matches.to_string(), 6, theme)
        .add(Role::Text, "  ")
        .add(if fresh { Role::Text } else { Role::Quiet }, &row.schedule)
}

fn about(s: &State, p: &Page<'_>, row: &SilenceRow) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(notice) = &row.notice {
        let mark = p.theme.warning();
        let role = if p.fresh { mark.role } else { Role::Quiet };
        let mut glyph = Some(mark.glyph);
        for piece in wrap(notice, p.columns.saturating_sub(5)) {
            lines.push(Line::new().add(role, format!("  {} ", glyph.take().unwrap_or(" "))).add(Role::Strong, piece));
        }
    }
    lines.extend(p.field("matches", Role::Text, &row.matchers.join("  ")));
    let mut span = format!("{} to {}", p.time(row.starts_at), row.ends_at.local("%m-%d %H:%M"));
    if row.until_resolved {
        span.push_str(", or when nothing that it matches fires any more");
    }
    lines.extend(p.field("from", Role::Text, &span));
    lines.extend(p.field("reason", Role::Text, if row.comment.is_empty() { "none given" } else { &row.comment }));
    let last = row.last_muted.map(|at| format!(", last {}", p.time(at))).unwrap_or_default();
    lines.extend(p.field(
        "muted",
        Role::Text,
        &format!("{}{last}", counted(usize::try_from(row.muted).unwrap_or(usize::MAX), "notification")),
    ));
    lines.extend(p.field("source", Role::Dim, row.source.as_deref().unwrap_or("the server, made by hand")));
    lines.extend(muted(s, p, &row.id));
    lines
}

fn about_window(s: &State, p: &Page<'_>, row: &MaintenanceRow) -> Vec<Line> {
    let matchers = if row.matchers.is_empty() { "everything".to_owned() } else { row.matchers.join("  ") };
    let mut lines = p.field("mutes", Role::Text, &matchers);
    lines.extend(p.field("schedule", Role::Text, &row.schedule));
    if let (Some(from), Some(to)) = (row.starts_at, row.ends_at) {
        let word = if row.active { "now" } else { "next" };
        let text = format!("{} to {}", from.local("%Y-%m-%d %H:%M"), to.local("%Y-%m-%d %H:%M"));
        lines.extend(p.field(word, Role::Text, &text));
    }
    if !row.comment.is_empty() {
        lines.extend(p.field("reason", Role::Text, &row.comment));
    }
    lines.extend(muted(s, p, &row.name));
    lines
}

/// The alerts that it keeps from being told.
fn muted(s: &State, p: &Page<'_>, id: &str) -> Vec<Line> {
    let alerts = s.board.as_ref().map(|b| b.alerts.as_slice()).unwrap_or_default();
    let is = |a: &AlertRow| a.state != AlertState::Resolved && a.muted.as_ref().is_some_and(|m| m.id == id);
    let hit: Vec<_> = alerts.iter().filter(|a| is(a)).collect();
    if hit.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![p.rule(&format!("MUTED NOW {}", hit.len()), "")];
    for alert in hit {
        let mark = p.theme.alert(alert.severity, alert.state, p.fresh);
        lines.push(
            Line::new()
                .add(mark.role, format!("  {} ", mark.glyph))
                .col(mark.role, mark.word, 6, p.theme)
                .col(Role::Text, &alert.name, 24, p.theme)
                .add(Role::Text, format!(" {}", alert.subject())),
        );
    }
    lines
}

fn empty(s: &State, theme: &Theme, width: usize) -> Vec<Line> {
    let v = &s.silences;
    let now = s.server_now();
    let error = if v.tab == Tab::Maintenance { v.maintenance.error(&()) } else { v.silences.error(&()) };
    let known =
        if v.tab == Tab::Maintenance { v.maintenance.get(&()).is_some() } else { v.silences.get(&()).is_some() };
    if let (Some(error), false) = (error, known) {
        let mark = theme.warning();
        return wrap(error, width.saturating_sub(4))
            .into_iter()
            .map(|l| Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Text, l))
            .collect();
    }
    if !known {
        let slow = v.silences.is_slow(s.now.steady) && s.is_fresh();
        let text = match (s.is_fresh(), slow) {
            (true, true) => " waiting for the silences ...",
            (true, false) => "",
            (false, _) => " not known: they were not fetched before the connection was lost",
        };
        return vec![Line::new().add(Role::Dim, text)];
    }
    let all = v.count(v.tab, now);
    let text = match v.tab {
        _ if all > 0 => format!(" Nothing matches \"{}\". Esc clears the filter. {all} hidden.", v.filter.text()),
        Tab::Active => " Nothing is silenced. n begins a silence; s does on an alert.".to_owned(),
        Tab::Scheduled => " No silence is yet to begin.".to_owned(),
        Tab::Expired => " No silence ended of late.".to_owned(),
        Tab::Maintenance => {
            " No maintenance is planned. Windows stand in files: `maintenance:` in watchdog.yaml.".to_owned()
        }
    };
    vec![Line::new().add(Role::Text, text)]
}
