//! What a test needs of the machine and a developer's may lack. CI installs all of it, so there a
//! missing piece is a failure.

use std::io::{Write, stderr};
use std::process::Command;

/// Whether the test can run; says what is missing when it cannot.
pub fn met(found: bool, what: &str) -> bool {
    assert!(found || std::env::var_os("CI").is_none(), "this needs {what}");
    if !found {
        let _ = writeln!(stderr(), "not run: this needs {what}");
    }
    found
}

/// Whether these commands are installed.
pub fn commands(names: &[&str]) -> bool {
    names.iter().all(|name| met(Command::new(name).arg("--version").output().is_ok(), &format!("the command {name}")))
}
