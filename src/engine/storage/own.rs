//! The series that the engine writes of itself: its metrics, and `ALERTS` of monitors. Alerts of rules have their
//! series from the ruler.

use std::collections::HashMap;

use crate::base::exposition::{Format, Line, Parser};
use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::base::metadata::{Kind, Meta};
use crate::base::time::Timestamp;
use crate::engine::metrics::Metrics;
use crate::engine::storage::outcome::STATE;
use crate::engine::storage::recorder::end;
use crate::tsdb::Batch;
use crate::wire::board::{AlertRow, AlertState, Board};

/// Writes all metrics as they are now, and gives their descriptions.
pub(super) fn metrics(
    metrics: &Metrics,
    host: &str,
    now: Timestamp,
    batch: &mut Batch,
) -> impl Iterator<Item = (String, Meta)> {
    let text = metrics.text();
    let mut described: HashMap<String, Meta> = HashMap::new();
    let mut parser = Parser::new(Format::OpenMetrics);
    let mut labels = LabelsBuf::default();
    for line in text.lines() {
        match parser.line(line, &mut labels) {
            Ok(Line::Sample(value, _)) => {
                labels.set("instance", host);
                labels.set("job", "watchdog");
                batch.series(&labels);
                batch.push(now.millis(), value);
            }
            Ok(Line::Type(name, kind)) => described.entry(name.to_owned()).or_default().kind = kind,
            Ok(Line::Help(name, help)) => described.entry(name.to_owned()).or_default().help = help.into_owned(),
            Ok(Line::Unit(name, unit)) => unit.clone_into(&mut described.entry(name.to_owned()).or_default().unit),
            Ok(Line::End | Line::Nothing) => {}
            Err(e) => tracing::error!(error = %e, line, "our own metrics were not understood"),
        }
    }
    described.into_iter().chain(own_descriptions())
}

fn own_descriptions() -> impl Iterator<Item = (String, Meta)> {
    [
        ("probe_success", "1 when the target is up or degraded"),
        ("probe_duration_seconds", "How long the whole probe took"),
        (STATE, "0 down, 1 up, 2 degraded, 3 unknown, 4 paused, 5 unknown because a monitor above is down"),
        ("ALERTS", "1 for every alert that is pending or fires"),
        ("ALERTS_FOR_STATE", "When the alert began, in seconds since 1970"),
    ]
    .into_iter()
    .map(|(name, help)| (name.to_owned(), Meta { kind: Kind::Gauge, help: help.to_owned(), unit: String::new() }))
}

/// The series of alerts as last written. Boards come ten times a second: what did not change is only looked up.
#[derive(Default)]
pub(super) struct AlertSeries {
    written: HashMap<Labels, Written>,
    /// Counts the boards.
    round: u64,
}

struct Written {
    state: AlertState,
    starts_at: Timestamp,
    /// `ALERTS_FOR_STATE`, `ALERTS`.
    series: [Labels; 2],
    /// The board that last had it.
    round: u64,
}

impl AlertSeries {
    /// Writes `ALERTS` and `ALERTS_FOR_STATE`; those unchanged only when `all`.
    pub(super) fn write(&mut self, board: &Board, all: bool, now: Timestamp, batch: &mut Batch) {
        self.round += 1;
        for alert in board.alerts.iter().filter(|a| a.monitor.is_some()) {
            let word = match alert.state {
                AlertState::Pending => "pending",
                AlertState::Firing => "firing",
                AlertState::Resolved => continue,
            };
            match self.written.get_mut(&alert.labels) {
                Some(same) if (same.state, same.starts_at) == (alert.state, alert.starts_at) => {
                    same.round = self.round;
                    if all {
                        same.push(now, batch);
                    }
                }
                Some(_) | None => {
                    let new = Written::new(alert, word, self.round);
                    new.push(now, batch);
                    let ended = self.written.get(&alert.labels).into_iter().flat_map(|old| &old.series);
                    ended.filter(|old| !new.series.contains(old)).for_each(|old| end(batch, old, now.millis()));
                    self.written.insert(alert.labels.clone(), new);
                }
            }
        }
        let round = self.round;
        self.written.retain(|_, written| {
            let there = written.round == round;
            if !there {
                written.series.iter().for_each(|series| end(batch, series, now.millis()));
            }
            there
        });
    }
}

impl Written {
    fn new(alert: &AlertRow, word: &str, round: u64) -> Self {
        let mut labels = alert.labels.to_buf();
        labels.set(METRIC_NAME, "ALERTS_FOR_STATE");
        let since = labels.labels();
        labels.set(METRIC_NAME, "ALERTS");
        labels.set("alertstate", word);
        Self { state: alert.state, starts_at: alert.starts_at, series: [since, labels.labels()], round }
    }

    fn push(&self, now: Timestamp, batch: &mut Batch) {
        for (labels, value) in self.series.iter().zip([self.starts_at.millis() as f64 / 1e3, 1.0]) {
            batch.series_of(labels.as_key());
            batch.push(now.millis(), value);
        }
    }
}
