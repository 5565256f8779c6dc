//! `scrape_configs:` of a Prometheus configuration as monitors: each job becomes one named after its `job_name`.
//!
//! Done on the tree, before anything is read, so that mistakes show where they stand in the file.

use crate::base::units::parse_duration;
use crate::config::cx::Cx;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::{Entry, Node, Span, Value};

/// Prometheus' words, and ours for the same.
const WORDS: [(&str, &str); 3] = [("job_name", "name"), ("scrape_interval", "interval"), ("scrape_timeout", "timeout")];
/// How often Prometheus scrapes unless told otherwise.
const INTERVAL: &str = "1m";
/// What `global` may say for all jobs.
const SHARED: [&str; 12] = [
    "always_scrape_classic_histograms",
    "body_size_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "metric_name_escaping_scheme",
    "metric_name_validation_scheme",
    "sample_limit",
    "scrape_interval",
    "scrape_protocols",
    "scrape_timeout",
    "target_limit",
];

/// What Prometheus' files say besides, at their top or in `global`, and what to do about it here.
const ELSEWHERE: [(&str, &str); 18] = [
    ("alerting", "say who hears of alerts in watchdog.yaml: `notifiers` and `route`"),
    ("evaluation_interval", "write `interval` in the groups of rules.d"),
    ("rule_files", "put these files into rules.d, where they work as they are"),
    ("scrape_config_files", "put these files into monitors.d"),
    ("convert_classic_histograms_to_nhcb", TAKE_OUT),
    ("external_labels", TAKE_OUT),
    ("extra_scrape_metrics", TAKE_OUT),
    ("keep_dropped_targets", TAKE_OUT),
    ("otlp", TAKE_OUT),
    ("query_log_file", TAKE_OUT),
    ("remote_read", TAKE_OUT),
    ("remote_write", TAKE_OUT),
    ("rule_query_offset", "write `query_offset` in the groups of rules.d"),
    ("runtime", TAKE_OUT),
    ("scrape_failure_log_file", TAKE_OUT),
    ("scrape_native_histograms", TAKE_OUT),
    ("storage", "write `storage` in watchdog.yaml"),
    ("tracing", TAKE_OUT),
];
const TAKE_OUT: &str = "take it out";

/// Moves the jobs of `scrape_configs` to the end of `monitors`. `global` gives what a job does not say. What else
/// Prometheus knows is taken out, with a warning: the file is meant to be the one that it reads.
pub fn adopt(root: &mut Node, cx: &Cx<'_>) {
    let Value::Map(entries) = &mut root.value else { return };
    if !entries.iter().any(|e| matches!(e.key.as_str(), "scrape_configs" | "global")) {
        return;
    }
    take_out(entries, cx);
    // Nothing is an empty list. What is of another type is reported with the file's other keys.
    let is_list = |node: &Node| node.is_null() || matches!(node.value, Value::Seq(_));
    let Some(at) = entries.iter().position(|e| e.key == "scrape_configs" && is_list(&e.value)) else { return };
    let list = entries.remove(at);
    let mut global = entries.iter().position(|e| e.key == "global").map(|at| entries.remove(at).value);
    global = global.filter(|node| !node.is_null());
    if let Some(Node { value: Value::Map(keys), .. }) = &mut global {
        take_out(keys, cx);
    }
    if let Some(mut fields) = global.as_ref().and_then(|node| Fields::of(cx, node)) {
        for key in SHARED {
            fields.node(key);
        }
        fields.finish();
    }
    let given = |key: &str| global.as_ref().and_then(|node| node.get(key)).cloned();
    let span = list.key_span;
    let interval = given("scrape_interval").unwrap_or_else(|| plain("scrape_interval", INTERVAL, span));
    let shared = SHARED.into_iter().filter(|key| *key != "scrape_interval").filter_map(given);
    let defaults: Vec<Entry> = std::iter::once(interval).chain(shared).collect();
    let whole = list.value.span;
    let mut jobs = match list.value.value {
        Value::Seq(jobs) => jobs,
        Value::Scalar { .. } | Value::Map(_) => Vec::new(),
    };
    for job in &mut jobs {
        let Value::Map(keys) = &mut job.value else { continue };
        for default in &defaults {
            if !keys.iter().any(|e| e.key == default.key) {
                keys.push(default.clone());
            }
        }
        cap(keys, &defaults);
        for (theirs, ours) in WORDS {
            for entry in keys.iter_mut().filter(|e| e.key == theirs) {
                entry.key = ours.to_owned();
            }
        }
        keys.push(plain("type", "prometheus", job.span));
    }
    match entries.iter_mut().find(|e| e.key == "monitors") {
        Some(Entry { value: Node { value: Value::Seq(monitors), .. }, .. }) => monitors.append(&mut jobs),
        Some(entry) if entry.value.is_null() => entry.value = Node { value: Value::Seq(jobs), span: whole },
        // What is no list is reported with the file's other keys.
        Some(_) => {}
        None => entries.push(Entry {
            key: "monitors".to_owned(),
            key_span: span,
            value: Node { value: Value::Seq(jobs), span: whole },
            merged: false,
        }),
    }
}

/// Takes out what concerns no job.
fn take_out(entries: &mut Vec<Entry>, cx: &Cx<'_>) {
    entries.retain(|entry| {
        let Some((key, hint)) = ELSEWHERE.iter().find(|(key, _)| *key == entry.key) else { return true };
        if !entry.value.is_null() {
            let message = format!("`{key}` of a Prometheus configuration has no effect here");
            cx.warn(entry.key_span, Code::Unsupported, message, *hint);
        }
        false
    });
}

/// An inherited timeout that is longer than the job's own interval is as long as that, as Prometheus has it. One of the
/// job's own is reported where all monitors' are.
fn cap(keys: &mut [Entry], defaults: &[Entry]) {
    let of = |key: &str| keys.iter().find(|e| e.key == key);
    let inherited = defaults.iter().find(|e| e.key == "scrape_timeout");
    let (Some(interval), Some(timeout), Some(inherited)) = (of("scrape_interval"), of("scrape_timeout"), inherited)
    else {
        return;
    };
    let long = |entry: &Entry| entry.value.as_str().and_then(|text| parse_duration(text).ok());
    if timeout.value.span != inherited.value.span || long(timeout) <= long(interval) {
        return;
    }
    let shorter = interval.value.clone();
    if let Some(timeout) = keys.iter_mut().find(|e| e.key == "scrape_timeout") {
        timeout.value = shorter;
    }
}

fn plain(key: &str, text: &str, span: Span) -> Entry {
    let value = Node { value: Value::Scalar { text: text.to_owned(), plain: true }, span };
    Entry { key: key.to_owned(), key_span: span, value, merged: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cx::Resolver;
    use crate::config::report::Source;
    use crate::config::yaml;
    use crate::wire::api::{Level, Problem};

    struct NoReferences;

    impl Resolver for NoReferences {
        fn resolve(&self, _: &str, _: &str) -> Result<String, String> {
            Err("nothing is referred to".to_owned())
        }
    }

    fn adopted(text: &str) -> (Node, Vec<Problem>) {
        let mut root = yaml::parse(text).0.unwrap();
        let cx = Cx::new(Source::new("test.yaml", text), &NoReferences);
        adopt(&mut root, &cx);
        (root, cx.into_problems())
    }

    fn keys(node: &Node) -> Vec<(&str, &str)> {
        let Value::Map(entries) = &node.value else { panic!("no mapping") };
        entries.iter().map(|e| (e.key.as_str(), e.value.as_str().unwrap_or("…"))).collect()
    }

    #[test]
    fn jobs_become_monitors_and_global_gives_what_they_do_not_say() {
        let text = "global: {scrape_interval: 15s, scrape_timeout: 5s}\nmonitors: [{name: a, type: tcp}]\n\
                    scrape_configs:\n- {job_name: node, static_configs: []}\n- {job_name: db, scrape_interval: 5s}\n";
        let (root, problems) = adopted(text);
        assert!(problems.is_empty(), "{problems:?}");
        assert!(root.get("global").is_none() && root.get("scrape_configs").is_none());
        let Value::Seq(monitors) = &root.get("monitors").unwrap().value.value else { panic!("no list") };
        assert_eq!(monitors.len(), 3);
        let node =
            [("name", "node"), ("static_configs", "…"), ("interval", "15s"), ("timeout", "5s"), ("type", "prometheus")];
        assert_eq!(keys(&monitors[1]), node);
        assert_eq!(keys(&monitors[2]), [("name", "db"), ("interval", "5s"), ("timeout", "5s"), ("type", "prometheus")]);
        let text = "global: {scrape_timeout: 30s, sample_limit: 9}\n\
                    scrape_configs: [{job_name: x, scrape_interval: 5s}, {job_name: y, sample_limit: 1}]\n";
        let (root, _) = adopted(text);
        let Value::Seq(monitors) = &root.get("monitors").unwrap().value.value else { panic!("no list") };
        let of = |n: usize, key: &str| keys(&monitors[n]).iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned());
        assert_eq!((of(0, "timeout"), of(0, "sample_limit")), (Some("5s".into()), Some("9".into())));
        assert_eq!((of(1, "timeout"), of(1, "sample_limit")), (Some("30s".into()), Some("1".into())));
        let (alone, _) = adopted("scrape_configs: [{job_name: x}]");
        let Value::Seq(monitors) = &alone.get("monitors").unwrap().value.value else { panic!("no list") };
        assert_eq!(keys(&monitors[0])[1], ("interval", "1m"));
    }

    #[test]
    fn what_a_configuration_says_besides_is_a_warning_and_a_mistake_an_error() {
        // As Debian ships it, `rule_files` with nothing in it.
        let (root, problems) = adopted(
            "global:\n  scrape_interval: 15s\n  evaluation_interval: 15s\n  external_labels:\n    monitor: example\n\
             alerting:\n  alertmanagers:\n  - static_configs: [{targets: [\"localhost:9093\"]}]\n\
             rule_files:\n  # - first_rules.yml\n\
             scrape_configs:\n  - {job_name: node, static_configs: [{targets: [\"localhost:9100\"]}]}\n",
        );
        assert_eq!(keys(&root), [("monitors", "…")]);
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.level, p.code.as_str())).collect();
        assert_eq!(found, [3, 4, 6].map(|line| (line, Level::Warning, "W015")));
        let hint = "say who hears of alerts in watchdog.yaml: `notifiers` and `route`";
        assert!(problems.iter().any(|p| p.hint == hint), "{problems:?}");
        let (_, problems) = adopted("global: {scrape_intervall: 15s}\nscrape_configs: []\n");
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!((problem.level, problem.hint.as_str()), (Level::Error, "did you mean `scrape_interval`?"));
    }

    #[test]
    fn monitors_that_are_none_take_the_jobs_all_the_same() {
        for monitors in ["monitors:\n", "monitors:\n  # - {name: a, type: tcp}\n", "monitors: []\n"] {
            let (root, problems) = adopted(&format!("{monitors}scrape_configs: [{{job_name: node}}]\n"));
            let Value::Seq(jobs) = &root.get("monitors").unwrap().value.value else { panic!("no list") };
            assert_eq!((keys(&jobs[0])[0], jobs.len(), problems.len()), (("name", "node"), 1, 0), "{monitors}");
        }
    }

    #[test]
    fn a_configuration_without_jobs_is_taken_as_it_is() {
        let besides = "global: {scrape_interval: 15s}\nrule_files: [a.yml]\n";
        for list in ["scrape_configs:\n", "scrape_configs:\n  # - job_name: node\n", "scrape_configs: []\n"] {
            let (root, problems) = adopted(&format!("{besides}{list}"));
            assert_eq!(keys(&root), [("monitors", "…")], "{list}");
            assert_eq!(problems.iter().map(|p| (p.line, p.level)).collect::<Vec<_>>(), [(2, Level::Warning)], "{list}");
        }
        let (root, problems) = adopted(besides);
        assert_eq!((keys(&root), problems.len()), (vec![("global", "…")], 1), "{problems:?}");
    }
}
