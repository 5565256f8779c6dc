//! `kill -9` at random moments while 200 alerts flap and the receiver misbehaves: an alert that lasts is told
//! to everybody and so is its end, in order, and a kill repeats at most one message to each, under the same key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watchdog::base::clock::Clock;
use watchdog::base::time::Timestamp;

use crate::server::{Place, exchange, wait_for};

const MONITORS: usize = 12;
/// Alerts that another server sends; with those of the monitors 200 flap.
const FOREIGN: usize = 188;
/// Alerts of these that are turned around between two kills.
const TURNED: usize = 30;
const SEED: u64 = 0x5eed;
/// One that takes each alert in messages of its own.
const EACH: &str = "hook";
/// And one that is sent digests, which have room for some of the alerts only.
const NOTIFIERS: [&str; 2] = [EACH, "pager"];
/// Longest wait for what must be told, back-off and pauses of a notifier that failed included.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often the server is killed: `WATCHDOG_TEST_KILLS`.
fn kills() -> usize {
    std::env::var("WATCHDOG_TEST_KILLS").map_or(25, |n| n.parse().expect("a number of kills"))
}

/// An alert within a message that the receiver answered with 200.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Heard {
    alert: String,
    status: String,
    starts_at: Timestamp,
}

/// Such a message.
#[derive(Clone, Debug)]
struct Accepted {
    notifier: String,
    key: String,
    alerts: Vec<Heard>,
}

#[derive(Default)]
struct World {
    broken: [AtomicBool; MONITORS],
    calm: AtomicBool,
    accepted: Mutex<Vec<Accepted>>,
}

impl World {
    /// What is believed of each alert that was ever heard of: whether it fires.
    fn beliefs(&self) -> HashMap<String, bool> {
        let accepted = self.accepted.lock().unwrap();
        let heard = accepted.iter().filter(|m| m.notifier == EACH).flat_map(|m| &m.alerts);
        heard.map(|h| (h.alert.clone(), h.status == "firing")).collect()
    }

    /// Waits until it is believed of these alerts that they fire, or do not.
    fn until_told(&self, alerts: &[String], fires: bool, place: &Place) {
        let end = Instant::now() + PATIENCE;
        loop {
            let beliefs = self.beliefs();
            let believed = |a: &String| beliefs.get(a).copied().unwrap_or(false);
            let lost: Vec<_> = alerts.iter().filter(|a| believed(a) != fires).collect();
            if lost.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "lost: not told that it fires ({fires}): {lost:?}\n{}", place.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn listen(world: &Arc<World>, serve: fn(&World, TcpStream) -> Option<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let world = Arc::clone(world);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let world = Arc::clone(&world);
            thread::spawn(move || serve(&world, stream));
        }
    });
    port
}

/// Answers 200 or 503, as the world says.
fn target(world: &World, mut stream: TcpStream) -> Option<()> {
    let mut line = String::new();
    BufReader::new(stream.try_clone().ok()?).read_line(&mut line).ok()?;
    let i: usize = line.split([' ', '/']).find_map(|w| w.parse().ok())?;
    let status = if world.broken[i].load(Ordering::Relaxed) { "503 Service Unavailable" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()
}

/// Takes a notification; while the world is not calm it sometimes answers 500, sometimes nothing.
fn receiver(world: &World, mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut key, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        let (name, value) = line.trim().split_once(':').unwrap_or(("", ""));
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => value.trim().clone_into(&mut key),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let dice = if world.calm.load(Ordering::Relaxed) { 9 } else { fastrand::u8(0..10) };
    match dice {
        0 => return None,
        1 => return stream.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok(),
        _ => {}
    }
    let text = |v: &Value| v.as_str().unwrap_or("").to_owned();
    let heard = |a: &Value| Heard {
        alert: text(a["labels"].get("monitor").unwrap_or(&a["labels"]["alertname"])),
        status: text(&a["status"]),
        starts_at: serde_json::from_value(a["startsAt"].clone()).unwrap(),
    };
    world.accepted.lock().unwrap().push(Accepted {
        notifier: first.split([' ', '/']).find(|w| NOTIFIERS.contains(w))?.to_owned(),
        key,
        alerts: body["alerts"].as_array()?.iter().map(heard).collect(),
    });
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()
}

/// Alerts of another server. What is posted is acknowledged before this returns.
struct Foreign {
    fires: [bool; FOREIGN],
    posted: i64,
}

impl Foreign {
    fn name(n: usize) -> String {
        format!("F{n}")
    }

    /// Makes these alerts fire or end.
    fn post(&mut self, place: &Place, which: impl IntoIterator<Item = usize>, fires: impl Fn(bool) -> bool) {
        let mut body = Vec::new();
        for n in which {
            self.fires[n] = fires(self.fires[n]);
            // No two episodes begin at the same time.
            self.posted += 1;
            let starts_at = Timestamp::from_millis(self.posted);
            let ends_at = if self.fires[n] { "2999-01-01T00:00:00Z" } else { "2001-01-01T00:00:00Z" };
            let labels = json!({"alertname": Self::name(n), "severity": "critical"});
            body.push(match self.fires[n] {
                true => json!({"labels": labels, "startsAt": starts_at, "endsAt": ends_at}),
                false => json!({"labels": labels, "endsAt": ends_at}),
            });
        }
        let reply = exchange(&place.socket(), "POST", "/api/v2/alerts", &Value::from(body).to_string());
        assert_eq!(reply, "");
    }
}

#[test]
fn kill_9_loses_no_alert_that_lasts_and_repeats_at_most_one_message() {
    let world = Arc::new(World::default());
    let (target_port, receiver_port) = (listen(&world, target), listen(&world, receiver));
    let place = Place::new();
    let mut main = String::from("notifiers:\n");
    for (name, more) in NOTIFIERS.into_iter().zip([", digest_above: 100000", ""]) {
        writeln!(main, "  - {{name: {name}, type: webhook, url: \"http://127.0.0.1:{receiver_port}/{name}\"{more}}}")
            .unwrap();
    }
    main.push_str("route: {group_by: ['...'], group_wait: 0s, group_interval: 1s}\nflapping: {enabled: false}\n");
    place.write("watchdog.yaml", &main);
    let mut monitors =
        String::from("defaults: {interval: 1s, timeout: 800ms, alert: {after: 1, clear_after: 1}}\nmonitors:\n");
    for i in 0..MONITORS {
        writeln!(monitors, "  - {{name: m{i}, type: http, url: \"http://127.0.0.1:{target_port}/{i}\"}}").unwrap();
    }
    place.write("monitors.d/all.yaml", &monitors);

    let (mut random, kills) = (fastrand::Rng::with_seed(SEED), kills());
    let mut foreign = Foreign { fires: [false; FOREIGN], posted: Clock::system().now().millis() };
    let mut server = place.serve();
    for round in 0..kills {
        // These stand over the kill, whenever it comes: all the others flap.
        let lasting = [round * 2 % FOREIGN, (round * 2 + 1) % FOREIGN];
        foreign.post(&place, lasting, |_| true);
        for _ in 0..random.usize(1..4) {
            world.broken[random.usize(..MONITORS)].fetch_not(Ordering::Relaxed);
            let turned: BTreeSet<usize> = (0..TURNED / 3).map(|_| random.usize(..FOREIGN)).collect();
            foreign.post(&place, turned.into_iter().filter(|n| !lasting.contains(n)), |fires| !fires);
            thread::sleep(Duration::from_millis(random.u64(0..400)));
        }
        server.kill();
        server = place.serve();
        world.until_told(&lasting.map(Foreign::name), true, &place);
    }

    world.calm.store(true, Ordering::Relaxed);
    let all: Vec<String> = (0..MONITORS).map(|i| format!("m{i}")).chain((0..FOREIGN).map(Foreign::name)).collect();
    for fires in [true, false] {
        world.broken.iter().for_each(|b| b.store(fires, Ordering::Relaxed));
        foreign.post(&place, 0..FOREIGN, |_| fires);
        world.until_told(&all, fires, &place);
    }
    // Digests tell of more alerts than they list; who believes what is known here only.
    let db = rusqlite::Connection::open(place.data().join("db/watchdog.db")).unwrap();
    wait_for("the end of every alert that was told", || {
        let believed = "SELECT count(*) FROM alerting WHERE kind = 'alert' AND json_extract(data, '$.told') <> '{}'";
        let believed: usize = db.query_row(believed, [], |r| r.get(0)).unwrap();
        (believed == 0).then_some(())
    });
    wait_for("an empty outbox", || (server.get("/api/v1/board")["engine"]["outbox"] == 0).then_some(()));
    assert_eq!(server.stop(), 0);
    judge(&world.accepted.lock().unwrap(), &db, kills);
}

/// Judges what the receivers took against what was decided.
fn judge(accepted: &[Accepted], db: &rusqlite::Connection, kills: usize) {
    let mut first: BTreeMap<&str, &Accepted> = BTreeMap::new();
    let mut repeats: BTreeMap<&str, usize> = NOTIFIERS.map(|n| (n, 0)).into();
    let mut last: HashMap<&str, &Heard> = HashMap::new();
    let mut said: HashMap<&Heard, &str> = HashMap::new();
    for message in accepted {
        if let Some(before) = first.insert(&message.key, message) {
            assert_eq!(
                (&before.notifier, &before.alerts),
                (&message.notifier, &message.alerts),
                "one key for two things"
            );
            *repeats.get_mut(message.notifier.as_str()).unwrap() += 1;
            continue;
        }
        if message.notifier != EACH {
            continue;
        }
        let [h] = message.alerts.as_slice() else { panic!("not one alert: {message:?}") };
        let before = last.insert(&h.alert, h);
        let in_order = match (before, h.status.as_str()) {
            (None, status) => status == "firing",
            (Some(b), "resolved") => b.status == "firing" && b.starts_at <= h.starts_at,
            (Some(b), _) => b.status == "resolved" && b.starts_at < h.starts_at,
        };
        assert!(in_order, "{message:?} after {before:?}");
        assert_eq!(said.insert(h, &message.key), None, "two keys for one thing: {message:?}");
    }
    let mut decided = db.prepare("SELECT key FROM outbox").unwrap();
    let decided: BTreeSet<String> = decided.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    let lost: Vec<_> = decided.iter().filter(|k| !first.contains_key(k.as_str())).collect();
    assert!(lost.is_empty(), "decided and never told: {lost:?}");
    for (notifier, repeats) in &repeats {
        assert!(*repeats <= kills, "{notifier}: {repeats} repeats in {kills} kills");
    }
    let digests = first.values().filter(|m| m.alerts.len() > 1).count();
    let _ = writeln!(
        std::io::stderr(),
        "{kills} kills: {} messages, {digests} of them digests, repeated {repeats:?}, lost 0",
        first.len()
    );
}

#[test]
fn after_a_kill_the_first_board_shows_what_was_known_and_how_old_it_is() {
    let place = Place::new();
    // Ends at once the first time, and not within this test the second time.
    let flag = place.config().join("ran");
    let script = format!("if [ -e {0} ]; then exec sleep 50; fi; touch {0}", flag.display());
    place.write(
        "monitors.d/a.yaml",
        &format!(
            "monitors:\n  - {{name: m, type: script, command: [sh, -c, \"{script}\"], interval: 1h, timeout: 55s}}\n"
        ),
    );
    let server = place.serve();
    let known = wait_for("the first result", || server.row("m").filter(|r| r["state"] == "up"));
    let db = place.data().join("db/watchdog.db");
    wait_for("the save", || {
        let db = rusqlite::Connection::open_with_flags(&db, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let saved: i64 = db.query_row("SELECT count(*) FROM history_journal", [], |r| r.get(0)).unwrap();
        (saved > 0).then_some(())
    });
    server.kill();
    let server = place.serve();
    let row = server.row("m").unwrap();
    assert_eq!(
        (&row["state"], &row["since"], &row["last"]),
        (&known["state"], &known["since"], &known["last"]),
        "{row}"
    );
    server.kill();
}

#[test]
fn asked_twice_to_stop_it_ends_at_once() {
    let place = Place::new();
    place.write(
        "monitors.d/a.yaml",
        "monitors:\n  - {name: m, type: script, command: [sleep, \"50\"], interval: 1h, timeout: 55s}\n",
    );
    let server = place.serve();
    wait_for("the probe", || server.text("/metrics").contains("watchdog_probes_in_flight 1").then_some(()));
    server.terminate();
    // The probe under way holds up the ordered end.
    wait_for("the stop", || place.log().contains("stopping").then_some(()));
    assert_eq!(server.stop(), 128 + 15);
    // The same once: in order, and not before the probe had its chance.
    let server = place.serve();
    assert_eq!(server.stop(), 0);
}
