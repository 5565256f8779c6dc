//! Query tests in Prometheus' test language: our own scripts, and Prometheus' where they are at hand.

pub mod backend;
mod http;
pub mod memory;
pub mod run;
pub mod script;
mod sequence;

use std::path::{Path, PathBuf};

use memory::Memory;
use run::{Report, run};

/// Scripts of a directory, sorted by name.
pub fn scripts(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "test")).collect();
    files.sort();
    files
}

/// Our own scripts.
pub fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/promqltest")
}

/// Prometheus' scripts, next to the project where somebody put them; they are not part of it.
pub fn prometheus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/promqltest")
}

fn run_file(path: &Path, threads: usize) -> Report {
    let text = std::fs::read_to_string(path).unwrap();
    match script::parse(&text) {
        // Prometheus runs these with delayed name removal, and so do we.
        Ok(commands) => run(&commands, &mut Memory::new(true, threads)),
        Err(why) => Report { failures: vec![why], ..Report::default() },
    }
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "how many cases ran is part of what the tests show")]
fn check(dir: &Path) -> usize {
    let mut failures = Vec::new();
    let files = scripts(dir);
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy();
        for threads in [1, 2] {
            let report = run_file(path, threads);
            println!("{name:28} {threads} threads: {:4} passed, {:4} skipped", report.passed, report.skipped);
            failures.extend(report.failures.into_iter().map(|f| format!("{name}: {f}")));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    files.len()
}

#[test]
fn a_wrong_expectation_is_noticed() {
    #[track_caller]
    fn fails(expectation: &str) {
        let text = format!("load 1m\n  m{{a=\"1\"}} 1 2\n  m{{a=\"2\"}} 3 4\n\neval {expectation}");
        let report = run(&script::parse(&text).unwrap(), &mut Memory::new(true, 1));
        assert_eq!((report.passed, report.skipped, report.failures.len()), (0, 0, 1), "{expectation}");
    }
    fails("instant at 1m m");
    fails("instant at 1m m\n  m{a=\"1\"} 2");
    fails("instant at 1m m\n  m{a=\"1\"} 2\n  m{a=\"2\"} 4\n  m{a=\"3\"} 4");
    fails("instant at 1m m{a=\"1\"}\n  m{a=\"1\"} 2.0001");
    fails("instant at 1m m{a=\"1\"}\n  {a=\"1\"} 2");
    fails("instant at 1m sort_desc(m)\n  expect ordered\n  m{a=\"1\"} 2\n  m{a=\"2\"} 4");
    fails("range from 0 to 1m step 1m m{a=\"1\"}\n  m{a=\"1\"} 1 _");
    fails("range from 0 to 1m step 1m m{a=\"1\"}\n  m{a=\"1\"} 1 2 3");
    fails("instant at 1m 1\n  2");
    fails("instant at 1m \"a\"\n  expect string \"b\"");
    fails("instant at 1m m{a=\"1\"}\n  expect fail");
    fails("instant at 1m sum(m) + on () m\n  expect fail msg: something else");
    fails("instant at 1m m{a=\"1\"}\n  expect warn\n  m{a=\"1\"} 2");
    fails("instant at 1m rate(m{a=\"1\"}[2m])\n  expect no_info\n  {a=\"1\"} 0.016666666666666666");
    fails("instant at 1m m +\n  m{a=\"1\"} 2");
}

#[test]
fn our_own_scripts_pass() {
    assert!(check(&ours()) > 0);
}

#[test]
fn prometheus_scripts_pass() {
    check(&prometheus());
}
