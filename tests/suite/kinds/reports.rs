//! `heartbeat` and `webhook` on the real server, told by a real HTTP client.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kinds::daemon::program;
use crate::server::{Place, Server, wait_for};

/// Calls with curl and gives status and body.
fn curl(server: &Server, path: &str, args: &[&str]) -> (u16, Value) {
    let url = format!("http://{}{path}", server.http().trim_start_matches("http://"));
    let out = Command::new("curl")
        .args(["-sS", "--max-time", "30", "-w", "\n%{http_code}"])
        .args(args)
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Waits until the monitor's last result is what is wanted, and gives it.
fn seen(server: &Server, monitor: &str, verdict: &str, text: &str) -> Value {
    wait_for(&format!("{monitor} to be {verdict}: {text}"), || {
        let last = server.get(&format!("/api/v1/monitors/{monitor}"))["last"].clone();
        let said = last["reason"]["message"].as_str().or(last["summary"].as_str()).unwrap_or_default().to_owned();
        (last["verdict"] == verdict && said.contains(text)).then_some(last)
    })
}

fn serve(place: &Place) -> Server {
    place.serve_with(|c| {
        c.env("WATCHDOG_LISTEN", "127.0.0.1:0").env("JOB_TOKEN", "a-token-of-a-job").env("HOOK", "It's a Secret");
    })
}

const MONITORS: &str = r#"monitors:
  - name: backup
    type: heartbeat
    token: "${env:JOB_TOKEN}"
    schedule: "30 3 * * *"
    timezone: Europe/Berlin
    grace: 1h
    max_runtime: 2h
  - {name: busy, type: heartbeat, token: "${env:JOB_TOKEN}", interval: 1m, max_per_minute: 3}
  - name: ci
    type: webhook
    preset: github
    signature: {secret: "${env:HOOK}"}
  - name: grafana
    type: webhook
    preset: grafana
    token: another-token
"#;

#[test]
fn a_job_tells_its_start_its_end_and_what_it_printed() {
    let Some(_) = program("curl", "curl") else { return };
    let place = Place::new();
    place.write("monitors.d/all.yaml", MONITORS);
    let server = serve(&place);
    seen(&server, "backup", "unknown", "no report yet");
    let bearer = "authorization: Bearer a-token-of-a-job";
    assert_eq!(curl(&server, "/api/v1/push/backup/start?token=wrong", &["-X", "POST"]).0, 403);
    assert_eq!(curl(&server, "/api/v1/push/nobody/start", &["-X", "POST", "-H", bearer]).0, 403);
    assert_eq!(curl(&server, "/api/v1/push/backup/sideways", &["-X", "POST", "-H", bearer]).0, 400);
    assert_eq!(curl(&server, "/api/v1/push/backup/start", &["-X", "POST", "-H", bearer]).0, 200);
    seen(&server, "backup", "unknown", "running for");
    // As a script calls it: `curl --data-binary @log …/push/backup/$?`.
    let log = "reading\nsent a-token-of-a-job\ndisk full";
    assert_eq!(curl(&server, "/api/v1/push/backup/3", &["-H", bearer, "--data-binary", log]).0, 200);
    let last = seen(&server, "backup", "down", "exit code 3");
    assert_eq!(last["evidence"]["items"][0][1], "reading\nsent ***\ndisk full");
    let value = |name: &str| {
        let samples = last["samples"].as_array().unwrap();
        samples.iter().find(|s| s["name"] == name).and_then(|s| s["value"].as_f64())
    };
    assert_eq!(value("watchdog_heartbeat_exit_code"), Some(3.0));
    assert!(value("watchdog_heartbeat_run_seconds").is_some_and(|s| s < 120.0));
    // It survives a crash.
    server.kill();
    let server = serve(&place);
    seen(&server, "backup", "down", "exit code 3");
    let body = r#"{"message": "7 GiB", "duration": 12.5, "metrics": {"backup_bytes": 7e9}}"#;
    let json = ["-H", bearer, "-H", "content-type: application/json", "-d"];
    assert_eq!(curl(&server, "/api/v1/push/backup", &[&json[..], &[body]].concat()).0, 200);
    seen(&server, "backup", "up", "7 GiB");
    wait_for("the job's own series", || {
        let text = server.text("/api/v1/query?query=backup_bytes%7Bmonitor=%22backup%22%7D");
        text.contains("7000000000").then_some(())
    });
    let ours = r#"{"metrics": {"probe_success": 1}}"#;
    assert_eq!(curl(&server, "/api/v1/push/backup", &[&json[..], &[ours]].concat()).0, 400);
}

#[test]
fn a_job_below_push_is_told_whole_and_ends_as_it_does() {
    let place = Place::new();
    place.write("monitors.d/all.yaml", MONITORS);
    let server = serve(&place);
    let push = |args: &[&str]| {
        let mut command = place.command();
        command.args(["push", "backup"]).args(args).env("WATCHDOG_PUSH_TOKEN", "a-token-of-a-job");
        command.stdin(Stdio::null()).output().unwrap()
    };
    let script = "echo to stdout; echo \"token: $WATCHDOG_PUSH_TOKEN.\" >&2; exit 7";
    let out = push(&["--metric", "backup_files=3", "--", "/bin/sh", "-c", script]);
    assert_eq!(out.status.code(), Some(7));
    assert_eq!(String::from_utf8_lossy(&out.stdout), "to stdout\n");
    assert_eq!(String::from_utf8_lossy(&out.stderr), "token: .\n");
    let last = seen(&server, "backup", "down", "exit code 7");
    let log = last["evidence"]["items"][0][1].as_str().unwrap();
    assert!(log.contains("to stdout") && log.contains("token: ."), "{log}");
    let has = |name: &str| last["samples"].as_array().unwrap().iter().any(|s| s["name"] == name);
    assert!(has("backup_files") && has("watchdog_heartbeat_run_seconds"), "{last}");
    let out = push(&["--message", "by hand"]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    seen(&server, "backup", "up", "by hand");
    // Without a server the job runs all the same.
    drop(server);
    let out = push(&["--", "/bin/sh", "-c", "echo done"]);
    assert_eq!((out.status.code(), &*out.stdout), (Some(0), &b"done\n"[..]));
    assert!(String::from_utf8_lossy(&out.stderr).contains("the report was not taken"), "{out:?}");
}

#[test]
fn a_job_that_runs_wild_is_slowed_down() {
    let Some(_) = program("curl", "curl") else { return };
    let place = Place::new();
    place.write("monitors.d/all.yaml", MONITORS);
    let server = serve(&place);
    let statuses: Vec<u16> =
        (0..5).map(|_| curl(&server, "/api/v1/push/busy/success?token=a-token-of-a-job", &["-X", "POST"]).0).collect();
    assert_eq!(statuses[..3], [200; 3]);
    assert!(statuses[3..].contains(&429), "{statuses:?}");
    let slow = curl(&server, "/api/v1/push/busy/success?token=a-token-of-a-job", &["-X", "POST"]).1;
    assert!(slow["error"].as_str().unwrap_or_default().contains("too many reports"), "{slow}");
    assert_eq!(curl(&server, "/api/v1/push/backup/success?token=a-token-of-a-job", &["-X", "POST"]).0, 200);
}

#[test]
fn other_systems_open_and_close_what_is_wrong() {
    let Some(_) = program("curl", "curl") else { return };
    let place = Place::new();
    place.write("monitors.d/all.yaml", MONITORS);
    let server = serve(&place);
    let json = ["-H", "content-type: application/json", "--data-binary"];
    let grafana = |status: &str| {
        format!(
            r#"{{"alerts": [{{"status": "{status}", "fingerprint": "f", "labels": {{"alertname": "Disk",
            "severity": "warning"}}, "annotations": {{"summary": "disk of a is full"}}}}]}}"#
        )
    };
    let path = "/api/v1/webhook/grafana?token=another-token";
    seen(&server, "grafana", "up", "no event yet");
    assert_eq!(curl(&server, "/api/v1/webhook/grafana", &[&json[..], &[&grafana("firing")]].concat()).0, 403);
    assert_eq!(curl(&server, path, &[&json[..], &["no json"]].concat()).0, 400);
    let (status, said) = curl(&server, path, &[&json[..], &[&grafana("firing")]].concat());
    assert_eq!((status, &said["events"]), (200, &Value::from(1)));
    seen(&server, "grafana", "degraded", "disk of a is full");
    curl(&server, path, &[&json[..], &[&grafana("resolved")]].concat());
    seen(&server, "grafana", "up", "nothing open");
    let alert = |n: u32| format!(r#"{{"status": "firing", "fingerprint": "f{n}", "labels": {{"alertname": "A{n}"}}}}"#);
    let flood = format!(r#"{{"alerts": [{}]}}"#, (0..150).map(alert).collect::<Vec<_>>().join(","));
    let (status, said) = curl(&server, path, &[&json[..], &[&flood]].concat());
    assert_eq!((status, &said["events"]), (200, &Value::from(100)));
    seen(&server, "grafana", "down", "A99, and 50 more that are not kept (and 99 more)");

    let body = r#"{"repository": {"full_name": "o/r"}, "workflow_run": {"name": "CI", "head_branch": "main",
        "display_title": "fix the parser", "conclusion": "failure"}}"#;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"It's a Secret");
    let digits: String = ring::hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let header = format!("X-Hub-Signature-256: sha256={digits}");
    let other = body.replace("parser", "lexer");
    let call = |body: &str| curl(&server, "/api/v1/webhook/ci", &[&json[..], &[body, "-H", &header]].concat());
    assert_eq!(call(&other).0, 403, "the signature is not that body's");
    assert_eq!(call(body).0, 200);
    let last = seen(&server, "ci", "down", "fix the parser");
    assert!(last["evidence"]["items"][0][1].as_str().unwrap().contains("branch: main"), "{last}");
    server.kill();
    let server = serve(&place);
    seen(&server, "ci", "down", "fix the parser");
    assert!(!place.log().contains("It's a Secret"));
}

#[test]
fn half_a_report_changes_nothing() {
    let place = Place::new();
    place.write("monitors.d/all.yaml", MONITORS);
    let server = serve(&place);
    seen(&server, "grafana", "up", "no event yet");
    seen(&server, "backup", "unknown", "no report yet");
    let at = server.http().trim_start_matches("http://").to_owned();
    let body = r#"{"alerts": [{"status": "firing", "fingerprint": "f", "labels": {"alertname": "Disk"}}]}"#;
    let mut senders = Vec::new();
    for (path, token) in [("webhook/grafana", "another-token"), ("push/backup/fail", "a-token-of-a-job")] {
        let mut sender = std::net::TcpStream::connect(&at).unwrap();
        let head = format!(
            "POST /api/v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
            body.len() + 1
        );
        // All of it but a byte, and then silence.
        sender.write_all(format!("{head}{body}").as_bytes()).unwrap();
        senders.push(sender);
    }
    let unchanged = || {
        let of = |name: &str| server.get(&format!("/api/v1/monitors/{name}"))["last"]["verdict"].clone();
        assert_eq!((of("grafana"), of("backup")), ("up".into(), "unknown".into()));
    };
    // A report of another sender is taken and judged meanwhile.
    server.post("/api/v1/push/busy/success?token=a-token-of-a-job");
    seen(&server, "busy", "up", "");
    unchanged();
    for mut sender in senders {
        sender.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        sender.read_to_string(&mut answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    unchanged();
}
