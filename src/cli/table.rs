//! Tables that fit: columns that may shrink are cut, by display width, until a line fits the terminal.

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Modify, Padding, Style};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::base::term_safe::term_safe;
use crate::cli::ui::{Role, Ui};

/// Columns never shrink below this many cells.
const MIN_WIDTH: usize = 8;
/// Cells between two columns.
const GAP: usize = 2;

/// One cell: text from anywhere, and what its colour means.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    role: Role,
}

impl Cell {
    /// A cell in a colour.
    pub fn new(role: Role, text: impl AsRef<str>) -> Self {
        Self { text: term_safe(text.as_ref()).into_owned(), role }
    }

    /// A cell without a colour.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self::new(Role::Plain, text)
    }
}

/// A table being filled.
#[derive(Clone, Debug)]
pub struct Table {
    header: Vec<String>,
    shrink: Vec<usize>,
    dispensable: Vec<usize>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these headings; columns in `shrink` give way when the line is too long.
    pub fn new(header: &[&str], shrink: &[usize]) -> Self {
        let header = header.iter().map(|h| term_safe(h).into_owned()).collect();
        Self { header, shrink: shrink.to_vec(), dispensable: Vec::new(), rows: Vec::new() }
    }

    /// Whether it fits into `limit` columns with nothing cut.
    pub fn fits(&self, limit: Option<usize>) -> bool {
        let widths = self.widths(None);
        limit.is_none_or(|limit| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) <= limit)
    }

    /// Columns that are left out, in this order, when shrinking alone is not enough.
    #[must_use]
    pub fn dispensable(mut self, columns: &[usize]) -> Self {
        self.dispensable = columns.to_vec();
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Prints it.
    pub fn print(self, ui: &mut Ui) {
        let widths = self.widths(ui.width());
        let mut builder = Builder::new();
        let shown = |i: &usize| widths[*i] > 0;
        let columns: Vec<usize> = (0..self.header.len()).filter(shown).collect();
        builder.push_record(columns.iter().map(|i| ui.paint(Role::Dim, fit(&self.header[*i], widths[*i]))));
        for row in &self.rows {
            builder.push_record(columns.iter().map(|i| ui.paint(row[*i].role, fit(&row[*i].text, widths[*i]))));
        }
        let mut table = builder.build();
        table.with(Style::empty()).with(Padding::new(0, GAP, 0, 0));
        table.with(Modify::new(Columns::last()).with(Padding::zero()));
        for line in table.to_string().lines() {
            ui.line(line.trim_end());
        }
    }

    /// The width of each column, the widest shrinkable ones cut first; 0 for those left out.
    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.header.iter().map(|h| h.as_str().width().max(1)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let Some(limit) = limit else { return widths };
        let mut dispensable = self.dispensable.iter();
        // Columns as narrow as they go, to see which have no place at all.
        let floor = |widths: &[usize]| -> usize {
            let narrow = |(i, w): (usize, &usize)| if self.shrink.contains(&i) { (*w).min(MIN_WIDTH) } else { *w };
            let gaps = GAP * widths.iter().filter(|w| **w > 0).count().saturating_sub(1);
            widths.iter().enumerate().map(narrow).sum::<usize>() + gaps
        };
        while floor(&widths) > limit
            && let Some(i) = dispensable.next()
        {
            widths[*i] = 0;
        }
        let gaps = GAP * widths.iter().filter(|w| **w > 0).count().saturating_sub(1);
        loop {
            let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
            let widest = self.shrink.iter().copied().max_by_key(|i| widths[*i]);
            match widest {
                Some(i) if excess > 0 && widths[i] > MIN_WIDTH => widths[i] -= 1,
                Some(_) | None => return widths,
            }
        }
    }
}

/// `text` in at most `width` cells, with `…` for what was cut.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > width {
            break;
        }
        out.push_str(grapheme);
    }
    out.push('…');
    out
}

/// `text` in lines of at most `width` cells, broken between words; a longer word stays whole.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_what_is_seen() {
        #[track_caller]
        fn check(text: &str, width: usize, cut: &str) {
            assert_eq!(fit(text, width), cut);
            assert!(cut.width() <= width.max(1));
        }
        check("short", 8, "short");
        check("connection refused", 8, "connect…");
        check("店店店店", 8, "店店店店");
        check("店店店店店", 8, "店店店…");
        check("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("店店店 店店", 8), ["店店店", "店店"]);
        assert_eq!(wrap("unbreakable x", 4), ["unbreakable", "x"]);
        assert_eq!(wrap(" ", 4), [""]);
    }

    #[test]
    fn the_widest_of_the_shrinkable_columns_gives_way() {
        let mut table = Table::new(&["A", "B", "C"], &[1, 2]);
        table.row(vec![Cell::plain("x".repeat(10)), Cell::plain("y".repeat(30)), Cell::plain("z".repeat(20))]);
        assert_eq!(table.widths(None), [10, 30, 20]);
        assert_eq!(table.widths(Some(50)), [10, 18, 18]);
        assert_eq!(table.widths(Some(1)), [10, MIN_WIDTH, MIN_WIDTH]);
        let table = table.dispensable(&[0]);
        assert_eq!(table.widths(Some(30)), [10, MIN_WIDTH, MIN_WIDTH]);
        assert_eq!(table.widths(Some(29)), [0, 14, 13]);
    }
}
