//! What the main file does not allow is not done, however it is written (S07).

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use watchdog::base::clock::Clock;
use watchdog::base::outcome::Verdict;
use watchdog::base::policy::Policy;
use watchdog::base::probe::ProbeCx;

use crate::kinds::daemon::build;
use crate::server::{Place, wait_for};

/// Ways to write an address that is not of the public Internet.
const SPELLINGS: [&str; 24] = [
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "127.0.1",
    "0.0.0.0",
    "0",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[fe80::1]",
];

#[tokio::test]
async fn no_spelling_of_an_address_leads_past_the_policy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let policy = Arc::new(Policy { public_only: true, ..Policy::default() });
    let mut refused = 0;
    for host in SPELLINGS {
        let probe = build("tcp", &format!("host: \"{host}:{port}\""));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let cx = ProbeCx { policy: Arc::clone(&policy), ..ProbeCx::new(deadline, Clock::system().now()) };
        let outcome = probe.collector.probe(&cx).await;
        let class = outcome.reason.as_ref().map(|r| r.class.to_string()).unwrap_or_default();
        assert_ne!(outcome.verdict, Verdict::Up, "{host}");
        // A resolver may refuse to know the odd ones; nothing else may have been tried.
        assert!(["blocked_address", "dns", "timeout"].contains(&class.as_str()), "{host}: {outcome:?}");
        refused += usize::from(class == "blocked_address");
    }
    assert!(refused >= 16, "{refused}");
    let came = listener.accept();
    assert_eq!(came.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_folder_describes_and_the_main_file_allows_at_once() {
    let place = Place::new();
    place.write("watchdog.yaml", "policy: {programs: [/usr/bin/true]}\n");
    place.write(
        "monitors.d/a.yaml",
        "defaults: {interval: 1s, timeout: 900ms}\nmonitors:\n  - name: job\n    type: script\n    command: [\"false\"]\n",
    );
    let server = place.serve();
    let row = wait_for("a refusal", || server.row("job").filter(|row| row["state"] == "unknown"));
    // The very file that would be run is named.
    let headline = row["headline"].as_str().unwrap();
    assert!(headline.starts_with("`policy.programs` does not allow `/") && headline.ends_with("/false`"), "{headline}");
    let problems = server.get("/api/v1/config")["problems"].clone();
    assert_eq!(problems[0]["code"], "W017", "{problems}");
    assert_eq!((&problems[0]["file"], &problems[0]["line"]), (&"monitors.d/a.yaml".into(), &5.into()), "{problems}");
    place.write("watchdog.yaml", "policy: {programs: [/usr/bin/true, \"/bin/f*\", \"/usr/bin/f*\"]}\n");
    wait_for("a run", || server.row("job").filter(|row| row["state"] == "degraded"));
    assert_eq!(server.get("/api/v1/config")["problems"].as_array().unwrap().len(), 0);
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_folder_cannot_make_another_program_of_one_that_is_allowed() {
    let place = Place::new();
    let dir = tempfile::tempdir().unwrap();
    let (own, seen) = (dir.path().join("bin"), dir.path().join("seen"));
    std::fs::create_dir(&own).unwrap();
    let evil = own.join("true");
    std::fs::write(&evil, format!("#!/bin/sh\ntouch {}\n", seen.display())).unwrap();
    std::fs::set_permissions(&evil, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.write(
        "watchdog.yaml",
        "policy: {programs: [/bin/true, /usr/bin/true, /usr/bin/env], environment: [\"CHECK_*\"]}\n",
    );
    let monitor = |name: &str, more: &str| format!("  - {{name: {name}, type: script, {more}}}\n");
    let text = [
        "defaults: {interval: 1s, timeout: 900ms}\nmonitors:\n".to_owned(),
        monitor("path", &format!("command: [\"true\"], env: {{PATH: {}}}", own.display())),
        monitor("preload", "command: [/usr/bin/true], env: {CHECK_A: a, LD_PRELOAD: /tmp/x.so}"),
        monitor("perl", "command: [/usr/bin/true], env: {PERL5OPT: -Mx}"),
        monitor("unlisted", "command: [/usr/bin/true], inherit: [AWS_SECRET_ACCESS_KEY]"),
        monitor("beside", &format!("command: [bin/true], cwd: {}", dir.path().display())),
        monitor("listed", "command: [\"true\"], env: {CHECK_A: a}, inherit: [PATH, CHECK_B]"),
    ];
    place.write("monitors.d/a.yaml", &text.concat());
    let server = place.serve();
    let headline = |name: &str| {
        let row = wait_for(name, || server.row(name).filter(|row| row["state"] == "unknown"));
        row["headline"].as_str().unwrap().to_owned()
    };
    assert_eq!(headline("path"), "`PATH` decides what code a program runs, and `policy` limits programs");
    assert_eq!(headline("preload"), "`LD_PRELOAD` decides what code a program runs, and `policy` limits programs");
    assert_eq!(headline("perl"), "`PERL5OPT` decides what code a program runs, and `policy` limits programs");
    assert_eq!(headline("unlisted"), "`policy.environment` does not allow `AWS_SECRET_ACCESS_KEY`");
    assert_eq!(headline("beside"), "`policy.programs` does not allow `bin/true`");
    wait_for("a run", || server.row("listed").filter(|row| row["state"] == "up"));
    let problems = server.get("/api/v1/config")["problems"].clone();
    let found: Vec<_> = problems.as_array().unwrap().iter().map(|p| (p["code"].as_str(), p["line"].as_u64())).collect();
    assert_eq!(found, (3..=7).map(|line| (Some("W017"), Some(line))).collect::<Vec<_>>(), "{problems}");
    assert!(!seen.exists());
    assert_eq!(server.stop(), 0);
}
