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
