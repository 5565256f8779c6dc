//! What a silence would do, before it is made.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::matchers::Matchers;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;
use crate::config::model::Monitor;
use crate::engine::alerting::{Alerting, silences, store, views};
use crate::engine::handle::EngineError;
use crate::wire::alerting::{SilencePreview, SilenceRequest};

/// How far back it is looked for what would have been held back.
const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400);
/// Deliveries looked at for that; more of them are not counted.
const LOOKED_AT: usize = 5_000;
/// A silence that is longer gives reason to think twice.
const LONG: Duration = Duration::from_secs(86_400);

impl Alerting {
    /// What the silence that is wished for would do.
    ///
    /// # Errors
    /// It is not one.
    pub async fn preview(&self, request: SilenceRequest) -> Result<SilencePreview, EngineError> {
        let now = self.clock.now();
        let silence = silences::checked(&request, now)?;
        let matchers = silence.matchers.clone();
        let mut matches = self
            .look(move |d, _| {
                let found = d.preview(&matchers);
                found.into_iter().filter_map(|f| d.alert(f)).map(views::alert_row).collect::<Vec<_>>()
            })
            .await?;
        matches.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.starts_at.cmp(&b.starts_at)));
        let would_have_muted = self.held_back(&silence.matchers, now).await?;
        let config = Arc::clone(&self.config.borrow().config);
        let able = config.monitors.values().filter(|m| m.alert.is_some());
        let (all, rules) = able.fold((0_usize, 0_usize), |(all, hit), m| {
            (all + 1, hit + usize::from(silence.matchers.matches(&labels_of(m))))
        });
        let mut warnings = Vec::new();
        if silence.ends_at.since(silence.starts_at) > LONG {
            warnings.push("it lasts longer than a day".to_owned());
        }
        if silence.comment.trim().is_empty() {
            warnings.push("no reason is given".to_owned());
        }
        if !silence.matchers.iter().any(|m| matches!(m.name(), "alertname" | "monitor" | "instance")) {
            let text = "no matcher names an alert, a monitor or an instance: it mutes whatever else has these labels";
            warnings.push(text.to_owned());
        }
        if all >= 4 && rules * 4 > all {
            warnings.push(format!("it can mute the alerts of {rules} of {all} monitors"));
        }
        Ok(SilencePreview { matches, would_have_muted, rules, warnings, ends_at: silence.ends_at })
    }

    /// Notifications of the last days of which every alert matches.
    async fn held_back(&self, matchers: &Matchers, now: Timestamp) -> Result<usize, EngineError> {
        let since = now.minus(LOOK_BACK);
        let said = self.db.said_since(since, LOOKED_AT).await.map_err(store)?;
        Ok(said.iter().filter(|n| n.alerts.iter().all(|a| matchers.matches(&a.labels))).count())
    }
}

/// The labels that the alert of a monitor would have.
pub(crate) fn labels_of(monitor: &Monitor) -> Labels {
    let severity = monitor.alert.map_or("critical", |a| a.severity.as_str());
    monitor.labels.with(&Labels::new([
        ("alertname", crate::alert::rule::MONITOR_DOWN),
        ("monitor", monitor.name.as_str()),
        ("type", monitor.probe.kind),
        ("instance", monitor.probe.target.as_str()),
        ("severity", severity),
    ]))
}
