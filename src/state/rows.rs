//! Values to rows and back. Every function runs inside the caller's transaction.
//!
//! A row that cannot be understood is skipped and counted, never an error: one odd row must not keep
//! the rest from being loaded.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::alert::instance::{Instance, Phase};
use crate::alert::monitor::MonitorStatus;
use crate::alert::rule::{Fingerprint, Words};
use crate::base::heard::Heard;
use crate::base::labels::Labels;
use crate::base::message::{Severity, Status};
use crate::base::name::MonitorName;
use crate::base::outcome::Verdict;
use crate::base::probe::Beat;
use crate::base::time::Timestamp;
use crate::state::alerting;
use crate::state::record::{
    After, Attempt, Change, Committed, EventFilter, Flush, Loaded, NewEvent, Owed, Recorded, Ring,
};
use crate::wire::board::{DeliveryState, Event, EventKind};

/// Events kept.
const EVENTS_KEPT: i64 = 100_000;
/// Finished messages kept, with their attempts.
const MESSAGES_KEPT: i64 = 100_000;
/// Rows that one transaction may prune, so that pruning never holds up a decision for long.
const PRUNE_BATCH: i64 = 500;
/// Bytes of an error or a detail kept; both hold text from outside.
const TEXT_KEPT: usize = 2_048;
/// Longest name that a receiver may give a message.
const REMOTE_KEPT: usize = 1_024;
/// Events loaded at start, for the board.
const EVENTS_LOADED: usize = 50;

pub(crate) fn commit(db: &Connection, changes: &[Change]) -> rusqlite::Result<Committed> {
    let mut out = Committed::default();
    for change in changes {
        match change {
            Change::Monitor(name, status) => put_monitor(db, name, status)?,
            Change::MonitorReset(name) => delete_monitor(db, name)?,
            Change::MonitorGone(name) => {
                delete_monitor(db, name)?;
                db.prepare_cached("DELETE FROM beat WHERE monitor = ?1")?.execute([name.as_str()])?;
                db.prepare_cached("DELETE FROM heard WHERE monitor = ?1")?.execute([name.as_str()])?;
                db.prepare_cached("DELETE FROM listened WHERE monitor = ?1")?.execute([name.as_str()])?;
            }
            Change::Alert(alert) => put_alert(db, alert)?,
            Change::Event(event) => out.events.push(put_event(db, event)?),
            Change::Owe(owed) => {
                if !owe(db, owed)? {
                    out.withheld.push(owed.notification.key.clone());
                }
            }
            Change::Alerting(change) => alerting::put(db, change)?,
            Change::Settled(key) => alerting::settled(db, key)?,
        }
    }
    Ok(out)
}

pub(crate) fn flush(db: &Connection, flush: &Flush) -> rusqlite::Result<()> {
    for (name, status) in &flush.monitors {
        put_monitor(db, name, status)?;
    }
    for (monitor, beat) in &flush.beats {
        db.prepare_cached(
            "INSERT INTO beat (monitor, at, data) VALUES (?1, ?2, ?3)
             ON CONFLICT (monitor) DO UPDATE SET at = excluded.at, data = excluded.data",
        )?
        .execute(params![monitor.as_str(), beat.at.millis(), json(beat)?])?;
    }
    for (monitor, heard) in &flush.heard {
        let (absences, until) = heard.parted();
        db.prepare_cached(
            "INSERT INTO heard (monitor, data) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET data = excluded.data WHERE data <> excluded.data",
        )?
        .execute(params![monitor.as_str(), json(&absences)?])?;
        db.prepare_cached("INSERT OR REPLACE INTO listened (monitor, until) VALUES (?1, ?2)")?
            .execute(params![monitor.as_str(), until.millis()])?;
    }
    if !flush.journal.is_empty() {
        db.prepare_cached("INSERT INTO history_journal (data) VALUES (?1)")?.execute([&flush.journal])?;
    }
    Ok(())
}

pub(crate) fn newest_of_journal(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'history_journal'", [], |r| r.get(0))
}

pub(crate) fn save_history(
    db: &Connection,
    rings: &[(MonitorName, Vec<u8>)],
    gone: &[MonitorName],
    covered: Option<i64>,
) -> rusqlite::Result<()> {
    let mut remove = db.prepare_cached("DELETE FROM history_ring WHERE monitor = ?1")?;
    for monitor in gone {
        remove.execute([monitor.as_str()])?;
    }
    if let Some(covered) = covered {
        db.execute("DELETE FROM history_journal WHERE id <= ?1", [covered])?;
    }
    let newest = newest_of_journal(db)?;
    let mut insert =
        db.prepare_cached("INSERT OR REPLACE INTO history_ring (monitor, data, covers) VALUES (?1, ?2, ?3)")?;
    for (monitor, data) in rings {
        insert.execute(params![monitor.as_str(), data, newest])?;
    }
    Ok(())
}

pub(crate) fn record(db: &Connection, attempts: &[Attempt]) -> rusqlite::Result<Recorded> {
    let mut out = Recorded::default();
    for a in attempts {
        let (state, next) = match a.after {
            After::Delivered => (DeliveryState::Delivered, None),
            After::Retry(at) => (DeliveryState::Owed, Some(at.millis())),
            After::Dead => (DeliveryState::Dead, None),
        };
        let error = a.error.as_deref().map(capped);
        let detail = a.receipt.as_ref().and_then(|r| r.detail.as_deref()).map(capped);
        // A name that is cut names nothing.
        let remote = a.receipt.as_ref().and_then(|r| r.remote.as_deref()).filter(|r| r.len() <= REMOTE_KEPT);
        let outbox = db
            .prepare_cached(
                "UPDATE outbox SET attempts = ?2, next_attempt = coalesce(?3, next_attempt), state = ?4,
                 last_attempt = ?5, last_error = ?6, remote = coalesce(?7, remote), detail = coalesce(?8, detail)
                 WHERE key = ?1 RETURNING id",
            )?
            .query_row(
                params![a.key, a.attempts, next, delivery_word(state), a.at.millis(), error, remote, detail],
                |r| r.get::<_, i64>(0),
            )
            .optional()?;
        let Some(outbox) = outbox else {
            out.unknown.push(a.key.clone());
            continue;
        };
        if let Some(took) = a.took {
            let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
            db.prepare_cached("INSERT INTO delivery (outbox, at, took, ok, error) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![outbox, a.at.millis(), took, a.after == After::Delivered, error])?;
        }
        if let Some(event) = &a.event {
            out.events.push(put_event(db, event)?);
        }
    }
    Ok(out)
}

pub(crate) fn owed(db: &Connection) -> rusqlite::Result<Vec<Owed>> {
    let mut statement = db.prepare_cached(
        "SELECT message, created, attempts, next_attempt FROM outbox WHERE state = 'owed' ORDER BY id",
    )?;
    let mut skipped = 0;
    collect(statement.query([])?, &mut skipped, |r| {
        Ok(Some(Owed {
            notification: match serde_json::from_str(&r.get::<_, String>(0)?) {
                Ok(notification) => Arc::new(notification),
                Err(_) => return Ok(None),
            },
            created: time(r, 1)?,
            attempts: r.get(2)?,
            next_attempt: time(r, 3)?,
        }))
    })
}

/// What the receiver called the message of this thread that it took last.
pub(crate) fn remote(db: &Connection, receiver: &str, thread: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached(
        "SELECT remote FROM outbox WHERE thread = ?1 AND receiver = ?2 AND remote IS NOT NULL ORDER BY id DESC LIMIT 1",
    )?
    .query_row([thread, receiver], |r| r.get(0))
    .optional()
}

/// How often alerts of each subject began to fire since `since`.
pub(crate) fn firings(db: &Connection, since: Timestamp) -> rusqlite::Result<HashMap<String, u64>> {
    let sql = "SELECT subject, count(*) FROM event WHERE kind = ?1 AND what = 'firing' AND at >= ?2 GROUP BY subject";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![event_word(EventKind::Alert), since.millis()], |r| {
        Ok((r.get(0)?, r.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    rows.collect()
}

pub(crate) fn events(db: &Connection, filter: &EventFilter) -> rusqlite::Result<Vec<Event>> {
    let mut sql = String::from("SELECT id, at, kind, subject, what, detail FROM event WHERE id < ?1");
    let mut args: Vec<Box<dyn rusqlite::ToSql>> = vec![Box::new(filter.before.unwrap_or(i64::MAX))];
    if let Some(kind) = filter.kind {
        args.push(Box::new(event_word(kind)));
        sql.push_str(&format!(" AND kind = ?{}", args.len()));
    }
    if let Some(subject) = &filter.subject {
        args.push(Box::new(subject.clone()));
        sql.push_str(&format!(" AND subject = ?{}", args.len()));
    }
    if let Some(since) = filter.since {
        args.push(Box::new(since.millis()));
        sql.push_str(&format!(" AND at >= ?{}", args.len()));
    }
    if let Some(alert) = filter.alert {
        args.push(Box::new(alert.to_string()));
        sql.push_str(&format!(" AND id IN (SELECT event FROM event_alert WHERE fingerprint = ?{})", args.len()));
    }
    args.push(Box::new(i64::try_from(filter.limit).unwrap_or(i64::MAX)));
    sql.push_str(&format!(" ORDER BY id DESC LIMIT ?{}", args.len()));
    let mut statement = db.prepare_cached(&sql)?;
    let mut skipped = 0;
    collect(statement.query(rusqlite::params_from_iter(args.iter().map(Box::as_ref)))?, &mut skipped, |r| {
        let Some(kind) = event_kind(r.get_ref(2)?.as_str()?) else { return Ok(None) };
        Ok(Some(Event { id: r.get(0)?, at: time(r, 1)?, kind, subject: r.get(3)?, what: r.get(4)?, detail: r.get(5)? }))
    })
}

pub(crate) fn load(db: &Connection) -> rusqlite::Result<Loaded> {
    let mut skipped = 0;
    let mut statement = db.prepare("SELECT name, verdict, since, failures, successes, last FROM monitor")?;
    let monitors = collect(statement.query([])?, &mut skipped, monitor)?;
    let mut statement = db.prepare(
        "SELECT fingerprint, rule, monitor, state, since, starts_at, ends_at, severity, labels, annotations
         FROM alert",
    )?;
    let alerts = collect(statement.query([])?, &mut skipped, alert)?;
    let mut statement = db.prepare("SELECT monitor, data FROM beat")?;
    let beats = collect(statement.query([])?, &mut skipped, |r| {
        let beat = serde_json::from_str::<Beat>(&r.get::<_, String>(1)?).ok();
        Ok(name(r, 0)?.zip(beat))
    })?;
    let mut statement = db.prepare("SELECT monitor, data, until FROM heard LEFT JOIN listened USING (monitor)")?;
    let heard = collect(statement.query([])?, &mut skipped, |r| {
        let heard = serde_json::from_str::<Heard>(&r.get::<_, String>(1)?).ok();
        // Both stood in one place once.
        let heard = match r.get::<_, Option<i64>>(2)? {
            Some(until) => heard.map(|heard| heard.joined(Timestamp::from_millis(until))),
            None => heard,
        };
        Ok(name(r, 0)?.zip(heard))
    })?;
    let mut statement = db.prepare("SELECT monitor, data, covers FROM history_ring")?;
    let rings = collect(statement.query([])?, &mut skipped, |r| {
        let (data, covers) = (r.get(1)?, r.get(2)?);
        Ok(name(r, 0)?.map(|monitor| Ring { monitor, data, covers }))
    })?;
    let mut statement = db.prepare("SELECT id, data FROM history_journal ORDER BY id")?;
    let journal = collect(statement.query([])?, &mut skipped, |r| Ok(Some((r.get(0)?, r.get(1)?))))?;
    let deliveries = alerting::past(db, &mut skipped)?;
    let (alerting, odd) = alerting::load(db)?;
    skipped += odd;
    let unsettled = alerting::unsettled(db)?;
    let (owed, total) = (owed(db)?, count(db, "SELECT count(*) FROM outbox WHERE state = 'owed'")?);
    skipped += total.saturating_sub(owed.len());
    let events = events(db, &EventFilter { limit: EVENTS_LOADED, ..EventFilter::default() })?;
    Ok(Loaded {
        monitors,
        alerts,
        alerting,
        owed,
        unsettled,
        deliveries,
        beats,
        heard,
        events,
        rings,
        journal,
        skipped,
    })
}

fn put_monitor(db: &Connection, name: &MonitorName, status: &MonitorStatus) -> rusqlite::Result<()> {
    // A monitor without a result has nothing to remember.
    let (Some(verdict), Some(since), Some(last)) = (status.verdict, status.since, status.last) else { return Ok(()) };
    db.prepare_cached(
        "INSERT INTO monitor (name, verdict, since, failures, successes, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO UPDATE SET verdict = excluded.verdict, since = excluded.since,
         failures = excluded.failures, successes = excluded.successes, last = excluded.last",
    )?
    .execute(params![name.as_str(), verdict.as_str(), since.millis(), status.failures, status.successes, last.millis()])
    .map(drop)
}

fn delete_monitor(db: &Connection, name: &MonitorName) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM monitor WHERE name = ?1")?.execute([name.as_str()]).map(drop)
}

fn put_alert(db: &Connection, alert: &Instance) -> rusqlite::Result<()> {
    let (state, since, starts_at, ends_at) = match alert.phase {
        Phase::Inactive => {
            return db
                .prepare_cached("DELETE FROM alert WHERE fingerprint = ?1")?
                .execute([alert.fingerprint.to_string()])
                .map(drop);
        }
        Phase::Pending { since } => ("pending", since, since, None),
        Phase::Firing { starts_at, since } => ("firing", since, starts_at, None),
        Phase::Resolved { starts_at, ends_at } => ("resolved", ends_at, starts_at, Some(ends_at.millis())),
    };
    db.prepare_cached(
        "INSERT OR REPLACE INTO alert (fingerprint, rule, monitor, state, since, starts_at, ends_at, severity, labels,
         annotations) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        alert.fingerprint.to_string(),
        alert.rule,
        alert.monitor.as_str(),
        state,
        since.millis(),
        starts_at.millis(),
        ends_at,
        alert.words.severity.as_str(),
        json(&alert.words.labels)?,
        json(&alert.words.annotations)?,
    ])
    .map(drop)
}

fn put_event(db: &Connection, event: &NewEvent) -> rusqlite::Result<Event> {
    db.prepare_cached("INSERT INTO event (at, kind, subject, what, detail) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
        params![event.at.millis(), event_word(event.kind), event.subject, event.what, capped(&event.detail)],
    )?;
    let id = db.last_insert_rowid();
    if !event.alerts.is_empty() {
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO event_alert (fingerprint, event) VALUES (?1, ?2)")?;
        for alert in &event.alerts {
            insert.execute(params![alert.to_string(), id])?;
        }
    }
    // Ids grow by one, so the newest 100,000 are those above `id - 100,000`.
    if id % (PRUNE_BATCH / 2) == 0 {
        db.prepare_cached("DELETE FROM event WHERE id <= ?1 AND id < (SELECT min(id) FROM event) + ?2")?
            .execute(params![id - EVENTS_KEPT, PRUNE_BATCH])?;
    }
    Ok(event.numbered(id))
}

/// Stores a message to deliver; `false` when it must not be sent.
fn owe(db: &Connection, owed: &Owed) -> rusqlite::Result<bool> {
    let (n, status) = (&owed.notification, owed.notification.status());
    if status == Status::Resolved {
        // The notifier refused the thread's firing for good and took nothing of it: it has nothing to be
        // relieved of.
        let refused = db
            .prepare_cached(
                "SELECT 1 FROM outbox WHERE thread = ?1 AND receiver = ?2 AND status = 'firing' AND state = 'dead'
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE thread = ?1 AND receiver = ?2 AND state <> 'dead')",
            )?
            .exists(params![n.thread, n.notifier])?;
        if refused {
            return Ok(false);
        }
    }
    let added = db
        .prepare_cached(
            "INSERT INTO outbox (key, receiver, thread, line, status, starts_at, message, created, attempts,
             next_attempt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (key) DO NOTHING",
        )?
        .execute(params![
            n.key,
            n.notifier,
            n.thread,
            format!("{:016x}", n.line()),
            status.as_str(),
            n.starts_at().millis(),
            json(&**n)?,
            owed.created.millis(),
            owed.attempts,
            owed.next_attempt.millis(),
        ])?;
    if added == 0 {
        return db.prepare_cached("SELECT 1 FROM outbox WHERE key = ?1 AND state = 'owed'")?.exists([&n.key]);
    }
    let id = db.last_insert_rowid();
    alerting::put_alerts(db, id, n)?;
    if id % (PRUNE_BATCH / 2) == 0 {
        db.prepare_cached(
            "DELETE FROM outbox WHERE state <> 'owed' AND id <= ?1 AND id IN
             (SELECT id FROM outbox WHERE state <> 'owed' ORDER BY id LIMIT ?2)",
        )?
        .execute(params![id - MESSAGES_KEPT, PRUNE_BATCH])?;
    }
    Ok(true)
}

pub(super) fn collect<T>(
    mut rows: rusqlite::Rows<'_>,
    skipped: &mut usize,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Vec<T>> {
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row)? {
            Some(value) => out.push(value),
            None => *skipped += 1,
        }
    }
    Ok(out)
}

fn monitor(r: &Row<'_>) -> rusqlite::Result<Option<(MonitorName, MonitorStatus)>> {
    let status = MonitorStatus {
        verdict: verdict(r.get_ref(1)?.as_str()?),
        since: Some(time(r, 2)?),
        failures: r.get(3)?,
        successes: r.get(4)?,
        last: Some(time(r, 5)?),
    };
    Ok(name(r, 0)?.filter(|_| status.verdict.is_some()).map(|n| (n, status)))
}

fn alert(r: &Row<'_>) -> rusqlite::Result<Option<Instance>> {
    let (since, starts_at) = (time(r, 4)?, time(r, 5)?);
    let phase = match r.get_ref(3)?.as_str()? {
        "pending" => Phase::Pending { since },
        "firing" => Phase::Firing { starts_at, since },
        "resolved" => Phase::Resolved { starts_at, ends_at: since },
        _ => return Ok(None),
    };
    let parts = (
        Fingerprint::parse(r.get_ref(0)?.as_str()?),
        name(r, 2)?,
        Severity::parse(r.get_ref(7)?.as_str()?),
        serde_json::from_str::<Labels>(r.get_ref(8)?.as_str()?),
        serde_json::from_str::<Labels>(r.get_ref(9)?.as_str()?),
    );
    let (Some(fingerprint), Some(monitor), Some(severity), Ok(labels), Ok(annotations)) = parts else {
        return Ok(None);
    };
    let words = Arc::new(Words { severity, labels, annotations });
    Ok(Some(Instance { fingerprint, rule: r.get(1)?, monitor, phase, words }))
}

fn count(db: &Connection, sql: &str) -> rusqlite::Result<usize> {
    db.query_row(sql, [], |r| r.get(0))
}

pub(super) fn time(r: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    r.get(column).map(Timestamp::from_millis)
}

fn name(r: &Row<'_>, column: usize) -> rusqlite::Result<Option<MonitorName>> {
    Ok(MonitorName::new(r.get_ref(column)?.as_str()?).ok())
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// The text's beginning, cut between characters.
fn capped(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_KEPT)]
}

fn verdict(word: &str) -> Option<Verdict> {
    [Verdict::Up, Verdict::Degraded, Verdict::Down, Verdict::Unknown].into_iter().find(|v| v.as_str() == word)
}

pub(super) const fn delivery_word(s: DeliveryState) -> &'static str {
    match s {
        DeliveryState::Owed => "owed",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Dead => "dead",
    }
}

pub(super) fn delivery_state(word: &str) -> Option<DeliveryState> {
    [DeliveryState::Owed, DeliveryState::Delivered, DeliveryState::Dead].into_iter().find(|s| delivery_word(*s) == word)
}

const fn event_word(k: EventKind) -> &'static str {
    match k {
        EventKind::State => "state",
        EventKind::Alert => "alert",
        EventKind::Delivery => "delivery",
        EventKind::Config => "config",
        EventKind::Server => "server",
    }
}

fn event_kind(word: &str) -> Option<EventKind> {
    [EventKind::State, EventKind::Alert, EventKind::Delivery, EventKind::Config, EventKind::Server]
        .into_iter()
        .find(|k| event_word(*k) == word)
}
