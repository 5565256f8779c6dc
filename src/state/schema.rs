//! The schema as numbered migrations. Never edit one that was released: add the next.

use rusqlite::{Connection, TransactionBehavior};

/// Migration `n` (counting from 1) takes the schema from version `n - 1` to `n`.
pub(crate) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE monitor (
  name      TEXT PRIMARY KEY,
  verdict   TEXT NOT NULL,
  since     INTEGER NOT NULL,
  failures  INTEGER NOT NULL,
  successes INTEGER NOT NULL,
  last      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
  fingerprint TEXT PRIMARY KEY,
  rule        TEXT NOT NULL,
  monitor     TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
  since       INTEGER NOT NULL,
  starts_at   INTEGER NOT NULL,
  ends_at     INTEGER,
  severity    TEXT NOT NULL,
  labels      TEXT NOT NULL,
  annotations TEXT NOT NULL,
  told        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  subject TEXT NOT NULL,
  what    TEXT NOT NULL,
  detail  TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_subject ON event (subject, id);
CREATE INDEX event_by_kind ON event (kind, id);

CREATE TABLE outbox (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  key          TEXT NOT NULL UNIQUE,
  receiver     TEXT NOT NULL,
  fingerprint  TEXT NOT NULL,
  status       TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
  starts_at    INTEGER NOT NULL,
  message      TEXT NOT NULL,
  created      INTEGER NOT NULL,
  attempts     INTEGER NOT NULL DEFAULT 0,
  next_attempt INTEGER NOT NULL,
  state        TEXT NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'delivered', 'dead')),
  last_attempt INTEGER,
  last_error   TEXT
) STRICT;
CREATE INDEX outbox_owed ON outbox (id) WHERE state = 'owed';
CREATE INDEX outbox_by_alert ON outbox (fingerprint, receiver, starts_at);

CREATE TABLE delivery (
  id     INTEGER PRIMARY KEY,
  outbox INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
  at     INTEGER NOT NULL,
  took   INTEGER NOT NULL,
  ok     INTEGER NOT NULL,
  error  TEXT
) STRICT;
CREATE INDEX delivery_by_outbox ON delivery (outbox);

CREATE TABLE beat (
  monitor TEXT PRIMARY KEY,
  at      INTEGER NOT NULL,
  ok      INTEGER NOT NULL,
  message TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE history_ring (
  monitor TEXT PRIMARY KEY,
  data    BLOB NOT NULL
) STRICT;

CREATE TABLE history_journal (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  data BLOB NOT NULL
) STRICT;
",
    "
-- Messages of one alert each become notifications of a group; threads are what may be updated in place.
ALTER TABLE outbox ADD COLUMN thread TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN remote TEXT;
ALTER TABLE outbox ADD COLUMN detail TEXT;
CREATE INDEX outbox_by_thread ON outbox (thread, receiver, id) WHERE remote IS NOT NULL;

UPDATE outbox SET thread = replace(key, '-' || status || '-', '-');
UPDATE outbox SET message = json_object(
  'key', key,
  'thread', thread,
  'receiver', receiver,
  'notifier', receiver,
  'group_key', '{}:{}',
  'group_labels', json_extract(message, '$.labels'),
  'reason', CASE status WHEN 'firing' THEN 'first_time' ELSE 'resolved' END,
  'alerts', json_array(json_object(
    'status', status,
    'fingerprint', fingerprint,
    'labels', json_extract(message, '$.labels'),
    'annotations', json_extract(message, '$.annotations'),
    'starts_at', json_extract(message, '$.starts_at'),
    'ends_at', json_extract(message, '$.ends_at')
  ))
) WHERE state = 'owed' AND json_valid(message);
",
    "
-- Notifications tell of many alerts; the dispatcher's rows; events that belong to alerts.
ALTER TABLE outbox RENAME COLUMN fingerprint TO line;
ALTER TABLE outbox ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET settled = 1 WHERE state = 'dead';
CREATE INDEX outbox_of_thread ON outbox (thread, receiver);
CREATE INDEX outbox_of_receiver ON outbox (receiver, state, last_attempt);
CREATE INDEX outbox_unsettled ON outbox (id) WHERE state = 'dead' AND settled = 0;

CREATE TABLE outbox_alert (
  fingerprint TEXT NOT NULL,
  outbox      INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
  starts_at   INTEGER NOT NULL,
  status      TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
  PRIMARY KEY (fingerprint, outbox)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_alert_by_outbox ON outbox_alert (outbox);
INSERT INTO outbox_alert (fingerprint, outbox, starts_at, status) SELECT line, id, starts_at, status FROM outbox;

CREATE TABLE alerting (
  kind TEXT NOT NULL,
  id   TEXT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_alert (
  fingerprint TEXT NOT NULL,
  event       INTEGER NOT NULL REFERENCES event (id) ON DELETE CASCADE,
  PRIMARY KEY (fingerprint, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_alert_by_event ON event_alert (event);
",
    "
-- Who was told stands in the dispatcher's rows.
ALTER TABLE alert DROP COLUMN told;
",
    "
-- What a monitor was told is more than its last report.
ALTER TABLE beat ADD COLUMN data TEXT NOT NULL DEFAULT '';
UPDATE beat SET data = json_object(
  'at', strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch'),
  'last', json_array(
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch'),
    json_object('ok', json(iif(ok, 'true', 'false')), 'message', message)
  )
);
ALTER TABLE beat DROP COLUMN ok;
ALTER TABLE beat DROP COLUMN message;
",
    "
-- When a monitor could be told something.
CREATE TABLE heard (
  monitor TEXT PRIMARY KEY,
  data    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
-- The newest piece of the journal when the ring was saved: it has all that was in those until then.
ALTER TABLE history_ring ADD COLUMN covers INTEGER NOT NULL DEFAULT 0;
-- Until when a monitor could be told something: changes all the time, and the absences in `heard` seldom.
CREATE TABLE listened (
  monitor TEXT PRIMARY KEY,
  until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
",
];

/// The version a database has.
pub(crate) fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |r| r.get(0))
}

/// Brings the schema up to `migrations.len()`, each step in a transaction of its own. Idempotent: a
/// process killed in between continues where the last committed step ended.
pub(crate) fn migrate(db: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let mut at = version(db)?;
    while let Some(step) = usize::try_from(at).ok().and_then(|i| migrations.get(i)) {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        at += 1;
        tx.pragma_update(None, "user_version", at)?;
        tx.commit()?;
    }
    Ok(())
}
