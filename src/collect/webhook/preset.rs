//! What well-known senders send, so that nobody has to write it down.

use serde_json_path::JsonPath;

use crate::collect::webhook::mapping::{Mapping, Paths};

/// The names of all.
pub const NAMES: [&str; 4] = ["alertmanager", "github", "gitlab", "grafana"];

/// Words that begin an event, of the systems that we have seen.
const FIRING: [&str; 14] = [
    "firing",
    "alerting",
    "triggered",
    "problem",
    "open",
    "opened",
    "down",
    "critical",
    "failure",
    "failed",
    "timed_out",
    "startup_failure",
    "error",
    "true",
];
/// Words that end one.
const RESOLVED: [&str; 11] =
    ["resolved", "ok", "normal", "recovered", "closed", "up", "success", "succeeded", "fixed", "recovery", "false"];
/// Severities that leave a monitor degraded.
const MINOR: [&str; 8] = ["warning", "warn", "minor", "low", "info", "information", "notice", "none"];

/// What is taken for what, where nothing else is said.
pub fn words() -> Mapping {
    let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
    Mapping { firing: own(&FIRING), resolved: own(&RESOLVED), minor: own(&MINOR), ..Mapping::default() }
}

/// The mapping of a well-known sender; `None` when there is none of this name.
pub fn mapping(name: &str) -> Option<Mapping> {
    let mapping = match name {
        // Grafana's unified alerting sends Alertmanager's body.
        "alertmanager" | "grafana" => Mapping {
            events: path("$.alerts[*]"),
            id: paths(&["$.fingerprint"]),
            status: paths(&["$.status"]),
            severity: paths(&["$.labels.severity"]),
            title: paths(&["$.annotations.summary", "$.annotations.description", "$.labels.alertname"]),
            labels: labels(&[("alertname", "$.labels.alertname"), ("instance", "$.labels.instance")]),
            ..words()
        },
        "github" => Mapping {
            id: paths(&["$.repository.full_name", "$.workflow_run.name", "$.workflow_run.head_branch"]),
            status: paths(&["$.workflow_run.conclusion"]),
            title: paths(&["$.workflow_run.display_title", "$.workflow_run.name"]),
            labels: labels(&[
                ("repository", "$.repository.full_name"),
                ("workflow", "$.workflow_run.name"),
                ("branch", "$.workflow_run.head_branch"),
                ("url", "$.workflow_run.html_url"),
            ]),
            ..words()
        },
        "gitlab" => Mapping {
            id: paths(&["$.project.path_with_namespace", "$.object_attributes.ref"]),
            status: paths(&["$.object_attributes.status"]),
            title: paths(&["$.commit.title", "$.object_attributes.ref"]),
            labels: labels(&[
                ("project", "$.project.path_with_namespace"),
                ("ref", "$.object_attributes.ref"),
                ("url", "$.object_attributes.url"),
            ]),
            ..words()
        },
        _ => return None,
    };
    Some(mapping)
}

fn path(text: &str) -> Option<JsonPath> {
    JsonPath::parse(text).ok()
}

fn paths(texts: &[&str]) -> Paths {
    Paths(texts.iter().filter_map(|t| path(t)).collect())
}

fn labels(pairs: &[(&str, &str)]) -> Vec<(String, JsonPath)> {
    pairs.iter().filter_map(|(name, text)| Some(((*name).to_owned(), path(text)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_every_sender_is_one() {
        for name in NAMES {
            let mapping = mapping(name).unwrap();
            let all = [&mapping.id, &mapping.status, &mapping.title];
            assert!(all.iter().all(|paths| !paths.0.is_empty()), "{name}");
            assert!(mapping.labels.len() >= 2, "{name}");
        }
        assert!(mapping("other").is_none());
        let words = words();
        assert!(!words.firing.iter().any(|w| words.resolved.contains(w)));
    }
}
