//! The real server against targets that do everything wrong: each verdict is right, memory stays
//! where it was, and whatever a target says reaches people as plain text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::evil::Evil;
use crate::evil::tls::Authority;
use crate::server::{Place, Server, wait_for};
use serde_json::Value;

/// What the server may grow by, in KiB, when its targets turn hostile: a body of the largest default size
/// (`max_body`, 1 MiB) per monitor, since all may be probed at once,
const PER_MONITOR: u64 = 1024;
/// and what its threads and their allocators keep, however many targets there are.
const FOR_ALL: u64 = 8 * 1024;
/// Probes of each hostile monitor before memory is looked at.
const ROUNDS: u64 = 3;
/// A file name, a body, a header and a certificate with it would retitle, clear and reorder a terminal.
const ESCAPES: &str = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}";

/// `name`, options, verdict and class.
type Case = (&'static str, String, &'static str, &'static str);

fn cases(evil: &Evil, plain_tls: u16, script: &str) -> Vec<Case> {
    let http = |path: &str, more: &str| format!("type: http, url: \"{}\"{more}", evil.url(path));
    let tls = format!("type: http, url: \"https://localhost:{plain_tls}/\", tls: {{verify: false}}");
    vec![
        ("bomb", http("/bomb", ""), "down", "decode_limit"),
        // What the window of the default size costs is looked at by itself, below.
        ("bomb-br", http("/bomb-br", ", max_body: 64KiB"), "down", "decode_limit"),
        ("endless", http("/endless", ", expect: {body: {contains: nope}}"), "down", "body"),
        ("endless-up", http("/endless", ""), "up", ""),
        ("drip", http("/drip", ""), "down", "timeout"),
        ("slow-headers", http("/slow-headers", ""), "down", "timeout"),
        ("early-hints", http("/1xx", ""), "down", "timeout"),
        ("100k-headers", http("/100k-headers", ""), "down", "too_many_headers"),
        ("1mb-header", http("/1mb-header", ""), "down", "too_many_headers"),
        ("loop", http("/loop", ""), "down", "redirect_loop"),
        ("deep-json", http("/deep-json", ", expect: {json: {\"$.x\": 1}}"), "down", "json"),
        ("in-reason", http("/escapes-in-reason", ""), "down", "status"),
        ("in-header", http("/escapes-in-header", ", expect: {header: {X-Evil: fine}}"), "down", "status"),
        ("in-body", http("/escapes-in-body", ", expect: {body: {contains: fine}}"), "down", "status"),
        ("in-location", http("/escapes-in-location", ""), "down", "redirect_target"),
        ("in-certificate", format!("{tls}, expect: {{cert: {{valid_for: 14d}}}}"), "down", "cert"),
        (
            "in-banner",
            format!(
                "type: tcp, host: \"{}\", send: \"GET /escapes-in-body HTTP/1.0\\r\\n\\r\\n\", expect: {{contains: fine}}",
                evil.at
            ),
            "down",
            "answer",
        ),
        (
            "flood",
            format!(
                "type: tcp, host: \"{}\", send: \"GET /endless HTTP/1.0\\r\\n\\r\\n\", expect: {{contains: fine}}",
                evil.at
            ),
            "down",
            "answer",
        ),
        ("in-output", format!("type: script, command: [{script}]"), "down", "critical"),
    ]
}

/// A value of `/proc/PID/status` in KiB.
fn memory(server: &Server, what: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = text.lines().find(|l| l.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Probes so far, by monitor.
fn probes(server: &Server, names: &[&str]) -> BTreeMap<String, u64> {
    let of = |name: &str| {
        let history = server.get(&format!("/api/v1/monitors/{name}/history"));
        history.as_array().map_or(0, |p| p.len() as u64)
    };
    names.iter().map(|n| ((*n).to_owned(), of(n))).collect()
}

/// Whether a terminal shows a character as itself. A list of its own, from Unicode's tables: the code under test is no
/// judge of itself.
fn is_plain(c: char) -> bool {
    const HOSTILE: [(u32, u32); 11] = [
        // C0 without tab and line feed; DEL and C1.
        (0x00, 0x08),
        (0x0b, 0x1f),
        (0x7f, 0x9f),
        // Marks of direction, embeddings, overrides and isolates.
        (0x061c, 0x061c),
        (0x200e, 0x200f),
        (0x202a, 0x202e),
        (0x2066, 0x2069),
        // What has no width, and breaks of lines that are no line feed.
        (0x200b, 0x200b),
        (0x2028, 0x2029),
        (0xfeff, 0xfeff),
        // Tags.
        (0xe0000, 0xe007f),
    ];
    !HOSTILE.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)))
}

/// Fails on anything that a terminal would not show as itself.
#[track_caller]
fn assert_plain(what: &str, text: &str) {
    if !text.chars().all(is_plain) {
        panic!("{what}: {:?}", text.chars().take(300).collect::<String>());
    }
}

/// The same for the texts within a JSON reply, whose bytes must be plain, too.
#[track_caller]
fn assert_plain_json(what: &str, text: &str) {
    fn walk(what: &str, value: &Value) {
        match value {
            Value::String(s) => assert_plain(what, s),
            Value::Array(all) => all.iter().for_each(|v| walk(what, v)),
            Value::Object(all) => all.iter().for_each(|(key, v)| {
                assert_plain(what, key);
                walk(what, v);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    assert_plain(what, text);
    walk(what, &serde_json::from_str(text).unwrap());
}

/// What the server grows by at its peak, in KiB, when its only monitor is one of this path instead of a friendly one.
fn growth(evil: &Evil, path: &str, want: &str) -> u64 {
    let place = Place::new();
    let write = |name: &str, path: &str| {
        let url = evil.url(path);
        let monitor = format!("  - {{name: {name}, type: http, url: \"{url}\"}}\n");
        place.write("monitors.d/all.yaml", &format!("defaults: {{interval: 1s, timeout: 1s}}\nmonitors:\n{monitor}"));
    };
    write("friendly", "/gzip");
    let server = place.serve();
    let rounds = |name: &str| (probes(&server, &[name])[name] >= ROUNDS).then_some(());
    wait_for("the friendly rounds", || rounds("friendly"));
    wait_for("its own metrics", || {
        let stored = server.get("/api/v1/query?query=watchdog_build_info");
        stored["data"]["result"].as_array().is_some_and(|found| !found.is_empty()).then_some(())
    });
    let before = memory(&server, "VmRSS:");
    fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").unwrap();
    write("hostile", path);
    wait_for("the hostile rounds", || rounds("hostile"));
    let last = server.get("/api/v1/monitors/hostile")["last"].clone();
    assert_eq!(last["reason"]["class"].as_str().unwrap_or(""), want, "{last}");
    let peak = memory(&server, "VmHWM:");
    assert_eq!(server.stop(), 0);
    peak.saturating_sub(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_and_a_bomb_cost_little_memory() {
    let evil = Evil::start().await;
    let endless = growth(&evil, "/endless", "");
    assert!(endless < 8 * 1024, "{endless} KiB");
    for path in ["/bomb", "/bomb-br"] {
        let bomb = growth(&evil, path, "decode_limit");
        assert!(bomb < 16 * 1024, "{path}: {bomb} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_targets_get_their_verdict_fill_no_memory_and_reach_nobody_s_terminal() {
    let evil = Evil::start().await;
    let tls = Authority::new().server("localhost", ESCAPES, (2021, 1, 1)).await;
    let place = Place::new();
    let script = place.config().join("evil.sh");
    fs::write(&script, format!("#!/bin/sh\nprintf '%s | x%s=1\\n' '{ESCAPES}' '{ESCAPES}'\nhead -c 50000000 /dev/zero\nhead -c 50000000 /dev/zero >&2\nexit 2\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let cases = cases(&evil, tls.port, script.to_str().unwrap());
    let names: Vec<&str> = cases.iter().map(|c| c.0).collect();
    let write = |options: &dyn Fn(&Case) -> String| {
        let mut text = "defaults: {interval: 1s, timeout: 1s, alert: {after: 2}}\nmonitors:\n".to_owned();
        for case in &cases {
            writeln!(text, "  - {{name: {}, {}}}", case.0, options(case)).unwrap();
        }
        place.write("monitors.d/all.yaml", &text);
    };

    // As many monitors of a friendly target first: what the server needs for them is no growth.
    write(&|_| format!("type: http, url: \"{}\"", evil.url("/gzip")));
    let server = place.serve();
    wait_for("the friendly rounds", || probes(&server, &names).values().all(|n| *n >= ROUNDS).then_some(()));
    // The server's own metrics are stored every 15 s; memory for that is no growth either.
    wait_for("its own metrics", || {
        let stored = server.get("/api/v1/query?query=watchdog_build_info");
        stored["data"]["result"].as_array().is_some_and(|found| !found.is_empty()).then_some(())
    });
    let before = memory(&server, "VmRSS:");
    // From here on the peak counts.
    fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").unwrap();

    write(&|case| case.1.clone());
    for (name, _, verdict, class) in &cases {
        wait_for(&format!("{name}: {verdict} {class}"), || {
            let last = server.get(&format!("/api/v1/monitors/{name}"))["last"].clone();
            let got = (last["verdict"].as_str()?, last["reason"]["class"].as_str().unwrap_or(""));
            (got == (verdict, class)).then_some(())
        });
    }
    let start = probes(&server, &names);
    wait_for("the hostile rounds", || {
        probes(&server, &names).iter().all(|(name, n)| *n >= start[name] + ROUNDS).then_some(())
    });
    let (after, peak) = (memory(&server, "VmRSS:"), memory(&server, "VmHWM:"));
    println!("before {before} KiB, after {after} KiB, peak {peak} KiB");
    let most = before + cases.len() as u64 * PER_MONITOR + FOR_ALL;
    assert!(peak < most, "grew from {before} to {peak} KiB");

    let shows = names.iter().flat_map(|n| [vec!["monitor", "show", n], vec!["monitor", "history", n]]);
    let others = [vec!["status"], vec!["monitor", "list"], vec!["alert", "list"]];
    for arguments in shows.chain(others) {
        let run = |more: &[&str]| {
            let out = place.command().args(&arguments).args(more).output().unwrap();
            assert!(out.stderr.is_empty(), "{arguments:?}: {out:?}");
            String::from_utf8(out.stdout).unwrap()
        };
        assert_plain(&format!("{arguments:?}"), &run(&[]));
        assert_plain_json(&format!("{arguments:?} --json"), &run(&["--json"]));
    }
    for path in ["/api/v1/board", "/api/v1/events", "/api/v1/alerts", "/api/v1/config"] {
        assert_plain_json(path, &server.text(path));
    }
    for name in &names {
        let path = format!("/api/v1/monitors/{name}");
        assert_plain_json(&path, &server.text(&path));
    }
    assert_plain("/metrics", &server.text("/metrics"));
    assert_eq!(server.stop(), 0);
    for log in fs::read_dir(place.data().join("logs")).unwrap().map(|e| e.unwrap().path()) {
        assert_plain(&log.display().to_string(), &fs::read_to_string(&log).unwrap());
    }
    assert_plain("stderr", &place.log());
}
