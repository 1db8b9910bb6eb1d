//! Retiring orders. Several replicas do so: what one of them is about to retire is passed over by the others, and what
//! somebody steers at this moment is looked at again once it is locked.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::schema::meta;
use super::tables::put;
use super::work::Pace;
use super::{Postgres, known};
use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::known::Source;
use crate::ledger::retire::{LOOKED_AT, Retired, Retiring, SETTLED, choose, known_in};
use crate::ledger::row::{self, Columns as _};
use crate::name::Namespace;

/// Whether an order's newest change is older than `$1`.
const UNCHANGED: &str =
    "NOT EXISTS (SELECT 1 FROM transitions WHERE order_id = orders.id AND at >= $1)";

impl Postgres {
    pub(in crate::ledger) async fn retire(
        &self,
        before: Time,
        from: Retiring,
    ) -> Result<Retired, Error> {
        let work = async move |db: &Connection, pace| match pace {
            Pace::Together => Ok(None),
            Pace::Alone => retire(db, before, from).await.map(Some),
        };
        self.write("t".to_owned(), work, |_| {}).await
    }
}

async fn retire(db: &Connection, before: Time, from: Retiring) -> Result<Retired, Error> {
    let (chosen, next) = choose(&old(db, before, from).await?);
    let ids = locked(db, &chosen, before).await?;
    if !ids.is_empty() {
        keep_marks(db, &ids).await?;
        keep_highest(db, &ids).await?;
        remove(db, &ids).await?;
    }
    let sql = "DELETE FROM actions WHERE at < $1";
    db.run(sql, &[&before.millis()]).await?;
    Ok(Retired {
        orders: ids.len(),
        next,
    })
}

/// Orders that are old enough, from some place on, and whether each is settled and was not changed since.
async fn old(
    db: &Connection,
    before: Time,
    from: Retiring,
) -> Result<Vec<(Retiring, bool)>, Error> {
    let sql = format!(
        "SELECT at, id, CASE WHEN {SETTLED} AND {UNCHANGED} THEN 1::bigint ELSE 0::bigint END AS goes
         FROM orders WHERE at < $1 AND (at, id) > ($2, $3) ORDER BY at, id LIMIT $4"
    );
    let limit = i64::try_from(LOOKED_AT).unwrap_or(i64::MAX);
    let given: super::connection::Params<'_> =
        &[&before.millis(), &from.last.0, &from.last.1, &limit];
    let rows = db.rows(&sql, given).await?;
    let read = |row: &tokio_postgres::Row| {
        let last = (row.number("at")?, row.number("id")?);
        Ok((Retiring { last }, row.number("goes")? == 1))
    };
    rows.iter().map(read).collect()
}

/// Those that can be had at once, and go still when nobody can change them or their postbacks any more.
async fn locked(db: &Connection, chosen: &[i64], before: Time) -> Result<Vec<i64>, Error> {
    let sql = "SELECT id FROM orders WHERE id = ANY ($1) ORDER BY id FOR UPDATE SKIP LOCKED";
    let had = numbers(&db.rows(sql, &[&chosen]).await?)?;
    let sql = "SELECT id FROM postbacks WHERE order_id = ANY ($1) ORDER BY id FOR UPDATE";
    db.rows(sql, &[&had]).await?;
    let sql = format!(
        "SELECT id FROM orders WHERE id = ANY ($2) AND {SETTLED} AND {UNCHANGED} ORDER BY id"
    );
    numbers(&db.rows(&sql, &[&before.millis(), &had]).await?)
}

fn numbers(rows: &[tokio_postgres::Row]) -> Result<Vec<i64>, Error> {
    rows.iter().map(|row| row.number("id")).collect()
}

async fn keep_marks(db: &Connection, ids: &[i64]) -> Result<(), Error> {
    let sql = "SELECT aliases.namespace, aliases.number, orders.at, orders.standing FROM aliases
        JOIN orders ON orders.id = aliases.order_id WHERE orders.id = ANY ($1)";
    let mut namespaces: BTreeMap<Namespace, (Vec<String>, Vec<i64>)> = BTreeMap::new();
    for row in &db.rows(sql, &[&ids]).await? {
        let namespace: Namespace = row
            .text("namespace")?
            .parse()
            .map_err(|error| row::unreadable("aliases.namespace", error))?;
        for namespace in known_in(namespace, &row.text("standing")?) {
            let mark = db.marker()?.mark(&namespace, &row.text("number")?);
            let (marks, times) = namespaces.entry(namespace).or_default();
            marks.push(mark);
            times.push(row.number("at")?);
        }
    }
    for (namespace, (marks, times)) in &namespaces {
        known::keep(db, namespace, marks, (times, Source::Retired)).await?;
    }
    Ok(())
}

/// The highest numbers that are gone: by them it is known that what is missing is no loss.
async fn keep_highest(db: &Connection, ids: &[i64]) -> Result<(), Error> {
    let sql = "SELECT coalesce((SELECT max(id) FROM transitions WHERE order_id = ANY ($1)), 0) AS changes,
        coalesce((SELECT max(attempts.id) FROM attempts JOIN postbacks
          ON postbacks.id = attempts.postback_id WHERE postbacks.order_id = ANY ($1)), 0) AS attempts";
    let Some(row) = db.row(sql, &[&ids]).await? else {
        return Ok(());
    };
    for (key, gone) in [
        ("retired_attempts", row.number("attempts")?),
        ("retired_changes", row.number("changes")?),
    ] {
        let before = meta(db, key).await?.and_then(|text| text.parse().ok());
        put(db, key, &gone.max(before.unwrap_or(0)).to_string()).await?;
    }
    Ok(())
}

async fn remove(db: &Connection, ids: &[i64]) -> Result<(), Error> {
    for sql in [
        "DELETE FROM transitions WHERE order_id = ANY ($1)",
        "DELETE FROM attempts WHERE postback_id IN (SELECT id FROM postbacks WHERE order_id = ANY ($1))",
        "DELETE FROM postbacks WHERE order_id = ANY ($1)",
        "DELETE FROM sightings WHERE order_id = ANY ($1)",
        "DELETE FROM aliases WHERE order_id = ANY ($1)",
        "DELETE FROM orders WHERE id = ANY ($1)",
    ] {
        db.run(sql, &[&ids]).await?;
    }
    Ok(())
}
