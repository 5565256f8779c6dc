//! The walls that a single package lacks: which module may name which, and what a file looks like.
//!
//! Reads the sources as text. A rule that fails names the file, the line and the reason.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → what it may name. Same table as in `docs/ARCHITECTURE.md`.
const FLOORS: [(&str, &str); 16] = [
    ("base", ""),
    ("task", "base"),
    ("wire", "base"),
    ("promql", "base"),
    ("alert", "base"),
    ("render", "base"),
    ("tsdb", "base promql"),
    ("state", "base alert wire"),
    ("config", "base wire promql alert render"),
    ("collect", "base config"),
    ("notify", "base render config"),
    ("client", "base task wire"),
    ("engine", "base task wire promql alert render tsdb state config collect notify"),
    ("api", "base task wire promql alert engine"),
    ("tui", "base task wire promql client"),
    ("cli", "base task wire promql alert render tsdb state config collect notify client engine api tui"),
];

/// A file longer than this before its tests usually holds two things.
const LONGEST: usize = 600;
const VAGUE: [&str; 5] = ["utils", "util", "helpers", "common", "manager"];

struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let module = inside.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
                found.push(Source { text: fs::read_to_string(&path).unwrap(), module, path });
            }
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The part of a file before its unit tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().take_while(|l| !l.starts_with("#[cfg(test)]")).enumerate().map(|(i, l)| (i + 1, l))
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

#[track_caller]
fn check(rule: &str, offence: impl Fn(&Source) -> Vec<(usize, String)>) {
    let mut report = String::new();
    for source in sources() {
        for (line, what) in offence(&source) {
            writeln!(report, "{}:{line}: {what}", source.path.display()).unwrap();
        }
    }
    assert!(report.is_empty(), "{rule}\n{report}");
}

#[test]
fn modules_name_only_what_their_floor_allows() {
    check("a module names another that its row in FLOORS does not list", |s| {
        let Some((_, allowed)) = FLOORS.iter().find(|(m, _)| *m == s.module) else {
            let root = ["lib", "main"].contains(&s.module.as_str());
            return if root { Vec::new() } else { vec![(1, format!("module `{}` has no row", s.module))] };
        };
        code(&s.text)
            .flat_map(|(n, line)| {
                without_comment(line)
                    .split("crate::")
                    .skip(1)
                    .map(move |rest| {
                        (
                            n,
                            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                                .next()
                                .unwrap_or("")
                                .to_owned(),
                        )
                    })
                    .collect::<Vec<_>>()
            })
            .filter(|(_, named)| named != &s.module && !allowed.split(' ').any(|a| a == named))
            .map(|(n, named)| (n, format!("`{}` may not name `{named}`", s.module)))
            .collect()
    });
}

#[test]
fn paths_are_written_from_the_root() {
    check("write `crate::module::Item`", |s| {
        code(&s.text)
            .filter(|(_, l)| {
                let l = without_comment(l);
                l.contains("super::super") || l.contains("crate::{")
            })
            .map(|(n, l)| (n, l.trim().to_owned()))
            .collect()
    });
}

#[test]
fn every_file_says_what_it_is_for() {
    check("a file opens with `//!`", |s| {
        if s.text.starts_with("//!") { Vec::new() } else { vec![(1, "no header".to_owned())] }
    });
}

#[test]
fn files_stay_short() {
    check("a file past 600 lines before its tests holds two things", |s| {
        let n = code(&s.text).count();
        if n > LONGEST { vec![(n, format!("{n} lines"))] } else { Vec::new() }
    });
}

#[test]
fn names_say_something() {
    check("no vague file names", |s| {
        let stem = s.path.file_stem().unwrap().to_string_lossy().into_owned();
        if VAGUE.contains(&stem.as_str()) { vec![(1, stem)] } else { Vec::new() }
    });
}

#[test]
fn nothing_is_left_to_do() {
    check("finish it or say in the documentation that it is not built", |s| {
        s.text
            .lines()
            .enumerate()
            .filter(|(_, l)| ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("].iter().any(|w| l.contains(w)))
            .map(|(n, l)| (n + 1, l.trim().to_owned()))
            .collect()
    });
}

#[test]
fn tests_are_never_ignored() {
    let marker = ["#[", "ignore"].concat();
    check("a test that does not run proves nothing", |s| {
        s.text.lines().enumerate().filter(|(_, l)| l.contains(&marker)).map(|(n, l)| (n + 1, l.to_owned())).collect()
    });
}

#[test]
fn colours_live_in_the_theme() {
    check("colours come from the theme, by role", |s| {
        let theme = s.path.file_name().is_some_and(|f| f == "theme.rs");
        if s.module != "tui" || theme {
            return Vec::new();
        }
        code(&s.text)
            .filter(|(_, l)| without_comment(l).contains("Color::"))
            .map(|(n, l)| (n, l.trim().to_owned()))
            .collect()
    });
}

#[test]
fn the_map_in_the_documentation_is_the_one_enforced() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap();
    for (module, allowed) in FLOORS {
        let shown = if allowed.is_empty() { "–".to_owned() } else { format!("`{allowed}`") };
        let row = format!("| `{module}` | {shown} |");
        assert!(text.contains(&row), "docs/ARCHITECTURE.md lacks the row {row}");
    }
}
