//! What a new connection finds: the settings that durability rests on, the schema, whose ledger it is.
//!
//! Every replica may come first, or all at once: whoever loses that race finds what the winner made.

use std::path::PathBuf;
use std::time::Duration;

use super::clock;
use super::connection::Connection;
use super::server::Server;
use crate::clock::Time;
use crate::ledger::Role;
use crate::ledger::error::{Cause, Error};
use crate::ledger::row::Columns as _;
use crate::ledger::story::Durability;

/// The schema that this refgate writes.
pub const SCHEMA: i64 = 2;

/// How long a statement may take: longer is as if the database were away.
pub(super) const STATEMENT: Duration = Duration::from_secs(5);

/// What marks the tables as a ledger's: the value of `application` in `meta`.
const APPLICATION: &str = "refgate";

/// How often a race for making the tables is run.
const TRIES: usize = 10;

const TABLES: &str = include_str!("schema.sql");

/// `lock_timeout` is below `statement_timeout`, so that a lock is told from a slow disk. A replica that hangs
/// in a transaction must not hold up the others: the server ends it.
const SETTINGS: &str = "SET search_path = refgate;
    SET statement_timeout = 5000;
    SET lock_timeout = 3000;
    SET idle_in_transaction_session_timeout = 10000;
    SET client_min_messages = warning";

/// What a process knows of its ledger since its first connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) ledger: Option<String>,
}

/// Makes a new connection ready: `known` is what an earlier one of this process found.
pub(super) async fn prepare(
    connection: &Connection,
    server: &Server,
    (role, now): (Role, Time),
    known: &Known,
) -> Result<Known, Error> {
    connection.script(SETTINGS).await?;
    make_durable(connection).await?;
    let mut tries = 0..TRIES;
    let ledger = loop {
        match identify(connection, server).await? {
            Some(ledger) => break ledger,
            None if role == Role::Run && known.ledger.is_none() => {}
            None if known.ledger.is_some() => break String::new(),
            None => {
                return Err(Error::Missing {
                    path: place(server),
                });
            }
        }
        match make(connection, now).await {
            // Another replica makes it at this moment, or has.
            Err(Error::Contended(_)) if tries.next().is_some() => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            made => made?,
        }
    };
    match &known.ledger {
        None if role == Role::Run => count_run(connection).await?,
        Some(before) if *before != ledger => {
            return Err(Error::Another {
                found: ledger,
                known: before.clone(),
            });
        }
        _ => {}
    }
    Ok(Known {
        ledger: Some(ledger),
    })
}

fn place(server: &Server) -> PathBuf {
    server.to_string().into()
}

/// The ledger's id; none where there are no tables yet.
async fn identify(connection: &Connection, server: &Server) -> Result<Option<String>, Error> {
    let sql = "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'refgate'";
    let tables = connection.rows(sql, &[]).await?;
    let names: Vec<String> = tables
        .iter()
        .map(|row| row.text("name"))
        .collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Ok(None);
    }
    let foreign = || Error::Foreign {
        path: place(server),
    };
    if !names.iter().any(|name| name == "meta") {
        return Err(foreign());
    }
    if meta(connection, "application").await?.as_deref() != Some(APPLICATION) {
        return Err(foreign());
    }
    let found = meta(connection, "schema").await?;
    let found: i64 = found.and_then(|text| text.parse().ok()).unwrap_or(0);
    if found > SCHEMA {
        return Err(Error::NewerSchema {
            found,
            known: SCHEMA,
        });
    }
    // A later version adds its step here, for Role::Run.
    if found < SCHEMA {
        return Err(Error::OlderSchema {
            found,
            known: SCHEMA,
        });
    }
    Ok(Some(
        meta(connection, "ledger_id").await?.unwrap_or_default(),
    ))
}

async fn meta(connection: &Connection, key: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT value FROM meta WHERE key = $1";
    let row = connection.row(sql, &[&key]).await?;
    row.map(|row| row.text("value")).transpose()
}

/// Makes the tables, all of them or nothing.
async fn make(connection: &Connection, now: Time) -> Result<(), Error> {
    connection.script("BEGIN").await?;
    let made = async {
        // Only where it is not there: then no right to make schemas is needed.
        let there = "SELECT nspname::text AS name FROM pg_namespace WHERE nspname = 'refgate'";
        if connection.row(there, &[]).await?.is_none() {
            connection.script("CREATE SCHEMA refgate").await?;
        }
        connection.script(TABLES).await?;
        let now = now.millis().to_string();
        let pairs = [
            ("application", APPLICATION.to_owned()),
            ("schema", SCHEMA.to_string()),
            ("ledger_id", new_id()?),
            ("created_at", now.clone()),
            ("accepted_at", now),
        ];
        for (key, value) in pairs {
            let sql = "INSERT INTO meta (key, value) VALUES ($1, $2)";
            connection.run(sql, &[&key, &value]).await?;
        }
        connection.commit().await
    };
    let made = made.await;
    if made.is_err() {
        connection.script("ROLLBACK").await?;
    }
    made
}

fn new_id() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let cause: Cause = std::sync::Arc::new(error);
        Error::Database(cause)
    })?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Counts a run: a database with fewer runs than it had is an older copy. Kept for that; nothing compares it yet.
async fn count_run(connection: &Connection) -> Result<(), Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ('runs', '1') ON CONFLICT (key)
        DO UPDATE SET value = (meta.value::bigint + 1)::text";
    connection.run(sql, &[]).await?;
    Ok(())
}

/// A tiny write that goes the way of an order.
pub(super) async fn probe(connection: &Connection, now: Time) -> Result<(), Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ('probed_at', $1) ON CONFLICT (key)
        DO UPDATE SET value = excluded.value";
    connection.run(sql, &[&now.millis().to_string()]).await?;
    Ok(())
}

/// A commit must be on disk when it is answered. What the operator set stricter (`remote_apply`, …) stays.
async fn make_durable(connection: &Connection) -> Result<(), Error> {
    let weak = |setting, found: String| {
        Err(Error::Weak {
            setting,
            found,
            wanted: "on",
        })
    };
    if setting(connection, "synchronous_commit").await?.as_deref() == Some("off") {
        connection.script("SET synchronous_commit = on").await?;
    }
    for name in ["fsync", "full_page_writes"] {
        match setting(connection, name).await? {
            Some(found) if found == "off" => return weak(name, found),
            _ => {}
        }
    }
    Ok(())
}

/// None for one that the engine does not have.
async fn setting(connection: &Connection, name: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT setting FROM pg_settings WHERE name = $1";
    let row = connection.row(sql, &[&name]).await?;
    row.map(|row| row.text("setting")).transpose()
}

/// The settings as the connection has them, in the words of SQLite's: a commit that waits for the disk is 2.
pub(super) async fn durability(connection: &Connection) -> Result<Durability, Error> {
    let synchronous = setting(connection, "synchronous_commit").await?;
    let fsync = setting(connection, "fsync").await?;
    Ok(Durability {
        journal_mode: "wal".to_owned(),
        synchronous: i64::from(synchronous.as_deref() != Some("off")) * 2,
        fullfsync: fsync.as_deref() != Some("off"),
        busy_timeout: STATEMENT,
    })
}

/// How far this machine's clock is from the database's; told where it is far.
pub(super) async fn skew(connection: &Connection) -> Result<i64, Error> {
    let before = Time::now();
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now";
    let row = connection.row(sql, &[]).await?;
    let after = Time::now();
    let theirs = row.map(|row| row.number("now")).transpose()?;
    Ok(theirs.map_or(0, |theirs| {
        clock::skew(Time::from_millis(theirs), before, after)
    }))
}
