//! What a test needs of the machine and a developer's may lack. CI installs what can be installed, so there a
//! missing piece is a failure; what a machine does not allow is one nowhere, and said.

use std::io::{Write, stderr};
use std::process::Command;

/// Whether the test can run; says what is missing when it cannot.
pub fn met(found: bool, what: &str) -> bool {
    assert!(found || std::env::var_os("CI").is_none(), "this needs {what}");
    allowed(found, what)
}

/// Whether the machine lets the test do what it does: root, namespaces, tracing. Nothing to install would help.
pub fn allowed(may: bool, what: &str) -> bool {
    if !may {
        let _ = writeln!(stderr(), "not run: this needs {what}");
    }
    may
}

/// Whether these commands are installed.
pub fn commands(names: &[&str]) -> bool {
    names.iter().all(|name| met(Command::new(name).arg("--version").output().is_ok(), &format!("the command {name}")))
}
