//! Opening the file: its settings, its schema, what an earlier run left open.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::custody;
use crate::clock::Time;
use crate::ledger::custody::Custody;
use crate::ledger::error::Error;
use crate::ledger::story::Durability;
use crate::ledger::version::{is_readable, sql};
use crate::ledger::{APPLICATION, Role, SCHEMA};

/// How long the writer waits for a lock that a command holds.
const BUSY: Duration = Duration::from_secs(2);

/// How long opening anew waits for one: whoever asks meanwhile waits too.
const GLANCE: Duration = Duration::from_millis(20);

/// Statements kept prepared: more than there are.
const STATEMENTS: usize = 64;

/// Pages kept in memory, in KiB: the upper parts of the indexes of some ten million orders.
const CACHE: i64 = 32 * 1024;

/// Pages in the WAL from which on it is written back into the file. Most pages of an index change again and again: the
/// more of their changes come together, the fewer are written twice. 32 MiB are read in a moment after a crash.
const WRITE_BACK: i64 = 8192;

const TABLES: &str = include_str!("../schema.sql");

/// What version 2 adds.
const SESSIONS: &str = include_str!("../sessions.sql");

/// What version 3 adds.
const STEERING: &str = include_str!("../steering.sql");

/// What the marks of known orders are made with.
const KNOWN_KEY: &str = "INSERT OR IGNORE INTO meta (key, value)
    VALUES ('known_key', lower(hex(randomblob(32))));";

/// How what is due is found; and an index that nobody asks, as `aliases` has every number, is not kept up any more.
/// An index is no version: a refgate that does not know it keeps it up all the same.
const INDEXES: &str = "DROP INDEX IF EXISTS postbacks_due;
    DROP INDEX IF EXISTS orders_by_number;
    CREATE INDEX IF NOT EXISTS postbacks_waiting ON postbacks (destination, due, id) WHERE state = 'due';";

/// The file itself where `path` is a link, so that two names of one ledger share one lock.
pub(super) fn resolve(path: &Path) -> PathBuf {
    path.canonicalize()
        .unwrap_or_else(|_not_there| path.to_owned())
}

/// Opens the file with its settings proven, its schema current.
pub(super) fn open(
    path: &Path,
    (role, now): (Role, Time),
    custody: &Custody,
) -> Result<Connection, Error> {
    open_within(BUSY, path, (role, now), custody)
}

/// Opens for running what could not be opened at the start.
pub(super) fn again(path: &Path, now: Time, custody: &Custody) -> Result<Connection, Error> {
    let opened = open_within(GLANCE, path, (Role::Run, now), custody)?;
    opened.busy_timeout(BUSY)?;
    Ok(opened)
}

fn open_within(
    wait: Duration,
    path: &Path,
    (role, now): (Role, Time),
    custody: &Custody,
) -> Result<Connection, Error> {
    match role {
        Role::Run => make_private(path)?,
        Role::Tool if !path.exists() => {
            return Err(Error::Missing {
                path: path.to_owned(),
            });
        }
        Role::Tool => {}
    }
    let mut db = connect_within(wait, path, role)?;
    if role == Role::Run {
        if number(&db, "user_version")? > 0 {
            custody::refuse_foreign(&db, custody)?;
        }
        migrate(&mut db, now)?;
        custody::take(&mut db, custody, now)?;
        begin_run(&mut db)?;
        custody::trust(&db, custody, now)?;
    }
    Ok(db)
}

/// A connection to a file that is there, its settings proven.
pub(super) fn connect(path: &Path, role: Role) -> Result<Connection, Error> {
    connect_within(BUSY, path, role)
}

fn connect_within(wait: Duration, path: &Path, role: Role) -> Result<Connection, Error> {
    // Without CREATE: the file is there by now, and a directory in its place is refused.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(wait)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    if identify(&db, path, role)? {
        // So that what is free can be given back in small steps; only a new file can have it.
        db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    configure(&db, role)?;
    Ok(db)
}

/// A further connection, for reading only.
pub(super) fn beside(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

/// A tiny write that goes the way of an order.
pub(super) fn probe(db: &Connection, now: Time) -> Result<(), Error> {
    put(db, "probed_at", &now.millis().to_string())
}

/// Makes an empty file that only its owner reads: it names customers' orders.
/// SQLite gives its companions the same mode.
fn make_private(path: &Path) -> Result<(), Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source: Arc::new(source),
    };
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(_file) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(io(error)),
    }
    // The file's name must survive a power loss as its content does.
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))
        .and_then(|dir| dir.sync_all())
        .map_err(io)
}

/// Refuses what is not a ledger, or not of a version that this role can use. Whether it is a new file.
fn identify(db: &Connection, path: &Path, role: Role) -> Result<bool, Error> {
    let application = number(db, "application_id")?;
    let found = number(db, "user_version")?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && (application != 0 || found != 0 || tables != 0) {
        return Err(Error::Foreign {
            path: path.to_owned(),
        });
    }
    let compatible = match found > SCHEMA {
        true => meta(db, "compatible_from")?,
        false => None,
    };
    if !is_readable(found, SCHEMA, compatible.as_deref()) {
        return Err(Error::NewerSchema {
            found,
            known: SCHEMA,
        });
    }
    if found < SCHEMA && role == Role::Tool {
        return Err(Error::OlderSchema {
            found,
            known: SCHEMA,
        });
    }
    Ok(tables == 0)
}

/// Sets what durability rests on, and reads it back: SQLite ignores in silence
/// a pragma that it does not know or cannot follow.
fn configure(db: &Connection, role: Role) -> Result<(), Error> {
    if role == Role::Run {
        // Kept in the file; a tool finds it so.
        db.query_row("PRAGMA journal_mode = wal", [], |_row| Ok(()))?;
        // A savepoint's journal: as a file it would cost every group of orders one, and orders where none can be opened.
        db.execute_batch("PRAGMA temp_store = MEMORY")?;
    }
    db.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;",
    )?;
    // These are for speed alone.
    db.pragma_update(None, "cache_size", -CACHE)?;
    db.pragma_update(None, "wal_autocheckpoint", WRITE_BACK)?;
    let durability = durability(db)?;
    weak("journal_mode", &durability.journal_mode, "wal")?;
    weak("synchronous", &durability.synchronous.to_string(), "2")?;
    weak(
        "fullfsync",
        &i64::from(durability.fullfsync).to_string(),
        "1",
    )?;
    weak(
        "foreign_keys",
        &number(db, "foreign_keys")?.to_string(),
        "1",
    )
}

fn weak(setting: &'static str, found: &str, wanted: &'static str) -> Result<(), Error> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::Weak {
        setting,
        found: found.to_owned(),
        wanted,
    })
}

/// The settings as the connection reports them.
pub(super) fn durability(db: &Connection) -> Result<Durability, Error> {
    let busy = u64::try_from(number(db, "busy_timeout")?).unwrap_or(0);
    Ok(Durability {
        journal_mode: db.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
        synchronous: number(db, "synchronous")?,
        fullfsync: number(db, "fullfsync")? == 1,
        busy_timeout: Duration::from_millis(busy),
    })
}

pub(super) fn number(db: &Connection, pragma: &str) -> Result<i64, Error> {
    Ok(db.pragma_query_value(None, pragma, |row| row.get(0))?)
}

/// Brings the schema up to date, all of it or nothing. A later version adds its step here.
fn migrate(db: &mut Connection, now: Time) -> Result<(), Error> {
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = number(&step, "user_version")?;
    if found < 1 {
        step.execute_batch(TABLES)?;
        let meta = "INSERT INTO meta (key, value) VALUES ('ledger_id', lower(hex(randomblob(16)))),
            ('created_at', ?1), ('accepted_at', ?1)";
        step.execute(meta, [now.millis().to_string()])?;
        step.pragma_update(None, "application_id", APPLICATION)?;
    }
    if found < 2 {
        step.execute_batch(SESSIONS)?;
    }
    // What a version added stays when somebody steps back from it.
    let stepped_back = meta(&step, "stepped_back_from")?;
    let stepped_back: i64 = stepped_back.and_then(|text| text.parse().ok()).unwrap_or(0);
    if found < 3 && stepped_back < 3 {
        step.execute_batch(STEERING)?;
    }
    if found < 3 {
        step.execute_batch(sql::KEPT)?;
        step.execute_batch(sql::RESTORE)?;
    }
    step.execute_batch(INDEXES)?;
    step.execute_batch(KNOWN_KEY)?;
    if found < SCHEMA {
        step.execute("DELETE FROM meta WHERE key = 'stepped_back_from'", [])?;
        put(&step, "compatible_from", &SCHEMA.to_string())?;
        step.pragma_update(None, "user_version", SCHEMA)?;
    }
    Ok(step.commit()?)
}

/// What `meta` holds under `key`.
pub(super) fn meta(db: &Connection, key: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let found = db.prepare_cached(sql)?.query_row([key], |row| row.get(0));
    Ok(found.optional()?)
}

/// Has `meta` hold `value` under `key`.
pub(super) fn put(db: &Connection, key: &str, value: &str) -> Result<(), Error> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    db.prepare_cached(sql)?.execute([key, value])?;
    Ok(())
}

/// Ends the leases of the run before this one, and counts this one: a file with fewer runs than it had is an older copy.
fn begin_run(db: &mut Connection) -> Result<(), Error> {
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    step.execute("UPDATE postbacks SET lease = 0 WHERE lease IS NOT NULL", [])?;
    step.execute(
        "INSERT INTO meta (key, value) VALUES ('runs', '1')
         ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
        [],
    )?;
    Ok(step.commit()?)
}
