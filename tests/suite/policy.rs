//! What the main file does not allow is not done, however it is written (S07).

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use watchdog::base::clock::Clock;
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::base::policy::Policy;
use watchdog::base::probe::ProbeCx;
use watchdog::collect::capture::look;
use watchdog::task::supervisor::Supervisor;

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

/// Spellings of a C library that are no addresses by RFC 3986: names, which nobody has.
const NAMES: [&str; 7] = ["127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.1", "0"];

/// A name server at 127.0.0.3 that knows no name but those that begin with `localhost`.
async fn name_server() -> (SocketAddr, Supervisor) {
    let socket = tokio::net::UdpSocket::bind("127.0.0.3:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let mut tasks = Supervisor::new(&CancellationToken::new());
    tasks.add("names", |_| async move {
        let mut query = [0; 512];
        while let Ok((n, from)) = socket.recv_from(&mut query).await {
            let end = 12 + query[12..n].iter().position(|b| *b == 0).unwrap() + 5;
            let known = query[13..].to_ascii_lowercase().starts_with(b"localhost");
            let wants_v4 = query[end - 3] == 1;
            let mut answer = query[..end].to_vec();
            // One question and no other section; NXDOMAIN for all other names (RFC 1035, section 4.1.1).
            answer[2..12].copy_from_slice(&[0x85, if known { 0x80 } else { 0x83 }, 0, 1, 0, 0, 0, 0, 0, 0]);
            if known && wants_v4 {
                answer[7] = 1;
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, from).await;
        }
    });
    (at, tasks)
}

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

/// Only the public Internet, and our name server.
fn strict() -> ProbeCx {
    let allow = vec!["127.0.0.3/32".parse().unwrap()];
    let policy = Arc::new(Policy { public_only: true, allow, ..Policy::default() });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    ProbeCx { policy, ..ProbeCx::new(deadline, Clock::system().now()) }
}

#[tokio::test]
async fn no_spelling_of_an_address_leads_past_the_policy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (names, _tasks) = name_server().await;
    for host in SPELLINGS {
        let probe = build("tcp", &format!("{{host: \"{host}:{port}\", resolver: \"{names}\"}}"));
        let outcome = probe.collector.probe(&strict()).await;
        let want = if NAMES.contains(&host) { "dns" } else { "blocked_address" };
        assert_ne!(outcome.verdict, Verdict::Up, "{host}");
        assert_eq!(class(&outcome), want, "{host}: {outcome:?}");
        // What the monitor's own options name is refused by us; where a name leads is up to who owns it.
        let own = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let verdict = if own { Verdict::Unknown } else { Verdict::Down };
        assert_eq!(outcome.verdict, verdict, "{host}: {outcome:?}");
    }
    let came = listener.accept();
    assert_eq!(came.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn what_has_no_ports_is_subject_to_the_rules_about_addresses_all_the_same() {
    let policy = Arc::new(Policy { public_only: true, ports: vec![80..=80], ..Policy::default() });
    for (host, verdict) in [("127.0.0.1", Verdict::Unknown), ("localhost", Verdict::Down)] {
        let probe = build("ping", &format!("host: {host}"));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let cx = ProbeCx { policy: Arc::clone(&policy), ..ProbeCx::new(deadline, Clock::system().now()) };
        let outcome = probe.collector.probe(&cx).await;
        let class = outcome.reason.as_ref().map_or("", |r| r.class.as_ref());
        assert_eq!((outcome.verdict, class), (verdict, "blocked_address"), "{host}: {outcome:?}");
        // Nor is anything sent for evidence.
        let seen = look(host, &cx).await;
        let sent = |title: &str| title.starts_with("ping") || title.starts_with("path");
        assert!(!seen.items.iter().any(|(title, _)| sent(title)), "{seen:?}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn no_kind_reaches_what_the_policy_does_not_allow() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let udp = socket.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let kubeconfig = dir.path().join("config");
    let cluster = format!("clusters: [{{name: a, cluster: {{server: \"http://{at}\"}}}}]");
    let text = format!(
        "{cluster}\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\ncurrent-context: a\nusers: []\n"
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let unix = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
    unix.set_nonblocking(true).unwrap();
    let path = dir.path().join("s").display().to_string();
    for (kind, text) in [
        ("http", format!("url: \"http://{at}/\"")),
        ("http", format!("url: \"https://{at}/\"")),
        ("http", format!("url: \"http://a.example/\", connect_to: \"{at}\"")),
        ("http", format!("url: \"http://a.example/\", proxy: \"http://{at}\"")),
        ("http", format!("steps: [{{url: \"http://{at}/\"}}]")),
        ("tcp", format!("host: \"{at}\"")),
        ("udp", format!("host: \"{udp}\"")),
        ("unix", format!("path: {path}")),
        ("tls", format!("host: \"{at}\"")),
        ("grpc", format!("host: \"{at}\"")),
        ("websocket", format!("url: \"ws://{at}/\"")),
        ("smtp", format!("host: \"{at}\"")),
        ("imap", format!("host: \"{at}\"")),
        ("ssh", format!("host: \"{at}\"")),
        ("ntp", format!("host: \"{udp}\"")),
        ("redis", format!("host: \"{at}\"")),
        ("postgres", format!("host: \"{at}\", user: u")),
        ("mysql", format!("host: \"{at}\", user: u")),
        ("mqtt", format!("host: \"{at}\"")),
        ("docker", format!("host: \"tcp://{at}\"")),
        ("docker", format!("host: \"unix://{path}\"")),
        ("domain", format!("domain: a.example, server: \"http://{at}/\", method: rdap")),
        ("dns", format!("query_name: a.example, servers: \"tcp://{at}\"")),
        ("dns", format!("query_name: a.example, servers: \"udp://{udp}\"")),
        ("kubernetes", format!("kubeconfig: {}", kubeconfig.display())),
        ("prometheus", format!("url: \"http://{at}/\"")),
    ] {
        let outcome = build(kind, &format!("{{{text}}}")).collector.probe(&strict()).await;
        assert_ne!(outcome.verdict, Verdict::Up, "{kind}: {text}");
        assert_eq!(class(&outcome), "blocked_address", "{kind}: {text}: {outcome:?}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(socket.recv(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(unix.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_main_file_says_which_sockets_may_be_asked() {
    let place = Place::new();
    place.write("watchdog.yaml", "policy: {private: deny, sockets: [/run/nowhere/*.sock]}\n");
    place.write(
        "monitors.d/a.yaml",
        "defaults: {interval: 1s, timeout: 900ms}\nmonitors:\n\
         \x20 - {name: other, type: unix, path: /run/docker.sock}\n  - {name: listed, type: unix, path: /run/nowhere/a.sock}\n",
    );
    let server = place.serve();
    for (name, want) in [("other", "`policy.sockets` does not allow `/run/docker.sock`"), ("listed", "no such socket")]
    {
        wait_for(name, || {
            server.row(name).filter(|row| row["headline"].as_str().is_some_and(|text| text.contains(want)))
        });
    }
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
