//! A problem of a query as lines for a terminal: the line of the text, carets below the part that is wrong, what is
//! wrong, and what to do.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::base::term_safe::term_safe;
use crate::promql::parser::Problem;

/// Lines narrower than this cannot say anything.
const NARROWEST: usize = 24;

/// Every line starts with this much room.
const MARGIN: &str = "  ";

/// What a cut line shows for the part that is left out.
const CUT: &str = "…";

/// One character of the shown line: how it is drawn, how many columns it takes, which byte of the text it is.
struct Cell {
    drawn: String,
    width: usize,
    at: usize,
}

/// Draws a problem within `width` columns. Nothing in the lines moves a cursor or changes a colour.
pub fn caret_lines(text: &str, problem: &Problem, width: usize) -> Vec<String> {
    let width = width.max(NARROWEST);
    let (start, end) = visible_span(text, problem);
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let number = text[..start].matches('\n').count() + 1;
    // One line needs no number.
    let margin = if text.trim_end().contains('\n') { format!("{MARGIN}{number} | ") } else { MARGIN.to_owned() };
    let room = width.saturating_sub(margin.width()).max(NARROWEST / 2);

    let cells = cells(&text[line_start..line_end], line_start);
    let first = cells.iter().position(|c| c.at >= start).unwrap_or(cells.len());
    let last = cells.iter().position(|c| c.at >= end).unwrap_or(cells.len()).max(first);
    let shown = window(&cells, first, last, room);

    let mut line = margin.clone();
    if shown.start > 0 {
        line.push_str(CUT);
    }
    cells[shown.clone()].iter().for_each(|c| line.push_str(&c.drawn));
    if shown.end < cells.len() {
        line.push_str(CUT);
    }
    let columns = |from: usize, to: usize| cells[from..to].iter().map(|c| c.width).sum::<usize>();
    let indent = margin.width() + usize::from(shown.start > 0) + columns(shown.start, first);
    let carets = columns(first, last.min(shown.end)).max(1);
    let mark = format!("{}{}", " ".repeat(indent), "^".repeat(carets));

    let message = term_safe(&problem.message);
    let mut lines = vec![line];
    if indent + carets + 1 + message.width() <= width {
        lines.push(format!("{mark} {message}"));
    } else {
        lines.push(mark);
        lines.extend(wrapped(&message, MARGIN, width));
    }
    if let Some(hint) = &problem.hint {
        lines.extend(wrapped(&format!("hint: {}", term_safe(hint)), MARGIN, width));
    }
    lines
}

/// The part to mark, on boundaries of characters, within one line. What is missing at the end is marked behind the
/// last thing that is there.
fn visible_span(text: &str, problem: &Problem) -> (usize, usize) {
    let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let mut start = boundary(problem.span.start);
    let end = boundary(problem.span.end).max(start);
    if start == text.len() {
        start = text.trim_end().len();
    }
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    (start, end.clamp(start, line_end))
}

fn cells(line: &str, offset: usize) -> Vec<Cell> {
    line.char_indices()
        .map(|(i, c)| {
            let drawn = if c == '\t' { " ".to_owned() } else { term_safe(c.encode_utf8(&mut [0; 4])).into_owned() };
            let width = if drawn.chars().count() == 1 { c.width().unwrap_or(1) } else { drawn.width() };
            Cell { drawn, width, at: offset + i }
        })
        .collect()
}

/// Which cells fit, the marked ones among them: as many before as behind, where the line is too long.
fn window(cells: &[Cell], first: usize, last: usize, room: usize) -> std::ops::Range<usize> {
    if cells.iter().map(|c| c.width).sum::<usize>() <= room {
        return 0..cells.len();
    }
    // Both ends may be cut.
    let mut left = room.saturating_sub(2 * CUT.width());
    let (mut from, mut to) = (first, first);
    while to < last && cells[to].width <= left {
        left -= cells[to].width;
        to += 1;
    }
    loop {
        let before = from.checked_sub(1).filter(|i| cells[*i].width <= left);
        if let Some(i) = before {
            left -= cells[i].width;
            from = i;
        }
        let behind = Some(to).filter(|i| *i < cells.len() && cells[*i].width <= left);
        if let Some(i) = behind {
            left -= cells[i].width;
            to = i + 1;
        }
        if before.is_none() && behind.is_none() {
            return from..to;
        }
    }
}

/// Words over as many lines as they need.
fn wrapped(text: &str, margin: &str, width: usize) -> Vec<String> {
    let mut lines = vec![margin.to_owned()];
    let mut column = margin.width();
    for word in text.split(' ') {
        let needs = word.width();
        let first = column == margin.width();
        if !first && column + 1 + needs > width {
            lines.push(margin.to_owned());
            column = margin.width();
        }
        if let Some(line) = lines.last_mut() {
            if column > margin.width() {
                line.push(' ');
                column += 1;
            }
            line.push_str(word);
        }
        column += needs;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parser::{Features, parse};

    #[track_caller]
    fn check(text: &str, width: usize, expected: &[&str]) {
        let problems = parse(text, Features::stable()).problems;
        assert_eq!(caret_lines(text, &problems[0], width), expected);
    }

    #[test]
    fn what_is_missing_is_marked_behind_the_end() {
        check(
            "sum(rate(x[5m])",
            80,
            &["  sum(rate(x[5m])", "                 ^ unclosed left parenthesis", "  hint: close it with `)`"],
        );
        check("sum(x\n\n", 80, &["  sum(x", "       ^ unclosed left parenthesis", "  hint: close it with `)`"]);
    }

    #[test]
    fn the_wrong_part_is_underlined() {
        check(
            "sum(ratee(x[5m]))",
            80,
            &[
                "  sum(ratee(x[5m]))",
                "      ^^^^^ unknown function with name \"ratee\"",
                "  hint: did you mean `rate`?",
            ],
        );
    }

    #[test]
    fn only_the_line_of_the_problem_is_shown() {
        check(
            "sum(\n\tfoo bar\n)",
            80,
            &[
                "  2 |  foo bar",
                "           ^^^ unexpected identifier \"bar\" in aggregation",
                "  hint: an operator or a comma is missing before it",
            ],
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_problem() {
        let text = format!("{} + foo bar + {}", "a".repeat(80), "b".repeat(80));
        let problems = parse(&text, Features::stable()).problems;
        let lines = caret_lines(&text, &problems[0], 40);
        assert!(lines.iter().all(|l| l.width() <= 40), "{lines:?}");
        assert!(lines[0].contains("foo bar +"), "{lines:?}");
        let at = lines[1].find('^').unwrap();
        assert_eq!(lines[0].chars().skip(at).take(3).collect::<String>(), "bar");
    }

    #[test]
    fn wide_and_hostile_characters_keep_the_mark_in_place() {
        check("{a=\"日本\"} \u{1b}", 80, &["  {a=\"日本\"} \\x1b", "             ^^^^ unexpected character: '\\x1b'"]);
    }

    #[test]
    fn no_text_and_no_width_break_it() {
        for text in ["", "\n", "日", "a $ 日本語日本語日本語日本語", "(((((((((((((((((((((((((((((((((((("]
        {
            for problem in parse(text, Features::stable()).problems {
                for width in 0..60 {
                    assert!(!caret_lines(text, &problem, width).is_empty());
                }
            }
        }
    }
}
