//! `scrape_configs:` of a Prometheus configuration as monitors: each job becomes one named after its `job_name`.
//!
//! Done on the tree, before anything is read, so that mistakes show where they stand in the file.

use crate::base::units::parse_duration;
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

/// Moves the jobs of `scrape_configs` to the end of `monitors`. `global` gives what a job does not say.
pub fn adopt(root: &mut Node) {
    let Value::Map(entries) = &mut root.value else { return };
    let Some(at) = entries.iter().position(|e| e.key == "scrape_configs") else { return };
    if !matches!(entries[at].value.value, Value::Seq(_)) {
        return;
    }
    let list = entries.remove(at);
    let global = entries.iter().position(|e| e.key == "global").map(|at| entries.remove(at));
    let given = |key: &str| global.as_ref().and_then(|g| g.value.get(key)).cloned();
    let span = list.key_span;
    let interval = given("scrape_interval").unwrap_or_else(|| plain("scrape_interval", INTERVAL, span));
    let shared = SHARED.into_iter().filter(|key| *key != "scrape_interval").filter_map(given);
    let defaults: Vec<Entry> = std::iter::once(interval).chain(shared).collect();
    // What else it says is nothing that a job can have: left where it stands, for whoever reports unknown keys.
    if let Some(Entry { value: Node { value: Value::Map(rest), .. }, .. }) = global.clone() {
        entries.extend(rest.into_iter().filter(|entry| !SHARED.contains(&entry.key.as_str())));
    }
    let Node { value: Value::Seq(mut jobs), span: whole } = list.value else { return };
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
        Some(_) => {}
        None => entries.push(Entry {
            key: "monitors".to_owned(),
            key_span: span,
            value: Node { value: Value::Seq(jobs), span: whole },
            merged: false,
        }),
    }
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
    use crate::config::yaml;

    fn keys(node: &Node) -> Vec<(&str, &str)> {
        let Value::Map(entries) = &node.value else { panic!("no mapping") };
        entries.iter().map(|e| (e.key.as_str(), e.value.as_str().unwrap_or("…"))).collect()
    }

    #[test]
    fn jobs_become_monitors_and_global_gives_what_they_do_not_say() {
        let text = "global: {scrape_interval: 15s, scrape_timeout: 5s}\nmonitors: [{name: a, type: tcp}]\n\
                    scrape_configs:\n- {job_name: node, static_configs: []}\n- {job_name: db, scrape_interval: 5s}\n";
        let mut root = yaml::parse(text).0.unwrap();
        adopt(&mut root);
        assert!(root.get("global").is_none() && root.get("scrape_configs").is_none());
        let Value::Seq(monitors) = &root.get("monitors").unwrap().value.value else { panic!("no list") };
        assert_eq!(monitors.len(), 3);
        let node =
            [("name", "node"), ("static_configs", "…"), ("interval", "15s"), ("timeout", "5s"), ("type", "prometheus")];
        assert_eq!(keys(&monitors[1]), node);
        assert_eq!(keys(&monitors[2]), [("name", "db"), ("interval", "5s"), ("timeout", "5s"), ("type", "prometheus")]);
        let text = "global: {scrape_timeout: 30s, sample_limit: 9, external_labels: {a: b}}\n\
                    scrape_configs: [{job_name: x, scrape_interval: 5s}, {job_name: y, sample_limit: 1}]\n";
        let mut root = yaml::parse(text).0.unwrap();
        adopt(&mut root);
        // Reported as what it is: a key that nothing here knows.
        assert!(root.get("external_labels").is_some());
        let Value::Seq(monitors) = &root.get("monitors").unwrap().value.value else { panic!("no list") };
        let of = |n: usize, key: &str| keys(&monitors[n]).iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned());
        assert_eq!((of(0, "timeout"), of(0, "sample_limit")), (Some("5s".into()), Some("9".into())));
        assert_eq!((of(1, "timeout"), of(1, "sample_limit")), (Some("30s".into()), Some("1".into())));
        let mut alone = yaml::parse("scrape_configs: [{job_name: x}]").0.unwrap();
        adopt(&mut alone);
        let Value::Seq(monitors) = &alone.get("monitors").unwrap().value.value else { panic!("no list") };
        assert_eq!(keys(&monitors[0])[1], ("interval", "1m"));
    }
}
