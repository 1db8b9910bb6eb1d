//! Looking after the file while it is run on.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{Sqlite, open};
use crate::ledger::Role;
use crate::ledger::check::{Backup, Compacted, NAMED, NEVER, name};
use crate::ledger::error::Error;
use crate::ledger::owner;

/// Pages that are given back in one commit: of 4 KiB, so a MiB at most is moved while an order waits.
pub(super) const STEP: u32 = 256;

/// From one step to the next: longer than SQLite waits between two looks at a lock.
const BREATH: Duration = Duration::from_millis(110);

/// How long the last step waits for a reader to be done; then the log beside the file stays as long as it is.
const READERS: Duration = Duration::from_millis(200);

impl Sqlite {
    pub(in crate::ledger) async fn check(&self) -> Result<Vec<String>, Error> {
        // A connection that may not write is told "ok" by `integrity_check`, whatever the file is like.
        self.blocking(|path| check(&open::connect(path, Role::Tool)?))
            .await
    }

    pub(in crate::ledger) async fn backup(&self, file: PathBuf) -> Result<Backup, Error> {
        self.look(move |db| backup(db, file)).await
    }

    pub(in crate::ledger) async fn compact(&self) -> Result<Compacted, Error> {
        self.blocking(compact).await
    }
}

fn check(db: &Connection) -> Result<Vec<String>, Error> {
    let mut faults = integrity(db)?;
    let mut foreign = db.prepare("PRAGMA foreign_key_check")?;
    let rows = foreign.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        let row: Option<i64> = row.get(1)?;
        Ok(format!("{table} {} of {parent}", row.unwrap_or_default()))
    });
    let rows: Result<Vec<String>, _> = rows?.take(NAMED + 1).collect();
    faults.extend(name("a row that refers to none", rows?));
    for (words, sql) in NEVER {
        let sql = format!("{sql} LIMIT {}", NAMED + 1);
        // What is damaged may not be readable: that is a fault like another.
        let found = db.prepare(&sql).and_then(|mut found| {
            let rows = found.query_map([], |row| row.get(0))?;
            rows.collect::<Result<Vec<String>, _>>()
        });
        match found {
            Ok(found) => faults.extend(name(words, found)),
            Err(error) => faults.push(format!("whether there is {words} cannot be read: {error}")),
        }
    }
    Ok(faults)
}

fn integrity(db: &Connection) -> Result<Vec<String>, Error> {
    let sql = format!("PRAGMA integrity_check({NAMED})");
    let mut lines = db.prepare(&sql)?;
    let lines: Vec<String> = lines
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let faults = lines.into_iter().filter(|line| line != "ok");
    Ok(faults.map(|line| format!("the file: {line}")).collect())
}

/// Into a draft beside it, which gets its name when it is known to be whole: nothing is ever written over.
fn backup(db: &Connection, file: PathBuf) -> Result<Backup, Error> {
    let io = |source| Error::Io {
        path: file.clone(),
        source: Arc::new(source),
    };
    if fs::symlink_metadata(&file).is_ok() {
        return Err(io(io::ErrorKind::AlreadyExists.into()));
    }
    let mut draft = file.clone().into_os_string();
    draft.push(format!(".{}.part", std::process::id()));
    let draft = PathBuf::from(draft);
    let new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft);
    drop(new.map_err(io)?);
    let copied = copy(db, &draft).and_then(|orders| {
        let bytes = sync(&draft).map_err(io)?;
        // A link is made only where there is no such name yet.
        fs::hard_link(&draft, &file).map_err(io)?;
        Ok((bytes, orders))
    });
    let removed = fs::remove_file(&draft).map_err(io);
    let (bytes, orders) = copied?;
    removed?;
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(Backup {
        file,
        bytes,
        orders,
    })
}

fn sync(draft: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).open(draft)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// How many orders the copy has, once it is known to be sound and of this ledger.
fn copy(db: &Connection, draft: &Path) -> Result<u64, Error> {
    let path = draft
        .to_str()
        .ok_or_else(|| Error::Copy("its name is no UTF-8".to_owned()))?;
    db.execute("VACUUM INTO ?1", [path])?;
    // One that may not write would be told that all is well.
    let copy = Connection::open_with_flags(draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if let Some(fault) = integrity(&copy)?.into_iter().next() {
        return Err(Error::Copy(fault));
    }
    for pragma in ["application_id", "user_version"] {
        let of = |db: &Connection| -> Result<i64, Error> {
            Ok(db.pragma_query_value(None, pragma, |row| row.get(0))?)
        };
        if of(db)? != of(&copy)? {
            return Err(Error::Copy(format!("another {pragma}")));
        }
    }
    if open::meta(db, "ledger_id")? != open::meta(&copy, "ledger_id")? {
        return Err(Error::Copy("another ledger_id".to_owned()));
    }
    let orders: i64 = copy.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))?;
    Ok(u64::try_from(orders).unwrap_or(0))
}

/// All of it while nobody runs on the file; otherwise in steps.
fn compact(path: &Path) -> Result<Compacted, Error> {
    match owner::own(path) {
        Ok(_alone) => whole(path),
        Err(Error::InUse { .. }) => stepwise(path),
        Err(error) => Err(error),
    }
}

fn whole(path: &Path) -> Result<Compacted, Error> {
    let db = open::connect(path, Role::Tool)?;
    let before = size(&db)?;
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")?;
    truncate_log(&db)?;
    Ok(Compacted {
        before,
        after: size(&db)?,
        free: 0,
        step: None,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "on a thread of its own, which has nothing else to do"
)]
fn stepwise(path: &Path) -> Result<Compacted, Error> {
    let db = open::connect(path, Role::Tool)?;
    let before = size(&db)?;
    let in_steps = number(&db, "auto_vacuum")? == 2;
    // Bounded: each step gives some back, and what is freed meanwhile is for the next time.
    let free = number(&db, "freelist_count")?;
    let steps = if in_steps {
        free.div_ceil(STEP.into())
    } else {
        0
    };
    for _ in 0..steps {
        // Each row of it is a page that was given back.
        let mut pages = db.prepare(&format!("PRAGMA incremental_vacuum({STEP})"))?;
        let mut pages = pages.query([])?;
        while pages.next()?.is_some() {}
        std::thread::sleep(BREATH);
    }
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_row| Ok(()))?;
    truncate_log(&db)?;
    Ok(Compacted {
        before,
        after: size(&db)?,
        free: number(&db, "freelist_count")? * number(&db, "page_size")?,
        step: Some(STEP),
    })
}

/// What is left of the log is in the file by now: writers wait for as long as a reader may take, at most.
fn truncate_log(db: &Connection) -> Result<(), Error> {
    db.busy_timeout(READERS)?;
    Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(()))?)
}

fn size(db: &Connection) -> Result<u64, Error> {
    Ok(number(db, "page_count")? * number(db, "page_size")?)
}

fn number(db: &Connection, pragma: &str) -> Result<u64, Error> {
    let number: i64 = db.pragma_query_value(None, pragma, |row| row.get(0))?;
    Ok(u64::try_from(number).unwrap_or(0))
}
