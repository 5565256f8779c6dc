//! Completions and manual pages, made from the table of commands.
//!
//! They are committed under `completions/` and `man/`; a test fails when they are stale.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::base::failure::{Failure, Kind};
use crate::cli::commands::Cli;

/// Name and content of a generated file.
pub type Generated = (String, Vec<u8>);

/// The completion script of a shell.
pub fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "watchdog", &mut script);
    script
}

/// The committed completion scripts.
pub fn completions() -> Vec<Generated> {
    [("watchdog.bash", Shell::Bash), ("_watchdog", Shell::Zsh), ("watchdog.fish", Shell::Fish)]
        .map(|(name, shell)| (name.to_owned(), completion(shell)))
        .into()
}

/// A manual page for the program and for each of its commands.
///
/// # Errors
/// A page cannot be made.
pub fn pages() -> Result<Vec<Generated>, Failure> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    // Subcommands of subcommands are reached through the list itself.
    let mut open = vec![(String::from("watchdog"), root)];
    while let Some((name, command)) = open.pop() {
        open.extend(command.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| {
            let name = format!("{name}-{}", c.get_name());
            (name, c.clone())
        }));
        let page =
            page(&name, command).map_err(|e| Failure::text(Kind::Internal, format!("manual page {name}: {e}")))?;
        pages.push((format!("{name}.1"), page));
    }
    pages.sort();
    Ok(pages)
}

fn page(name: &str, command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.name(name.to_owned())).render(&mut page)?;
    Ok(page)
}

/// Writes generated files into `dir`.
///
/// # Errors
/// The directory cannot be written.
pub fn write(dir: &Path, files: Vec<Generated>) -> Result<(), Failure> {
    let failed =
        |path: &Path, e: &io::Error| Failure::text(Kind::Internal, format!("cannot write `{}`: {e}", path.display()));
    fs::create_dir_all(dir).map_err(|e| failed(dir, &e))?;
    for (name, content) in files {
        let path = dir.join(name);
        fs::write(&path, content).map_err(|e| failed(&path, &e))?;
    }
    Ok(())
}
