//! Rules in both forms: what is read, what is refused, and where.

use super::*;
use crate::alert::evaluation::{Absent, Condition};
use crate::config::resolve::FromSystem;

fn sheet(text: &str) -> Sheet {
    let source = Source::new("rules.d/x.yaml", text);
    read(&source, &FromSystem::new(std::path::Path::new("/nonexistent")))
}

#[track_caller]
fn good(text: &str) -> Vec<Arc<RuleGroup>> {
    let sheet = sheet(text);
    assert_eq!(sheet.problems, [], "{text}");
    sheet.groups
}

/// Every problem as `line:column message`.
fn problems(text: &str) -> Vec<String> {
    sheet(text).problems.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.message)).collect()
}

#[track_caller]
fn bad(text: &str, expected: &[&str]) {
    assert_eq!(problems(text), expected, "{text}");
}

/// A group of one rule.
fn group(rule: &str) -> String {
    format!("groups:\n- name: g\n  rules:\n  - {rule}\n")
}

#[test]
fn prometheus_form_is_read_whole() {
    let text = r#"
groups:
- name: example
  interval: 30s
  limit: 10
  query_offset: 1m
  labels: {team: web, tier: front}
  rules:
  - record: job:x:sum
    expr: sum by (job) (x)
    labels: {tier: back}
  - alert: High
    expr: |
      rate(x{n="7"}[5m])
        > 1e9
    for: 1h30m
    keep_firing_for: 5m
    labels: {severity: critical, who: "{{ $labels.job }}"}
    annotations: {summary: "{{ $value | humanize }}", n: 5}
"#;
    let groups = good(text);
    let g = &groups[0];
    assert_eq!((g.name.as_str(), g.interval.as_secs(), g.limit, g.query_offset.as_secs()), ("example", 30, 10, 60));
    assert_eq!(g.source, "rules.d/x.yaml:3:3");
    let names = |r: &Rule| r.labels.iter().map(|(k, v)| format!("{k}={}", v.source())).collect::<Vec<_>>();
    assert_eq!(names(&g.rules[0]), ["team=web", "tier=back"]);
    assert_eq!(names(&g.rules[1]), ["severity=critical", "team=web", "tier=front", "who={{ $labels.job }}"]);
    assert_eq!(g.rules[1].source, "rules.d/x.yaml:12:5");
    let alerting = g.rules[1].alerting().unwrap();
    assert_eq!((alerting.policy.hold.as_secs(), alerting.policy.keep_firing_for.as_secs()), (5_400, 300));
    assert_eq!(alerting.annotations.len(), 2);
    for empty in
        ["", "groups:\n", "groups: []\n", "groups: [{name: a}]\n", "groups: [{name: a, rules: []}]\n", "rules: []"]
    {
        good(empty);
    }
    assert!(
        good("groups: [{name: a, rules: [{record: x, expr: 'label_replace(y, \"a\", \"${1}\", \"b\", \"(.*)\")'}]}]")
            .len()
            == 1
    );
}

#[test]
fn what_promtool_refuses_is_refused_in_its_words() {
    for (rule, expected) in [
        ("{expr: up}", "4:6 one of 'record' or 'alert' must be set"),
        ("{alert: a, record: b, expr: up}", "4:24 only one of 'record' and 'alert' must be set"),
        ("{alert: a}", "4:6 field 'expr' must be set in rule"),
        ("{alert: a, expr: ''}", "4:22 field 'expr' must be set in rule"),
        ("{record: a, expr: up, for: 5m}", "4:14 invalid field 'for' in recording rule"),
        ("{record: a, expr: up, keep_firing_for: 5m}", "4:14 invalid field 'keep_firing_for' in recording rule"),
        ("{record: a, expr: up, annotations: {x: y}}", "4:14 invalid field 'annotations' in recording rule"),
        ("{record: 'a b', expr: up}", "4:15 invalid recording rule name: a b"),
        ("{record: 'a{b=\"c\"}', expr: up}", "4:15 invalid recording rule name: a{b=\"c\"}"),
        ("{alert: a, expr: up, labels: {__name__: x}}", "4:35 invalid label name: __name__"),
        ("{alert: a, expr: up, labels: {a-b: x}}", "4:35 invalid label name: a-b"),
        ("{alert: a, expr: up, annotations: {'a b': x}}", "4:41 invalid annotation name: a b"),
        ("{alert: a, expr: up, nope: 1}", "4:26 `nope` is not a key here"),
        ("{alert: a, expr: up, for: 5}", "4:31 `for`: not a valid duration string: \"5\""),
        ("{alert: a, expr: up, for: 1.5m}", "4:31 `for`: unknown unit \".\" in duration \"1.5m\""),
        (
            "{alert: a, expr: up, annotations: {s: '{{ $x }}'}}",
            "4:47 annotation \"s\": template: __alert_a:1: undefined variable \"$x\"",
        ),
        (
            "{alert: a, expr: up, labels: {s: '{{ nope 1 }}'}}",
            "4:42 label \"s\": template: __alert_a:1: function \"nope\" not defined",
        ),
        ("{alert: a, expr: 'sum(x'}", "4:28 could not parse expression: unclosed left parenthesis"),
    ] {
        bad(&group(rule), &[expected]);
    }
    bad("groups: [{name: a}, {name: a}]", &["1:21 groupname: \"a\" is repeated in the same file"]);
    bad("groups: [{rules: []}]", &["1:11 Groupname must not be empty"]);
    bad("groups: {a: 1}", &["1:9 `groups` takes a list, not a mapping"]);
    bad("group: []", &["1:1 `group` is not a key here"]);
    bad("groups: [{name: a, limit: x}]", &["1:27 `limit` is `x`, which is not a whole number"]);
    // A recording rule's labels are no templates.
    good(&group("{record: a, expr: up, labels: {s: '{{ nope }}'}}"));
}

#[test]
fn a_mistake_in_a_query_is_marked_where_it_stands() {
    bad(
        "rules:\n- name: a\n  query: |\n    sum(\n      foo bar\n    )\n",
        &["5:11 could not parse expression: unexpected identifier \"bar\" in aggregation"],
    );
    bad(
        "rules:\n- name: a\n  query: \"x{a=\\\"b\\\"} bar\"\n",
        &["3:22 could not parse expression: unexpected identifier \"bar\""],
    );
    let p = &sheet("rules: [{name: a, query: 'ratee(x[5m])'}]").problems[0];
    assert_eq!((p.column, p.length, p.hint.as_str()), (27, 5, "did you mean `rate`?"));
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = "rules:\n- {name: a, query: 'x +', severitty: info, duration: 5}\n- {record: 'b c', query: y, severity: info}\n- {query: z}\n";
    assert_eq!(
        problems(text),
        [
            "2:24 could not parse expression: unexpected end of input",
            "2:27 `severitty` is not a key here",
            "2:54 `duration` is `5`, which has no unit",
            "3:13 invalid recording rule name: b c",
            "3:39 `severity` belongs to alerts, and this rule records a series",
            "4:4 `name` is missing",
        ]
    );
}

#[test]
fn our_own_form_is_read_whole() {
    let text = r#"
rules:
  - name: SlowShop
    query: avg_over_time(probe_duration_seconds{monitor="shop"}[5m])
    condition: {above: 0.5, recover_below: 0.4}
    duration: 5m
    severity: warning
    labels: {team: web}
    annotations: {summary: "shop answers in {{ value | duration }}"}
    on_no_data: alert
  - {record: "shop:latency:avg5m", query: "avg_over_time(x[5m])"}
  - {name: Fast, query: up == 0, interval: 5s}
  - {name: Missing, query: 'up{job="a"} < 1', on_no_data: keep}
"#;
    let groups = good(text);
    let names: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["x every 5s", "x"]);
    let slow = &groups[1].rules[0];
    let policy = slow.alerting().unwrap().policy;
    let condition = Condition { above: Some(0.5), recover_below: Some(0.4), ..Condition::default() };
    assert_eq!((policy.condition, policy.on_no_data, policy.on_error), (Some(condition), Absent::Alert, Absent::Keep));
    assert_eq!(slow.labels.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["severity", "team"]);
    let missing = &groups[1].rules[2];
    assert_eq!(missing.alerting().unwrap().policy.condition.unwrap().below, Some(1.0));
    assert_eq!(crate::promql::printer::pretty(&missing.expr), "up{job=\"a\"}");
}

#[test]
fn conditions_must_make_sense() {
    for (rule, expected) in [
        ("condition: {}", "the condition has no threshold"),
        (
            "condition: {above: 1, recover_below: 2}",
            "`recover_below` lies above `above`: the alert would end and begin at once",
        ),
        (
            "condition: {below: 1, recover_above: 0}",
            "`recover_above` lies below `below`: the alert would end and begin at once",
        ),
        ("condition: {above: 1, recover_above: 0}", "`recover_above` needs `below`"),
        ("condition: 5", "`condition` takes `key: value` pairs, not a single value"),
        ("on_no_data: alert", "without a condition, no data looks like nothing wrong"),
        ("on_no_data: maybe", "`on_no_data`: `maybe` is not one of the words"),
        ("severity: bad", "there is no severity `bad`"),
        ("for: 5m", "`for` is Prometheus' word; in a list of rules it is `duration`"),
    ] {
        let found = problems(&format!("rules:\n- name: a\n  query: x\n  {rule}\n"));
        assert!(found.len() == 1 && found[0].ends_with(expected), "{rule}: {found:?}");
    }
    let range = problems("rules: [{name: a, query: 'x[5m]'}]");
    assert_eq!(range, ["1:27 an alert needs a query that gives a vector or a number"]);
}

#[test]
fn tests_of_rules_are_no_rules() {
    let source = Source::new("rules.d/x.test.yaml", "rule_files: [x.yaml]\ntests: []\n");
    let sheet = read(&source, &FromSystem::new(std::path::Path::new("/nonexistent")));
    assert_eq!((sheet.problems.len(), sheet.groups.len()), (0, 0));
}

#[test]
fn what_moves_is_the_same_rule_and_what_changes_is_not() {
    let of = |text: &str| good(text)[0].clone();
    let a = of("groups: [{name: g, rules: [{alert: a, expr: up}]}]");
    let moved = of("\n\ngroups: [{name: g, rules: [{alert: a, expr: up}]}]");
    let changed = of("groups: [{name: g, rules: [{alert: a, expr: up == 0}]}]");
    assert_eq!(a.hash, moved.hash);
    assert_ne!(a.hash, changed.hash);
    assert_eq!(a.rules[0].identity, changed.rules[0].identity);
}

#[test]
fn groups_of_both_forms_in_one_file_have_names_of_their_own() {
    let groups = good("groups: [{name: x, rules: [{record: a, expr: up}]}]\nrules: [{record: b, query: up}]\n");
    let names: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["x", "x (own form)"]);
}
