//! The list of monitors, and beside it, where there is room, the one under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::base::units::Short;
use crate::tui::screens::{detail, mark_row};
use crate::tui::state::State;
use crate::tui::state::list::SortKey;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::strip::strip;
use crate::tui::widgets::text::{Line, age, clear, fit, rule};
use crate::wire::board::{MonitorRow, STRIP_BUCKET, STRIP_CELLS, State as MonitorState};

/// Columns of the two panes; the second is empty where there is room for one only.
fn panes(s: &State, body: Rect) -> (Rect, Rect) {
    if !s.is_wide() {
        return (body, Rect::new(body.right(), body.y, 0, 0));
    }
    let right = (body.width * 2 / 5).clamp(44, 76);
    let left = body.width - right - 1;
    (Rect { width: left, ..body }, Rect { x: body.x + left + 1, width: right, ..body })
}

/// Lines above and below the rows.
fn chrome(s: &State, body: Rect) -> (u16, u16) {
    match (s.is_compact(), body.height) {
        (_, 0..=3) => (0, 0),
        (true, _) => (1, 0),
        (false, _) => (2, 1),
    }
}

/// Rows of the list that fit.
pub(super) fn rows(s: &State, body: Rect) -> usize {
    let (above, below) = chrome(s, body);
    usize::from(body.height.saturating_sub(above + below))
}

/// Widths of the columns that vary.
struct Columns {
    word: bool,
    name: usize,
    kind: usize,
    last: bool,
    p95: bool,
    uptime: bool,
    headline: usize,
    strip: usize,
}

impl Columns {
    /// Narrow lists say why in a few words; wide ones have numbers.
    fn of(s: &State, width: usize) -> Self {
        let longest = s.facts.longest_name.clamp(8, 60);
        if width < 48 {
            let left = width.saturating_sub(6);
            let strip = (left / 4).min(STRIP_CELLS);
            let name = longest.min(left.saturating_sub(strip + 1) * 3 / 5);
            let headline = left.saturating_sub(name + strip + 2);
            return Self { word: false, name, kind: 0, last: false, p95: false, uptime: false, headline, strip };
        }
        let longest_kind = s.facts.groups.iter().map(|g| g.name.len()).max().unwrap_or(4).clamp(4, 9);
        let kind = if width >= 60 { longest_kind } else { 0 };
        let (p95, uptime) = (width >= 66, width >= 74);
        let optional = [(kind > 0, kind + 1), (p95, 8), (uptime, 8)];
        let optional: usize = optional.iter().filter(|(shown, _)| *shown).map(|(_, w)| w).sum();
        // Cursor, glyph, word, the space after the name, the last probe, the space before the strip.
        let left = width.saturating_sub(4 + 9 + 1 + 7 + 2 + optional);
        let name = longest.min((left * 3 / 5).max(12));
        let strip = left.saturating_sub(name).min(STRIP_CELLS);
        Self { word: true, name, kind, last: true, p95, uptime, headline: 0, strip }
    }
}

/// Draws the screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    let (left, right) = panes(s, body);
    let board = s.board.as_ref()?;
    let (above, _) = chrome(s, body);
    let width = usize::from(left.width);
    let columns = Columns::of(s, width);
    if above > 0 {
        title(s, theme, width).draw(buf, theme, left, 0);
    }
    if above > 1 {
        heads(s, theme, &columns).draw(buf, theme, left, 1);
    }
    let list = Rect { y: left.y + above, height: u16::try_from(rows(s, body)).unwrap_or(0), ..left };
    if s.list.order.is_empty() {
        empty(s).draw(buf, theme, list, 0);
    }
    let mut parked = None;
    for (row, at) in (0..list.height).zip(s.list.top..) {
        let Some(monitor) = s.list.order.get(at).and_then(|i| board.monitors.get(*i as usize)) else { break };
        let selected = at == s.list.at;
        line(s, theme, &columns, monitor, selected).draw(buf, theme, list, row);
        if selected {
            parked = mark_row(theme, buf, list, row);
        }
    }
    if !s.is_compact() && body.height > 3 {
        legend(s, theme, list.height, width).draw(buf, theme, left, left.height - 1);
    }
    if right.width > 0 {
        for row in 0..right.height {
            Line::new().add(Role::Dim, theme.bar()).draw(buf, theme, Rect { x: right.x - 1, width: 1, ..right }, row);
        }
        if let Some(name) = s.target() {
            detail::preview(s, theme, right, buf, &name);
        }
    }
    parked
}

fn title(s: &State, theme: &Theme, width: usize) -> Line {
    let all = s.facts.total();
    let shown = s.list.order.len();
    let mut line = Line::new();
    if s.list.filter.is_empty() {
        line = line.add(Role::Text, format!(" {all} monitor{}", if all == 1 { "" } else { "s" }));
        for state in MonitorState::ALL {
            let n = s.facts.count(state);
            if n > 0 && n < all && s.is_fresh() && width >= 60 {
                line = line.add(Role::Dim, format!("  {} {n}", state.as_str()));
            }
        }
    } else {
        let text = fit(s.list.filter.text(), width / 2, theme);
        line = line.add(Role::Text, format!(" {shown} of {all}  ")).add(Role::Alarm, format!(" /{text} "));
    }
    let arrow = theme.arrow(s.list.reversed);
    line.right(width, Line::new().add(Role::Dim, format!("sort: {} {arrow} ", s.list.sort.word())))
}

fn heads(s: &State, theme: &Theme, c: &Columns) -> Line {
    let head = |key: SortKey, word: &str| {
        if s.list.sort == key { format!("{word} {}", theme.arrow(s.list.reversed)) } else { word.to_owned() }
    };
    let role = |key: SortKey| if s.list.sort == key { Role::Strong } else { Role::Dim };
    let mut line = Line::new().pad(4);
    if c.word {
        line = line.col(role(SortKey::State), &head(SortKey::State, "STATE"), 9, theme);
    }
    line = line.col(role(SortKey::Name), &head(SortKey::Name, "NAME"), c.name + 1, theme);
    if c.kind > 0 {
        line = line.col(role(SortKey::Type), &head(SortKey::Type, "TYPE"), c.kind + 1, theme);
    }
    if c.last {
        line = line.num(role(SortKey::Last), &head(SortKey::Last, "LAST"), 7, theme);
    }
    if c.p95 {
        line = line.num(role(SortKey::P95), &head(SortKey::P95, "P95"), 8, theme);
    }
    if c.uptime {
        line = line.num(role(SortKey::Uptime), &head(SortKey::Uptime, "UPTIME"), 8, theme);
    }
    let title = format!("last {}", Short(STRIP_BUCKET * u32::try_from(c.strip).unwrap_or(0)));
    if c.strip > title.len() { line.add(Role::Text, "  ").num(Role::Dim, &title, c.strip, theme) } else { line }
}

fn line(s: &State, theme: &Theme, c: &Columns, row: &MonitorRow, selected: bool) -> Line {
    let fresh = s.is_fresh();
    let mark = theme.state(row.state, fresh);
    let quiet = |role: Role| if fresh { role } else { Role::Quiet };
    let calm = row.state == MonitorState::Up || row.state == MonitorState::Paused;
    let name_role = if calm { Role::Text } else { Role::Strong };
    let cursor = if selected { theme.cursor() } else { " " };
    let mut line = Line::new().add(Role::Strong, cursor).add(Role::Text, " ").add(mark.role, mark.glyph);
    line = line.add(Role::Text, " ");
    if c.word {
        line = line.col(mark.role, mark.word, 9, theme);
    }
    line = line.col(quiet(name_role), row.name.as_str(), c.name, theme).add(Role::Text, " ");
    if c.kind > 0 {
        line = line.col(Role::Dim, &row.r#type, c.kind, theme).add(Role::Text, " ");
    }
    if c.last {
        line = line.num(quiet(Role::Text), &last(s, row), 7, theme);
    }
    if c.p95 {
        let p95 = row.p95.map_or_else(|| "-".to_owned(), |d| Short(d).to_string());
        line = line.num(quiet(Role::Text), &p95, 8, theme);
    }
    if c.uptime {
        line = line.num(quiet(Role::Text), &percent(row.uptime), 8, theme);
    }
    if c.headline > 3 {
        let text = if calm { "" } else { &*row.headline };
        line = line.col(quiet(Role::Text), text, c.headline, theme).add(Role::Text, " ");
    } else {
        line = line.add(Role::Text, "  ");
    }
    strip(line, &row.strip, c.strip, fresh, theme)
}

/// How long the last probe took, or how long ago it was when the next one is overdue.
fn last(s: &State, row: &MonitorRow) -> String {
    let ago = row.last.map(|at| s.server_now().since(at));
    let late = row.interval.map(|i| i.saturating_mul(3) + std::time::Duration::from_secs(30));
    match (ago, late, row.took) {
        (Some(ago), Some(late), _) if ago > late && row.state != MonitorState::Paused => format!("-{}", age(ago)),
        (_, _, Some(took)) => Short(took).to_string(),
        (Some(ago), _, None) => format!("-{}", age(ago)),
        (None, _, None) => "-".to_owned(),
    }
}

/// `99.97%`; never rounded up to a whole hundred.
pub(super) fn percent(part: Option<f64>) -> String {
    match part {
        None => "-".to_owned(),
        Some(p) if p >= 1.0 => "100%".to_owned(),
        Some(p) => format!("{:.2}%", (p.max(0.0) * 10_000.0).floor() / 100.0),
    }
}

fn empty(s: &State) -> Line {
    let text = if s.facts.total() == 0 {
        let dir = s.board.as_ref().map_or("", |b| b.server.config_dir.as_str());
        format!(" No monitors yet. Put a file into {dir}/monitors.d; `watchdog init` writes examples.")
    } else {
        format!(" Nothing matches \"{}\". Esc clears the filter. {} hidden.", s.list.filter.text(), s.facts.total())
    };
    Line::new().add(Role::Text, text)
}

fn legend(s: &State, theme: &Theme, height: u16, width: usize) -> Line {
    let (from, len) = (s.list.top, s.list.order.len());
    let to = (from + usize::from(height)).min(len);
    let mut line = Line::new()
        .add(Role::Dim, if len == 0 { " 0 of 0".to_owned() } else { format!(" {}-{to} of {len}", from + 1) });
    // Old cells need no legend that says ok.
    let words: &[(char, &str)] = &[('u', "ok"), ('g', "degraded"), ('d', "down"), ('k', "unknown")];
    for (c, word) in words.iter().filter(|_| s.is_fresh()) {
        let c = *c;
        let (glyph, role) = theme.cell(c);
        line = line.add(Role::Text, "  ").add(role, glyph.to_string()).add(Role::Dim, format!(" {word}"));
    }
    line.right(width, Line::new().add(Role::Dim, format!("1 cell = {} ", Short(STRIP_BUCKET))))
}

/// The sort menu.
pub(super) fn menu(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer, key: SortKey) {
    let width = 22.min(body.width);
    let height = u16::try_from(SortKey::ALL.len() + 2).unwrap_or(8).min(body.height);
    let area = Rect::new(body.x + (body.width - width) / 2, body.y + (body.height - height) / 2, width, height);
    clear(buf, area);
    rule(theme, usize::from(width), "SORT BY", "", true).draw(buf, theme, area, 0);
    for (row, option) in (1..area.height).zip(SortKey::ALL) {
        let cursor = if option == key { theme.cursor() } else { " " };
        let line = Line::new().add(Role::Strong, format!(" {cursor} ")).add(Role::Text, option.word());
        let line = if option == s.list.sort {
            line.add(Role::Dim, format!(" {}", theme.arrow(s.list.reversed)))
        } else {
            line
        };
        line.pad(usize::from(width)).draw(buf, theme, area, row);
        if option == key {
            mark_row(theme, buf, area, row);
        }
    }
    if area.height > u16::try_from(SortKey::ALL.len()).unwrap_or(0) + 1 {
        rule(theme, usize::from(width), "", "", false).draw(buf, theme, area, area.height - 1);
    }
}
