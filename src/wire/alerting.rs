//! Alerting across the API: alerts in full, silences, maintenance, deliveries, rules, and why.
//!
//! | route | body → reply |
//! |---|---|
//! | `GET /api/v1/alerts/{id}` | → [`AlertDetail`]; `id` is a fingerprint or its unique beginning |
//! | `POST /api/v1/alerts/{id}/ack` | [`AckRequest`] → [`Ack`] |
//! | `DELETE /api/v1/alerts/{id}/ack` | → `{"ok":true}` |
//! | `GET /api/v1/silences` | → array of [`SilenceRow`], the active ones first |
//! | `POST /api/v1/silences` | [`SilenceRequest`] → [`SilenceRow`] |
//! | `POST /api/v1/silences/preview` | [`SilenceRequest`] → [`SilencePreview`] |
//! | `DELETE /api/v1/silences/{id}` | → `{"ok":true}`; it is over, and stays listed |
//! | `GET /api/v1/maintenance?limit=&upcoming=` | → array of [`MaintenanceRow`]; `upcoming=true`: one for each occurrence |
//! | `GET /api/v1/notifications?before=&limit=&receiver=&state=` | → [`Deliveries`] |
//! | `POST /api/v1/notifications/{id}/resend` | → `{"ok":true}` |
//! | `GET /api/v1/notifiers` | → array of [`NotifierRow`] |
//! | `POST /api/v1/notifiers/{name}/test` | → [`TestResult`] |
//! | `POST /api/v1/drill` | [`DrillRequest`] → array of [`TestResult`] |
//! | `GET /api/v1/routes` | → [`RouteRow`], the root |
//! | `POST /api/v1/routes/test` | a JSON object of labels → array of [`RouteMatch`] |
//! | `GET /api/v1/why?about=&kind=` | → [`Why`]; `kind` is `alert`, `monitor` or `rule`, or is found out |
//! | `GET /api/v1/rules/list` | → array of [`RuleRow`] |

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::labels::Labels;
use crate::base::message::{Severity, Status};
use crate::base::outcome::seconds;
use crate::base::time::Timestamp;
use crate::wire::board::{AlertRow, DeliveryState, Event, optional_seconds};

/// Somebody has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What they said; may be empty. Untrusted.
    pub comment: String,
    /// When it lapses and escalation goes on; `None`: with the alert.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// The wish to acknowledge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckRequest {
    /// Who; the peer of the socket when empty.
    #[serde(default)]
    pub by: String,
    /// Free text.
    #[serde(default)]
    pub comment: String,
    /// When it lapses.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// What keeps an alert from being told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutedBy {
    /// What sort.
    pub kind: MuteKind,
    /// Id of the silence, name of the window, the monitor it depends on, or the alert that inhibits.
    pub id: String,
    /// For people: `wu: flaky uplink`. Untrusted.
    pub detail: String,
    /// When it ends, where that is known.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// Sorts of muting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MuteKind {
    /// A silence.
    Silence,
    /// A maintenance window.
    Maintenance,
    /// An inhibition rule.
    Inhibition,
    /// A monitor that this one depends on is down.
    Dependency,
    /// The route's time intervals.
    Time,
}

/// Everything about one alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertDetail {
    /// As on the board.
    pub alert: AlertRow,
    /// What the rule's expression gave last.
    #[serde(default)]
    pub value: Option<f64>,
    /// The rule's expression, or what a monitor's `alert:` says in words.
    pub condition: String,
    /// `rules.d/web.yaml:12:5`; empty for alerts from elsewhere.
    pub source: String,
    /// Whom it is routed to.
    pub routes: Vec<RouteMatch>,
    /// Its life, oldest first: transitions, deliveries, acks.
    pub timeline: Vec<Event>,
    /// What is to come, soonest first.
    pub next: Vec<Upcoming>,
    /// The page that says what to do.
    #[serde(default)]
    pub runbook: Option<String>,
}

/// Something that will happen unless something else does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    /// When.
    pub at: Timestamp,
    /// `repeat to ops`, `escalate to lead if nobody acknowledges`.
    pub what: String,
}

/// Where a silence stands; Alertmanager's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// It mutes.
    Active,
    /// It has not begun.
    Pending,
    /// It is over.
    Expired,
}

/// A silence as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceRow {
    /// A UUID; a file's silence has a name derived from the file.
    pub id: String,
    /// Where it stands.
    pub state: SilenceState,
    /// `alertname="X"`, all of which must match.
    pub matchers: Vec<String>,
    /// Its start.
    pub starts_at: Timestamp,
    /// Its end.
    pub ends_at: Timestamp,
    /// It also ends when nothing it matches fires any more.
    #[serde(default)]
    pub until_resolved: bool,
    /// Who.
    pub created_by: String,
    /// Why. Untrusted.
    pub comment: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Alerts that it matches now.
    pub matches: usize,
    /// Notifications that it held back so far.
    pub muted: u64,
    /// The last of them.
    #[serde(default)]
    pub last_muted: Option<Timestamp>,
    /// `silences.yaml:3:5` when it stands in a file; such a one cannot be expired here.
    #[serde(default)]
    pub source: Option<String>,
    /// What is odd about it: `broad and idle: it matches nothing now and muted nothing in 7 days`.
    #[serde(default)]
    pub notice: Option<String>,
}

/// The wish to silence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceRequest {
    /// Change this one instead of making another.
    #[serde(default)]
    pub id: Option<String>,
    /// `alertname="X"`, `team=~"web|db"`.
    pub matchers: Vec<String>,
    /// Its start; now when absent.
    #[serde(default)]
    pub starts_at: Option<Timestamp>,
    /// Its end.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    /// Or its length.
    #[serde(default, with = "optional_seconds", rename = "for")]
    pub length: Option<Duration>,
    /// It also ends when nothing it matches fires any more.
    #[serde(default)]
    pub until_resolved: bool,
    /// Who; the peer of the socket when empty.
    #[serde(default)]
    pub created_by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// What a silence would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilencePreview {
    /// The alerts it would mute now.
    pub matches: Vec<AlertRow>,
    /// Notifications that it would have held back in the last 7 days.
    pub would_have_muted: usize,
    /// Loaded rules and monitors whose alerts it could mute.
    pub rules: usize,
    /// What gives reason to think twice.
    pub warnings: Vec<String>,
    /// When it would end.
    pub ends_at: Timestamp,
}

/// A maintenance window, in its running or next occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceRow {
    /// Its name.
    pub name: String,
    /// `team="db"`, all of which must match; empty for everything.
    pub matchers: Vec<String>,
    /// Whether it runs now.
    pub active: bool,
    /// Start of the running or next occurrence; `None` when there is none to come.
    #[serde(default)]
    pub starts_at: Option<Timestamp>,
    /// Its end; `None` also for one that never ends.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    /// `0 2 * * sun for 2h, Europe/Berlin`.
    pub schedule: String,
    /// Why. Untrusted.
    pub comment: String,
    /// Alerts that it matches now.
    pub matches: usize,
    /// `watchdog.yaml:30:3`.
    pub source: String,
}

/// One page of deliveries, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deliveries {
    /// The page.
    pub deliveries: Vec<DeliveryItem>,
    /// Pass it as `before=` for the next page; `None` at the end.
    #[serde(default)]
    pub next: Option<i64>,
}

/// One notification with its attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryItem {
    /// Grows with time; the cursor for paging, and what `resend` takes.
    pub id: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// The route's receiver.
    pub receiver: String,
    /// The notifier.
    pub notifier: String,
    /// Firing or resolved.
    pub status: Status,
    /// `it fires for the first time`.
    pub reason: String,
    /// Name of the alert, or the group's labels. Untrusted.
    pub subject: String,
    /// How many alerts it tells of.
    pub alerts: usize,
    /// Their fingerprints, at most 100.
    pub fingerprints: Vec<String>,
    /// How far it got.
    pub state: DeliveryState,
    /// Every attempt, oldest first.
    pub attempts: Vec<AttemptRow>,
    /// Not tried again before.
    #[serde(default)]
    pub next_attempt: Option<Timestamp>,
    /// The idempotency key.
    pub key: String,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// Whether the receiver took it.
    pub ok: bool,
    /// What it said, or what went wrong. Untrusted.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A notifier and how it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotifierRow {
    /// Its name.
    pub name: String,
    /// `telegram`, `email` ….
    pub r#type: String,
    /// How it does.
    pub health: NotifierHealth,
    /// Messages that wait.
    pub owed: usize,
    /// Delivered in the last 24 hours.
    pub delivered: u64,
    /// Given up in the last 24 hours.
    pub dead: u64,
    /// The last success.
    #[serde(default)]
    pub last_ok: Option<Timestamp>,
    /// How long that took.
    #[serde(default, with = "optional_seconds")]
    pub took: Option<Duration>,
    /// The last failure. Untrusted.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Receivers that use it.
    pub receivers: Vec<String>,
    /// Who takes over what it refuses for good.
    #[serde(default)]
    pub fallback: Option<String>,
}

/// How a notifier does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifierHealth {
    /// It takes what it is sent, or has not been used yet.
    Ok,
    /// The last attempts failed; it is tried again.
    Failing,
    /// Its circuit breaker is open: it is left alone for a while.
    Open,
}

/// How a test, or one leg of a drill, went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// The notifier.
    pub notifier: String,
    /// Whether it took the message.
    pub ok: bool,
    /// From the decision to the receiver's answer.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// What it said, or what went wrong. Untrusted.
    #[serde(default)]
    pub detail: Option<String>,
}

/// The wish for a drill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillRequest {
    /// Labels of the drill's alert, beside its own `alertname="Drill"`.
    #[serde(default)]
    pub labels: Labels,
}

/// A route with those below it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteRow {
    /// Alertmanager's path of it: `{}/{team="web"}/0`.
    pub id: String,
    /// Its receiver.
    pub receiver: String,
    /// All of which must match.
    pub matchers: Vec<String>,
    /// Labels that groups are formed by; `["..."]` for all.
    pub group_by: Vec<String>,
    /// Pause before a new group is told.
    #[serde(with = "seconds")]
    pub group_wait: Duration,
    /// Pause before a changed group is told again.
    #[serde(with = "seconds")]
    pub group_interval: Duration,
    /// Pause before an unchanged group is told again.
    #[serde(with = "seconds")]
    pub repeat_interval: Duration,
    /// Whether the routes beside it are tried too.
    pub r#continue: bool,
    /// `watchdog.yaml:12:5`.
    pub source: String,
    /// Those below it.
    pub routes: Vec<RouteRow>,
}

/// Where an alert with certain labels goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteMatch {
    /// The route's path, see [`RouteRow::id`].
    pub route: String,
    /// Its receiver.
    pub receiver: String,
    /// The receiver's notifiers.
    pub notifiers: Vec<String>,
    /// The group it would join.
    pub group_key: String,
    /// `watchdog.yaml:12:5`.
    pub source: String,
}

/// Why something is as it is: the steps from the file to the phone, and where it stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// `alert`, `monitor` or `rule`.
    pub kind: String,
    /// What was asked about.
    pub about: String,
    /// The answer in one sentence.
    pub verdict: String,
    /// In order: loaded, series, value, hold, state, dependency, inhibition, window, silence, route,
    /// group, decision, attempts.
    pub steps: Vec<WhyStep>,
    /// Index of the step that stops it; `None` when somebody was told.
    #[serde(default)]
    pub stops_at: Option<usize>,
    /// The last evaluations, oldest first.
    #[serde(default)]
    pub evaluations: Vec<Evaluation>,
    /// When this was true.
    pub at: Timestamp,
}

/// One step of [`Why`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhyStep {
    /// `loaded`, `series`, `value` ….
    pub name: String,
    /// How it went.
    pub outcome: StepOutcome,
    /// One sentence. Untrusted.
    pub text: String,
    /// Further facts, in order.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
    /// `rules.d/web.yaml:12:5`.
    #[serde(default)]
    pub source: Option<String>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    /// It lets the alert through.
    Pass,
    /// It is under way: a hold, a group wait, an attempt.
    Waiting,
    /// It stops the alert.
    Stop,
    /// It was not reached, or plays no part.
    Skipped,
}

/// One evaluation of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Its slot.
    pub at: Timestamp,
    /// How long it took.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// Series it gave.
    pub series: usize,
    /// Value of the asked-about or first series.
    #[serde(default)]
    pub value: Option<f64>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<String>,
}

/// A rule as listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleRow {
    /// `alert` or `record`.
    pub kind: String,
    /// The alert's name, or the series recorded.
    pub name: String,
    /// Its group.
    pub group: String,
    /// `rules.d/web.yaml:12:5`.
    pub source: String,
    /// The expression.
    pub query: String,
    /// Worst state of its alerts; `None` for recording rules.
    #[serde(default)]
    pub state: Option<RuleState>,
    /// `ok`, `err` or `unknown`; Prometheus' words.
    pub health: String,
    /// The last error. Untrusted.
    #[serde(default)]
    pub last_error: Option<String>,
    /// The last evaluation.
    #[serde(default)]
    pub last_evaluation: Option<Timestamp>,
    /// How long it took.
    #[serde(default, with = "optional_seconds")]
    pub took: Option<Duration>,
    /// Time between evaluations.
    #[serde(with = "seconds")]
    pub interval: Duration,
    /// How long the condition must hold.
    #[serde(default, with = "optional_seconds")]
    pub hold: Option<Duration>,
    /// How bad.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Series that the last evaluation gave.
    pub series: usize,
    /// Value of the first of them.
    #[serde(default)]
    pub value: Option<f64>,
    /// How often it fired in 30 days.
    pub firings: u64,
    /// Slots that could not be evaluated in time.
    pub missed: u64,
    /// It has never given a series since it was loaded.
    pub never_matched: bool,
}

/// State of an alerting rule; Prometheus' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleState {
    /// Nothing.
    Inactive,
    /// The condition holds, not yet long enough.
    Pending,
    /// It fires.
    Firing,
}
