//! The dispatcher's rows, and what was said to whom: reading and writing, inside the caller's transaction.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::alert::dispatch::{Change, Record};
use crate::alert::rule::Fingerprint;
use crate::base::message::Status;
use crate::base::notification::Notification;
use crate::base::time::Timestamp;
use crate::state::record::{DeliveryFilter, NotifierStats, PastDelivery};
use crate::state::rows::{collect, delivery_state, delivery_word, json, time};
use crate::wire::alerting::{AttemptRow, Deliveries, DeliveryItem};
use crate::wire::board::DeliveryRow;

/// Fingerprints that one listed delivery names.
const FINGERPRINTS: usize = 100;
/// Attempts that one listed delivery shows.
const ATTEMPTS: usize = 100;

pub(super) fn put(db: &Connection, change: &Change) -> rusqlite::Result<()> {
    let key = change.key();
    let (kind, id) = (key.kind.as_str(), key.id);
    match change {
        Change::Put(record) => db
            .prepare_cached(
                "INSERT INTO alerting (kind, id, data) VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data",
            )?
            .execute(params![kind, id, json(record)?]),
        Change::Delete(_) => {
            db.prepare_cached("DELETE FROM alerting WHERE kind = ?1 AND id = ?2")?.execute(params![kind, id])
        }
    }
    .map(drop)
}

/// Every row, and how many could not be understood.
pub(super) fn load(db: &Connection) -> rusqlite::Result<(Vec<Record>, usize)> {
    let mut skipped = 0;
    let mut statement = db.prepare("SELECT data FROM alerting ORDER BY kind, id")?;
    let records =
        collect(statement.query([])?, &mut skipped, |r| Ok(serde_json::from_str(r.get_ref(0)?.as_str()?).ok()))?;
    Ok((records, skipped))
}

pub(super) fn settled(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE outbox SET settled = 1 WHERE key = ?1")?.execute([key]).map(drop)
}

/// Messages that were given up, which nobody has dealt with yet, oldest first.
pub(super) fn unsettled(db: &Connection) -> rusqlite::Result<Vec<Arc<Notification>>> {
    let mut statement = db.prepare("SELECT message FROM outbox WHERE state = 'dead' AND settled = 0 ORDER BY id")?;
    collect(statement.query([])?, &mut 0, |r| Ok(serde_json::from_str(r.get_ref(0)?.as_str()?).ok().map(Arc::new)))
}

/// Notes which alerts a message of the outbox tells of.
pub(super) fn put_alerts(db: &Connection, outbox: i64, said: &Notification) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO outbox_alert (fingerprint, outbox, starts_at, status) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for alert in &said.alerts {
        insert.execute(params![alert.fingerprint, outbox, alert.starts_at.millis(), alert.status.as_str()])?;
    }
    Ok(())
}

/// What was last said about the alerts that are still remembered, oldest first.
pub(super) fn past(db: &Connection, skipped: &mut usize) -> rusqlite::Result<Vec<PastDelivery>> {
    let mut statement = db.prepare(
        "SELECT a.fingerprint, o.receiver, a.starts_at, a.status, o.state, coalesce(o.last_attempt, o.created),
                o.attempts, o.last_error
         FROM outbox_alert a JOIN outbox o ON o.id = a.outbox
         WHERE a.fingerprint IN (SELECT id FROM alerting WHERE kind = 'alert')
         ORDER BY o.id",
    )?;
    collect(statement.query([])?, skipped, |r| {
        let Some(status) = status(r.get_ref(3)?.as_str()?) else { return Ok(None) };
        let Some(state) = delivery_state(r.get_ref(4)?.as_str()?) else { return Ok(None) };
        let Some(alert) = Fingerprint::parse(r.get_ref(0)?.as_str()?) else { return Ok(None) };
        let (receiver, attempts, error) = (r.get(1)?, r.get(6)?, r.get(7)?);
        let row = DeliveryRow { receiver, status, state, at: time(r, 5)?, attempts, error };
        Ok(Some(PastDelivery { alert, starts_at: time(r, 2)?, row }))
    })
}

/// A page of what was said, newest first.
pub(crate) fn deliveries(db: &Connection, filter: &DeliveryFilter) -> rusqlite::Result<Deliveries> {
    let limit = filter.limit.max(1);
    let mut sql = String::from(
        "SELECT o.id, o.created, o.message, o.state, o.next_attempt, o.key, o.receiver FROM outbox o WHERE o.id < ?1",
    );
    let mut args: Vec<Box<dyn rusqlite::ToSql>> = vec![Box::new(filter.before.unwrap_or(i64::MAX))];
    let mut only = |column: &str, value: String| {
        args.push(Box::new(value));
        sql.push_str(&format!(" AND {column} ?{}", args.len()));
    };
    if let Some(notifier) = &filter.notifier {
        only("o.receiver =", notifier.clone());
    }
    if let Some(state) = filter.state {
        only("o.state =", delivery_word(state).to_owned());
    }
    if let Some(alert) = filter.alert {
        only("o.id IN (SELECT outbox FROM outbox_alert WHERE fingerprint =", alert.to_string());
        sql.push(')');
    }
    args.push(Box::new(i64::try_from(limit).unwrap_or(i64::MAX)));
    sql.push_str(&format!(" ORDER BY o.id DESC LIMIT ?{}", args.len()));
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query(rusqlite::params_from_iter(args.iter().map(Box::as_ref)))?;
    let mut deliveries = collect(rows, &mut 0, delivery)?;
    for item in &mut deliveries {
        item.attempts = attempts(db, item.id)?;
    }
    let next = deliveries.last().map(|d| d.id).filter(|_| deliveries.len() == limit);
    Ok(Deliveries { deliveries, next })
}

/// The stored message of a delivery.
pub(crate) fn delivered(db: &Connection, id: i64) -> rusqlite::Result<Option<Notification>> {
    let text: Option<String> =
        db.prepare_cached("SELECT message FROM outbox WHERE id = ?1")?.query_row([id], |r| r.get(0)).optional()?;
    Ok(text.and_then(|t| serde_json::from_str(&t).ok()))
}

/// What was said since `since`, newest first, at most `limit` messages.
pub(crate) fn said_since(db: &Connection, since: Timestamp, limit: usize) -> rusqlite::Result<Vec<Notification>> {
    let mut statement =
        db.prepare_cached("SELECT message FROM outbox WHERE created >= ?1 ORDER BY id DESC LIMIT ?2")?;
    let rows = statement.query(params![since.millis(), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    collect(rows, &mut 0, |r| Ok(serde_json::from_str(r.get_ref(0)?.as_str()?).ok()))
}

/// What a notifier did since `since`.
pub(crate) fn stats(db: &Connection, notifier: &str, since: Timestamp) -> rusqlite::Result<NotifierStats> {
    let count = |state: &str| {
        db.prepare_cached("SELECT count(*) FROM outbox WHERE receiver = ?1 AND state = ?2 AND last_attempt >= ?3")?
            .query_row(params![notifier, state, since.millis()], |r| r.get(0))
    };
    let newest = "SELECT d.at, d.took, coalesce(d.error, '') FROM delivery d JOIN outbox o ON o.id = d.outbox
                  WHERE o.receiver = ?1 AND d.ok = ?2 ORDER BY d.id DESC LIMIT 1";
    let last = |ok: bool| {
        db.prepare_cached(newest)?
            .query_row(params![notifier, ok], |r| Ok((time(r, 0)?, took(r, 1)?, r.get::<_, String>(2)?)))
            .optional()
    };
    Ok(NotifierStats {
        delivered: count("delivered")?,
        dead: count("dead")?,
        last_ok: last(true)?.map(|(at, took, _)| (at, took)),
        last_error: last(false)?.map(|(at, _, error)| (at, error)),
    })
}

fn delivery(r: &Row<'_>) -> rusqlite::Result<Option<DeliveryItem>> {
    let Ok(said) = serde_json::from_str::<Notification>(r.get_ref(2)?.as_str()?) else { return Ok(None) };
    let Some(state) = delivery_state(r.get_ref(3)?.as_str()?) else { return Ok(None) };
    let common = said.common_labels();
    let subject = match (common.get("alertname"), common.get("monitor")) {
        (Some(name), Some(monitor)) => format!("{name} {monitor}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => said.group_labels.to_string(),
    };
    let waits = state == crate::wire::board::DeliveryState::Owed;
    Ok(Some(DeliveryItem {
        id: r.get(0)?,
        at: time(r, 1)?,
        receiver: said.receiver.clone(),
        notifier: r.get(6)?,
        status: said.status(),
        reason: crate::alert::dispatch::reason_text(said.reason),
        subject,
        alerts: said.alerts.len() + said.omitted,
        fingerprints: said.alerts.iter().take(FINGERPRINTS).map(|a| a.fingerprint.clone()).collect(),
        state,
        attempts: Vec::new(),
        next_attempt: waits.then(|| time(r, 4)).transpose()?,
        key: r.get(5)?,
    }))
}

/// The newest attempts at one message, oldest of them first. A success shows what the receiver said.
fn attempts(db: &Connection, outbox: i64) -> rusqlite::Result<Vec<AttemptRow>> {
    let mut statement = db.prepare_cached(
        "SELECT d.at, d.took, d.ok, CASE d.ok WHEN 1 THEN o.detail ELSE d.error END
         FROM delivery d JOIN outbox o ON o.id = d.outbox WHERE d.outbox = ?1 ORDER BY d.id DESC LIMIT ?2",
    )?;
    let mut rows = collect(statement.query(params![outbox, ATTEMPTS])?, &mut 0, |r| {
        Ok(Some(AttemptRow { at: time(r, 0)?, took: took(r, 1)?, ok: r.get(2)?, detail: r.get(3)? }))
    })?;
    rows.reverse();
    Ok(rows)
}

fn took(r: &Row<'_>, column: usize) -> rusqlite::Result<Duration> {
    Ok(Duration::from_millis(r.get::<_, i64>(column)?.max(0).unsigned_abs()))
}

fn status(word: &str) -> Option<Status> {
    [Status::Firing, Status::Resolved].into_iter().find(|s| s.as_str() == word)
}
