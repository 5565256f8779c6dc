//! What the main file does not allow is not done, however it is written (S07).

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use watchdog::base::clock::Clock;
use watchdog::base::outcome::Verdict;
use watchdog::base::policy::Policy;
use watchdog::base::probe::ProbeCx;
use watchdog::collect::capture::look;

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

#[tokio::test]
async fn what_is_sent_without_a_port_obeys_the_policy_too() {
    let policy = Arc::new(Policy { public_only: true, ..Policy::default() });
    let mut refused = 0;
    for host in SPELLINGS {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let cx = ProbeCx { policy: Arc::clone(&policy), ..ProbeCx::new(deadline, Clock::system().now()) };
        let outcome = build("ping", &format!("host: \"{host}\"")).collector.probe(&cx).await;
        let class = outcome.reason.as_ref().map(|r| r.class.to_string()).unwrap_or_default();
        assert!(["blocked_address", "dns", "timeout"].contains(&class.as_str()), "{host}: {outcome:?}");
        refused += usize::from(class == "blocked_address");
        let seen = look(host, &cx).await;
        assert!(
            !seen.items.iter().any(|(title, _)| title.starts_with("ping") || title.starts_with("path")),
            "{seen:?}"
        );
    }
    assert!(refused >= 16, "{refused}");
    let policy = Policy { deny: vec!["127.0.0.0/8".parse().unwrap()], ..Policy::default() };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let cx = ProbeCx { policy: Arc::new(policy), ..ProbeCx::new(deadline, Clock::system().now()) };
    let outcome = build("ping", "host: 127.0.0.1").collector.probe(&cx).await;
    assert_eq!(outcome.reason.unwrap().class, "blocked_address");
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
    assert_eq!(row["headline"], "`policy.programs` does not allow `false`");
    let problems = server.get("/api/v1/config")["problems"].clone();
    assert_eq!(problems[0]["code"], "W017", "{problems}");
    assert_eq!((&problems[0]["file"], &problems[0]["line"]), (&"monitors.d/a.yaml".into(), &5.into()), "{problems}");
    place.write("watchdog.yaml", "policy: {programs: [/usr/bin/true, \"f*\"]}\n");
    wait_for("a run", || server.row("job").filter(|row| row["state"] == "degraded"));
    assert_eq!(server.get("/api/v1/config")["problems"].as_array().unwrap().len(), 0);
    assert_eq!(server.stop(), 0);
}
