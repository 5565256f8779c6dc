//! Alertmanager's API, version 2, as amtool, karma and Prometheus servers speak it
//! (`api/v2/openapi.yaml` of Alertmanager). Keys are camelCase; times are RFC 3339.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::labels::Labels;
use crate::base::time::Timestamp;

/// An alert as another server sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostableAlert {
    /// Identity. Empty values count as absent.
    pub labels: BTreeMap<String, String>,
    /// Texts for people.
    pub annotations: BTreeMap<String, String>,
    /// Its start; now when absent.
    pub starts_at: Option<Timestamp>,
    /// Its end. In the past: it is over. Absent: it is over `resolve_timeout` after it was last sent.
    pub ends_at: Option<Timestamp>,
    /// The page of the rule.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
}

/// An alert as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GettableAlert {
    /// Texts for people.
    pub annotations: Labels,
    /// Its end; for one that fires, when it would lapse.
    pub ends_at: Timestamp,
    /// 16 hex digits.
    pub fingerprint: String,
    /// Whom it is routed to.
    pub receivers: Vec<ReceiverName>,
    /// Its start.
    pub starts_at: Timestamp,
    /// Whether it is told.
    pub status: AlertStatus,
    /// When it was last heard of.
    pub updated_at: Timestamp,
    /// The page of the rule.
    #[serde(rename = "generatorURL", skip_serializing_if = "String::is_empty")]
    pub generator_url: String,
    /// Identity.
    pub labels: Labels,
}

/// A receiver by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ReceiverName {
    /// As in the configuration.
    pub name: String,
}

/// Whether an alert is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    /// How it stands.
    pub state: AlertState,
    /// Ids of silences.
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// Names of time intervals, maintenance windows and monitors that mute it.
    pub muted_by: Vec<String>,
}

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Not looked at yet.
    Unprocessed,
    /// It is told.
    Active,
    /// It is not told.
    Suppressed,
}

/// Alerts that are told together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertGroup {
    /// The labels that formed it.
    pub labels: Labels,
    /// Who is told.
    pub receiver: ReceiverName,
    /// Its alerts.
    pub alerts: Vec<GettableAlert>,
}

/// One condition of a silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SilenceMatcher {
    /// The label.
    pub name: String,
    /// A value, or a regular expression.
    pub value: String,
    /// Which of the two.
    pub is_regex: bool,
    /// Whether it must match, or must not.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

const fn yes() -> bool {
    true
}

/// A silence as wished for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostableSilence {
    /// Of the silence to change; absent or empty for a new one.
    #[serde(default)]
    pub id: Option<String>,
    /// All of which must match.
    pub matchers: Vec<SilenceMatcher>,
    /// Its start.
    pub starts_at: Timestamp,
    /// Its end.
    pub ends_at: Timestamp,
    /// Who.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// A silence as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GettableSilence {
    /// A UUID.
    pub id: String,
    /// Where it stands.
    pub status: SilenceStatus,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Why.
    pub comment: String,
    /// Who.
    pub created_by: String,
    /// Its end.
    pub ends_at: Timestamp,
    /// All of which must match.
    pub matchers: Vec<SilenceMatcher>,
    /// Its start.
    pub starts_at: Timestamp,
}

/// Where a silence stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SilenceStatus {
    /// `active`, `pending` or `expired`.
    pub state: crate::wire::alerting::SilenceState,
}

/// `GET /api/v2/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReply {
    /// Of a cluster; there is none.
    pub cluster: ClusterStatus,
    /// The configuration in Alertmanager's own form.
    pub config: ConfigText,
    /// Start of the process.
    pub uptime: Timestamp,
    /// What runs.
    pub version_info: VersionInfo,
}

/// Of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// `disabled`.
    pub status: &'static str,
    /// None.
    pub peers: [(); 0],
}

/// The configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigText {
    /// YAML that Alertmanager's own tools read: routes, receivers by name, inhibition, time intervals.
    pub original: String,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// Version of the binary.
    pub version: &'static str,
    /// Not known.
    pub revision: &'static str,
    /// Not known.
    pub branch: &'static str,
    /// Not known.
    pub build_user: &'static str,
    /// Not known.
    pub build_date: &'static str,
    /// Not Go.
    pub go_version: &'static str,
}
