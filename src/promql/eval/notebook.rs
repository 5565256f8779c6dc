//! The annotations of a query: each text once, with the place in the query that caused it last.

use ahash::AHashMap;

use crate::promql::ast::Span;
use crate::promql::func::notes::{ForcedMonotonicity, MOST_NOTES, Note, NoteSink};
use crate::promql::value::Notes;

/// Collects annotations.
#[derive(Debug, Default)]
pub(crate) struct NoteBook {
    /// With the byte of the query's text where its subject begins, if it has one.
    notes: Vec<(Note, Option<usize>)>,
    /// Where each note stands among them.
    places: AHashMap<Note, usize>,
    /// Falling buckets, by the name of their metric, with where they were met last.
    forced: Vec<(String, ForcedMonotonicity, usize)>,
    /// Where each name stands among them.
    names: AHashMap<String, usize>,
    /// Notes came when there were too many.
    left_out: bool,
}

/// Takes the notes of one place in the query.
#[derive(Debug)]
pub(crate) struct NotesAt<'b> {
    book: &'b mut NoteBook,
    at: usize,
}

impl NoteBook {
    /// Notes that concern a part of the query.
    pub(crate) const fn at(&mut self, span: &Span) -> NotesAt<'_> {
        NotesAt { at: span.start, book: self }
    }

    /// Adds a note on the whole answer.
    pub(crate) fn add(&mut self, note: Note) {
        self.put(note, None);
    }

    /// Adds that buckets of a metric had to be fixed: one note tells all of it.
    pub(crate) fn forced(&mut self, span: &Span, name: &str, forced: ForcedMonotonicity) {
        if let Some(place) = self.names.get(name) {
            let (_, all, at) = &mut self.forced[*place];
            (*all, *at) = (all.merge(forced), span.start);
        } else if self.forced.len() < MOST_NOTES {
            self.names.insert(name.to_owned(), self.forced.len());
            self.forced.push((name.to_owned(), forced, span.start));
        } else {
            self.left_out = true;
        }
    }

    /// Prometheus tells annotations apart by their text alone; a later one takes the place of an earlier.
    fn put(&mut self, note: Note, at: Option<usize>) {
        if let Some(place) = self.places.get(&note) {
            self.notes[*place].1 = at;
        } else if self.notes.len() < MOST_NOTES {
            self.places.insert(note.clone(), self.notes.len());
            self.notes.push((note, at));
        } else {
            self.left_out = true;
        }
    }

    /// The notes with their places in `query` as `(line:column)`.
    pub(crate) fn finish(self, query: &str) -> Notes {
        let mut notes = Notes::default();
        let forced = self.forced.iter().map(|(name, forced, at)| (forced.note(name), Some(*at)));
        for (note, at) in self.notes.into_iter().chain(forced) {
            let place = at.map(|at| place(query, at)).unwrap_or_default();
            match note {
                Note::Warning(text) => notes.warnings.push(text + &place),
                Note::Info(text) => notes.infos.push(text + &place),
            }
        }
        if self.left_out {
            notes.warnings.push(format!("there are more than {MOST_NOTES} annotations: the others are left out"));
        }
        notes
    }
}

impl NoteSink for NotesAt<'_> {
    fn note(&mut self, note: Note) {
        self.book.put(note, Some(self.at));
    }
}

/// ` (line:column)`, both from one, the column in bytes as Prometheus counts it. Nothing without a text.
fn place(query: &str, at: usize) -> String {
    let Some(before) = query.as_bytes().get(..at).filter(|_| !query.is_empty()) else { return String::new() };
    let line = 1 + before.iter().filter(|b| **b == b'\n').count();
    let column = at - before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) + 1;
    format!(" ({line}:{column})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_appears_once_with_its_last_place() {
        let mut book = NoteBook::default();
        let note = || Note::Info("PromQL info: x".to_owned());
        book.at(&(0..1)).note(note());
        book.at(&(5..6)).note(note());
        assert_eq!(book.finish("a +\nbcd").infos, ["PromQL info: x (2:2)"]);
    }

    #[test]
    fn too_many_notes_are_left_out_and_that_is_told() {
        let mut book = NoteBook::default();
        for _ in 0..2 {
            (0..MOST_NOTES).for_each(|i| book.add(Note::Info(i.to_string())));
        }
        assert!(!book.left_out);
        (0..100_000).for_each(|i| book.add(Note::Info(i.to_string())));
        let notes = book.finish("");
        assert_eq!(notes.infos.len(), MOST_NOTES);
        assert_eq!(notes.warnings, ["there are more than 1000 annotations: the others are left out"]);
    }

    #[test]
    fn places_count_lines_and_bytes_from_one() {
        assert_eq!(place("abc", 0), " (1:1)");
        assert_eq!(place("abc", 2), " (1:3)");
        assert_eq!(place("a\n\nc", 3), " (3:1)");
        assert_eq!(place("", 0), "");
        assert_eq!(place("abc", 9), "");
    }
}
