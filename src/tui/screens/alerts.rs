//! The list of alerts, and below or beside it the one under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::screens::lifecycle;
use crate::tui::screens::mark_row;
use crate::tui::screens::panes::{self, Panes};
use crate::tui::screens::sections::Page;
use crate::tui::state::State;
use crate::tui::state::alerts::{AlertSort, AlertsView, Row, Tab};
use crate::tui::state::orders::counted;
use crate::tui::state::prompt::Choose;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::plot::number;
use crate::tui::widgets::text::{Line, age, fit};
use crate::wire::board::{AlertRow, AlertState};

fn of(s: &State, body: Rect) -> Panes {
    // Marks are told of in a line of their own.
    let marks = u16::from(!s.alerts.marks.is_empty() && body.height > 8);
    let body = Rect { height: body.height - marks, ..body };
    Panes::of(s, body, s.alerts.rows.len(), s.alerts.bare || s.alerts.len == 0)
}

/// Rows of the list that fit.
pub(super) fn rows(s: &State, body: Rect) -> usize {
    of(s, body).rows()
}

/// Scrolls as little as needed to show the cursor.
pub(super) fn settle(s: &mut State, body: Rect) {
    if s.alerts.open {
        let max =
            page_lines(s, &Theme::default(), body).len().saturating_sub(usize::from(body.height.saturating_sub(1)));
        s.alerts.scroll = s.alerts.scroll.min(max);
        return;
    }
    let rows = rows(s, body);
    s.alerts.settle(rows);
}

/// Draws the screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    if s.alerts.open {
        page(s, theme, body, buf);
        return None;
    }
    let board = s.board.as_ref()?;
    let panes = of(s, body);
    tabs(s, theme, usize::from(body.width)).draw(buf, theme, panes.tabs, 0);
    let columns = Columns::of(s, usize::from(panes.list.width));
    heads(s, theme, &columns).draw(buf, theme, panes.heads, 0);
    if s.alerts.rows.is_empty() {
        for (row, line) in (0..panes.list.height).zip(empty(s, theme)) {
            line.draw(buf, theme, panes.list, row);
        }
    }
    let mut parked = None;
    for (row, entry) in (0..panes.list.height).zip(s.alerts.rows.iter().skip(s.alerts.top)) {
        match entry {
            Row::Group(title, n) => {
                let tail = Line::new().add(Role::Dim, format!("{} ", counted(*n, "alert")));
                let room = usize::from(panes.list.width);
                let title = fit(title, room.saturating_sub(16), theme).into_owned();
                Line::new()
                    .add(Role::Heading, format!("  {title}"))
                    .right(room, tail)
                    .draw(buf, theme, panes.list, row);
            }
            Row::Alert(i, at) => {
                let Some(alert) = board.alerts.get(*i as usize) else { continue };
                let selected = *at == s.alerts.at;
                line(s, theme, &columns, alert, selected).draw(buf, theme, panes.list, row);
                if selected {
                    parked = mark_row(theme, buf, panes.list, row);
                }
            }
        }
    }
    if panes.pane.height > 1
        && let Some(alert) = s.alerts.selected.as_ref().and_then(|f| s.alert(f))
    {
        let p = at(s, theme, usize::from(panes.pane.width));
        let lines = lifecycle::lines(s, &p, alert, panes.beside, panes.room());
        panes.fill(theme, buf, &lifecycle::title(alert), &lifecycle::tail(s, &p, alert), &lines);
    }
    if !s.alerts.marks.is_empty() && body.height > 8 {
        let text = format!(" {} marked (*): a and s act on the marked, Esc drops the marks", s.alerts.marks.len());
        Line::new().add(Role::Strong, text).draw(buf, theme, body, body.height - 1);
    }
    parked
}

fn at<'a>(s: &State, theme: &'a Theme, columns: usize) -> Page<'a> {
    Page { theme, columns, fresh: s.is_fresh(), now: s.server_now() }
}

fn page_lines(s: &State, theme: &Theme, body: Rect) -> Vec<Line> {
    let Some(alert) = s.alerts.selected.as_ref().and_then(|f| s.alert(f)) else { return Vec::new() };
    lifecycle::lines(s, &at(s, theme, usize::from(body.width)), alert, true, usize::MAX)
}

/// One alert, all over the screen.
fn page(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) {
    let columns = usize::from(body.width);
    let Some(alert) = s.alerts.selected.as_ref().and_then(|f| s.alert(f)) else {
        Line::new()
            .add(Role::Text, " This alert is over and no longer listed. Esc goes back.")
            .draw(buf, theme, body, 0);
        return;
    };
    let p = at(s, theme, columns);
    let tail = lifecycle::tail(s, &p, alert);
    let title = Line::new().add(Role::Dim, " Alerts > ").add(Role::Strong, lifecycle::title(alert));
    title.right(columns, Line::new().add(Role::Text, format!("{tail} "))).draw(buf, theme, body, 0);
    let lines = page_lines(s, theme, body);
    let rest = Rect { y: body.y + u16::from(body.height > 0), height: body.height.saturating_sub(1), ..body };
    for (row, line) in (0..rest.height).zip(lines.iter().skip(s.alerts.scroll)) {
        line.draw(buf, theme, rest, row);
    }
}

fn tabs(s: &State, theme: &Theme, columns: usize) -> Line {
    let all: Vec<_> = Tab::ALL
        .into_iter()
        .zip(s.alerts.counts)
        .map(|(tab, n)| (tab.title(), s.is_fresh().then_some(n), tab == s.alerts.tab))
        .collect();
    let mut tail = Line::new();
    if !s.alerts.filter.is_empty() {
        tail = tail.add(Role::Alarm, format!(" /{} ", fit(s.alerts.filter.text(), columns / 4, theme)));
    }
    if let Some(label) = &s.alerts.group {
        tail = tail.add(Role::Dim, format!(" by {label}"));
    }
    tail = tail.add(Role::Dim, format!(" sort: {} {} ", s.alerts.sort.word(), theme.arrow(s.alerts.reversed)));
    panes::tabs(theme, columns, &all, tail)
}

/// Widths of the columns that vary; 0 for those that have no room.
struct Columns {
    word: usize,
    name: usize,
    on: usize,
    since: usize,
    value: usize,
    owner: usize,
}

impl Columns {
    fn of(s: &State, width: usize) -> Self {
        let word = if width >= 48 { 6 } else { 0 };
        let since = if width >= 74 { 9 } else { 0 };
        let muted = s.alerts.tab == Tab::Silenced;
        let value = if width >= 66 && !muted { 9 } else { 0 };
        let owner = match width {
            0..48 => 2,
            48..74 => 10,
            _ if muted => width / 3,
            _ => 12,
        };
        // Cursor, mark, glyph, space; the age, and a space between columns.
        let left = width.saturating_sub(4 + word + since + 7 + value + owner + 3);
        let name = left * 11 / 20;
        Self { word, name, on: left - name, since, value, owner }
    }
}

fn heads(s: &State, theme: &Theme, c: &Columns) -> Line {
    let head = |key: Option<AlertSort>, word: &str| match key {
        Some(key) if key == s.alerts.sort => format!("{word} {}", theme.arrow(s.alerts.reversed)),
        _ => word.to_owned(),
    };
    let role = |key| if key == s.alerts.sort { Role::Strong } else { Role::Dim };
    let mut line = Line::new().pad(4);
    if c.word > 0 {
        line = line.col(role(AlertSort::Severity), &head(Some(AlertSort::Severity), "SEV"), c.word, theme);
    }
    line = line.col(role(AlertSort::Name), &head(Some(AlertSort::Name), "ALERT"), c.name, theme).add(Role::Text, " ");
    line = line.col(role(AlertSort::On), &head(Some(AlertSort::On), "ON"), c.on, theme).add(Role::Text, " ");
    if c.since > 0 {
        line = line.col(role(AlertSort::Since), &head(Some(AlertSort::Since), "SINCE"), c.since, theme);
    }
    line = line.num(Role::Dim, "FOR", 6, theme).add(Role::Text, "  ");
    if c.value > 0 {
        line = line.col(Role::Dim, "VALUE", c.value, theme);
    }
    let owner = if s.alerts.tab == Tab::Silenced { "MUTED BY" } else { "OWNER" };
    if c.owner > 2 {
        line.col(role(AlertSort::Owner), &head(Some(AlertSort::Owner), owner), c.owner, theme)
    } else {
        line
    }
}

fn line(s: &State, theme: &Theme, c: &Columns, alert: &AlertRow, selected: bool) -> Line {
    let fresh = s.is_fresh();
    let p = at(s, theme, 0);
    let mark = mark(s, theme, alert);
    let quiet = !fresh || alert.state == AlertState::Resolved || alert.muted.is_some();
    let role = if quiet { Role::Quiet } else { Role::Text };
    let marked = s.alerts.marks.contains(&alert.fingerprint);
    let mut line = Line::new()
        .add(Role::Strong, if selected { theme.cursor() } else { " " })
        .add(Role::Strong, if marked { "*" } else { " " })
        .add(mark.role, mark.glyph)
        .add(Role::Text, " ");
    if c.word > 0 {
        line = line.col(mark.role, mark.word, c.word, theme);
    }
    line = line.col(if quiet { role } else { Role::Strong }, &alert.name, c.name, theme).add(Role::Text, " ");
    line = line.col(role, alert.subject(), c.on, theme).add(Role::Text, " ");
    if c.since > 0 {
        line = line.col(role, &since(&p, alert), c.since - 1, theme).add(Role::Text, " ");
    }
    line = line.num(role, &age(p.now.since(alert.since)), 6, theme).add(Role::Text, "  ");
    if c.value > 0 {
        let value = alert.value.map_or_else(|| "-".to_owned(), number);
        line = line.col(role, &value, c.value - 1, theme).add(Role::Text, " ");
    }
    if c.owner == 2 {
        let acked = s.acks.of(alert).is_some() && alert.state != AlertState::Resolved;
        let glyph = if fresh { theme.acked().glyph } else { "?" };
        return if acked { line.add(Role::Pending, glyph) } else { line };
    }
    match &alert.muted {
        Some(muted) if s.alerts.tab == Tab::Silenced => {
            let until = muted.until.map(|at| format!("until {} ", p.time(at))).unwrap_or_default();
            line.col(role, &format!("{until}{}", muted.detail), c.owner, theme)
        }
        _ => line.join(owner(s, theme, alert, c.owner)),
    }
}

/// When it began: the time of day, or the day.
fn since(p: &Page<'_>, alert: &AlertRow) -> String {
    let old = p.now.since(alert.since) >= std::time::Duration::from_secs(64_800);
    alert.since.local(if old { "%m-%d" } else { "%H:%M:%S" })
}

/// Glyph and word of an alert, with what is known of its owner and muting.
fn mark(s: &State, theme: &Theme, alert: &AlertRow) -> crate::tui::theme::Mark {
    let mark = theme.alert(alert.severity, alert.state, s.is_fresh());
    if alert.muted.is_some() && s.is_fresh() && alert.state != AlertState::Resolved {
        return theme.muted();
    }
    mark
}

/// Who has an alert.
pub(super) fn owner(s: &State, theme: &Theme, alert: &AlertRow, columns: usize) -> Line {
    let fresh = s.is_fresh();
    let line = Line::new();
    if alert.state == AlertState::Resolved {
        return line.col(Role::Quiet, "-", columns, theme);
    }
    if let Some(muted) = alert.muted.as_ref() {
        let text = muted.until.map_or_else(|| "muted".to_owned(), |at| at.local("to %H:%M"));
        return line.col(Role::Quiet, &text, columns, theme);
    }
    match s.acks.of(alert) {
        Some(ack) => {
            let text = format!(
                "{} {} {}",
                if fresh { theme.acked().glyph } else { "?" },
                ack.by,
                age(s.server_now().since(ack.at))
            );
            line.col(if fresh { Role::Pending } else { Role::Quiet }, &text, columns, theme)
        }
        None if alert.state == AlertState::Firing => {
            line.col(if fresh { Role::Strong } else { Role::Quiet }, "unacked", columns, theme)
        }
        None => line.col(Role::Dim, "-", columns, theme),
    }
}

fn empty(s: &State, theme: &Theme) -> Vec<Line> {
    let v = &s.alerts;
    let all = v.counts[v.tab as usize];
    if all > 0 {
        let text = format!(" Nothing matches \"{}\". Esc clears the filter. {all} hidden.", v.filter.text());
        return vec![Line::new().add(Role::Text, text)];
    }
    let fresh = s.is_fresh();
    let text = match v.tab {
        Tab::Firing if fresh => {
            let mark = theme.good();
            return vec![Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Text, "Nothing is firing.")];
        }
        Tab::Firing => " No alert was firing.",
        Tab::Pending => " No condition waits for its time.",
        Tab::Acked => " Nobody has acknowledged anything.",
        Tab::Silenced => " Nothing is kept from being told.",
        Tab::Resolved => " Nothing ended of late.",
    };
    vec![Line::new().add(Role::Text, text)]
}

/// The menus of order and groups.
pub(super) fn menu(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer, (what, at): (Choose, usize)) {
    let Some(board) = &s.board else { return };
    match what {
        Choose::Sort => {
            let options: Vec<String> = AlertSort::ALL.into_iter().map(|key| key.word().to_owned()).collect();
            let taken = AlertSort::ALL.into_iter().position(|key| key == s.alerts.sort).unwrap_or(0);
            panes::menu(theme, body, buf, "SORT BY", &options, (at, taken));
        }
        Choose::Group => {
            let mut options = vec!["not at all".to_owned()];
            options.extend(AlertsView::group_labels(board));
            let taken = s.alerts.group.as_ref().map_or(Some(0), |label| options.iter().position(|o| o == label));
            panes::menu(theme, body, buf, "GROUP BY", &options, (at, taken.unwrap_or(usize::MAX)));
        }
    }
}
