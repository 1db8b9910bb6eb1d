//! Orders that are known without their row, by the marks of their ids.

use std::sync::{Arc, OnceLock};

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Time;
use crate::ledger::error::Error;
use crate::ledger::known::{Deed, KnownOrder, Learned, Marker, Source};
use crate::ledger::row;
use crate::ledger::{ALIASES, LIST};
use crate::name::Namespace;
use crate::order::{Candidate, OrderId};

/// The key of this ledger's marks. Read when it is first asked for, as the file may be opened later. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Key(Arc<OnceLock<Marker>>);

impl Key {
    pub(super) fn of(&self, db: &Connection) -> Result<&Marker, Error> {
        if let Some(known) = self.0.get() {
            return Ok(known);
        }
        let marker = marker(db)?;
        Ok(self.0.get_or_init(|| marker))
    }
}

/// The same, read now.
pub(super) fn marker(db: &Connection) -> Result<Marker, Error> {
    let sql = "SELECT value FROM meta WHERE key = 'known_key'";
    let key: Option<String> = db.query_row(sql, [], |row| row.get(0)).optional()?;
    Marker::read(key.as_deref())
}

/// Since when a candidate's order is known, by any of its ids.
pub(super) fn of(
    db: &Connection,
    marker: &Marker,
    candidate: &Candidate,
) -> Result<Option<KnownOrder>, Error> {
    let key = &candidate.order.key;
    let ids = std::iter::once(&key.id).chain(candidate.order.aliases.iter().take(ALIASES));
    for id in ids {
        let found = by(db, marker, &key.namespace, id.as_str())?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

pub(super) fn by(
    db: &Connection,
    marker: &Marker,
    namespace: &Namespace,
    id: &str,
) -> Result<Option<KnownOrder>, Error> {
    let sql = format!(
        "SELECT {} FROM known_orders WHERE namespace = ?1 AND mark = ?2",
        row::KNOWN
    );
    let mark = marker.mark(namespace, id);
    db.prepare_cached(&sql)?
        .query_row(params![namespace.as_str(), mark], |row| {
            Ok(row::known_order(row))
        })
        .optional()?
        .transpose()
}

/// In every namespace: these are few, and found one after the other by the index.
pub(super) fn find(db: &Connection, marker: &Marker, id: &str) -> Result<Vec<KnownOrder>, Error> {
    let sql = "SELECT min(namespace) FROM known_orders WHERE namespace > ?1";
    let mut next = db.prepare_cached(sql)?;
    let (mut found, mut last) = (Vec::new(), String::new());
    for _ in 0..LIST {
        let Some(name): Option<String> = next.query_row([&last], |row| row.get(0))? else {
            break;
        };
        let namespace: Namespace = name
            .parse()
            .map_err(|error| row::unreadable("known_orders.namespace", error))?;
        found.extend(by(db, marker, &namespace, id)?);
        last = name;
    }
    Ok(found)
}

pub(super) fn learn(
    db: &Connection,
    marker: &Marker,
    (namespace, ids): (&Namespace, &[OrderId]),
    now: Time,
) -> Result<Learned, Error> {
    let sql = "SELECT 1 FROM aliases WHERE namespace = ?1 AND number = ?2";
    let mut ordered = db.prepare_cached(sql)?;
    let (mut new, mut orders) = (0, 0);
    for id in ids {
        if ordered.exists(params![namespace.as_str(), id.as_str()])? {
            orders += 1;
            continue;
        }
        let mark = marker.mark(namespace, id.as_str());
        new += keep(db, namespace, &mark, (now, Source::Imported))?;
    }
    Ok(Learned::of(ids.len(), new, orders))
}

/// Has an order be known by this mark; 1 if it was not.
pub(super) fn keep(
    db: &Connection,
    namespace: &Namespace,
    mark: &str,
    (at, source): (Time, Source),
) -> Result<u64, Error> {
    let sql = "INSERT OR IGNORE INTO known_orders (namespace, mark, at, source)
        VALUES (?1, ?2, ?3, ?4)";
    let new = db.prepare_cached(sql)?.execute(params![
        namespace.as_str(),
        mark,
        at.millis(),
        source.as_str()
    ])?;
    Ok(u64::from(new == 1))
}

/// Records what was done by hand.
pub(super) fn record(db: &Connection, deed: &Deed, now: Time) -> Result<(), Error> {
    let sql = "INSERT INTO actions (at, actor, verb, subject, reason) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![
        now.millis(),
        deed.actor.as_str(),
        deed.verb,
        deed.subject,
        deed.reason,
    ])?;
    Ok(())
}
