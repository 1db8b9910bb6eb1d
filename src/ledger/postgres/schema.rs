//! What a new connection finds: the settings that durability rests on, the schema, whose ledger it is.
//!
//! Every replica may come first, or all at once: whoever loses that race finds what the winner made.

use std::path::PathBuf;
use std::time::Duration;

use super::clock;
use super::connection::Connection;
use super::custody;
use super::server::Server;
use super::tables;
use crate::clock::Time;
use crate::ledger::Role;
use crate::ledger::custody::Custody;
use crate::ledger::error::Error;
use crate::ledger::known::Marker;
use crate::ledger::row::Columns as _;
use crate::ledger::story::Durability;
use crate::ledger::version::is_readable;

/// The schema that this refgate writes.
pub const SCHEMA: i64 = 2;

/// How long a statement may take: longer is as if the database were away.
pub(super) const STATEMENT: Duration = Duration::from_secs(5);

/// What marks the tables as a ledger's: the value of `application` in `meta`.
pub(super) const APPLICATION: &str = "refgate";

/// How often a race for making the tables is run.
const TRIES: usize = 10;

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
    /// What one that runs has seen of it before; nothing of whoever only looks.
    pub(super) custody: Custody,
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
    let ledger = find_or_make(connection, server, (role, now), known).await?;
    if let Some(before) = known.ledger.as_ref().filter(|before| **before != ledger) {
        return Err(Error::Another {
            found: ledger,
            known: before.clone(),
        });
    }
    let key = meta(connection, "known_key").await?;
    connection.mark_by(Marker::read(key.as_deref())?);
    if role == Role::Run {
        custody::refuse_foreign(connection, &known.custody).await?;
        custody::take(connection, &known.custody, now).await?;
        if known.ledger.is_none() {
            count_run(connection).await?;
        }
        custody::trust(connection, &known.custody, now).await?;
    }
    Ok(Known {
        ledger: Some(ledger),
        custody: known.custody.clone(),
    })
}

/// Whose ledger is there; made, or brought up to date, at the first connection of one that runs.
async fn find_or_make(
    connection: &Connection,
    server: &Server,
    (role, now): (Role, Time),
    known: &Known,
) -> Result<String, Error> {
    let first = role == Role::Run && known.ledger.is_none();
    let mut tries = 0..TRIES;
    loop {
        let made = match identify(connection, server).await? {
            Found::Ledger(ledger) => return Ok(ledger),
            Found::Nothing if first => tables::make(connection, now).await,
            Found::Nothing if known.ledger.is_some() => return Ok(String::new()),
            Found::Nothing => {
                return Err(Error::Missing {
                    path: place(server),
                });
            }
            Found::Older(_) if first => {
                custody::refuse_foreign(connection, &known.custody).await?;
                tables::update(connection).await
            }
            Found::Older(found) => {
                return Err(Error::OlderSchema {
                    found,
                    known: SCHEMA,
                });
            }
        };
        match made {
            // Another replica does so at this moment, or has.
            Err(Error::Contended(_)) if tries.next().is_some() => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            made => made?,
        }
    }
}

fn place(server: &Server) -> PathBuf {
    server.to_string().into()
}

/// What is there.
enum Found {
    /// No tables yet.
    Nothing,
    /// Tables of an earlier version.
    Older(i64),
    /// A ledger of this id.
    Ledger(String),
}

async fn identify(connection: &Connection, server: &Server) -> Result<Found, Error> {
    let sql = "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'refgate'";
    let tables = connection.rows(sql, &[]).await?;
    let names: Vec<String> = tables
        .iter()
        .map(|row| row.text("name"))
        .collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Ok(Found::Nothing);
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
    let compatible = meta(connection, "compatible_from").await?;
    if !is_readable(found, SCHEMA, compatible.as_deref()) {
        return Err(Error::NewerSchema {
            found,
            known: SCHEMA,
        });
    }
    if found < SCHEMA {
        return Ok(Found::Older(found));
    }
    let ledger = meta(connection, "ledger_id").await?;
    Ok(Found::Ledger(ledger.unwrap_or_default()))
}

pub(super) async fn meta(connection: &Connection, key: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT value FROM meta WHERE key = $1";
    let row = connection.row(sql, &[&key]).await?;
    row.map(|row| row.text("value")).transpose()
}

/// Counts a run: a database with fewer runs than it had is an older copy.
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
