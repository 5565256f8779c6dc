//! What the main file says about who is told: read to the letter, and every mistake at its place.

use std::time::Duration;

use watchdog::alert::escalate::Target;
use watchdog::alert::policy::Policy;
use watchdog::alert::route::{EVERY_NOTIFIER, GroupBy};
use watchdog::base::labels::Labels;
use watchdog::base::name::MonitorName;
use watchdog::base::time::Timestamp;
use watchdog::config::{Loaded, diff};

use crate::config::fake::{Site, monitors, said};

const NOTIFIERS: &str = "notifiers:\n\
    - {name: ops, type: webhook, url: 'http://x', rate_limit: 20/1m, fallback: hook, digest_above: 5}\n\
    - {name: hook, type: webhook, url: 'http://y', send_resolved: false}\n";

fn load(text: &str) -> Loaded {
    let site = Site::new();
    site.write("watchdog.yaml", format!("{NOTIFIERS}{text}")).write("monitors.d/a.yaml", monitors(&["shop", "db"]));
    site.load()
}

fn policy(text: &str) -> std::sync::Arc<Policy> {
    let loaded = load(text);
    assert_eq!(said(&loaded), Vec::<String>::new(), "{text}");
    std::sync::Arc::clone(&loaded.config.alerting)
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn labels(text: &str) -> Labels {
    Labels::new(text.split(' ').filter_map(|pair| pair.split_once('=')))
}

#[test]
fn without_a_route_every_notifier_hears_everything() {
    for text in ["", "route: {group_wait: 30s}\n"] {
        let policy = policy(text);
        let found = policy.route.matching(&labels("alertname=X"));
        assert_eq!((found.len(), found[0].receiver.as_str()), (1, EVERY_NOTIFIER));
        assert_eq!(policy.notifiers(EVERY_NOTIFIER), ["ops", "hook"]);
        assert_eq!(policy.notifiers("hook"), ["hook"]);
    }
    assert_eq!(policy("").route.group_wait, Duration::from_secs(1));
    assert_eq!(policy("route: {receiver: ops}\n").route.receiver, "ops");
}

#[test]
fn the_tree_is_alertmanagers() {
    let policy = policy(
        "receivers: [{name: team, notifiers: [hook, ops]}]\n\
         time_windows: [{name: nights, times: ['22:00-24:00']}]\n\
         escalations: [{name: slow, steps: [{after: 10m, receiver: team}]}]\n\
         route:\n\
         \x20 receiver: ops\n\
         \x20 group_by: [job, alertname]\n\
         \x20 group_wait: 30s\n\
         \x20 escalation: slow\n\
         \x20 routes:\n\
         \x20 - matchers: ['severity=\"critical\"', 'team=~\"web|db\"']\n\
         \x20   receiver: team\n\
         \x20   continue: true\n\
         \x20   group_by: ['...']\n\
         \x20   mute_time_intervals: [nights]\n\
         \x20   routes: [{matchers: [env=test], escalation: none, active_time_intervals: nights}]\n\
         \x20 - matchers: severity=~\"critical|warning\", job!=batch\n\
         \x20   repeat_interval: 12h\n",
    );
    let ids = |text: &str| policy.route.matching(&labels(text)).iter().map(|r| r.id.clone()).collect::<Vec<_>>();
    let first = r#"{}/{severity="critical",team=~"web|db"}/0"#;
    let second = r#"{}/{job!="batch",severity=~"critical|warning"}/1"#;
    assert_eq!(ids("severity=critical team=web"), [first, second]);
    assert_eq!(ids("severity=warning"), [second]);
    assert_eq!(ids("severity=info"), ["{}"]);
    let inner = policy.route.find(&format!("{first}/{{env=\"test\"}}/0")).unwrap();
    assert_eq!((inner.receiver.as_str(), &inner.group_by, &inner.escalation), ("team", &GroupBy::All, &None));
    assert_eq!(
        (inner.group_wait.as_secs(), &inner.active, inner.source.as_str()),
        (30, &vec!["nights".to_owned()], "watchdog.yaml:18:14")
    );
    let second = policy.route.find(second).unwrap();
    assert_eq!(
        (second.group_by.clone(), second.repeat_interval.as_secs()),
        (GroupBy::labels(["alertname", "job"]), 43_200)
    );
    assert_eq!(policy.notifiers("team"), ["hook", "ops"]);
    let first = policy.route.find(first).unwrap();
    assert_eq!(policy.muted_by_time(first, at("2026-01-01T23:00:00Z")), Some(("nights", true)));
    assert_eq!(policy.muted_by_time(inner, at("2026-01-01T21:00:00Z")), Some(("nights", false)));
    assert_eq!(policy.muted_by_time(inner, at("2026-01-01T23:00:00Z")), None);
}

#[test]
fn windows_have_two_forms_that_mean_the_same() {
    let own = policy(
        "time_windows: [{name: w, weekdays: [mon-fri], times: ['22:00-24:00', '00:00-06:00'], months: jan-mar, timezone: Europe/Berlin}]\n",
    );
    let theirs = policy(
        "time_intervals:\n\
         - name: w\n\
         \x20 time_intervals:\n\
         \x20 - times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}]\n\
         \x20   weekdays: ['monday:friday']\n\
         \x20   months: ['1:3']\n\
         \x20   location: Europe/Berlin\n",
    );
    assert_eq!(own.windows["w"].intervals, theirs.windows["w"].intervals);
    assert!(own.windows["w"].contains(at("2026-02-02T21:00:00Z")));
    assert!(!own.windows["w"].contains(at("2026-02-02T20:59:00Z")));
}

#[test]
fn what_mutes_is_read() {
    let policy = policy(
        "inhibit:\n\
         - {source: [severity=critical], target: ['severity=warning'], equal: [monitor]}\n\
         time_windows: [{name: nights, times: ['22:00-24:00']}]\n\
         maintenance:\n\
         - {name: backup, monitors: [shop], cron: 0 2 * * sun, duration: 2h, timezone: Europe/Berlin, comment: dump}\n\
         - {name: move, matchers: [team=db], start: 2026-12-24 22:00, end: 2026-12-25T02:00:00Z, timezone: Europe/Berlin}\n\
         - {name: quiet, matchers: [], window: nights}\n\
         - {name: inline, monitors: db, window: {weekdays: sun}, timezone: Asia/Shanghai}\n\
         silences:\n\
         - {matchers: [alertname=Old], until: 2027-01-01T00:00:00Z, comment: known, created_by: wu}\n\
         - {matchers: [alertname=New], start: 2027-01-01T00:00:00Z, duration: 1d}\n",
    );
    assert_eq!(policy.inhibit[0].place, "watchdog.yaml:5:3");
    let next: Vec<(&str, String)> = policy
        .maintenance
        .iter()
        .map(|m| (m.name.as_str(), m.next(at("2026-12-03T00:00:00Z")).unwrap().starts_at.to_string()[..16].to_owned()))
        .collect();
    let own = |name, t: &str| (name, t.to_owned());
    assert_eq!(
        next,
        [
            own("backup", "2026-12-06T01:00"),
            own("move", "2026-12-24T21:00"),
            own("quiet", "2026-12-03T22:00"),
            own("inline", "2026-12-05T16:00")
        ]
    );
    let [old, new] = &policy.silences[..] else { panic!("{:?}", policy.silences) };
    assert!(old.mutes(&labels("alertname=Old"), at("2026-01-01T00:00:00Z")));
    assert_eq!(
        (old.created_by.as_str(), old.comment.as_str(), old.source.as_deref()),
        ("wu", "known", Some("watchdog.yaml:13:3"))
    );
    assert_eq!((new.ends_at, new.created_by.as_str()), (at("2027-01-02T00:00:00Z"), "watchdog.yaml"));
    assert_ne!(old.id, new.id);
}

#[test]
fn people_are_read() {
    let policy = policy(
        "time_windows: [{name: nights, times: ['00:00-06:00']}]\n\
         oncall:\n\
         - name: primary\n\
         \x20 members: [ops, hook]\n\
         \x20 rotation: weekly\n\
         \x20 weekday: mon\n\
         \x20 handover: 09:00\n\
         \x20 start: 2026-11-23\n\
         \x20 timezone: Europe/Berlin\n\
         \x20 overrides: [{start: 2026-12-24 00:00, end: 2026-12-27 00:00, member: hook}]\n\
         - name: layered\n\
         \x20 layers: [{members: hook, during: nights}, {members: [ops], rotation: 14d}]\n\
         escalations:\n\
         - {name: pages, repeat: true, steps: [{after: 0, oncall: primary}, {after: 30m, receiver: hook}]}\n",
    );
    let primary = &policy.oncall["primary"];
    assert_eq!(primary.on_call(at("2026-11-23T07:59:59Z")), "hook");
    assert_eq!(primary.on_call(at("2026-11-23T08:00:00Z")), "ops");
    assert_eq!(primary.next_handover(at("2026-11-23T08:00:00Z")), Some(at("2026-11-30T08:00:00Z")));
    assert_eq!(primary.on_call(at("2026-12-25T12:00:00Z")), "hook");
    assert_eq!(policy.on_call("layered", at("2026-11-23T01:00:00Z")), ["hook"]);
    assert_eq!(policy.on_call("layered", at("2026-11-23T07:00:00Z")), ["ops"]);
    let pages = &policy.escalations["pages"];
    assert_eq!((pages.repeat, &pages.steps[0].to), (true, &Target::OnCall("primary".to_owned())));
}

#[test]
fn what_a_notifier_takes_is_read() {
    let loaded = load("");
    let limits: Vec<String> = loaded.config.receivers.iter().map(|r| format!("{:?}", r.limits)).collect();
    assert_eq!(
        limits,
        [
            r#"Limits { rate: Some(RateLimit { messages: 20, per: 60s }), fallback: Some("hook"), digest_above: Some(5) }"#,
            "Limits { rate: None, fallback: None, digest_above: None }"
        ]
    );
}

/// The main file holds the notifiers in its first three lines.
#[track_caller]
fn check(text: &str, problems: &[(&str, &str)]) {
    let loaded = load(text);
    let found: Vec<String> = loaded
        .problems
        .iter()
        .map(|p| format!("{}:{} {} {} | {}", p.line, p.column, p.code, p.message, p.hint))
        .collect();
    assert_eq!(found.len(), problems.len(), "{text}\n{found:#?}");
    for (found, (head, part)) in found.iter().zip(problems) {
        assert!(found.starts_with(head) && found.contains(part), "{text}\n{found}\n{head} … {part}");
    }
}

#[test]
fn mistakes_in_the_tree_are_reported_at_their_place() {
    check("route: {receiver: opps}\n", &[("4:19 W013 no receiver is named `opps`", "did you mean `ops`?")]);
    check("route: {recever: ops}\n", &[("4:9 W003", "did you mean `receiver`?")]);
    check(
        "route: {receiver: ops, matchers: [a=b], continue: true}\n",
        &[("4:24 W014", "`matchers`"), ("4:41 W014", "`continue`")],
    );
    check("route: {group_wait: 5}\n", &[("4:21 W006", "add the unit")]);
    check("route: {group_interval: 0}\n", &[("4:25 W007", "1s")]);
    check("route: {group_by: ['...', a]}\n", &[("4:27 W014", "group_by: ['...']")]);
    check("route: {group_by: [a, a]}\n", &[("4:23 W006", "twice")]);
    check("route: {routes: {a: b}}\n", &[("4:17 W005", "takes a list")]);
    check("route: {group_interval: 5m, repeat_interval: 1m}\n", &[("4:46 W016", "decides")]);
    check(
        "route: {routes: [{matchers: [a=b], mute_time_intervals: [night]}]}\n",
        &[("4:58 W013 no time window is named `night`", "under `time_windows`")],
    );
    check("route: {routes: [{matchers: {a: b}}]}\n", &[("4:29 W005", "list of conditions")]);
    check(
        "route: {routes: [{matchers: [a=b], escalation: x}]}\n",
        &[("4:48 W013 no escalation", "under `escalations`")],
    );
    check(
        "receivers: [{name: ops, notifiers: [hook]}]\n",
        &[("4:20 W009 `ops` exists already as a receiver, in line 2", "another name")],
    );
    check("receivers: [{name: team, notifiers: [opps]}]\n", &[("4:38 W013 no notifier is named `opps`", "`ops`")]);
    check("receivers: [{name: team}]\n", &[("4:14 W004 `notifiers` is missing", "notifiers: [ops, hook]")]);
    check("receivers: [{name: team, webhook_configs: []}]\n", &[("4:26 W003", "under `notifiers`")]);
    check("receivers: [{name: every notifier, notifiers: [ops]}]\n", &[("4:20 W006", "taken")]);
}

#[test]
fn a_bad_matcher_is_marked_within_its_text() {
    let within = |matcher: &str| format!("route: {{routes: [{{receiver: hook, matchers: [{matcher}]}}]}}\n");
    check(&within(r#"'severity="critical'"#), &[("4:56 W006 a quote is not closed", "team=")]);
    check(&within(r#""severity=\"critical""#), &[("4:56 W006 a quote is not closed", "")]);
    check(&within("'team=~\"(\"'"), &[("4:53 W006 the regular expression `(`", "unclosed group")]);
    check(&within("'team=web', nothing"), &[("4:65 W006 one of `=`", "")]);
    check(&within("[a]"), &[("4:46 W005", "")]);
}

#[test]
fn routes_that_no_alert_reaches_are_named() {
    check(
        "route:\n  routes:\n  - matchers: [a=~b|c]\n  - matchers: [a=b, d=e]\n",
        &[("7:5 W016 no alert comes here: the route in line 6 takes them all", "continue: true")],
    );
    check("route:\n  routes:\n  - {matchers: [a=b], continue: true}\n  - matchers: [a=b]\n", &[]);
    check("route: {routes: [{matchers: [a=b, a=c]}]}\n", &[("4:19 W016 no alert can match", "")]);
}

#[test]
fn mistakes_in_windows_are_reported_at_their_place() {
    let within = |keys: &str| format!("time_windows: [{{name: w, {keys}}}]\n");
    check(
        &within("times: ['22:00-06:00']"),
        &[("4:35 W006 `22:00-06:00` ends before it begins", "over midnight write two")],
    );
    check(&within("times: ['25:00-26:00']"), &[("4:35 W006 `25:00` is not a time of day", "")]);
    check(&within("weekdays: [mon-fir]"), &[("4:37 W006 `fir` is not a day of the week", "mon-fri")]);
    check(&within("days_of_month: [0]"), &[("4:42 W006", "")]);
    check(
        &within("months: [13], years: ['2027:2026']"),
        &[("4:35 W006 `13` is not a month", ""), ("4:49 W006", "ends before")],
    );
    check(&within("weekdays: sun, timezone: Europe/Berlim"), &[("4:51 W006", "IANA")]);
    check(&within("timezone: UTC"), &[("4:17 W016 without conditions", "")]);
    check(&within("weekday: sun"), &[("4:17 W016", ""), ("4:26 W003", "did you mean `weekdays`?")]);
    check(
        "time_windows: [{name: w, weekdays: sun}]\ntime_intervals: [{name: w, weekdays: sun}]\n",
        &[("5:17 W014", "`time_windows`")],
    );
    check(
        "time_windows:\n- {name: w, weekdays: sun}\n- {name: w, weekdays: sun}\n",
        &[("6:10 W009 `w` exists already as a time window, in line 5", "")],
    );
}

#[test]
fn mistakes_in_what_mutes_are_reported_at_their_place() {
    check("inhibit: [{source: [a=b]}]\n", &[("4:12 W004 `target` is missing", "target:")]);
    check("inhibit: [{source: [a=b], target: [c=d]}]\n", &[("4:12 W016", "equal: [instance]")]);
    let within = |keys: &str| format!("maintenance: [{{name: w, {keys}}}]\n");
    check(&within("start: 2026-01-01 00:00, duration: 1h"), &[("4:16 W004 `matchers` is missing", "matchers: []")]);
    check(
        &within("monitors: [shopp], cron: '0 2 * * *', duration: 2h"),
        &[("4:36 W013 no monitor is named `shopp`", "`shop`")],
    );
    check(&within("monitors: shop, cron: '0 2 * *', duration: 2h"), &[("4:48 W006", "five fields")]);
    check(&within("monitors: shop, cron: '0 2 * * *'"), &[("4:16 W004 `duration` is missing", "")]);
    check(&within("monitors: shop"), &[("4:16 W004 `end`", ""), ("4:16 W004 `start`", "")]);
    check(
        &within("monitors: shop, start: 2026-01-02 00:00, end: 2026-01-01 00:00"),
        &[("4:71 W007 `end` is not after", "")],
    );
    check(&within("monitors: shop, start: tomorrow, duration: 1h"), &[("4:48 W006", "2026-12-24 22:00")]);
    check(
        &within("monitors: shop, start: 2026-01-02 00:00, duration: 1h, window: x"),
        &[("4:88 W014 `start` and `window`", "")],
    );
    check(&within("monitors: shop, window: nigts"), &[("4:49 W013 no time window", "")]);
    let within = |keys: &str| format!("silences: [{{{keys}}}]\n");
    check(
        &within("matchers: ['a=~\".*\"'], until: 2027-01-01 00:00"),
        &[("4:23 W006 this would mute every alert", "")],
    );
    check(&within("matchers: [a=b]"), &[("4:13 W004 `end` is missing", "")]);
    check(&within("until: 2027-01-01 00:00"), &[("4:13 W004 `matchers` is missing", "")]);
}

#[test]
fn mistakes_in_people_are_reported_at_their_place() {
    let within = |keys: &str| format!("oncall: [{{name: r, {keys}}}]\n");
    check(&within("members: [ops, bob]"), &[("4:35 W013 no receiver is named `bob`", "ops")]);
    check(&within("rotation: weekly"), &[("4:11 W004 `members` is missing", "")]);
    check(&within("members: ops, rotation: 36h"), &[("4:44 W006", "14d")]);
    check(&within("members: ops, weekday: mon, start: 2026-11-24"), &[("4:55 W014", "agree")]);
    check(&within("members: ops, handover: 9am"), &[("4:44 W006", "09:00")]);
    check(&within("members: ops, weekday: someday"), &[("4:43 W006", "day of the week")]);
    check(
        "oncall: [{name: r, layers: [{members: ops, during: w}]}]\ntime_windows: [{name: w, weekdays: sun}]\n",
        &[("4:11 W014 outside `during`", "")],
    );
    let within = |keys: &str| format!("escalations: [{{name: e, {keys}}}]\n");
    check(&within("steps: []"), &[("4:16 W004 `steps` is missing", "")]);
    check(&within("steps: [{after: 10m}]"), &[("4:34 W004 `receiver` is missing", "")]);
    check(&within("steps: [{after: 10m, oncall: x}]"), &[("4:54 W013 no rota is named `x`", "under `oncall`")]);
    check(&within("steps: [{after: 10m, receiver: ops}, {after: 5m, receiver: hook}]"), &[("4:62 W007", "in order")]);
    check(&within("repeat: true, steps: [{after: 0, receiver: ops}]"), &[("4:16 W014", "repeat")]);
}

#[test]
fn mistakes_in_what_a_notifier_takes_are_reported_at_their_place() {
    #[track_caller]
    fn check(keys: &str, problem: &str) {
        let site = Site::new();
        let ops = format!(
            "notifiers:\n- {{name: ops, type: webhook, url: x, {keys}}}\n- {{name: b, type: webhook, url: x, fallback: ops}}\n"
        );
        site.write("watchdog.yaml", ops);
        let found = said(&site.load());
        assert!(found.iter().any(|f| f.contains(problem)), "{found:?}");
    }
    check("rate_limit: 20", "2:50 W006");
    check("rate_limit: 0/1m", "2:50 W006");
    check("rate_limit: 5/1ms", "2:50 W006");
    check("fallback: hok", "2:48 W013 no notifier is named `hok`");
    check("fallback: ops", "2:48 W014");
    check("fallback: b", "2:48 W014 falling back from `ops` leads back to it");
    check("digest_above: -1", "W007");
}

#[test]
fn monitors_depend_on_monitors_that_exist_and_not_on_each_other() {
    let item = |name: &str, on: &str| format!("- {{name: {name}, type: tcp, host: x, depends_on: {on}}}\n");
    let site = Site::new();
    site.write("monitors.d/a.yaml", format!("monitors:\n{}{}", item("shop", "[gateway, gatway]"), item("b", "c")));
    site.write(
        "monitors.d/b.yaml",
        format!("monitors:\n{}{}{}", item("gateway", "[]"), item("c", "[d]"), item("d", "[b, gateway, d]")),
    );
    let loaded = site.load();
    assert_eq!(
        said(&loaded),
        [
            "monitors.d/a.yaml:2:58 W013 no monitor is named `gatway`",
            "monitors.d/b.yaml:4:46 W014 `d` depends on `b`, which depends on `d`",
            "monitors.d/b.yaml:4:58 W014 `d` depends on itself",
        ]
    );
    let on = |loaded: &Loaded, name: &str| {
        let list = &loaded.config.monitors[name].depends_on;
        list.iter().map(MonitorName::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        [on(&loaded, "shop"), on(&loaded, "b"), on(&loaded, "c"), on(&loaded, "d")],
        ["gateway", "c", "d", "gateway"]
    );
    site.write("monitors.d/a.yaml", format!("monitors:\n{}", item("shop", "[gateway]")));
    site.write("monitors.d/b.yaml", format!("monitors:\n{}", item("gateway", "[]")));
    let second = site.reload(&loaded);
    assert_eq!((said(&second), on(&second, "shop")), (Vec::new(), "gateway".to_owned()));
    site.write("monitors.d/a.yaml", format!("monitors:\n{}", item("shop", "[]")));
    let third = site.reload(&second);
    assert_eq!(diff(&second.config, &third.config).changed.len(), 1);
}

#[test]
fn a_monitor_without_an_alert_above_one_that_has_one_is_a_warning() {
    #[track_caller]
    fn check(parent: &str, child: &str, expected: &[&str]) {
        let site = Site::new();
        let item = |name: &str, more: &str| format!("- {{name: {name}, type: tcp, host: x, {more}}}\n");
        let below = item("b", &format!("depends_on: [mute], {child}")) + &item("c", "depends_on: mute, alert: false");
        site.write("monitors.d/a.yaml", format!("monitors:\n{}{below}", item("mute", parent)));
        assert_eq!(said(&site.load()), expected, "{parent} {child}");
    }
    let one = "monitors.d/a.yaml:3:46 W016 nobody hears of `b` while `mute` is down: it has `alert: false`";
    check("alert: false", "port: 1", &[one]);
    check("alert: false", "alert: false", &[]);
    check("alert: false", "paused: true", &[]);
    check("alert: false, paused: true", "port: 1", &[]);
    check("alert: false, slo: 99%", "port: 1", &[]);
    check("alert: {after: 5}", "port: 1", &[]);
}

#[test]
fn a_long_chain_of_dependencies_is_no_burden() {
    let site = Site::new();
    let mut text = "monitors:\n".to_owned();
    for i in 0..5_000 {
        text.push_str(&format!("- {{name: m{i}, type: tcp, host: x, depends_on: m{}}}\n", (i + 1) % 5_000));
    }
    site.write("monitors.d/a.yaml", text);
    let found = said(&site.load());
    assert_eq!(found.len(), 1, "{:?}", found.first());
    assert!(found[0].contains("W014"), "{}", found[0]);
}

#[test]
fn a_broken_policy_leaves_the_last_good_one_in_force() {
    let site = Site::new();
    site.write("watchdog.yaml", format!("{NOTIFIERS}route: {{receiver: hook}}\n"));
    let first = site.load();
    site.write("watchdog.yaml", format!("{NOTIFIERS}route: {{receiver: hok}}\n"));
    let second = site.reload(&first);
    assert_eq!((second.errors(), second.config.alerting.route.receiver.as_str()), (1, "hook"));
    assert!(diff(&first.config, &second.config).is_empty());
    site.write("watchdog.yaml", format!("{NOTIFIERS}route: {{receiver: ops}}\n"));
    let third = site.reload(&second);
    assert!(diff(&second.config, &third.config).alerting);
    // On a first load what is wrong is left out, and everybody hears.
    let fresh = load("route: {receiver: hok}\nsilences: [{matchers: [a=b]}]\n");
    assert_eq!(
        (fresh.config.alerting.route.receiver.as_str(), fresh.config.alerting.silences.len()),
        (EVERY_NOTIFIER, 0)
    );
}
