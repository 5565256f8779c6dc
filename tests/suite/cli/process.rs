//! The program as a process: exit codes, streams, closed pipes.

use std::io::Read;
use std::process::{Command, Output, Stdio};

use crate::server::Place;

fn watchdog() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchdog"));
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = watchdog().args(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn nobody_at_the_socket_is_exit_code_3_with_the_way_out() {
    for arguments in [&["status"][..], &["reload"], &["monitor", "list"], &["monitor", "run", "x"], &["alert", "list"]]
    {
        let (code, out, err) = run(&[arguments, &["--socket", "/nonexistent/w.sock"]].concat());
        assert_eq!((code, out.as_str()), (3, ""), "{arguments:?}");
        assert!(err.contains("/nonexistent/w.sock") && err.contains("watchdog serve"), "{err}");
    }
    let (code, out, err) = run(&["status", "--json", "--socket", "/nonexistent/w.sock"]);
    assert_eq!((code, out.as_str()), (3, ""));
    let body: watchdog::wire::api::ErrorBody = serde_json::from_str(&err).unwrap();
    assert_eq!(body.error_type, "unavailable");
}

#[test]
fn what_needs_no_home_runs_without_one() {
    let output = watchdog().env_remove("HOME").args(["completions", "bash"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let status = watchdog().env_remove("HOME").args(["status", "--socket", "/nonexistent/w"]).output().unwrap();
    assert_eq!(status.status.code(), Some(3));
}

#[test]
fn wrong_usage_is_exit_code_2_on_stderr() {
    for arguments in [
        &["stauts"][..],
        &["status", "--nope"],
        &["monitor"],
        &["monitor", "show"],
        &["monitor", "history", "x", "--limit", "0"],
        &["serve", "--listen", "8080"],
        &["completions"],
        &["completions", "tcsh"],
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(!err.is_empty());
    }
}

#[test]
fn help_and_version_are_data() {
    for arguments in [&["--help"][..], &["help", "monitor"], &["monitor", "list", "-h"], &["--version"], &["man"]] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        assert!(!out.is_empty() && !out.contains('\x1b'));
    }
}

#[test]
fn a_reader_that_goes_away_is_success() {
    let mut child =
        watchdog().args(["completions", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = watchdog().args(["completions", "zsh"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(70), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = run(&["completions", shell]);
        assert!(code == 0 && out.contains("monitor"), "{shell}");
    }
}

#[test]
fn an_address_that_others_reach_is_refused_before_anything_is_made() {
    let place = Place::new();
    let output = place.command().args(["serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("other machines could reach it"));
    assert!(!place.data().exists());
}

#[test]
fn a_first_start_has_nothing_to_complain_about() {
    let place = Place::new();
    let mut serve = place.command();
    let output = serve.args(["serve", "--strict", "--listen", "127.0.0.1:0"]);
    let mut child = output.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready");
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(!log.to_lowercase().contains("error"), "{log}");
}
