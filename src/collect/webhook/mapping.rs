//! The events in a body: where they are, and what their words mean. Pure.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::base::beat::{Incident, Report};
use crate::base::time::Timestamp;
use crate::collect::judge::found;

/// Events that begin, taken of one call: as many as stay open with a monitor.
const MAX_FIRING: usize = 100;
/// Labels of one event.
pub const MAX_LABELS: usize = 20;
/// Longest text of an event, in characters.
const MAX_TEXT: usize = 300;

/// Paths of which the first that leads to a value counts.
#[derive(Clone, Debug, Default)]
pub struct Paths(pub Vec<JsonPath>);

impl Paths {
    fn first(&self, event: &Value) -> Option<String> {
        self.0.iter().find_map(|path| text(event, path))
    }

    /// All that lead to a value.
    fn joined(&self, event: &Value) -> String {
        let parts: Vec<String> = self.0.iter().filter_map(|path| text(event, path)).collect();
        parts.join("/")
    }
}

fn text(event: &Value, path: &JsonPath) -> Option<String> {
    let text = match path.query(event).first()? {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(text.chars().take(MAX_TEXT).collect()).filter(|t: &String| !t.is_empty())
}

/// Where an event's parts are in a body.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// The events, when there are several in one body.
    pub events: Option<JsonPath>,
    /// What tells events apart.
    pub id: Paths,
    /// Whether it begins or is over.
    pub status: Paths,
    /// How bad it is.
    pub severity: Paths,
    /// What to show.
    pub title: Paths,
    /// More to show.
    pub labels: Vec<(String, JsonPath)>,
    /// Values of `status` that begin one; in lower case.
    pub firing: Vec<String>,
    /// Values of `status` that end one; in lower case.
    pub resolved: Vec<String>,
    /// Values of `severity` that leave the monitor degraded rather than down; in lower case.
    pub minor: Vec<String>,
}

/// Why a body is not understood.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is no JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

impl Mapping {
    /// Takes the events out of a body: all that end, and the worst of those that begin. What has neither a status
    /// that begins an event nor one that ends it is none: systems also tell what nobody asked for.
    ///
    /// A call with more events than are taken is no reason to refuse it: whoever sends so many has the largest of
    /// outages, and senders do not repeat what was refused.
    ///
    /// # Errors
    /// The body is not JSON.
    pub fn reports(&self, body: &[u8], now: Timestamp) -> Result<Vec<Report>, BodyError> {
        // Its depth is limited to 128 by the parser.
        let body: Value = serde_json::from_slice(body)?;
        let events = match &self.events {
            Some(path) => path.query(&body).all(),
            None => vec![&body],
        };
        let incidents: Vec<Incident> = events.into_iter().filter_map(|event| self.incident(event, now)).collect();
        Ok(bounded(incidents).into_iter().map(Report::Event).collect())
    }

    fn incident(&self, event: &Value, now: Timestamp) -> Option<Incident> {
        let status = self.status.first(event)?.to_lowercase();
        let resolved = self.resolved.contains(&status);
        if !resolved && !self.firing.contains(&status) {
            tracing::debug!(status = found(&status), "an event that neither begins nor ends anything");
            return None;
        }
        let severity = self.severity.first(event).unwrap_or_default().to_lowercase();
        let mut id = self.id.joined(event);
        let title = self.title.first(event);
        if id.is_empty() && !self.id.0.is_empty() {
            // Without an id it would take the place of every other one without.
            let Some(title) = &title else {
                tracing::warn!("an event with neither an id nor a title where the monitor looks for them");
                return None;
            };
            id.clone_from(title);
        }
        let title = title.unwrap_or_else(|| if id.is_empty() { status } else { id.clone() });
        let labels = self.labels.iter().filter_map(|(name, path)| Some((name.clone(), text(event, path)?)));
        let labels: BTreeMap<String, String> = labels.collect();
        let severe = !self.minor.contains(&severity);
        Some(Incident { id, resolved, severe, title, labels, at: now })
    }
}

/// What is taken of many events: of each the last word, all that end, and the first [`MAX_FIRING`] of those that
/// begin, severe ones before others. The worst come last, where the newest is told first; it says how many are left out.
fn bounded(all: Vec<Incident>) -> Vec<Incident> {
    if all.len() <= MAX_FIRING {
        return all;
    }
    let last: BTreeMap<&str, usize> = all.iter().enumerate().map(|(n, incident)| (incident.id.as_str(), n)).collect();
    let kept: Vec<bool> = all.iter().enumerate().map(|(n, i)| last.get(i.id.as_str()) == Some(&n)).collect();
    let kept = all.into_iter().zip(kept).filter_map(|(incident, is_last)| is_last.then_some(incident));
    let (mut taken, firing): (Vec<_>, Vec<_>) = kept.partition(|i| i.resolved);
    let left_out = firing.len().saturating_sub(MAX_FIRING);
    let (severe, minor): (Vec<_>, Vec<_>) = firing.into_iter().partition(|i| i.severe);
    let severe: Vec<_> = severe.into_iter().take(MAX_FIRING).collect();
    taken.extend(minor.into_iter().take(MAX_FIRING - severe.len()));
    taken.extend(severe);
    if let Some(told) = taken.last_mut().filter(|_| left_out > 0) {
        told.title += &format!(", and {left_out} more that are not kept");
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::webhook::preset;

    fn seen(preset: &str, body: &str) -> Vec<(String, bool, bool, String)> {
        let mapping = preset::mapping(preset).unwrap();
        let reports = mapping.reports(body.as_bytes(), Timestamp::EPOCH).unwrap();
        let of = |report| match report {
            Report::Event(i) => (i.id, i.resolved, i.severe, i.title),
            other => panic!("{other:?}"),
        };
        reports.into_iter().map(of).collect()
    }

    #[test]
    fn alertmanagers_groups_are_events_each() {
        let body = r#"{"version": "4", "status": "firing", "alerts": [
            {"status": "firing", "labels": {"alertname": "Disk", "severity": "warning"},
             "annotations": {"summary": "disk of a"}, "fingerprint": "f1"},
            {"status": "resolved", "labels": {"alertname": "Load"}, "annotations": {}, "fingerprint": "f2"}]}"#;
        assert_eq!(
            seen("alertmanager", body),
            [("f1".into(), false, false, "disk of a".into()), ("f2".into(), true, true, "Load".into())]
        );
    }

    #[test]
    fn a_workflow_of_github_fails_and_recovers() {
        let body = |conclusion: &str| {
            format!(
                r#"{{"action": "completed", "repository": {{"full_name": "o/r"}}, "workflow_run":
                {{"name": "CI", "head_branch": "main", "display_title": "fix", "conclusion": {conclusion}}}}}"#
            )
        };
        assert_eq!(seen("github", &body("\"failure\"")), [("o/r/CI/main".into(), false, true, "fix".into())]);
        assert_eq!(seen("github", &body("\"success\"")), [("o/r/CI/main".into(), true, true, "fix".into())]);
        // One that still runs, and the ping that GitHub sends first, are no events.
        assert!(seen("github", &body("null")).is_empty());
        assert!(seen("github", r#"{"zen": "Keep it logically awesome."}"#).is_empty());
    }

    #[test]
    fn bodies_that_are_not_understood_are_named() {
        let mapping = preset::mapping("alertmanager").unwrap();
        let take = |body: &str| mapping.reports(body.as_bytes(), Timestamp::EPOCH).unwrap_err().to_string();
        assert!(take("x").contains("not JSON"));
        assert!(take(&format!("{}{}", "[".repeat(1_000), "]".repeat(1_000))).contains("not JSON"));
    }

    #[test]
    fn of_a_flood_all_that_ends_and_the_worst_that_begins_is_taken() {
        let alert = |n: usize, status: &str, severity: &str| {
            format!(
                r#"{{"status": "{status}", "labels": {{"severity": "{severity}"}}, "annotations": {{"summary": "{n}"}}, "fingerprint": "f{n}"}}"#
            )
        };
        let mut alerts: Vec<String> = (0..150).map(|n| alert(n, "firing", "warning")).collect();
        alerts.extend((150..200).map(|n| alert(n, "firing", "critical")));
        alerts.extend((200..350).map(|n| alert(n, "resolved", "critical")));
        // The last word about an event counts, wherever it stands.
        alerts.push(alert(0, "resolved", "warning"));
        let got = seen("alertmanager", &format!(r#"{{"alerts": [{}]}}"#, alerts.join(",")));
        let count = |resolved: bool, severe: bool| got.iter().filter(|e| (e.1, e.2) == (resolved, severe)).count();
        assert_eq!((count(true, true), count(true, false)), (150, 1));
        assert_eq!((count(false, true), count(false, false)), (50, 50));
        assert!(got.iter().any(|e| e.0 == "f0" && e.1) && !got.iter().any(|e| e.0 == "f0" && !e.1));
        assert_eq!(got.last().unwrap().3, "199, and 99 more that are not kept");
    }

    #[test]
    fn an_event_without_an_id_is_known_by_its_title() {
        let alert =
            |status: &str, name: &str| format!(r#"{{"status": "{status}", "labels": {{"alertname": "{name}"}}}}"#);
        let body = [alert("firing", "A"), alert("firing", "B"), alert("resolved", "A")].join(",");
        let got = seen("alertmanager", &format!(r#"{{"alerts": [{body}, {{"status": "firing"}}]}}"#));
        let ids: Vec<&str> = got.iter().map(|e| e.0.as_str()).collect();
        assert_eq!(ids, ["A", "B", "A"]);
    }
}
