//! Text on its way into cells. Every character that the TUI shows passes [`put`].
//!
//! Invariants: hostile characters become visible escapes; the widths of the cells of a line sum to the
//! line, whatever the text; nothing is written outside of the buffer, so any rectangle may be asked for.

use std::borrow::Cow;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::base::term_safe::term_safe;
use crate::base::units::Short;
use crate::tui::theme::{Role, Theme};

/// Combining marks kept per cell. More serve nobody; text that stacks thousands is an attack on the terminal.
const MARKS_PER_CELL: usize = 3;

/// Columns that `c` takes; variation selectors count as nothing and are dropped by [`put`].
fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Columns that `text` takes once it is made safe.
pub(crate) fn width(text: &str) -> usize {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return text.len();
    }
    term_safe(text).chars().map(char_width).sum()
}

/// Writes `text` from column `x` on, at most `max` columns. Returns the columns used.
pub(crate) fn put(buf: &mut Buffer, x: u16, y: u16, max: u16, text: &str, style: Style) -> u16 {
    let area = buf.area;
    if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
        return 0;
    }
    let end = x.saturating_add(max).min(area.right());
    let mut at = x;
    let mut marks = 0;
    let mut last = None;
    for c in term_safe(text).chars() {
        let w = u16::try_from(char_width(c)).unwrap_or(0);
        if w == 0 {
            if let Some(cell) = last.and_then(|x| buf.cell_mut((x, y)))
                && marks < MARKS_PER_CELL
            {
                let with = format!("{}{c}", cell.symbol());
                // A selector may change the width of what it follows; then the line would no longer add up.
                if with.width() == cell.symbol().width() {
                    cell.set_symbol(&with);
                    marks += 1;
                }
            }
            continue;
        }
        if at.saturating_add(w) > end {
            break;
        }
        if let Some(cell) = buf.cell_mut((at, y)) {
            cell.set_char(c).set_style(style);
        }
        for covered in at.saturating_add(1)..at.saturating_add(w) {
            if let Some(cell) = buf.cell_mut((covered, y)) {
                cell.reset();
                cell.set_style(style);
            }
        }
        (last, marks) = (Some(at), 0);
        at = at.saturating_add(w);
    }
    at - x
}

/// Empties `area`, for a box that is laid over what is there.
pub(crate) fn clear(buf: &mut Buffer, area: Rect) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        // Half of a wide character would hide the first column of the box.
        if let Some(left) = area.left().checked_sub(1).and_then(|x| buf.cell_mut((x, y)))
            && left.symbol().width() > 1
        {
            left.set_symbol(" ");
        }
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

/// `text` cut on the right to `max` columns, the cut marked.
pub(crate) fn fit<'t>(text: &'t str, max: usize, theme: &Theme) -> Cow<'t, str> {
    if width(text) <= max {
        return term_safe(text);
    }
    let mut out = String::new();
    let mut used = 0;
    for c in term_safe(text).chars() {
        let w = char_width(c);
        if used + w > max.saturating_sub(1) {
            break;
        }
        out.push(c);
        used += w;
    }
    if max > 0 {
        out.push(theme.ellipsis());
    }
    Cow::Owned(out)
}

/// `text` cut on the left to `max` columns: for paths, whose end says most.
pub(crate) fn fit_left<'t>(text: &'t str, max: usize, theme: &Theme) -> Cow<'t, str> {
    if width(text) <= max {
        return term_safe(text);
    }
    let safe = term_safe(text);
    let mut used = 0;
    let mut from = safe.len();
    for (i, c) in safe.char_indices().rev() {
        used += char_width(c);
        if used > max.saturating_sub(1) {
            break;
        }
        from = i;
    }
    let mut out = String::new();
    if max > 0 {
        out.push(theme.ellipsis());
    }
    out.push_str(&safe[from..]);
    Cow::Owned(out)
}

/// Breaks `text` into pieces of at most `max` columns, at spaces where there are any.
pub(crate) fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(4);
    let safe = term_safe(text);
    let mut out = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in safe.split(' ') {
        let w = word.chars().map(char_width).sum::<usize>();
        if used > 0 && used + 1 + w > max {
            out.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            if used + char_width(c) > max {
                out.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += char_width(c);
        }
    }
    out.push(line);
    out
}

/// How long ago, in whole seconds at the finest: what counts up must not tick faster.
pub(crate) fn age(d: Duration) -> String {
    if d < Duration::from_secs(10) { format!("{}s", d.as_secs()) } else { Short(d).to_string() }
}

/// One line of styled text, built left to right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    spans: Vec<(Role, String)>,
    width: usize,
}

impl Line {
    /// An empty line.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends `text`.
    #[must_use]
    pub(crate) fn add(mut self, role: Role, text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        self.width += width(text);
        self.spans.push((role, term_safe(text).into_owned()));
        self
    }

    /// Appends spaces up to column `column`.
    #[must_use]
    pub(crate) fn pad(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width);
        if missing == 0 { self } else { self.add(Role::Text, " ".repeat(missing)) }
    }

    /// Appends `text` in a column of exactly `columns`, cut or filled on the right.
    #[must_use]
    pub(crate) fn col(self, role: Role, text: &str, columns: usize, theme: &Theme) -> Self {
        let end = self.width + columns;
        self.add(role, fit(text, columns, theme)).pad(end)
    }

    /// The same, filled on the left: for numbers.
    #[must_use]
    pub(crate) fn num(self, role: Role, text: &str, columns: usize, theme: &Theme) -> Self {
        let text = fit(text, columns, theme);
        let start = self.width + columns - width(&text).min(columns);
        self.pad(start).add(role, text)
    }

    /// Appends another line.
    #[must_use]
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.width += other.width;
        self.spans.extend(other.spans);
        self
    }

    /// Puts `tail` at the right end of `total` columns, or leaves it out when there is no room.
    #[must_use]
    pub(crate) fn right(self, total: usize, tail: Self) -> Self {
        if self.width + tail.width < total { self.pad(total - tail.width).join(tail) } else { self }
    }

    /// The line cut to `max` columns, the cut marked.
    #[must_use]
    pub(crate) fn cut(self, max: usize, theme: &Theme) -> Self {
        if self.width <= max {
            return self;
        }
        let mut out = Self::new();
        for (role, text) in self.spans {
            let room = max.saturating_sub(out.width);
            let whole = width(&text);
            // The span that reaches the edge holds the mark, even if only the next one would not fit.
            if whole >= room {
                let text = if whole == room { format!("{text} ") } else { text };
                return out.add(role, fit(&text, room, theme));
            }
            out = out.add(role, text);
        }
        out
    }

    /// Columns used.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The pieces, from left to right; made safe already.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (Role, &str)> {
        self.spans.iter().map(|(role, text)| (*role, text.as_str()))
    }

    /// The text alone.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        self.spans().map(|(_, text)| text).collect()
    }

    /// Draws into row `row` of `area`; what does not fit is cut and the cut marked.
    pub(crate) fn draw(&self, buf: &mut Buffer, theme: &Theme, area: Rect, row: u16) {
        if row >= area.height {
            return;
        }
        let columns = usize::from(area.width);
        let cut = (self.width > columns).then(|| self.clone().cut(columns, theme));
        let mut x = area.x;
        for (role, text) in &cut.as_ref().unwrap_or(self).spans {
            let room = area.right().saturating_sub(x);
            x = x.saturating_add(put(buf, x, area.y.saturating_add(row), room, text, theme.style(*role)));
        }
    }
}

/// A titled rule: `─ TITLE ───────── tail ─`.
pub(crate) fn rule(theme: &Theme, columns: usize, title: &str, tail: &str, focused: bool) -> Line {
    let dash = theme.rule();
    let bars = |n: usize| dash.repeat(n);
    let head = if focused { Role::Title } else { Role::Heading };
    let mut line = Line::new().add(Role::Dim, bars(1));
    if !title.is_empty() {
        line = line.add(Role::Text, " ").add(head, title).add(Role::Text, " ");
    }
    let tail_width = width(tail);
    if tail_width > 0 && line.width() + tail_width + 4 <= columns {
        let fill = columns - line.width() - tail_width - 3;
        line = line.add(Role::Dim, bars(fill)).add(Role::Text, " ").add(Role::Dim, tail).add(Role::Text, " ");
    }
    let fill = columns.saturating_sub(line.width());
    line.add(Role::Dim, bars(fill))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Theme;

    fn row(text: &str, width: u16) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, 1));
        put(&mut buf, 0, 0, width, text, Style::default());
        buf
    }

    #[test]
    fn the_widths_of_the_cells_always_sum_to_the_line() {
        for text in [
            "plain",
            "店店店店店",
            "a\u{202e}gpj.exe",
            "☺\u{fe0f}x",
            &format!("e{}x", "\u{301}".repeat(10_000)),
            "\x1b]52;c;a\x07",
        ] {
            for w in 1..12 {
                let buf = row(text, w);
                let (mut x, mut total) = (0, 0);
                while x < w {
                    let cell = UnicodeWidthStr::width(buf[(x, 0)].symbol());
                    assert!(cell == 1 || cell == 2, "{text:?}");
                    assert!(buf[(x, 0)].symbol().chars().count() <= 1 + MARKS_PER_CELL);
                    total += cell;
                    x += u16::try_from(cell).unwrap();
                }
                assert_eq!(total, usize::from(w), "{text:?} in {w}");
            }
        }
    }

    #[test]
    fn cuts_are_marked_and_fit() {
        let theme = Theme::plain();
        assert_eq!(fit("checkout", 5, &theme), "chec…");
        assert_eq!(fit("店店店", 4, &theme), "店…");
        assert_eq!(fit_left("monitors.d/web.yaml", 9, &theme), "…web.yaml");
        assert_eq!(fit("x", 0, &theme), "");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 4), ["abcd", "efgh"]);
    }

    #[test]
    fn a_rule_fills_its_line_exactly() {
        let theme = Theme::plain();
        for w in 0..40 {
            assert!(rule(&theme, w, "NOT OK 3", "1 cell = 2m", false).width() >= w);
        }
        assert_eq!(rule(&theme, 40, "NOT OK 3", "1 cell = 2m", false).width(), 40);
    }

    #[test]
    fn a_line_longer_than_its_area_ends_in_a_mark() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 5, 1));
        let area = buf.area;
        Line::new().add(Role::Text, "店店店").draw(&mut buf, &Theme::plain(), area, 0);
        assert_eq!(buf[(4, 0)].symbol(), "…");
        let two = Line::new().add(Role::Text, "abcde").add(Role::Text, "f").cut(5, &Theme::plain());
        assert_eq!(two, Line::new().add(Role::Text, "abcd…"));
    }
}
