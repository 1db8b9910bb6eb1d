//! Making the tables, and bringing them up to date.
//!
//! Several replicas may do so at once: the row of the version is locked first, and whoever waited for it looks again.

use std::sync::Arc;

use super::connection::Connection;
use super::schema::{APPLICATION, SCHEMA, meta};
use crate::clock::Time;
use crate::ledger::error::{Cause, Error};
use crate::ledger::known::KEY_BYTES;
use crate::ledger::row::Columns as _;
use crate::ledger::version::sql;

const TABLES: &str = include_str!("schema.sql");

/// What version 2 adds.
const STEERING: &str = include_str!("steering.sql");

/// Makes the tables, all of them or nothing.
pub(super) async fn make(connection: &Connection, now: Time) -> Result<(), Error> {
    connection.script("BEGIN").await?;
    let made = async {
        // Only where it is not there: then no right to make schemas is needed.
        let there = "SELECT nspname::text AS name FROM pg_namespace WHERE nspname = 'refgate'";
        if connection.row(there, &[]).await?.is_none() {
            connection.script("CREATE SCHEMA refgate").await?;
        }
        connection.script(TABLES).await?;
        let now = now.millis().to_string();
        for (key, value) in [
            ("application", APPLICATION),
            ("schema", "1"),
            ("ledger_id", &random::<16>()?),
            ("created_at", &now),
            ("accepted_at", &now),
        ] {
            let sql = "INSERT INTO meta (key, value) VALUES ($1, $2)";
            connection.run(sql, &[&key, &value]).await?;
        }
        add(connection).await?;
        connection.commit().await
    };
    over(connection, made.await).await
}

/// Brings tables of an earlier version up to date, all of them or nothing.
pub(super) async fn update(connection: &Connection) -> Result<(), Error> {
    connection.script("BEGIN").await?;
    let updated = async {
        add(connection).await?;
        connection.commit().await
    };
    over(connection, updated.await).await
}

/// Adds what later versions have. A later one adds its step here; each of them only adds.
async fn add(connection: &Connection) -> Result<(), Error> {
    let found = locked_version(connection).await?;
    let stepped_back = meta(connection, "stepped_back_from").await?;
    let stepped_back: i64 = stepped_back.and_then(|text| text.parse().ok()).unwrap_or(0);
    if found < 2 && stepped_back < 2 {
        connection.script(STEERING).await?;
    }
    if found < 2 {
        connection.script(sql::KEPT).await?;
        connection.script(sql::RESTORE).await?;
    }
    if meta(connection, "known_key").await?.is_none() {
        put(connection, "known_key", &random::<KEY_BYTES>()?).await?;
    }
    let sql = "DELETE FROM meta WHERE key = 'stepped_back_from'";
    connection.run(sql, &[]).await?;
    put(connection, "schema", &SCHEMA.to_string()).await?;
    put(connection, "compatible_from", &SCHEMA.to_string()).await
}

/// The version as it stands, which nobody else changes until this transaction is over.
pub(super) async fn locked_version(connection: &Connection) -> Result<i64, Error> {
    let sql = "SELECT value FROM meta WHERE key = 'schema' FOR UPDATE";
    let row = connection.row(sql, &[]).await?;
    let text = row.map(|row| row.text("value")).transpose()?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

pub(super) async fn put(connection: &Connection, key: &str, value: &str) -> Result<(), Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.run(sql, &[&key, &value]).await?;
    Ok(())
}

pub(super) async fn over<T>(connection: &Connection, done: Result<T, Error>) -> Result<T, Error> {
    if done.is_err() {
        connection.script("ROLLBACK").await?;
    }
    done
}

/// So many random bytes in hexadecimal.
fn random<const N: usize>() -> Result<String, Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let cause: Cause = Arc::new(error);
        Error::Database(cause)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
