//! Why something is as it is: the steps from the file to the phone, and the one that stops it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::base::units::Short;
use crate::tui::screens::mark_row;
use crate::tui::screens::sections::Page;
use crate::tui::state::State;
use crate::tui::state::list::settled;
use crate::tui::state::why::WhyView;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::plot::number;
use crate::tui::widgets::text::{Line, fit, wrap};
use crate::wire::alerting::{StepOutcome, Why};

/// Columns before a step's sentence.
const INDENT: usize = 18;

/// The lines of the part that scrolls, and which of them the cursor is on.
fn lines(s: &State, theme: &Theme, columns: usize, view: &WhyView) -> (Vec<Line>, usize) {
    let p = Page { theme, columns, fresh: s.is_fresh(), now: s.server_now() };
    let Some(why) = view.why() else { return (waiting(s, &p, view), 0) };
    let mut lines = Vec::new();
    let (word, role) = match why.stops_at.and_then(|i| why.steps.get(i)).map(|step| step.outcome) {
        Some(StepOutcome::Stop) => ("STOPPED", Role::Degraded),
        Some(StepOutcome::Waiting) => ("WAITING", Role::Pending),
        Some(StepOutcome::Pass | StepOutcome::Skipped) | None => ("", Role::Strong),
    };
    let role = if p.fresh { role } else { Role::Quiet };
    for (i, piece) in wrap(&why.verdict, columns.saturating_sub(2 + word.len())).into_iter().enumerate() {
        let line = Line::new().add(role, if i == 0 && !word.is_empty() { format!(" {word} ") } else { " ".to_owned() });
        lines.push(line.add(Role::Strong, piece));
    }
    let stop = why.stops_at.map_or_else(|| "nothing stops it".to_owned(), |i| format!("stops at {}", i + 1));
    lines.push(p.rule(&format!("STEPS {}", why.steps.len()), &stop));
    let mut cursor = lines.len();
    for (i, step) in why.steps.iter().enumerate() {
        let selected = i == view.step();
        if selected {
            cursor = lines.len();
        }
        let mark = theme.step(step.outcome, p.fresh);
        let text = if step.outcome == StepOutcome::Skipped || !p.fresh { Role::Dim } else { Role::Text };
        let mut start = Some(
            Line::new()
                .add(Role::Strong, if selected { theme.cursor() } else { " " })
                .add(mark.role, format!(" {} ", mark.glyph))
                .add(Role::Dim, format!("{:>2} ", i + 1))
                .col(if selected { Role::Strong } else { text }, &step.name, INDENT - 8, theme)
                .add(Role::Text, " "),
        );
        // The step under the cursor is told in full, the others in a line.
        let room = columns.saturating_sub(INDENT + 1);
        let pieces = if selected { wrap(&step.text, room) } else { vec![fit(&step.text, room, theme).into_owned()] };
        for piece in pieces {
            lines.push(start.take().unwrap_or_else(|| Line::new().pad(INDENT)).add(text, piece));
        }
        if selected {
            for (name, value) in &step.facts {
                let value = wrap(value, room.saturating_sub(15));
                for (n, piece) in value.into_iter().enumerate() {
                    let name = if n == 0 { name.as_str() } else { "" };
                    lines.push(
                        Line::new().pad(INDENT).col(Role::Dim, name, 14, theme).add(Role::Text, format!(" {piece}")),
                    );
                }
            }
            if let Some(source) = &step.source {
                lines.push(Line::new().pad(INDENT).add(Role::Dim, source));
            }
        }
    }
    lines.extend(evaluations(&p, why));
    (lines, cursor)
}

/// The last evaluations: which gave something, which failed, and the values.
fn evaluations(p: &Page<'_>, why: &Why) -> Vec<Line> {
    let room = p.columns.saturating_sub(10).max(1);
    let shown = &why.evaluations[why.evaluations.len().saturating_sub(room)..];
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return Vec::new() };
    let mut lines = vec![p.rule(&format!("LAST {} EVALUATIONS", shown.len()), "high: it gave something")];
    let cells: String = shown
        .iter()
        .map(|e| match (&e.error, e.series) {
            (Some(_), _) => 'k',
            (None, 0) => 'u',
            (None, _) => 'd',
        })
        .collect();
    let line = Line::new().add(Role::Dim, "  gave    ");
    lines.push(crate::tui::widgets::strip::strip(line, &cells, shown.len(), p.fresh, p.theme));
    let (from, to) = (p.time(first.at), p.time(last.at));
    let gap = shown.len().saturating_sub(from.len() + to.len());
    let times = if gap > 0 { format!("{from}{}{to}", " ".repeat(gap)) } else { to };
    lines.push(Line::new().add(Role::Dim, format!("          {times}")));
    let value = last.value.map_or_else(|| "no value".to_owned(), number);
    let text = format!("last: {} series, {value}, took {}", last.series, Short(last.took));
    lines.push(Line::new().add(Role::Text, format!("  {text}")));
    if let Some(error) = shown.iter().rev().find_map(|e| e.error.as_ref()) {
        lines.extend(p.field("error", if p.fresh { Role::Down } else { Role::Quiet }, error));
    }
    lines
}

fn waiting(s: &State, p: &Page<'_>, view: &WhyView) -> Vec<Line> {
    if let Some(error) = view.answer.error(&view.question.about) {
        let mark = p.theme.warning();
        return wrap(error, p.columns.saturating_sub(4))
            .into_iter()
            .map(|l| Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Text, l))
            .collect();
    }
    if !p.fresh {
        return vec![Line::new().add(Role::Dim, " no answer: the connection was lost before it came")];
    }
    if view.answer.is_slow(s.now.steady) {
        return vec![Line::new().add(Role::Dim, " asking the server ...")];
    }
    Vec::new()
}

fn below(body: Rect) -> Rect {
    Rect { y: body.y + u16::from(body.height > 0), height: body.height.saturating_sub(1), ..body }
}

/// Scrolls as little as needed to show the step under the cursor.
pub(super) fn settle(s: &mut State, body: Rect) {
    let Some(view) = &s.why else { return };
    let (lines, cursor) = lines(s, &Theme::default(), usize::from(body.width), view);
    let rows = usize::from(below(body).height);
    // The first step is shown with the sentence above it, the last one with what stands below it.
    let (first, last) = (view.step() == 0, view.why().is_some_and(|w| view.step() + 1 == w.steps.len()));
    let top = match (first, last) {
        (true, _) => 0,
        (false, true) => lines.len().saturating_sub(rows).min(cursor),
        (false, false) => settled(view.top, cursor, rows, lines.len()),
    };
    if let Some(view) = &mut s.why {
        view.top = top;
    }
}

/// Draws the page.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    let view = s.why.as_ref()?;
    let columns = usize::from(body.width);
    let at = view.why().map(|why| format!("{} as of {} ", why.kind, why.at.local("%H:%M:%S"))).unwrap_or_default();
    let room = columns.saturating_sub(at.len() + 12);
    Line::new()
        .add(Role::Dim, " Why > ")
        .add(Role::Strong, fit(&view.title, room, theme))
        .right(columns, Line::new().add(Role::Dim, at))
        .draw(buf, theme, body, 0);
    let (lines, cursor) = lines(s, theme, columns, view);
    let area = below(body);
    for (row, line) in (0..area.height).zip(lines.iter().skip(view.top)) {
        line.draw(buf, theme, area, row);
    }
    let row = cursor.checked_sub(view.top).and_then(|row| u16::try_from(row).ok())?;
    view.why().and_then(|_| mark_row(theme, buf, area, row))
}

/// The page as text, for a ticket.
pub(super) fn text(why: &Why, title: &str) -> String {
    let mut out = format!("why {} ({}, as of {})\n{}\n\n", title, why.kind, why.at, why.verdict);
    for (i, step) in why.steps.iter().enumerate() {
        let outcome = match step.outcome {
            StepOutcome::Pass => "ok",
            StepOutcome::Waiting => "waits",
            StepOutcome::Stop => "stops",
            StepOutcome::Skipped => "-",
        };
        out.push_str(&format!("{:>2} {outcome:<5} {:<12} {}\n", i + 1, step.name, step.text));
        for (name, value) in &step.facts {
            out.push_str(&format!("{:>22} {name}: {value}\n", ""));
        }
        if let Some(source) = &step.source {
            out.push_str(&format!("{:>22} {source}\n", ""));
        }
    }
    out
}
