//! Orders that are known without their row, by the marks of their ids.

use super::connection::Connection;
use super::enter::clean;
use super::first::New;
use crate::clock::Time;
use crate::ledger::LIST;
use crate::ledger::error::Error;
use crate::ledger::known::{Deed, KnownOrder, Learned, Source};
use crate::ledger::row::{self, Columns as _};
use crate::name::Namespace;
use crate::order::OrderId;

/// Since when a candidate's order is known, by any of its ids.
pub(super) async fn of(db: &Connection, new: &New) -> Result<Option<KnownOrder>, Error> {
    let (namespace, marker) = (&new.candidate.order.key.namespace, db.marker()?);
    let marks = new.ids.iter().map(|id| marker.mark(namespace, id.as_str()));
    by(db, namespace, &marks.collect::<Vec<_>>()).await
}

pub(super) async fn by(
    db: &Connection,
    namespace: &Namespace,
    marks: &[String],
) -> Result<Option<KnownOrder>, Error> {
    let sql = format!(
        "SELECT {} FROM known_orders WHERE namespace = $1 AND mark = ANY ($2) ORDER BY at LIMIT 1",
        row::KNOWN
    );
    let row = db.row(&sql, &[&namespace.as_str(), &marks]).await?;
    row.map(|row| row::known_order(&row)).transpose()
}

/// In every namespace: these are few, and found one after the other by the index.
pub(super) async fn find(db: &Connection, id: &str) -> Result<Vec<KnownOrder>, Error> {
    let sql = "SELECT min(namespace) AS namespace FROM known_orders WHERE namespace > $1";
    let (mut found, mut last) = (Vec::new(), String::new());
    for _ in 0..LIST {
        let row = db.row(sql, &[&last]).await?;
        let name = row.map(|row| row.maybe_text("namespace")).transpose()?;
        let Some(name) = name.flatten() else { break };
        let namespace: Namespace = name
            .parse()
            .map_err(|error| row::unreadable("known_orders.namespace", error))?;
        let mark = db.marker()?.mark(&namespace, id);
        found.extend(by(db, &namespace, &[mark]).await?);
        last = name;
    }
    Ok(found)
}

pub(super) async fn learn(
    db: &Connection,
    (namespace, ids): (&Namespace, &[OrderId]),
    now: Time,
) -> Result<Learned, Error> {
    let numbers: Vec<&str> = ids.iter().map(OrderId::as_str).collect();
    let sql = "SELECT number FROM aliases WHERE namespace = $1 AND number = ANY ($2)";
    let rows = db.rows(sql, &[&namespace.as_str(), &numbers]).await?;
    let ordered: Vec<String> = rows
        .iter()
        .map(|row| row.text("number"))
        .collect::<Result<_, _>>()?;
    let is_order = |id: &&&str| ordered.iter().any(|number| number == **id);
    let orders = numbers.iter().filter(is_order).count();
    let marker = db.marker()?;
    let rest = numbers.iter().filter(|id| !is_order(id));
    let marks: Vec<String> = rest.map(|id| marker.mark(namespace, id)).collect();
    let times = vec![now.millis(); marks.len()];
    let new = keep(db, namespace, &marks, (&times, Source::Imported)).await?;
    Ok(Learned::of(
        ids.len(),
        new,
        u64::try_from(orders).unwrap_or(u64::MAX),
    ))
}

/// Has orders be known by these marks; how many were not. Whoever takes several locks takes them in one order.
pub(super) async fn keep(
    db: &Connection,
    namespace: &Namespace,
    marks: &[String],
    (times, source): (&[i64], Source),
) -> Result<u64, Error> {
    let sql = "INSERT INTO known_orders (namespace, mark, at, source)
        SELECT $1, new.mark, new.at, $4 FROM unnest($2::text[], $3::bigint[]) AS new (mark, at)
        ORDER BY new.mark ON CONFLICT DO NOTHING";
    let given: super::connection::Params<'_> =
        &[&namespace.as_str(), &marks, &times, &source.as_str()];
    db.run(sql, given).await
}

/// Records what was done by hand.
pub(super) async fn record(db: &Connection, deed: &Deed, now: Time) -> Result<(), Error> {
    let sql = "INSERT INTO actions (at, actor, verb, subject, reason) VALUES ($1, $2, $3, $4, $5)";
    db.run(
        sql,
        &[
            &now.millis(),
            &deed.actor.as_str(),
            &deed.verb,
            &deed.subject.as_deref().map(clean),
            &deed.reason.as_deref().map(clean),
        ],
    )
    .await?;
    Ok(())
}
