//! Groups over a real store, with time that moves when told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::base::clock::Clock;
use crate::base::labels::{Labels, METRIC_NAME};
use crate::base::sample::{STALE_NAN, is_stale};
use crate::base::time::Timestamp;
use crate::config::model::Config;
use crate::config::report::Source;
use crate::config::resolve::FromSystem;
use crate::config::rules::{self, RuleGroup};
use crate::config::storage::QueryLimits;
use crate::engine::reload::Applied;
use crate::engine::ruler::group::{Bench, Running, slot_after};
use crate::engine::ruler::metrics::RuleMetrics;
use crate::engine::ruler::report::{Health, RuleAlert, RuleAlertState};
use crate::engine::ruler::{Ruler, Sources};
use crate::promql::parser::{Features, parse_query};
use crate::promql::value::{Cancel, Value};
use crate::tsdb::{Ack, Batch, Options, Tsdb};
use crate::wire::api::ConfigStatus;

/// A store, the groups of one file, and time that moves when told to.
struct World {
    tsdb: Tsdb,
    _dir: tempfile::TempDir,
    groups: Vec<Running>,
    now: Timestamp,
    metrics: RuleMetrics,
    out: mpsc::Sender<Vec<RuleAlert>>,
    told: mpsc::Receiver<Vec<RuleAlert>>,
    stopping: AtomicBool,
}

fn read(text: &str) -> Vec<Arc<RuleGroup>> {
    let sheet =
        rules::read(&Source::new("rules.d/t.yaml", text), &FromSystem::new(std::path::Path::new("/nonexistent")));
    assert_eq!(sheet.problems, []);
    sheet.groups
}

impl World {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_700_000_000_000);
        let tsdb = Tsdb::open(dir.path(), Options::default(), now).unwrap();
        let (out, told) = mpsc::channel(64);
        let mut world = Self {
            tsdb,
            _dir: dir,
            groups: Vec::new(),
            now,
            metrics: RuleMetrics::default(),
            out,
            told,
            stopping: AtomicBool::new(false),
        };
        world.load(text, false);
        world
    }

    fn load(&mut self, text: &str, restore: bool) {
        self.groups = read(text).into_iter().map(|g| Running::new(g, self.now, restore)).collect();
    }

    fn write(&self, series: &str, value: f64) {
        let labels = crate::promql::parser::parse_metric(series).unwrap();
        let mut batch = Batch::default();
        batch.series(&labels.to_buf());
        batch.push(self.now.millis(), value);
        self.tsdb.append(&batch, Ack::Written, self.now).unwrap();
    }

    fn bench(&self) -> Bench<'_> {
        static NONE: std::sync::OnceLock<Labels> = std::sync::OnceLock::new();
        Bench {
            tsdb: &self.tsdb,
            limits: QueryLimits::default(),
            features: Features::stable(),
            begin: &Cancel::default,
            stopping: &self.stopping,
            external_url: "http://w",
            external_labels: NONE.get_or_init(Labels::default),
        }
    }

    /// Evaluates every group now, then lets `seconds` pass. Gives what was told.
    fn step(&mut self, seconds: u64) -> Vec<RuleAlert> {
        let mut groups = std::mem::take(&mut self.groups);
        let mut batch = Batch::default();
        for group in &mut groups {
            group.evaluate(self.now, &self.bench(), &self.metrics, &self.out, &mut batch);
        }
        self.groups = groups;
        self.now = self.now.plus(Duration::from_secs(seconds));
        let mut told = Vec::new();
        while let Ok(list) = self.told.try_recv() {
            told.extend(list);
        }
        told
    }

    /// What a query gives at the time of the last step.
    fn ask(&self, query: &str, ago: u64) -> Vec<String> {
        let expr = parse_query(query, Features::stable()).unwrap();
        let at = self.now.minus(Duration::from_secs(ago)).millis();
        let Value::Vector(v) = self.bench().ask(&expr, query, at).unwrap() else { panic!() };
        let mut rows: Vec<String> = v.iter().map(|s| format!("{} {}", s.labels, s.v)).collect();
        rows.sort();
        rows
    }
}

fn states(told: &[RuleAlert]) -> Vec<RuleAlertState> {
    told.iter().map(|a| a.state).collect()
}

#[test]
fn rules_of_a_group_see_what_those_before_them_wrote() {
    let mut w = World::new(
        "groups: [{name: g, rules: [{record: a, expr: 'x * 2', labels: {l: v}}, {record: b, expr: 'a + 1'}]}]",
    );
    w.write("x{i=\"1\"}", 3.0);
    w.step(0);
    assert_eq!(
        w.ask("{__name__=~\"a|b\"}", 0),
        [r#"{__name__="a", i="1", l="v"} 6"#, r#"{__name__="b", i="1", l="v"} 7"#]
    );
    assert_eq!(w.groups[0].view.status.load().rules[1].health, Health::Ok);
}

#[test]
fn a_recorded_series_that_vanishes_ends_at_once() {
    let mut w = World::new("groups: [{name: g, rules: [{record: a, expr: 'x > 5'}]}]");
    w.write("x", 9.0);
    w.step(10);
    assert_eq!(w.ask("a", 10).len(), 1);
    w.write("x", 1.0);
    w.step(10);
    assert!(w.ask("a", 10).is_empty(), "a staleness marker ends it");
}

#[test]
fn an_alert_is_pending_fires_and_resolves() {
    let mut w = World::new(
        "groups: [{name: g, rules: [{alert: A, expr: 'x > 5', for: 20s, labels: {severity: critical, v: '{{ $value }}'}, annotations: {s: '{{ $labels.i }} is {{ $value }}'}}]}]",
    );
    w.write("x{i=\"1\"}", 9.0);
    let told = w.step(10);
    assert_eq!(states(&told), [RuleAlertState::Pending]);
    assert_eq!(told[0].labels.to_string(), r#"{alertname="A", i="1", severity="critical", v="9"}"#);
    assert_eq!(told[0].annotations.to_string(), r#"{s="1 is 9"}"#);
    assert_eq!(
        w.ask("ALERTS", 10),
        [r#"{__name__="ALERTS", alertname="A", alertstate="pending", i="1", severity="critical", v="9"} 1"#]
    );
    w.step(10);
    let told = w.step(10);
    assert_eq!(states(&told), [RuleAlertState::Firing]);
    assert_eq!((told[0].rule.as_str(), told[0].source.as_str()), ("A", "rules.d/t.yaml:1:28"));
    let alerts = w.ask("ALERTS", 10);
    assert_eq!(
        alerts,
        [r#"{__name__="ALERTS", alertname="A", alertstate="firing", i="1", severity="critical", v="9"} 1"#],
        "the pending series has ended"
    );
    assert_eq!(w.ask("ALERTS_FOR_STATE", 10)[0].split(' ').next_back(), Some("1700000000"));
    w.write("x{i=\"1\"}", 1.0);
    let told = w.step(10);
    assert_eq!(states(&told), [RuleAlertState::Resolved]);
    assert!(w.ask("ALERTS", 10).is_empty());
    assert_eq!(w.groups[0].view.status.load().rules[0].firings, 1);
}

#[test]
fn the_offset_moves_queries_and_samples() {
    let mut w = World::new("groups: [{name: g, query_offset: 1m, rules: [{record: a, expr: x}]}]");
    w.write("x", 1.0);
    w.step(60);
    w.step(0);
    assert_eq!(w.ask("timestamp(a)", 0), ["{} 1700000000"]);
}

#[test]
fn no_data_and_errors_mean_what_the_rule_says() {
    let rule = |word: &str| {
        format!("rules: [{{name: A, query: x, condition: {{above: 5}}, on_no_data: {word}, labels: {{t: web}}}}]")
    };
    for (word, expected) in
        [("ok", vec![RuleAlertState::Resolved]), ("keep", vec![]), ("alert", vec![RuleAlertState::Firing])]
    {
        let mut w = World::new(&rule(word));
        w.write("x", 9.0);
        assert_eq!(states(&w.step(10)), [RuleAlertState::Firing]);
        w.write("x", STALE_NAN);
        let told = w.step(10);
        assert_eq!(states(&told), expected, "{word}");
        if word == "alert" {
            assert_eq!(told[0].labels.to_string(), r#"{alertname="A", reason="nodata", t="web"}"#);
            assert_eq!(w.groups[0].view.status.load().rules[0].alerts.len(), 2, "the alert that was there stays");
            w.write("x", 1.0);
            assert_eq!(states(&w.step(10)), [RuleAlertState::Resolved, RuleAlertState::Resolved]);
        }
    }
    let broken = "rules: [{name: A, query: 'x + on(i) group_left y', condition: {above: 5}, on_error: alert}]";
    let mut w = World::new(broken);
    for series in ["x{i=\"1\"}", "y{i=\"1\",j=\"1\"}", "y{i=\"1\",j=\"2\"}"] {
        w.write(series, 9.0);
    }
    let told = w.step(10);
    assert_eq!(told[0].labels.to_string(), r#"{alertname="A", reason="error"}"#);
    let status = w.groups[0].view.status.load();
    assert_eq!(status.rules[0].health, Health::Err);
    assert!(status.rules[0].last_error.as_ref().unwrap().contains("found duplicate series"));
}

#[test]
fn too_much_is_refused_in_prometheus_words() {
    let mut w = World::new(
        "groups: [{name: g, limit: 1, rules: [{record: a, expr: x}, {alert: B, expr: x}, {record: c, expr: 'x', labels: {i: same}}]}]",
    );
    w.write("x{i=\"1\"}", 1.0);
    w.write("x{i=\"2\"}", 1.0);
    w.step(10);
    let status = w.groups[0].view.status.load();
    let errors: Vec<&str> = status.rules.iter().map(|r| r.last_error.as_deref().unwrap()).collect();
    assert_eq!(
        errors,
        ["exceeded limit of 1 with 2 series", "exceeded limit of 1 with 2 alerts", "exceeded limit of 1 with 2 series"]
    );
    assert_eq!(w.metrics.failures.get(), 3);
    let mut w = World::new("groups: [{name: g, rules: [{record: c, expr: 'x', labels: {i: same}}]}]");
    w.write("x{i=\"1\"}", 1.0);
    w.write("x{i=\"2\"}", 1.0);
    w.step(10);
    let error = w.groups[0].view.status.load().rules[0].last_error.clone().unwrap();
    assert_eq!(&*error, "vector contains metrics with the same labelset after applying rule labels");
}

#[test]
fn templates_may_ask_and_their_errors_are_texts() {
    let mut w = World::new(
        "groups: [{name: g, rules: [{alert: A, expr: 'x', annotations: {a: '{{ query \"y\" | first | value }}', b: '{{ query \"none\" | first }}'}}]}]",
    );
    w.write("x", 1.0);
    w.write("y", 7.0);
    let told = w.step(0);
    assert_eq!(told[0].annotations.get("a"), Some("7"));
    assert!(
        told[0]
            .annotations
            .get("b")
            .unwrap()
            .starts_with("<error expanding template: error executing template __alert_A:")
    );
}

#[test]
fn state_comes_back_after_a_restart() {
    let text = "groups: [{name: g, rules: [{alert: A, expr: 'x > 5', for: 30m}]}]";
    let mut w = World::new(text);
    let began = w.now;
    for _ in 0..40 {
        w.write("x", 9.0);
        w.step(60);
    }
    // Fired after half an hour; away for ten minutes.
    w.now = w.now.plus(Duration::from_secs(600));
    w.load(text, true);
    let mut seen = Vec::new();
    for _ in 0..3 {
        w.write("x", 9.0);
        let told = w.step(60);
        seen.extend(states(&told));
    }
    assert_eq!(seen[0], RuleAlertState::Pending);
    assert_eq!(seen.last(), Some(&RuleAlertState::Firing));
    assert_eq!(w.groups[0].view.status.load().rules[0].alerts[0].active_at, began);
    assert_eq!(w.ask("ALERTS_FOR_STATE", 60)[0].split(' ').next_back(), Some("1700000000"));
}

#[test]
fn a_changed_group_keeps_the_alerts_of_rules_that_are_still_there() {
    let mut w = World::new(
        "groups: [{name: g, rules: [{alert: A, expr: 'x > 5'}, {alert: B, expr: 'x > 6'}, {record: r, expr: x}]}]",
    );
    w.write("x", 9.0);
    w.step(10);
    let new = read("groups: [{name: g, rules: [{alert: C, expr: 'x > 1'}, {alert: A, expr: 'x > 4'}]}]").remove(0);
    let old = w.groups.remove(0);
    w.groups.push(old.redefined(new, w.now));
    let told = w.step(10);
    let told: Vec<(&str, RuleAlertState)> = told.iter().map(|a| (a.rule.as_str(), a.state)).collect();
    assert_eq!(told, [("B", RuleAlertState::Resolved), ("C", RuleAlertState::Firing)]);
    let since: Vec<i64> = w.groups[0].view.status.load().rules.iter().map(|r| r.alerts[0].active_at.millis()).collect();
    assert_eq!(since, [1_700_000_010_000, 1_700_000_000_000]);
    assert!(w.ask("r", 10).is_empty());
    assert_eq!(w.ask("ALERTS{alertname=\"B\"}", 10), [] as [&str; 0]);
}

#[test]
fn a_group_that_goes_away_ends_its_series_and_alerts() {
    let mut w = World::new("groups: [{name: g, rules: [{alert: A, expr: 'x > 5'}]}]");
    w.write("x", 9.0);
    w.step(10);
    let mut batch = Batch::default();
    let over = w.groups.remove(0).close(w.now, &mut batch);
    assert_eq!(states(&over), [RuleAlertState::Resolved]);
    let ended: Vec<bool> = batch.iter().map(|(_, samples)| is_stale(samples[0].1)).collect();
    assert_eq!(ended, [true, true]);
}

#[test]
fn slots_are_spread_and_stay() {
    let group = |name: &str| read(&format!("groups: [{{name: {name}, interval: 10s, rules: []}}]")).remove(0);
    let now = Timestamp::from_millis(1_700_000_000_123);
    let mut offsets = std::collections::HashSet::new();
    for i in 0..50 {
        let g = group(&format!("g{i}"));
        let slot = slot_after(&g, now);
        let wait = slot.since(now);
        assert!(!wait.is_zero() && wait <= Duration::from_secs(10));
        assert_eq!(slot_after(&g, slot).millis(), slot.millis() + 10_000);
        offsets.insert(slot.millis() % 10_000);
    }
    assert!(offsets.len() > 40);
}

#[test]
fn slots_that_pass_are_counted_and_the_newest_is_evaluated() {
    let mut w = World::new("groups: [{name: g, interval: 10s, rules: []}]");
    let first = w.groups[0].next;
    let late = first.plus(Duration::from_secs(35));
    assert_eq!(w.groups[0].due(late, &w.metrics), first.plus(Duration::from_secs(30)));
    assert_eq!(w.metrics.missed.get(), 3);
    assert_eq!(w.groups[0].next, first.plus(Duration::from_secs(40)));
    w.groups[0].rewind(Timestamp::from_millis(1_000_000));
    assert!(w.groups[0].next.millis() <= 1_010_000);
}

#[test]
fn names_are_taken_off_alerts() {
    let mut w = World::new("groups: [{name: g, rules: [{alert: A, expr: x}]}]");
    w.write("x", 1.0);
    assert_eq!(w.step(0)[0].labels.get(METRIC_NAME), None);
}

#[test]
fn a_server_that_goes_down_neither_begins_nor_ends_alerts() {
    let mut w = World::new(
        "rules: [{name: A, query: x, condition: {above: 1}, on_error: ok}, {name: B, query: y, condition: {above: 1}, on_error: alert}]",
    );
    w.write("x", 5.0);
    assert_eq!(states(&w.step(1)), [RuleAlertState::Firing]);
    w.stopping.store(true, Ordering::Relaxed);
    assert_eq!(w.step(60), []);
    w.stopping.store(false, Ordering::Relaxed);
    assert_eq!(states(&w.step(60)), [RuleAlertState::Firing], "told again as what goes on");
}

#[test]
fn a_group_that_was_away_while_the_clock_was_set_back_finds_its_slot() {
    let mut w = World::new("groups: [{name: g, rules: [{record: a, expr: x}]}]");
    let group = &mut w.groups[0];
    let before = w.now.minus(Duration::from_secs(86_400));
    assert!(!group.is_ahead(w.now, Duration::from_secs(1)));
    assert!(group.is_ahead(before, Duration::from_secs(1)));
    group.rewind(before);
    assert!(!group.is_ahead(before, Duration::from_secs(1)));
    assert!(group.next > before);
}

#[test]
fn the_shipped_rules_are_silent_on_a_healthy_machine_and_speak_on_a_sick_one() {
    let mut w = World::new(include_str!("../../../rules.d/machine.yaml"));
    let write = |w: &World, free: f64, memory: f64, days: f64, state: f64| {
        let disk = |name: &str, mount: &str| {
            format!("{name}{{device=\"{mount}\",fstype=\"ext4\",instance=\"box\",mountpoint=\"{mount}\"}}")
        };
        for (mount, free, readonly) in [("/", free, 0.0), ("/snap", 0.0, 1.0)] {
            w.write(&disk("node_filesystem_avail_bytes", mount), free);
            w.write(&disk("node_filesystem_size_bytes", mount), 100.0);
            w.write(&disk("node_filesystem_readonly", mount), readonly);
        }
        w.write("node_memory_MemAvailable_bytes{instance=\"box\"}", memory);
        w.write("node_memory_MemTotal_bytes{instance=\"box\"}", 100.0);
        let expiry = w.now.millis() as f64 / 1e3 + days * 86_400.0;
        w.write("probe_ssl_earliest_cert_expiry{monitor=\"shop\"}", expiry);
        w.write("watchdog_monitor_state{monitor=\"shop\"}", state);
    };
    for _ in 0..30 {
        write(&w, 20.0, 30.0, 60.0, 1.0);
        assert_eq!(w.step(60), []);
    }
    let mut told = Vec::new();
    for _ in 0..20 {
        write(&w, 4.0, 3.0, 5.0, 2.0);
        told.extend(w.step(60).into_iter().filter(|a| a.state == RuleAlertState::Firing));
    }
    told.sort_by(|a, b| a.rule.cmp(&b.rule));
    told.dedup_by(|a, b| a.rule == b.rule);
    let said: Vec<&str> = told.iter().filter_map(|a| a.annotations.get("summary")).collect();
    assert_eq!(
        said,
        [
            "the certificate of shop expires in 5 days",
            "/ is 96% full",
            "only 3% of the memory is available",
            "shop has been degraded for 15 minutes",
        ]
    );
}

#[test]
fn rules_are_shown_from_the_start_and_reloads_leave_nothing_behind() {
    let status = ConfigStatus {
        dir: String::new(),
        loaded: Timestamp::EPOCH,
        files: 1,
        monitors: 0,
        stale: Vec::new(),
        problems: Vec::new(),
    };
    let rules = read("groups: [{name: a, rules: [{record: a, expr: x}]}, {name: b, rules: [{record: b, expr: x}]}]");
    let config = Arc::new(Config { rules, ..Config::default() });
    let (_changed, config) = watch::channel(Applied { config, status: Arc::new(status) });
    let mut ruler = Ruler::new(Sources {
        clock: Clock::system(),
        store: Arc::default(),
        config,
        alerts: mpsc::channel(1).0,
        metrics: RuleMetrics::default(),
        book: Arc::default(),
    });
    ruler.announce();
    let rows = ruler.from.book.rows();
    assert!(rows.len() == 2 && rows.iter().all(|r| r.health == "unknown"), "shown before the store is open");
    for _ in 0..10 {
        ruler.configured();
    }
    assert_eq!((ruler.idle.len(), ruler.due.len()), (2, 2));
}
