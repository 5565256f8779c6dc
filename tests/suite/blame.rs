//! Whose fault a failure is, on the real binary: this machine's, a parent's, or the target's.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use serde_json::Value;

use crate::kinds::daemon::free_port;
use crate::server::{Place, Server, wait_for};

/// The states of all monitors and the first words of what they say.
fn rows(server: &Server) -> Vec<(String, String, String)> {
    let board = server.get("/api/v1/board");
    let text = |m: &Value, key: &str| m[key].as_str().unwrap_or_default().to_owned();
    let rows = board["monitors"].as_array().unwrap().iter();
    rows.map(|m| (text(m, "name"), text(m, "state"), text(m, "headline"))).collect()
}

/// Name and monitor of each alert, in order.
fn alerts(server: &Server) -> Vec<String> {
    let board = server.get("/api/v1/board");
    let text = |a: &Value, key: &str| a[key].as_str().unwrap_or_default().to_owned();
    let of = |a: &Value| format!("{} {}", text(a, "name"), text(a, "monitor"));
    let mut all: Vec<String> = board["alerts"].as_array().unwrap().iter().map(of).collect();
    all.sort();
    all
}

/// A name server that knows no name.
fn knows_nothing() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 2_048];
        while let Ok((n, from)) = socket.recv_from(&mut bytes) {
            if n >= 12 {
                // An answer, recursion available: NXDOMAIN.
                (bytes[2], bytes[3]) = (bytes[2] | 0x80, 0x83);
                let _ = socket.send_to(&bytes[..n], from);
            }
        }
    });
    at
}

#[test]
fn while_no_reference_answers_nothing_is_down_and_one_alert_speaks_for_all() {
    let reference = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let place = Place::new();
    place.write(
        "watchdog.yaml",
        &format!(
            "self:\n  references: [{{type: tcp, host: \"{reference}\"}}]\n  \
             interval: 1s\n  default_route: false\n  resolver: false\n"
        ),
    );
    // Names that their resolver does not know: down, whatever network there is.
    let names = knows_nothing();
    let mut monitors = "defaults: {interval: 1s, timeout: 900ms, alert: {after: 1}}\nmonitors:\n".to_owned();
    for i in 0..10 {
        monitors.push_str(&format!(
            "  - {{name: m{i}, type: tcp, host: \"host{i}.invalid:80\", resolver: [\"{names}\"]}}\n"
        ));
    }
    // What runs on this machine is judged all the same.
    monitors.push_str("  - {name: here, type: script, command: [sh, -c, \"exit 2\"], alert: false}\n");
    // What cannot judge by itself has an alert of its own, which hides nothing; or none.
    monitors.push_str("  - {name: odd, type: script, command: [sh, -c, \"echo odd; exit 3\"]}\n");
    monitors.push_str("  - {name: quiet, type: script, command: [sh, -c, \"exit 3\"], alert: false}\n");
    place.write("monitors.d/a.yaml", &monitors);
    let server = place.serve();
    let probed = |server: &Server| {
        let mut rows = rows(server);
        rows.retain(|r| r.0 != "odd" && r.0 != "quiet");
        rows
    };
    wait_for("verdicts", || {
        let rows = probed(&server);
        let ours = |r: &(String, String, String)| {
            r.1 == "unknown" && r.2.starts_with("none of our references answers (`127.0.0.1:")
        };
        let judged = rows.iter().all(|r| if r.0 == "here" { r.1 == "down" } else { ours(r) });
        (rows.len() == 11 && judged).then_some(())
    });
    wait_for("the alert about ourselves", || {
        (alerts(&server) == ["MonitorUnknown odd", "WatchdogSelfImpaired watchdog"]).then_some(())
    });
    let why = server.get("/api/v1/why?about=odd").to_string();
    assert!(why.contains("in a row could not be judged, 1 are needed"), "{why}");
    let metrics = server.text("/metrics");
    assert!(metrics.contains("watchdog_self_impaired 1"), "{metrics}");

    let _answers = TcpListener::bind(reference).unwrap();
    wait_for("down", || probed(&server).iter().all(|r| r.1 == "down").then_some(()));
    wait_for("alerts of the monitors alone", || {
        let found = alerts(&server);
        let down = found.iter().filter(|a| a.starts_with("MonitorDown m")).count();
        (down == 10 && found[10..] == ["MonitorUnknown odd"]).then_some(())
    });
    assert_eq!(server.stop(), 0);
}

#[test]
fn what_depends_on_a_monitor_that_is_down_is_unknown_and_pages_once_it_fails_alone() {
    let gateway = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let place = Place::new();
    place.write(
        "monitors.d/a.yaml",
        &format!(
            "defaults: {{interval: 1s, timeout: 900ms, alert: {{after: 1}}}}\nmonitors:\n\
             \x20 - {{name: gateway, type: tcp, host: \"{gateway}\"}}\n\
             \x20 - {{name: shop, type: script, command: [sh, -c, \"exit 2\"], depends_on: [gateway]}}\n\
             \x20 - {{name: tape, type: script, command: [sh, -c, \"exit 3\"], depends_on: [gateway]}}\n"
        ),
    );
    let server = place.serve();
    wait_for("unknown", || {
        let rows = rows(&server);
        let down = rows[0].1 == "down";
        // One that fails, and one whose check cannot judge.
        let why = "`gateway` is down, and this depends on it";
        let excused = rows[1..].iter().all(|r| r.1 == "unknown" && r.2.starts_with(why));
        (down && excused).then_some(())
    });
    let of_shop = |server: &Server| {
        let board = server.get("/api/v1/board");
        let found = board["alerts"].as_array().unwrap().iter().filter(|a| a["monitor"] == "shop").cloned();
        found.collect::<Vec<Value>>()
    };
    assert_eq!(of_shop(&server), Vec::<Value>::new());
    wait_for("the alert of the parent alone", || (alerts(&server) == ["MonitorDown gateway"]).then_some(()));
    wait_for("the stored state", || {
        let found = server.get("/api/v1/query?query=watchdog_monitor_state%7Bmonitor%3D%22shop%22%7D");
        (found["data"]["result"][0]["value"][1] == "5").then_some(())
    });
    let why = server.get("/api/v1/why?about=shop");
    assert!(why.to_string().contains("`gateway` is down"), "{why}");

    let _up = TcpListener::bind(gateway).unwrap();
    wait_for("an alert of the child", || of_shop(&server).iter().any(|a| a["state"] == "firing").then_some(()));
    let rows = rows(&server);
    assert_eq!((rows[0].1.as_str(), rows[1].1.as_str()), ("up", "down"));
    assert_eq!(server.stop(), 0);
}
