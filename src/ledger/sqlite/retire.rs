//! Retiring orders, on a connection of its own: removing a postback would look through every change for one of it, as
//! long as SQLite enforces that (there is no index for it, which would cost each order something). So the connection
//! does not, and everything that refers to the order goes with it; `check` looks whether anything is left.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::Sqlite;
use super::known::{self, Key};
use super::open::{self, meta, put};
use crate::clock::Time;
use crate::ledger::Role;
use crate::ledger::error::Error;
use crate::ledger::known::{Marker, Source};
use crate::ledger::retire::{LOOKED_AT, Retired, Retiring, SETTLED, choose, known_in};
use crate::ledger::row;
use crate::name::Namespace;

impl Sqlite {
    pub(in crate::ledger) async fn retire(
        &self,
        before: Time,
        from: Retiring,
    ) -> Result<Retired, Error> {
        let key = self.key.clone();
        self.blocking(move |path| retire(path, &key, before, from))
            .await
    }
}

fn retire(path: &Path, key: &Key, before: Time, from: Retiring) -> Result<Retired, Error> {
    let mut db = open::connect(path, Role::Tool)?;
    let marker = key.of(&db)?;
    // What is gone shall not stand in the file's free pages.
    db.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON")?;
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (chosen, next) = choose(&old(&step, before, from)?);
    let mut highest = Highest::read(&step)?;
    for id in &chosen {
        keep_marks(&step, marker, *id)?;
        highest.raise(&step, *id)?;
        remove(&step, *id)?;
    }
    highest.write(&step)?;
    step.execute("DELETE FROM actions WHERE at < ?1", [before.millis()])?;
    step.commit()?;
    Ok(Retired {
        orders: chosen.len(),
        next,
    })
}

/// Orders that are old enough, from some place on, and whether each is settled and was not changed since.
fn old(db: &Transaction<'_>, before: Time, from: Retiring) -> Result<Vec<(Retiring, bool)>, Error> {
    let sql = format!(
        "SELECT at, id, {SETTLED} AND NOT EXISTS (SELECT 1 FROM transitions
           WHERE order_id = orders.id AND at >= ?1) AS goes
         FROM orders WHERE at < ?1 AND (at, id) > (?2, ?3) ORDER BY at, id LIMIT ?4"
    );
    let limit = i64::try_from(LOOKED_AT).unwrap_or(i64::MAX);
    let mut found = db.prepare(&sql)?;
    let rows = found.query_map(
        params![before.millis(), from.last.0, from.last.1, limit],
        |row| {
            let last = (row.get(0)?, row.get(1)?);
            Ok((Retiring { last }, row.get(2)?))
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn keep_marks(db: &Connection, marker: &Marker, id: i64) -> Result<(), Error> {
    let sql = "SELECT aliases.namespace, aliases.number, orders.at, orders.standing FROM aliases
        JOIN orders ON orders.id = aliases.order_id WHERE orders.id = ?1";
    let mut ids = db.prepare_cached(sql)?;
    let mut rows = ids.query([id])?;
    while let Some(row) = rows.next()? {
        let namespace: String = row.get(0)?;
        let namespace: Namespace = namespace
            .parse()
            .map_err(|error| row::unreadable("aliases.namespace", error))?;
        let number: String = row.get(1)?;
        let at = Time::from_millis(row.get(2)?);
        let standing: String = row.get(3)?;
        for namespace in known_in(namespace, &standing) {
            let mark = marker.mark(&namespace, &number);
            known::keep(db, &namespace, &mark, (at, Source::Retired))?;
        }
    }
    Ok(())
}

fn remove(db: &Connection, id: i64) -> Result<(), Error> {
    for sql in [
        "DELETE FROM transitions WHERE order_id = ?1",
        "DELETE FROM attempts WHERE postback_id IN (SELECT id FROM postbacks WHERE order_id = ?1)",
        "DELETE FROM postbacks WHERE order_id = ?1",
        "DELETE FROM sightings WHERE order_id = ?1",
        "DELETE FROM aliases WHERE order_id = ?1",
        "DELETE FROM orders WHERE id = ?1",
    ] {
        db.prepare_cached(sql)?.execute([id])?;
    }
    Ok(())
}

/// The highest numbers that are gone: by them it is known that what is missing is no loss.
struct Highest {
    attempts: i64,
    changes: i64,
}

impl Highest {
    fn read(db: &Connection) -> Result<Self, Error> {
        let number = |key| -> Result<i64, Error> {
            Ok(meta(db, key)?
                .and_then(|text| text.parse().ok())
                .unwrap_or(0))
        };
        Ok(Self {
            attempts: number("retired_attempts")?,
            changes: number("retired_changes")?,
        })
    }

    fn raise(&mut self, db: &Connection, order: i64) -> Result<(), Error> {
        let highest = |sql: &str| -> Result<i64, Error> {
            let highest: Option<i64> = db
                .prepare_cached(sql)?
                .query_row([order], |row| row.get(0))?;
            Ok(highest.unwrap_or(0))
        };
        let changes = highest("SELECT max(id) FROM transitions WHERE order_id = ?1")?;
        let attempts = highest(
            "SELECT max(attempts.id) FROM attempts JOIN postbacks
               ON postbacks.id = attempts.postback_id WHERE postbacks.order_id = ?1",
        )?;
        self.changes = self.changes.max(changes);
        self.attempts = self.attempts.max(attempts);
        Ok(())
    }

    fn write(&self, db: &Connection) -> Result<(), Error> {
        put(db, "retired_attempts", &self.attempts.to_string())?;
        put(db, "retired_changes", &self.changes.to_string())
    }
}
