//! Objectives on the real binary: their rules, and the report over API and command line.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;

use crate::kinds::daemon::free_port;
use crate::server::{Place, wait_for};

#[test]
fn an_objective_has_rules_and_a_report_that_says_what_it_counted() {
    let place = Place::new();
    let target = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let listener = TcpListener::bind(target).unwrap();
    place.write(
        "watchdog.yaml",
        "maintenance:\n  - {name: always, matchers: ['monitor=\"planned\"'], start: 2026-01-01 00:00, end: 2096-01-01 00:00}\n",
    );
    place.write(
        "monitors.d/a.yaml",
        &format!(
            "defaults: {{interval: 1s, timeout: 900ms, retries: 0}}\nmonitors:\n\
             \x20 - {{name: shop, type: tcp, host: \"{target}\", slo: 99.9%}}\n\
             \x20 - {{name: child, type: script, command: [sh, -c, \"exit 2\"], depends_on: [shop]}}\n\
             \x20 - {{name: planned, type: script, command: [sh, -c, \"exit 2\"]}}\n\
             \x20 - {{name: off, type: tcp, host: \"{target}\", slo: 99%, paused: true}}\n"
        ),
    );
    let server = place.serve();
    let report = |server: &crate::server::Server| server.get("/api/v1/sla?filter=%7Bmonitor%21%3D%22none%22%7D");
    let row = |report: &Value, name: &str| {
        report["monitors"].as_array().unwrap().iter().find(|m| m["monitor"] == name).cloned().unwrap()
    };
    wait_for("time up", || (row(&report(&server), "shop")["up"].as_f64().unwrap() > 2.0).then_some(()));
    drop(listener);
    wait_for("time down", || (row(&report(&server), "shop")["down"].as_f64().unwrap() > 1.0).then_some(()));
    wait_for("a parent's fault", || {
        (row(&report(&server), "child")["excluded"]["parent"].as_f64().unwrap() > 1.0).then_some(())
    });
    let _again = TcpListener::bind(target).unwrap();
    let last = wait_for("recovery", || Some(row(&report(&server), "shop")).filter(|r| !r["mttr"].is_null()));
    assert_eq!((&last["outages"], &last["met"]), (&1.into(), &false.into()), "{last}");
    assert!(last["availability"].as_f64().unwrap() < 0.999 && last["budget"]["left"].as_f64().unwrap() < 0.0, "{last}");
    assert!(last["downtimes"][0]["ends_at"].is_string(), "{last}");
    let off = row(&report(&server), "off");
    assert!(off["objective"] == 0.99 && off["excluded"]["paused"].as_f64().unwrap() > 0.0, "{off}");
    let planned = row(&report(&server), "planned");
    assert!(
        planned["availability"].is_null() && planned["excluded"]["maintenance"].as_f64().unwrap() > 2.0,
        "{planned}"
    );

    // The rules stand where the monitor does.
    let rules = server.get("/api/v1/rules/list");
    let of_slo: Vec<&Value> =
        rules.as_array().unwrap().iter().filter(|r| r["group"].as_str().unwrap().starts_with("slo shop")).collect();
    let alerts: Vec<&str> =
        of_slo.iter().filter(|r| r["kind"] == "alert").map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(alerts, ["SloBurnFast", "SloBurn", "SloBurnSlow"]);
    assert!(of_slo.iter().all(|r| r["source"].as_str().unwrap().starts_with("monitors.d/a.yaml:3:")), "{of_slo:?}");
    assert!(server.text("/api/v1/rules").contains("slo shop, long"));
    assert!(server.get("/api/v1/why?about=SloBurnFast")["steps"].is_array());

    let run = |args: &[&str]| place.command().args(["sla", "report"]).args(args).output().unwrap();
    let table = run(&["shop"]);
    assert_eq!(table.status.code(), Some(1), "{table:?}");
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("shop") && text.contains("99.9%") && !text.contains("child"), "{text}");
    let csv = String::from_utf8(run(&["--format", "csv"]).stdout).unwrap();
    assert_eq!(csv.lines().count(), 5, "{csv}");
    let md = String::from_utf8(run(&["--format", "md", "--filter", "monitor=\"shop\""]).stdout).unwrap();
    assert!(md.starts_with("# Availability, ") && md.contains("## Downtimes of shop"), "{md}");
    let json: Value = serde_json::from_slice(&run(&["--format", "json"]).stdout).unwrap();
    assert_eq!(json["monitors"].as_array().unwrap().len(), 4);
    assert_eq!(run(&["--month", "2026-13"]).status.code(), Some(2));
    assert_eq!(run(&["nobody"]).status.code(), Some(1));
    assert_eq!(server.stop(), 0);
}
