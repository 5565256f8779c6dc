//! `kill -9` at random moments while targets flap and the receiver misbehaves: nothing that was
//! decided is lost, and a kill repeats at most one message, under the same key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::server::{Place, Server, wait_for};

const MONITORS: usize = 12;
const KILLS: usize = 50;
const SEED: u64 = 0x5eed;

/// A message that the receiver answered with 200.
#[derive(Clone, Debug)]
struct Accepted {
    key: String,
    monitor: String,
    status: String,
    starts_at: String,
}

#[derive(Default)]
struct World {
    broken: [AtomicBool; MONITORS],
    calm: AtomicBool,
    accepted: Mutex<Vec<Accepted>>,
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
    let (mut key, mut length) = (String::new(), 0);
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
        1..=2 => return stream.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok(),
        _ => {}
    }
    let text = |v: &Value| v.as_str().unwrap_or("").to_owned();
    let alert = &body["alerts"][0];
    world.accepted.lock().unwrap().push(Accepted {
        key,
        monitor: text(&alert["labels"]["monitor"]),
        status: text(&body["status"]),
        starts_at: text(&alert["startsAt"]),
    });
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()
}

fn decided(server: &Server) -> BTreeMap<(String, String), usize> {
    let mut count = BTreeMap::new();
    let mut before = String::new();
    loop {
        let page = server.get(&format!("/api/v1/events?kind=alert&limit=500{before}"));
        for e in page["events"].as_array().unwrap() {
            let key = (e["subject"].as_str().unwrap().to_owned(), e["what"].as_str().unwrap().to_owned());
            *count.entry(key).or_default() += 1;
        }
        match page["next"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => return count,
        }
    }
}

#[test]
fn kill_9_loses_no_message_and_repeats_at_most_one() {
    let world = Arc::new(World::default());
    let (target_port, receiver_port) = (listen(&world, target), listen(&world, receiver));
    let place = Place::new();
    place.write(
        "watchdog.yaml",
        &format!("notifiers: [{{name: hook, type: webhook, url: \"http://127.0.0.1:{receiver_port}/\"}}]\n"),
    );
    let mut monitors =
        String::from("defaults: {interval: 1s, timeout: 800ms, alert: {after: 1, clear_after: 1}}\nmonitors:\n");
    for i in 0..MONITORS {
        writeln!(monitors, "  - {{name: m{i}, type: http, url: \"http://127.0.0.1:{target_port}/{i}\"}}").unwrap();
    }
    place.write("monitors.d/all.yaml", &monitors);

    let mut random = fastrand::Rng::with_seed(SEED);
    let mut server = place.serve();
    for _ in 0..KILLS {
        for _ in 0..random.usize(1..5) {
            let i = random.usize(0..MONITORS);
            world.broken[i].fetch_not(Ordering::Relaxed);
            thread::sleep(Duration::from_millis(random.u64(50..400)));
        }
        server.kill();
        server = place.serve();
    }

    world.calm.store(true, Ordering::Relaxed);
    world.broken.iter().for_each(|b| b.store(false, Ordering::Relaxed));
    wait_for("calm", || {
        let board = server.get("/api/v1/board");
        let up = board["monitors"].as_array()?.iter().all(|m| m["state"] == "up");
        let over = board["alerts"].as_array()?.iter().all(|a| a["state"] == "resolved");
        (up && over && board["engine"]["outbox"] == 0).then_some(())
    });
    let decided = decided(&server);
    assert_eq!(server.stop(), 0);

    let accepted = world.accepted.lock().unwrap().clone();
    let mut episodes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut first: HashMap<(&str, &str, &str), usize> = HashMap::new();
    let mut keys: HashMap<&str, usize> = HashMap::new();
    for (n, a) in accepted.iter().enumerate() {
        episodes.entry(&a.monitor).or_default().insert(&a.starts_at);
        first.entry((&a.monitor, &a.starts_at, &a.status)).or_insert(n);
        *keys.entry(&a.key).or_default() += 1;
    }
    let total: usize = episodes.values().map(BTreeSet::len).sum();
    assert!(total >= 20, "only {total} episodes: the test proves too little");
    for (monitor, starts) in &episodes {
        for start in starts {
            let firing = first.get(&(*monitor, *start, "firing"));
            let resolved = first.get(&(*monitor, *start, "resolved"));
            assert!(
                firing.is_some() && firing < resolved,
                "{monitor} {start}: firing {firing:?} resolved {resolved:?}"
            );
        }
        for what in ["firing", "resolved"] {
            let events = decided.get(&((*monitor).to_owned(), what.to_owned())).copied().unwrap_or(0);
            // A disk that stalls for seconds makes the engine page before it can store; a kill then loses
            // the event, never the message.
            assert!(events <= starts.len(), "{monitor}: {events} {what} events, {} episodes told", starts.len());
        }
    }
    let told: BTreeSet<&str> = episodes.keys().copied().collect();
    assert!(decided.keys().all(|(m, _)| told.contains(m.as_str())), "decided but never told");
    let repeats: usize = keys.values().map(|n| n - 1).sum();
    assert!(repeats <= KILLS, "{repeats} repeats in {KILLS} kills");
    assert_eq!(keys.len(), 2 * total, "one key per message");
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
