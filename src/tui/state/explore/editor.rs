//! A text field of several lines: cursor, words, undo.
//!
//! Invariants: the cursor is at the border of a character that people see as one; the text holds no control
//! character but line breaks and no more than [`LIMIT`] bytes.

use unicode_segmentation::UnicodeSegmentation;

/// Longest text; the server refuses longer queries anyway.
const LIMIT: usize = 16 << 10;
/// States kept for undo.
const UNDO: usize = 100;

/// Which way, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Motion {
    /// One character back.
    Left,
    /// One character on.
    Right,
    /// To the start of the word.
    WordLeft,
    /// To the end of the word.
    WordRight,
    /// To the start of the line.
    Home,
    /// To the end of the line.
    End,
}

/// A text field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Editor {
    text: String,
    cursor: usize,
    undo: Vec<(String, usize)>,
    redo: Vec<(String, usize)>,
    /// Whether the last change was a typed character, which the next one joins for undo.
    typing: bool,
}

impl Editor {
    /// A field that holds `text`, the cursor at its end.
    pub(crate) fn new(text: &str) -> Self {
        let mut editor = Self::default();
        editor.insert(text);
        (editor.undo, editor.typing) = (Vec::new(), false);
        editor
    }

    /// What it holds.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor is, in bytes.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    fn remember(&mut self) {
        if self.undo.len() == UNDO {
            self.undo.remove(0);
        }
        self.undo.push((self.text.clone(), self.cursor));
        self.redo.clear();
        self.typing = false;
    }

    /// Enters text at the cursor, as much as there is room for.
    pub(crate) fn insert(&mut self, text: &str) {
        let mut clean: String = text
            .replace("\r\n", "\n")
            .chars()
            .map(|c| match c {
                '\r' => '\n',
                '\t' => ' ',
                c => c,
            })
            .filter(|c| *c == '\n' || !c.is_control())
            .collect();
        let room = clean.floor_char_boundary(LIMIT.saturating_sub(self.text.len()));
        clean.truncate(room);
        if clean.is_empty() {
            return;
        }
        let joins = self.typing && text.chars().count() == 1 && !text.starts_with(char::is_whitespace);
        if !joins {
            self.remember();
        }
        self.text.insert_str(self.cursor, &clean);
        self.cursor = self.border(self.cursor + clean.len());
        self.typing = text.chars().count() == 1;
    }

    /// The border of a visible character at or after `at`: what was entered may join what followed.
    fn border(&self, at: usize) -> usize {
        let mut borders = self.text.grapheme_indices(true).map(|(i, _)| i);
        borders.find(|i| *i >= at).unwrap_or(self.text.len())
    }

    /// Replaces the bytes of `range`; the cursor goes behind them.
    pub(crate) fn replace(&mut self, range: std::ops::Range<usize>, with: &str) {
        if self.text.get(range.clone()).is_none() {
            return;
        }
        self.remember();
        self.text.replace_range(range.clone(), "");
        self.cursor = range.start;
        let undo = std::mem::take(&mut self.undo);
        self.insert(with);
        (self.undo, self.typing) = (undo, false);
        self.cursor = self.border(self.cursor);
    }

    /// Replaces everything.
    pub(crate) fn set(&mut self, text: &str) {
        self.replace(0..self.text.len(), text);
    }

    /// Where a motion leads.
    fn target(&self, motion: Motion) -> usize {
        let (before, after) = self.text.split_at(self.cursor);
        match motion {
            Motion::Left => before.grapheme_indices(true).next_back().map_or(0, |(i, _)| i),
            Motion::Right => self.cursor + after.graphemes(true).next().map_or(0, str::len),
            Motion::WordLeft => {
                let trimmed = before.trim_end_matches(|c| !is_word(c));
                trimmed.len() - trimmed.chars().rev().take_while(|c| is_word(*c)).map(char::len_utf8).sum::<usize>()
            }
            Motion::WordRight => {
                let skipped = after.len() - after.trim_start_matches(|c| !is_word(c)).len();
                self.border(self.cursor + after.len() - after[skipped..].trim_start_matches(is_word).len())
            }
            Motion::Home => before.rfind('\n').map_or(0, |i| i + 1),
            Motion::End => self.cursor + after.find('\n').unwrap_or(after.len()),
        }
    }

    /// Moves the cursor.
    pub(crate) fn go(&mut self, motion: Motion) {
        (self.cursor, self.typing) = (self.target(motion), false);
    }

    /// Deletes from the cursor to where a motion leads.
    pub(crate) fn delete(&mut self, motion: Motion) {
        let to = self.target(motion);
        if to != self.cursor {
            self.remember();
            let range = to.min(self.cursor)..to.max(self.cursor);
            self.cursor = range.start;
            self.text.replace_range(range, "");
            self.cursor = self.border(self.cursor);
        }
    }

    /// One line up or down in the same column; false when there is none.
    pub(crate) fn vertical(&mut self, down: bool) -> bool {
        let start = self.target(Motion::Home);
        let column = self.text[start..self.cursor].graphemes(true).count();
        let line = if down {
            let end = self.target(Motion::End);
            if end == self.text.len() {
                return false;
            }
            end + 1
        } else if start == 0 {
            return false;
        } else {
            self.text[..start - 1].rfind('\n').map_or(0, |i| i + 1)
        };
        let rest = &self.text[line..];
        let rest = &rest[..rest.find('\n').unwrap_or(rest.len())];
        self.cursor = line + rest.graphemes(true).take(column).map(str::len).sum::<usize>();
        self.typing = false;
        true
    }

    /// Takes the last change back; false when there is none.
    pub(crate) fn undo(&mut self) -> bool {
        let Some(before) = self.undo.pop() else { return false };
        self.redo.push((std::mem::replace(&mut self.text, before.0), self.cursor));
        (self.cursor, self.typing) = (before.1, false);
        true
    }

    /// Makes it again.
    pub(crate) fn redo(&mut self) -> bool {
        let Some(after) = self.redo.pop() else { return false };
        self.undo.push((std::mem::replace(&mut self.text, after.0), self.cursor));
        (self.cursor, self.typing) = (after.1, false);
        true
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_and_lines_are_walked() {
        let mut e = Editor::new("sum(rate(x[5m]))\nby");
        e.go(Motion::WordLeft);
        assert_eq!(e.cursor(), 17);
        e.go(Motion::WordLeft);
        assert_eq!(&e.text()[e.cursor()..], "5m]))\nby");
        e.go(Motion::End);
        assert_eq!(e.cursor(), 16);
        assert!(e.vertical(true) && !e.vertical(true));
        assert_eq!(e.cursor(), 19);
        assert!(e.vertical(false));
        assert_eq!(e.cursor(), 2);
        e.go(Motion::WordRight);
        assert_eq!(e.cursor(), 3);
        e.delete(Motion::WordRight);
        assert_eq!(e.text(), "sum(x[5m]))\nby");
    }

    #[test]
    fn undo_takes_back_words_typed_in_one_go() {
        let mut e = Editor::default();
        for c in ["u", "p", " ", "=", "="] {
            e.insert(c);
        }
        assert!(e.undo());
        assert_eq!(e.text(), "up");
        assert!(e.undo());
        assert_eq!(e.text(), "");
        assert!(!e.undo() && e.redo() && e.redo() && !e.redo());
        assert_eq!(e.text(), "up ==");
        e.replace(0..2, "down");
        assert_eq!((e.text(), e.cursor()), ("down ==", 4));
        e.undo();
        assert_eq!(e.text(), "up ==");
    }

    #[test]
    fn pasted_text_keeps_its_lines_and_loses_its_controls() {
        let mut e = Editor::default();
        e.insert("a\r\nb\tc\x1b[2J\x07");
        assert_eq!(e.text(), "a\nb c[2J");
        e.insert(&"x".repeat(LIMIT * 2));
        assert_eq!(e.text().len(), LIMIT);
    }

    proptest! {
        #[test]
        fn no_sequence_of_keys_leaves_the_borders_of_characters(
            keys in prop::collection::vec((0..16u8, "[a-z(店e\u{301}\u{200d}👩\n ]{0,3}"), 0..60)
        ) {
            let mut e = Editor::default();
            let motions = [Motion::Left, Motion::Right, Motion::WordLeft, Motion::WordRight, Motion::Home, Motion::End];
            for (key, text) in keys {
                match key {
                    0..=5 => e.go(motions[usize::from(key)]),
                    6..=11 => e.delete(motions[usize::from(key - 6)]),
                    12 => drop(e.vertical(text.len() % 2 == 0)),
                    13 => drop(e.undo()),
                    14 => drop(e.redo()),
                    _ => e.insert(&text),
                }
                let cursor = e.cursor();
                prop_assert!(e.text().is_char_boundary(cursor));
                prop_assert!(cursor == e.text().len() || e.text().grapheme_indices(true).any(|(i, _)| i == cursor));
            }
        }
    }
}
