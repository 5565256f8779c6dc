//! Opening: permissions, integrity, migration, and what to do when the file is not usable.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::base::failure::Chain;
use crate::base::time::Timestamp;
use crate::state::record::Loaded;
use crate::state::{StateError, rows, schema};

const FILE: &str = "watchdog.db";

pub(crate) struct Disk {
    pub(crate) writer: Connection,
    pub(crate) reader: Option<Connection>,
    /// `None` for a database in memory.
    pub(crate) path: Option<PathBuf>,
    pub(crate) loaded: Loaded,
    pub(crate) degraded: Option<String>,
}

/// Opens the database in `dir`. A corrupt one is set aside and an empty one opened in its place; where
/// nothing can be written the database lives in memory, because probing and paging must go on.
pub(crate) fn open(dir: &Path, now: Timestamp) -> Result<Disk, StateError> {
    open_with(dir, now, schema::MIGRATIONS)
}

/// The same with a history of the schema that is given.
pub(crate) fn open_with(dir: &Path, now: Timestamp, migrations: &[&str]) -> Result<Disk, StateError> {
    let path = dir.join(FILE);
    if let Err(e) = prepare(dir, &path) {
        return memory(format!("cannot write `{}` ({e}): state is kept in memory only", path.display()));
    }
    match open_file(&path, migrations) {
        Ok(disk) => Ok(disk),
        Err(Unusable::Newer(e)) => Err(e),
        Err(Unusable::Corrupt(why)) => {
            let aside = match set_aside(&path, now) {
                Ok(aside) => aside,
                Err(e) => {
                    let path = path.display();
                    return memory(format!(
                        "`{path}` is corrupt ({why}) and cannot be set aside ({e}): state is kept in memory only"
                    ));
                }
            };
            let told = format!("the state database was corrupt ({why}); it is kept as `{}`", aside.display());
            match prepare(dir, &path)
                .map_err(|e| e.to_string())
                .and_then(|()| open_file(&path, migrations).map_err(|e| e.to_string()))
            {
                Ok(disk) => Ok(Disk { degraded: Some(format!("{told}; starting empty")), ..disk }),
                Err(e) => memory(format!("{told}; a new one cannot be made ({e}): state is kept in memory only")),
            }
        }
        Err(Unusable::Io(why)) => {
            memory(format!("cannot use `{}` ({why}): state is kept in memory only", path.display()))
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Newer(StateError),
    #[error("{0}")]
    Corrupt(String),
    #[error("{0}")]
    Io(String),
}

impl From<rusqlite::Error> for Unusable {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            // A full, read-only or failing disk is no reason to move a database that may be sound.
            Some(
                ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory,
            ) => Self::Io(Chain(&e).to_string()),
            _ => Self::Corrupt(Chain(&e).to_string()),
        }
    }
}

/// Makes the directory (0700) and the file (0600). SQLite gives its own files the database's mode.
fn prepare(dir: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// A connection for writing, set up but neither checked nor migrated.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    // A reader of ours, or somebody's `sqlite3`, may hold the file for a moment.
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // NORMAL loses the last commits in a power cut, FULL none.
    db.pragma_update(None, "synchronous", "full")?;
    // A burst may grow the log; what the checkpoint has folded in is given back beyond this.
    db.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    set_up(&db)?;
    Ok(db)
}

fn set_up(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn open_file(path: &Path, migrations: &[&str]) -> Result<Disk, Unusable> {
    let mut db = connect(path)?;
    let check: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    if check != "ok" {
        return Err(Unusable::Corrupt(check));
    }
    let (found, known) = (schema::version(&db)?, i64::try_from(migrations.len()).unwrap_or(i64::MAX));
    if found > known {
        return Err(Unusable::Newer(StateError::Newer { path: path.to_owned(), found, known }));
    }
    if found > 0 && found < known {
        copy_before_migration(&db, path, found)?;
    }
    schema::migrate(&mut db, migrations)?;
    let loaded = rows::load(&db)?;
    if loaded.skipped > 0 {
        tracing::warn!(rows = loaded.skipped, "rows of the state database were not understood and are left alone");
    }
    let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    reader.busy_timeout(Duration::from_secs(5))?;
    reader.set_prepared_statement_cache_capacity(16);
    Ok(Disk { writer: db, reader: Some(reader), path: Some(path.to_owned()), loaded, degraded: None })
}

/// Keeps a copy that the older binary can use. One that a killed migration left is made anew.
fn copy_before_migration(db: &Connection, path: &Path, version: i64) -> Result<(), Unusable> {
    let copy = path.with_file_name(format!("{FILE}.v{version}"));
    let io = |e: io::Error| Unusable::Io(e.to_string());
    match std::fs::remove_file(&copy) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(e)),
        _ => {}
    }
    // The file exists before SQLite writes to it, so that nobody else can ever read it.
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(&copy).map_err(io)?;
    db.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    Ok(())
}

/// Renames the database and its companions to `watchdog.db.corrupt-<time>…`.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let stamp = now.to_string().replace([':', '.'], "-");
    let named = |n: u32| {
        let suffix = if n == 0 { String::new() } else { format!("-{n}") };
        path.with_file_name(format!("{FILE}.corrupt-{stamp}{suffix}"))
    };
    let aside = (0..1_000).map(named).find(|p| !p.exists()).ok_or_else(|| io::Error::other("too many of them"))?;
    for companion in ["-wal", "-shm"] {
        let with = |p: &Path| PathBuf::from(format!("{}{companion}", p.display()));
        match std::fs::rename(with(path), with(&aside)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

fn memory(degraded: String) -> Result<Disk, StateError> {
    let mut db = Connection::open_in_memory()?;
    set_up(&db)?;
    schema::migrate(&mut db, schema::MIGRATIONS)?;
    let degraded = Some(degraded);
    Ok(Disk { writer: db, reader: None, path: None, loaded: Loaded::default(), degraded })
}
