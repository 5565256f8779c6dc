//! The text fields: what is written, where it is wrong and why.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_segmentation::UnicodeSegmentation;

use crate::promql::func::Func;
use crate::promql::lexer::{Kind, lex};
use crate::tui::screens::explore::{letter, span};
use crate::tui::state::State;
use crate::tui::state::explore::complete::Problem;
use crate::tui::state::explore::{Explore, Focus, QueryBox};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, rule, width, wrap};

/// Columns before the text: cursor, letter, space.
const MARGIN: usize = 3;
/// Lines of one query that are shown while it is written, and while it is not.
const LINES: (usize, usize) = (8, 3);
/// Lines of an error of the server.
const ERROR_LINES: usize = 3;

/// A query as it is drawn.
struct Drawn {
    /// The bytes of each line of the screen.
    rows: Vec<Range<usize>>,
    /// First row shown and how many.
    shown: Range<usize>,
    /// Row and column of the text cursor.
    cursor: (usize, usize),
    /// What is told below it.
    below: Vec<(Role, String)>,
}

/// Breaks text into lines of at most `columns`.
fn broken(text: &str, columns: usize) -> Vec<Range<usize>> {
    let columns = columns.max(2);
    let mut rows = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (i, grapheme) in text.grapheme_indices(true) {
        if grapheme == "\n" {
            rows.push(start..i);
            (start, used) = (i + 1, 0);
            continue;
        }
        let w = width(grapheme);
        if used + w > columns {
            rows.push(start..i);
            (start, used) = (i, 0);
        }
        used += w;
    }
    rows.push(start..text.len());
    rows
}

fn drawn(x: &Explore, i: usize, query: &QueryBox, columns: usize) -> Drawn {
    let text = query.editor.text();
    // One column stays for the cursor behind a full line.
    let room = columns.saturating_sub(MARGIN + 1);
    let rows = broken(text, room);
    let at = query.editor.cursor();
    let row = rows.partition_point(|r| r.start <= at).saturating_sub(1);
    let column = rows.get(row).and_then(|r| text.get(r.start..at)).map_or(0, width);
    let editing = x.focus == Focus::Editor && x.at == i;
    let most = if editing { LINES.0 } else { LINES.1 };
    let first = (row + 1).saturating_sub(most).min(rows.len().saturating_sub(most));
    let shown = first..rows.len().min(first + most);
    let below = match (&query.problem, &query.error) {
        (Some(problem), _) if x.at == i => told(problem, text, &rows, columns),
        (_, Some(error)) => {
            let lines = wrap(error, columns.saturating_sub(MARGIN + 3));
            lines.into_iter().take(ERROR_LINES).map(|l| (Role::Degraded, l)).collect()
        }
        (_, None) => Vec::new(),
    };
    Drawn { rows, shown, cursor: (row, column), below }
}

/// The message of a problem: behind a caret where that stands right below its place.
fn told(problem: &Problem, text: &str, rows: &[Range<usize>], columns: usize) -> Vec<(Role, String)> {
    // What ends too early is not yet a mistake while it is being written.
    let unfinished = problem.span.start >= text.trim_end().len();
    let role = if unfinished { Role::Dim } else { Role::Mistake };
    let hint = problem.hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    let message = format!("{}{hint}", problem.message);
    let room = columns.saturating_sub(MARGIN + 1);
    let last = rows.last().cloned().unwrap_or_default();
    let from = problem.span.start.min(text.len());
    let (Some(before), true) = (text.get(last.start..from), rows.len() == 1) else {
        return wrap(&message, room).into_iter().take(2).map(|l| (role, l)).collect();
    };
    let column = width(before);
    let length =
        text.get(from..problem.span.end.min(text.len())).map_or(1, width).clamp(1, room.saturating_sub(column).max(1));
    let carets = "^".repeat(length);
    if column + length + 1 + width(&message) <= room {
        return vec![(role, format!("{}{carets} {message}", " ".repeat(column)))];
    }
    if width(&message) < column {
        let pad = column - width(&message) - 1;
        return vec![(role, format!("{}{message} {carets}", " ".repeat(pad)))];
    }
    let carets = (role, format!("{}{carets}", " ".repeat(column)));
    std::iter::once(carets).chain(wrap(&message, room).into_iter().take(2).map(|l| (role, l))).collect()
}

/// Lines that the queries take.
pub(super) fn height(x: &Explore, columns: usize, body: u16) -> usize {
    let each = x.queries.iter().enumerate().map(|(i, q)| drawn(x, i, q, columns));
    let all: usize = each.map(|d| d.shown.len() + d.below.len()).sum();
    (1 + all).min(usize::from(body / 2).max(2))
}

/// Draws the queries; returns the place of the text cursor.
pub(super) fn draw(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let x = &s.explore;
    let columns = usize::from(area.width);
    let editing = x.focus == Focus::Editor;
    let title = match x.queries.len() {
        1 => "QUERY".to_owned(),
        n => format!("QUERY {} of {n}", x.at + 1),
    };
    rule(theme, columns, &title, &span(s), editing).draw(buf, theme, area, 0);
    let mut caret = None;
    let each: Vec<Drawn> = x.queries.iter().enumerate().map(|(i, q)| drawn(x, i, q, columns)).collect();
    // When not all fit, those before the one being written give way.
    let room = usize::from(area.height.saturating_sub(1));
    let tall = |d: &Drawn| d.shown.len() + d.below.len();
    let mut first = 0;
    while first < x.at && each.iter().take(x.at + 1).skip(first).map(tall).sum::<usize>() > room {
        first += 1;
    }
    let mut row = 1;
    for (i, (query, d)) in x.queries.iter().zip(&each).enumerate().skip(first) {
        let text = query.editor.text();
        let roles = roles(text, query.problem.as_ref());
        for (n, range) in d.rows.iter().enumerate().skip(d.shown.start).take(d.shown.len()) {
            if row >= area.height {
                break;
            }
            let sign = if n > d.shown.start { ' ' } else { letter(i) };
            let cursor = if i == x.at && editing && n == d.shown.start { theme.cursor() } else { " " };
            let head = if i == x.at { Role::Strong } else { Role::Dim };
            let mut line = Line::new().add(Role::Strong, cursor).add(head, format!("{sign} "));
            if text.is_empty() && !(editing && i == x.at) {
                line = line.add(Role::Dim, "(empty: e writes it)");
            }
            line = painted(line, text, range.clone(), &roles);
            if let Some(ghost) = x.ghost().filter(|_| i == x.at && editing && n == d.cursor.0) {
                line = line.add(Role::Dim, ghost);
            }
            line.draw(buf, theme, area, row);
            if i == x.at && n == d.cursor.0 {
                let column = u16::try_from(MARGIN + d.cursor.1).unwrap_or(u16::MAX);
                caret = Some(Position::new(
                    area.x.saturating_add(column).min(area.right().saturating_sub(1)),
                    area.y + row,
                ));
            }
            row += 1;
        }
        for (role, text) in &d.below {
            if row >= area.height {
                break;
            }
            Line::new().pad(MARGIN).add(*role, text).draw(buf, theme, area, row);
            row += 1;
        }
    }
    caret
}

/// Which parts look how: words of the language, comments, the mistake. In order, without overlap.
fn roles(text: &str, problem: Option<&Problem>) -> Vec<(Range<usize>, Role)> {
    let lexed = lex(text);
    let mut parts: Vec<(Range<usize>, Role)> = lexed.comments.iter().map(|c| (c.clone(), Role::Dim)).collect();
    for token in &lexed.tokens {
        let word = match token.kind {
            Kind::Aggregate(_) | Kind::Keyword(_) => true,
            Kind::Identifier => text.get(token.span()).and_then(Func::from_name).is_some(),
            _ => false,
        };
        if word {
            parts.push((token.span(), Role::Strong));
        }
    }
    if let Some(problem) = problem.filter(|p| !p.span.is_empty()) {
        parts.retain(|(r, _)| r.end <= problem.span.start || r.start >= problem.span.end);
        parts.push((problem.span.clone(), Role::Mistake));
    }
    parts.sort_by_key(|(r, _)| r.start);
    parts
}

fn painted(mut line: Line, text: &str, range: Range<usize>, roles: &[(Range<usize>, Role)]) -> Line {
    let mut at = range.start;
    for (part, role) in roles {
        let (from, to) = (part.start.clamp(at, range.end), part.end.clamp(at, range.end));
        if from < to {
            line = line.add(Role::Text, text.get(at..from).unwrap_or_default());
            line = line.add(*role, text.get(from..to).unwrap_or_default());
            at = to;
        }
    }
    line.add(Role::Text, text.get(at..range.end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_by_what_is_seen() {
        #[track_caller]
        fn check(text: &str, columns: usize, rows: &[&str]) {
            let broken: Vec<&str> = broken(text, columns).into_iter().map(|r| &text[r]).collect();
            assert_eq!(broken, rows);
        }
        check("", 5, &[""]);
        check("abcdefg", 3, &["abc", "def", "g"]);
        check("a\n\nb", 3, &["a", "", "b"]);
        check("店店店", 5, &["店店", "店"]);
        check("abc", 3, &["abc"]);
    }
}
