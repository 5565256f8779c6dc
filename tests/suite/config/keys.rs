//! The keys that every monitor has: their limits, and what they exclude.

use std::time::Duration;

use watchdog::base::message::Severity;
use watchdog::config::model::Monitor;

use crate::config::fake::{Site, said};

/// One monitor with further keys.
fn load(keys: &str) -> (Vec<String>, Option<std::sync::Arc<Monitor>>) {
    let site = Site::new();
    site.write("monitors.d/a.yaml", format!("monitors:\n- {{name: a, type: tcp, host: x, {keys}}}\n"));
    let loaded = site.load();
    (said(&loaded), loaded.config.monitors.get("a").cloned())
}

#[test]
fn values_at_their_limits_stand() {
    for keys in [
        "interval: 1s",
        "interval: 24h",
        "interval: 1s, timeout: 1ms",
        "interval: 5m, timeout: 5m",
        "interval: 10s, timeout: 10s",
        "retries: 10, retry_interval: 5m",
        "schedule: '*/5 8-18 * * mon-fri', timeout: 5m",
        "schedule: '0 3 1 * *', timezone: Asia/Shanghai",
        "schedule: '0 0 29 2 *'",
        "labels: {}",
        "labels: null, alert: null, interval: ~",
        "alert: true",
        "alert: {}",
        "alert: {after: 1000, clear_after: 1, severity: info}",
        "paused: true",
        "enabled: false",
    ] {
        let (said, monitor) = load(keys);
        assert_eq!((said, monitor.is_some()), (vec![], true), "{keys}");
    }
}

#[test]
fn values_beyond_them_do_not() {
    #[track_caller]
    fn check(keys: &str, problem: &str) {
        let (said, monitor) = load(keys);
        assert_eq!((said.len(), monitor.is_none()), (1, true), "{said:?}");
        assert!(said[0].contains(problem), "{}", said[0]);
    }
    check("interval: 999ms", "W007");
    check("interval: 25h", "W007");
    check("interval: 30", "W006");
    check("interval: [30s]", "W005");
    check("timeout: 0", "W007");
    check("timeout: 301s, interval: 1h", "W007");
    check("timeout: 11s, interval: 10s", "2:42 W007");
    check("timeout: 31s", "W007 `timeout` 31s is longer than `interval` 30s");
    check("retries: 11", "W007");
    check("retries: -1", "W007");
    check("retries: 1.5", "W005");
    check("schedule: '* * * * * *'", "W006");
    check("schedule: '0 25 * * *'", "W006");
    check("schedule: '@daily extra'", "W006");
    check("schedule: '0 0 30 2 *'", "W006 `0 0 30 2 *` names a day that never comes");
    check("schedule: '0 3 * * *', interval: 30s", "W014");
    check("schedule: '0 3 * * *', timezone: Europe/Berln", "W006");
    check("labels: [a]", "W005");
    check("labels: {team: [a]}", "W005");
    check("labels: {instance: a}", "W014");
    check("labels: {0a: a}", "W006");
    check("labels: {__name__: a}", "W006");
    check("labels: {team: a, team: b}", "W002");
    check("paused: 1", "W005");
    check("paused: true, enabled: false", "W014");
    check("alert: never", "W005");
    check("alert: {after: 0}", "W007");
    check("alert: {clear_after: 1001}", "W007");
    check("alert: {severity: page}", "W006");
    check("alert: {afer: 3}", "W003");
}

#[test]
fn a_time_zone_without_a_schedule_is_a_warning() {
    let (said, monitor) = load("timezone: UTC");
    assert_eq!((said.len(), monitor.is_some()), (1, true));
    assert!(said[0].contains("W016"), "{}", said[0]);
}

#[test]
fn a_key_that_stands_twice_at_the_end_of_a_monitor_makes_it_unsound() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "monitors:\n- name: a\n  type: tcp\n  host: x\n  paused: false\n  paused: true\n- {name: b, type: tcp, host: x}\n");
    let loaded = site.load();
    assert_eq!(said(&loaded), ["monitors.d/a.yaml:6:3 W002 key `paused` stands here twice"]);
    assert_eq!(crate::config::fake::names(&loaded), ["b"]);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let (_, monitor) = load("");
    let monitor = monitor.unwrap();
    let alert = monitor.alert.unwrap();
    assert_eq!((alert.after, alert.clear_after, alert.severity), (3, 2, Severity::Critical));
    assert_eq!(
        (monitor.timeout, monitor.retries, monitor.retry_interval),
        (Duration::from_secs(10), 0, Duration::from_secs(1))
    );
    assert!(!monitor.paused && monitor.labels.is_empty());
}

#[test]
fn the_usual_wrong_forms_of_a_file_are_told_the_right_one() {
    #[track_caller]
    fn check(text: &str, hint: &str) {
        let site = Site::new();
        site.write("monitors.d/a.yaml", text);
        let loaded = site.load();
        assert_eq!(loaded.problems.len(), 1, "{:#?}", said(&loaded));
        assert!(loaded.problems[0].hint.contains(hint), "{:?}", loaded.problems[0]);
    }
    check("- {name: a, type: tcp, host: x}\n", "under a `monitors:` key");
    check("name: a\ntype: tcp\nhost: x\n", "put it into a list");
    check("monitors: {name: a, type: tcp, host: x}\n", "begin each monitor with");
    check("monitor:\n- {name: a, type: tcp, host: x}\n", "did you mean `monitors`?");
    check("monitors:\n- a\n", "write a mapping");
    check("monitors:\n- {name: a, type: tcp, host: x}\n---\nmonitors: []\n", "a file of its own");
}

#[test]
fn a_misspelt_key_is_one_problem_and_a_missing_one_is_another() {
    #[track_caller]
    fn check(monitor: &str, codes: &[&str]) {
        let site = Site::new();
        site.write("monitors.d/a.yaml", format!("monitors: [{{{monitor}}}]"));
        let found: Vec<_> = site.load().problems.into_iter().map(|p| p.code).collect();
        assert_eq!(found, codes, "{monitor}");
    }
    check("name: a, type: tcp, hots: x", &["W003"]);
    check("nmae: a, type: tcp, host: x", &["W003"]);
    check("name: a, type: tcp, port: 1", &["W004"]);
    check("name: a, type: tcp, colour: red", &["W004", "W003"]);
}

#[test]
fn jobs_of_the_wrong_form_are_one_mistake_and_none_are_none() {
    let found = |text: &str| {
        let site = Site::new();
        site.write("monitors.d/a.yaml", text);
        said(&site.load())
    };
    let besides = "global: {scrape_interval: 15s}\nrule_files: [a.yml]\n";
    let warning = "monitors.d/a.yaml:2:1 W015 `rule_files` of a Prometheus configuration has no effect here";
    assert_eq!(found(&format!("{besides}scrape_configs:\n  # - job_name: node\n")), [warning]);
    let mut wrong = found(&format!("{besides}scrape_configs: {{job_name: node}}\n"));
    wrong.sort();
    assert_eq!(wrong, [warning, "monitors.d/a.yaml:3:17 W005 `scrape_configs` takes a list, not a mapping"]);
}
