//! Looking after the database while it is run on, on a connection of its own.

use std::path::Path;

use super::connection::Connection;
use super::{Postgres, aside};
use crate::ledger::check::{Compacted, NAMED, NEVER, name};
use crate::ledger::error::Error;
use crate::ledger::row::Columns as _;

/// The tables of which rows go.
const TABLES: [&str; 8] = [
    "orders",
    "aliases",
    "sightings",
    "postbacks",
    "attempts",
    "transitions",
    "sessions",
    "actions",
];

impl Postgres {
    pub(in crate::ledger) async fn check(&self) -> Result<Vec<String>, Error> {
        let (db, _known) = aside(&self.server).await?;
        // It reads everything, and may take longer than an order.
        let begin = "SET statement_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        db.script(begin).await?;
        let faults = check(&db).await;
        db.close().await;
        faults
    }

    /// The command that backs it up.
    pub(in crate::ledger) fn own_backup(&self, file: &Path) -> Error {
        let (server, file) = (&self.server, file.display());
        Error::OwnTools {
            how: format!("pg_dump --format=custom --schema=refgate --file='{file}' '{server}'"),
        }
    }

    /// `VACUUM`, which nobody waits for: what is free is used again.
    pub(in crate::ledger) async fn compact(&self) -> Result<Compacted, Error> {
        let (db, _known) = aside(&self.server).await?;
        db.script("SET statement_timeout = 0").await?;
        let mut done = Ok(());
        for table in TABLES {
            // No transaction may be around it, so one at a time.
            done = db.script(&format!("VACUUM (ANALYZE) {table}")).await;
            if done.is_err() {
                break;
            }
        }
        db.close().await;
        done.map(|()| Compacted {
            before: 0,
            after: 0,
            free: 0,
            step: Some(0),
        })
    }
}

async fn check(db: &Connection) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    for (words, sql) in NEVER {
        let rows = db.rows(&format!("{sql} LIMIT {}", NAMED + 1), &[]).await?;
        let found: Result<_, Error> = rows.iter().map(|row| row.text("what")).collect();
        faults.extend(name(words, found?));
    }
    Ok(faults)
}
