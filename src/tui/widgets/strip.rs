//! The status strip: one character per time bucket, the worst state in it by height.

use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::Line;

/// Appends the newest `columns` cells of `strip` (oldest first, so the cut is on the left), aligned to the right.
pub(crate) fn strip(line: Line, cells: &str, columns: usize, fresh: bool, theme: &Theme) -> Line {
    // A strip holds one ASCII letter per cell; anything else came from a server that speaks otherwise.
    let newest: Vec<char> = cells.chars().rev().take(columns).collect();
    let mut line = line.add(Role::Text, " ".repeat(columns.saturating_sub(newest.len())));
    let mut run = String::new();
    let mut role = Role::Text;
    for c in newest.into_iter().rev() {
        let (glyph, r) = theme.cell(c);
        let r = if fresh { r } else { Role::Quiet };
        if r != role && !run.is_empty() {
            line = line.add(role, &run);
            run.clear();
        }
        role = r;
        run.push(glyph);
    }
    if run.is_empty() { line } else { line.add(role, run) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_cell_is_on_the_right_and_the_cut_on_the_left() {
        let theme = Theme::plain();
        let cut = strip(Line::new(), "uuuud", 3, true, &theme);
        assert_eq!(cut, Line::new().add(Role::Text, "").add(Role::Ok, "▂▂").add(Role::DownBar, "█"));
        assert_eq!(strip(Line::new(), "ud", 6, true, &theme).width(), 6);
    }

    #[test]
    fn a_strip_of_old_data_has_no_colour() {
        let line = strip(Line::new(), "ud", 2, false, &Theme::plain());
        assert_eq!(line, Line::new().add(Role::Text, "").add(Role::Quiet, "▂█"));
    }
}
