//! The events in a body: where they are, and what their words mean. Pure.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::base::beat::{Incident, Report};
use crate::base::time::Timestamp;
use crate::collect::judge::found;

/// Events taken of one call.
const MAX_EVENTS: usize = 100;
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
    /// More events than are taken.
    #[error("the body holds {0} events; {MAX_EVENTS} are taken")]
    TooMany(usize),
}

impl Mapping {
    /// Takes the events out of a body. What has neither a status that begins an event nor one that ends it is
    /// none: systems also tell what nobody asked for.
    ///
    /// # Errors
    /// The body is not JSON, or holds too many.
    pub fn reports(&self, body: &[u8], now: Timestamp) -> Result<Vec<Report>, BodyError> {
        // Its depth is limited to 128 by the parser.
        let body: Value = serde_json::from_slice(body)?;
        let events = match &self.events {
            Some(path) => path.query(&body).all(),
            None => vec![&body],
        };
        if events.len() > MAX_EVENTS {
            return Err(BodyError::TooMany(events.len()));
        }
        Ok(events.into_iter().filter_map(|event| self.report(event, now)).collect())
    }

    fn report(&self, event: &Value, now: Timestamp) -> Option<Report> {
        let status = self.status.first(event)?.to_lowercase();
        let resolved = self.resolved.contains(&status);
        if !resolved && !self.firing.contains(&status) {
            tracing::debug!(status = found(&status), "an event that neither begins nor ends anything");
            return None;
        }
        let severity = self.severity.first(event).unwrap_or_default().to_lowercase();
        let id = self.id.joined(event);
        let title = self.title.first(event).unwrap_or_else(|| if id.is_empty() { status } else { id.clone() });
        let labels = self.labels.iter().filter_map(|(name, path)| Some((name.clone(), text(event, path)?)));
        let labels: BTreeMap<String, String> = labels.collect();
        let severe = !self.minor.contains(&severity);
        Some(Report::Event(Incident { id, resolved, severe, title, labels, at: now }))
    }
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
        let many = format!("{{\"alerts\": [{}{{}}]}}", "{},".repeat(100));
        assert!(take(&many).contains("101 events"));
    }
}
