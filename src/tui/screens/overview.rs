//! The first screen: one sentence, then what broke, who was told, what is not ok, what changed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::base::units::Short;
use crate::tui::screens::alerts::owner;
use crate::tui::screens::mark_row;
use crate::tui::screens::monitors::percent;
use crate::tui::screens::sections::{self, Page};
use crate::tui::state::State;
use crate::tui::state::facts::Group;
use crate::tui::state::link::Health;
use crate::tui::state::list::settled;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::strip::strip;
use crate::tui::widgets::text::{Line, age, rule};
use crate::wire::board::{AlertRow, AlertState, DeliveryState, MonitorRow, STRIP_BUCKET, State as MonitorState};

/// Events below the lists.
const EVENTS: usize = 12;

/// One line of the part that scrolls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// A title.
    AlertsTitle,
    /// A title.
    WatchTitle,
    /// An alert, by place among the cursor's things.
    Alert(usize),
    /// A title.
    NotOkTitle,
    /// A monitor that is not ok.
    NotOk(usize),
    /// How many more there are.
    NotOkMore(usize),
    /// A title.
    TypesTitle,
    /// All monitors of a type.
    Type(usize),
    /// A title.
    FineTitle,
    /// A monitor that is fine.
    Fine(usize),
    /// How many more there are.
    FineMore(usize),
    /// A title.
    EventsTitle,
    /// An event.
    Event(usize),
    /// Nothing.
    Gap,
}

impl Entry {
    /// The place among the things that the cursor can be on.
    fn item(self, s: &State) -> Option<usize> {
        let [alerts, bad, types, fine, _] = s.starts();
        match self {
            Self::Alert(i) => Some(alerts + i),
            Self::NotOk(i) => Some(bad + i),
            Self::Type(i) => Some(types + i),
            Self::Fine(i) => Some(fine + i),
            Self::AlertsTitle | Self::WatchTitle | Self::NotOkTitle | Self::NotOkMore(_) | Self::TypesTitle => None,
            Self::FineTitle | Self::FineMore(_) | Self::EventsTitle | Self::Event(_) | Self::Gap => None,
        }
    }
}

/// The lines below the headline, in order.
fn entries(s: &State, wide: bool) -> Vec<Entry> {
    let Some(board) = &s.board else { return Vec::new() };
    let roomy = !s.is_compact() && s.facts.not_ok.is_empty();
    let mut out = Vec::new();
    // Old data is not divided: who has what by now is not known.
    let needs = if s.is_fresh() { s.facts.unacked } else { s.facts.urgent.len() };
    if needs > 0 {
        out.push(Entry::AlertsTitle);
        out.extend((0..needs).map(Entry::Alert));
    }
    if s.facts.urgent.len() > needs {
        out.push(Entry::WatchTitle);
        out.extend((needs..s.facts.urgent.len()).map(Entry::Alert));
    }
    let bad = s.facts.not_ok.len();
    if bad > 0 {
        out.push(Entry::NotOkTitle);
        out.extend((0..s.shown_bad()).map(Entry::NotOk));
        if bad > s.shown_bad() {
            out.push(Entry::NotOkMore(bad - s.shown_bad()));
        }
    }
    if !s.facts.groups.is_empty() {
        out.push(Entry::TypesTitle);
        out.extend((0..s.facts.groups.len()).map(Entry::Type));
    }
    let fine = s.facts.fine.len();
    if fine > 0 {
        if roomy {
            out.push(Entry::Gap);
        }
        out.push(Entry::FineTitle);
        out.extend((0..s.shown_fine()).map(Entry::Fine));
        if fine > s.shown_fine() {
            out.push(Entry::FineMore(fine - s.shown_fine()));
        }
    }
    if !wide && !board.events.is_empty() {
        if roomy {
            out.push(Entry::Gap);
        }
        out.push(Entry::EventsTitle);
        out.extend((0..board.events.len().min(EVENTS)).map(Entry::Event));
    }
    out
}

struct Areas {
    headline: Rect,
    lists: Rect,
    side: Option<Rect>,
}

fn areas(s: &State, theme: &Theme, body: Rect) -> Areas {
    let wanted = headline(s, theme, usize::from(body.width)).len();
    let height = u16::try_from(wanted).unwrap_or(1).min(body.height / 2).max(u16::from(body.height > 0));
    let headline = Rect { height, ..body };
    let rest = Rect { y: body.y + height, height: body.height - height, ..body };
    if !s.is_wide() {
        return Areas { headline, lists: rest, side: None };
    }
    let side = (body.width * 2 / 5).clamp(40, 70);
    let left = body.width - side - 1;
    Areas {
        headline,
        lists: Rect { width: left, ..rest },
        side: Some(Rect { x: rest.x + left + 1, width: side, ..rest }),
    }
}

/// Scrolls as little as needed to show the cursor; with the cursor on the last thing, to the end.
pub(super) fn settle(s: &mut State, body: Rect) {
    let areas = areas(s, &Theme::default(), body);
    let entries = entries(s, areas.side.is_some());
    let rows = usize::from(areas.lists.height);
    let at = entries.iter().position(|e| e.item(s) == Some(s.overview.at)).unwrap_or(0);
    s.overview.top = if s.overview.at == 0 {
        0
    } else if s.overview.at + 1 == s.items() {
        settled(s.overview.top, at, rows, entries.len()).max(entries.len().saturating_sub(rows).min(at))
    } else {
        settled(s.overview.top, at, rows, entries.len())
    };
}

/// Draws the screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    let areas = areas(s, theme, body);
    for (row, line) in (0..areas.headline.height).zip(headline(s, theme, usize::from(body.width))) {
        line.draw(buf, theme, areas.headline, row);
    }
    let mut parked = None;
    let lists = areas.lists;
    for (row, entry) in (0..lists.height).zip(entries(s, areas.side.is_some()).into_iter().skip(s.overview.top)) {
        let selected = entry.item(s) == Some(s.overview.at);
        line(s, theme, usize::from(lists.width), entry, selected).draw(buf, theme, lists, row);
        if selected {
            parked = mark_row(theme, buf, lists, row);
        }
    }
    if let Some(side) = areas.side {
        for row in 0..side.height {
            Line::new().add(Role::Dim, theme.bar()).draw(buf, theme, Rect { x: side.x - 1, width: 1, ..side }, row);
        }
        for (row, line) in (0..side.height).zip(aside(s, theme, side)) {
            line.draw(buf, theme, side, row);
        }
    }
    parked
}

/// The sentence, what broke first, who was told; without current data, what happened to the connection.
fn headline(s: &State, theme: &Theme, columns: usize) -> Vec<Line> {
    let Some(board) = &s.board else { return Vec::new() };
    if !s.is_fresh() {
        return what_happened(s, columns);
    }
    let verdict = &board.verdict;
    let mark = match verdict.worst {
        Some(state) => theme.state(state, true),
        None if s.facts.total() == 0 => theme.state(MonitorState::Paused, true),
        None => theme.state(MonitorState::Pending, true),
    };
    let role = if verdict.worst == Some(MonitorState::Up) { Role::Text } else { mark.role };
    let mut first = Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(role, &verdict.sentence);
    let bad = matches!(verdict.worst, Some(MonitorState::Down | MonitorState::Degraded | MonitorState::Unknown));
    if let Some(since) = verdict.since.filter(|_| bad) {
        first = first.add(Role::Strong, format!("  {}", age(s.server_now().since(since))));
    }
    let mut lines = vec![first];
    if let Some((role, text)) = owned(s).filter(|_| !verdict.sentence.contains("acknowledged")) {
        let line = lines.pop().unwrap_or_default();
        if line.width() + text.len() + 2 <= columns {
            lines.push(line.add(role, format!("  {text}")));
        } else {
            lines.extend([line, Line::new().add(role, format!("   {text}"))]);
        }
    }
    if let Some(text) = &verdict.first_to_break {
        lines.push(Line::new().add(Role::Text, format!("   {text}")));
    }
    lines.extend(told(s, theme));
    if let Some(engine) = engine_line(s).filter(|_| !s.is_wide() && !s.is_compact()) {
        lines.push(engine);
    }
    // The engine complains of them too, and then the banner says it.
    if board.engine.problems > 0 && board.engine.complaints.is_empty() {
        let n = board.engine.problems;
        let text =
            format!(" {} {n} configuration problem{}: press 0", theme.warning().glyph, if n == 1 { "" } else { "s" });
        lines.push(Line::new().add(Role::Degraded, text));
    }
    if !s.is_compact() && columns >= 60 {
        lines.push(Line::new());
    }
    lines
}

/// Whether somebody has what fires.
fn owned(s: &State) -> Option<(Role, String)> {
    let f = &s.facts;
    let names: Vec<&str> = f.owners.iter().map(|(by, _)| by.as_str()).collect();
    let since = || f.owners.iter().map(|(_, at)| *at).min().map(|at| age(s.server_now().since(at))).unwrap_or_default();
    match (f.firing, f.unacked, names.as_slice()) {
        (0, ..) => None,
        (_, n, []) if n > 0 => Some((Role::Strong, "Nobody has acknowledged.".to_owned())),
        (_, 0, [one]) => Some((Role::Pending, format!("{one} has it, {}.", since()))),
        (_, 0, many) => Some((Role::Pending, format!("{} have it, {}.", many.join(" and "), since()))),
        (n, unacked, many) => {
            let word = if many.len() == 1 { "has" } else { "have" };
            Some((Role::Strong, format!("{unacked} of {n} unacked; {} {word} the rest.", many.join(" and "))))
        }
    }
}

/// Who was told about what fires, and whether it arrived.
fn told(s: &State, theme: &Theme) -> Option<Line> {
    let board = s.board.as_ref()?;
    if s.facts.firing == 0 {
        return None;
    }
    if board.engine.receivers == 0 {
        let text = format!(" {} Nobody is told: no receiver is configured.", theme.warning().glyph);
        return Some(Line::new().add(Role::Degraded, text));
    }
    let firing = board.alerts.iter().filter(|a| a.state == AlertState::Firing);
    // The worst news per receiver, then the newest.
    let mut receivers: Vec<(&str, DeliveryState, u32, crate::base::time::Timestamp)> = Vec::new();
    for d in firing.flat_map(|a| &a.deliveries) {
        let new = (d.receiver.as_str(), d.state, d.attempts, d.at);
        match receivers.iter_mut().find(|(name, ..)| *name == d.receiver) {
            None => receivers.push(new),
            Some(old) if (rank(d.state), d.at) > (rank(old.1), old.3) => *old = new,
            Some(_) => {}
        }
    }
    if receivers.is_empty() {
        return Some(Line::new().add(Role::Dim, "   Told: nobody yet"));
    }
    let mut line = Line::new().add(Role::Text, "   Told:");
    for (name, state, attempts, at) in receivers {
        let mark = theme.delivery(state, attempts, true);
        let tries = if attempts > 1 { format!(" (try {attempts})") } else { String::new() };
        line = line.add(Role::Text, format!(" {name} ")).add(mark.role, format!("{} {}", mark.glyph, mark.word));
        line = line.add(Role::Dim, format!(" {}{tries} ", at.local("%H:%M:%S")));
    }
    Some(line)
}

fn rank(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Delivered => 0,
        DeliveryState::Owed => 1,
        DeliveryState::Dead => 2,
    }
}

fn what_happened(s: &State, columns: usize) -> Vec<Line> {
    let mut lines = vec![rule(&Theme::default(), columns, "WHAT HAPPENED", "", false)];
    let field =
        |label: &str, text: &str| Line::new().add(Role::Dim, format!("  {label}")).pad(11).add(Role::Text, text);
    match s.health() {
        Health::Down(lost) => {
            lines.push(field("socket", &s.endpoint));
            lines.push(field("reason", &lost.reason));
        }
        Health::Stale(silent) => lines.push(field("link", &format!("open, but silent for {}", age(silent)))),
        Health::Connecting | Health::Live | Health::Lagging(_) | Health::Resync | Health::Incompatible { .. } => {
            lines.push(field("link", "connected again, waiting for the board"));
        }
    }
    if let Some(words) = &s.link.goodbye {
        let pid = s.board.as_ref().map_or(0, |b| b.server.pid);
        lines.push(field("server", &format!("pid {pid} said: {words}")));
    }
    let text = "  If the server is down, nothing is probed and nobody is told. Start it: watchdog serve";
    lines.push(Line::new().add(Role::Strong, text));
    lines
}

fn line(s: &State, theme: &Theme, columns: usize, entry: Entry, selected: bool) -> Line {
    let Some(board) = &s.board else { return Line::new() };
    let cursor = if selected { theme.cursor() } else { " " };
    let start = Line::new().add(Role::Strong, cursor).add(Role::Text, " ");
    match entry {
        Entry::Gap => Line::new(),
        Entry::AlertsTitle => {
            let title = if s.is_fresh() {
                format!("NEEDS YOU {}", s.facts.unacked)
            } else {
                format!("ALERTS {}", board.alerts.len())
            };
            rule(theme, columns, &title, if s.is_fresh() { "most urgent first" } else { "" }, false)
        }
        Entry::WatchTitle => {
            let n = s.facts.urgent.len() - s.facts.unacked;
            let f = &s.facts;
            let parts = [(f.firing - f.unacked, "acked"), (f.pending, "pending"), (f.muted, "muted")];
            let tail: Vec<String> =
                parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
            rule(theme, columns, &format!("WATCHING {n}"), &tail.join(", "), false)
        }
        Entry::Alert(i) => s.urgent(i).map_or(Line::new(), |a| alert(s, theme, columns, a, start)),
        Entry::NotOkTitle => {
            let title = format!("NOT OK {} of {}", s.facts.not_ok.len(), s.facts.total());
            let tail = if columns >= 60 { format!("1 cell = {}", Short(STRIP_BUCKET)) } else { String::new() };
            rule(theme, columns, &title, &tail, false)
        }
        Entry::NotOk(i) => {
            let row = s.facts.not_ok.get(i).and_then(|i| board.monitors.get(*i as usize));
            row.map_or(Line::new(), |row| monitor(s, theme, columns, row, start))
        }
        Entry::FineTitle => {
            let title = match (s.is_fresh(), s.facts.count(MonitorState::Pending)) {
                (true, 0) => format!("OK {}", s.facts.count(MonitorState::Up)),
                (true, new) => format!("OK {}, PENDING {new}", s.facts.count(MonitorState::Up)),
                (false, _) => format!("THE REST {}", s.facts.fine.len()),
            };
            let tail = if columns >= 60 { format!("1 cell = {}", Short(STRIP_BUCKET)) } else { String::new() };
            rule(theme, columns, &title, &tail, false)
        }
        Entry::Fine(i) => {
            let row = s.facts.fine.get(i).and_then(|i| board.monitors.get(*i as usize));
            row.map_or(Line::new(), |row| monitor(s, theme, columns, row, start))
        }
        Entry::NotOkMore(n) | Entry::FineMore(n) => Line::new().add(Role::Dim, format!("  +{n} more: press 3")),
        Entry::TypesTitle => {
            let tail = if columns >= 60 {
                format!("worst state of all, 1 cell = {}", Short(STRIP_BUCKET))
            } else {
                String::new()
            };
            rule(theme, columns, "BY TYPE", &tail, false)
        }
        Entry::Type(i) => s.facts.groups.get(i).map_or(Line::new(), |g| group(s, theme, columns, g, start)),
        Entry::EventsTitle => rule(theme, columns, "EVENTS", "newest first", false),
        Entry::Event(i) => {
            let p = Page { theme, columns, fresh: s.is_fresh(), now: s.server_now() };
            board.events.get(i).map_or(Line::new(), |e| sections::event(&p, e, true))
        }
    }
}

fn alert(s: &State, theme: &Theme, columns: usize, a: &AlertRow, start: Line) -> Line {
    let fresh = s.is_fresh();
    let mark = theme.alert(a.severity, a.state, fresh);
    let quiet = a.state == AlertState::Resolved || !fresh;
    let role = if quiet { Role::Quiet } else { Role::Text };
    let age = age(s.server_now().since(a.since));
    let line = start.add(mark.role, mark.glyph).add(Role::Text, " ");
    if columns < 60 {
        let room = columns.saturating_sub(4 + 7);
        return line
            .col(role, &a.name, room / 2, theme)
            .add(Role::Text, " ")
            .col(role, a.subject(), (room - room / 2).saturating_sub(1), theme)
            .num(role, &age, 7, theme);
    }
    let name = (columns / 4).clamp(14, 32);
    let line = line
        .col(mark.role, mark.word, 5, theme)
        .col(if quiet { Role::Quiet } else { Role::Strong }, &a.name, name, theme)
        .add(Role::Text, " ")
        .col(role, a.subject(), name.min(24), theme)
        .num(role, &age, 7, theme)
        .add(Role::Text, "  ");
    let line = match a.deliveries.iter().max_by_key(|d| (rank(d.state), d.at)) {
        Some(d) => {
            let mark = theme.delivery(d.state, d.attempts, fresh);
            let line = line.add(mark.role, format!("{} ", mark.glyph));
            // Where there is no room the line that says who was told has the words.
            if columns < 90 { line } else { line.col(mark.role, mark.word, 13, theme) }
        }
        None => line.col(Role::Dim, "-", if columns < 90 { 2 } else { 15 }, theme),
    };
    let line = line.add(Role::Text, " ").join(owner(s, theme, a, 12));
    match a.annotations.get("summary").filter(|_| columns >= 106) {
        Some(text) => line.add(Role::Text, " ").add(role, text),
        None => line,
    }
}

fn monitor(s: &State, theme: &Theme, columns: usize, row: &MonitorRow, start: Line) -> Line {
    let fresh = s.is_fresh();
    let mark = theme.state(row.state, fresh);
    let calm = matches!(row.state, MonitorState::Up | MonitorState::Pending);
    let role = if !fresh {
        Role::Quiet
    } else if calm {
        Role::Dim
    } else {
        Role::Text
    };
    let line = start.add(mark.role, mark.glyph).add(Role::Text, " ");
    if columns < 60 {
        let left = columns.saturating_sub(4);
        let cells = left / 3;
        let name = (left - cells) * 3 / 5;
        let line = line.col(role, row.name.as_str(), name, theme).add(Role::Text, " ");
        let line = line.col(role, &row.headline, (left - cells).saturating_sub(name + 2), theme).add(Role::Text, " ");
        return strip(line, &row.strip, cells, fresh, theme);
    }
    let name_role = match (fresh, calm) {
        (false, _) => role,
        (true, true) => Role::Text,
        (true, false) => Role::Strong,
    };
    let name = s.facts.longest_name.clamp(12, columns / 4);
    let left = columns.saturating_sub(4 + 9 + name + 1 + 7 + 2);
    let cells = (left / 2).min(crate::wire::board::STRIP_CELLS);
    let age = row.since.map_or_else(|| "-".to_owned(), |at| age(s.server_now().since(at)));
    let line = line
        .col(mark.role, mark.word, 9, theme)
        .col(name_role, row.name.as_str(), name, theme)
        .add(Role::Text, " ")
        .num(role, &age, 6, theme)
        .add(Role::Text, "  ")
        .col(role, &row.headline, left - cells, theme)
        .add(Role::Text, " ");
    strip(line, &row.strip, cells, fresh, theme)
}

fn group(s: &State, theme: &Theme, columns: usize, g: &Group, start: Line) -> Line {
    let fresh = s.is_fresh();
    let mark = theme.state(g.worst, fresh);
    let role = if fresh { Role::Text } else { Role::Quiet };
    let line = start.add(mark.role, mark.glyph).add(Role::Text, " ");
    let line = line.col(role, &g.name, 10, theme).num(role, &g.count.to_string(), 6, theme).add(Role::Text, "  ");
    if columns < 50 {
        return strip(line, &g.strip, columns.saturating_sub(23), fresh, theme);
    }
    let cells = columns.saturating_sub(24 + 28).min(crate::wire::board::STRIP_CELLS);
    let line = strip(line, &g.strip, cells, fresh, theme);
    let p95 = g.p95.map_or_else(|| "-".to_owned(), |d| Short(d).to_string());
    let tail = if g.bad > 0 && fresh { format!("{} not ok", g.bad) } else { format!("p95 {p95}") };
    line.num(role, &percent(g.uptime), 9, theme).add(Role::Text, "  ").num(role, &tail, 11, theme)
}

/// How the engine does, in one line.
fn engine_line(s: &State) -> Option<Line> {
    let engine = &s.board.as_ref()?.engine;
    if !engine.complaints.is_empty() {
        return None;
    }
    let text = format!(
        "   engine ok: {} monitors run, lag p99 {}, {} missed, {} to send",
        engine.monitors,
        Short(engine.lag_p99),
        engine.missed_slots,
        engine.outbox
    );
    // The word alone: a second check mark would compete with the verdict's.
    Some(Line::new().add(Role::Dim, text))
}

/// Beside the lists: the engine and what happened.
fn aside(s: &State, theme: &Theme, area: Rect) -> Vec<Line> {
    let Some(board) = &s.board else { return Vec::new() };
    let p = Page { theme, columns: usize::from(area.width), fresh: s.is_fresh(), now: s.server_now() };
    let engine = &board.engine;
    let field = |label: &str, role: Role, text: String| {
        Line::new().add(Role::Dim, format!("  {label}")).pad(12).add(role, text)
    };
    let loaded = engine.config_loaded.map_or_else(|| "not yet".to_owned(), |at| at.local("%m-%d %H:%M:%S"));
    let problems = match engine.problems {
        0 => String::new(),
        n => format!(", {n} problems"),
    };
    let role = if engine.problems > 0 && p.fresh { Role::Degraded } else { Role::Text };
    let mut lines = vec![
        rule(theme, p.columns, "ENGINE", &format!("watchdog {}", board.server.version), false),
        field("probes", Role::Text, format!("{} monitors, lag p99 {}", engine.monitors, Short(engine.lag_p99))),
        field("missed", Role::Text, format!("{} slots", engine.missed_slots)),
        field("notify", Role::Text, format!("{} receivers, {} to send", engine.receivers, engine.outbox)),
        field("config", role, format!("loaded {loaded}{problems}")),
        rule(theme, p.columns, "EVENTS", "newest first", false),
    ];
    let room = usize::from(area.height).saturating_sub(lines.len());
    lines.extend(sections::events(&p, board.events.iter().take(room).map(AsRef::as_ref), true));
    if board.events.is_empty() {
        lines.push(Line::new().add(Role::Dim, "  none yet"));
    }
    lines
}
