//! The committed completions and manual pages are those that the program generates.

use std::path::Path;

use watchdog::cli::generate;

#[track_caller]
fn check(dir: &str, generated: Vec<generate::Generated>) {
    let refresh = "refresh them: cargo run -- completions --dir completions && cargo run -- man --dir man";
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    let mut wanted: Vec<String> = generated.iter().map(|(name, _)| name.clone()).collect();
    wanted.sort();
    assert_eq!(names, wanted, "{refresh}");
    for (name, content) in generated {
        assert!(std::fs::read(dir.join(&name)).unwrap() == content, "{name} is stale; {refresh}");
    }
}

#[test]
fn completions_are_current() {
    check("completions", generate::completions());
}

#[test]
fn manual_pages_are_current() {
    check("man", generate::pages().unwrap());
}

#[test]
fn every_argument_of_every_command_has_help() {
    use clap::CommandFactory;
    let mut open = vec![watchdog::cli::commands::Cli::command()];
    while let Some(command) = open.pop() {
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
        assert!(command.get_about().is_some(), "{}", command.get_name());
        open.extend(command.get_subcommands().cloned());
    }
    watchdog::cli::commands::Cli::command().debug_assert();
}

/// The words of the first command of a line, as a shell would split it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '#' | '|' | '&' | '>' | ')') if word.is_none() => break,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_that_the_guide_shows_is_understood() {
    use clap::Parser;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    pages
        .extend(std::fs::read_dir(root.join("docs/guide")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()));
    let mut count = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        // Every second part is within fences; a part begins with the language.
        for line in text.split("```").skip(1).step_by(2).filter(|b| b.starts_with("sh\n")).flat_map(str::lines) {
            let Some(command) = line.trim_start().strip_prefix("watchdog ") else { continue };
            let parsed = watchdog::cli::commands::Cli::try_parse_from(words(&format!("watchdog {command}")));
            if let Err(e) = parsed {
                assert!(!e.use_stderr(), "{}: {line}\n{e}", page.display());
            }
            count += 1;
        }
    }
    assert!(count > 40, "only {count} commands were found");
}
