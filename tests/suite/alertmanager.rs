//! Debian's `amtool` and a real Prometheus against the real binary: it is an Alertmanager to both.
//!
//! Needs Debian's packages `prometheus-alertmanager` (for `amtool`) and `prometheus`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use crate::needs;
use crate::server::{Place, Server, wait_for};

/// Everything that a route can say, so that `amtool` reads all of it back.
const POLICY: &str = r#"
server: {listen: "127.0.0.1:0"}
notifiers:
  - {name: hook, type: webhook, url: "http://127.0.0.1:PORT/"}
  - {name: spare, type: webhook, url: "http://127.0.0.1:PORT/"}
receivers:
  - {name: team-web, notifiers: [hook, spare]}
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  routes:
    - {matchers: ['team="web"', 'severity=~"critical|page"'], receiver: team-web, group_by: ['...'], continue: true}
    - {matchers: ['team="web"'], receiver: spare, active_time_intervals: [office], repeat_interval: 1d}
    - {matchers: ['say!="\"hi\" \\ 店"', 'team="quoted"'], receiver: spare, mute_time_intervals: [office]}
time_windows:
  - {name: office, weekdays: [mon-fri], times: ["08:00-18:00"], timezone: Europe/Berlin}
inhibit:
  - {source: ['severity="critical"'], target: ['severity="warning"'], equal: [monitor]}
"#;

/// A webhook: what was posted to it.
fn webhook() -> (u16, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, posts) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let told = told.clone();
            thread::spawn(move || {
                if let Some(post) = take(stream) {
                    // A test that is over reads no more.
                    let _ = told.send(post);
                }
            });
        }
    });
    (port, posts)
}

fn take(mut stream: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        let (name, value) = line.trim().split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    serde_json::from_slice(&body).ok()
}

struct Tool {
    url: String,
    home: tempfile::TempDir,
}

impl Tool {
    fn of(server: &Server) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { url: format!("--alertmanager.url=http://{}", server.http()), home }
    }

    /// What it prints; it must succeed.
    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let (out, all) = self.try_run(args);
        out.unwrap_or_else(|| panic!("amtool {args:?}: {all}"))
    }

    /// What it prints when it succeeds, and everything it said.
    fn try_run(&self, args: &[&str]) -> (Option<String>, String) {
        let out = Command::new("amtool")
            .args(args)
            .arg(&self.url)
            .env("HOME", self.home.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&out.stdout);
        let all = format!("{said}{}", text(&out.stderr));
        (out.status.success().then_some(said), all)
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let said = self.run(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"))
    }
}

fn names(alerts: &Value) -> Vec<&str> {
    let mut names: Vec<_> =
        alerts.as_array().unwrap().iter().map(|a| a["labels"]["alertname"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

fn start(port: u16, place: &Place) -> Server {
    place.write("watchdog.yaml", &POLICY.replace("PORT", &port.to_string()));
    place.serve()
}

#[test]
fn amtool_adds_and_queries_alerts_and_handles_silences() {
    if !needs::commands(&["amtool"]) {
        return;
    }
    let place = Place::new();
    let (port, posts) = webhook();
    let server = start(port, &place);
    let tool = Tool::of(&server);

    tool.run(&["alert", "add", "Slow", "team=web", "severity=page", "--annotation=summary=it is slow"]);
    tool.run(&["alert", "add", "alertname=Full", "severity=warning", "monitor=db"]);
    let told = posts.recv_timeout(crate::server::PATIENCE).unwrap();
    assert_eq!((&told["status"], &told["version"]), (&json!("firing"), &json!("4")), "{told}");
    assert_eq!(names(&tool.json(&["alert", "query"])), ["Full", "Slow"]);
    assert_eq!(names(&tool.json(&["alert", "query", "Slow"])), ["Slow"]);
    assert_eq!(names(&tool.json(&["alert", "query", "team=~w.*"])), ["Slow"]);
    assert_eq!(names(&tool.json(&["alert", "query", "severity!=page"])), ["Full"]);
    assert_eq!(names(&tool.json(&["alert", "query", "--receiver=team-web"])), ["Slow"]);
    let shown = tool.run(&["alert", "query", "Slow"]);
    assert!(shown.contains("Slow") && shown.contains("it is slow") && shown.contains("active"), "{shown}");
    assert!(tool.run(&["alert", "query", "-o", "extended"]).contains("severity=\"warning\""));

    let id = tool.run(&["silence", "add", "team=web", "-c", "deploy", "-a", "ann", "-d", "2h"]).trim().to_owned();
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(names(&tool.json(&["alert", "query"])), ["Full"]);
    assert_eq!(names(&tool.json(&["alert", "query", "--silenced"])), ["Slow"]);
    let silences = tool.json(&["silence", "query"]);
    assert_eq!((&silences[0]["id"], &silences[0]["createdBy"]), (&json!(id), &json!("ann")), "{silences}");
    assert_eq!(tool.run(&["silence", "query", "-q", "team=web"]).trim(), id);
    assert_eq!(tool.run(&["silence", "query", "-q", "team=db"]).trim(), "");
    assert!(tool.run(&["silence", "query"]).contains("deploy"));
    // (With `-q` it prints an address in its memory instead of the id.)
    assert!(tool.run(&["silence", "update", "-d", "3h", "-c", "longer", &id]).contains(&id));
    let updated = tool.json(&["silence", "query"]);
    assert_eq!((&updated[0]["id"], &updated[0]["comment"]), (&json!(id), &json!("longer")), "{updated}");

    let export = place.config().join("silences.json");
    fs::write(&export, tool.json(&["silence", "query"]).to_string()).unwrap();
    let imported = tool.run(&["silence", "import", "-f", export.to_str().unwrap()]);
    assert!(imported.trim().len() == 36 && imported.trim() != id, "{imported}");
    tool.run(&["silence", "expire", &id, imported.trim()]);
    assert_eq!(tool.json(&["silence", "query"]), json!([]));
    assert_eq!(tool.json(&["silence", "query", "--expired"]).as_array().unwrap().len(), 2);
    assert_eq!(names(&tool.json(&["alert", "query"])), ["Full", "Slow"]);
    let (_, refused) = tool.try_run(&["silence", "expire", "00000000-0000-0000-0000-000000000000"]);
    assert!(refused.contains("404") || refused.contains("no silence"), "{refused}");
    assert_eq!(server.stop(), 0);
}

#[test]
fn amtool_reads_the_policy_and_finds_the_same_ways_through_it() {
    if !needs::commands(&["amtool"]) {
        return;
    }
    let place = Place::new();
    let server = start(webhook().0, &place);
    let tool = Tool::of(&server);
    let tree = tool.run(&["config", "routes", "show"]);
    assert!(tree.contains("receiver: team-web") && tree.contains("continue: true"), "{tree}");
    for (labels, receivers) in [
        (vec!["alertname=X"], "hook"),
        (vec!["team=web"], "spare"),
        (vec!["team=web", "severity=page"], "team-web,spare"),
        (vec!["team=quoted", "say=hello"], "spare"),
        (vec!["team=quoted", "say=\"hi\" \\ 店"], "hook"),
    ] {
        let words = labels.iter().map(|l| if l.contains('"') { format!("say={:?}", &l[4..]) } else { (*l).to_owned() });
        let words: Vec<String> = words.collect();
        let args: Vec<&str> =
            ["config", "routes", "test"].into_iter().chain(words.iter().map(String::as_str)).collect();
        assert_eq!(tool.run(&args).trim(), receivers, "{labels:?}");
        let labels: Value = labels
            .iter()
            .map(|l| l.split_once('=').unwrap())
            .map(|(n, v)| (n.to_owned(), v.into()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let ours = crate::server::request(&place.socket(), "POST", "/api/v1/routes/test", &labels.to_string());
        let ours: Vec<_> = ours.as_array().unwrap().iter().map(|m| m["receiver"].as_str().unwrap()).collect();
        assert_eq!(ours.join(","), receivers, "{labels}");
    }
    let status = server.get("/api/v2/status");
    let file = place.config().join("alertmanager.yml");
    fs::write(&file, status["config"]["original"].as_str().unwrap()).unwrap();
    let checked = tool.run(&["check-config", file.to_str().unwrap()]);
    assert!(checked.contains("SUCCESS") && checked.contains("4 receivers"), "{checked}");
    assert!(tool.run(&["cluster", "show"]).contains("disabled"));
    assert_eq!(server.stop(), 0);
}

#[test]
fn an_alert_of_a_real_prometheus_reaches_a_webhook_and_its_end_too() {
    if !needs::commands(&["prometheus"]) {
        return;
    }
    let place = Place::new();
    let (port, posts) = webhook();
    let server = start(port, &place);
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.yml");
    let alert = |expr: &str| {
        let text = format!(
            "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: Always\n    expr: {expr}\n    \
             labels: {{severity: page}}\n    annotations: {{summary: 'it is {{{{ $value }}}}'}}\n"
        );
        fs::write(&rules, text).unwrap();
    };
    alert("vector(7)");
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = dir.path().join("prometheus.yml");
    let text = format!(
        "global: {{evaluation_interval: 1s, external_labels: {{cluster: a}}}}\nrule_files: [rules.yml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n",
        server.http()
    );
    fs::write(&config, text).unwrap();
    let mut peer = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address={listen}"))
        .args(["--web.enable-lifecycle", "--rules.alert.resend-delay=1s"])
        .stdout(Stdio::null())
        .stderr(fs::File::create(dir.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let told = posts.recv_timeout(crate::server::PATIENCE);
    let ended = told.as_ref().ok().and_then(|_| {
        alert("vector(7) > 8");
        let pid = nix::unistd::Pid::from_raw(peer.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
        posts.recv_timeout(crate::server::PATIENCE).ok()
    });
    peer.kill().unwrap();
    peer.wait().unwrap();
    let log = || fs::read_to_string(dir.path().join("log")).unwrap();
    let told = told.unwrap_or_else(|e| panic!("{e}: {}", log()));
    let first = &told["alerts"][0];
    assert_eq!(first["labels"], json!({"alertname": "Always", "cluster": "a", "severity": "page"}));
    assert_eq!((&first["annotations"]["summary"], &told["status"]), (&json!("it is 7"), &json!("firing")));
    assert!(first["generatorURL"].as_str().unwrap().contains("/graph?g0.expr=vector%287%29"), "{first}");
    let ended = ended.unwrap_or_else(|| panic!("its end was not told: {}", log()));
    assert_eq!((&ended["status"], &ended["alerts"][0]["startsAt"]), (&json!("resolved"), &first["startsAt"]));
    let row = wait_for("the end on the board", || {
        let board = server.get("/api/v1/board");
        board["alerts"].as_array()?.iter().find(|a| a["name"] == "Always" && a["state"] == "resolved").cloned()
    });
    assert_eq!(row["monitor"], Value::Null);
    assert_eq!(server.stop(), 0);
}
