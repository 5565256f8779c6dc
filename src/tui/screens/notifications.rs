//! Notifications: whether somebody was told, through what, and where alerts go.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::base::units::{Exact, Short};
use crate::tui::screens::mark_row;
use crate::tui::screens::panes::{self, Panes};
use crate::tui::screens::sections::Page;
use crate::tui::state::State;
use crate::tui::state::deliveries::Tab;
use crate::tui::state::orders::counted;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, age, fit, wrap};
use crate::wire::alerting::{DeliveryItem, NotifierHealth, NotifierRow, RouteRow};
use crate::wire::board::{AlertState, DeliveryState};

fn of(s: &State, body: Rect) -> Panes {
    // The sentence that says whether somebody was told.
    let proof = u16::from(body.height > 4);
    let body = Rect { y: body.y + proof, height: body.height - proof, ..body };
    let len = s.notifications.len();
    Panes::of(s, body, len, len == 0)
}

/// Rows of the list that fit.
pub(super) fn rows(s: &State, body: Rect) -> usize {
    of(s, body).rows()
}

/// Scrolls as little as needed to show the cursor.
pub(super) fn settle(s: &mut State, body: Rect) {
    let rows = rows(s, body);
    s.notifications.settle(rows);
}

/// Draws the screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    let v = &s.notifications;
    let panes = of(s, body);
    let columns = usize::from(body.width);
    if body.height > 4 {
        proof(s, theme).draw(buf, theme, body, 0);
    }
    let notifiers = v.notifiers.get(&());
    let tabs: Vec<_> = Tab::ALL
        .into_iter()
        .map(|tab| {
            let count = match tab {
                Tab::Deliveries => None,
                Tab::Receivers => notifiers.map(Vec::len),
                Tab::Routes => v.routes.get(&()).map(|_| v.tree().len()),
            };
            (tab.title(), count, tab == v.tab)
        })
        .collect();
    let mut tail = Line::new();
    if v.tab == Tab::Deliveries && !v.filter.is_empty() {
        tail = tail.add(Role::Alarm, format!(" /{} ", fit(v.filter.text(), columns / 3, theme)));
    } else if let Some(all) = notifiers.filter(|_| s.is_fresh()) {
        let (sent, dead) = (all.iter().map(|n| n.delivered).sum::<u64>(), all.iter().map(|n| n.dead).sum::<u64>());
        let owed: usize = all.iter().map(|n| n.owed).sum();
        tail = tail.add(Role::Dim, format!("24h: {sent} sent, {dead} given up; {owed} to send "));
    }
    panes::tabs(theme, columns, &tabs, tail).draw(buf, theme, panes.tabs, 0);
    let width = usize::from(panes.list.width);
    let p = Page { theme, columns: width, fresh: s.is_fresh(), now: s.server_now() };
    heads(theme, v.tab, width).draw(buf, theme, panes.heads, 0);
    let lines: Vec<Line> = match v.tab {
        Tab::Deliveries => {
            let shown = v.listed().into_iter().enumerate().skip(v.top).take(panes.rows());
            shown.map(|(at, d)| delivery_line(&p, d, at == v.at)).collect()
        }
        Tab::Receivers => {
            let shown = v.rows().into_iter().enumerate().skip(v.top).take(panes.rows());
            shown.map(|(at, n)| notifier_line(&p, n, at == v.at)).collect()
        }
        Tab::Routes => {
            let shown = v.tree().into_iter().enumerate().skip(v.top).take(panes.rows());
            shown.map(|(at, (depth, r))| route_line(s, &p, depth, r, at == v.at)).collect()
        }
    };
    if lines.is_empty() {
        for (row, line) in (0..panes.list.height).zip(empty(s, theme, width)) {
            line.draw(buf, theme, panes.list, row);
        }
    }
    let mut parked = None;
    for ((row, at), line) in (0..panes.list.height).zip(v.top..).zip(&lines) {
        line.draw(buf, theme, panes.list, row);
        if at == v.at {
            parked = mark_row(theme, buf, panes.list, row);
        }
    }
    if panes.pane.height > 1 {
        let p = Page { columns: usize::from(panes.pane.width), ..p };
        if let Some(d) = v.delivery() {
            panes.fill(theme, buf, &d.subject, &p.time(d.at), &delivery(s, &p, d));
        } else if let Some(n) = v.notifier() {
            panes.fill(theme, buf, &n.name, &n.r#type, &notifier(&p, n));
        } else if let Some(r) = v.route() {
            panes.fill(theme, buf, &r.receiver, &r.source, &route(s, &p, r));
        }
    }
    parked
}

/// Whether somebody was told of everything that fires.
fn proof(s: &State, theme: &Theme) -> Line {
    let Some(board) = s.board.as_ref().filter(|_| s.is_fresh()) else {
        return Line::new().add(Role::Dim, " Whether somebody was told is not known while the server is not heard.");
    };
    let firing: Vec<_> = board.alerts.iter().filter(|a| a.state == AlertState::Firing && a.muted.is_none()).collect();
    let told = |a: &crate::wire::board::AlertRow| a.deliveries.iter().any(|d| d.state == DeliveryState::Delivered);
    let untold: Vec<_> = firing.iter().filter(|a| !told(a)).collect();
    let muted = match s.facts.muted {
        0 => String::new(),
        n => format!(" {n} muted."),
    };
    match (firing.len(), untold.as_slice()) {
        (0, _) => Line::new().add(Role::Dim, format!(" Nothing fires that somebody has to be told of.{muted}")),
        (n, []) => {
            let mark = theme.good();
            let text = format!(
                "Somebody was told of {}.{muted}",
                if n == 1 { "the one alert that fires".to_owned() } else { format!("all {n} alerts that fire") }
            );
            Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Text, text)
        }
        (n, [first, rest @ ..]) => {
            let mark = theme.error();
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let text = format!("NOBODY WAS TOLD of {} of {n}: {}{more}.{muted}", untold.len(), first.name);
            Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Strong, text)
        }
    }
}

fn heads(theme: &Theme, tab: Tab, width: usize) -> Line {
    let line = Line::new().pad(4);
    match tab {
        Tab::Deliveries => line
            .col(Role::Dim, "TIME", 12, theme)
            .col(Role::Dim, "ALERT", subject(width), theme)
            .add(Role::Text, " ")
            .col(Role::Dim, "TO", target(width), theme)
            .add(Role::Dim, " RESULT"),
        Tab::Receivers => line
            .col(Role::Dim, "NAME", 16, theme)
            .col(Role::Dim, "TYPE", 10, theme)
            .num(Role::Dim, "SENT", 6, theme)
            .num(Role::Dim, "LOST", 6, theme)
            .num(Role::Dim, "OWED", 6, theme)
            .add(Role::Dim, "  LAST"),
        Tab::Routes => line.add(Role::Dim, "RECEIVER AND WHAT IT TAKES"),
    }
}

fn subject(width: usize) -> usize {
    width.saturating_sub(18) / 3
}

fn target(width: usize) -> usize {
    (width.saturating_sub(18) / 5).min(18)
}

fn cursor(theme: &Theme, selected: bool) -> Line {
    Line::new().add(Role::Strong, if selected { theme.cursor() } else { " " })
}

fn delivery_line(p: &Page<'_>, d: &DeliveryItem, selected: bool) -> Line {
    let attempts = u32::try_from(d.attempts.len()).unwrap_or(u32::MAX);
    let mark = p.theme.delivery(d.state, attempts, p.fresh);
    let role = if p.fresh { Role::Text } else { Role::Quiet };
    let what = if d.alerts > 1 { format!("{} ({})", d.subject, d.alerts) } else { d.subject.clone() };
    cursor(p.theme, selected)
        .add(mark.role, format!(" {} ", mark.glyph))
        .col(Role::Dim, &p.time(d.at), 12, p.theme)
        .col(role, &what, subject(p.columns), p.theme)
        .add(Role::Text, " ")
        .col(role, &d.notifier, target(p.columns), p.theme)
        .add(Role::Text, " ")
        .add(if d.state == DeliveryState::Delivered { role } else { mark.role }, result(p, d))
}

/// `ok 0.4s`, `try 3, next in 40s: 503`, `gave up after 5: 401`.
fn result(p: &Page<'_>, d: &DeliveryItem) -> String {
    let n = d.attempts.len();
    let last = d.attempts.last();
    let said = last.and_then(|a| a.detail.as_deref()).unwrap_or("");
    let resolved = if d.status == crate::base::message::Status::Resolved { "resolved, " } else { "" };
    let tries = if n > 1 { format!(" (try {n})") } else { String::new() };
    match d.state {
        DeliveryState::Delivered => {
            let took = last.map(|a| Short(a.took).to_string()).unwrap_or_default();
            format!("{resolved}{took}{tries} {said}")
        }
        DeliveryState::Owed if n == 0 => format!("{resolved}to be sent"),
        DeliveryState::Owed => {
            let next = d.next_attempt.map(|at| format!(", next in {}", age(at.since(p.now)))).unwrap_or_default();
            format!("{resolved}try {n}{next}: {said}")
        }
        DeliveryState::Dead => format!("{resolved}gave up after {n}: {said}"),
    }
}

fn delivery(s: &State, p: &Page<'_>, d: &DeliveryItem) -> Vec<Line> {
    let mut lines = p.field("why", Role::Text, &d.reason);
    let through = format!("{} through {}, {}", d.receiver, d.notifier, counted(d.alerts, "alert"));
    lines.extend(p.field("to", Role::Text, &through));
    for (i, a) in d.attempts.iter().enumerate() {
        let mark = match (a.ok, p.fresh) {
            (true, true) => p.theme.good(),
            (true, false) => p.theme.delivery(DeliveryState::Delivered, 1, false),
            (false, _) => p.theme.delivery(DeliveryState::Owed, 1, true),
        };
        let role = if p.fresh { mark.role } else { Role::Quiet };
        let text = a.detail.as_deref().unwrap_or(if a.ok { "taken" } else { "failed" });
        let head = format!("  {} try {} {} {:>6}  ", mark.glyph, i + 1, p.time(a.at), Short(a.took).to_string());
        let indent = crate::tui::widgets::text::width(&head);
        let mut head = Some(head);
        for piece in wrap(text, p.columns.saturating_sub(indent + 1)).into_iter().take(4) {
            let line = head.take().map_or_else(|| Line::new().pad(indent), |h| Line::new().add(role, h));
            lines.push(line.add(Role::Text, piece));
        }
    }
    match (d.state, d.next_attempt) {
        (DeliveryState::Owed, Some(at)) if p.fresh => {
            lines.extend(p.field("next", Role::Text, &format!("{}, in {}", p.time(at), age(at.since(p.now)))));
        }
        (DeliveryState::Dead, _) => lines.extend(p.field("", Role::Strong, "given up: r sends it again")),
        _ => {}
    }
    let names: Vec<&str> = d.fingerprints.iter().filter_map(|f| s.alert(f)).map(|a| a.name.as_str()).collect();
    if !names.is_empty() {
        lines.extend(p.field("alerts", Role::Text, &names.join(", ")));
    }
    lines.extend(p.field("key", Role::Dim, &d.key));
    lines
}

fn health(p: &Page<'_>, n: &NotifierRow) -> (crate::tui::theme::Mark, String) {
    let mark = p.theme.notifier(n.health, p.fresh);
    let text = match n.health {
        NotifierHealth::Ok => match (n.last_ok, n.took) {
            (Some(at), Some(took)) => format!("{} in {}", p.time(at), Short(took)),
            (Some(at), None) => p.time(at),
            (None, _) => "not used yet".to_owned(),
        },
        NotifierHealth::Failing => format!("failing: {}", n.last_error.as_deref().unwrap_or("")),
        NotifierHealth::Open => format!("left alone for a while: {}", n.last_error.as_deref().unwrap_or("")),
    };
    (mark, text)
}

fn notifier_line(p: &Page<'_>, n: &NotifierRow, selected: bool) -> Line {
    let (mark, text) = health(p, n);
    let role = if p.fresh { Role::Text } else { Role::Quiet };
    let lost = if n.dead > 0 && p.fresh { Role::Down } else { role };
    cursor(p.theme, selected)
        .add(mark.role, format!(" {} ", mark.glyph))
        .col(role, &n.name, 15, p.theme)
        .add(Role::Text, " ")
        .col(Role::Dim, &n.r#type, 10, p.theme)
        .num(role, &n.delivered.to_string(), 6, p.theme)
        .num(lost, &n.dead.to_string(), 6, p.theme)
        .num(role, &n.owed.to_string(), 6, p.theme)
        .add(Role::Text, "  ")
        .add(if n.health == NotifierHealth::Ok { role } else { mark.role }, text)
}

fn notifier(p: &Page<'_>, n: &NotifierRow) -> Vec<Line> {
    let (mark, text) = health(p, n);
    let mut lines = p.field("health", mark.role, &format!("{} {} {text}", mark.glyph, mark.word));
    let counts = format!("{} sent, {} given up in 24h; {} to send", n.delivered, n.dead, n.owed);
    lines.extend(p.field("counts", Role::Text, &counts));
    if let Some(error) = &n.last_error {
        lines.extend(p.field("error", Role::Text, error));
    }
    lines.extend(p.field("used by", Role::Text, &n.receivers.join(", ")));
    if let Some(fallback) = &n.fallback {
        lines.extend(p.field("fallback", Role::Text, &format!("{fallback} takes over what it refuses for good")));
    }
    lines.push(Line::new().add(Role::Dim, "  T sends a test through it: it reaches whoever it reaches"));
    lines
}

fn route_line(s: &State, p: &Page<'_>, depth: usize, r: &RouteRow, selected: bool) -> Line {
    let hit = match &s.notifications.tried {
        Some((_, Ok(matches))) => matches.iter().any(|m| m.route == r.id),
        _ => false,
    };
    let indent = "  ".repeat(depth.min(12));
    let takes = if r.matchers.is_empty() { "everything else".to_owned() } else { r.matchers.join(" ") };
    let role = if p.fresh { Role::Text } else { Role::Quiet };
    let line = cursor(p.theme, selected)
        .add(Role::Pending, format!(" {} ", if hit { p.theme.planned() } else { " " }))
        .add(if hit { Role::Strong } else { role }, format!("{indent}{}", r.receiver))
        .add(Role::Dim, format!("  {takes}"));
    if r.r#continue { line.add(Role::Dim, "  and goes on") } else { line }
}

fn route(s: &State, p: &Page<'_>, r: &RouteRow) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some((labels, answer)) = &s.notifications.tried {
        lines.extend(p.field("tried", Role::Strong, labels));
        match answer {
            Err(error) => lines.extend(p.field("", Role::Degraded, error)),
            Ok(matches) if matches.is_empty() => lines.extend(p.field("", Role::Text, "no route takes it")),
            Ok(matches) => {
                for m in matches {
                    let through = if m.notifiers.is_empty() {
                        String::new()
                    } else {
                        format!(" through {}", m.notifiers.join(", "))
                    };
                    lines.extend(p.field(
                        "goes to",
                        Role::Text,
                        &format!("{}{through}, group {}", m.receiver, m.group_key),
                    ));
                }
            }
        }
    }
    let takes = if r.matchers.is_empty() { "everything".to_owned() } else { r.matchers.join("  ") };
    lines.extend(p.field("takes", Role::Text, &takes));
    let groups = match r.group_by.as_slice() {
        [] => "all in one".to_owned(),
        [all] if all == "..." => "each alert by itself".to_owned(),
        labels => format!("by {}", labels.join(", ")),
    };
    lines.extend(p.field("groups", Role::Text, &groups));
    let waits = format!(
        "{} before a new group, {} before a changed one, {} before it repeats",
        Exact(r.group_wait),
        Exact(r.group_interval),
        Exact(r.repeat_interval)
    );
    lines.extend(p.field("waits", Role::Text, &waits));
    lines.extend(p.field("path", Role::Dim, &r.id));
    lines
}

fn empty(s: &State, theme: &Theme, width: usize) -> Vec<Line> {
    let v = &s.notifications;
    let (error, slow, known) = match v.tab {
        Tab::Deliveries => (v.newest.error(&()), v.newest.is_slow(s.now.steady), v.newest.get(&()).is_some()),
        Tab::Receivers => (v.notifiers.error(&()), v.notifiers.is_slow(s.now.steady), v.notifiers.get(&()).is_some()),
        Tab::Routes => (v.routes.error(&()), v.routes.is_slow(s.now.steady), v.routes.get(&()).is_some()),
    };
    if let (Some(error), false) = (error, known) {
        let mark = theme.warning();
        return wrap(error, width.saturating_sub(4))
            .into_iter()
            .map(|l| Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Text, l))
            .collect();
    }
    let text = match (known, s.is_fresh(), slow) {
        (false, false, _) => " not known: it was not fetched before the connection was lost".to_owned(),
        (false, true, true) => " waiting for the server ...".to_owned(),
        (false, true, false) => String::new(),
        (true, ..) => match v.tab {
            Tab::Deliveries if !v.filter.is_empty() => {
                format!(" Nothing matches \"{}\". Esc clears the filter. {} hidden.", v.filter.text(), v.items.len())
            }
            Tab::Deliveries => " Nothing was sent yet. Try it: T on a receiver sends a test.".to_owned(),
            Tab::Receivers => " No receiver is configured: nobody is told of anything. See `notifiers:`.".to_owned(),
            Tab::Routes => " No route.".to_owned(),
        },
    };
    vec![Line::new().add(Role::Text, text)]
}
