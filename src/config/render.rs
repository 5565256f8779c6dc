//! Problems as people read them: a snippet with a mark beneath, a code, a hint; and one line at the
//! end. Whatever comes from a file is made harmless first.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level as Style, Origin, Renderer, Snippet};

use crate::base::term_safe::term_safe;
use crate::wire::api::{Level, Problem};

/// Renders problems for a terminal of `width` columns, a blank line after each.
pub fn problems(list: &[Problem], colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width.max(40));
    let mut out = String::new();
    for p in list {
        out.push_str(&problem(p, &renderer));
        out.push_str("\n\n");
    }
    out
}

fn problem(p: &Problem, renderer: &Renderer) -> String {
    let style = match p.level {
        Level::Error => Style::ERROR,
        Level::Warning => Style::WARNING,
    };
    let title = style.primary_title(term_safe(&p.message)).id(p.code.as_str());
    let file = term_safe(&p.file);
    let hint = Style::HELP.message(term_safe(&p.hint));
    if p.line == 0 {
        return renderer.render(&[title.element(Origin::path(file)).element(hint)]);
    }
    let marked = Marked::new(p);
    let mark = AnnotationKind::Primary.span(marked.start..marked.end);
    let snippet = Snippet::source(&marked.text).line_start(p.line).path(file.as_ref()).annotation(mark);
    let text = renderer.render(&[title.element(snippet).element(hint)]);
    // The renderer counts the column in what it is given, which may be a part of the line, or have
    // escapes in place of characters.
    let counted = marked.text[..marked.start].chars().count() + 1;
    if counted == p.column {
        return text;
    }
    let place = |column| format!("{file}:{}:{column}", p.line);
    text.replacen(&place(counted), &place(p.column), 1)
}

/// A snippet of harmless characters (tabs stay: the renderer widens them), and the marked bytes of it.
struct Marked {
    text: String,
    start: usize,
    end: usize,
}

impl Marked {
    fn new(p: &Problem) -> Self {
        let byte = |chars: usize| p.snippet.char_indices().nth(chars).map_or(p.snippet.len(), |(i, _)| i);
        let (from, to) = (byte(p.caret()), byte(p.caret().saturating_add(p.length)));
        let mut text = safe(&p.snippet[..from]);
        let start = text.len();
        text.push_str(&safe(&p.snippet[from..to]));
        // Something missing at the end of a line is marked one past it.
        if text.len() == start {
            text.push(' ');
        }
        let end = text.len();
        text.push_str(&safe(&p.snippet[to..]));
        Self { text, start, end }
    }
}

fn safe(part: &str) -> String {
    part.split('\t').map(term_safe).collect::<Vec<_>>().join("\t")
}

/// The last line: `2 errors, 1 warning in 12 files, 40 monitors`.
pub fn summary(list: &[Problem], files: usize, monitors: usize) -> String {
    let errors = list.iter().filter(|p| p.level == Level::Error).count();
    let warnings = list.len() - errors;
    let mut found = match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        (e, 0) => count(e, "error"),
        (0, w) => count(w, "warning"),
        (e, w) => format!("{}, {}", count(e, "error"), count(w, "warning")),
    };
    found.push_str(&format!(" in {}, {}", count(files, "file"), count(monitors, "monitor")));
    found
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(snippet: &str, column: usize, length: usize) -> Problem {
        Problem {
            level: Level::Error,
            code: "W003".into(),
            file: "monitors.d/web.yaml".into(),
            line: 12,
            column,
            length,
            message: "`intervall` is not a key here".into(),
            hint: "did you mean `interval`?".into(),
            snippet: snippet.into(),
        }
    }

    #[test]
    fn the_mark_stands_under_the_text() {
        insta::assert_snapshot!(problems(&[sample("    intervall: 5s", 5, 9)], false, 80), @r"
        error[W003]: `intervall` is not a key here
          --> monitors.d/web.yaml:12:5
           |
        12 |     intervall: 5s
           |     ^^^^^^^^^
           |
           = help: did you mean `interval`?
        ");
    }

    #[test]
    fn tabs_and_wide_characters_keep_the_mark_in_place() {
        insta::assert_snapshot!(problems(&[sample("\t店: {é: x}", 9, 1)], false, 80), @r"
        error[W003]: `intervall` is not a key here
          --> monitors.d/web.yaml:12:9
           |
        12 |     店: {é: x}
           |             ^
           |
           = help: did you mean `interval`?
        ");
    }

    #[test]
    fn a_file_as_a_whole_has_no_snippet() {
        insta::assert_snapshot!(problems(&[Problem { line: 0, column: 1, ..sample("", 1, 1) }], false, 80), @r"
        error[W003]: `intervall` is not a key here
        --> monitors.d/web.yaml
         = help: did you mean `interval`?
        ");
    }

    #[test]
    fn nothing_from_a_file_reaches_the_terminal_raw() {
        let hostile = "\x1b]0;x\x07\u{202e}\u{9b}2J";
        let mut p = sample(&format!("key: {hostile}"), 6, 3);
        p.message = hostile.into();
        p.hint = hostile.into();
        p.file = format!("monitors.d/{hostile}.yaml");
        for line in [0, 12] {
            let text = problems(&[Problem { line, ..p.clone() }], false, 80);
            assert!(!text.chars().any(|c| c != '\n' && term_safe(&c.to_string()) != c.to_string()), "{text:?}");
        }
    }

    #[test]
    fn any_place_in_any_line_renders() {
        for snippet in ["", "x", "店店", "\t\t", &"long ".repeat(40)] {
            for column in [1, 2, 3, 160, 161, 5_000] {
                for length in [1, 2, 500] {
                    let text = problems(&[sample(snippet, column, length)], column % 2 == 0, 80);
                    assert!(text.contains('^'), "{snippet:?} {column} {length}");
                    assert!(text.contains(&format!("monitors.d/web.yaml:12:{column}")), "{text}");
                }
            }
        }
    }

    #[test]
    fn the_summary_counts() {
        let warning = Problem { level: Level::Warning, ..sample("", 1, 1) };
        let list = [sample("", 1, 1), warning.clone(), warning];
        assert_eq!(summary(&list, 2, 1), "1 error, 2 warnings in 2 files, 1 monitor");
        assert_eq!(summary(&[], 0, 0), "no problems in 0 files, 0 monitors");
    }
}
