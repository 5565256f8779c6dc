//! The silence dialog: what is muted, for how long, and what that hits, before it is made.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::base::units::Short;
use crate::tui::screens::mark_row;
use crate::tui::state::State;
use crate::tui::state::explore::editor::Editor;
use crate::tui::state::form::{Field, Form, LENGTHS};
use crate::tui::state::orders::counted;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, age, clear, fit, fit_left, rule, width, wrap};
use crate::wire::alerting::SilencePreview;

/// Where text fields begin.
const INDENT: usize = 13;

/// The dialog's place: all of a narrow screen, the middle of a wide one.
fn place(s: &State, body: Rect, lines: Option<usize>) -> Rect {
    if !s.is_wide() {
        return body;
    }
    let columns = (body.width * 3 / 4).clamp(78, 110).min(body.width);
    let most = body.height.saturating_sub(2).min(34);
    let rows = lines.map_or(most, |n| u16::try_from(n + 2).unwrap_or(u16::MAX).min(most));
    Rect { x: body.x + (body.width - columns) / 2, y: body.y + (body.height - rows) / 2, width: columns, height: rows }
}

/// The lines, which of them is in focus, and the column of the text cursor in it.
struct Drawn {
    lines: Vec<Line>,
    focus: usize,
    caret: Option<usize>,
}

fn lines(s: &State, theme: &Theme, form: &Form, columns: usize, rows: usize) -> Drawn {
    let mut d = Drawn { lines: Vec::new(), focus: 0, caret: None };
    let focus = form.focus();
    let head = |label: &str, on: bool| {
        let cursor = if on { theme.cursor() } else { " " };
        Line::new().add(Role::Strong, format!(" {cursor} ")).add(Role::Dim, label).pad(INDENT)
    };
    let from = match form.marked.len() {
        0 => "Which alerts".to_owned(),
        n => format!("Which alerts: from {}, Enter edits, Space drops", counted(n, "alert")),
    };
    d.lines.push(Line::new().add(Role::Dim, format!("   {from}")));
    for (i, part) in form.parts.iter().enumerate() {
        let on = focus == Field::Matcher(i);
        let used = if part.used { "[x] " } else { "[ ] " };
        let role = if part.used { Role::Strong } else { Role::Dim };
        let line = head(used, on);
        d.text(theme, line, &part.text, columns, role, on, on && form.writing);
    }
    d.push(head("", focus == Field::Add).add(Role::Dim, "+ another matcher"), focus == Field::Add);
    let on = focus == Field::Length;
    let mut line = head("For", on);
    for (i, word) in LENGTHS.iter().map(|(word, _)| *word).chain(["other"]).enumerate() {
        line = if i == form.length {
            line.add(Role::Strong, format!("({word}) "))
        } else {
            line.add(Role::Dim, format!(" {word}  "))
        };
    }
    d.push(line, on);
    if form.length >= LENGTHS.len() {
        let on = focus == Field::Custom;
        d.text(theme, head("how long", on), &form.custom, columns, Role::Strong, on, on);
    }
    let now = s.server_now();
    let ends = match form.ends_at(now) {
        Some(at) => format!("ends {} ({})", at.local("%Y-%m-%d %H:%M"), Short(at.since(now))),
        None => "90m, 3d, until 08:00, 2026-01-31T08:00:00Z".to_owned(),
    };
    d.lines.push(Line::new().pad(INDENT).add(Role::Dim, ends));
    let on = focus == Field::UntilResolved;
    let taken = if form.until_resolved { "[x]" } else { "[ ]" };
    d.push(head(taken, on).add(Role::Text, "ends earlier when nothing that it matches fires any more"), on);
    let on = focus == Field::Reason;
    d.text(theme, head("Reason", on), &form.reason, columns, Role::Text, on, on);
    if form.sent.is_some() {
        d.lines.push(Line::new().add(Role::Pending, "   waiting for the server's answer ..."));
    }
    if let Some(error) = &form.refusal {
        let mark = theme.error();
        let pieces = wrap(error, columns.saturating_sub(6));
        d.lines.extend(
            pieces.into_iter().map(|l| Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Strong, l)),
        );
    }
    let room = rows.saturating_sub(d.lines.len());
    d.lines.extend(effect(s, theme, form, columns, room));
    d
}

impl Drawn {
    fn push(&mut self, line: Line, focused: bool) {
        if focused {
            self.focus = self.lines.len();
        }
        self.lines.push(line);
    }

    /// A text field; its end is shown while it is written, its start else.
    #[expect(clippy::too_many_arguments, reason = "one caller's local facts, named")]
    fn text(&mut self, theme: &Theme, line: Line, text: &Editor, columns: usize, role: Role, on: bool, writing: bool) {
        let room = columns.saturating_sub(line.width() + 2);
        if writing {
            let before = &text.text()[..text.cursor()];
            let after = &text.text()[text.cursor()..];
            let shown = fit_left(before, room, theme).into_owned();
            self.caret = Some(line.width() + width(&shown));
            let rest = fit(after, room.saturating_sub(width(&shown)), theme).into_owned();
            self.push(line.add(role, shown).add(role, rest), on);
        } else {
            let shown = fit(text.text(), room, theme).into_owned();
            self.push(line.add(role, shown), on);
        }
    }
}

/// What the silence would do.
fn effect(s: &State, theme: &Theme, form: &Form, columns: usize, room: usize) -> Vec<Line> {
    let now = s.server_now();
    let note = |role: Role, glyph: &str, text: &str| {
        let mut glyph = Some(glyph);
        wrap(text, columns.saturating_sub(6))
            .into_iter()
            .map(|l| Line::new().add(role, format!(" {} ", glyph.take().unwrap_or(" "))).add(Role::Text, l))
            .collect::<Vec<_>>()
    };
    if !s.is_fresh() {
        return note(Role::Quiet, "?", "what it would hit is not known while the server is not heard");
    }
    if let Err(mistake) = form.request(now) {
        return note(theme.warning().role, theme.warning().glyph, &mistake);
    }
    if let Some(error) = &form.error {
        return note(theme.error().role, theme.error().glyph, error);
    }
    let Some(preview) = &form.preview else {
        return vec![Line::new().add(Role::Dim, "   asking what it would hit ...")];
    };
    // What belongs to what was written a moment ago is shown, but not claimed.
    let current = form.is_current(now);
    let warnings: Vec<Line> =
        preview.warnings.iter().flat_map(|w| note(theme.warning().role, theme.warning().glyph, w)).collect();
    let told = past(preview);
    let told = note(Role::Dim, " ", &told);
    let unmarked = preview.matches.iter().filter(|a| !form.marked.contains(&a.fingerprint)).count();
    let title = format!("MATCHES NOW {}", preview.matches.len());
    let tail = match (form.marked.is_empty(), unmarked) {
        (true, _) | (false, 0) => String::new(),
        (false, n) => format!("{} marked + {n} not marked", preview.matches.len() - n),
    };
    let mut lines = vec![rule(theme, columns, &title, if current { &tail } else { "..." }, false)];
    let rows = room.saturating_sub(1 + warnings.len() + told.len()).max(1);
    // Those that nobody had in mind first: they are why one looks.
    let mut hit: Vec<_> = preview.matches.iter().map(|a| (form.marked.contains(&a.fingerprint), a)).collect();
    hit.sort_by_key(|(marked, a)| (*marked, std::cmp::Reverse(a.severity)));
    let shown = if hit.len() > rows { rows.saturating_sub(1) } else { hit.len() };
    for (marked, alert) in hit.iter().take(shown) {
        let mark = theme.alert(alert.severity, alert.state, current);
        let name = columns.saturating_sub(36) / 2;
        let line = Line::new()
            .add(Role::Strong, if *marked || form.marked.is_empty() { "   " } else { " ! " })
            .add(mark.role, format!("{} ", mark.glyph))
            .col(mark.role, mark.word, 6, theme)
            .col(Role::Text, &alert.name, name, theme)
            .add(Role::Text, " ")
            .col(Role::Text, alert.subject(), name, theme)
            .num(Role::Text, &age(now.since(alert.since)), 6, theme);
        let not = !marked && !form.marked.is_empty();
        lines.push(if not { line.add(Role::Strong, "  not marked") } else { line });
    }
    if shown < hit.len() {
        lines.push(Line::new().add(Role::Dim, format!("   +{} more", hit.len() - shown)));
    }
    lines.extend(told);
    lines.extend(warnings);
    lines
}

fn past(preview: &SilencePreview) -> String {
    let held = match preview.would_have_muted {
        0 => "It would have held back nothing in the last 7 days".to_owned(),
        n => format!("It would have held back {} in the last 7 days", counted(n, "notification")),
    };
    format!(
        "{held}; it could mute {}.",
        match preview.rules {
            0 => "no loaded rule or monitor".to_owned(),
            1 => "1 loaded rule or monitor".to_owned(),
            n => format!("{n} loaded rules and monitors"),
        }
    )
}

/// Draws the dialog over the screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer, form: &Form) -> Option<Position> {
    let boxed = s.is_wide();
    let inside = |area: Rect| Rect {
        x: area.x + u16::from(boxed),
        y: area.y + u16::from(area.height > 0),
        width: area.width.saturating_sub(2 * u16::from(boxed)),
        height: area.height.saturating_sub(1 + u16::from(boxed)),
    };
    let most = inside(place(s, body, None));
    let drawn = lines(s, theme, form, usize::from(most.width), usize::from(most.height));
    let area = place(s, body, Some(drawn.lines.len()));
    let inner = inside(area);
    clear(buf, area);
    let title = if form.id.is_some() { "Silence: change" } else { "Silence: new" };
    rule(theme, usize::from(area.width), title, "^s create  Esc cancel", true).draw(buf, theme, area, 0);
    if boxed {
        for row in 1..area.height {
            for x in [area.x, area.right().saturating_sub(1)] {
                Line::new().add(Role::Dim, theme.bar()).draw(buf, theme, Rect { x, width: 1, ..area }, row);
            }
        }
        rule(theme, usize::from(area.width), "", "", false).draw(buf, theme, area, area.height.saturating_sub(1));
    }
    let top = drawn.focus.saturating_sub(usize::from(inner.height.saturating_sub(1)));
    for (row, line) in (0..inner.height).zip(drawn.lines.iter().skip(top)) {
        line.draw(buf, theme, inner, row);
    }
    let row = u16::try_from(drawn.focus - top).ok().filter(|row| *row < inner.height)?;
    match drawn.caret.and_then(|x| u16::try_from(x).ok()) {
        Some(x) => Some(Position::new(inner.x.saturating_add(x.min(inner.width.saturating_sub(1))), inner.y + row)),
        None => mark_row(theme, buf, inner, row),
    }
}
