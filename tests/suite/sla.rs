//! Objectives on the real binary: their rules, and the report over API and command line.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};

use serde_json::Value as Json;
use watchdog::base::labels::Labels;
use watchdog::config::rules::RuleKind;
use watchdog::promql::value::{Times, Value};

use crate::config::fake::{Site, said};
use crate::kinds::daemon::free_port;
use crate::promqltest::backend::Backend as _;
use crate::promqltest::memory::Memory;
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
    let row = |report: &Json, name: &str| {
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
    let of_slo: Vec<&Json> =
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
    let json: Json = serde_json::from_slice(&run(&["--format", "json"]).stdout).unwrap();
    assert_eq!(json["monitors"].as_array().unwrap().len(), 4);
    assert_eq!(run(&["--month", "2026-13"]).status.code(), Some(2));
    assert_eq!(run(&["nobody"]).status.code(), Some(1));
    assert_eq!(server.stop(), 0);
}

/// The alerts of the rules that `slo: 99.9%` yields, each with the minute in which it first holds. `found` says what the
/// probes found, one every `pace` seconds.
fn burns(pace: u64, hours: i64, found: impl Fn(i64) -> Option<bool>) -> Vec<(String, i64)> {
    let site = Site::new();
    // What is asked less often can keep no more.
    let slo = if pace < 3_600 { "99.9%" } else { "99%" };
    let monitor = format!("{{name: shop, type: tcp, host: x, interval: {pace}s, timeout: 1s, slo: {slo}}}");
    site.write("monitors.d/a.yaml", format!("monitors: [{monitor}]\n"));
    let loaded = site.load();
    assert_eq!(said(&loaded), Vec::<String>::new());
    let (_, objective) = loaded.config.objectives.iter().next().unwrap();
    let pace = pace as i64 * 1_000;
    let probes = (0..hours * 3_600_000 / pace).filter_map(|n| Some((n * pace, f64::from(found(n)?))));
    let mut memory = Memory::new(false, 1);
    memory.load(&[(Labels::new([("__name__", "probe_success"), ("monitor", "shop")]), probes.collect())]);
    let mut firing = BTreeMap::new();
    for minute in 1..=hours * 60 {
        let at = minute * 60_000;
        for group in objective.groups.iter().filter(|g| at % g.interval.as_millis() as i64 == 0) {
            for rule in &group.rules {
                let (Value::Vector(answer), _) = memory.query(&rule.query, Times::Instant(at)).unwrap() else {
                    panic!("no vector: {}", rule.query);
                };
                assert!(answer.len() <= 1, "{answer:?}");
                match &rule.kind {
                    RuleKind::Alert(_) if !answer.is_empty() => _ = firing.entry(rule.name.clone()).or_insert(minute),
                    RuleKind::Alert(_) => {}
                    RuleKind::Record => {
                        let named = Labels::new([("__name__", rule.name.as_str())]);
                        let series: Vec<_> = answer.iter().map(|s| (s.labels.with(&named), vec![(at, s.v)])).collect();
                        memory.load(&series);
                    }
                }
            }
        }
    }
    firing.into_iter().collect()
}

#[test]
fn objectives_alert_on_as_many_failures_after_a_start_as_with_full_windows() {
    #[track_caller]
    fn check(pace: u64, hours: i64, found: impl Fn(i64) -> Option<bool>, expected: &[(&str, i64)]) {
        let firing = burns(pace, hours, found);
        let firing: Vec<(&str, i64)> = firing.iter().map(|(name, minute)| (name.as_str(), *minute)).collect();
        assert_eq!(firing, expected);
    }
    // The first one fails, or the first three do.
    check(10, 7, |n| Some(n != 0), &[]);
    check(10, 7, |n| Some(n > 2), &[]);
    check(60, 7, |n| Some(n != 0), &[]);
    check(600, 80, |n| Some(n != 0), &[]);
    // Nor does one that comes late: whatever the pace, it is one.
    check(300, 7, |n| Some(n != 40), &[]);
    check(3_600, 80, |n| Some(n != 40), &[]);
    check(21_600, 80, |n| Some(n != 7), &[]);
    // One after a long stop does.
    check(10, 9, |n| (!(360..2_880).contains(&n)).then_some(n != 2_880), &[]);
    // What stays down uses up the budget at once, whether nothing was before …
    check(10, 1, |_| Some(false), &[("SloBurn", 2), ("SloBurnFast", 1), ("SloBurnSlow", 5)]);
    // … or six hours in which all was well.
    check(10, 7, |n| Some(n < 2_160), &[("SloBurn", 362), ("SloBurnFast", 361), ("SloBurnSlow", 365)]);
    // Two of sixty in an hour are 33 times what is promised.
    check(60, 3, |n| Some(n != 90 && n != 91), &[("SloBurnFast", 91)]);
    check(3_600, 60, |n| Some(n != 40 && n != 41), &[("SloBurn", 2_460), ("SloBurnSlow", 2_460)]);
}
