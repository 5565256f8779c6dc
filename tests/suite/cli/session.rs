//! An operator's evening: a real server, a receiver, and the commands in the order in which they are needed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::server::{Place, wait_for};

/// Takes messages and signs of life, and remembers their paths.
struct Recorder {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<String>>>,
    refuses: Arc<AtomicBool>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (taken, refuses) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let recorder = Self { address: listener.local_addr().unwrap(), taken, refuses };
        let (taken, refuses) = (Arc::clone(&recorder.taken), Arc::clone(&recorder.refuses));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (taken, refuses) = (Arc::clone(&taken), Arc::clone(&refuses));
                std::thread::spawn(move || serve(stream.unwrap(), &taken, &refuses));
            }
        });
        recorder
    }

    fn count(&self, begin: &str) -> usize {
        self.taken.lock().unwrap().iter().filter(|t| t.starts_with(begin)).count()
    }
}

/// Requests of one connection, until it ends.
fn serve(stream: TcpStream, taken: &Mutex<Vec<String>>, refuses: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut head, mut length) = (String::new(), 0);
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        taken.lock().unwrap().push(format!("{} {}", head.trim_end(), String::from_utf8_lossy(&body)));
        let refused = refuses.load(Ordering::SeqCst);
        let reply = if refused { "HTTP/1.1 500 Broken\r\n" } else { "HTTP/1.1 200 OK\r\n" };
        if write!(stream, "{reply}content-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn run(place: &Place, arguments: &[&str]) -> Said {
    let output = place.command().args(arguments).env("COLUMNS", "80").output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[track_caller]
fn good(place: &Place, arguments: &[&str]) -> String {
    let said = run(place, arguments);
    assert_eq!(said.code, 0, "{arguments:?}\n{}{}", said.out, said.err);
    said.out
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    let said = run(place, &[arguments, &["--json"]].concat());
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{}{}", said.out, said.err))
}

#[test]
fn an_alert_is_taken_silenced_explained_and_the_way_to_people_proved() {
    let recorder = Recorder::start();
    let place = Place::new();
    let address = recorder.address;
    place.write(
        "watchdog.yaml",
        &format!(
            "notifiers: [{{name: ops, type: webhook, url: 'http://{address}/ops'}}]\n\
             maintenance: [{{name: move, matchers: [team=db], start: '2099-12-24T22:00:00Z', duration: 2h}}]\n\
             heartbeat: {{url: 'http://{address}/alive/secret-part', interval: 1s}}\n"
        ),
    );
    place.write(
        "monitors.d/m.yaml",
        "defaults: {interval: 1s, timeout: 1s, alert: {after: 1}}\n\
         monitors:\n  - {name: db, type: tcp, host: '127.0.0.1:1'}\n  - {name: shop, type: tcp, host: '127.0.0.1:1'}\n\
         \x20 - {name: well, type: heartbeat, token: 0123456789abcdef, interval: 1h}\n",
    );
    let server = place.serve();
    wait_for("both alerts told", || (recorder.count("POST /ops") >= 2).then_some(()));
    wait_for("why says so", || (run(&place, &["why", "db"]).code == 0).then_some(()));

    // Somebody takes it.
    let said = good(&place, &["alert", "ack", "db", "-m", "on it", "--for", "2h", "--by", "ann"]);
    assert!(said.starts_with("db: ann has it until "), "{said}");
    let acked = json(&place, &["alert", "show", "db"]);
    assert_eq!((&acked["alert"]["ack"]["by"], &acked["alert"]["ack"]["comment"]), (&"ann".into(), &"on it".into()));
    wait_for("the board shows who has it", || {
        (json(&place, &["alert", "list", "--acked"]).as_array().unwrap().len() == 1).then_some(())
    });
    let history = json(&place, &["alert", "history", "db"]);
    assert!(history.as_array().unwrap().iter().any(|e| e["what"] == "acked" && e["subject"] == "db"), "{history}");
    assert_eq!(run(&place, &["alert", "history", "well", "--since", "1h"]).err, "nothing happened\n");
    assert_eq!(run(&place, &["alert", "history", "nope"]).code, 1);
    good(&place, &["alert", "unack", "db"]);
    assert_eq!(run(&place, &["alert", "unack", "db"]).code, 1, "nobody has it");

    // And keeps the other quiet. A pipe is not asked.
    let made = run(&place, &["silence", "add", "monitor=shop", "--for", "1h", "-m", "new release"]);
    assert!(made.code == 0 && made.err.contains("hides 1 alert now"), "{}", made.err);
    let id = made.out.trim();
    let why = run(&place, &["why", "shop"]);
    assert_eq!(why.code, 1, "{}", why.out);
    assert!(why.out.starts_with("monitor shop: stopped at `silence`"), "{}", why.out);
    assert!(why.out.contains("<- it stops here") && why.err.contains("watchdog silence list"), "{}", why.out);
    good(&place, &["silence", "extend", &id[..8], "--for", "1h"]);
    assert_eq!(json(&place, &["silence", "list"])[0]["matches"], 1);
    good(&place, &["silence", "expire", &id[..8]]);
    assert_eq!(run(&place, &["silence", "expire", id]).code, 1, "it is over");
    assert_eq!(run(&place, &["silence", "expire", "nope"]).code, 1);
    assert_eq!(json(&place, &["maintenance", "next"])[0]["name"], "move");

    // Does it arrive? Twice in a row: a drill does not wait for the one before.
    for _ in 0..2 {
        let drill = json(&place, &["drill", "team=web"]);
        assert_eq!((&drill[0]["notifier"], &drill[0]["ok"]), (&"ops".into(), &true.into()), "{drill}");
    }
    good(&place, &["notify", "test", "ops"]);
    let log = json(&place, &["notify", "log", "--alert", "db"]);
    let sent = log["deliveries"][0]["id"].to_string();
    let before = recorder.count("POST /ops");
    good(&place, &["notify", "resend", &sent]);
    wait_for("sent again", || (recorder.count("POST /ops") > before).then_some(()));
    assert_eq!(json(&place, &["notify", "routes", "team=web"])[0]["notifiers"][0], "ops");

    // Somebody outside hears that all of this lives, and a deaf one is complained about.
    wait_for("signs of life", || (recorder.count("GET /alive/secret-part") >= 2).then_some(()));
    recorder.refuses.store(true, Ordering::SeqCst);
    let complaint = |status: &Value| status["board"]["engine"]["complaints"].to_string();
    let said = wait_for("a complaint", || {
        Some(complaint(&json(&place, &["status"]))).filter(|c| c.contains("the sign of life"))
    });
    assert!(said.contains("500") && !said.contains("secret-part"), "{said}");
    assert_eq!(run(&place, &["notify", "test", "ops"]).code, 1);
    recorder.refuses.store(false, Ordering::SeqCst);
    wait_for("no complaint", || (!complaint(&json(&place, &["status"])).contains("the sign of life")).then_some(()));
    assert_eq!(server.stop(), 0);
    assert!(!place.log().contains("secret-part"), "{}", place.log());
}
