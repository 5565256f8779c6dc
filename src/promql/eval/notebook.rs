//! The annotations of a query: each text once, with the place in the query that caused it last.

use crate::promql::ast::Span;
use crate::promql::func::notes::{ForcedMonotonicity, Note, NoteSink};
use crate::promql::value::Notes;

/// Collects annotations.
#[derive(Debug, Default)]
pub(crate) struct NoteBook {
    /// With the byte of the query's text where its subject begins, if it has one.
    notes: Vec<(Note, Option<usize>)>,
    /// Falling buckets, by the name of their metric, with where they were met last.
    forced: Vec<(String, ForcedMonotonicity, usize)>,
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
        match self.forced.iter_mut().find(|(n, ..)| n == name) {
            Some((_, all, at)) => (*all, *at) = (all.merge(forced), span.start),
            None => self.forced.push((name.to_owned(), forced, span.start)),
        }
    }

    /// Prometheus tells annotations apart by their text alone; a later one takes the place of an earlier.
    fn put(&mut self, note: Note, at: Option<usize>) {
        match self.notes.iter_mut().find(|(n, _)| *n == note) {
            Some((_, old)) => *old = at,
            None => self.notes.push((note, at)),
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
    fn places_count_lines_and_bytes_from_one() {
        assert_eq!(place("abc", 0), " (1:1)");
        assert_eq!(place("abc", 2), " (1:3)");
        assert_eq!(place("a\n\nc", 3), " (3:1)");
        assert_eq!(place("", 0), "");
        assert_eq!(place("abc", 9), "");
    }
}
