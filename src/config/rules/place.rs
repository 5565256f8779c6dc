//! Where a part of a YAML scalar stands in the file: through quotes, escapes, folded lines and blocks.

use std::ops::Range;

use crate::config::yaml::{Node, Span};

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Block,
}

/// The place of `part`, a range of the scalar's text, in the file; that of the whole scalar if it cannot be told.
pub(super) fn place(file: &str, node: &Node, part: &Range<usize>) -> Span {
    let Some(text) = node.as_str() else { return node.mark() };
    let starts = |at: usize| locate(file, node.span, text, at);
    let Some(start) = starts(part.start) else { return node.mark() };
    // The end is behind the last character, which may be an escape.
    let last = text.get(..part.end.min(text.len())).and_then(|t| t.char_indices().next_back()).map(|(i, _)| i);
    let end = match last {
        Some(last) if last >= part.start => starts(last).map(|r| r.end),
        _ => None,
    };
    Span { start: start.start, end: end.unwrap_or(start.end).max(start.start) }
}

/// The bytes of the file that stand for the character at `at`. Behind the last one: an empty range behind it.
fn locate(file: &str, span: Span, text: &str, at: usize) -> Option<Range<usize>> {
    let raw = file.get(span.start..span.end)?;
    let before = file[..span.start].chars().next_back();
    let after = file[span.end..].chars().next();
    let style = match (before, after) {
        (Some('"'), Some('"')) => Style::Double,
        (Some('\''), Some('\'')) => Style::Single,
        _ if raw.starts_with(['|', '>']) => Style::Block,
        _ => Style::Plain,
    };
    let mut next = if style == Style::Block { raw.find('\n')? + 1 } else { 0 };
    let mut last = next;
    for (i, c) in text.char_indices() {
        // A backslash at the end of a line joins it with the next.
        while style == Style::Double && raw[next..].starts_with("\\\n") {
            next += 2;
            next += raw[next..].len() - raw[next..].trim_start_matches([' ', '\t']).len();
        }
        let mut length = unit(&raw[next..], style);
        if c.is_whitespace() {
            // A fold stands for whatever blanks there are; those that are not needed are passed over later.
            let rest = raw[next..].chars().next();
            let escaped = style == Style::Double && rest == Some('\\');
            if rest != Some(c) && !escaped {
                length = 0;
            }
        } else {
            let blanks = raw[next..].len() - raw[next..].trim_start_matches([' ', '\t', '\r', '\n']).len();
            next += blanks;
            length = unit(&raw[next..], style);
            let written = raw[next..].chars().next()?;
            if written != c && !(style == Style::Double && written == '\\') {
                return None;
            }
        }
        let here = span.start + next..span.start + next + length;
        if i == at {
            return Some(here);
        }
        next += length;
        last = next;
    }
    (at >= text.len()).then_some(span.start + last..span.start + last)
}

/// How many bytes the next character takes as written.
fn unit(raw: &str, style: Style) -> usize {
    let Some(first) = raw.chars().next() else { return 0 };
    match (style, first) {
        (Style::Single, '\'') => 2.min(raw.len()),
        (Style::Double, '\\') => {
            let digits = match raw.as_bytes().get(1) {
                Some(b'x') => 2,
                Some(b'u') => 4,
                Some(b'U') => 8,
                _ => 0,
            };
            let second = raw[1..].chars().next().map_or(0, char::len_utf8);
            (1 + second + digits).min(raw.len())
        }
        _ => first.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    #[track_caller]
    fn check(file: &str, part: &str, expected: &str) {
        let root = yaml::parse(file).0.unwrap();
        let node = &root.get("q").unwrap().value;
        let start = node.as_str().unwrap().find(part).unwrap();
        let span = place(file, node, &(start..start + part.len()));
        assert_eq!(&file[span.start..span.end], expected, "{file}");
    }

    #[test]
    fn parts_are_found_however_the_text_is_written() {
        check("q: sum(foo) by x\nz: 1\n", "foo", "foo");
        check("q: 'a{b=''c''} bad'\n", "bad", "bad");
        check("q: 'a{b=''c''} bad'\n", "'c'", "''c''");
        check("q: \"a{b=\\\"c\\\"} bad\"\n", "bad", "bad");
        check("q: \"a{b=\\\"c\\\"} bad\"\n", "\"c\"", "\\\"c\\\"");
        check("q: \"a \\\n  bad\"\n", "bad", "bad");
        check("q: a\n  + bad\n", "bad", "bad");
        check("q: |\n  a\n  + bad\nz: 1\n", "bad", "bad");
        check("q: >-\n    a\n    + bad\n\n    + c\nz: 1\n", "bad", "bad");
        check("q: |2\n    a bad\n", "bad", "bad");
        check("q: \"ü\\u00fc bad\"\n", "bad", "bad");
    }

    #[test]
    fn no_part_of_any_text_breaks_it() {
        for file in
            ["q: a b\n", "q: 'x''y'\n", "q: \"a\\tb\\\n c\"\n", "q: |\n  a\n\n  b\n", "q: >\n  a\n  b\n", "q: ''\n"]
        {
            let root = yaml::parse(file).0.unwrap();
            let node = &root.get("q").unwrap().value;
            let len = node.as_str().unwrap().len();
            for start in 0..len + 2 {
                for end in start..len + 3 {
                    let span = place(file, node, &(start..end));
                    assert!(file.get(span.start..span.end).is_some());
                }
            }
        }
    }
}
