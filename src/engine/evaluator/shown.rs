//! The alert rows that screens show, in order of urgency.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::dispatch::{Alert, Origin};
use crate::alert::rule::Fingerprint;
use crate::base::time::Timestamp;
use crate::engine::alerting::views;
use crate::wire::board::{AlertRow, AlertState};

/// Resolved alerts stay on screens this long: who comes back from a coffee sees what happened.
const RESOLVED_SHOWN: Duration = Duration::from_secs(15 * 60);

/// The rows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    rows: HashMap<Fingerprint, Arc<AlertRow>>,
    changed: bool,
    /// When the first of them is no longer shown.
    expiry: Option<Timestamp>,
}

impl Shown {
    /// Shows an alert that was remembered, unless it was over long ago.
    pub(crate) fn restore(&mut self, row: AlertRow, now: Timestamp) {
        let past = row.state == AlertState::Resolved && now.since(row.since) >= RESOLVED_SHOWN;
        if !past {
            self.put(row);
        }
    }

    /// Shows an alert as its source sees it; what the dispatcher said of it stays.
    pub(crate) fn put(&mut self, row: AlertRow) {
        let Some(fingerprint) = Fingerprint::parse(&row.fingerprint) else { return };
        let before = self.rows.get(&fingerprint).filter(|b| b.starts_at == row.starts_at);
        let (ack, muted) = before.map(|b| (b.ack.clone(), b.muted.clone())).unwrap_or_default();
        self.rows.insert(fingerprint, Arc::new(AlertRow { ack, muted, ..row }));
        self.changed = true;
    }

    /// Shows an alert no more.
    pub(crate) fn remove(&mut self, fingerprint: Fingerprint) {
        self.changed |= self.rows.remove(&fingerprint).is_some();
    }

    /// Shows what the dispatcher knows of an alert; `None` when it has forgotten it.
    pub(crate) fn touch(&mut self, fingerprint: Fingerprint, alert: Option<&Alert>, now: Timestamp) {
        let Some(alert) = alert else { return };
        let fires = alert.fires();
        let row = match self.rows.get(&fingerprint) {
            // A row of our own says more: that it is pending, and its words at the end.
            Some(row) if matches!(alert.origin(), Origin::Monitor | Origin::Own) => AlertRow::clone(row),
            _ => views::alert_row(alert),
        };
        let stands = fires && row.state == AlertState::Firing;
        let row = AlertRow {
            value: alert.value(),
            ack: alert.ack().filter(|_| stands).map(views::ack),
            muted: alert.muted().filter(|_| stands).map(views::muted),
            ..row
        };
        let past = row.state == AlertState::Resolved && now.since(row.since) >= RESOLVED_SHOWN;
        if past {
            self.remove(fingerprint);
        } else if self.rows.get(&fingerprint).is_none_or(|old| **old != row) {
            self.rows.insert(fingerprint, Arc::new(row));
            self.changed = true;
        }
    }

    /// The shown alerts in order of urgency, if they are not those of the last call.
    pub(crate) fn if_changed(&mut self, now: Timestamp) -> Option<Vec<Arc<AlertRow>>> {
        let expired = self.expiry.is_some_and(|at| now >= at);
        if !std::mem::take(&mut self.changed) && !expired {
            return None;
        }
        self.rows.retain(|_, r| r.state != AlertState::Resolved || now.since(r.since) < RESOLVED_SHOWN);
        let resolved = self.rows.values().filter(|r| r.state == AlertState::Resolved);
        self.expiry = resolved.map(|r| r.since.plus(RESOLVED_SHOWN)).min();
        let mut rows: Vec<_> = self.rows.values().cloned().collect();
        rows.sort_by_cached_key(|r| {
            let rank = match r.state {
                AlertState::Firing if r.muted.is_some() => 2,
                AlertState::Firing if r.ack.is_some() => 1,
                AlertState::Firing => 0,
                AlertState::Pending => 3,
                AlertState::Resolved => 4,
            };
            (rank, std::cmp::Reverse(r.severity), r.starts_at, r.monitor.clone(), r.fingerprint.clone())
        });
        Some(rows)
    }

    /// Time until the shown alerts differ from those last returned; `None` while nothing is to come.
    pub(crate) fn next_show(&self, now: Timestamp) -> Option<Duration> {
        if self.changed { Some(Duration::ZERO) } else { self.expiry.map(|at| at.since(now)) }
    }
}
